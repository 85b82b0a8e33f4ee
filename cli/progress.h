/*
 * progress.h: shows a person how far a job is: a bar on a terminal, plain lines elsewhere.
 *
 * Everything goes to stderr. Notes may come from any thread; a note never lands inside the bar.
 */
#ifndef RK_CLI_PROGRESS_H
#define RK_CLI_PROGRESS_H

#include "base/thread.h"
#include "cli/jobrun.h"

typedef struct rk_progress {
    rk_mutex lock;
    bool quiet;    /* notes only */
    bool terminal; /* stderr is one */
    bool shown;    /* a bar stands on the present line */
    unsigned last_percent;
    uint64_t last_line_ns;
    double rate;         /* steps per second, smoothed; 0: not known yet */
    double cell_rate;    /* cells per second, smoothed */
    uint64_t last_steps; /* at last_look_s */
    uint64_t last_cells;
    double last_look_s;
} rk_progress;

/* Takes the bar away before other output; notes may still come. */
void rk_progress_hide(rk_progress *progress);

void rk_progress_init(rk_progress *progress, bool quiet);
void rk_progress_finish(rk_progress *progress); /* takes the bar away */

/* Shows how far it is; call it several times a second. */
void rk_progress_update(rk_progress *progress, const rk_jobrun_progress *now);

/* Prints "rk run: text" on a line of its own. */
void rk_progress_note(rk_progress *progress, const char *text);

/*
 * The line that describes `now`, without bar: "45 %  2300 of 5100 steps  412 Mcells/s  12 s left".
 * Updates the rates.
 */
void rk_progress_describe(rk_progress *progress, const rk_jobrun_progress *now, char *out,
                          size_t size);

#endif
