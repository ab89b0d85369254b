/* SPDX-License-Identifier: Apache-2.0 */
/* Labels taken apart: the slow half, once in the life of a series. */
#include "agent/base/alloc.h"
#include "proto/prom_text/prom_text.h"
#include "proto/utf8/utf8.h"

#define LABELS_FIRST 16u

/* What differs between a series of the two formats and an exemplar. */
struct reading {
    struct prom_labels *labels;
    const uint8_t *at, *end;
    bool blanks;      /* allowed between tokens */
    bool newlines;    /* allowed inside a value */
    bool strict;      /* a comma or a brace must follow a value */
    bool exemplar;    /* no metric name inside */
    bool named;       /* the metric has its name */
    struct leat_err *reterr;
};

static leat_rc bad(struct reading *r, const char *what) { return prom__bad(r->reterr, what, r->at, r->end); }

static void skip(struct reading *r)
{
    if (r->blanks)
        r->at = prom__blanks(r->at, r->end);
}

static bool eat(struct reading *r, char c)
{
    skip(r);
    if (r->at == r->end || *r->at != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

/* Known escapes go; a backslash before anything else stays, as in Prometheus. */
static uint32_t unescape(struct leat_slice text, bool quotes, uint8_t *to)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i], next = i + 1 < text.len ? text.at[i + 1] : 0;
        if (c == '\\' && (next == '\\' || next == 'n' || (quotes && next == '"'))) {
            to[len++] = next == 'n' ? '\n' : next;
            i++;
        } else
            to[len++] = c;
    }
    return len;
}

uint32_t prom_help_unescape(struct leat_slice text, bool quotes, uint8_t *to) { return unescape(text, quotes, to); }

/* `text` stays as it is when it has no escapes. Room for all of them was made at the start. */
static struct leat_slice plain(struct prom_labels *labels, struct leat_slice text)
{
    if (text.len == 0 || !memchr(text.at, '\\', text.len))
        return text;
    uint8_t *to = labels->text + labels->text_len;
    uint32_t len = unescape(text, true, to);
    labels->text_len += len;
    return leat_slice_of(to, len);
}

static leat_rc quoted(struct reading *r, bool newlines, struct leat_slice *ret_text)
{
    const uint8_t *end = prom__quoted(r->at, r->end);
    if (!end)
        return bad(r, "a string without an end");
    struct leat_slice raw = leat_slice_of(r->at + 1, (uint32_t)(end - r->at) - 2);
    if (!newlines && raw.len && memchr(raw.at, '\n', raw.len))
        return bad(r, "a newline inside a string");
    if (!utf8_ok(raw.at, raw.len))
        return bad(r, "a string that is no UTF-8");
    *ret_text = plain(r->labels, raw);
    r->at = end;
    return LEAT_OK;
}

static leat_rc put(struct reading *r, struct leat_slice name, struct leat_slice value)
{
    struct prom_labels *labels = r->labels;
    if (labels->count == PROM_TEXT_LABELS_MAX)
        return LEAT_RAISE(r->reterr, LEAT_ELIMIT, 0, "more than %u labels", PROM_TEXT_LABELS_MAX);
    if (labels->count == labels->room) {
        uint32_t room = labels->room ? 2 * labels->room : LABELS_FIRST;
        struct prom_label *at = leat_realloc(labels->at, room * sizeof *at);
        if (!at)
            return LEAT_RAISE(r->reterr, LEAT_ENOMEM, 0, "labels: out of memory");
        labels->at = at;
        labels->room = room;
    }
    labels->at[labels->count++] = (struct prom_label){name, value};
    return LEAT_OK;
}

/* One of `name="value"`, `"name"="value"` and, once in a series, `"metric"`. */
static leat_rc label(struct reading *r)
{
    struct leat_slice name, value;
    bool is_quoted = r->at < r->end && *r->at == '"';
    if (is_quoted) {
        leat_rc rc = quoted(r, true, &name);
        if (rc != LEAT_OK)
            return rc;
    } else {
        const uint8_t *end = prom__name(r->at, r->end, false);
        name = leat_slice_of(r->at, (uint32_t)(end - r->at));
        r->at = end;
    }
    if (!is_quoted && name.len == 0)
        return bad(r, "expected a label name");
    skip(r);
    if (is_quoted && !r->exemplar && r->at < r->end && (*r->at == ',' || *r->at == '}')) {
        if (r->named)
            return bad(r, "the metric has a name already");
        r->named = true;
        r->labels->metric = name;
        return LEAT_OK;
    }
    if (!eat(r, '='))
        return bad(r, "expected '='");
    skip(r);
    if (r->at == r->end || *r->at != '"')
        return bad(r, "expected a label value");
    leat_rc rc = quoted(r, r->newlines, &value);
    return rc == LEAT_OK ? put(r, name, value) : rc;
}

/* From behind the opening brace; the closing one is the last byte. */
static leat_rc labels_in_braces(struct reading *r)
{
    while (!eat(r, '}')) {
        leat_rc rc = label(r);
        if (rc != LEAT_OK)
            return rc;
        skip(r);
        if (!eat(r, ',') && r->strict && (r->at == r->end || *r->at != '}'))
            return bad(r, "expected a comma or a brace");
    }
    return r->at == r->end ? LEAT_OK : bad(r, "text behind the brace");
}

static leat_rc prepare(struct prom_labels *labels, uint32_t bytes)
{
    labels->count = 0;
    labels->text_len = 0;
    labels->metric = (struct leat_slice){0};
    if (labels->text_room >= bytes)
        return LEAT_OK;
    uint8_t *text = leat_realloc(labels->text, bytes);
    if (!text)
        return LEAT_ENOMEM;
    labels->text = text;
    labels->text_room = bytes;
    return LEAT_OK;
}

leat_rc prom_labels_parse(enum prom_dialect dialect, struct leat_slice series, struct prom_labels *labels,
                          struct leat_err *reterr)
{
    bool text = dialect == PROM_TEXT;
    struct reading r = {.labels = labels, .at = series.at, .end = series.at + series.len, .blanks = text, .newlines = text,
                        .strict = !text, .reterr = reterr};
    if (prepare(labels, series.len) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "labels: out of memory");
    const uint8_t *name_end = prom__name(r.at, r.end, true);
    r.named = name_end > r.at;
    if (r.named)
        labels->metric = leat_slice_of(r.at, (uint32_t)(name_end - r.at));
    r.at = name_end;
    if (eat(&r, '{')) {
        leat_rc rc = labels_in_braces(&r);
        if (rc != LEAT_OK)
            return rc;
    } else if (r.at != r.end)
        return bad(&r, "expected a metric name");
    return r.named ? LEAT_OK : prom__bad(reterr, "the metric has no name", series.at, r.end);
}

leat_rc prom_exemplar_parse(struct leat_slice exemplar, struct prom_labels *labels, struct leat_err *reterr)
{
    struct reading r = {.labels = labels, .at = exemplar.at, .end = exemplar.at + exemplar.len, .strict = true,
                        .exemplar = true, .named = true, .reterr = reterr};
    if (prepare(labels, exemplar.len) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "exemplar: out of memory");
    return eat(&r, '{') ? labels_in_braces(&r) : bad(&r, "expected a brace");
}

void prom_labels_done(struct prom_labels *labels)
{
    leat_free(labels->at);
    leat_free(labels->text);
    *labels = (struct prom_labels){0};
}
