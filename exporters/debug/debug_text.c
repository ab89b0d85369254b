/* SPDX-License-Identifier: Apache-2.0 */
/* Text like the Collector's debug exporter: a line of counts, then per item a line (normal) or all fields (detailed).
 */
#include <time.h>

#include "exporters/debug/debug.h"
#include "proto/otlp/otlp_json_write.h"

#define NS_PER_S 1000000000ull

static const struct names {
    const char *title, *resources, *items, *resource, *scope, *item;
    const struct otlp_msg *msg;
} names[] = {
    {"Logs", "resource logs", "log records", "ResourceLog", "ScopeLogs", "LogRecord", &otlp_LogRecord},
    {"Metrics", "resource metrics", "metrics", "ResourceMetrics", "ScopeMetrics", "Metric", &otlp_Metric},
    {"Traces", "resource spans", "spans", "ResourceSpans", "ScopeSpans", "Span", &otlp_Span},
    {"Profiles", "resource profiles", "profiles", "ResourceProfiles", "ScopeProfiles", "Profile", &otlp_Profile},
};

/* ---- small things ---- */

/* What a terminal could take for a command is shown, not sent. */
static void put_text(struct leat_strbuf *out, struct leat_slice text)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] >= ' ' && text.at[i] != 0x7f)
            continue;
        leat_strbuf_put(out, text.at + from, i - from);
        leat_strbuf_printf(out, text.at[i] == '\n' ? "\\n" : "\\x%02x", text.at[i]);
        from = i + 1;
    }
    leat_strbuf_put(out, text.at + from, text.len - from);
}

static void put_hex(struct leat_strbuf *out, struct leat_slice bytes)
{
    for (uint32_t i = 0; i < bytes.len; i++)
        leat_strbuf_printf(out, "%02x", bytes.at[i]);
}

static void put_value(struct leat_strbuf *out, const struct otlp_value *value)
{
    struct leat_slice rest = value->text;
    struct otlp_attribute attribute;
    struct otlp_value item;
    bool first = true;
    switch (value->kind) {
    case OTLP_TEXT:
        put_text(out, value->text);
        return;
    case OTLP_TRUTH:
        leat_strbuf_puts(out, value->integer ? "true" : "false");
        return;
    case OTLP_INTEGER:
    case OTLP_TEXT_INDEX:
        leat_strbuf_printf(out, "%lld", (long long)value->integer);
        return;
    case OTLP_REAL:
        leat_strbuf_printf(out, "%.15g", value->real);
        return;
    case OTLP_BLOB:
        put_hex(out, value->text);
        return;
    case OTLP_ARRAY:
        leat_strbuf_putc(out, '[');
        for (; otlp_value_next(&rest, &item); first = false) {
            leat_strbuf_puts(out, first ? "" : ",");
            put_value(out, &item);
        }
        leat_strbuf_putc(out, ']');
        return;
    case OTLP_MAP:
        leat_strbuf_putc(out, '{');
        for (; otlp_attribute_next(&rest, 1, &attribute); first = false) {
            leat_strbuf_puts(out, first ? "" : ",");
            put_text(out, attribute.key);
            leat_strbuf_putc(out, ':');
            put_value(out, &attribute.value);
        }
        leat_strbuf_putc(out, '}');
        return;
    case OTLP_EMPTY:
        return;
    }
}

static void put_attributes(struct leat_strbuf *out, struct leat_slice fields, uint32_t number)
{
    struct otlp_attribute attribute;
    while (otlp_attribute_next(&fields, number, &attribute)) {
        leat_strbuf_putc(out, ' ');
        put_text(out, attribute.key);
        leat_strbuf_putc(out, '=');
        put_value(out, &attribute.value);
    }
}

/* ---- items ---- */

static void put_log(struct leat_strbuf *out, struct leat_slice item)
{
    struct otlp_log log;
    if (!otlp_log_of(item, &log))
        return;
    put_value(out, &log.body);
    put_attributes(out, log.attributes, 6);
}

static void put_span(struct leat_strbuf *out, struct leat_slice item)
{
    struct otlp_span span;
    if (!otlp_span_of(item, &span))
        return;
    put_text(out, span.name);
    leat_strbuf_putc(out, ' ');
    put_hex(out, span.trace_id);
    leat_strbuf_putc(out, ' ');
    put_hex(out, span.span_id);
    put_attributes(out, span.message, 9);
}

static void put_metric(struct leat_strbuf *out, struct leat_slice item)
{
    struct otlp_metric metric;
    struct leat_slice point;
    unsigned points = 0;
    if (!otlp_metric_of(item, &metric))
        return;
    for (struct leat_slice rest = metric.data; otlp_message_next(&rest, 1, &point);)
        points++;
    put_text(out, metric.name);
    leat_strbuf_printf(out, " %u data points", points);
}

static leat_rc put_item(struct debug_state *debug, const struct otlp_walk *walk, struct leat_err *reterr)
{
    const struct names *name = &names[debug->signal];
    struct leat_strbuf *out = &debug->text;
    leat_rc rc = LEAT_OK;
    if (debug->conf->verbosity == DEBUG_DETAILED) {
        leat_strbuf_printf(out, "%s #%u\n    ", name->item, walk->item_index);
        rc = otlp_json_write_message(name->msg, walk->item, out, reterr);
    } else if (debug->signal == LEAT_LOGS) {
        put_log(out, walk->item);
    } else if (debug->signal == LEAT_TRACES) {
        put_span(out, walk->item);
    } else if (debug->signal == LEAT_METRICS) {
        put_metric(out, walk->item);
    } else {
        leat_strbuf_printf(out, "Profile #%u", walk->item_index);
    }
    leat_strbuf_putc(out, '\n');
    return rc;
}

static void put_place(struct debug_state *debug, const struct otlp_walk *walk)
{
    const struct names *name = &names[debug->signal];
    struct leat_strbuf *out = &debug->text;
    if (walk->new_resource) {
        leat_strbuf_printf(out, "%s #%u", name->resource, walk->resource_index);
        put_attributes(out, walk->resource, 1);
        leat_strbuf_putc(out, '\n');
    }
    if (!walk->new_scope)
        return;
    leat_strbuf_printf(out, "%s #%u ", name->scope, walk->scope_index);
    put_text(out, walk->scope.name);
    if (walk->scope.version.len) {
        leat_strbuf_putc(out, '@');
        put_text(out, walk->scope.version);
    }
    put_attributes(out, walk->scope.attributes, 3);
    leat_strbuf_putc(out, '\n');
}

/* ---- the batch ---- */

static leat_rc put_items(struct debug_state *debug, const struct leat_batch *batch, struct leat_err *reterr)
{
    struct otlp_walk walk;
    leat_rc bad = LEAT_OK;
    otlp_walk_open(&walk, batch->signal, &batch->payload);
    while (bad == LEAT_OK && otlp_walk_next(&walk)) {
        put_place(debug, &walk);
        bad = put_item(debug, &walk, reterr);
    }
    leat_rc rc = otlp_walk_close(&walk, bad == LEAT_OK ? reterr : NULL);
    return bad != LEAT_OK ? bad : rc;
}

static leat_rc count(const struct leat_batch *batch, uint32_t *ret_resources, uint32_t *ret_items,
                     struct leat_err *reterr)
{
    struct otlp_walk walk;
    *ret_resources = *ret_items = 0;
    otlp_walk_open(&walk, batch->signal, &batch->payload);
    while (otlp_walk_next(&walk)) {
        *ret_resources += walk.new_resource;
        ++*ret_items;
    }
    return otlp_walk_close(&walk, reterr);
}

static void put_time(struct leat_strbuf *out, uint64_t unix_ns)
{
    time_t s = (time_t)(unix_ns / NS_PER_S);
    struct tm tm;
    char text[32];
    gmtime_r(&s, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    leat_strbuf_printf(out, "%s.%03uZ", text, (unsigned)(unix_ns / 1000000 % 1000));
}

leat_rc debug__print(struct debug_state *debug, const struct leat_batch *batch, struct leat_err *reterr)
{
    const struct names *name = &names[debug->signal];
    struct leat_strbuf *out = &debug->text;
    uint32_t resources, items;
    leat_rc rc = count(batch, &resources, &items, reterr);
    if (rc != LEAT_OK)
        return rc;
    put_time(out, debug->world->unix_ns(debug->world));
    leat_strbuf_printf(out, "\tinfo\t%s\t{\"otelcol.component.id\": ", name->title);
    leat_strbuf_json(out, debug->id, strlen(debug->id));
    leat_strbuf_printf(out, ", \"otelcol.signal\": \"%s\", \"%s\": %u, \"%s\": %u", leat_signal_name(debug->signal),
                       name->resources, resources, name->items, items);
    if (debug->signal == LEAT_METRICS)
        leat_strbuf_printf(out, ", \"data points\": %u", batch->item_count);
    leat_strbuf_puts(out, "}\n");
    return debug->conf->verbosity == DEBUG_BASIC ? LEAT_OK : put_items(debug, batch, reterr);
}
