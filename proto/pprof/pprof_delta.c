/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof/pprof_delta.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"

/* One run. */
struct run {
    const struct pprof *now;
    struct pprof_delta_table next; /* counts of this profile */
    const struct pprof_delta_table *last;
    uint32_t count, column[PPROF_DELTA_TYPES_MAX]; /* which values are counts */
    bool baseline;
    XXH128_hash_t *frames; /* by location */
    uint8_t *used_strings, *used_functions, *used_locations;
    struct pb_buf scratch;
    int64_t span_ns; /* 0: as the profile says */
};

/* ---- which values count from the start ---- */

static bool is_cumulative(struct leat_slice name)
{
    return leat_slice_is(name, "alloc_objects") || leat_slice_is(name, "alloc_space") ||
           leat_slice_is(name, "contentions") || leat_slice_is(name, "delay");
}

static uint64_t choose(struct run *run)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < run->now->type_count && run->count < PPROF_DELTA_TYPES_MAX; i++) {
        struct leat_slice name = pprof_string(run->now, run->now->types[i].type);
        if (!is_cumulative(name))
            continue;
        run->column[run->count++] = i;
        hash = XXH3_64bits_withSeed(name.at, name.len, hash) | 1;
    }
    return hash;
}

/* ---- names of stacks ---- */

static void put_string(struct run *run, uint32_t index)
{
    struct leat_slice text = pprof_string(run->now, index);
    pb_buf_bytes(&run->scratch, 0, text.at, text.len);
}

static bool name_frames(struct run *run)
{
    const struct pprof *now = run->now;
    struct pb_buf *scratch = &run->scratch;
    struct pprof_line line;
    for (uint32_t i = 0; i < now->location_count; i++) {
        const struct pprof_location *location = &now->locations[i];
        struct pb_flat rest = pprof_lines(now, location);
        scratch->len = 0;
        pb_buf_fixed64(scratch, 0, location->address);
        while (pprof_line_next(now, &rest, &line)) {
            put_string(run, now->functions[line.function].name);
            put_string(run, now->functions[line.function].filename);
            pb_buf_fixed64(scratch, 0, (uint64_t)line.line);
        }
        if (scratch->failed)
            return false;
        run->frames[i] = XXH3_128bits(scratch->at, scratch->len);
    }
    return true;
}

static bool name_sample(struct run *run, const struct pprof_sample *sample, uint64_t key[2])
{
    struct pprof_ids ids = {.message = sample->message, .number = 1};
    struct pb_flat labels = sample->message;
    struct pprof_label label;
    uint64_t id;
    run->scratch.len = 0;
    while (pprof_id_next(&ids, &id)) {
        const XXH128_hash_t *frame = &run->frames[pprof_location_of(run->now, id)];
        pb_buf_raw(&run->scratch, frame, sizeof *frame);
    }
    while (pprof_label_next(&labels, &label)) {
        put_string(run, label.key);
        put_string(run, label.str);
        put_string(run, label.num_unit);
        pb_buf_fixed64(&run->scratch, 0, (uint64_t)label.num);
    }
    if (run->scratch.failed)
        return false;
    XXH128_hash_t hash = XXH3_128bits(run->scratch.at, run->scratch.len);
    key[0] = hash.low64 | 1; /* never both 0 */
    key[1] = hash.high64;
    return true;
}

/* ---- the table ---- */

static bool table_open(struct pprof_delta_table *table, uint32_t samples)
{
    uint32_t room = 16;
    while (room / 2 < samples)
        room *= 2;
    table->at = leat_zalloc(room, sizeof *table->at);
    table->mask = room - 1;
    return table->at != NULL;
}

/* Its entry, or the empty one where it would be. */
static struct pprof_delta_entry *table_at(const struct pprof_delta_table *table, const uint64_t key[2])
{
    for (uint64_t i = key[1];; i++) {
        struct pprof_delta_entry *entry = &table->at[i & table->mask];
        if ((entry->key[0] == key[0] && entry->key[1] == key[1]) || entry->key[0] == 0)
            return entry;
    }
}

static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

static bool take_counts(struct run *run)
{
    struct pb_flat rest = pprof_samples(run->now);
    struct pprof_sample sample;
    uint64_t key[2];
    while (pprof_sample_next(run->now, &rest, &sample)) {
        if (!name_sample(run, &sample, key))
            return false;
        struct pprof_delta_entry *entry = table_at(&run->next, key);
        memcpy(entry->key, key, sizeof key);
        for (uint32_t i = 0; i < run->count; i++)
            entry->counts[i] = plus(entry->counts[i], sample.values[run->column[i]]);
    }
    return true;
}

static bool went_back(const struct run *run)
{
    for (uint32_t i = 0; i <= run->next.mask; i++) {
        const struct pprof_delta_entry *entry = &run->next.at[i];
        if (!entry->key[0])
            continue;
        const struct pprof_delta_entry *last = table_at(run->last, entry->key);
        for (uint32_t c = 0; last->key[0] && c < run->count; c++)
            if (entry->counts[c] < last->counts[c])
                return true;
    }
    return false;
}

/* ---- writing ---- */

static void use(struct run *run, const struct pprof_sample *sample)
{
    const struct pprof *now = run->now;
    struct pprof_ids ids = {.message = sample->message, .number = 1};
    struct pb_flat labels = sample->message;
    struct pprof_label label;
    struct pprof_line line;
    uint64_t id;
    while (pprof_id_next(&ids, &id)) {
        uint32_t at = pprof_location_of(now, id);
        struct pb_flat rest = pprof_lines(now, &now->locations[at]);
        if (run->used_locations[at])
            continue;
        run->used_locations[at] = 1;
        while (pprof_line_next(now, &rest, &line)) {
            const struct pprof_function *f = &now->functions[line.function];
            run->used_functions[line.function] = 1;
            run->used_strings[f->name] = run->used_strings[f->system_name] = run->used_strings[f->filename] = 1;
        }
    }
    while (pprof_label_next(&labels, &label))
        run->used_strings[label.key] = run->used_strings[label.str] = run->used_strings[label.num_unit] = 1;
}

static void put_sample(const struct run *run, const struct pprof_sample *sample, struct pb_buf *out)
{
    struct pb_flat rest = sample->message;
    struct pb_field field;
    size_t opened = pb_buf_open(out, PB_TAG(PPROF_SAMPLE, PB_LEN));
    while (pb_next(&rest, &field) == 1)
        if (field.number != 2)
            pb_buf_raw(out, field.tag, (size_t)(rest.at - field.tag));
    size_t values = pb_buf_open(out, PB_TAG(2, PB_LEN));
    for (uint32_t i = 0; i < run->now->type_count && pb_buf_room(out, 10); i++)
        out->len = (size_t)(pb_put_varint(out->at + out->len, (uint64_t)sample->values[i]) - out->at);
    pb_buf_close(out, values);
    pb_buf_close(out, opened);
}

/* What grew; the counts of a baseline are 0. False: nothing is left of this sample. */
static bool subtract(struct run *run, struct pprof_sample *sample, const uint64_t key[2])
{
    struct pprof_delta_entry *entry = table_at(&run->next, key);
    static const struct pprof_delta_entry none;
    const struct pprof_delta_entry *last = run->baseline ? &none : table_at(run->last, key);
    bool some = false;
    for (uint32_t i = 0; i < run->count; i++)
        sample->values[run->column[i]] =
            run->baseline || entry->written ? 0 : (int64_t)((uint64_t)entry->counts[i] - (uint64_t)last->counts[i]);
    entry->written = true;
    for (uint32_t i = 0; i < run->now->type_count; i++)
        some |= sample->values[i] != 0;
    return some;
}

static bool put_samples(struct run *run, struct pb_buf *out, uint32_t *ret_samples)
{
    struct pb_flat rest = pprof_samples(run->now);
    struct pprof_sample sample;
    uint64_t key[2];
    while (pprof_sample_next(run->now, &rest, &sample)) {
        if (!name_sample(run, &sample, key))
            return false;
        if (!subtract(run, &sample, key))
            continue;
        use(run, &sample);
        put_sample(run, &sample, out);
        ++*ret_samples;
    }
    return true;
}

static bool field_stays(const struct run *run, const struct pb_field *field, const struct pprof *now)
{
    struct pb_flat message = pb_sub(field);
    struct pb_field part;
    uint64_t id = 0;
    if (field->number == PPROF_SAMPLE || (field->number == PPROF_DURATION_NANOS && run->span_ns))
        return false;
    if (field->number != PPROF_LOCATION && field->number != PPROF_FUNCTION)
        return true;
    while (pb_next(&message, &part) == 1)
        if (part.number == 1 && part.wire == PB_VARINT)
            id = part.value;
    return field->number == PPROF_LOCATION ? run->used_locations[pprof_location_of(now, id)]
                                           : run->used_functions[pprof_function_of(now, id)];
}

static void use_own_strings(struct run *run)
{
    const struct pprof *now = run->now;
    struct pb_flat rest = pprof_samples(now);
    struct pb_field field;
    uint64_t comment;
    for (uint32_t i = 0; i < now->type_count; i++)
        run->used_strings[now->types[i].type] = run->used_strings[now->types[i].unit] = 1;
    run->used_strings[now->period_type.type] = run->used_strings[now->period_type.unit] = 1;
    run->used_strings[now->default_type] = run->used_strings[now->doc_url] = 1;
    for (uint32_t i = 0; i < now->mapping_count; i++)
        run->used_strings[now->mappings[i].filename] = run->used_strings[now->mappings[i].build_id] = 1;
    while (pb_next(&rest, &field) == 1)
        if (field.wire == PB_VARINT && (field.number == PPROF_DROP_FRAMES || field.number == PPROF_KEEP_FRAMES))
            run->used_strings[field.value] = 1;
    struct pprof_ids comments = {.message = pprof_samples(now), .number = PPROF_COMMENT};
    while (pprof_id_next(&comments, &comment))
        run->used_strings[comment] = 1;
}

/* All but the samples; strings keep their places, those that nobody names are empty. */
static void put_rest(struct run *run, struct pb_buf *out)
{
    struct pb_flat rest = pprof_samples(run->now);
    struct pb_field field;
    uint32_t string = 0;
    use_own_strings(run);
    while (pb_next(&rest, &field) == 1) {
        if (field.number == PPROF_STRING_TABLE && !run->used_strings[string++])
            pb_buf_bytes(out, PB_TAG(PPROF_STRING_TABLE, PB_LEN), NULL, 0);
        else if (field_stays(run, &field, run->now))
            pb_buf_raw(out, field.tag, (size_t)(rest.at - field.tag));
    }
    if (run->span_ns)
        pb_buf_varint(out, PB_TAG(PPROF_DURATION_NANOS, PB_VARINT), (uint64_t)run->span_ns);
}

/* ---- the whole ---- */

static bool run_open(struct run *run)
{
    const struct pprof *now = run->now;
    run->frames = leat_zalloc(now->location_count + 1, sizeof *run->frames);
    run->used_locations = leat_zalloc(now->location_count + 1, 1);
    run->used_functions = leat_zalloc(now->function_count + 1, 1);
    run->used_strings = leat_zalloc(now->string_count + 1, 1);
    return run->frames && run->used_locations && run->used_functions && run->used_strings &&
           table_open(&run->next, now->sample_count);
}

static void run_close(struct run *run)
{
    leat_free(run->frames);
    leat_free(run->used_locations);
    leat_free(run->used_functions);
    leat_free(run->used_strings);
    leat_free(run->next.at);
    pb_buf_done(&run->scratch);
}

static void offer(struct pprof_delta *delta, struct run *run, uint64_t types_hash)
{
    leat_free(delta->next.table.at);
    delta->next = (struct pprof_delta_seen){run->next, types_hash, run->now->time_ns};
    run->next.at = NULL;
}

leat_rc pprof_delta_run(struct pprof_delta *delta, const struct pprof *now, struct pb_buf *out,
                        struct pprof_delta_said *ret_said)
{
    struct run run = {.now = now, .last = &delta->last.table};
    struct pprof_delta_said said = {0};
    uint64_t types_hash = choose(&run);
    leat_rc rc = LEAT_ENOMEM;
    *ret_said = said;
    if (run.count == 0)
        return LEAT_OK;
    said.cumulative = true;
    if (!run_open(&run) || !name_frames(&run) || !take_counts(&run))
        goto end;
    said.first = delta->last.types_hash != types_hash;
    said.reset = !said.first && went_back(&run);
    run.baseline = said.first || said.reset;
    if (!run.baseline && now->time_ns > delta->last.time_ns && delta->last.time_ns > 0)
        run.span_ns = now->time_ns - delta->last.time_ns;
    if (!put_samples(&run, out, &said.samples))
        goto end;
    put_rest(&run, out);
    if (out->failed)
        goto end;
    offer(delta, &run, types_hash);
    *ret_said = said;
    rc = LEAT_OK;
end:
    run_close(&run);
    return rc;
}

void pprof_delta_keep(struct pprof_delta *delta)
{
    if (!delta->next.table.at)
        return;
    leat_free(delta->last.table.at);
    delta->last = delta->next;
    delta->next = (struct pprof_delta_seen){0};
}

void pprof_delta_done(struct pprof_delta *delta)
{
    leat_free(delta->last.table.at);
    leat_free(delta->next.table.at);
    *delta = (struct pprof_delta){0};
}

static uint64_t bytes_of(const struct pprof_delta_table *table)
{
    return table->at ? (table->mask + 1ull) * sizeof *table->at : 0;
}

uint64_t pprof_delta_bytes(const struct pprof_delta *delta)
{
    return bytes_of(&delta->last.table) + bytes_of(&delta->next.table);
}
