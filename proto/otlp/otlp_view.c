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

/* The value as nearly all are: one short string and nothing else. */
static inline __attribute__((always_inline)) bool plain_text(const uint8_t *at, uint32_t len, struct otlp_value *v)
{
    uint64_t inner;
    if (len < 2 || at[0] != PB_TAG(1, PB_LEN))
        return false;
    const uint8_t *end = at + len, *body = pb_length(at + 1, end, &inner);
    if (!body || body + inner != end)
        return false;
    v->kind = OTLP_TEXT;
    v->text = leat_slice_of(body, (uint32_t)inner);
    return true;
}

/* A whole number and nothing else. */
static inline __attribute__((always_inline)) bool plain_integer(const uint8_t *at, uint32_t len, struct otlp_value *v)
{
    uint64_t integer;
    if (len < 2 || at[0] != PB_TAG(3, PB_VARINT) || pb_varint(at + 1, at + len, &integer) != at + len)
        return false;
    v->kind = OTLP_INTEGER;
    v->text = (struct leat_slice){0}; /* what a smaller member leaves free is always clear */
    v->integer = (int64_t)integer;
    return true;
}

static __attribute__((noinline)) bool value_of(struct leat_slice any_value, struct otlp_value *ret_value)
{
    struct pb_flat in = flat_of(any_value);
    struct pb_field f;
    int got;
    *ret_value = (struct otlp_value){0};
    while ((got = pb_next(&in, &f)) == 1)
        set_value(&f, ret_value);
    return got == 0;
}

bool otlp_value_of(struct leat_slice any_value, struct otlp_value *ret_value)
{
    return plain_text(any_value.at, any_value.len, ret_value) || value_of(any_value, ret_value);
}

bool otlp_value_is_true(const struct otlp_value *value)
{
    return value->kind == OTLP_TRUTH && value->integer != 0;
}

/* The attribute as nearly all are: a short key, then its value, and each tag and length a single byte. */
static inline __attribute__((always_inline)) bool plain_attribute(const uint8_t *at, uint32_t len,
                                                                  struct otlp_attribute *a)
{
    if (len < 4 || len > 127 || at[0] != PB_TAG(1, PB_LEN))
        return false;
    uint32_t v = 2u + at[1];
    if (v + 2 > len || at[v] != PB_TAG(2, PB_LEN) || at[v + 1] != len - v - 2)
        return false;
    a->key = leat_slice_of(at + 2, at[1]);
    const uint8_t *any_value = at + v + 2;
    uint32_t any_len = at[v + 1];
    if (!plain_text(any_value, any_len, &a->value) && !plain_integer(any_value, any_len, &a->value))
        (void)value_of(leat_slice_of(any_value, any_len), &a->value);
    return true;
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
    const uint8_t *at = fields->at;
    if (fields->len > 2 && at[0] == PB_TAG(number, PB_LEN) && at[1] < 0x80 && at[1] <= fields->len - 2) {
        message = leat_slice_of(at + 2, at[1]);
        *fields = leat_slice_of(at + 2 + message.len, fields->len - 2 - message.len);
    } else if (!otlp_message_next(fields, number, &message)) {
        return false;
    }
    if (!plain_attribute(message.at, message.len, ret_attribute))
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

/* Any field in any dress: the byte behind it, or NULL. */
static __attribute__((noinline)) const uint8_t *log_field(const uint8_t *at, const uint8_t *end, struct otlp_log *log)
{
    struct pb_flat in = {at, end};
    struct pb_field f;
    if (pb_next(&in, &f) != 1)
        return NULL;
    set_log(&f, in.at, log);
    return in.at;
}

/* A run of attributes: the byte behind the last, or `at` when there is none to be read here. */
static inline const uint8_t *log_attributes(const uint8_t *at, const uint8_t *end, struct otlp_log *log)
{
    const uint8_t *begin = at, *body;
    uint64_t len;
    while (at < end && *at == PB_TAG(6, PB_LEN) && (body = pb_length(at + 1, end, &len)) != NULL)
        at = body + len;
    if (at != begin) {
        begin = log->attributes.len ? log->attributes.at : begin;
        log->attributes = leat_slice_of(begin, (uint32_t)(at - begin));
    }
    return at;
}

/* The fields that nearly every record has, as they are usually written; else `at`. */
static inline __attribute__((always_inline)) const uint8_t *usual_log_field(const uint8_t *at, const uint8_t *end,
                                                                            struct otlp_log *log)
{
    uint64_t v;
    const uint8_t *body;
    switch (*at) {
    case PB_TAG(1, PB_FIXED64):
        if (end - at < 9)
            return at;
        log->time_unix_nano = pb_load64(at + 1);
        return at + 9;
    case PB_TAG(11, PB_FIXED64):
        if (end - at < 9)
            return at;
        log->observed_time_unix_nano = pb_load64(at + 1);
        return at + 9;
    case PB_TAG(2, PB_VARINT):
        if (end - at < 2 || at[1] > 127)
            return at;
        log->severity_number = at[1];
        return at + 2;
    case PB_TAG(3, PB_LEN):
        body = pb_length(at + 1, end, &v);
        if (!body)
            return at;
        log->severity_text = leat_slice_of(body, (uint32_t)v);
        return body + v;
    case PB_TAG(5, PB_LEN):
        body = pb_length(at + 1, end, &v);
        if (!body)
            return at;
        if (!plain_text(body, (uint32_t)v, &log->body))
            (void)value_of(leat_slice_of(body, (uint32_t)v), &log->body);
        return body + v;
    case PB_TAG(6, PB_LEN):
        return log_attributes(at, end, log);
    default:
        return at;
    }
}

bool otlp_log_of(struct leat_slice record, struct otlp_log *ret_log)
{
    const uint8_t *at = record.at, *end = record.len ? at + record.len : at;
    *ret_log = (struct otlp_log){0};
    while (at && at < end) {
        const uint8_t *next = usual_log_field(at, end, ret_log);
        at = next != at ? next : log_field(at, end, ret_log);
    }
    return record.len == 0 || at != NULL;
}

static void set_status(struct leat_slice status, struct otlp_span *span)
{
    struct pb_field f;
    if (otlp_get(status, 2, &f))
        span->status_message = slice_of(&f);
    if (otlp_get(status, 3, &f))
        span->status_code = (uint32_t)f.value;
}

static void set_span(const struct pb_field *f, const uint8_t *end, struct otlp_span *span)
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
    else if (f->number == 9)
        widen(&span->attributes, f, end);
    else if (f->number == 11)
        widen(&span->events, f, end);
    else if (f->number == 13)
        widen(&span->links, f, end);
}

bool otlp_span_of(struct leat_slice span, struct otlp_span *ret_span)
{
    struct pb_flat in = flat_of(span);
    struct pb_field f;
    int got;
    *ret_span = (struct otlp_span){.message = span};
    while ((got = pb_next(&in, &f)) == 1)
        set_span(&f, in.at, ret_span);
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
