/* SPDX-License-Identifier: Apache-2.0 */
/* pprof (receiver) -- fetches profiles from programs that serve them, as Go's net/http/pprof does; private to this folder.
 *
 * Why      targets come from the same discovery as metrics; bytes go on as they were served, checked but not changed,
 *          unless values that count from the program's start must become what happened since the last scrape.
 * Threads  discovery runs on shard 0 and feeds all shards; a target belongs to one shard by hash. No lock anywhere.
 * Owns     a target has one loop for each kind of profile; a loop owns its connection and the last profile's counts.
 * Limits   body_size_limit a profile, max_inflight_bytes unacknowledged: over it a scrape is skipped and counted.
 * Fails    what cannot be fetched, unpacked or read is counted, told at most every ten seconds a target, and concerns that
 *          profile alone. */
#pragma once
#include "agent/base/arena.h"
#include "agent/base/field.h"
#include "agent/base/list.h"
#include "agent/discovery/discovery.h"
#include "agent/discovery/fetch.h"
#include "agent/discovery/ticks.h"
#include "agent/pipe/host.h"
#include "proto/pprof/pprof_delta.h"

enum pprof_row {
    PPROF_SCRAPES,
    PPROF_FAIL_CONNECT,
    PPROF_FAIL_TIMEOUT,
    PPROF_FAIL_STATUS,
    PPROF_FAIL_BODY_SIZE,
    PPROF_FAIL_ENCODING,
    PPROF_FAIL_PROFILE,
    PPROF_FAIL_MEMORY,
    PPROF_SKIPPED_ROOM,
    PPROF_SKIPPED_SLOW,
    PPROF_REFUSED,
    PPROF_EMPTY,
    PPROF_BASELINES,
    PPROF_RESETS,
    PPROF_BYTES,
    PPROF_TARGETS_ADDED,
    PPROF_TARGETS_REMOVED,
    PPROF_ROWS
};
extern const struct leat_counter_def pprof__counters[];

/* ---- configuration ---- */
struct pprof_kind_conf {
    bool enabled, delta;
    const char *path;
};
struct pprof_custom_conf {
    const char *name;
    struct pprof_kind_conf kind;
};
struct pprof_profiling_conf {
    const char *path_prefix;
    struct pprof_kind_conf process_cpu, memory, heap, goroutine, mutex, block;
    struct leat_items custom;
};
struct pprof_job_conf {
    const char *job_name, *scheme;
    int64_t scrape_interval_ns, scrape_timeout_ns, delta_profiling_duration_ns, body_size_limit, target_limit;
    struct leat_value params;
    struct pprof_profiling_conf profiling;
    struct leat_fetch_conf fetch;
    struct leat_sd_conf sd;
    struct leat_items relabel_configs;
};
struct pprof_conf {
    struct leat_items scrape_configs;
    int64_t max_inflight_bytes;
};
extern const struct leat_field pprof__fields[];
leat_rc pprof__check(const void *conf, struct leat_err *reterr);

/* What is fetched of each target of a job. */
struct pprof_kind {
    const char *name, *path; /* name: the label __name__ */
    bool seconds;            /* asked for that long: seconds= */
    bool delta;              /* counts become differences */
};
#define PPROF_KINDS_MAX 32u
/* Those that are on; answers how many. More than PPROF_KINDS_MAX are refused by check. */
uint32_t pprof__kinds(const struct pprof_profiling_conf *conf, struct pprof_kind kinds[PPROF_KINDS_MAX]);
int64_t pprof__timeout(const struct pprof_job_conf *job);
int64_t pprof__seconds(const struct pprof_job_conf *job); /* how long the program is asked to look */

/* ---- running ---- */
struct pprof_receiver;

struct pprof_job {
    const struct pprof_job_conf *conf;
    struct pprof_kind kinds[PPROF_KINDS_MAX];
    uint32_t kind_count;
    struct leat_params params, params_seconds; /* the second with seconds= */
    struct leat_items relabel;                 /* ours, then the user's */
    struct leat_label defaults[5];
    struct leat_fetcher *fetcher;
    struct pprof_target **targets; /* in the order of the list */
    uint32_t target_count;
    struct leat_log_limit complain;
};

/* One kind of profile of one target. */
struct pprof_loop {
    struct pprof_receiver *receiver;
    const struct pprof_job *job;
    const struct pprof_kind *kind;
    char *url;
    struct pb_buf labels; /* of its series, encoded */
    uint64_t interval_ns, timeout_ns;
    struct leat_ticks ticks;
    struct leat_timer timer;
    struct leat_fetch_site *site;
    struct leat_fetch fetch;
    bool fetching;
    struct pprof_delta delta;
    uint64_t charged_bytes; /* of delta, to the memory budget */
    struct leat_log_limit complain;
};

struct pprof_target {
    struct leat_targets *list; /* holds a reference */
    const struct leat_target *target;
    uint32_t loop_count;
    struct pprof_loop loops[];
};

/* A batch that is on its way, or waits for room. */
struct pprof_pending {
    struct leat_ack ack;
    struct pprof_receiver *receiver;
    struct leat_batch *batch; /* while it waits */
    uint64_t bytes;
    struct leat_list link;
};

struct pprof_receiver {
    const struct pprof_conf *conf;
    struct leat_host *host;
    struct leat_arena arena;
    struct pprof_job *jobs;
    uint32_t job_count;
    struct leat_discovery_job *discovery_jobs;
    struct leat_discovery *discovery; /* shard 0 */
    struct leat_feed_member member;
    struct leat_log_crowd log; /* of all targets */
    struct leat_list waiting, inflight;
    uint64_t inflight_bytes; /* of both */
    bool paused, stopping, open;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

static inline void pprof__count(struct pprof_receiver *receiver, enum pprof_row row, uint64_t n)
{
    leat_host_count(receiver->host, row, n);
}

/* pprof_job.c: everything of a job but its targets. */
leat_rc pprof__jobs_open(struct pprof_receiver *receiver, struct leat_err *reterr);
void pprof__jobs_close(struct pprof_receiver *receiver);
/* pprof_targets.c */
void pprof__targets_changed(void *ctx, uint32_t job, struct leat_targets *targets);
void pprof__targets_close(struct pprof_job *job);
/* pprof_scrape.c */
leat_rc pprof__loop_open(struct pprof_loop *loop, const struct leat_target *target, struct leat_err *reterr);
void pprof__loop_close(struct pprof_loop *loop);
void pprof__complain(struct pprof_loop *loop, const char *text);
/* pprof_take.c: a body that came. It is taken in any case. */
void pprof__take(struct pprof_loop *loop, struct leat_chain *body);
void pprof__emit_waiting(struct pprof_receiver *receiver);
void pprof__finish(struct pprof_receiver *receiver); /* tells `stopped` when nothing is under way */
