/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/attributes/attributes.h"

#define EDITABLE (LEAT_SIGNAL_BIT(LEAT_LOGS) | LEAT_SIGNAL_BIT(LEAT_METRICS) | LEAT_SIGNAL_BIT(LEAT_TRACES))

LEAT_PROCESSOR(attributes, .summary = "changes the attributes of log records, spans and data points",
               .signals = EDITABLE, .forms = LEAT_FORM_OTLP, .conf_size = sizeof(struct attributes_conf),
               .state_size = sizeof(struct attributes), .fields = attributes_fields, .counters = attributes_counters,
               .check = attributes__check, .open = attributes__open, .admit = attributes__admit,
               .process = attributes__process, .flush = attributes__flush, .held = attributes__held,
               .close = attributes__close);
