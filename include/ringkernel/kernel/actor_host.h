/*
 * actor_host.h: from the host to the actors of a kernel, at safe points, on one lane. Part of
 * actors.h.
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_HOST_H
#define RINGKERNEL_KERNEL_ACTOR_HOST_H

#include <ringkernel/kernel/actor_report.h>

/*
 * Custom operations and their data; value is what the answer holds.
 *   SPAWN    {u32 behaviour}   value {id}
 *   STOP     {u64 id}          after what is in its mailbox; of a failed actor at once
 *   RESTART  {u64 id}          of a failed actor: fresh state, its messages are kept
 *   INFO     {u32 place}       value {standing | restarts << 32, code | failures << 32,
 *                              id}; place is the low half of an id
 *   COUNT    {u32 first}       value: three counters from this one (RK_ACTOR_COUNTER_LIST)
 */
#define RK_ACTOR_OP_SPAWN 0x1000u
#define RK_ACTOR_OP_STOP 0x1001u
#define RK_ACTOR_OP_RESTART 0x1002u
#define RK_ACTOR_OP_INFO 0x1003u
#define RK_ACTOR_OP_COUNT 0x1004u

/* What they return; the answer is then a failure with this code. */
#define RK_ACTOR_UNKNOWN_OP 1u
#define RK_ACTOR_SHORT_DATA 2u
#define RK_ACTOR_NO_SUCH 3u /* no actor of this id              */
#define RK_ACTOR_NO_ROOM 4u /* no place or no message is free   */
#define RK_ACTOR_NOT_FAILED 5u

RK_FN rk_u64 rk_actor_data(RK_G const rk_u8 *data, rk_u32 bytes)
{
    rk_u64 number = 0u;
    for (rk_u32 i = 0u; i < bytes; i++) {
        number |= (rk_u64)data[i] << (8u * i);
    }
    return number;
}

/* For RK_ON_MESSAGE: {u64 id, payload}. What cannot be put into a mailbox is a dead letter. */
RK_COLD void rk_actors_deliver(rk_ctx *k, const rk_msg *received)
{
    rk_actors v;
    rk_u32 words[RK_ACTOR_PAYLOAD_WORDS];
    rk_u32 message = RK_ACTOR_NONE;
    rk_u64 to = received->length < 8u ? 0u : rk_actor_data(received->payload, 8u);
    rk_actors_view(k, 0u, &v);
    if (received->length >= 8u && received->length <= 8u + 4u * RK_ACTOR_PAYLOAD_WORDS &&
        (rk_u32)to < v.actors) {
        rk_u32 length = received->length - 8u;
        for (rk_u32 i = 0u; 4u * i < length; i++) {
            rk_u32 bytes = length - 4u * i < 4u ? length - 4u * i : 4u;
            words[i] = (rk_u32)rk_actor_data(received->payload + 8u + 4u * i, bytes);
        }
        rk_u32 correlation = (received->flags & RK_MSG_REQUEST) != 0u ? received->correlation : 0u;
        message = rk_actor_compose(&v, rk_actor_id_of(RK_ACTOR_HOST, correlation),
                                   (rk_u32)(to >> 32), received->type, words, length);
    }
    if (message == RK_ACTOR_NONE) {
        v.counted[RK_ACTOR_COUNT_DEAD]++;
    } else {
        rk_actor_post(&v, (rk_u32)to, message);
    }
    rk_actors_flush(&v);
    rk_actors_ask(k, &v);
}

/* STOP and RESTART. */
RK_COLD rk_u32 rk_actors_order(rk_ctx *k, rk_actors *v, rk_u64 op, rk_u64 id)
{
    rk_u32 slot = (rk_u32)id;
    rk_actor self;
    if (slot >= v->actors) {
        return RK_ACTOR_NO_SUCH;
    }
    rk_actor_open(v, slot, &self);
    rk_u32 standing = self.record[RK_ACTOR_STANDING];
    if (self.id != id || standing == RK_ACTOR_FREE || standing == RK_ACTOR_STOPPED) {
        return RK_ACTOR_NO_SUCH;
    }
    if (op == RK_ACTOR_OP_STOP && standing == RK_ACTOR_LIVE) {
        rk_u32 message = rk_actor_compose(v, rk_actor_id_of(RK_ACTOR_HOST, 0u), (rk_u32)(id >> 32),
                                          RK_ACTOR_TYPE_STOP, 0, 0u);
        if (message == RK_ACTOR_NONE) {
            return RK_ACTOR_NO_ROOM;
        }
        rk_actor_post(v, slot, message);
        return 0u;
    }
    if (standing != RK_ACTOR_FAILED) {
        return RK_ACTOR_NOT_FAILED;
    }
    if (op == RK_ACTOR_OP_STOP) {
        self.verdict = RK_ACTOR_ENDS;
    } else {
        self.record[RK_ACTOR_RESTARTS] = 0u;
        rk_actor_begin(k, &self, RK_ACTOR_RESTARTED);
    }
    rk_actor_judge(k, &self, RK_PARAM(k, actor_restarts));
    if (self.record[RK_ACTOR_HELD] != 0u) {
        self.record[RK_ACTOR_HELD] = 0u;
        rk_actor_schedule(v, slot);
    }
    return 0u;
}

/* For RK_ON_COMMAND: what it returns, RK_ACTOR_UNKNOWN_OP for operations of the kernel's own. */
RK_COLD rk_u32 rk_actors_command(rk_ctx *k, rk_u64 op, RK_G const rk_u8 *data, rk_u32 length,
                                 rk_u64 *value)
{
    rk_actors v;
    rk_u32 code = 0u;
    if (op < RK_ACTOR_OP_SPAWN || op > RK_ACTOR_OP_COUNT) {
        return RK_ACTOR_UNKNOWN_OP;
    }
    if (length < (op == RK_ACTOR_OP_STOP || op == RK_ACTOR_OP_RESTART ? 8u : 4u)) {
        return RK_ACTOR_SHORT_DATA;
    }
    rk_u32 number = (rk_u32)rk_actor_data(data, 4u);
    rk_actors_view(k, 0u, &v);
    if (op == RK_ACTOR_OP_SPAWN) {
        rk_u64 id = 0u;
        code = rk_actors_spawn(&v, rk_actor_id_of(RK_ACTOR_HOST, 0u), number, &id) == RK_SENT
                   ? 0u
                   : RK_ACTOR_NO_ROOM;
        value[0] = id;
    } else if (op == RK_ACTOR_OP_INFO) {
        if (number >= v.actors) {
            return RK_ACTOR_NO_SUCH;
        }
        RK_G const rk_u32 *record = v.record + 16u * (rk_u64)number;
        value[0] = rk_actor_id_of(record[RK_ACTOR_STANDING], record[RK_ACTOR_RESTARTS]);
        value[1] = rk_actor_id_of(record[RK_ACTOR_CODE], record[RK_ACTOR_FAILURES]);
        value[2] = rk_actor_id_of(number, record[RK_ACTOR_GENERATION]);
    } else if (op == RK_ACTOR_OP_COUNT) {
        for (rk_u32 i = 0u; i < 3u && number < RK_ACTOR_COUNTS - i; i++) {
            for (rk_u32 block = 0u; block < v.blocks; block++) {
                RK_G const rk_u32 *low = v.block + (rk_u64)block * RK_ACTOR_BLOCK_WORDS +
                                         RK_ACTOR_COUNTED + 2u * (number + i);
                value[i] += low[0] | ((rk_u64)low[1] << 32);
            }
        }
    } else {
        code = rk_actors_order(k, &v, op, rk_actor_data(data, 8u));
    }
    rk_actors_flush(&v);
    rk_actors_ask(k, &v);
    return code;
}

#endif
