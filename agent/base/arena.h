/* SPDX-License-Identifier: Apache-2.0 */
/* arena -- many small pieces that die together: zeroed bytes, 16-aligned, freed all at once.
 *
 * Why      a decoded configuration is hundreds of strings and structs with one lifetime.
 * Threads  one at a time.
 * Owns     every piece it gave, until leat_arena_done. {0} is an empty arena.
 * Limits   `bytes_max` (0: none) over all pieces together.
 * Fails    NULL, and `failed` stays set: make twelve pieces, look once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "agent/base/rc.h"

struct leat_arena_block;

struct leat_arena {
    struct leat_arena_block *blocks; /* the newest first */
    size_t bytes, bytes_max;
    bool failed;
};

void *leat_arena_get(struct leat_arena *arena, size_t size) LEAT_MUST_CHECK; /* zeroed */
void *leat_arena_array(struct leat_arena *arena, size_t count, size_t size) LEAT_MUST_CHECK;
/* A larger zero-filled copy of an array; the old one stays until the end. Grow by doubling. */
void *leat_arena_grow(struct leat_arena *arena, const void *at, size_t count, size_t room, size_t size) LEAT_MUST_CHECK;
char *leat_arena_str(struct leat_arena *arena, const char *at, size_t len) LEAT_MUST_CHECK; /* NUL-terminated copy */
char *leat_arena_printf(struct leat_arena *arena, const char *fmt, ...) LEAT_PRINTF(2, 3) LEAT_MUST_CHECK;
void leat_arena_done(struct leat_arena *arena); /* then {0} with the same bytes_max */
