/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_snappy.h"

#define PIECE_BYTES (LEAT_PAGE_BYTES - 4096u)
#define STEP_BYTES 65536u /* matched at once: what it may become fits a piece */

static bool give(struct leat_chain *out, struct leat_mem *mem, struct leat_slice written)
{
    written.mem = mem;
    if (written.len && leat_chain_take(out, written) == LEAT_OK)
        return true;
    leat_mem_unref(mem);
    return written.len == 0;
}

/* Makes sure that a put of `len` bytes fits, in another page if need be. */
static bool ready(struct snappy_put *put, uint32_t len, struct leat_chain *out, struct leat_mem **mem)
{
    if ((size_t)((*mem)->at + (*mem)->size - put->to) >= snappy_put_need(put, len))
        return true;
    size_t need = snappy_put_bound(len);
    struct leat_mem *next = leat_mem_new(need > PIECE_BYTES ? (uint32_t)need : PIECE_BYTES), *full = *mem;
    if (!next)
        return false;
    *mem = next;
    return give(out, full, snappy_put_turn(put, next->at));
}

bool rw_snappy(struct snappy_put *put, const struct pb_buf *plain, struct leat_chain *out)
{
    if (plain->failed || plain->len > UINT32_MAX / 2)
        return false;
    uint32_t len = (uint32_t)plain->len;
    struct leat_mem *mem = leat_mem_new(PIECE_BYTES);
    if (!mem)
        return false;
    snappy_put_open(put, plain->at, len, mem->at);
    for (uint32_t at = 0, step; at < len; at += step) {
        step = len - at < STEP_BYTES ? len - at : STEP_BYTES;
        if (!ready(put, step, out, &mem)) {
            leat_mem_unref(mem);
            return false;
        }
        snappy_put_match(put, step);
    }
    return give(out, mem, snappy_put_close(put));
}
