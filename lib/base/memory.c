/*
 * memory.c: how much memory the machine has left.
 *
 * Reads with stdio and not through the file table: a test that breaks that table does not mean the
 * machine's figures.
 */
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t rk_memory_available_bytes(const char *meminfo_path)
{
    FILE *file = fopen(meminfo_path, "re");
    if (file == NULL) {
        return UINT64_MAX;
    }
    char line[128];
    uint64_t kib = 0;
    uint64_t bytes = UINT64_MAX;
    while (bytes == UINT64_MAX && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1 && kib <= UINT64_MAX / 1024u) {
            bytes = kib * 1024u;
        }
    }
    (void)fclose(file); /* nothing was written */
    return bytes;
}
