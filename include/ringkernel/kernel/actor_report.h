/*
 * actor_report.h: from the actors of a kernel to the host, at safe points, on one lane. Part of
 * actors.h.
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_REPORT_H
#define RINGKERNEL_KERNEL_ACTOR_REPORT_H

#include <ringkernel/kernel/actor_turn.h>

/*
 * Type of the message to the host when an actor has failed: {u64 id, u32 code, u32 standing,
 * u32 restarts, u32 failures}. Failures of one actor in one step come as one message.
 */
#define RK_ACTOR_TYPE_FAILED 0xacf0u

#define RK_ACTOR_EMITS 256u /* messages to the host at one safe point, at most */

/* Keeps the kernel going while an actor has messages. */
RK_FN void rk_actors_ask(rk_ctx *k, const rk_actors *v)
{
    if (v->common[RK_ACTOR_BUSY_BLOCKS] != 0u || v->common[RK_ACTOR_OUT_READY] != RK_ACTOR_NONE ||
        v->common[RK_ACTOR_OUTBOX] != RK_ACTOR_NONE ||
        v->common[RK_ACTOR_REPORTS] != RK_ACTOR_NONE) {
        rk_request_steps(k, 1u);
    }
}

/* Emits one message of the outbox; 0: the ring to the host has no room. */
RK_FN rk_u32 rk_actor_emit_one(rk_ctx *k, RK_G const rk_u32 *from)
{
    rk_u32 out[2u + RK_ACTOR_PAYLOAD_WORDS];
    rk_u32 length = from[RK_ACTOR_LENGTH];
    rk_u32 correlation = from[RK_ACTOR_DEST_GENERATION];
    rk_u32 front = correlation != 0u ? 0u : 2u; /* an answer holds the payload alone */
    out[0] = from[RK_ACTOR_SOURCE];
    out[1] = from[RK_ACTOR_SOURCE_GENERATION];
    for (rk_u32 i = 0u; 4u * i < length; i++) {
        out[front + i] = from[RK_ACTOR_PAYLOAD + i];
    }
    return rk_emit_with(k, from[RK_ACTOR_TYPE], (rk_u16)(correlation != 0u ? RK_MSG_REPLY : 0u),
                        correlation, rk_bytes_of(out), 4u * front + length) == RK_SENT;
}

RK_FN rk_u32 rk_actor_report_one(rk_ctx *k, RK_G const rk_u32 *record, rk_u32 slot)
{
    rk_u32 out[6];
    out[0] = slot;
    out[1] = record[RK_ACTOR_REPORT_GENERATION];
    out[2] = record[RK_ACTOR_REPORT_CODE];
    out[3] = record[RK_ACTOR_STANDING];
    out[4] = record[RK_ACTOR_RESTARTS];
    out[5] = record[RK_ACTOR_FAILURES];
    return rk_emit_with(k, RK_ACTOR_TYPE_FAILED, 0u, 0u, rk_bytes_of(out), sizeof(out)) == RK_SENT;
}

/* Gives the host what actors sent to it, as far as its ring has room. */
RK_COLD void rk_actors_emit(rk_ctx *k, rk_actors *v)
{
    RK_G rk_u32 *common = v->common;
    for (rk_u32 left = RK_ACTOR_EMITS; left != 0u; left--) {
        if (common[RK_ACTOR_OUT_READY] == RK_ACTOR_NONE) {
            rk_u32 walk = common[RK_ACTOR_OUTBOX];
            rk_u32 ready = RK_ACTOR_NONE;
            common[RK_ACTOR_OUTBOX] = RK_ACTOR_NONE;
            while (walk != RK_ACTOR_NONE) {
                RK_G rk_u32 *next = rk_actor_words(v, walk) + RK_ACTOR_NEXT;
                rk_u32 older = *next;
                *next = ready;
                ready = walk;
                walk = older;
            }
            common[RK_ACTOR_OUT_READY] = ready;
        }
        rk_u32 message = common[RK_ACTOR_OUT_READY];
        if (message == RK_ACTOR_NONE || rk_actor_emit_one(k, rk_actor_words(v, message)) == 0u) {
            return;
        }
        common[RK_ACTOR_OUT_READY] = rk_actor_words(v, message)[RK_ACTOR_NEXT];
        rk_actor_message_give(v, message);
        v->counted[RK_ACTOR_COUNT_EMITTED]++;
    }
}

RK_COLD void rk_actors_report(rk_ctx *k, rk_actors *v)
{
    for (rk_u32 left = RK_ACTOR_EMITS; left != 0u; left--) {
        rk_u32 name = v->common[RK_ACTOR_REPORTS];
        if (name == RK_ACTOR_NONE) {
            return;
        }
        RK_G rk_u32 *record = v->record + 16u * (rk_u64)(name - RK_ACTOR_FIRST);
        if (rk_actor_report_one(k, record, name - RK_ACTOR_FIRST) == 0u) {
            return;
        }
        v->common[RK_ACTOR_REPORTS] = record[RK_ACTOR_REPORT_NEXT];
        record[RK_ACTOR_REPORTED] = 0u;
        v->counted[RK_ACTOR_COUNT_EMITTED]++;
    }
}

/* For RK_AFTER_STEP. Returns 1 while an actor has messages. */
RK_FN rk_u32 rk_actors_after_step(rk_ctx *k)
{
    RK_G rk_u32 *common = RK_FIELD(k, actor_common);
    common[RK_ACTOR_LANES_SEEN] = RK_LANES(k);
    if (common[RK_ACTOR_OUT_READY] != RK_ACTOR_NONE || common[RK_ACTOR_OUTBOX] != RK_ACTOR_NONE ||
        common[RK_ACTOR_REPORTS] != RK_ACTOR_NONE) {
        rk_actors v;
        rk_actors_view(k, 0u, &v);
        rk_actors_report(k, &v);
        rk_actors_emit(k, &v);
        rk_actors_flush(&v);
        rk_actors_ask(k, &v);
    } else if (common[RK_ACTOR_BUSY_BLOCKS] != 0u) {
        rk_request_steps(k, 1u);
    }
    return common[RK_ACTOR_BUSY_BLOCKS] != 0u;
}

#endif
