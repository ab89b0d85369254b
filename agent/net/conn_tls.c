/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/conn_inner.h"

const struct leat_stream_events leat_conn__tls_events = {0};
leat_rc leat_conn__secure(struct leat_conn *conn, struct leat_tls *tls, enum leat_tls_side side,
                          const char *server_name, struct leat_err *reterr)
{
    (void)conn, (void)tls, (void)side, (void)server_name;
    return LEAT_RAISE(reterr, LEAT_EUNSUPPORTED, 0, "TLS");
}
void leat_conn__unsecure(struct leat_conn *conn) { (void)conn; }
void leat_conn__secured(struct leat_conn *conn) { (void)conn; }
leat_rc leat_conn__tls_write(struct leat_conn *conn, struct leat_chain *chain)
{
    (void)conn;
    leat_chain_done(chain);
    return LEAT_ENET;
}
uint64_t leat_conn__tls_waiting(const struct leat_conn *conn) { return conn->tls ? 0 : 0; }
void leat_conn__tls_pause(struct leat_conn *conn, bool paused) { (void)conn, (void)paused; }
void leat_conn__tls_shut(struct leat_conn *conn) { (void)conn; }
const char *leat_conn__tls_alpn(const struct leat_conn *conn) { return conn->tls ? "" : ""; }
