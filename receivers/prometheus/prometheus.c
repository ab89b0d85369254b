/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/prometheus/prometheus.h"

#include "receivers/receiver.h"

#define FAILED "prometheus_scrapes_failed_total"
#define FAILED_HELP "scrapes that came to nothing; up was 0"
#define SKIPPED "prometheus_scrapes_skipped_total"
#define SKIPPED_HELP "ticks without a scrape"

const struct leat_counter_def prometheus__counters[] = {
    [PROMETHEUS_SCRAPES] = {"prometheus_scrapes_total", "", "scrapes finished, failed ones too"},
    [PROMETHEUS_FAIL_CONNECT] = {FAILED, "reason=\"connection\"", FAILED_HELP},
    [PROMETHEUS_FAIL_TIMEOUT] = {FAILED, "reason=\"timeout\"", FAILED_HELP},
    [PROMETHEUS_FAIL_STATUS] = {FAILED, "reason=\"status\"", FAILED_HELP},
    [PROMETHEUS_FAIL_PAGE] = {FAILED, "reason=\"malformed\"", FAILED_HELP},
    [PROMETHEUS_FAIL_BODY_SIZE] = {FAILED, "reason=\"body_size_limit\"", FAILED_HELP},
    [PROMETHEUS_FAIL_SAMPLE_LIMIT] = {FAILED, "reason=\"sample_limit\"", FAILED_HELP},
    [PROMETHEUS_FAIL_LABEL_LIMIT] = {FAILED, "reason=\"label_limit\"", FAILED_HELP},
    [PROMETHEUS_FAIL_BUCKET_LIMIT] = {FAILED, "reason=\"native_histogram_bucket_limit\"", FAILED_HELP},
    [PROMETHEUS_FAIL_TARGET_LIMIT] = {FAILED, "reason=\"target_limit\"", FAILED_HELP},
    [PROMETHEUS_FAIL_SERIES_LIMIT] = {FAILED, "reason=\"series_limit\"", FAILED_HELP},
    [PROMETHEUS_FAIL_MEMORY] = {FAILED, "reason=\"out_of_memory\"", FAILED_HELP},
    [PROMETHEUS_SKIPPED_ROOM] = {SKIPPED, "reason=\"no_room\"", SKIPPED_HELP},
    [PROMETHEUS_SKIPPED_SLOW] = {SKIPPED, "reason=\"still_scraping\"", SKIPPED_HELP},
    [PROMETHEUS_SKIPPED_CLOCK] = {SKIPPED, "reason=\"clock_set_back\"", SKIPPED_HELP},
    [PROMETHEUS_DUPLICATE] = {"prometheus_samples_left_out_total", "reason=\"duplicate\"", "samples of pages that were not taken"},
    [PROMETHEUS_OUT_OF_ORDER] = {"prometheus_samples_left_out_total", "reason=\"out_of_order\"", "samples of pages that were not taken"},
    [PROMETHEUS_OUT_OF_BOUNDS] = {"prometheus_samples_left_out_total", "reason=\"out_of_bounds\"", "samples of pages that were not taken"},
    [PROMETHEUS_EXEMPLAR_UNFIT] = {"prometheus_exemplars_left_out_total", "", "exemplars nobody takes: over 128 characters, an absurd time, a bad label"},
    [PROMETHEUS_STALE] = {"prometheus_stale_markers_total", "", "series that were marked as ended"},
    [PROMETHEUS_SERIES_ADDED] = {"prometheus_series_added_total", "", "series new to their target"},
    [PROMETHEUS_SERIES_REMOVED] = {"prometheus_series_removed_total", "", "series forgotten"},
    [PROMETHEUS_TARGETS_ADDED] = {"prometheus_targets_added_total", "", "targets that came; minus removed: there now"},
    [PROMETHEUS_TARGETS_REMOVED] = {"prometheus_targets_removed_total", "", "targets that went"},
    [PROMETHEUS_GUESSED] = {"prometheus_lines_guessed_total", "", "samples known by their place on the page"},
    [PROMETHEUS_BODY_BYTES] = {"prometheus_body_bytes_total", "", "bytes of pages, decompressed"},
    [PROMETHEUS_REGEX_LIMIT] = {"prometheus_regex_limit_total", "", "searches of metric_relabel_configs given up at the limit of steps"},
    [PROMETHEUS_ROWS] = {NULL, NULL, NULL},
};

LEAT_RECEIVER(prometheus, .summary = "scrapes Prometheus targets: discovery, relabelling, every format",
              .signals = LEAT_SIGNAL_BIT(LEAT_METRICS), .forms = LEAT_FORM_PROM, .conf_size = sizeof(struct prometheus_conf),
              .state_size = sizeof(struct prometheus_state), .shared_size = sizeof(struct prometheus_shared),
              .fields = prometheus__fields, .counters = prometheus__counters, .check = prometheus__check,
              .start = prometheus__start, .pause = prometheus__pause, .resume = prometheus__resume, .stop = prometheus__stop,
              .dump = prometheus__dump, .close = prometheus__close);
