/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, column by column: CREATE, INSERT and the check of what is there all come from these rows. */
#include "exporters/clickhouse/clickhouse.h"

#define STRING "String"
#define LOW "LowCardinality(String)"
#define MAP "Map(LowCardinality(String), String)"
#define NS "DateTime64(9)"
#define Z "CODEC(ZSTD(1))"
#define DZ "CODEC(Delta(8), ZSTD(1))"
#define BLOOM " TYPE bloom_filter(0.01) GRANULARITY 1"
#define PROMOTED(key) \
    {"__otel_materialized_" key, LOW, "MATERIALIZED ResourceAttributes['" key "'] " Z, CLICKHOUSE_MADE | CLICKHOUSE_NEW}

/* ---- logs ---- */

static const struct clickhouse_column logs_columns[] = {
    {"Timestamp", NS, DZ, 0},
    {"TimestampTime", "DateTime", "DEFAULT toDateTime(Timestamp)", CLICKHOUSE_MADE | CLICKHOUSE_OLD},
    {"TraceId", STRING, Z, 0},
    {"SpanId", STRING, Z, 0},
    {"TraceFlags", "UInt8", "", 0},
    {"SeverityText", LOW, Z, 0},
    {"SeverityNumber", "UInt8", "", 0},
    {"ServiceName", LOW, Z, 0},
    {"Body", STRING, Z, 0},
    {"ResourceSchemaUrl", LOW, Z, 0},
    {"ResourceAttributes", MAP, Z, 0},
    {"ScopeSchemaUrl", LOW, Z, 0},
    {"ScopeName", STRING, Z, 0},
    {"ScopeVersion", LOW, Z, 0},
    {"ScopeAttributes", MAP, Z, 0},
    {"LogAttributes", MAP, Z, 0},
    {"EventName", STRING, Z, CLICKHOUSE_OPTIONAL},
    PROMOTED("k8s.cluster.name"),
    PROMOTED("k8s.container.name"),
    PROMOTED("k8s.deployment.name"),
    PROMOTED("k8s.namespace.name"),
    PROMOTED("k8s.node.name"),
    PROMOTED("k8s.pod.name"),
    PROMOTED("k8s.pod.uid"),
    PROMOTED("deployment.environment.name"),
    {0}};

#define LOGS_INDEXES                                                                                         \
    "idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1",                                           \
        "idx_res_attr_key mapKeys(ResourceAttributes)" BLOOM, "idx_res_attr_value mapValues(ResourceAttributes)" BLOOM, \
        "idx_scope_attr_key mapKeys(ScopeAttributes)" BLOOM, "idx_scope_attr_value mapValues(ScopeAttributes)" BLOOM,   \
        "idx_log_attr_key mapKeys(LogAttributes)" BLOOM, "idx_log_attr_value mapValues(LogAttributes)" BLOOM

static const char *const logs_indexes[] = {
    LOGS_INDEXES, "idx_lower_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8", NULL};
static const char *const logs_old_indexes[] = {LOGS_INDEXES, "idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8",
                                               NULL};

static const struct clickhouse_schema logs = {
    logs_columns, logs_indexes,
    "PARTITION BY toDate(Timestamp) ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)",
    "toDateTime(Timestamp)"};
static const struct clickhouse_schema logs_old = {
    logs_columns, logs_old_indexes,
    "PARTITION BY toDate(TimestampTime) PRIMARY KEY (ServiceName, TimestampTime) "
    "ORDER BY (ServiceName, TimestampTime, Timestamp)",
    "TimestampTime"};

static const struct clickhouse_column raw_columns[] = {
    {"Time", NS, DZ, 0},   {"Source", LOW, Z, 0},    {"Namespace", LOW, Z, 0}, {"Pod", LOW, Z, 0},
    {"Container", LOW, Z, 0}, {"Line", STRING, Z, 0}, {0}};
static const char *const raw_indexes[] = {"idx_line Line TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8", NULL};
static const struct clickhouse_schema raw = {
    raw_columns, raw_indexes,
    "PARTITION BY toDate(Time) ORDER BY (toStartOfFiveMinutes(Time), Namespace, Pod, Source, Time)",
    "toDateTime(Time)"};

/* ---- traces ---- */

static const struct clickhouse_column traces_columns[] = {
    {"Timestamp", NS, "CODEC(Delta, ZSTD(1))", 0},
    {"TraceId", STRING, Z, 0},
    {"SpanId", STRING, Z, 0},
    {"ParentSpanId", STRING, Z, 0},
    {"TraceState", STRING, Z, 0},
    {"SpanName", LOW, Z, 0},
    {"SpanKind", LOW, Z, 0},
    {"ServiceName", LOW, Z, 0},
    {"ResourceAttributes", MAP, Z, 0},
    {"ScopeName", STRING, Z, 0},
    {"ScopeVersion", STRING, Z, 0},
    {"SpanAttributes", MAP, Z, 0},
    {"Duration", "UInt64", Z, 0},
    {"StatusCode", LOW, Z, 0},
    {"StatusMessage", STRING, Z, 0},
    {"Events.Timestamp", "Array(" NS ")", Z, 0},
    {"Events.Name", "Array(" LOW ")", Z, 0},
    {"Events.Attributes", "Array(" MAP ")", Z, 0},
    {"Links.TraceId", "Array(String)", Z, 0},
    {"Links.SpanId", "Array(String)", Z, 0},
    {"Links.TraceState", "Array(String)", Z, 0},
    {"Links.Attributes", "Array(" MAP ")", Z, 0},
    {0}};
static const char *const traces_indexes[] = {"idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1",
                                             "idx_res_attr_key mapKeys(ResourceAttributes)" BLOOM,
                                             "idx_res_attr_value mapValues(ResourceAttributes)" BLOOM,
                                             "idx_span_attr_key mapKeys(SpanAttributes)" BLOOM,
                                             "idx_span_attr_value mapValues(SpanAttributes)" BLOOM,
                                             "idx_duration Duration TYPE minmax GRANULARITY 1",
                                             NULL};
static const struct clickhouse_schema traces = {
    traces_columns, traces_indexes,
    "PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))", "toDateTime(Timestamp)"};

/* ---- metrics ---- */

#define METRIC_COLUMNS                                                                                         \
    {"ResourceAttributes", MAP, Z, 0}, {"ResourceSchemaUrl", STRING, Z, 0}, {"ScopeName", STRING, Z, 0},       \
        {"ScopeVersion", STRING, Z, 0}, {"ScopeAttributes", MAP, Z, 0}, {"ScopeDroppedAttrCount", "UInt32", Z, 0}, \
        {"ScopeSchemaUrl", STRING, Z, 0}, {"ServiceName", LOW, Z, 0}, {"MetricName", STRING, Z, 0},            \
        {"MetricDescription", STRING, Z, 0}, {"MetricUnit", STRING, Z, 0}, {"Attributes", MAP, Z, 0},          \
        {"StartTimeUnix", NS, "CODEC(Delta, ZSTD(1))", 0}, {"TimeUnix", NS, "CODEC(Delta, ZSTD(1))", 0}
#define EXEMPLAR_COLUMNS                                                                                       \
    {"Exemplars.FilteredAttributes", "Array(" MAP ")", Z, 0}, {"Exemplars.TimeUnix", "Array(" NS ")", Z, 0},   \
        {"Exemplars.Value", "Array(Float64)", Z, 0}, {"Exemplars.SpanId", "Array(String)", Z, 0},              \
        {"Exemplars.TraceId", "Array(String)", Z, 0}
#define FLAGS_COLUMN {"Flags", "UInt32", Z, 0}
#define COUNT_COLUMNS {"Count", "UInt64", "CODEC(Delta, ZSTD(1))", 0}, {"Sum", "Float64", Z, 0}
#define TEMPORALITY_COLUMN {"AggregationTemporality", "Int32", Z, 0}
#define RANGE_COLUMNS FLAGS_COLUMN, {"Min", "Float64", Z, 0}, {"Max", "Float64", Z, 0}, TEMPORALITY_COLUMN

static const struct clickhouse_column gauge_columns[] = {
    METRIC_COLUMNS, {"Value", "Float64", Z, 0}, FLAGS_COLUMN, EXEMPLAR_COLUMNS, {0}};
static const struct clickhouse_column sum_columns[] = {METRIC_COLUMNS,
                                                       {"Value", "Float64", Z, 0},
                                                       FLAGS_COLUMN,
                                                       EXEMPLAR_COLUMNS,
                                                       TEMPORALITY_COLUMN,
                                                       {"IsMonotonic", "Bool", "CODEC(Delta, ZSTD(1))", 0},
                                                       {0}};
static const struct clickhouse_column histogram_columns[] = {METRIC_COLUMNS,
                                                             COUNT_COLUMNS,
                                                             {"BucketCounts", "Array(UInt64)", Z, 0},
                                                             {"ExplicitBounds", "Array(Float64)", Z, 0},
                                                             EXEMPLAR_COLUMNS,
                                                             RANGE_COLUMNS,
                                                             {0}};
static const struct clickhouse_column exponential_columns[] = {METRIC_COLUMNS,
                                                               COUNT_COLUMNS,
                                                               {"Scale", "Int32", Z, 0},
                                                               {"ZeroCount", "UInt64", Z, 0},
                                                               {"PositiveOffset", "Int32", Z, 0},
                                                               {"PositiveBucketCounts", "Array(UInt64)", Z, 0},
                                                               {"NegativeOffset", "Int32", Z, 0},
                                                               {"NegativeBucketCounts", "Array(UInt64)", Z, 0},
                                                               EXEMPLAR_COLUMNS,
                                                               RANGE_COLUMNS,
                                                               {0}};
static const struct clickhouse_column summary_columns[] = {METRIC_COLUMNS,
                                                           COUNT_COLUMNS,
                                                           {"ValueAtQuantiles.Quantile", "Array(Float64)", Z, 0},
                                                           {"ValueAtQuantiles.Value", "Array(Float64)", Z, 0},
                                                           FLAGS_COLUMN,
                                                           {0}};
static const char *const metric_indexes[] = {"idx_res_attr_key mapKeys(ResourceAttributes)" BLOOM,
                                             "idx_res_attr_value mapValues(ResourceAttributes)" BLOOM,
                                             "idx_scope_attr_key mapKeys(ScopeAttributes)" BLOOM,
                                             "idx_scope_attr_value mapValues(ScopeAttributes)" BLOOM,
                                             "idx_attr_key mapKeys(Attributes)" BLOOM,
                                             "idx_attr_value mapValues(Attributes)" BLOOM,
                                             NULL};
#define METRIC_TAIL \
    "PARTITION BY toDate(TimeUnix) ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))"
#define METRIC(columns) {columns, metric_indexes, METRIC_TAIL, "toDateTime(TimeUnix)"}

static const struct clickhouse_schema metrics[] = {METRIC(gauge_columns), METRIC(sum_columns),
                                                   METRIC(histogram_columns), METRIC(exponential_columns),
                                                   METRIC(summary_columns)};

const struct clickhouse_schema *clickhouse__schema(enum clickhouse_table table, int layout)
{
    switch (table) {
    case CLICKHOUSE_LOGS:
        return layout ? &logs_old : &logs;
    case CLICKHOUSE_RAW:
        return &raw;
    case CLICKHOUSE_TRACES:
        return &traces;
    default:
        return &metrics[table - CLICKHOUSE_GAUGE];
    }
}

const char *clickhouse__table_name(const struct clickhouse_conf *conf, enum clickhouse_table table)
{
    switch (table) {
    case CLICKHOUSE_LOGS:
        return conf->logs_table_name;
    case CLICKHOUSE_RAW:
        return conf->raw_table_name;
    case CLICKHOUSE_TRACES:
        return conf->traces_table_name;
    case CLICKHOUSE_GAUGE:
        return conf->metrics_tables.gauge.name;
    case CLICKHOUSE_SUM:
        return conf->metrics_tables.sum.name;
    case CLICKHOUSE_HISTOGRAM:
        return conf->metrics_tables.histogram.name;
    case CLICKHOUSE_EXPONENTIAL_HISTOGRAM:
        return conf->metrics_tables.exponential_histogram.name;
    default:
        return conf->metrics_tables.summary.name;
    }
}

uint32_t clickhouse__tables_of(const struct clickhouse_conf *conf, enum leat_signal signal)
{
    if (signal == LEAT_LOGS)
        return 1u << (conf->raw_events ? CLICKHOUSE_RAW : CLICKHOUSE_LOGS);
    if (signal == LEAT_TRACES)
        return 1u << CLICKHOUSE_TRACES;
    return (1u << CLICKHOUSE_TABLES) - (1u << CLICKHOUSE_GAUGE);
}
