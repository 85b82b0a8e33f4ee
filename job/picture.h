/*
 * picture.h: pictures of results: a slice through a field, and decay curves.
 *
 * Both write a PNG file with title, axes, ticks and a legend; whole or not at all. Texts are
 * printable ASCII.
 */
#ifndef RK_JOB_PICTURE_H
#define RK_JOB_PICTURE_H

#include <ringkernel/status.h>

typedef enum rk_picture_scale {
    RK_PICTURE_DIVERGING,  /* low = -high */
    RK_PICTURE_SEQUENTIAL, /* linear */
    RK_PICTURE_LOGARITHMIC /* sequential colours; low > 0, ticks at decades */
} rk_picture_scale;

/* What a cell of a slice is; the first four are those of rk_room_cell. */
enum {
    RK_PICTURE_FLUID = 0,
    RK_PICTURE_WALL = 1,
    RK_PICTURE_FURNITURE = 2,
    RK_PICTURE_OPENING = 3,
    RK_PICTURE_MEDIUM = 4 /* carries sound, but is not the air: outlined */
};

typedef struct rk_picture_marker {
    double u_m, v_m;
    const char *name;
    bool source; /* else a receiver */
} rk_picture_marker;

typedef struct rk_picture_slice {
    uint32_t width, height; /* cells; u to the right, v up */
    const float *values;    /* [height][width], row 0 is the lowest v */
    const uint8_t *cells;   /* [height][width], see above */
    double u_m, v_m;        /* low corner of cell (0, 0) */
    double cell_m;
    rk_picture_scale scale;
    double low, high; /* ends of the colours */
    bool nearest;     /* each cell in one colour, instead of shades between cells */
    const char *title, *u_label, *v_label, *value_label;
    const rk_picture_marker *markers;
    size_t marker_count;
} rk_picture_slice;

/*
 * RK_INVALID for an empty slice, for one of more than 8192 cells on a side or ends in the wrong
 * order.
 */
rk_status rk_picture_write_slice(const char *path, const rk_picture_slice *slice, rk_err *err);

/* One curve of a plot of levels over time; the values may hold NAN, where nothing is drawn. */
typedef struct rk_picture_curve {
    const char *name; /* for the legend */
    const double *level_db;
    size_t count;
    double rate_hz;
    double fit_start_s, fit_start_db, fit_slope_db_s; /* a dashed line; slope 0: none */
} rk_picture_curve;

/* Levels from floor_db (negative) to 0 dB over 0 .. end_s. */
rk_status rk_picture_write_decay(const char *path, const char *title,
                                 const rk_picture_curve *curves, size_t count, double end_s,
                                 double floor_db, rk_err *err);

#endif
