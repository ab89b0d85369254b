/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_http/otlp_http.h"
#include "tests/kit/kit.h"

#define JSON LEAT_SLICE("application/json")
#define PROTO LEAT_SLICE("application/x-protobuf")

static struct leat_verdict judge(int status, struct leat_slice type, struct leat_slice body)
{
    struct leat_header header = {LEAT_SLICE("content-type"), type};
    struct leat_request request = {.count = 10};
    struct leat_reply reply = {.request = &request, .status = status, .body = body, .headers = {&header, 1}};
    struct leat_verdict verdict = {0};
    EXPECT_OK(otlp_http_judge(NULL, &reply, &verdict, NULL));
    return verdict;
}

/* Scenario:   a server answers with every kind of status.
 * Guarantees: the OTLP specification's list is retried, size is split, credentials and addresses are waited for, the
 * rest is dropped; only what concerns these bytes is taken apart. */
LEAT_TEST(otlp_http_judges_each_status)
{
    static const struct {
        int status;
        enum leat_verdict_kind kind;
        bool isolate, slow_down;
    } table[] = {{200, LEAT_VERDICT_DELIVERED, false, false}, {202, LEAT_VERDICT_DELIVERED, false, false},
                 {204, LEAT_VERDICT_DELIVERED, false, false}, {301, LEAT_VERDICT_HOLD, false, false},
                 {307, LEAT_VERDICT_HOLD, false, false},      {400, LEAT_VERDICT_DROP, true, false},
                 {401, LEAT_VERDICT_HOLD, false, false},      {403, LEAT_VERDICT_HOLD, false, false},
                 {404, LEAT_VERDICT_HOLD, false, false},      {405, LEAT_VERDICT_DROP, true, false},
                 {413, LEAT_VERDICT_SPLIT, false, false},     {422, LEAT_VERDICT_DROP, true, false},
                 {429, LEAT_VERDICT_RETRY, false, true},      {500, LEAT_VERDICT_DROP, false, false},
                 {501, LEAT_VERDICT_DROP, false, false},      {502, LEAT_VERDICT_RETRY, false, false},
                 {503, LEAT_VERDICT_RETRY, false, true},      {504, LEAT_VERDICT_RETRY, false, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_verdict verdict = judge(table[i].status, LEAT_SLICE("text/plain"), LEAT_SLICE("words"));
        EXPECT_EQ(verdict.kind, table[i].kind);
        EXPECT_EQ(verdict.isolate, table[i].isolate);
        EXPECT_EQ(verdict.slow_down, table[i].slow_down);
    }
    EXPECT_EQ(judge(500, JSON, LEAT_SLICE("{\"code\":8,\"message\":\"RATE_LIMITED: x\"}")).kind, LEAT_VERDICT_RETRY); /* Tempo 2.1 */
    EXPECT_STR(judge(400, LEAT_SLICE("text/plain"), LEAT_SLICE("bad id")).text, "status 400: bad id");
    EXPECT_STR(judge(400, PROTO,
                     LEAT_SLICE("\x12\x06"
                                "bad id"))
                   .text,
               "status 400: bad id");
}

/* Scenario:   200 with a partial success, in protobuf and JSON, and with bodies that are neither.
 * Guarantees: refused items are counted, never more than were sent; a body that lies about its type is no success. */
LEAT_TEST(otlp_http_reads_partial_success)
{
    struct leat_verdict verdict = judge(200, PROTO,
                                        LEAT_SLICE("\x0a\x07\x08\x03\x12\x03"
                                                   "old"));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(verdict.rejected, 3);
    EXPECT_STR(verdict.text, "old");
    verdict =
        judge(200, JSON, LEAT_SLICE("{\"partialSuccess\":{\"rejectedLogRecords\":\"4\",\"errorMessage\":\"x\\\"y\"}}"));
    EXPECT_EQ(verdict.rejected, 4);
    EXPECT_STR(verdict.text, "x\"y");
    EXPECT_EQ(judge(200, LEAT_SLICE("application/json; charset=utf-8"),
                    LEAT_SLICE("{\"partialSuccess\":{\"rejectedSpans\":99}}"))
                  .rejected,
              10);
    EXPECT_EQ(judge(200, JSON, LEAT_SLICE("{}")).kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(judge(200, JSON, LEAT_SLICE("<html>")).kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(judge(200, PROTO, LEAT_SLICE("\x0a\xff")).kind, LEAT_VERDICT_DELIVERED);
}

static leat_rc open_at(struct otlp_http_state *state, const char *endpoint, const char *logs_endpoint,
                       enum leat_signal signal)
{
    struct leat_http_client_conf http = {.endpoint = endpoint};
    struct otlp_http_conf own = {.signal_endpoint = {[LEAT_LOGS] = logs_endpoint}};
    struct leat_exporter_conf conf = {.id = "otlp_http", .own = &own, .carrier = &http};
    leat_rc rc = otlp_http_check(&conf, NULL);
    return rc == LEAT_OK ? otlp_http_open(state, &conf, signal, leat_world_real(), NULL) : rc;
}

/* Guarantees: the signal's path is put behind the endpoint with one slash; a signal's own endpoint wins; none is
 * refused. */
LEAT_TEST(otlp_http_makes_the_address_of_a_signal)
{
    static const struct {
        const char *endpoint, *logs_endpoint;
        enum leat_signal signal;
        const char *url;
    } table[] = {{"http://a:4318", NULL, LEAT_LOGS, "http://a:4318/v1/logs"},
                 {"http://a:4318/", NULL, LEAT_METRICS, "http://a:4318/v1/metrics"},
                 {"https://a/otlp", "", LEAT_TRACES, "https://a/otlp/v1/traces"},
                 {"http://a:4318", NULL, LEAT_PROFILES, "http://a:4318/v1development/profiles"},
                 {"http://a:4318", "http://b/x", LEAT_LOGS, "http://b/x"},
                 {NULL, "http://b/x", LEAT_LOGS, "http://b/x"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct otlp_http_state state = {0};
        EXPECT_OK(open_at(&state, table[i].endpoint, table[i].logs_endpoint, table[i].signal));
        EXPECT_STR(state.url, table[i].url);
        otlp_http_close(&state);
    }
    struct otlp_http_state state = {0};
    EXPECT_RC(open_at(&state, NULL, NULL, LEAT_LOGS), LEAT_ECONFIG);
    EXPECT_RC(open_at(&state, "a:4318", NULL, LEAT_LOGS), LEAT_ECONFIG);
    EXPECT_RC(open_at(&state, NULL, "http://b/x", LEAT_TRACES), LEAT_ECONFIG);
    otlp_http_close(&state);
}

static leat_rc encode(enum otlp_http_encoding encoding)
{
    static const char payload[] = "\x0a\x0a\x12\x08\x12\x06\x2a\x04\x0a\x02hi"; /* one record, body "hi" */
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = 1};
    if (leat_chain_take(&batch.payload, leat_slice_of(payload, sizeof payload - 1)) != LEAT_OK)
        return LEAT_ENOMEM;
    struct otlp_http_state state = {.url = NULL, .encoding = encoding};
    struct leat_requests out = {0};
    uint64_t copied = leat_copied_bytes();
    leat_rc rc = otlp_http_encode(&state, &batch, &out, NULL);
    if (rc == LEAT_OK && encoding == OTLP_HTTP_PROTO) {
        EXPECT(leat_chain_eq(&out.at[0].body, &batch.payload));
        EXPECT_EQ(leat_copied_bytes(), copied);
    } else if (rc == LEAT_OK) {
        char text[256] = {0};
        (void)leat_chain_put(&out.at[0].body, text, sizeof text - 1);
        EXPECT(strstr(text, "\"stringValue\":\"hi\""));
    }
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    otlp_http_close(&state);
    return rc;
}

/* Guarantees: the body is the batch's own bytes, not a copy of them; no failed allocation leaks or crashes. */
LEAT_TEST_OOM(otlp_http_shares_the_bytes)
{
    return encode(OTLP_HTTP_PROTO);
}
LEAT_TEST_OOM(otlp_http_writes_json)
{
    return encode(OTLP_HTTP_JSON);
}
