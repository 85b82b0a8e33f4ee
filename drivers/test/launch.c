/*
 * launch.c: modules and kernels. A module is the kernel's CPU code, plain or with fibers; its
 * blocks are threads (lib/device/cpu), and its parameters are translated as a device sees them.
 */
#include "base/clock.h"
#include "drivers/test/work.h"
#include <elf.h>
#include <stdio.h>
#include <string.h>

#define ENTRY_NAME "rk_module_entry"
#define LANES_MAX 1024u
#define SHARED_MAX 49152u /* per block, without asking for more */
#define PARAM_COUNT 3u

/* The length of an ELF image, which nobody tells. The image is trusted, as by the
 * vendors' libraries. */
static uint64_t image_bytes(const void *image)
{
    const Elf64_Ehdr *head = image;
    uint64_t end = head->e_shoff + (uint64_t)head->e_shnum * head->e_shentsize;
    const uint8_t *bytes = image;
    for (uint32_t i = 0; i < head->e_phnum; i++) {
        const Elf64_Phdr *part = (const Elf64_Phdr *)(const void *)(bytes + head->e_phoff +
                                                                    (size_t)i * head->e_phentsize);
        end = RK_MAX(end, part->p_offset + part->p_filesz);
    }
    for (uint32_t i = 0; i < head->e_shnum; i++) {
        const Elf64_Shdr *section =
            (const Elf64_Shdr *)(const void *)(bytes + head->e_shoff +
                                               (size_t)i * head->e_shentsize);
        if (section->sh_type != SHT_NOBITS) {
            end = RK_MAX(end, section->sh_offset + section->sh_size);
        }
    }
    return end;
}

rk_sim_result rk_sim_module_load(rk_sim_device *device, const void *image, const char *call,
                                 rk_sim_module **out_module)
{
    rk_sim_result result = rk_sim_may_wait(device, call);
    if (result != RK_SIM_OK) {
        return result;
    }
    if (image == NULL) {
        return RK_SIM_INVALID;
    }
    const Elf64_Ehdr *head = image;
    if (memcmp(image, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64) {
        (void)fprintf(stderr,
                      "rk-test-gpu: %s: the image is no ELF file; the test driver takes the CPU "
                      "code of a bundle\n",
                      call);
        return RK_SIM_BAD_IMAGE;
    }
    if (head->e_type != ET_DYN) {
        return RK_SIM_NO_BINARY;
    }
    uint64_t bytes = image_bytes(image);
    rk_err err = RK_ERR_INIT;
    rk_cpu_code code;
    if (rk_cpu_code_load(&code, image, bytes, &err) != RK_OK) {
        (void)fprintf(stderr, "rk-test-gpu: %s: %s\n", call, err.text);
        return err.code == RK_NO_MEMORY ? RK_SIM_NO_MEMORY : RK_SIM_BAD_IMAGE;
    }
    rk_sim_module *module = rk_sim_object_create(device, RK_SIM_MODULE, sizeof *module);
    if (module == NULL) {
        rk_cpu_code_finish(&code);
        return RK_SIM_NO_MEMORY;
    }
    rk_mutex_lock(&device->lock);
    module->code = code;
    module->function_loaded = device->eager;
    rk_mutex_unlock(&device->lock);
    *out_module = module;
    return RK_SIM_OK;
}

rk_sim_result rk_sim_module_unload(rk_sim_module *module, const char *call)
{
    rk_sim_device *device = module->object.device;
    rk_sim_result result = rk_sim_may_wait(device, call);
    if (result != RK_SIM_OK) {
        return result;
    }
    rk_mutex_lock(&device->lock);
    while (device->resident != 0 && !device->lost) { /* code that runs cannot go */
        rk_cond_wait(&device->changed, &device->lock);
    }
    bool dead = module->object.dead;
    module->object.dead = true;
    rk_mutex_unlock(&device->lock);
    if (!dead) {
        rk_cpu_code_finish(&module->code);
    }
    return RK_SIM_OK;
}

rk_sim_result rk_sim_function_find(rk_sim_module *module, const char *name, void **out_function)
{
    if (name == NULL || strcmp(name, ENTRY_NAME) != 0) {
        return RK_SIM_NOT_FOUND;
    }
    *out_function = module;
    return RK_SIM_OK;
}

rk_sim_result rk_sim_function_load(rk_sim_module *module, const char *call)
{
    rk_sim_device *device = module->object.device;
    rk_mutex_lock(&device->lock);
    bool loaded = module->function_loaded;
    rk_mutex_unlock(&device->lock);
    rk_sim_result result = loaded ? RK_SIM_OK : rk_sim_may_wait(device, call);
    if (result == RK_SIM_OK) {
        rk_mutex_lock(&device->lock);
        module->function_loaded = true;
        rk_mutex_unlock(&device->lock);
    }
    return result;
}

rk_sim_result rk_sim_occupancy(const rk_sim_module *module, int64_t lanes, uint64_t dynamic_shared,
                               int *out_blocks)
{
    if (lanes < 1 || lanes > LANES_MAX) {
        return RK_SIM_INVALID;
    }
    uint64_t shared = (uint64_t)module->code.shared_bytes + dynamic_shared;
    uint32_t blocks = rk_sim_capacity(1, (uint32_t)lanes);
    *out_blocks = shared > SHARED_MAX ? 0 : (int)blocks;
    return RK_SIM_OK;
}

/* ---- Launch ------------------------------------------------------------------------------ */

static rk_sim_result check_shape(const rk_sim_launch *launch)
{
    rk_sim_device *device = launch->stream->object.device;
    const uint32_t *grid = launch->grid;
    const uint32_t *block = launch->block;
    if (grid[0] == 0 || grid[1] != 1 || grid[2] != 1 || block[0] == 0 || block[1] != 1 ||
        block[2] != 1 || block[0] > LANES_MAX || launch->params == NULL) {
        return RK_SIM_INVALID;
    }
    int per_unit = 0;
    rk_sim_result result =
        rk_sim_occupancy(launch->module, block[0], launch->dynamic_shared, &per_unit);
    if (result != RK_SIM_OK) {
        return result;
    }
    uint64_t units = launch->stream->units != 0 ? launch->stream->units : rk_sim_config()->units;
    if (grid[0] <= units * (uint64_t)per_unit) {
        return RK_SIM_OK;
    }
    if (launch->cooperative) {
        return RK_SIM_TOO_LARGE;
    }
    (void)rk_sim_violation(device,
                           "a launch of %u blocks, of which %llu fit: on hardware the others wait "
                           "for ever at the grid barrier",
                           grid[0], (unsigned long long)(units * (uint64_t)per_unit));
    return RK_SIM_NO_RESOURCES;
}

/* Finds where a parameter, a base address, really points. */
static rk_sim_result translate(const rk_sim_device *device, const void *param, bool optional,
                               uint64_t bytes, uint8_t **out_real)
{
    uint64_t address;
    memcpy(&address, param, sizeof address);
    if (address == 0 && optional) {
        *out_real = NULL;
        return RK_SIM_OK;
    }
    return rk_sim_memory_real(device, address, bytes, out_real);
}

static rk_sim_result check_params(const rk_sim_launch *launch, rk_sim_op *op)
{
    rk_sim_device *device = launch->stream->object.device;
    static const char *const names[] = {"arena", "mapped", "old arena"};
    uint8_t **out[] = {&op->arena, &op->mapped, &op->old_arena};
    static const uint64_t bytes[] = {sizeof(rk_loop), sizeof(rk_control), 1};
    for (uint32_t i = 0; i < PARAM_COUNT; i++) {
        if (launch->params[i] == NULL) {
            return RK_SIM_INVALID;
        }
        rk_sim_result result = translate(device, launch->params[i], i == 2, bytes[i], out[i]);
        if (result != RK_SIM_OK) {
            /* On hardware the kernel would end with this error a moment later. */
            (void)fprintf(stderr,
                          "rk-test-gpu: kernel parameter '%s' is no address that this "
                          "device can reach\n",
                          names[i]);
            return result;
        }
    }
    uint32_t flags = RK_SIM_COHERENT;
    bool pinned = rk_sim_memory_pinned(op->mapped, sizeof(rk_control), &flags);
    if (device->vendor == RK_SIM_HIP && pinned && (flags & RK_SIM_COHERENT) == 0) {
        return rk_sim_violation(device, "the mapped page is host memory without "
                                        "hipHostMallocCoherent: a resident kernel may never see "
                                        "what the host writes");
    }
    return RK_SIM_OK;
}

rk_sim_result rk_sim_kernel_launch(const rk_sim_launch *launch)
{
    rk_sim_device *device = launch->stream->object.device;
    if (launch->module->object.device != device) {
        return RK_SIM_BAD_HANDLE;
    }
    rk_sim_result result = rk_sim_health(device);
    if (result == RK_SIM_OK && launch->cooperative &&
        (rk_sim_config()->nocoop != 0 || rk_sim_config()->zluda != 0)) {
        result = RK_SIM_UNSUPPORTED;
    }
    if (result == RK_SIM_OK) {
        result = check_shape(launch);
    }
    if (result == RK_SIM_OK) {
        result =
            rk_sim_function_load(launch->module, "the first launch of a function (lazy loading)");
    }
    rk_sim_op op = {.kind = RK_SIM_OP_KERNEL,
                    .code = launch->module->code,
                    .grid = launch->grid[0],
                    .lanes = launch->block[0]};
    if (result == RK_SIM_OK) {
        result = check_params(launch, &op);
    }
    return result == RK_SIM_OK ? rk_sim_enqueue(launch->stream, &op) : result;
}

/* Waits until the blocks have room beside those that run; false if the device is lost first. */
static bool take_room(rk_sim_device *device, const rk_sim_op *op)
{
    uint32_t capacity = rk_sim_capacity(0, op->lanes);
    rk_mutex_lock(&device->lock);
    while (device->resident_blocks + op->grid > capacity && !device->lost) {
        rk_cond_wait(&device->changed, &device->lock);
    }
    bool taken = !device->lost;
    device->resident_blocks += taken ? op->grid : 0;
    rk_mutex_unlock(&device->lock);
    return taken;
}

bool rk_sim_room_wait(rk_sim_device *device)
{
    uint32_t capacity = rk_sim_capacity(0, 1);
    rk_mutex_lock(&device->lock);
    if (device->resident_blocks >= capacity && rk_sim_config()->drain == RK_SIM_DRAIN_FAIL) {
        (void)rk_sim_violation(device, "memory is set while kernels fill the device: setting is a "
                                       "kernel of the library's own, which finds no room");
        rk_mutex_unlock(&device->lock);
        return true;
    }
    while (device->resident_blocks >= capacity && !device->lost) {
        rk_cond_wait(&device->changed, &device->lock);
    }
    bool room = !device->lost;
    rk_mutex_unlock(&device->lock);
    return room;
}

static void give_room(rk_sim_device *device, const rk_sim_op *op)
{
    rk_mutex_lock(&device->lock);
    device->resident_blocks -= op->grid;
    rk_cond_broadcast(&device->changed);
    rk_mutex_unlock(&device->lock);
}

static void running_enter(rk_sim_device *device, rk_sim_op *op)
{
    rk_mutex_lock(&device->lock);
    op->next_running = device->running;
    device->running = op;
    if (device->lost) {
        rk_cpu_exec_stop(op->exec);
    }
    rk_mutex_unlock(&device->lock);
}

static void running_leave(rk_sim_device *device, rk_sim_op *op)
{
    rk_mutex_lock(&device->lock);
    rk_sim_op **link = &device->running;
    while (*link != op) {
        link = &(*link)->next_running;
    }
    *link = op->next_running;
    rk_cond_broadcast(&device->changed);
    rk_mutex_unlock(&device->lock);
}

void rk_sim_kernel_run(rk_sim_op *op)
{
    rk_sim_device *device = op->stream->object.device;
    const rk_control *control = (const rk_control *)op->mapped;
    if (op->grid != control->block_count + control->poller) {
        (void)rk_sim_violation(device,
                               "a grid of %u blocks for a kernel of %u and %u that poll: on "
                               "hardware they wait for ever at the grid barrier",
                               op->grid, control->block_count, control->poller);
        return;
    }
    if (!take_room(device, op)) {
        return;
    }
    char name[16];
    (void)snprintf(name, sizeof name, "%s%u", device->vendor == RK_SIM_HIP ? "hip" : "cuda",
                   device->index);
    rk_err err = RK_ERR_INIT;
    rk_cpu_launch launch = {.name = name,
                            .code = &op->code,
                            .arena = op->arena,
                            .mapped = op->mapped,
                            .old = op->old_arena,
                            .grid = op->grid,
                            .lanes = op->lanes > 1 ? op->lanes : 0,
                            .remote = true};
    rk_status status = rk_cpu_exec_start(&launch, &op->exec, &err);
    if (status != RK_OK) {
        (void)fprintf(stderr, "rk-test-gpu: %s: %s\n", name, err.text);
        give_room(device, op);
        (void)rk_sim_inject(device, "lost");
        return;
    }
    running_enter(device, op);
    (void)rk_cpu_exec_wait(op->exec, RK_NEVER); /* without a deadline it ends with the kernel */
    running_leave(device, op);
    rk_cpu_exec_destroy(op->exec);
    give_room(device, op);
}
