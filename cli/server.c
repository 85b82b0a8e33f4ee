/*
 * server.c: serves the control socket of a running job.
 */
#include "cli/server.h"

#include "base/compiler.h"
#include "base/errno.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until fd can be read; false when the server ends. */
static bool wait_readable(const rk_server *server, int fd)
{
    struct pollfd fds[2] = {{.fd = server->stop_fd, .events = POLLIN},
                            {.fd = fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return fds[0].revents == 0;
}

bool rk_server_is_wanted(const rk_server_connection *connection)
{
    struct pollfd fds[2] = {{.fd = connection->server->stop_fd, .events = POLLIN},
                            {.fd = connection->fd, .events = POLLRDHUP}};
    return poll(fds, 2, 0) <= 0;
}

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Answers one line; false when the connection cannot go on. */
static bool answer(const rk_server_connection *connection, const char *line, size_t length)
{
    rk_server *server = connection->server;
    rk_err err = RK_ERR_INIT;
    rk_request request;
    rk_str out;
    rk_str_init(&out, RK_PROTOCOL_LINE_BYTES);
    rk_str_appendf(&out, "{\"v\":%u,\"ok\":true", RK_CLI_PROTOCOL);
    rk_status status = rk_request_parse(line, length, &request, &err);
    if (status == RK_OK) {
        status = server->handle(server->context, connection, &request, &out, &err);
        rk_request_finish(&request);
    }
    rk_str_append(&out, "}\n");
    if (status == RK_OK && out.status != RK_OK) {
        status = rk_err_set(&err, out.status, "the reply is too long");
    }
    if (status != RK_OK) {
        rk_str_reset(&out);
        (void)rk_reply_append_error(&out, &err); /* fits */
    }
    bool sent = send_all(connection->fd, rk_str_cstr(&out), out.length);
    rk_str_finish(&out);
    return sent;
}

static void refuse_long_line(int fd)
{
    rk_err err = RK_ERR_INIT;
    rk_str out;
    rk_str_init(&out, 4096);
    (void)rk_err_set(&err, RK_LIMIT, "a request may have %u bytes at most", RK_PROTOCOL_LINE_BYTES);
    (void)rk_reply_append_error(&out, &err);           /* fits */
    (void)send_all(fd, rk_str_cstr(&out), out.length); /* the connection ends anyway */
    rk_str_finish(&out);
}

/* Reads lines and answers them until the client leaves or the server ends. */
static void serve_connection(void *arg)
{
    rk_server_connection *connection = arg;
    char *buffer = malloc(RK_PROTOCOL_LINE_BYTES);
    size_t filled = 0;
    while (buffer != NULL && wait_readable(connection->server, connection->fd)) {
        ssize_t got = recv(connection->fd, buffer + filled, RK_PROTOCOL_LINE_BYTES - filled, 0);
        if (got <= 0) {
            break;
        }
        size_t looked = filled;
        filled += (size_t)got;
        char *end;
        bool alive = true;
        while (alive && (end = memchr(buffer + looked, '\n', filled - looked)) != NULL) {
            size_t length = (size_t)(end - buffer);
            alive = answer(connection, buffer, length);
            memmove(buffer, end + 1, filled - length - 1);
            filled -= length + 1;
            looked = 0;
        }
        if (!alive || filled == RK_PROTOCOL_LINE_BYTES) {
            if (alive) {
                refuse_long_line(connection->fd);
            }
            break;
        }
    }
    free(buffer);
    (void)shutdown(connection->fd, SHUT_RDWR); /* the client sees the end now */
    rk_mutex_lock(&connection->server->lock);
    connection->ended = true;
    rk_mutex_unlock(&connection->server->lock);
}

/* A free place, after the threads of ended connections have been joined. NULL: all are in use. */
static rk_server_connection *find_place(rk_server *server)
{
    rk_server_connection *place = NULL;
    for (size_t i = 0; i < RK_SERVER_CONNECTIONS_MAX; i++) {
        rk_server_connection *connection = &server->connections[i];
        rk_mutex_lock(&server->lock);
        bool over = connection->used && connection->ended;
        rk_mutex_unlock(&server->lock);
        if (over) {
            rk_thread_join(&connection->thread);
            (void)close(connection->fd);
            connection->used = false;
        }
        if (!connection->used && place == NULL) {
            place = connection;
        }
    }
    return place;
}

static void accept_one(rk_server *server)
{
    int fd;
    if (rk_endpoint_accept(server->listen_fd, &fd) != RK_OK) {
        return;
    }
    rk_server_connection *connection = find_place(server);
    if (connection == NULL) {
        static const char busy[] =
            "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"RK_BUSY\",\"text\":\"this job serves too "
            "many clients; try again\"}}\n";
        (void)send_all(fd, busy, sizeof busy - 1); /* it is turned away either way */
        (void)close(fd);
        return;
    }
    *connection = (rk_server_connection){.server = server, .fd = fd, .used = true};
    if (rk_thread_start(&connection->thread, "rk-client", serve_connection, connection) != RK_OK) {
        connection->used = false;
        (void)close(fd);
    }
}

static void serve(void *arg)
{
    rk_server *server = arg;
    while (wait_readable(server, server->listen_fd)) {
        accept_one(server);
    }
}

rk_status rk_server_start(rk_server *server, const char *job, rk_err *err)
{
    rk_status status = rk_endpoint_listen(job, &server->endpoint, &server->listen_fd, err);
    if (status != RK_OK) {
        return status;
    }
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (server->stop_fd < 0) {
        status = rk_err_errno(err, errno, "no event for the control socket");
        goto close_listen;
    }
    rk_mutex_init(&server->lock);
    memset(server->connections, 0, sizeof server->connections);
    status = rk_thread_start(&server->thread, "rk-control", serve, server);
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "no thread for the control socket: %s",
                         rk_status_text(status));
        goto close_stop;
    }
    return RK_OK;
close_stop:
    rk_mutex_finish(&server->lock);
    (void)close(server->stop_fd);
close_listen:
    (void)close(server->listen_fd);
    (void)unlink(server->endpoint.path);
    return status;
}

void rk_server_stop(rk_server *server)
{
    (void)unlink(server->endpoint.path); /* nobody finds it from here on */
    uint64_t one = 1;
    while (write(server->stop_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    rk_thread_join(&server->thread);
    for (size_t i = 0; i < RK_SERVER_CONNECTIONS_MAX; i++) {
        rk_server_connection *connection = &server->connections[i];
        if (connection->used) {
            rk_thread_join(&connection->thread);
            (void)close(connection->fd);
        }
    }
    rk_mutex_finish(&server->lock);
    (void)close(server->stop_fd);
    (void)close(server->listen_fd);
}
