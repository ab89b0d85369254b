/* SPDX-License-Identifier: Apache-2.0 */
/* A page line by line. The line after a known one is most likely the one that followed it last time: one comparison. */
#include "agent/base/alloc.h"
#include "receivers/prometheus/prometheus.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HELD_MAX 16384u

/* ---- metadata ---- */

leat_rc prometheus__metadata(struct prometheus_scrape *scrape, enum prom_entry entry, struct leat_slice name,
                             enum leat_prom_type type, struct leat_slice text, struct leat_err *reterr)
{
    leat_rc rc = prometheus__held_flush(scrape, 0, reterr);
    if (rc != LEAT_OK)
        return rc;
    const struct prometheus_state *state = scrape->target->job->state;
    struct prometheus_cache *cache = &scrape->target->cache;
    uint32_t room_max = (uint32_t)state->conf->max_series_per_target;
    struct prometheus_meta *meta = prometheus__meta(cache, name, room_max);
    bool ok = meta != NULL;
    if (ok && entry == PROM_TYPE) {
        scrape->type = type;
        meta->changed |= meta->type != type;
        meta->type = type;
    }
    if (ok && entry == PROM_HELP)
        ok = prometheus__meta_set(cache, meta, &meta->help, text);
    if (ok && entry == PROM_UNIT)
        ok = prometheus__meta_set(cache, meta, &meta->unit, text);
    if (!meta && cache->meta_count >= room_max)
        return LEAT_RAISE(reterr, LEAT_EFULL, 0, "more families than series may be (max_series_per_target)");
    if (!ok)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "metadata: out of memory");
    scrape->meta = meta;
    if (scrape->builder.items >= (uint64_t)state->conf->max_batch_samples && prometheus__parcel(scrape) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "samples: out of memory");
    scrape->under = meta->built && !meta->changed ? meta->built->id : 0;
    return LEAT_OK;
}

/* Before the first sample under new metadata. */
static leat_rc settle_family(struct prometheus_scrape *scrape, struct leat_err *reterr)
{
    enum prometheus_help written = scrape->dialect == PROM_OPEN_METRICS ? PROMETHEUS_HELP_QUOTES : PROMETHEUS_HELP_ESCAPES;
    struct leat_prom_family *family = prometheus__meta_family(scrape->meta, written);
    if (!family)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "metadata: out of memory");
    scrape->under = family->id;
    return LEAT_OK;
}

/* ---- samples ---- */

leat_rc prometheus__undo_note(struct prometheus_scrape *scrape, struct prometheus_entry *entry)
{
    if (scrape->undo_count && scrape->undo[scrape->undo_count - 1].entry == entry)
        return LEAT_OK; /* what it was before the page is noted */
    if (scrape->undo_count == scrape->undo_room) {
        uint32_t room = scrape->undo_room ? 2 * scrape->undo_room : 64;
        struct prometheus_undo *undo = leat_realloc(scrape->undo, room * sizeof *undo);
        if (!undo)
            return LEAT_ENOMEM;
        scrape->undo = undo;
        scrape->undo_room = room;
    }
    scrape->undo[scrape->undo_count++] = (struct prometheus_undo){entry, entry->last_ms, entry->last_value, entry->exemplar};
    return LEAT_OK;
}

enum fit { FITS, SENT_BEFORE, OTHER_VALUE, TOO_OLD, TOO_NEW };

static uint32_t mixed(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint32_t)(bits * 0x9e3779b97f4a7c15ull >> 32);
}

static enum fit fit_of(const struct prometheus_scrape *scrape, const struct prometheus_entry *main, int64_t time_ms, double value)
{
    if (time_ms > scrape->late_ms)
        return TOO_NEW;
    if (time_ms > main->last_ms)
        return FITS;
    if (time_ms < main->last_ms)
        return TOO_OLD;
    return mixed(value) == main->last_value ? SENT_BEFORE : OTHER_VALUE;
}

/* Of an exemplar, so that it is sent once; never 0. */
static uint32_t exemplar_sum(const struct prometheus_sample *sample, const uint8_t *labels)
{
    XXH64_hash_t hash = XXH3_64bits(labels, sample->exemplar.label_bytes);
    uint64_t value, time = (uint64_t)(sample->exemplar.has_time ? sample->exemplar.time_ms : 0);
    memcpy(&value, &sample->exemplar.value, sizeof value);
    return (uint32_t)(hash ^ hash >> 32 ^ value * 31 ^ value >> 32 ^ time * 131) | 1;
}

static leat_rc add(struct prometheus_scrape *scrape, struct prometheus_entry *main, const struct prometheus_sample *sample,
                   int64_t time_ms)
{
    struct leat_prom_extra extra = {.start_ms = sample->start_ms};
    struct leat_prom_exemplar exemplar = sample->exemplar;
    const struct leat_prom_extra *more = sample->extra;
    if (sample->has_exemplar) {
        exemplar.labels = scrape->exemplars.at + sample->label_at;
        if (!exemplar.has_time)
            exemplar.time_ms = time_ms;
        uint32_t sum = exemplar_sum(sample, exemplar.labels);
        if (main->exemplar != sum) {
            if (prometheus__undo_note(scrape, main) != LEAT_OK)
                return LEAT_ENOMEM;
            main->exemplar = sum;
            extra.exemplars = &exemplar;
            extra.exemplar_count = 1;
        }
    }
    if (!more && (extra.exemplar_count || extra.start_ms))
        more = &extra;
    if (more && more->histogram_bytes)
        main->flags |= PROMETHEUS_HISTOGRAM;
    if (prometheus__cut(scrape, main->series) != LEAT_OK)
        return LEAT_ENOMEM;
    leat_rc rc = leat_prom_builder_add(&scrape->builder, main->series, time_ms, sample->value, more);
    if (main->flags & PROMETHEUS_INFO && rc == LEAT_OK && scrape->info_count < PROMETHEUS_INFOS_MAX)
        scrape->infos[scrape->info_count++] = (struct prometheus_info){main->series, time_ms, sample->value, scrape->parcels};
    return rc;
}

static void track(struct prometheus_scrape *scrape, struct prometheus_entry *main)
{
    const struct prometheus_cache *cache = &scrape->target->cache;
    if (main->seen == cache->generation)
        return;
    bool goes_on = main->seen && main->seen == cache->tracked_generation;
    scrape->tracked++;
    scrape->went_on += goes_on;
    main->seen = cache->generation;
    main->flags = (uint16_t)(goes_on ? main->flags & ~PROMETHEUS_FRESH : main->flags | PROMETHEUS_FRESH);
}

/* When it was sent last with the time of a tick, so far as is known; a marker's time is in last_ms. */
static int64_t ticked_ms(const struct prometheus_scrape *scrape, const struct prometheus_entry *main)
{
    const struct prometheus_target *target = scrape->target;
    if (target->job->conf->track_timestamps_staleness || main->seen == 0) /* seen with any time, or not at all */
        return INT64_MIN;
    return main->seen == target->cache.generation           ? scrape->tick_ms
           : main->seen == target->cache.tracked_generation ? target->last_tick_ms
                                                            : INT64_MIN;
}

/* A sample with a time of its own. */
static leat_rc own_time(struct prometheus_scrape *scrape, struct prometheus_entry *main, const struct prometheus_sample *sample,
                        enum fit *ret_fit)
{
    const struct prometheus_target *target = scrape->target;
    enum fit fit = fit_of(scrape, main, sample->time_ms, sample->value);
    int64_t after_ms = ticked_ms(scrape, main);
    if (fit == FITS && sample->time_ms <= after_ms)
        fit = sample->time_ms < after_ms ? TOO_OLD : OTHER_VALUE;
    scrape->duplicates += fit == OTHER_VALUE;
    scrape->out_of_order += fit == TOO_OLD;
    scrape->out_of_bounds += fit == TOO_NEW;
    *ret_fit = fit;
    if (fit != FITS && fit != SENT_BEFORE)
        return LEAT_OK;
    if (fit == FITS) {
        if (prometheus__undo_note(scrape, main) != LEAT_OK)
            return LEAT_ENOMEM;
        main->last_ms = sample->time_ms;
        main->last_value = mixed(sample->value);
    }
    if (target->job->conf->track_timestamps_staleness)
        track(scrape, main);
    return LEAT_OK;
}

leat_rc prometheus__sample(struct prometheus_scrape *scrape, struct prometheus_entry *entry,
                           const struct prometheus_sample *sample, struct leat_err *reterr)
{
    struct prometheus_target *target = scrape->target;
    uint32_t generation = target->cache.generation;
    uint32_t seen_before = entry->raw_seen;
    scrape->seen += seen_before != generation;
    entry->raw_seen = generation;
    if (entry->flags & PROMETHEUS_DROPPED)
        return LEAT_OK;
    scrape->kept_after_relabel++;
    struct prometheus_entry *main = entry->main ? entry->main : entry;
    if (main->under != scrape->under && prometheus__entry_move(scrape, main) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "series: out of memory");
    bool has_time = sample->has_time && target->job->conf->honor_timestamps;
    if (!has_time && seen_before == generation) {
        scrape->duplicates++;
        return LEAT_OK;
    }
    if (scrape->settings->sample_limit && ++scrape->accepted > scrape->settings->sample_limit) {
        scrape->over_sample_limit = true;
        return LEAT_OK;
    }
    bool is_new = seen_before < target->cache.whole; /* or back after a page without it */
    if (!has_time && main->seen == generation) { /* another text of it: added all the same, as with Prometheus */
        scrape->duplicates++;
        scrape->added += is_new;
        return LEAT_OK;
    }
    leat_rc rc = LEAT_OK;
    enum fit fit = FITS;
    if (has_time)
        rc = own_time(scrape, main, sample, &fit);
    else if (scrape->tick_ms <= main->last_ms) {
        scrape->out_of_order++;
        return LEAT_OK;
    } else
        track(scrape, main);
    scrape->added += is_new && (fit == FITS || fit == SENT_BEFORE);
    if (rc == LEAT_OK && fit == FITS)
        rc = add(scrape, main, sample, has_time ? sample->time_ms : scrape->tick_ms);
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "samples: %s", leat_rc_text(rc));
}

/* ---- OpenMetrics: samples wait for the "_created" of their series ---- */

leat_rc prometheus__held_flush(struct prometheus_scrape *scrape, int64_t start_ms, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; i < scrape->held_count && rc == LEAT_OK; i++) {
        const struct prometheus_held *held = &scrape->held[i];
        struct prometheus_sample sample = {.value = held->value, .time_ms = held->time_ms, .has_time = held->has_time,
                                           .has_exemplar = held->has_exemplar, .exemplar = held->exemplar,
                                           .label_at = held->label_at, .start_ms = start_ms};
        rc = prometheus__sample(scrape, held->entry, &sample, reterr);
    }
    scrape->held_count = 0;
    scrape->exemplars.len = 0;
    return rc;
}

static leat_rc hold(struct prometheus_scrape *scrape, struct prometheus_entry *entry,
                    const struct prometheus_sample *sample, struct leat_err *reterr)
{
    if (scrape->held_count == scrape->held_room) {
        uint32_t room = scrape->held_room ? 2 * scrape->held_room : 32;
        struct prometheus_held *held = leat_realloc(scrape->held, room * sizeof *held);
        if (!held)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "samples: out of memory");
        scrape->held = held;
        scrape->held_room = room;
    }
    scrape->held_group = entry->group;
    scrape->held[scrape->held_count++] = (struct prometheus_held){
        .entry = entry, .time_ms = sample->time_ms, .value = sample->value, .has_time = sample->has_time,
        .has_exemplar = sample->has_exemplar, .exemplar = sample->exemplar, .label_at = sample->label_at};
    return LEAT_OK;
}

static leat_rc open_sample(struct prometheus_scrape *scrape, struct prometheus_entry *entry,
                           const struct prometheus_sample *sample, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    bool same = scrape->held_count && scrape->held_group == entry->group;
    if (entry->flags & PROMETHEUS_CREATED) {
        double start_ms = same ? sample->value * 1000 : 0;
        rc = prometheus__held_flush(scrape, start_ms > 0 && start_ms < 9e18 ? (int64_t)start_ms : 0, reterr);
        return rc == LEAT_OK ? prometheus__sample(scrape, entry, sample, reterr) : rc;
    }
    if (!same || scrape->held_count >= HELD_MAX) {
        size_t kept = scrape->exemplars.len - sample->label_at; /* this one's labels stay */
        struct prometheus_sample moved = *sample;
        size_t from = sample->label_at;
        rc = prometheus__held_flush(scrape, 0, reterr);
        if (sample->has_exemplar && kept) {
            memmove(scrape->exemplars.at, scrape->exemplars.at + from, kept);
            scrape->exemplars.len = kept;
        }
        moved.label_at = 0;
        return rc == LEAT_OK ? hold(scrape, entry, &moved, reterr) : rc;
    }
    return hold(scrape, entry, sample, reterr);
}

/* ---- lines ---- */

static leat_rc find_entry(struct prometheus_scrape *scrape, struct leat_slice raw, struct prometheus_entry **ret_entry,
                          struct leat_err *reterr)
{
    uint32_t hash = prometheus__hash(raw);
    *ret_entry = prometheus__find(&scrape->target->cache, raw, hash);
    if (*ret_entry)
        return LEAT_OK;
    leat_rc rc = prom_labels_parse(scrape->dialect, raw, &scrape->labels, reterr);
    if (rc != LEAT_OK) {
        scrape->total--; /* no sample, this */
        return rc;
    }
    return prometheus__entry_make(scrape, raw, hash, ret_entry, reterr);
}

void prometheus__follow(struct prometheus_scrape *scrape, struct prometheus_entry *entry)
{
    struct prometheus_entry **next = scrape->current ? &scrape->current->next : &scrape->target->cache.first;
    if (*next != entry)
        *next = entry;
    scrape->current = entry;
}

static bool waits_for_created(const struct prometheus_scrape *scrape)
{
    return scrape->dialect == PROM_OPEN_METRICS &&
           (scrape->type == LEAT_PROM_COUNTER || scrape->type == LEAT_PROM_HISTOGRAM || scrape->type == LEAT_PROM_SUMMARY);
}

static leat_rc with_exemplar(struct prometheus_scrape *scrape, const struct prom_line *line, struct prometheus_sample *sample,
                             struct leat_err *reterr)
{
    leat_rc rc = prom_exemplar_parse(line->exemplar, &scrape->labels, reterr);
    if (rc != LEAT_OK) {
        scrape->total--; /* no sample, this */
        return rc;
    }
    sample->exemplar.value = line->exemplar_value;
    sample->exemplar.has_time = line->exemplar_has_time;
    sample->exemplar.time_ms = line->exemplar_time_ms;
    if (!prometheus__exemplar_labels(scrape, scrape->labels.at, scrape->labels.count, sample))
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "exemplar: out of memory");
    sample->has_exemplar &= !line->exemplar_has_time || line->exemplar_time_ms != PROM_TIME_ABSURD;
    leat_host_count(scrape->target->job->state->host, PROMETHEUS_EXEMPLAR_UNFIT, !sample->has_exemplar);
    return LEAT_OK;
}

/* The line's series is known, or over the sample limit (NULL). */
static leat_rc take(struct prometheus_scrape *scrape, struct prometheus_entry *entry, const struct prom_line *line,
                    struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (!entry) {
        scrape->kept_after_relabel++;
        scrape->over_sample_limit = true;
        return LEAT_OK;
    }
    prometheus__follow(scrape, entry);
    struct prometheus_sample sample = {.value = line->value, .time_ms = line->time_ms, .has_time = line->has_time};
    if (line->has_exemplar && (rc = with_exemplar(scrape, line, &sample, reterr)) != LEAT_OK)
        return rc;
    if (waits_for_created(scrape))
        return open_sample(scrape, entry, &sample, reterr);
    if (scrape->held_count && (rc = prometheus__held_flush(scrape, 0, reterr)) != LEAT_OK)
        return rc;
    rc = prometheus__sample(scrape, entry, &sample, reterr);
    scrape->exemplars.len = 0;
    return rc;
}

static leat_rc slow_line(struct prometheus_scrape *scrape, const uint8_t *at, const uint8_t *end, struct prom_line *line,
                         struct leat_err *reterr)
{
    leat_rc rc;
    while ((rc = prom_line_parse(scrape->dialect, at, end, line, reterr)) == LEAT_EPARSE && line->unfinished &&
           (rc = prom_lines_extend(&scrape->lines, &at, &end)) == LEAT_OK)
        continue;
    if (rc == LEAT_AGAIN)
        return LEAT_EPARSE; /* the error of the line stands */
    if (rc == LEAT_ELIMIT)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "a line is too long (max_line_bytes)");
    if (rc != LEAT_OK || line->entry == PROM_NOTHING || line->entry == PROM_EOF)
        return rc;
    if (line->entry != PROM_SAMPLE)
        return prometheus__metadata(scrape, line->entry, line->name, line->type, line->text, reterr);
    if (scrape->meta && !scrape->under && (rc = settle_family(scrape, reterr)) != LEAT_OK)
        return rc;
    struct prometheus_entry *entry;
    scrape->total++;
    rc = find_entry(scrape, line->series, &entry, reterr);
    return rc == LEAT_OK ? take(scrape, entry, line, reterr) : rc;
}

/* Is it what followed last time? Then only the number is read. */
static bool guessed(const struct prometheus_scrape *scrape, const struct prometheus_entry *guess, const uint8_t *at,
                    const uint8_t *end, struct prom_line *line)
{
    return guess && (size_t)(end - at) > guess->raw_len && at[guess->raw_len] == ' ' &&
           memcmp(at, guess->raw, guess->raw_len) == 0 &&
           prom_rest_parse(scrape->dialect, at + guess->raw_len, end, line, NULL) == LEAT_OK;
}

leat_rc prometheus__page_text(struct prometheus_scrape *scrape, const struct leat_chain *body, struct leat_err *reterr)
{
    struct prometheus_state *state = scrape->target->job->state;
    struct prom_line line = {0};
    const uint8_t *at, *end;
    bool ended = false;
    leat_rc rc;
    prom_lines_begin(&scrape->lines, scrape->dialect, (uint32_t)state->conf->max_line_bytes, body);
    while ((rc = prom_lines_next(&scrape->lines, &at, &end)) == LEAT_OK) {
        if (ended)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "unexpected data after # EOF");
        struct prometheus_entry *guess = scrape->current ? scrape->current->next : scrape->target->cache.first;
        if (guess) {
            __builtin_prefetch(guess->next);
            __builtin_prefetch(guess->series, 1);
        }
        if ((!scrape->meta || scrape->under) && guessed(scrape, guess, at, end, &line)) {
            scrape->guesses++;
            scrape->total++;
            rc = take(scrape, guess, &line, reterr);
        } else {
            rc = slow_line(scrape, at, end, &line, reterr);
            ended = rc == LEAT_OK && line.entry == PROM_EOF;
        }
        if (rc != LEAT_OK)
            return rc;
    }
    if (rc != LEAT_AGAIN)
        return LEAT_RAISE(reterr, rc == LEAT_ELIMIT ? LEAT_EPARSE : rc, 0, "%s",
                          rc == LEAT_ELIMIT ? "a line is too long (max_line_bytes)" : "lines: out of memory");
    if (scrape->dialect == PROM_OPEN_METRICS && !ended)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "data does not end with # EOF");
    return prometheus__held_flush(scrape, 0, reterr);
}

leat_rc prometheus__page(struct prometheus_scrape *scrape, enum prometheus_format format, const struct leat_chain *body,
                         struct leat_err *reterr)
{
    leat_rc rc;
    scrape->dialect = format == PROMETHEUS_OPEN_METRICS ? PROM_OPEN_METRICS : PROM_TEXT;
    if (format == PROMETHEUS_PROTO)
        rc = prometheus__page_proto(scrape, body, reterr);
    else
        rc = prometheus__page_text(scrape, body, reterr);
    (void)prometheus__held_flush(scrape, 0, NULL); /* what stood before a fault is counted */
    if (rc == LEAT_OK && scrape->over_sample_limit)
        return LEAT_RAISE(reterr, LEAT_EFULL, PROMETHEUS_OVER_SAMPLES, "sample_limit exceeded");
    if (rc == LEAT_OK && scrape->over_bucket_limit)
        return LEAT_RAISE(reterr, LEAT_EFULL, PROMETHEUS_OVER_BUCKETS, "native_histogram_bucket_limit exceeded");
    return rc;
}
