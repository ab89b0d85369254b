/* SPDX-License-Identifier: Apache-2.0 */
/* rw_otlp -- OTLP metrics as Prometheus samples: names, labels, histograms as series, target_info.
 *
 * Why      a destination that speaks remote write takes what applications send; the rules are the Collector's.
 * Threads  one shard's.
 * Owns     the rows of the last payload (a reference on each series), and what was made for points seen before.
 * Limits   `series_max` series are remembered; RW_LABELS_MAX labels a series, beyond which the point is rejected.
 * Fails    LEAT_EPARSE, LEAT_ENOMEM; a point that has no form there is a reject with its reason. */
#pragma once
#include "agent/base/arena.h"
#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_view.h"
#include "proto/prom/prom.h"
#include "proto/protobuf/pb_write.h"
#include "proto/remote_write/rw_cache.h"
#include "proto/remote_write/rw_labels.h"
#include "proto/remote_write/rw_name.h"

#define RW_LABELS_MAX 256u
#define RW_NO_ITEM UINT32_MAX /* a row that no data point asked for */

struct rw_otlp_conf {
    struct rw_namer namer;
    bool target_info, scope_labels;
    bool resource_labels, no_service_labels; /* resource attributes as labels of every series; but for service.* */
    uint32_t series_max;
};

struct rw_rows {
    struct leat_prom_sample *at;
    uint32_t *items; /* of each: the data point it comes from */
    uint32_t count, room;
    struct rw_reject {
        uint32_t item, count;
        const char *reason; /* static */
    } *rejects;
    uint32_t reject_count, reject_room;
    uint32_t item_count; /* data points read */
};

struct rw_otlp {
    struct rw_otlp_conf conf;
    struct rw_rows rows;
    struct rw_cache series, families, targets;
    struct leat_arena extras; /* what rows point to besides series */
    /* Where the walk is. */
    struct rw_key resource_key, scope_key, metric_key, point_key;
    struct leat_slice resource;
    struct leat_prom_target *target; /* borrowed from `targets`, or held */
    struct leat_prom_series *info;   /* the resource's target_info; held; NULL: none */
    uint64_t newest_ns;              /* of the resource's points */
    struct otlp_scope scope;
    struct leat_prom_family *family; /* held; NULL: not made yet for this metric */
    enum leat_prom_type type;
    struct leat_slice help, unit;
    struct leat_strbuf name;         /* the metric's */
    /* The labels of the point, made when the first of its series is new. */
    bool labels_made, labels_bad;
    struct rw_label labels[RW_LABELS_MAX];
    uint32_t label_count;
    struct leat_arena texts;
    struct leat_strbuf text, full_name;
    struct pb_buf encoded, native;
    bool no_memory;
};

void rw_otlp_init(struct rw_otlp *otlp, const struct rw_otlp_conf *conf);
void rw_otlp_done(struct rw_otlp *otlp);
/* Fills otlp->rows; they are good until the next read. */
leat_rc rw_otlp_read(struct rw_otlp *otlp, const struct leat_chain *payload, struct leat_err *reterr) LEAT_MUST_CHECK;

/* ---- inside this folder ---- */
enum rw_part { RW_PART_VALUE, RW_PART_SUM, RW_PART_COUNT, RW_PART_BUCKET, RW_PART_QUANTILE, RW_PART_TARGET_INFO };

struct rw_point {
    uint64_t start_ns, time_ns;
    uint32_t flags;
    double value; /* of a number; of others the sum */
    bool has_value;
    uint64_t count;
    struct leat_slice attributes; /* from the first to the last */
    uint32_t attributes_number;
    struct leat_slice message;
    uint32_t exemplars_number, exemplar_count;
    /* Exponential histograms. */
    int32_t scale;
    uint64_t zero_count;
    double zero_threshold;
    struct leat_slice positive, negative;
};
bool rw_point_of(enum otlp_metric_kind kind, struct leat_slice message, struct rw_point *ret_point);

struct rw_key rw_otlp__key(const void *at, size_t len);
void rw_otlp__resource(struct rw_otlp *otlp, struct leat_slice resource);
void rw_otlp__scope(struct rw_otlp *otlp, const struct otlp_scope *scope);
/* The series of a part of the point; NULL: no memory, or the point has no labels there (labels_bad). Borrowed. */
struct leat_prom_series *rw_otlp__series(struct rw_otlp *otlp, const struct rw_point *point, enum rw_part part, double bound);
struct leat_prom_series *rw_otlp__target_info(struct rw_otlp *otlp);
bool rw_otlp__exemplars(struct rw_otlp *otlp, const struct rw_point *point, struct leat_prom_extra *extra);
/* Fields of a remote write Histogram into otlp->native. NULL, or why not. */
const char *rw_otlp__native(struct rw_otlp *otlp, const struct rw_point *point);
bool rw_otlp__row(struct rw_otlp *otlp, struct leat_prom_series *series, uint64_t time_ns, double value,
                  const struct leat_prom_extra *extra, uint32_t item);
extern const char rw_otlp_delta[]; /* the reason of points of delta temporality */
void rw_otlp__reject(struct rw_otlp *otlp, uint32_t item, uint32_t count, const char *reason);
