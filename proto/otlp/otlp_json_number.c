/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_json_number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define TEXT_MAX 64 /* no number needs more; a longer one is refused */

static const char *const severities[] = {"UNSPECIFIED", "TRACE",  "TRACE2", "TRACE3", "TRACE4", "DEBUG",  "DEBUG2",
                                         "DEBUG3",      "DEBUG4", "INFO",   "INFO2",  "INFO3",  "INFO4",  "WARN",
                                         "WARN2",       "WARN3",  "WARN4",  "ERROR",  "ERROR2", "ERROR3", "ERROR4",
                                         "FATAL",       "FATAL2", "FATAL3", "FATAL4", NULL};
static const char *const kinds[] = {"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER", NULL};
static const char *const codes[] = {"UNSET", "OK", "ERROR", NULL};
static const char *const temporalities[] = {"UNSPECIFIED", "DELTA", "CUMULATIVE", NULL};

static const struct {
    const char *field, *prefix;
    const char *const *names;
} enums[] = {{"severity_number", "SEVERITY_NUMBER_", severities},
             {"kind", "SPAN_KIND_", kinds},
             {"code", "STATUS_CODE_", codes},
             {"aggregation_temporality", "AGGREGATION_TEMPORALITY_", temporalities}};

static uint64_t enum_of(const struct otlp_field *f, const char *text)
{
    for (size_t e = 0; e < sizeof enums / sizeof *enums; e++) {
        size_t len = strlen(enums[e].prefix);
        if (strcmp(enums[e].field, f->name) != 0 || strncmp(text, enums[e].prefix, len) != 0)
            continue;
        for (uint64_t i = 0; enums[e].names[i]; i++)
            if (strcmp(enums[e].names[i], text + len) == 0)
                return i;
    }
    return 0;
}

static const char *integer(const char *text, int64_t min, uint64_t max, uint64_t *ret_value)
{
    char *end;
    errno = 0;
    if (text[0] == '-') {
        long long v = strtoll(text, &end, 10);
        if (end == text + 1 || *end)
            return "not an integer";
        *ret_value = (uint64_t)v;
        return errno || v < min ? "number out of range" : NULL;
    }
    if (text[0] < '0' || text[0] > '9')
        return "not an integer";
    unsigned long long v = strtoull(text, &end, 10);
    if (*end)
        return "not an integer";
    *ret_value = v;
    return errno || v > max ? "number out of range" : NULL;
}

static const char *real(const char *text, uint64_t *ret_bits)
{
    char *end;
    double d;
    if (strcmp(text, "NaN") == 0)
        d = NAN;
    else if (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0)
        d = text[0] == '-' ? -INFINITY : INFINITY;
    else if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return "not a number";
    else {
        d = strtod(text, &end);
        if (*end || strpbrk(text, "xXnN"))
            return "not a number";
        if (isinf(d))
            return "number out of range";
    }
    memcpy(ret_bits, &d, sizeof d);
    return NULL;
}

const char *otlp__json_number(const struct otlp_field *f, const struct json_token *t, uint64_t *ret_value)
{
    char text[TEXT_MAX + 1];
    unsigned kind = f->kind & ~(unsigned)OTLP_PACKED;
    if (kind == OTLP_BOOL) {
        *ret_value = t->type == JSON_TRUE;
        return t->type == JSON_TRUE || t->type == JSON_FALSE ? NULL : "true or false expected";
    }
    if ((t->type != JSON_NUMBER && t->type != JSON_STRING) || t->len > TEXT_MAX)
        return "number expected";
    memcpy(text, t->at, t->len);
    text[t->len] = 0;
    switch (kind) {
    case OTLP_DOUBLE:
        return real(text, ret_value);
    case OTLP_ENUM:
        if (t->type == JSON_STRING) {
            *ret_value = enum_of(f, text);
            return NULL;
        }
        return integer(text, INT32_MIN, INT32_MAX, ret_value);
    case OTLP_INT32:
        return integer(text, INT32_MIN, INT32_MAX, ret_value);
    case OTLP_SINT32: {
        const char *why = integer(text, INT32_MIN, INT32_MAX, ret_value);
        *ret_value = (uint32_t)(*ret_value << 1 ^ (uint64_t)((int64_t)*ret_value >> 63));
        return why;
    }
    case OTLP_UINT32:
    case OTLP_FIXED32:
        return integer(text, 0, UINT32_MAX, ret_value);
    case OTLP_UINT64:
    case OTLP_FIXED64:
        return integer(text, 0, UINT64_MAX, ret_value);
    default:
        return integer(text, INT64_MIN, INT64_MAX, ret_value);
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int64_t otlp__json_base64(const struct json_token *t, uint8_t *to)
{
    uint32_t len = t->len, bits = 0, have = 0;
    int64_t out = 0;
    while (len && t->len - len < 2 && t->at[len - 1] == '=')
        len--;
    if (len % 4 == 1 || (len != t->len && t->len % 4))
        return -1;
    for (uint32_t i = 0; i < len; i++) {
        int digit = base64_digit(t->at[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[out++] = (uint8_t)(bits >> have);
        }
    }
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int64_t otlp__json_hex(const struct json_token *t, uint8_t *to)
{
    if (t->len % 2)
        return -1;
    for (uint32_t i = 0; i < t->len; i += 2) {
        int high = hex_digit(t->at[i]), low = hex_digit(t->at[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        to[i / 2] = (uint8_t)(high << 4 | low);
    }
    return t->len / 2;
}
