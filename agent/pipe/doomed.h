/* SPDX-License-Identifier: Apache-2.0 */
/* doomed -- batches whose end is known while they are being taken, told later in the same turn.
 *
 * Why      a processor that runs out of memory in `process` is inside the source's leat_emit, where no ack may end.
 * Threads  one shard's.
 * Owns     what it was given, until the task has run. Telling needs no memory: that is what may have run out. */
#pragma once
#include "agent/pipe/host.h"

struct leat_doomed {
    struct leat_host *host;
    struct leat_list batches;
    struct leat_task task;
    enum leat_drop reason;
};
void leat_doomed_init(struct leat_doomed *doomed, struct leat_host *host, enum leat_drop reason);
/* Its items are entered in the host's books as dropped now, its ack hears it after the current callback. */
void leat_doomed_put(struct leat_doomed *doomed, struct leat_batch *batch);
void leat_doomed_close(struct leat_doomed *doomed); /* tells the rest now; {0} is fine */
