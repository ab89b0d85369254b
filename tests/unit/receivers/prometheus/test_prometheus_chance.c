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

/* ---- any bytes ---- */

#define SERIES 4096u
struct book { /* series that are there, by the hash of their labels */
    uint64_t at[SERIES];
    uint32_t count;
};

static void enter(struct book *book, const struct rig *rig)
{
    LEAT_LIST_EACH(link, &rig->state.scrape.done) {
        const struct leat_batch *batch = LEAT_CONTAINER(link, struct prometheus_parcel, link)->batch;
        for (uint32_t s = 0, n; s < batch->payload.count; s++) {
            const struct leat_prom_sample *samples = leat_prom_samples(&batch->payload.vec[s], &n);
            for (uint32_t k = 0, i; k < n; k++) {
                for (i = 0; i < book->count && book->at[i] != samples[k].series->hash; i++)
                    continue;
                if (leat_prom_is_stale(samples[k].value)) {
                    if (i < book->count) /* else it stood on a page that counted for nothing */
                        book->at[i] = book->at[--book->count];
                } else if (i == book->count) {
                    EXPECT(book->count < SERIES);
                    book->at[book->count++] = samples[k].series->hash;
                }
            }
        }
    }
}

static void change(struct belief *belief, char *page, size_t *len, size_t room)
{
    for (uint32_t k = chance(belief, 4); k && *len; k--) {
        uint32_t at = chance(belief, (uint32_t)*len), part = 1 + chance(belief, 1 + chance(belief, 60)), from = chance(belief, (uint32_t)*len);
        part = at + part > *len ? (uint32_t)*len - at : part;
        switch (chance(belief, 4)) {
        case 0:
            page[at] = (char)chance(belief, 256);
            break;
        case 1: /* gone */
            memmove(page + at, page + at + part, *len - at - part);
            *len -= part;
            break;
        case 2: /* twice */
            if (*len + part > room)
                break;
            memmove(page + at + part, page + at, *len - at);
            *len += part;
            break;
        default: /* elsewhere */
            part = from + part > *len ? (uint32_t)*len - from : part;
            memmove(page + at, page + from, at + part > *len ? *len - at : part);
        }
    }
}

static const struct {
    const char *path;
    uint32_t skip; /* what the fuzzer takes for itself */
    enum prometheus_format format;
} samples_of[] = {{"tests/fuzz/prom_text/corpus/classic", 1, PROMETHEUS_CLASSIC},       {"tests/fuzz/prom_text/corpus/open", 1, PROMETHEUS_OPEN_METRICS},
                  {"tests/fuzz/prom_text/corpus/open_exemplar", 1, PROMETHEUS_OPEN_METRICS}, {"tests/fuzz/prom_text/corpus/open_times", 1, PROMETHEUS_OPEN_METRICS},
                  {"tests/fuzz/prom_proto/corpus/all", 1, PROMETHEUS_PROTO},            {"tests/fuzz/prom_text/corpus/text_escapes", 1, PROMETHEUS_CLASSIC}};
#define PAGES_OF (sizeof samples_of / sizeof samples_of[0])

/* Scenario:   pages of all formats with bytes changed, lost, doubled and moved, and allocations that fail.
 * Guarantees: after an empty page nothing is there any more. */
LEAT_TEST(any_bytes_keep_the_books)
{
    static struct book book;
    struct belief belief = {.seed = 5};
    struct rig *rig = rig_open();
    char *pages[PAGES_OF];
    size_t lens[PAGES_OF];
    rig->conf.max_batch_samples = 20;
    rig->job_conf.honor_timestamps = false;
    rig_ready(rig);
    rig->job.settings.native_histograms = rig->job.settings.classic_too = true;
    for (size_t i = 0; i < PAGES_OF; i++)
        pages[i] = kit_read_file(samples_of[i].path, &lens[i]);
    for (int64_t n = 1; n <= 4000; n++) {
        char page[8192];
        uint32_t which = chance(&belief, PAGES_OF);
        size_t len = lens[which] - samples_of[which].skip;
        EXPECT(len <= sizeof page / 2);
        memcpy(page, pages[which] + samples_of[which].skip, len);
        change(&belief, page, &len, sizeof page);
        struct leat_chain body = n % 20 == 0 ? (struct leat_chain){0} : kit_chain_cut(page, len, chance(&belief, (uint32_t)len + 1));
        leat_alloc_fail_at(chance(&belief, 3) ? 0 : 1 + chance(&belief, 200));
        prometheus__scrape_begin(&rig->state.scrape, rig->target, n * 1000, n * 1000);
        leat_rc rc = body.bytes ? prometheus__page(&rig->state.scrape, samples_of[which].format, &body, &rig->err) : LEAT_OK;
        leat_rc end = prometheus__scrape_end(&rig->state.scrape, rc == LEAT_OK, body.bytes > 0, 1, 0.25);
        leat_alloc_fail_at(0);
        enter(&book, rig);
        prometheus__scrape_clear(&rig->state.scrape);
        if (body.bytes == 0 && end == LEAT_OK)
            EXPECT(book.count <= PROMETHEUS_REPORTS); /* they are always there */
        EXPECT_EQ(rig->state.series, rig->target->cache.by_raw.count);
        leat_chain_done(&body);
    }
    for (size_t i = 0; i < PAGES_OF; i++)
        leat_free(pages[i]);
    rig_close(rig);
}
