/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom_text/prom_text.h"

#include "proto/prom_text/prom_number.h"
#include "proto/utf8/utf8.h"

#define SHOWN_BYTES 80 /* of a line, in a message */

leat_rc prom__bad(struct leat_err *reterr, const char *what, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((newline ? newline : end) - at);
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "%s: %.*s", what, (int)(len < SHOWN_BYTES ? len : SHOWN_BYTES),
                      (const char *)at);
}

const uint8_t *prom__quoted(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\' && ++at < end && *at == '\n')
            return NULL; /* no escape, and not the newline of a text that goes on */
    }
    return NULL;
}

const uint8_t *prom__braces(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end;) {
        if (*at == '}')
            return at + 1;
        if (*at != '"')
            at++;
        else if (!(at = prom__quoted(at, end)))
            return NULL;
    }
    return NULL;
}

static bool at_line_end(const uint8_t *at, const uint8_t *end) { return at == end || *at == '\n'; }

static const uint8_t *token(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != ' ' && *at != '\t' && *at != '\n' && *at != '{')
        at++;
    return at;
}

static leat_rc text_rest(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    const uint8_t *value = prom__blanks(at, end), *value_end = token(value, end);
    line->has_time = line->has_exemplar = false;
    if (!prom_number_parse(value, value_end, &line->value))
        return prom__bad(reterr, "expected a value", value, end);
    at = prom__blanks(value_end, end);
    if (at_line_end(at, end))
        return LEAT_OK;
    const uint8_t *time_end = at;
    while (time_end < end && (uint8_t)(*time_end - '0') < 10)
        time_end++;
    if (!prom_int_parse(at, time_end, &line->time_ms) || !at_line_end(prom__blanks(time_end, end), end))
        return prom__bad(reterr, "expected a timestamp or the end of the line", at, end);
    line->has_time = true;
    return LEAT_OK;
}

leat_rc prom_rest_parse(enum prom_dialect dialect, const uint8_t *at, const uint8_t *end, struct prom_line *line,
                        struct leat_err *reterr)
{
    return dialect == PROM_TEXT ? text_rest(at, end, line, reterr) : prom_open_rest_parse(at, end, line, reterr);
}

static leat_rc text_type(struct prom_line *line, struct leat_err *reterr)
{
    static const struct {
        const char *name;
        enum leat_prom_type type;
    } types[] = {{"counter", LEAT_PROM_COUNTER}, {"gauge", LEAT_PROM_GAUGE}, {"histogram", LEAT_PROM_HISTOGRAM},
                 {"summary", LEAT_PROM_SUMMARY}, {"untyped", LEAT_PROM_UNKNOWN}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (leat_slice_is(line->text, types[i].name)) {
            line->type = types[i].type;
            return LEAT_OK;
        }
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "invalid metric type: %.*s", (int)(line->text.len < 40 ? line->text.len : 40),
                      (const char *)line->text.at);
}

/* Behind "# HELP " or "# TYPE ". */
static leat_rc text_metadata(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    const uint8_t *name_end = at < end && *at == '"' ? prom__quoted(at, end) : prom__name(at, end, true);
    if (!name_end || name_end == at)
        return prom__bad(reterr, "expected a metric name", at, end);
    bool quoted = *at == '"';
    line->name = leat_slice_of(at + quoted, (uint32_t)(name_end - at) - 2 * quoted);
    const uint8_t *text = name_end, *newline = memchr(text, '\n', (size_t)(end - text));
    text += text < end && *text != '\n'; /* one blank */
    line->text = leat_slice_of(text, (uint32_t)((newline ? newline : end) - text));
    if (line->entry == PROM_TYPE)
        return text_type(line, reterr);
    return utf8_ok(line->text.at, line->text.len) ? LEAT_OK : prom__bad(reterr, "help is no UTF-8", at, at);
}

static leat_rc text_comment(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    line->entry = PROM_NOTHING;
    const uint8_t *word = prom__blanks(at + 1, end);
    if (word == at + 1 || end - word < 5 || (word[4] != ' ' && word[4] != '\t'))
        return LEAT_OK;
    if (memcmp(word, "HELP", 4) == 0)
        line->entry = PROM_HELP;
    else if (memcmp(word, "TYPE", 4) == 0)
        line->entry = PROM_TYPE;
    return line->entry == PROM_NOTHING ? LEAT_OK : text_metadata(prom__blanks(word + 5, end), end, line, reterr);
}

static leat_rc text_sample(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    const uint8_t *name_end = prom__name(at, end, true), *series_end = name_end;
    const uint8_t *brace = prom__blanks(name_end, end);
    if (brace < end && *brace == '{' && !(series_end = prom__braces(brace, end))) {
        line->unfinished = true;
        return prom__bad(reterr, "labels without an end", at, end);
    }
    if (series_end == at)
        return prom__bad(reterr, "expected a metric name", at, end);
    line->entry = PROM_SAMPLE;
    line->series = leat_slice_of(at, (uint32_t)(series_end - at));
    return text_rest(series_end, end, line, reterr);
}

leat_rc prom_line_parse(enum prom_dialect dialect, const uint8_t *at, const uint8_t *end, struct prom_line *ret_line,
                        struct leat_err *reterr)
{
    ret_line->unfinished = false;
    if (dialect == PROM_OPEN_METRICS)
        return prom_open_line_parse(at, end, ret_line, reterr);
    at = prom__blanks(at, end);
    if (at_line_end(at, end)) {
        ret_line->entry = PROM_NOTHING;
        return LEAT_OK;
    }
    return *at == '#' ? text_comment(at, end, ret_line, reterr) : text_sample(at, end, ret_line, reterr);
}
