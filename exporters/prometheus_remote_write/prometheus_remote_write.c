/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/prometheus_remote_write/prometheus_remote_write.h"

static const char *const aliases[] = {"prometheusremotewrite", NULL};

static const struct leat_default defaults[] = {{"compression", "snappy"},
                                               {"retry_on_failure::initial_interval", "50ms"},
                                               {"remote_write_queue::queue_size", "10000"},
                                               {"remote_write_queue::num_consumers", "5"},
                                               {NULL, NULL}};

static const struct leat_counter_def counters[] = {
#define X(id, name, help) {name, "", help},
    PRW_COUNTS(X)
#undef X
    {0}};

LEAT_EXPORTER(prometheus_remote_write, .summary = "metrics by Prometheus remote write, 2.0 and 1.0", .aliases = aliases,
              .signals = LEAT_SIGNAL_BIT(LEAT_METRICS), .forms = LEAT_FORM_OTLP | LEAT_FORM_PROM, .carrier = LEAT_CARRIER_HTTP,
              .conf_size = sizeof(struct prw_conf), .state_size = sizeof(struct prw_state), .fields = prw_fields,
              .delivery = prw_delivery_fields, .counters = counters, .defaults = defaults, .ordered = true, .check = prw_check, .open = prw_open,
              .encode = prw_encode, .judge = prw_judge, .dump = prw_dump, .close = prw_close);
