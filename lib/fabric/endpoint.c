/*
 * endpoint.c: the table of endpoints.
 *
 * gate: bits 0..31 how many are inside, bit 32 open, bits 48..63 the generation. Entering adds
 * one and looks at what was there before; when the gate was closed or of another generation, one
 * is taken off again. So a lookup by id is two atomic operations and no lock, and a stale id
 * never reaches the next user of a slot. Free slots are used again in the order in which they
 * were given back.
 *
 *   free --register--> open --unregister--> closed, draining --> free (next generation)
 */
#include "base/wait.h"
#include "fabric/broker.h"
#include "fabric/session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATE_OPEN (UINT64_C(1) << 32)
#define GATE_INSIDE UINT64_C(0xffffffff)
#define GATE_GENERATION_SHIFT 48
#define KEY_BYTES (RK_FABRIC_NAME_MAX_BYTES + 16)

static uint32_t index_of(uint32_t id)
{
    return id & 0xffffu;
}

static bool gate_admits(uint64_t gate, uint32_t id)
{
    return (gate & GATE_OPEN) != 0 && gate >> GATE_GENERATION_SHIFT == id >> 16;
}

/* Generations go up: an id of an earlier one was valid once. */
static rk_receipt why_not(uint64_t gate, uint32_t id)
{
    bool was_valid = id >> 16 != 0 && gate >> GATE_GENERATION_SHIFT >= id >> 16;
    return was_valid ? RK_RECEIPT_CLOSED : RK_RECEIPT_NOT_FOUND;
}

rk_endpoint *rk_broker_slot(const rk_fabric *fabric, uint32_t index)
{
    /* Pairs with the release in slot_make. */
    rk_endpoint *page = atomic_load_explicit(&fabric->pages[index / RK_BROKER_PAGE_ENDPOINTS],
                                             memory_order_acquire);
    return page ? &page[index % RK_BROKER_PAGE_ENDPOINTS] : NULL;
}

static rk_endpoint *slot_make(rk_fabric *fabric, uint32_t index)
{
    rk_endpoint *slot = rk_broker_slot(fabric, index);
    if (slot) {
        return slot;
    }
    size_t bytes = sizeof(rk_endpoint) * RK_BROKER_PAGE_ENDPOINTS;
    rk_endpoint *page = aligned_alloc(RK_CACHE_LINE, bytes);
    if (!page) {
        return NULL;
    }
    memset(page, 0, bytes);
    atomic_store_explicit(&fabric->pages[index / RK_BROKER_PAGE_ENDPOINTS], page,
                          memory_order_release);
    return &page[index % RK_BROKER_PAGE_ENDPOINTS];
}

/* Changes generation and openness, whoever passes through meanwhile. */
static void gate_set(rk_endpoint *slot, uint64_t bits)
{
    uint64_t seen = atomic_load_explicit(&slot->gate, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&slot->gate, &seen, (seen & GATE_INSIDE) | bits,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
}

rk_status rk_broker_endpoints_init(rk_fabric *fabric)
{
    rk_mutex_init(&fabric->registry_lock);
    rk_smap_init(&fabric->names, fabric->options.endpoint_limit);
    rk_map_init(&fabric->routes, SIZE_MAX);
    fabric->fresh = 1;
    rk_endpoint *host = slot_make(fabric, 0);
    if (!host) {
        return RK_NO_MEMORY;
    }
    atomic_store_explicit(&host->epoch, fabric->options.epoch, memory_order_relaxed);
    gate_set(host, GATE_OPEN);
    return RK_OK;
}

void rk_broker_endpoints_finish(rk_fabric *fabric)
{
    for (uint32_t index = 1; index < fabric->fresh; index++) {
        rk_endpoint *slot = rk_broker_slot(fabric, index);
        if (atomic_load_explicit(&slot->gate, memory_order_relaxed) & GATE_OPEN) {
            (void)rk_endpoint_unregister(fabric, slot->id); /* open, so it exists */
        }
    }
    for (uint32_t i = 0; i < RK_BROKER_PAGES; i++) {
        free(atomic_load_explicit(&fabric->pages[i], memory_order_relaxed));
    }
    rk_map_finish(&fabric->routes);
    rk_smap_finish(&fabric->names);
    rk_mutex_finish(&fabric->registry_lock);
}

void rk_broker_leave(rk_endpoint *endpoint)
{
    /* Release: what was done inside comes before the unregistering thread's acquire. */
    uint64_t before = atomic_fetch_sub_explicit(&endpoint->gate, 1, memory_order_release);
    if (RK_UNLIKELY((before & GATE_OPEN) == 0 && (before & GATE_INSIDE) == 1)) {
        (void)rk_atomic_add_u32(&endpoint->drained, 1, memory_order_release);
        rk_wake(&endpoint->drained, RK_WAKE_ALL);
    }
}

rk_endpoint *rk_broker_enter(rk_fabric *fabric, uint32_t id, rk_receipt *out_why)
{
    rk_endpoint *slot = rk_broker_slot(fabric, index_of(id));
    if (RK_UNLIKELY(!slot)) {
        *out_why = RK_RECEIPT_NOT_FOUND;
        return NULL;
    }
    /* Acquire: pairs with the release that opened the gate. */
    uint64_t before = atomic_fetch_add_explicit(&slot->gate, 1, memory_order_acquire);
    if (RK_LIKELY(gate_admits(before, id))) {
        return slot;
    }
    rk_broker_leave(slot);
    *out_why = why_not(before, id);
    return NULL;
}

rk_receipt rk_broker_sender(rk_fabric *fabric, uint32_t id, rk_sender *out)
{
    rk_endpoint *slot = rk_broker_slot(fabric, index_of(id));
    if (!slot) {
        return RK_RECEIPT_NOT_FOUND;
    }
    uint64_t before = atomic_load_explicit(&slot->gate, memory_order_acquire);
    out->endpoint = slot;
    /* Acquire: keeps the second look behind these, and pairs with the releases in
     * rk_broker_register: who sees the values of a later user sees that the gate was closed. */
    out->tenant = atomic_load_explicit(&slot->tenant, memory_order_acquire);
    out->epoch = atomic_load_explicit(&slot->epoch, memory_order_acquire);
    uint64_t after = atomic_load_explicit(&slot->gate, memory_order_relaxed);
    if (RK_UNLIKELY(!gate_admits(before, id))) {
        return why_not(before, id);
    }
    /* Unchanged: the values belong together. */
    return gate_admits(after, id) ? RK_RECEIPT_DELIVERED : RK_RECEIPT_CLOSED;
}

static rk_status make_key(uint32_t tenant, const char *name, char key[KEY_BYTES], rk_err *err)
{
    size_t length = strlen(name);
    if (length == 0 || length > RK_FABRIC_NAME_MAX_BYTES) {
        return rk_err_set(err, RK_INVALID, "the name of an endpoint has %zu bytes: use 1 to %d",
                          length, RK_FABRIC_NAME_MAX_BYTES);
    }
    snprintf(key, KEY_BYTES, "%u/%s", tenant, name);
    return RK_OK;
}

/* An index to use, under the registry lock. */
static rk_endpoint *take_slot(rk_fabric *fabric, uint32_t *out_index)
{
    uint32_t index = fabric->free_first;
    if (index != 0) {
        rk_endpoint *slot = rk_broker_slot(fabric, index);
        fabric->free_first = slot->next_free;
        if (fabric->free_first == 0) {
            fabric->free_last = 0;
        }
        *out_index = index;
        return slot;
    }
    rk_endpoint *slot = slot_make(fabric, fabric->fresh);
    if (slot) {
        *out_index = fabric->fresh++;
    }
    return slot;
}

static void give_slot(rk_fabric *fabric, uint32_t index)
{
    rk_endpoint *slot = rk_broker_slot(fabric, index);
    slot->next_free = 0;
    if (fabric->free_last != 0) {
        rk_broker_slot(fabric, fabric->free_last)->next_free = index;
    } else {
        fabric->free_first = index;
    }
    fabric->free_last = index;
}

/* The id that this slot's next user gets: generations run from 1 to 65535 and around. */
static uint32_t next_id(const rk_endpoint *slot, uint32_t index)
{
    uint64_t gate = atomic_load_explicit(&slot->gate, memory_order_relaxed);
    uint32_t generation = (uint32_t)(gate >> GATE_GENERATION_SHIFT) + 1;
    return (generation > 0xffffu ? 1u : generation) << 16 | index;
}

static rk_status register_locked(rk_fabric *fabric, const rk_endpoint_options *options,
                                 const char *key, rk_endpoint **out, rk_err *err)
{
    const char *shown = options->name ? options->name : "(no name)";
    if (fabric->endpoint_count >= fabric->options.endpoint_limit) {
        return rk_err_set(err, RK_LIMIT,
                          "cannot register endpoint '%s': the fabric has %u, which is its limit; "
                          "unregister some or raise endpoint_limit",
                          shown, fabric->endpoint_count);
    }
    if (key && rk_smap_get(&fabric->names, key)) {
        return rk_err_set(err, RK_EXISTS,
                          "cannot register endpoint '%s': tenant %u has one of that name; choose "
                          "another name",
                          shown, options->tenant);
    }
    char *name = key ? strdup(key) : NULL;
    uint32_t index = 0;
    rk_endpoint *slot = key && !name ? NULL : take_slot(fabric, &index);
    if (!slot) {
        free(name);
        return rk_err_set(err, RK_NO_MEMORY, "cannot register endpoint '%s': out of memory", shown);
    }
    uint32_t id = next_id(slot, index);
    if (key) {
        rk_status status = rk_smap_add(&fabric->names, key, (void *)(uintptr_t)id);
        if (status != RK_OK) {
            give_slot(fabric, index);
            free(name);
            return rk_err_set(err, status, "cannot register endpoint '%s': %s", shown,
                              rk_status_text(status));
        }
    }
    slot->id = id;
    slot->name = name;
    fabric->endpoint_count++;
    *out = slot;
    return RK_OK;
}

rk_status rk_broker_register(rk_fabric *fabric, const rk_endpoint_options *options,
                             const rk_endpoint_ops *ops, void *context, rk_link *link,
                             uint32_t *out_id, rk_err *err)
{
    static const rk_endpoint_options defaults;
    options = options ? options : &defaults;
    if (!ops || !ops->deliver) {
        return rk_err_set(err, RK_INVALID, "an endpoint needs a deliver operation");
    }
    char key[KEY_BYTES];
    if (options->name) {
        rk_status status = make_key(options->tenant, options->name, key, err);
        if (status != RK_OK) {
            return status;
        }
    }
    rk_endpoint *slot = NULL;
    rk_mutex_lock(&fabric->registry_lock);
    rk_status status = register_locked(fabric, options, options->name ? key : NULL, &slot, err);
    if (status == RK_OK) {
        slot->ops = ops;
        slot->context = context;
        slot->link = link;
        atomic_store_explicit(&slot->tenant, options->tenant, memory_order_release);
        atomic_store_explicit(&slot->epoch, options->epoch ? options->epoch : fabric->options.epoch,
                              memory_order_release);
        gate_set(slot, GATE_OPEN | (uint64_t)(slot->id >> 16) << GATE_GENERATION_SHIFT);
        *out_id = slot->id;
    }
    rk_mutex_unlock(&fabric->registry_lock);
    if (status == RK_OK) {
        rk_address self = {fabric->options.node, *out_id};
        rk_delivery none = {.tenant = options->tenant, .source = self};
        rk_broker_event(fabric, RK_FABRIC_REGISTERED, &none, self, options->tenant,
                        RK_RECEIPT_DELIVERED);
    }
    return status;
}

rk_status rk_endpoint_register(rk_fabric *fabric, const rk_endpoint_options *options,
                               const rk_endpoint_ops *ops, void *context, uint32_t *out_id,
                               rk_err *err)
{
    return rk_broker_register(fabric, options, ops, context, NULL, out_id, err);
}

/* Closes the gate; false when somebody else did or the id is not valid. */
static bool close_gate(rk_fabric *fabric, rk_endpoint *slot, uint32_t id)
{
    bool closed = false;
    rk_mutex_lock(&fabric->registry_lock);
    if (gate_admits(atomic_load_explicit(&slot->gate, memory_order_relaxed), id)) {
        closed = true;
        gate_set(slot, (uint64_t)(id >> 16) << GATE_GENERATION_SHIFT);
        if (slot->name) {
            (void)rk_smap_remove(&fabric->names, slot->name); /* it is there */
            free(slot->name);
            slot->name = NULL;
        }
    }
    rk_mutex_unlock(&fabric->registry_lock);
    return closed;
}

static void wait_until_drained(rk_endpoint *slot)
{
    for (;;) {
        uint32_t seen = rk_atomic_load_u32(&slot->drained, memory_order_acquire);
        /* Acquire: pairs with the release in rk_broker_leave. */
        if ((atomic_load_explicit(&slot->gate, memory_order_acquire) & GATE_INSIDE) == 0) {
            return;
        }
        (void)rk_wait_while_equal(&slot->drained, seen, UINT64_MAX, 1000); /* looks again anyway */
    }
}

rk_status rk_endpoint_unregister(rk_fabric *fabric, uint32_t id)
{
    rk_endpoint *slot = rk_broker_slot(fabric, index_of(id));
    if (index_of(id) == 0 || !slot || !close_gate(fabric, slot, id)) {
        return RK_NOT_FOUND;
    }
    wait_until_drained(slot);
    uint32_t tenant = atomic_load_explicit(&slot->tenant, memory_order_relaxed);
    if (slot->link) {
        rk_broker_unroute(fabric, id);
    }
    rk_pubsub_drop(fabric, slot);
    rk_session_destroy(fabric, slot, atomic_exchange(&slot->session, NULL));
    rk_requests_end(fabric, id);

    rk_mutex_lock(&fabric->registry_lock);
    for (uint32_t i = 0; i < RK_RECEIPT_COUNT; i++) {
        fabric->retired[i] += atomic_exchange(&slot->received[i], 0);
    }
    fabric->retired_bytes += atomic_exchange(&slot->received_bytes, 0);
    atomic_store(&slot->lost, 0);
    atomic_store(&slot->sent, 0);
    free(slot->link);
    slot->link = NULL;
    slot->ops = NULL;
    slot->context = NULL;
    give_slot(fabric, index_of(id));
    fabric->endpoint_count--;
    rk_mutex_unlock(&fabric->registry_lock);

    rk_address self = {fabric->options.node, id};
    rk_delivery none = {.tenant = tenant, .source = self};
    rk_broker_event(fabric, RK_FABRIC_UNREGISTERED, &none, self, tenant, RK_RECEIPT_DELIVERED);
    return RK_OK;
}

rk_status rk_endpoint_find(rk_fabric *fabric, uint32_t tenant, const char *name, uint32_t *out_id)
{
    char key[KEY_BYTES];
    if (!name || make_key(tenant, name, key, NULL) != RK_OK) {
        return RK_NOT_FOUND;
    }
    rk_mutex_lock(&fabric->registry_lock);
    void *found = rk_smap_get(&fabric->names, key);
    rk_mutex_unlock(&fabric->registry_lock);
    if (!found) {
        return RK_NOT_FOUND;
    }
    *out_id = (uint32_t)(uintptr_t)found;
    return RK_OK;
}
