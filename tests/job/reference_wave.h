/*
 * reference_wave.h: the scheme of job/room.h in plain loops, as a truth for the tests of job/.
 */
#ifndef RK_TESTS_REFERENCE_WAVE_H
#define RK_TESTS_REFERENCE_WAVE_H

#include "job/room.h"

/*
 * Runs grid->step_count steps. source_samples[s] has step_count entries per source;
 * receiver_samples[r] gets as many. on_step (may be NULL) sees the field after each step.
 */
void reference_wave_run(const rk_room_grid *grid, float *const *source_samples,
                        float *const *receiver_samples,
                        void (*on_step)(void *context, uint64_t step, const float *p),
                        void *context);

#endif
