/*
 * endpoint.h: the control sockets of running jobs: where they lie and whose they are.
 *
 * A running job listens on a Unix socket JOB.PID.sock in a folder that only its user may enter:
 * $XDG_RUNTIME_DIR/ringkernel, or /tmp/ringkernel-UID. Both ends check that the other is the same
 * user (or root), so a folder that somebody else has prepared is of no use to him.
 */
#ifndef RK_CLI_ENDPOINT_H
#define RK_CLI_ENDPOINT_H

#include <ringkernel/status.h>

#include <sys/types.h>

#define RK_ENDPOINT_PATH_BYTES 108 /* sockaddr_un.sun_path, unix(7) */
#define RK_ENDPOINT_NAME_BYTES 41  /* longer job names are cut in the socket's name */

/* A socket in the folder, by its name. */
typedef struct rk_endpoint {
    char path[RK_ENDPOINT_PATH_BYTES];
    char job[RK_ENDPOINT_NAME_BYTES];
    pid_t pid;
} rk_endpoint;

/*
 * The folder; made if `create` is set and it is missing. RK_NOT_FOUND (missing), RK_PERMISSION
 * (belongs to somebody else, or others may enter it), RK_IO, RK_LIMIT (path too long).
 */
rk_status rk_endpoint_folder(bool create, char out_path[RK_ENDPOINT_PATH_BYTES], rk_err *err);

/*
 * Listens for this process. The socket appears under its name when connections are accepted.
 * The caller closes *out_fd and removes out_endpoint->path.
 */
rk_status rk_endpoint_listen(const char *job, rk_endpoint *out_endpoint, int *out_fd, rk_err *err);

/* Takes the next connection of a listening socket; refuses other users with RK_PERMISSION. */
rk_status rk_endpoint_accept(int listen_fd, int *out_fd);

/*
 * Connects. RK_CLOSED: nobody listens any more (the socket is stale); RK_PERMISSION: the other side
 * is another user's process; RK_IO.
 */
rk_status rk_endpoint_connect(const rk_endpoint *endpoint, int *out_fd, rk_err *err);

/*
 * All sockets in the folder, by job name, then process; the caller frees *out_endpoints. No folder
 * is an empty list.
 */
rk_status rk_endpoint_list(rk_endpoint **out_endpoints, size_t *out_count, rk_err *err);

#endif
