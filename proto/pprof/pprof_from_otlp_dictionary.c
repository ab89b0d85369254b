/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "proto/pprof/pprof_from_otlp_inner.h"

/* All dictionary fields of a request behind each other: together they are one. */
static leat_rc gather(const struct leat_chain *payload, struct leat_chain *ret)
{
    struct pb_cursor c = pb_cursor_at_start(payload);
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_cursor_offset(&c) < payload->bytes) {
        uint32_t tag;
        uint64_t len;
        if (!pb_cursor_tag(&c, payload->bytes, &tag))
            return LEAT_EPARSE;
        if (tag == PB_TAG(2, PB_LEN)) {
            if (!pb_cursor_length(&c, payload->bytes, &len))
                return LEAT_EPARSE;
            rc = len ? pb_cursor_share(&c, len, ret) : LEAT_OK;
        } else if (!pb_cursor_skip_field(&c, payload->bytes, tag & 7)) {
            return LEAT_EPARSE;
        }
    }
    return rc;
}

static bool is_entry(const struct pb_field *field)
{
    return field->wire == PB_LEN && field->number >= MAPPINGS && field->number < TABLES;
}

static leat_rc fill(struct dictionary *d, struct leat_err *reterr)
{
    struct pb_flat rest = pb_flat_of(d->bytes.at, d->bytes.len);
    struct pb_field field;
    uint64_t entries = 0;
    int more;
    for (; (more = pb_next(&rest, &field)) == 1; entries++)
        if (is_entry(&field))
            d->table[field.number].count++;
    if (more < 0)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: malformed dictionary");
    if (entries > PPROF_ENTRIES_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "pprof: more than %u entries in a dictionary", PPROF_ENTRIES_MAX);
    for (unsigned t = MAPPINGS; t < TABLES; t++) {
        d->table[t].at = leat_zalloc(d->table[t].count + 1, sizeof *d->table[t].at);
        if (!d->table[t].at)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "pprof: no memory for a dictionary");
        d->table[t].count = 0;
    }
    rest = pb_flat_of(d->bytes.at, d->bytes.len);
    while (pb_next(&rest, &field) == 1)
        if (is_entry(&field))
            d->table[field.number].at[d->table[field.number].count++] =
                (struct pprof_span){(uint32_t)(field.at - d->bytes.at), field.len};
    return LEAT_OK;
}

leat_rc pprof__dictionary_open(const struct leat_chain *payload, struct dictionary *ret, struct leat_err *reterr)
{
    struct leat_chain chain = {0};
    *ret = (struct dictionary){0};
    leat_rc rc = gather(payload, &chain);
    if (rc == LEAT_OK)
        rc = leat_chain_flat(&chain, &ret->bytes);
    leat_chain_done(&chain);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, rc == LEAT_EPARSE ? "pprof: malformed request" : "pprof: no memory for a dictionary");
    rc = fill(ret, reterr);
    if (rc != LEAT_OK)
        pprof__dictionary_close(ret);
    return rc;
}

void pprof__dictionary_close(struct dictionary *d)
{
    for (unsigned t = 0; t < TABLES; t++)
        leat_free(d->table[t].at);
    (void)leat_mem_unref(d->bytes.mem);
    *d = (struct dictionary){0};
}

bool pprof__dictionary_get(const struct dictionary *d, unsigned table, uint64_t index, struct leat_slice *ret_entry)
{
    *ret_entry = (struct leat_slice){0};
    if (index >= d->table[table].count)
        return index == 0;
    struct pprof_span span = d->table[table].at[index];
    *ret_entry = leat_slice_of(d->bytes.at + span.at, span.len);
    return true;
}

uint64_t pprof__number(struct leat_slice message, uint32_t number)
{
    struct pb_field field;
    return otlp_get(message, number, &field) && field.wire != PB_LEN ? field.value : 0;
}

struct leat_slice pprof__bytes(struct leat_slice message, uint32_t number)
{
    struct pb_field field;
    return otlp_get(message, number, &field) && field.wire == PB_LEN ? leat_slice_of(field.at, field.len)
                                                                     : (struct leat_slice){0};
}

static bool scalar_text(const struct dictionary *d, const struct otlp_value *value, char room[PPROF__TEXT_ROOM],
                        struct leat_slice *ret_text)
{
    if (value->kind == OTLP_TEXT)
        *ret_text = value->text;
    else if (value->kind == OTLP_INTEGER)
        *ret_text = leat_slice_of(room, (uint32_t)snprintf(room, PPROF__TEXT_ROOM, "%lld", (long long)value->integer));
    else if (value->kind != OTLP_TEXT_INDEX || !pprof__dictionary_get(d, STRINGS, (uint64_t)value->integer, ret_text))
        return false;
    return ret_text->len != 0;
}

bool pprof__text(const struct dictionary *d, const struct otlp_value *value, char room[PPROF__TEXT_ROOM],
                 struct leat_slice *ret_text)
{
    struct otlp_value only, second;
    if (value->kind != OTLP_ARRAY)
        return scalar_text(d, value, room, ret_text);
    struct leat_slice rest = value->text;
    return otlp_value_next(&rest, &only) && !otlp_value_next(&rest, &second) && scalar_text(d, &only, room, ret_text);
}

bool pprof__attribute(const struct dictionary *d, uint64_t index, struct leat_slice *ret_key, struct otlp_value *ret_value)
{
    struct leat_slice message;
    return pprof__dictionary_get(d, ATTRIBUTES, index, &message) &&
           pprof__dictionary_get(d, STRINGS, pprof__number(message, 1), ret_key) &&
           otlp_value_of(pprof__bytes(message, 2), ret_value);
}
