/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/prometheus_remote_write/prometheus_remote_write.h"
#include "agent/base/world.h"
#include "prometheus/write1.pb-c.h"
#include "proto/otlp/otlp_form.h"
#include "tests/kit/sim_world.h"
#include "tests/unit/proto/remote_write/rw_kit.h"

struct bench {
    struct prw_conf own;
    struct leat_deliver_conf deliver;
    struct leat_http_client_conf http;
    struct leat_world *world;
    struct prw_state *prw;
    uint64_t counts[PRW_COUNT_COUNT];
};

static struct bench bench_open(int message)
{
    struct bench bench = {.own = {.message = message, .batch_bytes_max = 3000000, .series_max = 1024, .retry_on_429 = true,
                                  .target_info.enabled = true, .add_metric_suffixes = true}};
    bench.deliver.queue.num_consumers = 4;
    bench.http.endpoint = "http://127.0.0.1:9/api/v1/write";
    bench.world = sim_world_new(1);
    bench.prw = calloc(1, sizeof *bench.prw);
    return bench;
}

static leat_rc bench_start(struct bench *bench)
{
    struct leat_exporter_conf conf = {.id = "prw", .own = &bench->own, .deliver = &bench->deliver, .carrier = &bench->http,
                                      .counts = bench->counts};
    return prw_open(bench->prw, &conf, LEAT_METRICS, bench->world, NULL);
}

static void bench_close(struct bench *bench)
{
    prw_close(bench->prw);
    free(bench->prw);
    sim_world_free(bench->world);
}

static struct leat_verdict judge(struct bench *bench, uint32_t tag, int status, const char *written)
{
    struct leat_request request = {.count = 10, .tag = tag};
    struct leat_header header = {LEAT_SLICE("X-Prometheus-Remote-Write-Samples-Written"), leat_slice_str(written ? written : "")};
    struct leat_reply reply = {.request = &request, .status = status, .body = LEAT_SLICE("words"), .headers = {&header, written != NULL}};
    struct leat_verdict verdict = {0};
    EXPECT_OK(prw_judge(bench->prw, &reply, &verdict, NULL));
    return verdict;
}

/* Scenario:   a 1.0 receiver answers with every status it has.
 * Guarantees: A11's table; a 400 kept nothing, so it is taken apart. */
LEAT_TEST(one_is_judged_by_status)
{
    static const struct {
        int status;
        enum leat_verdict_kind kind;
        bool slow_down, isolate;
    } table[] = {{200, LEAT_VERDICT_DELIVERED, false, false}, {204, LEAT_VERDICT_DELIVERED, false, false}, {301, LEAT_VERDICT_HOLD, false, false},
                 {400, LEAT_VERDICT_DROP, false, true},       {401, LEAT_VERDICT_HOLD, false, false},      {403, LEAT_VERDICT_HOLD, false, false},
                 {404, LEAT_VERDICT_HOLD, false, false},      {413, LEAT_VERDICT_SPLIT, false, false},     {415, LEAT_VERDICT_DROP, false, false},
                 {422, LEAT_VERDICT_DROP, false, false},      {429, LEAT_VERDICT_RETRY, true, false},      {500, LEAT_VERDICT_RETRY, true, false},
                 {503, LEAT_VERDICT_RETRY, true, false}};
    struct bench bench = bench_open(PRW_AUTO);
    EXPECT_OK(bench_start(&bench));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_verdict verdict = judge(&bench, PRW_KIND_ONE | 10 << 2, table[i].status, NULL);
        EXPECT_EQ(verdict.kind, table[i].kind);
        EXPECT_EQ(verdict.slow_down, table[i].slow_down);
        EXPECT_EQ(verdict.isolate, table[i].isolate);
    }
    bench.own.retry_on_429 = false;
    EXPECT_EQ(judge(&bench, PRW_KIND_ONE, 429, NULL).kind, LEAT_VERDICT_DROP);
    bench_close(&bench);
}

/* Guarantees: 415, an early 400 and a 2xx that does not say what it wrote mean 1.0 from now on, for hours; one that says
 * it is believed, down to the number. */
LEAT_TEST(two_falls_back_and_asks_again)
{
    static const int signs[] = {415, 400, 204};
    uint32_t tag = PRW_KIND_TWO | 10 << 2;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        struct bench bench = bench_open(PRW_AUTO);
        EXPECT_OK(bench_start(&bench));
        EXPECT(prw__sends_two(bench.prw));
        EXPECT_EQ(judge(&bench, tag, signs[i], NULL).kind, LEAT_VERDICT_REENCODE);
        EXPECT(!prw__sends_two(bench.prw));
        sim_world_advance(bench.world, 5 * 3600 * 1000000000ull);
        EXPECT(prw__sends_two(bench.prw));
        bench_close(&bench);
    }
    struct bench bench = bench_open(PRW_AUTO);
    EXPECT_OK(bench_start(&bench));
    struct leat_verdict all = judge(&bench, tag, 204, "10"), some = judge(&bench, tag, 400, "7"), none = judge(&bench, tag, 400, "0");
    EXPECT_EQ(all.kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(all.rejected, 0);
    EXPECT_EQ(all.text[0], 0);
    EXPECT_EQ(some.rejected, 3);
    EXPECT_EQ(none.rejected, 10);
    EXPECT_EQ(judge(&bench, tag, 400, NULL).kind, LEAT_VERDICT_DROP); /* it is known to speak 2.0: the data is at fault */
    EXPECT(prw__sends_two(bench.prw));
    bench_close(&bench);
    bench = bench_open(PRW_TWO);
    EXPECT_OK(bench_start(&bench));
    EXPECT_EQ(judge(&bench, tag, 204, NULL).kind, LEAT_VERDICT_HOLD);
    EXPECT_EQ(judge(&bench, tag, 415, NULL).kind, LEAT_VERDICT_HOLD);
    bench_close(&bench);
}

/* Guarantees: what a 2.0 destination has written, and has not, is counted. */
LEAT_TEST(partial_writes_are_counted)
{
    uint32_t tag = PRW_KIND_TWO | 10 << 2;
    struct bench bench = bench_open(PRW_AUTO);
    EXPECT_OK(bench_start(&bench));
    (void)judge(&bench, tag, 204, "10");
    EXPECT_EQ(bench.counts[PRW_COUNT_PARTIAL], 0);
    (void)judge(&bench, tag, 400, "7");
    EXPECT_EQ(bench.counts[PRW_COUNT_PARTIAL], 1);
    EXPECT_EQ(bench.counts[PRW_COUNT_NOT_WRITTEN], 3);
    EXPECT_EQ(bench.counts[PRW_COUNT_SAMPLES], 17);
    EXPECT_EQ(bench.counts[PRW_COUNT_HISTOGRAMS], 0);
    bench_close(&bench);
}

/* Scenario:   a sum of two points, without a temporality, of delta temporality, cumulative.
 * Guarantees: each refusal is counted under its reason, once. */
LEAT_TEST(refused_points_are_counted_by_reason)
{
    static const uint64_t counted[3][2] = {{0, 2}, {2, 0}, {0, 0}};
    for (uint8_t temporality = 0; temporality < 3; temporality++) {
        uint8_t body[] = {0x0a, 19, 0x12, 17, 0x12, 15, 0x0a, 1, 'm', 0x3a, 10, 0x0a, 2, 0x40, 0, 0x0a, 2, 0x40, 0, 0x10, temporality};
        struct bench bench = bench_open(PRW_ONE);
        struct leat_batch batch = {.form = &otlp_form, .signal = LEAT_METRICS, .item_count = 2};
        struct leat_requests requests = {0};
        EXPECT_OK(bench_start(&bench));
        EXPECT_OK(leat_chain_copy(&batch.payload, body, sizeof body));
        EXPECT_OK(prw_encode(bench.prw, &batch, &requests, NULL));
        EXPECT_EQ(bench.counts[PRW_COUNT_DELTA], counted[temporality][0]);
        EXPECT_EQ(bench.counts[PRW_COUNT_NO_FORM], counted[temporality][1]);
        leat_requests_done(&requests);
        leat_chain_done(&batch.payload);
        bench_close(&bench);
    }
}

/* ---- encoding ---- */

#define TARGETS 3u
#define EACH 200u

static leat_rc make(struct leat_batch *batch, struct leat_prom_family *family, bool mixed)
{
    struct leat_prom_builder builder = {0};
    struct leat_prom_target *targets[TARGETS] = {0};
    leat_rc rc = LEAT_OK;
    for (uint32_t t = 0; t < TARGETS; t++) {
        char text[32];
        (void)snprintf(text, sizeof text, "host%u", t);
        targets[t] = leat_prom_target_new(LEAT_SLICE("job"), leat_slice_str(text), (struct leat_slice){0});
    }
    for (uint32_t i = 0; rc == LEAT_OK && i < TARGETS * EACH; i++) {
        char line[96];
        struct leat_prom_target *target = targets[mixed ? i % TARGETS : i / EACH];
        (void)snprintf(line, sizeof line, "__name__=m,i=%u,job=job", i);
        struct leat_prom_series *bare = rw_kit_series(line, family), *series = NULL;
        if (bare && target)
            series = leat_prom_series_new(leat_slice_of(bare->labels, bare->label_bytes), 3, target, family);
        rc = series ? leat_prom_builder_add(&builder, series, 1700000000000, i, NULL) : LEAT_ENOMEM;
        leat_prom_series_unref(bare);
        leat_prom_series_unref(series);
    }
    if (rc == LEAT_OK)
        rc = leat_prom_builder_take(&builder, &batch->payload, &batch->item_count);
    leat_prom_builder_done(&builder);
    for (uint32_t t = 0; t < TARGETS; t++)
        leat_prom_target_unref(targets[t]);
    batch->form = &leat_prom_form;
    batch->signal = LEAT_METRICS;
    return rc;
}

/* Each item is in exactly one request, whose body holds exactly its samples, and ends with the series that reaches `max`. */
static void check_requests(const struct leat_batch *batch, const struct leat_requests *requests, size_t max)
{
    uint8_t seen[TARGETS * EACH] = {0};
    for (uint32_t r = 0; r < requests->count; r++) {
        const struct leat_request *request = &requests->at[r];
        size_t len;
        uint8_t *plain = rw_kit_unpack(&request->body, &len);
        Prometheus__WriteRequest *message = prometheus__write_request__unpack(NULL, len, plain);
        assert_non_null(message);
        EXPECT_EQ(message->n_timeseries, request->count);
        EXPECT(len < max + 200);
        for (size_t i = 0; i < message->n_timeseries; i++) {
            uint32_t item = (uint32_t)message->timeseries[i]->samples[0]->value;
            EXPECT(request->bitmap ? leat_bitmap_get(request->bitmap, item) : item - request->first < request->count);
            seen[item]++;
        }
        EXPECT(request->order_key != 0);
        prometheus__write_request__free_unpacked(message, NULL);
        free(plain);
    }
    for (uint32_t i = 0; i < batch->item_count; i++)
        EXPECT_EQ(seen[i], 1);
}

/* Guarantees: batches of several targets, side by side or mixed, and of several sizes of request, cover every item once. */
LEAT_TEST(requests_cover_every_item_once)
{
    for (int mixed = 0; mixed < 2; mixed++)
        for (int64_t max = 0; max <= 3000000; max = max ? max * 20 : 500) {
            struct bench bench = bench_open(PRW_ONE);
            struct leat_batch batch = {0};
            struct leat_requests requests = {0};
            bench.own.batch_bytes_max = max;
            EXPECT_OK(bench_start(&bench));
            EXPECT_OK(make(&batch, NULL, mixed));
            for (int round = 0; round < 2; round++) {
                EXPECT_OK(prw_encode(bench.prw, &batch, &requests, NULL));
                check_requests(&batch, &requests, max ? (size_t)max : 3000000);
                EXPECT(max == 500 || requests.count <= 40);
                leat_requests_done(&requests);
                requests = (struct leat_requests){0};
            }
            leat_chain_done(&batch.payload);
            bench_close(&bench);
        }
}

/* Guarantees: 1.0 tells each family's metadata once a minute, in a request that covers no item. */
LEAT_TEST(metadata_goes_once_a_minute)
{
    struct bench bench = bench_open(PRW_ONE);
    struct leat_prom_family *family = leat_prom_family_new(LEAT_PROM_GAUGE, LEAT_SLICE("m"), LEAT_SLICE("helps"), (struct leat_slice){0});
    struct leat_batch batch = {0};
    bench.own.send_metadata = true;
    EXPECT_OK(bench_start(&bench));
    EXPECT_OK(make(&batch, family, false));
    uint32_t told = 0;
    for (int round = 0; round < 4; round++) {
        struct leat_requests requests = {0};
        EXPECT_OK(prw_encode(bench.prw, &batch, &requests, NULL));
        for (uint32_t r = 0; r < requests.count; r++)
            if ((requests.at[r].tag & 3) == PRW_KIND_METADATA) {
                size_t len;
                uint8_t *plain = rw_kit_unpack(&requests.at[r].body, &len);
                Prometheus__WriteRequest *message = prometheus__write_request__unpack(NULL, len, plain);
                EXPECT_EQ(message->n_metadata, 1);
                EXPECT_STR(message->metadata[0]->help, "helps");
                EXPECT_EQ(requests.at[r].count, 0);
                prometheus__write_request__free_unpacked(message, NULL);
                free(plain);
                told++;
            }
        leat_requests_done(&requests);
        if (round == 1)
            sim_world_advance(bench.world, 61000000000ull);
    }
    EXPECT_EQ(told, 2);
    leat_chain_done(&batch.payload);
    leat_prom_family_unref(family);
    bench_close(&bench);
}

/* Guarantees: what belongs to the protocol may not be set, and what 1.0 cannot say is refused at start. */
LEAT_TEST(check_refuses_what_cannot_work)
{
    struct bench bench = bench_open(PRW_AUTO);
    struct leat_exporter_conf conf = {.id = "prw", .own = &bench.own, .deliver = &bench.deliver, .carrier = &bench.http};
    struct leat_pair header = {"x-prometheus-remote-write-VERSION", "1"};
    EXPECT_OK(prw_check(&conf, NULL));
    bench.http.headers.at = &header;
    bench.http.headers.count = 1;
    EXPECT_RC(prw_check(&conf, NULL), LEAT_ECONFIG);
    bench.http.headers.count = 0;
    bench.http.compression = LEAT_CODING_GZIP;
    EXPECT_RC(prw_check(&conf, NULL), LEAT_ECONFIG);
    bench.http.compression = LEAT_CODING_SNAPPY;
    bench.own.strategy = PRW_AS_IS;
    EXPECT_OK(prw_check(&conf, NULL));
    bench.own.message = PRW_ONE;
    EXPECT_RC(prw_check(&conf, NULL), LEAT_ECONFIG);
    free(bench.prw);
    sim_world_free(bench.world);
}

static leat_rc encode_once(int message)
{
    struct bench bench = bench_open(message);
    struct leat_prom_family *family = leat_prom_family_new(LEAT_PROM_GAUGE, LEAT_SLICE("m"), LEAT_SLICE("helps"), (struct leat_slice){0});
    struct leat_pair external = {"zone", "eu"};
    struct leat_batch batch = {0};
    struct leat_requests requests = {0};
    bench.own.external_labels = (struct leat_map){&external, 1};
    bench.own.send_metadata = true;
    leat_rc rc = bench_start(&bench);
    if (rc == LEAT_OK)
        rc = family ? make(&batch, family, true) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = prw_encode(bench.prw, &batch, &requests, NULL);
    leat_requests_done(&requests);
    leat_chain_done(&batch.payload);
    leat_prom_family_unref(family);
    bench_close(&bench);
    return rc;
}
LEAT_TEST_OOM(one_survives_any_failed_allocation) { return encode_once(PRW_ONE); }
LEAT_TEST_OOM(two_survives_any_failed_allocation) { return encode_once(PRW_TWO); }
