/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/carrier.h"

#include <stdlib.h>

#include "agent/base/alloc.h"

/* ---- the carrier ---- */

struct kit_parcel {
    struct kit_carrier *carrier;
    struct leat_parcel *parcel;
    struct kit_step step;
    struct leat_timer timer;
    struct kit_parcel *next;
};

static void forget(struct kit_parcel *mine)
{
    struct kit_parcel **at = &mine->carrier->parcels;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    mine->carrier->out--;
    leat_timer_stop(mine->carrier->loop, &mine->timer);
}

static void count_taken(struct kit_carrier *carrier, const struct kit_parcel *mine)
{
    static struct toy_item items[65536];
    const struct leat_request *request = mine->parcel->request;
    if (carrier->opaque || mine->parcel->coding != LEAT_CODING_NONE ||
        (mine->step.status != 200 && mine->step.status != 207))
        return;
    uint32_t n = toy_items(&request->body, items, 65536);
    for (uint32_t i = 0; i < n; i++)
        if (mine->step.status == 200 || mine->step.body[i] == 'd')
            carrier->taken[items[i].id]++;
}

static void answer(struct leat_timer *timer)
{
    struct kit_parcel *mine = timer->ctx;
    struct leat_parcel *parcel = mine->parcel;
    struct kit_step step = mine->step;
    struct leat_err err = {0};
    if (step.kind == KIT_REPLY)
        count_taken(mine->carrier, mine);
    if (mine->carrier->answering)
        mine->carrier->answering(mine->carrier, parcel, &step);
    forget(mine);
    free(mine);
    if (step.kind == KIT_ERR) {
        (void)LEAT_RAISE(&err, step.err, 0, "scripted: %s", leat_rc_text(step.err));
        parcel->done(parcel, NULL, &err);
        return;
    }
    struct leat_reply reply = {.request = parcel->request,
                               .status = step.status,
                               .body = step.body ? leat_slice_str(step.body) : (struct leat_slice){0},
                               .has_retry_after = step.retry_after_ns != 0,
                               .retry_after_ns = step.retry_after_ns};
    parcel->done(parcel, &reply, NULL);
}

static void note_sent(struct kit_carrier *carrier, const struct kit_parcel *mine)
{
    if (carrier->sent_count == KIT_SENT_MAX)
        return;
    const struct leat_request *request = mine->parcel->request;
    struct toy_item first = {0};
    if (!carrier->opaque && mine->parcel->coding == LEAT_CODING_NONE)
        (void)toy_items(&request->body, &first, 1);
    carrier->sent[carrier->sent_count++] =
        (struct kit_sent){.at_ns = leat_loop_now_ns(carrier->loop),
                          .items = request->count,
                          .attempt = mine->parcel->attempt,
                          .order_key = request->order_key,
                          .coding = mine->parcel->coding,
                          .first_id = first.id,
                          .status = mine->step.kind == KIT_REPLY ? mine->step.status : 0};
}

static void kit_send(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct kit_carrier *carrier = (struct kit_carrier *)base;
    struct kit_parcel *mine = calloc(1, sizeof *mine); /* not leat's heap: a peer does not run out with us */
    if (!mine)
        abort();
    mine->carrier = carrier;
    mine->parcel = parcel;
    mine->step = carrier->next < carrier->step_count ? carrier->steps[carrier->next++] : carrier->otherwise;
    if (carrier->decide)
        carrier->decide(carrier, parcel, &mine->step);
    for (const struct kit_parcel *other = carrier->parcels; other; other = other->next)
        carrier->key_clashes +=
            parcel->request->order_key && other->parcel->request->order_key == parcel->request->order_key;
    mine->timer = (struct leat_timer){.fire = answer, .ctx = mine};
    mine->next = carrier->parcels;
    carrier->parcels = mine;
    parcel->carried = mine;
    if (++carrier->out > carrier->out_max)
        carrier->out_max = carrier->out;
    note_sent(carrier, mine);
    if (mine->step.kind != KIT_NEVER)
        leat_timer_start(carrier->loop, &mine->timer, mine->step.delay_ns);
}

static void kit_cancel(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct kit_carrier *carrier = (struct kit_carrier *)base;
    struct kit_parcel *mine = parcel->carried;
    mine->step = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ECANCELED};
    if (carrier->cancels_at_once)
        answer(&mine->timer);
    else
        leat_timer_start(carrier->loop, &mine->timer, 0);
}

static void kit_flush(struct leat_carrier *base)
{
    ((struct kit_carrier *)base)->flushes++;
}

static void kit_close(struct leat_carrier *base)
{
    struct kit_carrier *carrier = (struct kit_carrier *)base;
    if (carrier->parcels)
        abort(); /* closed with a parcel out */
    carrier->closes++;
}

static const struct leat_carrier_ops kit_ops = {kit_send, kit_cancel, kit_flush, kit_close};

void kit_carrier_init(struct kit_carrier *carrier, struct leat_loop *loop)
{
    memset(carrier, 0, sizeof *carrier);
    carrier->base.ops = &kit_ops;
    carrier->loop = loop;
    carrier->otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 200};
}

/* ---- the codec ---- */

static leat_rc add_run(struct kit_codec *codec, const struct leat_batch *batch, const struct toy_item *items,
                       uint32_t first, uint32_t count, uint64_t offset, uint64_t bytes, struct leat_requests *out)
{
    struct leat_request *request = leat_requests_add(out);
    if (!request || leat_chain_share_range(&request->body, &batch->payload, offset, bytes) != LEAT_OK)
        return LEAT_ENOMEM;
    request->first = first;
    request->count = count;
    request->order_key = codec->order_keys ? 1 + items[first].id % codec->order_keys : 0;
    return LEAT_OK;
}

static leat_rc by_range(struct kit_codec *codec, const struct leat_batch *batch, const struct toy_item *items,
                        struct leat_requests *out)
{
    uint32_t most = codec->items_per_request ? codec->items_per_request : batch->item_count, first = 0;
    uint64_t offset = 0, end = 0;
    for (uint32_t i = 0; i < batch->item_count; i++) {
        bool bad = codec->reject_marked && items[i].mark == '!';
        uint64_t start = end;
        end += items[i].len;
        if (!bad && i + 1 - first < most && i + 1 < batch->item_count)
            continue;
        uint32_t count = i + 1 - first - bad;
        uint64_t stop = bad ? start : end;
        if (count && add_run(codec, batch, items, first, count, offset, stop - offset, out) != LEAT_OK)
            return LEAT_ENOMEM;
        if (bad && leat_requests_reject(out, i, 1, "marked") != LEAT_OK)
            return LEAT_ENOMEM;
        first = i + 1;
        offset = end;
    }
    return LEAT_OK;
}

static leat_rc by_bitmap(const struct leat_batch *batch, const struct toy_item *items, uint32_t odd,
                         struct leat_requests *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->item_count; i++)
        count += (items[i].id & 1u) == odd;
    if (!count)
        return LEAT_OK;
    struct leat_request *request = leat_requests_add(out);
    if (!request || !(request->bitmap = leat_zalloc(batch->item_count / 8 + 1, 1)))
        return LEAT_ENOMEM;
    request->count = count;
    for (uint32_t i = 0; i < batch->item_count; i++)
        if ((items[i].id & 1u) == odd)
            leat_bitmap_set(request->bitmap, i);
    return batch->form->pick(batch->signal, &batch->payload, request->bitmap, &request->body, NULL);
}

static leat_rc kit_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                          struct leat_err *reterr)
{
    static struct toy_item items[65536];
    struct kit_codec *codec = state;
    if (toy_items(&batch->payload, items, 65536) != batch->item_count)
        abort();
    if (codec->encodes++ < codec->fail_encodes)
        return LEAT_RAISE(reterr, codec->fail_rc, 0, "scripted");
    if (!codec->by_bitmap)
        return by_range(codec, batch, items, out);
    leat_rc rc = by_bitmap(batch, items, 0, out);
    return rc == LEAT_OK ? by_bitmap(batch, items, 1, out) : rc;
}

static void judge_items(const struct leat_reply *reply, struct leat_verdict *out)
{
    out->kind = LEAT_VERDICT_RETRY_ITEMS;
    for (uint32_t i = 0; i < reply->body.len; i++) {
        if (reply->body.at[i] == 'a')
            leat_bitmap_set(out->again, i);
        if (reply->body.at[i] == 'r')
            leat_bitmap_set(out->refused, i);
    }
}

static leat_rc kit_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    out->slow_down = reply->status == 429 || reply->status == 503;
    switch (reply->status) {
    case 200:
        return leat_verdict_delivered(out, reply->body.len > 1 ? (uint32_t)(reply->body.at[1] - '0') : 0);
    case 207:
        judge_items(reply, out);
        return LEAT_OK;
    case 400:
        return leat_verdict_drop(out, true, "bad item");
    case 401:
        return leat_verdict_hold(out, "who are you");
    case 413:
        return leat_verdict_split(out, "too large");
    case 422:
        return leat_verdict_drop(out, false, "never");
    case 426:
        out->kind = LEAT_VERDICT_REENCODE;
        return LEAT_OK;
    case 499:
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "cannot read the reply");
    default:
        return leat_verdict_retry(out, "busy");
    }
}

struct leat_codec kit_codec(struct kit_codec *state)
{
    return (struct leat_codec){.encode = kit_encode, .judge = kit_judge, .state = state};
}
