/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom_text/prom_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/prom/prom.h"

#define DIGITS_MAX 19u        /* what fits into 64 bits for certain */
#define EXPONENT_MAX 100000   /* further digits of an exponent change nothing */
#define WIDE_MANTISSA 64      /* bits of a long double's mantissa on x86: ten to the 27th is exact in it */
#define WIDE_TEN_MAX 27

static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const long double wide_tens[] = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
    1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

static bool is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

static bool parse_word(const uint8_t *at, const uint8_t *end, bool sign, bool minus, double *ret_value)
{
    size_t len = (size_t)(end - at);
    const char *text = (const char *)at;
    if ((len == 3 && strncasecmp(text, "inf", 3) == 0) || (len == 8 && strncasecmp(text, "infinity", 8) == 0)) {
        *ret_value = minus ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (sign || len != 3 || strncasecmp(text, "nan", 3) != 0)
        return false;
    uint64_t bits = LEAT_PROM_NAN_BITS;
    memcpy(ret_value, &bits, sizeof bits);
    return true;
}

static bool parse_slowly(const uint8_t *at, const uint8_t *end, double *ret_value)
{
    char text[PROM_NUMBER_BYTES_MAX + 1];
    size_t len = (size_t)(end - at);
    if (len > PROM_NUMBER_BYTES_MAX)
        return false;
    memcpy(text, at, len);
    text[len] = '\0';
    *ret_value = strtod(text, NULL);
    return !isinf(*ret_value);
}

/* Correct when the wider result is not half-way between two doubles, where rounding twice would go wrong. */
static bool round_wide(long double wide, double *ret_value)
{
    uint64_t mantissa = 0;
    memcpy(&mantissa, &wide, sizeof mantissa);
    uint64_t low = mantissa & 0x7ff;
    if (low >= 0x3ff && low <= 0x401)
        return false;
    *ret_value = (double)wide;
    return true;
}

static bool scale(uint64_t mantissa, int exponent, double *ret_value)
{
    if (mantissa <= 1ull << DBL_MANT_DIG && exponent >= -22 && exponent <= 22) {
        double whole = (double)mantissa;
        *ret_value = exponent < 0 ? whole / tens[-exponent] : whole * tens[exponent];
        return true;
    }
    if (LDBL_MANT_DIG != WIDE_MANTISSA || exponent < -WIDE_TEN_MAX || exponent > WIDE_TEN_MAX || mantissa == 0)
        return false;
    long double whole = (long double)mantissa;
    return round_wide(exponent < 0 ? whole / wide_tens[-exponent] : whole * wide_tens[exponent], ret_value);
}

/* Behind 'e': NULL when malformed. */
static const uint8_t *parse_exponent(const uint8_t *at, const uint8_t *end, int *exponent)
{
    bool minus = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return NULL;
    int value = 0;
    for (; at < end && is_digit(*at); at++)
        value = value < EXPONENT_MAX ? value * 10 + (*at - '0') : value;
    *exponent += minus ? -value : value;
    return at;
}

bool prom_number_parse(const uint8_t *at, const uint8_t *end, double *ret_value)
{
    const uint8_t *start = at;
    bool minus = at < end && *at == '-', sign = minus || (at < end && *at == '+');
    at += sign;
    if (at == end)
        return false;
    uint64_t mantissa = 0;
    const uint8_t *digits = at;
    for (; at < end && is_digit(*at); at++)
        mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    size_t count = (size_t)(at - digits);
    int exponent = 0;
    if (at < end && *at == '.') {
        const uint8_t *fraction = ++at;
        for (; at < end && is_digit(*at); at++)
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
        exponent = -(int)(at - fraction < EXPONENT_MAX ? at - fraction : EXPONENT_MAX);
        count += (size_t)(at - fraction);
    }
    if (count == 0)
        return parse_word(digits, end, sign, minus, ret_value);
    if (at < end && (*at == 'e' || *at == 'E') && !(at = parse_exponent(at + 1, end, &exponent)))
        return false;
    if (at != end)
        return false;
    if (count > DIGITS_MAX || !scale(mantissa, exponent, ret_value))
        return parse_slowly(start, end, ret_value);
    if (minus)
        *ret_value = -*ret_value;
    return true;
}

bool prom_int_parse(const uint8_t *at, const uint8_t *end, int64_t *ret_value)
{
    uint64_t value = 0;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (!is_digit(*at) || value > (uint64_t)INT64_MAX / 10)
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    *ret_value = (int64_t)value;
    return value <= INT64_MAX;
}

/* The next text of as many digits, away from zero; false: it would have one more before the point. */
static bool count_up(char *text)
{
    for (char *at = strchr(text, 'e') - 1; at >= text && *at != '-'; at--) {
        if (*at == '.')
            continue;
        if (*at != '9') {
            ++*at;
            return true;
        }
        *at = '0';
    }
    return false;
}

/* "-d.ddde-dd" with as few digits as read back as the same; answers how many digits stand before the 'e'. Doubles lie closer
 * below a power of two than above: there the second nearest text may read back where the nearest does not. */
static int shortest(double value, char to[PROM_NUMBER_TEXT_MAX])
{
    int exponent;
    bool power_of_two = fabs(frexp(value, &exponent)) == 0.5;
    for (int digits = 1; digits < 17; digits++) {
        snprintf(to, PROM_NUMBER_TEXT_MAX, "%.*e", digits - 1, value);
        if (strtod(to, NULL) == value || (power_of_two && count_up(to) && strtod(to, NULL) == value))
            return digits;
    }
    snprintf(to, PROM_NUMBER_TEXT_MAX, "%.16e", value);
    return 17;
}

static uint32_t put_text(const char *text, char to[PROM_NUMBER_TEXT_MAX])
{
    uint32_t len = (uint32_t)strlen(text);
    memcpy(to, text, len + 1);
    return len;
}

uint32_t prom_number_put(double value, char to[PROM_NUMBER_TEXT_MAX])
{
    if (isnan(value))
        return put_text("NaN", to);
    if (isinf(value))
        return put_text(value < 0 ? "-Inf" : "+Inf", to);
    if (value == 0)
        return put_text("0.0", to);
    int digits = shortest(value, to);
    int exponent = atoi(strchr(to, 'e') + 1);
    if (exponent >= -4 && exponent < 6) {
        int places = digits - 1 - exponent;
        snprintf(to, PROM_NUMBER_TEXT_MAX, "%.*f", places > 0 ? places : 0, value);
    }
    size_t len = strlen(to);
    if (!strpbrk(to, ".e"))
        len = (size_t)(stpcpy(to + len, ".0") - to);
    return (uint32_t)len;
}
