/*
 * modules.c: finding modules.
 */
#include "cli/modules.h"

#include "base/suggest.h"
#include "base/value.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct path_list {
    char **paths;
    size_t count;
    bool failed;
} path_list;

static void add_path(void *context, const char *path)
{
    path_list *list = context;
    char **paths = realloc(list->paths, (list->count + 1) * sizeof *paths);
    if (paths == NULL) {
        list->failed = true;
        return;
    }
    list->paths = paths;
    paths[list->count] = strdup(path);
    if (paths[list->count] == NULL) {
        list->failed = true;
        return;
    }
    list->count++;
}

static int by_name(const void *a, const void *b)
{
    char left[64], right[64];
    rk_cli_path_name(*(char *const *)a, left);
    rk_cli_path_name(*(char *const *)b, right);
    return strcmp(left, right);
}

void rk_cli_path_name(const char *path, char out_name[64])
{
    const char *slash = strrchr(path, '/');
    snprintf(out_name, 64, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out_name, '.');
    if (dot != NULL && dot != out_name) {
        *dot = '\0';
    }
}

rk_status rk_cli_builtin_paths(char ***out_paths, size_t *out_count, rk_err *err)
{
    path_list list = {0};
    rk_status status = rk_module_list_builtin(add_path, &list, err);
    if (status == RK_OK && list.failed) {
        status = rk_err_set(err, RK_NO_MEMORY, "no memory for the list of built-in modules");
    }
    if (status != RK_OK) {
        rk_cli_free_paths(list.paths, list.count);
        return status;
    }
    if (list.count > 0) {
        qsort(list.paths, list.count, sizeof list.paths[0], by_name);
    }
    *out_paths = list.paths;
    *out_count = list.count;
    return RK_OK;
}

void rk_cli_free_paths(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(paths[i]);
    }
    free(paths);
}

/* Sets the sentence for a built-in module that is not there. */
static rk_status not_found(const char *name, rk_err *err)
{
    char **paths;
    size_t count;
    rk_err cause = *err;
    if (rk_cli_builtin_paths(&paths, &count, NULL) != RK_OK) {
        return cause.code;
    }
    char(*names)[64] = calloc(count + 1, sizeof *names);
    const char **candidates = calloc(count + 1, sizeof *candidates);
    const char *near = NULL;
    if (names != NULL && candidates != NULL) {
        for (size_t i = 0; i < count; i++) {
            rk_cli_path_name(paths[i], names[i]);
            candidates[i] = names[i];
        }
        near = rk_suggest(name, candidates, count);
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    size_t length = strlen(name);
    if (length > 2 && strcmp(name + length - 2, ".c") == 0) {
        (void)rk_err_set(err, RK_NOT_FOUND,
                         "'%s' is a source file, not a bundle: build it first: rk build %s",
                         rk_value_shown(name, shown), shown);
    } else if (near != NULL) {
        (void)rk_err_set(err, RK_NOT_FOUND, "there is no built-in module '%s'; did you mean '%s'?",
                         rk_value_shown(name, shown), near);
    } else {
        (void)rk_err_set(err, RK_NOT_FOUND,
                         "there is no built-in module '%s'; 'rk kernels' lists them, and a bundle "
                         "is named by its path, such as ./%s.rkm",
                         rk_value_shown(name, shown), shown);
    }
    free(candidates);
    free(names);
    rk_cli_free_paths(paths, count);
    return RK_NOT_FOUND;
}

rk_status rk_cli_open_module(const char *name, const char *folder, rk_module **out_module,
                             rk_err *err)
{
    size_t length = strlen(name);
    bool is_path =
        strchr(name, '/') != NULL || (length > 4 && strcmp(name + length - 4, ".rkm") == 0);
    if (!is_path) {
        rk_status status = rk_module_open_builtin(name, out_module, err);
        return status == RK_NOT_FOUND || status == RK_INVALID ? not_found(name, err) : status;
    }
    if (folder == NULL || name[0] == '/') {
        return rk_module_open_file(name, out_module, err);
    }
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        return rk_err_set(err, RK_LIMIT, "the path of module '%s' is too long", name);
    }
    return rk_module_open_file(path, out_module, err);
}
