/*
 * log.c: levels, the sink, and the line on stderr.
 *
 * Levels of components live in a fixed table that only grows: a reader takes the count with acquire
 * and then sees complete names, so a look takes no lock.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/thread.h"
#include "base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_COMPONENTS 32
#define MOST_NAME_BYTES 24
#define LINE_BYTES 4096
#define MESSAGE_BYTES 1024

typedef struct component_level {
    char name[MOST_NAME_BYTES];
    _Atomic int level;
} component_level;

static component_level components[MOST_COMPONENTS];
static _Atomic unsigned component_count;
static rk_mutex components_lock = RK_MUTEX_INIT;

static _Atomic int general_level = RK_LOG_WARNING;
/* The most verbose level of all, so that the usual answer "no" takes one load. */
static _Atomic int widest_level = RK_LOG_WARNING;

static void write_to_stderr(void *context, const rk_log_record *record)
{
    (void)context;
    char line[LINE_BYTES];
    size_t length = rk_log_format(record, line, sizeof line - 1);
    length = RK_MIN(length, sizeof line - 2);
    line[length++] = '\n';
    /*
     * One write, so that lines of several processes do not mix; there is no one to tell of a
     * failure.
     */
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

static const rk_log_sink stderr_sink = {.write = write_to_stderr};
static const rk_log_sink *_Atomic current_sink = &stderr_sink;

void rk_log_install(const rk_log_sink *sink)
{
    atomic_store_explicit(&current_sink, sink == NULL ? &stderr_sink : sink, memory_order_release);
}

/* Call with the lock held. */
static void update_widest(void)
{
    int widest = atomic_load_explicit(&general_level, memory_order_relaxed);
    unsigned count = atomic_load_explicit(&component_count, memory_order_relaxed);
    for (unsigned i = 0; i < count; i++) {
        int level = atomic_load_explicit(&components[i].level, memory_order_relaxed);
        widest = RK_MAX(widest, level);
    }
    atomic_store_explicit(&widest_level, widest, memory_order_relaxed);
}

void rk_log_set_level(rk_log_level level)
{
    rk_mutex_lock(&components_lock);
    atomic_store_explicit(&general_level, (int)level, memory_order_relaxed);
    update_widest();
    rk_mutex_unlock(&components_lock);
}

/* The component's row, or NULL. Acquire pairs with the release that publishes a row. */
static component_level *find_component(const char *name)
{
    unsigned count = atomic_load_explicit(&component_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(components[i].name, name) == 0) {
            return &components[i];
        }
    }
    return NULL;
}

rk_status rk_log_set_component_level(const char *component, rk_log_level level)
{
    if (strlen(component) >= MOST_NAME_BYTES) {
        return RK_LIMIT;
    }
    rk_status status = RK_OK;
    rk_mutex_lock(&components_lock);
    component_level *row = find_component(component);
    unsigned count = atomic_load_explicit(&component_count, memory_order_relaxed);
    if (row != NULL) {
        atomic_store_explicit(&row->level, (int)level, memory_order_relaxed);
    } else if (count < MOST_COMPONENTS) {
        row = &components[count];
        (void)snprintf(row->name, sizeof row->name, "%s", component); /* checked above */
        atomic_store_explicit(&row->level, (int)level, memory_order_relaxed);
        atomic_store_explicit(&component_count, count + 1, memory_order_release);
    } else {
        status = RK_LIMIT;
    }
    update_widest();
    rk_mutex_unlock(&components_lock);
    return status;
}

void rk_log_reset_components(void)
{
    /* Rows stay, since a reader may look at one: a level of -1 means "as the general one". */
    rk_mutex_lock(&components_lock);
    unsigned count = atomic_load_explicit(&component_count, memory_order_relaxed);
    for (unsigned i = 0; i < count; i++) {
        atomic_store_explicit(&components[i].level, -1, memory_order_relaxed);
    }
    update_widest();
    rk_mutex_unlock(&components_lock);
}

bool rk_log_enabled(rk_log_level level, const char *component)
{
    if (RK_LIKELY((int)level > atomic_load_explicit(&widest_level, memory_order_relaxed))) {
        return false;
    }
    component_level *row = find_component(component);
    int own = row == NULL ? -1 : atomic_load_explicit(&row->level, memory_order_relaxed);
    int limit = own >= 0 ? own : atomic_load_explicit(&general_level, memory_order_relaxed);
    return (int)level <= limit;
}

void rk_log_emit(rk_log_level level, const char *component, const char *message,
                 const rk_log_field *fields, size_t field_count)
{
    const rk_log_record record = {
        .level = level,
        .realtime_ns = rk_clock_realtime_ns(),
        .component = component,
        .message = message,
        .fields = fields,
        .field_count = field_count,
    };
    /* Acquire pairs with the release in rk_log_install. */
    const rk_log_sink *sink = atomic_load_explicit(&current_sink, memory_order_acquire);
    sink->write(sink->context, &record);
}

void rk_log_emitf(rk_log_level level, const char *component, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* a long message is cut */
    va_end(args);
    rk_log_emit(level, component, message, NULL, 0);
}

static const char *const level_names[RK_LOG_LEVEL_COUNT] = {
#define LEVEL_NAME(symbol, value, name) [value] = (name),
    RK_LOG_LEVEL_LIST(LEVEL_NAME)
#undef LEVEL_NAME
};

const char *rk_log_level_name(rk_log_level level)
{
    return (unsigned)level < RK_LOG_LEVEL_COUNT ? level_names[level] : "unknown";
}

rk_status rk_log_level_parse(const char *name, rk_log_level *out_level, rk_err *err)
{
    for (int i = 0; i < RK_LOG_LEVEL_COUNT; i++) {
        if (strcmp(level_names[i], name) == 0) {
            *out_level = (rk_log_level)i;
            return RK_OK;
        }
    }
    return rk_err_set(err, RK_INVALID,
                      "unknown log level '%s': use error, warning, info, debug or trace", name);
}

/* A line that is cut at its end but counts on. */
typedef struct line_writer {
    char *data;
    size_t size;
    size_t length;
} line_writer;

static void put(line_writer *line, const char *text, size_t length)
{
    if (line->length + 1 < line->size) {
        size_t room = line->size - 1 - line->length;
        memcpy(line->data + line->length, text, RK_MIN(length, room));
        line->data[line->length + RK_MIN(length, room)] = '\0';
    }
    line->length += length;
}

static void put_text(line_writer *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Leaves UTF-8 as it is; escapes control characters, broken bytes and, inside quotes, " and \. */
static void put_escaped(line_writer *line, const char *text, bool quoted)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t step = rk_utf8_length(text + at, length - at);
        unsigned char byte = (unsigned char)text[at];
        if (step == 0 || byte < 0x20 || byte == 0x7f) {
            char escape[8];
            (void)snprintf(escape, sizeof escape, "\\x%02x", byte);
            put_text(line, escape);
            step = 1;
        } else {
            if (quoted && (byte == '"' || byte == '\\')) {
                put_text(line, "\\");
            }
            put(line, text + at, step);
        }
        at += step;
    }
}

static bool is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at <= 0x20 || *at == '"' || *at == '=' || *at == '\\') {
            return false;
        }
    }
    return *text != '\0';
}

static void put_field(line_writer *line, const rk_log_field *field)
{
    char number[32];
    number[0] = '\0';
    put_text(line, " ");
    put_escaped(line, field->key, false);
    put_text(line, "=");
    switch (field->kind) {
    case RK_LOG_KIND_TEXT: {
        const char *text = field->value.text == NULL ? "" : field->value.text;
        bool quoted = !is_plain(text);
        put_text(line, quoted ? "\"" : "");
        put_escaped(line, text, quoted);
        put_text(line, quoted ? "\"" : "");
        return;
    }
    case RK_LOG_KIND_I64:
        (void)snprintf(number, sizeof number, "%" PRId64, field->value.i64);
        break;
    case RK_LOG_KIND_U64:
        (void)snprintf(number, sizeof number, "%" PRIu64, field->value.u64);
        break;
    case RK_LOG_KIND_F64: (void)snprintf(number, sizeof number, "%.9g", field->value.f64); break;
    case RK_LOG_KIND_BOOL:
        (void)snprintf(number, sizeof number, "%s", field->value.boolean ? "true" : "false");
        break;
    }
    put_text(line, number);
}

size_t rk_log_format(const rk_log_record *record, char *out_line, size_t size)
{
    line_writer line = {out_line, size, 0};
    if (size > 0) {
        out_line[0] = '\0';
    }
    char stamp[64];
    time_t seconds = (time_t)(record->realtime_ns / RK_NS_PER_S);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc); /* a time that fails is shown as year 1900 */
    size_t length = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp + length, sizeof stamp - length, ".%06uZ ",
                   (unsigned)(record->realtime_ns % RK_NS_PER_S / RK_NS_PER_US));
    put_text(&line, stamp);
    put_text(&line, rk_log_level_name(record->level));
    put_text(&line, " ");
    put_escaped(&line, record->component, false);
    put_text(&line, ": ");
    put_escaped(&line, record->message, false);
    for (size_t i = 0; i < record->field_count; i++) {
        put_field(&line, &record->fields[i]);
    }
    return line.length;
}
