/*
 * bundle.c: reads bundle files without trusting them, and lays them out. Format in bundle.h.
 */
#include "module/bundle.h"

#include "base/compiler.h"
#include "base/crc.h"
#include "base/file.h"
#include "core/schema.h"
#include "module/bytes.h"
#include "module/elf.h"

#include <stdlib.h>
#include <string.h>

#define SECTION_ALIGN_BYTES 64u

/* Offsets in the header and in a table entry. */
enum {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 4,
    HEADER_BYTES = 6,
    HEADER_FILE_BYTES = 8,
    HEADER_COUNT = 16,
    HEADER_ENTRY_BYTES = 20,
    HEADER_TABLE = 24,
    HEADER_ABI = 32,
    HEADER_CRC = 36,
    HEADER_RESERVED = 40,
    ENTRY_KIND = 0,
    ENTRY_LEVEL = 4,
    ENTRY_VARIANT = 8,
    ENTRY_FLAGS = 12,
    ENTRY_OFFSET = 16,
    ENTRY_SECTION_BYTES = 24,
    ENTRY_CRC = 32,
    ENTRY_RESERVED = 36
};

struct rk_bundle {
    unsigned char *data; /* the file, owned */
    size_t bytes;
    char *name;
    rk_schema *schema;
    uint32_t crc;
    uint32_t count;
    rk_section sections[RK_BUNDLE_SECTION_MAX];
};

const char *rk_section_name(uint32_t kind)
{
    switch (kind) {
#define SECTION_CASE(symbol, value, name)                                                          \
    case RK_SECTION_##symbol: return name;
        RK_SECTION_LIST(SECTION_CASE)
#undef SECTION_CASE
    default: return "?";
    }
}

static bool all_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint64_t align_up(uint64_t offset)
{
    return (offset + SECTION_ALIGN_BYTES - 1) / SECTION_ALIGN_BYTES * SECTION_ALIGN_BYTES;
}

/* CRC of the file with its CRC word as zero. */
static uint32_t file_crc(const unsigned char *file, size_t bytes)
{
    static const unsigned char zeros[4] = {0};
    uint32_t crc = rk_crc32(0, file, HEADER_CRC);
    crc = rk_crc32(crc, zeros, sizeof(zeros));
    return rk_crc32(crc, file + HEADER_CRC + 4, bytes - HEADER_CRC - 4);
}

/* What the file is, before anything in it is believed. */
static rk_status check_header(const rk_bundle *b, rk_err *err)
{
    const unsigned char *file = b->data;
    if (b->bytes < RK_BUNDLE_HEADER_BYTES || rk_bytes_u32(file + HEADER_MAGIC) != RK_BUNDLE_MAGIC) {
        return rk_err_set(err, RK_CORRUPT,
                          "it is no module bundle (a file made by 'rk build', ending in .rkm)");
    }
    uint32_t version = rk_bytes_u16(file + HEADER_VERSION);
    if (version != RK_BUNDLE_VERSION) {
        return rk_err_set(err, RK_VERSION,
                          "it has bundle format %u, this library reads %u; rebuild the module with "
                          "this version's 'rk build'",
                          version, RK_BUNDLE_VERSION);
    }
    uint64_t bytes = rk_bytes_u64(file + HEADER_FILE_BYTES);
    if (bytes != b->bytes) {
        return rk_err_set(err, RK_CORRUPT,
                          "it has %zu bytes where its header says %llu: it is %s; copy or build it "
                          "again",
                          b->bytes, (unsigned long long)bytes,
                          bytes > b->bytes ? "truncated" : "damaged");
    }
    if (file_crc(file, b->bytes) != rk_bytes_u32(file + HEADER_CRC)) {
        return rk_err_set(err, RK_CORRUPT,
                          "its checksum is wrong: it is damaged; copy or build it again");
    }
    uint32_t abi = rk_bytes_u32(file + HEADER_ABI);
    if (abi != RK_ABI_VERSION) {
        return rk_err_set(
            err, RK_VERSION,
            "it was compiled for kernel interface %u, this library has %u; rebuild it "
            "with 'rk build'",
            abi, RK_ABI_VERSION);
    }
    return RK_OK;
}

/* From here on the file is as somebody wrote it, but nobody says that he meant well. */
static rk_status read_table(rk_bundle *b, rk_err *err)
{
    const unsigned char *file = b->data;
    uint32_t count = rk_bytes_u32(file + HEADER_COUNT);
    if (rk_bytes_u16(file + HEADER_BYTES) != RK_BUNDLE_HEADER_BYTES ||
        rk_bytes_u32(file + HEADER_ENTRY_BYTES) != RK_BUNDLE_ENTRY_BYTES ||
        rk_bytes_u64(file + HEADER_TABLE) != RK_BUNDLE_HEADER_BYTES ||
        !all_zero(file + HEADER_RESERVED, RK_BUNDLE_HEADER_BYTES - HEADER_RESERVED)) {
        return rk_err_set(err, RK_CORRUPT, "its header is malformed; build it again");
    }
    if (count > RK_BUNDLE_SECTION_MAX ||
        (b->bytes - RK_BUNDLE_HEADER_BYTES) / RK_BUNDLE_ENTRY_BYTES < count) {
        return rk_err_set(err, RK_CORRUPT, "its section table has %u entries, which is too many",
                          count);
    }
    uint64_t end = RK_BUNDLE_HEADER_BYTES + (uint64_t)count * RK_BUNDLE_ENTRY_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *entry = file + RK_BUNDLE_HEADER_BYTES + i * RK_BUNDLE_ENTRY_BYTES;
        uint64_t offset = rk_bytes_u64(entry + ENTRY_OFFSET);
        uint64_t bytes = rk_bytes_u64(entry + ENTRY_SECTION_BYTES);
        if (offset != align_up(end) || offset > b->bytes || bytes > b->bytes - offset ||
            rk_bytes_u32(entry + ENTRY_FLAGS) != 0 ||
            !all_zero(entry + ENTRY_RESERVED, RK_BUNDLE_ENTRY_BYTES - ENTRY_RESERVED) ||
            !all_zero(file + end, (size_t)(offset - end))) {
            return rk_err_set(err, RK_CORRUPT, "entry %u of its section table is malformed", i);
        }
        rk_section *section = &b->sections[i];
        section->kind = rk_bytes_u32(entry + ENTRY_KIND);
        section->level = rk_bytes_u32(entry + ENTRY_LEVEL);
        section->variant = rk_bytes_u32(entry + ENTRY_VARIANT);
        section->crc = rk_bytes_u32(entry + ENTRY_CRC);
        section->data = file + offset;
        section->bytes = (size_t)bytes;
        if (rk_crc32(0, section->data, section->bytes) != section->crc) {
            return rk_err_set(err, RK_CORRUPT, "the checksum of its section %u (%s) is wrong", i,
                              rk_section_name(section->kind));
        }
        end = offset + bytes;
    }
    if (end != b->bytes) {
        return rk_err_set(err, RK_CORRUPT, "%llu bytes stand behind its last section",
                          (unsigned long long)(b->bytes - end));
    }
    b->count = count;
    return RK_OK;
}

static const rk_section *only_section(const rk_bundle *b, uint32_t kind)
{
    const rk_section *found = NULL;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->sections[i].kind == kind) {
            if (found) {
                return NULL;
            }
            found = &b->sections[i];
        }
    }
    return found;
}

static uint32_t machine_of(uint32_t isa)
{
    switch (isa) {
    case RK_ISA_X86_64_V1:
    case RK_ISA_X86_64_V2:
    case RK_ISA_X86_64_V3:
    case RK_ISA_X86_64_V4: return RK_ELF_X86_64;
    case RK_ISA_AARCH64: return RK_ELF_AARCH64;
    case RK_ISA_RISCV64: return RK_ELF_RISCV;
    default: return 0;
    }
}

rk_status rk_bundle_check_code(const void *code, size_t bytes, uint32_t isa, const char *schema,
                               size_t schema_bytes, rk_err *err)
{
    rk_elf elf;
    rk_status status = rk_elf_open(code, bytes, &elf, err);
    if (status != RK_OK) {
        return status;
    }
    if (machine_of(isa) == 0 || elf.machine != machine_of(isa)) {
        return rk_err_set(err, RK_CORRUPT, "it is made for another processor (ELF machine %u)",
                          elf.machine);
    }
    const unsigned char *text = NULL;
    uint64_t text_bytes = 0;
    if (rk_elf_section(&elf, ".rkschema", &text, &text_bytes) != RK_OK ||
        text_bytes != schema_bytes + 1 || memcmp(text, schema, schema_bytes) != 0 ||
        text[schema_bytes] != '\0') {
        return rk_err_set(err, RK_CORRUPT, "its schema is not that of the bundle");
    }
    if (!rk_elf_exports_function(&elf, "rk_module_entry")) {
        return rk_err_set(err, RK_CORRUPT, "it has no rk_module_entry");
    }
    return RK_OK;
}

static rk_status check_section(const rk_bundle *b, uint32_t index, const rk_section *schema,
                               rk_err *err)
{
    const rk_section *s = &b->sections[index];
    const char *text = s->data;
    if (s->kind == RK_SECTION_SCHEMA || s->kind == RK_SECTION_BUILD) {
        return RK_OK; /* known to be the only one of its kind */
    }
    if (s->kind >= RK_SECTION_KIND_END || s->kind == 0) {
        return rk_err_set(err, RK_VERSION,
                          "its section %u is of kind %u, which this library does not know", index,
                          s->kind);
    }
    if (s->variant != RK_SECTION_ALL_VARIANTS && s->variant >= b->schema->variant_count) {
        return rk_err_set(err, RK_CORRUPT, "its section %u belongs to variant %u, which it lacks",
                          index, s->variant);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (b->sections[i].kind == s->kind && b->sections[i].level == s->level &&
            b->sections[i].variant == s->variant) {
            return rk_err_set(err, RK_CORRUPT, "its sections %u and %u are for the same target", i,
                              index);
        }
    }
    rk_status status = RK_OK;
    if (s->kind == RK_SECTION_CPU || s->kind == RK_SECTION_FIBER) {
        status =
            rk_bundle_check_code(s->data, s->bytes, s->level, schema->data, schema->bytes, err);
    } else if ((s->kind == RK_SECTION_PTX || s->kind == RK_SECTION_OPENCL_SOURCE) &&
               (s->bytes == 0 || text[s->bytes - 1] != '\0' ||
                memchr(text, '\0', s->bytes) != text + s->bytes - 1)) {
        status = rk_err_set(err, RK_CORRUPT, "its text has no end");
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "section %u (%s): ", index, rk_section_name(s->kind));
    }
    return status;
}

static rk_status check_contents(rk_bundle *b, rk_err *err)
{
    const rk_section *schema = only_section(b, RK_SECTION_SCHEMA);
    const rk_section *build = only_section(b, RK_SECTION_BUILD);
    if (!schema || !build) {
        return rk_err_set(err, RK_CORRUPT, "it must have one schema and one build section");
    }
    rk_status status = rk_schema_parse(schema->data, schema->bytes, &b->schema, err);
    if (status != RK_OK) {
        return status;
    }
    if (b->schema->abi_version != RK_ABI_VERSION) {
        return rk_err_set(err, RK_VERSION,
                          "its schema is of kernel interface %u, this library has %u; rebuild it "
                          "with 'rk build'",
                          b->schema->abi_version, RK_ABI_VERSION);
    }
    for (uint32_t i = 0; i < b->count && status == RK_OK; i++) {
        status = check_section(b, i, schema, err);
    }
    return status;
}

/* Takes data: frees it on failure. */
static rk_status open_take(unsigned char *data, size_t length, const char *name,
                           rk_bundle **out_bundle, rk_err *err)
{
    rk_bundle *b = calloc(1, sizeof(*b));
    char *copy = strdup(name);
    if (!b || !copy) {
        free(b);
        free(copy);
        free(data);
        return rk_err_set(err, RK_NO_MEMORY, "module '%s': no memory", name);
    }
    b->data = data;
    b->bytes = length;
    b->name = copy;
    rk_status status = check_header(b, err);
    if (status == RK_OK) {
        b->crc = rk_bytes_u32(data + HEADER_CRC);
        status = read_table(b, err);
    }
    if (status == RK_OK) {
        status = check_contents(b, err);
    }
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "cannot use module '%s': ", name);
        rk_bundle_close(b);
        return status;
    }
    *out_bundle = b;
    return RK_OK;
}

rk_status rk_bundle_open_file(const char *path, rk_bundle **out_bundle, rk_err *err)
{
    char *data = NULL;
    size_t length = 0;
    rk_status status = rk_file_read_all(path, RK_BUNDLE_FILE_MAX, &data, &length, err);
    if (status != RK_OK) {
        return status;
    }
    return open_take((unsigned char *)data, length, path, out_bundle, err);
}

rk_status rk_bundle_open_memory(const void *data, size_t length, const char *name,
                                rk_bundle **out_bundle, rk_err *err)
{
    if (length > RK_BUNDLE_FILE_MAX) {
        return rk_err_set(err, RK_LIMIT, "module '%s': %zu bytes are more than the limit of %zu",
                          name, length, RK_BUNDLE_FILE_MAX);
    }
    unsigned char *copy = malloc(length ? length : 1);
    if (!copy) {
        return rk_err_set(err, RK_NO_MEMORY, "module '%s': no memory for %zu bytes", name, length);
    }
    if (length != 0) {
        memcpy(copy, data, length);
    }
    return open_take(copy, length, name, out_bundle, err);
}

void rk_bundle_close(rk_bundle *bundle)
{
    if (bundle) {
        rk_schema_free(bundle->schema);
        free(bundle->name);
        free(bundle->data);
        free(bundle);
    }
}

const char *rk_bundle_name(const rk_bundle *bundle)
{
    return bundle->name;
}

const rk_schema *rk_bundle_schema(const rk_bundle *bundle)
{
    return bundle->schema;
}

uint32_t rk_bundle_crc(const rk_bundle *bundle)
{
    return bundle->crc;
}

uint32_t rk_bundle_section_count(const rk_bundle *bundle)
{
    return bundle->count;
}

const rk_section *rk_bundle_section(const rk_bundle *bundle, uint32_t index)
{
    return index < bundle->count ? &bundle->sections[index] : NULL;
}

static void encode_section(unsigned char *file, uint32_t index, const rk_section *section,
                           uint64_t offset)
{
    unsigned char *entry = file + RK_BUNDLE_HEADER_BYTES + index * RK_BUNDLE_ENTRY_BYTES;
    rk_bytes_put_u32(entry + ENTRY_KIND, section->kind);
    rk_bytes_put_u32(entry + ENTRY_LEVEL, section->level);
    rk_bytes_put_u32(entry + ENTRY_VARIANT, section->variant);
    rk_bytes_put_u64(entry + ENTRY_OFFSET, offset);
    rk_bytes_put_u64(entry + ENTRY_SECTION_BYTES, section->bytes);
    rk_bytes_put_u32(entry + ENTRY_CRC, rk_crc32(0, section->data, section->bytes));
    if (section->bytes != 0) {
        memcpy(file + offset, section->data, section->bytes);
    }
}

rk_status rk_bundle_encode(const rk_section *sections, uint32_t count, unsigned char **out_data,
                           size_t *out_length, rk_err *err)
{
    if (count > RK_BUNDLE_SECTION_MAX) {
        return rk_err_set(err, RK_LIMIT, "a bundle holds at most %u sections, not %u",
                          RK_BUNDLE_SECTION_MAX, count);
    }
    uint64_t bytes = RK_BUNDLE_HEADER_BYTES + (uint64_t)count * RK_BUNDLE_ENTRY_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (sections[i].bytes > RK_BUNDLE_FILE_MAX ||
            (bytes = align_up(bytes) + sections[i].bytes) > RK_BUNDLE_FILE_MAX) {
            return rk_err_set(err, RK_LIMIT, "a bundle can have at most %zu bytes",
                              RK_BUNDLE_FILE_MAX);
        }
    }
    unsigned char *file = calloc(1, (size_t)bytes);
    if (!file) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for a bundle of %llu bytes",
                          (unsigned long long)bytes);
    }
    rk_bytes_put_u32(file + HEADER_MAGIC, RK_BUNDLE_MAGIC);
    rk_bytes_put_u16(file + HEADER_VERSION, RK_BUNDLE_VERSION);
    rk_bytes_put_u16(file + HEADER_BYTES, RK_BUNDLE_HEADER_BYTES);
    rk_bytes_put_u64(file + HEADER_FILE_BYTES, bytes);
    rk_bytes_put_u32(file + HEADER_COUNT, count);
    rk_bytes_put_u32(file + HEADER_ENTRY_BYTES, RK_BUNDLE_ENTRY_BYTES);
    rk_bytes_put_u64(file + HEADER_TABLE, RK_BUNDLE_HEADER_BYTES);
    rk_bytes_put_u32(file + HEADER_ABI, RK_ABI_VERSION);
    uint64_t end = RK_BUNDLE_HEADER_BYTES + (uint64_t)count * RK_BUNDLE_ENTRY_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = align_up(end);
        encode_section(file, i, &sections[i], offset);
        end = offset + sections[i].bytes;
    }
    rk_bytes_put_u32(file + HEADER_CRC, file_crc(file, (size_t)bytes));
    *out_data = file;
    *out_length = (size_t)bytes;
    return RK_OK;
}

rk_status rk_bundle_write(const char *path, const rk_section *sections, uint32_t count, rk_err *err)
{
    unsigned char *data = NULL;
    size_t length = 0;
    rk_status status = rk_bundle_encode(sections, count, &data, &length, err);
    if (status == RK_OK) {
        status = rk_file_replace(path, data, length, err);
        free(data);
    }
    return status;
}
