/*
 * pool_cuda.c: cuMemAllocAsync and cuMemFreeAsync as a reference for the pool bench. The library is
 * opened at run time; the prototypes are our own, after the CUDA driver API reference, "Stream
 * Ordered Memory Allocator" (CUDA 11.2 and later).
 */
#include "bench/pool.h"

#include <dlfcn.h>
#include <string.h>

typedef int (*fn_init)(unsigned flags);
typedef int (*fn_device_get)(int *out_device, int ordinal);
typedef int (*fn_retain)(void **out_context, int device);
typedef int (*fn_release)(int device);
typedef int (*fn_set_current)(void *context);
typedef int (*fn_stream_create)(void **out_stream, unsigned flags);
typedef int (*fn_stream)(void *stream);
typedef int (*fn_default_pool)(void **out_pool, int device);
typedef int (*fn_pool_set)(void *pool, int attribute, void *value);
typedef int (*fn_pool_trim)(void *pool, size_t keep_bytes);
typedef int (*fn_alloc)(unsigned long long *out_pointer, size_t bytes, void *stream);
typedef int (*fn_free)(unsigned long long pointer, void *stream);

#define STREAM_NON_BLOCKING 1u
#define POOL_RELEASE_THRESHOLD 4

static struct {
    void *library;
    int device;
    void *stream;
    void *pool;
    bool retained;
    fn_release release;
    fn_stream synchronize;
    fn_stream destroy;
    fn_pool_trim trim;
    fn_alloc alloc;
    fn_free free;
} cuda;

static bool cuda_allocate(void *context, uint64_t bytes, uint64_t *out_block)
{
    (void)context;
    unsigned long long pointer = 0;
    bool done = cuda.alloc(&pointer, bytes, cuda.stream) == 0;
    *out_block = pointer;
    return done;
}

static bool cuda_free(void *context, uint64_t block)
{
    (void)context;
    return cuda.free(block, cuda.stream) == 0;
}

static void cuda_empty(void *context)
{
    (void)context;
    (void)cuda.synchronize(cuda.stream); /* a broken stream fails the next allocation */
    (void)cuda.trim(cuda.pool, 0);
}

static const rk_bench_allocator allocator = {cuda_allocate, cuda_free, cuda_empty, NULL};

/* POSIX lets a function be made of what dlsym returns; the copy keeps compilers quiet. */
static bool find(const char *name, void *out_function)
{
    void *symbol = dlsym(cuda.library, name);
    memcpy(out_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static const char *open_stream(void)
{
    fn_init init;
    fn_device_get device_get;
    fn_retain retain;
    fn_set_current set_current;
    fn_stream_create stream_create;
    fn_default_pool default_pool;
    fn_pool_set pool_set;
    if (!find("cuInit", &init) || !find("cuDeviceGet", &device_get) ||
        !find("cuDevicePrimaryCtxRetain", &retain) ||
        !find("cuDevicePrimaryCtxRelease_v2", &cuda.release) ||
        !find("cuCtxSetCurrent", &set_current) || !find("cuStreamCreate", &stream_create) ||
        !find("cuStreamSynchronize", &cuda.synchronize) ||
        !find("cuStreamDestroy_v2", &cuda.destroy) ||
        !find("cuDeviceGetDefaultMemPool", &default_pool) ||
        !find("cuMemPoolSetAttribute", &pool_set) || !find("cuMemPoolTrimTo", &cuda.trim) ||
        !find("cuMemAllocAsync", &cuda.alloc) || !find("cuMemFreeAsync", &cuda.free)) {
        return "libcuda.so.1 has no cuMemAllocAsync: CUDA 11.2 or later is needed";
    }
    void *context = NULL;
    if (init(0) != 0 || device_get(&cuda.device, 0) != 0) {
        return "libcuda.so.1 finds no device";
    }
    if (retain(&context, cuda.device) != 0) {
        return "the CUDA device gives no context";
    }
    cuda.retained = true;
    uint64_t keep_all = UINT64_MAX;
    if (set_current(context) != 0 || stream_create(&cuda.stream, STREAM_NON_BLOCKING) != 0 ||
        default_pool(&cuda.pool, cuda.device) != 0 ||
        pool_set(cuda.pool, POOL_RELEASE_THRESHOLD, &keep_all) != 0) {
        return "the CUDA device has no stream-ordered allocator";
    }
    return NULL;
}

const rk_bench_allocator *rk_bench_cuda_open(const char **out_reason)
{
    memset(&cuda, 0, sizeof cuda);
    cuda.library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    *out_reason = cuda.library == NULL ? "there is no libcuda.so.1" : open_stream();
    if (*out_reason != NULL) {
        rk_bench_cuda_close();
        return NULL;
    }
    return &allocator;
}

void rk_bench_cuda_close(void)
{
    if (cuda.stream != NULL) {
        (void)cuda.destroy(cuda.stream);
    }
    if (cuda.retained) {
        (void)cuda.release(cuda.device);
    }
    if (cuda.library != NULL) {
        (void)dlclose(cuda.library);
    }
    memset(&cuda, 0, sizeof cuda);
}
