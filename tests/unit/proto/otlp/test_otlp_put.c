/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_put.h"

#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp/otlp_validate.h"
#include "tests/kit/kit.h"

/* Scenario:   a request with two records, one with everything and one with nothing but an empty body.
 * Guarantees: the sizes told beforehand are exact, the door lets it in, and it says what was put. */
LEAT_TEST(put_builds_what_it_was_told)
{
    uint8_t attributes[200], resource[100], room[1000];
    static const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    uint8_t *at = otlp_put_string(attributes, 6, LEAT_SLICE("stream"), LEAT_SLICE("stdout"));
    EXPECT_EQ(at - attributes, otlp_put_string_size(LEAT_SLICE("stream"), LEAT_SLICE("stdout")));
    at = otlp_put_int(at, 6, LEAT_SLICE("i"), -1);
    at = otlp_put_double(at, 6, LEAT_SLICE("d"), 0.25);
    at = otlp_put_bool(at, 6, LEAT_SLICE("b"), true);
    uint8_t *end = otlp_put_string(resource, 1, LEAT_SLICE("k"), LEAT_SLICE("v"));
    struct otlp_put_record full = {.time_unix_nano = 1,
                                   .observed_time_unix_nano = 2,
                                   .severity_number = 9,
                                   .flags = 1,
                                   .dropped_attributes = 300,
                                   .severity_text = LEAT_SLICE("INFO"),
                                   .event_name = LEAT_SLICE("e"),
                                   .body = LEAT_SLICE("hello"),
                                   .attributes = leat_slice_of(attributes, (uint32_t)(at - attributes)),
                                   .trace_id = id,
                                   .span_id = id};
    struct leat_slice res = leat_slice_of(resource, (uint32_t)(end - resource));
    struct otlp_put_open open;
    at = otlp_put_open(room, res, LEAT_SLICE("leat"), LEAT_SLICE("1"), &open);
    EXPECT_EQ(at - room, otlp_put_open_size(res, LEAT_SLICE("leat"), LEAT_SLICE("1")));
    for (int i = 0; i < 2; i++) {
        struct otlp_put_record none = {0};
        uint32_t len, size = otlp_put_record_size(i ? &none : &full, &len);
        uint8_t *next = otlp_put_record(at, i ? &none : &full, len);
        EXPECT_EQ(next - at, size);
        at = next;
    }
    otlp_put_close(&open, at);
    struct leat_chain chain = kit_chain(room, (size_t)(at - room), 0);
    struct otlp_counts counts;
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_validate(LEAT_LOGS, &chain, &counts, &err), &err);
    EXPECT_EQ(counts.items, 2);
    struct leat_strbuf text = {0};
    EXPECT_OK(otlp_json_write(LEAT_LOGS, &chain, &text, NULL));
    EXPECT_STR(
        text.at,
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]},"
        "\"scopeLogs\":[{\"scope\":{\"name\":\"leat\",\"version\":\"1\"},\"logRecords\":[{\"timeUnixNano\":\"1\","
        "\"severityNumber\":9,\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"hello\"},\"attributes\":["
        "{\"key\":\"stream\",\"value\":{\"stringValue\":\"stdout\"}},{\"key\":\"i\",\"value\":{\"intValue\":\"-1\"}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":0.25}},{\"key\":\"b\",\"value\":{\"boolValue\":true}}],"
        "\"droppedAttributesCount\":300,\"flags\":1,\"traceId\":\"0102030405060708090a0b0c0d0e0f10\","
        "\"spanId\":\"0102030405060708\",\"observedTimeUnixNano\":\"2\",\"eventName\":\"e\"},"
        "{\"body\":{\"stringValue\":\"\"}}]}]}]}");
    leat_strbuf_done(&text);
    leat_chain_done(&chain);
}
