/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/ack.h"

#include "agent/pipe/batch.h"
#include "agent/pipe/ledger.h"
#include "tests/kit/kit.h"
#include "tests/kit/toy_form.h"

static uint32_t finals;

static void heard(struct leat_ack *ack)
{
    EXPECT_EQ(ack->open, 0);
    finals++;
}

/* Scenario: a batch shared by three branches with different ends. Guarantees: final once, after the last, with the
 * sums. */
LEAT_TEST(an_ack_ends_once_with_the_last_part)
{
    struct leat_ack ack;
    finals = 0;
    leat_ack_init(&ack, heard);
    struct leat_batch *batch = toy_batch(&toy_form, 0, 5, 8);
    batch->ack = &ack;
    leat_ack_split(&ack, 2);
    struct leat_batch *second = leat_batch_share(batch), *third = leat_batch_share(batch);
    leat_batch_end(batch, LEAT_DELIVERED, 0);
    leat_batch_end(second, LEAT_PERSISTED, 0);
    EXPECT_EQ(finals, 0);
    leat_batch_end(third, LEAT_DROPPED, LEAT_DROP_FILTERED);
    EXPECT_EQ(finals, 1);
    EXPECT_EQ(ack.delivered, 5);
    EXPECT_EQ(ack.persisted, 5);
    EXPECT_EQ(ack.dropped[LEAT_DROP_FILTERED], 5);
    EXPECT_EQ(leat_ack_dropped(&ack), 5);
}

/* Scenario: a source that does not wait. Guarantees: every function takes NULL. */
LEAT_TEST(no_ack_is_fine)
{
    leat_ack_split(NULL, 3);
    leat_ack_settle(NULL, LEAT_DROPPED, LEAT_DROP_MEMORY, 3);
    leat_ack_close(NULL);
    leat_batch_end(toy_batch(&toy_form, 0, 1, 8), LEAT_DELIVERED, 0);
}

/* Scenario: items come, go out, are dropped for each reason. Guarantees: in = out + held + dropped at each step. */
LEAT_TEST(a_ledger_balances_at_every_step)
{
    struct leat_ledger ledger = {0};
    leat_ledger_in(&ledger, 100, 1000);
    EXPECT(leat_ledger_balances(&ledger));
    leat_ledger_out(&ledger, 30, 300);
    EXPECT(leat_ledger_balances(&ledger));
    for (int reason = 0; reason < LEAT_DROP_COUNT; reason++) {
        leat_ledger_drop(&ledger, (enum leat_drop)reason, 2);
        EXPECT(leat_ledger_balances(&ledger));
        EXPECT(strlen(leat_drop_label((enum leat_drop)reason)) > 0);
    }
    EXPECT_EQ(ledger.held, 100 - 30 - 2 * LEAT_DROP_COUNT);
    EXPECT_EQ(leat_ledger_dropped(&ledger), 2 * LEAT_DROP_COUNT);
    ledger.out++;
    EXPECT(!leat_ledger_balances(&ledger));
}

/* Scenario: metadata copied, looked up, compared, shared; each allocation fails in turn. */
LEAT_TEST_OOM(meta_is_a_value)
{
    static const struct leat_meta_pair pairs[] = {{"tenant", "a"}, {"x", ""}}, others[] = {{"tenant", "b"}, {"x", ""}};
    struct leat_meta *a = leat_meta_new(pairs, 2), *b = leat_meta_new(pairs, 2), *c = leat_meta_new(others, 2);
    leat_rc rc = a && b && c ? LEAT_OK : LEAT_ENOMEM;
    if (rc == LEAT_OK) {
        EXPECT_STR(leat_meta_get(a, "tenant"), "a");
        EXPECT_STR(leat_meta_get(a, "x"), "");
        EXPECT(!leat_meta_get(a, "y") && !leat_meta_get(NULL, "x"));
        EXPECT(leat_meta_eq(a, b) && !leat_meta_eq(a, c) && !leat_meta_eq(a, NULL) && leat_meta_eq(NULL, NULL));
        EXPECT(leat_meta_ref(a) == a);
        leat_meta_unref(a);
    }
    leat_meta_unref(a);
    leat_meta_unref(b);
    leat_meta_unref(c);
    return rc;
}
