/* SPDX-License-Identifier: Apache-2.0 */
/* A profile is opened in three steps: the tables (pprof_tables.c), what Profile says itself, then every sample against
 * them. Afterwards nothing that walks it can find an index that leads nowhere. */
#include "proto/pprof/pprof.h"

#include "agent/base/alloc.h"

/* ---- walking: the bytes were checked by pprof_open, so that "malformed" is the end ---- */

bool pprof_id_next(struct pprof_ids *ids, uint64_t *ret_id)
{
    for (;;) {
        struct pb_field field;
        if (ids->packed.at < ids->packed.end) {
            ids->packed.at = pb_varint(ids->packed.at, ids->packed.end, ret_id);
            if (ids->packed.at)
                return true;
            ids->packed.end = NULL;
            return false;
        }
        if (pb_next(&ids->message, &field) != 1)
            return false;
        if (field.number != ids->number)
            continue;
        if (field.wire == PB_VARINT) {
            *ret_id = field.value;
            return true;
        }
        if (field.wire == PB_LEN)
            ids->packed = pb_sub(&field);
    }
}

static uint32_t values_of(const struct pb_flat *message, int64_t values[PPROF_TYPES_MAX])
{
    struct pprof_ids ids = {.message = *message, .number = 2};
    uint32_t count = 0;
    uint64_t value;
    for (; pprof_id_next(&ids, &value); count++)
        if (count < PPROF_TYPES_MAX)
            values[count] = (int64_t)value;
    return count;
}

static bool sample_message(struct pb_flat *rest, struct pb_flat *ret_message)
{
    struct pb_field field;
    while (pb_next(rest, &field) == 1)
        if (field.number == PPROF_SAMPLE && field.wire == PB_LEN) {
            *ret_message = pb_sub(&field);
            return true;
        }
    return false;
}

bool pprof_sample_next(const struct pprof *pprof, struct pb_flat *rest, struct pprof_sample *ret_sample)
{
    (void)pprof;
    if (!sample_message(rest, &ret_sample->message))
        return false;
    (void)values_of(&ret_sample->message, ret_sample->values);
    return true;
}

/* Indices over 2^32 stay out of every table: they become UINT32_MAX. */
static uint32_t index_of(uint64_t value) { return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX; }

bool pprof_label_next(struct pb_flat *message, struct pprof_label *ret_label)
{
    struct pb_field field, part;
    while (pb_next(message, &field) == 1) {
        if (field.number != 3 || field.wire != PB_LEN)
            continue;
        struct pb_flat label = pb_sub(&field);
        *ret_label = (struct pprof_label){0};
        while (pb_next(&label, &part) == 1) {
            if (part.wire != PB_VARINT)
                continue;
            if (part.number == 1)
                ret_label->key = index_of(part.value);
            else if (part.number == 2)
                ret_label->str = index_of(part.value);
            else if (part.number == 3)
                ret_label->num = (int64_t)part.value;
            else if (part.number == 4)
                ret_label->num_unit = index_of(part.value);
        }
        return true;
    }
    return false;
}

bool pprof_line_next(const struct pprof *pprof, struct pb_flat *message, struct pprof_line *ret_line)
{
    struct pb_field field, part;
    while (pb_next(message, &field) == 1) {
        if (field.number != 4 || field.wire != PB_LEN)
            continue;
        struct pb_flat line = pb_sub(&field);
        uint64_t id = 0;
        *ret_line = (struct pprof_line){0};
        while (pb_next(&line, &part) == 1) {
            if (part.wire != PB_VARINT)
                continue;
            if (part.number == 1)
                id = part.value;
            else if (part.number == 2)
                ret_line->line = (int64_t)part.value;
            else if (part.number == 3)
                ret_line->column = (int64_t)part.value;
        }
        ret_line->function = pprof_function_of(pprof, id);
        return true;
    }
    return false;
}

void pprof_totals(const struct pprof *pprof, int64_t totals[PPROF_TYPES_MAX])
{
    struct pb_flat rest = pprof_samples(pprof);
    struct pprof_sample sample;
    memset(totals, 0, PPROF_TYPES_MAX * sizeof *totals);
    while (pprof_sample_next(pprof, &rest, &sample))
        for (uint32_t i = 0; i < pprof->type_count; i++)
            totals[i] = (int64_t)((uint64_t)totals[i] + (uint64_t)sample.values[i]);
}

/* ---- checks ---- */

static bool well_formed(struct pb_flat message)
{
    struct pb_field field;
    int more;
    while ((more = pb_next(&message, &field)) == 1)
        ;
    return more == 0;
}

static bool packed_ok(struct pb_flat message)
{
    struct pb_field field;
    uint64_t value;
    while (pb_next(&message, &field) == 1) {
        if ((field.number != 1 && field.number != 2) || field.wire != PB_LEN)
            continue;
        for (const uint8_t *at = field.at, *end = at + field.len; at < end;)
            if ((at = pb_varint(at, end, &value)) == NULL)
                return false;
    }
    return true;
}

static leat_rc check_labels(const struct pprof *pprof, struct pb_flat message, uint32_t number, struct leat_err *reterr)
{
    struct pb_flat outer = message;
    struct pb_field field;
    struct pprof_label label;
    while (pb_next(&outer, &field) == 1)
        if (field.number == 3 && field.wire == PB_LEN && !well_formed(pb_sub(&field)))
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: sample %u: malformed label", number);
    while (pprof_label_next(&message, &label))
        if (label.key >= pprof->string_count || label.str >= pprof->string_count || label.num_unit >= pprof->string_count)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: sample %u: a label names a string that is not there", number);
    return LEAT_OK;
}

static leat_rc check_sample(const struct pprof *pprof, struct pb_flat message, uint32_t number, struct leat_err *reterr)
{
    struct pprof_ids ids = {.message = message, .number = 1};
    int64_t values[PPROF_TYPES_MAX];
    uint64_t id;
    if (!well_formed(message) || !packed_ok(message))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: sample %u is malformed", number);
    uint32_t count = values_of(&message, values);
    if (count != pprof->type_count)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: sample %u has %u values for %u types", number, count,
                          pprof->type_count);
    while (pprof_id_next(&ids, &id))
        if (pprof_location_of(pprof, id) == UINT32_MAX)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: sample %u: there is no location %llu", number,
                              (unsigned long long)id);
    return check_labels(pprof, message, number, reterr);
}

static leat_rc check_samples(const struct pprof *pprof, struct leat_err *reterr)
{
    struct pb_flat rest = pprof_samples(pprof), message;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && sample_message(&rest, &message); i++)
        rc = check_sample(pprof, message, i, reterr);
    return rc;
}

/* ---- what Profile says itself ---- */

static bool type_of(struct pb_flat message, struct pprof_type *ret_type)
{
    struct pb_field field;
    int more;
    *ret_type = (struct pprof_type){0};
    while ((more = pb_next(&message, &field)) == 1) {
        if (field.number == 1 && field.wire == PB_VARINT)
            ret_type->type = index_of(field.value);
        else if (field.number == 2 && field.wire == PB_VARINT)
            ret_type->unit = index_of(field.value);
    }
    return more == 0;
}

static leat_rc take_type(struct pprof *pprof, const struct pb_field *field, struct pprof_type *ret_type,
                         struct leat_err *reterr)
{
    if (field->wire != PB_LEN || !type_of(pb_sub(field), ret_type) || ret_type->type >= pprof->string_count ||
        ret_type->unit >= pprof->string_count)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: a value type is malformed or names a string that is not there");
    return LEAT_OK;
}

static leat_rc take_sample_type(struct pprof *pprof, const struct pb_field *field, struct leat_err *reterr)
{
    if (pprof->type_count == PPROF_TYPES_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "pprof: more than %u sample types", PPROF_TYPES_MAX);
    return take_type(pprof, field, &pprof->types[pprof->type_count++], reterr);
}

static leat_rc take_string(const struct pprof *pprof, const struct pb_field *field, uint32_t *ret_index,
                           struct leat_err *reterr)
{
    *ret_index = index_of(field->value);
    if (*ret_index >= pprof->string_count)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: field %u names a string that is not there", field->number);
    return LEAT_OK;
}

static leat_rc take_comments(const struct pprof *pprof, const struct pb_field *field, struct leat_err *reterr)
{
    struct pb_flat packed = field->wire == PB_LEN ? pb_sub(field) : (struct pb_flat){0};
    uint64_t value = field->value;
    do {
        if (packed.at < packed.end)
            packed.at = pb_varint(packed.at, packed.end, &value);
        if ((packed.end && !packed.at) || value >= pprof->string_count)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: a comment names a string that is not there");
    } while (packed.at < packed.end);
    return LEAT_OK;
}

static leat_rc take_field(struct pprof *pprof, const struct pb_field *field, struct leat_err *reterr)
{
    uint32_t ignored;
    switch (field->number) {
    case PPROF_SAMPLE_TYPE:
        return take_sample_type(pprof, field, reterr);
    case PPROF_PERIOD_TYPE:
        pprof->has_period_type = true;
        return take_type(pprof, field, &pprof->period_type, reterr);
    case PPROF_COMMENT:
        return take_comments(pprof, field, reterr);
    default:
        break;
    }
    if (field->wire != PB_VARINT)
        return LEAT_OK;
    switch (field->number) {
    case PPROF_DROP_FRAMES:
    case PPROF_KEEP_FRAMES:
        return take_string(pprof, field, &ignored, reterr);
    case PPROF_DOC_URL:
        return take_string(pprof, field, &pprof->doc_url, reterr);
    case PPROF_DEFAULT_SAMPLE_TYPE:
        return take_string(pprof, field, &pprof->default_type, reterr);
    case PPROF_TIME_NANOS:
        pprof->time_ns = (int64_t)field->value;
        return LEAT_OK;
    case PPROF_DURATION_NANOS:
        pprof->duration_ns = (int64_t)field->value;
        return LEAT_OK;
    case PPROF_PERIOD:
        pprof->period = (int64_t)field->value;
        return LEAT_OK;
    default:
        return LEAT_OK;
    }
}

static leat_rc take_own(struct pprof *pprof, struct leat_err *reterr)
{
    struct pb_flat rest = pprof_samples(pprof);
    struct pb_field field;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_next(&rest, &field) == 1)
        rc = take_field(pprof, &field, reterr);
    if (rc == LEAT_OK && pprof->type_count == 0)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: no sample type");
    return rc;
}

leat_rc pprof_open(struct leat_slice bytes, struct pprof *ret_pprof, struct leat_err *reterr)
{
    struct pprof pprof = {.at = bytes.at, .len = bytes.len};
    *ret_pprof = (struct pprof){0};
    leat_rc rc = pprof__tables(&pprof, reterr);
    if (rc == LEAT_OK)
        rc = take_own(&pprof, reterr);
    if (rc == LEAT_OK)
        rc = check_samples(&pprof, reterr);
    if (rc != LEAT_OK)
        pprof_close(&pprof);
    else
        *ret_pprof = pprof;
    return rc;
}

void pprof_close(struct pprof *pprof)
{
    leat_free(pprof->strings);
    leat_free(pprof->mappings);
    leat_free(pprof->locations);
    leat_free(pprof->functions);
    *pprof = (struct pprof){0};
}
