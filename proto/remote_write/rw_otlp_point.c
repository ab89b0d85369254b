/* SPDX-License-Identifier: Apache-2.0 */
/* A data point's fields, and what a number of them has in addition: exemplars, buckets of a native histogram. */
#include <math.h>

#include "proto/otlp/otlp_text.h"
#include "proto/remote_write/rw1_put.h"
#include "proto/remote_write/rw_otlp.h"
#include "proto/utf8/utf8.h"

#define SCALE_MIN (-4)
#define SCALE_MAX 8
#define GAP_MAX 2 /* empty buckets written out rather than a new span */
#define ZERO_THRESHOLD 1e-128 /* where none is given */

/* The numbers of the fields that kinds of points have at different places. */
struct layout {
    uint32_t attributes, flags, exemplars;
};
static struct layout layout_of(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_HISTOGRAM:
        return (struct layout){9, 10, 8};
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return (struct layout){1, 10, 11};
    case OTLP_SUMMARY:
        return (struct layout){7, 8, 0};
    default:
        return (struct layout){7, 8, 5};
    }
}

static void number_field(const struct pb_field *field, struct rw_point *point)
{
    if (field->number == 4 || field->number == 6) {
        point->has_value = true;
        point->value = field->number == 4 ? pb_double(field->value) : (double)(int64_t)field->value;
    }
}

static void counted_field(enum otlp_metric_kind kind, const struct pb_field *field, struct rw_point *point)
{
    if (field->number == 4 && field->wire == PB_FIXED64)
        point->count = field->value;
    if (field->number == 5 && field->wire == PB_FIXED64) {
        point->value = pb_double(field->value);
        point->has_value = true;
    }
    if (kind != OTLP_EXPONENTIAL_HISTOGRAM)
        return;
    if (field->number == 6)
        point->scale = (int32_t)pb_zigzag(field->value);
    if (field->number == 7)
        point->zero_count = field->value;
    if (field->number == 8 || field->number == 9)
        *(field->number == 8 ? &point->positive : &point->negative) = leat_slice_of(field->at, field->len);
    if (field->number == 14)
        point->zero_threshold = pb_double(field->value);
}

bool rw_point_of(enum otlp_metric_kind kind, struct leat_slice message, struct rw_point *ret_point)
{
    struct layout layout = layout_of(kind);
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    bool number = kind == OTLP_GAUGE || kind == OTLP_SUM;
    int more;
    *ret_point = (struct rw_point){.message = message, .attributes_number = layout.attributes, .exemplars_number = layout.exemplars};
    while ((more = pb_next(&reader, &field)) == 1) {
        if (field.number == layout.attributes) {
            if (!ret_point->attributes.at)
                ret_point->attributes.at = field.tag;
            ret_point->attributes.len = (uint32_t)(reader.at - ret_point->attributes.at);
        } else if (field.number == 2 && field.wire == PB_FIXED64)
            ret_point->start_ns = field.value;
        else if (field.number == 3 && field.wire == PB_FIXED64)
            ret_point->time_ns = field.value;
        else if (field.number == layout.flags)
            ret_point->flags = (uint32_t)field.value;
        else if (layout.exemplars && field.number == layout.exemplars)
            ret_point->exemplar_count++;
        else if (number)
            number_field(&field, ret_point);
        else
            counted_field(kind, &field, ret_point);
    }
    return more == 0;
}

/* ---- exemplars ---- */

struct exemplar {
    double value;
    uint64_t time_ns;
    struct leat_slice trace_id, span_id, message;
};

static struct exemplar exemplar_of(struct leat_slice message)
{
    struct exemplar exemplar = {.message = message};
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    while (pb_next(&reader, &field) == 1) {
        if (field.number == 2 && field.wire == PB_FIXED64)
            exemplar.time_ns = field.value;
        if (field.number == 3 && field.wire == PB_FIXED64)
            exemplar.value = pb_double(field.value);
        if (field.number == 6 && field.wire == PB_FIXED64)
            exemplar.value = (double)(int64_t)field.value;
        if ((field.number == 4 || field.number == 5) && field.wire == PB_LEN)
            *(field.number == 4 ? &exemplar.span_id : &exemplar.trace_id) = leat_slice_of(field.at, field.len);
    }
    return exemplar;
}

struct exemplar_labels {
    struct rw_label at[32];
    uint32_t count;
    size_t characters;
};

/* In its place by name; the first of a name stays. */
static void labels_add(struct exemplar_labels *labels, struct leat_slice name, struct leat_slice value)
{
    uint32_t i = labels->count;
    labels->characters += utf8_count(name.at, name.len) + utf8_count(value.at, value.len);
    if (name.len == 0 || value.len == 0 || i == sizeof labels->at / sizeof *labels->at)
        return;
    for (; i && rw_name_compare(labels->at[i - 1].name, name) >= 0; i--)
        if (leat_slice_eq(labels->at[i - 1].name, name))
            return;
    memmove(&labels->at[i + 1], &labels->at[i], (labels->count - i) * sizeof *labels->at);
    labels->at[i] = (struct rw_label){name, value};
    labels->count++;
}

static void labels_add_id(struct rw_otlp *otlp, struct exemplar_labels *labels, const char *name, struct leat_slice id)
{
    static const char digits[] = "0123456789abcdef";
    char *text = id.len && id.len <= 16 ? leat_arena_get(&otlp->extras, 2 * (size_t)id.len) : NULL;
    uint8_t any = 0;
    for (uint32_t i = 0; text && i < id.len; i++) {
        any |= id.at[i];
        text[2 * i] = digits[id.at[i] >> 4];
        text[2 * i + 1] = digits[id.at[i] & 15];
    }
    if (any)
        labels_add(labels, leat_slice_str(name), leat_slice_of(text, 2 * id.len));
}

static bool put_exemplar(struct rw_otlp *otlp, const struct exemplar *from, struct leat_prom_exemplar *to)
{
    struct exemplar_labels labels = {.count = 0};
    struct leat_slice rest = from->message;
    struct otlp_attribute attribute;
    labels_add_id(otlp, &labels, "trace_id", from->trace_id);
    labels_add_id(otlp, &labels, "span_id", from->span_id);
    struct exemplar_labels ids = labels;
    while (otlp_attribute_next(&rest, 7, &attribute)) {
        struct leat_slice value = otlp_text_of(&attribute.value, &otlp->text);
        char *text = value.len ? leat_arena_str(&otlp->extras, (const char *)value.at, value.len) : NULL;
        if ((value.len && !text) || otlp->text.failed)
            return false;
        labels_add(&labels, attribute.key, leat_slice_of(text, value.len));
    }
    if (labels.characters > LEAT_PROM_EXEMPLAR_CHARS_MAX)
        labels = ids;
    otlp->encoded.len = 0;
    for (uint32_t i = 0; i < labels.count; i++)
        rw_label_put(&otlp->encoded, labels.at[i].name, labels.at[i].value);
    uint8_t *bytes = leat_arena_get(&otlp->extras, otlp->encoded.len + 1);
    if (!bytes || otlp->encoded.failed || otlp->extras.failed)
        return false;
    if (otlp->encoded.len)
        memcpy(bytes, otlp->encoded.at, otlp->encoded.len);
    *to = (struct leat_prom_exemplar){.value = from->value, .time_ms = (int64_t)(from->time_ns / 1000000),
                                      .has_time = from->time_ns != 0, .label_bytes = (uint32_t)otlp->encoded.len, .labels = bytes};
    return true;
}

bool rw_otlp__exemplars(struct rw_otlp *otlp, const struct rw_point *point, struct leat_prom_extra *extra)
{
    struct leat_slice rest = point->message, message;
    struct leat_prom_exemplar *all = leat_arena_array(&otlp->extras, point->exemplar_count, sizeof *all);
    uint32_t count = 0;
    if (!all)
        return false;
    while (count < point->exemplar_count && otlp_message_next(&rest, point->exemplars_number, &message)) {
        struct exemplar exemplar = exemplar_of(message);
        if (!put_exemplar(otlp, &exemplar, &all[count++]))
            return false;
    }
    extra->exemplars = all;
    extra->exemplar_count = count;
    return true;
}

/* ---- native histograms ---- */

/* Spans and differences being made out of dense buckets. */
struct layout_run {
    struct pb_buf *spans, *deltas;
    uint32_t spans_tag;
    int32_t span_offset;
    uint32_t span_length;
    bool open;
    int64_t last_index;
    uint64_t last_count;
};

static void span_end(struct layout_run *run)
{
    if (!run->open)
        return;
    size_t at = pb_buf_open(run->spans, run->spans_tag);
    int64_t offset = run->span_offset;
    pb_buf_varint(run->spans, PB_TAG(1, PB_VARINT), (uint64_t)offset << 1 ^ (uint64_t)(offset >> 63));
    pb_buf_varint(run->spans, PB_TAG(2, PB_VARINT), run->span_length);
    pb_buf_close(run->spans, at);
}

static void delta_put(struct layout_run *run, uint64_t count)
{
    int64_t delta = (int64_t)(count - run->last_count);
    uint8_t bytes[10];
    pb_buf_raw(run->deltas, bytes, (size_t)(pb_put_varint(bytes, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63)) - bytes));
    run->last_count = count;
    run->span_length++;
}

static void bucket_put(struct layout_run *run, int64_t index, uint64_t count)
{
    int64_t gap = run->open ? index - run->last_index - 1 : index;
    if (!run->open || gap > GAP_MAX) {
        span_end(run);
        run->span_offset = (int32_t)gap;
        run->span_length = 0;
        run->open = true;
    } else {
        for (; gap > 0; gap--)
            delta_put(run, 0);
    }
    delta_put(run, count);
    run->last_index = index;
}

/* One count of the dense buckets; those that fall together at the smaller scale are summed. */
struct sum {
    int64_t index;
    uint64_t count;
    bool open;
};
static void sum_add(struct layout_run *run, struct sum *sum, int64_t index, uint64_t count)
{
    if (sum->open && sum->index == index) {
        sum->count += count;
        return;
    }
    if (sum->open && sum->count)
        bucket_put(run, sum->index, sum->count);
    *sum = (struct sum){index, count, true};
}

static void buckets_put(struct pb_buf *out, struct leat_slice message, uint32_t spans_number, int scale_down)
{
    struct pb_buf deltas = {0};
    struct layout_run run = {.spans = out, .deltas = &deltas, .spans_tag = PB_TAG(spans_number, PB_LEN)};
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field, number;
    struct sum sum = {0};
    int64_t index = 0;
    if (otlp_get(message, 1, &number))
        index = (int32_t)pb_zigzag(number.value);
    while (pb_next(&reader, &field) == 1) {
        if (field.number != 2)
            continue;
        if (field.wire == PB_VARINT)
            sum_add(&run, &sum, (index++ >> scale_down) + 1, field.value);
        if (field.wire != PB_LEN)
            continue;
        const uint8_t *at = field.at, *end = field.at + field.len;
        for (uint64_t count; at < end && (at = pb_varint(at, end, &count)) != NULL;)
            sum_add(&run, &sum, (index++ >> scale_down) + 1, count);
    }
    if (sum.open && sum.count)
        bucket_put(&run, sum.index, sum.count);
    span_end(&run);
    if (deltas.len)
        pb_buf_bytes(out, PB_TAG(spans_number + 1, PB_LEN), deltas.at, (uint32_t)deltas.len);
    out->failed |= deltas.failed;
    pb_buf_done(&deltas);
}

static void put_double(struct pb_buf *out, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits)
        pb_buf_fixed64(out, PB_TAG(number, PB_FIXED64), bits);
}

const char *rw_otlp__native(struct rw_otlp *otlp, const struct rw_point *point)
{
    struct pb_buf *out = &otlp->native;
    int scale = point->scale < SCALE_MAX ? point->scale : SCALE_MAX, down = point->scale - scale;
    out->len = 0;
    if (point->scale < SCALE_MIN)
        return "an exponential histogram of a scale below -4 has no native form";
    if (point->flags & 1) {
        put_double(out, 3, leat_prom_stale());
        return NULL;
    }
    pb_buf_varint(out, PB_TAG(1, PB_VARINT), point->count);
    put_double(out, 3, rw_clean(point->has_value ? point->value : 0));
    pb_buf_varint(out, PB_TAG(4, PB_VARINT), (uint32_t)scale << 1 ^ (uint32_t)(scale >> 31));
    put_double(out, 5, point->zero_threshold > 0 || point->zero_threshold < 0 ? point->zero_threshold : ZERO_THRESHOLD);
    pb_buf_varint(out, PB_TAG(6, PB_VARINT), point->zero_count);
    buckets_put(out, point->negative, 8, down < 31 ? down : 31);
    buckets_put(out, point->positive, 11, down < 31 ? down : 31);
    return NULL;
}
