/*
 * folder.h: the folder that a run writes its results to.
 */
#ifndef RK_CLI_FOLDER_H
#define RK_CLI_FOLDER_H

#include <ringkernel/status.h>

/* An output folder, locked against other runs while it is open. */
typedef struct rk_folder {
    char *path;
    int fd;
} rk_folder;

/*
 * Makes the folder (and those above it), locks it, removes what killed runs left half-written and
 * the summary of an earlier run, and makes sure that files can be written there and that
 * needed_bytes are free. RK_BUSY when another run writes there; RK_PERMISSION, RK_NO_SPACE, RK_IO.
 */
rk_status rk_folder_open(const char *path, uint64_t needed_bytes, rk_folder *out_folder,
                         rk_err *err);
void rk_folder_close(rk_folder *folder);

#endif
