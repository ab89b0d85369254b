/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/utf8/utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080ull

const uint8_t *utf8_high_scalar(const uint8_t *at, const uint8_t *end)
{
    for (uint64_t word; end - at >= 8; at += 8) {
        memcpy(&word, at, sizeof word);
        if (word & HIGH_BITS)
            break;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

/* What a lead byte asks of those behind it; false: it can lead nothing. */
static bool lead(uint8_t b, struct utf8_state *ret_state)
{
    if (b < 0xc2 || b > 0xf4)
        return false;
    ret_state->need = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
    ret_state->lo = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
    ret_state->hi = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    return true;
}

bool utf8_feed(struct utf8_state *state, const uint8_t *at, size_t len)
{
    const uint8_t *end = at + len;
    while (at < end) {
        if (state->need == 0) {
            if (*at < 0x80)
                at = utf8_high_scalar(at, end);
            if (at == end)
                break;
            if (!lead(*at++, state))
                return false;
            continue;
        }
        if (*at < state->lo || *at > state->hi)
            return false;
        at++;
        *state = (struct utf8_state){(uint8_t)(state->need - 1), 0x80, 0xbf};
    }
    return true;
}

bool utf8_ok(const uint8_t *at, size_t len)
{
    struct utf8_state state = {0};
    return utf8_feed(&state, at, len) && utf8_whole(&state);
}

unsigned utf8_char(const uint8_t *at, const uint8_t *end, unsigned *ret_bad)
{
    struct utf8_state state = {0};
    if (*at < 0x80)
        return 1;
    *ret_bad = 1;
    if (!lead(*at, &state))
        return 0;
    unsigned n = 1;
    for (; state.need; n++) {
        if (at + n >= end || at[n] < state.lo || at[n] > state.hi) {
            *ret_bad = n; /* the longest good beginning counts as one, as Unicode recommends */
            return 0;
        }
        state = (struct utf8_state){(uint8_t)(state.need - 1), 0x80, 0xbf};
    }
    return n;
}

static size_t repair(const uint8_t *at, size_t len, uint8_t *to)
{
    size_t out = 0;
    for (const uint8_t *end = at + len; at < end;) {
        unsigned bad = 0, n = utf8_char(at, end, &bad);
        const void *from = n ? (const void *)at : "\xef\xbf\xbd";
        if (to)
            memcpy(to + out, from, n ? n : 3);
        out += n ? n : 3;
        at += n ? n : bad;
    }
    return out;
}

size_t utf8_repair(const uint8_t *at, size_t len, uint8_t *to)
{
    return repair(at, len, to);
}
size_t utf8_repaired_len(const uint8_t *at, size_t len)
{
    return repair(at, len, NULL);
}

unsigned utf8_put(uint32_t code, uint8_t *to)
{
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xc0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (uint8_t)(0xe0 | code >> 12);
        to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        to[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | code >> 18);
    to[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    to[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    to[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}
