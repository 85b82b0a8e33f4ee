/*
 * loop_unit.h: the resident loop as a unit of its own (unit.h). Compiled as a source, with RK_HAS_*
 * for each handler that the other unit defines.
 */
#ifndef RINGKERNEL_KERNEL_LOOP_UNIT_H
#define RINGKERNEL_KERNEL_LOOP_UNIT_H

#define RK_UNIT_LOOP 1
#define RK_NAME loop
/* What only the source knows: a use of it in the loop is an error here. */
#define RK_SHARED_BYTES rk_shared_bytes_are_known_to_the_source_only
#include <ringkernel/kernel.h>

#endif
