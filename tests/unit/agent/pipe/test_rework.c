/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/rework.h"

#include "tests/kit/kit.h"

struct rig {
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_host host;
    struct leat_stage behind;
    struct leat_rework rework;
    leat_rc answer, room; /* what run and the stage behind say */
    int runs, got, finals;
    struct leat_ack ack;
};

static leat_rc run(void *state, struct leat_batch *batch, struct leat_err *reterr)
{
    struct rig *rig = state;
    (void)batch;
    rig->runs++;
    return rig->answer == LEAT_OK ? LEAT_OK : LEAT_RAISE(reterr, rig->answer, 0, "as told");
}
static leat_rc behind_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    return LEAT_CONTAINER(node, struct rig, behind)->room;
}
static void behind_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)node;
    (void)batch;
}
static void behind_put(struct leat_stage *node, struct leat_batch *batch)
{
    LEAT_CONTAINER(node, struct rig, behind)->got++;
    leat_batch_end(batch, LEAT_DELIVERED, 0);
}
static const struct leat_stage_ops ops = {behind_reserve, behind_cancel, behind_put, NULL};
static void wake(struct leat_waiter *waiter)
{
    (void)leat_rework_flush(waiter->ctx);
}
static void on_final(struct leat_ack *ack)
{
    LEAT_CONTAINER(ack, struct rig, ack)->finals++;
}

static void rig_open(struct rig *rig)
{
    *rig = (struct rig){.behind = {&ops}};
    EXPECT_OK(leat_loop_open_simulated(leat_world_real(), &rig->loop));
    leat_gate_init(&rig->gate, rig->loop);
    rig->host = (struct leat_host){.id = "test",
                                   .loop = rig->loop,
                                   .world = leat_world_real(),
                                   .gate = &rig->gate,
                                   .next = &rig->behind,
                                   .waiter = {.wake = wake, .ctx = &rig->rework}};
    leat_list_init(&rig->host.waiter.link);
    leat_rework_init(&rig->rework, &rig->host, run, rig);
    leat_ack_init(&rig->ack, on_final);
}

static struct leat_batch *give(struct rig *rig)
{
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, NULL);
    batch->item_count = 5;
    batch->ack = &rig->ack;
    leat_ledger_in(&rig->host.ledger[LEAT_LOGS], 5, 0);
    return leat_rework_process(&rig->rework, batch);
}

static void rig_close(struct rig *rig)
{
    leat_rework_close(&rig->rework);
    EXPECT(leat_ledger_balances(&rig->host.ledger[LEAT_LOGS]));
    EXPECT_EQ(rig->finals, 1);
    leat_gate_forget(&rig->host.waiter);
    leat_gate_done(&rig->gate);
    leat_loop_close(rig->loop);
}

/* Scenario:   memory is short, comes back while there is no room behind, then there is.
 * Guarantees: the batch is kept, nothing new is let in before it, it is reworked once and then goes on. */
LEAT_TEST(want_of_memory_loses_nothing)
{
    static struct rig rig;
    rig_open(&rig);
    rig.answer = LEAT_ENOMEM;
    EXPECT(give(&rig) == NULL);
    EXPECT_EQ(leat_rework_admit(&rig.rework), LEAT_AGAIN);
    EXPECT_EQ(rig.rework.kept_items, 5);
    EXPECT(!leat_rework_flush(&rig.rework));
    rig.answer = LEAT_OK;
    rig.room = LEAT_AGAIN;
    EXPECT(!leat_rework_flush(&rig.rework));
    EXPECT(!leat_rework_flush(&rig.rework));
    EXPECT_EQ(rig.runs, 3);
    rig.room = LEAT_OK;
    leat_gate_open(&rig.gate);
    (void)leat_loop_run_once(rig.loop, false);
    EXPECT_EQ(rig.got, 1);
    EXPECT_EQ(rig.runs, 3);
    EXPECT_EQ(rig.rework.kept_items, 0);
    EXPECT_EQ(rig.ack.delivered, 5);
    EXPECT_OK(leat_rework_admit(&rig.rework));
    rig_close(&rig);
}

/* Scenario:   a payload that is not what the door let in.
 * Guarantees: it is dropped in the books at once; its source hears it, but not while it is still handing it over. */
LEAT_TEST(what_is_broken_is_dropped_and_told_later)
{
    static struct rig rig;
    rig_open(&rig);
    rig.answer = LEAT_EPARSE;
    EXPECT(give(&rig) == NULL);
    EXPECT_EQ(rig.finals, 0);
    EXPECT_EQ(rig.host.ledger[LEAT_LOGS].dropped[LEAT_DROP_ENCODE], 5);
    (void)leat_loop_run_once(rig.loop, false);
    EXPECT_EQ(rig.finals, 1);
    EXPECT_EQ(rig.ack.dropped[LEAT_DROP_ENCODE], 5);
    EXPECT_OK(leat_rework_admit(&rig.rework));
    rig_close(&rig);
}

/* Scenario:   the end comes while a batch is kept; another time the stage behind says never.
 * Guarantees: both are told to the source, with the reason. */
LEAT_TEST(every_end_is_told)
{
    static struct rig rig;
    rig_open(&rig);
    rig.answer = LEAT_ENOMEM;
    EXPECT(give(&rig) == NULL);
    rig_close(&rig);
    EXPECT_EQ(rig.ack.dropped[LEAT_DROP_SHUTDOWN], 5);
    rig_open(&rig);
    rig.answer = LEAT_ENOMEM;
    EXPECT(give(&rig) == NULL);
    rig.answer = LEAT_OK;
    rig.room = LEAT_EREFUSED;
    EXPECT(leat_rework_flush(&rig.rework));
    EXPECT_EQ(rig.ack.dropped[LEAT_DROP_REFUSED], 5);
    rig_close(&rig);
}
