/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_grpc/otlp_grpc.h"

static const char *const aliases[] = {"otlp", NULL};

LEAT_EXPORTER(otlp_grpc, .summary = "any signal to an OTLP server over gRPC", .aliases = aliases,
              .signals = LEAT_ALL_SIGNALS, .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_GRPC,
              .conf_size = sizeof(struct otlp_grpc_conf), .state_size = sizeof(struct otlp_grpc_state),
              .fields = otlp_grpc_fields, .check = otlp_grpc_check, .open = otlp_grpc_open, .encode = otlp_grpc_encode,
              .judge = otlp_grpc_judge, .close = otlp_grpc_close);
