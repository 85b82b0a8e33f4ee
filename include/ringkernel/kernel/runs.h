/*
 * runs.h: the resident loop's answers to the host, and the runs that have not reached their target.
 * Part of loop.h, whose invariants hold here.
 */
#ifndef RINGKERNEL_KERNEL_RUNS_H
#define RINGKERNEL_KERNEL_RUNS_H

#include <ringkernel/kernel/handlers.h>
#include <ringkernel/kernel/host.h>
#include <ringkernel/kernel/trace.h>

#define RK_NO_LIMIT 0xfffffffffffffffful

/* Leaves `reserve` slots of the ring free; returns RK_SENT, or why not. */
RK_FN rk_u32 rk_answer_push(rk_ctx *k, rk_u32 type, rk_u64 id, rk_i32 status, rk_u32 level,
                            const rk_u64 *value, rk_u32 reserve)
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
    return rk_host_push(k, &header, rk_bytes_of(&answer), reserve);
}

/* A kernel that has failed answers nothing more: the host fails what is open, with the reason. */
RK_FN void rk_answer_send(rk_ctx *k, rk_u32 type, rk_u64 id, rk_i32 status, rk_u32 level,
                          const rk_u64 *value)
{
    if (rk_load_relaxed(&k->loop->failed) != 0u) {
        return; /* on a GPU a handler that panics returns to its caller */
    }
    if (rk_answer_push(k, type, id, status, level, value, 0u) != RK_SENT) {
        k->loop->counters.answers_lost++;
    }
}

/* Before an answer goes out, so that whoever reads it finds the state that it speaks of. */
RK_FN void rk_state_publish(rk_ctx *k)
{
    rk_u32 wants = k->loop->run_count != 0u || k->loop->asked > k->loop->step;
    rk_u32 state = k->loop->paused != 0u ? RK_KERNEL_PAUSED
                   : wants != 0u         ? RK_KERNEL_RUNNING
                                         : RK_KERNEL_IDLE;
    if (k->loop->state_told != state) {
        k->loop->state_told = state;
        rk_store_release(&k->words->state, state); /* with the fields as the last step left them */
    }
}

RK_FN void rk_acknowledge(rk_ctx *k, rk_u64 id, rk_i32 status)
{
    k->loop->counters.commands++;
    rk_state_publish(k);
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
    if (id < rk_host_abort(k)) {
        rk_acknowledge(k, id, RK_KERNEL_ABORTED);
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
    rk_state_publish(k);
    rk_answer_send(k, RK_ANSWER_ACK, id, RK_KERNEL_OK, RK_LEVEL_ACCEPTED, value);
}

/* Ends the first pending run. */
RK_FN void rk_run_finish(rk_ctx *k, rk_i32 status)
{
    rk_run run = *rk_run_at(k, 0u);
    rk_u64 value[3] = {0, 0, 0};
    value[0] = run.target;
    k->loop->run_head = (k->loop->run_head + 1u) % RK_RUN_QUEUE_MAX;
    k->loop->run_count--;
    k->loop->counters.commands++;
    rk_state_publish(k);
    rk_answer_send(k, RK_ANSWER_ACK, run.id, status, RK_LEVEL_APPLIED, value);
}

/* Ids grow along the queue, so the first run that is newer ends the search. */
RK_COLD void rk_runs_abort(rk_ctx *k, rk_u64 before)
{
    while (k->loop->run_count != 0u && rk_run_at(k, 0u)->id < before) {
        rk_run_finish(k, RK_KERNEL_ABORTED);
    }
}

/* `reserve` as in rk_host_push: reports that nobody asked for must leave room for answers. */
RK_COLD void rk_progress_send(rk_ctx *k, rk_u64 id, rk_u32 reserve)
{
    rk_u64 value[3] = {0, 0, 0};
    value[1] = rk_last_target(k);
    value[0] = value[1] - k->loop->step;
    if (rk_answer_push(k, RK_ANSWER_PROGRESS, id, RK_KERNEL_OK, RK_LEVEL_APPLIED, value, reserve) !=
            RK_SENT &&
        reserve == 0u) {
        k->loop->counters.answers_lost++;
    }
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
    rk_store64(&k->words->step, loop->step);
    RK_G rk_run *run = rk_run_at(k, 0u);
    if (run->interval != 0u && (loop->step - run->start) % run->interval == 0u &&
        loop->step < run->target) {
        rk_progress_send(k, run->id, k->control->answer_reserve);
    }
    while (loop->run_count != 0u && rk_run_at(k, 0u)->target <= loop->step) {
        rk_run_finish(k, RK_KERNEL_OK);
    }
}

#endif
