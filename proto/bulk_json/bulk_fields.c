/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_fields.h"

#include "agent/base/alloc.h"

#define ROOM_MIN 64u

void bulk_fields_clear(struct bulk_fields *fields)
{
    fields->count = 0;
    fields->failed = false;
    leat_strbuf_clear(&fields->keys);
    leat_strbuf_clear(&fields->texts);
}

void bulk_fields_done(struct bulk_fields *fields)
{
    leat_free(fields->at);
    leat_strbuf_done(&fields->keys);
    leat_strbuf_done(&fields->texts);
    *fields = (struct bulk_fields){0};
}

/* ---- putting ---- */

static struct bulk_field *field_add(struct bulk_fields *fields, size_t key, size_t key_len)
{
    if (fields->count == fields->room) {
        uint32_t room = fields->room ? fields->room * 2 : ROOM_MIN;
        struct bulk_field *at = leat_realloc(fields->at, room * sizeof *at);
        if (!at) {
            fields->failed = true;
            return NULL;
        }
        fields->at = at;
        fields->room = room;
    }
    struct bulk_field *field = &fields->at[fields->count];
    *field = (struct bulk_field){.key = (uint32_t)key, .key_len = (uint32_t)key_len, .order = fields->count++};
    return field;
}

/* The key stands at the end of `keys`, from `key` on. */
static void leaf_put(struct bulk_fields *fields, size_t key, const struct otlp_value *value)
{
    struct bulk_field *field = field_add(fields, key, fields->keys.len - key);
    if (field)
        field->value = *value;
}

/* Each leaf has its whole name, which begins as its map's. Bounded as values nest. */
static void leaves_put(struct bulk_fields *fields, size_t key, size_t key_len, struct leat_slice map)
{
    struct otlp_attribute attribute;
    struct leat_strbuf *keys = &fields->keys;
    while (otlp_attribute_next(&map, 1, &attribute) && !keys->failed) {
        size_t from = keys->len;
        for (size_t i = 0; i < key_len && !keys->failed; i++)
            leat_strbuf_putc(keys, keys->at[key + i]);
        leat_strbuf_putc(keys, '.');
        leat_strbuf_put(keys, attribute.key.at, attribute.key.len);
        if (keys->failed)
            return;
        if (attribute.value.kind == OTLP_MAP)
            leaves_put(fields, from, keys->len - from, attribute.value.text);
        else
            leaf_put(fields, from, &attribute.value);
    }
}

void bulk_fields_put(struct bulk_fields *fields, const char *prefix, struct leat_slice key,
                     const struct otlp_value *value)
{
    size_t from = fields->keys.len;
    leat_strbuf_puts(&fields->keys, prefix);
    leat_strbuf_put(&fields->keys, key.at, key.len);
    if (fields->keys.failed)
        return;
    if (value->kind == OTLP_MAP)
        leaves_put(fields, from, fields->keys.len - from, value->text);
    else
        leaf_put(fields, from, value);
}

void bulk_fields_text(struct bulk_fields *fields, const char *key, struct leat_slice text)
{
    bulk_fields_put(fields, "", leat_slice_str(key), &(struct otlp_value){.kind = OTLP_TEXT, .text = text});
}

void bulk_fields_integer(struct bulk_fields *fields, const char *key, int64_t value)
{
    bulk_fields_put(fields, "", leat_slice_str(key), &(struct otlp_value){.kind = OTLP_INTEGER, .integer = value});
}

struct leat_strbuf *bulk_fields_json(struct bulk_fields *fields, const char *key)
{
    size_t from = fields->keys.len;
    leat_strbuf_puts(&fields->keys, key);
    struct bulk_field *field = field_add(fields, from, strlen(key));
    if (field)
        field->json = (uint32_t)fields->texts.len;
    return &fields->texts;
}

void bulk_fields_json_end(struct bulk_fields *fields)
{
    if (fields->failed || fields->count == 0)
        return;
    struct bulk_field *field = &fields->at[fields->count - 1];
    field->json_len = (uint32_t)(fields->texts.len - field->json);
}

/* ---- sorting: a dot comes before everything, so that what is inside an object stands together and behind it ---- */

static int order_of(const struct bulk_fields *fields, const struct bulk_field *a, const struct bulk_field *b)
{
    const char *x = fields->keys.at + a->key, *y = fields->keys.at + b->key;
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len, i = 0;
    while (i < len && x[i] == y[i])
        i++;
    if (i < len)
        return x[i] == '.' ? -1 : y[i] == '.' ? 1 : (unsigned char)x[i] - (unsigned char)y[i];
    if (a->key_len != b->key_len)
        return a->key_len < b->key_len ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static void sift(struct bulk_fields *fields, uint32_t root, uint32_t count)
{
    struct bulk_field *at = fields->at, moved = at[root];
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && order_of(fields, &at[child], &at[child + 1]) < 0)
            child++;
        if (order_of(fields, &moved, &at[child]) >= 0)
            break;
        at[root] = at[child];
    }
    at[root] = moved;
}

/* In place and without memory, whatever a hostile sender puts in. */
static void sort(struct bulk_fields *fields)
{
    for (uint32_t i = fields->count / 2; i-- > 0;)
        sift(fields, i, fields->count);
    for (uint32_t end = fields->count; end-- > 1;) {
        struct bulk_field last = fields->at[end];
        fields->at[end] = fields->at[0];
        fields->at[0] = last;
        sift(fields, 0, end);
    }
}

/* ---- writing ---- */

static struct leat_slice key_of(const struct bulk_fields *fields, uint32_t i)
{
    return leat_slice_of(fields->keys.at + fields->at[i].key, fields->at[i].key_len);
}

static bool is_inside(struct leat_slice key, struct leat_slice outer)
{
    return key.len > outer.len && key.at[outer.len] == '.' && memcmp(key.at, outer.at, outer.len) == 0;
}

/* "a" beside "a.value": the latter is there already. */
static bool value_is_taken(const struct bulk_fields *fields, uint32_t i, struct leat_slice key)
{
    for (uint32_t n = i + 1; n < fields->count; n++) {
        struct leat_slice other = key_of(fields, n);
        if (!is_inside(other, key))
            return false;
        if (leat_slice_is(leat_slice_sub(other, key.len, other.len - key.len), ".value"))
            return true;
    }
    return false;
}

static uint32_t dots(struct leat_slice text)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.len; i++)
        n += text.at[i] == '.';
    return n;
}

/* Closes the objects of `last` in which `key` is not, opens those of `key`; the answer is where its own name begins. */
static uint32_t nest(struct leat_strbuf *out, struct leat_slice last, struct leat_slice key, bool first)
{
    uint32_t shared = 0, from;
    for (uint32_t i = 0; i < last.len && i < key.len && last.at[i] == key.at[i]; i++)
        if (key.at[i] == '.')
            shared = i + 1;
    for (uint32_t n = dots(leat_slice_sub(last, shared, last.len - shared)); n; n--)
        leat_strbuf_putc(out, '}');
    if (!first)
        leat_strbuf_putc(out, ',');
    from = shared;
    for (uint32_t i = shared; i < key.len; i++)
        if (key.at[i] == '.') {
            json_put_string(out, key.at + from, i - from);
            BULK_PUTS(out, ":{");
            from = i + 1;
        }
    return from;
}

static void field_write(const struct bulk_fields *fields, uint32_t i, struct leat_strbuf *out)
{
    const struct bulk_field *field = &fields->at[i];
    if (field->json_len)
        leat_strbuf_put(out, fields->texts.at + field->json, field->json_len);
    else
        bulk_put_value(out, &field->value);
}

void bulk_fields_write(struct bulk_fields *fields, struct leat_strbuf *out, bool nested)
{
    struct leat_slice last = {0};
    bool first = true;
    fields->failed |= fields->keys.failed | fields->texts.failed;
    if (fields->failed) {
        out->failed = true;
        return;
    }
    sort(fields);
    leat_strbuf_putc(out, '{');
    for (uint32_t i = 0; i < fields->count; i++) {
        struct leat_slice key = key_of(fields, i), next = i + 1 < fields->count ? key_of(fields, i + 1) : last;
        bool more = i + 1 < fields->count, outer = more && is_inside(next, key);
        if (more && leat_slice_eq(key, next))
            continue; /* the later one wins */
        if (outer && value_is_taken(fields, i, key))
            continue;
        uint32_t from = 0;
        if (nested)
            from = nest(out, last, key, first);
        else if (!first)
            leat_strbuf_putc(out, ',');
        leat_strbuf_putc(out, '"');
        json_put_escaped(out, key.at + from, key.len - from);
        if (outer)
            leat_strbuf_puts(out, nested ? "\":{\"value" : ".value");
        BULK_PUTS(out, "\":");
        field_write(fields, i, out);
        last = outer ? leat_slice_sub(next, 0, key.len + 1) : key; /* "a.": its object stands open */
        first = false;
    }
    if (nested)
        for (uint32_t n = dots(last); n; n--)
            leat_strbuf_putc(out, '}');
    leat_strbuf_putc(out, '}');
}
