/*
 * colors.h: colour maps whose lightness follows the value evenly.
 *
 * Diverging: blue, light grey, red (K. Moreland, Diverging Color Maps for Scientific Visualization,
 * 2009: straight lines in Msh space), for signed values. Sequential: black through purple and
 * orange to pale yellow (the map "inferno" of matplotlib, CC0), for what cannot be negative.
 */
#ifndef RK_JOB_COLORS_H
#define RK_JOB_COLORS_H

#include "job/canvas.h"

/* position 0 .. 1; values outside count as the nearer end, NAN as the middle or the low end. */
rk_color rk_color_diverging(double position);
rk_color rk_color_sequential(double position);

/* Distinct colours for the lines of a plot, in turn. */
rk_color rk_color_line(size_t index);

#endif
