/*
 * attach_actors.c: named actors as endpoints. A name is looked up for each message, so an actor
 * that takes over a name takes over its messages.
 */
#include "base/clock.h"
#include "fabric/broker.h"
#include <ringkernel/attach_actors.h>
#include <ringkernel/pubsub.h>
#include <stdlib.h>
#include <string.h>

typedef struct actor_endpoint {
    struct actor_endpoint *next;
    rk_fabric *fabric;
    rk_actor_system *system;
    uint32_t id; /* 0 until it is registered */
    char name[];
} actor_endpoint;

struct rk_actor_attachment {
    rk_fabric *fabric;
    rk_actor_system *system;
    actor_endpoint *endpoints;
    bool failed; /* out of memory while names were collected */
};

static rk_receipt receipt_of(rk_status status)
{
    switch (status) {
    case RK_OK: return RK_RECEIPT_DELIVERED;
    case RK_FULL: return RK_RECEIPT_QUEUE_FULL;
    case RK_TIMEOUT: return RK_RECEIPT_TIMEOUT;
    case RK_NOT_FOUND:
    case RK_STATE: return RK_RECEIPT_CLOSED;
    case RK_INVALID: return RK_RECEIPT_REFUSED;
    case RK_LIMIT: return RK_RECEIPT_TOO_LONG;
    default: return RK_RECEIPT_LIMIT;
    }
}

/* From UTC to the clock of actors; 0 stays "none". */
static uint64_t deadline_of(const rk_delivery *delivery)
{
    if (delivery->deadline_us == 0) {
        return 0;
    }
    uint64_t now_us = rk_clock_realtime_ns() / RK_NS_PER_US;
    uint64_t left_us = delivery->deadline_us > now_us ? delivery->deadline_us - now_us : 0;
    uint64_t most_us = UINT64_MAX / RK_NS_PER_US;
    return rk_clock_deadline_ns(RK_MIN(left_us, most_us) * RK_NS_PER_US);
}

static rk_receipt deliver(void *context, const rk_delivery *delivery)
{
    actor_endpoint *endpoint = context;
    const rk_msg_header *header = &delivery->header;
    if (delivery->topic == NULL && (header->flags & RK_MSG_REQUEST) != 0) {
        return RK_RECEIPT_REFUSED;
    }
    rk_actor_id actor = RK_ACTOR_NONE;
    rk_status status = rk_actor_system_lookup(endpoint->system, endpoint->name, &actor);
    if (status == RK_OK) {
        rk_actor_send_options options = {
            .priority = RK_ACTOR_PRIORITY((uint32_t)header->flags & RK_MSG_PRIORITY_MASK),
            .deadline_ns = deadline_of(delivery)};
        status = rk_actor_system_send(endpoint->system, actor, header->type, delivery->payload,
                                      header->length, &options);
    }
    if (status == RK_OK && delivery->topic != NULL && (header->flags & RK_MSG_QOS_MASK) != 0) {
        /* Not found: given up meanwhile; the actor has it all the same. */
        (void)rk_fabric_acknowledge(endpoint->fabric, delivery->dest, header->correlation);
    }
    return receipt_of(status);
}

static const rk_endpoint_ops endpoint_ops = {deliver, NULL};

static bool collect(void *context, const char *name, rk_actor_id id)
{
    (void)id; /* looked up for each message */
    rk_actor_attachment *attachment = context;
    size_t bytes = strlen(name) + 1;
    actor_endpoint *endpoint = malloc(sizeof(*endpoint) + bytes);
    if (!endpoint) {
        attachment->failed = true;
        return false;
    }
    endpoint->next = attachment->endpoints;
    endpoint->fabric = attachment->fabric;
    endpoint->system = attachment->system;
    endpoint->id = 0;
    memcpy(endpoint->name, name, bytes);
    attachment->endpoints = endpoint;
    return true;
}

static rk_status register_all(rk_actor_attachment *attachment, uint32_t tenant, rk_err *err)
{
    rk_status status = RK_OK;
    for (actor_endpoint *e = attachment->endpoints; e && status == RK_OK; e = e->next) {
        rk_endpoint_options options = {.name = e->name, .tenant = tenant};
        status = rk_endpoint_register(attachment->fabric, &options, &endpoint_ops, e, &e->id, err);
    }
    return status;
}

rk_status rk_fabric_attach_actors(rk_fabric *fabric, rk_actor_system *system, const char *pattern,
                                  uint32_t tenant, rk_actor_attachment **out_attachment,
                                  rk_err *err)
{
    rk_actor_attachment *attachment = calloc(1, sizeof(*attachment));
    if (!attachment) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to attach the actors '%s'", pattern);
    }
    attachment->fabric = fabric;
    attachment->system = system;
    rk_status status = rk_actor_system_names(system, pattern, collect, attachment);
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "'%s' is no pattern of names of actors", pattern);
    } else if (attachment->failed) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory to attach the actors '%s'", pattern);
    } else if (!attachment->endpoints) {
        status = rk_err_set(err, RK_NOT_FOUND,
                            "no actor has a name that matches '%s'; register names first", pattern);
    } else {
        status = register_all(attachment, tenant, err);
    }
    if (status != RK_OK) {
        rk_fabric_detach_actors(attachment);
        return status;
    }
    *out_attachment = attachment;
    return RK_OK;
}

void rk_fabric_detach_actors(rk_actor_attachment *attachment)
{
    if (!attachment) {
        return;
    }
    while (attachment->endpoints) {
        actor_endpoint *endpoint = attachment->endpoints;
        attachment->endpoints = endpoint->next;
        if (endpoint->id != 0) {
            (void)rk_endpoint_unregister(attachment->fabric, endpoint->id); /* it is there */
        }
        free(endpoint);
    }
    free(attachment);
}

uint32_t rk_actor_attachment_endpoint(const rk_actor_attachment *attachment, const char *name)
{
    for (const actor_endpoint *e = attachment->endpoints; e; e = e->next) {
        if (strcmp(e->name, name) == 0) {
            return e->id;
        }
    }
    return 0;
}
