#include "base/places.h"

#include "base/compiler.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cuts the last component of a path. False if there is none left. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash == path) {
        return false;
    }
    *slash = '\0';
    return true;
}

static bool is_new(char prefixes[RK_PLACE_MAX][RK_PLACE_BYTES], uint32_t count, const char *prefix)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(prefixes[i], prefix) == 0) {
            return false;
        }
    }
    return count < RK_PLACE_MAX;
}

static void add(char prefixes[RK_PLACE_MAX][RK_PLACE_BYTES], uint32_t *count, const char *prefix)
{
    if (strlen(prefix) < RK_PLACE_BYTES && is_new(prefixes, *count, prefix)) {
        memcpy(prefixes[*count], prefix, strlen(prefix) + 1);
        (*count)++;
    }
}

uint32_t rk_places(char out_prefixes[RK_PLACE_MAX][RK_PLACE_BYTES])
{
    uint32_t count = 0;
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length > 0) {
        path[length] = '\0';
        if (go_up(path) && go_up(path)) {
            add(out_prefixes, &count, path); /* PREFIX/bin/rk */
        }
    }
    Dl_info info;
    char *library = NULL;
    uint32_t before = count;
    /* A function pointer converts to void * on POSIX systems (dlsym relies on it). */
    if (dladdr((void *)(uintptr_t)&rk_places, &info) != 0 && info.dli_fname &&
        (library = realpath(info.dli_fname, NULL)) != NULL) {
        if (go_up(library) && go_up(library)) {
            add(out_prefixes, &count, library); /* PREFIX/lib/libringkernel.so */
        }
        /* Linked into the program, the library has its folder, and nothing lies above that. */
        if (count > before && go_up(library)) {
            add(out_prefixes, &count, library); /* PREFIX/lib/x86_64-linux-gnu/libringkernel.so */
        }
        free(library);
    }
#if defined(RK_INSTALL_PREFIX)
    add(out_prefixes, &count, RK_INSTALL_PREFIX);
#endif
    return count;
}

rk_status rk_places_folders(const char *variable, const char *subfolder, rk_str *out)
{
    const char *path = getenv(variable);
    while (path && *path != '\0') {
        size_t length = strcspn(path, ":");
        if (length != 0) {
            (void)rk_str_append_bytes(out, path, length); /* sticky: checked at the end */
            (void)rk_str_append_char(out, '\0');
        }
        path += length + (path[length] == ':' ? 1u : 0u);
    }
    char(*prefixes)[RK_PLACE_BYTES] = malloc(RK_PLACE_MAX * sizeof(*prefixes));
    if (!prefixes) {
        return RK_NO_MEMORY;
    }
    uint32_t count = rk_places(prefixes);
    for (uint32_t i = 0; i < count; i++) {
        (void)rk_str_appendf(out, "%s/%s", prefixes[i], subfolder); /* sticky */
        (void)rk_str_append_char(out, '\0');
    }
    free(prefixes);
    return out->status;
}
