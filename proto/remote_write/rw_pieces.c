/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_pieces.h"

#include "proto/protobuf/pb_write.h"

static bool fresh(struct rw_pieces *pieces, uint32_t bytes)
{
    pieces->page = leat_mem_new((bytes > RW_PIECE_BYTES ? bytes : RW_PIECE_BYTES) + RW_HEAD_BYTES);
    if (!pieces->page)
        return false;
    pieces->from = pieces->to = pieces->page->at + RW_HEAD_BYTES; /* it may become the first */
    pieces->end = pieces->page->at + pieces->page->size;
    return true;
}

bool rw_pieces_open(struct rw_pieces *pieces, struct leat_chain *out)
{
    *pieces = (struct rw_pieces){.out = out};
    return fresh(pieces, RW_PIECE_BYTES);
}

bool rw_pieces_close(struct rw_pieces *pieces)
{
    struct leat_slice slice = {pieces->from, (uint32_t)(pieces->to - pieces->from), pieces->page};
    if (slice.len == 0) {
        rw_pieces_done(pieces);
        return true;
    }
    if (leat_chain_take(pieces->out, slice) != LEAT_OK)
        return false;
    pieces->page = NULL;
    pieces->from = pieces->to = pieces->end = NULL;
    return true;
}

bool rw_pieces_turn(struct rw_pieces *pieces, uint32_t bytes)
{
    return rw_pieces_close(pieces) && fresh(pieces, bytes);
}

void rw_pieces_done(struct rw_pieces *pieces)
{
    leat_mem_unref(pieces->page);
    *pieces = (struct rw_pieces){.out = pieces->out};
}

/* The slice's block was made here: nobody else has seen the bytes before it. */
void rw_pieces_head(struct rw_pieces *pieces, struct leat_slice *first, uint32_t plain_bytes)
{
    uint32_t size = pb_varint_size(plain_bytes);
    first->at -= size;
    first->len += size;
    pieces->out->bytes += size;
    (void)pb_put_varint((uint8_t *)(uintptr_t)first->at, plain_bytes);
}
