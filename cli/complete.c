/*
 * complete.c: candidates for the word under the cursor.
 */
#include "cli/complete.h"

#include "base/value.h"
#include "bench/bench.h"
#include "cli/client.h"
#include "cli/modules.h"
#include "cli/orders.h"

#include <stdlib.h>
#include <string.h>

const char rk_cli_shells[] = "bash|zsh|fish";

static void offer(rk_str *out, const char *prefix, const char *word, const char *about)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0) {
        rk_str_appendf(out, "%s\t%s\n", word, about);
    }
}

static void offer_choices(rk_str *out, const char *prefix, const char *choices)
{
    for (const char *at = choices; *at != '\0';) {
        size_t length = strcspn(at, "|");
        char word[64];
        if (length < sizeof word) {
            memcpy(word, at, length);
            word[length] = '\0';
            offer(out, prefix, word, "");
        }
        at += length + (at[length] == '|' ? 1 : 0);
    }
}

static void offer_jobs(rk_str *out, const char *prefix)
{
    rk_endpoint *list;
    size_t count;
    if (rk_endpoint_list(&list, &count, NULL) != RK_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (rk_client_is_alive(&list[i])) {
            char about[64];
            snprintf(about, sizeof about, "process %ld", (long)list[i].pid);
            offer(out, prefix, list[i].job, about);
        }
    }
    free(list);
}

static void offer_kernels(rk_str *out, const char *prefix, const char *job)
{
    const rk_request request = {.verb = RK_REQUEST_INFO};
    rk_endpoint endpoint;
    json_t *reply;
    if (rk_client_find(job, &endpoint, NULL) != RK_OK ||
        rk_client_ask(&endpoint, &request, &reply, NULL) != RK_OK) {
        return;
    }
    size_t index;
    json_t *kernel;
    json_array_foreach(json_object_get(reply, "kernels"), index, kernel)
    {
        offer(out, prefix, rk_reply_text(kernel, "name"), rk_reply_text(kernel, "module"));
    }
    json_decref(reply);
}

static void offer_modules(rk_str *out, const char *prefix)
{
    char **paths;
    size_t count;
    if (rk_cli_builtin_paths(&paths, &count, NULL) != RK_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char name[64];
        rk_cli_path_name(paths[i], name);
        offer(out, prefix, name, "built-in module");
    }
    rk_cli_free_paths(paths, count);
}

static void offer_commands(rk_str *out, const char *prefix)
{
    for (size_t i = 0; i < rk_cli_command_count; i++) {
        if (rk_cli_commands[i]->group != RK_CLI_HIDDEN) {
            offer(out, prefix, rk_cli_commands[i]->name, rk_cli_commands[i]->summary);
        }
    }
}

static void offer_argument(rk_str *out, const rk_cli_argument *argument, const char *prefix,
                           const char *before)
{
    switch (argument->complete) {
    case RK_CLI_COMPLETE_FILE:
        rk_str_appendf(out, ":files %s\n", argument->suffix ? argument->suffix : "");
        break;
    case RK_CLI_COMPLETE_FOLDER: rk_str_append(out, ":folders\n"); break;
    case RK_CLI_COMPLETE_COMMAND: offer_commands(out, prefix); break;
    case RK_CLI_COMPLETE_JOB: offer_jobs(out, prefix); break;
    case RK_CLI_COMPLETE_KERNEL: offer_kernels(out, prefix, before); break;
    case RK_CLI_COMPLETE_ORDER:
        for (size_t i = 0; i < rk_order_count; i++) {
            offer(out, prefix, rk_orders[i].name, rk_orders[i].help);
        }
        break;
    case RK_CLI_COMPLETE_MODULE:
        offer_modules(out, prefix);
        rk_str_appendf(out, ":files %s\n", argument->suffix ? argument->suffix : "");
        break;
    case RK_CLI_COMPLETE_BENCH:
        offer(out, prefix, "all", "all of them");
        for (size_t i = 0; i < rk_bench_count; i++) {
            offer(out, prefix, rk_bench_table[i].name, rk_bench_table[i].summary);
        }
        break;
    case RK_CLI_COMPLETE_SHELL: offer_choices(out, prefix, rk_cli_shells); break;
    case RK_CLI_COMPLETE_NOTHING: break;
    }
}

static void offer_value(rk_str *out, const rk_option *option, const char *prefix)
{
    const char *name = rk_option_value_name(option);
    if (option->kind == RK_OPTION_CHOICE || strchr(name, '|') != NULL) {
        offer_choices(out, prefix, name);
    } else if (strcmp(name, "DIR") == 0) {
        rk_str_append(out, ":folders\n");
    } else if (strcmp(name, "FILE") == 0) {
        rk_str_append(out, ":files \n");
    }
}

static void offer_options(rk_str *out, const rk_cli_command *command, const char *prefix)
{
    for (size_t i = 0; i < command->option_count; i++) {
        char word[64];
        snprintf(word, sizeof word, "--%s", command->options[i].name);
        offer(out, prefix, word, command->options[i].help);
    }
}

/* The option whose value the word behind `word` is, or NULL. */
static const rk_option *awaits_value(const rk_cli_command *command, const char *word)
{
    const rk_option *option = NULL;
    if (strncmp(word, "--", 2) == 0) {
        option = rk_option_find(command->options, command->option_count, word + 2);
    } else if (word[0] == '-' && word[1] != '\0' && word[2] == '\0') {
        for (size_t i = 0; i < command->option_count; i++) {
            option = command->options[i].letter == word[1] ? &command->options[i] : option;
        }
    }
    return option != NULL && option->kind != RK_OPTION_FLAG ? option : NULL;
}

void rk_cli_append_candidates(rk_str *out, const char *const *words, size_t count)
{
    const char *last = count > 0 ? words[count - 1] : "";
    if (count <= 1) {
        offer_commands(out, last);
        return;
    }
    const rk_cli_command *command = rk_cli_find(words[0]);
    if (command == NULL || command->group == RK_CLI_HIDDEN) {
        return;
    }
    size_t position = 0;
    const char *before = "";
    const rk_option *awaited = NULL;
    for (size_t i = 1; i + 1 < count; i++) {
        bool is_value = awaited != NULL;
        awaited = is_value ? NULL : awaits_value(command, words[i]);
        if (!is_value && words[i][0] != '-') {
            position++;
            before = words[i];
        }
    }
    if (awaited != NULL) {
        offer_value(out, awaited, last);
        return;
    }
    if (last[0] == '-') {
        offer_options(out, command, last);
        return;
    }
    bool repeated =
        command->argument_count > 0 && command->arguments[command->argument_count - 1].repeated;
    if (position >= command->argument_count && repeated) {
        position = command->argument_count - 1;
    }
    if (position < command->argument_count) {
        offer_argument(out, &command->arguments[position], last, before);
    }
}
