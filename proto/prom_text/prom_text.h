/* SPDX-License-Identifier: Apache-2.0 */
/* prom_text -- the Prometheus text formats (0.0.4, 1.0.0) and OpenMetrics 1.0, a line at a time, in place.
 *
 * Why      a scrape repeats its lines: what a caller needs is the bytes that name a series, as they stand, and the number
 *          behind them. Labels are taken apart only for series that are new (prom_text_labels).
 * Threads  pure functions over borrowed bytes; a struct belongs to its user.
 * Owns     prom_lines owns its buffer for lines that lie across two slices; prom_labels its arrays. {0} is empty.
 * Limits   line_bytes_max of prom_lines; PROM_TEXT_LABELS_MAX labels.
 * Fails    LEAT_EPARSE for what Prometheus' parsers refuse, LEAT_ELIMIT for a longer line, LEAT_ENOMEM. */
#pragma once
#include "proto/prom/prom.h"

#define PROM_TIME_ABSURD INT64_MAX /* what OpenMetrics may say and no clock does, before or after */

enum prom_dialect { PROM_TEXT, PROM_OPEN_METRICS };

enum prom_entry {
    PROM_NOTHING, /* a blank line, a comment */
    PROM_TYPE,
    PROM_HELP,
    PROM_UNIT,
    PROM_SAMPLE,
    PROM_EOF /* "# EOF" of OpenMetrics: nothing may follow */
};

struct prom_line {
    enum prom_entry entry;
    enum leat_prom_type type; /* TYPE */
    struct leat_slice name;   /* TYPE, HELP, UNIT: of the family, escapes as they stand */
    struct leat_slice text;   /* HELP: escapes as they stand; UNIT */
    struct leat_slice series; /* SAMPLE: name and labels as they stand, not looked into */
    double value;
    int64_t time_ms;
    bool has_time;
    bool unfinished;          /* with LEAT_EPARSE: the line ended inside a string, where PROM_TEXT allows a newline */
    bool has_exemplar, exemplar_has_time;
    double exemplar_value;
    int64_t exemplar_time_ms;
    struct leat_slice exemplar; /* {...} as it stands; checked */
};

/* `end` is behind the line's newline (or where the page ends without one). A sample's labels are only skipped: the first
 * time a series is seen, prom_labels_parse says whether they are well-formed. */
leat_rc prom_line_parse(enum prom_dialect dialect, const uint8_t *at, const uint8_t *end, struct prom_line *ret_line,
                        struct leat_err *reterr) LEAT_MUST_CHECK;
/* What follows a known series: value, timestamp, exemplar. Fills the fields from `value` on. */
leat_rc prom_rest_parse(enum prom_dialect dialect, const uint8_t *at, const uint8_t *end, struct prom_line *line,
                        struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc prom_open_line_parse(const uint8_t *at, const uint8_t *end, struct prom_line *line,
                             struct leat_err *reterr) LEAT_MUST_CHECK; /* prom_line_parse's half */
leat_rc prom_open_rest_parse(const uint8_t *at, const uint8_t *end, struct prom_line *line,
                             struct leat_err *reterr) LEAT_MUST_CHECK;

/* ---- labels: of a series or an exemplar ---- */
#define PROM_TEXT_LABELS_MAX 4096u
struct prom_label {
    struct leat_slice name, value; /* unescaped */
};
struct prom_labels {
    struct leat_slice metric; /* the name of the metric; empty for an exemplar */
    struct prom_label *at;
    uint32_t count, room;
    uint8_t *text; /* what had escapes */
    size_t text_len, text_room;
};
/* `series` as prom_line gives it. The answer borrows from it and from `labels`. */
leat_rc prom_labels_parse(enum prom_dialect dialect, struct leat_slice series, struct prom_labels *labels,
                          struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc prom_exemplar_parse(struct leat_slice exemplar, struct prom_labels *labels,
                            struct leat_err *reterr) LEAT_MUST_CHECK;
void prom_labels_done(struct prom_labels *labels);
/* HELP text without its escapes; `to` has room for text.len bytes. `quotes`: \" is one too (OpenMetrics). */
uint32_t prom_help_unescape(struct leat_slice text, bool quotes, uint8_t *to);

/* ---- lines of a body that lies in pieces ---- */
struct prom_lines {
    enum prom_dialect dialect;
    uint32_t line_bytes_max; /* 0: none */
    const struct leat_chain *body;
    uint32_t next; /* slice */
    const uint8_t *at, *end; /* of the slice being read */
    uint8_t *joined;
    size_t joined_len, joined_room;
    uint32_t extensions;
};
void prom_lines_begin(struct prom_lines *lines, enum prom_dialect dialect, uint32_t line_bytes_max,
                      const struct leat_chain *body);
/* The next line with its newline; valid until the next call. LEAT_AGAIN: there is none. The last one may lack a newline. */
leat_rc prom_lines_next(struct prom_lines *lines, const uint8_t **ret_at, const uint8_t **ret_end) LEAT_MUST_CHECK;
/* The line that prom_line_parse found `unfinished`, with the next one behind it. LEAT_AGAIN: there is no next one. */
leat_rc prom_lines_extend(struct prom_lines *lines, const uint8_t **at, const uint8_t **end) LEAT_MUST_CHECK;
#define PROM_TEXT_NEWLINES_MAX 64u /* raw newlines in the labels of one series */
void prom_lines_done(struct prom_lines *lines);

/* ---- inside this folder ---- */
static inline bool prom__is_name(uint8_t c, bool first, bool colon)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || c == '_' || (colon && c == ':') || (!first && (uint8_t)(c - '0') < 10);
}
static inline const uint8_t *prom__name(const uint8_t *at, const uint8_t *end, bool colon)
{
    if (at == end || !prom__is_name(*at, true, colon))
        return at;
    while (++at < end && prom__is_name(*at, false, colon))
        continue;
    return at;
}
static inline const uint8_t *prom__blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}
/* Behind the closing quote of the string that begins at `at`; NULL: it has none before `end`. */
const uint8_t *prom__quoted(const uint8_t *at, const uint8_t *end);
/* Behind the brace that closes the one at `at`; NULL: there is none before `end`. */
const uint8_t *prom__braces(const uint8_t *at, const uint8_t *end);
leat_rc prom__bad(struct leat_err *reterr, const char *what, const uint8_t *at, const uint8_t *end);
