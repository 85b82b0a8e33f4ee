/*
 * compiler.h: the only place for compiler extensions on the host side.
 */
#ifndef RK_BASE_COMPILER_H
#define RK_BASE_COMPILER_H

#include <ringkernel/status.h>
#include <stdalign.h>
#include <stdatomic.h>

#define RK_LIKELY(x) __builtin_expect(!!(x), 1)
#define RK_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RK_INLINE static inline __attribute__((always_inline))
#define RK_NOINLINE __attribute__((noinline))
#define RK_UNUSED __attribute__((unused))
#define RK_NORETURN _Noreturn
#define RK_THREAD_LOCAL _Thread_local
#define RK_CACHE_LINE 64
#define RK_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define RK_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define RK_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RK_MAX(a, b) ((a) > (b) ? (a) : (b))

/* A hint to the processor inside a spin loop. */
RK_INLINE void rk_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield" ::: "memory");
#endif
}

/* Overflow-checked arithmetic for sizes from outside: true when the result fits. */
RK_INLINE bool rk_size_add(uint64_t a, uint64_t b, uint64_t *out_sum)
{
    return !__builtin_add_overflow(a, b, out_sum);
}

RK_INLINE bool rk_size_mul(uint64_t a, uint64_t b, uint64_t *out_product)
{
    return !__builtin_mul_overflow(a, b, out_product);
}

#endif
