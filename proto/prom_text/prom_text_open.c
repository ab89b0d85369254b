/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMetrics 1.0: one blank between things and nowhere else, every line ended, "# EOF" last. */
#include <math.h>

#include "proto/prom_text/prom_number.h"
#include "proto/prom_text/prom_text.h"
#include "proto/utf8/utf8.h"

#define MS_PER_S 1000.0
#define TIME_MS_MAX 9.2e18 /* beyond: PROM_TIME_ABSURD */

/* A blank and a word; NULL: no such thing here. */
static const uint8_t *word(const uint8_t *at, const uint8_t *end)
{
    if (at == end || *at != ' ')
        return NULL;
    const uint8_t *first = ++at;
    while (at < end && *at != ' ' && *at != '\n')
        at++;
    return at == first ? NULL : at;
}

static const uint8_t *value_at(const uint8_t *at, const uint8_t *end, double *ret_value)
{
    const uint8_t *after = word(at, end);
    return after && prom_number_parse(at + 1, after, ret_value) ? after : NULL;
}

static const uint8_t *time_at(const uint8_t *at, const uint8_t *end, int64_t *ret_ms)
{
    double seconds;
    const uint8_t *after = value_at(at, end, &seconds);
    if (!after || !isfinite(seconds))
        return NULL;
    *ret_ms = fabs(seconds) * MS_PER_S < TIME_MS_MAX ? (int64_t)(seconds * MS_PER_S) : PROM_TIME_ABSURD;
    return after;
}

static bool ends(const uint8_t *at, const uint8_t *end) { return at + 1 == end && *at == '\n'; }

/* At " # {". */
static leat_rc exemplar(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    const uint8_t *brace = at + 3, *close = prom__braces(brace, end);
    if (!close)
        return prom__bad(reterr, "exemplar without an end", at, end);
    line->exemplar = leat_slice_of(brace, (uint32_t)(close - brace));
    line->has_exemplar = true;
    line->exemplar_has_time = false;
    if (!(at = value_at(close, end, &line->exemplar_value)))
        return prom__bad(reterr, "expected a value after the exemplar's labels", close, end);
    if (ends(at, end))
        return LEAT_OK;
    const uint8_t *after = time_at(at, end, &line->exemplar_time_ms);
    if (!after || !ends(after, end))
        return prom__bad(reterr, "expected the exemplar's timestamp or the end of the line", at, end);
    line->exemplar_has_time = true;
    return LEAT_OK;
}

static bool is_exemplar(const uint8_t *at, const uint8_t *end) { return end - at >= 4 && memcmp(at, " # {", 4) == 0; }

leat_rc prom_open_rest_parse(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    line->has_time = line->has_exemplar = false;
    const uint8_t *after = value_at(at, end, &line->value);
    if (!after)
        return prom__bad(reterr, "expected a value", at, end);
    if (ends(after, end))
        return LEAT_OK;
    if (after < end && !is_exemplar(after, end)) {
        at = after;
        if (!(after = time_at(at, end, &line->time_ms)))
            return prom__bad(reterr, "expected a timestamp or the end of the line", at, end);
        line->has_time = true;
    }
    if (ends(after, end))
        return LEAT_OK;
    if (is_exemplar(after, end))
        return exemplar(after, end, line, reterr);
    return prom__bad(reterr, after == end ? "data does not end with # EOF" : "expected the end of the line", after, end);
}

static leat_rc open_type(struct prom_line *line, struct leat_err *reterr)
{
    static const char *const names[] = {"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info",
                                        "stateset"}; /* in the order of enum leat_prom_type */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (leat_slice_is(line->text, names[i])) {
            line->type = (enum leat_prom_type)i;
            return LEAT_OK;
        }
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "invalid metric type: %.*s", (int)(line->text.len < 40 ? line->text.len : 40),
                      (const char *)line->text.at);
}

static leat_rc open_unit(const struct prom_line *line, struct leat_err *reterr)
{
    struct leat_slice name = line->name, unit = line->text;
    if (unit.len == 0 || (name.len > unit.len && memcmp(name.at + name.len - unit.len, unit.at, unit.len) == 0 &&
                          name.at[name.len - unit.len - 1] == '_'))
        return LEAT_OK;
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "the unit is no suffix of metric %.*s", (int)(name.len < 80 ? name.len : 80),
                      (const char *)name.at);
}

/* Behind the blank after HELP, TYPE or UNIT. */
static leat_rc open_metadata(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    const uint8_t *name_end = at < end && *at == '"' ? prom__quoted(at, end) : prom__name(at, end, true);
    if (!name_end || name_end == at)
        return prom__bad(reterr, "expected a metric name", at, end);
    bool quoted = *at == '"';
    line->name = leat_slice_of(at + quoted, (uint32_t)(name_end - at) - 2 * quoted);
    if (name_end == end || *name_end != ' ' || end[-1] != '\n')
        return prom__bad(reterr, "expected text behind the metric name", at, end);
    line->text = leat_slice_of(name_end + 1, (uint32_t)(end - 1 - (name_end + 1)));
    if (line->entry == PROM_TYPE)
        return open_type(line, reterr);
    if (!utf8_ok(line->text.at, line->text.len))
        return prom__bad(reterr, "text is no UTF-8", at, at);
    return line->entry == PROM_UNIT ? open_unit(line, reterr) : LEAT_OK;
}

static leat_rc open_comment(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    static const struct {
        char word[8];
        enum prom_entry entry;
    } words[] = {{"# HELP ", PROM_HELP}, {"# TYPE ", PROM_TYPE}, {"# UNIT ", PROM_UNIT}};
    size_t len = (size_t)(end - at);
    line->entry = PROM_EOF;
    if ((len == 5 || (len == 6 && at[5] == '\n')) && memcmp(at, "# EOF", 5) == 0)
        return LEAT_OK;
    for (size_t i = 0; len > 7 && i < sizeof words / sizeof words[0]; i++)
        if (memcmp(at, words[i].word, 7) == 0) {
            line->entry = words[i].entry;
            return open_metadata(at + 7, end, line, reterr);
        }
    return prom__bad(reterr, "a comment that is none of HELP, TYPE, UNIT and EOF", at, end);
}

leat_rc prom_open_line_parse(const uint8_t *at, const uint8_t *end, struct prom_line *line, struct leat_err *reterr)
{
    if (at < end && *at == '#')
        return open_comment(at, end, line, reterr);
    const uint8_t *series_end = prom__name(at, end, true);
    if (series_end < end && *series_end == '{' && !(series_end = prom__braces(series_end, end)))
        return prom__bad(reterr, "labels without an end", at, end);
    if (series_end == at)
        return prom__bad(reterr, "expected a metric name", at, end);
    line->entry = PROM_SAMPLE;
    line->series = leat_slice_of(at, (uint32_t)(series_end - at));
    return prom_open_rest_parse(series_end, end, line, reterr);
}
