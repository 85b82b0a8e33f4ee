/*
 * colors.c: the colour maps.
 */
#include "job/colors.h"

#include <math.h>

static rk_color between(const rk_color *stops, size_t count, double position)
{
    double at = fmin(fmax(position, 0.0), 1.0) * (double)(count - 1);
    size_t i = (size_t)at < count - 1 ? (size_t)at : count - 2;
    double part = at - (double)i;
    rk_color a = stops[i];
    rk_color b = stops[i + 1];
    return (rk_color){(uint8_t)lrint((double)a.r + part * ((double)b.r - (double)a.r)),
                      (uint8_t)lrint((double)a.g + part * ((double)b.g - (double)a.g)),
                      (uint8_t)lrint((double)a.b + part * ((double)b.b - (double)a.b))};
}

/* Moreland's table for the ends (59, 76, 192) and (180, 4, 38), every sixteenth. */
static const rk_color diverging[] = {
    {59, 76, 192},   {77, 104, 215},  {98, 130, 234},  {119, 154, 247}, {141, 176, 254},
    {163, 194, 255}, {184, 208, 249}, {204, 217, 238}, {221, 221, 221}, {236, 211, 197},
    {245, 196, 173}, {247, 177, 148}, {244, 154, 123}, {236, 127, 99},  {222, 96, 77},
    {203, 62, 56},   {180, 4, 38},
};

static const rk_color sequential[] = {
    {0, 0, 4},     {27, 12, 65},   {74, 12, 107}, {120, 28, 109}, {165, 44, 96},
    {207, 68, 70}, {237, 105, 37}, {251, 155, 6}, {247, 209, 61}, {252, 255, 164},
};

rk_color rk_color_diverging(double position)
{
    return between(diverging, sizeof(diverging) / sizeof(diverging[0]),
                   isnan(position) ? 0.5 : position);
}

rk_color rk_color_sequential(double position)
{
    return between(sequential, sizeof(sequential) / sizeof(sequential[0]),
                   isnan(position) ? 0.0 : position);
}

rk_color rk_color_line(size_t index)
{
    /* M. Okabe and K. Ito's set, told apart by the colour-blind too; black is for axes. */
    static const rk_color lines[] = {{0, 114, 178},  {213, 94, 0},  {0, 158, 115}, {204, 121, 167},
                                     {86, 180, 233}, {230, 159, 0}, {120, 94, 60}};
    return lines[index % (sizeof(lines) / sizeof(lines[0]))];
}
