/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/loki/loki.h"
#include "tests/kit/kit.h"

static struct leat_verdict judge(int status, const char *body)
{
    struct leat_request request = {.count = 10};
    struct leat_reply reply = {.request = &request, .status = status, .body = leat_slice_str(body)};
    struct leat_verdict verdict = {0};
    EXPECT_OK(loki_judge(NULL, &reply, &verdict, NULL));
    return verdict;
}

/* Scenario:   Loki answers with every status it has.
 * Guarantees: busy and broken is retried, size is split, credentials and a blocked tenant are waited for; nothing is
 * taken apart, since Loki stores the valid lines of what it refuses. */
LEAT_TEST(loki_judges_each_status)
{
    static const struct {
        int status;
        enum leat_verdict_kind kind;
        bool slow_down;
    } table[] = {
        {204, LEAT_VERDICT_DELIVERED, false}, {200, LEAT_VERDICT_DELIVERED, false}, {260, LEAT_VERDICT_HOLD, false},
        {302, LEAT_VERDICT_HOLD, false},      {400, LEAT_VERDICT_DROP, false},      {401, LEAT_VERDICT_HOLD, false},
        {403, LEAT_VERDICT_HOLD, false},      {404, LEAT_VERDICT_HOLD, false},      {413, LEAT_VERDICT_SPLIT, false},
        {422, LEAT_VERDICT_DROP, false},      {429, LEAT_VERDICT_RETRY, true},      {500, LEAT_VERDICT_RETRY, true},
        {503, LEAT_VERDICT_RETRY, true}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_verdict verdict = judge(table[i].status, "words");
        EXPECT_EQ(verdict.kind, table[i].kind);
        EXPECT_EQ(verdict.slow_down, table[i].slow_down);
        EXPECT(!verdict.isolate);
    }
    EXPECT_STR(judge(400, "line too long").text, "status 400: line too long");
}

/* Guarantees: when Loki says how many lines it ignored, only those count as refused. */
LEAT_TEST(loki_counts_what_was_ignored)
{
    struct leat_verdict verdict =
        judge(400, "entry too far behind, total ignored: 2 out of 6 for user fake, stream: {a=\"b\"}\n"
                   "total ignored: 1 out of 4 for user fake, stream: {a=\"c\"}");
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(verdict.rejected, 3);
    EXPECT_EQ(judge(400, "total ignored: 10 out of 10").kind, LEAT_VERDICT_DROP);
    EXPECT_EQ(judge(400, "total ignored: 99999999999999999999 out of 3").kind, LEAT_VERDICT_DROP);
}
