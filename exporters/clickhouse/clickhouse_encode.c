/* SPDX-License-Identifier: Apache-2.0 */
/* Batch to INSERTs: one a table, and a further one whenever max_request_size of rows is reached. Rows are compressed
 * here, as soon as an INSERT is full: a small batch under a large resource may make many times its size of them. */
#include "agent/base/alloc.h"
#include "agent/net/coding.h"
#include "exporters/clickhouse/clickhouse.h"

#define TOKEN_DIGITS 32u
#define KEPT_BYTES_MAX 1048576u /* scratch beyond this goes back after a batch */

/* ---- what a request covers ---- */

static bool begin_bitmap(struct clickhouse_rows *open, const struct leat_batch *batch)
{
    open->bitmap = leat_zalloc(batch->item_count / 8 + 1, 1);
    for (uint32_t i = open->first; open->bitmap && i < open->next; i++)
        leat_bitmap_set(open->bitmap, i);
    return open->bitmap != NULL;
}

bool clickhouse__covers(struct clickhouse_rows *open, uint32_t item, const struct leat_batch *batch)
{
    if (open->count == 0)
        open->first = item;
    else if (item != open->next && !open->bitmap && !begin_bitmap(open, batch))
        return false;
    if (open->bitmap)
        leat_bitmap_set(open->bitmap, item);
    open->next = item + 1;
    open->count++;
    return true;
}

/* ---- one INSERT ---- */

static void put_token(struct clickhouse_state *clickhouse, const struct leat_chain *rows, char text[TOKEN_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t canonical;
    (void)XXH3_128bits_reset(clickhouse->hash);
    for (uint32_t i = 0; i < rows->count; i++)
        (void)XXH3_128bits_update(clickhouse->hash, rows->vec[i].at, rows->vec[i].len);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(clickhouse->hash));
    for (uint32_t i = 0; i < TOKEN_DIGITS; i++)
        text[i] = digits[canonical.digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    text[TOKEN_DIGITS] = 0;
}

static leat_rc put_url(struct leat_request *request, const char *url, const char *token, struct leat_requests *out)
{
    struct leat_strbuf text = {0};
    struct leat_slice kept;
    leat_strbuf_puts(&text, url);
    leat_strbuf_puts(&text, token);
    leat_rc rc = text.failed ? LEAT_ENOMEM : leat_requests_keep(out, text.at, (uint32_t)text.len + 1, &kept);
    if (rc == LEAT_OK)
        request->url = (const char *)kept.at;
    leat_strbuf_done(&text);
    return rc;
}

static leat_rc put_headers(const struct clickhouse_state *clickhouse, struct leat_request *request)
{
    const struct clickhouse_target *target = &clickhouse->target;
    leat_rc rc = leat_request_header(request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/octet-stream"));
    if (rc == LEAT_OK && clickhouse->coding != LEAT_CODING_NONE)
        rc = leat_request_header(request, LEAT_SLICE("Content-Encoding"),
                                 leat_slice_str(leat_coding_names[clickhouse->coding]));
    if (rc == LEAT_OK && target->user)
        rc = leat_request_header(request, LEAT_SLICE("X-ClickHouse-User"), leat_slice_str(target->user));
    if (rc == LEAT_OK && target->password)
        rc = leat_request_header(request, LEAT_SLICE("X-ClickHouse-Key"), leat_slice_str(target->password));
    return rc;
}

static leat_rc put_insert(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_chain *rows,
                          struct leat_request *request, struct leat_requests *out)
{
    char token[TOKEN_DIGITS + 1];
    put_token(clickhouse, rows, token);
    leat_rc rc = clickhouse->coding == LEAT_CODING_NONE
                     ? leat_chain_append(&request->body, rows)
                     : leat_encode(clickhouse->coding, clickhouse->level, rows, &request->body, NULL);
    if (rc == LEAT_OK)
        rc = put_url(request, clickhouse->there[table].url, token, out);
    if (rc == LEAT_OK)
        rc = put_headers(clickhouse, request);
    request->precoded = true;
    request->tag = CLICKHOUSE_INSERT | (uint32_t)table | (clickhouse->native ? CLICKHOUSE_AS_NATIVE : 0u);
    return rc;
}

leat_rc clickhouse__request(struct clickhouse_state *clickhouse, enum clickhouse_table table, struct leat_requests *out)
{
    struct clickhouse_rows *open = &clickhouse->open[table];
    struct leat_chain rows = {0};
    if (open->count == 0)
        return LEAT_OK;
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_ENOMEM;
    leat_rc rc = clickhouse__rows_take(clickhouse, table, &rows);
    if (rc == LEAT_OK)
        rc = clickhouse->there[table].unfit ? clickhouse__describe(clickhouse, table, request)
                                            : put_insert(clickhouse, table, &rows, request, out);
    leat_chain_done(&rows);
    request->first = open->first;
    request->count = open->count;
    request->bitmap = open->bitmap;
    open->bitmap = NULL;
    clickhouse__rows_clear(open);
    return rc;
}

/* ---- the batch ---- */

struct run {
    struct clickhouse_state *clickhouse;
    const struct leat_batch *batch;
    struct leat_requests *out;
    uint32_t item;
};

struct row_maker {
    enum clickhouse_table table;
    void (*shared)(struct clickhouse_state *clickhouse, const struct otlp_walk *walk);
    bool (*row)(struct clickhouse_state *clickhouse, struct leat_slice item);
};
static const struct row_maker logs_maker = {CLICKHOUSE_LOGS, clickhouse__logs_shared, clickhouse__logs_row};
static const struct row_maker raw_maker = {CLICKHOUSE_RAW, clickhouse__raw_shared, clickhouse__raw_row};
static const struct row_maker traces_maker = {CLICKHOUSE_TRACES, clickhouse__traces_shared, clickhouse__traces_row};

/* Logs and traces: an item, a row. */
static leat_rc run_rows(struct run *run, struct otlp_walk *walk, const struct row_maker *maker)
{
    struct clickhouse_state *clickhouse = run->clickhouse;
    struct clickhouse_rows *open = &clickhouse->open[maker->table];
    while (run->item < run->batch->item_count && otlp_walk_next(walk)) {
        if (walk->new_resource || walk->new_scope)
            maker->shared(clickhouse, walk);
        if (!maker->row(clickhouse, walk->item))
            return LEAT_EPARSE;
        if (clickhouse->shared->failed || open->streams->failed || !clickhouse__covers(open, run->item++, run->batch))
            return LEAT_ENOMEM;
        if (clickhouse__is_full(clickhouse, open, walk->item.len) && clickhouse__request(clickhouse, maker->table, run->out) != LEAT_OK)
            return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

static leat_rc run_metrics(struct run *run, struct otlp_walk *walk)
{
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && run->item < run->batch->item_count && otlp_walk_next(walk))
        rc = clickhouse__metric_rows(run->clickhouse, walk, run->batch, &run->item, run->out);
    return rc;
}

static leat_rc run_all(struct run *run, struct otlp_walk *walk)
{
    struct clickhouse_state *clickhouse = run->clickhouse;
    leat_rc rc = clickhouse->signal == LEAT_METRICS  ? run_metrics(run, walk)
                 : clickhouse->signal == LEAT_TRACES ? run_rows(run, walk, &traces_maker)
                 : clickhouse->conf->raw_events      ? run_rows(run, walk, &raw_maker)
                                                     : run_rows(run, walk, &logs_maker);
    for (int table = 0; rc == LEAT_OK && table < CLICKHOUSE_TABLES; table++)
        rc = clickhouse__request(clickhouse, (enum clickhouse_table)table, run->out);
    if (rc == LEAT_OK && walk->rc == LEAT_OK && run->item < run->batch->item_count)
        rc = leat_requests_reject(run->out, run->item, run->batch->item_count - run->item, "there is no such item");
    return rc;
}

/* A batch with one huge resource shall not hold memory for ever. */
static void trim(struct clickhouse_state *clickhouse)
{
    size_t kept = clickhouse->text.room;
    for (uint32_t i = 0; i < CLICKHOUSE_SHARED_MAX; i++)
        kept += (size_t)(clickhouse->shared[i].end - clickhouse->shared[i].from);
    if (kept <= KEPT_BYTES_MAX)
        return;
    for (uint32_t i = 0; i < CLICKHOUSE_SHARED_MAX; i++)
        row_binary_done(&clickhouse->shared[i]);
    leat_strbuf_done(&clickhouse->text);
}

leat_rc clickhouse_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct clickhouse_state *clickhouse = state;
    struct run run = {.clickhouse = clickhouse, .batch = batch, .out = out};
    struct otlp_walk walk;
    clickhouse->attributes_raw.len = 0;
    for (int i = 0; i < 3; i++)
        row_binary_clear(&clickhouse->attributes[i]);
    otlp_walk_open(&walk, clickhouse->signal, &batch->payload);
    leat_rc rc = run_all(&run, &walk);
    leat_rc walked = otlp_walk_close(&walk, reterr);
    for (int table = 0; table < CLICKHOUSE_TABLES; table++)
        clickhouse__rows_clear(&clickhouse->open[table]);
    trim(clickhouse);
    if (walked != LEAT_OK || rc == LEAT_OK)
        return walked;
    return rc == LEAT_ENOMEM ? LEAT_RAISE(reterr, rc, 0, "no memory to encode for ClickHouse")
                             : LEAT_RAISE(reterr, rc, 0, "malformed item %u", run.item);
}
