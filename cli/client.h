/*
 * client.h: the other end of the control socket: finding a running job and asking it.
 */
#ifndef RK_CLI_CLIENT_H
#define RK_CLI_CLIENT_H

#include "cli/cli.h"
#include "cli/endpoint.h"
#include "cli/protocol.h"

/*
 * Finds the running job with this name, process number, or NAME.PID. Sockets of jobs that ended
 * without removing theirs are removed. RK_NOT_FOUND with a suggestion, RK_EXISTS when several jobs
 * have the name.
 */
rk_status rk_client_find(const char *name, rk_endpoint *out_endpoint, rk_err *err);

/* Whether a job listens there; removes the socket if it is stale. */
bool rk_client_is_alive(const rk_endpoint *endpoint);

/*
 * Sends a request and waits for the reply, which the caller releases with json_decref. A reply that
 * says it failed is returned as its code and sentence. RK_CLOSED when the job ends meanwhile,
 * RK_TIMEOUT when it does not answer.
 */
rk_status rk_client_ask(const rk_endpoint *endpoint, const rk_request *request, json_t **out_reply,
                        rk_err *err);

/* Finds and asks in one; prints the sentence of an error and returns the exit code. */
int rk_client_call(const rk_cli_call *call, const rk_request *request, json_t **out_reply);

/* Prints a reply as JSON, without its protocol members ("v", "ok"). */
int rk_client_print_json(const rk_cli_call *call, json_t *reply);

/* Prints a line for each of the kernels in the reply: "room: paused at step 120". */
int rk_client_print_kernels(const rk_cli_call *call, const json_t *reply, const char *done);

#endif
