/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc_text.h"

#include "tests/kit/kit.h"

/* Scenario:   timeouts as the wire writes them, good and bad, and every unit printed.
 * Guarantees: good ones keep their value, bad ones are refused, what is printed is never shorter than asked. */
LEAT_TEST(grpc_text_timeouts)
{
    static const char *const bad[] = {"", "S", "1", "1s", "-1S", "123456789S", "1.5S", "1 S"};
    uint64_t ns;
    EXPECT(leat_grpc__timeout_parse(LEAT_SLICE("99999999H"), &ns) && ns == UINT64_MAX);
    EXPECT(leat_grpc__timeout_parse(LEAT_SLICE("250m"), &ns) && ns == 250000000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(!leat_grpc__timeout_parse(leat_slice_str(bad[i]), &ns));
    for (uint64_t want = 1; want < UINT64_MAX / 11; want *= 7) {
        char text[24];
        uint32_t len = leat_grpc__timeout_print(want, text);
        EXPECT(len <= 9);
        EXPECT(leat_grpc__timeout_parse(leat_slice_of(text, len), &ns));
        EXPECT(ns >= want && ns - want <= want / 100);
    }
}

/* Scenario:   all bytes, percent-encoded and back; broken escapes.
 * Guarantees: the same bytes; a broken escape stays as it is. */
LEAT_TEST(grpc_text_percent)
{
    uint8_t all[256], back[3 * 256];
    char text[3 * LEAT_GRPC_TEXT_MAX];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    uint32_t len = leat_grpc__percent_encode(leat_slice_of(all, 256), text);
    for (uint32_t i = 0; i < len; i++)
        EXPECT(text[i] >= 0x20 && text[i] <= 0x7e);
    EXPECT_EQ(leat_grpc__percent_decode(leat_slice_of(text, len), back), 256);
    EXPECT_BYTES(back, all, 256);
    EXPECT_EQ(leat_grpc__percent_decode(LEAT_SLICE("%zz%4"), back), 5);
    EXPECT_BYTES(back, "%zz%4", 5);
}

/* Scenario:   byte strings of 0 to 40 bytes, base64 and back; with padding; with foreign characters.
 * Guarantees: the same bytes with and without padding; a foreign character or a lone digit is refused. */
LEAT_TEST(grpc_text_base64)
{
    uint8_t bytes[40], back[64];
    char text[64];
    for (uint32_t len = 0; len <= 40; len++) {
        uint32_t n, got;
        memset(bytes, (int)(len * 37), sizeof bytes);
        n = leat_grpc__base64_encode(leat_slice_of(bytes, len), text);
        EXPECT(leat_grpc__base64_decode(leat_slice_of(text, n), back, &got));
        EXPECT_EQ(got, len);
        EXPECT_BYTES(back, bytes, len);
        while (n % 4)
            text[n++] = '=';
        EXPECT(leat_grpc__base64_decode(leat_slice_of(text, n), back, &got) && got == len);
    }
    uint32_t got;
    EXPECT(!leat_grpc__base64_decode(LEAT_SLICE("AA*A"), back, &got));
    EXPECT(!leat_grpc__base64_decode(LEAT_SLICE("AAAAA"), back, &got));
}

/* Scenario:   google.rpc.Status with RetryInfo of 1.5 s behind another detail; and cut at every byte.
 * Guarantees: the delay is found; a cut one gives none or less, and reads nothing beyond its end. */
LEAT_TEST(grpc_text_retry_info)
{
    static const uint8_t status[] =
        "\x08\x0e\x12\x01x\x1a\x05\x0a\x03"
        "a/b\x1a\x32\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x06\x0a\x04\x08\x01\x10\x05";
    uint64_t delay = 0;
    uint32_t len = sizeof status - 1;
    EXPECT(leat_grpc__retry_info(leat_slice_of(status, len), &delay));
    EXPECT_EQ(delay, 1000000005);
    for (uint32_t cut = 0; cut < len; cut++) {
        struct leat_chain chain = kit_chain(status, cut, 0);
        struct leat_slice piece = chain.count ? chain.vec[0] : (struct leat_slice){0};
        EXPECT(!leat_grpc__retry_info(piece, &delay));
        leat_chain_done(&chain);
    }
}

/* Scenario:   content types, encodings, HTTP statuses and codes.
 * Guarantees: gRPC's own tables hold. */
LEAT_TEST(grpc_text_tables)
{
    enum leat_coding coding;
    int code;
    EXPECT(leat_grpc__is_grpc(LEAT_SLICE("application/grpc")));
    EXPECT(leat_grpc__is_grpc(LEAT_SLICE("application/grpc+proto")));
    EXPECT(leat_grpc__is_grpc(LEAT_SLICE("application/grpc;x=y")));
    EXPECT(!leat_grpc__is_grpc(LEAT_SLICE("application/grpc-web")));
    EXPECT(!leat_grpc__is_grpc(LEAT_SLICE("application/json")));
    EXPECT(leat_grpc__coding_parse(LEAT_SLICE("snappy"), &coding) && coding == LEAT_CODING_SNAPPY_FRAMED);
    EXPECT(leat_grpc__coding_parse(LEAT_SLICE("identity"), &coding) && coding == LEAT_CODING_NONE);
    EXPECT(!leat_grpc__coding_parse(LEAT_SLICE("br"), &coding));
    static const int http[][2] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14},
                                  {502, 14}, {503, 14}, {504, 14}, {500, 2}};
    for (size_t i = 0; i < sizeof http / sizeof *http; i++)
        EXPECT_EQ(leat_grpc__code_of_http(http[i][0]), http[i][1]);
    EXPECT(leat_grpc__code_parse(LEAT_SLICE("16"), &code) && code == LEAT_GRPC_UNAUTHENTICATED);
    EXPECT(leat_grpc__code_parse(LEAT_SLICE("99"), &code) && code == LEAT_GRPC_UNKNOWN);
    EXPECT(!leat_grpc__code_parse(LEAT_SLICE("-1"), &code));
    EXPECT_STR(leat_grpc_code_name(14), "UNAVAILABLE");
}
