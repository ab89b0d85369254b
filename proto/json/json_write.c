/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "proto/json/json_scan.h"
#include "proto/utf8/utf8.h"

static void escaped(struct leat_strbuf *out, const char *at, const char *end)
{
    static const char hex[] = "0123456789abcdef";
    while (at < end) {
        const char *stop = json__special(at, end);
        leat_strbuf_put(out, at, (size_t)(stop - at));
        if (stop == end)
            return;
        char c = *stop;
        char text[6] = {'\\', 'u', '0', '0', hex[(unsigned char)c >> 4], hex[c & 15]};
        size_t len = 2;
        switch (c) {
        case '"':
        case '\\':
            text[1] = c;
            break;
        case '\n':
            text[1] = 'n';
            break;
        case '\r':
            text[1] = 'r';
            break;
        case '\t':
            text[1] = 't';
            break;
        default:
            len = 6;
        }
        leat_strbuf_put(out, text, len);
        at = stop + 1;
    }
}

void json_put_escaped(struct leat_strbuf *out, const void *at, size_t len)
{
    const uint8_t *bytes = at, *end = bytes + len;
    if (len == 0)
        return;
    if (utf8_high(bytes, end) == end || utf8_ok(bytes, len)) {
        escaped(out, at, (const char *)at + len);
        return;
    }
    while (bytes < end) { /* broken: character by character */
        unsigned bad = 0, n = utf8_char(bytes, end, &bad);
        if (n)
            escaped(out, (const char *)bytes, (const char *)bytes + n);
        else
            leat_strbuf_puts(out, "\xef\xbf\xbd");
        bytes += n ? n : bad;
    }
}

void json_put_string(struct leat_strbuf *out, const void *at, size_t len)
{
    leat_strbuf_putc(out, '"');
    json_put_escaped(out, at, len);
    leat_strbuf_putc(out, '"');
}

/* "d.ddde+XX" with as few digits as bring the value back; the digits without point, and the exponent. */
static int shortest(double value, char digits[static 32])
{
    char text[40];
    for (int precision = 0; precision <= 16; precision = precision < 14 ? 14 : precision + 1) {
        (void)snprintf(text, sizeof text, "%.*e", precision, value);
        double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof back) == 0)
            break;
    }
    char *e = strchr(text, 'e');
    int exponent = atoi(e + 1), n = 0;
    for (const char *at = text; at < e; at++)
        if (*at != '.')
            digits[n++] = *at;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    return exponent;
}

static void positional(struct leat_strbuf *out, const char *digits, int exponent)
{
    int n = (int)strlen(digits);
    if (exponent < 0) {
        leat_strbuf_puts(out, "0.");
        while (++exponent < 0)
            leat_strbuf_putc(out, '0');
        leat_strbuf_puts(out, digits);
        return;
    }
    int whole = exponent + 1;
    leat_strbuf_put(out, digits, (size_t)(whole < n ? whole : n));
    for (int i = n; i < whole; i++)
        leat_strbuf_putc(out, '0');
    if (whole < n) {
        leat_strbuf_putc(out, '.');
        leat_strbuf_puts(out, digits + whole);
    }
}

void json_put_double(struct leat_strbuf *out, double value)
{
    char digits[32];
    if (isnan(value) || isinf(value)) {
        leat_strbuf_puts(out, isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
        return;
    }
    if (signbit(value))
        leat_strbuf_putc(out, '-');
    value = fabs(value);
    if (value == 0) {
        leat_strbuf_putc(out, '0');
        return;
    }
    int exponent = shortest(value, digits);
    if (value >= 1e-6 && value < 1e21) {
        positional(out, digits, exponent);
        return;
    }
    leat_strbuf_putc(out, digits[0]);
    if (digits[1]) {
        leat_strbuf_putc(out, '.');
        leat_strbuf_puts(out, digits + 1);
    }
    leat_strbuf_printf(out, "e%c%d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}
