/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom/prom.h"

#include <stdatomic.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "proto/protobuf/pb_read.h"

#define LABEL_TAG PB_TAG(1, PB_LEN) /* TimeSeries.labels; Label.name */
#define VALUE_TAG PB_TAG(2, PB_LEN) /* Label.value */

static atomic_uint_least64_t last_id; /* shards make their own things; the numbers are one row for all */

static uint64_t next_id(void) { return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1; }

static struct leat_slice put(uint8_t **at, struct leat_slice text)
{
    if (text.len)
        memcpy(*at, text.at, text.len);
    struct leat_slice copy = leat_slice_of(*at, text.len);
    *at += text.len;
    return copy;
}

/* ---- targets ---- */

struct leat_prom_target *leat_prom_target_new(struct leat_slice job, struct leat_slice instance, struct leat_slice resource)
{
    struct leat_prom_target *target = leat_alloc(sizeof *target + (size_t)job.len + instance.len + resource.len);
    if (!target)
        return NULL;
    uint8_t *at = (uint8_t *)(target + 1);
    *target = (struct leat_prom_target){.refs = 1, .id = next_id()};
    target->job = put(&at, job);
    target->instance = put(&at, instance);
    target->resource = put(&at, resource);
    return target;
}

struct leat_prom_target *leat_prom_target_ref(struct leat_prom_target *target)
{
    if (target)
        target->refs++;
    return target;
}

struct leat_prom_target *leat_prom_target_unref(struct leat_prom_target *target)
{
    if (target && --target->refs == 0)
        leat_free(target);
    return NULL;
}

/* ---- families ---- */

struct leat_prom_family *leat_prom_family_new(enum leat_prom_type type, struct leat_slice name, struct leat_slice help,
                                              struct leat_slice unit)
{
    struct leat_prom_family *family = leat_alloc(sizeof *family + (size_t)name.len + help.len + unit.len);
    if (!family)
        return NULL;
    uint8_t *at = (uint8_t *)(family + 1);
    *family = (struct leat_prom_family){.refs = 1, .type = type, .id = next_id()};
    family->name = put(&at, name);
    family->help = put(&at, help);
    family->unit = put(&at, unit);
    return family;
}

struct leat_prom_family *leat_prom_family_ref(struct leat_prom_family *family)
{
    if (family)
        family->refs++;
    return family;
}

struct leat_prom_family *leat_prom_family_unref(struct leat_prom_family *family)
{
    if (family && --family->refs == 0)
        leat_free(family);
    return NULL;
}

/* ---- series ---- */

struct leat_prom_series *leat_prom_series_new(struct leat_slice labels, uint32_t label_count, struct leat_prom_target *target,
                                              struct leat_prom_family *family)
{
    struct leat_prom_series *series = leat_alloc(sizeof *series + labels.len);
    if (!series)
        return NULL;
    *series = (struct leat_prom_series){.refs = 1, .label_count = label_count, .label_bytes = labels.len, .id = next_id(),
                                        .hash = XXH3_64bits(labels.at, labels.len),
                                        .target = leat_prom_target_ref(target), .family = leat_prom_family_ref(family)};
    memcpy(series->labels, labels.at, labels.len);
    return series;
}

struct leat_prom_series *leat_prom_series_ref(struct leat_prom_series *series)
{
    if (series)
        series->refs++;
    return series;
}

struct leat_prom_series *leat_prom_series_unref(struct leat_prom_series *series)
{
    if (!series || --series->refs)
        return NULL;
    leat_prom_target_unref(series->target);
    leat_prom_family_unref(series->family);
    leat_free(series);
    return NULL;
}

uint64_t leat_prom_series_bytes(const struct leat_prom_series *series) { return sizeof *series + series->label_bytes; }

static const uint8_t *text_field(const uint8_t *at, const uint8_t *end, uint32_t want, struct leat_slice *ret_text)
{
    uint32_t tag;
    uint64_t len;
    if (!(at = pb_tag(at, end, &tag)) || tag != want || !(at = pb_length(at, end, &len)))
        return NULL;
    *ret_text = leat_slice_of(at, (uint32_t)len);
    return at + len;
}

bool leat_prom_label_next(const struct leat_prom_series *series, uint32_t *at, struct leat_slice *ret_name,
                          struct leat_slice *ret_value)
{
    const uint8_t *end = series->labels + series->label_bytes;
    struct leat_slice label;
    const uint8_t *next = text_field(series->labels + *at, end, LABEL_TAG, &label);
    if (!next)
        return false;
    *at = (uint32_t)(next - series->labels);
    next = text_field(label.at, label.at + label.len, LABEL_TAG, ret_name);
    return next && text_field(next, label.at + label.len, VALUE_TAG, ret_value);
}

/* The next label that tells one data point from another. */
static bool point_label_next(const struct leat_prom_series *series, uint32_t *at, struct leat_slice *ret_name,
                             struct leat_slice *ret_value)
{
    while (leat_prom_label_next(series, at, ret_name, ret_value))
        if (!leat_slice_is(*ret_name, "__name__") && !leat_slice_is(*ret_name, "le") && !leat_slice_is(*ret_name, "quantile"))
            return true;
    return false;
}

bool leat_prom_same_point(const struct leat_prom_series *a, const struct leat_prom_series *b)
{
    enum leat_prom_type type = a->family ? a->family->type : LEAT_PROM_UNKNOWN;
    struct leat_slice name, value, other_name, other_value;
    uint32_t at = 0, other_at = 0;
    if (a->family != b->family ||
        (type != LEAT_PROM_HISTOGRAM && type != LEAT_PROM_GAUGE_HISTOGRAM && type != LEAT_PROM_SUMMARY))
        return false;
    while (point_label_next(a, &at, &name, &value))
        if (!point_label_next(b, &other_at, &other_name, &other_value) || !leat_slice_eq(name, other_name) ||
            !leat_slice_eq(value, other_value))
            return false;
    return !point_label_next(b, &other_at, &other_name, &other_value);
}
