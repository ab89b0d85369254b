/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/nop/nop.h"

LEAT_EXPORTER(nop, .summary = "takes everything and sends it nowhere", .signals = LEAT_ALL_SIGNALS,
              .forms = LEAT_FORM_OTLP | LEAT_FORM_PROM | LEAT_FORM_PPROF, .carrier = LEAT_CARRIER_NONE,
              .conf_size = sizeof(struct nop_conf), .state_size = sizeof(struct nop_state), .fields = nop_fields,
              .open = nop_open, .encode = nop_encode, .judge = nop_judge, .close = nop_close);
