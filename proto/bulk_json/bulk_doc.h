/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_doc -- a log record or a span as the document that a search engine stores, in the Collector's mappings.
 *
 * Why      what is the same for all records of a scope is written once; a record costs its own bytes and no allocation.
 * Threads  one shard's.
 * Owns     caches, kept from record to record, until _close; the options are borrowed.
 * Limits   as the door let records in (values nest at most 64 deep).
 * Fails    the strbuf's sticky error; BULK_DOC_UNFIT when a record has no form in this mapping.
 *
 *   SS4O        the Simple Schema for Observability: attributes with their dots, resource as strings
 *   MODEL       the log data model: Attributes.x, Body, SeverityText ... (the OpenSearch exporter's "ecs")
 *   FLATTEN     the same with attributes at the top
 *   BODYMAP     the body, a map, is the document; logs only
 *   OTEL        as Elasticsearch's own OTel streams have it
 *   ECS         Elastic Common Schema: names converted, the rest at the top */
#pragma once
#include "proto/bulk_json/bulk_fields.h"

enum bulk_mapping { BULK_SS4O, BULK_MODEL, BULK_FLATTEN, BULK_BODYMAP, BULK_OTEL, BULK_ECS };

struct bulk_doc_opts {
    enum bulk_mapping mapping;
    const char *dataset, *namespace; /* SS4O: attributes.data_stream; "" or NULL: left out */
    const char *timestamp_field;     /* MODEL, FLATTEN; NULL: @timestamp */
    bool unix_timestamp;             /* MODEL, FLATTEN: milliseconds as a number */
    bool keep_dots;                  /* MODEL, FLATTEN, ECS: names as they are, no objects */
};

/* Where a document goes when its index is put together from these; `type` "" when it is not. */
struct bulk_stream {
    struct leat_slice type, dataset, namespace;
};

struct bulk_doc {
    struct bulk_doc_opts opts;
    struct bulk_clock clock, observed_clock;
    struct leat_strbuf tail; /* of the current scope: what ends each document */
    struct leat_slice resource, resource_schema_url, scope_attributes; /* of the current scope, borrowed */
    struct leat_strbuf attributes, attributes_json; /* the last record's: as they came, as they were written */
    bool attributes_valid;
    struct bulk_fields fields;
};

enum bulk_doc_end { BULK_DOC_OK, BULK_DOC_UNFIT };

void bulk_doc_open(struct bulk_doc *doc, const struct bulk_doc_opts *opts);
void bulk_doc_close(struct bulk_doc *doc);
/* A new resource or scope; its slices are borrowed until the next. */
void bulk_doc_scope(struct bulk_doc *doc, struct leat_slice resource, struct leat_slice resource_schema_url,
                    const struct otlp_scope *scope);
/* Each puts one document, without a line end, behind `out`; nothing when it is not BULK_DOC_OK. `time_ns` is what the
 * record is filed under: its own time, or what the caller takes for it. */
enum bulk_doc_end bulk_doc_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns,
                               const struct bulk_stream *stream, struct leat_strbuf *out);
enum bulk_doc_end bulk_doc_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns,
                                const struct bulk_stream *stream, struct leat_strbuf *out);

/* ---- inside proto/bulk_json ---- */
void bulk_doc__ss4o_tail(struct bulk_doc *doc, const struct otlp_scope *scope);
void bulk_doc__ss4o_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns, struct leat_strbuf *out);
void bulk_doc__ss4o_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns, struct leat_strbuf *out);
void bulk_doc__otel_tail(struct bulk_doc *doc, const struct otlp_scope *scope);
void bulk_doc__otel_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns,
                        const struct bulk_stream *stream, struct leat_strbuf *out);
void bulk_doc__otel_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns,
                         const struct bulk_stream *stream, struct leat_strbuf *out);
void bulk_doc__model_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns, struct leat_strbuf *out);
void bulk_doc__ecs_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns,
                       const struct bulk_stream *stream, struct leat_strbuf *out);
void bulk_doc__ecs_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns,
                        const struct bulk_stream *stream, struct leat_strbuf *out);
/* "k":v,... of a record's attributes without braces; from the last record's text when they are the same. False: none.
 */
bool bulk_doc__attributes(struct bulk_doc *doc, struct leat_slice fields, uint32_t number, struct leat_strbuf *out);
const char *bulk_doc__status(uint32_t code); /* Unset, Ok, Error */
