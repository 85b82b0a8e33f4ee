/*
 * Rings and slabs between two processes that map the same memory at different addresses: a request
 * ring, a reply ring, large payloads through a slab that one side fills and the other frees.
 */
#include "core/message.h"
#include "core/ring.h"
#include "core/ring_mp.h"

#include "base/clock.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUESTS 20000u
#define RING_SLOTS 16u
#define SLAB_BYTES (2u << 20)
#define REQUEST_AT 0u
#define REPLY_AT 8192u
#define SLAB_AT 16384u
#define REGION_BYTES (SLAB_AT + SLAB_BYTES)
#define MAX_PAYLOAD 100000u

/* The payload of request `number`: its length and bytes follow from the number alone. */
static uint32_t make_payload(uint64_t number, unsigned char *out)
{
    uint64_t random = number;
    uint64_t draw = rk_test_random(&random);
    uint32_t length = (uint32_t)(draw % 200);
    if (number % 64 == 0) {
        length = (uint32_t)(draw % MAX_PAYLOAD);
    }
    for (uint32_t i = 0; i < length; i++) {
        out[i] = (unsigned char)(number + i * 7);
    }
    return length;
}

/* Maps the region at an address of its own and takes one side of each ring. */
typedef struct peer {
    void *region;
    rk_slab slab;
    rk_ring_end in;
    rk_ring_end out;
} peer;

static bool peer_open(peer *p, int file, bool child)
{
    /* The child moves its mapping, so that the two addresses differ. */
    if (child) {
        (void)mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    p->region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (p->region == MAP_FAILED) {
        return false;
    }
    uint64_t in_at = child ? REQUEST_AT : REPLY_AT;
    uint64_t out_at = child ? REPLY_AT : REQUEST_AT;
    return rk_slab_attach(&p->slab, (char *)p->region + SLAB_AT, SLAB_BYTES, NULL) == RK_OK &&
           rk_ring_attach(&p->in, RK_RING_CONSUMER, p->region, SLAB_AT, in_at, NULL) == RK_OK &&
           rk_ring_attach(&p->out, RK_RING_PRODUCER, p->region, SLAB_AT, out_at, NULL) == RK_OK;
}

static bool send_to(peer *p, const rk_slot *slot)
{
    for (;;) {
        rk_status status = rk_ring_push(&p->out, slot);
        if (status != RK_FULL) {
            return status == RK_OK;
        }
        if (rk_ring_wait_room(&p->out, 1, RK_NEVER, 1000) != RK_OK) {
            return false;
        }
    }
}

static bool receive_from(peer *p, rk_slot *out_slot)
{
    while (rk_ring_pop(&p->in, out_slot) != RK_OK) {
        if (rk_ring_wait_message(&p->in, RK_NEVER, 1000) != RK_OK) {
            return false;
        }
    }
    return true;
}

/* Answers each request with the CRC-checked length of its payload, and frees the payload. */
static int serve(int file)
{
    static unsigned char payload[MAX_PAYLOAD];
    static unsigned char expected[MAX_PAYLOAD];
    peer p;
    if (!peer_open(&p, file, true)) {
        return 2;
    }
    for (uint64_t i = 0; i < REQUESTS; i++) {
        rk_slot slot;
        if (!receive_from(&p, &slot)) {
            return 3;
        }
        uint32_t length = make_payload(slot.header.id, expected);
        if (slot.header.id != i || rk_msg_check(&slot, MAX_PAYLOAD) != RK_MSG_FAULT_NONE ||
            rk_msg_get(&slot, &p.slab, payload, sizeof payload) != RK_OK ||
            slot.header.length != length || memcmp(payload, expected, length) != 0) {
            return 4;
        }
        if (rk_msg_discard(&slot, &p.slab) != RK_OK) {
            return 5;
        }
        rk_slot reply;
        memset(&reply, 0, sizeof reply);
        reply.header.id = i;
        if (rk_msg_put(&reply, NULL, &length, sizeof length) != RK_OK || !send_to(&p, &reply)) {
            return 6;
        }
    }
    return 0;
}

static void request_all(peer *p)
{
    static unsigned char payload[MAX_PAYLOAD];
    uint64_t answered = 0;
    for (uint64_t sent = 0; answered < REQUESTS;) {
        rk_slot slot;
        if (sent < REQUESTS && sent - answered < RING_SLOTS) {
            memset(&slot, 0, sizeof slot);
            slot.header.id = sent;
            uint32_t length = make_payload(sent, payload);
            if (rk_msg_put(&slot, &p->slab, payload, length) == RK_OK) {
                assert_true(send_to(p, &slot));
                sent++;
                continue;
            }
        }
        assert_true(sent > answered); /* a full slab empties itself as requests are served */
        assert_true(receive_from(p, &slot));
        uint32_t length;
        assert_int_equal(slot.header.id, answered);
        assert_int_equal(rk_msg_get(&slot, NULL, &length, sizeof length), RK_OK);
        assert_int_equal(length, make_payload(answered, payload));
        answered++;
    }
}

static void test_two_processes(void **state)
{
    (void)state;
    int file = memfd_create("ring-process", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, REGION_BYTES), 0);
    void *region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_ptr_not_equal(region, MAP_FAILED);
    char *base = region;
    rk_slab_config config;
    assert_int_equal(rk_slab_config_fit(&config, SLAB_BYTES), RK_OK);
    assert_int_equal(rk_slab_init(base + SLAB_AT, SLAB_BYTES, &config, NULL), RK_OK);
    assert_int_equal(rk_ring_init(base + REQUEST_AT, REPLY_AT, RK_RING_SPSC, RING_SLOTS, 0, NULL),
                     RK_OK);
    assert_int_equal(
        rk_ring_init(base + REPLY_AT, SLAB_AT - REPLY_AT, RK_RING_SPSC, RING_SLOTS, 0, NULL),
        RK_OK);

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        munmap(region, REGION_BYTES);
        _exit(serve(file));
    }
    peer p;
    assert_true(peer_open(&p, file, false));
    request_all(&p);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    for (unsigned i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        assert_int_equal(rk_slab_usage_of(&p.slab, i).in_use, 0);
    }
    munmap(p.region, REGION_BYTES);
    munmap(region, REGION_BYTES);
    close(file);
}

#define CHILDREN 3u
#define PER_CHILD 20000u

static int produce(void *region, uint64_t bytes, uint16_t source)
{
    rk_ring_end end;
    if (rk_ring_attach(&end, RK_RING_PRODUCER, region, bytes, 0, NULL) != RK_OK) {
        return 2;
    }
    for (uint64_t i = 0; i < PER_CHILD;) {
        rk_slot slot;
        memset(&slot, 0, sizeof slot);
        slot.header.id = i;
        slot.header.source = source;
        rk_status status = rk_ring_mp_push(&end, &slot);
        if (status == RK_OK) {
            i++;
        } else if (status != RK_FULL || rk_ring_wait_room(&end, 1, RK_NEVER, 1000) != RK_OK) {
            return 3;
        }
    }
    return 0;
}

/* Several processes push into one MPSC ring; each one's messages arrive once and in order. */
static void test_many_processes(void **state)
{
    (void)state;
    uint64_t bytes = rk_ring_bytes(RK_RING_MPSC, 64);
    void *region =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(region, MAP_FAILED);
    assert_int_equal(rk_ring_init(region, bytes, RK_RING_MPSC, 64, 0, NULL), RK_OK);
    rk_ring_end consumer;
    assert_int_equal(rk_ring_attach(&consumer, RK_RING_CONSUMER, region, bytes, 0, NULL), RK_OK);
    pid_t children[CHILDREN];
    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            _exit(produce(region, bytes, (uint16_t)i));
        }
    }
    uint64_t next[CHILDREN] = {0};
    for (uint64_t taken = 0; taken < CHILDREN * PER_CHILD; taken++) {
        rk_slot slot;
        while (rk_ring_mp_pop(&consumer, &slot) != RK_OK) {
            assert_int_equal(rk_ring_wait_message(&consumer, RK_NEVER, 1000), RK_OK);
        }
        assert_true(slot.header.source < CHILDREN);
        assert_int_equal(slot.header.id, next[slot.header.source]++);
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    munmap(region, (size_t)bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_processes),
        cmocka_unit_test(test_many_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
