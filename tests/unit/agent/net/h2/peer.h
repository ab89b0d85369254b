/* SPDX-License-Identifier: Apache-2.0 */
/* peer -- a client made of raw frames, speaking to a server session without sockets; for the tests of agent/net/h2. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/counter.h"
#include "agent/base/strbuf.h"
#include "agent/net/h2/h2_server.h"
#include "tests/kit/kit.h"

#define S 1000000000ull

struct peer {
    struct leat_h2_service service;
    struct leat_h2_server *server;
    uint64_t now_ns;
    int heads, calls, gone;      /* what the handler was told */
    struct leat_grpc_call *held; /* the last call, unless answered */
    bool hold, refuse;
    uint64_t message_bytes;
    enum leat_coding coding;
    struct leat_strbuf in; /* frames gathered until peer_flush */
    /* what came back */
    nghttp2_hd_inflater *hpack;
    int goaway; /* error code; -1: none */
    char goaway_text[64];
    uint32_t resets, acks, pings, settings_seen;
    int reset;  /* the last RST_STREAM's code; -1: none */
    int status; /* the last grpc-status; -1: none */
    char http_status[8], message[256];
    uint64_t out_bytes;
};

static inline int peer__head(void *ctx, const struct leat_grpc_incoming *incoming, const char **ret_message)
{
    struct peer *peer = ctx;
    (void)incoming;
    peer->heads++;
    *ret_message = "go away";
    return peer->refuse ? LEAT_GRPC_UNAUTHENTICATED : 0;
}

static inline void peer__call(void *ctx, struct leat_grpc_call *call, const struct leat_grpc_incoming *incoming,
                              struct leat_chain *message)
{
    struct peer *peer = ctx;
    struct leat_chain empty = {0};
    peer->calls++;
    peer->message_bytes = message->bytes;
    peer->coding = incoming->coding;
    peer->held = call;
    if (!peer->hold)
        leat_grpc_reply(call, &empty);
}

static inline void peer__gone(void *ctx, struct leat_grpc_call *call)
{
    struct peer *peer = ctx;
    (void)call;
    peer->gone++;
    peer->held = NULL;
}

static inline leat_rc peer_open(struct peer *peer, const struct leat_grpc_server_limits *limits)
{
    static const struct leat_grpc_handler handler = {peer__head, peer__call, peer__gone};
    *peer = (struct peer){.now_ns = 1000 * S, .goaway = -1, .reset = -1, .status = -1};
    leat_h2__service_init(&peer->service, limits, &handler, peer);
    if (nghttp2_hd_inflate_new(&peer->hpack) != 0)
        return LEAT_ENOMEM;
    return leat_h2__server_open(&peer->service, "10.0.0.1:1", false, peer->now_ns, &peer->server);
}

static inline void peer_close(struct peer *peer)
{
    peer->server = leat_h2__server_close(peer->server);
    leat_h2__service_done(&peer->service);
    leat_strbuf_done(&peer->in);
    nghttp2_hd_inflate_del(peer->hpack);
}

/* ---- to the server ---- */

static inline void peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t id, const void *at, uint32_t len)
{
    uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
                       (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    leat_strbuf_put(&peer->in, head, sizeof head);
    if (len)
        leat_strbuf_put(&peer->in, at, len);
}

static inline void peer_preface(struct peer *peer)
{
    leat_strbuf_puts(&peer->in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static inline void peer_field(struct leat_strbuf *block, const char *name, const char *value)
{
    leat_strbuf_putc(block, 0); /* literal, not indexed */
    leat_strbuf_putc(block, (char)strlen(name));
    leat_strbuf_puts(block, name);
    leat_strbuf_putc(block, (char)strlen(value));
    leat_strbuf_puts(block, value);
}

static inline void peer_usual_fields(struct leat_strbuf *block)
{
    peer_field(block, ":method", "POST");
    peer_field(block, ":scheme", "http");
    peer_field(block, ":path", "/a.B/C");
    peer_field(block, ":authority", "x");
    peer_field(block, "content-type", "application/grpc");
    peer_field(block, "te", "trailers");
}

static inline void peer_head_with(struct peer *peer, uint32_t id, uint8_t flags, const char *name, const char *value)
{
    struct leat_strbuf block = {0};
    peer_usual_fields(&block);
    if (name)
        peer_field(&block, name, value);
    peer_frame(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | flags, id, block.at, (uint32_t)block.len);
    leat_strbuf_done(&block);
}

static inline void peer_head(struct peer *peer, uint32_t id)
{
    peer_head_with(peer, id, 0, NULL, NULL);
}

static inline void peer_message(struct peer *peer, uint32_t id, uint8_t flag, const char *text)
{
    uint8_t bytes[256] = {flag, 0, 0, 0, (uint8_t)strlen(text)};
    memcpy(bytes + 5, text, strlen(text));
    peer_frame(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, bytes, 5 + (uint32_t)strlen(text));
}

static inline void peer_word(struct peer *peer, uint8_t type, uint32_t id,
                             uint32_t word) /* RST_STREAM, WINDOW_UPDATE */
{
    uint8_t bytes[4] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
    peer_frame(peer, type, 0, id, bytes, 4);
}

/* ---- from the server ---- */

static inline uint32_t peer__u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void peer__field(struct peer *peer, const nghttp2_nv *nv)
{
    struct leat_slice name = leat_slice_of(nv->name, (uint32_t)nv->namelen);
    if (leat_slice_is(name, "grpc-status"))
        peer->status = atoi((const char *)nv->value);
    if (leat_slice_is(name, ":status"))
        (void)snprintf(peer->http_status, sizeof peer->http_status, "%s", (const char *)nv->value);
    if (leat_slice_is(name, "grpc-message"))
        (void)snprintf(peer->message, sizeof peer->message, "%s", (const char *)nv->value);
}

static inline void peer__block(struct peer *peer, const uint8_t *at, size_t len)
{
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(peer->hpack, &nv, &flags, at, len, 1);
        assert_true(n >= 0);
        at += n;
        len -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            peer__field(peer, &nv);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    (void)nghttp2_hd_inflate_end_headers(peer->hpack);
}

static inline void peer__frame(struct peer *peer, uint8_t type, uint8_t flags, const uint8_t *at, uint32_t len)
{
    bool ack = flags & NGHTTP2_FLAG_ACK;
    if (type == NGHTTP2_HEADERS)
        peer__block(peer, at, len);
    if (type == NGHTTP2_RST_STREAM)
        peer->reset = (int)peer__u32(at), peer->resets++;
    if (type == NGHTTP2_GOAWAY) {
        peer->goaway = (int)peer__u32(at + 4);
        (void)snprintf(peer->goaway_text, sizeof peer->goaway_text, "%.*s", (int)len - 8, (const char *)at + 8);
    }
    peer->acks += ack;
    peer->pings += type == NGHTTP2_PING && !ack;
    peer->settings_seen += type == NGHTTP2_SETTINGS && !ack;
}

/* Takes what the server has to say. */
static inline void peer_listen(struct peer *peer)
{
    leat_h2__server_pump(peer->server, 0, peer->now_ns);
    struct leat_chain *out = &peer->server->h2.out;
    struct leat_slice flat;
    leat_h2__server_taken(peer->server, out->bytes);
    peer->out_bytes += out->bytes;
    if (leat_chain_flat(out, &flat) != LEAT_OK)
        flat = (struct leat_slice){0};
    for (uint32_t i = 0; i + 9 <= flat.len;) {
        const uint8_t *head = flat.at + i;
        uint32_t len = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        peer__frame(peer, head[3], head[4], head + 9, len);
        i += 9 + len;
    }
    leat_mem_unref(flat.mem);
    leat_chain_done(out);
}

/* Gives the gathered frames to the server in pieces of `piece` bytes (0: one), and listens. */
static inline void peer_flush_cut(struct peer *peer, size_t piece)
{
    struct leat_chain chain = kit_chain(peer->in.at, peer->in.len, piece);
    for (uint32_t i = 0; i < chain.count; i++) {
        leat_mem_ref(chain.vec[i].mem);
        leat_h2__server_feed(peer->server, chain.vec[i], peer->now_ns);
    }
    leat_chain_done(&chain);
    leat_strbuf_clear(&peer->in);
    peer_listen(peer);
}
static inline void peer_flush(struct peer *peer)
{
    peer_flush_cut(peer, 0);
}

static inline void peer_wait(struct peer *peer, uint64_t ns)
{
    peer->now_ns += ns;
    leat_h2__server_tick(peer->server, peer->now_ns);
    peer_listen(peer);
}

static inline bool peer_is_sent_away(const struct peer *peer)
{
    return peer->server->h2.ended;
}

/* A new call is still answered. */
static inline void peer_expect_alive(struct peer *peer, uint32_t id)
{
    int calls = peer->calls;
    peer->status = -1;
    peer_head(peer, id);
    peer_message(peer, id, 0, "hello");
    peer_flush(peer);
    EXPECT(!peer_is_sent_away(peer));
    EXPECT_EQ(peer->calls, calls + 1);
    EXPECT_EQ(peer->status, LEAT_GRPC_OK);
}
