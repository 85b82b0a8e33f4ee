/*
 * model.c: random sequences of commands against a model of what a kernel must do.
 *
 * The model is the protocol in plain C: cells, a queue of runs, pause, budget. After each command
 * the sequence waits for what the model says is answered now, so both always agree on the state.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

#define CELLS 64u
#define RUNS 16u
#define NO_BUDGET UINT64_MAX
#define MAX_LENGTH 3000u

typedef struct model {
    uint32_t value[CELLS];
    uint32_t mirror[CELLS];
    uint64_t step;
    uint64_t budget;
    bool paused;
    bool mirroring;
    uint64_t target[RUNS]; /* of pending runs, oldest first */
    uint64_t id[RUNS];
    uint32_t count;
    uint64_t messages;
    uint64_t bytes;
} model;

typedef struct sequence {
    conform *c;
    rk_kernel *kernel;
    model m;
    uint64_t random;
    char history[1024]; /* what was done, for the failure's text */
    size_t used;
} sequence;

static void note(sequence *s, const char *what, uint64_t number)
{
    int length = snprintf(s->history + s->used, sizeof s->history - s->used, " %s(%llu)", what,
                          (unsigned long long)number);
    s->used += length > 0 && (size_t)length < sizeof s->history - s->used ? (size_t)length : 0;
}

#define HOLDS(s, condition, what)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            conform_fail((s)->c, __FILE__, __LINE__, "%s; step %llu, after:%s", (what),            \
                         (unsigned long long)(s)->m.step, (s)->history);                           \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool reply_of(sequence *s, uint64_t id, rk_reply *out_reply)
{
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_kernel_wait(s->kernel, id, CONFORM_WAIT_NS, out_reply, &err);
    HOLDS(s, status == RK_OK, err.text);
    return true;
}

/* The oldest pending run is answered. */
static bool run_ends(sequence *s, rk_status expected)
{
    model *m = &s->m;
    rk_reply reply;
    if (!reply_of(s, m->id[0], &reply)) {
        return false;
    }
    HOLDS(s, reply.status == expected, rk_status_text(reply.status));
    HOLDS(s, expected != RK_OK || reply.step == m->target[0], "a run ended at a wrong step");
    m->count--;
    memmove(m->target, m->target + 1, m->count * sizeof m->target[0]);
    memmove(m->id, m->id + 1, m->count * sizeof m->id[0]);
    return true;
}

static void model_step(model *m)
{
    for (uint32_t i = 0; i < CELLS; i++) {
        m->value[i]++;
    }
    for (uint32_t i = 0; i < CELLS && m->mirroring; i++) {
        m->mirror[i] = m->value[CELLS - 1 - i];
    }
    m->step++;
    if (m->budget != NO_BUDGET && --m->budget == 0) {
        m->paused = true;
    }
}

/* A budget that ends inside a run is answered by nobody: asks until the kernel is there. */
static bool catch_up(sequence *s)
{
    uint64_t id = 0;
    rk_reply reply = {0};
    while (reply.step < s->m.step) {
        HOLDS(s, rk_kernel_ping(s->kernel, &id, NULL) == RK_OK, "ping");
        if (!reply_of(s, id, &reply)) {
            return false;
        }
    }
    HOLDS(s, reply.step == s->m.step, "it went on past its budget");
    return true;
}

/* Takes all steps that can be taken now, and the replies that they lead to. */
static bool settle(sequence *s)
{
    model *m = &s->m;
    while (!m->paused && m->count != 0) {
        if (m->target[0] > m->step) {
            model_step(m);
        }
        while (m->count != 0 && m->target[0] <= m->step) {
            if (!run_ends(s, RK_OK)) {
                return false;
            }
        }
    }
    return m->count == 0 || catch_up(s);
}

static bool do_run(sequence *s)
{
    model *m = &s->m;
    uint64_t steps = conform_below(&s->random, 12);
    uint64_t id = 0;
    rk_reply reply;
    note(s, "run", steps);
    rk_status status = rk_kernel_run(s->kernel, steps, &id, NULL);
    HOLDS(s, status == RK_OK, "a run was not taken");
    if (m->count == RUNS) {
        HOLDS(s, reply_of(s, id, &reply) && reply.status == RK_LIMIT, "a 17th run was queued");
        return true;
    }
    m->target[m->count] = (m->count ? m->target[m->count - 1] : m->step) + steps;
    m->id[m->count++] = id;
    if (m->paused) {
        status = rk_kernel_wait_accepted(s->kernel, id, CONFORM_WAIT_NS, &reply, NULL);
        HOLDS(s, status == RK_OK && reply.level == RK_REPLY_ACCEPTED, "a paused kernel ran");
    }
    return settle(s);
}

/* Waits for a command that is answered at once. */
static bool answered(sequence *s, rk_status submitted, const uint64_t *id, rk_reply *out_reply)
{
    HOLDS(s, submitted == RK_OK, rk_status_text(submitted));
    return reply_of(s, *id, out_reply);
}

static bool do_pause_or_resume(sequence *s)
{
    uint64_t id = 0;
    rk_reply reply;
    if (conform_below(&s->random, 3) == 0) {
        note(s, "pause", 0);
        s->m.paused = true;
        return answered(s, rk_kernel_pause(s->kernel, &id, NULL), &id, &reply);
    }
    note(s, "resume", 0);
    if (!answered(s, rk_kernel_resume(s->kernel, &id, NULL), &id, &reply)) {
        return false;
    }
    s->m.paused = false;
    s->m.budget = s->m.budget == 0 ? NO_BUDGET : s->m.budget;
    return settle(s);
}

static bool do_budget(sequence *s)
{
    uint64_t steps = conform_below(&s->random, 4) == 0 ? RK_FOREVER : conform_below(&s->random, 20);
    uint64_t id = 0;
    rk_reply reply;
    note(s, "budget", steps);
    s->m.budget = steps;
    s->m.paused = s->m.paused || steps == 0;
    return answered(s, rk_kernel_step_budget(s->kernel, steps, &id, NULL), &id, &reply);
}

static bool do_inject(sequence *s)
{
    uint32_t cell = conform_below(&s->random, CELLS);
    uint32_t amount = conform_below(&s->random, 1000);
    bool add = conform_below(&s->random, 2) != 0;
    uint64_t id = 0;
    rk_reply reply;
    note(s, add ? "add" : "set", cell);
    s->m.value[cell] = add ? s->m.value[cell] + amount : amount;
    return answered(s, rk_kernel_inject(s->kernel, "value", cell, amount, add, &id, NULL), &id,
                    &reply);
}

static bool do_sum(sequence *s)
{
    uint8_t data[MAX_LENGTH];
    uint32_t length = conform_below(&s->random, MAX_LENGTH);
    uint64_t expected[2] = {0, 0};
    uint64_t id = 0;
    rk_reply reply;
    note(s, "sum", length);
    for (uint32_t i = 0; i < CELLS; i++) {
        expected[0] += s->m.value[i];
    }
    for (uint32_t i = 0; i < length; i++) {
        data[i] = (uint8_t)conform_random(&s->random);
        expected[1] += data[i];
    }
    if (!answered(s, rk_kernel_custom(s->kernel, CONFORM_SUM, data, length, &id, NULL), &id,
                  &reply)) {
        return false;
    }
    HOLDS(s, reply.value[0] == expected[0], "the sum of the cells differs");
    HOLDS(s, reply.value[1] == expected[1] && reply.value[2] == length, "the data changed");
    return true;
}

static bool do_ask(sequence *s)
{
    model *m = &s->m;
    uint64_t id = 0;
    rk_reply reply;
    uint64_t target = m->count ? m->target[m->count - 1] : m->step;
    switch (conform_below(&s->random, 4)) {
    case 0:
        note(s, "progress", 0);
        return answered(s, rk_kernel_progress(s->kernel, &id, NULL), &id, &reply) &&
               reply.value[0] == target - m->step;
    case 1:
        note(s, "ping", 0);
        return answered(s, rk_kernel_ping(s->kernel, &id, NULL), &id, &reply) &&
               reply.step == m->step;
    case 2: {
        note(s, "stats", 0);
        rk_kernel_snapshot snapshot;
        if (!answered(s, rk_kernel_stats(s->kernel, &id, NULL), &id, &reply)) {
            return false;
        }
        rk_kernel_read_snapshot(s->kernel, &snapshot);
        HOLDS(s, snapshot.step == m->step && snapshot.remaining == target - m->step, "snapshot");
        HOLDS(s, snapshot.messages_received == m->messages, "number of messages");
        return true;
    }
    default: {
        note(s, "probe", 0);
        rk_probe probe;
        return rk_kernel_probe(s->kernel, CONFORM_WAIT_NS, &probe, NULL) == RK_OK;
    }
    }
}

static bool do_send(sequence *s)
{
    uint8_t data[MAX_LENGTH];
    uint8_t back[MAX_LENGTH];
    uint32_t length = conform_below(&s->random, MAX_LENGTH);
    bool echo = conform_below(&s->random, 2) != 0;
    uint64_t id = 0;
    rk_reply reply;
    rk_received received;
    note(s, echo ? "echo" : "send", length);
    memset(data, (int)length, sizeof data);
    if (!answered(s,
                  rk_kernel_send(s->kernel, echo ? CONFORM_ECHO : CONFORM_COUNT, 0, data, length,
                                 &id, NULL),
                  &id, &reply)) {
        return false;
    }
    s->m.messages++;
    s->m.bytes += length;
    if (echo) {
        HOLDS(s,
              rk_kernel_receive(s->kernel, CONFORM_WAIT_NS, &received, back, sizeof back, NULL) ==
                  RK_OK,
              "no echo");
        HOLDS(s, received.length == length && memcmp(data, back, length) == 0, "a changed echo");
    }
    return true;
}

static bool do_look(sequence *s)
{
    uint32_t value[CELLS];
    uint32_t mirror[CELLS];
    uint64_t seen[4];
    note(s, "look", 0);
    HOLDS(s,
          conform_read(s->c, s->kernel, "value", value, CELLS) &&
              conform_read(s->c, s->kernel, "mirror", mirror, CELLS) &&
              rk_kernel_read_field(s->kernel, "seen", 0, 4, seen, NULL) == RK_OK,
          "fields cannot be read");
    HOLDS(s, memcmp(value, s->m.value, sizeof value) == 0, "the cells differ");
    HOLDS(s, memcmp(mirror, s->m.mirror, sizeof mirror) == 0, "the mirror differs");
    HOLDS(s, seen[0] == s->m.messages && seen[1] == s->m.bytes, "messages differ");
    return true;
}

static bool do_abort(sequence *s)
{
    note(s, "abort", 0);
    rk_kernel_abort(s->kernel);
    while (s->m.count != 0) {
        if (!run_ends(s, RK_ABORTED)) {
            return false;
        }
    }
    return true;
}

static bool do_feature(sequence *s)
{
    uint64_t id = 0;
    rk_reply reply;
    s->m.mirroring = !s->m.mirroring;
    note(s, "mirroring", s->m.mirroring);
    return answered(s, rk_kernel_features(s->kernel, s->m.mirroring ? 1 : 0, &id, NULL), &id,
                    &reply);
}

static bool do_park(sequence *s)
{
    rk_err err = RK_ERR_INIT;
    note(s, "park", 0);
    HOLDS(s, rk_kernel_park(s->kernel, CONFORM_WAIT_NS, &err) == RK_OK, err.text);
    if (!do_look(s)) {
        return false;
    }
    HOLDS(s, rk_kernel_start(s->kernel, &err) == RK_OK, err.text);
    return true;
}

static bool take_one(sequence *s)
{
    uint32_t die = conform_below(&s->random, 100);
    return die < 30   ? do_run(s)
           : die < 42 ? do_pause_or_resume(s)
           : die < 47 ? do_budget(s)
           : die < 57 ? do_inject(s)
           : die < 64 ? do_sum(s)
           : die < 76 ? do_ask(s)
           : die < 86 ? do_send(s)
           : die < 92 ? do_look(s)
           : die < 95 ? do_abort(s)
           : die < 98 ? do_feature(s)
                      : do_park(s);
}

static void random_sequences(conform *c)
{
    enum { COMMANDS_EACH = 25 };
    for (uint32_t i = 0; i < 40 * c->effort; i++) {
        sequence *s = calloc(1, sizeof *s);
        rk_launch launch = {.in_flight_limit = 32};
        s->c = c;
        s->random = c->seed * 1000003 + i;
        s->m.budget = NO_BUDGET;
        s->m.mirroring = true;
        launch.blocks = 1 + conform_below(&s->random, c->blocks);
        s->kernel = conform_start(c, "model", &launch);
        bool good = s->kernel != NULL;
        for (uint32_t j = 0; j < COMMANDS_EACH && good; j++) {
            good = take_one(s);
        }
        good = good && do_look(s);
        if (!good) { /* a failure without a sentence of its own still names the sequence */
            conform_fail(c, __FILE__, __LINE__, "sequence %u; after:%s", i, s->history);
        }
        rk_kernel_destroy(s->kernel);
        free(s);
        if (!good) {
            return;
        }
    }
}

const conform_case conform_model[] = {
    {"model: random sequences of commands", random_sequences},
};
const uint32_t conform_model_count = sizeof conform_model / sizeof conform_model[0];
