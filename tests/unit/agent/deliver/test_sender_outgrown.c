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

/* ---- one item for which there is never memory ---- */

#define MONSTER_ID 5u

static bool monster_fits;
static uint32_t monster_tries;

static leat_rc encode_monster(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    static struct toy_item items[512];
    uint32_t count = toy_items(&batch->payload, items, 512);
    for (uint32_t i = 0; i < count && !monster_fits; i++)
        if (items[i].id == MONSTER_ID) {
            monster_tries++;
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory");
        }
    return toy.encode(state, batch, out, reterr);
}

static struct rig *rig_with_monster(struct leat_codec *codec, uint32_t order_keys)
{
    struct rig *rig = rig_new();
    *codec = toy = kit_codec(&rig->codec);
    codec->encode = encode_monster;
    rig->foreign = codec;
    rig->codec.order_keys = order_keys;
    monster_fits = false;
    monster_tries = 0;
    EXPECT_OK(rig_open(rig));
    rig->carrier.opaque = false;
    return rig;
}

/* Scenario:   one item's encoding is more than memory will ever hold; others go on before, beside and after it, with and
 *             without order keys.
 * Guarantees: it alone is dropped, for that reason, and nothing waits for it longer. */
LEAT_TEST(an_item_that_never_fits_is_given_up)
{
    struct leat_budget budget = {.hard_bytes = BUDGET_BYTES};
    struct leat_pool *pool, *before = leat_pool_here();
    EXPECT_OK(leat_pool_open(&budget, &pool));
    for (uint32_t way = 0; way < 4; way++) {
        struct leat_codec codec;
        leat_pool_bind(way & 1 ? pool : before);
        struct rig *rig = rig_with_monster(&codec, way / 2);
        rig->carrier.otherwise.delay_ns = RIG_S; /* there is always something under way */
        for (int i = 0; i < 30; i++) {
            EXPECT_OK(rig_put(rig, 3, 8));
            rig_run(rig, RIG_S / 2);
        }
        EXPECT_EQ(rig_dropped(rig, LEAT_DROP_MEMORY), 1); /* while the others still come */
        EXPECT(rig_settle(rig, 60 * RIG_S));
        EXPECT_EQ(rig_dropped(rig, LEAT_DROP_MEMORY), 1);
        EXPECT_EQ(rig_delivered(rig), 89);
        EXPECT_EQ(rig->carrier.taken[MONSTER_ID], 0);
        EXPECT(monster_tries < 200);
        rig_close(rig);
    }
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(before);
    leat_pool_close(pool);
}

/* Scenario:   memory is what others hold, for a minute.
 * Guarantees: the item waits for it. */
LEAT_TEST(an_item_waits_for_memory_that_others_hold)
{
    struct leat_budget budget = {.hard_bytes = 8 * BUDGET_BYTES};
    struct leat_pool *pool, *before = leat_pool_here();
    struct leat_codec codec;
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    EXPECT(leat_budget_charge(&budget, 15 * BUDGET_BYTES / 2));
    struct rig *rig = rig_with_monster(&codec, 0);
    EXPECT_OK(rig_put(rig, 6, 8));
    EXPECT(!rig_settle(rig, 60 * RIG_S));
    leat_budget_discharge(&budget, 15 * BUDGET_BYTES / 2);
    monster_fits = true;
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_delivered(rig), 6);
    rig_close(rig);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(before);
    leat_pool_close(pool);
}

/* Scenario:   of memory there is no more than what waits in the queue behind the item, in its order.
 * Guarantees: the item does not wait for that. */
LEAT_TEST(an_item_does_not_wait_for_what_waits_behind_it)
{
    struct leat_budget budget = {.hard_bytes = 16ull * LEAT_PAGE_BYTES};
    struct leat_pool *pool, *before = leat_pool_here();
    struct leat_codec codec;
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    struct rig *rig = rig_with_monster(&codec, 1);
    rig->next_id = MONSTER_ID;
    EXPECT_OK(rig_put(rig, 1, 8));
    for (int i = 0; i < 15; i++)
        EXPECT_OK(rig_put(rig, 500, 250));
    EXPECT(budget.used_bytes > budget.hard_bytes / 8 * 7);
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_MEMORY), 1);
    EXPECT_EQ(rig_delivered(rig), 7500);
    rig_close(rig);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(before);
    leat_pool_close(pool);
}

/* ---- bodies that fit once, and not a second time beside it, compressed ---- */

static leat_rc encode_large(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    static uint8_t bytes[10 * LEAT_PAGE_BYTES];
    uint64_t dice = 1;
    leat_rc rc = toy.encode(state, batch, out, reterr);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((dice = dice * 6364136223846793005u + 1442695040888963407u) >> 56);
    leat_chain_done(&out->at[0].body);
    return rc == LEAT_OK ? leat_chain_copy(&out->at[0].body, bytes, sizeof bytes / 4 * batch->item_count) : rc;
}

/* Scenario:   of four items there is memory for the body, but not for a compressed one beside it; of one item the same.
 * Guarantees: what can be sent in parts is; what cannot is dropped for that reason. Nothing is tried for ever. */
LEAT_TEST(what_cannot_be_compressed_for_want_of_memory_ends)
{
    static const uint32_t pages[] = {16, 4};
    struct leat_pool *pool, *before = leat_pool_here();
    for (uint32_t i = 0; i < 2; i++) {
        struct leat_budget budget = {.hard_bytes = (uint64_t)pages[i] * LEAT_PAGE_BYTES};
        EXPECT_OK(leat_pool_open(&budget, &pool));
        leat_pool_bind(pool);
        struct rig *rig = rig_new();
        struct leat_codec codec = toy = kit_codec(&rig->codec);
        codec.encode = encode_large;
        rig->foreign = &codec;
        rig->coding = LEAT_CODING_GZIP;
        EXPECT_OK(rig_open(rig));
        EXPECT_OK(rig_put(rig, i ? 1 : 4, 8));
        EXPECT(rig_settle(rig, 60 * RIG_S));
        EXPECT_EQ(rig_delivered(rig), i ? 0 : 4);
        EXPECT_EQ(rig_dropped(rig, LEAT_DROP_MEMORY), i ? 1 : 0);
        rig_close(rig);
        EXPECT_EQ(leat_pool_blocks_out(pool), 0);
        leat_pool_bind(before);
        leat_pool_close(pool);
    }
}
