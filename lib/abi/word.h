/*
 * word.h: access to words that host, kernels and other processes share.
 *
 * Shared words are plain integers in the layouts of include/ringkernel/abi; every access from the
 * host goes through these functions, which name the order. An acquire here pairs with the release
 * of the word's one writer.
 */
#ifndef RK_ABI_WORD_H
#define RK_ABI_WORD_H

#include "base/compiler.h"
#include <ringkernel/abi/types.h>

RK_INLINE rk_u32 rk_word_load(const rk_u32 *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

RK_INLINE rk_u32 rk_word_load_acquire(const rk_u32 *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

RK_INLINE void rk_word_store(rk_u32 *word, rk_u32 value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

RK_INLINE void rk_word_store_release(rk_u32 *word, rk_u32 value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

RK_INLINE rk_u32 rk_word_add(rk_u32 *word, rk_u32 value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
}

/* Compare and swap with acquire-release order; on failure *expected holds what was found. */
RK_INLINE bool rk_word_cas(rk_u32 *word, rk_u32 *expected, rk_u32 desired)
{
    return __atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

RK_INLINE rk_u64 rk_word64_load(const rk_u64 *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

RK_INLINE rk_u64 rk_word64_load_acquire(const rk_u64 *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

RK_INLINE void rk_word64_store(rk_u64 *word, rk_u64 value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

RK_INLINE void rk_word64_store_release(rk_u64 *word, rk_u64 value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

RK_INLINE bool rk_word64_cas(rk_u64 *word, rk_u64 *expected, rk_u64 desired)
{
    return __atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

#endif
