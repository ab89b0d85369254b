/* SPDX-License-Identifier: Apache-2.0 */
/* rw_pieces -- a body written straight into pages of the shard, one after the other. Shared inside this folder.
 *
 * Owns     the open page; what is closed belongs to the chain, which is the caller's.
 * Fails    false when out of memory; the caller then gives up the body (rw_pieces_done). */
#pragma once
#include "agent/base/slice.h"

#define RW_PIECE_BYTES (LEAT_PAGE_BYTES - 4096u)
#define RW_HEAD_BYTES 5u /* kept free before the first byte: the length of what a snappy block holds */

struct rw_pieces {
    struct leat_chain *out;
    struct leat_mem *page;
    uint8_t *from, *to, *end; /* of the page: not in the chain yet; the next byte; its end */
};

bool rw_pieces_open(struct rw_pieces *pieces, struct leat_chain *out) LEAT_MUST_CHECK;
bool rw_pieces_turn(struct rw_pieces *pieces, uint32_t bytes) LEAT_MUST_CHECK; /* another page with room for so many */
bool rw_pieces_close(struct rw_pieces *pieces) LEAT_MUST_CHECK;
void rw_pieces_done(struct rw_pieces *pieces); /* the open page goes back */
/* The block's head: its plain length, before the first byte. */
void rw_pieces_head(struct rw_pieces *pieces, struct leat_slice *first, uint32_t plain_bytes);

static inline bool rw_pieces_room(struct rw_pieces *pieces, uint32_t bytes)
{
    return (uint64_t)(pieces->end - pieces->to) >= bytes || rw_pieces_turn(pieces, bytes);
}
