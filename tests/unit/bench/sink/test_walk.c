/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario:   OTLP and Loki bodies, whole, cut short and with fields unknown to the walk.
 * Guarantees: the items counted are the items there, each shown once with its line; a broken body is told apart. */
#include "bench/sink/walk.h"
#include "tests/kit/kit.h"

/* {resource_logs{scope_logs{log_records{body{"a b"}}, log_records{time}}}} */
static const uint8_t otlp[] = {0x0a, 22,   0x12, 20,   0x12, 7, 0x2a, 5, 0x0a, 3, 'a', ' ',
                               'b',  0x12, 9,    0x09, 1,    2, 3,    4, 5,    6, 7,   8};
/* {streams{labels "{}", entries{timestamp{}, line "xy"}}} */
static const uint8_t loki[] = {0x0a, 12, 0x0a, 2, '{', '}', 0x12, 6, 0x0a, 0, 0x12, 2, 'x', 'y'};

struct shown {
    unsigned calls, texts;
    char last[16];
};

static void show(void *context, const uint8_t *at, size_t len)
{
    struct shown *shown = context;
    shown->calls++;
    if (!at)
        return;
    shown->texts++;
    memcpy(shown->last, at, len);
    shown->last[len] = 0;
}

LEAT_TEST(walk_counts_otlp_items_and_shows_each)
{
    struct shown shown = {0};
    EXPECT_EQ(bench_walk(BENCH_OTLP, otlp, sizeof otlp, NULL, NULL), 2);
    EXPECT_EQ(bench_walk(BENCH_OTLP, otlp, sizeof otlp, show, &shown), 2);
    EXPECT_EQ(shown.calls, 2);
    EXPECT_EQ(shown.texts, 1);
    EXPECT_STR(shown.last, "a b");
}

LEAT_TEST(walk_counts_loki_entries)
{
    struct shown shown = {0};
    EXPECT_EQ(bench_walk(BENCH_LOKI, loki, sizeof loki, show, &shown), 1);
    EXPECT_EQ(shown.texts, 1);
    EXPECT_STR(shown.last, "xy");
}

LEAT_TEST(walk_refuses_a_body_cut_anywhere)
{
    for (size_t len = 1; len < sizeof otlp; len++)
        EXPECT_EQ(bench_walk(BENCH_OTLP, otlp, len, NULL, NULL), -1);
    EXPECT_EQ(bench_walk(BENCH_OTLP, otlp, 0, NULL, NULL), 0); /* an empty message is one */
}

LEAT_TEST(walk_steps_over_what_it_does_not_know)
{
    uint8_t fine[sizeof otlp + 6] = {0x58, 0x96, 0x01, 0x62, 1, 2};
    memcpy(fine + 6, otlp, sizeof otlp);
    EXPECT_EQ(bench_walk(BENCH_OTLP, fine, sizeof fine, NULL, NULL), 2);
}

LEAT_TEST(walk_refuses_groups_and_endless_varints)
{
    static const uint8_t group[] = {0x0b, 0x0c},
                         varint[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    EXPECT_EQ(bench_walk(BENCH_OTLP, group, sizeof group, NULL, NULL), -1);
    EXPECT_EQ(bench_walk(BENCH_OTLP, varint, sizeof varint, NULL, NULL), -1);
}
