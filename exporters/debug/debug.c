/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/debug/debug.h"

static const char *const aliases[] = {"logging", NULL};

LEAT_EXPORTER(debug, .summary = "any signal as text on standard error", .aliases = aliases, .signals = LEAT_ALL_SIGNALS,
              .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_OUTPUT, .conf_size = sizeof(struct debug_conf),
              .state_size = sizeof(struct debug_state), .fields = debug_fields, .check = debug_check,
              .open = debug_open, .encode = debug_encode, .judge = debug_judge, .close = debug_close);
