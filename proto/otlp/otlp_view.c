/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_view.h"

static struct leat_slice slice_of(const struct pb_field *f)
{
    return leat_slice_of(f->at, f->len);
}
static struct pb_flat flat_of(struct leat_slice s)
{
    return pb_flat_of(s.at, s.len);
}

/* ---- attributes and values ---- */

static void set_value(const struct pb_field *f, struct otlp_value *v)
{
    static const enum otlp_value_kind kinds[] = {OTLP_EMPTY, OTLP_TEXT, OTLP_TRUTH, OTLP_INTEGER,   OTLP_REAL,
                                                 OTLP_ARRAY, OTLP_MAP,  OTLP_BLOB,  OTLP_TEXT_INDEX};
    if (f->number >= sizeof kinds / sizeof *kinds)
        return;
    v->kind = kinds[f->number];
    if (f->wire == PB_LEN)
        v->text = slice_of(f);
    else if (f->number == 4)
        v->real = pb_double(f->value);
    else
        v->integer = (int64_t)f->value;
}

bool otlp_value_of(struct leat_slice any_value, struct otlp_value *ret_value)
{
    struct pb_flat in = flat_of(any_value);
    struct pb_field f;
    int got;
    *ret_value = (struct otlp_value){0};
    while ((got = pb_next(&in, &f)) == 1)
        set_value(&f, ret_value);
    return got == 0;
}

bool otlp_value_is_true(const struct otlp_value *value)
{
    return value->kind == OTLP_TRUTH && value->integer != 0;
}

static void set_attribute(struct leat_slice message, struct otlp_attribute *a)
{
    struct pb_flat in = flat_of(message);
    struct pb_field f;
    *a = (struct otlp_attribute){0};
    while (pb_next(&in, &f) == 1) {
        if (f.number == 1)
            a->key = slice_of(&f);
        else if (f.number == 2 && f.wire == PB_LEN)
            (void)otlp_value_of(slice_of(&f), &a->value);
    }
}

bool otlp_message_next(struct leat_slice *fields, uint32_t number, struct leat_slice *ret_message)
{
    struct pb_flat in = flat_of(*fields);
    struct pb_field f;
    bool found = false;
    while (!found && pb_next(&in, &f) == 1)
        found = f.number == number && f.wire == PB_LEN;
    if (found)
        *ret_message = slice_of(&f);
    *fields = found ? leat_slice_of(in.at, (uint32_t)(in.end - in.at)) : (struct leat_slice){0};
    return found;
}

bool otlp_attribute_next(struct leat_slice *fields, uint32_t number, struct otlp_attribute *ret_attribute)
{
    struct leat_slice message;
    if (!otlp_message_next(fields, number, &message))
        return false;
    set_attribute(message, ret_attribute);
    return true;
}

bool otlp_attribute_get(struct leat_slice fields, uint32_t number, const char *key, struct otlp_value *ret_value)
{
    struct otlp_attribute a;
    while (otlp_attribute_next(&fields, number, &a))
        if (leat_slice_is(a.key, key)) {
            *ret_value = a.value;
            return true;
        }
    return false;
}

bool otlp_value_next(struct leat_slice *array, struct otlp_value *ret_value)
{
    struct leat_slice message;
    return otlp_message_next(array, 1, &message) && otlp_value_of(message, ret_value);
}

bool otlp_get(struct leat_slice message, uint32_t number, struct pb_field *ret_field)
{
    struct pb_flat in = flat_of(message);
    struct pb_field f;
    bool found = false;
    while (pb_next(&in, &f) == 1)
        if (f.number == number) {
            *ret_field = f;
            found = true;
        }
    return found;
}

/* ---- items ---- */

/* From the first field to the last: what lies between them may be other fields, which readers pass over. */
static void widen(struct leat_slice *s, const struct pb_field *f, const uint8_t *end)
{
    const uint8_t *begin = s->len ? s->at : f->tag;
    *s = leat_slice_of(begin, (uint32_t)(end - begin));
}

static void set_log(const struct pb_field *f, const uint8_t *end, struct otlp_log *log)
{
    switch (f->number) {
    case 1:
        log->time_unix_nano = f->value;
        break;
    case 2:
        log->severity_number = (uint32_t)f->value;
        break;
    case 3:
        log->severity_text = slice_of(f);
        break;
    case 5:
        (void)otlp_value_of(slice_of(f), &log->body);
        break;
    case 6:
        widen(&log->attributes, f, end);
        break;
    case 7:
        log->dropped_attributes = (uint32_t)f->value;
        break;
    case 8:
        log->flags = (uint32_t)f->value;
        break;
    case 9:
        log->trace_id = slice_of(f);
        break;
    case 10:
        log->span_id = slice_of(f);
        break;
    case 11:
        log->observed_time_unix_nano = f->value;
        break;
    case 12:
        log->event_name = slice_of(f);
        break;
    default:
        break;
    }
}

bool otlp_log_of(struct leat_slice record, struct otlp_log *ret_log)
{
    struct pb_flat in = flat_of(record);
    struct pb_field f;
    int got;
    *ret_log = (struct otlp_log){0};
    while ((got = pb_next(&in, &f)) == 1)
        set_log(&f, in.at, ret_log);
    return got == 0;
}

static void set_status(struct leat_slice status, struct otlp_span *span)
{
    struct pb_field f;
    if (otlp_get(status, 2, &f))
        span->status_message = slice_of(&f);
    if (otlp_get(status, 3, &f))
        span->status_code = (uint32_t)f.value;
}

static void set_span(const struct pb_field *f, struct otlp_span *span)
{
    struct leat_slice *const texts[] = {[1] = &span->trace_id,
                                        [2] = &span->span_id,
                                        [3] = &span->trace_state,
                                        [4] = &span->parent_span_id,
                                        [5] = &span->name};
    uint32_t *const numbers[] = {[6] = &span->kind,
                                 [10] = &span->dropped_attributes,
                                 [12] = &span->dropped_events,
                                 [14] = &span->dropped_links,
                                 [16] = &span->flags};
    if (f->number < sizeof texts / sizeof *texts && texts[f->number])
        *texts[f->number] = slice_of(f);
    else if (f->number < sizeof numbers / sizeof *numbers && numbers[f->number])
        *numbers[f->number] = (uint32_t)f->value;
    else if (f->number == 7)
        span->start_unix_nano = f->value;
    else if (f->number == 8)
        span->end_unix_nano = f->value;
    else if (f->number == 15)
        set_status(slice_of(f), span);
}

bool otlp_span_of(struct leat_slice span, struct otlp_span *ret_span)
{
    struct pb_flat in = flat_of(span);
    struct pb_field f;
    int got;
    *ret_span = (struct otlp_span){.message = span};
    while ((got = pb_next(&in, &f)) == 1)
        set_span(&f, ret_span);
    return got == 0;
}

bool otlp_metric_of(struct leat_slice metric, struct otlp_metric *ret_metric)
{
    struct pb_flat in = flat_of(metric);
    struct pb_field f;
    int got;
    *ret_metric = (struct otlp_metric){0};
    while ((got = pb_next(&in, &f)) == 1) {
        const struct otlp_field *known = otlp_field_by_number(&otlp_Metric, f.number);
        if (f.number == 1)
            ret_metric->name = slice_of(&f);
        else if (f.number == 2)
            ret_metric->description = slice_of(&f);
        else if (f.number == 3)
            ret_metric->unit = slice_of(&f);
        else if (known && known->flags & OTLP_CONTAINER) {
            ret_metric->kind = (enum otlp_metric_kind)f.number;
            ret_metric->data = slice_of(&f);
        }
    }
    if (otlp_get(ret_metric->data, 2, &f) && f.wire == PB_VARINT)
        ret_metric->temporality = (uint32_t)f.value;
    if (otlp_get(ret_metric->data, 3, &f) && f.wire == PB_VARINT)
        ret_metric->monotonic = f.value != 0;
    return got == 0;
}
