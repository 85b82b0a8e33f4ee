/*
 * actor_turn.h: how an actor gets its turn. Part of actors.h.
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_TURN_H
#define RINGKERNEL_KERNEL_ACTOR_TURN_H

#include <ringkernel/kernel/actor_send.h>

RK_FN void rk_actor_open(rk_actors *v, rk_u32 slot, rk_actor *self)
{
    self->record = v->record + 16u * (rk_u64)slot;
    self->id = rk_actor_id_of(slot, self->record[RK_ACTOR_GENERATION]);
    self->behaviour = self->record[RK_ACTOR_BEHAVIOUR];
    self->state = v->state + (rk_u64)slot * RK_ACTOR_STATE_WORDS;
    self->all = v;
    self->verdict = RK_ACTOR_GOES_ON;
    self->code = 0u;
}

/* The actor is as new; its start handler may decide about it again. */
RK_FN void rk_actor_begin(rk_ctx *k, rk_actor *self, rk_u32 reason)
{
    self->verdict = RK_ACTOR_GOES_ON;
    self->record[RK_ACTOR_STANDING] = RK_ACTOR_LIVE;
    for (rk_u32 i = 0u; i < RK_ACTOR_STATE_WORDS; i++) {
        self->state[i] = 0u;
    }
#if RK_HAS_ACTOR_START
    rk_on_actor_start(k, self, reason);
#else
    (void)k;
    (void)reason;
#endif
}

/* Carries out what a handler decided about its actor. */
RK_FN void rk_actor_judge(rk_ctx *k, rk_actor *self, rk_u32 restarts)
{
    RK_G rk_u32 *record = self->record;
    while (self->verdict == RK_ACTOR_FAILS) {
        self->all->counted[RK_ACTOR_COUNT_FAILURES]++;
        record[RK_ACTOR_FAILURES]++;
        record[RK_ACTOR_CODE] = self->code;
        record[RK_ACTOR_REPORT_GENERATION] = (rk_u32)(self->id >> 32);
        record[RK_ACTOR_REPORT_CODE] = self->code;
        if (record[RK_ACTOR_REPORTED] == 0u) {
            record[RK_ACTOR_REPORTED] = 1u;
            rk_u32 name = (rk_u32)self->id + RK_ACTOR_FIRST;
            record[RK_ACTOR_REPORT_NEXT] =
                rk_device_exchange(self->all->common + RK_ACTOR_REPORTS, name);
        }
        if (record[RK_ACTOR_RESTARTS] >= restarts) {
            record[RK_ACTOR_STANDING] = RK_ACTOR_FAILED;
            return;
        }
        record[RK_ACTOR_RESTARTS]++;
        rk_actor_begin(k, self, RK_ACTOR_RESTARTED);
    }
    if (self->verdict == RK_ACTOR_ENDS) {
        self->all->counted[RK_ACTOR_COUNT_STOPPED]++;
        record[RK_ACTOR_STANDING] = RK_ACTOR_STOPPED;
    }
}

/* As rk_actor_judge, for an actor that has no turn. */
RK_FN void rk_actor_judge_idle(rk_ctx *k, rk_actor *self, rk_u32 restarts)
{
    rk_u32 slot = (rk_u32)self->id;
    if (self->verdict == RK_ACTOR_GOES_ON) {
        return;
    }
    rk_actor_judge(k, self, restarts);
    if (self->record[RK_ACTOR_STANDING] != RK_ACTOR_LIVE &&
        rk_device_cas(&self->record[RK_ACTOR_INBOX], RK_ACTOR_NONE, RK_ACTOR_BUSY) ==
            RK_ACTOR_NONE) {
        rk_actor_schedule(self->all, slot); /* its turn will find out */
    }
}

/* Gives one message to its actor. */
RK_FN void rk_actor_handle(rk_ctx *k, rk_actor *self, rk_u32 name, rk_u32 restarts)
{
    rk_actors *v = self->all;
    RK_G rk_u32 *record = self->record;
    RK_G const rk_u32 *from = rk_actor_words(v, name);
    rk_actor_message message;
    rk_u32 generation = from[RK_ACTOR_DEST_GENERATION];
    message.type = from[RK_ACTOR_TYPE];
    message.length = from[RK_ACTOR_LENGTH];
    message.source = rk_actor_id_of(from[RK_ACTOR_SOURCE], from[RK_ACTOR_SOURCE_GENERATION]);
    for (rk_u32 i = 0u; i < RK_ACTOR_PAYLOAD_WORDS; i++) {
        message.word[i] = from[RK_ACTOR_PAYLOAD + i];
    }
    rk_actor_message_give(v, name);
    v->done++;
    if (message.type == RK_ACTOR_TYPE_START) {
        v->counted[RK_ACTOR_COUNT_SPAWNED]++;
        v->counted[RK_ACTOR_COUNT_HANDLED]++;
        record[RK_ACTOR_GENERATION] = generation;
        record[RK_ACTOR_BEHAVIOUR] = message.word[0];
        record[RK_ACTOR_RESTARTS] = 0u;
        record[RK_ACTOR_FAILURES] = 0u;
        record[RK_ACTOR_CODE] = 0u;
        record[RK_ACTOR_HANDLED] = 0u;
        rk_actor_open(v, (rk_u32)self->id, self);
        rk_actor_begin(k, self, RK_ACTOR_NEW);
    } else if (record[RK_ACTOR_STANDING] != RK_ACTOR_LIVE ||
               generation != record[RK_ACTOR_GENERATION]) {
        v->counted[RK_ACTOR_COUNT_DEAD]++;
        return;
    } else {
        v->counted[RK_ACTOR_COUNT_HANDLED]++;
        record[RK_ACTOR_HANDLED]++;
        if (message.type == RK_ACTOR_TYPE_STOP) {
            self->verdict = RK_ACTOR_ENDS;
        } else {
            rk_on_actor(k, self, &message);
        }
    }
    if (self->verdict != RK_ACTOR_GOES_ON) {
        rk_actor_judge(k, self, restarts);
    }
}

/* One turn of an actor that this lane owns: at most `batch` messages. */
RK_FN void rk_actor_turn(rk_ctx *k, rk_actors *v, rk_u32 slot, rk_u32 batch, rk_u32 restarts)
{
    rk_actor self;
    rk_actor_open(v, slot, &self);
    for (rk_u32 left = batch;; left--) {
        rk_u32 message = RK_ACTOR_NONE;
        if (self.record[RK_ACTOR_STANDING] == RK_ACTOR_FAILED) {
            self.record[RK_ACTOR_HELD] = 1u; /* its messages wait; the inbox stays BUSY */
            rk_actor_unschedule(v, slot);
            return;
        }
        rk_u32 found = left == 0u ? RK_ACTOR_AGAIN : RK_ACTOR_GOT;
        if (self.record[RK_ACTOR_STANDING] == RK_ACTOR_STOPPED &&
            self.record[RK_ACTOR_READY] == RK_ACTOR_NONE &&
            self.record[RK_ACTOR_WALK] == RK_ACTOR_NONE &&
            rk_device_load(&self.record[RK_ACTOR_INBOX]) == RK_ACTOR_BUSY) {
            self.record[RK_ACTOR_STANDING] = RK_ACTOR_FREE;
            if (rk_actor_ring_push(v->slots, v->slots_mask, v->common + RK_ACTOR_SLOTS_TAIL,
                                   slot + 1u) == 0u) {
                self.record[RK_ACTOR_STANDING] = RK_ACTOR_STOPPED;
                found = RK_ACTOR_AGAIN;
            }
        }
        if (found == RK_ACTOR_GOT) {
            found = rk_actor_next(v, self.record, &message);
        }
        if (found == RK_ACTOR_EMPTY) {
            rk_actor_unschedule(v, slot);
            return;
        }
        if (found == RK_ACTOR_AGAIN) {
            rk_actor_queue_put(v, slot);
            return;
        }
        rk_actor_handle(k, &self, message, restarts);
    }
}

#endif
