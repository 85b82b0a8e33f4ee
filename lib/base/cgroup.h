/*
 * cgroup.h: the CPU quota that the system's control groups put on this process.
 */
#ifndef RK_BASE_CGROUP_H
#define RK_BASE_CGROUP_H

#include <ringkernel/status.h>

/*
 * The smallest CPU quota of the process's group and the groups above it, in whole CPUs rounded up;
 * 0 if there is none or it cannot be read. membership is /proc/self/cgroup, mount is
 * /sys/fs/cgroup; version 2 (cpu.max) and version 1 (cpu.cfs_quota_us) of the interface are
 * understood. Source: Linux Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
 */
unsigned rk_cgroup_cpu_limit(const char *membership, const char *mount);

#endif
