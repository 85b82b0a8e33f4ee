/*
 * chrome.h: writes the trace event format of Chrome, which Perfetto shows
 * (docs.google.com, document 1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU).
 *
 * Invariants: on each track times never go back, and every begin has its end: an end without a
 * begin is left out and counted, a begin without an end is ended when the track is closed.
 * One thread at a time, apart from different files.
 */
#ifndef RK_PROFILE_CHROME_H
#define RK_PROFILE_CHROME_H

#include "base/file.h"
#include "base/str.h"

#define RK_CHROME_DEPTH_MAX 64u
#define RK_CHROME_RANGES_MAX 128u

typedef struct rk_chrome {
    rk_file_writer file;
    rk_str text;        /* not in the file yet */
    uint64_t origin_ns; /* the zero of the file's times */
    uint64_t limit_bytes;
    uint64_t events;
    uint64_t lost; /* beyond the limit */
    bool has_first;
} rk_chrome;

/* A row: a thread of a process. */
typedef struct rk_chrome_track {
    uint64_t pid;
    uint64_t tid;
    uint64_t last_ns;
    uint64_t unmatched;
    uint32_t depth;
    uint32_t deeper;                    /* begins that were left out on top of the stack */
    uint32_t keys[RK_CHROME_DEPTH_MAX]; /* of the open spans: what the caller calls them */
    uint32_t range_count;
    struct {
        uint64_t id;
        char name[64];
    } ranges[RK_CHROME_RANGES_MAX]; /* open */
} rk_chrome_track;

/* What an event says besides its name; members that are zero or NULL are left out. */
typedef struct rk_chrome_args {
    const char *category;
    bool has_step;
    uint64_t step;
    bool has_value;
    uint64_t value;
    uint32_t color; /* 0xRRGGBB; UINT32_MAX: none */
} rk_chrome_args;

rk_status rk_chrome_open(rk_chrome *chrome, const char *path, uint64_t origin_ns,
                         uint64_t limit_bytes, rk_err *err);
/* Writes out what is held in memory. */
rk_status rk_chrome_flush(rk_chrome *chrome, rk_err *err);
/* Makes the file appear; finishes the object either way. Tracks have been closed. */
rk_status rk_chrome_commit(rk_chrome *chrome, rk_err *err);
/* Finishes without a file. */
void rk_chrome_abandon(rk_chrome *chrome);

void rk_chrome_name_process(rk_chrome *chrome, uint64_t pid, const char *name, uint64_t place);
void rk_chrome_name_track(rk_chrome *chrome, const rk_chrome_track *track, const char *name);

void rk_chrome_begin(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint32_t key,
                     const char *name, const rk_chrome_args *args);
/* Ends the innermost span with this key, and those inside it. */
void rk_chrome_end(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint32_t key);
/* The key of the innermost span; UINT32_MAX if none is open. */
uint32_t rk_chrome_top(const rk_chrome_track *track);
void rk_chrome_mark(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, const char *name,
                    const rk_chrome_args *args);
void rk_chrome_counter(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns,
                       const char *name, uint64_t value);
/* A range is told apart by its id within a track; the same id may be open several times. */
void rk_chrome_range_begin(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint64_t id,
                           const char *name, const rk_chrome_args *args);
void rk_chrome_range_end(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns, uint64_t id);
/* Something is missing here: ends what is open, and says how much is lost. */
void rk_chrome_gap(rk_chrome *chrome, rk_chrome_track *track, uint64_t lost);
/* Ends what is open, at time_ns or the last event's time. */
void rk_chrome_close_track(rk_chrome *chrome, rk_chrome_track *track, uint64_t time_ns);

#endif
