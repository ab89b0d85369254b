/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/pyroscope/pyroscope.h"

LEAT_EXPORTER(pyroscope, .summary = "profiles to Grafana Pyroscope (push API, pprof)",
              .signals = LEAT_SIGNAL_BIT(LEAT_PROFILES), .forms = LEAT_FORM_PPROF | LEAT_FORM_OTLP,
              .carrier = LEAT_CARRIER_HTTP, .conf_size = sizeof(struct pyroscope_conf),
              .state_size = sizeof(struct pyroscope_state), .fields = pyroscope_fields, .counters = pyroscope_counters, .check = pyroscope_check,
              .open = pyroscope_open, .encode = pyroscope_encode, .judge = pyroscope_judge, .close = pyroscope_close);
