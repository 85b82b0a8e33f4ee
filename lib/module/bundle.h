/*
 * bundle.h: module bundle files (NAME.rkm).
 *
 * A bundle is a header, a table of sections and the sections. All numbers are little-endian.
 *
 *   header, 64 bytes                          section table entry, 48 bytes
 *    0  u32 magic "RKMB"                       0  u32 kind     RK_SECTION_*
 *    4  u16 format version                     4  u32 level    rk_isa; PTX, cubin: 10 * capability
 *    6  u16 header bytes (64)                  8  u32 variant  index, or RK_SECTION_ALL_VARIANTS
 *    8  u64 file bytes                        12  u32 flags    zero
 *   16  u32 section count                     16  u64 offset   from the start of the file
 *   20  u32 bytes of a table entry (48)       24  u64 bytes
 *   24  u64 offset of the table (64)          32  u32 CRC-32 of the section
 *   32  u32 RK_ABI_VERSION                    36  u8[12] zero
 *   36  u32 CRC-32 of the whole file with
 *           this word as zero
 *   40  u8[24] zero
 *
 * Sections lie in the order of the table, each at the next multiple of 64 behind the one before,
 * and zeros between. There is exactly one schema and one build section, and no two code sections
 * have the same kind, level and variant. CPU code is an ELF shared object whose .rkschema section
 * equals the schema and which exports rk_module_entry.
 *
 * The file is untrusted: the reader checks all of this and refuses what it does not know. (Code in
 * a bundle that passes is still code: whoever may write a bundle may run it.)
 */
#ifndef RK_MODULE_BUNDLE_H
#define RK_MODULE_BUNDLE_H

#include "base/str.h"
#include "module/isa.h"
#include <ringkernel/schema.h>

#define RK_BUNDLE_MAGIC 0x424d4b52u /* "RKMB" */
#define RK_BUNDLE_VERSION 1u
#define RK_BUNDLE_HEADER_BYTES 64u
#define RK_BUNDLE_ENTRY_BYTES 48u
#define RK_BUNDLE_SECTION_MAX 256u
#define RK_BUNDLE_FILE_MAX ((size_t)256 << 20)
#define RK_SECTION_ALL_VARIANTS UINT32_MAX

/* X(symbol, value, name). Values stand in files. */
#define RK_SECTION_LIST(X)                                                                         \
    X(SCHEMA, 1, "schema")        /* the schema text                                       */      \
    X(BUILD, 2, "build")          /* "key value" lines: compiler, flags, date              */      \
    X(CPU, 3, "cpu")              /* ELF shared object                                     */      \
    X(FIBER, 4, "cpu-fiber")      /* the same, compiled with many real lanes per block     */      \
    X(PTX, 5, "ptx")              /* text, NUL-terminated                                  */      \
    X(CUBIN, 6, "cubin")          /*                                                       */      \
    X(HIP, 7, "hip")              /* HIP code object                                       */      \
    X(OPENCL_SOURCE, 8, "opencl") /* OpenCL C text, NUL-terminated                         */      \
    X(OPENCL_BINARY, 9, "opencl-binary")

#define RK_SECTION_DEFINE(symbol, value, name) RK_SECTION_##symbol = (value),
enum { RK_SECTION_LIST(RK_SECTION_DEFINE) RK_SECTION_KIND_END };
#undef RK_SECTION_DEFINE

typedef struct rk_section {
    uint32_t kind;
    uint32_t level;
    uint32_t variant;
    uint32_t crc; /* CRC-32 of the data; the writer fills it itself */
    const void *data;
    size_t bytes;
} rk_section;

/* A checked bundle in memory. Immutable; any thread may read it. */
typedef struct rk_bundle rk_bundle;

/* Reads and checks. Errors as rk_module_open_file and rk_module_open_memory say. */
rk_status rk_bundle_open_file(const char *path, rk_bundle **out_bundle, rk_err *err);
rk_status rk_bundle_open_memory(const void *data, size_t length, const char *name,
                                rk_bundle **out_bundle, rk_err *err);
void rk_bundle_close(rk_bundle *bundle); /* NULL is allowed */

const char *rk_bundle_name(const rk_bundle *bundle); /* path, or the name given */
const rk_schema *rk_bundle_schema(const rk_bundle *bundle);
uint32_t rk_bundle_crc(const rk_bundle *bundle);
uint32_t rk_bundle_section_count(const rk_bundle *bundle);
const rk_section *rk_bundle_section(const rk_bundle *bundle, uint32_t index);

/*
 * The section of that kind for level and variant (or for all variants), or NULL. Data stays valid
 * until the bundle is closed.
 */
const rk_section *rk_bundle_find(const rk_bundle *bundle, uint32_t kind, uint32_t level,
                                 uint32_t variant);

/*
 * The best CPU code (kind RK_SECTION_CPU or RK_SECTION_FIBER) that this processor runs. level pins
 * one; RK_ISA_NONE leaves the choice to the environment's RK_ISA, else to the processor.
 * RK_NOT_FOUND if the bundle lacks it, RK_UNSUPPORTED if the processor cannot run what is pinned or
 * any of what is there, RK_INVALID for a wrong RK_ISA; the text lists what the bundle holds.
 */
rk_status rk_bundle_find_cpu(const rk_bundle *bundle, uint32_t kind, uint32_t variant, rk_isa level,
                             const rk_section **out_section, rk_err *err);

/*
 * The best GPU code for a device: code_kinds has the bit 1 << RK_SECTION_* of each kind that it
 * takes (PTX, CUBIN, HIP, OPENCL_SOURCE; other bits are ignored). code_level is 10 * compute
 * capability for CUDA, the number of the gfx name in hexadecimal for HIP (gfx90a: 0x90a), and
 * means nothing for OpenCL. A cubin runs on its major capability with the same or a later minor one
 * and is preferred; PTX runs from its capability on; a HIP code object on its own GPU alone (CUDA
 * Programming Guide, "Binary Compatibility", "PTX Compatibility"; LLVM "User Guide for AMDGPU").
 * device_name stands in messages. RK_NOT_FOUND if the bundle has no such code, RK_UNSUPPORTED if it
 * is made for other devices, RK_INVALID if code_kinds names none of these; the text says what the
 * bundle holds and how to rebuild it.
 */
rk_status rk_bundle_find_code(const rk_bundle *bundle, uint32_t code_kinds, uint32_t code_level,
                              const char *device_name, uint32_t variant,
                              const rk_section **out_section, rk_err *err);

/* Appends a description, as lines for a person or as one JSON object. */
rk_status rk_bundle_inspect(const rk_bundle *bundle, bool as_json, rk_str *out);

/*
 * Lays out a bundle of these sections in memory (the caller frees *out_data) or as a file, which
 * appears whole or not at all. Does not check that a reader will accept the contents.
 */
rk_status rk_bundle_encode(const rk_section *sections, uint32_t count, unsigned char **out_data,
                           size_t *out_length, rk_err *err);
rk_status rk_bundle_write(const char *path, const rk_section *sections, uint32_t count,
                          rk_err *err);

/*
 * Whether code is a shared object for the processor family of isa, made from this schema (its text
 * without a NUL), with the entry function. The text starts with "it". What the reader asks of CPU
 * sections, for the builder to ask first. RK_CORRUPT, RK_UNSUPPORTED.
 */
rk_status rk_bundle_check_code(const void *code, size_t bytes, uint32_t isa, const char *schema,
                               size_t schema_bytes, rk_err *err);

/* "cpu", "ptx"; "?" for a number that means nothing. */
const char *rk_section_name(uint32_t kind);

#endif
