/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_reply.h"

enum { AT_START, IN_REPLY, IN_ITEMS, AT_END };

void bulk_reply_begin(struct bulk_reply *reply, struct leat_slice body)
{
    *reply = (struct bulk_reply){0};
    json_begin(&reply->json, body.at, body.len, BULK_REPLY_DEPTH_MAX);
}

static struct leat_slice text_of(const struct json_token *token)
{
    return leat_slice_of(token->at, token->len);
}

static int status_of(const struct json_token *token)
{
    int status = 0;
    if (!token->integer || token->len != 3 || token->at[0] == '-')
        return 0;
    for (uint32_t i = 0; i < token->len; i++)
        status = status * 10 + (token->at[i] - '0');
    return status;
}

/* Past a value whose first token was read. False: broken. */
static bool pass(struct json_reader *json, enum json_type type)
{
    return type == JSON_OBJECT || type == JSON_ARRAY ? json_skip_to(json, json->depth) : type > JSON_KEY;
}

/* {"type": "...", "reason": "...", ...}, or a plain string as very old servers have it. False: broken. */
static bool read_error(struct json_reader *json, struct bulk_reply_row *row)
{
    struct json_token token;
    enum json_type type = json_next(json, &token);
    if (type == JSON_STRING)
        row->reason = text_of(&token);
    if (type != JSON_OBJECT)
        return pass(json, type);
    while ((type = json_next(json, &token)) == JSON_KEY) {
        struct leat_slice ignored, *into = &ignored;
        if (json_is(&token, "type"))
            into = &row->type;
        else if (json_is(&token, "reason"))
            into = &row->reason;
        type = json_next(json, &token);
        if (type == JSON_STRING)
            *into = text_of(&token);
        else if (!pass(json, type))
            return false;
    }
    return type == JSON_OBJECT_END;
}

/* {"_index": ..., "status": 201, "error": {...}} behind its opening brace. */
static bool read_result(struct json_reader *json, struct bulk_reply_row *row)
{
    struct json_token token;
    enum json_type type;
    while ((type = json_next(json, &token)) == JSON_KEY) {
        if (json_is(&token, "error")) {
            if (!read_error(json, row))
                return false;
            continue;
        }
        bool status = json_is(&token, "status");
        type = json_next(json, &token);
        if (!pass(json, type))
            return false;
        if (status && type == JSON_NUMBER)
            row->status = status_of(&token);
    }
    return type == JSON_OBJECT_END;
}

/* {"create": {...}} behind its opening brace. */
static bool read_row(struct json_reader *json, struct bulk_reply_row *row)
{
    struct json_token token;
    enum json_type type;
    while ((type = json_next(json, &token)) == JSON_KEY) {
        type = json_next(json, &token);
        if (type == JSON_OBJECT ? !read_result(json, row) : !pass(json, type))
            return false;
    }
    return type == JSON_OBJECT_END;
}

/* Stands in the reply's own object: on to its items. False: there is no more to read. */
static bool find_items(struct bulk_reply *reply)
{
    struct json_reader *json = &reply->json;
    struct json_token token;
    enum json_type type;
    while ((type = json_next(json, &token)) == JSON_KEY) {
        bool items = json_is(&token, "items");
        type = json_next(json, &token);
        if (items && type == JSON_ARRAY) {
            reply->place = IN_ITEMS;
            return true;
        }
        if (!pass(json, type))
            return false;
    }
    reply->complete = type == JSON_OBJECT_END && json_next(json, &token) == JSON_END;
    return false;
}

bool bulk_reply_next(struct bulk_reply *reply, struct bulk_reply_row *ret_row)
{
    struct json_token token;
    if (reply->place == AT_START)
        reply->place = json_next(&reply->json, &token) == JSON_OBJECT ? IN_REPLY : AT_END;
    while (reply->place != AT_END) {
        if (reply->place == IN_REPLY && !find_items(reply))
            break;
        enum json_type type = json_next(&reply->json, &token);
        *ret_row = (struct bulk_reply_row){0};
        if (type == JSON_OBJECT && read_row(&reply->json, ret_row))
            return true;
        if (type != JSON_ARRAY_END)
            break;
        reply->place = IN_REPLY;
    }
    reply->place = AT_END;
    return false;
}

enum bulk_fate bulk_reply_fate(const struct bulk_reply_row *row, bool own_id)
{
    switch (row->status) {
    case 0:
    case 429:
        return BULK_AGAIN;
    case 409:
        return own_id ? BULK_STORED : BULK_REFUSED;
    case 401:
    case 403:
        return BULK_BLOCKED;
    default:
        break;
    }
    int hundreds = row->status / 100;
    return hundreds == 2 ? BULK_STORED : hundreds == 4 ? BULK_REFUSED : BULK_AGAIN;
}

static bool type_has(const struct bulk_reply_row *row, const char *word)
{
    return row->type.len && memmem(row->type.at, row->type.len, word, strlen(word)) != NULL;
}

enum bulk_reason bulk_reply_reason(const struct bulk_reply_row *row)
{
    if (row->status == 409)
        return BULK_REASON_CONFLICT;
    if (row->status == 401 || row->status == 403)
        return BULK_REASON_BLOCKED;
    if (row->status == 404 || type_has(row, "index"))
        return BULK_REASON_INDEX;
    if (type_has(row, "parsing") || type_has(row, "mapp"))
        return BULK_REASON_MAPPING;
    return type_has(row, "illegal_argument") ? BULK_REASON_ARGUMENT : BULK_REASON_OTHER;
}
