/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that was not there when something was to be encoded or compressed: is it worth waiting for?
 *
 *   held by others, or by requests that end by themselves  yes, for as long as anything is tried
 *   held by what stands behind, and waits for this          no
 *   an eighth of all is free                                no: it wants more than a batch may
 *
 * What has parts is cut rather than kept waiting: they may find room where the whole does not, and nothing is lost. */
#include "agent/deliver/sender_inner.h"

#define FAILURES_MAX 20u

/* A request is on its way, or will be by itself: when it ends, memory comes back. */
static bool something_ends(struct leat_sender *sender)
{
    LEAT_LIST_EACH (node, &sender->shots)
        if (LEAT_CONTAINER(node, struct leat_sender__shot, link)->state != LEAT_SHOT_READY)
            return true;
    return false;
}

/* All that this sender has in memory. */
static uint64_t bytes_held(struct leat_sender *sender)
{
    uint64_t bytes = sender->queued_bytes + sender->out_bytes;
    LEAT_LIST_EACH (node, &sender->shots)
        bytes += LEAT_CONTAINER(node, struct leat_sender__shot, link)->request->body.bytes;
    return bytes;
}

/* Too much is held by what does not wait for this. */
static bool others_end(struct leat_sender *sender, bool parts)
{
    const struct leat_budget *budget = leat_pool_budget(leat_pool_here());
    if (!budget || !budget->hard_bytes)
        return false;
    uint64_t behind = parts ? sender->queued_bytes : 0;
    if (!something_ends(sender)) {
        if (parts)
            return false;
        behind = bytes_held(sender);
    }
    uint64_t most = budget->hard_bytes - budget->hard_bytes / LEAT_SENDER__SHARE_MAX;
    return __atomic_load_n(&budget->used_bytes, __ATOMIC_RELAXED) > behind + most;
}

bool leat_sender__in_vain(struct leat_sender *sender, struct leat_sender__want *want, bool parts)
{
    uint64_t now = leat_loop_now_ns(sender->loop), max = (uint64_t)sender->conf->retry.max_elapsed_time_ns;
    if (!want->began_ns || sender->held) /* the time on hold is no time of trying */
        want->began_ns = now;
    bool hopes = (!max || now - want->began_ns < max) && others_end(sender, parts);
    want->failures = hopes ? 0 : want->failures + 1;
    return want->failures >= FAILURES_MAX;
}
