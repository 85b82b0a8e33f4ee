/*
 * canvas.h: a picture in memory with lines and text, for plots and slices.
 *
 * Coordinates are pixels, x to the right, y down, (0, 0) is the corner of the top left pixel. What
 * lies outside is cut. A canvas belongs to one thread.
 */
#ifndef RK_JOB_CANVAS_H
#define RK_JOB_CANVAS_H

#include <ringkernel/status.h>

typedef struct rk_color {
    uint8_t r, g, b;
} rk_color;

typedef struct rk_canvas {
    uint32_t width, height;
    uint8_t *rgb; /* owned */
} rk_canvas;

typedef enum rk_align { RK_ALIGN_LEFT, RK_ALIGN_CENTER, RK_ALIGN_RIGHT } rk_align;

/* A canvas filled with one colour; the caller ends with rk_canvas_finish. RK_NO_MEMORY. */
rk_status rk_canvas_init(rk_canvas *canvas, uint32_t width, uint32_t height, rk_color color,
                         rk_err *err);
void rk_canvas_finish(rk_canvas *canvas);

/* Mixes color into the pixel; alpha 0 leaves it, 1 replaces it. */
void rk_canvas_blend(rk_canvas *canvas, int x, int y, rk_color color, double alpha);
void rk_canvas_fill(rk_canvas *canvas, int x, int y, int width, int height, rk_color color);

/* A smooth line with round ends. */
void rk_canvas_line(rk_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                    rk_color color);

/* A dashed one: dashes of dash pixels with equal gaps. */
void rk_canvas_dashes(rk_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                      double dash, rk_color color);

/* A disc with a border. */
void rk_canvas_disc(rk_canvas *canvas, double x, double y, double radius, rk_color fill,
                    rk_color border);

/*
 * Text with capital letters of size pixels; (x, y) is on the base line, at the side that align
 * says. Printable ASCII; other bytes show as a box. vertical text reads upwards.
 */
void rk_canvas_text(rk_canvas *canvas, double x, double y, double size, rk_align align,
                    bool vertical, rk_color color, const char *text);
double rk_canvas_text_width(double size, const char *text);

/* Round steps for an axis from low to high with about count ticks: 1, 2, 2.5 or 5 times 10^n. */
double rk_canvas_tick_step(double low, double high, int count);

/* The tick's number with the digits that the step needs. */
void rk_canvas_tick_text(char *out_text, size_t size, double value, double step);

#endif
