/* SPDX-License-Identifier: Apache-2.0 */
/* storage -- small values that outlive the process: file positions, tokens. file_storage is the one that provides it.
 *
 * Threads  one client on one shard.
 * Owns     values are copied in; what _get gives is the caller's (leat_free).
 * Rule     _put is durable to a crash of the process when it returns, and to a power cut when the extension has fsync on. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/world.h"

struct leat_storage;
struct leat_storage_ops {
    /* Changes are applied together: a crash keeps all of them or none. value NULL deletes. */
    leat_rc (*put)(struct leat_storage *storage, const char *key, const void *value, size_t len, struct leat_err *reterr);
    leat_rc (*get)(struct leat_storage *storage, const char *key, void **ret_value, size_t *ret_len,
                   struct leat_err *reterr); /* LEAT_ENOENT: none */
    void (*close)(struct leat_storage *storage);
};
struct leat_storage {
    const struct leat_storage_ops *ops;
};
