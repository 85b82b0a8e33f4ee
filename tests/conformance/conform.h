/*
 * conform.h: the conformance suite: what every device must do, through the public API alone.
 *
 * A case gets a context and returns; a check that fails notes where and what, and leaves the case.
 * No test library: the suite also runs where there is nothing but a C compiler and a GPU.
 */
#ifndef RK_TESTS_CONFORMANCE_CONFORM_H
#define RK_TESTS_CONFORMANCE_CONFORM_H

#include <ringkernel/abi/control.h>
#include <ringkernel/ringkernel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Of conform_kernel.c. */
#define CONFORM_COUNT 300u
#define CONFORM_ECHO 301u
#define CONFORM_PASS 302u
#define CONFORM_SUM 1u
#define CONFORM_EMIT 2u
#define CONFORM_PANIC 3u
#define CONFORM_FAIL 4u
#define CONFORM_SEND 5u
#define CONFORM_POOL 6u

#define CONFORM_WAIT_NS 60000000000u /* a device that takes longer has failed */

typedef struct conform {
    rk_runtime *runtime;
    rk_module *module; /* of conform_kernel.c */
    const char *device;
    uint32_t lanes;       /* 0: the device's */
    uint32_t blocks;      /* of most kernels: at least 1, at most what fits twice */
    bool isolated;        /* kernels live in host processes */
    uint64_t seed;        /* of the random cases */
    uint32_t effort;      /* how many sequences and cycles: 1 for a quick run */
    uint32_t events[32];  /* by rk_event_kind */
    char event_text[256]; /* of the last event */
    char failure[512];    /* of the running case; "" while it holds */
} conform;

/* Notes a failure, the first of a case only. */
void conform_fail(conform *c, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define CHECK(c, condition, ...)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            conform_fail((c), __FILE__, __LINE__, __VA_ARGS__);                                    \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)
#define CHECK_OK(c, call)                                                                          \
    do {                                                                                           \
        rk_err check_err = RK_ERR_INIT;                                                            \
        rk_status check_status = (call);                                                           \
        CHECK((c), check_status == RK_OK, "%s: %s", #call,                                         \
              check_err.text[0] != '\0' ? check_err.text : rk_status_text(check_status));          \
    } while (0)

/* A kernel of the suite, started; NULL, and the failure noted, if that cannot be done. */
rk_kernel *conform_start(conform *c, const char *name, const rk_launch *launch);
/*
 * Two, both created before the first is started: on a GPU nothing can be loaded beside a resident
 * kernel. False, and the failure noted, if that cannot be done.
 */
bool conform_start_two(conform *c, const char *first, const char *second, const rk_launch *launch,
                       rk_kernel **out_first, rk_kernel **out_second);
/* Waits for a command's reply; false, and the failure noted, if none comes. */
bool conform_wait(conform *c, rk_kernel *kernel, uint64_t id, rk_reply *out_reply);
/* Reads `count` u32 cells. */
bool conform_read(conform *c, rk_kernel *kernel, const char *field, uint32_t *out, uint64_t count);

/* A small generator of its own, so that sequences are the same everywhere. */
uint64_t conform_random(uint64_t *state);
uint32_t conform_below(uint64_t *state, uint32_t limit);

typedef struct conform_case {
    const char *name;
    void (*run)(conform *c);
} conform_case;

extern const conform_case conform_commands[];
extern const uint32_t conform_commands_count;
extern const conform_case conform_rings[];
extern const uint32_t conform_rings_count;
extern const conform_case conform_life[];
extern const uint32_t conform_life_count;
extern const conform_case conform_pool[];
extern const uint32_t conform_pool_count;
extern const conform_case conform_trace[];
extern const uint32_t conform_trace_count;
extern const conform_case conform_model[];
extern const uint32_t conform_model_count;
extern const conform_case conform_actors[];
extern const uint32_t conform_actors_count;
extern const conform_case conform_kernels[];
extern const uint32_t conform_kernels_count;

#endif
