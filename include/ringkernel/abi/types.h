/*
 * types.h: fixed-width types and address spaces for everything that host and kernels share.
 *
 * This header is compiled by the host compiler (C or C++), by gcc/clang for CPU kernels, by NVRTC
 * or nvcc, by hiprtc or clang -x hip, and by OpenCL C compilers. It must not include any other
 * header on a device compiler, and nothing here may be as wide as the compiler likes: no size_t, no
 * bool, no enum and no function pointer crosses the boundary.
 */
#ifndef RINGKERNEL_ABI_TYPES_H
#define RINGKERNEL_ABI_TYPES_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
#define RK_TARGET_OPENCL 1
typedef uchar rk_u8;
typedef ushort rk_u16;
typedef uint rk_u32;
typedef ulong rk_u64;
typedef char rk_i8;
typedef short rk_i16;
typedef int rk_i32;
typedef long rk_i64;
#elif defined(__CUDACC_RTC__) || defined(__CUDA_ARCH__) || defined(__HIP_DEVICE_COMPILE__) ||      \
    defined(__HIPCC_RTC__) || (defined(__CUDACC__) && defined(RK_KERNEL))
#if defined(__HIP_DEVICE_COMPILE__) || defined(__HIPCC_RTC__)
#define RK_TARGET_HIP 1
#else
#define RK_TARGET_CUDA 1
#endif
typedef unsigned char rk_u8;
typedef unsigned short rk_u16;
typedef unsigned int rk_u32;
typedef unsigned long long rk_u64;
typedef signed char rk_i8;
typedef short rk_i16;
typedef int rk_i32;
typedef long long rk_i64;
#else
#define RK_TARGET_CPU 1
#include <stdint.h>
typedef uint8_t rk_u8;
typedef uint16_t rk_u16;
typedef uint32_t rk_u32;
typedef uint64_t rk_u64;
typedef int8_t rk_i8;
typedef int16_t rk_i16;
typedef int32_t rk_i32;
typedef int64_t rk_i64;
#endif

typedef float rk_f32;
typedef double rk_f64;

/* Address spaces: RK_G is global (arena and mapped memory), RK_L is block-local (shared) memory. */
#if defined(RK_TARGET_OPENCL)
#define RK_G __global
#define RK_L __local
#else
#define RK_G
#define RK_L
#endif

/* A compile-time check usable on every target. */
#if defined(__cplusplus)
#define RK_ABI_ASSERT(cond) static_assert(cond, #cond)
#else
#define RK_ABI_ASSERT(cond) _Static_assert(cond, #cond)
#endif

#endif
