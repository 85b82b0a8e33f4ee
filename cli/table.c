/*
 * table.c: the commands in the order of the help.
 */
#include "cli/commands.h"

const rk_cli_command *const rk_cli_commands[] = {
    &rk_cli_run,           &rk_cli_ps,          &rk_cli_send,    &rk_cli_stats,
    &rk_cli_trace,         &rk_cli_pause,       &rk_cli_resume,  &rk_cli_stop,
    &rk_cli_build,         &rk_cli_inspect,     &rk_cli_kernels, &rk_cli_cache,
    &rk_cli_bench,         &rk_cli_doctor,      &rk_cli_devices, &rk_cli_topology,
    &rk_cli_version,       &rk_cli_completions, &rk_cli_help,    &rk_cli_complete_words,
    &rk_cli_install_files, &rk_cli_host,
};
const size_t rk_cli_command_count = RK_CLI_COUNT(rk_cli_commands);
