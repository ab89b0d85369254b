/* SPDX-License-Identifier: Apache-2.0 */
/* stage -- a place in the graph that a batch can be given to; gate -- who waits for room.
 *
 * Why      a batch is offered first (reserve) and handed over then (put), so that a fan-out takes all of it or nothing
 *          and a client that is told to come again finds nothing half done.
 * Threads  one shard's; no call between reserve and put/cancel of the same batch may run other work.
 * Owns     put takes the batch for good. reserve and cancel borrow it.
 * Fails    reserve: LEAT_AGAIN (no room: the gate will open), LEAT_EREFUSED (never). put cannot fail: what goes wrong
 *          later is settled in the ack. */
#pragma once
#include "agent/loop/loop.h"
#include "agent/pipe/batch.h"
#include "agent/pipe/ledger.h"

struct leat_stage;

struct leat_stage_ops {
    leat_rc (*reserve)(struct leat_stage *node, const struct leat_batch *batch);
    void (*cancel)(struct leat_stage *node, const struct leat_batch *batch);
    void (*put)(struct leat_stage *node, struct leat_batch *batch);
    bool (*drained)(const struct leat_stage *node); /* a full one has come down to half; NULL: always */
};
struct leat_stage {
    const struct leat_stage_ops *ops;
};

static inline leat_rc leat_stage_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    return node->ops->reserve(node, batch);
}
static inline void leat_stage_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    node->ops->cancel(node, batch);
}
static inline void leat_stage_put(struct leat_stage *node, struct leat_batch *batch) { node->ops->put(node, batch); }
static inline bool leat_stage_drained(const struct leat_stage *node)
{
    return !node->ops->drained || node->ops->drained(node);
}

/* Offer and hand over in one: LEAT_OK and it is gone, anything else and it is still the caller's. */
leat_rc leat_stage_offer(struct leat_stage *node, struct leat_batch *batch) LEAT_MUST_CHECK;

/* ---- gate: one per shard. Waiters are called, once each, after something made room, and at least every 20 ms (room
 * may have been made on another shard). ---- */
struct leat_waiter {
    void (*wake)(struct leat_waiter *waiter);
    void *ctx;
    struct leat_list link; /* leat_list_init first */
};
struct leat_gate {
    struct leat_loop *loop;
    struct leat_list waiters;
    struct leat_task task;
    struct leat_timer timer;
};
void leat_gate_init(struct leat_gate *gate, struct leat_loop *loop);
void leat_gate_done(struct leat_gate *gate);
void leat_gate_wait(struct leat_gate *gate, struct leat_waiter *waiter); /* once, however often asked */
void leat_gate_forget(struct leat_waiter *waiter);
void leat_gate_open(struct leat_gate *gate); /* there is room now: wakes after the current callback */

/* ---- fan-out: the same bytes to several branches, all or none ---- */
struct leat_fanout;
struct leat_branch {
    struct leat_stage *to;
    const char *label;       /* for the alarm: "logs/default > loki" */
    uint64_t full_since_ns;  /* 0: it takes */
    uint64_t full_seen_ns;   /* when it was last seen full */
    bool cut;                /* cut loose until it has drained */
    bool reserved;           /* between reserve and put */
    struct leat_ledger ledger;
};
/* `wait_ns`: how long a full branch may stop the others (leat::fanout_wait). Branch 0..count-1 are filled by the caller. */
leat_rc leat_fanout_open(struct leat_loop *loop, uint32_t count, uint64_t wait_ns,
                         struct leat_fanout **ret_fanout) LEAT_MUST_CHECK;
struct leat_branch *leat_fanout_branch(struct leat_fanout *fanout, uint32_t index);
uint32_t leat_fanout_count(const struct leat_fanout *fanout);
struct leat_stage *leat_fanout_node(struct leat_fanout *fanout);
struct leat_fanout *leat_fanout_close(struct leat_fanout *fanout); /* always NULL */
