/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/available.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t read_number(const char *path)
{
    unsigned long long value = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &value) != 1) /* "max" is no number: no limit */
        value = 0;
    (void)fclose(file);
    return value;
}

/* The process's own group, as a container sees it (the root of its cgroup namespace) or as the host does. */
static uint64_t cgroup_v2(void)
{
    char line[1024], path[1200];
    uint64_t limit = read_number("/sys/fs/cgroup/memory.max");
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !limit && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "0::", 3) != 0)
            continue;
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
        limit = read_number(path);
    }
    if (file)
        (void)fclose(file);
    return limit;
}

uint64_t leat_memory_available(void)
{
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = cgroup_v2();
    if (!limit)
        limit = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    return limit && limit < ram ? limit : ram;
}
