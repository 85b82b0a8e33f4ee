#include "testgpu/card.h"
#include "base/clock.h"
#include "device/device.h"
#include "module/module.h"
#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_NON_BLOCKING 1u
#define HOST_FLAGS_CUDA 3u         /* portable, mapped */
#define HOST_FLAGS_HIP 0x40000003u /* the same, coherent */

void *card_symbol(const char *name)
{
    static void *library;
    if (library == NULL) {
        const char *build = getenv("RK_BUILD_DIR");
        char path[512];
        (void)snprintf(path, sizeof path, "%s/lib/ringkernel/drivers/rk-test-gpu.so",
                       build != NULL ? build : "build");
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fail_msg("%s", dlerror());
        }
    }
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        fail_msg("%s", dlerror());
    }
    return symbol;
}

static void take(const char *name, void *out_function)
{
    if (name != NULL) {
        void *symbol = card_symbol(name);
        memcpy(out_function, &symbol, sizeof symbol);
    }
}

card card_library(bool hip)
{
    card c = {.hip = hip};
#define CARD_TAKE(member, arguments, cuda_name, hip_name)                                          \
    take(hip ? hip_name : cuda_name, &c.member);
    CARD_CALLS(CARD_TAKE)
#undef CARD_TAKE
    take("rkTestDriverDrainViolations", &c.violations);
    take("rkTestDriverAddress", &c.address);
    take("rkTestDriverResident", &c.resident);
    take("rkTestDriverCodeKinds", &c.code_kinds);
    return c;
}

void card_use(const card *c, int index)
{
    if (c->hip) {
        assert_int_equal(c->set_device(index), 0);
    } else {
        void *context = NULL;
        assert_int_equal(c->retain(&context, index), 0);
        assert_int_equal(c->set_context(context), 0);
    }
}

card card_begin(bool hip, const char *options)
{
    card c = card_library(hip);
    assert_int_equal(c.test_configure(options), 0);
    assert_int_equal(c.init(0), 0);
    card_use(&c, 0);
    return c;
}

void *card_stream(const card *c)
{
    void *stream = NULL;
    assert_int_equal(c->stream_create(&stream, STREAM_NON_BLOCKING), 0);
    return stream;
}

uint32_t card_number(const card *c, uint32_t index)
{
    return c->hip ? RK_TEST_GPU_HIP(index) : RK_TEST_GPU_CUDA(index);
}

/* ---- A kernel ---------------------------------------------------------------------------- */

const void *card_kernel_image(const card_kernel *kernel)
{
    const rk_section *section = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_bundle_find_cpu(rk_module_bundle(kernel->code),
                           kernel->lanes > 0 ? RK_SECTION_FIBER : RK_SECTION_CPU, 0, RK_ISA_NONE,
                           &section, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    return section->data;
}

void card_kernel_make(const card *c, card_kernel *kernel, uint32_t blocks, uint32_t lanes)
{
    rk_err err = RK_ERR_INIT;
    *kernel = (card_kernel){.card = c, .blocks = blocks, .lanes = lanes};
    char path[512];
    const char *build = getenv("RK_BUILD_DIR");
    (void)snprintf(path, sizeof path, "%s/lib/ringkernel/kernels/echo.rkm",
                   build != NULL ? build : "build");
    rk_layout_options options = {.block_count = blocks};
    if (rk_module_open_file(path, &kernel->code, &err) != RK_OK ||
        rk_layout_compute(rk_module_schema(kernel->code), 0, NULL, &options, &kernel->layout,
                          &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    void *mapped = NULL;
    assert_int_equal(c->alloc(&kernel->arena, kernel->layout.arena_bytes), 0);
    assert_int_equal(c->host_alloc(&mapped, kernel->layout.mapped_bytes,
                                   c->hip ? HOST_FLAGS_HIP : HOST_FLAGS_CUDA),
                     0);
    kernel->mapped = mapped;
    assert_int_equal(c->module_load(&kernel->module, card_kernel_image(kernel)), 0);
    assert_int_equal(c->module_function(&kernel->function, kernel->module, "rk_module_entry"), 0);
    if (c->function_load != NULL) {
        assert_int_equal(c->function_load(kernel->function), 0);
    }
    card_kernel_lay_out(kernel);
}

void card_kernel_lay_out(card_kernel *kernel)
{
    rk_err err = RK_ERR_INIT;
    const rk_layout *layout = &kernel->layout;
    rk_layout_identity identity = {.kernel_id = 1};
    uint8_t *head = aligned_alloc(4096, (layout->head_bytes + 4095) & ~(uint64_t)4095);
    assert_non_null(head);
    memset(head, 0, layout->head_bytes);
    memset(kernel->mapped, 0, layout->mapped_bytes);
    if (rk_layout_write(layout, NULL, &identity, kernel->mapped, head, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    rk_loop *loop = (rk_loop *)head;
    loop->h2k_slots = layout->options.h2k_slots;
    loop->h2k_first = layout->h2k + ((rk_ring *)(kernel->mapped + layout->h2k))->slots;
    loop->k2h_slots = layout->options.k2h_slots;
    loop->k2h_first = layout->k2h + ((rk_ring *)(kernel->mapped + layout->k2h))->slots;
    loop->state_told = RK_KERNEL_LAUNCHED;
    memcpy(head + sizeof *loop, kernel->mapped, sizeof(rk_control));
    assert_int_equal(kernel->card->set(kernel->arena, 0, layout->arena_bytes), 0);
    assert_int_equal(kernel->card->copy_in(kernel->arena, head, layout->head_bytes), 0);
    free(head);
    if (rk_ring_attach(&kernel->h2k, RK_RING_PRODUCER, kernel->mapped, layout->mapped_bytes,
                       layout->h2k, &err) != RK_OK ||
        rk_ring_attach(&kernel->k2h, RK_RING_CONSUMER, kernel->mapped, layout->mapped_bytes,
                       layout->k2h, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
}

int card_kernel_launch(card_kernel *kernel, void *stream)
{
    uint64_t mapped = (uint64_t)(uintptr_t)kernel->mapped;
    uint64_t old = 0;
    void *params[] = {&kernel->arena, &mapped, &old};
    return kernel->card->launch(kernel->function, kernel->blocks, 1, 1,
                                kernel->lanes > 0 ? kernel->lanes : 1, 1, 1, 0, stream, params,
                                NULL);
}

int card_kernel_launch_cooperative(card_kernel *kernel, void *stream)
{
    uint64_t mapped = (uint64_t)(uintptr_t)kernel->mapped;
    uint64_t old = 0;
    void *params[] = {&kernel->arena, &mapped, &old};
    return kernel->card->launch_cooperative(kernel->function, kernel->blocks, 1, 1,
                                            kernel->lanes > 0 ? kernel->lanes : 1, 1, 1, 0, stream,
                                            params);
}

uint64_t card_kernel_command(card_kernel *kernel, uint32_t type, uint64_t arg)
{
    rk_slot slot = {.header = {.id = ++kernel->next_id, .type = type, .length = 40}};
    rk_command command = {.arg = arg};
    memcpy(slot.payload, &command, sizeof command);
    assert_int_equal(rk_ring_push(&kernel->h2k, &slot), RK_OK);
    for (;;) {
        rk_status status = rk_ring_pop(&kernel->k2h, &slot);
        if (status == RK_EMPTY) {
            (void)sched_yield(); /* nobody rings: it must be polled */
            continue;
        }
        assert_int_equal(status, RK_OK);
        rk_answer answer;
        memcpy(&answer, slot.payload, sizeof answer);
        if (slot.header.id == kernel->next_id && answer.level >= RK_LEVEL_APPLIED) {
            assert_int_equal(answer.status, 0);
            return answer.step;
        }
    }
}

void card_kernel_drop(card_kernel *kernel)
{
    const card *c = kernel->card;
    assert_int_equal(c->module_unload(kernel->module), 0);
    assert_int_equal(c->host_free(kernel->mapped), 0);
    assert_int_equal(c->free(kernel->arena), 0);
    rk_module_unref(kernel->code);
}
