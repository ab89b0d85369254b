/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "proto/prom_text/prom_text.h"

void prom_lines_begin(struct prom_lines *lines, enum prom_dialect dialect, uint32_t line_bytes_max,
                      const struct leat_chain *body)
{
    lines->dialect = dialect;
    lines->line_bytes_max = line_bytes_max;
    lines->body = body;
    lines->next = 0;
    lines->at = lines->end = NULL;
    lines->joined_len = 0;
}

/* The next slice that has bytes; false: there is none. */
static bool turn(struct prom_lines *lines)
{
    while (lines->at == lines->end) {
        if (lines->next == lines->body->count)
            return false;
        const struct leat_slice *slice = &lines->body->vec[lines->next++];
        lines->at = slice->at;
        lines->end = slice->at + slice->len;
    }
    return true;
}

static leat_rc join(struct prom_lines *lines, const uint8_t *at, size_t len)
{
    size_t need = lines->joined_len + len;
    if (lines->line_bytes_max && need > lines->line_bytes_max)
        return LEAT_ELIMIT;
    if (need > lines->joined_room) {
        size_t room = need < 512 ? 1024 : 2 * need;
        uint8_t *joined = leat_realloc(lines->joined, room);
        if (!joined)
            return LEAT_ENOMEM;
        lines->joined = joined;
        lines->joined_room = room;
    }
    memcpy(lines->joined + lines->joined_len, at, len);
    lines->joined_len = need;
    return LEAT_OK;
}

/* Adds to the joined line up to the next newline. */
static leat_rc join_line(struct prom_lines *lines)
{
    bool ended = false;
    while (!ended && turn(lines)) {
        const uint8_t *newline = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
        const uint8_t *stop = newline ? newline + 1 : lines->end;
        leat_rc rc = join(lines, lines->at, (size_t)(stop - lines->at));
        if (rc != LEAT_OK)
            return rc;
        lines->at = stop;
        ended = newline != NULL;
    }
    return LEAT_OK;
}

static leat_rc next_joined(struct prom_lines *lines, const uint8_t **ret_at, const uint8_t **ret_end)
{
    leat_rc rc = join_line(lines);
    *ret_at = lines->joined;
    *ret_end = lines->joined + lines->joined_len;
    return rc;
}

leat_rc prom_lines_next(struct prom_lines *lines, const uint8_t **ret_at, const uint8_t **ret_end)
{
    lines->joined_len = 0;
    lines->extensions = 0;
    if (!turn(lines))
        return LEAT_AGAIN;
    const uint8_t *at = lines->at, *newline = memchr(at, '\n', (size_t)(lines->end - at));
    if (!newline)
        return next_joined(lines, ret_at, ret_end);
    if (lines->line_bytes_max && (size_t)(newline + 1 - at) > lines->line_bytes_max)
        return LEAT_ELIMIT;
    lines->at = newline + 1;
    *ret_at = at;
    *ret_end = newline + 1;
    return LEAT_OK;
}

leat_rc prom_lines_extend(struct prom_lines *lines, const uint8_t **at, const uint8_t **end)
{
    if (lines->at == lines->end && lines->next == lines->body->count)
        return LEAT_AGAIN;
    if (++lines->extensions > PROM_TEXT_NEWLINES_MAX)
        return LEAT_ELIMIT;
    leat_rc rc = lines->joined_len ? LEAT_OK : join(lines, *at, (size_t)(*end - *at));
    return rc == LEAT_OK ? next_joined(lines, at, end) : rc;
}

void prom_lines_done(struct prom_lines *lines)
{
    leat_free(lines->joined);
    *lines = (struct prom_lines){0};
}
