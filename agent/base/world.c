/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t real_mono(struct leat_world *world)
{
    (void)world;
    return now(CLOCK_MONOTONIC);
}

static uint64_t real_unix(struct leat_world *world)
{
    (void)world;
    return now(CLOCK_REALTIME);
}

static uint64_t real_random(struct leat_world *world) /* xorshift64*, seeded once a thread */
{
    (void)world;
    static _Thread_local uint64_t state;
    while (state == 0)
        if (getrandom(&state, sizeof state, 0) != (ssize_t)sizeof state)
            state = now(CLOCK_MONOTONIC) | 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
}

static int result(int rc) { return rc < 0 ? -errno : rc; }

static int real_open(struct leat_world *world, const char *path, int flags, uint32_t mode)
{
    (void)world;
    int how = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how |= flags & LEAT_O_WRITE ? (flags & LEAT_O_READ ? O_RDWR : O_WRONLY) : O_RDONLY;
    how |= flags & LEAT_O_CREATE ? O_CREAT : 0;
    how |= flags & LEAT_O_APPEND ? O_APPEND : 0;
    how |= flags & LEAT_O_TRUNC ? O_TRUNC : 0;
    how |= flags & LEAT_O_NOFOLLOW ? O_NOFOLLOW : 0;
    return result(open(path, how, (mode_t)mode));
}

static int real_close(struct leat_world *world, int fd)
{
    (void)world;
    return result(close(fd));
}

static ssize_t real_pread(struct leat_world *world, int fd, void *at, size_t len, uint64_t offset)
{
    (void)world;
    ssize_t n;
    do
        n = pread(fd, at, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t real_write(struct leat_world *world, int fd, const void *at, size_t len)
{
    (void)world;
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, (const char *)at + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return done ? (ssize_t)done : -errno;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int real_fsync(struct leat_world *world, int fd)
{
    (void)world;
    return result(fdatasync(fd));
}

static void convert(const struct stat *st, struct leat_stat *ret)
{
    *ret = (struct leat_stat){.dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t)st->st_size,
                              .mtime_ns = (uint64_t)st->st_mtim.tv_sec * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec,
                              .mode = st->st_mode, .uid = st->st_uid, .gid = st->st_gid,
                              .nlink = (uint32_t)st->st_nlink};
}

static int real_fstat(struct leat_world *world, int fd, struct leat_stat *ret_stat)
{
    (void)world;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    convert(&st, ret_stat);
    return 0;
}

static int real_stat(struct leat_world *world, const char *path, bool follow, struct leat_stat *ret_stat)
{
    (void)world;
    struct stat st;
    if ((follow ? stat(path, &st) : lstat(path, &st)) != 0)
        return -errno;
    convert(&st, ret_stat);
    return 0;
}

static int real_rename(struct leat_world *world, const char *from, const char *to)
{
    (void)world;
    return result(rename(from, to));
}

static int real_unlink(struct leat_world *world, const char *path)
{
    (void)world;
    return result(unlink(path));
}

static int real_mkdir(struct leat_world *world, const char *path, uint32_t mode)
{
    (void)world;
    return result(mkdir(path, (mode_t)mode));
}

static int real_sync_dir(struct leat_world *world, const char *path)
{
    (void)world;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = result(fsync(fd));
    (void)close(fd);
    return rc;
}

static int real_list(struct leat_world *world, const char *path, int (*each)(void *, const char *, int), void *ctx)
{
    (void)world;
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int rc = 0;
    for (struct dirent *d; rc == 0 && (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        int is_dir = d->d_type == DT_DIR ? 1 : d->d_type == DT_UNKNOWN || d->d_type == DT_LNK ? -1 : 0;
        rc = each(ctx, d->d_name, is_dir);
    }
    (void)closedir(dir);
    return rc < 0 ? rc : 0;
}

static const struct leat_disk_ops real_disk = {
    .open = real_open, .close = real_close, .pread = real_pread, .write = real_write, .fsync = real_fsync,
    .fstat = real_fstat, .stat = real_stat, .rename = real_rename, .unlink = real_unlink, .mkdir = real_mkdir,
    .sync_dir = real_sync_dir, .list = real_list,
};

struct leat_world *leat_world_real(void)
{
    static struct leat_world world = {.mono_ns = real_mono, .unix_ns = real_unix, .random = real_random,
                                      .disk = &real_disk};
    return &world;
}
