/*
 * profile.h: what the parts of lib/profile share. The public side is ringkernel/profile.h.
 */
#ifndef RK_PROFILE_PROFILE_H
#define RK_PROFILE_PROFILE_H

#include "base/compiler.h"
#include <ringkernel/profile.h>

/* The built-in profilers: load their library at the first call. RK_NOT_FOUND with what is missing;
 * a failure is final for the process. */
rk_status rk_nvtx_load(rk_err *err);
extern const rk_profiler_ops rk_nvtx_ops;
rk_status rk_roctx_load(rk_err *err);
extern const rk_profiler_ops rk_roctx_ops;
/* Whether a tool has brought ROCTX into this process. */
bool rk_roctx_is_present(void);

/*
 * Reads RK_PROFILE, or looks for tools; the first call in a process does it. Fails, each time, if
 * what RK_PROFILE asks for by name is missing.
 */
rk_status rk_profile_setup(rk_err *err);

/* Captures that RK_CAPTURE asks for: begin before the first launch, end. Once in a process; but if
 * one cannot begin, none does, and the next call tries again. */
rk_status rk_profile_capture_auto_begin(rk_err *err);
void rk_profile_capture_auto_end(void);

/* Calls capture_begin or capture_end of every profiler that has it. */
rk_status rk_profile_capture_hooks(bool begin, rk_err *err);

/* The tools or profilers of a list like "nvtx,roctx", by a table of names. RK_INVALID. */
typedef struct rk_profile_word {
    const char *name;
    uint32_t bit;
} rk_profile_word;
rk_status rk_profile_words(const char *variable, const char *text, const rk_profile_word *words,
                           size_t count, uint32_t *out_bits, rk_err *err);

#endif
