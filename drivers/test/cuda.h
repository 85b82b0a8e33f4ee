/*
 * cuda.h: what the files of the CUDA front share.
 */
#ifndef RK_DRIVERS_TEST_CUDA_H
#define RK_DRIVERS_TEST_CUDA_H

#include "drivers/test/export.h"
#include "drivers/test/work.h"

/* Every call but a few needs an initialised library, and a context that is current and alive. */
rk_sim_result rk_sim_cuda_device(int index, rk_sim_device **out_device);
rk_sim_result rk_sim_cuda_current(rk_sim_device **out_device);
/* The current device, where no call of it may wait for a resident kernel. */
rk_sim_result rk_sim_cuda_idle(const char *call, rk_sim_device **out_device);
/* The multiprocessors of the current context; 0: all. */
uint32_t rk_sim_cuda_units(void);

#endif
