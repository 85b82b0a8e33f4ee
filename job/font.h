/*
 * font.h: the letters of pictures: dots on a grid of 5 columns and 9 rows.
 *
 * canvas.c joins neighbouring dots by strokes. Row 0 is the top of the capitals, row 6 the base
 * line, rows 7 and 8 are below it. Bit 4 of a row is its left column.
 */
#ifndef RK_JOB_FONT_H
#define RK_JOB_FONT_H

#include <stdint.h>

#define RK_FONT_FIRST 0x20
#define RK_FONT_LAST 0x7e
#define RK_FONT_COLUMNS 5
#define RK_FONT_ROWS 9

extern const uint8_t rk_font_rows[RK_FONT_LAST - RK_FONT_FIRST + 1][RK_FONT_ROWS];

#endif
