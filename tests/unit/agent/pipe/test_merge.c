/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/merge.h"

#include "tests/kit/kit.h"

struct source {
    struct leat_ack ack;
    int finals;
};

static void on_final(struct leat_ack *ack)
{
    ((struct source *)(void *)ack)->finals++;
}

static void sources(struct source *at, int count)
{
    for (int i = 0; i < count; i++) {
        at[i].finals = 0;
        leat_ack_init(&at[i].ack, on_final);
    }
}

static struct leat_ack *merged(struct source *at, uint64_t first, uint64_t silent, uint64_t second)
{
    struct leat_merge *merge = leat_merge_new();
    EXPECT(merge != NULL);
    EXPECT_OK(leat_merge_add(merge, &at[0].ack, first));
    EXPECT_OK(leat_merge_add(merge, NULL, silent));
    EXPECT_OK(leat_merge_add(merge, &at[1].ack, second));
    return &merge->ack;
}

/* Scenario:   a batch of three sources, one of which does not wait, is delivered in two pieces.
 * Guarantees: each waiting source hears its own number as delivered, once, after the last piece. */
LEAT_TEST(delivery_is_told_exactly)
{
    struct source from[2];
    sources(from, 2);
    struct leat_ack *ack = merged(from, 5, 7, 9);
    leat_ack_split(ack, 1);
    leat_ack_settle(ack, LEAT_DELIVERED, 0, 11);
    leat_ack_close(ack);
    EXPECT_EQ(from[0].finals + from[1].finals, 0);
    leat_ack_settle(ack, LEAT_DELIVERED, 0, 10);
    leat_ack_close(ack);
    EXPECT_EQ(from[0].finals, 1);
    EXPECT_EQ(from[1].finals, 1);
    EXPECT_EQ(from[0].ack.delivered, 5);
    EXPECT_EQ(from[1].ack.delivered, 9);
    EXPECT_EQ(leat_ack_dropped(&from[0].ack) + leat_ack_dropped(&from[1].ack), 0);
}

/* Scenario:   all of it is dropped, for two reasons.
 * Guarantees: nobody hears of a delivery, and each source's numbers add up. */
LEAT_TEST(loss_is_told_exactly)
{
    struct source from[2];
    sources(from, 2);
    struct leat_ack *ack = merged(from, 5, 7, 9);
    leat_ack_settle(ack, LEAT_DROPPED, LEAT_DROP_REFUSED, 6);
    leat_ack_settle(ack, LEAT_DROPPED, LEAT_DROP_SHUTDOWN, 15);
    leat_ack_close(ack);
    EXPECT_EQ(from[0].ack.delivered + from[1].ack.delivered, 0);
    EXPECT_EQ(leat_ack_dropped(&from[0].ack), 5);
    EXPECT_EQ(leat_ack_dropped(&from[1].ack), 9);
}

/* Scenario:   six of 21 items are dropped, two are on disk, the rest is delivered.
 * Guarantees: the losses reach those who listen, none is taken for a delivery, every source's numbers add up. */
LEAT_TEST(a_mixed_end_never_hides_a_loss)
{
    struct source from[2];
    sources(from, 2);
    struct leat_ack *ack = merged(from, 5, 7, 9);
    leat_ack_settle(ack, LEAT_DROPPED, LEAT_DROP_REFUSED, 6);
    leat_ack_settle(ack, LEAT_PERSISTED, 0, 2);
    leat_ack_settle(ack, LEAT_DELIVERED, 0, 13);
    leat_ack_close(ack);
    EXPECT_EQ(leat_ack_dropped(&from[0].ack) + leat_ack_dropped(&from[1].ack), 6);
    EXPECT_EQ(from[0].ack.persisted + from[1].ack.persisted, 2);
    EXPECT_EQ(from[0].ack.delivered + from[0].ack.persisted + leat_ack_dropped(&from[0].ack), 5);
    EXPECT_EQ(from[1].ack.delivered + from[1].ack.persisted + leat_ack_dropped(&from[1].ack), 9);
}

/* Scenario:   each allocation fails in turn while twenty parts are joined.
 * Guarantees: a part that could not be added is untouched; those that were hear their end. */
LEAT_TEST_OOM(joining_survives_failed_allocations)
{
    struct source from[20];
    sources(from, 20);
    struct leat_merge *merge = leat_merge_new();
    if (!merge)
        return LEAT_ENOMEM;
    leat_rc rc = LEAT_OK;
    uint64_t joined = 0;
    while (joined < 20 && (rc = leat_merge_add(merge, &from[joined].ack, 1)) == LEAT_OK)
        joined++;
    leat_ack_settle(&merge->ack, LEAT_DELIVERED, 0, joined);
    leat_ack_close(&merge->ack);
    for (uint64_t i = 0; i < 20; i++)
        EXPECT_EQ(from[i].finals, i < joined ? 1 : 0);
    return rc;
}
