/*
 * roctx.c: ROCTX, AMD's interface for marking a program's parts. It is a library of five functions;
 * the newer one belongs to rocprofiler-sdk, the older to roctracer. Prototypes as documented at
 * https://rocm.docs.amd.com/projects/rocprofiler-sdk (ROCTx), written anew. It knows no colours and
 * no payloads: a payload is put behind the name.
 */
#include "profile/profile.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

static const char *const libraries[] = {
    "librocprofiler-sdk-roctx.so", "librocprofiler-sdk-roctx.so.1", "librocprofiler-sdk-roctx.so.0",
    "libroctx64.so", "libroctx64.so.4"};

static struct {
    void (*mark)(const char *message);
    int (*push)(const char *message);
    int (*pop)(void);
    uint64_t (*start)(const char *message);
    void (*stop)(uint64_t range);
} calls;

bool rk_roctx_is_present(void)
{
    for (size_t i = 0; i < RK_COUNT_OF(libraries); i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL) {
            (void)dlclose(library); /* gives the reference back; whoever loaded it keeps it */
            return true;
        }
    }
    return false;
}

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static rk_status load_status;
static rk_err load_err = RK_ERR_INIT;

static void load(void)
{
    void *library = NULL;
    const char *name = NULL;
    /* First the one that a tool has loaded: a machine may have both. */
    static const int modes[] = {RTLD_LAZY | RTLD_NOLOAD, RTLD_LAZY};
    for (size_t i = 0; i < 2 * RK_COUNT_OF(libraries) && library == NULL; i++) {
        name = libraries[i % RK_COUNT_OF(libraries)];
        library = dlopen(name, modes[i / RK_COUNT_OF(libraries)]);
    }
    if (library == NULL) {
        load_status = rk_err_set(&load_err, RK_NOT_FOUND,
                                 "ROCTX: neither librocprofiler-sdk-roctx.so nor libroctx64.so is "
                                 "there; install rocprofiler-sdk-roctx");
        return;
    }
    const struct {
        const char *name;
        void *to;
    } wanted[] = {
        {"roctxMarkA", &calls.mark},     {"roctxRangePushA", &calls.push},
        {"roctxRangePop", &calls.pop},   {"roctxRangeStartA", &calls.start},
        {"roctxRangeStop", &calls.stop},
    };
    for (size_t i = 0; i < RK_COUNT_OF(wanted); i++) {
        void *symbol = dlsym(library, wanted[i].name);
        if (symbol == NULL) {
            load_status =
                rk_err_set(&load_err, RK_UNSUPPORTED, "ROCTX: %s has no %s", name, wanted[i].name);
            (void)dlclose(library);
            return;
        }
        *(void **)wanted[i].to = symbol; /* POSIX: a data pointer converts */
    }
}

rk_status rk_roctx_load(rk_err *err)
{
    (void)pthread_once(&load_once, load); /* cannot fail */
    return load_status == RK_OK ? RK_OK : rk_err_set(err, load_status, "%s", load_err.text);
}

#define NAME_BYTES 160

static const char *text_of(const rk_profile_event *event, char text[NAME_BYTES])
{
    if (event->kernel == NULL && !event->has_payload) {
        return event->name;
    }
    char payload[32] = "";
    if (event->has_payload) {
        (void)snprintf(payload, sizeof payload, " (%" PRIu64 ")", event->payload);
    }
    (void)snprintf(text, NAME_BYTES, "%s%s%s%s", event->kernel != NULL ? event->kernel : "",
                   event->kernel != NULL ? ": " : "", event->name, payload); /* cut to fit */
    return text;
}

static void push(void *context, const rk_profile_event *event)
{
    (void)context;
    char text[NAME_BYTES];
    (void)calls.push(text_of(event, text)); /* the depth: a tool's matter */
}

static void pop(void *context)
{
    (void)context;
    (void)calls.pop(); /* as above */
}

static uint64_t range_begin(void *context, const rk_profile_event *event)
{
    (void)context;
    char text[NAME_BYTES];
    return calls.start(text_of(event, text));
}

static void range_end(void *context, uint64_t range)
{
    (void)context;
    calls.stop(range);
}

static void mark(void *context, const rk_profile_event *event)
{
    (void)context;
    char text[NAME_BYTES];
    calls.mark(text_of(event, text));
}

const rk_profiler_ops rk_roctx_ops = {
    .abi = RK_PROFILER_ABI,
    .name = "roctx",
    .push = push,
    .pop = pop,
    .range_begin = range_begin,
    .range_end = range_end,
    .mark = mark,
};
