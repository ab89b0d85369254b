/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_heap.h"
#include "tests/kit/kit.h"

/* Scenario:   a session asks for more than the shard's budget has left, then ends.
 * Guarantees: what nghttp2 holds is charged in steps, refused at the hard limit, and all given back. */
LEAT_TEST(h2_heap_is_charged_to_the_budget)
{
    struct leat_budget budget = {.hard_bytes = 2 * LEAT_H2_HEAP_STEP};
    struct leat_pool *pool;
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    struct leat_h2_heap heap;
    leat_h2__heap_init(&heap);
    nghttp2_mem mem = leat_h2__heap_mem(&heap);
    void *first = mem.malloc(100, mem.mem_user_data);
    EXPECT(first != NULL);
    EXPECT_EQ(budget.used_bytes, LEAT_H2_HEAP_STEP);
    EXPECT(mem.malloc(LEAT_H2_HEAP_STEP, mem.mem_user_data) != NULL);
    EXPECT_EQ(budget.used_bytes, 2 * LEAT_H2_HEAP_STEP);
    EXPECT(mem.malloc(LEAT_H2_HEAP_STEP, mem.mem_user_data) == NULL);
    EXPECT(heap.failed);
    EXPECT_EQ(budget.refused, 1);
    mem.free(first, mem.mem_user_data);
    leat_h2__heap_done(&heap);
    EXPECT_EQ(budget.used_bytes, 0);
    leat_pool_bind(NULL);
    leat_pool_close(pool);
}
