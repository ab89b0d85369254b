/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a client: it connects, speaks, ends. */
#include "agent/base/alloc.h"
#include "agent/net/h2/grpc_client_inner.h"

#define CONNECT_NS_DEFAULT 20000000000ull
#define SHORT_LIFE_NS 1000000000ull /* a connection that ends so soon counts as one that failed */

static uint64_t now_ns(const struct leat_grpc__peer *peer)
{
    return leat_loop_now_ns(peer->client->loop);
}

static void end_connection(struct leat_grpc__peer *peer, bool flushed)
{
    if (peer->state == LEAT_GRPC_LEAVING)
        return;
    peer->state = LEAT_GRPC_LEAVING;
    leat_timer_stop(peer->client->loop, &peer->timer);
    if (flushed)
        leat_conn_close_flushed(peer->conn);
    else
        leat_conn_close(peer->conn);
}

/* ---- writing ---- */

static void arm(struct leat_grpc__peer *peer)
{
    uint64_t due = leat_h2__due_ns(&peer->h2->h2), now = now_ns(peer);
    if (due == UINT64_MAX || peer->state != LEAT_GRPC_OPEN ||
        (leat_timer_runs(&peer->timer) && peer->timer.due_ns <= due))
        return;
    leat_timer_start(peer->client->loop, &peer->timer, due > now ? due - now : 0);
}

static void settle(struct leat_grpc__peer *peer)
{
    if (peer->state != LEAT_GRPC_CONNECTING || !peer->h2->h2.settled)
        return;
    peer->state = LEAT_GRPC_OPEN;
    peer->opened_ns = now_ns(peer);
    peer->retry_at_ns = 0;
    leat_timer_stop(peer->client->loop, &peer->timer);
    leat_grpc__client_opened(peer->client);
}

static void flush(struct leat_task *task)
{
    struct leat_grpc__peer *peer = task->ctx;
    if (!peer->h2 || peer->state == LEAT_GRPC_LEAVING)
        return;
    struct leat_h2_session *h2 = &peer->h2->h2;
    h2->unsent = leat_conn_unsent(peer->conn);
    leat_h2__pump(h2);
    if (h2->out.bytes && leat_conn_write(peer->conn, &h2->out) != LEAT_OK)
        h2->ended = true;
    if (h2->ended || ((peer->h2->goaway || peer->unlisted) && h2->stream_count == 0)) {
        peer->why = h2->err;
        end_connection(peer, true);
        return;
    }
    settle(peer);
    arm(peer);
}

static void wake(void *owner)
{
    struct leat_grpc__peer *peer = owner;
    leat_loop_defer(peer->client->loop, &peer->flush);
}

static void rang(struct leat_timer *timer)
{
    struct leat_grpc__peer *peer = timer->ctx;
    if (peer->state == LEAT_GRPC_CONNECTING) {
        (void)LEAT_RAISE(&peer->why, LEAT_ETIMEOUT, 0, "connect to %s: no answer in time", peer->address);
        end_connection(peer, false);
        return;
    }
    leat_h2__tick(&peer->h2->h2, now_ns(peer));
    wake(peer);
}

/* ---- what the socket says ---- */

static void opened(void *ctx)
{
    struct leat_grpc__peer *peer = ctx;
    struct leat_grpc_client *client = peer->client;
    if (peer->state != LEAT_GRPC_CONNECTING)
        return;
    if (client->opts.tls && strcmp(leat_conn_alpn(peer->conn), "h2") != 0) {
        (void)LEAT_RAISE(&peer->why, LEAT_ETLS, 0, "%s does not speak HTTP/2 (ALPN)", peer->address);
        end_connection(peer, false);
        return;
    }
    if (leat_h2__client_open(&client->opts, now_ns(peer), &peer->h2) != LEAT_OK) {
        (void)LEAT_RAISE(&peer->why, LEAT_ENOMEM, 0, "connect to %s: out of memory", peer->address);
        end_connection(peer, false);
        return;
    }
    peer->h2->finished = leat_grpc__client_finished;
    peer->h2->ctx = client;
    peer->h2->h2.wake = wake;
    peer->h2->h2.owner = peer;
    wake(peer);
}

static void bytes_came(void *ctx, struct leat_slice bytes)
{
    struct leat_grpc__peer *peer = ctx;
    if (peer->h2 && peer->state != LEAT_GRPC_LEAVING)
        leat_h2__feed(&peer->h2->h2, bytes, now_ns(peer));
    else
        leat_mem_unref(bytes.mem);
}

static void socket_drained(void *ctx)
{
    wake(ctx);
}

static struct leat_err reason(const struct leat_grpc__peer *peer, const struct leat_err *socket)
{
    struct leat_err why = peer->why.code != LEAT_OK ? peer->why : *socket;
    if (why.code == LEAT_OK)
        (void)LEAT_RAISE(&why, LEAT_ENET, 0, "connection closed by peer");
    else if (why.code == LEAT_EPARSE || why.code == LEAT_ELIMIT) /* the bytes in hand are not to blame */
        why.code = LEAT_ENET;
    (void)leat_err_wrap(&why, "grpc: %s", peer->address);
    return why;
}

static void socket_closed(void *ctx, const struct leat_err *socket)
{
    struct leat_grpc__peer *peer = ctx;
    struct leat_grpc_client *client = peer->client;
    struct leat_err why = reason(peer, socket);
    bool was_open = peer->opened_ns && (now_ns(peer) - peer->opened_ns > SHORT_LIFE_NS || why.code == LEAT_OK ||
                                        (peer->h2 && peer->h2->goaway));
    struct leat_h2_client *h2 = peer->h2;
    leat_timer_stop(client->loop, &peer->timer);
    leat_task_cancel(&peer->flush);
    if (h2 && h2->too_many_pings && client->opts.keepalive_ns < UINT64_MAX / 2)
        client->opts.keepalive_ns *= 2;
    peer->h2 = NULL;
    peer->conn = NULL;
    peer->state = LEAT_GRPC_IDLE;
    peer->opened_ns = 0;
    peer->skip++;
    (void)leat_h2__client_close(h2, &why);
    leat_grpc__client_lost(peer, &why, was_open);
    if (peer->unlisted)
        leat_grpc__peer_free(peer);
}

static const struct leat_stream_events events = {
    .opened = opened, .bytes = bytes_came, .drained = socket_drained, .closed = socket_closed};

/* ---- life ---- */

leat_rc leat_grpc__peer_new(struct leat_grpc_client *client, const char *address, struct leat_grpc__peer **ret_peer)
{
    struct leat_grpc__peer *peer = leat_zalloc(1, sizeof *peer);
    char *copy = leat_strdup(address);
    if (!peer || !copy) {
        leat_free(peer);
        leat_free(copy);
        return LEAT_ENOMEM;
    }
    peer->client = client;
    peer->address = copy;
    peer->timer = (struct leat_timer){.fire = rang, .ctx = peer};
    leat_task_init(&peer->flush, flush, peer);
    leat_list_push(&client->peers, &peer->link);
    *ret_peer = peer;
    return LEAT_OK;
}

void leat_grpc__peer_free(struct leat_grpc__peer *peer)
{
    if (peer->client->next == peer)
        peer->client->next = NULL;
    leat_list_remove(&peer->link);
    leat_free(peer->address);
    leat_free(peer);
}

void leat_grpc__peer_connect(struct leat_grpc__peer *peer)
{
    const struct leat_grpc_client_opts *opts = &peer->client->opts;
    peer->why = (struct leat_err){0};
    struct leat_loop *loop = peer->client->loop;
    const char *name = peer->client->server_name;
    leat_rc rc = opts->proxy ? leat_conn_connect_through(loop, opts->proxy, peer->address, opts->tls, name, &events,
                                                         peer, &peer->conn, &peer->why)
                             : leat_conn_connect(loop, peer->address, peer->skip, opts->tls, name, &events, peer,
                                                 &peer->conn, &peer->why);
    if (rc != LEAT_OK) {
        struct leat_err why = peer->why;
        leat_grpc__client_lost(peer, &why, false);
        return;
    }
    peer->state = LEAT_GRPC_CONNECTING;
    leat_timer_start(peer->client->loop, &peer->timer,
                     opts->connect_ns_max ? opts->connect_ns_max : CONNECT_NS_DEFAULT);
}

void leat_grpc__peer_close(struct leat_grpc__peer *peer, const struct leat_err *why)
{
    if (!peer->conn)
        return;
    end_connection(peer, false);
    if (peer->h2)
        leat_h2__client_break(peer->h2, why);
}
