/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as rows of otel_traces. Events and links are arrays beside each other, one a field. */
#include "exporters/clickhouse/clickhouse.h"

void clickhouse__traces_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk)
{
    struct clickhouse_cursor to = clickhouse__shared_begin(clickhouse);
    clickhouse__resource_text(clickhouse, clickhouse__next(&to), walk->resource, "service.name");
    clickhouse__map(clickhouse, &to, walk->resource, 1);
    row_binary_string(clickhouse__next(&to), walk->scope.name);
    row_binary_string(clickhouse__next(&to), walk->scope.version);
    clickhouse__shared_middle(clickhouse, &to);
    clickhouse__shared_end(clickhouse, &to);
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

/* Maps of the attributes that are field `number` of each message `of`: lengths of all maps lie beside each other. */
static void put_maps(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice messages,
                     uint32_t of, uint32_t n, uint32_t number)
{
    struct clickhouse_cursor after = *to;
    struct leat_slice message;
    clickhouse__count(to, n);
    after.at += 4 * to->step;
    for (struct clickhouse_cursor map; n && otlp_message_next(&messages, of, &message);) {
        map = *to;
        clickhouse__map(clickhouse, &map, message, number);
    }
    *to = after;
}

/* Timestamp, Name, Attributes. */
static void put_events(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice events)
{
    bool seconds = clickhouse->there[CLICKHOUSE_TRACES].inner_seconds;
    uint32_t n = events.len ? count_messages(events, 11) : 0;
    struct leat_slice rest = events, event;
    struct row_binary *items;
    struct pb_field f;
    clickhouse__count(to, n);
    items = clickhouse__next(to);
    while (n && otlp_message_next(&rest, 11, &event))
        row_binary_time(items, otlp_get(event, 1, &f) ? f.value : 0, seconds);
    clickhouse__count(to, n);
    items = clickhouse__next(to);
    for (rest = events; n && otlp_message_next(&rest, 11, &event);)
        row_binary_string(items, text_field(event, 2));
    put_maps(clickhouse, to, events, 11, n, 3);
}

/* TraceId, SpanId, TraceState, Attributes. */
static void put_links(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice links)
{
    uint32_t n = links.len ? count_messages(links, 13) : 0;
    struct leat_slice rest, link;
    for (uint32_t number = 1; number <= 3; number++) {
        clickhouse__count(to, n);
        struct row_binary *items = clickhouse__next(to);
        for (rest = links; n && otlp_message_next(&rest, 13, &link);)
            if (number < 3)
                row_binary_hex(items, text_field(link, number));
            else
                row_binary_string(items, text_field(link, number));
    }
    put_maps(clickhouse, to, links, 13, n, 4);
}

/* The order is that of the schema. */
bool clickhouse__traces_row(struct clickhouse_state *clickhouse, struct leat_slice message)
{
    struct otlp_span span;
    if (!otlp_span_of(message, &span))
        return false;
    struct clickhouse_cursor to = clickhouse__row(clickhouse, CLICKHOUSE_TRACES);
    row_binary_time(clickhouse__next(&to), span.start_unix_nano, clickhouse->there[CLICKHOUSE_TRACES].seconds);
    row_binary_hex(clickhouse__next(&to), span.trace_id);
    row_binary_hex(clickhouse__next(&to), span.span_id);
    row_binary_hex(clickhouse__next(&to), span.parent_span_id);
    row_binary_string(clickhouse__next(&to), span.trace_state);
    row_binary_string(clickhouse__next(&to), span.name);
    row_binary_string(clickhouse__next(&to), kind_text(span.kind));
    clickhouse__put_shared(clickhouse, CLICKHOUSE_TRACES, &to, 0);
    clickhouse__map(clickhouse, &to, span.attributes, 9);
    row_binary_u64(clickhouse__next(&to), span.end_unix_nano > span.start_unix_nano ? span.end_unix_nano - span.start_unix_nano : 0);
    row_binary_string(clickhouse__next(&to), status_text(span.status_code));
    row_binary_string(clickhouse__next(&to), span.status_message);
    put_events(clickhouse, &to, span.events);
    put_links(clickhouse, &to, span.links);
    return true;
}
