/* SPDX-License-Identifier: Apache-2.0 */
/* http1_server -- HTTP/1.1 requests on one shard, strictly by RFC 9112.
 *
 * Why      receivers and extensions answer requests; the body reaches them as slices of the pages it was read into.
 * Threads  one shard's; a listener elsewhere deals it accepted sockets (leat_http1_server_adopt).
 * Owns     an exchange is the server's; the handler may keep the pointer until it replies (exactly once) or is told
 *          `gone`. Request slices live until the reply.
 * Limits   every field of leat_http1_limits, each with a counter in counters.def. While a reply is pending nothing more
 *          is read from that connection.
 * Fails    protocol errors are answered (400, 408, 413, 414, 431, 501, 505) and counted here; handlers never see them. */
#pragma once
#include "agent/loop/loop.h"
#include "agent/net/http.h"

struct leat_http1_server;
struct leat_http1_exchange;

struct leat_http1_limits {
    uint64_t body_bytes_max;
    uint32_t head_bytes_max, header_count_max;
    uint32_t *connections;     /* shared count over shards, atomic; NULL: own count */
    uint32_t connections_max;
    uint64_t head_ns_max, idle_ns_max; /* 0: none */
    uint64_t body_ns_max;              /* the whole body, from head to end; 0: only the minimum rate holds */
    uint32_t body_rate_min;            /* bytes a second over 5 s windows; 0: none */
    uint64_t write_ns_max;             /* a reply that is not read */
    bool keep_alive;
};

struct leat_http1_request {
    struct leat_slice method, target; /* target as sent; path is before any '?' */
    struct leat_slice path, query;
    struct leat_headers headers;
    uint64_t content_length; /* UINT64_MAX: chunked */
    const char *peer;
    bool encrypted;
};

struct leat_http1_handler {
    /* The head is in, the body is not: answer 0 to go on (at most *body_bytes_max, preset to the limit, may be lowered),
     * or reply at once with leat_http1_reply and answer non-zero. */
    int (*head)(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                uint64_t *body_bytes_max);
    /* All is in. The body is the handler's to take from (moved out), before or after the reply. */
    void (*request)(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                    struct leat_chain *body);
    /* The client left before the reply: forget the exchange. */
    void (*gone)(void *ctx, struct leat_http1_exchange *exchange);
};

leat_rc leat_http1_server_open(struct leat_loop *loop, const struct leat_http1_limits *limits, struct leat_tls *tls,
                               const struct leat_http1_handler *handler, void *ctx,
                               struct leat_http1_server **ret_server, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_http1_server_adopt(struct leat_http1_server *server, int fd); /* takes the socket */
/* Content-Length and Connection are added to what is given. `body` is taken. */
void leat_http1_reply(struct leat_http1_exchange *exchange, int status, struct leat_headers headers,
                      struct leat_chain *body);
void leat_http1_exchange_set(struct leat_http1_exchange *exchange, void *own); /* the handler's word on it */
void *leat_http1_exchange_get(const struct leat_http1_exchange *exchange);
const struct leat_http1_request *leat_http1_exchange_request(const struct leat_http1_exchange *exchange); /* until the reply */
/* Stops: idle connections close at once, busy ones after their reply; `drained` when none is left. */
void leat_http1_server_drain(struct leat_http1_server *server, void (*drained)(void *ctx), void *ctx);
void leat_http1_server_close(struct leat_http1_server *server); /* at once; handlers get `gone` */
