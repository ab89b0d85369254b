/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/json/json_write.h"

/* Digits and the place of the point behind the first of them. */
struct digits {
    char at[24];
    int count, exponent;
};

static struct digits digits_of(double value)
{
    struct digits digits = {.count = 0};
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    const char *at = text;
    for (; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits.at[digits.count++] = *at;
    digits.exponent = atoi(at + 1);
    while (digits.count > 1 && digits.at[digits.count - 1] == '0')
        digits.count--;
    return digits;
}

void rw_put_plain(struct leat_strbuf *out, double value)
{
    if (isnan(value) || isinf(value)) {
        leat_strbuf_puts(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    struct digits digits = digits_of(fabs(value));
    if (signbit(value))
        leat_strbuf_putc(out, '-');
    if (digits.exponent < 0) {
        leat_strbuf_puts(out, "0.");
        for (int i = -1; i > digits.exponent; i--)
            leat_strbuf_putc(out, '0');
        leat_strbuf_put(out, digits.at, (size_t)digits.count);
        return;
    }
    for (int i = 0; i < digits.count || i <= digits.exponent; i++) {
        if (i == digits.exponent + 1)
            leat_strbuf_putc(out, '.');
        leat_strbuf_putc(out, i < digits.count ? digits.at[i] : '0');
    }
}

/* As JSON has numbers: an exponent only for the very small and the very large. */
static void put_real(struct leat_strbuf *out, double value)
{
    double size = fabs(value);
    if (isnan(value) || isinf(value) || size == 0 || (size >= 1e-6 && size < 1e21)) {
        rw_put_plain(out, value);
        return;
    }
    struct digits digits = digits_of(size);
    if (signbit(value))
        leat_strbuf_putc(out, '-');
    leat_strbuf_putc(out, digits.at[0]);
    if (digits.count > 1)
        leat_strbuf_putc(out, '.');
    leat_strbuf_put(out, digits.at + 1, (size_t)digits.count - 1);
    leat_strbuf_printf(out, "e%c%d", digits.exponent < 0 ? '-' : '+', abs(digits.exponent));
}

static void put_base64(struct leat_strbuf *out, struct leat_slice bytes)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint32_t i = 0; i < bytes.len; i += 3) {
        uint32_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = (uint32_t)bytes.at[i] << 16;
        if (n > 1)
            word |= (uint32_t)bytes.at[i + 1] << 8;
        if (n > 2)
            word |= bytes.at[i + 2];
        char four[4] = {letters[word >> 18], letters[word >> 12 & 63], n > 1 ? letters[word >> 6 & 63] : '=',
                        n > 2 ? letters[word & 63] : '='};
        leat_strbuf_put(out, four, sizeof four);
    }
}

static void put_json(struct leat_strbuf *out, const struct otlp_value *value);

/* Recursion is bounded by what the door lets in: values nest at most 64 deep. */
static void put_members(struct leat_strbuf *out, const struct otlp_value *value)
{
    struct leat_slice rest = value->text;
    struct otlp_attribute attribute;
    struct otlp_value item;
    const char *between = "";
    bool map = value->kind == OTLP_MAP;
    leat_strbuf_putc(out, map ? '{' : '[');
    for (; map ? otlp_attribute_next(&rest, 1, &attribute) : otlp_value_next(&rest, &item); between = ",") {
        leat_strbuf_puts(out, between);
        if (map) {
            json_put_string(out, attribute.key.at, attribute.key.len);
            leat_strbuf_putc(out, ':');
        }
        put_json(out, map ? &attribute.value : &item);
    }
    leat_strbuf_putc(out, map ? '}' : ']');
}

static void put_json(struct leat_strbuf *out, const struct otlp_value *value)
{
    bool quoted = value->kind == OTLP_BLOB;
    if (value->kind == OTLP_EMPTY || value->kind == OTLP_TEXT_INDEX)
        leat_strbuf_puts(out, "null");
    else if (value->kind == OTLP_TEXT)
        json_put_string(out, value->text.at, value->text.len);
    else {
        if (quoted)
            leat_strbuf_putc(out, '"');
        rw_put_value(out, value);
        if (quoted)
            leat_strbuf_putc(out, '"');
    }
}

void rw_put_value(struct leat_strbuf *out, const struct otlp_value *value)
{
    switch (value->kind) {
    case OTLP_TEXT:
        leat_strbuf_put(out, value->text.at, value->text.len);
        break;
    case OTLP_TRUTH:
        leat_strbuf_puts(out, value->integer ? "true" : "false");
        break;
    case OTLP_INTEGER:
        leat_strbuf_printf(out, "%lld", (long long)value->integer);
        break;
    case OTLP_REAL:
        put_real(out, value->real);
        break;
    case OTLP_BLOB:
        put_base64(out, value->text);
        break;
    case OTLP_ARRAY:
    case OTLP_MAP:
        put_members(out, value);
        break;
    default:
        break;
    }
}
