/* SPDX-License-Identifier: Apache-2.0 */
/* bearer_token_auth -- a token in a header, on both sides; private to this folder.
 *
 * Threads  one state per shard.
 * Owns     a copy of its file's text.
 * Limits   files of 64 KiB; tokens are compared in constant time.
 * Fails    the client side when there is no token yet: tried again later. Tokens are in no message. */
#pragma once
#include "agent/base/secret_file.h"
#include "extensions/extension.h"

enum bearer_token_auth_row { BEARER_OK, BEARER_REFUSED, BEARER_RELOADS };

struct bearer_token_auth_conf {
    const char *scheme, *token, *filename, *header;
    struct leat_strings tokens;
};

struct bearer_token_auth {
    const struct bearer_token_auth_conf *conf;
    struct leat_host *host;
    struct leat_secret_file file;
    uint32_t version; /* of the file, as counted */
};

extern const struct leat_field bearer_token_auth_fields[];
extern const struct leat_counter_def bearer_token_auth_counters[];
leat_rc bearer_token_auth__check(const void *conf, struct leat_err *reterr);
leat_rc bearer_token_auth__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void bearer_token_auth__close(void *state);
leat_rc bearer_token_auth__client(void *state, struct leat_client_auth *ret_auth);
leat_rc bearer_token_auth__server(void *state, struct leat_server_auth *ret_auth);
