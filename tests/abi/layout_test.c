/*
 * The offsets that the headers of include/ringkernel/abi write beside each field are those that the
 * compiler gives them, and no layout or field is missing from the table of lib/abi.
 */
#include "abi/layout.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER_BYTES 65536

static const rk_abi_layout *find_layout(const char *name)
{
    for (size_t i = 0; i < rk_abi_layout_count; i++) {
        if (strcmp(rk_abi_layouts[i].name, name) == 0) {
            return &rk_abi_layouts[i];
        }
    }
    return NULL;
}

static const rk_abi_field *find_field(const rk_abi_layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        if (strcmp(layout->fields[i].name, name) == 0) {
            return &layout->fields[i];
        }
    }
    return NULL;
}

/* Copies what group `index` of a match holds. */
static void group(const char *text, const regmatch_t *match, int index, char *out, size_t capacity)
{
    size_t length = (size_t)(match[index].rm_eo - match[index].rm_so);
    assert_true(length < capacity);
    memcpy(out, text + match[index].rm_so, length);
    out[length] = '\0';
}

/* The number that ends the comment which starts at text, or one of its lines; -1 for none. */
static bool comment_names(const char *text, size_t offset)
{
    const char *end = strstr(text, "*/");
    assert_non_null(end);
    for (const char *at = text; at < end;) {
        const char *line = strchr(at, '\n');
        const char *stop = line && line < end ? line : end;
        const char *digits = stop;
        while (digits > at && digits[-1] == ' ') {
            digits--;
        }
        const char *behind = digits;
        while (digits > at && digits[-1] >= '0' && digits[-1] <= '9') {
            digits--;
        }
        if (digits < behind && strtoul(digits, NULL, 10) == offset) {
            return true;
        }
        at = stop + 1;
    }
    return false;
}

/* Checks each field between body and end; returns how many carry an offset. */
static size_t check_fields(const rk_abi_layout *layout, const char *body, const char *end)
{
    regex_t field;
    assert_int_equal(regcomp(&field, "^ +[a-z0-9_]+ +([a-z0-9_]+)(\\[[^]]+\\])?; */\\*",
                             REG_EXTENDED | REG_NEWLINE),
                     0);
    size_t found = 0;
    regmatch_t match[3];
    while (regexec(&field, body, 3, match, 0) == 0 && body + match[0].rm_so < end) {
        char name[64];
        group(body, match, 1, name, sizeof name);
        const char *comment = body + match[0].rm_eo;
        body = comment;
        if (strncmp(name, "pad", 3) == 0) {
            continue;
        }
        const rk_abi_field *row = find_field(layout, name);
        if (row == NULL) {
            fail_msg("%s.%s has no row in lib/abi/layout.c", layout->name, name);
        }
        if (!comment_names(comment, row->offset)) {
            fail_msg("%s.%s lies at %zu; the header says otherwise", layout->name, name,
                     row->offset);
        }
        found++;
    }
    regfree(&field);
    return found;
}

static size_t check_header(const char *path)
{
    static char text[MAX_HEADER_BYTES];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_true(length < sizeof text - 1);
    text[length] = '\0';

    regex_t start;
    assert_int_equal(
        regcomp(&start, "^typedef struct (rk_[a-z0-9_]+) \\{", REG_EXTENDED | REG_NEWLINE), 0);
    size_t layouts = 0;
    regmatch_t match[2];
    const char *at = text;
    while (regexec(&start, at, 2, match, 0) == 0) {
        char name[64];
        group(at, match, 1, name, sizeof name);
        const char *body = at + match[0].rm_eo;
        const char *end = strstr(body, "\n}");
        assert_non_null(end);
        const rk_abi_layout *layout = find_layout(name);
        if (layout == NULL) {
            fail_msg("%s of %s has no row in lib/abi/layout.c", name, path);
        }
        size_t found = check_fields(layout, body, end);
        if (found != layout->field_count) {
            fail_msg("%s: %zu of %zu fields have their offset beside them", name, found,
                     layout->field_count);
        }
        layouts++;
        at = end;
    }
    regfree(&start);
    return layouts;
}

static void test_offsets_match_headers(void **state)
{
    (void)state;
    const char *root = getenv("RK_SOURCE_DIR");
    assert_non_null(root);
    char path[4096];
    snprintf(path, sizeof path, "%s/include/ringkernel/abi", root);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    size_t layouts = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length > 2 && strcmp(entry->d_name + length - 2, ".h") == 0) {
            snprintf(path, sizeof path, "%s/include/ringkernel/abi/%s", root, entry->d_name);
            layouts += check_header(path);
        }
    }
    closedir(folder);
    assert_int_equal(layouts, rk_abi_layout_count);
}

/* No two fields overlap, and none lies outside its type. */
static void test_fields_are_disjoint(void **state)
{
    (void)state;
    for (size_t i = 0; i < rk_abi_layout_count; i++) {
        const rk_abi_layout *layout = &rk_abi_layouts[i];
        size_t at = 0;
        for (size_t f = 0; f < layout->field_count; f++) {
            assert_true(layout->fields[f].offset >= at);
            at = layout->fields[f].offset + layout->fields[f].bytes;
        }
        assert_true(at <= layout->bytes);
    }
}

/* Sizes are part of the protocol. A change here is a new ABI version. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t bytes;
    } expected[] = {
        {"rk_hlc", 24},         {"rk_msg_header", 24},    {"rk_slot", 64},  {"rk_slab_ref", 24},
        {"rk_envelope", 192},   {"rk_bell", 8},           {"rk_ring", 512}, {"rk_slab_block", 8},
        {"rk_slab_class", 256}, {"rk_slab_header", 3200},
    };
    for (size_t i = 0; i < RK_COUNT_OF(expected); i++) {
        const rk_abi_layout *layout = find_layout(expected[i].name);
        assert_non_null(layout);
        assert_int_equal(layout->bytes, expected[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_match_headers),
        cmocka_unit_test(test_fields_are_disjoint),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
