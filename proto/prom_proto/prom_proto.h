/* SPDX-License-Identifier: Apache-2.0 */
/* prom_proto -- io.prometheus.client.MetricFamily, one behind the other with their lengths: what a scrape in protobuf is.
 *
 * Why      the only format with native histograms. Read in place; told sample by sample in the order Prometheus uses.
 * Threads  pure functions over borrowed bytes; a native histogram's buckets lie in a struct of the caller's.
 * Limits   PROM_PROTO_LABELS_MAX labels of a metric; PROM_NATIVE_BUCKETS_MAX buckets of a histogram.
 * Fails    LEAT_EPARSE (malformed, or what Prometheus refuses), LEAT_ELIMIT, LEAT_ENOMEM, or what a callback answers. */
#pragma once
#include "proto/prom/prom.h"
#include "proto/protobuf/pb_read.h"

#define PROM_PROTO_LABELS_MAX 1024u

struct prom_proto_label {
    struct leat_slice name, value;
};
struct prom_proto_family {
    struct leat_slice name, help, unit;
    enum leat_prom_type type;
};
struct prom_proto_metric {
    const struct prom_proto_label *labels;
    uint32_t label_count;
    int64_t time_ms; /* 0: none */
};
struct prom_proto_sample {
    const char *suffix;     /* "", "_count", "_sum", "_bucket" */
    const char *bound_name; /* "le", "quantile"; NULL: none */
    double bound, value;
    int64_t start_ms;       /* 0: unknown */
    struct leat_slice exemplar; /* an Exemplar; len 0: none */
    bool native;                /* `message` is a Histogram to be read with prom_native_read */
    struct leat_slice message;
};
struct prom_proto_opts {
    bool native, classic_too; /* native histograms are read; with their classic buckets beside them */
};
struct prom_proto_calls {
    leat_rc (*family)(void *ctx, const struct prom_proto_family *family, struct leat_err *reterr); /* of one with metrics */
    leat_rc (*sample)(void *ctx, const struct prom_proto_family *family, const struct prom_proto_metric *metric,
                      const struct prom_proto_sample *sample, struct leat_err *reterr);
};
leat_rc prom_proto_read(struct leat_slice body, const struct prom_proto_opts *opts, const struct prom_proto_calls *calls,
                        void *ctx, struct leat_err *reterr) LEAT_MUST_CHECK;

struct prom_proto_exemplar {
    double value;
    int64_t time_ms;
    bool has_time;
    bool unfit; /* well-formed, but a label has no name or is no text, or there are too many: nobody takes it */
    struct prom_proto_label labels[PROM_PROTO_LABELS_MAX / 8];
    uint32_t label_count;
};
bool prom_proto_exemplar_read(struct leat_slice exemplar, struct prom_proto_exemplar *ret_exemplar); /* false: malformed */
/* Calls `each` with those a native histogram has: its own, else its classic buckets'; only those with a time. */
leat_rc prom_native_exemplars(struct leat_slice histogram, leat_rc (*each)(void *ctx, struct leat_slice exemplar), void *ctx);

/* ---- native histograms ---- */
#define PROM_NATIVE_BUCKETS_MAX 65536u
struct prom_native_bucket {
    int32_t index;
    union {
        int64_t count; /* not a difference */
        double value;
    };
};
struct prom_native { /* {0} is empty */
    bool is_float, gauge;
    int32_t schema;
    double sum, zero_threshold, count_float, zero_count_float;
    uint64_t count, zero_count;
    struct prom_native_bucket *at; /* the negative ones, then the positive ones; by index, none empty */
    uint32_t negative, positive, room;
};
/* Schema 9 to 52 comes out as 8. */
leat_rc prom_native_read(struct leat_slice histogram, bool gauge, struct prom_native *native,
                         struct leat_err *reterr) LEAT_MUST_CHECK;
/* Buckets twice as wide, until the schema is at most schema_max. */
void prom_native_reduce(struct prom_native *native, int32_t schema_max);
/* The same until there are at most buckets_max; false: not at the coarsest schema either. */
bool prom_native_fit(struct prom_native *native, uint64_t buckets_max);
struct pb_buf;
/* Fields 1..14 of a remote write Histogram. */
void prom_native_put(const struct prom_native *native, struct pb_buf *out);
void prom_native_done(struct prom_native *native);
