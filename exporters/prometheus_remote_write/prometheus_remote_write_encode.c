/* SPDX-License-Identifier: Apache-2.0 */
/* From samples to requests: those of a shard together, in order, until a request is full. */
#include "exporters/prometheus_remote_write/prometheus_remote_write.h"

#include "agent/base/alloc.h"

#define CUSTOM_BUCKETS (-53)

/* The samples of a batch: a chain of arrays, and the item each stands for (NULL: its place). */
struct view {
    const struct leat_slice *parts;
    uint32_t part_count;
    const uint32_t *items;
};

struct run {
    struct prw_state *prw;
    const struct leat_batch *batch;
    struct leat_requests *out;
    bool two;
    const struct rw_outgoing *outgoing;
    /* The open request. */
    bool open;
    struct leat_chain body;
    uint32_t first, last, count; /* of its items; last: the newest */
    uint8_t *bitmap;             /* when they do not lie side by side */
    uint64_t order_key;
    uint32_t needs_two; /* items that 1.0 has no form for */
};

/* ---- shards ---- */

static uint64_t mix(uint64_t hash, struct leat_slice text)
{
    for (uint32_t i = 0; i < text.len; i++)
        hash = (hash ^ text.at[i]) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u;
}

static uint32_t shard_of(const struct prw_state *prw, const struct leat_prom_series *series)
{
    const struct leat_prom_target *target = series->target;
    uint64_t hash = target ? mix(mix(0xcbf29ce484222325u, target->job), target->instance) : series->hash;
    return (uint32_t)((hash ^ hash >> 32) % prw->shard_count);
}

struct shards {
    const struct leat_prom_target *target;
    uint32_t shard;
};
static inline uint32_t shard_next(const struct prw_state *prw, struct shards *shards, const struct leat_prom_series *series)
{
    if (series->target && series->target == shards->target)
        return shards->shard;
    shards->target = series->target;
    return shards->shard = shard_of(prw, series);
}

/* ---- requests ---- */

bool prw__headers(const struct prw_state *prw, const struct leat_batch *batch, struct leat_requests *out,
                  struct leat_request *request, enum prw_kind kind)
{
    bool two = kind == PRW_KIND_TWO;
    struct leat_slice type = two ? LEAT_SLICE("application/x-protobuf;proto=io.prometheus.write.v2.Request")
                                 : LEAT_SLICE("application/x-protobuf");
    leat_rc rc = leat_request_header(request, LEAT_SLICE("Content-Type"), type);
    if (rc == LEAT_OK)
        rc = leat_request_header(request, LEAT_SLICE("Content-Encoding"), LEAT_SLICE("snappy"));
    if (rc == LEAT_OK)
        rc = leat_request_header(request, LEAT_SLICE("X-Prometheus-Remote-Write-Version"), two ? LEAT_SLICE("2.0.0") : LEAT_SLICE("0.1.0"));
    for (uint32_t i = 0; rc == LEAT_OK && i < prw->conf->metadata_keys.count; i++) {
        const char *key = prw->conf->metadata_keys.at[i], *value = batch->meta ? leat_meta_get(batch->meta, key) : NULL;
        struct leat_slice kept;
        if (value && (rc = leat_requests_keep(out, value, (uint32_t)strlen(value), &kept)) == LEAT_OK)
            rc = leat_request_header(request, leat_slice_str(key), kept);
    }
    request->url = prw->url;
    request->precoded = true;
    return rc == LEAT_OK;
}

static void request_drop(struct run *run)
{
    if (run->open && !run->two)
        rw1_drop(&run->prw->one);
    leat_chain_done(&run->body);
    leat_free(run->bitmap);
    run->bitmap = NULL;
    run->open = false;
}

static bool request_begin(struct run *run)
{
    run->count = 0;
    run->open = true;
    run->bitmap = NULL;
    if (run->two) {
        rw2_open(&run->prw->two);
        return true;
    }
    return rw1_open(&run->prw->one, &run->body);
}

static bool request_end(struct run *run)
{
    struct prw_state *prw = run->prw;
    if (!run->open)
        return true;
    uint32_t samples = run->two ? prw->two.samples : prw->one.samples;
    if (samples == 0) {
        request_drop(run);
        return true;
    }
    bool closed = run->two ? rw2_close(&prw->two, &run->body) : rw1_close(&prw->one);
    struct leat_request *request = closed ? leat_requests_add(run->out) : NULL;
    if (!request)
        return false;
    request->body = run->body;
    request->bitmap = run->bitmap;
    request->first = run->count ? run->first : 0;
    request->count = run->count;
    request->order_key = run->order_key;
    request->tag = (run->two ? PRW_KIND_TWO : PRW_KIND_ONE) | samples << 2;
    run->body = (struct leat_chain){0};
    run->bitmap = NULL;
    run->open = false;
    return prw__headers(prw, run->batch, run->out, request, run->two ? PRW_KIND_TWO : PRW_KIND_ONE);
}

/* The request covers this item too. */
static bool cover(struct run *run, uint32_t item)
{
    if (run->count == 0)
        run->first = item;
    else if (item == run->last)
        return true;
    else if (!run->bitmap && item != run->last + 1) {
        run->bitmap = leat_zalloc(run->batch->item_count / 8 + 1, 1);
        if (!run->bitmap)
            return false;
        for (uint32_t i = run->first; i <= run->last; i++)
            leat_bitmap_set(run->bitmap, i);
    }
    if (run->bitmap) {
        if (leat_bitmap_get(run->bitmap, item))
            return true;
        leat_bitmap_set(run->bitmap, item);
    }
    run->last = item;
    run->count++;
    return true;
}

static bool is_full(const struct run *run)
{
    uint64_t bytes = run->two ? rw2_bytes(&run->prw->two) : run->prw->one.plain_bytes;
    return bytes >= run->prw->request_bytes_max;
}

static bool has_custom_buckets(const struct leat_prom_sample *sample)
{
    struct pb_field schema;
    if (!sample->extra || !sample->extra->histogram_bytes)
        return false;
    return otlp_get(leat_slice_of(sample->extra->histogram, sample->extra->histogram_bytes), 4, &schema) &&
           pb_zigzag(schema.value) == CUSTOM_BUCKETS;
}

static bool put(struct run *run, const struct leat_prom_sample *sample, uint32_t item)
{
    struct prw_state *prw = run->prw;
    if (!run->two && has_custom_buckets(sample)) {
        run->needs_two += item != RW_NO_ITEM;
        return item == RW_NO_ITEM ||
               leat_requests_reject(run->out, item, 1, "a histogram with custom buckets needs remote write 2.0") == LEAT_OK;
    }
    if (run->open && item != RW_NO_ITEM && item != run->last && is_full(run) && !request_end(run))
        return false; /* a row that is no item's goes with the items before it */
    if (!run->open && !request_begin(run))
        return false;
    bool written = run->two ? rw2_put(&prw->two, sample) : rw1_put(&prw->one, sample);
    return written && (item == RW_NO_ITEM || cover(run, item));
}

/* All samples of one shard; `seen` hears of every shard there is. */
static bool run_shard(struct run *run, const struct view *view, uint32_t shard, uint64_t *seen)
{
    struct shards shards = {0};
    uint32_t place = 0;
    run->order_key = shard + 1ull;
    for (uint32_t p = 0; p < view->part_count; p++) {
        uint32_t count;
        const struct leat_prom_sample *samples = leat_prom_samples(&view->parts[p], &count);
        for (uint32_t i = 0; i < count; i++, place++) {
            if (i + 8 < count)
                __builtin_prefetch(samples[i + 8].series);
            uint32_t its = shard_next(run->prw, &shards, samples[i].series);
            seen[its / 64] |= 1ull << its % 64;
            if (its == shard && !put(run, &samples[i], view->items ? view->items[place] : place))
                return false;
        }
    }
    return request_end(run);
}

/* The shard of the first sample first: often it is the only one. */
static bool run_all(struct run *run, const struct view *view)
{
    uint64_t seen[PRW_SHARDS_MAX / 64] = {0}, none[PRW_SHARDS_MAX / 64] = {0};
    uint32_t count = 0;
    for (uint32_t p = 0; p < view->part_count && count == 0; p++) {
        const struct leat_prom_sample *samples = leat_prom_samples(&view->parts[p], &count);
        if (count == 0)
            continue;
        uint32_t first = shard_of(run->prw, samples->series);
        if (!run_shard(run, view, first, seen))
            return false;
        seen[first / 64] &= ~(1ull << first % 64);
    }
    for (uint32_t shard = 0; shard < run->prw->shard_count; shard++)
        if (seen[shard / 64] >> shard % 64 & 1 && !run_shard(run, view, shard, none))
            return false;
    return true;
}

static bool run_metadata(struct run *run, const struct view *view)
{
    const struct leat_prom_family *last = NULL;
    for (uint32_t p = 0; p < view->part_count; p++) {
        uint32_t count;
        const struct leat_prom_sample *samples = leat_prom_samples(&view->parts[p], &count);
        for (uint32_t i = 0; i < count; i++) {
            const struct leat_prom_family *family = samples[i].series->family;
            if (family && family != last && !prw__metadata_note(run->prw, family, run->outgoing, run->out, run->batch))
                return false;
            last = family;
        }
    }
    return prw__metadata_end(run->prw, run->out, run->batch);
}

static leat_rc translate(struct prw_state *prw, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    leat_rc rc = rw_otlp_read(&prw->otlp, &batch->payload, reterr);
    const struct rw_rows *rows = &prw->otlp.rows;
    for (uint32_t i = 0; rc == LEAT_OK && i < rows->reject_count; i++)
        rc = leat_requests_reject(out, rows->rejects[i].item, rows->rejects[i].count, rows->rejects[i].reason);
    return rc;
}

/* Once the encode is sure: what is encoded again is counted once. */
static void count_rejects(const struct run *run)
{
    const struct rw_rows *rows = &run->prw->otlp.rows;
    for (uint32_t i = 0; run->batch->form->bit == LEAT_FORM_OTLP && i < rows->reject_count; i++)
        prw__count(run->prw, rows->rejects[i].reason == rw_otlp_delta ? PRW_COUNT_DELTA : PRW_COUNT_NO_FORM, rows->rejects[i].count);
    prw__count(run->prw, PRW_COUNT_NEEDS_TWO, run->needs_two);
}

leat_rc prw_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct prw_state *prw = state;
    struct run run = {.prw = prw, .batch = batch, .out = out, .two = prw__sends_two(prw), .outgoing = &prw->scraped};
    struct view view = {batch->payload.vec, batch->payload.count, NULL};
    struct leat_slice rows;
    if (batch->form->bit == LEAT_FORM_OTLP) {
        leat_rc rc = translate(prw, batch, out, reterr);
        if (rc != LEAT_OK)
            return rc;
        rows = leat_slice_of(prw->otlp.rows.at, prw->otlp.rows.count * (uint32_t)sizeof(struct leat_prom_sample));
        view = (struct view){&rows, 1, prw->otlp.rows.items};
        run.outgoing = &prw->translated;
    }
    prw->one.outgoing = prw->two.outgoing = run.outgoing;
    if (run_all(&run, &view) && (run.two || !prw->conf->send_metadata || run_metadata(&run, &view))) {
        count_rejects(&run);
        return LEAT_OK;
    }
    request_drop(&run);
    return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory to encode for remote write");
}
