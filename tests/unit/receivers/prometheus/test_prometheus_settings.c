/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/prometheus/rig.h"

static struct prometheus_job_conf job_of(void)
{
    return (struct prometheus_job_conf){.job_name = "j", .scheme = "http", .metrics_path = "/metrics",
                                        .fallback_scrape_protocol = "PrometheusText0.0.4"};
}

static leat_rc settle(const struct prometheus_conf *conf, const struct prometheus_job_conf *job, struct prometheus_settings *set)
{
    struct leat_err err = {0};
    leat_rc rc = prometheus__settings(conf, job, set, &err);
    EXPECT(rc == LEAT_OK || err.text[0]);
    return rc;
}

/* The words of Prometheus 3.14. */
LEAT_TEST(targets_are_asked_as_prometheus_asks)
{
    struct prometheus_conf conf = {0};
    struct prometheus_job_conf job = job_of();
    struct prometheus_settings set;
    EXPECT_OK(settle(&conf, &job, &set));
    EXPECT_STR(set.accept, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                           "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                           "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
    conf.global.common.scrape_native_histograms = (struct leat_value){.kind = LEAT_VALUE_BOOL, .b = true};
    conf.global.common.metric_name_validation_scheme = "legacy";
    EXPECT_OK(settle(&conf, &job, &set));
    EXPECT_STR(set.accept, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
                           "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,"
                           "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=underscores;q=0.3,"
                           "text/plain;version=0.0.4;q=0.2,*/*;q=0.1");
    const char *one[] = {"PrometheusText0.0.4"}, *two[] = {"PrometheusText0.0.4", "PrometheusText0.0.4"}, *odd[] = {"Morse"};
    job.common.scrape_protocols = (struct leat_strings){one, 1};
    EXPECT_OK(settle(&conf, &job, &set));
    EXPECT_STR(set.accept, "text/plain;version=0.0.4;q=0.6,*/*;q=0.5");
    job.common.scrape_protocols = (struct leat_strings){two, 2};
    EXPECT_RC(settle(&conf, &job, &set), LEAT_ECONFIG);
    job.common.scrape_protocols = (struct leat_strings){odd, 1};
    EXPECT_RC(settle(&conf, &job, &set), LEAT_ECONFIG);
}

LEAT_TEST(a_job_says_otherwise_than_global)
{
    struct prometheus_conf conf = {0};
    struct prometheus_job_conf job = job_of();
    struct prometheus_settings set;
    EXPECT_OK(settle(&conf, &job, &set));
    EXPECT(set.interval_ns == 60000000000 && set.timeout_ns == 10000000000 && set.schema_max == 8);
    conf.global.common.scrape_interval = "5s";
    conf.global.common.limits.sample_limit = 7;
    conf.global.common.limits.body_size_limit = "1KB";
    EXPECT_OK(settle(&conf, &job, &set));
    EXPECT(set.interval_ns == 5000000000 && set.timeout_ns == 5000000000 && set.sample_limit == 7 && set.body_size_limit == 1024);
    job.common.scrape_interval = "1m30s";
    job.common.limits.sample_limit = 8;
    job.common.extra_scrape_metrics = (struct leat_value){.kind = LEAT_VALUE_BOOL, .b = true};
    job.native_histogram_min_bucket_factor = 1.1;
    EXPECT_OK(settle(&conf, &job, &set));
    EXPECT(set.interval_ns == 90000000000 && set.sample_limit == 8 && set.extra_metrics && set.schema_max == 2);
    job.common.scrape_timeout = "2m";
    EXPECT_RC(settle(&conf, &job, &set), LEAT_ECONFIG);
    job.common.scrape_timeout = "soon";
    EXPECT_RC(settle(&conf, &job, &set), LEAT_ECONFIG);
    job.common.scrape_timeout = NULL;
    job.common.convert_classic_histograms_to_nhcb = (struct leat_value){.kind = LEAT_VALUE_BOOL, .b = true};
    EXPECT_RC(settle(&conf, &job, &set), LEAT_ECONFIG);
}

LEAT_TEST(what_cannot_be_is_refused)
{
    struct prometheus_job_conf jobs[] = {job_of(), job_of()};
    struct prometheus_conf conf = {.scrape_configs = {jobs, 2}};
    struct leat_err err;
    EXPECT_RC(prometheus__check(&conf, &err), LEAT_ECONFIG); /* the same name twice */
    jobs[1].job_name = "k";
    EXPECT_OK_ERR(prometheus__check(&conf, &err), &err);
    jobs[1].scheme = "gopher";
    EXPECT_RC(prometheus__check(&conf, &err), LEAT_ECONFIG);
    jobs[1].scheme = "https";
    jobs[1].fallback_scrape_protocol = "x";
    EXPECT_RC(prometheus__check(&conf, &err), LEAT_ECONFIG);
    conf.scrape_configs.count = 1;
    conf.trim_metric_suffixes = true;
    EXPECT_RC(prometheus__check(&conf, &err), LEAT_ECONFIG);
    conf.scrape_configs.count = 0;
    EXPECT_RC(prometheus__check(&conf, &err), LEAT_ECONFIG);
}

LEAT_TEST(the_content_type_chooses)
{
    EXPECT_EQ(prometheus__format_of(LEAT_SLICE("text/plain; version=0.0.4; charset=utf-8")), PROMETHEUS_CLASSIC);
    EXPECT_EQ(prometheus__format_of(LEAT_SLICE("Application/OpenMetrics-Text ; charset=utf-8; version=1.0.0")), PROMETHEUS_OPEN_METRICS);
    EXPECT_EQ(prometheus__format_of(LEAT_SLICE("application/vnd.google.protobuf;proto=x")), PROMETHEUS_PROTO);
    EXPECT_EQ(prometheus__format_of(LEAT_SLICE("text/html")), PROMETHEUS_UNKNOWN);
    EXPECT_EQ(prometheus__format_of(LEAT_SLICE("")), PROMETHEUS_UNKNOWN);
}
