/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_reply/otlp_reply.h"
#include "tests/kit/kit.h"

/* Guarantees: JSON answers are read whatever else they hold; what is no JSON is refused. */
LEAT_TEST(otlp_reply_reads_json)
{
    struct otlp_reply reply;
    EXPECT_OK(otlp_reply_read_json(
        LEAT_SLICE(" {\"x\":[1,{\"y\":null}],\"partialSuccess\":{\"rejectedDataPoints\":12}} "), &reply));
    EXPECT_EQ(reply.rejected, 12);
    EXPECT_OK(otlp_reply_read_json(LEAT_SLICE("{\"partialSuccess\":null}"), &reply));
    EXPECT_EQ(reply.rejected, 0);
    EXPECT_OK(otlp_reply_status_json(LEAT_SLICE("{\"code\":3,\"message\":\"a\\nb\",\"details\":[]}"), &reply));
    EXPECT(leat_slice_is(reply.text, "a\nb"));
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{\"a\":}",
                                      "{} x",
                                      "{\"partialSuccess\":{\"rejectedSpans\":\"x\"}}",
                                      "{\"partialSuccess\":3}",
                                      "{\"message\":\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_RC(otlp_reply_read_json(leat_slice_str(bad[i]), &reply), LEAT_EPARSE);
}

/* Scenario:   a long text with an escape at every place around the cut.
 * Guarantees: what is kept fits, and holds no part of an escape. */
LEAT_TEST(otlp_reply_cuts_long_texts)
{
    for (uint32_t plain = OTLP_REPLY_TEXT_MAX - 14; plain <= OTLP_REPLY_TEXT_MAX; plain++) {
        static const char *const escapes[] = {"\\u20ac", "\\\\", "\\\"", "\\ud83d\\ude00"};
        for (size_t e = 0; e < sizeof escapes / sizeof *escapes; e++) {
            char text[512] = "{\"message\":\"";
            size_t len = strlen(text);
            memset(text + len, 'a', plain);
            len += plain;
            for (int i = 0; i < 8; i++, len += strlen(escapes[e]))
                memcpy(text + len, escapes[e], strlen(escapes[e]));
            memcpy(text + len, "\"}", 2);
            struct otlp_reply reply;
            EXPECT_OK(otlp_reply_status_json(leat_slice_of(text, (uint32_t)len + 2), &reply));
            EXPECT(reply.text.len <= OTLP_REPLY_TEXT_MAX && reply.text.len >= OTLP_REPLY_TEXT_MAX - 24);
            for (uint32_t i = 0; i < plain && i < reply.text.len; i++)
                EXPECT_EQ(reply.text.at[i], 'a');
        }
    }
    struct otlp_reply reply;
    EXPECT_OK(otlp_reply_status_json(LEAT_SLICE("{\"message\":\"c:\\\\\"}"), &reply));
    EXPECT(leat_slice_is(reply.text, "c:\\"));
}

/* Guarantees: nesting without end is refused, not followed. */
LEAT_TEST(otlp_reply_bounds_nesting)
{
    char deep[4096] = "{\"a\":";
    struct otlp_reply reply;
    memset(deep + 5, '[', sizeof deep - 5);
    EXPECT_RC(otlp_reply_read_json(leat_slice_of(deep, sizeof deep), &reply), LEAT_EPARSE);
}

/* Guarantees: a negative count is none; a field of the wrong type is refused. */
LEAT_TEST(otlp_reply_reads_protobuf)
{
    struct otlp_reply reply;
    EXPECT_OK(otlp_reply_read((struct leat_slice){0}, &reply));
    EXPECT_EQ(reply.rejected, 0);
    EXPECT_OK(otlp_reply_read(LEAT_SLICE("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &reply));
    EXPECT_EQ(reply.rejected, 0);
    EXPECT_RC(otlp_reply_read(LEAT_SLICE("\x08\x01"), &reply), LEAT_EPARSE);
    EXPECT_RC(otlp_reply_read(LEAT_SLICE("<html>"), &reply), LEAT_EPARSE);
    EXPECT_OK(otlp_reply_status(LEAT_SLICE("\x08\x03\x12\x02no"), &reply));
    EXPECT(leat_slice_is(reply.text, "no"));
}
