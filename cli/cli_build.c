/*
 * cli_build.c: rk build: compiles a kernel source into a bundle.
 */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/value.h"

#include <ringkernel/module.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bit;
} targets[] = {
    {"cpu", RK_BUILD_CPU}, {"fiber", RK_BUILD_FIBER},   {"cuda", RK_BUILD_CUDA},
    {"hip", RK_BUILD_HIP}, {"opencl", RK_BUILD_OPENCL}, {"all", RK_BUILD_ALL},
};

static const rk_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = RK_OPTION_STRING,
     .value_name = "FILE",
     .help = "The bundle to write; FILE.rkm in the current folder if not given."},
    {.name = "target",
     .letter = 't',
     .kind = RK_OPTION_LIST,
     .value_name = "cpu|fiber|cuda|hip|opencl|all",
     .help = "What to compile for; several are separated by commas. cpu,fiber if not given. 'all' "
             "is what this machine has compilers for."},
    {.name = "variant",
     .kind = RK_OPTION_STRING,
     .value_name = "f32|f64",
     .help = "Only this precision variant; all that the source declares if not given."},
    {.name = "levels",
     .kind = RK_OPTION_STRING,
     .value_name = "LIST",
     .help = "Instruction-set levels of the CPU code, such as v2,v4; all if not given."},
    {.name = "arch",
     .letter = 'a',
     .kind = RK_OPTION_LIST,
     .value_name = "LIST",
     .help = "GPU architectures, such as sm_90 (machine code for NVIDIA), compute_75 (PTX, which "
             "the driver compiles) or gfx90a (AMD); compute_75 and gfx90a if not given."},
    {.name = "compiler",
     .kind = RK_OPTION_STRING,
     .value_name = "PROGRAM",
     .help = "The C compiler; that of RK_CC, else gcc, else clang, if not given."},
    {.name = "include",
     .kind = RK_OPTION_STRING,
     .value_name = "DIR",
     .help = "The folder that holds ringkernel/kernel.h; found beside the program if not given."},
    {.name = "flag",
     .letter = 'f',
     .kind = RK_OPTION_LIST,
     .value_name = "FLAG",
     .help = "A flag for the C compiler, such as --flag=-DSIZE=64."},
    {.name = "jobs",
     .letter = 'j',
     .kind = RK_OPTION_U64,
     .default_text = "0",
     .max_text = "1024",
     .help = "Compilers at a time; 0: one for each CPU."},
    {.name = "no-cache",
     .kind = RK_OPTION_FLAG,
     .help = "Compile everything, and keep nothing for later builds."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "FILE.c",
     .complete = RK_CLI_COMPLETE_FILE,
     .suffix = ".c",
     .help = "A kernel source in the kernel dialect (ringkernel/kernel.h)."},
};

static const rk_cli_example examples[] = {
    {"rk build counter.c", "writes counter.rkm"},
    {"rk build counter.c -o out/counter.rkm --target cpu --levels v3", "for one CPU level only"},
    {"rk build counter.c --target cpu,cuda --arch compute_75,sm_90", "PTX and code for the H100"},
};

static rk_status parse_target(const char *word, size_t length, uint32_t *bits, rk_err *err)
{
    char name[32];
    const char *names[RK_CLI_COUNT(targets)];
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
             word);
    for (size_t i = 0; i < RK_CLI_COUNT(targets); i++) {
        names[i] = targets[i].name;
        if (strcmp(name, targets[i].name) == 0) {
            *bits |= targets[i].bit == RK_BUILD_ALL ? rk_module_build_targets() : targets[i].bit;
            return RK_OK;
        }
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    const char *near = rk_suggest(name, names, RK_CLI_COUNT(names));
    return rk_err_set(err, RK_INVALID, "--target: there is no target '%s'%s%s%s",
                      rk_value_shown(name, shown), near ? "; did you mean '" : "", near ? near : "",
                      near ? "'?" : "; there are cpu, fiber, cuda, hip, opencl and all");
}

static rk_status parse_targets(const rk_cli_call *call, uint32_t *out_bits, rk_err *err)
{
    const char *const *items;
    size_t count = rk_options_list(&call->options, "target", &items);
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        for (const char *word = items[i];;) {
            size_t length = strcspn(word, ",");
            rk_status status = parse_target(word, length, &bits, err);
            if (status != RK_OK) {
                return status;
            }
            if (word[length] == '\0') {
                break;
            }
            word += length + 1;
        }
    }
    *out_bits = bits;
    return RK_OK;
}

static void print_compiler(void *context, const char *text)
{
    (void)context;
    fputs(text, stderr);
}

/* Where the bundle goes when it is not said: NAME.rkm of NAME.c, in the current folder. */
static bool default_output(const char *source, char out_path[PATH_MAX])
{
    const char *slash = strrchr(source, '/');
    const char *name = slash ? slash + 1 : source;
    size_t length = strlen(name);
    if (length > 2 && strcmp(name + length - 2, ".c") == 0) {
        length -= 2;
    }
    return snprintf(out_path, PATH_MAX, "%.*s.rkm", (int)length, name) < PATH_MAX;
}

static int print_result(const rk_cli_call *call, const char *path, uint64_t took_ns)
{
    rk_err err = RK_ERR_INIT;
    rk_module *module;
    rk_status status = rk_module_open_file(path, &module, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    rk_file_info info = {0};
    (void)rk_file_stat(path, &info); /* it has just been read; a size of 0 would only look odd */
    const rk_schema *schema = rk_module_schema(module);
    rk_str out;
    rk_str_init(&out, 64u * 1024u);
    if (call->json) {
        rk_str_append(&out, "{\"output\":");
        rk_str_append_json(&out, path);
        rk_str_appendf(&out, ",\"module\":\"%s\",\"bytes\":%llu,\"crc\":\"%08x\",\"seconds\":",
                       schema->name, (unsigned long long)info.size_bytes, rk_module_crc(module));
        (void)rk_value_append_json_f64(&out, (double)took_ns * 1e-9); /* sticky */
        rk_str_append(&out, "}");
    } else {
        char size[RK_VALUE_TEXT_BYTES];
        char took[RK_VALUE_TEXT_BYTES];
        rk_str_appendf(&out, "%s: module '%s', %s, built in %s\n", path, schema->name,
                       rk_value_format_size(info.size_bytes, size),
                       rk_value_format_duration(took_ns, took));
    }
    rk_module_unref(module);
    return rk_cli_print(call, &out);
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    uint32_t bits;
    if (parse_targets(call, &bits, &err) != RK_OK) {
        return rk_cli_fail(call, RK_CLI_USAGE, &err);
    }
    const char *source = rk_cli_argument_at(call, 0);
    const char *output = rk_options_text(&call->options, "output");
    char path[PATH_MAX];
    if (output == NULL) {
        if (!default_output(source, path)) {
            return rk_cli_failf(call, RK_CLI_USAGE, RK_LIMIT, "the name of the source is too long");
        }
        output = path;
    }
    const char *const *archs;
    char arch_list[512] = "";
    size_t arch_count = rk_options_list(&call->options, "arch", &archs);
    for (size_t i = 0; i < arch_count; i++) {
        size_t used = strlen(arch_list);
        if (snprintf(arch_list + used, sizeof arch_list - used, "%s%s", i ? "," : "", archs[i]) >=
            (int)(sizeof arch_list - used)) {
            return rk_cli_failf(call, RK_CLI_USAGE, RK_LIMIT, "--arch: the list is too long");
        }
    }
    const char *const *flags;
    size_t flag_count = rk_options_list(&call->options, "flag", &flags);
    const rk_module_build_options build = {
        .source_path = source,
        .output_path = output,
        .targets = bits,
        .variant = rk_options_text(&call->options, "variant"),
        .levels = rk_options_text(&call->options, "levels"),
        .compiler = rk_options_text(&call->options, "compiler"),
        .include_dir = rk_options_text(&call->options, "include"),
        .extra_flags = flags,
        .extra_flag_count = (uint32_t)flag_count,
        .jobs = (uint32_t)rk_options_u64(&call->options, "jobs"),
        .archs = arch_count ? arch_list : NULL,
        .no_cache = rk_options_flag(&call->options, "no-cache"),
        .print = print_compiler,
    };
    uint64_t start_ns = rk_clock_monotonic_ns();
    rk_status status = rk_module_build(&build, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, rk_cli_input_exit(status), &err);
    }
    return print_result(call, output, rk_clock_monotonic_ns() - start_ns);
}

const rk_cli_command rk_cli_build = {
    .name = "build",
    .group = RK_CLI_MODULES,
    .summary = "compile a kernel source into a module",
    .description =
        "Compiles a kernel, written once in the kernel dialect, into a bundle that holds it for "
        "several targets, instruction-set levels and precision variants. What the compiler says "
        "goes to stderr, with the lines of your own file. The bundle appears whole or not at all.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
