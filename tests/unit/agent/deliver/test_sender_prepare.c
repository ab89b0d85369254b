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

static const char *columns = "old";

/* Tables that are there or not, and have columns; 404 and 401 to what does not fit. */
static void table(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    const char **there = carrier->ctx;
    bool creates = parcel->request->count == 0, fits = *there && strcmp(*there, "new") == 0;
    if (creates && !*there)
        *there = "new";
    *step = (struct kit_step){.kind = KIT_REPLY, .status = creates || fits ? 200 : 401};
    if (!creates && fits && parcel->request->tag != 7)
        step->status = 401; /* written for the old columns */
}

static struct leat_codec toy;
static leat_rc encode_for_columns(void *state, const struct leat_batch *batch, struct leat_requests *out,
                                  struct leat_err *reterr)
{
    leat_rc rc = toy.encode(state, batch, out, reterr);
    for (uint32_t i = 0; rc == LEAT_OK && i < out->count; i++)
        out->at[i].tag = strcmp(columns, "new") == 0 ? 7 : 0;
    return rc;
}

static leat_rc learn(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    if (reply->request->count == 0)
        columns = "new";
    return toy.judge(state, reply, out, reterr);
}

/* Scenario:   while the sender runs, a table is dropped (keyed and unkeyed requests, several under way).
 * Guarantees: before a probe it is made again, what waited is written for it anew, and nothing is lost or doubled. */
LEAT_TEST(sender_prepares_again_what_is_gone)
{
    for (uint32_t keys = 0; keys < 3; keys++) {
        struct leat_codec codec;
        const char *there = "old";
        struct rig *rig = preparing_rig(&codec);
        toy = kit_codec(&rig->codec);
        codec.encode = encode_for_columns;
        codec.judge = learn;
        rig->codec.order_keys = keys;
        rig->codec.items_per_request = 2;
        EXPECT_OK(rig_open(rig));
        rig->carrier.opaque = false;
        EXPECT_OK(rig_put(rig, 1, 10));
        EXPECT(rig_settle(rig, RIG_S));
        columns = "old"; /* as it was learnt at the start */
        there = NULL;
        rig->carrier.decide = table;
        rig->carrier.ctx = &there;
        for (int i = 0; i < 4; i++)
            EXPECT_OK(rig_put(rig, 5, 10));
        rig_run(rig, RIG_S);
        EXPECT_EQ(rig_delivered(rig), 1);
        EXPECT(rig_settle(rig, 60 * RIG_S));
        for (uint32_t i = 0; i < 21; i++)
            EXPECT_EQ(rig->carrier.taken[i], 1);
        EXPECT_EQ(rig->carrier.key_clashes, 0);
        rig_close(rig);
    }
}

static bool gone;

/* What is not there drops its rows, and asks to be prepared. */
static leat_rc drop_and_prepare(void *state, const struct leat_reply *reply, struct leat_verdict *out,
                                struct leat_err *reterr)
{
    if (reply->request->count == 0)
        gone = false;
    if (!gone)
        return toy.judge(state, reply, out, reterr);
    out->prepare_again = true;
    return leat_verdict_drop(out, false, "gone");
}

/* Scenario:   a table is dropped twice while the sender runs; its judge drops what was sent, and says prepare_again.
 * Guarantees: only what was sent is lost; before the next batch all is prepared again, once each time. */
LEAT_TEST(sender_prepares_again_after_a_drop_that_asks_for_it)
{
    struct leat_codec codec;
    struct rig *rig = preparing_rig(&codec);
    toy = kit_codec(&rig->codec);
    codec.judge = drop_and_prepare;
    gone = false;
    EXPECT_OK(rig_open(rig));
    for (uint32_t i = 0; i < 6; i++) {
        gone = i == 1 || i == 3;
        EXPECT_OK(rig_put(rig, 2, 10));
        EXPECT(rig_settle(rig, RIG_S));
    }
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 4);
    EXPECT_EQ(rig_delivered(rig), 8);
    EXPECT_EQ(rig->carrier.sent_count, 6 + 3 * 2);
    static const uint32_t items[] = {0, 0, 2, 2, 0, 0, 2, 2, 0, 0, 2, 2};
    for (int i = 0; i < 12; i++)
        EXPECT_EQ(rig->carrier.sent[i].items, items[i]);
    rig_close(rig);
}
