/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP/gRPC: one unary method per signal. Source: opentelemetry-proto collector services; gRPC over HTTP/2. */
#include <stdio.h>

#include "agent/base/check.h"
#include "receivers/otlp/otlp.h"

#define MIB (1u << 20)
#define MESSAGE_MIB_DEFAULT 4u

static const char *const paths[LEAT_SIGNAL_COUNT] = {
    [LEAT_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    [LEAT_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    [LEAT_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    [LEAT_PROFILES] = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"};

static bool path_of(const struct otlp_state *otlp, struct leat_slice path, enum leat_signal *ret_signal)
{
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++)
        if (otlp->host->out[i] && leat_slice_is(path, paths[i])) {
            *ret_signal = (enum leat_signal)i;
            return true;
        }
    return false;
}

static int code_of(leat_rc rc)
{
    switch (rc) {
    case LEAT_EPARSE:
        return LEAT_GRPC_INVALID_ARGUMENT;
    case LEAT_ELIMIT:
        return LEAT_GRPC_RESOURCE_EXHAUSTED;
    case LEAT_EUNSUPPORTED:
        return LEAT_GRPC_UNIMPLEMENTED;
    case LEAT_EREFUSED:
        return LEAT_GRPC_INTERNAL;
    case LEAT_ETIMEOUT:
        return LEAT_GRPC_DEADLINE_EXCEEDED;
    default:
        return LEAT_GRPC_UNAVAILABLE;
    }
}

static void reply(struct otlp_state *otlp, void *to, enum leat_signal signal, bool json,
                  const struct otlp_result *result)
{
    (void)otlp;
    (void)json;
    struct leat_chain body = {0}, details = {0};
    if (result->rc == LEAT_OK && otlp_success_body(signal, result, false, &body) == LEAT_OK) {
        leat_grpc_reply(to, &body);
        return;
    }
    int code = result->rc == LEAT_OK ? LEAT_GRPC_UNAVAILABLE : code_of(result->rc);
    struct leat_slice flat = {0};
    if (otlp_status_body(code, result->text, false, &details) == LEAT_OK)
        (void)!leat_chain_flat(&details, &flat);
    leat_grpc_reply_error(to, code, leat_slice_str(result->text), flat);
    leat_mem_unref(flat.mem);
    leat_chain_done(&details);
}

static int on_head(void *ctx, const struct leat_grpc_incoming *incoming, const char **ret_message)
{
    struct otlp_state *otlp = ctx;
    enum leat_signal signal;
    struct leat_err err = {0};
    if (!path_of(otlp, incoming->path, &signal)) {
        leat_host_count(otlp->host, OTLP_BAD_PATH, 1);
        *ret_message = "unknown service or method";
        return LEAT_GRPC_UNIMPLEMENTED;
    }
    if (otlp->grpc_auth && otlp->grpc_auth->check(otlp->grpc_auth->state, incoming->headers, &err) != LEAT_OK) {
        leat_host_count(otlp->host, OTLP_UNAUTHENTICATED, 1);
        *ret_message = "the credentials are missing or wrong";
        return LEAT_GRPC_UNAUTHENTICATED;
    }
    return LEAT_GRPC_OK;
}

static uint64_t message_bytes_max(const struct leat_grpc_server_conf *conf)
{
    uint64_t mib = conf->max_recv_msg_size_mib > 0 ? (uint64_t)conf->max_recv_msg_size_mib : MESSAGE_MIB_DEFAULT;
    return mib * MIB < UINT32_MAX ? mib * MIB : UINT32_MAX;
}

static void on_call(void *ctx, struct leat_grpc_call *call, const struct leat_grpc_incoming *incoming,
                    struct leat_chain *message)
{
    struct otlp_state *otlp = ctx;
    const struct leat_grpc_server_conf *conf = &otlp->conf->protocols.grpc;
    struct otlp_request request = {.reply = reply, .to = call, .timeout_ns = incoming->timeout_ns};
    struct otlp_body body = {.transport = OTLP_GRPC,
                             .coding = incoming->coding,
                             .bytes_max = message_bytes_max(conf),
                             .with_meta = conf->include_metadata,
                             .headers = incoming->headers,
                             .peer = incoming->peer,
                             .bytes = *message};
    *message = (struct leat_chain){0};
    bool known = path_of(otlp, incoming->path, &body.signal);
    LEAT_CHECK(known); /* on_head has refused the rest */
    request.signal = body.signal;
    struct otlp_waiting *waiting = otlp_take(otlp, &request, &body);
    if (waiting)
        leat_grpc_call_set(call, waiting);
}

static void on_gone(void *ctx, struct leat_grpc_call *call)
{
    (void)ctx;
    struct otlp_waiting *waiting = leat_grpc_call_get(call);
    if (waiting)
        otlp_gone(waiting);
}

static const struct leat_grpc_handler handler = {on_head, on_call, on_gone};

static void adopt(void *state, int fd)
{
    struct otlp_state *otlp = state;
    leat_grpc_server_adopt(otlp->grpc, fd);
}

static struct leat_grpc_server_limits limits_of(const struct otlp_state *otlp)
{
    const struct leat_grpc_server_conf *conf = &otlp->conf->protocols.grpc;
    struct otlp_shared *shared = otlp->host->shared;
    return (struct leat_grpc_server_limits){
        .message_bytes_max = (uint32_t)message_bytes_max(conf),
        .streams_max = (uint32_t)conf->max_concurrent_streams,
        .connections = &shared->grpc_connections,
        .connections_max = (uint32_t)conf->max_connections,
        .idle_ns_max = (uint64_t)conf->keepalive.server_parameters.max_connection_idle_ns,
        .age_ns_max = (uint64_t)conf->keepalive.server_parameters.max_connection_age_ns,
        .age_grace_ns = (uint64_t)conf->keepalive.server_parameters.max_connection_age_grace_ns,
        .ping_after_ns = (uint64_t)conf->keepalive.server_parameters.time_ns,
        .ping_timeout_ns = (uint64_t)conf->keepalive.server_parameters.timeout_ns,
        .ping_min_interval_ns = (uint64_t)conf->keepalive.enforcement_policy.min_time_ns,
        .ping_without_stream = conf->keepalive.enforcement_policy.permit_without_stream};
}

/* `transport: unix` takes a bare path; our listener wants it named. */
static const char *endpoint_of(struct otlp_state *otlp)
{
    const struct leat_grpc_server_conf *conf = &otlp->conf->protocols.grpc;
    if (conf->transport != LEAT_GRPC_UNIX || strncmp(conf->endpoint, "unix:", 5) == 0)
        return conf->endpoint;
    (void)snprintf(otlp->grpc_endpoint, sizeof otlp->grpc_endpoint, "unix:%s", conf->endpoint);
    return otlp->grpc_endpoint;
}

leat_rc otlp_grpc_start(struct otlp_state *otlp, struct leat_err *reterr)
{
    const struct leat_grpc_server_conf *conf = &otlp->conf->protocols.grpc;
    struct leat_grpc_server_limits limits = limits_of(otlp);
    leat_rc rc = LEAT_OK;
    if (conf->tls.present)
        rc = leat_tls_open(LEAT_TLS_SERVER, &conf->tls, "h2", &otlp->grpc_tls, reterr);
    if (rc == LEAT_OK && conf->auth.authenticator)
        rc = otlp->host->ops->server_auth(otlp->host, conf->auth.authenticator, &otlp->grpc_auth, reterr);
    if (rc == LEAT_OK)
        rc = leat_grpc_server_open(otlp->host->loop, &limits, otlp->grpc_tls, &handler, otlp, &otlp->grpc, reterr);
    if (rc == LEAT_OK)
        rc = otlp->host->ops->listen(otlp->host, endpoint_of(otlp), adopt, otlp, reterr);
    return rc;
}
