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

/* Ask for the cache line of an address in advance; never fault. */
#define RK_PREFETCH_READ(address) __builtin_prefetch((address), 0)
#define RK_PREFETCH_WRITE(address) __builtin_prefetch((address), 1)

/* A hint to the processor inside a spin loop. */
RK_INLINE void rk_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield" ::: "memory");
#endif
}

/* Carry-less multiplication, where the compiler can make it and the processor has it. */
#if defined(__x86_64__)
#define RK_CPU_SUPPORTS(feature) __builtin_cpu_supports(feature)
#define RK_HAS_CLMUL 1
#define RK_TARGET_CLMUL __attribute__((target("pclmul,sse4.1")))
RK_INLINE bool rk_cpu_has_clmul(void)
{
    return RK_CPU_SUPPORTS("pclmul") && RK_CPU_SUPPORTS("sse4.1");
}
#endif

/* Atomic access to plain integers in memory that several processes map. */
RK_INLINE uint32_t rk_atomic_load_u32(const uint32_t *word, memory_order order)
{
    return __atomic_load_n(word, (int)order);
}

RK_INLINE void rk_atomic_store_u32(uint32_t *word, uint32_t value, memory_order order)
{
    __atomic_store_n(word, value, (int)order);
}

/* Returns the value before the addition. */
RK_INLINE uint32_t rk_atomic_add_u32(uint32_t *word, uint32_t value, memory_order order)
{
    return __atomic_fetch_add(word, value, (int)order);
}

#if defined(__SANITIZE_THREAD__)
#define RK_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RK_THREAD_SANITIZER 1
#endif
#endif

/* Orders all earlier stores before all later loads (the look at a parked word needs it). */
RK_INLINE void rk_fence_full(void)
{
#if defined(RK_THREAD_SANITIZER)
    /* The thread sanitizer knows no fences; an atomic addition is one on x86. */
    static uint32_t nothing;
    (void)__atomic_fetch_add(&nothing, 0, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Orders all earlier loads before all later loads and stores. */
RK_INLINE void rk_fence_acquire(void)
{
#if !defined(RK_THREAD_SANITIZER) /* it knows no fences; the words are atomic all the same */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* The position of the highest bit that is set; value is not 0. */
RK_INLINE unsigned rk_log2_u64(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

/* The position of the lowest bit that is set; value is not 0. */
RK_INLINE unsigned rk_ctz_u64(uint64_t value)
{
    return (unsigned)__builtin_ctzll(value);
}

/* Asks for the cache line at address, which may be any. */
RK_INLINE void rk_prefetch(const void *address)
{
    __builtin_prefetch(address);
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

/* The same for signed numbers. */
RK_INLINE bool rk_i64_add(int64_t a, int64_t b, int64_t *out_sum)
{
    return !__builtin_add_overflow(a, b, out_sum);
}

RK_INLINE bool rk_i64_sub(int64_t a, int64_t b, int64_t *out_difference)
{
    return !__builtin_sub_overflow(a, b, out_difference);
}

RK_INLINE bool rk_i64_mul(int64_t a, int64_t b, int64_t *out_product)
{
    return !__builtin_mul_overflow(a, b, out_product);
}

#endif
