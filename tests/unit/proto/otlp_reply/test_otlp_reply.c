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
