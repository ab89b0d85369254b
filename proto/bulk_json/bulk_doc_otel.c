/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as Elasticsearch's own OTel data streams have them. */
#include "proto/bulk_json/bulk_doc.h"

/* "ms.rest of the ns": milliseconds are what a date has, the rest is kept for those who sort by it. */
static void put_stamp(struct leat_strbuf *out, uint64_t unix_ns)
{
    leat_strbuf_putc(out, '"');
    bulk_put_integer(out, (int64_t)(unix_ns / 1000000));
    leat_strbuf_putc(out, '.');
    bulk_put_integer(out, (int64_t)(unix_ns % 1000000));
    leat_strbuf_putc(out, '"');
}

void bulk_doc__otel_tail(struct bulk_doc *doc, const struct otlp_scope *scope)
{
    struct leat_strbuf *out = &doc->tail;
    BULK_PUTS(out, ",\"resource\":{");
    if (doc->resource_schema_url.len) {
        BULK_PUTS(out, "\"schema_url\":");
        bulk_put_text(out, doc->resource_schema_url);
        leat_strbuf_putc(out, ',');
    }
    BULK_PUTS(out, "\"attributes\":");
    (void)bulk_put_attributes(out, doc->resource, 1);
    BULK_PUTS(out, "},\"scope\":{");
    if (scope->schema_url.len) {
        BULK_PUTS(out, "\"schema_url\":");
        bulk_put_text(out, scope->schema_url);
        leat_strbuf_putc(out, ',');
    }
    if (scope->name.len) {
        BULK_PUTS(out, "\"name\":");
        bulk_put_text(out, scope->name);
        leat_strbuf_putc(out, ',');
    }
    if (scope->version.len) {
        BULK_PUTS(out, "\"version\":");
        bulk_put_text(out, scope->version);
        leat_strbuf_putc(out, ',');
    }
    BULK_PUTS(out, "\"attributes\":");
    (void)bulk_put_attributes(out, scope->attributes, 3);
    BULK_PUTS(out, "}}");
}

static void put_stream(struct leat_strbuf *out, const struct bulk_stream *stream)
{
    if (!stream || stream->type.len == 0)
        return;
    BULK_PUTS(out, ",\"data_stream\":{\"type\":");
    bulk_put_text(out, stream->type);
    BULK_PUTS(out, ",\"dataset\":");
    bulk_put_text(out, stream->dataset);
    BULK_PUTS(out, ",\"namespace\":");
    bulk_put_text(out, stream->namespace);
    leat_strbuf_putc(out, '}');
}

static void put_id(struct leat_strbuf *out, const char *name, struct leat_slice id)
{
    if (id.len == 0)
        return;
    leat_strbuf_puts(out, name);
    bulk_put_hex(out, id);
}

static void put_count(struct leat_strbuf *out, const char *name, uint64_t count)
{
    if (count == 0)
        return;
    leat_strbuf_puts(out, name);
    bulk_put_integer(out, (int64_t)count);
}

static void put_attributes(struct bulk_doc *doc, struct leat_slice fields, uint32_t number, struct leat_strbuf *out)
{
    BULK_PUTS(out, ",\"attributes\":{");
    (void)bulk_doc__attributes(doc, fields, number, out);
    leat_strbuf_putc(out, '}');
}

static bool all_are_maps(struct leat_slice array)
{
    struct otlp_value item;
    bool all = true;
    while (otlp_value_next(&array, &item))
        all &= item.kind == OTLP_MAP;
    return all;
}

/* A list that is not all objects stands in one, as a field of a single type must. */
static void put_body(const struct otlp_value *body, struct leat_strbuf *out)
{
    if (body->kind == OTLP_EMPTY)
        return;
    if (body->kind == OTLP_MAP || (body->kind == OTLP_ARRAY && all_are_maps(body->text))) {
        BULK_PUTS(out, ",\"body\":{\"structured\":");
        bulk_put_value(out, body);
    } else if (body->kind == OTLP_ARRAY) {
        BULK_PUTS(out, ",\"body\":{\"structured\":{\"value\":");
        bulk_put_value(out, body);
        leat_strbuf_putc(out, '}');
    } else {
        BULK_PUTS(out, ",\"body\":{\"text\":");
        bulk_put_string(out, body);
    }
    leat_strbuf_putc(out, '}');
}

static void put_event_name(const struct otlp_log *log, struct leat_strbuf *out)
{
    struct otlp_value name = {.kind = OTLP_TEXT, .text = log->event_name};
    if (log->event_name.len == 0 && !otlp_attribute_get(log->attributes, 6, "event.name", &name))
        return;
    BULK_PUTS(out, ",\"event_name\":");
    bulk_put_string(out, &name);
}

void bulk_doc__otel_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns,
                        const struct bulk_stream *stream, struct leat_strbuf *out)
{
    BULK_PUTS(out, "{\"@timestamp\":");
    put_stamp(out, time_ns);
    BULK_PUTS(out, ",\"observed_timestamp\":");
    put_stamp(out, log->observed_time_unix_nano ? log->observed_time_unix_nano : time_ns);
    put_stream(out, stream);
    if (log->severity_text.len) {
        BULK_PUTS(out, ",\"severity_text\":");
        bulk_put_text(out, log->severity_text);
    }
    put_count(out, ",\"severity_number\":", log->severity_number);
    put_id(out, ",\"trace_id\":", log->trace_id);
    put_id(out, ",\"span_id\":", log->span_id);
    put_attributes(doc, log->attributes, 6, out);
    put_count(out, ",\"dropped_attributes_count\":", log->dropped_attributes);
    put_event_name(log, out);
    put_body(&log->body, out);
    leat_strbuf_put(out, doc->tail.at, doc->tail.len);
}

/* ---- spans ---- */

/* Link{1 trace id, 2 span id, 3 trace state, 4 attributes, 5 dropped attributes}; Event{1 time, 2 name, 3 attributes}
 */
static void put_list(struct leat_slice span, uint32_t number, const char *name,
                     void (*put)(struct leat_slice one, struct leat_strbuf *out), struct leat_strbuf *out)
{
    struct leat_slice one;
    bool some = false;
    for (; otlp_message_next(&span, number, &one); some = true) {
        leat_strbuf_puts(out, some ? "," : name);
        put(one, out);
    }
    if (some)
        leat_strbuf_putc(out, ']');
}

static struct leat_slice bytes_of(struct leat_slice message, uint32_t number)
{
    struct pb_field field;
    return otlp_get(message, number, &field) && field.wire == PB_LEN ? leat_slice_of(field.at, field.len)
                                                                     : (struct leat_slice){0};
}

static void put_link(struct leat_slice link, struct leat_strbuf *out)
{
    BULK_PUTS(out, "{\"trace_id\":");
    bulk_put_hex(out, bytes_of(link, 1));
    put_id(out, ",\"span_id\":", bytes_of(link, 2));
    BULK_PUTS(out, ",\"attributes\":");
    (void)bulk_put_attributes(out, link, 4);
    leat_strbuf_putc(out, '}');
}

static void put_event(struct leat_slice event, struct leat_strbuf *out)
{
    struct pb_field field;
    BULK_PUTS(out, "{\"@timestamp\":");
    put_stamp(out, otlp_get(event, 1, &field) ? field.value : 0);
    BULK_PUTS(out, ",\"event_name\":");
    bulk_put_text(out, bytes_of(event, 2));
    BULK_PUTS(out, ",\"attributes\":");
    (void)bulk_put_attributes(out, event, 3);
    leat_strbuf_putc(out, '}');
}

void bulk_doc__otel_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns,
                         const struct bulk_stream *stream, struct leat_strbuf *out)
{
    static const char *const kinds[] = {"Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"};
    BULK_PUTS(out, "{\"@timestamp\":");
    put_stamp(out, time_ns);
    put_stream(out, stream);
    put_id(out, ",\"trace_id\":", span->trace_id);
    put_id(out, ",\"span_id\":", span->span_id);
    put_id(out, ",\"parent_span_id\":", span->parent_span_id);
    if (span->trace_state.len) {
        BULK_PUTS(out, ",\"trace_state\":");
        bulk_put_text(out, span->trace_state);
    }
    BULK_PUTS(out, ",\"name\":");
    bulk_put_text(out, span->name);
    BULK_PUTS(out, ",\"kind\":\"");
    leat_strbuf_puts(out, kinds[span->kind < 6 ? span->kind : 0]);
    BULK_PUTS(out, "\",\"duration\":");
    bulk_put_integer(
        out, span->end_unix_nano > span->start_unix_nano ? (int64_t)(span->end_unix_nano - span->start_unix_nano) : 0);
    put_attributes(doc, span->message, 9, out);
    put_count(out, ",\"dropped_attributes_count\":", span->dropped_attributes);
    put_count(out, ",\"dropped_events_count\":", span->dropped_events);
    put_count(out, ",\"dropped_links_count\":", span->dropped_links);
    put_list(span->message, 11, ",\"events\":[", put_event, out);
    put_list(span->message, 13, ",\"links\":[", put_link, out);
    BULK_PUTS(out, ",\"status\":{\"code\":\"");
    leat_strbuf_puts(out, bulk_doc__status(span->status_code));
    leat_strbuf_putc(out, '"');
    if (span->status_message.len) {
        BULK_PUTS(out, ",\"message\":");
        bulk_put_text(out, span->status_message);
    }
    leat_strbuf_putc(out, '}');
    leat_strbuf_put(out, doc->tail.at, doc->tail.len);
}
