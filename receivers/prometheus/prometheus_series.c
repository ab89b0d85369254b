/* SPDX-License-Identifier: Apache-2.0 */
/* From the labels of a line to a series: what the target adds, relabelling, limits, bytes. Once in a series' life. */
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "proto/prom_text/prom_number.h"
#include "proto/utf8/utf8.h"
#include "receivers/prometheus/prometheus.h"

#define NAME "__name__"
#define EXPORTED "exported_"
#define SHOWN 50u /* bytes of a name, in a message */
#define SHOW(slice) (int)((slice).len < SHOWN ? (slice).len : SHOWN), (const char *)(slice).at
#define SORTED_FROM 64u /* labels: as many are put in their places one by one */
#define ALIASES_MAX 60000u /* further texts of one series are as good as dropped */

/* ---- labels of the line ---- */

static struct leat_slice bound(const struct prometheus_scrape *scrape, const struct prom_label *label,
                               char text[PROM_NUMBER_TEXT_MAX])
{
    double value;
    bool is_bound = (scrape->type == LEAT_PROM_SUMMARY && leat_slice_is(label->name, "quantile")) ||
                    (scrape->type == LEAT_PROM_HISTOGRAM && leat_slice_is(label->name, "le"));
    if (!is_bound || !prom_number_parse(label->value.at, label->value.at + label->value.len, &value))
        return label->value;
    return leat_slice_of(text, prom_number_put(value, text));
}

static int by_name(const void *a, const void *b)
{
    struct leat_slice x = ((const struct prom_label *)a)->name, y = ((const struct prom_label *)b)->name;
    uint32_t len = x.len < y.len ? x.len : y.len;
    int order = len ? memcmp(x.at, y.at, len) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* *ret_twice: a name that came twice; NULL: none did. Thousands of labels in the worst order would move each other for seconds. */
static void put_scraped(struct prometheus_scrape *scrape, const struct prom_label **ret_twice)
{
    struct leat_label_edit *edit = &scrape->edit;
    char text[PROM_NUMBER_TEXT_MAX];
    *ret_twice = NULL;
    if (scrape->labels.count > SORTED_FROM)
        qsort(scrape->labels.at, scrape->labels.count, sizeof *scrape->labels.at, by_name);
    leat_label_edit_clear(edit);
    leat_label_edit_put_str(edit, NAME, scrape->labels.metric);
    for (uint32_t i = 0; i < scrape->labels.count; i++) {
        const struct prom_label *label = &scrape->labels.at[i];
        if (label->value.len == 0)
            continue;
        uint32_t before = edit->count;
        leat_label_edit_put(edit, label->name, bound(scrape, label, text));
        if (edit->failed == LEAT_OK && edit->count == before)
            *ret_twice = label;
    }
}

/* ---- the target's ---- */

static void put_exported(struct leat_label_edit *edit, struct leat_slice name, struct leat_slice value)
{
    uint32_t prefix = sizeof EXPORTED - 1;
    for (uint32_t times = 1; times < 16; times++) {
        uint32_t len = times * prefix + name.len;
        char *room = leat_label_edit_room(edit, len);
        if (!room)
            return;
        for (uint32_t i = 0; i < times; i++)
            memcpy(room + i * prefix, EXPORTED, prefix);
        memcpy(room + times * prefix, name.at, name.len);
        struct leat_slice exported = leat_slice_of(room, len);
        if (leat_label_edit_get(edit, exported).len == 0) {
            leat_label_edit_put(edit, exported, value);
            return;
        }
    }
}

#define CONFLICTS_MAX 64u
/* The target's label wins; the scraped one gets another name, the shortest first. */
static void put_target_wins(struct leat_label_edit *edit, struct leat_labels shown)
{
    struct leat_label conflicts[CONFLICTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < shown.count; i++) {
        struct leat_slice had = leat_label_edit_get(edit, shown.at[i].name);
        if (had.len && count < CONFLICTS_MAX) {
            uint32_t place = count++;
            for (; place && conflicts[place - 1].name.len > shown.at[i].name.len; place--)
                conflicts[place] = conflicts[place - 1];
            conflicts[place] = (struct leat_label){shown.at[i].name, had};
        }
        leat_label_edit_put(edit, shown.at[i].name, shown.at[i].value);
    }
    for (uint32_t i = 0; i < count; i++)
        put_exported(edit, conflicts[i].name, conflicts[i].value);
}

/* A label that was scraped, empty or not, is the page's. */
static bool was_scraped(const struct prom_labels *labels, struct leat_slice name)
{
    for (uint32_t i = 0; i < labels->count; i++)
        if (leat_slice_eq(labels->at[i].name, name))
            return true;
    return leat_slice_is(name, NAME);
}

static void put_target(struct prometheus_scrape *scrape)
{
    struct leat_labels shown = scrape->target->shown;
    if (!scrape->target->job->conf->honor_labels) {
        put_target_wins(&scrape->edit, shown);
        return;
    }
    for (uint32_t i = 0; i < shown.count; i++)
        if (!was_scraped(&scrape->labels, shown.at[i].name))
            leat_label_edit_put(&scrape->edit, shown.at[i].name, shown.at[i].value);
}

/* As the Collector's receiver does: they replace what is there. */
static void put_external(struct prometheus_scrape *scrape)
{
    const struct leat_map *map = &scrape->target->job->state->conf->global.external_labels;
    for (uint32_t i = 0; i < map->count; i++)
        leat_label_edit_put_str(&scrape->edit, map->at[i].key, leat_slice_str(map->at[i].value));
}

/* ---- limits ---- */

static bool classic_metric(struct leat_slice name)
{
    return name.len && prom__name(name.at, name.at + name.len, true) == name.at + name.len;
}

static leat_rc check_names(struct prometheus_scrape *scrape, struct leat_err *reterr)
{
    bool legacy = scrape->settings->legacy_names;
    struct leat_slice metric = leat_label_edit_get(&scrape->edit, LEAT_SLICE(NAME));
    if (metric.len == 0)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "missing metric name (__name__ label)");
    if (legacy ? !classic_metric(metric) : !utf8_ok(metric.at, metric.len))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "invalid metric name: %.*s", SHOW(metric));
    for (uint32_t i = 0; i < scrape->edit.count; i++) {
        const struct leat_label *label = &scrape->edit.at[i];
        bool ok = legacy ? leat_label_name_is_classic(label->name) : leat_label_name_is_utf8(label->name);
        if (!ok || !utf8_ok(label->value.at, label->value.len))
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "invalid label name or value (metric: %.*s, label: %.*s)", SHOW(metric),
                              SHOW(label->name));
    }
    return LEAT_OK;
}

static leat_rc check_limits(struct prometheus_scrape *scrape, struct leat_err *reterr)
{
    const struct prometheus_settings *set = scrape->settings;
    struct leat_slice metric = leat_label_edit_get(&scrape->edit, LEAT_SLICE(NAME));
    if (set->label_limit && scrape->edit.count > set->label_limit)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "label_limit exceeded (metric: %.*s, number of labels: %u, limit: %lu)",
                          SHOW(metric), scrape->edit.count, (unsigned long)set->label_limit);
    if (!set->label_name_length_limit && !set->label_value_length_limit)
        return LEAT_OK;
    for (uint32_t i = 0; i < scrape->edit.count; i++) {
        const struct leat_label *label = &scrape->edit.at[i];
        if (set->label_name_length_limit && label->name.len > set->label_name_length_limit)
            return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "label_name_length_limit exceeded (metric: %.*s, label: %.*s, length: %u)",
                              SHOW(metric), SHOW(label->name), label->name.len);
        if (set->label_value_length_limit && label->value.len > set->label_value_length_limit)
            return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "label_value_length_limit exceeded (metric: %.*s, label: %.*s, length: %u)",
                              SHOW(metric), SHOW(label->name), label->value.len);
    }
    return LEAT_OK;
}

/* ---- families ---- */

static bool cut(struct leat_slice *name, const char *suffix)
{
    uint32_t len = (uint32_t)strlen(suffix);
    if (name->len < len || memcmp(name->at + name->len - len, suffix, len) != 0)
        return false;
    name->len -= len;
    return true;
}

bool prometheus__in_family(struct leat_slice metric, const struct prometheus_meta *meta)
{
    struct leat_slice family = meta->name;
    if (metric.len < family.len || memcmp(metric.at, family.at, family.len) != 0)
        return false;
    switch (meta->type) {
    case LEAT_PROM_COUNTER:
        (void)cut(&family, "_total");
        if (!cut(&metric, "_total"))
            (void)cut(&metric, "_created");
        break;
    case LEAT_PROM_HISTOGRAM:
        (void)(cut(&metric, "_bucket") || cut(&metric, "_sum") || cut(&metric, "_count") || cut(&metric, "_created"));
        break;
    case LEAT_PROM_GAUGE_HISTOGRAM:
        (void)(cut(&metric, "_bucket") || cut(&metric, "_gsum") || cut(&metric, "_gcount"));
        break;
    case LEAT_PROM_SUMMARY:
        (void)(cut(&metric, "_sum") || cut(&metric, "_count") || cut(&metric, "_created"));
        break;
    case LEAT_PROM_INFO:
        (void)cut(&family, "_info");
        (void)cut(&metric, "_info");
        break;
    default:
        break;
    }
    return leat_slice_eq(metric, family);
}

static struct leat_slice name_of(const struct leat_prom_series *series)
{
    struct leat_slice name, value;
    for (uint32_t at = 0; leat_prom_label_next(series, &at, &name, &value);)
        if (leat_slice_is(name, NAME))
            return value;
    return (struct leat_slice){0};
}

/* The same labels under new metadata are a new series: batches that name the old one still read it. */
leat_rc prometheus__entry_move(struct prometheus_scrape *scrape, struct prometheus_entry *entry)
{
    struct prometheus_meta *meta = scrape->meta;
    struct leat_prom_series *old = entry->series;
    struct leat_prom_family *family = meta ? meta->built : NULL;
    if (family && old->family != family && prometheus__in_family(name_of(old), meta)) {
        struct leat_prom_series *fresh = leat_prom_series_new(leat_slice_of(old->labels, old->label_bytes), old->label_count,
                                                              old->target, family);
        if (!fresh)
            return LEAT_ENOMEM;
        leat_prom_series_unref(old);
        entry->series = fresh;
    }
    entry->under = scrape->under;
    return LEAT_OK;
}

/* ---- the series ---- */

static bool encode_labels(struct pb_buf *to, struct leat_labels labels)
{
    for (uint32_t i = 0; i < labels.count; i++) {
        size_t label = pb_buf_open(to, PB_TAG(1, PB_LEN));
        pb_buf_bytes(to, PB_TAG(1, PB_LEN), labels.at[i].name.at, labels.at[i].name.len);
        pb_buf_bytes(to, PB_TAG(2, PB_LEN), labels.at[i].value.at, labels.at[i].value.len);
        pb_buf_close(to, label);
    }
    return !to->failed;
}

static struct leat_prom_series *series_of(struct prometheus_scrape *scrape, struct leat_prom_family *family)
{
    struct pb_buf *encoded = &scrape->encoded;
    encoded->len = 0;
    encoded->failed = false;
    if (scrape->edit.failed != LEAT_OK || !encode_labels(encoded, leat_label_edit_view(&scrape->edit)))
        return NULL;
    return leat_prom_series_new(leat_slice_of(encoded->at, (uint32_t)encoded->len), scrape->edit.count, scrape->target->who,
                                family);
}

/* What a line and its "_created" have in common. */
static void set_group(struct prometheus_scrape *scrape, struct prometheus_entry *entry)
{
    struct leat_slice metric = scrape->labels.metric, base = metric;
    uint64_t sum = scrape->meta ? XXH3_64bits(scrape->meta->name.at, scrape->meta->name.len) : 1;
    for (uint32_t i = 0; i < scrape->labels.count; i++) {
        const struct prom_label *label = &scrape->labels.at[i];
        if (leat_slice_is(label->name, scrape->type == LEAT_PROM_SUMMARY ? "quantile" : "le"))
            continue;
        sum += XXH3_64bits_withSeed(label->value.at, label->value.len, XXH3_64bits(label->name.at, label->name.len));
    }
    if (!scrape->meta || !prometheus__in_family(metric, scrape->meta)) /* a stranger under the family's metadata */
        sum += XXH3_64bits(metric.at, metric.len);
    entry->group = (uint32_t)(sum ^ sum >> 32) | 1;
    if (cut(&base, "_created") && scrape->meta && leat_slice_eq(base, scrape->meta->name))
        entry->flags |= PROMETHEUS_CREATED;
}

static leat_rc limits_of_cache(const struct prometheus_scrape *scrape, struct leat_err *reterr)
{
    const struct prometheus_state *state = scrape->target->job->state;
    if (scrape->target->cache.by_raw.count >= (uint64_t)state->conf->max_series_per_target)
        return LEAT_RAISE(reterr, LEAT_EFULL, 0, "more than %lld series of one target (max_series_per_target)",
                          (long long)state->conf->max_series_per_target);
    if (state->series >= (uint64_t)state->conf->max_series)
        return LEAT_RAISE(reterr, LEAT_EFULL, 0, "more than %lld series of all targets (max_series)",
                          (long long)state->conf->max_series);
    return LEAT_OK;
}

/* Labels as they will be; *ret_keep false: relabelling dropped the series. */
static leat_rc final_labels(struct prometheus_scrape *scrape, bool *ret_keep, struct leat_err *reterr)
{
    struct leat_label_edit *edit = &scrape->edit;
    const struct prom_label *twice;
    put_scraped(scrape, &twice);
    put_target(scrape);
    leat_rc rc = leat_relabel_apply(scrape->target->job->metric_relabel, edit, ret_keep);
    *ret_keep = *ret_keep && edit->count;
    if (rc == LEAT_OK && *ret_keep) { /* what is dropped may be as wrong as it likes */
        if (twice && leat_label_edit_get(edit, twice->name).len)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "label name is not unique (metric: %.*s, label name: %.*s)",
                              SHOW(scrape->labels.metric), SHOW(twice->name));
        rc = check_names(scrape, reterr);
        rc = rc == LEAT_OK ? check_limits(scrape, reterr) : rc;
        if (rc != LEAT_OK)
            return rc;
        put_external(scrape);
    }
    return edit->failed == LEAT_OK ? LEAT_OK : LEAT_RAISE(reterr, edit->failed, 0, "labels: %s", leat_rc_text(edit->failed));
}

static leat_rc fill(struct prometheus_scrape *scrape, struct prometheus_entry *entry)
{
    struct prometheus_cache *cache = &scrape->target->cache;
    struct leat_slice metric = leat_label_edit_get(&scrape->edit, LEAT_SLICE(NAME));
    struct leat_prom_family *family = scrape->meta && prometheus__in_family(metric, scrape->meta) ? scrape->meta->built : NULL;
    entry->series = series_of(scrape, family);
    if (!entry->series)
        return LEAT_ENOMEM;
    entry->flags |= leat_slice_is(metric, "target_info") ? PROMETHEUS_INFO : 0;
    struct prometheus_entry *same = prometheus__find_labels(cache, entry->series->hash, entry->series->labels,
                                                            entry->series->label_bytes);
    if (!same)
        return LEAT_OK;
    entry->series = leat_prom_series_unref(entry->series);
    if (same->aliases == ALIASES_MAX) {
        entry->flags |= PROMETHEUS_DROPPED;
        return LEAT_OK;
    }
    entry->main = same;
    same->aliases++;
    return LEAT_OK;
}

leat_rc prometheus__entry_make(struct prometheus_scrape *scrape, struct leat_slice raw, uint32_t hash,
                               struct prometheus_entry **ret_entry, struct leat_err *reterr)
{
    struct prometheus_cache *cache = &scrape->target->cache;
    bool keep;
    leat_rc rc = final_labels(scrape, &keep, reterr);
    if (rc != LEAT_OK)
        return rc;
    *ret_entry = NULL;
    if (keep && scrape->settings->sample_limit && scrape->accepted >= scrape->settings->sample_limit)
        return LEAT_OK;
    rc = limits_of_cache(scrape, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct prometheus_entry *entry = prometheus__entry_new(cache, raw, hash);
    if (!entry)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "series: out of memory");
    entry->flags = keep ? 0 : PROMETHEUS_DROPPED;
    entry->under = scrape->under;
    set_group(scrape, entry);
    rc = keep ? fill(scrape, entry) : LEAT_OK;
    rc = rc == LEAT_OK ? prometheus__entry_link(cache, entry) : rc;
    if (rc != LEAT_OK) {
        prometheus__entry_free(cache, entry);
        return LEAT_RAISE(reterr, rc, 0, "series: out of memory");
    }
    scrape->target->job->state->series++;
    *ret_entry = entry;
    return LEAT_OK;
}

/* ---- exemplars ---- */

static size_t chars(struct leat_slice text) { return utf8_count(text.at, text.len); }

/* Labels that are too long are nobody's: the sample goes without. Of a name that comes twice the last counts. */
bool prometheus__exemplar_labels(struct prometheus_scrape *scrape, const struct prom_label *labels, uint32_t count,
                                 struct prometheus_sample *sample)
{
    uint64_t len = 0;
    leat_label_edit_clear(&scrape->edit);
    for (uint32_t i = 0; i < count && len <= LEAT_PROM_EXEMPLAR_CHARS_MAX; i++) {
        len += labels[i].value.len ? chars(labels[i].name) + chars(labels[i].value) : 0;
        leat_label_edit_put(&scrape->edit, labels[i].name, labels[i].value);
    }
    sample->has_exemplar = len <= LEAT_PROM_EXEMPLAR_CHARS_MAX;
    sample->label_at = (uint32_t)scrape->exemplars.len;
    if (!sample->has_exemplar)
        return scrape->edit.failed != LEAT_ENOMEM;
    if (scrape->edit.failed != LEAT_OK || !encode_labels(&scrape->exemplars, leat_label_edit_view(&scrape->edit)))
        return false;
    sample->exemplar.label_bytes = (uint32_t)scrape->exemplars.len - sample->label_at;
    return true;
}

/* ---- what a scrape says about itself ---- */

struct leat_prom_series *prometheus__report_series(struct prometheus_scrape *scrape, const char *name)
{
    struct leat_labels shown = scrape->target->shown;
    leat_label_edit_clear(&scrape->edit);
    leat_label_edit_put_str(&scrape->edit, NAME, leat_slice_str(name));
    for (uint32_t i = 0; i < shown.count; i++)
        leat_label_edit_put(&scrape->edit, shown.at[i].name, shown.at[i].value);
    put_external(scrape);
    struct leat_prom_family *family = leat_prom_family_new(LEAT_PROM_GAUGE, leat_slice_str(name), LEAT_SLICE(""), LEAT_SLICE(""));
    struct leat_prom_series *series = family ? series_of(scrape, family) : NULL;
    leat_prom_family_unref(family);
    return series;
}
