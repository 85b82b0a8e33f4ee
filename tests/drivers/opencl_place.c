/*
 * opencl_place.c: see opencl_place.h.
 */
#include "drivers/opencl_place.h"

#include "drivers/opencl/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What implementations of OpenCL never give back is not a leak of ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpocl\nleak:libOpenCL\nleak:libLLVM\nleak:libclang\nleak:libhwloc\nleak:"
           "libltdl\n";
}

bool place_is_there(void)
{
    const char *build = getenv("RK_BUILD_DIR");
    if (build != NULL) {
        char cache[512];
        (void)snprintf(cache, sizeof cache, "%s/pocl-cache", build);
        (void)mkdir(cache, 0777); /* without it PoCL makes one in the user's home */
        (void)setenv("POCL_CACHE_DIR", cache, 0);
    }
    rk_err err = RK_ERR_INIT;
    const rk_device_options options = {.logical_devices = 1};
    uint32_t count = 0;
    if (rk_driver_opencl()->probe(&options, &count, &err) != RK_OK) {
        printf("skip: %s\n", err.text);
        return false;
    }
    return true;
}
