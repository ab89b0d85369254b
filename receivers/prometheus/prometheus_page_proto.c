/* SPDX-License-Identifier: Apache-2.0 */
/* A page in protobuf. What names a series here is made up of its parts; the rest is as with text. */
#include <math.h>

#include "agent/base/alloc.h"
#include "proto/prom_proto/prom_proto.h"
#include "proto/prom_text/prom_number.h"
#include "receivers/prometheus/prometheus.h"

#define EXEMPLARS_MAX 64u /* of one native histogram */

struct proto_page {
    struct prometheus_scrape *scrape;
    struct prom_native native;
    struct pb_buf histogram;
    struct leat_prom_exemplar exemplars[EXEMPLARS_MAX];
    uint32_t label_at[EXEMPLARS_MAX], exemplar_count;
    struct prom_proto_exemplar one;
};

static leat_rc no_memory(struct leat_err *reterr) { return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "samples: out of memory"); }

static leat_rc on_family(void *ctx, const struct prom_proto_family *family, struct leat_err *reterr)
{
    struct prometheus_scrape *scrape = ((struct proto_page *)ctx)->scrape;
    leat_rc rc = prometheus__metadata(scrape, PROM_TYPE, family->name, family->type, (struct leat_slice){0}, reterr);
    if (rc == LEAT_OK && family->help.len)
        rc = prometheus__metadata(scrape, PROM_HELP, family->name, family->type, family->help, reterr);
    if (rc == LEAT_OK && family->unit.len)
        rc = prometheus__metadata(scrape, PROM_UNIT, family->name, family->type, family->unit, reterr);
    if (rc != LEAT_OK || scrape->under)
        return rc;
    struct leat_prom_family *built = prometheus__meta_family(scrape->meta, PROMETHEUS_HELP_PLAIN);
    if (!built)
        return no_memory(reterr);
    scrape->under = built->id;
    return LEAT_OK;
}

/* ---- the key ---- */

static void put_part(struct pb_buf *key, struct leat_slice part)
{
    uint8_t len[10];
    pb_buf_raw(key, len, (size_t)(pb_put_varint(len, part.len) - len));
    pb_buf_raw(key, part.at, part.len);
}

static bool key_of(struct prometheus_scrape *scrape, const struct prom_proto_family *family,
                   const struct prom_proto_metric *metric, const struct prom_proto_sample *sample)
{
    struct pb_buf *key = &scrape->key;
    uint8_t kind[2] = {0, (uint8_t)(sample->native ? 'n' : sample->suffix[0] ? sample->suffix[1] : sample->bound_name ? 'q' : 'v')};
    key->len = 0;
    pb_buf_raw(key, kind, sizeof kind);
    if (sample->bound_name)
        pb_buf_raw(key, &sample->bound, sizeof sample->bound);
    put_part(key, family->name);
    for (uint32_t i = 0; i < metric->label_count; i++) {
        put_part(key, metric->labels[i].name);
        put_part(key, metric->labels[i].value);
    }
    return !key->failed;
}

/* ---- labels, as if they had been text ---- */

static leat_rc label_room(struct prom_labels *labels, uint32_t count, size_t text)
{
    if (labels->room < count) {
        struct prom_label *at = leat_realloc(labels->at, count * sizeof *at);
        if (!at)
            return LEAT_ENOMEM;
        labels->at = at;
        labels->room = count;
    }
    if (labels->text_room < text) {
        uint8_t *at = leat_realloc(labels->text, text);
        if (!at)
            return LEAT_ENOMEM;
        labels->text = at;
        labels->text_room = text;
    }
    return LEAT_OK;
}

static leat_rc labels_of(struct prometheus_scrape *scrape, const struct prom_proto_family *family,
                         const struct prom_proto_metric *metric, const struct prom_proto_sample *sample)
{
    struct prom_labels *labels = &scrape->labels;
    uint32_t suffix = (uint32_t)strlen(sample->suffix);
    size_t text = (size_t)family->name.len + suffix + PROM_NUMBER_TEXT_MAX;
    if (label_room(labels, metric->label_count + 1, text) != LEAT_OK)
        return LEAT_ENOMEM;
    memcpy(labels->text, family->name.at, family->name.len);
    memcpy(labels->text + family->name.len, sample->suffix, suffix);
    labels->metric = leat_slice_of(labels->text, family->name.len + suffix);
    labels->count = 0;
    for (uint32_t i = 0; i < metric->label_count; i++)
        labels->at[labels->count++] = (struct prom_label){metric->labels[i].name, metric->labels[i].value};
    if (sample->bound_name) {
        char *bound = (char *)labels->text + labels->metric.len;
        uint32_t len = prom_number_put(sample->bound, bound);
        labels->at[labels->count++] = (struct prom_label){leat_slice_str(sample->bound_name), leat_slice_of(bound, len)};
    }
    return LEAT_OK;
}

static leat_rc entry_of(struct prometheus_scrape *scrape, const struct prom_proto_family *family,
                        const struct prom_proto_metric *metric, const struct prom_proto_sample *sample,
                        struct prometheus_entry **ret_entry, struct leat_err *reterr)
{
    if (!key_of(scrape, family, metric, sample))
        return no_memory(reterr);
    struct leat_slice key = leat_slice_of(scrape->key.at, (uint32_t)scrape->key.len);
    struct prometheus_entry *guess = scrape->current ? scrape->current->next : scrape->target->cache.first;
    if (guess && leat_slice_eq(key, leat_slice_of(guess->raw, guess->raw_len))) {
        scrape->guesses++;
        *ret_entry = guess;
        return LEAT_OK;
    }
    uint32_t hash = prometheus__hash(key);
    if ((*ret_entry = prometheus__find(&scrape->target->cache, key, hash)))
        return LEAT_OK;
    if (labels_of(scrape, family, metric, sample) != LEAT_OK)
        return no_memory(reterr);
    return prometheus__entry_make(scrape, key, hash, ret_entry, reterr);
}

/* ---- exemplars and histograms ---- */

static leat_rc exemplar_of(struct proto_page *page, struct leat_slice message, struct prometheus_sample *sample)
{
    struct prom_label labels[sizeof page->one.labels / sizeof page->one.labels[0]];
    if (!prom_proto_exemplar_read(message, &page->one))
        return LEAT_EPARSE;
    for (uint32_t i = 0; i < page->one.label_count; i++)
        labels[i] = (struct prom_label){page->one.labels[i].name, page->one.labels[i].value};
    sample->exemplar.value = page->one.value;
    sample->exemplar.has_time = page->one.has_time;
    sample->exemplar.time_ms = page->one.time_ms;
    if (!prometheus__exemplar_labels(page->scrape, labels, page->one.label_count, sample))
        return LEAT_ENOMEM;
    sample->has_exemplar &= !page->one.unfit;
    leat_host_count(page->scrape->target->job->state->host, PROMETHEUS_EXEMPLAR_UNFIT, !sample->has_exemplar);
    return LEAT_OK;
}

static leat_rc on_native_exemplar(void *ctx, struct leat_slice message)
{
    struct proto_page *page = ctx;
    struct prometheus_sample sample = {0};
    if (page->exemplar_count == EXEMPLARS_MAX)
        return LEAT_OK;
    leat_rc rc = exemplar_of(page, message, &sample);
    if (rc == LEAT_OK && sample.has_exemplar && sample.exemplar.has_time) {
        page->label_at[page->exemplar_count] = sample.label_at;
        page->exemplars[page->exemplar_count++] = sample.exemplar;
    }
    return rc;
}

/* By time, so that a receiver takes them all. */
static void order_exemplars(struct proto_page *page)
{
    for (uint32_t i = 0; i < page->exemplar_count; i++)
        page->exemplars[i].labels = page->scrape->exemplars.at + page->label_at[i];
    for (uint32_t i = 1; i < page->exemplar_count; i++)
        for (uint32_t j = i; j && page->exemplars[j - 1].time_ms > page->exemplars[j].time_ms; j--) {
            struct leat_prom_exemplar swap = page->exemplars[j];
            page->exemplars[j] = page->exemplars[j - 1];
            page->exemplars[j - 1] = swap;
        }
}

/* Those that are newer than what was sent last, from *ret_first. */
static leat_rc skip_old(struct proto_page *page, struct prometheus_entry *entry, uint32_t *ret_first)
{
    uint32_t first = 0;
    while (first < page->exemplar_count && (uint32_t)page->exemplars[first].time_ms <= entry->exemplar &&
           entry->exemplar - (uint32_t)page->exemplars[first].time_ms < UINT32_MAX / 2)
        first++;
    *ret_first = first;
    if (first == page->exemplar_count)
        return LEAT_OK;
    if (prometheus__undo_note(page->scrape, entry) != LEAT_OK)
        return LEAT_ENOMEM;
    entry->exemplar = (uint32_t)page->exemplars[page->exemplar_count - 1].time_ms;
    return LEAT_OK;
}

static leat_rc native_sample(struct proto_page *page, const struct prom_proto_family *family,
                             const struct prom_proto_sample *from, struct prometheus_entry *entry,
                             struct prometheus_sample *sample, struct leat_err *reterr)
{
    struct prometheus_scrape *scrape = page->scrape;
    if (entry->flags & PROMETHEUS_DROPPED) /* whatever is in it */
        return prometheus__sample(scrape, entry, sample, reterr);
    leat_rc rc = prom_native_read(from->message, family->type == LEAT_PROM_GAUGE_HISTOGRAM, &page->native, reterr);
    if (rc != LEAT_OK)
        return rc;
    uint64_t limit = (uint64_t)scrape->target->job->conf->native_histogram_bucket_limit;
    if (limit && !prom_native_fit(&page->native, limit)) {
        scrape->over_bucket_limit = true;
        scrape->kept_after_relabel++;
        return LEAT_OK;
    }
    prom_native_reduce(&page->native, scrape->settings->schema_max);
    page->histogram.len = 0;
    prom_native_put(&page->native, &page->histogram);
    page->exemplar_count = 0;
    rc = page->histogram.failed ? LEAT_ENOMEM : prom_native_exemplars(from->message, on_native_exemplar, page);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "native histogram: %s", leat_rc_text(rc));
    order_exemplars(page);
    uint32_t first;
    if (skip_old(page, entry->main ? entry->main : entry, &first) != LEAT_OK)
        return no_memory(reterr);
    struct leat_prom_extra extra = {.start_ms = from->start_ms, .histogram = page->histogram.at,
                                    .histogram_bytes = (uint32_t)page->histogram.len, .exemplars = page->exemplars + first,
                                    .exemplar_count = page->exemplar_count - first};
    sample->extra = &extra;
    rc = prometheus__sample(scrape, entry, sample, reterr);
    sample->extra = NULL;
    return rc;
}

static leat_rc on_sample(void *ctx, const struct prom_proto_family *family, const struct prom_proto_metric *metric,
                         const struct prom_proto_sample *from, struct leat_err *reterr)
{
    struct proto_page *page = ctx;
    struct prometheus_scrape *scrape = page->scrape;
    struct prometheus_entry *entry = NULL;
    uint64_t bits = LEAT_PROM_NAN_BITS;
    struct prometheus_sample sample = {.value = from->value, .time_ms = metric->time_ms, .has_time = metric->time_ms != 0,
                                       .start_ms = from->start_ms};
    if (isnan(sample.value))
        memcpy(&sample.value, &bits, sizeof bits);
    scrape->total++;
    leat_rc rc = entry_of(scrape, family, metric, from, &entry, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (!entry) {
        scrape->kept_after_relabel++;
        scrape->over_sample_limit = true;
        return LEAT_OK;
    }
    prometheus__follow(scrape, entry);
    scrape->exemplars.len = 0;
    if (from->native)
        return native_sample(page, family, from, entry, &sample, reterr);
    if (from->exemplar.len && (rc = exemplar_of(page, from->exemplar, &sample)) != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "exemplar: %s", leat_rc_text(rc));
    return prometheus__sample(scrape, entry, &sample, reterr);
}

leat_rc prometheus__page_proto(struct prometheus_scrape *scrape, const struct leat_chain *body, struct leat_err *reterr)
{
    static const struct prom_proto_calls calls = {on_family, on_sample};
    struct prom_proto_opts opts = {scrape->settings->native_histograms, scrape->settings->classic_too};
    struct leat_slice flat;
    struct proto_page *page = leat_zalloc(1, sizeof *page);
    leat_rc rc = page ? leat_chain_flat(body, &flat) : LEAT_ENOMEM;
    if (rc != LEAT_OK) {
        leat_free(page);
        return no_memory(reterr);
    }
    page->scrape = scrape;
    rc = prom_proto_read(flat, &opts, &calls, page, reterr);
    leat_mem_unref(flat.mem);
    prom_native_done(&page->native);
    pb_buf_done(&page->histogram);
    leat_free(page);
    return rc;
}
