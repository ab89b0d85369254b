/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_labels.h"

int rw_name_compare(struct leat_slice a, struct leat_slice b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

void rw_label_put(struct pb_buf *buf, struct leat_slice name, struct leat_slice value)
{
    uint32_t len = 2 + pb_varint_size(name.len) + name.len + pb_varint_size(value.len) + value.len;
    if (!pb_buf_room(buf, (size_t)len + 8))
        return;
    uint8_t *at = pb_put_varint(buf->at + buf->len, PB_TAG(1, PB_LEN));
    at = pb_put_varint(at, len);
    at = pb_put_bytes(at, PB_TAG(1, PB_LEN), name.at, name.len);
    at = pb_put_bytes(at, PB_TAG(2, PB_LEN), value.at, value.len);
    buf->len = (size_t)(at - buf->at);
}

bool rw_label_next(struct leat_slice *fields, struct rw_label *ret_label)
{
    struct pb_flat reader = pb_flat_of(fields->at, fields->len);
    struct pb_field field, part;
    *ret_label = (struct rw_label){0};
    if (pb_next(&reader, &field) != 1 || field.wire != PB_LEN)
        return false;
    *fields = leat_slice_of(reader.at, (uint32_t)(reader.end - reader.at));
    struct pb_flat label = pb_sub(&field);
    while (pb_next(&label, &part) == 1)
        if (part.wire == PB_LEN)
            *(part.number == 1 ? &ret_label->name : &ret_label->value) = leat_slice_of(part.at, part.len);
    return true;
}

static void put_prefixed(struct pb_buf *buf, struct leat_slice prefix, const struct rw_label *label)
{
    uint32_t value_len = prefix.len + 1 + label->value.len;
    uint32_t len = 2 + pb_varint_size(label->name.len) + label->name.len + pb_varint_size(value_len) + value_len;
    if (!pb_buf_room(buf, (size_t)len + 8))
        return;
    uint8_t *at = pb_put_varint(pb_put_varint(buf->at + buf->len, PB_TAG(1, PB_LEN)), len);
    at = pb_put_bytes(at, PB_TAG(1, PB_LEN), label->name.at, label->name.len);
    at = pb_put_varint(pb_put_varint(at, PB_TAG(2, PB_LEN)), value_len);
    memcpy(at, prefix.at, prefix.len);
    at[prefix.len] = '_';
    if (label->value.len)
        memcpy(at + prefix.len + 1, label->value.at, label->value.len);
    buf->len = (size_t)(at + value_len - buf->at);
}

static void put_own(const struct rw_outgoing *outgoing, const struct rw_label *label, struct pb_buf *buf)
{
    if (outgoing->prefix.len && leat_slice_is(label->name, "__name__"))
        put_prefixed(buf, outgoing->prefix, label);
    else
        rw_label_put(buf, label->name, label->value);
}

struct leat_slice rw_labels_of(const struct rw_outgoing *outgoing, const struct leat_prom_series *series, struct pb_buf *scratch,
                               uint32_t *ret_count)
{
    struct leat_slice own = leat_slice_of(series->labels, series->label_bytes);
    struct rw_label label;
    uint32_t next = 0;
    *ret_count = series->label_count;
    if (outgoing->external_count == 0 && outgoing->prefix.len == 0)
        return own;
    scratch->len = 0;
    *ret_count = 0;
    while (rw_label_next(&own, &label)) {
        int order = -1;
        while (next < outgoing->external_count && (order = rw_name_compare(outgoing->external[next].name, label.name)) < 0) {
            rw_label_put(scratch, outgoing->external[next].name, outgoing->external[next].value);
            next++;
            ++*ret_count;
        }
        if (next < outgoing->external_count && order == 0)
            next++; /* the series' own wins */
        put_own(outgoing, &label, scratch);
        ++*ret_count;
    }
    for (; next < outgoing->external_count; next++, ++*ret_count)
        rw_label_put(scratch, outgoing->external[next].name, outgoing->external[next].value);
    return leat_slice_of(scratch->at, (uint32_t)scratch->len);
}
