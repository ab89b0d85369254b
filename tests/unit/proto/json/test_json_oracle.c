/* SPDX-License-Identifier: Apache-2.0 */
/* The reference's names for its types are ours too. */
#define JSON_OBJECT REFERENCE_OBJECT
#define JSON_ARRAY REFERENCE_ARRAY
#define JSON_STRING REFERENCE_STRING
#define JSON_TRUE REFERENCE_TRUE
#define JSON_FALSE REFERENCE_FALSE
#define JSON_NULL REFERENCE_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL
#include <math.h>
#include <stdlib.h>

#include "proto/json/json_read.h"
#include "proto/json/json_write.h"
#include "tests/kit/kit.h"

static const char *const texts[] = {"{}",
                                    "[]",
                                    "[[],{}]",
                                    "{\"a\":1}",
                                    " { \"a\" : [ 1 , 2.5e-3 , -0 , true , false , null , \"x\" ] } ",
                                    "[\"\\u00e9\\u20ac\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
                                    "[\"h\xc3\xa9llo\"]",
                                    "[1,]",
                                    "[,1]",
                                    "[1 2]",
                                    "{\"a\"}",
                                    "{\"a\":}",
                                    "{\"a\":1,}",
                                    "{a:1}",
                                    "{1:1}",
                                    "[01]",
                                    "[-]",
                                    "[1.]",
                                    "[.5]",
                                    "[1e]",
                                    "[1e+]",
                                    "[1E5]",
                                    "[+1]",
                                    "[0x1]",
                                    "[tru]",
                                    "[nul]",
                                    "[\"a]",
                                    "[\"\\x\"]",
                                    "[\"\\u12\"]",
                                    "[\"a\tb\"]",
                                    "[\"\xff\"]",
                                    "[\"\xc3\"]",
                                    "[",
                                    "]",
                                    "{",
                                    "}",
                                    "[}",
                                    "{]",
                                    "[1]]",
                                    "[1] 2",
                                    "",
                                    " ",
                                    "[\"\\ud83d\\ude00x\"]",
                                    "[1.0,10,100e2,1234567890123456]",
                                    "[\"a\",\"b\"]]",
                                    "[true,false",
                                    "[\"\xed\xa0\x80\"]",
                                    "[\"\xc0\x80\"]",
                                    "[[[[1]]]]"};

/* The parse as text again, by our tokens; false: refused. */
static bool echo(const char *text, size_t len, struct leat_strbuf *out)
{
    struct json_reader r;
    struct json_token t;
    bool comma = false;
    json_begin(&r, text, len, 64);
    while (json_next(&r, &t) > JSON_END) {
        bool closes = t.type == JSON_OBJECT_END || t.type == JSON_ARRAY_END;
        if (comma && !closes)
            leat_strbuf_putc(out, ',');
        static const char *const fixed[] = {
            [JSON_OBJECT] = "{",  [JSON_OBJECT_END] = "}", [JSON_ARRAY] = "[",  [JSON_ARRAY_END] = "]",
            [JSON_TRUE] = "true", [JSON_FALSE] = "false",  [JSON_NULL] = "null"};
        char word[256];
        if (t.type == JSON_KEY || t.type == JSON_STRING)
            json_put_string(out, word, json_unescape(&t, word));
        else if (t.type == JSON_NUMBER)
            leat_strbuf_put(out, t.at, t.len);
        else
            leat_strbuf_puts(out, fixed[t.type]);
        if (t.type == JSON_KEY)
            leat_strbuf_putc(out, ':');
        comma = t.type != JSON_KEY && t.type != JSON_OBJECT && t.type != JSON_ARRAY;
    }
    return t.type == JSON_END;
}

static void compare(const char *text, size_t len)
{
    struct leat_strbuf out = {0};
    json_error_t error;
    json_t *wanted = json_loadb(text, len, 0, &error);
    bool ok = echo(text, len, &out);
    EXPECT_EQ(ok, wanted != NULL);
    if (ok) {
        json_t *got = json_loadb(out.at, out.len, 0, &error);
        EXPECT(json_equal(wanted, got));
        json_decref(got);
    }
    json_decref(wanted);
    leat_strbuf_done(&out);
}

/* Scenario:   good and bad texts, and each of them cut short at each byte.
 * Guarantees: we take what the reference takes, refuse what it refuses, and read the same. */
LEAT_TEST(json_agrees_with_the_reference)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t len = 0; len <= strlen(texts[i]); len++)
            compare(texts[i], len);
}

/* Guarantees: what we write as a double reads back as the same one. */
LEAT_TEST(doubles_come_back)
{
    static const double values[] = {
        0.1,  1e-6, 9.9e-7, 1e20, 1e21, 123456789.125, 5e-324, 1.7976931348623157e308, 0.30000000000000004,
        -2.5, 1e15, 100};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct leat_strbuf out = {0};
        json_put_double(&out, values[i]);
        EXPECT(strtod(out.at, NULL) == values[i]);
        leat_strbuf_done(&out);
    }
    struct leat_strbuf out = {0};
    json_put_double(&out, 0.1);
    json_put_double(&out, 1e-7);
    json_put_double(&out, 1e20);
    json_put_double(&out, 1.5e21);
    json_put_double(&out, (double)NAN);
    json_put_double(&out, -(double)INFINITY);
    EXPECT_STR(out.at, "0.11e-71000000000000000000001.5e+21\"NaN\"\"-Infinity\"");
    leat_strbuf_done(&out);
}
