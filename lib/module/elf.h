/*
 * elf.h: as much of ELF as it takes to look into a kernel's shared object without loading it.
 *
 * Source: System V ABI, "Object Files" and "Dynamic Linking"; 64-bit, little-endian files only. The
 * input is untrusted: every offset, size and index is checked before it is used.
 */
#ifndef RK_MODULE_ELF_H
#define RK_MODULE_ELF_H

#include <ringkernel/status.h>

/* e_machine */
#define RK_ELF_X86_64 62u
#define RK_ELF_AARCH64 183u
#define RK_ELF_RISCV 243u

/* A checked file; the bytes are borrowed from the caller and must outlive it. */
typedef struct rk_elf {
    const unsigned char *data;
    uint64_t bytes;
    uint32_t machine;
    uint64_t sections; /* offset of the section table */
    uint32_t section_count;
    const unsigned char *names; /* section names, NUL-terminated as a whole */
    uint64_t names_bytes;
} rk_elf;

/*
 * Reads the headers. RK_CORRUPT: no ELF file, or a damaged one; RK_UNSUPPORTED: 32-bit, big-endian,
 * or not a shared object. The text starts with "it".
 */
rk_status rk_elf_open(const void *data, uint64_t bytes, rk_elf *out_elf, rk_err *err);

/* The contents of the first section of that name. RK_NOT_FOUND, RK_CORRUPT. */
rk_status rk_elf_section(const rk_elf *elf, const char *name, const unsigned char **out_data,
                         uint64_t *out_bytes);

/* Whether the dynamic symbol table has a defined, global function of that name. */
bool rk_elf_exports_function(const rk_elf *elf, const char *name);

#endif
