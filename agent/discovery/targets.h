/* SPDX-License-Identifier: Apache-2.0 */
/* targets -- a list of targets while it is made; private to agent/discovery.
 *
 * Owns     everything in one arena, freed by whichever shard lets go last.
 * Fails    LEAT_ENOMEM: leat_targets_unref the list. */
#pragma once
#include "agent/base/arena.h"
#include "agent/base/list.h"
#include "agent/discovery/discovery.h"

struct leat_target_list {
    struct leat_targets shown;
    uint32_t room;
    struct leat_arena arena;
};
struct leat_target_list *leat_target_list_new(uint32_t job); /* NULL: out of memory */
leat_rc leat_target_list_add(struct leat_target_list *list, struct leat_labels labels, struct leat_slice url,
                             int64_t interval_ns, int64_t timeout_ns) LEAT_MUST_CHECK;
void leat_target_list_finish(struct leat_target_list *list); /* sorted, each target once */
bool leat_target_list_eq(const struct leat_targets *a, const struct leat_targets *b);
