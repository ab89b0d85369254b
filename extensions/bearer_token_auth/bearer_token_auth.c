/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/bearer_token_auth/bearer_token_auth.h"

static const char *const aliases[] = {"bearertokenauth", NULL};

LEAT_EXTENSION(bearer_token_auth, .summary = "a token in a header, sent or asked for", .aliases = aliases,
               .conf_size = sizeof(struct bearer_token_auth_conf), .state_size = sizeof(struct bearer_token_auth),
               .fields = bearer_token_auth_fields, .counters = bearer_token_auth_counters,
               .check = bearer_token_auth__check, .open = bearer_token_auth__open, .close = bearer_token_auth__close,
               .client_auth = bearer_token_auth__client, .server_auth = bearer_token_auth__server);
