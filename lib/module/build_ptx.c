/*
 * build_ptx.c: looks through PTX for loads that a kernel which does not end must not make.
 */
#include "module/build.h"

#include <stdlib.h>
#include <string.h>

/* A place that a `.loc` names: of the instruction, or of the call that it was inlined into. */
typedef struct location {
    unsigned long file;
    unsigned long line; /* 0: none */
} location;

/* The last ".loc FILE LINE COLUMN, function_name N, inlined_at FILE LINE COLUMN" before `end`. */
static void last_location(const char *ptx, const char *end, location *own, location *outer)
{
    *own = (location){0, 0};
    *outer = (location){0, 0};
    for (const char *at = ptx; (at = strstr(at, ".loc")) != NULL && at < end; at += 4) {
        if (at[4] != ' ' && at[4] != '\t') {
            continue; /* ld.local */
        }
        char *rest = NULL;
        const char *line_end = at + strcspn(at, "\n");
        const char *inlined = strstr(at, "inlined_at ");
        own->file = strtoul(at + 4, &rest, 10);
        own->line = strtoul(rest, NULL, 10);
        *outer = (location){0, 0};
        if (inlined && inlined < line_end) {
            outer->file = strtoul(inlined + 11, &rest, 10);
            outer->line = strtoul(rest, NULL, 10);
        }
    }
}

/* Whether `.file NUMBER "..."` names this path. */
static bool names_file(const char *ptx, unsigned long number, const char *path)
{
    for (const char *at = ptx; (at = strstr(at, ".file")) != NULL; at += 5) {
        char *rest = NULL;
        if (strtoul(at + 5, &rest, 10) == number) {
            const char *quote = strchr(rest, '"');
            size_t length = quote ? strcspn(quote + 1, "\"") : 0;
            size_t path_length = strlen(path);
            return quote && length >= path_length &&
                   memcmp(quote + 1 + length - path_length, path, path_length) == 0;
        }
    }
    return false;
}

/* The first load instruction with the qualifier ".nc", for example "ld.global.nc.f32". */
static const char *find_noncoherent(const char *ptx)
{
    for (const char *line = ptx; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *at = line + strspn(line, " \t");
        if (*at == '@') { /* a predicate */
            at += strcspn(at, " \t\n");
            at += strspn(at, " \t");
        }
        size_t word = strcspn(at, " \t\n");
        for (size_t i = 3; strncmp(at, "ld.", 3) == 0 && i + 3 <= word; i++) {
            if (memcmp(at + i, ".nc", 3) == 0 && (i + 3 == word || at[i + 3] == '.')) {
                return at;
            }
        }
        line += length + (line[length] == '\n' ? 1u : 0u);
    }
    return NULL;
}

rk_status rk_build_check_ptx(const char *ptx, const char *source, rk_err *err)
{
    const char *load = find_noncoherent(ptx);
    if (!load) {
        return RK_OK;
    }
    location own;
    location outer;
    last_location(ptx, load, &own, &outer);
    const char *slash = strrchr(source, '/');
    const char *name = slash ? slash + 1 : source;
    unsigned long line = own.line != 0 && names_file(ptx, own.file, name)       ? own.line
                         : outer.line != 0 && names_file(ptx, outer.file, name) ? outer.line
                                                                                : 0;
    char where[160] = "";
    if (line != 0) {
        rk_err text = RK_ERR_INIT;
        (void)rk_err_set(&text, RK_COMPILE, "%.100s:%lu: ", source, line);
        memcpy(where, text.text, strlen(text.text) + 1);
    }
    return rk_err_set(err, RK_COMPILE,
                      "%sthe CUDA compiler made a non-coherent load (%.*s), which may read stale "
                      "data for ever in a kernel that does not end; it does so for pointers that "
                      "are const and restrict, and for __ldg: remove them",
                      where, (int)strcspn(load, " \t\n"), load);
}
