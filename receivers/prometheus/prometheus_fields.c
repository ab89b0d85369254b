/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/prometheus/prometheus.h"

#define C(member) LEAT_AT(struct prometheus_conf, member)
#define G(member) LEAT_AT(struct prometheus_conf, global.common.member)
#define J(member) LEAT_AT(struct prometheus_job_conf, member)
#define JC(member) LEAT_AT(struct prometheus_job_conf, common.member)
#define END {NULL, LEAT_BOOL, 0, NULL, NULL}
#define KIB 1024.0
#define MIB (1024.0 * 1024.0)

#define NO_WRITE "unsupported feature of a Prometheus configuration: samples leave through exporters"
#define NO_NHCB "classic histograms are not converted to native ones"
#define NO_SD "this kind of discovery is not supported: static_configs, file_sd_configs, http_sd_configs, kubernetes_sd_configs are"

/* What `global` and a job share; AT is where the struct lies, the defaults stand in prometheus_settings.c. */
#define COMMON(AT)                                                                                                         \
    {"scrape_interval", LEAT_STRING, AT(scrape_interval), NULL, "time between two scrapes; 1m"},                           \
    {"scrape_timeout", LEAT_STRING, AT(scrape_timeout), NULL, "how long one may take; 10s, at most the interval"},         \
    {"scrape_protocols", LEAT_STRINGS, AT(scrape_protocols), NULL,                                                         \
     "formats asked for, the best first: PrometheusProto, OpenMetricsText1.0.0, OpenMetricsText0.0.1, "                    \
     "PrometheusText1.0.0, PrometheusText0.0.4"},                                                                          \
    {"scrape_native_histograms", LEAT_VALUE, AT(scrape_native_histograms), NULL,                                           \
     "take native histograms; asks for PrometheusProto first; false"},                                                     \
    {"always_scrape_classic_histograms", LEAT_VALUE, AT(always_scrape_classic_histograms), NULL,                           \
     "take the classic buckets beside a native histogram; false"},                                                         \
    {"convert_classic_histograms_to_nhcb", LEAT_VALUE, AT(convert_classic_histograms_to_nhcb), NULL,                       \
     "only false: " NO_NHCB},                                                                                              \
    {"extra_scrape_metrics", LEAT_VALUE, AT(extra_scrape_metrics), NULL,                                                   \
     "also scrape_timeout_seconds, scrape_sample_limit, scrape_body_size_bytes; false"},                                   \
    {"metric_name_validation_scheme", LEAT_STRING, AT(metric_name_validation_scheme), NULL, "utf8 or legacy; utf8"},       \
    {"metric_name_escaping_scheme", LEAT_STRING, AT(metric_name_escaping_scheme), NULL,                                    \
     "what targets are asked for: allow-utf-8, underscores, dots, values"},                                                \
    {"body_size_limit", LEAT_STRING, AT(limits.body_size_limit), NULL, "a body of this size or more fails the scrape; 0: none"}, \
    {"sample_limit", LEAT_INT, AT(limits.sample_limit), NULL, "more samples than this after relabelling fail the scrape; 0: none", \
     .max = 4e9},                                                                                                          \
    {"label_limit", LEAT_INT, AT(limits.label_limit), NULL, "more labels on a series fail the scrape; 0: none", .max = 4e9}, \
    {"label_name_length_limit", LEAT_INT, AT(limits.label_name_length_limit), NULL,                                        \
     "a longer label name fails the scrape; bytes; 0: none", .max = 4e9},                                                  \
    {"label_value_length_limit", LEAT_INT, AT(limits.label_value_length_limit), NULL,                                      \
     "a longer label value fails the scrape; bytes; 0: none", .max = 4e9},                                                 \
    {"target_limit", LEAT_INT, AT(limits.target_limit), NULL, "more targets of a job fail all of them; 0: none", .max = 4e9}

static const struct leat_field global_fields[] = {
    COMMON(G),
    {"external_labels", LEAT_MAP, C(global.external_labels), NULL, "put on every series, in place of what is there"},
    {"evaluation_interval", LEAT_IGNORED, 0, NULL, "there are no rules"},
    {"rule_query_offset", LEAT_IGNORED, 0, NULL, "there are no rules"},
    {"keep_dropped_targets", LEAT_IGNORED, 0, NULL, "dropped targets are counted, not kept"},
    {"query_log_file", LEAT_REFUSED, 0, NULL, "there are no queries"},
    {"scrape_failure_log_file", LEAT_REFUSED, 0, NULL, "failures go to the log"},
    {"runtime", LEAT_IGNORED, 0, NULL, "for Go"},
    END,
};

static const struct leat_field job_fields[] = {
    {"job_name", LEAT_STRING, J(job_name), NULL, "the label job; each name once", .flags = LEAT_REQUIRED},
    COMMON(JC),
    {"metrics_path", LEAT_STRING, J(metrics_path), "/metrics", "path of the page"},
    {"scheme", LEAT_STRING, J(scheme), "http", "http or https"},
    {"params", LEAT_VALUE, J(params), NULL, "parameters of the URL: names to lists of values"},
    {"honor_labels", LEAT_BOOL, J(honor_labels), "false", "labels on the page win over the target's"},
    {"honor_timestamps", LEAT_BOOL, J(honor_timestamps), "true", "times on the page are taken"},
    {"track_timestamps_staleness", LEAT_BOOL, J(track_timestamps_staleness), "false",
     "series with times of their own end with a marker, too"},
    {"enable_compression", LEAT_BOOL, J(enable_compression), "true", "ask for gzip"},
    {"fallback_scrape_protocol", LEAT_STRING, J(fallback_scrape_protocol), "PrometheusText0.0.4",
     "the format of a page without a usable Content-Type"},
    {"native_histogram_bucket_limit", LEAT_INT, J(native_histogram_bucket_limit), "0",
     "resolution is reduced to keep this many buckets; if that is not enough the scrape fails; 0: none", .max = 4e9},
    {"native_histogram_min_bucket_factor", LEAT_DOUBLE, J(native_histogram_min_bucket_factor), "0",
     "resolution is reduced until buckets grow by at least this factor; 0: as scraped", .max = 1e9},
    {"keep_dropped_targets", LEAT_IGNORED, 0, NULL, "dropped targets are counted, not kept"},
    {"scrape_failure_log_file", LEAT_REFUSED, 0, NULL, "failures go to the log"},
    {"", LEAT_INLINE, J(fetch), NULL, "HTTP client", .fields = leat_fetch_fields},
    {"", LEAT_INLINE, J(sd), NULL, "discovery", .fields = leat_sd_fields},
    {"relabel_configs", LEAT_LIST, J(relabel_configs), NULL, "rules for targets", .fields = leat_relabel_fields,
     .item_size = sizeof(struct leat_relabel_conf)},
    {"metric_relabel_configs", LEAT_LIST, J(metric_relabel_configs), NULL, "rules for series", .fields = leat_relabel_fields,
     .item_size = sizeof(struct leat_relabel_conf)},
    {"dns_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"consul_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"ec2_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"azure_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"gce_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"docker_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"dockerswarm_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"digitalocean_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"eureka_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"hetzner_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"nomad_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    {"openstack_sd_configs", LEAT_REFUSED, 0, NULL, NO_SD},
    END,
};

static const struct leat_field config_fields[] = {
    {"global", LEAT_SECTION, 0, NULL, "what holds for all jobs", .fields = global_fields},
    {"scrape_configs", LEAT_LIST, C(scrape_configs), NULL, "the jobs", .fields = job_fields,
     .item_size = sizeof(struct prometheus_job_conf), .flags = LEAT_REQUIRED},
    {"scrape_config_files", LEAT_REFUSED, 0, NULL, "write the jobs under scrape_configs"},
    {"remote_write", LEAT_REFUSED, 0, NULL, NO_WRITE},
    {"remote_read", LEAT_REFUSED, 0, NULL, NO_WRITE},
    {"rule_files", LEAT_REFUSED, 0, NULL, "unsupported feature of a Prometheus configuration: rules are not evaluated"},
    {"alerting", LEAT_REFUSED, 0, NULL, "unsupported feature of a Prometheus configuration: there are no alerts"},
    {"storage", LEAT_REFUSED, 0, NULL, "nothing is stored"},
    {"otlp", LEAT_REFUSED, 0, NULL, "use the otlp receiver"},
    {"tracing", LEAT_REFUSED, 0, NULL, "leat does not trace itself"},
    END,
};

#define REMOVED "no longer a key of the Collector's either; created times are kept as start times"

const struct leat_field prometheus__fields[] = {
    {"config", LEAT_SECTION, 0, NULL, "a Prometheus configuration: global and scrape_configs", .fields = config_fields},
    {"trim_metric_suffixes", LEAT_BOOL, C(trim_metric_suffixes), "false", "only false: names stay as scraped"},
    {"target_allocator", LEAT_REFUSED, 0, NULL, "targets come from scrape_configs; there is no allocator"},
    {"api_server", LEAT_REFUSED, 0, NULL, "the Prometheus API is not served; `leat` dumps its targets"},
    {"use_start_time_metric", LEAT_REFUSED, 0, NULL, REMOVED},
    {"start_time_metric_regex", LEAT_REFUSED, 0, NULL, REMOVED},
    {"report_extra_scrape_metrics", LEAT_REFUSED, 0, NULL, "use extra_scrape_metrics"},
    {"scrape_on_shutdown", LEAT_REFUSED, 0, NULL, "targets are not scraped once more at the end"},
    {"discovery_reload_on_startup", LEAT_REFUSED, 0, NULL, "the first targets come at once anyway"},
    {"initial_scrape_offset", LEAT_REFUSED, 0, NULL, "each target has its own offset within the interval"},
    {"max_series", LEAT_INT, C(max_series), "1000000", "series known at once per shard; more fail the scrape that brings them",
     .min = 1, .max = 1e9},
    {"max_series_per_target", LEAT_INT, C(max_series_per_target), "200000",
     "series of one target; more fail the scrape that brings them", .min = 1, .max = 1e9},
    {"max_line_bytes", LEAT_SIZE, C(max_line_bytes), "1MiB", "a longer line fails the scrape", .min = 1 * KIB, .max = 256 * MIB},
    {"max_body_bytes", LEAT_SIZE, C(max_body_bytes), "256MiB", "a larger body fails the scrape, whatever body_size_limit says",
     .min = 1 * KIB, .max = 1024 * MIB},
    {"max_batch_samples", LEAT_INT, C(max_batch_samples), "2000",
     "a batch ends with the family that reaches it, or at four times as many", .min = 1, .max = 1e6},
    END,
};
