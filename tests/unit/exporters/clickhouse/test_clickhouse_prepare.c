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
    struct leat_slice answer = leat_slice_of(text.at, (uint32_t)text.len);
    leat_rc rc = text.failed ? LEAT_ENOMEM : clickhouse__learn(&s->state, table, answer, reterr);
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

/* ---- tables that are not fit ---- */

static struct leat_verdict judge(struct subject *s, const struct leat_request *request, int status, const char *code,
                                 const char *body)
{
    struct leat_header header = {LEAT_SLICE("X-ClickHouse-Exception-Code"), leat_slice_str(code ? code : "")};
    struct leat_reply reply = {.request = request, .status = status, .body = leat_slice_str(body),
                               .headers = {&header, code ? 1 : 0}};
    struct leat_verdict verdict = {0};
    EXPECT_OK(clickhouse_judge(&s->state, &reply, &verdict, NULL));
    return verdict;
}

static struct leat_verdict judge_table(struct subject *s, const struct leat_request *request, const char *name,
                                       const char *type)
{
    struct leat_strbuf text = description(CLICKHOUSE_LOGS, name, type);
    EXPECT(!text.failed);
    struct leat_verdict verdict = judge(s, request, 200, NULL, text.at);
    leat_strbuf_done(&text);
    return verdict;
}

static const struct leat_request prepares = {.tag = CLICKHOUSE_DESCRIBE | CLICKHOUSE_LOGS};

/* One log record, encoded. */
static struct leat_requests encoded(struct subject *s)
{
    struct leat_requests out = {0};
    struct leat_batch batch;
    EXPECT_OK(batch_of(LEAT_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}}]}]}]}", &batch));
    EXPECT_OK(clickhouse_encode(&s->state, &batch, &out, NULL));
    EXPECT_EQ(out.count, 1);
    EXPECT_EQ(out.at[0].count, 1);
    EXPECT_EQ(out.at[0].first, 0);
    EXPECT(out.at[0].precoded);
    leat_chain_done(&batch.payload);
    return out;
}

/* Scenario:   on_schema_error: drop. The table is gone when it is described, or lacks a column, or has one of another type.
 * Guarantees: preparing goes on, other tables are not kept waiting; rows of this one are never sent unread: a description
 * goes in their place. It fails as before: they are dropped, with the reason. It is good: they are written as the
 * table now is. */
LEAT_TEST(clickhouse_asks_again_before_it_writes_to_a_table_that_was_not_fit)
{
    struct subject s;
    subject_defaults(&s);
    s.conf.username = "me";
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    for (int way = 0; way < 3; way++) {
        struct leat_verdict verdict = way == 0   ? judge(&s, &prepares, 404, "60", "no table")
                                      : way == 1 ? judge_table(&s, &prepares, "Body", NULL)
                                                 : judge_table(&s, &prepares, "Timestamp", "DateTime64(3)");
        EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
        EXPECT(s.state.there[CLICKHOUSE_LOGS].unfit);
        struct leat_requests out = encoded(&s);
        expect_sql(&out, 0, "DESCRIBE TABLE `default`.`otel_logs`", "");
        EXPECT_EQ(out.at[0].tag, CLICKHOUSE_DESCRIBE | CLICKHOUSE_LOGS);
        EXPECT_STR(out.at[0].url, "http://ch:8123/?wait_end_of_query=1");
        EXPECT(leat_slice_is(out.at[0].headers[0].value, "me"));
        verdict = judge(&s, &out.at[0], 404, "60", "no table");
        EXPECT_EQ(verdict.kind, LEAT_VERDICT_DROP);
        EXPECT(!verdict.isolate && verdict.prepare_again);
        EXPECT_STR(verdict.text, "status 404, code 60: no table");
        verdict = judge_table(&s, &out.at[0], "Body", NULL);
        EXPECT_EQ(verdict.kind, LEAT_VERDICT_DROP);
        EXPECT(!verdict.isolate && verdict.prepare_again);
        EXPECT_STR(verdict.text, "table otel_logs has no column Body (String)");
        EXPECT_EQ(judge(&s, &out.at[0], 503, "202", "busy").kind, LEAT_VERDICT_RETRY);
        EXPECT_EQ(judge(&s, &out.at[0], 400, "7777", "no word of the table").kind, LEAT_VERDICT_HOLD);
        EXPECT_EQ(judge(&s, &out.at[0], 400, NULL, "a proxy").kind, LEAT_VERDICT_HOLD);
        EXPECT_EQ(judge(&s, &out.at[0], 200, NULL, "a proxy").kind, LEAT_VERDICT_HOLD);
        EXPECT(s.state.there[CLICKHOUSE_LOGS].unfit);
        EXPECT_EQ(judge_table(&s, &out.at[0], "EventName", NULL).kind, LEAT_VERDICT_REENCODE);
        leat_requests_done(&out);
        out = encoded(&s);
        EXPECT_EQ(out.at[0].tag, CLICKHOUSE_INSERT | CLICKHOUSE_LOGS | CLICKHOUSE_AS_NATIVE);
        EXPECT(!strstr(out.at[0].url, "EventName"));
        leat_requests_done(&out);
    }
    clickhouse_close(&s.state);
}

/* Guarantees: with on_schema_error: hold nothing is prepared before it is as it must be. */
LEAT_TEST(clickhouse_holds_before_a_table_that_is_not_fit)
{
    struct subject s;
    subject_defaults(&s);
    s.conf.on_schema_error = CLICKHOUSE_SCHEMA_HOLD;
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    EXPECT_EQ(judge(&s, &prepares, 404, "60", "no table").kind, LEAT_VERDICT_HOLD);
    struct leat_verdict verdict = judge_table(&s, &prepares, "Timestamp", "DateTime64(3)");
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_HOLD);
    EXPECT_STR(verdict.text, "column Timestamp of table otel_logs is DateTime64(3), leat writes DateTime64(9)");
    EXPECT(!s.state.there[CLICKHOUSE_LOGS].unfit);
    EXPECT_EQ(judge_table(&s, &prepares, NULL, NULL).kind, LEAT_VERDICT_DELIVERED);
    clickhouse_close(&s.state);
}

/* Guarantees: a table that cannot be made keeps the queue in either mode: it is the first thing an operator must see. */
LEAT_TEST(clickhouse_does_not_pass_over_a_table_it_cannot_make)
{
    static const struct leat_request creates = {.tag = CLICKHOUSE_CREATE | CLICKHOUSE_LOGS};
    struct subject s;
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    for (s.conf.on_schema_error = CLICKHOUSE_SCHEMA_DROP; s.conf.on_schema_error <= CLICKHOUSE_SCHEMA_HOLD; s.conf.on_schema_error++)
        EXPECT(judge(&s, &creates, 404, "81", "no database").kind != LEAT_VERDICT_DELIVERED);
    clickhouse_close(&s.state);
}

/* Guarantees: what an INSERT is told of async_insert, either way. An answer then means that the rows are stored, and the
 * token counts for gathered INSERTs too. */
LEAT_TEST(clickhouse_tells_the_server_how_to_insert)
{
    for (int on = 0; on < 2; on++) {
        struct subject s;
        subject_defaults(&s);
        s.conf.format = CLICKHOUSE_ROW_BINARY;
        s.conf.async_insert = on;
        EXPECT_OK(subject_open(&s, LEAT_LOGS));
        struct leat_requests out = encoded(&s);
        const char *settings = strstr(out.at[0].url, "RowBinary&");
        EXPECT(settings != NULL);
        const char *wanted = on ? "RowBinary&async_insert=1&wait_for_async_insert=1&async_insert_deduplicate=1"
                                  "&wait_end_of_query=1&insert_deduplication_token="
                                : "RowBinary&async_insert=0&wait_end_of_query=1&insert_deduplication_token=";
        EXPECT_EQ(strncmp(settings, wanted, strlen(wanted)), 0);
        EXPECT_EQ(strlen(settings), strlen(wanted) + 32);
        leat_requests_done(&out);
        clickhouse_close(&s.state);
    }
}

static bool body_has(const struct leat_request *request, const char *bytes, size_t len)
{
    struct leat_slice flat;
    EXPECT_OK(leat_chain_flat(&request->body, &flat));
    bool has = memmem(flat.at, flat.len, bytes, len) != NULL;
    leat_mem_unref(flat.mem);
    return has;
}

/* Guarantees: a block of Native names each column it has with its type, also where times are in seconds, and leaves out the
 * one that the table lacks. */
LEAT_TEST(clickhouse_blocks_are_as_the_table)
{
    static const char first[] = "\x0f\x01\x09Timestamp\x0d" "DateTime64(9)\0\0\0\0\0\0\0\0\x07TraceId\x06String";
    static const char seconds[] = "\x10\x01\x09Timestamp\x08" "DateTime\0\0\0\0\x07TraceId\x06String";
    static const char map[] = "\x12ResourceAttributes\x13Map(String, String)\0\0\0\0\0\0\0\0\x0eScopeSchemaUrl\x06String";
    struct subject s;
    struct leat_err err = {0};
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_LOGS, "EventName", NULL, &err), &err);
    struct leat_requests out = encoded(&s);
    EXPECT(strstr(out.at[0].url, "FORMAT%20Native&"));
    EXPECT(body_has(&out.at[0], first, sizeof first - 1));
    EXPECT(body_has(&out.at[0], map, sizeof map - 1));
    EXPECT(!body_has(&out.at[0], "EventName", 9));
    leat_requests_done(&out);
    EXPECT_OK_ERR(learn(&s, CLICKHOUSE_LOGS, "Timestamp", "DateTime", &err), &err);
    out = encoded(&s);
    EXPECT(body_has(&out.at[0], seconds, sizeof seconds - 1));
    EXPECT(body_has(&out.at[0], "\x09" "EventName\x06String", 17));
    leat_requests_done(&out);
    clickhouse_close(&s.state);
}

/* Guarantees: which format an INSERT is in, of each setting. */
LEAT_TEST(clickhouse_chooses_a_format)
{
    static const struct {
        int format;
        bool async, native;
    } table[] = {{CLICKHOUSE_AUTO, false, true},    {CLICKHOUSE_AUTO, true, false},       {CLICKHOUSE_NATIVE, false, true},
                 {CLICKHOUSE_NATIVE, true, true},   {CLICKHOUSE_ROW_BINARY, false, false}, {CLICKHOUSE_ROW_BINARY, true, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct subject s;
        subject_defaults(&s);
        s.conf.format = table[i].format;
        s.conf.async_insert = table[i].async;
        EXPECT_OK(subject_open(&s, LEAT_LOGS));
        struct leat_requests out = encoded(&s);
        EXPECT(strstr(out.at[0].url, table[i].native ? "FORMAT%20Native&" : "FORMAT%20RowBinary&"));
        leat_requests_done(&out);
        clickhouse_close(&s.state);
    }
}

/* Scenario:   a server that does not convert columns answers TYPE_MISMATCH to Native, while another INSERT is under way.
 * Guarantees: with `auto` both are encoded anew, as RowBinary and after a look at the table; it refuses that too: dropped
 * as ever. With `native` it is the schema's error at once. All signals: their first column may be a map or not. */
LEAT_TEST(clickhouse_gives_way_to_a_server_that_does_not_convert)
{
    struct subject s;
    uint32_t rows;
    subject_defaults(&s);
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    struct leat_requests first = encoded(&s), second = encoded(&s);
    EXPECT_EQ(judge(&s, &first.at[0], 500, "60", "gone").kind, LEAT_VERDICT_DROP);
    EXPECT_EQ(judge(&s, &first.at[0], 500, "53", "words: while pushing to view otel.v").kind, LEAT_VERDICT_DROP);
    EXPECT_EQ(judge(&s, &first.at[0], 500, "53", "Cannot convert").kind, LEAT_VERDICT_REENCODE);
    EXPECT_EQ(judge(&s, &second.at[0], 500, "53", "Cannot convert").kind, LEAT_VERDICT_REENCODE);
    leat_requests_done(&first);
    leat_requests_done(&second);
    first = encoded(&s);
    EXPECT_EQ(first.at[0].tag, CLICKHOUSE_DESCRIBE | CLICKHOUSE_LOGS);
    EXPECT_EQ(judge_table(&s, &first.at[0], NULL, NULL).kind, LEAT_VERDICT_REENCODE);
    leat_requests_done(&first);
    first = encoded(&s);
    EXPECT(strstr(first.at[0].url, "FORMAT%20RowBinary&"));
    struct leat_strbuf text = rows_text(&first.at[0], &rows);
    EXPECT_EQ(rows, 1);
    EXPECT(strstr(text.at, "Body=x"));
    leat_strbuf_done(&text);
    EXPECT_EQ(judge(&s, &first.at[0], 500, "53", "Cannot convert").kind, LEAT_VERDICT_DROP);
    leat_requests_done(&first);
    clickhouse_close(&s.state);
    s.conf.format = CLICKHOUSE_NATIVE;
    EXPECT_OK(subject_open(&s, LEAT_LOGS));
    first = encoded(&s);
    EXPECT_EQ(judge(&s, &first.at[0], 500, "53", "Cannot convert").kind, LEAT_VERDICT_DROP);
    leat_requests_done(&first);
    clickhouse_close(&s.state);
}

LEAT_TEST_OOM(clickhouse_asks_again_without_memory)
{
    struct subject s;
    struct leat_requests out = {0};
    struct leat_batch batch = {0};
    subject_defaults(&s);
    leat_rc rc = subject_open(&s, LEAT_LOGS);
    s.state.there[CLICKHOUSE_LOGS].unfit = true;
    if (rc == LEAT_OK)
        rc = batch_of(LEAT_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}", &batch);
    if (rc == LEAT_OK)
        rc = clickhouse_encode(&s.state, &batch, &out, NULL);
    leat_chain_done(&batch.payload);
    leat_requests_done(&out);
    clickhouse_close(&s.state);
    return rc;
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

/* Scenario:   the exporter has given way to RowBinary; the table is described, and there is no memory for its INSERT.
 * Guarantees: no row goes into the INSERT of before, which is one of Native: the table is described again first. */
LEAT_TEST_OOM(clickhouse_writes_no_rows_to_the_insert_of_before)
{
    static const struct leat_request native = {.tag = CLICKHOUSE_INSERT | CLICKHOUSE_LOGS | CLICKHOUSE_AS_NATIVE};
    struct subject s;
    struct leat_requests out = {0};
    struct leat_batch batch = {0};
    subject_defaults(&s);
    leat_rc rc = subject_open(&s, LEAT_LOGS);
    if (rc == LEAT_OK)
        rc = batch_of(LEAT_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}", &batch);
    if (rc == LEAT_OK) {
        EXPECT(clickhouse__gives_way(&s.state, &native, ""));
        rc = learn(&s, CLICKHOUSE_LOGS, NULL, NULL, NULL);
        if (clickhouse_encode(&s.state, &batch, &out, NULL) == LEAT_OK)
            EXPECT(out.at[0].tag & CLICKHOUSE_DESCRIBE ? rc != LEAT_OK : strstr(out.at[0].url, "FORMAT%20RowBinary&") != NULL);
    }
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    clickhouse_close(&s.state);
    return rc;
}
