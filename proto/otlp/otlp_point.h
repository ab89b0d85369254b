/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_point -- a data point read in place, of whichever of the five kinds, and its exemplars and arrays of numbers.
 *
 * Why      what asks for a metric's values walks its points once and copies each number to where it goes.
 * Threads  pure functions over borrowed bytes.
 * Fails    false for bytes the door would not let in.
 *
 *   struct leat_slice rest = metric.data, message; struct otlp_point point;
 *   while (otlp_message_next(&rest, 1, &message) && otlp_point_of(metric.kind, message, &point)) ... */
#pragma once
#include "proto/otlp/otlp_view.h"

struct otlp_point {
    uint64_t start_unix_nano, time_unix_nano;
    uint32_t flags;               /* 1: no recorded value */
    double value;                 /* GAUGE, SUM: also of an integer; 0 when there is none */
    enum otlp_value_kind kind;    /* of it: OTLP_REAL, OTLP_INTEGER, OTLP_EMPTY */
    uint64_t count;
    double sum, min, max;         /* 0 when absent */
    bool has_sum, has_min, has_max;
    int32_t scale, positive_offset, negative_offset;
    uint64_t zero_count;
    double zero_threshold;
    struct leat_slice attributes; /* first to last; their number: otlp_point_attributes(kind) */
    struct leat_slice exemplars;  /* first to last; their number: otlp_point_exemplars(kind) */
    struct leat_slice positive, negative; /* Buckets: counts are number 2, varints */
    struct leat_slice message;    /* HISTOGRAM: counts 6, bounds 7, fixed; SUMMARY: quantiles 6 */
};
uint32_t otlp_point_attributes(enum otlp_metric_kind kind);
uint32_t otlp_point_exemplars(enum otlp_metric_kind kind); /* 0: it has none */
bool otlp_point_of(enum otlp_metric_kind kind, struct leat_slice message, struct otlp_point *ret_point);

struct otlp_exemplar {
    uint64_t time_unix_nano;
    double value;
    struct leat_slice trace_id, span_id;
    struct leat_slice message; /* filtered attributes are number 7 */
};
bool otlp_exemplar_of(struct leat_slice message, struct otlp_exemplar *ret_exemplar);

struct otlp_quantile {
    double quantile, value;
};
struct otlp_quantile otlp_quantile_of(struct leat_slice message);

/* A repeated number, packed or not: bits of a fixed 64-bit field, or a varint. */
struct otlp_numbers {
    struct leat_slice rest, packed;
    uint32_t number;
    bool fixed;
};
static inline struct otlp_numbers otlp_numbers_of(struct leat_slice message, uint32_t number, bool fixed)
{
    return (struct otlp_numbers){.rest = message, .number = number, .fixed = fixed};
}
bool otlp_numbers_next(struct otlp_numbers *numbers, uint64_t *ret_value); /* false: no more */
