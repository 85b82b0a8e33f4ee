/*
 * room_materials.c: the built-in materials and the search by name.
 *
 * The absorption coefficients are rounded values for 500 Hz at random incidence, as the tables of
 * M. Vorlaender, Auralization (2008), appendix, and H. Kuttruff, Room Acoustics, list them.
 */
#include "job/room_internal.h"

#include <math.h>
#include <string.h>

#define SURFACE(text, value)                                                                       \
    {                                                                                              \
        .name = (text), .absorption = (value), .sound_speed_m_s = NAN, .density_kg_m3 = NAN        \
    }
#define MEDIUM(text, speed, rho)                                                                   \
    {                                                                                              \
        .name = (text), .absorption = NAN, .sound_speed_m_s = (speed), .density_kg_m3 = (rho)      \
    }

static const rk_room_material materials[] = {
    SURFACE("rigid", 0.0),
    SURFACE("concrete", 0.02),
    SURFACE("brick", 0.03),
    SURFACE("plaster", 0.04),
    SURFACE("glass", 0.04),
    SURFACE("linoleum", 0.03),
    SURFACE("parquet", 0.06),
    SURFACE("wood", 0.10),
    SURFACE("door", 0.08),
    SURFACE("plasterboard", 0.08),
    SURFACE("carpet", 0.25),
    SURFACE("thick-carpet", 0.40),
    SURFACE("curtain", 0.45),
    SURFACE("books", 0.40),
    SURFACE("upholstery", 0.60),
    SURFACE("mattress", 0.70),
    SURFACE("acoustic-tile", 0.75),
    SURFACE("mineral-wool", 0.90),
    MEDIUM("helium", 1007.0, 0.166),
    MEDIUM("carbon-dioxide", 266.0, 1.84),
    MEDIUM("warm-air", 353.2, 1.137),
};

const rk_room_material *rk_room_materials(size_t *out_count)
{
    *out_count = sizeof(materials) / sizeof(materials[0]);
    return materials;
}

const rk_room_material *room_material_find(const rk_room_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->material_count; i++) {
        if (strcmp(spec->materials[i].name, name) == 0) {
            return &spec->materials[i];
        }
    }
    for (size_t i = 0; i < sizeof(materials) / sizeof(materials[0]); i++) {
        if (strcmp(materials[i].name, name) == 0) {
            return &materials[i];
        }
    }
    return NULL;
}
