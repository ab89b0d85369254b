/* SPDX-License-Identifier: Apache-2.0 */
#include <http_parser.h>

#include "agent/net/http1_body.h"
#include "agent/net/http1_head.h"
#include "tests/kit/kit.h"

static struct leat_header room[64];

/* The status a whole head is refused with, 0 when taken, -1 when it does not end. */
static int judge(const char *text, size_t len, struct leat_http1_head *ret_head)
{
    struct leat_http1_scan scan = {0};
    enum leat_http1_found found = leat_http1__scan((const uint8_t *)text, (uint32_t)len, &scan);
    if (found != LEAT_HEAD_WHOLE)
        return found == LEAT_HEAD_BAD ? 400 : -1;
    return leat_http1__parse_request((const uint8_t *)text, scan.at, room, ret_head);
}

struct shape {
    const char *text;
    int status;
};
#define H "Host: a\r\n"

/* What two parsers could read in two ways, and what the RFC forbids. */
static const struct shape shapes[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", 0},
    {"POST /v1/logs?a=b HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "transfer-encoding: Chunked\r\n\r\n", 0},
    {"GET http://a/x HTTP/1.1\r\n" H "\r\n", 0},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X:\t v\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X:\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1\n" H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X@: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "no colon\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
    {"GET /a b HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", 400},
    {"GET a HTTP/1.1\r\n" H "\r\n", 400},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"G\"T / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\r\n" H "\r\n", 400},
    {"GET / http/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.10\r\n" H "\r\n", 400},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"CONNECT a:443 HTTP/1.1\r\n" H "\r\n", 501},
    {"GET / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417},
};

/* Scenario:   the table above, each line whole and cut at every byte.
 * Guarantees: the verdict is the table's and does not depend on the cut; a NUL is refused anywhere. */
LEAT_TEST(head_shapes_are_judged_the_same_at_every_cut)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct leat_http1_head head;
        uint32_t len = (uint32_t)strlen(shapes[i].text);
        int status = judge(shapes[i].text, len, &head);
        if (status != shapes[i].status)
            fail_msg("%s: %d, not %d", shapes[i].text, status, shapes[i].status);
        for (uint32_t cut = 0; cut < len; cut++) {
            struct leat_http1_scan scan = {0}, whole = {0};
            enum leat_http1_found first = leat_http1__scan((const uint8_t *)shapes[i].text, cut, &scan);
            enum leat_http1_found all = leat_http1__scan((const uint8_t *)shapes[i].text, len, &whole);
            if (first == LEAT_HEAD_MORE)
                first = leat_http1__scan((const uint8_t *)shapes[i].text, len, &scan);
            EXPECT_EQ(first, all);
            if (all == LEAT_HEAD_WHOLE)
                EXPECT_EQ(scan.at, whole.at);
        }
    }
    static const char nul[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    struct leat_http1_head head;
    EXPECT_EQ(judge(nul, sizeof nul - 1, &head), 400);
}

/* Guarantees: white space around a value is not part of it. */
LEAT_TEST(head_values_are_trimmed)
{
    struct leat_http1_head head;
    static const char text[] = "GET / HTTP/1.1\r\n" H "X:\t v w \t\r\n\r\n";
    EXPECT_EQ(judge(text, sizeof text - 1, &head), 0);
    EXPECT(leat_slice_is(leat_headers_get(head.headers, "x"), "v w"));
}

/* ---- oracle ---- */

struct seen {
    char text[4096];
    size_t len;
};

static int note(http_parser *parser, const char *at, size_t len)
{
    struct seen *seen = parser->data;
    memcpy(seen->text + seen->len, at, len);
    seen->len += len;
    return 0;
}

static int stop_at_body(http_parser *parser)
{
    (void)parser;
    return 0;
}

/* Scenario:   the same table read by http-parser in strict mode.
 * Guarantees: what we take, it takes too, with the same method, target, headers and framing. */
LEAT_TEST(head_agrees_with_http_parser)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct leat_http1_head head;
        if (judge(shapes[i].text, strlen(shapes[i].text), &head) != 0)
            continue;
        struct seen theirs = {0}, ours = {0};
        http_parser parser = {.data = &theirs};
        http_parser_settings settings = {
            .on_url = note, .on_header_field = note, .on_header_value = note, .on_headers_complete = stop_at_body};
        http_parser_init(&parser, HTTP_REQUEST);
        size_t len = strlen(shapes[i].text);
        EXPECT_EQ(http_parser_execute(&parser, &settings, shapes[i].text, len), len);
        http_parser own = {.data = &ours};
        note(&own, (const char *)head.target.at, head.target.len);
        for (uint32_t k = 0; k < head.headers.count; k++) {
            note(&own, (const char *)head.headers.at[k].name.at, head.headers.at[k].name.len);
            note(&own, (const char *)head.headers.at[k].value.at, head.headers.at[k].value.len);
        }
        if (ours.len != theirs.len)
            fail_msg("%s: %.*s, not %.*s", shapes[i].text, (int)ours.len, ours.text, (int)theirs.len, theirs.text);
        EXPECT_BYTES(ours.text, theirs.text, ours.len);
        EXPECT(leat_slice_is(head.method, http_method_str((enum http_method)parser.method)));
        EXPECT_EQ(parser.http_minor, head.minor);
        EXPECT_EQ((parser.flags & F_CHUNKED) != 0, head.chunked);
        if (head.has_length && head.content_length)
            EXPECT_EQ(parser.content_length, head.content_length);
    }
}

/* ---- bodies ---- */

/* Feeds `text` in two parts; 1 whole, 0 unfinished, -1 refused. The body is put into `to`. */
static int read_chunks(const char *text, uint32_t len, uint32_t cut, char *to, uint32_t *ret_left)
{
    struct leat_http1_body body;
    leat_http1__body_begin(&body, LEAT_BODY_CHUNKED, 0);
    *to = 0;
    for (int part = 0; part < 2; part++) {
        struct leat_slice in = part == 0 ? leat_slice_of(text, cut) : leat_slice_of(text + cut, len - cut), piece;
        for (;;) {
            enum leat_http1_step step = leat_http1__body_next(&body, &in, &piece);
            if (step == LEAT_BODY_MORE)
                break;
            *ret_left = in.len + (part == 0 ? len - cut : 0);
            if (step != LEAT_BODY_PIECE)
                return step == LEAT_BODY_END ? 1 : -1;
            strncat(to, (const char *)piece.at, piece.len);
        }
    }
    return 0;
}

/* Guarantees: chunks are read the same however they are cut; what is ambiguous or endless is refused. */
LEAT_TEST(body_chunks_at_every_cut)
{
    static const struct {
        const char *text;
        int verdict;
        uint32_t left;
    } table[] = {
        {"5\r\nhello\r\n0\r\n\r\n", 1, 0},
        {"2\r\nhe\r\n3;x=\"y\"\r\nllo\r\n0\r\n\r\n", 1, 0},
        {"5\r\nhello\r\n00\r\nA: b\r\nC: d\r\n\r\nGET", 1, 3},
        {"00005\r\nhello\r\n0\r\n\r\n", 1, 0},
        {"5\r\nhello\r\n0\r\n", 0, 0},
        {"5\nhello\r\n0\r\n\r\n", -1, 0},
        {"5\r\nhello\n0\r\n\r\n", -1, 0},
        {"5 \r\nhello\r\n0\r\n\r\n", -1, 0},
        {"5\r\nhelloX\r\n0\r\n\r\n", -1, 0},
        {"\r\nhello", -1, 0},
        {"x\r\n", -1, 0},
        {"-5\r\n", -1, 0},
        {"0x5\r\n", -1, 0},
        {";a\r\n", -1, 0},
        {"5;a\nb\r\nhello\r\n", -1, 0},
        {"ffffffffffffffff\r\n", -1, 0},
        {"0\r\n folded\r\n\r\n", -1, 0},
        {"0\r\nA: b\n\r\n", -1, 0},
        {"0\r\n\n", -1, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (uint32_t cut = 0, len = (uint32_t)strlen(table[i].text); cut <= len; cut++) {
            char body[64];
            uint32_t left = 0;
            int verdict = read_chunks(table[i].text, len, cut, body, &left);
            if (verdict != table[i].verdict)
                fail_msg("%s cut at %u: %d", table[i].text, cut, verdict);
            if (verdict == 1) {
                EXPECT_STR(body, "hello");
                EXPECT_EQ(left, table[i].left);
            }
        }
}

/* Scenario:   extensions, then trailers, without end.
 * Guarantees: both are refused after LEAT_CHUNK_EXTRA_MAX bytes. */
LEAT_TEST(body_bounds_what_is_not_data)
{
    static const char *const begins[] = {"5;", "0\r\n"};
    for (int i = 0; i < 2; i++) {
        struct leat_http1_body body;
        struct leat_slice in = leat_slice_str(begins[i]), piece;
        leat_http1__body_begin(&body, LEAT_BODY_CHUNKED, 0);
        EXPECT_EQ(leat_http1__body_next(&body, &in, &piece), LEAT_BODY_MORE);
        uint32_t n = 0;
        enum leat_http1_step step;
        do {
            in = LEAT_SLICE("x");
            step = leat_http1__body_next(&body, &in, &piece);
        } while (step == LEAT_BODY_MORE && ++n < 100000);
        EXPECT_EQ(step, LEAT_BODY_BAD);
        EXPECT_EQ(n, LEAT_CHUNK_EXTRA_MAX);
    }
}

/* Guarantees: responses parse with and without a reason; nonsense does not. */
LEAT_TEST(head_of_responses)
{
    static const struct shape table[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200},
        {"HTTP/1.0 429\r\n\r\n", 429},
        {"HTTP/1.1 503 \r\n\r\n", 503},
        {"HTTP/1.1 20 OK\r\n\r\n", 0},
        {"HTTP/1.1 2000\r\n\r\n", 0},
        {"HTTP/2 200\r\n\r\n", 0},
        {"ICY 200 OK\r\n\r\n", 0},
        {"HTTP/1.1 200 OK\r\n X: y\r\n\r\n", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_http1_head head = {0};
        bool ok =
            leat_http1__parse_response((const uint8_t *)table[i].text, (uint32_t)strlen(table[i].text), room, &head);
        EXPECT_EQ(ok ? head.status : 0, table[i].status);
    }
}
