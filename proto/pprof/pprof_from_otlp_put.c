/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample names comes along: each entry of the dictionary once, numbered in the order it is first named. */
#include "agent/base/alloc.h"
#include "proto/pprof/pprof_from_otlp_inner.h"

bool pprof__build_open(struct build *build, const struct dictionary *dictionary)
{
    *build = (struct build){.dictionary = dictionary};
    for (unsigned t = MAPPINGS; t < TABLES; t++) {
        build->known[t] = leat_zalloc(dictionary->table[t].count + 1, sizeof *build->known[t]);
        if (!build->known[t])
            return false;
    }
    return true;
}

void pprof__build_close(struct build *build)
{
    for (unsigned t = 0; t < TABLES; t++)
        leat_free(build->known[t]);
    leat_free(build->mappings);
    pb_buf_done(&build->strings);
    pb_buf_done(&build->tables);
    pb_buf_done(&build->samples);
    pb_buf_done(&build->all);
}

void pprof__build_begin(struct build *build)
{
    build->epoch++;
    build->bad = NULL;
    build->string_count = build->location_count = build->function_count = build->mapping_count = 0;
    build->strings.len = build->tables.len = build->samples.len = build->all.len = 0;
    (void)pprof__put_text(build, (struct leat_slice){0}); /* string 0 */
}

static bool is_known(const struct build *build, unsigned table, uint64_t index, uint32_t *ret_id)
{
    const struct known *known = &build->known[table][index];
    *ret_id = known->id;
    return known->epoch == build->epoch;
}

static uint32_t learn(struct build *build, unsigned table, uint64_t index, uint32_t id)
{
    build->known[table][index] = (struct known){build->epoch, id};
    return id;
}

/* The entry, or the profile is bad. */
static bool entry(struct build *build, unsigned table, uint64_t index, struct leat_slice *ret_entry)
{
    if (pprof__dictionary_get(build->dictionary, table, index, ret_entry))
        return true;
    build->bad = "an index leads out of the dictionary";
    return false;
}

/* ---- strings ---- */

uint32_t pprof__put_text(struct build *build, struct leat_slice text)
{
    pb_buf_bytes(&build->strings, PB_TAG(PPROF_STRING_TABLE, PB_LEN), text.at, text.len);
    return build->string_count++;
}

uint32_t pprof__put_string(struct build *build, uint64_t index)
{
    struct leat_slice text;
    uint32_t id;
    if (!entry(build, STRINGS, index, &text) || text.len == 0)
        return 0;
    return is_known(build, STRINGS, index, &id) ? id : learn(build, STRINGS, index, pprof__put_text(build, text));
}

/* ---- functions, mappings, locations ---- */

static void put_number(struct pb_buf *buf, uint32_t number, uint64_t value)
{
    if (value)
        pb_buf_varint(buf, PB_TAG(number, PB_VARINT), value);
}

static uint32_t put_function(struct build *build, uint64_t index)
{
    struct leat_slice message;
    uint32_t id;
    if (!entry(build, FUNCTIONS, index, &message))
        return 0;
    if (is_known(build, FUNCTIONS, index, &id))
        return id;
    uint32_t name = pprof__put_string(build, pprof__number(message, 1));
    uint32_t system_name = pprof__put_string(build, pprof__number(message, 2));
    uint32_t filename = pprof__put_string(build, pprof__number(message, 3));
    struct pb_buf *out = &build->tables;
    size_t opened = pb_buf_open(out, PB_TAG(PPROF_FUNCTION, PB_LEN));
    put_number(out, 1, ++build->function_count);
    put_number(out, 2, name);
    put_number(out, 3, system_name);
    put_number(out, 4, filename);
    put_number(out, 5, pprof__number(message, 4));
    pb_buf_close(out, opened);
    return learn(build, FUNCTIONS, index, build->function_count);
}

/* Mappings are written at the end, when it is known what their locations have. */
static struct used_mapping *use_mapping(struct build *build, uint64_t index, uint32_t *ret_id)
{
    struct leat_slice message;
    *ret_id = 0;
    if (index == 0 || !entry(build, MAPPINGS, index, &message))
        return NULL;
    if (is_known(build, MAPPINGS, index, ret_id))
        return &build->mappings[*ret_id - 1];
    if (build->mapping_count == build->mapping_room) {
        uint32_t room = build->mapping_room ? build->mapping_room * 2 : 16;
        struct used_mapping *more = leat_realloc(build->mappings, room * sizeof *more);
        if (!more) {
            build->failed = true;
            return NULL;
        }
        build->mappings = more;
        build->mapping_room = room;
    }
    *ret_id = learn(build, MAPPINGS, index, ++build->mapping_count);
    build->mappings[*ret_id - 1] = (struct used_mapping){
        .index = (uint32_t)index, .functions = true, .filenames = true, .lines = true, .inline_frames = true};
    return &build->mappings[*ret_id - 1];
}

static void survey(struct used_mapping *mapping, uint32_t lines, bool functions, bool filenames, bool numbers)
{
    mapping->functions &= lines && functions;
    mapping->filenames &= lines && filenames;
    mapping->lines &= lines && numbers;
    mapping->inline_frames &= lines > 1;
}

/* Resolves the functions of a location's lines, so that its message can be written in one go. */
static void put_line_functions(struct build *build, struct leat_slice location, struct used_mapping *mapping)
{
    struct leat_slice line, function;
    uint32_t lines = 0;
    bool functions = true, filenames = true, numbers = true;
    for (; otlp_message_next(&location, 3, &line) && !build->bad; lines++) {
        uint64_t index = pprof__number(line, 1);
        (void)put_function(build, index);
        functions &= index != 0;
        numbers &= pprof__number(line, 2) != 0;
        filenames &= pprof__dictionary_get(build->dictionary, FUNCTIONS, index, &function) && pprof__number(function, 3);
    }
    if (mapping)
        survey(mapping, lines, functions, filenames, numbers);
}

static uint32_t put_location(struct build *build, uint64_t index)
{
    struct leat_slice message, line;
    uint32_t id, mapping;
    if (!entry(build, LOCATIONS, index, &message))
        return 0;
    if (is_known(build, LOCATIONS, index, &id))
        return id;
    put_line_functions(build, message, use_mapping(build, pprof__number(message, 1), &mapping));
    if (build->bad)
        return 0;
    struct pb_buf *out = &build->tables;
    struct leat_slice rest = message;
    size_t opened = pb_buf_open(out, PB_TAG(PPROF_LOCATION, PB_LEN));
    put_number(out, 1, ++build->location_count);
    put_number(out, 2, mapping);
    put_number(out, 3, pprof__number(message, 2));
    while (otlp_message_next(&rest, 3, &line)) {
        size_t opened_line = pb_buf_open(out, PB_TAG(4, PB_LEN));
        put_number(out, 1, put_function(build, pprof__number(line, 1)));
        put_number(out, 2, pprof__number(line, 2));
        put_number(out, 3, pprof__number(line, 3));
        pb_buf_close(out, opened_line);
    }
    pb_buf_close(out, opened);
    return learn(build, LOCATIONS, index, build->location_count);
}

static struct leat_slice build_id(const struct dictionary *d, struct leat_slice mapping)
{
    struct pprof_ids ids = {.message = pb_flat_of(mapping.at, mapping.len), .number = 5};
    struct leat_slice key;
    struct otlp_value value;
    uint64_t index;
    while (pprof_id_next(&ids, &index))
        if (pprof__attribute(d, index, &key, &value) && leat_slice_is(key, "process.executable.build_id.gnu") &&
            value.kind == OTLP_TEXT)
            return value.text;
    return (struct leat_slice){0};
}

static void put_mapping(struct build *build, uint32_t id)
{
    const struct used_mapping *used = &build->mappings[id - 1];
    struct leat_slice message, text;
    (void)entry(build, MAPPINGS, used->index, &message);
    text = build_id(build->dictionary, message);
    uint32_t filename = pprof__put_string(build, pprof__number(message, 4));
    uint32_t build_number = text.len ? pprof__put_text(build, text) : 0;
    struct pb_buf *out = &build->tables;
    size_t opened = pb_buf_open(out, PB_TAG(PPROF_MAPPING, PB_LEN));
    put_number(out, 1, id);
    put_number(out, 2, pprof__number(message, 1));
    put_number(out, 3, pprof__number(message, 2));
    put_number(out, 4, pprof__number(message, 3));
    put_number(out, 5, filename);
    put_number(out, 6, build_number);
    put_number(out, 7, used->functions);
    put_number(out, 8, used->filenames);
    put_number(out, 9, used->lines);
    put_number(out, 10, used->inline_frames);
    pb_buf_close(out, opened);
}

/* ---- samples ---- */

static void put_label(struct build *build, uint32_t key, uint32_t text)
{
    size_t opened = pb_buf_open(&build->samples, PB_TAG(3, PB_LEN));
    put_number(&build->samples, 1, key);
    put_number(&build->samples, 2, text);
    pb_buf_close(&build->samples, opened);
}

static void put_attribute(struct build *build, uint64_t index)
{
    char room[PPROF__TEXT_ROOM];
    struct leat_slice message, key, text;
    struct otlp_value value;
    uint32_t id;
    if (!entry(build, ATTRIBUTES, index, &message))
        return;
    if (!pprof__attribute(build->dictionary, index, &key, &value)) {
        build->bad = "an attribute leads out of the dictionary";
        return;
    }
    if (leat_slice_is(key, "service.name") || !pprof__text(build->dictionary, &value, room, &text))
        return;
    uint32_t name = pprof__put_string(build, pprof__number(message, 1));
    if (!is_known(build, ATTRIBUTES, index, &id))
        id = learn(build, ATTRIBUTES, index, pprof__put_text(build, text));
    put_label(build, name, id);
}

static uint32_t put_hex(struct build *build, struct leat_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char text[64];
    uint32_t n = 0;
    for (uint32_t i = 0; i < bytes.len && n < sizeof text; i++) {
        text[n++] = digits[bytes.at[i] >> 4];
        text[n++] = digits[bytes.at[i] & 15];
    }
    return pprof__put_text(build, leat_slice_of(text, n));
}

/* Four strings, one behind the other: span_id, its text, trace_id, its text. */
static void put_link(struct build *build, uint64_t index)
{
    struct leat_slice message;
    uint32_t id;
    if (index == 0 || !entry(build, LINKS, index, &message))
        return;
    struct leat_slice trace = pprof__bytes(message, 1), span = pprof__bytes(message, 2);
    if (!is_known(build, LINKS, index, &id)) {
        id = learn(build, LINKS, index, pprof__put_text(build, LEAT_SLICE("span_id")));
        (void)put_hex(build, span);
        (void)pprof__put_text(build, LEAT_SLICE("trace_id"));
        (void)put_hex(build, trace);
    }
    if (span.len)
        put_label(build, id, id + 1);
    if (trace.len)
        put_label(build, id + 2, id + 3);
}

void pprof__put_sample(struct build *build, struct leat_slice sample, int64_t value)
{
    struct pb_buf *out = &build->samples;
    struct leat_slice stack;
    uint64_t index;
    if (!entry(build, STACKS, pprof__number(sample, 1), &stack))
        return;
    size_t opened = pb_buf_open(out, PB_TAG(PPROF_SAMPLE, PB_LEN));
    struct pprof_ids locations = {.message = pb_flat_of(stack.at, stack.len), .number = 1};
    size_t packed = pb_buf_open(out, PB_TAG(1, PB_LEN));
    while (!build->bad && pprof_id_next(&locations, &index)) {
        uint32_t id = put_location(build, index);
        if (pb_buf_room(out, 10))
            out->len = (size_t)(pb_put_varint(out->at + out->len, id) - out->at);
    }
    pb_buf_close(out, packed);
    packed = pb_buf_open(out, PB_TAG(2, PB_LEN));
    if (pb_buf_room(out, 10))
        out->len = (size_t)(pb_put_varint(out->at + out->len, (uint64_t)value) - out->at);
    pb_buf_close(out, packed);
    struct pprof_ids attributes = {.message = pb_flat_of(sample.at, sample.len), .number = 2};
    while (!build->bad && pprof_id_next(&attributes, &index))
        put_attribute(build, index);
    put_link(build, pprof__number(sample, 3));
    pb_buf_close(out, opened);
    if (out->len > PPROF_MADE_BYTES_MAX)
        build->bad = "its samples are over 32 MiB as pprof";
}

/* ---- the end ---- */

static void put_type(struct build *build, uint32_t number, struct leat_slice type, struct leat_slice unit)
{
    uint32_t type_id = pprof__put_text(build, type), unit_id = pprof__put_text(build, unit);
    size_t opened = pb_buf_open(&build->tables, PB_TAG(number, PB_LEN));
    put_number(&build->tables, 1, type_id);
    put_number(&build->tables, 2, unit_id);
    pb_buf_close(&build->tables, opened);
}

struct leat_slice pprof__build_end(struct build *build, const struct build_head *head)
{
    struct pb_buf *out = &build->tables, *all = &build->all;
    for (uint32_t id = 1; id <= build->mapping_count; id++)
        put_mapping(build, id);
    put_number(out, PPROF_DEFAULT_SAMPLE_TYPE, build->string_count);
    put_type(build, PPROF_SAMPLE_TYPE, head->type, head->unit);
    if (head->has_period_type)
        put_type(build, PPROF_PERIOD_TYPE, head->period_type, head->period_unit);
    put_number(out, PPROF_TIME_NANOS, head->time_ns);
    put_number(out, PPROF_DURATION_NANOS, head->duration_ns);
    put_number(out, PPROF_PERIOD, (uint64_t)head->period);
    pb_buf_raw(all, build->tables.at, build->tables.len);
    pb_buf_raw(all, build->samples.at, build->samples.len);
    pb_buf_raw(all, build->strings.at, build->strings.len);
    build->failed |= build->tables.failed || build->samples.failed || build->strings.failed || all->failed;
    return leat_slice_of(all->at, (uint32_t)all->len);
}
