/* SPDX-License-Identifier: Apache-2.0 */
/* prom -- Prometheus samples in memory: interned series whose label bytes are made once, and samples of one fixed size.
 *
 * Why      a scrape repeats the same thousands of label sets every few seconds; a batch names each series by a reference,
 *          so that a sample is 32 bytes and its labels are never built, hashed or compared again.
 * Shape    a payload of the `prom` form is a chain of arrays of struct leat_prom_sample inside chunks. A chunk holds a
 *          reference on each series it names; the last reference to the chunk gives them back. An item is one sample.
 * Order    samples of one family lie side by side, in the order of the page: the conversion to OTLP joins a histogram's
 *          series by that, and cutting keeps families whole where it can, else data points.
 * Threads  made, referenced and released on one shard; other shards read only what a batch in their hands names.
 *          A series, a family and a target never change once a sample names them: new metadata is a new series.
 * Owns     counts are plain integers; _new answers with one reference for the caller.
 * Fails    NULL or LEAT_ENOMEM; nothing is half done. */
#pragma once
#include "agent/base/form.h"

/* Numbers of MetricMetadata.MetricType (remote write 1.0, prometheus/types.proto) and of 2.0's Metadata. */
enum leat_prom_type {
    LEAT_PROM_UNKNOWN, LEAT_PROM_COUNTER, LEAT_PROM_GAUGE, LEAT_PROM_HISTOGRAM, LEAT_PROM_GAUGE_HISTOGRAM,
    LEAT_PROM_SUMMARY, LEAT_PROM_INFO, LEAT_PROM_STATESET
};

#define LEAT_PROM_STALE_BITS 0x7ff0000000000002ull /* the stale marker, a NaN of its own */
#define LEAT_PROM_NAN_BITS 0x7ff8000000000001ull   /* what any other NaN becomes on the wire */

/* Where samples were scraped. */
struct leat_prom_target {
    uint32_t refs;
    uint64_t id;                  /* never used twice in a process */
    struct leat_slice job, instance;
    struct leat_slice resource;   /* body of an OTLP Resource message that says the same, for the conversion */
};
struct leat_prom_target *leat_prom_target_new(struct leat_slice job, struct leat_slice instance,
                                              struct leat_slice resource) LEAT_MUST_CHECK; /* copies */
struct leat_prom_target *leat_prom_target_ref(struct leat_prom_target *target);
struct leat_prom_target *leat_prom_target_unref(struct leat_prom_target *target); /* always NULL; NULL is a no-op */

/* What # TYPE, # HELP and # UNIT said. */
struct leat_prom_family {
    uint32_t refs;
    enum leat_prom_type type;
    uint64_t id;
    struct leat_slice name, help, unit; /* name: as in the metadata line */
};
struct leat_prom_family *leat_prom_family_new(enum leat_prom_type type, struct leat_slice name, struct leat_slice help,
                                              struct leat_slice unit) LEAT_MUST_CHECK; /* copies */
struct leat_prom_family *leat_prom_family_ref(struct leat_prom_family *family);
struct leat_prom_family *leat_prom_family_unref(struct leat_prom_family *family);

/* One label set of one target, after relabelling. */
struct leat_prom_series {
    uint32_t refs;
    uint32_t label_count, label_bytes;
    uint64_t id;                       /* never used twice in a process, small and dense enough to index a table */
    uint64_t hash;                     /* of `labels` */
    struct leat_prom_target *target;   /* NULL: not scraped */
    struct leat_prom_family *family;   /* NULL: no metadata */
    uint8_t labels[];                  /* the `labels` fields of a TimeSeries (remote write 1.0), sorted by name */
};
/* `labels`: encoded as above; sorted, no empty name or value, no name twice: the caller's promise. */
struct leat_prom_series *leat_prom_series_new(struct leat_slice labels, uint32_t label_count, struct leat_prom_target *target,
                                              struct leat_prom_family *family) LEAT_MUST_CHECK;
struct leat_prom_series *leat_prom_series_ref(struct leat_prom_series *series);
struct leat_prom_series *leat_prom_series_unref(struct leat_prom_series *series);
uint64_t leat_prom_series_bytes(const struct leat_prom_series *series); /* of memory, for who charges it */

/* Steps over a series' labels: `*at` is 0 at first; false at the end. */
bool leat_prom_label_next(const struct leat_prom_series *series, uint32_t *at, struct leat_slice *ret_name,
                          struct leat_slice *ret_value);

/* Whether they are parts of one data point: series of a histogram or summary that differ in name and bound alone. */
bool leat_prom_same_point(const struct leat_prom_series *a, const struct leat_prom_series *b);

#define LEAT_PROM_EXEMPLAR_CHARS_MAX 128u /* of an exemplar's names and values, as OpenMetrics says */
struct leat_prom_exemplar {
    double value;
    int64_t time_ms;
    bool has_time;
    uint32_t label_bytes;
    const uint8_t *labels; /* the `labels` fields of an Exemplar (remote write 1.0) */
};
/* What few samples have; lies in the sample's chunk. */
struct leat_prom_extra {
    int64_t start_ms;                 /* created time; 0: unknown */
    uint32_t exemplar_count;
    uint32_t histogram_bytes;         /* 0: a plain sample */
    const struct leat_prom_exemplar *exemplars;
    const uint8_t *histogram;         /* fields 1..14 and 16 of a remote write Histogram; a stale one has `sum` alone */
};
struct leat_prom_sample {
    struct leat_prom_series *series;
    int64_t time_ms;
    double value;                     /* of a histogram: its sum, the stale marker included */
    const struct leat_prom_extra *extra; /* NULL: nothing more */
};
_Static_assert(sizeof(struct leat_prom_sample) == 32, "a sample is four words");

static inline bool leat_prom_is_stale(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == LEAT_PROM_STALE_BITS;
}
static inline double leat_prom_stale(void)
{
    uint64_t bits = LEAT_PROM_STALE_BITS;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- making a payload ---- */
struct leat_prom_builder { /* {0} is empty */
    struct leat_chain chain; /* what is closed */
    struct leat_mem *chunk;  /* the open one */
    uint32_t first;          /* its first sample that is not in the chain yet */
    uint32_t items;
};
/* Adds a reference on the series; `extra` and all it points to is copied, NULL: none. */
leat_rc leat_prom_builder_add(struct leat_prom_builder *builder, struct leat_prom_series *series, int64_t time_ms, double value,
                              const struct leat_prom_extra *extra) LEAT_MUST_CHECK;
/* What was added becomes a payload of *ret_items items; the builder goes on in the same chunk. */
leat_rc leat_prom_builder_take(struct leat_prom_builder *builder, struct leat_chain *ret_payload,
                               uint32_t *ret_items) LEAT_MUST_CHECK;
/* Whether `series` belongs to the data point of what was added last: a bad place to take. */
bool leat_prom_builder_goes_on(const struct leat_prom_builder *builder, const struct leat_prom_series *series);
void leat_prom_builder_done(struct leat_prom_builder *builder); /* drops what was not taken */

/* ---- reading one: every slice is an array of whole samples ---- */
static inline const struct leat_prom_sample *leat_prom_samples(const struct leat_slice *slice, uint32_t *ret_count)
{
    *ret_count = slice->len / (uint32_t)sizeof(struct leat_prom_sample);
    return (const struct leat_prom_sample *)(const void *)slice->at;
}

extern const struct leat_form_ops leat_prom_form; /* count, merge, cut, pick; no freeze: series are of this process */
