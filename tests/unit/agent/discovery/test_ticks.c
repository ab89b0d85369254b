/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/ticks.h"
#include "tests/kit/kit.h"

#define S 1000000000ull
#define MS 1000000ull

/* Guarantees: the first tick is at the target's phase of the wall clock, whenever it starts. */
LEAT_TEST(ticks_start_at_the_phase)
{
    struct leat_ticks ticks;
    leat_ticks_start(&ticks, 10 * S, 3 * S, 0, 1000 * S, 50);
    EXPECT_EQ(ticks.next_mono_ns, 50 + 3 * S);
    leat_ticks_start(&ticks, 10 * S, 3 * S, 0, 1004 * S, 50);
    EXPECT_EQ(ticks.next_mono_ns, 50 + 9 * S);
    leat_ticks_start(&ticks, 10 * S, 3 * S, 3 * S, 1000 * S, 50);
    EXPECT_EQ(leat_ticks_wait_ns(&ticks, 50), 0);
}

/* Guarantees: small lateness is stamped away, larger is told as it was, and the row of ideal times stays. */
LEAT_TEST(ticks_snap_within_tolerance)
{
    struct leat_ticks ticks;
    leat_ticks_start(&ticks, 10 * S, 0, 0, 1000 * S, 0);
    EXPECT_EQ(leat_ticks_now(&ticks, 1000 * S, 0), 1000 * S);
    EXPECT_EQ(ticks.next_mono_ns, 10 * S);
    EXPECT_EQ(leat_ticks_now(&ticks, 1010 * S + 2 * MS, 10 * S + 2 * MS), 1010 * S);
    EXPECT_EQ(ticks.next_mono_ns, 20 * S);
    EXPECT_EQ(leat_ticks_now(&ticks, 1020 * S + 3 * MS, 20 * S + 3 * MS), 1020 * S + 3 * MS);
    EXPECT_EQ(leat_ticks_now(&ticks, 1030 * S - 1 * MS, 30 * S), 1030 * S);
    EXPECT_EQ(ticks.next_mono_ns, 40 * S);
}

/* Guarantees: with short intervals the tolerance is a hundredth of them. */
LEAT_TEST(ticks_snap_less_for_short_intervals)
{
    struct leat_ticks ticks;
    leat_ticks_start(&ticks, 50 * MS, 0, 0, 1000 * S, 0);
    (void)leat_ticks_now(&ticks, 1000 * S, 0);
    EXPECT_EQ(leat_ticks_now(&ticks, 1000 * S + 51 * MS, 51 * MS), 1000 * S + 51 * MS);
    EXPECT_EQ(leat_ticks_now(&ticks, 1000 * S + 100 * MS + MS / 2, 100 * MS), 1000 * S + 100 * MS);
}

/* Scenario:   the process stood still for 35 s; then the wall clock is set back an hour.
 * Guarantees: missed ticks are not made up for, the row goes on; after the step it starts anew and never goes back. */
LEAT_TEST(ticks_skip_what_was_missed)
{
    struct leat_ticks ticks;
    leat_ticks_start(&ticks, 10 * S, 0, 0, 10000 * S, 0);
    (void)leat_ticks_now(&ticks, 10000 * S, 0);
    EXPECT_EQ(leat_ticks_now(&ticks, 10035 * S, 35 * S), 10035 * S);
    EXPECT_EQ(ticks.next_mono_ns, 40 * S);
    EXPECT_EQ(leat_ticks_now(&ticks, 10040 * S + MS, 40 * S), 10040 * S);
    EXPECT_EQ(leat_ticks_now(&ticks, 6450 * S, 50 * S), 6450 * S);
    EXPECT_EQ(leat_ticks_now(&ticks, 6460 * S + MS, 60 * S), 6460 * S);
    EXPECT_EQ(leat_ticks_wait_ns(&ticks, 65 * S), 5 * S);
}
