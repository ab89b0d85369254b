/* SPDX-License-Identifier: Apache-2.0 */
/* Pages in protobuf: what only they have. */
#include "tests/unit/receivers/prometheus/rig.h"

#define PROTO PROMETHEUS_PROTO
enum { COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM };

static void put_text(struct pb_buf *out, uint32_t number, const char *text)
{
    pb_buf_bytes(out, PB_TAG(number, PB_LEN), text, (uint32_t)strlen(text));
}

static void put_double(struct pb_buf *out, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    pb_buf_fixed64(out, PB_TAG(number, PB_FIXED64), bits);
}

/* An exemplar {t="..."} `value`, at `seconds` (0: without a time). */
static void put_exemplar(struct pb_buf *out, uint32_t number, const char *text, double value, uint64_t seconds)
{
    size_t exemplar = pb_buf_open(out, PB_TAG(number, PB_LEN)), label = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_text(out, 1, "t");
    put_text(out, 2, text);
    pb_buf_close(out, label);
    put_double(out, 2, value);
    if (seconds) {
        size_t time = pb_buf_open(out, PB_TAG(3, PB_LEN));
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), seconds);
        pb_buf_close(out, time);
    }
    pb_buf_close(out, exemplar);
}

static size_t family(struct pb_buf *page, const char *name, uint64_t kind)
{
    size_t at = pb_buf_open(page, 0) - 1; /* the tag is taken away at the end: a family has a length alone */
    put_text(page, 1, name);
    pb_buf_varint(page, PB_TAG(3, PB_VARINT), kind);
    return at;
}

static void end_family(struct pb_buf *page, size_t at)
{
    pb_buf_close(page, at + 1);
    memmove(page->at + at - 1, page->at + at, page->len - at);
    page->len--;
}

static void put_counter(struct pb_buf *page, const char *name, double value, const char *exemplar, int64_t time_ms)
{
    size_t at = family(page, name, COUNTER), metric = pb_buf_open(page, PB_TAG(4, PB_LEN)), counter = pb_buf_open(page, PB_TAG(3, PB_LEN));
    put_double(page, 1, value);
    if (exemplar)
        put_exemplar(page, 2, exemplar, 1, 0);
    pb_buf_close(page, counter);
    if (time_ms)
        pb_buf_varint(page, PB_TAG(6, PB_VARINT), (uint64_t)time_ms);
    pb_buf_close(page, metric);
    end_family(page, at);
}

/* `buckets` native ones of one observation each, and a classic one up to 2. */
static void put_histogram(struct pb_buf *page, const char *name, uint32_t buckets, const char *exemplar, uint64_t seconds)
{
    size_t at = family(page, name, HISTOGRAM), metric = pb_buf_open(page, PB_TAG(4, PB_LEN)), histogram = pb_buf_open(page, PB_TAG(7, PB_LEN));
    pb_buf_varint(page, PB_TAG(1, PB_VARINT), buckets);
    put_double(page, 2, 1.5);
    size_t bucket = pb_buf_open(page, PB_TAG(3, PB_LEN));
    pb_buf_varint(page, PB_TAG(1, PB_VARINT), 1);
    put_double(page, 2, 2);
    pb_buf_close(page, bucket);
    pb_buf_varint(page, PB_TAG(5, PB_VARINT), 6); /* schema 3 */
    put_double(page, 6, 0.001);
    size_t span = pb_buf_open(page, PB_TAG(12, PB_LEN));
    pb_buf_varint(page, PB_TAG(2, PB_VARINT), buckets);
    pb_buf_close(page, span);
    for (uint32_t i = 0; i < buckets; i++)
        pb_buf_varint(page, PB_TAG(13, PB_VARINT), i == 0 ? 2 : 0);
    if (exemplar)
        put_exemplar(page, 16, exemplar, 1, seconds);
    pb_buf_close(page, histogram);
    pb_buf_close(page, metric);
    end_family(page, at);
}

static leat_rc take(struct rig *rig, int64_t tick_ms, struct pb_buf *page)
{
    struct leat_slice all = leat_slice_of(page->at, (uint32_t)page->len);
    struct leat_chain body = {.vec = &all, .count = 1, .bytes = page->len};
    leat_rc rc = rig_body(rig, tick_ms, PROTO, &body);
    if (rc == LEAT_OK)
        page->len = 0;
    return rc;
}

static void says(struct rig *rig, int64_t tick_ms, struct pb_buf *page, const char *wanted)
{
    EXPECT_OK_ERR(take(rig, tick_ms, page), &rig->err);
    EXPECT_STR(rig->out.at, wanted);
}

/* Scenario:   a counter with a time of its own and an exemplar, a histogram of both kinds; then neither is there.
 * Guarantees: classic buckets come alone, native ones alone, or both, as asked for; a native one ends as a histogram. */
LEAT_TEST(histograms_come_as_asked_for)
{
    struct rig *rig = rig_open();
    struct pb_buf page = {0};
    rig_ready(rig);
    put_counter(&page, "c_total", 3, "x", 900);
    put_histogram(&page, "h", 4, NULL, 0);
    says(rig, 1000, &page, "c_total 3 @900 exemplar=1@900/8\nh_count 4 @1000\nh_sum 1.5 @1000\nh_bucket{le=2.0} 1 @1000\nh_bucket{le=+Inf} 4 @1000\n");
    rig->job.settings.native_histograms = true;
    put_histogram(&page, "h", 4, NULL, 0);
    says(rig, 2000, &page, "h 1.5 @2000 histogram=36\nh_count stale @2000\nh_sum stale @2000\nh_bucket{le=2.0} stale @2000\nh_bucket{le=+Inf} stale @2000\n");
    rig->job.settings.classic_too = true;
    put_histogram(&page, "h", 4, NULL, 0);
    says(rig, 3000, &page, "h 1.5 @3000 histogram=36\nh_count 4 @3000\nh_sum 1.5 @3000\nh_bucket{le=2.0} 1 @3000\nh_bucket{le=+Inf} 4 @3000\n");
    rig->job.settings.classic_too = false;
    put_counter(&page, "c_total", 4, "x", 0);
    says(rig, 4000, &page, "c_total 4 @4000\nh_count stale @4000\nh_sum stale @4000\nh_bucket{le=2.0} stale @4000\n"
                           "h_bucket{le=+Inf} stale @4000\nh stale @4000 histogram=9\n");
    pb_buf_done(&page);
    rig_close(rig);
}

/* Guarantees: resolution is reduced to the limit of buckets; what relabelling drops does not count for it. */
LEAT_TEST(buckets_are_limited_where_they_are_kept)
{
    static const char *name[] = {"__name__"};
    struct leat_relabel_conf drop = {.source_labels = {name, 1}, .separator = ";", .regex = "wide", .replacement = "$1",
                                     .action = LEAT_RELABEL_DROP};
    struct rig *rig = rig_open();
    struct pb_buf page = {0};
    rig->job_conf.metric_relabel_configs = (struct leat_items){&drop, 1};
    rig->job_conf.native_histogram_bucket_limit = 2;
    rig_ready(rig);
    rig->job.settings.native_histograms = true;
    put_histogram(&page, "h", 4, NULL, 0);
    says(rig, 1000, &page, "h 1.5 @1000 histogram=34\n");
    put_histogram(&page, "wide", 4000, NULL, 0);
    put_histogram(&page, "h", 2, NULL, 0);
    says(rig, 2000, &page, "h 1.5 @2000 histogram=34\n");
    put_histogram(&page, "other", 4000, NULL, 0);
    EXPECT_RC(take(rig, 3000, &page), LEAT_EFULL);
    EXPECT_STR(rig->out.at, "h stale @3000 histogram=9\n");
    pb_buf_done(&page);
    rig_close(rig);
}

/* Scenario:   exemplars on a page that breaks off; the same ones on the next, whole one, and on one more.
 * Guarantees: what the broken page had was not sent, so the whole one has it; the last one has not. */
LEAT_TEST(exemplars_of_a_broken_page_are_sent_later)
{
    struct rig *rig = rig_open();
    struct pb_buf page = {0};
    rig_ready(rig);
    rig->job.settings.native_histograms = true;
    for (int64_t tick = 1000; tick <= 3000; tick += 1000) {
        page.len = 0;
        put_counter(&page, "c_total", 3, "x", 0);
        put_histogram(&page, "h", 4, "y", 5);
        if (tick == 1000) {
            put_counter(&page, "cut", 3, NULL, 0);
            page.len--;
            EXPECT_RC(take(rig, tick, &page), LEAT_EPARSE);
        } else
            says(rig, tick, &page, tick == 2000 ? "c_total 3 @2000 exemplar=1@2000/8\nh 1.5 @2000 exemplar=1@5000/8 histogram=36\n"
                                                : "c_total 3 @3000\nh 1.5 @3000 histogram=36\n");
    }
    pb_buf_done(&page);
    rig_close(rig);
}

/* Guarantees: a page that found no memory says nothing about the next. */
LEAT_TEST(a_lack_of_memory_ends_with_its_page)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct rig *rig = rig_open();
        struct pb_buf page = {0};
        rig_ready(rig);
        rig->job.settings.native_histograms = true;
        put_counter(&page, "c_total", 3, "x", 0);
        put_histogram(&page, "h", 4, "y", 5);
        struct leat_slice all = leat_slice_of(page.at, (uint32_t)page.len);
        struct leat_chain body = {.vec = &all, .count = 1, .bytes = page.len};
        leat_alloc_fail_at(n);
        (void)rig_body(rig, 1000, PROTO, &body);
        failed = leat_alloc_failed();
        leat_alloc_fail_at(0);
        leat_strbuf_done(&rig->out); /* it may have been the telling that failed */
        EXPECT_OK_ERR(take(rig, 2000, &page), &rig->err);
        EXPECT(strstr(rig->out.at, "c_total 3 @2000") && strstr(rig->out.at, "h 1.5 @2000"));
        pb_buf_done(&page);
        rig_close(rig);
    }
}

/* Scenario:   a quantile whose bytes look like the beginning of another metric's name.
 * Guarantees: they are two series. */
LEAT_TEST(a_quantile_is_no_name)
{
    static const char name[] = "aaaaaaa\x02q2";
    uint8_t bytes[8] = {sizeof name - 1, 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
    struct rig *rig = rig_open();
    struct pb_buf page = {0};
    double bound;
    rig_ready(rig);
    memcpy(&bound, bytes, sizeof bound);
    size_t at = family(&page, "q2", SUMMARY), metric = pb_buf_open(&page, PB_TAG(4, PB_LEN)), summary = pb_buf_open(&page, PB_TAG(4, PB_LEN)),
           quantile = pb_buf_open(&page, PB_TAG(3, PB_LEN));
    put_double(&page, 1, bound);
    put_double(&page, 2, 7);
    pb_buf_close(&page, quantile);
    pb_buf_close(&page, summary);
    pb_buf_close(&page, metric);
    end_family(&page, at);
    put_counter(&page, name, 8, NULL, 0);
    EXPECT_OK_ERR(take(rig, 1000, &page), &rig->err);
    EXPECT_EQ(rig->counts[PROMETHEUS_DUPLICATE], 0);
    EXPECT_EQ(rig->target->cache.by_raw.count, 4); /* q2_count and q2_sum, too */
    pb_buf_done(&page);
    rig_close(rig);
}
