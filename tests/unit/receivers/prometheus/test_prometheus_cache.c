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

/* Scenario:   pages of ever other families, with long help, that come to nothing; whole ones; then one with a single family.
 * Guarantees: what is remembered of families is charged, bounded, and goes; a target whose pages get better is read again. */
LEAT_TEST(families_are_charged_and_forgotten)
{
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig->conf.max_series_per_target = 5000;
    rig_ready(rig);
    struct prometheus_cache *cache = &rig->target->cache;
    for (uint32_t whole = 0, n = 0; whole < 2; whole++)
        for (uint32_t round = 0; round < 60; round++) {
            leat_strbuf_clear(&page);
            for (uint32_t i = 0; i < 400; i++, n++)
                leat_strbuf_printf(&page, "# HELP m%u %0200u\n# TYPE m%u gauge\n%s", n, n, n, whole ? "" : "\n");
            leat_strbuf_puts(&page, whole ? "a 1\n" : "a{");
            EXPECT_RC(rig_page(rig, 1000 * (60 * whole + round + 1), TEXT, page.at), whole ? LEAT_OK : LEAT_EPARSE);
            EXPECT(cache->meta_count <= 5000);
            EXPECT(cache->bytes >= cache->meta_count * 200ull);
        }
    for (uint32_t i = 0; i < 20; i++)
        EXPECT_OK(rig_page(rig, 1000000 + i, TEXT, "# TYPE a gauge\na 1\n"));
    EXPECT(cache->meta_count < 500);
    EXPECT(cache->bytes < 500 * 600);
    leat_strbuf_clear(&page);
    for (uint32_t i = 0; i <= 5000; i++)
        leat_strbuf_printf(&page, "# TYPE t%u gauge\n", i);
    EXPECT_RC(rig_page(rig, 2000000, TEXT, page.at), LEAT_EFULL);
    EXPECT_EQ(cache->meta_room, 0);
    EXPECT_OK(rig_page(rig, 2001000, TEXT, "# TYPE b gauge\nb 1\n"));
    EXPECT_EQ(cache->meta_count, 1);
    leat_strbuf_clear(&page);
    for (uint32_t i = 0; i < 3000; i++)
        leat_strbuf_printf(&page, "# TYPE t%u gauge\n", i);
    leat_strbuf_puts(&page, "a 1\n");
    EXPECT_OK(rig_page(rig, 2002000, TEXT, page.at));
    EXPECT_OK(rig_page(rig, 2003000, TEXT, "")); /* no answer is no reason to forget */
    EXPECT_EQ(cache->meta_count, 3000);
    leat_strbuf_done(&page);
    rig_close(rig);
}

/* Scenario:   a page that is too large by far, twice, with what was there before on it; then it is empty; then it is as at first.
 * Guarantees: the cache is cut back to what goes on, which is still marked when it is gone; the target is read again at once. */
LEAT_TEST(a_forced_sweep_keeps_what_is_to_be_marked)
{
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig->conf.max_series_per_target = 4000;
    rig_ready(rig);
    for (int64_t round = 0; round < 2; round++) {
        leat_strbuf_clear(&page);
        filled(&page, "a", 500);
        EXPECT_OK(rig_page(rig, 10000 * round + 1000, TEXT, page.at));
        filled(&page, "b", 5000);
        EXPECT_RC(rig_page(rig, 10000 * round + 2000, TEXT, page.at), LEAT_EFULL);
        EXPECT_EQ(rig->target->cache.by_raw.count, 500);
        leat_strbuf_clear(&page);
        filled(&page, "a", 500);
        filled(&page, "c", 5000);
        EXPECT_RC(rig_page(rig, 10000 * round + 3000, TEXT, page.at), LEAT_EFULL);
        EXPECT_EQ(rig->target->cache.by_raw.count, 500);
        EXPECT_EQ(rig->counts[PROMETHEUS_STALE], 500 * round);
        EXPECT_OK(rig_page(rig, 10000 * round + 4000, TEXT, ""));
        EXPECT_EQ(rig->counts[PROMETHEUS_STALE], 500 * (round + 1));
    }
    leat_strbuf_done(&page);
    rig_close(rig);
}

/* Scenario:   exemplars with labels of megabytes, one behind the other.
 * Guarantees: the samples go without, and no copy of the labels is made. */
LEAT_TEST(exemplars_of_megabytes_are_not_gathered)
{
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig->conf.max_line_bytes = 8 << 20;
    rig_ready(rig);
    leat_strbuf_puts(&page, "# TYPE a counter\n");
    for (uint32_t i = 0; i < 3; i++)
        leat_strbuf_printf(&page, "a_total{i=\"%u\"} 1 # {t=\"%0*u\"} 1\n", i, i == 2 ? 5 << 20 : 1 << 20, i);
    leat_strbuf_puts(&page, "# EOF\n");
    EXPECT_OK(rig_page(rig, 1000, PROMETHEUS_OPEN_METRICS, page.at));
    EXPECT_STR(rig->out.at, "a_total{i=0} 1 @1000\na_total{i=1} 1 @1000\na_total{i=2} 1 @1000\n");
    EXPECT(rig->state.scrape.exemplars.room < 65536);
    leat_strbuf_done(&page);
    rig_close(rig);
}

/* Scenario:   a page with a hundred thousand samples of one series, each with a time of its own; one of as many series.
 * Guarantees: notes are made of series, not of samples, and not kept once the page is read. */
LEAT_TEST(notes_are_of_series_and_of_one_page)
{
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig_ready(rig);
    for (uint32_t i = 0; i < 100000; i++)
        leat_strbuf_printf(&page, "a 1 %u\n", i);
    leat_strbuf_puts(&page, "b{");
    EXPECT_RC(rig_page(rig, 1000000, TEXT, page.at), LEAT_EPARSE);
    EXPECT(rig->state.scrape.undo_room < 1000);
    EXPECT_EQ(rig->target->cache.first->last_ms, INT64_MIN);
    leat_strbuf_clear(&page);
    for (uint32_t i = 0; i < 100000; i++)
        leat_strbuf_printf(&page, "a%u 1 5\n", i);
    EXPECT_OK(rig_page(rig, 2000000, TEXT, page.at));
    EXPECT_EQ(rig->state.scrape.undo_room, 0);
    leat_strbuf_done(&page);
    rig_close(rig);
}

/* Scenario:   relabelling makes one series of more texts than are counted.
 * Guarantees: it is sent once, whoever comes first. */
LEAT_TEST(a_series_of_very_many_texts_is_sent_once)
{
    struct leat_relabel_conf rule = {.separator = ";", .regex = "i", .replacement = "$1", .action = LEAT_RELABEL_LABELDROP};
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig->job_conf.metric_relabel_configs = (struct leat_items){&rule, 1};
    rig_ready(rig);
    filled(&page, "a", 60100);
    for (int64_t tick = 1000; tick <= 2000; tick += 1000) {
        EXPECT_OK(rig_page(rig, tick, TEXT, page.at));
        EXPECT_STR(rig->out.at, tick == 1000 ? "a 0 @1000\n" : "a 0 @2000\n");
    }
    EXPECT_OK(rig_page(rig, 3000, TEXT, "b 1\n"));
    EXPECT_STR(rig->out.at, "b 1 @3000\na stale @3000\n");
    EXPECT_EQ(rig->target->cache.by_raw.count, 1);
    leat_strbuf_done(&page);
    rig_close(rig);
}
