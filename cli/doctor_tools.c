/*
 * doctor_tools.c: checks of what the program itself needs.
 */
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/endpoint.h"
#include "cli/modules.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/value.h"

#include <ringkernel/command.h>
#include <ringkernel/module.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAUNCH_TIMEOUT_NS (10u * (uint64_t)RK_NS_PER_S)

/* Finds a program in PATH, or by its path. */
static bool find_program(const char *name, char out_path[PATH_MAX])
{
    if (strchr(name, '/') != NULL) {
        snprintf(out_path, PATH_MAX, "%s", name);
        return access(name, X_OK) == 0;
    }
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");
        int written = snprintf(out_path, PATH_MAX, "%.*s/%s", (int)length, at, name);
        if (written < PATH_MAX && access(out_path, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':' ? 1 : 0);
    }
    return false;
}

static void check_compiler(rk_finding *f)
{
    char path[PATH_MAX];
    const char *named = getenv("RK_CC");
    if (named != NULL && *named != '\0') {
        if (find_program(named, path)) {
            rk_finding_set(f, RK_FINDING_OK, "%s (from RK_CC)", path);
        } else {
            rk_finding_set(f, RK_FINDING_MISSING, "RK_CC is '%s', which is no program", named);
            rk_finding_remedy(f, "unset RK_CC, or set it to a C compiler");
        }
        return;
    }
    if (find_program("gcc", path) || find_program("clang", path)) {
        rk_finding_set(f, RK_FINDING_OK, "%s", path);
        return;
    }
    rk_finding_set(f, RK_FINDING_MISSING, "no C compiler, so 'rk build' cannot compile kernels");
    rk_finding_remedy(f, "apt-get install gcc libc6-dev");
}

static void check_modules(rk_finding *f)
{
    char **paths;
    size_t count;
    rk_err err = RK_ERR_INIT;
    if (rk_cli_builtin_paths(&paths, &count, &err) != RK_OK) {
        rk_finding_set(f, RK_FINDING_MISSING, "%s", err.text);
        return;
    }
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        rk_cli_path_name(paths[i], name);
        rk_module *module;
        if (rk_module_open_file(paths[i], &module, &err) != RK_OK) {
            rk_finding_set(f, RK_FINDING_MISSING, "%s", err.text);
            rk_finding_remedy(f, "install RingKernel again, or build it with 'make'");
            rk_cli_free_paths(paths, count);
            return;
        }
        rk_module_unref(module);
        int written = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", name);
        used = RK_MIN(used + (size_t)written, sizeof names - 1);
    }
    if (count == 0) {
        rk_finding_set(f, RK_FINDING_MISSING, "no built-in modules beside the program");
        rk_finding_remedy(f, "'make' builds them, 'make install' installs them; RK_KERNEL_PATH "
                             "names other folders");
    } else {
        rk_finding_set(f, RK_FINDING_OK, "%zu: %s", count, names);
    }
    rk_cli_free_paths(paths, count);
}

static const char probe_source[] =
    "#define RK_NAME doctor_probe\n"
    "#define RK_FIELDS(F) F(u32, value, \"64\", \"\", \"state\", \"\")\n"
    "#define RK_PHASES(X) X(add)\n"
    "#include <ringkernel/kernel.h>\n"
    "RK_PHASE(add) { RK_FOR_LANES(k, i, 0, 64) { RK_FIELD(k, value)[i] += 1u; } }\n";

/* Compiles a kernel in a folder of its own: the compiler, its libraries and the headers at once. */
static void check_build(rk_finding *f)
{
    const char *base = getenv("TMPDIR");
    char folder[PATH_MAX - 32], source[PATH_MAX], bundle[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/rk-doctor-XXXXXX", base && *base ? base : "/tmp");
    if (mkdtemp(folder) == NULL) {
        rk_finding_set(f, RK_FINDING_MISSING, "no folder for temporary files: %s: %s", folder,
                       strerror(errno));
        rk_finding_remedy(f, "set TMPDIR to a folder that you may write to");
        return;
    }
    snprintf(source, sizeof source, "%s/probe.c", folder);
    snprintf(bundle, sizeof bundle, "%s/probe.rkm", folder);
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_file_replace(source, probe_source, sizeof probe_source - 1, &err);
    uint64_t start_ns = rk_clock_monotonic_ns();
    if (status == RK_OK) {
        const rk_module_build_options build = {
            .source_path = source, .output_path = bundle, .targets = RK_BUILD_CPU};
        status = rk_module_build(&build, &err);
    }
    if (status == RK_OK) {
        char took[RK_VALUE_TEXT_BYTES];
        rk_finding_set(f, RK_FINDING_OK, "a small kernel was compiled in %s",
                       rk_value_format_duration(rk_clock_monotonic_ns() - start_ns, took));
    } else {
        rk_finding_set(f, RK_FINDING_MISSING, "a small kernel could not be compiled: %s", err.text);
        rk_finding_remedy(f, "apt-get install gcc libc6-dev; the headers of RingKernel belong in "
                             "../include beside the program");
    }
    (void)rk_file_unlink(bundle); /* may not exist */
    (void)rk_file_unlink(source);
    (void)rk_dir_remove(folder); /* left behind at worst, in the folder for temporary files */
}

/* Starts echo in a host process and pings it: what every job does first. */
static rk_status launch_echo(uint64_t *out_took_ns, rk_err *err)
{
    char *program = rk_cli_program_path();
    if (program == NULL) {
        return rk_err_set(err, RK_IO, "/proc/self/exe cannot be read; is /proc mounted?");
    }
    const char *host_argv[] = {program, "__host", NULL};
    const rk_runtime_options runtime_options = {.isolation = RK_ISOLATION_PROCESS,
                                                .host_argv = host_argv};
    rk_runtime *runtime = NULL;
    rk_module *module = NULL;
    rk_kernel *kernel = NULL;
    rk_reply reply;
    uint64_t id;
    uint64_t start_ns = rk_clock_monotonic_ns();
    rk_status status = rk_runtime_create(&runtime_options, &runtime, err);
    if (status == RK_OK) {
        status = rk_module_open_builtin("echo", &module, err);
    }
    if (status == RK_OK) {
        const rk_launch launch = {.name = "doctor", .module = module, .blocks = 1};
        status = rk_kernel_create(runtime, &launch, &kernel, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_start(kernel, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_ping(kernel, &id, err);
    }
    if (status == RK_OK) {
        status = rk_kernel_wait(kernel, id, LAUNCH_TIMEOUT_NS, &reply, err);
    }
    rk_runtime_destroy(runtime);
    rk_module_unref(module);
    free(program);
    *out_took_ns = rk_clock_monotonic_ns() - start_ns;
    return status;
}

static void check_launch(rk_finding *f)
{
    rk_err err = RK_ERR_INIT;
    uint64_t took_ns = 0;
    if (launch_echo(&took_ns, &err) == RK_OK) {
        char took[RK_VALUE_TEXT_BYTES];
        rk_finding_set(f, RK_FINDING_OK,
                       "a kernel was launched in a host process, answered and "
                       "ended in %s",
                       rk_value_format_duration(took_ns, took));
        return;
    }
    rk_finding_set(f, RK_FINDING_MISSING, "a kernel could not be launched in a host process: %s",
                   err.text);
}

static void check_control(rk_finding *f)
{
    char folder[RK_ENDPOINT_PATH_BYTES];
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_endpoint_folder(true, folder, &err);
    if (status == RK_OK) {
        rk_finding_set(f, RK_FINDING_OK, "%s", folder);
        return;
    }
    rk_finding_set(f, RK_FINDING_NOTE, "%s", err.text);
    rk_finding_remedy(f, "set XDG_RUNTIME_DIR to a folder of your own; without one, running jobs "
                         "take no commands");
}

const rk_check rk_doctor_tools[] = {
    {"compiler", check_compiler}, {"modules", check_modules},        {"build", check_build},
    {"launch", check_launch},     {"control folder", check_control},
};
const size_t rk_doctor_tools_count = RK_CLI_COUNT(rk_doctor_tools);
