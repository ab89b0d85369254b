/* SPDX-License-Identifier: Apache-2.0 */
/* row_binary -- values of ClickHouse's formats, written one behind the other: the rows of RowBinary, in the order of the
 * INSERT's columns, or (a `column`) one column of Native.
 *
 *   row_binary_row, puts ...; row_binary_row, puts ...; row_binary_take
 *
 * Why      no object a row: a field goes from the request it came in to its place in the body in one copy.
 * Threads  one shard's.
 * Owns     the pages being filled, until _take gives them away or _done. {0} is empty. One that is `kept` has bytes of
 *          its own instead, which _clear empties: a row's beginning that many rows share.
 * Limits   a row (of a column: what one row has in it) below 4 GiB. It is never cut: it lies whole in one block.
 * Fails    `failed` stays true after the first allocation that failed; further puts do nothing.
 * Format   integers little-endian; String: a varint length, then the bytes; DateTime u32 seconds; DateTime64(9) i64
 *          nanoseconds; Bool one byte. RowBinary: Array, Map: a varint length, then the items, the pairs; LowCardinality(T)
 *          as T. Native: their lengths are a column of their own, each 8 bytes and the sum so far (`offsets`); then comes
 *          the column of all items, or those of all keys and all values. */
#pragma once
#include <stdbool.h>

#include "agent/base/slice.h"
#include "proto/protobuf/pb_write.h"

struct row_binary {
    uint8_t *at, *end;         /* where the next byte goes; where the room ends */
    uint8_t *from, *row;       /* what is not sealed yet begins here; the open row begins here */
    struct leat_mem *mem;      /* the block of all four; NULL when kept */
    struct leat_chain sealed;  /* earlier blocks */
    uint64_t total;            /* offsets: items so far */
    uint32_t block;            /* column: bytes of the last block made */
    bool kept, failed;
    bool column;               /* of Native: one of many, so its blocks are parts of pages */
    bool offsets;              /* of Native: counts are put as the sum so far, 8 bytes each */
};

void row_binary_done(struct row_binary *rows);
/* Empties it. What is kept keeps its room. */
void row_binary_clear(struct row_binary *rows);
/* All rows behind `out`; they are gone from here also on failure. */
leat_rc row_binary_take(struct row_binary *rows, struct leat_chain *out) LEAT_MUST_CHECK;

bool row_binary_grow(struct row_binary *rows, size_t more);
static inline bool row_binary_room(struct row_binary *rows, size_t more)
{
    return (size_t)(rows->end - rows->at) >= more || row_binary_grow(rows, more);
}
static inline uint64_t row_binary_bytes(const struct row_binary *rows)
{
    return rows->sealed.bytes + (uint64_t)(rows->at - rows->from);
}
/* What is open as one slice (borrowed until the next put): all of it when kept. */
static inline struct leat_slice row_binary_open_bytes(const struct row_binary *rows)
{
    return leat_slice_of(rows->row, (uint32_t)(rows->at - rows->row));
}

static inline void row_binary_row(struct row_binary *rows) { rows->row = rows->at; }

/* ---- values ---- */

static inline void row_binary_u8(struct row_binary *rows, uint8_t v)
{
    if (row_binary_room(rows, 1))
        *rows->at++ = v;
}
static inline void row_binary_u32(struct row_binary *rows, uint32_t v)
{
    if (row_binary_room(rows, sizeof v))
        rows->at = pb_put_fixed32(rows->at, v);
}
static inline void row_binary_u64(struct row_binary *rows, uint64_t v)
{
    if (row_binary_room(rows, sizeof v))
        rows->at = pb_put_fixed64(rows->at, v);
}
static inline void row_binary_f64(struct row_binary *rows, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    row_binary_u64(rows, bits);
}
/* How many items of an array or pairs of a map follow. */
static inline void row_binary_count(struct row_binary *rows, uint64_t n)
{
    if (!row_binary_room(rows, 10))
        return;
    if (rows->offsets)
        rows->at = pb_put_fixed64(rows->at, rows->total += n);
    else
        rows->at = pb_put_varint(rows->at, n);
}
/* All of what is kept, `times` over. */
void row_binary_repeat(struct row_binary *rows, const struct row_binary *what, uint32_t times);
/* Bytes as they are: values that were put elsewhere before. */
static inline void row_binary_raw(struct row_binary *rows, const void *at, size_t len)
{
    if (!row_binary_room(rows, len) || len == 0)
        return;
    memcpy(rows->at, at, len);
    rows->at += len;
}
static inline void row_binary_string(struct row_binary *rows, struct leat_slice text)
{
    if (!row_binary_room(rows, text.len + 5u))
        return;
    rows->at = pb_put_varint(rows->at, text.len);
    if (text.len)
        memcpy(rows->at, text.at, text.len);
    rows->at += text.len;
}
/* An id as lower-case hex; "" when there is none, or nothing but zeros. */
void row_binary_hex(struct row_binary *rows, struct leat_slice id);
void row_binary_decimal(struct row_binary *rows, int64_t value); /* a String of its digits */
/* Nanoseconds since 1970: DateTime64(9), or DateTime when `seconds`. What the type cannot hold becomes its last value. */
static inline void row_binary_time(struct row_binary *rows, uint64_t unix_ns, bool seconds)
{
    if (!seconds)
        row_binary_u64(rows, unix_ns <= INT64_MAX ? unix_ns : INT64_MAX);
    else
        row_binary_u32(rows, unix_ns / 1000000000u <= UINT32_MAX ? (uint32_t)(unix_ns / 1000000000u) : UINT32_MAX);
}
