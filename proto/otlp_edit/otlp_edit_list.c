/* SPDX-License-Identifier: Apache-2.0 */
/* One message's attributes under edit: where each stands, what became of it, and the message written anew. */
#include "agent/base/alloc.h"
#include "proto/otlp_edit/otlp_edit_inner.h"

#define TAG_KEY PB_TAG(1, PB_LEN)
#define TAG_VALUE PB_TAG(2, PB_LEN)

static struct otlp_edit_entry *add(struct otlp_edit_list *list)
{
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 32;
        struct otlp_edit_entry *at = leat_realloc(list->at, room * sizeof *at);
        if (!at)
            return NULL;
        list->at = at;
        list->room = room;
    }
    struct otlp_edit_entry *entry = &list->at[list->count++];
    *entry = (struct otlp_edit_entry){0};
    return entry;
}

static bool read_pair(const struct pb_field *field, struct otlp_edit_entry *entry)
{
    struct pb_flat in = pb_sub(field);
    struct pb_field f;
    int got;
    while ((got = pb_next(&in, &f)) == 1) {
        if (f.wire != PB_LEN)
            continue;
        if (f.number == 1)
            entry->key = leat_slice_of(f.at, f.len);
        else if (f.number == 2)
            entry->value = leat_slice_of(f.at, f.len);
    }
    return got == 0;
}

leat_rc otlp_edit__list_read(struct otlp_edit_list *list, struct leat_slice message, uint32_t number)
{
    struct pb_flat in = pb_flat_of(message.at, message.len);
    struct pb_field f;
    int got;
    list->message = message;
    list->number = number;
    list->count = 0;
    list->changed = false;
    list->scratch.len = 0;
    while ((got = pb_next(&in, &f)) == 1) {
        if (f.number != number || f.wire != PB_LEN)
            continue;
        struct otlp_edit_entry *entry = add(list);
        if (!entry)
            return LEAT_ENOMEM;
        entry->raw = f.tag;
        entry->raw_len = (uint32_t)(in.at - f.tag);
        if (!read_pair(&f, entry))
            return LEAT_EPARSE;
    }
    return got == 0 ? LEAT_OK : LEAT_EPARSE;
}

struct otlp_edit_entry *otlp_edit__find(struct otlp_edit_list *list, struct leat_slice key)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i].state != OTLP_EDIT_DELETED && leat_slice_eq(list->at[i].key, key))
            return &list->at[i];
    return NULL;
}

struct leat_slice otlp_edit__value(const struct otlp_edit_list *list, const struct otlp_edit_entry *entry)
{
    return entry->scratch_at ? leat_slice_of(list->scratch.at + entry->scratch_at - 1, entry->value.len) : entry->value;
}

leat_rc otlp_edit__set(struct otlp_edit_list *list, struct otlp_edit_entry *entry, struct leat_slice key,
                       struct leat_slice value, uint32_t from_scratch)
{
    if (!entry) {
        entry = add(list);
        if (!entry)
            return LEAT_ENOMEM;
        entry->key = key;
        entry->state = OTLP_EDIT_ADDED;
    } else if (entry->state == OTLP_EDIT_KEPT) {
        entry->state = OTLP_EDIT_CHANGED;
    }
    entry->value = value;
    entry->scratch_at = from_scratch;
    list->changed = true;
    return LEAT_OK;
}

void otlp_edit__delete(struct otlp_edit_list *list, struct otlp_edit_entry *entry)
{
    entry->state = OTLP_EDIT_DELETED;
    list->changed = true;
}

/* ---- writing ---- */

static uint32_t bytes_size(uint32_t len)
{
    return 1 + pb_varint_size(len) + len;
}
static uint32_t pair_size(const struct otlp_edit_entry *entry)
{
    return bytes_size(entry->key.len) + bytes_size(entry->value.len);
}
static uint64_t entry_size(const struct otlp_edit_list *list, const struct otlp_edit_entry *entry)
{
    uint32_t pair = pair_size(entry);
    return pb_varint_size(PB_TAG(list->number, PB_LEN)) + pb_varint_size(pair) + (uint64_t)pair;
}

uint64_t otlp_edit__size(const struct otlp_edit_list *list)
{
    uint64_t size = list->message.len;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct otlp_edit_entry *entry = &list->at[i];
        if (entry->state == OTLP_EDIT_KEPT)
            continue;
        size -= entry->raw_len;
        if (entry->state != OTLP_EDIT_DELETED)
            size += entry_size(list, entry);
    }
    return size;
}

static leat_rc put(const struct otlp_edit_sink *sink, const void *at, uint64_t len)
{
    return len ? sink->put(sink->ctx, at, (uint32_t)len) : LEAT_OK;
}

static leat_rc put_entry(const struct otlp_edit_list *list, const struct otlp_edit_entry *entry,
                         const struct otlp_edit_sink *sink)
{
    uint8_t head[32], *at = pb_put_varint(head, PB_TAG(list->number, PB_LEN));
    struct leat_slice value = otlp_edit__value(list, entry);
    at = pb_put_varint(pb_put_varint(pb_put_varint(at, pair_size(entry)), TAG_KEY), entry->key.len);
    leat_rc rc = put(sink, head, (uint64_t)(at - head));
    if (rc == LEAT_OK)
        rc = put(sink, entry->key.at, entry->key.len);
    at = pb_put_varint(pb_put_varint(head, TAG_VALUE), value.len);
    if (rc == LEAT_OK)
        rc = put(sink, head, (uint64_t)(at - head));
    return rc == LEAT_OK ? put(sink, value.at, value.len) : rc;
}

leat_rc otlp_edit__write(const struct otlp_edit_list *list, const struct otlp_edit_sink *sink)
{
    const uint8_t *done = list->message.at, *end = done ? done + list->message.len : done;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < list->count; i++) {
        const struct otlp_edit_entry *entry = &list->at[i];
        if (entry->state == OTLP_EDIT_KEPT)
            continue;
        if (entry->raw) {
            rc = put(sink, done, (uint64_t)(entry->raw - done));
            done = entry->raw + entry->raw_len;
        } else if (done != end) { /* those that were added stand behind all that came */
            rc = put(sink, done, (uint64_t)(end - done));
            done = end;
        }
        if (rc == LEAT_OK && entry->state != OTLP_EDIT_DELETED)
            rc = put_entry(list, entry, sink);
    }
    return rc == LEAT_OK ? put(sink, done, (uint64_t)(end - done)) : rc;
}

void otlp_edit__list_done(struct otlp_edit_list *list)
{
    leat_free(list->at);
    pb_buf_done(&list->scratch);
    *list = (struct otlp_edit_list){0};
}
