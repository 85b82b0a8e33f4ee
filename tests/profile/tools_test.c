/*
 * tools_test.c: NVTX, ROCTX, Nsight and RenderDoc as their stand-ins see us. A library is loaded
 * once in a process, so each case has a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "profile/profile.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAND_IN(name) RK_STAND_INS "/libstand-in-" name ".so"

static char said[1u << 16];

/* What the stand-in was told since the last time. */
static const char *take(const char *path)
{
    void *library = dlopen(path, RTLD_LAZY);
    if (library == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        abort();
    }
    void (*take_said)(char *, size_t);
    *(void **)&take_said = dlsym(library, "stand_in_take");
    take_said(said, sizeof said);
    return said;
}

/* Checks inside a case: its process ends with the line that failed. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "line %d: %s\nerror: %s\nsaid: %s\n", __LINE__, #condition,      \
                          err.text, said);                                                         \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static void in_process(int (*test)(void))
{
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        exit(test()); /* with the exit handlers: leaks are looked for */
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int nvtx_hears_all(void)
{
    rk_err err = RK_ERR_INIT;
    (void)setenv("NVTX_INJECTION64_PATH", STAND_IN("injection"), 1);
    MUST(rk_profile_setup(&err) == RK_OK); /* the variable alone turns it on */
    MUST(rk_profile_enabled() == RK_PROFILE_NVTX);
    MUST(strcmp(take(STAND_IN("injection")), "nvtx version 3\n"
                                             "domain ringkernel\n"
                                             "ringkernel category 1 is host\n"
                                             "ringkernel category 2 is kernel\n") == 0);
    rk_profile_push("load", 0x3366cc);
    rk_profile_push("inner", RK_PROFILE_NO_COLOR);
    rk_profile_pop();
    rk_profile_pop();
    rk_profile_range a = rk_profile_range_begin("a", 0x000001);
    rk_profile_range b = rk_profile_range_begin("b", 0);
    rk_profile_range_end(a);
    rk_profile_range_end(b);
    rk_profile_mark("now", 0xffffff);
    rk_profile_event event = {.size = sizeof event,
                              .color = RK_PROFILE_NO_COLOR,
                              .name = "step",
                              .kernel = "wave",
                              .has_payload = true,
                              .payload = 1234};
    rk_profile_tell(&event);
    MUST(strcmp(take(STAND_IN("injection")),
                "ringkernel push 'load' category 1 color ff3366cc\n"
                "ringkernel push 'inner' category 1\n"
                "ringkernel pop\n"
                "ringkernel pop\n"
                "ringkernel start 1 'a' category 1 color ff000001\n"
                "ringkernel start 2 'b' category 1 color ff000000\n"
                "ringkernel end 1\n"
                "ringkernel end 2\n"
                "ringkernel mark 'now' category 1 color ffffffff\n"
                "ringkernel mark 'wave: step' category 2 payload 1234\n") == 0);
    MUST(rk_profile_enable(RK_PROFILE_NVTX, &err) == RK_OK); /* once more: nothing */
    rk_profile_disable(RK_PROFILE_NVTX);
    rk_profile_mark("later", 0);
    MUST(*take(STAND_IN("injection")) == '\0');
    return 0;
}

/* Functions that a tool does not take are not called. */
static int nvtx_with_marks_only(void)
{
    rk_err err = RK_ERR_INIT;
    (void)setenv("NVTX_INJECTION64_PATH", STAND_IN("injection"), 1);
    (void)setenv("RK_TEST_NVTX", "bare", 1);
    MUST(rk_profile_enable(RK_PROFILE_NVTX, &err) == RK_OK);
    rk_profile_push("a", 0);
    rk_profile_pop();
    rk_profile_range_end(rk_profile_range_begin("r", 0));
    rk_profile_mark("m", 0);
    MUST(strcmp(take(STAND_IN("injection")), "WRONG mark 'm' category 1 color ff000000\n") == 0);
    return 0;
}

static int nvtx_that_refuses(void)
{
    rk_err err = RK_ERR_INIT;
    (void)setenv("NVTX_INJECTION64_PATH", STAND_IN("injection"), 1);
    (void)setenv("RK_TEST_NVTX", "refuse", 1);
    MUST(rk_profile_setup(&err) == RK_OK); /* nobody has asked by name: it goes on without */
    MUST(rk_profile_enabled() == 0);
    rk_profile_mark("m", 0);
    MUST(rk_profile_enable(RK_PROFILE_NVTX, &err) == RK_UNSUPPORTED);
    MUST(strstr(err.text, "did not initialise") != NULL);
    return 0;
}

static int nvtx_that_is_none(void)
{
    rk_err err = RK_ERR_INIT;
    (void)setenv("NVTX_INJECTION64_PATH", STAND_IN("roctx"), 1);
    MUST(rk_profile_enable(RK_PROFILE_NVTX, &err) == RK_NOT_FOUND);
    MUST(strstr(err.text, "InitializeInjectionNvtx2") != NULL);
    return 0;
}

static int nvtx_that_is_missing(void)
{
    rk_err err = RK_ERR_INIT;
    (void)setenv("NVTX_INJECTION64_PATH", "/nonexistent/tool.so", 1);
    MUST(rk_profile_enable(RK_PROFILE_NVTX, &err) == RK_NOT_FOUND);
    MUST(strstr(err.text, "/nonexistent/tool.so") != NULL);
    return 0;
}

static int roctx_hears_all(void)
{
    rk_err err = RK_ERR_INIT;
    (void)take(STAND_IN("roctx")); /* a tool has loaded it */
    MUST(rk_profile_setup(&err) == RK_OK);
    MUST(rk_profile_enabled() == RK_PROFILE_ROCTX);
    rk_profile_push("load", 0x3366cc);
    rk_profile_pop();
    rk_profile_range_end(rk_profile_range_begin("r", 0));
    rk_profile_mark("now", 0);
    rk_profile_event event = {.size = sizeof event,
                              .color = 0,
                              .name = "step",
                              .kernel = "wave",
                              .has_payload = true,
                              .payload = 77};
    rk_profile_tell(&event);
    MUST(strcmp(take(STAND_IN("roctx")), "push 'load'\n"
                                         "pop\n"
                                         "start 1 'r'\n"
                                         "stop 1\n"
                                         "mark 'now'\n"
                                         "mark 'wave: step (77)'\n") == 0);
    rk_profile_disable(RK_PROFILE_NVTX | RK_PROFILE_ROCTX);
    return 0;
}

static int none_by_wish(void)
{
    rk_err err = RK_ERR_INIT;
    (void)take(STAND_IN("roctx"));
    (void)setenv("NVTX_INJECTION64_PATH", STAND_IN("injection"), 1);
    (void)setenv("RK_PROFILE", "none", 1);
    MUST(rk_profile_setup(&err) == RK_OK);
    MUST(rk_profile_enabled() == 0);
    return 0;
}

static int a_slip_of_the_pen(void)
{
    rk_err err = RK_ERR_INIT;
    (void)setenv("RK_PROFILE", "nvtx,rocxt", 1);
    MUST(rk_profile_setup(&err) == RK_INVALID);
    MUST(strstr(err.text, "did you mean 'roctx'") != NULL);
    return 0;
}

static int nsight(void)
{
    rk_err err = RK_ERR_INIT;
    /* With several, one that is missing does not keep the others from theirs. */
    MUST(rk_profile_capture_begin(RK_CAPTURE_NSIGHT | RK_CAPTURE_HOOKS, &err) == RK_NOT_FOUND);
    MUST(strstr(err.text, "libcuda.so.1 is not loaded") != NULL);
    (void)take(STAND_IN("cuda"));
    MUST(rk_profile_capture_begin(RK_CAPTURE_NSIGHT, &err) == RK_OK);
    MUST(rk_profile_capture_end(RK_CAPTURE_NSIGHT, &err) == RK_OK);
    MUST(strcmp(take(STAND_IN("cuda")), "start\nstop\n") == 0);
    (void)setenv("RK_TEST_CUDA_ERROR", "7", 1); /* started already: as wished */
    MUST(rk_profile_capture_begin(RK_CAPTURE_NSIGHT, &err) == RK_OK);
    (void)setenv("RK_TEST_CUDA_ERROR", "201", 1);
    MUST(rk_profile_capture_end(RK_CAPTURE_NSIGHT, &err) == RK_DEVICE);
    MUST(strstr(err.text, "cuProfilerStop failed with CUDA error 201") != NULL);
    return 0;
}

static int renderdoc(void)
{
    rk_err err = RK_ERR_INIT;
    MUST(rk_profile_capture_begin(RK_CAPTURE_RENDERDOC, &err) == RK_NOT_FOUND);
    (void)take(STAND_IN("renderdoc"));
    MUST(rk_profile_capture_end(RK_CAPTURE_RENDERDOC, &err) == RK_STATE);
    MUST(rk_profile_capture_begin(RK_CAPTURE_RENDERDOC, &err) == RK_OK);
    MUST(rk_profile_capture_end(RK_CAPTURE_RENDERDOC, &err) == RK_OK);
    MUST(strcmp(take(STAND_IN("renderdoc")), "start 1 1\nend 1 1\n") == 0);
    (void)setenv("RK_TEST_RENDERDOC_EMPTY", "1", 1);
    MUST(rk_profile_capture_begin(RK_CAPTURE_RENDERDOC, &err) == RK_STATE);
    MUST(strstr(err.text, "nothing to capture") != NULL);
    (void)setenv("RK_TEST_RENDERDOC_OLD", "1", 1);
    MUST(rk_profile_capture_begin(RK_CAPTURE_RENDERDOC, &err) == RK_VERSION);
    return 0;
}

/* All that is asked for, or none; once in a process. */
static int capture_by_wish(void)
{
    rk_err err = RK_ERR_INIT;
    (void)take(STAND_IN("cuda"));
    (void)setenv("RK_CAPTURE", "renderdoc,nsight", 1);
    MUST(rk_profile_capture_auto_begin(&err) == RK_NOT_FOUND);
    MUST(strstr(err.text, "RenderDoc") != NULL);
    MUST(strcmp(take(STAND_IN("cuda")), "start\nstop\n") == 0); /* it ends with the other */
    (void)setenv("RK_CAPTURE", "nsight", 1);
    MUST(rk_profile_capture_auto_begin(&err) == RK_OK);
    MUST(rk_profile_capture_auto_begin(&err) == RK_OK); /* once in a process */
    rk_profile_capture_auto_end();
    rk_profile_capture_auto_end();
    MUST(strcmp(take(STAND_IN("cuda")), "start\nstop\n") == 0);
    return 0;
}

#define CASE(name)                                                                                 \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_process(name);                                                                          \
    }
CASE(nvtx_hears_all)
CASE(nvtx_with_marks_only)
CASE(nvtx_that_refuses)
CASE(nvtx_that_is_none)
CASE(nvtx_that_is_missing)
CASE(roctx_hears_all)
CASE(none_by_wish)
CASE(a_slip_of_the_pen)
CASE(nsight)
CASE(renderdoc)
CASE(capture_by_wish)

int main(void)
{
    (void)unsetenv("NVTX_INJECTION64_PATH");
    (void)unsetenv("RK_PROFILE");
    (void)unsetenv("RK_CAPTURE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nvtx_hears_all),
        cmocka_unit_test(test_nvtx_with_marks_only),
        cmocka_unit_test(test_nvtx_that_refuses),
        cmocka_unit_test(test_nvtx_that_is_none),
        cmocka_unit_test(test_nvtx_that_is_missing),
        cmocka_unit_test(test_roctx_hears_all),
        cmocka_unit_test(test_none_by_wish),
        cmocka_unit_test(test_a_slip_of_the_pen),
        cmocka_unit_test(test_nsight),
        cmocka_unit_test(test_renderdoc),
        cmocka_unit_test(test_capture_by_wish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
