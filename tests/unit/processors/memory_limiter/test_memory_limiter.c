/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/memory_limiter/memory_limiter.h"

#include "agent/base/world.h"
#include "tests/kit/kit.h"

#define MIB (1ull << 20)

/* Scenario:   limits given in MiB, in percent, both, and without a spike limit.
 * Guarantees: MiB win; the spike limit is a fifth when not given. */
LEAT_TEST(limits_are_the_collectors)
{
    uint64_t soft, hard;
    memory_limiter__limits(&(struct memory_limiter_conf){.limit_mib = 100}, 0, &soft, &hard);
    EXPECT_EQ(hard, 100 * MIB);
    EXPECT_EQ(soft, 80 * MIB);
    memory_limiter__limits(
        &(struct memory_limiter_conf){.limit_mib = 100, .spike_limit_mib = 30, .limit_percentage = 50}, 1000 * MIB,
        &soft, &hard);
    EXPECT_EQ(hard, 100 * MIB);
    EXPECT_EQ(soft, 70 * MIB);
    memory_limiter__limits(&(struct memory_limiter_conf){.limit_percentage = 50, .spike_limit_percentage = 10},
                           1000 * MIB, &soft, &hard);
    EXPECT_EQ(hard, 500 * MIB);
    EXPECT_EQ(soft, 400 * MIB);
}

/* Scenario:   settings that cannot be meant.
 * Guarantees: each is refused, in the Collector's words. */
LEAT_TEST(bad_limits_are_refused)
{
    struct leat_err err = {0};
    EXPECT_RC(memory_limiter__check(&(struct memory_limiter_conf){.limit_mib = 1}, &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "'check_interval' must be greater than zero");
    EXPECT_RC(memory_limiter__check(&(struct memory_limiter_conf){.check_interval_ns = 1}, &err), LEAT_ECONFIG);
    EXPECT_RC(memory_limiter__check(&(struct memory_limiter_conf){1, 10, 10, 0, 0}, &err), LEAT_ECONFIG);
    EXPECT_RC(memory_limiter__check(&(struct memory_limiter_conf){1, 0, 0, 10, 10}, &err), LEAT_ECONFIG);
    EXPECT_OK(memory_limiter__check(&(struct memory_limiter_conf){1, 10, 2, 0, 0}, &err));
}

struct rig {
    uint64_t counts[4];
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_host host;
    struct leat_waiter waiter;
    int woken;
    struct memory_limiter limiter;
};

static void wake(struct leat_waiter *waiter)
{
    ((struct rig *)waiter->ctx)->woken++;
}

static void rig_open(struct rig *rig, int64_t limit_mib)
{
    *rig = (struct rig){0};
    struct leat_err err = {0};
    static struct memory_limiter_conf conf;
    conf = (struct memory_limiter_conf){.check_interval_ns = 1000000000, .limit_mib = limit_mib};
    EXPECT_OK(leat_loop_open_simulated(leat_world_real(), &rig->loop));
    leat_gate_init(&rig->gate, rig->loop);
    rig->host = (struct leat_host){.id = "memory_limiter",
                                   .loop = rig->loop,
                                   .world = leat_world_real(),
                                   .gate = &rig->gate,
                                   .counts = rig->counts};
    rig->waiter = (struct leat_waiter){.wake = wake, .ctx = rig};
    leat_list_init(&rig->waiter.link);
    EXPECT_OK_ERR(memory_limiter__open(&rig->limiter, &conf, LEAT_LOGS, &rig->host, &err), &err);
}

static void rig_close(struct rig *rig)
{
    memory_limiter__close(&rig->limiter);
    leat_gate_forget(&rig->waiter);
    leat_gate_done(&rig->gate);
    leat_loop_close(rig->loop);
}

/* Scenario:   use rises over the soft limit, over the limit, and falls again.
 * Guarantees: from the soft limit on batches are told to come again and counted; when it falls they are woken. */
LEAT_TEST(pressure_is_passed_on)
{
    static struct rig rig;
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = 7};
    rig_open(&rig, 100000);
    EXPECT_OK(memory_limiter__admit(&rig.limiter, &batch));
    EXPECT(memory_limiter__process(&rig.limiter, &batch) == &batch);
    EXPECT_EQ(rig.counts[MEMORY_LIMITER_ACCEPTED], 7);
    memory_limiter__judge(&rig.limiter, rig.limiter.soft_bytes - 1);
    EXPECT_OK(memory_limiter__admit(&rig.limiter, &batch));
    memory_limiter__judge(&rig.limiter, rig.limiter.soft_bytes);
    EXPECT_EQ(memory_limiter__admit(&rig.limiter, &batch), LEAT_AGAIN);
    EXPECT_EQ(rig.counts[MEMORY_LIMITER_HARD], 0);
    memory_limiter__judge(&rig.limiter, rig.limiter.hard_bytes + 1);
    EXPECT_EQ(memory_limiter__admit(&rig.limiter, &batch), LEAT_AGAIN);
    EXPECT_EQ(rig.counts[MEMORY_LIMITER_REFUSED], 14);
    EXPECT_EQ(rig.counts[MEMORY_LIMITER_HARD], 1);
    leat_gate_wait(&rig.gate, &rig.waiter);
    memory_limiter__judge(&rig.limiter, 1);
    (void)leat_loop_run_once(rig.loop, false);
    EXPECT_EQ(rig.woken, 1);
    EXPECT_OK(memory_limiter__admit(&rig.limiter, &batch));
    rig_close(&rig);
}

/* Scenario:   a limit that this very process is above.
 * Guarantees: the first measurement, at the start, already refuses: what is measured is this process. */
LEAT_TEST(it_measures_this_process)
{
    static struct rig rig;
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = 1};
    uint64_t rss = 0;
    EXPECT_OK(memory_limiter__rss(leat_world_real(), "/proc/self/statm", &rss));
    EXPECT(rss > MIB / 2 && rss < 100000 * MIB);
    EXPECT_EQ(memory_limiter__rss(leat_world_real(), "/nowhere/statm", &rss), LEAT_EIO);
    EXPECT_EQ(memory_limiter__rss(leat_world_real(), "/proc/self/comm", &rss), LEAT_EPARSE);
    rig_open(&rig, 1);
    EXPECT_EQ(memory_limiter__admit(&rig.limiter, &batch), LEAT_AGAIN);
    rig_close(&rig);
}
