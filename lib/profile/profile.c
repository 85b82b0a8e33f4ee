/*
 * profile.c: who listens, and what they are told.
 *
 * Invariants
 *   1. `listeners` is read before anything else: 0 means that nobody listens and nothing is done.
 *   2. Profilers are called with `gate` held for reading; they change with it held for writing. So
 *      none is called behind its removal.
 *   3. A pop or a range's end goes to those profilers only that were there when it began: each has
 *      the serial number of its registration, and what is open knows the highest one of its time.
 */
#include "profile/profile.h"

#include "base/suggest.h"
#include "base/thread.h"
#include "base/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_KEPT 64u /* deeper spans are told, but forget who was told */
#define RANGE_INDEX_BITS 16u

typedef struct seat {
    const rk_profiler_ops *ops; /* NULL: free */
    uint64_t serial;
} seat;

typedef struct open_range {
    uint64_t generation; /* of the handle; grows with each use */
    bool is_open;
    uint64_t serial; /* registrations until it began */
    uint64_t ids[RK_PROFILERS_MAX];
} open_range;

static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static seat seats[RK_PROFILERS_MAX];
static uint64_t last_serial;
static _Atomic uint32_t listeners;
static _Atomic uint64_t unbalanced;

static rk_mutex range_lock = RK_MUTEX_INIT;
static open_range ranges[RK_PROFILE_RANGES_MAX];
static uint32_t range_next; /* where the search for a free one begins */

static RK_THREAD_LOCAL uint32_t depth;
static RK_THREAD_LOCAL uint64_t told[DEPTH_KEPT]; /* last_serial at the push */

static bool nobody_listens(void)
{
    return RK_LIKELY(atomic_load_explicit(&listeners, memory_order_relaxed) == 0);
}

static rk_profile_event event_of(const char *name, uint32_t color)
{
    return (rk_profile_event){
        .size = sizeof(rk_profile_event), .color = color, .name = name != NULL ? name : ""};
}

void rk_profile_push(const char *name, uint32_t color)
{
    if (nobody_listens()) {
        return;
    }
    rk_profile_event event = event_of(name, color);
    (void)pthread_rwlock_rdlock(&gate); /* cannot fail: initialised, not held for writing by us */
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        const rk_profiler_ops *ops = seats[i].ops;
        if (ops != NULL && ops->push != NULL) {
            ops->push(ops->context, &event);
        }
    }
    if (depth < DEPTH_KEPT) {
        told[depth] = last_serial;
    }
    depth++;
    (void)pthread_rwlock_unlock(&gate);
}

void rk_profile_pop(void)
{
    if (depth == 0) {
        if (!nobody_listens()) {
            atomic_fetch_add_explicit(&unbalanced, 1, memory_order_relaxed);
        }
        return;
    }
    depth--;
    (void)pthread_rwlock_rdlock(&gate);
    uint64_t serial = depth < DEPTH_KEPT ? told[depth] : last_serial;
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        const rk_profiler_ops *ops = seats[i].ops;
        if (ops != NULL && ops->pop != NULL && seats[i].serial <= serial) {
            ops->pop(ops->context);
        }
    }
    (void)pthread_rwlock_unlock(&gate);
}

uint64_t rk_profile_unbalanced_count(void)
{
    return atomic_load_explicit(&unbalanced, memory_order_relaxed);
}

/* A free range, taken; NULL if all are open. */
static open_range *take_range(void)
{
    open_range *range = NULL;
    rk_mutex_lock(&range_lock);
    for (uint32_t i = 0; i < RK_PROFILE_RANGES_MAX && range == NULL; i++) {
        open_range *one = &ranges[(range_next + i) % RK_PROFILE_RANGES_MAX];
        range = one->is_open ? NULL : one;
    }
    if (range != NULL) {
        range_next = (uint32_t)(range - ranges) + 1;
        range->is_open = true;
        range->generation++;
    }
    rk_mutex_unlock(&range_lock);
    return range;
}

rk_profile_range rk_profile_range_begin(const char *name, uint32_t color)
{
    if (nobody_listens()) {
        return 0;
    }
    open_range *range = take_range();
    if (range == NULL) {
        return 0;
    }
    rk_profile_event event = event_of(name, color);
    (void)pthread_rwlock_rdlock(&gate);
    range->serial = last_serial;
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        const rk_profiler_ops *ops = seats[i].ops;
        range->ids[i] =
            ops != NULL && ops->range_begin != NULL ? ops->range_begin(ops->context, &event) : 0;
    }
    (void)pthread_rwlock_unlock(&gate);
    return range->generation << RANGE_INDEX_BITS | (uint64_t)(range - ranges + 1);
}

void rk_profile_range_end(rk_profile_range handle)
{
    uint64_t index = (handle & ((1u << RANGE_INDEX_BITS) - 1u)) - 1u;
    if (handle == 0 || index >= RK_PROFILE_RANGES_MAX) {
        return;
    }
    open_range *range = &ranges[index];
    rk_mutex_lock(&range_lock);
    bool is_open = range->is_open && range->generation == handle >> RANGE_INDEX_BITS;
    open_range was = {0};
    if (is_open) { /* else it may be another thread's, which is filling it */
        was = *range;
        range->is_open = false;
    }
    rk_mutex_unlock(&range_lock);
    if (!is_open) {
        return;
    }
    (void)pthread_rwlock_rdlock(&gate);
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        const rk_profiler_ops *ops = seats[i].ops;
        if (ops != NULL && ops->range_end != NULL && seats[i].serial <= was.serial) {
            ops->range_end(ops->context, was.ids[i]);
        }
    }
    (void)pthread_rwlock_unlock(&gate);
}

void rk_profile_tell(const rk_profile_event *event)
{
    if (nobody_listens()) {
        return;
    }
    (void)pthread_rwlock_rdlock(&gate);
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        const rk_profiler_ops *ops = seats[i].ops;
        if (ops != NULL && ops->mark != NULL) {
            ops->mark(ops->context, event);
        }
    }
    (void)pthread_rwlock_unlock(&gate);
}

void rk_profile_mark(const char *name, uint32_t color)
{
    rk_profile_event event = event_of(name, color);
    rk_profile_tell(&event);
}

rk_status rk_profiler_register(const rk_profiler_ops *ops, rk_err *err)
{
    if (ops == NULL || ops->name == NULL) {
        return rk_err_set(err, RK_INVALID, "a profiler needs a table of operations with a name");
    }
    if (ops->abi != RK_PROFILER_ABI) {
        return rk_err_set(err, RK_VERSION,
                          "profiler '%s' has interface %u, this library has %u; rebuild it",
                          ops->name, ops->abi, RK_PROFILER_ABI);
    }
    rk_status status = RK_OK;
    seat *place = NULL;
    (void)pthread_rwlock_wrlock(&gate);
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        if (seats[i].ops == ops) {
            status = RK_EXISTS;
        } else if (seats[i].ops == NULL && place == NULL) {
            place = &seats[i];
        }
    }
    if (status == RK_OK && place == NULL) {
        status = RK_LIMIT;
    }
    if (status == RK_OK) {
        *place = (seat){.ops = ops, .serial = ++last_serial};
        atomic_fetch_add_explicit(&listeners, 1, memory_order_relaxed);
    }
    (void)pthread_rwlock_unlock(&gate);
    if (status == RK_EXISTS) {
        return rk_err_set(err, status, "profiler '%s' is registered already", ops->name);
    }
    return status == RK_OK ? RK_OK
                           : rk_err_set(err, status,
                                        "there are %u profilers already; remove one before '%s' is "
                                        "added",
                                        RK_PROFILERS_MAX, ops->name);
}

rk_status rk_profiler_unregister(const rk_profiler_ops *ops, rk_err *err)
{
    rk_status status = RK_NOT_FOUND;
    (void)pthread_rwlock_wrlock(&gate);
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        if (ops != NULL && seats[i].ops == ops) {
            seats[i] = (seat){0};
            atomic_fetch_sub_explicit(&listeners, 1, memory_order_relaxed);
            status = RK_OK;
        }
    }
    (void)pthread_rwlock_unlock(&gate);
    return status == RK_OK ? RK_OK : rk_err_set(err, status, "this profiler is not registered");
}

rk_status rk_profile_capture_hooks(bool begin, rk_err *err)
{
    rk_status first = RK_OK;
    (void)pthread_rwlock_rdlock(&gate);
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        const rk_profiler_ops *ops = seats[i].ops;
        rk_status (*call)(void *, rk_err *) =
            ops == NULL ? NULL : (begin ? ops->capture_begin : ops->capture_end);
        if (call == NULL) {
            continue;
        }
        rk_err one = RK_ERR_INIT;
        rk_status status = call(ops->context, &one);
        if (status != RK_OK && first == RK_OK) {
            first = rk_err_set(err, status, "profiler '%s': %s", ops->name,
                               one.text[0] != '\0' ? one.text : rk_status_text(status));
        }
    }
    (void)pthread_rwlock_unlock(&gate);
    return first;
}

/* ---- Built-in profilers --------------------------------------------------------------------- */

static const struct {
    uint32_t bit;
    const rk_profiler_ops *ops;
    rk_status (*load)(rk_err *err);
} built_in[] = {
    {RK_PROFILE_NVTX, &rk_nvtx_ops, rk_nvtx_load},
    {RK_PROFILE_ROCTX, &rk_roctx_ops, rk_roctx_load},
};

static bool is_registered(const rk_profiler_ops *ops)
{
    bool found = false;
    (void)pthread_rwlock_rdlock(&gate);
    for (size_t i = 0; i < RK_PROFILERS_MAX; i++) {
        found = found || seats[i].ops == ops;
    }
    (void)pthread_rwlock_unlock(&gate);
    return found;
}

rk_status rk_profile_enable(uint32_t profilers, rk_err *err)
{
    rk_status first = RK_OK;
    for (size_t i = 0; i < RK_COUNT_OF(built_in); i++) {
        if ((profilers & built_in[i].bit) == 0) {
            continue;
        }
        rk_err one = RK_ERR_INIT;
        rk_status status = built_in[i].load(&one);
        if (status == RK_OK) {
            status = rk_profiler_register(built_in[i].ops, &one);
            status = status == RK_EXISTS ? RK_OK : status;
        }
        if (status != RK_OK && first == RK_OK) {
            first = rk_err_set(err, status, "%s", one.text);
        }
    }
    return first;
}

void rk_profile_disable(uint32_t profilers)
{
    for (size_t i = 0; i < RK_COUNT_OF(built_in); i++) {
        if ((profilers & built_in[i].bit) != 0) {
            (void)rk_profiler_unregister(built_in[i].ops, NULL); /* it may be off */
        }
    }
}

uint32_t rk_profile_enabled(void)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < RK_COUNT_OF(built_in); i++) {
        bits |= is_registered(built_in[i].ops) ? built_in[i].bit : 0u;
    }
    return bits;
}

/* ---- The environment ------------------------------------------------------------------------ */

rk_status rk_profile_words(const char *variable, const char *text, const rk_profile_word *words,
                           size_t count, uint32_t *out_bits, rk_err *err)
{
    uint32_t bits = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        size_t i = 0;
        while (i < count &&
               (strlen(words[i].name) != length || strncmp(words[i].name, text, length) != 0)) {
            i++;
        }
        if (i == count && length > 0) {
            char word[64];
            char shown[RK_VALUE_SHOWN_BYTES];
            const char *names[8];
            for (i = 0; i < count; i++) {
                names[i] = words[i].name;
            }
            (void)snprintf(word, sizeof word, "%.*s", (int)RK_MIN(length, sizeof word - 1), text);
            const char *near = rk_suggest(word, names, count);
            return rk_err_set(err, RK_INVALID, "%s: there is no '%s'%s%s%s", variable,
                              rk_value_shown(word, shown), near ? "; did you mean '" : "",
                              near ? near : "", near ? "'?" : "");
        }
        bits |= length > 0 ? words[i].bit : 0u;
        text += length + (text[length] == ',' ? 1u : 0u);
    }
    *out_bits = bits;
    return RK_OK;
}

#define WORD_NONE 0x80000000u

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static rk_status setup_status;
static rk_err setup_err = RK_ERR_INIT;

static void setup(void)
{
    static const rk_profile_word words[] = {
        {"nvtx", RK_PROFILE_NVTX}, {"roctx", RK_PROFILE_ROCTX}, {"none", WORD_NONE}};
    const char *wish = getenv("RK_PROFILE");
    uint32_t bits = 0;
    if (wish != NULL && *wish != '\0') {
        setup_status =
            rk_profile_words("RK_PROFILE", wish, words, RK_COUNT_OF(words), &bits, &setup_err);
        bits = (bits & WORD_NONE) != 0 ? 0 : bits;
        if (setup_status == RK_OK && bits != 0) {
            setup_status = rk_profile_enable(bits, &setup_err);
        }
    } else {
        const char *tool = getenv("NVTX_INJECTION64_PATH");
        bits |= tool != NULL && *tool != '\0' ? RK_PROFILE_NVTX : 0u;
        bits |= rk_roctx_is_present() ? RK_PROFILE_ROCTX : 0u;
        (void)rk_profile_enable(bits, NULL); /* nobody asked for them by name: works without */
    }
}

rk_status rk_profile_setup(rk_err *err)
{
    (void)pthread_once(&setup_once, setup); /* cannot fail */
    return setup_status == RK_OK ? RK_OK : rk_err_set(err, setup_status, "%s", setup_err.text);
}
