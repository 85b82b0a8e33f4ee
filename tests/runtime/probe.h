/*
 * probe.h: the probe kernel as a module, compiled once per test program, and shorthands.
 */
#ifndef TESTS_RUNTIME_PROBE_H
#define TESTS_RUNTIME_PROBE_H

#include <ringkernel/ringkernel.h>

/* The probe module; compiled at the first call. The caller unrefs. Fails the test on error. */
rk_module *probe_module(void);

/* Creates and starts a probe; launch->module and name may be unset. */
rk_kernel *probe_start(rk_runtime *runtime, const rk_launch *launch);

/* Waits for a command and requires that it was applied without error. */
rk_reply probe_done(rk_kernel *kernel, uint64_t id);

/* Runs so many steps to their end; returns the step reached. */
uint64_t probe_run(rk_kernel *kernel, uint64_t steps);

#endif
