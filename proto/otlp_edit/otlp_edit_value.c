/* SPDX-License-Identifier: Apache-2.0 */
/* Single values: made from configuration, converted, hashed, compared. Semantics are the Collector's pdata. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/sha.h>

#include "proto/otlp_edit/otlp_edit_inner.h"

#define TEXT PB_TAG(1, PB_LEN)
#define TRUTH PB_TAG(2, PB_VARINT)
#define INTEGER PB_TAG(3, PB_VARINT)
#define REAL PB_TAG(4, PB_FIXED64)
#define NUMBER_TEXT_MAX 64u
#define DEPTH_MAX 16u

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* ---- from configuration ---- */

static void compile(const struct leat_value *value, struct pb_buf *out, unsigned depth);

static void compile_many(const struct leat_value *value, struct pb_buf *out, unsigned depth)
{
    bool map = value->kind == LEAT_VALUE_MAP;
    size_t list = pb_buf_open(out, PB_TAG(map ? 6 : 5, PB_LEN));
    for (uint32_t i = 0; i < value->count; i++) {
        size_t one = pb_buf_open(out, PB_TAG(1, PB_LEN));
        if (map) {
            pb_buf_bytes(out, PB_TAG(1, PB_LEN), value->keys[i], (uint32_t)strlen(value->keys[i]));
            size_t inner = pb_buf_open(out, PB_TAG(2, PB_LEN));
            compile(&value->items[i], out, depth + 1);
            pb_buf_close(out, inner);
        } else {
            compile(&value->items[i], out, depth + 1);
        }
        pb_buf_close(out, one);
    }
    pb_buf_close(out, list);
}

static void compile(const struct leat_value *value, struct pb_buf *out, unsigned depth)
{
    switch (value->kind) {
    case LEAT_VALUE_BOOL:
        pb_buf_varint(out, TRUTH, value->b);
        break;
    case LEAT_VALUE_INT:
        pb_buf_varint(out, INTEGER, (uint64_t)value->i);
        break;
    case LEAT_VALUE_DOUBLE:
        pb_buf_fixed64(out, REAL, bits_of(value->d));
        break;
    case LEAT_VALUE_STRING:
        pb_buf_bytes(out, TEXT, value->text, (uint32_t)strlen(value->text));
        break;
    case LEAT_VALUE_LIST:
    case LEAT_VALUE_MAP:
        if (depth < DEPTH_MAX)
            compile_many(value, out, depth);
        break;
    case LEAT_NULL:
        break;
    }
}

leat_rc otlp_edit__value_compile(const struct leat_value *value, struct pb_buf *out)
{
    if (!pb_buf_room(out, 1)) /* an empty value is a value too */
        return LEAT_ENOMEM;
    compile(value, out, 0);
    return out->failed ? LEAT_ENOMEM : LEAT_OK;
}

uint32_t otlp_edit__put_text(struct pb_buf *scratch, struct leat_slice text, uint32_t *ret_len)
{
    size_t before = scratch->len;
    pb_buf_bytes(scratch, TEXT, text.at, text.len);
    *ret_len = (uint32_t)(scratch->len - before);
    return scratch->failed ? 0 : (uint32_t)before + 1;
}

/* ---- as text ---- */

bool otlp_edit__text(const struct otlp_value *from, char *room, uint32_t size, struct leat_slice *ret_text)
{
    int len = 0;
    switch (from->kind) {
    case OTLP_TEXT:
        *ret_text = from->text;
        return true;
    case OTLP_TRUTH:
        *ret_text = from->integer ? LEAT_SLICE("true") : LEAT_SLICE("false");
        return true;
    case OTLP_EMPTY:
        *ret_text = LEAT_SLICE("");
        return true;
    case OTLP_INTEGER:
        len = snprintf(room, size, "%lld", (long long)from->integer);
        break;
    case OTLP_REAL:
        if (!isfinite(from->real)) {
            *ret_text = isnan(from->real) ? LEAT_SLICE("NaN")
                        : from->real > 0  ? LEAT_SLICE("+Inf")
                                          : LEAT_SLICE("-Inf");
            return true;
        }
        for (int digits = 15; digits <= 17; digits++) { /* the fewest that read back the same */
            len = snprintf(room, size, "%.*g", digits, from->real);
            if (strtod(room, NULL) == from->real)
                break;
        }
        break;
    default:
        return false;
    }
    *ret_text = leat_slice_of(room, (uint32_t)len);
    return true;
}

/* ---- converting ---- */

enum { TO_INT, TO_DOUBLE, TO_STRING, TO_BOOLEAN };

/* A NUL-terminated copy of a short text; false: too long for a number. */
static bool terminated(struct leat_slice text, char *room)
{
    if (text.len == 0 || text.len >= NUMBER_TEXT_MAX)
        return false;
    memcpy(room, text.at, text.len);
    room[text.len] = 0;
    return strlen(room) == text.len && room[0] != ' ' && !(room[0] >= '\t' && room[0] <= '\r');
}

static bool to_int(const struct otlp_value *from, int64_t *ret)
{
    char room[NUMBER_TEXT_MAX], *end;
    switch (from->kind) {
    case OTLP_TEXT:
        if (!terminated(from->text, room))
            return false;
        errno = 0;
        *ret = strtoll(room, &end, 10);
        return errno == 0 && *end == 0;
    case OTLP_REAL:
        if (!(from->real >= -9223372036854775808.0 && from->real < 9223372036854775808.0))
            return false;
        *ret = (int64_t)from->real;
        return true;
    case OTLP_TRUTH:
    case OTLP_INTEGER:
        *ret = from->integer;
        return true;
    default:
        return false;
    }
}

static bool to_double(const struct otlp_value *from, double *ret)
{
    char room[NUMBER_TEXT_MAX], *end;
    switch (from->kind) {
    case OTLP_TEXT:
        if (!terminated(from->text, room))
            return false;
        *ret = strtod(room, &end);
        return *end == 0;
    case OTLP_REAL:
        *ret = from->real;
        return true;
    case OTLP_TRUTH:
    case OTLP_INTEGER:
        *ret = (double)from->integer;
        return true;
    default:
        return false;
    }
}

static bool is_one_of(struct leat_slice text, const char *const *words)
{
    for (; *words; words++)
        if (leat_slice_is(text, *words))
            return true;
    return false;
}

static bool to_boolean(const struct otlp_value *from, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", NULL};
    switch (from->kind) {
    case OTLP_TEXT:
        *ret = is_one_of(from->text, yes);
        return *ret || is_one_of(from->text, no);
    case OTLP_REAL:
        *ret = from->real != 0;
        return true;
    case OTLP_TRUTH:
    case OTLP_INTEGER:
        *ret = from->integer != 0;
        return true;
    default:
        return false;
    }
}

bool otlp_edit__convert(const struct otlp_value *from, int type, struct pb_buf *scratch)
{
    int64_t integer;
    double real;
    bool truth;
    char room[NUMBER_TEXT_MAX];
    struct leat_slice text;
    if (type == TO_INT && to_int(from, &integer))
        pb_buf_varint(scratch, INTEGER, (uint64_t)integer);
    else if (type == TO_DOUBLE && to_double(from, &real))
        pb_buf_fixed64(scratch, REAL, bits_of(real));
    else if (type == TO_STRING && otlp_edit__text(from, room, sizeof room, &text))
        pb_buf_bytes(scratch, TEXT, text.at, text.len);
    else if (type == TO_BOOLEAN && to_boolean(from, &truth))
        pb_buf_varint(scratch, TRUTH, truth);
    else
        return false;
    return true;
}

/* ---- hashing ---- */

/* SHA-256 of a text's bytes, a number's eight (little endian) or a truth's one, in hex; anything else: an empty text.
 */
void otlp_edit__hash(const struct otlp_value *from, struct pb_buf *scratch)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[8], sum[SHA256_DIGEST_LENGTH], hex[2 * SHA256_DIGEST_LENGTH];
    struct leat_slice what = {0};
    if (from->kind == OTLP_TEXT) {
        what = from->text;
    } else if (from->kind == OTLP_TRUTH) {
        bytes[0] = from->integer != 0;
        what = leat_slice_of(bytes, 1);
    } else if (from->kind == OTLP_INTEGER || from->kind == OTLP_REAL) {
        (void)pb_put_fixed64(bytes, from->kind == OTLP_REAL ? bits_of(from->real) : (uint64_t)from->integer);
        what = leat_slice_of(bytes, 8);
    }
    if (from->kind != OTLP_TEXT && what.len == 0) {
        pb_buf_bytes(scratch, TEXT, "", 0);
        return;
    }
    (void)SHA256(what.len ? what.at : bytes, what.len, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        hex[2 * i] = (uint8_t)digits[sum[i] >> 4];
        hex[2 * i + 1] = (uint8_t)digits[sum[i] & 15];
    }
    pb_buf_bytes(scratch, TEXT, hex, sizeof hex);
}

bool otlp_edit__same(const struct otlp_value *a, const struct otlp_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case OTLP_TEXT:
    case OTLP_BLOB:
    case OTLP_ARRAY: /* as they are written */
    case OTLP_MAP:
        return leat_slice_eq(a->text, b->text);
    case OTLP_REAL:
        return a->real == b->real;
    case OTLP_EMPTY:
        return true;
    default:
        return a->integer == b->integer;
    }
}
