/*
 * actors.h: actors inside a kernel. Their handlers are written in the kernel dialect; the lanes of
 * the resident blocks are the workers, and the host supervises.
 *
 *     #define RK_NAME bank
 *     #define RK_ACTORS 1
 *     #define RK_ACTOR_STATE_WORDS 2
 *     #define RK_PARAMS(P) RK_ACTOR_PARAMS(P)
 *     #define RK_FIELDS(F) RK_ACTOR_FIELDS(F)
 *     RK_PHASES, RK_HAS_INIT, ...: RK_ACTOR_KERNEL below says which
 *     #include <ringkernel/kernel.h>
 *     RK_ACTOR_KERNEL
 *     RK_ON_ACTOR { self->state[0] += message->word[0]; }
 *
 * One phase, `actors`, gives turns until each lane has handled about actor_slice messages or no
 * actor has any. While one has, the kernel asks for more steps, also without a run; then it is
 * idle. Which lane runs an actor, and when, depends on timing: an actor's own messages are handled
 * one at a time, those of one sender in order, and nothing else is promised.
 *
 * Host: a message of type >= RK_MSG_TYPE_USER with {u64 id, up to 40 bytes} goes to that actor.
 * Custom commands are RK_ACTOR_OP_*. Failures arrive as RK_ACTOR_TYPE_FAILED.
 */
#ifndef RINGKERNEL_KERNEL_ACTORS_H
#define RINGKERNEL_KERNEL_ACTORS_H

#include <ringkernel/kernel/actor_turn.h>

#include <ringkernel/kernel/actor_host.h>

/* Looks for work that a lane makes while others have some, at most. */
#if defined(RK_TARGET_CPU) && defined(RK_FIBER)
#define RK_ACTOR_LOOKS 4u /* lanes of a fiber block take turns: waiting is in vain */
#elif defined(RK_TARGET_CPU)
#define RK_ACTOR_LOOKS 1000u
#else
#define RK_ACTOR_LOOKS 256u
#endif

/* Fills one place of a ring of free things. */
RK_FN void rk_actor_ring_init(RK_G rk_u32 *cells, rk_u32 at, rk_u32 filled, rk_u32 value)
{
    cells[2u * (rk_u64)at] = at < filled ? at + 1u : at;
    cells[2u * (rk_u64)at + 1u] = at < filled ? value : 0u;
}

/* For RK_INIT, by all lanes. Returns 0, or 1 after a panic: return at once. */
RK_COLD rk_u32 rk_actors_init(rk_ctx *k)
{
    rk_actors v;
    rk_u32 lanes = RK_LANES(k);
    rk_u32 all = lanes * k->block_count;
    rk_u32 me = k->block * lanes + RK_LANE(k);
    rk_actors_view(k, RK_LANE(k) % RK_ACTOR_LANES, &v);
    rk_u32 initial = RK_PARAM(k, initial_actors);
    rk_u32 length = rk_actor_list_length(v.messages, all);
    rk_u32 lists = v.messages / length + (v.messages % length != 0u ? 1u : 0u);
    if (v.actors == 0u || v.actors > 0x10000000u || v.messages == 0u || v.messages > 0x10000000u ||
        initial > v.actors || v.queue_mask + 1u > v.queue_stride || lanes > RK_ACTOR_LANES ||
        RK_PARAM(k, actor_batch) == 0u) {
        rk_panic(k, 1u,
                 "actors: actors and actor_messages must be 1 to 2^28, initial_actors at "
                 "most actors, actor_batch at least 1, lanes at most 1024");
        return 1u;
    }
    for (rk_u32 i = me; i < v.messages; i += all) {
        RK_G rk_u32 *words = v.message + 16u * (rk_u64)i;
        rk_u32 last = (i + 1u) % length == 0u || i + 1u == v.messages;
        words[RK_ACTOR_NEXT] = last != 0u ? RK_ACTOR_NONE : i + 1u + RK_ACTOR_FIRST;
        words[RK_ACTOR_LENGTH] = v.messages - i < length ? v.messages - i : length;
    }
    for (rk_u32 i = me; i < rk_power_of_two(v.messages / length + 2u); i += all) {
        rk_actor_ring_init(v.lists, i, lists, i * length + RK_ACTOR_FIRST);
    }
    for (rk_u32 i = me; i <= v.slots_mask; i += all) {
        rk_actor_ring_init(v.slots, i, v.actors - initial, initial + i + 1u);
    }
    for (rk_u32 i = me; i < initial; i += all) {
        v.record[16u * (rk_u64)i + RK_ACTOR_STANDING] = RK_ACTOR_LIVE;
        v.record[16u * (rk_u64)i + RK_ACTOR_GENERATION] = 1u;
    }
    if (me == 0u) {
        v.common[RK_ACTOR_LISTS_TAIL] = lists;
        v.common[RK_ACTOR_SLOTS_TAIL] = v.actors - initial;
        v.common[RK_ACTOR_LANES_SEEN] = lanes;
        rk_device_store(v.common + RK_ACTOR_LIST_LENGTH, length); /* others look in vain */
    }
#if RK_HAS_ACTOR_START
    if (RK_SYNC_GRID(k) != 0u) {
        return 1u;
    }
    rk_actors_view(k, RK_LANE(k), &v);
    for (rk_u32 i = me; i < initial; i += all) {
        rk_actor self;
        rk_actor_open(&v, i, &self);
        rk_actor_begin(k, &self, RK_ACTOR_NEW);
        rk_actor_judge_idle(k, &self, RK_PARAM(k, actor_restarts));
    }
    rk_actors_flush(&v);
    if (me == 0u) {
        rk_request_steps(k, 1u);
    }
#endif
    return 0u;
}

/*
 * The kernel was launched with other numbers of lanes than before: tickets are void, and what lanes
 * that are no more hold goes back. By all lanes, in a step in which nobody does anything else.
 */
RK_COLD void rk_actors_resettle(rk_ctx *k, rk_u32 before)
{
    RK_G rk_u32 *workers =
        RK_FIELD(k, actor_worker) + (rk_u64)k->block * RK_ACTOR_LANES * RK_ACTOR_WORKER_WORDS;
    if (RK_LANE(k) != 0u) {
        return;
    }
    for (rk_u32 lane = 0u; lane < RK_ACTOR_LANES; lane++) {
        workers[lane * RK_ACTOR_WORKER_WORDS + RK_ACTOR_W_HOLDS] = 0u;
    }
    rk_actors v;
    rk_actors_view(k, 0u, &v);
    RK_G rk_u32 *places = v.queue + (rk_u64)k->block * v.queue_stride;
    rk_u32 kept = 0u;
    for (rk_u32 i = 0u; i <= v.queue_mask; i++) {
        rk_u32 found = places[i];
        places[i] = 0u;
        if (found != 0u) {
            places[kept++] = found;
        }
    }
    v.home[RK_ACTOR_HEAD] = 0u;
    v.home[RK_ACTOR_TAIL] = kept;
    v.home[RK_ACTOR_SETTLED] = 0u;
    v.home[RK_ACTOR_SETTLED + 1] = 0u;
    for (rk_u32 lane = RK_LANES(k); lane < before; lane++) {
        RK_G rk_u32 *gone = workers + lane * RK_ACTOR_WORKER_WORDS;
        for (rk_u32 list = RK_ACTOR_W_LIST; list <= RK_ACTOR_W_SPARE; list++) {
            rk_u32 message = list == RK_ACTOR_W_COUNT ? RK_ACTOR_NONE : gone[list];
            while (message != RK_ACTOR_NONE) {
                rk_u32 next = rk_actor_words(&v, message)[RK_ACTOR_NEXT];
                rk_actor_message_give(&v, message);
                message = next;
            }
            gone[list] = 0u;
        }
    }
    rk_actors_flush(&v);
}

/* The phase, by all lanes. */
RK_FN void rk_actors_work(rk_ctx *k)
{
    rk_actors v;
    rk_u32 lane = RK_LANE(k);
    rk_u32 lanes_seen = RK_FIELD(k, actor_common)[RK_ACTOR_LANES_SEEN];
    if (lanes_seen != RK_LANES(k)) {
        rk_actors_resettle(k, lanes_seen);
        return;
    }
    rk_actors_view(k, lane, &v);
    rk_u32 now = (rk_u32)k->step;
    rk_u32 settled = v.home[RK_ACTOR_SETTLED + ((now + 1u) & 1u)];
    if (lane == 0u) {
        v.home[RK_ACTOR_SETTLED + (now & 1u)] = rk_device_load(v.home + RK_ACTOR_TAIL);
    }
    rk_u32 slice = RK_PARAM(k, actor_slice);
    rk_u32 batch = RK_PARAM(k, actor_batch);
    rk_u32 restarts = RK_PARAM(k, actor_restarts);
    for (rk_u32 looks = 0u; looks < RK_ACTOR_LOOKS; looks++) {
        rk_u32 found = rk_actor_queue_take(&v, settled);
        if (found != 0u) {
            rk_actor_turn(k, &v, found - 1u, batch, restarts);
            looks = 0u;
            if (v.done >= slice) {
                rk_device_store(v.common + RK_ACTOR_OVER, now + 1u);
                break;
            }
        } else if (rk_device_load(v.common + RK_ACTOR_OVER) == now + 1u ||
                   rk_device_load(v.common + RK_ACTOR_BUSY_BLOCKS) == 0u) {
            break;
        } else {
            rk_relax();
        }
    }
    rk_actors_flush(&v);
}

/* Defines the handlers of a kernel that has nothing but actors. */
#define RK_ACTOR_KERNEL                                                                            \
    RK_INIT                                                                                        \
    {                                                                                              \
        (void)rk_actors_init(k);                                                                   \
    }                                                                                              \
    RK_PHASE(actors)                                                                               \
    {                                                                                              \
        rk_actors_work(k);                                                                         \
    }                                                                                              \
    RK_AFTER_STEP                                                                                  \
    {                                                                                              \
        (void)rk_actors_after_step(k);                                                             \
    }                                                                                              \
    RK_ON_MESSAGE                                                                                  \
    {                                                                                              \
        rk_actors_deliver(k, message);                                                             \
    }                                                                                              \
    RK_ON_COMMAND                                                                                  \
    {                                                                                              \
        return rk_actors_command(k, op, data, length, value);                                      \
    }

#endif
