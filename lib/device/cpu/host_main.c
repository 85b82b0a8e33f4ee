/*
 * host_main.c: the host process: runs kernels for a parent, and dies with it.
 *
 * One thread serves the socket; kernels are threads of this process (exec.h). Memory that the
 * parent sends stays mapped until it says UNMAP, because other kernels may have routes into it.
 */
#include "abi/word.h"
#include "device/cpu/exec.h"
#include "device/cpu/relay.h"
#include <errno.h>
#include <poll.h>
#include <ringkernel/abi/command.h>
#include <ringkernel/runtime.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef struct hosted_memory {
    uint8_t *base;
    uint64_t bytes;
} hosted_memory;

struct host;

typedef struct hosted_kernel {
    struct host *host;
    rk_cpu_exec *exec;
    rk_cpu_code code;
    uint32_t slot;
} hosted_kernel;

typedef struct host {
    int socket;
    hosted_kernel kernels[RK_HOST_KERNEL_MAX];
    hosted_memory memory[RK_HOST_MEMORY_MAX];
    rk_relay_host *relay; /* NULL: kernels are threads of this process */
} host;

static void kernel_exited(void *context)
{
    hosted_kernel *kernel = context;
    rk_host_message message = {.op = RK_HOST_EXITED, .kernel = kernel->slot};
    /* A parent that is gone ends this process through the serving thread. */
    (void)rk_host_send(kernel->host->socket, &message, NULL, 0);
}

static rk_status map_memory(host *self, uint32_t number, int fd, uint64_t bytes, uint8_t **out_base)
{
    if (number >= RK_HOST_MEMORY_MAX) {
        return RK_LIMIT;
    }
    hosted_memory *memory = &self->memory[number];
    if (memory->base == NULL) {
        void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED) {
            return RK_NO_MEMORY;
        }
        (void)madvise(base, bytes, MADV_HUGEPAGE); /* a hint */
        *memory = (hosted_memory){.base = base, .bytes = bytes};
    }
    *out_base = memory->base;
    return RK_OK;
}

/* The slots from `from` to `to` become one message that the kernel passes over. */
static void inbox_skip(rk_ring *ring, uint32_t from, uint32_t to)
{
    uint32_t slots = to - from;
    rk_slot *slot = (rk_slot *)((uint8_t *)ring + ring->slots) + (from & (ring->capacity - 1));
    rk_u32 *word = (rk_u32 *)((uint8_t *)ring + ring->sequences) + (from & (ring->capacity - 1));
    slot->header.type = RK_ANSWER_SKIP;
    slot->header.length = slots * RK_SLOT_BYTES - (rk_u32)sizeof slot->header;
    rk_word_store_release(word, from + 1);
}

/*
 * An arena that comes from a process that has died: its routes hold addresses of that process, and
 * in its inbox there may be slots that a sender claimed and did not live to fill.
 */
static void mend(const uint8_t *mapped, uint8_t *arena)
{
    const rk_control *control = (const rk_control *)mapped;
    rk_route *routes = (rk_route *)(arena + control->routes);
    for (uint32_t i = 0; i < control->route_count; i++) {
        rk_word_store_release(&routes[i].state, 0);
    }
    rk_peer *peer = (rk_peer *)(arena + control->peer);
    rk_ring *ring = (rk_ring *)((uint8_t *)peer + peer->inbox);
    const rk_u32 *words = (const rk_u32 *)((uint8_t *)ring + ring->sequences);
    const rk_slot *slots = (const rk_slot *)((uint8_t *)ring + ring->slots);
    uint32_t mask = ring->capacity - 1;
    uint32_t tail = rk_word_load_acquire(&ring->tail);
    uint32_t at = rk_word_load_acquire(&ring->head);
    while (tail - at <= ring->capacity && at != tail) {
        uint32_t next = at;
        while (next != tail && rk_word_load_acquire(&words[next & mask]) != next + 1) {
            next++;
        }
        if (next != at) {
            inbox_skip(ring, at, next);
            at = next;
        } else {
            rk_u32 length = slots[at & mask].header.length;
            at += length <= RK_SLOT_PAYLOAD_BYTES
                      ? 1u
                      : 2u + (length - RK_SLOT_PAYLOAD_BYTES - 1u) / RK_SLOT_BYTES;
        }
    }
}

static rk_status launch(host *self, const rk_host_message *request, const int fds[RK_HOST_FD_MAX],
                        rk_err *err)
{
    hosted_kernel *kernel = &self->kernels[request->kernel];
    uint8_t *mapped;
    uint8_t *arena;
    uint8_t *old = NULL;
    bool fresh = request->mapped_memory < RK_HOST_MEMORY_MAX &&
                 self->memory[request->mapped_memory].base == NULL;
    rk_status status =
        map_memory(self, request->mapped_memory, fds[1], request->mapped_bytes, &mapped);
    if (status == RK_OK) {
        status = map_memory(self, request->arena_memory, fds[2], request->arena_bytes, &arena);
    }
    if (status == RK_OK && request->migrates != 0) {
        status = map_memory(self, request->migrate_memory, fds[3], request->migrate_bytes, &old);
    }
    if (status != RK_OK) {
        return rk_err_set(err, status, "the host process cannot map the memory of kernel '%s'",
                          request->name);
    }
    if (fresh) {
        mend(mapped, arena);
    }
    void *image = mmap(NULL, request->code_bytes, PROT_READ, MAP_SHARED, fds[0], 0);
    if (image == MAP_FAILED) {
        return rk_err_set(err, RK_NO_MEMORY, "the host process cannot map the code of kernel '%s'",
                          request->name);
    }
    status = rk_cpu_code_load(&kernel->code, image, request->code_bytes, err);
    (void)munmap(image, request->code_bytes);
    if (status != RK_OK) {
        return status;
    }
    kernel->host = self;
    kernel->slot = request->kernel;
    rk_cpu_launch cpu_launch = {
        .name = request->name,
        .code = &kernel->code,
        .arena = arena,
        .mapped = mapped,
        .old = old,
        .grid = ((const rk_control *)mapped)->block_count,
        .lanes = request->lanes,
        .on_exit = kernel_exited,
        .context = kernel,
    };
    status = rk_cpu_exec_start(&cpu_launch, &kernel->exec, err);
    if (status != RK_OK) {
        rk_cpu_code_finish(&kernel->code);
    }
    return status;
}

static void release(hosted_kernel *kernel)
{
    if (kernel->exec != NULL) {
        rk_cpu_exec_destroy(kernel->exec);
        rk_cpu_code_finish(&kernel->code);
        kernel->exec = NULL;
    }
}

static rk_status serve(host *self, const rk_host_message *request, const int *fds,
                       uint32_t fd_count, rk_err *err)
{
    if (request->kernel >= RK_HOST_KERNEL_MAX || request->other >= RK_HOST_KERNEL_MAX) {
        return rk_err_set(err, RK_LIMIT, "a host process holds %u kernels", RK_HOST_KERNEL_MAX);
    }
    hosted_kernel *kernel = &self->kernels[request->kernel];
    switch (request->op) {
    case RK_HOST_LAUNCH:
        return fd_count == 3 + request->migrates && kernel->exec == NULL
                   ? launch(self, request, fds, err)
                   : RK_INVALID;
    case RK_HOST_CONNECT:
        return kernel->exec != NULL && self->kernels[request->other].exec != NULL
                   ? rk_cpu_exec_connect(kernel->exec, request->route,
                                         self->kernels[request->other].exec, err)
                   : RK_STATE;
    case RK_HOST_RELEASE: release(kernel); return RK_OK;
    case RK_HOST_UNMAP:
        if (request->mapped_memory < RK_HOST_MEMORY_MAX) {
            hosted_memory *memory = &self->memory[request->mapped_memory];
            if (memory->base != NULL) {
                (void)munmap(memory->base, memory->bytes);
                memory->base = NULL;
            }
        }
        return RK_OK;
    default:
        return rk_err_set(err, RK_UNSUPPORTED, "a host process does not know request %u",
                          request->op);
    }
}

int rk_host_main(int fd)
{
    /* Both guards against outliving the parent: a signal at its death, and the end of the
     * socket. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGINT, SIG_IGN); /* Ctrl-C is the parent's business: it parks the kernels */
    struct pollfd parent = {.fd = fd, .events = 0};
    if (poll(&parent, 1, 0) != 0) {
        return 1; /* the parent died before the guard stood, or fd is no socket */
    }
    host *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return 1;
    }
    self->socket = fd;
    rk_host_message request;
    int fds[RK_HOST_FD_MAX];
    uint32_t fd_count;
    while (rk_host_receive(fd, &request, fds, &fd_count) == RK_OK) {
        rk_err err = RK_ERR_INIT;
        rk_host_message reply = {.op = RK_HOST_REPLY, .kernel = request.kernel};
        reply.status = request.op >= RK_RELAY_OPEN
                           ? rk_relay_serve(&self->relay, fd, &request, fds, fd_count, &reply, &err)
                           : serve(self, &request, fds, fd_count, &err);
        (void)snprintf(reply.text, sizeof reply.text, "%s",
                       err.text[0] != '\0' ? err.text : rk_status_text((rk_status)reply.status));
        for (uint32_t i = 0; i < fd_count; i++) {
            (void)close(fds[i]);
        }
        if (rk_host_send(fd, &reply, NULL, 0) != RK_OK) {
            break;
        }
    }
    /* Kernels that still run end with the process: nobody is left who could ask them to park. */
    _exit(0);
}
