/*
 * jobfile_docs.c: the reference of the job file, from its table.
 */
#include "job/jobfile.h"
#include "job/jobfile_tables.h"
#include "job/room.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *type_text(const job_key *key)
{
    switch (key->type) {
    case JOB_TEXT: return "text";
    case JOB_NAME: return "name";
    case JOB_NUMBER: return rk_dimension_name(key->dimension);
    case JOB_COUNT: return "whole number";
    case JOB_SIZE: return rk_dimension_name(key->dimension);
    case JOB_SWITCH: return "yes or no";
    case JOB_CHOICE: return NULL; /* its words */
    case JOB_POINT: return "three lengths";
    case JOB_PAIR: return "two lengths";
    case JOB_PAIRS: return "list of two lengths";
    case JOB_NUMBERS: return key->dimension == RK_UNIT_TIME ? "list of times" : "list of steps";
    case JOB_TEXTS: return "list of texts";
    case JOB_SECTION:
    case JOB_OPTIONAL: return "section";
    case JOB_LIST: return "list of sections";
    case JOB_NAMED: return "sections by name";
    case JOB_WORDS: return "materials by surface";
    case JOB_VALUES: return "values by name";
    }
    return "";
}

static void append_key(rk_str *out, const job_key *key)
{
    rk_str_appendf(out, "| `%s` | ", key->name);
    if (key->type == JOB_CHOICE) {
        bool first = true;
        for (const char *at = key->choices; *at;) {
            size_t length = strcspn(at, "|");
            if (length) {
                rk_str_appendf(out, "%s`%.*s`", first ? "" : ", ", (int)length, at);
                first = false;
            }
            at += length + (at[length] == '|');
        }
    } else {
        rk_str_append(out, type_text(key));
    }
    rk_str_append(out, " | ");
    const char *unit = rk_dimension_unit(key->dimension);
    if (key->min < key->max) {
        rk_str_appendf(out, "%g .. %g%s%s", key->min, key->max, unit[0] ? " " : "", unit);
    } else {
        rk_str_append(out, unit);
    }
    rk_str_appendf(out, " | %s | %s |\n",
                   key->required       ? "needed"
                   : key->default_text ? key->default_text
                                       : "",
                   key->help);
}

static void append_units(rk_str *out)
{
    rk_str_append(out, "## Units\n\nA number may carry a unit: `5 cm`, `250 ms`, `343 m/s`. "
                       "A plain number has the first unit of its row.\n\n"
                       "| of a | units |\n|---|---|\n");
    for (int i = RK_UNIT_LENGTH; i < RK_UNIT_MASS; i++) {
        char units[96];
        rk_dimension_units((rk_dimension)i, units, sizeof(units));
        rk_str_appendf(out, "| %s | %s |\n", rk_dimension_name((rk_dimension)i), units);
    }
    rk_str_append(out, "| pure number | none, or % |\n\n");
}

static void append_materials(rk_str *out)
{
    size_t count = 0;
    const rk_room_material *materials = rk_room_materials(&count);
    rk_str_append(out, "## Built-in materials\n\n| name | absorption | sound speed | density |\n"
                       "|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const rk_room_material *material = &materials[i];
        if (isnan(material->absorption)) {
            rk_str_appendf(out, "| `%s` | | %g m/s | %g kg/m3 |\n", material->name,
                           material->sound_speed_m_s, material->density_kg_m3);
        } else {
            rk_str_appendf(out, "| `%s` | %g | | |\n", material->name, material->absorption);
        }
    }
}

rk_status rk_job_append_docs(rk_str *out)
{
    rk_str_append(out, "# Job files\n\nA job file is one YAML document. Unknown keys are refused. "
                       "This page is generated from the table that the reader uses.\n\n");
    for (size_t s = 0; s < job_section_count; s++) {
        const job_section *section = job_sections[s];
        if (section->path[0]) {
            rk_str_appendf(out, "## `%s`\n\n", section->path);
        }
        rk_str_appendf(out,
                       "%s\n\n| key | value | range or unit | default | |\n|---|---|---|---|---|\n",
                       section->title);
        for (size_t k = 0; k < section->key_count; k++) {
            append_key(out, &section->keys[k]);
        }
        rk_str_append(out, "\n");
    }
    append_units(out);
    append_materials(out);
    return out->status;
}
