/*
 * loader.c: finds and loads driver modules.
 *
 * A module is code of the installation, as trusted as the library itself: it is looked for only in
 * folders of the installation and in those that RK_DRIVER_PATH names.
 */
#include "device/loader.h"
#include "base/file.h"
#include "base/places.h"
#include "base/str.h"
#include <dlfcn.h>
#include <string.h>

#define PATHS_MAX ((size_t)64 << 10)

const char *const rk_driver_names[] = {"cuda", "hip", "opencl"};
const uint32_t rk_driver_name_count = RK_COUNT_OF(rk_driver_names);

/* Which module has a driver; any other NAME is in rk-NAME.so. */
static const struct {
    const char *driver;
    const char *module;
} modules[] = {
    {"cuda", "gpu"},
    {"hip", "gpu"},
    {"cuda-test", "gpu"},
    {"hip-test", "gpu"},
};

static const char *module_of(const char *name)
{
    for (size_t i = 0; i < RK_COUNT_OF(modules); i++) {
        if (strcmp(modules[i].driver, name) == 0) {
            return modules[i].module;
        }
    }
    return name;
}

static bool is_driver_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length < RK_DRIVER_NAME_BYTES && name[length] == '\0';
}

/* Sets path to the module's file; false if no folder has it. folders becomes "a, b, c". */
static rk_status find_file(const char *name, rk_str *path, rk_str *folders, bool *out_found)
{
    rk_str list;
    rk_str_init(&list, PATHS_MAX);
    rk_status status = rk_places_folders("RK_DRIVER_PATH", "lib/ringkernel/drivers", &list);
    const char *at = rk_str_cstr(&list);
    const char *end = at + list.length;
    *out_found = false;
    for (; status == RK_OK && !*out_found && at < end; at += strlen(at) + 1) {
        rk_file_info info;
        rk_str_reset(path);
        status = rk_str_appendf(path, "%s/rk-%s.so", at, module_of(name));
        *out_found = status == RK_OK && rk_file_stat(rk_str_cstr(path), &info) == 0;
        (void)rk_str_appendf(folders, "%s%s", folders->length ? ", " : "", at); /* what fits */
    }
    rk_str_finish(&list);
    return status;
}

static rk_status open_module(const char *path, const char *name, const rk_driver_ops **out_driver,
                             rk_err *err)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        const char *reason = dlerror();
        return rk_err_set(err, RK_CORRUPT, "cannot load driver module '%s': %s", path,
                          reason != NULL ? reason : "unknown reason");
    }
    /* POSIX lets dlsym return functions as void *; ISO C needs the copy. */
    rk_driver_module_fn find = NULL;
    void *symbol = dlsym(handle, RK_DRIVER_MODULE_SYMBOL);
    memcpy(&find, &symbol, sizeof find);
    const rk_driver_ops *driver = find != NULL ? find(name) : NULL;
    rk_status status = RK_OK;
    if (find == NULL) {
        status = rk_err_set(err, RK_CORRUPT,
                            "'%s' is no driver module: it does not export " RK_DRIVER_MODULE_SYMBOL,
                            path);
    } else if (driver == NULL) {
        status = rk_err_set(err, RK_NOT_FOUND, "driver module '%s' has no driver '%s'", path, name);
    } else if (driver->abi != RK_DRIVER_ABI) {
        status = rk_err_set(err, RK_VERSION,
                            "driver module '%s' is made for version %u of the driver table, this "
                            "library has version %u; install both from one release",
                            path, driver->abi, RK_DRIVER_ABI);
    }
    (void)dlclose(handle); /* it stays loaded: RTLD_NODELETE */
    if (status == RK_OK) {
        *out_driver = driver;
    }
    return status;
}

rk_status rk_driver_find(const char *name, const rk_driver_ops **out_driver, rk_err *err)
{
    if (!is_driver_name(name)) {
        return rk_err_set(err, RK_INVALID,
                          "'%.40s' is no name of a driver; 'cpu', 'cuda', 'hip' and 'opencl' are",
                          name);
    }
    if (strcmp(name, "cpu") == 0) {
        *out_driver = rk_driver_cpu();
        return RK_OK;
    }
    rk_str path;
    rk_str folders;
    rk_str_init(&path, PATHS_MAX);
    rk_str_init(&folders, 300);
    bool found = false;
    rk_status status = find_file(name, &path, &folders, &found);
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "driver '%s': no memory to look for its module", name);
    } else if (!found) {
        status = rk_err_set(err, RK_NOT_FOUND,
                            "there is no driver '%s': no module rk-%s.so in %s; RK_DRIVER_PATH "
                            "names further folders",
                            name, module_of(name),
                            folders.length ? rk_str_cstr(&folders) : "any folder");
    } else {
        status = open_module(rk_str_cstr(&path), name, out_driver, err);
    }
    rk_str_finish(&path);
    rk_str_finish(&folders);
    return status;
}
