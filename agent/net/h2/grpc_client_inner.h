/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_client_inner -- what grpc_client.c and grpc_client_peer.c share; private to agent/net/h2. */
#pragma once
#include "agent/net/conn.h"
#include "agent/net/h2/h2_client.h"

enum leat_grpc__state { LEAT_GRPC_IDLE, LEAT_GRPC_CONNECTING, LEAT_GRPC_OPEN, LEAT_GRPC_LEAVING };

/* One address and, at most, one connection to it. */
struct leat_grpc__peer {
    struct leat_list link; /* client->peers */
    struct leat_grpc_client *client;
    char *address;
    enum leat_grpc__state state;
    struct leat_conn *conn; /* until its `closed` */
    struct leat_h2_client *h2;
    struct leat_task flush;
    struct leat_timer timer; /* connecting: the deadline; then keepalive */
    uint64_t opened_ns;
    bool unlisted; /* the name does not mean it any more: its last calls end, then it goes */
    uint64_t backoff_ns, retry_at_ns;
    uint32_t skip;       /* which address of the name comes first */
    struct leat_err why; /* our own reason for an end */
};

struct leat_grpc_client {
    struct leat_loop *loop;
    struct leat_grpc_client_opts opts; /* strings are our copies */
    struct leat_list peers, waiting, doomed;
    struct leat_grpc__peer *next; /* whose turn it is */
    struct leat_task turn;
    struct leat_timer retry; /* runs while connecting must wait */
    struct leat_resolve *resolving;
    bool stale;                         /* look the name up before connecting */
    uint64_t backoff_ns, resolve_at_ns; /* of look-ups */
    struct leat_err last;               /* of connecting */
    char *server_name;                  /* for TLS */
    bool closing;
};

leat_rc leat_grpc__peer_new(struct leat_grpc_client *client, const char *address,
                            struct leat_grpc__peer **ret_peer) LEAT_MUST_CHECK;
void leat_grpc__peer_free(struct leat_grpc__peer *peer); /* without connection */
void leat_grpc__peer_connect(struct leat_grpc__peer *peer);
/* Its calls end now with `why`; the connection's `closed` follows. */
void leat_grpc__peer_close(struct leat_grpc__peer *peer, const struct leat_err *why);
/* Told by a peer. */
void leat_grpc__client_finished(void *ctx, struct leat_grpc_out *out, const struct leat_h2_outcome *outcome);
void leat_grpc__client_opened(struct leat_grpc_client *client);
void leat_grpc__client_lost(struct leat_grpc__peer *peer, const struct leat_err *why, bool was_open);
/* grpc_client_target.c: which addresses there are, and when to connect to them. */
bool leat_grpc__client_spreads(const struct leat_grpc_client *client); /* one connection for each address */
void leat_grpc__client_connect(struct leat_grpc_client *client);
uint32_t leat_grpc__client_count(const struct leat_grpc_client *client, enum leat_grpc__state state);
void leat_grpc__back_off(struct leat_grpc_client *client, uint64_t *backoff_ns, uint64_t *at_ns);
void leat_grpc__client_no_way(struct leat_grpc_client *client,
                              const struct leat_err *why); /* ends what waits, if nothing may help it */
void leat_grpc__client_need_turn(struct leat_grpc_client *client);
