/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/labels.h"

#include <xxhash.h>

#include "agent/base/alloc.h"
#include "proto/utf8/utf8.h"

#define TEXT_BYTES_MIN 4096u

struct leat_label_text {
    struct leat_label_text *next;
    uint32_t used, size;
    char at[];
};

/* ---- finished sets ---- */

static int compare(struct leat_slice a, struct leat_slice b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where `name` is, or belongs. */
static bool find(const struct leat_label *at, uint32_t count, struct leat_slice name, uint32_t *ret_place)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare(at[middle].name, name);
        if (order == 0) {
            *ret_place = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_place = low;
    return false;
}

struct leat_slice leat_labels_get(struct leat_labels labels, struct leat_slice name)
{
    uint32_t place;
    return find(labels.at, labels.count, name, &place) ? labels.at[place].value : leat_slice_of("", 0);
}

bool leat_labels_eq(struct leat_labels a, struct leat_labels b)
{
    bool same = a.count == b.count;
    for (uint32_t i = 0; i < a.count && same; i++)
        same = leat_slice_eq(a.at[i].name, b.at[i].name) && leat_slice_eq(a.at[i].value, b.at[i].value);
    return same;
}

int leat_labels_compare(struct leat_labels a, struct leat_labels b)
{
    for (uint32_t i = 0; i < a.count && i < b.count; i++) {
        int order = compare(a.at[i].name, b.at[i].name);
        if (order == 0)
            order = compare(a.at[i].value, b.at[i].value);
        if (order)
            return order;
    }
    return (a.count > b.count) - (a.count < b.count);
}

uint64_t leat_labels_hash(struct leat_labels labels, uint64_t seed)
{
    uint64_t hash = seed;
    for (uint32_t i = 0; i < labels.count; i++) {
        hash = XXH3_64bits_withSeed(labels.at[i].name.at, labels.at[i].name.len, hash);
        hash = XXH3_64bits_withSeed(labels.at[i].value.at, labels.at[i].value.len, hash);
    }
    return hash;
}

static struct leat_slice put_text(char **at, struct leat_slice text)
{
    struct leat_slice copy = leat_slice_of(*at, text.len);
    if (text.len)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return copy;
}

leat_rc leat_labels_copy(struct leat_labels labels, struct leat_labels *ret_copy)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < labels.count; i++)
        bytes += (size_t)labels.at[i].name.len + labels.at[i].value.len;
    *ret_copy = (struct leat_labels){0};
    if (labels.count == 0)
        return LEAT_OK;
    struct leat_label *at = leat_alloc(labels.count * sizeof *at + bytes);
    if (!at)
        return LEAT_ENOMEM;
    char *text = (char *)(at + labels.count);
    for (uint32_t i = 0; i < labels.count; i++) {
        at[i].name = put_text(&text, labels.at[i].name);
        at[i].value = put_text(&text, labels.at[i].value);
    }
    *ret_copy = (struct leat_labels){at, labels.count};
    return LEAT_OK;
}

bool leat_label_name_is_classic(struct leat_slice name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len != 0;
}

bool leat_label_name_is_utf8(struct leat_slice name)
{
    return name.len != 0 && utf8_ok(name.at, name.len);
}

/* ---- a set under edit ---- */

void leat_label_edit_clear(struct leat_label_edit *edit)
{
    while (edit->text) {
        struct leat_label_text *next = edit->text->next;
        if (edit->spare || edit->text->size != TEXT_BYTES_MIN) {
            leat_free(edit->text);
        } else {
            edit->text->next = NULL;
            edit->text->used = 0;
            edit->spare = edit->text;
        }
        edit->text = next;
    }
    edit->count = edit->bytes = 0;
    edit->failed = LEAT_OK;
}

void leat_label_edit_done(struct leat_label_edit *edit)
{
    leat_label_edit_clear(edit);
    leat_free(edit->spare);
    leat_free(edit->at);
    *edit = (struct leat_label_edit){0};
}

static void fail(struct leat_label_edit *edit, leat_rc rc)
{
    if (edit->failed == LEAT_OK)
        edit->failed = rc;
}

char *leat_label_edit_room(struct leat_label_edit *edit, uint32_t len)
{
    struct leat_label_text *text = edit->text;
    if (len > LEAT_LABEL_BYTES_MAX - edit->bytes) {
        fail(edit, LEAT_ELIMIT);
        return NULL;
    }
    if (!text || text->size - text->used < len) {
        uint32_t size = len > TEXT_BYTES_MIN ? len : TEXT_BYTES_MIN;
        text = size == TEXT_BYTES_MIN ? edit->spare : NULL;
        if (text) {
            edit->spare = NULL;
        } else if (!(text = leat_alloc(sizeof *text + size))) {
            fail(edit, LEAT_ENOMEM);
            return NULL;
        }
        *text = (struct leat_label_text){.next = edit->text, .size = size};
        edit->text = text;
    }
    char *at = text->at + text->used;
    text->used += len;
    edit->bytes += len;
    return at;
}

static bool make_room(struct leat_label_edit *edit, uint32_t count)
{
    if (count > LEAT_LABELS_MAX) {
        fail(edit, LEAT_ELIMIT);
        return false;
    }
    if (count <= edit->room)
        return true;
    uint32_t room = count < 32 ? 32 : count * 2;
    struct leat_label *at = leat_realloc(edit->at, room * sizeof *at);
    if (!at) {
        fail(edit, LEAT_ENOMEM);
        return false;
    }
    edit->at = at;
    edit->room = room;
    return true;
}

void leat_label_edit_borrow(struct leat_label_edit *edit, struct leat_labels labels)
{
    leat_label_edit_clear(edit);
    if (!make_room(edit, labels.count))
        return;
    if (labels.count)
        memcpy(edit->at, labels.at, labels.count * sizeof *labels.at);
    edit->count = labels.count;
}

struct leat_slice leat_label_edit_get(const struct leat_label_edit *edit, struct leat_slice name)
{
    return leat_labels_get(leat_label_edit_view(edit), name);
}

static bool keep(struct leat_label_edit *edit, struct leat_slice *text)
{
    char *at = leat_label_edit_room(edit, text->len);
    if (at)
        *text = put_text(&at, *text);
    return at != NULL;
}

void leat_label_edit_put(struct leat_label_edit *edit, struct leat_slice name, struct leat_slice value)
{
    uint32_t place;
    if (value.len == 0) {
        leat_label_edit_remove(edit, name);
        return;
    }
    if (find(edit->at, edit->count, name, &place)) {
        if (!leat_slice_eq(edit->at[place].value, value) && keep(edit, &value))
            edit->at[place].value = value;
        return;
    }
    if (!make_room(edit, edit->count + 1) || !keep(edit, &name) || !keep(edit, &value))
        return;
    memmove(&edit->at[place + 1], &edit->at[place], (edit->count - place) * sizeof *edit->at);
    edit->at[place] = (struct leat_label){name, value};
    edit->count++;
}

void leat_label_edit_put_str(struct leat_label_edit *edit, const char *name, struct leat_slice value)
{
    leat_label_edit_put(edit, leat_slice_str(name), value);
}

void leat_label_edit_remove(struct leat_label_edit *edit, struct leat_slice name)
{
    uint32_t place;
    if (!find(edit->at, edit->count, name, &place))
        return;
    edit->count--;
    memmove(&edit->at[place], &edit->at[place + 1], (edit->count - place) * sizeof *edit->at);
}
