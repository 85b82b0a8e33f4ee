/*
 * modules.h: modules as people name them: a built-in one by its name, a bundle by its path.
 */
#ifndef RK_CLI_MODULES_H
#define RK_CLI_MODULES_H

#include <ringkernel/module.h>

/*
 * Opens a bundle if name has a '/' or ends in ".rkm", else the built-in module of that name; a
 * wrong name gets a suggestion. folder is where relative paths start; NULL: the working directory.
 * The errors of rk_module_open_file and rk_module_open_builtin.
 */
rk_status rk_cli_open_module(const char *name, const char *folder, rk_module **out_module,
                             rk_err *err);

/* The paths of all built-in bundles, sorted; the caller frees each of them and the array. */
rk_status rk_cli_builtin_paths(char ***out_paths, size_t *out_count, rk_err *err);
void rk_cli_free_paths(char **paths, size_t count);

/* The module name in a bundle's path, "wave3d" of "/x/wave3d.rkm", cut to 63 bytes. */
void rk_cli_path_name(const char *path, char out_name[64]);

#endif
