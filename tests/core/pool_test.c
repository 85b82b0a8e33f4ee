/*
 * Memory pools: options, refusals and their sentences, misuse, alignment, scrubbing that is not
 * possible at the moment, defragmentation, growth. Random calls are in pool_model_test.c, threads
 * in pool_threads_test.c.
 */
#include "support/skip.h"

#include "core/buddy.h"
#include "core/pool.h"
#include "core/pool_support.h"
#include "support/random.h"

static rk_pool_allocation take(rk_pool *pool, uint64_t bytes, uint32_t tenant)
{
    rk_pool_request request = {.bytes = bytes, .tenant = tenant, .tag = "test", .movable = true};
    rk_pool_allocation a = {0};
    rk_err err = RK_ERR_INIT;
    if (rk_pool_allocate(pool, &request, &a, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return a;
}

static rk_pool_stats stats_of(rk_pool *pool)
{
    rk_pool_stats stats;
    rk_pool_read_stats(pool, &stats);
    return stats;
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    static const uint64_t zero_size[] = {64, 0};
    static const uint64_t too_large[] = {1 << 20};
    static const uint64_t many[65] = {64};
    static const struct {
        rk_pool_options options;
        rk_status status;
        const char *text;
    } cases[] = {
        {{.bytes = 10}, RK_INVALID, "less than a granule"},
        {{.bytes = 4096, .granule_bytes = 48}, RK_INVALID, "granules cannot have 48 B"},
        {{.bytes = 4096, .granule_bytes = 8}, RK_INVALID, "granules cannot have 8 B"},
        {{.bytes = 4096, .alignment = 3}, RK_INVALID, "alignment cannot be 3 B"},
        {{.bytes = 4096, .alignment = 8192}, RK_INVALID, "alignment cannot be 8192 B"},
        {{.bytes = 4096, .scrub = (rk_pool_scrub)9}, RK_INVALID, "scrub policy 9"},
        {{.bytes = 4096, .growth = (rk_pool_growth)9}, RK_INVALID, "growth policy 9"},
        {{.bytes = 4096, .growth = RK_POOL_DOUBLE}, RK_INVALID, "max_bytes"},
        {{.bytes = 4096, .growth = RK_POOL_STEP, .max_bytes = 8192}, RK_INVALID, "step_bytes"},
        {{.bytes = (uint64_t)1 << 40}, RK_LIMIT, "larger granules"},
        {{.bytes = 4096, .block_bytes = zero_size, .block_count = 2}, RK_INVALID, "0 B"},
        {{.bytes = 4096, .block_bytes = too_large, .block_count = 1}, RK_INVALID, "1048576 B"},
        {{.bytes = 4096, .block_bytes = many, .block_count = 65}, RK_LIMIT, "65 block sizes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rk_pool *pool = NULL;
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_pool_create(&cases[i].options, &region_ops, NULL, &pool, &err),
                         cases[i].status);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_null(pool);
    }
    static const rk_pool_ops nothing = {NULL, NULL, NULL};
    rk_pool_options options = {.bytes = 4096};
    rk_pool *pool = NULL;
    assert_int_equal(rk_pool_create(&options, &nothing, NULL, &pool, NULL), RK_INVALID);
    options.scrub = RK_POOL_SCRUB_NEVER;
    assert_int_equal(rk_pool_create(&options, &nothing, NULL, &pool, NULL), RK_OK);
    assert_int_equal(rk_pool_defragment(pool, NULL, NULL), RK_UNSUPPORTED);
    assert_int_equal(rk_pool_grow(pool, 0, NULL), RK_UNSUPPORTED);
    rk_pool_destroy(pool);
    rk_pool_destroy(NULL);
}

static void classes_are_sorted_and_rounded_to_granules(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {5000, 64, 100, 128, 96};
    region r;
    rk_pool_options options = {.bytes = 65536, .block_bytes = sizes, .block_count = 5};
    rk_pool *pool = region_pool(&r, &options);
    static const uint64_t expected[] = {64, 128, 5056}; /* 96, 100 and 128 are the same class */
    assert_int_equal(rk_pool_class_count(pool), 3);
    for (uint32_t i = 0; i < 3; i++) {
        rk_pool_class_stats one;
        rk_pool_read_class(pool, i, &one);
        assert_int_equal(one.block_bytes, expected[i]);
    }
    assert_int_equal(take(pool, 1, 0).block_bytes, 64);
    assert_int_equal(take(pool, 65, 0).block_bytes, 128);
    assert_int_equal(take(pool, 129, 0).block_bytes, 5056);
    assert_int_equal(take(pool, 5057, 0).block_bytes, 5120); /* none fits: whole granules */
    region_finish(&r, pool);
    /* By default powers of two, as far as they fit. */
    options = (rk_pool_options){.bytes = 1000};
    pool = region_pool(&r, &options);
    assert_int_equal(rk_pool_class_count(pool), 4);
    assert_int_equal(stats_of(pool).bytes, 960);
    region_finish(&r, pool);
}

static void refusals_say_why(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {.name = "pool of kernel 'k'", .bytes = 65536};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation a;
    rk_err err = RK_ERR_INIT;
    rk_pool_request request = {.bytes = 0};
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_INVALID);
    request = (rk_pool_request){.bytes = 1, .alignment = 48};
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_INVALID);
    request = (rk_pool_request){.bytes = 1, .alignment = 8192};
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_INVALID);
    request = (rk_pool_request){.bytes = 65537};
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_LIMIT);
    request = (rk_pool_request){.bytes = UINT64_MAX};
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_LIMIT);
    rk_pool_allocation half = take(pool, 32768, 0);
    request = (rk_pool_request){.bytes = 40000};
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_FULL);
    assert_string_equal(err.text, "pool of kernel 'k' has no room for 39.1 KiB: 32 KiB are free, "
                                  "the largest block has 32 KiB, 0 B wait to be zeroed; free "
                                  "something, or make it larger");
    assert_int_equal(stats_of(pool).failures, 6);
    assert_int_equal(rk_pool_free(pool, half.handle, NULL), RK_OK);
    take(pool, 40000, 0); /* the cache was emptied for it */
    region_finish(&r, pool);
}

static void wrong_handles_are_recognised(void **state)
{
    (void)state;
    region r;
    region r2;
    rk_pool_options options = {.bytes = 65536};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool *other = region_pool(&r2, &options);
    rk_pool_allocation a = take(pool, 100, 0);
    rk_pool_allocation b = take(other, 100, 0);
    rk_err err = RK_ERR_INIT;
    rk_pool_handle found;
    assert_int_equal(rk_pool_free(pool, b.handle, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "another pool"));
    assert_int_equal(rk_pool_free(pool, 0, NULL), RK_NOT_FOUND);
    assert_int_equal(rk_pool_free(pool, UINT64_MAX, NULL), RK_NOT_FOUND);
    assert_int_equal(rk_pool_find(pool, a.offset + 64, &found, &err), RK_NOT_FOUND);
    assert_int_equal(rk_pool_find(pool, 1 << 20, &found, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "outside"));
    assert_int_equal(rk_pool_find(pool, a.offset, &found, NULL), RK_OK);
    assert_int_equal(rk_pool_free(pool, found, NULL), RK_OK);
    assert_int_equal(rk_pool_free(pool, a.handle, &err), RK_STALE);
    assert_non_null(strstr(err.text, "freed already"));
    assert_int_equal(rk_pool_find(pool, a.offset, &found, NULL), RK_STALE);
    /* The same block again: the old handle stays wrong, for every call. */
    rk_pool_allocation c = take(pool, 100, 0);
    assert_int_equal(c.offset, a.offset);
    assert_true(c.handle != a.handle);
    rk_pool_allocation seen;
    assert_int_equal(rk_pool_query(pool, a.handle, &seen, NULL), RK_STALE);
    assert_int_equal(rk_pool_set_movable(pool, a.handle, false, NULL), RK_STALE);
    assert_int_equal(rk_pool_free(pool, a.handle, NULL), RK_STALE);
    assert_int_equal(rk_pool_query(pool, c.handle, &seen, NULL), RK_OK);
    region_finish(&r, pool);
    region_finish(&r2, other);
}

static void a_record_that_was_overwritten_is_found(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {.bytes = 65536, .block_bytes = (uint64_t[]){64}, .block_count = 1};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation first = take(pool, 64, 0);
    rk_pool_allocation second = take(pool, 64, 0);
    rk_pool_record *record = rk_pool_record_at(pool, (uint32_t)first.handle - 1);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_check(pool, NULL), RK_OK);
    atomic_store(&record->offset, second.offset); /* a stray write */
    assert_int_equal(rk_pool_check(pool, &err), RK_CORRUPT);
    assert_non_null(strstr(err.text, "overwritten"));
    assert_int_equal(rk_pool_free(pool, first.handle, &err), RK_CORRUPT);
    assert_int_equal(stats_of(pool).lost_bytes, 64);
    /* A free block in a cache is not given out either. */
    assert_int_equal(rk_pool_free(pool, second.handle, NULL), RK_OK);
    record = rk_pool_record_at(pool, (uint32_t)second.handle - 1);
    atomic_store(&record->block_bytes, 128);
    rk_pool_allocation third = take(pool, 64, 0);
    assert_true(third.offset != second.offset && third.offset != first.offset);
    assert_int_equal(stats_of(pool).lost_bytes, 64 + 128);
    assert_int_equal(stats_of(pool).hits, 0);
    region_finish(&r, pool);
}

static void alignment_is_kept_on_hits_too(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {.bytes = 1 << 20, .granule_bytes = 16, .alignment = 16};
    rk_pool *pool = region_pool(&r, &options);
    for (uint32_t round = 0; round < 2; round++) {
        rk_pool_allocation all[200];
        for (uint32_t i = 0; i < 200; i++) {
            rk_pool_request request = {.bytes = 1 + i * 7, .alignment = 1u << (i % 13)};
            assert_int_equal(rk_pool_allocate(pool, &request, &all[i], NULL), RK_OK);
            assert_int_equal(all[i].offset % request.alignment, 0);
            if (request.alignment == 4096) { /* does not take 4 KiB for it */
                assert_true(all[i].block_bytes < 2048);
            }
        }
        for (uint32_t i = 0; i < 200; i++) {
            assert_int_equal(rk_pool_free(pool, all[i].handle, NULL), RK_OK);
        }
    }
    assert_true(stats_of(pool).hits > 0);
    region_finish(&r, pool);
}

static void what_cannot_be_zeroed_is_set_aside(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {
        .name = "p", .bytes = 1024, .block_bytes = (uint64_t[]){512}, .block_count = 1};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation a = take(pool, 512, 1);
    rk_pool_allocation b = take(pool, 512, 1);
    memset(r.memory, 0x55, 1024);
    r.zero_fails = true; /* as while a kernel takes steps */
    assert_int_equal(rk_pool_free(pool, a.handle, NULL), RK_OK);
    assert_int_equal(rk_pool_free(pool, b.handle, NULL), RK_OK);
    a = take(pool, 512, 1); /* its own tenant may have it */
    rk_pool_request request = {.bytes = 512, .tenant = 2};
    rk_err err = RK_ERR_INIT;
    rk_pool_allocation c;
    assert_int_equal(rk_pool_allocate(pool, &request, &c, &err), RK_FULL);
    assert_non_null(
        strstr(err.text, "512 B wait to be zeroed; trim it while the kernel is parked"));
    rk_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.dirty_bytes, 512);
    assert_int_equal(stats.hits, 1);
    assert_true(stats.scrub_failures > 0);
    assert_int_equal(rk_pool_trim(pool, NULL, &err), RK_STATE);
    assert_int_equal(rk_pool_check(pool, NULL), RK_OK);
    r.zero_fails = false;
    uint64_t bytes = 0;
    assert_int_equal(rk_pool_trim(pool, &bytes, NULL), RK_OK);
    assert_int_equal(bytes, 512);
    c = take(pool, 512, 2);
    for (uint64_t i = 0; i < 512; i++) {
        assert_int_equal(r.memory[c.offset + i], 0);
        assert_int_equal(r.memory[a.offset + i], 0x55);
    }
    /* Freed by one tenant, taken by another: zeroed on the way. */
    assert_int_equal(rk_pool_free(pool, a.handle, NULL), RK_OK);
    a = take(pool, 512, 3);
    assert_int_equal(r.memory[a.offset], 0);
    assert_int_equal(stats_of(pool).hits, 2);
    region_finish(&r, pool);
}

static void blocks_without_a_class_wait_until_they_are_zeroed(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {.bytes = 4096,
                               .block_bytes = (uint64_t[]){64},
                               .block_count = 1,
                               .scrub = RK_POOL_SCRUB_ALWAYS};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation a = take(pool, 2048, 0);
    r.zero_fails = true;
    assert_int_equal(rk_pool_free(pool, a.handle, NULL), RK_OK);
    assert_int_equal(stats_of(pool).dirty_bytes, 2048);
    r.zero_fails = false;
    take(pool, 3000, 0); /* finds that it can be zeroed now */
    assert_int_equal(stats_of(pool).dirty_bytes, 0);
    assert_int_equal(stats_of(pool).reclaims, 1);
    region_finish(&r, pool);
}

static void defragmentation_makes_room_and_keeps_contents(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {.bytes = 65536};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation all[64];
    for (uint32_t i = 0; i < 64; i++) {
        all[i] = take(pool, 1024, 0);
        memset(r.memory + all[i].offset, (int)i + 1, 1024);
    }
    for (uint32_t i = 0; i < 64; i += 2) {
        assert_int_equal(rk_pool_free(pool, all[i].handle, NULL), RK_OK);
    }
    rk_pool_request large = {.bytes = 32768};
    rk_pool_allocation a;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_allocate(pool, &large, &a, &err), RK_FULL);
    assert_non_null(strstr(err.text, "defragment"));
    assert_true(stats_of(pool).external_fragmentation > 0.9);
    assert_int_equal(rk_pool_set_movable(pool, all[1].handle, false, NULL), RK_OK);
    rk_pool_moves moves;
    r.move_fails = true;
    assert_int_equal(rk_pool_defragment(pool, &moves, &err), RK_DEVICE);
    assert_false(moves.finished);
    assert_int_equal(moves.count, 0);
    assert_int_equal(rk_pool_check(pool, NULL), RK_OK);
    r.move_fails = false;
    r.zero_fails = true; /* what is left behind cannot be zeroed, and must not be used */
    assert_int_equal(rk_pool_defragment(pool, &moves, NULL), RK_OK);
    assert_true(moves.count > 0);
    assert_int_equal(stats_of(pool).dirty_bytes, moves.bytes);
    assert_int_equal(rk_pool_check(pool, NULL), RK_OK);
    r.zero_fails = false;
    assert_int_equal(rk_pool_defragment(pool, &moves, NULL), RK_OK);
    assert_true(moves.finished);
    assert_int_equal(stats_of(pool).largest_bytes, 32768);
    for (uint32_t i = 1; i < 64; i += 2) {
        rk_pool_allocation now;
        rk_pool_handle found;
        assert_int_equal(rk_pool_query(pool, all[i].handle, &now, NULL), RK_OK);
        assert_true(i != 1 || now.offset == all[1].offset);
        assert_int_equal(rk_pool_find(pool, now.offset, &found, NULL), RK_OK);
        assert_int_equal(found, all[i].handle);
        for (uint32_t j = 0; j < 1024; j++) {
            assert_int_equal(r.memory[now.offset + j], (int)i + 1);
        }
    }
    assert_int_equal(rk_pool_allocate(pool, &large, &a, NULL), RK_OK);
    assert_int_equal(r.memory[a.offset], 0);
    region_finish(&r, pool);
}

static void defragmentation_keeps_to_its_limits(void **state)
{
    (void)state;
    for (uint32_t percent = 0; percent <= 99; percent += 99) {
        region r;
        rk_pool_options options = {
            .bytes = 65536, .defragment_moves = 3, .defragment_percent = percent};
        rk_pool *pool = region_pool(&r, &options);
        rk_pool_allocation all[64];
        for (uint32_t i = 0; i < 64; i++) {
            all[i] = take(pool, 1024, 0);
        }
        for (uint32_t i = 0; i < 64; i += 2) {
            assert_int_equal(rk_pool_free(pool, all[i].handle, NULL), RK_OK);
        }
        rk_pool_moves moves;
        assert_int_equal(rk_pool_defragment(pool, &moves, NULL), RK_OK);
        assert_int_equal(moves.count, percent == 0 ? 3 : 0);
        assert_int_equal(moves.bytes, percent == 0 ? 3072 : 0);
        assert_int_equal(moves.finished, percent != 0);
        region_finish(&r, pool);
    }
}

static void growth_follows_its_policy(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {
        .bytes = 4096, .growth = RK_POOL_STEP, .step_bytes = 1000, .max_bytes = 10000};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation low = take(pool, 4096, 0);
    rk_pool_request request = {.bytes = 512};
    rk_pool_allocation a;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pool_allocate(pool, &request, &a, &err), RK_FULL);
    assert_non_null(strstr(err.text, "park the kernel and grow it"));
    r.grow_fails = true;
    assert_int_equal(rk_pool_grow(pool, 0, &err), RK_NO_MEMORY);
    assert_int_equal(stats_of(pool).bytes, 4096);
    r.grow_fails = false;
    assert_int_equal(rk_pool_grow(pool, 0, NULL), RK_OK);
    assert_int_equal(stats_of(pool).bytes, 5056); /* 5096 in whole granules */
    assert_int_equal(rk_pool_allocate(pool, &request, &a, NULL), RK_OK);
    assert_true(a.offset >= 4096);
    assert_int_equal(rk_pool_grow(pool, 1000, NULL), RK_OK); /* is larger already */
    assert_int_equal(stats_of(pool).grows, 1);
    assert_int_equal(rk_pool_grow(pool, 7000, NULL), RK_OK);
    assert_int_equal(stats_of(pool).bytes, 7040);
    assert_int_equal(rk_pool_grow(pool, 20000, &err), RK_LIMIT);
    assert_non_null(strstr(err.text, "its limit is 9984 B"));
    assert_int_equal(rk_pool_grow(pool, 9984, NULL), RK_OK);
    assert_int_equal(rk_pool_grow(pool, 0, NULL), RK_LIMIT);
    assert_int_equal(rk_pool_free(pool, low.handle, NULL), RK_OK);
    assert_int_equal(rk_pool_free(pool, a.handle, NULL), RK_OK);
    assert_int_equal(rk_pool_trim(pool, NULL, NULL), RK_OK);
    assert_int_equal(stats_of(pool).largest_bytes, 8192); /* old and new are one piece */
    region_finish(&r, pool);
    options = (rk_pool_options){.bytes = 4096, .growth = RK_POOL_DOUBLE, .max_bytes = 20000};
    pool = region_pool(&r, &options);
    static const uint64_t sizes[] = {8192, 16384, 19968};
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rk_pool_grow(pool, 0, NULL), RK_OK);
        assert_int_equal(stats_of(pool).bytes, sizes[i]);
    }
    region_finish(&r, pool);
}

static void see_leak(void *context, const rk_pool_allocation *allocation)
{
    rk_pool_allocation **next = context;
    *(*next)++ = *allocation;
}

static void the_report_says_what_was_forgotten(void **state)
{
    (void)state;
    region r;
    rk_pool_options options = {.bytes = 65536};
    rk_pool *pool = region_pool(&r, &options);
    rk_pool_allocation halo = take(pool, 1000, 7);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(rk_pool_free(pool, take(pool, 10, 1).handle, NULL), RK_OK);
    }
    rk_pool_request request = {.bytes = 30, .tenant = 8};
    rk_pool_allocation untagged;
    assert_int_equal(rk_pool_allocate(pool, &request, &untagged, NULL), RK_OK);
    rk_pool_allocation seen[8];
    rk_pool_allocation *next = seen;
    uint64_t count = 0;
    assert_int_equal(rk_pool_report(pool, see_leak, &next, &count, NULL), RK_OK);
    assert_int_equal(count, 2);
    assert_int_equal(next - seen, 2);
    assert_int_equal(seen[0].handle, halo.handle);
    assert_int_equal(seen[0].tenant, 7);
    assert_int_equal(seen[0].bytes, 1000);
    assert_int_equal(seen[0].age, 6);
    assert_string_equal(seen[0].tag, "test");
    assert_int_equal(seen[1].tenant, 8);
    assert_int_equal(seen[1].age, 0);
    assert_string_equal(seen[1].tag, "");
    assert_false(seen[1].movable);
    region_finish(&r, pool);
}

/* The allocator below, alone: against an array of bytes. */
static void the_buddy_allocator_agrees_with_an_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        static uint8_t taken[5000];
        struct {
            uint64_t at, units;
        } ranges[300];
        uint32_t count = 0;
        uint64_t random = seed;
        uint64_t size = 1 + rk_test_random(&random) % 4000;
        rk_buddy buddy;
        memset(taken, 0, sizeof taken);
        assert_int_equal(rk_buddy_init(&buddy, 5000), RK_OK);
        rk_buddy_extend(&buddy, size);
        for (uint32_t i = 0; i < 2000; i++) {
            uint64_t at = 0;
            uint64_t units = 1 + rk_test_random(&random) % (1u << rk_test_random(&random) % 9);
            uint64_t align = 1ull << rk_test_random(&random) % 5;
            bool low = rk_test_random(&random) % 2 == 0;
            if (count < 300 && rk_test_random(&random) % 2 == 0 &&
                (low ? rk_buddy_take_below(&buddy, units, align, size, &at)
                     : rk_buddy_take(&buddy, units, align, &at))) {
                assert_int_equal(at % align, 0);
                assert_true(at + units <= size);
                for (uint64_t j = 0; j < units; j++) {
                    assert_int_equal(taken[at + j]++, 0);
                }
                ranges[count].at = at;
                ranges[count++].units = units;
            } else if (count > 0) {
                uint32_t index = (uint32_t)(rk_test_random(&random) % count);
                memset(taken + ranges[index].at, 0, ranges[index].units);
                rk_buddy_give(&buddy, ranges[index].at, ranges[index].units);
                ranges[index] = ranges[--count];
            }
            if (i == 1000) {
                rk_buddy_extend(&buddy, size + 900);
                size += 900;
            }
        }
        uint64_t cursor = 0;
        uint64_t at;
        uint64_t units;
        uint64_t free_units = 0;
        while (rk_buddy_next_free(&buddy, &cursor, &at, &units)) {
            for (uint64_t j = 0; j < units; j++) {
                assert_int_equal(taken[at + j]++, 0);
            }
            free_units += units;
        }
        assert_int_equal(free_units, buddy.free);
        for (uint64_t j = 0; j < size; j++) {
            assert_int_equal(taken[j], 1); /* each unit once */
        }
        while (count > 0) {
            count--;
            rk_buddy_give(&buddy, ranges[count].at, ranges[count].units);
        }
        assert_int_equal(buddy.free, size);
        cursor = 0;
        uint64_t end = 0;
        while (rk_buddy_next_free(&buddy, &cursor, &at, &units)) { /* as few blocks as can be */
            assert_int_equal(at, end);
            uint64_t most = 1ull << (rk_buddy_order_of(size - at + 1) - 1);
            uint64_t natural = at == 0 ? most : at & (~at + 1);
            assert_int_equal(units, natural < most ? natural : most);
            end = at + units;
        }
        assert_int_equal(end, size);
        rk_buddy_finish(&buddy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(classes_are_sorted_and_rounded_to_granules),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(wrong_handles_are_recognised),
        cmocka_unit_test(a_record_that_was_overwritten_is_found),
        cmocka_unit_test(alignment_is_kept_on_hits_too),
        cmocka_unit_test(what_cannot_be_zeroed_is_set_aside),
        cmocka_unit_test(blocks_without_a_class_wait_until_they_are_zeroed),
        cmocka_unit_test(defragmentation_makes_room_and_keeps_contents),
        cmocka_unit_test(defragmentation_keeps_to_its_limits),
        cmocka_unit_test(growth_follows_its_policy),
        cmocka_unit_test(the_report_says_what_was_forgotten),
        cmocka_unit_test(the_buddy_allocator_agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
