/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent/net/h2/peer.h"

static struct peer peer;

static void open_default(void)
{
    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.message_bytes_max = 100}));
    peer_preface(&peer);
}

/* Scenario:   one call, its bytes cut at every place, then one byte at a time.
 * Guarantees: the message is whole and the answer OK, wherever the cut is. */
LEAT_TEST(h2_server_reads_a_call_cut_anywhere)
{
    for (size_t piece = 1; piece < 200; piece++) {
        open_default();
        peer_head(&peer, 1);
        peer_message(&peer, 1, 0, "hello");
        peer_flush_cut(&peer, piece);
        EXPECT_EQ(peer.calls, 1);
        EXPECT_EQ(peer.message_bytes, 5);
        EXPECT_EQ(peer.status, LEAT_GRPC_OK);
        EXPECT_STR(peer.http_status, "200");
        peer_close(&peer);
    }
}

/* Scenario:   a message in a padded DATA frame and one more frame.
 * Guarantees: padding is left out, both parts are slices of what was fed: nothing was copied. */
LEAT_TEST(h2_server_copies_no_message)
{
    uint8_t padded[] = {3, 0, 0, 0, 0, 100, 'a', 'b', 'c', 0, 0, 0}, rest[97] = {0};
    open_default();
    peer_flush(&peer);
    uint64_t before = leat_copied_bytes();
    peer_head(&peer, 1);
    peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, padded, sizeof padded);
    peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, rest, sizeof rest);
    struct leat_chain chain = kit_chain(peer.in.at, peer.in.len, 0);
    leat_mem_ref(chain.vec[0].mem);
    leat_h2__server_feed(peer.server, chain.vec[0], peer.now_ns);
    EXPECT_EQ(leat_copied_bytes(), before);
    EXPECT_EQ(peer.message_bytes, 100);
    leat_chain_done(&chain);
    peer_close(&peer);
}

/* Scenario:   H2-16: a prefix that announces 4 GiB; a compressed flag without encoding; an unknown flag; two messages
 *             in one call; a call that ends early.
 * Guarantees: RESOURCE_EXHAUSTED and INTERNAL at once, before the message is in; the connection goes on. */
LEAT_TEST(h2_server_refuses_bad_messages_and_goes_on)
{
    static const struct {
        uint8_t bytes[16];
        uint32_t len;
        bool ends;
        int status;
    } cases[] = {
        {{0, 255, 255, 255, 255}, 5, false, LEAT_GRPC_RESOURCE_EXHAUSTED},
        {{0, 0, 0, 0, 101, 1}, 6, false, LEAT_GRPC_RESOURCE_EXHAUSTED},
        {{1, 0, 0, 0, 2, 1, 1}, 7, true, LEAT_GRPC_INTERNAL},
        {{2, 0, 0, 0, 2, 1, 1}, 7, false, LEAT_GRPC_INTERNAL},
        {{0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1}, 12, true, LEAT_GRPC_INTERNAL},
        {{0, 0, 0, 0, 9, 1}, 6, true, LEAT_GRPC_INTERNAL},
        {{0, 0}, 2, true, LEAT_GRPC_INTERNAL},
    };
    open_default();
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peer.status = -1;
        peer_head(&peer, 1 + 4 * i);
        peer_frame(&peer, NGHTTP2_DATA, cases[i].ends ? NGHTTP2_FLAG_END_STREAM : 0, 1 + 4 * i, cases[i].bytes,
                   cases[i].len);
        peer_flush(&peer);
        EXPECT_EQ(peer.status, cases[i].status);
        EXPECT_EQ(peer.calls, (int)i);
        if (!cases[i].ends)
            EXPECT_EQ(peer.reset, NGHTTP2_NO_ERROR); /* "do not send the rest" */
        peer_expect_alive(&peer, 3 + 4 * i);
    }
    peer_close(&peer);
}

/* Scenario:   calls whose head is not gRPC's: method, content type, encoding, timeout; and one the handler refuses.
 * Guarantees: each gets the status gRPC knows for it, and reaches no handler. */
LEAT_TEST(h2_server_refuses_heads)
{
    static const struct {
        const char *name, *value;
        int status;
        const char *http_status;
    } cases[] = {
        {"grpc-encoding", "br", LEAT_GRPC_UNIMPLEMENTED, "200"},
        {"grpc-timeout", "soon", LEAT_GRPC_INTERNAL, "200"},
        {"grpc-timeout", "123456789S", LEAT_GRPC_INTERNAL, "200"},
    };
    open_default();
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peer_head_with(&peer, 1 + 2 * i, 0, cases[i].name, cases[i].value);
        peer_message(&peer, 1 + 2 * i, 0, "x");
        peer_flush(&peer);
        EXPECT_EQ(peer.status, cases[i].status);
        EXPECT_STR(peer.http_status, cases[i].http_status);
        peer.status = -1;
    }
    EXPECT_EQ(peer.heads, 0);
    peer.refuse = true;
    peer_head(&peer, 21);
    peer_flush(&peer);
    EXPECT_EQ(peer.status, LEAT_GRPC_UNAUTHENTICATED);
    EXPECT_STR(peer.message, "go away");
    EXPECT_EQ(peer.calls, 0);
    peer.refuse = false;
    peer_expect_alive(&peer, 23);
    peer_close(&peer);
}

static void send_fields(uint32_t id, const char *const pairs[][2], size_t count)
{
    struct leat_strbuf block = {0};
    for (size_t i = 0; i < count; i++)
        peer_field(&block, pairs[i][0], pairs[i][1]);
    peer_frame(&peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, block.at,
               (uint32_t)block.len);
    leat_strbuf_done(&block);
    peer_flush(&peer);
}

/* Scenario:   GET, and POST of JSON, to a gRPC listener.
 * Guarantees: 405 and 415, with a grpc-status beside. */
LEAT_TEST(h2_server_tells_plain_http_apart)
{
    static const char *const get[][2] = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "x"}};
    static const char *const json[][2] = {{":method", "POST"},
                                          {":scheme", "http"},
                                          {":path", "/"},
                                          {":authority", "x"},
                                          {"content-type", "application/json"}};
    open_default();
    send_fields(1, get, 4);
    EXPECT_STR(peer.http_status, "405");
    EXPECT_EQ(peer.status, LEAT_GRPC_INTERNAL);
    send_fields(3, json, 5);
    EXPECT_STR(peer.http_status, "415");
    EXPECT_EQ(peer.heads, 0);
    peer_close(&peer);
}

/* Scenario:   grpc-encoding: gzip with the compressed flag set, and not set.
 * Guarantees: the handler is told gzip for the first and none for the second. */
LEAT_TEST(h2_server_tells_the_coding_by_flag_and_header)
{
    open_default();
    peer_head_with(&peer, 1, 0, "grpc-encoding", "gzip");
    peer_message(&peer, 1, 1, "zzz");
    peer_flush(&peer);
    EXPECT_EQ(peer.coding, LEAT_CODING_GZIP);
    peer_head_with(&peer, 3, 0, "grpc-encoding", "gzip");
    peer_message(&peer, 3, 0, "zzz");
    peer_flush(&peer);
    EXPECT_EQ(peer.coding, LEAT_CODING_NONE);
    peer_close(&peer);
}

/* Scenario:   a call is reset: in the same read as its end; and after it was handed over.
 * Guarantees: the first reaches no handler; the second is told gone. */
LEAT_TEST(h2_server_drops_work_for_dead_streams)
{
    open_default();
    peer.hold = true;
    peer_head(&peer, 1);
    peer_message(&peer, 1, 0, "x");
    peer_word(&peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    peer_flush(&peer);
    EXPECT_EQ(peer.calls, 0);
    peer_head(&peer, 3);
    peer_message(&peer, 3, 0, "x");
    peer_flush(&peer);
    EXPECT_EQ(peer.calls, 1);
    peer_word(&peer, NGHTTP2_RST_STREAM, 3, NGHTTP2_CANCEL);
    peer_flush(&peer);
    EXPECT_EQ(peer.gone, 1);
    peer_close(&peer);
}

/* Scenario:   details that are a google.rpc.Status go out with an error; a text with bytes beyond ASCII.
 * Guarantees: Trailers-Only, percent-encoded. */
LEAT_TEST(h2_server_encodes_errors)
{
    open_default();
    peer.hold = true;
    peer_head(&peer, 1);
    peer_message(&peer, 1, 0, "x");
    peer_flush(&peer);
    leat_grpc_reply_error(peer.held, LEAT_GRPC_UNAVAILABLE, LEAT_SLICE("100% \xc3\xa4\n"), LEAT_SLICE("\x08\x0e"));
    peer_listen(&peer);
    EXPECT_EQ(peer.status, LEAT_GRPC_UNAVAILABLE);
    EXPECT_STR(peer.message, "100%25 %C3%A4%0A");
    peer_close(&peer);
}

/* Scenario:   a connection is drained while a call is open (H2-15).
 * Guarantees: GOAWAY first; the call is answered; then, after the notice, the end. */
LEAT_TEST(h2_server_drains)
{
    open_default();
    peer.hold = true;
    peer_head(&peer, 1);
    peer_message(&peer, 1, 0, "x");
    peer_flush(&peer);
    leat_h2__server_drain(peer.server, peer.now_ns);
    peer_listen(&peer);
    EXPECT_EQ(peer.goaway, NGHTTP2_NO_ERROR);
    EXPECT(!peer_is_sent_away(&peer));
    peer_frame(&peer, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "leatend", 8);
    peer_flush(&peer);
    EXPECT(!peer_is_sent_away(&peer));
    struct leat_chain empty = {0};
    leat_grpc_reply(peer.held, &empty);
    peer_listen(&peer);
    EXPECT_EQ(peer.status, LEAT_GRPC_OK);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
}

/* Scenario:   age and idle limits pass; the peer does not answer the drain's ping.
 * Guarantees: a GOAWAY, and the end after the notice at the latest; an open call gets its grace and no more. */
LEAT_TEST(h2_server_ends_old_and_idle_connections)
{
    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.idle_ns_max = 5 * S}));
    peer_preface(&peer);
    peer_flush(&peer);
    peer_wait(&peer, 6 * S);
    EXPECT_EQ(peer.goaway, NGHTTP2_NO_ERROR);
    peer_wait(&peer, 6 * S);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);

    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.age_ns_max = 5 * S, .age_grace_ns = 20 * S}));
    peer_preface(&peer);
    peer_head(&peer, 1);
    peer_flush(&peer);
    peer_wait(&peer, 6 * S);
    peer_wait(&peer, 6 * S);
    EXPECT(!peer_is_sent_away(&peer));
    peer_wait(&peer, 16 * S);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
}

/* Scenario:   a silent peer with our pings on.
 * Guarantees: a ping after `ping_after`, the end after `ping_timeout`; an answer resets both. */
LEAT_TEST(h2_server_pings_silent_peers)
{
    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.ping_after_ns = 10 * S, .ping_timeout_ns = 5 * S}));
    peer_preface(&peer);
    peer_flush(&peer);
    EXPECT_EQ(leat_h2__server_due_ns(peer.server), peer.now_ns + 10 * S);
    peer_wait(&peer, 10 * S);
    EXPECT_EQ(peer.pings, 1);
    peer_frame(&peer, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "\0\0\0\0\0\0\0\0", 8);
    peer_flush(&peer);
    peer_wait(&peer, 10 * S);
    EXPECT_EQ(peer.pings, 2);
    EXPECT(!peer_is_sent_away(&peer));
    peer_wait(&peer, 5 * S);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
}

/* Scenario:   a connection with a call and a refusal, with each allocation failing in turn.
 * Guarantees: nothing leaks, nothing crashes; without a failure both are answered. */
LEAT_TEST_OOM(h2_server_survives_any_failed_allocation)
{
    struct peer mine;
    leat_rc rc = peer_open(&mine, &(struct leat_grpc_server_limits){.message_bytes_max = 100});
    if (rc == LEAT_OK) {
        peer_preface(&mine);
        peer_head(&mine, 1);
        peer_message(&mine, 1, 0, "hello");
        peer_head_with(&mine, 3, 0, "grpc-encoding", "br");
        if (mine.in.failed || !mine.in.at)
            rc = LEAT_ENOMEM;
        struct leat_slice bytes = {0};
        struct leat_mem *mem = rc == LEAT_OK ? leat_mem_new((uint32_t)mine.in.len) : NULL;
        if (mem) {
            memcpy(mem->at, mine.in.at, mine.in.len);
            bytes = (struct leat_slice){mem->at, (uint32_t)mine.in.len, mem};
            leat_h2__server_feed(mine.server, bytes, mine.now_ns);
            leat_h2__server_pump(mine.server, 0, mine.now_ns);
            rc = mine.calls == 1 && !mine.server->h2.ended ? LEAT_OK : LEAT_ENOMEM;
        } else {
            rc = LEAT_ENOMEM;
        }
    }
    peer_close(&mine);
    return rc;
}

/* Scenario:   a connection after its first call, idle.
 * Guarantees: it holds no page of payload and at most 28 KiB of nghttp2's memory, of which 16 KiB
 *             are a frame buffer that short answers hardly touch. */
LEAT_TEST(h2_server_is_small_when_idle)
{
    open_default();
    peer_expect_alive(&peer, 1);
    assert_in_range(peer.server->h2.heap.bytes, 1, 28672);
    assert_in_range(sizeof *peer.server, 1, 1024);
    EXPECT_EQ(leat_pool_blocks_out(leat_pool_here()), 0);
    peer_close(&peer);
}

/* Scenario:   20 calls of 6 DATA frames on a warm connection.
 * Guarantees: at most 20 allocations a call, none of them per DATA frame. */
LEAT_TEST(h2_server_allocates_little)
{
    open_default();
    peer_expect_alive(&peer, 1);
    uint64_t before = 0;
    for (uint32_t i = 1; i <= 20; i++) {
        peer_head(&peer, 1 + 2 * i);
        for (int k = 0; k < 5; k++)
            peer_frame(&peer, NGHTTP2_DATA, 0, 1 + 2 * i, k ? "xxxxx" : "\0\0\0\0\x14", 5);
        peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1 + 2 * i, NULL, 0);
        struct leat_chain chain = kit_chain(peer.in.at, peer.in.len, 0);
        leat_mem_ref(chain.vec[0].mem);
        uint64_t now = leat_alloc_count();
        leat_h2__server_feed(peer.server, chain.vec[0], peer.now_ns);
        before += leat_alloc_count() - now;
        leat_chain_done(&chain);
        leat_strbuf_clear(&peer.in);
        peer_listen(&peer);
    }
    EXPECT_EQ(peer.calls, 21);
    assert_in_range(before, 1, 20 * 20);
    peer_close(&peer);
}
