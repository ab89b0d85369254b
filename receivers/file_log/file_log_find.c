/* SPDX-License-Identifier: Apache-2.0 */
/* Which files there are, and who they are: device and inode first, the first bytes to disprove it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "receivers/file_log/file_log.h"

#define S_KIND 0170000u
#define S_REGULAR 0100000u
#define NS_PER_S 1000000000ull
#define QUIET_NS (10 * NS_PER_S)   /* a rotated file may still be written to for so long */
#define FORGET_NS (600 * NS_PER_S) /* the position of a file that left is kept for so long */
#define FINGERPRINT_MAX 65536u
#define GZIP_MAGIC "\x1f\x8b"

/* ---- the table ---- */

static uint64_t identity_hash(uint64_t dev, uint64_t ino)
{
    uint64_t x = (ino ^ (dev << 32) ^ (dev >> 32)) * 0x9e3779b97f4a7c15ull;
    return x ^ x >> 29;
}

bool file_log__mine(const struct file_log *state, uint64_t dev, uint64_t ino)
{
    return state->host->shard_count < 2 ||
           (identity_hash(dev, ino) >> 8) % state->host->shard_count == state->host->shard;
}

struct file_log_file *file_log__file_find(const struct file_log *state, uint64_t dev, uint64_t ino)
{
    if (!state->bucket_count)
        return NULL;
    struct file_log_file *file = state->buckets[identity_hash(dev, ino) & (state->bucket_count - 1)];
    while (file && (file->dev != dev || file->ino != ino))
        file = file->next;
    return file;
}

static void bucket_put(struct file_log_file **buckets, uint32_t count, struct file_log_file *file)
{
    struct file_log_file **at = &buckets[identity_hash(file->dev, file->ino) & (count - 1)];
    file->next = *at;
    *at = file;
}

static bool grow(struct file_log *state)
{
    if (state->file_count < state->bucket_count)
        return true;
    uint32_t count = state->bucket_count ? state->bucket_count * 2 : 64;
    struct file_log_file **buckets = leat_zalloc(count, sizeof *buckets);
    if (!buckets)
        return state->bucket_count != 0; /* longer chains are no harm */
    LEAT_LIST_EACH (node, &state->files) {
        struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        if (!file->gone)
            bucket_put(buckets, count, file);
    }
    leat_free(state->buckets);
    state->buckets = buckets;
    state->bucket_count = count;
    return true;
}

static void bucket_remove(struct file_log *state, struct file_log_file *file)
{
    struct file_log_file **at = &state->buckets[identity_hash(file->dev, file->ino) & (state->bucket_count - 1)];
    while (*at && *at != file)
        at = &(*at)->next;
    if (*at)
        *at = file->next;
}

struct file_log_file *file_log__file_new(struct file_log *state, const char *path, uint64_t dev, uint64_t ino)
{
    struct file_log_file *file = grow(state) ? leat_zalloc(1, sizeof *file) : NULL;
    if (!file)
        return NULL;
    file->path = leat_strdup(path);
    file->name = leat_strdup(path);
    if (!file->path || !file->name) {
        leat_free(file->path);
        leat_free(file->name);
        leat_free(file);
        return NULL;
    }
    file->dev = dev;
    file->ino = ino;
    file->fd = -1;
    file->seen_ns = file->grown_ns = leat_loop_now_ns(state->host->loop);
    leat_list_init(&file->ranges);
    leat_list_push(&state->files, &file->link);
    bucket_put(state->buckets, state->bucket_count, file);
    state->file_count++;
    file_log__watch_join(state, file);
    return file;
}

void file_log__file_shut(struct file_log *state, struct file_log_file *file)
{
    if (file->fd < 0)
        return;
    (void)state->host->world->disk->close(state->host->world, file->fd);
    file->fd = -1;
    state->open_count--;
    file_log__count(state, FILE_LOG_CLOSED, 1);
}

void file_log__file_free(struct file_log *state, struct file_log_file *file)
{
    file_log__file_shut(state, file);
    file_log__watch_leave(state, file);
    if (!file->gone)
        bucket_remove(state, file);
    for (uint32_t stage = 0; stage < 2; stage++)
        for (uint32_t stream = 0; stream < FILE_LOG_STREAMS; stream++)
            file_log__held_done(state, &file->held[stage][stream]);
    leat_list_remove(&file->link);
    leat_free(file->resource);
    leat_free(file->attributes);
    leat_free(file->path);
    leat_free(file->name);
    leat_free(file);
    state->file_count--;
}

uint64_t file_log__safe(const struct file_log_file *file)
{
    uint64_t safe = file->offset;
    for (uint32_t stage = 0; stage < 2; stage++)
        for (uint32_t stream = 0; stream < FILE_LOG_STREAMS; stream++)
            if (file->held[stage][stream].active && file->held[stage][stream].from < safe)
                safe = file->held[stage][stream].from;
    return safe;
}

/* ---- identity ---- */

/* Reads up to `want` first bytes; the answer is how many there are, or -errno. */
static ssize_t read_head(struct file_log *state, int fd, uint8_t *at, size_t want)
{
    struct leat_world *world = state->host->world;
    size_t done = 0;
    while (done < want) {
        ssize_t n = world->disk->pread(world, fd, at + done, want - done, done);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

enum who { WHO_SAME, WHO_OTHER, WHO_UNKNOWN };

/* Compares the first bytes with those remembered, and remembers more of them when there are more. */
static enum who recognise(struct file_log *state, struct file_log_file *file, int fd)
{
    uint8_t head[FINGERPRINT_MAX];
    ssize_t n = read_head(state, fd, head, (size_t)state->conf->fingerprint_size);
    if (n < 0)
        return WHO_UNKNOWN;
    if (file->fp_len && ((size_t)n < file->fp_len || XXH3_64bits(head, file->fp_len) != file->fp_hash))
        return WHO_OTHER;
    if ((size_t)n > file->fp_len) {
        file->fp_len = (uint32_t)n;
        file->fp_hash = XXH3_64bits(head, (size_t)n);
        state->dirty = true;
    }
    return WHO_SAME;
}

void file_log__fingerprint_grow(struct file_log *state, struct file_log_file *file)
{
    if (file->fp_len < (uint32_t)state->conf->fingerprint_size && file->size > file->fp_len && file->fd >= 0)
        (void)recognise(state, file, file->fd);
}

bool file_log__same_head(struct file_log *state, struct file_log_file *file)
{
    return recognise(state, file, file->fd) != WHO_OTHER;
}

static void forget_content(struct file_log *state, struct file_log_file *file)
{
    for (uint32_t stage = 0; stage < 2; stage++)
        for (uint32_t stream = 0; stream < FILE_LOG_STREAMS; stream++)
            file_log__held_done(state, &file->held[stage][stream]);
    file->offset = file->final = file->record_number = file->read_to = 0;
    file->marker_len = file->fp_len = 0;
    file->skipping = false;
    state->dirty = true;
}

/* The same inode holds something else now. What was read of the old content keeps its own object until it is final. */
leat_rc file_log__file_restart(struct file_log *state, struct file_log_file *file)
{
    if (leat_list_empty(&file->ranges)) {
        forget_content(state, file);
        return LEAT_OK;
    }
    struct file_log_file *old = leat_zalloc(1, sizeof *old);
    if (!old)
        return LEAT_ENOMEM;
    old->path = leat_strdup(file->path);
    if (!old->path) {
        leat_free(old);
        return LEAT_ENOMEM;
    }
    if (state->out.file == file)
        file_log__out_flush(state);
    old->fd = -1;
    old->gone = true;
    leat_list_init(&old->ranges);
    while (!leat_list_empty(&file->ranges)) {
        struct leat_list *node = leat_list_pop(&file->ranges);
        LEAT_CONTAINER(node, struct file_log_range, link)->file = old;
        leat_list_push(&old->ranges, node);
    }
    leat_list_push(&state->files, &old->link);
    state->file_count++;
    forget_content(state, file);
    return LEAT_OK;
}

static leat_rc complain(struct file_log *state, const char *path, int rc)
{
    uint32_t missed;
    file_log__count(state, FILE_LOG_ERRORS, 1);
    if (leat_log_may(&state->limit_open, leat_loop_now_ns(state->host->loop), &missed))
        leat_log(LEAT_LOG_WARN, state->host->id, "%s: %s (and %u more)", path, strerror(-rc), missed);
    return LEAT_EIO;
}

/* Opens the path and makes sure that it is still the file we mean, and a regular one. */
leat_rc file_log__file_open(struct file_log *state, struct file_log_file *file)
{
    struct leat_world *world = state->host->world;
    struct leat_stat st;
    int fd =
        world->disk->open(world, file->path, LEAT_O_READ | (state->conf->follow_symlinks ? 0 : LEAT_O_NOFOLLOW), 0);
    if (fd < 0)
        return fd == -ENOENT ? LEAT_ENOENT : complain(state, file->path, fd);
    int rc = world->disk->fstat(world, fd, &st);
    if (rc < 0 || (st.mode & S_KIND) != S_REGULAR || st.dev != file->dev || st.ino != file->ino) {
        (void)world->disk->close(world, fd);
        return rc < 0 ? complain(state, file->path, rc) : LEAT_ENOENT;
    }
    enum who who = file->known && file->offset == 0 ? WHO_SAME : recognise(state, file, fd);
    file->fd = fd;
    state->open_count++;
    file_log__count(state, FILE_LOG_OPENED, 1);
    file->size = st.size;
    if (who == WHO_OTHER) {
        file_log__count(state, file->known ? FILE_LOG_TRUNCATED : FILE_LOG_REUSED, 1);
        if (file_log__file_restart(state, file) != LEAT_OK) {
            file_log__file_shut(state, file);
            return LEAT_ENOMEM;
        }
        (void)recognise(state, file, fd);
    }
    file->known = true;
    return LEAT_OK;
}

/* ---- the scan ---- */

struct scan {
    struct file_log *state;
    uint64_t now_ns, unix_ns;
};

static bool excluded(const struct file_log *state, const char *path)
{
    for (uint32_t i = 0; i < state->conf->exclude.count; i++)
        if (file_log__glob_match(state->conf->exclude.at[i], path))
            return true;
    return false;
}

static bool too_old(const struct scan *scan, const struct leat_stat *st)
{
    uint64_t limit = (uint64_t)scan->state->conf->exclude_older_than;
    return limit && st->mtime_ns + limit < scan->unix_ns;
}

static void refuse_special(struct file_log *state, const char *path)
{
    uint32_t missed;
    file_log__count(state, FILE_LOG_NOT_REGULAR, 1);
    if (leat_log_may(&state->limit_regular, leat_loop_now_ns(state->host->loop), &missed))
        leat_log(LEAT_LOG_WARN, state->host->id, "%s: not a regular file: not read", path);
}

/* kubelet compresses what it rotated; text is all we read. */
static bool is_compressed(struct file_log *state, const struct file_log_file *file)
{
    uint8_t head[2];
    return file->fd >= 0 && read_head(state, file->fd, head, 2) == 2 && memcmp(head, GZIP_MAGIC, 2) == 0;
}

void file_log__found(struct file_log *state, const char *path, const struct leat_stat *st, bool whole)
{
    struct file_log_file *file = file_log__file_new(state, path, st->dev, st->ino);
    if (!file)
        return;
    file->seen = file->watched = true;
    file->size = st->size;
    file->mtime_ns = st->mtime_ns;
    file->mode = st->mode;
    if (!whole)
        file->offset = file->final = file->read_to = st->size;
    state->dirty = true; /* saved at once: should we die now, the next start knows whom to look for */
    state->saved_ns = 0;
    file_log__count(state, FILE_LOG_SEEN, 1);
    if (state->open_count >= (uint64_t)state->conf->max_concurrent_files)
        return; /* later, when another one is closed */
    if (file_log__file_open(state, file) != LEAT_OK)
        return;
    if (is_compressed(state, file)) {
        file_log__count(state, FILE_LOG_COMPRESSED, 1);
        file->ignored = true;
        file_log__file_shut(state, file);
    }
}

static void seen_again(struct scan *scan, struct file_log_file *file, const char *path, const struct leat_stat *st)
{
    if (file->seen)
        return; /* two patterns, or a link and its target */
    file->seen = file->watched = true;
    file->seen_ns = scan->now_ns;
    file->size = st->size;
    file->mtime_ns = st->mtime_ns;
    if (strcmp(file->path, path) == 0)
        return;
    char *moved = leat_strdup(path); /* records keep the name it had; opening again needs the new one */
    if (!moved)
        return;
    leat_free(file->path);
    file->path = moved;
    file_log__count(scan->state, FILE_LOG_ROTATED, 1);
}

/* At the first scan start_at decides, but for a path that a remembered file had: that one was rotated. */
static bool from_start(const struct file_log *state, const char *path)
{
    if (state->scanned_once || state->conf->start_at == FILE_LOG_BEGINNING)
        return true;
    for (const struct leat_list *node = state->files.next; node != &state->files; node = node->next) {
        const struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        if (file->loaded_ns && strcmp(file->name, path) == 0)
            return true;
    }
    return false;
}

static void each_path(void *ctx, const char *path, const struct leat_stat *st)
{
    struct scan *scan = ctx;
    struct file_log *state = scan->state;
    if (!file_log__mine(state, st->dev, st->ino) || excluded(state, path))
        return;
    struct file_log_file *file = file_log__file_find(state, st->dev, st->ino);
    if (file) {
        seen_again(scan, file, path, st);
        return;
    }
    if (too_old(scan, st))
        return;
    if ((st->mode & S_KIND) != S_REGULAR)
        refuse_special(state, path);
    else
        file_log__found(state, path, st, from_start(state, path));
}

/* A file that no pattern found: it was renamed or deleted. While it is open its size is asked for, until it is read
 * and quiet; then only its position stays, in case it comes back. */
static void not_seen(struct scan *scan, struct file_log_file *file)
{
    struct file_log *state = scan->state;
    struct leat_world *world = state->host->world;
    struct leat_stat st;
    if (file->fd >= 0 && world->disk->fstat(world, file->fd, &st) == 0)
        file->size = st.size;
    bool drained = file->fd < 0 || file->offset >= file->size || file->ignored;
    bool held = file_log__safe(file) != file->offset;
    if (file->fd >= 0 && drained && !held && scan->now_ns - file->grown_ns > QUIET_NS)
        file_log__file_shut(state, file);
    if (file->fd < 0 && leat_list_empty(&file->ranges) && scan->now_ns - file->seen_ns > FORGET_NS) {
        file_log__file_free(state, file);
        state->dirty = true;
    }
}

void file_log__scan(struct file_log *state)
{
    struct leat_world *world = state->host->world;
    struct scan scan = {state, leat_loop_now_ns(state->host->loop), world->unix_ns(world)};
    LEAT_LIST_EACH (node, &state->files)
        LEAT_CONTAINER(node, struct file_log_file, link)->seen = false;
    for (uint32_t i = 0; i < state->conf->include.count; i++)
        file_log__glob_walk(world, state->conf->include.at[i], state->conf->follow_symlinks, each_path, &scan);
    LEAT_LIST_EACH (node, &state->files) {
        struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        if (file->seen || file->gone)
            continue;
        if (file->watched)
            file_log__siblings(state, file);
        file->watched = false;
        not_seen(&scan, file);
    }
    state->scanned_once = true;
}
