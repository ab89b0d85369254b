/* SPDX-License-Identifier: Apache-2.0 */
/* log -- what leat says about itself, on stderr unless told otherwise; one line an event.
 *
 * Why      an operator greps it: level, component id, sentence. Data never goes through here.
 * Threads  any; a line is one write.
 * Limits   LEAT_LOG_LIMITED says the same thing at most once a period and then how often it happened. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/rc.h"

enum leat_level { LEAT_LOG_DEBUG, LEAT_LOG_INFO, LEAT_LOG_WARN, LEAT_LOG_ERROR };

struct leat_log_conf {
    enum leat_level level;
    bool json;
    int fd; /* 2 */
};
void leat_log_configure(const struct leat_log_conf *conf);
bool leat_log_wants(enum leat_level level);
/* `who` is a component id ("otlp_http/backup") or an area ("config"); control characters are escaped. */
void leat_log(enum leat_level level, const char *who, const char *fmt, ...) LEAT_PRINTF(3, 4);

/* A place that may speak often: zero it and keep it beside the thing it speaks of. */
struct leat_log_limit {
    uint64_t next_ns;
    uint32_t missed;
};
#define LEAT_LOG_PERIOD_NS 10000000000ull
/* True when it may speak now; *ret_missed is how often it kept silent since. */
bool leat_log_may(struct leat_log_limit *limit, uint64_t mono_ns, uint32_t *ret_missed);

/* Many such places of one kind, targets for one: each speaks as before, all together in LEAT_LOG_CROWD_MAX lines a period.
 * *ret_hushed is how many lines of the whole crowd were kept back since one was let through. */
#define LEAT_LOG_CROWD_MAX 20u
struct leat_log_crowd {
    uint64_t next_ns;
    uint32_t said, hushed;
};
bool leat_log_may_among(struct leat_log_crowd *crowd, struct leat_log_limit *limit, uint64_t mono_ns, uint32_t *ret_missed,
                        uint32_t *ret_hushed);
