/*
 * cuda_raw.c: see cuda_raw.h. Prototypes after the CUDA Driver API and NVRTC manuals.
 */
#include "bench/gpu/cuda_raw.h"

#include "base/compiler.h"
#include "bench/bench.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef int cu_result;
typedef uint64_t cu_pointer;
typedef struct cu_object *cu_handle;

/* X(member, symbol, parameters) */
#define CUDA_LIST(X)                                                                               \
    X(init, "cuInit", (unsigned))                                                                  \
    X(device_get, "cuDeviceGet", (int *, int))                                                     \
    X(retain, "cuDevicePrimaryCtxRetain", (cu_handle *, int))                                      \
    X(release, "cuDevicePrimaryCtxRelease_v2", (int))                                              \
    X(set_current, "cuCtxSetCurrent", (cu_handle))                                                 \
    X(module_load, "cuModuleLoadData", (cu_handle *, const void *))                                \
    X(module_unload, "cuModuleUnload", (cu_handle))                                                \
    X(function, "cuModuleGetFunction", (cu_handle *, cu_handle, const char *))                     \
    X(stream_create, "cuStreamCreate", (cu_handle *, unsigned))                                    \
    X(stream_destroy, "cuStreamDestroy_v2", (cu_handle))                                           \
    X(stream_wait, "cuStreamSynchronize", (cu_handle))                                             \
    X(launch, "cuLaunchKernel",                                                                    \
      (cu_handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, cu_handle, \
       void **, void **))                                                                          \
    X(capture_begin, "cuStreamBeginCapture_v2", (cu_handle, int))                                  \
    X(capture_end, "cuStreamEndCapture", (cu_handle, cu_handle *))                                 \
    X(instantiate, "cuGraphInstantiateWithFlags", (cu_handle *, cu_handle, unsigned long long))    \
    X(graph_launch, "cuGraphLaunch", (cu_handle, cu_handle))                                       \
    X(exec_destroy, "cuGraphExecDestroy", (cu_handle))                                             \
    X(graph_destroy, "cuGraphDestroy", (cu_handle))                                                \
    X(alloc, "cuMemAlloc_v2", (cu_pointer *, size_t))                                              \
    X(free, "cuMemFree_v2", (cu_pointer))                                                          \
    X(fill, "cuMemsetD8Async", (cu_pointer, unsigned char, size_t, cu_handle))                     \
    X(copy, "cuMemcpyDtoDAsync_v2", (cu_pointer, cu_pointer, size_t, cu_handle))                   \
    X(alloc_async, "cuMemAllocAsync", (cu_pointer *, size_t, cu_handle))                           \
    X(free_async, "cuMemFreeAsync", (cu_pointer, cu_handle))

#define NVRTC_LIST(X)                                                                              \
    X(create, "nvrtcCreateProgram",                                                                \
      (cu_handle *, const char *, const char *, int, const char *const *, const char *const *))    \
    X(compile, "nvrtcCompileProgram", (cu_handle, int, const char *const *))                       \
    X(ptx_size, "nvrtcGetPTXSize", (cu_handle, size_t *))                                          \
    X(ptx, "nvrtcGetPTX", (cu_handle, char *))                                                     \
    X(destroy, "nvrtcDestroyProgram", (cu_handle *))

#define MEMBER(member, symbol, parameters) cu_result(*member) parameters;

struct cuda_raw {
    struct {
        CUDA_LIST(MEMBER)
    } cu;
    struct {
        NVRTC_LIST(MEMBER)
    } rtc;
    int device;
    cu_handle context;
    cu_handle stream;
    cu_handle module;
    cu_handle empty;
    cu_handle graph; /* of one launch of empty, with graph_blocks blocks */
    cu_handle graph_exec;
    uint32_t graph_blocks;
    cu_handle stencil;
};

static const char source[] =
    "extern \"C\" __global__ void empty() {}\n"
    "extern \"C\" __global__ void stencil(const float *now, float *next, unsigned n)\n"
    "{\n"
    "    unsigned x = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    unsigned y = blockIdx.y * blockDim.y + threadIdx.y;\n"
    "    unsigned z = blockIdx.z * blockDim.z + threadIdx.z;\n"
    "    if (x == 0 || y == 0 || z == 0 || x >= n - 1 || y >= n - 1 || z >= n - 1) return;\n"
    "    unsigned long long p = (unsigned long long)n * n, i = z * p + y * (unsigned long long)n + "
    "x;\n"
    "    float c = now[i];\n"
    "    float s = now[i - 1] + now[i + 1] + now[i - n] + now[i + n] + now[i - p] + now[i + p];\n"
    "    next[i] = 2.0f * c - next[i] + 0.3f * (s - 6.0f * c);\n"
    "}\n";

/* dlsym gives an object pointer; POSIX allows to store it in a function pointer. */
static bool take(void *library, const char *name, void *out_function)
{
    void *symbol = dlsym(library, name);
    memcpy(out_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void *open_first(const char *const *names, size_t count)
{
    void *library = NULL;
    for (size_t i = 0; i < count && library == NULL; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    return library;
}

static rk_status load_libraries(cuda_raw *raw, rk_err *err)
{
    static const char *const drivers[] = {"libcuda.so.1", "libcuda.so"};
    static const char *const compilers[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
                                            "/usr/local/cuda/lib64/libnvrtc.so"};
    void *cuda = open_first(drivers, RK_COUNT_OF(drivers));
    void *nvrtc = open_first(compilers, RK_COUNT_OF(compilers));
    if (cuda == NULL || nvrtc == NULL) {
        return rk_err_set(err, RK_NOT_FOUND, "%s was not found",
                          cuda == NULL ? "libcuda.so.1" : "libnvrtc.so");
    }
    bool whole = true;
#define TAKE_CU(member, symbol, parameters) whole = take(cuda, symbol, &raw->cu.member) && whole;
#define TAKE_RTC(member, symbol, parameters) whole = take(nvrtc, symbol, &raw->rtc.member) && whole;
    CUDA_LIST(TAKE_CU)
    NVRTC_LIST(TAKE_RTC)
    if (!whole) {
        return rk_err_set(err, RK_NOT_FOUND, "libcuda or libnvrtc is too old for the references");
    }
    return RK_OK;
}

static rk_status compile(cuda_raw *raw, char **out_ptx, rk_err *err)
{
    static const char *const flags[] = {"--gpu-architecture=compute_75"};
    cu_handle program = NULL;
    size_t bytes = 0;
    char *ptx = NULL;
    if (raw->rtc.create(&program, source, "reference.cu", 0, NULL, NULL) == 0 &&
        raw->rtc.compile(program, 1, flags) == 0 && raw->rtc.ptx_size(program, &bytes) == 0 &&
        (ptx = malloc(bytes + 1)) != NULL && raw->rtc.ptx(program, ptx) == 0) {
        ptx[bytes] = '\0';
    } else {
        free(ptx);
        ptx = NULL;
    }
    if (program != NULL) {
        (void)raw->rtc.destroy(&program); /* nothing to do about a failure */
    }
    *out_ptx = ptx;
    return ptx != NULL ? RK_OK
                       : rk_err_set(err, RK_COMPILE, "NVRTC could not compile the references");
}

rk_status cuda_raw_open(uint32_t device, cuda_raw **out_raw, rk_err *err)
{
    cuda_raw *raw = calloc(1, sizeof *raw);
    char *ptx = NULL;
    if (raw == NULL) {
        return RK_NO_MEMORY;
    }
    rk_status status = load_libraries(raw, err);
    if (status == RK_OK) {
        status = compile(raw, &ptx, err);
    }
    if (status == RK_OK &&
        (raw->cu.init(0) != 0 || raw->cu.device_get(&raw->device, (int)device) != 0 ||
         raw->cu.retain(&raw->context, raw->device) != 0 ||
         raw->cu.set_current(raw->context) != 0 || raw->cu.stream_create(&raw->stream, 1) != 0 ||
         raw->cu.module_load(&raw->module, ptx) != 0 ||
         raw->cu.function(&raw->empty, raw->module, "empty") != 0 ||
         raw->cu.function(&raw->stencil, raw->module, "stencil") != 0)) {
        status =
            rk_err_set(err, RK_DEVICE, "CUDA device %u cannot be used for the references", device);
    }
    free(ptx);
    if (status != RK_OK) {
        cuda_raw_close(raw);
        return status;
    }
    *out_raw = raw;
    return RK_OK;
}

static void graph_drop(cuda_raw *raw)
{
    if (raw->graph_exec != NULL) {
        (void)raw->cu.exec_destroy(raw->graph_exec); /* nothing to do about a failure */
    }
    if (raw->graph != NULL) {
        (void)raw->cu.graph_destroy(raw->graph);
    }
    raw->graph_exec = NULL;
    raw->graph = NULL;
}

void cuda_raw_close(cuda_raw *raw)
{
    if (raw == NULL) {
        return;
    }
    graph_drop(raw);
    if (raw->module != NULL) {
        (void)raw->cu.module_unload(raw->module); /* the process ends soon */
    }
    if (raw->stream != NULL) {
        (void)raw->cu.stream_destroy(raw->stream);
    }
    if (raw->context != NULL) {
        (void)raw->cu.release(raw->device);
    }
    free(raw);
}

static rk_status result(cu_result code)
{
    return code == 0 ? RK_OK : RK_DEVICE;
}

rk_status cuda_raw_launch_sync(cuda_raw *raw, uint32_t blocks, uint32_t lanes, double *out_s)
{
    double start = rk_bench_now_s();
    cu_result code =
        raw->cu.launch(raw->empty, blocks, 1, 1, lanes, 1, 1, 0, raw->stream, NULL, NULL);
    code = code == 0 ? raw->cu.stream_wait(raw->stream) : code;
    *out_s = rk_bench_now_s() - start;
    return result(code);
}

rk_status cuda_raw_graph_sync(cuda_raw *raw, uint32_t blocks, uint32_t lanes, double *out_s)
{
    cu_result code = 0;
    if (raw->graph_exec == NULL || raw->graph_blocks != blocks) {
        graph_drop(raw); /* made once: instantiation is not what is measured */
        code = raw->cu.capture_begin(raw->stream, 0);
        code = code == 0 ? raw->cu.launch(raw->empty, blocks, 1, 1, lanes, 1, 1, 0, raw->stream,
                                          NULL, NULL)
                         : code;
        code = code == 0 ? raw->cu.capture_end(raw->stream, &raw->graph) : code;
        code = code == 0 ? raw->cu.instantiate(&raw->graph_exec, raw->graph, 0) : code;
        raw->graph_blocks = blocks;
        if (code != 0) {
            return RK_DEVICE;
        }
    }
    double start = rk_bench_now_s();
    code = raw->cu.graph_launch(raw->graph_exec, raw->stream);
    code = code == 0 ? raw->cu.stream_wait(raw->stream) : code;
    *out_s = rk_bench_now_s() - start;
    return result(code);
}

rk_status cuda_raw_copy_rate(cuda_raw *raw, uint64_t bytes, double *out_bytes_s)
{
    enum { COPIES = 10 };
    cu_pointer from = 0;
    cu_pointer to = 0;
    cu_result code = raw->cu.alloc(&from, bytes);
    code = code == 0 ? raw->cu.alloc(&to, bytes) : code;
    code = code == 0 ? raw->cu.copy(to, from, bytes, raw->stream) : code;
    code = code == 0 ? raw->cu.stream_wait(raw->stream) : code;
    double start = rk_bench_now_s();
    for (int i = 0; i < COPIES && code == 0; i++) {
        code = raw->cu.copy(to, from, bytes, raw->stream);
    }
    code = code == 0 ? raw->cu.stream_wait(raw->stream) : code;
    *out_bytes_s = 2.0 * COPIES * (double)bytes / (rk_bench_now_s() - start);
    if (from != 0) {
        (void)raw->cu.free(from);
    }
    if (to != 0) {
        (void)raw->cu.free(to);
    }
    return result(code);
}

rk_status cuda_raw_stencil_rate(cuda_raw *raw, uint32_t n, uint32_t steps, double *out_cells_s)
{
    size_t bytes = (size_t)n * n * n * sizeof(float);
    cu_pointer a = 0;
    cu_pointer b = 0;
    double start = 0;
    cu_result code = raw->cu.alloc(&a, bytes);
    code = code == 0 ? raw->cu.alloc(&b, bytes) : code;
    code = code == 0 ? raw->cu.fill(a, 0, bytes, raw->stream) : code;
    code = code == 0 ? raw->cu.fill(b, 0, bytes, raw->stream) : code;
    for (uint32_t i = 0; i < steps + 2 && code == 0; i++) {
        if (i == 2) { /* two to warm up */
            code = raw->cu.stream_wait(raw->stream);
            start = rk_bench_now_s();
        }
        cu_pointer now = i % 2 ? b : a;
        cu_pointer next = i % 2 ? a : b;
        void *arguments[] = {&now, &next, &n};
        code = code == 0 ? raw->cu.launch(raw->stencil, (n + 63) / 64, (n + 3) / 4, n, 64, 4, 1, 0,
                                          raw->stream, arguments, NULL)
                         : code;
    }
    code = code == 0 ? raw->cu.stream_wait(raw->stream) : code;
    *out_cells_s = (double)n * n * n * steps / (rk_bench_now_s() - start);
    if (a != 0) {
        (void)raw->cu.free(a);
    }
    if (b != 0) {
        (void)raw->cu.free(b);
    }
    return result(code);
}

rk_status cuda_raw_pool_pair(cuda_raw *raw, uint64_t bytes, uint32_t pairs, double *out_s)
{
    cu_result code = 0;
    double start = rk_bench_now_s();
    for (uint32_t i = 0; i < pairs && code == 0; i++) {
        cu_pointer memory = 0;
        code = raw->cu.alloc_async(&memory, bytes, raw->stream);
        code = code == 0 ? raw->cu.free_async(memory, raw->stream) : code;
    }
    *out_s = (rk_bench_now_s() - start) / pairs;
    return result(code == 0 ? raw->cu.stream_wait(raw->stream) : code);
}
