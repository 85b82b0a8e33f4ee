/*
 * runtime.c: the runtime object: devices and the list of kernels.
 */
#include "profile/profile.h"
#include "runtime/runtime_internal.h"
#include <stdlib.h>
#include <string.h>

rk_status rk_runtime_create(const rk_runtime_options *options, rk_runtime **out_runtime,
                            rk_err *err)
{
    rk_status status = rk_profile_setup(err);
    if (status != RK_OK) {
        return status;
    }
    rk_runtime *runtime = calloc(1, sizeof *runtime);
    if (runtime == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a runtime");
    }
    if (options != NULL) {
        runtime->options = *options;
    }
    rk_mutex_init(&runtime->kernels_lock);
    rk_mutex_init(&runtime->homes_lock);
    status = rk_devices_open(runtime, err);
    if (status == RK_OK) {
        status = rk_thread_start(&runtime->supervisor, "rk-supervisor", rk_supervise_main, runtime);
        if (status != RK_OK) {
            (void)rk_err_set(err, status, "cannot start the runtime's supervisor thread: %s",
                             rk_status_text(status));
        }
    }
    if (status != RK_OK) {
        rk_devices_close(runtime);
        rk_mutex_finish(&runtime->kernels_lock);
        free(runtime);
        return status;
    }
    *out_runtime = runtime;
    return RK_OK;
}

void rk_runtime_destroy(rk_runtime *runtime)
{
    if (runtime == NULL) {
        return;
    }
    while (runtime->kernels != NULL) {
        rk_kernel_destroy(runtime->kernels);
    }
    rk_word_store_release(&runtime->stopping, 1);
    rk_supervise_kick(runtime);
    rk_thread_join(&runtime->supervisor);
    while (runtime->graveyard != NULL) {
        rk_kernel *next = runtime->graveyard->next;
        rk_kernel_free(runtime->graveyard);
        runtime->graveyard = next;
    }
    rk_profile_capture_auto_end();
    rk_devices_close(runtime);
    rk_mutex_finish(&runtime->kernels_lock);
    free(runtime);
}

rk_kernel *rk_runtime_find_kernel(rk_runtime *runtime, const char *name)
{
    rk_mutex_lock(&runtime->kernels_lock);
    rk_kernel *kernel = runtime->kernels;
    while (kernel != NULL && strcmp(kernel->name, name) != 0) {
        kernel = kernel->next;
    }
    rk_mutex_unlock(&runtime->kernels_lock);
    return kernel;
}

void rk_runtime_each_kernel(rk_runtime *runtime, void (*fn)(void *context, rk_kernel *kernel),
                            void *context)
{
    rk_mutex_lock(&runtime->kernels_lock);
    for (rk_kernel *kernel = runtime->kernels; kernel != NULL; kernel = kernel->next) {
        fn(context, kernel);
    }
    rk_mutex_unlock(&runtime->kernels_lock);
}
