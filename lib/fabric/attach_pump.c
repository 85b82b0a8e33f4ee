/*
 * attach_pump.c: the thread of an attached kernel: acknowledges what the kernel has handled, buries
 * what it lost, forwards what it emitted, and takes the endpoint out when the kernel has ended.
 */
#include "fabric/attach.h"

#include <stdlib.h>

static rk_attach_record *next_completed(rk_attachment *attachment)
{
    rk_mutex_lock(&attachment->lock);
    rk_attach_record *record = attachment->completed;
    if (record) {
        attachment->completed = record->next;
        attachment->completed_last = record->next ? attachment->completed_last : NULL;
        if (record->status == RK_OK) {
            attachment->stats.applied++;
        } else {
            attachment->stats.lost++;
        }
        if (record->token != 0 && record->status != RK_OK) {
            /* The session still has it, and delivers it again. */
            (void)rk_map_remove(&attachment->tokens, record->token);
        }
    }
    rk_mutex_unlock(&attachment->lock);
    return record;
}

static void acknowledge(rk_attachment *attachment, rk_attach_record *record)
{
    /* Not found: given up as a dead letter meanwhile, which cannot be undone. */
    (void)rk_fabric_acknowledge(attachment->fabric, attachment->endpoint, record->token);
    rk_mutex_lock(&attachment->lock);
    record->next = attachment->acknowledged;
    attachment->acknowledged = record;
    rk_mutex_unlock(&attachment->lock);
}

static void bury(rk_attachment *attachment, rk_attach_record *record)
{
    rk_fabric *fabric = attachment->fabric;
    rk_delivery *delivery = &record->delivery;
    delivery->payload = delivery->header.length ? record->payload : NULL;
    delivery->envelope = record->has_envelope ? &record->envelope : NULL;
    rk_address self = {fabric->options.node, attachment->endpoint};
    rk_broker_dead_letter(fabric, delivery, self, RK_DEADLETTER_DESTROYED);
    rk_broker_event(fabric, RK_FABRIC_REFUSED, delivery, self, attachment->tenant,
                    RK_RECEIPT_CLOSED);
}

static bool settle_completed(rk_attachment *attachment)
{
    bool any = false;
    for (rk_attach_record *record; (record = next_completed(attachment)) != NULL; any = true) {
        if (record->token != 0 && record->status == RK_OK) {
            acknowledge(attachment, record);
            continue;
        }
        if (record->status != RK_OK && record->kept) {
            bury(attachment, record);
        }
        free(record);
    }
    return any;
}

void rk_attach_fail_requests(rk_attachment *attachment, uint64_t life)
{
    for (;;) {
        rk_attach_asked asked;
        rk_mutex_lock(&attachment->lock);
        bool found = rk_attach_asked_take(attachment, life, &asked);
        rk_mutex_unlock(&attachment->lock);
        if (!found) {
            return;
        }
        if (asked.source.node == attachment->fabric->options.node) {
            rk_requests_fail(attachment->fabric, asked.source.endpoint, asked.number,
                             RK_RECEIPT_CLOSED);
        } /* else the asking node ends it when its time is over */
    }
}

/* Looks at everything once; whether there was anything. */
static bool pass(rk_attachment *attachment, uint64_t *failed_life)
{
    rk_mutex_lock(&attachment->lock);
    uint64_t life = attachment->life;
    rk_mutex_unlock(&attachment->lock);
    bool any = settle_completed(attachment);
    for (rk_emitted *message; (message = rk_port_take(attachment->kernel)) != NULL; any = true) {
        rk_attach_forward(attachment, message);
        free(message);
    }
    /* What a state emitted before it was lost is in the list by now, answers included. */
    if (life != *failed_life) {
        rk_attach_fail_requests(attachment, life);
        *failed_life = life;
        any = true;
    }
    return any;
}

static bool has_waiting(rk_attachment *attachment)
{
    rk_mutex_lock(&attachment->lock);
    bool has = attachment->waiting != NULL;
    rk_mutex_unlock(&attachment->lock);
    return has;
}

/* Until the port has told of every message. The kernel has ended. */
static void settle_all(rk_attachment *attachment, uint64_t *failed_life)
{
    for (;;) {
        uint32_t seen = rk_port_seen(attachment->kernel);
        bool last = !has_waiting(attachment);
        (void)pass(attachment, failed_life);
        if (last) {
            return;
        }
        rk_port_wait(attachment->kernel, seen);
    }
}

static void finish(rk_attachment *attachment, uint64_t *failed_life)
{
    settle_all(attachment, failed_life); /* first acknowledges what was applied */
    (void)rk_endpoint_unregister(attachment->fabric, attachment->endpoint); /* registered by us */
    settle_all(attachment, failed_life); /* what was delivered meanwhile */
    rk_attach_fail_requests(attachment, UINT64_MAX);
    rk_mutex_lock(&attachment->lock);
    attachment->stats.ended = true;
    rk_mutex_unlock(&attachment->lock);
}

void rk_attach_pump(void *context)
{
    rk_attachment *attachment = context;
    uint64_t failed_life = 0;
    for (;;) {
        uint32_t seen = rk_port_seen(attachment->kernel);
        bool ended = rk_port_ended(attachment->kernel);
        bool stop = atomic_load_explicit(&attachment->stop, memory_order_acquire);
        while (pass(attachment, &failed_life)) {
        }
        if (ended) {
            finish(attachment, &failed_life);
            return;
        }
        if (stop) {
            return;
        }
        rk_port_wait(attachment->kernel, seen);
    }
}
