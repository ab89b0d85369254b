/* SPDX-License-Identifier: Apache-2.0 */
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "agent/discovery/discovery_inner.h"

/* ---- making a group ---- */

struct leat_sd_group *leat_sd__group_new(struct leat_slice key)
{
    struct leat_sd_group *group = leat_zalloc(1, sizeof *group);
    if (!group)
        return NULL;
    group->arena.bytes_max = LEAT_SD_GROUP_BYTES_MAX;
    group->key = leat_sd__keep(group, key);
    return group;
}

void leat_sd__group_free(struct leat_sd_group *group)
{
    if (!group)
        return;
    leat_arena_done(&group->arena);
    leat_free(group);
}

struct leat_slice leat_sd__keep(struct leat_sd_group *group, struct leat_slice text)
{
    char *copy = leat_arena_str(&group->arena, (const char *)text.at, text.len);
    return copy ? leat_slice_of(copy, text.len) : leat_slice_of("", 0);
}

void leat_sd__label_str(struct leat_sd_group *group, struct leat_sd_item *item, const char *name,
                        struct leat_slice value)
{
    if (value.len == 0)
        return;
    if (item->count == item->room) {
        uint32_t room = item->room ? item->room * 2 : 8;
        void *at = leat_arena_grow(&group->arena, item->at, item->count, room, sizeof *item->at);
        if (!at)
            return;
        item->at = at;
        item->room = room;
    }
    item->at[item->count++] = (struct leat_label){leat_slice_str(name), leat_sd__keep(group, value)};
}

void leat_sd__label(struct leat_sd_group *group, struct leat_sd_item *item, struct leat_slice name,
                    struct leat_slice value)
{
    struct leat_slice copy = value.len ? leat_sd__keep(group, name) : name;
    leat_sd__label_str(group, item, group->arena.failed || !value.len ? "" : (const char *)copy.at, value);
}

struct leat_sd_item *leat_sd__target(struct leat_sd_group *group)
{
    static _Thread_local struct leat_sd_item spare;
    if (group->count == group->room) {
        uint32_t room = group->room ? group->room * 2 : 4;
        void *at = leat_arena_grow(&group->arena, group->targets, group->count, room, sizeof *group->targets);
        if (!at) {
            spare = (struct leat_sd_item){0};
            return &spare;
        }
        group->targets = at;
        group->room = room;
    }
    return &group->targets[group->count++];
}

struct leat_slice leat_sd__item_get(const struct leat_sd_item *item, const char *name)
{
    struct leat_slice wanted = leat_slice_str(name);
    for (uint32_t i = 0; i < item->count; i++)
        if (leat_slice_eq(item->at[i].name, wanted))
            return item->at[i].value;
    return leat_slice_of("", 0);
}

/* ---- keeping them ---- */

static struct leat_sd_group **place_of(const struct leat_sd_groups *groups, struct leat_slice key)
{
    struct leat_sd_group **at = &groups->buckets[XXH3_64bits(key.at, key.len) & (groups->bucket_count - 1)];
    while (*at && !leat_slice_eq((*at)->key, key))
        at = &(*at)->next;
    return at;
}

static leat_rc grow(struct leat_sd_groups *groups)
{
    struct leat_sd_groups larger = {.bucket_count = groups->bucket_count ? groups->bucket_count * 2 : 16};
    larger.buckets = leat_zalloc(larger.bucket_count, sizeof(void *));
    if (!larger.buckets)
        return groups->bucket_count ? LEAT_OK : LEAT_ENOMEM; /* fuller buckets still work */
    for (uint32_t i = 0; i < groups->bucket_count; i++)
        for (struct leat_sd_group *group = groups->buckets[i], *next; group; group = next) {
            next = group->next;
            group->next = NULL;
            *place_of(&larger, group->key) = group;
            larger.count++;
        }
    leat_free(groups->buckets);
    *groups = larger;
    return LEAT_OK;
}

leat_rc leat_sd__groups_put(struct leat_sd_groups *groups, struct leat_sd_group *group)
{
    leat_rc rc = group->arena.failed ? LEAT_ENOMEM : LEAT_OK;
    if (rc == LEAT_OK && groups->count >= groups->bucket_count)
        rc = grow(groups);
    if (rc != LEAT_OK) {
        leat_sd__group_free(group);
        return rc;
    }
    struct leat_sd_group **at = place_of(groups, group->key);
    struct leat_sd_group *old = *at;
    group->next = old ? old->next : NULL;
    *at = group;
    groups->count += !old;
    leat_sd__group_free(old);
    return LEAT_OK;
}

struct leat_sd_group *leat_sd__groups_get(const struct leat_sd_groups *groups, struct leat_slice key)
{
    return groups->bucket_count ? *place_of(groups, key) : NULL;
}

static void take_out(struct leat_sd_groups *groups, struct leat_sd_group **at)
{
    struct leat_sd_group *group = *at;
    *at = group->next;
    groups->count--;
    leat_sd__group_free(group);
}

bool leat_sd__groups_remove(struct leat_sd_groups *groups, struct leat_slice key)
{
    struct leat_sd_group **at = groups->bucket_count ? place_of(groups, key) : NULL;
    if (!at || !*at)
        return false;
    take_out(groups, at);
    return true;
}

uint32_t leat_sd__groups_sweep(struct leat_sd_groups *groups, uint32_t round)
{
    uint32_t before = groups->count;
    for (uint32_t i = 0; i < groups->bucket_count; i++)
        for (struct leat_sd_group **at = &groups->buckets[i]; *at;) {
            if ((*at)->round == round)
                at = &(*at)->next;
            else
                take_out(groups, at);
        }
    return before - groups->count;
}

void leat_sd__groups_clear(struct leat_sd_groups *groups)
{
    for (uint32_t i = 0; i < groups->bucket_count; i++)
        while (groups->buckets[i])
            take_out(groups, &groups->buckets[i]);
    leat_free(groups->buckets);
    *groups = (struct leat_sd_groups){0};
}
