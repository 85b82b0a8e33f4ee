/*
 * jobfile_tables.h: the shape of the table of job file keys. For the files of the reader only.
 *
 * A section describes a mapping: its keys, and the structure that they fill. Offsets count from
 * that structure.
 */
#ifndef RK_JOB_JOBFILE_TABLES_H
#define RK_JOB_JOBFILE_TABLES_H

#include "job/units.h"

#include <ringkernel/status.h>

typedef enum job_type {
    JOB_TEXT,     /* const char * */
    JOB_NAME,     /* const char *: letters, digits, - and _; fit for a file name */
    JOB_NUMBER,   /* double, in the base unit; NAN when not given */
    JOB_COUNT,    /* uint64_t */
    JOB_SIZE,     /* uint64_t bytes */
    JOB_SWITCH,   /* bool */
    JOB_CHOICE,   /* an enum: the index of the word in choices */
    JOB_POINT,    /* rk_room_vec: three numbers */
    JOB_PAIR,     /* double[2] */
    JOB_PAIRS,    /* double (*)[2] and count */
    JOB_NUMBERS,  /* double * and count */
    JOB_TEXTS,    /* const char ** and count */
    JOB_SECTION,  /* a mapping whose keys fill this same structure */
    JOB_OPTIONAL, /* pointer to a structure of its own, NULL without the section */
    JOB_LIST,     /* array of structures and count, from a list of mappings */
    JOB_NAMED,    /* array of structures and count, from a mapping name: section */
    JOB_WORDS,    /* array of rk_room_surface and count, from a mapping name: text */
    JOB_VALUES    /* array of rk_job_value and count, from a mapping name: value */
} job_type;

#define JOB_NO_MARK SIZE_MAX

typedef struct job_section job_section;

typedef struct job_key {
    const char *name;
    job_type type;
    rk_dimension dimension;
    const char *default_text; /* read like a given value; NULL: none */
    double min, max;          /* of each number; no bounds when both are 0 */
    const char *choices;      /* "a|b|c" */
    const job_section *section;
    size_t offset;
    size_t count_offset;
    bool required;
    const char *help;
} job_key;

struct job_section {
    const char *path;  /* as the documentation shows it: "room.grid" */
    const char *title; /* one sentence */
    const job_key *keys;
    size_t key_count;
    size_t bytes;       /* of the structure, where it has one of its own */
    size_t mark_offset; /* of its rk_room_mark, or JOB_NO_MARK */
    size_t name_offset; /* JOB_NAMED: where the name goes */
};

/* All sections in the order of the documentation; the first is the whole file. */
extern const job_section *const job_sections[];
extern const size_t job_section_count;

#endif
