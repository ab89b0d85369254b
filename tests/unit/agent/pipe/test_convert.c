/* SPDX-License-Identifier: Apache-2.0 */
/* A toy conversion: four items become one of the other form, as the series of a histogram become one data point. */
#include "agent/pipe/convert.h"

#include "tests/kit/kit.h"
#include "tests/kit/toy_form.h"

static leat_rc answer;

static leat_rc to_quarter(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_payload,
                          uint32_t *ret_items, struct leat_err *reterr)
{
    uint32_t items;
    *ret_payload = (struct leat_chain){0};
    leat_rc rc = answer != LEAT_OK ? answer : toy_form.count(signal, payload, &items, reterr);
    if (rc != LEAT_OK)
        return rc;
    *ret_items = items / 4;
    return leat_chain_copy(ret_payload, "q", 1);
}
static const struct leat_form_ops quarter = {.name = "quarter", .bit = LEAT_FORM_PPROF};
static const struct leat_conversion table[] = {{LEAT_FORM_OTLP, LEAT_FORM_PPROF, &quarter, to_quarter}, {0}};

struct rig {
    struct leat_stage behind;
    struct leat_convert convert;
    struct leat_ack ack;
    leat_rc room;
    uint32_t reserved, got, got_form, cancelled, finals, lose;
};

static leat_rc behind_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    struct rig *rig = LEAT_CONTAINER(node, struct rig, behind);
    rig->reserved += batch->item_count;
    return rig->room;
}
static void behind_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    LEAT_CONTAINER(node, struct rig, behind)->cancelled++;
}
static void behind_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct rig *rig = LEAT_CONTAINER(node, struct rig, behind);
    rig->got += batch->item_count;
    rig->got_form = batch->form->bit;
    uint32_t lose = rig->lose < batch->item_count ? rig->lose : batch->item_count;
    leat_ack_settle(batch->ack, LEAT_DROPPED, LEAT_DROP_REFUSED, lose);
    batch->item_count -= lose;
    leat_batch_end(batch, LEAT_DELIVERED, 0);
}
static const struct leat_stage_ops ops = {behind_reserve, behind_cancel, behind_put, NULL};

static void on_final(struct leat_ack *ack) { LEAT_CONTAINER(ack, struct rig, ack)->finals++; }

static void rig_open(struct rig *rig, uint32_t takes)
{
    *rig = (struct rig){.behind = {&ops}};
    answer = LEAT_OK;
    leat_convert_init(&rig->convert, &rig->behind, takes, table);
    leat_ack_init(&rig->ack, on_final);
}

static struct leat_batch *source(struct rig *rig, uint32_t items)
{
    struct leat_batch *batch = toy_batch(&toy_form, 0, items, 4);
    if (batch)
        batch->ack = &rig->ack;
    return batch;
}

LEAT_TEST(a_form_that_is_taken_passes_untouched)
{
    struct rig rig;
    rig_open(&rig, toy_form.bit);
    EXPECT_OK(leat_stage_offer(&rig.convert.node, source(&rig, 8)));
    EXPECT_EQ(rig.got, 8);
    EXPECT_EQ(rig.got_form, toy_form.bit);
    EXPECT_EQ(rig.convert.converted_in, 0);
    EXPECT_EQ(rig.ack.delivered, 8);
}

LEAT_TEST(room_is_asked_for_what_comes_out_and_the_source_hears_of_its_own_items)
{
    struct rig rig;
    rig_open(&rig, LEAT_FORM_PPROF);
    EXPECT_OK(leat_stage_offer(&rig.convert.node, source(&rig, 8)));
    EXPECT_EQ(rig.reserved, 2);
    EXPECT_EQ(rig.got_form, LEAT_FORM_PPROF);
    EXPECT_EQ(rig.finals, 1);
    EXPECT_EQ(rig.ack.delivered, 8);
    EXPECT_EQ(rig.convert.converted_in, 8);
    EXPECT_EQ(rig.convert.converted_out, 2);
}

LEAT_TEST(a_loss_is_scaled_up_never_rounded_away)
{
    struct rig rig;
    rig_open(&rig, LEAT_FORM_PPROF);
    rig.lose = 1;
    EXPECT_OK(leat_stage_offer(&rig.convert.node, source(&rig, 11))); /* 2 come out, 1 is lost */
    EXPECT_EQ(rig.ack.dropped[LEAT_DROP_REFUSED], 6);
    EXPECT_EQ(rig.ack.delivered, 5);
    EXPECT_EQ(rig.finals, 1);
}

LEAT_TEST(no_room_behind_leaves_the_batch_with_its_giver)
{
    struct rig rig;
    rig_open(&rig, LEAT_FORM_PPROF);
    rig.room = LEAT_AGAIN;
    struct leat_batch *batch = source(&rig, 8);
    EXPECT_RC(leat_stage_offer(&rig.convert.node, batch), LEAT_AGAIN);
    EXPECT_EQ(rig.finals, 0);
    rig.room = LEAT_OK;
    EXPECT_OK(leat_stage_reserve(&rig.convert.node, batch));
    leat_stage_cancel(&rig.convert.node, batch);
    EXPECT_EQ(rig.cancelled, 1);
    EXPECT_OK(leat_stage_offer(&rig.convert.node, batch));
    EXPECT_EQ(rig.ack.delivered, 8);
}

LEAT_TEST(what_has_no_other_form_is_refused_and_counted)
{
    struct rig rig;
    rig_open(&rig, LEAT_FORM_PPROF);
    answer = LEAT_EPARSE;
    struct leat_batch *batch = source(&rig, 8);
    EXPECT_RC(leat_stage_offer(&rig.convert.node, batch), LEAT_EREFUSED);
    EXPECT_EQ(rig.convert.refused, 8);
    leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_ENCODE);
}

LEAT_TEST(a_payload_of_which_nothing_is_left_ends_as_filtered)
{
    struct rig rig;
    rig_open(&rig, LEAT_FORM_PPROF);
    EXPECT_OK(leat_stage_offer(&rig.convert.node, source(&rig, 3)));
    EXPECT_EQ(rig.reserved, 0);
    EXPECT_EQ(rig.ack.dropped[LEAT_DROP_FILTERED], 3);
    EXPECT_EQ(rig.finals, 1);
}

LEAT_TEST_OOM(memory_that_runs_out_means_later)
{
    struct rig rig;
    rig_open(&rig, LEAT_FORM_PPROF);
    struct leat_batch *batch = source(&rig, 8);
    if (!batch)
        return LEAT_ENOMEM;
    leat_rc rc = leat_stage_offer(&rig.convert.node, batch);
    if (rc == LEAT_OK)
        EXPECT_EQ(rig.ack.delivered, 8);
    else
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_MEMORY);
    return rc;
}
