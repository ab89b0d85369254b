/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc_text.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>

#define NS_PER_S 1000000000ull

const char *leat_grpc_code_name(int code)
{
    static const char *const names[] = {
        "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"};
    return code >= 0 && code < (int)(sizeof names / sizeof *names) ? names[code] : "UNKNOWN";
}

/* ---- percent ---- */

uint32_t leat_grpc__percent_encode(struct leat_slice text, char *to)
{
    static const char hex[] = "0123456789ABCDEF";
    uint32_t n = 0, len = text.len < LEAT_GRPC_TEXT_MAX ? text.len : LEAT_GRPC_TEXT_MAX;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t c = text.at[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            to[n++] = (char)c;
            continue;
        }
        to[n++] = '%';
        to[n++] = hex[c >> 4];
        to[n++] = hex[c & 15];
    }
    return n;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint32_t leat_grpc__percent_decode(struct leat_slice text, uint8_t *to)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        bool escape = text.at[i] == '%' && i + 2 < text.len;
        int high = escape ? hex_value(text.at[i + 1]) : -1, low = escape ? hex_value(text.at[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            to[n++] = (uint8_t)(high << 4 | low);
            i += 2;
        } else {
            to[n++] = text.at[i];
        }
    }
    return n;
}

/* ---- base64 ---- */

uint32_t leat_grpc__base64_encode(struct leat_slice bytes, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t n = 0;
    for (uint32_t i = 0; i < bytes.len; i += 3) {
        uint32_t left = bytes.len - i, word = (uint32_t)bytes.at[i] << 16;
        word |= left > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0;
        word |= left > 2 ? (uint32_t)bytes.at[i + 2] : 0;
        to[n++] = digits[word >> 18];
        to[n++] = digits[word >> 12 & 63];
        if (left > 1)
            to[n++] = digits[word >> 6 & 63];
        if (left > 2)
            to[n++] = digits[word & 63];
    }
    return n;
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool leat_grpc__base64_decode(struct leat_slice text, uint8_t *to, uint32_t *ret_len)
{
    while (text.len && text.at[text.len - 1] == '=')
        text.len--;
    if (text.len % 4 == 1)
        return false;
    uint32_t word = 0, bits = 0, n = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        int value = base64_value(text.at[i]);
        if (value < 0)
            return false;
        word = word << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[n++] = (uint8_t)(word >> bits);
        }
    }
    *ret_len = n;
    return true;
}

/* ---- timeouts ---- */

static uint64_t unit_ns(uint8_t unit)
{
    switch (unit) {
    case 'H':
        return 3600 * NS_PER_S;
    case 'M':
        return 60 * NS_PER_S;
    case 'S':
        return NS_PER_S;
    case 'm':
        return 1000000;
    case 'u':
        return 1000;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

bool leat_grpc__timeout_parse(struct leat_slice text, uint64_t *ret_ns)
{
    if (text.len < 2 || text.len > 9)
        return false;
    uint64_t unit = unit_ns(text.at[text.len - 1]), value = 0;
    for (uint32_t i = 0; i + 1 < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (!unit)
        return false;
    *ret_ns = value > UINT64_MAX / unit ? UINT64_MAX : value * unit;
    return true;
}

uint32_t leat_grpc__timeout_print(uint64_t ns, char to[24])
{
    static const char units[] = "numSMH";
    for (const char *unit = units; *unit; unit++) {
        uint64_t one = unit_ns((uint8_t)*unit), value = ns / one + (ns % one != 0);
        if (value <= 99999999)
            return (uint32_t)snprintf(to, 24, "%llu%c", (unsigned long long)value, *unit);
    }
    return (uint32_t)snprintf(to, 24, "99999999H");
}

/* ---- content types, encodings ---- */

bool leat_grpc__is_grpc(struct leat_slice type)
{
    struct leat_slice want = LEAT_SLICE("application/grpc");
    if (type.len < want.len || !leat_slice_ieq(leat_slice_sub(type, 0, want.len), want))
        return false;
    return type.len == want.len || type.at[want.len] == '+' || type.at[want.len] == ';';
}

/* The peers' "snappy" is the framed format and their "deflate" is zlib's. */
static const struct {
    const char *name;
    enum leat_coding coding;
} codings[] = {{"identity", LEAT_CODING_NONE},
               {"gzip", LEAT_CODING_GZIP},
               {"zstd", LEAT_CODING_ZSTD},
               {"deflate", LEAT_CODING_ZLIB},
               {"snappy", LEAT_CODING_SNAPPY_FRAMED}};

bool leat_grpc__coding_parse(struct leat_slice name, enum leat_coding *ret_coding)
{
    *ret_coding = LEAT_CODING_NONE;
    if (name.len == 0)
        return true;
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (leat_slice_is(name, codings[i].name)) {
            *ret_coding = codings[i].coding;
            return true;
        }
    return false;
}

const char *leat_grpc__coding_name(enum leat_coding coding)
{
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (codings[i].coding == coding)
            return codings[i].name;
    return NULL;
}

/* ---- statuses ---- */

bool leat_grpc__code_parse(struct leat_slice text, int *ret_code)
{
    if (text.len == 0 || text.len > 9)
        return false;
    int code = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        code = code * 10 + (text.at[i] - '0');
    }
    *ret_code = code <= LEAT_GRPC_UNAUTHENTICATED ? code : LEAT_GRPC_UNKNOWN;
    return true;
}

int leat_grpc__code_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return LEAT_GRPC_INTERNAL;
    case 401:
        return LEAT_GRPC_UNAUTHENTICATED;
    case 403:
        return LEAT_GRPC_PERMISSION_DENIED;
    case 404:
        return LEAT_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return LEAT_GRPC_UNAVAILABLE;
    default:
        return LEAT_GRPC_UNKNOWN;
    }
}

int leat_grpc__code_of_reset(uint32_t h2_error)
{
    switch (h2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return LEAT_GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return LEAT_GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return LEAT_GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return LEAT_GRPC_PERMISSION_DENIED;
    default:
        return LEAT_GRPC_INTERNAL;
    }
}

/* ---- google.rpc.Status ---- */

struct field {
    uint32_t number;
    uint64_t value;          /* wire type 0 */
    struct leat_slice bytes; /* wire type 2 */
};

static bool read_varint(struct leat_slice *in, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < in->len && i < 10; i++) {
        value |= (uint64_t)(in->at[i] & 0x7f) << (7 * i);
        if (in->at[i] < 0x80) {
            *in = leat_slice_sub(*in, i + 1, in->len - i - 1);
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Eats one field; false at the end and when malformed. */
static bool read_field(struct leat_slice *in, struct field *ret_field)
{
    uint64_t key, len;
    *ret_field = (struct field){0};
    if (!read_varint(in, &key))
        return false;
    ret_field->number = (uint32_t)(key >> 3);
    if ((key & 7) == 0)
        return read_varint(in, &ret_field->value);
    if ((key & 7) == 2 && !read_varint(in, &len))
        return false;
    if ((key & 7) == 1 || (key & 7) == 5)
        len = (key & 7) == 1 ? 8 : 4;
    else if ((key & 7) != 2)
        return false;
    if (len > in->len)
        return false;
    ret_field->bytes = leat_slice_sub(*in, 0, (uint32_t)len);
    *in = leat_slice_sub(*in, (uint32_t)len, in->len - (uint32_t)len);
    return true;
}

static struct leat_slice find(struct leat_slice in, uint32_t number)
{
    struct field field;
    while (read_field(&in, &field))
        if (field.number == number && field.bytes.at)
            return field.bytes;
    return (struct leat_slice){0};
}

static bool is_retry_info(struct leat_slice type_url)
{
    struct leat_slice want = LEAT_SLICE("/google.rpc.RetryInfo");
    return type_url.len >= want.len && leat_slice_eq(leat_slice_sub(type_url, type_url.len - want.len, want.len), want);
}

static uint64_t duration_ns(struct leat_slice duration)
{
    struct field field;
    uint64_t seconds = 0, nanos = 0;
    while (read_field(&duration, &field)) {
        if (field.number == 1)
            seconds = field.value > INT64_MAX ? 0 : field.value; /* negative: at once */
        else if (field.number == 2)
            nanos = field.value < NS_PER_S ? field.value : 0;
    }
    return seconds > UINT64_MAX / NS_PER_S - 1 ? UINT64_MAX : seconds * NS_PER_S + nanos;
}

bool leat_grpc__retry_info(struct leat_slice status, uint64_t *ret_delay_ns)
{
    struct field detail; /* Status{details=3: Any{type_url=1, value=2: RetryInfo{retry_delay=1: Duration}}} */
    while (read_field(&status, &detail)) {
        if (detail.number != 3 || !is_retry_info(find(detail.bytes, 1)))
            continue;
        *ret_delay_ns = duration_ns(find(find(detail.bytes, 2), 1));
        return true;
    }
    return false;
}
