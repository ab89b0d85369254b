/* SPDX-License-Identifier: Apache-2.0 */
/* rework -- what processors that make new bytes from a batch share: memory may run out, and then nothing is lost.
 *
 * Why      `process` must answer while the source is inside leat_emit; a batch that could not be reworked now is kept
 * and tried again, and nothing new is let in before it. Threads  one shard's. Owns     kept batches. The caller embeds
 * the struct and forwards admit, process, flush, held and close. Fails    `run` answers LEAT_ENOMEM: kept. Anything
 * else but LEAT_OK: the batch is dropped as `cannot_encode`. */
#pragma once
#include "agent/pipe/doomed.h"

struct leat_rework {
    struct leat_host *host;
    /* Replaces batch->payload and corrects pinned_bytes; the number of items stays. The batch is untouched on failure.
     */
    leat_rc (*run)(void *state, struct leat_batch *batch, struct leat_err *reterr);
    void *state;
    struct leat_list kept;
    const struct leat_batch *ready; /* the first of them, when only room behind is missing */
    uint64_t kept_items;
    struct leat_doomed broken;
    struct leat_log_limit said;
};

void leat_rework_init(struct leat_rework *rework, struct leat_host *host,
                      leat_rc (*run)(void *state, struct leat_batch *batch, struct leat_err *reterr), void *state);
leat_rc leat_rework_admit(const struct leat_rework *rework);
struct leat_batch *leat_rework_process(struct leat_rework *rework, struct leat_batch *batch);
bool leat_rework_flush(struct leat_rework *rework);
void leat_rework_close(struct leat_rework *rework); /* {0} is fine; drops what is kept as `shutdown` */
