/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a profile: counted first, so that each is one allocation, then filled and ordered by id. */
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "proto/pprof/pprof.h"
#include "proto/utf8/utf8.h"

/* Each entry of a table begins with its id, so that one order and one search serve all three. */
_Static_assert(offsetof(struct pprof_mapping, id) == 0 && offsetof(struct pprof_location, id) == 0 &&
                   offsetof(struct pprof_function, id) == 0,
               "the id comes first");

static uint64_t id_at(const void *table, size_t size, uint32_t index)
{
    uint64_t id;
    memcpy(&id, (const uint8_t *)table + index * size, sizeof id);
    return id;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = id_at(a, 0, 0), y = id_at(b, 0, 0);
    return x < y ? -1 : x > y;
}

/* Most profiles number from 1 without a gap. */
static uint32_t find(const void *table, size_t size, uint32_t count, uint64_t id)
{
    uint32_t low = 0, high = count;
    if (id - 1 < count && id_at(table, size, (uint32_t)(id - 1)) == id)
        return (uint32_t)(id - 1);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t there = id_at(table, size, middle);
        if (there == id)
            return middle;
        if (there < id)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

uint32_t pprof_location_of(const struct pprof *pprof, uint64_t id)
{
    return find(pprof->locations, sizeof *pprof->locations, pprof->location_count, id);
}
uint32_t pprof_function_of(const struct pprof *pprof, uint64_t id)
{
    return find(pprof->functions, sizeof *pprof->functions, pprof->function_count, id);
}
uint32_t pprof_mapping_of(const struct pprof *pprof, uint64_t id)
{
    return find(pprof->mappings, sizeof *pprof->mappings, pprof->mapping_count, id);
}

static leat_rc order(const char *what, void *table, size_t size, uint32_t count, struct leat_err *reterr)
{
    bool rising = true;
    for (uint32_t i = 0; i < count; i++) {
        if (id_at(table, size, i) == 0)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: a %s has id 0", what);
        rising = rising && (i == 0 || id_at(table, size, i) > id_at(table, size, i - 1));
    }
    if (rising)
        return LEAT_OK;
    qsort(table, count, size, by_id);
    for (uint32_t i = 1; i < count; i++)
        if (id_at(table, size, i) == id_at(table, size, i - 1))
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: two %ss have id %llu", what,
                              (unsigned long long)id_at(table, size, i));
    return LEAT_OK;
}

/* ---- entries ---- */

static bool string_index(const struct pprof *pprof, const struct pb_field *field, uint32_t *ret_index)
{
    *ret_index = field->value < pprof->string_count ? (uint32_t)field->value : UINT32_MAX;
    return *ret_index != UINT32_MAX;
}

static bool read_mapping(const struct pprof *pprof, struct pb_flat message, struct pprof_mapping *m)
{
    struct pb_field field;
    int more;
    bool good = true;
    *m = (struct pprof_mapping){0};
    while (good && (more = pb_next(&message, &field)) != 0) {
        if (more < 0)
            return false;
        if (field.wire != PB_VARINT)
            continue;
        switch (field.number) {
        case 1: m->id = field.value; break;
        case 2: m->start = field.value; break;
        case 3: m->limit = field.value; break;
        case 4: m->offset = field.value; break;
        case 5: good = string_index(pprof, &field, &m->filename); break;
        case 6: good = string_index(pprof, &field, &m->build_id); break;
        case 7: m->has_functions = field.value != 0; break;
        case 8: m->has_filenames = field.value != 0; break;
        case 9: m->has_lines = field.value != 0; break;
        case 10: m->has_inline_frames = field.value != 0; break;
        default: break;
        }
    }
    return good;
}

static bool read_function(const struct pprof *pprof, struct pb_flat message, struct pprof_function *f)
{
    struct pb_field field;
    int more;
    bool good = true;
    *f = (struct pprof_function){0};
    while (good && (more = pb_next(&message, &field)) != 0) {
        if (more < 0)
            return false;
        if (field.wire != PB_VARINT)
            continue;
        switch (field.number) {
        case 1: f->id = field.value; break;
        case 2: good = string_index(pprof, &field, &f->name); break;
        case 3: good = string_index(pprof, &field, &f->system_name); break;
        case 4: good = string_index(pprof, &field, &f->filename); break;
        case 5: f->start_line = (int64_t)field.value; break;
        default: break;
        }
    }
    return good;
}

/* Mappings and functions are there already, and in order. */
static bool read_line(const struct pprof *pprof, struct pb_flat line)
{
    struct pb_field field;
    uint64_t function = 0;
    int more;
    while ((more = pb_next(&line, &field)) == 1)
        if (field.number == 1 && field.wire == PB_VARINT)
            function = field.value;
    return more == 0 && pprof_function_of(pprof, function) != UINT32_MAX;
}

static bool read_location(const struct pprof *pprof, const struct pb_field *whole, struct pprof_location *l)
{
    struct pb_flat message = pb_sub(whole);
    struct pb_field field;
    uint64_t mapping = 0;
    int more;
    *l = (struct pprof_location){.message = {(uint32_t)(whole->at - pprof->at), whole->len}};
    while ((more = pb_next(&message, &field)) == 1) {
        if (field.number == 1 && field.wire == PB_VARINT)
            l->id = field.value;
        else if (field.number == 2 && field.wire == PB_VARINT)
            mapping = field.value;
        else if (field.number == 3 && field.wire == PB_VARINT)
            l->address = field.value;
        else if (field.number == 4 && (field.wire != PB_LEN || !read_line(pprof, pb_sub(&field))))
            return false;
    }
    uint32_t index = mapping ? pprof_mapping_of(pprof, mapping) : 0;
    l->mapping = mapping ? index + 1 : 0;
    return more == 0 && index != UINT32_MAX;
}

/* ---- all of them ---- */

static leat_rc count_all(struct pprof *pprof, struct leat_err *reterr)
{
    struct pb_flat rest = pprof_samples(pprof);
    struct pb_field field;
    uint32_t counts[PPROF_STRING_TABLE + 1] = {0};
    uint64_t entries = 0;
    int more;
    while ((more = pb_next(&rest, &field)) == 1) {
        if (field.number < PPROF_SAMPLE || field.number > PPROF_STRING_TABLE)
            continue;
        if (field.wire != PB_LEN)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: field %u is no message", field.number);
        counts[field.number]++;
        entries += field.number != PPROF_SAMPLE;
    }
    if (more < 0)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: malformed at byte %llu of %u",
                          (unsigned long long)(rest.at - pprof->at), pprof->len);
    if (entries > PPROF_ENTRIES_MAX || counts[PPROF_SAMPLE] > PPROF_ENTRIES_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "pprof: more than %u samples or table entries", PPROF_ENTRIES_MAX);
    pprof->sample_count = counts[PPROF_SAMPLE];
    pprof->mapping_count = counts[PPROF_MAPPING];
    pprof->location_count = counts[PPROF_LOCATION];
    pprof->function_count = counts[PPROF_FUNCTION];
    pprof->string_count = counts[PPROF_STRING_TABLE];
    return LEAT_OK;
}

static bool get_room(struct pprof *pprof)
{
    pprof->strings = leat_zalloc(pprof->string_count + 1, sizeof *pprof->strings);
    pprof->mappings = leat_zalloc(pprof->mapping_count + 1, sizeof *pprof->mappings);
    pprof->locations = leat_zalloc(pprof->location_count + 1, sizeof *pprof->locations);
    pprof->functions = leat_zalloc(pprof->function_count + 1, sizeof *pprof->functions);
    return pprof->strings && pprof->mappings && pprof->locations && pprof->functions;
}

static leat_rc fill_strings(struct pprof *pprof, struct leat_err *reterr)
{
    struct pb_flat rest = pprof_samples(pprof);
    struct pb_field field;
    uint32_t n = 0;
    while (pb_next(&rest, &field) == 1) {
        if (field.number != PPROF_STRING_TABLE)
            continue;
        if (!utf8_ok(field.at, field.len))
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: string %u is not UTF-8", n);
        pprof->strings[n++] = (struct pprof_span){(uint32_t)(field.at - pprof->at), field.len};
    }
    if (n == 0 || pprof->strings[0].len)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: string 0 is not empty");
    return LEAT_OK;
}

/* A location needs the others: it comes in a pass of its own. */
static leat_rc fill(struct pprof *pprof, bool locations, struct leat_err *reterr)
{
    struct pb_flat rest = pprof_samples(pprof);
    struct pb_field field;
    uint32_t mapping = 0, function = 0, location = 0;
    while (pb_next(&rest, &field) == 1) {
        bool good = true;
        if (field.number == PPROF_MAPPING && !locations)
            good = read_mapping(pprof, pb_sub(&field), &pprof->mappings[mapping++]);
        else if (field.number == PPROF_FUNCTION && !locations)
            good = read_function(pprof, pb_sub(&field), &pprof->functions[function++]);
        else if (field.number == PPROF_LOCATION && locations)
            good = read_location(pprof, &field, &pprof->locations[location++]);
        if (!good)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: a %s is malformed or names what is not there",
                              field.number == PPROF_MAPPING    ? "mapping"
                              : field.number == PPROF_FUNCTION ? "function"
                                                               : "location");
    }
    return LEAT_OK;
}

leat_rc pprof__tables(struct pprof *pprof, struct leat_err *reterr)
{
    leat_rc rc = count_all(pprof, reterr);
    if (rc == LEAT_OK && !get_room(pprof))
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "pprof: no memory for the tables");
    if (rc == LEAT_OK)
        rc = fill_strings(pprof, reterr);
    if (rc == LEAT_OK)
        rc = fill(pprof, false, reterr);
    if (rc == LEAT_OK)
        rc = order("mapping", pprof->mappings, sizeof *pprof->mappings, pprof->mapping_count, reterr);
    if (rc == LEAT_OK)
        rc = order("function", pprof->functions, sizeof *pprof->functions, pprof->function_count, reterr);
    if (rc == LEAT_OK)
        rc = fill(pprof, true, reterr);
    if (rc == LEAT_OK)
        rc = order("location", pprof->locations, sizeof *pprof->locations, pprof->location_count, reterr);
    return rc;
}
