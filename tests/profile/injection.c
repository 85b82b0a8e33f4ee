/*
 * injection.c: a tool for NVTX: what NVTX_INJECTION64_PATH names. It attaches as the interface asks
 * and writes down what it is told. Where the headers of NVTX 3 are installed, layouts and numbers
 * are theirs, so that a slip in lib/profile/nvtx.c shows; else they are written out here.
 *
 * RK_TEST_NVTX: "refuse" makes the initialisation fail, "bare" attaches to marks only.
 */
#include "profile/said.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(RK_HAS_NVTX3)
#define NVTX_NO_IMPL
#include <nvtx3/nvToolsExt.h>
#else
typedef void *nvtxDomainHandle_t;
typedef uint64_t nvtxRangeId_t;
typedef struct nvtxEventAttributes_t {
    uint16_t version, size;
    uint32_t category;
    int32_t colorType;
    uint32_t color;
    int32_t payloadType, reserved0;
    union {
        uint64_t ullValue;
    } payload;
    int32_t messageType;
    union {
        const char *ascii;
    } message;
} nvtxEventAttributes_t;
typedef void (*NvtxFunctionPointer)(void);
typedef NvtxFunctionPointer **NvtxFunctionTable;
typedef const void *(*NvtxGetExportTableFunc_t)(uint32_t);
typedef struct NvtxExportTableCallbacks {
    size_t struct_size;
    int (*GetModuleFunctionTable)(int, NvtxFunctionTable *, unsigned *);
} NvtxExportTableCallbacks;
typedef struct NvtxExportTableVersionInfo {
    size_t struct_size;
    uint32_t version, reserved0;
    void (*SetInjectionNvtxVersion)(uint32_t);
} NvtxExportTableVersionInfo;
enum {
    NVTX_CB_MODULE_CORE = 1,
    NVTX_CB_MODULE_CORE2 = 5,
    NVTX_CB_MODULE_SYNC = 6,
    NVTX_CBID_CORE2_DomainMarkEx = 1,
    NVTX_CBID_CORE2_DomainRangeStartEx = 2,
    NVTX_CBID_CORE2_DomainRangeEnd = 3,
    NVTX_CBID_CORE2_DomainRangePushEx = 4,
    NVTX_CBID_CORE2_DomainRangePop = 5,
    NVTX_CBID_CORE2_DomainNameCategoryA = 8,
    NVTX_CBID_CORE2_DomainCreateA = 12,
    NVTX_CBID_CORE_SIZE = 16,
    NVTX_CBID_CORE2_SIZE = 16,
    NVTX_ETID_CALLBACKS = 1,
    NVTX_ETID_VERSIONINFO = 3,
    NVTX_MESSAGE_TYPE_ASCII = 1,
    NVTX_COLOR_ARGB = 1,
    NVTX_PAYLOAD_TYPE_UNSIGNED_INT64 = 1,
};
#endif

static char domain_name[64];
static uint64_t last_range;

static const char *shown(const nvtxEventAttributes_t *e, char text[256])
{
    char color[32] = "";
    char payload[32] = "";
    if (e->colorType == NVTX_COLOR_ARGB) {
        (void)snprintf(color, sizeof color, " color %08x", e->color);
    }
    if (e->payloadType == NVTX_PAYLOAD_TYPE_UNSIGNED_INT64) {
        (void)snprintf(payload, sizeof payload, " payload %llu",
                       (unsigned long long)e->payload.ullValue);
    }
    int right =
        e->version == 3 && e->size == sizeof *e && e->messageType == NVTX_MESSAGE_TYPE_ASCII;
    (void)snprintf(text, 256, "'%s' category %u%s%s%s", right ? e->message.ascii : "?", e->category,
                   color, payload, right ? "" : " WRONG");
    return text;
}

/* The domain is whatever create returned. */
static const char *domain_text(nvtxDomainHandle_t domain)
{
    return (void *)domain == (void *)domain_name ? domain_name : "WRONG";
}

static void mark(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *e)
{
    char text[256];
    say("%s mark %s", domain_text(domain), shown(e, text));
}

static nvtxRangeId_t start(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *e)
{
    char text[256];
    uint64_t id = __atomic_add_fetch(&last_range, 1, __ATOMIC_RELAXED);
    say("%s start %llu %s", domain_text(domain), (unsigned long long)id, shown(e, text));
    return id;
}

static void end(nvtxDomainHandle_t domain, nvtxRangeId_t id)
{
    say("%s end %llu", domain_text(domain), (unsigned long long)id);
}

static int push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *e)
{
    char text[256];
    say("%s push %s", domain_text(domain), shown(e, text));
    return 0;
}

static int pop(nvtxDomainHandle_t domain)
{
    say("%s pop", domain_text(domain));
    return 0;
}

static nvtxDomainHandle_t create(const char *name)
{
    (void)snprintf(domain_name, sizeof domain_name, "%s", name);
    say("domain %s", name);
    return (nvtxDomainHandle_t)(void *)domain_name;
}

static void category(nvtxDomainHandle_t domain, uint32_t number, const char *name)
{
    say("%s category %u is %s", domain_text(domain), number, name);
}

static void attach(NvtxFunctionTable table, unsigned index, NvtxFunctionPointer function)
{
    *table[index] = function;
}

SAID_API int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table);
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table)
{
    const char *how = getenv("RK_TEST_NVTX");
    const NvtxExportTableVersionInfo *version = export_table(NVTX_ETID_VERSIONINFO);
    const NvtxExportTableCallbacks *callbacks = export_table(NVTX_ETID_CALLBACKS);
    if (version == NULL || version->struct_size < sizeof *version || callbacks == NULL ||
        callbacks->struct_size < sizeof *callbacks || export_table(2) != NULL ||
        export_table(99) != NULL) {
        return 0;
    }
    version->SetInjectionNvtxVersion(3);
    NvtxFunctionTable table = NULL;
    unsigned size = 0;
    for (int module = NVTX_CB_MODULE_CORE; module <= NVTX_CB_MODULE_SYNC; module++) {
        if (callbacks->GetModuleFunctionTable(module, &table, &size) != 1 || table[0] != NULL ||
            table[size] != NULL) {
            return 0;
        }
        for (unsigned i = 1; i < size; i++) {
            if (table[i] == NULL || *table[i] != NULL) {
                return 0;
            }
        }
    }
    if (callbacks->GetModuleFunctionTable(0, &table, &size) != 0 ||
        callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, NULL, &size) != 1 ||
        size != NVTX_CBID_CORE_SIZE ||
        callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) != 1 ||
        size != NVTX_CBID_CORE2_SIZE) {
        return 0;
    }
    attach(table, NVTX_CBID_CORE2_DomainMarkEx, (NvtxFunctionPointer)mark);
    if (how != NULL && strcmp(how, "refuse") == 0) {
        return 0;
    }
    if (how != NULL && strcmp(how, "bare") == 0) {
        return 1;
    }
    attach(table, NVTX_CBID_CORE2_DomainRangeStartEx, (NvtxFunctionPointer)start);
    attach(table, NVTX_CBID_CORE2_DomainRangeEnd, (NvtxFunctionPointer)end);
    attach(table, NVTX_CBID_CORE2_DomainRangePushEx, (NvtxFunctionPointer)push);
    attach(table, NVTX_CBID_CORE2_DomainRangePop, (NvtxFunctionPointer)pop);
    attach(table, NVTX_CBID_CORE2_DomainCreateA, (NvtxFunctionPointer)create);
    attach(table, NVTX_CBID_CORE2_DomainNameCategoryA, (NvtxFunctionPointer)category);
    say("nvtx version %u", version->version);
    return 1;
}
