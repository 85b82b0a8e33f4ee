/*
 * build_cache.c: what a compilation depends on, as a key, and the way to the cache and back.
 *
 * When in doubt nothing is kept: a wrong hit would be worse than any number of misses.
 */
#include "module/build.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/str.h"
#include "module/bytes.h"
#include "module/process.h"
#include <ringkernel/abi/types.h>
#include <ringkernel/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What compilers and linkers read from the environment (manuals of gcc, clang and nvcc). */
static const char *const variables[] = {
    "CPATH",        "C_INCLUDE_PATH",     "CPLUS_INCLUDE_PATH",   "COMPILER_PATH",
    "LIBRARY_PATH", "GCC_EXEC_PREFIX",    "CCC_OVERRIDE_OPTIONS", "NVCC_PREPEND_FLAGS",
    "NVCC_CCBIN",   "NVCC_APPEND_FLAGS",  "DEPENDENCIES_OUTPUT",  "SUNPRO_DEPENDENCIES",
    "HIP_PATH",     "ROCM_PATH",          "HIP_DEVICE_LIB_PATH",  "CLANG_CONFIG_FILE_USER_DIR",
    "CUDA_PATH",    "CUDA_FORCE_PTX_JIT", "CUDA_DISABLE_PTX_JIT",
};

static void warn(rk_build *build, const char *reason)
{
    if (build->options->print) {
        rk_str text;
        rk_str_init(&text, 2048);
        (void)rk_str_appendf(&text,
                             "warning: the compile cache is not used: %s (RK_CACHE=off silences "
                             "this)\n",
                             reason); /* a cut warning is still one */
        build->options->print(build->options->print_context, rk_str_cstr(&text));
        rk_str_finish(&text);
    }
}

void rk_build_cache_open(rk_build *build)
{
    rk_err err = RK_ERR_INIT;
    if (!build->options->no_cache && rk_cache_init(&build->cache, &err) != RK_OK) {
        warn(build, err.text);
    }
}

void rk_build_key_bytes(rk_sha256 *sha, const void *data, size_t bytes)
{
    unsigned char length[8];
    rk_bytes_put_u64(length, bytes); /* so that two parts never read like two others */
    rk_sha256_add(sha, length, sizeof(length));
    rk_sha256_add(sha, data, bytes);
}

void rk_build_key_text(rk_sha256 *sha, const char *text)
{
    rk_build_key_bytes(sha, text, strlen(text));
}

bool rk_build_key_tool(rk_sha256 *sha, const char *path)
{
    rk_file_info info;
    char text[64];
    if (rk_file_stat(path, &info) != 0) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)info.size_bytes,
                   (unsigned long long)info.modified_ns); /* always fits */
    rk_build_key_text(sha, path);
    rk_build_key_text(sha, text);
    return true;
}

bool rk_build_digest(rk_build *build, const char *path, unsigned char out_digest[RK_SHA256_BYTES])
{
    rk_str text;
    rk_sha256 sha;
    bool is_whole = false;
    rk_err err = RK_ERR_INIT; /* the compiler says better what is wrong */
    rk_err *outer = build->err;
    build->err = &err;
    rk_str_init(&text, RK_BUILD_SOURCE_MAX);
    rk_status status = rk_build_flatten(build, path, &text, &is_whole);
    rk_sha256_init(&sha);
    rk_sha256_add(&sha, rk_str_cstr(&text), text.length);
    rk_sha256_finish(&sha, out_digest);
    rk_str_finish(&text);
    build->err = outer;
    return status == RK_OK && is_whole;
}

/* Once per build. */
static bool find_digest(rk_build *build)
{
    if (build->digest_state == 0) {
        build->digest_state = rk_build_digest(build, build->source, build->source_digest) ? 1 : -1;
    }
    return build->digest_state > 0;
}

bool rk_build_cache_confirm(rk_build *build)
{
    unsigned char digest[RK_SHA256_BYTES];
    return rk_build_digest(build, build->source, digest) &&
           memcmp(digest, build->source_digest, sizeof(digest)) == 0;
}

bool rk_build_key_start(rk_build *build, rk_sha256 *sha, const char *purpose,
                        const unsigned char *digest)
{
    char folder[4096];
    char numbers[64];
    if (!build->cache.folder || (!digest && !find_digest(build)) ||
        !getcwd(folder, sizeof(folder))) {
        return false;
    }
    rk_sha256_init(sha);
    (void)snprintf(numbers, sizeof(numbers), "ringkernel cache %u, interface %u", RK_CACHE_VERSION,
                   RK_ABI_VERSION); /* always fits */
    rk_build_key_text(sha, numbers);
    rk_build_key_text(sha, rk_version_string());
    rk_build_key_text(sha, purpose);
    rk_build_key_text(sha, folder); /* line tables may hold paths */
    for (size_t i = 0; i < RK_COUNT_OF(variables); i++) {
        const char *value = getenv(variables[i]);
        rk_build_key_text(sha, value ? value : "");
    }
    rk_build_key_bytes(sha, digest ? digest : build->source_digest, RK_SHA256_BYTES);
    return true;
}

/* Flags that name no file and do not ask for this very machine. */
static bool is_plain_flag(const char *flag)
{
    static const char *const prefixes[] = {"-D", "-U", "-O", "-g", "-W", "-m", "-f"};
    if (strstr(flag, "native") || strchr(flag, ',') ||
        (strncmp(flag, "-f", 2) == 0 && strchr(flag, '=')) || strstr(flag, "profile")) {
        return false;
    }
    for (size_t i = 0; i < RK_COUNT_OF(prefixes); i++) {
        if (strncmp(flag, prefixes[i], 2) == 0 && flag[2] != '\0') {
            return true;
        }
    }
    return false;
}

static bool flags_are_plain(const rk_build *build)
{
    for (uint32_t i = 0; i < build->options->extra_flag_count; i++) {
        if (!is_plain_flag(build->options->extra_flags[i])) {
            return false;
        }
    }
    return true;
}

/* The program itself; for the C compiler also what a wrapper like ccache is given to run. */
static bool add_programs(rk_build *build, const rk_build_job *job, rk_sha256 *sha)
{
    if (!rk_build_key_tool(sha, job->argv[0])) {
        return false;
    }
    if (job->kind != RK_SECTION_CPU && job->kind != RK_SECTION_FIBER) {
        return true;
    }
    rk_build_key_text(sha, build->compiler_version ? build->compiler_version : "");
    for (uint32_t i = 1; i < build->compiler_words; i++) {
        char *path = NULL;
        if (build->compiler[i][0] != '-' && rk_process_find(build->compiler[i], &path) == RK_OK) {
            (void)rk_build_key_tool(sha, path); /* the word itself is in the key as well */
            free(path);
        }
    }
    return true;
}

void rk_build_key_job(rk_build *build, rk_build_job *job)
{
    rk_sha256 sha;
    char numbers[64];
    size_t scratch = strlen(build->scratch.path);
    job->has_key = false;
    if (!job->argv || !flags_are_plain(build) || !rk_build_key_start(build, &sha, "job", NULL) ||
        !add_programs(build, job, &sha)) {
        return;
    }
    (void)snprintf(numbers, sizeof(numbers), "%u %u %u", job->kind, job->level,
                   job->variant); /* always fits */
    rk_build_key_text(&sha, numbers);
    for (uint32_t i = 0; job->argv[i]; i++) {
        /* Files in the scratch folder are results, or made of what is in the key. */
        bool is_scratch = strncmp(job->argv[i], build->scratch.path, scratch) == 0;
        rk_build_key_text(&sha, is_scratch ? "scratch" : job->argv[i]);
    }
    /* OpenCL source says it in its text, not in a flag. */
    const char *flag = build->schema ? rk_build_variant_flag(build, job->variant) : NULL;
    rk_build_key_text(&sha, flag ? flag : "");
    rk_sha256_finish(&sha, job->key.bytes);
    job->has_key = true;
}

bool rk_build_cache_get(rk_build *build, const rk_cache_key *key, void **out_data,
                        size_t *out_bytes, char **out_messages)
{
    rk_cache_entry entry;
    if (rk_cache_get(&build->cache, key, &entry) != RK_OK) {
        return false;
    }
    /* A NUL follows each, as after a file that was read. */
    unsigned char *data = malloc(entry.bytes + 1);
    char *messages = malloc(entry.message_bytes + 1);
    bool is_there = data && messages;
    if (is_there) {
        memcpy(data, entry.data, entry.bytes);
        memcpy(messages, entry.messages, entry.message_bytes);
        data[entry.bytes] = '\0';
        messages[entry.message_bytes] = '\0';
        *out_data = data;
        *out_bytes = entry.bytes;
        *out_messages = messages;
    } else {
        free(data);
        free(messages);
    }
    free(entry.file);
    return is_there;
}

void rk_build_cache_put(rk_build *build, const rk_cache_key *key, const void *data, size_t bytes,
                        const char *messages)
{
    rk_err err = RK_ERR_INIT;
    if (rk_cache_put(&build->cache, key, data, bytes, messages, strlen(messages), &err) != RK_OK) {
        warn(build, err.text);
        rk_cache_finish(&build->cache); /* one warning is enough */
    }
}

rk_status rk_module_cache(bool clear, rk_module_cache_info *out_info, rk_err *err)
{
    rk_cache cache;
    rk_module_cache_info info = {.entries = 0};
    rk_status status = rk_cache_init(&cache, err);
    if (status == RK_OK && cache.folder) {
        (void)snprintf(info.folder, sizeof(info.folder), "%s", cache.folder); /* for people */
        info.limit_bytes = cache.limit_bytes;
        status = rk_cache_survey(&cache, clear, &info.entries, &info.bytes, err);
    }
    rk_cache_finish(&cache);
    if (status == RK_OK) {
        *out_info = info;
    }
    return status;
}
