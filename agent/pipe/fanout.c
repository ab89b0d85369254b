/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/pipe/stage.h"

/* A branch: takes -> full (reserve said AGAIN) -> cut (full for wait_ns while another moved) -> takes (drained). */
struct leat_fanout {
    struct leat_stage node;
    struct leat_loop *loop;
    uint64_t wait_ns;
    uint32_t count;
    struct leat_branch branches[];
};

static bool skips(struct leat_branch *branch)
{
    if (branch->cut && leat_stage_drained(branch->to)) {
        branch->cut = false;
        branch->full_since_ns = 0;
        leat_log(LEAT_LOG_WARN, branch->label, "the branch has drained and takes data again; %llu items were dropped",
                 (unsigned long long)branch->ledger.dropped[LEAT_DROP_BRANCH_FULL]);
    }
    return branch->cut;
}

static void seen_full(struct leat_fanout *fanout, struct leat_branch *branch)
{
    uint64_t now = leat_loop_now_ns(fanout->loop);
    if (branch->full_since_ns == 0 ||
        now - branch->full_seen_ns > fanout->wait_ns) /* nobody looked for long: unknown */
        branch->full_since_ns = now ? now : 1;
    branch->full_seen_ns = now;
}

/* Full for too long while others move: it goes without, so that they can go on. */
static bool cut_loose(struct leat_fanout *fanout, struct leat_branch *branch, bool others_move)
{
    uint64_t now = leat_loop_now_ns(fanout->loop);
    if (!others_move || now - branch->full_since_ns < fanout->wait_ns)
        return false;
    branch->cut = true;
    leat_log(LEAT_LOG_ERROR, branch->label,
             "the branch has been full for %llu ms while others move: its items are dropped until it drains",
             (unsigned long long)((now - branch->full_since_ns) / 1000000));
    return true;
}

static void cancel_all(struct leat_fanout *fanout, const struct leat_batch *batch)
{
    for (uint32_t i = 0; i < fanout->count; i++) {
        struct leat_branch *branch = &fanout->branches[i];
        if (branch->reserved)
            leat_stage_cancel(branch->to, batch);
        branch->reserved = false;
    }
}

static leat_rc fanout_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_fanout *fanout = LEAT_CONTAINER(node, struct leat_fanout, node);
    leat_rc worst = LEAT_OK;
    uint32_t taking = 0;
    for (uint32_t i = 0; i < fanout->count; i++) {
        struct leat_branch *branch = &fanout->branches[i];
        leat_rc rc = skips(branch) ? LEAT_OK : leat_stage_reserve(branch->to, batch);
        branch->reserved = rc == LEAT_OK && !branch->cut;
        if (branch->reserved)
            branch->full_since_ns = 0;
        taking += branch->reserved;
        if (rc != LEAT_OK) {
            seen_full(fanout, branch);
            worst = rc;
        }
    }
    for (uint32_t i = 0; i < fanout->count && worst != LEAT_OK; i++) {
        struct leat_branch *branch = &fanout->branches[i];
        if (!branch->reserved && !branch->cut && !cut_loose(fanout, branch, taking > 0)) {
            cancel_all(fanout, batch);
            return worst;
        }
    }
    if (taking > 0)
        return LEAT_OK;
    cancel_all(fanout, batch);
    return LEAT_AGAIN; /* every branch is cut: then they wait together, nothing is thrown away */
}

static void fanout_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    cancel_all(LEAT_CONTAINER(node, struct leat_fanout, node), batch);
}

static void put_one(struct leat_branch *branch, struct leat_batch *batch)
{
    leat_ledger_in(&branch->ledger, batch->item_count, batch->payload.bytes);
    if (branch->reserved) {
        branch->reserved = false;
        leat_ledger_out(&branch->ledger, batch->item_count, batch->payload.bytes);
        leat_stage_put(branch->to, batch);
    } else {
        leat_ledger_drop(&branch->ledger, LEAT_DROP_BRANCH_FULL, batch->item_count);
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_BRANCH_FULL);
    }
}

static void fanout_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct leat_fanout *fanout = LEAT_CONTAINER(node, struct leat_fanout, node);
    leat_ack_split(batch->ack, fanout->count - 1);
    for (uint32_t i = 0; i + 1 < fanout->count; i++) {
        struct leat_branch *branch = &fanout->branches[i];
        struct leat_batch *twin = leat_batch_share(batch);
        if (twin) {
            put_one(branch, twin);
            continue;
        }
        if (branch->reserved)
            leat_stage_cancel(branch->to, batch);
        branch->reserved = false;
        leat_ledger_in(&branch->ledger, batch->item_count, batch->payload.bytes);
        leat_ledger_drop(&branch->ledger, LEAT_DROP_MEMORY, batch->item_count);
        leat_ack_settle(batch->ack, LEAT_DROPPED, LEAT_DROP_MEMORY, batch->item_count);
        leat_ack_close(batch->ack);
    }
    put_one(&fanout->branches[fanout->count - 1], batch);
}

static bool fanout_drained(const struct leat_stage *node)
{
    const struct leat_fanout *fanout = LEAT_CONTAINER(node, struct leat_fanout, node);
    for (uint32_t i = 0; i < fanout->count; i++)
        if (!fanout->branches[i].cut && !leat_stage_drained(fanout->branches[i].to))
            return false;
    return true;
}

static const struct leat_stage_ops fanout_ops = {fanout_reserve, fanout_cancel, fanout_put, fanout_drained};

leat_rc leat_fanout_open(struct leat_loop *loop, uint32_t count, uint64_t wait_ns, struct leat_fanout **ret_fanout)
{
    LEAT_CHECK(count > 0);
    struct leat_fanout *fanout = leat_zalloc(1, sizeof *fanout + count * sizeof fanout->branches[0]);
    if (!fanout)
        return LEAT_ENOMEM;
    fanout->node.ops = &fanout_ops;
    fanout->loop = loop;
    fanout->wait_ns = wait_ns;
    fanout->count = count;
    *ret_fanout = fanout;
    return LEAT_OK;
}

struct leat_branch *leat_fanout_branch(struct leat_fanout *fanout, uint32_t index)
{
    return &fanout->branches[index];
}
uint32_t leat_fanout_count(const struct leat_fanout *fanout)
{
    return fanout->count;
}
struct leat_stage *leat_fanout_node(struct leat_fanout *fanout)
{
    return &fanout->node;
}

struct leat_fanout *leat_fanout_close(struct leat_fanout *fanout)
{
    leat_free(fanout);
    return NULL;
}
