/* SPDX-License-Identifier: Apache-2.0 */
/* Native histograms: spans and differences become buckets with an index, without the empty ones, and spans again. */
#include <math.h>

#include "agent/base/alloc.h"
#include "proto/prom_proto/prom_proto.h"
#include "proto/protobuf/pb_write.h"

#define SCHEMA_MIN (-4)
#define SCHEMA_MAX 8
#define SCHEMA_READ_MAX 52
#define RESET_HINT_GAUGE 3
#define SIDES 2

struct side { /* field numbers */
    uint32_t span, delta, count;
};
static const struct side sides[SIDES] = {{.span = 9, .delta = 10, .count = 11}, {.span = 12, .delta = 13, .count = 14}};

/* ---- packed or not, one number after the other ---- */
struct numbers {
    struct pb_flat outer;
    const uint8_t *at, *end; /* inside a packed field */
    uint32_t number;
    bool doubles;
};

/* 1: *ret_value; 0: no more; -1: malformed */
static int next_number(struct numbers *n, uint64_t *ret_value)
{
    struct pb_field field;
    int more;
    while (n->at == n->end) {
        if ((more = pb_next(&n->outer, &field)) <= 0)
            return more;
        if (field.number != n->number)
            continue;
        if (field.wire == (n->doubles ? PB_FIXED64 : PB_VARINT)) {
            *ret_value = field.value;
            return 1;
        }
        if (field.wire != PB_LEN || (n->doubles && field.len % 8))
            return -1;
        n->at = field.at;
        n->end = field.at + field.len;
    }
    if (n->doubles) {
        *ret_value = pb_load64(n->at);
        n->at += 8;
        return 1;
    }
    n->at = pb_varint(n->at, n->end, ret_value);
    return n->at ? 1 : -1;
}

static struct numbers numbers_of(struct leat_slice message, uint32_t number, bool doubles)
{
    return (struct numbers){.outer = pb_flat_of(message.at, message.len), .number = number, .doubles = doubles};
}

static bool read_span(const struct pb_field *span, int32_t *ret_offset, uint32_t *ret_len)
{
    struct pb_flat reader = pb_sub(span);
    struct pb_field field;
    int more;
    *ret_offset = 0;
    *ret_len = 0;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_VARINT)
            *ret_offset = (int32_t)pb_zigzag(field.value);
        if (field.number == 2 && field.wire == PB_VARINT)
            *ret_len = (uint32_t)field.value;
    }
    return more == 0;
}

static leat_rc push(struct prom_native *native, uint32_t used, struct prom_native_bucket bucket)
{
    if (used == PROM_NATIVE_BUCKETS_MAX)
        return LEAT_ELIMIT;
    if (used == native->room) {
        uint32_t room = native->room ? 2 * native->room : 64;
        struct prom_native_bucket *at = leat_realloc(native->at, room * sizeof *at);
        if (!at)
            return LEAT_ENOMEM;
        native->at = at;
        native->room = room;
    }
    native->at[used] = bucket;
    return LEAT_OK;
}

/* One span's buckets. *used grows by those that are not empty. */
static leat_rc read_buckets(struct prom_native *native, struct numbers *values, int64_t first, uint32_t len, int64_t *count,
                            uint32_t *used)
{
    for (uint32_t i = 0; i < len; i++) {
        struct prom_native_bucket bucket = {.index = (int32_t)(first + i)};
        uint64_t raw;
        if (next_number(values, &raw) != 1 || first + i > INT32_MAX || first + i < INT32_MIN)
            return LEAT_EPARSE;
        if (native->is_float)
            bucket.value = pb_double(raw);
        else if (__builtin_add_overflow(*count, pb_zigzag(raw), count) || *count < 0)
            return LEAT_EPARSE;
        else
            bucket.count = *count;
        if (native->is_float && !(bucket.value >= 0))
            return LEAT_EPARSE;
        bool empty = native->is_float ? bucket.value == 0 : bucket.count == 0;
        leat_rc rc = empty ? LEAT_OK : push(native, *used, bucket);
        if (rc != LEAT_OK)
            return rc;
        *used += !empty;
    }
    return LEAT_OK;
}

static leat_rc read_side(struct prom_native *native, struct leat_slice message, const struct side *side, uint32_t *used)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct numbers values = numbers_of(message, native->is_float ? side->count : side->delta, native->is_float);
    struct pb_field field;
    int64_t index = 0, count = 0;
    uint32_t spans = 0;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_next(&reader, &field) > 0) {
        int32_t offset;
        uint32_t len;
        if (field.number != side->span || field.wire != PB_LEN)
            continue;
        if (!read_span(&field, &offset, &len) || (spans++ && offset < 0))
            return LEAT_EPARSE;
        index += offset;
        rc = read_buckets(native, &values, index, len, &count, used);
        index += len;
    }
    uint64_t over;
    return rc == LEAT_OK && next_number(&values, &over) != 0 ? LEAT_EPARSE : rc;
}

static bool read_scalars(struct leat_slice message, struct prom_native *native)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        bool fixed = field.wire == PB_FIXED64, varint = field.wire == PB_VARINT;
        if (field.number == 1 && varint)
            native->count = field.value;
        else if (field.number == 2 && fixed)
            native->sum = pb_double(field.value);
        else if (field.number == 4 && fixed)
            native->count_float = pb_double(field.value);
        else if (field.number == 5 && varint)
            native->schema = (int32_t)pb_zigzag(field.value);
        else if (field.number == 6 && fixed)
            native->zero_threshold = pb_double(field.value);
        else if (field.number == 7 && varint)
            native->zero_count = field.value;
        else if (field.number == 8 && fixed)
            native->zero_count_float = pb_double(field.value);
    }
    native->is_float = native->count_float > 0 || native->zero_count_float > 0;
    return more == 0;
}

/* Whole counts must add up, as Prometheus demands. */
static bool adds_up(const struct prom_native *native)
{
    if (native->is_float)
        return native->count_float >= 0 && native->zero_count_float >= 0;
    uint64_t total = native->zero_count;
    for (uint32_t i = 0; i < native->negative + native->positive; i++)
        if (__builtin_add_overflow(total, (uint64_t)native->at[i].count, &total))
            return false;
    return isnan(native->sum) ? total <= native->count : total == native->count;
}

leat_rc prom_native_read(struct leat_slice message, bool gauge, struct prom_native *native, struct leat_err *reterr)
{
    struct prom_native_bucket *at = native->at;
    uint32_t room = native->room, used = 0;
    *native = (struct prom_native){.gauge = gauge, .at = at, .room = room};
    if (!read_scalars(message, native))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "malformed native histogram");
    if (native->schema < SCHEMA_MIN || native->schema > SCHEMA_READ_MAX)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "native histogram with schema %d", native->schema);
    leat_rc rc = read_side(native, message, &sides[0], &used);
    native->negative = used;
    rc = rc == LEAT_OK ? read_side(native, message, &sides[1], &used) : rc;
    native->positive = used - native->negative;
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "native histogram: spans and buckets do not fit together, or too many");
    if (!adds_up(native))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "native histogram: the count is not that of its buckets");
    prom_native_reduce(native, SCHEMA_MAX);
    return LEAT_OK;
}

/* ---- coarser ---- */

static uint32_t join(struct prom_native *native, uint32_t from, uint32_t count, uint32_t to, uint32_t shift)
{
    uint32_t first = to;
    for (uint32_t i = from; i < from + count; i++) {
        struct prom_native_bucket bucket = native->at[i];
        bucket.index = (int32_t)((((int64_t)bucket.index - 1) >> shift) + 1);
        if (to == first || native->at[to - 1].index != bucket.index)
            native->at[to++] = bucket;
        else if (native->is_float)
            native->at[to - 1].value += bucket.value;
        else
            native->at[to - 1].count += bucket.count;
    }
    return to - first;
}

void prom_native_reduce(struct prom_native *native, int32_t schema_max)
{
    if (native->schema <= schema_max)
        return;
    uint32_t shift = (uint32_t)(native->schema - schema_max), negative = native->negative;
    native->negative = join(native, 0, negative, 0, shift);
    native->positive = join(native, negative, native->positive, native->negative, shift);
    native->schema = schema_max;
}

bool prom_native_fit(struct prom_native *native, uint64_t buckets_max)
{
    while ((uint64_t)native->negative + native->positive > buckets_max) {
        if (native->schema <= SCHEMA_MIN)
            return false;
        prom_native_reduce(native, native->schema - 1);
    }
    return true;
}

/* ---- written ---- */

static uint64_t zigzag(int64_t value) { return (uint64_t)value << 1 ^ (uint64_t)(value >> 63); }

static void put_spans(const struct prom_native_bucket *at, uint32_t count, uint32_t number, struct pb_buf *out)
{
    int64_t next = 0;
    for (uint32_t i = 0, len; i < count; i += len) {
        for (len = 1; i + len < count && at[i + len].index == at[i].index + (int32_t)len;)
            len++;
        size_t span = pb_buf_open(out, PB_TAG(number, PB_LEN));
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), zigzag(at[i].index - next));
        pb_buf_varint(out, PB_TAG(2, PB_VARINT), len);
        pb_buf_close(out, span);
        next = (int64_t)at[i].index + len;
    }
}

static void put_counts(const struct prom_native *native, uint32_t from, uint32_t count, uint32_t deltas, uint32_t counts,
                       struct pb_buf *out)
{
    if (count == 0)
        return;
    size_t packed = pb_buf_open(out, PB_TAG(native->is_float ? counts : deltas, PB_LEN));
    int64_t before = 0;
    for (uint32_t i = from; i < from + count; i++) {
        uint8_t number[10], *end;
        uint64_t bits;
        memcpy(&bits, &native->at[i].value, sizeof bits);
        end = native->is_float ? pb_put_fixed64(number, bits) : pb_put_varint(number, zigzag(native->at[i].count - before));
        before = native->at[i].count;
        pb_buf_raw(out, number, (size_t)(end - number));
    }
    pb_buf_close(out, packed);
}

static void put_double(uint32_t number, double value, struct pb_buf *out)
{
    uint64_t bits = LEAT_PROM_NAN_BITS;
    if (!isnan(value))
        memcpy(&bits, &value, sizeof bits);
    pb_buf_fixed64(out, PB_TAG(number, PB_FIXED64), bits);
}

void prom_native_put(const struct prom_native *native, struct pb_buf *out)
{
    if (native->is_float)
        put_double(2, native->count_float, out);
    else
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), native->count);
    put_double(3, native->sum, out);
    pb_buf_varint(out, PB_TAG(4, PB_VARINT), zigzag(native->schema));
    put_double(5, native->zero_threshold, out);
    if (native->is_float)
        put_double(7, native->zero_count_float, out);
    else
        pb_buf_varint(out, PB_TAG(6, PB_VARINT), native->zero_count);
    put_spans(native->at, native->negative, 8, out);
    put_counts(native, 0, native->negative, 9, 10, out);
    put_spans(native->at + native->negative, native->positive, 11, out);
    put_counts(native, native->negative, native->positive, 12, 13, out);
    if (native->gauge)
        pb_buf_varint(out, PB_TAG(14, PB_VARINT), RESET_HINT_GAUGE);
}

void prom_native_done(struct prom_native *native)
{
    leat_free(native->at);
    *native = (struct prom_native){0};
}
