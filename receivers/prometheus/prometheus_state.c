/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "agent/base/alloc.h"
#include "agent/base/arena.h"
#include "agent/base/prom_units.h"
#include "receivers/prometheus/prometheus.h"

#define DEFAULTS 5u

/* ---- jobs ---- */

static leat_rc job_open(struct prometheus_state *state, struct prometheus_job *job, const struct prometheus_job_conf *conf,
                        struct leat_err *reterr)
{
    job->state = state;
    job->conf = conf;
    leat_rc rc = prometheus__settings(state->conf, conf, &job->settings, reterr);
    if (rc == LEAT_OK)
        rc = leat_relabel_open(&conf->metric_relabel_configs, job->settings.names, "metric_relabel_configs", &job->metric_relabel, reterr);
    uint64_t body_max = (uint64_t)state->conf->max_body_bytes, limit = (uint64_t)job->settings.body_size_limit;
    struct leat_fetcher_opts opts = {.loop = state->host->loop, .conf = &conf->fetch, .user_agent = "leat/" LEAT_VERSION,
                                     .enable_compression = conf->enable_compression,
                                     .body_bytes_max = limit && limit < body_max ? limit : body_max};
    return rc == LEAT_OK ? leat_fetcher_open(&opts, &job->fetcher, reterr) : rc;
}

static leat_rc duration_text(struct leat_arena *arena, int64_t ns, struct leat_slice *ret_text)
{
    struct leat_strbuf text = {0};
    leat_prom_duration_text(ns, &text);
    char *copy = text.failed ? NULL : leat_arena_str(arena, text.at, text.len);
    leat_strbuf_done(&text);
    *ret_text = copy ? leat_slice_str(copy) : (struct leat_slice){0};
    return copy ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc describe_job(struct leat_arena *arena, const struct prometheus_job *job, struct leat_discovery_job *to,
                            struct leat_err *reterr)
{
    struct leat_label *defaults = leat_arena_array(arena, DEFAULTS, sizeof *defaults);
    struct leat_slice interval, timeout;
    if (!defaults || duration_text(arena, job->settings.interval_ns, &interval) != LEAT_OK ||
        duration_text(arena, job->settings.timeout_ns, &timeout) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "discovery: out of memory");
    defaults[0] = (struct leat_label){LEAT_SLICE("job"), leat_slice_str(job->conf->job_name)};
    defaults[1] = (struct leat_label){LEAT_SLICE("__scheme__"), leat_slice_str(job->conf->scheme)};
    defaults[2] = (struct leat_label){LEAT_SLICE("__metrics_path__"), leat_slice_str(job->conf->metrics_path)};
    defaults[3] = (struct leat_label){LEAT_SLICE("__scrape_interval__"), interval};
    defaults[4] = (struct leat_label){LEAT_SLICE("__scrape_timeout__"), timeout};
    *to = (struct leat_discovery_job){.name = job->conf->job_name, .sd = &job->conf->sd, .relabel = &job->conf->relabel_configs,
                                      .names = job->settings.names,
                                      .defaults = defaults, .default_count = DEFAULTS};
    return leat_params_of(&job->conf->params, arena, &to->params, reterr);
}

/* ---- discovery, on shard 0, for all ---- */

static leat_rc on_list(void *ctx, uint32_t job, struct leat_targets *targets)
{
    struct prometheus_state *state = ctx;
    return leat_feed_publish(&state->shared->feed, job, targets);
}

static leat_rc discovery_open(struct prometheus_state *state, struct leat_err *reterr)
{
    struct leat_discovery_job *jobs = NULL;
    state->arena = leat_zalloc(1, sizeof *state->arena);
    if (state->arena)
        jobs = leat_arena_array(state->arena, state->job_count, sizeof *jobs);
    if (!jobs)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "discovery: out of memory");
    for (uint32_t i = 0; i < state->job_count; i++) {
        leat_rc rc = describe_job(state->arena, &state->jobs[i], &jobs[i], reterr);
        if (rc != LEAT_OK)
            return rc;
    }
    struct leat_discovery_opts opts = {.loop = state->host->loop, .who = state->host->id, .jobs = jobs,
                                       .job_count = state->job_count, .changed = on_list, .ctx = state};
    return leat_discovery_open(&opts, &state->discovery, reterr);
}

/* ---- the receiver ---- */

static uint64_t machine_seed(void)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0)
        return 0;
    return (uint64_t)prometheus__hash(leat_slice_str(name)) << 32 | prometheus__hash(leat_slice_str(name));
}

leat_rc prometheus__start(void *ctx, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct prometheus_state *state = ctx;
    const struct prometheus_job_conf *jobs;
    state->conf = conf;
    state->host = host;
    state->shared = host->shared;
    state->seed = machine_seed();
    leat_list_init(&state->targets);
    jobs = state->conf->scrape_configs.at;
    state->jobs = leat_zalloc(state->conf->scrape_configs.count, sizeof *state->jobs);
    if (!state->jobs)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "jobs: out of memory");
    for (uint32_t i = 0; i < state->conf->scrape_configs.count; i++) {
        state->job_count++;
        leat_rc rc = job_open(state, &state->jobs[i], &jobs[i], reterr);
        if (rc != LEAT_OK)
            return rc;
    }
    state->member = (struct leat_feed_member){.loop = host->loop, .changed = prometheus__targets_changed, .ctx = state};
    leat_rc rc = leat_feed_join(&state->shared->feed, &state->member);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "targets: %s", leat_rc_text(rc));
    state->joined = true;
    return host->shard == 0 ? discovery_open(state, reterr) : LEAT_OK;
}

void prometheus__pause(void *ctx)
{
    struct prometheus_state *state = ctx;
    state->paused = true;
}

void prometheus__resume(void *ctx)
{
    struct prometheus_state *state = ctx;
    state->paused = false;
    LEAT_LIST_EACH(link, &state->targets)
        if (!prometheus__emit(LEAT_CONTAINER(link, struct prometheus_target, link)))
            return;
    prometheus__maybe_stopped(state);
}

static bool has_parcels(const struct prometheus_state *state)
{
    LEAT_LIST_EACH(link, &state->targets)
        if (!leat_list_empty(&LEAT_CONTAINER(link, struct prometheus_target, link)->parcels))
            return true;
    return false;
}

void prometheus__maybe_stopped(struct prometheus_state *state)
{
    void (*stopped)(void *) = state->stopped;
    if (!stopped || state->in_flight || has_parcels(state))
        return;
    state->stopped = NULL;
    stopped(state->stopped_ctx);
}

/* As Prometheus' own end: no markers, for it comes back. What was read is still sent. */
void prometheus__stop(void *ctx, void (*stopped)(void *), void *stopped_ctx)
{
    struct prometheus_state *state = ctx;
    state->stopping = true;
    state->stopped = stopped;
    state->stopped_ctx = stopped_ctx;
    leat_discovery_close(state->discovery);
    state->discovery = NULL;
    if (state->joined)
        leat_feed_leave(&state->shared->feed, &state->member);
    state->joined = false;
    for (uint32_t i = 0; i < state->job_count; i++)
        leat_timer_stop(state->host->loop, &state->jobs[i].again);
    if (state->targets.next)
        LEAT_LIST_EACH(link, &state->targets) {
            struct prometheus_target *target = LEAT_CONTAINER(link, struct prometheus_target, link);
            leat_timer_stop(state->host->loop, &target->timer);
            target->site = leat_fetch_site_close(target->site);
            (void)prometheus__emit(target);
        }
    prometheus__maybe_stopped(state);
}

void prometheus__close(void *ctx)
{
    struct prometheus_state *state = ctx;
    if (!state->host)
        return;
    leat_discovery_close(state->discovery);
    if (state->joined)
        leat_feed_leave(&state->shared->feed, &state->member);
    if (state->host->shard == 0)
        leat_feed_done(&state->shared->feed);
    state->stopping = true;
    LEAT_LIST_EACH(link, &state->targets)
        prometheus__target_free(LEAT_CONTAINER(link, struct prometheus_target, link));
    for (uint32_t i = 0; i < state->job_count; i++) {
        leat_timer_stop(state->host->loop, &state->jobs[i].again);
        leat_fetcher_close(state->jobs[i].fetcher);
        leat_relabel_close(state->jobs[i].metric_relabel);
        leat_targets_unref(state->jobs[i].targets);
    }
    prometheus__scrape_done(&state->scrape);
    leat_free(state->jobs);
    if (state->arena)
        leat_arena_done(state->arena);
    leat_free(state->arena);
}
