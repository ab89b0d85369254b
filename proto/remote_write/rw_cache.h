/* SPDX-License-Identifier: Apache-2.0 */
/* rw_cache -- what was made for a key before: two halves, of which the older is forgotten when the younger is full.
 *
 * Why      a point that comes again costs one hash of its bytes; its labels are not made anew.
 * Owns     one reference of each value, given back through `unref`.
 * Limits   about `max` values. Keys are 128 bits of hash and are taken for the thing itself.
 * Fails    put: false, and the value is the caller's. */
#pragma once
#include "agent/base/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct rw_key {
    uint64_t a, b;
};
struct rw_cache_half {
    struct rw_cache_entry {
        struct rw_key key;
        void *value;
    } *at;
    uint32_t size, used;
};
struct rw_cache {
    struct rw_cache_half young, old;
    uint32_t max;
    void *(*ref)(void *value);
    void (*unref)(void *value);
};

void *rw_cache_get(struct rw_cache *cache, struct rw_key key); /* borrowed; NULL: not there */
bool rw_cache_put(struct rw_cache *cache, struct rw_key key, void *value) LEAT_MUST_CHECK;
void rw_cache_done(struct rw_cache *cache);
