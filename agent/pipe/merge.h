/* SPDX-License-Identifier: Apache-2.0 */
/* merge -- one ack in front of several: what became of a merged batch is told to each source it came from.
 *
 * Why      a batch that was made of five goes on as one; the five sources still hear, each exactly once.
 * Threads  one shard's, as the acks.
 * Owns     itself from new to the end of its ack, then it is gone. A part is one open part of its source's ack.
 * Rule     every item delivered, or every item dropped, is told exactly. When the ends differ nobody can say whose
 * items they were: losses are told first to those who listen, so that a loss is never taken for a delivery, and the
 *          sums over all parts hold.
 * Fails    leat_merge_add: LEAT_ENOMEM, the part is still the caller's. */
#pragma once
#include "agent/pipe/ack.h"

#include "agent/base/rc.h"

struct leat_merge_part {
    struct leat_ack *ack; /* NULL: a source that does not wait */
    uint64_t items;
};
struct leat_merge {
    struct leat_ack ack; /* for the merged batch */
    struct leat_merge_part *parts;
    uint32_t count, room;
};

struct leat_merge *leat_merge_new(void) LEAT_MUST_CHECK;
leat_rc leat_merge_add(struct leat_merge *merge, struct leat_ack *ack, uint64_t items) LEAT_MUST_CHECK;
void leat_merge_free(struct leat_merge *merge); /* one that no batch carries: its parts hear nothing */
