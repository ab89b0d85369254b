/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/memory_limiter/memory_limiter.h"

LEAT_PROCESSOR(memory_limiter, .summary = "refuses what comes while the process uses too much memory",
               .signals = LEAT_ALL_SIGNALS, .forms = LEAT_FORM_OTLP | LEAT_FORM_PROM | LEAT_FORM_PPROF,
               .conf_size = sizeof(struct memory_limiter_conf), .state_size = sizeof(struct memory_limiter),
               .fields = memory_limiter_fields, .counters = memory_limiter_counters, .check = memory_limiter__check,
               .open = memory_limiter__open, .admit = memory_limiter__admit, .process = memory_limiter__process,
               .dump = memory_limiter__dump, .close = memory_limiter__close);
