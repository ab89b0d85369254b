/* SPDX-License-Identifier: Apache-2.0 */
/* The books of the graph: as Prometheus text under the Collector's names and leat's own, and as sums for the end. */
#include <stdio.h>

#include "agent/app/graph_inner.h"

static const char *const item_names[] = {"log_records", "metric_points", "spans", "profiles"};

static uint64_t get(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }

/* ---- every ledger of the graph ---- */

struct book {
    const char *kind;      /* "receiver" */
    const char *id;
    enum leat_signal signal;
    const struct leat_ledger *ledger;
    const struct leat_sender *sender; /* exporters */
    const struct leat_graph__receiver *receiver; /* receivers */
};
typedef void visit(void *ctx, const struct book *book);

static void each_signal(const struct leat_graph__receiver *receiver, const char *kind, uint32_t signals, visit *fn,
                        void *ctx)
{
    const struct leat_host *host = &receiver->host;
    for (int s = 0; s < LEAT_SIGNAL_COUNT; s++)
        if (signals & LEAT_SIGNAL_BIT(s))
            fn(ctx, &(struct book){.kind = kind, .id = host->id, .signal = (enum leat_signal)s,
                                   .ledger = &host->ledger[s], .receiver = receiver});
}

static uint32_t signals_of(const struct leat_host *host)
{
    uint32_t bits = 0;
    for (int s = 0; s < LEAT_SIGNAL_COUNT; s++)
        bits |= host->out[s] ? LEAT_SIGNAL_BIT(s) : 0;
    return bits;
}

static void each_book(const struct leat_graph *graph, const char *kind, visit *fn, void *ctx)
{
    for (uint32_t n = 0; n < graph->shard_count; n++) {
        const struct leat_shard *shard = &graph->shards[n];
        for (uint32_t i = 0; *kind == 'r' && i < shard->receiver_count; i++)
            each_signal(&shard->receivers[i], kind, signals_of(&shard->receivers[i].host), fn, ctx);
        for (uint32_t i = 0; *kind == 'p' && i < shard->processor_count; i++) {
            const struct leat_graph__processor *p = &shard->processors[i];
            fn(ctx, &(struct book){.kind = kind, .id = p->host.id, .signal = p->pipeline->signal,
                                   .ledger = &p->host.ledger[p->pipeline->signal]});
        }
        for (uint32_t i = 0; *kind == 'e' && i < shard->exporter_count; i++) {
            const struct leat_graph__exporter *e = &shard->exporters[i];
            if (e->sender)
                fn(ctx, &(struct book){kind, e->part->id, e->signal, leat_sender_ledger(e->sender), e->sender, NULL});
        }
        for (uint32_t i = 0; *kind == 'b' && i < shard->fanout_count; i++)
            for (uint32_t b = 0; b < leat_fanout_count(shard->fanouts[i]); b++) {
                struct leat_branch *branch = leat_fanout_branch(shard->fanouts[i], b);
                fn(ctx, &(struct book){.kind = kind, .id = branch->label, .ledger = &branch->ledger});
            }
    }
}

/* ---- one family: the same series of several shards are added up ---- */

struct family {
    struct leat_strbuf *out;
    const char *prefix, *suffix;         /* otelcol_receiver_accepted_ + log_records, or a whole name */
    uint64_t (*value)(const struct book *book, int which);
    int reason;                          /* drop reason, or -1 */
    enum leat_signal signal;             /* only this one when by_signal */
    bool by_signal;
};

struct sum {
    const struct family *family;
    const struct book *like;
    int which; /* drop reason or transport */
    uint64_t total;
};

static bool same(const struct book *a, const struct book *b)
{
    return a->signal == b->signal && strcmp(a->id, b->id) == 0 && strcmp(a->kind, b->kind) == 0;
}

static void add_if_same(void *ctx, const struct book *book)
{
    struct sum *sum = ctx;
    if (same(book, sum->like))
        sum->total += sum->family->value(book, sum->which);
}

struct walk {
    const struct leat_graph *graph;
    const struct family *family;
};

struct earlier {
    const struct book *book;
    bool before, reached;
};
static void is_earlier(void *ctx, const struct book *book)
{
    struct earlier *earlier = ctx;
    if (book->ledger == earlier->book->ledger)
        earlier->reached = true;
    else if (!earlier->reached && same(book, earlier->book))
        earlier->before = true;
}

static void print_one(const struct walk *walk, const struct book *book, int which, const char *transport)
{
    const struct family *family = walk->family;
    struct sum sum = {.family = family, .like = book, .which = which};
    each_book(walk->graph, book->kind, add_if_same, &sum);
    struct leat_strbuf *out = family->out;
    bool theirs = strncmp(family->prefix, "otelcol_", 8) == 0;
    leat_strbuf_printf(out, "%s%s{%s=", family->prefix, family->suffix, theirs ? book->kind : "component");
    leat_strbuf_json(out, book->id, strlen(book->id));
    if (!theirs)
        leat_strbuf_printf(out, ",kind=\"%s\",signal=\"%s\"", book->kind, leat_signal_name(book->signal));
    else if (!family->by_signal)
        leat_strbuf_printf(out, ",%s=\"%s\"", *book->kind == 'e' ? "data_type" : "otel_signal",
                           leat_signal_name(book->signal));
    if (transport)
        leat_strbuf_printf(out, ",transport=\"%s\"", transport);
    if (family->reason >= 0)
        leat_strbuf_printf(out, ",reason=\"%s\"", leat_drop_label((enum leat_drop)family->reason));
    leat_strbuf_printf(out, "} %llu\n", (unsigned long long)sum.total);
}

static void print_series(void *ctx, const struct book *book)
{
    static const char *const nameless[] = {"", NULL};
    const struct walk *walk = ctx;
    const struct family *family = walk->family;
    if (family->by_signal && book->signal != family->signal)
        return;
    struct earlier earlier = {.book = book};
    each_book(walk->graph, book->kind, is_earlier, &earlier);
    if (earlier.before)
        return; /* printed with the first of its kind */
    if (!family->by_signal || !book->receiver) {
        print_one(walk, book, family->reason, NULL);
        return;
    }
    const char *const *transports = book->receiver->type->transports ? book->receiver->type->transports : nameless;
    for (int i = 0; transports[i]; i++)
        print_one(walk, book, i, transports[i]);
}

static void head(struct leat_strbuf *out, const char *prefix, const char *suffix, const char *type, const char *help)
{
    leat_strbuf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, suffix, help, prefix, suffix, type);
}

/* ---- what is shown ---- */

static const struct leat_came *came(const struct book *b, int transport)
{
    return &b->receiver->host.came[transport][b->signal];
}
static uint64_t v_accepted(const struct book *b, int t) { return get(&came(b, t)->accepted); }
static uint64_t v_turned_away(const struct book *b, int t) { return get(&came(b, t)->refused); }
static uint64_t v_in(const struct book *b, int r) { return (void)r, get(&b->ledger->in); }
static uint64_t v_out(const struct book *b, int r) { return (void)r, get(&b->ledger->out); }
static uint64_t v_held(const struct book *b, int r) { return (void)r, get(&b->ledger->held); }
static uint64_t v_refused(const struct book *b, int r) { return (void)r, get(&b->ledger->refused); }
static uint64_t v_repeated(const struct book *b, int r) { return (void)r, get(&b->ledger->repeated); }
static uint64_t v_bytes(const struct book *b, int r) { return (void)r, get(&b->ledger->bytes_out); }
static uint64_t v_dropped(const struct book *b, int r) { return get(&b->ledger->dropped[r]); }
static uint64_t v_failed(const struct book *b, int r) { return (void)r, leat_ledger_dropped(b->ledger); }

static struct leat_sender_stats stats_of(const struct book *b)
{
    struct leat_sender_stats stats;
    leat_sender_stats(b->sender, &stats);
    return stats;
}
static uint64_t v_queue(const struct book *b, int r) { return (void)r, stats_of(b).queue_size; }
static uint64_t v_capacity(const struct book *b, int r) { return (void)r, stats_of(b).queue_capacity; }
static uint64_t v_flight(const struct book *b, int r) { return (void)r, stats_of(b).in_flight; }
static uint64_t v_sent(const struct book *b, int r) { return (void)r, stats_of(b).requests_sent; }
static uint64_t v_retries(const struct book *b, int r) { return (void)r, stats_of(b).retries; }
static uint64_t v_splits(const struct book *b, int r) { return (void)r, stats_of(b).splits; }
static uint64_t v_hold(const struct book *b, int r) { return (void)r, stats_of(b).held; }

struct row {
    const char *kind, *prefix;
    uint64_t (*value)(const struct book *book, int reason);
    const char *type, *help;
};

/* The Collector's names: one family a signal. */
static const struct row by_signal[] = {
    {"receiver", "otelcol_receiver_accepted_", v_accepted, "counter", "pushed into the pipeline without error"},
    {"receiver", "otelcol_receiver_refused_", v_turned_away, "counter", "could not be pushed into the pipeline"},
    {"exporter", "otelcol_exporter_sent_", v_out, "counter", "delivered to the destination"},
    {"exporter", "otelcol_exporter_send_failed_", v_failed, "counter", "given up for good"},
    {"exporter", "otelcol_exporter_enqueue_failed_", v_refused, "counter", "offered to a full queue"},
};

/* One family for all signals. Queue figures are totals over shards already: shown once. */
static const struct row for_all[] = {
    {"exporter", "otelcol_exporter_in_flight_requests", v_flight, "gauge", "requests under way"},
    {"processor", "otelcol_processor_incoming_items", v_in, "counter", "taken in"},
    {"processor", "otelcol_processor_outgoing_items", v_out, "counter", "passed on"},
    {"exporter", "leat_requests_sent_total", v_sent, "counter", "requests given to the carrier"},
    {"exporter", "leat_retries_total", v_retries, "counter", "requests that were tried again"},
    {"exporter", "leat_splits_total", v_splits, "counter", "requests cut in half after a refusal"},
    {"exporter", "leat_on_hold", v_hold, "gauge", "shards waiting for credentials or an address"},
    {"exporter", "leat_repeated_items_total", v_repeated, "counter", "items sent again"},
    {"exporter", "leat_sent_bytes_total", v_bytes, "counter", "bytes of request bodies given to the carrier"},
};
static const char *const kinds[] = {"receiver", "processor", "branch", "exporter"};

static void family(const struct leat_graph *graph, struct leat_strbuf *out, const struct row *row, const char *suffix,
                   bool signal_wise, enum leat_signal signal, int reason)
{
    struct family f = {.out = out, .prefix = row->prefix, .suffix = suffix, .value = row->value, .reason = reason,
                       .signal = signal, .by_signal = signal_wise};
    struct walk walk = {.graph = graph, .family = &f};
    each_book(graph, row->kind, print_series, &walk);
}

static void ledger_family(const struct leat_graph *graph, struct leat_strbuf *out, const char *name, const char *type,
                          const char *help, uint64_t (*value)(const struct book *, int))
{
    head(out, name, "", type, help);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        family(graph, out, &(struct row){kinds[k], name, value, type, help}, "", false, 0, -1);
}

static void queue_family(const struct leat_graph *graph, struct leat_strbuf *out, const char *name, const char *help,
                         uint64_t (*value)(const struct book *, int))
{
    head(out, name, "", "gauge", help);
    const struct leat_shard *shard = &graph->shards[0];
    for (uint32_t i = 0; i < shard->exporter_count; i++) {
        const struct leat_graph__exporter *e = &shard->exporters[i];
        struct book book = {"exporter", e->part->id, e->signal, NULL, e->sender, NULL};
        leat_strbuf_printf(out, "%s{exporter=\"%s\",data_type=\"%s\"} %llu\n", name, e->part->id,
                           leat_signal_name(e->signal), (unsigned long long)value(&book, -1));
    }
}

static void counters_of(const struct leat_graph *graph, struct leat_strbuf *out);
static void conversions_of(const struct leat_graph *graph, struct leat_strbuf *out);

void leat_graph_metrics(const struct leat_graph *graph, struct leat_strbuf *out)
{
    for (size_t i = 0; i < sizeof by_signal / sizeof *by_signal; i++)
        for (int s = 0; s < LEAT_SIGNAL_COUNT; s++) {
            head(out, by_signal[i].prefix, item_names[s], by_signal[i].type, by_signal[i].help);
            family(graph, out, &by_signal[i], item_names[s], true, (enum leat_signal)s, -1);
        }
    queue_family(graph, out, "otelcol_exporter_queue_size", "what waits or is under way, in units of sizer", v_queue);
    queue_family(graph, out, "otelcol_exporter_queue_capacity", "what may wait or be under way, in units of sizer", v_capacity);
    for (size_t i = 0; i < sizeof for_all / sizeof *for_all; i++) {
        head(out, for_all[i].prefix, "", for_all[i].type, for_all[i].help);
        family(graph, out, &for_all[i], "", false, 0, -1);
    }
    ledger_family(graph, out, "leat_items_in_total", "counter", "items taken in", v_in);
    ledger_family(graph, out, "leat_items_out_total", "counter", "items passed on or delivered", v_out);
    ledger_family(graph, out, "leat_items_held", "gauge", "items inside now", v_held);
    ledger_family(graph, out, "leat_items_refused_total", "counter", "items offered and not taken", v_refused);
    head(out, "leat_dropped_items_total", "", "counter", "items dropped, by reason");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int r = 0; r < LEAT_DROP_COUNT; r++)
            family(graph, out, &(struct row){kinds[k], "leat_dropped_items_total", v_dropped, "", ""}, "", false, 0, r);
    counters_of(graph, out);
    conversions_of(graph, out);
    head(out, "leat_memory_used_bytes", "", "gauge", "bytes of payload blocks in use");
    leat_strbuf_printf(out, "leat_memory_used_bytes %llu\n", (unsigned long long)get(&graph->budget.used_bytes));
    head(out, "leat_memory_limit_bytes", "", "gauge", "leat::memory::limit");
    leat_strbuf_printf(out, "leat_memory_limit_bytes %llu\n", (unsigned long long)graph->budget.hard_bytes);
    head(out, "leat_memory_refused_total", "", "counter", "blocks refused at the limit");
    leat_strbuf_printf(out, "leat_memory_refused_total %llu\n", (unsigned long long)get(&graph->budget.refused));
}

/* ---- the components' own counters ---- */

static void rows_of(const struct leat_graph *graph, struct leat_strbuf *out, const char *kind, const char *id,
                    const char *data_type, const struct leat_counter_def *rows, const uint64_t *(*counts)(const struct leat_shard *, uint32_t),
                    uint32_t index)
{
    for (uint32_t r = 0; rows && rows[r].name; r++) {
        uint64_t sum = 0;
        for (uint32_t n = 0; n < graph->shard_count; n++) {
            const uint64_t *at = counts(&graph->shards[n], index);
            sum += at ? get(&at[r]) : 0;
        }
        leat_strbuf_printf(out, "leat_%s{%s=", rows[r].name, kind);
        leat_strbuf_json(out, id, strlen(id));
        if (data_type)
            leat_strbuf_printf(out, ",data_type=\"%s\"", data_type);
        leat_strbuf_printf(out, "%s%s} %llu\n", rows[r].labels[0] ? "," : "", rows[r].labels, (unsigned long long)sum);
    }
}

static const uint64_t *receiver_counts(const struct leat_shard *shard, uint32_t i) { return shard->receivers[i].host.counts; }
static const uint64_t *processor_counts(const struct leat_shard *shard, uint32_t i) { return shard->processors[i].host.counts; }
static const uint64_t *exporter_counts(const struct leat_shard *shard, uint32_t i) { return shard->exporters[i].counts; }
static const uint64_t *extension_counts(const struct leat_shard *shard, uint32_t i)
{
    return i < shard->extension_count ? shard->extensions[i].host.counts : NULL;
}

static void counters_of(const struct leat_graph *graph, struct leat_strbuf *out)
{
    const struct leat_shard *shard = &graph->shards[0];
    for (uint32_t i = 0; i < shard->receiver_count; i++)
        rows_of(graph, out, "receiver", shard->receivers[i].part->id, NULL, shard->receivers[i].type->counters, receiver_counts, i);
    for (uint32_t i = 0; i < shard->processor_count; i++)
        rows_of(graph, out, "processor", shard->processors[i].part->id, NULL, shard->processors[i].type->counters, processor_counts, i);
    for (uint32_t i = 0; i < shard->exporter_count; i++)
        rows_of(graph, out, "exporter", shard->exporters[i].part->id, leat_signal_name(shard->exporters[i].signal),
                shard->exporters[i].type->counters, exporter_counts, i);
    for (uint32_t i = 0; i < shard->extension_count; i++)
        rows_of(graph, out, "extension", shard->extensions[i].part->id, NULL, shard->extensions[i].type->counters, extension_counts, i);
}

/* ---- conversions: each shard has the same ones in the same order ---- */

static void converted(const struct leat_graph *graph, struct leat_strbuf *out, uint32_t index, const char *edge, size_t member)
{
    const struct leat_graph__convert *like = &graph->shards[0].converts[index];
    const char *before = like->before ? like->before->id : "";
    uint64_t sum = 0;
    for (uint32_t n = 0; n < graph->shard_count; n++)
        sum += get((const uint64_t *)(const void *)((const char *)&graph->shards[n].converts[index].convert + member));
    leat_strbuf_printf(out, "leat_converted_items_total{pipeline=");
    leat_strbuf_json(out, like->pipeline->id, strlen(like->pipeline->id));
    leat_strbuf_printf(out, ",before=");
    leat_strbuf_json(out, before, strlen(before));
    leat_strbuf_printf(out, ",edge=\"%s\"} %llu\n", edge, (unsigned long long)sum);
}

static void conversions_of(const struct leat_graph *graph, struct leat_strbuf *out)
{
    if (graph->shards[0].convert_count)
        head(out, "leat_converted_items_total", "", "counter", "items that changed their form: in, out, refused");
    for (uint32_t i = 0; i < graph->shards[0].convert_count; i++) {
        converted(graph, out, i, "in", offsetof(struct leat_convert, converted_in));
        converted(graph, out, i, "out", offsetof(struct leat_convert, converted_out));
        converted(graph, out, i, "refused", offsetof(struct leat_convert, refused));
    }
}

/* ---- sums ---- */

static void sum_dropped(void *ctx, const struct book *book)
{
    *(uint64_t *)ctx += leat_ledger_dropped(book->ledger) - get(&book->ledger->dropped[LEAT_DROP_FILTERED]);
}

uint64_t leat_graph_dropped(const struct leat_graph *graph)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        each_book(graph, kinds[k], sum_dropped, &sum);
    return sum;
}

static void check_book(void *ctx, const struct book *book)
{
    bool good = leat_ledger_balances(book->ledger) && (!book->sender || leat_sender_check(book->sender));
    *(bool *)ctx &= good;
}

bool leat_graph_balances(const struct leat_graph *graph)
{
    bool good = true;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        each_book(graph, kinds[k], check_book, &good);
    return good;
}
