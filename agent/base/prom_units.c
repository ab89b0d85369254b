/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/prom_units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24ll * 3600 * 1000)

static const struct unit {
    const char *name;
    int64_t ms;
    bool exact; /* shown only when nothing is left over */
} units[] = {{"y", 365 * DAY_MS, true}, {"w", 7 * DAY_MS, true}, {"d", DAY_MS, false}, {"h", 3600000, false},
             {"m", 60000, false},       {"s", 1000, false},      {"ms", 1, false}};
#define UNIT_COUNT (sizeof units / sizeof *units)

/* The unit at `name` not before units[from]; UNIT_COUNT: none. */
static size_t unit_at(const char *name, size_t len, size_t from)
{
    for (size_t i = from; i < UNIT_COUNT; i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
            return i;
    return UNIT_COUNT;
}

leat_rc leat_prom_duration(const char *text, int64_t *ret_ns, struct leat_err *reterr)
{
    int64_t sum_ms = 0;
    size_t from = 0;
    if (text[0] == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "empty duration string");
    for (const char *at = text; *at && strcmp(text, "0") != 0;) {
        int64_t value = 0;
        size_t digits = strspn(at, "0123456789"), len = strcspn(at + digits, "0123456789");
        size_t unit = unit_at(at + digits, len, from);
        if (digits == 0 || unit == UNIT_COUNT)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "not a valid duration string: \"%.100s\"", text);
        for (size_t i = 0; i < digits; i++)
            if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, at[i] - '0', &value))
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "duration out of range");
        if (__builtin_mul_overflow(value, units[unit].ms, &value) || __builtin_add_overflow(sum_ms, value, &sum_ms))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "duration out of range");
        at += digits + len;
        from = unit + 1;
    }
    if (__builtin_mul_overflow(sum_ms, 1000000, &sum_ms))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "duration out of range");
    *ret_ns = sum_ms;
    return LEAT_OK;
}

void leat_prom_duration_text(int64_t ns, struct leat_strbuf *out)
{
    int64_t ms = ns / 1000000;
    if (ms == 0)
        leat_strbuf_puts(out, "0s");
    for (size_t i = 0; i < UNIT_COUNT && ms > 0; i++) {
        if (units[i].exact && ms % units[i].ms != 0)
            continue;
        if (ms >= units[i].ms)
            leat_strbuf_printf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
        ms %= units[i].ms;
    }
}

leat_rc leat_prom_size(const char *text, int64_t *ret_bytes, struct leat_err *reterr)
{
    static const char letters[] = "KMGTPE";
    char *end;
    double value = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : -1;
    if (value >= 0 && strspn(text, "0123456789.") == (size_t)(end - text)) {
        const char *letter = *end ? strchr(letters, *end) : NULL;
        const char *rest = letter ? end + 1 : end;
        for (const char *at = letters; letter && at <= letter; at++)
            value *= 1024;
        bool known = strcmp(rest, "B") == 0 || (letter && strcmp(rest, "iB") == 0) || (!letter && !*rest);
        if (known && value < 0x1p63) {
            *ret_bytes = (int64_t)value;
            return LEAT_OK;
        }
    }
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "invalid size \"%.100s\": write it as 512B, 64KB, 10MB or 1GB", text);
}
