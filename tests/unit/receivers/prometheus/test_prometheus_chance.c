/* SPDX-License-Identifier: Apache-2.0 */
/* Pages by chance, against what a receiver of the samples would believe. */
#include "tests/unit/receivers/prometheus/rig.h"

#define NAMES 300u
#define PAGES 1500

/* A name's bit: it is on the page; it is there for whoever got all samples and markers. */
struct belief {
    uint64_t seed;
    bool on_page[NAMES], there[NAMES];
};

static uint32_t chance(struct belief *belief, uint32_t below)
{
    belief->seed = belief->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(belief->seed >> 33) % below;
}

static const char *const texts[] = {"{a=\"1\",b=\"2\"}", "{b=\"2\",a=\"1\"}", "{a=\"1\",b=\"2\",}"};
#define OPEN_TEXTS 2u /* the last one is no OpenMetrics */

static enum prometheus_format make_page(struct belief *belief, struct leat_strbuf *page)
{
    bool open = chance(belief, 3) == 0;
    uint32_t share = chance(belief, 4) == 0 ? 0 : 1 + chance(belief, 10);
    leat_strbuf_clear(page);
    leat_strbuf_puts(page, open ? "" : "\n");
    memset(belief->on_page, 0, sizeof belief->on_page);
    for (uint32_t i = 0; i < NAMES; i++) {
        uint32_t n = chance(belief, 5) == 0 ? chance(belief, NAMES) : i;
        if (chance(belief, 10) >= share)
            continue;
        if (chance(belief, 4) == 0)
            leat_strbuf_printf(page, "# HELP n%u %u\n# TYPE n%u %s\n", n, chance(belief, 3), n, chance(belief, 2) ? "counter" : "gauge");
        for (uint32_t k = chance(belief, 10) == 0 ? 2 : 1; k; k--)
            leat_strbuf_printf(page, "n%u%s %u\n", n, texts[chance(belief, open ? OPEN_TEXTS : OPEN_TEXTS + 1)], chance(belief, 9));
        belief->on_page[n] = true;
    }
    leat_strbuf_puts(page, open ? "# EOF\n" : "");
    return open ? PROMETHEUS_OPEN_METRICS : PROMETHEUS_CLASSIC;
}

/* What was sent: a sample a line, "n17{...} 3 @1000" or "n17{...} stale @1000". */
static void believe(struct belief *belief, const char *told)
{
    for (const char *line = told; *line; line = strchr(line, '\n') + 1)
        belief->there[strtoul(line + 1, NULL, 10)] = strncmp(strchr(line, ' '), " stale", 6) != 0;
}

static leat_rc scrape(struct rig *rig, int64_t tick_ms, enum prometheus_format format, struct leat_chain *body, uint64_t fail_at)
{
    struct prometheus_scrape *scrape = &rig->state.scrape;
    rig->err = (struct leat_err){0};
    leat_alloc_fail_at(fail_at);
    prometheus__scrape_begin(scrape, rig->target, tick_ms, tick_ms);
    leat_rc rc = prometheus__page(scrape, format, body, &rig->err);
    leat_rc end = prometheus__scrape_end(scrape, rc == LEAT_OK, true, (int64_t)body->bytes, 0.25);
    leat_alloc_fail_at(0);
    rig_tell(rig);
    prometheus__scrape_clear(scrape);
    return rc == LEAT_OK ? end : rc;
}

static void run(bool without_memory, uint64_t seed)
{
    struct belief belief = {.seed = seed};
    struct rig *rig = rig_open();
    struct leat_strbuf page = {0};
    rig->conf.max_batch_samples = 50;
    rig_ready(rig);
    for (int64_t n = 1; n <= PAGES; n++) {
        enum prometheus_format format = make_page(&belief, &page);
        uint32_t len = (uint32_t)page.len, fault = chance(&belief, 4);
        if (fault == 0 && len)
            len = chance(&belief, len); /* it breaks off, or not */
        struct leat_chain body = kit_chain_cut(page.at, len, len / 2);
        leat_rc rc = scrape(rig, n * 1000, format, &body, without_memory && fault == 1 ? 1 + chance(&belief, 300) : 0);
        leat_chain_done(&body);
        believe(&belief, rig->out.at);
        if (rc == LEAT_OK && fault > 1)
            for (uint32_t i = 0; i < NAMES; i++)
                EXPECT_EQ(belief.there[i], belief.on_page[i]);
        EXPECT(rig->target->cache.by_raw.count <= NAMES * 3);
        EXPECT_EQ(rig->state.series, rig->target->cache.by_raw.count);
    }
    leat_strbuf_done(&page);
    rig_close(rig);
}

/* Scenario:   pages with any of 300 series in any of three texts, under changing metadata, some broken off.
 * Guarantees: after a whole page exactly its series are there, whatever came before. */
LEAT_TEST(after_a_whole_page_its_series_are_there) { run(false, 1); }

/* Scenario:   the same, and now and then an allocation fails. */
LEAT_TEST(after_a_lack_of_memory_too) { run(true, 2); }
