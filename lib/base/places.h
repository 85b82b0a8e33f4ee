/*
 * places.h: where the files of an installation are: beside the running program, beside the loaded
 * library, or below the prefix that the build was configured with. An installed tree can be moved.
 */
#ifndef RK_BASE_PLACES_H
#define RK_BASE_PLACES_H

#include "base/str.h"

#define RK_PLACE_MAX 4u
#define RK_PLACE_BYTES 4096u

/*
 * Candidate prefixes (folders that hold bin, lib and include), best first; returns how many. They
 * need not exist. Any thread.
 */
uint32_t rk_places(char out_prefixes[RK_PLACE_MAX][RK_PLACE_BYTES]);

/*
 * The folders below which files of one kind are looked for: those in the environment variable
 * `variable` (separated by colons), then PREFIX/`subfolder` of each prefix; appended
 * NUL-terminated, one after the other. They need not exist.
 */
rk_status rk_places_folders(const char *variable, const char *subfolder, rk_str *out);

#endif
