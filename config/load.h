/* SPDX-License-Identifier: Apache-2.0 */
/* load -- `--config` and `--set` arguments to one merged tree with nothing left to expand.
 *
 * Why      the Collector's order: read every source, merge left to right, then expand ${...} over the result.
 * Owns     the tree lives in the arena of `yaml`.
 * Limits   those of agent/yaml/yaml.h and config/subst.h.
 * Fails    every problem is in yaml->diags; the code is LEAT_ECONFIG, or LEAT_ENOMEM. */
#pragma once
#include "agent/yaml/yaml.h"

/* Where words come from outside; zeroed: the process's environment and the file system. */
struct leat_outside {
    const char *(*env)(void *ctx, const char *name); /* NULL: unset */
    leat_rc (*read)(void *ctx, const char *path, struct leat_arena *arena, const char **ret_at, size_t *ret_len,
                    struct leat_err *reterr);
    void *ctx;
};

/* Each argument is "file:PATH", a bare path, "env:NAME" or "yaml:INLINE"; each set is "a::b=VALUE" or "a.b=VALUE". */
struct leat_load_args {
    const char *const *configs;
    uint32_t config_count;
    const char *const *sets;
    uint32_t set_count;
};

leat_rc leat_load(struct leat_yaml *yaml, const struct leat_outside *outside, const struct leat_load_args *args,
                  struct leat_node **ret_root) LEAT_MUST_CHECK;

/* One read by scheme, for ${...} and --config alike: the text behind "file:x", "env:x", "yaml:x". */
struct leat_fetched {
    const char *name; /* what to call it in marks */
    const char *at;
    size_t len;
    bool unset; /* an environment variable that is not there and has no default */
};
leat_rc leat_load_fetch(struct leat_yaml *yaml, const struct leat_outside *outside, const char *uri,
                        struct leat_fetched *ret, struct leat_err *reterr) LEAT_MUST_CHECK;
