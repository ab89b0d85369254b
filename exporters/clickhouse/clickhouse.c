/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/clickhouse/clickhouse.h"

LEAT_EXPORTER(clickhouse, .summary = "logs, traces and metrics to ClickHouse (HTTP, Native or RowBinary), in the Collector's tables",
              .signals = LEAT_SIGNAL_BIT(LEAT_LOGS) | LEAT_SIGNAL_BIT(LEAT_METRICS) | LEAT_SIGNAL_BIT(LEAT_TRACES),
              .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_HTTP, .conf_size = sizeof(struct clickhouse_conf),
              .state_size = sizeof(struct clickhouse_state), .fields = clickhouse_fields,
              .defaults = clickhouse_defaults, .check = clickhouse_check, .open = clickhouse_open,
              .prepare = clickhouse_prepare, .encode = clickhouse_encode, .judge = clickhouse_judge,
              .close = clickhouse_close);
