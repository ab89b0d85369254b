/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/basic_auth/basic_auth.h"

static const char *const aliases[] = {"basicauth", NULL};

LEAT_EXTENSION(basic_auth, .summary = "user names and passwords, sent or asked for", .aliases = aliases,
               .conf_size = sizeof(struct basic_auth_conf), .state_size = sizeof(struct basic_auth),
               .fields = basic_auth_fields, .counters = basic_auth_counters, .check = basic_auth__check,
               .open = basic_auth__open, .close = basic_auth__close, .client_auth = basic_auth__client,
               .server_auth = basic_auth__server);
