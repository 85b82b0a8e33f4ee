/*
 * kt.c: see kt.h. One runtime serves all tests of a program; the last kernel's end destroys it.
 */
#include "kernels/kt.h"

#include "kernels/cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KT_PARAMS 24

struct kt {
    rk_launch launch;
    rk_kernel *kernel;
    rk_param_value params[KT_PARAMS];
    char names[KT_PARAMS][32];
    char texts[KT_PARAMS][32];
    char name[24];
    uint64_t run;
    char failure[256];
};

static rk_runtime *runtime;
static unsigned kernels;
static unsigned names_given;
static const char *host[3];
static const char *device;

#define CHECK(call)                                                                                \
    do {                                                                                           \
        rk_err err = RK_ERR_INIT;                                                                  \
        if ((call) != RK_OK) {                                                                     \
            fail_msg("%s: %s", #call, err.text);                                                   \
        }                                                                                          \
    } while (0)

void kt_isolate(const char *program, const char *argument)
{
    host[0] = program;
    host[1] = argument;
}

void kt_device(const char *name)
{
    device = name;
}

kt *kt_new(const char *module, const char *variant, unsigned blocks, unsigned lanes)
{
    kt *k = calloc(1, sizeof(*k));
    assert_non_null(k);
    if (kernels++ == 0) {
        const rk_runtime_options options = {
            .isolation = host[0] ? RK_ISOLATION_PROCESS : RK_ISOLATION_NONE, .host_argv = host};
        CHECK(rk_runtime_create(&options, &runtime, &err));
    }
    (void)snprintf(k->name, sizeof(k->name), "kernel%u", names_given++);
    k->launch = (rk_launch){
        .name = k->name, .device = device, .variant = variant, .blocks = blocks, .lanes = lanes};
    k->launch.params = k->params;
    CHECK(rk_module_open_builtin(module, &k->launch.module, &err));
    return k;
}

static void param(kt *k, const char *name, const char *text)
{
    size_t i = k->launch.param_count++;
    assert_true(i < KT_PARAMS);
    (void)snprintf(k->names[i], sizeof(k->names[i]), "%s", name);
    (void)snprintf(k->texts[i], sizeof(k->texts[i]), "%s", text);
    k->params[i] = (rk_param_value){k->names[i], k->texts[i]};
}

void kt_u(kt *k, const char *name, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    param(k, name, text);
}

void kt_f(kt *k, const char *name, double value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%.17g", value);
    param(k, name, text);
}

void kt_inbox(kt *k, unsigned slots)
{
    k->launch.inbox_slots = slots;
}

void kt_answers(kt *k, unsigned slots)
{
    k->launch.answer_slots = slots;
    k->launch.in_flight_limit = slots / 4;
}

void kt_create(kt *k)
{
    CHECK(rk_kernel_create(runtime, &k->launch, &k->kernel, &err));
}

uint64_t kt_size(kt *k, const char *field)
{
    uint64_t elements = 0;
    uint32_t bytes = 0;
    CHECK(rk_kernel_field_size(k->kernel, field, &elements, &bytes, &err));
    return elements;
}

void kt_write(kt *k, const char *field, const void *data, uint64_t count)
{
    CHECK(rk_kernel_write_field(k->kernel, field, 0, count, data, &err));
}

void kt_read(kt *k, const char *field, void *data, uint64_t count)
{
    CHECK(rk_kernel_read_field(k->kernel, field, 0, count, data, &err));
}

void kt_connect(kt *from, kt *to)
{
    uint32_t route = 0;
    CHECK(rk_kernel_connect(from->kernel, to->kernel, &route, &err));
}

rk_status kt_start(kt *k)
{
    return rk_kernel_start(k->kernel, NULL);
}

static rk_status reply_of(kt *k, rk_status submitted, uint64_t id, uint64_t value[3])
{
    rk_reply reply = {0};
    rk_status status = submitted;
    if (status == RK_OK) {
        status = rk_kernel_wait(k->kernel, id, RK_FOREVER, &reply, NULL);
    }
    if (status == RK_OK) {
        status = reply.status;
        if (value) {
            memcpy(value, reply.value, sizeof(reply.value));
        }
    }
    return status;
}

rk_status kt_run_begin(kt *k, uint64_t steps)
{
    return rk_kernel_run(k->kernel, steps, &k->run, NULL);
}

rk_status kt_run_wait(kt *k)
{
    return reply_of(k, RK_OK, k->run, NULL);
}

rk_status kt_run(kt *k, uint64_t steps)
{
    rk_status status = kt_run_begin(k, steps);
    return reply_of(k, status, k->run, NULL);
}

rk_status kt_features(kt *k, uint64_t mask)
{
    uint64_t id = 0;
    rk_status status = rk_kernel_features(k->kernel, mask, &id, NULL);
    return reply_of(k, status, id, NULL);
}

rk_status kt_custom(kt *k, uint64_t op, const void *data, size_t bytes, uint64_t value[3])
{
    uint64_t id = 0;
    rk_status status = rk_kernel_custom(k->kernel, op, data, bytes, &id, NULL);
    return reply_of(k, status, id, value);
}

rk_status kt_check(kt *k, uint64_t *out_code)
{
    uint64_t id = 0;
    uint64_t value[3] = {0};
    rk_status status = rk_kernel_check(k->kernel, &id, NULL);
    status = reply_of(k, status, id, value);
    *out_code = value[0];
    return status;
}

rk_status kt_send(kt *k, uint32_t type, const void *data, size_t bytes)
{
    uint64_t id = 0;
    rk_status status = rk_kernel_send(k->kernel, type, 0, data, bytes, &id, NULL);
    return reply_of(k, status, id, NULL);
}

uint32_t kt_state(kt *k)
{
    return rk_kernel_state(k->kernel);
}

const char *kt_failure(kt *k)
{
    const char *text = rk_kernel_failure(k->kernel, k->failure, sizeof(k->failure));
    return text ? text : "";
}

rk_kernel *kt_kernel(kt *k)
{
    return k->kernel;
}

void kt_end(kt *k)
{
    if (k->kernel) {
        rk_kernel_destroy(k->kernel);
    }
    rk_module_unref(k->launch.module);
    free(k);
    if (--kernels == 0) {
        rk_runtime_destroy(runtime);
    }
}
