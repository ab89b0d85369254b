/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/elasticsearch/elasticsearch.h"

LEAT_EXPORTER(elasticsearch, .summary = "logs and traces to Elasticsearch (bulk API)",
              .signals = LEAT_SIGNAL_BIT(LEAT_LOGS) | LEAT_SIGNAL_BIT(LEAT_TRACES), .forms = LEAT_FORM_OTLP,
              .carrier = LEAT_CARRIER_HTTP, .conf_size = sizeof(struct elasticsearch_conf),
              .state_size = sizeof(struct leat_bulk), .fields = elasticsearch_fields, .counters = leat_bulk_counters,
              .check = elasticsearch_check, .open = elasticsearch_open, .prepare = leat_bulk_prepare,
              .encode = leat_bulk_encode, .judge = leat_bulk_judge, .close = leat_bulk_close);
