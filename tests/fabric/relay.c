/*
 * relay.c: see relay.h.
 */
#include "tests/fabric/relay.h"

#include <ringkernel/module.h>
#include <unistd.h>

static char path[64];

static void remove_bundle(void)
{
    (void)unlink(path);
}

static rk_module *relay_module(void)
{
    rk_err err = RK_ERR_INIT;
    if (path[0] == '\0') {
        (void)snprintf(path, sizeof path, "/tmp/rk-relay-%ld.rkm", (long)getpid());
        rk_module_build_options options = {
            .source_path = RK_TEST_SOURCE_DIR "/tests/fabric/relay_kernel.c",
            .output_path = path,
            .levels = "v2",
            .include_dir = RK_TEST_SOURCE_DIR "/include",
        };
        if (rk_module_build(&options, &err) != RK_OK) {
            fail_msg("%s", err.text);
        }
        (void)atexit(remove_bundle);
    }
    rk_module *module = NULL;
    if (rk_module_open_file(path, &module, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return module;
}

static void on_fabric_event(void *context, const rk_fabric_event *event)
{
    relay_fabric *t = context;
    rk_mutex_lock(&t->lock);
    t->counts[event->kind]++;
    rk_cond_broadcast(&t->changed);
    rk_mutex_unlock(&t->lock);
}

static void on_event(void *context, const rk_event *event)
{
    relay_fabric *t = context;
    if (event->kind == RK_EVENT_RESTARTED) {
        rk_mutex_lock(&t->lock);
        t->restarts++;
        rk_cond_broadcast(&t->changed);
        rk_mutex_unlock(&t->lock);
    }
}

void relay_open(relay_fabric *t, const rk_fabric_options *options)
{
    memset(t, 0, sizeof *t);
    rk_mutex_init(&t->lock);
    rk_cond_init(&t->changed);
    rk_fabric_options own = {0};
    if (options != NULL) {
        own = *options;
    }
    assert_int_equal(rk_deadletter_queue_create(NULL, &t->letters), RK_OK);
    own.dead_letters = t->letters;
    own.observer = on_fabric_event;
    own.callback_context = t;
    assert_int_equal(rk_fabric_create(&own, &t->fabric, NULL), RK_OK);
}

void relay_close(relay_fabric *t)
{
    rk_fabric_destroy(t->fabric);
    rk_deadletter_queue_destroy(t->letters);
    rk_cond_finish(&t->changed);
    rk_mutex_finish(&t->lock);
}

static void wait_for(relay_fabric *t, const uint32_t *counter, uint32_t count)
{
    rk_mutex_lock(&t->lock);
    while (*counter < count) {
        rk_cond_wait(&t->changed, &t->lock);
    }
    rk_mutex_unlock(&t->lock);
}

void relay_wait(relay_fabric *t, rk_fabric_event_kind kind, uint32_t count)
{
    wait_for(t, &t->counts[kind], count);
}

void relay_wait_restarts(relay_fabric *t, uint32_t count)
{
    wait_for(t, &t->restarts, count);
}

uint64_t relay_letters(relay_fabric *t, rk_deadletter_reason reason)
{
    rk_deadletter_stats stats;
    rk_deadletter_queue_stats(t->letters, &stats);
    return stats.added_by_reason[reason];
}

rk_runtime *relay_runtime(relay_fabric *t, rk_isolation isolation)
{
    static const char *const host[] = {"/proc/self/exe", "__host", NULL};
    rk_runtime *runtime = NULL;
    rk_err err = RK_ERR_INIT;
    rk_runtime_options options = {
        .isolation = isolation, .host_argv = host, .on_event = on_event, .event_context = t};
    if (rk_runtime_create(&options, &runtime, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return runtime;
}

rk_kernel *relay_create(rk_runtime *runtime, const rk_launch *launch)
{
    rk_err err = RK_ERR_INIT;
    rk_module *module = relay_module();
    rk_launch full = *launch;
    full.module = module;
    full.blocks = 1;
    rk_kernel *kernel = NULL;
    if (rk_kernel_create(runtime, &full, &kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_module_unref(module);
    return kernel;
}

rk_kernel *relay_start(rk_runtime *runtime, const char *name)
{
    rk_err err = RK_ERR_INIT;
    rk_kernel *kernel = relay_create(runtime, &(rk_launch){.name = name});
    if (rk_kernel_start(kernel, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return kernel;
}

uint64_t relay_seen(rk_kernel *kernel, uint64_t index)
{
    uint64_t id = 0;
    uint64_t value = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_ping(kernel, &id, NULL), RK_OK);
    assert_int_equal(rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL), RK_OK);
    assert_int_equal(rk_kernel_read_field(kernel, "seen", index, 1, &value, NULL), RK_OK);
    return value;
}

rk_attachment *relay_attach(relay_fabric *t, rk_kernel *kernel, const rk_attach_options *options)
{
    rk_err err = RK_ERR_INIT;
    rk_attachment *attachment = NULL;
    if (rk_fabric_attach_kernel(t->fabric, kernel, options, &attachment, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return attachment;
}

rk_receipt relay_send(relay_fabric *t, uint32_t from, const char *name, uint32_t type,
                      uint64_t value)
{
    return rk_fabric_send_name(t->fabric, from, name, type, &value, sizeof value, NULL);
}

rk_publish_result relay_publish(relay_fabric *t, const char *topic, uint64_t value, uint32_t qos,
                                bool retain)
{
    rk_publish_result result;
    rk_err err = RK_ERR_INIT;
    rk_publish_options options = {.qos = qos, .retain = retain};
    if (rk_fabric_publish(t->fabric, 0, topic, RELAY_COUNT, &value, sizeof value, &options, &result,
                          &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return result;
}

uint64_t relay_receive(rk_mailbox *mailbox, uint32_t type)
{
    rk_mail mail;
    uint64_t value = 0;
    assert_int_equal(rk_mailbox_receive(mailbox, &mail, &value, sizeof value, UINT64_MAX), RK_OK);
    assert_int_equal(mail.header.type, type);
    return value;
}

rk_mailbox *relay_mailbox(relay_fabric *t, const char *name)
{
    rk_mailbox *mailbox = NULL;
    assert_int_equal(
        rk_mailbox_create(t->fabric, &(rk_mailbox_options){.name = name}, &mailbox, NULL), RK_OK);
    return mailbox;
}
