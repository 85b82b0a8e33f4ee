/*
 * capture.c: beginning and ending the recordings of tools that watch this process. Their libraries
 * are used where they are loaded already, and never loaded: without the tool they do nothing.
 *
 * Nsight: cuProfilerStart and cuProfilerStop of the CUDA driver API, which nsys and ncu watch.
 * RenderDoc: its in-application API (https://renderdoc.org/docs/in_application_api.html), version
 * 1.1.2 or later; the table below is that version's, of which three entries are used.
 */
#include "profile/profile.h"

#include "base/thread.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define CUDA_ERROR_PROFILER_ALREADY_STARTED 7
#define CUDA_ERROR_PROFILER_ALREADY_STOPPED 8
#define RENDERDOC_1_1_2 10102

typedef void (*renderdoc_function)(void);

/* Entries of the table that are not used here have no names. */
typedef struct renderdoc_api {
    void (*get_version)(int *major, int *minor, int *patch);
    renderdoc_function options_keys_overlay[8];
    renderdoc_function remove_hooks, unload_crash_handler;
    renderdoc_function set_path, get_path, capture_count, capture_at;
    renderdoc_function trigger, is_connected, launch_ui, set_window;
    void (*start_frame)(void *device, void *window);
    uint32_t (*is_capturing)(void);
    uint32_t (*end_frame)(void *device, void *window);
    renderdoc_function trigger_many;
} renderdoc_api;

_Static_assert(offsetof(renderdoc_api, start_frame) == 19 * sizeof(void *), "as in version 1.1.2");

/* A symbol of a library that is in this process; NULL if the library is not. */
static void *loaded_symbol(const char *library_name, const char *symbol, bool *out_is_loaded)
{
    void *library = dlopen(library_name, RTLD_LAZY | RTLD_NOLOAD);
    *out_is_loaded = library != NULL;
    if (library == NULL) {
        return NULL;
    }
    void *found = dlsym(library, symbol);
    (void)dlclose(library); /* gives the reference back; whoever loaded it keeps it */
    return found;
}

static rk_status nsight(bool begin, rk_err *err)
{
    const char *name = begin ? "cuProfilerStart" : "cuProfilerStop";
    bool is_loaded;
    union {
        void *data;
        int (*call)(void);
    } both = {.data = loaded_symbol("libcuda.so.1", name, &is_loaded)};
    if (!is_loaded) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "Nsight: CUDA is not used in this process (libcuda.so.1 is not loaded); "
                          "open a CUDA device first");
    }
    if (both.data == NULL) {
        return rk_err_set(err, RK_VERSION, "Nsight: libcuda.so.1 has no %s", name);
    }
    int result = both.call();
    if (result != 0 && result != CUDA_ERROR_PROFILER_ALREADY_STARTED &&
        result != CUDA_ERROR_PROFILER_ALREADY_STOPPED) {
        return rk_err_set(err, RK_DEVICE, "Nsight: %s failed with CUDA error %d", name, result);
    }
    return RK_OK;
}

static rk_status renderdoc(bool begin, rk_err *err)
{
    bool is_loaded;
    union {
        void *data;
        int (*call)(int version, void **out_api);
    } both = {.data = loaded_symbol("librenderdoc.so", "RENDERDOC_GetAPI", &is_loaded)};
    if (!is_loaded) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "RenderDoc: librenderdoc.so is not in this process; start the program "
                          "from RenderDoc");
    }
    void *table = NULL;
    if (both.data == NULL || both.call(RENDERDOC_1_1_2, &table) != 1 || table == NULL) {
        return rk_err_set(err, RK_VERSION,
                          "RenderDoc: the in-application API 1.1.2 is missing; update RenderDoc");
    }
    const renderdoc_api *api = table;
    if (begin) {
        api->start_frame(NULL, NULL); /* whatever device and window there is */
        return api->is_capturing() != 0
                   ? RK_OK
                   : rk_err_set(err, RK_STATE,
                                "RenderDoc: there is nothing to capture; it records Vulkan and "
                                "OpenGL, and kernels use neither");
    }
    if (api->is_capturing() == 0) {
        return rk_err_set(err, RK_STATE, "RenderDoc: no capture is under way");
    }
    return api->end_frame(NULL, NULL) == 1
               ? RK_OK
               : rk_err_set(err, RK_STATE, "RenderDoc: the capture failed; see its log");
}

static rk_status capture(uint32_t tools, bool begin, rk_err *err)
{
    static const struct {
        uint32_t bit;
        rk_status (*call)(bool begin, rk_err *err);
    } all[] = {
        {RK_CAPTURE_NSIGHT, nsight},
        {RK_CAPTURE_RENDERDOC, renderdoc},
        {RK_CAPTURE_HOOKS, rk_profile_capture_hooks},
    };
    rk_status first = RK_OK;
    for (size_t i = 0; i < RK_COUNT_OF(all); i++) {
        rk_err one = RK_ERR_INIT;
        rk_status status = (tools & all[i].bit) != 0 ? all[i].call(begin, &one) : RK_OK;
        if (status != RK_OK && first == RK_OK) {
            first = rk_err_set(err, status, "%s", one.text);
        }
    }
    return first;
}

rk_status rk_profile_capture_begin(uint32_t tools, rk_err *err)
{
    return capture(tools, true, err);
}

rk_status rk_profile_capture_end(uint32_t tools, rk_err *err)
{
    return capture(tools, false, err);
}

/* ---- RK_CAPTURE ----------------------------------------------------------------------------- */

static rk_mutex auto_lock = RK_MUTEX_INIT;
static bool auto_done;      /* the environment has been looked at */
static uint32_t auto_tools; /* that were begun for it */

rk_status rk_profile_capture_auto_begin(rk_err *err)
{
    static const rk_profile_word words[] = {{"nsight", RK_CAPTURE_NSIGHT},
                                            {"renderdoc", RK_CAPTURE_RENDERDOC},
                                            {"hooks", RK_CAPTURE_HOOKS}};
    rk_status status = RK_OK;
    rk_mutex_lock(&auto_lock);
    const char *wish = auto_done ? NULL : getenv("RK_CAPTURE");
    uint32_t tools = 0;
    if (wish != NULL && *wish != '\0') {
        status = rk_profile_words("RK_CAPTURE", wish, words, RK_COUNT_OF(words), &tools, err);
        if (status == RK_OK) {
            status = rk_profile_capture_begin(tools, err);
        }
    }
    if (status == RK_OK && !auto_done) {
        auto_done = true;
        auto_tools = tools;
    } else if (status != RK_OK) {
        (void)rk_profile_capture_end(tools, NULL); /* those that did begin */
    }
    rk_mutex_unlock(&auto_lock);
    return status;
}

void rk_profile_capture_auto_end(void)
{
    rk_mutex_lock(&auto_lock);
    if (auto_tools != 0) {
        (void)rk_profile_capture_end(auto_tools, NULL); /* what did not begin has nothing to end */
        auto_tools = 0;
    }
    rk_mutex_unlock(&auto_lock);
}
