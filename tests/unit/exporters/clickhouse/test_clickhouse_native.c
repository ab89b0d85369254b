/* SPDX-License-Identifier: Apache-2.0 */
/* Native against RowBinary: whatever is written, however it is cut, both must say the same. */
#include "tests/unit/exporters/clickhouse/clickhouse_kit.h"

/* ---- batches by chance: the same for the same seed ---- */

static uint32_t chance(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % below;
}

/* Keys come twice now and then; values are of all kinds. */
static void put_attributes(struct leat_strbuf *json, const char *key, uint32_t *seed)
{
    static const char *const values[] = {"\"stringValue\":\"ab\"", "\"intValue\":\"-70\"", "\"boolValue\":true",
                                         "\"arrayValue\":{\"values\":[{\"intValue\":5},{}]}", "\"bytesValue\":\"AQI=\""};
    leat_strbuf_printf(json, "\"%s\":[", key);
    for (uint32_t n = chance(seed, 4), i = 0; i < n; i++)
        leat_strbuf_printf(json, "%s{\"key\":\"k%u\",\"value\":{%s}}", i ? "," : "", chance(seed, 3), values[chance(seed, 5)]);
    leat_strbuf_puts(json, "]");
}

static void put_list(struct leat_strbuf *json, const char *key, uint32_t *seed, uint32_t below,
                     void (*put)(struct leat_strbuf *json, uint32_t *seed))
{
    leat_strbuf_printf(json, "\"%s\":[", key);
    for (uint32_t n = chance(seed, below), i = 0; i < n; i++) {
        leat_strbuf_puts(json, i ? ",{" : "{");
        put(json, seed);
        leat_strbuf_puts(json, "}");
    }
    leat_strbuf_puts(json, "]");
}

static void put_exemplar(struct leat_strbuf *json, uint32_t *seed)
{
    leat_strbuf_printf(json, "\"timeUnixNano\":\"%u\",\"asDouble\":%u.5,\"spanId\":\"1112131415161718\",", chance(seed, 99), chance(seed, 9));
    put_attributes(json, "filteredAttributes", seed);
}

static void put_point(struct leat_strbuf *json, uint32_t *seed)
{
    put_attributes(json, "attributes", seed);
    leat_strbuf_printf(json, ",\"timeUnixNano\":\"%u\",\"flags\":1", chance(seed, 1000));
}

static void put_number(struct leat_strbuf *json, uint32_t *seed)
{
    put_point(json, seed);
    leat_strbuf_printf(json, ",\"asInt\":\"%u\",", chance(seed, 1000));
    put_list(json, "exemplars", seed, 3, put_exemplar);
}

static void put_histogram(struct leat_strbuf *json, uint32_t *seed)
{
    put_point(json, seed);
    leat_strbuf_printf(json, ",\"count\":\"%u\",\"bucketCounts\":[%s],\"explicitBounds\":[0.5],", chance(seed, 9),
                       chance(seed, 2) ? "\"1\",\"2\"" : "");
    put_list(json, "exemplars", seed, 3, put_exemplar);
}

static void put_exponential(struct leat_strbuf *json, uint32_t *seed)
{
    put_point(json, seed);
    leat_strbuf_printf(json, ",\"scale\":%u,\"positive\":{\"bucketCounts\":[%s]},", chance(seed, 9), chance(seed, 2) ? "\"1\",\"300\"" : "");
    put_list(json, "exemplars", seed, 3, put_exemplar);
}

static void put_quantile(struct leat_strbuf *json, uint32_t *seed)
{
    leat_strbuf_printf(json, "\"quantile\":0.%u", chance(seed, 9) + 1);
}

static void put_summary(struct leat_strbuf *json, uint32_t *seed)
{
    put_point(json, seed);
    leat_strbuf_puts(json, ",");
    put_list(json, "quantileValues", seed, 4, put_quantile);
}

static void put_metric(struct leat_strbuf *json, uint32_t *seed)
{
    static const struct {
        const char *kind;
        void (*put)(struct leat_strbuf *json, uint32_t *seed);
    } kinds[] = {{"gauge", put_number}, {"sum", put_number}, {"histogram", put_histogram},
                 {"exponentialHistogram", put_exponential}, {"summary", put_summary}};
    uint32_t kind = chance(seed, 5), name = chance(seed, 9);
    leat_strbuf_printf(json, "\"name\":\"%.*s\",\"unit\":\"u%u\",\"%s\":{", (int)name, "abcdefghi", chance(seed, 99), kinds[kind].kind);
    put_list(json, "dataPoints", seed, 5, kinds[kind].put);
    leat_strbuf_puts(json, "}");
}

static void put_event(struct leat_strbuf *json, uint32_t *seed)
{
    leat_strbuf_printf(json, "\"timeUnixNano\":\"%u\",\"name\":\"e%u\",", chance(seed, 99), chance(seed, 9));
    put_attributes(json, "attributes", seed);
}

static void put_link(struct leat_strbuf *json, uint32_t *seed)
{
    leat_strbuf_printf(json, "\"spanId\":\"1112131415161718\",\"traceState\":\"%.*s\",", (int)chance(seed, 4), "abc");
    put_attributes(json, "attributes", seed);
}

static void put_span(struct leat_strbuf *json, uint32_t *seed)
{
    leat_strbuf_printf(json, "\"name\":\"%.*s\",\"startTimeUnixNano\":\"%u\",", (int)chance(seed, 6), "abcdef", chance(seed, 999));
    put_attributes(json, "attributes", seed);
    leat_strbuf_puts(json, ",");
    put_list(json, "events", seed, 4, put_event);
    leat_strbuf_puts(json, ",");
    put_list(json, "links", seed, 3, put_link);
}

static void put_batch(struct leat_strbuf *json, enum leat_signal signal, uint32_t seed)
{
    bool metrics = signal == LEAT_METRICS;
    leat_strbuf_puts(json, metrics ? "{\"resourceMetrics\":[" : "{\"resourceSpans\":[");
    for (uint32_t resources = 1 + chance(&seed, 5), r = 0; r < resources; r++) {
        leat_strbuf_puts(json, r ? ",{\"resource\":{" : "{\"resource\":{");
        put_attributes(json, "attributes", &seed);
        leat_strbuf_puts(json, metrics ? "},\"scopeMetrics\":[" : "},\"scopeSpans\":[");
        for (uint32_t scopes = chance(&seed, 4), s = 0; s < scopes; s++) {
            leat_strbuf_printf(json, "%s{\"scope\":{\"name\":\"s%u\",", s ? "," : "", chance(&seed, 3));
            put_attributes(json, "attributes", &seed);
            leat_strbuf_puts(json, "},");
            put_list(json, metrics ? "metrics" : "spans", &seed, 12, metrics ? put_metric : put_span);
            leat_strbuf_puts(json, "}");
        }
        leat_strbuf_puts(json, "]}");
    }
    leat_strbuf_puts(json, "]}");
}

/* ---- what both make of one ---- */

static void mark_items(const struct leat_request *request, uint32_t item_count, uint8_t *seen)
{
    uint32_t covered = 0;
    for (uint32_t i = 0; i < item_count; i++) {
        if (request->bitmap ? !leat_bitmap_get(request->bitmap, i) : i < request->first || i >= request->first + request->count)
            continue;
        EXPECT(!leat_bitmap_get(seen, i));
        leat_bitmap_set(seen, i);
        covered++;
    }
    EXPECT_EQ(covered, request->count);
}

/* All rows, table by table; each item in one request. */
static void write_all(struct subject *s, const struct leat_batch *batch, struct leat_strbuf tables[CLICKHOUSE_TABLES])
{
    struct leat_requests out = {0};
    struct leat_err err = {0};
    uint32_t rows, all = 0;
    uint8_t *seen = leat_zalloc(batch->item_count / 8 + 1, 1);
    EXPECT(seen != NULL);
    EXPECT_OK_ERR(clickhouse_encode(&s->state, batch, &out, &err), &err);
    for (uint32_t i = 0; i < out.count; i++) {
        struct leat_strbuf text = rows_text(&out.at[i], &rows);
        EXPECT_EQ(rows, out.at[i].count);
        mark_items(&out.at[i], batch->item_count, seen);
        all += rows;
        leat_strbuf_put(&tables[CLICKHOUSE_TABLE_OF(out.at[i].tag)], text.at, text.len);
        leat_strbuf_done(&text);
    }
    EXPECT_EQ(all, batch->item_count);
    leat_free(seen);
    leat_requests_done(&out);
}

static void compare(enum leat_signal signal, const struct leat_batch *batch, int64_t size)
{
    struct leat_strbuf tables[2][CLICKHOUSE_TABLES] = {0};
    for (int round = 0; round < 2; round++) {
        struct subject s;
        subject_defaults(&s);
        s.conf.format = round ? CLICKHOUSE_ROW_BINARY : CLICKHOUSE_NATIVE;
        s.conf.request_bytes_max = size;
        EXPECT_OK(subject_open(&s, signal));
        write_all(&s, batch, tables[round]);
        clickhouse_close(&s.state);
    }
    for (int table = 0; table < CLICKHOUSE_TABLES; table++) {
        EXPECT_STR(tables[0][table].at ? tables[0][table].at : "", tables[1][table].at ? tables[1][table].at : "");
        leat_strbuf_done(&tables[0][table]);
        leat_strbuf_done(&tables[1][table]);
    }
}

/* Scenario:   hundreds of batches by chance of metrics whose kinds take turns, and of spans; INSERTs that end in the middle
 * of what rows share, in each table at another place.
 * Guarantees: each row of each table is the same in both formats, and each item is in one request. */
LEAT_TEST(clickhouse_formats_agree_by_chance)
{
    static const int64_t sizes[] = {16 << 20, 4096, 1500};
    for (uint32_t seed = 1; seed <= 60; seed++)
        for (int signal = LEAT_METRICS; signal <= LEAT_TRACES; signal++) {
            struct leat_strbuf json = {0};
            struct leat_batch batch;
            put_batch(&json, (enum leat_signal)signal, seed);
            EXPECT_OK(batch_of((enum leat_signal)signal, json.at, &batch));
            for (int i = 0; i < 3; i++)
                compare((enum leat_signal)signal, &batch, sizes[i]);
            leat_chain_done(&batch.payload);
            leat_strbuf_done(&json);
        }
}

/* ---- once ---- */

static const char *token_of(const struct leat_request *request)
{
    return strstr(request->url, "insert_deduplication_token=");
}

/* The items of one request by themselves, as after a hold. */
static void expect_its_token(struct subject *s, const struct leat_batch *batch, const struct leat_request *request)
{
    struct leat_batch some = {.signal = batch->signal, .form = batch->form, .item_count = request->count};
    struct leat_requests out = {0};
    uint8_t *bits = leat_zalloc(batch->item_count / 8 + 1, 1);
    EXPECT(bits != NULL);
    mark_items(request, batch->item_count, bits);
    EXPECT_OK(batch->form->pick(batch->signal, &batch->payload, bits, &some.payload, NULL));
    EXPECT_OK(clickhouse_encode(&s->state, &some, &out, NULL));
    EXPECT_EQ(out.count, 1);
    EXPECT_EQ(out.at[0].count, request->count);
    EXPECT_STR(token_of(&out.at[0]), token_of(request));
    leat_requests_done(&out);
    leat_chain_done(&some.payload);
    leat_free(bits);
}

/* Scenario:   each INSERT of batches by chance is made anew of its own items, as the sender does after a hold.
 * Guarantees: it is the same INSERT, with the same token, in both formats: it is stored once. */
LEAT_TEST(clickhouse_makes_the_same_insert_of_the_same_items)
{
    for (uint32_t seed = 1; seed <= 20; seed++)
        for (int signal = LEAT_METRICS; signal <= LEAT_TRACES; signal++)
            for (int format = CLICKHOUSE_NATIVE; format <= CLICKHOUSE_ROW_BINARY; format++) {
                struct leat_strbuf json = {0};
                struct leat_batch batch;
                struct leat_requests out = {0};
                struct subject s;
                subject_defaults(&s);
                s.conf.format = format;
                s.conf.request_bytes_max = 1500;
                put_batch(&json, (enum leat_signal)signal, seed);
                EXPECT_OK(batch_of((enum leat_signal)signal, json.at, &batch));
                EXPECT_OK(subject_open(&s, (enum leat_signal)signal));
                EXPECT_OK(clickhouse_encode(&s.state, &batch, &out, NULL));
                for (uint32_t i = 0; i < out.count; i++)
                    expect_its_token(&s, &batch, &out.at[i]);
                leat_requests_done(&out);
                leat_chain_done(&batch.payload);
                leat_strbuf_done(&json);
                clickhouse_close(&s.state);
            }
}

/* ---- INSERTs end in time ---- */

/* Scenario:   items that are many times their size as columns: exemplars, quantiles and links of nothing.
 * Guarantees: an INSERT ends with the first row that fills it, as in RowBinary. */
static void expect_end_in_time(enum leat_signal signal, const char *head, const char *item, const char *tail)
{
    struct leat_strbuf json = {0};
    struct leat_batch batch;
    struct leat_requests out = {0};
    struct subject s;
    leat_strbuf_puts(&json, head);
    for (int row = 0; row < 60; row++) {
        leat_strbuf_printf(&json, "%s{\"%s\":[", row ? "," : "", item);
        for (int i = 0; i < 2000; i++)
            leat_strbuf_puts(&json, i ? ",{}" : "{}");
        leat_strbuf_puts(&json, "]}");
    }
    leat_strbuf_puts(&json, tail);
    subject_defaults(&s);
    s.conf.format = CLICKHOUSE_NATIVE;
    s.conf.request_bytes_max = 1 << 20;
    EXPECT_OK(batch_of(signal, json.at, &batch));
    EXPECT_OK(subject_open(&s, signal));
    EXPECT_OK(clickhouse_encode(&s.state, &batch, &out, NULL));
    EXPECT_EQ(batch.item_count, 60);
    for (uint32_t i = 0; i < out.count; i++)
        if (out.at[i].body.bytes > (1u << 20) + 54000 + 2000)
            fail_msg("%s: %llu bytes", item, (unsigned long long)out.at[i].body.bytes);
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    leat_strbuf_done(&json);
    clickhouse_close(&s.state);
}

LEAT_TEST(clickhouse_ends_an_insert_of_many_empty_items_in_time)
{
    expect_end_in_time(LEAT_METRICS, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[", "exemplars", "]}}]}]}]}");
    expect_end_in_time(LEAT_METRICS, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"summary\":{\"dataPoints\":[", "quantileValues", "]}}]}]}]}");
    expect_end_in_time(LEAT_TRACES, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[", "events", "]}]}]}");
    expect_end_in_time(LEAT_TRACES, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[", "links", "]}]}]}");
}

/* Scenario:   raw events under a resource whose path is longer than all else of a row.
 * Guarantees: the same. */
LEAT_TEST(clickhouse_ends_an_insert_of_raw_events_in_time)
{
    struct leat_strbuf json = {0};
    struct leat_batch batch;
    struct leat_requests out = {0};
    struct subject s;
    leat_strbuf_printf(&json, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"log.file.path\",\"value\":{\"stringValue\":\"/%04000d\"}}]},"
                              "\"scopeLogs\":[{\"logRecords\":[{}", 0);
    for (int i = 1; i < 200; i++)
        leat_strbuf_puts(&json, ",{}");
    leat_strbuf_puts(&json, "]}]}]}");
    subject_defaults(&s);
    s.conf.format = CLICKHOUSE_NATIVE;
    s.conf.raw_events = true;
    s.conf.request_bytes_max = 100000;
    EXPECT_OK(batch_of(LEAT_LOGS, json.at, &batch));
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    EXPECT_OK(clickhouse_encode(&s.state, &batch, &out, NULL));
    for (uint32_t i = 0; i < out.count; i++)
        EXPECT(out.at[i].body.bytes < 100000 + 4200);
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    leat_strbuf_done(&json);
    clickhouse_close(&s.state);
}

/* ---- memory ---- */

/* Of all bytes of all bodies, by their tokens. */
static uint64_t sum_of(const struct leat_requests *out)
{
    uint64_t sum = 14695981039346656037u;
    for (uint32_t i = 0; i < out->count; i++)
        for (const char *at = strstr(out->at[i].url, "_token="); *at; at++)
            sum = (sum ^ (uint8_t)*at) * 1099511628211u;
    return sum;
}

/* Scenario:   any allocation fails while columns grow over their first blocks, in the middle of rows, of what they share and
 * between INSERTs.
 * Guarantees: the batch is refused whole, or each block is byte by byte what it is without a failure. */
static leat_rc encode_by_chance(enum leat_signal signal, uint32_t seed)
{
    static uint64_t sums[3];
    struct leat_strbuf json = {0};
    struct leat_batch batch = {0};
    struct leat_requests out = {0};
    struct subject s;
    subject_defaults(&s);
    s.conf.format = CLICKHOUSE_NATIVE;
    s.conf.request_bytes_max = 1500;
    put_batch(&json, signal, seed);
    leat_rc rc = json.failed ? LEAT_ENOMEM : batch_of(signal, json.at, &batch);
    if (rc == LEAT_OK)
        rc = subject_open(&s, signal);
    if (rc == LEAT_OK)
        rc = clickhouse_encode(&s.state, &batch, &out, NULL);
    if (rc == LEAT_OK && !sums[signal]) {
        EXPECT(out.count > 3);
        sums[signal] = sum_of(&out);
    }
    if (rc == LEAT_OK)
        EXPECT_EQ(sum_of(&out), sums[signal]);
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    leat_strbuf_done(&json);
    clickhouse_close(&s.state);
    return rc;
}

LEAT_TEST_OOM(clickhouse_metrics_by_chance_survive_without_memory) { return encode_by_chance(LEAT_METRICS, 13); }
LEAT_TEST_OOM(clickhouse_spans_by_chance_survive_without_memory) { return encode_by_chance(LEAT_TRACES, 8); }
