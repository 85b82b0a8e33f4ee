/*
 * commands.h: how the resident loop applies a command. Part of loop.h, whose invariants hold here.
 */
#ifndef RINGKERNEL_KERNEL_COMMANDS_H
#define RINGKERNEL_KERNEL_COMMANDS_H

#include <ringkernel/kernel/runs.h>

/* Converts with saturation left to the target's own rules: the host has checked the range. */
#define RK_INJECT_CASE(symbol, type)                                                               \
    case RK_TYPE_##symbol:                                                                         \
        ((RK_G type *)base)[index] =                                                               \
            (type)(mode == RK_INJECT_ADD ? (rk_f64)((RK_G type *)base)[index] + value : value);    \
        return RK_KERNEL_OK;

RK_COLD rk_i32 rk_inject_apply(rk_ctx *k, rk_u64 index, const rk_inject *inject)
{
    rk_u32 mode = inject->mode;
    rk_f64 value = inject->value;
    if (inject->field >= k->control->field_count || mode > RK_INJECT_ADD ||
        index >= k->offsets[k->control->field_count + inject->field]) {
        return RK_KERNEL_INVALID;
    }
    RK_G rk_u8 *base = k->arena + k->offsets[inject->field];
    switch (k->control->field_type[inject->field]) {
        RK_INJECT_CASE(U8, rk_u8)
        RK_INJECT_CASE(U16, rk_u16)
        RK_INJECT_CASE(U32, rk_u32)
        RK_INJECT_CASE(U64, rk_u64)
        RK_INJECT_CASE(I8, rk_i8)
        RK_INJECT_CASE(I16, rk_i16)
        RK_INJECT_CASE(I32, rk_i32)
        RK_INJECT_CASE(I64, rk_i64)
        RK_INJECT_CASE(F32, rk_f32)
        RK_INJECT_CASE(F64, rk_f64)
    default: return RK_KERNEL_INVALID;
    }
}

RK_FN void rk_counters_publish(rk_ctx *k)
{
    rk_counters now = k->loop->counters;
    now.step = k->loop->step;
    now.remaining = rk_last_target(k) - k->loop->step;
    RK_G rk_route *routes = (RK_G rk_route *)(k->arena + k->control->routes);
    for (rk_u32 i = 0; i < k->control->route_count; i++) {
        now.k2k_sent += rk_load_relaxed(&routes[i].sent);
        now.k2k_refused += rk_load_relaxed(&routes[i].refused);
    }
    k->words->counters = now;
}

/* What a slot's payload really is: the slot itself, or a checked piece of the slab. */
RK_FN RK_G const rk_u8 *rk_payload_of(rk_ctx *k, RK_G const rk_slot *slot)
{
    if ((slot->header.flags & RK_MSG_SLAB) == 0u) {
        return slot->payload;
    }
    RK_G const rk_slab_ref *ref = (RK_G const rk_slab_ref *)slot->payload;
    if (ref->length != slot->header.length || ref->offset > k->control->slab_bytes ||
        ref->length > k->control->slab_bytes - ref->offset) {
        return 0;
    }
    return k->mapped + k->control->slab + ref->offset;
}

RK_COLD void rk_command_custom(rk_ctx *k, rk_u64 id, rk_u64 op, RK_G const rk_u8 *data,
                               rk_u32 length)
{
    rk_u64 value[3] = {0, 0, 0};
    rk_i32 status = RK_KERNEL_UNSUPPORTED;
#if RK_HAS_COMMAND
    k->serial = 1u;
    rk_u32 code = rk_on_command(k, op, data, length, value);
    k->serial = 0u;
    status = code == 0u ? RK_KERNEL_OK : RK_KERNEL_FAILED;
    if (code != 0u) {
        value[0] = code;
    }
#else
    (void)op;
    (void)data;
    (void)length;
#endif
    k->loop->counters.commands++;
    rk_answer_send(k, RK_ANSWER_ACK, id, status, RK_LEVEL_APPLIED, value);
}

RK_COLD void rk_command_check(rk_ctx *k, rk_u64 id)
{
    rk_u64 value[3] = {0, 0, 0};
    rk_i32 status = RK_KERNEL_UNSUPPORTED;
#if RK_HAS_CHECK
    k->serial = 1u;
    value[0] = rk_on_check(k);
    k->serial = 0u;
    status = value[0] == 0u ? RK_KERNEL_OK : RK_KERNEL_FAILED;
#endif
    k->loop->counters.commands++;
    rk_answer_send(k, RK_ANSWER_ACK, id, status, RK_LEVEL_APPLIED, value);
}

RK_FN void rk_message_deliver(rk_ctx *k, RK_G const rk_slot *slot, RK_G const rk_u8 *payload)
{
    k->loop->counters.messages_received++;
#if RK_HAS_MESSAGE
    rk_msg message;
    message.id = slot->header.id;
    message.type = slot->header.type;
    message.source = slot->header.source;
    message.flags = slot->header.flags;
    message.correlation = slot->header.correlation;
    message.length = slot->header.length;
    message.payload = payload;
    k->serial = 1u;
    rk_on_message(k, &message);
    k->serial = 0u;
#else
    (void)slot;
    (void)payload;
#endif
}

/* One slot of the H2K ring. Returns 1 when the kernel must leave the device. */
RK_FN rk_u32 rk_command_apply(rk_ctx *k, RK_G const rk_slot *slot)
{
    RK_G rk_loop *loop = k->loop;
    rk_u64 id = slot->header.id;
    RK_G const rk_u8 *payload = rk_payload_of(k, slot);
    if (payload == 0) {
        rk_acknowledge(k, id, RK_KERNEL_CORRUPT);
        return 0u;
    }
    RK_G const rk_command *command = (RK_G const rk_command *)slot->payload;
    switch (slot->header.type) {
    case RK_CMD_RUN:
        rk_run_accept(k, id, command->arg, *(RK_G const rk_u32 *)command->data);
        return 0u;
    case RK_CMD_PAUSE:
        loop->paused = 1u;
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_RESUME:
        loop->paused = 0u;
        if (loop->budget == 0u) {
            loop->budget = RK_NO_LIMIT;
        }
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_INJECT: {
        rk_inject inject = *(RK_G const rk_inject *)command->data;
        rk_acknowledge(k, id, rk_inject_apply(k, command->arg, &inject));
        return 0u;
    }
    case RK_CMD_CUSTOM:
        if ((slot->header.flags & RK_MSG_SLAB) != 0u) {
            rk_command_custom(k, id, *(RK_G const rk_u64 *)payload, payload + 8,
                              slot->header.length - 8u);
        } else {
            rk_command_custom(k, id, command->arg, command->data, slot->header.length - 8u);
        }
        return 0u;
    case RK_CMD_PROGRESS:
        loop->counters.commands++;
        rk_progress_send(k, id, 0u);
        return 0u;
    case RK_CMD_STATS:
        rk_counters_publish(k);
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_PING: rk_acknowledge(k, id, RK_KERNEL_OK); return 0u;
    case RK_CMD_STEP_BUDGET:
        loop->budget = command->arg;
        loop->paused = command->arg == 0u ? 1u : loop->paused;
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_CHECK: rk_command_check(k, id); return 0u;
    case RK_CMD_FEATURES:
        k->control->features = command->arg;
        rk_store64(&k->words->features, command->arg);
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_TRACE:
        rk_trace_switch(k, command->arg);
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_QUIESCE: {
        rk_u32 launch = *(RK_G const rk_u32 *)command->data;
        rk_acknowledge(k, id, RK_KERNEL_OK);
        if (launch != 0u && launch != k->control->launch) {
            return 0u; /* meant for an earlier launch: it has left since */
        }
        rk_counters_publish(k);
        rk_store_relaxed(&k->words->exit_code, 0u);
        rk_store_release(&k->words->state, RK_KERNEL_PARKED);
        return 1u;
    }
    case RK_CMD_TERMINATE:
        rk_runs_abort(k, RK_NO_LIMIT);
        rk_acknowledge(k, id, RK_KERNEL_OK);
        rk_counters_publish(k);
        rk_store_release(&((RK_G rk_peer *)(k->arena + k->control->peer))->closed, 1u);
        rk_store_release(&k->words->state, RK_KERNEL_TERMINATED);
        return 1u;
    default:
        if (slot->header.type >= RK_MSG_TYPE_USER) {
            rk_message_deliver(k, slot, payload);
            rk_acknowledge(k, id, RK_KERNEL_OK);
        } else {
            rk_acknowledge(k, id, RK_KERNEL_UNSUPPORTED);
        }
        return 0u;
    }
}

#endif
