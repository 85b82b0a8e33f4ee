/*
 * build_opencl.c: OpenCL C source in one piece, which the device's own driver compiles at load. The
 * kernel's headers are put in the place of their #include lines; nothing else is preprocessed,
 * since only the device's compiler knows its macros. Where clang is installed it checks the result.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"
#include "module/process.h"

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

/*
 * A job without a result: clang reads the text as OpenCL C 3.0, as a device without optional
 * features would (no pointers without an address space).
 */
static rk_status add_check(rk_build *build, uint32_t variant, const char *clang, const char *text,
                           size_t bytes)
{
    const char *path = rk_build_temporary(build, ".cl");
    if (!path) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory");
    }
    rk_status status = rk_file_replace(path, text, bytes, build->err);
    if (status != RK_OK) {
        return status;
    }
    const char *flags[] = {"-x",
                           "cl",
                           "-cl-std=CL3.0",
                           "-Xclang",
                           "-finclude-default-header",
                           "-target",
                           "spir64",
                           "-Xclang",
                           "-cl-ext=-__opencl_c_generic_address_space,"
                           "-__opencl_c_program_scope_global_variables,"
                           "-__opencl_c_device_enqueue,-__opencl_c_pipes,"
                           "-__opencl_c_atomic_scope_all_devices",
                           "-fsyntax-only",
                           "-fdiagnostics-color=never"};
    rk_build_args args;
    rk_build_args_init(build, &args);
    rk_build_args_add(&args, clang);
    rk_build_args_add_all(&args, flags, RK_COUNT_OF(flags));
    rk_build_args_add(&args, path);
    return rk_build_add(build, RK_SECTION_OPENCL_SOURCE, 0, variant, &args, NULL);
}

static rk_status add_variant(rk_build *build, uint32_t variant, const char *clang)
{
    rk_str out;
    rk_str_init(&out, RK_BUILD_SOURCE_MAX);
    flattening f = {.build = build, .out = &out};
    if (rk_build_variant_flag(build, variant)) {
        (void)rk_str_append(&out, "#define RK_REAL_IS_F64 1\n"); /* sticky: checked below */
    }
    rk_status status = flatten_file(&f, build->source);
    size_t length = out.length;
    char *text = status == RK_OK ? rk_str_take(&out, NULL) : NULL;
    rk_str_finish(&out);
    if (status != RK_OK) {
        return status;
    }
    if (!text) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory for the OpenCL source");
    }
    if (clang) {
        status = add_check(build, variant, clang, text, length);
    }
    if (status != RK_OK) {
        free(text);
        return status;
    }
    return rk_build_add_data_take(build, RK_SECTION_OPENCL_SOURCE, 0, variant, text, length + 1);
}

rk_status rk_build_add_opencl(rk_build *build)
{
    char *found = NULL;
    const char *clang = NULL;
    if (rk_process_find("clang", &found) == RK_OK) {
        clang = rk_build_text(build, "%s", found);
        free(found);
    }
    rk_build_note(build, "opencl", clang ? "source, checked by clang" : "source, not checked");
    rk_status status = RK_OK;
    for (uint32_t variant = 0; variant < build->schema->variant_count && status == RK_OK;
         variant++) {
        if (rk_build_wants_variant(build, variant)) {
            status = add_variant(build, variant, clang);
        }
    }
    return status;
}
