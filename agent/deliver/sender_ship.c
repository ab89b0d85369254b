/* SPDX-License-Identifier: Apache-2.0 */
/* The life of shipments and shots: encode, compress, send, wait, send again. */
#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/obj.h"
#include "agent/deliver/sender_inner.h"
#include "agent/net/coding.h"

#define ENCODE_RETRY_NS 100000000ull
#define DRAIN_RETRY_NS_MAX 500000000ull
#define DRAIN_PROBE_NS 1000000000ull

void leat_sender__complain(struct leat_sender *sender, enum leat_level level, const char *what, const char *text)
{
    uint32_t missed;
    if (!leat_log_may(&sender->complaint, leat_loop_now_ns(sender->loop), &missed))
        return;
    if (missed)
        leat_log(level, sender->id, "%s: %s (and %u more since the last message)", what, text, missed);
    else
        leat_log(level, sender->id, "%s: %s", what, text);
}

/* ---- shipments ---- */

static void go_on(struct leat_sender *sender, uint64_t key);

static void on_encode_again(struct leat_timer *timer)
{
    struct leat_sender__shipment *shipment = timer->ctx;
    struct leat_sender *sender = shipment->load->sender;
    uint64_t key = shipment->order_key;
    leat_sender__shipment_start(shipment);
    go_on(sender, key);
}

struct leat_sender__shipment *leat_sender__shipment_new(struct leat_sender__load *load)
{
    struct leat_sender__shipment *shipment = leat_obj_new(sizeof *shipment);
    if (!shipment)
        return NULL;
    shipment->load = load;
    shipment->timer = (struct leat_timer){.fire = on_encode_again, .ctx = shipment};
    leat_list_push(&load->sender->shipments, &shipment->link);
    load->shipments++;
    return shipment;
}

/* One shot per request, as long as the requests are there. */
static void shots_free(struct leat_sender__shipment *shipment)
{
    leat_obj_free(shipment->shots, shipment->requests.count * sizeof *shipment->shots);
    shipment->shots = NULL;
}

static void load_end(struct leat_sender__load *load)
{
    struct leat_sender *sender = load->sender;
    for (uint32_t i = 0; i < load->part_count; i++)
        LEAT_CHECK(load->parts[i].left == 0);
    __atomic_add_fetch(&sender->totals->queue_left, load->units, __ATOMIC_RELAXED);
    sender->out_bytes -= load->payload_bytes;
    leat_meta_unref(load->meta);
    leat_list_remove(&load->link);
    sender->loads_out--;
    leat_obj_free(load, load->bytes);
    leat_gate_open(sender->gate);
    leat_loop_defer(sender->loop, &sender->pump);
}

void leat_sender__shipment_end(struct leat_sender__shipment *shipment)
{
    struct leat_sender__load *load = shipment->load;
    LEAT_CHECK(shipment->shots_open == 0);
    leat_timer_stop(load->sender->loop, &shipment->timer);
    leat_list_remove(&shipment->link);
    shots_free(shipment);
    leat_requests_done(&shipment->requests);
    leat_chain_done(&shipment->batch.payload);
    leat_free(shipment->map);
    leat_obj_free(shipment, sizeof *shipment);
    if (--load->shipments == 0)
        load_end(load);
}

static void shipment_fail(struct leat_sender__shipment *shipment, enum leat_drop reason)
{
    leat_sender__settle(shipment, 0, shipment->batch.item_count, LEAT_DROPPED, reason);
    leat_sender__shipment_end(shipment);
}

/* A small batch may become many times its size: each of its documents repeats a huge resource. No wait makes it fit. */
static bool outgrows_memory(const struct leat_requests *requests)
{
    const struct leat_budget *budget = leat_pool_budget(leat_pool_here());
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < requests->count; i++)
        bytes += requests->at[i].body.bytes;
    return budget && budget->hard_bytes && bytes > budget->hard_bytes / LEAT_SENDER__SHARE_MAX;
}

/* There was no memory: when there may be some, or in parts; what has no parts and will find none is given up. */
static void encode_later(struct leat_sender__shipment *shipment)
{
    struct leat_sender *sender = shipment->load->sender;
    bool parts = shipment->batch.item_count > 1 && shipment->batch.form->pick;
    bool outgrown = outgrows_memory(&shipment->requests);
    shots_free(shipment);
    leat_requests_done(&shipment->requests);
    bool vain = leat_sender__in_vain(sender, &shipment->want, parts);
    if (parts && (outgrown || vain) && leat_sender__shipment_halve(shipment, ENCODE_RETRY_NS))
        return;
    if (!parts && vain) {
        leat_sender__complain(sender, LEAT_LOG_ERROR, "data dropped", "encoded it takes more memory than there is");
        shipment_fail(shipment, LEAT_DROP_MEMORY);
        return;
    }
    leat_timer_start(sender->loop, &shipment->timer, ENCODE_RETRY_NS);
}

static void settle_rejects(struct leat_sender__shipment *shipment)
{
    const struct leat_requests *requests = &shipment->requests;
    leat_sender__bury_rejects(shipment);
    for (uint32_t i = 0; i < requests->reject_count; i++) {
        const struct leat_reject *reject = &requests->rejects[i];
        leat_sender__complain(shipment->load->sender, LEAT_LOG_WARN, "items dropped", reject->reason);
        leat_sender__settle(shipment, reject->item, reject->count, LEAT_DROPPED, LEAT_DROP_ENCODE);
    }
}

static void on_backoff(struct leat_timer *timer)
{
    struct leat_sender__shot *shot = timer->ctx;
    shot->state = LEAT_SHOT_READY;
    leat_sender__shot_go(shot);
}

static void on_done(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err);

static leat_rc shots_new(struct leat_sender__shipment *shipment)
{
    struct leat_sender *sender = shipment->load->sender;
    uint32_t count = shipment->requests.count;
    shipment->shots = leat_obj_new(count * sizeof *shipment->shots);
    if (!shipment->shots)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct leat_sender__shot *shot = &shipment->shots[i];
        shot->shipment = shipment;
        shot->preparations = sender->preparations;
        shot->request = &shipment->requests.at[i];
        shot->timer = (struct leat_timer){.fire = on_backoff, .ctx = shot};
        shot->parcel = (struct leat_parcel){.request = shot->request,
                                            .meta = shipment->load->meta,
                                            .signal = sender->signal,
                                            .done = on_done,
                                            .timeout_ns = (uint64_t)sender->conf->timeout_ns};
        shot->backoff = shipment->backoff;
    }
    return LEAT_OK;
}

void leat_sender__shipment_start(struct leat_sender__shipment *shipment)
{
    struct leat_sender *sender = shipment->load->sender;
    struct leat_err err = {0};
    if (sender->abandoned) {
        shipment_fail(shipment, LEAT_DROP_SHUTDOWN);
        return;
    }
    shipment->requests.origin =
        (struct leat_origin){.token = shipment->load->token, .first = shipment->first, .items = shipment->map};
    leat_rc rc = sender->codec.encode(sender->codec.state, &shipment->batch, &shipment->requests, &err);
    if (rc == LEAT_OK)
        rc = shots_new(shipment);
    if (rc != LEAT_OK && leat_rc_fate(rc) == LEAT_FATE_RETRY) {
        encode_later(shipment);
        return;
    }
    if (rc != LEAT_OK) {
        leat_sender__complain(sender, LEAT_LOG_ERROR, "cannot encode", err.text);
        leat_requests_done(&shipment->requests);
        shipment_fail(shipment, LEAT_DROP_ENCODE);
        return;
    }
    settle_rejects(shipment);
    uint32_t count = shipment->shots_open = shipment->requests.count;
    sender->encoded |= count != 0;
    for (uint32_t i = 0; i < count; i++) {
        sender->keyed |= shipment->requests.at[i].order_key != 0;
        leat_list_push(&sender->shots, &shipment->shots[i].link);
    }
    if (count == 0)
        leat_sender__shipment_end(shipment);
    else
        for (uint32_t i = 0; i < count; i++) /* send never calls back from inside: the shipment lives through this */
            leat_sender__shot_go(&shipment->shots[i]);
}

/* ---- shots ---- */

/* Of those with this key the one that goes first. NULL: it waits to be encoded. */
static struct leat_sender__shot *first_of(struct leat_sender *sender, uint64_t key)
{
    LEAT_LIST_EACH (node, &sender->shipments) {
        struct leat_sender__shipment *shipment = LEAT_CONTAINER(node, struct leat_sender__shipment, link);
        if (leat_timer_runs(&shipment->timer) && (!shipment->order_key || shipment->order_key == key))
            return NULL;
        for (uint32_t i = 0; shipment->shots && i < shipment->requests.count; i++)
            if (shipment->shots[i].request->order_key == key && shipment->shots[i].state != LEAT_SHOT_DONE)
                return &shipment->shots[i];
    }
    return NULL;
}

/* The next one of this key, when it is one that only waited for its turn. */
static void go_next(struct leat_sender *sender, uint64_t key)
{
    struct leat_sender__shot *next = first_of(sender, key);
    if (next && next->state == LEAT_SHOT_READY && !leat_timer_runs(&next->timer))
        leat_sender__shot_go(next);
}

void leat_sender__shot_end(struct leat_sender__shot *shot)
{
    struct leat_sender__shipment *shipment = shot->shipment;
    struct leat_sender *sender = shipment->load->sender;
    uint64_t key = shot->request->order_key;
    shot->state = LEAT_SHOT_DONE;
    leat_timer_stop(sender->loop, &shot->timer);
    leat_list_remove(&shot->link);
    leat_chain_done(&shot->request->body);
    if (sender->held && !sender->abandoned && !leat_timer_runs(&sender->probe)) /* it was the one that probed */
        leat_timer_start(sender->loop, &sender->probe, sender->hold_probe_ns);
    if (--shipment->shots_open == 0)
        leat_sender__shipment_end(shipment);
    if (key)
        go_next(sender, key);
}

static bool its_turn(const struct leat_sender__shot *shot)
{
    uint64_t key = shot->request->order_key;
    return !key || first_of(shot->shipment->load->sender, key) == shot;
}

static leat_rc compress(struct leat_sender__shot *shot)
{
    struct leat_sender *sender = shot->shipment->load->sender;
    struct leat_chain coded = {0};
    if (shot->coded || shot->request->precoded || sender->coding == LEAT_CODING_NONE)
        return LEAT_OK;
    leat_rc rc = leat_encode(sender->coding, sender->coding_level, &shot->request->body, &coded, NULL);
    if (rc != LEAT_OK)
        return rc;
    leat_chain_done(&shot->request->body);
    shot->request->body = coded;
    shot->parcel.coding = sender->coding;
    shot->coded = true;
    return LEAT_OK;
}

/* There was no memory. It stays READY: it gives none back by itself. */
static void compress_later(struct leat_sender__shot *shot)
{
    struct leat_sender *sender = shot->shipment->load->sender;
    bool parts = shot->request->count > 1 && shot->shipment->batch.form->pick;
    bool vain = leat_sender__in_vain(sender, &shot->want, parts);
    if (!vain || !leat_sender__shot_split(shot, LEAT_DROP_MEMORY, "compressed it takes more memory than there is"))
        leat_timer_start(sender->loop, &shot->timer, ENCODE_RETRY_NS);
}

void leat_sender__shot_go(struct leat_sender__shot *shot)
{
    struct leat_sender *sender = shot->shipment->load->sender;
    if (shot->state != LEAT_SHOT_READY || !its_turn(shot))
        return;
    if (leat_sender__shot_outdated(shot)) {
        if (!leat_sender__shot_renew(shot))
            leat_timer_start(sender->loop, &shot->timer, ENCODE_RETRY_NS);
        return;
    }
    if (compress(shot) != LEAT_OK) {
        compress_later(shot);
        return;
    }
    leat_timer_stop(sender->loop, &shot->timer);
    shot->state = LEAT_SHOT_OUT;
    if (!shot->backoff.began_ns)
        shot->backoff.began_ns = leat_loop_now_ns(sender->loop);
    leat_ledger__add(&sender->requests_sent, 1);
    leat_ledger__add(&sender->in_flight, 1);
    if (shot->parcel.attempt)
        leat_ledger__add(&sender->ledger.repeated, shot->request->count);
    leat_ledger__add(&sender->ledger.bytes_out, shot->request->body.bytes);
    sender->carrier->ops->send(sender->carrier, &shot->parcel);
}

/* What stood behind a shipment that waited to be encoded (of its key; 0: of any), or was kept in the queue. */
static void go_on(struct leat_sender *sender, uint64_t key)
{
    leat_loop_defer(sender->loop, &sender->pump);
    if (key) {
        go_next(sender, key);
        return;
    }
    for (struct leat_list *node = sender->shots.next; sender->keyed && node != &sender->shots;) {
        struct leat_sender__shot *shot = LEAT_CONTAINER(node, struct leat_sender__shot, link);
        node = node->next;
        if (shot->state != LEAT_SHOT_READY || leat_timer_runs(&shot->timer) || !its_turn(shot))
            continue;
        leat_sender__shot_go(shot);
        node = sender->shots.next; /* others may have gone with it */
    }
}

uint64_t leat_sender__wait(struct leat_sender__shot *shot, uint64_t peer_wait_ns)
{
    struct leat_sender *sender = shot->shipment->load->sender;
    const struct leat_retry_conf *retry = &sender->conf->retry;
    if (sender->abandoned)
        return 0;
    if (!retry->enabled)
        return UINT64_MAX;
    uint64_t wait = leat_backoff_next(&shot->backoff, retry, leat_loop_world(sender->loop), peer_wait_ns);
    return sender->draining && wait != UINT64_MAX && wait > DRAIN_RETRY_NS_MAX ? DRAIN_RETRY_NS_MAX : wait;
}

void leat_sender__shot_again(struct leat_sender__shot *shot, uint64_t wait_ns)
{
    struct leat_sender *sender = shot->shipment->load->sender;
    if (wait_ns == UINT64_MAX || sender->abandoned) {
        leat_sender__settle_request(shot, 0, sender->abandoned ? LEAT_DROP_SHUTDOWN : LEAT_DROP_RETRY_EXHAUSTED);
        leat_sender__shot_end(shot);
        return;
    }
    leat_ledger__add(&sender->retries, 1);
    shot->parcel.attempt++;
    shot->state = LEAT_SHOT_BACKOFF;
    leat_timer_start(sender->loop, &shot->timer, wait_ns);
}

void leat_sender__shot_retry(struct leat_sender__shot *shot, uint64_t peer_wait_ns)
{
    leat_sender__shot_again(shot, leat_sender__wait(shot, peer_wait_ns));
}

static void on_done(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err)
{
    struct leat_sender__shot *shot = LEAT_CONTAINER(parcel, struct leat_sender__shot, parcel);
    struct leat_sender *sender = shot->shipment->load->sender;
    leat_ledger__add(&sender->in_flight, (uint64_t)-1);
    if (reply) {
        leat_sender__judge(shot, reply);
        return;
    }
    leat_ledger__add(&sender->requests_failed, 1);
    if (sender->abandoned) {
        leat_sender__settle_request(shot, 0, LEAT_DROP_SHUTDOWN);
        leat_sender__shot_end(shot);
        return;
    }
    leat_sender__complain(sender, LEAT_LOG_WARN, "sending failed", err->text);
    if (sender->held && leat_rc_fate(err->code) == LEAT_FATE_RETRY) { /* on hold nothing is given up */
        leat_sender__shot_hold(shot);
        return;
    }
    if (leat_rc_fate(err->code) == LEAT_FATE_RETRY) {
        leat_sender__shot_retry(shot, 0);
        return;
    }
    leat_sender__bury_request(shot, LEAT_DROP_REFUSED, err->text);
    leat_sender__settle_request(shot, 0, LEAT_DROP_REFUSED);
    leat_sender__shot_end(shot);
}

/* Waits with the others for a probe that passes. */
void leat_sender__shot_hold(struct leat_sender__shot *shot)
{
    struct leat_sender *sender = shot->shipment->load->sender;
    __atomic_store_n(&sender->held, true, __ATOMIC_RELAXED);
    shot->state = LEAT_SHOT_HELD;
    shot->backoff = (struct leat_backoff){0}; /* the time on hold is no time of trying */
    shot->parcel.attempt++;
    if (!leat_timer_runs(&sender->probe))
        leat_timer_start(sender->loop, &sender->probe, sender->draining ? DRAIN_PROBE_NS : sender->hold_probe_ns);
}

void leat_sender__release_held(struct leat_sender *sender)
{
    __atomic_store_n(&sender->held, false, __ATOMIC_RELAXED);
    leat_timer_stop(sender->loop, &sender->probe);
    LEAT_LIST_EACH (node, &sender->shots) {
        struct leat_sender__shot *shot = LEAT_CONTAINER(node, struct leat_sender__shot, link);
        if (shot->state == LEAT_SHOT_HELD) {
            shot->state = LEAT_SHOT_READY;
            leat_sender__shot_go(shot);
        }
    }
    leat_loop_defer(sender->loop, &sender->pump);
}
