/*
 * layout.h: names, offsets and sizes of everything that host and kernels share.
 *
 * For tests, which compare it with the offsets written in the headers, and for programs that show
 * the contents of a region. A new layout or field gets a row in layout.c; the test says if it is
 * missing.
 */
#ifndef RK_ABI_LAYOUT_H
#define RK_ABI_LAYOUT_H

#include "base/compiler.h"

typedef struct rk_abi_field {
    const char *name;
    size_t offset;
    size_t bytes;
} rk_abi_field;

typedef struct rk_abi_layout {
    const char *name; /* of the type, such as "rk_ring" */
    size_t bytes;
    const rk_abi_field *fields; /* in the order of their offsets, without padding */
    size_t field_count;
} rk_abi_layout;

extern const rk_abi_layout rk_abi_layouts[];
extern const size_t rk_abi_layout_count;

#endif
