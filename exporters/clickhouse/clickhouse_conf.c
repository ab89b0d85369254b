/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/base/log.h"
#include "exporters/clickhouse/clickhouse.h"

#define AT(member) LEAT_AT(struct clickhouse_conf, member)
#define WITHIN(section, member) (LEAT_AT(struct clickhouse_conf, section.member) - LEAT_AT(struct clickhouse_conf, section))
#define TEXT(key_, member, deflt_, doc_) \
    {.key = (key_), .type = LEAT_STRING, .offset = AT(member), .deflt = (deflt_), .doc = (doc_)}
#define BOOL(key_, member, deflt_, doc_) \
    {.key = (key_), .type = LEAT_BOOL, .offset = AT(member), .deflt = (deflt_), .doc = (doc_)}

static const char *const compressions[] = {"", "none", "lz4", "zstd", "gzip", "true", NULL};
static const char *const on_schema_errors[] = {[CLICKHOUSE_SCHEMA_DROP] = "drop", [CLICKHOUSE_SCHEMA_HOLD] = "hold", NULL};
static const char *const formats[] = {[CLICKHOUSE_AUTO] = "auto", [CLICKHOUSE_NATIVE] = "native",
                                      [CLICKHOUSE_ROW_BINARY] = "row_binary", NULL};
static const char *const layouts[] = {"five_minutes", "timestamp_time", NULL};

#define NAME_OF(kind, deflt_)                                                                       \
    static const struct leat_field kind##_fields[] = {                                              \
        {.key = "name", .type = LEAT_STRING, .deflt = (deflt_), .doc = "the table's name"}, {0}};
NAME_OF(gauge, "otel_metrics_gauge")
NAME_OF(sum, "otel_metrics_sum")
NAME_OF(summary, "otel_metrics_summary")
NAME_OF(histogram, "otel_metrics_histogram")
NAME_OF(exponential_histogram, "otel_metrics_exponential_histogram")

#define TABLE(kind, doc_)                                                                                    \
    {.key = #kind, .type = LEAT_SECTION, .offset = WITHIN(metrics_tables, kind), .fields = kind##_fields, .doc = (doc_)}
static const struct leat_field metrics_tables_fields[] = {
    TABLE(gauge, "of gauges"),         TABLE(sum, "of sums"), TABLE(summary, "of summaries"),
    TABLE(histogram, "of histograms"), TABLE(exponential_histogram, "of exponential histograms"), {0}};

static const struct leat_field engine_fields[] = {
    {.key = "name", .type = LEAT_STRING, .offset = WITHIN(table_engine, name), .deflt = "MergeTree",
     .doc = "MergeTree, ReplicatedMergeTree ..."},
    {.key = "params", .type = LEAT_STRING, .offset = WITHIN(table_engine, params), .doc = "what stands in its brackets"},
    {0}};

const struct leat_field clickhouse_fields[] = {
    TEXT("username", username, NULL, "user; wins over the endpoint's"),
    {.key = "password", .type = LEAT_STRING, .offset = AT(password), .flags = LEAT_SECRET, .doc = "its password"},
    TEXT("database", database, "default", "database; when it is not \"default\" it wins over the endpoint's"),
    {.key = "connection_params", .type = LEAT_MAP, .offset = AT(connection_params),
     .doc = "further parameters of the endpoint: the driver's that leat knows, else settings of ClickHouse"},
    BOOL("create_schema", create_schema, "true", "make database and tables where they are missing"),
    {.key = "on_schema_error", .type = LEAT_ENUM, .offset = AT(on_schema_error), .deflt = "drop", .choices = on_schema_errors,
     .doc = "rows whose table or column is not there or not as leat writes it: drop and count them, or hold the queue"},
    TEXT("cluster_name", cluster_name, NULL, "make them ON CLUSTER this"),
    {.key = "table_engine", .type = LEAT_SECTION, .offset = AT(table_engine), .fields = engine_fields,
     .doc = "engine of the tables made"},
    {.key = "ttl", .type = LEAT_DURATION, .offset = AT(ttl_ns), .deflt = "0", .max = 9e18,
     .doc = "how long rows are kept, in the tables made; 0: for ever"},
    {.key = "deduplication_window", .type = LEAT_INT, .offset = AT(deduplication_window), .deflt = "1000", .max = 1e6,
     .doc = "tokens a table made without replication keeps, so that what is sent again is stored once; 0: none"},
    {.key = "compress", .type = LEAT_ENUM, .offset = AT(compress), .deflt = "", .choices = compressions,
     .doc = "content coding of INSERTs; unset: as `compression` says"},
    {.key = "format", .type = LEAT_ENUM, .offset = AT(format), .deflt = "auto", .choices = formats,
     .doc = "what rows are sent as; auto: native unless async_insert is on, or the server does not take it"},
    BOOL("async_insert", async_insert, "true", "let the server gather small INSERTs; leat waits until they are stored"),
    {.key = "max_request_size", .type = LEAT_SIZE, .offset = AT(request_bytes_max), .deflt = "16MiB", .min = 4096,
     .max = 1073741824, .doc = "an INSERT ends after so many bytes of rows, before compression"},
    TEXT("logs_table_name", logs_table_name, "otel_logs", "table of log records"),
    {.key = "logs_layout", .type = LEAT_ENUM, .offset = AT(logs_layout), .deflt = "five_minutes", .choices = layouts,
     .doc = "order of the logs' table made: the Collector's from 0.151 on, or up to 0.150 (with a column TimestampTime)"},
    TEXT("traces_table_name", traces_table_name, "otel_traces", "table of spans; those beside it are named after it"),
    {.key = "metrics_tables", .type = LEAT_SECTION, .offset = AT(metrics_tables), .fields = metrics_tables_fields,
     .doc = "tables of data points"},
    BOOL("raw_events", raw_events, "false", "logs: the untouched line with time, source and pod instead of a log record"),
    TEXT("raw_table_name", raw_table_name, "raw_events", "table of raw events"),
    {.key = "profiles_table_name", .type = LEAT_IGNORED, .doc = "profiles are not written"},
    {.key = "json", .type = LEAT_REFUSED, .doc = "attributes are written as maps; columns of type JSON are not supported"},
    {0}};

/* As the Collector's exporter, and an idle connection ends before the server's ten seconds do. */
const struct leat_default clickhouse_defaults[] = {
    {"timeout", "5s"}, {"compression", "lz4"}, {"idle_conn_timeout", "9s"}, {0}};

static leat_rc check_coding(const struct clickhouse_target *target, struct leat_err *reterr)
{
    switch (target->coding) {
    case LEAT_CODING_NONE:
    case LEAT_CODING_LZ4:
    case LEAT_CODING_ZSTD:
    case LEAT_CODING_GZIP:
        return LEAT_OK;
    default:
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "compression: %s is not one of none, lz4, zstd, gzip",
                          leat_coding_names[target->coding]);
    }
}

static leat_rc check_names(const struct clickhouse_conf *conf, struct leat_err *reterr)
{
    for (int table = 0; table < CLICKHOUSE_TABLES; table++) {
        const char *name = clickhouse__table_name(conf, (enum clickhouse_table)table);
        if (!name || !*name)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "a table's name is empty");
    }
    if (!conf->table_engine.name || !*conf->table_engine.name)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "table_engine: name is empty");
    if (conf->ttl_ns % 1000000000)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "ttl must be whole seconds");
    return LEAT_OK;
}

leat_rc clickhouse_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct leat_http_client_conf *http = conf->carrier;
    struct clickhouse_target target;
    if (!http->endpoint || !*http->endpoint)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint is required: clickhouse://host:8123/database");
    leat_rc rc = check_names(conf->own, reterr);
    if (rc == LEAT_OK)
        rc = clickhouse__target_open(conf->own, http, &target, reterr);
    if (rc != LEAT_OK)
        return rc;
    rc = check_coding(&target, reterr);
    clickhouse__target_done(&target);
    return rc;
}

/* Statements go with the settings of the endpoint too: some are needed to make tables. */
static leat_rc make_statement_url(struct clickhouse_state *clickhouse)
{
    struct leat_strbuf url = {0};
    leat_strbuf_put(&url, clickhouse->target.url.at, clickhouse->target.url.len);
    leat_strbuf_puts(&url, "wait_end_of_query=1");
    leat_strbuf_put(&url, clickhouse->target.settings.at, clickhouse->target.settings.len);
    clickhouse->statement_url = url.failed ? NULL : leat_strbuf_steal(&url);
    leat_strbuf_done(&url);
    return clickhouse->statement_url ? LEAT_OK : LEAT_ENOMEM;
}

leat_rc clickhouse_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                        struct leat_world *world, struct leat_err *reterr)
{
    struct clickhouse_state *clickhouse = state;
    const struct leat_http_client_conf *http = conf->carrier;
    (void)world;
    clickhouse->conf = conf->own;
    clickhouse->id = conf->id;
    clickhouse->signal = signal;
    for (uint32_t i = 0; i < CLICKHOUSE_SHARED_MAX; i++)
        clickhouse->shared[i].kept = true;
    for (int i = 0; i < 3; i++)
        clickhouse->attributes[i].kept = true;
    leat_rc rc = clickhouse__target_open(conf->own, http, &clickhouse->target, reterr);
    if (rc != LEAT_OK)
        return rc;
    clickhouse->coding = clickhouse->target.coding;
    clickhouse->native = clickhouse->conf->format == CLICKHOUSE_NATIVE ||
                         (clickhouse->conf->format == CLICKHOUSE_AUTO && !clickhouse->target.async_insert);
    clickhouse->level = (int)http->compression_params.level;
    clickhouse->hash = XXH3_createState();
    rc = clickhouse->hash ? make_statement_url(clickhouse) : LEAT_ENOMEM;
    uint32_t tables = clickhouse__tables_of(clickhouse->conf, signal);
    for (uint32_t table = 0; rc == LEAT_OK && table < CLICKHOUSE_TABLES; table++)
        if (tables >> table & 1)
            rc = clickhouse__rows_open(clickhouse, (enum clickhouse_table)table) == LEAT_OK
                     ? clickhouse__insert_url(clickhouse, (enum clickhouse_table)table)
                     : LEAT_ENOMEM;
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "no memory for statements");
    if (clickhouse->target.native_port)
        leat_log(LEAT_LOG_INFO, conf->id, "ClickHouse is spoken to over HTTP: %.*s in place of the native protocol's port",
                 (int)strcspn(clickhouse->target.url.at, "?"), clickhouse->target.url.at);
    return LEAT_OK;
}

void clickhouse_close(void *state)
{
    struct clickhouse_state *clickhouse = state;
    clickhouse__target_done(&clickhouse->target);
    leat_free(clickhouse->statement_url);
    for (int table = 0; table < CLICKHOUSE_TABLES; table++) {
        leat_free(clickhouse->there[table].url);
        struct clickhouse_rows *open = &clickhouse->open[table];
        for (uint32_t i = 0; i < open->stream_count && open->streams; i++)
            row_binary_done(&open->streams[i]);
        leat_free(open->streams);
        leat_free(open->bitmap);
    }
    (void)XXH3_freeState(clickhouse->hash);
    for (uint32_t i = 0; i < CLICKHOUSE_SHARED_MAX; i++)
        row_binary_done(&clickhouse->shared[i]);
    for (int i = 0; i < 3; i++)
        row_binary_done(&clickhouse->attributes[i]);
    leat_strbuf_done(&clickhouse->attributes_raw);
    leat_strbuf_done(&clickhouse->text);
    memset(clickhouse, 0, sizeof *clickhouse);
}
