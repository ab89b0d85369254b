/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/memory_limiter/memory_limiter.h"

#define C(member) LEAT_AT(struct memory_limiter_conf, member)
#define GC "there is no garbage collector to pace: cached pages go back to the system at each check above a limit"
#define MIB_MAX 1048576.0

const struct leat_field memory_limiter_fields[] = {
    {"check_interval", LEAT_DURATION, C(check_interval_ns), NULL, "how often memory is measured; must be set",
     .max = 3.6e12},
    {"limit_mib", LEAT_INT, C(limit_mib), NULL, "most memory of the process, in MiB; wins over limit_percentage",
     .max = MIB_MAX},
    {"spike_limit_mib", LEAT_INT, C(spike_limit_mib), NULL, "room below the limit, in MiB; 0: 20 % of it",
     .max = MIB_MAX},
    {"limit_percentage", LEAT_INT, C(limit_percentage), NULL,
     "most memory of the process, in percent of the cgroup's limit, else of the machine's", .max = 100},
    {"spike_limit_percentage", LEAT_INT, C(spike_limit_percentage), NULL,
     "room below it, in percent; 0: 20 % of the limit", .max = 100},
    {"min_gc_interval_when_soft_limited", LEAT_IGNORED, 0, NULL, GC},
    {"min_gc_interval_when_hard_limited", LEAT_IGNORED, 0, NULL, GC},
    {"max_gc_interval_when_soft_limited", LEAT_IGNORED, 0, NULL, GC},
    {"max_gc_interval_when_hard_limited", LEAT_IGNORED, 0, NULL, GC},
    {0}};

const struct leat_counter_def memory_limiter_counters[] = {
    [MEMORY_LIMITER_ACCEPTED] = {"processor_memory_limiter_accepted_items_total", "", "items let through"},
    [MEMORY_LIMITER_REFUSED] = {"processor_memory_limiter_refused_items_total", "", "items told to come again"},
    [MEMORY_LIMITER_HARD] = {"processor_memory_limiter_over_limit_total", "", "measurements above the limit itself"},
    {0}};

void memory_limiter__limits(const struct memory_limiter_conf *conf, uint64_t total, uint64_t *ret_soft,
                            uint64_t *ret_hard)
{
    uint64_t hard, spike;
    if (conf->limit_mib) {
        hard = (uint64_t)conf->limit_mib << 20;
        spike = (uint64_t)conf->spike_limit_mib << 20;
    } else {
        hard = total / 100 * (uint64_t)conf->limit_percentage;
        spike = total / 100 * (uint64_t)conf->spike_limit_percentage;
    }
    if (!spike)
        spike = hard / 5;
    *ret_hard = hard;
    *ret_soft = hard - spike;
}

leat_rc memory_limiter__check(const void *conf, struct leat_err *reterr)
{
    const struct memory_limiter_conf *limiter = conf;
    if (limiter->check_interval_ns <= 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "'check_interval' must be greater than zero");
    if (!limiter->limit_mib && !limiter->limit_percentage)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "'limit_mib' or 'limit_percentage' must be greater than zero");
    if (limiter->limit_mib && limiter->spike_limit_mib >= limiter->limit_mib)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "'spike_limit_mib' must be smaller than 'limit_mib'");
    if (!limiter->limit_mib && limiter->spike_limit_percentage >= limiter->limit_percentage)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "'spike_limit_percentage' must be smaller than 'limit_percentage'");
    return LEAT_OK;
}
