/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP/HTTP: one URL per signal, POST, protobuf or JSON. Source: OTLP specification, "OTLP/HTTP". */
#include <stdio.h>

#include "agent/base/check.h"
#include "agent/net/coding.h"
#include "receivers/otlp/otlp.h"

#define HEADER_COUNT_MAX 100u
#define BODY_RATE_MIN 1024u
#define BODY_BYTES_DEFAULT (20u << 20)

static const char proto_type[] = "application/x-protobuf", json_type[] = "application/json";

/* ---- answering ---- */

static void send(struct otlp_state *otlp, struct leat_http1_exchange *exchange, int status, struct otlp_head *head,
                 struct leat_chain *body)
{
    const struct leat_http_server_conf *conf = &otlp->conf->protocols.http.server;
    otlp_cors_answer(&otlp->cors, leat_http1_exchange_request(exchange), head);
    for (uint32_t i = 0; i < conf->response_headers.count; i++)
        otlp_head_add(head, conf->response_headers.at[i].key, conf->response_headers.at[i].value);
    leat_http1_reply(exchange, status, (struct leat_headers){head->at, head->count}, body);
}

static int grpc_code_of(int status)
{
    switch (status) {
    case 400:
    case 405:
    case 415:
        return LEAT_GRPC_INVALID_ARGUMENT;
    case 401:
        return LEAT_GRPC_UNAUTHENTICATED;
    case 404:
        return LEAT_GRPC_UNIMPLEMENTED;
    case 413:
        return LEAT_GRPC_RESOURCE_EXHAUSTED;
    case 503:
        return LEAT_GRPC_UNAVAILABLE;
    default:
        return LEAT_GRPC_INTERNAL;
    }
}

static void send_error(struct otlp_state *otlp, struct leat_http1_exchange *exchange, int status, const char *text,
                       bool json, struct otlp_head *head)
{
    struct leat_chain body = {0};
    if (otlp_status_body(grpc_code_of(status), text, json, &body) == LEAT_OK)
        otlp_head_add(head, "Content-Type", json ? json_type : proto_type);
    send(otlp, exchange, status, head, &body);
}

static int status_of(leat_rc rc)
{
    switch (rc) {
    case LEAT_OK:
        return 200;
    case LEAT_EPARSE:
        return 400;
    case LEAT_ELIMIT:
        return 413;
    case LEAT_EUNSUPPORTED:
        return 404;
    case LEAT_EREFUSED:
        return 500;
    default:
        return 503;
    }
}

static void reply(struct otlp_state *otlp, void *to, enum leat_signal signal, bool json,
                  const struct otlp_result *result)
{
    struct leat_http1_exchange *exchange = to;
    struct otlp_head head = {.count = 0};
    int status = status_of(result->rc);
    struct leat_chain body = {0};
    if (status != 200 || otlp_success_body(signal, result, json, &body) != LEAT_OK) {
        send_error(otlp, exchange, status == 200 ? 503 : status, result->text, json, &head);
        return;
    }
    otlp_head_add(&head, "Content-Type", json ? json_type : proto_type);
    send(otlp, exchange, 200, &head, &body);
}

/* ---- the head: everything that can be refused before a byte of body is read ---- */

static bool path_of(const struct otlp_state *otlp, struct leat_slice path, enum leat_signal *ret_signal)
{
    const struct otlp_http_conf *conf = &otlp->conf->protocols.http;
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++) {
        const char *known = i == LEAT_PROFILES ? "/v1development/profiles" : conf->url_path[i];
        if (leat_slice_is(path, known) && otlp->host->out[i]) {
            *ret_signal = (enum leat_signal)i;
            return true;
        }
    }
    return false;
}

/* The media type without its parameters. */
static struct leat_slice media_type(struct leat_headers headers)
{
    struct leat_slice type = leat_headers_get(headers, "content-type");
    uint32_t len = 0;
    while (len < type.len && type.at[len] != ';' && type.at[len] != ' ' && type.at[len] != '\t')
        len++;
    type.len = len;
    return type;
}

static bool type_of(struct leat_headers headers, bool *ret_json)
{
    struct leat_slice type = media_type(headers);
    *ret_json = leat_slice_ieq(type, leat_slice_str(json_type));
    return *ret_json || leat_slice_ieq(type, leat_slice_str(proto_type)) ||
           leat_slice_ieq(type, LEAT_SLICE("application/protobuf"));
}

static bool coding_of(const struct otlp_state *otlp, struct leat_headers headers, enum leat_coding *ret_coding)
{
    const struct leat_strings *taken = &otlp->conf->protocols.http.server.compression_algorithms;
    struct leat_slice name = leat_headers_get(headers, "content-encoding");
    if (!leat_coding_parse(name, ret_coding))
        return false;
    for (uint32_t i = 0; i < taken->count && *ret_coding != LEAT_CODING_NONE; i++)
        if (leat_slice_ieq(name, leat_slice_str(taken->at[i])))
            return true;
    return *ret_coding == LEAT_CODING_NONE;
}

static int say_no(struct otlp_state *otlp, struct leat_http1_exchange *exchange, int status, const char *text,
                  bool json, struct otlp_head *head)
{
    send_error(otlp, exchange, status, text, json, head);
    return 1;
}

/* 0: as the Collector, the default. */
static uint64_t body_bytes_limit(const struct otlp_state *otlp)
{
    int64_t bytes = otlp->conf->protocols.http.server.max_request_body_size;
    return bytes > 0 ? (uint64_t)bytes : BODY_BYTES_DEFAULT;
}

static int unauthenticated(struct otlp_state *otlp, struct leat_http1_exchange *exchange, const char *text, bool json)
{
    struct otlp_head head = {.count = 0};
    leat_host_count(otlp->host, OTLP_UNAUTHENTICATED, 1);
    if (otlp->http_auth->challenge)
        otlp_head_add(&head, "WWW-Authenticate", otlp->http_auth->challenge);
    return say_no(otlp, exchange, 401, text, json, &head);
}

static int bad_method(struct otlp_state *otlp, struct leat_http1_exchange *exchange, bool json)
{
    struct otlp_head head = {.count = 0};
    leat_host_count(otlp->host, OTLP_BAD_METHOD, 1);
    otlp_head_add(&head, "Allow", "POST");
    return say_no(otlp, exchange, 405, "405 method not allowed, supported: [POST]", json, &head);
}

static int refuse(struct otlp_state *otlp, struct leat_http1_exchange *exchange, enum otlp_count row, int status,
                  const char *text, bool json)
{
    struct otlp_head head = {.count = 0};
    leat_host_count(otlp->host, row, 1);
    return say_no(otlp, exchange, status, text, json, &head);
}

/* Credentials come first: who has none learns nothing about the rest. */
static int judge(struct otlp_state *otlp, struct leat_http1_exchange *exchange,
                 const struct leat_http1_request *request, uint64_t body_bytes_max)
{
    enum leat_signal signal;
    enum leat_coding coding;
    bool json = false, typed = type_of(request->headers, &json);
    struct leat_err err = {0};
    if (otlp->http_auth && otlp->http_auth->check(otlp->http_auth->state, request->headers, &err) != LEAT_OK)
        return unauthenticated(otlp, exchange, err.text, json);
    if (!path_of(otlp, request->path, &signal))
        return refuse(otlp, exchange, OTLP_BAD_PATH, 404, "nothing is served under this path", json);
    if (!leat_slice_is(request->method, "POST"))
        return bad_method(otlp, exchange, json);
    if (!typed)
        return refuse(otlp, exchange, OTLP_BAD_TYPE, 415,
                      "415 unsupported media type, supported: [application/json, application/x-protobuf]", json);
    if (!coding_of(otlp, request->headers, &coding))
        return refuse(otlp, exchange, OTLP_BAD_TYPE, 415, "unsupported Content-Encoding", json);
    if (request->content_length != UINT64_MAX && request->content_length > body_bytes_max)
        return refuse(otlp, exchange, OTLP_TOO_LARGE, 413, "the body is larger than max_request_body_size", json);
    return 0;
}

static int on_head(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                   uint64_t *body_bytes_max)
{
    struct otlp_state *otlp = ctx;
    struct otlp_head head = {.count = 0};
    if (otlp_cors_preflight(&otlp->cors, request, &head)) { /* browsers send it without credentials */
        struct leat_chain none = {0};
        send(otlp, exchange, 204, &head, &none);
        return 1;
    }
    *body_bytes_max = body_bytes_limit(otlp);
    return judge(otlp, exchange, request, *body_bytes_max);
}

static void on_request(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                       struct leat_chain *bytes)
{
    struct otlp_state *otlp = ctx;
    struct otlp_request asked = {.reply = reply, .to = exchange};
    struct otlp_body body = {.transport = OTLP_HTTP,
                             .bytes_max = body_bytes_limit(otlp),
                             .with_meta = otlp->conf->protocols.http.server.include_metadata,
                             .headers = request->headers,
                             .peer = request->peer,
                             .bytes = *bytes};
    *bytes = (struct leat_chain){0};
    bool known = path_of(otlp, request->path, &body.signal) && type_of(request->headers, &body.json) &&
                 coding_of(otlp, request->headers, &body.coding);
    LEAT_CHECK(known); /* on_head has refused the rest */
    asked.signal = body.signal;
    asked.json = body.json;
    struct otlp_waiting *waiting = otlp_take(otlp, &asked, &body);
    if (waiting)
        leat_http1_exchange_set(exchange, waiting);
}

static void on_gone(void *ctx, struct leat_http1_exchange *exchange)
{
    (void)ctx;
    struct otlp_waiting *waiting = leat_http1_exchange_get(exchange);
    if (waiting)
        otlp_gone(waiting);
}

static const struct leat_http1_handler handler = {on_head, on_request, on_gone};

static void adopt(void *state, int fd)
{
    struct otlp_state *otlp = state;
    leat_http1_server_adopt(otlp->http, fd);
}

/* The size of a body is judged in on_head, so that the refusal has a body of its own. */
static struct leat_http1_limits limits_of(const struct otlp_state *otlp)
{
    const struct leat_http_server_conf *conf = &otlp->conf->protocols.http.server;
    struct otlp_shared *shared = otlp->host->shared;
    return (struct leat_http1_limits){.body_bytes_max = UINT64_MAX - 1,
                                      .head_bytes_max = (uint32_t)conf->max_header_bytes,
                                      .header_count_max = HEADER_COUNT_MAX,
                                      .connections = &shared->http_connections,
                                      .connections_max = (uint32_t)conf->max_connections,
                                      .head_ns_max = (uint64_t)conf->read_header_timeout_ns,
                                      .idle_ns_max = (uint64_t)conf->idle_timeout_ns,
                                      .body_ns_max = (uint64_t)conf->read_timeout_ns,
                                      .body_rate_min = BODY_RATE_MIN,
                                      .write_ns_max = (uint64_t)conf->write_timeout_ns,
                                      .keep_alive = conf->keep_alives_enabled};
}

leat_rc otlp_http_start(struct otlp_state *otlp, struct leat_err *reterr)
{
    const struct leat_http_server_conf *conf = &otlp->conf->protocols.http.server;
    struct leat_http1_limits limits = limits_of(otlp);
    leat_rc rc = LEAT_OK;
    if (conf->tls.present)
        rc = leat_tls_open(LEAT_TLS_SERVER, &conf->tls, "http/1.1", &otlp->http_tls, reterr);
    if (rc == LEAT_OK && conf->auth.authenticator)
        rc = otlp->host->ops->server_auth(otlp->host, conf->auth.authenticator, &otlp->http_auth, reterr);
    if (rc == LEAT_OK)
        rc = otlp_cors_open(&otlp->cors, conf);
    if (rc == LEAT_OK)
        rc = leat_http1_server_open(otlp->host->loop, &limits, otlp->http_tls, &handler, otlp, &otlp->http, reterr);
    if (rc == LEAT_OK)
        rc = otlp->host->ops->listen(otlp->host, conf->endpoint, adopt, otlp, reterr);
    return rc;
}
