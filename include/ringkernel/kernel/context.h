/*
 * context.h: what a handler sees: its kernel, its block and lane, parameters, fields, loops, random
 * numbers and panics.
 *
 * Contract for authors
 *   - A handler may read time and randomness only from here (k->step, rk_random), so that replay is
 *     exact.
 *   - A phase must not depend on the number of blocks or lanes: iterate with RK_FOR_LANES over a
 *     range from rk_block_range.
 *   - Between two phases, and between two steps, all blocks meet at a barrier; inside a phase
 *     blocks do not wait for each other.
 *   - Serial handlers (on_message, on_command, after_step, check) run on one lane of one block at a
 *     safe point; only they may rk_emit.
 *   - Never put const and restrict together on a pointer that other kernels or the host write: a
 *     GPU compiler turns that into loads that stay stale for ever.
 */
#ifndef RINGKERNEL_KERNEL_CONTEXT_H
#define RINGKERNEL_KERNEL_CONTEXT_H

#include <ringkernel/abi/command.h>
#include <ringkernel/abi/control.h>
#include <ringkernel/abi/ring.h>
#include <ringkernel/abi/schema.h>
#include <ringkernel/kernel/target.h>

struct rk_ctx;

#if defined(RK_TARGET_CPU)
/*
 * What the CPU driver gives a kernel. A GPU has no such table: it polls.
 *   idle       returns once ready(k); polls for a while, then sleeps on the kernel's bell
 *   wait       returns once *word != seen; polls, then sleeps; *sleepers is not 0 while it may
 *   sleep
 *   wake       wakes all who sleep on word
 *   panic      records the panic, releases the other blocks, does not return
 *   lane_sync  the block's barrier in fiber mode
 */
typedef struct rk_env {
    rk_u32 abi_version;
    rk_u32 lanes; /* 1, or the fibers per block in fiber mode */
    rk_u64 (*now_ns)(void);
    void (*idle)(struct rk_ctx *k, rk_u32 (*ready)(struct rk_ctx *k));
    void (*wait)(struct rk_ctx *k, rk_u32 *word, rk_u32 seen, rk_u32 *sleepers);
    void (*wake)(rk_u32 *word);
    void (*panic)(struct rk_ctx *k, rk_u32 code, const char *text);
    void (*lane_sync)(struct rk_ctx *k);
} rk_env;
#endif

typedef struct rk_ctx {
    RK_G rk_u8 *arena;
    RK_G rk_u8 *mapped;
    RK_G rk_control *control; /* the arena's copy: constants, features */
    RK_G rk_control *words;   /* the mapped page's: what host and kernel tell each other */
    RK_G rk_loop *loop;
    RK_G rk_u64 *offsets; /* arena offset of each field */
    RK_G rk_u8 *params;
    RK_L rk_u8 *shared; /* RK_SHARED_BYTES of block-local memory */
    rk_u64 step;        /* the step that is being taken, or the next one at a safe point */
    rk_u32 block;
    rk_u32 block_count;
    rk_u32 lane;
    rk_u32 lane_count;
    rk_u32 serial; /* 1 inside a serial handler */
    rk_u32 trace;  /* what this lane writes down now: RK_TRACE_* */
    rk_u32 random_counter;
#if defined(RK_TARGET_CPU)
    const rk_env *env;
    void *driver; /* the CPU driver's own state of this block */
#endif
} rk_ctx;

/* A message as a handler sees it; payload is readable until the handler returns. */
typedef struct rk_msg {
    rk_u64 id;
    rk_u32 type;
    rk_u32 source; /* kernel id of the sender, 0 for the host */
    rk_u32 flags;
    rk_u32 correlation;
    rk_u32 length;
    RK_G const rk_u8 *payload;
} rk_msg;

/*
 * Lanes and blocks. On the CPU a block has one lane unless RK_FIBER is defined; elsewhere many, or
 * one by RK_ONE_LANE (OpenCL on a processor).
 */
#if (defined(RK_TARGET_CPU) && !defined(RK_FIBER)) || defined(RK_ONE_LANE)
#define RK_LANE(k) ((void)(k), 0u)
#define RK_LANES(k) ((void)(k), 1u)
#define RK_SYNC_BLOCK(k) ((void)(k))
#else
#define RK_LANE(k) ((k)->lane)
#define RK_LANES(k) ((k)->lane_count)
#if defined(RK_TARGET_CPU)
#define RK_SYNC_BLOCK(k) (k)->env->lane_sync(k)
#elif defined(RK_TARGET_CUDA)
#define RK_SYNC_BLOCK(k) __syncthreads()
#elif defined(RK_TARGET_HIP)
#define RK_SYNC_BLOCK(k)                                                                           \
    (__builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup"), __builtin_amdgcn_s_barrier(),          \
     __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup"))
#else
#define RK_SYNC_BLOCK(k) barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE)
#endif
#endif

/* for (i in [lo, hi)) spread over the lanes of this block; iterations must be independent. */
#define RK_FOR_LANES(k, i, lo, hi)                                                                 \
    RK_VECTOR_LOOP                                                                                 \
    for (rk_u32 i = (rk_u32)(lo) + RK_LANE(k); i < (rk_u32)(hi); i += RK_LANES(k))

/* The contiguous share [*lo, *hi) of n items that belongs to this block. */
RK_FN void rk_block_range(const rk_ctx *k, rk_u64 n, rk_u64 *lo, rk_u64 *hi)
{
    rk_u64 each = n / k->block_count;
    rk_u64 rest = n % k->block_count;
    rk_u64 b = k->block;
    *lo = b * each + (b < rest ? b : rest);
    *hi = *lo + each + (b < rest ? 1u : 0u);
}

/* Parameters and fields, by the name declared in RK_PARAMS and RK_FIELDS. */
#define RK_PARAM(k, name)                                                                          \
    (*(RK_G const rk_param_type_##name *)((k)->params + 8u * (rk_u32)RK_PARAM_INDEX_##name))
#define RK_FIELD(k, name)                                                                          \
    ((RK_G rk_field_type_##name *)((k)->arena + (k)->offsets[RK_FIELD_INDEX_##name]))
#define RK_FIELD_ELEMENTS(k, name)                                                                 \
    ((k)->offsets[(k)->control->field_count + (rk_u32)RK_FIELD_INDEX_##name])
#define RK_FEATURE(k, name) (((k)->control->features >> RK_FEATURE_INDEX_##name) & 1u)
/* The memory pool's region (ringkernel/pool.h): offsets that the host sends are from RK_POOL(k). */
#define RK_POOL(k) ((k)->arena + (k)->control->pool)
#define RK_POOL_BYTES(k) ((k)->control->pool_bytes)
#define RK_SHARED(k, type, byte_offset) ((RK_L rk_##type *)((k)->shared + (byte_offset)))

/*
 * A random number that depends only on the kernel's seed, the step, and `stream` (for example a
 * cell or a particle index): SplitMix64's finaliser (Steele, Lea, Flood 2014) over the three.
 */
RK_FN rk_u64 rk_random(const rk_ctx *k, rk_u64 stream)
{
    rk_u64 z = k->control->seed + 0x9e3779b97f4a7c15ul * (k->step + 1u);
    z = (z ^ (stream * 0xd1342543de82ef95ul)) + 0x9e3779b97f4a7c15ul;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebul;
    return z ^ (z >> 31);
}

/* The same as a number in [0, 1). */
RK_FN rk_f32 rk_random_unit(const rk_ctx *k, rk_u64 stream)
{
    return (rk_f32)(rk_random(k, stream) >> 40) * (1.0f / 16777216.0f);
}

/*
 * Asks for at least `steps` more steps, also while no run is pending: for a kernel that has work of
 * its own (kernel/actors.h). One-lane handlers only. Pause, step budgets and leases hold them up as
 * they do runs.
 */
RK_FN void rk_request_steps(rk_ctx *k, rk_u64 steps)
{
    rk_u64 until = k->loop->step + steps;
    k->loop->asked = until > k->loop->asked ? until : k->loop->asked;
}

/*
 * The sum of `value` over the lanes of this block, in lane order, for every lane. All lanes of the
 * block must call it; scratch is block-local room for lane_count numbers (RK_SHARED).
 */
RK_FN rk_f64 rk_block_sum(rk_ctx *k, RK_L rk_f64 *scratch, rk_f64 value)
{
    if (RK_LANES(k) == 1u) {
        return value;
    }
    rk_f64 sum = 0.0;
    RK_SYNC_BLOCK(k);
    scratch[RK_LANE(k)] = value;
    RK_SYNC_BLOCK(k);
    for (rk_u32 lane = 0u; lane < RK_LANES(k); lane++) {
        sum += scratch[lane];
    }
    return sum;
}

/* The bits of a number, for the answer words of a custom command. */
RK_FN rk_u64 rk_f64_bits(rk_f64 value)
{
    union {
        rk_f64 number;
        rk_u64 bits;
    } both;
    both.number = value;
    return both.bits;
}

/*
 * Where a payload comes from: the handler's own variables or global memory. Only OpenCL tells the
 * two apart; there rk_bytes_of takes either.
 */
#if defined(RK_TARGET_OPENCL)
typedef struct rk_bytes {
    const rk_u8 *own;
    RK_G const rk_u8 *global_memory; /* if own is NULL */
} rk_bytes;
__attribute__((overloadable)) RK_FN rk_bytes rk_bytes_of(const void *own)
{
    rk_bytes bytes = {(const rk_u8 *)own, 0};
    return bytes;
}
__attribute__((overloadable)) RK_FN rk_bytes rk_bytes_of(RK_G const void *global_memory)
{
    rk_bytes bytes = {0, (RK_G const rk_u8 *)global_memory};
    return bytes;
}
#else
typedef const void *rk_bytes;
#define rk_bytes_of(p) (p)
#endif

/* Copies bytes into global memory. */
RK_FN void rk_copy_bytes(RK_G rk_u8 *to, rk_bytes from, rk_u32 bytes)
{
#if defined(RK_TARGET_CPU)
    __builtin_memcpy(to, from, bytes);
#elif defined(RK_TARGET_OPENCL)
    for (rk_u32 i = 0; i < bytes; i++) {
        to[i] = from.own != 0 ? from.own[i] : from.global_memory[i];
    }
#else
    for (rk_u32 i = 0; i < bytes; i++) {
        to[i] = ((const rk_u8 *)from)[i];
    }
#endif
}

#endif
