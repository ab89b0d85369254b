/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_validate.h"

#include "proto/otlp/otlp_schema.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"
#include "tests/unit/proto/otlp/otlp_random.h"

/* resource_logs[0].scope_logs[0].log_records[n-1]: a record around the given fields. */
static struct pb_buf record_of(const void *fields, uint32_t len, unsigned n)
{
    struct pb_buf b = {0};
    size_t rl = pb_buf_open(&b, PB_TAG(1, PB_LEN)), sl = pb_buf_open(&b, PB_TAG(2, PB_LEN));
    while (--n)
        pb_buf_bytes(&b, PB_TAG(2, PB_LEN), "", 0);
    pb_buf_bytes(&b, PB_TAG(2, PB_LEN), fields, len);
    pb_buf_close(&b, sl);
    pb_buf_close(&b, rl);
    return b;
}

static leat_rc check(enum leat_signal signal, const struct pb_buf *b, size_t cut, struct otlp_counts *counts,
                     struct leat_err *err)
{
    struct leat_chain chain = kit_chain_cut(b->at, b->len, cut);
    leat_rc rc = otlp_validate(signal, &chain, counts, err);
    leat_chain_done(&chain);
    return rc;
}

static void refused(const char *fields, uint32_t len, const char *text)
{
    struct pb_buf b = record_of(fields, len, 8);
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct leat_err err = {0};
        struct otlp_counts counts;
        EXPECT_RC(check(LEAT_LOGS, &b, cut, &counts, &err), LEAT_EPARSE);
        EXPECT_STR(err.text, text);
    }
    pb_buf_done(&b);
}

/* Scenario:   records with one thing wrong in the eighth of them, cut at each byte.
 * Guarantees: each is refused and the text names the place. */
LEAT_TEST(validate_refuses_and_names_the_place)
{
    refused("\x4a\x0f"
            "123456789012345",
            17, "resource_logs[0].scope_logs[0].log_records[7].trace_id: 15 bytes");
    refused("\x52\x01"
            "1",
            3, "resource_logs[0].scope_logs[0].log_records[7].span_id: 1 bytes");
    refused("\x0b", 1, "resource_logs[0].scope_logs[0].log_records[7].time_unix_nano: a group, or no wire type at all");
    refused("\x0a\x01x", 3, "resource_logs[0].scope_logs[0].log_records[7].time_unix_nano: wrong wire type");
    refused("\x2a\x03\x0a\x05x", 5,
            "resource_logs[0].scope_logs[0].log_records[7].body.string_value: truncated, or longer than what holds it");
    refused("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11,
            "resource_logs[0].scope_logs[0].log_records[7].severity_number: truncated, or longer than what holds it");
    refused("\xa2\x06\x01", 3,
            "resource_logs[0].scope_logs[0].log_records[7].field 100: truncated, or longer than what holds it");
    refused("\xa7\x06\x00", 3,
            "resource_logs[0].scope_logs[0].log_records[7].field 100: a group, or no wire type at all");
    refused("\x01", 1, "resource_logs[0].scope_logs[0].log_records[7]: malformed field");
    refused("\x1a\x01x\x01", 4, "resource_logs[0].scope_logs[0].log_records[7]: malformed field");
}

/* Scenario:   random requests of every signal, whole, cut in two at each byte, and in pieces of one byte.
 * Guarantees: all are taken, and items and samples are what was made. */
LEAT_TEST(validate_counts_however_it_is_cut)
{
    for (unsigned signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (uint64_t seed = 1; seed <= 40; seed++) {
            struct otlp_random r = {.state = seed};
            struct pb_buf b = random_request(&r, signal);
            size_t step = b.len / 500 + 1;
            for (size_t cut = 0; cut <= b.len; cut += step) {
                struct otlp_counts counts;
                struct leat_err err = {0};
                EXPECT_OK_ERR(check(signal, &b, cut, &counts, &err), &err);
                EXPECT_EQ(counts.items, r.items);
                EXPECT_EQ(counts.samples, r.samples);
                EXPECT_EQ(counts.bad_utf8, 0);
            }
            struct leat_chain bytes = kit_chain(b.at, b.len, 1);
            struct otlp_counts counts;
            EXPECT_OK(otlp_validate(signal, &bytes, &counts, NULL));
            EXPECT_EQ(counts.items, r.items);
            leat_chain_done(&bytes);
            pb_buf_done(&b);
        }
}

static struct pb_buf nested(unsigned depth, bool map)
{
    struct pb_buf b = {0};
    size_t open[512], n = 0;
    open[n++] = pb_buf_open(&b, PB_TAG(5, PB_LEN)); /* the body */
    for (unsigned i = 1; i < depth; i++) {
        open[n++] = pb_buf_open(&b, map ? PB_TAG(6, PB_LEN) : PB_TAG(5, PB_LEN));
        open[n++] = pb_buf_open(&b, PB_TAG(1, PB_LEN));
        if (map)
            open[n++] = pb_buf_open(&b, PB_TAG(2, PB_LEN));
    }
    while (n)
        pb_buf_close(&b, open[--n]);
    return b;
}

/* Scenario:   bodies nested 64 and 65 deep by arrays and by maps, flat and in pieces.
 * Guarantees: 64 pass, 65 are refused by name. */
LEAT_TEST(validate_bounds_the_nesting)
{
    for (int map = 0; map < 2; map++)
        for (unsigned depth = 64; depth <= 65; depth++) {
            struct pb_buf body = nested(depth, map), b = record_of(body.at, (uint32_t)body.len, 1);
            for (size_t piece = 0; piece < 3; piece++) {
                struct leat_chain chain = kit_chain(b.at, b.len, piece);
                struct otlp_counts counts;
                struct leat_err err = {0};
                leat_rc rc = otlp_validate(LEAT_LOGS, &chain, &counts, &err);
                EXPECT_RC(rc, depth == 64 ? LEAT_OK : LEAT_EPARSE);
                if (rc != LEAT_OK)
                    EXPECT(strstr(err.text, "values nested deeper than 64") != NULL);
                leat_chain_done(&chain);
            }
            pb_buf_done(&body);
            pb_buf_done(&b);
        }
}

/* Scenario:   10,000 values inside each other, tags written in two bytes instead of one.
 * Guarantees: the limit holds all the same. */
LEAT_TEST(validate_is_not_fooled_by_long_tags)
{
    struct pb_buf b = {0};
    for (int i = 0; i < 2000; i++) { /* innermost first: wrap what there is */
        struct pb_buf next = {0};
        pb_buf_raw(&next, i % 2 ? "\xaa\x00" : "\x8a\x00", 2);
        uint8_t len[10];
        pb_buf_raw(&next, len, (size_t)(pb_put_varint(len, b.len) - len));
        pb_buf_raw(&next, b.at, b.len);
        pb_buf_done(&b);
        b = next;
    }
    struct pb_buf body = {0};
    pb_buf_bytes(&body, PB_TAG(5, PB_LEN), b.at, (uint32_t)b.len);
    for (size_t cut = 0; cut < 60; cut += 20) {
        struct pb_buf whole = record_of(body.at, (uint32_t)body.len, 1);
        struct otlp_counts counts;
        EXPECT_RC(check(LEAT_LOGS, &whole, cut, &counts, NULL), LEAT_EPARSE);
        pb_buf_done(&whole);
    }
    pb_buf_done(&body);
    pb_buf_done(&b);
}

/* Scenario:   a good text, a broken one and a good one with many bytes, cut at each byte.
 * Guarantees: exactly the broken one is counted, and nothing is refused. */
LEAT_TEST(validate_counts_broken_utf8)
{
    static const char fields[] = "\x1a\x06h\xc3\xa9llo"
                                 "\x2a\x05\x0a\x03"
                                 "a\xc3z"
                                 "\x62\x04\xf0\x9f\x90\x9f";
    struct pb_buf b = record_of(fields, sizeof fields - 1, 2);
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct otlp_counts counts;
        EXPECT_OK(check(LEAT_LOGS, &b, cut, &counts, NULL));
        EXPECT_EQ(counts.bad_utf8, 1);
        EXPECT_EQ(counts.items, 2);
    }
    pb_buf_done(&b);
}

/* Guarantees: repeated numbers may come packed or one by one; unknown fields pass; an empty request is fine. */
LEAT_TEST(validate_takes_what_the_format_allows)
{
    static const char point[] = "\x31\x01\0\0\0\0\0\0\0\x32\x08\x02\0\0\0\0\0\0\0\xfa\x3f\x03xyz";
    struct pb_buf b = {0};
    size_t open[4];
    static const uint32_t numbers[] = {1, 2, 2, 9};
    for (int i = 0; i < 4; i++)
        open[i] = pb_buf_open(&b, PB_TAG(numbers[i], PB_LEN));
    pb_buf_bytes(&b, PB_TAG(1, PB_LEN), point, sizeof point - 1);
    for (int i = 3; i >= 0; i--)
        pb_buf_close(&b, open[i]);
    struct otlp_counts counts;
    for (size_t cut = 0; cut <= b.len; cut++) {
        EXPECT_OK(check(LEAT_METRICS, &b, cut, &counts, NULL));
        EXPECT_EQ(counts.items, 1);
    }
    b.len = 0;
    EXPECT_OK(check(LEAT_METRICS, &b, 0, &counts, NULL));
    EXPECT_EQ(counts.items, 0);
    pb_buf_done(&b);
}
