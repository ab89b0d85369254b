/* SPDX-License-Identifier: Apache-2.0 */
/* late -- parcels whose end is known inside `send`, told later in the same turn; private to agent/deliver.
 *
 * Why      `done` never comes from inside `send`, and telling it must not need memory: that may be what has run out.
 * Threads  one shard's.
 * Owns     parcels from _put to `finish`; they are linked through parcel->carried, so a carrier that also keeps its own
 *          struct there asks _has first. */
#pragma once
#include "agent/deliver/carrier.h"

struct leat_late {
    struct leat_loop *loop;
    struct leat_task task;
    struct leat_parcel *first, *last;
    void (*finish)(struct leat_late *late, struct leat_parcel *parcel); /* calls parcel->done */
};
void leat_deliver__late_init(struct leat_late *late, struct leat_loop *loop,
                             void (*finish)(struct leat_late *late, struct leat_parcel *parcel));
void leat_deliver__late_put(struct leat_late *late, struct leat_parcel *parcel);
bool leat_deliver__late_has(const struct leat_late *late, const struct leat_parcel *parcel);
void leat_deliver__late_close(struct leat_late *late); /* empty by then */

/* Ready-made ends. */
void leat_deliver__finish_ok(struct leat_late *late, struct leat_parcel *parcel); /* a reply of status 0 */
void leat_deliver__finish_no_memory(struct leat_late *late,
                                    struct leat_parcel *parcel); /* LEAT_ENOMEM: tried again later */
