/*
 * progress.c: a bar on a terminal, plain lines elsewhere.
 */
#include "cli/progress.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/value.h"
#include "cli/terminal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR_CELLS_MAX 40u
#define LINE_EVERY_PERCENT 10u
#define LINE_EVERY_NS (10u * (uint64_t)RK_NS_PER_S)
#define LINE_LEAST_NS (1u * (uint64_t)RK_NS_PER_S)
#define RATE_LOOK_S 0.3 /* how often the rates are taken anew */

void rk_progress_init(rk_progress *progress, bool quiet)
{
    *progress = (rk_progress){.quiet = quiet, .terminal = rk_terminal_is(stderr)};
    rk_mutex_init(&progress->lock);
}

static void clear_bar(rk_progress *progress)
{
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        progress->shown = false;
    }
}

void rk_progress_hide(rk_progress *progress)
{
    rk_mutex_lock(&progress->lock);
    clear_bar(progress);
    fflush(stderr);
    rk_mutex_unlock(&progress->lock);
}

void rk_progress_finish(rk_progress *progress)
{
    rk_progress_hide(progress);
    rk_mutex_finish(&progress->lock);
}

void rk_progress_note(rk_progress *progress, const char *text)
{
    rk_mutex_lock(&progress->lock);
    clear_bar(progress);
    fprintf(stderr, "rk run: %s\n", text);
    fflush(stderr);
    rk_mutex_unlock(&progress->lock);
}

/* Steps and cells per second over about a second. */
static void take_rates(rk_progress *progress, const rk_jobrun_progress *now)
{
    double passed = now->seconds - progress->last_look_s;
    if (passed < RATE_LOOK_S || now->steps < progress->last_steps) {
        progress->last_steps = RK_MIN(progress->last_steps, now->steps); /* after a restart */
        return;
    }
    double rate = (double)(now->steps - progress->last_steps) / passed;
    double cells = now->cell_steps >= progress->last_cells
                       ? (double)(now->cell_steps - progress->last_cells) / passed
                       : 0.0;
    double weight = progress->rate > 0.0 ? 1.0 - exp(-passed) : 1.0;
    progress->rate += weight * (rate - progress->rate);
    progress->cell_rate += weight * (cells - progress->cell_rate);
    progress->last_steps = now->steps;
    progress->last_cells = now->cell_steps;
    progress->last_look_s = now->seconds;
}

static unsigned percent_of(const rk_jobrun_progress *now)
{
    return now->steps_total > 0 ? (unsigned)(100.0 * (double)RK_MIN(now->steps, now->steps_total) /
                                             (double)now->steps_total)
                                : 0;
}

void rk_progress_describe(rk_progress *progress, const rk_jobrun_progress *now, char *out,
                          size_t size)
{
    take_rates(progress, now);
    int used;
    if (now->steps_total > 0) {
        used = snprintf(out, size, "%3u %%  %" PRIu64 " of %" PRIu64 " steps", percent_of(now),
                        now->steps, now->steps_total);
    } else {
        used = snprintf(out, size, "%" PRIu64 " steps", now->steps);
    }
    bool paused = strcmp(now->state, "paused") == 0; /* it has no rate */
    if (!paused && progress->cell_rate >= 1e4 && used > 0 && (size_t)used < size) {
        used += snprintf(out + used, size - (size_t)used, "  %.0f Mcells/s",
                         progress->cell_rate * 1e-6);
    } else if (!paused && progress->rate > 0.0 && used > 0 && (size_t)used < size) {
        used += snprintf(out + used, size - (size_t)used, "  %.3g steps/s", progress->rate);
    }
    if (strcmp(now->state, "running") != 0 && used > 0 && (size_t)used < size) {
        snprintf(out + used, size - (size_t)used, "  %s", now->state);
    } else if (now->steps_total > now->steps && progress->rate > 0.0 && used > 0 &&
               (size_t)used < size) {
        double left_s = (double)(now->steps_total - now->steps) / progress->rate;
        char text[RK_VALUE_TEXT_BYTES] = "";
        if (left_s < 60.0) {
            snprintf(text, sizeof text, "%.0f s", ceil(left_s));
        } else if (left_s < 1e9) {
            (void)rk_value_format_duration((uint64_t)left_s * RK_NS_PER_S, text);
        }
        snprintf(out + used, size - (size_t)used, *text ? "  %s left" : "%s", text);
    }
}

static void draw_bar(rk_progress *progress, const rk_jobrun_progress *now, const char *text)
{
    unsigned columns = rk_terminal_columns(stderr);
    size_t length = strlen(text);
    unsigned cells = 0;
    if (now->steps_total > 0 && length + 14 < columns) {
        cells = RK_MIN(columns - (unsigned)length - 4u, BAR_CELLS_MAX);
    }
    fputc('\r', stderr);
    if (cells > 0) {
        unsigned full = cells * percent_of(now) / 100u;
        fputc('[', stderr);
        for (unsigned i = 0; i < cells; i++) {
            fputc(i < full ? '#' : '.', stderr);
        }
        fputs("] ", stderr);
    }
    fprintf(stderr, "%.*s\033[K", (int)columns - 1, text);
    fflush(stderr);
    progress->shown = true;
}

void rk_progress_update(rk_progress *progress, const rk_jobrun_progress *now)
{
    char text[160];
    rk_mutex_lock(&progress->lock);
    rk_progress_describe(progress, now, text, sizeof text);
    if (progress->quiet) {
        rk_mutex_unlock(&progress->lock);
        return;
    }
    if (progress->terminal) {
        draw_bar(progress, now, text);
        rk_mutex_unlock(&progress->lock);
        return;
    }
    uint64_t now_ns = rk_clock_monotonic_ns();
    uint64_t passed_ns = now_ns - progress->last_line_ns;
    unsigned percent = percent_of(now);
    bool jumped = percent >= progress->last_percent + LINE_EVERY_PERCENT || percent == 100;
    bool first = progress->last_line_ns == 0;
    if (first) {
        progress->last_line_ns = now_ns;
    } else if (percent != progress->last_percent || now->steps_total == 0) {
        if ((jumped && passed_ns >= LINE_LEAST_NS) || passed_ns >= LINE_EVERY_NS) {
            fprintf(stderr, "rk run: %s\n", text + strspn(text, " "));
            fflush(stderr);
            progress->last_line_ns = now_ns;
            progress->last_percent = percent;
        }
    }
    rk_mutex_unlock(&progress->lock);
}
