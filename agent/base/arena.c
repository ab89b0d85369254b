/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"

#define BLOCK_BYTES 8192u
#define ALIGN 16u

struct leat_arena_block {
    struct leat_arena_block *next;
    size_t used, room;
    _Alignas(ALIGN) uint8_t at[];
};

static struct leat_arena_block *block_for(struct leat_arena *arena, size_t size)
{
    struct leat_arena_block *block = arena->blocks;
    if (block && block->room - block->used >= size)
        return block;
    size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    block = leat_zalloc(1, sizeof *block + room);
    if (!block)
        return NULL;
    block->room = room;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *leat_arena_get(struct leat_arena *arena, size_t size)
{
    struct leat_arena_block *block = NULL;
    bool fits = size <= SIZE_MAX / 2 && (arena->bytes_max == 0 || size <= arena->bytes_max - arena->bytes);
    size = (size + (size == 0) + ALIGN - 1) / ALIGN * ALIGN;
    if (!arena->failed && fits)
        block = block_for(arena, size);
    if (!block) {
        arena->failed = true;
        return NULL;
    }
    void *at = block->at + block->used;
    block->used += size;
    arena->bytes += size;
    if (arena->bytes_max && arena->bytes > arena->bytes_max) /* rounding up may pass it by a few bytes */
        arena->bytes = arena->bytes_max;
    return at;
}

void *leat_arena_array(struct leat_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->failed = true;
        return NULL;
    }
    return leat_arena_get(arena, bytes);
}

void *leat_arena_grow(struct leat_arena *arena, const void *at, size_t count, size_t room, size_t size)
{
    void *larger = leat_arena_array(arena, room, size);
    if (larger && count)
        memcpy(larger, at, count * size);
    return larger;
}

char *leat_arena_str(struct leat_arena *arena, const char *at, size_t len)
{
    char *copy = leat_arena_get(arena, len + 1);
    if (copy && len)
        memcpy(copy, at, len);
    return copy;
}

char *leat_arena_printf(struct leat_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : leat_arena_get(arena, (size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

void leat_arena_done(struct leat_arena *arena)
{
    for (struct leat_arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        leat_free(block);
    }
    *arena = (struct leat_arena){.bytes_max = arena->bytes_max};
}
