/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/loki/loki.h"

/* One batch being written. */
struct run {
    struct loki_state *loki;
    const struct leat_batch *batch;
    struct leat_requests *out;
    uint32_t first, next; /* items of the request that is open */
    bool stream_open;
};

/* ---- requests ---- */

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

/* Nothing of what was put can be repeated any more. */
static void push_clear(struct loki_state *loki)
{
    loki_push_clear(&loki->push);
    loki->repeat_count = 0;
    loki->last.valid = false;
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
    if (!request || !loki__pack(loki, &request->body) || put_headers(loki, run->out, request) != LEAT_OK)
        return false;
    request->precoded = true;
    request->url = loki->url;
    request->first = run->first;
    request->count = run->next - run->first;
    run->first = run->next;
    push_clear(loki);
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

/* Each new resource begins with a scope. */
static bool scope_begin(struct loki_state *loki, const struct otlp_scope *scope)
{
    loki->last.valid = false;
    return loki__scope(loki, scope);
}

static bool run_all(struct run *run, struct otlp_walk *walk)
{
    struct loki_state *loki = run->loki;
    while (otlp_walk_next(walk)) {
        if (walk->new_resource && !resource_begin(run, walk->resource))
            return false;
        if (walk->new_scope && !scope_begin(loki, &walk->scope))
            return false;
        if (!run->stream_open && !stream_begin(run))
            return false;
        if (!loki__record(loki, walk->item) || loki->push.failed)
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
    push_clear(loki);
    leat_strbuf_clear(&loki->tenant);
    otlp_walk_open(&walk, LEAT_LOGS, &batch->payload);
    bool done = run_all(&run, &walk);
    leat_rc rc = otlp_walk_close(&walk, reterr);
    if (rc != LEAT_OK)
        return rc;
    return done ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory to encode for Loki");
}
