/* SPDX-License-Identifier: Apache-2.0 */
/* pb_read -- protobuf bytes read in place: flat ones by pointer, those of a chain by a cursor.
 *
 * Why      the in-memory form of telemetry is its wire form; nobody builds a tree of objects from it.
 * Threads  pure functions over borrowed bytes.
 * Owns     nothing, allocates nothing; what a field points at lives as long as the bytes do.
 * Limits   a varint has at most 10 bytes, a field number is 1 .. 2^29-1, a length never passes its message's end.
 * Fails    NULL, -1 or false for malformed bytes; groups (wire types 3 and 4) are malformed too. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "agent/base/slice.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_LEN = 2, PB_FIXED32 = 5 };

#define PB_TAG(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))

/* ---- flat bytes ---- */

const uint8_t *pb_varint_slow(const uint8_t *at, const uint8_t *end, uint64_t *ret_value);

/* The byte after the varint, or NULL. */
static inline const uint8_t *pb_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    if (at < end && *at < 0x80) {
        *ret_value = *at;
        return at + 1;
    }
    if (end - at > 1 && at[1] < 0x80) {
        *ret_value = (at[0] & 0x7fu) | (uint64_t)at[1] << 7;
        return at + 2;
    }
    return pb_varint_slow(at, end, ret_value);
}

/* The first byte behind a length that fits before `end`, or NULL. */
static inline const uint8_t *pb_length(const uint8_t *at, const uint8_t *end, uint64_t *ret_len)
{
    at = pb_varint(at, end, ret_len);
    return at && *ret_len <= (uint64_t)(end - at) ? at : NULL;
}

static inline const uint8_t *pb_tag(const uint8_t *at, const uint8_t *end, uint32_t *ret_tag)
{
    uint64_t tag;
    at = pb_varint(at, end, &tag);
    if (!at || tag > UINT32_MAX || tag < 8)
        return NULL;
    *ret_tag = (uint32_t)tag;
    return at;
}

static inline uint64_t pb_load64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}
static inline uint32_t pb_load32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}
static inline double pb_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static inline int64_t pb_zigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Past the value of a field with this wire type; NULL when malformed. */
static inline const uint8_t *pb_skip(const uint8_t *at, const uint8_t *end, uint32_t wire)
{
    uint64_t v;
    switch (wire) {
    case PB_VARINT:
        return pb_varint(at, end, &v);
    case PB_FIXED64:
        return end - at >= 8 ? at + 8 : NULL;
    case PB_FIXED32:
        return end - at >= 4 ? at + 4 : NULL;
    case PB_LEN:
        at = pb_length(at, end, &v);
        return at ? at + v : NULL;
    default:
        return NULL;
    }
}

struct pb_flat {
    const uint8_t *at, *end;
};
struct pb_field {
    uint32_t number;
    uint32_t wire;     /* enum pb_wire */
    uint64_t value;    /* of a varint or fixed field */
    const uint8_t *at; /* of a length-delimited field */
    uint32_t len;
    const uint8_t *tag; /* where the field begins */
};
/* The value of a field whose tag is read: the byte behind it, or NULL. */
static inline const uint8_t *pb_value(const uint8_t *at, const uint8_t *end, struct pb_field *field)
{
    uint64_t len;
    switch (field->wire) {
    case PB_VARINT:
        return pb_varint(at, end, &field->value);
    case PB_FIXED64:
        if (end - at < 8)
            return NULL;
        field->value = pb_load64(at);
        return at + 8;
    case PB_FIXED32:
        if (end - at < 4)
            return NULL;
        field->value = pb_load32(at);
        return at + 4;
    case PB_LEN:
        at = pb_length(at, end, &len);
        if (!at || len > UINT32_MAX)
            return NULL;
        field->at = at;
        field->len = (uint32_t)len;
        return at + len;
    default:
        return NULL;
    }
}

/* 1: a field was read; 0: the end; -1: malformed. */
static inline int pb_next(struct pb_flat *reader, struct pb_field *ret_field)
{
    const uint8_t *at = reader->at;
    uint32_t tag;
    if (at >= reader->end)
        return 0;
    *ret_field = (struct pb_field){.tag = at};
    at = pb_tag(at, reader->end, &tag);
    if (!at)
        return -1;
    ret_field->number = tag >> 3;
    ret_field->wire = tag & 7;
    at = pb_value(at, reader->end, ret_field);
    if (!at)
        return -1;
    reader->at = at;
    return 1;
}

static inline struct pb_flat pb_flat_of(const void *at, uint32_t len)
{
    return (struct pb_flat){at, len ? (const uint8_t *)at + len : at};
}
static inline struct pb_flat pb_sub(const struct pb_field *field)
{
    return pb_flat_of(field->at, field->len);
}

/* ---- a chain ---- */

/* Stands on a byte of the chain. Never at the end of a slice unless it is the chain's end, so that "fits before `end`"
 * is all one must ask to read flat. */
struct pb_cursor {
    const uint8_t *at, *end; /* in the current slice */
    const struct leat_chain *chain;
    uint32_t index;      /* of the current slice */
    uint64_t end_offset; /* of `end` in the chain */
};

void pb_cursor_settle(struct pb_cursor *cursor); /* steps into the next slice when this one is used up */

static inline struct pb_cursor pb_cursor_at_start(const struct leat_chain *chain)
{
    struct pb_cursor c = {.chain = chain};
    if (chain->count) {
        c.at = chain->vec[0].at;
        c.end_offset = chain->vec[0].len;
        c.end = c.at + chain->vec[0].len;
    }
    return c;
}
static inline uint64_t pb_cursor_offset(const struct pb_cursor *cursor)
{
    return cursor->end_offset - (uint64_t)(cursor->end - cursor->at);
}
static inline uint64_t pb_cursor_here(const struct pb_cursor *cursor) /* bytes left in this slice */
{
    return (uint64_t)(cursor->end - cursor->at);
}

/* Below, `limit` is the offset where the enclosing message ends; false: the field would pass it, or is malformed. */
bool pb_cursor_varint(struct pb_cursor *cursor, uint64_t limit, uint64_t *ret_value);
bool pb_cursor_tag(struct pb_cursor *cursor, uint64_t limit, uint32_t *ret_tag);
bool pb_cursor_length(struct pb_cursor *cursor, uint64_t limit, uint64_t *ret_len);
bool pb_cursor_get(struct pb_cursor *cursor, uint64_t limit, void *to, uint32_t len); /* copies out */
bool pb_cursor_skip_field(struct pb_cursor *cursor, uint64_t limit, uint32_t wire);
void pb_cursor_skip(struct pb_cursor *cursor, uint64_t bytes); /* that many are known to be there */
/* Shares the next `bytes` with `out` and steps over them. */
leat_rc pb_cursor_share(struct pb_cursor *cursor, uint64_t bytes, struct leat_chain *out) LEAT_MUST_CHECK;
