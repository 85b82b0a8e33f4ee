/*
 * schema.h: what a module says about itself: parameters, state fields, phases, handlers, variants.
 *
 * A module carries its schema as text (grammar in ringkernel/kernel/schema.h); the library parses
 * it into an rk_schema. Everything in it is read-only and lives as long as the module that it came
 * from; any thread may read it.
 */
#ifndef RINGKERNEL_SCHEMA_H
#define RINGKERNEL_SCHEMA_H

#include <ringkernel/abi/schema.h>
#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits besides RK_FIELD_MAX and RK_PARAM_MAX of abi/control.h. */
#define RK_SCHEMA_TEXT_MAX (64u * 1024u)   /* bytes of a schema text                 */
#define RK_SCHEMA_NAME_MAX 63u             /* bytes of a name                        */
#define RK_SCHEMA_STRING_MAX 511u          /* bytes of a quoted string               */
#define RK_SCHEMA_PHASE_MAX 64u            /* phases                                 */
#define RK_SCHEMA_FEATURE_MAX 64u          /* features: bits of one word             */
#define RK_SCHEMA_MARKER_MAX 64u           /* markers of its own timeline             */
#define RK_SCHEMA_VARIANT_MAX 2u           /* f32 and f64                            */
#define RK_SCHEMA_DIMENSION_MAX 8u         /* dimensions of a field                  */
#define RK_SCHEMA_SHARED_MAX (48u * 1024u) /* bytes of shared memory: every GPU has these */

/* X(symbol, value, name): how much a kernel matters when the runtime must shed load. */
#define RK_CRITICALITY_ITEMS(X)                                                                    \
    X(LOW, 0, "low")                                                                               \
    X(NORMAL, 1, "normal")                                                                         \
    X(HIGH, 2, "high")                                                                             \
    X(CRITICAL, 3, "critical")

typedef enum rk_criticality {
#define RK_CRITICALITY_DEFINE(symbol, value, name) RK_CRITICALITY_##symbol = (value),
    RK_CRITICALITY_ITEMS(RK_CRITICALITY_DEFINE)
#undef RK_CRITICALITY_DEFINE
} rk_criticality;

/* X(symbol, bit, name): flags of a field. */
#define RK_FIELD_FLAG_ITEMS(X)                                                                     \
    X(STATE, 0, "state")     /* part of a checkpoint                            */                 \
    X(SCRATCH, 1, "scratch") /* rebuilt, or dead between two steps              */                 \
    X(INPUT, 2, "input")     /* the host fills it                               */                 \
    X(OUTPUT, 3, "output")   /* the host reads it                               */                 \
    X(DOUBLE, 4, "double")   /* one of two fields that swap roles at every step */

enum {
#define RK_FIELD_FLAG_DEFINE(symbol, bit, name) RK_FIELD_##symbol = 1 << (bit),
    RK_FIELD_FLAG_ITEMS(RK_FIELD_FLAG_DEFINE)
#undef RK_FIELD_FLAG_DEFINE
};

/* X(symbol, bit, name): handlers that a module may have. */
#define RK_HANDLER_ITEMS(X)                                                                        \
    X(INIT, 0, "init")                                                                             \
    X(MESSAGE, 1, "message")                                                                       \
    X(COMMAND, 2, "command")                                                                       \
    X(AFTER_STEP, 3, "after_step")                                                                 \
    X(CHECK, 4, "check")                                                                           \
    X(MIGRATE, 5, "migrate")

enum {
#define RK_HANDLER_DEFINE(symbol, bit, name) RK_HANDLER_##symbol = 1 << (bit),
    RK_HANDLER_ITEMS(RK_HANDLER_DEFINE)
#undef RK_HANDLER_DEFINE
};

typedef struct rk_schema_param {
    const char *name;
    const char *default_text; /* a valid value of the type */
    const char *units;        /* "" for none */
    const char *help;
    uint32_t type; /* RK_TYPE_*; RK_TYPE_REAL depends on the variant */
} rk_schema_param;

typedef struct rk_schema_field {
    const char *name;
    const char *shape; /* "nz,ny,nx+2": dimensions, slowest first, over parameters and `blocks` */
    const char *units;
    const char *help;
    uint32_t type;  /* RK_TYPE_* */
    uint32_t flags; /* RK_FIELD_* */
} rk_schema_field;

/* A phase (without help), an optional feature or a precision variant. */
typedef struct rk_schema_item {
    const char *name;
    const char *help;
} rk_schema_item;

/* A name that the kernel's code marks in its timeline (ringkernel/trace.h). */
typedef struct rk_schema_marker {
    const char *name;
    uint32_t color; /* 0xRRGGBB */
} rk_schema_marker;

typedef struct rk_schema {
    const char *name;
    const char *summary;
    const char *version;
    const rk_schema_param *params;
    const rk_schema_field *fields;
    const rk_schema_item *phases;
    const rk_schema_item *features; /* feature i is bit i of the kernel's feature word */
    const rk_schema_item *variants; /* none declared: one variant, f32 */
    const rk_schema_marker *markers;
    uint32_t param_count;
    uint32_t field_count;
    uint32_t phase_count;
    uint32_t feature_count;
    uint32_t variant_count; /* at least 1 */
    uint32_t marker_count;
    uint32_t handlers;     /* RK_HANDLER_* */
    uint32_t shared_bytes; /* of block-local memory */
    uint32_t abi_version;  /* RK_ABI_VERSION of the headers that it was compiled with */
    rk_criticality criticality;
} rk_schema;

/* The index of a parameter, field, feature or variant, or -1 if there is none of that name. */
RK_API int rk_schema_find_param(const rk_schema *schema, const char *name);
RK_API int rk_schema_find_field(const rk_schema *schema, const char *name);
RK_API int rk_schema_find_feature(const rk_schema *schema, const char *name);
RK_API int rk_schema_find_variant(const rk_schema *schema, const char *name);

/* The type with `real` replaced by what it is in the variant (an index below variant_count). */
RK_API uint32_t rk_schema_type(const rk_schema *schema, uint32_t variant, uint32_t type);

/*
 * Identifies the layout of parameters and fields in a variant: 64-bit FNV-1a (Fowler, Noll, Vo)
 * over the ABI version, and names, types, shapes and flags in order. Two modules with the same hash
 * can use each other's arenas. Defaults, units and help texts do not count.
 */
RK_API uint64_t rk_schema_hash(const rk_schema *schema, uint32_t variant);

/* Whether a kernel's state can go on under another module, or under another variant of its own. */
typedef enum rk_schema_match {
    RK_SCHEMA_SAME,        /* the layout is the same: the new code runs on the arena as it is */
    RK_SCHEMA_BY_NAME,     /* fields are copied by name; new ones start as zero */
    RK_SCHEMA_BY_HANDLER,  /* the new module's migrate handler rebuilds the state */
    RK_SCHEMA_INCOMPATIBLE /* neither is possible */
} rk_schema_match;

/*
 * Compares schemas. By name needs the same module name and, for every state field that both have,
 * the same number of dimensions; a type that differs is converted. reason (may be NULL) gets one
 * sentence, with code RK_OK or, when incompatible, RK_INVALID.
 */
RK_API rk_schema_match rk_schema_compare(const rk_schema *from, uint32_t from_variant,
                                         const rk_schema *to, uint32_t to_variant, rk_err *reason);

/* "u32", "low", ...; "?" for a number that means nothing. Static strings. */
RK_API const char *rk_type_name(uint32_t type);
RK_API const char *rk_criticality_name(rk_criticality criticality);

/* The name of flag or handler bit (0, 1, ...); NULL beyond the last. Static strings. */
RK_API const char *rk_field_flag_name(uint32_t bit);
RK_API const char *rk_handler_name(uint32_t bit);

/* Bytes of an element; 0 for RK_TYPE_REAL and for a number that means nothing. */
RK_API uint32_t rk_type_bytes(uint32_t type);

/*
 * Parameter values. A slot is 8 bytes with the value at its start, as the kernel reads it.
 *
 * rk_param_parse reads a value of a type (not RK_TYPE_REAL) from text: decimal or 0x integers,
 * decimal fractions with an optional exponent. RK_SYNTAX for anything else, RK_LIMIT for a value
 * outside the type's range (for floats: not finite). rk_param_format writes the shortest text that
 * parses to the same value into a buffer of RK_PARAM_TEXT_BYTES.
 */
#define RK_PARAM_TEXT_BYTES 40u
RK_API rk_status rk_param_parse(uint32_t type, const char *text, uint64_t *out_slot, rk_err *err);
RK_API void rk_param_format(uint32_t type, uint64_t slot, char *out_text);

/* A slot from a number. RK_LIMIT if the type cannot hold it; integers take whole numbers only. */
RK_API rk_status rk_param_from_number(uint32_t type, double number, uint64_t *out_slot,
                                      rk_err *err);

/* The value of a slot as a number, rounded to double. */
RK_API double rk_param_number(uint32_t type, uint64_t slot);

/* Fills param_count slots with the defaults. */
RK_API void rk_schema_defaults(const rk_schema *schema, uint32_t variant, uint64_t *out_slots);

#ifdef __cplusplus
}
#endif
#endif
