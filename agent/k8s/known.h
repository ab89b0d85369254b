/* SPDX-License-Identifier: Apache-2.0 */
/* known -- which objects a watch has reported, by namespace and name; private to agent/k8s.
 *
 * Why      a later list must say what is gone and what is as before.
 * Threads  one user.
 * Owns     its entries: names and uid as text, the resourceVersion as a hash.
 * Fails    NULL when out of memory; the table is as before. */
#pragma once
#include "agent/base/slice.h"

struct k8s_known {
    struct k8s_known *next; /* in its bucket */
    uint64_t hash, version;
    uint32_t pass; /* the list that saw it last */
    uint16_t ns_len, name_len, uid_len;
    char text[]; /* ns, name, uid */
};
struct k8s_known_table {
    struct k8s_known **buckets;
    uint32_t bucket_count, count; /* buckets: a power of two */
};

uint64_t k8s_version_hash(struct leat_slice version);
struct k8s_known *k8s_known_find(const struct k8s_known_table *table, struct leat_slice ns, struct leat_slice name);
struct k8s_known *k8s_known_add(struct k8s_known_table *table, struct leat_slice ns, struct leat_slice name,
                                struct leat_slice uid) LEAT_MUST_CHECK; /* it is not there yet */
void k8s_known_remove(struct k8s_known_table *table, struct k8s_known *known); /* and frees it */
void k8s_known_done(struct k8s_known_table *table);

static inline struct leat_slice k8s_known_ns(const struct k8s_known *known)
{
    return leat_slice_of(known->text, known->ns_len);
}
static inline struct leat_slice k8s_known_name(const struct k8s_known *known)
{
    return leat_slice_of(known->text + known->ns_len, known->name_len);
}
static inline struct leat_slice k8s_known_uid(const struct k8s_known *known)
{
    return leat_slice_of(known->text + known->ns_len + known->name_len, known->uid_len);
}
