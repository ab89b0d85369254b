/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text: scalars as people write them, arrays and maps as JSON, bytes as base64. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "exporters/loki/loki.h"
#include "proto/json/json_write.h"

static void put_real(struct leat_strbuf *out, double real)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back the same */
        (void)snprintf(text, sizeof text, "%.*g", digits, real);
        if (strtod(text, NULL) == real)
            break;
    }
    leat_strbuf_puts(out, isnan(real) ? "NaN" : isinf(real) ? (real > 0 ? "+Inf" : "-Inf") : text);
}

static void put_base64(struct leat_strbuf *out, struct leat_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint32_t i = 0; i < bytes.len; i += 3) {
        uint32_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = (uint32_t)bytes.at[i] << 16 | (n > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0) |
                        (n > 2 ? (uint32_t)bytes.at[i + 2] : 0);
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63], n > 1 ? digits[word >> 6 & 63] : '=',
                        n > 2 ? digits[word & 63] : '='};
        leat_strbuf_put(out, four, sizeof four);
    }
}

static void put_integer(struct leat_strbuf *out, int64_t value)
{
    char text[20];
    leat_strbuf_put(out, text, loki_push_decimal(value, text));
}

/* Recursion is bounded by what the door lets in: AnyValues nest at most 64 deep. */
static void put_json(struct leat_strbuf *out, const struct otlp_value *value)
{
    struct leat_slice rest = value->text;
    struct otlp_attribute attribute;
    struct otlp_value item;
    bool first = true;
    switch (value->kind) {
    case OTLP_MAP:
        leat_strbuf_putc(out, '{');
        for (; otlp_attribute_next(&rest, 1, &attribute); first = false) {
            if (!first)
                leat_strbuf_putc(out, ',');
            json_put_string(out, attribute.key.at, attribute.key.len);
            leat_strbuf_putc(out, ':');
            put_json(out, &attribute.value);
        }
        leat_strbuf_putc(out, '}');
        return;
    case OTLP_ARRAY:
        leat_strbuf_putc(out, '[');
        for (; otlp_value_next(&rest, &item); first = false) {
            if (!first)
                leat_strbuf_putc(out, ',');
            put_json(out, &item);
        }
        leat_strbuf_putc(out, ']');
        return;
    case OTLP_TEXT:
        json_put_string(out, value->text.at, value->text.len);
        return;
    case OTLP_BLOB:
        leat_strbuf_putc(out, '"');
        put_base64(out, value->text);
        leat_strbuf_putc(out, '"');
        return;
    case OTLP_REAL:
        if (isfinite(value->real))
            put_real(out, value->real);
        else
            leat_strbuf_puts(out, "null");
        return;
    case OTLP_TRUTH:
        leat_strbuf_puts(out, value->integer ? "true" : "false");
        return;
    case OTLP_INTEGER:
    case OTLP_TEXT_INDEX:
        put_integer(out, value->integer);
        return;
    case OTLP_EMPTY:
        leat_strbuf_puts(out, "null");
        return;
    }
}

struct leat_slice loki__text(struct loki_state *loki, const struct otlp_value *value)
{
    struct leat_strbuf *out = &loki->text;
    if (value->kind == OTLP_TEXT)
        return value->text;
    if (value->kind == OTLP_EMPTY)
        return (struct leat_slice){0};
    if (value->kind == OTLP_TRUTH)
        return value->integer ? LEAT_SLICE("true") : LEAT_SLICE("false");
    leat_strbuf_clear(out);
    if (value->kind == OTLP_BLOB)
        put_base64(out, value->text);
    else if (value->kind == OTLP_REAL)
        put_real(out, value->real);
    else
        put_json(out, value);
    loki->push.failed |= out->failed; /* sticks until the request is given up */
    return leat_slice_of(out->at, (uint32_t)out->len);
}

/* ---- attributes as metadata ---- */

static void put_leaves(struct loki_state *loki, struct loki_push *push, const struct otlp_value *map)
{
    struct leat_slice rest = map->text;
    struct otlp_attribute attribute;
    size_t prefix_len = loki->name.len;
    while (otlp_attribute_next(&rest, 1, &attribute)) {
        leat_strbuf_putc(&loki->name, '_');
        leat_strbuf_put(&loki->name, attribute.key.at, attribute.key.len);
        if (attribute.value.kind == OTLP_MAP)
            put_leaves(loki, push, &attribute.value);
        else
            loki_push_metadata(push, leat_slice_of(loki->name.at, (uint32_t)loki->name.len),
                               loki__text(loki, &attribute.value));
        loki->push.failed |= loki->name.failed;
        if (loki->name.failed)
            return;
        loki->name.len = prefix_len;
    }
}

void loki__metadata(struct loki_state *loki, struct loki_push *push, struct leat_slice key,
                    const struct otlp_value *value)
{
    if (value->kind == OTLP_TEXT) {
        loki_push_metadata(push, key, value->text);
    } else if (value->kind == OTLP_INTEGER) {
        loki_push_metadata_number(push, key, value->integer);
    } else if (value->kind == OTLP_MAP) {
        leat_strbuf_clear(&loki->name);
        leat_strbuf_put(&loki->name, key.at, key.len);
        put_leaves(loki, push, value);
    } else {
        loki_push_metadata(push, key, loki__text(loki, value));
    }
}
