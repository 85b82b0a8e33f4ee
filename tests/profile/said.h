/*
 * said.h: what a stand-in of a tool was told, as lines of text; part of each stand-in.
 */
#ifndef TESTS_PROFILE_SAID_H
#define TESTS_PROFILE_SAID_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define SAID_API __attribute__((visibility("default")))

static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;
static char said_text[1u << 16];
static size_t said_bytes;

/* Adds a line; what does not fit any more is left out. */
static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)pthread_mutex_lock(&said_lock);
    int more = vsnprintf(said_text + said_bytes, sizeof said_text - said_bytes, format, args);
    if (more > 0 && said_bytes + (size_t)more + 1 < sizeof said_text) {
        said_bytes += (size_t)more;
        said_text[said_bytes++] = '\n';
    }
    said_text[said_bytes] = '\0';
    (void)pthread_mutex_unlock(&said_lock);
    va_end(args);
}

/* Copies the lines and forgets them. */
SAID_API void stand_in_take(char *out, size_t bytes);
void stand_in_take(char *out, size_t bytes)
{
    (void)pthread_mutex_lock(&said_lock);
    (void)snprintf(out, bytes, "%s", said_text);
    said_bytes = 0;
    said_text[0] = '\0';
    (void)pthread_mutex_unlock(&said_lock);
}

#endif
