/*
 * pool_support.h: a region in host memory for pools under test; its functions can be made to fail.
 */
#ifndef TESTS_CORE_POOL_SUPPORT_H
#define TESTS_CORE_POOL_SUPPORT_H

#include <ringkernel/pool.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct region {
    uint8_t *memory; /* of max_bytes; only bytes are the region's */
    _Atomic uint64_t bytes;
    _Atomic bool zero_fails;
    _Atomic bool move_fails;
    _Atomic bool grow_fails;
    _Atomic bool left; /* something outside of the region was touched */
} region;

static inline bool region_has(region *r, uint64_t offset, uint64_t bytes)
{
    if (offset > r->bytes || bytes > r->bytes - offset) {
        r->left = true;
        return false;
    }
    return true;
}

static inline rk_status region_zero(void *context, uint64_t offset, uint64_t bytes)
{
    region *r = context;
    if (r->zero_fails) {
        return RK_STATE;
    }
    if (region_has(r, offset, bytes)) {
        memset(r->memory + offset, 0, bytes);
    }
    return RK_OK;
}

static inline rk_status region_move(void *context, uint64_t to, uint64_t from, uint64_t bytes)
{
    region *r = context;
    if (region_has(r, to, bytes) && region_has(r, from, bytes)) {
        memcpy(r->memory + to, r->memory + from, r->move_fails ? bytes / 2 : bytes);
    }
    return r->move_fails ? RK_DEVICE : RK_OK;
}

static inline rk_status region_grow(void *context, uint64_t old_bytes, uint64_t new_bytes,
                                    rk_err *err)
{
    region *r = context;
    if (r->grow_fails || old_bytes != r->bytes) {
        return rk_err_set(err, RK_NO_MEMORY, "the device has no more memory");
    }
    r->bytes = new_bytes;
    return RK_OK;
}

static const rk_pool_ops region_ops = {region_zero, region_move, region_grow};

/* Creates both; the pool's options say how large. Fails the test on error. */
static inline rk_pool *region_pool(region *r, const rk_pool_options *options)
{
    uint64_t most = options->max_bytes > options->bytes ? options->max_bytes : options->bytes;
    memset(r, 0, sizeof *r);
    r->memory = calloc(1, most);
    r->bytes = options->bytes;
    assert_non_null(r->memory);
    rk_pool *pool = NULL;
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_pool_create(options, &region_ops, r, &pool, &err);
    if (status != RK_OK) {
        print_message("%s\n", err.text);
    }
    assert_int_equal(status, RK_OK);
    return pool;
}

static inline void region_finish(region *r, rk_pool *pool)
{
    assert_false(r->left);
    rk_pool_destroy(pool);
    free(r->memory);
}

#endif
