/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "proto/remote_write/rw2_put.h"

static bool is(const struct rw2_symbols *symbols, uint32_t index, struct leat_slice text)
{
    const struct rw2_symbol *symbol = &symbols->at[index];
    return symbol->len == text.len && (text.len == 0 || memcmp(symbols->text.at + symbol->at, text.at, text.len) == 0);
}

static uint64_t hash_of(struct leat_slice text) { return XXH3_64bits(text.at, text.len); }

static struct leat_slice text_of(const struct rw2_symbols *symbols, uint32_t index)
{
    return leat_slice_of(symbols->text.at + symbols->at[index].at, symbols->at[index].len);
}

static bool grow(struct rw2_symbols *symbols)
{
    uint32_t room = symbols->room ? symbols->room * 2 : 512;
    struct rw2_symbol *at = leat_realloc(symbols->at, room * sizeof *at);
    if (!at)
        return false;
    symbols->at = at;
    uint32_t *table = leat_zalloc((size_t)room * 2, sizeof *table);
    if (!table)
        return false;
    leat_free(symbols->table);
    symbols->room = room;
    symbols->table = table;
    symbols->table_size = room * 2;
    for (uint32_t i = 0; i < symbols->count; i++) {
        uint64_t slot = hash_of(text_of(symbols, i)) & (symbols->table_size - 1);
        while (table[slot])
            slot = (slot + 1) & (symbols->table_size - 1);
        table[slot] = i + 1;
    }
    return true;
}

uint32_t rw2_symbol(struct rw2_symbols *symbols, struct leat_slice text)
{
    if (symbols->count == symbols->room && !grow(symbols))
        return UINT32_MAX;
    uint64_t slot = hash_of(text) & (symbols->table_size - 1);
    for (; symbols->table[slot]; slot = (slot + 1) & (symbols->table_size - 1))
        if (is(symbols, symbols->table[slot] - 1, text))
            return symbols->table[slot] - 1;
    uint32_t at = (uint32_t)symbols->text.len;
    pb_buf_raw(&symbols->text, text.at, text.len);
    if (symbols->text.failed)
        return UINT32_MAX;
    symbols->at[symbols->count] = (struct rw2_symbol){.at = at, .len = text.len};
    symbols->table[slot] = ++symbols->count;
    return symbols->count - 1;
}

void rw2_symbols_clear(struct rw2_symbols *symbols)
{
    symbols->text.len = 0;
    symbols->text.failed = false;
    symbols->count = 0;
    if (symbols->table)
        memset(symbols->table, 0, symbols->table_size * sizeof *symbols->table);
}

void rw2_symbols_done(struct rw2_symbols *symbols)
{
    pb_buf_done(&symbols->text);
    leat_free(symbols->at);
    leat_free(symbols->table);
    *symbols = (struct rw2_symbols){0};
}
