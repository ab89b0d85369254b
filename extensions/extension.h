/* SPDX-License-Identifier: Apache-2.0 */
/* extension -- what is neither in nor out: credentials, storage, health.
 *
 * Threads  one state per extension id and shard, but for those with `shard0_only`.
 * Owns     state is zeroed memory of state_size; `close` takes a half-open one. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/strbuf.h"
#include "agent/deliver/auth.h"
#include "agent/pipe/host.h"

/* What health_check and others may ask of the graph. */
enum leat_health { LEAT_HEALTH_STARTING, LEAT_HEALTH_OK, LEAT_HEALTH_STOPPING };

struct leat_extension_type {
    const char *name, *summary;
    const char *const *aliases;
    uint32_t conf_size, state_size;
    const struct leat_field *fields;
    const struct leat_default *defaults; /* other defaults for shared tables; NULL: none */
    const struct leat_counter_def *counters;
    bool shard0_only;
    leat_rc (*check)(const void *conf, struct leat_err *reterr);
    leat_rc (*open)(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
    void (*close)(void *state);
    /* what it provides; NULL: not that */
    leat_rc (*client_auth)(void *state, struct leat_client_auth *ret_auth);
    leat_rc (*server_auth)(void *state, struct leat_server_auth *ret_auth);
    leat_rc (*storage)(void *state, const char *client, struct leat_storage **ret_storage, struct leat_err *reterr);
    void (*health)(void *state, enum leat_health health);
};

#define LEAT_EXTENSION(folder, ...) \
    const struct leat_extension_type leat_extension_##folder = {.name = #folder, __VA_ARGS__}
