/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/row_binary/row_binary.h"

#include "agent/base/alloc.h"

#define BLOCK_BYTES (LEAT_PAGE_BYTES - 4096u) /* becomes a page */
#define KEPT_BYTES_MIN 512u
#define COLUMN_BYTES_MIN 1024u
#define REPEAT_BYTES 16384u
#define SMALL_BYTES 16384u /* so little is copied out: it shall not hold a page */

void row_binary_done(struct row_binary *rows)
{
    if (rows->kept)
        leat_free(rows->from);
    leat_mem_unref(rows->mem);
    leat_chain_done(&rows->sealed);
    *rows = (struct row_binary){.kept = rows->kept, .column = rows->column, .offsets = rows->offsets};
}

void row_binary_clear(struct row_binary *rows)
{
    if (!rows->kept) {
        row_binary_done(rows);
        return;
    }
    rows->at = rows->row = rows->from;
    rows->failed = false;
    rows->total = 0;
}

static bool fail(struct row_binary *rows)
{
    rows->failed = true;
    rows->end = rows->at; /* no room any more */
    return false;
}

static bool grow_kept(struct row_binary *rows, size_t more)
{
    size_t len = (size_t)(rows->at - rows->from), room = (size_t)(rows->end - rows->from);
    room = room < KEPT_BYTES_MIN ? KEPT_BYTES_MIN : room;
    while (room - len < more)
        room *= 2;
    size_t row = (size_t)(rows->row - rows->from);
    uint8_t *from = room > UINT32_MAX ? NULL : leat_realloc(rows->from, room);
    if (!from)
        return fail(rows);
    rows->from = from;
    rows->row = from + row;
    rows->at = from + len;
    rows->end = from + room;
    return true;
}

/* Gives what lies before the open row to `out`; a shared block keeps its other references. */
static leat_rc seal(struct row_binary *rows, struct leat_chain *out)
{
    uint32_t len = (uint32_t)(rows->row - rows->from);
    if (len == 0)
        return LEAT_OK;
    leat_rc rc = leat_chain_share(out, (struct leat_slice){rows->from, len, rows->mem});
    if (rc == LEAT_OK)
        rows->from = rows->row;
    return rc;
}

/* Room for `need` bytes at least. Columns share pages: there are many of them, each begins small. */
static struct leat_mem *block_new(struct row_binary *rows, size_t need, uint8_t **ret_at, size_t *ret_size)
{
    struct leat_mem *mem;
    if (rows->column && need <= LEAT_SMALL_BYTES_MAX) {
        rows->block = rows->block ? rows->block * 4 : COLUMN_BYTES_MIN;
        rows->block = rows->block > LEAT_SMALL_BYTES_MAX ? LEAT_SMALL_BYTES_MAX : rows->block;
        *ret_size = need > rows->block ? need : rows->block;
        return leat_pool_small(leat_pool_here(), (uint32_t)*ret_size, ret_at);
    }
    mem = leat_mem_new(need > BLOCK_BYTES ? (uint32_t)need : BLOCK_BYTES);
    if (mem) {
        *ret_at = mem->at;
        *ret_size = mem->size;
    }
    return mem;
}

/* Once failed there is no room, so that every put comes by here. */
bool row_binary_grow(struct row_binary *rows, size_t more)
{
    if (rows->failed)
        return false;
    if (rows->kept)
        return grow_kept(rows, more);
    size_t open = (size_t)(rows->at - rows->row), need = 2 * (open + more);
    if (rows->column && open + more <= LEAT_SMALL_BYTES_MAX && need > LEAT_SMALL_BYTES_MAX)
        need = LEAT_SMALL_BYTES_MAX; /* else each column would have a page for itself */
    if (need > UINT32_MAX || seal(rows, &rows->sealed) != LEAT_OK)
        return fail(rows);
    uint8_t *at;
    size_t size;
    struct leat_mem *mem = block_new(rows, need, &at, &size);
    if (!mem)
        return fail(rows);
    if (open)
        memcpy(at, rows->row, open);
    leat_mem_unref(rows->mem);
    rows->mem = mem;
    rows->from = rows->row = at;
    rows->at = at + open;
    rows->end = at + size;
    return true;
}

leat_rc row_binary_take(struct row_binary *rows, struct leat_chain *out)
{
    leat_rc rc = rows->failed ? LEAT_ENOMEM : LEAT_OK;
    uint32_t len = (uint32_t)(rows->at - rows->from);
    row_binary_row(rows);
    if (rc == LEAT_OK && !rows->column && rows->sealed.count == 0 && len <= SMALL_BYTES)
        rc = leat_chain_copy(out, rows->from, len);
    else if (rc == LEAT_OK && (rc = seal(rows, &rows->sealed)) == LEAT_OK)
        rc = leat_chain_append(out, &rows->sealed);
    row_binary_clear(rows);
    return rc;
}

void row_binary_repeat(struct row_binary *rows, const struct row_binary *what, uint32_t times)
{
    size_t len = (size_t)(what->at - what->from);
    rows->offsets |= what->offsets;
    if (what->offsets)
        for (; times; times--) {
            row_binary_row(rows);
            row_binary_count(rows, what->total);
        }
    while (times && len && !rows->failed) {
        uint32_t few = len < REPEAT_BYTES ? (uint32_t)(REPEAT_BYTES / len) : 1;
        few = few < times ? few : times;
        size_t all = few * len, done = len;
        row_binary_row(rows);
        if (!row_binary_room(rows, all))
            return;
        memcpy(rows->at, what->from, len);
        for (size_t more; done < all; done += more) {
            more = done < all - done ? done : all - done;
            memcpy(rows->at + done, rows->at, more);
        }
        rows->at += all;
        times -= few;
    }
}

void row_binary_hex(struct row_binary *rows, struct leat_slice id)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t any = 0;
    if (!row_binary_room(rows, 2u * id.len + 5u))
        return;
    for (uint32_t i = 0; i < id.len; i++)
        any |= id.at[i];
    if (!any)
        id.len = 0;
    uint8_t *at = pb_put_varint(rows->at, 2ull * id.len);
    for (uint32_t i = 0; i < id.len; i++) {
        *at++ = (uint8_t)digits[id.at[i] >> 4];
        *at++ = (uint8_t)digits[id.at[i] & 15];
    }
    rows->at = at;
}

void row_binary_decimal(struct row_binary *rows, int64_t value)
{
    char digits[20], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    row_binary_string(rows, leat_slice_of(at, (uint32_t)(digits + sizeof digits - at)));
}
