/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict does to the items of a request. */
#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/obj.h"
#include "agent/deliver/sender_inner.h"

#define SLOW_DOWN_NS 100000000ull /* the peer's load is not news more often than this */

static struct leat_sender *sender_of(const struct leat_sender__shot *shot)
{
    return shot->shipment->load->sender;
}

/* ---- concurrency: additive growth, multiplicative retreat ---- */

static void went_well(struct leat_sender *sender)
{
    double max = sender->totals->consumers_max;
    sender->concurrency += 1 / sender->concurrency;
    if (sender->concurrency > max)
        sender->concurrency = max;
}

static void went_slow(struct leat_sender *sender)
{
    uint64_t now = leat_loop_now_ns(sender->loop);
    if (now < sender->slowed_ns + SLOW_DOWN_NS)
        return;
    sender->slowed_ns = now;
    sender->concurrency = sender->concurrency / 2 < 1 ? 1 : sender->concurrency / 2;
}

/* ---- new shipments out of some items of an old one ---- */

/* The items whose bits are set (over the shipment's items) as a shipment of their own; NULL when it cannot be made. */
static struct leat_sender__shipment *ship_some(struct leat_sender__shipment *from, uint64_t order_key,
                                               const struct leat_backoff *backoff, const uint8_t *bits, uint32_t count)
{
    const struct leat_batch *batch = &from->batch;
    struct leat_sender__shipment *some = leat_sender__shipment_new(from->load);
    if (!some)
        return NULL;
    some->map = leat_alloc(count * sizeof *some->map);
    if (!some->map || batch->form->pick(batch->signal, &batch->payload, bits, &some->batch.payload, NULL) != LEAT_OK) {
        from->load->shipments--;
        leat_list_remove(&some->link);
        leat_free(some->map);
        leat_obj_free(some, sizeof *some);
        return NULL;
    }
    leat_list_remove(&some->link);
    leat_list_push(&from->link, &some->link); /* before it */
    for (uint32_t i = 0, n = 0; n < count; i++)
        if (leat_bitmap_get(bits, i))
            some->map[n++] = from->map ? from->map[i] : from->first + i;
    some->order_key = order_key;
    some->batch.signal = batch->signal;
    some->batch.form = batch->form;
    some->batch.item_count = count;
    some->batch.meta = batch->meta;
    leat_list_init(&some->batch.link);
    some->backoff = *backoff;
    return some;
}

static uint8_t *bits_new(const struct leat_sender__shot *shot)
{
    return leat_zalloc(shot->shipment->batch.item_count / 8 + 1, 1);
}

static void start_later(struct leat_sender__shipment *shipment, uint64_t wait_ns)
{
    leat_timer_start(shipment->load->sender->loop, &shipment->timer, wait_ns);
}

static bool ship_shot(struct leat_sender__shot *shot, const uint8_t *bits, uint32_t count, uint64_t wait_ns)
{
    struct leat_sender__shipment *some = ship_some(shot->shipment, shot->request->order_key, &shot->backoff, bits, count);
    if (some)
        start_later(some, wait_ns);
    return some != NULL;
}

/* Sends the request's items [from, to) by themselves. */
static bool ship_range(struct leat_sender__shot *shot, uint32_t from, uint32_t to)
{
    uint8_t *bits = bits_new(shot);
    if (!bits)
        return false;
    uint32_t item = leat_sender__item(shot->request, from);
    leat_bitmap_set(bits, item);
    for (uint32_t k = from + 1; k < to; k++)
        leat_bitmap_set(bits, item = leat_sender__item_after(shot->request, item));
    bool made = ship_shot(shot, bits, to - from, 0);
    leat_free(bits);
    return made;
}

/* Shipments of their own instead of the request; the one from item k on ends at end_of(k). How many; 0: there is no memory
 * for one of them, and the request stays as it was. */
static uint32_t divide(struct leat_sender__shot *shot, uint32_t (*end_of)(const struct leat_sender__shot *shot, uint32_t k))
{
    struct leat_list *from = &shot->shipment->link;
    uint32_t made = 0;
    for (uint32_t k = 0, end; k < shot->request->count; k = end, made++) {
        end = end_of(shot, k);
        if (ship_range(shot, k, end))
            continue;
        while (made--) /* they stand right before it */
            leat_sender__shipment_end(LEAT_CONTAINER(from->prev, struct leat_sender__shipment, link));
        return 0;
    }
    leat_sender__shot_end(shot);
    return made;
}

static uint32_t end_of_all(const struct leat_sender__shot *shot, uint32_t k)
{
    (void)k;
    return shot->request->count;
}

static uint32_t end_of_half(const struct leat_sender__shot *shot, uint32_t k)
{
    uint32_t count = shot->request->count;
    return k < count / 2 ? count / 2 : count;
}

static uint32_t halve(struct leat_sender__shot *shot)
{
    struct leat_sender *sender = sender_of(shot);
    uint32_t made = divide(shot, end_of_half);
    leat_ledger__add(&sender->splits, made != 0);
    return made;
}

static bool can_pick(const struct leat_sender__shot *shot)
{
    return shot->shipment->batch.form->pick != NULL;
}

/* Items [from, to) of a shipment that has no requests. NULL: it cannot be made. */
static struct leat_sender__shipment *ship_part(struct leat_sender__shipment *shipment, uint32_t from, uint32_t to)
{
    uint8_t *bits = leat_zalloc(shipment->batch.item_count / 8 + 1, 1);
    for (uint32_t i = from; bits && i < to; i++)
        leat_bitmap_set(bits, i);
    struct leat_sender__shipment *part = bits ? ship_some(shipment, shipment->order_key, &shipment->backoff, bits, to - from) : NULL;
    leat_free(bits);
    return part;
}

bool leat_sender__shipment_halve(struct leat_sender__shipment *shipment, uint64_t apart_ns)
{
    struct leat_sender *sender = shipment->load->sender;
    uint32_t count = shipment->batch.item_count, middle = count / 2;
    struct leat_sender__shipment *first = ship_part(shipment, 0, middle);
    struct leat_sender__shipment *second = first ? ship_part(shipment, middle, count) : NULL;
    if (!second) {
        if (first)
            leat_sender__shipment_end(first);
        return false;
    }
    leat_ledger__add(&sender->splits, 1);
    first->want.began_ns = second->want.began_ns = shipment->want.began_ns;
    start_later(first, 0);
    start_later(second, apart_ns);
    leat_sender__shipment_end(shipment);
    return true;
}

bool leat_sender__shot_outdated(const struct leat_sender__shot *shot)
{
    return shot->preparations != sender_of(shot)->preparations && shot->request->count && can_pick(shot);
}

bool leat_sender__shot_renew(struct leat_sender__shot *shot)
{
    return divide(shot, end_of_all) != 0;
}

/* ---- one verdict each ---- */

static void drop(struct leat_sender__shot *shot, enum leat_drop reason, const char *text)
{
    leat_sender__complain(sender_of(shot), LEAT_LOG_ERROR, "data dropped", text);
    leat_sender__bury_request(shot, reason, text);
    leat_sender__settle_request(shot, 0, reason);
    leat_sender__shot_end(shot);
}

static void delivered(struct leat_sender__shot *shot, const struct leat_verdict *verdict)
{
    uint32_t count = shot->request->count, rejected = verdict->rejected < count ? verdict->rejected : count;
    if (rejected)
        leat_sender__complain(sender_of(shot), LEAT_LOG_WARN, "the peer rejected items", verdict->text);
    else if (verdict->text[0])
        leat_sender__complain(sender_of(shot), LEAT_LOG_WARN, "the peer took all, with a word", verdict->text);
    sender_of(shot)->moved_ns = leat_loop_now_ns(sender_of(shot)->loop);
    went_well(sender_of(shot));
    leat_sender__settle_request(shot, count - rejected, LEAT_DROP_REJECTED);
    leat_sender__shot_end(shot);
}

bool leat_sender__shot_split(struct leat_sender__shot *shot, enum leat_drop reason, const char *text)
{
    if (shot->request->count > 1 && can_pick(shot))
        return halve(shot);
    drop(shot, reason, text);
    return true;
}

/* Of the part (batch) of the load that item k belongs to. */
static uint32_t end_of_part(const struct leat_sender__shot *shot, uint32_t k)
{
    const struct leat_sender__load *load = shot->shipment->load;
    const struct leat_sender__shipment *shipment = shot->shipment;
    uint32_t end = load->item_count, i = leat_sender__item(shot->request, k);
    for (uint32_t j = k; j < shot->request->count; j++) {
        if (j > k)
            i = leat_sender__item_after(shot->request, i);
        uint32_t item = shipment->map ? shipment->map[i] : shipment->first + i;
        if (j == k)
            for (uint32_t p = load->part_count; p-- && load->parts[p].first > item;)
                end = load->parts[p].first;
        else if (item >= end)
            return j;
    }
    return shot->request->count;
}

static void refused(struct leat_sender__shot *shot, const struct leat_verdict *verdict)
{
    struct leat_sender__load *load = shot->shipment->load;
    uint32_t count = shot->request->count;
    if (!verdict->isolate || count < 2 || !can_pick(shot) || load->isolate_left < 2) {
        drop(shot, LEAT_DROP_REFUSED, verdict->text);
        return;
    }
    /* batch by batch; of one batch halves find the bad item */
    bool parts = end_of_part(shot, 0) < count && load->isolate_left >= load->part_count;
    uint32_t made = parts ? divide(shot, end_of_part) : halve(shot);
    if (made)
        load->isolate_left -= made; /* it is there as long as they are */
    else
        leat_sender__shot_retry(shot, 0);
}

static void hold(struct leat_sender__shot *shot, const struct leat_verdict *verdict)
{
    struct leat_sender *sender = sender_of(shot);
    if (sender->abandoned) {
        drop(shot, LEAT_DROP_SHUTDOWN, verdict->text);
        return;
    }
    if (!sender->held)
        leat_log(LEAT_LOG_ERROR, sender->id, "on hold: %s; the queue is kept and one request tries again every %llu s",
                 verdict->text, (unsigned long long)(sender->hold_probe_ns / 1000000000ull));
    sender->prepared = false;
    leat_sender__shot_hold(shot);
}

static void bury_refused(struct leat_sender__shot *shot, const struct leat_verdict *verdict)
{
    uint32_t count = 0;
    if (!sender_of(shot)->conf->dead_letter.path)
        return;
    uint8_t *bits = bits_new(shot);
    for (uint32_t k = 0, item = 0; k < shot->request->count; k++) {
        item = k ? leat_sender__item_after(shot->request, item) : leat_sender__item(shot->request, 0);
        if (!leat_bitmap_get(verdict->refused, k) || leat_bitmap_get(verdict->again, k))
            continue;
        if (bits)
            leat_bitmap_set(bits, item);
        count++;
    }
    leat_sender__bury(shot->shipment, bits, count, LEAT_DROP_REJECTED, verdict->text);
    leat_free(bits);
}

/* Sends the marked ones of the request's items by themselves. */
static bool ship_marked(struct leat_sender__shot *shot, const uint8_t *marked, uint32_t marked_count, uint64_t wait_ns)
{
    uint8_t *bits = can_pick(shot) ? bits_new(shot) : NULL;
    if (!bits)
        return false;
    for (uint32_t k = 0, item = 0; k < shot->request->count; k++) {
        item = k ? leat_sender__item_after(shot->request, item) : leat_sender__item(shot->request, 0);
        if (leat_bitmap_get(marked, k))
            leat_bitmap_set(bits, item);
    }
    bool made = ship_shot(shot, bits, marked_count, wait_ns);
    leat_free(bits);
    return made;
}

/* All that is not to come again, or, when there are no more tries, all of it. */
static void settle_items(struct leat_sender__shot *shot, const struct leat_verdict *verdict, bool exhausted)
{
    for (uint32_t k = 0, item = 0; k < shot->request->count; k++) {
        item = k ? leat_sender__item_after(shot->request, item) : leat_sender__item(shot->request, 0);
        if (!leat_bitmap_get(verdict->again, k)) {
            bool bad = leat_bitmap_get(verdict->refused, k);
            leat_sender__settle(shot->shipment, item, 1, bad ? LEAT_DROPPED : LEAT_DELIVERED, LEAT_DROP_REJECTED);
        } else if (exhausted) {
            leat_sender__settle(shot->shipment, item, 1, LEAT_DROPPED, LEAT_DROP_RETRY_EXHAUSTED);
        }
    }
}

/* Some again, some refused, the rest delivered. */
static void retry_items(struct leat_sender__shot *shot, const struct leat_verdict *verdict, uint64_t peer_wait_ns)
{
    struct leat_sender *sender = sender_of(shot);
    uint32_t again = 0;
    if (verdict->text[0])
        leat_sender__complain(sender, LEAT_LOG_WARN, "not all was taken", verdict->text);
    for (uint32_t k = 0; k < shot->request->count; k++)
        again += leat_bitmap_get(verdict->again, k);
    uint64_t wait = again ? leat_sender__wait(shot, peer_wait_ns) : UINT64_MAX;
    if (wait != UINT64_MAX && !ship_marked(shot, verdict->again, again, wait)) {
        leat_sender__shot_again(shot, wait); /* all of it: what was taken is repeated */
        return;
    }
    leat_ledger__add(&sender->retries, wait != UINT64_MAX);
    bury_refused(shot, verdict);
    settle_items(shot, verdict, wait == UINT64_MAX);
    leat_sender__shot_end(shot);
}

static void encode_again(struct leat_sender__shot *shot)
{
    if (shot->request->count == 0)
        leat_sender__shot_end(shot);
    else if (!can_pick(shot) || !divide(shot, end_of_all))
        leat_sender__shot_retry(shot, 0);
}

static void act(struct leat_sender__shot *shot, const struct leat_verdict *verdict, const struct leat_reply *reply)
{
    uint64_t peer_wait = reply->has_retry_after ? reply->retry_after_ns : 0;
    struct leat_sender *sender = sender_of(shot);
    if (verdict->kind != LEAT_VERDICT_DELIVERED)
        leat_ledger__add(&sender->requests_failed, 1);
    if (verdict->slow_down)
        went_slow(sender);
    if (verdict->prepare_again)
        sender->prepared = false;
    switch (verdict->kind) {
    case LEAT_VERDICT_DELIVERED:
        delivered(shot, verdict);
        break;
    case LEAT_VERDICT_RETRY:
        leat_sender__complain(sender, LEAT_LOG_WARN, "will try again", verdict->text);
        leat_sender__shot_retry(shot, peer_wait);
        break;
    case LEAT_VERDICT_RETRY_ITEMS:
        retry_items(shot, verdict, peer_wait);
        break;
    case LEAT_VERDICT_REENCODE:
        encode_again(shot);
        break;
    case LEAT_VERDICT_SPLIT:
        if (!leat_sender__shot_split(shot, LEAT_DROP_TOO_LARGE, verdict->text))
            leat_sender__shot_retry(shot, 0);
        break;
    case LEAT_VERDICT_DROP:
        refused(shot, verdict);
        break;
    case LEAT_VERDICT_HOLD:
        hold(shot, verdict);
        break;
    }
}

void leat_sender__judge(struct leat_sender__shot *shot, const struct leat_reply *reply)
{
    struct leat_sender *sender = sender_of(shot);
    struct leat_err err = {0};
    uint32_t bytes = shot->request->count / 8 + 1;
    uint8_t few[2 * 64] = {0}, *many = bytes > 64 ? leat_obj_new(2ull * bytes) : few;
    if (!many) {
        leat_sender__shot_retry(shot, 0);
        return;
    }
    struct leat_reply full = *reply;
    full.request = shot->request;
    struct leat_verdict verdict = {.again = many, .refused = many + bytes};
    leat_rc rc = sender->codec.judge(sender->codec.state, &full, &verdict, &err);
    bool was_held = sender->held;
    if (rc != LEAT_OK)
        drop(shot, LEAT_DROP_REFUSED, err.text);
    else
        act(shot, &verdict, &full);
    if (was_held && rc == LEAT_OK && verdict.kind != LEAT_VERDICT_HOLD && sender->held)
        leat_sender__release_held(sender);
    if (many != few)
        leat_obj_free(many, 2ull * bytes);
}
