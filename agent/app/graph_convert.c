/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/conversions.h"
#include "agent/app/graph_inner.h"

struct leat_stage *leat_graph__convert_before(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline,
                                              const struct leat_plan_part *before, uint32_t arriving, uint32_t takes,
                                              struct leat_stage *next)
{
    if (!(arriving & ~takes))
        return next;
    struct leat_graph__convert *convert = &shard->converts[shard->convert_count++];
    convert->pipeline = pipeline;
    convert->before = before;
    leat_convert_init(&convert->convert, next, takes, leat_conversions);
    return &convert->convert.node;
}
