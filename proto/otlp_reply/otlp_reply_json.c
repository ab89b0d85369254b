/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "proto/otlp_reply/otlp_reply.h"

#define DEPTH_MAX 32

struct json {
    const uint8_t *at, *end;
    int depth;
};

static void skip_space(struct json *json)
{
    while (json->at < json->end && memchr(" \t\r\n", *json->at, 4))
        json->at++;
}

static bool eat(struct json *json, char c)
{
    skip_space(json);
    if (json->at == json->end || *json->at != (uint8_t)c)
        return false;
    json->at++;
    return true;
}

/* The text between the quotes, escapes still in it. */
static bool string(struct json *json, struct leat_slice *ret_raw)
{
    if (!eat(json, '"'))
        return false;
    const uint8_t *from = json->at;
    for (; json->at < json->end; json->at++) {
        if (*json->at == '"') {
            *ret_raw = leat_slice_of(from, (uint32_t)(json->at++ - from));
            return true;
        }
        if (*json->at < ' ' || (*json->at == '\\' && ++json->at == json->end))
            return false;
    }
    return false;
}

static bool skip_value(struct json *json);

static bool skip_items(struct json *json, char close, bool keyed)
{
    struct leat_slice key;
    if (++json->depth > DEPTH_MAX)
        return false;
    bool first = true;
    while (!eat(json, close)) {
        if (!first && !eat(json, ','))
            return false;
        first = false;
        if (keyed && (!string(json, &key) || !eat(json, ':')))
            return false;
        if (!skip_value(json))
            return false;
    }
    json->depth--;
    return true;
}

static bool skip_value(struct json *json)
{
    struct leat_slice text;
    skip_space(json);
    if (json->at == json->end)
        return false;
    if (*json->at == '"')
        return string(json, &text);
    if (eat(json, '{'))
        return skip_items(json, '}', true);
    if (eat(json, '['))
        return skip_items(json, ']', false);
    const uint8_t *from = json->at;
    while (json->at < json->end && (isalnum(*json->at) || memchr("+-.", *json->at, 3)))
        json->at++;
    return json->at > from;
}

/* A 64-bit number, bare or in quotes. */
static bool number(struct json *json, uint64_t *ret_value)
{
    struct leat_slice text;
    skip_space(json);
    if (json->at < json->end && *json->at == '"') {
        if (!string(json, &text))
            return false;
    } else {
        const uint8_t *from = json->at;
        if (!skip_value(json))
            return false;
        text = leat_slice_of(from, (uint32_t)(json->at - from));
    }
    uint64_t value = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        if (!isdigit(text.at[i]) || value > INT64_MAX / 10)
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    *ret_value = value;
    return text.len != 0;
}

/* For people only: a \uXXXX becomes '?'. */
static void unescape(struct otlp_reply *reply, struct leat_slice raw)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < raw.len && n < OTLP_REPLY_TEXT_MAX; i++) {
        char c = (char)raw.at[i];
        if (c == '\\') {
            c = (char)raw.at[++i];
            if (c == 'u') {
                c = '?';
                i += raw.len - i > 4 ? 4 : raw.len - i;
            } else if (strchr("nrtbf", c)) {
                c = ' ';
            }
        }
        reply->scratch[n++] = c;
    }
    reply->text = leat_slice_of(reply->scratch, n);
}

static bool key_is(struct leat_slice key, const char *prefix)
{
    size_t len = strlen(prefix);
    return key.len >= len && memcmp(key.at, prefix, len) == 0;
}

static bool read_value(struct json *json, struct leat_slice key, const char *text_key, struct otlp_reply *reply);

static bool read_object(struct json *json, const char *text_key, struct otlp_reply *reply)
{
    struct leat_slice key;
    if (!eat(json, '{'))
        return false;
    for (bool first = true; !eat(json, '}'); first = false)
        if ((!first && !eat(json, ',')) || !string(json, &key) || !eat(json, ':') ||
            !read_value(json, key, text_key, reply))
            return false;
    return true;
}

static bool read_value(struct json *json, struct leat_slice key, const char *text_key, struct otlp_reply *reply)
{
    struct leat_slice raw;
    skip_space(json);
    bool is_null = json->end - json->at >= 4 && memcmp(json->at, "null", 4) == 0;
    if (!is_null && leat_slice_is(key, "partialSuccess"))
        return read_object(json, "errorMessage", reply);
    if (!is_null && key_is(key, "rejected"))
        return number(json, &reply->rejected);
    if (is_null || !leat_slice_is(key, text_key))
        return skip_value(json);
    if (!string(json, &raw))
        return false;
    unescape(reply, raw);
    return true;
}

static leat_rc read_whole(struct leat_slice body, const char *text_key, struct otlp_reply *reply)
{
    struct json json = {.at = body.at, .end = body.at + body.len};
    reply->rejected = 0;
    reply->text = (struct leat_slice){0};
    if (!read_object(&json, text_key, reply))
        return LEAT_EPARSE;
    skip_space(&json);
    return json.at == json.end ? LEAT_OK : LEAT_EPARSE;
}

leat_rc otlp_reply_read_json(struct leat_slice body, struct otlp_reply *ret_reply)
{
    return read_whole(body, "errorMessage", ret_reply);
}

leat_rc otlp_reply_status_json(struct leat_slice body, struct otlp_reply *ret_reply)
{
    return read_whole(body, "message", ret_reply);
}
