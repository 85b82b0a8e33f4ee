/*
 * log.h: what the program tells its operator, as records with fields, into one sink.
 *
 * Libraries return errors; they log only what has no caller to tell: a lost device, a restart, a
 * full disk met by a background thread. Programs choose the sink. Until they do, records of level
 * warning and above go to stderr, one line each:
 *
 *   2026-01-31T12:00:00.000000Z warning device: link lost peer=cuda:1 retries=3
 *
 * Any thread may log and install. Building a record allocates nothing; the sink may block. A call
 * below the level in force costs one load and one branch, and its fields are not evaluated.
 */
#ifndef RK_BASE_LOG_H
#define RK_BASE_LOG_H

#include "base/compiler.h"

/* X(symbol, value, name), most severe first. */
#define RK_LOG_LEVEL_LIST(X)                                                                       \
    X(ERROR, 0, "error")     /* something is lost or stopped; someone must act */                  \
    X(WARNING, 1, "warning") /* works on, but not as it should */                                  \
    X(INFO, 2, "info")       /* life cycle: started, stopped, moved */                             \
    X(DEBUG, 3, "debug")     /* for the developer of the component */                              \
    X(TRACE, 4, "trace")     /* every step */

typedef enum rk_log_level {
#define RK_LOG_LEVEL_ENUM(symbol, value, name) RK_LOG_##symbol = (value),
    RK_LOG_LEVEL_LIST(RK_LOG_LEVEL_ENUM)
#undef RK_LOG_LEVEL_ENUM
} rk_log_level;

#define RK_LOG_LEVEL_COUNT 5

typedef enum rk_log_kind {
    RK_LOG_KIND_TEXT,
    RK_LOG_KIND_I64,
    RK_LOG_KIND_U64,
    RK_LOG_KIND_F64,
    RK_LOG_KIND_BOOL,
} rk_log_kind;

/* One key and value. Borrowed for the duration of the call. */
typedef struct rk_log_field {
    const char *key;
    rk_log_kind kind;
    union {
        const char *text; /* NULL is shown as an empty text */
        int64_t i64;
        uint64_t u64;
        double f64;
        bool boolean;
    } value;
} rk_log_field;

#define RK_TEXT(name, v) ((rk_log_field){(name), RK_LOG_KIND_TEXT, {.text = (v)}})
#define RK_I64(name, v) ((rk_log_field){(name), RK_LOG_KIND_I64, {.i64 = (v)}})
#define RK_U64(name, v) ((rk_log_field){(name), RK_LOG_KIND_U64, {.u64 = (v)}})
#define RK_F64(name, v) ((rk_log_field){(name), RK_LOG_KIND_F64, {.f64 = (v)}})
#define RK_BOOL(name, v) ((rk_log_field){(name), RK_LOG_KIND_BOOL, {.boolean = (v)}})

/* What a sink gets; everything is borrowed for the duration of the call. */
typedef struct rk_log_record {
    rk_log_level level;
    uint64_t realtime_ns;
    const char *component; /* "device", "runtime"; one word */
    const char *message;   /* what happened, without values: they are fields */
    const rk_log_field *fields;
    size_t field_count;
} rk_log_record;

/* Called by any thread, also by several at once. Must not log. */
typedef struct rk_log_sink {
    void (*write)(void *context, const rk_log_record *record);
    void *context;
} rk_log_sink;

/*
 * rk_log(RK_LOG_WARNING, "device", "clock went back %d ms", ms);
 * rk_log_fields(RK_LOG_INFO, "runtime", "kernel started", RK_TEXT("kernel", name), RK_U64("id",
 * id));
 */
#define rk_log(level, component, ...)                                                              \
    do {                                                                                           \
        if (rk_log_enabled((level), (component))) {                                                \
            rk_log_emitf((level), (component), __VA_ARGS__);                                       \
        }                                                                                          \
    } while (0)

#define rk_log_fields(level, component, message, ...)                                              \
    do {                                                                                           \
        if (rk_log_enabled((level), (component))) {                                                \
            const rk_log_field rk_log_list[] = {__VA_ARGS__};                                      \
            rk_log_emit((level), (component), (message), rk_log_list, RK_COUNT_OF(rk_log_list));   \
        }                                                                                          \
    } while (0)

/* Whether a record of this level and component would reach the sink. */
bool rk_log_enabled(rk_log_level level, const char *component);

/* Unconditional. A formatted message longer than 1 KiB is cut. */
void rk_log_emit(rk_log_level level, const char *component, const char *message,
                 const rk_log_field *fields, size_t field_count);
void rk_log_emitf(rk_log_level level, const char *component, const char *format, ...)
    RK_PRINTF(3, 4);

/* Replaces the sink, which stays borrowed; NULL brings stderr back. */
void rk_log_install(const rk_log_sink *sink);

/*
 * Records above this level are left out; WARNING until set. The second sets it for one component
 * (at most 32 of them, names up to 23 bytes: RK_LIMIT beyond), whatever the general level.
 */
void rk_log_set_level(rk_log_level level);
rk_status rk_log_set_component_level(const char *component, rk_log_level level);

/* Forgets the levels of single components. */
void rk_log_reset_components(void);

/* "error" and so on; and back: RK_INVALID for an unknown name, with a sentence. */
const char *rk_log_level_name(rk_log_level level);
rk_status rk_log_level_parse(const char *name, rk_log_level *out_level, rk_err *err);

/*
 * The record as one line of text without a newline, as on stderr. Returns its length, as snprintf
 * does; a longer line is cut. Control characters are escaped: a record is always one line.
 */
size_t rk_log_format(const rk_log_record *record, char *out_line, size_t size);

#endif
