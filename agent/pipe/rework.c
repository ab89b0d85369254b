/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/rework.h"

void leat_rework_init(struct leat_rework *rework, struct leat_host *host,
                      leat_rc (*run)(void *state, struct leat_batch *batch, struct leat_err *reterr), void *state)
{
    rework->host = host;
    rework->run = run;
    rework->state = state;
    leat_list_init(&rework->kept);
    leat_doomed_init(&rework->broken, host, LEAT_DROP_ENCODE);
}

leat_rc leat_rework_admit(const struct leat_rework *rework)
{
    return leat_list_empty(&rework->kept) ? LEAT_OK : LEAT_AGAIN;
}

static void drop_broken(struct leat_rework *rework, struct leat_batch *batch, const struct leat_err *err)
{
    uint32_t missed;
    if (leat_log_may(&rework->said, leat_loop_now_ns(rework->host->loop), &missed))
        leat_log(LEAT_LOG_ERROR, rework->host->id, "%u items dropped: %s (%u times not said)", batch->item_count,
                 err->text, missed);
    leat_doomed_put(&rework->broken, batch);
}

/* LEAT_OK: reworked. LEAT_ENOMEM: not yet. Else it is gone. */
static leat_rc rework_one(struct leat_rework *rework, struct leat_batch *batch)
{
    struct leat_err err = {0};
    leat_rc rc = rework->run(rework->state, batch, &err);
    if (rc != LEAT_OK && rc != LEAT_ENOMEM)
        drop_broken(rework, batch, &err);
    return rc;
}

struct leat_batch *leat_rework_process(struct leat_rework *rework, struct leat_batch *batch)
{
    leat_rc rc = rework_one(rework, batch);
    if (rc == LEAT_OK)
        return batch;
    if (rc == LEAT_ENOMEM) {
        rework->kept_items += batch->item_count;
        leat_list_push(&rework->kept, &batch->link);
        leat_gate_wait(rework->host->gate, &rework->host->waiter);
    }
    return NULL;
}

static bool pass_on(struct leat_rework *rework, struct leat_batch *batch)
{
    uint64_t items = batch->item_count;
    leat_rc rc = leat_forward(rework->host, batch);
    if (rc == LEAT_OK || leat_rc_fate(rc) == LEAT_FATE_RETRY) {
        rework->kept_items -= rc == LEAT_OK ? items : 0;
        return rc == LEAT_OK;
    }
    rework->kept_items -= items;
    leat_host_drop(rework->host, batch->signal, LEAT_DROP_REFUSED, items);
    leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_REFUSED);
    return true;
}

/* A batch that was reworked and found no room behind is not reworked twice: `ready` remembers it. */
bool leat_rework_flush(struct leat_rework *rework)
{
    while (!leat_list_empty(&rework->kept)) {
        struct leat_batch *batch = LEAT_CONTAINER(rework->kept.next, struct leat_batch, link);
        uint64_t items = batch->item_count;
        leat_list_remove(&batch->link);
        leat_rc rc = batch == rework->ready ? LEAT_OK : rework_one(rework, batch);
        if (rc != LEAT_OK && rc != LEAT_ENOMEM) {
            rework->kept_items -= items;
            continue;
        }
        rework->ready = rc == LEAT_OK ? batch : NULL;
        if (rc == LEAT_ENOMEM || !pass_on(rework, batch)) {
            leat_list_push_front(&rework->kept, &batch->link);
            leat_gate_wait(rework->host->gate, &rework->host->waiter);
            return false;
        }
        rework->ready = NULL;
    }
    return true;
}

void leat_rework_close(struct leat_rework *rework)
{
    if (!rework->host)
        return;
    for (struct leat_list *node; (node = leat_list_pop(&rework->kept));) {
        struct leat_batch *batch = LEAT_CONTAINER(node, struct leat_batch, link);
        leat_host_drop(rework->host, batch->signal, LEAT_DROP_SHUTDOWN, batch->item_count);
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_SHUTDOWN);
    }
    leat_doomed_close(&rework->broken);
}
