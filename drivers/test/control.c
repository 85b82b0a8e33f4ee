/*
 * control.c: see test_gpu.h.
 */
#include "drivers/test/sim.h"
#include "drivers/test/test_gpu.h"
#include <stdio.h>
#include <string.h>

static rk_sim_device *device_of(uint32_t device)
{
    return rk_sim_device_at(device >> 8 == 1 ? RK_SIM_HIP : RK_SIM_CUDA, device & 0xffu);
}

RK_API uint32_t rkTestDriverCodeKinds(void)
{
    return RK_CODE_BIT(RK_CODE_CPU) | RK_CODE_BIT(RK_CODE_FIBER);
}

RK_API int rkTestDriverMissing(const char *symbol)
{
    const rk_sim_options *options = rk_sim_config();
    for (uint32_t i = 0; i < options->missing_count; i++) {
        if (strcmp(options->missing[i], symbol) == 0) {
            return 1;
        }
    }
    /* What ZLUDA does not have. */
    static const char *const zluda[] = {
        "cuFuncLoad",          "cuMemHostRegister_v2",
        "cuMemHostUnregister", "cuOccupancyMaxActiveBlocksPerMultiprocessor",
        "cuGreenCtxCreate",    "cuDeviceGetDevResource"};
    for (size_t i = 0; options->zluda != 0 && i < RK_COUNT_OF(zluda); i++) {
        if (strcmp(zluda[i], symbol) == 0) {
            return 1;
        }
    }
    return 0;
}

RK_API uint64_t rkTestDriverAddress(uint64_t device_pointer)
{
    uint8_t *real = NULL;
    return rk_sim_memory_real(NULL, device_pointer, 1, &real) == RK_SIM_OK
               ? (uint64_t)(uintptr_t)real
               : 0;
}

RK_API int rkTestDriverInject(uint32_t device, const char *fault)
{
    rk_sim_device *found = device_of(device);
    return found != NULL && rk_sim_inject(found, fault) ? 0 : -1;
}

RK_API uint64_t rkTestDriverDrainViolations(void)
{
    return rk_sim_violations();
}

RK_API int rkTestDriverConfigure(const char *text)
{
    rk_err err = RK_ERR_INIT;
    if (rk_sim_configure(text, &err) != RK_OK) {
        (void)fprintf(stderr, "rk-test-gpu: %s\n", err.text);
        return -1;
    }
    return 0;
}

RK_API uint32_t rkTestDriverResident(uint32_t device)
{
    rk_sim_device *found = device_of(device);
    if (found == NULL) {
        return 0;
    }
    rk_mutex_lock(&found->lock);
    uint32_t resident = found->resident;
    rk_mutex_unlock(&found->lock);
    return resident;
}
