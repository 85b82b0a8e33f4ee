/*
 * room_spec.h: a room as people describe it: geometry, materials, furniture, openings, sources,
 * receivers, slices.
 *
 * Lengths are in metres, times in seconds. z points up; the origin of a box is its low south-west
 * corner: x runs east, y north. The job file loader (job/jobfile.h) fills these structures; a
 * program may do so too. Numbers that are not given are NAN, texts NULL, lists empty; all text is
 * borrowed.
 */
#ifndef RK_JOB_ROOM_SPEC_H
#define RK_JOB_ROOM_SPEC_H

#include <ringkernel/status.h>

/* Where something stands in the job file, for error sentences; line 0 means "not from a file". */
typedef struct rk_room_mark {
    uint32_t line;
    uint32_t column;
} rk_room_mark;

typedef struct rk_room_vec {
    double x, y, z;
} rk_room_vec;

typedef enum rk_room_quantity {
    RK_ROOM_PRESSURE, /* Pa, signed */
    RK_ROOM_LEVEL,    /* dB re 20 uPa of the instantaneous magnitude */
    RK_ROOM_ENERGY    /* potential energy density p^2 / (2 rho c^2), J/m3 */
} rk_room_quantity;

typedef enum rk_room_signal {
    RK_ROOM_RICKER,
    RK_ROOM_PULSE,
    RK_ROOM_SWEEP,
    RK_ROOM_CLAP,
    RK_ROOM_SPEECH,
    RK_ROOM_WAV
} rk_room_signal;

typedef enum rk_room_shape { RK_ROOM_BOX, RK_ROOM_CYLINDER, RK_ROOM_POLYGON } rk_room_shape;
typedef enum rk_room_axis { RK_ROOM_X, RK_ROOM_Y, RK_ROOM_Z } rk_room_axis;
typedef enum rk_room_state { RK_ROOM_OPEN, RK_ROOM_CLOSED } rk_room_state;

/* A material either ends the air (absorption) or carries sound itself (sound speed and density). */
typedef struct rk_room_material {
    rk_room_mark mark;
    const char *name;
    double absorption; /* random incidence, 0 .. RK_ABSORB_ALPHA_MAX */
    double sound_speed_m_s;
    double density_kg_m3;
} rk_room_material;

/* The material of one surface: floor, ceiling, walls (all of them), one wall by its name. */
typedef struct rk_room_surface {
    rk_room_mark mark;
    const char *name;
    const char *material;
} rk_room_surface;

typedef struct rk_room_furniture {
    rk_room_mark mark;
    const char *name;
    rk_room_shape shape; /* box: from, to; cylinder (upright): center of its foot, radius, height */
    rk_room_vec from, to;
    rk_room_vec center;
    double radius_m, height_m;
    const char *material;
} rk_room_furniture;

/*
 * A door or window: a rectangle on a wall, from and to measured along the wall (from the west or
 * south end; for a polygon from the wall's first corner) and up from the floor. Open, it lets all
 * sound of normal incidence out; with a depth it is a niche of that depth, open at its far end.
 */
typedef struct rk_room_opening {
    rk_room_mark mark;
    const char *name;
    const char *wall;
    double from[2], to[2];
    double depth_m;
    rk_room_state state;
    const char *material; /* when closed */
} rk_room_opening;

typedef struct rk_room_source {
    rk_room_mark mark;
    const char *name;
    rk_room_vec position;
    rk_room_signal signal;
    const char *path;    /* WAV */
    double rate_hz;      /* WAV: the rate that the file must have */
    uint64_t channel;    /* WAV: from 1 */
    double frequency_hz; /* ricker: peak; pulse and sweep: upper end */
    double start_s;
    double length_s; /* sweep, speech: length */
    double level_pa; /* peak pressure at 1 m in the free field */
    double highpass_hz;
    uint64_t seed;
} rk_room_source;

typedef struct rk_room_receiver {
    rk_room_mark mark;
    const char *name;
    rk_room_vec position;
} rk_room_receiver;

typedef struct rk_room_slice {
    rk_room_mark mark;
    const char *name;
    rk_room_axis axis;
    double position_m;
    double *times_s;
    size_t time_count;
    rk_room_quantity quantity;
    double range; /* end of the colour scale; NAN: from the data */
} rk_room_slice;

typedef struct rk_room_spec {
    const char *file;   /* for error sentences; may be NULL */
    const char *folder; /* relative WAV paths start here; NULL: the working directory */
    rk_room_mark mark;
    double duration_s;
    struct {
        double dx_m;         /* or: */
        double frequency_hz; /* with */
        double points_per_wavelength;
        double courant; /* share of the stability limit, for the time step */
        double dt_s;    /* given time step, instead */
        uint64_t memory_limit_bytes;
        rk_room_mark mark;
    } grid;
    struct {
        double temperature_c;
        double sound_speed_m_s;
        double density_kg_m3;
        rk_room_mark mark;
    } air;
    struct {
        rk_room_shape shape; /* box: size; polygon: corners (x, y) in turn, and height */
        rk_room_vec size;
        double (*corners)[2];
        size_t corner_count;
        double height_m;
        rk_room_mark mark;
    } geometry;
    rk_room_surface *surfaces;
    size_t surface_count;
    rk_room_material *materials;
    size_t material_count;
    rk_room_furniture *furniture;
    size_t furniture_count;
    rk_room_opening *openings;
    size_t opening_count;
    rk_room_source *sources;
    size_t source_count;
    rk_room_receiver *receivers;
    size_t receiver_count;
    rk_room_slice *slices;
    size_t slice_count;
    struct {
        double wav_rate_hz;
        bool bands;
        bool csv;
        rk_room_mark mark;
    } report;
} rk_room_spec;

#endif
