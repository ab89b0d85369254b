/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_status.h"

#include "tests/kit/kit.h"

static struct leat_slice made(const struct pb_buf *b)
{
    return leat_slice_of(b->at, (uint32_t)b->len);
}
static struct leat_slice text_of(const struct leat_strbuf *s)
{
    return leat_slice_of(s->at, (uint32_t)s->len);
}

/* Guarantees: a partial success says the same after a trip through protobuf and JSON; none is an empty response. */
LEAT_TEST(partial_success_there_and_back)
{
    struct otlp_partial p;
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++) {
        struct pb_buf b = {0};
        struct leat_strbuf s = {0};
        otlp_partial_put(&b, 7, "bad \"ones\"\n");
        otlp_partial_put_json(&s, (enum leat_signal)signal, 7, "bad \"ones\"\n");
        EXPECT(otlp_partial_of(made(&b), &p) && p.rejected == 7);
        EXPECT_STR(p.message, "bad \"ones\"\n");
        EXPECT(otlp_partial_of_json((enum leat_signal)signal, text_of(&s), &p) && p.rejected == 7);
        EXPECT_STR(p.message, "bad \"ones\"\n");
        pb_buf_done(&b);
        leat_strbuf_done(&s);
    }
    struct pb_buf none = {0};
    otlp_partial_put(&none, 0, "");
    EXPECT_EQ(none.len, 0);
    EXPECT(otlp_partial_of((struct leat_slice){0}, &p) && p.rejected == 0 && !p.message[0]);
    EXPECT(!otlp_partial_of(leat_slice_of("\x0a\x05x", 3), &p));
    EXPECT(!otlp_partial_of_json(LEAT_LOGS, LEAT_SLICE("{]"), &p));
}

/* Guarantees: a status keeps code, message and delay both ways; strangers' details are passed over; huge delays end. */
LEAT_TEST(status_there_and_back)
{
    static const int64_t delays[] = {-1, 0, 1500000000, 30000000000};
    struct otlp_status st;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct pb_buf b = {0};
        struct leat_strbuf s = {0};
        otlp_status_put(&b, 8, "t\xc3\xa9xt \"x\"", delays[i]);
        otlp_status_put_json(&s, 8, "t\xc3\xa9xt \"x\"", delays[i]);
        for (int json = 0; json < 2; json++) {
            EXPECT(json ? otlp_status_of_json(text_of(&s), &st) : otlp_status_of(made(&b), &st));
            EXPECT_EQ(st.code, 8);
            EXPECT_EQ(st.retry_ns, delays[i]);
            EXPECT_STR(st.message, "t\xc3\xa9xt \"x\"");
        }
        pb_buf_done(&b);
        leat_strbuf_done(&s);
    }
    EXPECT(otlp_status_of(LEAT_SLICE("\x08\x03\x1a\x06\x0a\x01x\x12\x01\xff"), &st) && st.code == 3 &&
           st.retry_ns == -1);
    EXPECT(!otlp_status_of(LEAT_SLICE("\x08"), &st));
    EXPECT(!otlp_status_of_json(LEAT_SLICE("{\"code\":3"), &st));
    EXPECT(otlp_status_of_json(LEAT_SLICE("{\"details\":[{\"code\":4,\"x\":[{}]}],\"code\":3}"), &st) && st.code == 3);
}

/* Guarantees: a message longer than the struct, with escapes, is cut and ends with a NUL. */
LEAT_TEST(status_cuts_long_messages)
{
    struct otlp_status st;
    struct leat_strbuf s = {0};
    leat_strbuf_puts(&s, "{\"message\":\"");
    for (int i = 0; i < 500; i++)
        leat_strbuf_puts(&s, i % 3 ? "\\\\" : "\\u00e9");
    leat_strbuf_puts(&s, "\"}");
    EXPECT(otlp_status_of_json(text_of(&s), &st));
    EXPECT(strlen(st.message) > 200 && strlen(st.message) < OTLP_MESSAGE_BYTES);
    leat_strbuf_done(&s);
}
