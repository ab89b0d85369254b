/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client of this folder against each other, and the server against bytes of a test, over loopback. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/counter.h"
#include "agent/loop/stream.h"
#include "agent/net/http1_client.h"
#include "agent/net/http1_server.h"
#include "tests/kit/kit.h"

#define SECOND 1000000000ull

/* ---- a server that echoes, refuses or waits, by path ---- */

struct bed {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct leat_http1_server *server;
    struct leat_http1_client *client;
    struct leat_http1_exchange *held;
    uint32_t requests, gone;
    bool drained;
    char address[64];
};

static void reply_text(struct leat_http1_exchange *exchange, int status, const char *text)
{
    struct leat_chain body = {0};
    if (leat_chain_take(&body, leat_slice_str(text)) != LEAT_OK)
        leat_chain_done(&body);
    leat_http1_reply(exchange, status, (struct leat_headers){0}, &body);
}

static int on_head(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                   uint64_t *body_bytes_max)
{
    (void)ctx;
    if (leat_slice_is(request->path, "/tiny"))
        *body_bytes_max = 10;
    if (!leat_slice_is(request->path, "/early"))
        return 0;
    reply_text(exchange, 401, "no");
    return 1;
}

static void on_request(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                       struct leat_chain *body)
{
    struct bed *bed = ctx;
    bed->requests++;
    if (leat_slice_is(request->path, "/hold")) {
        bed->held = exchange;
        return;
    }
    if (leat_slice_is(request->path, "/204")) {
        leat_http1_reply(exchange, 204, (struct leat_headers){0}, &(struct leat_chain){0});
        return;
    }
    struct leat_header header = {LEAT_SLICE("X-Path"), request->path};
    leat_http1_reply(exchange, 200, (struct leat_headers){&header, 1}, body);
}

static void on_gone(void *ctx, struct leat_http1_exchange *exchange)
{
    struct bed *bed = ctx;
    bed->gone++;
    if (bed->held == exchange)
        bed->held = NULL;
}

static void on_accepted(void *ctx, int fd)
{
    struct bed *bed = ctx;
    leat_http1_server_adopt(bed->server, fd);
}

static struct leat_http1_limits default_limits(void)
{
    return (struct leat_http1_limits){.body_bytes_max = 1048576,
                                      .head_bytes_max = 16384,
                                      .header_count_max = 100,
                                      .connections_max = 4000,
                                      .head_ns_max = 5 * SECOND,
                                      .idle_ns_max = 5 * SECOND,
                                      .write_ns_max = 5 * SECOND,
                                      .keep_alive = true};
}

static leat_rc bed_open(struct bed *bed, const struct leat_http1_limits *limits)
{
    static const struct leat_http1_handler handler = {.head = on_head, .request = on_request, .gone = on_gone};
    *bed = (struct bed){0};
    leat_rc rc = leat_loop_open(leat_world_real(), &bed->loop, NULL);
    if (rc == LEAT_OK)
        rc = leat_http1_server_open(bed->loop, limits, NULL, &handler, bed, &bed->server, NULL);
    if (rc == LEAT_OK)
        rc = leat_listener_open(bed->loop, "127.0.0.1:0", on_accepted, bed, &bed->listener, NULL);
    if (rc != LEAT_OK)
        return rc;
    (void)snprintf(bed->address, sizeof bed->address, "127.0.0.1:%u", leat_listener_port(bed->listener));
    struct leat_http1_client_opts opts = {.address = bed->address,
                                          .host = bed->address,
                                          .connections_max = 2,
                                          .idle_connections_max = 2,
                                          .idle_ns_max = 5 * SECOND,
                                          .connect_ns_max = 5 * SECOND,
                                          .keep_alive = true};
    return leat_http1_client_open(bed->loop, &opts, &bed->client, NULL);
}

static void bed_close(struct bed *bed)
{
    if (bed->client)
        leat_http1_client_close(bed->client);
    leat_listener_close(bed->listener);
    leat_http1_server_close(bed->server);
    leat_loop_close(bed->loop);
}

/* ---- a call that remembers its end ---- */

struct shot {
    struct leat_http1_call call;
    bool done;
    leat_rc rc;
    int status;
    char body[256];
    uint64_t body_bytes;
};

static void on_done(struct leat_http1_call *call, const struct leat_http1_response *response,
                    const struct leat_err *err)
{
    struct shot *shot = call->ctx;
    shot->done = true;
    shot->rc = err ? err->code : LEAT_OK;
    if (!response)
        return;
    shot->status = response->status;
    shot->body_bytes = response->body.len;
    (void)snprintf(shot->body, sizeof shot->body, "%.*s", LEAT_SLICE_ARGS(response->body));
}

static void shoot(struct bed *bed, struct shot *shot, const char *method, const char *target,
                  const struct leat_chain *body)
{
    *shot = (struct shot){.call = {.method = method,
                                   .target = leat_slice_str(target),
                                   .body = body,
                                   .timeout_ns = 5 * SECOND,
                                   .done = on_done,
                                   .ctx = shot}};
    leat_http1_client_send(bed->client, &shot->call);
}

static void wait_for(struct bed *bed, const bool *flag)
{
    for (int i = 0; i < 10000 && !*flag; i++)
        (void)leat_loop_run_once(bed->loop, true);
    EXPECT(*flag);
}

/* Scenario:   three POSTs one after the other, 30 KB each.
 * Guarantees: they share one connection, the echo is whole, and not a byte of payload was copied on the way in. */
LEAT_TEST(http1_posts_over_one_kept_connection)
{
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    uint64_t connections = leat_counters[LEAT_COUNT_HTTP_CONNECTIONS];
    static char text[30000];
    memset(text, 'x', sizeof text);
    struct leat_chain body = kit_chain(text, sizeof text, 7000);
    for (int i = 0; i < 3; i++) {
        struct shot shot;
        shoot(&bed, &shot, "POST", "/echo?a=b", &body);
        wait_for(&bed, &shot.done);
        EXPECT_EQ(shot.rc, LEAT_OK);
        EXPECT_EQ(shot.status, 200);
        EXPECT_EQ(shot.body_bytes, sizeof text);
    }
    EXPECT_EQ(leat_counters[LEAT_COUNT_HTTP_CONNECTIONS] - connections, 1);
    leat_chain_done(&body);
    bed_close(&bed);
}

/* ---- raw clients ---- */

static int raw_connect(struct bed *bed)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(leat_listener_port(bed->listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(fd >= 0);
    EXPECT_EQ(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    int on = 1;
    EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    return fd;
}

static void raw_send(int fd, const char *text)
{
    EXPECT_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void turn(struct bed *bed, int ms)
{
    uint64_t end = leat_world_real()->mono_ns(leat_world_real()) + (uint64_t)ms * 1000000;
    while (leat_world_real()->mono_ns(leat_world_real()) < end) {
        (void)leat_loop_run_once(bed->loop, false);
        (void)usleep(200);
    }
}

/* What the server says within `ms`, up to its end; *ret_closed: it closed. */
static const char *raw_read(struct bed *bed, int fd, int ms, bool *ret_closed)
{
    static char text[65536];
    size_t len = 0;
    ssize_t n = -1;
    for (int i = 0; i < ms && n != 0 && len < sizeof text - 1; i++) {
        turn(bed, 1);
        n = recv(fd, text + len, sizeof text - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
    }
    text[len] = 0;
    *ret_closed = n == 0;
    return text;
}

static uint32_t count_of(const char *text, const char *what)
{
    uint32_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

#define POST "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

/* Scenario:   one request, sent in two parts cut at every byte; then chunked, cut likewise.
 * Guarantees: the answer is the same. */
LEAT_TEST(http1_requests_cut_at_every_byte)
{
    static const char *const requests[] = {
        POST, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"};
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    int fd = raw_connect(&bed);
    for (int r = 0; r < 2; r++)
        for (size_t cut = 1; cut < strlen(requests[r]); cut++) {
            char first[256];
            bool closed;
            (void)snprintf(first, sizeof first, "%.*s", (int)cut, requests[r]);
            raw_send(fd, first);
            turn(&bed, 1);
            raw_send(fd, requests[r] + cut);
            const char *answer = raw_read(&bed, fd, 2, &closed);
            if (!strstr(answer, "200 OK") || !strstr(answer, "\r\n\r\nhello") || closed)
                fail_msg("request %d cut at %zu: %s", r, cut, answer);
        }
    (void)close(fd);
    bed_close(&bed);
}

/* Scenario:   five requests in one write; the first is held back for a while.
 * Guarantees: five answers, in order, one at a time. */
LEAT_TEST(http1_pipelining_is_answered_in_order)
{
    struct bed bed;
    bool closed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    int fd = raw_connect(&bed);
    raw_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" POST POST POST POST);
    EXPECT_STR(raw_read(&bed, fd, 20, &closed), "");
    EXPECT_EQ(bed.requests, 1);
    reply_text(bed.held, 202, "late");
    const char *answer = raw_read(&bed, fd, 30, &closed);
    EXPECT(strncmp(answer, "HTTP/1.1 202", 12) == 0);
    EXPECT_EQ(count_of(answer, "HTTP/1.1 200"), 4);
    EXPECT(!closed);
    (void)close(fd);
    bed_close(&bed);
}

/* Guarantees: what the protocol refuses is answered with its status, counted, and closed. */
LEAT_TEST(http1_refusals)
{
    static const struct {
        const char *request, *status;
        enum leat_counter counter;
    } table[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400", LEAT_COUNT_HTTP_BAD_REQUEST},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
         LEAT_COUNT_HTTP_BAD_REQUEST},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", "400",
         LEAT_COUNT_HTTP_BAD_REQUEST},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "413", LEAT_COUNT_HTTP_TOO_LARGE},
        {"POST /tiny HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", "413", LEAT_COUNT_HTTP_TOO_LARGE},
        {"POST /tiny HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n", "413",
         LEAT_COUNT_HTTP_TOO_LARGE},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505", LEAT_COUNT_HTTP_BAD_REQUEST},
    };
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool closed;
        uint64_t before = leat_counters[table[i].counter];
        int fd = raw_connect(&bed);
        raw_send(fd, table[i].request);
        const char *answer = raw_read(&bed, fd, 10, &closed);
        EXPECT(strncmp(answer + 9, table[i].status, 3) == 0);
        EXPECT(strstr(answer, "Connection: close\r\n"));
        EXPECT_EQ(leat_counters[table[i].counter], before + 1);
        (void)close(fd);
    }
    EXPECT_EQ(bed.requests, 0);
    bed_close(&bed);
}

/* Guarantees: long targets, long heads and many headers are 414 and 431. */
LEAT_TEST(http1_head_limits)
{
    struct bed bed;
    bool closed;
    struct leat_http1_limits limits = default_limits();
    limits.head_bytes_max = 2048;
    limits.header_count_max = 20;
    EXPECT_OK(bed_open(&bed, &limits));
    char text[5000] = "GET /";
    memset(text + 5, 'x', 3000);
    int fd = raw_connect(&bed);
    raw_send(fd, text);
    EXPECT(strncmp(raw_read(&bed, fd, 10, &closed), "HTTP/1.1 414", 12) == 0);
    (void)close(fd);
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX: %03000d\r\n\r\n", 1);
    fd = raw_connect(&bed);
    raw_send(fd, text);
    EXPECT(strncmp(raw_read(&bed, fd, 10, &closed), "HTTP/1.1 431", 12) == 0);
    (void)close(fd);
    strcpy(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 21; i++)
        strcat(text, "A: b\r\n");
    strcat(text, "\r\n");
    fd = raw_connect(&bed);
    raw_send(fd, text);
    EXPECT(strncmp(raw_read(&bed, fd, 10, &closed), "HTTP/1.1 431", 12) == 0);
    (void)close(fd);
    bed_close(&bed);
}

/* Scenario:   a client sends a head byte by byte, another a body, a third says nothing; all limits 30 to 50 ms.
 * Guarantees: 408 for the first two, a silent end for the third. */
LEAT_TEST(http1_slow_clients_are_ended)
{
    struct bed bed;
    bool closed;
    struct leat_http1_limits limits = default_limits();
    limits.head_ns_max = limits.body_ns_max = SECOND / 20;
    limits.idle_ns_max = SECOND / 30;
    EXPECT_OK(bed_open(&bed, &limits));
    int head = raw_connect(&bed), body = raw_connect(&bed), idle = raw_connect(&bed);
    raw_send(head, "GET / HT");
    raw_send(body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx");
    for (int i = 0; i < 8; i++) {
        turn(&bed, 10);
        (void)!send(head, "T", 1, MSG_NOSIGNAL);
        (void)!send(body, "x", 1, MSG_NOSIGNAL);
    }
    EXPECT(strncmp(raw_read(&bed, head, 10, &closed), "HTTP/1.1 408", 12) == 0);
    EXPECT(strncmp(raw_read(&bed, body, 10, &closed), "HTTP/1.1 408", 12) == 0);
    EXPECT_STR(raw_read(&bed, idle, 10, &closed), "");
    EXPECT(closed);
    (void)close(head);
    (void)close(body);
    (void)close(idle);
    bed_close(&bed);
}

/* Guarantees: HTTP/1.0 closes unless asked; HEAD and 204 carry no body; 100-continue comes before the body. */
LEAT_TEST(http1_versions_and_methods)
{
    struct bed bed;
    bool closed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    int fd = raw_connect(&bed);
    raw_send(fd, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT(strstr(raw_read(&bed, fd, 5, &closed), "Connection: keep-alive\r\n"));
    EXPECT(!closed);
    raw_send(fd, "HEAD /early HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *answer = raw_read(&bed, fd, 5, &closed);
    EXPECT(strstr(answer, "Content-Length: 2\r\n") && strcmp(answer + strlen(answer) - 4, "\r\n\r\n") == 0);
    raw_send(fd, "GET /204 HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = raw_read(&bed, fd, 5, &closed);
    EXPECT(strstr(answer, "204 No Content") && !strstr(answer, "Content-Length"));
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_STR(raw_read(&bed, fd, 5, &closed), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(fd, "hello");
    EXPECT(strstr(raw_read(&bed, fd, 5, &closed), "\r\n\r\nhello"));
    raw_send(fd, "GET /x HTTP/1.0\r\n\r\n");
    EXPECT(strstr(raw_read(&bed, fd, 20, &closed), "Connection: close\r\n"));
    EXPECT(closed);
    (void)close(fd);
    bed_close(&bed);
}

/* Scenario:   the client leaves while its request is with the handler.
 * Guarantees: the handler is told once. */
LEAT_TEST(http1_tells_the_handler_that_the_client_left)
{
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    int fd = raw_connect(&bed);
    raw_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn(&bed, 10);
    EXPECT(bed.held != NULL);
    (void)close(fd);
    turn(&bed, 10);
    EXPECT(bed.held == NULL);
    EXPECT_EQ(bed.gone, 1);
    bed_close(&bed);
}

/* Scenario:   the server closes while a request is with the handler, whose own state ends right after.
 * Guarantees: the handler is told before close returns, and never again. */
LEAT_TEST(http1_close_tells_at_once)
{
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    int fd = raw_connect(&bed);
    raw_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn(&bed, 10);
    EXPECT(bed.held != NULL);
    leat_http1_server_close(bed.server);
    EXPECT(bed.held == NULL);
    EXPECT_EQ(bed.gone, 1);
    turn(&bed, 10);
    EXPECT_EQ(bed.gone, 1);
    bed.server = NULL;
    (void)close(fd);
    bed_close(&bed);
}

static void on_drained(void *ctx)
{
    ((struct bed *)ctx)->drained = true;
}

/* Scenario:   drain with one idle connection and one request in the handler's hands.
 * Guarantees: the idle one closes at once, the busy one after its answer, then drained. */
LEAT_TEST(http1_drains_gracefully)
{
    struct bed bed;
    bool closed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    int idle = raw_connect(&bed), busy = raw_connect(&bed);
    raw_send(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn(&bed, 10);
    leat_http1_server_drain(bed.server, on_drained, &bed);
    (void)raw_read(&bed, idle, 10, &closed);
    EXPECT(closed && !bed.drained);
    reply_text(bed.held, 200, "done");
    EXPECT(strstr(raw_read(&bed, busy, 10, &closed), "Connection: close\r\n"));
    EXPECT(closed && bed.drained);
    (void)close(idle);
    (void)close(busy);
    bed_close(&bed);
}

/* Guarantees: connections above the limit are closed and counted; those there go on. */
LEAT_TEST(http1_connection_limit)
{
    struct bed bed;
    bool closed;
    struct leat_http1_limits limits = default_limits();
    limits.connections_max = 1;
    EXPECT_OK(bed_open(&bed, &limits));
    uint64_t before = leat_counters[LEAT_COUNT_HTTP_CONNECTION_LIMIT];
    int first = raw_connect(&bed);
    turn(&bed, 5);
    int second = raw_connect(&bed);
    (void)raw_read(&bed, second, 10, &closed);
    EXPECT(closed);
    EXPECT_EQ(leat_counters[LEAT_COUNT_HTTP_CONNECTION_LIMIT], before + 1);
    raw_send(first, POST);
    EXPECT(strstr(raw_read(&bed, first, 10, &closed), "200 OK"));
    (void)close(first);
    (void)close(second);
    bed_close(&bed);
}

/* Scenario:   1,000 connections, each after one request, and 1,000 with half a head.
 * Guarantees: none of them holds a page. */
LEAT_TEST(http1_idle_connections_hold_no_page)
{
    enum { COUNT = 1000 };
    struct rlimit files;
    struct bed bed;
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    static int fds[2 * COUNT];
    for (int i = 0; i < 2 * COUNT; i++) {
        fds[i] = raw_connect(&bed);
        raw_send(fds[i], i < COUNT ? POST : "POST /echo HTTP/1.1\r\nHo");
        turn(&bed, 1);
    }
    turn(&bed, 10);
    EXPECT_EQ(bed.requests, COUNT);
    EXPECT(leat_pool_blocks_out(leat_pool_here()) <= COUNT + 1); /* a small block for each unfinished head */
    for (int i = 0; i < 2 * COUNT; i++)
        (void)close(fds[i]);
    turn(&bed, 10);
    bed_close(&bed);
}

/* ---- the client ---- */

/* Guarantees: a call times out, one is cancelled, the rest end at close; none of them twice. */
LEAT_TEST(http1_client_calls_always_end)
{
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    struct shot late, given_up, closed, waiting;
    late = (struct shot){
        .call = {
            .method = "GET", .target = LEAT_SLICE("/hold"), .timeout_ns = SECOND / 50, .done = on_done, .ctx = &late}};
    leat_http1_client_send(bed.client, &late.call);
    wait_for(&bed, &late.done);
    EXPECT_EQ(late.rc, LEAT_ETIMEOUT);
    EXPECT(late.call.sent);
    shoot(&bed, &given_up, "GET", "/hold", NULL);
    turn(&bed, 5);
    leat_http1_client_cancel(bed.client, &given_up.call);
    wait_for(&bed, &given_up.done);
    EXPECT_EQ(given_up.rc, LEAT_ECANCELED);
    shoot(&bed, &closed, "GET", "/hold", NULL);
    turn(&bed, 5);
    shoot(&bed, &waiting, "GET", "/x", NULL);
    leat_http1_client_close(bed.client);
    EXPECT(closed.done && waiting.done);
    EXPECT_EQ(closed.rc, LEAT_ECANCELED);
    EXPECT_EQ(waiting.rc, LEAT_ECANCELED);
    bed.client = NULL;
    bed_close(&bed);
}

/* Scenario:   nobody listens any more.
 * Guarantees: LEAT_ENET, and `sent` says that no byte was seen. */
LEAT_TEST(http1_client_tells_not_sent)
{
    struct bed bed;
    struct shot shot;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    leat_listener_close(bed.listener);
    bed.listener = NULL;
    shoot(&bed, &shot, "POST", "/echo", NULL);
    wait_for(&bed, &shot.done);
    EXPECT_EQ(shot.rc, LEAT_ENET);
    EXPECT(!shot.call.sent);
    bed_close(&bed);
}

/* Scenario:   the server drops the kept connection between two calls.
 * Guarantees: the second call goes out again on a fresh one and succeeds. */
LEAT_TEST(http1_client_outlives_a_dropped_connection)
{
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    limits.idle_ns_max = SECOND / 50;
    EXPECT_OK(bed_open(&bed, &limits));
    for (int i = 0; i < 5; i++) {
        struct shot shot;
        shoot(&bed, &shot, "POST", "/echo", NULL);
        wait_for(&bed, &shot.done);
        EXPECT_EQ(shot.status, 200);
        (void)usleep(i % 2 ? 30000 : 19900); /* the drop and the call may meet */
    }
    bed_close(&bed);
}

/* Scenario:   six calls over at most two connections.
 * Guarantees: all are answered; two connections were opened. */
LEAT_TEST(http1_client_keeps_to_its_connections)
{
    struct bed bed;
    struct shot shots[6];
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    uint64_t before = leat_counters[LEAT_COUNT_HTTP_CONNECTIONS];
    for (int i = 0; i < 6; i++)
        shoot(&bed, &shots[i], "POST", "/echo", NULL);
    for (int i = 0; i < 6; i++)
        wait_for(&bed, &shots[i].done);
    EXPECT_EQ(bed.requests, 6);
    EXPECT_EQ(leat_counters[LEAT_COUNT_HTTP_CONNECTIONS] - before, 2);
    bed_close(&bed);
}

/* ---- bodies that are handed on as they come ---- */

struct flow {
    struct shot shot;
    uint64_t bytes;
    uint32_t heads, pieces, pieces_max; /* gives up after so many; 0: never */
    bool cancels;                       /* gives up by cancelling instead of by saying so */
    struct bed *bed;
};

static bool on_body(struct leat_http1_call *call, const struct leat_http1_response *head, struct leat_slice piece)
{
    struct flow *flow = LEAT_CONTAINER(call, struct flow, shot.call);
    EXPECT_EQ(head->status, 200);
    flow->heads += piece.len == 0;
    flow->pieces += piece.len > 0;
    flow->bytes += piece.len;
    for (uint32_t i = 0; i < piece.len; i++)
        EXPECT_EQ(piece.at[i], 'x');
    bool enough = flow->pieces_max && flow->pieces >= flow->pieces_max;
    if (enough && flow->cancels)
        leat_http1_client_cancel(flow->bed->client, call);
    return !enough || flow->cancels;
}

static void start_flow(struct bed *bed, struct flow *flow, const char *method, const struct leat_chain *body)
{
    shoot(bed, &flow->shot, method, "/echo", body);
    flow->shot.call.on_body = on_body;
    flow->bed = bed;
}

/* Scenario:   an answer of 300 KB, where gathered bodies end at 64 KB; then two calls that have enough after one piece.
 * Guarantees: all of it is handed on; giving up, in either way, ends the call once and leaves the client usable. */
LEAT_TEST(http1_client_hands_bodies_on)
{
    struct bed bed;
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    static char text[300000];
    memset(text, 'x', sizeof text);
    struct leat_chain body = kit_chain(text, sizeof text, 0);
    struct flow whole = {0}, enough = {.pieces_max = 1}, cancels = {.pieces_max = 1, .cancels = true};
    start_flow(&bed, &whole, "POST", &body);
    wait_for(&bed, &whole.shot.done);
    EXPECT_EQ(whole.shot.rc, LEAT_OK);
    EXPECT_EQ(whole.shot.body_bytes, 0);
    EXPECT_EQ(whole.heads, 1);
    EXPECT_EQ(whole.bytes, sizeof text);
    start_flow(&bed, &enough, "POST", &body);
    wait_for(&bed, &enough.shot.done);
    EXPECT_EQ(enough.shot.rc, LEAT_ECANCELED);
    EXPECT_EQ(enough.pieces, 1);
    start_flow(&bed, &cancels, "POST", &body);
    wait_for(&bed, &cancels.shot.done);
    EXPECT_EQ(cancels.shot.rc, LEAT_ECANCELED);
    EXPECT_EQ(cancels.pieces, 1);
    struct shot plain;
    shoot(&bed, &plain, "GET", "/echo", NULL);
    wait_for(&bed, &plain.done);
    EXPECT_EQ(plain.status, 200);
    leat_chain_done(&body);
    bed_close(&bed);
}

static int paper_fd = -1;
static void on_paper_accepted(void *ctx, int fd)
{
    (void)ctx;
    paper_fd = fd;
}

static void paper_say(struct bed *bed, const char *text)
{
    EXPECT_EQ(send(paper_fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    for (int i = 0; i < 20; i++) {
        (void)usleep(500);
        (void)leat_loop_run_once(bed->loop, false);
    }
}

/* Scenario:   a server that sends head, chunk, and much later another chunk, and never ends; then hangs up.
 * Guarantees: each piece is told when it comes; the end without an end is LEAT_ENET. */
LEAT_TEST(http1_client_hands_on_before_the_end)
{
    struct bed bed;
    struct flow flow = {0};
    struct leat_http1_limits limits = default_limits();
    EXPECT_OK(bed_open(&bed, &limits));
    leat_listener_close(bed.listener);
    leat_http1_client_close(bed.client);
    EXPECT_OK(leat_listener_open(bed.loop, "127.0.0.1:0", on_paper_accepted, NULL, &bed.listener, NULL));
    (void)snprintf(bed.address, sizeof bed.address, "127.0.0.1:%u", leat_listener_port(bed.listener));
    struct leat_http1_client_opts opts = {.address = bed.address, .host = "x", .keep_alive = true};
    EXPECT_OK(leat_http1_client_open(bed.loop, &opts, &bed.client, NULL));
    start_flow(&bed, &flow, "GET", NULL);
    for (int i = 0; i < 1000 && paper_fd < 0; i++)
        (void)leat_loop_run_once(bed.loop, true);
    paper_say(&bed, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(flow.heads, 1);
    paper_say(&bed, "3\r\nxx");
    EXPECT_EQ(flow.bytes, 2);
    paper_say(&bed, "x\r\n1\r\nx\r\n");
    EXPECT_EQ(flow.bytes, 4);
    EXPECT(!flow.shot.done);
    (void)close(paper_fd);
    wait_for(&bed, &flow.shot.done);
    EXPECT_EQ(flow.shot.rc, LEAT_ENET);
    bed_close(&bed);
}

/* Scenario:   a call from one end to the other while allocations fail one by one.
 * Guarantees: it ends, one way or the other, and nothing is left behind. */
LEAT_TEST_OOM(http1_survives_any_failed_allocation)
{
    static char text[3000];
    struct bed bed;
    struct shot shot = {0};
    struct leat_chain body = {0};
    struct leat_http1_limits limits = default_limits();
    leat_rc rc = bed_open(&bed, &limits);
    if (rc == LEAT_OK)
        rc = leat_chain_take(&body, leat_slice_of(text, sizeof text));
    if (rc == LEAT_OK) {
        shoot(&bed, &shot, "POST", "/echo", &body);
        shot.call.timeout_ns = SECOND / 5;
        leat_http1_client_cancel(bed.client, &shot.call);
        wait_for(&bed, &shot.done);
        shoot(&bed, &shot, "POST", "/echo", &body);
        wait_for(&bed, &shot.done);
        rc = shot.rc;
    }
    leat_chain_done(&body);
    if (bed.loop)
        bed_close(&bed);
    return rc;
}
