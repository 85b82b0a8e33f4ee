/*
 * roctx.c: a stand-in of libroctx64.so that writes down what it is told.
 */
#include "profile/said.h"

#include <stdint.h>

SAID_API void roctxMarkA(const char *message);
SAID_API int roctxRangePushA(const char *message);
SAID_API int roctxRangePop(void);
SAID_API uint64_t roctxRangeStartA(const char *message);
SAID_API void roctxRangeStop(uint64_t range);

static int depth;
static uint64_t last;

void roctxMarkA(const char *message)
{
    say("mark '%s'", message);
}

int roctxRangePushA(const char *message)
{
    say("push '%s'", message);
    return depth++;
}

int roctxRangePop(void)
{
    say("pop");
    return --depth;
}

uint64_t roctxRangeStartA(const char *message)
{
    say("start %llu '%s'", (unsigned long long)++last, message);
    return last;
}

void roctxRangeStop(uint64_t range)
{
    say("stop %llu", (unsigned long long)range);
}
