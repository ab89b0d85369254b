/* SPDX-License-Identifier: Apache-2.0 */
/* gather -- small pieces of one message, copied side by side into blocks of its own.
 *
 * Why      a message that trickles in byte by byte would cost a slice for each byte and pin every page that it came in.
 * Threads  one shard's.
 * Owns     one reference on the block being filled, until leat_gather_done. {0} is ready.
 * Limits   blocks grow with the message, up to LEAT_GATHER_BLOCK_MAX bytes; the budget charges them.
 * Fails    LEAT_ENOMEM: the chain is as before. */
#pragma once
#include "agent/base/slice.h"

#define LEAT_GATHER_BLOCK_MAX 16384u
#define LEAT_GATHER_PIECE_MAX 2048u /* larger pieces are worth a slice of their own */

struct leat_gather {
    struct leat_mem *mem; /* NULL: none */
    uint32_t used;
};

/* Copies the piece behind `to`, and counts it as copied. `more`: bytes known to follow; UINT64_MAX: nobody knows. */
leat_rc leat_gather_put(struct leat_gather *gather, struct leat_chain *to, struct leat_slice piece,
                        uint64_t more) LEAT_MUST_CHECK;
void leat_gather_done(struct leat_gather *gather); /* what was gathered stays the chain's */
