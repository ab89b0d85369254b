/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_server -- unary gRPC calls on one shard, over nghttp2.
 *
 * Why      the message reaches the handler as slices of the pages its DATA frames were read into, never copied.
 * Threads  one shard's; a listener elsewhere deals it accepted sockets.
 * Owns     a call is the server's; the handler may keep the pointer until it replies (once) or is told `gone`. Work for a
 *          dead stream is never handed on: a stream that is reset before its message ended reaches no handler.
 * Limits   every field of leat_grpc_server_limits; each breach is counted (counters.def).
 * Fails    protocol errors end the stream or the connection as RFC 9113 says; oversize messages answer
 *          RESOURCE_EXHAUSTED, unknown methods UNIMPLEMENTED; the connection and its other streams go on. */
#pragma once
#include "agent/loop/loop.h"
#include "agent/net/h2/grpc.h"

struct leat_grpc_server;
struct leat_grpc_call;

/* 0 takes the default named beside a limit. */
struct leat_grpc_server_limits {
    uint32_t message_bytes_max;     /* as received; the cap after decompression is the handler's */
    uint32_t streams_max;           /* concurrent, a connection */
    uint32_t header_bytes_max;      /* decoded header list; 64 KiB */
    uint32_t *connections;          /* shared count over shards, atomic; NULL: own */
    uint32_t connections_max;
    uint32_t glitches_max;          /* frames that break rules or waste work: budget a connection, refilled by glitch_rate/s; 10000 */
    uint32_t glitch_rate;           /* 330 */
    uint32_t resets_burst, resets_rate; /* stream resets, both sides'; 1000, and 33/s */
    uint32_t partial_bytes_max;     /* of unfinished messages, a connection; 64 MiB; beyond it calls are UNAVAILABLE */
    uint32_t unsent_bytes_max;      /* answers the peer does not read; 4 MiB */
    uint64_t unsent_ns_max;         /* no byte of them leaves for so long; 30 s */
    uint64_t preface_ns_max;        /* first bytes to end of SETTINGS: 10 s */
    uint64_t idle_ns_max, age_ns_max, age_grace_ns; /* 0: none */
    uint64_t ping_after_ns, ping_timeout_ns, ping_min_interval_ns;
    bool ping_without_stream;
};

struct leat_grpc_incoming {
    struct leat_slice path;      /* "/package.Service/Method" */
    struct leat_headers headers; /* without pseudo-headers; valid until the reply */
    enum leat_coding coding;     /* of the message: its compressed flag and grpc-encoding together */
    uint64_t timeout_ns;         /* by grpc-timeout; 0: none */
    const char *peer;
    bool encrypted;
};

struct leat_grpc_handler {
    /* The head is in: 0 to go on, or a grpc code to refuse at once (message in *ret_message, static). */
    int (*head)(void *ctx, const struct leat_grpc_incoming *incoming, const char **ret_message);
    /* The whole message; the handler may move the bytes out of `message`. */
    void (*call)(void *ctx, struct leat_grpc_call *call, const struct leat_grpc_incoming *incoming,
                 struct leat_chain *message);
    void (*gone)(void *ctx, struct leat_grpc_call *call); /* reset before the reply: forget it */
};

leat_rc leat_grpc_server_open(struct leat_loop *loop, const struct leat_grpc_server_limits *limits, struct leat_tls *tls,
                              const struct leat_grpc_handler *handler, void *ctx,
                              struct leat_grpc_server **ret_server, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_grpc_server_adopt(struct leat_grpc_server *server, int fd);
/* OK with an (uncompressed) response message, which is taken; or an error: status with text and optional details
 * (a serialized google.rpc.Status, base64 is done here). */
void leat_grpc_reply(struct leat_grpc_call *call, struct leat_chain *message);
void leat_grpc_reply_error(struct leat_grpc_call *call, int code, struct leat_slice text, struct leat_slice details);
void leat_grpc_call_set(struct leat_grpc_call *call, void *own);
void *leat_grpc_call_get(const struct leat_grpc_call *call);
/* GOAWAY, streams finish, then `drained`. */
void leat_grpc_server_drain(struct leat_grpc_server *server, void (*drained)(void *ctx), void *ctx);
void leat_grpc_server_close(struct leat_grpc_server *server);
