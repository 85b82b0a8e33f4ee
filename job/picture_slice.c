/*
 * picture_slice.c: a slice through a field with walls, furniture, markers and colour bar.
 */
#include "job/canvas.h"
#include "job/colors.h"
#include "job/picture.h"
#include "job/png.h"

#include <math.h>
#include <stdio.h>

#define LEFT 84
#define TOP 62
#define BOTTOM 72
#define RIGHT 176
#define WIDTH_MAX 1000.0
#define HIGH_MAX 720.0
#define TEXT_SIZE 11.0

static const rk_color white = {255, 255, 255};
static const rk_color ink = {32, 34, 38};
static const rk_color wall_color = {94, 98, 106};
static const rk_color furniture_color = {150, 144, 134};
static const rk_color opening_color = {70, 170, 90};
static const rk_color medium_color = {40, 120, 60};
static const rk_color source_color = {250, 210, 40};

typedef struct layout {
    rk_canvas canvas;
    double pixels;                /* per cell */
    int left, top, width, height; /* of the field */
} layout;

static double position_of(const rk_picture_slice *slice, double value)
{
    if (slice->scale == RK_PICTURE_LOGARITHMIC) {
        value = value > 0.0 ? log(value / slice->low) / log(slice->high / slice->low) : 0.0;
        return value;
    }
    return (value - slice->low) / (slice->high - slice->low);
}

static rk_color color_at(const rk_picture_slice *slice, double position)
{
    return slice->scale == RK_PICTURE_DIVERGING ? rk_color_diverging(position)
                                                : rk_color_sequential(position);
}

static uint8_t cell_at(const rk_picture_slice *slice, int64_t i, int64_t j)
{
    if (i < 0 || j < 0 || i >= (int64_t)slice->width || j >= (int64_t)slice->height) {
        return RK_PICTURE_WALL;
    }
    return slice->cells[(size_t)j * slice->width + (size_t)i];
}

static bool carries(uint8_t cell)
{
    return cell == RK_PICTURE_FLUID || cell == RK_PICTURE_MEDIUM;
}

/* Bilinear between the centres of the cells that carry sound; (u, v) in cells. */
static double value_at(const rk_picture_slice *slice, double u, double v)
{
    double i0 = floor(u - 0.5);
    double j0 = floor(v - 0.5);
    double sum = 0.0;
    double total = 0.0;
    for (int corner = 0; corner < 4; corner++) {
        double i = i0 + (corner & 1);
        double j = j0 + (corner >> 1);
        if (!carries(cell_at(slice, (int64_t)i, (int64_t)j))) {
            continue;
        }
        double weight = (1.0 - fabs(u - 0.5 - i)) * (1.0 - fabs(v - 0.5 - j));
        sum += weight * (double)slice->values[(size_t)j * slice->width + (size_t)i];
        total += weight;
    }
    return total > 0.0 ? sum / total : 0.0;
}

static void draw_field(layout *out, const rk_picture_slice *slice)
{
    for (int y = 0; y < out->height; y++) {
        double v = ((double)(out->height - y) - 0.5) / out->pixels;
        for (int x = 0; x < out->width; x++) {
            double u = ((double)x + 0.5) / out->pixels;
            uint8_t cell = cell_at(slice, (int64_t)u, (int64_t)v);
            rk_color color = cell == RK_PICTURE_FURNITURE ? furniture_color : wall_color;
            if (carries(cell)) {
                double value = slice->nearest
                                   ? (double)slice->values[(size_t)v * slice->width + (size_t)u]
                                   : value_at(slice, u, v);
                color = color_at(slice, position_of(slice, value));
            } else if (cell == RK_PICTURE_OPENING) {
                color = opening_color;
            }
            rk_canvas_blend(&out->canvas, out->left + x, out->top + y, color, 1.0);
        }
    }
}

/* The edge between two cells: what to draw there, if anything. */
static bool edge_style(uint8_t a, uint8_t b, double *out_width, rk_color *out_color)
{
    if (a == b || (!carries(a) && !carries(b))) {
        return false;
    }
    *out_width = 2.0;
    *out_color = ink;
    if (carries(a) && carries(b)) {
        *out_width = 1.4;
        *out_color = medium_color;
    } else if (a == RK_PICTURE_OPENING || b == RK_PICTURE_OPENING) {
        *out_width = 4.0;
        *out_color = opening_color;
    }
    return true;
}

static bool same_color(rk_color a, rk_color b)
{
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

/* The edges along one grid line, joined to straight runs; along: 0 for rows, 1 for columns. */
static void draw_edges(layout *out, const rk_picture_slice *slice, int along, int64_t line)
{
    int64_t count = along ? slice->height : slice->width;
    double base = (double)(out->top + out->height);
    int64_t start = 0;
    bool drawing = false;
    double width = 0.0;
    rk_color color = ink;
    for (int64_t i = 0; i <= count; i++) {
        double next_width = 0.0;
        rk_color next_color = ink;
        uint8_t a = along ? cell_at(slice, line - 1, i) : cell_at(slice, i, line - 1);
        uint8_t b = along ? cell_at(slice, line, i) : cell_at(slice, i, line);
        bool edge = i < count && edge_style(a, b, &next_width, &next_color);
        if (drawing && (!edge || !same_color(color, next_color))) {
            double u0 = (double)(along ? line : start) * out->pixels + out->left;
            double u1 = (double)(along ? line : i) * out->pixels + out->left;
            double v0 = base - (double)(along ? start : line) * out->pixels;
            double v1 = base - (double)(along ? i : line) * out->pixels;
            rk_canvas_line(&out->canvas, u0, v0, u1, v1, width, color);
            drawing = false;
        }
        if (edge && !drawing) {
            start = i;
            drawing = true;
            width = next_width;
            color = next_color;
        }
    }
}

static void draw_outlines(layout *out, const rk_picture_slice *slice)
{
    for (int64_t j = 0; j <= (int64_t)slice->height; j++) {
        draw_edges(out, slice, 0, j);
    }
    for (int64_t i = 0; i <= (int64_t)slice->width; i++) {
        draw_edges(out, slice, 1, i);
    }
}

static void draw_markers(layout *out, const rk_picture_slice *slice)
{
    double scale = out->pixels / slice->cell_m;
    for (size_t i = 0; i < slice->marker_count; i++) {
        const rk_picture_marker *marker = &slice->markers[i];
        double x = out->left + (marker->u_m - slice->u_m) * scale;
        double y = out->top + out->height - (marker->v_m - slice->v_m) * scale;
        rk_canvas_disc(&out->canvas, x, y, marker->source ? 7.5 : 5.5,
                       marker->source ? source_color : white, ink);
        double width = rk_canvas_text_width(9.0, marker->name);
        bool flip = x + 12.0 + width > out->left + out->width;
        double at = flip ? x - 11.0 - width : x + 11.0;
        for (int ring = 0; ring < 8; ring++) {
            rk_canvas_text(&out->canvas, at + 1.3 * cos(ring * M_PI / 4.0),
                           y + 4.5 + 1.3 * sin(ring * M_PI / 4.0), 9.0, RK_ALIGN_LEFT, false, white,
                           marker->name);
        }
        rk_canvas_text(&out->canvas, at, y + 4.5, 9.0, RK_ALIGN_LEFT, false, ink, marker->name);
    }
}

static void draw_axes(layout *out, const rk_picture_slice *slice)
{
    rk_canvas *canvas = &out->canvas;
    double scale = out->pixels / slice->cell_m;
    double right = slice->u_m + slice->width * slice->cell_m;
    double high = slice->v_m + slice->height * slice->cell_m;
    double bottom = out->top + out->height;
    double step = rk_canvas_tick_step(0.0, fmax(right - slice->u_m, high - slice->v_m), 8);
    char text[32];
    for (double t = ceil(slice->u_m / step - 1e-9) * step; t <= right + 1e-9 * step; t += step) {
        double x = out->left + (t - slice->u_m) * scale;
        rk_canvas_line(canvas, x, bottom + 2.0, x, bottom + 8.0, 1.4, ink);
        rk_canvas_tick_text(text, sizeof(text), t, step);
        rk_canvas_text(canvas, x, bottom + 25.0, TEXT_SIZE, RK_ALIGN_CENTER, false, ink, text);
    }
    for (double t = ceil(slice->v_m / step - 1e-9) * step; t <= high + 1e-9 * step; t += step) {
        double y = bottom - (t - slice->v_m) * scale;
        rk_canvas_line(canvas, out->left - 8.0, y, out->left - 2.0, y, 1.4, ink);
        rk_canvas_tick_text(text, sizeof(text), t, step);
        rk_canvas_text(canvas, out->left - 14.0, y + 5.0, TEXT_SIZE, RK_ALIGN_RIGHT, false, ink,
                       text);
    }
    rk_canvas_text(canvas, out->left + 0.5 * out->width, bottom + 52.0, TEXT_SIZE, RK_ALIGN_CENTER,
                   false, ink, slice->u_label);
    rk_canvas_text(canvas, out->left - 50.0, bottom - 0.5 * out->height, TEXT_SIZE, RK_ALIGN_CENTER,
                   true, ink, slice->v_label);
    rk_canvas_text(canvas, out->left, out->top - 24.0, 14.0, RK_ALIGN_LEFT, false, ink,
                   slice->title);
}

static void draw_bar_tick(layout *out, const rk_picture_slice *slice, double x, double value,
                          const char *text)
{
    double y = out->top + out->height * (1.0 - position_of(slice, value));
    rk_canvas_line(&out->canvas, x, y, x + 6.0, y, 1.4, ink);
    rk_canvas_text(&out->canvas, x + 11.0, y + 5.0, TEXT_SIZE, RK_ALIGN_LEFT, false, ink, text);
}

static void draw_bar(layout *out, const rk_picture_slice *slice)
{
    int left = out->left + out->width + 28;
    int width = 22;
    for (int y = 0; y < out->height; y++) {
        double position = 1.0 - ((double)y + 0.5) / out->height;
        rk_canvas_fill(&out->canvas, left, out->top + y, width, 1, color_at(slice, position));
    }
    double x0 = left;
    double x1 = left + width;
    double y0 = out->top;
    double y1 = out->top + out->height;
    rk_canvas_line(&out->canvas, x0, y0, x1, y0, 1.4, ink);
    rk_canvas_line(&out->canvas, x0, y1, x1, y1, 1.4, ink);
    rk_canvas_line(&out->canvas, x0, y0, x0, y1, 1.4, ink);
    rk_canvas_line(&out->canvas, x1, y0, x1, y1, 1.4, ink);
    char text[32];
    if (slice->scale == RK_PICTURE_LOGARITHMIC) {
        for (double e = ceil(log10(slice->low) - 1e-9); e <= log10(slice->high) + 1e-9; e += 1.0) {
            snprintf(text, sizeof(text), "1e%.0f", e);
            draw_bar_tick(out, slice, x1, pow(10.0, e), text);
        }
    } else {
        double step = rk_canvas_tick_step(slice->low, slice->high, 7);
        double end = slice->high + 1e-9 * step;
        for (double t = ceil(slice->low / step - 1e-9) * step; t <= end; t += step) {
            rk_canvas_tick_text(text, sizeof(text), t, step);
            draw_bar_tick(out, slice, x1, t, text);
        }
    }
    rk_canvas_text(&out->canvas, x0, y0 - 12.0, TEXT_SIZE, RK_ALIGN_LEFT, false, ink,
                   slice->value_label);
}

rk_status rk_picture_write_slice(const char *path, const rk_picture_slice *slice, rk_err *err)
{
    if (slice->width == 0 || slice->height == 0 || slice->width > 8192 || slice->height > 8192 ||
        !(slice->cell_m > 0.0)) {
        return rk_err_set(err, RK_INVALID, "%s: a slice of %u x %u cells cannot be drawn", path,
                          slice->width, slice->height);
    }
    bool log_scale = slice->scale == RK_PICTURE_LOGARITHMIC;
    if (!(slice->low < slice->high) || !isfinite(slice->low) || !isfinite(slice->high) ||
        (log_scale && !(slice->low > 0.0))) {
        return rk_err_set(err, RK_INVALID, "%s: colours cannot run from %g to %g", path, slice->low,
                          slice->high);
    }
    layout out = {.left = LEFT, .top = TOP};
    out.pixels = fmin(WIDTH_MAX / slice->width, HIGH_MAX / slice->height);
    out.width = (int)ceil(out.pixels * slice->width - 1e-6);
    out.height = (int)ceil(out.pixels * slice->height - 1e-6);
    rk_status status = rk_canvas_init(&out.canvas, (uint32_t)(out.width + LEFT + RIGHT),
                                      (uint32_t)(out.height + TOP + BOTTOM), white, err);
    if (status != RK_OK) {
        return status;
    }
    draw_field(&out, slice);
    draw_outlines(&out, slice);
    draw_markers(&out, slice);
    draw_axes(&out, slice);
    draw_bar(&out, slice);
    status = rk_png_write(path, out.canvas.rgb, out.canvas.width, out.canvas.height, err);
    rk_canvas_finish(&out.canvas);
    return status;
}
