/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a pod as attributes, and these as blocks of bytes that are put behind resources. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "processors/k8s_attributes/k8s_attributes.h"

#define ATTRIBUTE_TAG PB_TAG(1, PB_LEN)
#define OTEL_PREFIX "resource.opentelemetry.io/"
#define NAME_BYTES_MAX 1024u

void k8s_blocks_drop(struct k8s_source *source)
{
    for (uint32_t i = 0; i < source->block_count; i++)
        leat_mem_unref(source->blocks[i].bytes.mem);
    source->block_count = 0;
    leat_free(source->attributes);
    source->attributes = NULL;
    source->attribute_count = 0;
    pb_buf_done(&source->bytes);
}

/* ---- one attribute ---- */

static void put_attribute(struct pb_buf *buf, struct leat_slice key, struct leat_slice value, uint32_t *ret_key_at)
{
    uint64_t any = 1 + pb_varint_size(value.len) + value.len;
    uint64_t pair = 1 + pb_varint_size(key.len) + key.len + 1 + pb_varint_size(any) + any;
    if (!pb_buf_room(buf, pair + 32))
        return;
    uint8_t *at = buf->at + buf->len;
    at = pb_put_varint(pb_put_varint(at, ATTRIBUTE_TAG), pair);
    at = pb_put_varint(pb_put_varint(at, PB_TAG(1, PB_LEN)), key.len);
    *ret_key_at = (uint32_t)(at - buf->at);
    memcpy(at, key.at, key.len);
    at = pb_put_varint(pb_put_varint(at + key.len, PB_TAG(2, PB_LEN)), any);
    at = pb_put_bytes(at, PB_TAG(1, PB_LEN), value.at, value.len);
    buf->len = (size_t)(at - buf->at);
}

static struct leat_slice key_of(const struct k8s_source *source, uint32_t i)
{
    return leat_slice_of(source->bytes.at + source->attributes[i].key_at, source->attributes[i].key_len);
}

/* The first to name an attribute wins, as when they are set one after the other. */
static void add(struct k8s_attributes *k8s, struct k8s_source *source, struct leat_slice key, struct leat_slice value)
{
    if (!key.len)
        return;
    for (uint32_t i = 0; i < source->attribute_count; i++)
        if (leat_slice_eq(key_of(source, i), key))
            return;
    if (source->attribute_count == ATTRIBUTES_MAX) {
        leat_host_count(k8s->host, K8S_CUT, 1);
        return;
    }
    struct k8s_attribute *attribute = &source->attributes[source->attribute_count];
    attribute->at = (uint32_t)source->bytes.len;
    attribute->key_len = key.len;
    put_attribute(&source->bytes, key, value, &attribute->key_at);
    attribute->len = (uint32_t)source->bytes.len - attribute->at;
    if (!source->bytes.failed)
        source->attribute_count++;
}

static void add_metadata(struct k8s_attributes *k8s, struct k8s_source *source, enum k8s_metadata what,
                         struct leat_slice value)
{
    if (value.len && K8S_WANTS(&k8s->rules, what))
        add(k8s, source, leat_slice_str(k8s_metadata_names[what]), value);
}

/* ---- what is known of a pod ---- */

static struct leat_slice uid_of(const struct leat_k8s_facts *facts)
{
    return facts ? facts->uid : (struct leat_slice){0};
}

static void add_owner(struct k8s_attributes *k8s, struct k8s_source *source, const struct leat_k8s_facts *pod)
{
    static const struct {
        const char *kind;
        enum k8s_metadata name, uid;
    } owners[] = {{"ReplicaSet", K8S_REPLICASET_NAME, K8S_REPLICASET_UID},
                  {"StatefulSet", K8S_STATEFULSET_NAME, K8S_STATEFULSET_UID},
                  {"DaemonSet", K8S_DAEMONSET_NAME, K8S_DAEMONSET_UID},
                  {"Job", K8S_JOB_NAME, K8S_JOB_UID}};
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
        if (leat_slice_is(pod->owner_kind, owners[i].kind)) {
            add_metadata(k8s, source, owners[i].name, pod->owner_name);
            add_metadata(k8s, source, owners[i].uid, pod->owner_uid);
        }
    struct leat_slice deployment = leat_k8s_deployment_of(pod);
    add_metadata(k8s, source, K8S_DEPLOYMENT_NAME, deployment);
    if (deployment.len)
        add_metadata(k8s, source, K8S_DEPLOYMENT_UID, uid_of(source->facts[LEAT_K8S_DEPLOYMENT]));
    if (!leat_slice_is(pod->owner_kind, "Job"))
        return;
    const struct leat_k8s_facts *job = source->facts[LEAT_K8S_JOB];
    bool by_job = job && leat_slice_is(job->owner_kind, "CronJob");
    add_metadata(k8s, source, K8S_CRONJOB_NAME, by_job ? job->owner_name : leat_k8s_cronjob_of(pod->owner_name));
    if (by_job)
        add_metadata(k8s, source, K8S_CRONJOB_UID, job->owner_uid);
}

static void add_names(struct k8s_attributes *k8s, struct k8s_source *source, const struct leat_k8s_facts *pod)
{
    add_metadata(k8s, source, K8S_NAMESPACE_NAME, pod->ns);
    add_metadata(k8s, source, K8S_POD_NAME, pod->name);
    add_metadata(k8s, source, K8S_POD_UID, pod->uid);
    add_metadata(k8s, source, K8S_POD_HOSTNAME, pod->hostname);
    add_metadata(k8s, source, K8S_POD_IP, pod->ip);
    add_metadata(k8s, source, K8S_POD_START_TIME, pod->created);
    add_metadata(k8s, source, K8S_NODE_NAME, pod->node);
    add_metadata(k8s, source, K8S_NODE_UID, uid_of(source->facts[LEAT_K8S_NODE]));
    add_metadata(k8s, source, K8S_CLUSTER_UID, uid_of(source->facts[K8S_SYSTEM]));
}

/* ---- labels and annotations ---- */

static void add_extract(struct k8s_attributes *k8s, struct k8s_source *source, const struct k8s_extract *extract,
                        const struct leat_k8s_pair *pair)
{
    char name[NAME_BYTES_MAX];
    int len;
    if (extract->regex ? !leat_regex_find(extract->regex, pair->key) : !leat_slice_is(pair->key, extract->key))
        return;
    if (extract->tag) {
        uint32_t need = leat_template_expand(extract->tag, extract->regex, pair->key, NULL);
        len = need < sizeof name ? (int)leat_template_expand(extract->tag, extract->regex, pair->key, name) : -1;
    } else if (extract->plain) {
        len = snprintf(name, sizeof name, "%s", extract->plain);
    } else {
        len = snprintf(name, sizeof name, "%s%.*s", extract->prefix, LEAT_SLICE_ARGS(pair->key));
    }
    if (len > 0 && (size_t)len < sizeof name)
        add(k8s, source, leat_slice_of(name, (uint32_t)len), pair->value);
    else
        leat_host_count(k8s->host, K8S_CUT, 1);
}

static void add_extracts(struct k8s_attributes *k8s, struct k8s_source *source)
{
    for (uint32_t i = 0; i < k8s->rules.extract_count; i++) {
        const struct k8s_extract *extract = &k8s->rules.extracts[i];
        const struct leat_k8s_facts *of = source->facts[extract->from];
        if (!of)
            continue;
        const struct leat_k8s_pair *pairs = extract->annotation ? of->annotations : of->labels;
        uint32_t count = extract->annotation ? of->annotation_count : of->label_count;
        for (uint32_t p = 0; p < count; p++)
            add_extract(k8s, source, extract, &pairs[p]);
    }
}

static void add_otel(struct k8s_attributes *k8s, struct k8s_source *source, const struct leat_k8s_facts *pod)
{
    uint32_t skip = (uint32_t)strlen(OTEL_PREFIX);
    for (uint32_t i = 0; i < pod->annotation_count; i++) {
        struct leat_slice key = pod->annotations[i].key;
        if (key.len > skip && memcmp(key.at, OTEL_PREFIX, skip) == 0)
            add(k8s, source, leat_slice_sub(key, skip, key.len - skip), pod->annotations[i].value);
    }
}

/* The address data came from, when the pod is told by it. */
static void add_address(struct k8s_attributes *k8s, struct k8s_source *source)
{
    const struct k8s_association *rule = &k8s->rules.associations[(uint8_t)source->key[0]];
    uint32_t at = 1, len;
    for (uint32_t i = 0; i < rule->count; i++, at += len + (uint32_t)sizeof len) {
        memcpy(&len, source->key + at, sizeof len);
        if (rule->sources[i].by == LEAT_K8S_BY_CONNECTION)
            add(k8s, source, LEAT_SLICE("k8s.pod.ip"), leat_slice_of(source->key + at + sizeof len, len));
    }
}

leat_rc k8s_encode(struct k8s_attributes *k8s, struct k8s_source *source)
{
    const struct leat_k8s_facts *pod = source->facts[LEAT_K8S_POD];
    if (pod->ignored || k8s_rules_exclude(&k8s->rules, pod->name))
        return LEAT_OK; /* known, and left alone */
    source->attributes = leat_zalloc(ATTRIBUTES_MAX, sizeof *source->attributes);
    if (!source->attributes)
        return LEAT_ENOMEM;
    add_address(k8s, source);
    if (k8s->rules.otel_annotations)
        add_otel(k8s, source, pod);
    add_names(k8s, source, pod);
    add_owner(k8s, source, pod);
    add_extracts(k8s, source);
    leat_host_count(k8s->host, K8S_CUT, pod->cut);
    if (source->bytes.failed)
        return LEAT_ENOMEM;
    struct k8s_attribute *fit = leat_realloc(source->attributes, (source->attribute_count + 1) * sizeof *fit);
    source->attributes = fit ? fit : source->attributes;
    return LEAT_OK;
}

/* ---- containers ---- */

static int32_t container_of(const struct k8s_attributes *k8s, const struct leat_k8s_facts *pod)
{
    const struct k8s_seen *name = k8s_seen_get(k8s, "k8s.container.name"), *id = k8s_seen_get(k8s, "container.id");
    int32_t only = -1, mains = 0;
    bool by_name = name && name->text.len, by_id = !by_name && id && id->text.len;
    for (uint32_t i = 0; i < pod->container_count; i++) {
        const struct leat_k8s_container *c = &pod->containers[i];
        if ((by_name && leat_slice_eq(c->name, name->text)) || (by_id && leat_slice_eq(c->id, id->text)))
            return (int32_t)i;
        mains += !c->is_init;
        only = c->is_init ? only : (int32_t)i;
    }
    return !by_name && !by_id && mains == 1 ? only : -1;
}

/* The id is that of the run with this restart count, or of the one that is known when none is named. */
static bool is_this_run(const struct k8s_attributes *k8s, const struct leat_k8s_container *container)
{
    const struct k8s_seen *count = k8s_seen_get(k8s, "k8s.container.restart_count");
    if (!count)
        return true;
    int64_t restarts = count->number;
    for (uint32_t i = 0; i < count->text.len && i < 10; i++) { /* log paths give it as text */
        if (count->text.at[i] < '0' || count->text.at[i] > '9')
            return false;
        restarts = (i ? restarts * 10 : 0) + count->text.at[i] - '0';
    }
    return restarts == container->restarts;
}

struct extra { /* attributes of the container */
    enum k8s_metadata what;
    struct leat_slice value;
};

static uint32_t extras_of(const struct k8s_attributes *k8s, const struct leat_k8s_facts *pod, int32_t container, bool with_id,
                          struct extra extras[CONTAINER_ATTRIBUTES])
{
    struct leat_slice image, tag;
    uint32_t count = 0;
    if (container < 0)
        return 0;
    const struct leat_k8s_container *c = &pod->containers[container];
    leat_k8s_image_split(c->image, &image, &tag);
    const struct extra all[] = {{K8S_CONTAINER_NAME, c->name},
                                {K8S_IMAGE_NAME, image},
                                {K8S_IMAGE_TAG, tag},
                                {K8S_CONTAINER_ID, with_id ? c->id : (struct leat_slice){0}}};
    for (uint32_t i = 0; i < CONTAINER_ATTRIBUTES; i++)
        if (K8S_WANTS(&k8s->rules, all[i].what) && all[i].value.len)
            extras[count++] = all[i];
    return count;
}

/* ---- blocks ---- */

/* Is an attribute of this name there? An empty one is cut out: it gives way. */
static bool is_there(const struct k8s_attributes *k8s, struct leat_slice key, struct otlp_append *ret)
{
    for (uint32_t i = 0; i < k8s->seen_count; i++) {
        const struct k8s_seen *seen = &k8s->seen[i];
        if (!leat_slice_eq(seen->key, key))
            continue;
        if (!seen->empty || ret->cut_count == OTLP_CUTS_MAX)
            return true;
        uint32_t at = ret->cut_count++;
        for (; at && ret->cuts[at - 1].offset > seen->offset; at--)
            ret->cuts[at] = ret->cuts[at - 1];
        ret->cuts[at] = (struct otlp_cut){seen->offset, seen->len};
        return false;
    }
    return false;
}

static leat_rc block_bytes(const struct pb_buf *buf, struct leat_slice *ret)
{
    uint8_t *at;
    *ret = (struct leat_slice){0};
    if (!buf->len)
        return LEAT_OK;
    struct leat_mem *mem = leat_mem_new((uint32_t)buf->len);
    if (!mem)
        return LEAT_ENOMEM;
    at = mem->at;
    memcpy(at, buf->at, buf->len);
    *ret = (struct leat_slice){at, (uint32_t)buf->len, mem};
    return LEAT_OK;
}

static leat_rc block_new(struct k8s_attributes *k8s, struct k8s_source *source, const struct k8s_block *wanted,
                         const struct extra *extras, uint32_t extra_count, struct k8s_block **ret_block)
{
    uint32_t key_at;
    if (source->block_count == BLOCKS_MAX) {
        for (uint32_t i = 0; i < BLOCKS_MAX; i++)
            leat_mem_unref(source->blocks[i].bytes.mem);
        source->block_count = 0;
    }
    k8s->scratch.len = 0;
    k8s->scratch.failed = false;
    for (uint32_t i = 0; i < source->attribute_count; i++)
        if (!leat_bitmap_get((const uint8_t *)wanted->there, i))
            pb_buf_raw(&k8s->scratch, source->bytes.at + source->attributes[i].at, source->attributes[i].len);
    for (uint32_t i = 0; i < extra_count; i++)
        if (!leat_bitmap_get((const uint8_t *)wanted->there, ATTRIBUTES_MAX + i))
            put_attribute(&k8s->scratch, leat_slice_str(k8s_metadata_names[extras[i].what]), extras[i].value, &key_at);
    struct k8s_block made = *wanted;
    leat_rc rc = k8s->scratch.failed ? LEAT_ENOMEM : block_bytes(&k8s->scratch, &made.bytes);
    if (rc != LEAT_OK)
        return rc;
    source->blocks[source->block_count] = made;
    *ret_block = &source->blocks[source->block_count++];
    return LEAT_OK;
}

leat_rc k8s_block_of(struct k8s_attributes *k8s, struct k8s_source *source, struct otlp_append *ret)
{
    const struct leat_k8s_facts *pod = source->facts[LEAT_K8S_POD];
    struct extra extras[CONTAINER_ATTRIBUTES];
    struct k8s_block wanted = {.container = container_of(k8s, pod)}, *block = NULL;
    if (!source->attributes)
        return LEAT_OK; /* left alone */
    wanted.with_id = wanted.container >= 0 && is_this_run(k8s, &pod->containers[wanted.container]);
    uint32_t extra_count = extras_of(k8s, pod, wanted.container, wanted.with_id, extras);
    for (uint32_t i = 0; i < source->attribute_count; i++)
        if (is_there(k8s, key_of(source, i), ret))
            leat_bitmap_set((uint8_t *)wanted.there, i);
    for (uint32_t i = 0; i < extra_count; i++)
        if (is_there(k8s, leat_slice_str(k8s_metadata_names[extras[i].what]), ret))
            leat_bitmap_set((uint8_t *)wanted.there, ATTRIBUTES_MAX + i);
    for (uint32_t i = 0; i < source->block_count && !block; i++)
        if (source->blocks[i].container == wanted.container && source->blocks[i].with_id == wanted.with_id &&
            memcmp(source->blocks[i].there, wanted.there, sizeof wanted.there) == 0)
            block = &source->blocks[i];
    leat_rc rc = block ? LEAT_OK : block_new(k8s, source, &wanted, extras, extra_count, &block);
    if (rc == LEAT_OK)
        ret->block = block->bytes;
    return rc;
}

/* Passthrough, and an address of nobody that is known: the address itself. */
leat_rc k8s_address_block(struct k8s_attributes *k8s, struct leat_slice address, struct otlp_append *ret)
{
    uint32_t key_at;
    if (!address.len || address.len >= sizeof k8s->address || is_there(k8s, LEAT_SLICE("k8s.pod.ip"), ret))
        return LEAT_OK;
    if (!leat_slice_is(address, k8s->address)) {
        struct leat_slice made;
        k8s->scratch.len = 0;
        k8s->scratch.failed = false;
        put_attribute(&k8s->scratch, LEAT_SLICE("k8s.pod.ip"), address, &key_at);
        leat_rc rc = k8s->scratch.failed ? LEAT_ENOMEM : block_bytes(&k8s->scratch, &made);
        if (rc != LEAT_OK)
            return rc;
        leat_mem_unref(k8s->address_block.mem);
        k8s->address_block = made;
        memcpy(k8s->address, address.at, address.len);
        k8s->address[address.len] = 0;
    }
    ret->block = k8s->address_block;
    return LEAT_OK;
}
