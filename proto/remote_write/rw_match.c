/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_match.h"

#include "proto/protobuf/pb_write.h"

#define MATCH_MIN 4u
#define LOOKS_MAX 16u /* candidates tried for one place */
#define NONE 0xffffu

uint8_t *rw_literal(uint8_t *to, const uint8_t *at, uint32_t len)
{
    if (len == 0)
        return to;
    uint32_t n = len - 1;
    if (n < 60) {
        *to++ = (uint8_t)(n << 2);
    } else {
        unsigned bytes = n < 1u << 8 ? 1 : n < 1u << 16 ? 2 : n < 1u << 24 ? 3 : 4;
        *to++ = (uint8_t)((59 + bytes) << 2);
        for (; bytes; bytes--, n >>= 8)
            *to++ = (uint8_t)n;
    }
    memcpy(to, at, len);
    return to + len;
}

uint8_t *rw_copy(uint8_t *to, uint32_t distance, uint32_t len)
{
    while (len) {
        uint32_t n = len > 64 ? len - 64 < 4 ? 60 : 64 : len; /* what is left is never too short for a copy */
        if (n <= 11 && n >= 4 && distance < 2048) {
            *to++ = (uint8_t)(distance >> 8 << 5 | (n - 4) << 2 | 1);
            *to++ = (uint8_t)distance;
        } else {
            *to++ = (uint8_t)((n - 1) << 2 | 2);
            *to++ = (uint8_t)distance;
            *to++ = (uint8_t)(distance >> 8);
        }
        len -= n;
    }
    return to;
}

static uint32_t slot_of(const uint8_t *at) { return pb_load32(at) * 0x9e3779b1u >> 22; }

static uint32_t same(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t n = 0;
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

struct best {
    uint32_t len, at;
};

/* The longest of the places before `at` whose bytes go on alike; never across the border between the two entries. */
static struct best look(const struct rw_match *match, uint32_t at, uint32_t end, uint32_t border)
{
    struct best best = {0};
    uint32_t from = match->head[slot_of(match->bytes + at)];
    for (uint32_t tries = 0; from != NONE && tries < LOOKS_MAX; tries++, from = match->next[from]) {
        uint32_t most = end - at;
        if (from < border && border - from < most)
            most = border - from;
        uint32_t n = same(match->bytes + from, match->bytes + at, most);
        if (n > best.len)
            best = (struct best){n, from};
    }
    return best;
}

static void enter(struct rw_match *match, uint32_t at, uint32_t end)
{
    if (at + 4 > end)
        return;
    uint32_t slot = slot_of(match->bytes + at);
    match->next[at] = match->head[slot];
    match->head[slot] = (uint16_t)at;
}

size_t rw_match(struct rw_match *match, const uint8_t *before, uint32_t before_len, uint32_t gap, const uint8_t *entry,
                uint32_t entry_len, uint8_t *to, uint32_t *ret_pending)
{
    uint32_t end = before_len + entry_len, literal = before_len;
    uint8_t *const begin = to;
    *ret_pending = entry_len;
    if (before_len >= RW_MATCH_BYTES_MAX || entry_len >= RW_MATCH_BYTES_MAX - before_len)
        return 0;
    memset(match->head, 0xff, sizeof match->head);
    if (before_len)
        memcpy(match->bytes, before, before_len);
    memcpy(match->bytes + before_len, entry, entry_len);
    for (uint32_t i = 0; i < before_len; i++)
        enter(match, i, before_len);
    for (uint32_t at = before_len; at + MATCH_MIN <= end;) {
        struct best best = look(match, at, end, before_len);
        uint32_t distance = at - best.at + (best.at < before_len ? gap : 0);
        if (best.len < MATCH_MIN || distance > 65535) {
            enter(match, at++, end);
            continue;
        }
        to = rw_copy(rw_literal(to, match->bytes + literal, at - literal), distance, best.len);
        for (uint32_t i = 0; i < best.len; i++)
            enter(match, at + i, end);
        at += best.len;
        literal = at;
    }
    *ret_pending = end - literal;
    return (size_t)(to - begin);
}
