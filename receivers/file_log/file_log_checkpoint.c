/* SPDX-License-Identifier: Apache-2.0 */
/* Positions on disk. One value per shard, little-endian:
 *   "LEATPOS1" u32 shards u32 entries u64 saved_unix_ns
 *   entries x { u64 dev ino position mtime_ns fp_hash  u32 fp_len marker_len path_len flags  marker  path }
 *   u64 XXH3 of everything before
 * A value that does not check out is not used: files are then begun as start_at says, and that is logged. */
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "receivers/file_log/file_log.h"

#define MAGIC "LEATPOS1"
#define KEY "positions"
#define SHARDS_MAX 1024u
#define PATH_MAX_BYTES 4096u
#define FLAG_SKIPPING 1u

struct head {
    char magic[8];
    uint32_t shards, entries;
    uint64_t saved_ns;
};
struct entry {
    uint64_t dev, ino, position, mtime_ns, fp_hash;
    uint32_t fp_len, marker_len, path_len, flags;
};

/* Two receivers may share a storage: the name holds the instance's. */
static void client_name(const struct file_log *state, char *name, size_t room, uint32_t shard)
{
    int n = snprintf(name, room, "receiver_%s_" KEY, state->host->id);
    if (shard && n > 0 && (size_t)n < room)
        (void)snprintf(name + n, room - (size_t)n, "_%u", shard);
}

/* ---- saving ---- */

static void put_entry(struct leat_strbuf *buf, const struct file_log_file *file)
{
    bool at_offset = file->final == file->offset;
    struct entry entry = {.dev = file->dev,
                          .ino = file->ino,
                          .position = file->final,
                          .mtime_ns = file->mtime_ns,
                          .fp_hash = file->fp_hash,
                          .fp_len = file->fp_len,
                          .marker_len = at_offset ? file->marker_len : 0,
                          .path_len = (uint32_t)strlen(file->path),
                          .flags = at_offset && file->skipping ? FLAG_SKIPPING : 0};
    leat_strbuf_put(buf, &entry, sizeof entry);
    leat_strbuf_put(buf, file->marker, entry.marker_len);
    leat_strbuf_put(buf, file->path, entry.path_len);
}

static bool is_saved(const struct file_log_file *file)
{
    return !file->gone && !file->ignored;
}

void file_log__save(struct file_log *state)
{
    if (!state->storage)
        return;
    struct head head = {.shards = state->host->shard_count,
                        .saved_ns = state->host->world->unix_ns(state->host->world)};
    memcpy(head.magic, MAGIC, sizeof head.magic);
    LEAT_LIST_EACH (node, &state->files)
        head.entries += is_saved(LEAT_CONTAINER(node, struct file_log_file, link));
    struct leat_strbuf buf = {0};
    leat_strbuf_put(&buf, &head, sizeof head);
    LEAT_LIST_EACH (node, &state->files) {
        const struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        if (is_saved(file))
            put_entry(&buf, file);
    }
    uint64_t sum = buf.failed ? 0 : XXH3_64bits(buf.at, buf.len);
    leat_strbuf_put(&buf, &sum, sizeof sum);
    struct leat_err err = {0};
    leat_rc rc = buf.failed ? LEAT_RAISE(&err, LEAT_ENOMEM, 0, "out of memory")
                            : state->storage->ops->put(state->storage, KEY, buf.at, buf.len, &err);
    leat_strbuf_done(&buf);
    state->saved_ns = leat_loop_now_ns(state->host->loop);
    state->dirty = rc != LEAT_OK;
    file_log__count(state, rc == LEAT_OK ? FILE_LOG_SAVES : FILE_LOG_SAVE_FAILED, 1);
    uint32_t missed;
    if (rc != LEAT_OK && leat_log_may(&state->limit_save, state->saved_ns, &missed))
        leat_log(LEAT_LOG_ERROR, state->host->id, "positions not saved: %s", err.text);
}

/* ---- loading ---- */

/* Of two positions of one file (the number of shards changed) the one saved later counts. */
static leat_rc load_entry(struct file_log *state, const struct entry *entry, const uint8_t *marker, const char *path,
                          uint64_t saved_ns)
{
    if (!file_log__mine(state, entry->dev, entry->ino))
        return LEAT_OK;
    struct file_log_file *file = file_log__file_find(state, entry->dev, entry->ino);
    if (file && file->loaded_ns >= saved_ns)
        return LEAT_OK;
    if (!file) {
        char name[PATH_MAX_BYTES + 1];
        memcpy(name, path, entry->path_len);
        name[entry->path_len] = 0;
        file = file_log__file_new(state, name, entry->dev, entry->ino);
    }
    if (!file)
        return LEAT_ENOMEM;
    file->loaded_ns = saved_ns;
    file->offset = file->final = file->read_to = entry->position;
    file->mtime_ns = entry->mtime_ns;
    file->fp_len = entry->fp_len;
    file->fp_hash = entry->fp_hash;
    file->marker_len = entry->marker_len;
    memcpy(file->marker, marker, entry->marker_len);
    file->skipping = entry->flags & FLAG_SKIPPING;
    file->watched = true;
    return LEAT_OK;
}

static bool is_whole(const uint8_t *at, size_t len)
{
    uint64_t sum;
    if (len < sizeof(struct head) + sizeof sum || memcmp(at, MAGIC, 8) != 0)
        return false;
    memcpy(&sum, at + len - sizeof sum, sizeof sum);
    return XXH3_64bits(at, len - sizeof sum) == sum;
}

static leat_rc load_value(struct file_log *state, const uint8_t *at, size_t len, uint32_t *ret_shards)
{
    struct head head;
    if (!is_whole(at, len))
        return LEAT_EPARSE;
    const uint8_t *end = at + len - sizeof(uint64_t);
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    for (uint32_t i = 0; i < head.entries; i++) {
        struct entry entry;
        if ((size_t)(end - at) < sizeof entry)
            return LEAT_EPARSE;
        memcpy(&entry, at, sizeof entry);
        at += sizeof entry;
        if (entry.marker_len > FILE_LOG_MARKER || entry.marker_len > entry.position || entry.path_len == 0 ||
            entry.path_len > PATH_MAX_BYTES || (size_t)(end - at) < entry.marker_len + entry.path_len)
            return LEAT_EPARSE;
        leat_rc rc = load_entry(state, &entry, at, (const char *)at + entry.marker_len, head.saved_ns);
        if (rc != LEAT_OK)
            return rc;
        at += entry.marker_len + entry.path_len;
    }
    *ret_shards = head.shards < SHARDS_MAX ? head.shards : SHARDS_MAX;
    return LEAT_OK;
}

static leat_rc load_from(struct file_log *state, struct leat_storage *storage, uint32_t *ret_shards,
                         struct leat_err *reterr)
{
    void *value;
    size_t len;
    leat_rc rc = storage->ops->get(storage, KEY, &value, &len, reterr);
    if (rc == LEAT_ENOENT)
        return LEAT_OK;
    if (rc != LEAT_OK)
        return rc;
    rc = load_value(state, value, len, ret_shards);
    leat_free(value);
    if (rc == LEAT_EPARSE) {
        leat_log(LEAT_LOG_ERROR, state->host->id, "saved positions are damaged and not used");
        return LEAT_OK;
    }
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "positions: out of memory");
}

static leat_rc load_shard(struct file_log *state, uint32_t shard, uint32_t *ret_shards, struct leat_err *reterr)
{
    char name[160];
    struct leat_storage *storage;
    client_name(state, name, sizeof name, shard);
    leat_rc rc = state->host->ops->storage(state->host, state->conf->storage, name, &storage, reterr);
    if (rc != LEAT_OK)
        return rc;
    rc = load_from(state, storage, ret_shards, reterr);
    if (shard == state->host->shard && rc == LEAT_OK)
        state->storage = storage;
    else
        storage->ops->close(storage);
    return rc;
}

leat_rc file_log__load(struct file_log *state, struct leat_err *reterr)
{
    uint32_t shards = 1, ignored;
    leat_rc rc = load_shard(state, 0, &shards, reterr);
    if (shards < state->host->shard_count)
        shards = state->host->shard_count;
    for (uint32_t i = 1; i < shards && rc == LEAT_OK; i++)
        rc = load_shard(state, i, &ignored, reterr);
    return rc;
}
