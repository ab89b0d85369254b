/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus_remote_write -- metrics to whatever takes Prometheus' remote write, 1.0 and 2.0.
 *
 * Why      scraped samples leave as they came; OTLP metrics become samples by the Collector's rules.
 * Threads  as every exporter: one state per shard.
 * Order    a series' samples leave in order: its shard is chosen by job and instance (by its labels when it has no target),
 *          and one request of a shard is under way at a time.
 * Owns     what is remembered of each series, bounded by series_cache_size.
 * Limits   max_batch_size_bytes before compression ends a request.
 * Fails    LEAT_ENOMEM: the batch is encoded again later. */
#pragma once
#include "exporters/exporter.h"
#include "proto/prom/prom.h"
#include "proto/remote_write/rw1_put.h"
#include "proto/remote_write/rw2_put.h"
#include "proto/remote_write/rw_otlp.h"
#include "proto/remote_write/rw_snappy.h"

#define PRW_METADATA_KEYS_MAX 4u
#define PRW_SHARDS_MAX 1024

enum prw_message { PRW_AUTO, PRW_ONE, PRW_TWO };
enum prw_strategy { PRW_UNSET, PRW_ESCAPE_SUFFIXES, PRW_ESCAPE, PRW_UTF8_SUFFIXES, PRW_AS_IS };

struct prw_conf {
    const char *prefix; /* namespace */
    struct leat_map external_labels;
    int64_t batch_bytes_max, parallel_max; /* 0: num_consumers */
    struct {
        bool enabled, exclude_service_attributes;
    } resource_labels;
    struct {
        bool enabled;
    } target_info;
    bool disable_scope_info, add_metric_suffixes, send_metadata, retry_on_429;
    int strategy, message; /* enum prw_strategy, prw_message */
    struct leat_strings metadata_keys;
    int64_t series_max;
};

/* What a request is, in its tag: the kind in the two lowest bits, the samples in it above. */
enum prw_kind { PRW_KIND_ONE, PRW_KIND_TWO, PRW_KIND_METADATA };

#define PRW_COUNTS(X)                                                                                               \
    X(DELTA, "remote_write_delta_total", "OTLP points dropped for their delta temporality")                            \
    X(NO_FORM, "remote_write_no_form_total", "OTLP points dropped that have no form in Prometheus")                    \
    X(NEEDS_TWO, "remote_write_needs_two_total", "samples dropped that only 2.0 can carry")                            \
    X(PARTIAL, "remote_write_partial_total", "2.0 requests of which not all was written")                              \
    X(NOT_WRITTEN, "remote_write_not_written_total", "samples and histograms sent by 2.0 and not written")             \
    X(SAMPLES, "remote_write_samples_written_total", "samples written, by the word of a 2.0 destination")              \
    X(HISTOGRAMS, "remote_write_histograms_written_total", "histograms written, by the word of a 2.0 destination")     \
    X(EXEMPLARS, "remote_write_exemplars_written_total", "exemplars written, by the word of a 2.0 destination")

enum prw_count {
#define X(id, name, help) PRW_COUNT_##id,
    PRW_COUNTS(X)
#undef X
        PRW_COUNT_COUNT
};

struct prw_state {
    uint64_t *counts; /* NULL: nobody asks */
    const struct prw_conf *conf;
    const char *url;
    struct leat_world *world;
    uint32_t shard_count;
    uint64_t request_bytes_max;
    struct rw_label *external;
    struct rw_outgoing scraped, translated;
    struct rw1 one;
    struct rw2 two;
    struct rw_otlp otlp;
    /* What is known of the destination. */
    bool speaks_two;         /* a written-header has been seen */
    uint64_t one_until_ns;   /* it does not take 2.0; asked again after this. 0: not known */
    /* Families whose metadata went out in this minute, by the hash of their names. */
    uint64_t *families, minute;
    uint32_t family_count, family_size;
    struct pb_buf metadata;
    uint32_t metadata_count;
};

extern const struct leat_field prw_fields[];
extern const struct leat_field prw_delivery_fields[];

leat_rc prw_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc prw_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                 struct leat_err *reterr);
leat_rc prw_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc prw_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void prw_dump(const void *state, struct leat_strbuf *out);
void prw_close(void *state);

static inline void prw__count(const struct prw_state *prw, enum prw_count count, uint64_t n)
{
    if (prw->counts)
        __atomic_add_fetch(&prw->counts[count], n, __ATOMIC_RELAXED);
}
bool prw__sends_two(const struct prw_state *prw);
/* Notes the family for this minute's metadata; prw__metadata_end makes a request of what was noted. False: no memory. */
bool prw__metadata_note(struct prw_state *prw, const struct leat_prom_family *family, const struct rw_outgoing *outgoing,
                        struct leat_requests *out, const struct leat_batch *batch);
bool prw__metadata_end(struct prw_state *prw, struct leat_requests *out, const struct leat_batch *batch);
bool prw__headers(const struct prw_state *prw, const struct leat_batch *batch, struct leat_requests *out,
                  struct leat_request *request, enum prw_kind kind);
