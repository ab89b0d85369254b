/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "tests/kit/kit.h"

static leat_rc read_text(enum leat_signal signal, const char *text, struct leat_chain *ret, struct leat_err *err)
{
    struct leat_chain json = kit_chain(text, strlen(text), 0);
    leat_rc rc = otlp_json_read(signal, &json, ret, err);
    leat_chain_done(&json);
    return rc;
}

static void expect_json(enum leat_signal signal, const char *in, const char *out)
{
    struct leat_chain payload = {0};
    struct leat_strbuf text = {0};
    struct leat_err err = {0};
    EXPECT_OK_ERR(read_text(signal, in, &payload, &err), &err);
    EXPECT_OK_ERR(otlp_json_write(signal, &payload, &text, &err), &err);
    EXPECT_STR(text.at, out);
    leat_chain_done(&payload);
    leat_strbuf_done(&text);
}

/* Scenario:   a record with every liberty the format gives, and some the Collector gives.
 * Guarantees: it comes out in the Collector's form. */
LEAT_TEST(json_reads_what_is_allowed_and_writes_one_form)
{
    expect_json(
        LEAT_LOGS,
        " {\"resourceLogs\":[{\"unknown\":[{\"x\":[1]}],\"resource\":null,\"scope_logs\":[{\"logRecords\":[{"
        "\"timeUnixNano\":1700000000123456789,\"severityNumber\":\"SEVERITY_NUMBER_INFO\",\"severityText\":\"\","
        "\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"\\u00e9\",\"value\":{\"intValue\":\"-5\"}}]}},"
        "\"attributes\":[{\"key\":\"b\",\"value\":{\"bytesValue\":\"AAH/"
        "\"}},{\"key\":\"z\",\"value\":{\"boolValue\":false}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"e\",\"value\":{\"doubleValue\":1e21}}],"
        "\"traceId\":\"0102030405060708090A0b0c0d0e0f10\",\"spanId\":\"\",\"flags\":1}]}]}]} ",
        "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{"
        "\"timeUnixNano\":\"1700000000123456789\",\"severityNumber\":9,"
        "\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"\xc3\xa9\",\"value\":{\"intValue\":\"-5\"}}]}},"
        "\"attributes\":[{\"key\":\"b\",\"value\":{\"bytesValue\":\"AAH/"
        "\"}},{\"key\":\"z\",\"value\":{\"boolValue\":false}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"e\",\"value\":{\"doubleValue\":1e+21}}],"
        "\"flags\":1,\"traceId\":\"0102030405060708090a0b0c0d0e0f10\"}]}]}]}");
    expect_json(
        LEAT_METRICS,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"exponentialHistogram\":{"
        "\"aggregationTemporality\":2,\"dataPoints\":[{\"scale\":-3,\"sum\":0,\"positive\":{\"offset\":-1,"
        "\"bucketCounts\":[\"1\",2]},\"count\":3}]}}]}]}]}",
        "{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"name\":\"m\","
        "\"exponentialHistogram\":{\"dataPoints\":[{\"count\":\"3\",\"sum\":0,\"scale\":-3,\"positive\":{\"offset\":-1,"
        "\"bucketCounts\":[\"1\",\"2\"]},\"negative\":{}}],\"aggregationTemporality\":2}}]}]}]}");
}

static void refused(const char *text, const char *why)
{
    struct leat_chain payload = {0};
    struct leat_err err = {0};
    EXPECT_RC(read_text(LEAT_TRACES, text, &payload, &err), LEAT_EPARSE);
    EXPECT_STR(err.text, why);
    EXPECT_EQ(payload.count, 0);
}

#define SPAN(fields) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" fields "}]}]}]}"

/* Guarantees: bad syntax, types, ids and ranges are refused, with the offset and the reason. */
LEAT_TEST(json_refuses_with_place_and_reason)
{
    refused("", "JSON at byte 0: text ends too early");
    refused("[]", "JSON at byte 1: object expected");
    refused("{} x", "JSON at byte 3: text behind the value");
    refused("{\"resourceSpans\":{}}", "JSON at byte 18: array expected");
    refused(SPAN("\"traceId\":\"01\""), "JSON at byte 58: id of the wrong length");
    refused(SPAN("\"traceId\":\"zz\""), "JSON at byte 58: not hexadecimal");
    refused(SPAN("\"kind\":2147483648"), "JSON at byte 61: number out of range");
    refused(SPAN("\"startTimeUnixNano\":1.5"), "JSON at byte 67: not an integer");
    refused(SPAN("\"startTimeUnixNano\":-1"), "JSON at byte 66: number out of range");
    refused(SPAN("\"name\":5"), "JSON at byte 52: string expected");
    refused(SPAN("\"name\":\"\xff\""), "JSON at byte 53: string is not UTF-8");
}

/* Scenario:   attribute values nested 64 and 65 deep, and a text of 100,000 brackets under an unknown key.
 * Guarantees: 64 pass; the rest is refused and nothing topples. */
LEAT_TEST(json_bounds_the_nesting)
{
    for (int depth = 64; depth <= 65; depth++) {
        struct leat_strbuf text = {0};
        leat_strbuf_puts(&text, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":");
        for (int i = 1; i < depth; i++)
            leat_strbuf_puts(&text, "{\"kvlistValue\":{\"values\":[{\"value\":");
        leat_strbuf_puts(&text, "{}");
        for (int i = 1; i < depth; i++)
            leat_strbuf_puts(&text, "}]}}");
        leat_strbuf_puts(&text, "}]}}]}");
        struct leat_chain payload = {0};
        EXPECT_RC(read_text(LEAT_TRACES, text.at, &payload, NULL), depth == 64 ? LEAT_OK : LEAT_EPARSE);
        leat_chain_done(&payload);
        leat_strbuf_done(&text);
    }
    struct leat_strbuf deep = {0};
    leat_strbuf_puts(&deep, "{\"x\":");
    for (int i = 0; i < 100000; i++)
        leat_strbuf_putc(&deep, '[');
    refused(deep.at, "JSON at byte 276: nested too deep");
    leat_strbuf_done(&deep);
}

/* Guarantees: bytes the door would refuse are no JSON but an error. */
LEAT_TEST(json_write_refuses_malformed_bytes)
{
    struct leat_chain bad = kit_chain("\x0a\x05\x12", 3, 1);
    struct leat_strbuf out = {0};
    EXPECT_RC(otlp_json_write(LEAT_LOGS, &bad, &out, NULL), LEAT_EPARSE);
    leat_strbuf_done(&out);
    leat_chain_done(&bad);
}
