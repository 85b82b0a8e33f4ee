/*
 * probe.c: see probe.h.
 */
#include "runtime/probe.h"
#include "support/skip.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static void remove_bundle(void)
{
    (void)unlink(path);
}

rk_module *probe_module(void)
{
    rk_err err = RK_ERR_INIT;
    if (path[0] == '\0') {
        (void)snprintf(path, sizeof path, "/tmp/rk-probe-%ld.rkm", (long)getpid());
        rk_module_build_options options = {
            .source_path = RK_TEST_SOURCE_DIR "/tests/runtime/probe_kernel.c",
            .output_path = path,
            .targets = RK_BUILD_CPU | RK_BUILD_FIBER | RK_BUILD_OPENCL,
            .levels = "v2",
            .include_dir = RK_TEST_SOURCE_DIR "/include",
        };
        if (rk_module_build(&options, &err) != RK_OK) {
            fail_msg("%s", err.text);
        }
        (void)atexit(remove_bundle);
    }
    rk_module *module = NULL;
    if (rk_module_open_file(path, &module, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return module;
}

rk_kernel *probe_start(rk_runtime *runtime, const rk_launch *launch)
{
    rk_err err = RK_ERR_INIT;
    rk_launch full = *launch;
    full.name = full.name != NULL ? full.name : "probe";
    rk_module *module = probe_module();
    full.module = module;
    rk_kernel *kernel = NULL;
    if (rk_kernel_create(runtime, &full, &kernel, &err) != RK_OK ||
        rk_kernel_start(kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_module_unref(module);
    return kernel;
}

rk_reply probe_done(rk_kernel *kernel, uint64_t id)
{
    rk_err err = RK_ERR_INIT;
    rk_reply reply = {0};
    if (rk_kernel_wait(kernel, id, RK_FOREVER, &reply, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(reply.status, RK_OK);
    assert_int_equal(reply.level, RK_REPLY_APPLIED);
    assert_int_equal(reply.id, id);
    return reply;
}

uint64_t probe_run(rk_kernel *kernel, uint64_t steps)
{
    uint64_t id = 0;
    rk_err err = RK_ERR_INIT;
    if (rk_kernel_run(kernel, steps, &id, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return probe_done(kernel, id).step;
}
