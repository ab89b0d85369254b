/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts the items of a batch by topic and key, so that each group can leave as a record of its own. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "exporters/kafka/kafka.h"

#define RESOURCE_ATTRIBUTES 1u

bool kafka__groups_wanted(const struct kafka_state *kafka)
{
    const struct kafka_conf *own = kafka->own;
    if (kafka->signal == LEAT_PROFILES) /* their dictionary is per request: they are never taken apart */
        return false;
    return (own->topic_from_attribute && *own->topic_from_attribute) ||
           (kafka->signal == LEAT_TRACES && own->traces_by_id) ||
           (kafka->signal == LEAT_LOGS && (own->logs_by_trace_id || own->logs_by_resource)) ||
           (kafka->signal == LEAT_METRICS && own->metrics_by_resource);
}

bool kafka__topic_admitted(struct kafka_state *kafka, struct leat_slice name)
{
    if (!kafka->topics.at)
        return false;
    uint64_t hash = XXH3_64bits(name.at, name.len) | 1; /* 0 is a free place */
    uint32_t mask = kafka->topics.room - 1, i = (uint32_t)(hash >> 32) & mask;
    for (; kafka->topics.at[i]; i = (i + 1) & mask)
        if (kafka->topics.at[i] == hash)
            return true;
    if (kafka->topics.count == (uint32_t)kafka->own->topics_max) {
        kafka__count(kafka, KAFKA_COUNT_TOPICS_OVER, 1);
        return false;
    }
    kafka->topics.at[i] = hash;
    kafka->topics.count++;
    return true;
}

struct leat_slice kafka__topic_of(struct kafka_state *kafka, struct leat_slice resource)
{
    struct otlp_value value;
    const char *name = kafka->own->topic_from_attribute;
    if (name && *name && otlp_attribute_get(resource, RESOURCE_ATTRIBUTES, name, &value) && value.kind == OTLP_TEXT &&
        value.text.len && kafka__topic_admitted(kafka, value.text))
        return value.text;
    return (struct leat_slice){0};
}

/* ---- keys ---- */

/* As the Collector's: hex, and none for a span or log without a trace. */
struct kafka_key kafka__key_of_trace(struct leat_slice trace_id)
{
    static const char digits[] = "0123456789abcdef";
    static const uint8_t none[KAFKA_KEY_BYTES_MAX / 2];
    struct kafka_key key = {0};
    if (trace_id.len == sizeof none && memcmp(trace_id.at, none, sizeof none) == 0)
        return key;
    for (uint32_t i = 0; i < trace_id.len && i < KAFKA_KEY_BYTES_MAX / 2; i++) {
        key.at[key.len++] = (uint8_t)digits[trace_id.at[i] >> 4];
        key.at[key.len++] = (uint8_t)digits[trace_id.at[i] & 15];
    }
    return key;
}

/* Attributes in any order give the same key: their hashes are added up. */
struct kafka_key kafka__key_of_resource(struct leat_slice resource)
{
    struct kafka_key key = {.len = 16};
    uint64_t low = 0, high = 0;
    struct leat_slice rest = resource, attribute;
    while (otlp_message_next(&rest, RESOURCE_ATTRIBUTES, &attribute)) {
        XXH128_hash_t hash = XXH3_128bits(attribute.at, attribute.len);
        low += hash.low64;
        high += hash.high64;
    }
    memcpy(key.at, &low, sizeof low);
    memcpy(key.at + sizeof low, &high, sizeof high);
    return key;
}

/* ---- the table of groups ---- */

static bool same(const struct kafka_group *a, const struct kafka_group *b)
{
    return a->key.len == b->key.len && memcmp(a->key.at, b->key.at, a->key.len) == 0 && leat_slice_eq(a->topic, b->topic);
}

static uint64_t hash_of(const struct kafka_group *group)
{
    return XXH3_64bits(group->key.at, group->key.len) + (group->topic.len ? XXH3_64bits(group->topic.at, group->topic.len) : 0);
}

static uint32_t *slot_of(struct kafka_groups *groups, const struct kafka_group *group)
{
    uint32_t mask = groups->slot_count - 1, i = (uint32_t)hash_of(group) & mask;
    while (groups->slots[i] && !same(&groups->at[groups->slots[i] - 1], group))
        i = (i + 1) & mask;
    return &groups->slots[i];
}

static bool grow(struct kafka_groups *groups)
{
    uint32_t room = groups->room ? groups->room * 2 : 16;
    struct kafka_group *at = leat_realloc(groups->at, room * sizeof *at);
    if (!at)
        return false;
    groups->at = at;
    uint32_t *slots = leat_zalloc(room * 2ull, sizeof *slots);
    if (!slots)
        return false;
    leat_free(groups->slots);
    groups->slots = slots;
    groups->slot_count = room * 2;
    groups->room = room;
    for (uint32_t i = 0; i < groups->count; i++)
        *slot_of(groups, &groups->at[i]) = i + 1;
    return true;
}

/* The topic's text outlives the walk: it is copied with the first of its group. */
static bool keep_topic(struct kafka_groups *groups, struct leat_slice *topic)
{
    if (topic->len == 0)
        return true;
    if (leat_chain_copy(&groups->topics, topic->at, topic->len) != LEAT_OK)
        return false;
    const struct leat_slice *last = &groups->topics.vec[groups->topics.count - 1]; /* may have joined its neighbour */
    *topic = leat_slice_of(last->at + last->len - topic->len, topic->len);
    return true;
}

static bool find_or_add(struct kafka_groups *groups, const struct kafka_group *group, uint32_t *ret_index)
{
    if (groups->count == groups->room && !grow(groups))
        return false;
    uint32_t *slot = slot_of(groups, group);
    if (*slot == 0) {
        struct kafka_group *added = &groups->at[groups->count];
        *added = *group;
        if (!keep_topic(groups, &added->topic))
            return false;
        *slot = ++groups->count;
    }
    *ret_index = *slot - 1;
    return true;
}

static bool prepare(struct kafka_state *kafka, uint32_t items)
{
    struct kafka_groups *groups = kafka->groups;
    if (!groups)
        groups = kafka->groups = leat_zalloc(1, sizeof *groups);
    if (!groups)
        return false;
    groups->count = 0;
    leat_chain_done(&groups->topics);
    if (groups->slots)
        memset(groups->slots, 0, groups->slot_count * sizeof *groups->slots);
    if (items <= groups->item_room)
        return true;
    uint32_t *of_item = leat_realloc(groups->of_item, items * sizeof *of_item);
    if (!of_item)
        return false;
    groups->of_item = of_item;
    groups->item_room = items;
    return true;
}

void kafka__groups_free(struct kafka_groups *groups)
{
    if (!groups)
        return;
    leat_free(groups->at);
    leat_free(groups->of_item);
    leat_free(groups->slots);
    leat_chain_done(&groups->topics);
    leat_free(groups);
}

/* ---- the walk ---- */

static uint32_t points_of(struct leat_slice message)
{
    struct otlp_metric metric;
    struct leat_slice point;
    uint32_t count = 0;
    if (!otlp_metric_of(message, &metric))
        return 0;
    while (otlp_message_next(&metric.data, 1, &point))
        count++;
    return count;
}

static struct leat_slice trace_id_of(enum leat_signal signal, struct leat_slice item)
{
    struct pb_field field;
    if (otlp_get(item, signal == LEAT_TRACES ? 1 : 9, &field))
        return leat_slice_of(field.at, field.len);
    return (struct leat_slice){0};
}

static bool by_trace(const struct kafka_state *kafka)
{
    return (kafka->signal == LEAT_TRACES && kafka->own->traces_by_id) ||
           (kafka->signal == LEAT_LOGS && kafka->own->logs_by_trace_id);
}

static bool by_resource(const struct kafka_state *kafka)
{
    return (kafka->signal == LEAT_LOGS && kafka->own->logs_by_resource) ||
           (kafka->signal == LEAT_METRICS && kafka->own->metrics_by_resource);
}

static leat_rc sort_items(struct kafka_state *kafka, struct otlp_walk *walk, uint32_t items)
{
    struct kafka_groups *groups = kafka->groups;
    struct kafka_group group = {0};
    uint32_t item = 0, index = 0;
    bool traces = by_trace(kafka), resources = by_resource(kafka);
    while (otlp_walk_next(walk)) {
        if (walk->new_resource)
            group = (struct kafka_group){.topic = kafka__topic_of(kafka, walk->resource),
                                         .key = resources ? kafka__key_of_resource(walk->resource) : (struct kafka_key){0}};
        if (traces)
            group.key = kafka__key_of_trace(trace_id_of(kafka->signal, walk->item));
        if ((traces || walk->new_resource) && !find_or_add(groups, &group, &index))
            return LEAT_ENOMEM;
        uint32_t n = kafka->signal == LEAT_METRICS ? points_of(walk->item) : 1;
        if (n > items - item)
            return LEAT_EPARSE;
        while (n--)
            groups->of_item[item++] = index;
    }
    return walk->rc == LEAT_OK && item != items ? LEAT_EPARSE : LEAT_OK;
}

leat_rc kafka__groups_fill(struct kafka_state *kafka, const struct leat_batch *batch, struct leat_err *reterr)
{
    struct otlp_walk walk;
    if (!prepare(kafka, batch->item_count))
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory to sort items by key");
    otlp_walk_open(&walk, batch->signal, &batch->payload);
    leat_rc sorted = sort_items(kafka, &walk, batch->item_count);
    leat_rc rc = otlp_walk_close(&walk, reterr);
    if (rc == LEAT_OK && sorted != LEAT_OK)
        rc = LEAT_RAISE(reterr, sorted, 0, "cannot sort items by key");
    return rc;
}
