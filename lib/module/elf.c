#include "module/elf.h"

#include "base/compiler.h"
#include "module/bytes.h"

#include <string.h>

/* Offsets and sizes of the structures, from the ABI. */
#define FILE_HEADER_BYTES 64u
#define SECTION_HEADER_BYTES 64u
#define SYMBOL_BYTES 24u
#define TYPE_SHARED 3u
#define SECTION_TYPE_NO_BITS 8u
#define SECTION_TYPE_DYNSYM 11u
#define SYMBOL_GLOBAL 1u
#define SYMBOL_FUNCTION 2u

typedef struct section {
    uint32_t name;
    uint32_t type;
    uint64_t offset;
    uint64_t bytes;
    uint32_t link;
} section;

static bool lies_inside(const rk_elf *elf, uint64_t offset, uint64_t bytes)
{
    return offset <= elf->bytes && bytes <= elf->bytes - offset;
}

/* False if the index or what the header says lies outside the file. */
static bool read_section(const rk_elf *elf, uint32_t index, section *out)
{
    if (index >= elf->section_count) {
        return false;
    }
    const unsigned char *at = elf->data + elf->sections + (uint64_t)index * SECTION_HEADER_BYTES;
    out->name = rk_bytes_u32(at);
    out->type = rk_bytes_u32(at + 4);
    out->offset = rk_bytes_u64(at + 24);
    out->bytes = rk_bytes_u64(at + 32);
    out->link = rk_bytes_u32(at + 40);
    return out->type != SECTION_TYPE_NO_BITS && lies_inside(elf, out->offset, out->bytes);
}

/* A string of a table that is known to end with a NUL; "" for an offset outside. */
static const char *string_at(const unsigned char *table, uint64_t bytes, uint32_t offset)
{
    return offset < bytes ? (const char *)table + offset : "";
}

static bool ends_with_nul(const unsigned char *table, uint64_t bytes)
{
    return bytes != 0 && table[bytes - 1] == '\0';
}

rk_status rk_elf_open(const void *data, uint64_t bytes, rk_elf *out_elf, rk_err *err)
{
    static const unsigned char magic[4] = {0x7f, 'E', 'L', 'F'};
    const unsigned char *file = data;
    if (bytes < FILE_HEADER_BYTES || memcmp(file, magic, sizeof(magic)) != 0) {
        return rk_err_set(err, RK_CORRUPT, "it is no ELF file");
    }
    if (file[4] != 2 || file[5] != 1 || rk_bytes_u16(file + 16) != TYPE_SHARED) {
        return rk_err_set(err, RK_UNSUPPORTED, "it is no 64-bit little-endian ELF shared object");
    }
    rk_elf elf = {.data = file, .bytes = bytes};
    elf.machine = rk_bytes_u16(file + 18);
    elf.sections = rk_bytes_u64(file + 40);
    elf.section_count = rk_bytes_u16(file + 60);
    uint32_t names_index = rk_bytes_u16(file + 62);
    if (elf.section_count == 0 || rk_bytes_u16(file + 58) != SECTION_HEADER_BYTES ||
        !lies_inside(&elf, elf.sections, (uint64_t)elf.section_count * SECTION_HEADER_BYTES)) {
        return rk_err_set(err, RK_CORRUPT, "its section table lies outside the file");
    }
    section names;
    if (!read_section(&elf, names_index, &names) ||
        !ends_with_nul(file + names.offset, names.bytes)) {
        return rk_err_set(err, RK_CORRUPT, "its table of section names is damaged");
    }
    elf.names = file + names.offset;
    elf.names_bytes = names.bytes;
    *out_elf = elf;
    return RK_OK;
}

rk_status rk_elf_section(const rk_elf *elf, const char *name, const unsigned char **out_data,
                         uint64_t *out_bytes)
{
    for (uint32_t i = 1; i < elf->section_count; i++) {
        section found;
        bool whole = read_section(elf, i, &found);
        if (strcmp(string_at(elf->names, elf->names_bytes, found.name), name) != 0) {
            continue;
        }
        if (!whole) {
            return RK_CORRUPT;
        }
        *out_data = elf->data + found.offset;
        *out_bytes = found.bytes;
        return RK_OK;
    }
    return RK_NOT_FOUND;
}

static bool table_exports(const rk_elf *elf, const section *symbols, const char *name)
{
    section strings;
    if (!read_section(elf, symbols->link, &strings) ||
        !ends_with_nul(elf->data + strings.offset, strings.bytes)) {
        return false;
    }
    for (uint64_t i = 0; i + SYMBOL_BYTES <= symbols->bytes; i += SYMBOL_BYTES) {
        const unsigned char *symbol = elf->data + symbols->offset + i;
        bool global = symbol[4] >> 4 == SYMBOL_GLOBAL && (symbol[4] & 15u) == SYMBOL_FUNCTION;
        bool defined = rk_bytes_u16(symbol + 6) != 0;
        if (global && defined &&
            strcmp(string_at(elf->data + strings.offset, strings.bytes, rk_bytes_u32(symbol)),
                   name) == 0) {
            return true;
        }
    }
    return false;
}

bool rk_elf_exports_function(const rk_elf *elf, const char *name)
{
    for (uint32_t i = 1; i < elf->section_count; i++) {
        section found;
        if (read_section(elf, i, &found) && found.type == SECTION_TYPE_DYNSYM) {
            return table_exports(elf, &found, name);
        }
    }
    return false;
}
