/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/rig.h"

#define BODY_BYTES 200000u
#define BUDGET_BYTES (1u << 20)

static struct leat_codec toy;
static uint32_t items_max, body_bytes; /* of more items than that there is no memory for all, and so much was made */

static leat_rc encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    static const uint8_t bytes[BODY_BYTES];
    if (batch->item_count <= items_max)
        return toy.encode(state, batch, out, reterr);
    struct leat_request *request = leat_requests_add(out);
    if (request && leat_chain_copy(&request->body, bytes, body_bytes) != LEAT_OK)
        return LEAT_ENOMEM;
    return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory");
}

/* A batch that becomes more than memory holds, and one that does not; true when all has arrived by then. */
static bool arrives_within(uint64_t ns, uint32_t bytes)
{
    struct rig *rig = rig_new();
    struct leat_codec codec = toy = kit_codec(&rig->codec);
    items_max = 2;
    body_bytes = bytes;
    codec.encode = encode;
    rig->foreign = &codec;
    EXPECT_OK(rig_open(rig));
    rig->carrier.opaque = false;
    EXPECT_OK(rig_put(rig, 13, 10));
    EXPECT_OK(rig_put(rig, 2, 10));
    bool arrived = rig_settle(rig, ns);
    items_max = UINT32_MAX;
    EXPECT(arrived || rig_settle(rig, 60 * RIG_S));
    for (uint32_t i = 0; arrived && i < rig->carrier.sent_count; i++)
        EXPECT(rig->carrier.sent[i].items <= 2);
    for (uint32_t i = 0; i < 15; i++)
        EXPECT_EQ(rig->carrier.taken[i], 1);
    EXPECT_EQ(rig_delivered(rig), 15);
    rig_close(rig);
    return arrived;
}

/* Scenario:   thirteen items become more than memory holds; of two there is enough.
 * Guarantees: they leave in parts, each once: soon when they took much of the budget, later when it may have been want of
 *             memory elsewhere. */
LEAT_TEST(what_outgrows_memory_leaves_in_parts)
{
    struct leat_budget budget = {.hard_bytes = BUDGET_BYTES};
    struct leat_pool *pool, *before = leat_pool_here();
    EXPECT(!arrives_within(2 * RIG_S, 0));
    EXPECT(arrives_within(20 * RIG_S, 0));
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    EXPECT(arrives_within(RIG_S, BODY_BYTES));
    EXPECT(!arrives_within(2 * RIG_S, 100)); /* so little is no reason */
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(before);
    leat_pool_close(pool);
}
