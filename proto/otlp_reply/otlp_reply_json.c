/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "proto/json/json_read.h"
#include "proto/otlp_reply/otlp_reply.h"

#define DEPTH_MAX 32u
#define ESCAPE_BYTES_MAX 6u /* \uXXXX */

/* A 64-bit number, bare or in quotes. */
static bool number_of(const struct json_token *token, uint64_t *ret_value)
{
    uint64_t value = 0;
    if ((token->type != JSON_NUMBER && token->type != JSON_STRING) || token->len == 0)
        return false;
    for (uint32_t i = 0; i < token->len; i++) {
        if (!isdigit((unsigned char)token->at[i]) || value > INT64_MAX / 10)
            return false;
        value = value * 10 + (uint64_t)(token->at[i] - '0');
    }
    *ret_value = value;
    return true;
}

/* Texts are for people: a long one is cut, but never inside an escape. */
static uint32_t kept_len(const struct json_token *token)
{
    uint32_t len = OTLP_REPLY_TEXT_MAX;
    if (token->len <= len)
        return token->len;
    for (uint32_t back = 1; back < ESCAPE_BYTES_MAX; back++)
        if (token->at[len - back] == '\\') {
            len -= back;
            break;
        }
    while (len && token->at[len - 1] == '\\')
        len--;
    return len;
}

static bool text_of(struct otlp_reply *reply, struct json_token *token)
{
    if (token->type != JSON_STRING)
        return token->type == JSON_NULL;
    token->len = kept_len(token);
    uint32_t len = token->len;
    if (token->escaped)
        len = json_unescape(token, reply->scratch);
    else
        memcpy(reply->scratch, token->at, len);
    reply->text = leat_slice_of(reply->scratch, len);
    return true;
}

static bool read_object(struct json_reader *json, const char *text_key, struct otlp_reply *reply);

static bool read_member(struct json_reader *json, const struct json_token *key, const char *text_key,
                        struct otlp_reply *reply)
{
    struct json_token token;
    bool partial = json_is(key, "partialSuccess"), is_text = json_is(key, text_key);
    bool rejected = key->len > 8 && memcmp(key->at, "rejected", 8) == 0;
    if (!partial && !is_text && !rejected)
        return json_skip(json);
    enum json_type type = json_next(json, &token);
    if (partial)
        return type == JSON_NULL || (type == JSON_OBJECT && read_object(json, "errorMessage", reply));
    return is_text ? text_of(reply, &token) : number_of(&token, &reply->rejected);
}

/* Its opening brace was read. */
static bool read_object(struct json_reader *json, const char *text_key, struct otlp_reply *reply)
{
    struct json_token key;
    while (json_next(json, &key) == JSON_KEY)
        if (!read_member(json, &key, text_key, reply))
            return false;
    return key.type == JSON_OBJECT_END;
}

static leat_rc read_whole(struct leat_slice body, const char *text_key, struct otlp_reply *reply)
{
    struct json_reader json;
    struct json_token token;
    reply->rejected = 0;
    reply->text = (struct leat_slice){0};
    json_begin(&json, body.at, body.len, DEPTH_MAX);
    bool whole = json_next(&json, &token) == JSON_OBJECT && read_object(&json, text_key, reply) &&
                 json_next(&json, &token) == JSON_END;
    return whole ? LEAT_OK : LEAT_EPARSE;
}

leat_rc otlp_reply_read_json(struct leat_slice body, struct otlp_reply *ret_reply)
{
    return read_whole(body, "errorMessage", ret_reply);
}

leat_rc otlp_reply_status_json(struct leat_slice body, struct otlp_reply *ret_reply)
{
    return read_whole(body, "message", ret_reply);
}
