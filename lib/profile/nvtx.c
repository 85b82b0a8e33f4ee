/*
 * nvtx.c: NVTX, NVIDIA's interface for marking a program's parts, from the client's side.
 *
 * NVTX 3 has no library: a program loads the tool that NVTX_INJECTION64_PATH names and calls its
 * InitializeInjectionNvtx2 with a function that gives out tables. Table 1 ("callbacks") leads to an
 * array of pointers to function pointers for each module of the interface; the tool writes its
 * functions there, and those that it leaves empty are not called. Without a tool, the library of
 * NVTX 2 (libnvToolsExt.so.1) is used where it is installed. Layouts and numbers are those of the
 * public headers of NVTX 3 (https://github.com/NVIDIA/NVTX, c/include/nvtx3), written anew.
 */
#include "profile/profile.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define NVTX_VERSION 3
#define DOMAIN_NAME "ringkernel"
#define CATEGORY_HOST 1u
#define CATEGORY_KERNEL 2u

/* ---- The interface: what lies in memory on both sides --------------------------------------- */

typedef struct nvtx_event {
    uint16_t version; /* NVTX_VERSION */
    uint16_t size;    /* of this structure */
    uint32_t category;
    int32_t color_type; /* 0 none, 1 ARGB */
    uint32_t color;
    int32_t payload_type; /* 0 none, 1 u64 */
    int32_t reserved;
    union {
        uint64_t u64;
        double f64;
    } payload;
    int32_t message_type; /* 1: char */
    union {
        const char *text;
        const wchar_t *wide;
        void *registered;
    } message;
} nvtx_event;

_Static_assert(sizeof(nvtx_event) == 48, "as in NVTX 2 and 3");

typedef void (*nvtx_function)(void);
typedef void *nvtx_domain;

typedef struct nvtx_callbacks {
    size_t size;
    int (*module_table)(int module, nvtx_function ***out_table, unsigned *out_size);
} nvtx_callbacks;

typedef struct nvtx_version_info {
    size_t size;
    uint32_t version;
    uint32_t reserved;
    void (*set_injection_version)(uint32_t version);
} nvtx_version_info;

enum { TABLE_CALLBACKS = 1, TABLE_VERSION = 3 };

/* X(symbol, number, functions): the modules, and how many functions each has. */
#define MODULE_LIST(X)                                                                             \
    X(CORE, 1, 15)                                                                                 \
    X(CUDA, 2, 8)                                                                                  \
    X(OPENCL, 3, 14)                                                                               \
    X(CUDART, 4, 6)                                                                                \
    X(CORE2, 5, 15)                                                                                \
    X(SYNC, 6, 6)

/* Functions of CORE2 that are called here. */
enum {
    DOMAIN_MARK = 1,
    DOMAIN_RANGE_START = 2,
    DOMAIN_RANGE_END = 3,
    DOMAIN_RANGE_PUSH = 4,
    DOMAIN_RANGE_POP = 5,
    DOMAIN_NAME_CATEGORY = 8,
    DOMAIN_CREATE = 12,
    CORE2_COUNT = 15
};

/* The functions that tools write, and the arrays that lead to them: NULL, functions, NULL. */
#define MODULE_DEFINE(symbol, number, functions)                                                   \
    static nvtx_function symbol##_functions[(functions) + 1];                                      \
    static nvtx_function *symbol##_table[(functions) + 2];
MODULE_LIST(MODULE_DEFINE)
#undef MODULE_DEFINE

static nvtx_domain domain;

static void fill_table(nvtx_function **table, nvtx_function *functions, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        table[i] = &functions[i];
    }
}

static int module_table(int module, nvtx_function ***out_table, unsigned *out_size)
{
    nvtx_function **table = NULL;
    unsigned size = 0;
    switch (module) {
#define MODULE_CASE(symbol, number, count)                                                         \
    case number:                                                                                   \
        table = symbol##_table;                                                                    \
        size = (count) + 1;                                                                        \
        break;
        MODULE_LIST(MODULE_CASE)
#undef MODULE_CASE
    default: return 0;
    }
    if (out_size != NULL) {
        *out_size = size;
    }
    if (out_table != NULL) {
        *out_table = table;
    }
    return 1;
}

static void set_injection_version(uint32_t version)
{
    (void)version; /* as the interface says: kept for emergencies */
}

static const void *export_table(uint32_t id)
{
    static const nvtx_callbacks callbacks = {sizeof callbacks, module_table};
    static const nvtx_version_info version = {sizeof version, NVTX_VERSION, 0,
                                              set_injection_version};
    return id == TABLE_CALLBACKS ? (const void *)&callbacks
           : id == TABLE_VERSION ? (const void *)&version
                                 : NULL;
}

/* ---- Loading -------------------------------------------------------------------------------- */

/* dlsym gives a data pointer; POSIX promises that it converts. */
static nvtx_function find_function(void *library, const char *name)
{
    union {
        void *data;
        nvtx_function function;
    } both = {.data = dlsym(library, name)};
    return both.function;
}

static rk_status load_tool(const char *path, rk_err *err)
{
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL) {
        return rk_err_set(err, RK_NOT_FOUND, "NVTX: the tool of NVTX_INJECTION64_PATH: %s",
                          dlerror());
    }
    int (*initialize)(const void *(*)(uint32_t)) =
        (int (*)(const void *(*)(uint32_t)))find_function(library, "InitializeInjectionNvtx2");
    if (initialize == NULL || initialize(export_table) == 0) {
        (void)dlclose(library);
        return rk_err_set(err, initialize == NULL ? RK_NOT_FOUND : RK_UNSUPPORTED,
                          "NVTX: the tool '%s' of NVTX_INJECTION64_PATH %s", path,
                          initialize == NULL ? "has no InitializeInjectionNvtx2"
                                             : "did not initialise");
    }
    return RK_OK; /* it stays loaded: its functions may be called until the process ends */
}

static rk_status load_library(rk_err *err)
{
    static const struct {
        int index;
        const char *name;
    } wanted[] = {
        {DOMAIN_MARK, "nvtxDomainMarkEx"},        {DOMAIN_RANGE_START, "nvtxDomainRangeStartEx"},
        {DOMAIN_RANGE_END, "nvtxDomainRangeEnd"}, {DOMAIN_RANGE_PUSH, "nvtxDomainRangePushEx"},
        {DOMAIN_RANGE_POP, "nvtxDomainRangePop"}, {DOMAIN_NAME_CATEGORY, "nvtxDomainNameCategoryA"},
        {DOMAIN_CREATE, "nvtxDomainCreateA"},
    };
    void *library = dlopen("libnvToolsExt.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL) {
        return rk_err_set(err, RK_NOT_FOUND,
                          "NVTX: no tool listens (NVTX_INJECTION64_PATH is not set) and "
                          "libnvToolsExt.so.1 is not there; run under Nsight Systems");
    }
    for (size_t i = 0; i < RK_COUNT_OF(wanted); i++) {
        CORE2_functions[wanted[i].index] = find_function(library, wanted[i].name);
        if (CORE2_functions[wanted[i].index] == NULL) {
            return rk_err_set(err, RK_UNSUPPORTED, "NVTX: libnvToolsExt.so.1 has no %s",
                              wanted[i].name);
        }
    }
    return RK_OK;
}

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static rk_status load_status;
static rk_err load_err = RK_ERR_INIT;

static void load(void)
{
#define MODULE_FILL(symbol, number, functions)                                                     \
    fill_table(symbol##_table, symbol##_functions, functions);
    MODULE_LIST(MODULE_FILL)
#undef MODULE_FILL
    const char *tool = getenv("NVTX_INJECTION64_PATH");
    load_status =
        tool != NULL && *tool != '\0' ? load_tool(tool, &load_err) : load_library(&load_err);
    if (load_status != RK_OK) {
        for (size_t i = 0; i <= CORE2_COUNT; i++) {
            CORE2_functions[i] = NULL; /* what a tool has written before it failed */
        }
        return;
    }
    nvtx_domain (*create)(const char *) =
        (nvtx_domain(*)(const char *))CORE2_functions[DOMAIN_CREATE];
    void (*name)(nvtx_domain, uint32_t, const char *) =
        (void (*)(nvtx_domain, uint32_t, const char *))CORE2_functions[DOMAIN_NAME_CATEGORY];
    domain = create != NULL ? create(DOMAIN_NAME) : NULL; /* NULL is the tool's default domain */
    if (name != NULL) {
        name(domain, CATEGORY_HOST, "host");
        name(domain, CATEGORY_KERNEL, "kernel");
    }
}

rk_status rk_nvtx_load(rk_err *err)
{
    (void)pthread_once(&load_once, load); /* cannot fail */
    return load_status == RK_OK ? RK_OK : rk_err_set(err, load_status, "%s", load_err.text);
}

/* ---- Calls ---------------------------------------------------------------------------------- */

#define NAME_BYTES 160

/* A kernel's event is named "kernel: name", as a tool shows the text only. */
static nvtx_event event_of(const rk_profile_event *event, char text[NAME_BYTES])
{
    nvtx_event out = {.version = NVTX_VERSION, .size = sizeof out, .message_type = 1};
    out.category = event->kernel != NULL ? CATEGORY_KERNEL : CATEGORY_HOST;
    out.message.text = event->name;
    if (event->kernel != NULL) {
        (void)snprintf(text, NAME_BYTES, "%s: %s", event->kernel, event->name); /* cut to fit */
        out.message.text = text;
    }
    if (event->color != RK_PROFILE_NO_COLOR) {
        out.color_type = 1;
        out.color = 0xff000000u | event->color;
    }
    if (event->has_payload) {
        out.payload_type = 1;
        out.payload.u64 = event->payload;
    }
    return out;
}

static void push(void *context, const rk_profile_event *event)
{
    (void)context;
    char text[NAME_BYTES];
    nvtx_event out = event_of(event, text);
    int (*call)(nvtx_domain, const nvtx_event *) =
        (int (*)(nvtx_domain, const nvtx_event *))CORE2_functions[DOMAIN_RANGE_PUSH];
    if (call != NULL) {
        (void)call(domain, &out); /* the depth, or negative: a tool's matter */
    }
}

static void pop(void *context)
{
    (void)context;
    int (*call)(nvtx_domain) = (int (*)(nvtx_domain))CORE2_functions[DOMAIN_RANGE_POP];
    if (call != NULL) {
        (void)call(domain); /* as above */
    }
}

static uint64_t range_begin(void *context, const rk_profile_event *event)
{
    (void)context;
    char text[NAME_BYTES];
    nvtx_event out = event_of(event, text);
    uint64_t (*call)(nvtx_domain, const nvtx_event *) =
        (uint64_t(*)(nvtx_domain, const nvtx_event *))CORE2_functions[DOMAIN_RANGE_START];
    return call != NULL ? call(domain, &out) : 0;
}

static void range_end(void *context, uint64_t range)
{
    (void)context;
    void (*call)(nvtx_domain, uint64_t) =
        (void (*)(nvtx_domain, uint64_t))CORE2_functions[DOMAIN_RANGE_END];
    if (call != NULL) {
        call(domain, range);
    }
}

static void mark(void *context, const rk_profile_event *event)
{
    (void)context;
    char text[NAME_BYTES];
    nvtx_event out = event_of(event, text);
    void (*call)(nvtx_domain, const nvtx_event *) =
        (void (*)(nvtx_domain, const nvtx_event *))CORE2_functions[DOMAIN_MARK];
    if (call != NULL) {
        call(domain, &out);
    }
}

const rk_profiler_ops rk_nvtx_ops = {
    .abi = RK_PROFILER_ABI,
    .name = "nvtx",
    .push = push,
    .pop = pop,
    .range_begin = range_begin,
    .range_end = range_end,
    .mark = mark,
};
