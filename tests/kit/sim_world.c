/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/sim_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_MAX_BYTES 256
#define NODES_MAX 256
#define FDS_MAX 256
#define WRITES_MAX 4096
#define EPOCH_NS 1700000000000000000ull

/* The content of a file; it lives as long as a name or a descriptor knows it. */
struct node {
    uint64_t ino;
    uint8_t *at;
    size_t size, room;
    size_t synced; /* so much is certain to survive; the rest may */
    uint64_t mtime_ns;
    bool dir;
};

struct entry { /* a name, as programs see it and as the platter has it */
    char path[PATH_MAX_BYTES];
    struct node *now, *durable;
};

struct open_file {
    struct node *node;
    int flags;
    uint64_t position;
    bool used;
};

struct sim_world {
    struct leat_world base;
    uint64_t mono_ns, state, calls, crash_in, next_ino;
    bool crashed;
    struct node *nodes[NODES_MAX * 16];
    size_t node_count;
    struct entry entries[NODES_MAX];
    size_t entry_count;
    struct open_file fds[FDS_MAX];
};

static struct sim_world *of(const struct leat_world *world)
{
    return (struct sim_world *)(uintptr_t)world;
}

static void *must(void *at)
{
    if (!at)
        abort();
    return at;
}

/* ---- clock and chance ---- */

static uint64_t sim_mono(struct leat_world *world)
{
    return of(world)->mono_ns;
}

static uint64_t sim_unix(struct leat_world *world)
{
    return EPOCH_NS + of(world)->mono_ns;
}

static uint64_t sim_random(struct leat_world *world) /* splitmix64 */
{
    uint64_t z = (of(world)->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void sim_world_advance(struct leat_world *world, uint64_t ns)
{
    of(world)->mono_ns += ns;
}

void sim_world_advance_to(struct leat_world *world, uint64_t mono_ns)
{
    if (of(world)->mono_ns < mono_ns)
        of(world)->mono_ns = mono_ns;
}

uint64_t sim_world_chance(struct leat_world *world, uint64_t below)
{
    return below ? sim_random(world) % below : 0;
}

/* ---- names and contents ---- */

static struct node *node_new(struct sim_world *sim, bool dir)
{
    struct node *node = must(calloc(1, sizeof *node));
    node->ino = ++sim->next_ino;
    node->dir = dir;
    node->mtime_ns = EPOCH_NS + sim->mono_ns;
    if (sim->node_count == sizeof sim->nodes / sizeof sim->nodes[0])
        abort();
    sim->nodes[sim->node_count++] = node;
    return node;
}

static struct entry *entry_find(struct sim_world *sim, const char *path)
{
    for (size_t i = 0; i < sim->entry_count; i++)
        if (strcmp(sim->entries[i].path, path) == 0)
            return &sim->entries[i];
    return NULL;
}

static struct entry *entry_at(struct sim_world *sim, const char *path)
{
    struct entry *entry = entry_find(sim, path);
    if (entry)
        return entry;
    if (sim->entry_count == NODES_MAX || strlen(path) >= PATH_MAX_BYTES)
        abort();
    entry = &sim->entries[sim->entry_count++];
    *entry = (struct entry){0};
    (void)snprintf(entry->path, sizeof entry->path, "%s", path);
    return entry;
}

static struct node *node_at(struct sim_world *sim, const char *path)
{
    struct entry *entry = entry_find(sim, path);
    return entry ? entry->now : NULL;
}

/* A folder exists when it was made or something is in it. */
static bool is_dir(struct sim_world *sim, const char *path)
{
    struct node *node = node_at(sim, path);
    size_t len = strlen(path);
    if (node)
        return node->dir;
    for (size_t i = 0; i < sim->entry_count; i++)
        if (sim->entries[i].now && strncmp(sim->entries[i].path, path, len) == 0 && sim->entries[i].path[len] == '/')
            return true;
    return strcmp(path, "/") == 0;
}

static void put_bytes(struct sim_world *sim, struct node *node, size_t offset, const void *at, size_t len)
{
    size_t end = offset + len;
    if (end > node->room) {
        node->room = end * 2;
        node->at = must(realloc(node->at, node->room));
    }
    if (offset > node->size)
        memset(node->at + node->size, 0, offset - node->size);
    if (len)
        memcpy(node->at + offset, at, len);
    if (offset < node->synced) /* written over: what was certain no longer is */
        node->synced = offset;
    if (end > node->size)
        node->size = end;
    node->mtime_ns = EPOCH_NS + sim->mono_ns;
}

/* ---- power ---- */

static bool power_off(struct sim_world *sim)
{
    sim->calls++;
    if (!sim->crashed && sim->crash_in && --sim->crash_in == 0)
        sim->crashed = true;
    return sim->crashed;
}

uint64_t sim_world_disk_calls(const struct leat_world *world)
{
    return of(world)->calls;
}

void sim_world_crash_at(struct leat_world *world, uint64_t disk_calls_from_now)
{
    of(world)->crash_in = disk_calls_from_now;
}

bool sim_world_crashed(const struct leat_world *world)
{
    return of(world)->crashed;
}

void sim_world_crash(struct leat_world *world)
{
    of(world)->crashed = true;
}

void sim_world_restart(struct leat_world *world)
{
    struct sim_world *sim = of(world);
    memset(sim->fds, 0, sizeof sim->fds);
    for (size_t i = 0; i < sim->entry_count; i++) {
        struct entry *entry = &sim->entries[i];
        if (entry->now != entry->durable && sim_world_chance(world, 2))
            entry->durable = entry->now; /* the folder reached the platter by itself */
        entry->now = entry->durable;
    }
    for (size_t i = 0; i < sim->node_count; i++) {
        struct node *node = sim->nodes[i];
        if (node->size > node->synced)
            node->size = node->synced + sim_world_chance(world, node->size - node->synced + 1);
        node->synced = node->size;
    }
    sim->crashed = false;
    sim->crash_in = 0;
}

/* ---- the disk ---- */

static int sim_open(struct leat_world *world, const char *path, int flags, uint32_t mode)
{
    struct sim_world *sim = of(world);
    (void)mode;
    if (power_off(sim))
        return -EIO;
    struct node *node = node_at(sim, path);
    if (!node && !(flags & LEAT_O_CREATE))
        return is_dir(sim, path) ? -EISDIR : -ENOENT;
    if (!node)
        node = entry_at(sim, path)->now = node_new(sim, false);
    if (node->dir && flags & LEAT_O_WRITE)
        return -EISDIR;
    if (flags & LEAT_O_TRUNC)
        node->size = node->synced = 0;
    for (int fd = 3; fd < FDS_MAX; fd++)
        if (!sim->fds[fd].used) {
            sim->fds[fd] = (struct open_file){.node = node, .flags = flags, .used = true};
            return fd;
        }
    return -EMFILE;
}

static struct open_file *file_at(struct sim_world *sim, int fd)
{
    return fd >= 0 && fd < FDS_MAX && sim->fds[fd].used ? &sim->fds[fd] : NULL;
}

static int sim_close(struct leat_world *world, int fd)
{
    struct open_file *file = file_at(of(world), fd);
    if (!file)
        return of(world)->crashed ? -EIO : -EBADF;
    file->used = false;
    return 0;
}

static ssize_t sim_pread(struct leat_world *world, int fd, void *at, size_t len, uint64_t offset)
{
    struct sim_world *sim = of(world);
    struct open_file *file = file_at(sim, fd);
    if (power_off(sim))
        return -EIO;
    if (!file)
        return -EBADF;
    if (file->node->dir)
        return -EISDIR;
    if (offset >= file->node->size)
        return 0;
    size_t rest = file->node->size - (size_t)offset, n = rest < len ? rest : len;
    memcpy(at, file->node->at + offset, n);
    return (ssize_t)n;
}

static ssize_t sim_write(struct leat_world *world, int fd, const void *at, size_t len)
{
    struct sim_world *sim = of(world);
    struct open_file *file = file_at(sim, fd);
    if (power_off(sim))
        return -EIO;
    if (!file || !(file->flags & LEAT_O_WRITE))
        return -EBADF;
    if (file->flags & LEAT_O_APPEND)
        file->position = file->node->size;
    put_bytes(sim, file->node, (size_t)file->position, at, len);
    file->position += len;
    return (ssize_t)len;
}

static int sim_fsync(struct leat_world *world, int fd)
{
    struct sim_world *sim = of(world);
    struct open_file *file = file_at(sim, fd);
    if (power_off(sim))
        return -EIO;
    if (!file)
        return -EBADF;
    file->node->synced = file->node->size;
    return 0;
}

static void describe(const struct node *node, struct leat_stat *ret)
{
    *ret = (struct leat_stat){.dev = 1,
                              .ino = node->ino,
                              .size = node->size,
                              .mtime_ns = node->mtime_ns,
                              .mode = node->dir ? S_IFDIR | 0700u : S_IFREG | 0600u,
                              .nlink = 1};
}

static int sim_fstat(struct leat_world *world, int fd, struct leat_stat *ret_stat)
{
    struct sim_world *sim = of(world);
    struct open_file *file = file_at(sim, fd);
    if (power_off(sim))
        return -EIO;
    if (!file)
        return -EBADF;
    describe(file->node, ret_stat);
    return 0;
}

static int sim_stat(struct leat_world *world, const char *path, bool follow, struct leat_stat *ret_stat)
{
    struct sim_world *sim = of(world);
    (void)follow;
    if (power_off(sim))
        return -EIO;
    struct node *node = node_at(sim, path);
    if (!node && !is_dir(sim, path))
        return -ENOENT;
    if (node)
        describe(node, ret_stat);
    else
        *ret_stat = (struct leat_stat){.dev = 1, .ino = 1, .mode = S_IFDIR | 0700u, .nlink = 2};
    return 0;
}

static int sim_rename(struct leat_world *world, const char *from, const char *to)
{
    struct sim_world *sim = of(world);
    if (power_off(sim))
        return -EIO;
    struct node *node = node_at(sim, from);
    if (!node)
        return -ENOENT;
    entry_at(sim, to)->now = node;
    entry_at(sim, from)->now = NULL;
    return 0;
}

static int sim_unlink(struct leat_world *world, const char *path)
{
    struct sim_world *sim = of(world);
    if (power_off(sim))
        return -EIO;
    struct entry *entry = entry_find(sim, path);
    if (!entry || !entry->now)
        return -ENOENT;
    entry->now = NULL;
    return 0;
}

static int sim_mkdir(struct leat_world *world, const char *path, uint32_t mode)
{
    struct sim_world *sim = of(world);
    (void)mode;
    if (power_off(sim))
        return -EIO;
    if (is_dir(sim, path) || node_at(sim, path))
        return -EEXIST;
    entry_at(sim, path)->now = node_new(sim, true);
    return 0;
}

static bool is_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}

static int sim_sync_dir(struct leat_world *world, const char *path)
{
    struct sim_world *sim = of(world);
    if (power_off(sim))
        return -EIO;
    for (size_t i = 0; i < sim->entry_count; i++)
        if (is_in(sim->entries[i].path, path))
            sim->entries[i].durable = sim->entries[i].now;
    return 0;
}

static int sim_list(struct leat_world *world, const char *path, int (*each)(void *, const char *, int), void *ctx)
{
    struct sim_world *sim = of(world);
    if (power_off(sim))
        return -EIO;
    if (!is_dir(sim, path))
        return -ENOENT;
    int rc = 0;
    char folder[PATH_MAX_BYTES]; /* `each` may write over the path it gave */
    (void)snprintf(folder, sizeof folder, "%s", path);
    size_t skip = strlen(folder) + 1;
    for (size_t i = 0; rc == 0 && i < sim->entry_count; i++)
        if (sim->entries[i].now && is_in(sim->entries[i].path, folder))
            rc = each(ctx, sim->entries[i].path + skip, sim->entries[i].now->dir);
    return rc < 0 ? rc : 0;
}

static const struct leat_disk_ops sim_disk = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .write = sim_write,
    .fsync = sim_fsync,
    .fstat = sim_fstat,
    .stat = sim_stat,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
};

/* ---- other programs ---- */

void sim_world_append(struct leat_world *world, const char *path, const void *at, size_t len)
{
    struct sim_world *sim = of(world);
    struct entry *entry = entry_at(sim, path);
    if (!entry->now)
        entry->now = node_new(sim, false);
    entry->durable = entry->now;
    put_bytes(sim, entry->now, entry->now->size, at, len);
    entry->now->synced = entry->now->size;
}

void sim_world_move(struct leat_world *world, const char *from, const char *to)
{
    struct sim_world *sim = of(world);
    struct node *node = entry_at(sim, from)->now;
    struct entry *target = entry_at(sim, to), *source = entry_at(sim, from);
    target->now = target->durable = node;
    source->now = source->durable = NULL;
}

/* ---- life ---- */

struct leat_world *sim_world_new(uint64_t seed)
{
    struct sim_world *sim = must(calloc(1, sizeof *sim));
    sim->base = (struct leat_world){.mono_ns = sim_mono, .unix_ns = sim_unix, .random = sim_random, .disk = &sim_disk};
    sim->mono_ns = 1000000000ull;
    sim->state = seed * 0x9e3779b97f4a7c15ull + 1;
    sim->next_ino = 100;
    return &sim->base;
}

void sim_world_free(struct leat_world *world)
{
    struct sim_world *sim = of(world);
    for (size_t i = 0; i < sim->node_count; i++) {
        free(sim->nodes[i]->at);
        free(sim->nodes[i]);
    }
    free(sim);
}
