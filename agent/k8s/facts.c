/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/facts.h"

#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/k8s/decode.h"
#include "proto/json/json_read.h"

#define IGNORE_KEY "opentelemetry.io/k8s-processor.ignore"
#define IGNORE_KEY_OLD "opentelemetry.io/k8s-processor/ignore"
#define HASH_LABEL "pod-template-hash"

/* Facts on their way: slices point into the JSON or into `room`. */
struct draft {
    struct leat_k8s_facts facts;
    const struct leat_k8s_keep *keep;
    struct json_reader reader;
    char *room; /* for strings with escapes; as long as the JSON */
    size_t room_len, room_used;
    bool no_memory;
    bool owner_controls, in_init;
    struct leat_k8s_pair labels[LEAT_K8S_PAIRS_MAX], annotations[LEAT_K8S_PAIRS_MAX];
    struct leat_k8s_container containers[LEAT_K8S_CONTAINERS_MAX];
    struct { /* of the list element being read */
        struct leat_slice name, image, id, kind, uid;
        int64_t restarts;
        bool controls;
    } part;
};

/* ---- reading JSON by tables of keys ---- */

struct row {
    const char *key;
    bool (*read)(struct draft *d, const struct row *row);
    size_t offset; /* of a slice in the draft */
    const struct row *rows;
};

static bool read_rows(struct draft *d, const struct row *row)
{
    struct json_token token;
    enum json_type type = json_next(&d->reader, &token);
    if (type == JSON_NULL)
        return true;
    if (type != JSON_OBJECT)
        return false;
    while ((type = json_next(&d->reader, &token)) == JSON_KEY) {
        const struct row *hit = row->rows;
        while (hit->key && !json_is(&token, hit->key))
            hit++;
        if (!(hit->key ? hit->read(d, hit) : json_skip(&d->reader)))
            return false;
    }
    return type == JSON_OBJECT_END;
}

static bool take(struct draft *d, const struct json_token *token, struct leat_slice *ret)
{
    if (!token->escaped) {
        *ret = leat_slice_of(token->at, token->len);
        return true;
    }
    if (!d->room && !(d->room = leat_alloc(d->room_len))) {
        d->no_memory = true;
        return false;
    }
    if (token->len > d->room_len - d->room_used)
        return false;
    *ret = leat_slice_of(d->room + d->room_used, json_unescape(token, d->room + d->room_used));
    d->room_used += ret->len;
    return true;
}

static bool read_text(struct draft *d, const struct row *row)
{
    struct json_token token;
    enum json_type type = json_next(&d->reader, &token);
    struct leat_slice *to = (struct leat_slice *)(void *)((char *)d + row->offset);
    return type == JSON_NULL || (type == JSON_STRING && take(d, &token, to));
}

static bool read_bool(struct draft *d, const struct row *row)
{
    struct json_token token;
    enum json_type type = json_next(&d->reader, &token);
    *((bool *)((char *)d + row->offset)) = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE || type == JSON_NULL;
}

static bool read_int(struct draft *d, const struct row *row)
{
    struct json_token token;
    enum json_type type = json_next(&d->reader, &token);
    if (type == JSON_NUMBER && token.integer && token.len < 18)
        *(int64_t *)(void *)((char *)d + row->offset) = strtoll(token.at, NULL, 10);
    return type == JSON_NUMBER || type == JSON_NULL;
}

/* [{...}, {...}]: each into d->part, then `done`. */
static bool read_list(struct draft *d, const struct row *row, bool (*done)(struct draft *d))
{
    struct json_token token;
    enum json_type type = json_next(&d->reader, &token);
    if (type == JSON_NULL)
        return true;
    if (type != JSON_ARRAY)
        return false;
    for (;;) {
        struct json_reader before = d->reader;
        type = json_next(&d->reader, &token);
        if (type == JSON_ARRAY_END)
            return true;
        d->reader = before;
        memset(&d->part, 0, sizeof d->part);
        d->part.restarts = -1;
        if (!read_rows(d, row) || !done(d))
            return false;
    }
}

/* ---- labels and annotations ---- */

static bool read_pairs(struct draft *d, struct leat_k8s_pair *pairs, uint32_t *count)
{
    struct json_token token;
    enum json_type type = json_next(&d->reader, &token);
    if (type == JSON_NULL)
        return true;
    if (type != JSON_OBJECT)
        return false;
    while ((type = json_next(&d->reader, &token)) == JSON_KEY) {
        struct leat_k8s_pair pair = {0};
        if (!take(d, &token, &pair.key) || json_next(&d->reader, &token) != JSON_STRING || !take(d, &token, &pair.value))
            return false;
        if (*count < LEAT_K8S_PAIRS_MAX && pair.value.len <= LEAT_K8S_VALUE_BYTES_MAX)
            pairs[(*count)++] = pair;
        else
            d->facts.cut++;
    }
    return type == JSON_OBJECT_END;
}

static bool read_labels(struct draft *d, const struct row *row)
{
    (void)row;
    return read_pairs(d, d->labels, &d->facts.label_count);
}

static bool read_annotations(struct draft *d, const struct row *row)
{
    (void)row;
    return read_pairs(d, d->annotations, &d->facts.annotation_count);
}

/* ---- owners ---- */

#define AT(member) offsetof(struct draft, member)

static const struct row owner_rows[] = {{"kind", read_text, AT(part.kind), NULL},
                                        {"name", read_text, AT(part.name), NULL},
                                        {"uid", read_text, AT(part.uid), NULL},
                                        {"controller", read_bool, AT(part.controls), NULL},
                                        {0}};

static bool owner_done(struct draft *d)
{
    if (d->facts.owner_name.len && (d->owner_controls || !d->part.controls))
        return true;
    d->facts.owner_kind = d->part.kind;
    d->facts.owner_name = d->part.name;
    d->facts.owner_uid = d->part.uid;
    d->owner_controls = d->part.controls;
    return true;
}

static bool read_owners(struct draft *d, const struct row *row)
{
    (void)row;
    return read_list(d, &(struct row){.rows = owner_rows}, owner_done);
}

/* ---- containers: specs and statuses come in any order ---- */

static struct leat_k8s_container *container_of_name(struct draft *d)
{
    for (uint32_t i = 0; i < d->facts.container_count; i++)
        if (leat_slice_eq(d->containers[i].name, d->part.name))
            return &d->containers[i];
    if (d->facts.container_count == LEAT_K8S_CONTAINERS_MAX) {
        d->facts.cut++;
        return NULL;
    }
    struct leat_k8s_container *container = &d->containers[d->facts.container_count++];
    *container = (struct leat_k8s_container){.name = d->part.name, .restarts = -1};
    return container;
}

static const struct row container_rows[] = {
    {"name", read_text, AT(part.name), NULL}, {"image", read_text, AT(part.image), NULL}, {0}};
static const struct row status_rows[] = {{"name", read_text, AT(part.name), NULL},
                                         {"containerID", read_text, AT(part.id), NULL},
                                         {"restartCount", read_int, AT(part.restarts), NULL},
                                         {0}};

static bool spec_done(struct draft *d)
{
    struct leat_k8s_container *container = container_of_name(d);
    if (container) {
        container->image = d->part.image;
        container->is_init = d->in_init;
    }
    return true;
}

static bool status_done(struct draft *d)
{
    struct leat_k8s_container *container = container_of_name(d);
    if (!container)
        return true;
    const uint8_t *scheme = memmem(d->part.id.at ? d->part.id.at : (const uint8_t *)"", d->part.id.len, "://", 3);
    uint32_t skip = scheme ? (uint32_t)(scheme + 3 - d->part.id.at) : 0;
    container->id = leat_slice_sub(d->part.id, skip, d->part.id.len - skip);
    container->restarts = d->part.restarts;
    return true;
}

static bool read_containers(struct draft *d, const struct row *row)
{
    d->in_init = row->offset;
    return read_list(d, &(struct row){.rows = container_rows}, spec_done);
}

static bool read_statuses(struct draft *d, const struct row *row)
{
    (void)row;
    return read_list(d, &(struct row){.rows = status_rows}, status_done);
}

/* ---- objects ---- */

static const struct row meta_rows[] = {{"name", read_text, AT(facts.name), NULL},
                                       {"namespace", read_text, AT(facts.ns), NULL},
                                       {"uid", read_text, AT(facts.uid), NULL},
                                       {"creationTimestamp", read_text, AT(facts.created), NULL},
                                       {"labels", read_labels, 0, NULL},
                                       {"annotations", read_annotations, 0, NULL},
                                       {"ownerReferences", read_owners, 0, NULL},
                                       {0}};
static const struct row spec_rows[] = {{"nodeName", read_text, AT(facts.node), NULL},
                                       {"hostname", read_text, AT(facts.hostname), NULL},
                                       {"hostNetwork", read_bool, AT(facts.host_network), NULL},
                                       {"containers", read_containers, 0, NULL},
                                       {"initContainers", read_containers, 1, NULL},
                                       {0}};
static const struct row status_part_rows[] = {{"podIP", read_text, AT(facts.ip), NULL},
                                              {"containerStatuses", read_statuses, 0, NULL},
                                              {"initContainerStatuses", read_statuses, 0, NULL},
                                              {0}};
static const struct row object_rows[] = {{"metadata", read_rows, 0, meta_rows}, {0}};
static const struct row pod_rows[] = {{"metadata", read_rows, 0, meta_rows},
                                      {"spec", read_rows, 0, spec_rows},
                                      {"status", read_rows, 0, status_part_rows},
                                      {0}};

/* ---- packing: one block, exactly as large as it must be ---- */

struct pack {
    char *to;
    size_t bytes;
};

static void put(struct pack *pack, struct leat_slice *slice) /* measures while there is no block */
{
    if (pack->to && slice->len)
        memcpy(pack->to + pack->bytes, slice->at, slice->len);
    if (pack->to)
        *slice = leat_slice_of(pack->to + pack->bytes, slice->len);
    pack->bytes += slice->len;
}

static void put_pairs(struct pack *pack, struct leat_k8s_pair *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(pack, &pairs[i].key);
        put(pack, &pairs[i].value);
    }
}

static void put_all(struct pack *pack, struct leat_k8s_facts *f)
{
    struct leat_slice *const texts[] = {&f->uid, &f->ns, &f->name, &f->created, &f->owner_kind, &f->owner_name,
                                        &f->owner_uid, &f->ip, &f->hostname, &f->node};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put(pack, texts[i]);
    put_pairs(pack, f->labels, f->label_count);
    put_pairs(pack, f->annotations, f->annotation_count);
    for (uint32_t i = 0; i < f->container_count; i++) {
        put(pack, &f->containers[i].name);
        put(pack, &f->containers[i].image);
        put(pack, &f->containers[i].id);
    }
}

static struct leat_k8s_facts *pack(struct draft *d)
{
    struct pack measure = {0};
    struct leat_k8s_facts *f = &d->facts;
    f->labels = d->labels;
    f->annotations = d->annotations;
    f->containers = d->containers;
    put_all(&measure, f);
    size_t pairs = (f->label_count + f->annotation_count) * sizeof *f->labels;
    size_t containers = f->container_count * sizeof *f->containers;
    struct leat_k8s_facts *made = leat_alloc(sizeof *made + pairs + containers + measure.bytes);
    if (!made)
        return NULL;
    *made = *f;
    made->refs = 1;
    made->labels = (struct leat_k8s_pair *)(made + 1);
    made->annotations = made->labels + f->label_count;
    made->containers = (struct leat_k8s_container *)(made->annotations + f->annotation_count);
    memcpy(made->labels, d->labels, f->label_count * sizeof *f->labels);
    memcpy(made->annotations, d->annotations, f->annotation_count * sizeof *f->labels);
    memcpy(made->containers, d->containers, containers);
    put_all(&(struct pack){.to = (char *)(made->containers + f->container_count)}, made);
    return made;
}

static bool says_yes(struct leat_slice value)
{
    return leat_slice_ieq(value, LEAT_SLICE("true"));
}

static void settle(struct draft *d)
{
    struct leat_k8s_facts *f = &d->facts;
    f->ignored = says_yes(leat_k8s_pair_get(d->annotations, f->annotation_count, LEAT_SLICE(IGNORE_KEY))) ||
                 says_yes(leat_k8s_pair_get(d->annotations, f->annotation_count, LEAT_SLICE(IGNORE_KEY_OLD)));
    if (!d->keep->annotations)
        f->annotation_count = 0;
    if (d->keep->labels)
        return;
    struct leat_slice hash = leat_k8s_pair_get(d->labels, f->label_count, LEAT_SLICE(HASH_LABEL));
    f->label_count = hash.at ? 1 : 0; /* what tells a Deployment's ReplicaSet from others */
    d->labels[0] = (struct leat_k8s_pair){LEAT_SLICE(HASH_LABEL), hash};
}

leat_rc leat_k8s_facts_read(enum leat_k8s_kind kind, struct leat_slice json, const struct leat_k8s_keep *keep,
                            struct leat_k8s_facts **ret_facts)
{
    struct draft *d = leat_zalloc(1, sizeof *d);
    if (!d)
        return LEAT_ENOMEM;
    struct json_token token;
    d->facts.kind = kind;
    d->keep = keep;
    d->room_len = json.len;
    json_begin(&d->reader, json.at, json.len, DECODE_DEPTH_MAX);
    leat_rc rc = LEAT_OK;
    if (!read_rows(d, &(struct row){.rows = kind == LEAT_K8S_POD ? pod_rows : object_rows}) ||
        json_next(&d->reader, &token) != JSON_END || !d->facts.name.len)
        rc = d->no_memory ? LEAT_ENOMEM : LEAT_EPARSE;
    if (rc == LEAT_OK) {
        settle(d);
        *ret_facts = pack(d);
        rc = *ret_facts ? LEAT_OK : LEAT_ENOMEM;
    }
    leat_free(d->room);
    leat_free(d);
    return rc;
}

/* ---- life ---- */

struct leat_k8s_facts *leat_k8s_facts_ref(struct leat_k8s_facts *facts)
{
    if (facts)
        (void)__atomic_add_fetch(&facts->refs, 1, __ATOMIC_RELAXED);
    return facts;
}

struct leat_k8s_facts *leat_k8s_facts_unref(struct leat_k8s_facts *facts)
{
    if (facts && __atomic_sub_fetch(&facts->refs, 1, __ATOMIC_ACQ_REL) == 0)
        leat_free(facts);
    return NULL;
}

/* ---- questions ---- */

static bool pairs_eq(const struct leat_k8s_pair *a, const struct leat_k8s_pair *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!leat_slice_eq(a[i].key, b[i].key) || !leat_slice_eq(a[i].value, b[i].value))
            return false;
    return true;
}

static bool containers_eq(const struct leat_k8s_container *a, const struct leat_k8s_container *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].restarts != b[i].restarts || !leat_slice_eq(a[i].name, b[i].name) ||
            !leat_slice_eq(a[i].image, b[i].image) || !leat_slice_eq(a[i].id, b[i].id))
            return false;
    return true;
}

bool leat_k8s_facts_eq(const struct leat_k8s_facts *a, const struct leat_k8s_facts *b)
{
    return a->kind == b->kind && a->host_network == b->host_network && a->ignored == b->ignored &&
           a->label_count == b->label_count && a->annotation_count == b->annotation_count &&
           a->container_count == b->container_count && leat_slice_eq(a->uid, b->uid) &&
           leat_slice_eq(a->ns, b->ns) && leat_slice_eq(a->name, b->name) && leat_slice_eq(a->created, b->created) &&
           leat_slice_eq(a->owner_kind, b->owner_kind) && leat_slice_eq(a->owner_name, b->owner_name) &&
           leat_slice_eq(a->owner_uid, b->owner_uid) && leat_slice_eq(a->ip, b->ip) &&
           leat_slice_eq(a->hostname, b->hostname) && leat_slice_eq(a->node, b->node) &&
           pairs_eq(a->labels, b->labels, a->label_count) &&
           pairs_eq(a->annotations, b->annotations, a->annotation_count) &&
           containers_eq(a->containers, b->containers, a->container_count);
}

struct leat_slice leat_k8s_pair_get(const struct leat_k8s_pair *pairs, uint32_t count, struct leat_slice key)
{
    for (uint32_t i = 0; i < count; i++)
        if (leat_slice_eq(pairs[i].key, key))
            return pairs[i].value;
    return (struct leat_slice){0};
}

/* "name-SUFFIX" without the suffix, when all of the suffix is among `alphabet`. */
static struct leat_slice cut_suffix(struct leat_slice name, const char *alphabet, uint32_t min, uint32_t max)
{
    uint32_t dash = name.len;
    while (dash && name.at[dash - 1] != '-')
        dash--;
    uint32_t len = name.len - dash;
    if (dash < 2 || len < min || len > max)
        return (struct leat_slice){0};
    for (uint32_t i = dash; i < name.len; i++)
        if (!memchr(alphabet, name.at[i], strlen(alphabet)))
            return (struct leat_slice){0};
    return leat_slice_sub(name, 0, dash - 1);
}

struct leat_slice leat_k8s_deployment_of(const struct leat_k8s_facts *pod)
{
    struct leat_slice name = pod->owner_name;
    if (!leat_slice_is(pod->owner_kind, "ReplicaSet"))
        return (struct leat_slice){0};
    struct leat_slice hash = leat_k8s_pair_get(pod->labels, pod->label_count, LEAT_SLICE(HASH_LABEL));
    if (!hash.len)
        return cut_suffix(name, "bcdfghjklmnpqrstvwxz2456789", 5, 10); /* the letters such hashes are made of */
    if (name.len < hash.len + 2 || name.at[name.len - hash.len - 1] != '-' ||
        memcmp(name.at + name.len - hash.len, hash.at, hash.len) != 0)
        return (struct leat_slice){0};
    return leat_slice_sub(name, 0, name.len - hash.len - 1);
}

struct leat_slice leat_k8s_cronjob_of(struct leat_slice job_name)
{
    return cut_suffix(job_name, "0123456789", 8, 20);
}

void leat_k8s_image_split(struct leat_slice image, struct leat_slice *ret_name, struct leat_slice *ret_tag)
{
    const uint8_t *digest = image.len ? memchr(image.at, '@', image.len) : NULL;
    uint32_t len = digest ? (uint32_t)(digest - image.at) : image.len, at = len;
    while (at && image.at[at - 1] != ':' && image.at[at - 1] != '/')
        at--;
    bool tagged = at && image.at[at - 1] == ':';
    *ret_name = leat_slice_sub(image, 0, tagged ? at - 1 : len);
    *ret_tag = tagged ? leat_slice_sub(image, at, len - at) : digest || !len ? (struct leat_slice){0} : LEAT_SLICE("latest");
}
