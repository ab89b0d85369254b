/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_doc.h"

void bulk_doc_open(struct bulk_doc *doc, const struct bulk_doc_opts *opts)
{
    *doc = (struct bulk_doc){.opts = *opts};
}

void bulk_doc_close(struct bulk_doc *doc)
{
    leat_strbuf_done(&doc->tail);
    leat_strbuf_done(&doc->attributes);
    leat_strbuf_done(&doc->attributes_json);
    bulk_fields_done(&doc->fields);
}

void bulk_doc_scope(struct bulk_doc *doc, struct leat_slice resource, struct leat_slice resource_schema_url,
                    const struct otlp_scope *scope)
{
    doc->resource = resource;
    doc->resource_schema_url = resource_schema_url;
    doc->scope_attributes = scope->attributes;
    doc->attributes_valid = false;
    leat_strbuf_clear(&doc->tail);
    if (doc->opts.mapping == BULK_OTEL)
        bulk_doc__otel_tail(doc, scope);
    else if (doc->opts.mapping == BULK_SS4O || doc->opts.mapping == BULK_MODEL || doc->opts.mapping == BULK_FLATTEN)
        bulk_doc__ss4o_tail(doc, scope); /* spans of every OpenSearch mapping are SS4O's */
}

bool bulk_doc__attributes(struct bulk_doc *doc, struct leat_slice fields, uint32_t number, struct leat_strbuf *out)
{
    struct leat_strbuf *raw = &doc->attributes, *json = &doc->attributes_json;
    if (!doc->attributes_valid || raw->len != fields.len ||
        (fields.len && memcmp(raw->at, fields.at, fields.len) != 0)) {
        leat_strbuf_clear(raw);
        leat_strbuf_clear(json);
        leat_strbuf_put(raw, fields.at, fields.len);
        (void)bulk_put_attributes(json, fields, number);
        doc->attributes_valid = !raw->failed && !json->failed;
        out->failed |= !doc->attributes_valid;
    }
    if (json->len <= 2)
        return false;
    leat_strbuf_put(out, json->at + 1, json->len - 2);
    return true;
}

const char *bulk_doc__status(uint32_t code)
{
    return code == 1 ? "Ok" : code == 2 ? "Error" : "Unset";
}

/* The body as a document: only maps will do. */
static enum bulk_doc_end body_put(const struct otlp_log *log, struct leat_strbuf *out)
{
    if (log->body.kind != OTLP_MAP)
        return BULK_DOC_UNFIT;
    bulk_put_value(out, &log->body);
    return BULK_DOC_OK;
}

enum bulk_doc_end bulk_doc_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns,
                               const struct bulk_stream *stream, struct leat_strbuf *out)
{
    out->failed |= doc->tail.failed;
    switch (doc->opts.mapping) {
    case BULK_SS4O:
        bulk_doc__ss4o_log(doc, log, time_ns, out);
        break;
    case BULK_MODEL:
    case BULK_FLATTEN:
        bulk_doc__model_log(doc, log, time_ns, out);
        break;
    case BULK_BODYMAP:
        return body_put(log, out);
    case BULK_OTEL:
        bulk_doc__otel_log(doc, log, time_ns, stream, out);
        break;
    case BULK_ECS:
        bulk_doc__ecs_log(doc, log, time_ns, stream, out);
        break;
    }
    return BULK_DOC_OK;
}

enum bulk_doc_end bulk_doc_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns,
                                const struct bulk_stream *stream, struct leat_strbuf *out)
{
    out->failed |= doc->tail.failed;
    switch (doc->opts.mapping) {
    case BULK_BODYMAP:
        return BULK_DOC_UNFIT;
    case BULK_OTEL:
        bulk_doc__otel_span(doc, span, time_ns, stream, out);
        break;
    case BULK_ECS:
        bulk_doc__ecs_span(doc, span, time_ns, stream, out);
        break;
    case BULK_SS4O:
    case BULK_MODEL:
    case BULK_FLATTEN:
        bulk_doc__ss4o_span(doc, span, time_ns, out);
        break;
    }
    return BULK_DOC_OK;
}
