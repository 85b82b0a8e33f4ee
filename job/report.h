/*
 * report.h: what a run has done, for people (summary.txt) and for programs (one JSON object).
 *
 * The program fills it while the job runs. All texts and lists are copied and owned. JSON keys:
 *
 *   job, device, kernel, steps, cells, seconds, mcells_per_s, folder,
 *   outputs [{file, kind, about}], kernels [{name, module, state, step, failure}],
 *   complete (false: the run was stopped early), and for a room
 *   rt60_s (mean over the receivers, null without one), rt60_from, eyring_s, sabine_s, dx_m, dt_s,
 *   duration_s, sample_rate_hz, frequency_limit_hz, volume_m3, surface_m2, mean_absorption,
 *   grid [nx, ny, nz], receivers [{name, rt60_s, rt60_from, edt_s, t20_s, t30_s, correlation,
 *   c50_db, c80_db, d50, centre_s, range_db, noise_db, peak_pa, bands [{hz, rt60_s}]}]
 *
 * Numbers that do not exist are null.
 */
#ifndef RK_JOB_REPORT_H
#define RK_JOB_REPORT_H

#include "base/str.h"
#include "job/decay.h"
#include "job/room.h"

#include <ringkernel/status.h>

#define RK_REPORT_BANDS 8

typedef struct rk_report_output {
    char *file; /* relative to the output folder */
    char *kind; /* "wav", "csv", "png", "txt", "json", "checkpoint" ... */
    char *about;
} rk_report_output;

typedef struct rk_report_receiver {
    char *name;
    bool analysed; /* false: silent, or too short; why says so */
    char *why;
    rk_decay decay;
    double peak_pa;
    size_t band_count;
    double band_hz[RK_REPORT_BANDS];
    double band_rt60_s[RK_REPORT_BANDS]; /* NAN: not measurable */
} rk_report_receiver;

typedef struct rk_report_kernel {
    char *name, *module, *state;
    uint64_t step;
    char *failure; /* NULL: none */
} rk_report_kernel;

typedef struct rk_report {
    char *job, *device, *kernel;
    bool complete;
    uint64_t steps;
    uint64_t cells;
    double seconds; /* of computing, set-up aside */
    char *folder;   /* set by rk_report_write; NULL before */
    rk_report_output *outputs;
    size_t output_count;
    rk_report_kernel *kernels;
    size_t kernel_count;

    bool has_room;
    uint32_t grid[3];
    double dx_m, dt_s, duration_s, frequency_limit_hz;
    double volume_m3, surface_m2, mean_absorption, sound_speed_m_s;
    double eyring_s, sabine_s;
    double rt60_s;
    const char *rt60_from; /* static text */
    double wav_gain;       /* full scale per Pa of the receivers' WAV files */
    rk_report_receiver *receivers;
    size_t receiver_count;
} rk_report;

/* Texts may be NULL. RK_NO_MEMORY. */
rk_status rk_report_init(rk_report *report, const char *job, const char *device,
                         const char *kernel);
void rk_report_finish(rk_report *report);

/* Sets the figures of the grid and the formulas' reverberation times. */
void rk_report_set_room(rk_report *report, const rk_room_spec *spec, const rk_room_grid *grid);

/* A kernel of the job, how it ended ("done", "stopped", ...) and why it failed, or NULL. */
rk_status rk_report_add_kernel(rk_report *report, const char *name, const char *module,
                               const char *state, uint64_t step, const char *failure);

/* A file; one that is listed already gets the new description. */
rk_status rk_report_add_output(rk_report *report, const char *file, const char *kind,
                               const char *about);

/* A receiver with its name; the caller fills the rest. NULL: out of memory. Moves the array. */
rk_report_receiver *rk_report_add_receiver(rk_report *report, const char *name);

/* Sets rt60_s and rt60_from from the receivers. */
void rk_report_set_rt60(rk_report *report);

/* The text for people, and the JSON object on one line, without a line end. */
rk_status rk_report_append_text(const rk_report *report, rk_str *out);
rk_status rk_report_append_json(const rk_report *report, rk_str *out);

/*
 * Writes summary.txt and summary.json into the folder and lists both among the outputs first.
 * Blocks.
 */
rk_status rk_report_write(rk_report *report, const char *folder, rk_err *err);

#endif
