/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "processors/memory_limiter/memory_limiter.h"

/* statm: pages in total, pages resident, ... */
leat_rc memory_limiter__rss(struct leat_world *world, const char *statm_path, uint64_t *ret_bytes)
{
    char text[128];
    unsigned long long total, resident;
    int fd = world->disk->open(world, statm_path, LEAT_O_READ, 0);
    if (fd < 0)
        return LEAT_EIO;
    ssize_t got = world->disk->pread(world, fd, text, sizeof text - 1, 0);
    (void)world->disk->close(world, fd);
    if (got <= 0)
        return LEAT_EIO;
    text[got] = 0;
    if (sscanf(text, "%llu %llu", &total, &resident) != 2)
        return LEAT_EPARSE;
    *ret_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    return LEAT_OK;
}

void memory_limiter__give_back(void)
{
    leat_pool_trim(leat_pool_here());
    (void)malloc_trim(0);
}
