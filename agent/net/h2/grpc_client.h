/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_client -- unary gRPC calls to one target over nghttp2, on one or more connections.
 *
 * Why      carriers send encoded batches; the message's slices go to the socket as they are, behind 9-byte frame heads.
 * Threads  one shard's.
 * Owns     as http1_client: the call struct is the caller's until `done`, which comes exactly once and never from inside
 *          _send; the message is shared by reference.
 * Limits   streams per connection as the peer allows (calls wait in order); responses up to response_bytes_max.
 * Fails    done(call, NULL, err) for transport errors (LEAT_ENET, LEAT_ETIMEOUT, LEAT_ETLS, LEAT_ECANCELED, ...); a status
 *          from the peer, also a bad one, comes as `status`. An HTTP error without grpc-status is mapped to a code. */
#pragma once
#include "agent/loop/loop.h"
#include "agent/net/h2/grpc.h"

struct leat_grpc_client;

struct leat_grpc_client_opts {
    const char *address;   /* host:port or unix:/path; every address it resolves to is used in turn (round_robin) */
    const char *authority; /* :authority and TLS server name */
    const char *proxy;     /* NULL, or http://[user:pass@]host:port for CONNECT */
    struct leat_tls *tls;
    const char *user_agent;
    bool round_robin;      /* one connection per resolved address; else the first that works */
    uint64_t connect_ns_max, keepalive_ns, keepalive_timeout_ns;
    bool keepalive_without_stream;
    uint32_t response_bytes_max;
};

struct leat_grpc_out {
    struct leat_slice path;
    struct leat_headers headers;      /* metadata, lower-case names; borrowed until done */
    const struct leat_chain *message; /* borrowed until done; already compressed when coding says so */
    enum leat_coding coding;
    uint64_t timeout_ns; /* also sent as grpc-timeout */
    void (*done)(struct leat_grpc_out *call, const struct leat_grpc_status *status, struct leat_slice response,
                 const struct leat_err *err);
    void *ctx;
    bool sent;
    bool again; /* the client's: the peer refused it unprocessed, once; it was sent once more */
    struct leat_list link; /* the client's from here */
    struct leat_timer timer;
    void *stream;
};

leat_rc leat_grpc_client_open(struct leat_loop *loop, const struct leat_grpc_client_opts *opts,
                              struct leat_grpc_client **ret_client, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_grpc_client_send(struct leat_grpc_client *client, struct leat_grpc_out *call);
void leat_grpc_client_cancel(struct leat_grpc_client *client, struct leat_grpc_out *call); /* done follows */
void leat_grpc_client_close(struct leat_grpc_client *client);
