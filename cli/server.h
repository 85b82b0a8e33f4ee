/*
 * server.h: serves the control socket of a running job.
 *
 * One thread accepts connections; each connection has a thread, since a request may wait for a
 * kernel. What a request means is the job's business: `handle`.
 */
#ifndef RK_CLI_SERVER_H
#define RK_CLI_SERVER_H

#include "base/thread.h"
#include "cli/endpoint.h"
#include "cli/protocol.h"

#define RK_SERVER_CONNECTIONS_MAX 16u

struct rk_server;

typedef struct rk_server_connection {
    struct rk_server *server;
    int fd;
    bool used;  /* under the server's lock */
    bool ended; /* its thread has nothing more to do */
    rk_thread thread;
} rk_server_connection;

typedef struct rk_server {
    rk_endpoint endpoint;
    int listen_fd;
    int stop_fd; /* eventfd: readable when the server ends */
    rk_thread thread;
    rk_mutex lock;
    rk_server_connection connections[RK_SERVER_CONNECTIONS_MAX];
    /*
     * Carries out a request and appends the members of the reply's object, each with a comma in
     * front. Called by several threads at a time.
     */
    rk_status (*handle)(void *context, const rk_server_connection *connection,
                        const rk_request *request, rk_str *out, rk_err *err);
    void *context;
} rk_server;

/*
 * Starts serving job `job` of this process; the caller owns the storage and ends with
 * rk_server_stop. Fill in handle and context first.
 */
rk_status rk_server_start(rk_server *server, const char *job, rk_err *err);

/* Removes the socket, ends all connections and waits for their threads. */
void rk_server_stop(rk_server *server);

/* Whether it still makes sense to wait for this connection: its client and the server are there. */
bool rk_server_is_wanted(const rk_server_connection *connection);

#endif
