/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource/resource.h"

LEAT_PROCESSOR(resource, .summary = "changes the attributes of resources", .signals = LEAT_ALL_SIGNALS,
               .forms = LEAT_FORM_OTLP, .conf_size = sizeof(struct resource_conf),
               .state_size = sizeof(struct resource), .fields = resource_fields, .counters = resource_counters,
               .check = resource__check, .open = resource__open, .admit = resource__admit, .process = resource__process,
               .flush = resource__flush, .held = resource__held, .close = resource__close);
