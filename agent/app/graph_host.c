/* SPDX-License-Identifier: Apache-2.0 */
/* What instances may ask of the graph: sockets, storage, credentials. */
#include <unistd.h>

#include "agent/app/graph_inner.h"
#include "agent/base/alloc.h"
#include "agent/loop/stream.h"

/* ---- listening: bound once, dealt over the shards in turn ---- */

struct delivery { /* a socket on its way to its shard */
    struct leat_message message;
    struct leat_graph__adopter *to;
    int fd;
};

static void deliver(struct leat_message *message)
{
    struct delivery *delivery = LEAT_CONTAINER(message, struct delivery, message);
    delivery->to->adopt(delivery->to->state, delivery->fd);
    leat_free(delivery);
}

/* Connections live long and differ little in number when dealt in turn; the least loaded shard is the next one. */
static void on_accepted(void *ctx, int fd)
{
    struct leat_graph__listen *listen = ctx;
    struct leat_graph *graph = listen->graph;
    struct leat_graph__adopter *to = &listen->adopters[listen->next++ % graph->shard_count];
    if (!to->adopt)
        to = &listen->adopters[0]; /* an instance of shard 0 alone */
    if (to->host->shard == 0) {
        to->adopt(to->state, fd);
        return;
    }
    struct delivery *delivery = leat_alloc(sizeof *delivery);
    if (!delivery) {
        (void)close(fd);
        return;
    }
    *delivery = (struct delivery){.message = {.arrive = deliver}, .to = to, .fd = fd};
    leat_handoff_post(to->host->loop, &delivery->message);
}

/* The oldest that this shard has not joined: an instance may listen on two addresses that read alike (port 0). */
static struct leat_graph__listen *listen_find(const struct leat_host *host, const char *endpoint)
{
    struct leat_graph__listen *oldest = NULL;
    for (struct leat_graph__listen *listen = ((struct leat_graph *)host->graph)->listens; listen; listen = listen->after)
        if (strcmp(listen->endpoint, endpoint) == 0 && strcmp(listen->adopters[0].host->id, host->id) == 0 &&
            !listen->adopters[host->shard].adopt)
            oldest = listen;
    return oldest;
}

static leat_rc listen_new(struct leat_host *host, const char *endpoint, struct leat_graph__listen **ret_listen)
{
    struct leat_graph *graph = host->graph;
    struct leat_graph__listen *listen = leat_zalloc(1, sizeof *listen);
    if (!listen)
        return LEAT_ENOMEM;
    listen->adopters = leat_zalloc(graph->shard_count, sizeof *listen->adopters);
    if (!listen->adopters) {
        leat_free(listen);
        return LEAT_ENOMEM;
    }
    listen->graph = graph;
    listen->endpoint = endpoint;
    listen->after = graph->listens;
    graph->listens = listen;
    *ret_listen = listen;
    return LEAT_OK;
}

/* An extension that lives on shard 0 alone: nobody else will join. */
static bool is_alone(const struct leat_host *host)
{
    const struct leat_shard *first = &((struct leat_graph *)host->graph)->shards[0];
    for (uint32_t i = 0; i < first->extension_count; i++)
        if (&first->extensions[i].host == host)
            return first->extensions[i].type->shard0_only;
    return false;
}

/* Shard 0 comes first and makes the entry; the address is bound when the last shard that serves it has joined. */
static leat_rc host_listen(struct leat_host *host, const char *endpoint, void (*adopt)(void *state, int fd),
                           void *state, struct leat_err *reterr)
{
    struct leat_graph *graph = host->graph;
    struct leat_graph__listen *listen = host->shard ? listen_find(host, endpoint) : NULL;
    if (!listen && listen_new(host, endpoint, &listen) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    listen->adopters[host->shard] = (struct leat_graph__adopter){adopt, state, host};
    if (host->shard + 1 < graph->shard_count && !is_alone(host))
        return LEAT_OK;
    return leat_listener_open(graph->shards[0].loop, endpoint, on_accepted, listen, &listen->listener, reterr);
}

void leat_graph__listens_close(struct leat_graph *graph)
{
    for (struct leat_graph__listen *listen; (listen = graph->listens);) {
        graph->listens = listen->after;
        if (listen->listener)
            leat_listener_close(listen->listener);
        leat_free(listen->adopters);
        leat_free(listen);
    }
}

/* ---- extensions ---- */

struct leat_graph__extension *leat_graph__extension_find(struct leat_shard *shard, const char *id)
{
    for (uint32_t i = 0; i < shard->extension_count; i++)
        if (shard->extensions[i].open && strcmp(shard->extensions[i].part->id, id) == 0)
            return &shard->extensions[i];
    return NULL;
}

static struct leat_graph__extension *need(struct leat_host *host, const char *id, struct leat_err *reterr)
{
    struct leat_graph *graph = host->graph;
    struct leat_graph__extension *extension = leat_graph__extension_find(&graph->shards[host->shard], id);
    if (!extension)
        (void)LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extension \"%s\" is not in service::extensions", id);
    return extension;
}

static leat_rc host_storage(struct leat_host *host, const char *extension_id, const char *name,
                            struct leat_storage **ret_storage, struct leat_err *reterr)
{
    struct leat_graph__extension *extension = need(host, extension_id, reterr);
    if (!extension)
        return LEAT_ECONFIG;
    if (!extension->type->storage)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extension \"%s\" is not a storage extension", extension_id);
    return extension->type->storage(extension->state, name, ret_storage, reterr);
}

static leat_rc host_server_auth(struct leat_host *host, const char *extension_id,
                                const struct leat_server_auth **ret_auth, struct leat_err *reterr)
{
    struct leat_graph__extension *extension = need(host, extension_id, reterr);
    if (!extension)
        return LEAT_ECONFIG;
    if (!extension->server_auth.check)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extension \"%s\" does not authenticate servers' clients",
                          extension_id);
    *ret_auth = &extension->server_auth;
    return LEAT_OK;
}

/* ---- what instances share ---- */

static void **host_common(struct leat_host *host, const char *name)
{
    struct leat_graph *graph = host->graph;
    for (struct leat_graph__common *common = graph->commons; common; common = common->after)
        if (strcmp(common->name, name) == 0)
            return &common->value;
    struct leat_graph__common *common = leat_zalloc(1, sizeof *common);
    char *copy = leat_strdup(name);
    if (!common || !copy) {
        leat_free(common);
        leat_free(copy);
        return NULL;
    }
    *common = (struct leat_graph__common){.name = copy, .after = graph->commons};
    graph->commons = common;
    return &common->value;
}

void leat_graph__commons_free(struct leat_graph *graph)
{
    for (struct leat_graph__common *common; (common = graph->commons);) {
        graph->commons = common->after;
        leat_free(common->name);
        leat_free(common);
    }
}

const struct leat_host_ops leat_graph__host_ops = {.listen = host_listen, .storage = host_storage,
                                                   .server_auth = host_server_auth, .common = host_common};

void leat_graph__host_init(struct leat_host *host, struct leat_shard *shard, const char *id)
{
    *host = (struct leat_host){.id = id, .loop = shard->loop, .world = shard->graph->world, .gate = &shard->gate,
                               .shard = shard->index, .shard_count = shard->graph->shard_count,
                               .ops = &leat_graph__host_ops, .graph = shard->graph};
    leat_list_init(&host->waiter.link);
}
