/*
 * csv.h: writes a table as CSV (RFC 4180, lines end in LF), whole or not at all.
 *
 * The first row holds the column names. Numbers are written with as many digits as it takes to read
 * the same number back, texts in quotes where they need them. One thread at a time; blocks.
 * Expects the C numeric locale.
 */
#ifndef RK_JOB_CSV_H
#define RK_JOB_CSV_H

#include "base/file.h"

#include <ringkernel/status.h>

typedef struct rk_csv {
    rk_file_writer file;
    size_t columns;
    size_t column;    /* the next cell */
    rk_status status; /* the first failure, with its sentence in err; later calls do nothing */
    rk_err err;
} rk_csv;

/* Opens the file and writes the header row of columns names. */
rk_status rk_csv_open(rk_csv *csv, const char *path, const char *const *names, size_t columns,
                      rk_err *err);

/*
 * The next cell; a row ends by itself after the last column. Failures stay in csv->status and are
 * returned by commit, so a table can be written without a check per cell.
 */
void rk_csv_text(rk_csv *csv, const char *text);
void rk_csv_number(rk_csv *csv, double value);
void rk_csv_float(rk_csv *csv, float value);
void rk_csv_count(rk_csv *csv, uint64_t value);

/* Makes the file appear. RK_INVALID when the last row is not complete. Finishes csv either way. */
rk_status rk_csv_commit(rk_csv *csv, rk_err *err);
void rk_csv_abandon(rk_csv *csv);

#endif
