/*
 * host_wire.c: messages with file descriptors over a local socket.
 */
#include "device/cpu/host.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union control_space {
    char bytes[CMSG_SPACE(RK_HOST_FD_MAX * sizeof(int))];
    struct cmsghdr align;
} control_space;

rk_status rk_host_send(int socket, const rk_host_message *message, const int *fds,
                       uint32_t fd_count)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    control_space space;
    if (fd_count > 0) {
        memset(&space, 0, sizeof space);
        header.msg_control = space.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *message ? RK_OK : RK_CLOSED;
}

rk_status rk_host_receive(int socket, rk_host_message *out_message, int out_fds[RK_HOST_FD_MAX],
                          uint32_t *out_fd_count)
{
    struct iovec part = {.iov_base = out_message, .iov_len = sizeof *out_message};
    control_space space;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = sizeof space.bytes};
    ssize_t received;
    do {
        received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    *out_fd_count = 0;
    if (received > 0) {
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
            /* Padding may leave room for more than the protocol knows. */
            size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(rights) + i * sizeof fd, sizeof fd);
                if (*out_fd_count < RK_HOST_FD_MAX) {
                    out_fds[(*out_fd_count)++] = fd;
                } else {
                    (void)close(fd);
                }
            }
        }
    }
    if (received != (ssize_t)sizeof *out_message) {
        for (uint32_t i = 0; i < *out_fd_count; i++) {
            (void)close(out_fds[i]);
        }
        *out_fd_count = 0;
        return RK_CLOSED;
    }
    out_message->driver[sizeof out_message->driver - 1] = '\0';
    out_message->name[sizeof out_message->name - 1] = '\0';
    out_message->text[sizeof out_message->text - 1] = '\0';
    return RK_OK;
}
