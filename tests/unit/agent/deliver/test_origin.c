/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/rig.h"

/* What encode was told, by item id: the load's token and the item's place in it. */
static struct {
    uint64_t token;
    uint32_t place, times;
} told[64];
static struct leat_codec toy;
static uint32_t contradictions;

static leat_rc encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct toy_item items[64];
    uint32_t count = toy_items(&batch->payload, items, 64);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = items[i].id, place = leat_origin_item(&out->origin, i);
        contradictions += told[id].times && (told[id].token != out->origin.token || told[id].place != place);
        told[id].token = out->origin.token;
        told[id].place = place;
        told[id].times++;
    }
    return toy.encode(state, batch, out, reterr);
}

static void put(struct rig *rig, uint16_t id, uint32_t count)
{
    struct leat_batch *batch = toy_batch(&toy_form, id, count, 8);
    EXPECT(batch);
    EXPECT_OK(rig_put_batch(rig, batch));
    EXPECT(rig_settle(rig, 120 * RIG_S));
}

/* Scenario:   a load is split, then some of its items go again twice; another load follows.
 * Guarantees: an item keeps its name through all of it, and no two items have the same. */
LEAT_TEST(items_keep_their_names)
{
    static const struct kit_step steps[] = {{KIT_REPLY, 413, 0, 0, 0, NULL},  {KIT_REPLY, 207, 0, 0, 0, "ada"},
                                            {KIT_REPLY, 207, 0, 0, 0, "aaa"}, {KIT_REPLY, 207, 0, 0, 0, "da"},
                                            {KIT_REPLY, 200, 0, 0, 0, NULL},  {KIT_REPLY, 200, 0, 0, 0, NULL}};
    struct rig *rig = rig_new();
    struct leat_codec codec = toy = kit_codec(&rig->codec);
    codec.encode = encode;
    rig->foreign = &codec;
    EXPECT_OK(rig_open(rig));
    rig->carrier.steps = steps;
    rig->carrier.step_count = sizeof steps / sizeof *steps;
    put(rig, 0, 6);
    put(rig, 6, 2);
    EXPECT_EQ(rig_delivered(rig), 8);
    EXPECT_EQ(contradictions, 0);
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT(told[i].times >= (i < 6 ? 2 : 1));
        for (uint32_t k = 0; k < i; k++)
            EXPECT(told[i].token != told[k].token || told[i].place != told[k].place);
    }
    EXPECT(told[0].token == told[5].token && told[6].token != told[0].token);
    rig_close(rig);
}
