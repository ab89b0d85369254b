/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/batch/batch.h"

LEAT_PROCESSOR(batch, .summary = "puts small batches together before they go on", .signals = LEAT_ALL_SIGNALS,
               .forms = LEAT_FORM_OTLP | LEAT_FORM_PROM | LEAT_FORM_PPROF, .conf_size = sizeof(struct batch_conf),
               .state_size = sizeof(struct batch), .fields = batch_fields, .counters = batch_counters,
               .accepts_on_take = true, .check = batch__check, .open = batch__open, .admit = batch__admit,
               .process = batch__process, .flush = batch__flush, .held = batch__held, .dump = batch__dump,
               .close = batch__close);
