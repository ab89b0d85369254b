/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/decode.h"

#include <stdlib.h>

#include "proto/json/json_read.h"

/* ---- objects by their keys ---- */

/* One key the reader looks for, and where its string goes. */
struct want {
    const char *key;
    struct leat_slice *to;
    char *room;
    uint32_t room_len;
};

static bool take_string(const struct json_token *token, const struct want *want)
{
    if (!token->escaped) {
        *want->to = leat_slice_of(token->at, token->len);
        return token->len <= want->room_len;
    }
    if (token->len > want->room_len)
        return false;
    *want->to = leat_slice_of(want->room, json_unescape(token, want->room));
    return true;
}

static const struct want *want_of(const struct want *wants, const struct json_token *key)
{
    for (; wants->key; wants++)
        if (json_is(key, wants->key))
            return wants;
    return NULL;
}

/* The rest of an object whose '{' was read: wanted strings are taken (null is absence), all else is passed over. */
static bool read_strings(struct json_reader *reader, const struct want *wants)
{
    struct json_token token;
    for (;;) {
        enum json_type type = json_next(reader, &token);
        if (type == JSON_OBJECT_END)
            return true;
        if (type != JSON_KEY)
            return false;
        const struct want *want = want_of(wants, &token);
        if (!want) {
            if (!json_skip(reader))
                return false;
            continue;
        }
        type = json_next(reader, &token);
        if (type == JSON_STRING ? !take_string(&token, want) : type != JSON_NULL)
            return false;
    }
}

static bool begin_object(struct json_reader *reader, struct leat_slice json)
{
    struct json_token token;
    json_begin(reader, json.at, json.len, DECODE_DEPTH_MAX);
    return json_next(reader, &token) == JSON_OBJECT;
}

static bool at_end(struct json_reader *reader)
{
    struct json_token token;
    return json_next(reader, &token) == JSON_END;
}

/* The next key of the outermost object. 1: `ret_key`; 0: its end, and the end of the text; -1: no JSON. */
static int next_key(struct json_reader *reader, struct json_token *ret_key)
{
    enum json_type type = json_next(reader, ret_key);
    if (type == JSON_KEY)
        return 1;
    return type == JSON_OBJECT_END && at_end(reader) ? 0 : -1;
}

/* ---- objects ---- */

static bool read_names(struct leat_slice json, struct k8s_names *names)
{
    struct json_reader reader;
    struct json_token token;
    const struct want wants[] = {{"uid", &names->uid, names->room[0], K8S_NAME_MAX},
                                 {"namespace", &names->ns, names->room[1], K8S_NAME_MAX},
                                 {"name", &names->name, names->room[2], K8S_NAME_MAX},
                                 {"resourceVersion", &names->version, names->room[3], K8S_NAME_MAX},
                                 {0}};
    names->uid = names->ns = names->name = names->version = (struct leat_slice){0};
    if (!begin_object(&reader, json))
        return false;
    for (int more; (more = next_key(&reader, &token)) != 0;) {
        if (more < 0)
            return false;
        bool is_meta = json_is(&token, "metadata");
        bool ok = is_meta ? json_next(&reader, &token) == JSON_OBJECT && read_strings(&reader, wants) : json_skip(&reader);
        if (!ok)
            return false;
    }
    return true;
}

bool k8s_decode_object(struct leat_slice json, struct k8s_names *ret_names)
{
    return read_names(json, ret_names) && ret_names->name.len > 0;
}

bool k8s_decode_version(struct leat_slice json, struct k8s_names *ret_names)
{
    return read_names(json, ret_names) && ret_names->version.len > 0;
}

/* ---- events ---- */

static enum k8s_event_type type_of(const struct json_token *token)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
    for (uint32_t i = 0; i < K8S_OTHER; i++)
        if (json_is(token, names[i]))
            return (enum k8s_event_type)i;
    return K8S_OTHER;
}

static bool skip_object(struct json_reader *reader, struct leat_slice *ret_json)
{
    const char *begin = reader->at;
    if (!json_skip(reader))
        return false;
    while (begin < reader->at && *begin != '{')
        begin++; /* the colon and blanks */
    *ret_json = leat_slice_of(begin, (uint32_t)(reader->at - begin));
    return true;
}

bool k8s_decode_event(struct leat_slice json, struct k8s_event *ret_event)
{
    struct json_reader reader;
    struct json_token token;
    bool typed = false;
    *ret_event = (struct k8s_event){0};
    if (!begin_object(&reader, json))
        return false;
    for (int more; (more = next_key(&reader, &token)) != 0;) {
        if (more < 0)
            return false;
        if (json_is(&token, "type")) {
            if (json_next(&reader, &token) != JSON_STRING)
                return false;
            ret_event->type = type_of(&token);
            typed = true;
        } else if (json_is(&token, "object")) {
            if (!skip_object(&reader, &ret_event->object))
                return false;
        } else if (!json_skip(&reader)) {
            return false;
        }
    }
    return typed && ret_event->object.len > 0;
}

/* ---- statuses ---- */

static void cut_text(const struct json_token *token, char *to, uint32_t room)
{
    uint32_t len = token->len < room - 1 ? token->len : room - 1;
    memcpy(to, token->at, len); /* escapes stay: it is for a log line */
    to[len] = 0;
}

bool k8s_decode_status(struct leat_slice json, struct k8s_status *ret_status)
{
    struct json_reader reader;
    struct json_token token;
    *ret_status = (struct k8s_status){0};
    if (!begin_object(&reader, json))
        return false;
    for (int more; (more = next_key(&reader, &token)) != 0;) {
        if (more < 0)
            return false;
        char *text = json_is(&token, "message") ? ret_status->message
                     : json_is(&token, "reason") ? ret_status->reason
                                                 : NULL;
        bool is_code = json_is(&token, "code");
        if (!text && !is_code) {
            if (!json_skip(&reader))
                return false;
            continue;
        }
        enum json_type type = json_next(&reader, &token);
        if (type == JSON_STRING && text)
            cut_text(&token, text, text == ret_status->reason ? sizeof ret_status->reason : sizeof ret_status->message);
        else if (type == JSON_NUMBER && is_code)
            ret_status->code = token.integer && token.len < 10 ? strtoll(token.at, NULL, 10) : 0;
        else if (type != JSON_NULL)
            return false;
    }
    return true;
}

/* ---- lists ---- */

bool k8s_decode_list_meta(struct leat_slice json, struct k8s_list_meta *ret_meta)
{
    struct json_reader reader;
    const struct want wants[] = {{"resourceVersion", &ret_meta->version, ret_meta->room, K8S_NAME_MAX},
                                 {"continue", &ret_meta->next, ret_meta->room + K8S_NAME_MAX, K8S_CONTINUE_MAX},
                                 {0}};
    ret_meta->version = ret_meta->next = (struct leat_slice){0};
    return begin_object(&reader, json) && read_strings(&reader, wants) && at_end(&reader);
}
