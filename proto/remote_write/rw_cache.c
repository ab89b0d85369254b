/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_cache.h"

#include "agent/base/alloc.h"

#define SIZE_MIN 256u

static struct rw_cache_entry *place(const struct rw_cache_half *half, struct rw_key key)
{
    uint64_t i = key.a & (half->size - 1);
    while (half->at[i].value && (half->at[i].key.a != key.a || half->at[i].key.b != key.b))
        i = (i + 1) & (half->size - 1);
    return &half->at[i];
}

static void half_done(struct rw_cache_half *half, void (*unref)(void *value))
{
    for (uint32_t i = 0; i < half->size; i++)
        if (half->at[i].value)
            unref(half->at[i].value);
    leat_free(half->at);
    *half = (struct rw_cache_half){0};
}

static bool grow(struct rw_cache_half *half)
{
    struct rw_cache_half more = {.size = half->size ? half->size * 2 : SIZE_MIN, .used = half->used};
    more.at = leat_zalloc(more.size, sizeof *more.at);
    if (!more.at)
        return false;
    for (uint32_t i = 0; i < half->size; i++)
        if (half->at[i].value)
            *place(&more, half->at[i].key) = half->at[i];
    leat_free(half->at);
    *half = more;
    return true;
}

bool rw_cache_put(struct rw_cache *cache, struct rw_key key, void *value)
{
    if (cache->young.used >= cache->max / 2) {
        half_done(&cache->old, cache->unref);
        cache->old = cache->young;
        cache->young = (struct rw_cache_half){0};
    }
    if (cache->young.used >= cache->young.size / 2 && !grow(&cache->young))
        return false;
    *place(&cache->young, key) = (struct rw_cache_entry){key, value};
    cache->young.used++;
    return true;
}

/* What is found in the older half goes into the younger too, so that it lives on. */
void *rw_cache_get(struct rw_cache *cache, struct rw_key key)
{
    struct rw_cache_entry *entry = cache->young.size ? place(&cache->young, key) : NULL;
    if (entry && entry->value)
        return entry->value;
    entry = cache->old.size ? place(&cache->old, key) : NULL;
    void *value = entry ? entry->value : NULL;
    if (value && !rw_cache_put(cache, key, cache->ref(value)))
        cache->unref(value);
    return value;
}

void rw_cache_done(struct rw_cache *cache)
{
    half_done(&cache->young, cache->unref);
    half_done(&cache->old, cache->unref);
}
