/* SPDX-License-Identifier: Apache-2.0 */
/* rw_to_otlp_inner -- what a scrape is while its samples are put together. Shared inside this folder. */
#pragma once
#include "agent/base/arena.h"
#include "proto/otlp/otlp_view.h"
#include "proto/prom/prom.h"
#include "proto/protobuf/pb_write.h"

struct rw_sum_value {
    double bound, value;
    uint32_t place; /* among those of its point */
};
struct rw_exemplar_ref {
    const struct leat_prom_exemplar *exemplar;
    int64_t sample_ms;
    struct rw_exemplar_ref *next;
};
/* One data point. */
struct rw_group {
    struct rw_group *next;
    uint64_t key;
    const struct leat_prom_series *series; /* whose labels are its attributes */
    int64_t time_ms, start_ms;
    double value, sum, count;
    bool has_value, has_sum, has_count, custom;
    struct leat_slice native; /* a remote write Histogram */
    struct rw_sum_value *values;
    uint32_t value_count, value_room;
    struct rw_exemplar_ref *exemplars, **exemplars_end;
};
struct rw_metric {
    struct rw_metric *next;
    struct rw_scope *scope;
    struct leat_slice name, help, unit, family; /* family: as in the metadata line */
    enum leat_prom_type type;
    bool native;
    enum otlp_metric_kind kind;
    struct rw_group *groups, **groups_end;
    struct rw_group *last;
};
struct rw_scope {
    struct rw_scope *next;
    struct rw_resource *resource;
    struct leat_slice name, version, schema_url;
    struct leat_slice attributes; /* KeyValue fields with number 3, as in the scope's message */
    struct rw_metric *metrics, **metrics_end;
};
struct rw_info {
    struct leat_slice key, value;
    struct rw_info *next;
};
struct rw_resource {
    struct rw_resource *next;
    struct leat_slice job, instance;
    const struct leat_prom_target *target;
    struct rw_info *infos; /* of target_info; a later one of a key wins */
    struct rw_scope *scopes, **scopes_end;
};

struct rw_scrape {
    struct leat_arena arena;
    struct rw_resource *resources, **resources_end;
    struct rw_resource *last_resource;
    struct rw_scope *last_scope;
    struct rw_metric *last_metric;
    struct rw_index {
        uint64_t key;
        void *value;
    } *index; /* metrics and groups by key */
    uint32_t index_size;
    struct pb_buf scratch;
};

/* Writes all of it; answers the data points. */
uint32_t rw_scrape__put(struct rw_scrape *scrape, struct pb_buf *out);
bool rw_label__is_scope(struct leat_slice name);
bool rw_label__is_left_out(struct leat_slice name, enum otlp_metric_kind kind);
