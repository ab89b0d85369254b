/* SPDX-License-Identifier: Apache-2.0 */
/* What a job comes to, and what is refused before anything starts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/base/prom_units.h"
#include "receivers/prometheus/prometheus.h"

#define INTERVAL_NS 60000000000ll
#define TIMEOUT_NS 10000000000ll
#define SCHEMA_MAX 8
#define SCHEMA_MIN (-4)

enum { PROTO, OPEN_1, OPEN_0, TEXT_1, TEXT_0, PROTOCOLS };
static const struct {
    const char *name, *accept;
    enum prometheus_format format;
    bool escapes;
} protocols[PROTOCOLS] = {
    [PROTO] = {"PrometheusProto", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
               PROMETHEUS_PROTO, false},
    [OPEN_1] = {"OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0", PROMETHEUS_OPEN_METRICS, true},
    [OPEN_0] = {"OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1", PROMETHEUS_OPEN_METRICS, false},
    [TEXT_1] = {"PrometheusText1.0.0", "text/plain;version=1.0.0", PROMETHEUS_CLASSIC, true},
    [TEXT_0] = {"PrometheusText0.0.4", "text/plain;version=0.0.4", PROMETHEUS_CLASSIC, false}};

static int protocol_of(const char *name)
{
    for (int i = 0; i < PROTOCOLS; i++)
        if (strcmp(protocols[i].name, name) == 0)
            return i;
    return -1;
}

static const char *either(const char *job, const char *global) { return job ? job : global; }
static uint64_t limit(int64_t job, int64_t global) { return (uint64_t)(job ? job : global); }

static leat_rc flag(const char *key, const struct leat_value *job, const struct leat_value *global, bool *ret_flag,
                    struct leat_err *reterr)
{
    const struct leat_value *value = job->kind != LEAT_NULL ? job : global;
    if (value->kind != LEAT_NULL && value->kind != LEAT_VALUE_BOOL)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s: true or false is expected", key);
    *ret_flag = value->kind == LEAT_VALUE_BOOL && value->b;
    return LEAT_OK;
}

static leat_rc duration(const char *key, const char *text, int64_t deflt, int64_t *ret_ns, struct leat_err *reterr)
{
    *ret_ns = deflt;
    if (!text)
        return LEAT_OK;
    leat_rc rc = leat_prom_duration(text, ret_ns, reterr);
    if (rc != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "%s", key) : rc;
    return *ret_ns > 0 ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s must be more than 0", key);
}

static leat_rc times(const struct prometheus_common *job, const struct prometheus_common *global,
                     struct prometheus_settings *set, struct leat_err *reterr)
{
    const char *timeout = either(job->scrape_timeout, global->scrape_timeout);
    leat_rc rc = duration("scrape_interval", either(job->scrape_interval, global->scrape_interval), INTERVAL_NS, &set->interval_ns,
                          reterr);
    rc = rc == LEAT_OK ? duration("scrape_timeout", timeout, TIMEOUT_NS, &set->timeout_ns, reterr) : rc;
    if (rc != LEAT_OK)
        return rc;
    if (set->timeout_ns > set->interval_ns && job->scrape_timeout)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "scrape_timeout greater than scrape_interval");
    if (set->timeout_ns > set->interval_ns)
        set->timeout_ns = set->interval_ns;
    return LEAT_OK;
}

static leat_rc names(const struct prometheus_common *job, const struct prometheus_common *global,
                     struct prometheus_settings *set, const char **ret_escaping, struct leat_err *reterr)
{
    static const char *const escapings[] = {"allow-utf-8", "underscores", "dots", "values"};
    const char *scheme = either(job->metric_name_validation_scheme, global->metric_name_validation_scheme);
    if (scheme && strcmp(scheme, "utf8") != 0 && strcmp(scheme, "legacy") != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "metric_name_validation_scheme: utf8 or legacy, not %s", scheme);
    set->legacy_names = scheme && strcmp(scheme, "legacy") == 0;
    set->names = set->legacy_names ? LEAT_NAMES_CLASSIC : LEAT_NAMES_UTF8;
    const char *escaping = either(job->metric_name_escaping_scheme, global->metric_name_escaping_scheme);
    if (!escaping)
        escaping = set->legacy_names ? "underscores" : "allow-utf-8";
    for (size_t i = 0; i < sizeof escapings / sizeof escapings[0]; i++)
        if (strcmp(escaping, escapings[i]) == 0) {
            *ret_escaping = escaping;
            if (i == 0 && set->legacy_names)
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "metric_name_escaping_scheme: allow-utf-8 goes with utf8 names only");
            return LEAT_OK;
        }
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "metric_name_escaping_scheme: unknown scheme %s", escaping);
}

static leat_rc accept_header(const struct leat_strings *wanted, const char *escaping, struct prometheus_settings *set,
                             struct leat_err *reterr)
{
    static const int plain[] = {OPEN_1, OPEN_0, TEXT_1, TEXT_0}, native[] = {PROTO, OPEN_1, OPEN_0, TEXT_1, TEXT_0};
    uint32_t count = wanted->count ? wanted->count : set->native_histograms ? 5 : 4, len = 0, seen = 0;
    int weight = PROTOCOLS + 1;
    for (uint32_t i = 0; i < count; i++) {
        int which = wanted->count ? protocol_of(wanted->at[i]) : set->native_histograms ? native[i] : plain[i];
        if (which < 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "scrape_protocols: unknown scrape protocol %s", wanted->at[i]);
        if (seen >> which & 1)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "scrape_protocols: duplicated protocol %s", protocols[which].name);
        seen |= 1u << which;
        bool escapes = protocols[which].escapes;
        len += (uint32_t)snprintf(set->accept + len, sizeof set->accept - len, "%s%s%s;q=0.%d,", protocols[which].accept,
                                  escapes ? ";escaping=" : "", escapes ? escaping : "", weight--);
    }
    (void)snprintf(set->accept + len, sizeof set->accept - len, "*/*;q=0.%d", weight);
    return LEAT_OK;
}

static leat_rc flags(const struct prometheus_common *job, const struct prometheus_common *global,
                     struct prometheus_settings *set, struct leat_err *reterr)
{
    bool nhcb = false;
    leat_rc rc = flag("scrape_native_histograms", &job->scrape_native_histograms, &global->scrape_native_histograms,
                      &set->native_histograms, reterr);
    if (rc == LEAT_OK)
        rc = flag("always_scrape_classic_histograms", &job->always_scrape_classic_histograms,
                  &global->always_scrape_classic_histograms, &set->classic_too, reterr);
    if (rc == LEAT_OK)
        rc = flag("extra_scrape_metrics", &job->extra_scrape_metrics, &global->extra_scrape_metrics, &set->extra_metrics, reterr);
    if (rc == LEAT_OK)
        rc = flag("convert_classic_histograms_to_nhcb", &job->convert_classic_histograms_to_nhcb,
                  &global->convert_classic_histograms_to_nhcb, &nhcb, reterr);
    if (rc == LEAT_OK && nhcb)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "convert_classic_histograms_to_nhcb is not supported");
    return rc;
}

/* The finest resolution whose buckets grow by at least `factor`. */
static int32_t schema_for(double factor)
{
    if (factor <= 1)
        return SCHEMA_MAX;
    double schema = floor(-log2(log2(factor)));
    return schema > SCHEMA_MAX ? SCHEMA_MAX : schema < SCHEMA_MIN ? SCHEMA_MIN : (int32_t)schema;
}

leat_rc prometheus__settings(const struct prometheus_conf *conf, const struct prometheus_job_conf *job,
                             struct prometheus_settings *set, struct leat_err *reterr)
{
    const struct prometheus_common *mine = &job->common, *global = &conf->global.common;
    const char *escaping = NULL, *size = either(mine->limits.body_size_limit, global->limits.body_size_limit);
    const struct leat_strings *wanted = mine->scrape_protocols.count ? &mine->scrape_protocols : &global->scrape_protocols;
    *set = (struct prometheus_settings){.schema_max = schema_for(job->native_histogram_min_bucket_factor)};
    leat_rc rc = times(mine, global, set, reterr);
    rc = rc == LEAT_OK ? names(mine, global, set, &escaping, reterr) : rc;
    rc = rc == LEAT_OK ? flags(mine, global, set, reterr) : rc;
    rc = rc == LEAT_OK ? accept_header(wanted, escaping, set, reterr) : rc;
    rc = rc == LEAT_OK && size ? leat_prom_size(size, &set->body_size_limit, reterr) : rc;
    if (rc != LEAT_OK)
        return rc;
    int fallback = protocol_of(job->fallback_scrape_protocol);
    if (fallback < 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "fallback_scrape_protocol: unknown scrape protocol %s", job->fallback_scrape_protocol);
    set->fallback = protocols[fallback].format;
    set->sample_limit = limit(mine->limits.sample_limit, global->limits.sample_limit);
    set->label_limit = limit(mine->limits.label_limit, global->limits.label_limit);
    set->label_name_length_limit = limit(mine->limits.label_name_length_limit, global->limits.label_name_length_limit);
    set->label_value_length_limit = limit(mine->limits.label_value_length_limit, global->limits.label_value_length_limit);
    set->target_limit = limit(mine->limits.target_limit, global->limits.target_limit);
    return LEAT_OK;
}

static leat_rc check_job(const struct prometheus_conf *conf, const struct prometheus_job_conf *job, struct leat_err *reterr)
{
    struct prometheus_settings settings;
    struct leat_arena arena = {0};
    struct leat_params params;
    if (strcmp(job->scheme, "http") != 0 && strcmp(job->scheme, "https") != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "scheme: http or https, not %s", job->scheme);
    leat_rc rc = prometheus__settings(conf, job, &settings, reterr);
    rc = rc == LEAT_OK ? leat_fetch_check(&job->fetch, reterr) : rc;
    rc = rc == LEAT_OK ? leat_sd_check(&job->sd, reterr) : rc;
    rc = rc == LEAT_OK ? leat_relabel_check(&job->relabel_configs, settings.names, "relabel_configs", reterr) : rc;
    rc = rc == LEAT_OK ? leat_relabel_check(&job->metric_relabel_configs, settings.names, "metric_relabel_configs", reterr) : rc;
    rc = rc == LEAT_OK ? leat_params_of(&job->params, &arena, &params, reterr) : rc;
    leat_arena_done(&arena);
    return rc;
}

leat_rc prometheus__check(const void *ctx, struct leat_err *reterr)
{
    const struct prometheus_conf *conf = ctx;
    const struct prometheus_job_conf *jobs = conf->scrape_configs.at;
    if (conf->scrape_configs.count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "no Prometheus scrape_configs set");
    if (conf->trim_metric_suffixes)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "trim_metric_suffixes is not supported: names stay as scraped");
    for (uint32_t i = 0; i < conf->scrape_configs.count; i++) {
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(jobs[i].job_name, jobs[j].job_name) == 0)
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "found multiple scrape configs with job name \"%s\"", jobs[i].job_name);
        leat_rc rc = check_job(conf, &jobs[i], reterr);
        if (rc != LEAT_OK)
            return reterr ? leat_err_wrap(reterr, "scrape_configs[%u] (%s)", i, jobs[i].job_name) : rc;
    }
    return LEAT_OK;
}

/* ---- Content-Type ---- */

enum prometheus_format prometheus__format_of(struct leat_slice type)
{
    static const struct {
        const char *media;
        enum prometheus_format format;
    } media[] = {{"application/openmetrics-text", PROMETHEUS_OPEN_METRICS},
                 {"application/vnd.google.protobuf", PROMETHEUS_PROTO},
                 {"text/plain", PROMETHEUS_CLASSIC}};
    const uint8_t *end = type.len ? memchr(type.at, ';', type.len) : NULL;
    uint32_t len = end ? (uint32_t)(end - type.at) : type.len;
    while (len && (type.at[len - 1] == ' ' || type.at[len - 1] == '\t'))
        len--;
    for (size_t i = 0; i < sizeof media / sizeof media[0]; i++)
        if (leat_slice_ieq(leat_slice_of(type.at, len), leat_slice_str(media[i].media)))
            return media[i].format;
    return PROMETHEUS_UNKNOWN;
}
