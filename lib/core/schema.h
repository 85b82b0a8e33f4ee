/*
 * schema.h: parser of the schema text, and evaluation of shapes. The result and what can be asked
 * about it are public (ringkernel/schema.h); the grammar stands in ringkernel/kernel/schema.h.
 */
#ifndef RK_CORE_SCHEMA_H
#define RK_CORE_SCHEMA_H

#include "base/compiler.h"
#include <ringkernel/abi/control.h>
#include <ringkernel/schema.h>

/*
 * Parses length bytes; they need no NUL and are copied. RK_SYNTAX, RK_LIMIT (more of something than
 * allowed), RK_VERSION (a later grammar), RK_NO_MEMORY; the text names the line, the cause and the
 * remedy. Any input is safe. The caller ends it with rk_schema_free. Any thread.
 */
rk_status rk_schema_parse(const char *text, size_t length, rk_schema **out_schema, rk_err *err);

/* NULL is allowed. */
void rk_schema_free(rk_schema *schema);

/* Whether text is a name: letters, digits and '_', no digit first, at most RK_SCHEMA_NAME_MAX. */
bool rk_schema_is_name(const char *text);

/* The dimensions of a field for given parameter values. */
typedef struct rk_shape {
    uint64_t dimensions[RK_SCHEMA_DIMENSION_MAX]; /* slowest first; 0 makes an empty field */
    uint64_t elements;                            /* their product */
    uint32_t dimension_count;                     /* at least 1 */
} rk_shape;

/*
 * Whether the shape of field `field` is well-formed and names only integer parameters and `blocks`.
 * The parser has made sure of it. RK_SYNTAX, RK_LIMIT.
 */
rk_status rk_schema_check_shape(const rk_schema *schema, uint32_t field, rk_err *err);

/*
 * Evaluates the shape of field `field` (an index). params holds param_count slots; blocks is the
 * number of blocks. Division rounds towards zero. RK_INVALID if a dimension is zero, negative or
 * divided by zero, RK_LIMIT if a value leaves 64 bits; the text names field, dimension and values.
 */
rk_status rk_schema_shape(const rk_schema *schema, uint32_t field, const uint64_t *params,
                          uint32_t blocks, rk_shape *out_shape, rk_err *err);

#endif
