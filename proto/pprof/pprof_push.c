/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof/pprof_push.h"

enum { SERIES = PB_TAG(1, PB_LEN), LABELS = PB_TAG(1, PB_LEN), SAMPLES = PB_TAG(2, PB_LEN) };
enum { RAW_PROFILE = PB_TAG(1, PB_LEN), ID = PB_TAG(2, PB_LEN) };

/* ---- writing ---- */

void pprof_push_label(struct pb_buf *labels, struct leat_slice name, struct leat_slice value)
{
    size_t opened = pb_buf_open(labels, LABELS);
    pb_buf_bytes(labels, PB_TAG(1, PB_LEN), name.at, name.len);
    pb_buf_bytes(labels, PB_TAG(2, PB_LEN), value.at, value.len);
    pb_buf_close(labels, opened);
}

void pprof_push_id(const uint8_t bytes[16], char text[PPROF_PUSH_ID_LEN])
{
    static const char hex[] = "0123456789abcdef";
    unsigned n = 0;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[n++] = '-';
        text[n++] = hex[bytes[i] >> 4];
        text[n++] = hex[bytes[i] & 15];
    }
}

leat_rc pprof_push_put(struct leat_chain *out, struct leat_slice labels, const char id[PPROF_PUSH_ID_LEN],
                       const struct leat_chain *profile)
{
    struct pb_buf head = {0};
    uint64_t raw = 1 + pb_varint_size(profile->bytes) + profile->bytes, sample = 2 + PPROF_PUSH_ID_LEN + raw;
    uint64_t series = labels.len + 1 + pb_varint_size(sample) + sample;
    pb_buf_varint(&head, SERIES, series);
    pb_buf_raw(&head, labels.at, labels.len);
    pb_buf_varint(&head, SAMPLES, sample);
    pb_buf_bytes(&head, ID, id, PPROF_PUSH_ID_LEN);
    pb_buf_varint(&head, RAW_PROFILE, profile->bytes);
    leat_rc rc = head.failed ? LEAT_ENOMEM : LEAT_OK;
    struct leat_chain made = {0};
    if (rc == LEAT_OK)
        rc = leat_chain_copy(&made, head.at, (uint32_t)head.len);
    if (rc == LEAT_OK)
        rc = leat_chain_share_all(&made, profile);
    if (rc == LEAT_OK)
        rc = leat_chain_append(out, &made);
    leat_chain_done(&made);
    pb_buf_done(&head);
    return rc;
}

/* ---- reading ---- */

void pprof_push_open(struct pprof_push *push, const struct leat_chain *payload)
{
    *push = (struct pprof_push){.cursor = pb_cursor_at_start(payload), .payload = payload};
}

/* The label field the cursor stands behind the tag of, tag and all, into the scratch. */
static bool take_label(struct pprof_push *push, uint64_t limit)
{
    struct pb_buf *labels = &push->labels;
    uint64_t len;
    if (!pb_cursor_length(&push->cursor, limit, &len) || len + labels->len > PPROF_PUSH_LABEL_BYTES_MAX)
        return false;
    pb_buf_varint(labels, LABELS, len);
    if (!pb_buf_room(labels, (size_t)len)) {
        push->rc = LEAT_ENOMEM;
        return false;
    }
    if (!pb_cursor_get(&push->cursor, limit, labels->at + labels->len, (uint32_t)len))
        return false;
    labels->len += (size_t)len;
    return true;
}

static bool take_sample(struct pprof_push *push, uint64_t limit, struct pprof_series *series)
{
    struct pb_cursor *c = &push->cursor;
    uint64_t len;
    if (series->sample_len || !pb_cursor_length(c, limit, &len))
        return false;
    uint64_t end = pb_cursor_offset(c) + len;
    series->sample_len = end - series->sample_at;
    while (pb_cursor_offset(c) < end) {
        uint32_t tag;
        if (!pb_cursor_tag(c, end, &tag))
            return false;
        if (tag != RAW_PROFILE) {
            if (!pb_cursor_skip_field(c, end, tag & 7))
                return false;
            continue;
        }
        uint8_t magic[2] = {0};
        if (!pb_cursor_length(c, end, &series->profile_len))
            return false;
        series->profile_at = pb_cursor_offset(c);
        struct pb_cursor peek = *c;
        series->is_gzip =
            series->profile_len > 2 && pb_cursor_get(&peek, end, magic, 2) && magic[0] == 0x1f && magic[1] == 0x8b;
        pb_cursor_skip(c, series->profile_len);
    }
    return true;
}

static bool take_series(struct pprof_push *push, struct pprof_series *series)
{
    struct pb_cursor *c = &push->cursor;
    uint32_t tag;
    uint64_t len;
    if (!pb_cursor_tag(c, push->payload->bytes, &tag) || tag != SERIES ||
        !pb_cursor_length(c, push->payload->bytes, &len))
        return false;
    uint64_t end = pb_cursor_offset(c) + len;
    series->len = end - series->at;
    push->labels.len = 0;
    while (pb_cursor_offset(c) < end) {
        uint64_t at = pb_cursor_offset(c);
        bool good = pb_cursor_tag(c, end, &tag);
        if (good && tag == LABELS) {
            good = take_label(push, end);
        } else if (good && tag == SAMPLES) {
            series->sample_at = at;
            good = take_sample(push, end, series);
        } else if (good) {
            good = pb_cursor_skip_field(c, end, tag & 7);
        }
        if (!good)
            return false;
    }
    series->labels = leat_slice_of(push->labels.at, (uint32_t)push->labels.len);
    return series->sample_len != 0;
}

bool pprof_push_next(struct pprof_push *push, struct pprof_series *ret_series)
{
    *ret_series = (struct pprof_series){.at = pb_cursor_offset(&push->cursor)};
    if (push->rc != LEAT_OK || ret_series->at == push->payload->bytes)
        return false;
    bool good = take_series(push, ret_series);
    if (!good && push->rc == LEAT_OK)
        push->rc = LEAT_EPARSE;
    return good;
}

leat_rc pprof_push_close(struct pprof_push *push, struct leat_err *reterr)
{
    pb_buf_done(&push->labels);
    if (push->rc == LEAT_OK)
        return LEAT_OK;
    return LEAT_RAISE(reterr, push->rc, 0, push->rc == LEAT_ENOMEM ? "pprof: no memory for labels" : "pprof: malformed series");
}

bool pprof_push_label_next(struct leat_slice *labels, struct leat_slice *ret_name, struct leat_slice *ret_value)
{
    struct pb_flat rest = pb_flat_of(labels->at, labels->len);
    struct pb_field field, part;
    if (pb_next(&rest, &field) != 1)
        return false;
    labels->len = (uint32_t)(rest.end - rest.at);
    labels->at = rest.at;
    struct pb_flat pair = pb_sub(&field);
    *ret_name = *ret_value = (struct leat_slice){0};
    while (pb_next(&pair, &part) == 1)
        if (part.wire == PB_LEN && (part.number == 1 || part.number == 2))
            *(part.number == 1 ? ret_name : ret_value) = leat_slice_of(part.at, part.len);
    return true;
}
