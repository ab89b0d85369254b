/* SPDX-License-Identifier: Apache-2.0 */
/* http1_client -- HTTP/1.1 requests to one endpoint over kept-alive connections.
 *
 * Why      carriers send encoded batches; head and body leave in one gathered write, the body never copied.
 * Threads  one shard's.
 * Owns     a call is the caller's struct, in use from _send to its `done`, which comes exactly once and never from
 *          inside _send. The body is shared by reference: the caller keeps its chain for a retry.
 * Limits   connections_max at once (more calls wait in order); answers above response_bytes_max end the connection,
 *          unless the call takes its body piece by piece.
 * Fails    done(call, NULL reply, err): LEAT_ENET (with `sent` false when no byte of it can have been seen),
 *          LEAT_ETIMEOUT, LEAT_ETLS, LEAT_EPARSE, LEAT_ELIMIT, LEAT_ECANCELED. */
#pragma once
#include "agent/loop/loop.h"
#include "agent/net/http.h"

struct leat_http1_client;

struct leat_http1_client_opts {
    const char *address;     /* host:port to connect to, or unix:/path */
    const char *host;        /* Host header and TLS server name (without port for TLS) */
    const char *proxy;       /* NULL, or http://[user:pass@]host:port */
    struct leat_tls *tls;    /* NULL: plain; a reference is taken */
    uint32_t connections_max, idle_connections_max;
    uint64_t idle_ns_max, connect_ns_max;
    uint32_t response_bytes_max;
    bool keep_alive;
};

struct leat_http1_response {
    int status;
    struct leat_headers headers;
    struct leat_slice body; /* flat, at most response_bytes_max; valid during `done` */
};

struct leat_http1_call {
    const char *method;
    struct leat_slice target; /* "/v1/logs?x=y" */
    struct leat_headers headers; /* without Host, Content-Length, Connection; borrowed until done */
    const struct leat_chain *body; /* borrowed until done */
    uint64_t timeout_ns;           /* from send to done; 0: none */
    /* NULL: the body is gathered. Else it is handed on as it comes, each piece borrowed, the first one empty (head only);
     * response_bytes_max does not apply and response->body stays empty. False: enough, `done` follows (LEAT_ECANCELED). */
    bool (*on_body)(struct leat_http1_call *call, const struct leat_http1_response *head, struct leat_slice piece);
    void (*done)(struct leat_http1_call *call, const struct leat_http1_response *response, const struct leat_err *err);
    void *ctx;
    bool sent; /* set before done: at least one byte went to a connection */
    struct leat_list link; /* the client's from here */
    struct leat_timer timer;
    void *conn;
    bool retried; /* once, after a kept connection turned out to be dead */
};

leat_rc leat_http1_client_open(struct leat_loop *loop, const struct leat_http1_client_opts *opts,
                               struct leat_http1_client **ret_client, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_http1_client_send(struct leat_http1_client *client, struct leat_http1_call *call);
void leat_http1_client_cancel(struct leat_http1_client *client, struct leat_http1_call *call); /* done follows */
void leat_http1_client_close(struct leat_http1_client *client); /* every call ends with LEAT_ECANCELED, inside */
