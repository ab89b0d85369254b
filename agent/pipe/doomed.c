/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/doomed.h"

static void end_all(struct leat_doomed *doomed)
{
    struct leat_list now;
    leat_list_init(&now);
    for (struct leat_list *node; (node = leat_list_pop(&doomed->batches));)
        leat_list_push(&now, node);
    for (struct leat_list *node; (node = leat_list_pop(&now));)
        leat_batch_end(LEAT_CONTAINER(node, struct leat_batch, link), LEAT_DROPPED, doomed->reason);
}

static void on_task(struct leat_task *task)
{
    end_all(task->ctx);
}

void leat_doomed_init(struct leat_doomed *doomed, struct leat_host *host, enum leat_drop reason)
{
    doomed->host = host;
    doomed->reason = reason;
    leat_list_init(&doomed->batches);
    leat_task_init(&doomed->task, on_task, doomed);
}

void leat_doomed_put(struct leat_doomed *doomed, struct leat_batch *batch)
{
    leat_host_drop(doomed->host, batch->signal, doomed->reason, batch->item_count);
    leat_list_push(&doomed->batches, &batch->link);
    leat_loop_defer(doomed->host->loop, &doomed->task);
}

void leat_doomed_close(struct leat_doomed *doomed)
{
    if (!doomed->host)
        return;
    leat_task_cancel(&doomed->task);
    end_all(doomed);
}
