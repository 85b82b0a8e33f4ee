/*
 * record.h: what one actor and one message look like in memory.
 *
 * The inbox word of an actor is the whole truth about who may deliver to it:
 *
 *   63..44 generation   43..1 newest message >> 6 (0: none; all ones: closed)   0 scheduled
 *
 * Senders push on it by compare and swap, newest first; the generation in the word makes a send to
 * an earlier actor in the same slot fail in the same instruction. "Scheduled" means that exactly
 * one run list or worker holds the actor: whoever sets the bit puts the actor on a list, and only
 * the worker that runs it clears it, when the inbox is empty. All other fields of the record belong
 * to whoever holds the actor, unless they say otherwise; the inbox word hands them over (release
 * and acquire).
 *
 * A slot is recycled with the next generation. A generation is never used twice: a slot whose
 * generations are used up is left alone for good. Memory of slots is never freed before the system
 * is, so a stale id can always be looked up.
 */
#ifndef RK_ACTOR_RECORD_H
#define RK_ACTOR_RECORD_H

#include "actor/message.h"
#include "base/spin.h"
#include <ringkernel/actor_system.h>

#define RK_GENERATION_MAX ((1u << 20) - 1)
#define RK_NO_INDEX UINT32_MAX

#define RK_INBOX_SCHEDULED 1ull
#define RK_INBOX_POINTER_MASK (((1ull << 44) - 1) & ~1ull)
#define RK_INBOX_CLOSED RK_INBOX_POINTER_MASK
#define RK_INBOX_GENERATION_SHIFT 44

/* Times of the last restarts, oldest overwritten. */
typedef struct rk_intensity {
    uint64_t *times_ns;
    uint32_t count;
    uint32_t next;
} rk_intensity;

/* The two halves of a restart of several children. */
typedef enum rk_repair {
    RK_REPAIR_NONE,
    RK_REPAIR_DOWN, /* youngest first */
    RK_REPAIR_UP,   /* oldest first */
} rk_repair;

/* A supervisor's side of its children. */
typedef struct rk_family {
    uint32_t oldest, youngest; /* of the list, in order of start */
    uint32_t count;
    uint32_t cursor; /* of the repair: the child it waits for or looks at next */
    uint8_t repair;  /* rk_repair */
    rk_intensity intensity;
} rk_family;

/* What few actors need. It stays with the slot and is used again by the next actor there. */
typedef struct rk_actor_ext {
    rk_levels *queue; /* NULL or messages that were sorted or held */
    rk_family *family;
    rk_intensity own; /* restarts of a root */
    void *arg;
    uint32_t arg_bytes;
    uint8_t goal;        /* rk_goal: what it does when its children have ended */
    uint8_t goal_reason; /* rk_actor_reason */
    int32_t goal_code;
    uint32_t beat_slot; /* on the list of heartbeats */
    /* Shared with senders. What the limit is, and the policy, stands in the type. */
    _Atomic uint32_t depth;   /* messages in the mailbox, if limited */
    uint32_t space;           /* counts removals while waiters wait; futex word */
    _Atomic uint32_t waiters; /* senders that block */
    rk_spin box_lock;         /* of box, and of scheduling while there is one */
    rk_levels *box;           /* mailbox that drops its oldest */
    _Atomic uint64_t last_beat_ns;
    _Atomic uint32_t beat_asked; /* a RK_CONTROL_BEAT is under way */
} rk_actor_ext;

/* What happens to a goal once no child is left. */
typedef enum rk_goal {
    RK_GOAL_NONE,
    RK_GOAL_FAIL,    /* tell the supervisor and wait */
    RK_GOAL_EXIT,    /* the same, after rk_actor_exit */
    RK_GOAL_SUSPEND, /* the same, as ordered */
    RK_GOAL_RESTART, /* start again */
    RK_GOAL_END,     /* terminate */
} rk_goal;

/* A child as its parent sees it; written by the parent only. */
enum {
    RK_CHILD_UP,
    RK_CHILD_SUSPENDING,
    RK_CHILD_DOWN,
    RK_CHILD_STARTING,
    RK_CHILD_STATE_MASK = 7,
    RK_CHILD_DUE = 8,    /* is to be restarted */
    RK_CHILD_AGAIN = 16, /* and once more, because a sibling failed while it started */
};

/* rk_actor.ctl: what makes a run or a send leave the fast path. */
#define RK_CTL_URGENT (1u << 0)     /* something in the inbox cannot wait. Set by anyone */
#define RK_CTL_QUEUED (1u << 1)     /* ext->queue is not empty */
#define RK_CTL_HOLD (1u << 2)       /* handles control messages only */
#define RK_CTL_LIMITED (1u << 3)    /* ext->depth counts */
#define RK_CTL_BOX (1u << 4)        /* messages go through ext->box */
#define RK_CTL_DRAINING (1u << 5)   /* ends when its mailbox is empty; refuses sends */
#define RK_CTL_START (1u << 6)      /* on_start is due */
#define RK_CTL_EXIT (1u << 7)       /* rk_actor_exit was called */
#define RK_CTL_PRIORITY (1u << 8)   /* its type has a priority of its own */
#define RK_CTL_NAMED (1u << 9)      /* the registry knows it. Set under the registry's lock */
#define RK_CTL_WATCHED (1u << 10)   /* on the list of heartbeats */
#define RK_CTL_CLOSING (1u << 11)   /* ordered: ends with this turn */
#define RK_CTL_CONGESTED (1u << 12) /* far behind with its mailbox */
#define RK_CTL_RUN_MASK                                                                            \
    (RK_CTL_URGENT | RK_CTL_QUEUED | RK_CTL_HOLD | RK_CTL_LIMITED | RK_CTL_BOX | RK_CTL_DRAINING | \
     RK_CTL_START | RK_CTL_EXIT)
#define RK_CTL_SEND_MASK (RK_CTL_LIMITED | RK_CTL_BOX | RK_CTL_DRAINING)

/* 56 bytes, then up to 8 bytes of state or padding. */
typedef struct rk_actor {
    _Atomic uint64_t inbox;
    rk_message *pending; /* taken from the inbox, oldest first; links free slots */
    rk_actor_ext *ext;
    _Atomic uint32_t ctl;
    uint32_t index;
    _Atomic uint32_t parent; /* slot index; the parent outlives its children */
    uint32_t run_next;       /* in the list that holds it: slot index + 1, 0 ends */
    uint32_t older, younger; /* siblings; the parent's. Link batches of free slots */
    uint16_t type;
    _Atomic uint16_t restarts;
    _Atomic uint8_t home;  /* worker that ran it last */
    _Atomic uint8_t phase; /* rk_actor_phase; written by the holder, read by anyone */
    uint8_t child_state;   /* the parent's */
    uint8_t restart;       /* rk_actor_restart */
} rk_actor;

_Static_assert(sizeof(rk_actor) == 56, "eight bytes of a cache line are left for small states");
_Static_assert(offsetof(rk_actor, older) % 8 == 0, "two indices make room for a pointer");

RK_INLINE rk_message *rk_inbox_messages(uint64_t word)
{
    return (rk_message *)(uintptr_t)((word & RK_INBOX_POINTER_MASK) << 5);
}

RK_INLINE uint64_t rk_inbox_with(uint64_t word, const rk_message *newest)
{
    return (word & ~RK_INBOX_POINTER_MASK) | (uint64_t)(uintptr_t)newest >> 5;
}

RK_INLINE uint32_t rk_inbox_generation(uint64_t word)
{
    return (uint32_t)(word >> RK_INBOX_GENERATION_SHIFT);
}

RK_INLINE rk_actor_id rk_id_make(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << RK_ID_INDEX_BITS | index;
}

/* The id of the actor that is in this slot now; for its holder, its parent or its children. */
RK_INLINE rk_actor_id rk_actor_id_of(const rk_actor *a)
{
    return rk_id_make(a->index,
                      rk_inbox_generation(atomic_load_explicit(&a->inbox, memory_order_relaxed)));
}

RK_INLINE void rk_actor_phase_set(rk_actor *a, rk_actor_phase phase)
{
    atomic_store_explicit(&a->phase, (uint8_t)phase, memory_order_relaxed);
}

RK_INLINE uint32_t rk_actor_ctl(const rk_actor *a)
{
    return atomic_load_explicit(&a->ctl, memory_order_relaxed);
}

/* Bits tell only "look closer"; what there is to see is ordered by the inbox or by locks. */
RK_INLINE void rk_actor_ctl_set(rk_actor *a, uint32_t bits)
{
    atomic_fetch_or_explicit(&a->ctl, bits, memory_order_relaxed);
}

RK_INLINE void rk_actor_ctl_clear(rk_actor *a, uint32_t bits)
{
    atomic_fetch_and_explicit(&a->ctl, ~bits, memory_order_relaxed);
}

#endif
