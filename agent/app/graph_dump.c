/* SPDX-License-Identifier: Apache-2.0 */
/* What each instance says of itself, as text for people. Each shard writes its own part on its own thread; shard 0 puts
 * them together. */
#include "agent/app/graph_inner.h"

static void text_of(struct leat_strbuf *out, void (*dump)(const void *state, struct leat_strbuf *out),
                    const void *state)
{
    struct leat_strbuf own = {0};
    if (dump && state)
        dump(state, &own);
    for (size_t at = 0; at < own.len;) { /* indented, so that a page can be cut by eye and by tools */
        const char *end = memchr(own.at + at, '\n', own.len - at);
        size_t len = end ? (size_t)(end - own.at) - at : own.len - at;
        leat_strbuf_printf(out, "      %.*s\n", (int)len, own.at + at);
        at += len + 1;
    }
    out->failed |= own.failed;
    leat_strbuf_done(&own);
}

static void book_of(struct leat_strbuf *out, enum leat_signal signal, const struct leat_ledger *ledger)
{
    leat_strbuf_printf(out, "    %s: in %llu, out %llu, held %llu, dropped %llu, refused %llu, repeated %llu\n",
                       leat_signal_name(signal), (unsigned long long)ledger->in, (unsigned long long)ledger->out,
                       (unsigned long long)ledger->held, (unsigned long long)leat_ledger_dropped(ledger),
                       (unsigned long long)ledger->refused, (unsigned long long)ledger->repeated);
}

static void receiver_of(struct leat_strbuf *out, const struct leat_graph__receiver *receiver)
{
    leat_strbuf_printf(out, "  receiver %s%s\n", receiver->host.id, receiver->stopped ? ", stopped" : "");
    for (int s = 0; s < LEAT_SIGNAL_COUNT; s++)
        if (receiver->host.out[s])
            book_of(out, (enum leat_signal)s, &receiver->host.ledger[s]);
    if (receiver->open)
        text_of(out, receiver->type->dump, receiver->state);
}

static void processor_of(struct leat_strbuf *out, const struct leat_graph__processor *processor)
{
    leat_strbuf_printf(out, "  processor %s of %s\n", processor->host.id, processor->pipeline->id);
    book_of(out, processor->pipeline->signal, &processor->host.ledger[processor->pipeline->signal]);
    if (processor->open)
        text_of(out, processor->type->dump, processor->state);
}

static void exporter_of(struct leat_strbuf *out, const struct leat_graph__exporter *exporter)
{
    if (!exporter->sender) {
        leat_strbuf_printf(out, "  exporter %s, %s: on shard 0\n", exporter->part->id,
                           leat_signal_name(exporter->signal));
        return;
    }
    struct leat_sender_stats stats;
    leat_sender_stats(exporter->sender, &stats);
    leat_strbuf_printf(out, "  exporter %s%s\n", exporter->part->id,
                       stats.held ? ", on hold: the peer refuses; one request at a time probes it" : "");
    book_of(out, exporter->signal, leat_sender_ledger(exporter->sender));
    leat_strbuf_printf(
        out,
        "      queue %llu of %llu over all shards, in flight %u, requests sent %llu, failed %llu, retries %llu, "
        "splits %llu\n",
        (unsigned long long)stats.queue_size, (unsigned long long)stats.queue_capacity, stats.in_flight,
        (unsigned long long)stats.requests_sent, (unsigned long long)stats.requests_failed,
        (unsigned long long)stats.retries, (unsigned long long)stats.splits);
    text_of(out, exporter->type->dump, exporter->state);
}

static void branch_of(struct leat_strbuf *out, const struct leat_branch *branch)
{
    leat_strbuf_printf(out, "  branch %s: in %llu, dropped %llu%s\n", branch->label,
                       (unsigned long long)branch->ledger.in, (unsigned long long)leat_ledger_dropped(&branch->ledger),
                       branch->cut             ? ", cut loose until it has drained"
                       : branch->full_since_ns ? ", full"
                                               : "");
}

static void shard_of(struct leat_strbuf *out, const struct leat_shard *shard)
{
    leat_strbuf_printf(out, "shard %u\n", shard->index);
    for (uint32_t i = 0; i < shard->receiver_count; i++)
        receiver_of(out, &shard->receivers[i]);
    for (uint32_t i = shard->processor_count; i-- > 0;)
        processor_of(out, &shard->processors[i]);
    for (uint32_t i = 0; i < shard->fanout_count; i++)
        for (uint32_t b = 0; b < leat_fanout_count(shard->fanouts[i]); b++)
            branch_of(out, leat_fanout_branch(shard->fanouts[i], b));
    for (uint32_t i = 0; i < shard->exporter_count; i++)
        exporter_of(out, &shard->exporters[i]);
    for (uint32_t i = 0; i < shard->extension_count; i++)
        leat_strbuf_printf(out, "  extension %s\n", shard->extensions[i].host.id);
}

/* ---- orders and reports ---- */

static void on_order(struct leat_message *message)
{
    struct leat_shard *shard = LEAT_CONTAINER(message, struct leat_shard, dump_order);
    shard_of(&shard->dump, shard);
    leat_handoff_post(shard->graph->shards[0].loop, &shard->dump_report);
}

static void on_report(struct leat_message *message)
{
    struct leat_graph *graph = LEAT_CONTAINER(message, struct leat_shard, dump_report)->graph;
    if (--graph->dumps_left)
        return;
    struct leat_strbuf all = {0};
    for (uint32_t i = 0; i < graph->shard_count; i++) {
        struct leat_strbuf *part = &graph->shards[i].dump;
        leat_strbuf_put(&all, part->at, part->len);
        all.failed |= part->failed;
        leat_strbuf_done(part);
        *part = (struct leat_strbuf){0};
    }
    void (*dumped)(void *, struct leat_strbuf *) = graph->dumped;
    graph->dumped = NULL;
    if (dumped)
        dumped(graph->dumped_ctx, &all);
    leat_strbuf_done(&all);
}

leat_rc leat_graph_dump(struct leat_graph *graph, void (*dumped)(void *ctx, struct leat_strbuf *text), void *ctx)
{
    if (graph->dumps_left)
        return LEAT_AGAIN;
    graph->dumped = dumped;
    graph->dumped_ctx = ctx;
    graph->dumps_left = graph->shard_count;
    for (uint32_t i = 0; i < graph->shard_count; i++) {
        struct leat_shard *shard = &graph->shards[i];
        shard->dump_order.arrive = on_order;
        shard->dump_report.arrive = on_report;
        leat_handoff_post(shard->loop, &shard->dump_order);
    }
    return LEAT_OK;
}

void leat_graph_dump_forget(struct leat_graph *graph)
{
    graph->dumped = NULL;
}

void leat_graph__dump_done(struct leat_shard *shard)
{
    leat_strbuf_done(&shard->dump);
}
