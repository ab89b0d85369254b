/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/http1_server.h"

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/counter.h"
#include "agent/net/http1_conn.h"

/* ---- the server: its connections and its end ---- */

leat_rc leat_http1_server_open(struct leat_loop *loop, const struct leat_http1_limits *limits, struct leat_tls *tls,
                               const struct leat_http1_handler *handler, void *ctx,
                               struct leat_http1_server **ret_server, struct leat_err *reterr)
{
    struct leat_http1_server *server = leat_zalloc(1, sizeof *server);
    if (!server)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "HTTP server: out of memory");
    server->loop = loop;
    server->limits = *limits;
    server->handler = *handler;
    server->ctx = ctx;
    server->tls = tls ? leat_tls_ref(tls) : NULL;
    if (!server->limits.connections)
        server->limits.connections = &server->own_connections;
    leat_list_init(&server->conns);
    leat_task_init(&server->ended, leat_http1__server_ended, server);
    *ret_server = server;
    return LEAT_OK;
}

static bool admit(struct leat_http1_server *server)
{
    uint32_t *count = server->limits.connections;
    if (server->limits.connections_max == 0 ||
        __atomic_add_fetch(count, 1, __ATOMIC_RELAXED) <= server->limits.connections_max)
        return true;
    __atomic_sub_fetch(count, 1, __ATOMIC_RELAXED);
    leat_count(LEAT_COUNT_HTTP_CONNECTION_LIMIT, 1);
    return false;
}

void leat_http1__server_left(struct leat_http1_server *server)
{
    if (server->limits.connections_max)
        __atomic_sub_fetch(server->limits.connections, 1, __ATOMIC_RELAXED);
    if ((server->draining || server->closing) && leat_list_empty(&server->conns))
        leat_loop_defer(server->loop, &server->ended);
}

void leat_http1_server_adopt(struct leat_http1_server *server, int fd)
{
    if (server->draining || server->closing || !admit(server)) {
        leat_socket_drop(fd);
        return;
    }
    leat_count(LEAT_COUNT_HTTP_CONNECTIONS, 1);
    if (leat_http1__conn_open(server, fd) != LEAT_OK)
        leat_http1__server_left(server);
}

void leat_http1__server_ended(struct leat_task *task)
{
    struct leat_http1_server *server = task->ctx;
    if (!leat_list_empty(&server->conns))
        return;
    if (server->drained && !server->closing) {
        void (*drained)(void *ctx) = server->drained;
        server->drained = NULL;
        drained(server->drained_ctx); /* may close the server: nothing of it is touched below */
        return;
    }
    if (!server->closing)
        return;
    leat_tls_unref(server->tls);
    leat_free(server);
}

void leat_http1_server_drain(struct leat_http1_server *server, void (*drained)(void *ctx), void *ctx)
{
    server->draining = true;
    server->drained = drained;
    server->drained_ctx = ctx;
    LEAT_LIST_EACH (link, &server->conns)
        leat_http1__conn_drain(LEAT_CONTAINER(link, struct leat_http1_exchange, link));
    if (leat_list_empty(&server->conns))
        leat_loop_defer(server->loop, &server->ended);
}

void leat_http1_server_close(struct leat_http1_server *server)
{
    if (!server || server->closing)
        return;
    server->closing = true;
    LEAT_LIST_EACH (link, &server->conns)
        leat_http1__conn_abort(LEAT_CONTAINER(link, struct leat_http1_exchange, link));
    if (leat_list_empty(&server->conns))
        leat_loop_defer(server->loop, &server->ended);
}
