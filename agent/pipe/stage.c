/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/stage.h"

#define GATE_NS_MAX 20000000ull

leat_rc leat_stage_offer(struct leat_stage *node, struct leat_batch *batch)
{
    leat_rc rc = leat_stage_reserve(node, batch);
    if (rc == LEAT_OK)
        leat_stage_put(node, batch);
    return rc;
}

/* Everybody who waits now is woken once; those who wait again are for the next opening. */
static void wake_all(struct leat_gate *gate)
{
    struct leat_list woken;
    leat_list_init(&woken);
    for (struct leat_list *node; (node = leat_list_pop(&gate->waiters));)
        leat_list_push(&woken, node);
    for (struct leat_list *node; (node = leat_list_pop(&woken));) {
        struct leat_waiter *waiter = LEAT_CONTAINER(node, struct leat_waiter, link);
        waiter->wake(waiter);
    }
}

static void on_task(struct leat_task *task) { wake_all(task->ctx); }
static void on_timer(struct leat_timer *timer) { wake_all(timer->ctx); }

void leat_gate_init(struct leat_gate *gate, struct leat_loop *loop)
{
    *gate = (struct leat_gate){.loop = loop, .timer = {.fire = on_timer, .ctx = gate}};
    leat_list_init(&gate->waiters);
    leat_task_init(&gate->task, on_task, gate);
}

void leat_gate_done(struct leat_gate *gate)
{
    leat_timer_stop(gate->loop, &gate->timer);
    leat_task_cancel(&gate->task);
}

void leat_gate_wait(struct leat_gate *gate, struct leat_waiter *waiter)
{
    if (leat_list_empty(&waiter->link))
        leat_list_push(&gate->waiters, &waiter->link);
    if (!leat_timer_runs(&gate->timer))
        leat_timer_start(gate->loop, &gate->timer, GATE_NS_MAX);
}

void leat_gate_forget(struct leat_waiter *waiter) { leat_list_remove(&waiter->link); }

void leat_gate_open(struct leat_gate *gate)
{
    if (!leat_list_empty(&gate->waiters))
        leat_loop_defer(gate->loop, &gate->task);
}
