/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/secret_file.h"

#include <errno.h>
#include <string.h>

#include "agent/base/alloc.h"

#define LOOK_NS 1000000000ull

static void forget(struct leat_secret_file *file)
{
    if (file->text)
        explicit_bzero(file->text, file->len);
    leat_free(file->text);
    file->text = NULL;
    file->len = 0;
}

static int read_all(struct leat_secret_file *file, char *to, uint32_t room, uint32_t *ret_len)
{
    const struct leat_disk_ops *disk = file->world->disk;
    int fd = disk->open(file->world, file->path, LEAT_O_READ, 0);
    if (fd < 0)
        return fd;
    uint32_t len = 0;
    ssize_t got = 0;
    while (len < room && (got = disk->pread(file->world, fd, to + len, room - len, len)) > 0)
        len += (uint32_t)got;
    (void)disk->close(file->world, fd);
    if (got < 0)
        return (int)got;
    if (len == room)
        return -EFBIG;
    while (len && (to[len - 1] == '\n' || to[len - 1] == '\r' || to[len - 1] == ' ' || to[len - 1] == '\t'))
        len--;
    *ret_len = len;
    return 0;
}

static bool is_as_seen(const struct leat_secret_file *file, const struct leat_stat *now)
{
    const struct leat_stat *seen = &file->seen;
    return file->text && seen->mtime_ns == now->mtime_ns && seen->size == now->size && seen->ino == now->ino &&
           seen->dev == now->dev;
}

static int renew(struct leat_secret_file *file)
{
    struct leat_stat now;
    uint32_t len = 0;
    int sys = file->world->disk->stat(file->world, file->path, true, &now);
    if (sys < 0 || is_as_seen(file, &now))
        return sys < 0 ? sys : 0;
    if (now.size > LEAT_SECRET_FILE_BYTES_MAX)
        return -EFBIG;
    uint32_t room = (uint32_t)now.size + 2;
    char *text = leat_alloc(room);
    if (!text)
        return -ENOMEM;
    sys = read_all(file, text, room, &len);
    if (sys == 0) {
        forget(file);
        *file = (struct leat_secret_file){file->world, file->path, file->looked_ns, now, text, len, file->version + 1};
        return 0;
    }
    explicit_bzero(text, room);
    leat_free(text);
    return sys;
}

leat_rc leat_secret_file_get(struct leat_secret_file *file, struct leat_slice *ret_text, struct leat_err *reterr)
{
    uint64_t now = file->world->mono_ns(file->world);
    int sys = 0;
    if (!file->text || now - file->looked_ns >= LOOK_NS) {
        file->looked_ns = now;
        sys = renew(file);
    }
    if (!file->text)
        return LEAT_RAISE(reterr, sys == -ENOMEM ? LEAT_ENOMEM : LEAT_EIO, -sys, "cannot read \"%s\": %s", file->path,
                          strerror(-sys));
    *ret_text = leat_slice_of(file->text, file->len);
    return LEAT_OK;
}

void leat_secret_file_done(struct leat_secret_file *file)
{
    forget(file);
}

bool leat_secret_eq(struct leat_slice a, struct leat_slice b)
{
    volatile uint8_t differs = a.len != b.len;
    for (uint32_t i = 0; i < a.len; i++)
        differs = (uint8_t)(differs | (a.at[i] ^ (b.len ? b.at[i % b.len] : 0xff)));
    return !differs;
}
