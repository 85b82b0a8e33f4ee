/*
 * attach.c: a kernel as an endpoint: its life, and what comes in. The invariants are in attach.h.
 */
#include "fabric/attach.h"

#include <ringkernel/pubsub.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_REQUESTS 1024u
#define MOST_REQUESTS 65535u

/* ---- In ------------------------------------------------------------------------------------ */

static void waiting_add(rk_attachment *attachment, rk_attach_record *record)
{
    record->next = attachment->waiting;
    record->previous = NULL;
    if (record->next) {
        record->next->previous = record;
    }
    attachment->waiting = record;
    attachment->stats.waiting++;
}

static void waiting_remove(rk_attachment *attachment, rk_attach_record *record)
{
    if (record->previous) {
        record->previous->next = record->next;
    } else {
        attachment->waiting = record->next;
    }
    if (record->next) {
        record->next->previous = record->previous;
    }
    attachment->stats.waiting--;
}

static rk_attach_record *record_make(const rk_delivery *delivery, uint32_t token)
{
    bool kept = delivery->topic == NULL;
    size_t bytes = kept ? delivery->header.length : 0;
    rk_attach_record *record = malloc(sizeof(*record) + bytes);
    if (!record) {
        return NULL;
    }
    record->token = token;
    record->kept = kept;
    record->has_envelope = kept && delivery->envelope;
    record->delivery = *delivery;
    record->delivery.payload = NULL;
    record->delivery.envelope = NULL;
    record->delivery.topic = NULL;
    if (record->has_envelope) {
        record->envelope = *delivery->envelope;
    }
    if (bytes > 0) {
        memcpy(record->payload, delivery->payload, bytes);
    }
    return record;
}

static void free_list(rk_attach_record *record)
{
    while (record) {
        rk_attach_record *next = record->next;
        free(record);
        record = next;
    }
}

/* Frees what invariant 3 has kept until now. */
static void forget_acknowledged(rk_attachment *attachment)
{
    rk_mutex_lock(&attachment->lock);
    rk_attach_record *record = attachment->acknowledged;
    attachment->acknowledged = NULL;
    for (rk_attach_record *r = record; r; r = r->next) {
        (void)rk_map_remove(&attachment->tokens, r->token);
    }
    rk_mutex_unlock(&attachment->lock);
    free_list(record);
}

/*
 * Notes a message before it enters the ring. DELIVERED: *out_correlation is what the kernel sees.
 * PENDING: the kernel has this publication already.
 */
static rk_receipt note(rk_attachment *attachment, const rk_delivery *delivery,
                       rk_attach_record *record, uint32_t *out_correlation)
{
    rk_receipt receipt = RK_RECEIPT_DELIVERED;
    bool request = delivery->topic == NULL && (delivery->header.flags & RK_MSG_REQUEST) != 0;
    rk_mutex_lock(&attachment->lock);
    if (record->token != 0 && rk_map_get(&attachment->tokens, record->token)) {
        attachment->stats.repeated++;
        receipt = RK_RECEIPT_PENDING;
    } else if (record->token != 0 &&
               rk_map_put(&attachment->tokens, record->token, record) != RK_OK) {
        receipt = RK_RECEIPT_LIMIT;
    } else if (request) {
        *out_correlation = rk_attach_asked_open(attachment, delivery);
        receipt = *out_correlation != 0 ? RK_RECEIPT_DELIVERED : RK_RECEIPT_LIMIT;
    }
    if (receipt == RK_RECEIPT_DELIVERED) {
        waiting_add(attachment, record);
        attachment->stats.taken++;
    }
    rk_mutex_unlock(&attachment->lock);
    return receipt;
}

/* The ring did not take it. */
static void unnote(rk_attachment *attachment, rk_attach_record *record, uint32_t correlation)
{
    rk_attach_asked asked;
    rk_mutex_lock(&attachment->lock);
    waiting_remove(attachment, record);
    attachment->stats.taken--;
    if (record->token != 0) {
        (void)rk_map_remove(&attachment->tokens, record->token);
    }
    if (correlation != 0) {
        (void)rk_attach_asked_close(attachment, correlation, &asked);
    }
    rk_mutex_unlock(&attachment->lock);
    free(record);
    if (rk_port_ended(attachment->kernel)) {
        rk_port_nudge(attachment->kernel); /* the pump waits until nothing is in the ring */
    }
}

static rk_receipt receipt_of(rk_status status)
{
    switch (status) {
    case RK_OK: return RK_RECEIPT_DELIVERED;
    case RK_FULL: return RK_RECEIPT_QUEUE_FULL;
    case RK_LIMIT: return RK_RECEIPT_TOO_LONG;
    case RK_CLOSED:
    case RK_PANIC:
    case RK_FAULT: return RK_RECEIPT_CLOSED;
    default: return RK_RECEIPT_REFUSED; /* failed, and about to be restarted; or a reserved type */
    }
}

rk_receipt rk_attach_deliver(void *context, const rk_delivery *delivery)
{
    rk_attachment *attachment = context;
    const rk_msg_header *header = &delivery->header;
    bool acknowledged = delivery->topic != NULL && (header->flags & RK_MSG_QOS_MASK) != 0;
    rk_attach_record *record = record_make(delivery, acknowledged ? header->correlation : 0);
    if (!record) {
        return RK_RECEIPT_LIMIT;
    }
    uint32_t correlation = 0;
    rk_receipt receipt = note(attachment, delivery, record, &correlation);
    if (receipt == RK_RECEIPT_DELIVERED) {
        /* The correlation of a publication is for the fabric alone. */
        uint32_t seen = correlation != 0 ? correlation : delivery->topic ? 0 : header->correlation;
        rk_status status = rk_port_send(attachment->kernel, header->type, header->flags, seen,
                                        delivery->payload, header->length, record, NULL);
        receipt = receipt_of(status);
        if (status != RK_OK) {
            unnote(attachment, record, correlation);
        }
    } else {
        free(record);
        receipt = receipt == RK_RECEIPT_PENDING ? RK_RECEIPT_DELIVERED : receipt;
    }
    if (acknowledged) {
        forget_acknowledged(attachment);
    }
    return receipt;
}

uint32_t rk_attach_depth(void *context)
{
    rk_attachment *attachment = context;
    rk_mutex_lock(&attachment->lock);
    uint32_t depth = attachment->stats.waiting;
    rk_mutex_unlock(&attachment->lock);
    return depth;
}

static const rk_endpoint_ops endpoint_ops = {rk_attach_deliver, rk_attach_depth};

/* ---- What the kernel's port tells ---------------------------------------------------------- */

static void done(void *context, void *told, rk_status status)
{
    rk_attachment *attachment = context;
    rk_attach_record *record = told;
    rk_mutex_lock(&attachment->lock);
    waiting_remove(attachment, record);
    record->status = status;
    record->next = NULL;
    if (attachment->completed_last) {
        attachment->completed_last->next = record;
    } else {
        attachment->completed = record;
    }
    attachment->completed_last = record;
    rk_mutex_unlock(&attachment->lock);
}

static void exited(void *context)
{
    rk_attachment *attachment = context;
    rk_mutex_lock(&attachment->lock);
    attachment->life++;
    rk_mutex_unlock(&attachment->lock);
}

/* The kernel has ended, so the pump ends by itself. */
static void destroyed(void *context)
{
    rk_attachment *attachment = context;
    rk_thread_join(&attachment->pump);
    rk_port_close(attachment->kernel);
    attachment->kernel = NULL;
}

const rk_port_ops rk_attach_port_ops = {done, exited, destroyed};

/* ---- Life ---------------------------------------------------------------------------------- */

static void attachment_free(rk_attachment *attachment)
{
    free_list(attachment->waiting);
    free_list(attachment->completed);
    free_list(attachment->acknowledged);
    rk_map_finish(&attachment->tokens);
    rk_attach_rules_free(attachment);
    free(attachment->asked);
    rk_mutex_finish(&attachment->lock);
    free(attachment);
}

static rk_status subscribe(rk_attachment *attachment, const rk_attach_options *options, rk_err *err)
{
    rk_status status = RK_OK;
    for (size_t i = 0; i < options->subscription_count && status == RK_OK; i++) {
        status = rk_fabric_subscribe(attachment->fabric, attachment->endpoint,
                                     options->subscriptions[i].pattern,
                                     options->subscriptions[i].max_qos, err);
    }
    return status;
}

/* Everything that others can see: port, endpoint, thread, subscriptions. */
static rk_status go_public(rk_attachment *attachment, const rk_attach_options *options, rk_err *err)
{
    rk_kernel *kernel = attachment->kernel;
    rk_status status = rk_port_open(kernel, &rk_attach_port_ops, attachment, err);
    if (status != RK_OK) {
        return status;
    }
    const rk_endpoint_options endpoint = {.name = options->name ? options->name
                                                                : rk_kernel_name(kernel),
                                          .tenant = attachment->tenant,
                                          .epoch = options->epoch};
    status = rk_endpoint_register(attachment->fabric, &endpoint, &endpoint_ops, attachment,
                                  &attachment->endpoint, err);
    if (status != RK_OK) {
        rk_port_close(kernel);
        return status;
    }
    status = rk_thread_start(&attachment->pump, "rk-attach", rk_attach_pump, attachment);
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "cannot start the thread of kernel '%s': %s",
                         rk_kernel_name(kernel), rk_status_text(status));
        (void)rk_endpoint_unregister(attachment->fabric, attachment->endpoint); /* it is there */
        rk_port_close(kernel);
        return status;
    }
    return RK_OK;
}

rk_status rk_fabric_attach_kernel(rk_fabric *fabric, rk_kernel *kernel,
                                  const rk_attach_options *options, rk_attachment **out_attachment,
                                  rk_err *err)
{
    static const rk_attach_options defaults;
    options = options ? options : &defaults;
    if (rk_port_ended(kernel)) {
        return rk_err_set(err, RK_CLOSED, "kernel '%s' has ended and cannot be attached",
                          rk_kernel_name(kernel));
    }
    uint32_t limit = options->request_limit ? options->request_limit : DEFAULT_REQUESTS;
    if (limit > MOST_REQUESTS) {
        return rk_err_set(err, RK_INVALID, "kernel '%s': a request limit of %u is above %u",
                          rk_kernel_name(kernel), limit, MOST_REQUESTS);
    }
    rk_attachment *attachment = calloc(1, sizeof(*attachment));
    if (!attachment) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to attach kernel '%s'",
                          rk_kernel_name(kernel));
    }
    attachment->fabric = fabric;
    attachment->kernel = kernel;
    attachment->tenant = rk_kernel_tenant(kernel);
    attachment->asked_limit = limit;
    attachment->asked_fresh = 1;
    rk_mutex_init(&attachment->lock);
    rk_map_init(&attachment->tokens, SIZE_MAX);
    rk_status status = rk_attach_rules_copy(attachment, options, err);
    if (status == RK_OK) {
        attachment->asked = calloc((size_t)limit + 1, sizeof(*attachment->asked));
        if (!attachment->asked) {
            status = rk_err_set(err, RK_NO_MEMORY, "no memory to attach kernel '%s'",
                                rk_kernel_name(kernel));
        }
    }
    if (status == RK_OK) {
        status = go_public(attachment, options, err);
    }
    if (status != RK_OK) {
        attachment_free(attachment);
        return status;
    }
    status = subscribe(attachment, options, err);
    if (status != RK_OK) {
        rk_fabric_detach(attachment);
        return status;
    }
    *out_attachment = attachment;
    return RK_OK;
}

void rk_fabric_detach(rk_attachment *attachment)
{
    if (!attachment) {
        return;
    }
    if (attachment->kernel) {
        atomic_store_explicit(&attachment->stop, true, memory_order_release);
        rk_port_nudge(attachment->kernel);
        rk_thread_join(&attachment->pump);
        /* Not found: the kernel has ended, and the pump was here. */
        (void)rk_endpoint_unregister(attachment->fabric, attachment->endpoint);
        rk_port_close(attachment->kernel);
        rk_attach_fail_requests(attachment, UINT64_MAX);
    }
    attachment_free(attachment);
}

uint32_t rk_attachment_endpoint(const rk_attachment *attachment)
{
    return attachment->endpoint;
}

void rk_attachment_stats_get(rk_attachment *attachment, rk_attachment_stats *out)
{
    rk_mutex_lock(&attachment->lock);
    *out = attachment->stats;
    rk_mutex_unlock(&attachment->lock);
}
