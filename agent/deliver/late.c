/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/late.h"

static void run(struct leat_task *task)
{
    struct leat_late *late = task->ctx;
    struct leat_parcel *parcel = late->first;
    late->first = late->last = NULL; /* what is put meanwhile belongs to the next turn of the task */
    while (parcel) {
        struct leat_parcel *next = parcel->carried;
        parcel->carried = NULL;
        late->finish(late, parcel);
        parcel = next;
    }
}

void leat_deliver__late_init(struct leat_late *late, struct leat_loop *loop,
                             void (*finish)(struct leat_late *late, struct leat_parcel *parcel))
{
    *late = (struct leat_late){.loop = loop, .finish = finish};
    leat_task_init(&late->task, run, late);
}

void leat_deliver__late_put(struct leat_late *late, struct leat_parcel *parcel)
{
    parcel->carried = NULL;
    if (late->last)
        late->last->carried = parcel;
    else
        late->first = parcel;
    late->last = parcel;
    leat_loop_defer(late->loop, &late->task);
}

bool leat_deliver__late_has(const struct leat_late *late, const struct leat_parcel *parcel)
{
    for (const struct leat_parcel *at = late->first; at; at = at->carried)
        if (at == parcel)
            return true;
    return false;
}

void leat_deliver__late_close(struct leat_late *late)
{
    leat_task_cancel(&late->task);
}

void leat_deliver__finish_ok(struct leat_late *late, struct leat_parcel *parcel)
{
    (void)late;
    struct leat_reply reply = {.request = parcel->request};
    parcel->done(parcel, &reply, NULL);
}

void leat_deliver__finish_no_memory(struct leat_late *late, struct leat_parcel *parcel)
{
    (void)late;
    struct leat_err err;
    (void)LEAT_RAISE(&err, LEAT_ENOMEM, 0, "no memory to send a request");
    parcel->done(parcel, NULL, &err);
}
