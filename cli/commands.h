/*
 * commands.h: the rows of the command table, one from each cli_NAME.c.
 */
#ifndef RK_CLI_COMMANDS_H
#define RK_CLI_COMMANDS_H

#include "cli/cli.h"

/* Version of the protocol of control sockets (protocol.h). */
#define RK_CLI_PROTOCOL 1u

extern const rk_cli_command rk_cli_run;
extern const rk_cli_command rk_cli_ps;
extern const rk_cli_command rk_cli_send;
extern const rk_cli_command rk_cli_stats;
extern const rk_cli_command rk_cli_pause;
extern const rk_cli_command rk_cli_resume;
extern const rk_cli_command rk_cli_stop;
extern const rk_cli_command rk_cli_trace;
extern const rk_cli_command rk_cli_build;
extern const rk_cli_command rk_cli_cache;
extern const rk_cli_command rk_cli_inspect;
extern const rk_cli_command rk_cli_kernels;
extern const rk_cli_command rk_cli_bench;
extern const rk_cli_command rk_cli_doctor;
extern const rk_cli_command rk_cli_devices;
extern const rk_cli_command rk_cli_topology;
extern const rk_cli_command rk_cli_completions;
extern const rk_cli_command rk_cli_help;
extern const rk_cli_command rk_cli_version;
extern const rk_cli_command rk_cli_complete_words; /* __complete */
extern const rk_cli_command rk_cli_install_files;  /* __files */
extern const rk_cli_command rk_cli_host;           /* __host */

#endif
