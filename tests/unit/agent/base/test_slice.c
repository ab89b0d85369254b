/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/kit.h"

/* Scenario:   a chain cut at every byte is eaten in steps of every size.
 * Guarantees: what is left is always the tail of the whole, and no block stays behind. */
LEAT_TEST(chain_eats_from_the_front_at_any_cut)
{
    static const char text[] = "the quick brown fox";
    const size_t len = sizeof text - 1;
    for (size_t piece = 1; piece <= len; piece++)
        for (size_t eat = 0; eat <= len; eat++) {
            struct leat_chain chain = kit_chain(text, len, piece);
            leat_chain_eat(&chain, eat);
            char left[sizeof text] = {0};
            EXPECT_EQ(leat_chain_put(&chain, left, sizeof left), len - eat);
            EXPECT_STR(left, text + eat);
            leat_chain_done(&chain);
        }
}

/* Scenario:   every range of a chain in pieces of 3 is shared into another.
 * Guarantees: the share has exactly those bytes and outlives the original. */
LEAT_TEST(chain_shares_any_range)
{
    static const char text[] = "0123456789abcdef";
    const size_t len = sizeof text - 1;
    for (size_t from = 0; from <= len; from++)
        for (size_t n = 0; from + n <= len; n++) {
            struct leat_chain whole = kit_chain(text, len, 3), part = {0};
            EXPECT_OK(leat_chain_share_range(&part, &whole, from, n));
            leat_chain_done(&whole);
            struct leat_chain wanted = kit_chain(text + from, n, 0);
            EXPECT(leat_chain_eq(&part, &wanted));
            leat_chain_done(&wanted);
            leat_chain_done(&part);
        }
}

/* Guarantees: bytes read one after the other into a page are one slice again. */
LEAT_TEST(chain_joins_neighbours_of_one_block)
{
    struct leat_pool *pool = leat_pool_here();
    struct leat_chain chain = {0};
    for (int i = 0; i < 3; i++) {
        struct leat_room room;
        EXPECT_OK(leat_pool_read_room(pool, 100, &room));
        memset(room.at, 'x', 100);
        struct leat_mem *mem = leat_pool_read_take(pool, &room, 100);
        EXPECT_OK(leat_chain_take(&chain, (struct leat_slice){room.at, 100, mem}));
    }
    EXPECT_EQ(chain.count, 1);
    EXPECT_EQ(chain.bytes, 300);
    leat_chain_done(&chain);
}

LEAT_TEST_OOM(chain_copy_and_append_survive_any_failed_allocation)
{
    struct leat_chain a = {0}, b = {0};
    leat_rc rc = LEAT_OK;
    for (int i = 0; rc == LEAT_OK && i < 6; i++)
        rc = leat_chain_copy(i % 2 ? &a : &b, "some bytes that are copied", (uint32_t)(20 + i));
    if (rc == LEAT_OK)
        rc = leat_chain_append(&a, &b);
    leat_chain_done(&a);
    leat_chain_done(&b);
    return rc;
}
