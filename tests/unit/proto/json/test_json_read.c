/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json/json_read.h"

#include "proto/json/json_write.h"
#include "tests/kit/kit.h"

/* Guarantees: depth_max is kept, and the error tells where; the parser stays failed. */
LEAT_TEST(json_bounds_depth)
{
    struct json_reader r;
    struct json_token t;
    json_begin(&r, "[[[", 3, 2);
    EXPECT_EQ(json_next(&r, &t), JSON_ARRAY);
    EXPECT_EQ(json_next(&r, &t), JSON_ARRAY);
    EXPECT_EQ(json_next(&r, &t), JSON_ERROR);
    EXPECT_STR(r.why, "nested too deep");
    EXPECT_EQ(json_offset(&r), 2);
    EXPECT_EQ(json_next(&r, &t), JSON_ERROR);
    EXPECT(!json_skip(&r));
}

/* Guarantees: whole values are passed over, whatever is in them. */
LEAT_TEST(json_skips_values)
{
    static const char text[] = "{\"a\":{\"b\":[1,{\"c\":[]}],\"d\":\"}\"},\"e\":5}";
    struct json_reader r;
    struct json_token t;
    json_begin(&r, text, sizeof text - 1, 10);
    EXPECT(json_next(&r, &t) == JSON_OBJECT && json_next(&r, &t) == JSON_KEY);
    EXPECT(json_skip(&r));
    EXPECT(json_next(&r, &t) == JSON_KEY && json_is(&t, "e"));
    EXPECT(json_next(&r, &t) == JSON_NUMBER && t.integer && json_is(&t, "5"));
    EXPECT(json_next(&r, &t) == JSON_OBJECT_END && json_next(&r, &t) == JSON_END);
}

/* Guarantees: half a surrogate becomes U+FFFD; a NUL may be escaped. */
LEAT_TEST(json_unescapes_what_others_refuse)
{
    static const char text[] = "\"\\ud800x\\udc00\\ud83d\\ude00\\u0000\"";
    struct json_reader r;
    struct json_token t;
    char out[64];
    json_begin(&r, text, sizeof text - 1, 1);
    EXPECT_EQ(json_next(&r, &t), JSON_STRING);
    uint32_t len = json_unescape(&t, out);
    EXPECT_EQ(len, 12);
    EXPECT_BYTES(out, "\xef\xbf\xbdx\xef\xbf\xbd\xf0\x9f\x98\x80\0", 12);
}

/* Scenario:   a byte that must be escaped at each place of texts of each length up to 70.
 * Guarantees: what is written reads back. */
LEAT_TEST(json_escapes_at_any_place)
{
    static const char special[] = {'"', '\\', '\n', 0, 0x1f, 'a'};
    for (size_t len = 1; len <= 70; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t s = 0; s < sizeof special; s++) {
                char text[70], back[70];
                memset(text, 'x', sizeof text);
                text[at] = special[s];
                struct leat_strbuf out = {0};
                json_put_string(&out, text, len);
                struct json_reader r;
                struct json_token t;
                json_begin(&r, out.at, out.len, 1);
                EXPECT_EQ(json_next(&r, &t), JSON_STRING);
                EXPECT(t.escaped == (special[s] != 'a'));
                if (t.escaped) {
                    EXPECT_EQ(json_unescape(&t, out.len > 70 ? (char[512]){0} : back), len);
                }
                leat_strbuf_done(&out);
            }
}
