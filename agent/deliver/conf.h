/* SPDX-License-Identifier: Apache-2.0 */
/* conf -- the Collector's keys that every exporter shares: sending_queue, retry_on_failure, timeout. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/field.h"

enum leat_sizer { LEAT_SIZER_REQUESTS, LEAT_SIZER_ITEMS, LEAT_SIZER_BYTES };

struct leat_queue_conf {
    bool enabled;
    int64_t num_consumers, queue_size;
    int sizer; /* enum leat_sizer */
    bool wait_for_result, block_on_overflow;
    const char *storage;
    struct {
        bool present, enabled;
        int64_t flush_timeout_ns, min_size, max_size;
        int sizer; /* 0: as the queue's (items when that is requests); else items, bytes */
    } batch;
};
struct leat_retry_conf {
    bool enabled;
    int64_t initial_interval_ns, max_interval_ns, max_elapsed_time_ns;
    double randomization_factor, multiplier;
    bool full_jitter; /* ours */
};
struct leat_deliver_conf {
    struct leat_queue_conf queue;
    struct leat_retry_conf retry;
    int64_t timeout_ns;
    struct {
        const char *path; /* NULL: what is refused is counted and gone */
        int64_t bytes_max;
    } dead_letter;
};
extern const struct leat_field leat_deliver_fields[];      /* timeout 5s */
extern const struct leat_field leat_deliver_http_fields[]; /* timeout 30s, as the Collector's HTTP exporters */
/* The two sections, for an exporter whose `delivery` names or defaults them otherwise. */
extern const struct leat_field leat_deliver_queue_fields[], leat_deliver_retry_fields[];
/* Cross-field rules (otel-surface 4.1). */
leat_rc leat_deliver_check(const struct leat_deliver_conf *conf, struct leat_err *reterr);
