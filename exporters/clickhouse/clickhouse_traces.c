/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as rows of otel_traces. Events and links are arrays beside each other, one a field. */
#include "exporters/clickhouse/clickhouse.h"

void clickhouse__traces_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk)
{
    struct row_binary *shared = &clickhouse->shared;
    row_binary_clear(shared);
    clickhouse__resource_text(clickhouse, shared, walk->resource, "service.name");
    clickhouse__map(clickhouse, shared, walk->resource, 1);
    row_binary_string(shared, walk->scope.name);
    row_binary_string(shared, walk->scope.version);
}

static struct leat_slice kind_text(uint32_t kind)
{
    static const struct leat_slice texts[] = {LEAT_SLICE("Unspecified"), LEAT_SLICE("Internal"), LEAT_SLICE("Server"),
                                              LEAT_SLICE("Client"),      LEAT_SLICE("Producer"), LEAT_SLICE("Consumer")};
    return kind < sizeof texts / sizeof *texts ? texts[kind] : (struct leat_slice){0};
}

static struct leat_slice status_text(uint32_t code)
{
    static const struct leat_slice texts[] = {LEAT_SLICE("Unset"), LEAT_SLICE("Ok"), LEAT_SLICE("Error")};
    return code < sizeof texts / sizeof *texts ? texts[code] : (struct leat_slice){0};
}

static uint32_t count_messages(struct leat_slice fields, uint32_t number)
{
    struct leat_slice message;
    uint32_t n = 0;
    while (otlp_message_next(&fields, number, &message))
        n++;
    return n;
}

static struct leat_slice text_field(struct leat_slice message, uint32_t number)
{
    struct pb_field f;
    return otlp_get(message, number, &f) ? leat_slice_of(f.at, f.len) : (struct leat_slice){0};
}

/* Timestamp, Name, Attributes. */
static void put_events(struct clickhouse_state *clickhouse, struct row_binary *rows, struct leat_slice events)
{
    bool seconds = clickhouse->there[CLICKHOUSE_TRACES].inner_seconds;
    uint32_t n = events.len ? count_messages(events, 11) : 0;
    struct leat_slice rest = events, event;
    struct pb_field f;
    row_binary_count(rows, n);
    while (n && otlp_message_next(&rest, 11, &event))
        row_binary_time(rows, otlp_get(event, 1, &f) ? f.value : 0, seconds);
    row_binary_count(rows, n);
    for (rest = events; n && otlp_message_next(&rest, 11, &event);)
        row_binary_string(rows, text_field(event, 2));
    row_binary_count(rows, n);
    for (rest = events; n && otlp_message_next(&rest, 11, &event);)
        clickhouse__map(clickhouse, rows, event, 3);
}

/* TraceId, SpanId, TraceState, Attributes. */
static void put_links(struct clickhouse_state *clickhouse, struct row_binary *rows, struct leat_slice links)
{
    uint32_t n = links.len ? count_messages(links, 13) : 0;
    struct leat_slice rest, link;
    for (uint32_t number = 1; number <= 2; number++) {
        row_binary_count(rows, n);
        for (rest = links; n && otlp_message_next(&rest, 13, &link);)
            row_binary_hex(rows, text_field(link, number));
    }
    row_binary_count(rows, n);
    for (rest = links; n && otlp_message_next(&rest, 13, &link);)
        row_binary_string(rows, text_field(link, 3));
    row_binary_count(rows, n);
    for (rest = links; n && otlp_message_next(&rest, 13, &link);)
        clickhouse__map(clickhouse, rows, link, 4);
}

/* The order is that of the schema. */
bool clickhouse__traces_row(struct clickhouse_state *clickhouse, struct leat_slice message)
{
    struct row_binary *rows = &clickhouse->open[CLICKHOUSE_TRACES].rows;
    struct leat_slice shared = row_binary_open_bytes(&clickhouse->shared);
    struct otlp_span span;
    if (!otlp_span_of(message, &span))
        return false;
    row_binary_row(rows);
    row_binary_time(rows, span.start_unix_nano, clickhouse->there[CLICKHOUSE_TRACES].seconds);
    row_binary_hex(rows, span.trace_id);
    row_binary_hex(rows, span.span_id);
    row_binary_hex(rows, span.parent_span_id);
    row_binary_string(rows, span.trace_state);
    row_binary_string(rows, span.name);
    row_binary_string(rows, kind_text(span.kind));
    row_binary_raw(rows, shared.at, shared.len);
    clickhouse__map(clickhouse, rows, span.attributes, 9);
    row_binary_u64(rows, span.end_unix_nano > span.start_unix_nano ? span.end_unix_nano - span.start_unix_nano : 0);
    row_binary_string(rows, status_text(span.status_code));
    row_binary_string(rows, span.status_message);
    put_events(clickhouse, rows, span.events);
    put_links(clickhouse, rows, span.links);
    return true;
}
