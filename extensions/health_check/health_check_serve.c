/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/health_check/health_check.h"

#define CONNECTIONS_MAX 100u
#define HEADERS_MAX 16u
#define BODY_BYTES_MAX 1024u
#define SECOND 1000000000ull

static void answer(const struct health_check *health, struct leat_http1_exchange *exchange, int status,
                   const char *type, const void *at, size_t len)
{
    struct leat_header headers[HEADERS_MAX] = {{LEAT_SLICE("Content-Type"), leat_slice_str(type)}};
    const struct leat_map *more = &health->serves->response_headers;
    uint32_t count = 1;
    for (uint32_t i = 0; i < more->count && count < HEADERS_MAX; i++)
        headers[count++] = (struct leat_header){leat_slice_str(more->at[i].key), leat_slice_str(more->at[i].value)};
    struct leat_chain body = {0};
    if (len && leat_chain_copy(&body, at, (uint32_t)len) != LEAT_OK)
        status = 500;
    leat_http1_reply(exchange, status, (struct leat_headers){headers, count}, &body);
}

static int on_head(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                   uint64_t *body_bytes_max)
{
    (void)ctx;
    (void)exchange;
    (void)request;
    *body_bytes_max = BODY_BYTES_MAX;
    return 0;
}

static bool serves(const struct health_check *health, struct leat_slice path)
{
    const struct health_check_conf *conf = health->conf;
    if (health_check__is_v2(conf))
        return conf->http.status.enabled && leat_slice_is(path, conf->http.status.path);
    /* The Collector's old server answers below its path too: "/" is every path. */
    size_t len = strlen(conf->path);
    return conf->path[len - 1] == '/' ? path.len >= len && memcmp(path.at, conf->path, len) == 0
                                      : leat_slice_is(path, conf->path);
}

static void on_request(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                       struct leat_chain *body)
{
    (void)body;
    struct health_check *health = ctx;
    bool ok = health->health == LEAT_HEALTH_OK, own = !health_check__is_v2(health->conf);
    static const char missing[] = "404 page not found\n";
    if (!serves(health, request->path)) {
        leat_host_count(health->host, HEALTH_CHECK_MISSING, 1);
        answer(health, exchange, 404, "text/plain; charset=utf-8", missing, sizeof missing - 1);
        return;
    }
    own = own && (ok ? health->conf->response_body.healthy : health->conf->response_body.unhealthy);
    leat_host_count(health->host, ok ? HEALTH_CHECK_OK : HEALTH_CHECK_NOT, 1);
    struct leat_strbuf page = {0};
    health_check__page(health, &page);
    if (page.failed)
        answer(health, exchange, 500, "text/plain", "", 0);
    else
        answer(health, exchange, ok ? 200 : 503, own ? "text/plain; charset=utf-8" : "application/json", page.at,
               page.len);
    leat_strbuf_done(&page);
}

static const struct leat_http1_handler handler = {.head = on_head, .request = on_request};

static void adopt(void *state, int fd)
{
    leat_http1_server_adopt(((struct health_check *)state)->server, fd);
}

static uint64_t ns_or(int64_t ns, uint64_t deflt)
{
    return ns > 0 ? (uint64_t)ns : deflt;
}

leat_rc health_check__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct health_check *health = state;
    health->conf = conf;
    health->host = host;
    health->serves = health_check__is_v2(health->conf) ? &health->conf->http.server : &health->conf->server;
    health->changed_unix_ns = host->world->unix_ns(host->world);
    const struct leat_http_server_conf *server = health->serves;
    struct leat_http1_limits limits = {.body_bytes_max = BODY_BYTES_MAX,
                                       .head_bytes_max = (uint32_t)server->max_header_bytes,
                                       .header_count_max = 100,
                                       .connections_max = CONNECTIONS_MAX,
                                       .head_ns_max = ns_or(server->read_header_timeout_ns, 10 * SECOND),
                                       .body_ns_max = ns_or(server->read_timeout_ns, 30 * SECOND),
                                       .idle_ns_max = ns_or(server->idle_timeout_ns, 60 * SECOND),
                                       .write_ns_max = ns_or(server->write_timeout_ns, 30 * SECOND),
                                       .keep_alive = server->keep_alives_enabled};
    leat_rc rc = LEAT_OK;
    if (server->tls.present)
        rc = leat_tls_open(LEAT_TLS_SERVER, &server->tls, "http/1.1", &health->tls, reterr);
    if (rc == LEAT_OK)
        rc = leat_http1_server_open(host->loop, &limits, health->tls, &handler, health, &health->server, reterr);
    if (rc == LEAT_OK)
        rc = host->ops->listen(host, server->endpoint, adopt, health, reterr);
    return rc;
}

void health_check__health(void *state, enum leat_health now)
{
    struct health_check *health = state;
    struct leat_world *world = health->host->world;
    if (health->health == now)
        return;
    health->health = now;
    health->changed_unix_ns = world->unix_ns(world);
    if (now != LEAT_HEALTH_OK)
        return;
    health->since_unix_ns = health->changed_unix_ns;
    health->since_mono_ns = leat_loop_now_ns(health->host->loop);
}

void health_check__close(void *state)
{
    struct health_check *health = state;
    if (health->server)
        leat_http1_server_close(health->server);
    leat_tls_unref(health->tls);
}
