/*
 * schema.c: the parser of the schema text.
 *
 * The text is copied behind the schema object and cut into strings in place: every name and string
 * of the schema points into that copy, and the whole is one allocation. Lines may come in any order
 * after the first; what refers to something else (shapes, defaults) is checked at the end.
 */
#include "core/schema.h"

#include "base/suggest.h"
#include "base/utf8.h"
#include "base/value.h"

#include <stdlib.h>
#include <string.h>

static const char format_line[] = "ringkernel-schema 1";

typedef struct owned_schema {
    rk_schema schema; /* first: rk_schema_free gets its address */
    rk_schema_param params[RK_PARAM_MAX];
    rk_schema_field fields[RK_FIELD_MAX];
    rk_schema_item phases[RK_SCHEMA_PHASE_MAX];
    rk_schema_item features[RK_SCHEMA_FEATURE_MAX];
    rk_schema_item variants[RK_SCHEMA_VARIANT_MAX];
    rk_schema_marker markers[RK_SCHEMA_MARKER_MAX];
    uint32_t param_lines[RK_PARAM_MAX]; /* where each was declared, for messages */
    uint32_t field_lines[RK_FIELD_MAX];
    char text[];
} owned_schema;

typedef struct parser {
    owned_schema *out;
    rk_err *err;
    char *at;      /* the next byte of the line */
    uint32_t line; /* counted from 1 */
    bool has_criticality;
    bool has_shared;
    bool has_abi;
} parser;

static rk_status refuse(parser *p, rk_status code, const char *format, ...) RK_PRINTF(3, 4);

static rk_status refuse(parser *p, rk_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)rk_err_setv(p->err, code, format, args); /* the code is returned below */
    va_end(args);
    const char *name = p->out->schema.name;
    (void)rk_err_prefix(p->err, "schema%s%s, line %u: ", name ? " of module " : "",
                        name ? name : "", p->line);
    return code;
}

static void skip_blanks(parser *p)
{
    while (*p->at == ' ') {
        p->at++;
    }
}

/* Takes the next word of the line and ends it with a NUL. NULL at the end of the line. */
static char *take_word(parser *p)
{
    skip_blanks(p);
    if (*p->at == '\0') {
        return NULL;
    }
    char *word = p->at;
    p->at += strcspn(p->at, " ");
    if (*p->at != '\0') {
        *p->at++ = '\0';
    }
    return word;
}

static rk_status take_name(parser *p, const char *what, const char **out_name)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    char *word = take_word(p);
    if (!word) {
        return refuse(p, RK_SYNTAX, "the name of the %s is missing", what);
    }
    if (!rk_schema_is_name(word)) {
        return refuse(
            p, RK_SYNTAX,
            "'%s' cannot name a %s: use letters, digits and '_', at most %u, and no digit "
            "in front",
            rk_value_shown(word, shown), what, RK_SCHEMA_NAME_MAX);
    }
    *out_name = word;
    return RK_OK;
}

/* A quoted string. */
static rk_status take_string(parser *p, const char *what, const char **out_text)
{
    skip_blanks(p);
    if (*p->at != '"') {
        return refuse(p, RK_SYNTAX, "the %s must stand here in double quotes", what);
    }
    char *text = ++p->at;
    size_t length = strcspn(text, "\"\\");
    if (text[length] == '\\') {
        return refuse(p, RK_SYNTAX, "the %s holds a backslash; write it without", what);
    }
    if (text[length] == '\0') {
        return refuse(p, RK_SYNTAX, "the %s has no closing quote", what);
    }
    if (length > RK_SCHEMA_STRING_MAX) {
        return refuse(p, RK_LIMIT, "the %s has %zu bytes, the limit is %u; shorten it", what,
                      length, RK_SCHEMA_STRING_MAX);
    }
    text[length] = '\0';
    p->at = text + length + 1;
    if (*p->at != '\0' && *p->at != ' ') {
        return refuse(p, RK_SYNTAX, "a blank is missing behind the %s", what);
    }
    *out_text = text;
    return RK_OK;
}

/* One of the names of a list; the index is set. */
static rk_status find_word(parser *p, const char *what, const char *word, const char *const *names,
                           uint32_t count, uint32_t *out_index)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(word, names[i]) == 0) {
            *out_index = i;
            return RK_OK;
        }
    }
    char shown[RK_VALUE_SHOWN_BYTES];
    char list[160] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count && used + strlen(names[i]) + 2 < sizeof(list); i++) {
        memcpy(list + used, " ", 1);
        memcpy(list + used + 1, names[i], strlen(names[i]) + 1);
        used += strlen(names[i]) + 1;
    }
    const char *near = rk_suggest(word, names, count);
    return refuse(p, RK_SYNTAX, "unknown %s '%s'%s%s%s; there are:%s", what,
                  rk_value_shown(word, shown), near ? ", did you mean '" : "", near ? near : "",
                  near ? "'?" : "", list);
}

#define TYPE_NAME(symbol, value, name, bytes) name,
static const char *const type_names[] = {RK_TYPE_LIST(TYPE_NAME)};

static rk_status take_type(parser *p, uint32_t *out_type)
{
    char *word = take_word(p);
    if (!word) {
        return refuse(p, RK_SYNTAX, "the type is missing");
    }
    return find_word(p, "type", word, type_names, RK_TYPE_COUNT, out_type);
}

static rk_status take_number(parser *p, const char *what, uint64_t most, uint32_t *out_number)
{
    char shown[RK_VALUE_SHOWN_BYTES];
    char *word = take_word(p);
    uint64_t number = 0;
    if (!word || rk_value_parse_u64(word, &number, NULL) != RK_OK) {
        return refuse(p, RK_SYNTAX, "%s must be a whole number, found '%s'", what,
                      word ? rk_value_shown(word, shown) : "");
    }
    if (number > most) {
        return refuse(p, RK_LIMIT, "%s is %s, the limit is %llu", what, rk_value_shown(word, shown),
                      (unsigned long long)most);
    }
    *out_number = (uint32_t)number;
    return RK_OK;
}

static rk_status refuse_repeated(parser *p, const char *what)
{
    return refuse(p, RK_SYNTAX, "there is more than one %s line; keep one", what);
}

static rk_status parse_module(parser *p)
{
    rk_schema *s = &p->out->schema;
    if (s->name) {
        return refuse_repeated(p, "'module'");
    }
    rk_status status = take_name(p, "module", &s->name);
    if (status == RK_OK) {
        status = take_string(p, "summary", &s->summary);
    }
    return status == RK_OK ? take_string(p, "version", &s->version) : status;
}

#define ITEM_NAME(symbol, value, name) name,
static const char *const criticality_names[] = {RK_CRITICALITY_ITEMS(ITEM_NAME)};
static const char *const flag_names[] = {RK_FIELD_FLAG_ITEMS(ITEM_NAME)};
static const char *const handler_names[] = {RK_HANDLER_ITEMS(ITEM_NAME)};

static rk_status parse_criticality(parser *p)
{
    if (p->has_criticality) {
        return refuse_repeated(p, "'criticality'");
    }
    p->has_criticality = true;
    char *word = take_word(p);
    uint32_t index = 0;
    rk_status status = find_word(p, "criticality", word ? word : "", criticality_names,
                                 RK_COUNT_OF(criticality_names), &index);
    p->out->schema.criticality = (rk_criticality)index;
    return status;
}

static rk_status check_room(parser *p, const char *what, uint32_t count, uint32_t most)
{
    if (count < most) {
        return RK_OK;
    }
    return refuse(p, RK_LIMIT, "there are more than %u %s; split the kernel or merge some", most,
                  what);
}

static rk_status parse_param(parser *p)
{
    rk_schema *s = &p->out->schema;
    rk_status status = check_room(p, "parameters", s->param_count, RK_PARAM_MAX);
    if (status != RK_OK) {
        return status;
    }
    rk_schema_param param = {0};
    if ((status = take_type(p, &param.type)) != RK_OK ||
        (status = take_name(p, "parameter", &param.name)) != RK_OK ||
        (status = take_string(p, "default value", &param.default_text)) != RK_OK ||
        (status = take_string(p, "units", &param.units)) != RK_OK ||
        (status = take_string(p, "help text", &param.help)) != RK_OK) {
        return status;
    }
    if (rk_schema_find_param(s, param.name) >= 0) {
        return refuse(p, RK_SYNTAX, "parameter '%s' is declared twice; rename one", param.name);
    }
    if (strcmp(param.name, "blocks") == 0) {
        return refuse(p, RK_SYNTAX,
                      "a parameter cannot be named 'blocks', which means the number of blocks in "
                      "shapes; rename it");
    }
    p->out->param_lines[s->param_count] = p->line;
    p->out->params[s->param_count++] = param;
    return RK_OK;
}

/* "state,output": cut in place. */
static rk_status parse_flags(parser *p, char *text, uint32_t *out_flags)
{
    uint32_t flags = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        bool more = text[length] == ',';
        text[length] = '\0';
        uint32_t index = 0;
        rk_status status = find_word(p, "flag", text, flag_names, RK_COUNT_OF(flag_names), &index);
        if (status != RK_OK) {
            return status;
        }
        if ((flags & (1u << index)) != 0) {
            return refuse(p, RK_SYNTAX, "the flag '%s' is there twice; remove one", text);
        }
        flags |= 1u << index;
        text += length + (more ? 1u : 0u);
        if (more && *text == '\0') {
            return refuse(p, RK_SYNTAX, "the flags end with a comma; remove it");
        }
    }
    if ((flags & RK_FIELD_STATE) != 0 && (flags & RK_FIELD_SCRATCH) != 0) {
        return refuse(p, RK_SYNTAX,
                      "a field is either state (kept in checkpoints) or scratch (not kept); remove "
                      "one of the flags");
    }
    *out_flags = flags;
    return RK_OK;
}

static rk_status parse_field(parser *p)
{
    rk_schema *s = &p->out->schema;
    rk_status status = check_room(p, "fields", s->field_count, RK_FIELD_MAX);
    if (status != RK_OK) {
        return status;
    }
    rk_schema_field field = {0};
    const char *flags = NULL;
    if ((status = take_type(p, &field.type)) != RK_OK ||
        (status = take_name(p, "field", &field.name)) != RK_OK ||
        (status = take_string(p, "shape", &field.shape)) != RK_OK ||
        (status = take_string(p, "units", &field.units)) != RK_OK ||
        (status = take_string(p, "flags", &flags)) != RK_OK ||
        (status = take_string(p, "help text", &field.help)) != RK_OK ||
        (status = parse_flags(p, p->out->text + (flags - p->out->text), &field.flags)) != RK_OK) {
        return status;
    }
    if (rk_schema_find_field(s, field.name) >= 0) {
        return refuse(p, RK_SYNTAX, "field '%s' is declared twice; rename one", field.name);
    }
    p->out->field_lines[s->field_count] = p->line;
    p->out->fields[s->field_count++] = field;
    return RK_OK;
}

/* phase NAME, feature NAME "help", variant NAME "help". */
static rk_status parse_item(parser *p, const char *what, rk_schema_item *items, uint32_t *count,
                            uint32_t most, bool has_help)
{
    rk_schema_item item = {NULL, ""};
    rk_status status = take_name(p, what, &item.name);
    if (status == RK_OK && has_help) {
        status = take_string(p, "help text", &item.help);
    }
    if (status != RK_OK) {
        return status;
    }
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(items[i].name, item.name) == 0) {
            return refuse(p, RK_SYNTAX, "%s '%s' is declared twice; remove one", what, item.name);
        }
    }
    if (*count >= most) {
        return refuse(p, RK_LIMIT, "there are more %ss than %u", what, most);
    }
    items[(*count)++] = item;
    return RK_OK;
}

static rk_status parse_variant(parser *p)
{
    rk_schema *s = &p->out->schema;
    char *at = p->at;
    while (*at == ' ') {
        at++;
    }
    size_t length = strcspn(at, " ");
    if (length != 3 || (memcmp(at, "f32", 3) != 0 && memcmp(at, "f64", 3) != 0)) {
        return refuse(p, RK_SYNTAX, "a variant is f32 or f64, the type that 'real' stands for");
    }
    return parse_item(p, "variant", p->out->variants, &s->variant_count, RK_SCHEMA_VARIANT_MAX,
                      true);
}

/* marker NAME 0xRRGGBB. */
static rk_status parse_marker(parser *p)
{
    rk_schema *s = &p->out->schema;
    rk_status status = check_room(p, "markers", s->marker_count, RK_SCHEMA_MARKER_MAX);
    rk_schema_marker marker = {0};
    if (status != RK_OK || (status = take_name(p, "marker", &marker.name)) != RK_OK ||
        (status = take_number(p, "the colour of a marker", 0xffffff, &marker.color)) != RK_OK) {
        return status;
    }
    for (uint32_t i = 0; i < s->marker_count; i++) {
        if (strcmp(s->markers[i].name, marker.name) == 0) {
            return refuse(p, RK_SYNTAX, "marker '%s' is declared twice; remove one", marker.name);
        }
    }
    p->out->markers[s->marker_count++] = marker;
    return RK_OK;
}

static rk_status parse_handler(parser *p)
{
    char *word = take_word(p);
    uint32_t index = 0;
    rk_status status = find_word(p, "handler", word ? word : "", handler_names,
                                 RK_COUNT_OF(handler_names), &index);
    if (status == RK_OK && (p->out->schema.handlers & (1u << index)) != 0) {
        status = refuse(p, RK_SYNTAX, "handler '%s' is declared twice; remove one", word);
    }
    p->out->schema.handlers |= 1u << index;
    return status;
}

static rk_status parse_line(parser *p)
{
    static const char *const keywords[] = {"module", "criticality", "param",   "field",
                                           "phase",  "feature",     "variant", "handler",
                                           "shared", "marker",      "abi"};
    rk_schema *s = &p->out->schema;
    char *word = take_word(p);
    uint32_t keyword = 0;
    rk_status status =
        find_word(p, "item", word ? word : "", keywords, RK_COUNT_OF(keywords), &keyword);
    if (status != RK_OK) {
        return status;
    }
    switch (keyword) {
    case 0: status = parse_module(p); break;
    case 1: status = parse_criticality(p); break;
    case 2: status = parse_param(p); break;
    case 3: status = parse_field(p); break;
    case 4:
        status =
            parse_item(p, "phase", p->out->phases, &s->phase_count, RK_SCHEMA_PHASE_MAX, false);
        break;
    case 5:
        status = parse_item(p, "feature", p->out->features, &s->feature_count,
                            RK_SCHEMA_FEATURE_MAX, true);
        break;
    case 6: status = parse_variant(p); break;
    case 7: status = parse_handler(p); break;
    case 8:
        status = p->has_shared ? refuse_repeated(p, "'shared'")
                               : take_number(p, "the size of shared memory", RK_SCHEMA_SHARED_MAX,
                                             &s->shared_bytes);
        p->has_shared = true;
        break;
    case 9: status = parse_marker(p); break;
    default:
        status = p->has_abi ? refuse_repeated(p, "'abi'")
                            : take_number(p, "the ABI version", UINT32_MAX, &s->abi_version);
        p->has_abi = true;
        break;
    }
    skip_blanks(p);
    if (status == RK_OK && *p->at != '\0') {
        char shown[RK_VALUE_SHOWN_BYTES];
        status = refuse(p, RK_SYNTAX, "'%s' is too much at the end of the '%s' line; remove it",
                        rk_value_shown(p->at, shown), word);
    }
    return status;
}

/* What needs the whole schema: defaults and shapes. */
static rk_status check_references(parser *p)
{
    const rk_schema *s = &p->out->schema;
    if (!s->name) {
        return refuse(p, RK_SYNTAX,
                      "there is no 'module' line; add: module NAME \"summary\" \"1\"");
    }
    if (!p->has_abi) {
        return refuse(p, RK_SYNTAX, "there is no 'abi' line; add: abi %u", RK_ABI_VERSION);
    }
    for (uint32_t i = 0; i < s->param_count; i++) {
        for (uint32_t variant = 0; variant < s->variant_count; variant++) {
            uint64_t slot;
            rk_err cause = RK_ERR_INIT;
            rk_status status = rk_param_parse(rk_schema_type(s, variant, s->params[i].type),
                                              s->params[i].default_text, &slot, &cause);
            if (status != RK_OK) {
                p->line = p->out->param_lines[i];
                return refuse(p, status, "the default of parameter '%s': %s", s->params[i].name,
                              cause.text);
            }
        }
    }
    for (uint32_t i = 0; i < s->field_count; i++) {
        rk_err cause = RK_ERR_INIT;
        rk_status status = rk_schema_check_shape(s, i, &cause);
        if (status != RK_OK) {
            p->line = p->out->field_lines[i];
            return refuse(p, status, "%s", cause.text);
        }
    }
    return RK_OK;
}

/* Control characters other than line ends, and bytes that are no text. */
static rk_status check_characters(const char *text, size_t length, rk_err *err)
{
    uint32_t line = 1;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            line++;
        } else if (c < 0x20 || c == 0x7f) {
            return rk_err_set(err, RK_SYNTAX,
                              "schema, line %u: control character 0x%02x; only blanks and line "
                              "ends are allowed",
                              line, c);
        }
    }
    if (!rk_utf8_valid(text, length)) {
        return rk_err_set(err, RK_SYNTAX,
                          "schema: the text is not UTF-8; save the source as UTF-8");
    }
    return RK_OK;
}

static rk_status parse_text(parser *p, char *text)
{
    rk_schema *s = &p->out->schema;
    while (*text != '\0') {
        p->line++;
        p->at = text;
        text += strcspn(text, "\n");
        if (*text != '\0') {
            *text++ = '\0';
        }
        if (p->line == 1) {
            if (strcmp(p->at, format_line) == 0) {
                continue;
            }
            bool other = strncmp(p->at, "ringkernel-schema ", 18) == 0;
            return refuse(p, other ? RK_VERSION : RK_SYNTAX,
                          other ? "the schema has another version than this library (1); rebuild "
                                  "the module or update the library"
                                : "the text does not start with 'ringkernel-schema 1': it is no "
                                  "schema of a kernel");
        }
        rk_status status = parse_line(p);
        if (status != RK_OK) {
            return status;
        }
    }
    if (p->line == 0) {
        p->line = 1;
        return refuse(p, RK_SYNTAX, "the text is empty; it starts with 'ringkernel-schema 1'");
    }
    if (s->variant_count == 0) {
        p->out->variants[s->variant_count++] = (rk_schema_item){"f32", ""};
    }
    return check_references(p);
}

rk_status rk_schema_parse(const char *text, size_t length, rk_schema **out_schema, rk_err *err)
{
    if (length > RK_SCHEMA_TEXT_MAX) {
        return rk_err_set(err, RK_LIMIT, "schema: %zu bytes are more than the limit of %u", length,
                          RK_SCHEMA_TEXT_MAX);
    }
    rk_status status = check_characters(text, length, err);
    if (status != RK_OK) {
        return status;
    }
    owned_schema *out = calloc(1, sizeof(*out) + length + 1);
    if (!out) {
        return rk_err_set(err, RK_NO_MEMORY, "schema: no memory for %zu bytes of text", length);
    }
    if (length != 0) {
        memcpy(out->text, text, length);
    }
    out->schema.params = out->params;
    out->schema.fields = out->fields;
    out->schema.phases = out->phases;
    out->schema.features = out->features;
    out->schema.variants = out->variants;
    out->schema.markers = out->markers;
    out->schema.criticality = RK_CRITICALITY_NORMAL;
    parser p = {.out = out, .err = err};
    status = parse_text(&p, out->text);
    if (status != RK_OK) {
        free(out);
        return status;
    }
    *out_schema = &out->schema;
    return RK_OK;
}

void rk_schema_free(rk_schema *schema)
{
    free(schema);
}
