/*
 * schema.h: turns the author's RK_PARAMS, RK_FIELDS and other lists into types, indices and the
 * schema text that travels in the module. The text's grammar, one item a line:
 *
 *   ringkernel-schema 1
 *   module NAME "summary" "version"
 *   criticality low|normal|high|critical
 *   param TYPE NAME "default" "units" "help"
 *   field TYPE NAME "shape" "units" "flags" "help"
 *   phase NAME
 *   feature NAME "help"
 *   variant NAME "help"
 *   marker NAME 0xRRGGBB
 *   handler init|message|command|after_step|check|migrate
 *   shared BYTES
 *   abi VERSION
 *
 * TYPE is one of u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 real. A shape is a comma-separated list of
 * dimensions, slowest first; each is an integer expression over parameters and `blocks` with + - *
 * / and parentheses. Flags are comma-separated words: state (part of a checkpoint), scratch
 * (rebuilt or dead between steps), input (the host fills it), output (the host reads it), double
 * (one of a pair that swap roles). Strings hold no quote, backslash or control character.
 */
#ifndef RINGKERNEL_KERNEL_SCHEMA_H
#define RINGKERNEL_KERNEL_SCHEMA_H

#include <ringkernel/abi/control.h>
#include <ringkernel/abi/trace.h>

#ifndef RK_NAME
#error "define RK_NAME before including <ringkernel/kernel.h>, for example: #define RK_NAME heat3d"
#endif
#ifndef RK_SUMMARY
#define RK_SUMMARY ""
#endif
#ifndef RK_VERSION
#define RK_VERSION "1"
#endif
#ifndef RK_CRITICALITY
#define RK_CRITICALITY normal
#endif
#ifndef RK_PARAMS
#define RK_PARAMS(P)
#endif
#ifndef RK_FIELDS
#define RK_FIELDS(F)
#endif
#ifndef RK_PHASES
#define RK_PHASES(X)
#endif
#ifndef RK_FEATURES
#define RK_FEATURES(X)
#endif
#ifndef RK_VARIANTS
#define RK_VARIANTS(X)
#endif
#ifndef RK_MARKERS
#define RK_MARKERS(X)
#endif
#ifndef RK_SHARED_BYTES
#define RK_SHARED_BYTES 0
#endif
#ifndef RK_HAS_INIT
#define RK_HAS_INIT 0
#endif
#ifndef RK_HAS_MESSAGE
#define RK_HAS_MESSAGE 0
#endif
#ifndef RK_HAS_COMMAND
#define RK_HAS_COMMAND 0
#endif
#ifndef RK_HAS_AFTER_STEP
#define RK_HAS_AFTER_STEP 0
#endif
#ifndef RK_HAS_CHECK
#define RK_HAS_CHECK 0
#endif
#ifndef RK_HAS_MIGRATE
#define RK_HAS_MIGRATE 0
#endif

/* `real`: the precision variant. The build compiles one variant a time with -DRK_REAL_IS_F64. */
#if defined(RK_REAL_IS_F64)
typedef rk_f64 rk_real;
#define RK_REAL_TEXT "f64"
#else
typedef rk_f32 rk_real;
#define RK_REAL_TEXT "f32"
#endif

/* Indices and element types. */
#define RK_GEN_PARAM_INDEX(type, name, value, units, help) RK_PARAM_INDEX_##name,
#define RK_GEN_FIELD_INDEX(type, name, shape, units, flags, help) RK_FIELD_INDEX_##name,
#define RK_GEN_PHASE_INDEX(name) RK_PHASE_INDEX_##name,
#define RK_GEN_MARKER_INDEX(name, color) RK_MARKER_INDEX_##name,
#define RK_GEN_FEATURE_INDEX(name, help) RK_FEATURE_INDEX_##name,
enum { RK_PARAMS(RK_GEN_PARAM_INDEX) RK_PARAM_COUNT };
enum { RK_FIELDS(RK_GEN_FIELD_INDEX) RK_FIELD_COUNT };
enum { RK_PHASES(RK_GEN_PHASE_INDEX) RK_PHASE_COUNT };
enum { RK_FEATURES(RK_GEN_FEATURE_INDEX) RK_FEATURE_COUNT };
enum { RK_MARKERS(RK_GEN_MARKER_INDEX) RK_MARKER_COUNT };

RK_ABI_ASSERT((int)RK_FIELD_COUNT <= RK_FIELD_MAX);
RK_ABI_ASSERT((int)RK_PARAM_COUNT <= RK_PARAM_MAX);
RK_ABI_ASSERT((int)RK_FEATURE_COUNT <= 64);
RK_ABI_ASSERT((int)RK_MARKER_COUNT <= RK_TRACE_MARKER_MAX);

#define RK_GEN_PARAM_TYPE(type, name, value, units, help) typedef rk_##type rk_param_type_##name;
#define RK_GEN_FIELD_TYPE(type, name, shape, units, flags, help)                                   \
    typedef rk_##type rk_field_type_##name;
RK_PARAMS(RK_GEN_PARAM_TYPE)
RK_FIELDS(RK_GEN_FIELD_TYPE)

/* The schema text; the CPU build keeps it in a section of its own, where `rk build` finds it. */
#if defined(RK_TARGET_CPU)
#define RK_TEXT_(x) #x
#define RK_TEXT(x) RK_TEXT_(x)
#define RK_GEN_PARAM_TEXT(type, name, value, units, help)                                          \
    "param " #type " " #name " \"" value "\" \"" units "\" \"" help "\"\n"
#define RK_GEN_FIELD_TEXT(type, name, shape, units, flags, help)                                   \
    "field " #type " " #name " \"" shape "\" \"" units "\" \"" flags "\" \"" help "\"\n"
#define RK_GEN_PHASE_TEXT(name) "phase " #name "\n"
#define RK_GEN_FEATURE_TEXT(name, help) "feature " #name " \"" help "\"\n"
#define RK_GEN_MARKER_TEXT(name, color) "marker " #name " " #color "\n"
#define RK_GEN_VARIANT_TEXT(name, help) "variant " #name " \"" help "\"\n"

/* clang-format off */
extern const char rk_module_schema[];
__attribute__((visibility("default"), used, section(".rkschema"))) const char rk_module_schema[] =
    "ringkernel-schema 1\n"
    "module " RK_TEXT(RK_NAME) " \"" RK_SUMMARY "\" \"" RK_VERSION "\"\n"
    "criticality " RK_TEXT(RK_CRITICALITY) "\n"
    RK_PARAMS(RK_GEN_PARAM_TEXT)
    RK_FIELDS(RK_GEN_FIELD_TEXT)
    RK_PHASES(RK_GEN_PHASE_TEXT)
    RK_FEATURES(RK_GEN_FEATURE_TEXT)
    RK_VARIANTS(RK_GEN_VARIANT_TEXT)
    RK_MARKERS(RK_GEN_MARKER_TEXT)
#if RK_HAS_INIT
    "handler init\n"
#endif
#if RK_HAS_MESSAGE
    "handler message\n"
#endif
#if RK_HAS_COMMAND
    "handler command\n"
#endif
#if RK_HAS_AFTER_STEP
    "handler after_step\n"
#endif
#if RK_HAS_CHECK
    "handler check\n"
#endif
#if RK_HAS_MIGRATE
    "handler migrate\n"
#endif
    "shared " RK_TEXT(RK_SHARED_BYTES) "\n"
    "abi " RK_TEXT(RK_ABI_VERSION_TOKEN) "\n";
/* clang-format on */
#endif

#endif
