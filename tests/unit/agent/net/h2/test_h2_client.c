/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_client.h"

#include <stdio.h>

#include "agent/base/strbuf.h"
#include "agent/net/coding.h"
#include "tests/kit/kit.h"

#define S 1000000000ull

/* A client session and the frames a server might say to it. */
struct desk {
    struct leat_h2_client *client;
    struct leat_grpc_out out;
    struct leat_chain message;
    struct leat_strbuf in;
    int ends, code;
    char text[80], body[32];
    enum leat_h2_end end;
    leat_rc rc;
};

static void finished(void *ctx, struct leat_grpc_out *out, const struct leat_h2_outcome *outcome)
{
    struct desk *desk = ctx;
    (void)out;
    desk->ends++;
    desk->end = outcome->end;
    desk->code = outcome->end == LEAT_H2_ANSWERED ? outcome->status.code : -1;
    desk->rc = outcome->err ? outcome->err->code : LEAT_OK;
    (void)snprintf(desk->text, sizeof desk->text, "%.*s", LEAT_SLICE_ARGS(outcome->status.message));
    (void)snprintf(desk->body, sizeof desk->body, "%.*s", LEAT_SLICE_ARGS(outcome->response));
}

static leat_rc desk_open(struct desk *desk, const struct leat_grpc_client_opts *opts)
{
    *desk = (struct desk){.code = -1};
    leat_rc rc = leat_chain_share(&desk->message, LEAT_SLICE("hello"));
    if (rc == LEAT_OK)
        rc = leat_h2__client_open(opts, 1000 * S, &desk->client);
    if (rc != LEAT_OK)
        return rc;
    desk->client->finished = finished;
    desk->client->ctx = desk;
    desk->out = (struct leat_grpc_out){.path = LEAT_SLICE("/a.B/C"), .message = &desk->message, .timeout_ns = 5 * S};
    rc = leat_h2__client_start(desk->client, &desk->out);
    leat_h2__pump(&desk->client->h2);
    leat_chain_done(&desk->client->h2.out);
    return rc;
}

static void desk_close(struct desk *desk)
{
    desk->client = leat_h2__client_close(desk->client, &(struct leat_err){.code = LEAT_ENET});
    leat_chain_done(&desk->message);
    leat_strbuf_done(&desk->in);
}

static void frame(struct desk *desk, uint8_t type, uint8_t flags, uint8_t id, const void *at, size_t len)
{
    uint8_t head[9] = {0, (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0, 0, id};
    leat_strbuf_put(&desk->in, head, 9);
    if (len)
        leat_strbuf_put(&desk->in, at, len);
}

static leat_rc say(struct desk *desk)
{
    struct leat_mem *mem = desk->in.failed ? NULL : leat_mem_new((uint32_t)desk->in.len);
    if (!mem)
        return LEAT_ENOMEM;
    memcpy(mem->at, desk->in.at, desk->in.len);
    leat_h2__feed(&desk->client->h2, (struct leat_slice){mem->at, (uint32_t)desk->in.len, mem}, 1000 * S);
    leat_h2__pump(&desk->client->h2);
    leat_chain_done(&desk->client->h2.out);
    leat_strbuf_clear(&desk->in);
    return LEAT_OK;
}

static const struct leat_grpc_client_opts plain = {.address = "x:1", .response_bytes_max = 100};

#define HEAD_OK    \
    "\x88\x00\x0c" \
    "content-type" \
    "\x10"         \
    "application/grpc"
#define STATUS(n) \
    "\x00\x0b"    \
    "grpc-status" \
    "\x01" n

static void answer(struct desk *desk, const char *message, size_t len, const char *trailers, size_t trailers_len)
{
    frame(desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(desk, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, HEAD_OK, sizeof HEAD_OK - 1);
    frame(desk, NGHTTP2_DATA, 0, 1, message, len);
    frame(desk, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, trailers, trailers_len);
}

/* Scenario:   what a server may answer, right and wrong.
 * Guarantees: one end for each call, with the code gRPC names. */
LEAT_TEST(h2_client_reads_answers)
{
    static const struct {
        const char *message;
        size_t len;
        const char *trailers;
        size_t trailers_len;
        int code;
    } cases[] = {
        {"\0\0\0\0\2ok", 7, STATUS("0"), sizeof STATUS("0") - 1, LEAT_GRPC_OK},
        {"\0\0\0\0\0", 5, STATUS("0"), sizeof STATUS("0") - 1, LEAT_GRPC_OK},
        {"\1\0\0\0\1x", 6, STATUS("0"), sizeof STATUS("0") - 1, LEAT_GRPC_OK},  /* not what its coding says */
        {"\0\0\0\0\2o", 6, STATUS("0"), sizeof STATUS("0") - 1, LEAT_GRPC_OK},  /* cut short */
        {"\2\0\0\0\2ok", 7, STATUS("0"), sizeof STATUS("0") - 1, LEAT_GRPC_OK}, /* no such flag */
        {"\0\0\0\0\2o", 6, STATUS("8"), sizeof STATUS("8") - 1, LEAT_GRPC_RESOURCE_EXHAUSTED},
        {"\0\0\0\0\0", 5, "\x00\x01x\x01y", 5, LEAT_GRPC_INTERNAL},           /* no grpc-status */
        {"\0\0\0\1\0", 5, STATUS("0"), sizeof STATUS("0") - 1, LEAT_GRPC_OK}, /* over our limit */
        {"\0\0\0\1\0", 5, STATUS("9"), sizeof STATUS("9") - 1, LEAT_GRPC_FAILED_PRECONDITION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        EXPECT_OK(desk_open(&desk, &plain));
        answer(&desk, cases[i].message, cases[i].len, cases[i].trailers, cases[i].trailers_len);
        EXPECT_OK(say(&desk));
        EXPECT_EQ(desk.ends, 1);
        EXPECT_EQ(desk.end, LEAT_H2_ANSWERED);
        EXPECT_EQ(desk.code, cases[i].code);
        desk_close(&desk);
        EXPECT_EQ(desk.ends, 1);
    }
}

static void answer_coded(struct desk *desk, const char *coding, const uint8_t *message, size_t len)
{
    char head[128];
    size_t n = sizeof HEAD_OK - 1;
    memcpy(head, HEAD_OK, n);
    head[n++] = 0;
    head[n++] = sizeof "grpc-encoding" - 1;
    memcpy(head + n, "grpc-encoding", sizeof "grpc-encoding" - 1);
    n += sizeof "grpc-encoding" - 1;
    head[n++] = (char)strlen(coding);
    memcpy(head + n, coding, strlen(coding));
    frame(desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(desk, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, head, n + strlen(coding));
    frame(desk, NGHTTP2_DATA, 0, 1, message, len);
    frame(desk, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, STATUS("0"),
          sizeof STATUS("0") - 1);
}

/* One message of `len` equal bytes in `coding`, with gRPC's prefix, in `to`; answers its length. */
static size_t coded(enum leat_coding coding, size_t len, uint8_t *to)
{
    struct leat_chain in = {0}, out = {0};
    struct leat_slice flat = {0};
    uint8_t text[1000];
    memset(text, 'y', sizeof text);
    EXPECT_OK(leat_chain_copy(&in, text, (uint32_t)len));
    EXPECT_OK(leat_encode(coding, 0, &in, &out, NULL));
    EXPECT_OK(leat_chain_flat(&out, &flat));
    memcpy(to, (uint8_t[]){1, 0, 0, (uint8_t)(flat.len >> 8), (uint8_t)flat.len}, 5);
    memcpy(to + 5, flat.at, flat.len);
    size_t whole = flat.len + 5;
    leat_mem_unref(flat.mem);
    leat_chain_done(&in);
    leat_chain_done(&out);
    return whole;
}

/* Scenario:   grpc-go answers in the coding of the request; once in one nobody knows; once with a bomb.
 * Guarantees: the message is decompressed, up to the limit; the status holds whatever becomes of it, and says why. */
LEAT_TEST(h2_client_reads_compressed_answers)
{
    static const struct {
        enum leat_coding coding;
        const char *name;
        size_t len;
        const char *body, *text;
    } cases[] = {
        {LEAT_CODING_GZIP, "gzip", 3, "yyy", ""},
        {LEAT_CODING_ZSTD, "zstd", 3, "yyy", ""},
        {LEAT_CODING_SNAPPY_FRAMED, "snappy", 3, "yyy", ""},
        {LEAT_CODING_GZIP, "br", 3, "", "status OK, but its message cannot be decompressed"},
        {LEAT_CODING_GZIP, "gzip", 1000, "", "status OK, but its message cannot be decompressed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        uint8_t message[256];
        size_t len = coded(cases[i].coding, cases[i].len, message);
        EXPECT_OK(desk_open(&desk, &plain));
        answer_coded(&desk, cases[i].name, message, len);
        EXPECT_OK(say(&desk));
        EXPECT_EQ(desk.end, LEAT_H2_ANSWERED);
        EXPECT_EQ(desk.code, LEAT_GRPC_OK);
        EXPECT_STR(desk.body, cases[i].body);
        EXPECT_STR(desk.text, cases[i].text);
        desk_close(&desk);
    }
}

/* Scenario:   an intermediary answers 503 in HTML; the stream is reset; refused; GOAWAY says it was not seen.
 * Guarantees: UNAVAILABLE; CANCELLED; unprocessed twice, so that the call may be sent again. */
LEAT_TEST(h2_client_reads_what_is_no_answer)
{
    struct desk desk;
    EXPECT_OK(desk_open(&desk, &plain));
    frame(&desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(&desk, NGHTTP2_HEADERS, 5, 1,
          "\x48\x03"
          "503",
          5);
    EXPECT_OK(say(&desk));
    EXPECT_EQ(desk.code, LEAT_GRPC_UNAVAILABLE);
    desk_close(&desk);

    EXPECT_OK(desk_open(&desk, &plain));
    frame(&desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(&desk, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    EXPECT_OK(say(&desk));
    EXPECT_EQ(desk.code, LEAT_GRPC_CANCELLED);
    desk_close(&desk);

    EXPECT_OK(desk_open(&desk, &plain));
    frame(&desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(&desk, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x07", 4);
    EXPECT_OK(say(&desk));
    EXPECT_EQ(desk.end, LEAT_H2_UNPROCESSED);
    desk_close(&desk);

    EXPECT_OK(desk_open(&desk, &plain));
    frame(&desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(&desk, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\x0btoo_many_pings", 22);
    EXPECT_OK(say(&desk));
    EXPECT_EQ(desk.end, LEAT_H2_UNPROCESSED);
    EXPECT(desk.client->goaway && desk.client->too_many_pings);
    EXPECT(!leat_h2__client_has_room(desk.client));
    desk_close(&desk);
}

/* Scenario:   the connection ends with a call open; a call is dropped before its answer comes.
 * Guarantees: the first is broken, with the reason; of the second nobody hears. */
LEAT_TEST(h2_client_ends_calls_once)
{
    struct desk desk;
    EXPECT_OK(desk_open(&desk, &plain));
    desk_close(&desk);
    EXPECT_EQ(desk.ends, 1);
    EXPECT_EQ(desk.rc, LEAT_ENET);
    EXPECT_OK(desk_open(&desk, &plain));
    leat_h2__client_drop(&desk.out);
    answer(&desk, "\0\0\0\0\0", 5, STATUS("0"), sizeof STATUS("0") - 1);
    EXPECT_OK(say(&desk));
    desk_close(&desk);
    EXPECT_EQ(desk.ends, 0);
}

/* Scenario:   the socket takes no more, a DATA frame waits, and the caller gives its call up and frees its message.
 * Guarantees: the frame is never made of what is gone; the stream is reset and the connection serves the next call. */
LEAT_TEST(h2_client_gives_up_a_call_whose_frame_waits)
{
    struct desk desk = {0};
    EXPECT_OK(leat_chain_share(&desk.message, LEAT_SLICE("hello")));
    EXPECT_OK(leat_h2__client_open(&plain, 1000 * S, &desk.client));
    desk.client->finished = finished;
    desk.client->ctx = &desk;
    desk.out = (struct leat_grpc_out){.path = LEAT_SLICE("/a.B/C"), .message = &desk.message};
    desk.client->h2.unsent = 100u << 20;
    EXPECT_OK(leat_h2__client_start(desk.client, &desk.out));
    leat_h2__pump(&desk.client->h2);
    uint64_t before = desk.client->h2.out.bytes;
    leat_h2__client_drop(&desk.out);
    leat_chain_done(&desk.message);
    desk.client->h2.unsent = 0;
    leat_h2__pump(&desk.client->h2);
    EXPECT(!desk.client->h2.ended);
    EXPECT_EQ(desk.client->h2.stream_count, 0);
    EXPECT(desk.client->h2.out.bytes >= before + 13); /* RST_STREAM */
    leat_chain_done(&desk.client->h2.out);
    EXPECT_EQ(desk.ends, 0);
    EXPECT_OK(leat_chain_share(&desk.message, LEAT_SLICE("hello")));
    EXPECT_OK(leat_h2__client_start(desk.client, &desk.out));
    leat_h2__pump(&desk.client->h2);
    leat_chain_done(&desk.client->h2.out);
    frame(&desk, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(&desk, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3, HEAD_OK STATUS("5"),
          sizeof HEAD_OK STATUS("5") - 1);
    EXPECT_OK(say(&desk));
    EXPECT_EQ(desk.ends, 1);
    EXPECT_EQ(desk.code, LEAT_GRPC_NOT_FOUND);
    desk_close(&desk);
}

/* Scenario:   the server falls silent with a call open and keepalive on.
 * Guarantees: a ping after `keepalive`, the end after its timeout. */
LEAT_TEST(h2_client_pings_silent_servers)
{
    struct desk desk;
    EXPECT_OK(desk_open(&desk, &(struct leat_grpc_client_opts){
                                   .address = "x:1", .keepalive_ns = 10 * S, .keepalive_timeout_ns = 5 * S}));
    EXPECT_EQ(leat_h2__due_ns(&desk.client->h2), 1010 * S);
    leat_h2__tick(&desk.client->h2, 1010 * S);
    leat_h2__pump(&desk.client->h2);
    EXPECT_EQ(desk.client->h2.out.bytes, 17); /* one PING */
    leat_chain_done(&desk.client->h2.out);
    leat_h2__tick(&desk.client->h2, 1014 * S);
    EXPECT(!desk.client->h2.ended);
    leat_h2__tick(&desk.client->h2, 1015 * S);
    EXPECT(desk.client->h2.ended);
    EXPECT_EQ(desk.client->h2.err.code, LEAT_ETIMEOUT);
    desk_close(&desk);
}

/* Scenario:   a call and its answer, with each allocation failing in turn.
 * Guarantees: one end at most, nothing leaks; without a failure it is answered OK. */
LEAT_TEST_OOM(h2_client_survives_any_failed_allocation)
{
    struct desk desk;
    leat_rc rc = desk_open(&desk, &plain);
    if (rc == LEAT_OK) {
        answer(&desk, "\0\0\0\0\2ok", 7, STATUS("0"), sizeof STATUS("0") - 1);
        rc = say(&desk);
    }
    if (rc == LEAT_OK && (desk.end != LEAT_H2_ANSWERED || desk.code != LEAT_GRPC_OK))
        rc = LEAT_ENOMEM;
    desk_close(&desk);
    EXPECT(desk.ends <= 1);
    return rc;
}
