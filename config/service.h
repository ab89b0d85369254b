/* SPDX-License-Identifier: Apache-2.0 */
/* service -- the settings of the agent itself: service::telemetry and leat:. Plain values, read-only once decoded. */
#pragma once
#include "config/schema.h"

enum leat_log_encoding { LEAT_LOG_CONSOLE, LEAT_LOG_JSON };
enum leat_metric_level { LEAT_METRICS_NONE, LEAT_METRICS_BASIC, LEAT_METRICS_NORMAL, LEAT_METRICS_DETAILED };

/* One endpoint that Prometheus reads leat's own metrics from. */
struct leat_metric_reader {
    bool written; /* false: the reader is of a kind leat refuses */
    const char *host;
    int64_t port;
    bool without_scope_info, without_units, without_type_suffix;
    struct leat_strings constant_labels; /* resource attributes put on every series */
};

struct leat_telemetry {
    int log_level;    /* index into leat_log_levels */
    int log_encoding; /* enum leat_log_encoding */
    struct leat_strings log_output_paths;
    int metric_level;          /* enum leat_metric_level */
    struct leat_items readers; /* struct leat_metric_reader */
    struct leat_value resource_value;
    struct leat_map resource; /* from resource_value; a NULL value removes a default attribute */
};

/* Bytes, or a share of something that only the running process knows. */
struct leat_amount {
    uint64_t bytes;
    double percent; /* > 0: this counts, not bytes */
};

struct leat_settings {
    const char *memory_limit_text, *memory_soft_limit_text;
    struct leat_amount memory_limit;      /* percent: of the cgroup's limit, else of RAM */
    struct leat_amount memory_soft_limit; /* percent: of memory_limit */
    int64_t shards;
    int64_t fanout_wait_ns;
    int64_t inflight_bytes;
    int64_t shutdown_timeout_ns;
};

extern const char *const leat_log_levels[]; /* debug, info, warn, error ... */
extern const struct leat_field leat_telemetry_fields[];
extern const struct leat_field leat_settings_fields[];

/* The parts of both that rows cannot say; mistakes go to the diag list. NULL node: the key is absent. */
leat_rc leat_service_decode_telemetry(struct leat_yaml *yaml, const struct leat_node *node,
                                      struct leat_telemetry *telemetry) LEAT_MUST_CHECK;
leat_rc leat_service_decode_settings(struct leat_yaml *yaml, const struct leat_node *node,
                                     struct leat_settings *settings) LEAT_MUST_CHECK;
