/*
 * host.h: the CPU driver whose kernels run in a host process of their own.
 *
 * Each device has one host process. Arenas and mapped pages are memory files that both processes
 * map, so commands, answers and fields need no help from the other side; only launching,
 * connecting and releasing go through a socket. When the host process dies, every kernel in it has
 * exited (rule 3 of device.h holds), the memory is still there to be read, and the next launch
 * starts a new process.
 */
#ifndef RK_DEVICE_CPU_HOST_H
#define RK_DEVICE_CPU_HOST_H

#include "device/cpu/cpu.h"

/* The file descriptor on which a host process is served. */
#define RK_HOST_FD 3

/* ---- The protocol between the two: one message per datagram (SOCK_SEQPACKET) --------------- */

#define RK_HOST_LAUNCH 1u  /* memory files: code, mapped, arena, and that to migrate from */
#define RK_HOST_CONNECT 2u /* kernel, route, other */
#define RK_HOST_RELEASE 3u /* kernel: after its exit */
#define RK_HOST_UNMAP 4u   /* memory */
#define RK_HOST_REPLY 5u   /* to each of these */
#define RK_HOST_EXITED 6u  /* host to parent: kernel */

/* Requests to a relayed driver (relay.h); large data passes through the staging area. */
#define RK_RELAY_OPEN 16u       /* device, driver; file: staging; its caps are left there */
#define RK_RELAY_ALLOC 17u      /* memory, kind, bytes; with a file: an area to import */
#define RK_RELAY_FREE 18u       /* memory */
#define RK_RELAY_LOAD 19u       /* code, kind, code_bytes; file: the image */
#define RK_RELAY_UNLOAD 20u     /* code */
#define RK_RELAY_MAX_BLOCKS 21u /* code, lanes; reply: count */
#define RK_RELAY_LAUNCH 22u     /* kernel, code, areas, lanes, units, name */
#define RK_RELAY_CONNECT 23u    /* kernel, route, other */
#define RK_RELAY_RELEASE 24u    /* kernel */
#define RK_RELAY_READ 25u       /* memory, offset, bytes */
#define RK_RELAY_WRITE 26u      /* memory, offset, bytes */
#define RK_RELAY_ZERO 27u       /* memory, offset, bytes */
#define RK_RELAY_TELEMETRY 28u  /* left in the staging area */

#define RK_RELAY_STAGING_BYTES ((uint64_t)4 << 20)
#define RK_RELAY_CODE_MAX 1024u
#define RK_HOST_DRIVER_BYTES 16

#define RK_HOST_FD_MAX 4u
#define RK_HOST_KERNEL_MAX 1024u
#define RK_HOST_MEMORY_MAX 4096u

typedef struct rk_host_message {
    uint32_t op;
    uint32_t kernel; /* a slot that the parent chose */
    uint32_t other;
    uint32_t route;
    uint32_t lanes;
    int32_t status;
    uint64_t code_bytes;
    uint64_t mapped_bytes;
    uint64_t arena_bytes;
    uint32_t mapped_memory; /* memory numbers that the parent chose: a number is mapped once */
    uint32_t arena_memory;
    uint32_t migrate_memory;
    uint32_t migrates; /* 1: migrate_memory counts, and a fourth file comes with it */
    uint64_t migrate_bytes;
    /* Of relayed drivers. */
    uint32_t device; /* its number */
    uint32_t memory;
    uint32_t code;
    uint32_t kind; /* of memory or code */
    uint32_t units;
    uint32_t count; /* reply */
    uint32_t lost;  /* EXITED: 1: the device is lost */
    uint32_t reserved;
    uint64_t offset;
    uint64_t bytes;
    char driver[RK_HOST_DRIVER_BYTES];
    char name[RK_DEVICE_NAME_BYTES];
    char text[RK_ERR_TEXT_BYTES];
} rk_host_message;

/* One message with up to RK_HOST_FD_MAX file descriptors. RK_CLOSED at the end. */
rk_status rk_host_send(int socket, const rk_host_message *message, const int *fds,
                       uint32_t fd_count);
rk_status rk_host_receive(int socket, rk_host_message *out_message, int out_fds[RK_HOST_FD_MAX],
                          uint32_t *out_fd_count);

#endif
