/* SPDX-License-Identifier: Apache-2.0 */
/* k8s_attributes -- what Kubernetes knows of a pod, as resource attributes of its telemetry; private to this folder.
 *
 *   batch -> each resource -> who is it (rules) -> source (what is known, blocks made of it) -> block spliced in
 *                                                 `-> not known yet: the batch waits, and its sources with it
 *
 * Why      the attributes of a pod are encoded once and then put behind its resources by reference.
 * Threads  one state per pipeline and shard; the feed of pods is shared by all (agent/k8s/feed.h).
 * Owns     sources: what was found out about one identity, with its blocks; batches that wait.
 * Limits   SOURCES_MAX identities are remembered; pod_wait_items and pod_wait_bytes may wait, each identity once for
 *          pod_wait_timeout; ATTRIBUTES_MAX attributes a pod. What is over goes on without and is counted.
 * Fails    a payload that is not OTLP is dropped as `cannot_encode`; without memory the batch is kept and tried again. */
#pragma once
#include "agent/base/regex_go.h"
#include "agent/k8s/feed.h"
#include "agent/pipe/doomed.h"
#include "processors/processor.h"
#include "proto/otlp_edit/otlp_append.h"
#include "proto/protobuf/pb_write.h"

#define SOURCES_MAX 16384u
#define K8S_BUCKETS 4096u
#define ATTRIBUTES_MAX 192u
#define K8S_SYSTEM LEAT_K8S_KIND_COUNT /* the namespace kube-system, whose uid is the cluster's */
#define K8S_FACTS (LEAT_K8S_KIND_COUNT + 1)
#define CONTAINER_ATTRIBUTES 4u
#define BLOCKS_MAX 32u       /* of one source: its containers, and which attributes were there already */
#define ASSOCIATION_SOURCES_MAX 4u
#define IDENTITY_BYTES_MAX 2048u
#define RESOURCE_ATTRIBUTES_MAX 128u

enum k8s_attributes_row { K8S_FOUND, K8S_UNKNOWN, K8S_NAMELESS, K8S_WAITED, K8S_GIVEN_UP, K8S_OVERFLOW, K8S_CUT };

/* ---- configuration ---- */

enum k8s_from { K8S_FROM_POD, K8S_FROM_NAMESPACE, K8S_FROM_NODE, K8S_FROM_DEPLOYMENT, K8S_FROM_STATEFULSET,
                K8S_FROM_DAEMONSET, K8S_FROM_JOB }; /* as leat_k8s_kind */
struct k8s_extract_conf {
    const char *tag_name, *key, *key_regex, *regex, *value;
    int from;
};
struct k8s_label_filter_conf {
    const char *key, *value;
    int op;
};
struct k8s_association_source_conf {
    int from; /* 0: connection, 1: resource_attribute */
    const char *name;
};
struct k8s_association_conf {
    struct leat_items sources;
};
struct k8s_exclude_conf {
    const char *name;
};
struct k8s_attributes_conf {
    int auth_type;
    const char *context;
    bool passthrough, wait_for_metadata;
    int64_t wait_for_metadata_timeout_ns, pod_delete_grace_period_ns;
    struct {
        struct leat_strings metadata;
        struct leat_items labels, annotations; /* k8s_extract_conf */
        bool otel_annotations;
    } extract;
    struct {
        const char *node, *node_from_env_var, *namespace;
        struct leat_items labels, fields; /* k8s_label_filter_conf */
    } filter;
    struct leat_items pod_association; /* k8s_association_conf */
    struct {
        struct leat_items pods; /* k8s_exclude_conf */
    } exclude;
    int64_t pod_wait_timeout_ns, pod_wait_items, pod_wait_bytes; /* ours */
};
extern const struct leat_field k8s_attributes_fields[];
extern const struct leat_counter_def k8s_attributes_counters[];
leat_rc k8s_attributes__check(const void *conf, struct leat_err *reterr);
/* The order in which metadata is encoded; the names are k8s_metadata_names. */
enum k8s_metadata { K8S_NAMESPACE_NAME, K8S_POD_NAME, K8S_POD_UID, K8S_POD_HOSTNAME, K8S_POD_IP, K8S_POD_START_TIME,
                    K8S_NODE_NAME, K8S_NODE_UID, K8S_DEPLOYMENT_NAME, K8S_DEPLOYMENT_UID, K8S_REPLICASET_NAME,
                    K8S_REPLICASET_UID, K8S_STATEFULSET_NAME, K8S_STATEFULSET_UID, K8S_DAEMONSET_NAME, K8S_DAEMONSET_UID,
                    K8S_JOB_NAME, K8S_JOB_UID, K8S_CRONJOB_NAME, K8S_CRONJOB_UID, K8S_CLUSTER_UID, K8S_CONTAINER_NAME,
                    K8S_CONTAINER_ID, K8S_IMAGE_NAME, K8S_IMAGE_TAG, K8S_METADATA_COUNT };
extern const char *const k8s_metadata_names[];
#define K8S_WANTS(rules, what) ((rules)->metadata >> (what) & 1)

/* ---- rules: the configuration, compiled (k8s_attributes_rules.c) ---- */

struct k8s_extract {
    enum k8s_from from;
    bool annotation;
    const char *key;          /* borrowed; NULL: by regex */
    struct leat_regex *regex;
    struct leat_template *tag; /* of a regex; NULL: `plain`, or the default prefix and the key */
    const char *plain, *prefix;
};
struct k8s_association {
    uint32_t count;
    struct k8s_source_of {
        enum leat_k8s_by by;
        const char *name; /* of the resource attribute; NULL: the connection */
    } sources[ASSOCIATION_SOURCES_MAX];
};
struct k8s_rules {
    uint64_t metadata; /* bits of k8s_metadata */
    struct k8s_extract *extracts;
    uint32_t extract_count;
    struct k8s_association *associations;
    uint32_t association_count;
    struct leat_regex **excludes;
    uint32_t exclude_count;
    bool otel_annotations;
    uint32_t kinds; /* LEAT_K8S_KIND_BIT: what is looked at beside pods */
};
leat_rc k8s_rules_open(struct k8s_rules *rules, const struct k8s_attributes_conf *conf, struct leat_err *reterr) LEAT_MUST_CHECK;
void k8s_rules_close(struct k8s_rules *rules);
bool k8s_rules_exclude(struct k8s_rules *rules, struct leat_slice pod_name);

/* ---- sources (k8s_attributes_find.c) ---- */

struct k8s_attribute { /* one KeyValue field of a Resource, in its source's bytes */
    uint32_t at, len, key_at, key_len;
};
struct k8s_block { /* made once: for this container and these attributes already there */
    uint64_t there[4];
    int32_t container;
    bool with_id;
    struct leat_slice bytes; /* owns a reference; empty: nothing to add */
};
struct k8s_source {
    struct k8s_source *next; /* in its bucket */
    uint64_t hash;
    uint32_t key_len;
    uint64_t version;      /* of the feed, when it was looked up; 0: never */
    uint64_t wait_until_ns; /* 0: it does not wait for its pod */
    bool waited;
    uint64_t epoch;        /* of k8s_attributes: a batch with it waits */
    struct leat_k8s_facts *facts[K8S_FACTS]; /* by kind; [LEAT_K8S_POD]: NULL when it is not known */
    struct pb_buf bytes;
    struct k8s_attribute *attributes;
    uint32_t attribute_count;
    struct k8s_block blocks[BLOCKS_MAX];
    uint32_t block_count;
    char key[];
};

/* The attributes of one resource, as they are looked at. */
struct k8s_seen {
    struct leat_slice key, text; /* text.at NULL: the value is no string */
    int64_t number;
    uint32_t offset, len;
    bool empty;
};

struct k8s_attributes {
    const struct k8s_attributes_conf *conf;
    struct leat_host *host;
    struct k8s_rules rules;
    struct leat_k8s_feed *feed; /* NULL: passthrough */
    void **feed_slot;
    struct k8s_source **buckets;
    uint32_t source_count;
    /* the resource and batch at hand */
    struct k8s_seen seen[RESOURCE_ATTRIBUTES_MAX];
    uint32_t seen_count;
    const struct leat_batch *batch;
    char connection[64]; /* its peer as text; "": none */
    char identity[IDENTITY_BYTES_MAX];
    struct otlp_flat flat;
    struct leat_slice address_block; /* k8s.pod.ip of the connection alone; owns a reference */
    char address[64];                /* which one that is */
    struct pb_buf scratch;
    /* waiting (k8s_attributes_wait.c) */
    struct leat_list waiting, ready;
    const struct leat_batch *raw; /* in `ready`, but not edited for want of memory */
    uint64_t epoch, nameless_epoch, all_epoch; /* this epoch's marks hold */
    uint64_t kept_items, kept_bytes, began_ns;
    uint64_t results[K8S_NAMELESS + 1]; /* of the batch being looked at: counted when it goes on */
    bool stuck; /* told to come again: the gate will call */
    struct leat_timer tick;
    struct leat_doomed broken;
    struct leat_log_limit said;
};

/* Who the resource is: the source, made when it is new. *ret_source NULL: nobody (or, LEAT_EFULL, no room to remember).
 * *ret_address: the address it was told by, when it is the one data came from; empty: none. */
void k8s_see(struct k8s_attributes *k8s, struct leat_slice resource);
leat_rc k8s_source_of_resource(struct k8s_attributes *k8s, struct k8s_source **ret_source,
                               struct leat_slice *ret_address) LEAT_MUST_CHECK;
leat_rc k8s_source_refresh(struct k8s_attributes *k8s, struct k8s_source *source) LEAT_MUST_CHECK;
void k8s_sources_close(struct k8s_attributes *k8s);
const struct k8s_seen *k8s_seen_get(const struct k8s_attributes *k8s, const char *key);

/* k8s_attributes_block.c */
leat_rc k8s_encode(struct k8s_attributes *k8s, struct k8s_source *source) LEAT_MUST_CHECK; /* its attributes */
leat_rc k8s_block_of(struct k8s_attributes *k8s, struct k8s_source *source, struct otlp_append *ret) LEAT_MUST_CHECK;
leat_rc k8s_address_block(struct k8s_attributes *k8s, struct leat_slice address, struct otlp_append *ret) LEAT_MUST_CHECK;
void k8s_blocks_drop(struct k8s_source *source);

/* k8s_attributes_wait.c */
leat_rc k8s_attributes__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                             struct leat_err *reterr);
leat_rc k8s_attributes__admit(void *state, const struct leat_batch *batch);
struct leat_batch *k8s_attributes__process(void *state, struct leat_batch *batch);
bool k8s_attributes__flush(void *state);
uint64_t k8s_attributes__held(const void *state);
void k8s_attributes__dump(const void *state, struct leat_strbuf *out);
void k8s_attributes__close(void *state);
/* Tests: instead of opening one. The state takes a reference. */
void k8s_attributes__use(struct k8s_attributes *k8s, struct leat_k8s_feed *feed);
