/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_push/loki_push_read.h"

#include "proto/protobuf/pb_read.h"

#define NS_PER_S 1000000000ull

static bool read_timestamp(struct pb_flat reader, uint64_t *ret_unix_ns)
{
    struct pb_field field;
    int more;
    *ret_unix_ns = 0;
    while ((more = pb_next(&reader, &field)) > 0)
        *ret_unix_ns += field.number == 1 ? field.value * NS_PER_S : field.number == 2 ? field.value : 0;
    return more == 0;
}

static bool read_entry(struct pb_flat reader, struct loki_push_entry *entry)
{
    struct pb_field field;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && (field.wire != PB_LEN || !read_timestamp(pb_sub(&field), &entry->unix_ns)))
            return false;
        if (field.number == 2 && field.wire == PB_LEN)
            entry->line = leat_slice_of(field.at, field.len);
    }
    return more == 0;
}

static leat_rc read_stream(struct pb_flat reader, leat_rc (*each)(void *, const struct loki_push_entry *), void *ctx)
{
    struct pb_field field;
    struct leat_slice labels = {0};
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.wire != PB_LEN)
            continue;
        if (field.number == 1)
            labels = leat_slice_of(field.at, field.len);
        struct loki_push_entry entry = {.labels = labels, .message = leat_slice_of(field.at, field.len)};
        if (field.number != 2)
            continue;
        if (!read_entry(pb_sub(&field), &entry))
            return LEAT_EPARSE;
        leat_rc rc = each(ctx, &entry);
        if (rc != LEAT_OK)
            return rc;
    }
    return more == 0 ? LEAT_OK : LEAT_EPARSE;
}

leat_rc loki_push_read(struct leat_slice request, leat_rc (*each)(void *ctx, const struct loki_push_entry *entry),
                       void *ctx)
{
    struct pb_flat reader = pb_flat_of(request.at, request.len);
    struct pb_field field;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        leat_rc rc = field.number == 1 && field.wire == PB_LEN ? read_stream(pb_sub(&field), each, ctx) : LEAT_OK;
        if (rc != LEAT_OK)
            return rc;
    }
    return more == 0 ? LEAT_OK : LEAT_EPARSE;
}

struct leat_slice loki_push_metadata_get(const struct loki_push_entry *entry, const char *name)
{
    struct pb_flat reader = pb_flat_of(entry->message.at, entry->message.len);
    struct pb_field field;
    while (pb_next(&reader, &field) > 0) {
        if (field.number != 3 || field.wire != PB_LEN)
            continue;
        struct pb_flat pair = pb_sub(&field);
        struct pb_field part;
        struct leat_slice key = {0}, value = {.at = (const uint8_t *)""};
        while (pb_next(&pair, &part) > 0)
            *(part.number == 1 ? &key : &value) = leat_slice_of(part.at, part.len);
        if (leat_slice_is(key, name))
            return value;
    }
    return (struct leat_slice){0};
}
