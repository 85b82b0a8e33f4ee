/*
 * fabric.c: the life of a fabric, its time and its statistics.
 */
#include "base/clock.h"
#include "base/wait.h"
#include "fabric/broker.h"
#include "fabric/session.h"
#include <stdlib.h>
#include <string.h>

#define OR_DEFAULT(member, value) ((member) = (member) ? (member) : (value))

static void fill_defaults(rk_fabric_options *options)
{
    OR_DEFAULT(options->node, 1);
    OR_DEFAULT(options->epoch, 1);
    OR_DEFAULT(options->endpoint_limit, RK_FABRIC_MAX_ENDPOINTS);
    OR_DEFAULT(options->payload_limit_bytes, 16u << 20);
    OR_DEFAULT(options->owner_limit, 65536);
    OR_DEFAULT(options->request_limit, 16384);
    OR_DEFAULT(options->subscription_limit, 1u << 20);
    OR_DEFAULT(options->retained_limit, 65536);
    OR_DEFAULT(options->retained_limit_bytes, UINT64_C(64) << 20);
    OR_DEFAULT(options->inflight_limit, 1024);
    OR_DEFAULT(options->inflight_limit_bytes, UINT64_C(256) << 20);
    OR_DEFAULT(options->retry_after_ns, RK_NS_PER_S);
    OR_DEFAULT(options->retry_limit, 16);
}

static rk_status check_options(const rk_fabric_options *options, rk_err *err)
{
    if (options->endpoint_limit > RK_FABRIC_MAX_ENDPOINTS) {
        return rk_err_set(err, RK_INVALID, "endpoint_limit is %u: the most is %u",
                          options->endpoint_limit, RK_FABRIC_MAX_ENDPOINTS);
    }
    if (options->request_limit > 65535) {
        return rk_err_set(err, RK_INVALID, "request_limit is %u: the most is 65535",
                          options->request_limit);
    }
    if (options->inflight_limit > 1u << 20) {
        return rk_err_set(err, RK_INVALID, "inflight_limit is %u: the most is %u",
                          options->inflight_limit, 1u << 20);
    }
    return RK_OK;
}

static void run_timer(void *context)
{
    rk_fabric *fabric = context;
    uint32_t *bell = &fabric->deadlines.bell;
    for (;;) {
        uint32_t seen = rk_atomic_load_u32(bell, memory_order_acquire);
        /* Acquire: pairs with the release in stop_timer. */
        if (atomic_load_explicit(&fabric->timer_stop, memory_order_acquire)) {
            return;
        }
        uint64_t next_ns = rk_fabric_poll(fabric);
        (void)rk_wait_while_equal(bell, seen, next_ns, 0); /* either way it is time to look */
    }
}

static void stop_timer(rk_fabric *fabric)
{
    atomic_store_explicit(&fabric->timer_stop, true, memory_order_release);
    (void)rk_atomic_add_u32(&fabric->deadlines.bell, 1, memory_order_release);
    rk_wake(&fabric->deadlines.bell, RK_WAKE_ALL);
    rk_thread_join(&fabric->timer);
}

rk_status rk_fabric_create(const rk_fabric_options *options, rk_fabric **out, rk_err *err)
{
    size_t bytes = (sizeof(rk_fabric) + alignof(rk_fabric) - 1) & ~(alignof(rk_fabric) - 1);
    rk_fabric *fabric = aligned_alloc(alignof(rk_fabric), bytes);
    if (!fabric) {
        return rk_err_set(err, RK_NO_MEMORY, "cannot make a fabric: out of memory");
    }
    memset(fabric, 0, bytes);
    if (options) {
        fabric->options = *options;
    }
    fill_defaults(&fabric->options);
    rk_status status = check_options(&fabric->options, err);
    if (status != RK_OK) {
        free(fabric);
        return status;
    }
    rk_hlc_clock_init(&fabric->clock, fabric->options.node, 0);
    rk_mutex_init(&fabric->owners_lock);
    rk_map_init(&fabric->owners, fabric->options.owner_limit);
    rk_deadlines_init(&fabric->deadlines);
    rk_requests_init(&fabric->requests, fabric->options.request_limit);
    /* Both, whatever the first one says: destroy needs both. */
    status = rk_pubsub_init(&fabric->pubsub);
    rk_status endpoints = rk_broker_endpoints_init(fabric);
    status = status == RK_OK ? endpoints : status;
    rk_address self = {fabric->options.node, 0};
    if (status == RK_OK) {
        status = rk_fabric_fence(fabric, self, fabric->options.epoch);
    }
    if (status == RK_OK && (fabric->options.flags & RK_FABRIC_TIMER_THREAD) != 0) {
        status = rk_thread_start(&fabric->timer, "rk-fabric", run_timer, fabric);
    }
    if (status != RK_OK) {
        rk_fabric_destroy(fabric);
        return rk_err_set(err, status, "cannot make a fabric: %s", rk_status_text(status));
    }
    *out = fabric;
    return RK_OK;
}

void rk_fabric_destroy(rk_fabric *fabric)
{
    if (!fabric) {
        return;
    }
    if (fabric->timer.started) {
        stop_timer(fabric);
    }
    rk_requests_end(fabric, 0); /* those of the host; endpoints end their own */
    rk_broker_endpoints_finish(fabric);
    rk_pubsub_finish(fabric);
    rk_requests_finish(&fabric->requests);
    rk_deadlines_finish(&fabric->deadlines);
    rk_map_finish(&fabric->owners);
    rk_mutex_finish(&fabric->owners_lock);
    free(fabric);
}

uint32_t rk_fabric_node(const rk_fabric *fabric)
{
    return fabric->options.node;
}

uint64_t rk_fabric_poll(rk_fabric *fabric)
{
    /* What becomes due while this runs is left for the next call, so that it ends. */
    uint64_t now_ns = rk_clock_monotonic_ns();
    uint32_t kind = 0;
    uint32_t id = 0;
    while (rk_deadlines_pop(&fabric->deadlines, now_ns, &kind, &id)) {
        if (kind == RK_BROKER_DUE_REQUEST) {
            rk_requests_expire(fabric, id);
            continue;
        }
        rk_receipt why = RK_RECEIPT_NOT_FOUND;
        rk_endpoint *endpoint = rk_broker_enter(fabric, id, &why);
        if (endpoint) { /* else it is being unregistered, with its session */
            rk_session_retry(fabric, endpoint);
            rk_broker_leave(endpoint);
        }
    }
    return rk_deadlines_next(&fabric->deadlines);
}

/* The counters that only need to be read. */
static void copy_counters(const rk_broker_counters *counters, rk_fabric_stats *out)
{
    out->envelopes_received = rk_counted(&counters->envelopes_received);
    out->forwarded = rk_counted(&counters->forwarded);
    out->dead_letters = rk_counted(&counters->dead_letters);
    out->discarded = rk_counted(&counters->discarded);
    out->requests = rk_counted(&counters->requests);
    out->replies = rk_counted(&counters->replies);
    out->request_timeouts = rk_counted(&counters->request_timeouts);
    out->late_replies = rk_counted(&counters->late_replies);
    out->publications = rk_counted(&counters->publications);
    out->publications_delivered = rk_counted(&counters->publications_delivered);
    out->publications_lost = rk_counted(&counters->publications_lost);
    out->redeliveries = rk_counted(&counters->redeliveries);
    out->acknowledged = rk_counted(&counters->acknowledged);
    out->duplicates_dropped = rk_counted(&counters->duplicates_dropped);
    out->inflight_bytes = rk_counted(&counters->inflight_bytes);
    out->inflight = atomic_load_explicit(&counters->inflight, memory_order_relaxed);
}

/* The sums over all endpoints, present and past. */
static void sum_endpoints(rk_fabric *fabric, rk_fabric_stats *out)
{
    rk_mutex_lock(&fabric->registry_lock);
    for (uint32_t i = 0; i < RK_RECEIPT_COUNT; i++) {
        out->receipts[i] = fabric->retired[i] + rk_counted(&fabric->counters.unrouted[i]);
    }
    out->delivered_bytes = fabric->retired_bytes;
    out->endpoints = fabric->endpoint_count;
    for (uint32_t index = 0; index < fabric->fresh; index++) {
        const rk_endpoint *slot = rk_broker_slot(fabric, index);
        for (uint32_t i = 0; i < RK_RECEIPT_COUNT; i++) {
            out->receipts[i] += rk_counted(&slot->received[i]);
        }
        out->delivered_bytes += rk_counted(&slot->received_bytes);
    }
    rk_mutex_unlock(&fabric->registry_lock);
}

void rk_fabric_stats_get(rk_fabric *fabric, rk_fabric_stats *out)
{
    *out = (rk_fabric_stats){0};
    copy_counters(&fabric->counters, out);
    sum_endpoints(fabric, out);
    rk_mutex_lock(&fabric->owners_lock);
    out->owners = (uint32_t)rk_map_count(&fabric->owners);
    rk_mutex_unlock(&fabric->owners_lock);
    rk_mutex_lock(&fabric->requests.lock);
    out->requests_outstanding = fabric->requests.open_count;
    rk_mutex_unlock(&fabric->requests.lock);
    rk_mutex_lock(&fabric->pubsub.lock);
    out->subscriptions = fabric->pubsub.subscription_count;
    out->retained = fabric->pubsub.retained_count;
    out->retained_bytes = fabric->pubsub.retained_bytes;
    out->retained_refused = fabric->pubsub.retained_refused;
    rk_mutex_unlock(&fabric->pubsub.lock);
}

rk_status rk_endpoint_stats_get(rk_fabric *fabric, uint32_t id, rk_endpoint_stats *out)
{
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint = rk_broker_enter(fabric, id, &why);
    if (!endpoint) {
        return RK_NOT_FOUND;
    }
    *out = (rk_endpoint_stats){0};
    for (uint32_t i = 0; i < RK_RECEIPT_COUNT; i++) {
        out->received[i] = rk_counted(&endpoint->received[i]);
    }
    out->received_bytes = rk_counted(&endpoint->received_bytes);
    out->sent = rk_counted(&endpoint->sent);
    out->lost = rk_counted(&endpoint->lost);
    if (endpoint->ops && endpoint->ops->depth) {
        out->depth = endpoint->ops->depth(endpoint->context);
    }
    rk_session *session = atomic_load_explicit(&endpoint->session, memory_order_acquire);
    if (session) {
        out->unacknowledged = rk_session_outstanding(session);
    }
    rk_mutex_lock(&fabric->pubsub.lock);
    out->subscriptions = endpoint->subscriber ? endpoint->subscriber->count : 0;
    rk_mutex_unlock(&fabric->pubsub.lock);
    rk_broker_leave(endpoint);
    return RK_OK;
}
