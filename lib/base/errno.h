/*
 * errno.h: from the C library's error numbers to status codes and sentences.
 */
#ifndef RK_BASE_ERRNO_H
#define RK_BASE_ERRNO_H

#include <ringkernel/status.h>

/* The status for an errno value (positive); RK_IO for one that has no closer match, RK_OK for 0. */
rk_status rk_status_of_errno(int error);

/*
 * Sets err (may be NULL) to the formatted text followed by ": " and the system's text for the errno
 * value and, where there is one, what to do about it; returns its status. "cannot write /x" becomes
 * "cannot write /x: No space left on device; free some space or choose another place".
 */
rk_status rk_err_errno(rk_err *err, int error, const char *format, ...) RK_PRINTF(3, 4);

#endif
