/* SPDX-License-Identifier: Apache-2.0 */
/* Every component in a pipeline of its own, with real loops: built, started, stopped; and stopped half-way. */
#include "agent/app/graph.h"
#include "agent/base/alloc.h"
#include "agent/base/log.h"
#include "tests/contract/contract.h"

#define MS 1000000ull

struct life {
    struct leat_graph *graph;
    struct leat_timer timer;
    bool drained;
};

static void on_drained(void *ctx)
{
    struct life *life = ctx;
    life->drained = true;
    leat_loop_stop(leat_graph_loop(life->graph));
}

static void on_timer(struct leat_timer *timer)
{
    struct life *life = timer->ctx;
    leat_graph_drain(life->graph, 2000 * MS, on_drained, life);
}

enum stage { BUILT, STARTED, RUN };

static leat_rc live(const struct leat_plan *plan, enum stage until, uint64_t run_ns)
{
    struct leat_graph_opts opts = {.plan = plan, .world = leat_world_real()};
    struct life life = {0};
    struct leat_err err = {0};
    leat_rc rc = leat_graph_build(&opts, &life.graph, &err);
    if (rc != LEAT_OK) {
        EXPECT(leat_alloc_failed());
        return rc;
    }
    if (until >= STARTED)
        rc = leat_graph_start(life.graph, &err);
    if (rc == LEAT_OK && until == RUN) {
        life.timer = (struct leat_timer){.fire = on_timer, .ctx = &life};
        leat_timer_start(leat_graph_loop(life.graph), &life.timer, run_ns);
        leat_loop_run(leat_graph_loop(life.graph));
        EXPECT(life.drained);
        EXPECT(leat_graph_balances(life.graph));
    }
    if (rc != LEAT_OK && !leat_alloc_failed())
        print_error("%s\n", err.text);
    leat_graph_free(life.graph);
    return rc;
}

static void for_each(void (*visit)(const struct leat_type_info *type, const struct leat_plan *plan), uint32_t shards)
{
    const struct leat_catalog *catalog = leat_registry();
    for (uint32_t i = 0; i < catalog->count; i++) {
        struct leat_plan *plan = contract_plan(&catalog->types[i], shards);
        print_message("%s %s\n", leat_kind_name(catalog->types[i].kind), catalog->types[i].name);
        visit(&catalog->types[i], plan);
        leat_plan_free(plan);
    }
}

static void begin_and_end(const struct leat_type_info *type, const struct leat_plan *plan)
{
    (void)type;
    EXPECT_OK(live(plan, BUILT, 0));
    EXPECT_OK(live(plan, RUN, 1));
    EXPECT_OK(live(plan, RUN, 50 * MS));
}

/* Scenario: built only; started and stopped at once; started, run for a moment, stopped; on one shard and on three.
 * Guarantees: drains by itself, books balance, nothing leaks. */
LEAT_TEST(every_component_begins_and_ends)
{
    for_each(begin_and_end, 1);
    for_each(begin_and_end, 3);
}

static void starve(const struct leat_type_info *type, const struct leat_plan *plan)
{
    (void)type;
    for (uint64_t n = 1;; n++) {
        leat_alloc_fail_at(n);
        leat_rc rc = live(plan, RUN, 1);
        int failed = leat_alloc_failed();
        leat_alloc_fail_at(0);
        if (!failed) {
            EXPECT_OK(rc);
            return;
        }
    }
}

/* Scenario: each allocation failing in turn, from build to the end. Guarantees: an error or a run; no leak, no crash.
 */
LEAT_TEST(every_component_survives_any_failed_allocation)
{
    for_each(starve, 1);
}
