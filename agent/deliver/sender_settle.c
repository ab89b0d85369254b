/* SPDX-License-Identifier: Apache-2.0 */
/* From "these items met that end" to the acks they belong to. */
#include "agent/base/check.h"
#include "agent/deliver/sender_inner.h"

/* The part that holds an item of the load: the last one that begins at or before it. */
static struct leat_sender__part *part_of(struct leat_sender__load *load, uint32_t item)
{
    uint32_t low = 0, high = load->part_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (load->parts[middle].first <= item)
            low = middle;
        else
            high = middle;
    }
    return &load->parts[low];
}

static uint32_t part_end(const struct leat_sender__load *load, const struct leat_sender__part *part)
{
    uint32_t next = (uint32_t)(part - load->parts) + 1;
    return next < load->part_count ? load->parts[next].first : load->item_count;
}

static void settle_part(struct leat_sender__part *part, uint32_t count, enum leat_outcome outcome,
                        enum leat_drop reason)
{
    LEAT_CHECK(part->left >= count);
    part->left -= count;
    leat_ack_settle(part->ack, outcome, reason, count);
    if (part->left)
        return;
    struct leat_ack *ack = part->ack;
    part->ack = NULL;
    leat_ack_close(ack);
}

/* Items of the load, [item, item + count). */
static void settle_load(struct leat_sender__load *load, uint32_t item, uint32_t count, enum leat_outcome outcome,
                        enum leat_drop reason)
{
    while (count) {
        struct leat_sender__part *part = part_of(load, item);
        uint32_t rest = part_end(load, part) - item, n = rest < count ? rest : count;
        settle_part(part, n, outcome, reason);
        item += n;
        count -= n;
    }
}

void leat_sender__settle(struct leat_sender__shipment *shipment, uint32_t item, uint32_t count,
                         enum leat_outcome outcome, enum leat_drop reason)
{
    struct leat_sender__load *load = shipment->load;
    struct leat_ledger *ledger = &load->sender->ledger;
    if (outcome == LEAT_DROPPED)
        leat_ledger_drop(ledger, reason, count);
    else
        leat_ledger_out(ledger, count, 0);
    if (!shipment->map) {
        settle_load(load, shipment->first + item, count, outcome, reason);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        settle_load(load, shipment->map[item + i], 1, outcome, reason);
}

uint32_t leat_sender__item(const struct leat_request *request, uint32_t k)
{
    if (!request->bitmap)
        return request->first + k;
    for (uint32_t i = 0;; i++)
        if (leat_bitmap_get(request->bitmap, i) && k-- == 0)
            return i;
}

static void settle_run(struct leat_sender__shot *shot, uint32_t item, uint32_t count, uint32_t *delivered,
                       enum leat_drop rest)
{
    uint32_t good = count < *delivered ? count : *delivered;
    *delivered -= good;
    if (good)
        leat_sender__settle(shot->shipment, item, good, LEAT_DELIVERED, 0);
    if (count > good)
        leat_sender__settle(shot->shipment, item + good, count - good, LEAT_DROPPED, rest);
}

uint32_t leat_sender__item_after(const struct leat_request *request, uint32_t item)
{
    do
        item++;
    while (request->bitmap && !leat_bitmap_get(request->bitmap, item));
    return item;
}

/* The first `delivered` items of the request were delivered, the rest dropped: a peer that says how many it refused
 * does not say which. */
void leat_sender__settle_request(struct leat_sender__shot *shot, uint32_t delivered, enum leat_drop rest)
{
    const struct leat_request *request = shot->request;
    if (!request->bitmap) {
        settle_run(shot, request->first, request->count, &delivered, rest);
        return;
    }
    for (uint32_t i = 0, seen = 0; seen < request->count; i++)
        if (leat_bitmap_get(request->bitmap, i)) {
            seen++;
            settle_run(shot, i, 1, &delivered, rest);
        }
}
