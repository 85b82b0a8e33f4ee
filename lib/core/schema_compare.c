/*
 * schema_compare.c: whether state can go from one schema to another.
 */
#include "core/schema.h"

#include <string.h>

/* Commas separate dimensions and nothing else: parentheses hold sums only. */
static uint32_t dimension_count(const char *shape)
{
    uint32_t count = 1;
    for (; *shape != '\0'; shape++) {
        count += *shape == ',' ? 1u : 0u;
    }
    return count;
}

static rk_schema_match by_name(const rk_schema *from, const rk_schema *to, rk_err *reason)
{
    uint32_t lost = 0;
    const char *first_lost = "";
    for (uint32_t i = 0; i < from->field_count; i++) {
        const rk_schema_field *old = &from->fields[i];
        if ((old->flags & RK_FIELD_STATE) == 0) {
            continue;
        }
        int index = rk_schema_find_field(to, old->name);
        if (index < 0) {
            first_lost = lost++ == 0 ? old->name : first_lost;
            continue;
        }
        const rk_schema_field *now = &to->fields[index];
        uint32_t before = dimension_count(old->shape);
        uint32_t after = dimension_count(now->shape);
        if ((now->flags & RK_FIELD_STATE) != 0 && before != after) {
            (void)rk_err_set(reason, RK_INVALID,
                             "field '%s' had %u dimensions and now has %u dimensions; give the "
                             "module a migrate handler",
                             old->name, before, after); /* the match says it all */
            return RK_SCHEMA_INCOMPATIBLE;
        }
    }
    if (lost != 0) {
        (void)rk_err_set(reason, RK_OK,
                         "fields are copied by name; %u of the old module, the first of them '%s', "
                         "are given up",
                         lost, first_lost); /* the same */
    } else {
        (void)rk_err_set(reason, RK_OK, "fields are copied by name"); /* the same */
    }
    return RK_SCHEMA_BY_NAME;
}

rk_schema_match rk_schema_compare(const rk_schema *from, uint32_t from_variant, const rk_schema *to,
                                  uint32_t to_variant, rk_err *reason)
{
    if (rk_schema_hash(from, from_variant) == rk_schema_hash(to, to_variant)) {
        (void)rk_err_set(reason, RK_OK, "they have the same layout"); /* the match says it all */
        return RK_SCHEMA_SAME;
    }
    if ((to->handlers & RK_HANDLER_MIGRATE) != 0) {
        (void)rk_err_set(reason, RK_OK,
                         "the new module's migrate handler rebuilds the state"); /* the same */
        return RK_SCHEMA_BY_HANDLER;
    }
    if (strcmp(from->name, to->name) != 0) {
        (void)rk_err_set(reason, RK_INVALID,
                         "the module '%s' has another layout than '%s' and no migrate handler",
                         to->name, from->name); /* the same */
        return RK_SCHEMA_INCOMPATIBLE;
    }
    return by_name(from, to, reason);
}
