/* SPDX-License-Identifier: Apache-2.0 */
/* http1_conn -- one connection of the HTTP/1.1 server and the one exchange it carries at a time; private to agent/net.
 *
 * Limits   between requests it holds no page, no body and no head. */
#pragma once
#include "agent/base/gather.h"
#include "agent/base/list.h"
#include "agent/net/conn.h"
#include "agent/net/http1_body.h"
#include "agent/net/http1_head.h"
#include "agent/net/http1_server.h"

struct leat_http1_server {
    struct leat_loop *loop;
    struct leat_http1_limits limits;
    struct leat_http1_handler handler;
    void *ctx;
    struct leat_tls *tls;
    struct leat_list conns;
    uint32_t own_connections;
    bool draining, closing;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct leat_task ended;
};

enum leat_http1_phase {
    LEAT_HTTP1_IDLE,   /* between requests */
    LEAT_HTTP1_HEAD,   /* some bytes of a head are there */
    LEAT_HTTP1_BODY,
    LEAT_HTTP1_HANDLED, /* the handler has it; nothing is read */
    LEAT_HTTP1_SENDING, /* replied, not all of it has left */
    LEAT_HTTP1_LINGER,  /* refused: what the client still sends is thrown away for a moment, so that it reads why */
    LEAT_HTTP1_DEAD,
};

struct leat_http1_exchange {
    struct leat_http1_server *server;
    struct leat_list link;
    struct leat_conn *conn;
    enum leat_http1_phase phase;
    bool busy;       /* inside feed: it goes on by itself */
    bool told;       /* the handler knows of this exchange and has not replied */
    bool paused, last, body_whole;
    struct leat_slice rest;    /* read, not yet looked at; owns a reference */
    struct leat_mem *head_mem; /* what the request's slices point into */
    struct leat_mem *list_mem; /* the header list */
    uint32_t head_len;         /* bytes of an unfinished head in head_mem */
    uint32_t linger_bytes;
    struct leat_http1_scan scan;
    struct leat_http1_head head;
    struct leat_http1_request request;
    struct leat_http1_body framing;
    struct leat_chain body;
    struct leat_gather gather; /* of pieces of the body too small for a slice each */
    uint64_t body_bytes_max, rate_bytes; /* rate_bytes: seen at the start of the window */
    uint64_t deadline_ns, body_deadline_ns; /* 0: none */
    struct leat_timer timer;
    struct leat_task go_on;
    void *own;
};

leat_rc leat_http1__conn_open(struct leat_http1_server *server, int fd) LEAT_MUST_CHECK;
void leat_http1__conn_drain(struct leat_http1_exchange *exchange);
void leat_http1__conn_abort(struct leat_http1_exchange *exchange);
void leat_http1__server_left(struct leat_http1_server *server);
void leat_http1__server_ended(struct leat_task *task);

/* Between http1_conn.c (phases) and http1_conn_read.c (bytes to requests). */
void leat_http1__conn_feed(struct leat_http1_exchange *exchange);
void leat_http1__conn_deadline(struct leat_http1_exchange *exchange, uint64_t after_ns); /* 0: none */
void leat_http1__conn_refuse(struct leat_http1_exchange *exchange, int status);
void leat_http1__conn_say_continue(struct leat_http1_exchange *exchange);
void leat_http1__conn_kill(struct leat_http1_exchange *exchange);
