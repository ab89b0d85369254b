/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json/json_read.h"

#include "proto/json/json_scan.h"
#include "proto/utf8/utf8.h"

enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA_OR_END, NOTHING, FAILED };

const char *json__special_scalar(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

void json_begin(struct json_reader *r, const void *at, size_t len, uint32_t depth_max)
{
    r->begin = r->at = at ? at : ""; /* an empty chain has no bytes to point at */
    r->end = r->begin + len;
    r->why = NULL;
    r->depth = 0;
    r->depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    r->expect = VALUE;
}

static enum json_type fail(struct json_reader *r, const char *why)
{
    if (r->expect != FAILED)
        r->why = why;
    r->expect = FAILED;
    return JSON_ERROR;
}

static bool in_object(const struct json_reader *r)
{
    return r->depth && r->is_object[(r->depth - 1) / 8] >> ((r->depth - 1) % 8) & 1;
}

static void blanks(struct json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static void value_done(struct json_reader *r)
{
    r->expect = r->depth ? COMMA_OR_END : NOTHING;
}

static enum json_type open_nest(struct json_reader *r, bool object)
{
    if (r->depth == r->depth_max)
        return fail(r, "nested too deep");
    uint8_t bit = (uint8_t)(1u << (r->depth % 8));
    if (object)
        r->is_object[r->depth / 8] |= bit;
    else
        r->is_object[r->depth / 8] &= (uint8_t)~bit;
    r->depth++;
    r->at++;
    r->expect = object ? KEY_OR_END : VALUE_OR_END;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_type close_nest(struct json_reader *r)
{
    bool object = in_object(r);
    r->at++;
    r->depth--;
    value_done(r);
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Past a backslash and what belongs to it, or NULL. */
static const char *escape(const char *at, const char *end)
{
    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return memchr("\"\\/bfnrt", at[1], 8) ? at + 2 : NULL;
    if (end - at < 6)
        return NULL;
    for (int i = 2; i < 6; i++)
        if (hex_digit(at[i]) < 0)
            return NULL;
    return at + 6;
}

static enum json_type string(struct json_reader *r, struct json_token *t, enum json_type type)
{
    const char *begin = ++r->at;
    t->escaped = false;
    for (;;) {
        r->at = json__special(r->at, r->end);
        if (r->at == r->end)
            return fail(r, "string without an end");
        if (*r->at == '"')
            break;
        if (*r->at != '\\')
            return fail(r, "control character in a string");
        const char *next = escape(r->at, r->end);
        if (!next)
            return fail(r, "bad escape");
        t->escaped = true;
        r->at = next;
    }
    size_t len = (size_t)(r->at - begin);
    const uint8_t *bytes = (const uint8_t *)begin, *end = bytes + len;
    if (utf8_high(bytes, end) != end && !utf8_ok(bytes, len))
        return fail(r, "string is not UTF-8");
    if (len > UINT32_MAX)
        return fail(r, "string too long");
    t->at = begin;
    t->len = (uint32_t)len;
    r->at++;
    return type;
}

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static enum json_type number(struct json_reader *r, struct json_token *t)
{
    const char *at = r->at, *end = r->end;
    at += *at == '-';
    const char *whole = digits(at, end);
    if (whole == at || (*at == '0' && whole != at + 1))
        return fail(r, "bad number");
    at = whole;
    t->integer = true;
    if (at < end && *at == '.') {
        const char *part = digits(at + 1, end);
        if (part == at + 1)
            return fail(r, "bad number");
        at = part;
        t->integer = false;
    }
    if (at < end && (*at | 0x20) == 'e') {
        const char *sign = at + 1 + (at + 1 < end && (at[1] == '+' || at[1] == '-'));
        at = digits(sign, end);
        if (at == sign)
            return fail(r, "bad number");
        t->integer = false;
    }
    t->at = r->at;
    t->len = (uint32_t)(at - r->at);
    r->at = at;
    value_done(r);
    return JSON_NUMBER;
}

static enum json_type word(struct json_reader *r, const char *text, enum json_type type)
{
    size_t len = strlen(text);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
        return fail(r, "unknown word");
    r->at += len;
    value_done(r);
    return type;
}

static enum json_type value(struct json_reader *r, struct json_token *t)
{
    enum json_type type;
    switch (*r->at) {
    case '{':
        return open_nest(r, true);
    case '[':
        return open_nest(r, false);
    case '"':
        type = string(r, t, JSON_STRING);
        if (type != JSON_ERROR)
            value_done(r);
        return type;
    case 't':
        return word(r, "true", JSON_TRUE);
    case 'f':
        return word(r, "false", JSON_FALSE);
    case 'n':
        return word(r, "null", JSON_NULL);
    default:
        return *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? number(r, t) : fail(r, "value expected");
    }
}

static enum json_type key(struct json_reader *r, struct json_token *t)
{
    if (*r->at != '"')
        return fail(r, "key expected");
    if (string(r, t, JSON_KEY) == JSON_ERROR)
        return JSON_ERROR;
    blanks(r);
    if (r->at == r->end || *r->at != ':')
        return fail(r, "colon expected");
    r->at++;
    r->expect = VALUE;
    return JSON_KEY;
}

static enum json_type token(struct json_reader *r, struct json_token *t)
{
    blanks(r);
    if (r->expect == FAILED)
        return JSON_ERROR;
    if (r->at == r->end)
        return r->expect == NOTHING ? JSON_END : fail(r, "text ends too early");
    if (r->expect == NOTHING)
        return fail(r, "text behind the value");
    if (r->expect == COMMA_OR_END && *r->at == ',') {
        r->at++;
        blanks(r);
        r->expect = in_object(r) ? KEY : VALUE;
        if (r->at == r->end)
            return fail(r, "text ends too early");
    } else if (r->expect == COMMA_OR_END || r->expect == KEY_OR_END || r->expect == VALUE_OR_END) {
        if (*r->at == (in_object(r) ? '}' : ']'))
            return close_nest(r);
        if (r->expect == COMMA_OR_END)
            return fail(r, "comma expected");
    }
    return r->expect == KEY || r->expect == KEY_OR_END ? key(r, t) : value(r, t);
}

enum json_type json_next(struct json_reader *reader, struct json_token *ret_token)
{
    return ret_token->type = token(reader, ret_token);
}

bool json_skip_to(struct json_reader *reader, uint32_t depth)
{
    struct json_token t;
    while (reader->depth >= depth)
        if (json_next(reader, &t) == JSON_ERROR)
            return false;
    return true;
}

bool json_skip(struct json_reader *reader)
{
    struct json_token t;
    enum json_type type = json_next(reader, &t);
    if (type == JSON_OBJECT || type == JSON_ARRAY)
        return json_skip_to(reader, reader->depth);
    return type != JSON_ERROR && type != JSON_END;
}

static uint32_t hex4(const char *at)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)hex_digit(at[i]);
    return v;
}

/* \uXXXX at `*at`, with its other half if there is one. */
static uint32_t code_point(const char **at, const char *end)
{
    uint32_t high = hex4(*at + 2);
    *at += 6;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        uint32_t low = hex4(*at + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *at += 6;
            return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

uint32_t json_unescape(const struct json_token *t, char *to)
{
    static const char meant[] = {
        ['b' - 'b'] = '\b', ['f' - 'b'] = '\f', ['n' - 'b'] = '\n', ['r' - 'b'] = '\r', ['t' - 'b'] = '\t'};
    char *out = to;
    for (const char *at = t->at, *end = at + t->len; at < end;) {
        const char *stop = memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((stop ? stop : end) - at);
        memmove(out, at, run);
        out += run;
        at += run;
        if (at == end)
            break;
        if (at[1] == 'u') {
            out += utf8_put(code_point(&at, end), (uint8_t *)out);
            continue;
        }
        *out++ = at[1] >= 'b' ? meant[at[1] - 'b'] : at[1];
        at += 2;
    }
    return (uint32_t)(out - to);
}
