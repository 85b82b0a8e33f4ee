/*
 * channels.h: messages between the lanes and blocks of one kernel, inside a phase.
 *
 * A channel is a ring of 64-byte slots, with one sender and one receiver (rk_channel_*), or many
 * senders and one receiver (rk_fan_*). It lies where both ends reach it soonest:
 *
 *   RK_CHANNEL_SHARED   both ends in one block: its shared memory
 *   RK_CHANNEL_CLUSTER  blocks of one cluster (CUDA 9.0): the receiver's shared memory
 *   RK_CHANNEL_DEVICE   any blocks of the kernel: a field
 *   RK_CHANNEL_KERNEL   other kernels: rk_send, not this header
 *
 * rk_channel_kind chooses; rk_channel_open makes a channel of it. The words of a ring are zero
 * before the first use, and everybody knows it: reset them in one step, use them in the next.
 *
 * Nothing here waits, and nobody may wait for ever inside a phase: blocks that poll for each other
 * keep CPUs from those that they wait for, and safe points away. Look RK_CHANNEL_LOOKS times, then
 * leave the phase and go on in the next step (rk_request_steps); the barrier between steps sleeps.
 */
#ifndef RINGKERNEL_KERNEL_CHANNELS_H
#define RINGKERNEL_KERNEL_CHANNELS_H

#include <ringkernel/kernel/cluster.h>
#include <ringkernel/kernel/messages.h>
#include <ringkernel/kernel/scope.h>

#define RK_CHANNEL_SHARED 1u
#define RK_CHANNEL_CLUSTER 2u
#define RK_CHANNEL_DEVICE 3u
#define RK_CHANNEL_KERNEL 4u

/* Words of a ring: tail, head on the next line, slots behind; a fan also has sequence words. */
#define RK_CHANNEL_TAIL 0u
#define RK_CHANNEL_HEAD 32u
#define RK_CHANNEL_SLOTS 64u
#define RK_CHANNEL_WORDS(slots) (64 + 16 * (slots))
#define RK_FAN_WORDS(slots) (64 + 17 * (slots))

/* Looks for a message before a phase should be left, and what to do between two. */
#if defined(RK_TARGET_CPU) && defined(RK_FIBER)
#define RK_CHANNEL_LOOKS 8u
#elif defined(RK_TARGET_CPU)
#define RK_CHANNEL_LOOKS 4000u
#else
#define RK_CHANNEL_LOOKS 2000u
#endif
#if defined(RK_TARGET_CPU)
#define rk_channel_pause() rk_relax()
#else
#define rk_channel_pause() ((void)0)
#endif

typedef struct rk_channel {
    rk_u32 kind;
    rk_u32 mask;         /* slots - 1                                                   */
    RK_G rk_u32 *field;  /* DEVICE                                                      */
    RK_L rk_u32 *shared; /* SHARED, and CLUSTER: the same offset in every block         */
    rk_u32 rank;         /* CLUSTER: the receiver's place in it                         */
    rk_u32 mine;         /* CLUSTER: this block receives                                */
} rk_channel;

/* The fastest way between two blocks of this kernel (or two lanes of one). */
RK_FN rk_u32 rk_channel_kind(const rk_ctx *k, rk_u32 from, rk_u32 to)
{
    rk_u32 cluster = rk_cluster_blocks();
    (void)k;
    if (from == to) {
        return RK_CHANNEL_SHARED;
    }
    return cluster > 1u && from / cluster == to / cluster ? RK_CHANNEL_CLUSTER : RK_CHANNEL_DEVICE;
}

/*
 * A channel to block `to`: `field` and `shared` are its words there, of which the kind uses one.
 * slots is a power of two.
 */
RK_FN void rk_channel_open(rk_ctx *k, rk_channel *channel, rk_u32 kind, rk_u32 to,
                           RK_G rk_u32 *field, RK_L rk_u32 *shared, rk_u32 slots)
{
    channel->kind = kind;
    channel->mask = slots - 1u;
    channel->field = field;
    channel->shared = shared;
    channel->rank = to % rk_cluster_blocks();
    channel->mine = k->block == to;
}

RK_FN rk_u32 rk_channel_load_acquire(const rk_channel *c, rk_u32 word)
{
    if (c->kind == RK_CHANNEL_DEVICE) {
        return rk_device_load_acquire(c->field + word);
    }
    if (c->kind == RK_CHANNEL_CLUSTER) {
        return rk_cluster_load_acquire(rk_cluster_address(c->shared + word, c->rank));
    }
    return rk_block_load_acquire(c->shared + word);
}

RK_FN void rk_channel_store_release(const rk_channel *c, rk_u32 word, rk_u32 v)
{
    if (c->kind == RK_CHANNEL_DEVICE) {
        rk_device_store_release(c->field + word, v);
    } else if (c->kind == RK_CHANNEL_CLUSTER) {
        rk_cluster_store_release(rk_cluster_address(c->shared + word, c->rank), v);
    } else {
        rk_block_store_release(c->shared + word, v);
    }
}

/* ---- One sender ----------------------------------------------------------------------------- */

/* Whether `slots` more slots are free; *out_at is then the first. A message does not wrap: let all
 * of a channel have the same number of slots, a power of two. */
RK_FN rk_u32 rk_channel_room(const rk_channel *c, rk_u32 tail, rk_u32 slots)
{
    return tail + slots - rk_channel_load_acquire(c, RK_CHANNEL_HEAD) <= c->mask + 1u;
}

/* Writes word i of the message whose first slot is `at` (the sender's own count of slots). */
RK_FN void rk_channel_put(const rk_channel *c, rk_u32 at, rk_u32 i, rk_u32 v)
{
    rk_u32 word = RK_CHANNEL_SLOTS + 16u * (at & c->mask) + i;
    if (c->kind == RK_CHANNEL_DEVICE) {
        c->field[word] = v;
    } else if (c->kind == RK_CHANNEL_CLUSTER && c->mine == 0u) {
        rk_cluster_store(rk_cluster_address(c->shared + word, c->rank), v);
    } else {
        c->shared[word] = v;
    }
}

/* All words are written (by several lanes: RK_SYNC_BLOCK before): the receiver may have it. */
RK_FN void rk_channel_commit(const rk_channel *c, rk_u32 at, rk_u32 slots)
{
    rk_channel_store_release(c, RK_CHANNEL_TAIL, at + slots);
}

/* Whether the message whose first slot is `at` (the receiver's own count) has come. */
RK_FN rk_u32 rk_channel_ready(const rk_channel *c, rk_u32 at, rk_u32 slots)
{
    return (rk_i32)(rk_channel_load_acquire(c, RK_CHANNEL_TAIL) - (at + slots)) >= 0;
}

RK_FN rk_u32 rk_channel_get(const rk_channel *c, rk_u32 at, rk_u32 i)
{
    rk_u32 word = RK_CHANNEL_SLOTS + 16u * (at & c->mask) + i;
    return c->kind == RK_CHANNEL_DEVICE ? c->field[word] : c->shared[word];
}

/* The receiver has read it (several lanes: RK_SYNC_BLOCK before): the slots are free again. */
RK_FN void rk_channel_release(const rk_channel *c, rk_u32 at, rk_u32 slots)
{
    rk_channel_store_release(c, RK_CHANNEL_HEAD, at + slots);
}

/* ---- Many senders, in device memory --------------------------------------------------------- */

/*
 * Sends one slot of 16 words to a fan; any lane of any block. RK_SENT, or RK_SEND_FULL: no room, or
 * too many others are at it; try again in a later look.
 */
RK_FN rk_u32 rk_fan_send(RK_G rk_u32 *fan, rk_u32 slots, const rk_u32 *words)
{
    rk_u32 at = rk_device_load(fan + RK_CHANNEL_TAIL);
    for (rk_u32 i = 0u; i < 16u; i++) {
        if (at - rk_device_load_acquire(fan + RK_CHANNEL_HEAD) >= slots) {
            return RK_SEND_FULL;
        }
        rk_u32 found = rk_device_cas(fan + RK_CHANNEL_TAIL, at, at + 1u);
        if (found == at) {
            rk_u32 slot = at & (slots - 1u);
            RK_G rk_u32 *to = fan + RK_CHANNEL_SLOTS + slots + 16u * slot;
            for (rk_u32 word = 0u; word < 16u; word++) {
                to[word] = words[word];
            }
            rk_device_store_release(fan + RK_CHANNEL_SLOTS + slot, at + 1u);
            return RK_SENT;
        }
        at = found;
    }
    return RK_SEND_FULL;
}

/* The next message, by the one receiver; 0: none has come. */
RK_FN rk_u32 rk_fan_receive(RK_G rk_u32 *fan, rk_u32 slots, rk_u32 *out_words)
{
    rk_u32 at = rk_device_load(fan + RK_CHANNEL_HEAD);
    rk_u32 slot = at & (slots - 1u);
    if (rk_device_load_acquire(fan + RK_CHANNEL_SLOTS + slot) != at + 1u) {
        return 0u;
    }
    RK_G const rk_u32 *from = fan + RK_CHANNEL_SLOTS + slots + 16u * slot;
    for (rk_u32 word = 0u; word < 16u; word++) {
        out_words[word] = from[word];
    }
    rk_device_store_release(fan + RK_CHANNEL_HEAD, at + 1u);
    return 1u;
}

#endif
