/*
 * canvas.c: pixels, smooth strokes, stroked letters, axis ticks.
 */
#include "job/canvas.h"

#include "job/font.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rk_status rk_canvas_init(rk_canvas *canvas, uint32_t width, uint32_t height, rk_color color,
                         rk_err *err)
{
    uint8_t *rgb = width && height && width <= 16384 && height <= 16384
                       ? malloc((size_t)width * height * 3)
                       : NULL;
    if (!rgb) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a picture of %u x %u pixels", width,
                          height);
    }
    *canvas = (rk_canvas){width, height, rgb};
    rk_canvas_fill(canvas, 0, 0, (int)width, (int)height, color);
    return RK_OK;
}

void rk_canvas_finish(rk_canvas *canvas)
{
    free(canvas->rgb);
    memset(canvas, 0, sizeof(*canvas));
}

static uint8_t mix(uint8_t below, uint8_t above, double alpha)
{
    return (uint8_t)lrint((double)below + ((double)above - (double)below) * alpha);
}

void rk_canvas_blend(rk_canvas *canvas, int x, int y, rk_color color, double alpha)
{
    if (x < 0 || y < 0 || x >= (int)canvas->width || y >= (int)canvas->height || !(alpha > 0.0)) {
        return;
    }
    alpha = fmin(alpha, 1.0);
    uint8_t *at = canvas->rgb + ((size_t)y * canvas->width + (size_t)x) * 3;
    at[0] = mix(at[0], color.r, alpha);
    at[1] = mix(at[1], color.g, alpha);
    at[2] = mix(at[2], color.b, alpha);
}

void rk_canvas_fill(rk_canvas *canvas, int x, int y, int width, int height, rk_color color)
{
    for (int j = y; j < y + height; j++) {
        for (int i = x; i < x + width; i++) {
            rk_canvas_blend(canvas, i, j, color, 1.0);
        }
    }
}

/* A coordinate as a pixel index that surely fits an int. */
static int pixel(double at)
{
    return (int)fmin(fmax(floor(at), -1.0), 20000.0);
}

void rk_canvas_line(rk_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                    rk_color color)
{
    double half = 0.5 * width;
    double reach = half + 1.0;
    double dx = x1 - x0;
    double dy = y1 - y0;
    double square = dx * dx + dy * dy;
    int left = pixel(fmin(x0, x1) - reach);
    int right = pixel(fmax(x0, x1) + reach);
    int top = pixel(fmin(y0, y1) - reach);
    int bottom = pixel(fmax(y0, y1) + reach);
    right = right < (int)canvas->width ? right : (int)canvas->width - 1;
    bottom = bottom < (int)canvas->height ? bottom : (int)canvas->height - 1;
    for (int y = top < 0 ? 0 : top; y <= bottom; y++) {
        for (int x = left < 0 ? 0 : left; x <= right; x++) {
            double px = (double)x + 0.5 - x0;
            double py = (double)y + 0.5 - y0;
            double t = square > 0.0 ? fmin(fmax((px * dx + py * dy) / square, 0.0), 1.0) : 0.0;
            double distance = hypot(px - t * dx, py - t * dy);
            rk_canvas_blend(canvas, x, y, color, half + 0.5 - distance);
        }
    }
}

void rk_canvas_dashes(rk_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                      double dash, rk_color color)
{
    double length = hypot(x1 - x0, y1 - y0);
    if (!(length > 0.0) || !(length < 40000.0) || !(dash >= 1.0)) {
        return;
    }
    double ux = (x1 - x0) / length;
    double uy = (y1 - y0) / length;
    for (double at = 0.0; at < length; at += 2.0 * dash) {
        double end = fmin(at + dash, length);
        rk_canvas_line(canvas, x0 + ux * at, y0 + uy * at, x0 + ux * end, y0 + uy * end, width,
                       color);
    }
}

void rk_canvas_disc(rk_canvas *canvas, double x, double y, double radius, rk_color fill,
                    rk_color border)
{
    rk_canvas_line(canvas, x, y, x, y, 2.0 * radius, border);
    rk_canvas_line(canvas, x, y, x, y, 2.0 * radius - 3.0, fill);
}

static const uint8_t box_glyph[RK_FONT_ROWS] = {0x1f, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1f, 0, 0};

static const uint8_t *glyph_of(char character)
{
    unsigned code = (unsigned char)character;
    return code >= RK_FONT_FIRST && code <= RK_FONT_LAST ? rk_font_rows[code - RK_FONT_FIRST]
                                                         : box_glyph;
}

/* The columns that the glyph uses; digits keep all, so that numbers line up. */
static void glyph_span(char character, int *out_first, int *out_last)
{
    const uint8_t *rows = glyph_of(character);
    unsigned all = 0;
    for (int row = 0; row < RK_FONT_ROWS; row++) {
        all |= rows[row];
    }
    *out_first = 0;
    *out_last = RK_FONT_COLUMNS - 1;
    if (character == ' ') {
        *out_last = 1;
        return;
    }
    if (character >= '0' && character <= '9') {
        return;
    }
    while (*out_first < *out_last && !(all & (0x10u >> *out_first))) {
        (*out_first)++;
    }
    while (*out_last > *out_first && !(all & (0x10u >> *out_last))) {
        (*out_last)--;
    }
}

#define LETTER_GAP 2.0

double rk_canvas_text_width(double size, const char *text)
{
    double columns = 0.0;
    for (const char *at = text; *at; at++) {
        int first, last;
        glyph_span(*at, &first, &last);
        columns += last - first + LETTER_GAP;
    }
    return fmax(columns - LETTER_GAP, 0.0) * size / 6.0;
}

typedef struct pen {
    rk_canvas *canvas;
    double x, y; /* of row 6, column 0 */
    double pitch, width;
    bool vertical;
    rk_color color;
} pen;

static void stroke(const pen *p, int c0, int r0, int c1, int r1)
{
    double ax = c0 * p->pitch;
    double ay = (r0 - 6) * p->pitch;
    double bx = c1 * p->pitch;
    double by = (r1 - 6) * p->pitch;
    if (p->vertical) {
        rk_canvas_line(p->canvas, p->x + ay, p->y - ax, p->x + by, p->y - bx, p->width, p->color);
    } else {
        rk_canvas_line(p->canvas, p->x + ax, p->y + ay, p->x + bx, p->y + by, p->width, p->color);
    }
}

/*
 * Joins each dot to its right, lower and diagonal neighbours; a diagonal only where no corner is.
 */
static void draw_glyph(const pen *p, const uint8_t *rows)
{
    for (int row = 0; row < RK_FONT_ROWS; row++) {
        unsigned here = rows[row];
        unsigned below = row + 1 < RK_FONT_ROWS ? rows[row + 1] : 0;
        for (int column = 0; column < RK_FONT_COLUMNS; column++) {
            unsigned bit = 0x10u >> column;
            if (!(here & bit)) {
                continue;
            }
            unsigned right = bit >> 1;
            unsigned left = bit << 1 & 0x1f;
            bool joined = false;
            if (here & right) {
                stroke(p, column, row, column + 1, row);
                joined = true;
            }
            if (below & bit) {
                stroke(p, column, row, column, row + 1);
                joined = true;
            }
            if (below & right && !(here & right) && !(below & bit)) {
                stroke(p, column, row, column + 1, row + 1);
                joined = true;
            }
            if (below & left && !(here & left) && !(below & bit)) {
                stroke(p, column, row, column - 1, row + 1);
                joined = true;
            }
            if (!joined) {
                stroke(p, column, row, column, row);
            }
        }
    }
}

void rk_canvas_text(rk_canvas *canvas, double x, double y, double size, rk_align align,
                    bool vertical, rk_color color, const char *text)
{
    double width = rk_canvas_text_width(size, text);
    double shift = align == RK_ALIGN_LEFT ? 0.0 : align == RK_ALIGN_CENTER ? 0.5 * width : width;
    pen p = {canvas, x, y, size / 6.0, fmax(size / 8.0, 1.1), vertical, color};
    double along = -shift;
    for (const char *at = text; *at; at++) {
        int first, last;
        glyph_span(*at, &first, &last);
        double begin = along - first * p.pitch;
        p.x = vertical ? x : x + begin;
        p.y = vertical ? y - begin : y;
        draw_glyph(&p, glyph_of(*at));
        along += (last - first + LETTER_GAP) * p.pitch;
    }
}

double rk_canvas_tick_step(double low, double high, int count)
{
    static const double steps[] = {1.0, 2.0, 2.5, 5.0, 10.0};
    double rough = (high - low) / (count > 0 ? count : 1);
    if (!(rough > 0.0) || !isfinite(rough)) {
        return 1.0;
    }
    double decade = pow(10.0, floor(log10(rough)));
    size_t i = 0;
    while (i < 4 && steps[i] * decade < rough * 0.999) {
        i++;
    }
    return steps[i] * decade;
}

void rk_canvas_tick_text(char *out_text, size_t size, double value, double step)
{
    if (fabs(value) < 1e-9 * step) {
        value = 0.0;
    }
    double largest = fmax(fabs(value), step);
    if (largest >= 1e5 || step < 1e-4) {
        snprintf(out_text, size, "%.3g", value);
        return;
    }
    int digits = 0;
    double scaled = step;
    while (digits < 6 && fabs(scaled - rint(scaled)) > 1e-6 * scaled) {
        scaled *= 10.0;
        digits++;
    }
    snprintf(out_text, size, "%.*f", digits, value);
}
