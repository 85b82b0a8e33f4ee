/*
 * result.c: see result.h.
 */
#include "drivers/test/result.h"
#include <stddef.h>

typedef struct row {
    int cuda;
    const char *cuda_name;
    int hip;
    const char *hip_name;
    const char *text;
} row;

static const row rows[RK_SIM_RESULT_COUNT] = {
#define ROW(symbol, cuda, cuda_name, hip, hip_name, text)                                          \
    [RK_SIM_##symbol] = {cuda, cuda_name, hip, hip_name, text},
    RK_SIM_RESULT_LIST(ROW)
#undef ROW
};

int rk_sim_cuda_code(rk_sim_result result)
{
    return rows[result].cuda;
}

int rk_sim_hip_code(rk_sim_result result)
{
    return rows[result].hip;
}

static const row *find(int code, int is_hip)
{
    for (size_t i = 0; i < RK_SIM_RESULT_COUNT; i++) {
        if ((is_hip ? rows[i].hip : rows[i].cuda) == code) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *rk_sim_cuda_name(int code)
{
    const row *found = find(code, 0);
    return found != NULL ? found->cuda_name : NULL;
}

const char *rk_sim_hip_name(int code)
{
    const row *found = find(code, 1);
    return found != NULL ? found->hip_name : NULL;
}

const char *rk_sim_cuda_text(int code)
{
    const row *found = find(code, 0);
    return found != NULL ? found->text : NULL;
}

const char *rk_sim_hip_text(int code)
{
    const row *found = find(code, 1);
    return found != NULL ? found->text : NULL;
}
