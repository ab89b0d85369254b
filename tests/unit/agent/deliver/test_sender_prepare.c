/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/rig.h"

/* Two requests without items: a table each. */
static leat_rc two_tables(void *state, struct leat_requests *out, struct leat_err *reterr)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct leat_request *request = leat_requests_add(out);
        if (!request)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory");
        request->tag = 100 + i;
    }
    return LEAT_OK;
}

static struct rig *preparing_rig(struct leat_codec *codec)
{
    struct rig *rig = rig_new();
    *codec = kit_codec(&rig->codec);
    codec->prepare = two_tables;
    rig->foreign = codec;
    return rig;
}

/* Scenario:   the destination refuses the second preparation, then cannot be reached, then takes all.
 * Guarantees: after a failure all is prepared anew, in order; no batch is sent before; then the queue flows. */
LEAT_TEST(sender_sends_nothing_before_the_destination_is_prepared)
{
    static const struct kit_step steps[] = {{KIT_REPLY, 200, 0, 0, 0, NULL}, {KIT_REPLY, 503, 0, 0, 0, NULL},
                                            {KIT_ERR, 0, LEAT_ENET, 0, 0, NULL}, {KIT_REPLY, 200, 0, 0, 0, NULL}};
    struct leat_codec codec;
    struct rig *rig = preparing_rig(&codec);
    EXPECT_OK(rig_open(rig));
    rig->carrier.steps = steps;
    rig->carrier.step_count = 4;
    EXPECT_OK(rig_put(rig, 3, 10));
    rig_run(rig, RIG_S);
    EXPECT_EQ(rig->carrier.sent_count, 2);
    EXPECT_EQ(rig_delivered(rig), 0);
    rig_run(rig, 20 * RIG_S);
    static const uint32_t items[] = {0, 0, 0, 0, 0, 3};
    EXPECT_EQ(rig->carrier.sent_count, 6);
    for (int i = 0; i < 6; i++)
        EXPECT_EQ(rig->carrier.sent[i].items, items[i]);
    EXPECT_EQ(rig_delivered(rig), 3);
    rig_close(rig);
}

/* Scenario:   a stop comes while the destination refuses to be prepared, and the deadline passes.
 * Guarantees: what waited is dropped{shutdown}, the drain ends, nothing leaks. */
LEAT_TEST(sender_can_be_abandoned_while_it_prepares)
{
    static const enum kit_step_kind kinds[] = {KIT_NEVER, KIT_ERR};
    for (int i = 0; i < 2; i++) {
        struct leat_codec codec;
        struct rig *rig = preparing_rig(&codec);
        EXPECT_OK(rig_open(rig));
        rig->carrier.otherwise = (struct kit_step){.kind = kinds[i], .err = LEAT_ENET};
        EXPECT_OK(rig_put(rig, 3, 10));
        rig_run(rig, RIG_S);
        rig_drain(rig);
        rig_run(rig, RIG_S);
        EXPECT(!rig->drained);
        leat_sender_abandon(rig->sender);
        rig_run(rig, RIG_S);
        EXPECT(rig->drained);
        EXPECT_EQ(rig_dropped(rig, LEAT_DROP_SHUTDOWN), 3);
        rig_close(rig);
    }
}
