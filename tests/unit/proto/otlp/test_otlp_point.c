/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_point.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static void put_double(struct pb_buf *buf, uint32_t number, double v)
{
    pb_buf_fixed64(buf, PB_TAG(number, PB_FIXED64), bits_of(v));
}

static struct otlp_point point_of(enum otlp_metric_kind kind, const struct pb_buf *buf)
{
    struct otlp_point point;
    EXPECT(otlp_point_of(kind, leat_slice_of(buf->at, (uint32_t)buf->len), &point));
    return point;
}

/* Guarantees: a number is read whether it is real or whole; without one it is 0 and says so. */
LEAT_TEST(otlp_point_reads_numbers)
{
    struct pb_buf buf = {0};
    pb_buf_fixed64(&buf, PB_TAG(2, PB_FIXED64), 11);
    pb_buf_fixed64(&buf, PB_TAG(3, PB_FIXED64), 12);
    pb_buf_bytes(&buf, PB_TAG(7, PB_LEN), "\x0a\x01k", 3);
    pb_buf_bytes(&buf, PB_TAG(5, PB_LEN), "", 0);
    pb_buf_bytes(&buf, PB_TAG(7, PB_LEN), "\x0a\x01l", 3);
    pb_buf_varint(&buf, PB_TAG(8, PB_VARINT), 1);
    struct otlp_point point = point_of(OTLP_GAUGE, &buf);
    EXPECT_EQ(point.start_unix_nano, 11);
    EXPECT_EQ(point.time_unix_nano, 12);
    EXPECT_EQ(point.flags, 1);
    EXPECT_EQ(point.kind, OTLP_EMPTY);
    EXPECT_EQ(point.attributes.len, 12); /* both, and what lies between */
    struct otlp_attribute attribute;
    uint32_t n = 0;
    while (otlp_attribute_next(&point.attributes, otlp_point_attributes(OTLP_GAUGE), &attribute))
        n++;
    EXPECT_EQ(n, 2);
    pb_buf_fixed64(&buf, PB_TAG(6, PB_FIXED64), (uint64_t)-3);
    point = point_of(OTLP_SUM, &buf);
    EXPECT_EQ(point.kind, OTLP_INTEGER);
    EXPECT(point.value == -3);
    put_double(&buf, 4, 0.25);
    point = point_of(OTLP_SUM, &buf);
    EXPECT_EQ(point.kind, OTLP_REAL);
    EXPECT(point.value == 0.25);
    pb_buf_raw(&buf, "\xff", 1);
    EXPECT(!otlp_point_of(OTLP_SUM, leat_slice_of(buf.at, (uint32_t)buf.len), &point));
    pb_buf_done(&buf);
}

/* Guarantees: sum, min and max are known to be there or not. */
LEAT_TEST(otlp_point_reads_histograms)
{
    struct pb_buf buf = {0};
    pb_buf_fixed64(&buf, PB_TAG(4, PB_FIXED64), 9);
    put_double(&buf, 5, -1.5);
    put_double(&buf, 12, 8);
    pb_buf_varint(&buf, PB_TAG(10, PB_VARINT), 1);
    struct otlp_point point = point_of(OTLP_HISTOGRAM, &buf);
    EXPECT(point.count == 9 && point.has_sum && point.sum == -1.5 && !point.has_min && point.min == 0);
    EXPECT(point.has_max && point.max == 8 && point.flags == 1);
    buf.len = 0;
    pb_buf_varint(&buf, PB_TAG(6, PB_VARINT), 5); /* sint32: -3 */
    pb_buf_fixed64(&buf, PB_TAG(7, PB_FIXED64), 2);
    pb_buf_bytes(&buf, PB_TAG(8, PB_LEN), "\x08\x07\x12\x02\x01\x02", 6); /* offset -4 */
    pb_buf_bytes(&buf, PB_TAG(9, PB_LEN), "\x12\x01\x05", 3);
    put_double(&buf, 14, 0.5);
    point = point_of(OTLP_EXPONENTIAL_HISTOGRAM, &buf);
    EXPECT_EQ(point.scale, -3);
    EXPECT_EQ(point.zero_count, 2);
    EXPECT_EQ(point.positive_offset, -4);
    EXPECT_EQ(point.negative_offset, 0);
    EXPECT(point.zero_threshold == 0.5);
    struct otlp_numbers numbers = otlp_numbers_of(point.positive, 2, false);
    uint64_t value;
    EXPECT(otlp_numbers_next(&numbers, &value) && value == 1);
    EXPECT(otlp_numbers_next(&numbers, &value) && value == 2);
    EXPECT(!otlp_numbers_next(&numbers, &value));
    pb_buf_done(&buf);
}

/* Guarantees: a repeated number is read packed, one by one, and both in turn. */
LEAT_TEST(otlp_numbers_are_read_packed_and_not)
{
    struct pb_buf buf = {0};
    pb_buf_fixed64(&buf, PB_TAG(6, PB_FIXED64), 1);
    pb_buf_bytes(&buf, PB_TAG(6, PB_LEN), "\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0", 16);
    pb_buf_bytes(&buf, PB_TAG(6, PB_LEN), "", 0);
    pb_buf_fixed64(&buf, PB_TAG(7, PB_FIXED64), 99);
    pb_buf_fixed64(&buf, PB_TAG(6, PB_FIXED64), 4);
    struct otlp_numbers numbers = otlp_numbers_of(leat_slice_of(buf.at, (uint32_t)buf.len), 6, true);
    uint64_t value;
    for (uint64_t i = 1; i <= 4; i++) {
        EXPECT(otlp_numbers_next(&numbers, &value));
        EXPECT_EQ(value, i);
    }
    EXPECT(!otlp_numbers_next(&numbers, &value));
    pb_buf_done(&buf);
}

LEAT_TEST(otlp_exemplars_and_quantiles)
{
    struct pb_buf buf = {0};
    pb_buf_fixed64(&buf, PB_TAG(2, PB_FIXED64), 5);
    pb_buf_fixed64(&buf, PB_TAG(6, PB_FIXED64), 7);
    pb_buf_bytes(&buf, PB_TAG(4, PB_LEN), "01234567", 8);
    pb_buf_bytes(&buf, PB_TAG(5, PB_LEN), "0123456789abcdef", 16);
    struct otlp_exemplar exemplar;
    EXPECT(otlp_exemplar_of(leat_slice_of(buf.at, (uint32_t)buf.len), &exemplar));
    EXPECT(exemplar.time_unix_nano == 5 && exemplar.value == 7);
    EXPECT(exemplar.span_id.len == 8 && exemplar.trace_id.len == 16);
    buf.len = 0;
    put_double(&buf, 1, 0.99);
    put_double(&buf, 2, 12);
    struct otlp_quantile quantile = otlp_quantile_of(leat_slice_of(buf.at, (uint32_t)buf.len));
    EXPECT(quantile.quantile == 0.99 && quantile.value == 12);
    pb_buf_done(&buf);
}
