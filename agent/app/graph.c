/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/graph.h"

#include "agent/app/graph_inner.h"
#include "agent/base/alloc.h"
#include "agent/base/obj.h"
#include "agent/net/coding.h"

/* ---- extensions ---- */

static leat_rc extension_open(struct leat_shard *shard, const struct leat_plan_part *part, struct leat_err *reterr)
{
    struct leat_graph__extension *extension = &shard->extensions[shard->extension_count];
    extension->type = part->type->descriptor;
    extension->part = part;
    if (extension->type->shard0_only && shard->index > 0)
        return LEAT_OK;
    shard->extension_count++;
    leat_graph__host_init(&extension->host, shard, part->id);
    extension->state = leat_zalloc(1, extension->type->state_size);
    extension->host.counts = leat_graph__counts_new(extension->type->counters);
    if (!extension->state || !extension->host.counts)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    extension->open = true;
    leat_rc rc = extension->type->open(extension->state, part->conf, &extension->host, reterr);
    if (rc == LEAT_OK && extension->type->client_auth)
        rc = extension->type->client_auth(extension->state, &extension->client_auth);
    if (rc == LEAT_OK && extension->type->server_auth)
        rc = extension->type->server_auth(extension->state, &extension->server_auth);
    return rc == LEAT_OK ? LEAT_OK : leat_err_wrap(reterr, "%s", part->id);
}

static leat_rc extensions_open(struct leat_shard *shard, struct leat_err *reterr)
{
    const struct leat_plan *plan = shard->graph->plan;
    shard->extensions = leat_zalloc(plan->extensions.count, sizeof *shard->extensions);
    if (!shard->extensions)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < plan->extensions.count; i++)
        rc = extension_open(shard, &plan->parts[plan->extensions.at[i]], reterr);
    return rc;
}

static void extensions_close(struct leat_shard *shard)
{
    for (uint32_t i = shard->extension_count; i-- > 0;) {
        struct leat_graph__extension *extension = &shard->extensions[i];
        if (extension->open)
            extension->type->close(extension->state);
        leat_gate_forget(&extension->host.waiter);
        leat_free(extension->state);
        leat_free(extension->host.counts);
    }
    leat_free(shard->extensions);
    shard->extensions = NULL;
    shard->extension_count = 0;
}

/* ---- shards ---- */

static leat_rc shard_open(struct leat_graph *graph, uint32_t index, struct leat_err *reterr)
{
    struct leat_shard *shard = &graph->shards[index];
    shard->graph = graph;
    shard->index = index;
    leat_rc rc = leat_pool_open(&graph->budget, &shard->pool);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "out of memory");
    leat_pool_bind(shard->pool);
    rc = graph->simulated ? leat_loop_open_simulated(graph->world, &shard->loop)
                          : leat_loop_open(graph->world, &shard->loop, reterr);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&shard->gate, shard->loop);
    leat_graph__drain_init(shard);
    rc = extensions_open(shard, reterr);
    if (rc == LEAT_OK)
        rc = leat_graph__exporters_open(shard, reterr);
    if (rc == LEAT_OK)
        rc = leat_graph__pipelines_open(shard, reterr);
    return rc;
}

static void shard_close_instances(struct leat_shard *shard)
{
    if (!shard->loop)
        return;
    leat_pool_bind(shard->pool);
    leat_timer_stop(shard->loop, &shard->poll);
    leat_graph__pipelines_close(shard);
    leat_graph__exporters_close(shard);
    extensions_close(shard);
    leat_gate_done(&shard->gate);
}

static void shard_close(struct leat_shard *shard)
{
    leat_pool_bind(shard->pool);
    if (shard->loop)
        leat_loop_close(shard->loop);
    leat_coding_trim();
    leat_obj_trim();
    leat_pool_close(shard->pool);
}

static void *shard_run(void *ctx)
{
    struct leat_shard *shard = ctx;
    leat_pool_bind(shard->pool);
    leat_loop_run(shard->loop);
    leat_coding_trim();
    leat_obj_trim();
    return NULL;
}

/* ---- the graph ---- */

leat_rc leat_graph_build(const struct leat_graph_opts *opts, struct leat_graph **ret_graph, struct leat_err *reterr)
{
    struct leat_graph *graph = leat_zalloc(1, sizeof *graph);
    if (!graph)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    graph->plan = opts->plan;
    graph->world = opts->world;
    graph->simulated = opts->simulated;
    graph->carrier_open = opts->carrier_open;
    graph->carrier_ctx = opts->carrier_ctx;
    graph->budget = (struct leat_budget){.soft_bytes = opts->memory_soft_bytes, .hard_bytes = opts->memory_hard_bytes};
    graph->shard_count = (uint32_t)opts->plan->settings.shards;
    graph->shards = leat_zalloc(graph->shard_count, sizeof *graph->shards);
    graph->shared = leat_zalloc(graph->plan->part_count, sizeof *graph->shared);
    leat_rc rc = graph->shards && graph->shared ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    for (uint32_t i = 0; rc == LEAT_OK && i < graph->shard_count; i++)
        rc = shard_open(graph, i, reterr);
    if (rc != LEAT_OK) {
        leat_graph_free(graph);
        return rc;
    }
    leat_pool_bind(graph->shards[0].pool);
    *ret_graph = graph;
    return LEAT_OK;
}

static leat_rc receivers_start(struct leat_shard *shard, struct leat_err *reterr)
{
    leat_pool_bind(shard->pool);
    for (uint32_t i = 0; i < shard->receiver_count; i++) {
        struct leat_graph__receiver *receiver = &shard->receivers[i];
        receiver->open = true;
        leat_rc rc = receiver->type->start(receiver->state, receiver->part->conf, &receiver->host, reterr);
        if (rc != LEAT_OK)
            return leat_err_wrap(reterr, "%s", receiver->part->id);
    }
    return LEAT_OK;
}

leat_rc leat_graph_start(struct leat_graph *graph, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < graph->shard_count; i++)
        rc = receivers_start(&graph->shards[i], reterr);
    leat_pool_bind(graph->shards[0].pool);
    for (uint32_t i = 1; rc == LEAT_OK && !graph->simulated && i < graph->shard_count; i++) {
        struct leat_shard *shard = &graph->shards[i];
        int sys = pthread_create(&shard->thread, NULL, shard_run, shard);
        shard->threaded = sys == 0;
        if (sys)
            rc = LEAT_RAISE(reterr, LEAT_EFULL, sys, "cannot start a thread for shard %u", i);
    }
    struct leat_shard *first = &graph->shards[0];
    for (uint32_t e = 0; rc == LEAT_OK && e < first->extension_count; e++)
        if (first->extensions[e].open && first->extensions[e].type->health)
            first->extensions[e].type->health(first->extensions[e].state, LEAT_HEALTH_OK);
    graph->started = rc == LEAT_OK;
    return rc;
}

struct leat_loop *leat_graph_loop(struct leat_graph *graph)
{
    return graph->shards[0].loop;
}

struct leat_loop *leat_graph_shard_loop(struct leat_graph *graph, uint32_t shard)
{
    return graph->shards[shard].loop;
}

void leat_graph_bind(struct leat_graph *graph, uint32_t shard)
{
    leat_pool_bind(graph->shards[shard].pool);
}

struct leat_graph *leat_graph_free(struct leat_graph *graph)
{
    if (!graph)
        return NULL;
    for (uint32_t i = 1; graph->shards && i < graph->shard_count; i++)
        if (graph->shards[i].threaded) {
            leat_loop_stop(graph->shards[i].loop);
            (void)pthread_join(graph->shards[i].thread, NULL);
        }
    for (uint32_t i = graph->shards ? graph->shard_count : 0; i-- > 0;)
        shard_close_instances(&graph->shards[i]);
    leat_graph__listens_close(graph);
    leat_graph__commons_free(graph);
    for (uint32_t i = graph->shards ? graph->shard_count : 0; i-- > 0;)
        shard_close(&graph->shards[i]);
    leat_pool_bind(NULL);
    for (uint32_t i = 0; graph->shards && i < graph->shard_count; i++)
        leat_graph__dump_done(&graph->shards[i]);
    for (uint32_t i = 0; graph->shared && i < graph->plan->part_count; i++)
        leat_free(graph->shared[i]);
    leat_free(graph->shared);
    leat_free(graph->shards);
    leat_free(graph->totals);
    leat_free(graph);
    return NULL;
}
