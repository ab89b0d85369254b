/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and sizes: text to number and back. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/schema.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit duration_units[] = {{"ns", 1},          {"us", 1e3},   {"\xc2\xb5s", 1e3},
                                             {"\xce\xbcs", 1e3}, {"ms", 1e6},   {"s", 1e9},
                                             {"m", 60e9},        {"h", 3600e9}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1},     {"b", 1},        {"k", 1e3},       {"kb", 1e3},     {"ki", 1024}, {"kib", 1024},  {"m", 1e6},
    {"mb", 1e6}, {"mi", 1048576}, {"mib", 1048576}, {"g", 1e9},      {"gb", 1e9},  {"gi", 0x1p30}, {"gib", 0x1p30},
    {"t", 1e12}, {"tb", 1e12},    {"ti", 0x1p40},   {"tib", 0x1p40}, {NULL, 0}};

/* Decimal digits with one point; anything else ends it. False: no digit. */
static bool number(const char **at, double *ret)
{
    char copy[32];
    size_t len = strspn(*at, "0123456789.");
    const char *point = memchr(*at, '.', len);
    if (len == 0 || len >= sizeof copy || (len == 1 && point) ||
        (point && memchr(point + 1, '.', len - (size_t)(point + 1 - *at))))
        return false;
    memcpy(copy, *at, len);
    copy[len] = 0;
    *ret = strtod(copy, NULL);
    *at += len;
    return true;
}

static const struct unit *unit_of(const struct unit *units, const char *at, size_t len, bool any_case)
{
    for (; units->name; units++)
        if (strlen(units->name) == len &&
            (any_case ? strncasecmp(units->name, at, len) : strncmp(units->name, at, len)) == 0)
            return units;
    return NULL;
}

leat_rc leat_schema_duration(const char *text, int64_t *ret_ns, struct leat_err *reterr)
{
    const char *at = text + (*text == '-' || *text == '+');
    double sum = 0;
    if (strcmp(at, "0") == 0) {
        *ret_ns = 0;
        return LEAT_OK;
    }
    bool any = false;
    while (*at) {
        double value;
        if (!number(&at, &value))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "time: invalid duration \"%s\"", text);
        size_t len = strcspn(at, "0123456789.");
        if (len == 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "time: missing unit in duration \"%s\"", text);
        const struct unit *unit = unit_of(duration_units, at, len, false);
        if (!unit)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "time: unknown unit \"%.*s\" in duration \"%s\"",
                              (int)(len < 32 ? len : 32), at, text);
        sum += value * unit->factor;
        at += len;
        any = true;
    }
    if (!any || sum >= 0x1p63)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "time: invalid duration \"%s\"", text);
    *ret_ns = (int64_t)llround(text[0] == '-' ? -sum : sum);
    return LEAT_OK;
}

leat_rc leat_schema_size(const char *text, int64_t *ret_bytes, struct leat_err *reterr)
{
    const char *at = text;
    double value = 0;
    bool ok = number(&at, &value);
    at += strspn(at, " ");
    const struct unit *unit = ok ? unit_of(size_units, at, strlen(at), true) : NULL;
    if (!unit || value * unit->factor >= 0x1p63)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "invalid size \"%s\": write bytes, or a number with KiB, MiB, GiB",
                          text);
    *ret_bytes = (int64_t)(value * unit->factor);
    return LEAT_OK;
}

void leat_schema_duration_text(int64_t ns, struct leat_strbuf *out)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    if (ns == 0) {
        leat_strbuf_puts(out, "0s");
        return;
    }
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        leat_strbuf_putc(out, '-');
    for (uint32_t i = 0; i < 6 && left; i++) {
        uint64_t count = left / (uint64_t)units[i].ns;
        left -= count * (uint64_t)units[i].ns;
        if (count)
            leat_strbuf_printf(out, "%" PRIu64 "%s", count, units[i].name);
    }
}
