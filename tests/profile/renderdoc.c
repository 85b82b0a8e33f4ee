/*
 * renderdoc.c: a stand-in of librenderdoc.so with its in-application API, version 1.1.2. Entries of
 * its table that nobody should call end the program.
 */
#include "profile/said.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t is_capturing;

static void never(void)
{
    abort();
}

static void start_frame(void *device, void *window)
{
    is_capturing = getenv("RK_TEST_RENDERDOC_EMPTY") == NULL;
    say("start %d %d", device == NULL, window == NULL);
}

static uint32_t capturing(void)
{
    return is_capturing;
}

static uint32_t end_frame(void *device, void *window)
{
    is_capturing = 0;
    say("end %d %d", device == NULL, window == NULL);
    return 1;
}

/* The places are those of RENDERDOC_API_1_1_2 in renderdoc_app.h. */
static void *table[23];

SAID_API int RENDERDOC_GetAPI(int version, void **out_api);
int RENDERDOC_GetAPI(int version, void **out_api)
{
    const char *wrong = getenv("RK_TEST_RENDERDOC_OLD");
    if (wrong != NULL || version > 10102) {
        return 0;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        void (*function)(void) = never;
        memcpy(&table[i], &function, sizeof function);
    }
    void (*start)(void *, void *) = start_frame;
    uint32_t (*is)(void) = capturing;
    uint32_t (*end)(void *, void *) = end_frame;
    memcpy(&table[19], &start, sizeof start);
    memcpy(&table[20], &is, sizeof is);
    memcpy(&table[21], &end, sizeof end);
    *out_api = (void *)table;
    return 1;
}
