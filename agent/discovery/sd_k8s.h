/* SPDX-License-Identifier: Apache-2.0 */
/* sd_k8s -- objects of Kubernetes to groups of targets, with Prometheus' __meta_kubernetes_ labels; private to
 * agent/discovery.
 *
 * Why      pure: from an object's JSON, and what is known of others, to labels.
 * Fails    NULL: no such object, or out of memory (the arena given says which). */
#pragma once
#include "agent/discovery/discovery_inner.h"
#include "agent/discovery/sd_tree.h"

/* What a source knows, by "namespace/name" (nodes and namespaces by name). */
struct k8s_stores {
    struct leat_sd_groups pods, services, nodes, namespaces; /* services, nodes, namespaces: `common` alone counts */
    struct leat_sd_groups replicasets, jobs;                 /* `raw` is the name of the deployment or cron job they are of */
    struct leat_sd_groups endpoints;                         /* of the role: `raw` is the object */
    bool job_names;                                          /* pods get the name of their job */
};

#define K8S_META "__meta_kubernetes_"
/* A pod: `common` without its namespace; a target for each container port, one for a container without (its address is
 * then the bare IP), none without IP. Who keeps it puts its namespace into `raw`. */
leat_rc k8s_pod_fill(struct leat_sd_group *group, const struct sd_tree *pod);
leat_rc k8s_node_fill(struct leat_sd_group *group, const struct sd_tree *node);
leat_rc k8s_service_fill(struct leat_sd_group *group, const struct sd_tree *service);
leat_rc k8s_ingress_fill(struct leat_sd_group *group, const struct sd_tree *ingress);
leat_rc k8s_namespace_fill(struct leat_sd_group *group, const struct sd_tree *ns);
leat_rc k8s_owner_fill(struct leat_sd_group *group, const struct sd_tree *object, const char *owner_kind);
leat_rc k8s_endpoints_fill(struct leat_sd_group *group, const struct sd_tree *endpoints, const struct k8s_stores *stores,
                           bool with_node);
leat_rc k8s_endpointslice_fill(struct leat_sd_group *group, const struct sd_tree *slice,
                               const struct k8s_stores *stores, bool with_node);

/* Pieces the above share. */
void k8s_put_meta(struct leat_sd_group *group, struct leat_sd_item *item, const struct sd_tree *object, const char *role);
void k8s_put_item(struct leat_sd_group *group, struct leat_sd_item *item, const struct leat_sd_item *from);
void k8s_put_address(struct leat_sd_group *group, struct leat_sd_item *item, struct leat_slice host,
                     struct leat_slice port);
/* Labels of the node by that name, when it is known. */
void k8s_put_node(struct leat_sd_group *group, struct leat_sd_item *item, const struct k8s_stores *stores,
                  struct leat_slice name);
/* Names of what the pod's controller belongs to, as far as they are known. */
void k8s_put_owner(struct leat_sd_group *group, struct leat_sd_item *item, const struct k8s_stores *stores,
                   const struct leat_sd_group *pod);
struct leat_sd_group *k8s_find(const struct leat_sd_groups *groups, struct leat_slice ns, struct leat_slice name);
