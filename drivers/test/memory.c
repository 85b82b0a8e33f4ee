/*
 * memory.c: device memory, page-locked memory, and who may reach it.
 *
 * An allocation of device memory is one mapping of three parts: what kernels use, a guard page, and
 * a part of the same size without any access, whose address is what callers get. A host that uses
 * such an address faults at once, as with memory on a card.
 */
#include "drivers/test/sim.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES ((uint64_t)4096)
#define POISON_BYTES ((uint64_t)1 << 20) /* so much of new device memory is filled with rubbish */
#define POISON 0xa5

typedef struct rk_sim_memory {
    struct rk_sim_memory *next;
    rk_sim_device *device;
    rk_sim_memory_kind kind;
    uint32_t flags;
    uint64_t address;
    uint64_t bytes;
    uint8_t *real;
    void *mapping;
    uint64_t mapping_bytes;
} rk_sim_memory;

static rk_mutex table_lock = RK_MUTEX_INIT;
static rk_sim_memory *table;

/* Under table_lock; finds the one that holds the whole range. */
static rk_sim_memory *find(uint64_t address, uint64_t bytes)
{
    for (rk_sim_memory *m = table; m != NULL; m = m->next) {
        if (address >= m->address && address - m->address <= m->bytes &&
            bytes <= m->bytes - (address - m->address)) {
            return m;
        }
    }
    return NULL;
}

static void enter(rk_sim_memory *memory)
{
    rk_mutex_lock(&table_lock);
    memory->next = table;
    table = memory;
    rk_mutex_unlock(&table_lock);
}

/* Takes memory of the device's size limit; false if it does not fit. */
static bool account(rk_sim_device *device, uint64_t bytes)
{
    rk_mutex_lock(&device->lock);
    bool fits = bytes <= rk_sim_config()->memory_bytes - device->memory_used;
    device->memory_used += fits ? bytes : 0;
    rk_mutex_unlock(&device->lock);
    return fits;
}

static void account_free(rk_sim_device *device, uint64_t bytes)
{
    rk_mutex_lock(&device->lock);
    device->memory_used -= bytes;
    rk_mutex_unlock(&device->lock);
}

static bool map(rk_sim_memory *memory)
{
    uint64_t room = (memory->bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    bool device = memory->kind == RK_SIM_DEVICE_MEMORY;
    memory->mapping_bytes = device ? 2 * room + PAGE_BYTES : room;
    uint8_t *mapping = mmap(NULL, memory->mapping_bytes, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    if (mprotect(mapping, room, PROT_READ | PROT_WRITE) != 0) {
        (void)munmap(mapping, memory->mapping_bytes);
        return false;
    }
    memory->mapping = mapping;
    memory->real = mapping;
    memory->address = (uint64_t)(uintptr_t)(device ? mapping + room + PAGE_BYTES : mapping);
    if (device) {
        memset(mapping, POISON, RK_MIN(memory->bytes, POISON_BYTES));
    }
    return true;
}

rk_sim_result rk_sim_memory_alloc(rk_sim_device *device, rk_sim_memory_kind kind, uint64_t bytes,
                                  uint32_t flags, uint64_t *out_address)
{
    if (bytes == 0) {
        return RK_SIM_INVALID;
    }
    bool on_device = kind == RK_SIM_DEVICE_MEMORY;
    if (rk_sim_count_allocation() || (uint64_t)INT64_MAX / 4 < bytes ||
        (on_device && !account(device, bytes))) {
        return RK_SIM_NO_MEMORY;
    }
    rk_sim_memory *memory = calloc(1, sizeof *memory);
    if (memory != NULL) {
        *memory = (rk_sim_memory){.device = device, .kind = kind, .flags = flags, .bytes = bytes};
    }
    if (memory == NULL || !map(memory)) {
        free(memory);
        if (on_device) {
            account_free(device, bytes);
        }
        return RK_SIM_NO_MEMORY;
    }
    *out_address = memory->address;
    enter(memory);
    return RK_SIM_OK;
}

rk_sim_result rk_sim_memory_register(rk_sim_device *device, void *host, uint64_t bytes)
{
    uint64_t address = (uint64_t)(uintptr_t)host;
    if (host == NULL || bytes == 0 || bytes > UINT64_MAX - address) {
        return RK_SIM_INVALID;
    }
    if (rk_sim_count_allocation()) {
        return RK_SIM_NO_MEMORY;
    }
    rk_sim_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        return RK_SIM_NO_MEMORY;
    }
    *memory = (rk_sim_memory){.device = device,
                              .kind = RK_SIM_REGISTERED,
                              .flags = RK_SIM_COHERENT,
                              .address = address,
                              .bytes = bytes,
                              .real = host};
    bool taken = false;
    rk_mutex_lock(&table_lock);
    for (rk_sim_memory *m = table; m != NULL && !taken; m = m->next) {
        taken = m->device->vendor == device->vendor && address < m->address + m->bytes &&
                m->address < address + bytes;
    }
    if (!taken) {
        memory->next = table;
        table = memory;
    }
    rk_mutex_unlock(&table_lock);
    if (taken) {
        free(memory);
        return RK_SIM_REGISTERED_ALREADY;
    }
    return RK_SIM_OK;
}

rk_sim_result rk_sim_memory_free(rk_sim_device *device, rk_sim_memory_kind kind, uint64_t address)
{
    rk_mutex_lock(&table_lock);
    rk_sim_memory **link = &table;
    while (*link != NULL && ((*link)->address != address || (*link)->kind != kind ||
                             (*link)->device->vendor != device->vendor)) {
        link = &(*link)->next;
    }
    rk_sim_memory *memory = *link;
    if (memory != NULL) {
        *link = memory->next;
    }
    rk_mutex_unlock(&table_lock);
    if (memory == NULL) {
        return kind == RK_SIM_REGISTERED ? RK_SIM_NOT_REGISTERED : RK_SIM_INVALID;
    }
    if (memory->kind == RK_SIM_DEVICE_MEMORY) {
        account_free(memory->device, memory->bytes);
    }
    if (memory->mapping != NULL) {
        (void)munmap(memory->mapping, memory->mapping_bytes);
    }
    free(memory);
    return RK_SIM_OK;
}

void rk_sim_memory_drop(rk_sim_device *device)
{
    rk_mutex_lock(&table_lock);
    for (rk_sim_memory **link = &table; *link != NULL;) {
        rk_sim_memory *memory = *link;
        if (memory->device != device) {
            link = &memory->next;
            continue;
        }
        *link = memory->next;
        if (memory->mapping != NULL) {
            (void)munmap(memory->mapping, memory->mapping_bytes);
        }
        free(memory);
    }
    rk_mutex_unlock(&table_lock);
    rk_mutex_lock(&device->lock);
    device->memory_used = 0;
    rk_mutex_unlock(&device->lock);
}

rk_sim_result rk_sim_memory_real(const rk_sim_device *device, uint64_t address, uint64_t bytes,
                                 uint8_t **out_real)
{
    rk_sim_result result = RK_SIM_BAD_ADDRESS;
    rk_mutex_lock(&table_lock);
    const rk_sim_memory *memory = find(address, bytes);
    if (memory != NULL &&
        (device == NULL || memory->kind != RK_SIM_DEVICE_MEMORY || memory->device == device ||
         (memory->device->vendor == device->vendor &&
          (device->peers & (1u << memory->device->index)) != 0))) {
        *out_real = memory->real + (address - memory->address);
        result = RK_SIM_OK;
    }
    rk_mutex_unlock(&table_lock);
    return result;
}

bool rk_sim_memory_pinned(const void *host, uint64_t bytes, uint32_t *out_flags)
{
    rk_mutex_lock(&table_lock);
    const rk_sim_memory *memory = find((uint64_t)(uintptr_t)host, bytes);
    bool pinned = memory != NULL && memory->kind != RK_SIM_DEVICE_MEMORY;
    if (pinned && out_flags != NULL) {
        *out_flags = memory->flags;
    }
    rk_mutex_unlock(&table_lock);
    return pinned;
}

bool rk_sim_memory_range(uint64_t address, uint64_t *out_start, uint64_t *out_bytes)
{
    rk_mutex_lock(&table_lock);
    const rk_sim_memory *memory = find(address, 1);
    if (memory != NULL) {
        *out_start = memory->address;
        *out_bytes = memory->bytes;
    }
    rk_mutex_unlock(&table_lock);
    return memory != NULL;
}
