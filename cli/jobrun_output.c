/*
 * jobrun_output.c: fields of a kernel as files: raw bytes, tables, pictures.
 */
#include "cli/jobrun.h"

#include "base/compiler.h"
#include "base/file.h"
#include "cli/cli.h"
#include "job/csv.h"
#include "job/picture.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (1u << 20)
#define PICTURE_SIDE_MAX 8192u
#define CSV_ELEMENTS_MAX (10u * 1000u * 1000u)

/* A field as an array: dimensions, slowest first. */
typedef struct field_view {
    const char *name;
    uint64_t dimensions[RK_SCHEMA_DIMENSION_MAX];
    uint32_t dimension_count;
    uint32_t type;
    uint32_t bytes; /* of an element */
    uint64_t elements;
} field_view;

static const char *const suffixes[] = {
    [RK_JOB_RAW] = "raw", [RK_JOB_CSV] = "csv", [RK_JOB_PNG] = "png"};

static rk_status look_at(const rk_part *part, const char *field, field_view *out, rk_err *err)
{
    *out = (field_view){.name = field};
    rk_status status = rk_kernel_field_shape(part->kernel, field, out->dimensions,
                                             &out->dimension_count, &out->type, err);
    if (status == RK_OK) {
        status = rk_kernel_field_size(part->kernel, field, &out->elements, &out->bytes, err);
    }
    return status;
}

/* Length of the axis x (0), y (1) or z (2), from the fastest dimension on; 1 beyond the last. */
static uint64_t side(const field_view *view, unsigned axis)
{
    return axis < view->dimension_count ? view->dimensions[view->dimension_count - 1 - axis] : 1;
}

/* ---- Checks, before anything runs ----------------------------------------------------------- */

static rk_status check_picture(const rk_job_output *output, const field_view *view, rk_err *err)
{
    if (view->dimension_count < 2 || view->dimension_count > 3) {
        return rk_err_set(
            err, RK_INVALID,
            "a picture needs a field of two or three dimensions, but '%s' has %u; use "
            "format csv or raw",
            view->name, view->dimension_count);
    }
    for (unsigned axis = 0; axis < 3; axis++) {
        if (side(view, axis) > PICTURE_SIDE_MAX) {
            return rk_err_set(err, RK_LIMIT,
                              "field '%s' is too large for a picture: at most %u cells on a side",
                              view->name, PICTURE_SIDE_MAX);
        }
    }
    uint64_t length = side(view, (unsigned)output->axis);
    if (!isnan(output->index) && (output->index >= (double)length || output->index < 0)) {
        return rk_err_set(err, RK_INVALID,
                          "index %g is outside field '%s': %" PRIu64 " cells along %c",
                          output->index, view->name, length, "xyz"[output->axis]);
    }
    return RK_OK;
}

static rk_status check_one(const rk_part *part, const rk_job_output *output, rk_err *err)
{
    field_view view;
    rk_status status = look_at(part, output->field, &view, err);
    if (status != RK_OK) {
        return status;
    }
    for (size_t i = 0; i < output->step_count; i++) {
        double step = output->steps[i];
        if (step != floor(step) || step < 0 || step > 0x1p53) {
            return rk_err_set(err, RK_INVALID, "'at' takes whole numbers of steps, not %g", step);
        }
        if (part->steps > 0 && step > (double)part->steps) {
            return rk_err_set(err, RK_INVALID,
                              "the output is for step %.0f, but kernel '%s' ends "
                              "after %" PRIu64 " steps",
                              step, part->name, part->steps);
        }
    }
    if (output->format == RK_JOB_CSV && view.elements > CSV_ELEMENTS_MAX) {
        return rk_err_set(err, RK_LIMIT,
                          "field '%s' has %" PRIu64 " elements, too many for a table "
                          "of at most %u rows; use format raw",
                          view.name, view.elements, CSV_ELEMENTS_MAX);
    }
    return output->format == RK_JOB_PNG ? check_picture(output, &view, err) : RK_OK;
}

rk_status rk_jobrun_check_outputs(rk_jobrun *run, rk_part *part, rk_err *err)
{
    for (size_t i = 0; i < part->spec->output_count; i++) {
        const rk_job_output *output = &part->spec->outputs[i];
        if (check_one(part, output, err) != RK_OK) {
            return rk_err_prefix(err, "%s:%u:%u: ", run->job->file, output->mark.line,
                                 output->mark.column);
        }
    }
    return RK_OK;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Calls take with the elements of a field, piece by piece. */
typedef rk_status (*take_fn)(void *context, const field_view *view, uint64_t first, uint64_t count,
                             const uint8_t *data, rk_err *err);

static rk_status read_pieces(rk_part *part, const field_view *view, take_fn take, void *context,
                             rk_err *err)
{
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (chunk == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to write field '%s'", view->name);
    }
    uint64_t at_once = CHUNK_BYTES / view->bytes;
    rk_status status = RK_OK;
    for (uint64_t at = 0; at < view->elements && status == RK_OK; at += at_once) {
        uint64_t count = RK_MIN(at_once, view->elements - at);
        status = rk_jobrun_read_field(part, view->name, at, count, chunk, err);
        if (status == RK_OK) {
            status = take(context, view, at, count, chunk, err);
        }
    }
    free(chunk);
    return status;
}

static double number_at(const field_view *view, const uint8_t *data, uint64_t index)
{
    uint64_t slot = 0;
    memcpy(&slot, data + index * view->bytes, view->bytes);
    return rk_param_number(view->type, slot);
}

static rk_status take_raw(void *context, const field_view *view, uint64_t first, uint64_t count,
                          const uint8_t *data, rk_err *err)
{
    (void)first;
    return rk_file_writer_append(context, data, count * view->bytes, err);
}

static rk_status write_raw(rk_part *part, const field_view *view, const char *path, rk_err *err)
{
    rk_file_writer writer;
    rk_status status = rk_file_writer_open(&writer, path, 0644, err);
    if (status == RK_OK) {
        status = read_pieces(part, view, take_raw, &writer, err);
        if (status == RK_OK) {
            return rk_file_writer_commit(&writer, err);
        }
        rk_file_writer_abandon(&writer);
    }
    return status;
}

static rk_status take_rows(void *context, const field_view *view, uint64_t first, uint64_t count,
                           const uint8_t *data, rk_err *err)
{
    (void)err; /* a failure stays in the table until its commit */
    rk_csv *csv = context;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t index[RK_SCHEMA_DIMENSION_MAX];
        uint64_t rest = first + i;
        for (uint32_t d = view->dimension_count; d > 0; d--) {
            index[d - 1] = rest % view->dimensions[d - 1];
            rest /= view->dimensions[d - 1];
        }
        for (uint32_t d = 0; d < view->dimension_count; d++) {
            rk_csv_count(csv, index[d]);
        }
        if (view->type == RK_TYPE_F32) {
            rk_csv_float(csv, (float)number_at(view, data, i));
        } else {
            rk_csv_number(csv, number_at(view, data, i));
        }
    }
    return csv->status;
}

static rk_status write_csv(rk_part *part, const field_view *view, const char *path, rk_err *err)
{
    static const char *const usual[] = {"x", "y", "z"};
    static const char *const many[] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"};
    const char *names[RK_SCHEMA_DIMENSION_MAX + 1];
    uint32_t count = view->dimension_count;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = count <= 3 ? usual[count - 1 - i] : many[i];
    }
    names[count] = view->name;
    rk_csv csv;
    rk_status status = rk_csv_open(&csv, path, names, count + 1, err);
    if (status != RK_OK) {
        return status;
    }
    status = read_pieces(part, view, take_rows, &csv, err);
    if (status == RK_OK || csv.status != RK_OK) {
        return rk_csv_commit(&csv, err);
    }
    rk_csv_abandon(&csv);
    return status;
}

/* A plane across an axis: which axes run to the right and up, and where it is. */
typedef struct plane {
    unsigned right, up, across;
    uint64_t index;
    uint32_t width, height;
} plane;

static plane plane_of(const rk_job_output *output, const field_view *view)
{
    plane p = {.across = (unsigned)output->axis};
    p.right = p.across == 0 ? 1 : 0;
    p.up = p.across == 2 ? 1 : 2;
    if (view->dimension_count == 2) {
        p = (plane){.right = 0, .up = 1, .across = 2};
    }
    p.width = (uint32_t)side(view, p.right);
    p.height = (uint32_t)side(view, p.up);
    p.index = isnan(output->index) ? side(view, p.across) / 2 : (uint64_t)output->index;
    return p;
}

static rk_status read_plane(rk_part *part, const field_view *view, const plane *p, float *out,
                            rk_err *err)
{
    uint64_t strides[3] = {1, side(view, 0), side(view, 0) * side(view, 1)};
    uint64_t pieces = p->right == 0 ? p->width : 1; /* cells that lie in a row */
    uint8_t *row = malloc((size_t)p->width * view->bytes);
    rk_status status =
        row != NULL ? RK_OK : rk_err_set(err, RK_NO_MEMORY, "no memory for a picture");
    for (uint64_t j = 0; j < p->height && status == RK_OK; j++) {
        for (uint64_t i = 0; i < p->width && status == RK_OK; i += pieces) {
            uint64_t at =
                i * strides[p->right] + j * strides[p->up] + p->index * strides[p->across];
            status = rk_jobrun_read_field(part, view->name, at, pieces, row + i * view->bytes, err);
        }
        for (uint64_t i = 0; i < p->width && status == RK_OK; i++) {
            out[j * p->width + i] = (float)number_at(view, row, i);
        }
    }
    free(row);
    return status;
}

static void set_scale(rk_picture_slice *picture, size_t count)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(picture->values[i])) {
            low = fmin(low, (double)picture->values[i]);
            high = fmax(high, (double)picture->values[i]);
        }
    }
    if (low > high) {
        low = high = 0.0; /* nothing finite */
    }
    if (low < 0.0 && high > 0.0) {
        picture->scale = RK_PICTURE_DIVERGING;
        picture->high = fmax(-low, high);
        picture->low = -picture->high;
    } else {
        picture->scale = RK_PICTURE_SEQUENTIAL;
        picture->low = low;
        picture->high = high > low ? high : low + 1.0;
    }
}

static rk_status write_png(rk_part *part, const rk_job_output *output, const field_view *view,
                           uint64_t step, const char *path, rk_err *err)
{
    static const char *const labels[] = {"x (cells)", "y (cells)", "z (cells)"};
    plane p = plane_of(output, view);
    size_t count = (size_t)p.width * p.height;
    float *values = malloc(count * sizeof *values);
    uint8_t *cells = calloc(count, 1); /* all of one kind */
    rk_status status = values != NULL && cells != NULL
                           ? read_plane(part, view, &p, values, err)
                           : rk_err_set(err, RK_NO_MEMORY, "no memory for a picture");
    if (status == RK_OK) {
        char title[160];
        snprintf(title, sizeof title, "%s: %s after %" PRIu64 " steps", part->name, view->name,
                 step);
        const rk_schema *schema = rk_module_schema(part->module);
        const rk_schema_field *field = &schema->fields[rk_schema_find_field(schema, view->name)];
        char value_label[160];
        snprintf(value_label, sizeof value_label, "%s%s%s", view->name, *field->units ? ", " : "",
                 field->units);
        rk_picture_slice picture = {
            .width = p.width,
            .height = p.height,
            .values = values,
            .cells = cells,
            .cell_m = 1.0,
            .nearest = view->type != RK_TYPE_F32 && view->type != RK_TYPE_F64,
            .title = title,
            .u_label = labels[p.right],
            .v_label = labels[p.up],
            .value_label = value_label,
        };
        set_scale(&picture, count);
        status = rk_picture_write_slice(path, &picture, err);
    }
    free(cells);
    free(values);
    return status;
}

/* "f32 [66][66], row by row" for the report. */
static void describe(const rk_part *part, const field_view *view, uint64_t step, char *out,
                     size_t size)
{
    int used = snprintf(out, size, "%s of %s after %" PRIu64 " steps: %s ", view->name, part->name,
                        step, rk_type_name(view->type));
    for (uint32_t d = 0; d < view->dimension_count && used >= 0 && (size_t)used < size; d++) {
        used += snprintf(out + used, size - (size_t)used, "[%" PRIu64 "]", view->dimensions[d]);
    }
}

rk_status rk_jobrun_write_output(rk_jobrun *run, rk_part *part, size_t index, rk_err *err)
{
    const rk_job_output *output = &part->spec->outputs[index];
    field_view view;
    rk_status status = look_at(part, output->field, &view, err);
    if (status != RK_OK) {
        return status;
    }
    rk_kernel_snapshot now;
    rk_kernel_read_snapshot(part->kernel, &now);
    char file[256], path[PATH_MAX], about[256];
    char axis[32] = "";
    if (output->format == RK_JOB_PNG && view.dimension_count == 3) {
        plane p = plane_of(output, &view);
        snprintf(axis, sizeof axis, "-%c%" PRIu64, "xyz"[p.across], p.index);
    }
    snprintf(file, sizeof file, "%s-%s%s-%08" PRIu64 ".%s", part->name, view.name, axis, now.step,
             suffixes[output->format]);
    if (snprintf(path, sizeof path, "%s/%s", run->options.folder, file) >= (int)sizeof path) {
        return rk_err_set(err, RK_LIMIT, "the output folder's name is too long");
    }
    switch (output->format) {
    case RK_JOB_CSV: status = write_csv(part, &view, path, err); break;
    case RK_JOB_PNG: status = write_png(part, output, &view, now.step, path, err); break;
    default: status = write_raw(part, &view, path, err); break;
    }
    if (status != RK_OK) {
        return status;
    }
    describe(part, &view, now.step, about, sizeof about);
    rk_mutex_lock(&run->files);
    status = rk_report_add_output(&run->report, file, suffixes[output->format], about);
    rk_mutex_unlock(&run->files);
    return status == RK_OK ? RK_OK : rk_err_set(err, status, "no memory for the report");
}
