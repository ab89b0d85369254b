/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/protobuf/pb_read.h"

#define VARINT_BYTES_MAX 10

const uint8_t *pb_varint_slow(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && at < end; i++) {
        uint8_t b = *at++;
        value |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            if (i == VARINT_BYTES_MAX - 1 && b > 1)
                return NULL;
            *ret_value = value;
            return at;
        }
    }
    return NULL;
}

/* ---- a chain ---- */

void pb_cursor_settle(struct pb_cursor *cursor)
{
    while (cursor->at == cursor->end && cursor->index + 1 < cursor->chain->count) {
        const struct leat_slice *s = &cursor->chain->vec[++cursor->index];
        cursor->at = s->at;
        cursor->end = s->at + s->len;
        cursor->end_offset += s->len;
    }
}

static bool varint_across(struct pb_cursor *cursor, uint64_t limit, uint64_t *ret_value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    uint64_t left = limit - pb_cursor_offset(cursor);
    for (unsigned n = 0; n < VARINT_BYTES_MAX && n < left; n++) {
        bytes[n] = *cursor->at++;
        pb_cursor_settle(cursor);
        if (bytes[n] < 0x80)
            return pb_varint_slow(bytes, bytes + n + 1, ret_value) != NULL;
    }
    return false;
}

bool pb_cursor_varint(struct pb_cursor *cursor, uint64_t limit, uint64_t *ret_value)
{
    uint64_t left = limit - pb_cursor_offset(cursor);
    if (left == 0)
        return false;
    if (pb_cursor_here(cursor) < VARINT_BYTES_MAX)
        return varint_across(cursor, limit, ret_value);
    const uint8_t *end = left < VARINT_BYTES_MAX ? cursor->at + left : cursor->end;
    const uint8_t *at = pb_varint(cursor->at, end, ret_value);
    if (!at)
        return false;
    cursor->at = at;
    pb_cursor_settle(cursor);
    return true;
}

bool pb_cursor_tag(struct pb_cursor *cursor, uint64_t limit, uint32_t *ret_tag)
{
    uint64_t tag;
    if (!pb_cursor_varint(cursor, limit, &tag) || tag > UINT32_MAX || tag < 8)
        return false;
    *ret_tag = (uint32_t)tag;
    return true;
}

bool pb_cursor_length(struct pb_cursor *cursor, uint64_t limit, uint64_t *ret_len)
{
    return pb_cursor_varint(cursor, limit, ret_len) && *ret_len <= limit - pb_cursor_offset(cursor);
}

bool pb_cursor_get(struct pb_cursor *cursor, uint64_t limit, void *to, uint32_t len)
{
    if (limit - pb_cursor_offset(cursor) < len)
        return false;
    for (uint8_t *at = to; len;) {
        uint32_t n = pb_cursor_here(cursor) < len ? (uint32_t)pb_cursor_here(cursor) : len;
        memcpy(at, cursor->at, n);
        at += n;
        len -= n;
        pb_cursor_skip(cursor, n);
    }
    return true;
}

void pb_cursor_skip(struct pb_cursor *cursor, uint64_t bytes)
{
    while (bytes > pb_cursor_here(cursor)) {
        bytes -= pb_cursor_here(cursor);
        cursor->at = cursor->end;
        pb_cursor_settle(cursor);
    }
    cursor->at += bytes;
    pb_cursor_settle(cursor);
}

bool pb_cursor_skip_field(struct pb_cursor *cursor, uint64_t limit, uint32_t wire)
{
    uint64_t v;
    switch (wire) {
    case PB_VARINT:
        return pb_cursor_varint(cursor, limit, &v);
    case PB_FIXED64:
        v = 8;
        break;
    case PB_FIXED32:
        v = 4;
        break;
    case PB_LEN:
        if (!pb_cursor_varint(cursor, limit, &v))
            return false;
        break;
    default:
        return false;
    }
    if (v > limit - pb_cursor_offset(cursor))
        return false;
    pb_cursor_skip(cursor, v);
    return true;
}

leat_rc pb_cursor_share(struct pb_cursor *cursor, uint64_t bytes, struct leat_chain *out)
{
    while (bytes) {
        uint64_t n = pb_cursor_here(cursor) < bytes ? pb_cursor_here(cursor) : bytes;
        struct leat_slice part = {cursor->at, (uint32_t)n, cursor->chain->vec[cursor->index].mem};
        leat_rc rc = leat_chain_share(out, part);
        if (rc != LEAT_OK)
            return rc;
        pb_cursor_skip(cursor, n);
        bytes -= n;
    }
    return LEAT_OK;
}
