/*
 * ring.c: messages per second between two threads.
 *
 * One thread pushes 64-byte messages that carry a number, the other takes them and checks the
 * number. libck's ring carries the same 64 bytes by value, with the same loops around it and as
 * many slots. Each round measures every variant once, about ten milliseconds each, so that a
 * ratio compares neighbours in time.
 *
 * Both threads are pinned, to different CPUs. What passes between them is cache lines, so a round
 * also measures one line's way there and back: it explains the figures, and it shows when the two
 * CPUs of a virtual machine are really two threads of one core.
 */
#include "bench/benches.h"
#include "bench/pair.h"
#include "bench/ring_ck.h"

#include "core/ring.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY 4096u
#define SINGLE_MESSAGES 250000u
#define BATCH_MESSAGES 1000000u
#define MAX_BATCH 64u

typedef struct ring_stream {
    rk_ring_end producer;
    rk_ring_end consumer;
    uint64_t messages; /* a multiple of batch */
    uint32_t batch;
    uint64_t wrong;
} ring_stream;

static void produce_single(void *context)
{
    ring_stream *s = context;
    uint64_t messages = s->messages;
    rk_slot slot;
    memset(&slot, 0, sizeof slot);
    for (uint64_t i = 0; i < messages; i++) {
        slot.header.id = i;
        while (rk_ring_push(&s->producer, &slot) != RK_OK) {
            rk_bench_pair_idle();
        }
    }
}

static void consume_single(void *context)
{
    ring_stream *s = context;
    uint64_t messages = s->messages;
    uint64_t wrong = 0;
    rk_slot slot;
    for (uint64_t i = 0; i < messages; i++) {
        while (rk_ring_pop(&s->consumer, &slot) != RK_OK) {
            rk_bench_pair_idle();
        }
        wrong += slot.header.id != i;
    }
    s->wrong = wrong; /* once, at the end: the producer reads the words around it */
}

static void produce_batches(void *context)
{
    ring_stream *s = context;
    rk_slot slots[MAX_BATCH];
    memset(slots, 0, sizeof slots);
    for (uint64_t i = 0; i < s->messages; i += s->batch) {
        for (uint32_t k = 0; k < s->batch; k++) {
            slots[k].header.id = i + k;
        }
        for (uint32_t sent = 0; sent < s->batch;) {
            uint32_t more = rk_ring_push_batch(&s->producer, slots + sent, s->batch - sent);
            if (more == 0) {
                rk_bench_pair_idle();
            }
            sent += more;
        }
    }
}

static void consume_batches(void *context)
{
    ring_stream *s = context;
    rk_slot slots[MAX_BATCH];
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < s->messages;) {
        uint32_t taken = rk_ring_pop_batch(&s->consumer, slots, s->batch);
        if (taken == 0) {
            rk_bench_pair_idle();
        }
        for (uint32_t k = 0; k < taken; k++) {
            wrong += slots[k].header.id != i + k;
        }
        i += taken;
    }
    s->wrong = wrong;
}

/* Carries about `messages` messages through a fresh ring at memory. */
static rk_status measure(const rk_bench_place *place, void *memory, uint64_t bytes, uint32_t batch,
                         uint64_t messages, double *out_mmsg_s, rk_err *err)
{
    ring_stream s = {.batch = batch, .messages = (messages + batch - 1) / batch * batch};
    rk_status status = rk_ring_init(memory, bytes, RK_RING_SPSC, CAPACITY, 0, err);
    if (status == RK_OK) {
        status = rk_ring_attach(&s.producer, RK_RING_PRODUCER, memory, bytes, 0, err);
    }
    if (status == RK_OK) {
        status = rk_ring_attach(&s.consumer, RK_RING_CONSUMER, memory, bytes, 0, err);
    }
    double seconds = 0;
    if (status == RK_OK) {
        status = batch == 1
                     ? rk_bench_pair(place, produce_single, consume_single, &s, &seconds, err)
                     : rk_bench_pair(place, produce_batches, consume_batches, &s, &seconds, err);
    }
    if (status == RK_OK && s.wrong != 0) {
        return rk_err_set(err, RK_INTERNAL, "%llu messages were lost or out of order",
                          (unsigned long long)s.wrong);
    }
    if (status == RK_OK) {
        *out_mmsg_s = (double)s.messages / seconds / 1e6;
    }
    return status;
}

typedef struct ring_figures {
    rk_bench_samples single, batch16, batch64, ck, line_ns;
    rk_bench_samples single_vs_ck, batch16_vs_ck, batch64_vs_ck;
} ring_figures;

static rk_status measure_round(const rk_bench_place *place, void *memory, uint64_t bytes,
                               const rk_bench_options *options, ring_figures *f, rk_err *err)
{
    static const uint32_t batches[] = {1, 16, 64};
    uint64_t single = rk_bench_scaled(options, SINGLE_MESSAGES);
    uint64_t batched = rk_bench_scaled(options, BATCH_MESSAGES);
    double rates[3] = {0, 0, 0};
    double ck = 0;
    double line_ns = 0;
    rk_status status = rk_bench_line_trip(place, &line_ns, err);
    for (unsigned i = 0; i < 3 && status == RK_OK; i++) {
        status =
            measure(place, memory, bytes, batches[i], i == 0 ? single : batched, &rates[i], err);
        if (i == 0 && status == RK_OK && rk_bench_ck_missing() == NULL) {
            status = rk_bench_ck_measure(place, CAPACITY, single, &ck, err);
        }
    }
    if (status != RK_OK) {
        return status;
    }
    rk_bench_sample(&f->line_ns, line_ns);
    rk_bench_sample(&f->single, rates[0]);
    rk_bench_sample(&f->batch16, rates[1]);
    rk_bench_sample(&f->batch64, rates[2]);
    if (ck > 0) {
        rk_bench_sample(&f->ck, ck);
        rk_bench_sample(&f->single_vs_ck, rates[0] / ck);
        rk_bench_sample(&f->batch16_vs_ck, rates[1] / ck);
        rk_bench_sample(&f->batch64_vs_ck, rates[2] / ck);
    }
    return RK_OK;
}

rk_status rk_bench_run_ring(rk_bench_report *report, const rk_bench_options *options, rk_err *err)
{
    uint64_t bytes = rk_ring_bytes(RK_RING_SPSC, CAPACITY);
    void *memory = aligned_alloc(4096, (size_t)(bytes + 4095) / 4096 * 4096);
    if (memory == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a ring of %u slots", CAPACITY);
    }
    rk_bench_place place = rk_bench_place_find();
    ring_figures f = {0};
    rk_status status = RK_OK;
    for (unsigned round = 0; round < rk_bench_rounds(options) && status == RK_OK; round++) {
        status = measure_round(&place, memory, bytes, options, &f, err);
    }
    free(memory);
    if (status != RK_OK) {
        return status;
    }
    rk_bench_put_samples(report, RK_BENCH_METRIC, "batch1_mmsg_s", &f.single, "Mmsg/s");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 15);
    rk_bench_put_samples(report, RK_BENCH_METRIC, "batch16_mmsg_s", &f.batch16, "Mmsg/s");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 60);
    rk_bench_put_samples(report, RK_BENCH_METRIC, "batch64_mmsg_s", &f.batch64, "Mmsg/s");
    rk_bench_reach(report, RK_BENCH_AT_LEAST, 90);
    rk_bench_put_samples(report, RK_BENCH_REFERENCE, "line_round_trip_ns", &f.line_ns, "ns");
    if (rk_bench_ck_missing()) {
        rk_bench_skip(report, "ck_mmsg_s", rk_bench_ck_missing());
    } else {
        rk_bench_put_samples(report, RK_BENCH_REFERENCE, "ck_mmsg_s", &f.ck, "Mmsg/s");
        rk_bench_put_samples(report, RK_BENCH_RATIO, "batch1_vs_ck", &f.single_vs_ck, "");
        rk_bench_reach(report, RK_BENCH_AT_LEAST, 1);
        rk_bench_put_samples(report, RK_BENCH_RATIO, "batch16_vs_ck", &f.batch16_vs_ck, "");
        rk_bench_put_samples(report, RK_BENCH_RATIO, "batch64_vs_ck", &f.batch64_vs_ck, "");
    }
    if (place.pinned) {
        rk_bench_note(report, "threads pinned to CPUs %u and %u; %u slots of 64 bytes",
                      place.cpus[0], place.cpus[1], CAPACITY);
    } else {
        rk_bench_note(report, "one CPU only: both threads share it; %u slots of 64 bytes",
                      CAPACITY);
    }
    return RK_OK;
}
