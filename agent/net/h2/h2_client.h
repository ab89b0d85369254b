/* SPDX-License-Identifier: Apache-2.0 */
/* h2_client -- the calling side of one connection, on bytes alone; private to agent/net/h2.
 *
 * Rule     grpc-status alone decides what became of a call; of an OK whose message cannot be read, status.message says why.
 * Threads  one shard's; time comes with each call.
 * Owns     its streams; the calls (leat_grpc_out) stay their caller's, and each that was started is told `finished`
 *          once, unless it was dropped.
 * Fails    h2.ended: write h2.out, then close; then leat_h2__client_close with the reason. */
#pragma once
#include "agent/net/h2/grpc_client.h"
#include "agent/net/h2/h2_session.h"

enum leat_h2_end {
    LEAT_H2_ANSWERED,    /* status (and response) hold */
    LEAT_H2_UNPROCESSED, /* the peer says it did nothing with it */
    LEAT_H2_BROKEN,      /* err holds */
};

struct leat_h2_outcome {
    enum leat_h2_end end;
    struct leat_grpc_status status;
    struct leat_slice response;
    const struct leat_err *err;
};

struct leat_h2_call {
    struct leat_h2_stream h2;  /* first */
    struct leat_grpc_out *out; /* NULL: given up */
    int http_status;
    bool is_grpc;
    enum leat_coding coding; /* of the answer; the trailers take the place of the head it stood in */
    const char *unreadable; /* why its message is not looked at; NULL: it is */
};

struct leat_h2_client {
    struct leat_h2_session h2; /* first */
    struct leat_h2_conf conf;
    uint32_t response_bytes_max;
    bool goaway, too_many_pings;
    const char *scheme, *authority, *user_agent;
    void (*finished)(void *ctx, struct leat_grpc_out *out, const struct leat_h2_outcome *outcome);
    void *ctx;
};

leat_rc leat_h2__client_open(const struct leat_grpc_client_opts *opts, uint64_t now_ns,
                             struct leat_h2_client **ret_client) LEAT_MUST_CHECK;
/* Every call that is open ends as broken, with `why`. */
void leat_h2__client_break(struct leat_h2_client *client, const struct leat_err *why); /* the first half of close */
struct leat_h2_client *leat_h2__client_close(struct leat_h2_client *client, const struct leat_err *why);
bool leat_h2__client_has_room(const struct leat_h2_client *client);
leat_rc leat_h2__client_start(struct leat_h2_client *client, struct leat_grpc_out *out) LEAT_MUST_CHECK;
void leat_h2__client_drop(struct leat_grpc_out *out); /* RST_STREAM CANCEL; no `finished` */
