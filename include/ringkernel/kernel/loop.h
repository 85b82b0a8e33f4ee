/*
 * loop.h: the resident loop that every kernel runs, on every target.
 *
 * Invariants
 *   1. All blocks leave the barrier with the same loop->op; only the block that arrives last decides it,
 *      alone, while the others wait. That moment is the safe point.
 *   2. Commands and messages are looked at only at safe points, so nothing changes inside a step.
 *   3. Every command is answered at least once with its id; a run twice (accepted, then applied or
 *      aborted).
 *   4. Messages of other kernels are held while the kernel is paused; commands, and messages of the
 *      host, which share one ring in order, never are.
 *   5. After `failed` is set no handler runs any more; every block leaves at its next barrier.
 *
 *   launched --init--> idle <--> running --> parked | terminated
 *                       ^  \       |
 *                       |   \--> paused        any --> panicked
 */
#ifndef RINGKERNEL_KERNEL_LOOP_H
#define RINGKERNEL_KERNEL_LOOP_H

#include <ringkernel/kernel/messages.h>

/* The handlers, defined by the author below the include of kernel.h. */
#define RK_GEN_PHASE_DECLARE(name) RK_HANDLER void rk_phase_##name(rk_ctx *k);
RK_PHASES(RK_GEN_PHASE_DECLARE)
#if RK_HAS_INIT
RK_INIT;
#endif
#if RK_HAS_MESSAGE
RK_ON_MESSAGE;
#endif
#if RK_HAS_COMMAND
RK_ON_COMMAND;
#endif
#if RK_HAS_AFTER_STEP
RK_AFTER_STEP;
#endif
#if RK_HAS_CHECK
RK_CHECK;
#endif
#if RK_HAS_MIGRATE
RK_MIGRATE;
#endif

#define RK_NO_LIMIT 0xfffffffffffffffful

/* ---- Answers ------------------------------------------------------------------------------------ */

RK_FN void rk_answer_send(rk_ctx *k, rk_u32 type, rk_u64 id, rk_i32 status, rk_u32 level,
                          const rk_u64 *value)
{
    rk_answer answer = {0, 0, 0, {0, 0, 0}};
    answer.status = status;
    answer.level = level;
    answer.step = k->loop->step;
    if (value != 0) {
        answer.value[0] = value[0];
        answer.value[1] = value[1];
        answer.value[2] = value[2];
    }
    rk_msg_header header = {0, 0, 0, RK_MSG_PRIORITY_NORMAL, 0, sizeof(rk_answer)};
    header.id = id;
    header.type = type;
    header.correlation = (rk_u32)id;
    if (rk_host_push(k, &header, (const rk_u8 *)&answer, 0u) != RK_SENT) {
        k->loop->counters.answers_lost++;
    }
}

RK_FN void rk_acknowledge(rk_ctx *k, rk_u64 id, rk_i32 status)
{
    k->loop->counters.commands++;
    rk_answer_send(k, RK_ANSWER_ACK, id, status, RK_LEVEL_APPLIED, 0);
}

/* Status numbers of ringkernel/status.h that a kernel answers with. */
#define RK_KERNEL_OK 0
#define RK_KERNEL_INVALID (-1)
#define RK_KERNEL_LIMIT (-11)
#define RK_KERNEL_UNSUPPORTED (-10)
#define RK_KERNEL_CORRUPT (-12)
#define RK_KERNEL_ABORTED (-25)
#define RK_KERNEL_FAILED (-28)

/* ---- Runs --------------------------------------------------------------------------------------- */

RK_FN RK_G rk_run *rk_run_at(rk_ctx *k, rk_u32 index)
{
    return &k->loop->runs[(k->loop->run_head + index) % RK_RUN_QUEUE_MAX];
}

RK_FN rk_u64 rk_last_target(rk_ctx *k)
{
    return k->loop->run_count == 0u ? k->loop->step : rk_run_at(k, k->loop->run_count - 1u)->target;
}

RK_COLD void rk_run_accept(rk_ctx *k, rk_u64 id, rk_u64 steps, rk_u32 interval)
{
    rk_u64 target = rk_last_target(k) + steps;
    if (RK_PHASE_COUNT == 0) {
        rk_acknowledge(k, id, RK_KERNEL_UNSUPPORTED);
        return;
    }
    if (k->loop->run_count == RK_RUN_QUEUE_MAX || target < steps) {
        rk_acknowledge(k, id, RK_KERNEL_LIMIT);
        return;
    }
    RK_G rk_run *run = rk_run_at(k, k->loop->run_count++);
    run->id = id;
    run->target = target;
    run->interval = interval;
    run->start = k->loop->step;
    rk_u64 value[3] = {0, 0, 0};
    value[0] = target;
    rk_answer_send(k, RK_ANSWER_ACK, id, RK_KERNEL_OK, RK_LEVEL_ACCEPTED, value);
}

/* Ends the first pending run. */
RK_FN void rk_run_finish(rk_ctx *k, rk_i32 status)
{
    RK_G rk_run *run = rk_run_at(k, 0u);
    rk_u64 value[3] = {0, 0, 0};
    value[0] = run->target;
    k->loop->counters.commands++;
    rk_answer_send(k, RK_ANSWER_ACK, run->id, status, RK_LEVEL_APPLIED, value);
    k->loop->run_head = (k->loop->run_head + 1u) % RK_RUN_QUEUE_MAX;
    k->loop->run_count--;
}

RK_COLD void rk_runs_abort(rk_ctx *k)
{
    while (k->loop->run_count != 0u) {
        rk_run_finish(k, RK_KERNEL_ABORTED);
    }
}

RK_COLD void rk_progress_send(rk_ctx *k, rk_u64 id)
{
    rk_u64 value[3] = {0, 0, 0};
    value[1] = rk_last_target(k);
    value[0] = value[1] - k->loop->step;
    rk_answer_send(k, RK_ANSWER_PROGRESS, id, RK_KERNEL_OK, RK_LEVEL_APPLIED, value);
}

/* Bookkeeping behind a completed step. */
RK_FN void rk_step_done(rk_ctx *k)
{
    RK_G rk_loop *loop = k->loop;
    loop->step++;
    k->step = loop->step;
    if (loop->budget != RK_NO_LIMIT && --loop->budget == 0u) {
        loop->paused = 1u;
    }
#if RK_HAS_AFTER_STEP
    k->serial = 1u;
    rk_after_step(k);
    k->serial = 0u;
#endif
    rk_store64(&k->control->step, loop->step);
    RK_G rk_run *run = rk_run_at(k, 0u);
    if (run->interval != 0u && (loop->step - run->start) % run->interval == 0u &&
        loop->step < run->target) {
        rk_progress_send(k, run->id);
    }
    while (loop->run_count != 0u && rk_run_at(k, 0u)->target <= loop->step) {
        rk_run_finish(k, RK_KERNEL_OK);
    }
}

/* ---- Commands ----------------------------------------------------------------------------------- */

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
    RK_G rk_route *routes = (RK_G rk_route *)(k->mapped + k->control->routes);
    for (rk_u32 i = 0; i < k->control->route_count; i++) {
        now.k2k_sent += rk_load_relaxed(&routes[i].sent);
        now.k2k_refused += rk_load_relaxed(&routes[i].refused);
    }
    k->control->counters = now;
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
        rk_progress_send(k, id);
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
        rk_store64(&k->control->features, command->arg);
        rk_acknowledge(k, id, RK_KERNEL_OK);
        return 0u;
    case RK_CMD_QUIESCE:
        rk_acknowledge(k, id, RK_KERNEL_OK);
        rk_store_relaxed(&k->control->exit_code, 0u);
        rk_store_relaxed(&k->control->state, RK_KERNEL_PARKED);
        return 1u;
    case RK_CMD_TERMINATE:
        rk_runs_abort(k);
        rk_acknowledge(k, id, RK_KERNEL_OK);
        rk_store_relaxed(&k->control->state, RK_KERNEL_TERMINATED);
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

/* ---- Safe point --------------------------------------------------------------------------------- */

RK_FN rk_u32 rk_commands_take(rk_ctx *k, rk_u32 *leave)
{
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    rk_u32 head = ring->head;
    rk_u32 tail = rk_load_acquire(&ring->tail); /* pairs with the host's release of tail */
    rk_u32 taken = 0u;
    while (head != tail && taken < k->control->message_batch && *leave == 0u) {
        *leave = rk_command_apply(k, rk_ring_slot(ring, head));
        head++;
        taken++;
        rk_store_release(&ring->head, head);
    }
    return taken;
}

RK_FN rk_u32 rk_inbox_take(rk_ctx *k)
{
    RK_G rk_ring *ring = (RK_G rk_ring *)(k->mapped + k->control->inbox);
    RK_G rk_slot *slot;
    rk_u32 slots;
    rk_u32 taken = 0u;
    while (taken < k->control->message_batch && rk_inbox_peek(ring, &slot, &slots) != 0u) {
        if (slot->header.type != RK_ANSWER_SKIP) {
            k->loop->counters.k2k_received++;
            rk_message_deliver(k, slot, slot->payload);
            taken++;
        }
        rk_inbox_release(ring, slots);
    }
    return taken;
}

RK_FN rk_u32 rk_work_waits(rk_ctx *k)
{
    RK_G rk_ring *h2k = (RK_G rk_ring *)(k->mapped + k->control->h2k);
    RK_G rk_ring *inbox = (RK_G rk_ring *)(k->mapped + k->control->inbox);
    return rk_load_acquire(&h2k->tail) != h2k->head ||
           (k->loop->paused == 0u &&
            rk_load_acquire(rk_ring_sequence(inbox, inbox->head)) == inbox->head + 1u) ||
           rk_load_relaxed(&k->control->abort_request) != k->loop->abort_seen;
}

/* Waits until there may be work: polls, then sleeps on the bell where the target can sleep. */
RK_FN void rk_idle_wait(rk_ctx *k)
{
#if defined(RK_TARGET_CPU)
    const rk_env *env = k->env;
    rk_u64 start = env->now_ns();
    k->loop->counters.busy_ns += start - k->loop->busy_since;
    rk_u64 now = start;
    for (rk_u32 i = 1u; rk_work_waits(k) == 0u; i++) {
        rk_relax();
        if ((i & 31u) != 0u) {
            continue;
        }
        now = env->now_ns();
        if (now - start > env->spin_ns) {
            rk_bell *bell = &k->control->bell;
            rk_u32 seen = rk_load_acquire(&bell->rung);
            k->loop->counters.parks++;
            rk_store_relaxed(&bell->parked, 1u);
            env->fence_all(); /* parked before the last look, on every processor */
            if (rk_work_waits(k) == 0u) {
                env->wait(&bell->rung, seen, 0, RK_NO_LIMIT);
            }
            rk_store_relaxed(&bell->parked, 0u);
        } else if ((i & 1023u) == 0u) {
            env->yield();
        }
    }
    now = env->now_ns();
    k->loop->counters.idle_ns += now - start;
    k->loop->busy_since = now;
#else
    while (rk_work_waits(k) == 0u) {
        rk_relax();
    }
#endif
}

RK_FN void rk_state_publish(rk_ctx *k)
{
    rk_u32 state = k->loop->paused != 0u      ? RK_KERNEL_PAUSED
                   : k->loop->run_count != 0u ? RK_KERNEL_RUNNING
                                              : RK_KERNEL_IDLE;
    if (rk_load_relaxed(&k->control->state) != state) {
        rk_store_relaxed(&k->control->state, state);
    }
}

/* The safe point: finishes the step, takes commands and messages, decides what all blocks do next. */
RK_FN void rk_decide(rk_ctx *k)
{
    RK_G rk_loop *loop = k->loop;
    if (loop->op == RK_OP_STEP) {
        rk_step_done(k);
    }
    rk_u32 leave = 0u;
    for (;;) {
        rk_store64(&k->control->heartbeat, rk_load64(&k->control->heartbeat) + 1u);
        rk_u32 abort_request = rk_load_acquire(&k->control->abort_request);
        if (abort_request != loop->abort_seen) {
            loop->abort_seen = abort_request;
            rk_runs_abort(k);
        }
        rk_u32 taken = rk_commands_take(k, &leave);
        if (leave != 0u) {
            loop->op = RK_OP_EXIT;
            return;
        }
        if (loop->paused == 0u) {
            taken += rk_inbox_take(k);
        }
        rk_state_publish(k);
        if (loop->paused == 0u && loop->run_count != 0u) {
            if (rk_run_at(k, 0u)->target > loop->step) {
                loop->op = RK_OP_STEP;
                return;
            }
            rk_run_finish(k, RK_KERNEL_OK); /* a run of no steps */
            continue;
        }
        if (taken == 0u) {
            rk_idle_wait(k);
        }
    }
}

/*
 * All lanes of all blocks meet. The block that arrives last decides (when asked to) while the others
 * wait. Returns loop->failed.
 */
RK_FN rk_u32 rk_grid_barrier(rk_ctx *k, rk_u32 decide)
{
    RK_G rk_loop *loop = k->loop;
    RK_SYNC_BLOCK(k);
    if (RK_LANE(k) == 0u) {
        if (k->block_count == 1u) {
            if (decide != 0u && loop->failed == 0u) {
                rk_decide(k);
            }
        } else {
            rk_u32 generation = rk_load_acquire(&loop->generation);
            if (rk_fetch_add(&loop->arrived, 1u) == k->block_count - 1u) {
                rk_store_relaxed(&loop->arrived, 0u);
                if (decide != 0u && rk_load_acquire(&loop->failed) == 0u) {
                    rk_decide(k);
                }
                rk_store_release(&loop->generation, generation + 1u);
#if defined(RK_TARGET_CPU)
                rk_fence(); /* the generation before the sleepers; pairs with the waiter's fence */
                if (rk_load_relaxed(&loop->sleepers) != 0u) {
                    k->env->wake(&loop->generation);
                }
#endif
            } else {
#if defined(RK_TARGET_CPU)
                while (rk_load_acquire(&loop->generation) == generation &&
                       rk_load_acquire(&loop->failed) == 0u) {
                    k->env->wait(&loop->generation, generation, &loop->sleepers, RK_NO_LIMIT);
                }
#else
                while (rk_load_acquire(&loop->generation) == generation &&
                       rk_load_acquire(&loop->failed) == 0u) {
                    rk_relax();
                }
#endif
            }
        }
    }
    RK_SYNC_BLOCK(k);
    k->step = loop->step;
    return rk_load_acquire(&loop->failed);
}

#define RK_GEN_PHASE_CALL(name)                                                                    \
    if (RK_PHASE_INDEX_##name != 0 && rk_grid_barrier(k, 0u) != 0u) {                              \
        return;                                                                                    \
    }                                                                                              \
    rk_phase_##name(k);

/* One step: the phases, with a barrier in front of each but the first. */
RK_FN void rk_step_take(rk_ctx *k)
{
    (void)k;
    RK_PHASES(RK_GEN_PHASE_CALL)
}

RK_FN void rk_loop_enter(rk_ctx *k)
{
    rk_u32 entry = k->control->entry;
    if (entry == RK_ENTRY_INIT) {
#if RK_HAS_INIT
        rk_on_init(k);
#endif
    }
#if RK_HAS_MIGRATE
    if (entry == RK_ENTRY_MIGRATE) {
        RK_G const rk_u8 *old = (RK_G const rk_u8 *)k->control->migrate_arena;
        rk_u32 code = rk_on_migrate(k, old, (RK_G const rk_u64 *)(old + k->control->migrate_fields),
                                    k->control->migrate_hash);
        if (code != 0u) {
            rk_panic(k, code, "migrate handler refused the old state");
        }
    }
#endif
}

/* The whole life of one lane of one block. The host has zeroed loop->op before the launch. */
RK_FN void rk_loop_run(rk_ctx *k)
{
    rk_loop_enter(k);
    while (rk_grid_barrier(k, 1u) == 0u && k->loop->op != RK_OP_EXIT) {
        rk_step_take(k);
    }
}

RK_FN void rk_ctx_init(rk_ctx *k, RK_G rk_u8 *arena, RK_G rk_u8 *mapped)
{
    k->arena = arena;
    k->mapped = mapped;
    k->control = (RK_G rk_control *)mapped;
    k->loop = (RK_G rk_loop *)arena;
    k->offsets = (RK_G rk_u64 *)(arena + k->control->fields);
    k->params = arena + k->control->params;
    k->step = k->loop->step;
    k->block_count = k->control->block_count;
    k->serial = 0u;
    k->random_counter = 0u;
}

/* ---- Entry -------------------------------------------------------------------------------------- */

#if defined(RK_TARGET_CPU)
/* Called by the CPU driver once per block (once per lane in fiber mode); k's driver part is set. */
__attribute__((visibility("default"))) void rk_module_entry(rk_ctx *k, rk_u8 *arena, rk_u8 *mapped);
void rk_module_entry(rk_ctx *k, rk_u8 *arena, rk_u8 *mapped)
{
    rk_ctx_init(k, arena, mapped);
    rk_loop_run(k);
}
#elif defined(RK_TARGET_CUDA)
extern "C" __global__ void rk_module_entry(rk_u8 *arena, rk_u8 *mapped)
{
    __shared__ rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    rk_ctx k;
    k.shared = (rk_u8 *)shared;
    k.block = blockIdx.x;
    k.lane = threadIdx.x;
    k.lane_count = blockDim.x;
    rk_ctx_init(&k, arena, mapped);
    rk_loop_run(&k);
}
#elif defined(RK_TARGET_HIP)
extern "C" __attribute__((global)) void rk_module_entry(rk_u8 *arena, rk_u8 *mapped)
{
    static __attribute__((shared)) rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    rk_ctx k;
    k.shared = (rk_u8 *)shared;
    k.block = __builtin_amdgcn_workgroup_id_x();
    k.lane = __builtin_amdgcn_workitem_id_x();
    k.lane_count = __builtin_amdgcn_workgroup_size_x();
    rk_ctx_init(&k, arena, mapped);
    rk_loop_run(&k);
}
#else
__kernel void rk_module_entry(__global uchar *arena, __global uchar *mapped)
{
    __local rk_u64 shared[RK_SHARED_BYTES / 8 + 1];
    rk_ctx k;
    k.shared = (__local rk_u8 *)shared;
    k.block = (rk_u32)get_group_id(0);
    k.lane = (rk_u32)get_local_id(0);
    k.lane_count = (rk_u32)get_local_size(0);
    rk_ctx_init(&k, arena, mapped);
    rk_loop_run(&k);
}
#endif

#endif
