/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/host.h"

/* Above the soft limit nothing new is let in; what is inside can drain. */
static bool short_of_memory(void)
{
    return leat_budget_above_soft(leat_pool_budget(leat_pool_here()));
}

/* ---- an end that is reached inside leat_emit (a branch cut loose, an edit that left nothing) waits for its end ----
 */

static void tell_all(struct leat_host *host)
{
    for (struct leat_ack *ack; (ack = host->late);) {
        host->late = ack->late;
        leat_ack_close(ack);
    }
}

static void on_tell_late(struct leat_task *task)
{
    tell_all(task->ctx);
}

static void release(struct leat_host *host, struct leat_ack *ack)
{
    if (!ack || ack->open > 1) {
        leat_ack_close(ack);
        return;
    }
    if (!host->tell_late.run)
        leat_task_init(&host->tell_late, on_tell_late, host);
    ack->late = host->late;
    host->late = ack;
    leat_loop_defer(host->loop, &host->tell_late);
}

void leat_host_done(struct leat_host *host)
{
    if (!host->tell_late.run)
        return;
    leat_task_cancel(&host->tell_late);
    tell_all(host);
}

void leat_host_refused(struct leat_host *host, const struct leat_batch *batch)
{
    leat_ledger__add(&host->ledger[batch->signal].refused, batch->item_count);
    leat_ledger__add(&host->came[batch->transport][batch->signal].refused, batch->item_count);
}

leat_rc leat_emit(struct leat_host *host, struct leat_batch *batch)
{
    struct leat_ledger *ledger = &host->ledger[batch->signal];
    struct leat_came *came = &host->came[batch->transport][batch->signal];
    struct leat_stage *out = host->out[batch->signal];
    if (!out)
        return LEAT_EUNSUPPORTED;
    batch->patient = host->patient;
    leat_rc rc = short_of_memory() ? LEAT_AGAIN : leat_stage_reserve(out, batch);
    if (rc != LEAT_OK) {
        if (rc != LEAT_AGAIN || !host->waits_room[batch->signal]) /* else it waits, and is not refused */
            leat_host_refused(host, batch);
        if (rc == LEAT_AGAIN)
            leat_gate_wait(host->gate, &host->waiter);
        return rc;
    }
    if (batch->pinned_bytes < batch->payload.bytes)
        batch->pinned_bytes = batch->payload.bytes;
    batch->born_ns = leat_loop_now_ns(host->loop);
    leat_ledger_in(ledger, batch->item_count, batch->payload.bytes);
    leat_ledger_out(ledger, batch->item_count, batch->payload.bytes);
    leat_ledger__add(&came->accepted, batch->item_count);
    struct leat_ack *ack = batch->ack;
    leat_ack_split(ack, 1); /* ours, until the put is over */
    leat_stage_put(out, batch);
    release(host, ack);
    return LEAT_OK;
}

leat_rc leat_forward(struct leat_host *host, struct leat_batch *batch)
{
    leat_rc rc = leat_stage_reserve(host->next, batch);
    if (rc != LEAT_OK) {
        leat_gate_wait(host->gate, &host->waiter);
        return rc;
    }
    leat_ledger_out(&host->ledger[batch->signal], batch->item_count, batch->payload.bytes);
    leat_stage_put(host->next, batch);
    return LEAT_OK;
}

void leat_host_drop(struct leat_host *host, enum leat_signal signal, enum leat_drop reason, uint64_t items)
{
    leat_ledger_drop(&host->ledger[signal], reason, items);
}
