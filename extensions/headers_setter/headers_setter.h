/* SPDX-License-Identifier: Apache-2.0 */
/* headers_setter -- puts headers on outgoing requests: fixed, from a file, or those the request came in with.
 *
 * Why      a tenant's header must go through to the back end.
 * Threads  one state per shard.
 * Fails    when a value_file cannot be read: tried again later. Values are in no message. */
#pragma once
#include "agent/base/secret_file.h"
#include "extensions/extension.h"

enum headers_setter_row { HEADERS_SETTER_MISSING };
enum headers_setter_verb { HEADERS_INSERT, HEADERS_UPDATE, HEADERS_UPSERT, HEADERS_DELETE };

struct headers_setter_header {
    int action; /* enum headers_setter_verb */
    const char *key, *value, *value_file, *from_context, *default_value;
};
struct headers_setter_conf {
    struct leat_items headers;
};

struct headers_setter {
    const struct headers_setter_conf *conf;
    struct leat_host *host;
    struct headers_setter_source {
        struct leat_secret_file file;
        char *meta_key; /* from_context in lower case */
    } * sources;        /* one per header */
};

extern const struct leat_field headers_setter_fields[];
extern const struct leat_counter_def headers_setter_counters[];
leat_rc headers_setter__check(const void *conf, struct leat_err *reterr);
leat_rc headers_setter__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void headers_setter__close(void *state);
leat_rc headers_setter__client(void *state, struct leat_client_auth *ret_auth);
