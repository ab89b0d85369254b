/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/utf8/utf8.h"

#include "agent/base/alloc.h"
#include "tests/kit/kit.h"

/* Scenario:   a high byte, or none, at each place of texts of each length up to 200, in blocks of exact size.
 * Guarantees: the vector scan answers what its scalar twin answers. */
LEAT_TEST(scan_equals_its_scalar_twin)
{
    for (size_t len = 0; len <= 200; len++) {
        uint8_t *at = leat_alloc(len ? len : 1);
        for (size_t high = 0; high <= len; high++) {
            memset(at, 0x7f, len);
            if (high < len)
                at[high] = 0x80;
            for (size_t from = 0; from <= len && from <= 40; from += 13) {
                const uint8_t *wanted = utf8_high_scalar(at + from, at + len);
                EXPECT(utf8_high(at + from, at + len) == wanted);
                EXPECT(wanted == (high >= from ? at + high : at + len));
            }
        }
        leat_free(at);
    }
}

static bool by_decoding(const uint8_t *at, size_t len, bool *ret_one)
{
    uint8_t again[4];
    *ret_one = false;
    for (uint32_t code = 0; code < 0x110000; code++) {
        if (code == 0xd800)
            code = 0xe000;
        if (utf8_put(code, again) == len && memcmp(at, again, len) == 0) {
            *ret_one = true;
            return true;
        }
    }
    return false;
}

/* Guarantees: every code point but surrogates is well-formed as written, whole and byte by byte. */
LEAT_TEST(every_code_point_is_taken)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        uint8_t at[4];
        unsigned len = utf8_put(code, at), bad;
        bool surrogate = code >= 0xd800 && code < 0xe000;
        EXPECT(utf8_ok(at, len) == !surrogate);
        EXPECT_EQ(utf8_char(at, at + len, &bad), surrogate ? 0 : len);
        struct utf8_state state = {0};
        bool ok = true;
        for (unsigned i = 0; i < len && ok; i++)
            ok = utf8_feed(&state, at + i, 1);
        EXPECT(ok == !surrogate);
        for (unsigned n = 1; n < len && !surrogate; n++)
            EXPECT(!utf8_ok(at, n));
    }
}

/* Guarantees: of all pairs of bytes, and of three and four with overlong or too high leads, only what a code point
 * makes is taken. */
LEAT_TEST(nothing_else_is_taken)
{
    for (unsigned a = 0x80; a < 0x100; a++)
        for (unsigned b = 0; b < 0x100; b++) {
            uint8_t at[2] = {(uint8_t)a, (uint8_t)b};
            bool wanted = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;
            EXPECT(utf8_ok(at, 2) == wanted);
        }
    static const char *const broken[] = {"\xe0\x9f\xbf",     "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80", "\xc0\x80",     "\xc1\xbf"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        bool one;
        EXPECT(!utf8_ok((const uint8_t *)broken[i], strlen(broken[i])));
        EXPECT(!by_decoding((const uint8_t *)broken[i], strlen(broken[i]), &one));
    }
}

/* Guarantees: each broken sequence becomes one U+FFFD, and good text stays. */
LEAT_TEST(repair_replaces_the_longest_good_beginning)
{
    static const char in[] = "a\xf0\x9f\x90z\xff\xe2\x82", wanted[] = "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd";
    uint8_t out[3 * sizeof in];
    size_t len = utf8_repair((const uint8_t *)in, sizeof in - 1, out);
    EXPECT_EQ(len, sizeof wanted - 1);
    EXPECT_EQ(utf8_repaired_len((const uint8_t *)in, sizeof in - 1), len);
    EXPECT_BYTES(out, wanted, len);
    EXPECT(utf8_ok(out, len));
}
