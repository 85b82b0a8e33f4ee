/*
 * Job files: what a good one becomes, every refusal with its place, the examples, the reference.
 *
 * With RK_UPDATE=1 in the environment the reference test writes docs/jobfile.md and the example
 * sound instead of comparing them.
 */
#include "near.h"

#include "base/file.h"
#include "base/test_folder.h"
#include "job/jobfile.h"
#include "job/room.h"
#include "job/signal.h"
#include "job/wav.h"

#include <stdio.h>
#include <stdlib.h>

static rk_status parse(const char *text, rk_job *out, rk_err *err)
{
    return rk_job_parse(text, strlen(text), "t.yaml", "folder", out, err);
}

static void good(const char *text, rk_job *out)
{
    rk_err err = RK_ERR_INIT;
    if (parse(text, out, &err) != RK_OK) {
        print_error("%s\n", err.text);
        fail();
    }
}

static void a_job_of_kernels(void **state)
{
    (void)state;
    rk_job job;
    good("job: demo\n"
         "output: out/demo\n"
         "kernels:\n"
         "  - name: heat\n"
         "    module: heat3d\n"
         "    blocks: 4\n"
         "    device: cpu:1\n"
         "    params: {nx: 64, kappa: 1e-4, mode: fast, text: '12'}\n"
         "    fields: {temperature: 20, source: data/source.f32}\n"
         "    run: {steps: 500}\n"
         "    restart: on-fault\n"
         "    routes: [sink]\n"
         "    variant: f64\n"
         "    outputs:\n"
         "      - {field: temperature, format: png, at: [100, 500], axis: x, index: 3}\n"
         "      - {field: temperature}\n"
         "  - {name: sink, module: ./my.rkm}\n"
         "commands:\n"
         "  - {at: 100, kernel: heat, command: inject, args: [1, 'a b']}\n"
         "  - {kernel: sink, command: ping}\n",
         &job);
    assert_string_equal(job.name, "demo");
    assert_string_equal(job.device, "cpu");
    assert_string_equal(job.output, "out/demo");
    assert_string_equal(job.folder, "folder");
    assert_int_equal(job.kernel_count, 2);
    const rk_job_kernel *heat = &job.kernels[0];
    assert_string_equal(heat->module, "heat3d");
    assert_string_equal(heat->device, "cpu:1");
    assert_int_equal(heat->blocks, 4);
    assert_int_equal(heat->steps, 500);
    assert_int_equal(heat->restart, RK_JOB_RESTART_ON_FAULT);
    assert_int_equal(heat->param_count, 4);
    assert_string_equal(heat->params[1].name, "kappa");
    assert_near(heat->params[1].number, 1e-4, 0.0);
    assert_true(isnan(heat->params[2].number));
    assert_string_equal(heat->params[2].text, "fast");
    assert_true(isnan(heat->params[3].number));
    assert_near(heat->fields[0].number, 20.0, 0.0);
    assert_string_equal(heat->fields[1].text, "data/source.f32");
    assert_string_equal(heat->routes[0], "sink");
    assert_string_equal(heat->variant, "f64");
    assert_int_equal(heat->output_count, 2);
    assert_int_equal(heat->outputs[0].format, RK_JOB_PNG);
    assert_int_equal(heat->outputs[0].step_count, 2);
    assert_near(heat->outputs[0].steps[1], 500, 0.0);
    assert_int_equal(heat->outputs[0].axis, RK_ROOM_X);
    assert_near(heat->outputs[0].index, 3, 0.0);
    assert_int_equal(heat->outputs[1].format, RK_JOB_RAW);
    assert_int_equal(heat->outputs[1].step_count, 0);
    assert_true(isnan(heat->outputs[1].index));
    assert_null(job.kernels[1].device);
    assert_int_equal(job.kernels[1].steps, 0);
    assert_int_equal(job.command_count, 2);
    assert_int_equal(job.commands[0].step, 100);
    assert_int_equal(job.commands[0].arg_count, 2);
    assert_string_equal(job.commands[0].args[1], "a b");
    assert_int_equal(job.commands[1].step, 0);
    assert_null(job.room);
    assert_int_equal(heat->mark.line, 4);
    rk_job_finish(&job);
}

static const char room_head[] = "job: r\n"
                                "room:\n"
                                "  duration: 1 s\n"
                                "  grid: {dx: 5 cm}\n"
                                "  geometry: {size: [5, 4 m, 280 cm], surfaces: {walls: wood}}\n"
                                "  sources: [{name: s, position: [1, 1, 1]}]\n";

static void defaults_of_a_room(void **state)
{
    (void)state;
    rk_job job;
    good(room_head, &job);
    const rk_room_spec *room = job.room;
    assert_non_null(room);
    assert_string_equal(room->file, "t.yaml");
    assert_near(room->duration_s, 1.0, 0.0);
    assert_near(room->grid.dx_m, 0.05, 1e-15);
    assert_true(isnan(room->grid.frequency_hz) && isnan(room->grid.dt_s));
    assert_near(room->grid.courant, 0.99, 1e-15);
    assert_near(room->grid.points_per_wavelength, 8.0, 0.0);
    assert_int_equal(room->grid.memory_limit_bytes, 2ull << 30);
    assert_near(room->air.temperature_c, 20.0, 0.0);
    assert_true(isnan(room->air.density_kg_m3));
    assert_int_equal(room->geometry.shape, RK_ROOM_BOX);
    assert_near(room->geometry.size.z, 2.8, 1e-12);
    assert_near(room->report.wav_rate_hz, 44100.0, 0.0);
    assert_true(room->report.bands && room->report.csv);
    assert_int_equal(room->sources[0].signal, RK_ROOM_RICKER);
    assert_near(room->sources[0].level_pa, 1.0, 0.0);
    assert_int_equal(room->sources[0].channel, 1);
    assert_int_equal(room->receiver_count, 0);
    assert_int_equal(room->surface_count, 1);
    assert_string_equal(room->surfaces[0].material, "wood");
    rk_job_finish(&job);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    rk_job job;
    good("\xef\xbb\xbfjob: marked\nkernels:\n  - {name: e, module: echo}\n", &job);
    assert_string_equal(job.name, "marked");
    rk_job_finish(&job);
}

static void refuse(const char *text, rk_status code, const char *part)
{
    rk_job job;
    rk_err err = RK_ERR_INIT;
    rk_status status = parse(text, &job, &err);
    if (status == RK_OK) {
        rk_job_finish(&job);
    }
    if (status != code) {
        print_error("%d for %s: %s\n", status, text, err.text);
    }
    assert_int_equal(status, code);
    assert_contains(err.text, "t.yaml:");
    assert_contains(err.text, part);
}

#define KERNEL "kernels: [{name: a, module: echo}]\n"

static void refusals_name_place_and_remedy(void **state)
{
    (void)state;
    refuse("job: x\n", RK_INVALID, "does nothing");
    refuse(KERNEL, RK_INVALID, "'job' is missing");
    refuse("job: x\nkernel: 1\n" KERNEL, RK_NOT_FOUND,
           "t.yaml:2:1: there is no key 'kernel' here; did you mean 'kernels'?");
    refuse("job: x\nwhatever: 1\n" KERNEL, RK_NOT_FOUND, "known are job, device");
    refuse("job: [x]\n" KERNEL, RK_SYNTAX, "job: a text is expected here, not a list");
    refuse("job: a/b\n" KERNEL, RK_INVALID, "'a/b' is not a name");
    refuse("job: ''\n" KERNEL, RK_INVALID, "empty");
    refuse("job:\n" KERNEL, RK_SYNTAX, "no value");
    refuse("job: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" KERNEL, RK_LIMIT,
           "48");
    refuse("- 1\n", RK_SYNTAX, "a section (key: value) is expected here, not a list");
    refuse("job: x\nkernels: {}\n", RK_SYNTAX, "kernels: a list of entries");
    refuse("job: x\nkernels: [{name: a}]\n", RK_INVALID, "kernels[0]: the key 'module' is missing");
    refuse("job: x\nkernels: [{name: a, module: echo, blocks: 1.5}]\n", RK_INVALID,
           "kernels[0].blocks: 1.5 is not a whole number");
    refuse("job: x\nkernels: [{name: a, module: echo, blocks: -1}]\n", RK_INVALID, "outside");
    refuse("job: x\nkernels: [{name: a, module: echo, run: {stps: 1}}]\n", RK_NOT_FOUND,
           "kernels[0].run: there is no key 'stps' here; did you mean 'steps'?");
    refuse("job: x\nkernels: [{name: a, module: echo, restart: on-falt}]\n", RK_INVALID,
           "did you mean 'on-fault'?");
    refuse("job: x\nkernels:\n- {name: a, module: echo}\n- {name: a, module: echo}\n", RK_INVALID,
           "taken by the entry in line 3");
    refuse("job: x\nkernels: [{name: a, module: echo, routes: [b]}]\n", RK_INVALID,
           "no kernel 'b'");
    refuse("job: x\n" KERNEL "commands: [{kernel: aa, command: ping}]\n", RK_INVALID,
           "did you mean 'a'?");
    refuse("job: x\nkernels: [{name: a, module: echo, params: {x: [1]}}]\n", RK_SYNTAX,
           "kernels[0].params.x: a text is expected");
    refuse("job: x\nkernels: [{name: a, module: \"e\\x01\"}]\n", RK_INVALID, "control");
}

static void refuse_in_room(const char *line, rk_status code, const char *part)
{
    char text[2048];
    snprintf(text, sizeof(text), "%s%s\n", room_head, line);
    refuse(text, code, part);
}

static void refusals_in_a_room(void **state)
{
    (void)state;
    refuse_in_room("  air: {temperature: 20 m}", RK_INVALID,
                   "t.yaml:7:22: room.air.temperature: '20 m': m is a unit of length");
    refuse_in_room("  air: {sound_speed: fast}", RK_SYNTAX, "'fast' is not a number");
    refuse_in_room("  report: {bands: maybe}", RK_INVALID, "neither yes nor no");
    refuse_in_room("  slices: [{name: a, axis: w, position: 1, times: [1]}]", RK_INVALID,
                   "not one of x, y, z");
    refuse_in_room("  slices: [{name: a, position: 1, times: 1}]", RK_SYNTAX, "a list");
    refuse_in_room("  slices: [{name: a, position: 1, times: [1, 2 Hz]}]", RK_INVALID,
                   "slices[0].times[1]: '2 Hz': Hz is a unit of frequency");
    refuse_in_room("  materials: {thing: {absorbtion: 0.3}}", RK_NOT_FOUND,
                   "room.materials.thing: there is no key 'absorbtion' here; did you mean "
                   "'absorption'?");
    refuse_in_room("  materials: {thing: {absorption: 1.3}}", RK_INVALID, "outside 0 .. 1");
    refuse_in_room("  duration: 1", RK_EXISTS, "twice, first in line 3");
    refuse_in_room("kernels: [{name: room, module: echo}]", RK_INVALID, "'room' belongs to");
    refuse_in_room("commands: [{kernel: rom, command: pause}]", RK_INVALID, "did you mean 'room'?");
    refuse_in_room("  receivers: [{name: a b, position: [1, 1, 1]}]", RK_INVALID, "not a name");
}

static void every_cut_of_a_good_file_is_handled(void **state)
{
    (void)state;
    size_t length = strlen(room_head);
    for (size_t cut = 0; cut < length; cut++) {
        char *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part, room_head, cut);
        rk_job job;
        rk_err err = RK_ERR_INIT;
        if (rk_job_parse(part, cut, "t.yaml", NULL, &job, &err) == RK_OK) {
            rk_job_finish(&job);
        } else {
            assert_contains(err.text, "t.yaml");
        }
        free(part);
    }
}

static void source_path(char *out, size_t size, const char *name)
{
    const char *root = getenv("RK_SOURCE_DIR");
    snprintf(out, size, "%s/%s", root ? root : ".", name);
}

static void examples_are_valid(void **state)
{
    (void)state;
    static const char *const names[] = {"examples/room.yaml", "examples/empty-room.yaml"};
    for (size_t i = 0; i < 2; i++) {
        char path[1024];
        source_path(path, sizeof(path), names[i]);
        rk_job job;
        rk_err err = RK_ERR_INIT;
        rk_room_grid grid = {0};
        if (rk_job_read(path, &job, &err) != RK_OK ||
            rk_room_build(job.room, &grid, &err) != RK_OK) {
            print_error("%s\n", err.text);
            fail();
        }
        /* A minute at 300 million cells per second. */
        assert_true((double)grid.cell_count * (double)grid.step_count < 60.0 * 300e6 * 1.05);
        float *samples = calloc(grid.step_count, sizeof(*samples));
        assert_non_null(samples);
        double end_s = 0.0;
        for (size_t s = 0; s < grid.source_count; s++) {
            if (rk_room_source_samples(job.room, &grid, s, samples, &end_s, &err) != RK_OK) {
                print_error("%s\n", err.text);
                fail();
            }
            assert_true(end_s > 0.0 && end_s < 0.06);
        }
        free(samples);
        rk_room_grid_finish(&grid);
        rk_job_finish(&job);
    }
}

/* examples/clap.wav: 10 ms of silence, then the built-in clap with seed 3. */
static void the_example_sound_is_the_built_in_clap(void **state)
{
    (void)state;
    enum { COUNT = 11025, SILENCE = 441 };
    char path[1024];
    source_path(path, sizeof(path), "examples/clap.wav");
    float *samples = calloc(COUNT, sizeof(*samples));
    assert_non_null(samples);
    rk_signal_clap(samples + SILENCE, COUNT - SILENCE, 44100.0, 3);
    if (getenv("RK_UPDATE")) {
        assert_int_equal(rk_wav_write(path, samples, COUNT, 1, 44100, RK_WAV_PCM16, NULL), RK_OK);
    }
    rk_wav wav = {0};
    assert_int_equal(rk_wav_read(path, &wav, NULL), RK_OK);
    assert_int_equal(wav.frames, COUNT);
    assert_int_equal(wav.rate_hz, 44100);
    for (size_t i = 0; i < COUNT; i++) {
        assert_near(wav.samples[i], samples[i], 1e-4);
    }
    rk_wav_finish(&wav);
    free(samples);
}

static void the_reference_is_up_to_date(void **state)
{
    (void)state;
    char path[1024];
    source_path(path, sizeof(path), "docs/jobfile.md");
    rk_str docs;
    rk_str_init(&docs, 1u << 20);
    assert_int_equal(rk_job_append_docs(&docs), RK_OK);
    if (getenv("RK_UPDATE")) {
        assert_int_equal(rk_file_replace(path, docs.data, docs.length, NULL), RK_OK);
    }
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(rk_file_read_all(path, 1u << 20, &text, &length, NULL), RK_OK);
    if (strcmp(text, rk_str_cstr(&docs)) != 0) {
        print_error("docs/jobfile.md is out of date: run this test with RK_UPDATE=1\n");
        fail();
    }
    free(text);
    rk_str_finish(&docs);
}

static void files_are_found_and_missed(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char path[512];
    snprintf(path, sizeof(path), "%s/a.yaml", folder);
    rk_job job;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_job_read(path, &job, &err), RK_NOT_FOUND);
    assert_contains(err.text, "a.yaml");
    assert_int_equal(rk_file_replace(path, room_head, strlen(room_head), &err), RK_OK);
    assert_int_equal(rk_job_read(path, &job, &err), RK_OK);
    assert_string_equal(job.folder, folder);
    assert_string_equal(job.file, path);
    rk_job_finish(&job);
    rk_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_of_kernels),
        cmocka_unit_test(defaults_of_a_room),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(refusals_name_place_and_remedy),
        cmocka_unit_test(refusals_in_a_room),
        cmocka_unit_test(every_cut_of_a_good_file_is_handled),
        cmocka_unit_test(examples_are_valid),
        cmocka_unit_test(the_example_sound_is_the_built_in_clap),
        cmocka_unit_test(the_reference_is_up_to_date),
        cmocka_unit_test(files_are_found_and_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
