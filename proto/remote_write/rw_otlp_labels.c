/* SPDX-License-Identifier: Apache-2.0 */
/* From resource, scope and point to the labels of a series. */
#define XXH_INLINE_ALL
#include <stdlib.h>
#include <xxhash.h>

#include "proto/otlp/otlp_text.h"
#include "proto/remote_write/rw_otlp.h"
#include "proto/remote_write/rw_text.h"

static const char *const identity[] = {"service.name", "service.namespace", "service.instance.id"};

struct rw_key rw_otlp__key(const void *at, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(at, len);
    return (struct rw_key){hash.low64, hash.high64};
}

static bool is_identity(struct leat_slice key)
{
    for (size_t i = 0; i < sizeof identity / sizeof *identity; i++)
        if (leat_slice_is(key, identity[i]))
            return true;
    return false;
}

/* ---- what a resource and a scope say for all their points ---- */

static struct leat_slice keep(struct rw_otlp *otlp, struct leat_slice text)
{
    char *at = text.len ? leat_arena_str(&otlp->texts, (const char *)text.at, text.len) : NULL;
    otlp->no_memory |= otlp->text.failed || (text.len && !at);
    return leat_slice_of(at, at ? text.len : 0);
}

static struct leat_slice made(const struct rw_otlp *otlp) /* what stands in otlp->text */
{
    return leat_slice_of(otlp->text.at, (uint32_t)otlp->text.len);
}

static struct leat_slice value_of(struct rw_otlp *otlp, const struct otlp_value *value)
{
    struct leat_slice text = otlp_text_of(value, &otlp->text);
    return value->kind == OTLP_TEXT ? text : keep(otlp, text);
}

static struct leat_slice resource_text(struct rw_otlp *otlp, const char *key)
{
    struct otlp_value value;
    return otlp_attribute_get(otlp->resource, 1, key, &value) ? value_of(otlp, &value) : (struct leat_slice){0};
}

static struct leat_prom_target *target_new(struct rw_otlp *otlp)
{
    struct otlp_value value;
    struct leat_slice name = resource_text(otlp, identity[0]), space = resource_text(otlp, identity[1]),
                      instance = resource_text(otlp, identity[2]);
    leat_strbuf_clear(&otlp->text);
    if (name.len && otlp_attribute_get(otlp->resource, 1, identity[1], &value)) {
        leat_strbuf_put(&otlp->text, space.at, space.len);
        leat_strbuf_putc(&otlp->text, '/');
    }
    leat_strbuf_put(&otlp->text, name.at, name.len);
    otlp->no_memory |= otlp->text.failed;
    return otlp->no_memory ? NULL
                           : leat_prom_target_new(leat_slice_of(otlp->text.at, (uint32_t)otlp->text.len), instance,
                                                  (struct leat_slice){0});
}

void rw_otlp__resource(struct rw_otlp *otlp, struct leat_slice resource)
{
    otlp->resource = resource;
    otlp->resource_key = rw_otlp__key(resource.at, resource.len);
    otlp->newest_ns = 0;
    leat_prom_target_unref(otlp->target);
    otlp->target = leat_prom_target_ref(rw_cache_get(&otlp->targets, otlp->resource_key));
    if (otlp->target)
        return;
    otlp->target = target_new(otlp);
    if (!otlp->target || !rw_cache_put(&otlp->targets, otlp->resource_key, leat_prom_target_ref(otlp->target))) {
        leat_prom_target_unref(otlp->target); /* the cache's */
        otlp->no_memory = true;
    }
    leat_arena_done(&otlp->texts);
}

void rw_otlp__scope(struct rw_otlp *otlp, const struct otlp_scope *scope)
{
    struct rw_key parts[4] = {otlp->resource_key, rw_otlp__key(scope->name.at, scope->name.len),
                              rw_otlp__key(scope->version.at, scope->version.len),
                              rw_otlp__key(scope->attributes.at, scope->attributes.len)};
    otlp->scope = *scope;
    otlp->scope_key = rw_otlp__key(parts, sizeof parts);
}

/* ---- a set of labels ---- */

static struct rw_label *find(struct rw_otlp *otlp, struct leat_slice name)
{
    for (uint32_t i = 0; i < otlp->label_count; i++)
        if (leat_slice_eq(otlp->labels[i].name, name))
            return &otlp->labels[i];
    return NULL;
}

static void set(struct rw_otlp *otlp, struct leat_slice name, struct leat_slice value)
{
    struct rw_label *label = find(otlp, name);
    if (label)
        label->value = value;
    else if (otlp->label_count < RW_LABELS_MAX)
        otlp->labels[otlp->label_count++] = (struct rw_label){name, value};
    else
        otlp->labels_bad = true;
}

/* The name an attribute has as a label; bad: none. */
static struct leat_slice name_of(struct rw_otlp *otlp, struct leat_slice key)
{
    if (!rw_label_name(&otlp->text, &otlp->conf.namer, key))
        otlp->labels_bad = true;
    return keep(otlp, made(otlp));
}

/* Attributes before their names are translated. */
struct raw {
    struct rw_label at[RW_LABELS_MAX];
    uint32_t count;
};

/* The point's are all taken; the resource's take the place of one of their name. */
enum raw_from { RAW_POINT, RAW_RESOURCE, RAW_RESOURCE_BUT_IDENTITY };
static void raw_add(struct rw_otlp *otlp, struct raw *raw, struct leat_slice fields, uint32_t number, enum raw_from from)
{
    struct otlp_attribute attribute;
    while (otlp_attribute_next(&fields, number, &attribute)) {
        uint32_t i = from != RAW_POINT ? 0 : raw->count;
        if (from == RAW_RESOURCE_BUT_IDENTITY && is_identity(attribute.key))
            continue;
        while (i < raw->count && !leat_slice_eq(raw->at[i].name, attribute.key))
            i++;
        if (i == RW_LABELS_MAX) {
            otlp->labels_bad = true;
            return;
        }
        raw->at[i] = (struct rw_label){attribute.key, value_of(otlp, &attribute.value)};
        raw->count += i == raw->count;
    }
}

static void join(struct rw_otlp *otlp, struct rw_label *label, struct leat_slice more)
{
    if (leat_slice_eq(label->value, more))
        return;
    leat_strbuf_clear(&otlp->text);
    leat_strbuf_put(&otlp->text, label->value.at, label->value.len);
    leat_strbuf_putc(&otlp->text, ';');
    leat_strbuf_put(&otlp->text, more.at, more.len);
    label->value = keep(otlp, made(otlp));
}

static int by_name(const void *a, const void *b)
{
    return rw_name_compare(((const struct rw_label *)a)->name, ((const struct rw_label *)b)->name);
}

/* Attributes whose names fall together are joined in the order of their own names. */
static void set_all(struct rw_otlp *otlp, struct raw *raw)
{
    qsort(raw->at, raw->count, sizeof *raw->at, by_name);
    for (uint32_t i = 0; i < raw->count; i++) {
        if (raw->at[i].value.len == 0)
            continue;
        struct leat_slice name = name_of(otlp, raw->at[i].name);
        struct rw_label *label = find(otlp, name);
        if (label)
            join(otlp, label, raw->at[i].value);
        else
            set(otlp, name, raw->at[i].value);
    }
}

static void set_identity(struct rw_otlp *otlp)
{
    const struct leat_prom_target *target = otlp->target;
    if (target && target->job.len)
        set(otlp, LEAT_SLICE("job"), target->job);
    if (target && target->instance.len)
        set(otlp, LEAT_SLICE("instance"), target->instance);
}

static void set_scope(struct rw_otlp *otlp)
{
    struct leat_slice rest = otlp->scope.attributes;
    struct otlp_attribute attribute;
    if (otlp->scope.name.len)
        set(otlp, LEAT_SLICE("otel_scope_name"), otlp->scope.name);
    if (otlp->scope.version.len)
        set(otlp, LEAT_SLICE("otel_scope_version"), otlp->scope.version);
    while (otlp_attribute_next(&rest, 3, &attribute)) {
        if (leat_slice_is(attribute.key, "name") || leat_slice_is(attribute.key, "version") ||
            leat_slice_is(attribute.key, "schema_url"))
            continue;
        leat_strbuf_clear(&otlp->full_name);
        leat_strbuf_puts(&otlp->full_name, "otel_scope_");
        leat_strbuf_put(&otlp->full_name, attribute.key.at, attribute.key.len);
        otlp->no_memory |= otlp->full_name.failed;
        struct leat_slice name = name_of(otlp, leat_slice_of(otlp->full_name.at, (uint32_t)otlp->full_name.len));
        set(otlp, name, value_of(otlp, &attribute.value));
    }
}

static void labels_make(struct rw_otlp *otlp, const struct rw_point *point)
{
    struct raw raw = {.count = 0};
    leat_arena_done(&otlp->texts);
    otlp->label_count = 0;
    otlp->labels_made = true;
    otlp->labels_bad = false;
    raw_add(otlp, &raw, point->attributes, point->attributes_number, RAW_POINT);
    if (otlp->conf.resource_labels)
        raw_add(otlp, &raw, otlp->resource, 1, otlp->conf.no_service_labels ? RAW_RESOURCE_BUT_IDENTITY : RAW_RESOURCE);
    set_all(otlp, &raw);
    set_identity(otlp);
    if (otlp->conf.scope_labels)
        set_scope(otlp);
    qsort(otlp->labels, otlp->label_count, sizeof *otlp->labels, by_name);
}

/* ---- from a set to a series ---- */

/* The set with up to two labels more in their places; those win over one of their name. */
static uint32_t encode(struct rw_otlp *otlp, const struct rw_label *more, uint32_t more_count)
{
    uint32_t count = 0, next = 0;
    otlp->encoded.len = 0;
    for (uint32_t i = 0; i <= otlp->label_count; i++) {
        const struct rw_label *label = i < otlp->label_count ? &otlp->labels[i] : NULL;
        bool replaced = false;
        while (next < more_count) {
            int order = label ? rw_name_compare(more[next].name, label->name) : -1;
            if (order > 0)
                break;
            replaced |= order == 0;
            rw_label_put(&otlp->encoded, more[next].name, more[next].value);
            next++;
            count++;
        }
        if (!label || replaced || label->value.len == 0)
            continue;
        rw_label_put(&otlp->encoded, label->name, label->value);
        count++;
    }
    return count;
}

static struct leat_prom_family *family_of(struct rw_otlp *otlp)
{
    if (otlp->family)
        return otlp->family;
    otlp->family = leat_prom_family_ref(rw_cache_get(&otlp->families, otlp->metric_key));
    if (otlp->family)
        return otlp->family;
    rw_unit_name(&otlp->text, &otlp->conf.namer, otlp->unit);
    otlp->family = otlp->text.failed ? NULL
                                     : leat_prom_family_new(otlp->type, leat_slice_of(otlp->name.at, (uint32_t)otlp->name.len),
                                                            otlp->help, leat_slice_of(otlp->text.at, (uint32_t)otlp->text.len));
    if (otlp->family && !rw_cache_put(&otlp->families, otlp->metric_key, leat_prom_family_ref(otlp->family)))
        leat_prom_family_unref(otlp->family);
    return otlp->family;
}

static const char *ending_of(enum rw_part part)
{
    static const char *const endings[] = {"", "_sum", "_count", "_bucket", "", ""};
    return endings[part];
}

static struct leat_prom_series *series_new(struct rw_otlp *otlp, enum rw_part part, double bound)
{
    struct rw_label more[2];
    uint32_t count = 0;
    struct leat_prom_family *family = family_of(otlp);
    leat_strbuf_clear(&otlp->full_name);
    leat_strbuf_put(&otlp->full_name, otlp->name.at, otlp->name.len);
    leat_strbuf_puts(&otlp->full_name, ending_of(part));
    more[count++] = (struct rw_label){LEAT_SLICE("__name__"), leat_slice_of(otlp->full_name.at, (uint32_t)otlp->full_name.len)};
    leat_strbuf_clear(&otlp->text);
    if (part == RW_PART_BUCKET || part == RW_PART_QUANTILE) {
        rw_put_plain(&otlp->text, bound);
        more[count++] = (struct rw_label){part == RW_PART_BUCKET ? LEAT_SLICE("le") : LEAT_SLICE("quantile"),
                                          leat_slice_of(otlp->text.at, (uint32_t)otlp->text.len)};
    }
    uint32_t labels = encode(otlp, more, count);
    if (!family || otlp->encoded.failed || otlp->text.failed || otlp->full_name.failed)
        return NULL;
    return leat_prom_series_new(leat_slice_of(otlp->encoded.at, (uint32_t)otlp->encoded.len), labels, otlp->target, family);
}

/* Into the cache, from which it is borrowed. */
static struct leat_prom_series *remember(struct rw_otlp *otlp, struct rw_key key, struct leat_prom_series *series)
{
    if (series && rw_cache_put(&otlp->series, key, series))
        return series;
    leat_prom_series_unref(series);
    otlp->no_memory = true;
    return NULL;
}

struct leat_prom_series *rw_otlp__series(struct rw_otlp *otlp, const struct rw_point *point, enum rw_part part, double bound)
{
    struct {
        struct rw_key metric, point;
        uint64_t part, bound;
    } parts = {otlp->metric_key, otlp->point_key, part, 0};
    memcpy(&parts.bound, &bound, sizeof bound);
    struct rw_key key = rw_otlp__key(&parts, sizeof parts);
    struct leat_prom_series *series = rw_cache_get(&otlp->series, key);
    if (series)
        return series;
    if (!otlp->labels_made)
        labels_make(otlp, point);
    if (otlp->labels_bad || otlp->no_memory)
        return NULL;
    return remember(otlp, key, series_new(otlp, part, bound));
}

struct leat_prom_series *rw_otlp__target_info(struct rw_otlp *otlp)
{
    struct raw raw = {.count = 0};
    struct rw_key parts[2] = {otlp->resource_key, {RW_PART_TARGET_INFO, 0}}, key = rw_otlp__key(parts, sizeof parts);
    struct leat_prom_series *series = rw_cache_get(&otlp->series, key);
    if (series)
        return series;
    leat_arena_done(&otlp->texts);
    otlp->label_count = 0;
    otlp->labels_bad = false;
    raw_add(otlp, &raw, otlp->resource, 1, RAW_RESOURCE_BUT_IDENTITY);
    if (raw.count == 0 || !otlp->target || otlp->target->job.len + otlp->target->instance.len == 0)
        return NULL;
    set_all(otlp, &raw);
    set_identity(otlp);
    if (otlp->labels_bad || otlp->no_memory)
        return NULL;
    qsort(otlp->labels, otlp->label_count, sizeof *otlp->labels, by_name);
    leat_strbuf_clear(&otlp->name);
    if (otlp->conf.namer.prefix.len) {
        leat_strbuf_put(&otlp->name, otlp->conf.namer.prefix.at, otlp->conf.namer.prefix.len);
        leat_strbuf_putc(&otlp->name, '_');
    }
    leat_strbuf_puts(&otlp->name, "target_info");
    leat_prom_family_unref(otlp->family);
    otlp->family = NULL;
    otlp->metric_key = key;
    otlp->type = LEAT_PROM_GAUGE;
    otlp->help = LEAT_SLICE("Target metadata");
    otlp->unit = (struct leat_slice){0};
    otlp->no_memory |= otlp->name.failed;
    return otlp->no_memory ? NULL : remember(otlp, key, series_new(otlp, RW_PART_TARGET_INFO, 0));
}
