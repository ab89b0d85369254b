/* SPDX-License-Identifier: Apache-2.0 */
/* clickhouse -- logs, traces and metrics as rows of the tables the Collector's exporter makes, over ClickHouse's HTTP port.
 *
 * Why      fields go from the request they came in straight to their column's place in a body of RowBinary or Native: no
 *          row objects. One code writes both: where a column goes is a cursor's matter.
 * Threads  as every exporter: one state per signal and shard.
 * Owns     the texts made at open (addresses, statements); pages of rows only while a batch is encoded.
 * Limits   max_request_size of rows, before compression, ends an INSERT; CLICKHOUSE_SETTINGS_MAX settings in an address.
 * Fails    LEAT_ENOMEM: the batch is encoded again later. Rows of a table that is not as leat writes it are dropped, or the
 *          queue is held, as on_schema_error says.
 * Repeats  an INSERT carries a token made of its rows' bytes: the same rows sent again, also after a restart, have the
 *          same one, and a table that keeps tokens stores them once. */
#pragma once
#include <xxhash.h>

#include "exporters/exporter.h"
#include "proto/otlp/otlp_point.h"
#include "proto/otlp/otlp_text.h"
#include "proto/row_binary/row_binary.h"

#define CLICKHOUSE_SETTINGS_MAX 32u

enum clickhouse_table {
    CLICKHOUSE_LOGS,
    CLICKHOUSE_RAW,
    CLICKHOUSE_TRACES,
    CLICKHOUSE_GAUGE,
    CLICKHOUSE_SUM,
    CLICKHOUSE_HISTOGRAM,
    CLICKHOUSE_EXPONENTIAL_HISTOGRAM,
    CLICKHOUSE_SUMMARY,
    CLICKHOUSE_TABLES
};

enum { CLICKHOUSE_SCHEMA_DROP, CLICKHOUSE_SCHEMA_HOLD };
enum { CLICKHOUSE_AUTO, CLICKHOUSE_NATIVE, CLICKHOUSE_ROW_BINARY };

struct clickhouse_metric_conf {
    const char *name;
};
struct clickhouse_conf {
    const char *database, *username, *password;
    struct leat_map connection_params;
    const char *logs_table_name, *raw_table_name, *traces_table_name;
    struct {
        struct clickhouse_metric_conf gauge, sum, summary, histogram, exponential_histogram;
    } metrics_tables;
    bool create_schema, async_insert, raw_events;
    const char *cluster_name;
    struct {
        const char *name, *params;
    } table_engine;
    int64_t ttl_ns, deduplication_window, request_bytes_max;
    int compress, logs_layout, on_schema_error, format;
};

/* Where to and as whom: an address of the Collector's, taken apart. Texts are its own. */
struct clickhouse_target {
    struct leat_strbuf url;      /* "http://host:8123/?" */
    struct leat_strbuf settings; /* "&name=value", encoded */
    char *user, *password, *database;
    enum leat_coding coding;
    bool async_insert;
    bool native_port; /* 9000 or 9440 was written: the HTTP port beside it is taken */
};
leat_rc clickhouse__target_open(const struct clickhouse_conf *conf, const struct leat_http_client_conf *http,
                                struct clickhouse_target *ret_target, struct leat_err *reterr) LEAT_MUST_CHECK;
void clickhouse__target_done(struct clickhouse_target *target);
/* Behind `out`, percent-encoded. */
void clickhouse__url_encode(struct leat_strbuf *out, const char *text);

/* ---- tables ---- */

enum clickhouse_column_flag {
    CLICKHOUSE_MADE = 1,     /* the server makes it: in CREATE only */
    CLICKHOUSE_OPTIONAL = 2, /* written when the table has it */
    CLICKHOUSE_OLD = 4,      /* logs: in the layout up to 0.150 only */
    CLICKHOUSE_NEW = 8,      /* logs: in the layout from 0.151 only */
};
struct clickhouse_column {
    const char *name, *type, *more;
    uint8_t flags;
};
struct clickhouse_schema {
    const struct clickhouse_column *columns; /* in the order rows are written; ended by a row without name */
    const char *const *indexes;              /* NULL-ended */
    const char *tail;                        /* PARTITION BY, ORDER BY */
    const char *ttl;                         /* what the time to live counts from */
};
/* The logs' differ by layout. */
const struct clickhouse_schema *clickhouse__schema(enum clickhouse_table table, int layout);

/* What is known of a table there; before it was asked for: as leat makes it. */
struct clickhouse_there {
    char *url;                                  /* of an INSERT, without its token */
    uint64_t missing;                           /* optional columns that it lacks, by index */
    bool start_seconds, seconds, inner_seconds; /* its times are DateTime: StartTimeUnix, the row's, those of arrays */
    bool unfit; /* not there, or its columns are not as leat writes them: described again before rows are written */
};

/* Rows on their way into one INSERT. RowBinary: one stream, all columns of a row after each other. Native: one for each
 * column; an array has one for its lengths and those of its items, a map for lengths, keys and values. */
struct clickhouse_rows {
    struct row_binary *streams;
    uint32_t stream_count;
    uint32_t runs[2];            /* Native: rows whose shared columns, of either part, are not written yet */
    uint64_t room_left;          /* Native: so many bytes fit before streams must be measured */
    uint32_t first, next, count; /* items it covers: `count` of [first, next) */
    uint8_t *bitmap;             /* NULL while they are neighbours */
};

/* Where the next column goes. */
struct clickhouse_cursor {
    struct row_binary *at;
    uint32_t step; /* 0: RowBinary, 1: Native */
};
static inline struct row_binary *clickhouse__next(struct clickhouse_cursor *to)
{
    struct row_binary *at = to->at;
    if (to->step)
        row_binary_row(at);
    to->at += to->step;
    return at;
}

/* How many items of an array or pairs of a map follow, in the next columns. */
static inline void clickhouse__count(struct clickhouse_cursor *to, uint64_t n)
{
    struct row_binary *at = clickhouse__next(to);
    at->offsets = to->step;
    row_binary_count(at, n);
}

#define CLICKHOUSE_SHARED_MAX 20u

struct clickhouse_state {
    const struct clickhouse_conf *conf;
    const char *id;
    enum leat_signal signal;
    bool native; /* else RowBinary */
    enum leat_coding coding;
    int level;
    struct clickhouse_target target;
    char *statement_url; /* of what is no INSERT */
    struct clickhouse_there there[CLICKHOUSE_TABLES];
    XXH3_state_t *hash;
    /* Of the batch being encoded. */
    struct clickhouse_rows open[CLICKHOUSE_TABLES];
    struct row_binary shared[CLICKHOUSE_SHARED_MAX]; /* what the rows of a resource and scope (metrics: of a metric) have in common */
    uint32_t shared_middle, shared_end; /* bytes, or streams: of its first part (logs: before the body; metrics: before the name), of all */
    uint32_t shared_to[2];        /* Native: stream of a row minus stream of these, for the parts */
    uint64_t shared_bytes[2];     /* Native: of the parts */
    struct row_binary attributes[3]; /* a map that may come again */
    struct leat_strbuf attributes_raw; /* the bytes it was made of */
    struct leat_strbuf text;      /* scratch */
    struct clickhouse_raw_shared {
        struct leat_slice source, namespace, pod, container;
    } raw;                        /* raw events: of the current resource, borrowed from the walk */
};

/* Requests carry this: the table, and what is asked of it. A description that covers items stands for their INSERT. */
enum { CLICKHOUSE_INSERT = 0, CLICKHOUSE_CREATE = 1u << 8, CLICKHOUSE_DESCRIBE = 1u << 9, CLICKHOUSE_AS_NATIVE = 1u << 10 };
#define CLICKHOUSE_TABLE_OF(tag) ((enum clickhouse_table)((tag) & 0xff))

const char *clickhouse__table_name(const struct clickhouse_conf *conf, enum clickhouse_table table);
/* The tables rows of the signal go to, as bits. */
uint32_t clickhouse__tables_of(const struct clickhouse_conf *conf, enum leat_signal signal);
/* (Re)makes there[table].url. */
leat_rc clickhouse__insert_url(struct clickhouse_state *clickhouse, enum clickhouse_table table) LEAT_MUST_CHECK;
/* Makes a request DESCRIBE TABLE. */
leat_rc clickhouse__describe(const struct clickhouse_state *clickhouse, enum clickhouse_table table,
                             struct leat_request *request) LEAT_MUST_CHECK;
/* An answer to it; reterr says what is not as leat writes it. */
leat_rc clickhouse__learn(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_slice answer,
                          struct leat_err *reterr) LEAT_MUST_CHECK;

/* ---- rows ---- */

/* The first column of a new row of a table. */
static inline struct clickhouse_cursor clickhouse__row(struct clickhouse_state *clickhouse, enum clickhouse_table table)
{
    struct row_binary *streams = clickhouse->open[table].streams;
    if (!clickhouse->native)
        row_binary_row(streams);
    return (struct clickhouse_cursor){streams, clickhouse->native};
}

/* Columns that rows share, in two parts: begin them all, end the first part, begin the second anew, end; then a part goes
 * into each row: as bytes, or (Native) it is noted, and written once for all rows of a run. */
struct clickhouse_cursor clickhouse__shared_begin(struct clickhouse_state *clickhouse);
struct clickhouse_cursor clickhouse__shared_second(struct clickhouse_state *clickhouse);
void clickhouse__shared_middle(struct clickhouse_state *clickhouse, const struct clickhouse_cursor *at);
void clickhouse__shared_end(struct clickhouse_state *clickhouse, const struct clickhouse_cursor *at);
static inline void clickhouse__put_shared(struct clickhouse_state *clickhouse, enum clickhouse_table table,
                                          struct clickhouse_cursor *to, int part)
{
    uint32_t from = part ? clickhouse->shared_middle : 0, end = part ? clickhouse->shared_end : clickhouse->shared_middle;
    if (!to->step) {
        row_binary_raw(to->at, clickhouse->shared[0].from + from, end - from);
        return;
    }
    struct clickhouse_rows *open = &clickhouse->open[table];
    clickhouse->shared_to[part] = (uint32_t)(to->at - open->streams) - from;
    open->runs[part]++;
    to->at += end - from;
}

/* The server does not take this INSERT of Native: with format `auto` all is RowBinary from now on, and each table is
 * described before. False: it was not Native, or shall stay it. */
bool clickhouse__gives_way(struct clickhouse_state *clickhouse, const struct leat_request *request, const char *answer);

leat_rc clickhouse__rows_open(struct clickhouse_state *clickhouse, enum clickhouse_table table) LEAT_MUST_CHECK;
/* All rows of a table as the body of an INSERT; they are gone from here also on failure. */
leat_rc clickhouse__rows_take(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_chain *out) LEAT_MUST_CHECK;
void clickhouse__rows_clear(struct clickhouse_rows *open);

/* A map of all attributes that are field `number` of `fields`. */
void clickhouse__map(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice fields,
                     uint32_t number);
/* The same for what is often the map of the row before. */
void clickhouse__map_again(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, struct leat_slice fields,
                           uint32_t number);
void clickhouse__value(struct clickhouse_state *clickhouse, struct row_binary *rows, const struct otlp_value *value);
/* resource[key] as a String; "" when it is not there. */
void clickhouse__resource_text(struct clickhouse_state *clickhouse, struct row_binary *rows, struct leat_slice resource,
                               const char *key);
/* The row's item is number `item` of the batch. False: out of memory. */
bool clickhouse__covers(struct clickhouse_rows *open, uint32_t item, const struct leat_batch *batch);
/* Makes a request of the open rows of a table, if there are any. */
leat_rc clickhouse__request(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_requests *out) LEAT_MUST_CHECK;
/* Of a row, at most: its own columns; and an exemplar of nothing, two bytes of an item, is 26 in columns. */
#define CLICKHOUSE_ROW_BYTES_MAX(item_bytes) (512 + 13ull * (item_bytes))

/* Are the rows max_request_size, after one of an item of so many bytes? Streams are measured only when they may be. */
bool clickhouse__measure(const struct clickhouse_state *clickhouse, struct clickhouse_rows *open);
static inline bool clickhouse__is_full(const struct clickhouse_state *clickhouse, struct clickhouse_rows *open,
                                       uint32_t item_bytes)
{
    if (!clickhouse->native)
        return row_binary_bytes(open->streams) >= (uint64_t)clickhouse->conf->request_bytes_max;
    uint64_t most = CLICKHOUSE_ROW_BYTES_MAX(item_bytes) + clickhouse->shared_bytes[0] + clickhouse->shared_bytes[1];
    if (open->room_left > most) {
        open->room_left -= most;
        return false;
    }
    return clickhouse__measure(clickhouse, open);
}

/* What an item's rows share; then the item as a row. False: malformed. */
void clickhouse__logs_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk);
bool clickhouse__logs_row(struct clickhouse_state *clickhouse, struct leat_slice record);
void clickhouse__raw_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk);
bool clickhouse__raw_row(struct clickhouse_state *clickhouse, struct leat_slice record);
void clickhouse__traces_shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk);
bool clickhouse__traces_row(struct clickhouse_state *clickhouse, struct leat_slice span);
/* All points of a metric; *io_item counts them. */
leat_rc clickhouse__metric_rows(struct clickhouse_state *clickhouse, const struct otlp_walk *walk,
                                const struct leat_batch *batch, uint32_t *io_item, struct leat_requests *out) LEAT_MUST_CHECK;

extern const struct leat_field clickhouse_fields[];
extern const struct leat_default clickhouse_defaults[];
leat_rc clickhouse_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc clickhouse_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                        struct leat_world *world, struct leat_err *reterr);
leat_rc clickhouse_prepare(void *state, struct leat_requests *out, struct leat_err *reterr);
leat_rc clickhouse_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc clickhouse_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void clickhouse_close(void *state);
