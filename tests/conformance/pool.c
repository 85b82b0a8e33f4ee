/*
 * pool.c: memory pools: host and kernel see the same bytes at an offset; the pool is trimmed while
 * the kernel is resident, and grows and is defragmented while it is parked.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

/* An allocation filled with one value. */
static bool take(conform *c, rk_kernel *kernel, uint64_t bytes, uint8_t fill,
                 rk_pool_allocation *out)
{
    rk_err err = RK_ERR_INIT;
    rk_pool_request request = {.bytes = bytes, .tag = "conform", .movable = true};
    uint8_t *data = malloc(bytes);
    rk_status status = data != NULL ? RK_OK : RK_NO_MEMORY;
    if (status == RK_OK) {
        memset(data, fill, bytes);
        status = rk_pool_allocate(rk_kernel_pool(kernel), &request, out, &err);
    }
    if (status == RK_OK) {
        status = rk_kernel_write_pool(kernel, out->handle, 0, bytes, data, &err);
    }
    free(data);
    if (status != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "an allocation: %s",
                     err.text[0] != '\0' ? err.text : rk_status_text(status));
    }
    return status == RK_OK;
}

/* The kernel must find the value in every byte; it adds one to each. */
static bool pass(conform *c, rk_kernel *kernel, const rk_pool_allocation *a, uint8_t fill,
                 uint64_t pool_bytes)
{
    rk_err err = RK_ERR_INIT;
    uint32_t range[2] = {(uint32_t)a->offset, (uint32_t)a->bytes};
    uint64_t id = 0;
    rk_reply reply;
    if (rk_kernel_custom(kernel, CONFORM_POOL, range, sizeof range, &id, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "%s", err.text);
        return false;
    }
    if (!conform_wait(c, kernel, id, &reply)) {
        return false;
    }
    if (reply.value[0] != fill * a->bytes || reply.value[1] != pool_bytes) {
        conform_fail(c, __FILE__, __LINE__, "the kernel sees a sum of %llu, not %llu, of %llu B",
                     (unsigned long long)reply.value[0], (unsigned long long)(fill * a->bytes),
                     (unsigned long long)reply.value[1]);
        return false;
    }
    return true;
}

/* The host must find the value in every byte. */
static bool holds(conform *c, rk_kernel *kernel, const rk_pool_allocation *a, uint8_t fill)
{
    rk_err err = RK_ERR_INIT;
    uint8_t *data = malloc(a->bytes);
    bool good =
        data != NULL && rk_kernel_read_pool(kernel, a->handle, 0, a->bytes, data, &err) == RK_OK;
    for (uint64_t i = 0; good && i < a->bytes; i++) {
        good = data[i] == fill;
    }
    free(data);
    if (!good) {
        conform_fail(c, __FILE__, __LINE__, "the host does not see %u at offset %llu: %s", fill,
                     (unsigned long long)a->offset, err.text);
    }
    return good;
}

static void host_and_kernel_share_a_pool(conform *c)
{
    rk_pool_options options = {.bytes = 1 << 20, .scrub = RK_POOL_SCRUB_ALWAYS};
    rk_launch launch = {.pool = &options};
    rk_kernel *kernel = conform_start(c, "pooled", &launch);
    rk_pool_allocation a;
    rk_pool_allocation b;
    if (kernel == NULL || !take(c, kernel, 5000, 3, &a) || !take(c, kernel, 100000, 7, &b) ||
        !pass(c, kernel, &a, 3, 1 << 20) || !pass(c, kernel, &b, 7, 1 << 20) ||
        !holds(c, kernel, &a, 4) || !holds(c, kernel, &b, 8)) {
        goto out;
    }
    /* Zeroed while the kernel is resident, and given out again. */
    CHECK_OK(c, rk_pool_free(rk_kernel_pool(kernel), b.handle, &check_err));
    CHECK_OK(c, rk_pool_free(rk_kernel_pool(kernel), a.handle, &check_err));
    rk_pool_request request = {.bytes = 5000};
    CHECK_OK(c, rk_pool_allocate(rk_kernel_pool(kernel), &request, &a, &check_err));
    if (!holds(c, kernel, &a, 0) || !pass(c, kernel, &a, 0, 1 << 20)) {
        goto out;
    }
    rk_pool_stats stats;
    rk_pool_read_stats(rk_kernel_pool(kernel), &stats);
    CHECK(c, stats.scrubs == 2 && stats.dirty_bytes == 0, "%llu blocks were zeroed, not 2",
          (unsigned long long)stats.scrubs);
out:
    rk_kernel_destroy(kernel);
}

static void a_pool_grows_while_its_kernel_is_parked(conform *c)
{
    rk_pool_options options = {.bytes = 1 << 20, .growth = RK_POOL_DOUBLE, .max_bytes = 8 << 20};
    rk_launch launch = {.pool = &options};
    rk_kernel *kernel = conform_start(c, "grows", &launch);
    rk_pool_allocation a;
    rk_pool_allocation b;
    uint32_t value[64];
    uint64_t id = 0;
    rk_reply reply;
    if (kernel == NULL || !take(c, kernel, 900000, 11, &a) || !pass(c, kernel, &a, 11, 1 << 20)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_run(kernel, 9, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.step == 9, "nine steps");
    CHECK(c, rk_pool_grow(rk_kernel_pool(kernel), 0, NULL) == RK_STATE, "grows while resident");
    CHECK_OK(c, rk_kernel_park(kernel, CONFORM_WAIT_NS, &check_err));
    CHECK_OK(c, rk_pool_grow(rk_kernel_pool(kernel), 0, &check_err));
    CHECK_OK(c, rk_pool_grow(rk_kernel_pool(kernel), 0, &check_err));
    CHECK_OK(c, rk_kernel_start(kernel, &check_err));
    if (!take(c, kernel, 2000000, 21, &b) || !pass(c, kernel, &b, 21, 4 << 20) ||
        !pass(c, kernel, &a, 12, 4 << 20) || !holds(c, kernel, &b, 22) ||
        !conform_read(c, kernel, "value", value, 64)) {
        goto out;
    }
    CHECK(c, value[0] == 9 && value[63] == 9, "a cell holds %u behind the growth", value[0]);
    CHECK_OK(c, rk_kernel_run(kernel, 1, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply) && reply.step == 10, "the tenth step");
out:
    rk_kernel_destroy(kernel);
}

static void defragmentation_moves_contents(conform *c)
{
    rk_pool_options options = {.bytes = 1 << 20};
    rk_launch launch = {.pool = &options};
    rk_kernel *kernel = conform_start(c, "moves", &launch);
    rk_pool_allocation all[16];
    rk_pool_allocation half;
    rk_pool_moves moves;
    for (uint32_t i = 0; kernel != NULL && i < 16; i++) {
        if (!take(c, kernel, 65536, (uint8_t)(i + 1), &all[i])) {
            goto out;
        }
    }
    if (kernel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < 16; i += 2) {
        CHECK_OK(c, rk_pool_free(rk_kernel_pool(kernel), all[i].handle, &check_err));
    }
    CHECK_OK(c, rk_kernel_park(kernel, CONFORM_WAIT_NS, &check_err));
    CHECK_OK(c, rk_pool_defragment(rk_kernel_pool(kernel), &moves, &check_err));
    CHECK(c, moves.count == 4 && moves.finished, "%llu moves", (unsigned long long)moves.count);
    CHECK_OK(c, rk_kernel_start(kernel, &check_err));
    for (uint32_t i = 1; i < 16; i += 2) {
        CHECK_OK(c, rk_pool_query(rk_kernel_pool(kernel), all[i].handle, &all[i], &check_err));
        if (!pass(c, kernel, &all[i], (uint8_t)(i + 1), 1 << 20)) {
            goto out;
        }
    }
    if (take(c, kernel, 524288, 9, &half)) {
        (void)pass(c, kernel, &half, 9, 1 << 20);
    }
out:
    rk_kernel_destroy(kernel);
}

const conform_case conform_pool[] = {
    {"pool: host and kernel share a pool", host_and_kernel_share_a_pool},
    {"pool: it grows while its kernel is parked", a_pool_grows_while_its_kernel_is_parked},
    {"pool: defragmentation moves contents", defragmentation_moves_contents},
};
const uint32_t conform_pool_count = sizeof conform_pool / sizeof conform_pool[0];
