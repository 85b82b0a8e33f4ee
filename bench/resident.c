/*
 * resident.c: see resident.h.
 */
#include "bench/resident.h"

#include <string.h>

rk_status rk_bench_resident_open(rk_bench_resident *out_resident, uint32_t blocks, rk_err *err)
{
    return rk_bench_resident_open_on(out_resident, NULL, blocks, err);
}

rk_status rk_bench_resident_open_on(rk_bench_resident *out_resident, const char *device,
                                    uint32_t blocks, rk_err *err)
{
    memset(out_resident, 0, sizeof *out_resident);
    rk_status status = rk_runtime_create(NULL, &out_resident->runtime, err);
    if (status == RK_OK) {
        status = rk_module_open_builtin("echo", &out_resident->module, err);
    }
    if (status == RK_OK) {
        rk_launch launch = {
            .name = "bench", .module = out_resident->module, .device = device, .blocks = blocks};
        status = rk_kernel_create(out_resident->runtime, &launch, &out_resident->kernel, err);
    }
    return status == RK_OK ? rk_kernel_start(out_resident->kernel, err) : status;
}

void rk_bench_resident_close(rk_bench_resident *resident)
{
    rk_runtime_destroy(resident->runtime);
    rk_module_unref(resident->module);
}

rk_status rk_bench_resident_ping(rk_kernel *kernel, rk_err *err)
{
    uint64_t id;
    rk_reply reply;
    rk_status status = rk_kernel_ping(kernel, &id, err);
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, RK_FOREVER, &reply, err);
    }
    if (status == RK_OK && (reply.status != RK_OK || reply.id != id)) {
        status =
            rk_err_set(err, RK_INTERNAL, "a ping was answered with status %d", (int)reply.status);
    }
    return status;
}
