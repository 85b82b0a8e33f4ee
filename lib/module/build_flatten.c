/*
 * build_flatten.c: a kernel source and the headers that it includes as one text. OpenCL gets it,
 * and the cache takes its digest.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16u
#define FILES_MAX 64u

typedef struct flattening {
    rk_build *build;
    rk_str *out;
    const char *seen[FILES_MAX]; /* paths; each header is put in once, as its guard would have it */
    uint32_t seen_count;
    uint32_t depth;
    bool is_whole; /* no line was seen that may bring in anything else */
} flattening;

static rk_status flatten_file(flattening *f, const char *path);

/* The name in `#include <name>` or `#include "name"`; length 0 if the line is no such thing. */
static const char *included_name(const char *line, size_t length, size_t *out_length, bool *quoted)
{
    const char *end = line + length;
    const char *at = line + strspn(line, " \t");
    *out_length = 0;
    if (at >= end || *at != '#') {
        return NULL;
    }
    at++;
    at += strspn(at, " \t");
    if (strncmp(at, "include", 7) != 0) {
        return NULL;
    }
    at += 7;
    at += strspn(at, " \t");
    if (at >= end || (*at != '<' && *at != '"')) {
        return NULL;
    }
    *quoted = *at == '"';
    size_t name_length = strcspn(at + 1, *quoted ? "\"\n" : ">\n");
    *out_length = name_length;
    return at + 1;
}

/* The path of a header that is to be put in; NULL for one of the system, whose line stays. */
static const char *resolve(flattening *f, const char *from, const char *name, size_t length,
                           bool quoted)
{
    rk_file_info info;
    const char *slash = strrchr(from, '/');
    if (quoted) {
        const char *path = rk_build_text(f->build, "%.*s%.*s", slash ? (int)(slash - from) + 1 : 0,
                                         from, (int)length, name);
        if (path && rk_file_stat(path, &info) == 0) {
            return path;
        }
    }
    const char *path = rk_build_text(f->build, "%s/%.*s", f->build->include_dir, (int)length, name);
    return path && rk_file_stat(path, &info) == 0 ? path : NULL;
}

static bool was_seen(const flattening *f, const char *path)
{
    for (uint32_t i = 0; i < f->seen_count; i++) {
        if (strcmp(f->seen[i], path) == 0) {
            return true;
        }
    }
    return false;
}

static bool holds(const char *line, size_t length, const char *word)
{
    return memmem(line, length, word, strlen(word)) != NULL;
}

/* Headers of the language itself: the compiler's identity stands for them. */
static bool belongs_to_compiler(const char *name, size_t length)
{
    static const char *const headers[] = {"stdint.h", "stddef.h", "stdbool.h", "limits.h",
                                          "float.h"};
    for (size_t i = 0; i < RK_COUNT_OF(headers); i++) {
        if (strlen(headers[i]) == length && memcmp(name, headers[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Whether a line that stays may make the compiler read something that is not in the text: another
 * header, a file, the time. Says so rather too often: then the cache is not used, no more.
 */
static bool reaches_outside(const char *line, size_t length)
{
    static const char *const anywhere[] = {"__DATE__",      "__TIME__",    "__TIMESTAMP__",
                                           "__has_include", "__has_embed", "incbin"};
    static const char *const in_directives[] = {"include", "import", "embed"};
    const char *end = line + length;
    const char *at = line + strspn(line, " \t\f\v");
    const char *comment = memmem(line, length, "*/", 2);
    bool is_directive = at < end && (*at == '#' || *at == '%' || *at == '?');
    for (size_t i = 0; i < RK_COUNT_OF(anywhere); i++) {
        if (holds(line, length, anywhere[i])) {
            return true;
        }
    }
    for (size_t i = 0; is_directive && i < RK_COUNT_OF(in_directives); i++) {
        if (holds(line, length, in_directives[i])) {
            return true;
        }
    }
    if (is_directive && at[1 + strspn(at + 1, " \t")] == '\\') {
        return true; /* its name stands in the next line */
    }
    return comment && (memchr(comment, '#', (size_t)(end - comment)) ||
                       memchr(comment, '%', (size_t)(end - comment)));
}

static rk_status flatten_text(flattening *f, const char *path, const char *text)
{
    unsigned line_number = 0;
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        size_t name_length = 0;
        bool quoted = false;
        const char *name = included_name(line, length, &name_length, &quoted);
        const char *header = NULL;
        line_number++;
        if (name && name_length != 0 && name_length < 256) {
            header = resolve(f, path, name, name_length, quoted);
        }
        if (!header) {
            bool is_known = name && !quoted && belongs_to_compiler(name, name_length);
            f->is_whole = f->is_whole && (is_known || !reaches_outside(line, length));
            (void)rk_str_append_bytes(f->out, line, length); /* sticky: checked at the end */
            (void)rk_str_append_char(f->out, '\n');
        } else {
            if (!was_seen(f, header)) {
                rk_status status = flatten_file(f, header);
                if (status != RK_OK) {
                    return status;
                }
            }
            (void)rk_str_appendf(f->out, "#line %u \"%s\"\n", line_number + 1, path);
        }
        line += length + (line[length] == '\n' ? 1u : 0u);
    }
    return f->out->status;
}

static rk_status flatten_file(flattening *f, const char *path)
{
    rk_err *err = f->build->err;
    if (f->depth == DEPTH_MAX || f->seen_count == FILES_MAX) {
        return rk_err_set(err, RK_LIMIT, "'%s' is included too deep, or there are too many headers",
                          path);
    }
    char *text = NULL;
    size_t bytes = 0;
    rk_status status = rk_file_read_all(path, RK_BUILD_SOURCE_MAX, &text, &bytes, err);
    if (status != RK_OK) {
        return status;
    }
    if (strlen(text) != bytes) {
        free(text);
        return rk_err_set(err, RK_SYNTAX, "'%s' holds a NUL byte", path);
    }
    f->seen[f->seen_count++] = path;
    f->depth++;
    (void)rk_str_appendf(f->out, "#line 1 \"%s\"\n", path); /* sticky: checked at the end */
    status = flatten_text(f, path, text);
    f->depth--;
    free(text);
    return status == RK_OK ? status : rk_err_set(err, status, "cannot flatten '%s'", path);
}

rk_status rk_build_flatten(rk_build *build, const char *path, rk_str *out, bool *out_whole)
{
    flattening f = {.build = build, .out = out, .is_whole = true};
    rk_status status = flatten_file(&f, path);
    if (status == RK_OK && out_whole) {
        *out_whole = f.is_whole;
    }
    return status;
}
