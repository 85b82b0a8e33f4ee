/*
 * room_output.h: from what a room's kernel computed to files: sound, pictures, tables, numbers.
 *
 * Every file appears whole or not at all, is entered in the report, and lies in a folder that
 * exists. Functions block; one thread per report.
 */
#ifndef RK_JOB_ROOM_OUTPUT_H
#define RK_JOB_ROOM_OUTPUT_H

#include "job/report.h"
#include "job/room.h"

/*
 * Writes RECEIVER.wav for each receiver (float, at report.wav_rate_hz, one common gain, so that
 * their levels can be compared), decay.png, and with report.csv receivers.csv (time and pressures
 * in Pa, each step) and decay.csv (the decay curves in dB); adds the receivers and the
 * reverberation time to the report.
 *
 * traces[r] holds step_count samples in Pa, one per step, the first after step 1; step_count may be
 * less than the grid's when a run was stopped. source_end_s is when the last source falls silent
 * (the largest out_end_s of rk_room_source_samples) and source_start_s when the first one begins: a
 * signal longer than 60 ms is no impulse, so the decay then counts from its end. RK_INVALID for
 * samples that are not finite; otherwise what the file operations return.
 */
rk_status rk_room_write_receivers(const rk_room_spec *spec, const rk_room_grid *grid,
                                  const float *const *traces, uint64_t step_count,
                                  double source_start_s, double source_end_s, const char *folder,
                                  rk_report *report, rk_err *err);

/* The cells of a plane: width and height in cells without the halo. */
void rk_room_plane_size(const rk_room_grid *grid, const rk_room_plane *plane, uint32_t *out_width,
                        uint32_t *out_height);

/*
 * The index in the field of cell (i, j) of a plane, halo left out; i runs along x (along y on a
 * plane across x), j along y (along z on a plane across x or y). A program that copies only planes
 * uses it to gather them in the order of rk_room_write_plane.
 */
uint64_t rk_room_plane_cell(const rk_room_grid *grid, const rk_room_plane *plane, uint32_t i,
                            uint32_t j);

/*
 * Writes SLICE-NNNNus.png for the state after step steps: pressure holds the plane's cells in Pa,
 * row by row, [height][width] as rk_room_plane_size says.
 */
rk_status rk_room_write_plane(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                              uint64_t step, const float *pressure, const char *folder,
                              rk_report *report, rk_err *err);

/* The same from the whole field, [cell_count]. */
rk_status rk_room_write_slice(const rk_room_spec *spec, const rk_room_grid *grid, size_t index,
                              uint64_t step, const float *field, const char *folder,
                              rk_report *report, rk_err *err);

#endif
