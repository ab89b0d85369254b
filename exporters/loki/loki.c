/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/loki/loki.h"

LEAT_EXPORTER(loki, .summary = "logs to Grafana Loki (push API, protobuf and snappy)",
              .signals = LEAT_SIGNAL_BIT(LEAT_LOGS), .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_HTTP,
              .conf_size = sizeof(struct loki_conf), .state_size = sizeof(struct loki_state), .fields = loki_fields,
              .check = loki_check, .open = loki_open, .encode = loki_encode, .judge = loki_judge, .close = loki_close);
