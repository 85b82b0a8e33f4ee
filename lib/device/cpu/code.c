/*
 * code.c: loads compiled kernels into this process.
 *
 * The dynamic linker recognises a library that it has already loaded by its inode, so each load
 * goes through a memory file of its own: two versions, or two instances with their own static
 * data, never become one.
 */
#include "device/cpu/exec.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static rk_status write_all(int fd, const uint8_t *data, uint64_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, data, bytes);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == ENOSPC || errno == ENOMEM ? RK_NO_MEMORY : RK_IO;
        }
        data += written;
        bytes -= (uint64_t)written;
    }
    return RK_OK;
}

rk_status rk_cpu_code_load_fd_take(rk_cpu_code *out_code, int fd, rk_err *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *reason = dlerror();
        return rk_err_set(err, RK_CORRUPT,
                          "cannot load the kernel's code: %s; rebuild the module with 'rk build'",
                          reason != NULL ? reason : "unknown reason");
    }
    rk_cpu_code code = {.handle = handle, .fd = fd};
    /* POSIX lets dlsym return functions as void *; ISO C needs the copy. */
    void *symbol = dlsym(handle, "rk_module_entry");
    memcpy(&code.entry, &symbol, sizeof code.entry);
    const rk_u32 *shared = dlsym(handle, "rk_module_shared_bytes");
    if (symbol == NULL || shared == NULL) {
        (void)dlclose(handle);
        return rk_err_set(
            err, RK_CORRUPT,
            "the code has no entry point rk_module_entry; it was not built from a kernel "
            "source that includes <ringkernel/kernel.h>");
    }
    code.shared_bytes = *shared;
    *out_code = code;
    return RK_OK;
}

rk_status rk_cpu_code_load(rk_cpu_code *out_code, const void *image, uint64_t bytes, rk_err *err)
{
    int fd = memfd_create("ringkernel-code", MFD_CLOEXEC);
    if (fd < 0) {
        return rk_err_set(err, RK_NO_MEMORY, "cannot make a memory file for the kernel's code: %s",
                          strerror(errno));
    }
    rk_status status = write_all(fd, image, bytes);
    if (status != RK_OK) {
        (void)close(fd);
        return rk_err_set(err, status, "cannot copy %llu bytes of kernel code into memory: %s",
                          (unsigned long long)bytes, rk_status_text(status));
    }
    status = rk_cpu_code_load_fd_take(out_code, fd, err);
    if (status != RK_OK) {
        (void)close(fd);
    }
    return status;
}

void rk_cpu_code_finish(rk_cpu_code *code)
{
    if (code->handle != NULL) {
        (void)dlclose(code->handle);
        (void)close(code->fd);
        code->handle = NULL;
    }
}
