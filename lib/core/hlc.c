/*
 * hlc.c: hybrid logical clocks in one word.
 *
 * Invariant: every successful swap makes `last` larger, and each time given out is the value of one
 * successful swap. So times are unique and, in the order of the swaps, increasing.
 *
 * The swaps need no order beyond that of the word itself: if one thread's tick happens before
 * another's, coherence alone lets the later one see the earlier value.
 */
#include "core/hlc.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_PER_DAY 86400u
#define US_PER_S 1000000u

void rk_hlc_clock_init(rk_hlc_clock *clock, uint64_t node, uint64_t max_skew_us)
{
    atomic_init(&clock->last, 0);
    clock->node = node;
    clock->max_skew_us = max_skew_us != 0 ? max_skew_us : RK_HLC_DEFAULT_SKEW_US;
}

static uint64_t wall_us(void)
{
    return rk_clock_realtime_ns() / RK_NS_PER_US;
}

/* Gives out the next time that is at least `least`. */
static uint64_t advance(rk_hlc_clock *clock, uint64_t least)
{
    uint64_t last = atomic_load_explicit(&clock->last, memory_order_relaxed);
    uint64_t next;
    do {
        next = RK_MAX(least, last + 1);
    } while (!atomic_compare_exchange_weak_explicit(&clock->last, &last, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

uint64_t rk_hlc_tick_packed(rk_hlc_clock *clock)
{
    return advance(clock, wall_us() << RK_HLC_LOGICAL_BITS);
}

rk_hlc rk_hlc_tick(rk_hlc_clock *clock)
{
    return rk_hlc_unpack(rk_hlc_tick_packed(clock), clock->node);
}

rk_status rk_hlc_update(rk_hlc_clock *clock, const rk_hlc *remote, rk_hlc *out_time, rk_err *err)
{
    if (!rk_hlc_is_valid(remote)) {
        return rk_err_set(err, RK_INVALID,
                          "time from node %" PRIu64 " refused: physical %" PRIu64
                          " us, logical %" PRIu64 " are out of range",
                          remote->node, remote->physical_us, remote->logical);
    }
    uint64_t now_us = wall_us();
    if (remote->physical_us > now_us && remote->physical_us - now_us > clock->max_skew_us) {
        return rk_err_set(err, RK_SKEW,
                          "time from node %" PRIu64 " refused: it is %" PRIu64
                          " us ahead of this node's clock, %" PRIu64
                          " us are allowed; check the time synchronisation of both nodes",
                          remote->node, remote->physical_us - now_us, clock->max_skew_us);
    }
    uint64_t least = RK_MAX(now_us << RK_HLC_LOGICAL_BITS, rk_hlc_pack(remote) + 1);
    uint64_t packed = advance(clock, least);
    if (out_time) {
        *out_time = rk_hlc_unpack(packed, clock->node);
    }
    return RK_OK;
}

void rk_hlc_raise(rk_hlc_clock *clock, uint64_t packed)
{
    (void)advance(clock, packed); /* the time itself is given to nobody */
}

bool rk_hlc_is_valid(const rk_hlc *time)
{
    return time->physical_us < RK_HLC_PHYSICAL_LIMIT && time->logical < RK_HLC_LOGICAL_LIMIT;
}

uint64_t rk_hlc_pack(const rk_hlc *time)
{
    return time->physical_us << RK_HLC_LOGICAL_BITS | time->logical;
}

rk_hlc rk_hlc_unpack(uint64_t packed, uint64_t node)
{
    return (rk_hlc){
        .physical_us = packed >> RK_HLC_LOGICAL_BITS,
        .logical = packed & (RK_HLC_LOGICAL_LIMIT - 1),
        .node = node,
    };
}

int rk_hlc_compare(const rk_hlc *a, const rk_hlc *b)
{
    if (a->physical_us != b->physical_us) {
        return a->physical_us < b->physical_us ? -1 : 1;
    }
    if (a->logical != b->logical) {
        return a->logical < b->logical ? -1 : 1;
    }
    return a->node == b->node ? 0 : a->node < b->node ? -1 : 1;
}

/*
 * Day number since 1970-01-01 to the Gregorian calendar and back. Years here start in March, so
 * that the leap day is the last day; 146097 days are 400 years. From Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms".
 */
typedef struct date {
    unsigned year, month, day;
} date;

static date date_of_day(unsigned days)
{
    unsigned z = days + 719468;
    unsigned era = z / 146097;
    unsigned doe = z % 146097;
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9;
    return (date){
        .year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = doy - (153 * mp + 2) / 5 + 1,
    };
}

/* The date must not lie before 1970. */
static unsigned day_of_date(date d)
{
    unsigned y = d.month <= 2 ? d.year - 1 : d.year;
    unsigned era = y / 400;
    unsigned yoe = y % 400;
    unsigned doy = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

rk_status rk_hlc_format(const rk_hlc *time, char *out_text, size_t capacity)
{
    if (!rk_hlc_is_valid(time)) {
        return RK_INVALID;
    }
    uint64_t seconds = time->physical_us / US_PER_S;
    unsigned in_day = (unsigned)(seconds % SECONDS_PER_DAY);
    date d = date_of_day((unsigned)(seconds / SECONDS_PER_DAY));
    char text[RK_HLC_TEXT_BYTES];
    int length =
        snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ+%" PRIu64 "@%" PRIu64,
                 d.year, d.month, d.day, in_day / 3600, in_day / 60 % 60, in_day % 60,
                 (unsigned)(time->physical_us % US_PER_S), time->logical, time->node);
    if (length < 0 || (size_t)length >= capacity) {
        return RK_NO_SPACE;
    }
    memcpy(out_text, text, (size_t)length + 1);
    return RK_OK;
}

/* Reads exactly `width` digits (0: one to twenty, without a leading zero) and steps over them. */
static bool read_number(const char **text, unsigned width, uint64_t *out_value)
{
    const char *at = *text;
    uint64_t value = 0;
    unsigned digits = 0;
    while (*at >= '0' && *at <= '9' && (width == 0 || digits < width)) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        digits++;
        at++;
    }
    if (digits == 0 || (width != 0 && digits != width) ||
        (width == 0 && digits > 1 && **text == '0')) {
        return false;
    }
    *text = at;
    *out_value = value;
    return true;
}

rk_status rk_hlc_parse(const char *text, rk_hlc *out_time, rk_err *err)
{
    /* Each number's width, and the character behind it. */
    static const struct {
        unsigned width;
        char behind;
    } parts[] = {{4, '-'}, {2, '-'}, {2, 'T'}, {2, ':'}, {2, ':'},
                 {2, '.'}, {6, 'Z'}, {0, '@'}, {0, '\0'}};
    uint64_t v[RK_COUNT_OF(parts)] = {0};
    const char *at = text;
    bool good = true;
    for (size_t i = 0; i < RK_COUNT_OF(parts) && good; i++) {
        good = read_number(&at, parts[i].width, &v[i]) && *at == parts[i].behind;
        at += good && parts[i].behind != '\0';
        if (good && parts[i].behind == 'Z') {
            good = *at == '+';
            at += good;
        }
    }
    rk_hlc time = {.logical = v[7], .node = v[8]};
    good = good && v[0] >= 1970 && v[0] <= 2112 && v[1] >= 1 && v[1] <= 12 && v[2] >= 1 &&
           v[2] <= 31 && v[3] < 24 && v[4] < 60 && v[5] < 60;
    if (good) {
        date d = {.year = (unsigned)v[0], .month = (unsigned)v[1], .day = (unsigned)v[2]};
        unsigned days = day_of_date(d);
        date back = date_of_day(days); /* differs for a day that the month does not have */
        time.physical_us =
            ((uint64_t)days * SECONDS_PER_DAY + v[3] * 3600 + v[4] * 60 + v[5]) * US_PER_S + v[6];
        good = back.month == d.month && back.day == d.day && rk_hlc_is_valid(&time);
    }
    if (!good) {
        return rk_err_set(err, RK_SYNTAX,
                          "\"%.80s\" is not an HLC time: write it like "
                          "2025-11-22T13:14:15.123456Z+17@3",
                          text);
    }
    *out_time = time;
    return RK_OK;
}
