/*
 * protocol.c: requests and replies of control sockets.
 */
#include "cli/protocol.h"

#include "base/value.h"

#include <jansson.h>
#include <string.h>

#define DEFAULT_WAIT_MS 10000u

static const char *const verb_names[] = {
#define VERB_NAME(symbol, name) name,
    RK_REQUEST_LIST(VERB_NAME)
#undef VERB_NAME
};
#define VERB_COUNT (sizeof verb_names / sizeof verb_names[0])

static rk_status take_text(const json_t *value, const char *key, const char **out_text, rk_err *err)
{
    if (!json_is_string(value)) {
        return rk_err_set(err, RK_INVALID, "'%s' must be a text", key);
    }
    *out_text = json_string_value(value);
    return RK_OK;
}

static rk_status take_verb(const json_t *value, rk_request *request, rk_err *err)
{
    const char *name = "";
    rk_status status = take_text(value, "do", &name, err);
    if (status != RK_OK) {
        return status;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(name, verb_names[i]) == 0) {
            request->verb = (rk_request_verb)i;
            return RK_OK;
        }
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    return rk_err_set(err, RK_INVALID, "there is no request '%s'", rk_value_shown(name, shown));
}

static rk_status take_args(const json_t *value, rk_request *request, rk_err *err)
{
    if (!json_is_array(value)) {
        return rk_err_set(err, RK_INVALID, "'args' must be a list of texts");
    }
    if (json_array_size(value) > RK_PROTOCOL_ARGS_MAX) {
        return rk_err_set(err, RK_LIMIT, "more than %u arguments", RK_PROTOCOL_ARGS_MAX);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        rk_status status = take_text(json_array_get(value, i), "args", &request->args[i], err);
        if (status != RK_OK) {
            return status;
        }
        request->arg_count = i + 1;
    }
    return RK_OK;
}

static rk_status take_number(const json_t *value, const char *key, uint32_t most,
                             uint32_t *out_number, rk_err *err)
{
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    if (number < 0 || number > (json_int_t)most) {
        return rk_err_set(err, RK_INVALID, "'%s' must be a number from 0 to %u", key, most);
    }
    *out_number = (uint32_t)number;
    return RK_OK;
}

static rk_status take_key(const char *key, const json_t *value, rk_request *request, rk_err *err)
{
    if (strcmp(key, "v") == 0) {
        if (!json_is_integer(value) || json_integer_value(value) != (json_int_t)RK_CLI_PROTOCOL) {
            return rk_err_set(err, RK_VERSION, "this job speaks version %u of the protocol ('v')",
                              RK_CLI_PROTOCOL);
        }
        return RK_OK;
    }
    if (strcmp(key, "do") == 0) {
        return take_verb(value, request, err);
    }
    if (strcmp(key, "kernel") == 0) {
        return take_text(value, key, &request->kernel, err);
    }
    if (strcmp(key, "command") == 0) {
        return take_text(value, key, &request->command, err);
    }
    if (strcmp(key, "args") == 0) {
        return take_args(value, request, err);
    }
    if (strcmp(key, "file") == 0) {
        return take_text(value, key, &request->file, err);
    }
    if (strcmp(key, "every") == 0) {
        return take_number(value, key, UINT32_MAX, &request->every, err);
    }
    if (strcmp(key, "wait_ms") == 0) {
        return take_number(value, key, RK_PROTOCOL_WAIT_MAX_MS, &request->wait_ms, err);
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    return rk_err_set(err, RK_INVALID, "unknown key '%s'", rk_value_shown(key, shown));
}

static rk_status take_object(json_t *root, rk_request *request, rk_err *err)
{
    if (!json_is_object(root)) {
        return rk_err_set(err, RK_SYNTAX, "a request is a JSON object");
    }
    if (json_object_get(root, "v") == NULL || json_object_get(root, "do") == NULL) {
        return rk_err_set(err, RK_INVALID, "a request has the keys 'v' and 'do'");
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        rk_status status = take_key(key, value, request, err);
        if (status != RK_OK) {
            return status;
        }
    }
    bool send = request->verb == RK_REQUEST_SEND;
    bool trace = request->verb == RK_REQUEST_TRACE;
    if (trace != (request->file != NULL) || (!trace && request->every > 0) ||
        (trace && request->file[0] != '/')) {
        return rk_err_set(err, RK_INVALID,
                          "'trace', and only 'trace', has a file, with an absolute path");
    }
    if ((!trace && send != (request->kernel != NULL)) || send != (request->command != NULL) ||
        (!send && !trace && request->arg_count > 0)) {
        return rk_err_set(err, RK_INVALID,
                          "'send', and only 'send', has a kernel, a command and arguments");
    }
    return RK_OK;
}

rk_status rk_request_parse(const char *line, size_t length, rk_request *out_request, rk_err *err)
{
    if (length >= RK_PROTOCOL_LINE_BYTES) {
        return rk_err_set(err, RK_LIMIT, "a request may have %u bytes at most",
                          RK_PROTOCOL_LINE_BYTES);
    }
    json_error_t problem;
    json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        return rk_err_set(err, RK_SYNTAX, "the request is no JSON: %s at byte %d", problem.text,
                          problem.position);
    }
    rk_request request = {.wait_ms = DEFAULT_WAIT_MS, .tree = root};
    rk_status status = take_object(root, &request, err);
    if (status != RK_OK) {
        json_decref(root);
        return status;
    }
    *out_request = request;
    return RK_OK;
}

void rk_request_finish(rk_request *request)
{
    if (request->tree != NULL) {
        json_decref(request->tree);
        request->tree = NULL;
    }
}

/* A member; NULL is left out. */
static void append_text(rk_str *out, const char *key, const char *text)
{
    if (text != NULL) {
        rk_str_appendf(out, ",\"%s\":", key);
        rk_str_append_json(out, text);
    }
}

rk_status rk_request_append(const rk_request *request, rk_str *out)
{
    rk_str_appendf(out, "{\"v\":%u,\"do\":\"%s\"", RK_CLI_PROTOCOL, verb_names[request->verb]);
    append_text(out, "kernel", request->kernel);
    append_text(out, "command", request->command);
    append_text(out, "file", request->file);
    if (request->verb == RK_REQUEST_TRACE) {
        rk_str_appendf(out, ",\"every\":%u", request->every);
    }
    if (request->verb == RK_REQUEST_SEND || request->verb == RK_REQUEST_TRACE) {
        rk_str_append(out, ",\"args\":[");
        for (size_t i = 0; i < request->arg_count; i++) {
            rk_str_append(out, i ? "," : "");
            rk_str_append_json(out, request->args[i]);
        }
        rk_str_appendf(out, "],\"wait_ms\":%u", request->wait_ms);
    }
    return rk_str_append(out, "}\n");
}

rk_status rk_reply_append_error(rk_str *out, const rk_err *err)
{
    rk_str_appendf(out,
                   "{\"v\":%u,\"ok\":false,\"error\":{\"code\":\"%s\",\"text\":", RK_CLI_PROTOCOL,
                   rk_status_name(err->code));
    rk_str_append_json(out, err->text);
    return rk_str_append(out, "}}\n");
}

const char *rk_reply_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

double rk_reply_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

unsigned long long rk_reply_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (unsigned long long)value : 0;
}
