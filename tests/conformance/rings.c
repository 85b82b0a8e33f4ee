/*
 * rings.c: the rules of the three rings: order, wrapping, long messages, full rings, limits.
 */
#include "conform.h"

#include <string.h>

static rk_launch small_rings(void)
{
    return (rk_launch){
        .command_slots = 16, .answer_slots = 64, .inbox_slots = 16, .in_flight_limit = 8};
}

/* Every message comes back, in order, through rings that wrap many times. */
static void messages_come_back_in_order(conform *c)
{
    rk_launch launch = small_rings();
    rk_kernel *kernel = conform_start(c, "echoes", &launch);
    uint8_t sent[600];
    uint8_t got[600];
    uint64_t state = c->seed;
    uint64_t id = 0;
    rk_reply reply;
    rk_received received;
    if (kernel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < 200 * c->effort; i++) {
        uint32_t length = conform_below(&state, sizeof sent);
        memset(sent, (int)(i % 251), sizeof sent);
        CHECK_OK(c, rk_kernel_send(kernel, CONFORM_ECHO, 0, sent, length, &id, &check_err));
        CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "send %u", i);
        CHECK_OK(
            c, rk_kernel_receive(kernel, CONFORM_WAIT_NS, &received, got, sizeof got, &check_err));
        CHECK(c,
              received.type == CONFORM_ECHO && received.length == length &&
                  memcmp(sent, got, length) == 0,
              "message %u of %u bytes came back changed", i, length);
    }
out:
    rk_kernel_destroy(kernel);
}

/* Commands in flight up to the limit are all answered; beyond it they are refused, not lost. */
static void the_in_flight_limit_holds(conform *c)
{
    rk_launch launch = small_rings();
    rk_kernel *kernel = conform_start(c, "limit", &launch);
    uint64_t ids[8];
    uint64_t id = 0;
    uint32_t held = 0;
    rk_reply reply;
    if (kernel == NULL) {
        return;
    }
    /* The ping with which it was started may still be on its way; this one follows it. */
    CHECK_OK(c, rk_kernel_ping(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "ping");
    for (uint32_t round = 0; round < 10 * c->effort; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_SUM, ids, i, &ids[i], &check_err));
        }
        for (uint32_t i = 0; i < 8; i++) {
            CHECK(c, conform_wait(c, kernel, ids[i], &reply) && reply.value[2] == i, "answer %u",
                  i);
        }
    }
    CHECK_OK(c, rk_kernel_pause(kernel, &id, &check_err));
    CHECK(c, conform_wait(c, kernel, id, &reply), "pause");
    rk_status status = RK_OK;
    while (held < 8 && (status = rk_kernel_run(kernel, 1, &ids[held], NULL)) == RK_OK) {
        held++;
    }
    CHECK(c, held >= 4 && (held == 8 || status == RK_LIMIT), "%u runs were taken, then %s", held,
          rk_status_text(status));
    CHECK_OK(c, rk_kernel_resume(kernel, NULL, &check_err)); /* there is always room for this */
    for (uint32_t i = 0; i < held; i++) {
        CHECK(c, conform_wait(c, kernel, ids[i], &reply) && reply.step == i + 1, "run %u", i);
    }
out:
    rk_kernel_destroy(kernel);
}

/* A kernel that emits more than fits is refused, never blocked; what it was told is sent comes. */
static void emits_stop_at_a_full_ring(conform *c)
{
    rk_launch launch = small_rings();
    rk_kernel *kernel = conform_start(c, "emits", &launch);
    const uint32_t sizes[] = {0, 8, 40, 41, 104, 1000};
    uint8_t payload[1200];
    uint64_t id = 0;
    rk_reply reply;
    rk_received received;
    if (kernel == NULL) {
        return;
    }
    for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint32_t ask[2] = {500, sizes[s]};
        CHECK_OK(c, rk_kernel_custom(kernel, CONFORM_EMIT, ask, sizeof ask, &id, &check_err));
        CHECK(c, conform_wait(c, kernel, id, &reply) && reply.status == RK_OK, "emit");
        CHECK(c, reply.value[0] > 0 && (reply.value[0] == 500) == (reply.value[1] == 0),
              "%llu of 500 messages of %u bytes fit, refusal %llu",
              (unsigned long long)reply.value[0], sizes[s], (unsigned long long)reply.value[1]);
        for (uint32_t i = 0; i < reply.value[0]; i++) {
            CHECK_OK(c, rk_kernel_receive(kernel, CONFORM_WAIT_NS, &received, payload,
                                          sizeof payload, &check_err));
            CHECK(c, received.type == 400 && received.length == sizes[s], "emitted message %u", i);
            CHECK(c,
                  sizes[s] == 0 ||
                      (payload[0] == (uint8_t)i && payload[sizes[s] - 1] == (uint8_t)i),
                  "emitted message %u has another's bytes", i);
        }
    }
out:
    rk_kernel_destroy(kernel);
}

static bool seen(conform *c, rk_kernel *kernel, uint64_t out[4])
{
    rk_err err = RK_ERR_INIT;
    uint64_t id = 0;
    rk_reply reply;
    if (rk_kernel_ping(kernel, &id, &err) != RK_OK || !conform_wait(c, kernel, id, &reply) ||
        rk_kernel_read_field(kernel, "seen", 0, 4, out, &err) != RK_OK) {
        conform_fail(c, __FILE__, __LINE__, "%s", err.text);
        return false;
    }
    return true;
}

/* Two kernels: what one sends arrives at the other, whole, and nothing else. */
static void kernels_send_to_each_other(conform *c)
{
    rk_launch launch = small_rings();
    rk_kernel *from = NULL;
    rk_kernel *to = NULL;
    uint64_t id = 0;
    uint64_t sent = 0;
    uint64_t bytes = 0;
    uint64_t counts[4] = {0};
    uint64_t state = c->seed;
    rk_reply reply;
    if (!conform_start_two(c, "sender", "receiver", &launch, &from, &to)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_connect(from, to, NULL, &check_err));
    for (uint32_t i = 0; i < 60 * c->effort; i++) {
        uint32_t ask[2] = {1 + conform_below(&state, 30), conform_below(&state, 400)};
        CHECK_OK(c, rk_kernel_custom(from, CONFORM_SEND, ask, sizeof ask, &id, &check_err));
        CHECK(c, conform_wait(c, from, id, &reply) && reply.status == RK_OK, "send command");
        sent += reply.value[0];
        bytes += reply.value[0] * ask[1];
        do {
            if (!seen(c, to, counts)) {
                goto out;
            }
        } while (counts[0] < sent);
        CHECK(c, counts[0] == sent && counts[1] == bytes && counts[3] == sent,
              "%llu messages and %llu bytes were sent, %llu and %llu arrived",
              (unsigned long long)sent, (unsigned long long)bytes, (unsigned long long)counts[0],
              (unsigned long long)counts[1]);
    }
    CHECK(c, sent > 60, "only %llu messages were sent", (unsigned long long)sent);
out:
    rk_kernel_destroy(from);
    rk_kernel_destroy(to);
}

/* A message that goes host, kernel, kernel, host. */
static void messages_pass_through_two_kernels(conform *c)
{
    rk_launch launch = small_rings();
    rk_kernel *first = NULL;
    rk_kernel *second = NULL;
    rk_received received;
    if (!conform_start_two(c, "first", "second", &launch, &first, &second)) {
        goto out;
    }
    CHECK_OK(c, rk_kernel_connect(first, second, NULL, &check_err));
    for (uint32_t i = 0; i < 200 * c->effort; i++) {
        uint64_t payload[3] = {i, ~(uint64_t)i, 7};
        uint64_t back[3] = {0};
        CHECK_OK(c,
                 rk_kernel_send(first, CONFORM_PASS, 0, payload, sizeof payload, NULL, &check_err));
        CHECK_OK(c, rk_kernel_receive(second, CONFORM_WAIT_NS, &received, back, sizeof back,
                                      &check_err));
        CHECK(c, received.length == sizeof back && memcmp(payload, back, sizeof back) == 0,
              "message %u came out changed", i);
    }
out:
    rk_kernel_destroy(first);
    rk_kernel_destroy(second);
}

const conform_case conform_rings[] = {
    {"rings: messages come back in order", messages_come_back_in_order},
    {"rings: limit of commands in flight", the_in_flight_limit_holds},
    {"rings: emits stop at a full ring", emits_stop_at_a_full_ring},
    {"rings: kernels send to each other", kernels_send_to_each_other},
    {"rings: host to kernel to kernel to host", messages_pass_through_two_kernels},
};
const uint32_t conform_rings_count = sizeof conform_rings / sizeof conform_rings[0];
