/*
 * version.h: the version of the headers, and of the library that is really loaded.
 */
#ifndef RINGKERNEL_VERSION_H
#define RINGKERNEL_VERSION_H

#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_VERSION_MAJOR 0
#define RK_VERSION_MINOR 1
#define RK_VERSION_PATCH 0
#define RK_VERSION_TEXT "0.1.0"

/* The loaded library's version, for example "0.1.0"; a static string. */
RK_API const char *rk_version_string(void);

#ifdef __cplusplus
}
#endif
#endif
