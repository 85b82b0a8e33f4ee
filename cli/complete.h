/*
 * complete.h: what a shell offers for the word under the cursor, from the table of commands.
 */
#ifndef RK_CLI_COMPLETE_H
#define RK_CLI_COMPLETE_H

#include "cli/cli.h"

/*
 * Appends one candidate per line, "word<TAB>description", for the last of the words behind "rk"
 * (which may be empty). A line ":files SUFFIX" or ":folders" asks the shell for file names.
 */
void rk_cli_append_candidates(rk_str *out, const char *const *words, size_t count);

/* The script that a shell loads: "bash", "zsh" or "fish"; NULL for another name. */
const char *rk_cli_completion_script(const char *shell);

/* "bash|zsh|fish" */
extern const char rk_cli_shells[];

#endif
