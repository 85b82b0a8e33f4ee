/*
 * Kernels on a fabric: sending, publishing, requests, and what becomes of messages when a kernel is
 * parked, fails or ends. The program is its own host process.
 */
#include "tests/fabric/relay.h"

#include <ringkernel/attach_actors.h>

static void kernels_of_two_runtimes_talk(rk_isolation isolation)
{
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *one = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_runtime *two = relay_runtime(&t, isolation);
    rk_mailbox *host = relay_mailbox(&t, "host");
    const rk_attach_rule to_b[] = {{.type = RELAY_FORWARDED, .endpoint = "b"}};
    const rk_attach_rule to_host[] = {{.endpoint = "host"}};
    rk_kernel *a_kernel = relay_start(one, "a");
    rk_attachment *a =
        relay_attach(&t, a_kernel, &(rk_attach_options){.rules = to_b, .rule_count = 1});
    rk_kernel *b_kernel = relay_start(two, "b");
    rk_attachment *b =
        relay_attach(&t, b_kernel, &(rk_attach_options){.rules = to_host, .rule_count = 1});
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(relay_send(&t, 0, "a", RELAY_FORWARD, i), RK_RECEIPT_DELIVERED);
        /* a adds one and hands it to b, which only counts 311; so ask b to tell. */
        assert_int_equal(relay_send(&t, 0, "b", RELAY_TELL, i), RK_RECEIPT_DELIVERED);
        assert_int_equal(relay_receive(host, RELAY_TOLD), i + 1);
    }
    assert_int_equal(relay_seen(a_kernel, RELAY_SEEN_COUNT), 100);
    rk_fabric_detach(a); /* forwards what is left */
    assert_int_equal(relay_seen(b_kernel, RELAY_SEEN_COUNT), 200);
    assert_int_equal(relay_seen(b_kernel, RELAY_SEEN_SUM), 2 * (99 * 100 / 2) + 100);
    assert_int_equal(relay_send(&t, 0, "a", RELAY_COUNT, 0), RK_RECEIPT_NOT_FOUND);
    rk_attachment_stats stats;
    rk_attachment_stats_get(b, &stats);
    assert_int_equal(stats.emitted, 100);
    assert_int_equal(stats.forwarded, 100);
    rk_fabric_detach(b);
    rk_runtime_destroy(two);
    rk_runtime_destroy(one);
    rk_mailbox_destroy(host);
    relay_close(&t);
}

static void test_two_runtimes(void **state)
{
    (void)state;
    kernels_of_two_runtimes_talk(RK_ISOLATION_NONE);
}

static void test_two_runtimes_and_a_host_process(void **state)
{
    (void)state;
    kernels_of_two_runtimes_talk(RK_ISOLATION_PROCESS);
}

/* An actor that tells the mailbox "told" the sum of what it got. */
typedef struct summing {
    rk_fabric *fabric;
    uint64_t sum;
} summing;

static void summing_init(void *state, const void *arg, uint32_t bytes)
{
    assert_int_equal(bytes, sizeof(rk_fabric *));
    ((summing *)state)->fabric = *(rk_fabric *const *)arg;
}

static rk_status summing_message(rk_actor_ctx *ctx, const rk_actor_msg *message)
{
    summing *self = rk_actor_state(ctx);
    uint64_t value = 0;
    memcpy(&value, message->payload, sizeof value);
    self->sum += value;
    (void)rk_fabric_send_name(self->fabric, 0, "told", RELAY_TOLD, &self->sum, sizeof self->sum,
                              NULL);
    return RK_OK;
}

static rk_actor_system *summing_start(relay_fabric *t, const char *name)
{
    rk_actor_system *system = NULL;
    rk_actor_type_id type = 0;
    rk_actor_id id = RK_ACTOR_NONE;
    const rk_actor_type actor = {.name = "summing",
                                 .state_bytes = sizeof(summing),
                                 .init = summing_init,
                                 .on_message = summing_message};
    const rk_actor_spawn_options spawn = {
        .arg = &t->fabric, .arg_bytes = sizeof(rk_fabric *), .name = name};
    assert_int_equal(
        rk_actor_system_create(&(rk_actor_system_options){.workers = 1}, &system, NULL), RK_OK);
    assert_int_equal(rk_actor_system_register_type(system, &actor, &type, NULL), RK_OK);
    assert_int_equal(rk_actor_system_spawn(system, type, &spawn, &id), RK_OK);
    return system;
}

static void test_actors_receive_by_name_and_topic(void **state)
{
    (void)state;
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *runtime = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_mailbox *told = relay_mailbox(&t, "told");
    rk_actor_system *system = summing_start(&t, "site/sum");
    rk_actor_attachment *actors = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_attach_actors(t.fabric, system, "none/#", 0, &actors, &err),
                     RK_NOT_FOUND);
    assert_int_equal(rk_fabric_attach_actors(t.fabric, system, "#/a", 0, &actors, &err),
                     RK_INVALID);
    assert_int_equal(rk_fabric_attach_actors(t.fabric, system, "site/*", 0, &actors, &err), RK_OK);
    uint32_t endpoint = rk_actor_attachment_endpoint(actors, "site/sum");
    assert_int_equal(rk_actor_attachment_endpoint(actors, "site/other"), 0);
    assert_int_equal(rk_fabric_subscribe(t.fabric, endpoint, "plant/#", 2, NULL), RK_OK);
    const rk_attach_rule rules[] = {{.type = RELAY_FORWARDED, .topic = "plant/1", .qos = 2},
                                    {.type = RELAY_TOLD, .endpoint = "site/sum"}};
    rk_attachment *source = relay_attach(&t, relay_start(runtime, "source"),
                                         &(rk_attach_options){.rules = rules, .rule_count = 2});
    assert_int_equal(relay_send(&t, 0, "source", RELAY_FORWARD, 1), RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_receive(told, RELAY_TOLD), 2);
    assert_int_equal(relay_send(&t, 0, "source", RELAY_TELL, 4), RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_receive(told, RELAY_TOLD), 7);
    assert_int_equal(relay_send(&t, 0, "site/sum", RELAY_COUNT, 3), RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_receive(told, RELAY_TOLD), 10);
    relay_wait(&t, RK_FABRIC_COMPLETED, 1);
    uint64_t value = 1;
    assert_int_equal(rk_fabric_call(t.fabric, 0, (rk_address){0, endpoint}, RELAY_ASK, &value,
                                    sizeof value, UINT64_MAX, NULL, NULL, 0),
                     RK_RECEIPT_REFUSED);
    assert_int_equal(rk_actor_system_shutdown(system, UINT64_MAX), RK_OK);
    assert_int_equal(relay_send(&t, 0, "site/sum", RELAY_COUNT, 3), RK_RECEIPT_CLOSED);
    rk_fabric_detach_actors(actors);
    rk_fabric_detach_actors(NULL);
    assert_int_equal(relay_send(&t, 0, "site/sum", RELAY_COUNT, 3), RK_RECEIPT_NOT_FOUND);
    rk_actor_system_destroy(system);
    rk_fabric_detach(source);
    rk_runtime_destroy(runtime);
    rk_mailbox_destroy(told);
    relay_close(&t);
}

static void test_a_kernel_publishes_to_kernels_and_a_mailbox(void **state)
{
    (void)state;
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *runtime = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_mailbox *host = relay_mailbox(&t, "host");
    assert_int_equal(rk_fabric_subscribe(t.fabric, rk_mailbox_endpoint(host), "#", 0, NULL), RK_OK);
    const rk_attach_rule rules[] = {
        {.type = RELAY_FORWARDED, .topic = "plant/1/level", .qos = 1, .retain = true},
        {.type = RELAY_TOLD, .topic = "plant/2/level", .qos = 2}};
    const rk_attach_subscription both[] = {{"plant/*/level", 2}};
    const rk_attach_subscription second[] = {{"plant/2/#", 1}, {"other", 1}};
    rk_attachment *source = relay_attach(&t, relay_start(runtime, "source"),
                                         &(rk_attach_options){.rules = rules, .rule_count = 2});
    rk_kernel *x = relay_start(runtime, "x");
    rk_kernel *y = relay_start(runtime, "y");
    rk_attachment *at_x =
        relay_attach(&t, x, &(rk_attach_options){.subscriptions = both, .subscription_count = 1});
    rk_attachment *at_y =
        relay_attach(&t, y, &(rk_attach_options){.subscriptions = second, .subscription_count = 2});
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(relay_send(&t, 0, "source", RELAY_FORWARD, i), RK_RECEIPT_DELIVERED);
        assert_int_equal(relay_receive(host, RELAY_FORWARDED), i + 1);
        assert_int_equal(relay_send(&t, 0, "source", RELAY_TELL, i), RK_RECEIPT_DELIVERED);
        assert_int_equal(relay_receive(host, RELAY_TOLD), i + 1);
    }
    relay_wait(&t, RK_FABRIC_COMPLETED, 40); /* every kernel has handled and acknowledged */
    assert_int_equal(relay_seen(x, RELAY_SEEN_COUNT), 40);
    assert_int_equal(relay_seen(y, RELAY_SEEN_COUNT), 20);
    assert_int_equal(relay_seen(y, RELAY_SEEN_SUM), 210);
    /* Retained: who comes late gets the last one. */
    rk_kernel *late = relay_start(runtime, "late");
    rk_attachment *at_late = relay_attach(
        &t, late, &(rk_attach_options){.subscriptions = both, .subscription_count = 1});
    assert_int_equal(relay_seen(late, RELAY_SEEN_COUNT), 1);
    assert_int_equal(relay_seen(late, RELAY_SEEN_SUM), 20);
    rk_fabric_detach(at_late);
    rk_fabric_detach(at_y);
    rk_fabric_detach(at_x);
    rk_fabric_detach(source);
    rk_runtime_destroy(runtime);
    rk_mailbox_destroy(host);
    relay_close(&t);
}

static void a_parked_kernel_loses_nothing(rk_isolation isolation)
{
    relay_fabric t;
    relay_open(&t, &(rk_fabric_options){.retry_after_ns = 1, .retry_limit = 1000});
    rk_runtime *runtime = relay_runtime(&t, isolation);
    rk_kernel *kernel = relay_create(
        runtime, &(rk_launch){.name = "sleeper", .command_slots = 16, .in_flight_limit = 16});
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    const rk_attach_subscription all[] = {{"#", 1}};
    rk_attachment *attachment = relay_attach(
        &t, kernel, &(rk_attach_options){.subscriptions = all, .subscription_count = 1});
    assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
    uint32_t kept = 0;
    for (uint64_t i = 0; i < 50; i++) {
        rk_publish_result result = relay_publish(&t, "level", i, 1, false);
        assert_int_equal(result.delivered + result.kept, 1);
        kept += result.kept;
    }
    /* Three quarters of 16 places at most, less what the park itself still takes; the rest waits in
     * the session. */
    assert_true(kept >= 38 && kept < 50);
    rk_attachment_stats stats;
    rk_attachment_stats_get(attachment, &stats);
    assert_int_equal(stats.waiting, 50 - kept);
    (void)rk_fabric_poll(t.fabric); /* due at once: what the kernel has is not handed over twice */
    rk_attachment_stats_get(attachment, &stats);
    assert_true(stats.waiting <= 12);
    assert_true(stats.repeated >= 50 - kept);
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    relay_wait(&t, RK_FABRIC_COMPLETED, 50);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_COUNT), 50);
    uint64_t order[50];
    assert_int_equal(rk_kernel_read_field(kernel, "order", 0, 50, order, NULL), RK_OK);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(order[i], i);
    }
    rk_fabric_stats fabric;
    rk_fabric_stats_get(t.fabric, &fabric);
    assert_int_equal(fabric.acknowledged, 50);
    assert_int_equal(fabric.inflight, 0);
    rk_fabric_detach(attachment);
    rk_runtime_destroy(runtime);
    relay_close(&t);
}

static void test_a_parked_kernel_loses_nothing(void **state)
{
    (void)state;
    a_parked_kernel_loses_nothing(RK_ISOLATION_NONE);
}

static void test_a_parked_kernel_in_a_host_process_loses_nothing(void **state)
{
    (void)state;
    a_parked_kernel_loses_nothing(RK_ISOLATION_PROCESS);
}

static void test_what_a_failed_kernel_lost_is_delivered_again(void **state)
{
    (void)state;
    relay_fabric t;
    relay_open(&t, &(rk_fabric_options){.retry_after_ns = 1, .retry_limit = 1000});
    rk_runtime *runtime = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_kernel *kernel =
        relay_create(runtime, &(rk_launch){.name = "phoenix", .restart = RK_RESTART_ON_FAILURE});
    const rk_attach_subscription all[] = {{"#", 2}};
    rk_attachment *attachment = relay_attach(
        &t, kernel, &(rk_attach_options){.subscriptions = all, .subscription_count = 1});
    /* Before it starts: the panic, then publications and messages behind it. */
    assert_int_equal(relay_send(&t, 0, "phoenix", RELAY_PANIC, 0), RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_publish(&t, "a", 3, 1, false).delivered, 1);
    assert_int_equal(relay_publish(&t, "b", 4, 1, false).delivered, 1);
    assert_int_equal(relay_send(&t, 0, "phoenix", RELAY_COUNT, 5), RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_send(&t, 0, "phoenix", RELAY_COUNT, 6), RK_RECEIPT_DELIVERED);
    (void)rk_kernel_start(kernel, NULL); /* fails, unless the restart comes first */
    relay_wait_restarts(&t, 1);
    relay_wait(&t, RK_FABRIC_REFUSED, 3);
    assert_int_equal(relay_letters(&t, RK_DEADLETTER_DESTROYED), 3);
    (void)rk_fabric_poll(t.fabric);
    relay_wait(&t, RK_FABRIC_COMPLETED, 2);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_SUM), 7);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_DUPLICATES), 2);
    uint64_t sent = 0;
    uint64_t failed = 0;
    const rk_deadletter_filter counts = {.by_type = true, .type = RELAY_COUNT};
    rk_deadletter_queue_replay_matching(t.letters, &counts, rk_fabric_replay, t.fabric, &sent,
                                        &failed);
    assert_int_equal(sent, 2);
    assert_int_equal(failed, 0);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_SUM), 18);
    rk_attachment_stats stats;
    rk_attachment_stats_get(attachment, &stats);
    assert_int_equal(stats.lost, 5);
    assert_false(stats.ended);
    rk_fabric_detach(attachment);
    rk_runtime_destroy(runtime);
    relay_close(&t);
}

static void test_a_kernel_answers_requests(void **state)
{
    (void)state;
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *runtime = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_kernel *kernel = relay_start(runtime, "oracle");
    rk_attachment *attachment = relay_attach(&t, kernel, &(rk_attach_options){.request_limit = 2});
    rk_address to = {0, rk_attachment_endpoint(attachment)};
    rk_mail mail;
    uint64_t answer = 0;
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(rk_fabric_call(t.fabric, 0, to, RELAY_ASK, &i, sizeof i, UINT64_MAX, &mail,
                                        &answer, sizeof answer),
                         RK_RECEIPT_DELIVERED);
        assert_int_equal(mail.header.type, RELAY_ANSWER);
        assert_int_equal(answer, i + 1);
    }
    /* No answer, and a kernel that does not run: the time is over. The table makes room again. */
    uint64_t value = 1;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(rk_fabric_call(t.fabric, 0, to, RELAY_KEEP_SILENT, &value, sizeof value,
                                        2000000, NULL, NULL, 0),
                         RK_RECEIPT_TIMEOUT);
    }
    assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
    assert_int_equal(rk_fabric_call(t.fabric, 0, to, RELAY_ASK, &value, sizeof value, 2000000,
                                    &mail, &answer, sizeof answer),
                     RK_RECEIPT_TIMEOUT);
    assert_int_equal(relay_letters(&t, RK_DEADLETTER_EXPIRED), 0);
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    relay_wait(&t, RK_FABRIC_EXPIRED_REPLY, 1); /* the late answer */
    assert_int_equal(relay_letters(&t, RK_DEADLETTER_EXPIRED), 1);
    rk_fabric_detach(attachment);
    rk_runtime_destroy(runtime);
    relay_close(&t);
}

static void test_a_message_of_another_tenant_is_refused(void **state)
{
    (void)state;
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *runtime = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_kernel *kernel = relay_create(runtime, &(rk_launch){.name = "seven", .tenant = 7});
    assert_int_equal(rk_kernel_start(kernel, NULL), RK_OK);
    rk_attachment *attachment = relay_attach(&t, kernel, NULL);
    rk_address to = {0, rk_attachment_endpoint(attachment)};
    rk_mailbox *friend = NULL;
    rk_mailbox *stranger = NULL;
    rk_mailbox_options options = {.tenant = 7};
    assert_int_equal(rk_mailbox_create(t.fabric, &options, &friend, NULL), RK_OK);
    options.tenant = 8;
    assert_int_equal(rk_mailbox_create(t.fabric, &options, &stranger, NULL), RK_OK);
    uint64_t value = 9;
    assert_int_equal(rk_fabric_send(t.fabric, rk_mailbox_endpoint(stranger), to, RELAY_COUNT,
                                    &value, sizeof value, NULL),
                     RK_RECEIPT_TENANT);
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, RELAY_COUNT, &value, sizeof value, NULL),
                     RK_RECEIPT_TENANT);
    assert_int_equal(rk_fabric_send(t.fabric, rk_mailbox_endpoint(friend), to, RELAY_COUNT, &value,
                                    sizeof value, NULL),
                     RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_COUNT), 1);
    /* Too long for the slab, ever. */
    static const uint8_t large[2 << 20];
    assert_int_equal(rk_fabric_send(t.fabric, rk_mailbox_endpoint(friend), to, RELAY_COUNT, large,
                                    sizeof large, NULL),
                     RK_RECEIPT_TOO_LONG);
    assert_int_equal(
        rk_fabric_send(t.fabric, rk_mailbox_endpoint(friend), to, RELAY_COUNT, large, 4096, NULL),
        RK_RECEIPT_DELIVERED);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_COUNT), 2);
    rk_mailbox_destroy(friend);
    rk_mailbox_destroy(stranger);
    rk_fabric_detach(attachment);
    rk_runtime_destroy(runtime);
    relay_close(&t);
}

/* The end of a request that nobody answers. */
typedef struct ending {
    relay_fabric *t;
    rk_receipt receipt;
    uint32_t calls;
} ending;

static void on_end(void *context, rk_receipt receipt, const rk_delivery *reply)
{
    ending *e = context;
    assert_null(reply);
    rk_mutex_lock(&e->t->lock);
    e->receipt = receipt;
    e->calls++;
    rk_cond_broadcast(&e->t->changed);
    rk_mutex_unlock(&e->t->lock);
}

/* ends: the kernel is terminated while parked messages wait, or destroyed. */
static void an_end_makes_dead_letters(rk_isolation isolation)
{
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *runtime = relay_runtime(&t, isolation);
    rk_kernel *kernel = relay_start(runtime, "mortal");
    const rk_attach_subscription all[] = {{"#", 1}};
    const rk_attach_options options = {.subscriptions = all, .subscription_count = 1};
    rk_attachment *attachment = relay_attach(&t, kernel, &options);
    rk_address to = {0, rk_attachment_endpoint(attachment)};
    assert_int_equal(rk_kernel_park(kernel, RK_FOREVER, NULL), RK_OK);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(relay_send(&t, 0, "mortal", RELAY_COUNT, i), RK_RECEIPT_DELIVERED);
    }
    assert_int_equal(relay_publish(&t, "level", 10, 1, false).delivered, 1);
    ending e = {.t = &t};
    rk_request_options request = {.done = on_end, .context = &e};
    assert_int_equal(rk_fabric_request(t.fabric, 0, to, RELAY_ASK, NULL, 0, &request, NULL),
                     RK_RECEIPT_DELIVERED);
    rk_kernel_destroy(kernel); /* before the detach */
    assert_int_equal(e.calls, 1);
    assert_int_equal(e.receipt, RK_RECEIPT_CLOSED);
    rk_attachment_stats stats;
    rk_attachment_stats_get(attachment, &stats);
    assert_true(stats.ended);
    assert_int_equal(stats.lost, 5);
    assert_int_equal(relay_letters(&t, RK_DEADLETTER_DESTROYED), 5);
    uint64_t value = 4;
    assert_int_equal(rk_fabric_send(t.fabric, 0, to, RELAY_COUNT, &value, sizeof value, NULL),
                     RK_RECEIPT_CLOSED);
    rk_fabric_detach(attachment);
    /* A new kernel under the old name gets them all. */
    kernel = relay_start(runtime, "mortal");
    attachment = relay_attach(&t, kernel, &options);
    rk_replay_target target = {.fabric = t.fabric, .name = "mortal"};
    const rk_deadletter_filter counts = {.by_type = true, .type = RELAY_COUNT};
    uint64_t sent = 0;
    rk_deadletter_queue_replay_matching(t.letters, &counts, rk_fabric_replay_to, &target, &sent,
                                        NULL);
    assert_int_equal(sent, 5);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_COUNT), 5);
    assert_int_equal(relay_seen(kernel, RELAY_SEEN_SUM), 20);
    /* Ended by command: the endpoint goes by itself. */
    uint64_t id = 0;
    rk_reply reply;
    assert_int_equal(rk_kernel_terminate(kernel, &id, NULL), RK_OK);
    (void)rk_kernel_wait(kernel, id, RK_FOREVER, &reply, NULL);
    relay_wait(&t, RK_FABRIC_UNREGISTERED, 2);
    assert_int_equal(relay_send(&t, 0, "mortal", RELAY_COUNT, 1), RK_RECEIPT_NOT_FOUND);
    rk_fabric_detach(attachment);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_fabric_attach_kernel(t.fabric, kernel, NULL, &attachment, &err), RK_CLOSED);
    rk_runtime_destroy(runtime);
    relay_close(&t);
}

static void test_an_end_makes_dead_letters(void **state)
{
    (void)state;
    an_end_makes_dead_letters(RK_ISOLATION_NONE);
}

static void test_an_end_in_a_host_process_makes_dead_letters(void **state)
{
    (void)state;
    an_end_makes_dead_letters(RK_ISOLATION_PROCESS);
}

static void test_rules_are_checked_and_what_has_none_is_a_dead_letter(void **state)
{
    (void)state;
    relay_fabric t;
    relay_open(&t, NULL);
    rk_runtime *runtime = relay_runtime(&t, RK_ISOLATION_NONE);
    rk_kernel *kernel = relay_start(runtime, "k");
    rk_err err = RK_ERR_INIT;
    rk_attachment *attachment = NULL;
    const rk_attach_rule wrong[] = {{.type = 300},
                                    {.type = 300, .endpoint = "a", .topic = "b"},
                                    {.type = 12, .endpoint = "a"},
                                    {.topic = "a", .qos = 3}};
    for (size_t i = 0; i < RK_COUNT_OF(wrong); i++) {
        rk_attach_options options = {.rules = &wrong[i], .rule_count = 1};
        assert_int_equal(rk_fabric_attach_kernel(t.fabric, kernel, &options, &attachment, &err),
                         RK_INVALID);
    }
    const rk_attach_rule topic[] = {{.topic = "a//b"}};
    rk_attach_options options = {.rules = topic, .rule_count = 1};
    assert_int_equal(rk_fabric_attach_kernel(t.fabric, kernel, &options, &attachment, &err),
                     RK_SYNTAX);
    const rk_attach_subscription pattern[] = {{"#/a", 0}};
    options = (rk_attach_options){.subscriptions = pattern, .subscription_count = 1};
    assert_int_equal(rk_fabric_attach_kernel(t.fabric, kernel, &options, &attachment, &err),
                     RK_SYNTAX);
    attachment = relay_attach(&t, kernel, NULL);
    rk_attachment *second = NULL;
    assert_int_equal(rk_fabric_attach_kernel(t.fabric, kernel, NULL, &second, &err), RK_EXISTS);
    assert_int_equal(relay_send(&t, 0, "k", RELAY_FORWARD, 1), RK_RECEIPT_DELIVERED);
    relay_wait(&t, RK_FABRIC_REFUSED, 1);
    assert_int_equal(relay_letters(&t, RK_DEADLETTER_NO_TARGET), 1);
    rk_fabric_detach(attachment);
    rk_fabric_detach(NULL);
    rk_runtime_destroy(runtime);
    relay_close(&t);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "__host") == 0) {
        return rk_host_main(3);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_runtimes),
        cmocka_unit_test(test_two_runtimes_and_a_host_process),
        cmocka_unit_test(test_actors_receive_by_name_and_topic),
        cmocka_unit_test(test_a_kernel_publishes_to_kernels_and_a_mailbox),
        cmocka_unit_test(test_a_parked_kernel_loses_nothing),
        cmocka_unit_test(test_a_parked_kernel_in_a_host_process_loses_nothing),
        cmocka_unit_test(test_what_a_failed_kernel_lost_is_delivered_again),
        cmocka_unit_test(test_a_kernel_answers_requests),
        cmocka_unit_test(test_a_message_of_another_tenant_is_refused),
        cmocka_unit_test(test_an_end_makes_dead_letters),
        cmocka_unit_test(test_an_end_in_a_host_process_makes_dead_letters),
        cmocka_unit_test(test_rules_are_checked_and_what_has_none_is_a_dead_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
