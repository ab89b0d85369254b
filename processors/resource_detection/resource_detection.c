/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource_detection/resource_detection.h"

static const char *const aliases[] = {"resourcedetection", NULL};

LEAT_PROCESSOR(resource_detection, .summary = "adds what the machine and the environment say of themselves to resources",
               .aliases = aliases, .signals = LEAT_ALL_SIGNALS, .forms = LEAT_FORM_OTLP,
               .conf_size = sizeof(struct resource_detection_conf), .state_size = sizeof(struct resource_detection),
               .fields = resource_detection_fields, .check = resource_detection__check,
               .open = resource_detection__open, .admit = resource_detection__admit,
               .process = resource_detection__process, .flush = resource_detection__flush,
               .held = resource_detection__held, .dump = resource_detection__dump, .close = resource_detection__close);
