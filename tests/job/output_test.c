/*
 * Files: pictures, tables, summaries; a whole room from job file to folder; faults while writing.
 */
#include "near.h"
#include "reference_wave.h"
#include "room_fixture.h"

#include "base/test_file.h"
#include "base/test_folder.h"
#include "job/canvas.h"
#include "job/colors.h"
#include "job/csv.h"
#include "job/picture.h"
#include "job/png.h"
#include "job/room_output.h"
#include "job/wav.h"

#include <errno.h>
#include <jansson.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[RK_TEST_FOLDER_BYTES];

static int make_folder(void **state)
{
    (void)state;
    rk_test_folder_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    rk_test_folder_remove(folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static char *read_text(const char *name)
{
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(rk_file_read_all(in_folder(name), 64u << 20, &text, &length, NULL), RK_OK);
    return text;
}

/* Reads a picture with libpng's simple interface; the caller frees the pixels. */
static uint8_t *read_png(const char *name, uint32_t *out_width, uint32_t *out_height)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, in_folder(name)));
    image.format = PNG_FORMAT_RGB;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(pixels);
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    *out_width = image.width;
    *out_height = image.height;
    return pixels;
}

static void tables_are_exact_and_escaped(void **state)
{
    (void)state;
    const char *names[] = {"time", "a,b", "c\"d\ne", "f"};
    rk_csv csv;
    assert_int_equal(rk_csv_open(&csv, in_folder("t.csv"), names, 4, NULL), RK_OK);
    rk_csv_number(&csv, 0.1);
    rk_csv_float(&csv, 0.1f);
    rk_csv_number(&csv, 1.0 / 3.0);
    rk_csv_text(&csv, "plain");
    rk_csv_number(&csv, NAN);
    rk_csv_count(&csv, UINT64_MAX);
    rk_csv_float(&csv, 3.4028235e38f);
    rk_csv_text(&csv, "");
    assert_int_equal(rk_csv_commit(&csv, NULL), RK_OK);
    char *text = read_text("t.csv");
    assert_string_equal(text, "time,\"a,b\",\"c\"\"d\ne\",f\n"
                              "0.1,0.1,0.3333333333333333,plain\n"
                              ",18446744073709551615,3.4028235e+38,\n");
    free(text);
}

static void incomplete_tables_do_not_appear(void **state)
{
    (void)state;
    const char *names[] = {"a", "b"};
    rk_csv csv;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_csv_open(&csv, in_folder("u.csv"), names, 2, &err), RK_OK);
    rk_csv_number(&csv, 1.0);
    assert_int_equal(rk_csv_commit(&csv, &err), RK_INVALID);
    assert_contains(err.text, "1 of 2 cells");
    assert_int_not_equal(access(in_folder("u.csv"), F_OK), 0);
    assert_int_equal(rk_csv_open(&csv, in_folder("u.csv"), names, 0, &err), RK_INVALID);
    assert_int_equal(rk_csv_open(&csv, in_folder("none/u.csv"), names, 2, &err), RK_NOT_FOUND);
    assert_contains(err.text, "none/u.csv");
}

static void pixels_survive_the_file(void **state)
{
    (void)state;
    uint8_t rgb[5 * 3 * 3];
    for (size_t i = 0; i < sizeof(rgb); i++) {
        rgb[i] = (uint8_t)(i * 37);
    }
    assert_int_equal(rk_png_write(in_folder("p.png"), rgb, 5, 3, NULL), RK_OK);
    uint32_t width, height;
    uint8_t *pixels = read_png("p.png", &width, &height);
    assert_int_equal(width, 5);
    assert_int_equal(height, 3);
    assert_memory_equal(pixels, rgb, sizeof(rgb));
    free(pixels);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_png_write(in_folder("q.png"), rgb, 0, 3, &err), RK_INVALID);
    assert_int_equal(rk_png_write(in_folder("q.png"), rgb, 1u << 20, 3, &err), RK_INVALID);
}

static double lightness(rk_color c)
{
    double parts[3] = {c.r / 255.0, c.g / 255.0, c.b / 255.0};
    for (int i = 0; i < 3; i++) {
        parts[i] = parts[i] <= 0.04045 ? parts[i] / 12.92 : pow((parts[i] + 0.055) / 1.055, 2.4);
    }
    double y = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    return y > 0.008856 ? 116.0 * cbrt(y) - 16.0 : 903.3 * y;
}

static void colours_are_perceptually_ordered(void **state)
{
    (void)state;
    for (int i = 1; i <= 100; i++) {
        double a = (i - 1) / 100.0;
        double b = i / 100.0;
        assert_true(lightness(rk_color_sequential(b)) > lightness(rk_color_sequential(a)) - 0.2);
        double step = lightness(rk_color_diverging(b)) - lightness(rk_color_diverging(a));
        assert_true(b <= 0.5 ? step > -0.3 : step < 0.3);
    }
    /* Equal distances to both sides of zero look equally heavy. */
    for (double x = 0.0; x <= 0.5; x += 0.1) {
        double low = lightness(rk_color_diverging(0.5 - x));
        double high = lightness(rk_color_diverging(0.5 + x));
        assert_near(low, high, 6.0);
    }
    assert_int_equal(rk_color_diverging(NAN).r, rk_color_diverging(0.5).r);
    assert_int_equal(rk_color_sequential(-3.0).r, rk_color_sequential(0.0).r);
    assert_int_equal(rk_color_sequential(7.0).r, rk_color_sequential(1.0).r);
}

static void ticks_are_round(void **state)
{
    (void)state;
    assert_near(rk_canvas_tick_step(0.0, 6.0, 8), 1.0, 1e-12);
    assert_near(rk_canvas_tick_step(0.0, 0.8, 8), 0.1, 1e-12);
    assert_near(rk_canvas_tick_step(0.0, 1e-5, 4), 2.5e-6, 1e-18);
    assert_near(rk_canvas_tick_step(1.0, 1.0, 4), 1.0, 0.0);
    char text[32];
    rk_canvas_tick_text(text, sizeof(text), 0.30000000000000004, 0.1);
    assert_string_equal(text, "0.3");
    rk_canvas_tick_text(text, sizeof(text), -1e-17, 0.5);
    assert_string_equal(text, "0.0");
    rk_canvas_tick_text(text, sizeof(text), 12.0, 2.0);
    assert_string_equal(text, "12");
    rk_canvas_tick_text(text, sizeof(text), 2e-5, 1e-5);
    assert_string_equal(text, "2e-05");
    assert_true(rk_canvas_text_width(12.0, "WWW") > rk_canvas_text_width(12.0, "iii"));
}

static void drawing_outside_is_cut(void **state)
{
    (void)state;
    rk_canvas canvas;
    rk_color white = {255, 255, 255};
    rk_color red = {255, 0, 0};
    assert_int_equal(rk_canvas_init(&canvas, 20, 10, white, NULL), RK_OK);
    rk_canvas_line(&canvas, -1e9, 5.0, 1e9, 5.0, 2.0, red);
    rk_canvas_line(&canvas, 3.0, -1e30, 3.0, 1e30, 1.0, red);
    rk_canvas_dashes(&canvas, 0.0, 0.0, NAN, 5.0, 1.0, 3.0, red);
    rk_canvas_text(&canvas, -5.0, 30.0, 12.0, RK_ALIGN_CENTER, true, red, "\xc3\xa9~\x01 g");
    rk_canvas_disc(&canvas, 19.0, 9.0, 30.0, red, red);
    assert_int_equal(canvas.rgb[(4 * 20 + 10) * 3], 255);
    assert_int_equal(canvas.rgb[(4 * 20 + 10) * 3 + 1], 0);
    rk_canvas_finish(&canvas);
    assert_int_equal(rk_canvas_init(&canvas, 0, 10, white, NULL), RK_NO_MEMORY);
}

static rk_picture_slice small_slice(const float *values, const uint8_t *cells)
{
    return (rk_picture_slice){.width = 3,
                              .height = 2,
                              .values = values,
                              .cells = cells,
                              .cell_m = 0.5,
                              .scale = RK_PICTURE_DIVERGING,
                              .low = -1.0,
                              .high = 1.0,
                              .title = "t",
                              .u_label = "u",
                              .v_label = "v",
                              .value_label = "w"};
}

static void slices_show_values_and_walls(void **state)
{
    (void)state;
    const float values[6] = {1, 1, 0, 1, 1, -1};
    const uint8_t cells[6] = {0, 0, RK_PICTURE_FURNITURE, 0, 0, 0};
    rk_picture_slice slice = small_slice(values, cells);
    assert_int_equal(rk_picture_write_slice(in_folder("s.png"), &slice, NULL), RK_OK);
    uint32_t width, height;
    uint8_t *pixels = read_png("s.png", &width, &height);
    /*
     * The field is 1000 pixels wide from (84, 62): the lower left cell is red through and through.
     */
    const uint8_t *red = pixels + ((size_t)(62 + 600) * width + 84 + 80) * 3;
    rk_color expected = rk_color_diverging(1.0);
    assert_int_equal(red[0], expected.r);
    assert_int_equal(red[2], expected.b);
    const uint8_t *furniture = pixels + ((size_t)(62 + 500) * width + 84 + 850) * 3;
    assert_true(abs(furniture[0] - furniture[2]) < 30);
    const uint8_t *blue = pixels + ((size_t)(62 + 100) * width + 84 + 960) * 3;
    assert_true(blue[2] > blue[0] + 80);
    free(pixels);
    slice.low = 1.0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_picture_write_slice(in_folder("s2.png"), &slice, &err), RK_INVALID);
    slice.low = -1.0;
    slice.scale = RK_PICTURE_LOGARITHMIC;
    assert_int_equal(rk_picture_write_slice(in_folder("s2.png"), &slice, &err), RK_INVALID);
    slice = small_slice(values, cells);
    slice.width = 0;
    assert_int_equal(rk_picture_write_slice(in_folder("s2.png"), &slice, &err), RK_INVALID);
    assert_int_equal(rk_picture_write_decay(in_folder("d.png"), "t", NULL, 0, 0.0, -60.0, &err),
                     RK_INVALID);
    assert_int_equal(rk_picture_write_decay(in_folder("d.png"), "t", NULL, 0, 1.0, -60.0, &err),
                     RK_OK);
}

static const char small_room[] =
    "  duration: 0.25 s\n"
    "  grid: {dx: 10 cm}\n"
    "  air: {sound_speed: 343 m/s, density: 1.2 kg/m3}\n"
    "  geometry:\n"
    "    size: [3, 2.4, 2]\n"
    "    surfaces: {floor: even, ceiling: even, walls: even}\n"
    "  materials: {even: {absorption: 0.4}}\n"
    "  furniture: [{name: box, from: [1, 1, 0], to: [1.5, 1.4, 0.8], material: wood}]\n"
    "  sources: [{name: clap, position: [0.6, 0.5, 1.2], signal: clap}]\n"
    "  receivers:\n"
    "  - {name: near, position: [1.1, 0.6, 1.2]}\n"
    "  - {name: far, position: [2.6, 2, 0.6]}\n"
    "  slices:\n"
    "  - {name: plan, axis: z, position: 0.6, times: [5 ms, 20 ms]}\n"
    "  - {name: side, axis: x, position: 1.2, times: [10 ms], show: level}\n"
    "  - {name: front, axis: y, position: 1.2, times: [10 ms], show: energy}\n";

typedef struct whole {
    rk_job job;
    rk_room_grid grid;
    float *source;
    float *receivers[2];
    double end_s;
    rk_report report;
} whole;

static void draw_planes(void *context, uint64_t step, const float *p)
{
    whole *w = context;
    for (size_t s = 0; s < w->grid.plane_count; s++) {
        for (size_t i = 0; i < w->grid.planes[s].step_count; i++) {
            if (w->grid.planes[s].steps[i] == step) {
                assert_int_equal(rk_room_write_slice(w->job.room, &w->grid, s, step, p, folder,
                                                     &w->report, NULL),
                                 RK_OK);
            }
        }
    }
}

static void start_whole(whole *w)
{
    memset(w, 0, sizeof(*w));
    room_grid(small_room, &w->job, &w->grid);
    size_t bytes = w->grid.step_count * sizeof(float);
    w->source = malloc(bytes);
    w->receivers[0] = malloc(bytes);
    w->receivers[1] = malloc(bytes);
    assert_true(w->source && w->receivers[0] && w->receivers[1]);
    assert_int_equal(rk_room_source_samples(w->job.room, &w->grid, 0, w->source, &w->end_s, NULL),
                     RK_OK);
    assert_int_equal(rk_report_init(&w->report, w->job.name, "cpu", "wave3d"), RK_OK);
    rk_report_set_room(&w->report, w->job.room, &w->grid);
}

static void finish_whole(whole *w)
{
    rk_report_finish(&w->report);
    free(w->source);
    free(w->receivers[0]);
    free(w->receivers[1]);
    rk_room_grid_finish(&w->grid);
    rk_job_finish(&w->job);
}

static void check_json(const char *text, const whole *w)
{
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "steps")), w->grid.step_count);
    assert_int_equal(json_integer_value(json_object_get(root, "cells")), w->grid.cell_count);
    assert_near(json_real_value(json_object_get(root, "seconds")), 2.0, 1e-9);
    assert_near(json_real_value(json_object_get(root, "rt60_s")), w->report.rt60_s, 1e-9);
    assert_true(json_is_true(json_object_get(root, "complete")));
    json_t *outputs = json_object_get(root, "outputs");
    assert_int_equal(json_array_size(outputs), w->report.output_count);
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const char *file = json_string_value(json_object_get(json_array_get(outputs, i), "file"));
        assert_non_null(file);
        struct stat info;
        assert_int_equal(stat(in_folder(file), &info), 0);
        assert_true(info.st_size > 0);
    }
    json_t *receivers = json_object_get(root, "receivers");
    assert_int_equal(json_array_size(receivers), 2);
    json_t *first = json_array_get(receivers, 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "near");
    assert_true(json_real_value(json_object_get(first, "t20_s")) > 0.05);
    assert_int_equal(json_array_size(json_object_get(first, "bands")), 3);
    json_decref(root);
}

static void a_room_from_job_file_to_folder(void **state)
{
    (void)state;
    whole w;
    start_whole(&w);
    float *receivers[2] = {w.receivers[0], w.receivers[1]};
    reference_wave_run(&w.grid, &w.source, receivers, draw_planes, &w);
    w.report.seconds = 2.0;
    w.report.steps = w.grid.step_count;
    w.report.complete = true;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_room_write_receivers(w.job.room, &w.grid, (const float *const *)receivers,
                                             w.grid.step_count, 0.0, w.end_s, folder, &w.report,
                                             &err),
                     RK_OK);
    assert_int_equal(rk_report_write(&w.report, folder, &err), RK_OK);
    assert_string_equal(w.report.rt60_from, "T30");
    /* The formulas of an absorbing small room are rough; the order of magnitude must be right. */
    assert_true(w.report.rt60_s > 0.5 * w.report.eyring_s &&
                w.report.rt60_s < 2.0 * w.report.eyring_s);
    char *json = read_text("summary.json");
    check_json(json, &w);
    free(json);
    char *text = read_text("summary.txt");
    assert_contains(text, "RT60 0.");
    assert_contains(text, "near.wav");
    assert_contains(text, "Eyring");
    free(text);
    rk_wav wav = {0};
    assert_int_equal(rk_wav_read(in_folder("near.wav"), &wav, &err), RK_OK);
    assert_int_equal(wav.rate_hz, 44100);
    assert_near((double)wav.frames / 44100.0, 0.25, 1e-3);
    float peak = 0.0f;
    for (uint64_t i = 0; i < wav.frames; i++) {
        peak = fmaxf(peak, fabsf(wav.samples[i]));
    }
    assert_near(peak, 0.9, 0.05);
    rk_wav_finish(&wav);
    char *csv = read_text("receivers.csv");
    assert_contains(csv, "time_s,near_pa,far_pa\n");
    size_t lines = 0;
    for (const char *at = csv; *at; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, w.grid.step_count + 1);
    free(csv);
    finish_whole(&w);
}

static void silent_and_diverged_receivers(void **state)
{
    (void)state;
    whole w;
    start_whole(&w);
    memset(w.receivers[0], 0, w.grid.step_count * sizeof(float));
    memset(w.receivers[1], 0, w.grid.step_count * sizeof(float));
    const float *receivers[2] = {w.receivers[0], w.receivers[1]};
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_room_write_receivers(w.job.room, &w.grid, receivers, w.grid.step_count, 0.0,
                                             w.end_s, folder, &w.report, &err),
                     RK_OK);
    rk_str out;
    rk_str_init(&out, 1u << 20);
    assert_int_equal(rk_report_append_json(&w.report, &out), RK_OK);
    assert_contains(rk_str_cstr(&out), "\"rt60_s\":null");
    assert_contains(rk_str_cstr(&out), "silent");
    rk_str_reset(&out);
    assert_int_equal(rk_report_append_text(&w.report, &out), RK_OK);
    assert_contains(rk_str_cstr(&out), "could not be measured");
    assert_contains(rk_str_cstr(&out), "stopped early");
    rk_str_finish(&out);
    w.receivers[1][77] = NAN;
    assert_int_equal(rk_room_write_receivers(w.job.room, &w.grid, receivers, w.grid.step_count, 0.0,
                                             w.end_s, folder, &w.report, &err),
                     RK_INVALID);
    assert_contains(err.text, "'far'");
    assert_contains(err.text, "step 78");
    /* Nothing to do without steps: a run that was stopped at once. */
    assert_int_equal(rk_room_write_receivers(w.job.room, &w.grid, receivers, 0, 0.0, 0.0, folder,
                                             &w.report, &err),
                     RK_OK);
    finish_whole(&w);
}

/* Every operation of writing a picture and a table fails once: no half file, a sentence each. */
static void faults_leave_no_half_files(void **state)
{
    (void)state;
    const float values[6] = {1, 1, 0, 1, 1, -1};
    const uint8_t cells[6] = {0};
    rk_picture_slice slice = small_slice(values, cells);
    rk_test_files files;
    rk_test_files_install(&files);
    for (uint64_t n = 1;; n++) {
        char name[32];
        snprintf(name, sizeof(name), "f%d.png", (int)n);
        rk_test_files_arm(&files, n, RK_TEST_FAULT_BROKEN, ENOSPC);
        rk_err err = RK_ERR_INIT;
        rk_status status = rk_picture_write_slice(in_folder(name), &slice, &err);
        bool struck = rk_test_files_struck(&files);
        rk_test_files_arm(&files, 0, RK_TEST_FAULT_NONE, 0);
        if (!struck) {
            assert_int_equal(status, RK_OK);
            break;
        }
        if (status != RK_OK) {
            assert_contains(err.text, folder);
        }
        uint32_t width, height;
        if (access(in_folder(name), F_OK) == 0) {
            free(read_png(name, &width, &height));
        }
    }
    rk_test_files_remove(&files);
}

/* Whole numbers have no shades between them: each cell has one colour up to its edge. */
static void nearest_cells_have_one_color(void **state)
{
    (void)state;
    const float values[2] = {0.0f, 1.0f};
    const uint8_t cells[2] = {RK_PICTURE_FLUID, RK_PICTURE_FLUID};
    for (int nearest = 0; nearest < 2; nearest++) {
        rk_picture_slice slice = small_slice(values, cells);
        slice.width = 2;
        slice.height = 1;
        slice.scale = RK_PICTURE_SEQUENTIAL;
        slice.low = 0.0;
        slice.high = 1.0;
        slice.nearest = nearest != 0;
        assert_int_equal(rk_picture_write_slice(in_folder("nearest.png"), &slice, NULL), RK_OK);
        uint32_t width, height;
        uint8_t *pixels = read_png("nearest.png", &width, &height);
        /* The field is 1000 pixels wide and begins at (84, 62). */
        const uint8_t *row = pixels + (size_t)(62 + 250) * width * 3;
        const uint8_t *left = row + 3 * (84 + 100);
        assert_memory_not_equal(left, left + 3 * 800, 3);
        assert_int_equal(memcmp(left, left + 3 * 390, 3) == 0, nearest);
        free(pixels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_exact_and_escaped),
        cmocka_unit_test(incomplete_tables_do_not_appear),
        cmocka_unit_test(pixels_survive_the_file),
        cmocka_unit_test(colours_are_perceptually_ordered),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(drawing_outside_is_cut),
        cmocka_unit_test(slices_show_values_and_walls),
        cmocka_unit_test(a_room_from_job_file_to_folder),
        cmocka_unit_test(silent_and_diverged_receivers),
        cmocka_unit_test(faults_leave_no_half_files),
        cmocka_unit_test(nearest_cells_have_one_color),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
