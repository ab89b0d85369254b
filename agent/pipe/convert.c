/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/convert.h"

#include "agent/base/check.h"
#include "agent/base/obj.h"

/* ---- the source hears of its own items ---- */

struct scale {
    struct leat_ack ack; /* the converted batch's */
    struct leat_ack *source;
    uint64_t before, after; /* items */
};

static uint64_t scaled_up(const struct scale *scale, uint64_t items, uint64_t most)
{
    uint64_t n = (items * scale->before + scale->after - 1) / scale->after;
    return n < most ? n : most;
}

static void on_final(struct leat_ack *ack)
{
    struct scale *scale = LEAT_CONTAINER(ack, struct scale, ack);
    uint64_t left = scale->before;
    for (int reason = 0; reason < LEAT_DROP_COUNT; reason++) {
        if (!ack->dropped[reason])
            continue;
        uint64_t n = scaled_up(scale, ack->dropped[reason], left);
        leat_ack_settle(scale->source, LEAT_DROPPED, (enum leat_drop)reason, n);
        left -= n;
    }
    uint64_t persisted = ack->persisted ? scaled_up(scale, ack->persisted, left) : 0;
    leat_ack_settle(scale->source, LEAT_PERSISTED, 0, persisted);
    leat_ack_settle(scale->source, LEAT_DELIVERED, 0, left - persisted);
    struct leat_ack *source = scale->source;
    leat_obj_free(scale, sizeof *scale);
    leat_ack_close(source);
}

static leat_rc scale_new(struct leat_ack *source, uint64_t before, uint64_t after, struct leat_ack **ret_ack)
{
    *ret_ack = NULL;
    if (!source)
        return LEAT_OK;
    struct scale *scale = leat_obj_new(sizeof *scale);
    if (!scale)
        return LEAT_ENOMEM;
    leat_ack_init(&scale->ack, on_final);
    scale->source = source;
    scale->before = before;
    scale->after = after;
    *ret_ack = &scale->ack;
    return LEAT_OK;
}

static void scale_free(struct leat_ack *ack)
{
    if (ack)
        leat_obj_free(LEAT_CONTAINER(ack, struct scale, ack), sizeof(struct scale));
}

/* ---- the stage ---- */

static struct leat_convert *of(struct leat_stage *node) { return LEAT_CONTAINER(node, struct leat_convert, node); }

const struct leat_conversion *leat_conversion_find(const struct leat_conversion *table, uint32_t form, uint32_t takes)
{
    if (form & takes)
        return NULL;
    for (; table->from; table++)
        if (table->from & form && table->to & takes)
            return table;
    return NULL;
}

/* A batch of the other form with an ack that scales; nothing of `batch` is touched. */
static leat_rc make(const struct leat_convert *convert, const struct leat_batch *batch, struct leat_batch **ret_made)
{
    const struct leat_conversion *row = leat_conversion_find(convert->table, batch->form->bit, convert->takes);
    if (!row)
        return LEAT_EREFUSED;
    struct leat_batch *made = leat_batch_new(batch->signal, row->form);
    if (!made)
        return LEAT_ENOMEM;
    leat_rc rc = row->run(batch->signal, &batch->payload, &made->payload, &made->item_count, NULL);
    if (rc == LEAT_OK && made->item_count)
        rc = scale_new(batch->ack, batch->item_count, made->item_count, &made->ack);
    if (rc != LEAT_OK) {
        leat_batch_free(made);
        return rc == LEAT_ENOMEM ? rc : LEAT_EREFUSED;
    }
    made->transport = batch->transport;
    memcpy(made->peer, batch->peer, sizeof made->peer);
    made->patient = batch->patient;
    made->pinned_bytes = made->payload.bytes;
    made->meta = leat_meta_ref(batch->meta);
    made->born_ns = batch->born_ns;
    *ret_made = made;
    return LEAT_OK;
}

static void forget(struct leat_convert *convert)
{
    scale_free(convert->made->ack);
    leat_batch_free(convert->made);
    convert->made = NULL;
}

static leat_rc reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_convert *convert = of(node);
    if (batch->form->bit & convert->takes)
        return leat_stage_reserve(convert->next, batch);
    LEAT_DCHECK(!convert->made);
    leat_rc rc = make(convert, batch, &convert->made);
    if (rc == LEAT_EREFUSED)
        leat_ledger__add(&convert->refused, batch->item_count);
    if (rc != LEAT_OK)
        return rc == LEAT_ENOMEM ? LEAT_AGAIN : rc;
    if (convert->made->item_count)
        rc = leat_stage_reserve(convert->next, convert->made);
    if (rc != LEAT_OK)
        forget(convert);
    return rc;
}

static void cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_convert *convert = of(node);
    if (!convert->made) {
        leat_stage_cancel(convert->next, batch);
        return;
    }
    if (convert->made->item_count)
        leat_stage_cancel(convert->next, convert->made);
    forget(convert);
}

static void put(struct leat_stage *node, struct leat_batch *batch)
{
    struct leat_convert *convert = of(node);
    struct leat_batch *made = convert->made;
    if (!made) {
        leat_stage_put(convert->next, batch);
        return;
    }
    convert->made = NULL;
    leat_ledger__add(&convert->converted_in, batch->item_count);
    leat_ledger__add(&convert->converted_out, made->item_count);
    if (made->item_count == 0) { /* nothing in it has the other form: markers of series that never were */
        leat_batch_free(made);
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_FILTERED);
        return;
    }
    made->born_ns = batch->born_ns;
    leat_batch_free(batch); /* its part of the ack is the scale's now */
    leat_stage_put(convert->next, made);
}

static bool drained(const struct leat_stage *node)
{
    return leat_stage_drained(LEAT_CONTAINER(node, const struct leat_convert, node)->next);
}

static const struct leat_stage_ops ops = {reserve, cancel, put, drained};

void leat_convert_init(struct leat_convert *convert, struct leat_stage *next, uint32_t takes,
                       const struct leat_conversion *table)
{
    *convert = (struct leat_convert){.node = {&ops}, .next = next, .takes = takes, .table = table};
}
