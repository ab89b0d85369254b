/* SPDX-License-Identifier: Apache-2.0 */
/* Samples are put together to points, points to metrics, metrics to scopes and resources. */
#include "proto/remote_write/rw_to_otlp.h"

#include <math.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "proto/remote_write/rw_to_otlp_inner.h"

#define CUSTOM_BUCKETS (-53)
#define START_S_MAX 9.2e9 /* nanoseconds of it fit */

/* What a series says in its labels. */
struct said {
    struct leat_slice name, job, instance, le, quantile;
    struct leat_slice scope_name, scope_version, schema_url;
    bool has_scope_attributes;
};

bool rw_label__is_scope(struct leat_slice name) { return name.len >= 11 && memcmp(name.at, "otel_scope_", 11) == 0; }

bool rw_label__is_left_out(struct leat_slice name, enum otlp_metric_kind kind)
{
    static const char *const names[] = {"__name__", "job", "instance", "__scheme__", "__metrics_path__"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (leat_slice_is(name, names[i]))
            return true;
    return kind == OTLP_SUMMARY ? leat_slice_is(name, "quantile") : kind == OTLP_HISTOGRAM && leat_slice_is(name, "le");
}

static struct said said_of(const struct leat_prom_series *series)
{
    struct said said = {{0}};
    struct leat_slice name, value;
    uint32_t at = 0;
    while (leat_prom_label_next(series, &at, &name, &value)) {
        if (leat_slice_is(name, "__name__"))
            said.name = value;
        else if (leat_slice_is(name, "job"))
            said.job = value;
        else if (leat_slice_is(name, "instance"))
            said.instance = value;
        else if (leat_slice_is(name, "le"))
            said.le = value;
        else if (leat_slice_is(name, "quantile"))
            said.quantile = value;
        else if (leat_slice_is(name, "otel_scope_name"))
            said.scope_name = value;
        else if (leat_slice_is(name, "otel_scope_version"))
            said.scope_version = value;
        else if (leat_slice_is(name, "otel_scope_schema_url"))
            said.schema_url = value;
        else
            said.has_scope_attributes |= rw_label__is_scope(name);
    }
    return said;
}

/* ---- an index by hash; keys are 64 bits of hash and are taken for the thing itself ---- */

static void **index_at(struct rw_scrape *scrape, uint64_t key)
{
    uint64_t i = key & (scrape->index_size - 1);
    while (scrape->index[i].value && scrape->index[i].key != key)
        i = (i + 1) & (scrape->index_size - 1);
    scrape->index[i].key = key;
    return &scrape->index[i].value;
}

/* ---- resources and scopes ---- */

static struct rw_resource *resource_of(struct rw_scrape *scrape, const struct said *said, const struct leat_prom_target *target)
{
    struct leat_slice job = said->job, instance = said->instance;
    if (job.len == 0 && target)
        job = target->job;
    if (instance.len == 0 && target)
        instance = target->instance;
    struct rw_resource *last = scrape->last_resource;
    if (last && leat_slice_eq(last->job, job) && leat_slice_eq(last->instance, instance))
        return last;
    for (struct rw_resource *resource = scrape->resources; resource; resource = resource->next)
        if (leat_slice_eq(resource->job, job) && leat_slice_eq(resource->instance, instance))
            return scrape->last_resource = resource;
    struct rw_resource *resource = leat_arena_get(&scrape->arena, sizeof *resource);
    if (!resource)
        return NULL;
    *resource = (struct rw_resource){.job = job, .instance = instance, .target = target};
    resource->scopes_end = &resource->scopes;
    *scrape->resources_end = resource;
    scrape->resources_end = &resource->next;
    return scrape->last_resource = resource;
}

static struct leat_slice scope_attributes(struct rw_scrape *scrape, const struct leat_prom_series *series)
{
    struct leat_slice name, value;
    uint32_t at = 0;
    scrape->scratch.len = 0;
    while (leat_prom_label_next(series, &at, &name, &value)) {
        if (!rw_label__is_scope(name) || leat_slice_is(name, "otel_scope_name") || leat_slice_is(name, "otel_scope_version") ||
            leat_slice_is(name, "otel_scope_schema_url"))
            continue;
        size_t pair = pb_buf_open(&scrape->scratch, PB_TAG(3, PB_LEN));
        pb_buf_bytes(&scrape->scratch, PB_TAG(1, PB_LEN), name.at + 11, name.len - 11);
        size_t any = pb_buf_open(&scrape->scratch, PB_TAG(2, PB_LEN));
        pb_buf_bytes(&scrape->scratch, PB_TAG(1, PB_LEN), value.at, value.len);
        pb_buf_close(&scrape->scratch, any);
        pb_buf_close(&scrape->scratch, pair);
    }
    return leat_slice_of(scrape->scratch.at, (uint32_t)scrape->scratch.len);
}

static struct rw_scope *scope_of(struct rw_scrape *scrape, struct rw_resource *resource, const struct said *said,
                                 const struct leat_prom_series *series)
{
    struct leat_slice attributes = {0};
    if (said->has_scope_attributes)
        attributes = scope_attributes(scrape, series);
    for (struct rw_scope *scope = resource->scopes; scope; scope = scope->next)
        if (leat_slice_eq(scope->name, said->scope_name) && leat_slice_eq(scope->version, said->scope_version) &&
            leat_slice_eq(scope->schema_url, said->schema_url) && leat_slice_eq(scope->attributes, attributes))
            return scope;
    struct rw_scope *scope = leat_arena_get(&scrape->arena, sizeof *scope);
    char *copy = attributes.len ? leat_arena_str(&scrape->arena, (const char *)attributes.at, attributes.len) : NULL;
    if (!scope || (attributes.len && !copy))
        return NULL;
    *scope = (struct rw_scope){.resource = resource, .name = said->scope_name, .version = said->scope_version,
                               .schema_url = said->schema_url, .attributes = leat_slice_of(copy, attributes.len)};
    scope->metrics_end = &scope->metrics;
    *resource->scopes_end = scope;
    resource->scopes_end = &scope->next;
    return scope;
}

static bool target_info(struct rw_scrape *scrape, struct rw_resource *resource, const struct leat_prom_series *series)
{
    struct leat_slice name, value;
    uint32_t at = 0;
    while (leat_prom_label_next(series, &at, &name, &value)) {
        struct rw_info *info = resource->infos;
        if (leat_slice_is(name, "job") || leat_slice_is(name, "instance") || leat_slice_is(name, "__name__"))
            continue;
        while (info && !leat_slice_eq(info->key, name))
            info = info->next;
        if (!info) {
            info = leat_arena_get(&scrape->arena, sizeof *info);
            if (!info)
                return false;
            struct rw_info **end = &resource->infos;
            while (*end)
                end = &(*end)->next;
            *end = info;
        }
        info->key = name;
        info->value = value;
    }
    return true;
}

/* ---- metrics ---- */

static bool ends_with(struct leat_slice name, const char *end)
{
    uint32_t len = (uint32_t)strlen(end);
    return name.len > len && memcmp(name.at + name.len - len, end, len) == 0;
}

/* Without the first of the endings that a family's series have. */
static struct leat_slice without_ending(struct leat_slice name)
{
    static const char *const endings[] = {"_bucket", "_count", "_sum", "_total", "_info", "_created"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i]))
            return leat_slice_sub(name, 0, name.len - (uint32_t)strlen(endings[i]));
    return name;
}

/* What every scrape has, and no page explains. */
static const struct {
    const char *name, *help, *unit;
} own_series[] = {{"up", "The scraping was successful", ""},
                  {"scrape_duration_seconds", "Duration of the scrape", "seconds"},
                  {"scrape_samples_scraped", "The number of samples the target exposed", ""},
                  {"scrape_series_added", "The approximate number of new series in this scrape", ""},
                  {"scrape_samples_post_metric_relabeling", "The number of samples remaining after metric relabeling was applied", ""}};

static enum otlp_metric_kind kind_of(enum leat_prom_type type, bool exponential)
{
    switch (type) {
    case LEAT_PROM_COUNTER:
    case LEAT_PROM_INFO:
    case LEAT_PROM_STATESET:
        return OTLP_SUM;
    case LEAT_PROM_HISTOGRAM:
        return exponential ? OTLP_EXPONENTIAL_HISTOGRAM : OTLP_HISTOGRAM;
    case LEAT_PROM_SUMMARY:
        return OTLP_SUMMARY;
    default:
        return OTLP_GAUGE;
    }
}

/* Name, type and texts of the metric a series belongs to; `exponential`: its sample is a native histogram. */
static struct rw_metric describe(struct rw_scrape *scrape, struct leat_slice name, const struct leat_prom_family *family,
                                 bool native, bool exponential)
{
    struct rw_metric metric = {.name = name, .family = name, .native = native};
    bool own = false;
    for (size_t i = 0; i < sizeof own_series / sizeof *own_series && !own; i++)
        if ((own = leat_slice_is(name, own_series[i].name))) {
            metric.type = LEAT_PROM_GAUGE;
            metric.help = leat_slice_str(own_series[i].help);
            metric.unit = leat_slice_str(own_series[i].unit);
        }
    bool exact = family && leat_slice_eq(family->name, name);
    if (!own && family && (exact || leat_slice_eq(family->name, without_ending(name)))) {
        metric.type = family->type;
        metric.help = family->help;
        metric.unit = family->unit;
        metric.family = family->name;
        if (!exact && family->type != LEAT_PROM_COUNTER)
            metric.name = family->name;
        else if (!exact && ends_with(name, "_created")) {
            char *total = leat_arena_printf(&scrape->arena, "%.*s_total", LEAT_SLICE_ARGS(family->name));
            metric.name = leat_slice_of(total, total ? family->name.len + 6 : 0);
        }
    }
    if (native)
        metric.type = LEAT_PROM_HISTOGRAM;
    metric.kind = kind_of(metric.type, exponential);
    return metric;
}

static struct rw_metric *metric_of(struct rw_scrape *scrape, struct rw_scope *scope, const struct rw_metric *described)
{
    struct rw_metric *last = scrape->last_metric;
    if (last && last->scope == scope && last->native == described->native && leat_slice_eq(last->name, described->name))
        return last;
    uint64_t key = XXH3_64bits_withSeed(described->name.at, described->name.len, (uint64_t)(uintptr_t)scope + described->native);
    void **place = index_at(scrape, key);
    if (*place)
        return scrape->last_metric = *place;
    struct rw_metric *metric = leat_arena_get(&scrape->arena, sizeof *metric);
    if (!metric)
        return NULL;
    *metric = *described;
    metric->scope = scope;
    metric->groups_end = &metric->groups;
    *scope->metrics_end = metric;
    scope->metrics_end = &metric->next;
    *place = metric;
    return scrape->last_metric = metric;
}

/* ---- points ---- */

static uint64_t group_key(const struct rw_metric *metric, const struct leat_prom_series *series)
{
    struct leat_slice name, value;
    uint64_t key = (uint64_t)(uintptr_t)metric * 0x9e3779b97f4a7c15u;
    uint32_t at = 0;
    while (leat_prom_label_next(series, &at, &name, &value))
        if (!rw_label__is_left_out(name, metric->kind) && !rw_label__is_scope(name))
            key = XXH3_64bits_withSeed(value.at, value.len, XXH3_64bits_withSeed(name.at, name.len, key));
    return key;
}

static struct rw_group *group_of(struct rw_scrape *scrape, struct rw_metric *metric, const struct leat_prom_series *series,
                                 int64_t time_ms)
{
    uint64_t key = group_key(metric, series);
    if (metric->last && metric->last->key == key)
        return metric->last;
    void **place = index_at(scrape, key);
    if (*place)
        return metric->last = *place;
    struct rw_group *group = leat_arena_get(&scrape->arena, sizeof *group);
    if (!group)
        return NULL;
    *group = (struct rw_group){.key = key, .series = series, .time_ms = time_ms};
    group->exemplars_end = &group->exemplars;
    *metric->groups_end = group;
    metric->groups_end = &group->next;
    *place = group;
    return metric->last = group;
}

static bool add_value(struct rw_scrape *scrape, struct rw_group *group, struct leat_slice bound, double value)
{
    char text[64], *end;
    if (bound.len == 0 || bound.len >= sizeof text)
        return true; /* no bound, no bucket */
    memcpy(text, bound.at, bound.len);
    text[bound.len] = 0;
    double number = strtod(text, &end);
    if (*end)
        return true;
    if (group->value_count == group->value_room) {
        uint32_t room = group->value_room ? group->value_room * 2 : 16;
        group->values = leat_arena_grow(&scrape->arena, group->values, group->value_count, room, sizeof *group->values);
        if (!group->values)
            return false;
        group->value_room = room;
    }
    group->values[group->value_count] = (struct rw_sum_value){number, value, group->value_count};
    group->value_count++;
    return true;
}

static bool is_created(const struct rw_metric *metric, struct leat_slice name)
{
    return name.len == metric->family.len + 8 && ends_with(name, "_created") &&
           memcmp(name.at, metric->family.at, metric->family.len) == 0;
}

static bool add_native(struct rw_group *group, const struct leat_prom_sample *sample, bool custom)
{
    const struct leat_prom_extra *extra = sample->extra;
    group->custom = custom;
    group->has_count = group->has_sum = true;
    group->sum = sample->value;
    group->native = extra ? leat_slice_of(extra->histogram, extra->histogram_bytes) : (struct leat_slice){0};
    return true;
}

static bool add_sample(struct rw_scrape *scrape, struct rw_metric *metric, struct rw_group *group, const struct said *said,
                       const struct leat_prom_sample *sample)
{
    double value = sample->value;
    if (metric->kind != OTLP_GAUGE && is_created(metric, said->name)) {
        group->start_ms = fabs(value) < START_S_MAX ? (int64_t)(value * 1000) : 0; /* NaN neither */
        return true;
    }
    if (metric->kind == OTLP_GAUGE || metric->kind == OTLP_SUM) {
        group->value = value;
        group->has_value = true;
        return true;
    }
    if (ends_with(said->name, "_sum")) {
        group->sum = value;
        group->has_sum = true;
        return true;
    }
    if (ends_with(said->name, "_count")) {
        group->count = value;
        group->has_count = true;
        return true;
    }
    return add_value(scrape, group, metric->kind == OTLP_SUMMARY ? said->quantile : said->le, value);
}

static bool add_exemplars(struct rw_scrape *scrape, struct rw_group *group, const struct leat_prom_sample *sample)
{
    for (uint32_t i = 0; sample->extra && i < sample->extra->exemplar_count; i++) {
        struct rw_exemplar_ref *ref = leat_arena_get(&scrape->arena, sizeof *ref);
        if (!ref)
            return false;
        *ref = (struct rw_exemplar_ref){&sample->extra->exemplars[i], sample->time_ms, NULL};
        *group->exemplars_end = ref;
        group->exemplars_end = &ref->next;
    }
    return true;
}

static bool has_custom_buckets(const struct leat_prom_extra *extra)
{
    struct pb_field schema;
    return otlp_get(leat_slice_of(extra->histogram, extra->histogram_bytes), 4, &schema) && pb_zigzag(schema.value) == CUSTOM_BUCKETS;
}

/* False: no memory. */
static bool take(struct rw_scrape *scrape, const struct leat_prom_sample *sample)
{
    const struct leat_prom_series *series = sample->series;
    const struct leat_prom_family *family = series->family;
    struct said said = said_of(series);
    struct rw_resource *resource = resource_of(scrape, &said, series->target);
    if (!resource)
        return false;
    if (leat_slice_is(said.name, "target_info"))
        return target_info(scrape, resource, series);
    bool native = sample->extra && sample->extra->histogram_bytes, custom = native && has_custom_buckets(sample->extra);
    if (!native && leat_prom_is_stale(sample->value) && family && family->type == LEAT_PROM_HISTOGRAM &&
        leat_slice_eq(family->name, said.name))
        native = true; /* a native histogram's series ends with a plain marker */
    struct rw_scope *scope = scope_of(scrape, resource, &said, series);
    struct rw_metric described = describe(scrape, said.name, family, native, native && !custom);
    struct rw_metric *metric = scope ? metric_of(scrape, scope, &described) : NULL;
    struct rw_group *group = metric ? group_of(scrape, metric, series, sample->time_ms) : NULL;
    if (!group || scrape->arena.failed)
        return false;
    if (group->time_ms != sample->time_ms)
        return true; /* of another time than its point: left out, as there */
    if (sample->extra && sample->extra->start_ms)
        group->start_ms = sample->extra->start_ms;
    bool added = native ? add_native(group, sample, custom) : add_sample(scrape, metric, group, &said, sample);
    return added && add_exemplars(scrape, group, sample);
}

static leat_rc begin(struct rw_scrape *scrape, const struct leat_chain *payload)
{
    uint64_t size = 64;
    while (size < payload->bytes / sizeof(struct leat_prom_sample) * 4)
        size *= 2;
    scrape->resources_end = &scrape->resources;
    scrape->index = size <= UINT32_MAX ? leat_zalloc(size, sizeof *scrape->index) : NULL;
    scrape->index_size = (uint32_t)size;
    return scrape->index ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc give(struct pb_buf *out, struct leat_chain *ret_otlp)
{
    struct leat_mem *mem = out->failed ? NULL : leat_mem_new((uint32_t)out->len);
    if (!mem)
        return LEAT_ENOMEM;
    memcpy(mem->at, out->at, out->len);
    if (leat_chain_take(ret_otlp, (struct leat_slice){mem->at, (uint32_t)out->len, mem}) == LEAT_OK)
        return LEAT_OK;
    leat_mem_unref(mem);
    return LEAT_ENOMEM;
}

leat_rc leat_prom_to_otlp(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_otlp, uint32_t *ret_items,
                          struct leat_err *reterr)
{
    (void)signal;
    struct rw_scrape scrape = {0};
    struct pb_buf out = {0};
    *ret_otlp = (struct leat_chain){0};
    leat_rc rc = begin(&scrape, payload);
    for (uint32_t p = 0; rc == LEAT_OK && p < payload->count; p++) {
        uint32_t count;
        const struct leat_prom_sample *samples = leat_prom_samples(&payload->vec[p], &count);
        for (uint32_t i = 0; rc == LEAT_OK && i < count; i++)
            rc = take(&scrape, &samples[i]) && !scrape.scratch.failed ? LEAT_OK : LEAT_ENOMEM;
    }
    if (rc == LEAT_OK)
        *ret_items = rw_scrape__put(&scrape, &out);
    if (rc == LEAT_OK && out.len)
        rc = give(&out, ret_otlp);
    pb_buf_done(&out);
    pb_buf_done(&scrape.scratch);
    leat_free(scrape.index);
    leat_arena_done(&scrape.arena);
    return rc == LEAT_OK ? LEAT_OK : LEAT_RAISE(reterr, rc, 0, "no memory to make OTLP metrics of samples");
}
