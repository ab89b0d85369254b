/* SPDX-License-Identifier: Apache-2.0 */
/* memory_limiter -- refuses what comes while the process uses too much memory; private to this folder.
 *
 * Why      an overloaded node agent must push back before the kernel kills it.
 * Threads  one state per pipeline and shard; each measures by itself.
 * Limits   soft = limit - spike: above it nothing new is let in; above the limit cached pages are given back as well.
 * Fails    when the memory cannot be measured the payload pages in use count alone, with a warning. */
#pragma once
#include "agent/base/log.h"
#include "processors/processor.h"

enum memory_limiter_row { MEMORY_LIMITER_ACCEPTED, MEMORY_LIMITER_REFUSED, MEMORY_LIMITER_HARD };

struct memory_limiter_conf {
    int64_t check_interval_ns;
    int64_t limit_mib, spike_limit_mib, limit_percentage, spike_limit_percentage;
};

struct memory_limiter {
    struct leat_host *host;
    uint64_t soft_bytes, hard_bytes, used_bytes;
    uint64_t interval_ns;
    struct leat_timer timer;
    bool refuses;
    struct leat_log_limit blind;
};

extern const struct leat_field memory_limiter_fields[];
extern const struct leat_counter_def memory_limiter_counters[];
leat_rc memory_limiter__check(const void *conf, struct leat_err *reterr);
/* Soft and hard limit of a conf, `total` being what percentages are of. */
void memory_limiter__limits(const struct memory_limiter_conf *conf, uint64_t total, uint64_t *ret_soft,
                            uint64_t *ret_hard);

/* memory_limiter_rss.c: what the process uses, and giving back what it does not */
leat_rc memory_limiter__rss(struct leat_world *world, const char *statm_path, uint64_t *ret_bytes);
void memory_limiter__give_back(void);

leat_rc memory_limiter__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                             struct leat_err *reterr);
leat_rc memory_limiter__admit(void *state, const struct leat_batch *batch);
struct leat_batch *memory_limiter__process(void *state, struct leat_batch *batch);
void memory_limiter__judge(struct memory_limiter *limiter, uint64_t used_bytes);
void memory_limiter__dump(const void *state, struct leat_strbuf *out);
void memory_limiter__close(void *state);
