/*
 * slab.h: shared memory for payloads that do not fit a ring slot.
 *
 * Works between threads and between processes that map the same memory at different addresses. Any
 * thread may allocate, and any other free; both are lock-free and make no system call. A slab never
 * grows: when it is full, allocation is refused.
 *
 * A reference belongs to one owner at a time: whoever allocated it, and after it was sent, whoever
 * received it. The owner frees it. Freeing twice, and using a reference after it was freed, answers
 * RK_STALE (unless the block was reused exactly 2^31 times in between). Blocks of a process that
 * died stay in use until the slab is initialised again.
 *
 * The layout is in ringkernel/abi/slab.h.
 */
#ifndef RK_CORE_SLAB_H
#define RK_CORE_SLAB_H

#include <ringkernel/abi/message.h>
#include <ringkernel/abi/slab.h>
#include <ringkernel/status.h>

#define RK_SLAB_ALIGN_BYTES 64u

/* Blocks of each size: counts[i] of 64 << i bytes, counts[RK_SLAB_UNITS] units of 64 KiB for runs.
  */
typedef struct rk_slab_config {
    uint32_t counts[RK_SLAB_CLASS_COUNT];
} rk_slab_config;

/* A private view of a slab; owned by the caller, needs no finish. Any thread may use it. */
typedef struct rk_slab {
    unsigned char *base;
    uint64_t bytes;
    struct {
        rk_slab_class *shared;
        rk_slab_block *states;
        uint64_t blocks; /* offset from base */
        uint32_t count;
        uint32_t block_bytes;
    } classes[RK_SLAB_CLASS_COUNT];
} rk_slab;

/* What a size class has done; a moving target. */
typedef struct rk_slab_usage {
    uint32_t block_bytes;
    uint32_t count;
    uint32_t in_use;
    uint32_t refused;
} rk_slab_usage;

/*
 * A division of about `bytes` bytes: half for runs of units, the other half in equal shares for the
 * sizes up to 64 KiB. The slab of this configuration takes at most `bytes`. RK_NO_SPACE below 1
 * MiB.
 */
rk_status rk_slab_config_fit(rk_slab_config *out_config, uint64_t bytes);

/* Bytes that a slab takes; 0 if a count is above 2^24 or all are zero. */
uint64_t rk_slab_bytes(const rk_slab_config *config);

/* Lays out an empty slab at memory, aligned to RK_SLAB_ALIGN_BYTES. RK_INVALID, RK_NO_SPACE. */
rk_status rk_slab_init(void *memory, uint64_t bytes, const rk_slab_config *config, rk_err *err);

/* Opens the slab at memory. Trusts nothing in it: RK_CORRUPT, RK_INVALID, RK_NO_SPACE. */
rk_status rk_slab_attach(rk_slab *slab, void *memory, uint64_t bytes, rk_err *err);

/*
 * Takes a block for `length` bytes (at least 1): of the smallest size that fits, else of a larger
 * one. Sets *out_ref without a CRC and *out_data to the block. RK_FULL when there is none, RK_LIMIT
 * if no block of this slab could ever be long enough, RK_INVALID, RK_CORRUPT if the slab is
 * damaged.
 */
rk_status rk_slab_alloc(rk_slab *slab, uint32_t length, rk_slab_ref *out_ref, void **out_data);

/* Allocates, copies the payload in and sets the CRC. Errors as rk_slab_alloc. */
rk_status rk_slab_put(rk_slab *slab, const void *data, uint32_t length, rk_slab_ref *out_ref);

/* Sets the CRC of a reference over what its block holds now. RK_STALE, RK_INVALID. */
rk_status rk_slab_seal(const rk_slab *slab, rk_slab_ref *ref);

/*
 * The payload where it lies, valid until the reference is freed. Checks offset, length and
 * generation, not the CRC: another process may still change the bytes. RK_INVALID, RK_STALE.
 */
rk_status rk_slab_map(const rk_slab *slab, const rk_slab_ref *ref, void **out_data);

/*
 * Copies the payload out and checks the CRC of the copy. capacity is the room at out_data.
 * RK_NO_SPACE if it is too small, RK_CORRUPT for a wrong CRC, RK_INVALID, RK_STALE.
 */
rk_status rk_slab_get(const rk_slab *slab, const rk_slab_ref *ref, void *out_data,
                      uint64_t capacity);

/* Gives the block back. RK_STALE if it was freed already or belongs to somebody else by now. */
rk_status rk_slab_free(rk_slab *slab, const rk_slab_ref *ref);

/* class_index is below RK_SLAB_CLASS_COUNT. */
rk_slab_usage rk_slab_usage_of(const rk_slab *slab, unsigned class_index);

#endif
