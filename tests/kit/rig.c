/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/rig.h"

#include <stdlib.h>

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->world = sim_world_new(1);
    rig->shards = 1;
    rig->conf = (struct leat_deliver_conf){.queue = {.enabled = true, .num_consumers = 10, .queue_size = 1000},
                                           .retry = {.enabled = true,
                                                     .initial_interval_ns = 5 * (int64_t)RIG_S,
                                                     .max_interval_ns = 30 * (int64_t)RIG_S,
                                                     .max_elapsed_time_ns = 300 * (int64_t)RIG_S,
                                                     .randomization_factor = 0.5,
                                                     .multiplier = 1.5},
                                           .timeout_ns = 5 * (int64_t)RIG_S};
    return rig;
}

leat_rc rig_open(struct rig *rig)
{
    leat_rc rc = leat_loop_open_simulated(rig->world, &rig->loop);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&rig->gate, rig->loop);
    kit_carrier_init(&rig->carrier, rig->loop);
    leat_sender_totals_init(&rig->totals, &rig->conf, rig->shards);
    struct leat_codec codec = rig->foreign ? *rig->foreign : kit_codec(&rig->codec);
    rig->carrier.opaque = rig->foreign != NULL;
    struct leat_sender_opts opts = {.loop = rig->loop,
                                    .gate = &rig->gate,
                                    .id = "rig",
                                    .signal = rig->signal,
                                    .conf = &rig->conf,
                                    .codec = &codec,
                                    .carrier = &rig->carrier.base,
                                    .totals = &rig->totals,
                                    .coding = rig->coding,
                                    .pace_bytes = rig->pace_bytes};
    return leat_sender_open(&opts, &rig->sender);
}

static void heard(struct leat_ack *ack)
{
    LEAT_CONTAINER(ack, struct rig_source, ack)->finals++;
}

leat_rc rig_put_batch(struct rig *rig, struct leat_batch *batch)
{
    struct rig_source *source = &rig->sources[rig->source_count];
    batch->patient = rig->patient;
    assert_true(rig->source_count < RIG_SOURCES_MAX);
    *source = (struct rig_source){.items = batch->item_count};
    leat_ack_init(&source->ack, heard);
    batch->ack = &source->ack;
    leat_rc rc = leat_stage_offer(leat_sender_node(rig->sender), batch);
    if (rc == LEAT_OK)
        rig->source_count++;
    else
        leat_batch_free(batch);
    assert_int_equal(source->finals, 0); /* never from inside the put */
    rig_check(rig);
    return rc;
}

leat_rc rig_put(struct rig *rig, uint32_t items, uint8_t len)
{
    struct leat_batch *batch = toy_batch(&toy_form, rig->next_id, items, len);
    if (!batch)
        return LEAT_ENOMEM;
    leat_rc rc = rig_put_batch(rig, batch);
    if (rc == LEAT_OK)
        rig->next_id = (uint16_t)(rig->next_id + items);
    return rc;
}

void rig_check(struct rig *rig)
{
    assert_true(leat_sender_check(rig->sender));
    for (uint32_t i = 0; i < rig->source_count; i++) {
        const struct rig_source *source = &rig->sources[i];
        uint64_t sum = source->ack.delivered + source->ack.persisted + leat_ack_dropped(&source->ack);
        assert_true(source->finals <= 1 && sum <= source->items);
        assert_int_equal(source->finals == 1, sum == source->items);
    }
}

static void step(struct rig *rig, uint64_t end)
{
    uint64_t due = leat_loop_next_due_ns(rig->loop);
    sim_world_advance_to(rig->world, due < end ? due : end);
    (void)leat_loop_run_once(rig->loop, false);
    rig_check(rig);
}

void rig_run(struct rig *rig, uint64_t ns)
{
    uint64_t end = rig->world->mono_ns(rig->world) + ns;
    (void)leat_loop_run_once(rig->loop, false); /* what was deferred */
    rig_check(rig);
    while (rig->world->mono_ns(rig->world) < end)
        step(rig, end);
}

static bool all_heard(const struct rig *rig)
{
    for (uint32_t i = 0; i < rig->source_count; i++)
        if (!rig->sources[i].finals)
            return false;
    return true;
}

bool rig_settle(struct rig *rig, uint64_t ns)
{
    uint64_t end = rig->world->mono_ns(rig->world) + ns;
    (void)leat_loop_run_once(rig->loop, false);
    while (!all_heard(rig) && rig->world->mono_ns(rig->world) < end)
        step(rig, end);
    rig_check(rig);
    return all_heard(rig);
}

static void on_drained(void *ctx)
{
    ((struct rig *)ctx)->drained = true;
}

void rig_drain(struct rig *rig)
{
    leat_sender_drain(rig->sender, on_drained, rig);
}

void rig_close(struct rig *rig)
{
    if (rig->sender) {
        if (!rig->drained)
            rig_drain(rig);
        uint64_t end = rig->world->mono_ns(rig->world) + 600 * RIG_S;
        (void)leat_loop_run_once(rig->loop, false);
        while (!rig->drained && rig->world->mono_ns(rig->world) < end)
            step(rig, end);
        assert_true(rig->drained);
        assert_true(all_heard(rig));
        assert_int_equal(leat_sender_ledger(rig->sender)->held, 0);
        assert_int_equal(rig->totals.queue_left, rig->totals.queue_size);
        assert_int_equal(rig->carrier.flushes, 1);
        rig->sender = leat_sender_close(rig->sender);
        assert_int_equal(rig->carrier.closes, 1);
    }
    if (rig->loop) {
        leat_gate_done(&rig->gate);
        leat_loop_close(rig->loop);
    }
    sim_world_free(rig->world);
    free(rig);
}

uint64_t rig_delivered(const struct rig *rig)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rig->source_count; i++)
        sum += rig->sources[i].ack.delivered;
    return sum;
}

uint64_t rig_dropped(const struct rig *rig, enum leat_drop reason)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rig->source_count; i++)
        sum += rig->sources[i].ack.dropped[reason];
    return sum;
}
