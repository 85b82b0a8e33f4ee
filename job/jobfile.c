/*
 * jobfile.c: reads a job file by its table.
 *
 * decode_section walks a mapping: defaults first, then each key. Structures are filled through the
 * offsets of the table with memcpy. Everything lives in the job's arena.
 */
#include "job/jobfile.h"

#include "base/file.h"
#include "base/suggest.h"
#include "job/jobfile_tables.h"
#include "job/room_internal.h"
#include "job/yaml.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 256
#define ARENA_BYTES (64u << 20)
#define NAME_BYTES 48

typedef struct decoder {
    rk_arena *arena;
    const char *file;
    rk_err *err;
    char path[PATH_BYTES]; /* of the key that is being read: "room.grid.dx" */
} decoder;

static rk_status decode_section(decoder *in, const job_section *section, const rk_yaml_node *node,
                                void *base);

static rk_status fail(decoder *in, const rk_yaml_node *node, rk_status code, const char *format,
                      ...) RK_PRINTF(4, 5);

static rk_status fail(decoder *in, const rk_yaml_node *node, rk_status code, const char *format,
                      ...)
{
    va_list args;
    va_start(args, format);
    (void)rk_err_setv(in->err, code, format, args); /* the code is returned below */
    va_end(args);
    if (in->path[0]) {
        (void)rk_err_prefix(in->err, "%s: ", in->path);
    }
    (void)rk_err_prefix(in->err, "%s:%u:%u: ", in->file, node->line, node->column);
    return code;
}

static rk_status no_memory(decoder *in)
{
    return rk_err_set(in->err, RK_NO_MEMORY, "%s: no memory for the job", in->file);
}

/* Extends the path; returns the length to go back to. */
static size_t enter(decoder *in, const char *name)
{
    size_t length = strlen(in->path);
    snprintf(in->path + length, sizeof(in->path) - length, "%s%s", length ? "." : "", name);
    return length;
}

static size_t enter_index(decoder *in, size_t index)
{
    size_t length = strlen(in->path);
    snprintf(in->path + length, sizeof(in->path) - length, "[%zu]", index);
    return length;
}

static void leave(decoder *in, size_t length)
{
    in->path[length] = 0;
}

static void store(void *base, size_t offset, const void *value, size_t size)
{
    memcpy((char *)base + offset, value, size);
}

static rk_room_mark mark_of(const rk_yaml_node *node)
{
    return (rk_room_mark){node->line, node->column};
}

static const char *kind_name(const rk_yaml_node *node)
{
    return node->kind == RK_YAML_SCALAR ? "a single value"
           : node->kind == RK_YAML_LIST ? "a list"
                                        : "a section";
}

static rk_status expect(decoder *in, const rk_yaml_node *node, rk_yaml_kind kind, const char *what)
{
    if (node->kind == RK_YAML_SCALAR && node->plain &&
        (node->text[0] == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0)) {
        return fail(in, node, RK_SYNTAX, "there is no value; give %s, or leave the key out", what);
    }
    if (node->kind != kind) {
        return fail(in, node, RK_SYNTAX, "%s is expected here, not %s", what, kind_name(node));
    }
    return RK_OK;
}

static rk_status read_number(decoder *in, const job_key *key, const rk_yaml_node *node,
                             double *out_value)
{
    rk_status status = expect(in, node, RK_YAML_SCALAR, "a number");
    if (status != RK_OK) {
        return status;
    }
    rk_err why = RK_ERR_INIT;
    status = rk_unit_parse(node->text, key->dimension, out_value, &why);
    if (status != RK_OK) {
        return fail(in, node, status, "%s", why.text);
    }
    bool bounded = key->min < key->max;
    if (bounded && !(*out_value >= key->min && *out_value <= key->max)) {
        const char *unit = rk_dimension_unit(key->dimension);
        return fail(in, node, RK_INVALID, "%s is outside %g .. %g%s%s", node->text, key->min,
                    key->max, unit[0] ? " " : "", unit);
    }
    return RK_OK;
}

static rk_status read_count(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    double value = 0.0;
    rk_status status = read_number(in, key, node, &value);
    if (status != RK_OK) {
        return status;
    }
    if (!(value >= 0.0 && value <= 9007199254740992.0 && value == floor(value))) {
        return fail(in, node, RK_INVALID, "%s is not a whole number from 0 on", node->text);
    }
    uint64_t whole = (uint64_t)value;
    store(base, key->offset, &whole, sizeof(whole));
    return RK_OK;
}

static rk_status read_text(decoder *in, const job_key *key, const rk_yaml_node *node,
                           const char **out_text)
{
    rk_status status = expect(in, node, RK_YAML_SCALAR, "a text");
    if (status != RK_OK) {
        return status;
    }
    if (node->text[0] == 0) {
        return fail(in, node, RK_INVALID, "the text is empty");
    }
    size_t length = strlen(node->text);
    bool name = key->type == JOB_NAME;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)node->text[i];
        if (c < 0x20 || c == 0x7f) {
            return fail(in, node, RK_INVALID, "the text has a control character");
        }
        if (name && !isalnum(c) && c != '-' && c != '_') {
            return fail(in, node, RK_INVALID,
                        "'%.48s' is not a name: use letters, digits, - and _ (it becomes part of "
                        "file names)",
                        node->text);
        }
    }
    if (length > (name ? NAME_BYTES : 4000)) {
        return fail(in, node, RK_LIMIT, "the text has %zu bytes, more than the %d that fit", length,
                    name ? NAME_BYTES : 4000);
    }
    *out_text = node->text;
    return RK_OK;
}

static rk_status read_switch(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    rk_status status = expect(in, node, RK_YAML_SCALAR, "yes or no");
    for (size_t i = 0; i < 6 && status == RK_OK; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            bool value = i & 1;
            store(base, key->offset, &value, sizeof(value));
            return RK_OK;
        }
    }
    return status != RK_OK
               ? status
               : fail(in, node, RK_INVALID, "'%.40s' is neither yes nor no", node->text);
}

/* Splits "a|b|c"; empty words are numbers without a word. Returns the number of words. */
static size_t split_choices(const char *choices, char *copy, size_t size, const char *out_words[8])
{
    snprintf(copy, size, "%s", choices);
    size_t count = 0;
    char *at = copy;
    while (at && count < 8) {
        char *bar = strchr(at, '|');
        if (bar) {
            *bar++ = 0;
        }
        out_words[count++] = at;
        at = bar;
    }
    return count;
}

static rk_status read_choice(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    rk_status status = expect(in, node, RK_YAML_SCALAR, "a word");
    if (status != RK_OK) {
        return status;
    }
    char copy[96];
    const char *words[8];
    size_t count = split_choices(key->choices, copy, sizeof(copy), words);
    char list[128] = "";
    for (size_t i = 0; i < count; i++) {
        if (words[i][0] && strcmp(words[i], node->text) == 0) {
            int value = (int)i; /* enums are ints in every ABI that we build for */
            store(base, key->offset, &value, sizeof(value));
            return RK_OK;
        }
        if (words[i][0]) {
            size_t length = strlen(list);
            snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", words[i]);
        }
    }
    status = fail(in, node, RK_INVALID, "'%.40s' is not one of %s", node->text, list);
    room_suggest(in->err, node->text, words, count);
    return status;
}

/* Exactly count numbers from a list. */
static rk_status read_tuple(decoder *in, const job_key *key, const rk_yaml_node *node, size_t count,
                            double *out_values)
{
    const char *what = count == 3 ? "three numbers [x, y, z]" : "two numbers [a, b]";
    rk_status status = expect(in, node, RK_YAML_LIST, what);
    if (status != RK_OK) {
        return status;
    }
    if (node->count != count) {
        return fail(in, node, RK_SYNTAX, "%s are expected, not %zu", what, node->count);
    }
    for (size_t i = 0; i < count && status == RK_OK; i++) {
        size_t length = enter_index(in, i);
        status = read_number(in, key, node->values[i], &out_values[i]);
        leave(in, length);
    }
    return status;
}

static rk_status read_point(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    double v[3];
    rk_status status = read_tuple(in, key, node, 3, v);
    if (status == RK_OK) {
        rk_room_vec point = {v[0], v[1], v[2]};
        store(base, key->offset, &point, sizeof(point));
    }
    return status;
}

/* The items of a list of scalars or pairs, item_bytes each. */
static rk_status read_items(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    size_t item_bytes = key->type == JOB_PAIRS     ? sizeof(double[2])
                        : key->type == JOB_NUMBERS ? sizeof(double)
                                                   : sizeof(const char *);
    rk_status status = expect(in, node, RK_YAML_LIST, "a list [..., ...]");
    if (status != RK_OK) {
        return status;
    }
    char *items = rk_arena_calloc(in->arena, node->count + 1, item_bytes);
    if (!items) {
        return no_memory(in);
    }
    for (size_t i = 0; i < node->count && status == RK_OK; i++) {
        size_t length = enter_index(in, i);
        const rk_yaml_node *item = node->values[i];
        void *at = items + i * item_bytes;
        if (key->type == JOB_PAIRS) {
            status = read_tuple(in, key, item, 2, at);
        } else if (key->type == JOB_NUMBERS) {
            status = read_number(in, key, item, at);
        } else {
            status = read_text(in, key, item, at);
        }
        leave(in, length);
    }
    store(base, key->offset, &items, sizeof(items));
    store(base, key->count_offset, &node->count, sizeof(node->count));
    return status;
}

static rk_status read_word(decoder *in, const job_key *key, const rk_yaml_node *name,
                           const rk_yaml_node *node, void *at)
{
    if (key->type == JOB_WORDS) {
        rk_room_surface *surface = at;
        *surface = (rk_room_surface){mark_of(name), name->text, NULL};
        return read_text(in, key, node, &surface->material);
    }
    rk_job_value *value = at;
    *value = (rk_job_value){mark_of(name), name->text, NULL, NAN};
    rk_status status = read_text(in, key, node, &value->text);
    if (status == RK_OK && node->plain &&
        rk_unit_parse(node->text, RK_UNIT_NONE, &value->number, NULL) != RK_OK) {
        value->number = NAN;
    }
    return status;
}

/* A mapping whose keys are free: NAMED, WORDS, VALUES. */
static rk_status read_mapping(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    size_t item_bytes = key->type == JOB_NAMED   ? key->section->bytes
                        : key->type == JOB_WORDS ? sizeof(rk_room_surface)
                                                 : sizeof(rk_job_value);
    rk_status status = expect(in, node, RK_YAML_MAP, "a section (name: value)");
    if (status != RK_OK) {
        return status;
    }
    char *items = rk_arena_calloc(in->arena, node->count + 1, item_bytes);
    if (!items) {
        return no_memory(in);
    }
    for (size_t i = 0; i < node->count && status == RK_OK; i++) {
        static const job_key name_key = {.type = JOB_NAME};
        const char *name = NULL;
        size_t length = strlen(in->path);
        status = read_text(in, &name_key, node->keys[i], &name);
        if (status != RK_OK) {
            break;
        }
        enter(in, name);
        void *at = items + i * item_bytes;
        if (key->type == JOB_NAMED) {
            status = decode_section(in, key->section, node->values[i], at);
            store(at, key->section->name_offset, &name, sizeof(name));
        } else {
            status = read_word(in, key, node->keys[i], node->values[i], at);
        }
        leave(in, length);
    }
    store(base, key->offset, &items, sizeof(items));
    store(base, key->count_offset, &node->count, sizeof(node->count));
    return status;
}

static rk_status read_list(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    rk_status status = expect(in, node, RK_YAML_LIST, "a list of entries ('- name: ...')");
    if (status != RK_OK) {
        return status;
    }
    char *items = rk_arena_calloc(in->arena, node->count + 1, key->section->bytes);
    if (!items) {
        return no_memory(in);
    }
    for (size_t i = 0; i < node->count && status == RK_OK; i++) {
        size_t length = enter_index(in, i);
        status = decode_section(in, key->section, node->values[i], items + i * key->section->bytes);
        leave(in, length);
    }
    store(base, key->offset, &items, sizeof(items));
    store(base, key->count_offset, &node->count, sizeof(node->count));
    return status;
}

static rk_status read_optional(decoder *in, const job_key *key, const rk_yaml_node *node,
                               void *base)
{
    void *structure = rk_arena_calloc(in->arena, 1, key->section->bytes);
    if (!structure) {
        return no_memory(in);
    }
    store(base, key->offset, &structure, sizeof(structure));
    return decode_section(in, key->section, node, structure);
}

static rk_status read_value(decoder *in, const job_key *key, const rk_yaml_node *node, void *base)
{
    const char *text = NULL;
    double number = NAN;
    double pair[2];
    rk_status status;
    switch (key->type) {
    case JOB_TEXT:
    case JOB_NAME:
        status = read_text(in, key, node, &text);
        store(base, key->offset, &text, sizeof(text));
        return status;
    case JOB_NUMBER:
        status = read_number(in, key, node, &number);
        store(base, key->offset, &number, sizeof(number));
        return status;
    case JOB_PAIR:
        status = read_tuple(in, key, node, 2, pair);
        if (status == RK_OK) {
            store(base, key->offset, pair, sizeof(pair));
        }
        return status;
    case JOB_COUNT:
    case JOB_SIZE: return read_count(in, key, node, base);
    case JOB_SWITCH: return read_switch(in, key, node, base);
    case JOB_CHOICE: return read_choice(in, key, node, base);
    case JOB_POINT: return read_point(in, key, node, base);
    case JOB_PAIRS:
    case JOB_NUMBERS:
    case JOB_TEXTS: return read_items(in, key, node, base);
    case JOB_SECTION: return decode_section(in, key->section, node, base);
    case JOB_OPTIONAL: return read_optional(in, key, node, base);
    case JOB_LIST: return read_list(in, key, node, base);
    case JOB_NAMED:
    case JOB_WORDS:
    case JOB_VALUES: return read_mapping(in, key, node, base);
    }
    return fail(in, node, RK_INTERNAL, "the table has a key of an unknown type");
}

/* Sets what is not given: the table's default, NAN for numbers and points, zero for the rest. */
static rk_status set_defaults(decoder *in, const job_section *section, void *base)
{
    rk_status status = RK_OK;
    for (size_t i = 0; i < section->key_count && status == RK_OK; i++) {
        const job_key *key = &section->keys[i];
        if (key->type == JOB_SECTION) {
            status = set_defaults(in, key->section, base);
        } else if (key->default_text) {
            rk_yaml_node node = {.kind = RK_YAML_SCALAR, .plain = true, .text = key->default_text};
            status = read_value(in, key, &node, base);
        } else if (key->type == JOB_NUMBER) {
            double none = NAN;
            store(base, key->offset, &none, sizeof(none));
        } else if (key->type == JOB_POINT) {
            rk_room_vec none = {NAN, NAN, NAN};
            store(base, key->offset, &none, sizeof(none));
        }
    }
    return status;
}

static rk_status unknown_key(decoder *in, const job_section *section, const rk_yaml_node *node)
{
    const char *names[32];
    char list[256] = "";
    for (size_t i = 0; i < section->key_count && i < 32; i++) {
        names[i] = section->keys[i].name;
        size_t length = strlen(list);
        snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", names[i]);
    }
    const char *best = rk_suggest(node->text, names, section->key_count);
    if (best) {
        return fail(in, node, RK_NOT_FOUND, "there is no key '%.60s' here; did you mean '%s'?",
                    node->text, best);
    }
    return fail(in, node, RK_NOT_FOUND, "there is no key '%.60s' here; known are %s", node->text,
                list);
}

static rk_status decode_section(decoder *in, const job_section *section, const rk_yaml_node *node,
                                void *base)
{
    rk_status status = expect(in, node, RK_YAML_MAP, "a section (key: value)");
    if (status == RK_OK) {
        status = set_defaults(in, section, base);
    }
    if (status != RK_OK) {
        return status;
    }
    if (section->mark_offset != JOB_NO_MARK) {
        rk_room_mark mark = mark_of(node);
        store(base, section->mark_offset, &mark, sizeof(mark));
    }
    bool given[32] = {false};
    for (size_t i = 0; i < node->count; i++) {
        size_t k = 0;
        while (k < section->key_count && strcmp(section->keys[k].name, node->keys[i]->text) != 0) {
            k++;
        }
        if (k == section->key_count) {
            return unknown_key(in, section, node->keys[i]);
        }
        given[k] = true;
        size_t length = enter(in, section->keys[k].name);
        status = read_value(in, &section->keys[k], node->values[i], base);
        leave(in, length);
        if (status != RK_OK) {
            return status;
        }
    }
    for (size_t k = 0; k < section->key_count; k++) {
        if (section->keys[k].required && !given[k]) {
            return fail(in, node, RK_INVALID, "the key '%s' is missing: %s", section->keys[k].name,
                        section->keys[k].help);
        }
    }
    return RK_OK;
}

static rk_status fail_at(const rk_job *job, rk_room_mark mark, rk_err *err, const char *format, ...)
    RK_PRINTF(4, 5);

static rk_status fail_at(const rk_job *job, rk_room_mark mark, rk_err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)rk_err_setv(err, RK_INVALID, format, args); /* the code is returned below */
    va_end(args);
    (void)rk_err_prefix(err, "%s:%u:%u: ", job->file, mark.line, mark.column);
    return RK_INVALID;
}

static rk_status check_kernel_name(const rk_job *job, rk_room_mark mark, const char *name,
                                   rk_err *err)
{
    if (job->room && strcmp(name, RK_JOB_ROOM_KERNEL) == 0) {
        return RK_OK;
    }
    for (size_t i = 0; i < job->kernel_count; i++) {
        if (strcmp(job->kernels[i].name, name) == 0) {
            return RK_OK;
        }
    }
    rk_status status = fail_at(job, mark, err, "there is no kernel '%.48s' in this job", name);
    const char **names = calloc(job->kernel_count + 1, sizeof(*names));
    for (size_t i = 0; names && i < job->kernel_count; i++) {
        names[i] = job->kernels[i].name;
    }
    if (names) {
        names[job->kernel_count] = job->room ? RK_JOB_ROOM_KERNEL : NULL;
        room_suggest(err, name, names, job->kernel_count + (job->room ? 1 : 0));
        free(names);
    }
    return status;
}

/* What one key alone does not show. */
static rk_status check_job(const rk_job *job, rk_err *err)
{
    if (job->kernel_count == 0 && !job->room) {
        return fail_at(job, job->mark, err, "the job does nothing: give it 'kernels' or a 'room'");
    }
    for (size_t i = 0; i < job->kernel_count; i++) {
        const rk_job_kernel *kernel = &job->kernels[i];
        if (job->room && strcmp(kernel->name, RK_JOB_ROOM_KERNEL) == 0) {
            return fail_at(job, kernel->mark, err,
                           "the name 'room' belongs to the kernel of the room; choose another");
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(kernel->name, job->kernels[k].name) == 0) {
                return fail_at(job, kernel->mark, err,
                               "the kernel name '%s' is taken by the entry in line %u",
                               kernel->name, job->kernels[k].mark.line);
            }
        }
        for (size_t k = 0; k < kernel->route_count; k++) {
            rk_status status = check_kernel_name(job, kernel->mark, kernel->routes[k], err);
            if (status != RK_OK) {
                return status;
            }
        }
    }
    for (size_t i = 0; i < job->command_count; i++) {
        const rk_job_command *command = &job->commands[i];
        rk_status status = check_kernel_name(job, command->mark, command->kernel, err);
        if (status != RK_OK) {
            return status;
        }
    }
    return RK_OK;
}

rk_status rk_job_parse(const char *data, size_t length, const char *name, const char *folder,
                       rk_job *out_job, rk_err *err)
{
    rk_err local = RK_ERR_INIT;
    err = err ? err : &local;
    rk_job job = {0};
    rk_arena_init(&job.arena, 0, ARENA_BYTES);
    job.file = rk_arena_strdup(&job.arena, name);
    job.folder = rk_arena_strdup(&job.arena, folder && folder[0] ? folder : ".");
    rk_status status = RK_OK;
    if (!job.file || !job.folder) {
        status = rk_err_set(err, RK_NO_MEMORY, "%s: no memory for the job", name);
    }
    const rk_yaml_node *root = NULL;
    if (status == RK_OK) {
        status = rk_yaml_load(&job.arena, data, length, job.file, &root, err);
    }
    if (status == RK_OK) {
        decoder in = {.arena = &job.arena, .file = job.file, .err = err};
        status = decode_section(&in, job_sections[0], root, &job);
    }
    if (status == RK_OK) {
        status = check_job(&job, err);
    }
    if (status != RK_OK) {
        rk_arena_finish(&job.arena);
        return status;
    }
    if (job.room) {
        job.room->file = job.file;
        job.room->folder = job.folder;
    }
    *out_job = job;
    return RK_OK;
}

rk_status rk_job_read(const char *path, rk_job *out_job, rk_err *err)
{
    char *data = NULL;
    size_t length = 0;
    rk_status status = rk_file_read_all(path, RK_YAML_BYTES_MAX, &data, &length, err);
    if (status != RK_OK) {
        return status;
    }
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (folder) {
        status = rk_job_parse(data, length, path, folder, out_job, err);
    } else {
        status = rk_err_set(err, RK_NO_MEMORY, "%s: no memory to read it", path);
    }
    free(folder);
    free(data);
    return status;
}

void rk_job_finish(rk_job *job)
{
    rk_arena_finish(&job->arena);
    memset(job, 0, sizeof(*job));
}
