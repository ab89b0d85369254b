/* SPDX-License-Identifier: Apache-2.0 */
/* graph -- a plan brought to life: instances on shards, connected; a value that is built, started, drained, torn down.
 *
 *   build -> (start) running -> drain -> drained -> free
 *
 * Why      hot reload swaps one graph for another; tests make a thousand of them in one process.
 * Threads  built, started and freed on the thread of shard 0. Shards above 0 are threads of the graph's own.
 * Owns     every instance, sender, pool and loop; the plan is borrowed and must outlive it.
 * Fails    build undoes itself and answers with the component's error, its id in front. */
#pragma once
#include "agent/deliver/carrier.h"
#include "agent/pipe/host.h"
#include "config/plan.h"

struct leat_graph;

struct leat_graph_opts {
    const struct leat_plan *plan;
    struct leat_world *world;
    uint64_t memory_hard_bytes, memory_soft_bytes; /* 0: no limit */
    /* NULL: as each exporter's type says. Tests and simulations put a peer of their own here. */
    leat_rc (*carrier_open)(void *ctx, struct leat_loop *loop, const char *exporter_id, struct leat_carrier **ret_carrier);
    void *carrier_ctx;
    bool simulated;                                 /* loops without sockets and threads: the caller steps them */
};
leat_rc leat_graph_build(const struct leat_graph_opts *opts, struct leat_graph **ret_graph,
                         struct leat_err *reterr) LEAT_MUST_CHECK;
/* Receivers begin; shards above 0 run from here on. Shard 0 runs in leat_loop_run(leat_graph_loop(graph)). */
leat_rc leat_graph_start(struct leat_graph *graph, struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_loop *leat_graph_loop(struct leat_graph *graph);
struct leat_loop *leat_graph_shard_loop(struct leat_graph *graph, uint32_t shard); /* simulations step each in turn */
void leat_graph_bind(struct leat_graph *graph, uint32_t shard); /* simulations: this thread acts for that shard now */
/* Receivers stop, processors empty, senders drain; `drained` on shard 0. After `deadline_ns` what is left is dropped and
 * counted. */
void leat_graph_drain(struct leat_graph *graph, uint64_t deadline_ns, void (*drained)(void *ctx), void *ctx);
void leat_graph_abandon(struct leat_graph *graph); /* the deadline is now */
struct leat_graph *leat_graph_free(struct leat_graph *graph); /* always NULL; drained, or never started */

uint64_t leat_graph_dropped(const struct leat_graph *graph); /* items, for any reason but `filtered` */
bool leat_graph_balances(const struct leat_graph *graph);    /* every ledger, when no shard is at work */
/* What every instance says of itself, shard by shard; `dumped` on shard 0, soon, which may take the text. LEAT_AGAIN: one is under way. */
leat_rc leat_graph_dump(struct leat_graph *graph, void (*dumped)(void *ctx, struct leat_strbuf *text),
                        void *ctx) LEAT_MUST_CHECK;
void leat_graph_dump_forget(struct leat_graph *graph); /* who asked is gone: nobody is called */
void leat_graph_metrics(const struct leat_graph *graph, struct leat_strbuf *out); /* Prometheus text; any thread */
