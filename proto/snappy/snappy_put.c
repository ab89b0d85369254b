/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/snappy/snappy_put.h"

#include "agent/base/check.h"
#include "proto/protobuf/pb_write.h"

#define HEAD_BYTES 5u /* the longest length */
#define SLACK 64u     /* short copies write whole words past their end */
#define REACH 65535u  /* of a copy with a two-byte offset; places are kept modulo one more */
#define COPY_MAX 64u
#define MATCH_MIN 7u /* shorter ones save less than they cost to find and to write */
#define MATCH_SHIFT (8 * (LOAD_BYTES - MATCH_MIN))
#define LOAD_BYTES 8u   /* read at a position that is looked up */
#define REPEAT_MIN 12u  /* less is left to the literal around it */
#define SKIP_SHIFT 1u   /* after so many misses (2^n) the matcher takes longer steps */
#define TABLE_SHIFT 52u /* 64 - log2(SNAPPY_PUT_TABLE) */

enum { LITERAL = 0, COPY_1 = 1, COPY_2 = 2, COPY_4 = 3 };

/* A copy ends a literal and takes at least MATCH_MIN plain bytes for three written ones, or REPEAT_MIN for five: so
 * only the heads of long literals add to the plain length, at most one byte in 60. */
size_t snappy_put_bound(uint32_t len)
{
    return (size_t)len + len / 60 + HEAD_BYTES + SLACK;
}

void snappy_put_open(struct snappy_put *put, const uint8_t *plain, uint32_t len, uint8_t *room)
{
    put->plain = plain;
    put->len = len;
    put->at = put->literal = 0;
    put->room = room;
    put->to = pb_put_varint(room, len);
    memset(put->table, 0, sizeof put->table);
}

/* ---- what a block is made of ---- */

static uint8_t *long_literal_head(uint8_t *to, uint32_t n)
{
    unsigned bytes = n < 1u << 8 ? 1 : n < 1u << 16 ? 2 : n < 1u << 24 ? 3 : 4;
    *to++ = (uint8_t)((59 + bytes) << 2 | LITERAL);
    for (; bytes; bytes--, n >>= 8)
        *to++ = (uint8_t)n;
    return to;
}

/* Writes what is pending before `end`. Few branches: this and the copy behind it are written every few bytes of text,
 * and lengths are hard to foretell. The room's slack takes the 32 bytes written for fewer. */
static inline uint8_t *literal(const struct snappy_put *put, uint8_t *to, uint32_t from, uint32_t end)
{
    uint32_t len = end - from;
    if (len <= 32 && put->len - from >= 32) {
        to[0] = (uint8_t)((len - 1) << 2 | LITERAL);
        to += len != 0;
        memcpy(to, put->plain + from, 32);
        return to + len;
    }
    if (len == 0)
        return to;
    if (len <= 60)
        *to++ = (uint8_t)((len - 1) << 2 | LITERAL);
    else
        to = long_literal_head(to, len - 1);
    memcpy(to, put->plain + from, len);
    return to + len;
}

/* One copy of at most 64 bytes, in its short form where there is one. */
static inline uint8_t *copy_near(uint8_t *to, uint32_t distance, uint32_t len)
{
    bool brief = (len - 4 < 8) & (distance < 2048);
    uint32_t two = distance << 8 | (len - 1) << 2 | COPY_2;
    uint32_t one = (distance & 0xff) << 8 | (distance >> 8) << 5 | (len - 4) << 2 | COPY_1;
    (void)pb_put_fixed32(to, brief ? one : two);
    return to + 3 - brief;
}

static uint8_t *copy_far(uint8_t *to, uint32_t distance, uint32_t len)
{
    *to++ = (uint8_t)((len - 1) << 2 | COPY_4);
    for (unsigned i = 0; i < 4; i++, distance >>= 8)
        *to++ = (uint8_t)distance;
    return to;
}

static inline uint8_t *copy(uint8_t *to, uint32_t distance, uint32_t len)
{
    for (; len > COPY_MAX; len -= COPY_MAX)
        to = copy_near(to, distance, COPY_MAX);
    return copy_near(to, distance, len);
}

/* ---- the matcher ---- */

/* Of the MATCH_MIN bytes at `at`: its upper bits are a slot of the table, the next 16 are kept there beside the place,
 * so that the bytes of a candidate that is none are rarely looked at: they are seldom in the nearest cache. */
static inline uint64_t mix(const uint8_t *at)
{
    return (pb_load64(at) << MATCH_SHIFT) * 0x9e3779b97f4a7c15u;
}

static inline bool same_min(const uint8_t *a, const uint8_t *b)
{
    return (pb_load64(a) ^ pb_load64(b)) << MATCH_SHIFT == 0;
}

/* How many bytes at `a` and `b` are the same; `end` ends b's, and a is before b. */
static inline uint32_t same(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *begin = b;
    for (; end - b >= 8; a += 8, b += 8) {
        uint64_t differ = pb_load64(a) ^ pb_load64(b);
        if (differ)
            return (uint32_t)(b - begin) + (uint32_t)__builtin_ctzll(differ) / 8;
    }
    while (b < end && *a == *b) {
        a++;
        b++;
    }
    return (uint32_t)(b - begin);
}

/* How many bytes before `a` and `b` are the same, of the last 8; at most `most`. */
static inline uint32_t same_before(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint64_t differ = pb_load64(a - 8) ^ pb_load64(b - 8);
    uint32_t n = differ ? (uint32_t)__builtin_clzll(differ) / 8 : 8;
    return n < most ? n : most;
}

/* The distance to an earlier place with the same MATCH_MIN bytes as `at`, or 0; `at` takes its slot. */
static inline uint32_t look(uint32_t *table, const uint8_t *plain, uint32_t at)
{
    uint64_t mixed = mix(plain + at);
    uint32_t check = (uint32_t)(mixed >> 20) & 0xffff0000u, *slot = &table[mixed >> TABLE_SHIFT], was = *slot;
    *slot = check | (at & 0xffff);
    if (((was ^ check) & 0xffff0000u) != 0)
        return 0;
    uint32_t distance = (at - was) & 0xffff;
    return distance <= at && same_min(plain + at - distance, plain + at) ? distance : 0;
}

void snappy_put_match(struct snappy_put *put, uint32_t len)
{
    const uint8_t *plain = put->plain;
    uint32_t at = put->at, end = at + len, misses = 1u << SKIP_SHIFT, pending = put->literal;
    uint8_t *to = put->to;
    LEAT_CHECK(len <= put->len - put->at);
    while (at + LOAD_BYTES <= end) {
        uint32_t distance = look(put->table, plain, at);
        if (distance == 0) {
            at += misses++ >> SKIP_SHIFT;
            continue;
        }
        const uint8_t *here = plain + at;
        uint32_t back = at - distance >= 8 ? same_before(here - distance, here, at - pending) : 0;
        uint32_t n = MATCH_MIN + same(here + MATCH_MIN - distance, here + MATCH_MIN, plain + end);
        to = copy(literal(put, to, pending, at - back), distance, n + back);
        at += n;
        pending = at;
        misses = 1u << SKIP_SHIFT;
    }
    put->at = end;
    put->literal = pending;
    put->to = to;
}

void snappy_put_repeat(struct snappy_put *put, uint32_t len, uint32_t distance)
{
    LEAT_CHECK(len <= put->len - put->at && distance >= 1 && distance <= put->at);
    put->at += len;
    if (len < REPEAT_MIN)
        return;
    put->to = literal(put, put->to, put->literal, put->at - len);
    put->literal = put->at;
    if (distance <= REACH) {
        put->to = copy(put->to, distance, len);
        return;
    }
    for (; len > COPY_MAX; len -= COPY_MAX)
        put->to = copy_far(put->to, distance, COPY_MAX);
    put->to = copy_far(put->to, distance, len);
}

size_t snappy_put_need(const struct snappy_put *put, uint32_t len)
{
    return snappy_put_bound(put->at - put->literal + len);
}

struct leat_slice snappy_put_turn(struct snappy_put *put, uint8_t *room)
{
    put->to = literal(put, put->to, put->literal, put->at);
    put->literal = put->at;
    struct leat_slice written = leat_slice_of(put->room, (uint32_t)(put->to - put->room));
    put->room = put->to = room;
    return written;
}

struct leat_slice snappy_put_close(struct snappy_put *put)
{
    LEAT_CHECK(put->at == put->len);
    return snappy_put_turn(put, put->to);
}
