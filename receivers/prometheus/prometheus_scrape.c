/* SPDX-License-Identifier: Apache-2.0 */
/* One target's life: tick, fetch, page, report; and the wait before the last markers. */
#include <stdio.h>

#include "receivers/prometheus/prometheus.h"

#define NS_PER_MS 1000000

static struct leat_world *world_of(const struct prometheus_target *target)
{
    return leat_loop_world(target->job->state->host->loop);
}

static void wait_for_tick(struct prometheus_target *target)
{
    struct leat_world *world = world_of(target);
    leat_timer_start(target->job->state->host->loop, &target->timer,
                     leat_ticks_wait_ns(&target->ticks, world->mono_ns(world)));
}

/* ---- sending ---- */

bool prometheus__emit(struct prometheus_target *target)
{
    struct prometheus_state *state = target->job->state;
    while (!leat_list_empty(&target->parcels)) {
        struct prometheus_parcel *parcel = LEAT_CONTAINER(target->parcels.next, struct prometheus_parcel, link);
        struct leat_batch *batch = parcel->batch;
        leat_list_remove(&parcel->link);
        state->in_flight++;
        leat_rc rc = leat_emit(state->host, batch);
        if (rc == LEAT_OK)
            continue;
        if (leat_rc_fate(rc) == LEAT_FATE_RETRY) {
            state->in_flight--;
            leat_list_push_front(&target->parcels, &parcel->link);
            return false;
        }
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_REFUSED);
    }
    return true;
}

static void move_parcels(struct prometheus_scrape *scrape)
{
    struct leat_list *link;
    while ((link = leat_list_pop(&scrape->done)))
        leat_list_push(&scrape->target->parcels, link);
    (void)prometheus__emit(scrape->target);
}

/* ---- the end of a scrape ---- */

static enum prometheus_row row_of(const struct leat_err *err, bool page)
{
    switch (err->code) {
    case LEAT_ENOMEM:
        return PROMETHEUS_FAIL_MEMORY;
    case LEAT_ETIMEOUT:
        return PROMETHEUS_FAIL_TIMEOUT;
    case LEAT_ELIMIT:
        return page ? PROMETHEUS_FAIL_LABEL_LIMIT : PROMETHEUS_FAIL_BODY_SIZE;
    case LEAT_EFULL:
        return err->sys == PROMETHEUS_OVER_SAMPLES   ? PROMETHEUS_FAIL_SAMPLE_LIMIT
               : err->sys == PROMETHEUS_OVER_BUCKETS ? PROMETHEUS_FAIL_BUCKET_LIMIT
               : err->sys == PROMETHEUS_OVER_TARGETS ? PROMETHEUS_FAIL_TARGET_LIMIT
                                                     : PROMETHEUS_FAIL_SERIES_LIMIT;
    case LEAT_EREFUSED:
        return PROMETHEUS_FAIL_STATUS;
    default:
        return page ? PROMETHEUS_FAIL_PAGE : PROMETHEUS_FAIL_CONNECT;
    }
}

static void complain(struct prometheus_target *target, const struct leat_err *err, bool page)
{
    struct prometheus_state *state = target->job->state;
    uint32_t missed, hushed;
    target->failures++;
    target->last = *err;
    leat_host_count(state->host, row_of(err, page), 1);
    if (leat_log_may_among(&state->log, &target->log, leat_loop_now_ns(state->host->loop), &missed, &hushed))
        leat_log(LEAT_LOG_WARN, state->host->id, "job %s, %.*s: scrape failed: %s (%u more of this target not shown, %u of others)",
                 target->job->conf->job_name, LEAT_SLICE_ARGS(target->at->url), err->text, missed, hushed);
}

static void count_limited(struct prometheus_job *job)
{
    uint64_t limited = job->metric_relabel ? leat_relabel_limited(job->metric_relabel) : 0;
    leat_host_count(job->state->host, PROMETHEUS_REGEX_LIMIT, limited - job->limited);
    job->limited = limited;
}

static void finish(struct prometheus_target *target, struct leat_err *err, enum prometheus_format format,
                   const struct leat_chain *body, int64_t body_bytes)
{
    struct prometheus_state *state = target->job->state;
    struct prometheus_scrape *scrape = &state->scrape;
    struct leat_world *world = world_of(target);
    bool page = err->code == LEAT_OK;
    prometheus__scrape_begin(scrape, target, target->tick_ms, (int64_t)(world->unix_ns(world) / NS_PER_MS));
    if (page && body->bytes)
        err->code = prometheus__page(scrape, format, body, err);
    target->took_ns = world->mono_ns(world) - target->started_ns;
    bool ok = err->code == LEAT_OK;
    leat_rc rc = prometheus__scrape_end(scrape, ok, body && body->bytes, body_bytes, (double)target->took_ns / 1e9);
    if (rc != LEAT_OK && ok)
        (void)LEAT_RAISE(err, rc, 0, "samples: %s", leat_rc_text(rc));
    target->up = err->code == LEAT_OK;
    target->samples = scrape->total;
    target->scrapes++;
    target->last_tick_ms = target->tick_ms;
    leat_host_count(state->host, PROMETHEUS_SCRAPES, 1);
    count_limited(target->job);
    leat_host_count(state->host, PROMETHEUS_BODY_BYTES, body ? body->bytes : 0);
    if (err->code != LEAT_OK)
        complain(target, err, page);
    move_parcels(scrape);
}

static void on_fetched(struct leat_fetch *fetch, struct leat_fetch_reply *reply, const struct leat_err *fetch_err)
{
    struct prometheus_target *target = fetch->ctx;
    struct prometheus_state *state = target->job->state;
    struct leat_err err = {0};
    enum prometheus_format format = PROMETHEUS_UNKNOWN;
    struct leat_chain none = {0};
    int64_t body_bytes = 0;
    target->fetching = false;
    if (state->stopping || (fetch_err && fetch_err->code == LEAT_ECANCELED))
        return;
    if (fetch_err && fetch_err->code != LEAT_OK) {
        err = *fetch_err;
        body_bytes = err.code == LEAT_ELIMIT ? -1 : 0;
    } else if (reply->status != 200)
        (void)LEAT_RAISE(&err, LEAT_EREFUSED, reply->status, "server returned HTTP status %d", reply->status);
    else {
        format = prometheus__format_of(leat_headers_get(reply->headers, "Content-Type"));
        format = format == PROMETHEUS_UNKNOWN ? target->job->settings.fallback : format;
        body_bytes = (int64_t)reply->body.bytes;
    }
    finish(target, &err, format, err.code == LEAT_OK ? &reply->body : &none, body_bytes);
    prometheus__maybe_stopped(state);
}

/* ---- ticks ---- */

static void scrape(struct prometheus_target *target)
{
    struct leat_world *world = world_of(target);
    struct leat_err err = {0};
    target->started_ns = world->mono_ns(world);
    if (target->job->over_target_limit)
        (void)LEAT_RAISE(&err, LEAT_EFULL, PROMETHEUS_OVER_TARGETS, "target_limit exceeded (number of targets: %u, limit: %lu)",
                         target->job->targets->count, (unsigned long)target->job->settings.target_limit);
    else if (!target->site)
        err.code = leat_fetch_site_open(target->job->fetcher, target->at->url, &target->site, &err);
    if (err.code != LEAT_OK) {
        finish(target, &err, PROMETHEUS_UNKNOWN, &(struct leat_chain){0}, 0);
        return;
    }
    target->fetching = true;
    leat_fetch_send(target->site, &target->fetch);
}

/* By a little; what was sent from much later is what the clock was wrong about, and no one took it. */
static bool goes_back(const struct prometheus_target *target, int64_t tick_ms)
{
    return tick_ms <= target->last_tick_ms && target->last_tick_ms - tick_ms < PROMETHEUS_AHEAD_MS_MAX;
}

static void tick(struct prometheus_target *target)
{
    struct prometheus_state *state = target->job->state;
    struct leat_world *world = world_of(target);
    uint64_t stamp = leat_ticks_now(&target->ticks, world->unix_ns(world), world->mono_ns(world));
    int64_t tick_ms = (int64_t)(stamp / NS_PER_MS);
    if (target->fetching)
        leat_host_count(state->host, PROMETHEUS_SKIPPED_SLOW, 1);
    else if (state->paused || !prometheus__emit(target))
        leat_host_count(state->host, PROMETHEUS_SKIPPED_ROOM, 1);
    else if (goes_back(target, tick_ms))
        leat_host_count(state->host, PROMETHEUS_SKIPPED_CLOCK, 1);
    else {
        target->tick_ms = tick_ms;
        scrape(target);
    }
}

/* Without memory for the markers another try follows, a millisecond on: part of them may count as said. */
static bool say_gone(struct prometheus_target *target)
{
    struct prometheus_scrape *scrape = &target->job->state->scrape;
    if (target->stale_ms <= target->last_tick_ms)
        return true; /* too late to be said */
    prometheus__scrape_begin(scrape, target, target->stale_ms, target->stale_ms);
    leat_rc rc = prometheus__scrape_leave(scrape, target->stale_ms, prometheus__heir(target));
    target->stale_ms += rc != LEAT_OK;
    move_parcels(scrape);
    return rc == LEAT_OK;
}

/* Gone from the list: the markers wait for two ticks and a tenth, for it may come back. */
static void leave_on(struct prometheus_target *target)
{
    struct prometheus_state *state = target->job->state;
    struct leat_world *world = world_of(target);
    uint64_t interval_ns = target->ticks.interval_ns;
    if (target->ticks_left > 1) {
        uint64_t stamp = leat_ticks_now(&target->ticks, world->unix_ns(world), world->mono_ns(world));
        if (target->ticks_left-- == 3)
            target->stale_ms = (int64_t)(stamp / NS_PER_MS);
        uint64_t wait_ns = leat_ticks_wait_ns(&target->ticks, world->mono_ns(world));
        leat_timer_start(state->host->loop, &target->timer, target->ticks_left == 1 ? interval_ns / 10 : wait_ns);
        return;
    }
    if (!target->fetching && !state->paused && prometheus__emit(target)) {
        if (target->ticks_left && say_gone(target))
            target->ticks_left = 0;
        if (target->ticks_left == 0 && leat_list_empty(&target->parcels)) {
            prometheus__target_free(target);
            return;
        }
    }
    leat_timer_start(state->host->loop, &target->timer, interval_ns / 10);
}

static void on_timer(struct leat_timer *timer)
{
    struct prometheus_target *target = timer->ctx;
    if (target->gone) {
        leave_on(target);
        return;
    }
    tick(target);
    wait_for_tick(target);
}

void prometheus__target_begin(struct prometheus_target *target)
{
    struct leat_world *world = world_of(target);
    int64_t interval_ns = target->at->interval_ns ? target->at->interval_ns : target->job->settings.interval_ns;
    target->timer.fire = on_timer;
    target->timer.ctx = target;
    target->fetch.done = on_fetched;
    target->fetch.ctx = target;
    leat_ticks_start(&target->ticks, (uint64_t)interval_ns, target->at->hash, target->job->state->seed,
                     world->unix_ns(world), world->mono_ns(world));
    wait_for_tick(target);
}

void prometheus__target_return(struct prometheus_target *target)
{
    leat_host_count(target->job->state->host, PROMETHEUS_TARGETS_ADDED, 1);
    target->gone = false;
    wait_for_tick(target); /* not what the markers waited for */
}

void prometheus__target_leave(struct prometheus_target *target)
{
    leat_host_count(target->job->state->host, PROMETHEUS_TARGETS_REMOVED, 1);
    if (target->scrapes == 0 && !target->fetching) {
        prometheus__target_free(target); /* nothing to mark */
        return;
    }
    target->gone = true;
    target->ticks_left = 3;
}
