/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/prometheus/rig.h"

#define TEXT PROMETHEUS_CLASSIC
#define OPEN PROMETHEUS_OPEN_METRICS

static void page_says(struct rig *rig, int64_t tick, enum prometheus_format format, const char *page, const char *wanted)
{
    leat_rc rc = rig_page(rig, tick, format, page);
    if (rc != LEAT_OK)
        print_error("%s\n", rig->err.text);
    EXPECT_OK(rc);
    EXPECT_STR(rig->out.at, wanted);
}

static void page_fails(struct rig *rig, int64_t tick, enum prometheus_format format, const char *page, leat_rc wanted)
{
    EXPECT_RC(rig_page(rig, tick, format, page), wanted);
}

/* Scenario:   the same page twice, then with a line less, one more, and another order.
 * Guarantees: known lines are found by their place; what is gone is marked once; what comes back goes on. */
LEAT_TEST(series_come_go_and_come_back)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, TEXT, "# TYPE a counter\na 1\nb{x=\"y\"} 2\nc 3\n", "a 1 @1000\nb{x=y} 2 @1000\nc 3 @1000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_SERIES_ADDED], 3);
    page_says(rig, 2000, TEXT, "# TYPE a counter\na 1\nb{x=\"y\"} 2.5\nc 3\n", "a 1 @2000\nb{x=y} 2.5 @2000\nc 3 @2000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_GUESSED], 3);
    page_says(rig, 3000, TEXT, "# TYPE a counter\na 1\nc 4\nd 1\n", "a 1 @3000\nc 4 @3000\nd 1 @3000\nb{x=y} stale @3000\n");
    page_says(rig, 4000, TEXT, "d 1\nc 4\na 1\n", "d 1 @4000\nc 4 @4000\na 1 @4000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_SERIES_ADDED], 4);
    page_says(rig, 5000, TEXT, "d 1\nc 4\na 1\nb{x=\"y\"} 1\n", "d 1 @5000\nc 4 @5000\na 1 @5000\nb{x=y} 1 @5000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_SERIES_ADDED], 5); /* it had been away */
    page_says(rig, 6000, TEXT, "", "a stale @6000\nb{x=y} stale @6000\nc stale @6000\nd stale @6000\n");
    page_says(rig, 7000, TEXT, "", "");
    rig_close(rig);
}

/* Scenario:   a page whose last line is broken, after a good one; then a good one again.
 * Guarantees: nothing of it is kept, what it had not come to is marked, the report says 0 and how far it was read. */
LEAT_TEST(a_broken_page_counts_for_nothing)
{
    struct rig *rig = rig_open();
    rig->reports = true;
    rig_ready(rig);
    page_says(rig, 1000, TEXT, "a 1\nb 2\n",
              "a 1 @1000\nb 2 @1000\nup 1 @1000\nscrape_duration_seconds 0.25 @1000\nscrape_samples_scraped 2 @1000\n"
              "scrape_samples_post_metric_relabeling 2 @1000\nscrape_series_added 2 @1000\n");
    page_fails(rig, 2000, TEXT, "c 3\na 1\nhalf{", LEAT_EPARSE);
    EXPECT_STR(rig->out.at, "b stale @2000\nup 0 @2000\nscrape_duration_seconds 0.25 @2000\n"
                            "scrape_samples_scraped 2 @2000\nscrape_samples_post_metric_relabeling 2 @2000\n"
                            "scrape_series_added 1 @2000\n");
    rig->reports = false;
    page_fails(rig, 3000, TEXT, "a{", LEAT_EPARSE);
    EXPECT_STR(rig->out.at, "a stale @3000\nc stale @3000\n");
    page_fails(rig, 4000, TEXT, "a{", LEAT_EPARSE);
    EXPECT_STR(rig->out.at, "");
    page_says(rig, 5000, TEXT, "a 1\nb 2\n", "a 1 @5000\nb 2 @5000\n");
    rig_close(rig);
}

LEAT_TEST(the_first_of_two_equal_series_counts)
{
    struct rig *rig = rig_open();
    rig->reports = true;
    rig_ready(rig);
    for (int64_t tick = 1000; tick <= 2000; tick += 1000) {
        char wanted[512];
        (void)snprintf(wanted, sizeof wanted,
                       "a{x=1,y=2} 5 @%lld\nup 1 @%lld\nscrape_duration_seconds 0.25 @%lld\nscrape_samples_scraped 3 @%lld\n"
                       "scrape_samples_post_metric_relabeling 3 @%lld\nscrape_series_added %d @%lld\n",
                       (long long)tick, (long long)tick, (long long)tick, (long long)tick, (long long)tick, tick == 1000 ? 2 : 0,
                       (long long)tick);
        page_says(rig, tick, TEXT, "a{x=\"1\",y=\"2\"} 5\na{x=\"1\",y=\"2\"} 6\na{y=\"2\",x=\"1\"} 7\n", wanted);
    }
    EXPECT_EQ(rig->counts[PROMETHEUS_DUPLICATE], 4);
    rig->reports = false;
    page_says(rig, 3000, TEXT, "a{y=\"2\",x=\"1\"} 7\n", "a{x=1,y=2} 7 @3000\n"); /* another text, the same series */
    page_says(rig, 4000, TEXT, "b 1\n", "b 1 @4000\na{x=1,y=2} stale @4000\n");
    rig_close(rig);
}

/* Scenario:   times on the page: new, repeated, going back, far ahead; then tracked; then not honoured.
 * Guarantees: a repeated one is not sent again, one that goes back or lies ahead is left out, markers only when tracked. */
LEAT_TEST(times_on_the_page_are_honoured)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, TEXT, "a 1 900\n", "a 1 @900\n");
    page_says(rig, 2000, TEXT, "a 1 900\n", "");
    page_says(rig, 2500, TEXT, "a 5 900\n", "");
    EXPECT_EQ(rig->counts[PROMETHEUS_DUPLICATE], 1);
    page_says(rig, 3000, TEXT, "a 2 800\n", "");
    EXPECT_EQ(rig->counts[PROMETHEUS_OUT_OF_ORDER], 1);
    page_says(rig, 4000, TEXT, "a 3 99999999\n", "");
    EXPECT_EQ(rig->counts[PROMETHEUS_OUT_OF_BOUNDS], 1);
    page_fails(rig, 5000, TEXT, "a 4 5000\nb{", LEAT_EPARSE);
    EXPECT_STR(rig->out.at, "");
    page_says(rig, 6000, TEXT, "a 4 5000\n", "a 4 @5000\n"); /* the failed page did not count */
    page_says(rig, 7000, TEXT, "b 1\n", "b 1 @7000\n");
    rig->job_conf.track_timestamps_staleness = true;
    page_says(rig, 8000, TEXT, "b 1 7500\n", "b 1 @7500\n");
    page_says(rig, 9000, TEXT, "\n", "b stale @9000\n");
    rig->job_conf.honor_timestamps = false;
    page_says(rig, 10000, TEXT, "b 1 7500\n", "b 1 @10000\n");
    rig_close(rig);
}

/* Scenario:   one series twice on a page, once with a time of its own.
 * Guarantees: what leaves never goes back in time, and a line counts once in a page, as with Prometheus. */
LEAT_TEST(a_page_does_not_go_back_in_time)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, TEXT, "a 1\na 2 500\n", "a 1 @1000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_OUT_OF_ORDER], 1);
    page_says(rig, 2000, TEXT, "a 1\na 1 2000\n", "a 1 @2000\n");
    page_says(rig, 3000, TEXT, "a 1\na 2 3500\n", "a 1 @3000\na 2 @3500\n");
    page_says(rig, 4000, TEXT, "b 1 3900\nb 2\n", "b 1 @3900\na stale @4000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_DUPLICATE], 2);
    rig_close(rig);
}

/* Guarantees: a time no clock has costs the sample or the exemplar that says it, not the page. */
LEAT_TEST(absurd_times_cost_what_they_stand_at)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, OPEN, "# TYPE a counter\na_total 1 1e300\na_total{x=\"1\"} 1 -1e300\na_total{x=\"2\"} 1 # {} 1 1e300\n# EOF\n",
              "a_total{x=2} 1 @1000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_OUT_OF_BOUNDS], 2);
    EXPECT_EQ(rig->counts[PROMETHEUS_SERIES_ADDED], 1); /* what is left out is not added */
    EXPECT_EQ(rig->counts[PROMETHEUS_EXEMPLAR_UNFIT], 1);
    page_fails(rig, 2000, OPEN, "a 1 # {b=c} 1 1e300\n# EOF\n", LEAT_EPARSE);
    rig_close(rig);
}

#define TEN(text) text text text text text text text text text text
LEAT_TEST(exemplars_that_no_one_takes_are_left_out)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 500, OPEN, "# TYPE a counter\na_total{x=\"1\"} 1 # {} 1\n# EOF\n", "a_total{x=1} 1 @500 exemplar=1@500/0\n");
    page_says(rig, 1000, OPEN,
              "# TYPE a counter\na_total{x=\"1\"} 1 # {t=\"" TEN("1234567890") TEN("ab") "1234567\"} 1\n" /* 128 characters */
              "a_total{x=\"2\"} 2 # {t=\"" TEN("1234567890") TEN("ab") "12345678\"} 1\n"
              "a_total{x=\"3\"} 3 # {t=\"" TEN("\xc3\xa9") TEN("0123456789") TEN("a") "1234567\"} 1\n"
              "a_total{x=\"4\"} 4 # {t=\"1\",t=\"2\"} 1\na_total{x=\"5\"} 5 # {} 1\na_total{x=\"6\"} 6 # {} 1\n# EOF\n",
              "a_total{x=1} 1 @1000 exemplar=1@1000/135\na_total{x=2} 2 @1000\na_total{x=3} 3 @1000 exemplar=1@1000/146\n"
              "a_total{x=4} 4 @1000 exemplar=1@1000/8\na_total{x=5} 5 @1000 exemplar=1@1000/0\na_total{x=6} 6 @1000 exemplar=1@1000/0\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_EXEMPLAR_UNFIT], 1);
    rig_close(rig);
}

LEAT_TEST(bounds_are_written_one_way)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, TEXT,
              "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1e6\"} 1\nh_bucket{le=\"NaN\"} 1\nh_bucket{le=\"x\"} 1\n"
              "h_bucket{le=\"+Inf\"} 2\n# TYPE s summary\ns{quantile=\"0.50\"} 1\ns{le=\"1\"} 1\n# TYPE g gauge\ng{le=\"1\"} 1\n",
              "h_bucket{le=1.0} 1 @1000\nh_bucket{le=1e+06} 1 @1000\nh_bucket{le=NaN} 1 @1000\nh_bucket{le=x} 1 @1000\n"
              "h_bucket{le=+Inf} 2 @1000\ns{quantile=0.5} 1 @1000\ns{le=1} 1 @1000\ng{le=1} 1 @1000\n");
    rig_close(rig);
}

/* Scenario:   OpenMetrics with exemplars and created times, twice; the second time one exemplar is new.
 * Guarantees: start times reach every sample of their series; an exemplar is sent once. */
LEAT_TEST(open_metrics_has_start_times_and_exemplars)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    const char *page = "# TYPE a counter\na_total{x=\"1\"} 1 # {t=\"u\"} 0.5 0.25\na_created{x=\"1\"} 5.5\na_total{x=\"2\"} 2\n"
                       "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2 # {t=\"v\"} 7\nh_count 2\nh_sum 3\n"
                       "h_created 9\n# TYPE g gauge\ng 1\n# EOF\n";
    page_says(rig, 10000, OPEN, page,
              "a_total{x=1} 1 @10000 start=5500 exemplar=0.5@250/8\na_created{x=1} 5.5 @10000\na_total{x=2} 2 @10000\n"
              "h_bucket{le=1.0} 1 @10000 start=9000\nh_bucket{le=+Inf} 2 @10000 start=9000 exemplar=7@10000/8\n"
              "h_count 2 @10000 start=9000\nh_sum 3 @10000 start=9000\nh_created 9 @10000\ng 1 @10000\n");
    page_says(rig, 20000, OPEN, page,
              "a_total{x=1} 1 @20000 start=5500\na_created{x=1} 5.5 @20000\na_total{x=2} 2 @20000\n"
              "h_bucket{le=1.0} 1 @20000 start=9000\nh_bucket{le=+Inf} 2 @20000 start=9000\n"
              "h_count 2 @20000 start=9000\nh_sum 3 @20000 start=9000\nh_created 9 @20000\ng 1 @20000\n");
    page_says(rig, 30000, OPEN, "# TYPE a counter\na_total{x=\"2\"} 2 # {t=\"w\"} 1\na_total{x=\"1\"} 1 # {t=\"x\"} 1\n# EOF\n",
              "a_total{x=2} 2 @30000 exemplar=1@30000/8\na_total{x=1} 1 @30000 exemplar=1@30000/8\n"
              "a_created{x=1} stale @30000\nh_bucket{le=1.0} stale @30000\nh_bucket{le=+Inf} stale @30000\nh_count stale @30000\n"
              "h_sum stale @30000\nh_created stale @30000\ng stale @30000\n");
    page_says(rig, 35000, OPEN, "# TYPE a counter\na_total 1\nb_total 2\na_created 5\na_total{x=\"1\"} 1\na_created{x=\"1\"} 6\n# EOF\n",
              "a_total 1 @35000\nb_total 2 @35000\na_created 5 @35000\na_total{x=1} 1 @35000 start=6000\na_created{x=1} 6 @35000\n"
              "a_total{x=2} stale @35000\n"); /* what is not of the family has no part in its times */
    page_fails(rig, 40000, OPEN, "a 1\n", LEAT_EPARSE);
    page_fails(rig, 50000, OPEN, "a 1\n# EOF\nb 1\n", LEAT_EPARSE);
    rig_close(rig);
}

LEAT_TEST(limits_void_the_scrape)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    struct prometheus_settings *set = &rig->job.settings;
    set->sample_limit = 2;
    page_says(rig, 1000, TEXT, "a 1\nb 2\n", "a 1 @1000\nb 2 @1000\n");
    rig->reports = true;
    page_fails(rig, 2000, TEXT, "a 1\nb 2\nc 3\nd 4\n", LEAT_EFULL);
    EXPECT_STR(rig->out.at, "up 0 @2000\nscrape_duration_seconds 0.25 @2000\n"
                            "scrape_samples_scraped 4 @2000\nscrape_samples_post_metric_relabeling 4 @2000\n"
                            "scrape_series_added 0 @2000\n");
    rig->reports = false;
    EXPECT_EQ(rig->target->cache.by_raw.count, 2); /* what is over the limit is not remembered */
    page_says(rig, 2100, TEXT, "a 1\na 2\nb 2\n", "a 1 @2100\nb 2 @2100\n");
    page_fails(rig, 2200, TEXT, "a 1\na{} 2\nb 2\n", LEAT_EFULL); /* two texts of one series count, as with Prometheus */
    set->sample_limit = 0;
    set->label_limit = 4;
    page_fails(rig, 3000, TEXT, "x{a=\"1\",b=\"2\"} 1\n", LEAT_ELIMIT);
    set->label_limit = 0;
    set->label_name_length_limit = 8;
    page_says(rig, 4000, TEXT, "x 1\n", "x 1 @4000\n");
    page_fails(rig, 5000, TEXT, "x{abcdefghi=\"1\"} 1\n", LEAT_ELIMIT);
    set->label_name_length_limit = 0;
    set->label_value_length_limit = 3;
    page_fails(rig, 6000, TEXT, "x{a=\"1234\"} 1\n", LEAT_ELIMIT);
    set->label_value_length_limit = 0;
    rig->conf.max_series_per_target = 4;
    page_fails(rig, 7000, TEXT, "p 1\nq 1\nr 1\ns 1\n", LEAT_EFULL);
    rig->conf.max_series_per_target = 100;
    rig->conf.max_line_bytes = 8;
    page_fails(rig, 8000, TEXT, "a_longer_name 1\n", LEAT_EPARSE);
    rig_close(rig);
}

LEAT_TEST(labels_of_the_target_win_unless_told_otherwise)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, TEXT, "a{job=\"x\",exported_job=\"y\",instance=\"\"} 1\n", "a{exported_exported_job=x,exported_job=y} 1 @1000\n");
    page_fails(rig, 2000, TEXT, "a{x=\"1\",x=\"2\"} 1\n", LEAT_EPARSE);
    rig->job_conf.honor_labels = true;
    page_says(rig, 3000, TEXT, "b{x=\"\",y=\"1\"} 1\n", "b{y=1} 1 @3000\n");
    rig->job.settings.legacy_names = true;
    page_fails(rig, 4000, TEXT, "{\"a.b\"} 1\n", LEAT_EPARSE);
    rig->job.settings.legacy_names = false;
    page_says(rig, 5000, TEXT, "{\"a.b\",\"c d\"=\"e\"} 1\n", "a.b{c d=e} 1 @5000\n");
    rig_close(rig);
}

/* Scenario:   rules that drop, rename and take away names.
 * Guarantees: a dropped series costs nothing the second time; without a name the scrape fails. */
LEAT_TEST(series_are_relabelled)
{
    struct rig *rig = rig_open();
    static const char *name[] = {"__name__"};
    struct leat_relabel_conf rules[] = {
        {.source_labels = {name, 1}, .separator = ";", .regex = "drop.*", .replacement = "$1", .action = LEAT_RELABEL_DROP},
        {.source_labels = {name, 1}, .separator = ";", .regex = "old_(.*)", .replacement = "new_$1", .target_label = "__name__",
         .action = LEAT_RELABEL_REPLACE},
        {.source_labels = {name, 1}, .separator = ";", .regex = "none", .replacement = "", .target_label = "__name__",
         .action = LEAT_RELABEL_REPLACE}};
    rig->job_conf.metric_relabel_configs = (struct leat_items){rules, 3};
    rig_ready(rig);
    page_says(rig, 1000, TEXT, "drop_me 1\nold_a 1\n", "new_a 1 @1000\n");
    page_says(rig, 2000, TEXT, "drop_me 1\nold_a 2\n", "new_a 2 @2000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_GUESSED], 2);
    page_fails(rig, 3000, TEXT, "none 1\n", LEAT_EPARSE);
    page_says(rig, 4000, TEXT, "drop_twice{a=\"1\",a=\"2\"} 1\nold_a 1\n", "new_a 1 @4000\n");
    page_fails(rig, 5000, TEXT, "keep_twice{a=\"1\",a=\"2\"} 1\nold_a 1\n", LEAT_EPARSE);
    rig_close(rig);
}

LEAT_TEST(new_metadata_makes_new_series)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    EXPECT_OK(rig_page(rig, 1000, TEXT, "# HELP a one\n# TYPE a counter\na_total 1\nb 1\n"));
    struct prometheus_entry *entry = rig->target->cache.first;
    EXPECT(entry->series->family && leat_slice_is(entry->series->family->help, "one"));
    EXPECT(!entry->next->series->family);
    EXPECT_OK(rig_page(rig, 2000, TEXT, "# HELP a t\\nwo\n# TYPE a counter\na_total 1\nb 1\n"));
    EXPECT(leat_slice_is(entry->series->family->help, "t\nwo") && entry->series->family->type == LEAT_PROM_COUNTER);
    struct leat_prom_series *same = entry->series;
    EXPECT_OK(rig_page(rig, 3000, TEXT, "# HELP a t\\nwo\n# TYPE a counter\na_total 1\nb 1\n"));
    EXPECT(entry->series == same);
    rig_close(rig);
}

static void many(struct rig *rig, int64_t tick, uint32_t from, uint32_t count)
{
    struct leat_strbuf page = {0};
    for (uint32_t i = from; i < from + count; i++)
        leat_strbuf_printf(&page, "%sm%u{i=\"%u\"} %u\n", i % 10 == 0 ? "# TYPE m gauge\n" : "", i / 10, i, i);
    EXPECT_OK(rig_page(rig, tick, TEXT, page.at));
    leat_strbuf_done(&page);
}

LEAT_TEST(a_page_leaves_in_batches)
{
    struct rig *rig = rig_open();
    rig->conf.max_batch_samples = 25;
    rig_ready(rig);
    for (int64_t tick = 1000; tick < 4000; tick += 1000) {
        many(rig, tick, 0, 100);
        EXPECT_EQ(rig->batches, 4);
        EXPECT_EQ(rig->batch_items_max, 30);
    }
    many(rig, 4000, 0, 1000);
    EXPECT_OK(rig_page(rig, 5000, TEXT, "")); /* markers, too */
    EXPECT_EQ(rig->batches, 10);
    EXPECT_EQ(rig->batch_items_max, 105); /* the report goes with the last */
    rig_close(rig);
}

/* Scenario:   series and an exemplar of thousands of labels, in the worst order.
 * Guarantees: they are put in order at once; one name twice is still seen. */
LEAT_TEST(thousands_of_labels_are_put_in_order)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    struct leat_strbuf page = {0};
    for (uint32_t line = 0; line < 20; line++) {
        leat_strbuf_printf(&page, "m%u{", line);
        for (uint32_t i = 4000; i-- > 0;)
            leat_strbuf_printf(&page, "l%04u=\"v\",", line == 19 && i == 17 ? 3999 : i);
        leat_strbuf_puts(&page, "} 1\n");
    }
    EXPECT_RC(rig_page(rig, 1000, TEXT, page.at), LEAT_EPARSE);
    EXPECT(strstr(rig->err.text, "l3999"));
    uint32_t at = 0;
    struct leat_slice before = {0}, name, value;
    while (leat_prom_label_next(rig->target->cache.first->series, &at, &name, &value)) {
        EXPECT(!before.len || (before.len == name.len ? memcmp(before.at, name.at, name.len) < 0 : true));
        before = name;
    }
    leat_strbuf_done(&page);
    rig_close(rig);
}

/* Guarantees: what target_info says is every batch's, wherever it stands on the page: as OTLP it is the resource's. */
LEAT_TEST(target_info_is_in_every_batch)
{
    struct rig *rig = rig_open();
    rig->conf.max_batch_samples = 5;
    rig_ready(rig);
    for (uint32_t place = 0; place < 3; place++) {
        struct leat_strbuf page = {0};
        for (uint32_t i = 0; i < 40; i++)
            leat_strbuf_printf(&page, "%s# TYPE m%u gauge\nm%u 1\n", i == place * 18 ? "# TYPE target_info gauge\ntarget_info{a=\"b\"} 1\n" : "", i, i);
        EXPECT_OK(rig_page(rig, 1000 * (place + 1), TEXT, page.at));
        uint32_t told = 0;
        for (const char *at = rig->out.at; (at = strstr(at, "target_info{a=b} 1")); at++)
            told++;
        EXPECT_EQ(told, rig->batches);
        EXPECT(rig->batches > 5);
        leat_strbuf_done(&page);
    }
    EXPECT_RC(rig_page(rig, 4000, TEXT, "target_info 1\na{"), LEAT_EPARSE);
    EXPECT(!strstr(rig->out.at, "target_info 1"));
    rig_close(rig);
}

/* Guarantees: a family that is too large for a batch is cut between its data points, as they are joined again behind it; one
 *             point that is too large, anywhere. */
LEAT_TEST(a_large_family_leaves_in_whole_data_points)
{
    static const struct {
        uint32_t points, buckets, batches, largest;
    } table[] = {{31, 5, 11, 21}, {1, 100, 2, 80}};
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        struct rig *rig = rig_open();
        struct leat_strbuf page = {0};
        rig->conf.max_batch_samples = 5;
        rig_ready(rig);
        leat_strbuf_puts(&page, "# TYPE h histogram\n");
        for (uint32_t i = 0; i < table[t].points; i++) {
            for (uint32_t le = 0; le < table[t].buckets; le++)
                leat_strbuf_printf(&page, "h_bucket{path=\"%u\",le=\"%u\"} 1\n", i, le);
            leat_strbuf_printf(&page, "h_sum{path=\"%u\"} 1\nh_count{path=\"%u\"} 1\n", i, i);
        }
        EXPECT_OK(rig_page(rig, 1000, TEXT, page.at));
        EXPECT_EQ(rig->batches, table[t].batches);
        EXPECT_EQ(rig->batch_items_max, table[t].largest);
        leat_strbuf_done(&page);
        rig_close(rig);
    }
}

/* Scenario:   every page brings other series, whole pages and broken ones.
 * Guarantees: the cache stays as large as what is there, and its charge to the budget with it. */
LEAT_TEST(what_is_gone_is_forgotten)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    for (uint32_t i = 0; i < 50; i++)
        many(rig, 1000 * (i + 1), i * 1000, 1000);
    EXPECT(rig->target->cache.by_raw.count < 2000);
    EXPECT(rig->target->cache.charged < 4u << 20);
    char page[128];
    for (uint32_t i = 0; i < 5000; i++) {
        (void)snprintf(page, sizeof page, "other%u 1\nother%u{", i, i);
        EXPECT_RC(rig_page(rig, 100000 + i, TEXT, page), LEAT_EPARSE);
    }
    EXPECT(rig->target->cache.by_raw.count < 6000);
    rig_close(rig);
}

LEAT_TEST_OOM(a_scrape_survives_any_failed_allocation)
{
    static const char page[] = "# HELP a b\\n\n# TYPE a counter\na_total{x=\"y\\n\"} 1 # {t=\"u\"} 1\na_created{x=\"y\"} 1\n"
                               "b 1 5\n# EOF\n";
    struct leat_slice pieces[] = {leat_slice_of(page, 40), leat_slice_of(page + 40, sizeof page - 41)};
    struct leat_chain body = {.vec = pieces, .count = 2, .bytes = sizeof page - 1}, none = {0};
    static struct rig *rig; /* made once: what it is made of does not fail */
    if (!rig)
        rig = rig_open();
    leat_rc rc = rig_start(rig);
    for (int64_t tick = 1000; rc == LEAT_OK && tick < 4000; tick += 1000)
        rc = rig_body(rig, tick, OPEN, tick == 3000 ? &none : &body);
    prometheus__target_free(rig->target);
    rig->target = NULL;
    EXPECT_EQ(rig->state.series, 0);
    rig->job.metric_relabel = leat_relabel_close(rig->job.metric_relabel);
    prometheus__scrape_done(&rig->state.scrape);
    rig->state.scrape = (struct prometheus_scrape){0};
    leat_strbuf_done(&rig->out);
    return rc;
}

/* Scenario:   a page breaks off behind a sample that waits for its created time; a series has times of its own on every other page.
 * Guarantees: what stood before the fault is counted and gets no marker; a time before the tick it was sent with is left out. */
LEAT_TEST(what_came_before_stands)
{
    struct rig *rig = rig_open();
    rig_ready(rig);
    page_says(rig, 1000, OPEN, "# TYPE a counter\na_total 1\n# EOF\n", "a_total 1 @1000\n");
    rig->reports = true;
    page_fails(rig, 2000, OPEN, "# TYPE a counter\na_total 2\n", LEAT_EPARSE);
    EXPECT(strstr(rig->out.at, "post_metric_relabeling 1 @2000") && !strstr(rig->out.at, "stale"));
    page_fails(rig, 3000, OPEN, "# TYPE a counter\na_total 2\na_total{x=\"1\"} 1 # {t} 1\n", LEAT_EPARSE);
    EXPECT(strstr(rig->out.at, "scraped 1 @3000"));
    page_fails(rig, 4000, TEXT, "a_total 2\na_total{x=1} 1\n", LEAT_EPARSE);
    EXPECT(strstr(rig->out.at, "scraped 1 @4000"));
    rig->reports = false;
    page_says(rig, 5000, TEXT, "b 1\n", "b 1 @5000\na_total stale @5000\n");
    rig->target->last_tick_ms = 5000;
    page_says(rig, 6000, TEXT, "b 1 4500\n", "b stale @6000\n");
    EXPECT_EQ(rig->counts[PROMETHEUS_OUT_OF_ORDER], 1);
    page_says(rig, 7000, TEXT, "b 1 6500\n", "b 1 @6500\n");
    rig_close(rig);
}
