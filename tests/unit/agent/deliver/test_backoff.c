/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/backoff.h"

#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

#define S 1000000000ull

static const struct leat_retry_conf defaults = {.enabled = true,
                                                .initial_interval_ns = 5 * (int64_t)S,
                                                .max_interval_ns = 30 * (int64_t)S,
                                                .max_elapsed_time_ns = 300 * (int64_t)S,
                                                .randomization_factor = 0.5,
                                                .multiplier = 1.5};

/* Scenario: many seeds. Guarantees: the n-th wait lies within interval * (1 +- factor), interval growing by the
 * multiplier to max_interval, and fills that range. */
LEAT_TEST(waits_follow_the_collectors_formula)
{
    struct leat_retry_conf conf = defaults;
    conf.max_elapsed_time_ns = 0;
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct leat_world *world = sim_world_new(seed);
        struct leat_backoff backoff = {0};
        double interval = 5e9;
        for (int n = 0; n < 12; n++) {
            uint64_t wait = leat_backoff_next(&backoff, &conf, world, 0);
            EXPECT((double)wait >= interval * 0.5 - 2 && (double)wait <= interval * 1.5 + 2);
            lowest = n == 0 && wait < lowest ? wait : lowest;
            highest = n == 0 && wait > highest ? wait : highest;
            interval = interval * 1.5 < 30e9 ? interval * 1.5 : 30e9;
        }
        sim_world_free(world);
    }
    EXPECT(lowest < 2700000000ull && highest > 7300000000ull);
}

/* Scenario: full jitter. Guarantees: anywhere in [0, interval]. */
LEAT_TEST(full_jitter_waits_any_share)
{
    struct leat_retry_conf conf = defaults;
    conf.full_jitter = true;
    uint64_t lowest = UINT64_MAX, highest = 0;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct leat_world *world = sim_world_new(seed);
        struct leat_backoff backoff = {0};
        uint64_t wait = leat_backoff_next(&backoff, &conf, world, 0);
        EXPECT(wait <= 5 * S);
        lowest = wait < lowest ? wait : lowest;
        highest = wait > highest ? wait : highest;
        sim_world_free(world);
    }
    EXPECT(lowest < S / 4 && highest > 4 * S);
}

/* Scenario: time passes. Guarantees: no wait that would end after max_elapsed_time; 0 means never. */
LEAT_TEST(max_elapsed_time_is_the_end)
{
    struct leat_world *world = sim_world_new(1);
    struct leat_backoff backoff = {0};
    uint64_t began = world->mono_ns(world), wait;
    while ((wait = leat_backoff_next(&backoff, &defaults, world, 0)) != UINT64_MAX) {
        sim_world_advance(world, wait);
        EXPECT(world->mono_ns(world) - began <= 300 * S);
    }
    EXPECT(world->mono_ns(world) - began > 250 * S);
    struct leat_retry_conf conf = defaults;
    conf.max_elapsed_time_ns = 0;
    sim_world_advance(world, 1000000 * S);
    EXPECT(leat_backoff_next(&backoff, &conf, world, 0) != UINT64_MAX);
    sim_world_free(world);
}

/* Scenario: Retry-After. Guarantees: wins when longer, not when shorter; even the longest does not wrap the sums. */
LEAT_TEST(retry_after_wins_when_longer)
{
    struct leat_world *world = sim_world_new(1);
    struct leat_backoff backoff = {0};
    EXPECT_EQ(leat_backoff_next(&backoff, &defaults, world, 100 * S), 100 * S);
    EXPECT(leat_backoff_next(&backoff, &defaults, world, 1) > S);
    EXPECT_EQ(leat_backoff_next(&backoff, &defaults, world, 301 * S), UINT64_MAX);
    EXPECT_EQ(leat_backoff_next(&backoff, &defaults, world, UINT64_MAX), UINT64_MAX);
    EXPECT_EQ(leat_backoff_next(&backoff, &defaults, world, UINT64_MAX - 1), UINT64_MAX);
    struct leat_retry_conf conf = defaults;
    conf.max_elapsed_time_ns = 0;
    EXPECT(leat_backoff_next(&backoff, &conf, world, UINT64_MAX) < UINT64_MAX);
    sim_world_free(world);
}

/* Scenario: odd factors. Guarantees: no wait of nothing, none of NaN. */
LEAT_TEST(odd_factors_still_wait)
{
    struct leat_world *world = sim_world_new(1);
    struct leat_retry_conf conf = {.randomization_factor = 1, .multiplier = 0};
    struct leat_backoff backoff = {0};
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(leat_backoff_next(&backoff, &conf, world, 0), 1000000);
    conf = (struct leat_retry_conf){
        .initial_interval_ns = 86400 * (int64_t)S, .max_interval_ns = 86400 * (int64_t)S, .multiplier = 1000};
    backoff = (struct leat_backoff){0};
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(leat_backoff_next(&backoff, &conf, world, 0), 86400 * S);
    sim_world_free(world);
}
