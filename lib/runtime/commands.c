/*
 * commands.c: the host's side of the command protocol: submit, replies. Emitted messages: port.c.
 *
 * Invariants
 *   1. pending[id % limit] is the one place of a command, and only an id whose place is free is
 *      given out; so at most `limit` commands are open, and each has room for its answers in the
 *      K2H ring.
 *   2. A place is opened before its command is published, and closed by the drain; ids never repeat
 *      and grow along the H2K ring.
 *   3. Whoever waits drains: one thread at a time holds rx and sleeps on the ring, the others sleep
 *      on `drained`. A thread that gives rx up changes `drained`, so another takes over.
 */
#include "base/clock.h"
#include "base/wait.h"
#include "runtime/runtime_internal.h"
#include <ringkernel/abi/command.h>
#include <stdlib.h>
#include <string.h>

/* A sleeping kernel takes half of this to wake; a host that sleeps as well waits for two wakes. */
#define SPIN_NS 50000u
#define BELL_TURN_NS ((uint64_t)RK_NS_PER_S)
#define DEFAULT_IN_FLIGHT 256u

static rk_pending *pending_of(rk_kernel *kernel, uint64_t id)
{
    return &kernel->pending[id & (kernel->in_flight_limit - 1)];
}

rk_status rk_commands_init(rk_kernel *kernel, uint32_t in_flight_limit, rk_err *err)
{
    uint32_t limit = in_flight_limit > 0 ? in_flight_limit : DEFAULT_IN_FLIGHT;
    if ((limit & (limit - 1)) != 0 || limit > 65536) {
        return rk_err_set(err, RK_INVALID,
                          "kernel '%s': the in-flight limit %u is not a power of two up to 65536",
                          kernel->name, limit);
    }
    if (kernel->layout.options.k2h_slots < 4 * limit) {
        return rk_err_set(
            err, RK_INVALID,
            "kernel '%s': %u answer slots are too few for %u commands in flight; use at "
            "least %u",
            kernel->name, kernel->layout.options.k2h_slots, limit, 4 * limit);
    }
    kernel->pending = calloc(limit, sizeof kernel->pending[0]);
    if (kernel->pending == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the commands of kernel '%s'",
                          kernel->name);
    }
    kernel->in_flight_limit = limit;
    kernel->next_id = 1;
    rk_mutex_init(&kernel->tx);
    rk_mutex_init(&kernel->rx);
    rk_port_init(kernel);
    return RK_OK;
}

rk_status rk_commands_attach(rk_kernel *kernel, rk_err *err)
{
    const rk_layout *layout = &kernel->layout;
    rk_status status = rk_ring_attach(&kernel->h2k, RK_RING_PRODUCER, kernel->mapped.host,
                                      kernel->mapped.bytes, layout->h2k, err);
    if (status == RK_OK) {
        status = rk_ring_attach(&kernel->k2h, RK_RING_CONSUMER, kernel->mapped.host,
                                kernel->mapped.bytes, layout->k2h, err);
    }
    if (status == RK_OK && layout->options.slab_bytes > 0) {
        rk_slab_config config;
        status = rk_slab_config_fit(&config, layout->options.slab_bytes);
        if (status != RK_OK) {
            (void)rk_err_set(err, RK_INVALID,
                             "kernel '%s': a slab of %llu bytes is too small; it takes at least "
                             "1 MiB",
                             kernel->name, (unsigned long long)layout->options.slab_bytes);
            status = RK_INVALID;
        } else {
            status = rk_slab_init(kernel->mapped.host + layout->slab, layout->options.slab_bytes,
                                  &config, err);
        }
        if (status == RK_OK) {
            status = rk_slab_attach(&kernel->slab, kernel->mapped.host + layout->slab,
                                    layout->options.slab_bytes, err);
        }
    }
    return status;
}

void rk_commands_finish(rk_kernel *kernel)
{
    rk_port_finish(kernel);
    free(kernel->pending);
    rk_mutex_finish(&kernel->tx);
    rk_mutex_finish(&kernel->rx);
}

/* ---- Submitting ---------------------------------------------------------------------------- */

static rk_status refuse_ended(rk_kernel *kernel, rk_err *err)
{
    if (rk_word_load_acquire(&kernel->ended) != 0) {
        return rk_kernel_end_status(kernel, err);
    }
    return rk_err_set(err, RK_STATE, "kernel '%s' is not resident (%s); start it first",
                      kernel->name, rk_kernel_state_text(rk_kernel_state(kernel)));
}

/* Puts a payload of any length into a slot; long ones go to the slab. tx is held. */
static rk_status slot_fill(rk_kernel *kernel, rk_slot *slot, rk_pending *pending,
                           const void *payload, size_t bytes, rk_err *err)
{
    slot->header.length = (rk_u32)bytes;
    if (bytes <= RK_SLOT_PAYLOAD_BYTES) {
        if (bytes > 0) {
            memcpy(slot->payload, payload, bytes);
        }
        return RK_OK;
    }
    if (kernel->layout.options.slab_bytes == 0 || bytes > UINT32_MAX) {
        return rk_err_set(
            err, RK_LIMIT,
            "a payload of %zu bytes is too long for kernel '%s': it has no slab; launch it "
            "with slab_bytes",
            bytes, kernel->name);
    }
    rk_status status = rk_slab_put(&kernel->slab, payload, (uint32_t)bytes, &pending->slab);
    if (status != RK_OK) {
        return rk_err_set(
            err, status,
            "no room for a payload of %zu bytes in the slab of kernel '%s' (%llu bytes); "
            "wait for earlier commands, or launch it with more slab_bytes",
            bytes, kernel->name, (unsigned long long)kernel->layout.options.slab_bytes);
    }
    pending->has_slab = 1;
    memcpy(slot->payload, &pending->slab, sizeof pending->slab);
    slot->header.flags |= RK_MSG_SLAB;
    return RK_OK;
}

static void pending_close(rk_kernel *kernel, rk_pending *pending);

/*
 * Takes the next free place; its id is set. Ids whose place is still in use are passed over. When
 * every place is in use, the oldest reply that nobody has taken gives way. NULL when all are open.
 * tx is held.
 */
static rk_pending *pending_claim(rk_kernel *kernel, uint64_t *out_id)
{
    uint64_t end = kernel->next_id + kernel->in_flight_limit;
    for (uint64_t id = kernel->next_id; id < end; id++) {
        if (rk_word_load_acquire(&pending_of(kernel, id)->state) == PENDING_FREE) {
            *out_id = id;
            return pending_of(kernel, id);
        }
    }
    for (uint64_t id = kernel->next_id; id < end; id++) {
        rk_u32 done = PENDING_DONE;
        if (rk_word_cas(&pending_of(kernel, id)->state, &done, PENDING_TAKEN)) {
            *out_id = id;
            return pending_of(kernel, id);
        }
    }
    return NULL;
}

static bool pending_is_open(const rk_pending *pending)
{
    rk_u32 state = rk_word_load_acquire(&pending->state);
    return state == PENDING_OPEN || state == PENDING_ACCEPTED;
}

static void count_open(rk_kernel *kernel, const rk_pending *pending, rk_u32 by)
{
    (void)rk_word_add(&kernel->in_flight, by);
    if (pending->type == RK_CMD_RUN) {
        (void)rk_word_add(&kernel->open_runs, by);
    } else if (pending->type == RK_CMD_RESUME) {
        (void)rk_word_add(&kernel->open_resumes, by);
    }
}

static void pending_finish(rk_kernel *kernel, rk_pending *pending, rk_status status)
{
    pending_close(kernel, pending);
    if (pending->record != NULL) {
        rk_port_done(kernel, pending, status);
    }
    rk_word_store_release(&pending->state, pending->wanted != 0 ? PENDING_DONE : PENDING_FREE);
}

/*
 * Whether something may be put into the ring; tx is held, so an exit that comes now finds it there.
 * The messages of a port may wait in the ring of a kernel that is parked or not started yet. They,
 * and runs, which a pause holds for as long as it lasts, leave a quarter of the places in flight to
 * other commands.
 */
static rk_status admit(rk_kernel *kernel, uint32_t type, bool from_port, rk_err *err)
{
    uint32_t most = kernel->in_flight_limit - RK_MAX(1u, kernel->in_flight_limit / 4);
    if (from_port && rk_word_load(&kernel->in_flight) >= most) {
        return rk_err_set(err, RK_FULL, "kernel '%s' has %u messages and commands in flight",
                          kernel->name, rk_word_load(&kernel->in_flight));
    }
    if (type == RK_CMD_RUN && rk_word_load(&kernel->open_runs) >= most) {
        return rk_err_set(err, RK_LIMIT,
                          "kernel '%s' has %u runs in flight; wait for their replies first",
                          kernel->name, rk_word_load(&kernel->open_runs));
    }
    if (rk_word_load_acquire(&kernel->resident) != 0) {
        return RK_OK;
    }
    uint32_t state = rk_kernel_state(kernel);
    if (from_port && rk_word_load_acquire(&kernel->ended) == 0 &&
        (state == RK_KERNEL_PARKED || state == RK_KERNEL_CREATED)) {
        return RK_OK;
    }
    return refuse_ended(kernel, err);
}

static uint32_t drain(rk_kernel *kernel);
static void rx_give_up(rk_kernel *kernel);

/*
 * A free place, and room in the ring for its command. Replies that lie in the ring unread may hold
 * places: nobody waits for the commands of a program that only sends. tx is held.
 */
static rk_status place_claim(rk_kernel *kernel, rk_status full, rk_pending **out_pending,
                             uint64_t *out_id, rk_err *err)
{
    rk_slot *slot;
    if (rk_ring_reserve(&kernel->h2k, 1, &slot) == 0) {
        return rk_err_set(err, full,
                          "the command ring of kernel '%s' is full (%u slots): the kernel does not "
                          "keep up; wait, or launch it with more command_slots",
                          kernel->name, kernel->layout.options.h2k_slots);
    }
    *out_pending = pending_claim(kernel, out_id);
    if (*out_pending == NULL && rk_mutex_try_lock(&kernel->rx)) {
        (void)drain(kernel);
        rx_give_up(kernel);
        *out_pending = pending_claim(kernel, out_id);
    }
    if (*out_pending == NULL) {
        return rk_err_set(err, full,
                          "kernel '%s' has %u commands in flight, the limit is %u; wait for "
                          "replies first",
                          kernel->name, rk_word_load(&kernel->in_flight), kernel->in_flight_limit);
    }
    return RK_OK;
}

rk_status rk_commands_submit(rk_kernel *kernel, const rk_msg_header *header, const void *payload,
                             size_t bytes, void *record, uint64_t *out_id, rk_err *err)
{
    rk_slot slot = {.header = *header};
    uint64_t id = 0;
    rk_pending *pending = NULL;
    rk_mutex_lock(&kernel->tx);
    rk_status status = admit(kernel, header->type, record != NULL, err);
    if (status == RK_OK) {
        status = place_claim(kernel, record != NULL ? RK_FULL : RK_LIMIT, &pending, &id, err);
    }
    if (status != RK_OK) {
        rk_mutex_unlock(&kernel->tx);
        return status;
    }
    rk_word64_store(&pending->id, id);
    pending->has_slab = 0;
    pending->type = header->type;
    pending->wanted = out_id != NULL;
    pending->record = record;
    pending->port = kernel->port_number;
    status = slot_fill(kernel, &slot, pending, payload, bytes, err);
    if (status == RK_OK) {
        slot.header.id = id;
        count_open(kernel, pending, 1);
        kernel->next_id = id + 1;
        rk_word_store_release(&pending->state, PENDING_OPEN);
        /* Cannot fail: there is room, and nobody else takes it. */
        (void)rk_ring_push(&kernel->h2k, &slot);
    } else {
        rk_word_store_release(&pending->state, PENDING_FREE);
    }
    rk_mutex_unlock(&kernel->tx);
    if (status == RK_OK && out_id != NULL) {
        *out_id = id;
    }
    return status;
}

static rk_status submit(rk_kernel *kernel, const rk_msg_header *header, const void *payload,
                        size_t bytes, uint64_t *out_id, rk_err *err)
{
    return rk_commands_submit(kernel, header, payload, bytes, NULL, out_id, err);
}

static rk_status submit_command(rk_kernel *kernel, uint32_t type, uint64_t arg, const void *data,
                                size_t bytes, uint64_t *out_id, rk_err *err)
{
    rk_command command = {.arg = arg};
    if (bytes > 0) {
        memcpy(command.data, data, bytes);
    }
    rk_msg_header header = {.type = type, .flags = RK_MSG_PRIORITY_NORMAL};
    return submit(kernel, &header, &command, sizeof command, out_id, err);
}

rk_status rk_kernel_run(rk_kernel *kernel, uint64_t steps, uint64_t *out_id, rk_err *err)
{
    return rk_kernel_run_reporting(kernel, steps, 0, out_id, err);
}

rk_status rk_kernel_run_reporting(rk_kernel *kernel, uint64_t steps, uint32_t interval,
                                  uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_RUN, steps, &interval, sizeof interval, out_id, err);
}

rk_status rk_kernel_pause(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_PAUSE, 0, NULL, 0, out_id, err);
}

rk_status rk_kernel_resume(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_RESUME, 0, NULL, 0, out_id, err);
}

rk_status rk_kernel_inject(rk_kernel *kernel, const char *field, uint64_t index, double value,
                           bool add, uint64_t *out_id, rk_err *err)
{
    int found = rk_schema_find_field(rk_module_schema(kernel->module), field);
    if (found < 0) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "kernel '%s' has no field '%s'; 'rk inspect' lists them", kernel->name,
                          field);
    }
    const rk_layout_field *laid = &kernel->layout.field[found];
    uint64_t elements = laid->bytes / laid->element_bytes;
    if (index >= elements) {
        return rk_err_set(
            err, RK_INVALID, "kernel '%s': element %llu is outside field '%s' of %llu elements",
            kernel->name, (unsigned long long)index, field, (unsigned long long)elements);
    }
    if (!add) { /* what is added may be negative even where the sum is not */
        uint64_t slot;
        rk_status status = rk_param_from_number(laid->type, value, &slot, err);
        if (status != RK_OK) {
            (void)rk_err_prefix(err, "kernel '%s', field '%s': ", kernel->name, field);
            return status;
        }
    }
    rk_inject inject = {
        .value = value, .field = (rk_u32)found, .mode = add ? RK_INJECT_ADD : RK_INJECT_SET};
    return submit_command(kernel, RK_CMD_INJECT, index, &inject, sizeof inject, out_id, err);
}

rk_status rk_kernel_custom(rk_kernel *kernel, uint64_t operation, const void *data, size_t bytes,
                           uint64_t *out_id, rk_err *err)
{
    rk_msg_header header = {.type = RK_CMD_CUSTOM, .flags = RK_MSG_PRIORITY_NORMAL};
    rk_command command = {.arg = operation};
    if (bytes <= sizeof command.data) {
        if (bytes > 0) {
            memcpy(command.data, data, bytes);
        }
        return submit(kernel, &header, &command, sizeof command.arg + bytes, out_id, err);
    }
    uint8_t *whole = bytes < UINT32_MAX ? malloc(sizeof operation + bytes) : NULL;
    if (whole == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a command of %zu bytes", bytes);
    }
    memcpy(whole, &operation, sizeof operation);
    memcpy(whole + sizeof operation, data, bytes);
    rk_status status = submit(kernel, &header, whole, sizeof operation + bytes, out_id, err);
    free(whole);
    return status;
}

rk_status rk_kernel_progress(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_PROGRESS, 0, NULL, 0, out_id, err);
}

rk_status rk_kernel_stats(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_STATS, 0, NULL, 0, out_id, err);
}

void rk_commands_sample(rk_kernel *kernel)
{
    rk_commands_look(kernel, false);
    const rk_pending *last = pending_of(kernel, kernel->sample.id);
    bool is_open = pending_is_open(last) && rk_word64_load(&last->id) == kernel->sample.id;
    if (is_open || rk_word_load(&kernel->in_flight) > kernel->in_flight_limit / 2) {
        return;
    }
    rk_msg_header header = {.type = RK_CMD_STATS, .flags = RK_MSG_PRIORITY_NORMAL};
    rk_command command = {.arg = 0};
    /* Refused while it leaves: then its last counters stand. An answer that nobody takes gives way
     * to other commands. */
    (void)submit(kernel, &header, &command, sizeof command, &kernel->sample.id, NULL);
}

rk_status rk_kernel_ping(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_PING, 0, NULL, 0, out_id, err);
}

rk_status rk_kernel_step_budget(rk_kernel *kernel, uint64_t steps, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_STEP_BUDGET, steps, NULL, 0, out_id, err);
}

rk_status rk_kernel_check(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_CHECK, 0, NULL, 0, out_id, err);
}

rk_status rk_kernel_features(rk_kernel *kernel, uint64_t mask, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_FEATURES, mask, NULL, 0, out_id, err);
}

rk_status rk_commands_trace(rk_kernel *kernel, uint32_t mask, uint32_t every, uint64_t *out_id,
                            rk_err *err)
{
    return submit_command(kernel, RK_CMD_TRACE, mask | (uint64_t)every << 32, NULL, 0, out_id, err);
}

rk_status rk_kernel_quiesce(rk_kernel *kernel, uint64_t reason, uint64_t *out_id, rk_err *err)
{
    /* So that one which the kernel reads only after it was started again does not park it again. */
    rk_u32 launch = rk_word_load_acquire(&kernel->control->launch);
    return submit_command(kernel, RK_CMD_QUIESCE, reason, &launch, sizeof launch, out_id, err);
}

rk_status rk_kernel_terminate(rk_kernel *kernel, uint64_t *out_id, rk_err *err)
{
    return submit_command(kernel, RK_CMD_TERMINATE, 0, NULL, 0, out_id, err);
}

rk_status rk_kernel_send(rk_kernel *kernel, uint32_t type, uint32_t correlation, const void *data,
                         size_t bytes, uint64_t *out_id, rk_err *err)
{
    if (type < RK_MSG_TYPE_USER) {
        return rk_err_set(
            err, RK_INVALID,
            "message type %u is reserved for the protocol; types of messages start at %u", type,
            RK_MSG_TYPE_USER);
    }
    rk_msg_header header = {.type = type,
                            .flags =
                                RK_MSG_PRIORITY_NORMAL | (correlation != 0 ? RK_MSG_REQUEST : 0u),
                            .correlation = correlation};
    return submit(kernel, &header, data, bytes, out_id, err);
}

void rk_kernel_abort(rk_kernel *kernel)
{
    rk_mutex_lock(&kernel->tx);
    rk_word64_store_release(&kernel->control->abort_before, kernel->next_id);
    rk_mutex_unlock(&kernel->tx);
    rk_bell_notify(&kernel->control->bell);
}

/* ---- Draining ------------------------------------------------------------------------------ */

static void pending_close(rk_kernel *kernel, rk_pending *pending)
{
    if (pending->has_slab != 0) {
        /* Stale would mean that the kernel's side wrote into the slab: nothing is left to free
         * then. */
        (void)rk_slab_free(&kernel->slab, &pending->slab);
        pending->has_slab = 0;
    }
    count_open(kernel, pending, (rk_u32)-1);
}

static void take_answer(rk_kernel *kernel, const rk_slot *slot)
{
    uint64_t id = rk_word64_load(&slot->header.id);
    rk_u32 type = rk_word_load(&slot->header.type);
    rk_pending *pending = pending_of(kernel, id);
    rk_answer answer;
    memcpy(&answer, slot->payload, sizeof answer);
    if (rk_word64_load(&pending->id) != id || !pending_is_open(pending)) {
        return; /* an answer to nothing: the kernel's side is not believed */
    }
    rk_reply reply = {.id = id,
                      .status = (rk_status)answer.status,
                      .level = (rk_level)RK_MIN(answer.level, (rk_u32)RK_LEVEL_DURABLE),
                      .step = answer.step};
    memcpy(reply.value, answer.value, sizeof answer.value);
    bool accepted = rk_word_load_acquire(&pending->state) == PENDING_ACCEPTED;
    if (type == RK_ANSWER_PROGRESS && accepted) {
        return; /* a run that goes on; its step stands in the control block */
    }
    if (reply.level >= RK_REPLY_APPLIED) {
        pending->reply = reply;
        pending_finish(kernel, pending, reply.status);
    } else if (!accepted) {
        pending->accepted = reply;
        rk_word_store_release(&pending->state, PENDING_ACCEPTED);
    }
}

static void drained_changes(rk_kernel *kernel)
{
    (void)rk_word_add(&kernel->drained, 1);
    rk_fence_full();
    if (rk_word_load(&kernel->drain_waiters) != 0) {
        rk_wake(&kernel->drained, RK_WAKE_ALL);
    }
}

/* Takes everything that has arrived. rx is held. Returns how many messages. */
static uint32_t drain(rk_kernel *kernel)
{
    uint32_t taken = 0;
    for (;;) {
        const rk_slot *slot;
        uint32_t ready = rk_ring_peek(&kernel->k2h, kernel->k2h.capacity, &slot);
        if (ready == 0) {
            break;
        }
        uint32_t used = 0;
        while (used < ready) {
            /* Read once: the other side may change it while it is looked at. */
            rk_u32 length = rk_word_load(&slot[used].header.length);
            rk_u32 type = rk_word_load(&slot[used].header.type);
            uint32_t slots = length <= RK_SLOT_PAYLOAD_BYTES
                                 ? 1
                                 : 2 + (length - RK_SLOT_PAYLOAD_BYTES - 1) / RK_SLOT_BYTES;
            if (slots > ready - used) {
                /* The kernel publishes a message whole, so this is damage: skip what is there. */
                used = ready;
                break;
            }
            if (type >= RK_MSG_TYPE_USER) {
                rk_port_emitted(kernel, &slot[used], length);
            } else if (type != RK_ANSWER_SKIP) {
                take_answer(kernel, &slot[used]);
            }
            used += slots;
            taken++;
        }
        rk_ring_release(&kernel->k2h, used);
    }
    rk_word_store_release(&kernel->damaged, kernel->k2h.corrupt ? 1 : 0);
    if (taken > 0) {
        drained_changes(kernel);
    }
    return taken;
}

/* Invariant 3: whoever found rx taken, and now sleeps on `drained`, must look again. */
static void rx_give_up(rk_kernel *kernel)
{
    rk_mutex_unlock(&kernel->rx);
    rk_fence_full(); /* pairs with that of rk_commands_wait_turn */
    if (rk_word_load(&kernel->drain_waiters) != 0) {
        rk_commands_wake(kernel);
    }
}

void rk_commands_wake(rk_kernel *kernel)
{
    (void)rk_word_add(&kernel->drained, 1);
    rk_wake(&kernel->drained, RK_WAKE_ALL);
}

void rk_commands_look(rk_kernel *kernel, bool wait_for_rx)
{
    if (wait_for_rx) {
        rk_mutex_lock(&kernel->rx);
    } else if (!rk_mutex_try_lock(&kernel->rx)) {
        return;
    }
    (void)drain(kernel);
    rx_give_up(kernel);
}

bool rk_commands_may_step(rk_kernel *kernel)
{
    if (rk_mutex_try_lock(&kernel->rx)) {
        (void)drain(kernel);
        rx_give_up(kernel);
    }
    uint32_t state = rk_kernel_state(kernel);
    if (state == RK_KERNEL_RUNNING || state == RK_KERNEL_LAUNCHED) {
        return true;
    }
    if (rk_word_load_acquire(&kernel->resident) == 0) {
        return false;
    }
    return rk_word_load_acquire(&kernel->open_resumes) != 0 ||
           (rk_word_load_acquire(&kernel->open_runs) != 0 && state != RK_KERNEL_PAUSED);
}

void rk_commands_fail_all(rk_kernel *kernel, rk_status status)
{
    rk_mutex_lock(&kernel->tx);
    rk_mutex_lock(&kernel->rx);
    (void)drain(kernel);
    for (uint32_t i = 0; i < kernel->in_flight_limit; i++) {
        rk_pending *pending = &kernel->pending[i];
        if (pending_is_open(pending)) {
            pending->reply = (rk_reply){.id = rk_word64_load(&pending->id),
                                        .status = status,
                                        .step = rk_word64_load(&kernel->control->step)};
            pending_finish(kernel, pending, status);
        }
    }
    rk_port_exited(kernel);
    rk_mutex_unlock(&kernel->rx);
    rk_mutex_unlock(&kernel->tx);
    rk_commands_wake(kernel);
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static bool something_to_see(void *context)
{
    rk_kernel *kernel = context;
    return (rk_ring_has_message(&kernel->k2h) && !kernel->k2h.corrupt) ||
           rk_word_load_acquire(&kernel->resident) == 0 ||
           rk_word_load_acquire(&kernel->nudged) != 0;
}

/*
 * One turn of waiting: drains if nobody else does, else sleeps until somebody has. Returns
 * RK_TIMEOUT when the deadline has passed.
 */
rk_status rk_commands_wait_turn(rk_kernel *kernel, rk_u32 seen, uint64_t deadline_ns)
{
    (void)rk_word_add(&kernel->drain_waiters, 1);
    rk_fence_full(); /* pairs with that of rx_give_up */
    bool ours = rk_mutex_try_lock(&kernel->rx);
    if (!ours) {
        (void)rk_wait_while_equal(&kernel->drained, seen, deadline_ns, SPIN_NS);
    }
    (void)rk_word_add(&kernel->drain_waiters, (rk_u32)-1);
    if (!ours) {
        return rk_word_load_acquire(&kernel->drained) == seen ? RK_TIMEOUT : RK_OK;
    }
    rk_status status = RK_OK;
    if (drain(kernel) == 0 && rk_word_load(&kernel->drained) == seen) {
        if (rk_word_load_acquire(&kernel->resident) != 0) {
            /* In turns: the other side may damage the bell, and must not keep rx for ever. */
            uint64_t turn_ns = RK_MIN(deadline_ns, rk_clock_deadline_ns(BELL_TURN_NS));
            status = (kernel->home->caps.rings_host ? rk_bell_wait : rk_bell_wait_polling)(
                kernel->k2h.own_bell, something_to_see, kernel, turn_ns, SPIN_NS);
            status = status == RK_TIMEOUT && turn_ns < deadline_ns ? RK_OK : status;
            (void)drain(kernel);
        } else {
            /* Not resident: nothing will arrive until it is started or given up. */
            rk_mutex_unlock(&kernel->rx);
            return rk_wait_while_equal_parked(&kernel->drained, seen, deadline_ns, 0,
                                              &kernel->drain_waiters);
        }
    }
    rk_mutex_unlock(&kernel->rx);
    drained_changes(kernel);
    return status;
}

rk_status rk_commands_refuse_damaged(const rk_kernel *kernel, rk_err *err)
{
    return rk_err_set(err, RK_CORRUPT,
                      "kernel '%s' has damaged its answer ring; destroy it and create it anew",
                      kernel->name);
}

/* Copies the reply of a command that is done; false when somebody else was faster. */
static bool reply_take(rk_pending *pending, uint64_t id, rk_level level, rk_reply *out_reply)
{
    rk_u32 done = PENDING_DONE;
    if (!rk_word_cas(&pending->state, &done, PENDING_TAKEN)) {
        return false;
    }
    bool ours = rk_word64_load(&pending->id) == id; /* the place may have been given anew */
    *out_reply = pending->reply;
    rk_word_store_release(&pending->state,
                          ours && level >= RK_REPLY_APPLIED ? PENDING_FREE : PENDING_DONE);
    return ours;
}

/* The kernel ended before it answered. It may have been started again since. */
static rk_status refuse_lost(rk_kernel *kernel, const rk_reply *reply, rk_err *err)
{
    rk_err why = RK_ERR_INIT;
    if (rk_kernel_end_status(kernel, &why) == reply->status) {
        return rk_err_set(err, reply->status, "%s", why.text);
    }
    return rk_err_set(err, reply->status,
                      "kernel '%s' ended (%s) before it answered command %llu, and was restarted",
                      kernel->name, rk_status_text(reply->status), (unsigned long long)reply->id);
}

static rk_status wait_for(rk_kernel *kernel, uint64_t id, rk_level level, uint64_t timeout_ns,
                          rk_reply *out_reply, rk_err *err)
{
    uint64_t deadline_ns = 0;
    bool late = false;
    for (;;) {
        rk_u32 seen = rk_word_load_acquire(&kernel->drained);
        rk_pending *pending = pending_of(kernel, id);
        rk_u32 state = rk_word_load_acquire(&pending->state);
        if (id == 0 || rk_word64_load(&pending->id) != id || state == PENDING_FREE) {
            return rk_err_set(err, RK_NOT_FOUND,
                              "kernel '%s' has no command %llu waiting for its reply", kernel->name,
                              (unsigned long long)id);
        }
        if (state == PENDING_TAKEN) { /* for a moment: somebody copies the reply */
            rk_cpu_relax();
            continue;
        }
        if (state == PENDING_DONE) {
            rk_reply reply;
            if (!reply_take(pending, id, level, &reply)) {
                continue;
            }
            if (reply.level == RK_REPLY_NONE) {
                return refuse_lost(kernel, &reply, err);
            }
            *out_reply = reply;
            return RK_OK;
        }
        if (level == RK_REPLY_ACCEPTED && state == PENDING_ACCEPTED) {
            *out_reply = pending->accepted;
            return RK_OK;
        }
        if (rk_word_load_acquire(&kernel->damaged) != 0) {
            return rk_commands_refuse_damaged(kernel, err);
        }
        if (late) {
            return rk_err_set(
                err, RK_TIMEOUT,
                "kernel '%s' has not answered command %llu in time (state %s, step %llu); "
                "wait again, or abort the run",
                kernel->name, (unsigned long long)id, rk_kernel_state_text(rk_kernel_state(kernel)),
                (unsigned long long)rk_word64_load(&kernel->control->step));
        }
        if (deadline_ns == 0) {
            deadline_ns = timeout_ns == RK_FOREVER ? RK_NEVER : rk_clock_deadline_ns(timeout_ns);
        }
        late = rk_commands_wait_turn(kernel, seen, deadline_ns) == RK_TIMEOUT;
    }
}

rk_status rk_kernel_wait(rk_kernel *kernel, uint64_t id, uint64_t timeout_ns, rk_reply *out_reply,
                         rk_err *err)
{
    return wait_for(kernel, id, RK_REPLY_APPLIED, timeout_ns, out_reply, err);
}

rk_status rk_kernel_wait_accepted(rk_kernel *kernel, uint64_t id, uint64_t timeout_ns,
                                  rk_reply *out_reply, rk_err *err)
{
    return wait_for(kernel, id, RK_REPLY_ACCEPTED, timeout_ns, out_reply, err);
}
