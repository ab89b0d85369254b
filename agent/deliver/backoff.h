/* SPDX-License-Identifier: Apache-2.0 */
/* backoff -- how long to wait before the next try: the Collector's formula, or full jitter.
 *
 * interval(0) = initial; interval(n+1) = min(interval(n) * multiplier, max).
 * wait = interval * (1 +- randomization_factor), uniform; with full jitter: uniform in [0, interval].
 * A peer's own time (Retry-After, RetryInfo) wins when it is longer. */
#pragma once
#include "agent/base/world.h"
#include "agent/deliver/conf.h"

struct leat_backoff {
    uint64_t interval_ns; /* 0: not begun */
    uint64_t began_ns;    /* of the first try */
};
/* The wait before the next try, or UINT64_MAX when max_elapsed_time would pass by then. */
uint64_t leat_backoff_next(struct leat_backoff *backoff, const struct leat_retry_conf *conf, struct leat_world *world,
                           uint64_t peer_wait_ns);
