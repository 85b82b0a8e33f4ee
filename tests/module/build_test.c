/*
 * build_test.c: kernel sources become bundles; what is wrong with a source, the compiler or the
 * place is said; nothing is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "module/build.h"
#include "module/module.h"
#include "support/skip.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTER                                                                                    \
    "#define RK_NAME counter\n"                                                                    \
    "#define RK_PARAMS(P) P(u32, cells, \"64\", \"\", \"\")\n"                                     \
    "#define RK_FIELDS(F) F(real, value, \"cells\", \"\", \"state\", \"\")\n"                      \
    "#define RK_PHASES(X) X(add)\n"
#define INCLUDE "#include <ringkernel/kernel.h>\n"
#define ADD                                                                                        \
    "RK_PHASE(add)\n{\n    rk_u64 lo, hi;\n"                                                       \
    "    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);\n"                                       \
    "    RK_G rk_real *value = RK_FIELD(k, value);\n"                                              \
    "    RK_FOR_LANES(k, i, lo, hi) { value[i] += (rk_real)1; }\n}\n"

/* A folder with src/, out/ and tmp/, where TMPDIR points. */
typedef struct fixture {
    char folder[64];
    char source[128];
    char output[128];
    char temporary[128];
    char printed[8192];
    rk_module_build_options options;
    rk_err err;
} fixture;

static void print(void *context, const char *text)
{
    fixture *f = context;
    size_t used = strlen(f->printed);
    snprintf(f->printed + used, sizeof(f->printed) - used, "%s", text);
}

static void drop_variables(void)
{
    static const char *const names[] = {"RK_CC",       "RK_NVCC",          "RK_BUILD_LEVELS",
                                        "RK_HIP_ARCH", "RK_CUDA_ARCH",     "TMPDIR",
                                        "RK_ISA",      "SOURCE_DATE_EPOCH"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    rk_isa levels[RK_ISA_BUILD_MAX];
    (void)rk_isa_build_levels(levels); /* one level is enough for most tests */
    drop_variables();
    setenv("RK_CACHE", "off", 1);
    snprintf(f->folder, sizeof(f->folder), "/tmp/rk-build-test-XXXXXX");
    if (!mkdtemp(f->folder)) {
        return -1;
    }
    snprintf(f->source, sizeof(f->source), "%s/counter.c", f->folder);
    snprintf(f->output, sizeof(f->output), "%s/counter.rkm", f->folder);
    snprintf(f->temporary, sizeof(f->temporary), "%s/tmp", f->folder);
    if (rk_dir_make(f->temporary, 0755) != 0) {
        return -1;
    }
    setenv("TMPDIR", f->temporary, 1);
    f->options = (rk_module_build_options){.source_path = f->source,
                                           .output_path = f->output,
                                           .targets = RK_BUILD_CPU,
                                           .levels = rk_isa_name(levels[0]),
                                           .print = print,
                                           .print_context = f};
    *state = f;
    return 0;
}

static int count_entry(void *arg, const char *name)
{
    unsigned *count = arg;
    (void)name;
    (*count)++;
    return 0;
}

static unsigned entries_of(const char *folder)
{
    unsigned count = 0;
    assert_int_equal(rk_dir_list(folder, count_entry, &count), 0);
    return count;
}

static int remove_file(void *arg, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
    (void)rk_file_unlink(path); /* folders stay for rk_dir_remove */
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unsigned left = entries_of(f->temporary);
    drop_variables();
    (void)rk_dir_remove(f->temporary); /* what is left is reported below */
    (void)rk_dir_list(f->folder, remove_file, f->folder);
    int removed = rk_dir_remove(f->folder);
    free(f);
    if (left != 0 || removed != 0) {
        print_error("the build left %u temporary files behind\n", left);
        return -1;
    }
    return 0;
}

static void write_source(const fixture *f, const char *text)
{
    assert_int_equal(rk_file_replace(f->source, text, strlen(text), NULL), RK_OK);
}

static rk_status build(fixture *f, const char *text)
{
    if (text) {
        write_source(f, text);
    }
    f->printed[0] = '\0';
    memset(&f->err, 0, sizeof(f->err));
    return rk_module_build(&f->options, &f->err);
}

static rk_bundle *built(fixture *f, const char *text)
{
    rk_bundle *bundle = NULL;
    if (build(f, text) != RK_OK || rk_bundle_open_file(f->output, &bundle, &f->err) != RK_OK) {
        fail_msg("%s\n%s", f->err.text, f->printed);
    }
    return bundle;
}

/* Fails with the status, says all of these, and makes no file. */
static void refused(fixture *f, const char *text, rk_status status, const char *const *says)
{
    rk_file_info info;
    rk_status got = build(f, text);
    if (got != status) {
        fail_msg("status %d instead of %d: '%s'", got, status, f->err.text);
    }
    assert_memory_equal(f->err.text, "cannot build '", 14);
    assert_non_null(strstr(f->err.text, "': "));
    for (size_t i = 0; says[i]; i++) {
        if (!strstr(f->err.text, says[i])) {
            fail_msg("'%s' does not say '%s'", f->err.text, says[i]);
        }
    }
    assert_true(rk_file_stat(f->output, &info) != 0);
}

#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void builds_every_level(void **state)
{
    fixture *f = *state;
    f->options.targets = 0; /* the default: CPU and fiber */
    f->options.levels = NULL;
    rk_bundle *b = built(f, COUNTER INCLUDE ADD);
    const rk_section *found = NULL;
    rk_isa levels[RK_ISA_BUILD_MAX];
    uint32_t count = rk_isa_build_levels(levels);
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(rk_bundle_find(b, RK_SECTION_CPU, levels[i], 0));
    }
    assert_non_null(rk_bundle_find(b, RK_SECTION_FIBER, levels[0], 0));
    assert_int_equal(rk_bundle_section_count(b), 2 + count + 1);
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 0, RK_ISA_NONE, &found, &f->err), RK_OK);
    assert_true(rk_isa_supported(found->level));
    assert_string_equal(rk_bundle_schema(b)->name, "counter");
    assert_string_equal(f->printed, "");
    rk_bundle_close(b);
}

static void builds_every_variant(void **state)
{
    fixture *f = *state;
    static const char source[] =
        "#define RK_VARIANTS(X) X(f64, \"exact\") X(f32, \"fast\")\n" COUNTER INCLUDE ADD;
    rk_isa levels[RK_ISA_BUILD_MAX];
    (void)rk_isa_build_levels(levels); /* only the first is used */
    rk_bundle *b = built(f, source);
    const rk_section *f64 = rk_bundle_find(b, RK_SECTION_CPU, levels[0], 0);
    const rk_section *f32 = rk_bundle_find(b, RK_SECTION_CPU, levels[0], 1);
    assert_non_null(f64);
    assert_non_null(f32);
    assert_true(f64->bytes != f32->bytes || memcmp(f64->data, f32->data, f32->bytes) != 0);
    assert_int_equal(rk_bundle_section_count(b), 4);
    rk_bundle_close(b);

    f->options.variant = "f64";
    b = built(f, source);
    assert_non_null(rk_bundle_find(b, RK_SECTION_CPU, levels[0], 0));
    assert_null(rk_bundle_find(b, RK_SECTION_CPU, levels[0], 1));
    rk_bundle_close(b);

    (void)rk_file_unlink(f->output); /* so that the next line sees a new one */
    f->options.variant = "f16";
    refused(f, NULL, RK_INVALID, SAYS("no variant 'f16'"));
}

static void same_source_same_bundle(void **state)
{
    fixture *f = *state;
    char *first = NULL;
    char *second = NULL;
    size_t first_bytes = 0;
    size_t second_bytes = 0;
    setenv("SOURCE_DATE_EPOCH", "86400", 1);
    rk_bundle_close(built(f, COUNTER INCLUDE ADD));
    assert_int_equal(rk_file_read_all(f->output, 1u << 24, &first, &first_bytes, NULL), RK_OK);
    rk_bundle *b = built(f, NULL);
    assert_int_equal(rk_file_read_all(f->output, 1u << 24, &second, &second_bytes, NULL), RK_OK);
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_equal(first, second, first_bytes);
    const rk_section *info = rk_bundle_section(b, 1);
    char *text = strndup(info->data, info->bytes);
    assert_non_null(strstr(text, "date 1970-01-02T00:00:00Z\n"));
    assert_non_null(strstr(text, "source counter.c\n"));
    assert_non_null(strstr(text, "-ffp-contract=off"));
    free(text);
    free(first);
    free(second);
    rk_bundle_close(b);
}

static void says_file_and_line(void **state)
{
    fixture *f = *state;
    refused(f, COUNTER INCLUDE "RK_PHASE(add)\n{\n    int x = nonsense;\n}\n", RK_COMPILE,
            SAYS(f->source, "counter.c:8:", "error", "nonsense"));
    assert_non_null(strstr(f->printed, "counter.c:8:"));
    assert_non_null(strstr(f->printed, "int x = nonsense"));
    refused(f, COUNTER INCLUDE, RK_COMPILE, SAYS("rk_phase_add", "RK_PHASES lists it"));
    refused(f, "#define RK_HAS_INIT 1\n" COUNTER INCLUDE ADD, RK_COMPILE,
            SAYS("rk_on_init", "write RK_INIT"));
    refused(f, COUNTER INCLUDE ADD "RK_INIT { (void)k; }\n", RK_COMPILE,
            SAYS("define RK_HAS_INIT 1 before the include"));
    refused(f, COUNTER INCLUDE ADD "RK_PHASE(more) { (void)k; }\n", RK_COMPILE,
            SAYS("counter.c:13:", "list the phase in RK_PHASES"));
    refused(f, INCLUDE, RK_COMPILE, SAYS("define RK_NAME"));
    refused(f,
            COUNTER INCLUDE ADD "extern void elsewhere(void);\nvoid rk_f(void);\n"
                                "void rk_f(void) { elsewhere(); }\n",
            RK_COMPILE, SAYS("undefined reference", "elsewhere"));
}

static void shows_warnings_once(void **state)
{
    fixture *f = *state;
    f->options.levels = NULL;
    rk_bundle_close(built(f, COUNTER INCLUDE ADD "static int unused_thing;\n"));
    const char *first = strstr(f->printed, "unused_thing");
    assert_non_null(first);
    assert_non_null(strstr(f->printed, "counter.c:13:"));
    assert_null(strstr(first, "warning: "));
}

static void refuses_what_is_no_kernel(void **state)
{
    fixture *f = *state;
    refused(f, "int x;\n", RK_SYNTAX, SAYS("declares no kernel", "ringkernel/kernel.h"));
    refused(f,
            "#define RK_NAME bad\n#define RK_FIELDS(F) F(u32, f, \"cells\", \"\", \"\", "
            "\"\")\n" INCLUDE,
            RK_SYNTAX, SAYS("field 'f'", "'cells' is neither a parameter"));
    refused(f, "#define RK_NAME bad\n#define RK_SUMMARY \"a \\\\ b\"\n" INCLUDE, RK_SYNTAX,
            SAYS("summary", "backslash"));
}

static void refuses_bad_places(void **state)
{
    fixture *f = *state;
    write_source(f, COUNTER INCLUDE ADD);
    rk_module_build_options good = f->options;
    f->options.source_path = "/nowhere/x.c";
    refused(f, NULL, RK_NOT_FOUND, SAYS("/nowhere/x.c", "no such file"));
    f->options.source_path = f->folder;
    refused(f, NULL, RK_NOT_FOUND, SAYS("no regular file"));
    f->options.source_path = NULL;
    refused(f, NULL, RK_INVALID, SAYS("no kernel source"));
    f->options = good;
    f->options.include_dir = "/nowhere";
    refused(f, NULL, RK_NOT_FOUND, SAYS("/nowhere", "ringkernel/kernel.h"));
    f->options = good;
    f->options.levels = "v3,v77";
    refused(f, NULL, RK_INVALID, SAYS("'v77'"));
    f->options.levels = "v3,v3";
    refused(f, NULL, RK_INVALID, SAYS("twice"));
    f->options = good;
    f->options.targets = 0x1000;
    refused(f, NULL, RK_UNSUPPORTED, SAYS("0x1000"));
    f->options = good;
    setenv("TMPDIR", "/nowhere", 1);
    refused(f, NULL, RK_NOT_FOUND, SAYS("/nowhere", "TMPDIR"));
    setenv("TMPDIR", f->temporary, 1);
    f->options.output_path = "/nowhere/x.rkm";
    refused(f, NULL, RK_NOT_FOUND, SAYS("/nowhere"));
    f->options = good;
    f->options.source_path = "/etc/hostname";
    refused(f, NULL, RK_INVALID, SAYS("ends in .c"));
}

static void says_which_compiler_is_missing(void **state)
{
    fixture *f = *state;
    write_source(f, COUNTER INCLUDE ADD);
    char *path = strdup(getenv("PATH"));
    setenv("PATH", f->folder, 1);
    assert_int_equal(rk_module_build_targets(), 0);
    refused(f, NULL, RK_NOT_FOUND, SAYS("no C compiler", "apt-get install gcc", "RK_CC"));
    setenv("PATH", path, 1);
    free(path);
    setenv("RK_CC", "no-such-compiler --fast", 1);
    refused(f, NULL, RK_NOT_FOUND, SAYS("'no-such-compiler'", "RK_CC"));
    f->options.compiler = "/nowhere/cc";
    refused(f, NULL, RK_NOT_FOUND, SAYS("'/nowhere/cc'"));
    f->options.compiler = "false";
    refused(f, NULL, RK_COMPILE, SAYS("exit status 1"));
}

static void passes_flags_and_odd_names(void **state)
{
    fixture *f = *state;
    rk_isa levels[RK_ISA_BUILD_MAX];
    (void)rk_isa_build_levels(levels); /* only the first is used */
    f->options.levels = NULL;
    setenv("RK_BUILD_LEVELS", rk_isa_name(levels[0]), 1);
    static const char *const flags[] = {"-DNUMBER=7"};
    f->options.extra_flags = flags;
    f->options.extra_flag_count = 1;
    rk_bundle *b = built(f, COUNTER INCLUDE ADD "_Static_assert(NUMBER == 7, \"\");\n");
    assert_int_equal(rk_bundle_section_count(b), 3);
    rk_bundle_close(b);
    /* A name that a compiler would take for an option, in the current folder. */
    char here[512];
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(chdir(f->folder), 0);
    assert_int_equal(
        rk_file_replace("-odd.c", COUNTER INCLUDE ADD, strlen(COUNTER INCLUDE ADD), NULL), RK_OK);
    f->options.source_path = "-odd.c";
    f->options.output_path = NULL;
    rk_status status = build(f, NULL);
    rk_file_info info;
    int made = rk_file_stat("-odd.rkm", &info);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(status, RK_OK);
    assert_int_equal(made, 0);
}

static void builds_with_clang(void **state)
{
    fixture *f = *state;
    f->options.compiler = "clang";
    rk_status status = build(f, COUNTER INCLUDE ADD);
    if (status == RK_NOT_FOUND) {
        RK_SKIP("clang is not installed");
    }
    if (status != RK_OK) {
        fail_msg("%s", f->err.text);
    }
}

static void builds_ptx(void **state)
{
    fixture *f = *state;
    if ((rk_module_build_targets() & RK_BUILD_CUDA) == 0) {
        RK_SKIP("neither NVRTC nor nvcc is installed");
    }
    f->options.targets = RK_BUILD_CUDA;
    rk_bundle *b = built(f, COUNTER INCLUDE ADD);
    const rk_section *ptx = rk_bundle_find(b, RK_SECTION_PTX, 75, 0);
    assert_non_null(ptx);
    assert_non_null(strstr(ptx->data, ".entry rk_module_entry"));
    assert_null(strstr(ptx->data, ".nc"));
    assert_int_equal(rk_bundle_section_count(b), 3);
    rk_bundle_close(b);

    (void)rk_file_unlink(f->output); /* so that the next lines see a new one */
    refused(f,
            COUNTER INCLUDE "RK_PHASE(add)\n{\n    RK_G rk_real *value = RK_FIELD(k, value);\n"
                            "#if defined(RK_TARGET_CUDA)\n"
                            "    value[0] = __ldg(value + 1);\n#endif\n    value[1] = 0;\n}\n",
            RK_COMPILE, SAYS("counter.c:10:", "non-coherent", "ld.global.nc", "__ldg"));
    refused(f, COUNTER INCLUDE ADD "#if defined(RK_TARGET_CUDA)\nthis is no C\n#endif\n",
            RK_COMPILE, SAYS("counter.c:14: error"));
}

static void says_that_cuda_is_missing(void **state)
{
    fixture *f = *state;
    f->options.targets = RK_BUILD_CPU | RK_BUILD_CUDA;
    setenv("RK_NVCC", "/nowhere/nvcc", 1);
    refused(f, COUNTER INCLUDE ADD, RK_UNSUPPORTED, SAYS("no CUDA compiler", "RK_NVCC"));
}

static void finds_noncoherent_loads(void **state)
{
    (void)state;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(
        rk_build_check_ptx("\tld.global.f32 %f1, [%rd1];\n\tadd.nc.s32\n// ld.nc\n", "a.c", &err),
        RK_OK);
    assert_int_equal(rk_build_check_ptx("\tld.global.ncx.f32 %f1;\n", "a.c", &err), RK_OK);
    assert_int_equal(rk_build_check_ptx("\tld.global.nc.f32 %f1, [%rd1];\n", "a.c", &err),
                     RK_COMPILE);
    assert_int_equal(
        rk_build_check_ptx("\t@%p1 ld.global.L1::no_allocate.nc.v2.f32 x", "a.c", &err),
        RK_COMPILE);
    assert_int_equal(rk_build_check_ptx("\t.loc 1 12 3\n\tld.global.nc.f32 x\n\t.loc 1 13 3\n"
                                        "\t.file 1 \"/src/a.c\"\n",
                                        "src/a.c", &err),
                     RK_COMPILE);
    assert_non_null(strstr(err.text, "src/a.c:12: "));
    assert_int_equal(rk_build_check_ptx("\t.loc\t1 14 3\n\tld.local.u64 x, [y]\n"
                                        "\tld.global.nc.f32 x\n\t.file\t1 \"a.c\"\n",
                                        "a.c", &err),
                     RK_COMPILE);
    assert_non_null(strstr(err.text, "a.c:14: "));
    assert_int_equal(
        rk_build_check_ptx("\t.loc 2 7 3, function_name $L, inlined_at 1 15 5\n"
                           "\tld.global.nc.f32 x\n\t.file 1 \"a.c\"\n\t.file 2 \"b.h\"\n",
                           "a.c", &err),
        RK_COMPILE);
    assert_non_null(strstr(err.text, "a.c:15: "));
    assert_int_equal(rk_build_check_ptx("\t.loc 2 12 3\n\tld.global.nc.f32 x\n"
                                        "\t.file 1 \"/src/a.c\"\n\t.file 2 \"b.h\"\n",
                                        "a.c", &err),
                     RK_COMPILE);
    assert_null(strstr(err.text, ":12"));
}

static void flattens_opencl(void **state)
{
    fixture *f = *state;
    char header[256];
    snprintf(header, sizeof(header), "%s/own.h", f->folder);
    static const char own[] = "#define STEP ((rk_real)2)\n";
    assert_int_equal(rk_file_replace(header, own, sizeof(own) - 1, NULL), RK_OK);
    f->options.targets = RK_BUILD_OPENCL;
    rk_bundle *b = built(f, COUNTER "#include \"own.h\"\n" INCLUDE ADD);
    const rk_section *code = rk_bundle_find(b, RK_SECTION_OPENCL_SOURCE, 0, 0);
    assert_non_null(code);
    assert_non_null(strstr(code->data, "__kernel void rk_module_entry"));
    assert_non_null(strstr(code->data, "#define STEP"));
    assert_null(strstr(code->data, "\n#include <ringkernel"));
    rk_bundle_close(b);

    char *clang = NULL;
    if (rk_build_has_hip()) { /* clang is there, and checks the source */
        (void)rk_file_unlink(f->output);
        refused(f, COUNTER INCLUDE ADD "#if defined(RK_TARGET_OPENCL)\nnonsense here;\n#endif\n",
                RK_COMPILE, SAYS("counter.c:14:", "error"));
        /* PoCL has no pointers without an address space: what mixes them must not pass here. */
        refused(f,
                COUNTER INCLUDE ADD "#if defined(RK_TARGET_OPENCL)\n"
                                    "rk_u8 take(const rk_u8 *own);\n"
                                    "rk_u8 give(__global rk_u8 *p) { return take(p); }\n#endif\n",
                RK_COMPILE, SAYS("counter.c:15:", "address space"));
    }
    free(clang);
}

/* A compiler that never ends, in a process that is killed: the guardian still cleans up. */
static void a_killed_build_leaves_nothing(void **state)
{
    fixture *f = *state;
    char script[256];
    char ready[256];
    char text[1024];
    snprintf(script, sizeof(script), "%s/cc", f->folder);
    snprintf(ready, sizeof(ready), "%s/ready", f->folder);
    assert_int_equal(mkfifo(ready, 0600), 0);
    /* Tells its process id, with its own files in the scratch folder, and sleeps. */
    snprintf(text, sizeof(text),
             "#!/bin/sh\n[ \"$1\" = --version ] && exec echo fake\n: >\"$TMPDIR/file\"\n"
             "echo $$ >'%s'\nexec sleep 1000\n",
             ready);
    assert_int_equal(rk_file_replace(script, text, strlen(text), NULL), RK_OK);
    assert_int_equal(chmod(script, 0755), 0);
    write_source(f, COUNTER INCLUDE ADD);
    f->options.compiler = script;
    int watch = inotify_init1(IN_CLOEXEC);
    assert_true(inotify_add_watch(watch, f->temporary, IN_DELETE) >= 0);

    pid_t builder = fork();
    if (builder == 0) {
        _exit(rk_module_build(&f->options, NULL) == RK_OK ? 0 : 1);
    }
    assert_true(builder > 0);
    char line[32] = "";
    int fifo = open(ready, O_RDONLY | O_CLOEXEC); /* waits for the compiler */
    assert_true(read(fifo, line, sizeof(line) - 1) > 0);
    (void)close(fifo);
    pid_t compiler = (pid_t)strtol(line, NULL, 10);
    assert_true(compiler > 1);
    assert_int_equal(entries_of(f->temporary), 1);
    assert_int_equal(kill(builder, SIGKILL), 0);
    assert_int_equal(waitpid(builder, NULL, 0), builder);
    struct pollfd event = {watch, POLLIN, 0};
    int seen = poll(&event, 1, 30000); /* the guardian's removal of the folder */
    assert_int_equal(kill(compiler, SIGKILL), 0);
    (void)close(watch);
    assert_int_equal(seen, 1);
    assert_int_equal(entries_of(f->temporary), 0);
}

static void builds_the_echo_kernel(void **state)
{
    fixture *f = *state;
    char source[512];
    const char *tree = getenv("RK_SOURCE_DIR");
    if (!tree) {
        RK_SKIP("RK_SOURCE_DIR is not set: run it with ctest");
    }
    snprintf(source, sizeof(source), "%s/kernels/echo.c", tree);
    f->options.source_path = source;
    rk_bundle *b = built(f, NULL);
    const rk_schema *s = rk_bundle_schema(b);
    assert_string_equal(s->name, "echo");
    assert_int_equal(s->handlers, RK_HANDLER_MESSAGE | RK_HANDLER_COMMAND);
    rk_bundle_close(b);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(builds_every_level),
        CASE(builds_every_variant),
        CASE(same_source_same_bundle),
        CASE(says_file_and_line),
        CASE(shows_warnings_once),
        CASE(refuses_what_is_no_kernel),
        CASE(refuses_bad_places),
        CASE(says_which_compiler_is_missing),
        CASE(passes_flags_and_odd_names),
        CASE(builds_with_clang),
        CASE(builds_ptx),
        CASE(says_that_cuda_is_missing),
        cmocka_unit_test(finds_noncoherent_loads),
        CASE(flattens_opencl),
        CASE(a_killed_build_leaves_nothing),
        CASE(builds_the_echo_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
