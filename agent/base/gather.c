/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/gather.h"

#define BLOCK_MIN 1024u

static uint32_t block_bytes(const struct leat_chain *to, uint32_t len, uint64_t more)
{
    uint64_t room = to->bytes < BLOCK_MIN ? BLOCK_MIN : to->bytes; /* doubles what is there */
    room = room < LEAT_GATHER_BLOCK_MAX ? room : LEAT_GATHER_BLOCK_MAX;
    room = more < room ? len + more : room;
    return room < len ? len : (uint32_t)room;
}

leat_rc leat_gather_put(struct leat_gather *gather, struct leat_chain *to, struct leat_slice piece, uint64_t more)
{
    if (!gather->mem || gather->mem->size - gather->used < piece.len) {
        struct leat_mem *fresh = leat_mem_new(block_bytes(to, piece.len, more));
        if (!fresh)
            return LEAT_ENOMEM;
        leat_mem_unref(gather->mem);
        *gather = (struct leat_gather){.mem = fresh};
    }
    uint8_t *at = gather->mem->at + gather->used;
    if (piece.len)
        memcpy(at, piece.at, piece.len);
    leat_rc rc = leat_chain_share(to, (struct leat_slice){at, piece.len, gather->mem});
    if (rc != LEAT_OK)
        return rc;
    leat_copied(piece.len);
    gather->used += piece.len;
    return LEAT_OK;
}

void leat_gather_done(struct leat_gather *gather)
{
    leat_mem_unref(gather->mem);
    *gather = (struct leat_gather){0};
}
