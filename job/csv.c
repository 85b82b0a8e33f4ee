/*
 * csv.c: the CSV writer.
 */
#include "job/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(rk_csv *csv, const char *text, size_t length)
{
    if (csv->status == RK_OK) {
        csv->status = rk_file_writer_append(&csv->file, text, length, &csv->err);
    }
}

static void end_cell(rk_csv *csv)
{
    csv->column++;
    bool row_ends = csv->column == csv->columns;
    put(csv, row_ends ? "\n" : ",", 1);
    if (row_ends) {
        csv->column = 0;
    }
}

void rk_csv_text(rk_csv *csv, const char *text)
{
    if (!strpbrk(text, ",\"\r\n") && text[0] != ' ') {
        put(csv, text, strlen(text));
        end_cell(csv);
        return;
    }
    put(csv, "\"", 1);
    for (const char *at = text; *at; at++) {
        put(csv, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    }
    put(csv, "\"", 1);
    end_cell(csv);
}

/* Shortest text that reads back as the same number, from digits_min digits on. */
static void number(rk_csv *csv, double value, int digits_min, bool single)
{
    char text[40];
    if (isnan(value)) {
        end_cell(csv);
        return;
    }
    for (int digits = digits_min;; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        bool same = single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
        if (same || digits >= 17) {
            break;
        }
    }
    put(csv, text, strlen(text));
    end_cell(csv);
}

void rk_csv_number(rk_csv *csv, double value)
{
    number(csv, value, 15, false);
}

void rk_csv_float(rk_csv *csv, float value)
{
    number(csv, (double)value, 6, true);
}

void rk_csv_count(rk_csv *csv, uint64_t value)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%" PRIu64, value);
    put(csv, text, (size_t)length);
    end_cell(csv);
}

rk_status rk_csv_open(rk_csv *csv, const char *path, const char *const *names, size_t columns,
                      rk_err *err)
{
    memset(csv, 0, sizeof(*csv));
    csv->file.fd = -1;
    if (columns == 0) {
        return rk_err_set(err, RK_INVALID, "%s: a table needs at least one column", path);
    }
    rk_status status = rk_file_writer_open(&csv->file, path, 0644, err);
    if (status != RK_OK) {
        return status;
    }
    csv->columns = columns;
    for (size_t i = 0; i < columns; i++) {
        rk_csv_text(csv, names[i]);
    }
    return RK_OK;
}

rk_status rk_csv_commit(rk_csv *csv, rk_err *err)
{
    if (csv->status == RK_OK && csv->column != 0) {
        csv->status = rk_err_set(&csv->err, RK_INVALID, "%s: the last row has %zu of %zu cells",
                                 csv->file.path, csv->column, csv->columns);
    }
    if (csv->status != RK_OK) {
        rk_file_writer_abandon(&csv->file);
        return rk_err_set(err, csv->status, "%s", csv->err.text);
    }
    return rk_file_writer_commit(&csv->file, err);
}

void rk_csv_abandon(rk_csv *csv)
{
    rk_file_writer_abandon(&csv->file);
}
