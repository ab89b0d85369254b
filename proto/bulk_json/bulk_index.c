/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_index.h"

#include <ctype.h>

static const char illegal_in_names[] = "\\/*?\"<>| ,#:";

static bool piece_add(struct bulk_index *index, const char *at, size_t len, const char *fallback)
{
    if (len == 0)
        return fallback == NULL;
    if (index->count == BULK_INDEX_PIECES_MAX || len > BULK_INDEX_NAME_MAX)
        return false;
    index->pieces[index->count++] = (struct bulk_index_piece){.text = leat_slice_of(at, (uint32_t)len),
                                                              .attribute = fallback != NULL,
                                                              .fallback = fallback,
                                                              .illegal = illegal_in_names};
    index->varies |= fallback != NULL;
    return true;
}

bool bulk_index_parse(struct bulk_index *index, const char *pattern, const char *fallback)
{
    *index = (struct bulk_index){.separator = "-"};
    for (const char *at = pattern, *open; *at;) {
        open = strstr(at, "%{");
        if (!open)
            return piece_add(index, at, strlen(at), NULL);
        const char *close = strchr(open, '}');
        if (!close || !piece_add(index, at, (size_t)(open - at), NULL) ||
            !piece_add(index, open + 2, (size_t)(close - open - 2), fallback))
            return false;
        at = close + 1;
    }
    return index->count != 0;
}

bool bulk_index_name_is_valid(const char *name)
{
    for (const char *at = name; *at; at++) {
        if (at[0] == '%' && at[1] == '{') { /* an attribute's key may be anything */
            at = strchr(at, '}');
            if (!at)
                return false;
            continue;
        }
        if (isupper((unsigned char)*at) || (unsigned char)*at < ' ' || strchr(illegal_in_names, *at))
            return false;
    }
    return *name != 0 && !strchr("-_+.", *name);
}

/* ---- one name ---- */

static void name_put(struct bulk_index *index, const void *at, size_t len)
{
    size_t room = BULK_INDEX_NAME_MAX - index->len;
    len = len < room ? len : room;
    memcpy(index->name + index->len, at, len);
    index->len += (uint32_t)len;
}

static void value_put(struct bulk_index *index, const struct bulk_index_piece *piece, struct leat_slice value)
{
    size_t suffix = piece->suffix ? strlen(piece->suffix) : 0, max = BULK_INDEX_VALUE_MAX - suffix;
    uint32_t from = index->len;
    name_put(index, value.at, value.len < max ? value.len : max);
    for (uint32_t i = from; i < index->len; i++) {
        unsigned char c = (unsigned char)index->name[i];
        index->name[i] = c <= ' ' || c >= 0x7f || strchr(piece->illegal, c) ? '_' : (char)tolower(c);
    }
    if (suffix)
        name_put(index, piece->suffix, suffix);
}

static bool look_up(struct leat_slice key, struct leat_slice fields, uint32_t number, struct otlp_value *ret_value)
{
    struct otlp_attribute attribute;
    while (otlp_attribute_next(&fields, number, &attribute))
        if (leat_slice_eq(attribute.key, key)) {
            *ret_value = attribute.value;
            return attribute.value.kind != OTLP_EMPTY &&
                   !(attribute.value.kind == OTLP_TEXT && attribute.value.text.len == 0);
        }
    return false;
}

static void attribute_put(struct bulk_index *index, const struct bulk_index_piece *piece,
                          const struct otlp_value *value)
{
    struct leat_strbuf text = {0};
    if (value->kind == OTLP_TEXT) {
        value_put(index, piece, value->text);
        return;
    }
    bulk_put_plain(&text, value);
    if (text.failed || text.len == 0)
        value_put(index, piece, leat_slice_str(piece->fallback));
    else
        value_put(index, piece, leat_slice_of(text.at, (uint32_t)text.len));
    leat_strbuf_done(&text);
}

/* Letters of both kinds of format: yyyy yy MM dd HH mm ss, %Y %y %m %d %H %M %S; anything else stands for itself. */
static void date_put(struct bulk_index *index, uint64_t unix_ns)
{
    static const struct {
        const char *word;
        uint32_t at, len; /* of 2006-01-02T15:04:05 */
    } words[] = {{"yyyy", 0, 4}, {"yy", 2, 2}, {"MM", 5, 2}, {"dd", 8, 2}, {"HH", 11, 2}, {"mm", 14, 2}, {"ss", 17, 2},
                 {"%Y", 0, 4},   {"%y", 2, 2}, {"%m", 5, 2}, {"%d", 8, 2}, {"%H", 11, 2}, {"%M", 14, 2}, {"%S", 17, 2}};
    bulk_clock_to(&index->clock, unix_ns);
    name_put(index, index->separator, strlen(index->separator));
    for (const char *at = index->time_format; *at;) {
        size_t i = 0, count = sizeof words / sizeof *words;
        while (i < count && strncmp(at, words[i].word, strlen(words[i].word)) != 0)
            i++;
        if (i < count)
            name_put(index, index->clock.text + words[i].at, words[i].len);
        else
            name_put(index, at, 1);
        at += i < count ? strlen(words[i].word) : 1;
    }
}

void bulk_index_resolve(struct bulk_index *index, struct leat_slice record, uint32_t number, struct leat_slice scope,
                        struct leat_slice resource, uint64_t unix_ns)
{
    index->len = 0;
    for (uint32_t i = 0; i < index->count; i++) {
        struct bulk_index_piece *piece = &index->pieces[i];
        struct otlp_value value;
        piece->at = index->len;
        if (!piece->attribute)
            name_put(index, piece->text.at, piece->text.len);
        else if (look_up(piece->text, record, number, &value) || look_up(piece->text, scope, 3, &value) ||
                 look_up(piece->text, resource, 1, &value))
            attribute_put(index, piece, &value);
        else
            value_put(index, piece, leat_slice_str(piece->fallback));
        piece->len = index->len - piece->at;
    }
    if (index->time_format && *index->time_format)
        date_put(index, unix_ns);
    index->name[index->len] = 0;
}
