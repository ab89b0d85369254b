/* SPDX-License-Identifier: Apache-2.0 */
/* Documents beside hand-written ones; jansson reads both, so that every document is known to be JSON. */
#include <jansson.h>

#include "proto/bulk_json/bulk_doc.h"
#include "proto/otlp/otlp_json_read.h"
#include "tests/kit/kit.h"

#define TIME 1700000000123456789ull

static const char resource[] =
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
    "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}},{\"key\":\"k8s.pod.name\",\"value\":{\"stringValue\":"
    "\"p\"}},"
    "{\"key\":\"n\",\"value\":{\"intValue\":\"7\"}}]}";
static const char scope[] = "\"scope\":{\"name\":\"lib\",\"version\":\"1\",\"attributes\":[{\"key\":\"sa\","
                            "\"value\":{\"boolValue\":true}}]},\"schemaUrl\":\"http://s\"";
static const char full_log[] =
    "{\"timeUnixNano\":\"1700000000123456789\",\"observedTimeUnixNano\":\"1700000001000000000\",\"severityNumber\":9,"
    "\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"say \\\"hi\\\"\\n\\u0001\\u00fc\"},"
    "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\",\"attributes\":["
    "{\"key\":\"http.route\",\"value\":{\"stringValue\":\"/x\"}},{\"key\":\"i\",\"value\":{\"intValue\":\"-5\"}},"
    "{\"key\":\"d\",\"value\":{\"doubleValue\":2}},{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},"
    "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"in.ner\",\"value\":{\"arrayValue\":{\"values\":["
    "{\"stringValue\":\"a\"},{\"intValue\":\"1\"},{}]}}}]}}},{\"key\":\"b\",\"value\":{\"bytesValue\":\"AQID\"}}]}";

/* The documents of a request whose one scope has these records; a line each. */
static void write_all(struct bulk_doc *doc, enum leat_signal signal, const char *records,
                      const struct bulk_stream *stream, struct leat_strbuf *out)
{
    struct leat_strbuf text = {0};
    struct leat_err err = {0};
    struct leat_chain payload = {0};
    const char *const words[][3] = {[LEAT_LOGS] = {"resourceLogs", "scopeLogs", "logRecords"},
                                    [LEAT_TRACES] = {"resourceSpans", "scopeSpans", "spans"}};
    leat_strbuf_printf(&text, "{\"%s\":[{%s,\"schemaUrl\":\"http://r\",\"%s\":[{%s,\"%s\":[%s]}]}]}", words[signal][0],
                       resource, words[signal][1], scope, words[signal][2], records);
    struct leat_chain json = kit_chain(text.at, text.len, 0);
    EXPECT_OK_ERR(otlp_json_read(signal, &json, &payload, &err), &err);
    struct otlp_walk walk;
    otlp_walk_open(&walk, signal, &payload);
    while (otlp_walk_next(&walk)) {
        struct otlp_log log;
        struct otlp_span span;
        enum bulk_doc_end end = BULK_DOC_OK;
        if (walk.new_scope)
            bulk_doc_scope(doc, walk.resource, walk.resource_schema_url, &walk.scope);
        if (signal == LEAT_LOGS && otlp_log_of(walk.item, &log))
            end = bulk_doc_log(doc, &log, TIME, stream, out);
        else if (signal == LEAT_TRACES && otlp_span_of(walk.item, &span))
            end = bulk_doc_span(doc, &span, TIME, stream, out);
        leat_strbuf_puts(out, end == BULK_DOC_OK ? "\n" : "unfit\n");
    }
    EXPECT_OK(otlp_walk_close(&walk, &err));
    leat_chain_done(&payload);
    leat_chain_done(&json);
    leat_strbuf_done(&text);
}

static void expect(const struct bulk_doc_opts *opts, enum leat_signal signal, const char *record, const char *wanted)
{
    const struct bulk_stream stream = {LEAT_SLICE("logs"), LEAT_SLICE("a"), LEAT_SLICE("b")};
    struct bulk_doc doc;
    struct leat_strbuf out = {0};
    json_error_t error;
    bulk_doc_open(&doc, opts);
    write_all(&doc, signal, record, &stream, &out);
    EXPECT(!out.failed);
    json_t *got = json_loads(out.at, JSON_REJECT_DUPLICATES, &error), *want = json_loads(wanted, 0, &error);
    if (!got || !want || !json_equal(got, want))
        print_error("got  %s\nwant %s\n%s\n", out.at, wanted, got && want ? "" : error.text);
    EXPECT(got && want && json_equal(got, want));
    json_decref(got);
    json_decref(want);
    leat_strbuf_done(&out);
    bulk_doc_close(&doc);
}

#define BODY "\"say \\\"hi\\\"\\n\\u0001\\u00fc\""
#define IDS(trace, span) "\"" trace "\":\"0102030405060708090a0b0c0d0e0f10\",\"" span "\":\"0102030405060708\""
#define ATTRIBUTES \
    "\"http.route\":\"/x\",\"i\":-5,\"d\":2.0,\"nan\":null,\"m\":{\"in.ner\":[\"a\",1,null]},\"b\":\"AQID\""

/* Guarantees: the Simple Schema: attributes with their dots, resource as strings, the data stream among the attributes.
 */
LEAT_TEST(ss4o_log)
{
    expect(
        &(struct bulk_doc_opts){.mapping = BULK_SS4O, .dataset = "ds", .namespace = "ns"}, LEAT_LOGS, full_log,
        "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"observedTimestamp\":\"2023-11-14T22:13:21.000000000Z\","
        "\"body\":" BODY ",\"severity\":{\"text\":\"INFO\",\"number\":9},\"attributes\":{" ATTRIBUTES
        ",\"data_stream\":{\"type\":\"record\",\"dataset\":\"ds\",\"namespace\":\"ns\"}}," IDS(
            "traceId",
            "spanId") ","
                      "\"instrumentationScope\":{\"name\":\"lib\",\"version\":\"1\",\"schemaUrl\":\"http://"
                      "s\",\"attributes\":{\"sa\":true}},"
                      "\"resource\":{\"service.name\":\"shop\",\"host.name\":\"h\",\"k8s.pod.name\":\"p\",\"n\":\"7\"},"
                      "\"schemaUrl\":\"http://s\"}");
}

/* Guarantees: a record without anything is a document with a time and an empty body; a map as body is its JSON text. */
LEAT_TEST(ss4o_log_of_little)
{
    static const char rest[] =
        "\"severity\":{},\"attributes\":{},\"instrumentationScope\":{\"name\":\"lib\",\"version\":\"1\","
        "\"schemaUrl\":\"http://s\",\"attributes\":{\"sa\":true}},\"resource\":{\"service.name\":\"shop\","
        "\"host.name\":\"h\",\"k8s.pod.name\":\"p\",\"n\":\"7\"},\"schemaUrl\":\"http://s\"";
    char wanted[1024];
    (void)snprintf(
        wanted, sizeof wanted,
        "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"observedTimestamp\":\"2023-11-14T22:13:20.123456789Z\","
        "\"body\":\"\",%s}",
        rest);
    expect(&(struct bulk_doc_opts){.mapping = BULK_SS4O}, LEAT_LOGS, "{}", wanted);
    (void)snprintf(
        wanted, sizeof wanted,
        "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"observedTimestamp\":\"2023-11-14T22:13:20.123456789Z\","
        "\"body\":\"{\\\"k\\\":\\\"v\\\"}\",%s}",
        rest);
    expect(&(struct bulk_doc_opts){.mapping = BULK_SS4O}, LEAT_LOGS,
           "{\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}}}", wanted);
}

/* Guarantees: the data model, nested: "Attributes" of resource and record in one, the record's winning. */
LEAT_TEST(model_log)
{
    expect(&(struct bulk_doc_opts){.mapping = BULK_MODEL}, LEAT_LOGS, full_log,
           "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\"," IDS(
               "TraceId", "SpanId") ",\"TraceFlags\":0,"
                                    "\"SeverityText\":\"INFO\",\"SeverityNumber\":9,\"Body\":" BODY
                                    ",\"Attributes\":{\"service\":{\"name\":\"shop\"},"
                                    "\"host\":{\"name\":\"h\"},\"k8s\":{\"pod\":{\"name\":\"p\"}},\"n\":7,\"http\":{"
                                    "\"route\":\"/x\"},\"i\":-5,\"d\":2.0,"
                                    "\"nan\":null,\"m\":{\"in\":{\"ner\":[\"a\",1,null]}},\"b\":\"AQID\"}}");
}

/* Guarantees: flattened with dots kept; the time under another name, as milliseconds. */
LEAT_TEST(flattened_log)
{
    expect(
        &(struct bulk_doc_opts){
            .mapping = BULK_FLATTEN, .keep_dots = true, .timestamp_field = "t", .unix_timestamp = true},
        LEAT_LOGS, full_log,
        "{\"t\":1700000000123," IDS(
            "TraceId", "SpanId") ",\"TraceFlags\":0,\"SeverityText\":\"INFO\",\"SeverityNumber\":9,"
                                 "\"Body\":" BODY ",\"service.name\":\"shop\",\"host.name\":\"h\",\"k8s.pod.name\":"
                                 "\"p\",\"n\":7,\"http.route\":\"/x\","
                                 "\"i\":-5,\"d\":2.0,\"nan\":null,\"m.in.ner\":[\"a\",1,null],\"b\":\"AQID\"}");
}

/* Scenario:   names that meet: n in the resource and the record, "a" beside "a.b" and "a-b", a map beside a dotted
 * name. Guarantees: no name twice; the later value wins; "a" moves to a.value; the same nested and flat. */
LEAT_TEST(names_that_meet)
{
    static const char record[] =
        "{\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"8\"}},{\"key\":\"a.b\",\"value\":{\"intValue\":"
        "\"1\"}},"
        "{\"key\":\"a\",\"value\":{\"intValue\":\"2\"}},{\"key\":\"a-b\",\"value\":{\"intValue\":\"3\"}},"
        "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"intValue\":\"4\"}}]}}},"
        "{\"key\":\"m.y.z\",\"value\":{\"intValue\":\"5\"}},{\"key\":\"v\",\"value\":{\"intValue\":\"6\"}},"
        "{\"key\":\"v.value\",\"value\":{\"intValue\":\"9\"}},{\"key\":\"m.x\",\"value\":{\"intValue\":\"10\"}}]}";
    expect(&(struct bulk_doc_opts){.mapping = BULK_FLATTEN}, LEAT_LOGS, record,
           "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"TraceFlags\":0,\"SeverityNumber\":0,\"service\":{"
           "\"name\":\"shop\"},"
           "\"host\":{\"name\":\"h\"},\"k8s\":{\"pod\":{\"name\":\"p\"}},\"n\":8,\"a\":{\"b\":1,\"value\":2},\"a-b\":3,"
           "\"m\":{\"x\":10,\"y\":{\"z\":5}},\"v\":{\"value\":9}}");
    expect(
        &(struct bulk_doc_opts){.mapping = BULK_FLATTEN, .keep_dots = true}, LEAT_LOGS, record,
        "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"TraceFlags\":0,\"SeverityNumber\":0,\"service.name\":"
        "\"shop\","
        "\"host.name\":\"h\",\"k8s.pod.name\":\"p\",\"n\":8,\"a.b\":1,\"a.value\":2,\"a-b\":3,\"m.x\":10,\"m.y.z\":5,"
        "\"v.value\":9}");
}

/* Guarantees: the same among attributes that keep their dots; a map beside a dotted name is no conflict. */
LEAT_TEST(names_that_meet_with_their_dots)
{
    struct bulk_doc doc;
    struct leat_strbuf out = {0};
    bulk_doc_open(&doc, &(struct bulk_doc_opts){.mapping = BULK_OTEL});
    write_all(&doc, LEAT_LOGS,
              "{\"attributes\":[{\"key\":\"a.b\",\"value\":{\"intValue\":\"1\"}},{\"key\":\"a\",\"value\":{"
              "\"intValue\":\"2\"}},"
              "{\"key\":\"k\",\"value\":{\"intValue\":\"3\"}},{\"key\":\"k\",\"value\":{\"intValue\":\"4\"}},"
              "{\"key\":\"m\",\"value\":{\"kvlistValue\":{}}},{\"key\":\"m.x\",\"value\":{\"intValue\":\"5\"}},"
              "{\"key\":\"v\",\"value\":{\"intValue\":\"6\"}},{\"key\":\"v.value\",\"value\":{\"intValue\":\"7\"}}]}",
              NULL, &out);
    EXPECT(strstr(out.at, "\"attributes\":{\"a.b\":1,\"a.value\":2,\"k\":4,\"m\":{},\"m.x\":5,\"v.value\":7}"));
    leat_strbuf_done(&out);
    bulk_doc_close(&doc);
}

/* Guarantees: the body is the document, and what is no map has none. */
LEAT_TEST(bodymap_log)
{
    struct bulk_doc doc;
    struct leat_strbuf out = {0};
    bulk_doc_open(&doc, &(struct bulk_doc_opts){.mapping = BULK_BODYMAP});
    write_all(&doc, LEAT_LOGS,
              "{\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a.b\",\"value\":{\"doubleValue\":0.5}}]}}},"
              "{\"body\":{\"stringValue\":\"text\"}},{}",
              NULL, &out);
    EXPECT_STR(out.at, "{\"a.b\":0.5}\nunfit\nunfit\n");
    leat_strbuf_done(&out);
    bulk_doc_close(&doc);
}

/* Guarantees: Elasticsearch's OTel streams: times with what is below a millisecond, the body by its kind. */
LEAT_TEST(otel_log)
{
#define OTEL_REST                                                                                                      \
    "\"data_stream\":{\"type\":\"logs\",\"dataset\":\"a\",\"namespace\":\"b\"},\"resource\":{\"schema_url\":\"http://" \
    "r\","                                                                                                             \
    "\"attributes\":{\"service.name\":\"shop\",\"host.name\":\"h\",\"k8s.pod.name\":\"p\",\"n\":7}},\"scope\":{"       \
    "\"schema_url\":\"http://s\",\"name\":\"lib\",\"version\":\"1\",\"attributes\":{\"sa\":true}}"
    expect(&(struct bulk_doc_opts){.mapping = BULK_OTEL}, LEAT_LOGS, full_log,
           "{\"@timestamp\":\"1700000000123.456789\",\"observed_timestamp\":\"1700000001000.0\",\"severity_text\":"
           "\"INFO\","
           "\"severity_number\":9," IDS("trace_id", "span_id") ",\"attributes\":{" ATTRIBUTES
                                                               "},\"body\":{\"text\":" BODY "}," OTEL_REST "}");
    expect(&(struct bulk_doc_opts){.mapping = BULK_OTEL}, LEAT_LOGS,
           "{\"droppedAttributesCount\":2,\"eventName\":\"e\",\"body\":{\"arrayValue\":{\"values\":[{\"intValue\":"
           "\"1\"}]}}}",
           "{\"@timestamp\":\"1700000000123.456789\",\"observed_timestamp\":\"1700000000123.456789\",\"attributes\":{},"
           "\"dropped_attributes_count\":2,\"event_name\":\"e\",\"body\":{\"structured\":{\"value\":[1]}}," OTEL_REST
           "}");
}

/* Guarantees: names of the semantic conventions become the schema's, host.name stays beside its copy. */
LEAT_TEST(ecs_log)
{
    expect(&(struct bulk_doc_opts){.mapping = BULK_ECS}, LEAT_LOGS, full_log,
           "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"data_stream\":{\"type\":\"logs\",\"dataset\":\"a\","
           "\"namespace\":"
           "\"b\"},\"service\":{\"name\":\"shop\"},\"host\":{\"name\":\"h\",\"hostname\":\"h\"},\"kubernetes\":{"
           "\"pod\":{\"name\":"
           "\"p\"}},\"n\":7,\"sa\":true,\"http\":{\"route\":\"/"
           "x\"},\"i\":-5,\"d\":2.0,\"nan\":null,\"m\":{\"in\":{\"ner\":[\"a\","
           "1,null]}},\"b\":\"AQID\",\"trace\":{\"id\":\"0102030405060708090a0b0c0d0e0f10\"},\"span\":{\"id\":"
           "\"0102030405060708\"},\"event\":{\"severity\":9},\"log\":{\"level\":\"INFO\"},\"message\":" BODY "}");
}

static const char full_span[] =
    "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\",\"parentSpanId\":"
    "\"0807060504030201\","
    "\"traceState\":\"a=b\",\"name\":\"op\",\"kind\":3,\"startTimeUnixNano\":\"1700000000123456789\","
    "\"endTimeUnixNano\":\"1700000000123456999\",\"droppedEventsCount\":3,\"status\":{\"code\":2,\"message\":\"bad\"},"
    "\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}],\"events\":[{\"timeUnixNano\":"
    "\"1700000000123456790\","
    "\"name\":\"e\",\"attributes\":[{\"key\":\"x\",\"value\":{\"intValue\":\"1\"}}]}],\"links\":[{\"traceId\":"
    "\"100f0e0d0c0b0a090807060504030201\",\"spanId\":\"0807060504030201\"}]}";

/* Guarantees: spans of the Simple Schema, with events and links inside; also in the modes that shape logs alone. */
LEAT_TEST(ss4o_span)
{
    static const char wanted[] =
        "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"startTime\":\"2023-11-14T22:13:20.123456789Z\","
        "\"endTime\":"
        "\"2023-11-14T22:13:20.123456999Z\"," IDS(
            "traceId",
            "spanId") ",\"parentSpanId\":\"0807060504030201\",\"traceState\":"
                      "\"a=b\",\"name\":\"op\",\"kind\":\"Client\",\"status\":{\"code\":\"Error\",\"message\":\"bad\"},"
                      "\"droppedAttributesCount\":0,\"droppedEventsCount\":3,\"droppedLinksCount\":0,\"attributes\":{"
                      "\"k\":\"v\","
                      "\"data_stream\":{\"type\":\"span\",\"dataset\":\"ds\"}},\"events\":[{\"name\":\"e\",\"@"
                      "timestamp\":"
                      "\"2023-11-14T22:13:20.123456790Z\",\"attributes\":{\"x\":1},\"droppedAttributesCount\":0}],"
                      "\"links\":[{\"traceId\":"
                      "\"100f0e0d0c0b0a090807060504030201\",\"spanId\":\"0807060504030201\",\"attributes\":{},"
                      "\"droppedAttributesCount\":0}],"
                      "\"instrumentationScope\":{\"name\":\"lib\",\"version\":\"1\",\"schemaUrl\":\"http://"
                      "s\",\"attributes\":{\"sa\":true}},"
                      "\"resource\":{\"service.name\":\"shop\",\"host.name\":\"h\",\"k8s.pod.name\":\"p\",\"n\":\"7\"},"
                      "\"schemaUrl\":"
                      "\"http://s\"}";
    expect(&(struct bulk_doc_opts){.mapping = BULK_SS4O, .dataset = "ds"}, LEAT_TRACES, full_span, wanted);
    expect(&(struct bulk_doc_opts){.mapping = BULK_FLATTEN, .dataset = "ds"}, LEAT_TRACES, full_span, wanted);
}

/* Guarantees: spans as Elasticsearch has them, in both of its mappings. */
LEAT_TEST(otel_and_ecs_span)
{
    expect(&(struct bulk_doc_opts){.mapping = BULK_OTEL}, LEAT_TRACES, full_span,
           "{\"@timestamp\":\"1700000000123.456789\"," IDS(
               "trace_id", "span_id") ",\"parent_span_id\":\"0807060504030201\","
                                      "\"trace_state\":\"a=b\",\"name\":\"op\",\"kind\":\"Client\",\"duration\":210,"
                                      "\"attributes\":{\"k\":\"v\"},"
                                      "\"dropped_events_count\":3,\"events\":[{\"@timestamp\":\"1700000000123.456790\","
                                      "\"event_name\":\"e\","
                                      "\"attributes\":{\"x\":1}}],\"links\":[{\"trace_id\":"
                                      "\"100f0e0d0c0b0a090807060504030201\",\"span_id\":"
                                      "\"0807060504030201\",\"attributes\":{}}],\"status\":{\"code\":\"Error\","
                                      "\"message\":\"bad\"}," OTEL_REST "}");
    expect(&(struct bulk_doc_opts){.mapping = BULK_ECS}, LEAT_TRACES, full_span,
           "{\"@timestamp\":\"2023-11-14T22:13:20.123456789Z\",\"data_stream\":{\"type\":\"logs\",\"dataset\":\"a\","
           "\"namespace\":"
           "\"b\"},\"service\":{\"name\":\"shop\"},\"host\":{\"name\":\"h\",\"hostname\":\"h\"},\"kubernetes\":{"
           "\"pod\":{\"name\":"
           "\"p\"}},\"n\":7,\"sa\":true,\"k\":\"v\",\"trace\":{\"id\":\"0102030405060708090a0b0c0d0e0f10\"},\"parent\":"
           "{\"id\":"
           "\"0807060504030201\"},\"span\":{\"id\":\"0102030405060708\",\"name\":\"op\",\"kind\":\"CLIENT\",\"links\":["
           "{\"trace\":{"
           "\"id\":\"100f0e0d0c0b0a090807060504030201\"},\"span\":{\"id\":\"0807060504030201\"}}]},\"event\":{"
           "\"duration\":210,"
           "\"outcome\":\"failure\"}}");
}

/* Guarantees: the cached attributes of the record before are used for equal ones alone. */
LEAT_TEST(attributes_are_not_mixed_up)
{
    struct bulk_doc doc;
    struct leat_strbuf out = {0};
#define A(value) "{\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"" value "\"}}]}"
    bulk_doc_open(&doc, &(struct bulk_doc_opts){.mapping = BULK_OTEL});
    write_all(&doc, LEAT_LOGS, A("one") "," A("one") "," A("two") ",{}," A("one"), NULL, &out);
    const char *at = out.at;
    static const char *const wanted[] = {"{\"k\":\"one\"}", "{\"k\":\"one\"}", "{\"k\":\"two\"}", "{}",
                                         "{\"k\":\"one\"}"};
    for (size_t i = 0; i < 5; i++) {
        at = strstr(at, "\"attributes\":");
        EXPECT(at && strncmp(at + 13, wanted[i], strlen(wanted[i])) == 0);
        at = strchr(at, '\n');
    }
    leat_strbuf_done(&out);
    bulk_doc_close(&doc);
}
