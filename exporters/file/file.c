/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/file/file.h"

LEAT_EXPORTER(file, .summary = "any signal to a file, as OTLP/JSON lines or protobuf", .signals = LEAT_ALL_SIGNALS,
              .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_FILE, .conf_size = sizeof(struct file_conf),
              .state_size = sizeof(struct file_state), .fields = file_fields, .check = file_check, .open = file_open,
              .encode = file_encode, .judge = file_judge, .close = file_close);
