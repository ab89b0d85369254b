/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc_client.h"

#include "agent/base/alloc.h"
#include "agent/loop/resolve.h"
#include "agent/net/h2/grpc_client_inner.h"

/* ---- the end of a call ---- */

static void finish(struct leat_grpc_client *client, struct leat_grpc_out *out, const struct leat_grpc_status *status,
                   struct leat_slice response, const struct leat_err *err)
{
    leat_list_remove(&out->link);
    leat_timer_stop(client->loop, &out->timer);
    out->done(out, status, response, err);
}

static void finish_err(struct leat_grpc_client *client, struct leat_grpc_out *out, const struct leat_err *err)
{
    finish(client, out, NULL, (struct leat_slice){0}, err);
}

static void fail_list(struct leat_grpc_client *client, struct leat_list *list, const struct leat_err *err)
{
    struct leat_list taken; /* a call that its `done` sends again belongs to the next round */
    leat_list_init(&taken);
    for (struct leat_list *link; (link = leat_list_pop(list));)
        leat_list_push(&taken, link);
    for (struct leat_list *link; (link = leat_list_pop(&taken));)
        finish_err(client, LEAT_CONTAINER(link, struct leat_grpc_out, link), err);
}

static void call_rang(struct leat_timer *timer)
{
    struct leat_grpc_out *out = LEAT_CONTAINER(timer, struct leat_grpc_out, timer);
    struct leat_grpc_client *client = timer->ctx;
    struct leat_err err = {0};
    if (out->stream)
        leat_h2__client_drop(out);
    if (!out->sent && client->last.code != LEAT_OK)
        (void)LEAT_RAISE(&err, LEAT_ETIMEOUT, 0, "no connection in time (%.180s)", client->last.text);
    else
        (void)LEAT_RAISE(&err, LEAT_ETIMEOUT, 0, "no answer in time");
    finish_err(client, out, &err);
}

/* ---- connections ---- */

void leat_grpc__client_need_turn(struct leat_grpc_client *client)
{
    if (!client->closing)
        leat_loop_defer(client->loop, &client->turn);
}

static struct leat_grpc__peer *pick(struct leat_grpc_client *client)
{
    struct leat_list *link = &client->peers, *end = link;
    struct leat_grpc__peer *first = NULL;
    bool past = client->next == NULL;
    for (link = link->next; link != end; link = link->next) {
        struct leat_grpc__peer *peer = LEAT_CONTAINER(link, struct leat_grpc__peer, link);
        bool fits = peer->state == LEAT_GRPC_OPEN && !peer->unlisted && leat_h2__client_has_room(peer->h2);
        if (fits && past)
            return peer;
        if (fits && !first)
            first = peer;
        past |= peer == client->next;
    }
    return first;
}

static void start_waiting(struct leat_grpc_client *client)
{
    while (!leat_list_empty(&client->waiting)) {
        struct leat_grpc__peer *peer = pick(client);
        if (!peer)
            return;
        client->next = peer;
        struct leat_grpc_out *out = LEAT_CONTAINER(leat_list_pop(&client->waiting), struct leat_grpc_out, link);
        leat_rc rc = leat_h2__client_start(peer->h2, out);
        if (rc == LEAT_OK)
            continue;
        struct leat_err err = {0};
        (void)LEAT_RAISE(&err, rc, 0, "grpc: %s: %s", peer->address, leat_rc_text(rc));
        finish_err(client, out, &err);
    }
}

static void opts_done(struct leat_grpc_client *client)
{
    leat_free((void *)(uintptr_t)client->opts.address);
    leat_free((void *)(uintptr_t)client->opts.authority);
    leat_free((void *)(uintptr_t)client->opts.user_agent);
    leat_free((void *)(uintptr_t)client->opts.proxy);
    leat_free(client->server_name);
    leat_tls_unref(client->opts.tls);
}

/* The last of a client: not before its connections are gone. */
static void free_if_done(struct leat_grpc_client *client)
{
    LEAT_LIST_EACH (link, &client->peers)
        if (LEAT_CONTAINER(link, struct leat_grpc__peer, link)->conn)
            return;
    while (!leat_list_empty(&client->peers))
        leat_grpc__peer_free(LEAT_CONTAINER(client->peers.next, struct leat_grpc__peer, link));
    opts_done(client);
    leat_free(client);
}

static void take_turn(struct leat_task *task)
{
    struct leat_grpc_client *client = task->ctx;
    struct leat_err err = {0};
    if (client->closing) {
        free_if_done(client);
        return;
    }
    (void)LEAT_RAISE(&err, LEAT_ECANCELED, 0, "given up by the caller");
    fail_list(client, &client->doomed, &err);
    start_waiting(client);
    bool spreads = leat_grpc__client_spreads(client) && leat_grpc__client_count(client, LEAT_GRPC_OPEN);
    if (!client->closing && (spreads || !leat_list_empty(&client->waiting)))
        leat_grpc__client_connect(client);
}

static void retry_rang(struct leat_timer *timer)
{
    leat_grpc__client_need_turn(timer->ctx);
}

void leat_grpc__client_opened(struct leat_grpc_client *client)
{
    client->last = (struct leat_err){0};
    leat_grpc__client_need_turn(client);
}

void leat_grpc__client_no_way(struct leat_grpc_client *client, const struct leat_err *why)
{
    client->last = *why;
    if (!client->resolving && leat_grpc__client_count(client, LEAT_GRPC_OPEN) == 0 &&
        leat_grpc__client_count(client, LEAT_GRPC_CONNECTING) == 0)
        fail_list(client, &client->waiting, why);
}

void leat_grpc__client_lost(struct leat_grpc__peer *peer, const struct leat_err *why, bool was_open)
{
    struct leat_grpc_client *client = peer->client;
    client->stale = true;
    if (client->closing) {
        leat_loop_defer(client->loop, &client->turn);
        return;
    }
    leat_grpc__client_need_turn(client);
    if (was_open) {
        peer->backoff_ns = 0;
        return;
    }
    leat_grpc__back_off(client, &peer->backoff_ns, &peer->retry_at_ns);
    leat_grpc__client_no_way(client, why);
}

/* ---- what came of a call ---- */

void leat_grpc__client_finished(void *ctx, struct leat_grpc_out *out, const struct leat_h2_outcome *outcome)
{
    struct leat_grpc_client *client = ctx;
    leat_grpc__client_need_turn(client); /* a place is free */
    if (outcome->end == LEAT_H2_BROKEN) {
        finish_err(client, out, outcome->err);
        return;
    }
    if (outcome->end == LEAT_H2_UNPROCESSED && !out->again && !client->closing) {
        out->again = true;
        out->sent = false;
        leat_list_push_front(&client->waiting, &out->link);
        return;
    }
    struct leat_grpc_status refused = {.code = LEAT_GRPC_UNAVAILABLE,
                                       .message = LEAT_SLICE("refused by the peer, twice")};
    finish(client, out, outcome->end == LEAT_H2_ANSWERED ? &outcome->status : &refused, outcome->response, NULL);
}

/* ---- calls ---- */

void leat_grpc_client_send(struct leat_grpc_client *client, struct leat_grpc_out *out)
{
    out->sent = out->again = false;
    out->stream = NULL;
    out->timer = (struct leat_timer){.fire = call_rang, .ctx = client};
    leat_list_push(&client->waiting, &out->link);
    if (out->timeout_ns)
        leat_timer_start(client->loop, &out->timer, out->timeout_ns);
    leat_grpc__client_need_turn(client);
}

void leat_grpc_client_cancel(struct leat_grpc_client *client, struct leat_grpc_out *out)
{
    if (out->stream)
        leat_h2__client_drop(out);
    else
        leat_list_remove(&out->link);
    leat_timer_stop(client->loop, &out->timer);
    leat_list_push(&client->doomed, &out->link);
    leat_grpc__client_need_turn(client);
}

/* ---- life ---- */

static leat_rc copy_text(const char *from, const char **ret_to)
{
    *ret_to = from ? leat_strdup(from) : NULL;
    return from && !*ret_to ? LEAT_ENOMEM : LEAT_OK;
}

/* "collector.example:4317" and "[::1]:4317" name their host to TLS without port and brackets. */
static leat_rc name_server(struct leat_grpc_client *client)
{
    const char *text = client->opts.authority ? client->opts.authority : client->opts.address;
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL, *colon = strrchr(text, ':');
    size_t skip = bracket != NULL, len = strlen(text);
    if (bracket)
        len = (size_t)(bracket - text) - 1;
    else if (colon && strchr(text, ':') == colon)
        len = (size_t)(colon - text);
    client->server_name = leat_strndup(text + skip, len);
    return client->server_name ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc copy_opts(struct leat_grpc_client *client, const struct leat_grpc_client_opts *opts)
{
    client->opts = *opts;
    client->opts.address = client->opts.authority = client->opts.user_agent = client->opts.proxy = NULL;
    client->opts.tls = opts->tls ? leat_tls_ref(opts->tls) : NULL;
    leat_rc rc = copy_text(opts->address, &client->opts.address);
    if (rc == LEAT_OK)
        rc = copy_text(opts->authority, &client->opts.authority);
    if (rc == LEAT_OK)
        rc = copy_text(opts->user_agent, &client->opts.user_agent);
    if (rc == LEAT_OK)
        rc = copy_text(opts->proxy, &client->opts.proxy);
    return rc == LEAT_OK ? name_server(client) : rc;
}

leat_rc leat_grpc_client_open(struct leat_loop *loop, const struct leat_grpc_client_opts *opts,
                              struct leat_grpc_client **ret_client, struct leat_err *reterr)
{
    struct leat_grpc__peer *peer;
    struct leat_grpc_client *client = leat_zalloc(1, sizeof *client);
    if (!client)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "gRPC client: out of memory");
    client->loop = loop;
    leat_list_init(&client->peers);
    leat_list_init(&client->waiting);
    leat_list_init(&client->doomed);
    leat_task_init(&client->turn, take_turn, client);
    client->retry = (struct leat_timer){.fire = retry_rang, .ctx = client};
    leat_rc rc = copy_opts(client, opts);
    client->stale = true;
    if (rc == LEAT_OK && !leat_grpc__client_spreads(client))
        rc = leat_grpc__peer_new(client, opts->address, &peer);
    if (rc != LEAT_OK) {
        opts_done(client);
        leat_free(client);
        return LEAT_RAISE(reterr, rc, 0, "gRPC client: %s", leat_rc_text(rc));
    }
    *ret_client = client;
    return LEAT_OK;
}

void leat_grpc_client_close(struct leat_grpc_client *client)
{
    struct leat_err err = {0};
    if (!client || client->closing)
        return;
    client->closing = true;
    leat_timer_stop(client->loop, &client->retry);
    if (client->resolving)
        leat_resolve_cancel(client->resolving);
    client->resolving = NULL;
    (void)LEAT_RAISE(&err, LEAT_ECANCELED, 0, "the client was closed");
    fail_list(client, &client->doomed, &err);
    fail_list(client, &client->waiting, &err);
    LEAT_LIST_EACH (link, &client->peers)
        leat_grpc__peer_close(LEAT_CONTAINER(link, struct leat_grpc__peer, link), &err);
    leat_loop_defer(client->loop, &client->turn);
}
