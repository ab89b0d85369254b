/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/protobuf/pb_write.h"

#include "agent/base/alloc.h"

#define BUF_BYTES_MAX UINT32_MAX
#define HEAD_BYTES_MAX 20 /* a tag and a varint or length */

void pb_buf_done(struct pb_buf *buf)
{
    leat_free(buf->at);
    *buf = (struct pb_buf){0};
}

bool pb_buf_room(struct pb_buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more <= buf->room - buf->len)
        return true;
    size_t room = buf->room ? buf->room : 256;
    while (room <= BUF_BYTES_MAX && room - buf->len < more)
        room *= 2;
    uint8_t *at = room - buf->len >= more && room <= (size_t)BUF_BYTES_MAX + 1 ? leat_realloc(buf->at, room) : NULL;
    if (!at) {
        buf->failed = true;
        return false;
    }
    buf->at = at;
    buf->room = room;
    return true;
}

void pb_buf_raw(struct pb_buf *buf, const void *bytes, size_t len)
{
    if (!pb_buf_room(buf, len) || len == 0)
        return;
    memcpy(buf->at + buf->len, bytes, len);
    buf->len += len;
}

static uint8_t *head(struct pb_buf *buf, uint32_t tag)
{
    return pb_buf_room(buf, HEAD_BYTES_MAX) ? pb_put_varint(buf->at + buf->len, tag) : NULL;
}

static void wrote(struct pb_buf *buf, const uint8_t *end)
{
    buf->len = (size_t)(end - buf->at);
}

void pb_buf_varint(struct pb_buf *buf, uint32_t tag, uint64_t value)
{
    uint8_t *at = head(buf, tag);
    if (at)
        wrote(buf, pb_put_varint(at, value));
}

void pb_buf_fixed64(struct pb_buf *buf, uint32_t tag, uint64_t value)
{
    uint8_t *at = head(buf, tag);
    if (at)
        wrote(buf, pb_put_fixed64(at, value));
}

void pb_buf_fixed32(struct pb_buf *buf, uint32_t tag, uint32_t value)
{
    uint8_t *at = head(buf, tag);
    if (at)
        wrote(buf, pb_put_fixed32(at, value));
}

void pb_buf_bytes(struct pb_buf *buf, uint32_t tag, const void *bytes, uint32_t len)
{
    uint8_t *at = head(buf, tag);
    if (!at)
        return;
    wrote(buf, pb_put_varint(at, len));
    pb_buf_raw(buf, bytes, len);
}

size_t pb_buf_open(struct pb_buf *buf, uint32_t tag)
{
    uint8_t *at = head(buf, tag);
    if (!at)
        return 0;
    wrote(buf, at + 1);
    return buf->len;
}

void pb_buf_close(struct pb_buf *buf, size_t opened)
{
    if (buf->failed)
        return;
    size_t len = buf->len - opened;
    uint32_t more = pb_varint_size(len) - 1;
    if (more) {
        if (!pb_buf_room(buf, more))
            return;
        memmove(buf->at + opened + more, buf->at + opened, len);
        buf->len += more;
    }
    (void)pb_put_varint(buf->at + opened - 1, len);
}
