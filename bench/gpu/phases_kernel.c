/*
 * phases_kernel.c: nine empty phases: what a step costs beyond its first phase is eight barriers.
 */
#define RK_NAME phases
#define RK_SUMMARY "nine empty phases, to measure the barrier"
#define RK_FIELDS(F) F(u32, nothing, "1", "", "scratch", "a kernel needs a field")
#define RK_PHASES(X) X(a) X(b) X(c) X(d) X(e) X(f) X(g) X(h) X(i)
#include <ringkernel/kernel.h>

#define EMPTY(name)                                                                                \
    RK_PHASE(name)                                                                                 \
    {                                                                                              \
        (void)k;                                                                                   \
    }
EMPTY(a)
EMPTY(b)
EMPTY(c)
EMPTY(d)
EMPTY(e)
EMPTY(f)
EMPTY(g)
EMPTY(h)
EMPTY(i)
