/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/headers_setter/headers_setter.h"

LEAT_EXTENSION(headers_setter, .summary = "puts headers on outgoing requests, also those the data came with",
               .conf_size = sizeof(struct headers_setter_conf), .state_size = sizeof(struct headers_setter),
               .fields = headers_setter_fields, .counters = headers_setter_counters, .check = headers_setter__check,
               .open = headers_setter__open, .close = headers_setter__close, .client_auth = headers_setter__client);
