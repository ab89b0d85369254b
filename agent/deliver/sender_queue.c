/* SPDX-License-Identifier: Apache-2.0 */
/* What may wait, for how long, and what leaves together. */
#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/obj.h"
#include "agent/deliver/sender_inner.h"

#define TAKE_RETRY_NS 100000000ull

#define PACE_NS 1000000000ull

static int64_t size_of(int sizer, const struct leat_batch *batch)
{
    if (sizer == LEAT_SIZER_ITEMS)
        return batch->item_count;
    return sizer == LEAT_SIZER_BYTES ? (int64_t)batch->payload.bytes : 1;
}

int64_t leat_sender__units(const struct leat_sender *sender, const struct leat_batch *batch)
{
    return size_of(sender->conf->queue.sizer, batch);
}

static bool same_batch(const struct leat_sender__reserved *reserved, int64_t units)
{
    return reserved->depth && reserved->at[reserved->depth - 1].units == units;
}

static void note(struct leat_sender__reserved *reserved, int64_t units)
{
    if (!same_batch(reserved, units)) {
        reserved->at[reserved->depth].units = units;
        reserved->at[reserved->depth++].count = 0;
    }
    reserved->at[reserved->depth - 1].count++;
}

/* A batch larger than the whole queue passes when nothing else is there: it could never pass otherwise. For the same
 * reason one that reaches this queue by several ways at once passes by all of them when it passes by the first. */
bool leat_sender__reserve(struct leat_sender_totals *totals, struct leat_sender__reserved *reserved, int64_t units)
{
    bool again = same_batch(reserved, units);
    if (!again && reserved->depth == LEAT_SENDER__NESTED_MAX)
        return false;
    int64_t left = __atomic_sub_fetch(&totals->queue_left, units, __ATOMIC_RELAXED);
    if (left < 0 && left + units != totals->queue_size && !again) {
        __atomic_add_fetch(&totals->queue_left, units, __ATOMIC_RELAXED);
        return false;
    }
    note(reserved, units);
    return true;
}

int64_t leat_sender__unreserve(struct leat_sender__reserved *reserved)
{
    LEAT_CHECK(reserved->depth > 0);
    int64_t units = reserved->at[reserved->depth - 1].units;
    if (--reserved->at[reserved->depth - 1].count == 0)
        reserved->depth--;
    return units;
}

static void give_credit(struct leat_sender *sender, int64_t units)
{
    __atomic_add_fetch(&sender->totals->queue_left, units, __ATOMIC_RELAXED);
    leat_gate_open(sender->gate);
}

/* A source that is willing to wait (block_on_overflow) is slowed down before the queue is full, as long as the
 * destination moves: what waits here costs memory and gains nothing. A destination that stands still gets its whole
 * queue. */
static bool paced(const struct leat_sender *sender)
{
    return sender->pace_bytes && sender->conf->queue.block_on_overflow && sender->queued_bytes > sender->pace_bytes &&
           leat_loop_now_ns(sender->loop) - sender->moved_ns < PACE_NS;
}

static uint64_t patient_bytes_max(const struct leat_sender *sender) { return sender->pace_bytes / 2; }

/* What is tailed lies safely in its file: of such sources no more is taken than half of what they leave unacknowledged, so
 * that a dead destination shows as full before it has stopped them for all. */
static bool enough_of_patient(struct leat_sender *sender, const struct leat_batch *batch)
{
    uint64_t held = sender->queued_bytes + sender->out_bytes;
    if (!batch->patient || !sender->pace_bytes)
        return false;
    sender->refused_patient = held > 0 && held + batch->payload.bytes > patient_bytes_max(sender);
    return sender->refused_patient;
}

static leat_rc queue_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_sender *sender = LEAT_CONTAINER(node, struct leat_sender, node);
    int64_t units = leat_sender__units(sender, batch);
    if (sender->abandoned &&
        sender->reserved.depth < LEAT_SENDER__NESTED_MAX) { /* what still comes flows to its counted end */
        __atomic_sub_fetch(&sender->totals->queue_left, units, __ATOMIC_RELAXED);
        note(&sender->reserved, units);
        return LEAT_OK;
    }
    if (!sender->draining && !paced(sender) && !enough_of_patient(sender, batch) &&
        leat_sender__reserve(sender->totals, &sender->reserved, units))
        return LEAT_OK;
    leat_ledger__add(&sender->ledger.refused, batch->item_count);
    return LEAT_AGAIN;
}

static void queue_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    struct leat_sender *sender = LEAT_CONTAINER(node, struct leat_sender, node);
    __atomic_add_fetch(&sender->totals->queue_left, leat_sender__unreserve(&sender->reserved), __ATOMIC_RELAXED);
}

static void append(struct leat_sender *sender, struct leat_batch *batch)
{
    leat_list_push(&sender->queue, &batch->link);
    sender->queued_batches++;
    sender->queued_items += batch->item_count;
    sender->queued_bytes += batch->payload.bytes;
}

static void queue_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct leat_sender *sender = LEAT_CONTAINER(node, struct leat_sender, node);
    leat_sender__put_reserved(sender, batch, leat_sender__unreserve(&sender->reserved));
}

void leat_sender__put_reserved(struct leat_sender *sender, struct leat_batch *batch, int64_t units)
{
    if (batch->item_count == 0) { /* an edit has left nothing of it */
        leat_batch_end(batch, LEAT_DELIVERED, 0);
        give_credit(sender, units);
        return;
    }
    int64_t more = leat_sender__units(sender, batch) - units; /* an edit may have changed its size */
    __atomic_sub_fetch(&sender->totals->queue_left, more, __ATOMIC_RELAXED);
    leat_ledger_in(&sender->ledger, batch->item_count, batch->payload.bytes);
    append(sender, batch);
    leat_loop_defer(sender->loop, &sender->pump);
}

static bool queue_drained(const struct leat_stage *node)
{
    const struct leat_sender *sender = LEAT_CONTAINER(node, const struct leat_sender, node);
    if (sender->refused_patient && (sender->queued_bytes + sender->out_bytes) * 2 > patient_bytes_max(sender))
        return false;
    return __atomic_load_n(&sender->totals->queue_left, __ATOMIC_RELAXED) * 2 >= sender->totals->queue_size;
}

const struct leat_stage_ops leat_sender__node_ops = {queue_reserve, queue_cancel, queue_put, queue_drained};

/* ---- taking ---- */

static bool batches(const struct leat_sender *sender)
{
    return sender->conf->queue.enabled && sender->conf->queue.batch.present && sender->conf->queue.batch.enabled;
}

static int batch_sizer(const struct leat_sender *sender)
{
    const struct leat_queue_conf *queue = &sender->conf->queue;
    if (queue->batch.sizer)
        return queue->batch.sizer;
    return queue->sizer == LEAT_SIZER_REQUESTS ? LEAT_SIZER_ITEMS : queue->sizer;
}

static bool enough(struct leat_sender *sender)
{
    uint64_t there = batch_sizer(sender) == LEAT_SIZER_ITEMS ? sender->queued_items : sender->queued_bytes;
    if (!batches(sender) || sender->flush_due || sender->draining ||
        there >= (uint64_t)sender->conf->queue.batch.min_size)
        return true;
    if (!leat_timer_runs(&sender->flush))
        leat_timer_start(sender->loop, &sender->flush, (uint64_t)sender->conf->queue.batch.flush_timeout_ns);
    return false;
}

static struct leat_batch *head_of(struct leat_sender *sender)
{
    return leat_list_empty(&sender->queue) ? NULL : LEAT_CONTAINER(sender->queue.next, struct leat_batch, link);
}

static void pop(struct leat_sender *sender, struct leat_batch *batch)
{
    leat_list_remove(&batch->link);
    sender->queued_batches--;
    sender->flush_due -= sender->flush_due > 0;
    sender->queued_items -= batch->item_count;
    sender->queued_bytes -= batch->payload.bytes;
}

/* How many of the oldest batches go together, all of them whole; one at least. */
static uint32_t count_together(struct leat_sender *sender)
{
    if (!batches(sender))
        return 1;
    const struct leat_batch *head = head_of(sender);
    int sizer = batch_sizer(sender);
    int64_t sum = 0, max = sender->conf->queue.batch.max_size, min = sender->conf->queue.batch.min_size;
    uint32_t n = 0;
    LEAT_LIST_EACH (node, &sender->queue) {
        const struct leat_batch *batch = LEAT_CONTAINER(node, struct leat_batch, link);
        int64_t size = size_of(sizer, batch);
        if (n && (batch->form != head->form || !batch->form->merge || !batch->form->can_merge(batch->signal) ||
                  !leat_meta_eq(batch->meta, head->meta) || sum >= min || (max && sum + size > max)))
            break;
        sum += size;
        n++;
    }
    return n;
}

/* How much of a batch of `size` its head takes: half of the pieces it will make, so that n items leave as k pieces after
 * n * log(k) steps of cutting instead of n * k; a peer chooses n, and max_size may be small. */
static int64_t head_size(int64_t size, int64_t max)
{
    int64_t pieces = (size + max - 1) / max;
    return max * (pieces > 2 ? pieces / 2 : 1);
}

/* The oldest batch is over max_size: a part of it leaves as a batch of its own before it. False: it fits, or cannot be
 * cut now: then it goes whole. */
static bool cut_head(struct leat_sender *sender)
{
    struct leat_batch *batch = head_of(sender);
    int64_t max = sender->conf->queue.batch.max_size;
    int sizer = batch_sizer(sender);
    if (!batches(sender) || max == 0 || !batch->form->cut || size_of(sizer, batch) <= max || batch->item_count < 2)
        return false;
    int64_t want = head_size(size_of(sizer, batch), max);
    struct leat_batch *first = leat_batch_new(batch->signal, batch->form);
    struct leat_chain tail = {0};
    uint32_t items_max = sizer == LEAT_SIZER_ITEMS ? (uint32_t)want : 0;
    uint64_t bytes_max = sizer == LEAT_SIZER_BYTES ? (uint64_t)want : 0;
    if (!first ||
        batch->form->cut(batch->signal, &batch->payload, items_max, bytes_max, &first->payload, &first->item_count,
                         &tail, NULL) != LEAT_OK ||
        tail.bytes == 0) {
        leat_chain_done(&tail);
        leat_batch_free(first);
        return false;
    }
    first->meta = leat_meta_ref(batch->meta);
    first->ack = batch->ack;
    leat_ack_split(batch->ack, 1);
    first->born_ns = batch->born_ns;
    int64_t more = -leat_sender__units(sender, batch);
    sender->queued_bytes -= batch->payload.bytes;
    leat_chain_done(&batch->payload);
    batch->payload = tail;
    batch->item_count -= first->item_count;
    leat_list_push_front(&sender->queue, &first->link);
    sender->queued_batches++;
    sender->flush_due += sender->flush_due > 0;
    sender->queued_bytes += first->payload.bytes + batch->payload.bytes;
    more += leat_sender__units(sender, batch) + leat_sender__units(sender, first);
    __atomic_sub_fetch(&sender->totals->queue_left, more, __ATOMIC_RELAXED);
    return true;
}

/* The batch leaves the queue and becomes a part of the load; its payload stays with the caller. */
static void add_part(struct leat_sender__load *load, struct leat_batch *batch)
{
    pop(load->sender, batch);
    load->parts[load->part_count++] =
        (struct leat_sender__part){.ack = batch->ack, .first = load->item_count, .left = batch->item_count};
    load->item_count += batch->item_count;
    load->units += leat_sender__units(load->sender, batch);
    load->payload_bytes += batch->payload.bytes;
    load->sender->out_bytes += batch->payload.bytes;
}

static void begin(struct leat_sender__load *load, struct leat_sender__shipment *shipment, struct leat_batch *batch)
{
    add_part(load, batch);
    load->meta = batch->meta;
    shipment->batch = *batch;
    shipment->batch.ack = NULL;
    leat_list_init(&shipment->batch.link);
    batch->payload = (struct leat_chain){0};
    batch->meta = NULL;
    leat_batch_free(batch);
}

static bool join(struct leat_sender__load *load, struct leat_sender__shipment *shipment, struct leat_batch *batch)
{
    struct leat_chain *into = &shipment->batch.payload;
    if (leat_chain_reserve(into, batch->payload.count) != LEAT_OK)
        return false;
    struct leat_chain moved = batch->payload;
    if (batch->form->merge(batch->signal, into, &moved) != LEAT_OK)
        return false;
    add_part(load, batch); /* still counts by the payload's size, whose bytes have moved on */
    shipment->batch.item_count += batch->item_count;
    batch->payload = (struct leat_chain){0};
    leat_batch_free(batch);
    return true;
}

static uint32_t log2_up(uint32_t n)
{
    uint32_t bits = 0;
    while (bits < 31 && (1u << bits) < n)
        bits++;
    return bits;
}

static struct leat_sender__load *load_new(struct leat_sender *sender, uint32_t parts,
                                          struct leat_sender__shipment **ret_shipment)
{
    uint64_t bytes = sizeof(struct leat_sender__load) + parts * sizeof(struct leat_sender__part);
    struct leat_sender__load *load = leat_obj_new(bytes);
    if (!load)
        return NULL;
    load->bytes = bytes;
    load->sender = sender;
    load->token = leat_loop_world(sender->loop)->random(leat_loop_world(sender->loop));
    *ret_shipment = leat_sender__shipment_new(load);
    if (*ret_shipment)
        return load;
    leat_obj_free(load, bytes);
    return NULL;
}

struct leat_sender__load *leat_sender__take(struct leat_sender *sender, struct leat_sender__shipment **ret_shipment)
{
    if (leat_list_empty(&sender->queue) || !enough(sender))
        return NULL;
    while (cut_head(sender)) {
    }
    uint32_t count = count_together(sender);
    struct leat_sender__shipment *shipment;
    struct leat_sender__load *load = load_new(sender, count, &shipment);
    if (!load) { /* nobody else may come by to try again */
        leat_timer_start(sender->loop, &sender->flush, TAKE_RETRY_NS);
        return NULL;
    }
    begin(load, shipment, head_of(sender));
    while (load->part_count < count && join(load, shipment, head_of(sender))) {
    }
    leat_list_push(&sender->loads, &load->link);
    sender->loads_out++;
    leat_timer_stop(sender->loop, &sender->flush); /* it was the oldest batch's; the next one waits from here on */
    load->isolate_left = load->part_count + 2 * log2_up(load->item_count);
    *ret_shipment = shipment;
    return load;
}

void leat_sender__drop_queue(struct leat_sender *sender, enum leat_drop reason)
{
    for (struct leat_batch *batch; (batch = head_of(sender));) {
        int64_t units = leat_sender__units(sender, batch);
        pop(sender, batch);
        leat_ledger_drop(&sender->ledger, reason, batch->item_count);
        leat_batch_end(batch, LEAT_DROPPED, reason);
        give_credit(sender, units);
    }
}
