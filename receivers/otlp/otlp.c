/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/otlp/otlp.h"

#define DRAIN_NS_MAX 3000000000ull /* for connections in the middle of a request or of an answer */

static void on_grace(struct leat_timer *timer)
{
    struct otlp_state *otlp = timer->ctx;
    otlp->draining = 0;
    otlp_tell_stopped(otlp);
}

static leat_rc otlp_start(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct otlp_state *otlp = state;
    otlp->conf = conf;
    otlp->host = host;
    otlp->grace = (struct leat_timer){.fire = on_grace, .ctx = otlp};
    leat_list_init(&otlp->acks);
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        leat_list_init(&otlp->room[signal]);
    leat_rc rc = LEAT_OK;
    if (otlp->conf->protocols.has_http)
        rc = otlp_http_start(otlp, reterr);
    if (rc == LEAT_OK && otlp->conf->protocols.has_grpc)
        rc = otlp_grpc_start(otlp, reterr);
    return rc;
}

/* A push source has nothing to pause: leat_emit refuses for it. */
static void otlp_pause(void *state)
{
    (void)state;
}

static void otlp_resume(void *state)
{
    otlp_retry_waiting(state);
}

void otlp_tell_stopped(struct otlp_state *otlp)
{
    if (!otlp->stopped || otlp->draining || !leat_list_empty(&otlp->acks))
        return;
    leat_timer_stop(otlp->host->loop, &otlp->grace);
    void (*stopped)(void *) = otlp->stopped;
    otlp->stopped = NULL;
    stopped(otlp->stopped_ctx);
}

static void on_drained(void *ctx)
{
    struct otlp_state *otlp = ctx;
    if (otlp->draining == 0)
        return; /* the grace is over */
    otlp->draining--;
    otlp_tell_stopped(otlp);
}

static void otlp_stop(void *state, void (*stopped)(void *ctx), void *ctx)
{
    struct otlp_state *otlp = state;
    otlp->stopping = true;
    otlp->stopped = stopped;
    otlp->stopped_ctx = ctx;
    otlp->draining = 1u + (otlp->http != NULL) + (otlp->grpc != NULL);
    leat_timer_start(otlp->host->loop, &otlp->grace, DRAIN_NS_MAX);
    otlp_refuse_waiting(otlp);
    if (otlp->http)
        leat_http1_server_drain(otlp->http, on_drained, otlp);
    if (otlp->grpc)
        leat_grpc_server_drain(otlp->grpc, on_drained, otlp);
    on_drained(otlp);
}

static void otlp_close(void *state)
{
    struct otlp_state *otlp = state;
    otlp->stopped = NULL;
    otlp->stopping = true;
    leat_timer_stop(otlp->host->loop, &otlp->grace);
    otlp_refuse_waiting(otlp);
    otlp_forget_acks(otlp);
    if (otlp->http)
        leat_http1_server_close(otlp->http);
    if (otlp->grpc)
        leat_grpc_server_close(otlp->grpc);
    leat_tls_unref(otlp->http_tls);
    leat_tls_unref(otlp->grpc_tls);
    otlp_cors_close(&otlp->cors);
}

static const char *const otlp_transports[] = {[OTLP_GRPC] = "grpc", [OTLP_HTTP] = "http", [OTLP_HTTP + 1] = NULL};

LEAT_RECEIVER(otlp, .summary = "takes OTLP over gRPC and HTTP (protobuf and JSON)", .signals = LEAT_ALL_SIGNALS,
              .forms = LEAT_FORM_OTLP, .conf_size = sizeof(struct otlp_conf), .state_size = sizeof(struct otlp_state),
              .shared_size = sizeof(struct otlp_shared), .fields = otlp_fields, .defaults = otlp_defaults,
              .counters = otlp_counters, .transports = otlp_transports, .check = otlp_check, .start = otlp_start,
              .pause = otlp_pause, .resume = otlp_resume, .stop = otlp_stop, .close = otlp_close);
