/* SPDX-License-Identifier: Apache-2.0 */
/* facts -- what is kept of a Kubernetes object: names, labels, annotations, owner; of a pod also addresses and containers.
 *
 * Why      an object is kilobytes of JSON, of which metadata needs a few hundred bytes.
 * Threads  immutable once made, references counted atomically: any shard.
 * Owns     one block for everything; a reference belongs to whoever holds it.
 * Limits   LEAT_K8S_* below; what is over them is left out (`cut` says how much).
 * Fails    LEAT_EPARSE: not such an object; LEAT_ENOMEM. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

#define LEAT_K8S_PAIRS_MAX 256u      /* labels, and annotations */
#define LEAT_K8S_VALUE_BYTES_MAX 4096u
#define LEAT_K8S_CONTAINERS_MAX 64u

enum leat_k8s_kind { LEAT_K8S_POD, LEAT_K8S_NAMESPACE, LEAT_K8S_NODE, LEAT_K8S_DEPLOYMENT, LEAT_K8S_STATEFULSET,
                     LEAT_K8S_DAEMONSET, LEAT_K8S_JOB, LEAT_K8S_KIND_COUNT };
#define LEAT_K8S_KIND_BIT(kind) (1u << (kind))

struct leat_k8s_pair {
    struct leat_slice key, value;
};
struct leat_k8s_container {
    struct leat_slice name, image, id; /* id: without "containerd://"; of the run `restarts` */
    int64_t restarts;                  /* -1: it has no status yet */
    bool is_init;
};
struct leat_k8s_facts {
    uint32_t refs; /* atomic */
    enum leat_k8s_kind kind;
    struct leat_slice uid, ns, name, created; /* created: RFC 3339 */
    struct leat_slice owner_kind, owner_name, owner_uid; /* the controlling one, else the first */
    struct leat_k8s_pair *labels, *annotations;
    uint32_t label_count, annotation_count, container_count, cut;
    /* pods */
    struct leat_slice ip, hostname, node;
    bool host_network, ignored;
    struct leat_k8s_container *containers;
};

struct leat_k8s_keep { /* what there is use for */
    bool labels, annotations;
};
leat_rc leat_k8s_facts_read(enum leat_k8s_kind kind, struct leat_slice json, const struct leat_k8s_keep *keep,
                            struct leat_k8s_facts **ret_facts) LEAT_MUST_CHECK;
struct leat_k8s_facts *leat_k8s_facts_ref(struct leat_k8s_facts *facts);
struct leat_k8s_facts *leat_k8s_facts_unref(struct leat_k8s_facts *facts); /* always NULL */
bool leat_k8s_facts_eq(const struct leat_k8s_facts *a, const struct leat_k8s_facts *b);
struct leat_slice leat_k8s_pair_get(const struct leat_k8s_pair *pairs, uint32_t count, struct leat_slice key); /* at NULL: none */

/* The name of the Deployment behind a ReplicaSet's pods, and of the CronJob behind a Job; empty: none. */
struct leat_slice leat_k8s_deployment_of(const struct leat_k8s_facts *pod);
struct leat_slice leat_k8s_cronjob_of(struct leat_slice job_name);
/* "registry:5000/team/app:1.2@sha256:..." -> "registry:5000/team/app", "1.2"; without tag and digest the tag is "latest". */
void leat_k8s_image_split(struct leat_slice image, struct leat_slice *ret_name, struct leat_slice *ret_tag);
