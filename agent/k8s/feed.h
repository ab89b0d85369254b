/* SPDX-License-Identifier: Apache-2.0 */
/* feed -- pods and what stands around them (namespaces, nodes, owners), watched once and looked up from every shard.
 *
 * Why      one set of watches for all pipelines and shards that want the same: the API server and the memory are spared.
 * Threads  watches live on the loop it was opened on (shard 0). _find, _object, _version: any thread. A look-up takes a lock for
 *          some hundred nanoseconds; callers keep what they found while _version stays the same, so that batches take none.
 * Owns     answers are references for the caller. The feed counts its holders: _ref before threads start, _close by each.
 * Limits   the watches' limits; deleted pods are kept for `grace_ns`, at most LEAT_K8S_DELETED_MAX of them.
 * Fails    open: LEAT_ECONFIG, LEAT_ENOMEM. Afterwards as agent/k8s/watch.h: what is known stays. */
#pragma once
#include "agent/base/strbuf.h"
#include "agent/k8s/facts.h"
#include "agent/k8s/watch.h"

#define LEAT_K8S_DELETED_MAX 20000u

struct leat_k8s_feed_conf {
    struct leat_k8s_client_conf client;
    const char *node;                            /* pods of this node only, and this node; NULL or "": all */
    const char *namespace;                       /* pods of this namespace only; NULL or "": all */
    const char *label_selector, *field_selector; /* of pods */
    struct leat_k8s_keep keep;
    uint32_t kinds; /* LEAT_K8S_KIND_BIT; pods are always there */
    uint64_t grace_ns;
    const char *who;
};
struct leat_k8s_feed;

/* Equal texts: one feed will do. */
void leat_k8s_feed_key(const struct leat_k8s_feed_conf *conf, struct leat_strbuf *out);
leat_rc leat_k8s_feed_open(struct leat_loop *loop, const struct leat_k8s_feed_conf *conf, struct leat_k8s_feed **ret_feed,
                           struct leat_err *reterr) LEAT_MUST_CHECK;
/* Over a client that is there already (tests); it stays the caller's. */
leat_rc leat_k8s_feed_over(struct leat_k8s_client *client, const struct leat_k8s_feed_conf *conf,
                           struct leat_k8s_feed **ret_feed, struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_k8s_feed *leat_k8s_feed_ref(struct leat_k8s_feed *feed);
bool leat_k8s_feed_close(struct leat_k8s_feed *feed); /* true: it was the last holder, the feed is gone */

uint64_t leat_k8s_feed_version(const struct leat_k8s_feed *feed); /* goes up with every change that can be looked up */
bool leat_k8s_feed_synced(const struct leat_k8s_feed *feed);      /* every watch has listed once */
uint32_t leat_k8s_feed_pods(const struct leat_k8s_feed *feed);    /* known, the deleted ones included */

/* A pod by what is known of it: all must fit. The youngest wins; one that is there wins over deleted ones. */
enum leat_k8s_by { LEAT_K8S_BY_UID, LEAT_K8S_BY_IP, LEAT_K8S_BY_CONNECTION, LEAT_K8S_BY_NAME, LEAT_K8S_BY_CONTAINER,
                   LEAT_K8S_BY_NAMESPACE, LEAT_K8S_BY_NODE, LEAT_K8S_BY_HOSTNAME };
static inline bool leat_k8s_by_leads(enum leat_k8s_by by) { return by <= LEAT_K8S_BY_CONTAINER; }
struct leat_k8s_match {
    enum leat_k8s_by by; /* CONNECTION: an address that is no host-network pod's */
    struct leat_slice value;
};
/* At least one of them leads (leat_k8s_by_leads). NULL: none. */
struct leat_k8s_facts *leat_k8s_feed_find(struct leat_k8s_feed *feed, const struct leat_k8s_match *matches, uint32_t count);
/* ns: empty for namespaces and nodes. NULL: not known. */
struct leat_k8s_facts *leat_k8s_feed_object(struct leat_k8s_feed *feed, enum leat_k8s_kind kind, struct leat_slice ns,
                                            struct leat_slice name);
void leat_k8s_feed_dump(const struct leat_k8s_feed *feed, struct leat_strbuf *out);
