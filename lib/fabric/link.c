/*
 * link.c: envelopes, links between fabrics, and the fencing of old owners.
 */
#include "base/crc.h"
#include "core/message.h"
#include "fabric/broker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(uintptr_t) >= sizeof(uint64_t), "epochs are kept in the values of a map");

static uint64_t owner_key(uint32_t node, uint32_t endpoint)
{
    return (uint64_t)node << 32 | endpoint;
}

/* Publications do not cross links; from there these bits would mean nothing. */
#define PUBLICATION_FLAGS (RK_MSG_RETAINED | RK_MSG_DUPLICATE | RK_MSG_QOS_MASK)

/* Takes note of an owner's epoch; RK_RECEIPT_STALE when a newer one is known. */
static rk_receipt learn_epoch(rk_fabric *fabric, rk_address owner, uint64_t epoch, bool *out_rose)
{
    uint64_t key = owner_key(owner.node, owner.endpoint);
    rk_receipt receipt = RK_RECEIPT_DELIVERED;
    *out_rose = false;
    rk_mutex_lock(&fabric->owners_lock);
    uint64_t of_node = (uintptr_t)rk_map_get(&fabric->owners, owner_key(owner.node, 0));
    uint64_t known = (uintptr_t)rk_map_get(&fabric->owners, key);
    if (epoch < known || epoch < of_node) {
        receipt = RK_RECEIPT_STALE;
    } else if (epoch > known && (epoch > of_node || owner.endpoint == 0)) {
        /* At its node's epoch an owner needs no entry: the check above covers it. */
        *out_rose = known != 0;
        rk_status status = rk_map_put(&fabric->owners, key, (void *)(uintptr_t)epoch);
        /* An owner that cannot be remembered could not be fenced later: it is refused. */
        receipt = status == RK_OK ? RK_RECEIPT_DELIVERED : RK_RECEIPT_LIMIT;
    }
    rk_mutex_unlock(&fabric->owners_lock);
    return receipt;
}

static void report_fence(rk_fabric *fabric, rk_address owner, uint64_t epoch, uint32_t tenant)
{
    rk_delivery about = {.source = owner, .tenant = tenant};
    about.header.id = epoch;
    rk_address here = {fabric->options.node, 0};
    rk_broker_event(fabric, RK_FABRIC_FENCED, &about, here, 0, RK_RECEIPT_DELIVERED);
}

rk_status rk_fabric_fence(rk_fabric *fabric, rk_address owner, uint64_t epoch)
{
    bool rose = false;
    if (owner.node == 0) {
        owner.node = fabric->options.node;
    }
    if (learn_epoch(fabric, owner, epoch, &rose) == RK_RECEIPT_LIMIT) {
        return RK_LIMIT;
    }
    if (rose) {
        report_fence(fabric, owner, epoch, 0);
    }
    return RK_OK;
}

uint32_t rk_fabric_forget(rk_fabric *fabric, uint32_t node)
{
    uint32_t forgotten = 0;
    rk_mutex_lock(&fabric->owners_lock);
    bool again = true;
    while (again) {
        /* A map must not change during a walk: find a batch, remove it, walk again. */
        uint64_t batch[64];
        uint32_t count = 0;
        size_t cursor = 0;
        uint64_t key = 0;
        while (count < RK_COUNT_OF(batch) && rk_map_next(&fabric->owners, &cursor, &key, NULL)) {
            if (key >> 32 == node && (uint32_t)key != 0) {
                batch[count++] = key;
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            (void)rk_map_remove(&fabric->owners, batch[i]); /* it is there */
        }
        forgotten += count;
        again = count == RK_COUNT_OF(batch);
    }
    rk_mutex_unlock(&fabric->owners_lock);
    return forgotten;
}

void rk_broker_seal(rk_fabric *fabric, const rk_delivery *delivery, const rk_carriage *carriage,
                    rk_envelope *out)
{
    rk_msg_context context = {.source_node = delivery->source.node,
                              .source_kernel = delivery->source.endpoint,
                              .dest_node =
                                  carriage->dest.node ? carriage->dest.node : fabric->options.node,
                              .dest_kernel = carriage->dest.endpoint,
                              .tenant = delivery->tenant,
                              .hops = (rk_u16)carriage->hops,
                              .epoch = carriage->epoch,
                              .time = rk_hlc_tick(&fabric->clock),
                              .deadline_us = delivery->deadline_us};
    const rk_envelope *from = carriage->context;
    if (from) {
        memcpy(context.trace_id, from->trace_id, sizeof(context.trace_id));
        memcpy(context.span_id, from->span_id, sizeof(context.span_id));
        context.trace_flags = from->trace_flags;
        context.tracestate_handle = from->tracestate_handle;
        context.audit_tag = from->audit_tag;
        if (delivery->header.flags & RK_MSG_ENCRYPTED) {
            memcpy(context.nonce, from->nonce, sizeof(context.nonce));
            memcpy(context.tag, from->tag, sizeof(context.tag));
        }
    }
    rk_envelope_join(out, &delivery->header, &context);
    rk_envelope_seal(out, delivery->payload);
}

rk_receipt rk_broker_check(rk_fabric *fabric, const void *envelope, size_t envelope_bytes,
                           const void *payload, size_t payload_bytes, rk_envelope *out)
{
    rk_count(&fabric->counters.envelopes_received, 1);
    rk_envelope copy;
    if (!envelope || envelope_bytes != sizeof(copy) || (!payload && payload_bytes != 0)) {
        return RK_RECEIPT_DAMAGED;
    }
    memcpy(&copy, envelope, sizeof(copy));
    rk_msg_fault fault = rk_envelope_check(&copy, fabric->options.payload_limit_bytes);
    if (fault != RK_MSG_FAULT_NONE) {
        return fault == RK_MSG_FAULT_LENGTH ? RK_RECEIPT_TOO_LONG : RK_RECEIPT_DAMAGED;
    }
    if (copy.length != payload_bytes ||
        copy.payload_crc != rk_crc32(0, payload_bytes ? payload : "", payload_bytes)) {
        return RK_RECEIPT_DAMAGED;
    }
    *out = copy;
    rk_status status = rk_hlc_update(&fabric->clock, &copy.time, NULL, NULL);
    if (status != RK_OK) {
        return status == RK_SKEW ? RK_RECEIPT_SKEW : RK_RECEIPT_DAMAGED;
    }
    rk_address owner = {copy.source_node, copy.source_kernel};
    bool rose = false;
    rk_receipt receipt = learn_epoch(fabric, owner, copy.epoch, &rose);
    if (rose) {
        report_fence(fabric, owner, copy.epoch, copy.tenant);
    }
    return receipt;
}

/* A link is addressed by nobody: messages reach it through a route. */
static rk_receipt refuse(void *context, const rk_delivery *delivery)
{
    (void)context;
    (void)delivery;
    return RK_RECEIPT_REFUSED;
}

static const rk_endpoint_ops link_endpoint_ops = {refuse, NULL};

rk_status rk_link_create(rk_fabric *fabric, const char *name, const rk_link_ops *ops, void *context,
                         uint32_t *out_link, rk_err *err)
{
    if (!ops || !ops->transmit) {
        return rk_err_set(err, RK_INVALID, "a link needs a transmit operation");
    }
    rk_link *link = malloc(sizeof(*link));
    if (!link) {
        return rk_err_set(err, RK_NO_MEMORY, "cannot make a link: out of memory");
    }
    *link = (rk_link){ops, context};
    rk_endpoint_options options = {.name = name};
    rk_status status =
        rk_broker_register(fabric, &options, &link_endpoint_ops, NULL, link, out_link, err);
    if (status != RK_OK) {
        free(link);
    }
    return status;
}

rk_status rk_link_remove(rk_fabric *fabric, uint32_t link)
{
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint = rk_broker_enter(fabric, link, &why);
    if (!endpoint) {
        return RK_NOT_FOUND;
    }
    bool is_link = endpoint->link != NULL;
    rk_broker_leave(endpoint);
    return is_link ? rk_endpoint_unregister(fabric, link) : RK_NOT_FOUND;
}

rk_status rk_fabric_route(rk_fabric *fabric, uint32_t node, uint32_t link, rk_err *err)
{
    if (node == fabric->options.node) {
        return rk_err_set(err, RK_INVALID, "node %u is this fabric: it needs no route", node);
    }
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint = rk_broker_enter(fabric, link, &why);
    rk_status status = RK_NOT_FOUND;
    if (endpoint && endpoint->link) {
        rk_mutex_lock(&fabric->registry_lock);
        status = rk_map_put(&fabric->routes, node, (void *)(uintptr_t)link);
        rk_mutex_unlock(&fabric->registry_lock);
    }
    if (endpoint) {
        rk_broker_leave(endpoint);
    }
    return status == RK_OK ? RK_OK
                           : rk_err_set(err, status, "cannot route node %u over link %u: %s", node,
                                        link, rk_status_text(status));
}

void rk_broker_unroute(rk_fabric *fabric, uint32_t link)
{
    rk_mutex_lock(&fabric->registry_lock);
    bool found = true;
    while (found) {
        size_t cursor = 0;
        uint64_t node = 0;
        void *over = NULL;
        found = false;
        while (!found && rk_map_next(&fabric->routes, &cursor, &node, &over)) {
            found = (uint32_t)(uintptr_t)over == link;
        }
        if (found) {
            (void)rk_map_remove(&fabric->routes, node); /* it is there */
        }
    }
    rk_mutex_unlock(&fabric->registry_lock);
}

/* Enters the link to a node. */
static rk_endpoint *enter_link(rk_fabric *fabric, uint32_t node)
{
    rk_mutex_lock(&fabric->registry_lock);
    uint32_t link = (uint32_t)(uintptr_t)rk_map_get(&fabric->routes, node);
    if (link == 0) {
        link = (uint32_t)(uintptr_t)rk_map_get(&fabric->routes, 0);
    }
    rk_mutex_unlock(&fabric->registry_lock);
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    return link ? rk_broker_enter(fabric, link, &why) : NULL;
}

rk_receipt rk_broker_forward(rk_fabric *fabric, const rk_delivery *delivery,
                             const rk_carriage *carriage, bool *out_taken)
{
    *out_taken = false;
    rk_endpoint *endpoint = enter_link(fabric, carriage->dest.node);
    if (!endpoint) {
        rk_count(&fabric->counters.unrouted[RK_RECEIPT_NOT_FOUND], 1);
        return RK_RECEIPT_NOT_FOUND;
    }
    rk_receipt receipt = RK_RECEIPT_HOPS;
    if (carriage->hops < RK_FABRIC_MAX_HOPS) {
        rk_envelope envelope;
        if (delivery->envelope) { /* passing through: all that its source said stays */
            envelope = *delivery->envelope;
            envelope.hops = (rk_u16)(carriage->hops + 1);
            rk_envelope_seal(&envelope, delivery->payload);
            rk_count(&fabric->counters.forwarded, 1);
        } else {
            rk_carriage onward = *carriage;
            onward.hops = carriage->hops + 1;
            rk_broker_seal(fabric, delivery, &onward, &envelope);
        }
        receipt = endpoint->link->ops->transmit(endpoint->link->context, &envelope,
                                                delivery->payload, out_taken);
        if ((unsigned)receipt >= RK_RECEIPT_COUNT) {
            receipt = RK_RECEIPT_REFUSED;
        }
    }
    rk_count(&endpoint->received[receipt], 1);
    if (receipt == RK_RECEIPT_DELIVERED || receipt == RK_RECEIPT_PENDING) {
        rk_count(&endpoint->received_bytes, delivery->header.length);
    }
    rk_broker_leave(endpoint);
    return receipt;
}

/* Counts at the link. What is damaged is no dead letter: nothing in it can be believed. */
static void refuse_envelope(rk_fabric *fabric, uint32_t link, const rk_delivery *delivery,
                            rk_address dest, rk_receipt receipt)
{
    rk_receipt why = RK_RECEIPT_NOT_FOUND;
    rk_endpoint *endpoint = link ? rk_broker_enter(fabric, link, &why) : NULL;
    if (endpoint) {
        rk_count(&endpoint->received[receipt], 1);
        rk_broker_leave(endpoint);
    } else {
        rk_count(&fabric->counters.unrouted[receipt], 1);
    }
    rk_broker_give_up(fabric, delivery, dest, 0, receipt,
                      receipt == RK_RECEIPT_DAMAGED ? RK_SEND_KEEP : 0);
}

rk_receipt rk_fabric_receive(rk_fabric *fabric, uint32_t link, const void *bytes,
                             size_t envelope_bytes, const void *payload, size_t payload_bytes)
{
    rk_envelope envelope = {0};
    rk_receipt receipt =
        rk_broker_check(fabric, bytes, envelope_bytes, payload, payload_bytes, &envelope);
    rk_delivery delivery = {.payload = payload_bytes ? payload : NULL,
                            .source = {envelope.source_node, envelope.source_kernel},
                            .tenant = envelope.tenant,
                            .deadline_us = envelope.deadline_us,
                            .envelope = &envelope};
    delivery.header = (rk_msg_header){.id = envelope.id,
                                      .type = envelope.type,
                                      .source = envelope.source,
                                      .flags = (rk_u16)(envelope.flags & ~PUBLICATION_FLAGS),
                                      .correlation = (rk_u32)envelope.correlation,
                                      .length = envelope.length};
    rk_carriage carriage = {.dest = {envelope.dest_node, envelope.dest_kernel},
                            .epoch = envelope.epoch,
                            .hops = envelope.hops};
    if (receipt == RK_RECEIPT_DELIVERED && envelope.hops > RK_FABRIC_MAX_HOPS) {
        receipt = RK_RECEIPT_HOPS;
    }
    if (receipt == RK_RECEIPT_DELIVERED && envelope.type < RK_MSG_TYPE_USER) {
        receipt = RK_RECEIPT_INVALID; /* commands and notices do not come from other nodes */
    }
    if (receipt != RK_RECEIPT_DELIVERED) {
        refuse_envelope(fabric, link, &delivery, carriage.dest, receipt);
        return receipt;
    }
    return rk_broker_route(fabric, &delivery, &carriage);
}

static rk_receipt transmit_here(void *context, const rk_envelope *envelope, const void *payload,
                                bool *out_taken)
{
    *out_taken = true;
    return rk_fabric_receive(context, 0, envelope, sizeof(*envelope), payload, envelope->length);
}

static const rk_link_ops local_ops = {transmit_here};

static rk_status join_one(rk_fabric *from, rk_fabric *to, uint32_t *out_link, rk_err *err)
{
    char name[32];
    snprintf(name, sizeof(name), "link-to-%u", to->options.node);
    rk_status status = rk_link_create(from, name, &local_ops, to, out_link, err);
    if (status != RK_OK) {
        return status;
    }
    status = rk_fabric_route(from, to->options.node, *out_link, err);
    rk_address owner = {from->options.node, 0};
    if (status == RK_OK && rk_fabric_fence(to, owner, from->options.epoch) != RK_OK) {
        status = rk_err_set(err, RK_LIMIT, "node %u remembers the epochs of too many owners",
                            to->options.node);
    }
    if (status != RK_OK) {
        (void)rk_link_remove(from, *out_link); /* just made */
    }
    return status;
}

rk_status rk_fabric_join(rk_fabric *a, rk_fabric *b, uint32_t *out_link_of_a,
                         uint32_t *out_link_of_b, rk_err *err)
{
    if (a->options.node == b->options.node) {
        return rk_err_set(err, RK_INVALID,
                          "cannot join two fabrics that are both node %u: give each its own number",
                          a->options.node);
    }
    uint32_t there = 0;
    uint32_t back = 0;
    rk_status status = join_one(a, b, &there, err);
    if (status != RK_OK) {
        return status;
    }
    status = join_one(b, a, &back, err);
    if (status != RK_OK) {
        (void)rk_link_remove(a, there); /* just made */
        return status;
    }
    if (out_link_of_a) {
        *out_link_of_a = there;
    }
    if (out_link_of_b) {
        *out_link_of_b = back;
    }
    return RK_OK;
}
