/*
 * client.c: asking running jobs.
 */
#include "cli/client.h"

#include "base/clock.h"
#include "base/errno.h"
#include "base/suggest.h"
#include "base/value.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A job answers at once, apart from the time that a request asks it to wait. */
#define ANSWER_TIMEOUT_NS (10u * (uint64_t)RK_NS_PER_S)

bool rk_client_is_alive(const rk_endpoint *endpoint)
{
    int fd;
    rk_status status = rk_endpoint_connect(endpoint, &fd, NULL);
    if (status == RK_OK) {
        (void)close(fd);
        return true;
    }
    if (status == RK_CLOSED) {
        (void)unlink(endpoint->path); /* somebody else may have removed it already */
    }
    return false;
}

static bool is_named(const rk_endpoint *endpoint, const char *name)
{
    char cut[RK_ENDPOINT_NAME_BYTES];
    char number[24];
    char both[RK_ENDPOINT_NAME_BYTES + 24];
    snprintf(cut, sizeof cut, "%s", name);
    snprintf(number, sizeof number, "%ld", (long)endpoint->pid);
    snprintf(both, sizeof both, "%s.%s", endpoint->job, number);
    return strcmp(cut, endpoint->job) == 0 || strcmp(name, number) == 0 || strcmp(name, both) == 0;
}

static rk_status none_found(const rk_endpoint *list, size_t count, const char *name, rk_err *err)
{
    const char **names = calloc(count + 1, sizeof *names);
    const char *near = NULL;
    size_t alive = 0;
    for (size_t i = 0; names != NULL && i < count; i++) {
        if (rk_client_is_alive(&list[i])) {
            names[alive++] = list[i].job;
        }
    }
    near = names != NULL ? rk_suggest(name, names, alive) : NULL;
    char shown[RK_VALUE_SHOWN_BYTES];
    (void)rk_value_shown(name, shown);
    if (near != NULL) {
        (void)rk_err_set(err, RK_NOT_FOUND, "no job '%s' is running; did you mean '%s'?", shown,
                         near);
    } else {
        (void)rk_err_set(err, RK_NOT_FOUND, "no job '%s' is running%s", shown,
                         alive > 0 ? "; 'rk ps' lists those that are" : ", nor any other");
    }
    free(names);
    return RK_NOT_FOUND;
}

rk_status rk_client_find(const char *name, rk_endpoint *out_endpoint, rk_err *err)
{
    rk_endpoint *list;
    size_t count;
    rk_status status = rk_endpoint_list(&list, &count, err);
    if (status != RK_OK) {
        return status;
    }
    const rk_endpoint *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!is_named(&list[i], name) || !rk_client_is_alive(&list[i])) {
            continue;
        }
        if (found != NULL) {
            status = rk_err_set(err, RK_EXISTS,
                                "several jobs are called '%s'; name one by its process: %ld or %ld",
                                found->job, (long)found->pid, (long)list[i].pid);
            free(list);
            return status;
        }
        found = &list[i];
    }
    if (found != NULL) {
        *out_endpoint = *found;
    } else {
        status = none_found(list, count, name, err);
    }
    free(list);
    return status;
}

/* ---- Asking --------------------------------------------------------------------------------- */

static rk_status send_line(int fd, const rk_str *line, rk_err *err)
{
    for (size_t at = 0; at < line->length;) {
        ssize_t sent = send(fd, line->data + at, line->length - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return rk_err_errno(err, errno, "the job could not be asked");
        }
        at += sent > 0 ? (size_t)sent : 0;
    }
    return RK_OK;
}

static rk_status receive_line(int fd, uint64_t timeout_ns, rk_str *line, rk_err *err)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(timeout_ns);
    char piece[4096];
    while (line->length == 0 || line->data[line->length - 1] != '\n') {
        uint64_t now_ns = rk_clock_monotonic_ns();
        uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / RK_NS_PER_MS : 0;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 0) {
            return rk_err_set(err, RK_TIMEOUT, "the job does not answer");
        }
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got <= 0) {
            return rk_err_set(err, RK_CLOSED, "the job has ended");
        }
        rk_status status = rk_str_append_bytes(line, piece, (size_t)got);
        if (status != RK_OK) {
            return rk_err_set(err, status, "the job's answer is too long");
        }
    }
    return RK_OK;
}

/* The status with this name; RK_INTERNAL for one that this version does not know. */
static rk_status status_named(const char *name)
{
#define STATUS_NAMED(symbol, value, text)                                                          \
    if (strcmp(name, "RK_" #symbol) == 0) {                                                        \
        return RK_##symbol;                                                                        \
    }
    RK_STATUS_LIST(STATUS_NAMED)
#undef STATUS_NAMED
    return RK_INTERNAL;
}

static rk_status read_reply(const rk_str *line, json_t **out_reply, rk_err *err)
{
    json_t *reply = json_loadb(line->data, line->length, 0, NULL);
    if (reply == NULL || !json_is_boolean(json_object_get(reply, "ok"))) {
        json_decref(reply);
        return rk_err_set(err, RK_CORRUPT, "the job's answer makes no sense");
    }
    if (json_is_false(json_object_get(reply, "ok"))) {
        const json_t *error = json_object_get(reply, "error");
        rk_status status = status_named(rk_reply_text(error, "code"));
        status = status == RK_OK ? RK_INTERNAL : status;
        (void)rk_err_set(err, status, "%s", rk_reply_text(error, "text"));
        json_decref(reply);
        return status;
    }
    *out_reply = reply;
    return RK_OK;
}

rk_status rk_client_ask(const rk_endpoint *endpoint, const rk_request *request, json_t **out_reply,
                        rk_err *err)
{
    int fd;
    rk_status status = rk_endpoint_connect(endpoint, &fd, err);
    if (status != RK_OK) {
        return status;
    }
    rk_str line;
    rk_str_init(&line, RK_PROTOCOL_LINE_BYTES);
    status = rk_request_append(request, &line);
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "the request is too long");
    } else {
        status = send_line(fd, &line, err);
    }
    if (status == RK_OK) {
        uint64_t timeout_ns = ANSWER_TIMEOUT_NS + (uint64_t)request->wait_ms * RK_NS_PER_MS;
        rk_str_reset(&line);
        status = receive_line(fd, timeout_ns, &line, err);
    }
    if (status == RK_OK) {
        status = read_reply(&line, out_reply, err);
    }
    rk_str_finish(&line);
    (void)close(fd);
    return status;
}

int rk_client_call(const rk_cli_call *call, const rk_request *request, json_t **out_reply)
{
    rk_err err = RK_ERR_INIT;
    rk_endpoint endpoint;
    rk_status status = rk_client_find(rk_cli_argument_at(call, 0), &endpoint, &err);
    if (status == RK_OK) {
        status = rk_client_ask(&endpoint, request, out_reply, &err);
    }
    return status == RK_OK ? RK_CLI_OK : rk_cli_fail(call, RK_CLI_FAILED, &err);
}

/* ---- Printing ------------------------------------------------------------------------------- */

int rk_client_print_json(const rk_cli_call *call, json_t *reply)
{
    (void)json_object_del(reply, "v");
    (void)json_object_del(reply, "ok");
    char *text = json_dumps(reply, JSON_COMPACT);
    rk_str out;
    rk_str_init(&out, RK_PROTOCOL_LINE_BYTES);
    rk_str_append(&out, text ? text : "{}");
    free(text);
    return rk_cli_print(call, &out);
}

int rk_client_print_kernels(const rk_cli_call *call, const json_t *reply, const char *done)
{
    rk_str out;
    rk_str_init(&out, RK_PROTOCOL_LINE_BYTES);
    const json_t *kernels = json_object_get(reply, "kernels");
    size_t index;
    json_t *kernel;
    json_array_foreach(kernels, index, kernel)
    {
        rk_str_appendf(&out, "%s: %s at step %llu\n", rk_reply_text(kernel, "name"), done,
                       rk_reply_count(kernel, "step"));
    }
    if (json_array_size(kernels) == 0) {
        rk_str_append(&out, "no kernel of the job takes commands now\n");
    }
    return rk_cli_print(call, &out);
}
