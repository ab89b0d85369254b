/* SPDX-License-Identifier: Apache-2.0 */
/* The push as a snappy block, written straight into pages of the shard: a buffer between would be read and written once
 * more when it has long left the near caches. */
#include "exporters/loki/loki.h"

#define PIECE_BYTES (LEAT_PAGE_BYTES - 4096u) /* fits a page */

struct piece {
    struct leat_chain *out;
    struct leat_mem *mem;
};

static bool give(struct piece *piece, struct leat_slice written)
{
    written.mem = piece->mem;
    piece->mem = NULL;
    if (written.len == 0 || leat_chain_take(piece->out, written) != LEAT_OK) {
        (void)leat_mem_unref(written.mem);
        return written.len == 0;
    }
    return true;
}

/* Makes sure that a put of `len` bytes fits. */
static bool ready(struct piece *piece, struct snappy_put *put, uint32_t len)
{
    if ((size_t)(piece->mem->at + piece->mem->size - put->to) >= snappy_put_need(put, len))
        return true;
    size_t need = snappy_put_bound(len), rest = snappy_put_bound(put->len - put->at);
    size_t room = need > PIECE_BYTES ? need : rest < PIECE_BYTES ? rest : PIECE_BYTES;
    struct leat_mem *mem = room <= UINT32_MAX / 2 ? leat_mem_new((uint32_t)room) : NULL;
    if (!mem)
        return false;
    bool given = give(piece, snappy_put_turn(put, mem->at));
    piece->mem = mem;
    return given;
}

static bool put_all(struct loki_state *loki, struct piece *piece)
{
    struct snappy_put *put = &loki->snappy;
    for (uint32_t i = 0; i < loki->repeat_count; i++) {
        const struct loki_repeat *repeat = &loki->repeats[i];
        if (!ready(piece, put, repeat->at + repeat->len - put->at))
            return false;
        snappy_put_match(put, repeat->at - put->at);
        snappy_put_repeat(put, repeat->len, repeat->distance);
    }
    if (!ready(piece, put, put->len - put->at))
        return false;
    snappy_put_match(put, put->len - put->at);
    return true;
}

bool loki__pack(struct loki_state *loki, struct leat_chain *out)
{
    uint32_t len = (uint32_t)loki->push.len;
    size_t room = snappy_put_bound(len);
    struct piece piece = {out, leat_mem_new(room < PIECE_BYTES ? (uint32_t)room : PIECE_BYTES)};
    if (!piece.mem)
        return false;
    snappy_put_open(&loki->snappy, loki->push.at, len, piece.mem->at);
    if (put_all(loki, &piece))
        return give(&piece, snappy_put_close(&loki->snappy));
    (void)leat_mem_unref(piece.mem);
    return false;
}
