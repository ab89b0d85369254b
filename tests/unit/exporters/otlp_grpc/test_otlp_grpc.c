/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc.h"
#include "exporters/otlp_grpc/otlp_grpc.h"
#include "tests/kit/kit.h"

static struct leat_verdict judge(int code, struct leat_slice message, bool has_retry_info)
{
    struct leat_request request = {.count = 10};
    struct leat_reply reply = {
        .request = &request, .status = code, .message = message, .has_retry_after = has_retry_info};
    struct leat_verdict verdict = {0};
    EXPECT_OK(otlp_grpc_judge(NULL, &reply, &verdict, NULL));
    return verdict;
}

/* Scenario:   a server answers with every code of gRPC.
 * Guarantees: exactly the specification's codes are retried; credentials and a wrong server are waited for. */
LEAT_TEST(otlp_grpc_judges_each_code)
{
    static const enum leat_verdict_kind wanted[] = {
        [LEAT_GRPC_OK] = LEAT_VERDICT_DELIVERED,
        [LEAT_GRPC_CANCELLED] = LEAT_VERDICT_RETRY,
        [LEAT_GRPC_UNKNOWN] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_INVALID_ARGUMENT] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_DEADLINE_EXCEEDED] = LEAT_VERDICT_RETRY,
        [LEAT_GRPC_NOT_FOUND] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_ALREADY_EXISTS] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_PERMISSION_DENIED] = LEAT_VERDICT_HOLD,
        [LEAT_GRPC_RESOURCE_EXHAUSTED] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_FAILED_PRECONDITION] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_ABORTED] = LEAT_VERDICT_RETRY,
        [LEAT_GRPC_OUT_OF_RANGE] = LEAT_VERDICT_RETRY,
        [LEAT_GRPC_UNIMPLEMENTED] = LEAT_VERDICT_HOLD,
        [LEAT_GRPC_INTERNAL] = LEAT_VERDICT_DROP,
        [LEAT_GRPC_UNAVAILABLE] = LEAT_VERDICT_RETRY,
        [LEAT_GRPC_DATA_LOSS] = LEAT_VERDICT_RETRY,
        [LEAT_GRPC_UNAUTHENTICATED] = LEAT_VERDICT_HOLD,
    };
    for (int code = 0; code <= LEAT_GRPC_UNAUTHENTICATED; code++)
        EXPECT_EQ(judge(code, LEAT_SLICE("words"), false).kind, wanted[code]);
    EXPECT(judge(LEAT_GRPC_INVALID_ARGUMENT, LEAT_SLICE("bad id"), false).isolate);
    EXPECT(!judge(LEAT_GRPC_INTERNAL, LEAT_SLICE("oops"), false).isolate);
}

/* Guarantees: RESOURCE_EXHAUSTED is retried with RetryInfo, split when it speaks of size, else dropped. */
LEAT_TEST(otlp_grpc_tells_busy_from_too_large)
{
    struct leat_verdict verdict = judge(LEAT_GRPC_RESOURCE_EXHAUSTED, LEAT_SLICE("RATE_LIMITED"), true);
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_RETRY);
    EXPECT(verdict.slow_down);
    EXPECT_EQ(
        judge(LEAT_GRPC_RESOURCE_EXHAUSTED, LEAT_SLICE("grpc: received message larger than max (9 vs. 4)"), false).kind,
        LEAT_VERDICT_SPLIT);
    EXPECT_EQ(judge(LEAT_GRPC_RESOURCE_EXHAUSTED, LEAT_SLICE("quota"), false).kind, LEAT_VERDICT_DROP);
    verdict = judge(LEAT_GRPC_RESOURCE_EXHAUSTED, LEAT_SLICE("RATE_LIMITED: ingestion rate limit"), false); /* Tempo 2.1 */
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_RETRY);
    EXPECT(verdict.slow_down);
}

static struct leat_verdict judge_body(struct leat_slice body)
{
    struct leat_request request = {.count = 5};
    struct leat_verdict verdict = {0};
    EXPECT_OK(otlp_grpc_judge(NULL, &(struct leat_reply){.request = &request, .body = body}, &verdict, NULL));
    return verdict;
}

/* Guarantees: a partial success counts what was refused, at most what was sent; of an OK with a broken message nothing
 *             is dropped, and the reason is told. */
LEAT_TEST(otlp_grpc_reads_partial_success)
{
    EXPECT_EQ(judge_body(LEAT_SLICE("\x0a\x02\x08\x02")).rejected, 2);
    EXPECT_EQ(judge_body(LEAT_SLICE("\x0a\x02\x08\x63")).rejected, 5);
    struct leat_verdict broken = judge_body(LEAT_SLICE("\x0a\x05"));
    EXPECT_EQ(broken.kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(broken.rejected, 0);
    EXPECT(strstr(broken.text, "cannot be read"));
    EXPECT_STR(judge(LEAT_GRPC_OK, LEAT_SLICE("a warning"), false).text, "a warning");
}

static leat_rc check(const char *endpoint, const char *balancer)
{
    struct leat_grpc_client_conf grpc = {.endpoint = endpoint, .balancer_name = balancer};
    return otlp_grpc_check(&(struct leat_exporter_conf){.id = "otlp_grpc", .carrier = &grpc}, NULL);
}

/* Guarantees: what cannot be an address, or no known way to balance, is refused at start. */
LEAT_TEST(otlp_grpc_checks_its_conf)
{
    EXPECT_OK(check("tempo:4317", NULL));
    EXPECT_OK(check("dns:///tempo:4317", "pick_first"));
    EXPECT_RC(check(NULL, NULL), LEAT_ECONFIG);
    EXPECT_RC(check("tempo", NULL), LEAT_ECONFIG);
    EXPECT_RC(check("tempo:4317", "random"), LEAT_ECONFIG);
}

/* Guarantees: the message is the batch's own bytes; no failed allocation leaks. */
LEAT_TEST_OOM(otlp_grpc_shares_the_bytes)
{
    struct otlp_grpc_state state = {0};
    struct leat_batch batch = {.signal = LEAT_TRACES, .item_count = 1};
    struct leat_requests out = {0};
    if (leat_chain_take(&batch.payload, LEAT_SLICE("payload")) != LEAT_OK)
        return LEAT_ENOMEM;
    EXPECT_OK(otlp_grpc_open(&state, NULL, LEAT_TRACES, leat_world_real(), NULL));
    leat_rc rc = otlp_grpc_encode(&state, &batch, &out, NULL);
    if (rc == LEAT_OK) {
        EXPECT(leat_chain_eq(&out.at[0].body, &batch.payload));
        EXPECT_STR(out.at[0].url, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    }
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    return rc;
}
