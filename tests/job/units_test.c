/*
 * Numbers with units; strict YAML.
 */
#include "near.h"

#include "job/units.h"
#include "job/yaml.h"

#include <stdio.h>
#include <stdlib.h>

static void expect(const char *text, rk_dimension dimension, double value)
{
    double out = NAN;
    rk_err err = RK_ERR_INIT;
    if (rk_unit_parse(text, dimension, &out, &err) != RK_OK) {
        print_error("%s\n", err.text);
        fail();
    }
    assert_near(out, value, fabs(value) * 1e-14);
}

static void units_convert(void **state)
{
    (void)state;
    expect("5 cm", RK_UNIT_LENGTH, 0.05);
    expect("5cm", RK_UNIT_LENGTH, 0.05);
    expect("  -2.5e1 mm ", RK_UNIT_LENGTH, -0.025);
    expect("3", RK_UNIT_LENGTH, 3.0);
    expect("+.5", RK_UNIT_LENGTH, 0.5);
    expect("343 m/s", RK_UNIT_SPEED, 343.0);
    expect("1.2 kg/m3", RK_UNIT_DENSITY, 1.2);
    expect("1.2 kg/m^3", RK_UNIT_DENSITY, 1.2);
    expect("250 ms", RK_UNIT_TIME, 0.25);
    expect("44.1 kHz", RK_UNIT_FREQUENCY, 44100.0);
    expect("293.15 K", RK_UNIT_TEMPERATURE, 20.0);
    expect("20 \xc2\xb0"
           "C",
           RK_UNIT_TEMPERATURE, 20.0);
    expect("25 %", RK_UNIT_NONE, 0.25);
    expect("2 GiB", RK_UNIT_BYTES, 2147483648.0);
    /* 'e' without digits is not an exponent. */
    expect("3E0 m", RK_UNIT_LENGTH, 3.0);
}

static void refuse(const char *text, rk_dimension dimension, rk_status code, const char *part)
{
    double out = 7.0;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_unit_parse(text, dimension, &out, &err), code);
    assert_contains(err.text, part);
    assert_near(out, 7.0, 0.0);
}

static void wrong_units_are_named(void **state)
{
    (void)state;
    refuse("5 kg", RK_UNIT_LENGTH, RK_INVALID, "kg is a unit of mass");
    refuse("5 kg", RK_UNIT_LENGTH, RK_INVALID, "m, cm, mm");
    refuse("5 Hz", RK_UNIT_TIME, RK_INVALID, "frequency");
    refuse("5 cmm", RK_UNIT_LENGTH, RK_INVALID, "did you mean");
    refuse("5 khz", RK_UNIT_FREQUENCY, RK_INVALID, "'kHz'");
    refuse("5 m", RK_UNIT_NONE, RK_INVALID, "length");
    refuse("5 m 3", RK_UNIT_LENGTH, RK_INVALID, "no unit");
    refuse("", RK_UNIT_LENGTH, RK_SYNTAX, "not a number");
    refuse("nan", RK_UNIT_LENGTH, RK_SYNTAX, "not a number");
    refuse("inf", RK_UNIT_NONE, RK_SYNTAX, "not a number");
    refuse("0x10 m", RK_UNIT_LENGTH, RK_INVALID, "x10");
    refuse("m", RK_UNIT_LENGTH, RK_SYNTAX, "for example 1 m");
    refuse("1e999", RK_UNIT_NONE, RK_INVALID, "too large");
    refuse("-.e3", RK_UNIT_NONE, RK_SYNTAX, "not a number");
    refuse("1111111111111111111111111111111111111111111111111111111111111111111111", RK_UNIT_NONE,
           RK_SYNTAX, "digits");
}

static void every_dimension_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < RK_UNIT_DIMENSIONS; i++) {
        char units[96];
        rk_dimension_units((rk_dimension)i, units, sizeof(units));
        assert_true(units[0] != 0);
        assert_true(rk_dimension_name((rk_dimension)i)[0] != 0);
        if (i != RK_UNIT_NONE) {
            expect("1", (rk_dimension)i, 1.0);
        }
    }
}

static rk_status load(const char *text, rk_arena *arena, const rk_yaml_node **out, rk_err *err)
{
    rk_arena_init(arena, 0, 64u << 20);
    return rk_yaml_load(arena, text, strlen(text), "f.yaml", out, err);
}

static void trees_have_their_shape(void **state)
{
    (void)state;
    rk_arena arena;
    const rk_yaml_node *root = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(load("a: 1\nb: [x, 'y', &z {k: v}]\nc: *z\n", &arena, &root, &err), RK_OK);
    assert_int_equal(root->kind, RK_YAML_MAP);
    assert_int_equal(root->count, 3);
    assert_string_equal(root->keys[1]->text, "b");
    const rk_yaml_node *list = root->values[1];
    assert_int_equal(list->kind, RK_YAML_LIST);
    assert_int_equal(list->count, 3);
    assert_true(list->values[0]->plain);
    assert_false(list->values[1]->plain);
    assert_int_equal(list->values[1]->line, 2);
    assert_int_equal(list->values[1]->column, 8);
    assert_ptr_equal(list->values[2], root->values[2]);
    rk_arena_finish(&arena);
}

static void expect_failure(const char *text, rk_status code, const char *part)
{
    rk_arena arena;
    const rk_yaml_node *root = NULL;
    rk_err err = RK_ERR_INIT;
    rk_status status = load(text, &arena, &root, &err);
    if (status != code) {
        print_error("%s gives %d: %s\n", text, status, err.text);
    }
    assert_int_equal(status, code);
    assert_null(root);
    assert_contains(err.text, "f.yaml");
    assert_contains(err.text, part);
    rk_arena_finish(&arena);
}

static void bad_documents_are_refused(void **state)
{
    (void)state;
    expect_failure("", RK_SYNTAX, "empty");
    expect_failure("# nothing\n", RK_SYNTAX, "empty");
    expect_failure("a: 1\nb: 2\na: 3\n", RK_EXISTS,
                   "f.yaml:3:1: the key 'a' is here twice, first in line 1");
    expect_failure("a: [1, 2\n", RK_SYNTAX, "f.yaml:2:1");
    expect_failure("a: 1\n---\nb: 2\n", RK_UNSUPPORTED, "second document");
    expect_failure("a: !thing 1\n", RK_UNSUPPORTED, "tags");
    expect_failure("[a]: 1\n", RK_SYNTAX, "key");
    expect_failure("? {a: b}\n: 1\n", RK_SYNTAX, "key");
    expect_failure("a: *nothing\n", RK_SYNTAX, "'&nothing'");
    expect_failure("a: &x [*x]\n", RK_SYNTAX, "inside");
    expect_failure("a: \"\\0\"\n", RK_SYNTAX, "zero byte");
    expect_failure("a: \xff\n", RK_SYNTAX, "byte 3");
    expect_failure("\tb: 1\n", RK_SYNTAX, "f.yaml:1");
}

static void limits_hold(void **state)
{
    (void)state;
    char deep[128];
    memset(deep, '[', 60);
    memset(deep + 60, ']', 60);
    deep[120] = 0;
    expect_failure(deep, RK_LIMIT, "24 levels");
    /* Each line is ten times the one before. */
    char bomb[1024] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 10; i++) {
        char line[96];
        int p = i - 1;
        snprintf(line, sizeof(line),
                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, p, p, p,
                 p, p, p, p, p, p, p);
        strcat(bomb, line);
    }
    expect_failure(bomb, RK_LIMIT, "aliases count");
    char *keys = malloc(40000);
    assert_non_null(keys);
    size_t length = 0;
    for (int i = 0; i < 1100; i++) {
        length += (size_t)sprintf(keys + length, "k%d: 1\n", i);
    }
    expect_failure(keys, RK_LIMIT, "1024 keys");
    length = 0;
    for (int i = 0; i < 70; i++) {
        length += (size_t)sprintf(keys + length, "- &a%d 1\n", i);
    }
    expect_failure(keys, RK_LIMIT, "64 anchors");
    free(keys);
    size_t size = RK_YAML_BYTES_MAX + 10;
    char *large = malloc(size + 1);
    assert_non_null(large);
    memset(large, 'a', size);
    large[size] = 0;
    expect_failure(large, RK_LIMIT, "1 MiB");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_convert),
        cmocka_unit_test(wrong_units_are_named),
        cmocka_unit_test(every_dimension_has_a_name),
        cmocka_unit_test(trees_have_their_shape),
        cmocka_unit_test(bad_documents_are_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
