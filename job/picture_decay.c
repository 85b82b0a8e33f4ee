/*
 * picture_decay.c: decay curves over time, each with its fitted line.
 */
#include "job/canvas.h"
#include "job/colors.h"
#include "job/picture.h"
#include "job/png.h"

#include <math.h>

#define WIDTH 1170
#define HEIGHT 680
#define LEFT 92
#define TOP 62
#define BOTTOM 76
#define RIGHT 290
#define TEXT 11.0

static const rk_color white = {255, 255, 255};
static const rk_color ink = {32, 34, 38};
static const rk_color grid_color = {222, 224, 228};

typedef struct plot {
    rk_canvas canvas;
    double end_s, floor_db;
} plot;

static double x_of(const plot *p, double t_s)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * t_s / p->end_s;
}

static double y_of(const plot *p, double level_db)
{
    return TOP + (HEIGHT - TOP - BOTTOM) * level_db / p->floor_db;
}

static void draw_frame(plot *p, const char *title)
{
    rk_canvas *canvas = &p->canvas;
    double x0 = x_of(p, 0.0);
    double x1 = x_of(p, p->end_s);
    double y0 = y_of(p, 0.0);
    double y1 = y_of(p, p->floor_db);
    char text[32];
    double step = rk_canvas_tick_step(0.0, p->end_s, 8);
    for (double t = 0.0; t <= p->end_s + 1e-9 * step; t += step) {
        rk_canvas_line(canvas, x_of(p, t), y0, x_of(p, t), y1, 1.0, grid_color);
        rk_canvas_tick_text(text, sizeof(text), t, step);
        rk_canvas_text(canvas, x_of(p, t), y1 + 24.0, TEXT, RK_ALIGN_CENTER, false, ink, text);
    }
    step = rk_canvas_tick_step(0.0, -p->floor_db, 8);
    for (double level = 0.0; level >= p->floor_db - 1e-9 * step; level -= step) {
        rk_canvas_line(canvas, x0, y_of(p, level), x1, y_of(p, level), 1.0, grid_color);
        rk_canvas_tick_text(text, sizeof(text), level, step);
        rk_canvas_text(canvas, x0 - 10.0, y_of(p, level) + 5.0, TEXT, RK_ALIGN_RIGHT, false, ink,
                       text);
    }
    rk_canvas_line(canvas, x0, y0, x0, y1, 1.6, ink);
    rk_canvas_line(canvas, x0, y1, x1, y1, 1.6, ink);
    rk_canvas_text(canvas, 0.5 * (x0 + x1), y1 + 54.0, TEXT, RK_ALIGN_CENTER, false, ink,
                   "time since the decay began / s");
    rk_canvas_text(canvas, 30.0, 0.5 * (y0 + y1), TEXT, RK_ALIGN_CENTER, true, ink,
                   "energy still to come / dB");
    rk_canvas_text(canvas, x0, TOP - 24.0, 14.0, RK_ALIGN_LEFT, false, ink, title);
}

/* Cuts a line at the bottom of the plot, so that it does not run through the axis. */
static void draw_segment(plot *p, double t0, double l0, double t1, double l1, double width,
                         double dash, rk_color color)
{
    if (t0 > p->end_s || l0 < p->floor_db) {
        return;
    }
    if (l1 < p->floor_db) {
        t1 = t0 + (t1 - t0) * (p->floor_db - l0) / (l1 - l0);
        l1 = p->floor_db;
    }
    if (t1 > p->end_s) {
        l1 = l0 + (l1 - l0) * (p->end_s - t0) / (t1 - t0);
        t1 = p->end_s;
    }
    if (dash > 0.0) {
        rk_canvas_dashes(&p->canvas, x_of(p, t0), y_of(p, l0), x_of(p, t1), y_of(p, l1), width,
                         dash, color);
    } else {
        rk_canvas_line(&p->canvas, x_of(p, t0), y_of(p, l0), x_of(p, t1), y_of(p, l1), width,
                       color);
    }
}

static void draw_curve(plot *p, const rk_picture_curve *curve, rk_color color)
{
    /* About one point per half pixel is enough. */
    double samples = p->end_s * curve->rate_hz;
    size_t step = (size_t)fmax(samples / (2.0 * (WIDTH - LEFT - RIGHT)), 1.0);
    for (size_t i = 0; i + step < curve->count; i += step) {
        double a = curve->level_db[i];
        double b = curve->level_db[i + step];
        if (isfinite(a) && isfinite(b)) {
            draw_segment(p, (double)i / curve->rate_hz, a, (double)(i + step) / curve->rate_hz, b,
                         2.2, 0.0, color);
        }
    }
    if (curve->fit_slope_db_s < 0.0) {
        double end =
            curve->fit_start_s + (p->floor_db - curve->fit_start_db) / curve->fit_slope_db_s;
        draw_segment(p, curve->fit_start_s, curve->fit_start_db, end, p->floor_db, 1.1, 6.0, color);
    }
}

static void draw_legend(plot *p, const rk_picture_curve *curves, size_t count)
{
    double x = WIDTH - RIGHT + 24.0;
    double y = TOP + 10.0;
    for (size_t i = 0; i < count && y < HEIGHT - 60.0; i++, y += 26.0) {
        rk_canvas_line(&p->canvas, x, y, x + 24.0, y, 3.0, rk_color_line(i));
        rk_canvas_text(&p->canvas, x + 34.0, y + 5.0, TEXT, RK_ALIGN_LEFT, false, ink,
                       curves[i].name);
    }
    rk_canvas_dashes(&p->canvas, x, y, x + 24.0, y, 1.2, 5.0, ink);
    rk_canvas_text(&p->canvas, x + 34.0, y + 5.0, TEXT, RK_ALIGN_LEFT, false, ink, "fitted");
}

rk_status rk_picture_write_decay(const char *path, const char *title,
                                 const rk_picture_curve *curves, size_t count, double end_s,
                                 double floor_db, rk_err *err)
{
    if (!(end_s > 0.0) || !(floor_db < 0.0) || !isfinite(end_s) || !isfinite(floor_db)) {
        return rk_err_set(err, RK_INVALID, "%s: the axes cannot run to %g s and %g dB", path, end_s,
                          floor_db);
    }
    plot p = {.end_s = end_s, .floor_db = floor_db};
    rk_status status = rk_canvas_init(&p.canvas, WIDTH, HEIGHT, white, err);
    if (status != RK_OK) {
        return status;
    }
    draw_frame(&p, title);
    for (size_t i = 0; i < count; i++) {
        draw_curve(&p, &curves[i], rk_color_line(i));
    }
    draw_legend(&p, curves, count);
    status = rk_png_write(path, p.canvas.rgb, WIDTH, HEIGHT, err);
    rk_canvas_finish(&p.canvas);
    return status;
}
