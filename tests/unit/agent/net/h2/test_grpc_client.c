/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc_client.h"

#include <stdio.h>

#include "agent/loop/stream.h"
#include "agent/net/h2/grpc_server.h"
#include "tests/kit/kit.h"

/* A server that echoes each message, and a client, on one loop over loopback. */
struct house {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct leat_grpc_server *server;
    struct leat_grpc_client *client;
    char address[32];
    int calls, gone, done, refuse_code;
    bool silent;
    struct leat_grpc_call *held;
    int code;
    leat_rc rc;
    char text[256];
    bool has_retry_info;
    uint64_t retry_delay_ns, response_len;
    bool response_ok;
    const struct leat_chain *sent;
};

static int head(void *ctx, const struct leat_grpc_incoming *incoming, const char **ret_message)
{
    (void)incoming;
    struct house *house = ctx;
    *ret_message = "100% refused";
    return house->refuse_code;
}

static void call(void *ctx, struct leat_grpc_call *grpc, const struct leat_grpc_incoming *incoming,
                 struct leat_chain *message)
{
    (void)incoming;
    struct house *house = ctx;
    house->calls++;
    if (house->silent)
        house->held = grpc;
    else
        leat_grpc_reply(grpc, message);
}

static void gone(void *ctx, struct leat_grpc_call *grpc)
{
    struct house *house = ctx;
    assert_ptr_equal(grpc, house->held);
    house->gone++;
    house->held = NULL;
}

static const struct leat_grpc_handler handler = {head, call, gone};

static void accepted(void *ctx, int fd)
{
    struct house *house = ctx;
    leat_grpc_server_adopt(house->server, fd);
}

static void house_open(struct house *house, const struct leat_grpc_server_limits *limits)
{
    *house = (struct house){0};
    EXPECT_OK(leat_loop_open(leat_world_real(), &house->loop, NULL));
    EXPECT_OK(leat_listener_open(house->loop, "127.0.0.1:0", accepted, house, &house->listener, NULL));
    EXPECT_OK(leat_grpc_server_open(house->loop, limits, NULL, &handler, house, &house->server, NULL));
    (void)snprintf(house->address, sizeof house->address, "127.0.0.1:%u", leat_listener_port(house->listener));
    EXPECT_OK(leat_grpc_client_open(house->loop, &(struct leat_grpc_client_opts){.address = house->address},
                                    &house->client, NULL));
}

static void house_close(struct house *house)
{
    leat_grpc_client_close(house->client);
    leat_grpc_server_close(house->server);
    if (house->listener)
        leat_listener_close(house->listener);
    leat_loop_close(house->loop);
}

static void done(struct leat_grpc_out *out, const struct leat_grpc_status *status, struct leat_slice response,
                 const struct leat_err *err)
{
    struct house *house = out->ctx;
    house->done++;
    house->rc = err ? err->code : LEAT_OK;
    house->code = status ? status->code : -1;
    (void)snprintf(house->text, sizeof house->text, "%.*s", status ? (int)status->message.len : 0,
                   status ? (const char *)status->message.at : "");
    house->has_retry_info = status && status->has_retry_info;
    house->retry_delay_ns = status ? status->retry_delay_ns : 0;
    house->response_len = response.len;
    struct leat_chain whole = {0};
    EXPECT_OK(leat_chain_share(&whole, response));
    house->response_ok = leat_chain_eq(&whole, out->message);
    leat_chain_done(&whole);
}

static struct leat_chain payload(size_t len)
{
    char *bytes = leat_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    struct leat_chain chain = kit_chain(bytes, len, 10000);
    leat_free(bytes);
    return chain;
}

static struct leat_grpc_out out_to(struct house *house, const struct leat_chain *message)
{
    return (struct leat_grpc_out){.path = LEAT_SLICE("/opentelemetry.Test/Echo"),
                                  .message = message,
                                  .done = done,
                                  .ctx = house,
                                  .timeout_ns = 5000000000ull};
}

static void run_until(struct house *house, const int *what, int wanted)
{
    while (*what < wanted)
        (void)leat_loop_run_once(house->loop, true);
}

/* Scenario:   messages of 0 bytes to 3 MiB go to an echoing server over loopback and come back.
 * Guarantees: each is answered OK with the very same bytes, and no payload was copied on the serving side. */
LEAT_TEST(grpc_client_and_server_speak_to_each_other)
{
    static const size_t sizes[] = {0, 1, 30000, 300000, 3000000};
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){0});
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct leat_chain message = payload(sizes[i]);
        struct leat_grpc_out out = out_to(&house, &message);
        leat_grpc_client_send(house.client, &out);
        run_until(&house, &house.done, (int)i + 1);
        EXPECT_EQ(house.rc, LEAT_OK);
        EXPECT_EQ(house.code, LEAT_GRPC_OK);
        EXPECT_EQ(house.response_len, sizes[i]);
        EXPECT(house.response_ok);
        leat_chain_done(&message);
    }
    EXPECT_EQ(house.calls, 5);
    house_close(&house);
}

/* ---- statuses ---- */

static void send_and_wait(struct house *house, struct leat_grpc_out *out)
{
    int done_before = house->done;
    leat_grpc_client_send(house->client, out);
    run_until(house, &house->done, done_before + 1);
}

/* Scenario:   the server refuses a head with a text that needs escapes; then answers UNAVAILABLE with RetryInfo.
 * Guarantees: the client reads code, text and delay. */
LEAT_TEST(grpc_client_reads_statuses)
{
    static const uint8_t details[] =
        "\x08\x0e\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x03";
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){0});
    struct leat_chain message = payload(100);
    struct leat_grpc_out out = out_to(&house, &message);
    house.refuse_code = LEAT_GRPC_UNAUTHENTICATED;
    send_and_wait(&house, &out);
    EXPECT_EQ(house.code, LEAT_GRPC_UNAUTHENTICATED);
    EXPECT_STR(house.text, "100% refused");
    EXPECT(!house.has_retry_info);
    house.refuse_code = 0;
    house.silent = true;
    leat_grpc_client_send(house.client, &out);
    run_until(&house, &house.calls, 1);
    leat_grpc_reply_error(house.held, LEAT_GRPC_UNAVAILABLE, LEAT_SLICE("later"),
                          leat_slice_of(details, sizeof details - 1));
    run_until(&house, &house.done, 2);
    EXPECT_EQ(house.code, LEAT_GRPC_UNAVAILABLE);
    EXPECT(house.has_retry_info);
    EXPECT_EQ(house.retry_delay_ns, 3000000000ull);
    leat_chain_done(&message);
    house_close(&house);
}

/* Scenario:   a message above the server's limit.
 * Guarantees: RESOURCE_EXHAUSTED, and the next call on the connection is answered. */
LEAT_TEST(grpc_client_learns_what_is_too_large)
{
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){.message_bytes_max = 1000});
    struct leat_chain large = payload(5000000), small = payload(10);
    struct leat_grpc_out out = out_to(&house, &large), next = out_to(&house, &small);
    send_and_wait(&house, &out);
    EXPECT_EQ(house.code, LEAT_GRPC_RESOURCE_EXHAUSTED);
    send_and_wait(&house, &next);
    EXPECT_EQ(house.code, LEAT_GRPC_OK);
    leat_chain_done(&large);
    leat_chain_done(&small);
    house_close(&house);
}

/* ---- time, giving up ---- */

/* Scenario:   the server never answers: a call's time runs out; another is cancelled.
 * Guarantees: LEAT_ETIMEOUT and LEAT_ECANCELED, once each; the server's handler is told gone. */
LEAT_TEST(grpc_client_gives_up)
{
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){0});
    house.silent = true;
    struct leat_chain message = payload(100);
    struct leat_grpc_out out = out_to(&house, &message);
    out.timeout_ns = 50000000;
    send_and_wait(&house, &out);
    EXPECT_EQ(house.rc, LEAT_ETIMEOUT);
    EXPECT(out.sent);
    run_until(&house, &house.gone, 1);
    leat_grpc_client_send(house.client, &out);
    run_until(&house, &house.calls, 2);
    leat_grpc_client_cancel(house.client, &out);
    run_until(&house, &house.done, 2);
    EXPECT_EQ(house.rc, LEAT_ECANCELED);
    run_until(&house, &house.gone, 2);
    leat_chain_done(&message);
    house_close(&house);
}

/* Scenario:   the client is closed with one call waiting and one under way.
 * Guarantees: both end with LEAT_ECANCELED inside _close. */
LEAT_TEST(grpc_client_close_ends_calls)
{
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){.streams_max = 1});
    house.silent = true;
    struct leat_chain message = payload(100);
    struct leat_grpc_out first = out_to(&house, &message), second = first;
    leat_grpc_client_send(house.client, &first);
    leat_grpc_client_send(house.client, &second);
    run_until(&house, &house.calls, 1);
    leat_grpc_client_close(house.client);
    house.client = NULL;
    EXPECT_EQ(house.done, 2);
    EXPECT_EQ(house.rc, LEAT_ECANCELED);
    EXPECT(!second.sent);
    leat_chain_done(&message);
    house_close(&house);
}

/* ---- connections ---- */

/* Scenario:   nobody listens at the address; then somebody does.
 * Guarantees: LEAT_ENET, not sent; a later call connects again. */
LEAT_TEST(grpc_client_says_when_nobody_is_there)
{
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){0});
    leat_listener_close(house.listener);
    house.listener = NULL;
    (void)leat_loop_run_once(house.loop, false);
    struct leat_chain message = payload(100);
    struct leat_grpc_out out = out_to(&house, &message);
    send_and_wait(&house, &out);
    EXPECT_EQ(house.rc, LEAT_ENET);
    EXPECT(!out.sent);
    EXPECT_OK(leat_listener_open(house.loop, house.address, accepted, &house, &house.listener, NULL));
    send_and_wait(&house, &out);
    EXPECT_EQ(house.code, LEAT_GRPC_OK);
    leat_chain_done(&message);
    house_close(&house);
}

static void note(void *ctx)
{
    ++*(int *)ctx;
}

/* Scenario:   the server drains while a call is open, is closed, and a new one takes its place.
 * Guarantees: the open call is answered; the next goes to the new server over a new connection. */
LEAT_TEST(grpc_client_follows_goaway)
{
    struct house house;
    int drained = 0;
    house_open(&house, &(struct leat_grpc_server_limits){0});
    struct leat_chain message = payload(100);
    struct leat_grpc_out out = out_to(&house, &message);
    house.silent = true;
    leat_grpc_client_send(house.client, &out);
    run_until(&house, &house.calls, 1);
    leat_grpc_server_drain(house.server, note, &drained);
    for (int i = 0; i < 5; i++)
        (void)leat_loop_run_once(house.loop, false);
    struct leat_chain echo = {0};
    EXPECT_OK(leat_chain_share_all(&echo, &message));
    leat_grpc_reply(house.held, &echo);
    run_until(&house, &house.done, 1);
    EXPECT_EQ(house.code, LEAT_GRPC_OK);
    run_until(&house, &drained, 1);
    leat_grpc_server_close(house.server);
    EXPECT_OK(leat_grpc_server_open(house.loop, &(struct leat_grpc_server_limits){0}, NULL, &handler, &house,
                                    &house.server, NULL));
    house.silent = false;
    send_and_wait(&house, &out);
    EXPECT_EQ(house.code, LEAT_GRPC_OK);
    leat_chain_done(&message);
    house_close(&house);
}

/* Scenario:   the server dies with a call open.
 * Guarantees: LEAT_ENET, sent: the caller may try again. */
LEAT_TEST(grpc_client_loses_a_connection)
{
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){0});
    house.silent = true;
    struct leat_chain message = payload(100);
    struct leat_grpc_out out = out_to(&house, &message);
    leat_grpc_client_send(house.client, &out);
    run_until(&house, &house.calls, 1);
    leat_grpc_server_close(house.server);
    EXPECT_EQ(house.gone, 1);
    house.server = NULL;
    run_until(&house, &house.done, 1);
    EXPECT_EQ(house.rc, LEAT_ENET);
    EXPECT(out.sent);
    leat_chain_done(&message);
    house_close(&house);
}

/* Scenario:   round_robin over what a name resolves to; 200 calls at once over few streams.
 * Guarantees: all are answered, in turn. */
LEAT_TEST(grpc_client_spreads_over_addresses)
{
    enum { CALLS = 200 };
    static struct leat_grpc_out outs[CALLS];
    struct house house;
    house_open(&house, &(struct leat_grpc_server_limits){.streams_max = 7});
    leat_grpc_client_close(house.client);
    EXPECT_OK(leat_grpc_client_open(house.loop,
                                    &(struct leat_grpc_client_opts){.address = house.address, .round_robin = true},
                                    &house.client, NULL));
    struct leat_chain message = payload(1000);
    for (int i = 0; i < CALLS; i++) {
        outs[i] = out_to(&house, &message);
        leat_grpc_client_send(house.client, &outs[i]);
    }
    run_until(&house, &house.done, CALLS);
    EXPECT_EQ(house.calls, CALLS);
    EXPECT_EQ(house.code, LEAT_GRPC_OK);
    leat_chain_done(&message);
    house_close(&house);
}

/* ---- through a proxy ---- */

/* One connection: reads CONNECT, answers, and then carries bytes both ways. */
struct relay {
    struct house *house;
    struct leat_listener *listener;
    struct leat_stream *near, *far;
    const char *reply;
    char request[512];
    bool through;
};

static void pass(struct leat_stream *to, struct leat_slice bytes)
{
    struct leat_chain out = {0};
    EXPECT_OK(leat_chain_take(&out, bytes));
    if (!to || leat_stream_write(to, &out) != LEAT_OK)
        leat_chain_done(&out);
}

static void far_bytes(void *ctx, struct leat_slice bytes)
{
    pass(((struct relay *)ctx)->near, bytes);
}
static void far_closed(void *ctx, const struct leat_err *why)
{
    (void)why;
    ((struct relay *)ctx)->far = NULL;
}
static const struct leat_stream_events far_events = {.bytes = far_bytes, .closed = far_closed};

static void near_bytes(void *ctx, struct leat_slice bytes)
{
    struct relay *relay = ctx;
    if (relay->through) {
        pass(relay->far, bytes);
        return;
    }
    (void)snprintf(relay->request, sizeof relay->request, "%.*s", LEAT_SLICE_ARGS(bytes));
    leat_mem_unref(bytes.mem);
    relay->through = true;
    EXPECT_OK(leat_stream_connect(relay->house->loop, relay->house->address, 0, &far_events, relay, &relay->far, NULL));
    pass(relay->near, leat_slice_str(relay->reply));
}

static void near_closed(void *ctx, const struct leat_err *why)
{
    struct relay *relay = ctx;
    (void)why;
    relay->near = NULL;
    if (relay->far)
        leat_stream_close(relay->far);
}
static const struct leat_stream_events near_events = {.bytes = near_bytes, .closed = near_closed};

static void relay_accepted(void *ctx, int fd)
{
    struct relay *relay = ctx;
    EXPECT_OK(leat_stream_adopt(relay->house->loop, fd, &near_events, relay, &relay->near, NULL));
}

static void call_through(struct relay *relay, struct house *house)
{
    char proxy[64];
    house_open(house, &(struct leat_grpc_server_limits){0});
    leat_grpc_client_close(house->client);
    relay->house = house;
    EXPECT_OK(leat_listener_open(house->loop, "127.0.0.1:0", relay_accepted, relay, &relay->listener, NULL));
    (void)snprintf(proxy, sizeof proxy, "http://us%%65r:pw@127.0.0.1:%u", leat_listener_port(relay->listener));
    EXPECT_OK(leat_grpc_client_open(
        house->loop, &(struct leat_grpc_client_opts){.address = house->address, .proxy = proxy}, &house->client, NULL));
    struct leat_chain message = payload(100000);
    struct leat_grpc_out out = out_to(house, &message);
    send_and_wait(house, &out);
    leat_chain_done(&message);
    leat_listener_close(relay->listener);
    house_close(house);
}

/* Scenario:   a call through a proxy that wants a login; through one that refuses.
 * Guarantees: CONNECT names the target and carries the login; the call is answered. A refusal is LEAT_ENET. */
LEAT_TEST(grpc_client_goes_through_a_proxy)
{
    struct house house;
    struct relay relay = {.reply = "HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n"};
    call_through(&relay, &house);
    EXPECT_EQ(house.code, LEAT_GRPC_OK);
    EXPECT(house.response_ok);
    EXPECT(strstr(relay.request, "CONNECT 127.0.0.1:") == relay.request);
    EXPECT(strstr(relay.request, "\r\nProxy-Authorization: Basic dXNlcjpwdw==\r\n"));
    relay = (struct relay){.reply = "HTTP/1.1 407 Who are you\r\n\r\n"};
    call_through(&relay, &house);
    EXPECT_EQ(house.rc, LEAT_ENET);
}
