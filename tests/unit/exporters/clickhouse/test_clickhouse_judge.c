/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/clickhouse/clickhouse.h"
#include "tests/kit/kit.h"

static struct leat_verdict judge(int status, const char *code, const char *body, uint32_t count)
{
    struct leat_header header = {LEAT_SLICE("X-ClickHouse-Exception-Code"), leat_slice_str(code ? code : "")};
    struct leat_request request = {.count = count, .tag = CLICKHOUSE_INSERT | CLICKHOUSE_LOGS};
    struct leat_reply reply = {.request = &request, .status = status, .body = leat_slice_str(body),
                               .headers = {&header, code ? 1 : 0}};
    struct leat_verdict verdict = {0};
    EXPECT_OK(clickhouse_judge(NULL, &reply, &verdict, NULL));
    return verdict;
}

enum { D = LEAT_VERDICT_DELIVERED, R = LEAT_VERDICT_RETRY, S = LEAT_VERDICT_SPLIT, X = LEAT_VERDICT_DROP, H = LEAT_VERDICT_HOLD };

/* Scenario:   each code of ClickHouse's that says something about an INSERT, under a status that says something else.
 * Guarantees: the code decides: what is busy or unsure comes again, what nothing passes holds, what the rows are to blame
 * for is taken apart, what the statement is to blame for is not. */
LEAT_TEST(clickhouse_judges_each_code)
{
    static const struct {
        const char *code;
        int kind;
        bool isolate, slow_down;
    } table[] = {{"159", R, 0, 0}, {"202", R, 0, 1}, {"209", R, 0, 0}, {"210", R, 0, 0}, {"242", R, 0, 1},
                 {"252", R, 0, 1}, {"285", R, 0, 1}, {"319", R, 0, 0}, {"225", R, 0, 1}, {"999", R, 0, 1},
                 {"16", H, 0, 0},  {"27", X, 1, 0},  {"33", X, 1, 0},  {"47", H, 0, 0},  {"53", H, 0, 0},
                 {"60", H, 0, 0},  {"62", X, 0, 0},  {"81", H, 0, 0},  {"117", X, 1, 0}, {"497", H, 0, 0},
                 {"516", H, 0, 0}, {"115", H, 0, 0}, {"344", H, 0, 0}, {"241", S, 0, 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int status = 200; status <= 500; status += 100) {
            struct leat_verdict verdict = judge(status, table[i].code, "words", 5000);
            EXPECT_EQ(verdict.kind, table[i].kind);
            EXPECT_EQ(verdict.isolate, table[i].isolate);
            EXPECT_EQ(verdict.slow_down, table[i].slow_down);
        }
    EXPECT_STR(judge(404, "60", "Table x does not exist", 1).text, "status 404, code 60: Table x does not exist");
}

/* Guarantees: a small INSERT that meets a full memory waits; only a large one is split. */
LEAT_TEST(clickhouse_splits_only_what_is_large)
{
    EXPECT_EQ(judge(500, "241", "", 1000).kind, R);
    EXPECT_EQ(judge(500, "241", "", 1001).kind, S);
    EXPECT_EQ(judge(500, "252", "Too many partitions for single INSERT block (more than 100)", 200).kind, S);
    EXPECT_EQ(judge(500, "252", "Too many parts (300)", 200).kind, R);
}

/* Scenario:   the head of a 200 had left when the INSERT failed.
 * Guarantees: the exception's text is found wherever it stands, and a body without one is a success. */
LEAT_TEST(clickhouse_finds_an_error_in_a_200)
{
    EXPECT_EQ(judge(200, NULL, "", 1).kind, D);
    EXPECT_EQ(judge(200, NULL, "Ok.\n", 1).kind, D);
    EXPECT_EQ(judge(200, NULL, "\r\nCode: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", 1).kind, R);
    EXPECT_EQ(judge(200, NULL, "Code: 1\nCode: 27. DB::Exception: Cannot parse", 1).kind, X);
    EXPECT_EQ(judge(200, NULL, "Code: seven", 1).kind, D);
    EXPECT_EQ(judge(200, NULL, "a log line about Code: 7", 1).kind, D);
    EXPECT_EQ(judge(500, NULL, "Code: 516. DB::Exception: default: Authentication failed", 1).kind, H);
}

/* Guarantees: what answers without a code is something before ClickHouse, or not ClickHouse. */
LEAT_TEST(clickhouse_judges_by_status_without_a_code)
{
    static const struct {
        int status, kind;
    } table[] = {{204, D}, {301, H}, {400, X}, {401, H}, {403, H}, {404, H}, {408, R},
                 {413, S}, {429, R}, {500, R}, {502, R}, {503, R}, {504, R}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        EXPECT_EQ(judge(table[i].status, NULL, "", 5).kind, table[i].kind);
    struct leat_verdict verdict = judge(400, NULL, "Port 9000 is for clickhouse-client program\r\nYou must use port 8123", 5);
    EXPECT_EQ(verdict.kind, H);
    EXPECT(strstr(verdict.text, "native protocol"));
    EXPECT_EQ(judge(418, "7777", "", 1).kind, X); /* a code nobody knows: by its status */
    EXPECT(judge(418, "7777", "", 1).isolate);
    EXPECT_EQ(judge(500, "7777", "", 1).kind, R);
}
