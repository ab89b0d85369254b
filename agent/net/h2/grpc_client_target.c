/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's address means: one peer, or one for each address of the name (round_robin), looked up anew after a
 * connection was lost. */
#include "agent/loop/resolve.h"
#include "agent/net/h2/grpc_client_inner.h"

#define BACKOFF_FIRST_NS 200000000ull
#define BACKOFF_MAX_NS 10000000000ull
#define RESOLVE_AGAIN_NS 5000000000ull
#define PEERS_MAX 32u

bool leat_grpc__client_spreads(const struct leat_grpc_client *client)
{
    return client->opts.round_robin && !client->opts.proxy && strncmp(client->opts.address, "unix:", 5) != 0;
}

uint32_t leat_grpc__client_count(const struct leat_grpc_client *client, enum leat_grpc__state state)
{
    uint32_t n = 0;
    LEAT_LIST_EACH (link, &client->peers)
        n += LEAT_CONTAINER(link, struct leat_grpc__peer, link)->state == state;
    return n;
}

/* ---- waiting ---- */

static void ring_at(struct leat_grpc_client *client, uint64_t at_ns)
{
    uint64_t now = leat_loop_now_ns(client->loop);
    if (!leat_timer_runs(&client->retry) || client->retry.due_ns > at_ns)
        leat_timer_start(client->loop, &client->retry, at_ns > now ? at_ns - now : 0);
}

/* A fifth more or less, so that clients that lost one server together do not come back together. */
void leat_grpc__back_off(struct leat_grpc_client *client, uint64_t *backoff_ns, uint64_t *at_ns)
{
    struct leat_world *world = leat_loop_world(client->loop);
    uint64_t next = *backoff_ns ? *backoff_ns * 8 / 5 : BACKOFF_FIRST_NS;
    *backoff_ns = next < BACKOFF_MAX_NS ? next : BACKOFF_MAX_NS;
    uint64_t fifth = *backoff_ns / 5;
    *at_ns = leat_loop_now_ns(client->loop) + *backoff_ns - fifth + world->random(world) % (2 * fifth);
}

/* ---- names ---- */

static struct leat_grpc__peer *peer_at(struct leat_grpc_client *client, const char *address)
{
    LEAT_LIST_EACH (link, &client->peers) {
        struct leat_grpc__peer *peer = LEAT_CONTAINER(link, struct leat_grpc__peer, link);
        if (strcmp(peer->address, address) == 0)
            return peer;
    }
    return NULL;
}

static void unlist_all(struct leat_grpc_client *client)
{
    LEAT_LIST_EACH (link, &client->peers)
        LEAT_CONTAINER(link, struct leat_grpc__peer, link)->unlisted = true;
}

static void let_go_of_unlisted(struct leat_grpc_client *client)
{
    LEAT_LIST_EACH (link, &client->peers) {
        struct leat_grpc__peer *peer = LEAT_CONTAINER(link, struct leat_grpc__peer, link);
        if (peer->unlisted && !peer->conn)
            leat_grpc__peer_free(peer);
        else if (peer->unlisted)
            leat_loop_defer(client->loop, &peer->flush); /* ends when its calls did */
    }
}

static void take_addresses(struct leat_grpc_client *client, const char *const *addresses, uint32_t count)
{
    unlist_all(client);
    for (uint32_t i = 0; i < count && i < PEERS_MAX; i++) {
        struct leat_grpc__peer *peer = peer_at(client, addresses[i]);
        if (!peer && leat_grpc__peer_new(client, addresses[i], &peer) != LEAT_OK)
            continue; /* the others serve; the next look-up tries again */
        peer->unlisted = false;
    }
    let_go_of_unlisted(client);
}

static void look_up_failed(struct leat_grpc_client *client, const struct leat_err *why)
{
    leat_grpc__back_off(client, &client->backoff_ns, &client->resolve_at_ns);
    leat_grpc__client_no_way(client, why);
    leat_grpc__client_need_turn(client);
}

static void found(void *ctx, const char *const *addresses, uint32_t count, const struct leat_err *err)
{
    struct leat_grpc_client *client = ctx;
    client->resolving = NULL;
    if (count == 0) {
        look_up_failed(client, err);
        return;
    }
    take_addresses(client, addresses, count);
    client->stale = false;
    client->backoff_ns = 0;
    client->resolve_at_ns = leat_loop_now_ns(client->loop) + RESOLVE_AGAIN_NS;
    leat_grpc__client_need_turn(client);
}

static void look_up(struct leat_grpc_client *client)
{
    struct leat_err err = {0};
    if (leat_resolve_open(client->loop, client->opts.address, found, client, &client->resolving, &err) != LEAT_OK) {
        client->resolving = NULL;
        look_up_failed(client, &err);
    }
}

/* ---- connecting ---- */

static void connect_idle(struct leat_grpc_client *client)
{
    uint64_t now = leat_loop_now_ns(client->loop);
    LEAT_LIST_EACH (link, &client->peers) {
        struct leat_grpc__peer *peer = LEAT_CONTAINER(link, struct leat_grpc__peer, link);
        if (peer->state != LEAT_GRPC_IDLE || peer->unlisted || client->closing)
            continue;
        if (peer->retry_at_ns > now)
            ring_at(client, peer->retry_at_ns);
        else
            leat_grpc__peer_connect(peer);
    }
}

void leat_grpc__client_connect(struct leat_grpc_client *client)
{
    if (leat_grpc__client_spreads(client) && client->stale && !client->resolving) {
        if (client->resolve_at_ns > leat_loop_now_ns(client->loop))
            ring_at(client, client->resolve_at_ns);
        else
            look_up(client);
    }
    connect_idle(client);
}
