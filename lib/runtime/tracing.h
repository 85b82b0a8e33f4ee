/*
 * tracing.h: a kernel's timeline as the host reads it. Part of runtime_internal.h.
 */
#ifndef RK_RUNTIME_TRACING_H
#define RK_RUNTIME_TRACING_H

#include "base/thread.h"
#include "profile/chrome.h"
#include "profile/trace_ring.h"
#include <ringkernel/abi/control.h>
#include <ringkernel/trace.h>

typedef struct rk_tracing {
    rk_mutex lock; /* guards the members below; innermost */
    rk_trace_reader reader;
    uint32_t mask; /* RK_TRACE_*: what is wanted, also at the next launch */
    uint32_t every;
    bool is_on_timeline;
    bool has_base; /* base_ns is the host's time when the device's clock read base_ticks */
    uint64_t base_ticks;
    uint64_t base_ns;
    uint64_t probed_ns; /* when the last probe was sent; 0: never */
    uint64_t last_ns;   /* of the last event that was given out */
} rk_tracing;

/* Places the reader at the beginning of a fresh ring. The lock is there already. */
void rk_tracing_init(rk_kernel *kernel);
/* Tells a kernel that is about to be launched what to write down, and where. */
void rk_tracing_launch(rk_kernel *kernel, rk_loop *loop);

/* What a record says, with names but without its time. False if it makes no sense. */
bool rk_tracing_give_meaning(const rk_schema *schema, const rk_trace_record *record,
                             rk_trace_event *out);

/* timeline.c: writes an event of a kernel into the file. */
void rk_tracing_write(rk_chrome *chrome, rk_chrome_track *track, const rk_trace_event *event);

#endif
