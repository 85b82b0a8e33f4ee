/*
 * bundle_test.c: bundles survive a round trip, and whatever is wrong with one is refused with the
 * reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc.h"
#include "base/file.h"
#include "core/schema.h"
#include "module/module.h"
#include "module/small_bundle.h"
#include "support/random.h"
#include <ringkernel/abi/control.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fixture {
    unsigned char *data;
    size_t bytes;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->data = small_bundle_make(&f->bytes);
    *state = f;
    return f->data ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    free(f->data);
    free(f);
    return 0;
}

/* Puts a right file checksum into changed data, so that what is behind it is looked at. */
static void seal(unsigned char *data, size_t bytes)
{
    rk_bytes_put_u32(data + 36, 0);
    rk_bytes_put_u32(data + 36, rk_crc32(0, data, bytes));
}

/* The same for one section. */
static void seal_section(unsigned char *data, uint32_t index)
{
    unsigned char *entry = data + 64 + index * 48;
    rk_bytes_put_u32(
        entry + 32, rk_crc32(0, data + rk_bytes_u64(entry + 16), (size_t)rk_bytes_u64(entry + 24)));
}

static rk_status open_copy(const unsigned char *data, size_t bytes, rk_err *err)
{
    unsigned char *exact = malloc(bytes ? bytes : 1);
    memcpy(exact, data, bytes);
    rk_bundle *bundle = NULL;
    rk_status status = rk_bundle_open_memory(exact, bytes, "test", &bundle, err);
    free(exact);
    rk_bundle_close(bundle);
    return status;
}

static void round_trip(void **state)
{
    const fixture *f = *state;
    rk_bundle *b = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_bundle_open_memory(f->data, f->bytes, "small", &b, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(rk_bundle_name(b), "small");
    assert_string_equal(rk_bundle_schema(b)->name, "small");
    assert_int_equal(rk_bundle_section_count(b), 5);
    assert_null(rk_bundle_section(b, 5));
    const rk_section *ptx = rk_bundle_find(b, RK_SECTION_PTX, 75, 1);
    assert_non_null(ptx);
    assert_string_equal(ptx->data, ".version 6.3\n");
    assert_null(rk_bundle_find(b, RK_SECTION_PTX, 75, 0));
    assert_null(rk_bundle_find(b, RK_SECTION_PTX, 80, 1));
    assert_non_null(rk_bundle_find(b, RK_SECTION_SCHEMA, 0, 0));

    /* Encoding the same sections again gives the same file. */
    rk_section sections[5];
    for (uint32_t i = 0; i < 5; i++) {
        sections[i] = *rk_bundle_section(b, i);
    }
    unsigned char *again = NULL;
    size_t bytes = 0;
    assert_int_equal(rk_bundle_encode(sections, 5, &again, &bytes, &err), RK_OK);
    assert_int_equal(bytes, f->bytes);
    assert_memory_equal(again, f->data, bytes);
    free(again);
    rk_bundle_close(b);
}

static void every_changed_byte_is_refused(void **state)
{
    const fixture *f = *state;
    static const unsigned char changes[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < f->bytes; i++) {
        for (size_t j = 0; j < sizeof(changes); j++) {
            f->data[i] ^= changes[j];
            rk_err err = RK_ERR_INIT;
            rk_status status = open_copy(f->data, f->bytes, &err);
            assert_true(status == RK_CORRUPT || status == RK_VERSION);
            assert_non_null(strstr(err.text, "'test'"));
            f->data[i] ^= changes[j];
        }
    }
    assert_int_equal(open_copy(f->data, f->bytes, NULL), RK_OK);
}

static void every_truncation_is_refused(void **state)
{
    const fixture *f = *state;
    for (size_t bytes = 0; bytes < f->bytes; bytes++) {
        rk_err err = RK_ERR_INIT;
        assert_int_equal(open_copy(f->data, bytes, &err), RK_CORRUPT);
        assert_true(strstr(err.text, "truncated") || strstr(err.text, "no module bundle"));
    }
}

static void more_bytes_are_refused(void **state)
{
    const fixture *f = *state;
    unsigned char *more = calloc(1, f->bytes + 64);
    memcpy(more, f->data, f->bytes);
    assert_int_equal(open_copy(more, f->bytes + 1, NULL), RK_CORRUPT);
    /* Also when header and checksum claim them. */
    rk_bytes_put_u64(more + 8, f->bytes + 64);
    seal(more, f->bytes + 64);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(open_copy(more, f->bytes + 64, &err), RK_CORRUPT);
    assert_non_null(strstr(err.text, "behind its last section"));
    free(more);
}

/* Numbers that somebody set on purpose, with a right checksum. */
static void forged_numbers_are_refused(void **state)
{
    const fixture *f = *state;
    static const struct forgery {
        size_t at;
        uint64_t value;
        size_t width;
        rk_status status;
        const char *says;
    } forgeries[] = {
        {4, 2, 2, RK_VERSION, "bundle format 2"},
        {6, 65, 2, RK_CORRUPT, "header"},
        {16, 0xffffffff, 4, RK_CORRUPT, "too many"},
        {16, 200, 4, RK_CORRUPT, "too many"},
        {16, 4, 4, RK_CORRUPT, "malformed"},
        {20, 47, 4, RK_CORRUPT, "header"},
        {24, 128, 8, RK_CORRUPT, "header"},
        {32, RK_ABI_VERSION + 1, 4, RK_VERSION, "kernel interface 2"},
        {40, 1, 4, RK_CORRUPT, "header"},
        {64 + 12, 1, 4, RK_CORRUPT, "entry 0"},
        {64 + 16, UINT64_MAX, 8, RK_CORRUPT, "entry 0"},
        {64 + 24, UINT64_MAX, 8, RK_CORRUPT, "entry 0"},
        {64 + 24, UINT64_MAX - 63, 8, RK_CORRUPT, "entry 0"},
        {64 + 32, 7, 4, RK_CORRUPT, "checksum of its section 0"},
        {64 + 40, 7, 4, RK_CORRUPT, "entry 0"},
        {64 + 48, 1, 4, RK_CORRUPT, "one schema and one build"},
        {64 + 2 * 48, 77, 4, RK_VERSION, "kind 77"},
        {64 + 2 * 48, 0, 4, RK_VERSION, "kind 0"},
        {64 + 2 * 48 + 4, RK_ISA_AARCH64, 4, RK_CORRUPT, "another processor"},
        {64 + 2 * 48 + 4, 99, 4, RK_CORRUPT, "another processor"},
        {64 + 2 * 48 + 8, 2, 4, RK_CORRUPT, "variant 2"},
        {64 + 4 * 48, RK_SECTION_CPU, 4, RK_CORRUPT, "no ELF file"},
    };
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        unsigned char *copy = malloc(f->bytes);
        memcpy(copy, f->data, f->bytes);
        for (size_t j = 0; j < forgeries[i].width; j++) {
            copy[forgeries[i].at + j] = (unsigned char)(forgeries[i].value >> (8 * j));
        }
        seal(copy, f->bytes);
        rk_err err = RK_ERR_INIT;
        rk_status status = open_copy(copy, f->bytes, &err);
        if (status != forgeries[i].status || !strstr(err.text, forgeries[i].says)) {
            fail_msg("forgery %zu: %d '%s'", i, status, err.text);
        }
        free(copy);
    }
}

static void same_target_twice_is_refused(void **state)
{
    (void)state;
    size_t bytes = 0;
    unsigned char *code =
        small_elf_make(&(small_elf){RK_ELF_X86_64, SMALL_SCHEMA, "rk_module_entry"}, &bytes);
    rk_section sections[] = {
        small_section(RK_SECTION_SCHEMA, 0, RK_SECTION_ALL_VARIANTS, SMALL_SCHEMA,
                      sizeof(SMALL_SCHEMA) - 1),
        small_section(RK_SECTION_BUILD, 0, RK_SECTION_ALL_VARIANTS, "", 0),
        small_section(RK_SECTION_CPU, RK_ISA_X86_64_V1, 0, code, bytes),
        small_section(RK_SECTION_CPU, RK_ISA_X86_64_V1, 0, code, bytes),
    };
    unsigned char *data = NULL;
    size_t length = 0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_encode(sections, 4, &data, &length, &err), RK_OK);
    assert_int_equal(open_copy(data, length, &err), RK_CORRUPT);
    assert_non_null(strstr(err.text, "same target"));
    free(data);
    free(code);
}

/* Code that does not belong to the bundle, or is none. */
static void foreign_code_is_refused(void **state)
{
    (void)state;
    static const struct row {
        small_elf parts;
        const char *says;
    } rows[] = {
        {{RK_ELF_AARCH64, SMALL_SCHEMA, "rk_module_entry"}, "another processor"},
        {{RK_ELF_X86_64, SMALL_SCHEMA "phase x\n", "rk_module_entry"}, "schema is not that"},
        {{RK_ELF_X86_64, SMALL_SCHEMA, "rk_module_entri"}, "no rk_module_entry"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t bytes = 0;
        unsigned char *code = small_elf_make(&rows[i].parts, &bytes);
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_bundle_check_code(code, bytes, RK_ISA_X86_64_V3, SMALL_SCHEMA,
                                              sizeof(SMALL_SCHEMA) - 1, &err),
                         RK_CORRUPT);
        assert_non_null(strstr(err.text, rows[i].says));
        free(code);
    }
    rk_err err = RK_ERR_INIT;
    assert_int_equal(
        rk_bundle_check_code("#!/bin/sh\n", 10, RK_ISA_X86_64_V3, SMALL_SCHEMA, 5, &err),
        RK_CORRUPT);
    assert_non_null(strstr(err.text, "no ELF file"));
}

/* No byte of an ELF file leads the reader out of it (under the address sanitizer). */
static void damaged_elf_is_safe(void **state)
{
    (void)state;
    size_t bytes = 0;
    unsigned char *code =
        small_elf_make(&(small_elf){RK_ELF_X86_64, SMALL_SCHEMA, "rk_module_entry"}, &bytes);
    assert_int_equal(rk_bundle_check_code(code, bytes, RK_ISA_X86_64_V3, SMALL_SCHEMA,
                                          sizeof(SMALL_SCHEMA) - 1, NULL),
                     RK_OK);
    for (size_t i = 0; i < bytes; i++) {
        static const unsigned char changes[] = {0x01, 0x40, 0x80, 0xff};
        for (size_t j = 0; j < sizeof(changes); j++) {
            code[i] ^= changes[j];
            (void)rk_bundle_check_code(code, bytes, RK_ISA_X86_64_V3, SMALL_SCHEMA,
                                       sizeof(SMALL_SCHEMA) - 1, NULL); /* either is right */
            code[i] ^= changes[j];
        }
    }
    for (size_t length = 0; length < bytes; length++) {
        unsigned char *cut = malloc(length ? length : 1);
        memcpy(cut, code, length);
        assert_int_not_equal(rk_bundle_check_code(cut, length, RK_ISA_X86_64_V3, SMALL_SCHEMA,
                                                  sizeof(SMALL_SCHEMA) - 1, NULL),
                             RK_OK);
        free(cut);
    }
    free(code);
}

/* Random changes with right checksums: refused or read, never a fault. */
static void sealed_damage_is_safe(void **state)
{
    const fixture *f = *state;
    uint64_t random = 5;
    unsigned char *copy = malloc(f->bytes);
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, f->data, f->bytes);
        uint64_t changes = rk_test_random(&random) % 3 + 1;
        for (uint64_t i = 0; i < changes; i++) {
            copy[rk_test_random(&random) % f->bytes] = (unsigned char)rk_test_random(&random);
        }
        memcpy(copy, f->data, 16);
        memcpy(copy + 64 + 16, f->data + 64 + 16, 16); /* seal_section must stay inside */
        seal_section(copy, 0);
        seal(copy, f->bytes);
        (void)open_copy(copy, f->bytes, NULL); /* either is right */
    }
    free(copy);
}

static void schema_errors_name_the_line(void **state)
{
    (void)state;
    static const char schema[] = "ringkernel-schema 1\nmodule m \"\" \"\"\nfield u9 f\nabi 1\n";
    rk_section sections[] = {
        small_section(RK_SECTION_SCHEMA, 0, RK_SECTION_ALL_VARIANTS, schema, sizeof(schema) - 1),
        small_section(RK_SECTION_BUILD, 0, RK_SECTION_ALL_VARIANTS, "", 0),
    };
    unsigned char *data = NULL;
    size_t bytes = 0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_encode(sections, 2, &data, &bytes, &err), RK_OK);
    assert_int_equal(open_copy(data, bytes, &err), RK_SYNTAX);
    assert_non_null(strstr(err.text, "line 3"));
    free(data);
}

static void other_interface_is_refused(void **state)
{
    (void)state;
    static const char schema[] = "ringkernel-schema 1\nmodule m \"\" \"\"\nabi 2\n";
    rk_section sections[] = {
        small_section(RK_SECTION_SCHEMA, 0, RK_SECTION_ALL_VARIANTS, schema, sizeof(schema) - 1),
        small_section(RK_SECTION_BUILD, 0, RK_SECTION_ALL_VARIANTS, "", 0),
    };
    unsigned char *data = NULL;
    size_t bytes = 0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_encode(sections, 2, &data, &bytes, &err), RK_OK);
    assert_int_equal(open_copy(data, bytes, &err), RK_VERSION);
    assert_non_null(strstr(err.text, "interface 2"));
    free(data);
}

static void picks_code_for_the_processor(void **state)
{
    const fixture *f = *state;
    rk_bundle *b = NULL;
    const rk_section *found = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_open_memory(f->data, f->bytes, "small", &b, &err), RK_OK);
    unsetenv("RK_ISA");
#if defined(__x86_64__)
    const uint32_t ours = RK_ISA_X86_64_V1;
    const rk_isa foreign = RK_ISA_AARCH64;
    const char *foreign_name = "aarch64";
#elif defined(__aarch64__)
    const uint32_t ours = RK_ISA_AARCH64;
    const rk_isa foreign = RK_ISA_X86_64_V1;
    const char *foreign_name = "x86-64-v1";
#endif
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 0, RK_ISA_NONE, &found, &err), RK_OK);
    assert_int_equal(found->level, ours);
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 0, foreign, &found, &err),
                     RK_UNSUPPORTED);
    assert_non_null(strstr(err.text, "cannot run"));
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 0, RK_ISA_X86_64_V4, &found, &err),
                     RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "x86-64-v1, aarch64"));
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 1, RK_ISA_NONE, &found, &err),
                     RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "variant f64"));
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_FIBER, 0, RK_ISA_NONE, &found, &err),
                     RK_NOT_FOUND);

    setenv("RK_ISA", foreign_name, 1);
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 0, RK_ISA_NONE, &found, &err),
                     RK_UNSUPPORTED);
    setenv("RK_ISA", "v9", 1);
    assert_int_equal(rk_bundle_find_cpu(b, RK_SECTION_CPU, 0, RK_ISA_NONE, &found, &err),
                     RK_INVALID);
    assert_non_null(strstr(err.text, "RK_ISA"));
    unsetenv("RK_ISA");
    rk_bundle_close(b);
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(rk_isa_parse("v3"), RK_ISA_X86_64_V3);
    assert_int_equal(rk_isa_parse("x86-64-v4"), RK_ISA_X86_64_V4);
    assert_int_equal(rk_isa_parse("aarch64"), RK_ISA_AARCH64);
    assert_int_equal(rk_isa_parse(""), RK_ISA_NONE);
    assert_int_equal(rk_isa_parse("v"), RK_ISA_NONE);
    assert_string_equal(rk_isa_name(RK_ISA_X86_64_V2), "x86-64-v2");
    assert_string_equal(rk_isa_name(12345), "none");
    assert_false(rk_isa_supported(RK_ISA_NONE));
    rk_isa levels[RK_ISA_BUILD_MAX];
    assert_true(rk_isa_build_levels(levels) >= 1);
}

static void modules_are_counted_and_described(void **state)
{
    const fixture *f = *state;
    rk_module *module = NULL;
    rk_err err = RK_ERR_INIT;
    char *text = NULL;
    assert_int_equal(rk_module_open_memory(f->data, f->bytes, "small", &module, &err), RK_OK);
    assert_ptr_equal(rk_module_ref(module), module);
    rk_module_unref(module);
    assert_string_equal(rk_module_schema(module)->name, "small");
    assert_int_equal(rk_module_crc(module), rk_bytes_u32(f->data + 36));
    assert_int_equal(rk_module_describe(module, false, &text), RK_OK);
    static const char *const lines[] = {"module      small version 1: a test",
                                        "u32  n = 4",
                                        "real f[n] [Pa] (state)",
                                        "handlers    message",
                                        "cpu            x86-64-v1  f32",
                                        "ptx            compute_75 f64",
                                        "compiler none 1.0"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!strstr(text, lines[i])) {
            fail_msg("no '%s' in:\n%s", lines[i], text);
        }
    }
    free(text);
    assert_int_equal(rk_module_describe(module, true, &text), RK_OK);
    assert_non_null(strstr(text, "\"build\":{\"compiler\":\"none 1.0\",\"flags\":\"-O3\"}}"));
    assert_non_null(strstr(text, "\"fields\":[{\"name\":\"f\",\"type\":\"real\",\"shape\":\"n\","
                                 "\"units\":\"Pa\",\"flags\":[\"state\"],\"help\":\"\"}]"));
    free(text);
    rk_module_unref(module);
    rk_module_unref(NULL);
}

static void count_path(void *context, const char *path)
{
    unsigned *counts = context;
    counts[0]++;
    counts[1] += strstr(path, "/small.rkm") != NULL;
    counts[2] += strstr(path, "/first/small.rkm") != NULL;
}

static void built_ins_are_searched_in_order(void **state)
{
    const fixture *f = *state;
    char folder[] = "/tmp/rk-bundle-test-XXXXXX";
    char path[256];
    char paths[512];
    rk_err err = RK_ERR_INIT;
    rk_module *module = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/first", folder);
    assert_int_equal(rk_dir_make(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/first/small.rkm", folder);
    assert_int_equal(rk_file_replace(path, f->data, f->bytes, &err), RK_OK);
    snprintf(path, sizeof(path), "%s/small.rkm", folder);
    assert_int_equal(rk_file_replace(path, "junk", 4, &err), RK_OK);
    snprintf(paths, sizeof(paths), "/nowhere::%s/first:%s", folder, folder);
    setenv("RK_KERNEL_PATH", paths, 1);

    if (rk_module_open_builtin("small", &module, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    snprintf(path, sizeof(path), "%s/first/small.rkm", folder);
    assert_string_equal(rk_module_path(module), path);
    rk_module_unref(module);
    unsigned counts[3] = {0};
    assert_int_equal(rk_module_list_builtin(count_path, counts, &err), RK_OK);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 1);

    assert_int_equal(rk_module_open_builtin("absent", &module, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere"));
    assert_int_equal(rk_module_open_builtin("../small", &module, &err), RK_INVALID);
    setenv("RK_KERNEL_PATH", folder, 1);
    assert_int_equal(rk_module_open_builtin("small", &module, &err), RK_CORRUPT);
    assert_non_null(strstr(err.text, "no module bundle"));
    unsetenv("RK_KERNEL_PATH");

    (void)rk_file_unlink(path); /* leftovers in /tmp harm nothing */
    snprintf(path, sizeof(path), "%s/small.rkm", folder);
    (void)rk_file_unlink(path);
    snprintf(path, sizeof(path), "%s/first", folder);
    (void)rk_dir_remove(path);
    (void)rk_dir_remove(folder);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    rk_module *module = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_module_open_file("/nowhere/x.rkm", &module, &err), RK_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere/x.rkm"));
    assert_int_equal(rk_module_open_file("/tmp", &module, &err) == RK_OK, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_bytes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forged_numbers_are_refused, set_up, tear_down),
        cmocka_unit_test(same_target_twice_is_refused),
        cmocka_unit_test(foreign_code_is_refused),
        cmocka_unit_test(damaged_elf_is_safe),
        cmocka_unit_test_setup_teardown(sealed_damage_is_safe, set_up, tear_down),
        cmocka_unit_test(schema_errors_name_the_line),
        cmocka_unit_test(other_interface_is_refused),
        cmocka_unit_test_setup_teardown(picks_code_for_the_processor, set_up, tear_down),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test_setup_teardown(modules_are_counted_and_described, set_up, tear_down),
        cmocka_unit_test_setup_teardown(built_ins_are_searched_in_order, set_up, tear_down),
        cmocka_unit_test(missing_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
