/*
 * schema_shape.c: the expressions of field shapes.
 *
 *   shape  = sum { "," sum }
 *   sum    = product { ("+" | "-") product }
 *   product = factor { ("*" | "/") factor }
 *   factor = number | parameter | "blocks" | "(" sum ")"
 *
 * One recursive walk serves for checking (no values) and evaluating. Depth is bounded by the limit
 * on parentheses, length by RK_SCHEMA_STRING_MAX.
 */
#include "core/schema.h"

#include <string.h>

#define DEPTH_MAX 16u
#define USED_MAX 4u /* parameters whose values a message shows */

typedef struct walk {
    const rk_schema *schema;
    const rk_schema_field *field;
    const uint64_t *params; /* NULL: only check */
    rk_err *err;
    const char *at;
    int64_t blocks;
    uint32_t depth;
    uint32_t dimension; /* counted from 1 */
    int used[USED_MAX]; /* parameters of this dimension; -1: none */
} walk;

static rk_status refuse(walk *w, rk_status code, const char *cause, ...) RK_PRINTF(3, 4);

/* One sentence with field, shape, dimension, cause and the values of the parameters involved. */
static rk_status refuse(walk *w, rk_status code, const char *cause, ...)
{
    char text[200];
    rk_err inner = RK_ERR_INIT;
    va_list args;
    va_start(args, cause);
    (void)rk_err_setv(&inner, code, cause, args); /* the code is returned below */
    va_end(args);
    size_t length = 0;
    text[0] = '\0';
    for (uint32_t i = 0; w->params && i < USED_MAX && w->used[i] >= 0; i++) {
        char value[RK_PARAM_TEXT_BYTES];
        const rk_schema_param *param = &w->schema->params[w->used[i]];
        rk_param_format(param->type, w->params[w->used[i]], value);
        if (length + strlen(param->name) + strlen(value) + 8 < sizeof(text)) {
            rk_err item = RK_ERR_INIT;
            (void)rk_err_set(&item, code, "%s%s = %s", length ? ", " : " with ", param->name,
                             value);
            memcpy(text + length, item.text, strlen(item.text) + 1);
            length += strlen(item.text);
        }
    }
    return rk_err_set(w->err, code, "field '%s', shape \"%.100s\", dimension %u%s: %s",
                      w->field->name, w->field->shape, w->dimension, text, inner.text);
}

static rk_status too_large(walk *w)
{
    return refuse(w, RK_LIMIT, "the value does not fit 64 bits; use smaller parameters");
}

static void skip_blanks(walk *w)
{
    while (*w->at == ' ') {
        w->at++;
    }
}

static bool starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void note_used(walk *w, int index)
{
    for (uint32_t i = 0; i < USED_MAX; i++) {
        if (w->used[i] == index) {
            return;
        }
        if (w->used[i] < 0) {
            w->used[i] = index;
            return;
        }
    }
}

static rk_status parameter_value(walk *w, int index, int64_t *out_value)
{
    uint32_t type = w->schema->params[index].type;
    uint64_t slot = w->params[index];
    if (type == RK_TYPE_U64) {
        if (slot > (uint64_t)INT64_MAX) {
            return too_large(w);
        }
        *out_value = (int64_t)slot;
    } else if (type == RK_TYPE_I64) {
        memcpy(out_value, &slot, sizeof(slot));
    } else {
        *out_value = (int64_t)rk_param_number(type, slot); /* at most 32 bits: exact */
    }
    return RK_OK;
}

static rk_status take_name(walk *w, int64_t *out_value)
{
    char name[RK_SCHEMA_NAME_MAX + 1];
    size_t length = 0;
    while (starts_name(w->at[length]) || is_digit(w->at[length])) {
        length++;
    }
    if (length > RK_SCHEMA_NAME_MAX) {
        return refuse(w, RK_SYNTAX, "a name is longer than %u bytes", RK_SCHEMA_NAME_MAX);
    }
    memcpy(name, w->at, length);
    name[length] = '\0';
    w->at += length;
    if (strcmp(name, "blocks") == 0) {
        *out_value = w->blocks;
        return RK_OK;
    }
    int index = rk_schema_find_param(w->schema, name);
    if (index < 0) {
        return refuse(w, RK_SYNTAX, "'%s' is neither a parameter nor 'blocks'; declare it", name);
    }
    if (w->schema->params[index].type >= RK_TYPE_F32) {
        return refuse(w, RK_SYNTAX, "parameter '%s' is no integer; give it an integer type", name);
    }
    note_used(w, index);
    if (!w->params) {
        *out_value = 1;
        return RK_OK;
    }
    return parameter_value(w, index, out_value);
}

static rk_status take_sum(walk *w, int64_t *out_value);

static rk_status take_factor(walk *w, int64_t *out_value)
{
    skip_blanks(w);
    if (*w->at == '(') {
        if (w->depth == DEPTH_MAX) {
            return refuse(w, RK_LIMIT, "parentheses are nested more than %u deep", DEPTH_MAX);
        }
        w->at++;
        w->depth++;
        rk_status status = take_sum(w, out_value);
        w->depth--;
        if (status != RK_OK) {
            return status;
        }
        if (*w->at != ')') {
            return refuse(w, RK_SYNTAX, "a closing parenthesis is missing");
        }
        w->at++;
        skip_blanks(w);
        return RK_OK;
    }
    rk_status status = RK_OK;
    if (is_digit(*w->at)) {
        int64_t value = 0;
        for (; is_digit(*w->at); w->at++) {
            if (!rk_i64_mul(value, 10, &value) || !rk_i64_add(value, *w->at - '0', &value)) {
                return too_large(w);
            }
        }
        *out_value = value;
    } else if (starts_name(*w->at)) {
        status = take_name(w, out_value);
    } else if (*w->at == '\0' || *w->at == ',') {
        return refuse(w, RK_SYNTAX, "a number or a parameter is missing");
    } else {
        /* A whole character: the text is UTF-8, and a message must stay so. */
        int length = 1;
        while (((unsigned char)w->at[length] & 0xc0u) == 0x80u) {
            length++;
        }
        return refuse(w, RK_SYNTAX,
                      "'%.*s' is not possible here; a shape is made of whole numbers, integer "
                      "parameters, 'blocks', + - * / and parentheses",
                      length, w->at);
    }
    skip_blanks(w);
    return status;
}

static rk_status take_product(walk *w, int64_t *out_value)
{
    int64_t value = 0;
    rk_status status = take_factor(w, &value);
    while (status == RK_OK && (*w->at == '*' || *w->at == '/')) {
        char op = *w->at++;
        int64_t right = 0;
        status = take_factor(w, &right);
        if (status != RK_OK) {
            break;
        }
        if (op == '*') {
            status = rk_i64_mul(value, right, &value) ? RK_OK : too_large(w);
        } else if (!w->params) {
            value = 1; /* only checking: what is divided by is not known yet */
        } else if (right == 0) {
            status = refuse(w, RK_INVALID, "division by zero; choose other parameters");
        } else if (value == INT64_MIN && right == -1) {
            status = too_large(w);
        } else {
            value /= right;
        }
    }
    *out_value = value;
    return status;
}

static rk_status take_sum(walk *w, int64_t *out_value)
{
    int64_t value = 0;
    rk_status status = take_product(w, &value);
    while (status == RK_OK && (*w->at == '+' || *w->at == '-')) {
        char op = *w->at++;
        int64_t right = 0;
        status = take_product(w, &right);
        if (status == RK_OK) {
            bool fits =
                op == '+' ? rk_i64_add(value, right, &value) : rk_i64_sub(value, right, &value);
            status = fits ? RK_OK : too_large(w);
        }
    }
    *out_value = value;
    return status;
}

static rk_status walk_shape(walk *w, rk_shape *out_shape)
{
    rk_shape shape = {.elements = 1};
    for (;;) {
        if (shape.dimension_count == RK_SCHEMA_DIMENSION_MAX) {
            return refuse(w, RK_LIMIT, "a field has at most %u dimensions",
                          RK_SCHEMA_DIMENSION_MAX);
        }
        w->dimension = shape.dimension_count + 1;
        for (uint32_t i = 0; i < USED_MAX; i++) {
            w->used[i] = -1;
        }
        int64_t value = 0;
        rk_status status = take_sum(w, &value);
        if (status != RK_OK) {
            return status;
        }
        if (w->params && value < 0) {
            return refuse(w, RK_INVALID,
                          "the dimension would be %lld; it must not be negative, choose other "
                          "parameters",
                          (long long)value);
        }
        if (w->params && !rk_size_mul(shape.elements, (uint64_t)value, &shape.elements)) {
            return refuse(w, RK_LIMIT, "more than 2^64 elements; use smaller parameters");
        }
        shape.dimensions[shape.dimension_count++] = (uint64_t)value;
        if (*w->at == '\0') {
            break;
        }
        if (*w->at != ',') {
            return refuse(w, RK_SYNTAX, "an operator or a comma is missing before \"%.40s\"",
                          w->at);
        }
        w->at++;
    }
    *out_shape = shape;
    return RK_OK;
}

rk_status rk_schema_check_shape(const rk_schema *schema, uint32_t field, rk_err *err)
{
    const rk_schema_field *f = &schema->fields[field];
    walk w = {.schema = schema, .field = f, .err = err, .at = f->shape, .blocks = 1};
    rk_shape shape;
    return walk_shape(&w, &shape);
}

rk_status rk_schema_shape(const rk_schema *schema, uint32_t field, const uint64_t *params,
                          uint32_t blocks, rk_shape *out_shape, rk_err *err)
{
    static const uint64_t no_params[1] = {0};
    const rk_schema_field *f = &schema->fields[field];
    walk w = {.schema = schema,
              .field = f,
              .params = params ? params : no_params, /* a schema may have none */
              .err = err,
              .at = f->shape,
              .blocks = (int64_t)blocks};
    return walk_shape(&w, out_shape);
}
