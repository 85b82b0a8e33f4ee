/*
 * machine.c: what a report says about the machine.
 */
#include "bench/machine.h"

#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The first "model name" of /proc/cpuinfo, or the machine's architecture. */
static void read_cpu(char *out, size_t capacity, const char *otherwise)
{
    snprintf(out, capacity, "%s", otherwise);
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) {
        return;
    }
    char line[512];
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, "model name", 10) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, capacity, "%s", colon + 1 + (colon[1] == ' '));
            break;
        }
    }
    fclose(file);
}

void rk_bench_machine_read(rk_bench_machine *out_machine)
{
    rk_bench_machine m;
    memset(&m, 0, sizeof m);
    struct utsname names;
    if (uname(&names) == 0) {
        snprintf(m.kernel, sizeof m.kernel, "%.60s %.60s", names.sysname, names.release);
        read_cpu(m.cpu, sizeof m.cpu, names.machine);
    }
    m.cores = rk_thread_cpu_count();
    m.memory_gib =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / (1024.0 * 1024 * 1024);
#if defined(__clang__)
    snprintf(m.compiler, sizeof m.compiler, "%s", __VERSION__);
#else
    snprintf(m.compiler, sizeof m.compiler, "gcc %s", __VERSION__);
#endif
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) {
        strftime(m.date, sizeof m.date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    if (getloadavg(&m.load_1m, 1) != 1) {
        m.load_1m = 0;
    }
    *out_machine = m;
}

static void append_pair(rk_str *out, const char *key, const char *text)
{
    (void)rk_str_appendf(out, "\"%s\":", key);
    (void)rk_str_append_json(out, text);
    (void)rk_str_append_char(out, ','); /* the caller looks at out->status once */
}

void rk_bench_machine_json(const rk_bench_machine *machine, rk_str *out)
{
    (void)rk_str_append_char(out, '{');
    append_pair(out, "cpu", machine->cpu);
    append_pair(out, "kernel", machine->kernel);
    append_pair(out, "compiler", machine->compiler);
    append_pair(out, "date", machine->date);
    (void)rk_str_appendf(out, "\"cores\":%u,\"memory_gib\":%.4g,\"load_1m\":%.4g}", machine->cores,
                         machine->memory_gib, machine->load_1m); /* as above */
}

void rk_bench_machine_text(const rk_bench_machine *machine, rk_str *out)
{
    /* The caller looks at out->status once. */
    (void)rk_str_appendf(out, "  machine: %s, %u cores, %.1f GiB, %s, %s, load %.2f, %s\n",
                         machine->cpu, machine->cores, machine->memory_gib, machine->kernel,
                         machine->compiler, machine->load_1m, machine->date);
}
