/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of the Simple Schema for Observability. */
#include "proto/bulk_json/bulk_doc.h"

/* Resource attributes are strings, whatever they were. */
static void put_resource(struct leat_strbuf *out, struct leat_slice resource)
{
    struct otlp_attribute attribute;
    char before = '{';
    while (otlp_attribute_next(&resource, 1, &attribute)) {
        leat_strbuf_putc(out, before);
        bulk_put_text(out, attribute.key);
        leat_strbuf_putc(out, ':');
        bulk_put_string(out, &attribute.value);
        before = ',';
    }
    leat_strbuf_puts(out, before == '{' ? "{}" : "}");
}

void bulk_doc__ss4o_tail(struct bulk_doc *doc, const struct otlp_scope *scope)
{
    struct leat_strbuf *out = &doc->tail;
    BULK_PUTS(out, ",\"instrumentationScope\":{\"name\":");
    bulk_put_text(out, scope->name);
    BULK_PUTS(out, ",\"version\":");
    bulk_put_text(out, scope->version);
    BULK_PUTS(out, ",\"schemaUrl\":");
    bulk_put_text(out, scope->schema_url);
    BULK_PUTS(out, ",\"attributes\":");
    (void)bulk_put_attributes(out, scope->attributes, 3);
    BULK_PUTS(out, "},\"resource\":");
    put_resource(out, doc->resource);
    if (scope->schema_url.len) {
        BULK_PUTS(out, ",\"schemaUrl\":");
        bulk_put_text(out, scope->schema_url);
    }
    leat_strbuf_putc(out, '}');
}

static void put_data_stream(const struct bulk_doc *doc, const char *type, struct leat_strbuf *out)
{
    const char *dataset = doc->opts.dataset, *namespace = doc->opts.namespace;
    BULK_PUTS(out, "\"data_stream\":{\"type\":\"");
    leat_strbuf_puts(out, type);
    leat_strbuf_putc(out, '"');
    if (dataset && *dataset) {
        BULK_PUTS(out, ",\"dataset\":");
        bulk_put_text(out, leat_slice_str(dataset));
    }
    if (namespace && *namespace) {
        BULK_PUTS(out, ",\"namespace\":");
        bulk_put_text(out, leat_slice_str(namespace));
    }
    leat_strbuf_putc(out, '}');
}

static void put_attributes(struct bulk_doc *doc, struct leat_slice fields, uint32_t number, const char *type,
                           struct leat_strbuf *out)
{
    bool stream = (doc->opts.dataset && *doc->opts.dataset) || (doc->opts.namespace && *doc->opts.namespace);
    BULK_PUTS(out, ",\"attributes\":{");
    if (bulk_doc__attributes(doc, fields, number, out) && stream)
        leat_strbuf_putc(out, ',');
    if (stream)
        put_data_stream(doc, type, out);
    leat_strbuf_putc(out, '}');
}

static void put_severity(const struct otlp_log *log, struct leat_strbuf *out)
{
    BULK_PUTS(out, ",\"severity\":{");
    if (log->severity_text.len) {
        BULK_PUTS(out, "\"text\":");
        bulk_put_text(out, log->severity_text);
    }
    if (log->severity_number) {
        leat_strbuf_puts(out, log->severity_text.len ? ",\"number\":" : "\"number\":");
        bulk_put_integer(out, log->severity_number);
    }
    leat_strbuf_putc(out, '}');
}

void bulk_doc__ss4o_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns, struct leat_strbuf *out)
{
    BULK_PUTS(out, "{\"@timestamp\":");
    bulk_put_time(out, &doc->clock, time_ns);
    BULK_PUTS(out, ",\"observedTimestamp\":");
    bulk_put_time(out, &doc->observed_clock, log->observed_time_unix_nano ? log->observed_time_unix_nano : time_ns);
    BULK_PUTS(out, ",\"body\":");
    bulk_put_string(out, &log->body);
    put_severity(log, out);
    put_attributes(doc, log->attributes, 6, "record", out);
    if (log->trace_id.len) {
        BULK_PUTS(out, ",\"traceId\":");
        bulk_put_hex(out, log->trace_id);
    }
    if (log->span_id.len) {
        BULK_PUTS(out, ",\"spanId\":");
        bulk_put_hex(out, log->span_id);
    }
    leat_strbuf_put(out, doc->tail.at, doc->tail.len);
}

/* ---- spans ---- */

static void put_count(struct leat_strbuf *out, const char *name, uint32_t count)
{
    leat_strbuf_puts(out, name);
    bulk_put_integer(out, count);
}

/* Event{1 time, 2 name, 3 attributes, 4 dropped attributes} */
static void put_event(struct bulk_doc *doc, struct leat_slice event, struct leat_strbuf *out)
{
    struct pb_field field;
    uint64_t unix_ns = otlp_get(event, 1, &field) ? field.value : 0;
    BULK_PUTS(out, "{\"name\":");
    bulk_put_text(out, otlp_get(event, 2, &field) ? leat_slice_of(field.at, field.len) : (struct leat_slice){0});
    leat_strbuf_puts(out, unix_ns ? ",\"@timestamp\":" : ",\"observedTimestamp\":");
    bulk_put_time(out, &doc->observed_clock, unix_ns);
    BULK_PUTS(out, ",\"attributes\":");
    (void)bulk_put_attributes(out, event, 3);
    put_count(out, ",\"droppedAttributesCount\":", otlp_get(event, 4, &field) ? (uint32_t)field.value : 0);
    leat_strbuf_putc(out, '}');
}

/* Link{1 trace id, 2 span id, 3 trace state, 4 attributes, 5 dropped attributes} */
static void put_link(struct leat_slice link, struct leat_strbuf *out)
{
    struct pb_field field;
    BULK_PUTS(out, "{\"traceId\":");
    bulk_put_hex(out, otlp_get(link, 1, &field) ? leat_slice_of(field.at, field.len) : (struct leat_slice){0});
    BULK_PUTS(out, ",\"spanId\":");
    bulk_put_hex(out, otlp_get(link, 2, &field) ? leat_slice_of(field.at, field.len) : (struct leat_slice){0});
    if (otlp_get(link, 3, &field) && field.len) {
        BULK_PUTS(out, ",\"traceState\":");
        bulk_put_text(out, leat_slice_of(field.at, field.len));
    }
    BULK_PUTS(out, ",\"attributes\":");
    (void)bulk_put_attributes(out, link, 4);
    put_count(out, ",\"droppedAttributesCount\":", otlp_get(link, 5, &field) ? (uint32_t)field.value : 0);
    leat_strbuf_putc(out, '}');
}

static void put_events(struct bulk_doc *doc, struct leat_slice span, struct leat_strbuf *out)
{
    struct leat_slice event;
    const char *before = ",\"events\":[";
    for (; otlp_message_next(&span, 11, &event); before = ",") {
        leat_strbuf_puts(out, before);
        put_event(doc, event, out);
    }
    if (before[1] == 0)
        leat_strbuf_putc(out, ']');
}

static void put_links(struct leat_slice span, struct leat_strbuf *out)
{
    struct leat_slice link;
    const char *before = ",\"links\":[";
    for (; otlp_message_next(&span, 13, &link); before = ",") {
        leat_strbuf_puts(out, before);
        put_link(link, out);
    }
    if (before[1] == 0)
        leat_strbuf_putc(out, ']');
}

static void put_times(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns, struct leat_strbuf *out)
{
    BULK_PUTS(out, "{\"@timestamp\":");
    bulk_put_time(out, &doc->clock, time_ns);
    BULK_PUTS(out, ",\"startTime\":");
    bulk_put_time(out, &doc->clock, span->start_unix_nano);
    BULK_PUTS(out, ",\"endTime\":");
    bulk_put_time(out, &doc->observed_clock, span->end_unix_nano);
}

static void put_ids(const struct otlp_span *span, struct leat_strbuf *out)
{
    BULK_PUTS(out, ",\"traceId\":");
    bulk_put_hex(out, span->trace_id);
    BULK_PUTS(out, ",\"spanId\":");
    bulk_put_hex(out, span->span_id);
    BULK_PUTS(out, ",\"parentSpanId\":");
    bulk_put_hex(out, span->parent_span_id);
    BULK_PUTS(out, ",\"traceState\":");
    bulk_put_text(out, span->trace_state);
}

void bulk_doc__ss4o_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns, struct leat_strbuf *out)
{
    static const char *const kinds[] = {"Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"};
    put_times(doc, span, time_ns, out);
    put_ids(span, out);
    BULK_PUTS(out, ",\"name\":");
    bulk_put_text(out, span->name);
    BULK_PUTS(out, ",\"kind\":\"");
    leat_strbuf_puts(out, kinds[span->kind < 6 ? span->kind : 0]);
    BULK_PUTS(out, "\",\"status\":{\"code\":\"");
    leat_strbuf_puts(out, bulk_doc__status(span->status_code));
    BULK_PUTS(out, "\",\"message\":");
    bulk_put_text(out, span->status_message);
    leat_strbuf_putc(out, '}');
    put_count(out, ",\"droppedAttributesCount\":", span->dropped_attributes);
    put_count(out, ",\"droppedEventsCount\":", span->dropped_events);
    put_count(out, ",\"droppedLinksCount\":", span->dropped_links);
    put_attributes(doc, span->message, 9, "span", out);
    put_events(doc, span->message, out);
    put_links(span->message, out);
    leat_strbuf_put(out, doc->tail.at, doc->tail.len);
}
