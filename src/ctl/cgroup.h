/* cgroup.h: the memory limit of the control group that the process is in. */
#ifndef EMMA_CTL_CGROUP_H
#define EMMA_CTL_CGROUP_H

#include "base/compiler.h"

/* As emma_cgroup_limit says. Source: cgroups(7); Linux Documentation/admin-guide/cgroup-v2.rst,
 * cgroup-v1/memory.rst. */
size_t emma__cgroup_limit(void);

#endif
