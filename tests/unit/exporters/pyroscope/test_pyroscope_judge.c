/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/pyroscope/pyroscope.h"
#include "tests/kit/kit.h"

static struct leat_verdict judge(int status, const char *body)
{
    struct leat_request request = {.count = 1};
    struct leat_reply reply = {.request = &request, .status = status, .body = leat_slice_str(body)};
    struct leat_verdict verdict = {0};
    EXPECT_OK(pyroscope_judge(NULL, &reply, &verdict, NULL));
    return verdict;
}

/* Guarantees: busy and broken is retried, credentials and a wrong address are waited for, a refused profile is dropped. */
LEAT_TEST(pyroscope_judges_each_status)
{
    static const struct {
        int status;
        enum leat_verdict_kind kind;
        bool slow_down;
    } table[] = {{200, LEAT_VERDICT_DELIVERED, false}, {302, LEAT_VERDICT_HOLD, false}, {400, LEAT_VERDICT_DROP, false},
                 {401, LEAT_VERDICT_HOLD, false},      {403, LEAT_VERDICT_HOLD, false}, {404, LEAT_VERDICT_HOLD, false},
                 {413, LEAT_VERDICT_SPLIT, false},     {422, LEAT_VERDICT_DROP, false}, {429, LEAT_VERDICT_RETRY, true},
                 {500, LEAT_VERDICT_RETRY, true},      {501, LEAT_VERDICT_HOLD, false}, {503, LEAT_VERDICT_RETRY, true}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_verdict verdict = judge(table[i].status, "words");
        EXPECT_EQ(verdict.kind, table[i].kind);
        EXPECT_EQ(verdict.slow_down, table[i].slow_down);
        EXPECT(!verdict.isolate);
    }
    EXPECT_STR(judge(400, "{\"code\":\"invalid_argument\"}").text, "status 400: {\"code\":\"invalid_argument\"}");
}
