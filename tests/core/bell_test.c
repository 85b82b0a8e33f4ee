/*
 * Bells: no wake-up is lost, deadlines hold, several waiters share one bell.
 */
#include "core/bell.h"

#include "base/clock.h"
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct counter {
    rk_bell bell;
    uint32_t value;
    uint32_t wanted;
} counter;

static bool reached(void *context)
{
    counter *c = context;
    return rk_word_load_acquire(&c->value) >= c->wanted;
}

static void test_ready_at_once(void **state)
{
    (void)state;
    counter c = {.value = 3, .wanted = 3};
    assert_int_equal(rk_bell_wait(&c.bell, reached, &c, 0, 0), RK_OK);
    assert_int_equal(c.bell.parked, 0);
}

static void test_deadline(void **state)
{
    (void)state;
    counter c = {.wanted = 1};
    rk_test_clock clock;
    rk_test_clock_install(&clock, 1000, 1000);
    rk_status past = rk_bell_wait(&c.bell, reached, &c, 999, 0);
    rk_status now = rk_bell_wait(&c.bell, reached, &c, 1000, 0);
    rk_test_clock_remove(&clock);
    assert_int_equal(past, RK_TIMEOUT);
    assert_int_equal(now, RK_TIMEOUT);
    /* Left set: the next publisher clears it with one vain wake. */
    assert_int_equal(c.bell.parked, 1);
    rk_bell_notify(&c.bell);
    assert_int_equal(c.bell.parked, 0);
    assert_int_equal(c.bell.rung, 1);
    rk_bell_notify(&c.bell);
    assert_int_equal(c.bell.rung, 1);
}

#define ROUNDS 20000u

typedef struct pair {
    counter there;
    counter back;
    unsigned spin_ns;
} pair;

static void answer(void *context)
{
    pair *p = context;
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        p->there.wanted = i;
        if (rk_bell_wait(&p->there.bell, reached, &p->there, RK_NEVER, p->spin_ns) != RK_OK) {
            return;
        }
        rk_word_store_release(&p->back.value, i);
        rk_bell_notify(&p->back.bell);
    }
}

/* Each side sleeps until the other has published: one lost wake-up would hang the test. */
static void ping_pong(unsigned spin_ns)
{
    static pair p;
    memset(&p, 0, sizeof p);
    p.spin_ns = spin_ns;
    rk_bell_setup();
    rk_thread thread;
    assert_int_equal(rk_thread_start(&thread, "answer", answer, &p), RK_OK);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        rk_word_store_release(&p.there.value, i);
        rk_bell_notify(&p.there.bell);
        p.back.wanted = i;
        assert_int_equal(rk_bell_wait(&p.back.bell, reached, &p.back, RK_NEVER, spin_ns), RK_OK);
    }
    rk_thread_join(&thread);
    assert_int_equal(p.back.value, ROUNDS);
}

static void test_ping_pong_parked(void **state)
{
    (void)state;
    ping_pong(0);
}

static void test_ping_pong_spinning(void **state)
{
    (void)state;
    ping_pong(2000);
}

#define SHARERS 4u
#define SHARED_ROUNDS 2000u

typedef struct sharer {
    rk_bell *bell;
    rk_u32 *value;
    rk_thread thread;
    rk_u32 seen;
} sharer;

typedef struct shared_wait {
    const rk_u32 *value;
    rk_u32 seen;
} shared_wait;

static bool moved(void *context)
{
    shared_wait *w = context;
    return rk_word_load_acquire(w->value) != w->seen;
}

static void follow(void *context)
{
    sharer *s = context;
    while (s->seen < SHARED_ROUNDS) {
        shared_wait wait = {.value = s->value, .seen = s->seen};
        if (rk_bell_wait(s->bell, moved, &wait, RK_NEVER, 0) != RK_OK) {
            return;
        }
        s->seen = rk_word_load_acquire(s->value);
    }
}

static void test_many_waiters_on_one_bell(void **state)
{
    (void)state;
    rk_bell bell = {0};
    rk_u32 value = 0;
    sharer sharers[SHARERS];
    memset(sharers, 0, sizeof sharers);
    rk_bell_setup();
    for (size_t i = 0; i < SHARERS; i++) {
        sharers[i].bell = &bell;
        sharers[i].value = &value;
        assert_int_equal(rk_thread_start(&sharers[i].thread, "follow", follow, &sharers[i]), RK_OK);
    }
    for (uint32_t i = 1; i <= SHARED_ROUNDS; i++) {
        rk_word_store_release(&value, i);
        rk_bell_notify(&bell);
    }
    for (size_t i = 0; i < SHARERS; i++) {
        rk_thread_join(&sharers[i].thread);
        assert_int_equal(sharers[i].seen, SHARED_ROUNDS);
    }
}

/* The registration that lets publishers leave out the fence must survive fork. */
static void test_fence_after_fork(void **state)
{
    (void)state;
    rk_bell_setup();
    bool sure = rk_bell_fence_all();
    assert_int_equal(sure, atomic_load(&rk_bell_fence_free));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(rk_bell_fence_all() == sure ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_at_once),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_ping_pong_parked),
        cmocka_unit_test(test_ping_pong_spinning),
        cmocka_unit_test(test_many_waiters_on_one_bell),
        cmocka_unit_test(test_fence_after_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
