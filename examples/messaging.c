/*
 * messaging.c: two kernels and an actor that exchange messages over a fabric.
 *
 *     host --> kernel "first" --> kernel "second" --> topic "doubled" --> actor --> mailbox "host"
 *
 * Usage: messaging KERNEL_SOURCE INCLUDE_FOLDER
 */
#include <ringkernel/attach.h>
#include <ringkernel/attach_actors.h>
#include <ringkernel/mailbox.h>
#include <ringkernel/request.h>
#include <ringkernel/ringkernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NUMBER 300u

typedef struct counter {
    rk_fabric *fabric;
    uint64_t sum;
} counter;

static void check(rk_status status, const rk_err *err)
{
    if (status != RK_OK) {
        (void)fprintf(stderr, "messaging: %s\n", err->text);
        exit(1);
    }
}

static void counter_init(void *state, const void *arg, uint32_t bytes)
{
    (void)bytes;
    ((counter *)state)->fabric = *(rk_fabric *const *)arg;
}

/* The actor adds up what is published and tells the host. */
static rk_status counter_message(rk_actor_ctx *ctx, const rk_actor_msg *message)
{
    counter *self = rk_actor_state(ctx);
    self->sum += *(const uint64_t *)message->payload;
    (void)rk_fabric_send_name(self->fabric, 0, "host", NUMBER, &self->sum, sizeof self->sum, NULL);
    return RK_OK; /* what "host" does not take becomes a dead letter */
}

static rk_kernel *start(rk_runtime *runtime, rk_module *module, const char *name)
{
    rk_err err = RK_ERR_INIT;
    rk_kernel *kernel = NULL;
    rk_launch launch = {.name = name, .module = module, .blocks = 1};
    check(rk_kernel_create(runtime, &launch, &kernel, &err), &err);
    check(rk_kernel_start(kernel, &err), &err);
    return kernel;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: messaging KERNEL_SOURCE INCLUDE_FOLDER\n");
        return 2;
    }
    rk_err err = RK_ERR_INIT;
    char bundle[64];
    (void)snprintf(bundle, sizeof bundle, "/tmp/messaging-%ld.rkm", (long)getpid());
    rk_module_build_options build = {
        .source_path = argv[1], .output_path = bundle, .levels = "v2", .include_dir = argv[2]};
    rk_module *module = NULL;
    check(rk_module_build(&build, &err), &err);
    check(rk_module_open_file(bundle, &module, &err), &err);
    (void)unlink(bundle);

    rk_fabric *fabric = NULL;
    rk_runtime *runtime = NULL;
    rk_mailbox *host = NULL;
    check(rk_fabric_create(NULL, &fabric, &err), &err);
    check(rk_mailbox_create(fabric, &(rk_mailbox_options){.name = "host"}, &host, &err), &err);
    check(rk_runtime_create(NULL, &runtime, &err), &err);

    /* Kernels: what "first" emits goes to "second", what that emits is published. */
    rk_attachment *first = NULL;
    rk_attachment *second = NULL;
    const rk_attach_rule on[] = {{.type = NUMBER, .endpoint = "second"}};
    const rk_attach_rule out[] = {{.type = NUMBER, .topic = "doubled", .qos = 1}};
    check(rk_fabric_attach_kernel(fabric, start(runtime, module, "first"),
                                  &(rk_attach_options){.rules = on, .rule_count = 1}, &first, &err),
          &err);
    check(rk_fabric_attach_kernel(fabric, start(runtime, module, "second"),
                                  &(rk_attach_options){.rules = out, .rule_count = 1}, &second,
                                  &err),
          &err);

    /* The actor, under its name, subscribed to what is published. */
    rk_actor_system *actors = NULL;
    rk_actor_type_id type = 0;
    rk_actor_id id = RK_ACTOR_NONE;
    rk_actor_attachment *attached = NULL;
    const rk_actor_type counting = {.name = "counter",
                                    .state_bytes = sizeof(counter),
                                    .init = counter_init,
                                    .on_message = counter_message};
    const rk_actor_spawn_options spawn = {
        .arg = &fabric, .arg_bytes = sizeof(rk_fabric *), .name = "counter"};
    check(rk_actor_system_create(NULL, &actors, &err), &err);
    check(rk_actor_system_register_type(actors, &counting, &type, &err), &err);
    check(rk_actor_system_spawn(actors, type, &spawn, &id), &err);
    check(rk_fabric_attach_actors(fabric, actors, "counter", 0, &attached, &err), &err);
    check(rk_fabric_subscribe(fabric, rk_actor_attachment_endpoint(attached, "counter"), "doubled",
                              1, &err),
          &err);

    for (uint64_t number = 1; number <= 3; number++) {
        rk_mail mail;
        uint64_t sum = 0;
        rk_receipt receipt =
            rk_fabric_send_name(fabric, 0, "first", NUMBER, &number, sizeof number, NULL);
        check(rk_receipt_status(receipt), &err);
        check(rk_mailbox_receive(host, &mail, &sum, sizeof sum, UINT64_MAX), &err);
        (void)printf("sent %llu, the sum of four times each is %llu\n", (unsigned long long)number,
                     (unsigned long long)sum);
    }

    /* A request: the kernel answers the asker instead. */
    rk_mail answer;
    uint64_t number = 21;
    uint64_t doubled = 0;
    rk_address to = {0, rk_attachment_endpoint(first)};
    rk_receipt receipt = rk_fabric_call(fabric, 0, to, NUMBER, &number, sizeof number, 10000000000u,
                                        &answer, &doubled, sizeof doubled);
    check(rk_receipt_status(receipt), &err);
    (void)printf("asked for the double of 21: %llu\n", (unsigned long long)doubled);

    rk_fabric_detach_actors(attached);
    rk_actor_system_destroy(actors);
    rk_fabric_detach(first);
    rk_fabric_detach(second);
    rk_runtime_destroy(runtime);
    rk_module_unref(module);
    rk_mailbox_destroy(host);
    rk_fabric_destroy(fabric);
    return 0;
}
