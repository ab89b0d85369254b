/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_otlp.h"

#include <math.h>
#include <stdlib.h>

#include "agent/base/alloc.h"

#define CUMULATIVE 2u

static void *series_ref(void *value) { return leat_prom_series_ref(value); }
static void series_unref(void *value) { leat_prom_series_unref(value); }
static void *family_ref(void *value) { return leat_prom_family_ref(value); }
static void family_unref(void *value) { leat_prom_family_unref(value); }
static void *target_ref(void *value) { return leat_prom_target_ref(value); }
static void target_unref(void *value) { leat_prom_target_unref(value); }

void rw_otlp_init(struct rw_otlp *otlp, const struct rw_otlp_conf *conf)
{
    otlp->conf = *conf;
    otlp->series = (struct rw_cache){.max = conf->series_max, .ref = series_ref, .unref = series_unref};
    otlp->families = (struct rw_cache){.max = conf->series_max, .ref = family_ref, .unref = family_unref};
    otlp->targets = (struct rw_cache){.max = conf->series_max, .ref = target_ref, .unref = target_unref};
}

static void rows_clear(struct rw_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++)
        leat_prom_series_unref(rows->at[i].series);
    rows->count = rows->reject_count = rows->item_count = 0;
}

void rw_otlp_done(struct rw_otlp *otlp)
{
    rows_clear(&otlp->rows);
    leat_free(otlp->rows.at);
    leat_free(otlp->rows.items);
    leat_free(otlp->rows.rejects);
    otlp->rows = (struct rw_rows){0};
    rw_cache_done(&otlp->series);
    rw_cache_done(&otlp->families);
    rw_cache_done(&otlp->targets);
    otlp->family = leat_prom_family_unref(otlp->family);
    otlp->target = leat_prom_target_unref(otlp->target);
    otlp->info = leat_prom_series_unref(otlp->info);
    leat_arena_done(&otlp->extras);
    leat_arena_done(&otlp->texts);
    leat_strbuf_done(&otlp->name);
    leat_strbuf_done(&otlp->text);
    leat_strbuf_done(&otlp->full_name);
    pb_buf_done(&otlp->encoded);
    pb_buf_done(&otlp->native);
}

/* ---- rows ---- */

static bool rows_grow(struct rw_rows *rows)
{
    uint32_t room = rows->room ? rows->room * 2 : 256;
    struct leat_prom_sample *at = leat_realloc(rows->at, room * sizeof *at);
    if (!at)
        return false;
    rows->at = at;
    uint32_t *items = leat_realloc(rows->items, room * sizeof *items);
    if (!items)
        return false;
    rows->items = items;
    rows->room = room;
    return true;
}

bool rw_otlp__row(struct rw_otlp *otlp, struct leat_prom_series *series, uint64_t time_ns, double value,
                  const struct leat_prom_extra *extra, uint32_t item)
{
    struct rw_rows *rows = &otlp->rows;
    if (rows->count == rows->room && !rows_grow(rows)) {
        otlp->no_memory = true;
        return false;
    }
    rows->items[rows->count] = item;
    rows->at[rows->count++] = (struct leat_prom_sample){.series = leat_prom_series_ref(series), .time_ms = (int64_t)(time_ns / 1000000),
                                                       .value = value, .extra = extra};
    return true;
}

void rw_otlp__reject(struct rw_otlp *otlp, uint32_t item, uint32_t count, const char *reason)
{
    struct rw_rows *rows = &otlp->rows;
    struct rw_reject *last = rows->reject_count ? &rows->rejects[rows->reject_count - 1] : NULL;
    if (count == 0)
        return;
    if (last && last->reason == reason && last->item + last->count == item) {
        last->count += count;
        return;
    }
    if (rows->reject_count == rows->reject_room) {
        uint32_t room = rows->reject_room ? rows->reject_room * 2 : 16;
        struct rw_reject *rejects = leat_realloc(rows->rejects, room * sizeof *rejects);
        if (!rejects) {
            otlp->no_memory = true;
            return;
        }
        rows->rejects = rejects;
        rows->reject_room = room;
    }
    rows->rejects[rows->reject_count++] = (struct rw_reject){item, count, reason};
}

/* What the rows of a point have beside their values: NULL for nothing. */
static const struct leat_prom_extra *extra_of(struct rw_otlp *otlp, const struct rw_point *point, bool starts, bool exemplars)
{
    uint64_t start = starts && point->start_ns <= point->time_ns ? point->start_ns : 0;
    if (!start && !(exemplars && point->exemplar_count))
        return NULL;
    struct leat_prom_extra *extra = leat_arena_get(&otlp->extras, sizeof *extra);
    if (!extra || (exemplars && point->exemplar_count && !rw_otlp__exemplars(otlp, point, extra))) {
        otlp->no_memory = true;
        return NULL;
    }
    extra->start_ms = (int64_t)(start / 1000000);
    return extra;
}

/* A row of a part of the point. False: no memory, or no labels. */
static bool put_part(struct rw_otlp *otlp, const struct rw_point *point, enum rw_part part, double bound, double value,
                     const struct leat_prom_extra *extra, uint32_t item)
{
    struct leat_prom_series *series = rw_otlp__series(otlp, point, part, bound);
    if (!series)
        return false;
    return rw_otlp__row(otlp, series, point->time_ns, point->flags & 1 ? leat_prom_stale() : value, extra, item);
}

/* ---- classic histograms ---- */

/* Steps through repeated numbers, packed or not. */
struct numbers {
    struct pb_flat reader;
    uint32_t number;
    const uint8_t *at, *end;
};
static struct numbers numbers_of(struct leat_slice message, uint32_t number)
{
    return (struct numbers){.reader = pb_flat_of(message.at, message.len), .number = number};
}
static bool numbers_next(struct numbers *numbers, uint64_t *ret_bits)
{
    struct pb_field field;
    while (!numbers->at || numbers->end - numbers->at < 8) {
        if (pb_next(&numbers->reader, &field) != 1)
            return false;
        if (field.number != numbers->number)
            continue;
        if (field.wire == PB_FIXED64) {
            *ret_bits = field.value;
            return true;
        }
        numbers->at = field.wire == PB_LEN ? field.at : NULL;
        numbers->end = numbers->at ? field.at + field.len : NULL;
    }
    *ret_bits = pb_load64(numbers->at);
    numbers->at += 8;
    return true;
}

/* The extra of one bucket: the exemplars that lie in (above, bound]. */
static const struct leat_prom_extra *bucket_extra(struct rw_otlp *otlp, const struct leat_prom_extra *all, double above, double bound)
{
    uint32_t count = 0;
    for (uint32_t i = 0; all && i < all->exemplar_count; i++)
        count += all->exemplars[i].value > above && all->exemplars[i].value <= bound;
    if (!all || (count == 0 && all->start_ms == 0))
        return NULL;
    struct leat_prom_extra *extra = leat_arena_get(&otlp->extras, sizeof *extra);
    struct leat_prom_exemplar *some = count ? leat_arena_array(&otlp->extras, count, sizeof *some) : NULL;
    if (!extra || (count && !some)) {
        otlp->no_memory = true;
        return NULL;
    }
    extra->start_ms = all->start_ms;
    extra->exemplars = some;
    for (uint32_t i = 0; count && i < all->exemplar_count; i++)
        if (all->exemplars[i].value > above && all->exemplars[i].value <= bound)
            some[extra->exemplar_count++] = all->exemplars[i];
    return extra;
}

static bool put_histogram(struct rw_otlp *otlp, const struct rw_point *point, uint32_t item)
{
    struct numbers bounds = numbers_of(point->message, 7), counts = numbers_of(point->message, 6);
    const struct leat_prom_extra *all = extra_of(otlp, point, true, true), *plain = extra_of(otlp, point, true, false);
    uint64_t bits, count, total = 0;
    double above = -INFINITY;
    if (point->has_value && !put_part(otlp, point, RW_PART_SUM, 0, point->value, plain, item))
        return false;
    if (!put_part(otlp, point, RW_PART_COUNT, 0, (double)point->count, plain, item))
        return false;
    while (numbers_next(&bounds, &bits) && numbers_next(&counts, &count)) {
        double bound = pb_double(bits);
        total += count;
        if (isinf(bound) && bound > 0)
            break;
        if (!put_part(otlp, point, RW_PART_BUCKET, bound, (double)total, bucket_extra(otlp, all, above, bound), item))
            return false;
        above = bound;
    }
    return put_part(otlp, point, RW_PART_BUCKET, INFINITY, (double)point->count, bucket_extra(otlp, all, above, INFINITY), item);
}

static bool put_summary(struct rw_otlp *otlp, const struct rw_point *point, uint32_t item)
{
    const struct leat_prom_extra *extra = extra_of(otlp, point, true, false);
    struct leat_slice rest = point->message, quantile;
    if (!put_part(otlp, point, RW_PART_SUM, 0, point->value, extra, item) ||
        !put_part(otlp, point, RW_PART_COUNT, 0, (double)point->count, extra, item))
        return false;
    while (otlp_message_next(&rest, 6, &quantile)) {
        struct pb_field at, value;
        double bound = otlp_get(quantile, 1, &at) ? pb_double(at.value) : 0;
        if (!put_part(otlp, point, RW_PART_QUANTILE, bound, otlp_get(quantile, 2, &value) ? pb_double(value.value) : 0, extra, item))
            return false;
    }
    return true;
}

static bool put_native(struct rw_otlp *otlp, const struct rw_point *point, uint32_t item, const char **ret_reason)
{
    *ret_reason = rw_otlp__native(otlp, point);
    if (*ret_reason)
        return false;
    struct leat_prom_extra *extra = leat_arena_get(&otlp->extras, sizeof *extra);
    uint8_t *bytes = leat_arena_get(&otlp->extras, otlp->native.len + 1);
    if (!extra || !bytes || otlp->native.failed ||
        (point->exemplar_count && !rw_otlp__exemplars(otlp, point, extra))) {
        otlp->no_memory = true;
        return false;
    }
    memcpy(bytes, otlp->native.at, otlp->native.len);
    extra->histogram = bytes;
    extra->histogram_bytes = (uint32_t)otlp->native.len;
    extra->start_ms = point->start_ns <= point->time_ns ? (int64_t)(point->start_ns / 1000000) : 0;
    return put_part(otlp, point, RW_PART_VALUE, 0, point->value, extra, item);
}

/* ---- metrics ---- */

/* Rows of a point that turned out to have no form are taken back. */
static void take_back(struct rw_rows *rows, uint32_t count)
{
    while (rows->count > count)
        leat_prom_series_unref(rows->at[--rows->count].series);
}

static void put_point(struct rw_otlp *otlp, const struct otlp_metric *metric, const struct rw_point *point, uint32_t item)
{
    const char *reason = NULL;
    uint32_t before = otlp->rows.count;
    bool put;
    otlp->point_key = rw_otlp__key(point->attributes.at, point->attributes.len);
    otlp->labels_made = otlp->labels_bad = false;
    switch (metric->kind) {
    case OTLP_HISTOGRAM:
        put = put_histogram(otlp, point, item);
        break;
    case OTLP_EXPONENTIAL_HISTOGRAM:
        put = put_native(otlp, point, item, &reason);
        break;
    case OTLP_SUMMARY:
        put = put_summary(otlp, point, item);
        break;
    default:
        put = put_part(otlp, point, RW_PART_VALUE, 0, point->value,
                       extra_of(otlp, point, metric->kind == OTLP_SUM && metric->monotonic, true), item);
    }
    if (put || otlp->no_memory)
        return;
    take_back(&otlp->rows, before);
    rw_otlp__reject(otlp, item, 1, reason ? reason : "the point has no labels that Prometheus could take");
}

static enum leat_prom_type type_of(const struct otlp_metric *metric, struct leat_slice message)
{
    struct otlp_value was;
    bool known = otlp_attribute_get(message, 12, "prometheus.type", &was) && was.kind == OTLP_TEXT;
    switch (metric->kind) {
    case OTLP_GAUGE:
        return known && leat_slice_is(was.text, "unknown") ? LEAT_PROM_UNKNOWN : LEAT_PROM_GAUGE;
    case OTLP_SUM:
        if (metric->monotonic)
            return LEAT_PROM_COUNTER;
        if (known && leat_slice_is(was.text, "info"))
            return LEAT_PROM_INFO;
        return known && leat_slice_is(was.text, "stateset") ? LEAT_PROM_STATESET : LEAT_PROM_GAUGE;
    case OTLP_SUMMARY:
        return LEAT_PROM_SUMMARY;
    default:
        return LEAT_PROM_HISTOGRAM;
    }
}

const char rw_otlp_delta[] = "delta temporality has no form in Prometheus: convert it before";

/* Why none of its points can be told to Prometheus; NULL: they can. */
static const char *metric_begin(struct rw_otlp *otlp, const struct otlp_metric *metric, struct leat_slice message)
{
    bool is_sum = metric->kind == OTLP_SUM, counts = is_sum || metric->kind == OTLP_HISTOGRAM || metric->kind == OTLP_EXPONENTIAL_HISTOGRAM;
    enum rw_kind kind = metric->kind == OTLP_GAUGE ? RW_GAUGE : is_sum && metric->monotonic ? RW_COUNTER : RW_OTHER_KIND;
    if (counts && metric->temporality != CUMULATIVE)
        return metric->temporality == 1 ? rw_otlp_delta
                                        : "a sum or histogram without a temporality has no form in Prometheus";
    if (!rw_metric_name(&otlp->name, &otlp->conf.namer, metric->name, metric->unit, kind))
        return "the metric's name has no form in Prometheus";
    otlp->family = leat_prom_family_unref(otlp->family);
    otlp->type = type_of(metric, message);
    otlp->help = metric->description;
    otlp->unit = metric->unit;
    otlp->no_memory |= otlp->name.failed;
    struct rw_key parts[5] = {otlp->scope_key, rw_otlp__key(metric->name.at, metric->name.len),
                              rw_otlp__key(metric->unit.at, metric->unit.len),
                              rw_otlp__key(metric->description.at, metric->description.len),
                              {metric->kind, (uint64_t)otlp->type << 1 | metric->monotonic}};
    otlp->metric_key = rw_otlp__key(parts, sizeof parts);
    return NULL;
}

static bool read_metric(struct rw_otlp *otlp, struct leat_slice message)
{
    struct otlp_metric metric;
    struct leat_slice rest, bytes;
    if (!otlp_metric_of(message, &metric))
        return false;
    if (metric.kind == OTLP_NO_DATA)
        return true;
    const char *reason = metric_begin(otlp, &metric, message);
    rest = metric.data;
    while (!otlp->no_memory && otlp_message_next(&rest, 1, &bytes)) {
        struct rw_point point;
        uint32_t item = otlp->rows.item_count++;
        if (!rw_point_of(metric.kind, bytes, &point))
            return false;
        if (point.time_ns > otlp->newest_ns)
            otlp->newest_ns = point.time_ns;
        if (reason)
            rw_otlp__reject(otlp, item, 1, reason);
        else
            put_point(otlp, &metric, &point, item);
    }
    return true;
}

static void resource_begin(struct rw_otlp *otlp, struct leat_slice resource)
{
    rw_otlp__resource(otlp, resource);
    otlp->info = leat_prom_series_unref(otlp->info);
    if (otlp->conf.target_info)
        otlp->info = leat_prom_series_ref(rw_otlp__target_info(otlp));
}

/* target_info goes when a point of its resource goes at all. */
static void resource_end(struct rw_otlp *otlp, uint32_t first_row)
{
    struct rw_rows *rows = &otlp->rows;
    if (otlp->info && otlp->newest_ns && rows->count > first_row && !otlp->no_memory)
        (void)rw_otlp__row(otlp, otlp->info, otlp->newest_ns, 1, NULL, RW_NO_ITEM);
    otlp->info = leat_prom_series_unref(otlp->info);
}

/* ---- in the order of time ---- */

struct dated {
    int64_t time_ms;
    uint32_t place;
};
static int by_time(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    return x->time_ms != y->time_ms ? (x->time_ms < y->time_ms ? -1 : 1) : (x->place > y->place) - (x->place < y->place);
}

/* A series may stand more than once, its samples in any order: destinations take them by time only. */
static bool rows_sort(struct rw_rows *rows)
{
    bool sorted = true;
    for (uint32_t i = 1; sorted && i < rows->count; i++)
        sorted = rows->at[i - 1].time_ms <= rows->at[i].time_ms;
    if (sorted)
        return true;
    struct dated *order = leat_alloc(rows->count * sizeof *order);
    struct leat_prom_sample *at = leat_alloc(rows->room * sizeof *at);
    uint32_t *items = leat_alloc(rows->room * sizeof *items);
    if (!order || !at || !items) {
        leat_free(order);
        leat_free(at);
        leat_free(items);
        return false;
    }
    for (uint32_t i = 0; i < rows->count; i++)
        order[i] = (struct dated){rows->at[i].time_ms, i};
    qsort(order, rows->count, sizeof *order, by_time);
    for (uint32_t i = 0; i < rows->count; i++) {
        at[i] = rows->at[order[i].place];
        items[i] = rows->items[order[i].place];
    }
    leat_free(rows->at);
    leat_free(rows->items);
    leat_free(order);
    rows->at = at;
    rows->items = items;
    return true;
}

static void forgive(struct rw_otlp *otlp)
{
    otlp->no_memory = false;
    otlp->name.failed = otlp->text.failed = otlp->full_name.failed = false;
    otlp->encoded.failed = otlp->native.failed = false;
    otlp->texts.failed = false;
}

leat_rc rw_otlp_read(struct rw_otlp *otlp, const struct leat_chain *payload, struct leat_err *reterr)
{
    struct otlp_walk walk;
    uint32_t first_row = 0;
    bool fine = true;
    rows_clear(&otlp->rows);
    leat_arena_done(&otlp->extras);
    otlp->extras.failed = false;
    forgive(otlp);
    otlp_walk_open(&walk, LEAT_METRICS, payload);
    while (fine && !otlp->no_memory && otlp_walk_next(&walk)) {
        if (walk.new_resource) {
            resource_end(otlp, first_row);
            first_row = otlp->rows.count;
            resource_begin(otlp, walk.resource);
        }
        if (walk.new_scope)
            rw_otlp__scope(otlp, &walk.scope);
        fine = read_metric(otlp, walk.item);
    }
    resource_end(otlp, first_row);
    leat_rc rc = otlp_walk_close(&walk, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (!fine)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "remote write: a metric that cannot be read");
    if (otlp->no_memory || !rows_sort(&otlp->rows))
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "remote write: no memory to translate");
    return LEAT_OK;
}
