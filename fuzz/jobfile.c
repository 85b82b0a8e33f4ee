/*
 * Reads a job file from any bytes, and builds its room if it has one and it is small.
 */
#include "job/jobfile.h"

#include "fuzz/fuzz.h"
#include "job/room.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_job job;
    rk_err err = RK_ERR_INIT;
    if (rk_job_parse((const char *)data, size, "fuzz.yaml", ".", &job, &err) != RK_OK) {
        if (err.text[0] == 0) {
            abort();
        }
        return 0;
    }
    if (job.room) {
        rk_room_grid grid;
        job.room->grid.memory_limit_bytes = 1u << 20;
        if (rk_room_build(job.room, &grid, &err) == RK_OK) {
            for (size_t i = 0; i < grid.boundary_count; i++) {
                if (grid.boundary_cell[i] >= grid.cell_count) {
                    abort();
                }
            }
            rk_room_grid_finish(&grid);
        }
    }
    rk_job_finish(&job);
    return 0;
}
