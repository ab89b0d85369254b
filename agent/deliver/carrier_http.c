/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/obj.h"
#include "agent/deliver/carrier.h"
#include "agent/deliver/http_date.h"
#include "agent/deliver/late.h"
#include "agent/deliver/outgoing.h"
#include "agent/deliver/url.h"
#include "agent/net/http1_client.h"

#define PEERS_MAX 64u
#define CONNECT_NS_MAX 30000000000ull
#define RESPONSE_BYTES_MAX (4u << 20)
#define REPLY_BYTES_MAX (64u << 10)
#define REST_NS 10000000000ull /* a peer that cannot be reached is passed over so long, while others can */

struct peer {
    bool encrypted;
    char address[LEAT_URL_ADDRESS_MAX];
    struct leat_http1_client *client;
    uint64_t rests_until_ns;
};

struct http_carrier {
    struct leat_carrier base;
    struct leat_loop *loop;
    const struct leat_http_client_conf *conf;
    const struct leat_client_auth *auth;
    uint32_t connections_max;
    struct leat_tls *tls;  /* NULL until a peer needs it */
    struct leat_late late; /* parcels for which there was no memory */
    uint32_t turn; /* which of several addresses is next */
    uint32_t peer_count;
    struct peer peers[PEERS_MAX];
};

/* One request on its way. */
struct flight {
    struct leat_http1_call call;
    struct http_carrier *carrier;
    struct leat_parcel *parcel;
    struct peer *peer;                /* NULL: never sent, `task` tells `err` */
    struct leat_task task;
    struct leat_err err;
    struct leat_outgoing out;
};

/* ---- the end of a request ---- */

static void flight_end(struct flight *flight, const struct leat_reply *reply, const struct leat_err *err)
{
    struct leat_parcel *parcel = flight->parcel;
    parcel->carried = NULL;
    parcel->done(parcel, reply, err);
    leat_task_cancel(&flight->task);
    leat_deliver__outgoing_done(&flight->out);
    leat_obj_free(flight, sizeof *flight);
}

static void flight_answered(struct leat_http1_call *call, const struct leat_http1_response *response,
                            const struct leat_err *err)
{
    struct flight *flight = call->ctx;
    if (!response) {
        if (err->code != LEAT_ECANCELED)
            flight->peer->rests_until_ns = leat_loop_now_ns(flight->carrier->loop) + REST_NS;
        flight_end(flight, NULL, err);
        return;
    }
    flight->peer->rests_until_ns = 0;
    uint32_t bytes_max = flight->parcel->request->reply_bytes_max;
    struct leat_reply reply = {.request = flight->parcel->request,
                               .status = response->status,
                               .body = response->body,
                               .headers = response->headers};
    bytes_max = bytes_max ? bytes_max : REPLY_BYTES_MAX;
    reply.body.len = reply.body.len < bytes_max ? reply.body.len : bytes_max;
    struct leat_slice after = leat_headers_get(response->headers, "Retry-After");
    struct leat_world *world = leat_loop_world(flight->carrier->loop);
    reply.has_retry_after = after.at && leat_deliver__retry_after(after, world->unix_ns(world), &reply.retry_after_ns);
    flight_end(flight, &reply, NULL);
}

static void flight_failed(struct leat_task *task)
{
    struct flight *flight = task->ctx;
    flight_end(flight, NULL, &flight->err);
}

/* ---- peers ---- */

static const char *host_header(const struct http_carrier *carrier, const struct leat_url *url)
{
    for (uint32_t i = 0; i < carrier->conf->headers.count; i++)
        if (strcasecmp(carrier->conf->headers.at[i].key, "host") == 0)
            return carrier->conf->headers.at[i].value;
    return url->host;
}

static leat_rc tls_open(struct http_carrier *carrier, struct leat_err *reterr)
{
    return carrier->tls ? LEAT_OK
                        : leat_tls_open(LEAT_TLS_CLIENT, &carrier->conf->tls, "http/1.1", &carrier->tls, reterr);
}

static leat_rc peer_open(struct http_carrier *carrier, const struct leat_url *url, struct peer *peer,
                         struct leat_err *reterr)
{
    const struct leat_http_client_conf *conf = carrier->conf;
    char proxy[LEAT_PROXY_MAX];
    leat_rc rc = leat_proxy_pick(conf->proxy_url, url->encrypted, url->name, url->port, proxy, reterr);
    if (rc == LEAT_OK && url->encrypted)
        rc = tls_open(carrier, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct leat_http1_client_opts opts = {.address = url->address,
                                          .host = host_header(carrier, url),
                                          .proxy = proxy[0] ? proxy : NULL,
                                          .tls = url->encrypted ? carrier->tls : NULL,
                                          .connections_max = carrier->connections_max,
                                          .idle_connections_max = carrier->connections_max,
                                          .idle_ns_max = (uint64_t)conf->idle_conn_timeout_ns,
                                          .connect_ns_max = CONNECT_NS_MAX,
                                          .response_bytes_max = RESPONSE_BYTES_MAX,
                                          .keep_alive = !conf->disable_keep_alives};
    if (conf->max_conns_per_host > 0 && (uint64_t)conf->max_conns_per_host < opts.connections_max)
        opts.connections_max = (uint32_t)conf->max_conns_per_host;
    if (conf->max_idle_conns_per_host > 0 && (uint64_t)conf->max_idle_conns_per_host < opts.idle_connections_max)
        opts.idle_connections_max = (uint32_t)conf->max_idle_conns_per_host;
    rc = leat_http1_client_open(carrier->loop, &opts, &peer->client, reterr);
    if (rc != LEAT_OK)
        return rc;
    peer->encrypted = url->encrypted;
    memcpy(peer->address, url->address, sizeof peer->address);
    return LEAT_OK;
}

static struct peer *peer_known(struct http_carrier *carrier, const struct leat_url *url)
{
    for (uint32_t i = 0; i < carrier->peer_count; i++) {
        struct peer *peer = &carrier->peers[i];
        if (peer->encrypted == url->encrypted && strcmp(peer->address, url->address) == 0)
            return peer;
    }
    return NULL;
}

static leat_rc peer_find(struct http_carrier *carrier, const struct leat_url *url, struct peer **ret_peer,
                         struct leat_err *reterr)
{
    struct peer *peer = peer_known(carrier, url);
    if (peer) {
        *ret_peer = peer;
        return LEAT_OK;
    }
    if (carrier->peer_count == PEERS_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "requests go to more than %u peers", PEERS_MAX);
    leat_rc rc = peer_open(carrier, url, &carrier->peers[carrier->peer_count], reterr);
    if (rc == LEAT_OK)
        *ret_peer = &carrier->peers[carrier->peer_count++];
    return rc;
}

/* Of several addresses the next one that does not rest; when all do, simply the next. */
static leat_rc address_pick(struct http_carrier *carrier, const struct leat_request *request, struct leat_url *ret_url,
                            struct leat_err *reterr)
{
    uint32_t count = request->urls ? request->url_count : 0, turn = carrier->turn++;
    for (uint32_t i = 0; i < count; i++) {
        leat_rc rc = leat_url_parse(request->urls[(turn + i) % count], ret_url, reterr);
        if (rc != LEAT_OK)
            return rc;
        const struct peer *peer = peer_known(carrier, ret_url);
        if (!peer || peer->rests_until_ns <= leat_loop_now_ns(carrier->loop))
            return LEAT_OK;
    }
    return leat_url_parse(count ? request->urls[turn % count] : request->url, ret_url, reterr);
}

/* ---- sending ---- */

static leat_rc flight_headers(struct flight *flight)
{
    const struct leat_parcel *parcel = flight->parcel;
    leat_rc rc = leat_deliver__outgoing_set(&flight->out, LEAT_SLICE("User-Agent"), LEAT_SLICE("leat/" LEAT_VERSION),
                                            &flight->err);
    if (rc == LEAT_OK)
        rc = leat_deliver__outgoing_fill(&flight->out, parcel->request, &flight->carrier->conf->headers,
                                         flight->carrier->auth, parcel->meta, &flight->err);
    if (rc == LEAT_OK && parcel->coding != LEAT_CODING_NONE)
        rc = leat_deliver__outgoing_set(&flight->out, LEAT_SLICE("Content-Encoding"),
                                        leat_slice_str(leat_coding_names[parcel->coding]), &flight->err);
    return rc;
}

static leat_rc flight_prepare(struct flight *flight)
{
    struct leat_url url;
    leat_rc rc = address_pick(flight->carrier, flight->parcel->request, &url, &flight->err);
    if (rc == LEAT_OK)
        rc = flight_headers(flight);
    if (rc == LEAT_OK)
        rc = peer_find(flight->carrier, &url, &flight->peer, &flight->err);
    if (rc != LEAT_OK)
        return rc;
    flight->call = (struct leat_http1_call){.method = "POST",
                                            .target = url.target,
                                            .headers = {flight->out.at, flight->out.count},
                                            .body = &flight->parcel->request->body,
                                            .timeout_ns = flight->parcel->timeout_ns,
                                            .done = flight_answered,
                                            .ctx = flight};
    return LEAT_OK;
}

static void http_send(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct http_carrier *carrier = (struct http_carrier *)base;
    struct flight *flight = leat_obj_new(sizeof *flight);
    if (!flight) {
        leat_deliver__late_put(&carrier->late, parcel);
        return;
    }
    flight->carrier = carrier;
    flight->parcel = parcel;
    flight->peer = NULL;
    leat_task_init(&flight->task, flight_failed, flight);
    leat_deliver__outgoing_init(&flight->out, false);
    parcel->carried = flight;
    if (flight_prepare(flight) == LEAT_OK)
        leat_http1_client_send(flight->peer->client, &flight->call);
    else
        leat_loop_defer(carrier->loop, &flight->task);
}

static void http_cancel(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct http_carrier *carrier = (struct http_carrier *)base;
    if (leat_deliver__late_has(&carrier->late, parcel))
        return; /* its end is already on the way */
    struct flight *flight = parcel->carried;
    if (flight && flight->peer)
        leat_http1_client_cancel(flight->peer->client, &flight->call);
}

/* ---- life ---- */

static void http_close(struct leat_carrier *base)
{
    struct http_carrier *carrier = (struct http_carrier *)base;
    for (uint32_t i = 0; i < carrier->peer_count; i++)
        leat_http1_client_close(carrier->peers[i].client);
    leat_deliver__late_close(&carrier->late);
    (void)leat_tls_unref(carrier->tls);
    leat_free(carrier);
}

static const struct leat_carrier_ops http_ops = {.send = http_send, .cancel = http_cancel, .close = http_close};

leat_rc leat_carrier_http_open(struct leat_loop *loop, const char *id, const struct leat_http_client_conf *conf,
                               const struct leat_client_auth *auth, uint32_t connections_max,
                               struct leat_carrier **ret_carrier, struct leat_err *reterr)
{
    (void)id;
    leat_rc rc = leat_deliver__headers_check(&conf->headers, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct http_carrier *carrier = leat_zalloc(1, sizeof *carrier);
    if (!carrier)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for an HTTP client");
    carrier->base.ops = &http_ops;
    carrier->loop = loop;
    carrier->conf = conf;
    carrier->auth = auth;
    carrier->connections_max = connections_max ? connections_max : 1;
    leat_deliver__late_init(&carrier->late, loop, leat_deliver__finish_no_memory);
    bool encrypted = conf->endpoint && strncasecmp(conf->endpoint, "https:", 6) == 0;
    if (encrypted && (rc = tls_open(carrier, reterr)) != LEAT_OK) { /* bad files are found before the first batch */
        http_close(&carrier->base);
        return rc;
    }
    *ret_carrier = &carrier->base;
    return LEAT_OK;
}
