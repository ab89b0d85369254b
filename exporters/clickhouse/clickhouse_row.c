/* SPDX-License-Identifier: Apache-2.0 */
/* Values of every row: maps of attributes and texts. */
#include "exporters/clickhouse/clickhouse.h"

#define AGAIN_BYTES_MAX 4096u /* a longer map is made each time */

/* As many as otlp_attribute_next will find. */
static uint32_t count_attributes(struct leat_slice fields, uint32_t number)
{
    const uint8_t *at = fields.at, *end = at + fields.len, *body;
    struct leat_slice message;
    uint32_t n = 0;
    uint64_t len;
    for (; at < end && *at == PB_TAG(number, PB_LEN) && (body = pb_length(at + 1, end, &len)) != NULL; n++)
        at = body + len;
    fields = leat_slice_of(at, (uint32_t)(end - at));
    while (fields.len && otlp_message_next(&fields, number, &message))
        n++;
    return n;
}

void clickhouse__value(struct clickhouse_state *clickhouse, struct row_binary *rows, const struct otlp_value *value)
{
    if (value->kind == OTLP_TEXT) {
        row_binary_string(rows, value->text);
    } else if (value->kind == OTLP_INTEGER) {
        row_binary_decimal(rows, value->integer);
    } else {
        row_binary_string(rows, otlp_text_of(value, &clickhouse->text));
        rows->failed |= clickhouse->text.failed;
    }
}

void clickhouse__map(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice fields,
                     uint32_t number)
{
    struct otlp_attribute attribute;
    clickhouse__count(to, fields.len ? count_attributes(fields, number) : 0);
    struct row_binary *keys = clickhouse__next(to), *values = clickhouse__next(to);
    while (fields.len && otlp_attribute_next(&fields, number, &attribute)) {
        row_binary_string(keys, attribute.key);
        clickhouse__value(clickhouse, values, &attribute.value);
    }
}

static void put_made(const struct row_binary *made, struct clickhouse_cursor *to)
{
    uint32_t first = to->step, streams = to->step ? 3 : 1;
    if (first)
        clickhouse__count(to, made->total);
    for (uint32_t i = first; i < streams; i++)
        row_binary_raw(clickhouse__next(to), made[i].from, (size_t)(made[i].at - made[i].from));
}

void clickhouse__map_again(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice fields,
                           uint32_t number)
{
    struct leat_strbuf *raw = &clickhouse->attributes_raw;
    struct row_binary *made = clickhouse->attributes;
    if (fields.len == 0 || fields.len > AGAIN_BYTES_MAX) {
        clickhouse__map(clickhouse, to, fields, number);
        return;
    }
    if (raw->len != fields.len || memcmp(raw->at, fields.at, fields.len) != 0) {
        struct clickhouse_cursor into = {made, to->step};
        leat_strbuf_clear(raw);
        leat_strbuf_put(raw, fields.at, fields.len);
        for (int i = 0; i < 3; i++)
            row_binary_clear(&made[i]);
        clickhouse__map(clickhouse, &into, fields, number);
        to->at->failed |= made[0].failed | made[1].failed | made[2].failed | raw->failed;
    }
    put_made(made, to);
}

void clickhouse__resource_text(struct clickhouse_state *clickhouse, struct row_binary *rows, struct leat_slice resource,
                               const char *key)
{
    struct otlp_value value = {0};
    (void)otlp_attribute_get(resource, 1, key, &value);
    clickhouse__value(clickhouse, rows, &value);
}
