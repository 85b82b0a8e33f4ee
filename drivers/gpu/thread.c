/*
 * thread.c: the driver thread of a device and its queue of requests.
 *
 * Between requests the thread looks at the resident kernels: a kernel that has left is noticed by
 * asking its stream, since a GPU cannot wake the host.
 */
#include "base/clock.h"
#include "drivers/gpu/gpu.h"
#include <stdio.h>

struct gpu_request {
    gpu_request *next;
    gpu_work work;
    void *context;
    rk_status status;
    bool done;
};

static gpu_request *take_request(rk_device *device)
{
    gpu_request *request = device->first;
    if (request != NULL) {
        device->first = request->next;
        if (device->first == NULL) {
            device->last = &device->first;
        }
    }
    return request;
}

void gpu_look_if_due(rk_device *device)
{
    rk_mutex_lock(&device->lock);
    bool due = device->look_ns != RK_NEVER && rk_clock_monotonic_ns() >= device->look_ns;
    rk_mutex_unlock(&device->lock);
    if (due) {
        gpu_look_at(device, gpu_watch(device));
    }
}

void gpu_look_at(rk_device *device, uint64_t when_ns)
{
    rk_mutex_lock(&device->lock);
    device->look_ns = when_ns;
    rk_mutex_unlock(&device->lock);
}

static void thread_main(void *argument)
{
    rk_device *device = argument;
    rk_mutex_lock(&device->lock);
    for (;;) {
        gpu_request *request = take_request(device);
        if (request != NULL) {
            rk_mutex_unlock(&device->lock);
            rk_status status = request->work(device, request->context);
            rk_mutex_lock(&device->lock);
            request->status = status;
            request->done = true;
            rk_cond_broadcast(&device->done);
        } else if (device->stop) {
            break;
        } else if (device->look_ns == RK_NEVER) {
            rk_cond_wait(&device->work, &device->lock);
        } else {
            (void)rk_cond_wait_until(&device->work, &device->lock, device->look_ns);
        }
        rk_mutex_unlock(&device->lock);
        gpu_look_if_due(device);
        rk_mutex_lock(&device->lock);
    }
    rk_mutex_unlock(&device->lock);
}

rk_status gpu_thread_start(rk_device *device)
{
    rk_mutex_init(&device->lock);
    rk_cond_init(&device->work);
    rk_cond_init(&device->done);
    device->last = &device->first;
    device->look_ns = RK_NEVER;
    char name[16];
    (void)snprintf(name, sizeof name, "rk %.11s", device->caps.name);
    return rk_thread_start(&device->thread, name, thread_main, device);
}

void gpu_thread_stop(rk_device *device)
{
    rk_mutex_lock(&device->lock);
    device->stop = true;
    rk_cond_broadcast(&device->work);
    rk_mutex_unlock(&device->lock);
    rk_thread_join(&device->thread);
    rk_cond_finish(&device->done);
    rk_cond_finish(&device->work);
    rk_mutex_finish(&device->lock);
}

rk_status gpu_call(rk_device *device, gpu_work work, void *context)
{
    gpu_request request = {.work = work, .context = context};
    rk_mutex_lock(&device->lock);
    *device->last = &request;
    device->last = &request.next;
    rk_cond_signal(&device->work);
    while (!request.done) {
        rk_cond_wait(&device->done, &device->lock);
    }
    rk_mutex_unlock(&device->lock);
    return request.status;
}

void gpu_nudge(rk_device *device)
{
    rk_mutex_lock(&device->lock);
    if (device->look_ns != RK_NEVER) {
        device->look_ns = 0;
        rk_cond_signal(&device->work);
    }
    rk_mutex_unlock(&device->lock);
}
