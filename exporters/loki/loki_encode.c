/* SPDX-License-Identifier: Apache-2.0 */
#include <snappy-c.h>

#include "agent/base/alloc.h"
#include "exporters/loki/loki.h"

/* One batch being written. */
struct run {
    struct loki_state *loki;
    const struct leat_batch *batch;
    struct leat_requests *out;
    uint32_t first, next; /* items of the request that is open */
    bool stream_open;
};

/* ---- one record ---- */

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

static bool put_record(struct loki_state *loki, struct leat_slice record)
{
    struct loki_push *push = &loki->push;
    struct otlp_log log;
    struct otlp_attribute attribute;
    if (!otlp_log_of(record, &log))
        return false;
    uint64_t unix_ns = log.time_unix_nano ? log.time_unix_nano : log.observed_time_unix_nano;
    if (!unix_ns)
        unix_ns = loki->world->unix_ns(loki->world);
    loki_push_entry_open(push, unix_ns, loki__text(loki, &log.body));
    loki_push_metadata_all(push, &loki->resource_metadata);
    loki_push_metadata_all(push, &loki->scope_metadata);
    put_fields(push, &log);
    while (otlp_attribute_next(&log.attributes, 6, &attribute))
        loki__metadata(loki, push, attribute.key, &attribute.value);
    loki_push_entry_close(push);
    return true;
}

/* ---- requests ---- */

static bool packed_room(struct loki_state *loki, size_t room)
{
    if (loki->packed_room >= room)
        return true;
    char *at = leat_realloc(loki->packed, room);
    if (!at)
        return false;
    loki->packed = at;
    loki->packed_room = room;
    return true;
}

/* The message as one snappy block, in a block of memory of its own size. */
static bool put_body(struct loki_state *loki, struct leat_request *request)
{
    size_t len = snappy_max_compressed_length(loki->push.len);
    if (!packed_room(loki, len) ||
        snappy_compress((const char *)loki->push.at, loki->push.len, loki->packed, &len) != SNAPPY_OK)
        return false;
    struct leat_mem *mem = leat_mem_new((uint32_t)len);
    if (!mem)
        return false;
    memcpy(mem->at, loki->packed, len);
    struct leat_slice slice = {.at = mem->at, .len = (uint32_t)len, .mem = mem};
    if (leat_chain_take(&request->body, slice) == LEAT_OK)
        return true;
    (void)leat_mem_unref(mem);
    return false;
}

static leat_rc put_headers(const struct loki_state *loki, struct leat_requests *out, struct leat_request *request)
{
    struct leat_slice tenant;
    leat_rc rc = leat_request_header(request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/x-protobuf"));
    if (rc == LEAT_OK)
        rc = leat_request_header(request, LEAT_SLICE("Content-Encoding"), LEAT_SLICE("snappy"));
    if (rc != LEAT_OK || loki->tenant.len == 0)
        return rc;
    rc = leat_requests_keep(out, loki->tenant.at, (uint32_t)loki->tenant.len, &tenant);
    return rc == LEAT_OK ? leat_request_header(request, LEAT_SLICE("X-Scope-OrgID"), tenant) : rc;
}

/* Ends the open request, if there is one. */
static bool request_end(struct run *run)
{
    struct loki_state *loki = run->loki;
    if (run->stream_open)
        loki_push_stream_close(&loki->push);
    run->stream_open = false;
    if (loki->push.failed)
        return false;
    if (run->next == run->first)
        return true;
    struct leat_request *request = leat_requests_add(run->out);
    if (!request || !put_body(loki, request) || put_headers(loki, run->out, request) != LEAT_OK)
        return false;
    request->precoded = true;
    request->url = loki->url;
    request->first = run->first;
    request->count = run->next - run->first;
    run->first = run->next;
    loki_push_clear(&loki->push);
    return true;
}

/* ---- what a record stands in ---- */

static bool text_set(struct leat_strbuf *to, const char *at, size_t len)
{
    leat_strbuf_clear(to);
    leat_strbuf_put(to, at, len);
    return !to->failed;
}

static bool text_eq(const struct leat_strbuf *a, const struct leat_strbuf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0);
}

/* The tenant of a resource without one of its own. */
static bool tenant_default(struct run *run)
{
    const struct loki_conf *conf = run->loki->conf;
    const char *tenant = NULL;
    if (conf->tenant_metadata && *conf->tenant_metadata)
        tenant = leat_meta_get(run->batch->meta, conf->tenant_metadata);
    if (!tenant)
        tenant = conf->tenant_id ? conf->tenant_id : "";
    return text_set(&run->loki->next_tenant, tenant, strlen(tenant));
}

static bool resource_begin(struct run *run, struct leat_slice resource)
{
    struct loki_state *loki = run->loki;
    if (!tenant_default(run) || !loki__resource(loki, resource))
        return false;
    if (!text_eq(&loki->tenant, &loki->next_tenant)) {
        if (!request_end(run) || !text_set(&loki->tenant, loki->next_tenant.at, loki->next_tenant.len))
            return false;
    }
    if (run->stream_open && !text_eq(&loki->opened_text, &loki->label_text)) {
        loki_push_stream_close(&loki->push);
        run->stream_open = false;
    }
    return true;
}

static bool stream_begin(struct run *run)
{
    struct loki_state *loki = run->loki;
    loki_push_stream_open(&loki->push, leat_slice_of(loki->label_text.at, (uint32_t)loki->label_text.len));
    run->stream_open = true;
    return text_set(&loki->opened_text, loki->label_text.at, loki->label_text.len);
}

static bool run_all(struct run *run, struct otlp_walk *walk)
{
    struct loki_state *loki = run->loki;
    while (otlp_walk_next(walk)) {
        if (walk->new_resource && !resource_begin(run, walk->resource))
            return false;
        if (walk->new_scope && !loki__scope(loki, &walk->scope))
            return false;
        if (!run->stream_open && !stream_begin(run))
            return false;
        if (!put_record(loki, walk->item) || loki->push.failed)
            return false;
        run->next++;
        if (loki->push.len >= (uint64_t)loki->conf->request_bytes_max && !request_end(run))
            return false;
    }
    return request_end(run);
}

leat_rc loki_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct loki_state *loki = state;
    struct run run = {.loki = loki, .batch = batch, .out = out};
    struct otlp_walk walk;
    loki_push_clear(&loki->push);
    leat_strbuf_clear(&loki->tenant);
    otlp_walk_open(&walk, LEAT_LOGS, &batch->payload);
    bool done = run_all(&run, &walk);
    leat_rc rc = otlp_walk_close(&walk, reterr);
    if (rc != LEAT_OK)
        return rc;
    return done ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory to encode for Loki");
}
