/* SPDX-License-Identifier: Apache-2.0 */
/* What a target's cache keeps, for how long, and what of it is charged. */
#include "tests/unit/receivers/prometheus/rig.h"

#define TEXT PROMETHEUS_CLASSIC

static void filled(struct leat_strbuf *page, const char *name, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        leat_strbuf_printf(page, "%s{i=\"%u\"} %u\n", name, i, i);
}

/* Scenario:   two texts of one series, of which one, the other, then both are gone with so many others that the cache is swept.
 * Guarantees: the series stays as long as one of its texts, and goes with the last. */
LEAT_TEST(two_texts_of_a_series_are_swept_in_order)
{
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig_ready(rig);
    for (uint32_t round = 0; round < 3; round++) {
        leat_strbuf_clear(&page);
        leat_strbuf_puts(&page, "a{x=\"1\"} 1\na{x=\"1\",} 1\n");
        filled(&page, "b", 200);
        EXPECT_OK(rig_page(rig, 10000 * round + 1000, TEXT, page.at));
        EXPECT_EQ(rig->target->cache.by_raw.count, 202);
        EXPECT_EQ(rig->target->cache.by_labels.count, 201);
        EXPECT_OK(rig_page(rig, 10000 * round + 2000, TEXT, round == 0 ? "a{x=\"1\"} 1\n" : round == 1 ? "a{x=\"1\",} 1\n" : "c 1\n"));
        EXPECT_EQ(rig->target->cache.by_labels.count, 1);
        EXPECT_EQ(rig->target->cache.by_raw.count, round == 1 ? 2 : 1);
    }
    leat_strbuf_done(&page);
    rig_close(rig);
}
