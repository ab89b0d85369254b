/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus -- scrapes targets as Prometheus does; private to this folder.
 *
 * Why      a page repeats its lines: what names a series is looked up as the bytes it is, so that a known line costs a
 *          comparison with what followed last time, a number and 32 bytes. Labels are made once in a series' life.
 * Threads  discovery runs on shard 0 and feeds all shards; a target belongs to one shard by hash. No lock anywhere.
 * Owns     a target owns its cache of series and what it has not got rid of; a batch holds its series alive.
 * Limits   max_series, max_series_per_target, max_line_bytes, max_body_bytes, and Prometheus' own. Caches are charged to the memory budget.
 * Fails    a page that cannot be read whole counts for nothing: its series end with stale markers, `up` is 0. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/list.h"
#include "agent/base/strbuf.h"
#include "agent/discovery/discovery.h"
#include "agent/discovery/fetch.h"
#include "agent/discovery/relabel.h"
#include "agent/discovery/ticks.h"
#include "agent/pipe/batch.h"
#include "agent/pipe/host.h"
#include "proto/prom_text/prom_text.h"
#include "proto/protobuf/pb_write.h"

enum prometheus_row {
    PROMETHEUS_SCRAPES,
    PROMETHEUS_FAIL_CONNECT,
    PROMETHEUS_FAIL_TIMEOUT,
    PROMETHEUS_FAIL_STATUS,
    PROMETHEUS_FAIL_PAGE,
    PROMETHEUS_FAIL_BODY_SIZE,
    PROMETHEUS_FAIL_SAMPLE_LIMIT,
    PROMETHEUS_FAIL_LABEL_LIMIT,
    PROMETHEUS_FAIL_BUCKET_LIMIT,
    PROMETHEUS_FAIL_TARGET_LIMIT,
    PROMETHEUS_FAIL_SERIES_LIMIT,
    PROMETHEUS_FAIL_MEMORY,
    PROMETHEUS_SKIPPED_ROOM,
    PROMETHEUS_SKIPPED_SLOW,
    PROMETHEUS_SKIPPED_CLOCK,
    PROMETHEUS_DUPLICATE,
    PROMETHEUS_OUT_OF_ORDER,
    PROMETHEUS_OUT_OF_BOUNDS,
    PROMETHEUS_EXEMPLAR_UNFIT,
    PROMETHEUS_STALE,
    PROMETHEUS_SERIES_ADDED,
    PROMETHEUS_SERIES_REMOVED,
    PROMETHEUS_TARGETS_ADDED,
    PROMETHEUS_TARGETS_REMOVED,
    PROMETHEUS_GUESSED,
    PROMETHEUS_BODY_BYTES,
    PROMETHEUS_REGEX_LIMIT,
    PROMETHEUS_ROWS
};
extern const struct leat_counter_def prometheus__counters[];
/* Which limit an LEAT_EFULL is about (its sys); 0: max_series or max_series_per_target. */
enum { PROMETHEUS_OVER_SAMPLES = 1, PROMETHEUS_OVER_BUCKETS, PROMETHEUS_OVER_TARGETS };

/* ---- configuration ---- */

struct prometheus_limits { /* as written: 0 or NULL is what `global` says */
    int64_t sample_limit, label_limit, label_name_length_limit, label_value_length_limit, target_limit;
    const char *body_size_limit;
};
struct prometheus_common { /* keys of `global` that a job may say otherwise */
    const char *scrape_interval, *scrape_timeout;
    struct leat_strings scrape_protocols;
    struct leat_value scrape_native_histograms, always_scrape_classic_histograms, convert_classic_histograms_to_nhcb,
        extra_scrape_metrics;
    const char *metric_name_validation_scheme, *metric_name_escaping_scheme;
    struct prometheus_limits limits;
};
struct prometheus_job_conf {
    const char *job_name;
    struct prometheus_common common;
    const char *metrics_path, *scheme, *fallback_scrape_protocol;
    struct leat_value params;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, enable_compression;
    int64_t native_histogram_bucket_limit;
    double native_histogram_min_bucket_factor;
    struct leat_fetch_conf fetch;
    struct leat_sd_conf sd;
    struct leat_items relabel_configs, metric_relabel_configs;
};
struct prometheus_conf {
    struct {
        struct prometheus_common common;
        struct leat_map external_labels;
    } global;
    struct leat_items scrape_configs;
    bool trim_metric_suffixes;
    int64_t max_series, max_series_per_target, max_line_bytes, max_body_bytes, max_batch_samples;
};
extern const struct leat_field prometheus__fields[];
leat_rc prometheus__check(const void *conf, struct leat_err *reterr);

enum prometheus_format { PROMETHEUS_UNKNOWN, PROMETHEUS_CLASSIC, PROMETHEUS_OPEN_METRICS, PROMETHEUS_PROTO };
#define PROMETHEUS_ACCEPT_MAX 512u

/* What a job comes to, `global` and defaults put in. */
struct prometheus_settings {
    int64_t interval_ns, timeout_ns, body_size_limit;
    uint64_t sample_limit, label_limit, label_name_length_limit, label_value_length_limit, target_limit;
    bool native_histograms, classic_too, extra_metrics, legacy_names;
    enum leat_name_scheme names;
    int32_t schema_max;
    enum prometheus_format fallback;
    char accept[PROMETHEUS_ACCEPT_MAX];
};
leat_rc prometheus__settings(const struct prometheus_conf *conf, const struct prometheus_job_conf *job,
                             struct prometheus_settings *ret_settings, struct leat_err *reterr);
/* The parser for a Content-Type; PROMETHEUS_UNKNOWN: missing or none of ours. */
enum prometheus_format prometheus__format_of(struct leat_slice content_type);

/* ---- the cache of a target's series ---- */

enum {
    PROMETHEUS_DROPPED = 1,
    PROMETHEUS_CREATED = 2,
    PROMETHEUS_HISTOGRAM = 4,
    PROMETHEUS_INFO = 8,
    PROMETHEUS_FRESH = 16 /* tracked on this page and not on the one before */
};

/* What names a series on the page (raw bytes), and what it came to. */
struct prometheus_entry {
    struct prometheus_entry *next; /* what followed it on the last page: the guess for the next line */
    struct prometheus_entry *main; /* another raw text came to the same labels first; NULL: this is the one */
    struct leat_prom_series *series;           /* NULL: dropped by relabelling, or main has it */
    uint64_t under;                            /* id of the family whose metadata stood above it; 0: none */
    int64_t last_ms;                           /* of samples with times of their own; INT64_MIN: none */
    uint32_t raw_seen, seen;                   /* generations: on a page, and tracked for staleness */
    uint32_t last_value;                       /* of the sample at last_ms, mixed */
    uint32_t hash, group, exemplar, raw_len;
    uint16_t aliases;
    uint16_t flags;
    uint8_t raw[];
};
struct prometheus_table {
    struct prometheus_entry **at;
    uint32_t room, count; /* a power of two */
};
/* Metadata of one family, as the page says it. */
struct prometheus_meta {
    struct prometheus_meta *next; /* all of them */
    struct leat_prom_family *built;
    enum leat_prom_type type;
    uint32_t hash, seen;
    bool changed;
    struct leat_slice name, help, unit; /* blocks of their own: leat_free */
};
struct prometheus_cache {
    struct prometheus_table by_raw, by_labels;
    struct prometheus_meta **metas, *meta_list; /* hash table; all */
    uint32_t meta_room, meta_count;
    struct prometheus_entry *first; /* of the page */
    uint32_t generation, tracked_generation; /* of this page; of the page whose series are tracked */
    uint32_t tracked;                        /* how many */
    uint32_t successful;                     /* entries after the last whole page */
    uint32_t whole;                          /* generation of the last whole page that had a body */
    uint64_t bytes, charged;
};
/* NULL: not known. */
struct prometheus_entry *prometheus__find(const struct prometheus_cache *cache, struct leat_slice raw, uint32_t hash);
uint32_t prometheus__hash(struct leat_slice raw);
/* A new entry that nobody has linked yet; NULL: out of memory. */
struct prometheus_entry *prometheus__entry_new(struct prometheus_cache *cache, struct leat_slice raw, uint32_t hash);
/* Makes it findable. `by_labels` too when it has a series and is nobody's alias. */
leat_rc prometheus__entry_link(struct prometheus_cache *cache, struct prometheus_entry *entry);
void prometheus__entry_free(struct prometheus_cache *cache, struct prometheus_entry *entry);
struct prometheus_entry *prometheus__find_labels(const struct prometheus_cache *cache, uint64_t hash, const uint8_t *labels,
                                                 uint32_t label_bytes);
/* Removes what was not seen in `generation`; answers how many. Without memory for it, nothing goes. */
uint32_t prometheus__evict(struct prometheus_cache *cache, uint32_t generation);
/* The row of a family, made when new; NULL: out of memory or over `room_max`. */
struct prometheus_meta *prometheus__meta(struct prometheus_cache *cache, struct leat_slice name, uint32_t room_max);
bool prometheus__meta_set(struct prometheus_cache *cache, struct prometheus_meta *meta, struct leat_slice *text,
                          struct leat_slice value); /* false: memory */
/* Families that have not stood on the last `pages` pages go; 0: all. */
void prometheus__forget_metas(struct prometheus_cache *cache, uint32_t pages);
enum prometheus_help { PROMETHEUS_HELP_PLAIN, PROMETHEUS_HELP_ESCAPES, PROMETHEUS_HELP_QUOTES }; /* how help was written */
struct leat_prom_family *prometheus__meta_family(struct prometheus_meta *meta, enum prometheus_help help); /* NULL: memory */
void prometheus__cache_done(struct prometheus_cache *cache);
/* Keeps the budget's books; false: it says no. */
bool prometheus__charge(struct prometheus_cache *cache);
#define PROMETHEUS_EACH(table, i, entry_) \
    for (uint32_t i = 0; i < (table)->room; i++) \
        for (struct prometheus_entry *entry_ = (table)->at[i]; entry_; entry_ = NULL)

/* ---- one job, one target ---- */

struct prometheus_state;

struct prometheus_job {
    struct prometheus_state *state;
    const struct prometheus_job_conf *conf;
    struct prometheus_settings settings;
    struct leat_relabel *metric_relabel; /* NULL: none */
    struct leat_fetcher *fetcher;
    struct leat_targets *targets; /* the last list; referenced */
    struct leat_timer again;      /* it has not been taken whole, for lack of memory */
    uint64_t limited; /* searches of metric_relabel that were counted */
    bool over_target_limit;
};

#define PROMETHEUS_AHEAD_MS_MAX 600000 /* samples later than now by more are out of bounds */
#define PROMETHEUS_REPORTS 8u
struct prometheus_parcel { /* a batch, from the page to its final ack */
    struct leat_list link;   /* of the scrape, then of the target; of none once it was emitted */
    struct leat_ack ack;
    struct prometheus_state *state;
    struct leat_batch *batch;
};

/* On the list: tick -> fetching -> page and report -> parcels -> tick ...; a tick that finds it fetching or parcels waiting is left out.
 * Gone from it: ticks_left 3 -(tick: stale_ms)-> 2 -(tick)-> 1 -(a tenth of the interval: markers)-> 0 -(parcels away)-> freed.
 * Back on it at any time before that: as if it had never gone. */
struct prometheus_target {
    struct leat_list link; /* state->targets */
    struct prometheus_job *job;
    struct leat_targets *list; /* keeps `at` */
    const struct leat_target *at;
    struct leat_prom_target *who;
    struct leat_labels shown; /* without "__": put on every series; slices of `at` */
    struct leat_ticks ticks;
    struct leat_timer timer;
    struct leat_fetch_site *site; /* made with the first scrape */
    struct leat_fetch fetch;
    struct prometheus_cache cache;
    struct leat_prom_series *reports[PROMETHEUS_REPORTS];
    struct leat_list parcels; /* what leat_emit would not take */
    bool fetching, seen, gone; /* seen: in the newest list */
    uint32_t ticks_left;       /* of one that is gone */
    int64_t timeout_ns, tick_ms, last_tick_ms, stale_ms;
    uint64_t started_ns, took_ns;
    uint32_t scrapes, failures;
    int up; /* -1: not scraped yet */
    uint64_t samples;
    char timeout_text[32];
    struct leat_header headers[2];
    struct leat_log_limit log;
    struct leat_err last;
};

/* ---- one scrape ---- */

struct prometheus_undo { /* what an entry was before a page that may yet come to nothing */
    struct prometheus_entry *entry;
    int64_t last_ms;
    uint32_t last_value, exemplar;
};
struct prometheus_held { /* a sample that waits to hear when its series was created */
    struct prometheus_entry *entry;
    int64_t time_ms;
    double value;
    bool has_time, has_exemplar;
    struct leat_prom_exemplar exemplar; /* its labels lie in `exemplars` from label_at */
    uint32_t label_at;
};
#define PROMETHEUS_INFOS_MAX 4u /* further series of target_info stay in their parcel alone */
/* Buffers that serve all scrapes of a shard; between _begin and _end they belong to one. */
struct prometheus_scrape {
    struct prometheus_target *target;
    const struct prometheus_settings *settings;
    enum prom_dialect dialect;
    int64_t tick_ms, late_ms; /* samples later than late_ms are out of bounds */
    struct prometheus_meta *meta;
    uint64_t under;                        /* id of the family of `meta`; 0: none */
    enum leat_prom_type type;              /* of the last TYPE line, whatever its name */
    struct prometheus_entry *current;
    uint64_t total, kept_after_relabel, added, accepted, duplicates, out_of_order, out_of_bounds,
        guesses;
    uint32_t seen, tracked, went_on; /* entries on this page; tracked; tracked before, too */
    bool over_sample_limit, over_bucket_limit;
    struct leat_list done; /* parcels */
    uint32_t parcels;      /* of them, so far */
    struct prometheus_info { /* target_info, which each parcel gets: the conversion to OTLP makes its labels the resource's */
        struct leat_prom_series *series;
        int64_t time_ms;
        double value;
        uint32_t parcel; /* that has it */
    } infos[PROMETHEUS_INFOS_MAX];
    uint32_t info_count;
    struct leat_prom_builder builder;
    /* scratch, kept from scrape to scrape */
    struct prom_lines lines;
    struct prom_labels labels;
    struct leat_label_edit edit;
    struct pb_buf encoded, exemplars, key;
    struct prometheus_held *held;
    uint32_t held_count, held_room, held_group;
    struct prometheus_undo *undo;
    uint32_t undo_count, undo_room;
};
void prometheus__scrape_begin(struct prometheus_scrape *scrape, struct prometheus_target *target, int64_t tick_ms,
                              int64_t now_ms);
/* Reads a page; LEAT_OK: whole and within all limits. */
leat_rc prometheus__page(struct prometheus_scrape *scrape, enum prometheus_format format, const struct leat_chain *body,
                         struct leat_err *reterr);
leat_rc prometheus__page_text(struct prometheus_scrape *scrape, const struct leat_chain *body, struct leat_err *reterr);
leat_rc prometheus__page_proto(struct prometheus_scrape *scrape, const struct leat_chain *body, struct leat_err *reterr);
/* What was read counts (`ok`), or nothing of it does; stale markers and the report series follow. Parcels lie in `done`. */
leat_rc prometheus__scrape_end(struct prometheus_scrape *scrape, bool ok, bool had_body, int64_t body_bytes,
                               double duration_s);
/* Markers for all series and the report series of a target that went, but for what its heir (NULL: none) goes on with. */
leat_rc prometheus__scrape_leave(struct prometheus_scrape *scrape, int64_t stale_ms, const struct prometheus_target *heir);
void prometheus__scrape_clear(struct prometheus_scrape *scrape); /* drops what was built */
void prometheus__scrape_done(struct prometheus_scrape *scrape);
leat_rc prometheus__parcel(struct prometheus_scrape *scrape); /* what was built becomes one */
/* The same before `next` is added, of a family so large, a page without families, or very many markers. */
leat_rc prometheus__cut(struct prometheus_scrape *scrape, const struct leat_prom_series *next);
void prometheus__parcel_free(struct prometheus_parcel *parcel);

/* A family's metadata begins or goes on. */
leat_rc prometheus__metadata(struct prometheus_scrape *scrape, enum prom_entry entry, struct leat_slice name,
                             enum leat_prom_type type, struct leat_slice text, struct leat_err *reterr);
struct prometheus_sample {
    double value;
    int64_t time_ms;
    bool has_time, has_exemplar;
    int64_t start_ms;
    struct leat_prom_exemplar exemplar; /* labels in `exemplars` of the scrape, from label_at */
    uint32_t label_at;
    const struct leat_prom_extra *extra; /* histograms: all of it; else NULL */
};
leat_rc prometheus__sample(struct prometheus_scrape *scrape, struct prometheus_entry *entry,
                           const struct prometheus_sample *sample, struct leat_err *reterr);
leat_rc prometheus__undo_note(struct prometheus_scrape *scrape, struct prometheus_entry *entry);
void prometheus__follow(struct prometheus_scrape *scrape, struct prometheus_entry *entry); /* it stood behind the last one */
leat_rc prometheus__held_flush(struct prometheus_scrape *scrape, int64_t start_ms, struct leat_err *reterr);
/* Labels of one exemplar, sorted and encoded, go behind `exemplars`. False: out of memory. */
bool prometheus__exemplar_labels(struct prometheus_scrape *scrape, const struct prom_label *labels, uint32_t count,
                                 struct prometheus_sample *sample);
/* The entry of a series that is new: scrape->labels says what it is called. *ret_entry NULL: over the sample limit. */
leat_rc prometheus__entry_make(struct prometheus_scrape *scrape, struct leat_slice raw, uint32_t hash,
                               struct prometheus_entry **ret_entry, struct leat_err *reterr);
/* The series of an entry that now stands under other metadata. */
leat_rc prometheus__entry_move(struct prometheus_scrape *scrape, struct prometheus_entry *entry);
bool prometheus__in_family(struct leat_slice metric, const struct prometheus_meta *meta);
struct leat_prom_series *prometheus__report_series(struct prometheus_scrape *scrape, const char *name);

/* ---- state ---- */

struct prometheus_shared {
    struct leat_target_feed feed;
};
struct prometheus_state {
    const struct prometheus_conf *conf;
    struct leat_host *host;
    struct prometheus_shared *shared;
    struct prometheus_job *jobs;
    uint32_t job_count;
    struct leat_arena *arena; /* what discovery borrows */
    struct leat_discovery *discovery; /* shard 0 */
    struct leat_feed_member member;
    struct leat_list targets;
    uint32_t target_count;
    uint64_t series; /* entries of all targets */
    uint64_t seed; /* of this machine: the same targets elsewhere have another phase */
    struct prometheus_scrape scrape;
    bool paused, stopping, joined;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    uint32_t in_flight; /* parcels emitted and not final */
    struct leat_log_crowd log; /* of all targets */
};
leat_rc prometheus__start(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void prometheus__pause(void *state);
void prometheus__resume(void *state);
void prometheus__stop(void *state, void (*stopped)(void *ctx), void *ctx);
void prometheus__dump(const void *state, struct leat_strbuf *out);
void prometheus__close(void *state);

void prometheus__targets_changed(void *ctx, uint32_t job, struct leat_targets *targets);
struct prometheus_target *prometheus__target_new(struct prometheus_job *job, struct leat_targets *list,
                                                 const struct leat_target *at); /* NULL: out of memory */
void prometheus__target_begin(struct prometheus_target *target);
void prometheus__target_leave(struct prometheus_target *target);
void prometheus__target_free(struct prometheus_target *target);
void prometheus__target_return(struct prometheus_target *target); /* it is on the list again, before it was freed */
/* Another target that writes under the same labels by now; NULL: none. */
const struct prometheus_target *prometheus__heir(const struct prometheus_target *target);
/* Sends what waits; false: there was no room. */
bool prometheus__emit(struct prometheus_target *target);
void prometheus__maybe_stopped(struct prometheus_state *state);
