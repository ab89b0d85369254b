/* SPDX-License-Identifier: Apache-2.0 */
/* Records are written one behind the other into pages; the head of a file's group (its lengths and its resource) is
 * written last, right before its first record, into room that was kept there. */
#include <string.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_put.h"
#include "proto/utf8/utf8.h"
#include "receivers/file_log/file_log.h"

#define PAGE_ROOM (LEAT_PAGE_BYTES - (uint32_t)sizeof(struct leat_mem))
#define TAG_RESOURCE_LOGS 0x0a /* ExportLogsServiceRequest.resource_logs */
#define TAG_SCOPE_LOGS 0x12    /* ResourceLogs.scope_logs */
#define TAG_LOG_RECORD 0x12    /* ScopeLogs.log_records */
#define TAG_TIME 0x09          /* LogRecord.time_unix_nano */
#define TAG_BODY 0x2a
#define TAG_OBSERVED 0x59
#define TAG_STRING 0x0a /* AnyValue.string_value */
#define TAG_BYTES 0x3a  /* AnyValue.bytes_value */
#define HEAD_FIXED 12u  /* two tags and two lengths of up to five bytes */
#define EXTRA_MAX 320u  /* logtag, record number and offset, with their keys */
#define NO_SLICE UINT32_MAX

/* ---- pages and slices ---- */

/* The bytes since `segment` go to the chain; the room for them there was reserved. */
static void push_segment(struct file_log_out *out)
{
    if (out->used == out->segment)
        return;
    struct leat_slice slice = {out->page->at + out->segment, out->used - out->segment, leat_mem_ref(out->page)};
    if (out->file && out->first_slice == NO_SLICE)
        out->first_slice = out->chain.count;
    LEAT_CHECK(leat_chain_take(&out->chain, slice) == LEAT_OK);
    out->segment = out->used;
}

static leat_rc turn_page(struct file_log_out *out)
{
    if (leat_chain_reserve(&out->chain, 3) != LEAT_OK)
        return LEAT_ENOMEM;
    struct leat_mem *page = leat_mem_new(PAGE_ROOM);
    if (!page)
        return LEAT_ENOMEM;
    if (out->page)
        push_segment(out);
    leat_mem_unref(out->page);
    out->page = page;
    out->used = out->segment = 0;
    return LEAT_OK;
}

/* Where `len` bytes can be written; they count as written. A record over a page gets a block of its own. */
static uint8_t *make_room(struct file_log_out *out, uint32_t len)
{
    if (out->page && out->used + len <= PAGE_ROOM) {
        uint8_t *at = out->page->at + out->used;
        out->used += len;
        return at;
    }
    if (len <= PAGE_ROOM) {
        if (turn_page(out) != LEAT_OK)
            return NULL;
        out->used = len;
        return out->page->at;
    }
    if (leat_chain_reserve(&out->chain, 4) != LEAT_OK)
        return NULL;
    struct leat_mem *mem = leat_mem_new(len);
    if (!mem)
        return NULL;
    push_segment(out);
    LEAT_CHECK(leat_chain_take(&out->chain, (struct leat_slice){mem->at, len, mem}) == LEAT_OK);
    return mem->at;
}

/* ---- groups: one file's records in one batch ---- */

/* The file's range in the batch being built, if it has one. */
static struct file_log_range *range_find(const struct file_log_file *file)
{
    if (leat_list_empty(&file->ranges))
        return NULL;
    struct file_log_range *last = LEAT_CONTAINER(file->ranges.prev, struct file_log_range, link);
    return last->building ? last : NULL;
}

static struct file_log_range *range_open(struct file_log_out *out, struct file_log_file *file)
{
    struct file_log_range *found = range_find(file);
    if (found)
        return found;
    struct file_log_range *range = leat_zalloc(1, sizeof *range);
    if (!range)
        return NULL;
    range->file = file;
    range->to = file->final;
    range->building = true;
    range->batch_next = out->ranges;
    out->ranges = range;
    leat_list_push(&file->ranges, &range->link);
    return range;
}

static void put_head(struct file_log_out *out, const struct file_log_file *file)
{
    uint8_t scope[6], all[6];
    uint32_t scope_len = (uint32_t)(pb_put_varint(scope + 1, out->group_bytes) - scope);
    scope[0] = TAG_SCOPE_LOGS;
    uint64_t inner = file->resource_len + scope_len + out->group_bytes;
    uint32_t all_len = (uint32_t)(pb_put_varint(all + 1, inner) - all);
    all[0] = TAG_RESOURCE_LOGS;
    struct leat_slice *first = &out->chain.vec[out->first_slice];
    uint32_t len = all_len + file->resource_len + scope_len;
    uint8_t *at = (uint8_t *)(uintptr_t)first->at + out->head_room - len;
    first->at = at;
    first->len -= out->head_room - len;
    out->chain.bytes -= out->head_room - len;
    memcpy(at, all, all_len);
    memcpy(at + all_len, file->resource, file->resource_len);
    memcpy(at + all_len + file->resource_len, scope, scope_len);
}

/* Allocates nothing: it can end a group at any moment. */
static void group_close(struct file_log_out *out)
{
    struct file_log_file *file = out->file;
    if (!file)
        return;
    push_segment(out);
    put_head(out, file);
    out->file = NULL;
    range_find(file)->to = file_log__safe(file);
}

static leat_rc group_open(struct file_log *state, struct file_log_file *file)
{
    struct file_log_out *out = &state->out;
    if (out->file == file)
        return LEAT_OK;
    group_close(out);
    if (file_log__describe(state, file) != LEAT_OK || !range_open(out, file) ||
        leat_chain_reserve(&out->chain, 4) != LEAT_OK)
        return LEAT_ENOMEM;
    out->head_room = file->resource_len + HEAD_FIXED;
    if (!make_room(out, out->head_room + 1)) /* a byte apart, or the chain would join the two groups' slices */
        return LEAT_ENOMEM;
    out->segment = out->used - out->head_room;
    out->file = file;
    out->first_slice = NO_SLICE;
    out->group_bytes = 0;
    return LEAT_OK;
}

/* ---- one record ---- */

/* What differs from record to record, but for the stream. */
static uint32_t put_extra(const struct file_log *state, const struct file_log_file *file,
                          const struct file_log_record *record, uint8_t *extra)
{
    uint8_t *at = extra;
    if (record->tag && state->tag_key[0])
        at = otlp_put_string(at, 6, leat_slice_str(state->tag_key), leat_slice_str(record->tag));
    if (state->conf->include_file_record_number && state->number_key[0])
        at = otlp_put_int(at, 6, leat_slice_str(state->number_key), (int64_t)file->record_number + 1);
    if (state->conf->include_file_record_offset && state->offset_key[0])
        at = otlp_put_int(at, 6, leat_slice_str(state->offset_key), (int64_t)record->from);
    return (uint32_t)(at - extra);
}

struct sizes {
    uint32_t body, any, field, record;
    bool repair;
};

static struct sizes measure(const struct file_log *state, const struct file_log_record *record, uint32_t attributes)
{
    struct sizes s = {.body = record->len};
    if (state->encoding == FILE_LOG_UTF8 && !utf8_ok(record->body, record->len)) {
        s.repair = true;
        s.body = (uint32_t)utf8_repaired_len(record->body, record->len);
    }
    s.any = 1 + pb_varint_size(s.body) + s.body;
    s.field = 1 + pb_varint_size(s.any) + s.any;
    s.record = (record->time_ns ? 9u : 0u) + s.field + attributes + 9;
    return s;
}

static uint8_t *put_body(const struct file_log *state, uint8_t *at, const struct file_log_record *record,
                         const struct sizes *s)
{
    *at++ = TAG_BODY;
    at = pb_put_varint(at, s->any);
    *at++ = state->encoding == FILE_LOG_NOP ? TAG_BYTES : TAG_STRING;
    at = pb_put_varint(at, s->body);
    if (s->repair)
        (void)utf8_repair(record->body, record->len, at);
    else if (s->body)
        memcpy(at, record->body, s->body);
    return at + s->body;
}

static uint8_t *append(uint8_t *at, const void *from, uint32_t len)
{
    if (len)
        memcpy(at, from, len);
    return at + len;
}

leat_rc file_log__put(struct file_log *state, struct file_log_file *file, const struct file_log_record *record)
{
    uint8_t extra[EXTRA_MAX];
    leat_rc rc = group_open(state, file);
    if (rc != LEAT_OK)
        return rc;
    uint32_t stream_len = state->stream_attr_len[record->stream];
    uint32_t extra_len = put_extra(state, file, record, extra);
    struct sizes s = measure(state, record, file->attributes_len + stream_len + extra_len);
    uint32_t total = 1 + pb_varint_size(s.record) + s.record;
    uint8_t *at = make_room(&state->out, total);
    if (!at)
        return LEAT_ENOMEM;
    *at++ = TAG_LOG_RECORD;
    at = pb_put_varint(at, s.record);
    if (record->time_ns) {
        *at++ = TAG_TIME;
        at = pb_put_fixed64(at, record->time_ns);
    }
    at = put_body(state, at, record, &s);
    at = append(at, file->attributes, file->attributes_len);
    at = append(at, state->stream_attr[record->stream], stream_len);
    at = append(at, extra, extra_len);
    *at++ = TAG_OBSERVED;
    (void)pb_put_fixed64(at, state->observed_ns);
    state->out.group_bytes += total;
    state->out.items++;
    state->out.bytes += total;
    state->out.copied += s.body;
    file->record_number++;
    if (s.repair)
        file_log__count(state, FILE_LOG_REPAIRED, 1);
    return LEAT_OK;
}

/* ---- the batch and its end ---- */

bool file_log__out_full(const struct file_log *state)
{
    return state->out.bytes >= (uint64_t)state->conf->max_batch_bytes ||
           state->out.items >= (uint64_t)state->conf->max_batch_records;
}

/* The position follows the ranges whose end is known, from the oldest on. */
void file_log__range_settle(struct file_log *state, struct file_log_file *file)
{
    uint64_t before = file->final;
    while (!leat_list_empty(&file->ranges)) {
        struct file_log_range *first = LEAT_CONTAINER(file->ranges.next, struct file_log_range, link);
        if (!first->done)
            break;
        if (first->to > file->final)
            file->final = first->to;
        leat_list_remove(&first->link);
        leat_free(first);
    }
    if (leat_list_empty(&file->ranges))
        file->final = file_log__safe(file);
    if (file->final != before)
        state->dirty = true;
}

static void ranges_end(struct file_log *state, struct file_log_range *ranges)
{
    for (struct file_log_range *r = ranges; r;) {
        struct file_log_range *next = r->batch_next;
        struct file_log_file *file = r->file;
        r->done = true;
        file_log__range_settle(state, file);
        if (file->gone && leat_list_empty(&file->ranges))
            file_log__file_free(state, file);
        r = next;
    }
}

static void on_final(struct leat_ack *ack)
{
    struct file_log_pending *pending = LEAT_CONTAINER(ack, struct file_log_pending, ack);
    struct file_log *state = pending->state;
    leat_list_remove(&pending->link);
    state->inflight_bytes -= pending->bytes;
    if (!ack->dropped[LEAT_DROP_SHUTDOWN]) /* else the position stays before them: they are read again after the restart */
        ranges_end(state, pending->ranges);
    leat_free(pending);
    file_log__wake(state);
}

/* What is offered and refused stays in `waiting`; what is taken is in `inflight` until on_final. */
bool file_log__emit_waiting(struct file_log *state)
{
    struct file_log_pending *pending = state->waiting;
    if (!pending)
        return true;
    leat_list_push(&state->inflight, &pending->link);
    state->inflight_bytes += pending->bytes;
    struct leat_batch *batch = state->waiting_batch;
    leat_rc rc = leat_emit(state->host, batch);
    if (rc != LEAT_OK && leat_rc_fate(rc) == LEAT_FATE_RETRY) {
        leat_list_remove(&pending->link);
        state->inflight_bytes -= pending->bytes;
        return false;
    }
    state->waiting = NULL;
    state->waiting_batch = NULL;
    if (rc != LEAT_OK)
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_REFUSED);
    return true;
}

static bool wrap(struct file_log *state)
{
    struct file_log_out *out = &state->out;
    struct file_log_pending *pending = leat_zalloc(1, sizeof *pending);
    struct leat_batch *batch = pending ? leat_batch_new(LEAT_LOGS, &otlp_form) : NULL;
    if (!batch) {
        leat_free(pending);
        return false;
    }
    pending->state = state;
    pending->ranges = out->ranges;
    pending->bytes = out->chain.bytes;
    for (struct file_log_range *r = out->ranges; r; r = r->batch_next)
        r->building = false;
    leat_list_init(&pending->link);
    leat_ack_init(&pending->ack, on_final);
    batch->payload = out->chain;
    batch->item_count = out->items;
    batch->ack = &pending->ack;
    state->waiting = pending;
    state->waiting_batch = batch;
    return true;
}

/* The page stays: the next batch goes on in it, so that small batches lie dense. */
static void out_reset(struct file_log_out *out)
{
    *out = (struct file_log_out){.page = out->page, .used = out->used, .segment = out->used};
}

void file_log__out_flush(struct file_log *state)
{
    struct file_log_out *out = &state->out;
    group_close(out);
    if (!out->items || !file_log__emit_waiting(state))
        return;
    leat_copied(out->copied);
    out->copied = 0;
    if (!wrap(state))
        return; /* goes on being built; tried again at the next turn */
    out_reset(out);
    (void)file_log__emit_waiting(state);
}

/* They stay where they are, open for ever (until close): the position never passes what nobody took. */
static void ranges_leave(struct file_log_range *ranges)
{
    for (; ranges; ranges = ranges->batch_next)
        ranges->building = false;
}

/* At the end: what was not taken is read again after the next start. */
void file_log__out_drop(struct file_log *state)
{
    struct file_log_out *out = &state->out;
    ranges_leave(out->ranges);
    if (state->waiting) {
        ranges_leave(state->waiting->ranges);
        leat_batch_free(state->waiting_batch);
        leat_free(state->waiting);
        state->waiting = NULL;
        state->waiting_batch = NULL;
    }
    leat_chain_done(&out->chain);
    leat_mem_unref(out->page);
    *out = (struct file_log_out){0};
}
