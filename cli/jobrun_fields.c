/*
 * jobrun_fields.c: the first contents of a kernel's fields, from numbers and raw files.
 */
#include "cli/jobrun.h"

#include "base/compiler.h"
#include "base/errno.h"
#include "base/file.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256u * 1024u)

/* The whole field gets one number. */
static rk_status fill_number(rk_part *part, uint32_t type, const char *field, uint64_t elements,
                             double number, rk_err *err)
{
    uint64_t slot;
    rk_status status = rk_param_from_number(type, number, &slot, err);
    if (status != RK_OK) {
        return status;
    }
    uint32_t bytes = rk_type_bytes(type);
    uint64_t at_once = CHUNK_BYTES / bytes;
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (chunk == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to fill a field");
    }
    for (uint64_t i = 0; i < at_once; i++) {
        memcpy(chunk + i * bytes, &slot, bytes); /* the value stands at the slot's start */
    }
    for (uint64_t at = 0; at < elements && status == RK_OK; at += at_once) {
        status = rk_kernel_write_field(part->kernel, field, at, RK_MIN(at_once, elements - at),
                                       chunk, err);
    }
    free(chunk);
    return status;
}

static rk_status copy_file(rk_part *part, int fd, const char *path, const char *field,
                           uint64_t elements, uint32_t bytes, rk_err *err)
{
    uint64_t at_once = CHUNK_BYTES / bytes;
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (chunk == NULL) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to fill a field");
    }
    rk_status status = RK_OK;
    for (uint64_t at = 0; at < elements && status == RK_OK; at += at_once) {
        uint64_t count = RK_MIN(at_once, elements - at);
        ssize_t got = rk_file_pread_full(fd, chunk, count * bytes, at * bytes);
        if (got != (ssize_t)(count * bytes)) {
            status = got < 0 ? rk_err_errno(err, (int)-got, "%s cannot be read", path)
                             : rk_err_set(err, RK_IO, "%s has become shorter meanwhile", path);
        } else {
            status = rk_kernel_write_field(part->kernel, field, at, count, chunk, err);
        }
    }
    free(chunk);
    return status;
}

/* The field gets the bytes of a file of exactly its size, in this machine's byte order. */
static rk_status fill_file(rk_part *part, const char *field, const char *name, uint64_t elements,
                           uint32_t bytes, rk_err *err)
{
    char path[PATH_MAX];
    const char *folder = part->run->job->folder;
    int length = name[0] == '/' ? snprintf(path, sizeof path, "%s", name)
                                : snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length >= (int)sizeof path) {
        return rk_err_set(err, RK_LIMIT, "the path of the raw file is too long");
    }
    int fd = rk_file_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return rk_err_errno(err, -fd, "%s cannot be opened", path);
    }
    rk_file_info info;
    int result = rk_file_fstat(fd, &info);
    rk_status status;
    if (result < 0) {
        status = rk_err_errno(err, -result, "%s cannot be read", path);
    } else if (!info.is_regular || info.size_bytes != elements * bytes) {
        status = rk_err_set(err, RK_INVALID,
                            "%s has %" PRIu64 " bytes, but the field has %" PRIu64
                            " elements of %u bytes",
                            path, info.size_bytes, elements, bytes);
    } else {
        status = copy_file(part, fd, path, field, elements, bytes, err);
    }
    (void)rk_file_close(fd); /* was only read */
    return status;
}

rk_status rk_jobrun_fill_fields(rk_jobrun *run, rk_part *part, rk_err *err)
{
    const rk_schema *schema = rk_module_schema(part->module);
    for (size_t i = 0; i < part->spec->field_count; i++) {
        const rk_job_value *value = &part->spec->fields[i];
        uint64_t elements;
        uint32_t bytes;
        rk_status status = rk_kernel_field_size(part->kernel, value->name, &elements, &bytes, err);
        if (status == RK_OK && isnan(value->number)) {
            status = fill_file(part, value->name, value->text, elements, bytes, err);
        } else if (status == RK_OK) {
            int index = rk_schema_find_field(schema, value->name);
            uint32_t type = rk_schema_type(schema, part->variant, schema->fields[index].type);
            status = fill_number(part, type, value->name, elements, value->number, err);
        }
        if (status != RK_OK) {
            return rk_err_prefix(err, "%s:%u:%u: field '%s': ", run->job->file, value->mark.line,
                                 value->mark.column, value->name);
        }
    }
    return RK_OK;
}
