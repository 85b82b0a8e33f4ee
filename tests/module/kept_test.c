/*
 * kept_test.c: builds that use what earlier ones compiled: the same bundle without a compiler, and
 * never the wrong one. Also the machine code of GPUs, which is linked of parts that are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "module/build.h"
#include "module/hiprtc.h"
#include "module/module.h"
#include "support/skip.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTER                                                                                    \
    "#define RK_NAME counter\n"                                                                    \
    "#define RK_PARAMS(P) P(u32, cells, \"64\", \"\", \"\")\n"                                     \
    "#define RK_FIELDS(F) F(u32, value, \"cells\", \"\", \"state\", \"\")\n"                       \
    "#define RK_PHASES(X) X(add)\n"
#define INCLUDE "#include <ringkernel/kernel.h>\n"
#define ADD                                                                                        \
    "RK_PHASE(add)\n{\n    rk_u64 lo, hi;\n"                                                       \
    "    rk_block_range(k, RK_PARAM(k, cells), &lo, &hi);\n"                                       \
    "    RK_G rk_u32 *value = RK_FIELD(k, value);\n"                                               \
    "    RK_FOR_LANES(k, i, lo, hi) { value[i] += 1u; }\n}\n"
#define COUNTING COUNTER INCLUDE ADD

/* cc: a compiler that writes one byte into a file whenever it compiles. */
typedef struct fixture {
    char folder[RK_TEST_FOLDER_BYTES];
    char source[RK_TEST_FOLDER_BYTES + 32];
    char output[RK_TEST_FOLDER_BYTES + 32];
    char cache[RK_TEST_FOLDER_BYTES + 32];
    char compiler[RK_TEST_FOLDER_BYTES + 32];
    char count[RK_TEST_FOLDER_BYTES + 32];
    char printed[8192];
    const char *flags[2]; /* to begin with -O0: the code is not what is tested */
    rk_module_build_options options;
    rk_err err;
} fixture;

static void drop_variables(void)
{
    static const char *const names[] = {"RK_CC",         "RK_NVCC",      "RK_BUILD_LEVELS",
                                        "RK_HIP_ARCH",   "RK_CUDA_ARCH", "RK_CACHE_DIR",
                                        "RK_CACHE_SIZE", "RK_CACHE",     "RK_CUDA_UNITS",
                                        "RK_HIPRTC",     "CPATH",        "SOURCE_DATE_EPOCH"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static void print(void *context, const char *text)
{
    fixture *f = context;
    size_t used = strlen(f->printed);
    snprintf(f->printed + used, sizeof(f->printed) - used, "%s", text);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    rk_isa levels[RK_ISA_BUILD_MAX];
    char script[1024];
    (void)rk_isa_build_levels(levels); /* one level is enough */
    drop_variables();
    rk_test_folder_make(f->folder);
    snprintf(f->source, sizeof(f->source), "%s/counter.c", f->folder);
    snprintf(f->output, sizeof(f->output), "%s/counter.rkm", f->folder);
    snprintf(f->cache, sizeof(f->cache), "%s/cache", f->folder);
    snprintf(f->compiler, sizeof(f->compiler), "%s/cc", f->folder);
    snprintf(f->count, sizeof(f->count), "%s/count", f->folder);
    snprintf(script, sizeof(script),
             "#!/bin/sh\ncase \"$1\" in --version) ;; *) printf x >>'%s' ;; esac\n"
             "exec gcc \"$@\"\n",
             f->count);
    write_text(f->compiler, script);
    write_text(f->count, "");
    assert_int_equal(chmod(f->compiler, 0755), 0);
    setenv("RK_CACHE_DIR", f->cache, 1);
    setenv("SOURCE_DATE_EPOCH", "86400", 1);
    write_text(f->source, COUNTING);
    f->flags[0] = "-O0";
    f->options = (rk_module_build_options){.source_path = f->source,
                                           .output_path = f->output,
                                           .targets = RK_BUILD_CPU,
                                           .compiler = f->compiler,
                                           .levels = rk_isa_name(levels[0]),
                                           .extra_flags = f->flags,
                                           .extra_flag_count = 1,
                                           .print = print,
                                           .print_context = f};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    rk_test_folder_remove(f->folder);
    drop_variables();
    free(f);
    return 0;
}

/* Builds and returns how often the compiler ran. */
static unsigned compilations(fixture *f)
{
    rk_file_info before = {0};
    rk_file_info after = {0};
    (void)rk_file_stat(f->count, &before); /* it is there */
    f->printed[0] = '\0';
    if (rk_module_build(&f->options, &f->err) != RK_OK) {
        fail_msg("%s\n%s", f->err.text, f->printed);
    }
    (void)rk_file_stat(f->count, &after); /* it is there */
    return (unsigned)(after.size_bytes - before.size_bytes);
}

static char *bundle_bytes(const fixture *f, size_t *out_length)
{
    char *data = NULL;
    assert_int_equal(rk_file_read_all(f->output, 1u << 26, &data, out_length, NULL), RK_OK);
    return data;
}

static void compiles_once(void **state)
{
    fixture *f = *state;
    size_t first_length = 0;
    size_t second_length = 0;
    f->options.targets = RK_BUILD_CPU | RK_BUILD_FIBER;
    assert_int_equal(compilations(f), 2);
    char *first = bundle_bytes(f, &first_length);
    assert_int_equal(compilations(f), 0);
    char *second = bundle_bytes(f, &second_length);
    assert_int_equal(first_length, second_length);
    assert_memory_equal(first, second, first_length);
    free(first);
    free(second);
    f->options.no_cache = true;
    assert_int_equal(compilations(f), 2);
    f->options.no_cache = false;
    setenv("RK_CACHE", "off", 1);
    assert_int_equal(compilations(f), 2);
}

static void what_matters_is_in_the_key(void **state)
{
    fixture *f = *state;
    char header[RK_TEST_FOLDER_BYTES + 32];
    snprintf(header, sizeof(header), "%s/own.h", f->folder);
    write_text(header, "#define STEP 1u\n");
    write_text(f->source, COUNTER "#include \"own.h\"\n" INCLUDE ADD);
    assert_int_equal(compilations(f), 1);
    assert_int_equal(compilations(f), 0);
    write_text(header, "#define STEP 2u\n"); /* a header */
    assert_int_equal(compilations(f), 1);
    write_text(header, "#define STEP 1u\n");
    assert_int_equal(compilations(f), 0);

    f->flags[1] = "-DNUMBER=7";
    f->options.extra_flag_count = 2;
    assert_int_equal(compilations(f), 1); /* a flag */
    assert_int_equal(compilations(f), 0);
    f->options.extra_flag_count = 1;

    setenv("CPATH", f->folder, 1); /* the environment */
    assert_int_equal(compilations(f), 1);
    unsetenv("CPATH");

    char *text = NULL;
    size_t length = 0;
    assert_int_equal(rk_file_read_all(f->compiler, 4096, &text, &length, NULL), RK_OK);
    char changed[2048];
    snprintf(changed, sizeof(changed), "%s# another compiler\n", text);
    free(text);
    write_text(f->compiler, changed);
    assert_int_equal(compilations(f), 1); /* the compiler */
}

static void doubtful_sources_are_not_kept(void **state)
{
    fixture *f = *state;
    static const char *const sources[] = {
        COUNTING "static const char when[] __attribute__((unused)) = __DATE__;\n",
        COUNTING "#if __has_include(<nothing.h>)\n#endif\n",
        "#include <string.h>\n" COUNTING,
        "#define WHERE <ringkernel/kernel.h>\n" COUNTER "#include WHERE\n" ADD,
        COUNTER "/* hidden */ #include <ringkernel/kernel.h>\n" ADD,
        COUNTER "#\\\ninclude <ringkernel/kernel.h>\n" ADD,
        COUNTER "%:include <ringkernel/kernel.h>\n" ADD,
    };
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        write_text(f->source, sources[i]);
        assert_int_equal(compilations(f), 1);
        assert_int_equal(compilations(f), 1);
    }
    static const char *const flags[] = {"-march=native", "-include/dev/null", "-I.", "-Wp,-DX"};
    write_text(f->source, COUNTING);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        f->flags[1] = flags[i];
        f->options.extra_flag_count = 2;
        assert_int_equal(compilations(f), 1);
        assert_int_equal(compilations(f), 1);
    }
    /* The language's own headers are part of the compiler. */
    f->options.extra_flag_count = 1;
    write_text(f->source, "#include <stdint.h>\n" COUNTING);
    assert_int_equal(compilations(f), 1);
    assert_int_equal(compilations(f), 0);
}

static void warnings_are_kept_and_errors_are_not(void **state)
{
    fixture *f = *state;
    write_text(f->source, COUNTING "static int unused_thing;\n");
    assert_int_equal(compilations(f), 1);
    assert_non_null(strstr(f->printed, "unused_thing"));
    char printed[sizeof(f->printed)];
    memcpy(printed, f->printed, sizeof(printed));
    assert_int_equal(compilations(f), 0);
    assert_string_equal(f->printed, printed);

    write_text(f->source, COUNTING "nonsense\n");
    for (unsigned i = 0; i < 2; i++) {
        f->printed[0] = '\0';
        assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
        assert_non_null(strstr(f->err.text, "counter.c:13"));
        assert_non_null(strstr(f->printed, "nonsense"));
    }
}

typedef struct visit {
    const fixture *fixture;
    const char *find; /* only entries whose data hold this; NULL: all */
    const char *replacement;
    unsigned changed;
} visit;

static bool find_text(const unsigned char *data, size_t bytes, const char *text, size_t *out_at)
{
    const unsigned char *at = memmem(data, bytes, text, strlen(text));
    *out_at = at ? (size_t)(at - data) : 0;
    return at != NULL;
}

/* Changes the data of entries and makes their checksums right again: a forger's work. */
static int forge(void *arg, const char *name)
{
    visit *v = arg;
    char path[1024];
    char *file = NULL;
    size_t length = 0;
    size_t at = 0;
    rk_cache_entry entry;
    snprintf(path, sizeof(path), "%s/%s", v->fixture->cache, name);
    assert_int_equal(rk_file_read_all(path, 1u << 26, &file, &length, NULL), RK_OK);
    if (rk_cache_decode(file, length, NULL, &entry) == RK_OK &&
        find_text(entry.data, entry.bytes, v->find, &at)) {
        rk_cache_key key;
        unsigned char *data = (unsigned char *)file + RK_CACHE_HEADER_BYTES;
        memcpy(data + at, v->replacement, strlen(v->replacement));
        memcpy(key.bytes, file + 24, sizeof(key.bytes));
        rk_cache_encode_header(&key, data, entry.bytes, entry.messages, entry.message_bytes,
                               (unsigned char *)file);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(file, 1, length, out), length);
        assert_int_equal(fclose(out), 0);
        v->changed++;
    }
    free(file);
    return 0;
}

static unsigned forge_all(const fixture *f, const char *find, const char *replacement)
{
    visit v = {.fixture = f, .find = find, .replacement = replacement};
    assert_int_equal(strlen(find), strlen(replacement));
    assert_int_equal(rk_dir_list(f->cache, forge, &v), 0);
    return v.changed;
}

/* Makes the first load of a parameter in every PTX a non-coherent one. */
static unsigned forge_loads(const fixture *f)
{
    return forge_all(f, "ld.param.b64", "ld.global.nc") +
           forge_all(f, "ld.param.u64", "ld.global.nc");
}

static void what_is_kept_is_checked_as_what_is_compiled(void **state)
{
    fixture *f = *state;
    assert_int_equal(compilations(f), 1);
    assert_int_equal(forge_all(f, "module counter", "module kounter"), 1);
    assert_int_equal(compilations(f), 0); /* the schema is read from the code: nothing to compare */
    assert_int_equal(forge_all(f, "rk_module_entry", "rk_module_extra"), 1);
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_SYNTAX);
    assert_non_null(strstr(f->err.text, "declares no kernel"));
}

static void goes_on_without_a_cache(void **state)
{
    fixture *f = *state;
    setenv("RK_CACHE_DIR", "/proc/no-such-place", 1);
    f->options.targets = RK_BUILD_CPU | RK_BUILD_FIBER;
    assert_int_equal(compilations(f), 2);
    const char *warning = strstr(f->printed, "warning: the compile cache is not used");
    assert_non_null(warning);
    assert_non_null(strstr(warning, "/proc/no-such-place"));
    assert_null(strstr(warning + 1, "warning:")); /* once */
    setenv("RK_CACHE", "sometimes", 1);
    assert_int_equal(compilations(f), 2);
    assert_non_null(strstr(f->printed, "RK_CACHE is 'sometimes'"));
}

/* Several builds of one source at once: all make the same bundle, and what they keep is whole. */
static void builds_share_the_cache(void **state)
{
    enum { BUILDS = 6 };
    fixture *f = *state;
    pid_t children[BUILDS];
    char outputs[BUILDS][RK_TEST_FOLDER_BYTES + 32];
    char *first = NULL;
    size_t first_length = 0;
    f->options.targets = RK_BUILD_CPU | RK_BUILD_FIBER;
    for (unsigned i = 0; i < BUILDS; i++) {
        snprintf(outputs[i], sizeof(outputs[i]), "%s/%u.rkm", f->folder, i);
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            f->options.output_path = outputs[i];
            _exit(rk_module_build(&f->options, NULL) == RK_OK ? 0 : 1);
        }
    }
    for (unsigned i = 0; i < BUILDS; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        char *data = NULL;
        size_t length = 0;
        assert_int_equal(rk_file_read_all(outputs[i], 1u << 26, &data, &length, NULL), RK_OK);
        if (i == 0) {
            first = data;
            first_length = length;
            continue;
        }
        assert_int_equal(length, first_length);
        assert_memory_equal(data, first, length);
        free(data);
    }
    free(first);
    assert_int_equal(compilations(f), 0);
}

/* The whole path of CUDA: PTX and machine code, kept, and checked wherever it comes from. */
static void cuda_code_is_kept_and_checked(void **state)
{
    fixture *f = *state;
    rk_nvrtc rtc;
    rk_nvjitlink linker;
    rk_bundle *b = NULL;
    if (!rk_nvrtc_load(&rtc) || !rk_nvjitlink_load(&linker)) {
        RK_SKIP("NVRTC or nvJitLink is not installed");
    }
    size_t first_length = 0;
    size_t second_length = 0;
    f->options.targets = RK_BUILD_CUDA;
    f->options.archs = "compute_90,sm_90";
    (void)compilations(f); /* the probe is of no interest */
    assert_int_equal(rk_bundle_open_file(f->output, &b, &f->err), RK_OK);
    assert_non_null(rk_bundle_find(b, RK_SECTION_PTX, 90, 0));
    assert_null(rk_bundle_find(b, RK_SECTION_PTX, 75, 0));
    const rk_section *cubin = rk_bundle_find(b, RK_SECTION_CUBIN, 90, 0);
    assert_non_null(cubin);
    assert_memory_equal(cubin->data, "\177ELF", 4);
    size_t at = 0;
    assert_true(find_text(cubin->data, cubin->bytes, "rk_module_entry", &at));
    const rk_section *info = rk_bundle_section(b, 1);
    assert_true(find_text(info->data, info->bytes, "link nvJitLink, loop and source", &at));
    rk_bundle_close(b);
    char *first = bundle_bytes(f, &first_length);
    assert_int_equal(compilations(f), 0);
    char *second = bundle_bytes(f, &second_length);
    assert_int_equal(first_length, second_length);
    assert_memory_equal(first, second, first_length);
    free(first);
    free(second);

    setenv("RK_CUDA_UNITS", "off", 1); /* of the same PTX as the bundle has */
    (void)compilations(f);             /* the probe is of no interest */
    assert_int_equal(rk_bundle_open_file(f->output, &b, &f->err), RK_OK);
    info = rk_bundle_section(b, 1);
    assert_true(find_text(info->data, info->bytes, "link nvJitLink, in one piece", &at));
    rk_bundle_close(b);

    /* Non-coherent loads in what is kept, which come to the bundle's PTX and to the link. */
    assert_true(forge_loads(f) > 0);
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "non-coherent load"));
    f->options.archs = "sm_90";
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "non-coherent load"));
    unsetenv("RK_CUDA_UNITS");
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "non-coherent load"));
}

static void cuda_errors_name_the_line(void **state)
{
    fixture *f = *state;
    rk_nvrtc rtc;
    rk_nvjitlink linker;
    if (!rk_nvrtc_load(&rtc) || !rk_nvjitlink_load(&linker)) {
        RK_SKIP("NVRTC or nvJitLink is not installed");
    }
    f->options.targets = RK_BUILD_CUDA;
    f->options.archs = "sm_90";
    write_text(f->source, COUNTING "#if defined(RK_TARGET_CUDA)\nthis is no C\n#endif\n");
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "counter.c:14: error"));
    write_text(f->source, COUNTER INCLUDE "RK_PHASE(add)\n{\n#if defined(RK_TARGET_CUDA)\n"
                                          "    *RK_FIELD(k, value) = __ldg(RK_FIELD(k, value));\n"
                                          "#endif\n    (void)k;\n}\n");
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    if (!strstr(f->err.text, "counter.c:9:")) {
        fail_msg("%s", f->err.text);
    }
    assert_non_null(strstr(f->err.text, "ld.global.nc"));
    f->options.archs = "sm_77";
    write_text(f->source, COUNTING);
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_UNSUPPORTED);
    assert_non_null(strstr(f->err.text, "does not compile for compute_77"));
}

/* All handlers, shared memory and a barrier: everything that passes between the two units. */
static void both_units_fit(void **state)
{
    fixture *f = *state;
    rk_nvrtc rtc;
    rk_nvjitlink linker;
    rk_bundle *b = NULL;
    size_t at = 0;
    if (!rk_nvrtc_load(&rtc) || !rk_nvjitlink_load(&linker)) {
        RK_SKIP("NVRTC or nvJitLink is not installed");
    }
    write_text(f->source,
               "#define RK_HAS_INIT 1\n#define RK_HAS_MESSAGE 1\n#define RK_HAS_COMMAND 1\n"
               "#define RK_HAS_AFTER_STEP 1\n#define RK_HAS_CHECK 1\n#define RK_HAS_MIGRATE 1\n"
               "#define RK_SHARED_BYTES 4096\n" COUNTING
               "RK_INIT { if (RK_SYNC_GRID(k) != 0u) { return; } }\n"
               "RK_ON_MESSAGE { (void)rk_emit(k, message->type, 0, 0); }\n"
               "RK_ON_COMMAND { (void)k; (void)op; (void)data; (void)length; value[0] = 1; "
               "return 0; }\n"
               "RK_AFTER_STEP { (void)k; }\nRK_CHECK { (void)k; return 0; }\n"
               "RK_MIGRATE { (void)k; (void)old_arena; (void)old_offsets; (void)old_hash; "
               "return 0; }\n");
    f->options.targets = RK_BUILD_CUDA;
    f->options.archs = "sm_90";
    (void)compilations(f); /* the probe is of no interest */
    assert_int_equal(rk_bundle_open_file(f->output, &b, &f->err), RK_OK);
    const rk_section *info = rk_bundle_section(b, 1);
    assert_true(find_text(info->data, info->bytes, "loop and source", &at));
    rk_bundle_close(b);
}

static void nvcc_makes_cubins_too(void **state)
{
    fixture *f = *state;
    rk_bundle *b = NULL;
    setenv("RK_NVCC", "nvcc", 1);
    if (!rk_build_has_cuda()) {
        setenv("RK_NVCC", "/usr/local/cuda/bin/nvcc", 1);
    }
    if (!rk_build_has_cuda()) {
        RK_SKIP("nvcc is not installed");
    }
    f->options.targets = RK_BUILD_CUDA;
    f->options.archs = "sm_90";
    for (unsigned i = 0; i < 2; i++) {
        (void)compilations(f); /* the second time from the cache */
        assert_int_equal(rk_bundle_open_file(f->output, &b, &f->err), RK_OK);
        const rk_section *cubin = rk_bundle_find(b, RK_SECTION_CUBIN, 90, 0);
        assert_non_null(cubin);
        assert_memory_equal(cubin->data, "\177ELF", 4);
        assert_int_equal(rk_bundle_section_count(b), 3);
        rk_bundle_close(b);
    }
    assert_true(forge_loads(f) > 0);
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "non-coherent load"));
}

static void hip_has_a_section_for_each_gpu(void **state)
{
    fixture *f = *state;
    rk_bundle *b = NULL;
    setenv("RK_HIPRTC", "off", 1);
    if (!rk_build_has_hip()) {
        RK_SKIP("clang or ld.lld is not installed");
    }
    f->options.targets = RK_BUILD_HIP;
    f->options.archs = "gfx90a,gfx1030";
    (void)compilations(f); /* the probe is of no interest */
    assert_int_equal(rk_bundle_open_file(f->output, &b, &f->err), RK_OK);
    assert_non_null(rk_bundle_find(b, RK_SECTION_HIP, 0x90a, 0));
    assert_non_null(rk_bundle_find(b, RK_SECTION_HIP, 0x1030, 0));
    assert_int_equal(rk_bundle_section_count(b), 4);
    rk_bundle_close(b);
    write_text(f->source, COUNTING "#if defined(RK_TARGET_HIP)\nnonsense;\n#endif\n");
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "counter.c:14:"));
}

static void hiprtc_compiles_as_well(void **state)
{
    fixture *f = *state;
    rk_hiprtc rtc;
    rk_bundle *b = NULL;
    if (!rk_hiprtc_load(&rtc)) {
        RK_SKIP("hiprtc is not installed");
    }
    f->options.targets = RK_BUILD_HIP;
    f->options.archs = "gfx90a";
    (void)compilations(f); /* the probe is of no interest */
    assert_int_equal(rk_bundle_open_file(f->output, &b, &f->err), RK_OK);
    const rk_section *code = rk_bundle_find(b, RK_SECTION_HIP, 0x90a, 0);
    assert_non_null(code);
    assert_memory_equal(code->data, "\177ELF", 4);
    rk_bundle_close(b);
    write_text(f->source, COUNTING "#if defined(RK_TARGET_HIP)\nnonsense;\n#endif\n");
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
    assert_non_null(strstr(f->err.text, "counter.c:14:"));
    /* A GPU that it does not know: an error, not the end of this process. */
    write_text(f->source, COUNTING);
    f->options.archs = "gfxfff";
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_COMPILE);
}

static void architectures_are_checked(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *archs;
        rk_status status;
        const char *says;
    } cases[] = {
        {"sm_90a", RK_INVALID, "'sm_90a' (in the architectures asked for) is no GPU architecture"},
        {"h100", RK_INVALID, "sm_90 (machine code for NVIDIA)"},
        {"", RK_OK, NULL},
        {"sm_90,sm_90", RK_INVALID, "named twice"},
        {"compute_60", RK_UNSUPPORTED, "7.0 or later"},
        {"gfx90a", RK_INVALID, "of the target hip, which is not built; add --target hip"},
        {"sm_", RK_INVALID, "is no GPU architecture"},
        {"sm_99999999999", RK_INVALID, "is no GPU architecture"},
        {",", RK_INVALID, "is no GPU architecture"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->options.targets = cases[i].status == RK_OK ? RK_BUILD_CPU : RK_BUILD_CUDA;
        f->options.archs = cases[i].archs;
        assert_int_equal(rk_module_build(&f->options, &f->err), cases[i].status);
        if (cases[i].says && !strstr(f->err.text, cases[i].says)) {
            fail_msg("'%s' does not say '%s'", f->err.text, cases[i].says);
        }
    }
    setenv("RK_HIP_ARCH", "gfx90a;rm", 1);
    f->options.targets = RK_BUILD_HIP;
    f->options.archs = NULL;
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_INVALID);
    assert_non_null(strstr(f->err.text, "'gfx90a;rm' (in RK_HIP_ARCH)"));
    f->options.targets = RK_BUILD_CPU;
    f->options.archs = "sm_90";
    assert_int_equal(rk_module_build(&f->options, &f->err), RK_INVALID);
    assert_non_null(strstr(f->err.text, "add --target cuda"));
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(compiles_once),
        CASE(what_matters_is_in_the_key),
        CASE(doubtful_sources_are_not_kept),
        CASE(warnings_are_kept_and_errors_are_not),
        CASE(what_is_kept_is_checked_as_what_is_compiled),
        CASE(goes_on_without_a_cache),
        CASE(builds_share_the_cache),
        CASE(cuda_code_is_kept_and_checked),
        CASE(cuda_errors_name_the_line),
        CASE(both_units_fit),
        CASE(nvcc_makes_cubins_too),
        CASE(hip_has_a_section_for_each_gpu),
        CASE(hiprtc_compiles_as_well),
        CASE(architectures_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
