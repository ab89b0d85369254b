/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario:   numbered lines arrive out of order, twice, not at all, and without a number.
 * Guarantees: each is counted as what it is, and the missing ones are named. */
#include "bench/sink/tally.h"
#include "tests/kit/kit.h"

static void add(struct bench_tally *tally, const char *line)
{
    bench_tally_line(tally, (const uint8_t *)line, strlen(line));
}

static struct bench_tally fresh(void)
{
    struct bench_tally tally = {0};
    bench_tally_reset(&tally);
    return tally;
}

LEAT_TEST(tally_counts_distinct_and_repeated)
{
    struct bench_tally tally = fresh();
    EXPECT_EQ(tally.seq_max, -1);
    add(&tally, "info seq=0000000009 x");
    add(&tally, "seq=0");
    add(&tally, "seq=9,");
    EXPECT_EQ(tally.distinct, 2);
    EXPECT_EQ(tally.repeated, 1);
    EXPECT_EQ(tally.seq_max, 9);
    bench_tally_reset(&tally);
    EXPECT_EQ(tally.distinct, 0);
}

LEAT_TEST(tally_names_what_is_missing)
{
    struct bench_tally tally = fresh();
    struct bench_bytes text = {0};
    add(&tally, "seq=0");
    add(&tally, "seq=2");
    add(&tally, "seq=6");
    bench_tally_missing(&tally, 20, 10, &text);
    bench_bytes_add(&text, "", 1);
    EXPECT_STR((char *)text.at, "1,3-5,7-19");
    text.len = 0;
    bench_tally_missing(&tally, 20, 1, &text);
    bench_bytes_add(&text, "", 1);
    EXPECT_STR((char *)text.at, "1");
    bench_bytes_done(&text);
    bench_tally_reset(&tally);
}

LEAT_TEST(tally_keeps_lines_without_a_number_apart)
{
    struct bench_tally tally = fresh();
    add(&tally, "seq=");
    add(&tally, "nothing");
    add(&tally, "seq=99999999999999999999999");
    bench_tally_line(&tally, NULL, 0);
    EXPECT_EQ(tally.unnumbered, 4);
    EXPECT_EQ(tally.distinct, 0);
    bench_tally_reset(&tally);
}
