/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to lines: newlines, multiline patterns, the limit of a line, an end without a newline. */
#include <string.h>

#include "receivers/file_log/file_log.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A sparse hole that a truncation left behind reads as NUL bytes before the next line. */
static uint32_t skip_nuls(struct file_log *state, const uint8_t *at, uint32_t len)
{
    uint32_t n = 0;
    while (n < len && at[n] == 0)
        n++;
    if (n)
        file_log__count(state, FILE_LOG_NULS, n);
    return n;
}

/* One token on its way to the operators, trimmed; nothing left of it: no record. */
static leat_rc token(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len, uint64_t from)
{
    const struct file_log_conf *conf = state->conf;
    uint32_t left = (uint32_t)len, skipped = 0;
    if (left && at[0] == 0)
        skipped = skip_nuls(state, at, left);
    at += skipped;
    left -= skipped;
    if (left && at[left - 1] == '\r')
        left--;
    if (!conf->preserve_trailing)
        while (left && is_space(at[left - 1]))
            left--;
    if (!conf->preserve_leading)
        while (left && is_space(at[0]))
            at++, left--;
    return left ? file_log__line(state, file, at, left, from) : LEAT_OK;
}

/* Where the next token ends (*ret_end) and what of its tail is not part of it. False: not in these bytes. */
struct cut {
    size_t text, total; /* bytes of the token, and with what ends it */
};

static bool cut_at_newline(const uint8_t *at, size_t len, struct cut *ret)
{
    const uint8_t *nl = memchr(at, '\n', len);
    if (!nl)
        return false;
    *ret = (struct cut){(size_t)(nl - at), (size_t)(nl - at) + 1};
    return true;
}

bool file_log__matches(struct file_log *state, struct leat_regex *regex, struct leat_slice text,
                       struct leat_slice *ret_match)
{
    uint64_t limited = leat_regex_limited(regex);
    bool hit = leat_regex_find(regex, text);
    file_log__count(state, FILE_LOG_REGEX_LIMIT, leat_regex_limited(regex) - limited);
    if (hit)
        *ret_match = leat_regex_group(regex, text, 0);
    hit = hit && ret_match->at; /* \K may end a match before it begins */
    return hit;
}

static bool line_matches(struct file_log *state, struct leat_regex *regex, const uint8_t *at, size_t len,
                         size_t *ret_from, size_t *ret_to)
{
    struct leat_slice match;
    if (!file_log__matches(state, regex, leat_slice_of(at, (uint32_t)len), &match))
        return false;
    *ret_from = (size_t)(match.at - at);
    *ret_to = *ret_from + match.len;
    return true;
}

/* A record goes up to the next line that begins one. */
static bool cut_at_start(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len,
                         struct cut *ret)
{
    size_t line = file->scanned, from, to;
    for (struct cut one; line < len && cut_at_newline(at + line, len - line, &one); line += one.total) {
        if (line && line_matches(state, state->line_start, at + line, one.text, &from, &to)) {
            *ret = (struct cut){line - 1, line};
            return true;
        }
        file->scanned = line + one.total;
    }
    return false;
}

static bool cut_at_last(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len,
                        struct cut *ret)
{
    size_t line = file->scanned, from, to;
    for (struct cut one; line < len && cut_at_newline(at + line, len - line, &one); line += one.total) {
        if (line_matches(state, state->line_end, at + line, one.text, &from, &to)) {
            *ret = (struct cut){line + one.text, line + one.total};
            if (state->conf->multiline.omit_pattern)
                ret->text = line + from;
            return true;
        }
        file->scanned = line + one.total;
    }
    return false;
}

static bool find_cut(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len, struct cut *ret)
{
    if (state->line_start)
        return cut_at_start(state, file, at, len, ret);
    if (state->line_end)
        return cut_at_last(state, file, at, len, ret);
    return cut_at_newline(at, len, ret);
}

/* omit_pattern with line_start_pattern: what matched at the start is not part of the record. */
static size_t omitted_head(struct file_log *state, const uint8_t *at, size_t len)
{
    size_t from = 0, to = 0;
    if (!state->line_start || !state->conf->multiline.omit_pattern)
        return 0;
    const uint8_t *nl = memchr(at, '\n', len);
    return line_matches(state, state->line_start, at, nl ? (size_t)(nl - at) : len, &from, &to) && from == 0 ? to : 0;
}

/* The next step in [at, at+len): a whole token, the head of one that is too long, or the rest at the end of the file.
 * *ret_skip: its bytes are dropped (the tail of a line that was cut). */
static bool step(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len, bool at_end,
                 struct cut *ret, bool *ret_skip)
{
    size_t max = (size_t)state->conf->max_log_size;
    bool found = find_cut(state, file, at, len, ret);
    *ret_skip = file->skipping;
    if (file->skipping) {
        if (!found)
            *ret = (struct cut){len, len};
        file->skipping = !found;
        return len > 0;
    }
    if ((found && ret->text > max) || (!found && len >= max)) {
        *ret = (struct cut){max, max};
        file->skipping = state->conf->max_log_size_behavior == FILE_LOG_TRUNCATE_LONG;
        file_log__count(state, file->skipping ? FILE_LOG_CUT : FILE_LOG_SPLIT, 1);
        return true;
    }
    if (!found && at_end && len) {
        *ret = (struct cut){len, len};
        if (at[len - 1] != '\n')
            file_log__count(state, FILE_LOG_UNTERMINATED, 1);
        return true;
    }
    return found;
}

leat_rc file_log__lines(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len, bool at_end,
                        size_t *ret_used)
{
    size_t used = 0;
    leat_rc rc = LEAT_OK;
    file->unfinished = false;
    file->scanned = 0;
    for (struct cut cut; used < len; used += cut.total) {
        bool skip, was = file->skipping;
        if (!step(state, file, at + used, len - used, at_end, &cut, &skip))
            break;
        size_t head = skip ? 0 : omitted_head(state, at + used, cut.text);
        if (!skip)
            rc = token(state, file, at + used + head, cut.text - head, file->offset);
        if (rc != LEAT_OK) {
            file->skipping = was;
            file->unfinished = true;
            break;
        }
        file->offset += cut.total;
        file->scanned = 0;
        if (!file_log__out_full(state))
            continue;
        file_log__out_flush(state);
        if (!file_log__may_read(state)) {
            used += cut.total;
            file->unfinished = used < len;
            break;
        }
    }
    *ret_used = used;
    return rc;
}
