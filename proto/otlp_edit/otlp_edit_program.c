/* SPDX-License-Identifier: Apache-2.0 */
/* Actions compiled once, and run over a list of attributes. */
#include <ctype.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "proto/otlp_edit/otlp_edit_inner.h"

#define CONTEXT_PREFIX 9 /* "metadata." */

/* ---- compiling ---- */

static struct leat_slice text_of(const char *text)
{
    return text ? leat_slice_str(text) : (struct leat_slice){0};
}

static leat_rc value_of(const struct leat_value *value, struct pb_buf *bytes, struct leat_slice *ret_value)
{
    if (value->kind == LEAT_NULL)
        return LEAT_OK;
    leat_rc rc = otlp_edit__value_compile(value, bytes);
    if (rc == LEAT_OK)
        *ret_value = leat_slice_of(bytes->at, (uint32_t)bytes->len);
    return rc;
}

static leat_rc lower(const char *name, const char **ret_name)
{
    char *copy = leat_strdup(name);
    for (char *c = copy; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret_name = copy;
    return copy ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc groups_of(struct otlp_edit_step *step)
{
    uint32_t count = leat_regex_groups(step->regex);
    step->groups = leat_zalloc(count + 1, sizeof *step->groups);
    if (!step->groups)
        return LEAT_ENOMEM;
    for (uint32_t i = 1; i <= count; i++)
        step->groups[i] = text_of(leat_regex_name(step->regex, i));
    return LEAT_OK;
}

static leat_rc compile(const struct otlp_edit_action_conf *action, struct pb_buf *values, struct otlp_edit_step *step,
                       struct leat_err *reterr)
{
    step->verb = (enum otlp_edit_verb)action->action;
    step->key = text_of(action->key);
    step->from_attribute = text_of(action->from_attribute);
    step->converted_type = action->converted_type;
    leat_rc rc = value_of(&action->value, &values[0], &step->value);
    if (rc == LEAT_OK)
        rc = value_of(&action->default_value, &values[1], &step->fallback);
    if (rc == LEAT_OK && action->from_context)
        rc = lower(action->from_context + CONTEXT_PREFIX, &step->from_context);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "out of memory");
    if (!action->pattern)
        return LEAT_OK;
    rc = leat_regex_open(action->pattern, &step->regex, reterr);
    if (rc == LEAT_OK && step->verb == OTLP_EDIT_EXTRACT && groups_of(step) != LEAT_OK)
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    return rc;
}

leat_rc otlp_edit_open(const struct leat_items *actions, struct otlp_edit **ret_edit, struct leat_err *reterr)
{
    const struct otlp_edit_action_conf *at = actions->at;
    struct otlp_edit *edit = leat_zalloc(1, sizeof *edit);
    leat_rc rc = LEAT_OK;
    if (edit) {
        edit->steps = leat_zalloc(actions->count, sizeof *edit->steps);
        edit->values = leat_zalloc(2 * (size_t)actions->count, sizeof *edit->values);
    }
    if (!edit || !edit->steps || !edit->values)
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    for (uint32_t i = 0; rc == LEAT_OK && i < actions->count; i++, edit->step_count++)
        rc = compile(&at[i], &edit->values[2 * i], &edit->steps[i], reterr);
    if (rc != LEAT_OK) {
        (void)otlp_edit_close(edit);
        return rc;
    }
    *ret_edit = edit;
    return LEAT_OK;
}

struct otlp_edit *otlp_edit_close(struct otlp_edit *edit)
{
    if (!edit)
        return NULL;
    for (uint32_t i = 0; i < edit->step_count; i++) {
        (void)leat_regex_close(edit->steps[i].regex);
        leat_free(edit->steps[i].groups);
        leat_free((void *)(uintptr_t)edit->steps[i].from_context);
        pb_buf_done(&edit->values[2 * i]);
        pb_buf_done(&edit->values[2 * i + 1]);
    }
    leat_free(edit->steps);
    leat_free(edit->values);
    otlp_edit__list_done(&edit->list);
    otlp_edit__flat_done(&edit->flat);
    leat_free(edit);
    return NULL;
}

uint64_t otlp_edit_limited(const struct otlp_edit *edit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < edit->step_count; i++)
        sum += edit->steps[i].regex ? leat_regex_limited(edit->steps[i].regex) : 0;
    return sum;
}

/* ---- running ---- */

struct source { /* a value to set */
    struct leat_slice value;
    uint32_t scratch_at;
    bool found;
};

static leat_rc fallback(const struct otlp_edit_step *step, struct source *ret)
{
    *ret = (struct source){.value = step->fallback, .found = step->fallback.at != NULL};
    return LEAT_OK;
}

static leat_rc source_of(const struct otlp_edit_step *step, struct otlp_edit_list *list,
                         const struct otlp_edit_context *context, struct source *ret)
{
    if (step->value.at) {
        *ret = (struct source){.value = step->value, .found = true};
        return LEAT_OK;
    }
    if (step->from_context) {
        const char *text = context->get ? context->get(context->ctx, step->from_context) : NULL;
        if (!text)
            return fallback(step, ret);
        *ret = (struct source){.found = true};
        ret->scratch_at = otlp_edit__put_text(&list->scratch, leat_slice_str(text), &ret->value.len);
        return ret->scratch_at ? LEAT_OK : LEAT_ENOMEM;
    }
    const struct otlp_edit_entry *from = otlp_edit__find(list, step->from_attribute);
    if (!from)
        return fallback(step, ret);
    *ret = (struct source){.value = from->value, .scratch_at = from->scratch_at, .found = true};
    return LEAT_OK;
}

static leat_rc set(const struct otlp_edit_step *step, struct otlp_edit_list *list,
                   const struct otlp_edit_context *context)
{
    struct otlp_edit_entry *entry = otlp_edit__find(list, step->key);
    struct source source;
    if ((entry && step->verb == OTLP_EDIT_INSERT) || (!entry && step->verb == OTLP_EDIT_UPDATE))
        return LEAT_OK;
    leat_rc rc = source_of(step, list, context, &source);
    if (rc != LEAT_OK || !source.found)
        return rc;
    return otlp_edit__set(list, entry, step->key, source.value, source.scratch_at);
}

/* What was appended to scratch since `before` becomes the entry's value. */
static leat_rc take_made(struct otlp_edit_list *list, struct otlp_edit_entry *entry, size_t before)
{
    if (list->scratch.failed)
        return LEAT_ENOMEM;
    struct leat_slice made = {.len = (uint32_t)(list->scratch.len - before)};
    return otlp_edit__set(list, entry, entry->key, made, (uint32_t)before + 1);
}

/* The value, typed; a text in scratch is copied out first when more will be written there. */
static leat_rc typed(struct otlp_edit_list *list, const struct otlp_edit_entry *entry, struct otlp_value *ret)
{
    struct leat_slice value = otlp_edit__value(list, entry);
    if (entry->scratch_at) { /* growing must not move it while it is read */
        if (!pb_buf_room(&list->scratch, value.len + 256u))
            return LEAT_ENOMEM;
        value = otlp_edit__value(list, entry);
    }
    return otlp_value_of(value, ret) ? LEAT_OK : LEAT_EPARSE;
}

static leat_rc hash(struct otlp_edit_list *list, struct otlp_edit_entry *entry)
{
    struct otlp_value value;
    leat_rc rc = typed(list, entry, &value);
    size_t before = list->scratch.len;
    if (rc != LEAT_OK)
        return rc;
    otlp_edit__hash(&value, &list->scratch);
    return take_made(list, entry, before);
}

static leat_rc convert(const struct otlp_edit_step *step, struct otlp_edit_list *list, struct otlp_edit_entry *entry)
{
    struct otlp_value value;
    leat_rc rc = typed(list, entry, &value);
    size_t before = list->scratch.len;
    if (rc != LEAT_OK || !otlp_edit__convert(&value, step->converted_type, &list->scratch))
        return rc;
    return take_made(list, entry, before);
}

static leat_rc extract(const struct otlp_edit_step *step, struct otlp_edit_list *list, struct otlp_edit_entry *entry)
{
    struct otlp_value value;
    leat_rc rc = typed(list, entry, &value);
    if (rc != LEAT_OK || value.kind != OTLP_TEXT || !leat_regex_find(step->regex, value.text))
        return rc;
    uint32_t groups = leat_regex_groups(step->regex);
    if (!pb_buf_room(&list->scratch, groups * (value.text.len + 16ull))) /* nothing moves below */
        return LEAT_ENOMEM;
    if (entry->scratch_at) {
        rc = typed(list, entry, &value);
        if (rc != LEAT_OK)
            return rc;
    }
    for (uint32_t i = 1; rc == LEAT_OK && i <= groups; i++) {
        struct leat_slice made = {0};
        uint32_t at =
            otlp_edit__put_text(&list->scratch, leat_regex_group(step->regex, value.text, i), &made.len);
        rc = at ? otlp_edit__set(list, otlp_edit__find(list, step->groups[i]), step->groups[i], made, at) : LEAT_ENOMEM;
    }
    return rc;
}

/* delete and hash: every key that the pattern finds. */
static leat_rc each_matching(const struct otlp_edit_step *step, struct otlp_edit_list *list)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < list->count; i++) {
        struct otlp_edit_entry *entry = &list->at[i];
        if (entry->state == OTLP_EDIT_DELETED || !leat_regex_find(step->regex, entry->key))
            continue;
        if (step->verb == OTLP_EDIT_HASH)
            rc = hash(list, entry);
        else
            otlp_edit__delete(list, entry);
    }
    return rc;
}

static leat_rc run(const struct otlp_edit_step *step, struct otlp_edit_list *list,
                   const struct otlp_edit_context *context)
{
    if (step->verb <= OTLP_EDIT_UPSERT)
        return set(step, list, context);
    struct otlp_edit_entry *entry = step->key.len ? otlp_edit__find(list, step->key) : NULL;
    leat_rc rc = LEAT_OK;
    if (entry && step->verb == OTLP_EDIT_EXTRACT)
        return extract(step, list, entry);
    if (entry && step->verb == OTLP_EDIT_CONVERT)
        return convert(step, list, entry);
    if (entry && step->verb == OTLP_EDIT_HASH)
        rc = hash(list, entry);
    else if (entry)
        otlp_edit__delete(list, entry);
    return rc == LEAT_OK && step->regex && step->verb != OTLP_EDIT_EXTRACT ? each_matching(step, list) : rc;
}

leat_rc otlp_edit__apply(struct otlp_edit *edit, struct otlp_edit_list *list, const struct otlp_edit_context *context)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < edit->step_count; i++)
        rc = run(&edit->steps[i], list, context);
    list->scratch.failed = false; /* the next message may find memory again */
    return rc;
}

leat_rc otlp_edit__flat(struct pb_cursor *cursor, uint64_t len, struct otlp_flat *flat, struct leat_slice *ret_slice)
{
    if (len > UINT32_MAX / 2)
        return LEAT_EPARSE;
    if (len <= pb_cursor_here(cursor)) {
        *ret_slice = leat_slice_of(cursor->at, (uint32_t)len);
        pb_cursor_skip(cursor, len);
        return LEAT_OK;
    }
    if (flat->room < len) {
        uint8_t *at = leat_realloc(flat->at, len + 1024);
        if (!at)
            return LEAT_ENOMEM;
        *flat = (struct otlp_flat){at, (uint32_t)len + 1024};
    }
    leat_count(LEAT_COUNT_BORDER_COPIES, 1);
    leat_copied(len);
    if (!pb_cursor_get(cursor, pb_cursor_offset(cursor) + len, flat->at, (uint32_t)len))
        return LEAT_EPARSE;
    *ret_slice = leat_slice_of(flat->at, (uint32_t)len);
    return LEAT_OK;
}

void otlp_edit__flat_done(struct otlp_flat *flat)
{
    leat_free(flat->at);
    *flat = (struct otlp_flat){0};
}
