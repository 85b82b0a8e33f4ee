/*
 * inject.c: faults: at run time by name, after a number of calls, and from the control file.
 */
#include "base/clock.h"
#include "drivers/test/work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_NS (10u * RK_NS_PER_MS)

static _Atomic uint64_t allocations;
static _Atomic uint64_t copies;

static void lose(rk_sim_device *device, bool for_ever)
{
    rk_mutex_lock(&device->lock);
    device->lost = true;
    device->gone = device->gone || for_ever;
    for (rk_sim_op *op = device->running; op != NULL; op = op->next_running) {
        rk_cpu_exec_stop(op->exec);
    }
    rk_cond_broadcast(&device->changed);
    rk_mutex_unlock(&device->lock);
}

bool rk_sim_inject(rk_sim_device *device, const char *fault)
{
    unsigned value = 0;
    int used = 0;
    if (strcmp(fault, "lost") == 0 || strcmp(fault, "gone") == 0) {
        lose(device, fault[0] == 'g');
        return true;
    }
    bool xid = sscanf(fault, "xid=%3u%n", &value, &used) == 1 && fault[used] == '\0';
    bool heat = !xid && sscanf(fault, "heat=%3u%n", &value, &used) == 1 && fault[used] == '\0';
    bool ecc =
        !xid && !heat && sscanf(fault, "ecc=%9u%n", &value, &used) == 1 && fault[used] == '\0';
    rk_mutex_lock(&device->lock);
    if (xid) {
        device->xids[device->xid_count++ % RK_SIM_XID_MAX] = value;
    } else if (heat) {
        device->temperature = value;
    } else if (ecc) {
        device->ecc_errors += value;
    }
    rk_cond_broadcast(&device->changed);
    rk_mutex_unlock(&device->lock);
    return xid || heat || ecc;
}

bool rk_sim_count_allocation(void)
{
    uint64_t limit = rk_sim_config()->oom_after;
    return limit != 0 && atomic_fetch_add(&allocations, 1) + 1 >= limit;
}

bool rk_sim_count_copy(void)
{
    uint64_t limit = rk_sim_config()->lose_after;
    return limit != 0 && atomic_fetch_add(&copies, 1) + 1 == limit;
}

/* ---- The control file -------------------------------------------------------------------- */

/*
 * A line is "cuda:0 lost" or "hip:1 xid=79". Lines are taken once, in order, as they are appended.
 */
typedef struct watch {
    rk_thread thread;
    rk_mutex lock;
    rk_cond changed;
    bool stop;
    char path[RK_SIM_PATH_BYTES];
    long offset;
} watch;

static watch watcher = {.lock = RK_MUTEX_INIT};

static void take_line(const char *line)
{
    char vendor[8];
    char fault[32];
    unsigned index = 0;
    bool known = sscanf(line, "%7[a-z]:%3u %31s", vendor, &index, fault) == 3 &&
                 (strcmp(vendor, "cuda") == 0 || strcmp(vendor, "hip") == 0);
    rk_sim_device *device =
        known ? rk_sim_device_at(vendor[0] == 'h' ? RK_SIM_HIP : RK_SIM_CUDA, index) : NULL;
    if (device == NULL || !rk_sim_inject(device, fault)) {
        (void)fprintf(stderr,
                      "rk-test-gpu: %s: '%.60s' is no fault; write for example 'cuda:0 lost'\n",
                      watcher.path, line);
    }
}

static void take_lines(watch *w)
{
    FILE *file = fopen(w->path, "re");
    if (file == NULL) {
        return; /* not written yet */
    }
    char line[128];
    (void)fseek(file, w->offset, SEEK_SET);
    while (fgets(line, sizeof line, file) != NULL && strchr(line, '\n') != NULL) {
        w->offset = ftell(file);
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') {
            take_line(line);
        }
    }
    (void)fclose(file);
}

static void watch_main(void *argument)
{
    watch *w = argument;
    rk_mutex_lock(&w->lock);
    while (!w->stop) {
        rk_mutex_unlock(&w->lock);
        take_lines(w);
        rk_mutex_lock(&w->lock);
        if (!w->stop) {
            (void)rk_cond_wait_until(&w->changed, &w->lock, rk_clock_deadline_ns(WATCH_NS));
        }
    }
    rk_mutex_unlock(&w->lock);
}

/* Called while the configuration is locked: reads no option but through its argument. */
void rk_sim_watch_start(const rk_sim_options *options)
{
    atomic_store(&allocations, 0);
    atomic_store(&copies, 0);
    if (options->control[0] == '\0') {
        return;
    }
    (void)snprintf(watcher.path, sizeof watcher.path, "%s", options->control);
    watcher.offset = 0;
    watcher.stop = false;
    rk_cond_init(&watcher.changed);
    if (rk_thread_start(&watcher.thread, "test-gpu", watch_main, &watcher) != RK_OK) {
        (void)fprintf(stderr, "rk-test-gpu: cannot watch %s\n", watcher.path);
    }
}

void rk_sim_watch_stop(void)
{
    if (watcher.thread.started) {
        rk_mutex_lock(&watcher.lock);
        watcher.stop = true;
        rk_cond_signal(&watcher.changed);
        rk_mutex_unlock(&watcher.lock);
        rk_thread_join(&watcher.thread);
        rk_cond_finish(&watcher.changed);
    }
}
