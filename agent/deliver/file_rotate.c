/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/file_rotate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/alloc.h"

#define BACKUPS_MAX 4096u
#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_DAY (86400ull * NS_PER_S)
#define STAMP_LEN (LEAT_FILE_STAMP_BYTES - 1)

/* "dir/", "name", ".ext" of a path. */
struct parts {
    int dir_len, stem_len;
    const char *dir, *stem, *ext;
};

static struct parts parts_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const char *ext = dot ? dot : name + strlen(name);
    return (struct parts){
        .dir = path, .dir_len = (int)(name - path), .stem = name, .stem_len = (int)(ext - name), .ext = ext};
}

void leat_deliver__file_stamp(uint64_t unix_ns, bool localtime, char to[LEAT_FILE_STAMP_BYTES])
{
    time_t s = (time_t)(unix_ns / NS_PER_S);
    struct tm tm;
    if (localtime)
        localtime_r(&s, &tm);
    else
        gmtime_r(&s, &tm);
    (void)snprintf(to, LEAT_FILE_STAMP_BYTES, "%04u-%02u-%02uT%02u-%02u-%02u.%03u",
                   (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
                   (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
                   (unsigned)tm.tm_sec % 100u, (unsigned)(unix_ns / NS_PER_MS % 1000));
}

int leat_deliver__file_rotate(struct leat_world *world, const struct leat_file_carrier_conf *conf)
{
    struct parts parts = parts_of(conf->path);
    uint64_t now_ns = world->unix_ns(world);
    char backup[PATH_MAX], stamp[LEAT_FILE_STAMP_BYTES];
    struct leat_stat st;
    int rc;
    do { /* two in one millisecond: the later one is a little later still */
        leat_deliver__file_stamp(now_ns, conf->rotation.localtime, stamp);
        int len = snprintf(backup, sizeof backup, "%.*s%.*s-%s%s", parts.dir_len, parts.dir, parts.stem_len, parts.stem,
                           stamp, parts.ext);
        if (len >= (int)sizeof backup)
            return -ENAMETOOLONG;
        now_ns += NS_PER_MS;
    } while ((rc = world->disk->stat(world, backup, false, &st)) == 0);
    return world->disk->rename(world, conf->path, backup);
}

/* ---- old backups ---- */

struct backups {
    struct parts parts;
    uint32_t count;
    char (*stamps)[LEAT_FILE_STAMP_BYTES];
};

static bool stamp_like(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd-dd-dd.ddd";
    for (size_t i = 0; i < STAMP_LEN; i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    return true;
}

static int note_backup(void *ctx, const char *name, int is_dir)
{
    struct backups *backups = ctx;
    const struct parts *parts = &backups->parts;
    size_t stem_len = (size_t)parts->stem_len, len = strlen(name);
    if (is_dir == 1 || len != stem_len + 1 + STAMP_LEN + strlen(parts->ext))
        return 0;
    const char *stamp = name + stem_len + 1;
    if (memcmp(name, parts->stem, stem_len) != 0 || name[stem_len] != '-' || !stamp_like(stamp) ||
        strcmp(stamp + STAMP_LEN, parts->ext) != 0)
        return 0;
    memcpy(backups->stamps[backups->count], stamp, STAMP_LEN);
    backups->stamps[backups->count][STAMP_LEN] = 0;
    return ++backups->count == BACKUPS_MAX;
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

static void remove_backup(struct leat_world *world, const struct parts *parts, const char *stamp)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%.*s%.*s-%s%s", parts->dir_len, parts->dir, parts->stem_len, parts->stem,
                       stamp, parts->ext);
    if (len < (int)sizeof path)
        (void)world->disk->unlink(world, path); /* tried again at the next rotation */
}

void leat_deliver__file_prune(struct leat_world *world, const struct leat_file_carrier_conf *conf)
{
    uint32_t keep = conf->rotation.max_backups > 0 ? (uint32_t)conf->rotation.max_backups : UINT32_MAX;
    if (keep == UINT32_MAX && conf->rotation.max_days <= 0)
        return;
    struct backups backups = {.parts = parts_of(conf->path), .stamps = leat_zalloc(BACKUPS_MAX, LEAT_FILE_STAMP_BYTES)};
    if (!backups.stamps)
        return;
    char dir[PATH_MAX], oldest[LEAT_FILE_STAMP_BYTES] = "";
    (void)snprintf(dir, sizeof dir, "%.*s", backups.parts.dir_len, backups.parts.dir);
    (void)world->disk->list(world, dir[0] ? dir : ".", note_backup, &backups);
    qsort(backups.stamps, backups.count, LEAT_FILE_STAMP_BYTES, newest_first);
    if (conf->rotation.max_days > 0)
        leat_deliver__file_stamp(world->unix_ns(world) - (uint64_t)conf->rotation.max_days * NS_PER_DAY,
                                 conf->rotation.localtime, oldest);
    for (uint32_t i = 0; i < backups.count; i++)
        if (i >= keep || strcmp(backups.stamps[i], oldest) < 0)
            remove_backup(world, &backups.parts, backups.stamps[i]);
    leat_free(backups.stamps);
}

int leat_deliver__file_folders(struct leat_world *world, const char *path, uint32_t mode)
{
    char dir[PATH_MAX];
    if (strlen(path) >= sizeof dir)
        return -ENAMETOOLONG;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        memcpy(dir, path, len);
        dir[len] = 0;
        int rc = world->disk->mkdir(world, dir, mode);
        if (rc != 0 && rc != -EEXIST)
            return rc;
    }
    return 0;
}
