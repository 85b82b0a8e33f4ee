/*
 * folder.h: the folder that a run writes its results to.
 */
#ifndef RK_CLI_FOLDER_H
#define RK_CLI_FOLDER_H

#include <ringkernel/status.h>

#include <stdbool.h>
#include <stdint.h>

/* An output folder, locked against other runs while it is open. */
typedef struct rk_folder {
    char *path;
    int fd;
    bool made; /* it was not there before */
} rk_folder;

/*
 * Makes the folder (and those above it), locks it, removes what killed runs left half-written, and
 * makes sure that files can be written there and that needed_bytes are free. RK_BUSY when another
 * run writes there; RK_PERMISSION, RK_NO_SPACE, RK_IO.
 */
rk_status rk_folder_open(const char *path, uint64_t needed_bytes, rk_folder *out_folder,
                         rk_err *err);

/* Removes the summary of an earlier run: from here on the folder holds an unfinished one. */
void rk_folder_clear(rk_folder *folder);

/* Unlocks it. One that was made for nothing, being empty, is removed. */
void rk_folder_close(rk_folder *folder);

#endif
