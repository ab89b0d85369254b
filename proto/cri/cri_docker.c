/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/cri/cri.h"
#include "proto/json/json_read.h"

/* A string of the line, unescaped at the end of the scratch when it has to be. */
static struct leat_slice text_of(const struct json_token *t, char **scratch)
{
    if (!t->escaped)
        return leat_slice_of(t->at, t->len);
    struct leat_slice s = leat_slice_of(*scratch, json_unescape(t, *scratch));
    *scratch += s.len;
    return s;
}

static bool member(struct json_reader *r, const struct json_token *key, char **scratch, struct cri_line *line,
                   bool *has_log)
{
    struct json_token t;
    if (!json_is(key, "log") && !json_is(key, "stream") && !json_is(key, "time"))
        return json_skip(r);
    if (json_next(r, &t) != JSON_STRING)
        return false;
    struct leat_slice text = text_of(&t, scratch);
    if (json_is(key, "log")) {
        line->text = text;
        *has_log = true;
    } else if (json_is(key, "stream")) {
        line->stream = text;
    } else {
        line->time = text;
    }
    return true;
}

bool cri_parse_docker(const char *at, uint32_t len, char *scratch, struct cri_line *ret_line)
{
    struct json_reader r;
    struct json_token t;
    bool has_log = false;
    *ret_line = (struct cri_line){0};
    json_begin(&r, at, len, 8);
    if (json_next(&r, &t) != JSON_OBJECT)
        return false;
    while (json_next(&r, &t) == JSON_KEY)
        if (!member(&r, &t, &scratch, ret_line, &has_log))
            return false;
    if (t.type != JSON_OBJECT_END || json_next(&r, &t) != JSON_END || !has_log || !ret_line->time.at)
        return false;
    const struct leat_slice *time = &ret_line->time;
    if (cri_time((const char *)time->at, time->len, &ret_line->unix_ns) != time->len)
        return false;
    struct leat_slice *text = &ret_line->text;
    ret_line->partial = text->len == 0 || text->at[text->len - 1] != '\n';
    text->len -= !ret_line->partial;
    return true;
}
