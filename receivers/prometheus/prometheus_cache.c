/* SPDX-License-Identifier: Apache-2.0 */
/* Series by the bytes that name them on the page, and by their labels. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "receivers/prometheus/prometheus.h"

#define TABLE_FIRST 64u
#define CHARGE_STEP 65536u
#define META_OVERHEAD 96u  /* its slot, and what the heap takes for its blocks */
#define ENTRY_OVERHEAD 48u /* its slots in two tables, and what the heap takes for two blocks */

uint32_t prometheus__hash(struct leat_slice raw) { return (uint32_t)XXH3_64bits(raw.at, raw.len); }

/* ---- tables: open addressing; nothing is removed but by making a new one ---- */

static void slot_put(struct prometheus_table *table, uint32_t hash, struct prometheus_entry *entry)
{
    uint32_t i = hash & (table->room - 1);
    while (table->at[i])
        i = (i + 1) & (table->room - 1);
    table->at[i] = entry;
    table->count++;
}

static uint32_t hash_in(const struct prometheus_entry *entry, bool labels)
{
    return labels ? (uint32_t)entry->series->hash : entry->hash;
}

static leat_rc table_room(struct prometheus_table *table, bool labels)
{
    uint32_t need = table->count + 1, room = table->room ? table->room : TABLE_FIRST;
    while ((uint64_t)need * 4 > (uint64_t)room * 3)
        room *= 2;
    if (room == table->room)
        return LEAT_OK;
    struct prometheus_table fresh = {.at = leat_zalloc(room, sizeof *fresh.at), .room = room};
    if (!fresh.at)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < table->room; i++)
        if (table->at[i])
            slot_put(&fresh, hash_in(table->at[i], labels), table->at[i]);
    leat_free(table->at);
    *table = fresh;
    return LEAT_OK;
}

struct prometheus_entry *prometheus__find(const struct prometheus_cache *cache, struct leat_slice raw, uint32_t hash)
{
    const struct prometheus_table *table = &cache->by_raw;
    if (!table->room)
        return NULL;
    for (uint32_t i = hash & (table->room - 1); table->at[i]; i = (i + 1) & (table->room - 1)) {
        struct prometheus_entry *entry = table->at[i];
        if (entry->hash == hash && entry->raw_len == raw.len && memcmp(entry->raw, raw.at, raw.len) == 0)
            return entry;
    }
    return NULL;
}

struct prometheus_entry *prometheus__find_labels(const struct prometheus_cache *cache, uint64_t hash, const uint8_t *labels,
                                                 uint32_t label_bytes)
{
    const struct prometheus_table *table = &cache->by_labels;
    if (!table->room)
        return NULL;
    for (uint32_t i = (uint32_t)hash & (table->room - 1); table->at[i]; i = (i + 1) & (table->room - 1)) {
        const struct leat_prom_series *series = table->at[i]->series;
        if (series->hash == hash && series->label_bytes == label_bytes && memcmp(series->labels, labels, label_bytes) == 0)
            return table->at[i];
    }
    return NULL;
}

/* ---- entries ---- */

static uint64_t entry_bytes(const struct prometheus_entry *entry)
{
    return sizeof *entry + entry->raw_len + ENTRY_OVERHEAD +
           (entry->series ? leat_prom_series_bytes(entry->series) : 0);
}

struct prometheus_entry *prometheus__entry_new(struct prometheus_cache *cache, struct leat_slice raw, uint32_t hash)
{
    (void)cache;
    struct prometheus_entry *entry = leat_alloc(sizeof *entry + raw.len);
    if (!entry)
        return NULL;
    *entry = (struct prometheus_entry){.hash = hash, .raw_len = raw.len, .last_ms = INT64_MIN};
    memcpy(entry->raw, raw.at, raw.len);
    return entry;
}

leat_rc prometheus__entry_link(struct prometheus_cache *cache, struct prometheus_entry *entry)
{
    bool labelled = entry->series && !entry->main;
    if (table_room(&cache->by_raw, false) != LEAT_OK || (labelled && table_room(&cache->by_labels, true) != LEAT_OK))
        return LEAT_ENOMEM;
    cache->bytes += entry_bytes(entry);
    if (!prometheus__charge(cache)) {
        cache->bytes -= entry_bytes(entry);
        return LEAT_ENOMEM;
    }
    slot_put(&cache->by_raw, entry->hash, entry);
    if (labelled)
        slot_put(&cache->by_labels, (uint32_t)entry->series->hash, entry);
    return LEAT_OK;
}

void prometheus__entry_free(struct prometheus_cache *cache, struct prometheus_entry *entry)
{
    (void)cache;
    if (entry->main)
        entry->main->aliases--;
    leat_prom_series_unref(entry->series);
    leat_free(entry);
}

static bool stays(const struct prometheus_entry *entry, uint32_t generation)
{
    return entry->raw_seen == generation || entry->aliases;
}

/* Aliases first: they keep the one they stand for. */
static uint32_t sweep(struct prometheus_cache *cache, uint32_t generation, bool aliases, struct prometheus_table *raws,
                      struct prometheus_table *labels)
{
    uint32_t gone = 0;
    for (uint32_t i = 0; i < cache->by_raw.room; i++) {
        struct prometheus_entry *entry = cache->by_raw.at[i];
        if (!entry || (entry->main != NULL) != aliases)
            continue;
        if (stays(entry, generation)) {
            slot_put(raws, entry->hash, entry);
            if (entry->series && !entry->main)
                slot_put(labels, (uint32_t)entry->series->hash, entry);
            entry->next = NULL;
            continue;
        }
        cache->bytes -= entry_bytes(entry);
        prometheus__entry_free(cache, entry);
        cache->by_raw.at[i] = NULL; /* the second sweep looks here again */
        gone++;
    }
    return gone;
}

static uint32_t room_for(uint32_t count)
{
    uint32_t room = TABLE_FIRST;
    while ((uint64_t)count * 4 > (uint64_t)room * 3)
        room *= 2;
    return room;
}

/* What a family's texts come to twice: as read, and in the family that is built of them. */
static uint64_t meta_bytes(const struct prometheus_meta *meta)
{
    return sizeof *meta + sizeof(struct leat_prom_family) + META_OVERHEAD +
           2ull * (meta->name.len + meta->help.len + meta->unit.len);
}

void prometheus__forget_metas(struct prometheus_cache *cache, uint32_t pages)
{
    if (cache->meta_room)
        memset(cache->metas, 0, cache->meta_room * sizeof(void *));
    struct prometheus_meta *list = cache->meta_list, *next;
    cache->meta_list = NULL;
    cache->meta_count = 0;
    for (struct prometheus_meta *meta = list; meta; meta = next) {
        next = meta->next;
        if (cache->generation - meta->seen >= pages) {
            cache->bytes -= meta_bytes(meta);
            leat_prom_family_unref(meta->built);
            leat_free((void *)(uintptr_t)meta->name.at);
            leat_free((void *)(uintptr_t)meta->help.at);
            leat_free((void *)(uintptr_t)meta->unit.at);
            leat_free(meta);
            continue;
        }
        uint32_t i = meta->hash & (cache->meta_room - 1);
        while (cache->metas[i])
            i = (i + 1) & (cache->meta_room - 1);
        cache->metas[i] = meta;
        meta->next = cache->meta_list;
        cache->meta_list = meta;
        cache->meta_count++;
    }
    if (cache->meta_count == 0) {
        leat_free(cache->metas);
        cache->metas = NULL;
        cache->meta_room = 0;
    }
    (void)prometheus__charge(cache);
}

uint32_t prometheus__evict(struct prometheus_cache *cache, uint32_t generation)
{
    uint32_t left = 0;
    PROMETHEUS_EACH(&cache->by_raw, i, entry)
        left += stays(entry, generation);
    struct prometheus_table raws = {.room = room_for(left)}, labels = {.room = room_for(left)};
    raws.at = leat_zalloc(raws.room, sizeof *raws.at);
    labels.at = leat_zalloc(labels.room, sizeof *labels.at);
    uint32_t gone = 0;
    if (!raws.at || !labels.at)
        goto out;
    gone = sweep(cache, generation, true, &raws, &labels) + sweep(cache, generation, false, &raws, &labels);
    struct prometheus_table old = cache->by_raw;
    cache->by_raw = raws;
    raws = old;
    old = cache->by_labels;
    cache->by_labels = labels;
    labels = old;
    cache->first = NULL;
    (void)prometheus__charge(cache);
out:
    leat_free(raws.at);
    leat_free(labels.at);
    return gone;
}

bool prometheus__charge(struct prometheus_cache *cache)
{
    struct leat_budget *budget = leat_pool_budget(leat_pool_here());
    uint64_t wanted = (cache->bytes + CHARGE_STEP - 1) / CHARGE_STEP * CHARGE_STEP;
    if (wanted > cache->charged) {
        if (!leat_budget_charge(budget, wanted - cache->charged))
            return false;
        cache->charged = wanted;
    } else if (cache->charged - wanted >= CHARGE_STEP) {
        leat_budget_discharge(budget, cache->charged - wanted);
        cache->charged = wanted;
    }
    return true;
}

/* ---- metadata ---- */

static leat_rc metas_room(struct prometheus_cache *cache)
{
    if ((uint64_t)(cache->meta_count + 1) * 2 <= cache->meta_room)
        return LEAT_OK;
    uint32_t room = cache->meta_room ? 2 * cache->meta_room : TABLE_FIRST;
    struct prometheus_meta **metas = leat_zalloc(room, sizeof *metas);
    if (!metas)
        return LEAT_ENOMEM;
    for (struct prometheus_meta *meta = cache->meta_list; meta; meta = meta->next) {
        uint32_t i = meta->hash & (room - 1);
        while (metas[i])
            i = (i + 1) & (room - 1);
        metas[i] = meta;
    }
    leat_free(cache->metas);
    cache->metas = metas;
    cache->meta_room = room;
    return LEAT_OK;
}

bool prometheus__meta_set(struct prometheus_cache *cache, struct prometheus_meta *meta, struct leat_slice *text,
                          struct leat_slice value)
{
    if (leat_slice_eq(*text, value))
        return true;
    uint8_t *copy = value.len ? leat_alloc(value.len) : NULL;
    if (value.len && !copy)
        return false;
    if (value.len)
        memcpy(copy, value.at, value.len);
    leat_free((void *)(uintptr_t)text->at);
    cache->bytes -= meta_bytes(meta);
    *text = leat_slice_of(copy, value.len);
    cache->bytes += meta_bytes(meta);
    meta->changed = true;
    return prometheus__charge(cache);
}

struct prometheus_meta *prometheus__meta(struct prometheus_cache *cache, struct leat_slice name, uint32_t room_max)
{
    if (metas_room(cache) != LEAT_OK)
        return NULL;
    uint32_t hash = prometheus__hash(name), i = hash & (cache->meta_room - 1);
    for (; cache->metas[i]; i = (i + 1) & (cache->meta_room - 1))
        if (cache->metas[i]->hash == hash && leat_slice_eq(cache->metas[i]->name, name)) {
            cache->metas[i]->seen = cache->generation;
            return cache->metas[i];
        }
    struct prometheus_meta *meta = cache->meta_count < room_max ? leat_zalloc(1, sizeof *meta) : NULL;
    if (!meta)
        return NULL;
    cache->bytes += meta_bytes(meta);
    if (!prometheus__meta_set(cache, meta, &meta->name, name)) {
        cache->bytes -= meta_bytes(meta);
        leat_free((void *)(uintptr_t)meta->name.at);
        leat_free(meta);
        return NULL;
    }
    meta->hash = hash;
    meta->seen = cache->generation;
    meta->changed = true;
    meta->next = cache->meta_list;
    cache->meta_list = cache->metas[i] = meta;
    cache->meta_count++;
    return meta;
}

struct leat_prom_family *prometheus__meta_family(struct prometheus_meta *meta, enum prometheus_help written)
{
    if (!meta->changed)
        return meta->built;
    struct leat_slice help = meta->help;
    uint8_t *plain = NULL;
    if (written != PROMETHEUS_HELP_PLAIN && help.len && memchr(help.at, '\\', help.len)) {
        if (!(plain = leat_alloc(help.len)))
            return NULL;
        help = leat_slice_of(plain, prom_help_unescape(help, written == PROMETHEUS_HELP_QUOTES, plain));
    }
    struct leat_prom_family *built = leat_prom_family_new(meta->type, meta->name, help, meta->unit);
    leat_free(plain);
    if (!built)
        return NULL;
    leat_prom_family_unref(meta->built);
    meta->built = built;
    meta->changed = false;
    return built;
}

void prometheus__cache_done(struct prometheus_cache *cache)
{
    for (uint32_t aliases = 0; aliases < 2; aliases++)
        PROMETHEUS_EACH(&cache->by_raw, i, entry)
            if ((entry->main != NULL) == (aliases == 0)) {
                prometheus__entry_free(cache, entry);
                cache->by_raw.at[i] = NULL;
            }
    prometheus__forget_metas(cache, 0);
    cache->bytes = 0;
    leat_budget_discharge(leat_pool_budget(leat_pool_here()), cache->charged);
    leat_free(cache->by_raw.at);
    leat_free(cache->by_labels.at);
    leat_free(cache->metas);
    *cache = (struct prometheus_cache){0};
}
