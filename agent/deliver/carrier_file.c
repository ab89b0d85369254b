/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes go to the file in the turn they come, so that an ack means: in the file. Each body is one append; another
 * carrier on the same path (another signal of the same exporter) may rotate it, which is seen by its inode. */
#include <errno.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/deliver/carrier.h"
#include "agent/deliver/file_rotate.h"
#include "agent/deliver/late.h"
#include "agent/net/coding.h"

#define GATHER_BYTES (64u << 10) /* smaller pieces are gathered to so much before they are written */
#define MEGABYTE (1ull << 20)
#define FILE_MODE 0644u

struct file_carrier {
    struct leat_carrier base;
    struct leat_late late;
    struct leat_world *world;
    const struct leat_file_carrier_conf *conf;
    int fd; /* -1: not open */
    uint64_t inode, size;
    struct leat_chain rest; /* of a body that was cut off by an error: the next write completes it first */
    uint8_t gathered[GATHER_BYTES];
};

static uint32_t folder_mode(const struct leat_file_carrier_conf *conf)
{
    const char *text = conf->directory_permissions;
    return text && *text ? (uint32_t)strtoul(text, NULL, 8) : 0755u;
}

static int file_reopen(struct file_carrier *file, bool truncate)
{
    struct leat_world *world = file->world;
    if (file->fd >= 0)
        (void)world->disk->close(world, file->fd);
    int flags = LEAT_O_WRITE | LEAT_O_CREATE | LEAT_O_APPEND | (truncate ? LEAT_O_TRUNC : 0);
    file->fd = world->disk->open(world, file->conf->path, flags, FILE_MODE);
    struct leat_stat st;
    int rc = file->fd < 0 ? file->fd : world->disk->fstat(world, file->fd, &st);
    if (rc < 0)
        return rc;
    file->inode = st.ino;
    file->size = st.size;
    return 0;
}

/* Opens again what was moved away, and turns the file over when `more` bytes do not fit. */
static int file_ready(struct file_carrier *file, uint64_t more)
{
    struct leat_world *world = file->world;
    const struct leat_file_carrier_conf *conf = file->conf;
    struct leat_stat st;
    int rc = world->disk->stat(world, conf->path, true, &st);
    if (rc != 0 || file->fd < 0 || st.ino != file->inode)
        rc = file_reopen(file, false);
    else
        file->size = st.size;
    if (rc != 0 || !conf->rotation.present || file->rest.bytes)
        return rc;
    uint64_t max = (conf->rotation.max_megabytes > 0 ? (uint64_t)conf->rotation.max_megabytes : 100) * MEGABYTE;
    if (file->size == 0 || file->size + more <= max)
        return 0;
    rc = leat_deliver__file_rotate(world, conf);
    if (rc == 0)
        rc = file_reopen(file, false);
    if (rc == 0)
        leat_deliver__file_prune(world, conf);
    return rc;
}

/* ---- writing ---- */

/* Writes all of the chain; what was written is eaten from it. */
static int write_chain(struct file_carrier *file, struct leat_chain *chain)
{
    struct leat_world *world = file->world;
    while (chain->bytes) {
        const uint8_t *at = chain->vec[0].at;
        size_t len = chain->vec[0].len;
        if (len < GATHER_BYTES && chain->count > 1) {
            at = file->gathered;
            len = leat_chain_put(chain, file->gathered, GATHER_BYTES);
            leat_copied(len);
        }
        ssize_t n = world->disk->write(world, file->fd, at, len);
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        file->size += (uint64_t)n;
        leat_chain_eat(chain, (uint64_t)n);
    }
    return 0;
}

/* The bytes as they stand in the file: as they are, or compressed behind their length. */
static leat_rc frame(const struct file_carrier *file, const struct leat_parcel *parcel, struct leat_chain *ret_framed,
                     struct leat_err *reterr)
{
    struct leat_chain packed = {0};
    if (!file->conf->compression)
        return leat_chain_share_all(ret_framed, &parcel->request->body);
    leat_rc rc = leat_encode(LEAT_CODING_ZSTD, 0, &parcel->request->body, &packed, reterr);
    if (rc != LEAT_OK)
        return rc;
    uint32_t len = (uint32_t)packed.bytes;
    const uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    rc = leat_chain_copy(ret_framed, prefix, sizeof prefix);
    if (rc == LEAT_OK)
        rc = leat_chain_append(ret_framed, &packed);
    leat_chain_done(&packed);
    return rc;
}

static int write_framed(struct file_carrier *file, struct leat_chain *framed)
{
    int rc = file_ready(file, framed->bytes);
    if (rc == 0 && file->rest.bytes)
        rc = write_chain(file, &file->rest);
    if (rc != 0)
        return rc;
    uint64_t whole = framed->bytes;
    rc = write_chain(file, framed);
    if (rc != 0 && framed->bytes < whole) { /* half of it stands there: it must be completed before anything follows */
        file->rest = *framed;
        *framed = (struct leat_chain){0};
    }
    return rc;
}

static void file_write(struct leat_late *late, struct leat_parcel *parcel)
{
    struct file_carrier *file = LEAT_CONTAINER(late, struct file_carrier, late);
    struct leat_chain framed = {0};
    struct leat_err err = {.code = LEAT_ENOMEM, .text = "no memory to write"};
    leat_rc rc = frame(file, parcel, &framed, &err);
    int sys = rc == LEAT_OK ? write_framed(file, &framed) : 0;
    leat_chain_done(&framed);
    if (rc == LEAT_OK && sys == 0) {
        leat_deliver__finish_ok(late, parcel);
        return;
    }
    if (sys != 0)
        (void)LEAT_RAISE(&err, LEAT_EIO, -sys, "cannot write %.120s: %s", file->conf->path, strerror(-sys));
    parcel->done(parcel, NULL, &err);
}

static void file_send(struct leat_carrier *carrier, struct leat_parcel *parcel)
{
    leat_deliver__late_put(&((struct file_carrier *)carrier)->late, parcel);
}

static void file_cancel(struct leat_carrier *carrier, struct leat_parcel *parcel)
{
    (void)carrier; /* written later in this turn: its end is on the way */
    (void)parcel;
}

/* ---- life ---- */

static void file_close(struct leat_carrier *carrier)
{
    struct file_carrier *file = (struct file_carrier *)carrier;
    leat_deliver__late_close(&file->late);
    if (file->rest.bytes && file->fd >= 0)
        (void)write_chain(file, &file->rest);
    leat_chain_done(&file->rest);
    if (file->fd >= 0)
        (void)file->world->disk->close(file->world, file->fd);
    leat_free(file);
}

static const struct leat_carrier_ops file_ops = {.send = file_send, .cancel = file_cancel, .close = file_close};

static leat_rc file_check(const struct leat_file_carrier_conf *conf, struct leat_err *reterr)
{
    if (!conf->path || !*conf->path)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "path must be non-empty");
    if (conf->append && conf->compression)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "append and compression enabled at the same time is not supported");
    if (conf->append && conf->rotation.present)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "append and rotation enabled at the same time is not supported");
    const char *mode = conf->directory_permissions;
    if (mode && *mode && (strspn(mode, "01234567") != strlen(mode) || folder_mode(conf) > 0777))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory_permissions \"%.20s\" is not an octal mode like 0755",
                          mode);
    return LEAT_OK;
}

leat_rc leat_carrier_file_open(struct leat_loop *loop, const char *id, const struct leat_file_carrier_conf *conf,
                               struct leat_carrier **ret_carrier, struct leat_err *reterr)
{
    (void)id;
    leat_rc rc = file_check(conf, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct file_carrier *file = leat_alloc(sizeof *file);
    if (!file)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a file");
    file->base.ops = &file_ops;
    file->world = leat_loop_world(loop);
    file->conf = conf;
    file->fd = -1;
    file->rest = (struct leat_chain){0};
    leat_deliver__late_init(&file->late, loop, file_write);
    int sys = conf->create_directory ? leat_deliver__file_folders(file->world, conf->path, folder_mode(conf)) : 0;
    if (sys == 0)
        sys = file_reopen(file, !conf->append && !conf->rotation.present);
    if (sys != 0) {
        file_close(&file->base);
        return LEAT_RAISE(reterr, LEAT_ECONFIG, -sys, "cannot open %.120s: %s", conf->path, strerror(-sys));
    }
    *ret_carrier = &file->base;
    return LEAT_OK;
}
