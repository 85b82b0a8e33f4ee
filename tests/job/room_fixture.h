/*
 * room_fixture.h: rooms for tests, from job files in the source.
 */
#ifndef RK_TESTS_JOB_ROOM_FIXTURE_H
#define RK_TESTS_JOB_ROOM_FIXTURE_H

#include "job/jobfile.h"
#include "job/room.h"

/*
 * Reads "job: t\nroom:\n" + text. Failure prints the sentence and fails the test. The caller ends
 * with rk_job_finish.
 */
void room_job(const char *text, rk_job *out_job);

/* The same, and builds the grid; the caller ends with rk_room_grid_finish as well. */
void room_grid(const char *text, rk_job *out_job, rk_room_grid *out_grid);

/* Fails unless reading or building ends with this code and a sentence that holds part. */
void room_refused(const char *text, rk_status code, const char *part);

/* A box of 2 x 1.5 x 1 m, cells of 10 cm, uniform absorption 0.3, a source, a receiver. */
extern const char room_box[];

#endif
