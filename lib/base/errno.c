/*
 * errno.c: from the C library's error numbers to status codes and sentences.
 */
#include "base/errno.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

rk_status rk_status_of_errno(int error)
{
    switch (error) {
    case 0: return RK_OK;
    case EINVAL:
    case EBADF:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP: return RK_INVALID;
    case ENOMEM: return RK_NO_MEMORY;
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO: return RK_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: return RK_EXISTS;
    case ETIMEDOUT: return RK_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED: return RK_CLOSED;
    case ENOSYS:
    case EOPNOTSUPP: return RK_UNSUPPORTED;
    case EAGAIN:
    case EBUSY:
    case ETXTBSY: return RK_BUSY;
    case EMFILE:
    case ENFILE:
    case E2BIG:
    case EFBIG: return RK_LIMIT;
    case ENOSPC:
    case EDQUOT: return RK_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS: return RK_PERMISSION;
    case EFAULT: return RK_FAULT;
    case ECANCELED: return RK_ABORTED;
    default: return RK_IO;
    }
}

/* What a person can do about it, or "". */
static const char *advice_for(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT: return "; free some space or choose another place";
    case EACCES:
    case EPERM: return "; check the permissions and the user this runs as";
    case EROFS: return "; choose a place that can be written";
    case EMFILE:
    case ENFILE: return "; raise the limit of open files (ulimit -n)";
    case EIO: return "; check the disk and the system log";
    default: return "";
    }
}

rk_status rk_err_errno(rk_err *err, int error, const char *format, ...)
{
    rk_status status = rk_status_of_errno(error);
    if (err == NULL) {
        return status;
    }
    va_list args;
    va_start(args, format);
    rk_err_setv(err, status, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    char buffer[128];
    /* The GNU strerror_r returns the text, in buffer or static, and never fails. */
    const char *text = strerror_r(error, buffer, sizeof buffer);
    /* A cut sentence is still a sentence. */
    (void)snprintf(err->text + used, sizeof err->text - used, ": %s%s", text, advice_for(error));
    return status;
}
