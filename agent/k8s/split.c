/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/split.h"

#define KEPT_ROOM_MAX 65536u

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* ---- the object being cut ---- */

static void begin_cut(struct k8s_split *split, enum split_found what)
{
    split->cutting = true;
    split->passing = false;
    split->what = what;
    split->floor = split->depth;
    leat_strbuf_clear(&split->kept);
}

/* Of an object that began before or in this piece, what the piece adds. */
static leat_rc keep(struct k8s_split *split, const uint8_t *at, size_t len)
{
    if (split->passing)
        return LEAT_OK;
    if (split->kept.len + len > split->bytes_max) {
        split->passing = true;
        leat_strbuf_done(&split->kept);
        return LEAT_OK;
    }
    leat_strbuf_put(&split->kept, at, len);
    return split->kept.failed ? LEAT_ENOMEM : LEAT_OK;
}

static leat_rc end_cut(struct k8s_split *split, const uint8_t *at, size_t len)
{
    leat_rc rc = LEAT_OK;
    struct leat_slice json = leat_slice_of(at, (uint32_t)len);
    split->cutting = false;
    if (split->kept.len || split->passing || len > split->bytes_max) {
        rc = keep(split, at, len);
        json = leat_slice_of(split->kept.at, (uint32_t)split->kept.len);
    }
    if (rc == LEAT_OK)
        rc = split->passing ? split->found(split->ctx, SPLIT_TOO_LONG, (struct leat_slice){0})
                            : split->found(split->ctx, split->what, json);
    if (split->kept.room > KEPT_ROOM_MAX)
        leat_strbuf_done(&split->kept); /* a large one is rare: its room is not held for the next */
    return rc;
}

/* ---- one byte outside of strings ---- */

static bool key_is(const struct k8s_split *split, const char *text)
{
    return split->key_len == strlen(text) && memcmp(split->key, text, split->key_len) == 0;
}

static leat_rc open_bracket(struct k8s_split *split, uint8_t c)
{
    if (split->over || split->depth >= SPLIT_DEPTH_MAX)
        return LEAT_EPARSE;
    bool is_object = c == '{';
    if (!split->cutting && split->is_list) {
        if (split->depth == 0 && !is_object)
            return LEAT_EPARSE;
        if (split->depth == 1 && is_object && key_is(split, "metadata"))
            begin_cut(split, SPLIT_META);
        else if (split->depth == 1)
            split->in_items = !is_object && key_is(split, "items");
        else if (split->depth == 2 && split->in_items && is_object)
            begin_cut(split, SPLIT_ITEM);
    } else if (!split->cutting) {
        if (!is_object)
            return LEAT_EPARSE;
        begin_cut(split, SPLIT_EVENT);
    }
    split->depth++;
    split->wants_key = split->is_list && split->depth == 1;
    return LEAT_OK;
}

static leat_rc close_bracket(struct k8s_split *split)
{
    if (split->depth == 0)
        return LEAT_EPARSE;
    split->depth--;
    if (split->depth == 1)
        split->in_items = false;
    split->over = split->is_list && split->depth == 0;
    return LEAT_OK;
}

static void open_string(struct k8s_split *split)
{
    split->in_string = true;
    split->reading_key = split->wants_key && split->depth == 1 && !split->cutting;
    split->wants_key = false;
    if (split->reading_key)
        split->key_len = 0;
}

static leat_rc take_plain(struct k8s_split *split, uint8_t c)
{
    switch (c) {
    case '{':
    case '[':
        return open_bracket(split, c);
    case '}':
    case ']':
        return close_bracket(split);
    case '"':
        if (split->depth == 0)
            return LEAT_EPARSE;
        open_string(split);
        return LEAT_OK;
    case ',':
        split->wants_key = split->is_list && split->depth == 1;
        return split->depth ? LEAT_OK : LEAT_EPARSE;
    default:
        return split->depth || is_blank(c) ? LEAT_OK : LEAT_EPARSE;
    }
}

/* ---- strings: passed over in one go ---- */

static const uint8_t *pass_string(struct k8s_split *split, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        uint8_t c = *at++;
        if (split->escaped) {
            split->escaped = false;
        } else if (c == '\\') {
            split->escaped = true;
        } else if (c == '"') {
            split->in_string = false;
            break;
        }
        if (split->reading_key) {
            if (split->key_len < SPLIT_KEY_MAX)
                split->key[split->key_len] = (char)c;
            split->key_len += split->key_len <= SPLIT_KEY_MAX; /* a longer one is none of ours */
        }
    }
    return at;
}

leat_rc k8s_split_feed(struct k8s_split *split, struct leat_slice piece)
{
    const uint8_t *at = piece.at, *end = piece.at + piece.len, *from = piece.at;
    while (at < end) {
        if (split->in_string) {
            at = pass_string(split, at, end);
            continue;
        }
        bool was_cutting = split->cutting;
        leat_rc rc = take_plain(split, *at++);
        if (rc == LEAT_OK && split->cutting && !was_cutting)
            from = at - 1;
        if (rc == LEAT_OK && was_cutting && split->depth == split->floor)
            rc = end_cut(split, from, (size_t)(at - from));
        if (rc != LEAT_OK)
            return rc;
    }
    return split->cutting && end > from ? keep(split, from, (size_t)(end - from)) : LEAT_OK;
}

bool k8s_split_whole(const struct k8s_split *split)
{
    return !split->cutting && !split->in_string && split->depth == 0 && (split->over || !split->is_list);
}

void k8s_split_done(struct k8s_split *split)
{
    leat_strbuf_done(&split->kept);
    *split = (struct k8s_split){
        .is_list = split->is_list, .bytes_max = split->bytes_max, .found = split->found, .ctx = split->ctx};
}
