/*
 * schema.h: element types of parameters and state fields.
 */
#ifndef RINGKERNEL_ABI_SCHEMA_H
#define RINGKERNEL_ABI_SCHEMA_H

#include <ringkernel/abi/types.h>

/* X(symbol, value, name, bytes). `real` is f32 or f64 by the module's precision variant and never
 * appears in a laid-out kernel. */
#define RK_TYPE_LIST(X)                                                                            \
    X(U8, 0, "u8", 1)                                                                              \
    X(U16, 1, "u16", 2)                                                                            \
    X(U32, 2, "u32", 4)                                                                            \
    X(U64, 3, "u64", 8)                                                                            \
    X(I8, 4, "i8", 1)                                                                              \
    X(I16, 5, "i16", 2)                                                                            \
    X(I32, 6, "i32", 4)                                                                            \
    X(I64, 7, "i64", 8)                                                                            \
    X(F32, 8, "f32", 4)                                                                            \
    X(F64, 9, "f64", 8)                                                                            \
    X(REAL, 10, "real", 0)

#define RK_TYPE_DEFINE(symbol, value, name, bytes) RK_TYPE_##symbol = (value),
enum { RK_TYPE_LIST(RK_TYPE_DEFINE) RK_TYPE_COUNT };
#undef RK_TYPE_DEFINE

#endif
