/*
 * build.c: makes a bundle of a kernel source.
 *
 * The first command compiles for the lowest level; from its shared object comes the schema, which
 * says what else is to be made. Nothing but the finished bundle is left behind: all other files lie
 * in a scratch folder.
 */
#include "module/build.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/places.h"
#include "base/thread.h"
#include "base/value.h"
#include "module/process.h"
#include <ringkernel/version.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOB_TIMEOUT_NS (600ull * RK_NS_PER_S)
#define ARENA_MAX ((size_t)64 << 20)
#define MODULE_SUFFIX ".rkm"

extern char **environ;

const char *rk_build_text(rk_build *build, const char *format, ...)
{
    rk_str text;
    rk_str_init(&text, RK_BUILD_SOURCE_MAX);
    va_list args;
    va_start(args, format);
    rk_status status = rk_str_appendfv(&text, format, args);
    va_end(args);
    const char *copy = status == RK_OK ? rk_arena_strdup(&build->arena, rk_str_cstr(&text)) : NULL;
    rk_str_finish(&text);
    return copy;
}

void rk_build_args_init(rk_build *build, rk_build_args *args)
{
    args->capacity = 64 + build->compiler_words + build->options->extra_flag_count;
    args->items = rk_arena_calloc(&build->arena, args->capacity, sizeof(*args->items));
    args->count = 0;
    args->failed = args->items == NULL;
}

void rk_build_args_add(rk_build_args *args, const char *text)
{
    if (!text || args->failed || args->count + 1 >= args->capacity) {
        args->failed = true;
        return;
    }
    args->items[args->count++] = text;
}

void rk_build_args_add_all(rk_build_args *args, const char *const *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rk_build_args_add(args, texts[i]);
    }
}

static rk_status no_memory(rk_build *build)
{
    return rk_err_set(build->err, RK_NO_MEMORY, "no memory to build the module");
}

static rk_status add_job(rk_build *build, const rk_build_job *job)
{
    if (build->job_count == RK_BUILD_JOB_MAX) {
        return rk_err_set(build->err, RK_LIMIT,
                          "more than %u things to compile; ask for fewer levels or targets",
                          RK_BUILD_JOB_MAX);
    }
    build->jobs[build->job_count++] = *job;
    return RK_OK;
}

rk_status rk_build_add(rk_build *build, uint32_t kind, uint32_t level, uint32_t variant,
                       const rk_build_args *args, const char *output)
{
    if (args->failed) {
        return no_memory(build);
    }
    rk_build_job job = {.kind = kind,
                        .level = level,
                        .variant = variant,
                        .argv = args->items,
                        .output = output,
                        .exit_status = -1};
    return add_job(build, &job);
}

rk_status rk_build_add_data_take(rk_build *build, uint32_t kind, uint32_t level, uint32_t variant,
                                 void *data, size_t bytes)
{
    rk_build_job job = {
        .kind = kind, .level = level, .variant = variant, .data = data, .bytes = bytes};
    rk_status status = add_job(build, &job);
    if (status != RK_OK) {
        free(data);
    }
    return status;
}

const char *rk_build_temporary(rk_build *build, const char *suffix)
{
    return rk_build_text(build, "%s/%u%s", build->scratch.path, build->job_count, suffix);
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line == '\n' ? line + 1 : line;
}

static bool line_holds(const char *line, const char *word)
{
    const char *found = strstr(line, word);
    return found && found < next_line(line);
}

/*
 * The line that says what is wrong: the first with "error", else the first of all. An error inside
 * a macro of the dialect is reported in the dialect's header, with a note where the author used the
 * macro: that place is put in front.
 */
static void first_message(const char *output, const char *source, char *out, size_t out_bytes)
{
    const char *best = output;
    bool is_error = false;
    for (const char *line = output; *line != '\0' && !is_error; line = next_line(line)) {
        is_error = line_holds(line, "error") || line_holds(line, "undefined reference");
        best = is_error ? line : best;
    }
    size_t source_length = strlen(source);
    const char *place = NULL;
    for (const char *line = best; is_error && !place && *line != '\0'; line = next_line(line)) {
        if (line != best && line_holds(line, "error: ")) {
            break;
        }
        if (strncmp(line, source, source_length) == 0 &&
            (line[source_length] == ':' || line[source_length] == '(')) {
            place = line;
        }
    }
    rk_err text = RK_ERR_INIT;
    int length = (int)RK_MIN(strcspn(best, "\n"), (size_t)300);
    if (place && place != best) {
        size_t number = strspn(place + source_length + 1, "0123456789");
        (void)rk_err_set(&text, RK_COMPILE, "%.*s: %.*s", (int)(source_length + 1 + number), place,
                         length, best); /* only the text is of interest */
    } else {
        (void)rk_err_set(&text, RK_COMPILE, "%.*s", length, best); /* the same */
    }
    size_t used = RK_MIN(strlen(text.text), out_bytes - 1);
    memcpy(out, text.text, used);
    out[used] = '\0';
}

/* What an author most often forgets, said in the words of the dialect. */
static const char *hint_for(const char *message)
{
    static const struct hint {
        const char *sign;
        const char *text;
    } hints[] = {
        {"rk_on_init'", " (RK_HAS_INIT is 1: write RK_INIT { })"},
        {"rk_on_message'", " (RK_HAS_MESSAGE is 1: write RK_ON_MESSAGE { })"},
        {"rk_on_command'", " (RK_HAS_COMMAND is 1: write RK_ON_COMMAND { })"},
        {"rk_after_step'", " (RK_HAS_AFTER_STEP is 1: write RK_AFTER_STEP { })"},
        {"rk_on_check'", " (RK_HAS_CHECK is 1: write RK_CHECK { })"},
        {"rk_on_migrate'", " (RK_HAS_MIGRATE is 1: write RK_MIGRATE { })"},
        {"`rk_phase_", " (RK_PHASES lists it: write RK_PHASE(name) { })"},
        {"'RK_MARKER_INDEX_", " (list the marker in RK_MARKERS)"},
        {"'RK_PHASE_INDEX_", " (list the phase in RK_PHASES)"},
        {"'RK_PARAM_INDEX_", " (declare the parameter in RK_PARAMS)"},
        {"'RK_FIELD_INDEX_", " (declare the field in RK_FIELDS)"},
        {"cannot find ld.lld", " (install the package lld)"},
    };
    for (size_t i = 0; i < RK_COUNT_OF(hints); i++) {
        if (strstr(message, hints[i].sign)) {
            return hints[i].text;
        }
    }
    return "";
}

/* "a.c(12): error" of NVIDIA's compilers becomes "a.c:12: error", as all others write it. */
static void use_colons(const char *source, char *message)
{
    size_t length = strlen(source);
    if (strncmp(message, source, length) == 0 && message[length] == '(') {
        char *end = message + length + 1 + strspn(message + length + 1, "0123456789");
        if (end[0] == ')' && end[1] == ':') {
            message[length] = ':';
            memmove(end, end + 1, strlen(end));
        }
    }
}

rk_status rk_build_report(rk_build *build, rk_status status, const char *output)
{
    char message[300];
    first_message(output, build->source, message, sizeof(message));
    use_colons(build->source, message);
    return rk_err_set(build->err, status, "%s%s", message, hint_for(message));
}

static rk_status report_failure(rk_build *build, const rk_build_job *job, const char *output)
{
    if (*output == '\0') {
        bool killed = job->exit_status > 128;
        return rk_err_set(build->err, RK_COMPILE, "'%s' %s %d without a word%s", job->argv[0],
                          killed ? "was ended by signal" : "failed with exit status",
                          killed ? job->exit_status - 128 : job->exit_status,
                          killed ? "; is there too little memory?" : "");
    }
    return rk_build_report(build, RK_COMPILE, output);
}

static void print_output(rk_build *build, const rk_process *process)
{
    if (build->options->print && process->output.length != 0) {
        build->options->print(build->options->print_context, rk_str_cstr(&process->output));
    }
}

/* All levels say the same of the same source: one compiler's warnings are shown once. */
static bool first_of_kind(const rk_build *build, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        uint32_t kind = build->jobs[i].kind;
        uint32_t other = build->jobs[index].kind;
        bool both_cpu = (kind == RK_SECTION_CPU || kind == RK_SECTION_FIBER) &&
                        (other == RK_SECTION_CPU || other == RK_SECTION_FIBER);
        if (kind == other || both_cpu) {
            return false;
        }
    }
    return true;
}

static rk_status read_output(rk_build *build, rk_build_job *job)
{
    if (!job->output) {
        return RK_OK;
    }
    char *data = NULL;
    size_t bytes = 0;
    rk_status status = rk_file_read_all(job->output, RK_BUNDLE_FILE_MAX, &data, &bytes, build->err);
    if (status != RK_OK) {
        return rk_err_prefix(build->err, "'%s' ended well, but: ", job->argv[0]);
    }
    /* A text section keeps the NUL that stands behind the data. */
    job->data = data;
    job->bytes = job->kind == RK_SECTION_PTX ? bytes + 1 : bytes;
    return RK_OK;
}

/* Fills a job from the cache. */
static bool take_cached(rk_build *build, uint32_t index)
{
    rk_build_job *job = &build->jobs[index];
    char *messages = NULL;
    rk_build_key_job(build, job);
    if (!job->has_key ||
        !rk_build_cache_get(build, &job->key, &job->data, &job->bytes, &messages)) {
        return false;
    }
    if (build->options->print && *messages != '\0' && first_of_kind(build, index)) {
        build->options->print(build->options->print_context, messages);
    }
    free(messages);
    if (!job->output) {
        free(job->data); /* a check has no result */
        job->data = NULL;
    }
    job->argv = NULL; /* need not be run */
    job->exit_status = 0;
    return true;
}

rk_status rk_build_run(rk_build *build, uint32_t first)
{
    rk_process processes[RK_BUILD_JOB_MAX];
    uint32_t index[RK_BUILD_JOB_MAX]; /* the job of each process */
    uint32_t count = 0;
    for (uint32_t i = first; i < build->job_count; i++) {
        if (build->jobs[i].argv && !take_cached(build, i)) {
            rk_process_init(&processes[count], build->jobs[i].argv);
            index[count++] = i;
        }
    }
    uint32_t jobs = build->options->jobs ? build->options->jobs : rk_thread_cpu_count();
    rk_status status =
        rk_process_run(processes, count, jobs, JOB_TIMEOUT_NS, build->environment, build->err);
    bool keeps = count != 0 && build->cache.folder && rk_build_cache_confirm(build);
    for (uint32_t i = 0; i < count && status == RK_OK; i++) {
        rk_build_job *job = &build->jobs[index[i]];
        job->exit_status = processes[i].exit_status;
        if (job->exit_status > 0) {
            print_output(build, &processes[i]);
            status = report_failure(build, job, rk_str_cstr(&processes[i].output));
        } else if (job->exit_status == 0) {
            if (first_of_kind(build, index[i])) {
                print_output(build, &processes[i]);
            }
            status = read_output(build, job);
            if (status == RK_OK && job->has_key && keeps) {
                rk_build_cache_put(build, &job->key, job->data, job->data ? job->bytes : 0,
                                   rk_str_cstr(&processes[i].output));
            }
            job->argv = NULL; /* has been run */
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        rk_process_finish(&processes[i]);
    }
    return status;
}

bool rk_build_wants_variant(const rk_build *build, uint32_t variant)
{
    const char *only = build->options->variant;
    return !only || strcmp(only, build->schema->variants[variant].name) == 0;
}

const char *rk_build_variant_flag(const rk_build *build, uint32_t variant)
{
    return rk_schema_type(build->schema, variant, RK_TYPE_REAL) == RK_TYPE_F64 ? "-DRK_REAL_IS_F64"
                                                                               : NULL;
}

void rk_build_note(rk_build *build, const char *key, const char *value)
{
    /* A build section that ran out of memory fails the build at its end. */
    (void)rk_str_appendf(&build->info, "%s %s\n", key, value);
}

const char *rk_build_tool_version(rk_build *build, const char *tool)
{
    const char *argv[] = {tool, "--version", NULL};
    rk_process process;
    rk_process_init(&process, argv);
    const char *version = NULL;
    if (rk_process_run(&process, 1, 1, JOB_TIMEOUT_NS, build->environment, NULL) == RK_OK &&
        process.exit_status == 0) {
        const char *text = rk_str_cstr(&process.output);
        version = rk_arena_strndup(&build->arena, text, strcspn(text, "\n"));
    }
    rk_process_finish(&process);
    return version;
}

/* A file name that no compiler takes for an option or a list of options. */
static rk_status take_source(rk_build *build)
{
    const char *path = build->options->source_path;
    rk_file_info info;
    if (!path || *path == '\0') {
        return rk_err_set(build->err, RK_INVALID, "no kernel source is named");
    }
    int result = rk_file_stat(path, &info);
    if (result != 0 || !info.is_regular) {
        return rk_err_set(build->err, RK_NOT_FOUND, "%s",
                          result != 0 ? "there is no such file" : "it is no regular file");
    }
    size_t length = strlen(path);
    if (length < 3 || strcmp(path + length - 2, ".c") != 0) {
        return rk_err_set(build->err, RK_INVALID,
                          "a kernel source is a C file: its name ends in .c");
    }
    bool odd = path[0] == '-' || path[0] == '@';
    build->source = rk_build_text(build, "%s%s", odd ? "./" : "", path);
    return build->source ? RK_OK : no_memory(build);
}

static bool holds_headers(rk_build *build, const char *folder)
{
    const char *path = rk_build_text(build, "%s/ringkernel/kernel.h", folder);
    rk_file_info info;
    return path && rk_file_stat(path, &info) == 0 && info.is_regular;
}

static rk_status find_headers(rk_build *build)
{
    const char *given = build->options->include_dir;
    if (given) {
        build->include_dir = given;
        return holds_headers(build, given) ? RK_OK
                                           : rk_err_set(build->err, RK_NOT_FOUND,
                                                        "'%s' holds no ringkernel/kernel.h", given);
    }
    char(*prefixes)[RK_PLACE_BYTES] =
        rk_arena_calloc(&build->arena, RK_PLACE_MAX, sizeof(*prefixes));
    if (!prefixes) {
        return no_memory(build);
    }
    uint32_t count = rk_places(prefixes);
    for (uint32_t i = 0; i < count; i++) {
        const char *folder = rk_build_text(build, "%s/include", prefixes[i]);
        if (folder && holds_headers(build, folder)) {
            build->include_dir = folder;
            return RK_OK;
        }
    }
    return rk_err_set(build->err, RK_NOT_FOUND,
                      "the header ringkernel/kernel.h is neither in %s/include nor beside the "
                      "library; reinstall RingKernel or name the folder",
                      count ? prefixes[0] : "?");
}

/*
 * The caller's environment with plain English messages and temporary files in the scratch folder.
 */
static rk_status make_environment(rk_build *build)
{
    size_t count = 0;
    while (environ[count]) {
        count++;
    }
    build->environment = rk_arena_calloc(&build->arena, count + 3, sizeof(char *));
    const char *tmpdir = rk_build_text(build, "TMPDIR=%s", build->scratch.path);
    if (!build->environment || !tmpdir) {
        return no_memory(build);
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "TMPDIR=", 7) != 0 && strncmp(environ[i], "LC_ALL=", 7) != 0) {
            build->environment[used++] = environ[i];
        }
    }
    build->environment[used++] = (char *)(uintptr_t)tmpdir; /* posix_spawn changes nothing in it */
    build->environment[used] = (char *)(uintptr_t) "LC_ALL=C";
    return RK_OK;
}

static rk_status take_levels(rk_build *build)
{
    const char *list = build->options->levels ? build->options->levels : getenv("RK_BUILD_LEVELS");
    if (!list || *list == '\0') {
        build->level_count = rk_isa_build_levels(build->levels);
        return RK_OK;
    }
    rk_isa standard[RK_ISA_BUILD_MAX];
    (void)rk_isa_build_levels(standard); /* only the family of the first counts */
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        const char *name = rk_arena_strndup(&build->arena, list, length);
        rk_isa isa = name ? rk_isa_parse(name) : RK_ISA_NONE;
        bool same_family = isa == standard[0] || (isa <= RK_ISA_X86_64_V4 && isa != RK_ISA_NONE &&
                                                  standard[0] <= RK_ISA_X86_64_V4);
        if (!same_family || build->level_count == RK_BUILD_JOB_MAX) {
            return rk_err_set(
                build->err, RK_INVALID,
                "'%.40s' is no instruction-set level of this machine; levels are, for "
                "example, %s",
                name ? name : "", rk_isa_name(standard[0]));
        }
        for (uint32_t i = 0; i < build->level_count; i++) {
            if (build->levels[i] == isa) {
                return rk_err_set(build->err, RK_INVALID, "the level '%s' is named twice", name);
            }
        }
        build->levels[build->level_count++] = isa;
        list += length + (list[length] == ',' ? 1u : 0u);
    }
    return RK_OK;
}

static rk_status check_variant(rk_build *build)
{
    const char *only = build->options->variant;
    if (only && rk_schema_find_variant(build->schema, only) < 0) {
        return rk_err_set(build->err, RK_INVALID,
                          "it declares no variant '%.40s'; RK_VARIANTS in the source lists them",
                          only);
    }
    return RK_OK;
}

/*
 * The date of the build, or the one that a reproducible build is given (reproducible-builds.org).
 */
static void note_date(rk_build *build)
{
    uint64_t seconds = rk_clock_realtime_ns() / RK_NS_PER_S;
    const char *given = getenv("SOURCE_DATE_EPOCH");
    if (given) {
        (void)rk_value_parse_u64(given, &seconds, NULL); /* nonsense leaves the clock's time */
    }
    time_t when = (time_t)seconds;
    struct tm parts;
    char text[32] = "unknown";
    if (gmtime_r(&when, &parts)) {
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    rk_build_note(build, "date", text);
}

static rk_status check_code(rk_build *build)
{
    for (uint32_t i = 0; i < build->job_count; i++) {
        const rk_build_job *job = &build->jobs[i];
        rk_status status = RK_OK;
        if (job->kind == RK_SECTION_CPU || job->kind == RK_SECTION_FIBER) {
            status = rk_bundle_check_code(job->data, job->bytes, job->level, build->schema_text,
                                          build->schema_bytes, build->err);
        } else if (job->kind == RK_SECTION_PTX) {
            status = rk_build_check_ptx(job->data, build->source, build->err);
        }
        if (status != RK_OK) {
            return status;
        }
    }
    return RK_OK;
}

static rk_status write_bundle(rk_build *build)
{
    rk_section sections[RK_BUILD_JOB_MAX + 2];
    uint32_t count = 0;
    if (build->info.status != RK_OK) {
        return no_memory(build);
    }
    sections[count++] = (rk_section){.kind = RK_SECTION_SCHEMA,
                                     .variant = RK_SECTION_ALL_VARIANTS,
                                     .data = build->schema_text,
                                     .bytes = build->schema_bytes};
    sections[count++] = (rk_section){.kind = RK_SECTION_BUILD,
                                     .variant = RK_SECTION_ALL_VARIANTS,
                                     .data = rk_str_cstr(&build->info),
                                     .bytes = build->info.length};
    for (uint32_t i = 0; i < build->job_count; i++) {
        const rk_build_job *job = &build->jobs[i];
        if (job->data) {
            sections[count++] = (rk_section){.kind = job->kind,
                                             .level = job->level,
                                             .variant = job->variant,
                                             .data = job->data,
                                             .bytes = job->bytes};
        }
    }
    const char *path = build->options->output_path;
    if (!path) {
        const char *slash = strrchr(build->source, '/');
        const char *base = slash ? slash + 1 : build->source;
        path = rk_build_text(build, "%.*s" MODULE_SUFFIX, (int)strlen(base) - 2, base);
    }
    if (!path) {
        return no_memory(build);
    }
    return rk_bundle_write(path, sections, count, build->err);
}

static rk_status add_targets(rk_build *build, uint32_t targets)
{
    static const struct target {
        uint32_t bit;
        rk_status (*add)(rk_build *build);
    } rows[] = {
        {RK_BUILD_CPU | RK_BUILD_FIBER, rk_build_add_cpu},
        {RK_BUILD_CUDA, rk_build_add_cuda},
        {RK_BUILD_HIP, rk_build_add_hip},
        {RK_BUILD_OPENCL, rk_build_add_opencl},
    };
    rk_status status = RK_OK;
    for (size_t i = 0; i < RK_COUNT_OF(rows) && status == RK_OK; i++) {
        if ((targets & rows[i].bit) != 0) {
            status = rows[i].add(build);
        }
    }
    return status;
}

static rk_status build_module(rk_build *build)
{
    uint32_t targets = build->options->targets;
    rk_status status = take_source(build);
    if (status != RK_OK) {
        return status;
    }
    if ((targets & ~RK_BUILD_ALL) != 0) {
        return rk_err_set(build->err, RK_UNSUPPORTED, "unknown build target 0x%x", targets);
    }
    if ((status = find_headers(build)) != RK_OK || (status = take_levels(build)) != RK_OK ||
        (status = rk_build_take_archs(build, targets)) != RK_OK ||
        (status = rk_scratch_init(&build->scratch, build->err)) != RK_OK) {
        return status;
    }
    build->has_scratch = true;
    rk_build_cache_open(build);
    if ((status = make_environment(build)) != RK_OK ||
        (status = rk_build_find_compiler(build)) != RK_OK ||
        (status = rk_build_probe(build)) != RK_OK || (status = check_variant(build)) != RK_OK) {
        return status;
    }
    uint32_t probed = build->job_count;
    status = add_targets(build, targets ? targets : RK_BUILD_CPU | RK_BUILD_FIBER);
    if (status == RK_OK) {
        status = rk_build_run(build, probed);
    }
    if (status == RK_OK) {
        status = check_code(build);
    }
    if (status != RK_OK) {
        return status;
    }
    const char *slash = strrchr(build->source, '/');
    rk_build_note(build, "source", slash ? slash + 1 : build->source);
    rk_build_note(build, "ringkernel", rk_version_string());
    note_date(build);
    return write_bundle(build);
}

rk_status rk_module_build(const rk_module_build_options *options, rk_err *err)
{
    rk_err own = RK_ERR_INIT; /* compile messages are read back: an error object is always there */
    rk_build *build = calloc(1, sizeof(*build));
    if (!build) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory to build the module");
    }
    build->options = options;
    build->err = err ? err : &own;
    rk_arena_init(&build->arena, 0, ARENA_MAX);
    rk_str_init(&build->info, 64u * 1024u);
    rk_status status = build_module(build);
    if (status != RK_OK) {
        (void)rk_err_prefix(build->err, "cannot build '%.120s': ",
                            options->source_path ? options->source_path : "");
    }
    rk_cache_trim(&build->cache);
    rk_cache_finish(&build->cache);
    if (build->has_scratch) {
        rk_scratch_finish(&build->scratch);
    }
    for (uint32_t i = 0; i < build->job_count; i++) {
        free(build->jobs[i].data);
    }
    rk_schema_free(build->schema);
    rk_str_finish(&build->info);
    rk_arena_finish(&build->arena);
    free(build);
    return status;
}

uint32_t rk_module_build_targets(void)
{
    uint32_t targets = 0;
    if (rk_build_has_compiler()) {
        targets |= RK_BUILD_CPU | RK_BUILD_FIBER | RK_BUILD_OPENCL;
        targets |= rk_build_has_cuda() ? RK_BUILD_CUDA : 0;
        targets |= rk_build_has_hip() ? RK_BUILD_HIP : 0;
    }
    return targets;
}
