/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/bulk/bulk.h"

#define NS_PER_S 1000000000ull
#define PIECE_BYTES 122880u    /* so much text goes into the request at once, as a page: from there the budget counts it */
#define KEPT_BYTES_MAX 524288u /* scratch beyond this, of one huge document, goes back after a batch */

/* One batch being written. */
struct run {
    struct leat_bulk *bulk;
    const struct leat_batch *batch;
    struct leat_requests *out;
    uint32_t first, next, docs; /* items of the request that is open, and how many of them are documents */
    uint8_t *bitmap;            /* which, as soon as one is not */
    struct leat_chain body;     /* of the open request; its last bytes are still in bulk->text */
    bool malformed;
    uint64_t now_ns;            /* 0: not asked yet */
    char token[11];             /* what the ids of this load begin with */
};

/* ---- requests ---- */

/* What was written becomes part of the open request's body. */
static bool text_move(struct run *run)
{
    struct leat_strbuf *text = &run->bulk->text;
    if (text->failed || text->len > UINT32_MAX ||
        leat_chain_copy(&run->body, text->at, (uint32_t)text->len) != LEAT_OK)
        return false;
    leat_strbuf_clear(text);
    return true;
}

static leat_rc request_fill(struct run *run, struct leat_request *request)
{
    struct leat_bulk *bulk = run->bulk;
    leat_rc rc = leat_chain_append(&request->body, &run->body);
    if (rc == LEAT_OK)
        rc = leat_bulk__headers(bulk, request, LEAT_SLICE("application/x-ndjson"));
    request->urls = (const char *const *)bulk->urls;
    request->url_count = bulk->conf.endpoint_count;
    request->url = bulk->urls[0];
    request->reply_bytes_max = LEAT_BULK_REPLY_MAX;
    request->tag = LEAT_BULK__DOCUMENTS;
    request->first = run->first;
    request->count = run->docs;
    request->bitmap = run->bitmap;
    run->bitmap = NULL;
    return rc;
}

/* Ends the open request, if there is one. */
static bool request_end(struct run *run)
{
    if (!text_move(run))
        return false;
    if (run->docs) {
        struct leat_request *request = leat_requests_add(run->out);
        if (!request || request_fill(run, request) != LEAT_OK)
            return false;
    }
    leat_free(run->bitmap);
    run->bitmap = NULL;
    run->first = run->next;
    run->docs = 0;
    return true;
}

/* From here on the request says item by item which are in it. */
static bool bitmap_begin(struct run *run)
{
    if (run->bitmap || run->docs == 0)
        return true;
    run->bitmap = leat_zalloc(run->batch->item_count / 8 + 1, 1);
    for (uint32_t i = run->first; run->bitmap && i < run->next; i++)
        leat_bitmap_set(run->bitmap, i);
    return run->bitmap != NULL;
}

static bool item_unfit(struct run *run)
{
    if (!bitmap_begin(run) ||
        leat_requests_reject(run->out, run->next, 1, "no document in this mapping: the body is no map") != LEAT_OK)
        return false;
    run->next++;
    if (run->docs == 0)
        run->first = run->next;
    return true;
}

static void item_done(struct run *run)
{
    if (run->bitmap)
        leat_bitmap_set(run->bitmap, run->next);
    run->next++;
    run->docs++;
}

/* ---- the action line ---- */

static const char id_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void token_make(struct run *run)
{
    uint64_t token = run->out->origin.token;
    for (size_t i = 0; i < sizeof run->token; i++, token >>= 6)
        run->token[i] = id_digits[token & 63];
}

static void action_put(const struct run *run)
{
    struct leat_bulk *bulk = run->bulk;
    char id[17];
    uint32_t item = leat_origin_item(&run->out->origin, run->next);
    leat_strbuf_put(&bulk->text, bulk->action.at, bulk->action.len);
    if (!bulk->conf.own_ids) {
        BULK_PUTS(&bulk->text, "}}\n");
        return;
    }
    memcpy(id, run->token, sizeof run->token);
    for (size_t i = sizeof run->token; i < sizeof id; i++, item >>= 6)
        id[i] = id_digits[item & 63];
    BULK_PUTS(&bulk->text, ",\"_id\":\"");
    leat_strbuf_put(&bulk->text, id, sizeof id);
    BULK_PUTS(&bulk->text, "\"}}\n");
}

/* The beginning of the line, as long as documents go to the same index. */
static void action_set(struct leat_bulk *bulk)
{
    leat_strbuf_clear(&bulk->action);
    leat_strbuf_puts(&bulk->action, bulk->conf.index_action ? "{\"index\":{\"_index\":" : "{\"create\":{\"_index\":");
    json_put_string(&bulk->action, bulk->index.name, bulk->index.len);
    if (!bulk->action.failed)
        return;
    bulk->text.failed = true;
    leat_strbuf_clear(&bulk->action); /* half a line is none */
}

static void index_to(struct run *run, const struct otlp_walk *walk, struct leat_slice attributes, uint32_t number,
                     uint64_t time_ns)
{
    struct leat_bulk *bulk = run->bulk;
    struct bulk_index *index = &bulk->index;
    char before[sizeof index->name];
    uint32_t len = index->len;
    bool dated = index->time_format && *index->time_format;
    if (len && !index->varies && (!dated || bulk->index_second == time_ns / NS_PER_S) && bulk->action.len)
        return;
    memcpy(before, index->name, len);
    bulk_index_resolve(index, attributes, number, walk->scope.attributes, walk->resource, time_ns);
    bulk->index_second = time_ns / NS_PER_S;
    if (bulk->action.len == 0 || len != index->len || memcmp(before, index->name, len) != 0)
        action_set(bulk);
    if (bulk->conf.stream_type)
        bulk->stream = (struct bulk_stream){.type = leat_slice_str(bulk->conf.stream_type),
                                            .dataset = bulk_index_value(index, bulk->conf.dataset_piece),
                                            .namespace = bulk_index_value(index, bulk->conf.namespace_piece)};
}

/* ---- items ---- */

static uint64_t now(struct run *run)
{
    if (!run->now_ns)
        run->now_ns = run->bulk->world->unix_ns(run->bulk->world);
    return run->now_ns;
}

static bool log_put(struct run *run, const struct otlp_walk *walk, enum bulk_doc_end *ret_end)
{
    struct leat_bulk *bulk = run->bulk;
    struct otlp_log log;
    if (!otlp_log_of(walk->item, &log))
        return false;
    uint64_t time_ns = log.time_unix_nano ? log.time_unix_nano : log.observed_time_unix_nano;
    if (!time_ns)
        time_ns = now(run);
    index_to(run, walk, log.attributes, 6, time_ns);
    action_put(run);
    *ret_end = bulk_doc_log(&bulk->doc, &log, time_ns, &bulk->stream, &bulk->text);
    return true;
}

static bool span_put(struct run *run, const struct otlp_walk *walk, enum bulk_doc_end *ret_end)
{
    struct leat_bulk *bulk = run->bulk;
    struct otlp_span span;
    if (!otlp_span_of(walk->item, &span))
        return false;
    uint64_t time_ns = span.start_unix_nano ? span.start_unix_nano : now(run);
    index_to(run, walk, span.message, 9, time_ns);
    action_put(run);
    *ret_end = bulk_doc_span(&bulk->doc, &span, time_ns, &bulk->stream, &bulk->text);
    return true;
}

static bool item_put(struct run *run, const struct otlp_walk *walk)
{
    struct leat_bulk *bulk = run->bulk;
    enum bulk_doc_end end;
    size_t from = bulk->text.len;
    if (!(bulk->signal == LEAT_TRACES ? span_put : log_put)(run, walk, &end)) {
        run->malformed = true;
        return false;
    }
    if (end == BULK_DOC_UNFIT) {
        bulk->text.len = bulk->text.failed ? bulk->text.len : from;
        return item_unfit(run);
    }
    leat_strbuf_putc(&bulk->text, '\n');
    item_done(run);
    if (run->body.bytes + bulk->text.len >= bulk->conf.request_bytes_max)
        return request_end(run);
    return !bulk->text.failed && (bulk->text.len < PIECE_BYTES || text_move(run));
}

static bool run_all(struct run *run, struct otlp_walk *walk)
{
    struct leat_bulk *bulk = run->bulk;
    uint32_t count = run->batch->item_count;
    while (run->next < count && otlp_walk_next(walk)) {
        if (walk->new_resource || walk->new_scope)
            bulk_doc_scope(&bulk->doc, walk->resource, walk->resource_schema_url, &walk->scope);
        if (!item_put(run, walk))
            return false;
    }
    if (run->next < count && walk->rc == LEAT_OK &&
        leat_requests_reject(run->out, run->next, count - run->next, "there is no such item") != LEAT_OK)
        return false;
    return request_end(run);
}

leat_rc leat_bulk_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr)
{
    struct leat_bulk *bulk = state;
    struct run run = {.bulk = bulk, .batch = batch, .out = out};
    struct otlp_walk walk;
    leat_strbuf_clear(&bulk->text);
    token_make(&run);
    otlp_walk_open(&walk, batch->signal, &batch->payload);
    bool done = run_all(&run, &walk);
    leat_free(run.bitmap);
    leat_chain_done(&run.body);
    if (bulk->text.room > KEPT_BYTES_MAX)
        leat_strbuf_done(&bulk->text);
    leat_rc rc = otlp_walk_close(&walk, reterr);
    if (rc != LEAT_OK || done)
        return rc;
    return run.malformed ? LEAT_RAISE(reterr, LEAT_EPARSE, 0, "malformed item %u", run.next)
                         : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory to encode documents");
}
