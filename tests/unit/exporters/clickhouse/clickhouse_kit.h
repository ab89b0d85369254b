/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of RowBinary and Native that know types by their names and nothing of leat's writer, and an exporter with default
 * keys. */
#pragma once
#include <dirent.h>
#include <stdio.h>

#include "agent/net/coding.h"
#include "exporters/clickhouse/clickhouse.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_validate.h"
#include "tests/kit/kit.h"

struct subject {
    struct clickhouse_conf conf;
    struct leat_http_client_conf http;
    struct clickhouse_state state;
};

static inline void subject_defaults(struct subject *s)
{
    *s = (struct subject){
        .conf = {.database = "default", .logs_table_name = "otel_logs", .raw_table_name = "raw_events",
                 .traces_table_name = "otel_traces",
                 .metrics_tables = {{"gauges"}, {"sums"}, {"summaries"}, {"histograms"}, {"exponentials"}},
                 .create_schema = true, .table_engine = {"MergeTree", NULL}, .request_bytes_max = 16 << 20},
        .http = {.endpoint = "http://ch:8123", .compression = LEAT_CODING_NONE}};
}

static inline leat_rc subject_open(struct subject *s, enum leat_signal signal)
{
    struct leat_exporter_conf conf = {.id = "clickhouse", .own = &s->conf, .carrier = &s->http};
    struct leat_err err = {0};
    memset(&s->state, 0, sizeof s->state);
    leat_rc rc = clickhouse_open(&s->state, &conf, signal, NULL, &err);
    if (rc != LEAT_OK && rc != LEAT_ENOMEM)
        print_error("%s\n", err.text);
    return rc;
}

/* ---- RowBinary as text ---- */

struct reader {
    const uint8_t *at, *end;
    struct leat_strbuf out;
};

static inline uint64_t read_bytes(struct reader *r, unsigned n)
{
    uint64_t v = 0;
    EXPECT((size_t)(r->end - r->at) >= n);
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)*r->at++ << (8 * i);
    return v;
}

static inline uint64_t read_length(struct reader *r)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = (uint8_t)read_bytes(r, 1);
        v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return v;
}

static inline void read_string(struct reader *r)
{
    uint64_t len = read_length(r);
    EXPECT((uint64_t)(r->end - r->at) >= len);
    leat_strbuf_put(&r->out, r->at, len);
    r->at += len;
}

static inline bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static inline void read_double(struct reader *r)
{
    uint64_t bits = read_bytes(r, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    leat_strbuf_printf(&r->out, "%g", v);
}

static inline void read_value(struct reader *r, const char *type)
{
    if (begins(type, "Array(")) {
        leat_strbuf_putc(&r->out, '[');
        for (uint64_t n = read_length(r); n--; leat_strbuf_puts(&r->out, n ? "," : ""))
            read_value(r, type + 6);
        leat_strbuf_putc(&r->out, ']');
    } else if (begins(type, "Map(LowCardinality(String), String)")) {
        leat_strbuf_putc(&r->out, '{');
        for (uint64_t n = read_length(r); n--; leat_strbuf_puts(&r->out, n ? "," : "")) {
            read_string(r);
            leat_strbuf_putc(&r->out, ':');
            read_string(r);
        }
        leat_strbuf_putc(&r->out, '}');
    } else if (begins(type, "String") || begins(type, "LowCardinality(String)")) {
        read_string(r);
    } else if (begins(type, "UInt8") || begins(type, "Bool")) {
        leat_strbuf_printf(&r->out, "%llu", (unsigned long long)read_bytes(r, 1));
    } else if (begins(type, "UInt32")) {
        leat_strbuf_printf(&r->out, "%llu", (unsigned long long)read_bytes(r, 4));
    } else if (begins(type, "Int32")) {
        leat_strbuf_printf(&r->out, "%d", (int32_t)read_bytes(r, 4));
    } else if (begins(type, "UInt64") || begins(type, "DateTime64(9)")) {
        leat_strbuf_printf(&r->out, "%llu", (unsigned long long)read_bytes(r, 8));
    } else if (begins(type, "Float64")) {
        read_double(r);
    } else {
        fail_msg("no type %s", type);
    }
}

static inline struct leat_strbuf rows_of_row_binary(const struct leat_request *request, uint32_t *ret_rows)
{
    const struct clickhouse_column *columns = clickhouse__schema(CLICKHOUSE_TABLE_OF(request->tag), 0)->columns;
    struct leat_slice flat;
    EXPECT_OK(leat_chain_flat(&request->body, &flat));
    struct reader r = {.at = flat.at, .end = flat.at + flat.len};
    *ret_rows = 0;
    for (; r.at < r.end; ++*ret_rows) {
        for (const struct clickhouse_column *column = columns; column->name; column++) {
            if (column->flags & CLICKHOUSE_MADE)
                continue;
            leat_strbuf_printf(&r.out, "%s%s=", column == columns ? "" : " ", column->name);
            read_value(&r, column->type);
        }
        leat_strbuf_putc(&r.out, '\n');
    }
    leat_mem_unref(flat.mem);
    return r.out;
}

/* ---- Native as text: a column is read whole, one text a row ---- */

static inline void read_column(struct reader *r, const char *type, uint64_t n, struct leat_strbuf *texts);

/* Lengths out of offsets: how many items each row has. */
static inline uint64_t read_lengths(struct reader *r, uint64_t n, uint64_t *lengths)
{
    uint64_t end = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t next = read_bytes(r, 8);
        EXPECT(next >= end && next - end <= (uint64_t)(r->end - r->at));
        lengths[i] = next - end;
        end = next;
    }
    return end;
}

static inline struct leat_strbuf *read_items(struct reader *r, const char *type, uint64_t n)
{
    struct leat_strbuf *items = leat_zalloc(n + 1, sizeof *items);
    EXPECT(items != NULL);
    read_column(r, type, n, items);
    return items;
}

static inline void items_free(struct leat_strbuf *items, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        leat_strbuf_done(&items[i]);
    leat_free(items);
}

/* Rows of items, or of pairs when there are values. */
static inline void join_items(struct leat_strbuf *texts, const uint64_t *lengths, uint64_t n, const struct leat_strbuf *items,
                              const struct leat_strbuf *values)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        leat_strbuf_putc(&texts[i], values ? '{' : '[');
        for (uint64_t k = 0; k < lengths[i]; k++, at++) {
            leat_strbuf_puts(&texts[i], k ? "," : "");
            leat_strbuf_put(&texts[i], items[at].at, items[at].len);
            if (!values)
                continue;
            leat_strbuf_putc(&texts[i], ':');
            leat_strbuf_put(&texts[i], values[at].at, values[at].len);
        }
        leat_strbuf_putc(&texts[i], values ? '}' : ']');
    }
}

static inline void read_column(struct reader *r, const char *type, uint64_t n, struct leat_strbuf *texts)
{
    bool array = begins(type, "Array("), map = begins(type, "Map(String, String)");
    for (uint64_t i = 0; !array && !map && i < n; i++) {
        struct reader one = {.at = r->at, .end = r->end};
        read_value(&one, type);
        texts[i] = one.out;
        r->at = one.at;
    }
    if (!array && !map)
        return;
    uint64_t *lengths = leat_zalloc(n + 1, sizeof *lengths), total = read_lengths(r, n, lengths);
    struct leat_strbuf *items = read_items(r, array ? type + 6 : "String", total);
    struct leat_strbuf *values = map ? read_items(r, "String", total) : NULL;
    join_items(texts, lengths, n, items, values);
    items_free(items, total);
    if (values)
        items_free(values, total);
    leat_free(lengths);
}

/* What a column's type is called in a block: texts are plain ones there. */
static inline void expect_type(const char *got, const char *type)
{
    static const char low[] = "LowCardinality(String)";
    struct leat_strbuf want = {0};
    for (; *type; type += begins(type, low) ? sizeof low - 1 : 1)
        leat_strbuf_put(&want, begins(type, low) ? "String" : type, begins(type, low) ? 6 : 1);
    EXPECT_STR(got, want.at);
    leat_strbuf_done(&want);
}

static inline struct leat_strbuf rows_of_native(const struct leat_request *request, uint32_t *ret_rows)
{
    const struct clickhouse_column *column = clickhouse__schema(CLICKHOUSE_TABLE_OF(request->tag), 0)->columns;
    struct leat_slice flat;
    EXPECT_OK(leat_chain_flat(&request->body, &flat));
    struct reader r = {.at = flat.at, .end = flat.at + flat.len};
    uint64_t columns = read_length(&r), n = read_length(&r);
    EXPECT(n <= (uint64_t)(r.end - r.at));
    struct leat_strbuf *rows = leat_zalloc(n + 1, sizeof *rows);
    for (uint64_t c = 0; c < columns; c++, column++) {
        struct leat_strbuf *texts = leat_zalloc(n + 1, sizeof *texts), name, type;
        EXPECT(rows && texts);
        while (column->flags & CLICKHOUSE_MADE)
            column++;
        read_string(&r);
        name = r.out;
        r.out = (struct leat_strbuf){0};
        read_string(&r);
        type = r.out;
        r.out = (struct leat_strbuf){0};
        EXPECT_STR(name.at, column->name);
        expect_type(type.at, column->type);
        read_column(&r, type.at, n, texts);
        for (uint64_t i = 0; i < n; i++) {
            leat_strbuf_printf(&rows[i], "%s%s=", c ? " " : "", name.at);
            leat_strbuf_put(&rows[i], texts[i].at, texts[i].len);
        }
        leat_strbuf_done(&name);
        leat_strbuf_done(&type);
        items_free(texts, n);
    }
    while (column->flags & CLICKHOUSE_MADE)
        column++;
    EXPECT(!column->name && r.at == r.end);
    struct leat_strbuf all = {0};
    for (uint64_t i = 0; i < n; i++) {
        leat_strbuf_put(&all, rows[i].at, rows[i].len);
        leat_strbuf_putc(&all, '\n');
    }
    items_free(rows, n);
    leat_mem_unref(flat.mem);
    *ret_rows = (uint32_t)n;
    return all;
}

/* All rows of a body: "Name=value Name=value ..." a line. Free with leat_strbuf_done. */
static inline struct leat_strbuf rows_text(const struct leat_request *request, uint32_t *ret_rows)
{
    return strstr(request->url, "FORMAT%20Native") ? rows_of_native(request, ret_rows) : rows_of_row_binary(request, ret_rows);
}

static inline void expect_rows(const struct leat_request *request, const char *text)
{
    uint32_t rows;
    struct leat_strbuf got = rows_text(request, &rows);
    EXPECT_STR(got.at, text);
    EXPECT_EQ(rows, request->count);
    leat_strbuf_done(&got);
}

/* ---- batches from OTLP/JSON ---- */

static inline leat_rc batch_of(enum leat_signal signal, const char *json, struct leat_batch *ret_batch)
{
    struct leat_chain text = {0};
    struct otlp_counts counts;
    struct leat_err err = {0};
    *ret_batch = (struct leat_batch){.signal = signal, .form = &otlp_form};
    leat_rc rc = leat_chain_copy(&text, json, (uint32_t)strlen(json));
    if (rc == LEAT_OK)
        rc = otlp_json_read(signal, &text, &ret_batch->payload, &err);
    leat_chain_done(&text);
    if (rc == LEAT_OK)
        rc = otlp_validate(signal, &ret_batch->payload, &counts, NULL);
    if (rc == LEAT_OK)
        ret_batch->item_count = counts.items;
    if (rc != LEAT_OK && rc != LEAT_ENOMEM)
        print_error("%s\n", err.text);
    return rc;
}
