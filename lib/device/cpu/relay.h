/*
 * relay.h: rk_driver_relay (device.h): a driver whose devices, kernels and memory live in a host
 * process: a fault there, or a broken GPU context, ends that process only.
 *
 * Each device has one host process, which opens the real driver. Mapped pages are memory files of
 * both processes, so commands need no help from the other side; arenas are device memory, and reads
 * and writes of them pass through a staging area. When the process dies, the device is lost
 * (device.h): its kernels have exited, and recover starts a new process with empty memory.
 */
#ifndef RK_DEVICE_CPU_RELAY_H
#define RK_DEVICE_CPU_RELAY_H

#include "device/cpu/host.h"

/* The host process's side. */
typedef struct rk_relay_host rk_relay_host;
/* Serves a request that starts with RK_RELAY_; *state is NULL at first. fds stay the caller's. */
rk_status rk_relay_serve(rk_relay_host **state, int socket, const rk_host_message *request,
                         const int *fds, uint32_t fd_count, rk_host_message *reply, rk_err *err);

#endif
