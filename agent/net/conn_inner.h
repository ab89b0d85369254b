/* SPDX-License-Identifier: Apache-2.0 */
/* conn_inner -- what conn.c, conn_tls.c and conn_tunnel.c share; private to agent/net. */
#pragma once
#include "agent/net/conn.h"

struct leat_conn_tls;

struct leat_conn {
    struct leat_loop *loop;
    struct leat_stream *stream;
    struct leat_stream_events events;
    void *ctx;
    struct leat_conn_tls *tls; /* NULL: plain */
};

extern const struct leat_stream_events leat_conn__plain_events, leat_conn__tls_events;
leat_rc leat_conn__secure(struct leat_conn *conn, struct leat_tls *tls, enum leat_tls_side side,
                          const char *server_name, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_conn__unsecure(struct leat_conn *conn); /* no-op on a plain one */
void leat_conn__secured(struct leat_conn *conn);  /* the stream is there: the handshake's time begins */
leat_rc leat_conn__tls_write(struct leat_conn *conn, struct leat_chain *chain) LEAT_MUST_CHECK;
uint64_t leat_conn__tls_waiting(const struct leat_conn *conn);
void leat_conn__tls_pause(struct leat_conn *conn, bool paused);
void leat_conn__tls_shut(struct leat_conn *conn, bool flushed); /* says goodbye */
const char *leat_conn__tls_alpn(const struct leat_conn *conn);
