/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "proto/otlp/otlp_text.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

static void expect(const struct otlp_value *value, const char *text)
{
    struct leat_strbuf scratch = {0};
    struct leat_slice got = otlp_text_of(value, &scratch);
    EXPECT_EQ(got.len, strlen(text));
    if (got.len)
        EXPECT_BYTES(got.at, text, got.len);
    leat_strbuf_done(&scratch);
}

/* Guarantees: scalars read as people write them. */
LEAT_TEST(otlp_text_of_scalars)
{
    expect(&(struct otlp_value){.kind = OTLP_EMPTY}, "");
    expect(&(struct otlp_value){.kind = OTLP_TEXT, .text = LEAT_SLICE("a \"b\"")}, "a \"b\"");
    expect(&(struct otlp_value){.kind = OTLP_TRUTH, .integer = 1}, "true");
    expect(&(struct otlp_value){.kind = OTLP_TRUTH}, "false");
    expect(&(struct otlp_value){.kind = OTLP_INTEGER, .integer = INT64_MIN}, "-9223372036854775808");
    expect(&(struct otlp_value){.kind = OTLP_BLOB, .text = LEAT_SLICE("\x01\x02\xff\x00")}, "AQL/AA==");
    expect(&(struct otlp_value){.kind = OTLP_BLOB, .text = LEAT_SLICE("ab")}, "YWI=");
    expect(&(struct otlp_value){.kind = OTLP_REAL, .real = 0.1}, "0.1");
    expect(&(struct otlp_value){.kind = OTLP_REAL, .real = 1e21}, "1e+21");
    expect(&(struct otlp_value){.kind = OTLP_REAL, .real = 100}, "100");
    expect(&(struct otlp_value){.kind = OTLP_REAL, .real = (double)NAN}, "NaN");
    expect(&(struct otlp_value){.kind = OTLP_REAL, .real = (double)INFINITY}, "Infinity");
    expect(&(struct otlp_value){.kind = OTLP_REAL, .real = (double)-INFINITY}, "-Infinity");
}

/* {"s": "<\n>", "n": -7, "l": [true, 0.5, NaN, bytes, null, {}]} as the message of a map. */
static void put_map(struct pb_buf *buf)
{
    static const char *const keys[] = {"s", "n", "l"};
    for (int i = 0; i < 3; i++) {
        size_t pair = pb_buf_open(buf, PB_TAG(1, PB_LEN));
        pb_buf_bytes(buf, PB_TAG(1, PB_LEN), keys[i], 1);
        size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
        if (i == 0)
            pb_buf_bytes(buf, PB_TAG(1, PB_LEN), "<\n>", 3);
        if (i == 1)
            pb_buf_varint(buf, PB_TAG(3, PB_VARINT), (uint64_t)-7);
        if (i == 2) {
            size_t list = pb_buf_open(buf, PB_TAG(5, PB_LEN));
            pb_buf_raw(buf, "\x0a\x02\x10\x01", 4);
            pb_buf_raw(buf, "\x0a\x09\x21\0\0\0\0\0\0\xe0\x3f", 11);
            pb_buf_raw(buf, "\x0a\x09\x21\0\0\0\0\0\0\xf8\x7f", 11);
            pb_buf_raw(buf, "\x0a\x04\x3a\x02hi", 6);
            pb_buf_raw(buf, "\x0a\x00", 2);
            pb_buf_raw(buf, "\x0a\x02\x32\x00", 4);
            pb_buf_close(buf, list);
        }
        pb_buf_close(buf, any);
        pb_buf_close(buf, pair);
    }
}

/* Guarantees: maps and lists are JSON, with what JSON cannot say as null; each failed allocation is told. */
LEAT_TEST_OOM(otlp_text_of_maps)
{
    struct pb_buf buf = {0};
    struct leat_strbuf scratch = {0};
    put_map(&buf);
    leat_rc rc = buf.failed ? LEAT_ENOMEM : LEAT_OK;
    if (rc == LEAT_OK) {
        struct otlp_value map = {.kind = OTLP_MAP, .text = leat_slice_of(buf.at, (uint32_t)buf.len)};
        struct leat_slice got = otlp_text_of(&map, &scratch);
        static const char json[] = "{\"s\":\"<\\n>\",\"n\":-7,\"l\":[true,0.5,null,\"aGk=\",null,{}]}";
        if (scratch.failed) {
            EXPECT_EQ(got.len, 0);
            rc = LEAT_ENOMEM;
        } else {
            EXPECT_EQ(got.len, sizeof json - 1);
            EXPECT_BYTES(got.at, json, got.len);
        }
    }
    pb_buf_done(&buf);
    leat_strbuf_done(&scratch);
    return rc;
}
