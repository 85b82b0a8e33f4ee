/*
 * deadlines.h: a binary heap of deadlines that can be moved and taken out again.
 *
 * An rk_deadline lives inside the object that has the deadline. The object must cancel it before it
 * goes away. What comes out of rk_deadlines_pop is a copy of the key, not a pointer, so the owner
 * finds its object by a checked id. All functions may be called from any thread; the lock is a
 * leaf.
 */
#ifndef RK_FABRIC_DEADLINES_H
#define RK_FABRIC_DEADLINES_H

#include "base/thread.h"
#include <ringkernel/status.h>

typedef struct rk_deadline {
    uint64_t due_ns; /* monotonic */
    uint32_t at;     /* place in the heap plus one; 0: not armed */
    uint32_t kind;   /* the owner's: which table the id belongs to */
    uint32_t id;
} rk_deadline;

typedef struct rk_deadlines {
    rk_mutex lock;
    rk_deadline **heap;
    uint32_t count;
    uint32_t capacity;
    uint32_t
        bell; /* changes when the earliest deadline moves forward: what a timer thread waits on */
} rk_deadlines;

void rk_deadlines_init(rk_deadlines *set);
void rk_deadlines_finish(rk_deadlines *set);

/* Arms or moves. RK_NO_MEMORY leaves the deadline as it was. */
rk_status rk_deadlines_set(rk_deadlines *set, rk_deadline *deadline, uint64_t due_ns);

/* Disarms; does nothing when not armed. */
void rk_deadlines_cancel(rk_deadlines *set, rk_deadline *deadline);

/* Takes one deadline with due_ns <= now_ns out, the earliest first; false when there is none. */
bool rk_deadlines_pop(rk_deadlines *set, uint64_t now_ns, uint32_t *out_kind, uint32_t *out_id);

/* The earliest deadline; UINT64_MAX when there is none. */
uint64_t rk_deadlines_next(rk_deadlines *set);

#endif
