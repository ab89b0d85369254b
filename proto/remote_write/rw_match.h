/* SPDX-License-Identifier: Apache-2.0 */
/* rw_match -- what a snappy block says to make one entry out of the entry before it. Shared inside this folder.
 *
 * Why      a series follows the same series scrape after scrape, and a copy says how far back it looks, not where: the
 *          words that make its label bytes out of those before them are the same each time, and are kept.
 * Threads  pure; the struct is scratch.
 * Limits   the bytes before and the entry: RW_MATCH_BYTES_MAX together, else all is a literal. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_MATCH_BYTES_MAX 8192u
#define RW_MATCH_SLOTS 1024u
#define RW_LITERAL_BOUND(len) ((len) + 5u) /* a literal of so many bytes */
#define RW_WORDS_BOUND(len) ((size_t)(len) + (len) / 4 + 32) /* what rw_match writes for an entry, at most */

struct rw_match {
    uint16_t head[RW_MATCH_SLOTS], next[RW_MATCH_BYTES_MAX];
    uint8_t bytes[RW_MATCH_BYTES_MAX + 8];
};

uint8_t *rw_literal(uint8_t *to, const uint8_t *at, uint32_t len);      /* with its tag; nothing for none */
uint8_t *rw_copy(uint8_t *to, uint32_t distance, uint32_t len); /* distance <= 65535, len >= 4 */
/* Writes the words of `entry` behind `before`, between which `gap` other bytes stand. What would be the last literal is
 * not written: *ret_pending of the entry's last bytes. Answers how much was written to `to`. */
size_t rw_match(struct rw_match *match, const uint8_t *before, uint32_t before_len, uint32_t gap, const uint8_t *entry,
                uint32_t entry_len, uint8_t *to, uint32_t *ret_pending);
