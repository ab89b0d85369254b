/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_http/otlp_http.h"

static const char *const aliases[] = {"otlphttp", NULL};

LEAT_EXPORTER(otlp_http, .summary = "any signal to an OTLP server over HTTP", .aliases = aliases,
              .signals = LEAT_ALL_SIGNALS, .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_HTTP,
              .conf_size = sizeof(struct otlp_http_conf), .state_size = sizeof(struct otlp_http_state),
              .fields = otlp_http_fields, .check = otlp_http_check, .open = otlp_http_open, .encode = otlp_http_encode,
              .judge = otlp_http_judge, .close = otlp_http_close);
