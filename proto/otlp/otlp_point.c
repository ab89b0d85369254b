/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_point.h"

static struct leat_slice slice_of(const struct pb_field *f)
{
    return leat_slice_of(f->at, f->len);
}

/* From the first field to the last, whatever lies between them. */
static void widen(struct leat_slice *s, const struct pb_field *f, const uint8_t *end)
{
    const uint8_t *begin = s->len ? s->at : f->tag;
    *s = leat_slice_of(begin, (uint32_t)(end - begin));
}

uint32_t otlp_point_attributes(enum otlp_metric_kind kind)
{
    return kind == OTLP_HISTOGRAM ? 9 : kind == OTLP_EXPONENTIAL_HISTOGRAM ? 1 : 7;
}

uint32_t otlp_point_exemplars(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_GAUGE:
    case OTLP_SUM:
        return 5;
    case OTLP_HISTOGRAM:
        return 8;
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return 11;
    default:
        return 0;
    }
}

/* ---- one field of each kind ---- */

static void set_number(const struct pb_field *f, struct otlp_point *p)
{
    if (f->number == 4) {
        p->kind = OTLP_REAL;
        p->value = pb_double(f->value);
    } else if (f->number == 6) {
        p->kind = OTLP_INTEGER;
        p->value = (double)(int64_t)f->value;
    } else if (f->number == 8) {
        p->flags = (uint32_t)f->value;
    }
}

static void set_optional(double *value, bool *has, const struct pb_field *f)
{
    *value = pb_double(f->value);
    *has = true;
}

static void set_histogram(const struct pb_field *f, struct otlp_point *p)
{
    switch (f->number) {
    case 4:
        p->count = f->value;
        break;
    case 5:
        set_optional(&p->sum, &p->has_sum, f);
        break;
    case 10:
        p->flags = (uint32_t)f->value;
        break;
    case 11:
        set_optional(&p->min, &p->has_min, f);
        break;
    case 12:
        set_optional(&p->max, &p->has_max, f);
        break;
    default:
        break;
    }
}

static void set_buckets(const struct pb_field *f, struct leat_slice *buckets, int32_t *offset)
{
    struct pb_field inner;
    *buckets = slice_of(f);
    *offset = otlp_get(*buckets, 1, &inner) ? (int32_t)pb_zigzag(inner.value) : 0;
}

static void set_exponential(const struct pb_field *f, struct otlp_point *p)
{
    switch (f->number) {
    case 4:
        p->count = f->value;
        break;
    case 5:
        set_optional(&p->sum, &p->has_sum, f);
        break;
    case 6:
        p->scale = (int32_t)pb_zigzag(f->value);
        break;
    case 7:
        p->zero_count = f->value;
        break;
    case 8:
        set_buckets(f, &p->positive, &p->positive_offset);
        break;
    case 9:
        set_buckets(f, &p->negative, &p->negative_offset);
        break;
    case 10:
        p->flags = (uint32_t)f->value;
        break;
    case 12:
        set_optional(&p->min, &p->has_min, f);
        break;
    case 13:
        set_optional(&p->max, &p->has_max, f);
        break;
    case 14:
        p->zero_threshold = pb_double(f->value);
        break;
    default:
        break;
    }
}

static void set_summary(const struct pb_field *f, struct otlp_point *p)
{
    if (f->number == 4)
        p->count = f->value;
    else if (f->number == 5)
        set_optional(&p->sum, &p->has_sum, f);
    else if (f->number == 8)
        p->flags = (uint32_t)f->value;
}

static void set_point(enum otlp_metric_kind kind, const struct pb_field *f, struct otlp_point *p)
{
    if (f->number == 2)
        p->start_unix_nano = f->value;
    else if (f->number == 3)
        p->time_unix_nano = f->value;
    else if (kind == OTLP_GAUGE || kind == OTLP_SUM)
        set_number(f, p);
    else if (kind == OTLP_HISTOGRAM)
        set_histogram(f, p);
    else if (kind == OTLP_EXPONENTIAL_HISTOGRAM)
        set_exponential(f, p);
    else
        set_summary(f, p);
}

bool otlp_point_of(enum otlp_metric_kind kind, struct leat_slice message, struct otlp_point *ret_point)
{
    struct pb_flat in = pb_flat_of(message.at, message.len);
    uint32_t attributes = otlp_point_attributes(kind), exemplars = otlp_point_exemplars(kind);
    struct pb_field f;
    int got;
    *ret_point = (struct otlp_point){.message = message};
    while ((got = pb_next(&in, &f)) == 1) {
        if (f.number == attributes)
            widen(&ret_point->attributes, &f, in.at);
        else if (f.number == exemplars)
            widen(&ret_point->exemplars, &f, in.at);
        else
            set_point(kind, &f, ret_point);
    }
    return got == 0;
}

/* ---- what is inside ---- */

bool otlp_exemplar_of(struct leat_slice message, struct otlp_exemplar *ret_exemplar)
{
    struct pb_flat in = pb_flat_of(message.at, message.len);
    struct pb_field f;
    int got;
    *ret_exemplar = (struct otlp_exemplar){.message = message};
    while ((got = pb_next(&in, &f)) == 1) {
        if (f.number == 2)
            ret_exemplar->time_unix_nano = f.value;
        else if (f.number == 3)
            ret_exemplar->value = pb_double(f.value);
        else if (f.number == 6)
            ret_exemplar->value = (double)(int64_t)f.value;
        else if (f.number == 4)
            ret_exemplar->span_id = slice_of(&f);
        else if (f.number == 5)
            ret_exemplar->trace_id = slice_of(&f);
    }
    return got == 0;
}

struct otlp_quantile otlp_quantile_of(struct leat_slice message)
{
    struct pb_field f;
    struct otlp_quantile quantile = {0};
    if (otlp_get(message, 1, &f))
        quantile.quantile = pb_double(f.value);
    if (otlp_get(message, 2, &f))
        quantile.value = pb_double(f.value);
    return quantile;
}

static bool take_packed(struct otlp_numbers *numbers, uint64_t *ret_value)
{
    const uint8_t *at = numbers->packed.at, *end = at + numbers->packed.len, *next;
    if (numbers->fixed && numbers->packed.len < 8)
        return false;
    if (numbers->fixed) {
        *ret_value = pb_load64(at);
        next = at + 8;
    } else {
        next = pb_varint(at, end, ret_value);
    }
    if (next)
        numbers->packed = leat_slice_of(next, (uint32_t)(end - next));
    return next != NULL;
}

bool otlp_numbers_next(struct otlp_numbers *numbers, uint64_t *ret_value)
{
    struct pb_flat in = pb_flat_of(numbers->rest.at, numbers->rest.len);
    struct pb_field f;
    while (numbers->packed.len == 0) {
        if (pb_next(&in, &f) != 1)
            return false;
        numbers->rest = leat_slice_of(in.at, (uint32_t)(in.end - in.at));
        if (f.number != numbers->number)
            continue;
        if (f.wire != PB_LEN) {
            *ret_value = f.value;
            return true;
        }
        numbers->packed = slice_of(&f);
    }
    return take_packed(numbers, ret_value);
}
