/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include "tests/unit/receivers/prometheus/rig.h"
static double now_s(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (double)t.tv_sec + (double)t.tv_nsec / 1e9; }
static void one(struct rig *rig, int64_t tick, struct leat_strbuf *page, const char *what)
{
    struct leat_slice all = leat_slice_of(page->at, (uint32_t)page->len);
    struct leat_chain body = {.vec = &all, .count = 1, .bytes = page->len};
    struct prometheus_scrape *scrape = &rig->state.scrape;
    double a = now_s();
    prometheus__scrape_begin(scrape, rig->target, tick, tick);
    leat_rc rc = prometheus__page(scrape, PROMETHEUS_CLASSIC, &body, &rig->err);
    double b = now_s();
    (void)prometheus__scrape_end(scrape, rc == LEAT_OK, true, 1, 0.25);
    prometheus__scrape_clear(scrape);
    double c = now_s();
    printf("%s %s\n", leat_rc_name(rc), rig->err.text); printf("%s: rc %d page %.1f ms end %.1f ms, %lu bytes\n", what, rc, (b - a) * 1e3, (c - b) * 1e3, page->len);
}
LEAT_TEST(bench)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    struct leat_strbuf page = {0};
    for (uint32_t r = 0; r < 3; r++) {
        leat_strbuf_clear(&page);
        for (uint32_t i = 0; i < 1000000; i++)
            leat_strbuf_printf(&page, "flood{pod=\"pod-%u\",path=\"/a/b/c\",i=\"%u\"} 1\n", i % 100, r * 1000000 + i);
        one(rig, 1000 * r + 1000, &page, "flood");
    }
    for (uint32_t r = 0; r < 4; r++) {
        leat_strbuf_clear(&page);
        for (uint32_t i = 0; i < 100000; i++)
            leat_strbuf_printf(&page, "same{pod=\"pod-%u\",path=\"/a/b/c\",i=\"%u\"} %u\n", i % 100, i, i * r);
        one(rig, 1000 * r + 10000, &page, "100k same");
    }
    for (uint32_t r = 0; r < 4; r++) {
        leat_strbuf_clear(&page);
        for (uint32_t i = 0; i < 100000; i++)
            leat_strbuf_printf(&page, "same{pod=\"pod-%u\",path=\"/a/b/c\",i=\"%u\"} %u\n", i % 100, i == 5 ? 1000000 + r : i, i * r);
        one(rig, 1000 * r + 20000, &page, "100k, one new");
    }
    rig->job.settings.sample_limit = 1000;
    one(rig, 30000, &page, "100k over sample_limit, known");
    leat_strbuf_clear(&page);
    for (uint32_t i = 0; i < 1000000; i++)
        leat_strbuf_printf(&page, "flood{pod=\"pod-%u\",path=\"/a/b/c\",i=\"%u\"} 1\n", i % 100, i);
    one(rig, 31000, &page, "1M over sample_limit, new");
    leat_strbuf_done(&page);
    rig_close(rig);
}
