/* SPDX-License-Identifier: Apache-2.0 */
/* A record as an entry. Most of its metadata is that of the entry before: it is copied from there, byte for byte, and
 * the place is noted for the packer. */
#include "agent/base/alloc.h"
#include "exporters/loki/loki.h"

#define REPEAT_MIN 24u /* of fewer bytes no note is made */
#define REPEAT_ROOM_MIN 512u

/* ---- what an entry has in common with the one before ---- */

static bool same_attributes(const struct loki_last *last, struct leat_slice attributes)
{
    return last->valid && last->attributes.len == attributes.len &&
           (attributes.len == 0 || memcmp(last->attributes.at, attributes.at, attributes.len) == 0);
}

/* Records with ids, texts or names of their own are not compared. */
static bool fields_are_plain(const struct otlp_log *log)
{
    return (log->severity_text.len | log->trace_id.len | log->span_id.len | log->event_name.len) == 0;
}

static bool same_fields(const struct loki_last *last, const struct otlp_log *log)
{
    return last->fields_valid && fields_are_plain(log) &&
           last->observed_time_unix_nano == log->observed_time_unix_nano &&
           last->severity_number == log->severity_number && last->flags == log->flags &&
           last->dropped_attributes == log->dropped_attributes;
}

static void note_fields(struct loki_last *last, const struct otlp_log *log)
{
    last->fields_valid = fields_are_plain(log);
    last->observed_time_unix_nano = log->observed_time_unix_nano;
    last->severity_number = log->severity_number;
    last->flags = log->flags;
    last->dropped_attributes = log->dropped_attributes;
}

static void note_repeat(struct loki_state *loki, size_t at, uint32_t len, size_t distance)
{
    if (len < REPEAT_MIN)
        return;
    if (loki->repeat_count == loki->repeat_room) {
        uint32_t more = loki->repeat_room ? loki->repeat_room * 2 : REPEAT_ROOM_MIN;
        struct loki_repeat *bigger = leat_realloc(loki->repeats, more * sizeof *bigger);
        if (!bigger)
            return;
        loki->repeats = bigger;
        loki->repeat_room = more;
    }
    loki->repeats[loki->repeat_count++] = (struct loki_repeat){(uint32_t)at, len, (uint32_t)distance};
}

/* ---- the parts of the metadata ---- */

static void put_shared(struct loki_state *loki)
{
    loki_push_metadata_all(&loki->push, &loki->resource_metadata);
    loki_push_metadata_all(&loki->push, &loki->scope_metadata);
}

static void put_attributes(struct loki_state *loki, struct leat_slice attributes)
{
    struct otlp_attribute attribute;
    struct leat_strbuf *own = &loki->last.attributes;
    leat_strbuf_clear(own);
    leat_strbuf_put(own, attributes.at, attributes.len);
    loki->push.failed |= own->failed;
    while (otlp_attribute_next(&attributes, 6, &attribute))
        loki__metadata(loki, &loki->push, attribute.key, &attribute.value);
}

static void put_fields(struct loki_push *push, const struct otlp_log *log)
{
    if (log->observed_time_unix_nano)
        loki_push_metadata_number(push, LEAT_SLICE("observed_timestamp"), (int64_t)log->observed_time_unix_nano);
    if (log->severity_number)
        loki_push_metadata_number(push, LEAT_SLICE("severity_number"), log->severity_number);
    if (log->severity_text.len)
        loki_push_metadata(push, LEAT_SLICE("severity_text"), log->severity_text);
    if (log->dropped_attributes)
        loki_push_metadata_number(push, LEAT_SLICE("dropped_attributes_count"), log->dropped_attributes);
    if (log->flags)
        loki_push_metadata_number(push, LEAT_SLICE("flags"), log->flags);
    if (log->trace_id.len)
        loki_push_metadata_hex(push, LEAT_SLICE("trace_id"), log->trace_id);
    if (log->span_id.len)
        loki_push_metadata_hex(push, LEAT_SLICE("span_id"), log->span_id);
    if (log->event_name.len)
        loki_push_metadata(push, LEAT_SLICE("event_name"), log->event_name);
}

/* Behind the open entry. Answers how much of it is the beginning of the last one's. */
static uint32_t put_metadata(struct loki_state *loki, const struct otlp_log *log)
{
    struct loki_push *push = &loki->push;
    struct loki_last *last = &loki->last;
    bool attributes = same_attributes(last, log->attributes), fields = attributes && same_fields(last, log);
    uint32_t repeated = !last->valid ? 0 : fields ? last->len : attributes ? last->attributes_len : last->shared_len;
    size_t begin = push->len;
    loki_push_again(push, last->at, repeated);
    if (!last->valid) {
        put_shared(loki);
        last->shared_len = (uint32_t)(push->len - begin);
    }
    if (!attributes) {
        put_attributes(loki, log->attributes);
        last->attributes_len = (uint32_t)(push->len - begin);
    }
    if (!fields) {
        put_fields(push, log);
        note_fields(last, log);
    }
    last->len = (uint32_t)(push->len - begin);
    last->valid = true;
    return repeated;
}

bool loki__record(struct loki_state *loki, struct leat_slice record)
{
    struct loki_push *push = &loki->push;
    struct loki_last *last = &loki->last;
    struct otlp_log log;
    if (!otlp_log_of(record, &log))
        return false;
    uint64_t unix_ns = log.time_unix_nano ? log.time_unix_nano : log.observed_time_unix_nano;
    if (!unix_ns)
        unix_ns = loki->world->unix_ns(loki->world);
    loki_push_entry_open(push, unix_ns, loki__text(loki, &log.body));
    size_t before = last->at;
    uint32_t repeated = put_metadata(loki, &log);
    loki_push_entry_close(push);
    if (push->failed)
        return true;                  /* seen by whoever ends the request */
    last->at = push->len - last->len; /* closing may have moved it */
    note_repeat(loki, last->at, repeated, last->at - before);
    return true;
}
