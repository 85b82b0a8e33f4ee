/*
 * schema_test.c: the schema parser against good and bad texts, shapes, the layout hash, parameter
 * values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/schema.h"
#include "support/random.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "ringkernel-schema 1\nmodule wave \"a wave\" \"2\"\n"
#define TAIL "shared 64\nabi 1\n"

static const char full_text[] =
    HEAD "criticality high\n"
         "param u32 nx \"16\" \"\" \"cells along x\"\n"
         "param i32 pad \"-2\" \"\" \"\"\n"
         "param real c \"343.5\" \"m/s\" \"speed of sound\"\n"
         "field real p \"nx * 2, nx+pad\" \"Pa\" \"state,double,output\" \"pressure\"\n"
         "field u8 kind \"(nx-1)/3+blocks\" \"\" \"input\" \"\"\n"
         "phase step\n"
         "phase edge\n"
         "feature probe \"extra output\"\n"
         "marker collide 0xcc3300\n"
         "marker quiet 255\n"
         "variant f64 \"exact\"\n"
         "variant f32 \"fast\"\n"
         "handler init\n"
         "handler after_step\n" TAIL;

static rk_schema *parse(const char *text)
{
    rk_schema *schema = NULL;
    rk_err err = RK_ERR_INIT;
    rk_status status = rk_schema_parse(text, strlen(text), &schema, &err);
    if (status != RK_OK) {
        fail_msg("%s", err.text);
    }
    return schema;
}

static void reads_everything(void **state)
{
    (void)state;
    rk_schema *s = parse(full_text);
    assert_string_equal(s->name, "wave");
    assert_string_equal(s->summary, "a wave");
    assert_string_equal(s->version, "2");
    assert_int_equal(s->criticality, RK_CRITICALITY_HIGH);
    assert_int_equal(s->param_count, 3);
    assert_string_equal(s->params[2].name, "c");
    assert_string_equal(s->params[2].default_text, "343.5");
    assert_string_equal(s->params[2].units, "m/s");
    assert_string_equal(s->params[2].help, "speed of sound");
    assert_int_equal(s->params[2].type, RK_TYPE_REAL);
    assert_int_equal(s->field_count, 2);
    assert_string_equal(s->fields[0].shape, "nx * 2, nx+pad");
    assert_int_equal(s->fields[0].flags, RK_FIELD_STATE | RK_FIELD_DOUBLE | RK_FIELD_OUTPUT);
    assert_int_equal(s->fields[1].flags, RK_FIELD_INPUT);
    assert_int_equal(s->phase_count, 2);
    assert_string_equal(s->phases[1].name, "edge");
    assert_int_equal(s->feature_count, 1);
    assert_int_equal(s->variant_count, 2);
    assert_int_equal(s->marker_count, 2);
    assert_string_equal(s->markers[0].name, "collide");
    assert_int_equal(s->markers[0].color, 0xcc3300);
    assert_int_equal(s->markers[1].color, 0x0000ff);
    assert_int_equal(s->handlers, RK_HANDLER_INIT | RK_HANDLER_AFTER_STEP);
    assert_int_equal(s->shared_bytes, 64);
    assert_int_equal(s->abi_version, 1);
    assert_int_equal(rk_schema_find_param(s, "pad"), 1);
    assert_int_equal(rk_schema_find_param(s, "p"), -1);
    assert_int_equal(rk_schema_find_field(s, "kind"), 1);
    assert_int_equal(rk_schema_find_feature(s, "probe"), 0);
    assert_int_equal(rk_schema_find_variant(s, "f32"), 1);
    assert_int_equal(rk_schema_type(s, 0, RK_TYPE_REAL), RK_TYPE_F64);
    assert_int_equal(rk_schema_type(s, 1, RK_TYPE_REAL), RK_TYPE_F32);
    assert_int_equal(rk_schema_type(s, 1, RK_TYPE_U8), RK_TYPE_U8);
    rk_schema_free(s);
}

static void without_variants_there_is_f32(void **state)
{
    (void)state;
    rk_schema *s = parse(HEAD "param real c \"1\" \"\" \"\"\n" TAIL);
    assert_int_equal(s->variant_count, 1);
    assert_string_equal(s->variants[0].name, "f32");
    assert_int_equal(rk_schema_type(s, 0, RK_TYPE_REAL), RK_TYPE_F32);
    assert_int_equal(s->criticality, RK_CRITICALITY_NORMAL);
    rk_schema_free(s);
}

static void refuses_bad_texts(void **state)
{
    (void)state;
    static const struct bad {
        const char *text;
        rk_status status;
        const char *says[3];
    } bad[] = {
        {"", RK_SYNTAX, {"empty"}},
        {"hello\n", RK_SYNTAX, {"line 1", "no schema"}},
        {"ringkernel-schema 2\n", RK_VERSION, {"line 1", "another version"}},
        {"ringkernel-schema 1\n", RK_SYNTAX, {"no 'module' line"}},
        {HEAD, RK_SYNTAX, {"module wave", "no 'abi' line"}},
        {HEAD "\n" TAIL, RK_SYNTAX, {"line 3", "unknown item ''"}},
        {HEAD "marker\n" TAIL, RK_SYNTAX, {"line 3", "name of the marker is missing"}},
        {HEAD "marker a red\n" TAIL, RK_SYNTAX, {"line 3", "colour", "'red'"}},
        {HEAD "marker a 0x1000000\n" TAIL, RK_LIMIT, {"line 3", "16777215"}},
        {HEAD "marker a 1 2\n" TAIL, RK_SYNTAX, {"too much"}},
        {HEAD "marker a 1\nmarker a 2\n" TAIL, RK_SYNTAX, {"line 4", "twice"}},
        {HEAD "fild u32 a \"1\" \"\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"line 3", "did you mean 'field'"}},
        {HEAD "param int a \"1\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"line 3", "unknown type 'int'", "u32"}},
        {HEAD "param u32\n" TAIL, RK_SYNTAX, {"line 3", "name of the parameter is missing"}},
        {HEAD "param u32 9a \"1\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"'9a' cannot name a parameter"}},
        {HEAD "param u32 a 1 \"\" \"\"\n" TAIL, RK_SYNTAX, {"default value", "double quotes"}},
        {HEAD "param u32 a \"1\" \"\"\n" TAIL, RK_SYNTAX, {"help text", "double quotes"}},
        {HEAD "param u32 a \"1\" \"\" \"x\n" TAIL, RK_SYNTAX, {"no closing quote"}},
        {HEAD "param u32 a \"1\" \"\" \"\\n\"\n" TAIL, RK_SYNTAX, {"backslash"}},
        {HEAD "param u32 a \"1\"\"\" \"\"\n" TAIL, RK_SYNTAX, {"a blank is missing"}},
        {HEAD "param u32 a \"1\" \"\" \"\" more\n" TAIL, RK_SYNTAX, {"'more' is too much"}},
        {HEAD "param u32 a \"-1\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"line 3", "default of parameter 'a'"}},
        {HEAD "param u8 a \"256\" \"\" \"\"\n" TAIL, RK_LIMIT, {"'256'", "u8", "255"}},
        {HEAD "param real a \"1e300\" \"\" \"\"\n" TAIL, RK_LIMIT, {"f32"}},
        {HEAD "param u32 a \"1\" \"\" \"\"\nparam u32 a \"1\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"line 4", "'a' is declared twice"}},
        {HEAD "param u32 blocks \"1\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"'blocks'"}},
        {HEAD "field u32 f \"1\" \"\" \"\" \"\"\nfield u32 f \"1\" \"\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"line 4", "field 'f' is declared twice"}},
        {HEAD "field u32 f \"1\" \"\" \"stat\" \"\"\n" TAIL, RK_SYNTAX, {"did you mean 'state'"}},
        {HEAD "field u32 f \"1\" \"\" \"input,input\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"'input' is there twice"}},
        {HEAD "field u32 f \"1\" \"\" \"input,\" \"\"\n" TAIL, RK_SYNTAX, {"comma"}},
        {HEAD "field u32 f \"1\" \"\" \"state,scratch\" \"\"\n" TAIL, RK_SYNTAX, {"either state"}},
        {HEAD "field u32 f \"\" \"\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"field 'f'", "missing"}},
        {HEAD "field u32 f \"n\" \"\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"'n' is neither a parameter"}},
        {HEAD "field u32 f \"2,(3\" \"\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"dimension 2", "parenthesis"}},
        {HEAD "field u32 f \"2 3\" \"\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"operator or a comma"}},
        {HEAD "field u32 f \"2%3\" \"\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"operator or a comma"}},
        {HEAD "field u32 f \"*3\" \"\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"'*' is not possible"}},
        {HEAD "field u32 f \"1,2,\" \"\" \"\" \"\"\n" TAIL, RK_SYNTAX, {"dimension 3", "missing"}},
        {HEAD "field u32 f \"1,1,1,1,1,1,1,1,1\" \"\" \"\" \"\"\n" TAIL, RK_LIMIT, {"at most 8"}},
        {HEAD "field u32 f \"((((((((((((((((((1))))))))))))))))))\" \"\" \"\" \"\"\n" TAIL,
         RK_LIMIT,
         {"nested"}},
        {HEAD "field u32 f \"9223372036854775808\" \"\" \"\" \"\"\n" TAIL, RK_LIMIT, {"64 bits"}},
        {HEAD "param f32 x \"1\" \"\" \"\"\nfield u32 f \"x\" \"\" \"\" \"\"\n" TAIL,
         RK_SYNTAX,
         {"line 4", "'x' is no integer"}},
        {HEAD "phase a\nphase a\n" TAIL, RK_SYNTAX, {"phase 'a' is declared twice"}},
        {HEAD "variant f16 \"\"\n" TAIL, RK_SYNTAX, {"f32 or f64"}},
        {HEAD "variant f32 \"\"\nvariant f32 \"\"\n" TAIL, RK_SYNTAX, {"declared twice"}},
        {HEAD "handler panic\n" TAIL, RK_SYNTAX, {"unknown handler 'panic'"}},
        {HEAD "handler init\nhandler init\n" TAIL, RK_SYNTAX, {"declared twice"}},
        {HEAD "criticality vital\n" TAIL, RK_SYNTAX, {"unknown criticality 'vital'", "critical"}},
        {HEAD "criticality low\ncriticality low\n" TAIL, RK_SYNTAX, {"more than one"}},
        {HEAD "module again \"\" \"\"\n" TAIL, RK_SYNTAX, {"more than one 'module'"}},
        {HEAD TAIL "abi 1\n", RK_SYNTAX, {"more than one 'abi'"}},
        {HEAD "shared lots\nabi 1\n", RK_SYNTAX, {"whole number", "'lots'"}},
        {HEAD "shared 1000000\nabi 1\n", RK_LIMIT, {"shared memory", "49152"}},
        {HEAD "phase a\tb\n" TAIL, RK_SYNTAX, {"line 3", "control character 0x09"}},
        {"ringkernel-schema 1\nmodule w \"\xff\" \"1\"\n" TAIL, RK_SYNTAX, {"UTF-8"}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rk_schema *schema = NULL;
        rk_err err = RK_ERR_INIT;
        rk_status status = rk_schema_parse(bad[i].text, strlen(bad[i].text), &schema, &err);
        if (status != bad[i].status) {
            fail_msg("%s: status %d, text '%s'", bad[i].text, status, err.text);
        }
        assert_null(schema);
        assert_int_equal(err.code, status);
        for (size_t j = 0; j < 3 && bad[i].says[j]; j++) {
            if (!strstr(err.text, bad[i].says[j])) {
                fail_msg("'%s' does not say '%s'", err.text, bad[i].says[j]);
            }
        }
    }
}

static void refuses_nul_bytes(void **state)
{
    (void)state;
    static const char text[] = HEAD "phase a\0b\n" TAIL;
    rk_schema *schema = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_schema_parse(text, sizeof(text) - 1, &schema, &err), RK_SYNTAX);
    assert_non_null(strstr(err.text, "0x00"));
}

/* One line more than the limit of each kind. */
static void limits_counts(void **state)
{
    (void)state;
    static const struct kind {
        const char *before;
        const char *behind;
        uint32_t most;
    } kinds[] = {
        {"param u32", "\"1\" \"\" \"\"", RK_PARAM_MAX},
        {"field u32", "\"1\" \"\" \"\" \"\"", RK_FIELD_MAX},
        {"phase", "", RK_SCHEMA_PHASE_MAX},
        {"feature", "\"\"", RK_SCHEMA_FEATURE_MAX},
    };
    char *text = malloc(RK_SCHEMA_TEXT_MAX);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint32_t extra = 0; extra < 2; extra++) {
            size_t used = (size_t)snprintf(text, RK_SCHEMA_TEXT_MAX, "%s", HEAD TAIL);
            for (uint32_t n = 0; n < kinds[i].most + extra; n++) {
                used += (size_t)snprintf(text + used, RK_SCHEMA_TEXT_MAX - used, "%s n%u %s\n",
                                         kinds[i].before, n, kinds[i].behind);
            }
            rk_schema *schema = NULL;
            rk_err err = RK_ERR_INIT;
            assert_int_equal(rk_schema_parse(text, used, &schema, &err), extra ? RK_LIMIT : RK_OK);
            rk_schema_free(extra ? NULL : schema);
        }
    }
    rk_schema *none = NULL;
    assert_int_equal(rk_schema_parse(text, RK_SCHEMA_TEXT_MAX + 1, &none, NULL), RK_LIMIT);
    free(text);
}

static void every_prefix_is_safe(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(full_text); length++) {
        char *exact = malloc(length ? length : 1); /* for the address sanitizer */
        memcpy(exact, full_text, length);
        rk_schema *schema = NULL;
        if (rk_schema_parse(exact, length, &schema, NULL) == RK_OK) {
            rk_schema_free(schema);
        }
        free(exact);
    }
}

static void evaluates_shapes(void **state)
{
    (void)state;
    rk_schema *s = parse(full_text);
    uint64_t params[3];
    rk_shape shape;
    rk_err err = RK_ERR_INIT;
    rk_schema_defaults(s, 0, params);
    assert_int_equal(rk_schema_shape(s, 0, params, 4, &shape, &err), RK_OK);
    assert_int_equal(shape.dimension_count, 2);
    assert_int_equal(shape.dimensions[0], 32);
    assert_int_equal(shape.dimensions[1], 14);
    assert_int_equal(shape.elements, 32 * 14);
    assert_int_equal(rk_schema_shape(s, 1, params, 4, &shape, &err), RK_OK);
    assert_int_equal(shape.elements, 15 / 3 + 4);

    assert_int_equal(rk_param_parse(RK_TYPE_U32, "2", &params[0], &err), RK_OK);
    assert_int_equal(rk_schema_shape(s, 0, params, 4, &shape, &err), RK_OK);
    assert_int_equal(shape.elements, 0);
    assert_int_equal(rk_param_parse(RK_TYPE_U32, "1", &params[0], &err), RK_OK);
    assert_int_equal(rk_schema_shape(s, 0, params, 4, &shape, &err), RK_INVALID);
    assert_non_null(strstr(err.text, "field 'p'"));
    assert_non_null(strstr(err.text, "dimension 2"));
    assert_non_null(strstr(err.text, "nx = 1, pad = -2"));
    assert_non_null(strstr(err.text, "would be -1"));
    rk_schema_free(s);
}

static void shapes_do_not_overflow(void **state)
{
    (void)state;
    static const struct row {
        const char *shape;
        const char *n;
        rk_status status;
    } rows[] = {
        {"n*n", "4294967296", RK_LIMIT},
        {"n*n*n", "3000000000", RK_LIMIT},
        {"n+n", "9223372036854775807", RK_LIMIT},
        {"n", "18446744073709551615", RK_LIMIT},
        {"n,n,n", "4294967296", RK_LIMIT},
        {"1/(n-1)", "1", RK_INVALID},
        {"n,n", "4294967295", RK_OK},
        {"7/2*2", "1", RK_OK},
        {"0-n+9", "3", RK_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "%sparam u64 n \"1\" \"\" \"\"\nfield u8 f \"%s\" \"\" \"\" \"\"\n%s", HEAD,
                 rows[i].shape, TAIL);
        rk_schema *s = parse(text);
        uint64_t params[1];
        rk_shape shape;
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_param_parse(RK_TYPE_U64, rows[i].n, &params[0], &err), RK_OK);
        rk_status status = rk_schema_shape(s, 0, params, 1, &shape, &err);
        if (status != rows[i].status) {
            fail_msg("%s with n = %s: %d %s", rows[i].shape, rows[i].n, status, err.text);
        }
        if (i >= 7) {
            assert_int_equal(shape.elements, 6);
        }
        rk_schema_free(s);
    }
}

static uint64_t hash_of(const char *text, uint32_t variant)
{
    rk_schema *s = parse(text);
    uint64_t hash = rk_schema_hash(s, variant);
    rk_schema_free(s);
    return hash;
}

static void hash_tells_layouts_apart(void **state)
{
    (void)state;
#define ONE(type, name, shape, flags, help)                                                        \
    HEAD "param u32 n \"1\" \"\" \"\"\nfield " type " " name " \"" shape "\" \"\" \"" flags        \
         "\" \"" help "\"\n" TAIL
    uint64_t base = hash_of(ONE("u32", "f", "n+1", "state", ""), 0);
    assert_true(base == hash_of(ONE("u32", "f", " n + 1", "state", "other help"), 0));
    const char *const others[] = {
        ONE("i32", "f", "n+1", "state", ""),
        ONE("u32", "g", "n+1", "state", ""),
        ONE("u32", "f", "n+2", "state", ""),
        ONE("u32", "f", "n+1", "scratch", ""),
        HEAD "param u64 n \"1\" \"\" \"\"\nfield u32 f \"n+1\" \"\" \"state\" \"\"\n" TAIL,
        HEAD "param u32 n \"1\" \"\" \"\"\n" TAIL,
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(base == hash_of(others[i], 0));
    }
    assert_false(hash_of(full_text, 0) == hash_of(full_text, 1));
}

static void compares_schemas(void **state)
{
    (void)state;
#define VERSION_OF(name, fields) "ringkernel-schema 1\nmodule " name " \"\" \"1\"\n" fields TAIL
#define CELLS(type, shape, flags) "field " type " cells \"" shape "\" \"\" \"" flags "\" \"\"\n"
    static const char base[] = VERSION_OF("heat", CELLS("f32", "8,8", "state"));
    static const struct row {
        const char *text;
        rk_schema_match match;
        const char *says;
    } rows[] = {
        {VERSION_OF("heat", CELLS("f32", "8, 8", "state")), RK_SCHEMA_SAME, "same layout"},
        {VERSION_OF("other", CELLS("f32", "8,8", "state")), RK_SCHEMA_SAME, "same layout"},
        {VERSION_OF("heat", CELLS("f64", "9,9", "state")), RK_SCHEMA_BY_NAME, "by name"},
        {VERSION_OF("heat", "field u8 more \"1\" \"\" \"state\" \"\"\n"), RK_SCHEMA_BY_NAME,
         "cells"},
        {VERSION_OF("heat", CELLS("f32", "(8),64/(4+4),1", "state")), RK_SCHEMA_INCOMPATIBLE,
         "3 dimensions"},
        {VERSION_OF("heat", CELLS("f32", "64", "scratch")), RK_SCHEMA_BY_NAME, "by name"},
        {VERSION_OF("other", CELLS("f64", "8,8", "state")), RK_SCHEMA_INCOMPATIBLE, "'other'"},
        {VERSION_OF("other", CELLS("f64", "8", "state") "handler migrate\n"), RK_SCHEMA_BY_HANDLER,
         "migrate handler"},
    };
    rk_schema *from = parse(base);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rk_schema *to = parse(rows[i].text);
        rk_err reason = RK_ERR_INIT;
        rk_schema_match match = rk_schema_compare(from, 0, to, 0, &reason);
        if (match != rows[i].match || !strstr(reason.text, rows[i].says)) {
            fail_msg("row %zu: %d '%s'", i, (int)match, reason.text);
        }
        assert_int_equal(reason.code, match == RK_SCHEMA_INCOMPATIBLE ? RK_INVALID : RK_OK);
        assert_int_equal(rk_schema_compare(from, 0, to, 0, NULL), match);
        rk_schema_free(to);
    }
    rk_schema_free(from);
}

static void parses_values(void **state)
{
    (void)state;
    uint64_t slot = 0;
    uint8_t u8;
    int16_t i16;
    float f32;
    double f64;
    assert_int_equal(rk_param_parse(RK_TYPE_U8, "0xff", &slot, NULL), RK_OK);
    memcpy(&u8, &slot, sizeof(u8));
    assert_int_equal(u8, 255);
    assert_int_equal(rk_param_parse(RK_TYPE_I16, "-32768", &slot, NULL), RK_OK);
    memcpy(&i16, &slot, sizeof(i16));
    assert_int_equal(i16, -32768);
    assert_int_equal(rk_param_parse(RK_TYPE_F32, "0.1", &slot, NULL), RK_OK);
    memcpy(&f32, &slot, sizeof(f32));
    assert_true(f32 == 0.1f);
    assert_int_equal(rk_param_parse(RK_TYPE_F64, "-1e-300", &slot, NULL), RK_OK);
    memcpy(&f64, &slot, sizeof(f64));
    assert_true(f64 == -1e-300);
    assert_int_equal(rk_param_parse(RK_TYPE_U16, "65536", &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_parse(RK_TYPE_I8, "-129", &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_parse(RK_TYPE_U64, "18446744073709551616", &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_parse(RK_TYPE_F32, "1e39", &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_parse(RK_TYPE_I32, "1.5", &slot, NULL), RK_SYNTAX);
    assert_int_equal(rk_param_parse(RK_TYPE_REAL, "1", &slot, NULL), RK_INVALID);
    assert_int_equal(rk_param_parse(99, "1", &slot, NULL), RK_INVALID);
}

static void values_survive_text(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (uint32_t type = RK_TYPE_U8; type <= RK_TYPE_F64; type++) {
        for (int i = 0; i < 2000; i++) {
            uint64_t slot = rk_test_random(&random);
            uint64_t back = 0;
            char text[RK_PARAM_TEXT_BYTES];
            uint32_t bytes = rk_type_bytes(type);
            uint64_t kept = 0;
            memcpy(&kept, &slot, bytes);
            if (!isfinite(rk_param_number(type, kept))) {
                continue;
            }
            rk_param_format(type, kept, text);
            assert_int_equal(rk_param_parse(type, text, &back, NULL), RK_OK);
            assert_memory_equal(&back, &kept, sizeof(back));
        }
    }
    char text[RK_PARAM_TEXT_BYTES];
    uint64_t slot = 0;
    assert_int_equal(rk_param_parse(RK_TYPE_F32, "0.1", &slot, NULL), RK_OK);
    rk_param_format(RK_TYPE_F32, slot, text);
    assert_string_equal(text, "0.1");
}

static void takes_numbers(void **state)
{
    (void)state;
    uint64_t slot = 0;
    assert_int_equal(rk_param_from_number(RK_TYPE_U32, 4294967295.0, &slot, NULL), RK_OK);
    assert_true(rk_param_number(RK_TYPE_U32, slot) == 4294967295.0);
    assert_int_equal(rk_param_from_number(RK_TYPE_U32, 4294967296.0, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_U32, -1.0, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_I8, -128.0, &slot, NULL), RK_OK);
    assert_true(rk_param_number(RK_TYPE_I8, slot) == -128.0);
    assert_int_equal(rk_param_from_number(RK_TYPE_I8, 0.5, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_I64, (double)NAN, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_U64, (double)INFINITY, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_F64, (double)INFINITY, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_U64, 1e300, &slot, NULL), RK_LIMIT);
    assert_int_equal(rk_param_from_number(RK_TYPE_I64, -9223372036854775808.0, &slot, NULL), RK_OK);
    assert_int_equal(rk_param_from_number(RK_TYPE_F32, 0.25, &slot, NULL), RK_OK);
    assert_true(rk_param_number(RK_TYPE_F32, slot) == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(without_variants_there_is_f32),
        cmocka_unit_test(refuses_bad_texts),
        cmocka_unit_test(refuses_nul_bytes),
        cmocka_unit_test(limits_counts),
        cmocka_unit_test(every_prefix_is_safe),
        cmocka_unit_test(evaluates_shapes),
        cmocka_unit_test(shapes_do_not_overflow),
        cmocka_unit_test(hash_tells_layouts_apart),
        cmocka_unit_test(compares_schemas),
        cmocka_unit_test(parses_values),
        cmocka_unit_test(values_survive_text),
        cmocka_unit_test(takes_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
