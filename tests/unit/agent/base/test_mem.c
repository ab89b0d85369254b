/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/kit.h"

/* Scenario:   a budget of three pages; a fourth is asked for, then one given back.
 * Guarantees: the hard limit refuses and counts, and room given back can be had again. */
LEAT_TEST(budget_refuses_above_the_hard_limit_and_recovers)
{
    struct leat_budget budget = {.soft_bytes = LEAT_PAGE_BYTES, .hard_bytes = 3ull * LEAT_PAGE_BYTES};
    struct leat_pool *pool;
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    struct leat_mem *page[3];
    for (int i = 0; i < 3; i++)
        EXPECT((page[i] = leat_mem_new(LEAT_PAGE_BYTES - 4096)) != NULL);
    EXPECT(leat_budget_above_soft(&budget));
    EXPECT(leat_mem_new(LEAT_PAGE_BYTES - 4096) == NULL);
    EXPECT_EQ(budget.refused, 1);
    page[0] = leat_mem_unref(page[0]);
    EXPECT((page[0] = leat_mem_new(LEAT_PAGE_BYTES - 4096)) != NULL);
    for (int i = 0; i < 3; i++)
        leat_mem_unref(page[i]);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_close(pool);
    leat_pool_bind(NULL);
    EXPECT_EQ(budget.used_bytes, 0);
}

/* Guarantees: an idle shard pins no page for reading: the page is reused while nobody holds it. */
LEAT_TEST(read_page_is_reused_when_nobody_holds_it)
{
    struct leat_pool *pool = leat_pool_here();
    struct leat_room first, second;
    EXPECT_OK(leat_pool_read_room(pool, 4096, &first));
    leat_mem_unref(leat_pool_read_take(pool, &first, 4096));
    EXPECT_OK(leat_pool_read_room(pool, 4096, &second));
    EXPECT(first.at == second.at);
}
