/*
 * layout_test.c: properties of layouts (nothing overlaps, all is aligned and inside), and what is
 * written into them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/ring.h"
#include "runtime/layout.h"
#include "support/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rk_schema *parse(const char *text)
{
    rk_schema *schema = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_schema_parse(text, strlen(text), &schema, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return schema;
}

typedef struct span {
    uint64_t start;
    uint64_t bytes;
    uint64_t align;
} span;

static int by_start(const void *a, const void *b)
{
    const span *x = a;
    const span *y = b;
    if (x->start == y->start) { /* an empty one lies before what starts there */
        return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
    }
    return x->start < y->start ? -1 : 1;
}

static void check_spans(span *spans, size_t count, uint64_t area_bytes)
{
    qsort(spans, count, sizeof(*spans), by_start);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(spans[i].start % spans[i].align, 0);
        assert_true(spans[i].start + spans[i].bytes <= area_bytes);
        assert_true(i == 0 || spans[i - 1].start + spans[i - 1].bytes <= spans[i].start);
    }
    assert_int_equal(area_bytes % 4096, 0);
}

static void check_layout(const rk_layout *l)
{
    const rk_layout_options *o = &l->options;
    span mapped[] = {
        {0, sizeof(rk_control), 128},
        {l->h2k, rk_ring_bytes(RK_RING_SPSC, o->h2k_slots), 128},
        {l->k2h, rk_ring_bytes(RK_RING_SPSC, o->k2h_slots), 128},
        {l->slab, o->slab_bytes, 128},
    };
    check_spans(mapped, sizeof(mapped) / sizeof(mapped[0]), l->mapped_bytes);

    span arena[RK_FIELD_MAX + 8] = {
        {0, sizeof(rk_loop), 64},
        {sizeof(rk_loop), sizeof(rk_control), 64},
        {l->peer, sizeof(rk_peer), 128},
        {l->inbox, rk_ring_bytes(RK_RING_MPSC, o->inbox_slots), 128},
        {l->routes, (uint64_t)o->route_count * sizeof(rk_route), 128},
        {l->params, 8u * (uint64_t)l->param_count, 64},
        {l->fields, 16u * (uint64_t)l->field_count, 64},
    };
    size_t count = 7;
    for (uint32_t i = 0; i < l->field_count; i++) {
        const rk_layout_field *f = &l->field[i];
        assert_int_equal(f->bytes, f->shape.elements * f->element_bytes);
        assert_true(f->offset >= l->head_bytes);
        bool big = f->bytes >= RK_LAYOUT_BIG_BYTES;
        /* A big field has its pages for itself. */
        uint64_t first = big ? f->offset / 4096 * 4096 : f->offset;
        uint64_t end = f->offset + f->bytes;
        end = big ? (end + 4095) / 4096 * 4096 : end;
        assert_int_equal(f->offset % 64, 0);
        arena[count++] = (span){first, end - first, 64};
    }
    if (o->pool_bytes > 0) { /* last, on pages of its own */
        arena[count++] = (span){l->pool, o->pool_bytes, 4096};
        assert_true(l->arena_bytes - l->pool < o->pool_bytes + 4096);
    }
    check_spans(arena, count, l->arena_bytes);
    assert_int_equal(l->head_bytes % 64, 0);
}

static void random_layouts_hold(void **state)
{
    (void)state;
    uint64_t random = 11;
    char *text = malloc(RK_SCHEMA_TEXT_MAX);
    rk_layout *layout = malloc(sizeof(*layout));
    static const char *const types[] = {"u8", "u16", "f32", "f64", "real"};
    for (int round = 0; round < 300; round++) {
        uint32_t fields = (uint32_t)(rk_test_random(&random) % (RK_FIELD_MAX + 1));
        uint32_t params = (uint32_t)(rk_test_random(&random) % 5);
        size_t used = (size_t)snprintf(text, RK_SCHEMA_TEXT_MAX,
                                       "ringkernel-schema 1\nmodule m \"\" \"\"\nabi 1\n");
        for (uint32_t i = 0; i < params; i++) {
            used += (size_t)snprintf(text + used, RK_SCHEMA_TEXT_MAX - used,
                                     "param u32 p%u \"1\" \"\" \"\"\n", i);
        }
        for (uint32_t i = 0; i < fields; i++) {
            uint64_t size = rk_test_random(&random) >> (38 + rk_test_random(&random) % 26);
            used += (size_t)snprintf(
                text + used, RK_SCHEMA_TEXT_MAX - used, "field %s f%u \"%llu+1\" \"\" \"\" \"\"\n",
                types[rk_test_random(&random) % 5], i, (unsigned long long)size);
        }
        rk_schema *s = parse(text);
        uint64_t slots[5] = {0};
        rk_layout_options options = {
            .block_count = (uint32_t)(rk_test_random(&random) % 9),
            .h2k_slots = 2u << rk_test_random(&random) % 10,
            .k2h_slots = 2u << rk_test_random(&random) % 10,
            .inbox_slots = 2u << rk_test_random(&random) % 10,
            .route_count = (uint32_t)(rk_test_random(&random) % (RK_ROUTE_MAX + 1)),
            .slab_bytes = rk_test_random(&random) % 100000,
            .pool_bytes = rk_test_random(&random) % 3 * (rk_test_random(&random) % 100000)};
        rk_err err = RK_ERR_INIT;
        rk_schema_defaults(s, 0, slots);
        if (rk_layout_compute(s, 0, slots, &options, layout, &err) != RK_OK) {
            fail_msg("%s", err.text);
        }
        check_layout(layout);
        rk_schema_free(s);
    }
    free(layout);
    free(text);
}

/* 64 equal arrays start at 64 different lines of their pages. */
static void big_fields_are_staggered(void **state)
{
    (void)state;
    char *text = malloc(RK_SCHEMA_TEXT_MAX);
    rk_layout *layout = malloc(sizeof(*layout));
    size_t used = (size_t)snprintf(text, RK_SCHEMA_TEXT_MAX,
                                   "ringkernel-schema 1\nmodule m \"\" \"\"\nabi 1\n");
    for (uint32_t i = 0; i < RK_FIELD_MAX; i++) {
        used += (size_t)snprintf(text + used, RK_SCHEMA_TEXT_MAX - used,
                                 "field f32 f%u \"1024,1024\" \"\" \"\" \"\"\n", i);
    }
    rk_schema *s = parse(text);
    assert_int_equal(rk_layout_compute(s, 0, NULL, NULL, layout, NULL), RK_OK);
    bool taken[64] = {false};
    for (uint32_t i = 0; i < RK_FIELD_MAX; i++) {
        uint64_t line = layout->field[i].offset % 4096 / 64;
        assert_false(taken[line]);
        taken[line] = true;
    }
    rk_schema_free(s);
    free(layout);
    free(text);
}

static const char small_text[] = "ringkernel-schema 1\nmodule m \"\" \"\"\nabi 1\n"
                                 "param u32 n \"3\" \"\" \"\"\n"
                                 "param real x \"0.5\" \"\" \"\"\n"
                                 "field real a \"n,2\" \"\" \"state\" \"\"\n"
                                 "field u8 b \"blocks*4\" \"\" \"\" \"\"\n"
                                 "variant f32 \"\"\nvariant f64 \"\"\n";

static void variants_have_their_own_layouts(void **state)
{
    (void)state;
    rk_schema *s = parse(small_text);
    rk_layout *one = malloc(sizeof(*one));
    rk_layout *two = malloc(sizeof(*two));
    uint64_t slots[2];
    rk_schema_defaults(s, 0, slots);
    assert_int_equal(rk_layout_compute(s, 0, slots, NULL, one, NULL), RK_OK);
    assert_int_equal(rk_layout_compute(s, 1, slots, NULL, two, NULL), RK_OK);
    assert_int_equal(one->field[0].type, RK_TYPE_F32);
    assert_int_equal(one->field[0].bytes, 24);
    assert_int_equal(two->field[0].type, RK_TYPE_F64);
    assert_int_equal(two->field[0].bytes, 48);
    assert_false(one->hash == two->hash);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_layout_compute(s, 2, slots, NULL, one, &err), RK_INVALID);
    rk_schema_free(s);
    free(one);
    free(two);
}

static void refuses_bad_options(void **state)
{
    (void)state;
    rk_schema *s = parse(small_text);
    rk_layout *layout = malloc(sizeof(*layout));
    uint64_t slots[2];
    rk_schema_defaults(s, 0, slots);
    static const struct row {
        rk_layout_options options;
        rk_status status;
        const char *says;
    } rows[] = {
        {{.h2k_slots = 3}, RK_INVALID, "H2K ring cannot have 3 slots"},
        {{.k2h_slots = 1}, RK_INVALID, "K2H ring"},
        {{.inbox_slots = 1u << 25}, RK_INVALID, "inbox ring"},
        {{.route_count = RK_ROUTE_MAX + 1}, RK_LIMIT, "257"},
        {{.slab_bytes = UINT64_MAX}, RK_LIMIT, "slab"},
        {{.pool_bytes = UINT64_MAX}, RK_LIMIT, "memory pool"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_layout_compute(s, 0, slots, &rows[i].options, layout, &err),
                         rows[i].status);
        assert_non_null(strstr(err.text, rows[i].says));
        assert_non_null(strstr(err.text, "module 'm'"));
    }
    rk_schema_free(s);
    free(layout);
}

static void refuses_what_is_too_large(void **state)
{
    (void)state;
    rk_schema *s =
        parse("ringkernel-schema 1\nmodule m \"\" \"\"\nabi 1\nparam u64 n \"1\" \"\" \"\"\n"
              "field f64 a \"n\" \"\" \"\" \"\"\nfield f64 b \"n\" \"\" \"\" \"\"\n");
    rk_layout *layout = malloc(sizeof(*layout));
    static const char *const sizes[] = {"9223372036854775807", "4611686018427387904",
                                        "8796093022208", "8796093022207"};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t slot = 0;
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_param_parse(RK_TYPE_U64, sizes[i], &slot, NULL), RK_OK);
        assert_int_equal(rk_layout_compute(s, 0, &slot, NULL, layout, &err), RK_LIMIT);
        assert_non_null(strstr(err.text, "the limit is"));
    }
    rk_schema_free(s);
    free(layout);
}

static void writes_both_areas(void **state)
{
    (void)state;
    rk_schema *s = parse(small_text);
    rk_layout *l = malloc(sizeof(*l));
    uint64_t slots[2];
    rk_schema_defaults(s, 1, slots);
    rk_layout_options options = {.block_count = 3, .route_count = 2, .slab_bytes = 1000};
    assert_int_equal(rk_layout_compute(s, 1, slots, &options, l, NULL), RK_OK);
    unsigned char *mapped = aligned_alloc(RK_LAYOUT_ALIGN_BYTES, l->mapped_bytes);
    unsigned char *arena = aligned_alloc(64, l->head_bytes);
    memset(mapped, 0, l->mapped_bytes);
    memset(arena, 0, l->head_bytes);
    rk_layout_identity identity = {.kernel_id = 9, .node = 1, .tenant = 2, .epoch = 3, .seed = 4};
    identity.features = 5;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_layout_write(l, slots, &identity, mapped + 64, arena, &err), RK_INVALID);
    assert_int_equal(rk_layout_write(l, slots, &identity, mapped, arena, &err), RK_OK);

    const rk_control *control = (const rk_control *)mapped;
    assert_int_equal(control->magic, RK_CONTROL_MAGIC);
    assert_int_equal(control->abi_version, RK_ABI_VERSION);
    assert_true(control->layout_hash == rk_schema_hash(s, 1));
    assert_int_equal(control->kernel_id, 9);
    assert_int_equal(control->tenant, 2);
    assert_int_equal(control->block_count, 3);
    assert_int_equal(control->features, 5);
    assert_int_equal(control->answer_reserve, l->options.k2h_slots / 4);
    assert_int_equal(control->field_type[0], RK_TYPE_F64);
    assert_int_equal(control->field_type[1], RK_TYPE_U8);
    assert_int_equal(control->slab_bytes, 1000);

    const uint64_t *table = (const uint64_t *)(arena + control->fields);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(table[i], l->field[i].offset);
        assert_int_equal(table[2 + i], l->field[i].shape.elements);
    }
    assert_int_equal(table[2], 6);
    assert_int_equal(table[3], 12);
    assert_memory_equal(arena + control->params, slots, sizeof(slots));
    assert_true(((const rk_loop *)arena)->budget == UINT64_MAX);

    /* All rings can be used; the kernel waits for commands on its own bell. */
    const rk_peer *peer = (const rk_peer *)(arena + control->peer);
    assert_int_equal(peer->kernel_id, 9);
    assert_int_equal(peer->tenant, 2);
    const struct {
        unsigned char *area;
        uint64_t bytes;
        uint64_t offset;
    } rings[] = {{mapped, l->mapped_bytes, control->h2k},
                 {mapped, l->mapped_bytes, control->k2h},
                 {arena, l->head_bytes, control->peer + peer->inbox}};
    for (size_t i = 0; i < 3; i++) {
        rk_ring_end end;
        assert_int_equal(rk_ring_attach(&end, RK_RING_CONSUMER, rings[i].area, rings[i].bytes,
                                        rings[i].offset, &err),
                         RK_OK);
        assert_false(rk_ring_has_message(&end));
        assert_true((i == 0) == (end.own_bell == &control->bell));
    }
    rk_schema_free(s);
    free(mapped);
    free(arena);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_layouts_hold),
        cmocka_unit_test(big_fields_are_staggered),
        cmocka_unit_test(variants_have_their_own_layouts),
        cmocka_unit_test(refuses_bad_options),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(writes_both_areas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
