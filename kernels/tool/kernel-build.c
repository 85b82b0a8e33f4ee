/*
 * kernel-build: compiles one built-in kernel for the build of RingKernel itself.
 *
 *   kernel-build SOURCE OUTPUT [cuda=on|auto]
 *
 * A user has `rk build`; this program needs nothing but libringkernel, so that kernels can be
 * compiled before the rest of the project.
 */
#include <ringkernel/module.h>

#include <stdio.h>
#include <string.h>

static void print(void *context, const char *text)
{
    (void)context;
    (void)fputs(text, stderr); /* nothing to do about a failure */
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: kernel-build SOURCE OUTPUT [cuda=on|auto]\n");
        return 2;
    }
    rk_module_build_options options = {.source_path = argv[1],
                                       .output_path = argv[2],
                                       .targets = RK_BUILD_CPU | RK_BUILD_FIBER | RK_BUILD_OPENCL,
                                       .jobs = 1,        /* the build tool runs several of us */
                                       .no_cache = true, /* and knows what is out of date */
                                       .print = print};
    bool on = argc > 3 && strcmp(argv[3], "cuda=on") == 0;
    bool automatic = argc > 3 && strcmp(argv[3], "cuda=auto") == 0;
    if (on || (automatic && (rk_module_build_targets() & RK_BUILD_CUDA) != 0)) {
        options.targets |= RK_BUILD_CUDA;
    }
    rk_err err = RK_ERR_INIT;
    if (rk_module_build(&options, &err) != RK_OK) {
        fprintf(stderr, "kernel-build: %s\n", err.text);
        return 1;
    }
    return 0;
}
