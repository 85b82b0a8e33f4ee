/*
 * hlc.h: hybrid logical clocks.
 *
 * A time is a physical part in microseconds and a logical counter. A node's clock never repeats and
 * never goes back, stays close to the wall clock, and runs ahead of every time that was received:
 * so the order of times agrees with cause and effect. After Kulkarni et al. (2014); the layout is
 * in ringkernel/abi/hlc.h.
 *
 * The clock is one word, physical << 12 | logical. When 4096 ticks fall into one microsecond the
 * counter carries into the physical part, which the wall clock then catches up with.
 */
#ifndef RK_CORE_HLC_H
#define RK_CORE_HLC_H

#include "base/compiler.h"
#include <ringkernel/abi/hlc.h>
#include <ringkernel/status.h>

#define RK_HLC_LOGICAL_BITS 12
#define RK_HLC_LOGICAL_LIMIT (1u << RK_HLC_LOGICAL_BITS)
/* Physical times lie below this: 2^52 us end in the year 2112. */
#define RK_HLC_PHYSICAL_LIMIT (1ull << 52)
#define RK_HLC_DEFAULT_SKEW_US 60000000ull

/* Bytes of the longest text that rk_hlc_format writes, NUL included. */
#define RK_HLC_TEXT_BYTES 64

/* A node's clock. Any number of threads; on a cache line of its own. Needs no finish. */
typedef struct rk_hlc_clock {
    alignas(2 * RK_CACHE_LINE) _Atomic uint64_t last; /* packed; the last time given out */
    alignas(2 * RK_CACHE_LINE) uint64_t node;
    uint64_t max_skew_us;
} rk_hlc_clock;

/* max_skew_us: how far ahead of the wall clock a received time may be; 0 for the default. */
void rk_hlc_clock_init(rk_hlc_clock *clock, uint64_t node, uint64_t max_skew_us);

/* The next time: above every time this clock gave out or received before, on any thread. */
uint64_t rk_hlc_tick_packed(rk_hlc_clock *clock);
rk_hlc rk_hlc_tick(rk_hlc_clock *clock);

/*
 * Takes in a received time and gives out the next one, which is above it. RK_SKEW (and nothing
 * changed) if it is more than the bound ahead of the wall clock, RK_INVALID if it is no time at
 * all. out_time and err may be NULL.
 */
rk_status rk_hlc_update(rk_hlc_clock *clock, const rk_hlc *remote, rk_hlc *out_time, rk_err *err);

/* After a restart: every later time is above `packed`, whatever the wall clock says. */
void rk_hlc_raise(rk_hlc_clock *clock, uint64_t packed);

bool rk_hlc_is_valid(const rk_hlc *time);

/* Between the word and the 24-byte form. Packing needs a valid time and leaves the node out. */
uint64_t rk_hlc_pack(const rk_hlc *time);
rk_hlc rk_hlc_unpack(uint64_t packed, uint64_t node);

/* -1, 0 or 1 by physical, logical, node. */
int rk_hlc_compare(const rk_hlc *a, const rk_hlc *b);

/* "2025-11-22T13:14:15.123456Z+17@3": UTC, logical, node. RK_INVALID, RK_NO_SPACE. */
rk_status rk_hlc_format(const rk_hlc *time, char *out_text, size_t capacity);

/* Reads what rk_hlc_format writes, and nothing else. RK_SYNTAX. */
rk_status rk_hlc_parse(const char *text, rk_hlc *out_time, rk_err *err);

#endif
