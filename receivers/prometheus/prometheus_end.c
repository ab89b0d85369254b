/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a page: stale markers for what is not there any more, and what the scrape says about itself. */
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "receivers/prometheus/prometheus.h"

#define CUT_INSIDE 4u    /* times max_batch_samples: a family is cut, between data points */
#define CUT_ANYWHERE 16u /* likewise: a data point */
#define EVICT_AT(count) ((count) / 8 + 64) /* entries to go before all of them are looked through */
#define FAMILY_PAGES 11u /* families are remembered for ten pages more, and looked through as often */
#define UNDO_KEPT 65536u
#define FORCED_FLUSH(successful) (2 * (uint64_t)(successful) + 1000)

static const char *const report_names[PROMETHEUS_REPORTS] = {
    "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
    "scrape_series_added", "scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"};
#define REPORTS_PLAIN 5u /* the rest: extra_scrape_metrics */

void prometheus__scrape_begin(struct prometheus_scrape *scrape, struct prometheus_target *target, int64_t tick_ms,
                              int64_t now_ms)
{
    scrape->target = target;
    scrape->settings = &target->job->settings;
    scrape->tick_ms = tick_ms;
    scrape->late_ms = now_ms + PROMETHEUS_AHEAD_MS_MAX;
    scrape->meta = NULL;
    scrape->under = 0;
    scrape->type = LEAT_PROM_UNKNOWN;
    scrape->current = NULL;
    scrape->total = scrape->kept_after_relabel = scrape->added = scrape->accepted = scrape->guesses = 0;
    scrape->duplicates = scrape->out_of_order = scrape->out_of_bounds = 0;
    scrape->seen = scrape->tracked = scrape->went_on = 0;
    scrape->over_sample_limit = scrape->over_bucket_limit = false;
    scrape->held_count = scrape->undo_count = 0;
    scrape->parcels = scrape->info_count = 0;
    scrape->exemplars.len = 0;
    scrape->exemplars.failed = scrape->key.failed = false; /* for lack of memory, then */
    if (!scrape->done.next)
        leat_list_init(&scrape->done);
    if (target->cache.generation == 0)
        target->cache.whole = 1;
    target->cache.generation++;
}

/* ---- parcels ---- */

static void on_final(struct leat_ack *ack)
{
    struct prometheus_parcel *parcel = LEAT_CONTAINER(ack, struct prometheus_parcel, ack);
    struct prometheus_state *state = parcel->state;
    state->in_flight--;
    leat_free(parcel);
    prometheus__maybe_stopped(state);
}

leat_rc prometheus__parcel(struct prometheus_scrape *scrape)
{
    if (scrape->builder.items == 0)
        return LEAT_OK;
    struct prometheus_parcel *parcel = leat_zalloc(1, sizeof *parcel);
    struct leat_batch *batch = parcel ? leat_batch_new(LEAT_METRICS, &leat_prom_form) : NULL;
    if (!batch || leat_prom_builder_take(&scrape->builder, &batch->payload, &batch->item_count) != LEAT_OK) {
        if (batch)
            leat_batch_free(batch);
        leat_free(parcel);
        return LEAT_ENOMEM;
    }
    leat_ack_init(&parcel->ack, on_final);
    batch->ack = &parcel->ack;
    batch->pinned_bytes = batch->payload.bytes;
    parcel->batch = batch;
    parcel->state = scrape->target->job->state;
    leat_list_init(&parcel->link);
    leat_list_push(&scrape->done, &parcel->link);
    scrape->parcels++;
    return LEAT_OK;
}

leat_rc prometheus__cut(struct prometheus_scrape *scrape, const struct leat_prom_series *next)
{
    uint64_t items = scrape->builder.items, usual = (uint64_t)scrape->target->job->state->conf->max_batch_samples;
    if (items < CUT_INSIDE * usual)
        return LEAT_OK;
    return items >= CUT_ANYWHERE * usual || !leat_prom_builder_goes_on(&scrape->builder, next) ? prometheus__parcel(scrape) : LEAT_OK;
}

static leat_rc add_infos(struct prometheus_scrape *scrape, struct leat_batch *batch, uint32_t number)
{
    struct leat_chain samples = {0};
    uint32_t items = 0;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < scrape->info_count; i++)
        if (scrape->infos[i].parcel != number)
            rc = leat_prom_builder_add(&scrape->builder, scrape->infos[i].series, scrape->infos[i].time_ms, scrape->infos[i].value, NULL);
    rc = rc == LEAT_OK ? leat_prom_builder_take(&scrape->builder, &samples, &items) : rc;
    rc = rc == LEAT_OK ? leat_chain_append(&batch->payload, &samples) : rc;
    leat_chain_done(&samples);
    batch->item_count += rc == LEAT_OK ? items : 0;
    batch->pinned_bytes = batch->payload.bytes;
    return rc;
}

/* After the last parcel: the others get target_info, too. */
static leat_rc spread_infos(struct prometheus_scrape *scrape)
{
    uint32_t number = 0;
    leat_rc rc = LEAT_OK;
    LEAT_LIST_EACH(link, &scrape->done)
        if (rc == LEAT_OK && scrape->info_count && scrape->parcels > 1)
            rc = add_infos(scrape, LEAT_CONTAINER(link, struct prometheus_parcel, link)->batch, number++);
    return rc;
}

void prometheus__parcel_free(struct prometheus_parcel *parcel)
{
    leat_list_remove(&parcel->link);
    leat_batch_free(parcel->batch);
    leat_free(parcel);
}

void prometheus__scrape_clear(struct prometheus_scrape *scrape)
{
    LEAT_LIST_EACH(at, &scrape->done)
        prometheus__parcel_free(LEAT_CONTAINER(at, struct prometheus_parcel, link));
    leat_prom_builder_done(&scrape->builder);
    scrape->parcels = scrape->info_count = 0;
}

void prometheus__scrape_done(struct prometheus_scrape *scrape)
{
    if (scrape->done.next)
        prometheus__scrape_clear(scrape);
    leat_prom_builder_done(&scrape->builder);
    prom_lines_done(&scrape->lines);
    prom_labels_done(&scrape->labels);
    leat_label_edit_done(&scrape->edit);
    pb_buf_done(&scrape->encoded);
    pb_buf_done(&scrape->exemplars);
    pb_buf_done(&scrape->key);
    leat_free(scrape->held);
    leat_free(scrape->undo);
}

/* One page's notes are not kept for all that come. */
static void trim(struct prometheus_scrape *scrape)
{
    if (scrape->undo_room <= UNDO_KEPT)
        return;
    leat_free(scrape->undo);
    scrape->undo = NULL;
    scrape->undo_room = scrape->undo_count = 0;
}

/* ---- stale markers ---- */

static leat_rc mark(struct prometheus_scrape *scrape, struct prometheus_entry *entry, int64_t time_ms)
{
    if (time_ms <= entry->last_ms)
        return LEAT_OK; /* its last sample is newer than the marker would be */
    uint8_t stale[1 + sizeof(double)];
    struct leat_prom_extra extra = {.histogram = stale, .histogram_bytes = sizeof stale};
    (void)pb_put_fixed64(pb_put_varint(stale, PB_TAG(3, PB_FIXED64)), LEAT_PROM_STALE_BITS);
    bool histogram = entry->flags & PROMETHEUS_HISTOGRAM;
    entry->last_ms = time_ms;
    leat_host_count(scrape->target->job->state->host, PROMETHEUS_STALE, 1);
    if (prometheus__cut(scrape, entry->series) != LEAT_OK)
        return LEAT_ENOMEM;
    return leat_prom_builder_add(&scrape->builder, entry->series, time_ms, leat_prom_stale(), histogram ? &extra : NULL);
}

/* Was tracked before this page and is not on it, so far as it was read. That holds for a page that failed, too: as with Prometheus, what
 * stood on it before the fault gets no marker. */
static bool ended(const struct prometheus_cache *cache, const struct prometheus_entry *entry)
{
    return entry->series && entry->seen == cache->tracked_generation;
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = (*(struct prometheus_entry *const *)a)->series->id;
    uint64_t right = (*(struct prometheus_entry *const *)b)->series->id;
    return left < right ? -1 : left > right;
}

/* Whether another target has taken the series over: a marker would end what goes on. */
static bool goes_on(const struct prometheus_target *heir, const struct leat_prom_series *series)
{
    return heir && prometheus__find_labels(&heir->cache, series->hash, series->labels, series->label_bytes) != NULL;
}

/* In the order the series came, so that families lie together. `heir` NULL: none. */
static leat_rc mark_ended(struct prometheus_scrape *scrape, int64_t time_ms, const struct prometheus_target *heir)
{
    struct prometheus_cache *cache = &scrape->target->cache;
    uint32_t count = 0, most = cache->tracked - scrape->went_on;
    if (cache->tracked_generation == 0 || most == 0)
        return LEAT_OK;
    struct prometheus_entry **gone = leat_zalloc(most, sizeof *gone);
    if (!gone)
        return LEAT_ENOMEM;
    PROMETHEUS_EACH(&cache->by_raw, i, entry)
        if (count < most && ended(cache, entry) && !goes_on(heir, entry->series))
            gone[count++] = entry;
    qsort(gone, count, sizeof(struct prometheus_entry *), by_id);
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < count; i++)
        rc = mark(scrape, gone[i], time_ms);
    leat_free(gone);
    return rc;
}

/* ---- the report ---- */

static leat_rc report(struct prometheus_scrape *scrape, uint32_t which, int64_t time_ms, double value)
{
    struct leat_prom_series **series = &scrape->target->reports[which];
    if (!*series)
        *series = prometheus__report_series(scrape, report_names[which]);
    return *series ? leat_prom_builder_add(&scrape->builder, *series, time_ms, value, NULL) : LEAT_ENOMEM;
}

static leat_rc report_all(struct prometheus_scrape *scrape, bool ok, int64_t body_bytes, double duration_s)
{
    const struct prometheus_settings *set = scrape->settings;
    const double values[PROMETHEUS_REPORTS] = {
        ok, duration_s, (double)scrape->total, (double)scrape->kept_after_relabel, (double)scrape->added,
        (double)scrape->target->timeout_ns / 1e9, (double)set->sample_limit, (double)body_bytes};
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < (set->extra_metrics ? PROMETHEUS_REPORTS : REPORTS_PLAIN); i++)
        rc = report(scrape, i, scrape->tick_ms, values[i]);
    return rc;
}

/* ---- ends ---- */

static void count_scrape(const struct prometheus_scrape *scrape)
{
    struct leat_host *host = scrape->target->job->state->host;
    leat_host_count(host, PROMETHEUS_DUPLICATE, scrape->duplicates);
    leat_host_count(host, PROMETHEUS_OUT_OF_ORDER, scrape->out_of_order);
    leat_host_count(host, PROMETHEUS_OUT_OF_BOUNDS, scrape->out_of_bounds);
    leat_host_count(host, PROMETHEUS_SERIES_ADDED, scrape->added);
    leat_host_count(host, PROMETHEUS_GUESSED, scrape->guesses);
}

static void evict(struct prometheus_scrape *scrape, uint32_t generation)
{
    struct prometheus_state *state = scrape->target->job->state;
    uint32_t gone = prometheus__evict(&scrape->target->cache, generation);
    state->series -= gone;
    leat_host_count(state->host, PROMETHEUS_SERIES_REMOVED, gone);
}

/* Nothing of the page counts. */
static void forget_page(struct prometheus_scrape *scrape)
{
    prometheus__scrape_clear(scrape);
    while (scrape->undo_count) {
        const struct prometheus_undo *undo = &scrape->undo[--scrape->undo_count];
        undo->entry->last_ms = undo->last_ms;
        undo->entry->last_value = undo->last_value;
        undo->entry->exemplar = undo->exemplar;
    }
}

/* No memory to say what was read: nothing of it counts, and what ended is marked with the next scrape. */
static void postpone(struct prometheus_scrape *scrape)
{
    struct prometheus_cache *cache = &scrape->target->cache;
    forget_page(scrape);
    if (cache->tracked_generation == 0)
        return;
    PROMETHEUS_EACH(&cache->by_raw, i, entry)
        if (ended(cache, entry)) {
            entry->seen = cache->generation;
            scrape->tracked++;
        }
}

/* Names of families stay a while longer than their series, when there is room; a broken page may have been full of them. */
static void forget_families(struct prometheus_scrape *scrape, bool whole)
{
    struct prometheus_cache *cache = &scrape->target->cache;
    if (cache->meta_count > (uint64_t)scrape->target->job->state->conf->max_series_per_target / 2)
        prometheus__forget_metas(cache, whole);
    else if (whole && cache->generation % FAMILY_PAGES == 0)
        prometheus__forget_metas(cache, FAMILY_PAGES);
}

static bool goes_on_here(const struct prometheus_cache *cache, const struct prometheus_entry *main)
{
    return main->seen == cache->generation && !(main->flags & PROMETHEUS_FRESH);
}

static void settle_cache(struct prometheus_scrape *scrape, bool whole, bool had_body)
{
    struct prometheus_cache *cache = &scrape->target->cache;
    if (had_body)
        forget_families(scrape, whole);
    cache->tracked_generation = cache->generation;
    cache->tracked = scrape->tracked;
    if (whole && had_body) {
        cache->whole = cache->generation;
        if (cache->by_raw.count - scrape->seen > EVICT_AT(cache->by_raw.count))
            evict(scrape, cache->generation);
        cache->successful = cache->by_raw.count;
        return;
    }
    if (cache->by_raw.count <= FORCED_FLUSH(cache->successful))
        return;
    /* Pages of ever other series that come to nothing: only what goes on with this one has a marker to come. */
    PROMETHEUS_EACH(&cache->by_raw, i, entry)
        if (!goes_on_here(cache, entry->main ? entry->main : entry))
            entry->raw_seen = 0;
    evict(scrape, cache->generation);
}

leat_rc prometheus__scrape_end(struct prometheus_scrape *scrape, bool ok, bool had_body, int64_t body_bytes,
                               double duration_s)
{
    count_scrape(scrape);
    if (!ok)
        forget_page(scrape);
    leat_rc rc = mark_ended(scrape, scrape->tick_ms, NULL);
    if (rc == LEAT_OK)
        rc = report_all(scrape, ok, body_bytes, duration_s);
    if (rc == LEAT_OK)
        rc = prometheus__parcel(scrape);
    if (rc == LEAT_OK)
        rc = spread_infos(scrape);
    if (rc != LEAT_OK)
        postpone(scrape);
    settle_cache(scrape, ok && rc == LEAT_OK, had_body);
    trim(scrape);
    return rc;
}

leat_rc prometheus__scrape_leave(struct prometheus_scrape *scrape, int64_t stale_ms, const struct prometheus_target *heir)
{
    leat_rc rc = mark_ended(scrape, stale_ms, heir);
    for (uint32_t i = 0; rc == LEAT_OK && i < PROMETHEUS_REPORTS; i++)
        if (scrape->target->reports[i] && !heir)
            rc = leat_prom_builder_add(&scrape->builder, scrape->target->reports[i], stale_ms, leat_prom_stale(), NULL);
    rc = rc == LEAT_OK ? prometheus__parcel(scrape) : rc;
    if (rc != LEAT_OK)
        prometheus__scrape_clear(scrape);
    return rc;
}
