/*
 * queue.c: full policies, watermarks and credits over rings of every kind.
 */
#include "core/queue.h"

#include "core/ring_lossy.h"
#include "core/ring_mp.h"

static const char *const outcome_texts[] = {
#define OUTCOME_TEXT(symbol, text) text,
    RK_QUEUE_OUTCOME_LIST(OUTCOME_TEXT)
#undef OUTCOME_TEXT
};

const char *rk_queue_outcome_text(rk_queue_outcome outcome)
{
    return (size_t)outcome < RK_COUNT_OF(outcome_texts) ? outcome_texts[outcome] : "unknown";
}

rk_status rk_queue_outcome_status(rk_queue_outcome outcome)
{
    switch (outcome) {
    case RK_QUEUE_SENT:
    case RK_QUEUE_SENT_DROPPED_OLDEST: return RK_OK;
    case RK_QUEUE_TIMED_OUT: return RK_TIMEOUT;
    case RK_QUEUE_FAILED: return RK_CORRUPT;
    default: return RK_FULL;
    }
}

void rk_watermark_update(rk_watermark *mark, uint32_t depth)
{
    if (mark->crossed == NULL) {
        return;
    }
    if (mark->above ? depth <= mark->low : depth >= mark->high) {
        mark->above = !mark->above;
        mark->crossed(mark->context, mark->above, depth);
    }
}

static bool watermark_allowed(const rk_watermark *mark)
{
    return mark->crossed == NULL || mark->low < mark->high;
}

rk_status rk_queue_sender_init(rk_queue_sender *sender, rk_ring_end *producer,
                               const rk_queue_config *config, rk_err *err)
{
    if (producer->side != RK_RING_PRODUCER) {
        return rk_err_set(err, RK_INVALID, "a queue sender needs the producer side of its ring");
    }
    if ((config->policy == RK_FULL_DROP_OLDEST) != (producer->kind == RK_RING_LOSSY)) {
        return rk_err_set(
            err, RK_INVALID,
            "a queue drops its oldest message exactly when its ring is lossy: lay the "
            "ring out as RK_RING_LOSSY, or use another policy");
    }
    if (config->policy == RK_FULL_DEAD_LETTER && config->dead_letter == NULL) {
        return rk_err_set(err, RK_INVALID, "a queue with dead letters needs somewhere to put them");
    }
    if (config->policy > RK_FULL_DROP_OLDEST || !watermark_allowed(&config->watermark)) {
        return rk_err_set(err, RK_INVALID,
                          "unknown full policy %d, or low watermark %u not below high watermark %u",
                          (int)config->policy, config->watermark.low, config->watermark.high);
    }
    *sender = (rk_queue_sender){.end = producer, .config = *config};
    sender->config.watermark.above = false;
    return RK_OK;
}

void rk_queue_sender_poll(rk_queue_sender *sender)
{
    if (sender->config.watermark.crossed == NULL) {
        return;
    }
    uint32_t depth = rk_ring_depth(sender->end);
    rk_u32 *high = &sender->end->ring->high_water;
    rk_u32 seen = rk_word_load(high);
    while (depth > seen && !rk_word_cas(high, &seen, depth)) {
    }
    rk_watermark_update(&sender->config.watermark, depth);
}

static rk_status push(rk_ring_end *end, const rk_slot *message)
{
    return end->kind == RK_RING_MPSC ? rk_ring_mp_push(end, message) : rk_ring_push(end, message);
}

static rk_queue_outcome send_blocking(rk_queue_sender *sender, const rk_slot *message,
                                      uint64_t deadline_ns)
{
    for (;;) {
        rk_status status = rk_ring_wait_room(sender->end, 1, deadline_ns, sender->config.spin_ns);
        if (status == RK_TIMEOUT) {
            return RK_QUEUE_TIMED_OUT;
        }
        if (status == RK_OK) {
            status = push(sender->end, message); /* another producer may have been quicker */
        }
        if (status != RK_FULL) {
            return status == RK_OK ? RK_QUEUE_SENT : RK_QUEUE_FAILED;
        }
    }
}

static void give_up(const rk_queue_sender *sender, rk_queue_give_up callback,
                    const rk_slot *message)
{
    (void)rk_word_add(&sender->end->ring->dropped, 1); /* only the sum matters */
    if (callback) {
        callback(sender->config.context, message);
    }
}

/* What becomes of a message that found the ring full. */
static rk_queue_outcome send_full(rk_queue_sender *sender, const rk_slot *message,
                                  uint64_t deadline_ns)
{
    rk_queue_outcome outcome = RK_QUEUE_REFUSED;
    switch (sender->config.policy) {
    case RK_FULL_BLOCK: outcome = send_blocking(sender, message, deadline_ns); break;
    case RK_FULL_DEAD_LETTER:
        give_up(sender, sender->config.dead_letter, message);
        return RK_QUEUE_DEAD_LETTER;
    case RK_FULL_DROP_NEWEST:
        give_up(sender, sender->config.dropped, message);
        return RK_QUEUE_DROPPED_NEWEST;
    case RK_FULL_REFUSE:
    case RK_FULL_DROP_OLDEST: break;
    }
    if (outcome == RK_QUEUE_REFUSED || outcome == RK_QUEUE_TIMED_OUT) {
        (void)rk_word_add(&sender->end->ring->refused, 1); /* only the sum matters */
    }
    return outcome;
}

static rk_queue_outcome send_lossy(rk_queue_sender *sender, const rk_slot *message)
{
    rk_slot oldest;
    rk_status status = rk_ring_lossy_push(sender->end, message, &oldest);
    if (status != RK_FULL) {
        return status == RK_OK ? RK_QUEUE_SENT : RK_QUEUE_FAILED;
    }
    give_up(sender, sender->config.dropped, &oldest);
    return RK_QUEUE_SENT_DROPPED_OLDEST;
}

rk_queue_outcome rk_queue_send(rk_queue_sender *sender, const rk_slot *message,
                               uint64_t deadline_ns)
{
    rk_queue_outcome outcome;
    if (sender->end->kind == RK_RING_LOSSY) {
        outcome = send_lossy(sender, message);
    } else {
        rk_status status = push(sender->end, message);
        outcome = status == RK_OK     ? RK_QUEUE_SENT
                  : status == RK_FULL ? send_full(sender, message, deadline_ns)
                                      : RK_QUEUE_FAILED;
    }
    sender->counts[outcome]++;
    rk_queue_sender_poll(sender);
    return outcome;
}

/* Keeps the window open: grants again once half of it is used. */
static rk_status renew_credits(rk_queue_receiver *receiver)
{
    uint32_t used = receiver->window - receiver->open;
    if (receiver->window == 0 || used < (receiver->window + 1) / 2) {
        return RK_OK;
    }
    rk_status status = rk_ring_grant(receiver->end, used);
    if (status == RK_OK) {
        receiver->open = receiver->window;
    }
    return status;
}

rk_status rk_queue_receiver_init(rk_queue_receiver *receiver, rk_ring_end *consumer,
                                 uint32_t window, const rk_watermark *watermark, rk_err *err)
{
    if (consumer->side != RK_RING_CONSUMER) {
        return rk_err_set(err, RK_INVALID, "a queue receiver needs the consumer side of its ring");
    }
    if (watermark && !watermark_allowed(watermark)) {
        return rk_err_set(err, RK_INVALID, "low watermark %u is not below high watermark %u",
                          watermark->low, watermark->high);
    }
    if (window != 0 && !consumer->credits) {
        return rk_err_set(
            err, RK_STATE,
            "the ring has no credits: lay it out with RK_RING_CREDITS to use a window");
    }
    rk_queue_receiver made = {.end = consumer, .window = window};
    if (watermark) {
        made.watermark = *watermark;
        made.watermark.above = false;
    }
    if (window != 0) {
        /* An earlier receiver may have left credits open. */
        made.open = rk_word_load(&consumer->ring->granted) - consumer->index;
        if (made.open > window) {
            made.open = window;
        }
    }
    rk_status status = renew_credits(&made);
    if (status != RK_OK) {
        return rk_err_set(err, status, "cannot grant %u credits: at most %u may be open", window,
                          RK_RING_MAX_CREDITS);
    }
    *receiver = made;
    return RK_OK;
}

static rk_status pop(rk_ring_end *end, rk_slot *out_message)
{
    switch (end->kind) {
    case RK_RING_MPSC: return rk_ring_mp_pop(end, out_message);
    case RK_RING_LOSSY: return rk_ring_lossy_pop(end, out_message);
    default: return rk_ring_pop(end, out_message);
    }
}

rk_status rk_queue_receive(rk_queue_receiver *receiver, rk_slot *out_message)
{
    rk_status status = pop(receiver->end, out_message);
    if (status == RK_OK) {
        receiver->received++;
        if (receiver->open != 0) {
            receiver->open--;
        }
        (void)renew_credits(receiver); /* cannot pass the limit: it replaces used credits */
    }
    if (receiver->watermark.crossed) {
        rk_watermark_update(&receiver->watermark, rk_ring_depth(receiver->end));
    }
    return status;
}

rk_status rk_queue_receive_wait(rk_queue_receiver *receiver, rk_slot *out_message,
                                uint64_t deadline_ns, unsigned spin_ns)
{
    for (;;) {
        rk_status status = rk_queue_receive(receiver, out_message);
        if (status != RK_EMPTY) {
            return status;
        }
        status = rk_ring_wait_message(receiver->end, deadline_ns, spin_ns);
        if (status != RK_OK) {
            return status;
        }
    }
}
