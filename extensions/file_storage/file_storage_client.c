/* SPDX-License-Identifier: Apache-2.0 */
/* A client's file, little-endian:
 *   "LEATFS01" u32 count  count x { u32 key_len  u32 value_len  key  value }  u64 XXH3 of everything before
 * A put writes NAME.tmp, syncs it when asked to, renames it over NAME and syncs the directory. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "agent/base/strbuf.h"
#include "extensions/file_storage/file_storage.h"

#define MAGIC "LEATFS01"
#define MAGIC_LEN 8u
#define PATH_BYTES_MAX 4096u
#define NAME_BYTES_MAX 200u
#define READ_STEP 65536u
#define S_KIND 0170000u
#define S_REGULAR 0100000u

struct value {
    char *key;
    uint8_t *at;
    size_t len;
};
struct client {
    struct leat_storage storage;
    struct file_storage *owner;
    struct value values[FILE_STORAGE_KEYS_MAX];
    uint32_t count;
    char path[PATH_BYTES_MAX];
};

static struct client *client_of(struct leat_storage *storage)
{
    return LEAT_CONTAINER(storage, struct client, storage);
}
static struct leat_world *world_of(const struct client *client)
{
    return client->owner->host->world;
}

static void value_done(struct value *value)
{
    leat_free(value->key);
    leat_free(value->at);
    *value = (struct value){0};
}

static void values_done(struct client *client)
{
    while (client->count)
        value_done(&client->values[--client->count]);
}

/* ---- writing ---- */

static void encode(const struct client *client, const struct value *skip, const struct value *more,
                   struct leat_strbuf *buf)
{
    uint32_t count = client->count - (skip != NULL) + (more != NULL);
    leat_strbuf_put(buf, MAGIC, MAGIC_LEN);
    leat_strbuf_put(buf, &count, sizeof count);
    for (uint32_t i = 0; i <= client->count; i++) {
        const struct value *value = i < client->count ? &client->values[i] : more;
        if (!value || value == skip)
            continue;
        uint32_t lens[2] = {(uint32_t)strlen(value->key), (uint32_t)value->len};
        leat_strbuf_put(buf, lens, sizeof lens);
        leat_strbuf_put(buf, value->key, lens[0]);
        leat_strbuf_put(buf, value->at, lens[1]);
    }
    uint64_t sum = buf->failed ? 0 : XXH3_64bits(buf->at, buf->len);
    leat_strbuf_put(buf, &sum, sizeof sum);
}

static int write_all(struct leat_world *world, const char *path, const struct leat_strbuf *buf, bool sync)
{
    (void)world->disk->unlink(world, path); /* of a crash, or planted */
    int fd = world->disk->open(world, path, LEAT_O_WRITE | LEAT_O_CREATE | LEAT_O_TRUNC | LEAT_O_NOFOLLOW, 0600);
    if (fd < 0)
        return fd;
    ssize_t n = world->disk->write(world, fd, buf->at, buf->len);
    int rc = n < 0 ? (int)n : (size_t)n < buf->len ? -ENOSPC : 0;
    if (rc == 0 && sync)
        rc = world->disk->fsync(world, fd);
    int closed = world->disk->close(world, fd);
    return rc == 0 ? closed : rc;
}

static leat_rc store(struct client *client, const struct leat_strbuf *buf, struct leat_err *reterr)
{
    struct leat_world *world = world_of(client);
    const struct file_storage_conf *conf = client->owner->conf;
    char tmp[PATH_BYTES_MAX + 8];
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", client->path);
    int rc = write_all(world, tmp, buf, conf->fsync);
    if (rc >= 0)
        rc = world->disk->rename(world, tmp, client->path);
    if (rc >= 0 && conf->fsync)
        rc = world->disk->sync_dir(world, conf->directory);
    leat_host_count(client->owner->host, (uint32_t)(rc < 0 ? FILE_STORAGE_FAILED : FILE_STORAGE_WRITES), 1);
    if (rc < 0)
        return LEAT_RAISE(reterr, LEAT_EIO, -rc, "%s: %s", client->path, strerror(-rc));
    leat_host_count(client->owner->host, FILE_STORAGE_BYTES, buf->len);
    return LEAT_OK;
}

static struct value *find(struct client *client, const char *key)
{
    for (uint32_t i = 0; i < client->count; i++)
        if (strcmp(client->values[i].key, key) == 0)
            return &client->values[i];
    return NULL;
}

static leat_rc value_new(const char *key, const void *at, size_t len, struct value *ret_value, struct leat_err *reterr)
{
    struct value value = {leat_strdup(key), leat_alloc(len + 1), len};
    if (!value.key || !value.at) {
        value_done(&value);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    memcpy(value.at, at, len);
    *ret_value = value;
    return LEAT_OK;
}

/* Memory changes after the disk did. */
static leat_rc change(struct client *client, struct value *old, struct value *fresh, struct leat_err *reterr)
{
    struct leat_strbuf buf = {0};
    int64_t max = client->owner->conf->max_size;
    encode(client, old, fresh, &buf);
    leat_rc rc = LEAT_OK;
    if (buf.failed)
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    else if (max && buf.len > (uint64_t)max)
        rc = LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "%s: %zu bytes are over max_size", client->path, buf.len);
    else
        rc = store(client, &buf, reterr);
    leat_strbuf_done(&buf);
    if (rc != LEAT_OK)
        return rc;
    if (old) {
        value_done(old);
        *old = client->values[--client->count];
    }
    if (fresh)
        client->values[client->count++] = *fresh;
    return LEAT_OK;
}

static leat_rc client_put(struct leat_storage *storage, const char *key, const void *at, size_t len,
                          struct leat_err *reterr)
{
    struct client *client = client_of(storage);
    struct value *old = find(client, key), fresh;
    if (strlen(key) > NAME_BYTES_MAX)
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "%s: a key over %u bytes", client->path, NAME_BYTES_MAX);
    if (!at)
        return old ? change(client, old, NULL, reterr) : LEAT_OK;
    if (len > UINT32_MAX || (!old && client->count == FILE_STORAGE_KEYS_MAX))
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "%s: more than %u keys, or a value over 4 GiB", client->path,
                          FILE_STORAGE_KEYS_MAX);
    leat_rc rc = value_new(key, at, len, &fresh, reterr);
    if (rc != LEAT_OK)
        return rc;
    rc = change(client, old, &fresh, reterr);
    if (rc != LEAT_OK)
        value_done(&fresh);
    return rc;
}

static leat_rc client_get(struct leat_storage *storage, const char *key, void **ret_value, size_t *ret_len,
                          struct leat_err *reterr)
{
    const struct value *value = find(client_of(storage), key);
    if (!value)
        return LEAT_ENOENT;
    void *copy = leat_alloc(value->len + 1);
    if (!copy)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    memcpy(copy, value->at, value->len);
    *ret_value = copy;
    *ret_len = value->len;
    return LEAT_OK;
}

static void client_close(struct leat_storage *storage)
{
    struct client *client = client_of(storage);
    values_done(client);
    leat_free(client);
}

/* ---- reading ---- */

/* LEAT_EPARSE: not one of our files, or not whole. */
static leat_rc decode(struct client *client, const uint8_t *at, size_t len, struct leat_err *reterr)
{
    uint64_t sum;
    uint32_t count;
    if (len < MAGIC_LEN + sizeof count + sizeof sum || memcmp(at, MAGIC, MAGIC_LEN) != 0)
        return LEAT_EPARSE;
    const uint8_t *end = at + len - sizeof sum;
    memcpy(&sum, end, sizeof sum);
    if (XXH3_64bits(at, (size_t)(end - at)) != sum)
        return LEAT_EPARSE;
    memcpy(&count, at + MAGIC_LEN, sizeof count);
    at += MAGIC_LEN + sizeof count;
    if (count > FILE_STORAGE_KEYS_MAX)
        return LEAT_EPARSE;
    while (client->count < count) {
        uint32_t lens[2];
        char key[NAME_BYTES_MAX + 1];
        if ((size_t)(end - at) < sizeof lens)
            return LEAT_EPARSE;
        memcpy(lens, at, sizeof lens);
        at += sizeof lens;
        if (lens[0] > NAME_BYTES_MAX || (size_t)(end - at) < (size_t)lens[0] + lens[1])
            return LEAT_EPARSE;
        memcpy(key, at, lens[0]);
        key[lens[0]] = 0;
        leat_rc rc = value_new(key, at + lens[0], lens[1], &client->values[client->count], reterr);
        if (rc != LEAT_OK)
            return rc;
        client->count++;
        at += lens[0] + lens[1];
    }
    return at == end ? LEAT_OK : LEAT_EPARSE;
}

static leat_rc read_all(struct client *client, int fd, struct leat_strbuf *buf, struct leat_err *reterr)
{
    struct leat_world *world = world_of(client);
    uint8_t *step = leat_alloc(READ_STEP);
    ssize_t n = step ? 1 : 0;
    while (n > 0 && !buf->failed) {
        n = world->disk->pread(world, fd, step, READ_STEP, buf->len);
        if (n > 0)
            leat_strbuf_put(buf, step, (size_t)n);
    }
    bool starved = !step || buf->failed;
    leat_free(step);
    if (starved)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    return n < 0 ? LEAT_RAISE(reterr, LEAT_EIO, (int)-n, "%s: %s", client->path, strerror((int)-n)) : LEAT_OK;
}

static leat_rc set_aside(struct client *client, struct leat_err *reterr)
{
    char bad[PATH_BYTES_MAX + 8];
    struct leat_world *world = world_of(client);
    values_done(client);
    (void)snprintf(bad, sizeof bad, "%s.bad", client->path);
    leat_host_count(client->owner->host, FILE_STORAGE_BAD, 1);
    leat_log(LEAT_LOG_ERROR, client->owner->host->id, "%s is damaged: set aside as *.bad and begun anew", client->path);
    int rc = world->disk->rename(world, client->path, bad);
    return rc < 0 ? LEAT_RAISE(reterr, LEAT_EIO, -rc, "%s: %s", bad, strerror(-rc)) : LEAT_OK;
}

static leat_rc load_fd(struct client *client, int fd, struct leat_err *reterr)
{
    struct leat_world *world = world_of(client);
    struct leat_stat st;
    int rc = world->disk->fstat(world, fd, &st);
    if (rc < 0 || (st.mode & S_KIND) != S_REGULAR)
        return LEAT_RAISE(reterr, LEAT_EIO, rc < 0 ? -rc : 0, "%s: not a regular file", client->path);
    struct leat_strbuf buf = {0};
    leat_rc got = read_all(client, fd, &buf, reterr);
    if (got == LEAT_OK)
        got = decode(client, (const uint8_t *)buf.at, buf.len, reterr);
    leat_strbuf_done(&buf);
    return got == LEAT_EPARSE ? set_aside(client, reterr) : got;
}

static leat_rc load(struct client *client, struct leat_err *reterr)
{
    struct leat_world *world = world_of(client);
    int fd = world->disk->open(world, client->path, LEAT_O_READ | LEAT_O_NOFOLLOW, 0);
    if (fd == -ENOENT)
        return LEAT_OK;
    if (fd < 0)
        return LEAT_RAISE(reterr, LEAT_EIO, -fd, "%s: %s", client->path,
                          fd == -ELOOP ? "is a symbolic link" : strerror(-fd));
    leat_rc rc = load_fd(client, fd, reterr);
    (void)world->disk->close(world, fd);
    return rc;
}

/* ---- opening ---- */

/* Letters, digits, dot, dash and underscore stay; anything else is written %XX, so that names never collide. */
static bool name_file(struct client *client, const char *name)
{
    int n = snprintf(client->path, sizeof client->path - 8, "%s/", client->owner->conf->directory);
    size_t at = n < 0 ? 0 : (size_t)n, begun = at;
    for (; *name && at + 4 < sizeof client->path - 8 && at - begun < NAME_BYTES_MAX; name++) {
        unsigned char c = (unsigned char)*name;
        if (isalnum(c) || c == '-' || c == '_' || (c == '.' && at > begun))
            client->path[at++] = (char)c;
        else
            at += (size_t)snprintf(client->path + at, 4, "%%%02X", c);
    }
    client->path[at] = 0;
    return !*name && at > begun;
}

static const struct leat_storage_ops ops = {.put = client_put, .get = client_get, .close = client_close};

leat_rc file_storage__client(void *ctx, const char *name, struct leat_storage **ret_storage, struct leat_err *reterr)
{
    struct client *client = leat_zalloc(1, sizeof *client);
    if (!client)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    client->storage.ops = &ops;
    client->owner = ctx;
    leat_rc rc = name_file(client, name) ? load(client, reterr)
                                         : LEAT_RAISE(reterr, LEAT_EINVAL, 0, "client name \"%s\" is too long", name);
    if (rc != LEAT_OK) {
        client_close(&client->storage);
        return rc;
    }
    *ret_storage = &client->storage;
    return LEAT_OK;
}
