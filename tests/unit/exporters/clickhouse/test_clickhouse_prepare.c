/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/exporters/clickhouse/clickhouse_kit.h"

static char *sql_of(const struct leat_request *request)
{
    char *text = leat_zalloc(request->body.bytes + 1, 1);
    EXPECT(text != NULL);
    (void)leat_chain_put(&request->body, text, request->body.bytes);
    return text;
}

static void expect_sql(const struct leat_requests *out, uint32_t i, const char *begin, const char *within)
{
    EXPECT(i < out->count);
    char *sql = sql_of(&out->at[i]);
    if (strncmp(sql, begin, strlen(begin)) != 0 || !strstr(sql, within))
        fail_msg("neither \"%s\" nor \"%s\" in:\n%s", begin, within, sql);
    leat_free(sql);
}

/* Guarantees: database, tables, view, then the description, in an order that can be repeated at any time. */
LEAT_TEST(clickhouse_prepares_traces)
{
    struct subject s;
    struct leat_requests out = {0};
    subject_defaults(&s);
    s.conf.database = "o`t";
    s.conf.username = "me";
    s.conf.cluster_name = "main";
    s.conf.ttl_ns = 36 * 3600000000000ll;
    s.conf.deduplication_window = 50;
    EXPECT_OK(subject_open(&s, LEAT_TRACES));
    EXPECT_OK(clickhouse_prepare(&s.state, &out, NULL));
    EXPECT_EQ(out.count, 5);
    expect_sql(&out, 0, "CREATE DATABASE IF NOT EXISTS `o\\`t` ON CLUSTER `main`", "");
    expect_sql(&out, 1, "CREATE TABLE IF NOT EXISTS `o\\`t`.`otel_traces` ON CLUSTER `main` (",
               "TTL toDateTime(Timestamp) + toIntervalHour(36)");
    expect_sql(&out, 1, "", "`Links.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1))");
    expect_sql(&out, 1, "", "non_replicated_deduplication_window = 50");
    expect_sql(&out, 2, "CREATE TABLE IF NOT EXISTS `o\\`t`.`otel_traces_trace_id_ts` ON CLUSTER `main` (", "TTL toDateTime(Start)");
    expect_sql(&out, 3, "CREATE MATERIALIZED VIEW IF NOT EXISTS `o\\`t`.`otel_traces_trace_id_ts_mv` ON CLUSTER `main` TO", "GROUP BY TraceId");
    expect_sql(&out, 4, "DESCRIBE TABLE `o\\`t`.`otel_traces`", "");
    EXPECT_EQ(out.at[4].tag, CLICKHOUSE_DESCRIBE | CLICKHOUSE_TRACES);
    EXPECT(leat_slice_is(out.at[0].headers[0].value, "me"));
    EXPECT_STR(out.at[0].url, "http://ch:8123/?wait_end_of_query=1");
    leat_requests_done(&out);
    clickhouse_close(&s.state);
}

/* Guarantees: both layouts of the logs' table, engines of one's own, and only the description without create_schema. */
LEAT_TEST(clickhouse_prepares_logs_in_both_layouts)
{
    struct subject s;
    struct leat_requests out = {0};
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    EXPECT_OK(clickhouse_prepare(&s.state, &out, NULL));
    EXPECT_EQ(out.count, 2);
    expect_sql(&out, 0, "CREATE TABLE IF NOT EXISTS `default`.`otel_logs` (", "ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)");
    expect_sql(&out, 0, "", "`__otel_materialized_k8s.pod.name`");
    char *sql = sql_of(&out.at[0]);
    EXPECT(!strstr(sql, "TimestampTime") && !strstr(sql, "TTL") && !strstr(sql, "deduplication"));
    leat_free(sql);
    leat_requests_done(&out);
    s.conf.logs_layout = 1;
    s.conf.deduplication_window = 50;
    s.conf.table_engine.name = "ReplicatedMergeTree";
    s.conf.table_engine.params = "'/a', 'b'";
    s.conf.cluster_name = "'{cluster}'";
    EXPECT_OK(clickhouse_prepare(&s.state, &out, NULL));
    expect_sql(&out, 0, "CREATE TABLE IF NOT EXISTS `default`.`otel_logs` ON CLUSTER '{cluster}' (", "ENGINE = ReplicatedMergeTree('/a', 'b')");
    expect_sql(&out, 0, "", "`TimestampTime` DateTime DEFAULT toDateTime(Timestamp)");
    sql = sql_of(&out.at[0]);
    EXPECT(!strstr(sql, "__otel_materialized") && !strstr(sql, "deduplication"));
    leat_free(sql);
    leat_requests_done(&out);
    EXPECT(!strstr(s.state.there[CLICKHOUSE_LOGS].url, "TimestampTime"));
    s.conf.create_schema = false;
    EXPECT_OK(clickhouse_prepare(&s.state, &out, NULL));
    EXPECT_EQ(out.count, 1);
    expect_sql(&out, 0, "DESCRIBE TABLE `default`.`otel_logs`", "");
    leat_requests_done(&out);
    clickhouse_close(&s.state);
}

LEAT_TEST(clickhouse_prepares_metrics)
{
    struct subject s;
    struct leat_requests out = {0};
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_METRICS));
    EXPECT_OK(clickhouse_prepare(&s.state, &out, NULL));
    EXPECT_EQ(out.count, 10);
    expect_sql(&out, 0, "CREATE TABLE IF NOT EXISTS `default`.`gauges` (", "toUnixTimestamp64Nano(TimeUnix)");
    expect_sql(&out, 3, "CREATE TABLE IF NOT EXISTS `default`.`exponentials` (", "NegativeBucketCounts");
    expect_sql(&out, 9, "DESCRIBE TABLE `default`.`summaries`", "");
    leat_requests_done(&out);
    clickhouse_close(&s.state);
}

/* What DESCRIBE says of a table as leat makes it, with one column told otherwise (NULL: left out). */
static struct leat_strbuf description(enum clickhouse_table table, const char *name, const char *type)
{
    const struct clickhouse_column *columns = clickhouse__schema(table, 0)->columns;
    struct leat_strbuf out = {0};
    for (; columns->name; columns++) {
        bool other = name && strcmp(columns->name, name) == 0;
        if (!other || type)
            leat_strbuf_printf(&out, "%s\t%s\t\t\t\tZSTD(1)\t\n", columns->name, other ? type : columns->type);
    }
    return out;
}

static leat_rc learn(struct subject *s, enum clickhouse_table table, const char *name, const char *type,
                     struct leat_err *reterr)
{
    struct leat_strbuf text = description(table, name, type);
    struct leat_request request = {.tag = CLICKHOUSE_DESCRIBE | (uint32_t)table};
    struct leat_reply reply = {.request = &request, .status = 200, .body = leat_slice_of(text.at, (uint32_t)text.len)};
    struct leat_verdict verdict = {0};
    leat_rc rc = text.failed ? LEAT_ENOMEM : clickhouse_judge(&s->state, &reply, &verdict, reterr);
    leat_strbuf_done(&text);
    return rc;
}

/* Guarantees: an older table without EventName is written without it, and with it once it is there. */
LEAT_TEST(clickhouse_learns_what_columns_there_are)
{
    struct subject s;
    struct leat_err err = {0};
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    EXPECT(strstr(s.state.there[CLICKHOUSE_LOGS].url, "EventName"));
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_LOGS, "EventName", NULL, &err), &err);
    EXPECT(!strstr(s.state.there[CLICKHOUSE_LOGS].url, "EventName"));
    EXPECT(s.state.there[CLICKHOUSE_LOGS].missing);
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_LOGS, NULL, NULL, &err), &err);
    EXPECT(strstr(s.state.there[CLICKHOUSE_LOGS].url, "EventName"));
    EXPECT_RC(learn(&s, CLICKHOUSE_LOGS, "Body", NULL, &err), LEAT_EREFUSED);
    EXPECT_STR(err.text, "table otel_logs has no column Body (String)");
    clickhouse_close(&s.state);
}

/* Guarantees: types that RowBinary writes alike are taken, times in their other form too; all else would be read as
 * something that was never written, and is refused by name. */
LEAT_TEST(clickhouse_learns_types)
{
    static const struct {
        const char *name, *type;
        bool fine;
    } table[] = {{"ScopeName", "LowCardinality(String)", true},
                 {"SeverityText", "String", true},
                 {"Timestamp", "DateTime64(9, \\'UTC\\')", true},
                 {"Timestamp", "DateTime(\\'UTC\\')", true},
                 {"Timestamp", "DateTime64(3)", false},
                 {"LogAttributes", "Map(String,String)", true},
                 {"LogAttributes", "JSON", false},
                 {"Body", "Nullable(String)", false},
                 {"SeverityNumber", "Int32", false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct subject s;
        struct leat_err err = {0};
        subject_defaults(&s);
        EXPECT_OK(subject_open(&s, LEAT_LOGS));
        leat_rc rc = learn(&s, CLICKHOUSE_LOGS, table[i].name, table[i].type, &err);
        EXPECT_EQ(rc, table[i].fine ? LEAT_OK : LEAT_EREFUSED);
        EXPECT_EQ(s.state.there[CLICKHOUSE_LOGS].seconds, strcmp(table[i].type, "DateTime(\\'UTC\\')") == 0);
        clickhouse_close(&s.state);
    }
}

LEAT_TEST(clickhouse_writes_seconds_where_the_table_has_them)
{
    struct subject s;
    struct leat_err err = {0};
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_METRICS));
    const struct clickhouse_there *there = &s.state.there[CLICKHOUSE_SUM];
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_SUM, "StartTimeUnix", "DateTime", &err), &err);
    EXPECT(there->start_seconds && !there->seconds && !there->inner_seconds);
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_SUM, "TimeUnix", "DateTime", &err), &err);
    EXPECT(!there->start_seconds && there->seconds && !there->inner_seconds);
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_SUM, "Exemplars.TimeUnix", "Array(DateTime)", &err), &err);
    EXPECT(!there->start_seconds && !there->seconds && there->inner_seconds);
    clickhouse_close(&s.state);
}

LEAT_TEST_OOM(clickhouse_prepares_without_memory)
{
    struct subject s;
    struct leat_requests out = {0};
    subject_defaults(&s);
    s.conf.database = "otel";
    leat_rc rc = subject_open(&s, LEAT_TRACES);
    if (rc == LEAT_OK)
        rc = clickhouse_prepare(&s.state, &out, NULL);
    if (rc == LEAT_OK)
        rc = learn(&s, CLICKHOUSE_TRACES, NULL, NULL, NULL);
    leat_requests_done(&out);
    clickhouse_close(&s.state);
    return rc;
}
