/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/arena.h"
#include "tests/kit/kit.h"

/* Scenario:   pieces of many sizes, one larger than a block.
 * Guarantees: each is zeroed, aligned and apart from the others. */
LEAT_TEST(arena_gives_zeroed_aligned_pieces)
{
    struct leat_arena arena = {0};
    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        uint8_t *at = leat_arena_get(&arena, size);
        EXPECT(at != NULL);
        EXPECT_EQ((uintptr_t)at % 16, 0);
        for (size_t i = 0; i < size; i++)
            EXPECT_EQ(at[i], 0);
        memset(at, 0xee, size);
    }
    EXPECT_STR(leat_arena_printf(&arena, "%s:%d", "a", 7), "a:7");
    leat_arena_done(&arena);
    EXPECT(arena.blocks == NULL);
}

/* Scenario:   a limit of 100 bytes.
 * Guarantees: what passes it is refused, and the refusal is remembered. */
LEAT_TEST(arena_keeps_its_limit)
{
    struct leat_arena arena = {.bytes_max = 100};
    EXPECT(leat_arena_get(&arena, 64) != NULL);
    EXPECT(leat_arena_get(&arena, 64) == NULL);
    EXPECT(arena.failed);
    EXPECT(leat_arena_get(&arena, 1) == NULL);
    leat_arena_done(&arena);
    EXPECT(leat_arena_array(&arena, SIZE_MAX / 2, 4) == NULL);
    leat_arena_done(&arena);
}

/* Scenario:   an array grown, a text copied, with each allocation failing in turn.
 * Guarantees: NULL and `failed`, no leak. */
LEAT_TEST_OOM(arena_survives_failed_allocations)
{
    struct leat_arena arena = {0};
    uint32_t *at = leat_arena_array(&arena, 1000, sizeof *at);
    if (at)
        at[999] = 7;
    uint32_t *more = at ? leat_arena_grow(&arena, at, 1000, 4000, sizeof *at) : NULL;
    if (more) {
        EXPECT_EQ(more[999], 7);
        EXPECT_EQ(more[3999], 0);
    }
    char *text = leat_arena_str(&arena, "leat", 2);
    leat_rc rc = arena.failed ? LEAT_ENOMEM : LEAT_OK;
    EXPECT((rc == LEAT_OK) == (at && more && text));
    if (text)
        EXPECT_STR(text, "le");
    leat_arena_done(&arena);
    return rc;
}
