/*
 * kt.h: built-in kernels in the tests: launched through the runtime with few words.
 *
 * kt_new -> kt_u, kt_f, kt_inbox -> kt_create -> kt_write, kt_connect -> kt_start -> kt_run, ... ->
 * kt_end. What is not a status fails the running test when it does not succeed.
 */
#ifndef RK_TESTS_KERNELS_KT_H
#define RK_TESTS_KERNELS_KT_H

#include <ringkernel/abi/control.h>
#include <ringkernel/ringkernel.h>

typedef struct kt kt;

/*
 * From the next runtime on, kernels live in host processes: this program with `argument`; NULL ends
 * it.
 */
void kt_isolate(const char *program, const char *argument);

/* The device of the kernels from now on, such as "opencl:0"; NULL: the first. */
void kt_device(const char *name);

/* lanes: 0, or fibers per block. variant NULL: the module's first. */
kt *kt_new(const char *module, const char *variant, unsigned blocks, unsigned lanes);
void kt_u(kt *k, const char *param, uint64_t value);
void kt_f(kt *k, const char *param, double value);
void kt_inbox(kt *k, unsigned slots);
void kt_answers(kt *k, unsigned slots); /* of the ring to the host; a quarter are commands */
void kt_create(kt *k);
uint64_t kt_size(kt *k, const char *field); /* elements */
void kt_write(kt *k, const char *field, const void *data, uint64_t count);
void kt_read(kt *k, const char *field, void *data, uint64_t count);
void kt_connect(kt *from, kt *to);
rk_status kt_start(kt *k);

/* Each waits for the reply and returns its status, or why there is none. */
rk_status kt_run(kt *k, uint64_t steps);
rk_status kt_features(kt *k, uint64_t mask);
rk_status kt_custom(kt *k, uint64_t op, const void *data, size_t bytes, uint64_t value[3]);
rk_status kt_check(kt *k, uint64_t *out_code);
rk_status kt_send(kt *k, uint32_t type, const void *data, size_t bytes);

rk_status kt_run_begin(kt *k, uint64_t steps);
rk_status kt_run_wait(kt *k);

uint32_t kt_state(kt *k);
const char *kt_failure(kt *k); /* why it ended; "" */
rk_kernel *kt_kernel(kt *k);
void kt_end(kt *k);

#endif
