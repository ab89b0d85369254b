/* SPDX-License-Identifier: Apache-2.0 */
/* Before the first batch: database and tables are made where they are missing, then each table is described, so that rows
 * are written as it has its columns. And the INSERT that follows from that. */
#include <inttypes.h>

#include "agent/base/alloc.h"
#include "exporters/clickhouse/clickhouse.h"

#define TYPE_BYTES_MAX 160u
#define DESCRIPTION_BYTES_MAX 2097152u /* of a table of thousands of columns; one beyond it holds the queue */

/* ---- SQL ---- */

static void put_name(struct leat_strbuf *out, const char *name)
{
    leat_strbuf_putc(out, '`');
    for (; *name; name++) {
        if (*name == '`' || *name == '\\')
            leat_strbuf_putc(out, '\\');
        leat_strbuf_putc(out, *name);
    }
    leat_strbuf_putc(out, '`');
}

/* `database`.`table` and what is added to the table's name. */
static void put_table(const struct clickhouse_state *clickhouse, struct leat_strbuf *out, const char *table,
                      const char *more)
{
    struct leat_strbuf name = {0};
    leat_strbuf_puts(&name, table);
    leat_strbuf_puts(&name, more);
    put_name(out, clickhouse->target.database);
    leat_strbuf_putc(out, '.');
    put_name(out, name.failed ? "" : name.at);
    out->failed |= name.failed;
    leat_strbuf_done(&name);
}

/* A name in quotes ('{cluster}') stays as it is. */
static void put_cluster(const struct clickhouse_state *clickhouse, struct leat_strbuf *out)
{
    const char *name = clickhouse->conf->cluster_name;
    if (!name || !*name)
        return;
    leat_strbuf_puts(out, " ON CLUSTER ");
    if (strchr("'`\"", *name))
        leat_strbuf_puts(out, name);
    else
        put_name(out, name);
}

static void put_ttl(const struct clickhouse_state *clickhouse, struct leat_strbuf *out, const char *from)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "Day"}, {3600, "Hour"}, {60, "Minute"}, {1, "Second"}};
    int64_t seconds = clickhouse->conf->ttl_ns / 1000000000;
    if (!seconds)
        return;
    unsigned unit = 0;
    while (seconds % units[unit].seconds)
        unit++;
    leat_strbuf_printf(out, "\nTTL %s + toInterval%s(%" PRId64 ")", from, units[unit].name, seconds / units[unit].seconds);
}

static bool keeps_tokens(const char *engine)
{
    return strncmp(engine, "Replicated", 10) != 0 && strncmp(engine, "Shared", 6) != 0;
}

static void put_engine(const struct clickhouse_state *clickhouse, struct leat_strbuf *out, const char *tail,
                       const char *ttl)
{
    const struct clickhouse_conf *conf = clickhouse->conf;
    const char *engine = conf->table_engine.name;
    leat_strbuf_printf(out, "\n) ENGINE = %s(%s)\n%s", engine, conf->table_engine.params ? conf->table_engine.params : "",
                       tail);
    put_ttl(clickhouse, out, ttl);
    leat_strbuf_puts(out, "\nSETTINGS index_granularity = 8192, ttl_only_drop_parts = 1");
    if (conf->deduplication_window && keeps_tokens(engine))
        leat_strbuf_printf(out, ", non_replicated_deduplication_window = %" PRId64, conf->deduplication_window);
}

static void create_table(const struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_strbuf *out)
{
    const struct clickhouse_schema *schema = clickhouse__schema(table, clickhouse->conf->logs_layout);
    uint8_t other = clickhouse->conf->logs_layout ? CLICKHOUSE_NEW : CLICKHOUSE_OLD;
    leat_strbuf_puts(out, "CREATE TABLE IF NOT EXISTS ");
    put_table(clickhouse, out, clickhouse__table_name(clickhouse->conf, table), "");
    put_cluster(clickhouse, out);
    leat_strbuf_puts(out, " (\n");
    for (const struct clickhouse_column *column = schema->columns; column->name; column++) {
        if (column->flags & other)
            continue;
        leat_strbuf_puts(out, "    ");
        put_name(out, column->name);
        leat_strbuf_printf(out, " %s %s,\n", column->type, column->more);
    }
    for (const char *const *index = schema->indexes; *index; index++)
        leat_strbuf_printf(out, "    INDEX %s%s", *index, index[1] ? ",\n" : "");
    put_engine(clickhouse, out, schema->tail, schema->ttl);
}

static void create_database(const struct clickhouse_state *clickhouse, struct leat_strbuf *out)
{
    leat_strbuf_puts(out, "CREATE DATABASE IF NOT EXISTS ");
    put_name(out, clickhouse->target.database);
    put_cluster(clickhouse, out);
}

/* From when to when a trace goes, for those who look for it by id. */
static void create_trace_times(const struct clickhouse_state *clickhouse, struct leat_strbuf *out)
{
    leat_strbuf_puts(out, "CREATE TABLE IF NOT EXISTS ");
    put_table(clickhouse, out, clickhouse->conf->traces_table_name, "_trace_id_ts");
    put_cluster(clickhouse, out);
    leat_strbuf_puts(out, " (\n    TraceId String CODEC(ZSTD(1)),\n    Start DateTime CODEC(Delta, ZSTD(1)),\n"
                          "    End DateTime CODEC(Delta, ZSTD(1)),\n"
                          "    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1");
    put_engine(clickhouse, out, "PARTITION BY toDate(Start) ORDER BY (TraceId, Start)", "toDateTime(Start)");
}

static void create_trace_times_view(const struct clickhouse_state *clickhouse, struct leat_strbuf *out)
{
    const char *traces = clickhouse->conf->traces_table_name;
    leat_strbuf_puts(out, "CREATE MATERIALIZED VIEW IF NOT EXISTS ");
    put_table(clickhouse, out, traces, "_trace_id_ts_mv");
    put_cluster(clickhouse, out);
    leat_strbuf_puts(out, " TO ");
    put_table(clickhouse, out, traces, "_trace_id_ts");
    leat_strbuf_puts(out, " AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM ");
    put_table(clickhouse, out, traces, "");
    leat_strbuf_puts(out, " WHERE TraceId != '' GROUP BY TraceId");
}

/* ---- the requests ---- */

/* What `sql` holds as a request; empties it. */
static leat_rc put_statement(const struct clickhouse_state *clickhouse, struct leat_strbuf *sql, uint32_t tag,
                             struct leat_request *request)
{
    const struct clickhouse_target *target = &clickhouse->target;
    leat_rc rc = sql->failed ? LEAT_ENOMEM : leat_chain_copy(&request->body, sql->at, (uint32_t)sql->len);
    if (rc == LEAT_OK && target->user)
        rc = leat_request_header(request, LEAT_SLICE("X-ClickHouse-User"), leat_slice_str(target->user));
    if (rc == LEAT_OK && target->password)
        rc = leat_request_header(request, LEAT_SLICE("X-ClickHouse-Key"), leat_slice_str(target->password));
    request->url = clickhouse->statement_url;
    request->precoded = true;
    request->tag = tag;
    leat_strbuf_clear(sql);
    return rc;
}

static leat_rc ask(const struct clickhouse_state *clickhouse, struct leat_strbuf *sql, uint32_t tag,
                   struct leat_requests *out)
{
    struct leat_request *request = leat_requests_add(out);
    return request ? put_statement(clickhouse, sql, tag, request) : LEAT_ENOMEM;
}

leat_rc clickhouse__describe(const struct clickhouse_state *clickhouse, enum clickhouse_table table,
                             struct leat_request *request)
{
    struct leat_strbuf sql = {0};
    leat_strbuf_puts(&sql, "DESCRIBE TABLE ");
    put_table(clickhouse, &sql, clickhouse__table_name(clickhouse->conf, table), "");
    leat_strbuf_puts(&sql, " FORMAT TabSeparated");
    leat_rc rc = put_statement(clickhouse, &sql, CLICKHOUSE_DESCRIBE | (uint32_t)table, request);
    request->reply_bytes_max = DESCRIPTION_BYTES_MAX;
    leat_strbuf_done(&sql);
    return rc;
}

static leat_rc ask_for_schema(const struct clickhouse_state *clickhouse, uint32_t tables, struct leat_strbuf *sql,
                              struct leat_requests *out)
{
    leat_rc rc = LEAT_OK;
    if (strcmp(clickhouse->target.database, "default") != 0) {
        create_database(clickhouse, sql);
        rc = ask(clickhouse, sql, CLICKHOUSE_CREATE, out);
    }
    for (uint32_t table = 0; rc == LEAT_OK && table < CLICKHOUSE_TABLES; table++)
        if (tables >> table & 1) {
            create_table(clickhouse, (enum clickhouse_table)table, sql);
            rc = ask(clickhouse, sql, CLICKHOUSE_CREATE | table, out);
        }
    if (rc == LEAT_OK && tables >> CLICKHOUSE_TRACES & 1) {
        create_trace_times(clickhouse, sql);
        rc = ask(clickhouse, sql, CLICKHOUSE_CREATE | CLICKHOUSE_TRACES, out);
    }
    if (rc == LEAT_OK && tables >> CLICKHOUSE_TRACES & 1) {
        create_trace_times_view(clickhouse, sql);
        rc = ask(clickhouse, sql, CLICKHOUSE_CREATE | CLICKHOUSE_TRACES, out);
    }
    return rc;
}

leat_rc clickhouse_prepare(void *state, struct leat_requests *out, struct leat_err *reterr)
{
    struct clickhouse_state *clickhouse = state;
    uint32_t tables = clickhouse__tables_of(clickhouse->conf, clickhouse->signal);
    struct leat_strbuf sql = {0};
    leat_rc rc = clickhouse->conf->create_schema ? ask_for_schema(clickhouse, tables, &sql, out) : LEAT_OK;
    for (uint32_t table = 0; rc == LEAT_OK && table < CLICKHOUSE_TABLES; table++)
        if (tables >> table & 1) {
            struct leat_request *request = leat_requests_add(out);
            rc = request ? clickhouse__describe(clickhouse, (enum clickhouse_table)table, request) : LEAT_ENOMEM;
        }
    leat_strbuf_done(&sql);
    return rc == LEAT_OK ? LEAT_OK : LEAT_RAISE(reterr, rc, 0, "no memory to prepare the tables");
}

leat_rc clickhouse__insert_url(struct clickhouse_state *clickhouse, enum clickhouse_table table)
{
    const struct clickhouse_schema *schema = clickhouse__schema(table, clickhouse->conf->logs_layout);
    struct clickhouse_there *there = &clickhouse->there[table];
    struct leat_strbuf sql = {0}, url = {0};
    const char *comma = "";
    leat_strbuf_puts(&sql, "INSERT INTO ");
    put_table(clickhouse, &sql, clickhouse__table_name(clickhouse->conf, table), "");
    leat_strbuf_puts(&sql, " (");
    for (unsigned i = 0; schema->columns[i].name; i++) {
        if (schema->columns[i].flags & CLICKHOUSE_MADE || there->missing >> i & 1)
            continue;
        leat_strbuf_puts(&sql, comma);
        put_name(&sql, schema->columns[i].name);
        comma = ",";
    }
    leat_strbuf_puts(&sql, clickhouse->native ? ") FORMAT Native" : ") FORMAT RowBinary");
    leat_strbuf_put(&url, clickhouse->target.url.at, clickhouse->target.url.len);
    leat_strbuf_puts(&url, "query=");
    clickhouse__url_encode(&url, sql.failed ? "" : sql.at);
    leat_strbuf_put(&url, clickhouse->target.settings.at, clickhouse->target.settings.len);
    leat_strbuf_puts(&url, clickhouse->target.async_insert
                               ? "&async_insert=1&wait_for_async_insert=1&async_insert_deduplicate=1"
                               : "&async_insert=0");
    leat_strbuf_puts(&url, "&wait_end_of_query=1&insert_deduplication_token=");
    bool failed = sql.failed || url.failed;
    leat_strbuf_done(&sql);
    char *text = failed ? NULL : leat_strbuf_steal(&url);
    leat_strbuf_done(&url);
    if (!text)
        return LEAT_ENOMEM;
    leat_free(there->url);
    there->url = text;
    return LEAT_OK;
}

/* ---- what is there ---- */

static bool skip_word(const char **at, const char *end, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

/* A type without LowCardinality, time zones and blanks: what its values look like in RowBinary. */
static void plain_type(const char *at, const char *end, char to[TYPE_BYTES_MAX])
{
    size_t len = 0;
    unsigned depth = 0, wrapped = 0; /* depths that LowCardinality opened, as bits */
    while (at < end && len < TYPE_BYTES_MAX - 1) {
        if (skip_word(&at, end, "LowCardinality(")) {
            wrapped |= 1u << (depth++ & 31);
        } else if (*at == ' ') {
            at++;
        } else if (*at == '(' && end - at > 1 && (at[1] == '\'' || at[1] == '\\')) { /* DateTime('UTC') */
            while (at < end && *at++ != ')')
                ;
        } else if (*at == ',' && end - at > 2 && (at[2] == '\'' || at[2] == '\\')) { /* DateTime64(9, 'UTC') */
            while (at < end && *at != ')')
                at++;
        } else {
            depth += *at == '(';
            bool end_of_wrap = *at == ')' && depth && wrapped >> ((depth - 1) & 31) & 1;
            if (*at == ')' && depth)
                wrapped &= ~(1u << (--depth & 31));
            if (!end_of_wrap)
                to[len++] = *at;
            at++;
        }
    }
    to[len] = 0;
}

/* The type of a column in an answer: "name\ttype\t..." a line. False: it is not there. */
static bool find_column(struct leat_slice answer, const char *name, char to[TYPE_BYTES_MAX])
{
    const char *at = (const char *)answer.at, *end = at + answer.len;
    size_t name_len = strlen(name);
    while (answer.len && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        if ((size_t)(stop - at) > name_len && memcmp(at, name, name_len) == 0 && at[name_len] == '\t') {
            const char *type = at + name_len + 1, *tab = memchr(type, '\t', (size_t)(stop - type));
            plain_type(type, tab ? tab : stop, to);
            return true;
        }
        at = stop + 1;
    }
    return false;
}

/* The answer of something that is no ClickHouse has no line of a name and a type; one that was cut off has half of one. */
static bool is_description(struct leat_slice answer)
{
    bool whole = answer.len && answer.at[answer.len - 1] == '\n';
    const uint8_t *stop = whole ? memchr(answer.at, '\n', answer.len) : NULL;
    const uint8_t *tab = stop ? memchr(answer.at, '\t', (size_t)(stop - answer.at)) : NULL;
    return tab && tab > answer.at;
}

static void note_seconds(struct clickhouse_there *there, const char *column)
{
    if (strcmp(column, "StartTimeUnix") == 0)
        there->start_seconds = true;
    else if (strchr(column, '.'))
        there->inner_seconds = true;
    else
        there->seconds = true;
}

/* Are values of our type read well as theirs? Times have two forms, of which the right one is then written. */
static bool type_fits(const struct clickhouse_column *column, const char *theirs, struct clickhouse_there *there)
{
    char ours[TYPE_BYTES_MAX];
    plain_type(column->type, column->type + strlen(column->type), ours);
    if (strcmp(ours, theirs) == 0 || (strcmp(ours, "UInt64") == 0 && strcmp(theirs, "Int64") == 0))
        return true;
    bool seconds = (strcmp(ours, "DateTime64(9)") == 0 && strcmp(theirs, "DateTime") == 0) ||
                   (strcmp(ours, "Array(DateTime64(9))") == 0 && strcmp(theirs, "Array(DateTime)") == 0);
    if (seconds)
        note_seconds(there, column->name);
    return seconds;
}

leat_rc clickhouse__learn(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_slice answer,
                          struct leat_err *reterr)
{
    const struct clickhouse_column *columns = clickhouse__schema(table, clickhouse->conf->logs_layout)->columns;
    const char *name = clickhouse__table_name(clickhouse->conf, table);
    struct clickhouse_there *there = &clickhouse->there[table], found = {.url = there->url};
    char type[TYPE_BYTES_MAX];
    if (!is_description(answer))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "what was answered describes no table %s", name);
    for (unsigned i = 0; columns[i].name; i++) {
        if (columns[i].flags & CLICKHOUSE_MADE)
            continue;
        if (!find_column(answer, columns[i].name, type)) {
            if (!(columns[i].flags & CLICKHOUSE_OPTIONAL))
                return LEAT_RAISE(reterr, LEAT_EREFUSED, 0, "table %s has no column %s (%s)", name, columns[i].name,
                                  columns[i].type);
            found.missing |= 1ull << i;
        } else if (!type_fits(&columns[i], type, &found)) {
            return LEAT_RAISE(reterr, LEAT_EREFUSED, 0, "column %s of table %s is %s, leat writes %s", columns[i].name,
                              name, type, columns[i].type);
        }
    }
    *there = found;
    leat_rc rc = clickhouse__insert_url(clickhouse, table);
    there->unfit = rc != LEAT_OK; /* the INSERT of before is one of other columns, or of Native */
    return rc == LEAT_OK ? LEAT_OK : LEAT_RAISE(reterr, rc, 0, "no memory for a statement");
}
