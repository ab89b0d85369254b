/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/slice.h"

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/obj.h"

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

bool leat_slice_ieq(struct leat_slice a, struct leat_slice b)
{
    if (a.len != b.len)
        return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

static void vec_free(struct leat_chain *chain) { leat_obj_free(chain->vec, chain->room * sizeof *chain->vec); }

leat_rc leat_chain_reserve(struct leat_chain *chain, uint32_t more)
{
    if (chain->room - chain->count >= more)
        return LEAT_OK;
    if (more > UINT32_MAX / 2 - chain->count)
        return LEAT_ENOMEM;
    uint32_t room = chain->room ? chain->room : 4;
    while (room < chain->count + more)
        room *= 2;
    struct leat_slice *vec = leat_obj_new(room * sizeof *vec);
    if (!vec)
        return LEAT_ENOMEM;
    if (chain->count)
        memcpy(vec, chain->vec, chain->count * sizeof *vec);
    vec_free(chain);
    chain->vec = vec;
    chain->room = room;
    return LEAT_OK;
}

/* Two neighbours of one block that touch become one slice: a payload read in pieces is whole again. */
static bool joins(const struct leat_chain *chain, struct leat_slice slice)
{
    if (chain->count == 0)
        return false;
    const struct leat_slice *last = &chain->vec[chain->count - 1];
    return last->mem == slice.mem && slice.mem && last->at + last->len == slice.at &&
           last->len <= UINT32_MAX - slice.len;
}

leat_rc leat_chain_take(struct leat_chain *chain, struct leat_slice slice)
{
    if (slice.len == 0) {
        leat_mem_unref(slice.mem);
        return LEAT_OK;
    }
    if (joins(chain, slice)) {
        chain->vec[chain->count - 1].len += slice.len;
        chain->bytes += slice.len;
        leat_mem_unref(slice.mem);
        return LEAT_OK;
    }
    leat_rc rc = leat_chain_reserve(chain, 1);
    if (rc != LEAT_OK)
        return rc;
    chain->vec[chain->count++] = slice;
    chain->bytes += slice.len;
    return LEAT_OK;
}

leat_rc leat_chain_share(struct leat_chain *chain, struct leat_slice slice)
{
    leat_mem_ref(slice.mem);
    leat_rc rc = leat_chain_take(chain, slice);
    if (rc != LEAT_OK)
        leat_mem_unref(slice.mem);
    return rc;
}

static leat_rc copy_large(struct leat_chain *chain, const void *at, uint32_t len)
{
    struct leat_mem *mem = leat_mem_new(len);
    if (!mem)
        return LEAT_ENOMEM;
    memcpy(mem->at, at, len);
    leat_rc rc = leat_chain_take(chain, (struct leat_slice){mem->at, len, mem});
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

leat_rc leat_chain_copy(struct leat_chain *chain, const void *at, uint32_t len)
{
    if (len == 0)
        return LEAT_OK;
    if (len > LEAT_SMALL_BYTES_MAX)
        return copy_large(chain, at, len);
    uint8_t *to;
    struct leat_mem *mem = leat_pool_small(leat_pool_here(), len, &to);
    if (!mem)
        return LEAT_ENOMEM;
    memcpy(to, at, len);
    leat_rc rc = leat_chain_take(chain, (struct leat_slice){to, len, mem});
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

leat_rc leat_chain_append(struct leat_chain *chain, struct leat_chain *from)
{
    if (chain->count == 0 && chain->room <= from->room) {
        vec_free(chain);
        *chain = *from;
        *from = (struct leat_chain){0};
        return LEAT_OK;
    }
    leat_rc rc = leat_chain_reserve(chain, from->count);
    if (rc != LEAT_OK)
        return rc;
    for (uint32_t i = 0; i < from->count; i++)
        LEAT_CHECK(leat_chain_take(chain, from->vec[i]) == LEAT_OK);
    vec_free(from);
    *from = (struct leat_chain){0};
    return LEAT_OK;
}

leat_rc leat_chain_share_all(struct leat_chain *chain, const struct leat_chain *from)
{
    return leat_chain_share_range(chain, from, 0, from->bytes);
}

leat_rc leat_chain_share_range(struct leat_chain *chain, const struct leat_chain *from, uint64_t offset, uint64_t len)
{
    leat_rc rc = leat_chain_reserve(chain, from->count);
    if (rc != LEAT_OK)
        return rc;
    for (uint32_t i = 0; i < from->count && len; i++) {
        struct leat_slice s = from->vec[i];
        if (offset >= s.len) {
            offset -= s.len;
            continue;
        }
        uint64_t rest = s.len - offset;
        uint32_t take = (uint32_t)(rest < len ? rest : len);
        LEAT_CHECK(leat_chain_share(chain, leat_slice_sub(s, (uint32_t)offset, take)) == LEAT_OK);
        len -= take;
        offset = 0;
    }
    return LEAT_OK;
}

uint32_t leat_chain_iov(const struct leat_chain *chain, struct iovec *iov, uint32_t iov_max)
{
    uint32_t n = chain->count < iov_max ? chain->count : iov_max;
    for (uint32_t i = 0; i < n; i++)
        iov[i] = (struct iovec){.iov_base = (void *)(uintptr_t)chain->vec[i].at, .iov_len = chain->vec[i].len};
    return n;
}

void leat_chain_eat(struct leat_chain *chain, uint64_t bytes)
{
    LEAT_CHECK(bytes <= chain->bytes);
    chain->bytes -= bytes;
    uint32_t gone = 0;
    while (bytes) {
        struct leat_slice *s = &chain->vec[gone];
        if (bytes < s->len) {
            s->at += bytes;
            s->len -= (uint32_t)bytes;
            break;
        }
        bytes -= s->len;
        leat_mem_unref(s->mem);
        gone++;
    }
    chain->count -= gone;
    if (gone && chain->count)
        memmove(chain->vec, chain->vec + gone, chain->count * sizeof *chain->vec);
}

void leat_chain_done(struct leat_chain *chain)
{
    for (uint32_t i = 0; i < chain->count; i++)
        leat_mem_unref(chain->vec[i].mem);
    vec_free(chain);
    *chain = (struct leat_chain){0};
}

uint64_t leat_chain_put(const struct leat_chain *chain, void *to, uint64_t room)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < chain->count && done < room; i++) {
        uint64_t n = chain->vec[i].len < room - done ? chain->vec[i].len : room - done;
        memcpy((uint8_t *)to + done, chain->vec[i].at, n);
        done += n;
    }
    return done;
}

leat_rc leat_chain_flat(const struct leat_chain *chain, struct leat_slice *ret_slice)
{
    if (chain->count <= 1) {
        *ret_slice = chain->count ? chain->vec[0] : (struct leat_slice){0};
        leat_mem_ref(ret_slice->mem);
        return LEAT_OK;
    }
    if (chain->bytes > UINT32_MAX)
        return LEAT_ENOMEM;
    struct leat_mem *mem = leat_mem_new((uint32_t)chain->bytes);
    if (!mem)
        return LEAT_ENOMEM;
    leat_copied(leat_chain_put(chain, mem->at, chain->bytes));
    *ret_slice = (struct leat_slice){mem->at, (uint32_t)chain->bytes, mem};
    return LEAT_OK;
}

bool leat_chain_eq(const struct leat_chain *a, const struct leat_chain *b)
{
    if (a->bytes != b->bytes)
        return false;
    uint32_t i = 0, j = 0, at_a = 0, at_b = 0;
    for (uint64_t left = a->bytes; left;) {
        uint32_t rest_a = a->vec[i].len - at_a, rest_b = b->vec[j].len - at_b;
        uint32_t n = rest_a < rest_b ? rest_a : rest_b;
        if (memcmp(a->vec[i].at + at_a, b->vec[j].at + at_b, n) != 0)
            return false;
        left -= n;
        if ((at_a += n) == a->vec[i].len)
            i++, at_a = 0;
        if ((at_b += n) == b->vec[j].len)
            j++, at_b = 0;
    }
    return true;
}
