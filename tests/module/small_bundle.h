/*
 * small_bundle.h: a bundle of about 1.5 KiB whose CPU code is a hand-made ELF file: whole enough
 * for the reader, with nothing in it to execute.
 */
#ifndef RK_TESTS_MODULE_SMALL_BUNDLE_H
#define RK_TESTS_MODULE_SMALL_BUNDLE_H

#include "module/bundle.h"
#include "module/bytes.h"
#include "module/elf.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_SCHEMA                                                                               \
    "ringkernel-schema 1\nmodule small \"a test\" \"1\"\nparam u32 n \"4\" \"\" \"\"\n"            \
    "field real f \"n\" \"Pa\" \"state\" \"\"\nhandler message\nvariant f32 \"\"\nvariant f64 "    \
    "\"\"\n"                                                                                       \
    "shared 0\nabi 1\n"
#define SMALL_BUILD "compiler none 1.0\nflags -O3\n"

enum { SMALL_NULL, SMALL_SCHEMA_SECTION, SMALL_DYNSYM, SMALL_DYNSTR, SMALL_NAMES, SMALL_SECTIONS };

/* Parts that tests change. */
typedef struct small_elf {
    uint32_t machine;
    const char *schema;
    const char *entry; /* name of the exported function */
} small_elf;

static inline void small_elf_section(unsigned char *file, uint64_t table, uint32_t index,
                                     uint32_t name, uint32_t type, uint64_t offset, uint64_t bytes,
                                     uint32_t link)
{
    unsigned char *at = file + table + (uint64_t)index * 64;
    rk_bytes_put_u32(at, name);
    rk_bytes_put_u32(at + 4, type);
    rk_bytes_put_u64(at + 24, offset);
    rk_bytes_put_u64(at + 32, bytes);
    rk_bytes_put_u32(at + 40, link);
}

/* The caller frees it. */
static inline unsigned char *small_elf_make(const small_elf *parts, size_t *out_bytes)
{
    static const char names[] = "\0.rkschema\0.dynsym\0.dynstr\0.shstrtab";
    size_t schema_bytes = strlen(parts->schema) + 1;
    size_t entry_bytes = strlen(parts->entry) + 1;
    size_t schema = 64;
    size_t symbols = (schema + schema_bytes + 7) / 8 * 8;
    size_t strings = symbols + 48;
    size_t section_names = strings + 1 + entry_bytes;
    size_t table = (section_names + sizeof(names) + 7) / 8 * 8;
    size_t bytes = table + SMALL_SECTIONS * 64;
    unsigned char *file = calloc(1, bytes);
    memcpy(file, "\177ELF\2\1\1", 7);
    rk_bytes_put_u16(file + 16, 3);
    rk_bytes_put_u16(file + 18, parts->machine);
    rk_bytes_put_u64(file + 40, table);
    rk_bytes_put_u16(file + 58, 64);
    rk_bytes_put_u16(file + 60, SMALL_SECTIONS);
    rk_bytes_put_u16(file + 62, SMALL_NAMES);
    memcpy(file + schema, parts->schema, schema_bytes);
    rk_bytes_put_u32(file + symbols + 24, 1);
    file[symbols + 24 + 4] = 1u << 4 | 2u;
    rk_bytes_put_u16(file + symbols + 24 + 6, 1);
    memcpy(file + strings + 1, parts->entry, entry_bytes);
    memcpy(file + section_names, names, sizeof(names));
    small_elf_section(file, table, SMALL_SCHEMA_SECTION, 1, 1, schema, schema_bytes, 0);
    small_elf_section(file, table, SMALL_DYNSYM, 11, 11, symbols, 48, SMALL_DYNSTR);
    small_elf_section(file, table, SMALL_DYNSTR, 19, 3, strings, 1 + entry_bytes, 0);
    small_elf_section(file, table, SMALL_NAMES, 27, 3, section_names, sizeof(names), 0);
    *out_bytes = bytes;
    return file;
}

static inline rk_section small_section(uint32_t kind, uint32_t level, uint32_t variant,
                                       const void *data, size_t bytes)
{
    return (rk_section){
        .kind = kind, .level = level, .variant = variant, .data = data, .bytes = bytes};
}

/* schema, build, cpu v1 and v4 and aarch64 for variant f32, ptx for f64. The caller frees it. */
static inline unsigned char *small_bundle_make(size_t *out_bytes)
{
    size_t x86_bytes = 0;
    size_t arm_bytes = 0;
    unsigned char *x86 =
        small_elf_make(&(small_elf){RK_ELF_X86_64, SMALL_SCHEMA, "rk_module_entry"}, &x86_bytes);
    unsigned char *arm =
        small_elf_make(&(small_elf){RK_ELF_AARCH64, SMALL_SCHEMA, "rk_module_entry"}, &arm_bytes);
    rk_section sections[] = {
        small_section(RK_SECTION_SCHEMA, 0, RK_SECTION_ALL_VARIANTS, SMALL_SCHEMA,
                      sizeof(SMALL_SCHEMA) - 1),
        small_section(RK_SECTION_BUILD, 0, RK_SECTION_ALL_VARIANTS, SMALL_BUILD,
                      sizeof(SMALL_BUILD) - 1),
        small_section(RK_SECTION_CPU, RK_ISA_X86_64_V1, 0, x86, x86_bytes),
        small_section(RK_SECTION_CPU, RK_ISA_AARCH64, 0, arm, arm_bytes),
        small_section(RK_SECTION_PTX, 75, 1, ".version 6.3\n", sizeof(".version 6.3\n")),
    };
    unsigned char *data = NULL;
    (void)rk_bundle_encode(sections, sizeof(sections) / sizeof(sections[0]), &data, out_bytes,
                           NULL); /* data stays NULL and the test fails */
    free(x86);
    free(arm);
    return data;
}

#endif
