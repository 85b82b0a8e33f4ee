/*
 * hip.h: what the files of the HIP front share.
 */
#ifndef RK_DRIVERS_TEST_HIP_H
#define RK_DRIVERS_TEST_HIP_H

#include "drivers/test/export.h"
#include "drivers/test/work.h"

/* Calls initialise the library where needed. */
rk_sim_result rk_sim_hip_device(int index, rk_sim_device **out_device);
/* The calling thread's current device, device 0 at first. LOST, UNAVAILABLE. */
rk_sim_result rk_sim_hip_current(rk_sim_device **out_device);
/* The current device, where no call of it may wait for a resident kernel. */
rk_sim_result rk_sim_hip_idle(const char *call, rk_sim_device **out_device);

#endif
