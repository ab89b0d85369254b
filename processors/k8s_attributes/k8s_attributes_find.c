/* SPDX-License-Identifier: Apache-2.0 */
/* Who a resource is, and what is known about it. */
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "processors/k8s_attributes/k8s_attributes.h"

/* ---- the attributes of a resource ---- */

static void see_value(struct k8s_seen *seen, struct pb_field value)
{
    struct pb_flat any = pb_sub(&value);
    struct pb_field field;
    seen->empty = true;
    while (pb_next(&any, &field) == 1) {
        seen->empty = field.number == 1 && field.len == 0;
        if (field.number == 1 && field.wire == PB_LEN)
            seen->text = leat_slice_of(field.at, field.len);
        else if (field.number == 3 && field.wire == PB_VARINT)
            seen->number = (int64_t)field.value;
    }
}

void k8s_see(struct k8s_attributes *k8s, struct leat_slice resource)
{
    struct pb_flat message = pb_flat_of(resource.at, resource.len);
    struct pb_field pair, field;
    k8s->seen_count = 0;
    while (k8s->seen_count < RESOURCE_ATTRIBUTES_MAX && pb_next(&message, &pair) == 1) {
        if (pair.number != 1 || pair.wire != PB_LEN)
            continue;
        struct k8s_seen *seen = &k8s->seen[k8s->seen_count++];
        struct pb_flat inside = pb_sub(&pair);
        *seen = (struct k8s_seen){.number = -1, .empty = true, .offset = (uint32_t)(pair.tag - resource.at),
                                  .len = (uint32_t)(message.at - pair.tag)};
        while (pb_next(&inside, &field) == 1) {
            if (field.number == 1 && field.wire == PB_LEN)
                seen->key = leat_slice_of(field.at, field.len);
            else if (field.number == 2 && field.wire == PB_LEN)
                see_value(seen, field);
        }
    }
}

const struct k8s_seen *k8s_seen_get(const struct k8s_attributes *k8s, const char *key)
{
    size_t len = strlen(key);
    for (uint32_t i = 0; i < k8s->seen_count; i++)
        if (k8s->seen[i].key.len == len && memcmp(k8s->seen[i].key.at, key, len) == 0)
            return &k8s->seen[i];
    return NULL;
}

/* ---- identity ---- */

static bool is_address(struct leat_slice text)
{
    bool dots = false;
    for (uint32_t i = 0; i < text.len; i++) {
        char c = (char)text.at[i];
        if (c == '.' || c == ':')
            dots = true;
        else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return dots;
}

/* What this source says of the resource at hand; empty: nothing. */
static struct leat_slice said(const struct k8s_attributes *k8s, const struct k8s_source_of *source)
{
    if (!source->name)
        return leat_slice_str(k8s->connection);
    const struct k8s_seen *seen = k8s_seen_get(k8s, source->name);
    struct leat_slice text = seen && seen->text.at ? seen->text : (struct leat_slice){0};
    if (strcmp(source->name, "host.name") == 0 && !is_address(text))
        return (struct leat_slice){0};
    return text;
}

static bool put_part(char *room, uint32_t *len, struct leat_slice text)
{
    if (*len + text.len + sizeof text.len > IDENTITY_BYTES_MAX)
        return false;
    memcpy(room + *len, &text.len, sizeof text.len);
    memcpy(room + *len + sizeof text.len, text.at, text.len);
    *len += text.len + (uint32_t)sizeof text.len;
    return true;
}

/* [rule][length, value]...: the first rule all of whose sources say something. 0: none. */
static uint32_t identify(struct k8s_attributes *k8s)
{
    for (uint32_t i = 0; i < k8s->rules.association_count; i++) {
        const struct k8s_association *rule = &k8s->rules.associations[i];
        uint32_t len = 1, n = 0;
        k8s->identity[0] = (char)i;
        for (; n < rule->count; n++) {
            struct leat_slice text = said(k8s, &rule->sources[n]);
            if (!text.len || !put_part(k8s->identity, &len, text))
                break;
        }
        if (n == rule->count)
            return len;
    }
    return 0;
}

/* ---- sources ---- */

static void source_free(struct k8s_source *source)
{
    k8s_blocks_drop(source);
    for (int kind = 0; kind < K8S_FACTS; kind++)
        leat_k8s_facts_unref(source->facts[kind]);
    leat_free(source);
}

static struct k8s_source **bucket_of(const struct k8s_attributes *k8s, uint64_t hash)
{
    return &k8s->buckets[hash % K8S_BUCKETS];
}

/* Those that no waiting batch needs: what is needed again is found again. */
static void forget(struct k8s_attributes *k8s)
{
    uint64_t now = leat_loop_now_ns(k8s->host->loop);
    for (uint32_t i = 0; i < K8S_BUCKETS; i++)
        for (struct k8s_source **at = &k8s->buckets[i]; *at;) {
            struct k8s_source *source = *at;
            if (source->epoch == k8s->epoch || source->wait_until_ns > now) {
                at = &source->next;
                continue;
            }
            *at = source->next;
            k8s->source_count--;
            source_free(source);
        }
}

static leat_rc source_new(struct k8s_attributes *k8s, uint64_t hash, uint32_t len, struct k8s_source **ret_source)
{
    if (k8s->source_count >= SOURCES_MAX)
        forget(k8s);
    if (k8s->source_count >= SOURCES_MAX)
        return LEAT_EFULL;
    struct k8s_source *source = leat_zalloc(1, sizeof *source + len);
    if (!source)
        return LEAT_ENOMEM;
    source->hash = hash;
    source->key_len = len;
    memcpy(source->key, k8s->identity, len);
    struct k8s_source **bucket = bucket_of(k8s, hash);
    source->next = *bucket;
    *bucket = source;
    k8s->source_count++;
    *ret_source = source;
    return LEAT_OK;
}

leat_rc k8s_source_of_resource(struct k8s_attributes *k8s, struct k8s_source **ret_source, struct leat_slice *ret_address)
{
    *ret_source = NULL;
    *ret_address = (struct leat_slice){0};
    uint32_t len = identify(k8s);
    if (!len)
        return LEAT_OK;
    const struct k8s_association *rule = &k8s->rules.associations[(uint8_t)k8s->identity[0]];
    for (uint32_t i = 0; i < rule->count; i++)
        if (rule->sources[i].by == LEAT_K8S_BY_CONNECTION)
            *ret_address = said(k8s, &rule->sources[i]);
    if (!k8s->feed)
        return LEAT_OK;
    if (!k8s->buckets && !(k8s->buckets = leat_zalloc(K8S_BUCKETS, sizeof *k8s->buckets)))
        return LEAT_ENOMEM;
    uint64_t hash = XXH3_64bits(k8s->identity, len);
    for (struct k8s_source *source = *bucket_of(k8s, hash); source; source = source->next)
        if (source->hash == hash && source->key_len == len && memcmp(source->key, k8s->identity, len) == 0) {
            *ret_source = source;
            return LEAT_OK;
        }
    return source_new(k8s, hash, len, ret_source);
}

void k8s_sources_close(struct k8s_attributes *k8s)
{
    for (uint32_t i = 0; k8s->buckets && i < K8S_BUCKETS; i++)
        for (struct k8s_source *source; (source = k8s->buckets[i]);) {
            k8s->buckets[i] = source->next;
            source_free(source);
        }
    leat_free(k8s->buckets);
    k8s->buckets = NULL;
    k8s->source_count = 0;
}

/* ---- looking up ---- */

static struct leat_k8s_facts *find_pod(struct k8s_attributes *k8s, const struct k8s_source *source)
{
    const struct k8s_association *rule = &k8s->rules.associations[(uint8_t)source->key[0]];
    struct leat_k8s_match matches[ASSOCIATION_SOURCES_MAX];
    uint32_t at = 1;
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t len;
        memcpy(&len, source->key + at, sizeof len);
        matches[i] = (struct leat_k8s_match){rule->sources[i].by, leat_slice_of(source->key + at + sizeof len, len)};
        at += len + (uint32_t)sizeof len;
    }
    return leat_k8s_feed_find(k8s->feed, matches, rule->count);
}

static struct leat_slice related_name(const struct k8s_attributes *k8s, const struct leat_k8s_facts *pod,
                                      enum leat_k8s_kind kind)
{
    static const char *const owners[] = {[LEAT_K8S_STATEFULSET] = "StatefulSet", [LEAT_K8S_DAEMONSET] = "DaemonSet",
                                         [LEAT_K8S_JOB] = "Job"};
    if (!(k8s->rules.kinds & LEAT_K8S_KIND_BIT(kind)))
        return (struct leat_slice){0};
    switch (kind) {
    case LEAT_K8S_NAMESPACE:
        return pod->ns;
    case LEAT_K8S_NODE:
        return pod->node;
    case LEAT_K8S_DEPLOYMENT:
        return leat_k8s_deployment_of(pod);
    default:
        return leat_slice_is(pod->owner_kind, owners[kind]) ? pod->owner_name : (struct leat_slice){0};
    }
}

static void look_up(struct k8s_attributes *k8s, const struct k8s_source *source,
                    struct leat_k8s_facts *facts[K8S_FACTS])
{
    struct leat_k8s_facts *pod = facts[LEAT_K8S_POD] = find_pod(k8s, source);
    for (int kind = LEAT_K8S_NAMESPACE; kind < LEAT_K8S_KIND_COUNT; kind++) {
        struct leat_slice name = pod ? related_name(k8s, pod, (enum leat_k8s_kind)kind) : (struct leat_slice){0};
        bool wide = kind == LEAT_K8S_NAMESPACE || kind == LEAT_K8S_NODE;
        facts[kind] = name.len ? leat_k8s_feed_object(k8s->feed, (enum leat_k8s_kind)kind,
                                                      wide ? (struct leat_slice){0} : pod->ns, name)
                               : NULL;
    }
    bool wants_system = pod && K8S_WANTS(&k8s->rules, K8S_CLUSTER_UID);
    facts[K8S_SYSTEM] = wants_system ? leat_k8s_feed_object(k8s->feed, LEAT_K8S_NAMESPACE, (struct leat_slice){0},
                                                            LEAT_SLICE("kube-system"))
                                     : NULL;
}

/* As the feed has it now; what was made of the same facts stays. */
leat_rc k8s_source_refresh(struct k8s_attributes *k8s, struct k8s_source *source)
{
    struct leat_k8s_facts *facts[K8S_FACTS];
    uint64_t version = leat_k8s_feed_version(k8s->feed) + 1; /* so that 0 is never */
    if (source->version == version)
        return LEAT_OK;
    look_up(k8s, source, facts);
    bool same = source->version != 0;
    for (int kind = 0; kind < K8S_FACTS; kind++) {
        same &= facts[kind] == source->facts[kind];
        leat_k8s_facts_unref(source->facts[kind]);
        source->facts[kind] = facts[kind];
    }
    source->version = version;
    if (same)
        return LEAT_OK;
    k8s_blocks_drop(source);
    leat_rc rc = facts[LEAT_K8S_POD] ? k8s_encode(k8s, source) : LEAT_OK;
    if (rc != LEAT_OK) {
        k8s_blocks_drop(source);
        source->version = 0; /* once more */
    }
    return rc;
}
