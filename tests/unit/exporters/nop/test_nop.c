/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/nop/nop.h"
#include "tests/kit/kit.h"

/* Scenario:   a batch of 7 goes through encode and judge, each allocation failing in turn.
 * Guarantees: one request covers all items, and it is delivered. */
LEAT_TEST_OOM(nop_delivers_everything)
{
    struct nop_state state = {0};
    struct leat_batch batch = {.signal = LEAT_METRICS, .item_count = 7};
    struct leat_requests out = {0};
    struct leat_verdict verdict = {0};
    EXPECT_OK(nop_open(&state, &(struct leat_exporter_conf){.id = "nop"}, LEAT_METRICS, leat_world_real(), NULL));
    leat_rc rc = nop_encode(&state, &batch, &out, NULL);
    if (rc == LEAT_OK) {
        EXPECT_EQ(out.count, 1);
        EXPECT_EQ(out.at[0].count, 7);
        EXPECT_OK(nop_judge(&state, &(struct leat_reply){.request = &out.at[0]}, &verdict, NULL));
        EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
    }
    leat_requests_done(&out);
    nop_close(&state);
    return rc;
}
