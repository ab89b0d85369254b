/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 -- is it UTF-8, and if not, what shall stand in its place.
 *
 * Why      a strict back end refuses a whole merged request for one broken string: it is found and mended at the door.
 * Threads  pure functions.
 * Limits   none; the exact rules of RFC 3629: no surrogates, no overlong forms, nothing over U+10FFFF.
 * Note     the scan for the first byte that is not ASCII is vectorised; wider vectors are chosen at run time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first byte >= 0x80 in [at, end), or end. */
extern const uint8_t *(*utf8_high)(const uint8_t *at, const uint8_t *end);
const uint8_t *utf8_high_scalar(const uint8_t *at, const uint8_t *end);

/* How a string goes on: what its next byte must be. {0} is the state between two characters. */
struct utf8_state {
    uint8_t need;   /* bytes still to come in this character */
    uint8_t lo, hi; /* bounds of the next one */
};

bool utf8_feed(struct utf8_state *state, const uint8_t *at, size_t len); /* false: broken; the state is then spoiled */
static inline bool utf8_whole(const struct utf8_state *state)
{
    return state->need == 0;
}
bool utf8_ok(const uint8_t *at, size_t len);

static inline size_t utf8_count(const uint8_t *at, size_t len) /* characters of what is UTF-8 */
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += (at[i] & 0xc0) != 0x80;
    return count;
}

/* Length of the well-formed character at `at` (1..4); 0: none, and *ret_bad is how many bytes one U+FFFD replaces. */
unsigned utf8_char(const uint8_t *at, const uint8_t *end, unsigned *ret_bad);

/* Copies with each broken sequence replaced by U+FFFD; `to` has room for 3 * len bytes. The answer is the length. */
size_t utf8_repair(const uint8_t *at, size_t len, uint8_t *to);
size_t utf8_repaired_len(const uint8_t *at, size_t len);

/* One code point as UTF-8 (1..4 bytes); the caller keeps surrogates out. */
unsigned utf8_put(uint32_t code, uint8_t *to);
