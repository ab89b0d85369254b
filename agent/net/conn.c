/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/conn.h"

#include "agent/base/alloc.h"
#include "agent/net/conn_inner.h"

/* ---- plain: the stream's events, passed on ---- */

static void plain_opened(void *ctx)
{
    struct leat_conn *conn = ctx;
    if (conn->events.opened)
        conn->events.opened(conn->ctx);
}

static void plain_bytes(void *ctx, struct leat_slice bytes)
{
    struct leat_conn *conn = ctx;
    conn->events.bytes(conn->ctx, bytes);
}

static void plain_drained(void *ctx)
{
    struct leat_conn *conn = ctx;
    if (conn->events.drained)
        conn->events.drained(conn->ctx);
}

static void plain_closed(void *ctx, const struct leat_err *why)
{
    struct leat_conn *conn = ctx;
    conn->events.closed(conn->ctx, why);
    leat_free(conn);
}

const struct leat_stream_events leat_conn__plain_events = {
    .opened = plain_opened, .bytes = plain_bytes, .drained = plain_drained, .closed = plain_closed};

/* ---- life ---- */

static struct leat_conn *conn_new(struct leat_loop *loop, struct leat_tls *tls, const struct leat_stream_events *events,
                                  void *ctx)
{
    struct leat_conn *conn = leat_zalloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->loop = loop;
    conn->events = *events;
    conn->ctx = ctx;
    if (tls)
        leat_tls_refresh(tls, leat_loop_now_ns(loop));
    return conn;
}

leat_rc leat_conn_connect(struct leat_loop *loop, const char *address, uint32_t skip, struct leat_tls *tls,
                          const char *server_name, const struct leat_stream_events *events, void *ctx,
                          struct leat_conn **ret_conn, struct leat_err *reterr)
{
    struct leat_conn *conn = conn_new(loop, tls, events, ctx);
    if (!conn)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "connect: out of memory");
    leat_rc rc = tls ? leat_conn__secure(conn, tls, LEAT_TLS_CLIENT, server_name, reterr) : LEAT_OK;
    if (rc == LEAT_OK)
        rc = leat_stream_connect(loop, address, skip, tls ? &leat_conn__tls_events : &leat_conn__plain_events, conn,
                                 &conn->stream, reterr);
    if (rc != LEAT_OK) {
        leat_conn__unsecure(conn);
        leat_free(conn);
        return rc;
    }
    leat_conn__secured(conn);
    *ret_conn = conn;
    return LEAT_OK;
}

leat_rc leat_conn_adopt(struct leat_loop *loop, int fd, struct leat_tls *tls, const struct leat_stream_events *events,
                        void *ctx, struct leat_conn **ret_conn, struct leat_err *reterr)
{
    struct leat_conn *conn = conn_new(loop, tls, events, ctx);
    leat_rc rc = conn ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "accept: out of memory");
    if (rc == LEAT_OK && tls)
        rc = leat_conn__secure(conn, tls, LEAT_TLS_SERVER, NULL, reterr);
    if (rc != LEAT_OK) {
        leat_socket_drop(fd);
        leat_free(conn);
        return rc;
    }
    rc = leat_stream_adopt(loop, fd, tls ? &leat_conn__tls_events : &leat_conn__plain_events, conn, &conn->stream,
                           reterr);
    if (rc != LEAT_OK) {
        leat_conn__unsecure(conn);
        leat_free(conn);
        return rc;
    }
    leat_conn__secured(conn);
    *ret_conn = conn;
    return LEAT_OK;
}

/* ---- use ---- */

leat_rc leat_conn_write(struct leat_conn *conn, struct leat_chain *chain)
{
    return conn->tls ? leat_conn__tls_write(conn, chain) : leat_stream_write(conn->stream, chain);
}

uint64_t leat_conn_unsent(const struct leat_conn *conn)
{
    return leat_stream_unsent(conn->stream) + (conn->tls ? leat_conn__tls_waiting(conn) : 0);
}

void leat_conn_pause(struct leat_conn *conn)
{
    if (conn->tls)
        leat_conn__tls_pause(conn, true);
    leat_stream_pause(conn->stream);
}

void leat_conn_resume(struct leat_conn *conn)
{
    if (conn->tls)
        leat_conn__tls_pause(conn, false);
    leat_stream_resume(conn->stream);
}

void leat_conn_close(struct leat_conn *conn)
{
    if (conn->tls)
        leat_conn__tls_shut(conn, false);
    leat_stream_close(conn->stream);
}

void leat_conn_close_flushed(struct leat_conn *conn)
{
    if (conn->tls)
        leat_conn__tls_shut(conn, true);
    leat_stream_close_flushed(conn->stream);
}

const char *leat_conn_peer(const struct leat_conn *conn)
{
    return leat_stream_peer(conn->stream);
}
const char *leat_conn_alpn(const struct leat_conn *conn)
{
    return conn->tls ? leat_conn__tls_alpn(conn) : "";
}
bool leat_conn_encrypted(const struct leat_conn *conn)
{
    return conn->tls != NULL;
}
