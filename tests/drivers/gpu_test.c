/*
 * The CUDA and HIP driver on the test driver: the whole life of kernels, and several of them on one
 * device.
 */
#include "base/clock.h"
#include "drivers/gpu_rows.h"
#include "drivers/rig.h"
#include "support/skip.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (20 * (uint64_t)RK_NS_PER_S)

/* ---- What works ---------------------------------------------------------------------------- */

static void test_caps(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    const rk_device_caps *caps = &r.caps;
    char name[32];
    (void)snprintf(name, sizeof name, "%s:0", case_driver());
    assert_string_equal(caps->name, name);
    assert_string_equal(caps->arch, is_hip() ? "gfx90a" : "sm_90");
    assert_int_equal(caps->code_level, is_hip() ? 0x90a : 90);
    assert_int_equal(caps->vendor, is_hip() ? RK_VENDOR_AMD : RK_VENDOR_NVIDIA);
    assert_int_equal(caps->code_kinds, RK_CODE_BIT(RK_CODE_CPU) | RK_CODE_BIT(RK_CODE_FIBER));
    assert_int_equal(caps->units, 2);
    assert_int_equal(caps->default_blocks, 2);
    assert_true(caps->max_blocks >= 7);
    assert_true(caps->poller);
    assert_int_equal(caps->memory_bytes, (uint64_t)1 << 30);
    assert_int_equal(strlen(caps->bus_id), strlen("0000:17:00.0"));
    assert_true(caps->text[0] != '\0' && caps->driver_text[0] != '\0');
    assert_true(caps->ticks_per_s > 0);
    assert_false(caps->host_addressable);
    assert_false(caps->rings_host);
    assert_false(caps->lease_only);
    assert_true(caps->cooperative);
    uint32_t count = 0;
    assert_int_equal(r.ops->probe(NULL, &count, NULL), RK_OK);
    assert_int_equal(count, 1);
    rk_err err = RK_ERR_INIT;
    rk_device *second = NULL;
    assert_int_equal(r.ops->open(1, NULL, &second, &err), RK_NOT_FOUND);
    rig_close(&r);
}

static void life(const rig_options *options, uint32_t lanes)
{
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    rig_make(&r, "life", options, &kernel);
    kernel.lanes = lanes;
    rk_device_telemetry health;
    for (uint32_t round = 0; round < 3; round++) {
        rig_launch(&kernel);
        r.ops->telemetry(r.device, &health);
        assert_int_equal(health.resident_kernels, 1);
        assert_int_equal(health.resident_blocks,
                         kernel.control->block_count + kernel.control->poller);
        assert_int_equal(rig_ask(&kernel, RK_CMD_PING, 0).status, 0);
        assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 20).step, (round + 1) * 20);
        rig_check_cells(&kernel, (round + 1) * 20); /* while it is resident */
        assert_false(r.ops->poll_exit(kernel.exec));
        rig_leave(&kernel, round < 2 ? RK_CMD_QUIESCE : RK_CMD_TERMINATE);
        assert_int_equal(kernel.control->exits, round + 1);
        assert_int_equal(kernel.control->counters.step, (round + 1) * 20);
        rig_check_cells(&kernel, (round + 1) * 20);
    }
    r.ops->telemetry(r.device, &health);
    assert_int_equal(health.resident_kernels, 0);
    assert_int_equal(health.resident_blocks, 0);
    assert_int_equal(health.memory_used_bytes, kernel.arena.bytes + kernel.mapped.bytes);
    rig_drop(&kernel);
    r.ops->telemetry(r.device, &health);
    assert_int_equal(health.memory_used_bytes, 0);
    rig_close(&r);
}

static void test_life(void **state)
{
    (void)state;
    life(NULL, 0);
}

static void test_life_poller(void **state)
{
    (void)state;
    const rig_options options = {.poller = true};
    life(&options, 0);
}

static void test_life_lanes(void **state)
{
    (void)state;
    const rig_options options = {.fiber = true, .cells = 512};
    life(&options, 8);
}

static void test_copies(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    const uint64_t bytes = 9 << 20; /* more than two staging memories */
    rk_mem mem;
    rk_mem small;
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, bytes, &mem, NULL), RK_OK);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_MAPPED, 100, &small, NULL), RK_OK);
    assert_null(mem.host);
    assert_non_null(small.host);
    assert_true(small.bytes >= 100);
    uint8_t *out = malloc(bytes);
    uint8_t *in = malloc(bytes);
    assert_non_null(out);
    assert_non_null(in);
    assert_int_equal(r.ops->read(r.device, &mem, 0, in, bytes), RK_OK);
    for (uint64_t i = 0; i < bytes; i++) {
        assert_int_equal(in[i], 0); /* memory is handed out zeroed */
        out[i] = (uint8_t)(i * 7 + (i >> 16));
    }
    assert_int_equal(r.ops->write(r.device, &mem, 0, out, bytes), RK_OK);
    assert_int_equal(r.ops->zero(r.device, &mem, 1000, 5), RK_OK);
    memset(out + 1000, 0, 5);
    assert_int_equal(r.ops->read(r.device, &mem, 3, in + 3, bytes - 3), RK_OK);
    assert_memory_equal(in + 3, out + 3, bytes - 3);
    assert_int_equal(r.ops->write(r.device, &small, 10, "hello", 5), RK_OK);
    assert_memory_equal(small.host + 10, "hello", 5);
    /* A child process does not inherit it: copy-on-write would part host and device. */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsigned char there[1];
        _exit(mincore(small.host, 4096, there) != 0 && errno == ENOMEM ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(r.ops->read(r.device, &mem, mem.bytes, in, 1), RK_INVALID);
    assert_int_equal(r.ops->read(r.device, &mem, mem.bytes + 1, in, 0), RK_INVALID);
    assert_int_equal(r.ops->read(r.device, &mem, mem.bytes, in, 0), RK_OK);
    assert_int_equal(r.ops->write(r.device, &mem, 1, out, UINT64_MAX), RK_INVALID);
    assert_int_equal(r.ops->zero(r.device, &mem, UINT64_MAX, 2), RK_INVALID);
    free(in);
    free(out);
    r.ops->mem_free(r.device, &mem);
    r.ops->mem_free(r.device, &small);
    rig_close(&r);
}

static void test_import(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    int fd = memfd_create("import", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8192), 0);
    assert_int_equal(pwrite(fd, "shared", 6, 4096), 6);
    rk_mem mem;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->mem_import(r.device, fd, 8192, &mem, &err), RK_OK);
    assert_memory_equal(mem.host + 4096, "shared", 6);
    mem.host[4096] = 'S';
    char back = 0;
    assert_int_equal(pread(fd, &back, 1, 4096), 1);
    assert_int_equal(back, 'S');
    r.ops->mem_free(r.device, &mem);
    assert_int_equal(r.ops->mem_import(r.device, -1, 8192, &mem, &err), RK_INVALID);
    assert_int_equal(close(fd), 0);
    rig_close(&r);
}

static void test_routes(void **state)
{
    (void)state;
    rig r;
    rig_kernel from;
    rig_kernel to;
    open_rig(&r);
    const rig_options talk = {.talk = true, .blocks = 1};
    const rig_options listen = {.blocks = 1};
    rig_make(&r, "from", &talk, &from);
    rig_make(&r, "to", &listen, &to);
    rig_launch(&to);
    rig_launch(&from);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->connect(from.exec, 4, to.exec, &err), RK_LIMIT);
    for (int times = 0; times < 2; times++) { /* the second time changes nothing */
        assert_int_equal(r.ops->connect(from.exec, 0, to.exec, &err), RK_OK);
    }
    rk_route route;
    assert_int_equal(r.ops->read(r.device, &from.arena, from.layout.routes, &route, sizeof route),
                     RK_OK);
    assert_int_equal(route.generation, 1);
    assert_int_equal(route.state, 1);
    (void)rig_ask(&from, RK_CMD_RUN, 12);
    uint64_t deadline_ns = rk_clock_deadline_ns(PATIENCE_NS);
    rk_answer answer;
    do {
        answer = rig_ask(&to, RK_CMD_CUSTOM, 1);
    } while (answer.value[0] < 12 && rk_clock_monotonic_ns() < deadline_ns);
    assert_int_equal(answer.value[0], 12);
    assert_int_equal(answer.value[1], 12);
    rig_leave(&from, RK_CMD_TERMINATE);
    assert_int_equal(from.control->counters.k2k_sent, 12);
    rig_leave(&to, RK_CMD_TERMINATE);
    rig_drop(&from);
    rig_drop(&to);
    rig_close(&r);
}

/* Health comes from the vendor's management library, which the test library also is. */
static void test_health(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    rig_make(&r, "warm", NULL, &kernel);
    rig_launch(&kernel);
    rk_device_telemetry health;
    r.ops->telemetry(r.device, &health); /* while a kernel is resident */
    assert_true((health.known & RK_TELEMETRY_KNOWN(temperature_c)) != 0);
    assert_int_equal(health.temperature_c, 67);
    assert_int_equal(health.resident_kernels, 1);
    rk_device *second = NULL;
    assert_int_equal(r.ops->open(1, NULL, &second, NULL), RK_OK);
    rk_device_link link;
    r.ops->link(r.device, second, &link);
    assert_int_equal(link.kind, is_hip() ? RK_LINK_XGMI : RK_LINK_NVLINK);
    assert_true(link.peer_access);
    r.ops->link(r.device, r.device, &link);
    assert_int_equal(link.kind, RK_LINK_SAME);
    r.ops->close(second);
    rig_leave(&kernel, RK_CMD_TERMINATE);
    rig_drop(&kernel);
    rig_close(&r);
}

/* ---- Leases -------------------------------------------------------------------------------- */

static void lease(const rig_options *options)
{
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    assert_true(r.caps.lease_only);
    rig_make(&r, "lease", options, &kernel);
    rig_launch(&kernel);
    assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 100).step, 100);
    for (uint64_t i = 0; i < 5; i++) { /* it goes idle in between */
        assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 1).step, 101 + i);
        assert_int_equal(rig_ask(&kernel, RK_CMD_PING, 0).status, 0);
    }
    assert_int_equal(atomic_load(&kernel.exits), 0);
    rig_leave(&kernel, RK_CMD_QUIESCE);
    rig_check_cells(&kernel, 105);
    rig_launch(&kernel);
    assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 5).step, 110);
    rig_leave(&kernel, RK_CMD_TERMINATE);
    rig_check_cells(&kernel, 110);
    rig_drop(&kernel);
    rig_close(&r);
}

static void test_lease(void **state)
{
    (void)state;
    const rig_options options = {.lease_steps = 7, .lease_polls = 50};
    lease(&options);
}

static void test_lease_poller(void **state)
{
    (void)state;
    const rig_options options = {.lease_steps = 7, .lease_polls = 50, .poller = true};
    lease(&options);
}

/* ---- What must wait, and what does not fit --------------------------------------------------- */

static void test_resident(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    rig_kernel other;
    open_rig(&r);
    rig_make(&r, "keeper", NULL, &kernel);
    rk_mem spare;
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 1 << 20, &spare, NULL), RK_OK);
    rig_launch(&kernel);
    /* Everything that might wait for the kernel is refused or put off; the test driver would fail
     * loudly if it were tried. */
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rig_try_make(&r, "late", NULL, &other, &err), RK_BUSY);
    static const char *const code_words[] = {"'keeper'", "before starting the first", NULL};
    has_words(&err, code_words);
    rk_mem late;
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 4096, &late, &err), RK_BUSY);
    static const char *const words[] = {"'keeper'", "park it", "RK_GPU_RESERVE", NULL};
    has_words(&err, words);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_MAPPED, 4096, &late, &err), RK_BUSY);
    uint32_t content = 7;
    assert_int_equal(r.ops->write(r.device, &spare, 0, &content, sizeof content), RK_OK);
    assert_int_equal(r.ops->zero(r.device, &spare, 0, spare.bytes), RK_OK);
    assert_int_equal(r.ops->read(r.device, &spare, 0, &content, sizeof content), RK_OK);
    assert_int_equal(content, 0);
    r.ops->mem_free(r.device, &spare);
    (void)rig_ask(&kernel, RK_CMD_RUN, 3);
    rig_leave(&kernel, RK_CMD_TERMINATE);
    rig_drop(&kernel);
    /* Now the memory is there again. */
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 15 << 20, &late, &err), RK_OK);
    r.ops->mem_free(r.device, &late);
    rig_close(&r);
}

static void test_reserve(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    rig_make(&r, "keeper", NULL, &kernel);
    rig_launch(&kernel);
    rk_mem mem[3];
    rk_err err = RK_ERR_INIT;
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 4096, &mem[0], &err), RK_OK);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 8192, &mem[1], &err), RK_OK);
    assert_int_equal(r.ops->mem_alloc(r.device, RK_MEM_ARENA, 8192, &mem[2], &err), RK_BUSY);
    uint32_t numbers[2] = {1, 2};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(r.ops->write(r.device, &mem[i], 0, &numbers[i], 4), RK_OK);
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t back = 0;
        assert_int_equal(r.ops->read(r.device, &mem[i], 0, &back, 4), RK_OK);
        assert_int_equal(back, i + 1);
    }
    assert_int_equal(rig_ask(&kernel, RK_CMD_RUN, 3).step, 3);
    rig_leave(&kernel, RK_CMD_TERMINATE);
    r.ops->mem_free(r.device, &mem[0]);
    r.ops->mem_free(r.device, &mem[1]);
    rig_drop(&kernel);
    rig_close(&r);
}

static void test_too_large(void **state)
{
    (void)state;
    rig r;
    rig_kernel first;
    rig_kernel second;
    rig_kernel third;
    open_rig(&r);
    const rig_options nine = {.blocks = 9};
    const rig_options four = {.blocks = 4};
    const rig_options five = {.blocks = 5};
    rk_err err = RK_ERR_INIT;
    rig_make(&r, "nine", &nine, &first);
    assert_int_equal(r.ops->max_blocks(r.device, first.code, 0), 7); /* and the poller's */
    assert_int_equal(rig_try_launch(&first, &err), RK_LIMIT);
    static const char *const words[] = {"'nine'", "9 blocks", "room for 8", "4 on each of 2", NULL};
    has_words(&err, words);
    rig_drop(&first);
    rig_make(&r, "one", &four, &first);
    rig_make(&r, "two", &five, &second);
    rig_make(&r, "three", &four, &third);
    rig_launch(&first);
    assert_int_equal(rig_try_launch(&second, &err), RK_LIMIT);
    static const char *const beside[] = {
        "'two'", "5 blocks", "beside 'one'", "4 blocks", "room for 4", "park the other", NULL};
    has_words(&err, beside);
    rig_launch(&third);
    assert_int_equal(rig_ask(&first, RK_CMD_RUN, 5).step, 5);
    assert_int_equal(rig_ask(&third, RK_CMD_RUN, 5).step, 5);
    rig_leave(&first, RK_CMD_TERMINATE);
    rig_leave(&third, RK_CMD_TERMINATE);
    rig_launch(&second); /* alone it fits */
    rig_leave(&second, RK_CMD_TERMINATE);
    rig_drop(&first);
    rig_drop(&second);
    rig_drop(&third);
    rig_close(&r);
}

/* One kernel more than there are queues is refused; it would never start. */
static void test_streams(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernels[8];
    open_rig(&r);
    const uint32_t most = is_hip() ? 3 : 7;
    const rig_options one = {.blocks = 1, .cells = 16};
    rk_err err = RK_ERR_INIT;
    for (uint32_t i = 0; i <= most; i++) {
        rig_make(&r, "crowd", &one, &kernels[i]);
    }
    for (uint32_t i = 0; i < most; i++) {
        rig_launch(&kernels[i]);
    }
    assert_int_equal(rig_try_launch(&kernels[most], &err), RK_LIMIT);
    for (uint32_t i = 0; i < most; i++) {
        assert_int_equal(rig_ask(&kernels[i], RK_CMD_RUN, 2).step, 2);
    }
    rig_leave(&kernels[0], RK_CMD_TERMINATE);
    rig_launch(&kernels[most]);
    for (uint32_t i = 1; i <= most; i++) {
        rig_leave(&kernels[i], RK_CMD_TERMINATE);
    }
    for (uint32_t i = 0; i <= most; i++) {
        rig_drop(&kernels[i]);
    }
    rig_close(&r);
}

static void test_shares(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernels[3];
    open_rig(&r);
    const rig_options one = {.blocks = 2};
    rk_err err = RK_ERR_INIT;
    for (int i = 0; i < 3; i++) {
        rig_make(&r, i == 0 ? "left" : i == 1 ? "right" : "none", &one, &kernels[i]);
        kernels[i].units = 8;
    }
    rig_launch(&kernels[0]);
    rig_launch(&kernels[1]);
    assert_int_equal(rig_try_launch(&kernels[2], &err), RK_BUSY);
    static const char *const words[] = {"'none'", "8 multiprocessors", "RK_GPU_SHARES=8,8", NULL};
    has_words(&err, words);
    assert_int_equal(rig_ask(&kernels[0], RK_CMD_RUN, 2).step, 2);
    assert_int_equal(rig_ask(&kernels[1], RK_CMD_RUN, 2).step, 2);
    rig_leave(&kernels[0], RK_CMD_TERMINATE);
    rig_launch(&kernels[2]);
    rig_leave(&kernels[2], RK_CMD_TERMINATE);
    rig_leave(&kernels[1], RK_CMD_TERMINATE);
    /* With nothing resident one is made when it is wanted; what cannot be had is told. */
    kernels[0].units = 16;
    kernels[0].started = false;
    rig_lay_out(&kernels[0], &one);
    rig_launch(&kernels[0]);
    rig_leave(&kernels[0], RK_CMD_TERMINATE);
    kernels[1].units = 32;
    rig_lay_out(&kernels[1], &one);
    assert_int_equal(rig_try_launch(&kernels[1], &err), RK_LIMIT);
    for (int i = 0; i < 3; i++) {
        rig_drop(&kernels[i]);
    }
    rig_close(&r);
}

static void test_no_shares(void **state)
{
    (void)state;
    rig r;
    rig_kernel kernel;
    open_rig(&r);
    rig_make(&r, "share", NULL, &kernel);
    kernel.units = 1;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rig_try_launch(&kernel, &err), RK_UNSUPPORTED);
    static const char *const words[] = {"'share'", "green contexts", "whole device", NULL};
    has_words(&err, words);
    rig_drop(&kernel);
    rig_close(&r);
}

/* Calls that older libraries lack have a way around them. */
static void test_poor_library(void **state)
{
    (void)state;
    life(NULL, 0);
}

int main(int argc, char **argv)
{
    static const gpu_row rows[] = {
        {"caps", "", NULL, test_caps, true, true},
        {"life", "drain", NULL, test_life, true, true},
        {"life_poller", "drain", NULL, test_life_poller, true, true},
        {"life_lanes", "drain", NULL, test_life_lanes, true, true},
        {"life_plain_launch", "drain,nocoop", NULL, test_life, true, true},
        {"life_zluda", "drain,zluda", NULL, test_life, true, false},
        {"copies", "", NULL, test_copies, true, true},
        {"import", "", NULL, test_import, true, true},
        {"routes", "drain", NULL, test_routes, true, true},
        {"health_nvml", "drain,devices=2,heat=67,link=nvlink", NULL, test_health, true, false},
        {"health_smi", "drain,devices=2,heat=67,link=xgmi", NULL, test_health, false, true},
        {"lease", "drain", "RK_GPU_LEASE=1", test_lease, true, true},
        {"lease_poller", "drain,watchdog", NULL, test_lease_poller, true, true},
        {"resident", "drain,memory=24MiB", NULL, test_resident, true, true},
        {"reserve", "drain", "RK_GPU_RESERVE=12288", test_reserve, true, true},
        {"too_large", "drain", NULL, test_too_large, true, true},
        {"streams", "drain", NULL, test_streams, true, true},
        {"shares", "drain,units=32", "RK_GPU_SHARES=8,8", test_shares, true, false},
        {"no_shares", "drain,nogreen", NULL, test_no_shares, true, true},
        {"poor_cuda",
         "drain,nocoop,missing=cuFuncLoad,missing=cuMemHostRegister_v2,missing="
         "cuLaunchCooperativeKernel,missing=cuDeviceGetDevResource",
         NULL, test_poor_library, true, false},
        {"poor_hip",
         "drain,missing=hipModuleLaunchCooperativeKernel,missing=hipDrvGetErrorString,missing="
         "hipGetDevicePropertiesR0600",
         NULL, test_poor_library, false, true},
    };
    return gpu_rows_main(argc, argv, rows, RK_COUNT_OF(rows));
}
