/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom_proto/prom_proto.h"

#include <math.h>

#include "agent/base/strbuf.h"
#include "proto/prom_text/prom_number.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

static uint64_t zigzag(int64_t value) { return (uint64_t)value << 1 ^ (uint64_t)(value >> 63); }

static void put_double(struct pb_buf *out, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    pb_buf_fixed64(out, PB_TAG(number, PB_FIXED64), bits);
}

static void put_span(struct pb_buf *out, uint32_t number, int64_t offset, uint64_t len)
{
    size_t span = pb_buf_open(out, PB_TAG(number, PB_LEN));
    pb_buf_varint(out, PB_TAG(1, PB_VARINT), zigzag(offset));
    pb_buf_varint(out, PB_TAG(2, PB_VARINT), len);
    pb_buf_close(out, span);
}

static void put_packed(struct pb_buf *out, uint32_t number, const int64_t *deltas, uint32_t count)
{
    size_t packed = pb_buf_open(out, PB_TAG(number, PB_LEN));
    for (uint32_t i = 0; i < count; i++) {
        uint8_t room[10];
        pb_buf_raw(out, room, (size_t)(pb_put_varint(room, zigzag(deltas[i])) - room));
    }
    pb_buf_close(out, packed);
}

/* Buckets -1: 1 | 0: 2, 1: 0, 2: 3, 5: 4; two at zero. */
static void put_native(struct pb_buf *out, uint64_t count, int64_t schema)
{
    static const int64_t negative[] = {1}, positive[] = {2, -2, 3, 1};
    pb_buf_varint(out, PB_TAG(1, PB_VARINT), count);
    put_double(out, 2, 1.5);
    pb_buf_varint(out, PB_TAG(5, PB_VARINT), zigzag(schema));
    put_double(out, 6, 0.001);
    pb_buf_varint(out, PB_TAG(7, PB_VARINT), 2);
    put_span(out, 9, -1, 1);
    put_packed(out, 10, negative, 1);
    put_span(out, 12, 0, 3);
    put_span(out, 12, 2, 1);
    put_packed(out, 13, positive, 4);
}

static leat_rc read_native(uint64_t count, int64_t schema, struct prom_native *native)
{
    struct pb_buf out = {0};
    put_native(&out, count, schema);
    leat_rc rc = prom_native_read(leat_slice_of(out.at, (uint32_t)out.len), false, native, NULL);
    pb_buf_done(&out);
    return rc;
}

LEAT_TEST(native_histograms_are_read_without_empty_buckets)
{
    struct prom_native native = {0};
    EXPECT_OK(read_native(12, 3, &native));
    EXPECT(!native.is_float && native.count == 12 && native.zero_count == 2 && native.schema == 3);
    EXPECT(native.negative == 1 && native.at[0].index == -1 && native.at[0].count == 1);
    static const int32_t indices[] = {0, 2, 5};
    static const int64_t counts[] = {2, 3, 4};
    EXPECT_EQ(native.positive, 3);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT(native.at[1 + i].index == indices[i] && native.at[1 + i].count == counts[i]);
    EXPECT_RC(read_native(13, 3, &native), LEAT_EPARSE);  /* does not add up */
    EXPECT_RC(read_native(12, -5, &native), LEAT_EPARSE); /* no such schema */
    EXPECT_RC(read_native(12, 53, &native), LEAT_EPARSE);
    EXPECT_OK(read_native(12, 10, &native)); /* finer than Prometheus keeps */
    EXPECT_EQ(native.schema, 8);
    prom_native_done(&native);
}

LEAT_TEST(resolution_is_halved_until_it_fits)
{
    struct prom_native native = {0};
    EXPECT_OK(read_native(12, 3, &native));
    EXPECT(prom_native_fit(&native, 3));
    /* 0 and below stay at 0; 2 becomes 1; 5 becomes 3 */
    EXPECT(native.schema < 3 && native.negative + native.positive <= 3);
    int64_t total = 0;
    for (uint32_t i = 0; i < native.negative + native.positive; i++)
        total += native.at[i].count;
    EXPECT_EQ(total, 10);
    EXPECT_OK(read_native(12, 3, &native));
    prom_native_reduce(&native, 2);
    EXPECT(native.at[0].index == 0 && native.at[1].index == 0 && native.at[2].index == 1 && native.at[3].index == 3);
    EXPECT(!prom_native_fit(&native, 1));
    EXPECT_EQ(native.schema, -4);
    prom_native_done(&native);
}

/* Fields of a remote write Histogram, byte by byte. */
LEAT_TEST(native_histograms_are_written)
{
    struct prom_native native = {0};
    struct pb_buf out = {0};
    EXPECT_OK(read_native(12, 3, &native));
    prom_native_put(&native, &out);
    static const uint8_t wanted[] = {0x08, 12, 0x19, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x20, 6,
                                     0x29, 0xfc, 0xa9, 0xf1, 0xd2, 0x4d, 0x62, 0x50, 0x3f, 0x30, 2,
                                     0x42, 4, 0x08, 1, 0x10, 1, 0x4a, 1, 2,
                                     0x5a, 4, 0x08, 0, 0x10, 1, 0x5a, 4, 0x08, 2, 0x10, 1, 0x5a, 4, 0x08, 4, 0x10, 1,
                                     0x62, 3, 4, 2, 2};
    EXPECT_EQ(out.len, sizeof wanted);
    EXPECT_BYTES(out.at, wanted, sizeof wanted);
    pb_buf_done(&out);
    prom_native_done(&native);
}

/* ---- pages ---- */

static leat_rc on_family(void *ctx, const struct prom_proto_family *family, struct leat_err *reterr)
{
    (void)reterr;
    leat_strbuf_printf(ctx, "%.*s %d\n", LEAT_SLICE_ARGS(family->name), family->type);
    return LEAT_OK;
}

static leat_rc on_sample(void *ctx, const struct prom_proto_family *family, const struct prom_proto_metric *metric,
                         const struct prom_proto_sample *sample, struct leat_err *reterr)
{
    (void)reterr;
    char bound[PROM_NUMBER_TEXT_MAX] = "";
    if (sample->bound_name)
        (void)prom_number_put(sample->bound, bound);
    leat_strbuf_printf(ctx, "%.*s%s", LEAT_SLICE_ARGS(family->name), sample->native ? "!" : sample->suffix);
    for (uint32_t i = 0; i < metric->label_count; i++)
        leat_strbuf_printf(ctx, " %.*s=%.*s", LEAT_SLICE_ARGS(metric->labels[i].name), LEAT_SLICE_ARGS(metric->labels[i].value));
    leat_strbuf_printf(ctx, " %s %.6g", bound, sample->value);
    if (sample->start_ms)
        leat_strbuf_printf(ctx, " start=%lld", (long long)sample->start_ms);
    if (sample->exemplar.len)
        leat_strbuf_puts(ctx, " exemplar");
    if (metric->time_ms)
        leat_strbuf_printf(ctx, " @%lld", (long long)metric->time_ms);
    leat_strbuf_putc(ctx, '\n');
    return LEAT_OK;
}

static leat_rc tell(const uint8_t *at, size_t len, const struct prom_proto_opts *opts, struct leat_strbuf *out)
{
    static const struct prom_proto_calls calls = {on_family, on_sample};
    uint8_t *exact = leat_alloc(len + (len == 0));
    if (!exact)
        return LEAT_ENOMEM;
    memcpy(exact, at, len);
    leat_rc rc = prom_proto_read(leat_slice_of(exact, (uint32_t)len), opts, &calls, out, NULL);
    leat_free(exact);
    return rc;
}

/* Scenario:   the corpus' page: every type, exemplars, start times, classic buckets beside native ones; and cut at every byte.
 * Guarantees: the order and names Prometheus uses; a page that was cut is refused unless it was cut between families. */
LEAT_TEST(pages_are_told_sample_by_sample)
{
    size_t len;
    char *page = kit_read_file("tests/fuzz/prom_proto/corpus/all", &len);
    struct prom_proto_opts opts = {.native = true, .classic_too = true}, plain = {0};
    struct leat_strbuf out = {0}, classic = {0}, cut = {0};
    EXPECT_OK(tell((uint8_t *)page, len, &opts, &out));
    EXPECT_STR(out.at, "c_total 1\nc_total a=b  3 start=1700000000005 exemplar\nc_total a=c  4 @1700000000123\ng 2\ng  nan\n"
                       "s 5\ns_count  5\ns_sum  2.5\ns 0.5 1\ns 1.0 2\nu 0\nu  1\n"
                       "h 3\nh! x=y  1.25 start=1600000000000\nh_count x=y  7 start=1600000000000\nh_sum x=y  1.25 start=1600000000000\n"
                       "h_bucket x=y 0.5 1 start=1600000000000 exemplar\nh_bucket x=y 1.0 3 start=1600000000000\n"
                       "h_bucket x=y +Inf 7 start=1600000000000\nh_count  3\nh_sum  1\nh_bucket 0.5 1 exemplar\nh_bucket 1.0 3\n"
                       "h_bucket +Inf 3\ngh 4\ngh!  1\n");
    EXPECT_OK(tell((uint8_t *)page, len, &plain, &classic));
    EXPECT(!strchr(classic.at, '!') && strstr(classic.at, "gh_count  3.5\n"));
    uint32_t whole = 0;
    for (size_t i = 0; i < len; i++) {
        leat_strbuf_clear(&cut);
        leat_rc rc = tell((uint8_t *)page, i, &opts, &cut);
        EXPECT(rc == LEAT_OK || rc == LEAT_EPARSE);
        whole += rc == LEAT_OK;
    }
    EXPECT_EQ(whole, 6); /* before each family */
    leat_strbuf_done(&cut);
    leat_strbuf_done(&classic);
    leat_strbuf_done(&out);
    leat_free(page);
}

static void put_text(struct pb_buf *out, uint32_t number, const char *text)
{
    pb_buf_bytes(out, PB_TAG(number, PB_LEN), text, (uint32_t)strlen(text));
}

/* Guarantees: Prometheus does not compare a unit with the name of its family here, and neither do we. */
LEAT_TEST(a_unit_need_not_be_a_suffix)
{
    static const char *const units[] = {"seconds", "\xff"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct prom_proto_opts opts = {0};
        struct pb_buf out = {0};
        struct leat_strbuf text = {0};
        size_t family = pb_buf_open(&out, 0);
        put_text(&out, 1, "latency");
        pb_buf_varint(&out, PB_TAG(3, PB_VARINT), 1);
        put_text(&out, 4, "");
        put_text(&out, 5, units[i]);
        pb_buf_close(&out, family);
        EXPECT_OK(tell(out.at + 1, out.len - 1, &opts, &text)); /* behind the tag: a family has a length alone */
        EXPECT_STR(text.at, "latency 2\nlatency  0\n");
        leat_strbuf_done(&text);
        pb_buf_done(&out);
    }
}

/* Guarantees: an exemplar nobody can take is told from one that is malformed: only the latter voids a page. */
LEAT_TEST(exemplars_are_fit_or_unfit)
{
    static const struct {
        const char *bytes;
        uint32_t len;
        bool ok, unfit;
    } cases[] = {{"\x0a\x06\x0a\x01t\x12\x01u", 8, true, false}, {"\x0a\x06\x0a\x01t\x12\x01\xff", 8, true, true},
                 {"\x0a\x03\x12\x01u", 5, true, true}, {"\x0a\x06\x0a\x01t\x12\x02u", 8, false, false}, {"", 0, true, false}};
    struct prom_proto_exemplar exemplar;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_EQ(prom_proto_exemplar_read(leat_slice_of((const uint8_t *)cases[i].bytes, cases[i].len), &exemplar), cases[i].ok);
        EXPECT_EQ(exemplar.unfit, cases[i].unfit);
    }
    struct pb_buf many = {0};
    for (uint32_t i = 0; i < 1000; i++)
        pb_buf_bytes(&many, PB_TAG(1, PB_LEN), "\x0a\x01t", 3);
    EXPECT(prom_proto_exemplar_read(leat_slice_of(many.at, (uint32_t)many.len), &exemplar) && exemplar.unfit);
    pb_buf_done(&many);
}
