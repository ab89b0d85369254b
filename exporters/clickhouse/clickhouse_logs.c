/* SPDX-License-Identifier: Apache-2.0 */
/* Log records as rows of otel_logs, and lines as rows of the raw events' table. */
#include "exporters/clickhouse/clickhouse.h"

/* ServiceName; then, behind the body, all of resource and scope. */
void clickhouse__logs_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk)
{
    struct row_binary *shared = &clickhouse->shared;
    row_binary_clear(shared);
    clickhouse__resource_text(clickhouse, shared, walk->resource, "service.name");
    clickhouse->shared_middle = row_binary_open_bytes(shared).len;
    row_binary_string(shared, walk->resource_schema_url);
    clickhouse__map(clickhouse, shared, walk->resource, 1);
    row_binary_string(shared, walk->scope.schema_url);
    row_binary_string(shared, walk->scope.name);
    row_binary_string(shared, walk->scope.version);
    clickhouse__map(clickhouse, shared, walk->scope.attributes, 3);
}

static uint64_t time_of(const struct otlp_log *log)
{
    return log->time_unix_nano ? log->time_unix_nano : log->observed_time_unix_nano;
}

/* The order is that of the schema. */
bool clickhouse__logs_row(struct clickhouse_state *clickhouse, struct leat_slice record)
{
    struct row_binary *rows = &clickhouse->open[CLICKHOUSE_LOGS].rows;
    const struct clickhouse_there *there = &clickhouse->there[CLICKHOUSE_LOGS];
    struct leat_slice shared = row_binary_open_bytes(&clickhouse->shared);
    struct otlp_log log;
    if (!otlp_log_of(record, &log))
        return false;
    row_binary_row(rows);
    row_binary_time(rows, time_of(&log), there->seconds);
    row_binary_hex(rows, log.trace_id);
    row_binary_hex(rows, log.span_id);
    row_binary_u8(rows, (uint8_t)log.flags);
    row_binary_string(rows, log.severity_text);
    row_binary_u8(rows, (uint8_t)log.severity_number);
    row_binary_raw(rows, shared.at, clickhouse->shared_middle);
    clickhouse__value(clickhouse, rows, &log.body);
    row_binary_raw(rows, shared.at + clickhouse->shared_middle, shared.len - clickhouse->shared_middle);
    clickhouse__map_again(clickhouse, rows, log.attributes, 6);
    if (!there->missing)
        row_binary_string(rows, log.event_name);
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
}

/* The line as it came: what a parser put aside of it, else the body. */
bool clickhouse__raw_row(struct clickhouse_state *clickhouse, struct leat_slice record)
{
    struct row_binary *rows = &clickhouse->open[CLICKHOUSE_RAW].rows;
    const struct clickhouse_raw_shared *raw = &clickhouse->raw;
    struct otlp_log log;
    if (!otlp_log_of(record, &log))
        return false;
    struct leat_slice own = source_of(log.attributes, 6), original = text_at(log.attributes, 6, "log.record.original");
    row_binary_row(rows);
    row_binary_time(rows, time_of(&log), clickhouse->there[CLICKHOUSE_RAW].seconds);
    row_binary_string(rows, own.len ? own : raw->source);
    row_binary_string(rows, raw->namespace);
    row_binary_string(rows, raw->pod);
    row_binary_string(rows, raw->container);
    if (original.len)
        row_binary_string(rows, original);
    else
        clickhouse__value(clickhouse, rows, &log.body);
    return true;
}
