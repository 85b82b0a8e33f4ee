/*
 * cgroup.c: the CPU quota that the system's control groups put on this process.
 *
 * Reads with stdio and not through the file table: it runs inside the first wait, when a test may
 * have broken that table on purpose.
 */
#include "base/cgroup.h"

#include "base/compiler.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Reads the first line of a small file; false if there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool found = fgets(line, (int)size, file) != NULL;
    (void)fclose(file); /* nothing was written */
    return found;
}

static unsigned cpus_of(int64_t quota_us, int64_t period_us)
{
    if (quota_us <= 0 || period_us <= 0) {
        return 0; /* "no quota" is -1 */
    }
    int64_t cpus = quota_us / period_us + (quota_us % period_us != 0);
    return cpus > INT_MAX ? INT_MAX : (unsigned)cpus;
}

/* The quota of one group folder, 0 for none. */
static unsigned limit_of_folder(const char *folder)
{
    char path[PATH_MAX];
    char line[128];
    int64_t quota_us = 0;
    int64_t period_us = 0;
    if (snprintf(path, sizeof path, "%s/cpu.max", folder) < (int)sizeof path &&
        read_line(path, line, sizeof line)) {
        /* "max 100000" has no number in front and gives no limit. */
        return sscanf(line, "%" SCNd64 " %" SCNd64, &quota_us, &period_us) == 2
                   ? cpus_of(quota_us, period_us)
                   : 0;
    }
    if (snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder) >= (int)sizeof path ||
        !read_line(path, line, sizeof line) || sscanf(line, "%" SCNd64, &quota_us) != 1 ||
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder) >= (int)sizeof path ||
        !read_line(path, line, sizeof line) || sscanf(line, "%" SCNd64, &period_us) != 1) {
        return 0;
    }
    return cpus_of(quota_us, period_us);
}

/* The smallest quota from mount/group up to mount itself. */
static unsigned limit_of_path(const char *mount, const char *group)
{
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder) {
        return 0;
    }
    unsigned smallest = 0;
    size_t end = strlen(mount);
    for (;;) {
        unsigned limit = limit_of_folder(folder);
        if (limit > 0 && (smallest == 0 || limit < smallest)) {
            smallest = limit;
        }
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < end) {
            return smallest;
        }
        *slash = '\0';
    }
}

/* Whether a comma-separated list of controllers holds "cpu". */
static bool has_cpu(const char *list, size_t length)
{
    while (length > 0) {
        const char *comma = memchr(list, ',', length);
        size_t word = comma == NULL ? length : (size_t)(comma - list);
        if (word == 3 && memcmp(list, "cpu", 3) == 0) {
            return true;
        }
        word = comma == NULL ? word : word + 1;
        list += word;
        length -= word;
    }
    return false;
}

unsigned rk_cgroup_cpu_limit(const char *membership, const char *mount)
{
    FILE *file = fopen(membership, "re");
    if (file == NULL) {
        return 0;
    }
    unsigned smallest = 0;
    char line[PATH_MAX];
    while (fgets(line, (int)sizeof line, file) != NULL) {
        /* "hierarchy:controllers:/path"; version 2 has hierarchy 0 and no controllers. */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL) {
            continue;
        }
        controllers++;
        bool is_v2 = strncmp(line, "0:", 2) == 0;
        if (!is_v2 && !has_cpu(controllers, (size_t)(group - controllers))) {
            continue;
        }
        char root[PATH_MAX];
        int length = is_v2 ? snprintf(root, sizeof root, "%s", mount)
                           : snprintf(root, sizeof root, "%s/cpu", mount);
        unsigned limit = length < (int)sizeof root ? limit_of_path(root, group + 1) : 0;
        if (limit > 0 && (smallest == 0 || limit < smallest)) {
            smallest = limit;
        }
    }
    (void)fclose(file); /* nothing was written */
    return smallest;
}
