/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client of this folder against each other, and the server against bytes of a test, over loopback. */
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
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
    return (struct leat_http1_limits){.body_bytes_max = 1048576, .head_bytes_max = 16384, .header_count_max = 100,
                                      .connections_max = 4000, .head_ns_max = 5 * SECOND, .idle_ns_max = 5 * SECOND,
                                      .write_ns_max = 5 * SECOND, .keep_alive = true};
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
    struct leat_http1_client_opts opts = {.address = bed->address, .host = bed->address, .connections_max = 2,
                                          .idle_connections_max = 2, .idle_ns_max = 5 * SECOND,
                                          .connect_ns_max = 5 * SECOND, .keep_alive = true};
    return leat_http1_client_open(bed->loop, &opts, &bed->client, NULL);
}

static void bed_close(struct bed *bed)
{
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
    *shot = (struct shot){.call = {.method = method, .target = leat_slice_str(target), .body = body,
                                   .timeout_ns = 5 * SECOND, .done = on_done, .ctx = shot}};
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
