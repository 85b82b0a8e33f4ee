/*
 * queue.c: streams and events.
 *
 * A stream is a view on a hardware queue, a thread that does one operation after the other. Streams
 * that share a queue wait for each other, as on AMD hardware: what stands behind a resident kernel
 * does not start.
 *
 * Invariants, under the device's lock
 *   1. issued >= completed; an operation is complete when completed has reached its ticket.
 *   2. After the device is lost, operations complete without doing anything.
 *   3. A queue lives until the test driver is configured again; its thread, until it is stopped.
 */
#include "base/clock.h"
#include "drivers/test/work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rk_sim_queue {
    rk_sim_device *device;
    rk_sim_queue *next;
    rk_thread thread;
    rk_sim_op *head;
    rk_sim_op **tail;
    uint64_t issued;
    uint64_t completed;
    uint32_t resident; /* kernels in it that have not left */
    uint32_t users;    /* streams */
    bool stopping;
};

static void copy_time(const rk_sim_op *op)
{
    const rk_sim_options *options = rk_sim_config();
    uint64_t ns = options->copy_delay_ns;
    if (options->copy_bandwidth != 0) {
        ns += (uint64_t)((double)op->bytes / (double)options->copy_bandwidth * 1e9);
    }
    if (ns != 0) {
        struct timespec pause = {.tv_sec = (time_t)(ns / RK_NS_PER_S),
                                 .tv_nsec = (long)(ns % RK_NS_PER_S)};
        (void)nanosleep(&pause, NULL);
    }
}

static void op_wait(const rk_sim_op *op)
{
    rk_sim_device *device = op->stream->object.device;
    rk_mutex_lock(&device->lock);
    const rk_sim_queue *queue = op->stream->queue;
    const rk_sim_queue *other = op->event->stream->queue;
    while (other->completed < op->bytes && !device->lost && !queue->stopping) {
        rk_cond_wait(&device->changed, &device->lock);
    }
    rk_mutex_unlock(&device->lock);
}

static void op_run(rk_sim_op *op)
{
    switch (op->kind) {
    case RK_SIM_OP_COPY:
        copy_time(op);
        memmove(op->to, op->from, op->bytes);
        break;
    case RK_SIM_OP_FILL:
        if (rk_sim_room_wait(op->stream->object.device)) {
            memset(op->to, op->value, op->bytes);
        }
        break;
    case RK_SIM_OP_CALL: op->call(op->argument); break;
    case RK_SIM_OP_WAIT: op_wait(op); break;
    case RK_SIM_OP_FREE:
        (void)rk_sim_memory_free(op->stream->object.device, RK_SIM_DEVICE_MEMORY, op->address);
        break;
    case RK_SIM_OP_KERNEL: rk_sim_kernel_run(op); break;
    case RK_SIM_OP_EVENT: break;
    }
}

/* Under the device's lock. */
static void op_finish(rk_sim_queue *queue, rk_sim_op *op)
{
    rk_sim_device *device = queue->device;
    queue->completed = op->ticket;
    if (op->kind == RK_SIM_OP_EVENT) {
        op->event->done_ns = rk_clock_monotonic_ns();
    } else if (op->kind == RK_SIM_OP_KERNEL) {
        device->resident--;
        queue->resident--;
        op->stream->resident--;
    }
    rk_cond_broadcast(&device->changed);
    free(op->owned);
    free(op);
}

static void queue_main(void *argument)
{
    rk_sim_queue *queue = argument;
    rk_sim_device *device = queue->device;
    rk_mutex_lock(&device->lock);
    for (;;) {
        while (queue->head == NULL && !queue->stopping) {
            rk_cond_wait(&device->changed, &device->lock);
        }
        rk_sim_op *op = queue->head;
        if (op == NULL) {
            break;
        }
        queue->head = op->next;
        if (queue->head == NULL) {
            queue->tail = &queue->head;
        }
        bool skip = device->lost;
        rk_mutex_unlock(&device->lock);
        if (!skip) {
            op_run(op);
        }
        rk_mutex_lock(&device->lock);
        op_finish(queue, op);
    }
    rk_mutex_unlock(&device->lock);
}

rk_sim_result rk_sim_enqueue(rk_sim_stream *stream, const rk_sim_op *op)
{
    rk_sim_device *device = stream->object.device;
    rk_sim_op *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return RK_SIM_NO_MEMORY;
    }
    *copy = *op;
    copy->stream = stream;
    copy->next = NULL;
    rk_mutex_lock(&device->lock);
    rk_sim_queue *queue = stream->queue;
    if (device->lost || stream->object.dead) {
        rk_mutex_unlock(&device->lock);
        free(copy);
        return device->lost ? RK_SIM_LOST : RK_SIM_DESTROYED;
    }
    copy->ticket = ++queue->issued;
    stream->last = copy->ticket;
    if (op->kind == RK_SIM_OP_EVENT) {
        op->event->stream = stream;
        op->event->ticket = copy->ticket;
    } else if (op->kind == RK_SIM_OP_KERNEL) {
        device->resident++;
        queue->resident++;
        stream->resident++;
    }
    *queue->tail = copy;
    queue->tail = &copy->next;
    rk_cond_broadcast(&device->changed);
    rk_mutex_unlock(&device->lock);
    return RK_SIM_OK;
}

void rk_sim_queues_stop(rk_sim_device *device)
{
    rk_mutex_lock(&device->lock);
    rk_sim_queue *queue = device->queues;
    device->queues = NULL;
    for (rk_sim_queue *q = queue; q != NULL; q = q->next) {
        q->stopping = true;
    }
    rk_cond_broadcast(&device->changed);
    rk_mutex_unlock(&device->lock);
    while (queue != NULL) {
        rk_sim_queue *next = queue->next;
        rk_thread_join(&queue->thread);
        queue->next = device->ended;
        device->ended = queue;
        queue = next;
    }
}

void rk_sim_queues_free(rk_sim_device *device)
{
    while (device->ended != NULL) {
        rk_sim_queue *queue = device->ended;
        device->ended = queue->next;
        free(queue);
    }
}

/* ---- Streams ----------------------------------------------------------------------------- */

/* A queue for the next stream: a new one, or the next of the hardware's. Under the lock. */
static rk_sim_queue *queue_take(rk_sim_device *device)
{
    uint32_t made = 0;
    rk_sim_queue *idlest = NULL;
    for (rk_sim_queue *q = device->queues; q != NULL; q = q->next) {
        made++;
        idlest = idlest == NULL || q->users < idlest->users ? q : idlest;
    }
    if (idlest != NULL &&
        (idlest->users == 0 || (device->queue_count != 0 && made >= device->queue_count))) {
        idlest->users++;
        return idlest;
    }
    rk_sim_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        return NULL;
    }
    queue->device = device;
    queue->tail = &queue->head;
    queue->users = 1;
    char name[16];
    (void)snprintf(name, sizeof name, "%s%u/q%u", device->vendor == RK_SIM_HIP ? "hip" : "cuda",
                   device->index % 100, made % 1000);
    if (rk_thread_start(&queue->thread, name, queue_main, queue) != RK_OK) {
        free(queue);
        return NULL;
    }
    queue->next = device->queues;
    device->queues = queue;
    return queue;
}

rk_sim_result rk_sim_stream_create(rk_sim_device *device, bool blocking, uint32_t units,
                                   rk_sim_stream **out_stream)
{
    rk_sim_stream *stream = rk_sim_object_create(device, RK_SIM_STREAM, sizeof *stream);
    if (stream == NULL) {
        return RK_SIM_NO_MEMORY;
    }
    rk_mutex_lock(&device->lock);
    stream->blocking = blocking;
    stream->units = units;
    stream->queue = queue_take(device);
    stream->object.dead = stream->queue == NULL;
    rk_mutex_unlock(&device->lock);
    if (stream->queue == NULL) {
        return RK_SIM_NO_MEMORY;
    }
    *out_stream = stream;
    return RK_SIM_OK;
}

rk_sim_result rk_sim_stream_destroy(rk_sim_stream *stream)
{
    rk_sim_device *device = stream->object.device;
    rk_mutex_lock(&device->lock);
    stream->object.dead = true;
    stream->queue->users--; /* what it still holds is done all the same */
    rk_mutex_unlock(&device->lock);
    return RK_SIM_OK;
}

rk_sim_result rk_sim_stream_of(rk_sim_device *device, void *handle, rk_sim_stream **out_stream)
{
    if ((uintptr_t)handle > 2) { /* 1 and 2 name the legacy and the per-thread default stream */
        *out_stream = handle;
        return rk_sim_object_check(handle, RK_SIM_STREAM);
    }
    rk_mutex_lock(&device->lock);
    rk_sim_stream *stream = device->default_stream;
    rk_mutex_unlock(&device->lock);
    if (stream == NULL) {
        rk_sim_result result = rk_sim_stream_create(device, true, 0, &stream);
        if (result != RK_SIM_OK) {
            return result;
        }
        rk_mutex_lock(&device->lock);
        device->default_stream = stream;
        stream->is_default = true;
        rk_mutex_unlock(&device->lock);
    }
    *out_stream = stream;
    return RK_SIM_OK;
}

static rk_sim_result wait_ticket(rk_sim_device *device, const rk_sim_queue *queue, uint64_t ticket)
{
    while (queue->completed < ticket && !device->lost) {
        rk_cond_wait(&device->changed, &device->lock);
    }
    return device->lost ? RK_SIM_LOST : RK_SIM_OK;
}

rk_sim_result rk_sim_stream_query(rk_sim_stream *stream)
{
    rk_sim_device *device = stream->object.device;
    rk_mutex_lock(&device->lock);
    rk_sim_result result = device->lost                               ? RK_SIM_LOST
                           : stream->queue->completed >= stream->last ? RK_SIM_OK
                                                                      : RK_SIM_NOT_READY;
    rk_mutex_unlock(&device->lock);
    return result;
}

/*
 * Waiting for a stream's work waits for the kernels before it: those in the same queue and, on the
 * default stream, those in every blocking stream.
 */
rk_sim_result rk_sim_stream_behind_kernel(rk_sim_stream *stream, const char *call)
{
    rk_sim_device *device = stream->object.device;
    rk_mutex_lock(&device->lock);
    bool behind = stream->queue->resident != 0;
    for (rk_sim_object *o = device->objects; o != NULL && stream->is_default; o = o->next) {
        if (o->kind == RK_SIM_STREAM && ((rk_sim_stream *)o)->blocking) {
            behind = behind || ((rk_sim_stream *)o)->resident != 0;
        }
    }
    rk_mutex_unlock(&device->lock);
    return behind ? rk_sim_may_wait(device, call) : RK_SIM_OK;
}

rk_sim_result rk_sim_stream_wait_blocking(rk_sim_stream *stream)
{
    rk_sim_device *device = stream->object.device;
    rk_sim_result result = RK_SIM_OK;
    rk_mutex_lock(&device->lock);
    if (stream->is_default) {
        for (rk_sim_object *o = device->objects; o != NULL && result == RK_SIM_OK; o = o->next) {
            rk_sim_stream *other = (rk_sim_stream *)o;
            if (o->kind == RK_SIM_STREAM && other->blocking && other->queue != NULL) {
                result = wait_ticket(device, other->queue, other->last);
            }
        }
    }
    rk_mutex_unlock(&device->lock);
    return result;
}

rk_sim_result rk_sim_stream_wait(rk_sim_stream *stream)
{
    rk_sim_device *device = stream->object.device;
    rk_mutex_lock(&device->lock);
    rk_sim_result result = wait_ticket(device, stream->queue, stream->last);
    rk_mutex_unlock(&device->lock);
    return result;
}

rk_sim_result rk_sim_device_wait(rk_sim_device *device, const char *call)
{
    rk_sim_result result = rk_sim_may_wait(device, call);
    rk_mutex_lock(&device->lock);
    for (rk_sim_queue *q = device->queues; q != NULL && result == RK_SIM_OK; q = q->next) {
        result = wait_ticket(device, q, q->issued);
    }
    rk_mutex_unlock(&device->lock);
    return result;
}

/* ---- Events ------------------------------------------------------------------------------ */

rk_sim_result rk_sim_event_create(rk_sim_device *device, rk_sim_event **out_event)
{
    rk_sim_event *event = rk_sim_object_create(device, RK_SIM_EVENT, sizeof *event);
    if (event == NULL) {
        return RK_SIM_NO_MEMORY;
    }
    *out_event = event;
    return RK_SIM_OK;
}

rk_sim_result rk_sim_event_record(rk_sim_event *event, rk_sim_stream *stream)
{
    rk_sim_op op = {.kind = RK_SIM_OP_EVENT, .event = event};
    return rk_sim_enqueue(stream, &op);
}

rk_sim_result rk_sim_event_query(rk_sim_event *event)
{
    rk_sim_device *device = event->object.device;
    rk_mutex_lock(&device->lock);
    rk_sim_result result = RK_SIM_OK;
    if (device->lost) {
        result = RK_SIM_LOST;
    } else if (event->stream != NULL && event->stream->queue->completed < event->ticket) {
        result = RK_SIM_NOT_READY;
    }
    rk_mutex_unlock(&device->lock);
    return result;
}

void rk_sim_event_destroy(rk_sim_event *event)
{
    rk_mutex_lock(&event->object.device->lock);
    event->object.dead = true;
    rk_mutex_unlock(&event->object.device->lock);
}

rk_sim_result rk_sim_event_elapsed(rk_sim_event *from, rk_sim_event *to, float *out_ms)
{
    rk_sim_result result =
        from->stream == NULL || to->stream == NULL ? RK_SIM_BAD_HANDLE : rk_sim_event_query(from);
    result = result == RK_SIM_OK ? rk_sim_event_query(to) : result;
    if (result == RK_SIM_OK) {
        *out_ms = (float)((double)(int64_t)(to->done_ns - from->done_ns) / 1e6);
    }
    return result;
}

rk_sim_result rk_sim_event_wait(rk_sim_event *event)
{
    rk_sim_device *device = event->object.device;
    rk_sim_result result = RK_SIM_OK;
    rk_mutex_lock(&device->lock);
    if (event->stream != NULL) {
        result = wait_ticket(device, event->stream->queue, event->ticket);
    }
    rk_mutex_unlock(&device->lock);
    return result;
}

rk_sim_result rk_sim_stream_wait_event(rk_sim_stream *stream, rk_sim_event *event)
{
    if (event->stream == NULL) {
        return RK_SIM_OK;
    }
    rk_sim_op op = {.kind = RK_SIM_OP_WAIT, .event = event, .bytes = event->ticket};
    return rk_sim_enqueue(stream, &op);
}
