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
