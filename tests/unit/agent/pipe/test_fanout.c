/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/pipe/host.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"
#include "tests/kit/toy_form.h"

#define S 1000000000ull
#define BRANCHES 3u

/* A destination that takes `room` batches, and ends them when told to, or at once. */
struct sink {
    struct leat_stage node;
    uint32_t room, reserved, held;
    bool ends_at_once, drained;
    struct leat_list batches;
};

static leat_rc sink_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    struct sink *sink = (struct sink *)node;
    if (sink->reserved + sink->held >= sink->room)
        return LEAT_AGAIN;
    sink->reserved++;
    return LEAT_OK;
}

static void sink_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    struct sink *sink = (struct sink *)node;
    EXPECT(sink->reserved > 0);
    sink->reserved--;
}

static void sink_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct sink *sink = (struct sink *)node;
    sink_cancel(node, batch);
    if (sink->ends_at_once) {
        leat_batch_end(batch, LEAT_DELIVERED, 0);
        return;
    }
    sink->held++;
    leat_list_push(&sink->batches, &batch->link);
}

static bool sink_drained(const struct leat_stage *node)
{
    return ((const struct sink *)node)->drained;
}

static const struct leat_stage_ops sink_ops = {sink_reserve, sink_cancel, sink_put, sink_drained};

static void sink_empty(struct sink *sink)
{
    for (struct leat_list *node; (node = leat_list_pop(&sink->batches)); sink->held--)
        leat_batch_end(LEAT_CONTAINER(node, struct leat_batch, link), LEAT_DELIVERED, 0);
}

struct bench {
    struct leat_world *world;
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_fanout *fanout;
    struct sink sinks[BRANCHES];
    struct leat_host host;
    uint32_t woken, finals;
    struct leat_ack acks[256]; /* one an emit */
    uint32_t emits;
};
static struct bench bench;

static void on_wake(struct leat_waiter *waiter)
{
    ((struct bench *)waiter->ctx)->woken++;
}

static void on_final(struct leat_ack *ack)
{
    (void)ack;
    bench.finals++;
}

static leat_rc bench_open(void)
{
    bench = (struct bench){.world = sim_world_new(1)};
    leat_rc rc = leat_loop_open_simulated(bench.world, &bench.loop);
    if (rc == LEAT_OK)
        rc = leat_fanout_open(bench.loop, BRANCHES, 5 * S, &bench.fanout);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&bench.gate, bench.loop);
    for (uint32_t i = 0; i < BRANCHES; i++) {
        bench.sinks[i] = (struct sink){.node = {&sink_ops}, .room = 100};
        leat_list_init(&bench.sinks[i].batches);
        leat_fanout_branch(bench.fanout, i)->to = &bench.sinks[i].node;
        leat_fanout_branch(bench.fanout, i)->label = "bench";
    }
    bench.host = (struct leat_host){.id = "bench",
                                    .loop = bench.loop,
                                    .gate = &bench.gate,
                                    .out = {leat_fanout_node(bench.fanout)},
                                    .waiter = {.wake = on_wake, .ctx = &bench}};
    leat_list_init(&bench.host.waiter.link);
    return LEAT_OK;
}

static void bench_close(void)
{
    for (uint32_t i = 0; i < BRANCHES && bench.fanout; i++) {
        sink_empty(&bench.sinks[i]);
        EXPECT_EQ(bench.sinks[i].reserved, 0);
        EXPECT(leat_ledger_balances(&leat_fanout_branch(bench.fanout, i)->ledger));
    }
    if (bench.fanout) {
        leat_gate_forget(&bench.host.waiter);
        leat_host_done(&bench.host);
        leat_gate_done(&bench.gate);
    }
    leat_fanout_close(bench.fanout);
    if (bench.loop)
        leat_loop_close(bench.loop);
    sim_world_free(bench.world);
}

static leat_rc emit(uint32_t items)
{
    struct leat_batch *batch = toy_batch(&toy_form, 0, items, 8);
    if (!batch)
        return LEAT_ENOMEM;
    batch->ack = &bench.acks[++bench.emits];
    leat_ack_init(batch->ack, on_final);
    bench.finals = 0;
    leat_rc rc = leat_emit(&bench.host, batch);
    EXPECT_EQ(bench.finals, 0); /* never from inside leat_emit */
    if (rc != LEAT_OK)
        leat_batch_free(batch);
    return rc;
}

static void turn(uint64_t ns)
{
    sim_world_advance(bench.world, ns);
    (void)leat_loop_run_once(bench.loop, false);
}

static const struct leat_ack *last_ack(void)
{
    return &bench.acks[bench.emits];
}

/* Scenario: one branch is full. Guarantees: nobody gets anything, nothing stays reserved, refused is counted; the
 * source is woken within 20 ms and then all get it, sharing the bytes. */
LEAT_TEST(all_or_none)
{
    EXPECT_OK(bench_open());
    for (uint32_t full = 0; full < BRANCHES; full++) {
        bench.sinks[full].room = 0;
        bench.woken = 0;
        EXPECT_RC(emit(4), LEAT_AGAIN);
        for (uint32_t i = 0; i < BRANCHES; i++)
            EXPECT_EQ(bench.sinks[i].held + bench.sinks[i].reserved, full);
        turn(21000000);
        EXPECT_EQ(bench.woken, 1);
        bench.sinks[full].room = 100;
        EXPECT_OK(emit(4));
        EXPECT_EQ(last_ack()->open, BRANCHES);
    }
    EXPECT_EQ(bench.host.ledger[LEAT_LOGS].refused, 12);
    EXPECT_EQ(bench.host.ledger[LEAT_LOGS].out, 12);
    bench_close();
}

/* Scenario: one branch is full for longer than the wait while others move. Guarantees: cut loose, its items are counted
 * dropped{branch_full}, the others go on; when it has drained it takes again. */
LEAT_TEST(a_dead_branch_is_cut_loose_and_comes_back)
{
    EXPECT_OK(bench_open());
    bench.sinks[1].room = 0;
    for (int i = 0; i < 50; i++) {
        EXPECT_RC(emit(1), LEAT_AGAIN);
        turn(S / 10);
    }
    EXPECT_OK(emit(1));
    struct leat_branch *branch = leat_fanout_branch(bench.fanout, 1);
    EXPECT(branch->cut);
    EXPECT_EQ(last_ack()->dropped[LEAT_DROP_BRANCH_FULL], 1);
    EXPECT_OK(emit(1));
    EXPECT_EQ(branch->ledger.dropped[LEAT_DROP_BRANCH_FULL], 2);
    EXPECT_EQ(bench.sinks[0].held, 2);
    bench.sinks[1].room = 100;
    EXPECT_OK(emit(1)); /* room, but not yet drained */
    EXPECT_EQ(bench.sinks[1].held, 0);
    bench.sinks[1].drained = true;
    EXPECT_OK(emit(1));
    EXPECT(!branch->cut);
    EXPECT_EQ(bench.sinks[1].held, 1);
    bench_close();
}

/* Scenario: all branches die one after the other. Guarantees: the last ones are waited for: nothing is thrown away that
 * nobody takes. */
LEAT_TEST(when_nobody_takes_nothing_is_thrown_away)
{
    EXPECT_OK(bench_open());
    for (uint32_t i = 0; i < BRANCHES; i++)
        bench.sinks[i].room = 0;
    for (int i = 0; i < 100; i++) {
        EXPECT_RC(emit(1), LEAT_AGAIN);
        turn(S / 5);
    }
    for (uint32_t i = 0; i < BRANCHES; i++)
        EXPECT_EQ(leat_ledger_dropped(&leat_fanout_branch(bench.fanout, i)->ledger), 0);
    bench.sinks[0].room = 100;
    EXPECT_OK(emit(1)); /* the others have been full for long: they are cut now */
    EXPECT(leat_fanout_branch(bench.fanout, 1)->cut && leat_fanout_branch(bench.fanout, 2)->cut);
    bench.sinks[0].room = 0;
    for (int i = 0; i < 100; i++) {
        EXPECT_RC(emit(1), LEAT_AGAIN);
        turn(S / 5);
    }
    EXPECT(!leat_fanout_branch(bench.fanout, 0)->cut);
    bench_close();
}

/* Scenario: a branch is full now and again a minute later, nobody looked in between. Guarantees: that is not a minute.
 */
LEAT_TEST(full_twice_is_not_full_all_the_time)
{
    EXPECT_OK(bench_open());
    bench.sinks[2].room = 0;
    EXPECT_RC(emit(1), LEAT_AGAIN);
    turn(60 * S);
    EXPECT_RC(emit(1), LEAT_AGAIN);
    EXPECT(!leat_fanout_branch(bench.fanout, 2)->cut);
    bench_close();
}

/* Scenario: every branch ends the batch inside put. Guarantees: the source hears once, after leat_emit, not inside. */
LEAT_TEST(an_end_inside_emit_is_told_later)
{
    EXPECT_OK(bench_open());
    for (uint32_t i = 0; i < BRANCHES; i++)
        bench.sinks[i].ends_at_once = true;
    EXPECT_OK(emit(2));
    turn(0);
    EXPECT_EQ(bench.finals, 1);
    EXPECT_EQ(last_ack()->delivered, 2 * BRANCHES);
    EXPECT_OK(emit(2));
    leat_host_done(&bench.host); /* closing tells the rest */
    EXPECT_EQ(bench.finals, 1);
    bench_close();
}

/* Scenario: no pipeline for the signal. Guarantees: said so, the batch stays the caller's. */
LEAT_TEST(a_signal_without_pipeline_is_refused)
{
    EXPECT_OK(bench_open());
    struct leat_batch *batch = leat_batch_new(LEAT_TRACES, &toy_form);
    EXPECT_RC(leat_emit(&bench.host, batch), LEAT_EUNSUPPORTED);
    leat_batch_free(batch);
    bench_close();
}

/* Scenario: each allocation fails in turn. Guarantees: a branch that gets no copy drops it as out_of_memory. */
LEAT_TEST_OOM(fanout_survives_any_failed_allocation)
{
    leat_rc rc = bench_open();
    if (rc == LEAT_OK)
        rc = emit(3);
    if (rc == LEAT_OK) {
        uint64_t taken = 0;
        for (uint32_t i = 0; i < BRANCHES; i++)
            taken += bench.sinks[i].held * 3;
        EXPECT_EQ(taken + last_ack()->dropped[LEAT_DROP_MEMORY], 3 * BRANCHES);
    }
    bench_close();
    return rc;
}

/* ---- the gate ---- */

struct waits {
    struct leat_waiter waiter;
    struct leat_waiter *forgets;
    uint32_t woken;
    bool again;
};

static void wakes(struct leat_waiter *waiter)
{
    struct waits *waits = LEAT_CONTAINER(waiter, struct waits, waiter);
    waits->woken++;
    if (waits->again)
        leat_gate_wait(&bench.gate, waiter);
    if (waits->forgets)
        leat_gate_forget(waits->forgets);
}

/* Scenario: waiters that ask twice, wait again, and forget one another while woken. Guarantees: once each an opening.
 */
LEAT_TEST(the_gate_wakes_each_once)
{
    EXPECT_OK(bench_open());
    struct waits a = {.waiter = {.wake = wakes}, .again = true}, b = {.waiter = {.wake = wakes}},
                 c = {.waiter = {.wake = wakes}};
    leat_list_init(&a.waiter.link);
    leat_list_init(&b.waiter.link);
    leat_list_init(&c.waiter.link);
    b.forgets = &c.waiter;
    leat_gate_wait(&bench.gate, &a.waiter);
    leat_gate_wait(&bench.gate, &a.waiter);
    leat_gate_wait(&bench.gate, &b.waiter);
    leat_gate_wait(&bench.gate, &c.waiter);
    leat_gate_open(&bench.gate);
    EXPECT_EQ(a.woken, 0); /* after the current callback */
    turn(0);
    EXPECT_EQ(a.woken, 1);
    EXPECT_EQ(b.woken, 1);
    EXPECT_EQ(c.woken, 0);
    turn(20000000); /* room may have been made on another shard */
    EXPECT_EQ(a.woken, 2);
    EXPECT_EQ(b.woken, 1);
    leat_gate_forget(&a.waiter);
    bench_close();
}
