/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/k8s_attributes/k8s_attributes.h"

static const char *const aliases[] = {"k8sattributes", NULL};

LEAT_PROCESSOR(k8s_attributes, .summary = "adds what Kubernetes knows of a pod to the resources of its telemetry",
               .aliases = aliases, .signals = LEAT_ALL_SIGNALS, .forms = LEAT_FORM_OTLP,
               .conf_size = sizeof(struct k8s_attributes_conf), .state_size = sizeof(struct k8s_attributes),
               .fields = k8s_attributes_fields, .counters = k8s_attributes_counters, .check = k8s_attributes__check,
               .open = k8s_attributes__open, .admit = k8s_attributes__admit, .process = k8s_attributes__process,
               .flush = k8s_attributes__flush, .held = k8s_attributes__held, .dump = k8s_attributes__dump,
               .close = k8s_attributes__close);
