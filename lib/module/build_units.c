/*
 * build_units.c: a cubin of two units: the resident loop, which is compiled once for a set of
 * handlers and an architecture and then kept, and the author's source (include/ringkernel/kernel/
 * unit.h). Only the second is compiled at every change; linking takes less than a millisecond.
 *
 * Where the units cannot be made or linked, the source is compiled in one piece, and that decides
 * what an error is: the author never sees the units. RK_CUDA_UNITS=off does so from the start: the
 * compiler then sees loop and handlers together.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/value.h"
#include "module/bytes.h"

#include <stdlib.h>
#include <string.h>

/* -DRK_HAS_INIT=1 and so on: the loop only calls the handlers that there are. */
static void add_handler_flags(rk_build *build, rk_build_args *args)
{
#define HANDLER_FLAG(symbol, bit, name)                                                            \
    if ((build->schema->handlers & RK_HANDLER_##symbol) != 0) {                                    \
        rk_build_args_add(args, "-DRK_HAS_" #symbol "=1");                                         \
    }
    RK_HANDLER_ITEMS(HANDLER_FLAG)
#undef HANDLER_FLAG
}

/* PTX of one unit, from the cache or NVRTC; it has passed the check. */
static rk_status unit_ptx(rk_build *build, const rk_nvrtc *rtc, uint32_t level, uint32_t variant,
                          bool is_loop, char **out_ptx)
{
    rk_build_args args;
    char *log = NULL;
    const char *path = build->source;
    rk_build_cuda_args(build, &args, level, variant);
    rk_build_args_add(&args, "-rdc=true");
    if (is_loop) {
        path = rk_build_text(build, "%s/ringkernel/kernel/loop_unit.h", build->include_dir);
        add_handler_flags(build, &args);
    } else {
        rk_build_args_add(&args, "-DRK_UNIT_USER");
        rk_build_args_add(&args, "-lineinfo");
    }
    rk_status status = path ? rk_build_nvrtc(build, rtc, path, &args, out_ptx, &log) : RK_NO_MEMORY;
    free(log); /* the compilation in one piece says it again, in its place */
    if (status == RK_OK && (status = rk_build_check_ptx(*out_ptx, path, build->err)) != RK_OK) {
        free(*out_ptx);
    }
    return status;
}

/* The key of what the linker makes of these PTX texts, which have been checked. */
static bool key_of(rk_build *build, const rk_nvjitlink *linker, const char *purpose, uint32_t level,
                   const char *const *ptx, uint32_t count, rk_cache_key *out_key)
{
    static const unsigned char no_source[RK_SHA256_BYTES] = {0}; /* the PTX is all there is */
    rk_sha256 sha;
    unsigned char number[4];
    if (!rk_build_key_start(build, &sha, purpose, no_source) ||
        !rk_build_key_tool(&sha, linker->path)) {
        return false;
    }
    rk_bytes_put_u32(number, level);
    rk_build_key_bytes(&sha, number, sizeof(number));
    for (uint32_t i = 0; i < count; i++) {
        rk_build_key_text(&sha, ptx[i]);
    }
    rk_sha256_finish(&sha, out_key->bytes);
    return true;
}

/* The loop's PTX as an object for level: kept, so that it is assembled once. */
static rk_status loop_object(rk_build *build, const rk_nvjitlink *linker, uint32_t level,
                             const char *ptx, void **out_data, size_t *out_bytes)
{
    rk_cache_key key;
    char *messages = NULL;
    bool has_key = key_of(build, linker, "loop", level, &ptx, 1, &key);
    if (has_key && rk_build_cache_get(build, &key, out_data, out_bytes, &messages)) {
        free(messages);
        return RK_OK;
    }
    const rk_nvjitlink_input input = {RK_NVJITLINK_PTX, ptx, strlen(ptx) + 1};
    rk_status status =
        rk_nvjitlink_link(linker, level, true, &input, 1, out_data, out_bytes, build->err);
    if (status == RK_OK && has_key) {
        rk_build_cache_put(build, &key, *out_data, *out_bytes, "");
    }
    return status;
}

/* Both units, linked. */
static rk_status link_units(rk_build *build, const rk_nvrtc *rtc, const rk_nvjitlink *linker,
                            uint32_t level, uint32_t variant, void **out_data, size_t *out_bytes)
{
    char *ptx[2] = {NULL, NULL}; /* the author's unit, the loop */
    void *object = NULL;
    size_t object_bytes = 0;
    rk_cache_key key;
    char *messages = NULL;
    rk_status status = unit_ptx(build, rtc, level, variant, false, &ptx[0]);
    if (status == RK_OK) {
        status = unit_ptx(build, rtc, level, variant, true, &ptx[1]);
        ptx[1] = status == RK_OK ? ptx[1] : NULL;
    } else {
        ptx[0] = NULL;
    }
    const char *const texts[] = {ptx[0], ptx[1]};
    bool has_key = status == RK_OK && key_of(build, linker, "cubin", level, texts, 2, &key);
    if (has_key && rk_build_cache_get(build, &key, out_data, out_bytes, &messages)) {
        free(messages);
        free(ptx[0]);
        free(ptx[1]);
        return RK_OK;
    }
    if (status == RK_OK) {
        status = loop_object(build, linker, level, ptx[1], &object, &object_bytes);
    }
    if (status == RK_OK) {
        const rk_nvjitlink_input inputs[] = {
            {RK_NVJITLINK_CUBIN, object, object_bytes},
            {RK_NVJITLINK_PTX, ptx[0], strlen(ptx[0]) + 1},
        };
        status =
            rk_nvjitlink_link(linker, level, false, inputs, 2, out_data, out_bytes, build->err);
    }
    if (status == RK_OK && has_key) {
        rk_build_cache_put(build, &key, *out_data, *out_bytes, "");
    }
    free(object);
    free(ptx[0]);
    free(ptx[1]);
    return status;
}

/* The source as one unit. */
static rk_status link_whole(rk_build *build, const rk_nvrtc *rtc, const rk_nvjitlink *linker,
                            uint32_t level, uint32_t variant, void **out_data, size_t *out_bytes)
{
    char *ptx = NULL;
    rk_cache_key key;
    char *messages = NULL;
    rk_status status = rk_build_whole_ptx(build, rtc, level, variant, &ptx);
    if (status != RK_OK) {
        return status;
    }
    status = rk_build_check_ptx(ptx, build->source, build->err);
    const char *const texts[] = {ptx};
    bool has_key = status == RK_OK && key_of(build, linker, "cubin", level, texts, 1, &key);
    if (has_key && rk_build_cache_get(build, &key, out_data, out_bytes, &messages)) {
        free(messages);
    } else if (status == RK_OK) {
        const rk_nvjitlink_input input = {RK_NVJITLINK_PTX, ptx, strlen(ptx) + 1};
        status =
            rk_nvjitlink_link(linker, level, false, &input, 1, out_data, out_bytes, build->err);
        if (status == RK_OK && has_key) {
            rk_build_cache_put(build, &key, *out_data, *out_bytes, "");
        }
    }
    free(ptx);
    return status;
}

static bool wants_units(void)
{
    const char *text = getenv("RK_CUDA_UNITS");
    bool wanted = true;
    if (text && *text != '\0' && rk_value_parse_bool(text, &wanted, NULL) != RK_OK) {
        wanted = true; /* nonsense changes nothing */
    }
    return wanted;
}

rk_status rk_build_add_linked(rk_build *build, const rk_nvrtc *rtc, const rk_nvjitlink *linker,
                              uint32_t level, uint32_t variant)
{
    void *data = NULL;
    size_t bytes = 0;
    rk_status status = wants_units() ? link_units(build, rtc, linker, level, variant, &data, &bytes)
                                     : RK_UNSUPPORTED;
    bool is_split = status == RK_OK;
    if (!is_split) {
        *build->err = (rk_err)RK_ERR_INIT;
        status = link_whole(build, rtc, linker, level, variant, &data, &bytes);
    }
    if (status != RK_OK) {
        return status;
    }
    if (!build->has_link_note) {
        rk_build_note(build, "link",
                      is_split ? "nvJitLink, loop and source" : "nvJitLink, in one piece");
        build->has_link_note = true;
    }
    return rk_build_add_data_take(build, RK_SECTION_CUBIN, level, variant, data, bytes);
}
