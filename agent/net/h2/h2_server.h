/* SPDX-License-Identifier: Apache-2.0 */
/* h2_server -- the serving side of one connection, on bytes alone; private to agent/net/h2.
 *
 * Why      all of gRPC's rules for a server are here, so that tests and the fuzzer need no socket.
 * Threads  one shard's; time comes with each call.
 * Owns     its calls. A whole message reaches the handler only after the bytes read with it are parsed to their end: a
 *          call that is reset in the same breath is never handed on.
 * Limits   leat_grpc_server_limits.
 * Fails    h2.ended: write h2.out, then close. */
#pragma once
#include "agent/net/h2/grpc_server.h"
#include "agent/net/h2/h2_session.h"

struct leat_grpc_call {
    struct leat_h2_stream h2; /* first */
    struct leat_h2_server *server;
    struct leat_grpc_incoming incoming;
    enum leat_coding coding; /* by grpc-encoding */
    bool headed, delivered, replied;
    struct leat_list ready; /* server->ready while whole and not handed over */
    struct leat_chain answer;
    uint64_t answer_bytes;
    void *own;
};

/* What the connections of one server share. */
struct leat_h2_service {
    struct leat_grpc_server_limits limits;
    struct leat_h2_conf conf; /* made of the limits */
    const struct leat_grpc_handler *handler;
    void *ctx;
    struct leat_list spare; /* calls to be used again */
    uint32_t spare_count;
};
void leat_h2__service_init(struct leat_h2_service *service, const struct leat_grpc_server_limits *limits,
                           const struct leat_grpc_handler *handler, void *ctx);
void leat_h2__service_done(struct leat_h2_service *service);

struct leat_h2_server {
    struct leat_h2_session h2; /* first */
    struct leat_h2_service *service;
    const char *peer;
    bool encrypted, told_last; /* told_last: the final GOAWAY is out */
    struct leat_list ready;
    uint64_t opened_ns, age_ns, idle_since_ns, draining_ns;
    uint64_t last_ping_ns;
    uint32_t strikes;
    uint64_t partial_bytes, answer_bytes; /* of unfinished requests, of unfinished answers */
    uint64_t taken_bytes, left_bytes;     /* taken from h2.out, and of those left the process */
    uint64_t stalled_since_ns;            /* nothing leaves although something waits; 0: all is well */
};

leat_rc leat_h2__server_open(struct leat_h2_service *service, const char *peer, bool encrypted, uint64_t now_ns,
                             struct leat_h2_server **ret_server) LEAT_MUST_CHECK;
struct leat_h2_server *leat_h2__server_close(struct leat_h2_server *server); /* NULL; handlers get `gone` */
void leat_h2__server_forget(struct leat_h2_server *server); /* handlers get `gone` now; the rest at close */
void leat_h2__server_feed(struct leat_h2_server *server, struct leat_slice bytes, uint64_t now_ns);
/* Frames that are due go to h2.out; `unsent` is what the socket did not take yet. */
void leat_h2__server_pump(struct leat_h2_server *server, uint64_t unsent, uint64_t now_ns);
void leat_h2__server_taken(struct leat_h2_server *server, uint64_t bytes); /* h2.out went to the socket */
void leat_h2__server_tick(struct leat_h2_server *server, uint64_t now_ns);
uint64_t leat_h2__server_due_ns(const struct leat_h2_server *server);
void leat_h2__server_drain(struct leat_h2_server *server, uint64_t now_ns);
void leat_h2__server_ping(struct leat_h2_session *session, bool is_ack, const uint8_t opaque[8]);
