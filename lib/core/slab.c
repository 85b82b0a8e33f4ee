/*
 * slab.c: allocation of shared blocks without locks.
 *
 * Invariants
 *   1. A block's generation is odd exactly while it has an owner. Only a successful
 *      compare-and-swap changes it, so a block has one owner, and one free of a reference succeeds.
 *   2. A block of the stacks is in its stack only while its generation is even; an allocation pops
 *      it first and then makes it odd. If that swap fails the stack was damaged: RK_CORRUPT.
 *   3. The counter in free_head changes with every push and pop, so a swap cannot succeed on a
 *      stack that changed and changed back.
 *   4. Units of a run: all are odd while the run is in use; `next` of the first is the run's
 *      length, of the others 0. A run is freed by its first unit's swap; the rest follows, still
 *      odd until stored, so nobody else takes it before.
 *   5. Words that another process may have written are range-checked before they are used as index.
 */
#include "core/slab.h"

#include "abi/word.h"
#include "base/crc.h"

#include <string.h>

#define MAX_BLOCKS (1u << 24)
#define NO_CLASS UINT32_MAX

/* Whether a transition was lost to another process that breaks the rules is decided after this. */
#define MAX_TRIES 1000000u

static uint64_t round_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) / align * align;
}

static uint32_t class_block_bytes(uint32_t index)
{
    return index == RK_SLAB_UNITS ? RK_SLAB_UNIT_BYTES : RK_SLAB_MIN_BLOCK_BYTES << index;
}

uint64_t rk_slab_bytes(const rk_slab_config *config)
{
    uint64_t bytes = sizeof(rk_slab_header);
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        uint64_t count = config->counts[i];
        if (count > MAX_BLOCKS) {
            return 0;
        }
        /* At most 2^24 * (2^16 + 8) per class: far from overflow. */
        bytes += round_up(count * sizeof(rk_slab_block), RK_SLAB_ALIGN_BYTES);
        bytes += count * class_block_bytes(i);
        blocks += count;
    }
    return blocks == 0 ? 0 : bytes;
}

rk_status rk_slab_config_fit(rk_slab_config *out_config, uint64_t bytes)
{
    const uint64_t least = 1u << 20;
    if (bytes < least) {
        return RK_NO_SPACE;
    }
    uint64_t usable = bytes - sizeof(rk_slab_header) - RK_SLAB_CLASS_COUNT * RK_SLAB_ALIGN_BYTES;
    uint64_t share = usable / 2 / RK_SLAB_UNITS;
    rk_slab_config config;
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        uint64_t part = i == RK_SLAB_UNITS ? usable / 2 : share;
        uint64_t count = part / (class_block_bytes(i) + sizeof(rk_slab_block));
        config.counts[i] = (uint32_t)(count < MAX_BLOCKS ? count : MAX_BLOCKS);
    }
    *out_config = config;
    return RK_OK;
}

rk_status rk_slab_init(void *memory, uint64_t bytes, const rk_slab_config *config, rk_err *err)
{
    uint64_t needed = rk_slab_bytes(config);
    if (needed == 0) {
        return rk_err_set(err, RK_INVALID,
                          "cannot lay out a slab: each size takes at most %u blocks, and at least "
                          "one size must have some",
                          MAX_BLOCKS);
    }
    if (memory == NULL || (uintptr_t)memory % RK_SLAB_ALIGN_BYTES != 0) {
        return rk_err_set(err, RK_INVALID, "cannot lay out a slab at %p: align it to %u bytes",
                          memory, RK_SLAB_ALIGN_BYTES);
    }
    if (bytes < needed) {
        return rk_err_set(err, RK_NO_SPACE,
                          "the slab takes %llu bytes, there are %llu: ask for fewer blocks",
                          (unsigned long long)needed, (unsigned long long)bytes);
    }
    rk_slab_header *header = memory;
    memset(header, 0, sizeof *header);
    header->class_count = RK_SLAB_CLASS_COUNT;
    header->bytes = needed;
    uint64_t at = sizeof *header;
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        rk_slab_class *class = &header->classes[i];
        class->count = config->counts[i];
        class->block_bytes = class_block_bytes(i);
        class->states = at;
        rk_slab_block *states = (rk_slab_block *)(void *)((char *)memory + at);
        at += round_up((uint64_t) class->count * sizeof(rk_slab_block), RK_SLAB_ALIGN_BYTES);
        for (uint32_t b = 0; b < class->count; b++) {
            states[b].generation = 0;
            states[b].next = i != RK_SLAB_UNITS && b + 1 < class->count ? b + 2 : 0;
        }
        class->free_head = i != RK_SLAB_UNITS && class->count != 0;
    }
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        header->classes[i].blocks = at;
        at += (uint64_t)header->classes[i].count * header->classes[i].block_bytes;
    }
    rk_word_store_release(&header->magic, RK_SLAB_MAGIC);
    return RK_OK;
}

rk_status rk_slab_attach(rk_slab *slab, void *memory, uint64_t bytes, rk_err *err)
{
    if (memory == NULL || (uintptr_t)memory % RK_SLAB_ALIGN_BYTES != 0 ||
        bytes < sizeof(rk_slab_header)) {
        return rk_err_set(err, RK_INVALID,
                          "cannot open a slab of %llu bytes at %p: it must be aligned to %u bytes "
                          "and hold a header",
                          (unsigned long long)bytes, memory, RK_SLAB_ALIGN_BYTES);
    }
    rk_slab_header *header = memory;
    if (rk_word_load_acquire(&header->magic) != RK_SLAB_MAGIC ||
        rk_word_load(&header->class_count) != RK_SLAB_CLASS_COUNT) {
        return rk_err_set(err, RK_CORRUPT, "there is no slab at %p: the magic number is wrong",
                          memory);
    }
    rk_slab found = {.base = memory, .bytes = rk_word64_load(&header->bytes)};
    if (found.bytes > bytes) {
        return rk_err_set(err, RK_NO_SPACE, "the slab takes %llu bytes, only %llu are mapped",
                          (unsigned long long)found.bytes, (unsigned long long)bytes);
    }
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        rk_slab_class *class = &header->classes[i];
        uint32_t count = rk_word_load(&class->count);
        uint64_t states = rk_word64_load(&class->states);
        uint64_t blocks = rk_word64_load(&class->blocks);
        uint64_t state_bytes = (uint64_t)count * sizeof(rk_slab_block);
        uint64_t block_bytes = (uint64_t)count * class_block_bytes(i);
        if (count > MAX_BLOCKS || rk_word_load(&class->block_bytes) != class_block_bytes(i) ||
            states < sizeof *header || states % sizeof(rk_u64) != 0 || state_bytes > found.bytes ||
            states > found.bytes - state_bytes || blocks < sizeof *header ||
            blocks % RK_SLAB_ALIGN_BYTES != 0 || block_bytes > found.bytes ||
            blocks > found.bytes - block_bytes) {
            return rk_err_set(err, RK_CORRUPT, "the slab at %p is damaged: blocks of %u bytes",
                              memory, class_block_bytes(i));
        }
        found.classes[i].shared = class;
        found.classes[i].states = (rk_slab_block *)(void *)(found.base + states);
        found.classes[i].blocks = blocks;
        found.classes[i].count = count;
        found.classes[i].block_bytes = class_block_bytes(i);
    }
    *slab = found;
    return RK_OK;
}

/* --- stacks of free blocks -------------------------------------------------------------------- */

static uint64_t next_head(uint64_t head, uint32_t link)
{
    return ((head >> 32) + 1) << 32 | link;
}

/* RK_OK and *out_index, RK_FULL, RK_CORRUPT. */
static rk_status pop_free(rk_slab *slab, uint32_t class_index, uint32_t *out_index)
{
    rk_slab_block *states = slab->classes[class_index].states;
    rk_u64 *word = &slab->classes[class_index].shared->free_head;
    rk_u64 head = rk_word64_load_acquire(word);
    for (uint32_t try = 0; try < MAX_TRIES; try++) {
        uint32_t link = (uint32_t)head;
        if (link == 0) {
            return RK_FULL;
        }
        if (link > slab->classes[class_index].count) {
            return RK_CORRUPT;
        }
        /* May be stale if another thread pops the same block; then the counter makes us fail. */
        uint32_t next = rk_word_load(&states[link - 1].next);
        if (rk_word64_cas(word, &head, next_head(head, next))) {
            *out_index = link - 1;
            return RK_OK;
        }
    }
    return RK_CORRUPT;
}

static void push_free(rk_slab *slab, uint32_t class_index, uint32_t index)
{
    rk_slab_block *state = &slab->classes[class_index].states[index];
    rk_u64 *word = &slab->classes[class_index].shared->free_head;
    rk_u64 head = rk_word64_load_acquire(word);
    do {
        rk_word_store(&state->next, (uint32_t)head);
    } while (!rk_word64_cas(word, &head, next_head(head, index + 1)));
}

/* --- runs of units ---------------------------------------------------------------------------- */

/* Makes a free unit odd; false if it is in use. */
static bool claim_unit(rk_slab_block *state)
{
    rk_u32 generation = rk_word_load_acquire(&state->generation);
    return generation % 2 == 0 && rk_word_cas(&state->generation, &generation, generation + 1);
}

/* Makes units that the caller owns even again, so that others may take them. */
static void return_units(rk_slab_block *states, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        rk_word_store_release(&states[i].generation, rk_word_load(&states[i].generation) + 1);
    }
}

/*
 * Claims `run` units side by side, first fit from the hint on, then from the start. Two allocations
 * that meet step back, so a full answer may come while the other one is still looking.
 */
static rk_status claim_run(rk_slab *slab, uint32_t run, uint32_t *out_index)
{
    rk_slab_block *states = slab->classes[RK_SLAB_UNITS].states;
    rk_slab_class *shared = slab->classes[RK_SLAB_UNITS].shared;
    uint32_t count = slab->classes[RK_SLAB_UNITS].count;
    uint32_t hint = (uint32_t)rk_word64_load(&shared->free_head);
    uint32_t starts[2] = {hint < count ? hint : 0, 0};
    for (unsigned pass = 0; pass < 2; pass++) {
        uint32_t at = starts[pass];
        while (run <= count && at <= count - run) {
            uint32_t held = 0;
            while (held < run && claim_unit(&states[at + held])) {
                rk_word_store(&states[at + held].next, 0);
                held++;
            }
            if (held == run) {
                rk_word_store(&states[at].next, run);
                rk_word64_store(&shared->free_head, at + run);
                *out_index = at;
                return RK_OK;
            }
            return_units(states, at, held);
            at += held + 1;
        }
    }
    return RK_FULL;
}

/* --- references ------------------------------------------------------------------------------- */

/* The class and index of the block that a reference names; checks offset and length. */
static rk_status locate(const rk_slab *slab, const rk_slab_ref *ref, uint32_t *out_class,
                        uint32_t *out_index)
{
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        uint64_t first = slab->classes[i].blocks;
        uint64_t size = slab->classes[i].block_bytes;
        uint64_t count = slab->classes[i].count;
        if (ref->offset < first || ref->offset - first >= count * size) {
            continue;
        }
        uint64_t index = (ref->offset - first) / size;
        uint64_t limit = i == RK_SLAB_UNITS ? (count - index) * size : size;
        if ((ref->offset - first) % size != 0 || ref->length == 0 || ref->length > limit ||
            ref->reserved != 0) {
            return RK_INVALID;
        }
        *out_class = i;
        *out_index = (uint32_t)index;
        return RK_OK;
    }
    return RK_INVALID;
}

/* Units that a length takes. */
static uint32_t units_of(uint32_t length)
{
    return (uint32_t)(((uint64_t)length + RK_SLAB_UNIT_BYTES - 1) / RK_SLAB_UNIT_BYTES);
}

static rk_status check(const rk_slab *slab, const rk_slab_ref *ref, uint32_t *out_class,
                       uint32_t *out_index)
{
    rk_status status = locate(slab, ref, out_class, out_index);
    if (status != RK_OK) {
        return status;
    }
    const rk_slab_block *state = &slab->classes[*out_class].states[*out_index];
    /* Acquire pairs with the swap that gave the block to its owner. */
    if (rk_word_load_acquire(&state->generation) != ref->generation || ref->generation % 2 == 0) {
        return RK_STALE;
    }
    if (*out_class == RK_SLAB_UNITS && rk_word_load(&state->next) != units_of(ref->length)) {
        return RK_STALE;
    }
    return RK_OK;
}

static rk_status take_block(rk_slab *slab, uint32_t class_index, uint32_t length,
                            rk_slab_ref *out_ref)
{
    uint32_t blocks = 1;
    uint32_t index = 0;
    rk_status status;
    if (class_index == RK_SLAB_UNITS) {
        blocks = units_of(length);
        status = claim_run(slab, blocks, &index);
    } else {
        status = pop_free(slab, class_index, &index);
        if (status == RK_OK && !claim_unit(&slab->classes[class_index].states[index])) {
            status = RK_CORRUPT;
        }
    }
    rk_slab_class *shared = slab->classes[class_index].shared;
    if (status != RK_OK) {
        (void)rk_word_add(&shared->refused, status == RK_FULL); /* only the sum matters */
        return status;
    }
    (void)rk_word_add(&shared->in_use, blocks); /* only the sum matters */
    *out_ref = (rk_slab_ref){
        .offset = slab->classes[class_index].blocks +
                  (uint64_t)index * slab->classes[class_index].block_bytes,
        .length = length,
        .generation = rk_word_load(&slab->classes[class_index].states[index].generation),
    };
    return RK_OK;
}

rk_status rk_slab_alloc(rk_slab *slab, uint32_t length, rk_slab_ref *out_ref, void **out_data)
{
    if (length == 0) {
        return RK_INVALID;
    }
    rk_status status = RK_LIMIT;
    for (uint32_t i = 0; i < RK_SLAB_CLASS_COUNT; i++) {
        uint32_t count = slab->classes[i].count;
        bool fits = i == RK_SLAB_UNITS ? units_of(length) <= count
                                       : count != 0 && length <= slab->classes[i].block_bytes;
        if (!fits) {
            continue;
        }
        status = take_block(slab, i, length, out_ref);
        if (status == RK_OK) {
            *out_data = slab->base + out_ref->offset;
        }
        if (status != RK_FULL) {
            break;
        }
    }
    return status;
}

rk_status rk_slab_seal(const rk_slab *slab, rk_slab_ref *ref)
{
    void *data;
    rk_status status = rk_slab_map(slab, ref, &data);
    if (status == RK_OK) {
        ref->crc = rk_crc32(0, data, ref->length);
    }
    return status;
}

rk_status rk_slab_put(rk_slab *slab, const void *data, uint32_t length, rk_slab_ref *out_ref)
{
    void *block;
    rk_status status = rk_slab_alloc(slab, length, out_ref, &block);
    if (status == RK_OK) {
        memcpy(block, data, length);
        out_ref->crc = rk_crc32(0, data, length);
    }
    return status;
}

rk_status rk_slab_map(const rk_slab *slab, const rk_slab_ref *ref, void **out_data)
{
    uint32_t class_index;
    uint32_t index;
    rk_status status = check(slab, ref, &class_index, &index);
    if (status == RK_OK) {
        *out_data = slab->base + ref->offset;
    }
    return status;
}

rk_status rk_slab_get(const rk_slab *slab, const rk_slab_ref *ref, void *out_data,
                      uint64_t capacity)
{
    void *data;
    rk_status status = rk_slab_map(slab, ref, &data);
    if (status != RK_OK) {
        return status;
    }
    if (ref->length > capacity) {
        return RK_NO_SPACE;
    }
    memcpy(out_data, data, ref->length);
    return rk_crc32(0, out_data, ref->length) == ref->crc ? RK_OK : RK_CORRUPT;
}

rk_status rk_slab_free(rk_slab *slab, const rk_slab_ref *ref)
{
    uint32_t class_index;
    uint32_t index;
    rk_status status = check(slab, ref, &class_index, &index);
    if (status != RK_OK) {
        return status;
    }
    rk_slab_block *states = slab->classes[class_index].states;
    rk_u32 generation = ref->generation;
    if (!rk_word_cas(&states[index].generation, &generation, generation + 1)) {
        return RK_STALE; /* freed by somebody else since the check */
    }
    uint32_t blocks = 1;
    if (class_index == RK_SLAB_UNITS) {
        blocks = units_of(ref->length);
        return_units(states, index + 1, blocks - 1);
    } else {
        push_free(slab, class_index, index);
    }
    (void)rk_word_add(&slab->classes[class_index].shared->in_use, 0u - blocks); /* only the sum */
    return RK_OK;
}

rk_slab_usage rk_slab_usage_of(const rk_slab *slab, unsigned class_index)
{
    const rk_slab_class *shared = slab->classes[class_index].shared;
    return (rk_slab_usage){
        .block_bytes = slab->classes[class_index].block_bytes,
        .count = slab->classes[class_index].count,
        .in_use = rk_word_load(&shared->in_use),
        .refused = rk_word_load(&shared->refused),
    };
}
