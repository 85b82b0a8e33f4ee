/*
 * orders.c: commands to kernels.
 */
#include "cli/orders.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/suggest.h"
#include "base/value.h"
#include "cli/cli.h"
#include "cli/protocol.h"

#include <ringkernel/abi/message.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS (100u * (uint64_t)RK_NS_PER_MS)
#define RECEIVE_LOOK_MS 5
#define NO_END_STEPS (UINT64_C(1) << 61) /* a target this far off: an endless run */
#define LEAVE_NS ((uint64_t)RK_NS_PER_S)

/* ---- Arguments ------------------------------------------------------------------------------ */

static rk_status take_u64(const char *what, const char *text, uint64_t *out_value, rk_err *err)
{
    rk_status status = rk_value_parse_u64(text, out_value, err);
    return status == RK_OK ? RK_OK : rk_err_prefix(err, "%s: ", what);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Data is "hex:00ff...", "text:..." or plain text. The caller frees *out_data. */
static rk_status take_data(const char *text, uint8_t **out_data, size_t *out_bytes, rk_err *err)
{
    bool hex = strncmp(text, "hex:", 4) == 0;
    const char *source = hex ? text + 4 : strncmp(text, "text:", 5) == 0 ? text + 5 : text;
    size_t length = strlen(source);
    size_t bytes = hex ? length / 2 : length;
    if (bytes > RK_ORDER_DATA_MAX) {
        return rk_err_set(err, RK_LIMIT, "the data has %zu bytes, at most %u are possible", bytes,
                          RK_ORDER_DATA_MAX);
    }
    uint8_t *data = malloc(bytes + 1);
    if (data == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for %zu bytes of data", bytes);
    }
    if (!hex) {
        memcpy(data, source, bytes);
    }
    for (size_t i = 0; hex && i < length; i++) {
        int digit = hex_digit(source[i]);
        if (digit < 0 || length % 2 != 0) {
            free(data);
            return rk_err_set(err, RK_SYNTAX,
                              "data after 'hex:' is pairs of hexadecimal digits, such as "
                              "hex:00ff; for the text itself write text:hex:...");
        }
        data[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : data[i / 2] | digit);
    }
    *out_data = data;
    *out_bytes = bytes;
    return RK_OK;
}

/* ---- The commands --------------------------------------------------------------------------- */

static rk_status submit_run(rk_kernel *kernel, const char *const *args, size_t count,
                            uint64_t *out_id, rk_err *err)
{
    (void)count;
    uint64_t steps = 0;
    rk_status status = take_u64("steps", args[0], &steps, err);
    return status == RK_OK ? rk_kernel_run(kernel, steps, out_id, err) : status;
}

static rk_status submit_inject(rk_kernel *kernel, const char *const *args, size_t count,
                               uint64_t *out_id, rk_err *err)
{
    uint64_t index = 0;
    double value = 0.0;
    bool add = count > 3;
    if (add && strcmp(args[3], "add") != 0) {
        return rk_err_set(err, RK_INVALID, "the last word of inject is 'add', or missing");
    }
    rk_status status = take_u64("index", args[1], &index, err);
    if (status == RK_OK) {
        status = rk_value_parse_f64(args[2], &value, err);
    }
    return status == RK_OK ? rk_kernel_inject(kernel, args[0], index, value, add, out_id, err)
                           : status;
}

static rk_status submit_custom(rk_kernel *kernel, const char *const *args, size_t count,
                               uint64_t *out_id, rk_err *err)
{
    uint64_t operation = 0;
    uint8_t *data = NULL;
    size_t bytes = 0;
    rk_status status = take_u64("operation", args[0], &operation, err);
    if (status == RK_OK && count > 1) {
        status = take_data(args[1], &data, &bytes, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_custom(kernel, operation, data, bytes, out_id, err);
    }
    free(data);
    return status;
}

static rk_status submit_message(rk_kernel *kernel, const char *const *args, size_t count,
                                uint64_t *out_id, rk_err *err)
{
    uint64_t type = 0;
    uint8_t *data = NULL;
    size_t bytes = 0;
    rk_status status = take_u64("type", args[0], &type, err);
    if (status == RK_OK && (type < RK_MSG_TYPE_USER || type > UINT32_MAX)) {
        status = rk_err_set(err, RK_INVALID, "the type of a message is a number from %u on",
                            (unsigned)RK_MSG_TYPE_USER);
    }
    if (status == RK_OK && count > 1) {
        status = take_data(args[1], &data, &bytes, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_send(kernel, (uint32_t)type, 0, data, bytes, out_id, err);
    }
    free(data);
    return status;
}

static rk_status submit_step_budget(rk_kernel *kernel, const char *const *args, size_t count,
                                    uint64_t *out_id, rk_err *err)
{
    (void)count;
    uint64_t steps = RK_FOREVER;
    rk_status status =
        strcmp(args[0], "none") == 0 ? RK_OK : take_u64("steps", args[0], &steps, err);
    return status == RK_OK ? rk_kernel_step_budget(kernel, steps, out_id, err) : status;
}

/* A mask, or the names of features separated by commas; "none" switches all of them off. */
static rk_status submit_features(rk_kernel *kernel, const char *const *args, size_t count,
                                 uint64_t *out_id, rk_err *err)
{
    (void)count;
    const rk_schema *schema = rk_module_schema(rk_kernel_module(kernel));
    uint64_t mask = 0;
    if (args[0][0] >= '0' && args[0][0] <= '9') {
        rk_status status = take_u64("mask", args[0], &mask, err);
        return status == RK_OK ? rk_kernel_features(kernel, mask, out_id, err) : status;
    }
    for (const char *at = strcmp(args[0], "none") == 0 ? "" : args[0]; *at != '\0';) {
        size_t length = strcspn(at, ",");
        char name[RK_SCHEMA_NAME_MAX + 1] = "";
        memcpy(name, at, RK_MIN(length, sizeof name - 1));
        int index = length < sizeof name ? rk_schema_find_feature(schema, name) : -1;
        if (index < 0) {
            char shown[RK_VALUE_SHOWN_BYTES];
            return rk_err_set(err, RK_NOT_FOUND, "module '%s' has no feature '%s'", schema->name,
                              rk_value_shown(name, shown));
        }
        mask |= UINT64_C(1) << index;
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return rk_kernel_features(kernel, mask, out_id, err);
}

static rk_status submit_quiesce(rk_kernel *kernel, const char *const *args, size_t count,
                                uint64_t *out_id, rk_err *err)
{
    (void)args;
    (void)count;
    return rk_kernel_quiesce(kernel, 0, out_id, err);
}

/* Commands without arguments. */
#define PLAIN_ORDER(name)                                                                          \
    static rk_status submit_##name(rk_kernel *kernel, const char *const *args, size_t count,       \
                                   uint64_t *out_id, rk_err *err)                                  \
    {                                                                                              \
        (void)args;                                                                                \
        (void)count;                                                                               \
        return rk_kernel_##name(kernel, out_id, err);                                              \
    }
PLAIN_ORDER(pause)
PLAIN_ORDER(resume)
PLAIN_ORDER(progress)
PLAIN_ORDER(stats)
PLAIN_ORDER(ping)
PLAIN_ORDER(check)
PLAIN_ORDER(terminate)
#undef PLAIN_ORDER

const rk_order rk_orders[] = {
    {"run", "STEPS", 1, 1, "take so many steps, after those that are already ordered", false,
     submit_run},
    {"pause", "", 0, 0, "stop at the next step boundary; runs keep their remaining steps", false,
     submit_pause},
    {"resume", "", 0, 0, "go on after a pause or a spent step budget", false, submit_resume},
    {"inject", "FIELD INDEX VALUE [add]", 3, 4,
     "set one element of a field, or add to it; INDEX counts elements from 0", false,
     submit_inject},
    {"custom", "OPERATION [DATA]", 1, 2,
     "one of the module's own operations; DATA is text, or hex:00ff...", false, submit_custom},
    {"message", "TYPE [DATA]", 1, 2, "a message of a type from 256 on, for its on_message handler",
     false, submit_message},
    {"receive", "", 0, 0, "take the next message that the kernel has emitted", false, NULL},
    {"progress", "", 0, 0, "how many steps of its runs remain", false, submit_progress},
    {"stats", "", 0, 0, "refresh its counters", false, submit_stats},
    {"ping", "", 0, 0, "answer", false, submit_ping},
    {"step-budget", "STEPS|none", 1, 1, "how many steps it may still take before it pauses itself",
     false, submit_step_budget},
    {"check", "", 0, 0, "run the module's own check; value 0 is good", false, submit_check},
    {"features", "NAMES|MASK|none", 1, 1,
     "which optional features are on: names separated by commas, or bits", false, submit_features},
    {"quiesce", "", 0, 0, "leave the device at the next step boundary; 'rk resume' brings it back",
     true, submit_quiesce},
    {"terminate", "", 0, 0, "end; pending runs are aborted", true, submit_terminate},
};
const size_t rk_order_count = RK_CLI_COUNT(rk_orders);

rk_status rk_order_find(const char *name, size_t arg_count, const rk_order **out_order, rk_err *err)
{
    const char *names[RK_CLI_COUNT(rk_orders)];
    for (size_t i = 0; i < rk_order_count; i++) {
        const rk_order *order = &rk_orders[i];
        names[i] = order->name;
        if (strcmp(name, order->name) != 0) {
            continue;
        }
        if (arg_count < order->min_args || arg_count > order->max_args) {
            return rk_err_set(err, RK_INVALID, "use: %s%s%s", order->name,
                              *order->arguments ? " " : "", order->arguments);
        }
        *out_order = order;
        return RK_OK;
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    const char *near = rk_suggest(name, names, rk_order_count);
    return rk_err_set(err, RK_NOT_FOUND, "kernels have no command '%s'%s%s%s",
                      rk_value_shown(name, shown), near ? "; did you mean '" : "", near ? near : "",
                      near ? "'?" : "; 'rk help send' lists them");
}

/* ---- Carrying out --------------------------------------------------------------------------- */

static const char *level_text(rk_level level)
{
    switch (level) {
    case RK_REPLY_ACCEPTED: return "accepted";
    case RK_REPLY_APPLIED: return "applied";
    case RK_REPLY_DURABLE: return "durable";
    default: return "sent";
    }
}

/* Words of 64 bits do not fit into every JSON reader's numbers: they are texts. */
static json_t *make_reply(const rk_order *order, uint64_t id, const rk_reply *reply)
{
    char words[3][24];
    for (size_t i = 0; i < 3; i++) {
        snprintf(words[i], sizeof words[i], "%" PRIu64, reply->value[i]);
    }
    json_t *object =
        json_pack("{s:s, s:I, s:s, s:s, s:[s, s, s]}", "command", order->name, "id", (json_int_t)id,
                  "level", level_text(reply->level), "status", rk_status_name(reply->status),
                  "value", words[0], words[1], words[2]);
    json_t *step =
        reply->level >= RK_REPLY_ACCEPTED ? json_integer((json_int_t)reply->step) : json_null();
    if (json_object_set_new(object, "step", step) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/*
 * Takes the next message. Only while somebody waits for it: a message is gone once it is taken, so
 * each look asks `keep_waiting` first and then takes what is there without waiting.
 */
static rk_status take_message(rk_kernel *kernel, uint64_t timeout_ns, bool (*keep_waiting)(void *),
                              void *context, rk_received *out_message, uint8_t *payload,
                              rk_err *err)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(timeout_ns);
    for (;;) {
        if (keep_waiting != NULL && !keep_waiting(context)) {
            return rk_err_set(err, RK_CLOSED, "nobody waits for a message of kernel '%s' any more",
                              rk_kernel_name(kernel));
        }
        bool last = rk_clock_monotonic_ns() >= deadline_ns;
        rk_status status =
            rk_kernel_receive(kernel, 0, out_message, payload, RK_ORDER_DATA_MAX, err);
        if (status != RK_TIMEOUT) {
            return status;
        }
        if (last) {
            return rk_err_set(err, RK_TIMEOUT, "kernel '%s' has emitted no message",
                              rk_kernel_name(kernel));
        }
        (void)poll(NULL, 0, RECEIVE_LOOK_MS);
    }
}

static rk_status receive(rk_kernel *kernel, uint64_t timeout_ns, bool (*keep_waiting)(void *),
                         void *context, json_t **out_reply, rk_err *err)
{
    uint8_t *payload = malloc(RK_ORDER_DATA_MAX);
    if (payload == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a message");
    }
    rk_received message;
    rk_status status =
        take_message(kernel, timeout_ns, keep_waiting, context, &message, payload, err);
    if (status == RK_OK) {
        uint32_t kept = RK_MIN(message.length, RK_ORDER_DATA_MAX);
        rk_str hex;
        rk_str_init(&hex, 2 * RK_ORDER_DATA_MAX);
        for (uint32_t i = 0; i < kept; i++) {
            rk_str_appendf(&hex, "%02x", payload[i]);
        }
        /* As a text only where it is one, and one that every JSON reader takes: without NUL. */
        json_t *text =
            memchr(payload, '\0', kept) == NULL ? json_stringn((const char *)payload, kept) : NULL;
        *out_reply =
            json_pack("{s:s, s:I, s:I, s:s, s:s, s:i, s:i, s:s, s:o*}", "command", "receive", "id",
                      (json_int_t)message.id, "step", (json_int_t)message.step, "level", "applied",
                      "status", "RK_OK", "type", (int)message.type, "length", (int)message.length,
                      "hex", rk_str_cstr(&hex), "text", text);
        rk_str_finish(&hex);
    }
    free(payload);
    return status;
}

/* Waits until a kernel that was told to leave has left: the next command finds it so. */
static void wait_left(const rk_kernel *kernel)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(LEAVE_NS);
    while (rk_kernel_is_resident(kernel) && rk_clock_monotonic_ns() < deadline_ns) {
        (void)poll(NULL, 0, 1); /* a restart makes it resident again: hence the deadline */
    }
}

rk_status rk_order_carry_out(const rk_order *order, rk_kernel *kernel, const char *const *args,
                             size_t count, uint64_t timeout_ns, bool (*keep_waiting)(void *),
                             void *context, json_t **out_reply, rk_err *err)
{
    *out_reply = NULL;
    if (order->submit == NULL) {
        rk_status status = receive(kernel, timeout_ns, keep_waiting, context, out_reply, err);
        return status == RK_OK && *out_reply == NULL
                   ? rk_err_set(err, RK_NO_MEMORY, "no memory for a message")
                   : status;
    }
    uint64_t id;
    rk_status status = order->submit(kernel, args, count, &id, err);
    if (status != RK_OK) {
        return status;
    }
    rk_reply reply = {.id = id};
    uint64_t deadline_ns = rk_clock_deadline_ns(timeout_ns);
    bool waiting = timeout_ns > 0;
    do {
        uint64_t now_ns = rk_clock_monotonic_ns();
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        status = rk_kernel_wait(kernel, id, RK_MIN(left_ns, LOOK_NS), &reply, err);
        waiting =
            status == RK_TIMEOUT && left_ns > 0 && (keep_waiting == NULL || keep_waiting(context));
    } while (waiting);
    if (status == RK_TIMEOUT) {
        /* Say how far it got; what is known now is all there is to say. */
        status = rk_kernel_wait_accepted(kernel, id, timeout_ns == 0 ? LOOK_NS : 0, &reply, err);
        reply.id = id;
        if (status == RK_TIMEOUT) {
            reply = (rk_reply){.id = id};
            status = RK_OK;
        }
    }
    if (status == RK_OK && order->leaves && reply.level >= RK_REPLY_APPLIED) {
        wait_left(kernel);
    }
    if (status == RK_OK) {
        *out_reply = make_reply(order, id, &reply);
        status =
            *out_reply != NULL ? RK_OK : rk_err_set(err, RK_NO_MEMORY, "no memory for a reply");
    }
    return status;
}

/* The three words of a reply, with what they mean where that is known. */
static void append_values(rk_str *out, const char *command, const char *const value[3])
{
    if (strcmp(command, "progress") == 0) {
        bool endless = strtoull(value[1], NULL, 10) >= NO_END_STEPS;
        rk_str_appendf(out, ", remaining %s, target %s", endless ? "no end" : value[0],
                       endless ? "no end" : value[1]);
        return;
    }
    if (strcmp(value[0], "0") != 0 || strcmp(value[1], "0") != 0 || strcmp(value[2], "0") != 0) {
        rk_str_appendf(out, ", value %s %s %s", value[0], value[1], value[2]);
    }
}

void rk_order_append_text(rk_str *out, const char *kernel, const json_t *reply)
{
    const char *status = rk_reply_text(reply, "status");
    rk_str_appendf(out, "%s: %s %llu %s", kernel, rk_reply_text(reply, "command"),
                   rk_reply_count(reply, "id"), rk_reply_text(reply, "level"));
    if (json_is_integer(json_object_get(reply, "step"))) {
        rk_str_appendf(out, " at step %llu", rk_reply_count(reply, "step"));
    }
    const char *command = rk_reply_text(reply, "command");
    const json_t *values = json_object_get(reply, "value");
    const char *value[3];
    for (size_t i = 0; i < 3; i++) {
        const char *text = json_string_value(json_array_get(values, i));
        value[i] = text != NULL ? text : "0";
    }
    if (strcmp(status, "RK_INTERNAL") == 0 && strcmp(command, "custom") == 0) {
        rk_str_appendf(out, ": refused by the kernel, code %s", value[0]);
    } else if (strcmp(status, "RK_INTERNAL") == 0 && strcmp(command, "check") == 0) {
        rk_str_appendf(out, ": the check failed, code %s", value[0]);
    } else {
        if (strcmp(status, "RK_OK") != 0) {
            rk_str_appendf(out, ": %s", status);
        }
        if (strcmp(rk_reply_text(reply, "level"), "applied") == 0) {
            append_values(out, command, value);
        }
    }
    const char *key;
    json_t *counter;
    json_object_foreach(json_object_get(reply, "counters"), key, counter)
    {
        rk_str_appendf(out, "\n  %-18s %lld", key, (long long)json_integer_value(counter));
    }
    if (json_object_get(reply, "hex") != NULL) {
        rk_str_appendf(out, ", type %llu, %llu bytes: %s\n%s", rk_reply_count(reply, "type"),
                       rk_reply_count(reply, "length"), rk_reply_text(reply, "hex"),
                       rk_reply_text(reply, "text"));
    }
}
