/*
 * cli_run.c: rk run: runs a job and writes its results.
 */
#include "cli/commands.h"
#include "cli/folder.h"
#include "cli/jobrun.h"
#include "cli/progress.h"
#include "cli/server.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/value.h"
#include "job/jobfile.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS (100u * (uint64_t)RK_NS_PER_MS)
#define JOB_FILE_BYTES (4u << 20)

static const rk_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = RK_OPTION_STRING,
     .value_name = "DIR",
     .help = "Folder for the results; the job file's 'output', else out/JOB, if not given."},
    {.name = "device",
     .letter = 'd',
     .kind = RK_OPTION_STRING,
     .value_name = "NAME",
     .help = "Where all kernels run, instead of what the job file says: cpu, or cpu:N for a "
             "logical device, or one that 'rk devices' lists."},
    {.name = "blocks",
     .letter = 'b',
     .kind = RK_OPTION_U64,
     .default_text = "0",
     .max_text = "65535",
     .help = "Blocks (on a CPU: threads) of each kernel whose job file does not say; 0: as many as "
             "the device has cores."},
    {.name = "trace",
     .kind = RK_OPTION_STRING,
     .value_name = "FILE",
     .help = "Write a timeline of kernels and host into this file, for https://ui.perfetto.dev "
             "and 'rk trace FILE'."},
    {.name = "quiet",
     .letter = 'q',
     .kind = RK_OPTION_FLAG,
     .help = "No progress and no summary; what goes wrong is still told."},
    RK_CLI_OPTION_JSON,
    RK_CLI_OPTION_HELP,
};

static const rk_cli_argument arguments[] = {
    {.name = "FILE.yaml",
     .complete = RK_CLI_COMPLETE_FILE,
     .suffix = ".yaml",
     .help = "The job file: docs/jobfile.md lists its keys. '-' reads it from stdin."},
};

static const rk_cli_example examples[] = {
    {"rk run examples/room.yaml --output out/room", "computes the acoustics of a room"},
    {"rk run job.yaml --json > result.json", "the summary as one JSON object"},
};

/* ---- Signals -------------------------------------------------------------------------------- */

/* A wrapper may hand on what the terminal has sent already: the same signal so soon is one wish. */
#define SAME_WISH_NS (300 * (int64_t)RK_NS_PER_MS)

static volatile sig_atomic_t signals_seen;
static int first_signal; /* only the handler uses these two */
static struct timespec first_time;
static char socket_to_remove[RK_ENDPOINT_PATH_BYTES]; /* set before the handlers are */

static void on_signal(int number)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* safe in a handler; this clock is always there */
    if (signals_seen == 0) {
        first_signal = number;
        first_time = now;
        signals_seen = 1;
        return;
    }
    int64_t since_ns = ((int64_t)now.tv_sec - first_time.tv_sec) * (int64_t)RK_NS_PER_S +
                       now.tv_nsec - first_time.tv_nsec;
    if (number != first_signal || since_ns >= SAME_WISH_NS) {
        /* The second time: at once. Host processes end with this one. */
        if (socket_to_remove[0] != '\0') {
            (void)unlink(socket_to_remove);
        }
        _exit(RK_CLI_STOPPED);
    }
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask); /* these cannot fail with valid arguments */
    (void)sigaddset(&action.sa_mask, SIGINT);
    (void)sigaddset(&action.sa_mask, SIGTERM);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* ---- The parts of a run --------------------------------------------------------------------- */

static void note(void *context, const char *text)
{
    rk_progress_note(context, text);
}

/* The folder for the results: as given, from the job file, or made from the job's name. */
static const char *folder_name(const rk_cli_call *call, const rk_job *job, char buffer[PATH_MAX])
{
    const char *given = rk_options_text(&call->options, "output");
    if (given != NULL || job->output != NULL) {
        return given != NULL ? given : job->output;
    }
    snprintf(buffer, PATH_MAX, "out/%s", job->name);
    return buffer;
}

/* About how many bytes a job writes: WAV, CSV and pictures of a room; the rest is not known yet. */
static uint64_t estimate_bytes(const rk_job *job)
{
    const rk_room_spec *room = job->room;
    uint64_t bytes = 256u * 1024u;
    if (room != NULL) {
        double receivers = (double)room->receiver_count;
        double wav = room->duration_s * room->report.wav_rate_hz * 4.0 * receivers;
        double rate =
            isnan(room->grid.dx_m) ? room->grid.frequency_hz * 16.0 : 600.0 / room->grid.dx_m;
        double csv = room->report.csv ? room->duration_s * rate * 24.0 * (receivers + 1.0) : 0.0;
        bytes += (uint64_t)fmin(wav + csv, 1e15);
        for (size_t i = 0; i < room->slice_count; i++) {
            bytes += room->slices[i].time_count * 64u * 1024u;
        }
    }
    return bytes;
}

static rk_status read_job(const char *path, rk_job *out_job, rk_err *err)
{
    if (strcmp(path, "-") != 0) {
        return rk_job_read(path, out_job, err);
    }
    char *text;
    size_t length;
    rk_status status = rk_file_read_all("/dev/stdin", JOB_FILE_BYTES, &text, &length, err);
    if (status == RK_OK) {
        status = rk_job_parse(text, length, "stdin", ".", out_job, err);
        free(text);
    }
    return status;
}

/* Says what has begun: the job takes commands from here on. */
static void note_start(rk_jobrun *jobrun)
{
    char steps[64] = "until it is stopped";
    rk_jobrun_progress now;
    rk_jobrun_look(jobrun, &now);
    if (now.steps_total > 0) {
        snprintf(steps, sizeof steps, "%" PRIu64 " steps", now.steps_total);
    }
    rk_jobrun_note(jobrun, "job '%s' runs, process %ld: %zu kernel%s, %s; results go to %s",
                   jobrun->job->name, (long)getpid(), jobrun->part_count,
                   jobrun->part_count == 1 ? "" : "s", steps, jobrun->options.folder);
}

/* Follows a running jobrun to its end. */
static void follow(rk_jobrun *jobrun, rk_progress *progress)
{
    bool told = false;
    while (!rk_jobrun_wait(jobrun, LOOK_NS)) {
        rk_jobrun_progress now;
        rk_jobrun_look(jobrun, &now);
        rk_progress_update(progress, &now);
        if (signals_seen > 0 && !told) {
            told = true;
            rk_progress_note(progress, "stopping at the next step boundary and saving what there "
                                       "is; once more to end at once");
            rk_jobrun_request_stop(jobrun);
        }
    }
}

static int print_summary(const rk_cli_call *call, const rk_jobrun *jobrun)
{
    rk_str out;
    rk_str_init(&out, 8u << 20);
    if (call->json) {
        (void)rk_report_append_json(&jobrun->report, &out); /* its status stays in out */
    } else if (!rk_options_flag(&call->options, "quiet")) {
        (void)rk_report_append_text(&jobrun->report, &out);
        rk_str_appendf(&out, "\nThe results are in %s\n", jobrun->options.folder);
    }
    return rk_cli_print(call, &out);
}

/* From a jobrun that stands to its results. */
static int carry_out(const rk_cli_call *call, rk_jobrun *jobrun, rk_progress *progress)
{
    rk_err err = RK_ERR_INIT;
    rk_server server = {.handle = rk_jobrun_handle, .context = jobrun};
    bool serving = rk_server_start(&server, jobrun->job->name, &err) == RK_OK;
    if (serving) {
        snprintf(socket_to_remove, sizeof socket_to_remove, "%s", server.endpoint.path);
    } else {
        rk_jobrun_note(jobrun, "it takes no commands from other terminals: %s", err.text);
    }
    catch_signals();
    rk_status status = rk_jobrun_start(jobrun, &err);
    if (status != RK_OK) {
        (void)rk_jobrun_fail(jobrun, NULL, &err); /* it keeps the first */
    } else {
        if (!progress->quiet) {
            note_start(jobrun);
        }
        follow(jobrun, progress);
    }
    status = rk_jobrun_finish(jobrun, &err);
    if (serving) {
        rk_server_stop(&server);
        socket_to_remove[0] = '\0';
    }
    if (status != RK_OK) {
        rk_jobrun_note(jobrun, "what could be saved is in %s", jobrun->options.folder);
    }
    rk_progress_hide(progress);
    bool stopped =
        atomic_load_explicit(&jobrun->stop_requested, memory_order_acquire) || signals_seen > 0;
    if (status != RK_OK) {
        return rk_cli_fail(call, jobrun->kernel_failed ? RK_CLI_KERNEL : RK_CLI_FAILED, &err);
    }
    int code = print_summary(call, jobrun);
    return code != RK_CLI_OK                     ? code
           : stopped && !jobrun->report.complete ? RK_CLI_STOPPED
                                                 : RK_CLI_OK;
}

static int run_job(const rk_cli_call *call, const rk_job *job)
{
    rk_err err = RK_ERR_INIT;
    char buffer[PATH_MAX];
    rk_folder folder;
    rk_status status =
        rk_folder_open(folder_name(call, job, buffer), estimate_bytes(job), &folder, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, RK_CLI_FAILED, &err);
    }
    rk_progress progress;
    rk_progress_init(&progress, rk_options_flag(&call->options, "quiet"));
    const rk_jobrun_options run_options = {
        .folder = folder.path,
        .device = rk_options_text(&call->options, "device"),
        .blocks = (uint32_t)rk_options_u64(&call->options, "blocks"),
        .trace = rk_options_text(&call->options, "trace"),
        .note = note,
        .note_context = &progress,
    };
    rk_jobrun *jobrun;
    bool is_input;
    int code;
    status = rk_jobrun_create(job, &run_options, &jobrun, &is_input, &err);
    if (status == RK_OK) {
        rk_folder_clear(&folder);
        code = carry_out(call, jobrun, &progress);
        rk_jobrun_destroy(jobrun); /* may still note how kernels ended */
    } else {
        rk_progress_hide(&progress);
        code = rk_cli_fail(call, is_input ? RK_CLI_INPUT : RK_CLI_FAILED, &err);
    }
    rk_progress_finish(&progress);
    rk_folder_close(&folder);
    return code;
}

static int run(rk_cli_call *call)
{
    rk_err err = RK_ERR_INIT;
    rk_job job;
    rk_status status = read_job(rk_cli_argument_at(call, 0), &job, &err);
    if (status != RK_OK) {
        return rk_cli_fail(call, rk_cli_input_exit(status), &err);
    }
    int code = run_job(call, &job);
    rk_job_finish(&job);
    return code;
}

const rk_cli_command rk_cli_run = {
    .name = "run",
    .group = RK_CLI_JOBS,
    .summary = "run a job and write its results",
    .description =
        "Runs a job file: launches its kernels in a host process of their own, follows them with a "
        "progress bar (plain lines where stderr is no terminal), and writes sounds, tables, "
        "pictures and a summary into a folder. Each file appears whole or not at all.\n\n"
        "Ctrl-C or SIGTERM stops the kernels at their next step boundary and saves what there is; "
        "a second one ends at once. Meanwhile a second terminal can look at the job and command "
        "it: rk ps, rk stats, rk send, rk pause, rk resume, rk stop.\n\n"
        "A kernel that panics or makes an invalid access is reported with its step and reason; "
        "what there is by then is saved.",
    RK_CLI_ARGUMENTS(arguments),
    RK_CLI_OPTIONS(options),
    RK_CLI_EXAMPLES(examples),
    .run = run,
};
