/* SPDX-License-Identifier: Apache-2.0 */
/* world -- the one door to what is not ours: clocks, chance and the disk.
 *
 * Why      the simulator opens another door: fake time, a seed, a disk that forgets what was not synced, and a power
 *          cut between any two calls. (Sockets have their own seams: listeners and carriers.)
 * Threads  the real one: any. A simulated one: the thread that runs the simulation.
 * Fails    disk calls answer >= 0 or -errno, as system calls do. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct leat_world;

struct leat_stat {
    uint64_t dev, ino, size;
    uint64_t mtime_ns;
    uint32_t mode, uid, gid, nlink; /* mode as in st_mode */
};

enum { LEAT_O_READ = 1, LEAT_O_WRITE = 2, LEAT_O_CREATE = 4, LEAT_O_APPEND = 8, LEAT_O_TRUNC = 16,
       LEAT_O_NOFOLLOW = 32 };

struct leat_disk_ops {
    int (*open)(struct leat_world *world, const char *path, int flags, uint32_t mode); /* never blocks on a FIFO */
    int (*close)(struct leat_world *world, int fd);
    ssize_t (*pread)(struct leat_world *world, int fd, void *at, size_t len, uint64_t offset);
    ssize_t (*write)(struct leat_world *world, int fd, const void *at, size_t len); /* at the end or the position */
    int (*fsync)(struct leat_world *world, int fd);
    int (*fstat)(struct leat_world *world, int fd, struct leat_stat *ret_stat);
    int (*stat)(struct leat_world *world, const char *path, bool follow, struct leat_stat *ret_stat);
    int (*rename)(struct leat_world *world, const char *from, const char *to);
    int (*unlink)(struct leat_world *world, const char *path);
    int (*mkdir)(struct leat_world *world, const char *path, uint32_t mode);
    int (*sync_dir)(struct leat_world *world, const char *path); /* makes renames and unlinks in it durable */
    /* Calls `each` for every entry but "." and ".."; is_dir is a hint (-1 unknown). A non-zero answer ends the walk. */
    int (*list)(struct leat_world *world, const char *path, int (*each)(void *ctx, const char *name, int is_dir),
                void *ctx);
};

struct leat_world {
    uint64_t (*mono_ns)(struct leat_world *world); /* never goes back; for waiting */
    uint64_t (*unix_ns)(struct leat_world *world); /* wall clock; for data */
    uint64_t (*random)(struct leat_world *world);
    const struct leat_disk_ops *disk;
};

struct leat_world *leat_world_real(void); /* one, static */
