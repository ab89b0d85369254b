/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_view.h"

#include "agent/base/counter.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_put.h"
#include "proto/otlp/otlp_validate.h"
#include "tests/kit/kit.h"

static struct pb_buf bytes_of(enum leat_signal signal, const char *json)
{
    struct pb_buf out = {0};
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_json_read_message(otlp_request_of(signal), leat_slice_str(json), &out, &err), &err);
    return out;
}

static const char two_resources[] =
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]"
    "},"
    "\"schemaUrl\":\"http://a\",\"scopeLogs\":[{\"scope\":{\"name\":\"lib\",\"version\":\"2\"},\"logRecords\":["
    "{\"timeUnixNano\":\"5\",\"severityNumber\":9,\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"hello world\"},"
    "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"-7\"}},{\"key\":\"t\",\"value\":{\"boolValue\":true}}],"
    "\"traceId\":\"01020304050607080910111213141516\",\"observedTimeUnixNano\":\"6\",\"eventName\":\"e\"},"
    "{\"body\":{\"arrayValue\":{\"values\":[{\"doubleValue\":1.5},{\"stringValue\":\"x\"}]}}}]},{\"logRecords\":[{}]}]}"
    ","
    "{\"scopeLogs\":[]},{\"resource\":{},\"scopeLogs\":[{\"logRecords\":[{\"flags\":3}]}]}]}";

static void first(const struct otlp_walk *w, const struct otlp_log *log)
{
    struct otlp_value v;
    struct otlp_attribute a;
    EXPECT(otlp_attribute_get(w->resource, 1, "service.name", &v));
    EXPECT(leat_slice_is(v.text, "shop"));
    EXPECT(!otlp_attribute_get(w->resource, 1, "service", &v));
    EXPECT(leat_slice_is(w->resource_schema_url, "http://a"));
    EXPECT(leat_slice_is(w->scope.name, "lib") && leat_slice_is(w->scope.version, "2"));
    EXPECT(w->new_resource && w->new_scope);
    EXPECT_EQ(log->time_unix_nano, 5);
    EXPECT_EQ(log->observed_time_unix_nano, 6);
    EXPECT_EQ(log->severity_number, 9);
    EXPECT(leat_slice_is(log->severity_text, "INFO") && leat_slice_is(log->event_name, "e"));
    EXPECT(log->body.kind == OTLP_TEXT && leat_slice_is(log->body.text, "hello world"));
    EXPECT_EQ(log->trace_id.len, 16);
    EXPECT_EQ(log->trace_id.at[15], 0x16);
    struct leat_slice rest = log->attributes;
    EXPECT(otlp_attribute_next(&rest, 6, &a) && leat_slice_is(a.key, "n") && a.value.integer == -7);
    EXPECT(otlp_attribute_next(&rest, 6, &a) && leat_slice_is(a.key, "t") && otlp_value_is_true(&a.value));
    EXPECT(!otlp_attribute_next(&rest, 6, &a));
}

static void second(const struct otlp_walk *w, const struct otlp_log *log)
{
    struct otlp_value v;
    EXPECT(!w->new_resource && !w->new_scope);
    EXPECT_EQ(log->body.kind, OTLP_ARRAY);
    struct leat_slice rest = log->body.text;
    EXPECT(otlp_value_next(&rest, &v) && v.kind == OTLP_REAL && v.real == 1.5);
    EXPECT(otlp_value_next(&rest, &v) && v.kind == OTLP_TEXT && leat_slice_is(v.text, "x"));
    EXPECT(!otlp_value_next(&rest, &v));
}

static void walk_two(const struct leat_chain *chain)
{
    struct otlp_walk w;
    struct otlp_log log;
    otlp_walk_open(&w, LEAT_LOGS, chain);
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT(otlp_walk_next(&w));
        EXPECT_EQ(w.item_index, i);
        EXPECT(otlp_log_of(w.item, &log));
        if (i == 0)
            first(&w, &log);
        else if (i == 1)
            second(&w, &log);
        else
            EXPECT(w.new_scope && w.scope.name.len == 0);
        EXPECT_EQ(w.new_resource, i == 0 || i == 3);
    }
    EXPECT_EQ(log.flags, 3);
    EXPECT_EQ(w.resource_index, 2);
    EXPECT_EQ(w.scope_index, 0);
    EXPECT(!otlp_walk_next(&w));
    EXPECT_OK(otlp_walk_close(&w, NULL));
}

/* Scenario:   three resources, one without records, cut in two at each byte and in pieces of one and three.
 * Guarantees: every field is seen, whatever the cuts; what crosses one is counted. */
LEAT_TEST(view_sees_every_field_at_any_cut)
{
    struct pb_buf b = bytes_of(LEAT_LOGS, two_resources);
    uint64_t before = leat_counters[LEAT_COUNT_BORDER_COPIES];
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct leat_chain chain = kit_chain_cut(b.at, b.len, cut);
        walk_two(&chain);
        leat_chain_done(&chain);
    }
    for (size_t piece = 1; piece <= 3; piece++) {
        struct leat_chain chain = kit_chain(b.at, b.len, piece);
        walk_two(&chain);
        leat_chain_done(&chain);
    }
    EXPECT(leat_counters[LEAT_COUNT_BORDER_COPIES] > before);
    pb_buf_done(&b);
}

/* Guarantees: a span and a metric show their fields. */
LEAT_TEST(view_reads_spans_and_metrics)
{
    struct pb_buf b =
        bytes_of(LEAT_TRACES,
                 "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"spanId\":\"0102030405060708\","
                 "\"name\":\"GET\",\"kind\":2,\"startTimeUnixNano\":1,\"endTimeUnixNano\":9,\"flags\":257,"
                 "\"events\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"status\":{\"code\":2,\"message\":\"no\"}}]}]}]}");
    struct leat_chain chain = kit_chain(b.at, b.len, 5);
    struct otlp_walk w;
    struct otlp_span span;
    struct leat_slice event;
    otlp_walk_open(&w, LEAT_TRACES, &chain);
    EXPECT(otlp_walk_next(&w) && otlp_span_of(w.item, &span));
    EXPECT(leat_slice_is(span.name, "GET") && span.span_id.len == 8 && span.kind == 2 && span.flags == 257);
    EXPECT(span.start_unix_nano == 1 && span.end_unix_nano == 9);
    EXPECT(span.status_code == 2 && leat_slice_is(span.status_message, "no"));
    struct leat_slice rest = span.message;
    EXPECT(otlp_message_next(&rest, 11, &event) && otlp_message_next(&rest, 11, &event) &&
           !otlp_message_next(&rest, 11, &event));
    EXPECT_OK(otlp_walk_close(&w, NULL));
    leat_chain_done(&chain);
    pb_buf_done(&b);

    b = bytes_of(LEAT_METRICS,
                 "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"unit\":\"By\",\"sum\":{"
                 "\"isMonotonic\":true,\"aggregationTemporality\":2,\"dataPoints\":[{\"asInt\":4}]}}]}]}]}");
    chain = kit_chain(b.at, b.len, 0);
    struct otlp_metric metric;
    struct pb_field f;
    otlp_walk_open(&w, LEAT_METRICS, &chain);
    EXPECT(otlp_walk_next(&w) && otlp_metric_of(w.item, &metric));
    EXPECT(metric.kind == OTLP_SUM && metric.monotonic && metric.temporality == 2 && leat_slice_is(metric.unit, "By"));
    rest = metric.data;
    EXPECT(otlp_message_next(&rest, 1, &event) && otlp_get(event, 6, &f) && f.value == 4);
    EXPECT_OK(otlp_walk_close(&w, NULL));
    leat_chain_done(&chain);
    pb_buf_done(&b);
}

/* Guarantees: a walk over bytes nobody validated ends with an error and a place, and nothing else. */
LEAT_TEST(view_reports_a_broken_payload)
{
    struct leat_chain bad = kit_chain("\x0a\x04\x12\x40xx", 6, 2);
    struct otlp_walk w;
    struct leat_err err = {0};
    otlp_walk_open(&w, LEAT_LOGS, &bad);
    EXPECT(!otlp_walk_next(&w));
    EXPECT_RC(otlp_walk_close(&w, &err), LEAT_EPARSE);
    EXPECT_STR(err.text, "otlp: payload at byte 4");
    leat_chain_done(&bad);
}

LEAT_TEST_OOM(view_survives_any_failed_allocation)
{
    struct pb_buf b = {0};
    struct leat_chain chain = {0};
    leat_rc rc = otlp_json_read_message(otlp_request_of(LEAT_LOGS), leat_slice_str(two_resources), &b, NULL);
    for (size_t i = 0; rc == LEAT_OK && i < b.len; i += 40) {
        struct leat_mem *mem = leat_mem_new(40); /* a block of its own, so that pieces do not join */
        uint32_t n = b.len - i < 40 ? (uint32_t)(b.len - i) : 40;
        rc = mem ? LEAT_OK : LEAT_ENOMEM;
        if (mem) {
            memcpy(mem->at, b.at + i, n);
            rc = leat_chain_share(&chain, (struct leat_slice){mem->at, n, mem});
            leat_mem_unref(mem);
        }
    }
    if (rc == LEAT_OK) {
        struct otlp_walk w;
        otlp_walk_open(&w, LEAT_LOGS, &chain);
        while (otlp_walk_next(&w))
            ;
        rc = otlp_walk_close(&w, NULL);
    }
    leat_chain_done(&chain);
    pb_buf_done(&b);
    return rc;
}

static void expect_dressed(struct leat_slice record)
{
    struct otlp_log log;
    struct otlp_attribute a;
    EXPECT(otlp_log_of(record, &log));
    EXPECT_EQ(log.time_unix_nano, 0x0807060504030201);
    EXPECT_EQ(log.severity_number, 9);
    EXPECT(log.body.kind == OTLP_TEXT && leat_slice_is(log.body.text, "hey"));
    EXPECT(otlp_attribute_next(&log.attributes, 6, &a) && leat_slice_is(a.key, "k") &&
           leat_slice_is(a.value.text, "v"));
    EXPECT(otlp_attribute_next(&log.attributes, 6, &a) && leat_slice_is(a.key, "n") && a.value.integer == 300);
    EXPECT(a.value.kind == OTLP_INTEGER);
    EXPECT(!otlp_attribute_next(&log.attributes, 6, &a));
}

/* Scenario:   one record as everybody writes it, then with tags and lengths longer than need be, a value before its key
 *             and a field nobody knows.
 * Guarantees: both say the same; cut short anywhere neither is read past its end. */
LEAT_TEST(view_reads_a_record_in_any_dress)
{
    static const char usual[] = "\x09\x01\x02\x03\x04\x05\x06\x07\x08\x10\x09\x2a\x05\x0a\x03hey"
                                "\x32\x08\x0a\x01k\x12\x03\x0a\x01v\x32\x08\x0a\x01n\x12\x03\x18\xac\x02";
    static const char odd[] =
        "\x89\x00\x01\x02\x03\x04\x05\x06\x07\x08\x90\x00\x89\x00\xaa\x00\x87\x00\x8a\x00\x83\x00"
        "hey\x32\x89\x00\x12\x04\x0a\x81\x00v\x0a\x01k\x78\x01\xb2\x00\x09\x12\x04\x18\xac\x82\x00"
        "\x0a\x01n";
    static const struct leat_slice records[] = {LEAT_SLICE(usual), LEAT_SLICE(odd)};
    for (unsigned i = 0; i < 2; i++) {
        expect_dressed(records[i]);
        for (uint32_t len = 1; len < records[i].len; len++) {
            struct leat_chain cut = kit_chain(records[i].at, len, 0);
            struct otlp_log log;
            struct otlp_attribute a;
            if (otlp_log_of(cut.vec[0], &log))
                while (otlp_attribute_next(&log.attributes, 6, &a))
                    EXPECT(a.key.len <= 1);
            leat_chain_done(&cut);
        }
    }
}
