/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that attack: each is sent away or answered, memory stays flat, and it is counted. */
#include "tests/unit/agent/net/h2/peer.h"

static struct peer peer;
static uint8_t filler[16384];

static void open_limited(void)
{
    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.message_bytes_max = 1000,
                                                                 .glitches_max = 100,
                                                                 .glitch_rate = 10,
                                                                 .resets_burst = 50,
                                                                 .resets_rate = 10,
                                                                 .ping_min_interval_ns = 300 * S}));
    peer_preface(&peer);
    peer_flush(&peer);
}

static uint64_t counted(enum leat_counter counter)
{
    return __atomic_load_n(&leat_counters[counter], __ATOMIC_RELAXED);
}

/* Sends rounds of frames until the server ends; answers how many rounds it took. */
static int until_sent_away(void (*round)(int i), int rounds_max)
{
    for (int i = 0; i < rounds_max; i++) {
        round(i);
        peer_flush(&peer);
        if (peer_is_sent_away(&peer))
            return i + 1;
    }
    return rounds_max + 1;
}

static void expect_sent_away(void (*round)(int i), int rounds_min, int rounds_max, int goaway)
{
    int rounds = until_sent_away(round, rounds_max);
    assert_in_range(rounds, rounds_min, rounds_max);
    EXPECT_EQ(peer.goaway, goaway);
    uint64_t out = peer.out_bytes;
    round(rounds_max + 1); /* deaf from here on */
    peer_flush(&peer);
    EXPECT_EQ(peer.out_bytes, out);
    peer_close(&peer);
}

/* ---- H2-08: frames of a byte ---- */

/* Scenario:   a message of 64 KiB comes in DATA frames of one byte, each of them in a place of its own.
 * Guarantees: the slices that hold it follow its bytes, not the number of its frames; it is whole and right. */
LEAT_TEST(h2_limits_tiny_frames_cost_no_slice_each)
{
    enum { BYTES = 65536 };
    struct leat_h2_message message = {0};
    struct leat_mem *block = leat_mem_new(2 * BYTES);
    EXPECT(block != NULL);
    for (uint32_t i = 0; i < 2 * BYTES; i++)
        block->at[i] = (uint8_t)(i * 7);
    uint8_t prefix[5] = {0, 0, 1, 0, 0};
    EXPECT_EQ(leat_h2__message_feed(&message, leat_slice_of(prefix, 5), BYTES), LEAT_H2_MORE);
    for (uint32_t i = 0; i < BYTES; i++)
        EXPECT_EQ(leat_h2__message_feed(&message, (struct leat_slice){block->at + 2 * i, 1, block}, BYTES),
                  i + 1 < BYTES ? LEAT_H2_MORE : LEAT_H2_WHOLE);
    EXPECT(message.bytes.count < 200);
    for (uint32_t i = 0, at = 0; i < message.bytes.count; i++)
        for (uint32_t j = 0; j < message.bytes.vec[i].len; j++, at++)
            EXPECT_EQ(message.bytes.vec[i].at[j], (uint8_t)(2 * at * 7));
    leat_chain_done(&message.bytes);
    leat_mem_unref(block);
}

/* ---- H2-02, H2-06: resets ---- */

static void open_and_reset(int i)
{
    peer_head(&peer, (uint32_t)(1 + 2 * i));
    peer_word(&peer, NGHTTP2_RST_STREAM, (uint32_t)(1 + 2 * i), NGHTTP2_CANCEL);
}

/* Scenario:   streams are opened and reset at once, on and on (CVE-2023-44487).
 * Guarantees: GOAWAY within the burst; no handler was called. */
LEAT_TEST(h2_limits_rapid_reset)
{
    open_limited();
    uint64_t before = counted(LEAT_COUNT_H2_RESET_CLOSED);
    expect_sent_away(open_and_reset, 50, 52, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_EQ(peer.calls, 0);
    EXPECT_EQ(counted(LEAT_COUNT_H2_RESET_CLOSED), before + 1);
}

/* Scenario:   the same number of resets, but a tenth of a second apart.
 * Guarantees: the budget refills: nobody is sent away. */
LEAT_TEST(h2_limits_slow_resets_are_fine)
{
    open_limited();
    for (int i = 0; i < 200; i++) {
        open_and_reset(i);
        peer_flush(&peer);
        peer.now_ns += S / 9;
    }
    EXPECT(!peer_is_sent_away(&peer));
    peer_close(&peer);
}

static void make_server_reset(int i)
{
    uint32_t id = (uint32_t)(1 + 2 * i);
    peer_head(&peer, id);
    peer_word(&peer, NGHTTP2_WINDOW_UPDATE, id, 0x7fffffff); /* the window overflows: FLOW_CONTROL_ERROR */
}

/* Scenario:   valid requests, then frames that make the server reset them (CVE-2025-8671).
 * Guarantees: the server's own resets are charged to the same budgets; no handler works for a dead stream. */
LEAT_TEST(h2_limits_made_you_reset)
{
    open_limited();
    peer.hold = true;
    int rounds = until_sent_away(make_server_reset, 300);
    assert_in_range(rounds, 50, 120);
    EXPECT_EQ(peer.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_EQ(peer.calls, 0);
    peer_close(&peer);
}

/* ---- H2-03: CONTINUATION ---- */

static void continuation(int i)
{
    if (i == 0)
        peer_frame(&peer, NGHTTP2_HEADERS, 0, 1, "", 0);
    peer_frame(&peer, NGHTTP2_CONTINUATION, 0, 1, filler, i % 2 ? 1 : 0);
}

/* Scenario:   HEADERS, then CONTINUATION frames without end (CVE-2024-28182).
 * Guarantees: closed after 8 of them. */
LEAT_TEST(h2_limits_endless_continuation)
{
    open_limited();
    int rounds = until_sent_away(continuation, 50);
    assert_in_range(rounds, 1, 10);
    peer_close(&peer);
}

/* ---- H2-04, H2-05, H2-12: control frames ---- */

static void settings(int i)
{
    (void)i;
    for (int k = 0; k < 10; k++)
        peer_frame(&peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* Scenario:   SETTINGS without end; one with 10,000 entries (CVE-2019-9515).
 * Guarantees: closed within the glitch budget; closed at once. */
LEAT_TEST(h2_limits_settings_flood)
{
    open_limited();
    expect_sent_away(settings, 2, 15, NGHTTP2_ENHANCE_YOUR_CALM);
    open_limited();
    static uint8_t many[60000];
    for (size_t i = 0; i < sizeof many; i += 6)
        many[i + 1] = 4; /* INITIAL_WINDOW_SIZE 0 */
    peer_frame(&peer, NGHTTP2_SETTINGS, 0, 0, many, sizeof many);
    peer_flush(&peer);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
}

static void ping(int i)
{
    (void)i;
    peer_frame(&peer, NGHTTP2_PING, 0, 0, "12345678", 8);
}

/* Scenario:   PINGs without a call (CVE-2019-9512), and 5,000 of them in one read.
 * Guarantees: GOAWAY "too_many_pings" after two strikes; the queue of answers stays small. */
LEAT_TEST(h2_limits_ping_flood)
{
    open_limited();
    int rounds = until_sent_away(ping, 10);
    assert_in_range(rounds, 3, 5);
    EXPECT_STR(peer.goaway_text, "too_many_pings");
    peer_close(&peer);
    open_limited();
    for (int i = 0; i < 5000; i++)
        ping(i);
    peer_flush(&peer);
    EXPECT(peer_is_sent_away(&peer));
    assert_in_range(peer.out_bytes, 0, 1000);
    peer_close(&peer);
}

/* Scenario:   a busy client pings after every answer, as bandwidth estimators do.
 * Guarantees: it is not sent away. */
LEAT_TEST(h2_limits_pings_of_a_busy_client_are_fine)
{
    open_limited();
    for (int i = 0; i < 500; i++) {
        peer_head(&peer, (uint32_t)(1 + 2 * i));
        peer_message(&peer, (uint32_t)(1 + 2 * i), 0, "x");
        peer_flush(&peer);
        ping(i);
        peer_word(&peer, NGHTTP2_WINDOW_UPDATE, 0, 7);
        peer_flush(&peer);
    }
    EXPECT(!peer_is_sent_away(&peer));
    EXPECT_EQ(peer.calls, 500);
    peer_close(&peer);
}

static void priority(int i)
{
    uint8_t bytes[5] = {0, 0, 0, (uint8_t)(1 + 2 * (i % 100)), 16};
    peer_frame(&peer, NGHTTP2_PRIORITY, 0, (uint32_t)(203 - 2 * (i % 100)), bytes, 5);
}

/* Scenario:   the priority tree is shuffled (CVE-2019-9513).
 * Guarantees: we keep none, and the frames are charged: the peer is sent away. */
LEAT_TEST(h2_limits_priority_shuffle)
{
    open_limited();
    expect_sent_away(priority, 100, 150, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void window_update(int i)
{
    (void)i;
    peer_word(&peer, NGHTTP2_WINDOW_UPDATE, 0, 1);
}

static void unknown(int i)
{
    (void)i;
    peer_frame(&peer, 0xbb, 0, 0, filler, 5000);
}

/* Scenario:   window updates of one byte; frames of types that nobody knows.
 * Guarantees: charged, sent away. */
LEAT_TEST(h2_limits_useless_frames)
{
    open_limited();
    expect_sent_away(window_update, 100, 150, NGHTTP2_ENHANCE_YOUR_CALM);
    open_limited();
    expect_sent_away(unknown, 100, 110, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- H2-07: answers that are not read ---- */

/* Scenario:   the peer's window is 0: answers cannot leave; the peer asks on. Then, one that waits in silence.
 * Guarantees: closed at the cap of unsent bytes; closed when no byte left for 30 s. */
LEAT_TEST(h2_limits_unread_answers)
{
    uint8_t no_window[6] = {0, 4, 0, 0, 0, 0};
    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.unsent_bytes_max = 300, .unsent_ns_max = 30 * S}));
    peer_preface(&peer);
    peer_frame(&peer, NGHTTP2_SETTINGS, 0, 0, no_window, 6);
    peer_flush(&peer);
    uint64_t before = counted(LEAT_COUNT_H2_BUFFER_CLOSED);
    for (uint32_t i = 0; i < 70 && !peer_is_sent_away(&peer); i++) {
        peer_head(&peer, 1 + 2 * i);
        peer_message(&peer, 1 + 2 * i, 0, "x");
        peer_flush(&peer);
    }
    EXPECT(peer_is_sent_away(&peer));
    EXPECT_EQ(counted(LEAT_COUNT_H2_BUFFER_CLOSED), before + 1);
    peer_close(&peer);

    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){.unsent_ns_max = 30 * S}));
    peer_preface(&peer);
    peer_frame(&peer, NGHTTP2_SETTINGS, 0, 0, no_window, 6);
    peer_head(&peer, 1);
    peer_message(&peer, 1, 0, "x");
    peer_flush(&peer);
    peer_wait(&peer, 29 * S);
    EXPECT(!peer_is_sent_away(&peer));
    peer_wait(&peer, 31 * S);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
}

/* ---- H2-08: empty frames ---- */

static void empty_data(int i)
{
    if (i == 0)
        peer_head(&peer, 1);
    peer_frame(&peer, NGHTTP2_DATA, 0, 1, NULL, 0);
}

static void padding(int i)
{
    if (i == 0)
        peer_head(&peer, 1);
    peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x03\0\0", 4);
}

/* Scenario:   DATA frames without data, and with padding alone (CVE-2019-9518).
 * Guarantees: charged, sent away. */
LEAT_TEST(h2_limits_empty_frames)
{
    open_limited();
    expect_sent_away(empty_data, 90, 120, NGHTTP2_ENHANCE_YOUR_CALM);
    open_limited();
    expect_sent_away(padding, 90, 120, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- H2-09, H2-10: header lists ---- */

static void put_bomb(struct leat_strbuf *block)
{
    char value[3001];
    peer_usual_fields(block);
    memset(value, 'v', 3000);
    value[3000] = 0;
    leat_strbuf_puts(block, "\x40\x01x");      /* literal, indexed: becomes entry 62 */
    leat_strbuf_put(block, "\x7f\xb9\x16", 3); /* 3000 as a 7-bit-prefix integer */
    leat_strbuf_puts(block, value);
    for (int i = 0; i < 12000; i++)
        leat_strbuf_putc(block, (char)0xbe); /* entry 62 again */
}

/* Scenario:   one field of 3 KB, named 12,000 times by a single byte.
 * Guarantees: the cap holds on the decoded size: nothing near 36 MB is kept, and the peer is sent away. */
LEAT_TEST(h2_limits_hpack_bomb)
{
    struct leat_strbuf block = {0};
    open_limited();
    put_bomb(&block);
    peer_frame(&peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.at, (uint32_t)block.len);
    uint64_t before = leat_alloc_count();
    peer_flush(&peer);
    assert_in_range(leat_alloc_count() - before, 0, 500);
    EXPECT(peer_is_sent_away(&peer));
    EXPECT_EQ(peer.heads, 0);
    leat_strbuf_done(&block);
    peer_close(&peer);
}

/* Scenario:   a header list a little over the limit; header names that are empty or in upper case.
 * Guarantees: the stream ends, no handler sees it; the connection goes on. */
LEAT_TEST(h2_limits_header_list_and_names)
{
    struct leat_strbuf block = {0};
    open_limited();
    peer_usual_fields(&block);
    for (int i = 0; i < 2000; i++)
        peer_field(&block, "a", "b"); /* 34 bytes each by RFC 9113 */
    peer_frame(&peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.at, (uint32_t)block.len);
    peer_flush(&peer);
    EXPECT_EQ(peer.reset, NGHTTP2_ENHANCE_YOUR_CALM);
    leat_strbuf_done(&block);
    peer_head_with(&peer, 3, 0, "", "x");
    peer_flush(&peer);
    EXPECT_EQ(peer.reset, NGHTTP2_PROTOCOL_ERROR);
    peer.reset = -1;
    peer_head_with(&peer, 5, 0, "Upper", "x");
    peer_flush(&peer);
    EXPECT_EQ(peer.reset, NGHTTP2_PROTOCOL_ERROR);
    EXPECT_EQ(peer.heads, 0);
    peer_expect_alive(&peer, 7);
    peer_close(&peer);
}

/* ---- H2-11: slow peers ---- */

/* Scenario:   the preface comes one byte per 5 s; a header block never ends.
 * Guarantees: closed after 10 s. */
LEAT_TEST(h2_limits_slow_preface_and_headers)
{
    EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){0}));
    for (int i = 0; i < 2; i++) {
        leat_strbuf_putc(&peer.in, "PR"[i]);
        peer_flush(&peer);
        peer_wait(&peer, 4 * S);
        EXPECT(!peer_is_sent_away(&peer));
    }
    peer_wait(&peer, 3 * S);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
    open_limited();
    peer_frame(&peer, NGHTTP2_HEADERS, 0, 1, "\x83", 1);
    peer_flush(&peer);
    peer_wait(&peer, 11 * S);
    EXPECT(peer_is_sent_away(&peer));
    peer_close(&peer);
}

/* ---- unfinished messages ---- */

/* Scenario:   many calls send all but the last byte of their message.
 * Guarantees: what a connection may hold is bounded: the calls above it are UNAVAILABLE, those below go on. */
LEAT_TEST(h2_limits_unfinished_messages)
{
    uint8_t bytes[905] = {0, 0, 0, 3, 0xe7};
    EXPECT_OK(
        peer_open(&peer, &(struct leat_grpc_server_limits){.message_bytes_max = 1000, .partial_bytes_max = 3000}));
    peer_preface(&peer);
    for (uint32_t i = 0; i < 10; i++) {
        peer_head(&peer, 1 + 2 * i);
        peer_frame(&peer, NGHTTP2_DATA, 0, 1 + 2 * i, bytes, sizeof bytes);
    }
    peer_flush(&peer);
    EXPECT_EQ(peer.status, LEAT_GRPC_UNAVAILABLE);
    EXPECT_EQ(peer.resets, 7);
    EXPECT_EQ(peer.server->partial_bytes, 2700);
    peer_close(&peer);
}

/* ---- H2-01: the rules a peer can break ---- */

struct offence {
    const char *what;
    uint8_t type, flags;
    uint32_t id;
    uint8_t bytes[16];
    uint32_t len;
    int goaway; /* -1: a stream error */
};

/* Not here: PRIORITY on stream 0, which nghttp2 passes over since our SETTINGS say that priorities are not kept. */
static const struct offence offences[] = {
    {"DATA on stream 0", NGHTTP2_DATA, 0, 0, {1}, 1, NGHTTP2_PROTOCOL_ERROR},
    {"DATA on an idle stream", NGHTTP2_DATA, 0, 9, {1}, 1, NGHTTP2_PROTOCOL_ERROR},
    {"padding longer than DATA", NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, {9, 1}, 2, NGHTTP2_PROTOCOL_ERROR},
    {"HEADERS on stream 0", NGHTTP2_HEADERS, 4, 0, {0x83}, 1, NGHTTP2_PROTOCOL_ERROR},
    {"HEADERS on an even stream", NGHTTP2_HEADERS, 4, 2, {0x83}, 1, NGHTTP2_PROTOCOL_ERROR},
    {"HPACK index 0", NGHTTP2_HEADERS, 4, 3, {0x80}, 1, NGHTTP2_COMPRESSION_ERROR},
    {"HPACK index beyond the table", NGHTTP2_HEADERS, 4, 3, {0xff, 0xff, 1}, 3, NGHTTP2_COMPRESSION_ERROR},
    {"HPACK integer without end",
     NGHTTP2_HEADERS,
     4,
     3,
     {0xff, 255, 255, 255, 255, 255, 255},
     7,
     NGHTTP2_COMPRESSION_ERROR},
    {"HPACK string cut short", NGHTTP2_HEADERS, 4, 3, {0, 5, 'a'}, 3, NGHTTP2_COMPRESSION_ERROR},
    {"HPACK table above the limit", NGHTTP2_HEADERS, 4, 3, {0x3f, 255, 255, 3}, 4, NGHTTP2_COMPRESSION_ERROR},
    {"PRIORITY of 4 bytes", NGHTTP2_PRIORITY, 0, 1, {0}, 4, NGHTTP2_FRAME_SIZE_ERROR},
    {"RST_STREAM on stream 0", NGHTTP2_RST_STREAM, 0, 0, {0}, 4, NGHTTP2_PROTOCOL_ERROR},
    {"RST_STREAM on an idle stream", NGHTTP2_RST_STREAM, 0, 9, {0}, 4, NGHTTP2_PROTOCOL_ERROR},
    {"RST_STREAM of 3 bytes", NGHTTP2_RST_STREAM, 0, 1, {0}, 3, NGHTTP2_FRAME_SIZE_ERROR},
    {"SETTINGS on stream 1", NGHTTP2_SETTINGS, 0, 1, {0}, 0, NGHTTP2_PROTOCOL_ERROR},
    {"SETTINGS of 5 bytes", NGHTTP2_SETTINGS, 0, 0, {0}, 5, NGHTTP2_FRAME_SIZE_ERROR},
    {"SETTINGS acknowledged with a payload", NGHTTP2_SETTINGS, 1, 0, {0}, 6, NGHTTP2_FRAME_SIZE_ERROR},
    {"ENABLE_PUSH 2", NGHTTP2_SETTINGS, 0, 0, {0, 2, 0, 0, 0, 2}, 6, NGHTTP2_PROTOCOL_ERROR},
    {"INITIAL_WINDOW_SIZE 2^31", NGHTTP2_SETTINGS, 0, 0, {0, 4, 0x80, 0, 0, 0}, 6, NGHTTP2_FLOW_CONTROL_ERROR},
    {"MAX_FRAME_SIZE 100", NGHTTP2_SETTINGS, 0, 0, {0, 5, 0, 0, 0, 100}, 6, NGHTTP2_PROTOCOL_ERROR},
    {"PUSH_PROMISE from a client", NGHTTP2_PUSH_PROMISE, 4, 1, {0, 0, 0, 2, 0x83}, 5, NGHTTP2_PROTOCOL_ERROR},
    {"PING on stream 1", NGHTTP2_PING, 0, 1, {0}, 8, NGHTTP2_PROTOCOL_ERROR},
    {"PING of 7 bytes", NGHTTP2_PING, 0, 0, {0}, 7, NGHTTP2_FRAME_SIZE_ERROR},
    {"GOAWAY on stream 1", NGHTTP2_GOAWAY, 0, 1, {0}, 8, NGHTTP2_PROTOCOL_ERROR},
    {"WINDOW_UPDATE 0 of the connection", NGHTTP2_WINDOW_UPDATE, 0, 0, {0}, 4, NGHTTP2_PROTOCOL_ERROR},
    {"WINDOW_UPDATE of 3 bytes", NGHTTP2_WINDOW_UPDATE, 0, 0, {0}, 3, NGHTTP2_FRAME_SIZE_ERROR},
    {"window of the connection overflows",
     NGHTTP2_WINDOW_UPDATE,
     0,
     0,
     {0x7f, 255, 255, 255},
     4,
     NGHTTP2_FLOW_CONTROL_ERROR},
    {"WINDOW_UPDATE on an idle stream", NGHTTP2_WINDOW_UPDATE, 0, 9, {0, 0, 0, 1}, 4, NGHTTP2_PROTOCOL_ERROR},
    {"CONTINUATION without HEADERS", NGHTTP2_CONTINUATION, 4, 1, {0x83}, 1, NGHTTP2_PROTOCOL_ERROR},
    {"no :path", NGHTTP2_HEADERS, 5, 3, {0x83, 0x86}, 2, -1},
    {"a field of a response", NGHTTP2_HEADERS, 5, 3, {0x88}, 1, -1},
    {":method twice", NGHTTP2_HEADERS, 5, 3, {0x83, 0x83, 0x84, 0x86}, 4, -1},
    {"WINDOW_UPDATE 0 of a stream", NGHTTP2_WINDOW_UPDATE, 0, 1, {0}, 4, NGHTTP2_PROTOCOL_ERROR}, /* stricter */
    {"window of a stream overflows", NGHTTP2_WINDOW_UPDATE, 0, 1, {0x7f, 255, 255, 255}, 4, -1},
};

/* Scenario:   each rule of RFC 9113 and RFC 7541 in the table is broken, on a connection with an open call.
 * Guarantees: the connection error the RFC names, or an end of the stream alone after which calls go on. */
LEAT_TEST(h2_limits_broken_rules_get_the_error_of_the_rfc)
{
    for (size_t i = 0; i < sizeof offences / sizeof *offences; i++) {
        const struct offence *o = &offences[i];
        open_limited();
        peer_head(&peer, 1);
        peer_frame(&peer, o->type, o->flags, o->id, o->bytes, o->len);
        peer_flush(&peer);
        if (peer.goaway != o->goaway)
            fail_msg("%s: GOAWAY %d, wanted %d", o->what, peer.goaway, o->goaway);
        if (o->goaway >= 0 ? !peer_is_sent_away(&peer) : peer.reset < 0)
            fail_msg("%s: no end", o->what);
        if (o->goaway < 0)
            peer_expect_alive(&peer, 11);
        peer_close(&peer);
    }
}

/* Scenario:   bytes that are no preface: HTTP/1.1, noise.
 * Guarantees: the connection ends. */
LEAT_TEST(h2_limits_no_preface)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX",
                                        "\x16\x03\x01"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        EXPECT_OK(peer_open(&peer, &(struct leat_grpc_server_limits){0}));
        leat_strbuf_puts(&peer.in, texts[i]);
        peer_flush(&peer);
        EXPECT(peer_is_sent_away(&peer));
        peer_close(&peer);
    }
}

/* Scenario:   H2-13: the library that is linked.
 * Guarantees: bookworm's 1.52 with its backports, or newer. */
LEAT_TEST(h2_limits_library_is_recent)
{
    EXPECT(nghttp2_version(0x013400) != NULL);
}
