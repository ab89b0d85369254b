/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/known.h"

#include <xxhash.h>

#include "agent/base/alloc.h"

#define BUCKETS_FIRST 64u

uint64_t k8s_version_hash(struct leat_slice version)
{
    return XXH3_64bits(version.at, version.len);
}

static uint64_t hash_of(struct leat_slice ns, struct leat_slice name)
{
    return XXH3_64bits_withSeed(name.at, name.len, ns.len ? XXH3_64bits(ns.at, ns.len) : 0);
}

static struct k8s_known **bucket_of(const struct k8s_known_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

struct k8s_known *k8s_known_find(const struct k8s_known_table *table, struct leat_slice ns, struct leat_slice name)
{
    if (!table->bucket_count)
        return NULL;
    uint64_t hash = hash_of(ns, name);
    for (struct k8s_known *known = *bucket_of(table, hash); known; known = known->next)
        if (known->hash == hash && leat_slice_eq(k8s_known_ns(known), ns) && leat_slice_eq(k8s_known_name(known), name))
            return known;
    return NULL;
}

/* A table that cannot grow goes on with longer chains. */
static void grow(struct k8s_known_table *table)
{
    uint32_t count = table->bucket_count ? table->bucket_count * 2 : BUCKETS_FIRST;
    struct k8s_known **buckets = leat_zalloc(count, sizeof *buckets);
    if (!buckets)
        return;
    struct k8s_known_table wide = {buckets, count, table->count};
    for (uint32_t i = 0; i < table->bucket_count; i++)
        for (struct k8s_known *known; (known = table->buckets[i]);) {
            table->buckets[i] = known->next;
            struct k8s_known **bucket = bucket_of(&wide, known->hash);
            known->next = *bucket;
            *bucket = known;
        }
    leat_free(table->buckets);
    *table = wide;
}

struct k8s_known *k8s_known_add(struct k8s_known_table *table, struct leat_slice ns, struct leat_slice name,
                                struct leat_slice uid)
{
    if (table->count >= table->bucket_count)
        grow(table);
    if (!table->bucket_count || ns.len > UINT16_MAX || name.len > UINT16_MAX || uid.len > UINT16_MAX)
        return NULL;
    struct k8s_known *known = leat_zalloc(1, sizeof *known + ns.len + name.len + uid.len);
    if (!known)
        return NULL;
    *known = (struct k8s_known){.hash = hash_of(ns, name), .ns_len = (uint16_t)ns.len, .name_len = (uint16_t)name.len,
                                .uid_len = (uint16_t)uid.len};
    if (ns.len)
        memcpy(known->text, ns.at, ns.len);
    memcpy(known->text + ns.len, name.at, name.len);
    if (uid.len)
        memcpy(known->text + ns.len + name.len, uid.at, uid.len);
    struct k8s_known **bucket = bucket_of(table, known->hash);
    known->next = *bucket;
    *bucket = known;
    table->count++;
    return known;
}

void k8s_known_remove(struct k8s_known_table *table, struct k8s_known *known)
{
    struct k8s_known **at = bucket_of(table, known->hash);
    while (*at != known)
        at = &(*at)->next;
    *at = known->next;
    table->count--;
    leat_free(known);
}

void k8s_known_done(struct k8s_known_table *table)
{
    for (uint32_t i = 0; i < table->bucket_count; i++)
        for (struct k8s_known *known; (known = table->buckets[i]);) {
            table->buckets[i] = known->next;
            leat_free(known);
        }
    leat_free(table->buckets);
    *table = (struct k8s_known_table){0};
}
