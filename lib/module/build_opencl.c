/*
 * build_opencl.c: OpenCL C source in one piece, which the device's own driver compiles at load. The
 * kernel's headers are put in the place of their #include lines; nothing else is preprocessed,
 * since only the device's compiler knows its macros. Where clang is installed it checks the result.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"
#include "module/process.h"

#include <stdlib.h>
#include <string.h>

/*
 * A job without a result: clang reads the text as OpenCL C 3.0, as a device without optional
 * features would (no pointers without an address space).
 */
static rk_status add_check(rk_build *build, uint32_t variant, const char *clang, const char *text,
                           size_t bytes)
{
    const char *path = rk_build_temporary(build, ".cl");
    if (!path) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory");
    }
    rk_status status = rk_file_replace(path, text, bytes, build->err);
    if (status != RK_OK) {
        return status;
    }
    const char *flags[] = {"-x",
                           "cl",
                           "-cl-std=CL3.0",
                           "-Xclang",
                           "-finclude-default-header",
                           "-target",
                           "spir64",
                           "-Xclang",
                           "-cl-ext=-__opencl_c_generic_address_space,"
                           "-__opencl_c_program_scope_global_variables,"
                           "-__opencl_c_device_enqueue,-__opencl_c_pipes,"
                           "-__opencl_c_atomic_scope_all_devices",
                           "-fsyntax-only",
                           "-fdiagnostics-color=never"};
    rk_build_args args;
    rk_build_args_init(build, &args);
    rk_build_args_add(&args, clang);
    rk_build_args_add_all(&args, flags, RK_COUNT_OF(flags));
    rk_build_args_add(&args, path);
    return rk_build_add(build, RK_SECTION_OPENCL_SOURCE, 0, variant, &args, NULL);
}

static rk_status add_variant(rk_build *build, uint32_t variant, const char *clang)
{
    rk_str out;
    rk_str_init(&out, RK_BUILD_SOURCE_MAX);
    if (rk_build_variant_flag(build, variant)) {
        (void)rk_str_append(&out, "#define RK_REAL_IS_F64 1\n"); /* sticky: checked below */
    }
    rk_status status = rk_build_flatten(build, build->source, &out, NULL);
    size_t length = out.length;
    char *text = status == RK_OK ? rk_str_take(&out, NULL) : NULL;
    rk_str_finish(&out);
    if (status != RK_OK) {
        return status;
    }
    if (!text) {
        return rk_err_set(build->err, RK_NO_MEMORY, "no memory for the OpenCL source");
    }
    if (clang) {
        status = add_check(build, variant, clang, text, length);
    }
    if (status != RK_OK) {
        free(text);
        return status;
    }
    return rk_build_add_data_take(build, RK_SECTION_OPENCL_SOURCE, 0, variant, text, length + 1);
}

rk_status rk_build_add_opencl(rk_build *build)
{
    char *found = NULL;
    const char *clang = NULL;
    if (rk_process_find("clang", &found) == RK_OK) {
        clang = rk_build_text(build, "%s", found);
        free(found);
    }
    rk_build_note(build, "opencl", clang ? "source, checked by clang" : "source, not checked");
    rk_status status = RK_OK;
    for (uint32_t variant = 0; variant < build->schema->variant_count && status == RK_OK;
         variant++) {
        if (rk_build_wants_variant(build, variant)) {
            status = add_variant(build, variant, clang);
        }
    }
    return status;
}
