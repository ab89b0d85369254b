/* SPDX-License-Identifier: Apache-2.0 */
/* rig -- an otlp receiver on real loopback sockets, between clients of ours and an out node that does as it is told.
 *
 * Use      rig_new, change rig->conf, rig_start; rig_post and rig_call ask and wait for the answer. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/loop/stream.h"
#include "agent/net/coding.h"
#include "agent/net/h2/grpc_client.h"
#include "agent/net/http1_client.h"
#include "receivers/otlp/otlp.h"
#include "tests/kit/kit.h"

#define RIG_S 1000000000ull
#define RIG_HELD_MAX 64
/* Requests of one item each: the shortest there are. */
#define ONE_LOG LEAT_SLICE("\x0a\x04\x12\x02\x12\x00")
#define LOGS_METHOD "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
#define TRACES_METHOD "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

extern const struct leat_receiver_type leat_receiver_otlp;

struct rig_door {
    struct rig *rig;
    struct leat_listener *listener;
    void (*adopt)(void *state, int fd);
    void *state;
    char address[64];
};

struct rig {
    struct leat_loop *loop;
    struct leat_host host;
    struct leat_host_ops ops;
    struct leat_gate gate;
    struct leat_stage node;
    uint64_t counts[32];
    struct otlp_conf conf;
    struct otlp_shared shared;
    struct otlp_state state;
    struct rig_door doors[2]; /* http, grpc: in the order the receiver asks */
    uint32_t door_count;
    struct leat_http1_client *http;
    struct leat_grpc_client *grpc;
    leat_rc mood; /* what the out node answers to an offer */
    bool keep;    /* batches stay until rig_end */
    struct leat_batch *held[RIG_HELD_MAX];
    uint32_t held_count, taken;
    char last[512]; /* the last payload, and the value of its meta "x-tenant" */
    uint64_t last_len;
    char tenant[64];
    bool stopped;
    struct leat_server_auth auth;
};

static inline leat_rc rig_listen(struct leat_host *host, const char *endpoint, void (*adopt)(void *state, int fd),
                                 void *state, struct leat_err *reterr);

/* ---- the out node ---- */

static inline leat_rc rig_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    return LEAT_CONTAINER(node, struct rig, node)->mood;
}
static inline void rig_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)node;
    (void)batch;
}
static inline void rig_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct rig *rig = LEAT_CONTAINER(node, struct rig, node);
    rig->taken++;
    rig->last_len = leat_chain_put(&batch->payload, rig->last, sizeof rig->last);
    const char *tenant = leat_meta_get(batch->meta, "x-tenant");
    (void)snprintf(rig->tenant, sizeof rig->tenant, "%s", tenant ? tenant : "");
    EXPECT(rig->held_count < RIG_HELD_MAX);
    rig->held[rig->held_count++] = batch;
    if (!rig->keep) {
        rig->held_count--;
        EXPECT(batch->ack == NULL || batch->ack->open > 1); /* leat_emit's part is still open: final comes later */
        leat_batch_end(batch, LEAT_DELIVERED, 0);
    }
}
static const struct leat_stage_ops rig_node_ops = {.reserve = rig_reserve, .cancel = rig_cancel, .put = rig_put};

/* Ends the first batch that is held: `good` items delivered, `bad` dropped for `reason`. */
static inline void rig_end(struct rig *rig, uint64_t good, uint64_t bad, enum leat_drop reason)
{
    EXPECT(rig->held_count > 0);
    struct leat_batch *batch = rig->held[0];
    memmove(rig->held, rig->held + 1, --rig->held_count * sizeof rig->held[0]);
    struct leat_ack *ack = batch->ack;
    leat_batch_free(batch);
    leat_ack_settle(ack, LEAT_DELIVERED, 0, good);
    if (bad)
        leat_ack_settle(ack, LEAT_DROPPED, reason, bad);
    leat_ack_close(ack);
}

/* ---- the host ---- */

static inline void rig_accepted(void *ctx, int fd)
{
    struct rig_door *door = ctx;
    door->adopt(door->state, fd);
}
static inline leat_rc rig_listen(struct leat_host *host, const char *endpoint, void (*adopt)(void *state, int fd),
                                 void *state, struct leat_err *reterr)
{
    struct rig *rig = LEAT_CONTAINER(host, struct rig, host);
    struct rig_door *door = &rig->doors[rig->door_count++];
    *door = (struct rig_door){.rig = rig, .adopt = adopt, .state = state};
    leat_rc rc = leat_listener_open(rig->loop, endpoint, rig_accepted, door, &door->listener, reterr);
    if (rc == LEAT_OK)
        (void)snprintf(door->address, sizeof door->address, "127.0.0.1:%u", leat_listener_port(door->listener));
    return rc;
}
static inline leat_rc rig_check(void *state, struct leat_headers headers, struct leat_err *reterr)
{
    (void)state;
    return leat_slice_is(leat_headers_get(headers, "authorization"), "yes")
               ? LEAT_OK
               : LEAT_RAISE(reterr, LEAT_EAUTH, 0, "no credentials");
}
static inline leat_rc rig_server_auth(struct leat_host *host, const char *id, const struct leat_server_auth **ret_auth,
                                      struct leat_err *reterr)
{
    (void)id;
    (void)reterr;
    struct rig *rig = LEAT_CONTAINER(host, struct rig, host);
    rig->auth = (struct leat_server_auth){.check = rig_check, .challenge = "Test"};
    *ret_auth = &rig->auth;
    return LEAT_OK;
}
static inline void rig_wake(struct leat_waiter *waiter)
{
    leat_receiver_otlp.resume(&((struct rig *)waiter->ctx)->state);
}

/* ---- life ---- */

static inline struct rig *rig_new(void)
{
    static const char *codings[] = {"", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed"};
    struct rig *rig = calloc(1, sizeof *rig);
    struct leat_http_server_conf *http = &rig->conf.protocols.http.server;
    struct leat_grpc_server_conf *grpc = &rig->conf.protocols.grpc;
    rig->conf.max_waiting_bytes = 1 << 20;
    rig->conf.protocols.has_grpc = rig->conf.protocols.has_http = true;
    *http = (struct leat_http_server_conf){.endpoint = "127.0.0.1:0",
                                           .max_request_body_size = 4096,
                                           .compression_algorithms = {codings, 8},
                                           .keep_alives_enabled = true,
                                           .max_connections = 100,
                                           .max_header_bytes = 16384};
    *grpc =
        (struct leat_grpc_server_conf){.endpoint = "127.0.0.1:0", .max_recv_msg_size_mib = 1, .max_connections = 100};
    rig->conf.protocols.http.url_path[LEAT_LOGS] = "/v1/logs";
    rig->conf.protocols.http.url_path[LEAT_METRICS] = "/v1/metrics";
    rig->conf.protocols.http.url_path[LEAT_TRACES] = "/v1/traces";
    return rig;
}

static inline leat_rc rig_clients(struct rig *rig, struct leat_err *reterr)
{
    struct leat_http1_client_opts http = {.address = rig->doors[0].address,
                                          .host = rig->doors[0].address,
                                          .connections_max = 8,
                                          .idle_connections_max = 8,
                                          .idle_ns_max = 5 * RIG_S,
                                          .connect_ns_max = 5 * RIG_S,
                                          .response_bytes_max = 65536,
                                          .keep_alive = true};
    leat_rc rc = leat_http1_client_open(rig->loop, &http, &rig->http, reterr);
    struct leat_grpc_client_opts grpc = {.address = rig->doors[1].address, .response_bytes_max = 65536};
    return rc == LEAT_OK ? leat_grpc_client_open(rig->loop, &grpc, &rig->grpc, reterr) : rc;
}

static inline leat_rc rig_start(struct rig *rig, struct leat_err *reterr)
{
    leat_rc rc = leat_loop_open(leat_world_real(), &rig->loop, reterr);
    if (rc != LEAT_OK)
        return rc;
    rig->ops = (struct leat_host_ops){.listen = rig_listen, .server_auth = rig_server_auth};
    rig->node.ops = &rig_node_ops;
    rig->host.id = "otlp";
    rig->host.loop = rig->loop;
    rig->host.world = leat_world_real();
    rig->host.gate = &rig->gate;
    rig->host.shard_count = 1;
    rig->host.counts = rig->counts;
    rig->host.shared = &rig->shared;
    rig->host.ops = &rig->ops;
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++)
        rig->host.out[i] = i == LEAT_METRICS ? NULL : &rig->node; /* metrics have no pipeline */
    rig->host.waiter = (struct leat_waiter){.wake = rig_wake, .ctx = rig};
    leat_list_init(&rig->host.waiter.link);
    leat_gate_init(&rig->gate, rig->loop);
    rc = leat_receiver_otlp.check(&rig->conf, reterr);
    if (rc == LEAT_OK)
        rc = leat_receiver_otlp.start(&rig->state, &rig->conf, &rig->host, reterr);
    return rc == LEAT_OK ? rig_clients(rig, reterr) : rc;
}

/* Everything goes, in the order the graph lets it go; both connection counts must have come back to 0. */
static inline void rig_free(struct rig *rig)
{
    if (rig->http)
        leat_http1_client_close(rig->http);
    if (rig->grpc)
        leat_grpc_client_close(rig->grpc);
    if (rig->state.host) {
        leat_host_done(&rig->host);
        leat_gate_forget(&rig->host.waiter);
        leat_receiver_otlp.close(&rig->state);
        memset(&rig->state, 0xee, sizeof rig->state); /* the graph frees it here */
    }
    while (rig->held_count)
        rig_end(rig, 1, 0, 0);
    if (rig->loop)
        leat_gate_done(&rig->gate);
    for (uint32_t i = 0; i < rig->door_count; i++)
        if (rig->doors[i].listener)
            leat_listener_close(rig->doors[i].listener);
    if (rig->loop)
        leat_loop_close(rig->loop);
    EXPECT_EQ(rig->shared.http_connections, 0);
    EXPECT_EQ(rig->shared.grpc_connections, 0);
    leat_coding_trim();
    free(rig);
}

/* ---- asking over HTTP ---- */

struct rig_shot {
    struct leat_http1_call call;
    struct leat_chain body;
    bool done;
    leat_rc rc;
    int status;
    char text[1024], headers[1024]; /* "name: value\n" */
    uint32_t len;
};

static inline void rig_shot_done(struct leat_http1_call *call, const struct leat_http1_response *response,
                                 const struct leat_err *err)
{
    struct rig_shot *shot = call->ctx;
    shot->done = true;
    shot->rc = err ? err->code : LEAT_OK;
    if (!response)
        return;
    shot->status = response->status;
    shot->len = response->body.len < sizeof shot->text - 1 ? response->body.len : (uint32_t)sizeof shot->text - 1;
    if (shot->len)
        memcpy(shot->text, response->body.at, shot->len);
    size_t at = 0;
    for (uint32_t i = 0; i < response->headers.count && at < sizeof shot->headers; i++)
        at += (size_t)snprintf(shot->headers + at, sizeof shot->headers - at, "%.*s: %.*s\n",
                               LEAT_SLICE_ARGS(response->headers.at[i].name),
                               LEAT_SLICE_ARGS(response->headers.at[i].value));
}

static inline bool rig_wait(struct rig *rig, const bool *done)
{
    uint64_t end = leat_world_real()->mono_ns(leat_world_real()) + 10 * RIG_S;
    while (!*done && leat_world_real()->mono_ns(leat_world_real()) < end)
        (void)leat_loop_run_once(rig->loop, true);
    return *done;
}

static inline void rig_spin(struct rig *rig, uint32_t ms)
{
    uint64_t end = leat_world_real()->mono_ns(leat_world_real()) + ms * 1000000ull;
    while (leat_world_real()->mono_ns(leat_world_real()) < end)
        (void)leat_loop_run_once(rig->loop, false);
}

/* `body` must outlive the shot. */
static inline void rig_shoot(struct rig *rig, struct rig_shot *shot, const char *method, const char *path,
                             struct leat_headers headers, struct leat_slice body)
{
    *shot = (struct rig_shot){.call = {.method = method,
                                       .target = leat_slice_str(path),
                                       .headers = headers,
                                       .timeout_ns = 8 * RIG_S,
                                       .done = rig_shot_done}};
    shot->call.ctx = shot;
    if (body.len && leat_chain_take(&shot->body, body) != LEAT_OK) {
        shot->done = true;
        shot->rc = LEAT_ENOMEM;
        return;
    }
    shot->call.body = &shot->body;
    leat_http1_client_send(rig->http, &shot->call);
}

/* Sends and waits; type and coding may be NULL. */
static inline int rig_post(struct rig *rig, struct rig_shot *shot, const char *path, const char *type,
                           const char *coding, struct leat_slice body)
{
    struct leat_header list[2];
    struct leat_headers headers = {list, 0};
    if (type)
        list[headers.count++] = (struct leat_header){LEAT_SLICE("Content-Type"), leat_slice_str(type)};
    if (coding)
        list[headers.count++] = (struct leat_header){LEAT_SLICE("Content-Encoding"), leat_slice_str(coding)};
    rig_shoot(rig, shot, "POST", path, headers, body);
    EXPECT(rig_wait(rig, &shot->done));
    leat_chain_done(&shot->body);
    return shot->status;
}

/* ---- asking over gRPC ---- */

struct rig_call {
    struct leat_grpc_out out;
    struct leat_chain message;
    bool done;
    leat_rc rc;
    int code;
    char text[256];
    uint8_t response[256];
    uint32_t len;
};

static inline void rig_call_done(struct leat_grpc_out *out, const struct leat_grpc_status *status,
                                 struct leat_slice response, const struct leat_err *err)
{
    struct rig_call *call = out->ctx;
    call->done = true;
    call->rc = err ? err->code : LEAT_OK;
    call->code = status ? status->code : -1;
    if (status)
        (void)snprintf(call->text, sizeof call->text, "%.*s", LEAT_SLICE_ARGS(status->message));
    call->len = response.len < sizeof call->response ? response.len : (uint32_t)sizeof call->response;
    if (call->len)
        memcpy(call->response, response.at, call->len);
}

static inline void rig_dial(struct rig *rig, struct rig_call *call, const char *path, struct leat_headers headers,
                            struct leat_slice message)
{
    struct leat_chain chain = {0};
    if (message.len)
        EXPECT_OK(leat_chain_take(&chain, message));
    *call = (struct rig_call){.message = chain};
    call->out = (struct leat_grpc_out){.path = leat_slice_str(path),
                                       .headers = headers,
                                       .message = &call->message,
                                       .timeout_ns = 8 * RIG_S,
                                       .done = rig_call_done,
                                       .ctx = call};
    leat_grpc_client_send(rig->grpc, &call->out);
}

static inline int rig_ask(struct rig *rig, struct rig_call *call, const char *path, struct leat_slice message)
{
    rig_dial(rig, call, path, (struct leat_headers){0}, message);
    EXPECT(rig_wait(rig, &call->done));
    leat_chain_done(&call->message);
    return call->code;
}
