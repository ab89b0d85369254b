/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw2_put.h"

#include "agent/base/alloc.h"
#include "proto/remote_write/rw1_put.h"
#include "proto/remote_write/rw_snappy.h"

#define ENTRY_BYTES 128u /* of an entry beside its label numbers, exemplars and histogram */

void rw2_init(struct rw2 *rw, const struct rw_outgoing *outgoing, uint32_t slots_max)
{
    rw->outgoing = outgoing;
    rw_slots_init(&rw->slots, slots_max, sizeof(struct rw2_known *));
}

static void slot_clear(void *slot)
{
    struct rw2_known **known = slot;
    leat_free(*known);
    *known = NULL;
}

static void forget(struct rw2 *rw)
{
    rw_slots_done(&rw->slots, slot_clear);
    rw->used = 0;
}

void rw2_done(struct rw2 *rw)
{
    forget(rw);
    rw2_symbols_done(&rw->symbols);
    leat_free(rw->order);
    rw->order = NULL;
    rw->order_room = 0;
    pb_buf_done(&rw->series);
    pb_buf_done(&rw->plain);
    pb_buf_done(&rw->labels);
    pb_buf_done(&rw->numbers);
}

void rw2_open(struct rw2 *rw)
{
    if (rw->symbols.text.len > (uint64_t)rw->slots.slots_max * RW2_TEXT_BYTES || rw->body == UINT32_MAX) {
        forget(rw);
        rw2_symbols_clear(&rw->symbols);
        rw->body = 0;
    }
    rw->body++;
    rw->order_count = 0;
    rw->order_bytes = 0;
    rw->series.len = rw->plain.len = 0;
    rw->series.failed = rw->plain.failed = rw->labels.failed = rw->numbers.failed = rw->symbols.text.failed = rw->failed = false;
    rw->samples = 0;
}

/* ---- a series' numbers ---- */

static void add_number(struct pb_buf *numbers, uint32_t number)
{
    if (pb_buf_room(numbers, 5))
        numbers->len = (size_t)(pb_put_varint(numbers->at + numbers->len, number) - numbers->at);
}

static void add_symbol(struct rw2 *rw, struct leat_slice text)
{
    uint32_t symbol = rw2_symbol(&rw->symbols, text);
    rw->numbers.failed |= symbol == UINT32_MAX;
    add_number(&rw->numbers, symbol);
}

/* The numbers of a series, behind each other in rw->numbers; false: out of memory. */
static bool numbers_of(struct rw2 *rw, const struct leat_prom_series *series)
{
    const struct leat_prom_family *family = series->family;
    struct rw_label label;
    uint32_t count;
    struct leat_slice labels = rw_labels_of(rw->outgoing, series, &rw->labels, &count);
    if (rw->labels.failed)
        return false;
    rw->looked_up++;
    rw->numbers.len = 0;
    rw->numbers.failed = false;
    add_number(&rw->numbers, family ? family->type : 0);
    add_symbol(rw, family ? family->help : (struct leat_slice){0});
    add_symbol(rw, family ? family->unit : (struct leat_slice){0});
    while (rw_label_next(&labels, &label)) {
        add_symbol(rw, label.name);
        add_symbol(rw, label.value);
    }
    return !rw->numbers.failed;
}

static const struct rw2_known *known_make(struct rw2 *rw, const struct leat_prom_series *series)
{
    struct rw2_known **slot = numbers_of(rw, series) ? rw_slots_make(&rw->slots, series->id) : NULL;
    struct rw2_known *known = slot ? leat_alloc(sizeof *known + rw->numbers.len) : NULL;
    if (!known)
        return NULL;
    known->id = series->id;
    known->bytes = (uint32_t)rw->numbers.len;
    memcpy(known->numbers, rw->numbers.at, rw->numbers.len);
    rw->used += *slot == NULL;
    leat_free(*slot);
    return *slot = known;
}

static inline const struct rw2_known *known_of(struct rw2 *rw, const struct leat_prom_series *series)
{
    struct rw2_known **slot = rw_slots_find(&rw->slots, series->id);
    return slot && *slot && (*slot)->id == series->id ? *slot : known_make(rw, series);
}

/* A varint; that more bytes follow shows as a 1 where the next seven bits belong. */
static inline uint32_t next_number(const uint8_t **at)
{
    uint64_t number = *(*at)++;
    for (uint32_t shift = 7; number >> shift; shift += 7)
        number += ((uint64_t)*(*at)++ - 1) << shift;
    return (uint32_t)number;
}

/* ---- the open body's own numbers ---- */

static uint32_t number_new(struct rw2 *rw, struct rw2_symbol *symbol)
{
    if (symbol->len == 0)
        return 0;
    if (rw->order_count == rw->order_room) {
        uint32_t room = rw->order_room ? rw->order_room * 2 : 512;
        uint32_t *order = leat_realloc(rw->order, room * sizeof *order);
        if (!order) {
            rw->failed = true;
            return 0;
        }
        rw->order = order;
        rw->order_room = room;
    }
    rw->order[rw->order_count++] = (uint32_t)(symbol - rw->symbols.at);
    rw->order_bytes += symbol->len + 1 + pb_varint_size(symbol->len);
    symbol->body = rw->body;
    return symbol->number = rw->order_count;
}

static inline uint32_t number_of(struct rw2 *rw, uint32_t index)
{
    struct rw2_symbol *symbol = &rw->symbols.at[index];
    return symbol->body == rw->body ? symbol->number : number_new(rw, symbol);
}

static inline uint8_t *put_number(uint8_t *at, uint32_t number)
{
    if (number < 0x80) {
        *at = (uint8_t)number;
        return at + 1;
    }
    return pb_put_varint(at, number);
}

/* The length of what lies in [from, to), behind whose place of one byte it stands; a longer one moves it. */
static inline uint8_t *put_len(uint8_t *from, uint8_t *to)
{
    uint32_t len = (uint32_t)(to - from), size = pb_varint_size(len);
    if (size > 1)
        memmove(from + size - 1, from, len);
    (void)pb_put_varint(from - 1, len);
    return to + size - 1;
}

/* ---- entries ---- */

static uint8_t *put_sample(uint8_t *at, const struct leat_prom_sample *sample, int64_t start_ms)
{
    uint64_t bits;
    double value = rw_clean(sample->value);
    memcpy(&bits, &value, sizeof bits);
    *at++ = PB_TAG(2, PB_LEN);
    uint8_t *from = ++at;
    *at++ = PB_TAG(1, PB_FIXED64);
    at = pb_put_fixed64(at, bits);
    *at++ = PB_TAG(2, PB_VARINT);
    at = pb_put_varint(at, (uint64_t)sample->time_ms);
    if (start_ms) {
        *at++ = PB_TAG(3, PB_VARINT);
        at = pb_put_varint(at, (uint64_t)start_ms);
    }
    from[-1] = (uint8_t)(at - from);
    return at;
}

static uint8_t *put_histogram(uint8_t *at, const struct leat_prom_sample *sample, int64_t start_ms)
{
    const struct leat_prom_extra *extra = sample->extra;
    *at++ = PB_TAG(3, PB_LEN);
    uint8_t *from = ++at;
    memcpy(at, extra->histogram, extra->histogram_bytes);
    at += extra->histogram_bytes;
    *at++ = PB_TAG(15, PB_VARINT);
    at = pb_put_varint(at, (uint64_t)sample->time_ms);
    if (start_ms) {
        at = pb_put_varint(at, PB_TAG(17, PB_VARINT));
        at = pb_put_varint(at, (uint64_t)start_ms);
    }
    return put_len(from, at);
}

static void put_exemplar(struct rw2 *rw, const struct leat_prom_exemplar *exemplar, int64_t time_ms)
{
    struct pb_buf *buf = &rw->series;
    struct leat_slice labels = leat_slice_of(exemplar->labels, exemplar->label_bytes);
    struct rw_label label;
    uint64_t bits;
    double value = rw_clean(exemplar->value);
    memcpy(&bits, &value, sizeof bits);
    size_t opened = pb_buf_open(buf, PB_TAG(4, PB_LEN)), numbers = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    while (rw_label_next(&labels, &label)) {
        uint32_t pair[2] = {rw2_symbol(&rw->symbols, label.name), rw2_symbol(&rw->symbols, label.value)};
        for (int i = 0; i < 2; i++) {
            uint8_t bytes[10];
            rw->failed |= pair[i] == UINT32_MAX;
            if (!rw->failed)
                pb_buf_raw(buf, bytes, (size_t)(put_number(bytes, number_of(rw, pair[i])) - bytes));
        }
    }
    pb_buf_close(buf, numbers);
    pb_buf_fixed64(buf, PB_TAG(2, PB_FIXED64), bits);
    pb_buf_varint(buf, PB_TAG(3, PB_VARINT), (uint64_t)(exemplar->has_time ? exemplar->time_ms : time_ms));
    pb_buf_close(buf, opened);
}

static uint8_t *put_metadata(struct rw2 *rw, uint8_t *at, uint32_t type, uint32_t help_symbol, uint32_t unit_symbol)
{
    uint32_t help = number_of(rw, help_symbol), unit = number_of(rw, unit_symbol);
    if (!type && !help && !unit)
        return at;
    *at++ = PB_TAG(5, PB_LEN);
    uint8_t *from = ++at;
    if (type) {
        *at++ = PB_TAG(1, PB_VARINT);
        *at++ = (uint8_t)type;
    }
    if (help) {
        *at++ = PB_TAG(3, PB_VARINT);
        at = put_number(at, help);
    }
    if (unit) {
        *at++ = PB_TAG(4, PB_VARINT);
        at = put_number(at, unit);
    }
    from[-1] = (uint8_t)(at - from);
    return at;
}

static uint8_t *put_labels(struct rw2 *rw, uint8_t *at, const uint8_t *next, const uint8_t *end)
{
    *at++ = PB_TAG(1, PB_LEN);
    uint8_t *from = ++at;
    while (next < end)
        at = put_number(at, number_of(rw, next_number(&next)));
    return put_len(from, at);
}

bool rw2_put(struct rw2 *rw, const struct leat_prom_sample *sample)
{
    const struct leat_prom_extra *extra = sample->extra;
    const struct rw2_known *known = known_of(rw, sample->series);
    uint32_t histogram = extra ? extra->histogram_bytes : 0;
    if (!known || !pb_buf_room(&rw->series, ENTRY_BYTES + 5ull * known->bytes + histogram))
        return false;
    int64_t start_ms = extra && extra->start_ms > 0 && extra->start_ms <= sample->time_ms ? extra->start_ms : 0;
    const uint8_t *next = known->numbers;
    uint32_t type = next_number(&next), help = next_number(&next), unit = next_number(&next);
    uint8_t *at = rw->series.at + rw->series.len;
    *at++ = PB_TAG(5, PB_LEN);
    uint8_t *from = ++at;
    at = put_labels(rw, at, next, known->numbers + known->bytes);
    at = histogram ? put_histogram(at, sample, start_ms) : put_sample(at, sample, start_ms);
    at = put_metadata(rw, at, type, help, unit);
    rw->samples++;
    if (!extra || !extra->exemplar_count) {
        rw->series.len = (size_t)(put_len(from, at) - rw->series.at);
        return !rw->failed;
    }
    size_t opened = (size_t)(from - rw->series.at);
    rw->series.len = (size_t)(at - rw->series.at);
    for (uint32_t i = 0; i < extra->exemplar_count; i++)
        put_exemplar(rw, &extra->exemplars[i], sample->time_ms);
    if (rw->failed || !pb_buf_room(&rw->series, 8))
        return false;
    rw->series.len = (size_t)(put_len(rw->series.at + opened, rw->series.at + rw->series.len) - rw->series.at);
    return true;
}

bool rw2_plain(struct rw2 *rw)
{
    static const uint8_t empty[] = {PB_TAG(4, PB_LEN), 0};
    rw->plain.len = 0;
    pb_buf_raw(&rw->plain, empty, sizeof empty);
    if (!pb_buf_room(&rw->plain, rw->order_bytes + rw->series.len))
        return false;
    uint8_t *at = rw->plain.at + rw->plain.len;
    for (uint32_t i = 0; i < rw->order_count; i++) {
        const struct rw2_symbol *symbol = &rw->symbols.at[rw->order[i]];
        at = pb_put_bytes(at, PB_TAG(4, PB_LEN), rw->symbols.text.at + symbol->at, symbol->len);
    }
    if (rw->series.len)
        memcpy(at, rw->series.at, rw->series.len);
    rw->plain.len = (size_t)(at - rw->plain.at) + rw->series.len;
    return !rw->failed && !rw->series.failed;
}

bool rw2_close(struct rw2 *rw, struct leat_chain *out)
{
    return rw2_plain(rw) && rw_snappy(&rw->snappy, &rw->plain, out);
}
