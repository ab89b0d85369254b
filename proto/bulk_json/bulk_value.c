/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_value.h"

#include <math.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define KEYS_MAX 64u /* of a map with more, names that meet are left to the server */

/* ---- scalars ---- */

static uint32_t decimal(uint64_t value, char to[20])
{
    char back[20];
    uint32_t n = 0;
    do
        back[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (uint32_t i = 0; i < n; i++)
        to[i] = back[n - 1 - i];
    return n;
}

void bulk_put_integer(struct leat_strbuf *out, int64_t value)
{
    char text[21] = "-";
    uint32_t sign = value < 0;
    uint32_t len = sign + decimal(sign ? (uint64_t)0 - (uint64_t)value : (uint64_t)value, text + sign);
    leat_strbuf_put(out, text, len);
}

static void put_real(struct leat_strbuf *out, double real)
{
    if (!isfinite(real)) {
        BULK_PUTS(out, "null");
        return;
    }
    size_t from = out->len;
    json_put_double(out, real);
    if (!out->failed && !memchr(out->at + from, '.', out->len - from) && !memchr(out->at + from, 'e', out->len - from))
        BULK_PUTS(out, ".0");
}

void bulk_put_hex(struct leat_strbuf *out, struct leat_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char text[66];
    uint32_t len = 0;
    text[len++] = '"';
    for (uint32_t i = 0; i < bytes.len && i < 32; i++) {
        text[len++] = digits[bytes.at[i] >> 4];
        text[len++] = digits[bytes.at[i] & 15];
    }
    text[len++] = '"';
    leat_strbuf_put(out, text, len);
}

/* ---- values; recursion is bounded by what the door lets in: AnyValues nest at most 64 deep ---- */

/* The keys of one map, as far as they are looked at for names that meet. */
struct keys {
    struct leat_slice at[KEYS_MAX];
    uint32_t count;
};

static void keys_of(struct keys *keys, struct leat_slice fields, uint32_t number)
{
    struct otlp_attribute attribute;
    keys->count = 0;
    while (keys->count < KEYS_MAX && otlp_attribute_next(&fields, number, &attribute))
        keys->at[keys->count++] = attribute.key;
}

static bool is_again(const struct keys *keys, uint32_t i)
{
    for (uint32_t n = i + 1; n < keys->count; n++)
        if (leat_slice_eq(keys->at[i], keys->at[n]))
            return true;
    return false;
}

/* Does a name go on where this one ends: "a.b" beside "a"? With `rest` only that one. */
static bool goes_on(const struct keys *keys, struct leat_slice key, const char *rest)
{
    for (uint32_t n = 0; n < keys->count; n++) {
        struct leat_slice other = keys->at[n];
        if (other.len > key.len && other.at[key.len] == '.' && memcmp(other.at, key.at, key.len) == 0 &&
            (!rest || leat_slice_is(leat_slice_sub(other, key.len, other.len - key.len), rest)))
            return true;
    }
    return false;
}

static void put_pair(struct leat_strbuf *out, const struct otlp_attribute *attribute, bool moved)
{
    leat_strbuf_putc(out, '"');
    json_put_escaped(out, attribute->key.at, attribute->key.len);
    if (moved)
        BULK_PUTS(out, ".value");
    BULK_PUTS(out, "\":");
    bulk_put_value(out, &attribute->value);
}

bool bulk_put_attributes(struct leat_strbuf *out, struct leat_slice fields, uint32_t number)
{
    struct otlp_attribute attribute;
    struct keys keys;
    char before = '{';
    keys_of(&keys, fields, number);
    for (uint32_t i = 0; otlp_attribute_next(&fields, number, &attribute); i++) {
        bool moved = attribute.value.kind != OTLP_MAP && goes_on(&keys, attribute.key, NULL);
        if ((i < keys.count && is_again(&keys, i)) || (moved && goes_on(&keys, attribute.key, ".value")))
            continue;
        leat_strbuf_putc(out, before);
        put_pair(out, &attribute, moved);
        before = ',';
    }
    if (before == '{')
        leat_strbuf_putc(out, '{');
    leat_strbuf_putc(out, '}');
    return before == ',';
}

static void put_array(struct leat_strbuf *out, struct leat_slice rest)
{
    struct otlp_value item;
    bool first = true;
    leat_strbuf_putc(out, '[');
    for (; otlp_value_next(&rest, &item); first = false) {
        if (!first)
            leat_strbuf_putc(out, ',');
        bulk_put_value(out, &item);
    }
    leat_strbuf_putc(out, ']');
}

void bulk_put_value(struct leat_strbuf *out, const struct otlp_value *value)
{
    switch (value->kind) {
    case OTLP_TEXT:
        bulk_put_text(out, value->text);
        return;
    case OTLP_MAP:
        (void)bulk_put_attributes(out, value->text, 1);
        return;
    case OTLP_ARRAY:
        put_array(out, value->text);
        return;
    case OTLP_BLOB:
        leat_strbuf_putc(out, '"');
        leat_strbuf_base64(out, value->text.at, value->text.len);
        leat_strbuf_putc(out, '"');
        return;
    case OTLP_REAL:
        put_real(out, value->real);
        return;
    case OTLP_TRUTH:
        leat_strbuf_puts(out, value->integer ? "true" : "false");
        return;
    case OTLP_INTEGER:
    case OTLP_TEXT_INDEX:
        bulk_put_integer(out, value->integer);
        return;
    case OTLP_EMPTY:
        BULK_PUTS(out, "null");
        return;
    }
}

void bulk_put_plain(struct leat_strbuf *out, const struct otlp_value *value)
{
    if (value->kind == OTLP_TEXT)
        leat_strbuf_put(out, value->text.at, value->text.len);
    else if (value->kind == OTLP_BLOB)
        leat_strbuf_base64(out, value->text.at, value->text.len);
    else if (value->kind == OTLP_REAL)
        json_put_double(out, value->real);
    else if (value->kind != OTLP_EMPTY)
        bulk_put_value(out, value);
}

void bulk_put_string(struct leat_strbuf *out, const struct otlp_value *value)
{
    struct leat_strbuf text = {0};
    if (value->kind == OTLP_TEXT) {
        bulk_put_text(out, value->text);
    } else if (value->kind == OTLP_MAP || value->kind == OTLP_ARRAY) { /* rare: their text is escaped once more */
        bulk_put_value(&text, value);
        json_put_string(out, text.at, text.len);
        out->failed |= text.failed;
        leat_strbuf_done(&text);
    } else if (value->kind == OTLP_REAL && !isfinite(value->real)) {
        json_put_double(out, value->real); /* a string already */
    } else if (value->kind == OTLP_BLOB) {
        bulk_put_value(out, value);
    } else {
        leat_strbuf_putc(out, '"');
        bulk_put_plain(out, value);
        leat_strbuf_putc(out, '"');
    }
}

/* ---- times ---- */

static void two(char *at, int value)
{
    at[0] = (char)('0' + value / 10 % 10);
    at[1] = (char)('0' + value % 10);
}

static void clock_set(struct bulk_clock *clock, uint64_t second)
{
    struct tm tm = {0};
    time_t t = (time_t)second; /* below 2^64 ns: no year has more than four digits */
    (void)gmtime_r(&t, &tm);
    memcpy(clock->text, "0000-00-00T00:00:00", sizeof clock->text);
    two(clock->text, (tm.tm_year + 1900) / 100);
    two(clock->text + 2, (tm.tm_year + 1900) % 100);
    two(clock->text + 5, tm.tm_mon + 1);
    two(clock->text + 8, tm.tm_mday);
    two(clock->text + 11, tm.tm_hour);
    two(clock->text + 14, tm.tm_min);
    two(clock->text + 17, tm.tm_sec);
    clock->second = second;
    clock->set = true;
}

void bulk_clock_to(struct bulk_clock *clock, uint64_t unix_ns)
{
    if (!clock->set || clock->second != unix_ns / NS_PER_S)
        clock_set(clock, unix_ns / NS_PER_S);
}

void bulk_put_time(struct leat_strbuf *out, struct bulk_clock *clock, uint64_t unix_ns)
{
    uint64_t rest = unix_ns % NS_PER_S;
    char text[32];
    bulk_clock_to(clock, unix_ns);
    text[0] = '"';
    memcpy(text + 1, clock->text, sizeof clock->text);
    text[20] = '.';
    for (int i = 29; i > 20; i--, rest /= 10)
        text[i] = (char)('0' + rest % 10);
    text[30] = 'Z';
    text[31] = '"';
    leat_strbuf_put(out, text, sizeof text);
}
