/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/opensearch/opensearch.h"

LEAT_EXPORTER(opensearch, .summary = "logs and traces to OpenSearch (bulk API)",
              .signals = LEAT_SIGNAL_BIT(LEAT_LOGS) | LEAT_SIGNAL_BIT(LEAT_TRACES), .forms = LEAT_FORM_OTLP,
              .carrier = LEAT_CARRIER_HTTP, .carrier_section = true, .conf_size = sizeof(struct opensearch_conf),
              .state_size = sizeof(struct leat_bulk), .fields = opensearch_fields, .counters = leat_bulk_counters,
              .check = opensearch_check, .open = opensearch_open, .prepare = leat_bulk_prepare,
              .encode = leat_bulk_encode, .judge = leat_bulk_judge, .close = leat_bulk_close);
