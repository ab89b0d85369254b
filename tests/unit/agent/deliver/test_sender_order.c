/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with an order key: one in flight per key, in the order of encode, whatever happens to one of them. */
#include "agent/deliver/sender.h"

#include "tests/kit/rig.h"

static struct rig *opened(void)
{
    struct rig *rig = rig_new();
    EXPECT_OK(rig_open(rig));
    return rig;
}

static void script(struct rig *rig, const struct kit_step *steps, uint32_t count)
{
    rig->carrier.steps = steps;
    rig->carrier.step_count = count;
}
#define SCRIPT(rig, ...)                                   \
    static const struct kit_step steps_[] = {__VA_ARGS__}; \
    script((rig), steps_, sizeof steps_ / sizeof steps_[0])

/* Scenario: requests of few keys, answers out of order, failures. Guarantees: one in flight per key; each key in order.
 */
LEAT_TEST(order_keys_keep_one_in_flight)
{
    struct rig *rig = opened();
    rig->codec.items_per_request = 1;
    rig->codec.order_keys = 3;
    rig->carrier.otherwise.delay_ns = 50 * RIG_MS;
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 200, .delay_ns = RIG_S}, {.kind = KIT_ERR, .err = LEAT_ENET});
    for (int i = 0; i < 8; i++)
        EXPECT_OK(rig_put(rig, 6, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig->carrier.key_clashes, 0);
    uint32_t last[3] = {0};
    for (uint32_t i = 0; i < rig->carrier.sent_count; i++) {
        const struct kit_sent *sent = &rig->carrier.sent[i];
        EXPECT(sent->first_id >= last[sent->order_key - 1]);
        last[sent->order_key - 1] = sent->first_id;
    }
    EXPECT_EQ(rig_delivered(rig), 48);
    rig_close(rig);
}

/* Scenario: of one key's requests the first is too large, the next is to be encoded again, others wait behind.
 * Guarantees: what they become goes in their place; nothing of the key is taken out of order. */
LEAT_TEST(order_keys_hold_through_splits_and_new_encodings)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 1;
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 413, .delay_ns = RIG_S}, {.kind = KIT_REPLY, .status = 413},
           {.kind = KIT_REPLY, .status = 200}, {.kind = KIT_REPLY, .status = 426, .delay_ns = RIG_S});
    for (int i = 0; i < 6; i++)
        EXPECT_OK(rig_put(rig, 8, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig->carrier.key_clashes, 0);
    uint32_t last = 0;
    for (uint32_t i = 0; i < rig->carrier.sent_count; i++) {
        if (rig->carrier.sent[i].status != 200)
            continue;
        EXPECT(rig->carrier.sent[i].first_id >= last);
        last = rig->carrier.sent[i].first_id;
    }
    EXPECT_EQ(rig_delivered(rig), 48);
    rig_close(rig);
}

/* Scenario: a load of one key cannot be encoded for want of memory while newer ones wait in the queue. Guarantees: they wait
 * behind it. */
LEAT_TEST(order_keys_hold_while_there_is_no_memory_to_encode)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 1;
    EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, RIG_S));
    rig->codec.fail_rc = LEAT_ENOMEM;
    rig->codec.fail_encodes = rig->codec.encodes + 2;
    for (int i = 0; i < 4; i++)
        EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig->carrier.sent_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        EXPECT_EQ(rig->carrier.sent[i].first_id, 2 * i);
    rig_close(rig);
}
