/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/obj.h"
#include "agent/deliver/carrier.h"
#include "agent/deliver/grpc_target.h"
#include "agent/deliver/late.h"
#include "agent/deliver/outgoing.h"
#include "agent/net/h2/grpc_client.h"

#define CONNECT_NS_MAX 20000000000ull
#define RESPONSE_BYTES_MAX (4u << 20)

struct grpc_carrier {
    struct leat_carrier base;
    struct leat_loop *loop;
    const struct leat_grpc_client_conf *conf;
    const struct leat_client_auth *auth;
    struct leat_tls *tls;
    struct leat_grpc_client *client;
    struct leat_late late; /* parcels for which there was no memory */
    struct leat_grpc_target target;
    char proxy[LEAT_PROXY_MAX];
};

/* One call on its way. */
struct flight {
    struct leat_grpc_out call;
    struct grpc_carrier *carrier;
    struct leat_parcel *parcel;
    bool is_sent; /* else `task` tells `err` */
    struct leat_task task;
    struct leat_err err;
    struct leat_outgoing out;
};

static void flight_end(struct flight *flight, const struct leat_reply *reply, const struct leat_err *err)
{
    struct leat_parcel *parcel = flight->parcel;
    parcel->carried = NULL;
    parcel->done(parcel, reply, err);
    leat_task_cancel(&flight->task);
    leat_deliver__outgoing_done(&flight->out);
    leat_obj_free(flight, sizeof *flight);
}

static void flight_answered(struct leat_grpc_out *call, const struct leat_grpc_status *status,
                            struct leat_slice response, const struct leat_err *err)
{
    struct flight *flight = call->ctx;
    if (!status) {
        flight_end(flight, NULL, err);
        return;
    }
    struct leat_reply reply = {.request = flight->parcel->request,
                               .status = status->code,
                               .message = status->message,
                               .body = response,
                               .has_retry_after = status->has_retry_info,
                               .retry_after_ns = status->retry_delay_ns};
    flight_end(flight, &reply, NULL);
}

static void flight_failed(struct leat_task *task)
{
    struct flight *flight = task->ctx;
    flight_end(flight, NULL, &flight->err);
}

static void grpc_send(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct grpc_carrier *carrier = (struct grpc_carrier *)base;
    struct flight *flight = leat_obj_new(sizeof *flight);
    if (!flight) {
        leat_deliver__late_put(&carrier->late, parcel);
        return;
    }
    flight->carrier = carrier;
    flight->parcel = parcel;
    leat_task_init(&flight->task, flight_failed, flight);
    leat_deliver__outgoing_init(&flight->out, true);
    parcel->carried = flight;
    flight->is_sent = leat_deliver__outgoing_fill(&flight->out, parcel->request, &carrier->conf->headers, carrier->auth,
                                                  parcel->meta, &flight->err) == LEAT_OK;
    if (!flight->is_sent) {
        leat_loop_defer(carrier->loop, &flight->task);
        return;
    }
    flight->call = (struct leat_grpc_out){.path = leat_slice_str(parcel->request->url),
                                          .headers = {flight->out.at, flight->out.count},
                                          .message = &parcel->request->body,
                                          .coding = parcel->coding,
                                          .timeout_ns = parcel->timeout_ns,
                                          .done = flight_answered,
                                          .ctx = flight};
    leat_grpc_client_send(carrier->client, &flight->call);
}

static void grpc_cancel(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct grpc_carrier *carrier = (struct grpc_carrier *)base;
    if (leat_deliver__late_has(&carrier->late, parcel))
        return; /* its end is already on the way */
    struct flight *flight = parcel->carried;
    if (flight && flight->is_sent)
        leat_grpc_client_cancel(carrier->client, &flight->call);
}

static void grpc_close(struct leat_carrier *base)
{
    struct grpc_carrier *carrier = (struct grpc_carrier *)base;
    if (carrier->client)
        leat_grpc_client_close(carrier->client);
    leat_deliver__late_close(&carrier->late);
    (void)leat_tls_unref(carrier->tls);
    leat_free(carrier);
}

static const struct leat_carrier_ops grpc_ops = {.send = grpc_send, .cancel = grpc_cancel, .close = grpc_close};

static leat_rc client_open(struct grpc_carrier *carrier, struct leat_err *reterr)
{
    const struct leat_grpc_client_conf *conf = carrier->conf;
    struct leat_grpc_target *target = &carrier->target;
    leat_rc rc = leat_grpc_target_parse(conf->endpoint, conf->tls.insecure, target, reterr);
    if (rc == LEAT_OK && !target->is_unix)
        rc = leat_proxy_pick(conf->proxy_url, target->encrypted, target->name, target->port, carrier->proxy, reterr);
    if (rc == LEAT_OK && target->encrypted)
        rc = leat_tls_open(LEAT_TLS_CLIENT, &conf->tls, "h2", &carrier->tls, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct leat_grpc_client_opts opts = {
        .address = target->address,
        .proxy = carrier->proxy[0] ? carrier->proxy : NULL,
        .tls = carrier->tls,
        .authority = conf->authority && *conf->authority ? conf->authority : target->authority,
        .user_agent = conf->user_agent && *conf->user_agent ? conf->user_agent : "leat/" LEAT_VERSION,
        .round_robin = !conf->balancer_name || strcmp(conf->balancer_name, "pick_first") != 0,
        .connect_ns_max = CONNECT_NS_MAX,
        .keepalive_ns = (uint64_t)conf->keepalive.time_ns,
        .keepalive_timeout_ns = (uint64_t)conf->keepalive.timeout_ns,
        .keepalive_without_stream = conf->keepalive.permit_without_stream,
        .response_bytes_max = RESPONSE_BYTES_MAX};
    return leat_grpc_client_open(carrier->loop, &opts, &carrier->client, reterr);
}

leat_rc leat_carrier_grpc_open(struct leat_loop *loop, const char *id, const struct leat_grpc_client_conf *conf,
                               const struct leat_client_auth *auth, struct leat_carrier **ret_carrier,
                               struct leat_err *reterr)
{
    (void)id;
    leat_rc rc = leat_deliver__headers_check(&conf->headers, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct grpc_carrier *carrier = leat_zalloc(1, sizeof *carrier);
    if (!carrier)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a gRPC client");
    carrier->base.ops = &grpc_ops;
    carrier->loop = loop;
    carrier->conf = conf;
    carrier->auth = auth;
    leat_deliver__late_init(&carrier->late, loop, leat_deliver__finish_no_memory);
    rc = client_open(carrier, reterr);
    if (rc != LEAT_OK) {
        grpc_close(&carrier->base);
        return rc;
    }
    *ret_carrier = &carrier->base;
    return LEAT_OK;
}
