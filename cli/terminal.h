/*
 * terminal.h: what a stream is connected to.
 */
#ifndef RK_CLI_TERMINAL_H
#define RK_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Whether a stream is a terminal that can move its cursor. */
bool rk_terminal_is(FILE *stream);

/* And shows colours; not with NO_COLOR (https://no-color.org). */
bool rk_terminal_has_colors(FILE *stream);

/* Its width in columns; 80 if unknown. */
unsigned rk_terminal_columns(FILE *stream);

#endif
