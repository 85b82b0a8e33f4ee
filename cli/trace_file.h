/*
 * trace_file.h: reads a timeline that was written before, and sums up its spans.
 */
#ifndef RK_CLI_TRACE_FILE_H
#define RK_CLI_TRACE_FILE_H

#include "base/str.h"

/*
 * Appends a table of the spans in a trace event file: how often, how long in all, on average and at
 * most, one row for each name on each track, the longest in all first. With json an object with the
 * same in "spans", and "lost". RK_SYNTAX if it is no such file, RK_CORRUPT if spans are not
 * balanced or times go back.
 */
rk_status rk_trace_file_sum_up(const char *path, bool json, rk_str *out, rk_err *err);

#endif
