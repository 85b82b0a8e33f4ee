/*
 * module.c: a bundle with a count of its users, and where bundles of built-in kernels are found.
 */
#include "module/module.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/map.h"
#include "base/places.h"
#include "core/schema.h"

#include <stdlib.h>
#include <string.h>

#define SUFFIX ".rkm"
#define PATH_LIST_MAX (64u * 1024u)

struct rk_module {
    rk_bundle *bundle;
    atomic_uint references;
};

/* Takes the bundle: closes it on failure. */
static rk_status wrap_take(rk_bundle *bundle, rk_module **out_module, rk_err *err)
{
    rk_module *module = malloc(sizeof(*module));
    if (!module) {
        rk_bundle_close(bundle);
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a module");
    }
    module->bundle = bundle;
    atomic_init(&module->references, 1u);
    *out_module = module;
    return RK_OK;
}

rk_status rk_module_open_file(const char *path, rk_module **out_module, rk_err *err)
{
    rk_bundle *bundle = NULL;
    rk_status status = rk_bundle_open_file(path, &bundle, err);
    return status == RK_OK ? wrap_take(bundle, out_module, err) : status;
}

rk_status rk_module_open_memory(const void *data, size_t length, const char *name,
                                rk_module **out_module, rk_err *err)
{
    rk_bundle *bundle = NULL;
    rk_status status = rk_bundle_open_memory(data, length, name, &bundle, err);
    return status == RK_OK ? wrap_take(bundle, out_module, err) : status;
}

rk_module *rk_module_ref(rk_module *module)
{
    (void)atomic_fetch_add_explicit(&module->references, 1u, memory_order_relaxed);
    return module;
}

void rk_module_unref(rk_module *module)
{
    /* Release: this user's reads come before; acquire: the last one frees after all of them. */
    if (module && atomic_fetch_sub_explicit(&module->references, 1u, memory_order_acq_rel) == 1u) {
        rk_bundle_close(module->bundle);
        free(module);
    }
}

const char *rk_module_path(const rk_module *module)
{
    return rk_bundle_name(module->bundle);
}

const rk_schema *rk_module_schema(const rk_module *module)
{
    return rk_bundle_schema(module->bundle);
}

uint32_t rk_module_crc(const rk_module *module)
{
    return rk_bundle_crc(module->bundle);
}

const rk_bundle *rk_module_bundle(const rk_module *module)
{
    return module->bundle;
}

rk_status rk_module_describe(const rk_module *module, bool as_json, char **out_text)
{
    rk_str text;
    rk_str_init(&text, (size_t)16 << 20);
    rk_status status = rk_bundle_inspect(module->bundle, as_json, &text);
    if (status != RK_OK) {
        rk_str_finish(&text);
        return status;
    }
    char *taken = rk_str_take(&text, NULL);
    if (!taken) {
        return RK_NO_MEMORY;
    }
    *out_text = taken;
    return RK_OK;
}

static rk_status kernel_folders(rk_str *out)
{
    return rk_places_folders("RK_KERNEL_PATH", "lib/ringkernel/kernels", out);
}

/* The folders as one sentence part: "a, b, c". */
static void name_folders(const rk_str *folders, rk_str *out)
{
    const char *at = rk_str_cstr(folders);
    const char *end = at + folders->length;
    for (; at < end; at += strlen(at) + 1) {
        (void)rk_str_appendf(out, "%s%s", out->length ? ", " : "", at); /* what fits is named */
    }
}

rk_status rk_module_open_builtin(const char *name, rk_module **out_module, rk_err *err)
{
    if (!rk_schema_is_name(name)) {
        return rk_err_set(
            err, RK_INVALID,
            "'%.80s' is no name of a built-in kernel; 'rk kernels' lists them. A path "
            "to a bundle holds a '/' or ends in " SUFFIX,
            name);
    }
    rk_str folders;
    rk_str path;
    rk_str_init(&folders, PATH_LIST_MAX);
    rk_str_init(&path, PATH_LIST_MAX);
    rk_status status = kernel_folders(&folders);
    const char *at = rk_str_cstr(&folders);
    const char *end = at + folders.length;
    bool found = false;
    for (; status == RK_OK && !found && at < end; at += strlen(at) + 1) {
        rk_file_info info;
        rk_str_reset(&path);
        status = rk_str_appendf(&path, "%s/%s" SUFFIX, at, name);
        found = status == RK_OK && rk_file_stat(rk_str_cstr(&path), &info) == 0;
    }
    if (status != RK_OK) {
        (void)rk_err_set(err, status, "module '%s': no memory to look for it", name);
    } else if (found) {
        status = rk_module_open_file(rk_str_cstr(&path), out_module, err);
    } else {
        rk_str list;
        rk_str_init(&list, 300);
        name_folders(&folders, &list);
        status = rk_err_set(err, RK_NOT_FOUND,
                            "there is no built-in kernel '%s' in %s; 'rk kernels' lists what there "
                            "is, RK_KERNEL_PATH names further folders",
                            name, list.length ? rk_str_cstr(&list) : "any folder");
        rk_str_finish(&list);
    }
    rk_str_finish(&path);
    rk_str_finish(&folders);
    return status;
}

/* One folder of the list of built-in kernels. */
typedef struct listing {
    const char *folder;
    rk_smap seen; /* file names */
    rk_str path;
    rk_module_path_fn each;
    void *context;
    rk_status status;
} listing;

static int list_entry(void *arg, const char *name)
{
    listing *l = arg;
    size_t length = strlen(name);
    if (length <= strlen(SUFFIX) || strcmp(name + length - strlen(SUFFIX), SUFFIX) != 0 ||
        rk_file_is_temporary(name) || rk_smap_get(&l->seen, name)) {
        return 0;
    }
    rk_str_reset(&l->path);
    l->status = rk_smap_put(&l->seen, name, l);
    if (l->status == RK_OK) {
        l->status = rk_str_appendf(&l->path, "%s/%s", l->folder, name);
    }
    if (l->status != RK_OK) {
        return 1;
    }
    l->each(l->context, rk_str_cstr(&l->path));
    return 0;
}

rk_status rk_module_list_builtin(rk_module_path_fn each, void *context, rk_err *err)
{
    rk_str folders;
    rk_str_init(&folders, PATH_LIST_MAX);
    listing l = {.each = each, .context = context, .status = kernel_folders(&folders)};
    rk_smap_init(&l.seen, 4096);
    rk_str_init(&l.path, PATH_LIST_MAX);
    const char *at = rk_str_cstr(&folders);
    const char *end = at + folders.length;
    for (; l.status == RK_OK && at < end; at += strlen(at) + 1) {
        l.folder = at;
        (void)rk_dir_list(at, list_entry, &l); /* most of the folders need not exist */
    }
    rk_str_finish(&l.path);
    rk_smap_finish(&l.seen);
    rk_str_finish(&folders);
    if (l.status != RK_OK) {
        return rk_err_set(err, l.status, "cannot list the built-in kernels: %s",
                          rk_status_text(l.status));
    }
    return RK_OK;
}
