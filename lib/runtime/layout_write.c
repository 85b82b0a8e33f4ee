/*
 * layout_write.c: fills a laid-out mapped page and the head of an arena before a launch.
 */
#include "runtime/layout.h"

#include "core/ring.h"
#include "profile/trace_ring.h"

#include <string.h>

#define DEFAULT_MESSAGE_BATCH 64u

static void write_control(const rk_layout *layout, const rk_layout_identity *identity,
                          rk_control *control)
{
    const rk_layout_options *options = &layout->options;
    control->magic = RK_CONTROL_MAGIC;
    control->abi_version = RK_ABI_VERSION;
    control->layout_hash = layout->hash;
    control->kernel_id = identity->kernel_id;
    control->node = identity->node;
    control->tenant = identity->tenant;
    control->block_count = options->block_count;
    control->epoch = identity->epoch;
    control->seed = identity->seed;
    control->arena_bytes = layout->arena_bytes;
    control->mapped_bytes = layout->mapped_bytes;
    control->h2k = layout->h2k;
    control->k2h = layout->k2h;
    control->peer = layout->peer;
    control->slab = layout->slab;
    control->slab_bytes = options->slab_bytes;
    control->routes = layout->routes;
    control->pool = layout->pool;
    control->pool_bytes = options->pool_bytes;
    control->route_count = options->route_count;
    control->entry = RK_ENTRY_INIT;
    control->params = layout->params;
    control->fields = layout->fields;
    control->param_count = layout->param_count;
    control->field_count = layout->field_count;
    for (uint32_t i = 0; i < layout->field_count; i++) {
        control->field_type[i] = (rk_u8)layout->field[i].type;
    }
    uint32_t quarter = options->k2h_slots / 4;
    control->answer_reserve = identity->answer_reserve ? identity->answer_reserve : quarter;
    control->message_batch =
        identity->message_batch ? identity->message_batch : DEFAULT_MESSAGE_BATCH;
    control->features = identity->features;
    control->ticks_per_s = identity->ticks_per_s;
    control->poller = identity->poller ? 1 : 0;
    control->lease_steps = identity->lease_steps;
    control->lease_polls = identity->lease_polls;
    control->state = RK_KERNEL_CREATED;
}

static rk_status write_ring(unsigned char *area, uint64_t offset, uint32_t kind, uint32_t capacity,
                            rk_err *err)
{
    return rk_ring_init((rk_ring *)(area + offset), rk_ring_bytes(kind, capacity), kind, capacity,
                        0, err);
}

/* The kernel waits for commands and messages on one bell; the inbox gets it at the launch. */
static rk_status write_rings(const rk_layout *layout, unsigned char *mapped, unsigned char *arena,
                             rk_err *err)
{
    const rk_layout_options *o = &layout->options;
    rk_status status = write_ring(mapped, layout->h2k, RK_RING_SPSC, o->h2k_slots, err);
    if (status == RK_OK) {
        rk_ring_set_bell((rk_ring *)(mapped + layout->h2k), RK_RING_CONSUMER,
                         &((rk_control *)mapped)->bell);
        status = write_ring(mapped, layout->k2h, RK_RING_SPSC, o->k2h_slots, err);
    }
    if (status == RK_OK) {
        rk_trace_ring_init((rk_trace_ring *)(mapped + layout->trace), o->trace_slots);
        status = write_ring(arena, layout->inbox, RK_RING_MPSC, o->inbox_slots, err);
    }
    return status;
}

static void write_arena(const rk_layout *layout, const uint64_t *params, const rk_control *control,
                        unsigned char *arena)
{
    rk_loop *loop = (rk_loop *)arena;
    loop->budget = UINT64_MAX; /* no limit */
    rk_peer *peer = (rk_peer *)(arena + layout->peer);
    peer->kernel_id = control->kernel_id;
    peer->tenant = control->tenant;
    peer->inbox = layout->inbox - layout->peer;
    if (layout->param_count != 0) {
        memcpy(arena + layout->params, params, 8u * (size_t)layout->param_count);
    }
    rk_u64 *table = (rk_u64 *)(arena + layout->fields);
    for (uint32_t i = 0; i < layout->field_count; i++) {
        table[i] = layout->field[i].offset;
        table[layout->field_count + i] = layout->field[i].shape.elements;
    }
}

rk_status rk_layout_write(const rk_layout *layout, const uint64_t *params,
                          const rk_layout_identity *identity, void *mapped, void *arena_head,
                          rk_err *err)
{
    if ((uintptr_t)mapped % RK_LAYOUT_ALIGN_BYTES != 0 || (uintptr_t)arena_head % 64u != 0) {
        return rk_err_set(err, RK_INVALID,
                          "the mapped page must start at a multiple of %u and the arena at a "
                          "multiple of 64",
                          RK_LAYOUT_ALIGN_BYTES);
    }
    write_control(layout, identity, mapped);
    rk_status status = write_rings(layout, mapped, arena_head, err);
    if (status != RK_OK) {
        return status;
    }
    write_arena(layout, params, mapped, arena_head);
    return RK_OK;
}
