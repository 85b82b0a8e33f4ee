/*
 * code_test.c: which GPU code of a bundle a device gets, and what is said when there is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "module/small_bundle.h"
#include <stdlib.h>
#include <string.h>

#define BIT(kind) (1u << RK_SECTION_##kind)
#define CUDA (BIT(PTX) | BIT(CUBIN))
#define TEXT ".version 6.3\n"

/* The variants of SMALL_SCHEMA. */
enum { F32, F64 };

typedef struct code {
    uint32_t kind;
    uint32_t level;
    uint32_t variant;
} code;

/* A bundle of these sections, for variant f32 if they say nothing else. */
static rk_bundle *bundle_of(const code *list, uint32_t count)
{
    rk_section sections[16] = {
        small_section(RK_SECTION_SCHEMA, 0, RK_SECTION_ALL_VARIANTS, SMALL_SCHEMA,
                      sizeof(SMALL_SCHEMA) - 1),
        small_section(RK_SECTION_BUILD, 0, RK_SECTION_ALL_VARIANTS, SMALL_BUILD,
                      sizeof(SMALL_BUILD) - 1),
    };
    for (uint32_t i = 0; i < count; i++) {
        sections[2 + i] =
            small_section(list[i].kind, list[i].level, list[i].variant, TEXT, sizeof(TEXT));
    }
    unsigned char *data = NULL;
    size_t bytes = 0;
    rk_bundle *bundle = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_encode(sections, 2 + count, &data, &bytes, &err), RK_OK);
    if (rk_bundle_open_memory(data, bytes, "small", &bundle, &err) != RK_OK) {
        fail_msg("%s", err.text);
    }
    free(data);
    return bundle;
}

static const code gpu_code[] = {
    {RK_SECTION_PTX, 75, F32},    {RK_SECTION_PTX, 90, F32},
    {RK_SECTION_CUBIN, 80, F32},  {RK_SECTION_CUBIN, 86, F32},
    {RK_SECTION_CUBIN, 90, F32},  {RK_SECTION_CUBIN, 100, F64},
    {RK_SECTION_HIP, 0x90a, F32}, {RK_SECTION_HIP, 0x1100, F32},
    {RK_SECTION_HIP, 0x942, F64}, {RK_SECTION_OPENCL_SOURCE, 0, RK_SECTION_ALL_VARIANTS},
};

#define GPU_CODE_COUNT (sizeof(gpu_code) / sizeof(gpu_code[0]))

static void finds(const rk_bundle *bundle, uint32_t kinds, uint32_t level, uint32_t variant,
                  uint32_t kind, uint32_t section_level)
{
    const rk_section *found = NULL;
    rk_err err = RK_ERR_INIT;
    if (rk_bundle_find_code(bundle, kinds, level, "dev:0", variant, &found, &err) != RK_OK) {
        fail_msg("level %u: %s", level, err.text);
    }
    assert_int_equal(found->kind, kind);
    assert_int_equal(found->level, section_level);
}

static void refuses(const rk_bundle *bundle, uint32_t kinds, uint32_t level, uint32_t variant,
                    rk_status status, const char *says)
{
    const rk_section *found = NULL;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_find_code(bundle, kinds, level, "dev:0", variant, &found, &err),
                     status);
    if (!strstr(err.text, says)) {
        fail_msg("'%s' does not say '%s'", err.text, says);
    }
    assert_null(found);
}

static void cuda_takes_the_nearest_cubin_else_ptx(void **state)
{
    (void)state;
    rk_bundle *b = bundle_of(gpu_code, GPU_CODE_COUNT);
    finds(b, CUDA, 75, F32, RK_SECTION_PTX, 75);   /* no cubin of its major */
    finds(b, CUDA, 80, F32, RK_SECTION_CUBIN, 80); /* not that of a later minor */
    finds(b, CUDA, 87, F32, RK_SECTION_CUBIN, 86);
    finds(b, CUDA, 90, F32, RK_SECTION_CUBIN, 90);
    finds(b, CUDA, 100, F32, RK_SECTION_PTX, 90); /* 100 / 10 is not 90 / 10 */
    finds(b, CUDA, 109, F64, RK_SECTION_CUBIN, 100);
    finds(b, BIT(PTX), 90, F32, RK_SECTION_PTX, 90); /* a driver without cubins (ZLUDA) */
    finds(b, BIT(CUBIN), 89, F32, RK_SECTION_CUBIN, 86);
    /* The CPU bits of a caller's mask change nothing here. */
    finds(b, CUDA | BIT(CPU) | BIT(FIBER), 90, F32, RK_SECTION_CUBIN, 90);
    rk_bundle_close(b);
}

static void hip_takes_its_own_gpu_and_opencl_the_source(void **state)
{
    (void)state;
    rk_bundle *b = bundle_of(gpu_code, GPU_CODE_COUNT);
    finds(b, BIT(HIP), 0x90a, F32, RK_SECTION_HIP, 0x90a);
    finds(b, BIT(HIP), 0x1100, F32, RK_SECTION_HIP, 0x1100);
    finds(b, BIT(OPENCL_SOURCE), 0, F32, RK_SECTION_OPENCL_SOURCE, 0);
    finds(b, BIT(OPENCL_SOURCE), 300, F64, RK_SECTION_OPENCL_SOURCE, 0);
    refuses(b, BIT(HIP), 0x942, F32, RK_UNSUPPORTED,
            "its HIP code is made for gfx90a, gfx1100, device 'dev:0' is gfx942; rebuild it with "
            "'rk build --target hip --arch gfx942'");
    rk_bundle_close(b);
}

static void says_what_is_missing(void **state)
{
    (void)state;
    static const code newer[] = {{RK_SECTION_CUBIN, 100, F32}, {RK_SECTION_PTX, 100, F32}};
    rk_bundle *b = bundle_of(newer, 2);
    refuses(b, CUDA, 90, F32, RK_UNSUPPORTED,
            "its CUDA code is made for sm_100, compute_100, device 'dev:0' is sm_90; rebuild it "
            "with 'rk build --target cuda --arch sm_90'");
    refuses(b, BIT(HIP), 0x90a, F32, RK_NOT_FOUND,
            "the bundle has no HIP code for device 'dev:0' (it holds: sm_100, compute_100); "
            "rebuild it with 'rk build --target hip'");
    refuses(b, BIT(OPENCL_SOURCE), 0, F32, RK_NOT_FOUND, "rk build --target opencl'");
    refuses(b, CUDA, 100, F64, RK_NOT_FOUND, "variant f64: the bundle has no CUDA code");
    refuses(b, CUDA, 100, F64, RK_NOT_FOUND, "(it holds: nothing)");
    refuses(b, BIT(CPU), 0, F32, RK_INVALID, "'dev:0'");
    rk_bundle_close(b);

    size_t bytes = 0;
    unsigned char *data = small_bundle_make(&bytes); /* CPU code for f32, PTX for f64 */
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_bundle_open_memory(data, bytes, "small", &b, &err), RK_OK);
    refuses(b, CUDA, 90, F32, RK_NOT_FOUND, "(it holds: cpu x86-64-v1, cpu aarch64)");
    finds(b, CUDA, 90, F64, RK_SECTION_PTX, 75);
    rk_bundle_close(b);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuda_takes_the_nearest_cubin_else_ptx),
        cmocka_unit_test(hip_takes_its_own_gpu_and_opencl_the_source),
        cmocka_unit_test(says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
