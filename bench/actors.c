/*
 * actors.c: actors: what one costs, and how many messages a second they pass on.
 *
 * ring: 1,000 actors, 1,000 messages in flight; each message carries how many hops are left, and an
 * actor sends it to the next one. fan-in: 64 actors send to one as fast as they can. The same
 * program runs in Erlang/OTP (bench/erlang/actors.erl), in a child process of the same run, each
 * round next to ours.
 *
 * Every message is counted: a run that handled another number than was sent fails the bench.
 */
#include "bench/actors_erlang.h"
#include "bench/benches.h"

#include "base/compiler.h"
#include <ringkernel/actor_system.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_ACTORS 1000u
#define RING_HOPS 4000000u /* of all messages of one measurement */
#define MANY_ACTORS 100000u
#define MANY_FLIGHT 10000u
#define MOST_ACTORS 1000000u
#define FANIN_SENDERS 64u
#define FANIN_MESSAGES 1000000u
#define BURST 64u
#define ERLANG_SHARE 10u /* Erlang gets this part of the work, to take about as long */
#define ERLANG_CREATE 100000u

enum { MSG_NEXT = RK_MSG_TYPE_USER, MSG_TOKEN, MSG_POUR, MSG_DROP };

/* An error of the actor system. */
static rk_status fault(rk_err *err, rk_status status, const char *what)
{
    return rk_err_set(err, status, "%s: %s", what, rk_status_text(status));
}

static rk_status pass_on(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    rk_actor_id *next = rk_actor_state(ctx);
    if (msg->type == MSG_NEXT) {
        memcpy(next, msg->payload, sizeof *next);
        return RK_OK;
    }
    uint64_t left;
    memcpy(&left, msg->payload, sizeof left);
    if (left == 0) {
        return RK_OK;
    }
    left--;
    return rk_actor_send(ctx, *next, MSG_TOKEN, &left, sizeof left);
}

typedef struct pourer {
    rk_actor_id sink;
    uint64_t left;
} pourer;

/* Sends a burst, then a message to itself, so that all senders advance together. */
static rk_status pour(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    pourer p;
    memcpy(&p, msg->payload, sizeof p);
    for (unsigned i = 0; i < BURST && p.left != 0; i++) {
        p.left--;
        rk_status status = rk_actor_send(ctx, p.sink, MSG_DROP, &p.left, sizeof p.left);
        if (status != RK_OK) {
            return status;
        }
    }
    return p.left == 0 ? RK_OK : rk_actor_send(ctx, rk_actor_self(ctx), MSG_POUR, &p, sizeof p);
}

static rk_status swallow(rk_actor_ctx *ctx, const rk_actor_msg *msg)
{
    (void)msg;
    ++*(uint64_t *)rk_actor_state(ctx);
    return RK_OK;
}

/* A system with the three types. */
typedef struct stage {
    rk_actor_system *system;
    rk_actor_type_id passer, pourer, sink;
    rk_actor_id *ids;
    uint64_t handled; /* so far */
} stage;

static rk_status stage_make(stage *s, rk_actor_delivery delivery, rk_err *err)
{
    const rk_actor_type types[] = {
        {.name = "passer", .state_bytes = sizeof(rk_actor_id), .on_message = pass_on},
        {.name = "pourer", .on_message = pour},
        {.name = "sink", .state_bytes = sizeof(uint64_t), .on_message = swallow},
    };
    const rk_actor_system_options options = {.delivery = delivery};
    *s = (stage){.ids = calloc(MOST_ACTORS, sizeof *s->ids)};
    if (s->ids == NULL) {
        return fault(err, RK_NO_MEMORY, "bench actors");
    }
    rk_status status = rk_actor_system_create(&options, &s->system, err);
    rk_actor_type_id *ids[] = {&s->passer, &s->pourer, &s->sink};
    for (size_t i = 0; i < 3 && status == RK_OK; i++) {
        status = rk_actor_system_register_type(s->system, &types[i], ids[i], err);
    }
    return status;
}

static void stage_free(stage *s)
{
    rk_actor_system_destroy(s->system);
    free(s->ids);
}

/* Spawns count actors of a type into ids; the seconds it took. */
static rk_status populate(stage *s, rk_actor_type_id type, uint32_t count, double *out_s,
                          rk_err *err)
{
    double start = rk_bench_now_s();
    for (uint32_t i = 0; i < count; i++) {
        rk_status status = rk_actor_system_spawn(s->system, type, NULL, &s->ids[i]);
        if (status != RK_OK) {
            return fault(err, status, "spawning actors");
        }
    }
    *out_s = rk_bench_now_s() - start;
    return RK_OK;
}

/* Waits until all is handled and checks the number. */
static rk_status settle(stage *s, uint64_t messages, rk_err *err)
{
    rk_status status = rk_actor_system_wait_idle(s->system, UINT64_MAX);
    rk_actor_stats stats;
    rk_actor_system_stats(s->system, &stats);
    uint64_t handled = stats.handled - s->handled;
    s->handled = stats.handled;
    if (status == RK_OK && (handled != messages || stats.failures != 0 || stats.dead != 0)) {
        return rk_err_set(err, RK_INTERNAL, "%llu messages were handled instead of %llu",
                          (unsigned long long)handled, (unsigned long long)messages);
    }
    return status == RK_OK ? RK_OK : fault(err, status, "waiting for actors");
}

static rk_status depopulate(stage *s, uint32_t count, rk_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        rk_status status = rk_actor_system_kill(s->system, s->ids[i]);
        if (status != RK_OK) {
            return fault(err, status, "killing actors");
        }
    }
    return settle(s, 0, err);
}

/* Makes a ring of the first count actors. */
static rk_status ring_make(stage *s, uint32_t count, rk_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        rk_actor_id next = s->ids[(i + 1) % count];
        rk_status status =
            rk_actor_system_send(s->system, s->ids[i], MSG_NEXT, &next, sizeof next, NULL);
        if (status != RK_OK) {
            return fault(err, status, "making a ring");
        }
    }
    return settle(s, count, err);
}

/* Million messages per second of a ring of count actors with flight messages on their way. */
static rk_status ring_run(stage *s, uint32_t count, uint32_t flight, uint64_t hops_all,
                          double *out_mmsg_s, rk_err *err)
{
    uint64_t hops = hops_all / flight;
    double start = rk_bench_now_s();
    for (uint32_t i = 0; i < flight; i++) {
        rk_status status = rk_actor_system_send(s->system, s->ids[(uint64_t)i * count / flight],
                                                MSG_TOKEN, &hops, sizeof hops, NULL);
        if (status != RK_OK) {
            return fault(err, status, "starting a ring");
        }
    }
    uint64_t messages = (hops + 1) * flight;
    rk_status status = settle(s, messages, err);
    *out_mmsg_s = (double)messages / 1e6 / (rk_bench_now_s() - start);
    return status;
}

/* Million messages per second from FANIN_SENDERS actors to one. */
static rk_status fanin_run(stage *s, uint64_t messages_all, double *out_mmsg_s, rk_err *err)
{
    uint64_t each = (messages_all / FANIN_SENDERS + BURST - 1) / BURST * BURST;
    rk_actor_id sink;
    double unused;
    rk_status status = rk_actor_system_spawn(s->system, s->sink, NULL, &sink);
    if (status != RK_OK) {
        return fault(err, status, "spawning a sink");
    }
    status = populate(s, s->pourer, FANIN_SENDERS, &unused, err);
    if (status != RK_OK) {
        return status;
    }
    double start = rk_bench_now_s();
    for (uint32_t i = 0; i < FANIN_SENDERS; i++) {
        const pourer p = {sink, each};
        status = rk_actor_system_send(s->system, s->ids[i], MSG_POUR, &p, sizeof p, NULL);
        if (status != RK_OK) {
            return fault(err, status, "starting senders");
        }
    }
    status = settle(s, FANIN_SENDERS * (each + each / BURST), err);
    *out_mmsg_s = (double)(FANIN_SENDERS * each) / 1e6 / (rk_bench_now_s() - start);
    if (status == RK_OK) {
        status = depopulate(s, FANIN_SENDERS, err);
    }
    if (status == RK_OK) {
        s->ids[0] = sink;
        status = depopulate(s, 1, err);
    }
    return status;
}

/* Resident bytes of this process; 0: unknown. */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long all = 0;
    unsigned long long resident = 0;
    if (file == NULL) {
        return 0;
    }
    int found = fscanf(file, "%llu %llu", &all, &resident);
    (void)fclose(file);
    return found == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

/* Samples of all rounds. */
typedef struct tally {
    rk_bench_samples ring, fanin, create, erlang_ring, erlang_fanin, erlang_create;
    rk_bench_samples ring_ratio, fanin_ratio, create_ratio;
} tally;

static rk_status round_erlang(rk_erlang *erlang, const rk_bench_options *options, double ring,
                              double fanin, double create, tally *t, rk_err *err)
{
    uint64_t hops = rk_bench_scaled(options, RING_HOPS / RING_ACTORS / ERLANG_SHARE);
    uint64_t each = rk_bench_scaled(options, FANIN_MESSAGES / FANIN_SENDERS / ERLANG_SHARE);
    uint64_t count = rk_bench_scaled(options, ERLANG_CREATE);
    double ring_s;
    double fanin_s;
    double create_s;
    if (rk_erlang_run(erlang, &ring_s, "ring %u %u %llu", RING_ACTORS, RING_ACTORS,
                      (unsigned long long)hops) != RK_OK ||
        rk_erlang_run(erlang, &fanin_s, "fanin %u %llu", FANIN_SENDERS, (unsigned long long)each) !=
            RK_OK ||
        rk_erlang_run(erlang, &create_s, "create %llu", (unsigned long long)count) != RK_OK) {
        return rk_err_set(err, RK_IO, "Erlang stopped answering");
    }
    double erlang_ring = (double)RING_ACTORS * (double)(hops + 1) / 1e6 / ring_s;
    double erlang_fanin = (double)FANIN_SENDERS * (double)each / 1e6 / fanin_s;
    double erlang_create = create_s * 1e9 / (double)count;
    rk_bench_sample(&t->erlang_ring, erlang_ring);
    rk_bench_sample(&t->erlang_fanin, erlang_fanin);
    rk_bench_sample(&t->erlang_create, erlang_create);
    rk_bench_sample(&t->ring_ratio, ring / erlang_ring);
    rk_bench_sample(&t->fanin_ratio, fanin / erlang_fanin);
    rk_bench_sample(&t->create_ratio, erlang_create / create);
    return RK_OK;
}

/* One measurement of each. */
static rk_status round_own(stage *s, const rk_bench_options *options, double *out_ring,
                           double *out_fanin, double *out_create, rk_err *err)
{
    uint32_t many = (uint32_t)rk_bench_scaled(options, MANY_ACTORS);
    double seconds = 0;
    double unused;
    rk_status status = populate(s, s->passer, many, &seconds, err);
    *out_create = seconds * 1e9 / many;
    if (status == RK_OK) {
        status = depopulate(s, many, err);
    }
    if (status == RK_OK) {
        status = populate(s, s->passer, RING_ACTORS, &unused, err);
    }
    if (status == RK_OK) {
        status = ring_make(s, RING_ACTORS, err);
    }
    if (status == RK_OK) {
        status = ring_run(s, RING_ACTORS, RING_ACTORS, rk_bench_scaled(options, RING_HOPS),
                          out_ring, err);
    }
    if (status == RK_OK) {
        status = depopulate(s, RING_ACTORS, err);
    }
    if (status == RK_OK) {
        status = fanin_run(s, rk_bench_scaled(options, FANIN_MESSAGES), out_fanin, err);
    }
    return status;
}

/* The figures that have a counterpart in Erlang; erlang may be NULL. */
static rk_status run_rounds(stage *s, rk_erlang *erlang, const rk_bench_options *options, tally *t,
                            rk_err *err)
{
    /* A round takes half a second or more: fewer of them than elsewhere. */
    unsigned rounds = (rk_bench_rounds(options) + 2) / 3;
    for (unsigned i = 0; i < rounds; i++) {
        double ring = 0;
        double fanin = 0;
        double create = 0;
        rk_status status = round_own(s, options, &ring, &fanin, &create, err);
        if (status == RK_OK && erlang != NULL) {
            status = round_erlang(erlang, options, ring, fanin, create, t, err);
        }
        if (status != RK_OK) {
            return status;
        }
        rk_bench_sample(&t->create, create);
        rk_bench_sample(&t->ring, ring);
        rk_bench_sample(&t->fanin, fanin);
    }
    return RK_OK;
}

/* Many actors: memory, creation and a ring through all of them, in a system of their own. */
static rk_status run_many(rk_bench_report *report, const rk_bench_options *options, uint32_t actors,
                          const char *ring_key, const char *create_key, const char *bytes_key,
                          rk_err *err)
{
    stage s;
    double seconds = 0;
    double ring = 0;
    uint32_t count = (uint32_t)rk_bench_scaled(options, actors);
    uint32_t flight = RK_MIN(count, MANY_FLIGHT);
    rk_bench_samples rings = {0};
    rk_status status = stage_make(&s, RK_ACTOR_FREE, err);
    memset(s.ids, 0, s.ids == NULL ? 0 : count * sizeof *s.ids); /* no page of it is new below */
    double before = resident_bytes();
    if (status == RK_OK) {
        status = populate(&s, s.passer, count, &seconds, err);
    }
    double after = resident_bytes();
    if (status == RK_OK) {
        status = ring_make(&s, count, err);
    }
    for (unsigned i = 0; i < 5 && status == RK_OK; i++) {
        status = ring_run(&s, count, flight, rk_bench_scaled(options, RING_HOPS), &ring, err);
        rk_bench_sample(&rings, ring);
    }
    stage_free(&s);
    if (status != RK_OK) {
        return status;
    }
    if (bytes_key != NULL) {
        double bytes = (after - before) / count - sizeof(rk_actor_id);
        rk_bench_put(report, RK_BENCH_METRIC, bytes_key, bytes, "bytes");
        rk_bench_reach(report, RK_BENCH_AT_MOST, 100);
    }
    rk_bench_put(report, RK_BENCH_METRIC, create_key, seconds * 1e9 / count, "ns");
    rk_bench_put_samples(report, RK_BENCH_METRIC, ring_key, &rings, "Mmsg/s");
    return RK_OK;
}

/* The ring in turns. */
static rk_status run_ordered(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    stage s;
    double unused;
    double ring = 0;
    rk_bench_samples rings = {0};
    rk_status status = stage_make(&s, RK_ACTOR_ORDERED, err);
    if (status == RK_OK) {
        status = populate(&s, s.passer, RING_ACTORS, &unused, err);
    }
    if (status == RK_OK) {
        status = ring_make(&s, RING_ACTORS, err);
    }
    for (unsigned i = 0; i < 5 && status == RK_OK; i++) {
        status = ring_run(&s, RING_ACTORS, RING_ACTORS, rk_bench_scaled(options, RING_HOPS / 4),
                          &ring, err);
        rk_bench_sample(&rings, ring);
    }
    stage_free(&s);
    if (status == RK_OK) {
        rk_bench_put_samples(report, RK_BENCH_METRIC, "ordered_ring_mmsg_s", &rings, "Mmsg/s");
    }
    return status;
}

static void report_rounds(rk_bench_report *report, const tally *t, bool erlang)
{
    rk_bench_put_samples(report, RK_BENCH_METRIC, "ring_mmsg_s", &t->ring, "Mmsg/s");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 6);
    rk_bench_put_samples(report, RK_BENCH_METRIC, "fanin_mmsg_s", &t->fanin, "Mmsg/s");
    rk_bench_put_samples(report, RK_BENCH_METRIC, "create_ns", &t->create, "ns");
    if (!erlang) {
        return;
    }
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "erlang_ring_mmsg_s", &t->erlang_ring,
                         "Mmsg/s");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "erlang_fanin_mmsg_s", &t->erlang_fanin,
                         "Mmsg/s");
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "erlang_create_ns", &t->erlang_create, "ns");
    rk_bench_put_samples(report, RK_BENCH_RATIO, "ring_vs_erlang", &t->ring_ratio, "");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 2.5);
    rk_bench_put_samples(report, RK_BENCH_RATIO, "fanin_vs_erlang", &t->fanin_ratio, "");
    rk_bench_put_samples(report, RK_BENCH_RATIO, "create_vs_erlang", &t->create_ratio, "");
}

rk_status rk_bench_run_actors(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    rk_erlang erlang;
    rk_err why = RK_ERR_INIT;
    stage s;
    tally t;
    memset(&t, 0, sizeof t);
    rk_status status =
        run_many(report, options, MOST_ACTORS, "ring_1m_mmsg_s", "create_1m_ns", "idle_bytes", err);
    if (status == RK_OK) {
        status = run_many(report, options, MANY_ACTORS, "ring_100k_mmsg_s", "create_100k_ns",
                          "idle_100k_bytes", err);
    }
    if (status == RK_OK) {
        status = run_ordered(report, options, err);
    }
    if (status != RK_OK) {
        return status;
    }
    bool with_erlang = rk_erlang_start(&erlang, &why) == RK_OK;
    if (!with_erlang) {
        rk_bench_skip(report, "ring_vs_erlang", why.text);
    }
    status = stage_make(&s, RK_ACTOR_FREE, err);
    if (status == RK_OK) {
        status = run_rounds(&s, with_erlang ? &erlang : NULL, options, &t, err);
    }
    stage_free(&s);
    if (status == RK_OK) {
        report_rounds(report, &t, with_erlang);
    }
    if (with_erlang && status == RK_OK) {
        double bytes;
        if (rk_erlang_run(&erlang, &bytes, "idle %u", ERLANG_CREATE) == RK_OK) {
            rk_bench_put(report, RK_BENCH_REFERENCE, "erlang_idle_bytes", bytes, "bytes");
        }
    }
    if (with_erlang) {
        rk_erlang_stop(&erlang);
    }
    return status;
}
