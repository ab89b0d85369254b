/* SPDX-License-Identifier: Apache-2.0 */
/* discovery -- which targets there are: sources (static, files, HTTP, Kubernetes), relabelling, and the list they end in.
 *
 * Why      receivers that pull (prometheus, pprof) find their targets the same way, with Prometheus' keys and rules.
 * Threads  one manager per receiver instance, on shard 0. Target lists are immutable and counted atomically: any shard.
 * Owns     the manager borrows its jobs (the plan outlives it); a list belongs to whoever holds a reference.
 * Limits   LEAT_SD_* below; what is over them is left out, counted and logged. A source that fails keeps what it last said.
 * Fails    open: LEAT_ECONFIG, LEAT_ENOMEM. Later failures are counters and rate-limited log lines that name job and
 *          source. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/strbuf.h"
#include "agent/discovery/labels.h"
#include "agent/discovery/relabel.h"
#include "agent/loop/loop.h"

#define LEAT_SD_TARGETS_MAX 100000u        /* in one job, before relabelling */
#define LEAT_SD_ANSWER_BYTES_MAX (32u << 20) /* of one file or one HTTP answer */
#define LEAT_SD_FILES_MAX 10000u           /* of one file_sd_config */
#define LEAT_SD_DEBOUNCE_NS 5000000000ull  /* between two lists of a job; the first comes at once */

/* ---- configuration: static_configs, file_sd_configs, http_sd_configs, kubernetes_sd_configs; INLINE it ---- */
struct leat_sd_conf {
    struct leat_items statics, files, https, kubernetes;
};
extern const struct leat_field leat_sd_fields[];
leat_rc leat_sd_check(const struct leat_sd_conf *conf, struct leat_err *reterr);

/* ---- targets ---- */
struct leat_target {
    /* After relabelling, with instance, without __meta_*. Names that begin with "__" are still here (the shown labels are the
     * others): __address__, __scheme__, __metrics_path__, __param_*, __scrape_interval__ ... */
    struct leat_labels labels;
    struct leat_slice url;          /* NUL-terminated: scheme, __address__, path and parameters put together */
    uint64_t hash;                  /* of labels and url: its phase */
    uint64_t shown_hash;            /* of the shown labels: its shard; targets that write the same series share one */
    int64_t interval_ns, timeout_ns; /* of __scrape_interval__ and __scrape_timeout__; 0 when the job has none */
};
struct leat_targets {
    uint32_t refs; /* atomic */
    uint32_t job;
    uint32_t count;             /* distinct, ordered by labels and url */
    const struct leat_target *at;
    uint32_t dropped, invalid, duplicate; /* by relabelling; without usable address and the like; the same again */
    uint32_t left_out; /* over LEAT_SD_TARGETS_MAX */
};
struct leat_targets *leat_targets_ref(struct leat_targets *targets);
struct leat_targets *leat_targets_unref(struct leat_targets *targets); /* always NULL */
static inline uint32_t leat_target_shard(const struct leat_target *target, uint32_t shard_count)
{
    return (uint32_t)((target->shown_hash >> 32) % shard_count);
}
bool leat_target_eq(const struct leat_target *a, const struct leat_target *b);
/* scheme://address/path?params of a label set: `params` first, __param_X replacing the first value of X. */
struct leat_param {
    const char *name;
    struct leat_strings values;
};
struct leat_params {
    const struct leat_param *at;
    uint32_t count;
};
/* From a LEAT_VALUE field "params" (a map of lists of strings); into the arena. */
struct leat_arena;
leat_rc leat_params_of(const struct leat_value *value, struct leat_arena *arena, struct leat_params *ret_params,
                       struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_target_url_put(struct leat_labels labels, const char *path, struct leat_params params,
                         struct leat_strbuf *out);

/* ---- the manager ---- */
struct leat_discovery_job {
    const char *name;
    const struct leat_sd_conf *sd;
    const struct leat_items *relabel; /* of leat_relabel_conf; NULL: none */
    enum leat_name_scheme names;
    /* Set where absent or empty before relabelling: job, __scheme__, __metrics_path__, __scrape_interval__,
     * __scrape_timeout__ (the two as Prometheus writes durations) and whatever the receiver wants users to see. __param_X
     * comes from `params` by itself. */
    const struct leat_label *defaults;
    uint32_t default_count;
    struct leat_params params;
};
struct leat_discovery_opts {
    struct leat_loop *loop;
    const char *who; /* "prometheus/2": in log lines */
    const struct leat_discovery_job *jobs;
    uint32_t job_count;
    /* The whole list of a job, whenever it differs from the last one. The reference is the callee's, in any case. Anything
     * but LEAT_OK: it is told again after a while. */
    leat_rc (*changed)(void *ctx, uint32_t job, struct leat_targets *targets);
    void *ctx;
};
struct leat_discovery_counts {
    uint64_t refreshes, failures; /* of sources */
    uint64_t lists;               /* handed to `changed` */
    uint64_t left_out, regex_limited;
};
struct leat_discovery;
leat_rc leat_discovery_open(const struct leat_discovery_opts *opts, struct leat_discovery **ret_discovery,
                            struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_discovery_close(struct leat_discovery *discovery); /* no `changed` any more; NULL is a no-op */
struct leat_discovery_counts leat_discovery_counts(const struct leat_discovery *discovery);
/* One line per source, and per target: job, url, labels in Prometheus' notation. */
void leat_discovery_dump(const struct leat_discovery *discovery, struct leat_strbuf *out);
void leat_labels_dump(struct leat_labels labels, struct leat_strbuf *out); /* {a="b", c="d"} */

/* ---- to all shards: one feed in host->shared (zeroed); shard 0 publishes, every shard's instance joins ---- */
#define LEAT_FEED_SHARDS_MAX 64u
struct leat_feed_member;
struct leat_target_feed {
    struct leat_feed_member *members; /* guarded inside */
    struct leat_targets **last;       /* by job */
    uint32_t job_count;
};
/* `changed` comes on this loop, later, never inside; a late member gets the lists there are. The list is borrowed. */
struct leat_feed_member {
    struct leat_loop *loop;
    void (*changed)(void *ctx, uint32_t job, struct leat_targets *targets);
    void *ctx;
    struct leat_feed_member *next; /* the feed's from here */
    bool joined;
};
leat_rc leat_feed_join(struct leat_target_feed *feed, struct leat_feed_member *member) LEAT_MUST_CHECK;
void leat_feed_leave(struct leat_target_feed *feed, struct leat_feed_member *member); /* on its loop; no-op if not joined */
/* Takes the reference, in any case. LEAT_ENOMEM: not all members will hear of it; publish it again. */
leat_rc leat_feed_publish(struct leat_target_feed *feed, uint32_t job, struct leat_targets *targets) LEAT_MUST_CHECK;
void leat_feed_done(struct leat_target_feed *feed); /* by shard 0, after its leave */
