/*
 * doctor.h: what a machine needs to run kernels: the checks of "rk doctor".
 */
#ifndef RK_CLI_DOCTOR_H
#define RK_CLI_DOCTOR_H

#include "base/str.h"

typedef enum rk_finding_level {
    RK_FINDING_OK,      /* as it should be */
    RK_FINDING_NOTE,    /* works without, or slower */
    RK_FINDING_MISSING, /* something does not work; the remedy says how to get it */
} rk_finding_level;

#define RK_FINDING_BYTES 512

typedef struct rk_finding {
    rk_finding_level level;
    char text[RK_FINDING_BYTES];
    char remedy[RK_FINDING_BYTES]; /* empty: none needed */
} rk_finding;

typedef struct rk_check {
    const char *name; /* "compiler" */
    void (*look)(rk_finding *out_finding);
} rk_check;

/* Of the machine: doctor_machine.c. Of what the program needs: doctor_tools.c. */
extern const rk_check rk_doctor_machine[];
extern const size_t rk_doctor_machine_count;
extern const rk_check rk_doctor_tools[];
extern const size_t rk_doctor_tools_count;

/* Sets level and text; and the remedy. */
void rk_finding_set(rk_finding *finding, rk_finding_level level, const char *format, ...)
    RK_PRINTF(3, 4);
void rk_finding_remedy(rk_finding *finding, const char *format, ...) RK_PRINTF(2, 3);

#endif
