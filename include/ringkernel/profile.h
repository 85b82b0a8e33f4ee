/*
 * profile.h: marking what the host does for profilers: spans, ranges and instants with names and
 * colours, handed to NVTX (Nsight Systems), ROCTX (rocprof), and hooks of your own.
 *
 *     rk_profile_push("load", 0x3366cc);
 *     ...
 *     rk_profile_pop();
 *
 * While no profiler is registered, each call costs one load and one branch. NVTX is registered by
 * the first runtime of the process when a tool has set NVTX_INJECTION64_PATH, ROCTX when a tool has
 * loaded its library; RK_PROFILE=nvtx,roctx asks for them, RK_PROFILE=none for neither. What a
 * kernel does is in ringkernel/trace.h.
 *
 * Threads: any, unless a function says otherwise. Names and structures are borrowed for the call.
 */
#ifndef RINGKERNEL_PROFILE_H
#define RINGKERNEL_PROFILE_H

#include <ringkernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_PROFILE_NO_COLOR UINT32_MAX /* colours are 0xRRGGBB */

/* Begins a span on the calling thread's stack, and ends the innermost one. */
RK_API void rk_profile_push(const char *name, uint32_t color);
/* Without a push before it on this thread it does nothing and is counted. */
RK_API void rk_profile_pop(void);
/* Pops that had no push, in all threads so far; those of spans begun before a profiler was there
 * count as well. */
RK_API uint64_t rk_profile_unbalanced_count(void);

/*
 * Begins a range, which may overlap others and end in another thread. 0 if nobody listens, or if
 * RK_PROFILE_RANGES_MAX ranges are open; ending 0, or a range that has ended, does nothing.
 */
#define RK_PROFILE_RANGES_MAX 1024u
typedef uint64_t rk_profile_range;
RK_API rk_profile_range rk_profile_range_begin(const char *name, uint32_t color);
RK_API void rk_profile_range_end(rk_profile_range range);

/* An instant. */
RK_API void rk_profile_mark(const char *name, uint32_t color);

/* ---- Profilers ------------------------------------------------------------------------------ */

/* What a profiler is told. */
typedef struct rk_profile_event {
    uint32_t size;  /* bytes of this structure; later versions add members behind the last */
    uint32_t color; /* 0xRRGGBB or RK_PROFILE_NO_COLOR */
    const char *name;
    const char *kernel; /* whose timeline it comes from; NULL: the host itself */
    bool has_payload;
    uint64_t payload; /* a kernel's span: its duration in ns; its marks and counters: the value */
} rk_profile_event;

#define RK_PROFILER_ABI 1u
#define RK_PROFILERS_MAX 8u

/*
 * A profiler. Every function but name may be NULL. They are called by the threads that mark,
 * several at once, and must neither register nor unregister. pop, and range_end with what
 * range_begin returned, are called only for what this profiler was told to begin.
 */
typedef struct rk_profiler_ops {
    uint32_t abi; /* RK_PROFILER_ABI */
    const char *name;
    void (*push)(void *context, const rk_profile_event *event);
    void (*pop)(void *context);
    uint64_t (*range_begin)(void *context, const rk_profile_event *event);
    void (*range_end)(void *context, uint64_t range);
    void (*mark)(void *context, const rk_profile_event *event);
    rk_status (*capture_begin)(void *context, rk_err *err);
    rk_status (*capture_end)(void *context, rk_err *err);
    void *context;
} rk_profiler_ops;

/*
 * Adds a profiler; ops stay borrowed until it is removed. Several at once; RK_LIMIT beyond
 * RK_PROFILERS_MAX, RK_EXISTS if these ops are registered already, RK_VERSION for another abi.
 */
RK_API rk_status rk_profiler_register(const rk_profiler_ops *ops, rk_err *err);
/* Removes it. When it returns no thread is inside its functions. RK_NOT_FOUND. */
RK_API rk_status rk_profiler_unregister(const rk_profiler_ops *ops, rk_err *err);

/* Hands an event to every profiler as a mark, for what has been seen elsewhere. */
RK_API void rk_profile_tell(const rk_profile_event *event);

/* The built-in profilers. */
#define RK_PROFILE_NVTX 1u  /* the tool of NVTX_INJECTION64_PATH, else libnvToolsExt.so.1 */
#define RK_PROFILE_ROCTX 2u /* librocprofiler-sdk-roctx.so, else libroctx64.so */

/*
 * Loads and registers built-in profilers. RK_NOT_FOUND, with the name of what is missing: those
 * that are there are registered all the same. Enabling one twice is no error.
 */
RK_API rk_status rk_profile_enable(uint32_t profilers, rk_err *err);
RK_API void rk_profile_disable(uint32_t profilers);
/* Which are on: RK_PROFILE_* bits. */
RK_API uint32_t rk_profile_enabled(void);

/* ---- Captures ------------------------------------------------------------------------------- */

/* Where a tool's own interface lets a program begin and end its recording. */
#define RK_CAPTURE_NSIGHT 1u    /* Nsight Systems and Compute: cuProfilerStart and Stop */
#define RK_CAPTURE_RENDERDOC 2u /* RenderDoc: graphics of this process (Vulkan, OpenGL) */
#define RK_CAPTURE_HOOKS 4u     /* capture_begin and capture_end of registered profilers */

/*
 * Begins or ends captures. RK_NOT_FOUND if the tool's library is not in this process (libcuda.so.1,
 * librenderdoc.so: never loaded from here), RK_VERSION if it is too old, RK_STATE if it found
 * nothing to capture, RK_DEVICE with CUDA's number, else what a hook returned. With several bits
 * all are tried, and the first failure is returned.
 * Nsight needs `--capture-range=cudaProfilerApi` (nsys) or `--profile-from-start off` (ncu).
 *
 * RK_CAPTURE=nsight,renderdoc in the environment begins a capture before the process's first
 * kernel is launched and ends it with the runtime that launched it.
 */
RK_API rk_status rk_profile_capture_begin(uint32_t tools, rk_err *err);
RK_API rk_status rk_profile_capture_end(uint32_t tools, rk_err *err);

#ifdef __cplusplus
}
#endif
#endif
