/*
 * endpoint.c: the control sockets of running jobs.
 */
#include "cli/endpoint.h"

#include "base/errno.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

rk_status rk_endpoint_folder(bool create, char out_path[RK_ENDPOINT_PATH_BYTES], rk_err *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char path[RK_ENDPOINT_PATH_BYTES];
    int length = runtime && runtime[0] == '/'
                     ? snprintf(path, sizeof path, "%s/ringkernel", runtime)
                     : snprintf(path, sizeof path, "/tmp/ringkernel-%u", (unsigned)geteuid());
    if (length >= (int)sizeof path - 16) {
        return rk_err_set(err, RK_LIMIT,
                          "XDG_RUNTIME_DIR is too long for the path of a socket: '%s'", runtime);
    }
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST) {
        return rk_err_errno(err, errno, "the folder for control sockets, %s, cannot be made", path);
    }
    struct stat info;
    if (lstat(path, &info) != 0) {
        return rk_err_errno(err, errno, "the folder for control sockets, %s, cannot be read", path);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
        return rk_err_set(err, RK_PERMISSION,
                          "%s is not a folder of this user, so it is not used for control sockets",
                          path);
    }
    if ((info.st_mode & 077) != 0) {
        return rk_err_set(err, RK_PERMISSION,
                          "others may enter the folder for control sockets; 'chmod 700 %s' helps",
                          path);
    }
    memcpy(out_path, path, (size_t)length + 1);
    return RK_OK;
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void set_address(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
}

rk_status rk_endpoint_listen(const char *job, rk_endpoint *out_endpoint, int *out_fd, rk_err *err)
{
    char folder[RK_ENDPOINT_PATH_BYTES];
    rk_status status = rk_endpoint_folder(true, folder, err);
    if (status != RK_OK) {
        return status;
    }
    rk_endpoint endpoint = {.pid = getpid()};
    snprintf(endpoint.job, sizeof endpoint.job, "%s", job);
    char early[RK_ENDPOINT_PATH_BYTES];
    if (snprintf(endpoint.path, sizeof endpoint.path, "%s/%s.%ld.sock", folder, endpoint.job,
                 (long)endpoint.pid) >= (int)sizeof endpoint.path ||
        snprintf(early, sizeof early, "%s/.%ld", folder, (long)endpoint.pid) >= (int)sizeof early) {
        return rk_err_set(err, RK_LIMIT, "%s is too long for the path of a socket", folder);
    }
    int fd = new_socket();
    struct sockaddr_un address;
    set_address(&address, early);
    (void)unlink(early); /* of an earlier process with this number, if any */
    /* It gets its name when it already listens: a socket that refuses is then always stale. */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0 || rename(early, endpoint.path) != 0) {
        status = rk_err_errno(err, errno, "no control socket at %s", endpoint.path);
        (void)unlink(early);
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    *out_endpoint = endpoint;
    *out_fd = fd;
    return RK_OK;
}

/* Whether the process at the other end is this user's, or root's. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

rk_status rk_endpoint_accept(int listen_fd, int *out_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return rk_status_of_errno(errno);
    }
    if (!is_trusted(fd)) {
        (void)close(fd);
        return RK_PERMISSION;
    }
    *out_fd = fd;
    return RK_OK;
}

rk_status rk_endpoint_connect(const rk_endpoint *endpoint, int *out_fd, rk_err *err)
{
    int fd = new_socket();
    struct sockaddr_un address;
    set_address(&address, endpoint->path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        bool stale = errno == ECONNREFUSED || errno == ENOENT;
        rk_status status = rk_err_set(err, stale ? RK_CLOSED : RK_IO,
                                      "job '%s' (process %ld) cannot be reached: %s", endpoint->job,
                                      (long)endpoint->pid, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    if (!is_trusted(fd)) {
        (void)close(fd);
        return rk_err_set(err, RK_PERMISSION, "%s belongs to a process of another user",
                          endpoint->path);
    }
    *out_fd = fd;
    return RK_OK;
}

typedef struct listing {
    char folder[RK_ENDPOINT_PATH_BYTES];
    rk_endpoint *endpoints;
    size_t count;
    bool failed;
} listing;

/* Takes a name of the form JOB.PID.sock apart. */
static bool parse_name(const listing *in, const char *name, rk_endpoint *out)
{
    const char *end = strrchr(name, '.');
    if (end == NULL || strcmp(end, ".sock") != 0) {
        return false;
    }
    const char *dot = end;
    while (dot > name && dot[-1] >= '0' && dot[-1] <= '9') {
        dot--;
    }
    if (dot == end || dot - name < 2 || dot[-1] != '.' || end - dot > 9) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->pid = (pid_t)strtol(dot, NULL, 10);
    size_t length = (size_t)(dot - 1 - name);
    if (length >= sizeof out->job) {
        return false;
    }
    memcpy(out->job, name, length);
    return snprintf(out->path, sizeof out->path, "%s/%s", in->folder, name) < (int)sizeof out->path;
}

static int add_entry(void *context, const char *name)
{
    listing *list = context;
    rk_endpoint endpoint;
    if (!parse_name(list, name, &endpoint)) {
        return 0;
    }
    rk_endpoint *endpoints = realloc(list->endpoints, (list->count + 1) * sizeof *endpoints);
    if (endpoints == NULL) {
        list->failed = true;
        return 1;
    }
    list->endpoints = endpoints;
    endpoints[list->count++] = endpoint;
    return 0;
}

static int by_job(const void *a, const void *b)
{
    const rk_endpoint *left = a;
    const rk_endpoint *right = b;
    int order = strcmp(left->job, right->job);
    return order != 0 ? order : (left->pid > right->pid) - (left->pid < right->pid);
}

rk_status rk_endpoint_list(rk_endpoint **out_endpoints, size_t *out_count, rk_err *err)
{
    listing list = {0};
    *out_endpoints = NULL;
    *out_count = 0;
    rk_status status = rk_endpoint_folder(false, list.folder, err);
    if (status == RK_NOT_FOUND) {
        return RK_OK;
    }
    if (status != RK_OK) {
        return status;
    }
    int result = rk_dir_list(list.folder, add_entry, &list);
    if (result < 0 || list.failed) {
        free(list.endpoints);
        return list.failed
                   ? rk_err_set(err, RK_NO_MEMORY, "no memory for the list of jobs")
                   : rk_err_errno(err, -result, "the folder %s cannot be listed", list.folder);
    }
    if (list.count > 0) {
        qsort(list.endpoints, list.count, sizeof list.endpoints[0], by_job);
    }
    *out_endpoints = list.endpoints;
    *out_count = list.count;
    return RK_OK;
}
