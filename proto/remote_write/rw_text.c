/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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
