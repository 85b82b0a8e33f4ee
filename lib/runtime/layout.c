/*
 * layout.c: offsets inside the two memory areas of a kernel. Rules in layout.h.
 */
#include "runtime/layout.h"

#include "base/value.h"
#include <ringkernel/abi/trace.h>

#include <string.h>

#define PART_ALIGN_BYTES                                                                           \
    128u /* parts with writers of their own: two lines, which processors fetch at once */
#define FIELD_ALIGN_BYTES 64u
#define PAGE_BYTES 4096u
#define STAGGER_LINES 13u
#define DEFAULT_TRACE_SLOTS 4096u

/* bytes is at most RK_LAYOUT_ARENA_MAX or a sum of a few ring sizes: no overflow. */
static uint64_t align_up(uint64_t bytes, uint64_t align)
{
    return (bytes + align - 1) / align * align;
}

static rk_status check_slots(const char *what, uint32_t *slots, uint32_t standard, rk_err *err)
{
    if (*slots == 0) {
        *slots = standard;
    }
    bool power = (*slots & (*slots - 1)) == 0;
    if (!power || *slots < RK_RING_MIN_SLOTS || *slots > RK_RING_MAX_SLOTS) {
        return rk_err_set(err, RK_INVALID,
                          "the %s ring cannot have %u slots; choose a power of two from %u to %u",
                          what, *slots, RK_RING_MIN_SLOTS, RK_RING_MAX_SLOTS);
    }
    return RK_OK;
}

static rk_status take_options(const rk_layout_options *given, rk_layout_options *out, rk_err *err)
{
    rk_layout_options o = {0};
    if (given) {
        o = *given;
    }
    o.block_count = o.block_count ? o.block_count : 1;
    rk_status status = check_slots("H2K", &o.h2k_slots, 256, err);
    if (status == RK_OK) {
        status = check_slots("K2H", &o.k2h_slots, 512, err);
    }
    if (status == RK_OK) {
        status = check_slots("inbox", &o.inbox_slots, 256, err);
    }
    if (status != RK_OK) {
        return status;
    }
    o.trace_slots = o.trace_slots ? o.trace_slots : DEFAULT_TRACE_SLOTS;
    if ((o.trace_slots & (o.trace_slots - 1)) != 0 || o.trace_slots < RK_TRACE_SLOTS_MIN ||
        o.trace_slots > RK_TRACE_SLOTS_MAX) {
        return rk_err_set(err, RK_INVALID,
                          "the timeline cannot have %u records; choose a power of two from %u to "
                          "%u",
                          o.trace_slots, RK_TRACE_SLOTS_MIN, RK_TRACE_SLOTS_MAX);
    }
    if (o.route_count > RK_ROUTE_MAX) {
        return rk_err_set(err, RK_LIMIT, "a kernel can have %d routes, %u are asked for",
                          RK_ROUTE_MAX, o.route_count);
    }
    if (o.slab_bytes > RK_LAYOUT_ARENA_MAX) {
        return rk_err_set(err, RK_LIMIT, "a payload slab of %llu bytes is too large",
                          (unsigned long long)o.slab_bytes);
    }
    *out = o;
    return RK_OK;
}

static void place_mapped(rk_layout *layout)
{
    const rk_layout_options *o = &layout->options;
    uint64_t at = align_up(sizeof(rk_control), PART_ALIGN_BYTES);
    layout->h2k = at;
    at = align_up(at + RK_RING_SPSC_BYTES(o->h2k_slots), PART_ALIGN_BYTES);
    layout->k2h = at;
    at = align_up(at + RK_RING_SPSC_BYTES(o->k2h_slots), PART_ALIGN_BYTES);
    layout->slab = at;
    at = align_up(at + o->slab_bytes, PART_ALIGN_BYTES);
    layout->trace = at;
    layout->mapped_bytes = align_up(at + RK_TRACE_RING_BYTES(o->trace_slots), PAGE_BYTES);
}

static void place_head(rk_layout *layout)
{
    const rk_layout_options *o = &layout->options;
    layout->params = align_up(sizeof(rk_loop) + sizeof(rk_control), FIELD_ALIGN_BYTES);
    layout->fields =
        align_up(layout->params + 8u * (uint64_t)layout->param_count, FIELD_ALIGN_BYTES);
    uint64_t at = align_up(layout->fields + 16u * (uint64_t)layout->field_count, PART_ALIGN_BYTES);
    layout->peer = at;
    layout->inbox = align_up(at + sizeof(rk_peer), PART_ALIGN_BYTES);
    at = align_up(layout->inbox + RK_RING_MPSC_BYTES(o->inbox_slots), PART_ALIGN_BYTES);
    layout->routes = at;
    at = align_up(at + (uint64_t)o->route_count * sizeof(rk_route), PART_ALIGN_BYTES);
    layout->head_bytes = at;
    layout->arena_bytes = at;
}

static rk_status too_large(const rk_schema *schema, const char *field, uint64_t bytes, rk_err *err)
{
    char size[RK_VALUE_TEXT_BYTES];
    char limit[RK_VALUE_TEXT_BYTES];
    return rk_err_set(err, RK_LIMIT,
                      "module '%s', field '%s': the state would reach %s%s; the limit is %s, use "
                      "smaller parameters",
                      schema->name, field, bytes == UINT64_MAX ? "more than " : "",
                      rk_value_format_size(bytes, size),
                      rk_value_format_size(RK_LAYOUT_ARENA_MAX, limit));
}

static rk_status place_field(const rk_schema *schema, uint32_t variant, const uint64_t *params,
                             uint32_t index, uint32_t *big_count, rk_layout *layout, rk_err *err)
{
    rk_layout_field *field = &layout->field[index];
    const char *name = schema->fields[index].name;
    rk_status status =
        rk_schema_shape(schema, index, params, layout->options.block_count, &field->shape, err);
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "module '%s': ", schema->name);
        return status;
    }
    field->type = rk_schema_type(schema, variant, schema->fields[index].type);
    field->element_bytes = rk_type_bytes(field->type);
    if (!rk_size_mul(field->shape.elements, field->element_bytes, &field->bytes)) {
        return too_large(schema, name, UINT64_MAX, err);
    }
    bool big = field->bytes >= RK_LAYOUT_BIG_BYTES;
    uint64_t at = align_up(layout->arena_bytes, big ? PAGE_BYTES : FIELD_ALIGN_BYTES);
    if (big) {
        at += (uint64_t)(*big_count * STAGGER_LINES % (PAGE_BYTES / FIELD_ALIGN_BYTES)) *
              FIELD_ALIGN_BYTES;
        (*big_count)++;
    }
    if (field->bytes > RK_LAYOUT_ARENA_MAX || at + field->bytes > RK_LAYOUT_ARENA_MAX) {
        return too_large(schema, name, field->bytes, err);
    }
    field->offset = at;
    at += field->bytes;
    layout->arena_bytes = big ? align_up(at, PAGE_BYTES) : at;
    return RK_OK;
}

rk_status rk_layout_compute(const rk_schema *schema, uint32_t variant, const uint64_t *params,
                            const rk_layout_options *options, rk_layout *out_layout, rk_err *err)
{
    rk_layout layout;
    memset(&layout, 0, sizeof(layout));
    rk_status status = take_options(options, &layout.options, err);
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "module '%s': ", schema->name);
        return status;
    }
    if (variant >= schema->variant_count) {
        return rk_err_set(err, RK_INVALID, "module '%s' has %u variants, there is no number %u",
                          schema->name, schema->variant_count, variant);
    }
    layout.hash = rk_schema_hash(schema, variant);
    layout.param_count = schema->param_count;
    layout.field_count = schema->field_count;
    place_mapped(&layout);
    place_head(&layout);
    uint32_t big_count = 0;
    for (uint32_t i = 0; i < schema->field_count; i++) {
        status = place_field(schema, variant, params, i, &big_count, &layout, err);
        if (status != RK_OK) {
            return status;
        }
    }
    layout.arena_bytes = align_up(layout.arena_bytes, PAGE_BYTES);
    if (layout.options.pool_bytes > 0) {
        layout.pool = layout.arena_bytes;
        status = rk_layout_resize_pool(&layout, layout.options.pool_bytes, err);
        if (status != RK_OK) {
            (void)rk_err_prefix(err, "module '%s': ", schema->name);
            return status;
        }
    }
    *out_layout = layout;
    return RK_OK;
}

rk_status rk_layout_resize_pool(rk_layout *layout, uint64_t pool_bytes, rk_err *err)
{
    if (pool_bytes > RK_LAYOUT_ARENA_MAX - layout->pool) {
        char size[RK_VALUE_TEXT_BYTES];
        char limit[RK_VALUE_TEXT_BYTES];
        return rk_err_set(err, RK_LIMIT,
                          "a memory pool of %s is too large; pool and state together can have %s",
                          rk_value_format_size(pool_bytes, size),
                          rk_value_format_size(RK_LAYOUT_ARENA_MAX, limit));
    }
    layout->options.pool_bytes = pool_bytes;
    layout->arena_bytes = layout->pool + align_up(pool_bytes, PAGE_BYTES);
    return RK_OK;
}
