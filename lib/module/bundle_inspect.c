/*
 * bundle_inspect.c: what is in a bundle, for people and for programs.
 *
 * Appends to an rk_str whose status stays set after the first failure, so the appends in between
 * are not checked one by one.
 */
#include "module/bundle.h"

#include "base/value.h"

#include <stdio.h>
#include <string.h>

static void put(rk_str *out, const char *format, ...) RK_PRINTF(2, 3);

static void put(rk_str *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)rk_str_appendfv(out, format, args); /* sticky, see above */
    va_end(args);
}

/* The names of the bits that are set, separated by commas. */
static void put_bits(rk_str *out, uint32_t bits, const char *(*name)(uint32_t bit),
                     const char *format)
{
    bool first = true;
    for (uint32_t i = 0; name(i) != NULL; i++) {
        if ((bits & (1u << i)) != 0) {
            put(out, "%s", first ? "" : ", ");
            put(out, format[0] == 'j' ? "\"%s\"" : "%s", name(i));
            first = false;
        }
    }
}

static const char *variant_name(const rk_schema *s, uint32_t variant)
{
    if (variant == RK_SECTION_ALL_VARIANTS) {
        return "all";
    }
    return variant < s->variant_count ? s->variants[variant].name : "-";
}

/* "x86-64-v3", or as `rk build --arch` has it: "compute_75"; or "". */
static const char *level_name(const rk_section *section, char out[RK_VALUE_TEXT_BYTES])
{
    switch (section->kind) {
    case RK_SECTION_CPU:
    case RK_SECTION_FIBER: return rk_isa_name(section->level);
    case RK_SECTION_PTX:
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "compute_%u", section->level); /* always fits */
        return out;
    case RK_SECTION_CUBIN:
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "sm_%u", section->level); /* the same */
        return out;
    case RK_SECTION_HIP:
        (void)snprintf(out, RK_VALUE_TEXT_BYTES, "gfx%x", section->level); /* the same */
        return out;
    default: return "";
    }
}

static void put_lines_params(const rk_schema *s, rk_str *out)
{
    put(out, s->param_count ? "parameters\n" : "");
    for (uint32_t i = 0; i < s->param_count; i++) {
        const rk_schema_param *p = &s->params[i];
        put(out, "  %-4s %s = %s%s%s%s%s%s\n", rk_type_name(p->type), p->name, p->default_text,
            *p->units ? " [" : "", p->units, *p->units ? "]" : "", *p->help ? "  " : "", p->help);
    }
}

static void put_lines_fields(const rk_schema *s, rk_str *out)
{
    put(out, s->field_count ? "fields\n" : "");
    for (uint32_t i = 0; i < s->field_count; i++) {
        const rk_schema_field *f = &s->fields[i];
        put(out, "  %-4s %s[%s]%s%s%s (", rk_type_name(f->type), f->name, f->shape,
            *f->units ? " [" : "", f->units, *f->units ? "]" : "");
        put_bits(out, f->flags, rk_field_flag_name, "plain");
        put(out, ")%s%s\n", *f->help ? "  " : "", f->help);
    }
}

static void put_lines_items(rk_str *out, const char *title, const rk_schema_item *items,
                            uint32_t count)
{
    if (count == 0) {
        return;
    }
    put(out, "%s\n", title);
    for (uint32_t i = 0; i < count; i++) {
        put(out, "  %s%s%s\n", items[i].name, *items[i].help ? "  " : "", items[i].help);
    }
}

/* Length of the line at `at`, its end not counted. */
static size_t line_length(const char *at, const char *end)
{
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    return (size_t)((line_end ? line_end : end) - at);
}

/* The build section is "key value" lines of somebody else: shown with anything unprintable cut. */
static void put_lines_build(const rk_section *build, rk_str *out)
{
    put(out, "build\n");
    const char *at = build->data;
    const char *end = at + build->bytes;
    while (at < end) {
        size_t length = line_length(at, end);
        put(out, "  ");
        for (size_t i = 0; i < length; i++) {
            bool printable = (unsigned char)at[i] >= 0x20 && (unsigned char)at[i] < 0x7f;
            (void)rk_str_append_char(out, printable ? at[i] : '?'); /* sticky */
        }
        put(out, "\n");
        at += length + 1;
    }
}

static void put_lines_markers(const rk_schema *s, rk_str *out)
{
    put(out, s->marker_count > 0 ? "markers\n" : "");
    for (uint32_t i = 0; i < s->marker_count; i++) {
        put(out, "  %s  #%06x\n", s->markers[i].name, s->markers[i].color);
    }
}

static void put_lines(const rk_bundle *b, rk_str *out)
{
    const rk_schema *s = rk_bundle_schema(b);
    put(out, "module      %s version %s%s%s\n", s->name, s->version, *s->summary ? ": " : "",
        s->summary);
    put(out, "file        %s\n", rk_bundle_name(b));
    put(out, "crc         %08x\n", rk_bundle_crc(b));
    put(out, "interface   %u\n", s->abi_version);
    put(out, "criticality %s\n", rk_criticality_name(s->criticality));
    put(out, "handlers    ");
    put_bits(out, s->handlers, rk_handler_name, "plain");
    put(out, s->handlers == 0 ? "none" : "");
    put(out, "\nshared      %u bytes\n", s->shared_bytes);
    put_lines_params(s, out);
    put_lines_fields(s, out);
    put_lines_items(out, "phases", s->phases, s->phase_count);
    put_lines_items(out, "features", s->features, s->feature_count);
    put_lines_markers(s, out);
    put(out, "variants\n");
    for (uint32_t i = 0; i < s->variant_count; i++) {
        put(out, "  %s  layout %016llx%s%s\n", s->variants[i].name,
            (unsigned long long)rk_schema_hash(s, i), *s->variants[i].help ? "  " : "",
            s->variants[i].help);
    }
    put(out, "sections\n");
    const rk_section *build = NULL;
    for (uint32_t i = 0; i < rk_bundle_section_count(b); i++) {
        const rk_section *section = rk_bundle_section(b, i);
        char level[RK_VALUE_TEXT_BYTES];
        char size[RK_VALUE_TEXT_BYTES];
        put(out, "  %-14s %-10s %-4s %s\n", rk_section_name(section->kind),
            level_name(section, level), variant_name(s, section->variant),
            rk_value_format_size(section->bytes, size));
        build = section->kind == RK_SECTION_BUILD ? section : build;
    }
    if (build) {
        put_lines_build(build, out);
    }
}

static void put_json_text(rk_str *out, const char *key, const char *text)
{
    put(out, "\"%s\":", key);
    (void)rk_str_append_json(out, text); /* sticky */
}

static void put_json_params(const rk_schema *s, rk_str *out)
{
    put(out, ",\"params\":[");
    for (uint32_t i = 0; i < s->param_count; i++) {
        const rk_schema_param *p = &s->params[i];
        put(out, "%s{\"name\":\"%s\",\"type\":\"%s\",", i ? "," : "", p->name,
            rk_type_name(p->type));
        put_json_text(out, "default", p->default_text);
        put(out, ",");
        put_json_text(out, "units", p->units);
        put(out, ",");
        put_json_text(out, "help", p->help);
        put(out, "}");
    }
    put(out, "]");
}

static void put_json_fields(const rk_schema *s, rk_str *out)
{
    put(out, ",\"fields\":[");
    for (uint32_t i = 0; i < s->field_count; i++) {
        const rk_schema_field *f = &s->fields[i];
        put(out, "%s{\"name\":\"%s\",\"type\":\"%s\",", i ? "," : "", f->name,
            rk_type_name(f->type));
        put_json_text(out, "shape", f->shape);
        put(out, ",");
        put_json_text(out, "units", f->units);
        put(out, ",\"flags\":[");
        put_bits(out, f->flags, rk_field_flag_name, "json");
        put(out, "],");
        put_json_text(out, "help", f->help);
        put(out, "}");
    }
    put(out, "]");
}

static void put_json_items(rk_str *out, const char *key, const rk_schema_item *items,
                           uint32_t count)
{
    put(out, ",\"%s\":[", key);
    for (uint32_t i = 0; i < count; i++) {
        put(out, "%s{\"name\":\"%s\",", i ? "," : "", items[i].name);
        put_json_text(out, "help", items[i].help);
        put(out, "}");
    }
    put(out, "]");
}

static void put_json_build(const rk_section *build, rk_str *out)
{
    put(out, ",\"build\":{");
    const char *start = build ? build->data : NULL;
    const char *end = build ? start + build->bytes : NULL;
    for (const char *at = start; at < end;) {
        size_t length = line_length(at, end);
        const char *blank = memchr(at, ' ', length);
        size_t key = blank ? (size_t)(blank - at) : length;
        size_t skip = blank ? key + 1 : key;
        put(out, "%s", at > start ? "," : "");
        (void)rk_str_append_json_bytes(out, at, key); /* sticky */
        put(out, ":");
        (void)rk_str_append_json_bytes(out, at + skip, length - skip); /* sticky */
        at += length + 1;
    }
    put(out, "}");
}

static void put_json(const rk_bundle *b, rk_str *out)
{
    const rk_schema *s = rk_bundle_schema(b);
    put(out, "{\"name\":\"%s\",", s->name);
    put_json_text(out, "version", s->version);
    put(out, ",");
    put_json_text(out, "summary", s->summary);
    put(out, ",");
    put_json_text(out, "file", rk_bundle_name(b));
    put(out,
        ",\"crc\":%u,\"interface\":%u,\"criticality\":\"%s\",\"shared_bytes\":%u,\"handlers\":[",
        rk_bundle_crc(b), s->abi_version, rk_criticality_name(s->criticality), s->shared_bytes);
    put_bits(out, s->handlers, rk_handler_name, "json");
    put(out, "]");
    put_json_params(s, out);
    put_json_fields(s, out);
    put_json_items(out, "phases", s->phases, s->phase_count);
    put_json_items(out, "features", s->features, s->feature_count);
    put(out, ",\"markers\":[");
    for (uint32_t i = 0; i < s->marker_count; i++) {
        put(out, "%s{\"name\":\"%s\",\"color\":\"#%06x\"}", i ? "," : "", s->markers[i].name,
            s->markers[i].color);
    }
    put(out, "],\"variants\":[");
    for (uint32_t i = 0; i < s->variant_count; i++) {
        put(out, "%s{\"name\":\"%s\",\"layout\":\"%016llx\",", i ? "," : "", s->variants[i].name,
            (unsigned long long)rk_schema_hash(s, i));
        put_json_text(out, "help", s->variants[i].help);
        put(out, "}");
    }
    put(out, "],\"sections\":[");
    const rk_section *build = NULL;
    for (uint32_t i = 0; i < rk_bundle_section_count(b); i++) {
        const rk_section *section = rk_bundle_section(b, i);
        char level[RK_VALUE_TEXT_BYTES];
        put(out, "%s{\"kind\":\"%s\",\"level\":\"%s\",\"variant\":\"%s\",\"bytes\":%zu}",
            i ? "," : "", rk_section_name(section->kind), level_name(section, level),
            variant_name(s, section->variant), section->bytes);
        build = section->kind == RK_SECTION_BUILD ? section : build;
    }
    put(out, "]");
    put_json_build(build, out);
    put(out, "}");
}

rk_status rk_bundle_inspect(const rk_bundle *bundle, bool as_json, rk_str *out)
{
    if (as_json) {
        put_json(bundle, out);
    } else {
        put_lines(bundle, out);
    }
    return out->status;
}
