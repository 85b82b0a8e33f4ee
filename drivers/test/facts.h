/*
 * facts.h: what the devices say of themselves, under the numbers of both vendors.
 */
#ifndef RK_DRIVERS_TEST_FACTS_H
#define RK_DRIVERS_TEST_FACTS_H

#include "drivers/test/sim.h"

/* A device attribute by the vendor's number. INVALID if there is none of that number. */
rk_sim_result rk_sim_fact(const rk_sim_device *device, int attribute, int *out_value);

/* Attributes of a function: CU_FUNC_ATTRIBUTE_* and HIP_FUNC_ATTRIBUTE_* have the same numbers. */
rk_sim_result rk_sim_function_fact(const rk_sim_module *module, int attribute, int *out_value);

/* How a pair of devices is linked. */
bool rk_sim_can_reach(const rk_sim_device *device, const rk_sim_device *peer);
/* CU_DEVICE_P2P_ATTRIBUTE_*: 1 performance rank, 2 access, 3 native atomics. */
rk_sim_result rk_sim_peer_fact(const rk_sim_device *device, const rk_sim_device *peer,
                               int attribute, int *out_value);

#endif
