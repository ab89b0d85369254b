/* SPDX-License-Identifier: Apache-2.0 */
/* conn -- a byte stream that is plain or TLS; the same callbacks as agent/loop/stream.h either way.
 *
 * Why      HTTP/1.1 and HTTP/2, client and server, are written once against this.
 * Threads  the loop's own.
 * Owns     as a stream: `closed` comes exactly once and is the end. With TLS, `opened` follows the handshake (10 s at
 *          most), on both sides; without TLS an adopted connection is open at once and gets no `opened`.
 * Fails    LEAT_ETLS in `closed` with OpenSSL's reason, counted. */
#pragma once
#include "agent/loop/stream.h"
#include "agent/net/tls.h"

struct leat_conn;

leat_rc leat_conn_connect(struct leat_loop *loop, const char *address, uint32_t skip, struct leat_tls *tls,
                          const char *server_name, const struct leat_stream_events *events, void *ctx,
                          struct leat_conn **ret_conn, struct leat_err *reterr) LEAT_MUST_CHECK;
/* The same through a proxy, http://[user:password@]host:port, which is asked to CONNECT to `target` (host:port; it
 * resolves the name). How long that may take is the caller's to watch. */
leat_rc leat_conn_connect_through(struct leat_loop *loop, const char *proxy_url, const char *target,
                                  struct leat_tls *tls, const char *server_name,
                                  const struct leat_stream_events *events, void *ctx, struct leat_conn **ret_conn,
                                  struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_conn_adopt(struct leat_loop *loop, int fd, struct leat_tls *tls, const struct leat_stream_events *events,
                        void *ctx, struct leat_conn **ret_conn, struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_conn_write(struct leat_conn *conn, struct leat_chain *chain) LEAT_MUST_CHECK; /* takes it, also on failure */
uint64_t leat_conn_unsent(const struct leat_conn *conn);
void leat_conn_pause(struct leat_conn *conn);
void leat_conn_resume(struct leat_conn *conn);
void leat_conn_close(struct leat_conn *conn);
void leat_conn_close_flushed(struct leat_conn *conn);
const char *leat_conn_peer(const struct leat_conn *conn);
const char *leat_conn_alpn(const struct leat_conn *conn); /* "" when none was agreed */
bool leat_conn_encrypted(const struct leat_conn *conn);
