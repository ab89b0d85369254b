/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_text.h"

#include <inttypes.h>
#include <math.h>

#include "proto/json/json_write.h"

static void put_real(struct leat_strbuf *out, double real)
{
    if (isfinite(real))
        json_put_double(out, real);
    else
        leat_strbuf_puts(out, isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity");
}

static void put_json(struct leat_strbuf *out, const struct otlp_value *value);

static void put_map(struct leat_strbuf *out, struct leat_slice rest)
{
    struct otlp_attribute attribute;
    leat_strbuf_putc(out, '{');
    for (bool first = true; otlp_attribute_next(&rest, 1, &attribute); first = false) {
        if (!first)
            leat_strbuf_putc(out, ',');
        json_put_string(out, attribute.key.at, attribute.key.len);
        leat_strbuf_putc(out, ':');
        put_json(out, &attribute.value);
    }
    leat_strbuf_putc(out, '}');
}

static void put_array(struct leat_strbuf *out, struct leat_slice rest)
{
    struct otlp_value item;
    leat_strbuf_putc(out, '[');
    for (bool first = true; otlp_value_next(&rest, &item); first = false) {
        if (!first)
            leat_strbuf_putc(out, ',');
        put_json(out, &item);
    }
    leat_strbuf_putc(out, ']');
}

/* Recursion is bounded by what the door lets in. */
static void put_json(struct leat_strbuf *out, const struct otlp_value *value)
{
    switch (value->kind) {
    case OTLP_MAP:
        put_map(out, value->text);
        return;
    case OTLP_ARRAY:
        put_array(out, value->text);
        return;
    case OTLP_TEXT:
        json_put_string(out, value->text.at, value->text.len);
        return;
    case OTLP_BLOB:
        leat_strbuf_putc(out, '"');
        leat_strbuf_base64(out, value->text.at, value->text.len);
        leat_strbuf_putc(out, '"');
        return;
    case OTLP_TRUTH:
        leat_strbuf_puts(out, value->integer ? "true" : "false");
        return;
    case OTLP_INTEGER:
    case OTLP_TEXT_INDEX:
        leat_strbuf_printf(out, "%" PRId64, value->integer);
        return;
    case OTLP_REAL:
        if (isfinite(value->real)) {
            json_put_double(out, value->real);
            return;
        }
        break;
    case OTLP_EMPTY:
        break;
    }
    leat_strbuf_puts(out, "null");
}

struct leat_slice otlp_text_of(const struct otlp_value *value, struct leat_strbuf *scratch)
{
    leat_strbuf_clear(scratch);
    switch (value->kind) {
    case OTLP_TEXT:
        return value->text;
    case OTLP_EMPTY:
        return (struct leat_slice){0};
    case OTLP_TRUTH:
        return value->integer ? LEAT_SLICE("true") : LEAT_SLICE("false");
    case OTLP_BLOB:
        leat_strbuf_base64(scratch, value->text.at, value->text.len);
        break;
    case OTLP_REAL:
        put_real(scratch, value->real);
        break;
    default:
        put_json(scratch, value);
    }
    return scratch->failed ? (struct leat_slice){0} : leat_slice_of(scratch->at, (uint32_t)scratch->len);
}
