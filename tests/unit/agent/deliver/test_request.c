/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/request.h"

#include <stdio.h>

#include "agent/deliver/conf.h"
#include "tests/kit/kit.h"

/* Scenario: requests, headers, rejects and kept texts, with each allocation failing in turn. Guarantees: what was added
 * stays as it was; all of it is given back. */
LEAT_TEST_OOM(requests_grow_and_end)
{
    struct leat_requests requests = {0};
    struct leat_slice kept[20];
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < 20; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "t%u", i);
        struct leat_request *request = leat_requests_add(&requests);
        rc = request ? leat_requests_keep(&requests, text, (uint32_t)strlen(text), &kept[i]) : LEAT_ENOMEM;
        if (rc == LEAT_OK)
            rc = leat_request_header(request, LEAT_SLICE("name"), kept[i]);
        if (rc == LEAT_OK)
            rc = leat_chain_copy(&request->body, text, (uint32_t)strlen(text));
        if (rc == LEAT_OK)
            rc = leat_requests_reject(&requests, i, 1, "why");
    }
    for (uint32_t i = 0; rc == LEAT_OK && i < 20; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "t%u", i);
        EXPECT(leat_slice_is(kept[i], text));
        EXPECT(leat_slice_is(requests.at[i].headers[0].value, text));
        EXPECT_EQ(requests.at[i].body.bytes, strlen(text));
        EXPECT_EQ(requests.rejects[i].item, i);
    }
    leat_requests_done(&requests);
    EXPECT_EQ(requests.count, 0);
    leat_requests_done(&requests);
    return rc;
}

/* Scenario: more headers than there is room for; an empty kept text. Guarantees: refused; empty is fine. */
LEAT_TEST(headers_have_a_limit)
{
    struct leat_requests requests = {0};
    struct leat_request *request = leat_requests_add(&requests);
    struct leat_slice kept;
    for (uint32_t i = 0; i < LEAT_REQUEST_HEADERS_MAX; i++)
        EXPECT_OK(leat_request_header(request, LEAT_SLICE("a"), LEAT_SLICE("b")));
    EXPECT_RC(leat_request_header(request, LEAT_SLICE("a"), LEAT_SLICE("b")), LEAT_EFULL);
    EXPECT_OK(leat_requests_keep(&requests, "", 0, &kept));
    EXPECT_EQ(kept.len, 0);
    leat_requests_done(&requests);
}

/* Scenario: verdicts with long texts. Guarantees: kind, flags, and a text that is cut, not overrun. */
LEAT_TEST(verdicts_say_what_they_mean)
{
    struct leat_verdict verdict = {0};
    char text[500];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    EXPECT_OK(leat_verdict_delivered(&verdict, 3));
    EXPECT_EQ(verdict.rejected, 3);
    EXPECT_OK(leat_verdict_drop(&verdict, true, "%s", text));
    EXPECT(verdict.kind == LEAT_VERDICT_DROP && verdict.isolate);
    EXPECT_EQ(strlen(verdict.text), sizeof verdict.text - 1);
    EXPECT_OK(leat_verdict_split(&verdict, "a"));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_SPLIT);
    EXPECT_OK(leat_verdict_hold(&verdict, "b"));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_HOLD);
    EXPECT_OK(leat_verdict_retry(&verdict, "%d", 7));
    EXPECT_STR(verdict.text, "7");
}

/* Scenario: batch keys that contradict one another or the queue's. Guarantees: refused with the Collector's rules. */
LEAT_TEST(delivery_keys_are_checked_together)
{
    struct leat_deliver_conf conf = {.queue = {.enabled = true, .queue_size = 100, .sizer = LEAT_SIZER_ITEMS}};
    struct leat_err err = {0};
    EXPECT_OK(leat_deliver_check(&conf, &err));
    conf.queue.batch.present = conf.queue.batch.enabled = true;
    conf.queue.batch.min_size = 50;
    conf.queue.batch.max_size = 49;
    EXPECT_RC(leat_deliver_check(&conf, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "max_size") != NULL);
    conf.queue.batch.max_size = 0;
    EXPECT_OK(leat_deliver_check(&conf, &err));
    conf.queue.batch.min_size = 101;
    EXPECT_RC(leat_deliver_check(&conf, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "queue_size") != NULL);
    conf.queue.batch.sizer = LEAT_SIZER_BYTES; /* other units: cannot be compared */
    EXPECT_OK(leat_deliver_check(&conf, &err));
    conf.queue.batch.enabled = false;
    conf.queue.batch.max_size = 1;
    EXPECT_OK(leat_deliver_check(&conf, &err));
}
