/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/exporters/clickhouse/clickhouse_kit.h"

/* A test for each format. */
#define LEAT_TEST_FORMATS(name)                                  \
    static void name##_as(int format);                           \
    LEAT_TEST(name##_native) { name##_as(CLICKHOUSE_NATIVE); }    \
    LEAT_TEST(name##_row_binary) { name##_as(CLICKHOUSE_ROW_BINARY); } \
    static void name##_as(int format)
#define LEAT_TEST_OOM_FORMATS(name)                                             \
    static leat_rc name##_as(int format);                                       \
    LEAT_TEST_OOM(name##_native) { return name##_as(CLICKHOUSE_NATIVE); }        \
    LEAT_TEST_OOM(name##_row_binary) { return name##_as(CLICKHOUSE_ROW_BINARY); } \
    static leat_rc name##_as(int format)

struct encoded {
    struct leat_batch batch;
    struct leat_requests out;
};

static void encode(struct subject *s, enum leat_signal signal, const char *json, struct encoded *e)
{
    struct leat_err err = {0};
    *e = (struct encoded){0};
    EXPECT_OK(batch_of(signal, json, &e->batch));
    EXPECT_OK(subject_open(s, signal));
    EXPECT_OK_ERR(clickhouse_encode(&s->state, &e->batch, &e->out, &err), &err);
}

static void done(struct subject *s, struct encoded *e)
{
    leat_requests_done(&e->out);
    leat_chain_done(&e->batch.payload);
    clickhouse_close(&s->state);
}

#define RESOURCE                                                                                                     \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"                \
    "{\"key\":\"n\",\"value\":{\"intValue\":\"-5\"}}]},\"schemaUrl\":\"http://r\","
#define SCOPE                                                                                                  \
    "\"scope\":{\"name\":\"lib\",\"version\":\"1\",\"attributes\":[{\"key\":\"s\",\"value\":{\"boolValue\":true}}]," \
    "\"droppedAttributesCount\":3},\"schemaUrl\":\"http://s\","
#define ATTRIBUTES \
    "\"attributes\":[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"stringValue\":\"b\"}]}}}]"
#define TRACE "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\","

/* Guarantees: each column of a log record has the value the schema means, in the schema's order, for full records, bare
 * ones and records whose body or attributes are those of the record before. */
LEAT_TEST_FORMATS(clickhouse_writes_logs)
{
    struct subject s;
    struct encoded e;
    subject_defaults(&s);
    s.conf.format = format;
    encode(&s, LEAT_LOGS,
           "{\"resourceLogs\":[{" RESOURCE "\"scopeLogs\":[{" SCOPE "\"logRecords\":["
           "{\"timeUnixNano\":\"1700000000000000001\",\"severityNumber\":9,\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"hello\"}," ATTRIBUTES
           "," TRACE "\"spanId\":\"1112131415161718\",\"flags\":257,\"eventName\":\"ev\"},"
           "{\"observedTimeUnixNano\":\"7\",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"doubleValue\":0.5}}]}}," ATTRIBUTES
           "},{}]}]},{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"bytesValue\":\"AQI=\"}}]}]}]}",
           &e);
    EXPECT_EQ(e.out.count, 1);
    EXPECT_EQ(e.out.at[0].first, 0);
    EXPECT(!e.out.at[0].bitmap);
#define SHARED                                                                                                     \
    "ResourceSchemaUrl=http://r ResourceAttributes={service.name:shop,n:-5} ScopeSchemaUrl=http://s ScopeName=lib " \
    "ScopeVersion=1 ScopeAttributes={s:true} "
    expect_rows(&e.out.at[0],
                "Timestamp=1700000000000000001 TraceId=0102030405060708090a0b0c0d0e0f10 SpanId=1112131415161718 "
                "TraceFlags=1 SeverityText=INFO SeverityNumber=9 ServiceName=shop Body=hello " SHARED
                "LogAttributes={k:[1,\"b\"]} EventName=ev\n"
                "Timestamp=7 TraceId= SpanId= TraceFlags=0 SeverityText= SeverityNumber=0 ServiceName=shop "
                "Body={\"a\":0.5} " SHARED "LogAttributes={k:[1,\"b\"]} EventName=\n"
                "Timestamp=0 TraceId= SpanId= TraceFlags=0 SeverityText= SeverityNumber=0 ServiceName=shop Body= " SHARED
                "LogAttributes={} EventName=\n"
                "Timestamp=0 TraceId= SpanId= TraceFlags=0 SeverityText= SeverityNumber=0 ServiceName= Body=AQI= "
                "ResourceSchemaUrl= ResourceAttributes={} ScopeSchemaUrl= ScopeName= ScopeVersion= ScopeAttributes={} "
                "LogAttributes={} EventName=\n");
    done(&s, &e);
}

/* Guarantees: a raw event is the line as it came, with its time, its file and its pod, wherever those stand. */
LEAT_TEST_FORMATS(clickhouse_writes_raw_events)
{
    struct subject s;
    struct encoded e;
    subject_defaults(&s);
    s.conf.format = format;
    s.conf.raw_events = true;
    encode(&s, LEAT_LOGS,
           "{\"resourceLogs\":[{\"resource\":{\"attributes\":["
           "{\"key\":\"k8s.pod.name\",\"value\":{\"stringValue\":\"web-1\"}},{\"key\":\"k8s.namespace.name\",\"value\":{\"stringValue\":\"demo\"}},"
           "{\"key\":\"k8s.container.name\",\"value\":{\"stringValue\":\"web\"}}]},\"scopeLogs\":[{\"logRecords\":["
           "{\"timeUnixNano\":\"5\",\"body\":{\"stringValue\":\"a  line\"},\"attributes\":[{\"key\":\"log.file.path\",\"value\":{\"stringValue\":\"/a.log\"}}]},"
           "{\"timeUnixNano\":\"6\",\"body\":{\"kvlistValue\":{\"values\":[]}},\"attributes\":[{\"key\":\"log.file.name\",\"value\":{\"stringValue\":\"b.log\"}},"
           "{\"key\":\"log.record.original\",\"value\":{\"stringValue\":\"{ \\\"x\\\": 1 }\"}}]}]}]}]}",
           &e);
    EXPECT_EQ(CLICKHOUSE_TABLE_OF(e.out.at[0].tag), CLICKHOUSE_RAW);
    expect_rows(&e.out.at[0], "Time=5 Source=/a.log Namespace=demo Pod=web-1 Container=web Line=a  line\n"
                              "Time=6 Source=b.log Namespace=demo Pod=web-1 Container=web Line={ \"x\": 1 }\n");
    EXPECT(strstr(e.out.at[0].url, "raw_events"));
    done(&s, &e);
}

/* Guarantees: each column of a span; events and links as arrays of equal length; a span that ends before it begins took
 * no time; a kind nobody knows has no name. */
LEAT_TEST_FORMATS(clickhouse_writes_spans)
{
    struct subject s;
    struct encoded e;
    subject_defaults(&s);
    s.conf.format = format;
    encode(&s, LEAT_TRACES,
           "{\"resourceSpans\":[{" RESOURCE "\"scopeSpans\":[{" SCOPE "\"spans\":["
           "{" TRACE "\"spanId\":\"1112131415161718\",\"parentSpanId\":\"2112131415161718\",\"traceState\":\"a=b\",\"name\":\"op\",\"kind\":2,"
           "\"startTimeUnixNano\":\"100\",\"endTimeUnixNano\":\"350\"," ATTRIBUTES ",\"status\":{\"code\":2,\"message\":\"bad\"},"
           "\"events\":[{\"timeUnixNano\":\"120\",\"name\":\"e1\"," ATTRIBUTES "},{\"timeUnixNano\":\"130\",\"name\":\"e2\"}],"
           "\"links\":[{" TRACE "\"spanId\":\"3112131415161718\",\"traceState\":\"c=d\"," ATTRIBUTES "}]},"
           "{\"startTimeUnixNano\":\"100\",\"endTimeUnixNano\":\"50\",\"kind\":77,\"status\":{\"code\":1}}]}]}]}",
           &e);
    EXPECT_EQ(e.out.count, 1);
    expect_rows(&e.out.at[0],
                "Timestamp=100 TraceId=0102030405060708090a0b0c0d0e0f10 SpanId=1112131415161718 "
                "ParentSpanId=2112131415161718 TraceState=a=b SpanName=op SpanKind=Server ServiceName=shop "
                "ResourceAttributes={service.name:shop,n:-5} ScopeName=lib ScopeVersion=1 SpanAttributes={k:[1,\"b\"]} "
                "Duration=250 StatusCode=Error StatusMessage=bad Events.Timestamp=[120,130] Events.Name=[e1,e2] "
                "Events.Attributes=[{k:[1,\"b\"]},{}] Links.TraceId=[0102030405060708090a0b0c0d0e0f10] "
                "Links.SpanId=[3112131415161718] Links.TraceState=[c=d] Links.Attributes=[{k:[1,\"b\"]}]\n"
                "Timestamp=100 TraceId= SpanId= ParentSpanId= TraceState= SpanName= SpanKind= ServiceName=shop "
                "ResourceAttributes={service.name:shop,n:-5} ScopeName=lib ScopeVersion=1 SpanAttributes={} Duration=0 "
                "StatusCode=Ok StatusMessage= Events.Timestamp=[] Events.Name=[] Events.Attributes=[] Links.TraceId=[] "
                "Links.SpanId=[] Links.TraceState=[] Links.Attributes=[]\n");
    done(&s, &e);
}

/* ---- metrics ---- */

#define POINT(more) "{" ATTRIBUTES ",\"startTimeUnixNano\":\"1\",\"timeUnixNano\":\"2\",\"flags\":1," more "}"
#define EXEMPLARS                                                                                               \
    "\"exemplars\":[{\"timeUnixNano\":\"9\",\"asInt\":\"4\",\"spanId\":\"1112131415161718\"," TRACE             \
    "\"filteredAttributes\":[{\"key\":\"f\",\"value\":{\"stringValue\":\"g\"}}]},{\"asDouble\":0.5}]"
#define METRIC(name, data) "{\"name\":\"" name "\",\"description\":\"d\",\"unit\":\"By\"," data "}"
#define METRICS(list) "{\"resourceMetrics\":[{" RESOURCE "\"scopeMetrics\":[{" SCOPE "\"metrics\":[" list "]}]}]}"

#define COMMON(name)                                                                                               \
    "ResourceAttributes={service.name:shop,n:-5} ResourceSchemaUrl=http://r ScopeName=lib ScopeVersion=1 "         \
    "ScopeAttributes={s:true} ScopeDroppedAttrCount=3 ScopeSchemaUrl=http://s ServiceName=shop MetricName=" name   \
    " MetricDescription=d MetricUnit=By Attributes={k:[1,\"b\"]} StartTimeUnix=1 TimeUnix=2 "
#define EXEMPLAR_TEXT                                                                                             \
    "Exemplars.FilteredAttributes=[{f:g},{}] Exemplars.TimeUnix=[9,0] Exemplars.Value=[4,0.5] "                   \
    "Exemplars.SpanId=[1112131415161718,] Exemplars.TraceId=[0102030405060708090a0b0c0d0e0f10,]"
#define NO_EXEMPLARS                                                                                     \
    "Exemplars.FilteredAttributes=[] Exemplars.TimeUnix=[] Exemplars.Value=[] Exemplars.SpanId=[] Exemplars.TraceId=[]"

static const struct leat_request *request_of(const struct encoded *e, enum clickhouse_table table)
{
    for (uint32_t i = 0; i < e->out.count; i++)
        if (CLICKHOUSE_TABLE_OF(e->out.at[i].tag) == table)
            return &e->out.at[i];
    fail_msg("nothing for table %d", (int)table);
    return NULL;
}

static void expect_items(const struct leat_request *request, uint32_t item_count, const char *items)
{
    char text[65] = {0};
    for (uint32_t i = 0; i < item_count; i++) {
        bool in = request->bitmap ? leat_bitmap_get(request->bitmap, i)
                                  : i >= request->first && i < request->first + request->count;
        text[i] = in ? 'x' : '.';
    }
    EXPECT_STR(text, items);
}

/* Guarantees: one batch of all kinds makes a request a table, each covers exactly its own points, and each column of each
 * of the five tables has the value the schema means. */
LEAT_TEST_FORMATS(clickhouse_writes_all_kinds_of_metrics)
{
    struct subject s;
    struct encoded e;
    subject_defaults(&s);
    s.conf.format = format;
    encode(&s, LEAT_METRICS,
           METRICS(METRIC("g1", "\"gauge\":{\"dataPoints\":[" POINT("\"asDouble\":1.5," EXEMPLARS) "]}") ","
                   METRIC("s", "\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":[" POINT("\"asInt\":\"-7\"") "]}") ","
                   METRIC("none", "\"unknown\":{}") ","
                   METRIC("h", "\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[" POINT(
                       "\"count\":\"6\",\"sum\":9.5,\"min\":-1,\"max\":4,\"bucketCounts\":[\"1\",\"2\",\"3\"],\"explicitBounds\":[0.5,10]," EXEMPLARS) "]}") ","
                   METRIC("g2", "\"gauge\":{\"dataPoints\":[" POINT("\"asInt\":\"8\"") "," POINT("\"asInt\":\"9\"") "]}") ","
                   METRIC("e", "\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[" POINT(
                       "\"count\":\"5\",\"sum\":2,\"scale\":-2,\"zeroCount\":\"1\",\"positive\":{\"offset\":-3,\"bucketCounts\":[\"1\",\"300\"]},"
                       "\"negative\":{\"offset\":4,\"bucketCounts\":[\"2\"]},\"min\":0.25,\"max\":2") "]}") ","
                   METRIC("q", "\"summary\":{\"dataPoints\":[" POINT(
                       "\"count\":\"3\",\"sum\":6,\"quantileValues\":[{\"quantile\":0.5,\"value\":2},{\"quantile\":0.9,\"value\":3}]") "]}")),
           &e);
    EXPECT_EQ(e.batch.item_count, 7);
    EXPECT_EQ(e.out.count, 5);
    const struct leat_request *r = request_of(&e, CLICKHOUSE_GAUGE);
    expect_items(r, 7, "x..xx..");
    expect_rows(r, COMMON("g1") "Value=1.5 Flags=1 " EXEMPLAR_TEXT "\n" COMMON("g2") "Value=8 Flags=1 " NO_EXEMPLARS "\n" COMMON(
                       "g2") "Value=9 Flags=1 " NO_EXEMPLARS "\n");
    r = request_of(&e, CLICKHOUSE_SUM);
    expect_items(r, 7, ".x.....");
    expect_rows(r, COMMON("s") "Value=-7 Flags=1 " NO_EXEMPLARS " AggregationTemporality=2 IsMonotonic=1\n");
    r = request_of(&e, CLICKHOUSE_HISTOGRAM);
    expect_items(r, 7, "..x....");
    expect_rows(r, COMMON("h") "Count=6 Sum=9.5 BucketCounts=[1,2,3] ExplicitBounds=[0.5,10] " EXEMPLAR_TEXT
                               " Flags=1 Min=-1 Max=4 AggregationTemporality=1\n");
    r = request_of(&e, CLICKHOUSE_EXPONENTIAL_HISTOGRAM);
    expect_items(r, 7, ".....x.");
    expect_rows(r, COMMON("e") "Count=5 Sum=2 Scale=-2 ZeroCount=1 PositiveOffset=-3 PositiveBucketCounts=[1,300] "
                               "NegativeOffset=4 NegativeBucketCounts=[2] " NO_EXEMPLARS
                               " Flags=1 Min=0.25 Max=2 AggregationTemporality=2\n");
    r = request_of(&e, CLICKHOUSE_SUMMARY);
    expect_items(r, 7, "......x");
    expect_rows(r, COMMON("q") "Count=3 Sum=6 ValueAtQuantiles.Quantile=[0.5,0.9] ValueAtQuantiles.Value=[2,3] Flags=1\n");
    done(&s, &e);
}

/* ---- requests ---- */

static struct leat_slice token_of(const struct leat_request *request)
{
    const char *at = strstr(request->url, "insert_deduplication_token=");
    EXPECT(at != NULL);
    return leat_slice_str(at + strlen("insert_deduplication_token="));
}

#define LOGS(body) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"" body "\"}}]}]}]}"

/* Guarantees: the same rows have the same token whatever exporter, process or compression writes them; others another. */
LEAT_TEST(clickhouse_tokens_are_made_of_the_rows)
{
    struct subject s[4];
    struct encoded e[4];
    for (int i = 0; i < 4; i++) {
        subject_defaults(&s[i]);
        s[i].http.compression = i == 1 ? LEAT_CODING_LZ4 : i == 2 ? LEAT_CODING_ZSTD : LEAT_CODING_NONE;
        encode(&s[i], LEAT_LOGS, i == 3 ? LOGS("b") : LOGS("a"), &e[i]);
        EXPECT_EQ(token_of(&e[i].out.at[0]).len, 32);
    }
    EXPECT(leat_slice_eq(token_of(&e[0].out.at[0]), token_of(&e[1].out.at[0])));
    EXPECT(leat_slice_eq(token_of(&e[0].out.at[0]), token_of(&e[2].out.at[0])));
    EXPECT(!leat_slice_eq(token_of(&e[0].out.at[0]), token_of(&e[3].out.at[0])));
    EXPECT_STR((const char *)token_of(&e[0].out.at[0]).at, (const char *)token_of(&e[1].out.at[0]).at);
    struct leat_chain plain;
    EXPECT_OK(leat_decode(LEAT_CODING_LZ4, &e[1].out.at[0].body, 1 << 20, &plain, NULL));
    EXPECT(leat_chain_eq(&plain, &e[0].out.at[0].body));
    leat_chain_done(&plain);
    EXPECT_EQ(e[0].out.at[0].header_count, 1);
    EXPECT(leat_slice_is(e[1].out.at[0].headers[1].value, "lz4"));
    for (int i = 0; i < 4; i++)
        done(&s[i], &e[i]);
}

static void put_many(struct leat_strbuf *json, int count)
{
    leat_strbuf_puts(json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[");
    for (int i = 0; i < count; i++)
        leat_strbuf_printf(json, "%s{\"body\":{\"stringValue\":\"line %d\"}}", i ? "," : "", i);
    leat_strbuf_puts(json, "]}]}]}");
}

#define NAMES_BYTES 450 /* of the columns and their types, in a block */

/* Guarantees: max_request_size ends INSERTs; together they cover each record once. */
LEAT_TEST_FORMATS(clickhouse_ends_an_insert_at_its_size)
{
    struct subject s;
    struct encoded e;
    struct leat_strbuf json = {0};
    uint32_t next = 0, rows;
    subject_defaults(&s);
    s.conf.format = format;
    s.conf.request_bytes_max = 4096;
    put_many(&json, 1000);
    encode(&s, LEAT_LOGS, json.at, &e);
    EXPECT(e.out.count > 5);
    for (uint32_t i = 0; i < e.out.count; i++) {
        EXPECT_EQ(e.out.at[i].first, next);
        struct leat_strbuf text = rows_text(&e.out.at[i], &rows);
        EXPECT_EQ(rows, e.out.at[i].count);
        EXPECT(e.out.at[i].body.bytes < 4096 + 200 + (format == CLICKHOUSE_NATIVE ? NAMES_BYTES : 0));
        next += rows;
        leat_strbuf_done(&text);
    }
    EXPECT_EQ(next, 1000);
    leat_strbuf_done(&json);
    done(&s, &e);
}

static void put_resource(struct leat_strbuf *json, int resource, int records)
{
    leat_strbuf_printf(json, "%s{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"s%d\"}}]},"
                             "\"scopeLogs\":[", resource ? "," : "", resource);
    for (int scope = 0; scope < 2; scope++) {
        leat_strbuf_printf(json, "%s{\"scope\":{\"name\":\"scope%d\",\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":%d}}]},"
                                 "\"logRecords\":[", scope ? "," : "", scope, scope);
        for (int i = 0; i < records; i++) {
            leat_strbuf_printf(json, "%s{\"timeUnixNano\":\"%d\",\"body\":{\"stringValue\":\"line %d %0*d\"},\"attributes\":[",
                               i ? "," : "", i, i, i % 97 + 1, 0);
            for (int a = 0; a < i % 3; a++)
                leat_strbuf_printf(json, "%s{\"key\":\"k%d\",\"value\":{\"intValue\":%d}}", a ? "," : "", a, i / 4);
            leat_strbuf_puts(json, "]}");
        }
        leat_strbuf_puts(json, "]}");
    }
    leat_strbuf_puts(json, "]}");
}

/* Scenario:   rows of many resources and scopes, runs of one row and of thousands, columns larger than a block, in one
 * INSERT and in several.
 * Guarantees: both formats say the same of every row, and cover the same items. */
LEAT_TEST(clickhouse_formats_say_the_same)
{
    struct leat_strbuf json = {0};
    leat_strbuf_puts(&json, "{\"resourceLogs\":[");
    put_resource(&json, 0, 1);
    put_resource(&json, 1, 3000);
    put_resource(&json, 2, 0);
    put_resource(&json, 3, 700);
    leat_strbuf_puts(&json, "]}");
    for (int size = 0; size < 2; size++) {
        struct leat_strbuf all[2] = {{0}, {0}};
        for (int format = CLICKHOUSE_NATIVE; format <= CLICKHOUSE_ROW_BINARY; format++) {
            struct subject s;
            struct encoded e;
            uint32_t rows, next = 0;
            subject_defaults(&s);
            s.conf.format = format;
            s.conf.request_bytes_max = size ? 60000 : 16 << 20;
            encode(&s, LEAT_LOGS, json.at, &e);
            EXPECT(size ? e.out.count > 5 : e.out.count == 1);
            for (uint32_t i = 0; i < e.out.count; i++) {
                struct leat_strbuf text = rows_text(&e.out.at[i], &rows);
                EXPECT_EQ(e.out.at[i].first, next);
                EXPECT_EQ(e.out.at[i].count, rows);
                next += rows;
                leat_strbuf_put(&all[format - CLICKHOUSE_NATIVE], text.at, text.len);
                leat_strbuf_done(&text);
            }
            EXPECT_EQ(next, 7402);
            done(&s, &e);
        }
        EXPECT_STR(all[0].at, all[1].at);
        leat_strbuf_done(&all[0]);
        leat_strbuf_done(&all[1]);
    }
    leat_strbuf_done(&json);
}

/* Guarantees: what an exporter that gave way to RowBinary writes is what one writes that never wrote anything else, for
 * metrics too, whose first column is a map. */
LEAT_TEST(clickhouse_writes_rows_after_columns)
{
    static const char json[] = METRICS(METRIC("g", "\"gauge\":{\"dataPoints\":[" POINT("\"asDouble\":1.5," EXEMPLARS) "]}"));
    struct subject s[2];
    struct encoded e[2];
    subject_defaults(&s[0]);
    subject_defaults(&s[1]);
    s[1].conf.format = CLICKHOUSE_ROW_BINARY;
    encode(&s[0], LEAT_METRICS, json, &e[0]);
    encode(&s[1], LEAT_METRICS, json, &e[1]);
    EXPECT(clickhouse__gives_way(&s[0].state, &e[0].out.at[0], ""));
    EXPECT(clickhouse__gives_way(&s[0].state, &e[0].out.at[0], ""));
    EXPECT(!clickhouse__gives_way(&s[1].state, &e[1].out.at[0], ""));
    leat_requests_done(&e[0].out);
    s[0].state.there[CLICKHOUSE_GAUGE].unfit = false;
    EXPECT_OK(clickhouse__insert_url(&s[0].state, CLICKHOUSE_GAUGE));
    EXPECT_OK(clickhouse_encode(&s[0].state, &e[0].batch, &e[0].out, NULL));
    EXPECT(leat_chain_eq(&e[0].out.at[0].body, &e[1].out.at[0].body));
    EXPECT_STR(e[0].out.at[0].url, e[1].out.at[0].url);
    for (int i = 0; i < 2; i++)
        done(&s[i], &e[i]);
}

/* Two texts of so many bytes: in one map, or under a name and a schema's address, which are columns of their own. */
static void put_huge(struct leat_strbuf *json, size_t len, bool in_one)
{
    char *text = leat_alloc(len + 1);
    EXPECT(text != NULL);
    memset(text, 'x', len);
    text[len] = 0;
    leat_strbuf_printf(json, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}",
                       in_one ? "a" : "service.name", text);
    if (in_one)
        leat_strbuf_printf(json, ",{\"key\":\"b\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"%s\"}]}}}", text);
    leat_strbuf_printf(json, "]},\"schemaUrl\":\"%s\",\"scopeLogs\":[{\"logRecords\":[{}]}]}]}", in_one ? "" : text);
    leat_free(text);
}

/* Guarantees: what one huge batch needed is given back after it, and the next is written as any other. */
LEAT_TEST_FORMATS(clickhouse_keeps_no_large_scratch)
{
    static const uint32_t lens[] = {3 << 20, 900000};
    for (int way = 0; way < 2; way++) {
        struct subject s;
        struct encoded e;
        struct leat_strbuf json = {0};
        put_huge(&json, lens[way], way == 0);
        subject_defaults(&s);
        s.conf.format = format;
        encode(&s, LEAT_LOGS, json.at, &e);
        EXPECT(e.out.at[0].body.bytes > 2ull * lens[way]);
        size_t kept = s.state.text.room;
        for (uint32_t i = 0; i < CLICKHOUSE_SHARED_MAX; i++)
            kept += (size_t)(s.state.shared[i].end - s.state.shared[i].from);
        EXPECT(kept <= 1 << 20);
        leat_requests_done(&e.out);
        EXPECT_OK(clickhouse_encode(&s.state, &e.batch, &e.out, NULL));
        EXPECT_EQ(e.out.count, 1);
        leat_strbuf_done(&json);
        done(&s, &e);
    }
}

/* The tokens, which tell of each byte of the rows, are those of the first time this is asked (a run without failures). */
struct memo {
    char tokens[8][33];
    uint32_t count;
};
static void expect_the_same(struct memo *memo, const struct leat_requests *out)
{
    for (uint32_t i = 0; i < out->count && memo->count == 0; i++)
        (void)snprintf(memo->tokens[i], 33, "%s", (const char *)token_of(&out->at[i]).at);
    memo->count = memo->count ? memo->count : out->count;
    EXPECT_EQ(out->count, memo->count);
    for (uint32_t i = 0; i < out->count; i++)
        EXPECT_STR((const char *)token_of(&out->at[i]).at, memo->tokens[i]);
}

static leat_rc encode_twice(int format, enum leat_signal signal, const char *json, struct memo *memo)
{
    struct subject s;
    struct encoded e = {0};
    subject_defaults(&s);
    s.conf.format = format;
    s.http.compression = LEAT_CODING_LZ4;
    leat_rc rc = batch_of(signal, json, &e.batch);
    if (rc == LEAT_OK)
        rc = subject_open(&s, signal);
    for (int round = 0; rc == LEAT_OK && round < 2; round++) {
        rc = clickhouse_encode(&s.state, &e.batch, &e.out, NULL);
        if (rc == LEAT_OK)
            expect_the_same(memo, &e.out);
        leat_requests_done(&e.out);
    }
    done(&s, &e);
    return rc;
}

/* Scenario:   any allocation fails, on the way to rows of every table.
 * Guarantees: the batch is refused whole, or its rows are byte by byte what they are without a failure; nothing leaks, and
 * the next one is written as if nothing had been. */
LEAT_TEST_OOM_FORMATS(clickhouse_survives_without_memory)
{
    static struct memo memos[3];
    static const char json[] = METRICS(
        METRIC("g", "\"gauge\":{\"dataPoints\":[" POINT("\"asDouble\":1," EXEMPLARS) "]}") "," METRIC(
            "s", "\"sum\":{\"dataPoints\":[" POINT("\"asDouble\":1") "]}") "," METRIC("g", "\"gauge\":{\"dataPoints\":[" POINT("\"asDouble\":2") "]}"));
    return encode_twice(format, LEAT_METRICS, json, &memos[format]);
}

LEAT_TEST_OOM_FORMATS(clickhouse_logs_survive_without_memory)
{
    static struct memo memos[3];
    static const char json[] = "{\"resourceLogs\":[{" RESOURCE "\"scopeLogs\":[{" SCOPE "\"logRecords\":[{\"body\":{\"stringValue\":\"a\"},"
                               ATTRIBUTES "},{" ATTRIBUTES "}]}]},{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}";
    return encode_twice(format, LEAT_LOGS, json, &memos[format]);
}

/* ---- hostile input ---- */

static void encode_corpus_file(const char *name, enum leat_signal signal, size_t piece, int format)
{
    char path[300];
    size_t len;
    struct subject s;
    struct leat_requests out = {0};
    struct otlp_counts counts;
    (void)snprintf(path, sizeof path, "tests/fuzz/otlp/corpus/%s", name);
    char *bytes = kit_read_file(path, &len);
    struct leat_chain chain = kit_chain(bytes + 2, len < 2 ? 0 : len - 2, piece);
    if (otlp_validate(signal, &chain, &counts, NULL) == LEAT_OK) {
        struct leat_batch batch = {.signal = signal, .form = &otlp_form, .payload = chain, .item_count = counts.items};
        uint32_t covered = 0, rows;
        subject_defaults(&s);
        s.conf.format = format;
        EXPECT_OK(subject_open(&s, signal));
        EXPECT_OK(clickhouse_encode(&s.state, &batch, &out, NULL));
        for (uint32_t i = 0; i < out.count; i++) {
            struct leat_strbuf text = rows_text(&out.at[i], &rows);
            EXPECT_EQ(rows, out.at[i].count);
            covered += rows;
            leat_strbuf_done(&text);
        }
        EXPECT_EQ(covered, counts.items);
        EXPECT_EQ(out.reject_count, 0);
        leat_requests_done(&out);
        clickhouse_close(&s.state);
    }
    leat_chain_done(&chain);
    leat_free(bytes);
}

/* Guarantees: whatever the door lets in becomes rows that a reader finds well formed, one an item, however it is cut. */
LEAT_TEST_FORMATS(clickhouse_writes_all_that_the_door_lets_in)
{
    DIR *dir = opendir(LEAT_SOURCE_DIR "/tests/fuzz/otlp/corpus");
    EXPECT(dir != NULL);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; files++)
        for (int signal = LEAT_LOGS; entry->d_name[0] != '.' && signal <= LEAT_TRACES; signal++) {
            encode_corpus_file(entry->d_name, (enum leat_signal)signal, 0, format);
            encode_corpus_file(entry->d_name, (enum leat_signal)signal, 7, format);
        }
    (void)closedir(dir);
    EXPECT(files > 10);
}
