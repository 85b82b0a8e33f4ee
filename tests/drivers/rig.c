/*
 * rig.c: see rig.h.
 */
#include "drivers/rig.h"
#include "abi/word.h"
#include "base/clock.h"
#include "support/skip.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (20 * (uint64_t)RK_NS_PER_S)

void rig_open(rig *out_rig, const rk_driver_ops *ops)
{
    rk_err err = RK_ERR_INIT;
    memset(out_rig, 0, sizeof *out_rig);
    out_rig->ops = ops;
    if (rk_bundle_open_file(RK_TEST_TICKER, &out_rig->bundle, &err) != RK_OK ||
        ops->open(0, NULL, &out_rig->device, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    ops->caps(out_rig->device, &out_rig->caps);
}

void rig_close(rig *r)
{
    r->ops->close(r->device);
    rk_bundle_close(r->bundle);
}

static void must(rk_status status, const rk_err *err)
{
    if (status != RK_OK) {
        fail_msg("%s: %s", rk_status_name(status), err->text);
    }
}

static void on_exit_counted(void *context)
{
    rig_kernel *kernel = context;
    (void)atomic_fetch_add(&kernel->exits, 1);
}

void rig_lay_out(rig_kernel *kernel, const rig_options *options)
{
    static const rig_options usual;
    const rig_options *o = options != NULL ? options : &usual;
    rig *r = kernel->rig;
    rk_err err = RK_ERR_INIT;
    uint64_t params[2] = {o->cells > 0 ? o->cells : 4096, o->talk ? 1 : 0};
    static uint32_t last_id;
    rk_layout_identity identity = {
        .kernel_id = ++last_id,
        .ticks_per_s = r->caps.ticks_per_s,
        .poller = o->poller,
        .lease_steps = o->lease_steps,
        .lease_polls = o->lease_polls,
    };
    void *head = NULL;
    assert_int_equal(posix_memalign(&head, 4096, kernel->layout.head_bytes), 0);
    memset(head, 0, kernel->layout.head_bytes);
    must(rk_layout_write(&kernel->layout, params, &identity, kernel->mapped.host, head, &err),
         &err);
    assert_int_equal(r->ops->write(r->device, &kernel->arena, 0, head, kernel->layout.head_bytes),
                     RK_OK);
    free(head);
    kernel->control = (rk_control *)kernel->mapped.host;
    must(rk_ring_attach(&kernel->h2k, RK_RING_PRODUCER, kernel->mapped.host, kernel->mapped.bytes,
                        kernel->layout.h2k, &err),
         &err);
    must(rk_ring_attach(&kernel->k2h, RK_RING_CONSUMER, kernel->mapped.host, kernel->mapped.bytes,
                        kernel->layout.k2h, &err),
         &err);
    kernel->started = false;
}

rk_status rig_try_make(rig *r, const char *name, const rig_options *options, rig_kernel *out_kernel,
                       rk_err *err)
{
    static const rig_options usual;
    const rig_options *o = options != NULL ? options : &usual;
    rig_kernel *kernel = out_kernel;
    memset(kernel, 0, sizeof *kernel);
    kernel->rig = r;
    kernel->name = name;
    kernel->next_id = 1;
    const rk_schema *schema = rk_bundle_schema(r->bundle);
    uint64_t params[2] = {o->cells > 0 ? o->cells : 4096, o->talk ? 1 : 0};
    rk_layout_options sizes = {.block_count = o->blocks > 0 ? o->blocks : 2, .route_count = 4};
    must(rk_layout_compute(schema, 0, params, &sizes, &kernel->layout, err), err);
    const rk_section *section;
    must(rk_bundle_find_cpu(r->bundle, o->fiber ? RK_SECTION_FIBER : RK_SECTION_CPU, 0, RK_ISA_NONE,
                            &section, err),
         err);
    rk_status status = r->ops->load(r->device, (rk_code_kind)section->kind, section->data,
                                    section->bytes, &kernel->code, err);
    if (status == RK_OK) {
        status = r->ops->mem_alloc(r->device, RK_MEM_MAPPED, kernel->layout.mapped_bytes,
                                   &kernel->mapped, err);
    }
    if (status == RK_OK) {
        status = r->ops->mem_alloc(r->device, RK_MEM_ARENA, kernel->layout.arena_bytes,
                                   &kernel->arena, err);
    }
    if (status != RK_OK) {
        rig_drop(kernel);
        return status;
    }
    rig_lay_out(kernel, options);
    return RK_OK;
}

void rig_make(rig *r, const char *name, const rig_options *options, rig_kernel *out_kernel)
{
    rk_err err = RK_ERR_INIT;
    must(rig_try_make(r, name, options, out_kernel, &err), &err);
}

void rig_drop(rig_kernel *kernel)
{
    rig *r = kernel->rig;
    if (kernel->arena.bytes > 0) {
        r->ops->mem_free(r->device, &kernel->arena);
    }
    if (kernel->mapped.bytes > 0) {
        r->ops->mem_free(r->device, &kernel->mapped);
    }
    r->ops->unload(r->device, kernel->code);
    kernel->code = NULL;
}

/* As the runtime does before each launch (lib/runtime/life.c). */
static void prepare(rig_kernel *kernel)
{
    rig *r = kernel->rig;
    const rk_layout *layout = &kernel->layout;
    const rk_ring *h2k = (const rk_ring *)(kernel->mapped.host + layout->h2k);
    const rk_ring *k2h = (const rk_ring *)(kernel->mapped.host + layout->k2h);
    rk_control *control = kernel->control;
    control->entry = kernel->started ? RK_ENTRY_RESUME : RK_ENTRY_INIT;
    control->fault_kind = 0;
    rk_word_store_release(&control->leased, 0);
    control->launch++;
    rk_loop loop;
    assert_int_equal(r->ops->read(r->device, &kernel->arena, 0, &loop, sizeof loop), RK_OK);
    loop.arrived = 0;
    loop.generation = 0;
    loop.sleepers = 0;
    loop.failed = 0;
    loop.poller_leave = 0;
    loop.lease_left = control->lease_steps;
    loop.op = RK_OP_INIT;
    loop.h2k_head = h2k->head;
    loop.h2k_slots = layout->options.h2k_slots;
    loop.h2k_first = layout->h2k + h2k->slots;
    loop.k2h_tail = k2h->tail;
    loop.k2h_head = k2h->head;
    loop.k2h_slots = layout->options.k2h_slots;
    loop.k2h_first = layout->k2h + k2h->slots;
    loop.seen_tail = loop.h2k_head;
    loop.seen_abort = loop.abort_seen;
    loop.state_told = RK_KERNEL_LAUNCHED;
    assert_int_equal(r->ops->write(r->device, &kernel->arena, 0, &loop, sizeof loop), RK_OK);
    assert_int_equal(
        r->ops->write(r->device, &kernel->arena, sizeof loop, control, sizeof *control), RK_OK);
}

rk_status rig_try_launch(rig_kernel *kernel, rk_err *err)
{
    rig *r = kernel->rig;
    prepare(kernel);
    rk_u32 before = kernel->control->state;
    rk_word_store_release(&kernel->control->state, RK_KERNEL_LAUNCHED);
    atomic_store(&kernel->exits, 0);
    rk_exec_args args = {
        .name = kernel->name,
        .code = kernel->code,
        .arena = &kernel->arena,
        .mapped = &kernel->mapped,
        .lanes = kernel->lanes,
        .units = kernel->units,
        .on_exit = on_exit_counted,
        .context = kernel,
    };
    rk_status status = r->ops->launch(r->device, &args, &kernel->exec, err);
    if (status != RK_OK) {
        kernel->control->state = before;
        kernel->exec = NULL;
    } else {
        kernel->started = true;
    }
    return status;
}

void rig_launch(rig_kernel *kernel)
{
    rk_err err = RK_ERR_INIT;
    must(rig_try_launch(kernel, &err), &err);
}

uint64_t rig_tell(rig_kernel *kernel, uint32_t command, uint64_t argument)
{
    rk_slot slot = {.header = {.id = kernel->next_id++, .type = command}};
    memcpy(slot.payload, &argument, sizeof argument);
    slot.header.length = RK_SLOT_PAYLOAD_BYTES;
    assert_int_equal(rk_ring_push(&kernel->h2k, &slot), RK_OK);
    return slot.header.id;
}

rk_answer rig_await(rig_kernel *kernel, uint64_t id)
{
    uint64_t deadline_ns = rk_clock_deadline_ns(PATIENCE_NS);
    rk_slot slot;
    for (;;) {
        rk_status status = rk_ring_pop(&kernel->k2h, &slot);
        rk_answer answer;
        memcpy(&answer, slot.payload, sizeof answer);
        if (status == RK_OK && slot.header.id == id && answer.level == RK_LEVEL_APPLIED) {
            return answer;
        }
        if (status != RK_OK) {
            assert_int_equal(status, RK_EMPTY);
            if (rk_clock_monotonic_ns() > deadline_ns) {
                fail_msg("kernel '%s' does not answer command %llu", kernel->name,
                         (unsigned long long)id);
            }
            (void)sched_yield(); /* a GPU wakes nobody */
        }
    }
}

rk_answer rig_ask(rig_kernel *kernel, uint32_t command, uint64_t argument)
{
    return rig_await(kernel, rig_tell(kernel, command, argument));
}

void rig_await_exit(rig_kernel *kernel)
{
    const rk_driver_ops *ops = kernel->rig->ops;
    assert_int_equal(ops->wait_exit(kernel->exec, rk_clock_deadline_ns(PATIENCE_NS)), RK_OK);
    assert_true(ops->poll_exit(kernel->exec));
    assert_int_equal(atomic_load(&kernel->exits), 1);
    ops->release(kernel->exec);
    kernel->exec = NULL;
}

void rig_leave(rig_kernel *kernel, uint32_t command)
{
    (void)rig_ask(kernel, command, 0);
    rig_await_exit(kernel);
    assert_int_equal(kernel->control->state,
                     command == RK_CMD_QUIESCE ? RK_KERNEL_PARKED : RK_KERNEL_TERMINATED);
}

void rig_check_cells(rig_kernel *kernel, uint32_t expected)
{
    const rk_layout_field *field = &kernel->layout.field[0];
    uint32_t *cells = malloc(field->bytes);
    assert_non_null(cells);
    assert_int_equal(kernel->rig->ops->read(kernel->rig->device, &kernel->arena, field->offset,
                                            cells, field->bytes),
                     RK_OK);
    for (uint64_t i = 0; i < field->bytes / sizeof *cells; i++) {
        assert_int_equal(cells[i], expected);
    }
    free(cells);
}
