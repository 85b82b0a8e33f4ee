/*
 * route.c: from a sender to an endpoint, with a receipt.
 */
#include "base/clock.h"
#include "fabric/broker.h"
#include <ringkernel/attach.h>
#include <string.h>

#define REPLAYED_FLAGS (RK_MSG_PRIORITY_MASK | RK_MSG_ENCRYPTED)
#define SENDER_FLAGS (RK_MSG_REPLY | RK_MSG_ENCRYPTED)

static const struct {
    const char *text;
    rk_status status;
} receipts[RK_RECEIPT_COUNT] = {
#define RECEIPT_ROW(symbol, text, status) {text, RK_##status},
    RK_RECEIPT_LIST(RECEIPT_ROW)
#undef RECEIPT_ROW
};

const char *rk_receipt_text(rk_receipt receipt)
{
    return (unsigned)receipt < RK_RECEIPT_COUNT ? receipts[receipt].text : "unknown receipt";
}

rk_status rk_receipt_status(rk_receipt receipt)
{
    return (unsigned)receipt < RK_RECEIPT_COUNT ? receipts[receipt].status : RK_INTERNAL;
}

static rk_deadletter_reason reason_of(rk_receipt receipt)
{
    switch (receipt) {
    case RK_RECEIPT_QUEUE_FULL:
    case RK_RECEIPT_LIMIT: return RK_DEADLETTER_QUEUE_FULL;
    case RK_RECEIPT_NOT_FOUND: return RK_DEADLETTER_NO_TARGET;
    case RK_RECEIPT_TIMEOUT: return RK_DEADLETTER_EXPIRED;
    case RK_RECEIPT_CLOSED: return RK_DEADLETTER_DESTROYED;
    case RK_RECEIPT_TENANT: return RK_DEADLETTER_TENANT;
    case RK_RECEIPT_HOPS: return RK_DEADLETTER_HOPS;
    default: return RK_DEADLETTER_REJECTED;
    }
}

void rk_broker_event(rk_fabric *fabric, rk_fabric_event_kind kind, const rk_delivery *delivery,
                     rk_address dest, uint32_t dest_tenant, rk_receipt receipt)
{
    const rk_fabric_options *options = &fabric->options;
    bool audit = options->audit && receipt == RK_RECEIPT_TENANT;
    if (!options->observer && !audit) {
        return;
    }
    rk_fabric_event event = {.kind = kind,
                             .receipt = receipt,
                             .source = delivery->source,
                             .dest = dest,
                             .source_tenant = delivery->tenant,
                             .dest_tenant = dest_tenant,
                             .type = delivery->header.type,
                             .id = delivery->header.id};
    if (audit) {
        options->audit(options->callback_context, &event);
    }
    if (options->observer) {
        options->observer(options->callback_context, &event);
    }
}

static uint64_t pack_address(rk_address address)
{
    return (uint64_t)address.node << 32 | address.endpoint;
}

void rk_broker_dead_letter(rk_fabric *fabric, const rk_delivery *delivery, rk_address dest,
                           rk_deadletter_reason reason)
{
    rk_deadletter_queue *queue = fabric->options.dead_letters;
    if (!queue) {
        rk_count(&fabric->counters.discarded, 1);
        return;
    }
    const rk_msg_header *header = &delivery->header;
    rk_deadletter letter = {.source = pack_address(delivery->source),
                            .destination = pack_address(dest),
                            .reason = reason,
                            .type = header->type,
                            .tenant = delivery->tenant,
                            .correlation = header->correlation,
                            .flags = header->flags,
                            .payload_bytes = header->length,
                            .payload = delivery->payload};
    if (delivery->envelope) {
        letter.header = delivery->envelope;
        letter.header_bytes = sizeof(*delivery->envelope);
    } else if (delivery->topic) { /* publications have no envelope */
        letter.header = delivery->topic;
        letter.header_bytes = (uint32_t)strlen(delivery->topic) + 1;
    }
    bool kept = rk_deadletter_queue_add(queue, &letter) == RK_OK;
    rk_count(kept ? &fabric->counters.dead_letters : &fabric->counters.discarded, 1);
}

void rk_broker_give_up(rk_fabric *fabric, const rk_delivery *delivery, rk_address dest,
                       uint32_t dest_tenant, rk_receipt receipt, uint32_t send_flags)
{
    if ((send_flags & RK_SEND_KEEP) == 0) {
        rk_broker_dead_letter(fabric, delivery, dest, reason_of(receipt));
    }
    bool late_reply = receipt == RK_RECEIPT_TIMEOUT && (delivery->header.flags & RK_MSG_REPLY) != 0;
    rk_broker_event(fabric, late_reply ? RK_FABRIC_EXPIRED_REPLY : RK_FABRIC_REFUSED, delivery,
                    dest, dest_tenant, receipt);
}

rk_receipt rk_broker_hand(rk_endpoint *endpoint, const rk_delivery *delivery)
{
    rk_receipt receipt = endpoint->ops->deliver(endpoint->context, delivery);
    if (RK_UNLIKELY((unsigned)receipt >= RK_RECEIPT_COUNT)) {
        receipt = RK_RECEIPT_REFUSED;
    } else if (RK_UNLIKELY(receipt == RK_RECEIPT_PENDING)) {
        receipt = RK_RECEIPT_DELIVERED; /* only a link can leave it open */
    }
    rk_count(&endpoint->received[receipt], 1);
    if (receipt == RK_RECEIPT_DELIVERED) {
        rk_count(&endpoint->received_bytes, delivery->header.length);
    }
    return receipt;
}

rk_receipt rk_broker_prepare(rk_fabric *fabric, uint32_t source, uint32_t type, const void *payload,
                             uint32_t length, const rk_send_options *options, rk_delivery *out,
                             rk_carriage *out_carriage)
{
    static const rk_send_options defaults;
    options = options ? options : &defaults;
    rk_sender sender;
    rk_receipt receipt = rk_broker_sender(fabric, source, &sender);
    int priority = (int)RK_MSG_PRIORITY_NORMAL + options->priority;
    if (receipt == RK_RECEIPT_DELIVERED) {
        bool valid = type >= RK_MSG_TYPE_USER && (payload || length == 0) &&
                     (options->flags & ~SENDER_FLAGS) == 0 && priority >= 0 &&
                     priority <= (int)RK_MSG_PRIORITY_MASK;
        receipt = !valid                                         ? RK_RECEIPT_INVALID
                  : length > fabric->options.payload_limit_bytes ? RK_RECEIPT_TOO_LONG
                                                                 : RK_RECEIPT_DELIVERED;
    }
    if (RK_UNLIKELY(receipt != RK_RECEIPT_DELIVERED)) {
        rk_count(&fabric->counters.unrouted[receipt], 1);
        return receipt;
    }
    uint64_t number =
        atomic_fetch_add_explicit(&sender.endpoint->sent, 1, memory_order_relaxed) + 1;
    *out = (rk_delivery){.payload = length ? payload : NULL,
                         .source = {fabric->options.node, source},
                         .tenant = sender.tenant,
                         .deadline_us = options->deadline_us,
                         .wait_until_ns = options->wait_until_ns};
    out->header = (rk_msg_header){.id = options->id ? options->id : number,
                                  .type = type,
                                  .source = (rk_u16)(source & 0xffffu),
                                  .flags = (rk_u16)(options->flags | (unsigned)priority),
                                  .correlation = options->correlation,
                                  .length = length};
    *out_carriage = (rk_carriage){
        .send_flags = options->send_flags, .epoch = sender.epoch, .context = options->context};
    return RK_RECEIPT_DELIVERED;
}

static bool tenants_may_talk(const rk_fabric *fabric, uint32_t from, uint32_t to)
{
    bool open = (fabric->options.flags & RK_FABRIC_OPEN_TENANT_ZERO) != 0;
    return from == to || (open && (from == 0 || to == 0));
}

static bool is_late(const rk_delivery *delivery)
{
    return delivery->deadline_us != 0 &&
           rk_clock_realtime_ns() / RK_NS_PER_US > delivery->deadline_us;
}

/* Delivers to an endpoint of this fabric that is entered. Counts every refusal at the endpoint. */
static rk_receipt deliver_entered(rk_fabric *fabric, rk_endpoint *endpoint, rk_delivery *delivery,
                                  const rk_carriage *carriage, rk_envelope *envelope)
{
    uint32_t tenant = atomic_load_explicit(&endpoint->tenant, memory_order_relaxed);
    rk_receipt receipt = RK_RECEIPT_DELIVERED;
    bool is_reply = (delivery->header.flags & RK_MSG_REPLY) != 0;
    if (RK_UNLIKELY(!tenants_may_talk(fabric, delivery->tenant, tenant))) {
        receipt = RK_RECEIPT_TENANT;
    } else if (RK_UNLIKELY(is_late(delivery))) {
        receipt = RK_RECEIPT_TIMEOUT;
    } else if (RK_UNLIKELY(!endpoint->ops && !is_reply)) {
        receipt = RK_RECEIPT_NOT_FOUND; /* the host without an endpoint only takes replies */
    } else if (RK_UNLIKELY(!delivery->envelope &&
                           (tenant != delivery->tenant || carriage->context ||
                            (carriage->send_flags & RK_SEND_FULL) != 0))) {
        rk_envelope sealed;
        rk_broker_seal(fabric, delivery, carriage, &sealed);
        receipt = rk_broker_check(fabric, &sealed, sizeof(sealed), delivery->payload,
                                  delivery->header.length, envelope);
        delivery->envelope = envelope;
    }
    if (RK_UNLIKELY(receipt != RK_RECEIPT_DELIVERED)) {
        rk_count(&endpoint->received[receipt], 1);
        return receipt;
    }
    if (RK_UNLIKELY(is_reply)) {
        return rk_requests_reply(fabric, endpoint, delivery);
    }
    return rk_broker_hand(endpoint, delivery);
}

rk_receipt rk_broker_route(rk_fabric *fabric, rk_delivery *delivery, const rk_carriage *carriage)
{
    rk_receipt receipt = RK_RECEIPT_NOT_FOUND;
    uint32_t tenant = 0;
    bool taken = false;
    rk_address dest = carriage->dest;
    rk_envelope envelope; /* when one is made on the way: for the receiver and the dead letter */
    if (dest.node == 0) {
        dest.node = fabric->options.node;
    }
    if (RK_LIKELY(dest.node == fabric->options.node)) {
        delivery->dest = dest.endpoint;
        rk_endpoint *endpoint = rk_broker_enter(fabric, dest.endpoint, &receipt);
        if (RK_LIKELY(endpoint != NULL)) {
            receipt = deliver_entered(fabric, endpoint, delivery, carriage, &envelope);
            tenant = atomic_load_explicit(&endpoint->tenant, memory_order_relaxed);
            rk_broker_leave(endpoint);
        } else {
            rk_count(&fabric->counters.unrouted[receipt], 1);
        }
    } else {
        rk_carriage onward = *carriage;
        onward.dest = dest;
        receipt = rk_broker_forward(fabric, delivery, &onward, &taken);
    }
    if (RK_UNLIKELY(receipt != RK_RECEIPT_DELIVERED && receipt != RK_RECEIPT_PENDING && !taken)) {
        rk_broker_give_up(fabric, delivery, dest, tenant, receipt, carriage->send_flags);
    }
    return receipt;
}

rk_receipt rk_fabric_send(rk_fabric *fabric, uint32_t source, rk_address dest, uint32_t type,
                          const void *payload, uint32_t length, const rk_send_options *options)
{
    rk_delivery delivery;
    rk_carriage carriage;
    rk_receipt receipt =
        rk_broker_prepare(fabric, source, type, payload, length, options, &delivery, &carriage);
    if (RK_UNLIKELY(receipt != RK_RECEIPT_DELIVERED)) {
        return receipt;
    }
    carriage.dest = dest;
    return rk_broker_route(fabric, &delivery, &carriage);
}

rk_receipt rk_fabric_send_name(rk_fabric *fabric, uint32_t source, const char *name, uint32_t type,
                               const void *payload, uint32_t length, const rk_send_options *options)
{
    rk_sender sender;
    rk_receipt receipt = rk_broker_sender(fabric, source, &sender);
    rk_address dest = {0, 0};
    if (receipt == RK_RECEIPT_DELIVERED) {
        /* Not found: address 0 below gives the receipt and the dead letter. */
        (void)rk_endpoint_find(fabric, sender.tenant, name, &dest.endpoint);
    }
    return rk_fabric_send(fabric, source, dest, type, payload, length, options);
}

rk_status rk_fabric_replay_to(void *context, const rk_deadletter *letter)
{
    const rk_replay_target *target = context;
    uint32_t endpoint = 0;
    rk_status status = rk_endpoint_find(target->fabric, letter->tenant, target->name, &endpoint);
    if (status != RK_OK) {
        return status;
    }
    rk_deadletter copy = *letter;
    copy.destination = (uint64_t)target->fabric->options.node << 32 | endpoint;
    return rk_fabric_replay(target->fabric, &copy);
}

rk_status rk_fabric_replay(void *context, const rk_deadletter *letter)
{
    rk_fabric *fabric = context;
    rk_delivery delivery = {.payload = letter->payload,
                            .source = {(uint32_t)(letter->source >> 32), (uint32_t)letter->source},
                            .tenant = letter->tenant};
    /* What ties it to a request or a subscriber's session is over. */
    delivery.header = (rk_msg_header){.type = letter->type,
                                      .source = (rk_u16)(letter->source & 0xffffu),
                                      .flags = (rk_u16)(letter->flags & REPLAYED_FLAGS),
                                      .length = letter->payload_bytes};
    rk_carriage carriage = {
        .dest = {(uint32_t)(letter->destination >> 32), (uint32_t)letter->destination},
        .send_flags = RK_SEND_KEEP,
        .epoch = fabric->options.epoch};
    rk_envelope envelope = {0};
    if (letter->header_bytes == sizeof(envelope)) {
        memcpy(&envelope, letter->header, sizeof(envelope));
    }
    if (envelope.magic == RK_ENVELOPE_MAGIC) {
        carriage.epoch = envelope.epoch;
    } else if (letter->header_bytes > 0 &&
               ((const char *)letter->header)[letter->header_bytes - 1] == '\0') {
        delivery.topic = letter->header;
    }
    return rk_receipt_status(rk_broker_route(fabric, &delivery, &carriage));
}
