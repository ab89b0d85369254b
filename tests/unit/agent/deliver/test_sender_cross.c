/* SPDX-License-Identifier: Apache-2.0 */
/* The door to a sender on another shard, with real loops on two threads: TSan sees every access. */
#include <pthread.h>

#include "agent/base/alloc.h"
#include "agent/deliver/sender.h"
#include "tests/kit/carrier.h"
#include "tests/kit/kit.h"

#define BATCHES 400u

struct home {
    struct leat_pool *pool;
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_deliver_conf conf;
    struct leat_sender_totals totals;
    struct kit_codec codec;
    struct kit_carrier carrier;
    struct leat_sender *sender;
    struct leat_message drain;
    uint64_t fail_at;
    pthread_t thread;
};

struct source {
    struct leat_ack ack;
    struct leat_waiter waiter;
    struct leat_timer timer;
    struct leat_gate gate;
    struct leat_loop *loop;
    struct leat_stage *node;
    struct home *home;
    uint32_t put, finals, refused;
    uint64_t delivered, dropped;
};

struct part { /* one batch's */
    struct leat_ack ack;
    struct source *source;
};

static void on_drained(void *ctx)
{
    struct home *home = ctx;
    leat_loop_stop(home->loop);
}

static void on_drain(struct leat_message *message)
{
    struct home *home = LEAT_CONTAINER(message, struct home, drain);
    leat_sender_drain(home->sender, on_drained, home);
}

static void *run_home(void *ctx)
{
    struct home *home = ctx;
    leat_pool_bind(home->pool);
    leat_alloc_fail_at(home->fail_at);
    leat_loop_run(home->loop);
    leat_alloc_fail_at(0);
    return NULL;
}

static void heard(struct leat_ack *ack)
{
    struct part *part = LEAT_CONTAINER(ack, struct part, ack);
    struct source *source = part->source;
    source->finals++;
    source->delivered += ack->delivered;
    source->dropped += leat_ack_dropped(ack);
    leat_free(part);
    if (source->finals == BATCHES) {
        leat_handoff_post(source->home->loop, &source->home->drain);
        leat_loop_stop(source->loop);
    }
}

static void put_more(struct source *source)
{
    while (source->put < BATCHES) {
        static const struct leat_meta_pair pair = {"tenant", "a"};
        struct leat_batch *batch = toy_batch(&toy_form, (uint16_t)(source->put * 10), 10, 8);
        struct part *part = leat_zalloc(1, sizeof *part);
        batch->meta = leat_meta_new(&pair, 1);
        part->source = source;
        leat_ack_init(&part->ack, heard);
        batch->ack = &part->ack;
        if (leat_stage_offer(source->node, batch) != LEAT_OK) {
            leat_batch_free(batch);
            leat_free(part);
            source->refused++;
            leat_gate_wait(&source->gate, &source->waiter);
            return;
        }
        source->put++;
    }
}

static void on_wake(struct leat_waiter *waiter)
{
    put_more(waiter->ctx);
}

static void on_begin(struct leat_timer *timer)
{
    put_more(timer->ctx);
}

static void home_open(struct home *home, uint64_t fail_at)
{
    *home = (struct home){.fail_at = fail_at, .drain = {.arrive = on_drain}};
    home->conf = (struct leat_deliver_conf){
        .queue = {.enabled = true, .num_consumers = 4, .queue_size = 64},
        .retry = {.enabled = true, .initial_interval_ns = 1000000, .multiplier = 1, .max_interval_ns = 1000000},
        .timeout_ns = 1000000000};
    EXPECT_OK(leat_pool_open(NULL, &home->pool));
    leat_pool_bind(home->pool);
    EXPECT_OK(leat_loop_open(leat_world_real(), &home->loop, NULL));
    leat_gate_init(&home->gate, home->loop);
    kit_carrier_init(&home->carrier, home->loop);
    leat_sender_totals_init(&home->totals, &home->conf, 1);
    struct leat_codec codec = kit_codec(&home->codec);
    struct leat_sender_opts opts = {.loop = home->loop,
                                    .gate = &home->gate,
                                    .id = "home",
                                    .signal = LEAT_LOGS,
                                    .conf = &home->conf,
                                    .codec = &codec,
                                    .carrier = &home->carrier.base,
                                    .totals = &home->totals};
    EXPECT_OK(leat_sender_open(&opts, &home->sender));
}

static void cross(const struct kit_step *steps, uint32_t step_count, uint64_t fail_at)
{
    static struct home home;
    struct source source = {0};
    struct leat_sender_door *door;
    struct leat_pool *pool;
    home_open(&home, fail_at);
    home.carrier.steps = steps;
    home.carrier.step_count = step_count;
    EXPECT_OK(leat_pool_open(NULL, &pool));
    leat_pool_bind(pool);
    EXPECT_OK(leat_loop_open(leat_world_real(), &source.loop, NULL));
    leat_gate_init(&source.gate, source.loop);
    EXPECT_OK(leat_sender_door_open(home.sender, source.loop, &door));
    source.node = leat_sender_door_node(door);
    source.home = &home;
    source.waiter = (struct leat_waiter){.wake = on_wake, .ctx = &source};
    leat_list_init(&source.waiter.link);
    source.timer = (struct leat_timer){.fire = on_begin, .ctx = &source};
    leat_timer_start(source.loop, &source.timer, 1);
    EXPECT_EQ(pthread_create(&home.thread, NULL, run_home, &home), 0);
    leat_loop_run(source.loop);
    EXPECT_EQ(pthread_join(home.thread, NULL), 0);
    EXPECT_EQ(source.finals, BATCHES);
    EXPECT_EQ(source.delivered + source.dropped, BATCHES * 10);
    EXPECT(leat_sender_check(home.sender));
    EXPECT_EQ(leat_sender_ledger(home.sender)->in, BATCHES * 10);
    EXPECT_EQ(leat_sender_ledger(home.sender)->out, source.delivered);
    EXPECT_EQ(home.totals.queue_left, 64);
    if (fail_at == 0) {
        EXPECT_EQ(source.dropped, 0);
        EXPECT(source.refused > 0);
    }
    leat_sender_door_close(door);
    leat_gate_done(&source.gate);
    leat_loop_close(source.loop);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_close(pool);
    leat_pool_bind(home.pool);
    leat_sender_close(home.sender);
    leat_gate_done(&home.gate);
    leat_loop_close(home.loop);
    EXPECT_EQ(leat_pool_blocks_out(home.pool), 0);
    leat_pool_close(home.pool);
    leat_pool_bind(NULL);
}

/* Scenario: batches cross to a slow sender with a small queue and come back. Guarantees: each source hears once, blocks
 * go home, the credit is exact. */
LEAT_TEST(batches_cross_and_come_back)
{
    static const struct kit_step steps[] = {{.kind = KIT_REPLY, .status = 413},
                                            {.kind = KIT_ERR, .err = LEAT_ENET},
                                            {.kind = KIT_REPLY, .status = 200, .delay_ns = 5000000}};
    cross(steps, 3, 0);
}

/* Scenario: each allocation of the home shard fails in turn. Guarantees: dropped or delivered, heard once, no leak. */
LEAT_TEST(the_home_shard_survives_any_failed_allocation)
{
    for (uint64_t n = 1; n < 40; n++)
        cross(NULL, 0, n);
}

/* Scenario: the door without memory, reservations canceled, several ways. Guarantees: nothing taken; exact credit. */
LEAT_TEST(a_door_takes_nothing_without_memory)
{
    static struct home home;
    struct leat_sender_door *door;
    home_open(&home, 0);
    EXPECT_OK(leat_sender_door_open(home.sender, home.loop, &door));
    struct leat_stage *node = leat_sender_door_node(door);
    struct leat_batch *batch = toy_batch(&toy_form, 0, 3, 8);
    leat_alloc_fail_at(1);
    EXPECT_RC(leat_stage_reserve(node, batch), LEAT_AGAIN);
    leat_alloc_fail_at(0);
    EXPECT_EQ(home.totals.queue_left, 64);
    EXPECT_OK(leat_stage_reserve(node, batch));
    EXPECT_OK(leat_stage_reserve(node, batch));
    EXPECT_EQ(home.totals.queue_left, 62);
    leat_stage_cancel(node, batch);
    leat_stage_cancel(node, NULL);
    EXPECT_EQ(home.totals.queue_left, 64);
    leat_batch_free(batch);
    leat_sender_door_close(door);
    leat_sender_close(home.sender);
    leat_gate_done(&home.gate);
    leat_loop_close(home.loop);
    leat_pool_close(home.pool);
    leat_pool_bind(NULL);
}
