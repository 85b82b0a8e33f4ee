/*
 * gpu_rows.c: see gpu_rows.h.
 */
#include "drivers/gpu_rows.h"
#include "support/skip.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES_MAX 96

const char *case_driver(void)
{
    return getenv("RK_TEST_DRIVER");
}

bool is_hip(void)
{
    return strcmp(case_driver(), "hip-test") == 0;
}

void open_rig(rig *out_rig)
{
    rig_open(out_rig, gpu_module_driver(case_driver()));
}

void has_words(const rk_err *err, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strstr(err->text, words[i]) == NULL) {
            fail_msg("'%s' is not in: %s", words[i], err->text);
        }
    }
}

int gpu_rows_main(int argc, char **argv, const gpu_row *rows, size_t count)
{
    static gpu_case cases[CASES_MAX];
    static char texts[CASES_MAX][3][320];
    size_t used = 0;
    for (size_t i = 0; i < 2 * count && used < CASES_MAX; i++) {
        bool hip = i >= count;
        const gpu_row *row = &rows[i % count];
        if (hip ? !row->hip : !row->cuda) {
            continue;
        }
        (void)snprintf(texts[used][0], sizeof texts[0][0], "%s_%s", row->name,
                       hip ? "hip" : "cuda");
        (void)snprintf(texts[used][1], sizeof texts[0][0], "RK_TEST_DRIVER=%s",
                       hip ? "hip-test" : "cuda-test");
        (void)snprintf(texts[used][2], sizeof texts[0][0], "RK_TEST_GPU=%s", row->devices);
        cases[used] = (gpu_case){
            .name = texts[used][0],
            .environment = {texts[used][1], texts[used][2], row->setting, NULL},
            .run = row->run,
        };
        used++;
    }
    return gpu_cases_main(argc, argv, cases, used);
}
