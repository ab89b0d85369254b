/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "exporters/clickhouse/clickhouse.h"
#include "tests/kit/kit.h"

static struct leat_verdict judge_as(int on_schema_error, int status, const char *code, const char *body, uint32_t count)
{
    struct clickhouse_conf conf = {.on_schema_error = on_schema_error};
    struct clickhouse_state state = {.conf = &conf};
    struct leat_header header = {LEAT_SLICE("X-ClickHouse-Exception-Code"), leat_slice_str(code ? code : "")};
    struct leat_request request = {.count = count, .tag = CLICKHOUSE_INSERT | CLICKHOUSE_LOGS};
    struct leat_reply reply = {.request = &request, .status = status, .body = leat_slice_str(body),
                               .headers = {&header, code ? 1 : 0}};
    struct leat_verdict verdict = {0};
    EXPECT_OK(clickhouse_judge(&state, &reply, &verdict, NULL));
    return verdict;
}

static struct leat_verdict judge(int status, const char *code, const char *body, uint32_t count)
{
    return judge_as(CLICKHOUSE_SCHEMA_DROP, status, code, body, count);
}

enum { D = LEAT_VERDICT_DELIVERED, R = LEAT_VERDICT_RETRY, S = LEAT_VERDICT_SPLIT, X = LEAT_VERDICT_DROP, H = LEAT_VERDICT_HOLD };

static const struct answer {
    const char *code;
    int kind;
    bool isolate, slow_down, schema;
} answers[] = {
    {"159", R},                    /* TIMEOUT_EXCEEDED */
    {"202", R, .slow_down = true}, /* TOO_MANY_SIMULTANEOUS_QUERIES */
    {"209", R},                    /* SOCKET_TIMEOUT */
    {"210", R},                    /* NETWORK_ERROR */
    {"241", S, .slow_down = true}, /* MEMORY_LIMIT_EXCEEDED: these 5,000 rows in halves */
    {"242", R, .slow_down = true}, /* TABLE_IS_READ_ONLY */
    {"252", R, .slow_down = true}, /* TOO_MANY_PARTS */
    {"285", R, .slow_down = true}, /* TOO_FEW_LIVE_REPLICAS */
    {"319", R},                    /* UNKNOWN_STATUS_OF_INSERT */
    {"225", R, .slow_down = true}, /* NO_ZOOKEEPER */
    {"999", R, .slow_down = true}, /* KEEPER_EXCEPTION */
    {"16", X, .schema = true},     /* NO_SUCH_COLUMN_IN_TABLE */
    {"27", X, .isolate = true},    /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
    {"33", X, .isolate = true},    /* CANNOT_READ_ALL_DATA */
    {"47", X, .schema = true},     /* UNKNOWN_IDENTIFIER */
    {"53", X, .schema = true},     /* TYPE_MISMATCH */
    {"60", X, .schema = true},     /* UNKNOWN_TABLE */
    {"62", X},                     /* SYNTAX_ERROR */
    {"81", X, .schema = true},     /* UNKNOWN_DATABASE */
    {"117", X, .isolate = true},   /* INCORRECT_DATA */
    {"497", H},                    /* ACCESS_DENIED */
    {"516", H},                    /* AUTHENTICATION_FAILED */
    /* Beyond the reference's list. */
    {"20", X, .isolate = true},    /* NUMBER_OF_COLUMNS_DOESNT_MATCH */
    {"73", X},                     /* UNKNOWN_FORMAT */
    {"115", H},                    /* UNKNOWN_SETTING */
    {"164", H},                    /* READONLY */
    {"192", H},                    /* UNKNOWN_USER */
    {"201", R, .slow_down = true}, /* QUOTA_EXCEEDED */
    {"243", R, .slow_down = true}, /* NOT_ENOUGH_SPACE */
    {"344", H},                    /* SUPPORT_IS_DISABLED */
    {"394", R},                    /* QUERY_WAS_CANCELLED */
};

static void expect_answer(const struct answer *answer, const struct leat_verdict *verdict, int kind)
{
    if (verdict->kind != (enum leat_verdict_kind)kind || verdict->isolate != answer->isolate ||
        verdict->slow_down != answer->slow_down || verdict->prepare_again != answer->schema)
        fail_msg("code %s: kind %d, isolate %d, slow_down %d, prepare_again %d", answer->code, (int)verdict->kind,
                 verdict->isolate, verdict->slow_down, verdict->prepare_again);
}

/* Scenario:   every code of the reference and what else says something about an INSERT, under every class of status, a
 * 200 too; once in the header, once in the text alone; with on_schema_error at its default and at hold.
 * Guarantees: the code decides: what is busy or unsure comes again, what the rows are to blame for is taken apart, what the
 * statement or the schema is to blame for is dropped whole, after which the tables are prepared again, rights hold the
 * queue. With hold the schema's do too, and nothing else changes. */
LEAT_TEST(clickhouse_judges_each_code)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (int status = 200; status <= 500; status += 100) {
            const struct answer *answer = &answers[i];
            char text[64];
            (void)snprintf(text, sizeof text, "Code: %s. DB::Exception: words", answer->code);
            struct leat_verdict drop = judge(status, answer->code, "words", 5000), in_text = judge(status, NULL, text, 5000);
            struct leat_verdict hold = judge_as(CLICKHOUSE_SCHEMA_HOLD, status, answer->code, "words", 5000);
            expect_answer(answer, &drop, answer->kind);
            expect_answer(answer, &in_text, answer->kind);
            expect_answer(answer, &hold, answer->schema ? H : answer->kind);
            EXPECT(strstr(drop.text, answer->code));
        }
    EXPECT_STR(judge(404, "60", "Table x does not exist", 1).text, "status 404, code 60: Table x does not exist");
}

/* Guarantees: a code nobody knows is judged by its status: the request's fault is taken apart, the server's comes again. */
LEAT_TEST(clickhouse_judges_a_code_it_does_not_know)
{
    static const struct {
        int status, kind;
        bool isolate;
    } table[] = {{400, X, true}, {404, X, true}, {418, X, true}, {500, R, false}, {503, R, false}, {200, R, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_verdict verdict = judge(table[i].status, "7777", "words", 5);
        EXPECT_EQ(verdict.kind, table[i].kind);
        EXPECT_EQ(verdict.isolate, table[i].isolate);
        EXPECT(strstr(verdict.text, "code 7777: words"));
    }
    EXPECT_EQ(judge(500, "99999999999999999999", "", 5).kind, R);
    EXPECT_EQ(judge(404, "x60", "", 5).kind, H); /* no code at all */
}

/* Guarantees: a small INSERT that meets a full memory waits; only a large one is split. */
LEAT_TEST(clickhouse_splits_only_what_is_large)
{
    EXPECT_EQ(judge(500, "241", "", 1000).kind, R);
    EXPECT_EQ(judge(500, "241", "", 1001).kind, S);
    EXPECT_EQ(judge(500, "252", "Too many partitions for single INSERT block (more than 100)", 200).kind, S);
    EXPECT_EQ(judge(500, "252", "Too many parts (300)", 200).kind, R);
}

#define IN_A_VIEW "Code: 1. DB::Exception: words: while pushing to view otel.v. (NAME)"

/* Scenario:   a view on the table fails, for its own reasons; the rows are in the table.
 * Guarantees: they are never taken apart, nor written in another format: with other tokens they would be there again. What
 * may pass later comes again as it was. */
LEAT_TEST(clickhouse_takes_nothing_apart_for_a_view)
{
    static const char *const codes[] = {"6", "27", "43", "117", "7777"};
    struct leat_verdict verdict;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        verdict = judge(400, codes[i], IN_A_VIEW, 5000);
        EXPECT_EQ(verdict.kind, X);
        EXPECT(!verdict.isolate);
    }
    EXPECT_EQ(judge(500, "241", IN_A_VIEW, 5000).kind, R);
    EXPECT_EQ(judge(500, "252", IN_A_VIEW " Too many partitions for single INSERT block", 5000).kind, X);
    EXPECT_EQ(judge(500, "252", IN_A_VIEW " Too many parts", 5000).kind, R);
    EXPECT_EQ(judge(404, "60", IN_A_VIEW, 5000).kind, X);
    EXPECT_EQ(judge_as(CLICKHOUSE_SCHEMA_HOLD, 404, "60", IN_A_VIEW, 5000).kind, H);
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
}
