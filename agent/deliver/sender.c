/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/sender.h"

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/deliver/sender_inner.h"

#define HOLD_PROBE_NS 30000000000ull

void leat_sender_totals_init(struct leat_sender_totals *totals, const struct leat_deliver_conf *conf, uint32_t shards)
{
    uint32_t consumers = (uint32_t)conf->queue.num_consumers;
    totals->queue_size = totals->queue_left = conf->queue.queue_size;
    totals->consumers_max = (consumers + shards - 1) / shards;
}

static void tell_drained(struct leat_sender *sender)
{
    if (!sender->draining || !sender->drained || sender->loads_out || !leat_list_empty(&sender->queue) ||
        sender->preparation)
        return;
    if (sender->carrier->ops->flush)
        sender->carrier->ops->flush(sender->carrier);
    void (*drained)(void *) = sender->drained;
    sender->drained = NULL;
    drained(sender->drained_ctx);
}

/* Newer loads would only be encoded to stand behind what waits for memory, and take of that. */
static bool order_waits(struct leat_sender *sender)
{
    if (sender->encoded && !sender->keyed)
        return false;
    LEAT_LIST_EACH (node, &sender->shipments) {
        const struct leat_sender__shipment *shipment = LEAT_CONTAINER(node, struct leat_sender__shipment, link);
        if (leat_timer_runs(&shipment->timer) && shipment->want.began_ns)
            return true;
    }
    return false;
}

static void on_pump(struct leat_task *task)
{
    struct leat_sender *sender = task->ctx;
    if (sender->abandoned)
        leat_sender__drop_queue(sender, LEAT_DROP_SHUTDOWN);
    bool ready = leat_list_empty(&sender->queue) || leat_sender__prepare(sender);
    while (ready && !sender->held && sender->loads_out < (uint32_t)sender->concurrency) {
        struct leat_sender__shipment *shipment;
        if (order_waits(sender) || !leat_sender__take(sender, &shipment))
            break;
        leat_sender__shipment_start(shipment);
    }
    tell_drained(sender);
}

static void on_flush(struct leat_timer *timer)
{
    struct leat_sender *sender = timer->ctx;
    sender->flush_due = sender->queued_batches;
    leat_loop_defer(sender->loop, &sender->pump);
}

/* One held shot goes out to see whether the peer lets us in again; its answer decides for all. Before it, what has to be
 * there is prepared: it may be that it is gone. */
static void on_probe(struct leat_timer *timer)
{
    struct leat_sender *sender = timer->ctx;
    if (!leat_sender__prepare(sender)) { /* its end probes */
        leat_timer_start(sender->loop, &sender->probe, sender->hold_probe_ns);
        return;
    }
    LEAT_LIST_EACH (node, &sender->shots) {
        struct leat_sender__shot *shot = LEAT_CONTAINER(node, struct leat_sender__shot, link);
        if (shot->state != LEAT_SHOT_HELD)
            continue;
        shot->state = LEAT_SHOT_READY;
        leat_sender__shot_go(shot);
        return;
    }
    leat_sender__release_held(sender); /* the held ones are gone: the queue's next goes and sees */
}

leat_rc leat_sender_open(const struct leat_sender_opts *opts, struct leat_sender **ret_sender)
{
    struct leat_sender *sender = leat_zalloc(1, sizeof *sender);
    if (!sender)
        return LEAT_ENOMEM;
    sender->node.ops = &leat_sender__node_ops;
    sender->loop = opts->loop;
    sender->gate = opts->gate;
    sender->id = opts->id;
    sender->signal = opts->signal;
    sender->conf = opts->conf;
    sender->codec = *opts->codec;
    sender->carrier = opts->carrier;
    sender->coding = opts->coding;
    sender->coding_level = opts->coding_level;
    sender->totals = opts->totals;
    sender->pace_bytes = opts->pace_bytes;
    sender->hold_probe_ns = opts->hold_probe_ns ? opts->hold_probe_ns : HOLD_PROBE_NS;
    sender->concurrency = opts->totals->consumers_max;
    leat_list_init(&sender->queue);
    leat_list_init(&sender->loads);
    leat_list_init(&sender->shipments);
    leat_list_init(&sender->shots);
    leat_task_init(&sender->pump, on_pump, sender);
    sender->flush = (struct leat_timer){.fire = on_flush, .ctx = sender};
    sender->probe = (struct leat_timer){.fire = on_probe, .ctx = sender};
    *ret_sender = sender;
    return LEAT_OK;
}

struct leat_stage *leat_sender_node(struct leat_sender *sender)
{
    return &sender->node;
}
struct leat_ledger *leat_sender_ledger(struct leat_sender *sender)
{
    return &sender->ledger;
}

static uint64_t load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

void leat_sender_stats(const struct leat_sender *sender, struct leat_sender_stats *ret_stats)
{
    int64_t left = __atomic_load_n(&sender->totals->queue_left, __ATOMIC_RELAXED);
    *ret_stats = (struct leat_sender_stats){
        .queue_size = left < sender->totals->queue_size ? (uint64_t)(sender->totals->queue_size - left) : 0,
        .queue_capacity = (uint64_t)sender->totals->queue_size,
        .in_flight = (uint32_t)load(&sender->in_flight),
        .requests_sent = load(&sender->requests_sent),
        .requests_failed = load(&sender->requests_failed),
        .retries = load(&sender->retries),
        .splits = load(&sender->splits),
        .held = __atomic_load_n(&sender->held, __ATOMIC_RELAXED)};
}

void leat_sender_drain(struct leat_sender *sender, void (*drained)(void *ctx), void *ctx)
{
    sender->draining = true;
    sender->drained = drained;
    sender->drained_ctx = ctx;
    LEAT_LIST_EACH (node, &sender->shots) { /* waits are cut short: there may be no later */
        struct leat_sender__shot *shot = LEAT_CONTAINER(node, struct leat_sender__shot, link);
        if (shot->state == LEAT_SHOT_BACKOFF)
            leat_timer_start(sender->loop, &shot->timer, 1);
    }
    LEAT_LIST_EACH (node, &sender->shipments) {
        struct leat_sender__shipment *shipment = LEAT_CONTAINER(node, struct leat_sender__shipment, link);
        if (leat_timer_runs(&shipment->timer))
            leat_timer_start(sender->loop, &shipment->timer, 1);
    }
    if (sender->held)
        leat_timer_start(sender->loop, &sender->probe, 1);
    leat_loop_defer(sender->loop, &sender->pump);
}

static void on_abandoned_shot(struct leat_timer *timer)
{
    struct leat_sender__shot *shot = timer->ctx;
    leat_sender__settle_request(shot, 0, LEAT_DROP_SHUTDOWN);
    leat_sender__shot_end(shot);
}

/* A carrier may end a parcel inside cancel, and its shipment with it: begin again after each. */
static void cancel_all(struct leat_sender *sender)
{
    for (struct leat_list *node = sender->shots.next; node != &sender->shots;) {
        struct leat_sender__shot *shot = LEAT_CONTAINER(node, struct leat_sender__shot, link);
        node = node->next;
        if (shot->state != LEAT_SHOT_OUT || shot->canceled)
            continue;
        shot->canceled = true;
        sender->carrier->ops->cancel(sender->carrier, &shot->parcel);
        node = sender->shots.next;
    }
}

void leat_sender_abandon(struct leat_sender *sender)
{
    sender->draining = sender->abandoned = true;
    leat_timer_stop(sender->loop, &sender->probe);
    LEAT_LIST_EACH (node, &sender->shipments) {
        struct leat_sender__shipment *shipment = LEAT_CONTAINER(node, struct leat_sender__shipment, link);
        if (leat_timer_runs(&shipment->timer))
            leat_timer_start(sender->loop, &shipment->timer, 1);
    }
    LEAT_LIST_EACH (node, &sender->shots) {
        struct leat_sender__shot *shot = LEAT_CONTAINER(node, struct leat_sender__shot, link);
        if (shot->state == LEAT_SHOT_OUT)
            continue;
        shot->state = LEAT_SHOT_BACKOFF; /* it was READY in line, BACKOFF or HELD */
        shot->timer.fire = on_abandoned_shot;
        leat_timer_start(sender->loop, &shot->timer, 1);
    }
    cancel_all(sender);
    leat_sender__prepare_abandon(sender);
    leat_loop_defer(sender->loop, &sender->pump);
}

/* The books against the things themselves. */
bool leat_sender_check(const struct leat_sender *sender)
{
    uint64_t items = sender->queued_items;
    for (const struct leat_list *node = sender->loads.next; node != &sender->loads; node = node->next) {
        const struct leat_sender__load *load = LEAT_CONTAINER(node, const struct leat_sender__load, link);
        for (uint32_t i = 0; i < load->part_count; i++)
            items += load->parts[i].left;
    }
    return items == sender->ledger.held && leat_ledger_balances(&sender->ledger);
}

struct leat_sender *leat_sender_close(struct leat_sender *sender)
{
    if (!sender)
        return NULL;
    LEAT_CHECK(sender->loads_out == 0 && leat_list_empty(&sender->queue));
    leat_sender__prepare_end(sender);
    leat_timer_stop(sender->loop, &sender->flush);
    leat_timer_stop(sender->loop, &sender->probe);
    leat_task_cancel(&sender->pump);
    sender->carrier->ops->close(sender->carrier);
    leat_free(sender);
    return NULL;
}
