/* SPDX-License-Identifier: Apache-2.0 */
/* Log records as rows of otel_logs, and lines as rows of the raw events' table. */
#include "exporters/clickhouse/clickhouse.h"

/* ServiceName; then, behind the body, all of resource and scope. */
void clickhouse__logs_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk)
{
    struct clickhouse_cursor to = clickhouse__shared_begin(clickhouse);
    clickhouse__resource_text(clickhouse, clickhouse__next(&to), walk->resource, "service.name");
    clickhouse__shared_middle(clickhouse, &to);
    row_binary_string(clickhouse__next(&to), walk->resource_schema_url);
    clickhouse__map(clickhouse, &to, walk->resource, 1);
    row_binary_string(clickhouse__next(&to), walk->scope.schema_url);
    row_binary_string(clickhouse__next(&to), walk->scope.name);
    row_binary_string(clickhouse__next(&to), walk->scope.version);
    clickhouse__map(clickhouse, &to, walk->scope.attributes, 3);
    clickhouse__shared_end(clickhouse, &to);
}

static uint64_t time_of(const struct otlp_log *log)
{
    return log->time_unix_nano ? log->time_unix_nano : log->observed_time_unix_nano;
}

/* The order is that of the schema. */
bool clickhouse__logs_row(struct clickhouse_state *clickhouse, struct leat_slice record)
{
    const struct clickhouse_there *there = &clickhouse->there[CLICKHOUSE_LOGS];
    struct otlp_log log;
    if (!otlp_log_of(record, &log))
        return false;
    struct clickhouse_cursor to = clickhouse__row(clickhouse, CLICKHOUSE_LOGS);
    row_binary_time(clickhouse__next(&to), time_of(&log), there->seconds);
    row_binary_hex(clickhouse__next(&to), log.trace_id);
    row_binary_hex(clickhouse__next(&to), log.span_id);
    row_binary_u8(clickhouse__next(&to), (uint8_t)log.flags);
    row_binary_string(clickhouse__next(&to), log.severity_text);
    row_binary_u8(clickhouse__next(&to), (uint8_t)log.severity_number);
    clickhouse__put_shared(clickhouse, CLICKHOUSE_LOGS, &to, 0);
    clickhouse__value(clickhouse, clickhouse__next(&to), &log.body);
    clickhouse__put_shared(clickhouse, CLICKHOUSE_LOGS, &to, 1);
    clickhouse__map_again(clickhouse, &to, log.attributes, 6);
    if (!there->missing)
        row_binary_string(clickhouse__next(&to), log.event_name);
    return true;
}

/* ---- raw events ---- */

static struct leat_slice text_at(struct leat_slice fields, uint32_t number, const char *key)
{
    struct otlp_value value = {0};
    return otlp_attribute_get(fields, number, key, &value) && value.kind == OTLP_TEXT ? value.text
                                                                                      : (struct leat_slice){0};
}

static struct leat_slice source_of(struct leat_slice fields, uint32_t number)
{
    struct leat_slice path = text_at(fields, number, "log.file.path");
    return path.len ? path : text_at(fields, number, "log.file.name");
}

void clickhouse__raw_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk)
{
    clickhouse->raw = (struct clickhouse_raw_shared){.source = source_of(walk->resource, 1),
                                                     .namespace = text_at(walk->resource, 1, "k8s.namespace.name"),
                                                     .pod = text_at(walk->resource, 1, "k8s.pod.name"),
                                                     .container = text_at(walk->resource, 1, "k8s.container.name")};
    const struct clickhouse_raw_shared *raw = &clickhouse->raw;
    clickhouse->shared_bytes[0] = 0ull + raw->source.len + raw->namespace.len + raw->pod.len + raw->container.len;
}

/* The line as it came: what a parser put aside of it, else the body. */
bool clickhouse__raw_row(struct clickhouse_state *clickhouse, struct leat_slice record)
{
    const struct clickhouse_raw_shared *raw = &clickhouse->raw;
    struct otlp_log log;
    if (!otlp_log_of(record, &log))
        return false;
    struct leat_slice own = source_of(log.attributes, 6), original = text_at(log.attributes, 6, "log.record.original");
    struct clickhouse_cursor to = clickhouse__row(clickhouse, CLICKHOUSE_RAW);
    row_binary_time(clickhouse__next(&to), time_of(&log), clickhouse->there[CLICKHOUSE_RAW].seconds);
    row_binary_string(clickhouse__next(&to), own.len ? own : raw->source);
    row_binary_string(clickhouse__next(&to), raw->namespace);
    row_binary_string(clickhouse__next(&to), raw->pod);
    row_binary_string(clickhouse__next(&to), raw->container);
    if (original.len)
        row_binary_string(clickhouse__next(&to), original);
    else
        clickhouse__value(clickhouse, clickhouse__next(&to), &log.body);
    return true;
}
