/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping without loss, in step on all shards:
 *
 *   RUN -> EMPTY: receivers stop, processors pass on what they hold
 *       -> SEND:  senders send what they have
 *       -> HOME:  what crossed to another shard's sender has come back to its source
 *       -> DONE:  on every shard; then shard 0 tells the caller
 *
 * A shard goes on when shard 0 orders it, and shard 0 orders when all have reported: a batch that crosses to another
 * shard's sender arrives before that sender is asked to finish. */
#include "agent/app/graph_inner.h"

#define POLL_NS 5000000ull

static void report(struct leat_shard *shard)
{
    leat_handoff_post(shard->graph->shards[0].loop, &shard->report);
}

/* ---- EMPTY ---- */

static bool processors_empty(struct leat_shard *shard)
{
    bool empty = true;
    for (uint32_t i = shard->processor_count;
         i-- > 0;) { /* made from the exporters up: the first in a pipeline goes first */
        struct leat_graph__processor *processor = &shard->processors[i];
        if (processor->type->flush && !processor->type->flush(processor->state))
            empty = false;
    }
    return empty;
}

static void on_poll(struct leat_timer *timer)
{
    struct leat_shard *shard = timer->ctx;
    if (processors_empty(shard))
        report(shard);
    else
        leat_timer_start(shard->loop, &shard->poll, POLL_NS);
}

static void maybe_done(struct leat_shard *shard)
{
    if (shard->phase != LEAT_PHASE_SEND || shard->senders_left || (shard->receivers_left && !shard->abandoned))
        return;
    shard->phase = LEAT_PHASE_DONE;
    report(shard);
}

static void on_receiver_stopped(void *ctx)
{
    struct leat_graph__receiver *receiver = ctx;
    receiver->stopped = true;
    receiver->shard->receivers_left--;
    maybe_done(receiver->shard);
}

static void empty(struct leat_shard *shard)
{
    shard->receivers_left = shard->receiver_count;
    for (uint32_t i = 0; i < shard->receiver_count; i++) {
        struct leat_graph__receiver *receiver = &shard->receivers[i];
        receiver->type->stop(receiver->state, on_receiver_stopped, receiver);
    }
    on_poll(&shard->poll);
}

/* ---- SEND ---- */

static void on_sender_drained(void *ctx)
{
    struct leat_shard *shard = ctx;
    shard->senders_left--;
    maybe_done(shard);
}

static void send(struct leat_shard *shard)
{
    shard->senders_left = 1;
    for (uint32_t i = 0; i < shard->exporter_count; i++)
        if (shard->exporters[i].sender) {
            shard->senders_left++;
            leat_sender_drain(shard->exporters[i].sender, on_sender_drained, shard);
            if (shard->abandoned)
                leat_sender_abandon(shard->exporters[i].sender);
        }
    on_sender_drained(shard);
}

static void abandon(struct leat_message *message)
{
    struct leat_shard *shard = LEAT_CONTAINER(message, struct leat_shard, abandon_order);
    shard->abandoned = true;
    for (uint32_t i = 0; i < shard->exporter_count; i++)
        if (shard->exporters[i].sender)
            leat_sender_abandon(shard->exporters[i].sender);
    maybe_done(shard);
}

/* ---- orders and reports ---- */

static void on_order(struct leat_message *message)
{
    struct leat_shard *shard = LEAT_CONTAINER(message, struct leat_shard, order);
    shard->phase = shard->graph->phase;
    if (shard->phase == LEAT_PHASE_EMPTY)
        empty(shard);
    else if (shard->phase == LEAT_PHASE_SEND)
        send(shard);
    else
        report(shard); /* whatever shard 0 sent here before the order has arrived */
}

static void order_all(struct leat_graph *graph, enum leat_graph__phase phase)
{
    graph->phase = phase;
    graph->reports_left = graph->shard_count;
    for (uint32_t i = 0; i < graph->shard_count; i++)
        leat_handoff_post(graph->shards[i].loop, &graph->shards[i].order);
}

static void on_report(struct leat_message *message)
{
    struct leat_graph *graph = LEAT_CONTAINER(message, struct leat_shard, report)->graph;
    if (--graph->reports_left)
        return;
    if (graph->phase == LEAT_PHASE_EMPTY || graph->phase == LEAT_PHASE_SEND) {
        order_all(graph, graph->phase == LEAT_PHASE_EMPTY ? LEAT_PHASE_SEND : LEAT_PHASE_HOME);
        return;
    }
    graph->phase = LEAT_PHASE_DONE;
    leat_timer_stop(graph->shards[0].loop, &graph->deadline);
    graph->drained(graph->drained_ctx);
}

void leat_graph__drain_init(struct leat_shard *shard)
{
    shard->order.arrive = on_order;
    shard->abandon_order.arrive = abandon;
    shard->report.arrive = on_report;
    shard->poll = (struct leat_timer){.fire = on_poll, .ctx = shard};
}

static void on_deadline(struct leat_timer *timer)
{
    struct leat_graph *graph = timer->ctx;
    leat_log(LEAT_LOG_WARN, "leat", "the shutdown deadline has passed: what could not be delivered is dropped");
    leat_graph_abandon(graph);
}

void leat_graph_abandon(struct leat_graph *graph)
{
    if (graph->shards[0].abandon_order.arrive == NULL || graph->phase == LEAT_PHASE_DONE)
        return;
    leat_timer_stop(graph->shards[0].loop, &graph->deadline);
    for (uint32_t i = 0; i < graph->shard_count; i++)
        if (!graph->abandon_sent)
            leat_handoff_post(graph->shards[i].loop, &graph->shards[i].abandon_order);
    graph->abandon_sent = true;
}

void leat_graph_drain(struct leat_graph *graph, uint64_t deadline_ns, void (*drained)(void *ctx), void *ctx)
{
    graph->drained = drained;
    graph->drained_ctx = ctx;
    graph->deadline = (struct leat_timer){.fire = on_deadline, .ctx = graph};
    leat_timer_start(graph->shards[0].loop, &graph->deadline, deadline_ns);
    for (uint32_t i = 0; i < graph->shard_count; i++)
        for (uint32_t e = 0; e < graph->shards[i].extension_count; e++) {
            struct leat_graph__extension *extension = &graph->shards[i].extensions[e];
            if (extension->open && extension->type->health && i == 0)
                extension->type->health(extension->state, LEAT_HEALTH_STOPPING);
        }
    order_all(graph, LEAT_PHASE_EMPTY);
}
