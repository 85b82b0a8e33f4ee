/*
 * ring_ck.c: libck's single-producer, single-consumer ring, carrying messages by value.
 */
#include "bench/ring_ck.h"

#include <ringkernel/abi/message.h>

#if defined(RK_BENCH_CK)

#include <ck_ring.h>
#include <stdlib.h>
#include <string.h>

CK_RING_PROTOTYPE(message, rk_slot)

typedef struct ck_stream {
    ck_ring_t ring;
    struct rk_slot *buffer;
    uint64_t messages;
    uint64_t wrong;
} ck_stream;

static void produce(void *context)
{
    ck_stream *s = context;
    uint64_t messages = s->messages;
    rk_slot slot;
    memset(&slot, 0, sizeof slot);
    for (uint64_t i = 0; i < messages; i++) {
        slot.header.id = i;
        while (!CK_RING_ENQUEUE_SPSC(message, &s->ring, s->buffer, &slot)) {
            rk_bench_pair_idle();
        }
    }
}

static void consume(void *context)
{
    ck_stream *s = context;
    uint64_t messages = s->messages;
    uint64_t wrong = 0;
    rk_slot slot;
    for (uint64_t i = 0; i < messages; i++) {
        while (!CK_RING_DEQUEUE_SPSC(message, &s->ring, s->buffer, &slot)) {
            rk_bench_pair_idle();
        }
        wrong += slot.header.id != i;
    }
    s->wrong = wrong; /* once, at the end: the producer reads the words around it */
}

const char *rk_bench_ck_missing(void)
{
    return NULL;
}

rk_status rk_bench_ck_measure(const rk_bench_place *place, uint32_t capacity, uint64_t messages,
                              double *out_mmsg_s, rk_err *err)
{
    ck_stream *s = aligned_alloc(CK_MD_CACHELINE, (sizeof *s + 63) / 64 * 64);
    rk_slot *buffer = aligned_alloc(4096, (size_t)capacity * sizeof *buffer);
    rk_status status = RK_NO_MEMORY;
    if (s && buffer) {
        memset(buffer, 0, (size_t)capacity * sizeof *buffer);
        memset(s, 0, sizeof *s);
        s->buffer = buffer;
        s->messages = messages;
        ck_ring_init(&s->ring, capacity);
        double seconds;
        status = rk_bench_pair(place, produce, consume, s, &seconds, err);
        if (status == RK_OK && s->wrong != 0) {
            status = rk_err_set(err, RK_INTERNAL, "libck's ring lost or reordered messages");
        } else if (status == RK_OK) {
            *out_mmsg_s = (double)messages / seconds / 1e6;
        }
    } else {
        (void)rk_err_set(err, status, "no memory for libck's ring"); /* the status is in hand */
    }
    free(buffer);
    free(s);
    return status;
}

#else

const char *rk_bench_ck_missing(void)
{
    return "libck-dev was not installed when this was built; run tools/setup --bench and build "
           "again";
}

rk_status rk_bench_ck_measure(const rk_bench_place *place, uint32_t capacity, uint64_t messages,
                              double *out_mmsg_s, rk_err *err)
{
    (void)place;
    (void)capacity;
    (void)messages;
    (void)out_mmsg_s;
    return rk_err_set(err, RK_UNSUPPORTED, "%s", rk_bench_ck_missing());
}

#endif
