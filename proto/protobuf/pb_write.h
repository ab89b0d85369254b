/* SPDX-License-Identifier: Apache-2.0 */
/* pb_write -- protobuf bytes written: into room the caller knows to be enough, or into a buffer that grows.
 *
 * Why      two jobs: a line of a log written in a dozen nanoseconds, and slow paths that do not want to count bytes.
 * Threads  pure functions; a buffer belongs to its user.
 * Owns     struct pb_buf owns its bytes until pb_buf_done; {0} is empty.
 * Limits   a buffer holds less than 4 GiB.
 * Fails    `failed` of a buffer stays true after the first allocation that failed; further puts do nothing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/protobuf/pb_read.h"

/* ---- into enough room: each answers the byte after what it wrote ---- */

static inline uint32_t pb_varint_size(uint64_t v)
{
    return (uint32_t)(9 * (64 - (uint32_t)__builtin_clzll(v | 1)) + 64) / 64;
}

static inline uint8_t *pb_put_varint(uint8_t *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *at++ = (uint8_t)v;
    return at;
}
static inline uint8_t *pb_put_fixed64(uint8_t *at, uint64_t v)
{
    v = pb_load64((const uint8_t *)&v);
    memcpy(at, &v, sizeof v);
    return at + sizeof v;
}
static inline uint8_t *pb_put_fixed32(uint8_t *at, uint32_t v)
{
    v = pb_load32((const uint8_t *)&v);
    memcpy(at, &v, sizeof v);
    return at + sizeof v;
}
static inline uint8_t *pb_put_bytes(uint8_t *at, uint32_t tag, const void *bytes, uint32_t len)
{
    at = pb_put_varint(pb_put_varint(at, tag), len);
    if (len)
        memcpy(at, bytes, len);
    return at + len;
}

/* ---- into a buffer that grows ---- */

struct pb_buf {
    uint8_t *at;
    size_t len, room;
    bool failed;
};

void pb_buf_done(struct pb_buf *buf);
bool pb_buf_room(struct pb_buf *buf, size_t more); /* makes sure `more` bytes fit behind len */
void pb_buf_raw(struct pb_buf *buf, const void *bytes, size_t len);
void pb_buf_varint(struct pb_buf *buf, uint32_t tag, uint64_t value);
void pb_buf_fixed64(struct pb_buf *buf, uint32_t tag, uint64_t value);
void pb_buf_fixed32(struct pb_buf *buf, uint32_t tag, uint32_t value);
void pb_buf_bytes(struct pb_buf *buf, uint32_t tag, const void *bytes, uint32_t len);
/* A sub-message: open, write its fields, close. One byte is held for the length; a longer one moves the body. */
size_t pb_buf_open(struct pb_buf *buf, uint32_t tag);
void pb_buf_close(struct pb_buf *buf, size_t opened);
