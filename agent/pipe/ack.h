/* SPDX-License-Identifier: Apache-2.0 */
/* ack -- the promise that a source hears, exactly once, what became of everything it emitted.
 *
 * Why      two milestones (ARCHITECTURE.md): *accepted* is what leat_emit answers; *final* is the end of the ack, when every
 *          item was delivered, persisted or dropped for a reason. A file's position moves on final only.
 * Threads  one shard's; a batch that crosses takes a courier ack along (agent/pipe/cross.h).
 * Owns     the source embeds the ack in its own struct and keeps that alive until `final`. A batch without an ack (NULL)
 *          has a source that does not wait: every function here accepts NULL.
 * Rule     one open part per batch that carries the ack: a fan-out opens more parts, a merge keeps the parts of each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Why items were dropped: labels of leat_dropped_items_total. */
#define LEAT_DROP_TABLE(X)                                                 \
    X(QUEUE_FULL, "queue_full")           /* refused at a full queue */    \
    X(BRANCH_FULL, "branch_full")         /* a dead branch of a fan-out was cut loose */ \
    X(REFUSED, "refused")                 /* the peer said never */        \
    X(REJECTED, "rejected_items")         /* the peer took the request but not these items */ \
    X(TOO_LARGE, "too_large")             /* one item over what the peer takes */ \
    X(RETRY_EXHAUSTED, "retry_exhausted") /* max_elapsed_time, or retry off */ \
    X(ENCODE, "cannot_encode")            /* has no form at the destination */ \
    X(FILTERED, "filtered")               /* a processor was told to */    \
    X(MEMORY, "out_of_memory")                                             \
    X(SHUTDOWN, "shutdown")               /* the drain deadline passed */

enum leat_drop {
#define X(id, label) LEAT_DROP_##id,
    LEAT_DROP_TABLE(X)
#undef X
        LEAT_DROP_COUNT
};
const char *leat_drop_label(enum leat_drop reason);

/* What happened to items: one of these, or LEAT_DROPPED + a reason. */
enum leat_outcome { LEAT_DELIVERED, LEAT_PERSISTED, LEAT_DROPPED };

struct leat_ack {
    uint32_t open; /* parts whose end is not known */
    uint64_t delivered, persisted, dropped[LEAT_DROP_COUNT];
    void (*final)(struct leat_ack *ack); /* may free the ack; never called from inside leat_emit */
    struct leat_ack *late;               /* leat_emit's: ends that were reached inside it */
};

void leat_ack_init(struct leat_ack *ack, void (*final)(struct leat_ack *ack)); /* one open part: the first batch */
void leat_ack_split(struct leat_ack *ack, uint32_t more_parts);
void leat_ack_settle(struct leat_ack *ack, enum leat_outcome outcome, enum leat_drop reason, uint64_t items);
void leat_ack_close(struct leat_ack *ack); /* one part reached its end; the last one calls final */
uint64_t leat_ack_dropped(const struct leat_ack *ack);
