/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/gather.h"
#include "tests/kit/kit.h"

static char text[40000];

static leat_rc put(struct leat_gather *gather, struct leat_chain *chain, uint32_t at, uint32_t len, bool ends_known)
{
    uint64_t more = ends_known ? sizeof text - at - len : UINT64_MAX;
    return leat_gather_put(gather, chain, leat_slice_of(text + at, len), more);
}

static leat_rc gather_all(uint32_t step, bool ends_known, struct leat_chain *chain)
{
    struct leat_gather gather = {0};
    leat_rc rc = LEAT_OK;
    for (uint32_t at = 0; rc == LEAT_OK && at < sizeof text; at += step)
        rc = put(&gather, chain, at, at + step < sizeof text ? step : (uint32_t)sizeof text - at, ends_known);
    leat_gather_done(&gather);
    return rc;
}

/* Scenario:   a message in pieces of 1 to 2000 bytes, its length known or not.
 * Guarantees: a few slices hold it, in order; every byte of it is counted as copied; no block is left. */
LEAT_TEST(gather_lays_pieces_side_by_side)
{
    for (uint32_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 >> 3);
    for (int known = 0; known < 2; known++)
        for (uint32_t step = 1; step <= 2000; step = step * 3 + 1) {
            struct leat_chain chain = {0}, whole = kit_chain(text, sizeof text, 0);
            uint64_t before = leat_copied_bytes();
            EXPECT_OK(gather_all(step, known, &chain));
            EXPECT_EQ(leat_copied_bytes() - before, sizeof text);
            EXPECT(leat_chain_eq(&chain, &whole));
            EXPECT(chain.count <= 10);
            leat_chain_done(&chain);
            leat_chain_done(&whole);
            EXPECT_EQ(leat_pool_blocks_out(leat_pool_here()), 0);
        }
}

/* Scenario:   two messages trickle in by turns.
 * Guarantees: neither costs the other a slice. */
LEAT_TEST(gather_is_not_cut_by_its_neighbours)
{
    struct leat_gather gathers[2] = {{0}, {0}};
    struct leat_chain chains[2] = {{0}, {0}};
    for (uint32_t at = 0; at < 10000; at++)
        for (int i = 0; i < 2; i++)
            EXPECT_OK(put(&gathers[i], &chains[i], at, 1, false));
    for (int i = 0; i < 2; i++) {
        EXPECT(chains[i].count <= 6);
        leat_gather_done(&gathers[i]);
        leat_chain_done(&chains[i]);
    }
}

/* Guarantees: each allocation may fail; the chain stays a beginning of the message, and nothing leaks. */
LEAT_TEST_OOM(gather_survives_any_failed_allocation)
{
    struct leat_chain chain = {0};
    leat_rc rc = gather_all(777, true, &chain);
    EXPECT(rc != LEAT_OK || chain.bytes == sizeof text);
    leat_chain_done(&chain);
    return rc;
}
