/*
 * trace_ring.c: see trace_ring.h, and abi/trace.h for the order of the writer's stores.
 *
 * While record m is being written, m slots back a record is destroyed; the writer shows at least
 * m - 1 in `written` by then. So of what was copied, only records from written + 2 - slots on are
 * sure to be whole, with `written` read behind the copy.
 */
#include "profile/trace_ring.h"

#include "abi/word.h"

#include <string.h>

#define LEAP_MAX ((uint64_t)1 << 62) /* more records than this in one look: damage */

void rk_trace_ring_init(rk_trace_ring *ring, uint32_t slots)
{
    ring->magic = RK_TRACE_MAGIC;
    ring->slots = slots;
    rk_word64_store_release(&ring->written, 0);
}

void rk_trace_reader_init(rk_trace_reader *reader, const rk_trace_ring *ring, uint32_t slots)
{
    *reader = (rk_trace_reader){.ring = ring, .slots = slots};
    reader->next = rk_word64_load_acquire(&ring->written);
}

static void copy_record(const rk_trace_reader *reader, uint64_t number, rk_trace_record *out)
{
    const rk_trace_record *records = (const rk_trace_record *)(reader->ring + 1);
    const rk_u64 *from = (const rk_u64 *)&records[number & (reader->slots - 1u)];
    rk_u64 words[4];
    for (size_t i = 0; i < 4; i++) {
        words[i] = rk_word64_load(&from[i]);
    }
    memcpy(out, words, sizeof *out);
}

size_t rk_trace_reader_take(rk_trace_reader *reader, rk_trace_record *out_records, size_t max,
                            uint64_t *out_lost)
{
    *out_lost = 0;
    uint64_t written = rk_word64_load_acquire(&reader->ring->written);
    if (written - reader->next > LEAP_MAX) { /* also if it went back */
        reader->next = written;
        *out_lost = 1;
        return 0;
    }
    uint64_t usable = reader->slots - 2u;
    if (written - reader->next > usable) {
        *out_lost = written - reader->next - usable;
        reader->next = written - usable;
    }
    uint64_t first = reader->next;
    size_t count = (size_t)RK_MIN((uint64_t)max, written - first);
    for (size_t i = 0; i < count; i++) {
        copy_record(reader, first + i, &out_records[i]);
    }
    rk_fence_acquire(); /* pairs with the writer's fence: see the top */
    uint64_t now = rk_word64_load(&reader->ring->written);
    reader->next = first + count;
    uint64_t whole =
        now - first > LEAP_MAX || now + 2u < reader->slots ? 0 : now + 2u - reader->slots;
    if (whole <= first) {
        return count;
    }
    size_t torn = (size_t)RK_MIN((uint64_t)count, whole - first);
    *out_lost += torn;
    memmove(out_records, out_records + torn, (count - torn) * sizeof *out_records);
    return count - torn;
}
