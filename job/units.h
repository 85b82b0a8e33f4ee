/*
 * units.h: numbers with units, as job files hold them: "343 m/s", "5 cm", "250 ms", "1.2 kg/m3".
 *
 * A plain number has the base unit of its dimension. Expects the C numeric locale. Pure; any
 * thread.
 */
#ifndef RK_JOB_UNITS_H
#define RK_JOB_UNITS_H

#include <ringkernel/status.h>

/* The base unit of each is the first in the comment. */
typedef enum rk_dimension {
    RK_UNIT_NONE,           /* a pure number; also % */
    RK_UNIT_LENGTH,         /* m */
    RK_UNIT_TIME,           /* s */
    RK_UNIT_FREQUENCY,      /* Hz */
    RK_UNIT_SPEED,          /* m/s */
    RK_UNIT_DENSITY,        /* kg/m3 */
    RK_UNIT_PRESSURE,       /* Pa */
    RK_UNIT_TEMPERATURE,    /* degC */
    RK_UNIT_BYTES,          /* bytes */
    RK_UNIT_ENERGY_DENSITY, /* J/m3 */
    RK_UNIT_LEVEL,          /* dB */
    RK_UNIT_MASS,           /* kg: known so that it can be refused by name */
    RK_UNIT_DIMENSIONS
} rk_dimension;

/* "length" and so on; and its base unit, "" for a pure number. */
const char *rk_dimension_name(rk_dimension dimension);
const char *rk_dimension_unit(rk_dimension dimension);

/* The units of a dimension as a list: "m, cm, mm, km". */
void rk_dimension_units(rk_dimension dimension, char *out_text, size_t size);

/*
 * Reads a number with or without unit and converts it to the base unit. RK_SYNTAX when it is no
 * number, RK_INVALID for the unit of something else or an unknown one (with a suggestion); the
 * sentence quotes the text and lists the units that fit.
 */
rk_status rk_unit_parse(const char *text, rk_dimension dimension, double *out_value, rk_err *err);

#endif
