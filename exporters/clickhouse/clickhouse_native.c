/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as columns: a block of Native is written column by column, so each has a stream of its own until the INSERT is full.
 * What rows share is written once for all rows of a run. */
#include "agent/base/alloc.h"
#include "agent/base/log.h"
#include "exporters/clickhouse/clickhouse.h"

/* ---- streams of a type ---- */

static uint32_t streams_of(const char *type)
{
    if (strncmp(type, "Array(", 6) == 0)
        return 1 + streams_of(type + 6);
    return strncmp(type, "Map(", 4) == 0 ? 3 : 1;
}

leat_rc clickhouse__rows_open(struct clickhouse_state *clickhouse, enum clickhouse_table table)
{
    const struct clickhouse_column *columns = clickhouse__schema(table, clickhouse->conf->logs_layout)->columns;
    struct clickhouse_rows *open = &clickhouse->open[table];
    uint32_t count = 0;
    for (const struct clickhouse_column *column = columns; column->name; column++)
        count += column->flags & CLICKHOUSE_MADE ? 0 : streams_of(column->type);
    open->stream_count = clickhouse->native ? count : 1;
    open->streams = leat_zalloc(open->stream_count, sizeof *open->streams);
    if (!open->streams)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < open->stream_count; i++)
        open->streams[i].column = clickhouse->native;
    return LEAT_OK;
}

bool clickhouse__gives_way(struct clickhouse_state *clickhouse, const struct leat_request *request, const char *answer)
{
    if (!(request->tag & CLICKHOUSE_AS_NATIVE) || clickhouse->conf->format != CLICKHOUSE_AUTO)
        return false;
    if (!clickhouse->native)
        return true; /* it was under way when another was told the same */
    clickhouse->native = false;
    clickhouse->shared->offsets = clickhouse->attributes->offsets = false;
    for (int table = 0; table < CLICKHOUSE_TABLES; table++) {
        clickhouse->there[table].unfit = true; /* the answer to its description makes the INSERT anew */
        if (clickhouse->open[table].streams)
            clickhouse->open[table].streams->column = clickhouse->open[table].streams->offsets = false;
    }
    leat_log(LEAT_LOG_WARN, clickhouse->id, "Native was refused, as by servers that do not convert its columns: RowBinary from now on (%s)", answer);
    return true;
}

void clickhouse__rows_clear(struct clickhouse_rows *open)
{
    for (uint32_t i = 0; i < open->stream_count; i++)
        row_binary_clear(&open->streams[i]);
    leat_free(open->bitmap);
    *open = (struct clickhouse_rows){.streams = open->streams, .stream_count = open->stream_count};
}

bool clickhouse__measure(const struct clickhouse_state *clickhouse, struct clickhouse_rows *open)
{
    uint64_t max = (uint64_t)clickhouse->conf->request_bytes_max, bytes = 0;
    for (int part = 0; part < 2; part++)
        bytes += open->runs[part] * clickhouse->shared_bytes[part];
    for (uint32_t i = 0; i < open->stream_count; i++)
        bytes += row_binary_bytes(&open->streams[i]);
    open->room_left = bytes < max ? max - bytes : 0;
    return bytes >= max;
}

/* ---- what rows share ---- */

static void write_run(struct clickhouse_state *clickhouse, struct clickhouse_rows *open, int part)
{
    uint32_t end = part ? clickhouse->shared_end : clickhouse->shared_middle;
    for (uint32_t i = part ? clickhouse->shared_middle : 0; open->runs[part] && i < end; i++)
        row_binary_repeat(&open->streams[i + clickhouse->shared_to[part]], &clickhouse->shared[i], open->runs[part]);
    open->runs[part] = 0;
}

/* Before a part of what is shared becomes another. */
static void write_runs(struct clickhouse_state *clickhouse, int part)
{
    for (int table = 0; table < CLICKHOUSE_TABLES; table++)
        write_run(clickhouse, &clickhouse->open[table], part);
}

struct clickhouse_cursor clickhouse__shared_begin(struct clickhouse_state *clickhouse)
{
    write_runs(clickhouse, 0);
    write_runs(clickhouse, 1);
    for (uint32_t i = 0; i < CLICKHOUSE_SHARED_MAX; i++)
        row_binary_clear(&clickhouse->shared[i]);
    return (struct clickhouse_cursor){clickhouse->shared, clickhouse->native};
}

struct clickhouse_cursor clickhouse__shared_second(struct clickhouse_state *clickhouse)
{
    bool native = clickhouse->native;
    write_runs(clickhouse, 1);
    for (uint32_t i = clickhouse->shared_middle; native && i < clickhouse->shared_end; i++)
        row_binary_clear(&clickhouse->shared[i]);
    if (!native)
        clickhouse->shared->at = clickhouse->shared->from + clickhouse->shared_middle;
    return (struct clickhouse_cursor){clickhouse->shared + (native ? clickhouse->shared_middle : 0), native};
}

static uint32_t place(const struct clickhouse_state *clickhouse, const struct clickhouse_cursor *at)
{
    return at->step ? (uint32_t)(at->at - clickhouse->shared) : row_binary_open_bytes(clickhouse->shared).len;
}

void clickhouse__shared_middle(struct clickhouse_state *clickhouse, const struct clickhouse_cursor *at)
{
    clickhouse->shared_middle = place(clickhouse, at);
}

void clickhouse__shared_end(struct clickhouse_state *clickhouse, const struct clickhouse_cursor *at)
{
    clickhouse->shared_end = place(clickhouse, at);
    clickhouse->shared_bytes[0] = clickhouse->shared_bytes[1] = 0;
    for (uint32_t i = 0; at->step && i < clickhouse->shared_end; i++) {
        const struct row_binary *shared = &clickhouse->shared[i];
        clickhouse->shared_bytes[i >= clickhouse->shared_middle] += (uint64_t)(shared->at - shared->from);
        clickhouse->shared->failed |= shared->failed; /* the first one's tells of all */
    }
}

/* ---- a block ---- */

/* The type as its bytes are: texts without LowCardinality, which the server makes of them. */
static void put_type(struct leat_strbuf *out, const char *type, bool seconds)
{
    static const char low[] = "LowCardinality(String)";
    for (const char *at; (at = strstr(type, low)) != NULL; type = at + sizeof low - 1) {
        leat_strbuf_put(out, type, (size_t)(at - type));
        leat_strbuf_puts(out, "String");
    }
    if (seconds && strstr(type, "DateTime64(9)"))
        leat_strbuf_puts(out, *type == 'A' ? "Array(DateTime)" : "DateTime");
    else
        leat_strbuf_puts(out, type);
}

static leat_rc put_column(const struct clickhouse_there *there, const struct clickhouse_column *column,
                          struct leat_strbuf *scratch, struct leat_chain *out)
{
    struct leat_strbuf type = {0};
    bool seconds = strcmp(column->name, "StartTimeUnix") == 0 ? there->start_seconds
                   : strchr(column->name, '.')                ? there->inner_seconds
                                                              : there->seconds;
    put_type(&type, column->type, seconds);
    leat_strbuf_putc(scratch, (char)strlen(column->name));
    leat_strbuf_puts(scratch, column->name);
    leat_strbuf_putc(scratch, (char)type.len);
    leat_strbuf_put(scratch, type.at, type.len);
    leat_rc rc = type.failed || scratch->failed ? LEAT_ENOMEM : leat_chain_copy(out, scratch->at, (uint32_t)scratch->len);
    leat_strbuf_done(&type);
    leat_strbuf_clear(scratch);
    return rc;
}

static void put_varint(struct leat_strbuf *out, uint64_t n)
{
    uint8_t bytes[10];
    leat_strbuf_put(out, bytes, (size_t)(pb_put_varint(bytes, n) - bytes));
}

static leat_rc take_block(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_chain *out)
{
    const struct clickhouse_column *columns = clickhouse__schema(table, clickhouse->conf->logs_layout)->columns;
    const struct clickhouse_there *there = &clickhouse->there[table];
    struct clickhouse_rows *open = &clickhouse->open[table];
    struct leat_strbuf head = {0};
    struct row_binary *stream = open->streams;
    uint32_t written = 0;
    leat_rc rc = LEAT_OK;
    for (unsigned i = 0; columns[i].name; i++)
        written += !(columns[i].flags & CLICKHOUSE_MADE) && !(there->missing >> i & 1);
    put_varint(&head, written);
    put_varint(&head, open->count);
    for (unsigned i = 0; rc == LEAT_OK && columns[i].name; i++) {
        if (columns[i].flags & CLICKHOUSE_MADE)
            continue;
        uint32_t streams = streams_of(columns[i].type);
        if (!(there->missing >> i & 1)) {
            rc = put_column(there, &columns[i], &head, out);
            for (uint32_t k = 0; rc == LEAT_OK && k < streams; k++)
                rc = row_binary_take(&stream[k], out);
        }
        stream += streams;
    }
    leat_strbuf_done(&head);
    return rc;
}

leat_rc clickhouse__rows_take(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_chain *out)
{
    if (!clickhouse->native)
        return row_binary_take(clickhouse->open[table].streams, out);
    write_run(clickhouse, &clickhouse->open[table], 0);
    write_run(clickhouse, &clickhouse->open[table], 1);
    return take_block(clickhouse, table, out);
}
