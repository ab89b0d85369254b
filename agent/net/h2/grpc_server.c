/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc_server.h"

#include <unistd.h>

#include "agent/base/alloc.h"
#include "agent/net/conn.h"
#include "agent/net/h2/h2_server.h"

struct connection {
    struct leat_list link; /* server->connections */
    struct leat_grpc_server *server;
    struct leat_conn *conn;
    struct leat_h2_server *h2;
    struct leat_task flush; /* one gathered write per turn */
    struct leat_timer timer;
    bool closing;
};

struct leat_grpc_server {
    struct leat_loop *loop;
    struct leat_tls *tls;
    struct leat_h2_service service;
    struct leat_list connections;
    uint32_t own_count, *count; /* open connections; *count may be shared with other shards */
    bool draining, closing;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct leat_task tell_drained;
};

static uint64_t now_ns(const struct connection *c)
{
    return leat_loop_now_ns(c->server->loop);
}

/* ---- the end of a server ---- */

static void free_if_done(struct leat_grpc_server *server)
{
    if (!server->closing || !leat_list_empty(&server->connections))
        return;
    leat_task_cancel(&server->tell_drained);
    leat_h2__service_done(&server->service);
    leat_tls_unref(server->tls);
    leat_free(server);
}

static void tell_drained(struct leat_task *task)
{
    struct leat_grpc_server *server = task->ctx;
    void (*drained)(void *ctx) = server->drained;
    server->drained = NULL;
    if (drained)
        drained(server->drained_ctx);
}

/* ---- writing ---- */

static void arm(struct connection *c)
{
    uint64_t due = leat_h2__server_due_ns(c->h2), now = now_ns(c);
    if (due == UINT64_MAX || (leat_timer_runs(&c->timer) && c->timer.due_ns <= due))
        return; /* a timer that rings too early is only started again */
    leat_timer_start(c->server->loop, &c->timer, due > now ? due - now : 0);
}

static void shut(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    leat_timer_stop(c->server->loop, &c->timer);
    leat_conn_close_flushed(c->conn);
}

static void flush(struct leat_task *task)
{
    struct connection *c = task->ctx;
    struct leat_h2_session *h2 = &c->h2->h2;
    if (c->closing)
        return;
    leat_h2__server_pump(c->h2, leat_conn_unsent(c->conn), now_ns(c));
    if (h2->out.bytes) {
        leat_h2__server_taken(c->h2, h2->out.bytes);
        if (leat_conn_write(c->conn, &h2->out) != LEAT_OK)
            h2->ended = true;
    }
    if (h2->ended)
        shut(c);
    else
        arm(c);
}

static void wake(void *owner)
{
    struct connection *c = owner;
    leat_loop_defer(c->server->loop, &c->flush);
}

static void rang(struct leat_timer *timer)
{
    struct connection *c = timer->ctx;
    leat_h2__server_tick(c->h2, now_ns(c));
    wake(c);
}

/* ---- what the socket says ---- */

/* TLS peers must have agreed on h2; the protocol is known in advance otherwise. */
static void opened(void *ctx)
{
    struct connection *c = ctx;
    if (c->server->tls && strcmp(leat_conn_alpn(c->conn), "h2") != 0) {
        shut(c);
        return;
    }
    wake(c);
}

static void bytes_came(void *ctx, struct leat_slice bytes)
{
    struct connection *c = ctx;
    if (c->closing)
        leat_mem_unref(bytes.mem);
    else
        leat_h2__server_feed(c->h2, bytes, now_ns(c));
}

static void socket_drained(void *ctx)
{
    wake(ctx);
}

static void socket_closed(void *ctx, const struct leat_err *why)
{
    (void)why;
    struct connection *c = ctx;
    struct leat_grpc_server *server = c->server;
    c->closing = true;
    leat_timer_stop(server->loop, &c->timer);
    leat_h2__server_close(c->h2);
    leat_task_cancel(&c->flush);
    leat_list_remove(&c->link);
    leat_free(c);
    __atomic_sub_fetch(server->count, 1, __ATOMIC_RELAXED);
    if (server->draining && leat_list_empty(&server->connections))
        leat_loop_defer(server->loop, &server->tell_drained);
    free_if_done(server);
}

static const struct leat_stream_events events = {
    .opened = opened, .bytes = bytes_came, .drained = socket_drained, .closed = socket_closed};

/* ---- connections ---- */

/* A tenth more or less, so that connections that began together do not all end together. */
static void spread_age(struct connection *c)
{
    struct leat_world *world = leat_loop_world(c->server->loop);
    uint64_t age = c->h2->age_ns;
    if (age >= 10)
        c->h2->age_ns = age - age / 10 + world->random(world) % (age / 5);
}

static leat_rc session_open(struct connection *c)
{
    struct leat_grpc_server *server = c->server;
    leat_rc rc =
        leat_h2__server_open(&server->service, leat_conn_peer(c->conn), server->tls != NULL, now_ns(c), &c->h2);
    if (rc != LEAT_OK)
        return rc;
    c->h2->h2.wake = wake;
    c->h2->h2.owner = c;
    spread_age(c);
    return LEAT_OK;
}

static struct connection *connection_new(struct leat_grpc_server *server)
{
    struct connection *c = leat_zalloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->server = server;
    c->timer = (struct leat_timer){.fire = rang, .ctx = c};
    leat_task_init(&c->flush, flush, c);
    return c;
}

static void open_connection(struct leat_grpc_server *server, int fd)
{
    struct connection *c = connection_new(server);
    if (!c) {
        (void)close(fd);
        __atomic_sub_fetch(server->count, 1, __ATOMIC_RELAXED);
        return;
    }
    if (leat_conn_adopt(server->loop, fd, server->tls, &events, c, &c->conn, NULL) != LEAT_OK) {
        leat_free(c);
        __atomic_sub_fetch(server->count, 1, __ATOMIC_RELAXED);
        return;
    }
    leat_list_push(&server->connections, &c->link);
    if (session_open(c) != LEAT_OK) {
        c->closing = true;
        leat_conn_close(c->conn);
    } else if (!server->tls) {
        wake(c);
    } else {
        arm(c);
    }
}

void leat_grpc_server_adopt(struct leat_grpc_server *server, int fd)
{
    uint32_t max = server->service.limits.connections_max;
    uint32_t open = __atomic_add_fetch(server->count, 1, __ATOMIC_RELAXED);
    if ((max && open > max) || server->draining || server->closing) {
        leat_count(LEAT_COUNT_H2_CONNECTION_LIMIT, 1);
        __atomic_sub_fetch(server->count, 1, __ATOMIC_RELAXED);
        (void)close(fd);
        return;
    }
    open_connection(server, fd);
}

/* ---- life ---- */

leat_rc leat_grpc_server_open(struct leat_loop *loop, const struct leat_grpc_server_limits *limits,
                              struct leat_tls *tls, const struct leat_grpc_handler *handler, void *ctx,
                              struct leat_grpc_server **ret_server, struct leat_err *reterr)
{
    struct leat_grpc_server *server = leat_zalloc(1, sizeof *server);
    if (!server)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "gRPC server: out of memory");
    server->loop = loop;
    server->tls = tls ? leat_tls_ref(tls) : NULL;
    leat_h2__service_init(&server->service, limits, handler, ctx);
    server->count = limits->connections ? limits->connections : &server->own_count;
    leat_list_init(&server->connections);
    leat_task_init(&server->tell_drained, tell_drained, server);
    *ret_server = server;
    return LEAT_OK;
}

void leat_grpc_server_drain(struct leat_grpc_server *server, void (*drained)(void *ctx), void *ctx)
{
    server->draining = true;
    server->drained = drained;
    server->drained_ctx = ctx;
    if (leat_list_empty(&server->connections))
        leat_loop_defer(server->loop, &server->tell_drained);
    LEAT_LIST_EACH (link, &server->connections) {
        struct connection *c = LEAT_CONTAINER(link, struct connection, link);
        if (!c->closing)
            leat_h2__server_drain(c->h2, now_ns(c));
    }
}

void leat_grpc_server_close(struct leat_grpc_server *server)
{
    if (!server || server->closing)
        return;
    server->closing = true;
    server->drained = NULL;
    LEAT_LIST_EACH (link, &server->connections) {
        struct connection *c = LEAT_CONTAINER(link, struct connection, link);
        c->closing = true;
        leat_timer_stop(server->loop, &c->timer);
        leat_h2__server_forget(c->h2);
        leat_conn_close(c->conn);
    }
    free_if_done(server);
}
