/*
 * schema_query.c: what can be asked about a schema: names, types, the layout hash, parameter
 * values.
 */
#include "core/schema.h"

#include "base/value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rk_schema_is_name(const char *text)
{
    size_t length = 0;
    for (; text[length] != '\0'; length++) {
        char c = text[length];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(digit && length > 0)) {
            return false;
        }
    }
    return length > 0 && length <= RK_SCHEMA_NAME_MAX;
}

int rk_schema_find_param(const rk_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->param_count; i++) {
        if (strcmp(schema->params[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int rk_schema_find_field(const rk_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int find_item(const rk_schema_item *items, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(items[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int rk_schema_find_feature(const rk_schema *schema, const char *name)
{
    return find_item(schema->features, schema->feature_count, name);
}

int rk_schema_find_variant(const rk_schema *schema, const char *name)
{
    return find_item(schema->variants, schema->variant_count, name);
}

uint32_t rk_schema_type(const rk_schema *schema, uint32_t variant, uint32_t type)
{
    if (type != RK_TYPE_REAL) {
        return type;
    }
    bool wide =
        variant < schema->variant_count && strcmp(schema->variants[variant].name, "f64") == 0;
    return wide ? RK_TYPE_F64 : RK_TYPE_F32;
}

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

/* With its NUL, so that "ab" "c" and "a" "bc" differ. Blanks do not count. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text != ' ') {
            hash = hash_bytes(hash, text, 1);
        }
    }
    return hash_bytes(hash, "", 1);
}

static uint64_t hash_number(uint64_t hash, uint32_t number)
{
    unsigned char bytes[4] = {(unsigned char)number, (unsigned char)(number >> 8),
                              (unsigned char)(number >> 16), (unsigned char)(number >> 24)};
    return hash_bytes(hash, bytes, sizeof(bytes));
}

uint64_t rk_schema_hash(const rk_schema *schema, uint32_t variant)
{
    uint64_t hash = hash_number(0xcbf29ce484222325u, schema->abi_version);
    hash = hash_number(hash, schema->param_count);
    for (uint32_t i = 0; i < schema->param_count; i++) {
        hash = hash_text(hash, schema->params[i].name);
        hash = hash_number(hash, rk_schema_type(schema, variant, schema->params[i].type));
    }
    hash = hash_number(hash, schema->field_count);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const rk_schema_field *field = &schema->fields[i];
        hash = hash_text(hash, field->name);
        hash = hash_number(hash, rk_schema_type(schema, variant, field->type));
        hash = hash_text(hash, field->shape);
        hash = hash_number(hash, field->flags);
    }
    return hash;
}

const char *rk_type_name(uint32_t type)
{
#define TYPE_NAME(symbol, value, name, bytes) name,
    static const char *const names[] = {RK_TYPE_LIST(TYPE_NAME)};
#undef TYPE_NAME
    return type < RK_TYPE_COUNT ? names[type] : "?";
}

uint32_t rk_type_bytes(uint32_t type)
{
#define TYPE_BYTES(symbol, value, name, bytes) bytes,
    static const uint32_t sizes[] = {RK_TYPE_LIST(TYPE_BYTES)};
#undef TYPE_BYTES
    return type < RK_TYPE_COUNT ? sizes[type] : 0;
}

#define ITEM_NAME(symbol, value, name) name,

const char *rk_criticality_name(rk_criticality criticality)
{
    static const char *const names[] = {RK_CRITICALITY_ITEMS(ITEM_NAME)};
    return (size_t)criticality < RK_COUNT_OF(names) ? names[criticality] : "?";
}

const char *rk_field_flag_name(uint32_t bit)
{
    static const char *const names[] = {RK_FIELD_FLAG_ITEMS(ITEM_NAME)};
    return bit < RK_COUNT_OF(names) ? names[bit] : NULL;
}

const char *rk_handler_name(uint32_t bit)
{
    static const char *const names[] = {RK_HANDLER_ITEMS(ITEM_NAME)};
    return bit < RK_COUNT_OF(names) ? names[bit] : NULL;
}

/*
 * The value lies at the slot's first byte, on any byte order: the kernel reads its own type there.
 */
#define SLOT_SET(type, value)                                                                      \
    do {                                                                                           \
        type typed_ = (type)(value);                                                               \
        memcpy(&slot, &typed_, sizeof(typed_));                                                    \
    } while (0)

/* The largest value of the unsigned types, then the smallest and largest of the signed ones. */
static const uint64_t unsigned_most[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};
static const int64_t signed_least[] = {INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN};
static const int64_t signed_most[] = {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};

static rk_status out_of_range(uint32_t type, const char *text, rk_err *err)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    const char *name = rk_type_name(type);
    if (type == RK_TYPE_F32 || type == RK_TYPE_F64) {
        return rk_err_set(err, RK_LIMIT, "'%s' does not fit the type %s, whose largest value is %s",
                          rk_value_shown(text, shown), name,
                          type == RK_TYPE_F32 ? "3.4e38" : "1.8e308");
    }
    if (type <= RK_TYPE_U64) {
        return rk_err_set(err, RK_LIMIT, "'%s' does not fit the type %s, which goes from 0 to %llu",
                          rk_value_shown(text, shown), name,
                          (unsigned long long)unsigned_most[type - RK_TYPE_U8]);
    }
    return rk_err_set(err, RK_LIMIT, "'%s' does not fit the type %s, which goes from %lld to %lld",
                      rk_value_shown(text, shown), name, (long long)signed_least[type - RK_TYPE_I8],
                      (long long)signed_most[type - RK_TYPE_I8]);
}

static uint64_t slot_of_unsigned(uint32_t type, uint64_t value)
{
    uint64_t slot = 0;
    switch (type) {
    case RK_TYPE_U8: SLOT_SET(uint8_t, value); break;
    case RK_TYPE_U16: SLOT_SET(uint16_t, value); break;
    case RK_TYPE_U32: SLOT_SET(uint32_t, value); break;
    default: slot = value; break;
    }
    return slot;
}

static uint64_t slot_of_signed(uint32_t type, int64_t value)
{
    uint64_t slot = 0;
    switch (type) {
    case RK_TYPE_I8: SLOT_SET(int8_t, value); break;
    case RK_TYPE_I16: SLOT_SET(int16_t, value); break;
    case RK_TYPE_I32: SLOT_SET(int32_t, value); break;
    default: SLOT_SET(int64_t, value); break;
    }
    return slot;
}

static rk_status slot_of_float(uint32_t type, double value, const char *text, uint64_t *out_slot,
                               rk_err *err)
{
    uint64_t slot = 0;
    if (!isfinite(value) || (type == RK_TYPE_F32 && fabs(value) > (double)FLT_MAX)) {
        return out_of_range(type, text, err);
    }
    if (type == RK_TYPE_F32) {
        SLOT_SET(float, value);
    } else {
        SLOT_SET(double, value);
    }
    *out_slot = slot;
    return RK_OK;
}

rk_status rk_param_parse(uint32_t type, const char *text, uint64_t *out_slot, rk_err *err)
{
    if (type == RK_TYPE_F32 || type == RK_TYPE_F64) {
        double value = 0;
        rk_status status = rk_value_parse_f64(text, &value, err);
        return status == RK_OK ? slot_of_float(type, value, text, out_slot, err) : status;
    }
    if (type <= RK_TYPE_U64) {
        uint64_t value = 0;
        rk_status status = rk_value_parse_u64(text, &value, err);
        if (status == RK_LIMIT || (status == RK_OK && value > unsigned_most[type - RK_TYPE_U8])) {
            return out_of_range(type, text, err);
        }
        if (status == RK_OK) {
            *out_slot = slot_of_unsigned(type, value);
        }
        return status;
    }
    if (type > RK_TYPE_I64) {
        return rk_err_set(err, RK_INVALID, "a value of type %s depends on the precision variant",
                          rk_type_name(type));
    }
    int64_t value = 0;
    rk_status status = rk_value_parse_i64(text, &value, err);
    if (status == RK_LIMIT || (status == RK_OK && (value < signed_least[type - RK_TYPE_I8] ||
                                                   value > signed_most[type - RK_TYPE_I8]))) {
        return out_of_range(type, text, err);
    }
    if (status == RK_OK) {
        *out_slot = slot_of_signed(type, value);
    }
    return status;
}

#define SLOT_GET(type, out)                                                                        \
    do {                                                                                           \
        type typed_;                                                                               \
        memcpy(&typed_, &slot, sizeof(typed_));                                                    \
        (out) = typed_;                                                                            \
    } while (0)

static uint64_t unsigned_of_slot(uint32_t type, uint64_t slot)
{
    uint64_t value = slot;
    switch (type) {
    case RK_TYPE_U8: SLOT_GET(uint8_t, value); break;
    case RK_TYPE_U16: SLOT_GET(uint16_t, value); break;
    case RK_TYPE_U32: SLOT_GET(uint32_t, value); break;
    default: break;
    }
    return value;
}

static int64_t signed_of_slot(uint32_t type, uint64_t slot)
{
    int64_t value = 0;
    switch (type) {
    case RK_TYPE_I8: SLOT_GET(int8_t, value); break;
    case RK_TYPE_I16: SLOT_GET(int16_t, value); break;
    case RK_TYPE_I32: SLOT_GET(int32_t, value); break;
    default: SLOT_GET(int64_t, value); break;
    }
    return value;
}

double rk_param_number(uint32_t type, uint64_t slot)
{
    double value = 0;
    if (type == RK_TYPE_F32) {
        SLOT_GET(float, value);
    } else if (type == RK_TYPE_F64) {
        SLOT_GET(double, value);
    } else if (type <= RK_TYPE_U64) {
        value = (double)unsigned_of_slot(type, slot);
    } else if (type <= RK_TYPE_I64) {
        value = (double)signed_of_slot(type, slot);
    }
    return value;
}

void rk_param_format(uint32_t type, uint64_t slot, char *out_text)
{
    if (type <= RK_TYPE_U64) {
        (void)snprintf(out_text, RK_PARAM_TEXT_BYTES, "%llu",
                       (unsigned long long)unsigned_of_slot(type, slot)); /* always fits */
    } else if (type <= RK_TYPE_I64) {
        (void)snprintf(out_text, RK_PARAM_TEXT_BYTES, "%lld",
                       (long long)signed_of_slot(type, slot)); /* always fits */
    } else {
        double value = rk_param_number(type, slot);
        if (type == RK_TYPE_F32 && isfinite(value)) {
            /* The fewest digits that give the same float; printf and strtod share the locale. */
            char digits[RK_PARAM_TEXT_BYTES];
            double nearest = value;
            for (int precision = 1; precision <= FLT_DECIMAL_DIG; precision++) {
                (void)snprintf(digits, sizeof(digits), "%.*g", precision, value);
                nearest = strtod(digits, NULL);
                if ((float)nearest == (float)value) {
                    break;
                }
            }
            value = nearest;
        }
        (void)rk_value_format_f64(value, out_text);
    }
}

rk_status rk_param_from_number(uint32_t type, double number, uint64_t *out_slot, rk_err *err)
{
    char text[RK_VALUE_TEXT_BYTES];
    (void)rk_value_format_f64(number, text);
    if (type == RK_TYPE_F32 || type == RK_TYPE_F64) {
        return slot_of_float(type, number, text, out_slot, err);
    }
    if (type > RK_TYPE_I64) {
        return rk_err_set(err, RK_INVALID, "a value of type %s depends on the precision variant",
                          rk_type_name(type));
    }
    if (!(number == floor(number)) || isinf(number)) {
        return rk_err_set(err, RK_LIMIT, "'%s' is no whole number, which the type %s needs", text,
                          rk_type_name(type));
    }
    /* 2^64 and 2^63 are exact; what lies below them converts without overflow. */
    if (type <= RK_TYPE_U64) {
        if (number < 0 || number >= 18446744073709551616.0 ||
            (uint64_t)number > unsigned_most[type - RK_TYPE_U8]) {
            return out_of_range(type, text, err);
        }
        *out_slot = slot_of_unsigned(type, (uint64_t)number);
        return RK_OK;
    }
    if (number < -9223372036854775808.0 || number >= 9223372036854775808.0 ||
        (int64_t)number < signed_least[type - RK_TYPE_I8] ||
        (int64_t)number > signed_most[type - RK_TYPE_I8]) {
        return out_of_range(type, text, err);
    }
    *out_slot = slot_of_signed(type, (int64_t)number);
    return RK_OK;
}

void rk_schema_defaults(const rk_schema *schema, uint32_t variant, uint64_t *out_slots)
{
    for (uint32_t i = 0; i < schema->param_count; i++) {
        uint32_t type = rk_schema_type(schema, variant, schema->params[i].type);
        out_slots[i] = 0;
        (void)rk_param_parse(type, schema->params[i].default_text, &out_slots[i],
                             NULL); /* the parser has checked every default in every variant */
    }
}
