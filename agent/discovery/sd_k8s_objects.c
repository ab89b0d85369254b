/* SPDX-License-Identifier: Apache-2.0 */
/* Pods, nodes, services, ingresses, namespaces. */
#include <ctype.h>
#include <stdio.h>

#include "agent/discovery/sd_k8s.h"

#define NAME_BYTES_MAX 1024u

static void put(struct leat_sd_group *group, struct leat_sd_item *item, const char *name, struct leat_slice value)
{
    leat_sd__label_str(group, item, name, value);
}

/* PREFIX and a key of the user's, what is no letter, digit or underscore made one. */
static void put_named(struct leat_sd_group *group, struct leat_sd_item *item, const char *prefix, struct leat_slice key,
                      struct leat_slice value)
{
    char name[NAME_BYTES_MAX];
    int len = snprintf(name, sizeof name, K8S_META "%s%.*s", prefix, LEAT_SLICE_ARGS(key));
    if (len < 0 || (size_t)len >= sizeof name)
        return;
    /* Characters, not bytes: a letter of two bytes becomes one underscore. */
    size_t to = strlen(K8S_META) + strlen(prefix);
    for (size_t i = to; name[i]; i++)
        if (((unsigned char)name[i] & 0xc0) != 0x80)
            name[to++] = isalnum((unsigned char)name[i]) && (unsigned char)name[i] < 128 ? name[i] : '_';
    leat_sd__label(group, item, leat_slice_of(name, (uint32_t)to), value);
}

static void put_map(struct leat_sd_group *group, struct leat_sd_item *item, const struct sd_tree *map, const char *role,
                    const char *what)
{
    char prefix[64], present[64];
    (void)snprintf(prefix, sizeof prefix, "%s_%s_", role, what);
    (void)snprintf(present, sizeof present, "%s_%spresent_", role, what);
    for (const struct sd_tree *at = map->first; at; at = at->next) {
        put_named(group, item, prefix, at->key, at->text);
        put_named(group, item, present, at->key, LEAT_SLICE("true"));
    }
}

void k8s_put_meta(struct leat_sd_group *group, struct leat_sd_item *item, const struct sd_tree *object, const char *role)
{
    const struct sd_tree *meta = sd_tree_get(object, "metadata");
    put_named(group, item, role, LEAT_SLICE("_name"), sd_tree_text(meta, "name"));
    put_map(group, item, sd_tree_get(meta, "labels"), role, "label");
    put_map(group, item, sd_tree_get(meta, "annotations"), role, "annotation");
}

void k8s_put_item(struct leat_sd_group *group, struct leat_sd_item *item, const struct leat_sd_item *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        leat_sd__label(group, item, from->at[i].name, from->at[i].value);
}

void k8s_put_address(struct leat_sd_group *group, struct leat_sd_item *item, struct leat_slice host,
                     struct leat_slice port)
{
    char text[512];
    bool v6 = host.len && memchr(host.at, ':', host.len) && port.len;
    int len = snprintf(text, sizeof text, "%s%.*s%s%s%.*s", v6 ? "[" : "", LEAT_SLICE_ARGS(host), v6 ? "]" : "",
                       port.len ? ":" : "", LEAT_SLICE_ARGS(port));
    if (len > 0 && (size_t)len < sizeof text)
        put(group, item, "__address__", leat_slice_of(text, (uint32_t)len));
}

struct leat_sd_group *k8s_find(const struct leat_sd_groups *groups, struct leat_slice ns, struct leat_slice name)
{
    char key[1024];
    int len = ns.len ? snprintf(key, sizeof key, "%.*s/%.*s", LEAT_SLICE_ARGS(ns), LEAT_SLICE_ARGS(name))
                     : snprintf(key, sizeof key, "%.*s", LEAT_SLICE_ARGS(name));
    return len > 0 && (size_t)len < sizeof key ? leat_sd__groups_get(groups, leat_slice_of(key, (uint32_t)len)) : NULL;
}

void k8s_put_node(struct leat_sd_group *group, struct leat_sd_item *item, const struct k8s_stores *stores,
                  struct leat_slice name)
{
    const struct leat_sd_group *node = k8s_find(&stores->nodes, (struct leat_slice){0}, name);
    if (!node)
        return;
    for (uint32_t i = 0; i < node->common.count; i++) {
        struct leat_slice label = node->common.at[i].name;
        static const char wanted[] = K8S_META "node_";
        struct leat_slice rest = leat_slice_sub(label, sizeof wanted - 1, label.len - (uint32_t)(sizeof wanted - 1));
        if (leat_slice_is(rest, "name") || (rest.len > 5 && memcmp(rest.at, "label", 5) == 0) ||
            (rest.len > 10 && memcmp(rest.at, "annotation", 10) == 0))
            leat_sd__label(group, item, label, node->common.at[i].value);
    }
}

static leat_rc done(const struct leat_sd_group *group)
{
    return group->arena.failed ? LEAT_ENOMEM : LEAT_OK;
}

/* ---- pods ---- */

static void put_controller(struct leat_sd_group *group, const struct sd_tree *meta)
{
    for (const struct sd_tree *owner = sd_tree_get(meta, "ownerReferences")->first; owner; owner = owner->next)
        if (sd_tree_true(owner, "controller")) {
            put(group, &group->common, K8S_META "pod_controller_kind", sd_tree_text(owner, "kind"));
            put(group, &group->common, K8S_META "pod_controller_name", sd_tree_text(owner, "name"));
            return;
        }
}

leat_rc k8s_owner_fill(struct leat_sd_group *group, const struct sd_tree *object, const char *owner_kind)
{
    const struct sd_tree *owners = sd_tree_get(sd_tree_get(object, "metadata"), "ownerReferences");
    for (const struct sd_tree *owner = owners->first; owner; owner = owner->next)
        if (sd_tree_true(owner, "controller") && leat_slice_is(sd_tree_text(owner, "kind"), owner_kind))
            group->raw = leat_sd__keep(group, sd_tree_text(owner, "name"));
    return done(group);
}

void k8s_put_owner(struct leat_sd_group *group, struct leat_sd_item *item, const struct k8s_stores *stores,
                   const struct leat_sd_group *pod)
{
    struct leat_slice kind = leat_sd__item_get(&pod->common, K8S_META "pod_controller_kind");
    struct leat_slice name = leat_sd__item_get(&pod->common, K8S_META "pod_controller_name");
    bool job = leat_slice_is(kind, "Job");
    if (!job && !leat_slice_is(kind, "ReplicaSet"))
        return;
    const struct leat_sd_group *owner = k8s_find(job ? &stores->jobs : &stores->replicasets, pod->raw, name);
    if (job && stores->job_names)
        put(group, item, K8S_META "pod_job_name", name);
    if (owner)
        put(group, item, job ? K8S_META "pod_cronjob_name" : K8S_META "pod_deployment_name", owner->raw);
}

static void put_ready(struct leat_sd_group *group, const struct sd_tree *status)
{
    struct leat_slice ready = LEAT_SLICE("unknown");
    char text[16];
    for (const struct sd_tree *at = sd_tree_get(status, "conditions")->first; at; at = at->next)
        if (leat_slice_is(sd_tree_text(at, "type"), "Ready"))
            ready = sd_tree_text(at, "status");
    uint32_t len = ready.len < sizeof text ? ready.len : 0;
    for (uint32_t i = 0; i < len; i++)
        text[i] = (char)tolower(ready.at[i]);
    put(group, &group->common, K8S_META "pod_ready", leat_slice_of(text, len));
}

static struct leat_slice container_id(const struct sd_tree *statuses, struct leat_slice name)
{
    for (const struct sd_tree *at = statuses->first; at; at = at->next)
        if (leat_slice_eq(sd_tree_text(at, "name"), name))
            return sd_tree_text(at, "containerID");
    return leat_slice_of("", 0);
}

static void put_container(struct leat_sd_group *group, const struct sd_tree *container, const struct sd_tree *statuses,
                          struct leat_slice ip, const struct sd_tree *port, bool init)
{
    struct leat_sd_item *target = leat_sd__target(group);
    struct leat_slice name = sd_tree_text(container, "name");
    put(group, target, K8S_META "pod_container_name", name);
    put(group, target, K8S_META "pod_container_image", sd_tree_text(container, "image"));
    put(group, target, K8S_META "pod_container_id", container_id(statuses, name));
    put(group, target, K8S_META "pod_container_init", init ? LEAT_SLICE("true") : LEAT_SLICE("false"));
    if (port) {
        put(group, target, K8S_META "pod_container_port_name", sd_tree_text(port, "name"));
        put(group, target, K8S_META "pod_container_port_number", sd_tree_text(port, "containerPort"));
        put(group, target, K8S_META "pod_container_port_protocol", sd_tree_text(port, "protocol"));
    }
    k8s_put_address(group, target, ip, port ? sd_tree_text(port, "containerPort") : (struct leat_slice){0});
}

static void put_containers(struct leat_sd_group *group, const struct sd_tree *pod, bool init)
{
    const struct sd_tree *status = sd_tree_get(pod, "status");
    const struct sd_tree *statuses = sd_tree_get(status, init ? "initContainerStatuses" : "containerStatuses");
    const struct sd_tree *list = sd_tree_get(sd_tree_get(pod, "spec"), init ? "initContainers" : "containers");
    struct leat_slice ip = sd_tree_text(status, "podIP");
    for (const struct sd_tree *container = list->first; container; container = container->next) {
        const struct sd_tree *port = sd_tree_get(container, "ports")->first;
        if (!port)
            put_container(group, container, statuses, ip, NULL, init);
        for (; port; port = port->next)
            put_container(group, container, statuses, ip, port, init);
    }
}

leat_rc k8s_pod_fill(struct leat_sd_group *group, const struct sd_tree *pod)
{
    const struct sd_tree *meta = sd_tree_get(pod, "metadata"), *status = sd_tree_get(pod, "status");
    struct leat_sd_item *item = &group->common;
    k8s_put_meta(group, item, pod, "pod");
    put(group, item, K8S_META "pod_ip", sd_tree_text(status, "podIP"));
    put_ready(group, status);
    put(group, item, K8S_META "pod_phase", sd_tree_text(status, "phase"));
    put(group, item, K8S_META "pod_node_name", sd_tree_text(sd_tree_get(pod, "spec"), "nodeName"));
    put(group, item, K8S_META "pod_host_ip", sd_tree_text(status, "hostIP"));
    put(group, item, K8S_META "pod_uid", sd_tree_text(meta, "uid"));
    put_controller(group, meta);
    if (sd_tree_text(status, "podIP").len) {
        put_containers(group, pod, false);
        put_containers(group, pod, true);
    }
    return done(group);
}

/* ---- nodes ---- */

static struct leat_slice node_address(const struct sd_tree *addresses)
{
    static const char *const order[] = {"InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS",
                                        "LegacyHostIP", "Hostname", NULL};
    for (uint32_t i = 0; order[i]; i++)
        for (const struct sd_tree *at = addresses->first; at; at = at->next)
            if (leat_slice_is(sd_tree_text(at, "type"), order[i]))
                return sd_tree_text(at, "address");
    return leat_slice_of("", 0);
}

static struct leat_slice lower(struct leat_slice text, char *room, size_t size)
{
    uint32_t len = text.len < size ? text.len : 0;
    for (uint32_t i = 0; i < len; i++)
        room[i] = (char)tolower(text.at[i]);
    return leat_slice_of(room, len);
}

static void put_conditions(struct leat_sd_group *group, const struct sd_tree *status)
{
    char type[256], state[16];
    for (const struct sd_tree *at = sd_tree_get(status, "conditions")->first; at; at = at->next)
        put_named(group, &group->common, "node_condition_", lower(sd_tree_text(at, "type"), type, sizeof type),
                  lower(sd_tree_text(at, "status"), state, sizeof state));
}

leat_rc k8s_node_fill(struct leat_sd_group *group, const struct sd_tree *node)
{
    const struct sd_tree *status = sd_tree_get(node, "status"), *addresses = sd_tree_get(status, "addresses");
    const struct sd_tree *kubelet = sd_tree_get(sd_tree_get(status, "daemonEndpoints"), "kubeletEndpoint");
    struct leat_slice host = node_address(addresses), port = sd_tree_text(kubelet, "Port");
    k8s_put_meta(group, &group->common, node, "node");
    put(group, &group->common, K8S_META "node_provider_id", sd_tree_text(sd_tree_get(node, "spec"), "providerID"));
    put_conditions(group, status);
    if (host.len == 0)
        return done(group);
    struct leat_sd_item *target = leat_sd__target(group);
    k8s_put_address(group, target, host, port.len ? port : LEAT_SLICE("0"));
    put(group, target, "instance", sd_tree_text(sd_tree_get(node, "metadata"), "name"));
    for (const struct sd_tree *at = addresses->first; at; at = at->next) /* the first of a type counts */
        put_named(group, target, "node_address_", sd_tree_text(at, "type"), sd_tree_text(at, "address"));
    return done(group);
}

/* ---- services ---- */

leat_rc k8s_service_fill(struct leat_sd_group *group, const struct sd_tree *service)
{
    const struct sd_tree *meta = sd_tree_get(service, "metadata"), *spec = sd_tree_get(service, "spec");
    struct leat_slice type = sd_tree_text(spec, "type");
    char host[600];
    k8s_put_meta(group, &group->common, service, "service");
    (void)snprintf(host, sizeof host, "%.*s.%.*s.svc", LEAT_SLICE_ARGS(sd_tree_text(meta, "name")),
                   LEAT_SLICE_ARGS(sd_tree_text(meta, "namespace")));
    for (const struct sd_tree *port = sd_tree_get(spec, "ports")->first; port; port = port->next) {
        struct leat_sd_item *target = leat_sd__target(group);
        k8s_put_address(group, target, leat_slice_str(host), sd_tree_text(port, "port"));
        put(group, target, K8S_META "service_port_name", sd_tree_text(port, "name"));
        put(group, target, K8S_META "service_port_number", sd_tree_text(port, "port"));
        put(group, target, K8S_META "service_port_protocol", sd_tree_text(port, "protocol"));
        put(group, target, K8S_META "service_type", type);
        if (leat_slice_is(type, "ExternalName"))
            put(group, target, K8S_META "service_external_name", sd_tree_text(spec, "externalName"));
        else
            put(group, target, K8S_META "service_cluster_ip", sd_tree_text(spec, "clusterIP"));
        if (leat_slice_is(type, "LoadBalancer"))
            put(group, target, K8S_META "service_loadbalancer_ip", sd_tree_text(spec, "loadBalancerIP"));
    }
    return done(group);
}

/* ---- ingresses ---- */

/* "*.example.com" stands for one label in front. */
static bool host_matches(struct leat_slice pattern, struct leat_slice host)
{
    if (leat_slice_eq(pattern, host))
        return true;
    const uint8_t *dot = host.len ? memchr(host.at, '.', host.len) : NULL;
    return dot && dot != host.at && pattern.len > 2 && memcmp(pattern.at, "*.", 2) == 0 &&
           leat_slice_eq(leat_slice_sub(pattern, 1, pattern.len - 1),
                         leat_slice_sub(host, (uint32_t)(dot - host.at), host.len - (uint32_t)(dot - host.at)));
}

static bool host_has_tls(const struct sd_tree *spec, struct leat_slice host)
{
    for (const struct sd_tree *tls = sd_tree_get(spec, "tls")->first; tls; tls = tls->next)
        for (const struct sd_tree *at = sd_tree_get(tls, "hosts")->first; at; at = at->next)
            if (host_matches(at->text, host))
                return true;
    return false;
}

static void put_path(struct leat_sd_group *group, struct leat_slice host, struct leat_slice path, bool tls)
{
    struct leat_sd_item *target = leat_sd__target(group);
    put(group, target, "__address__", host);
    put(group, target, K8S_META "ingress_scheme", tls ? LEAT_SLICE("https") : LEAT_SLICE("http"));
    put(group, target, K8S_META "ingress_host", host);
    put(group, target, K8S_META "ingress_path", path.len ? path : LEAT_SLICE("/"));
}

leat_rc k8s_ingress_fill(struct leat_sd_group *group, const struct sd_tree *ingress)
{
    const struct sd_tree *spec = sd_tree_get(ingress, "spec");
    k8s_put_meta(group, &group->common, ingress, "ingress");
    put(group, &group->common, K8S_META "ingress_class_name", sd_tree_text(spec, "ingressClassName"));
    for (const struct sd_tree *rule = sd_tree_get(spec, "rules")->first; rule; rule = rule->next) {
        struct leat_slice host = sd_tree_text(rule, "host");
        bool tls = host_has_tls(spec, host);
        const struct sd_tree *path = sd_tree_get(sd_tree_get(rule, "http"), "paths")->first;
        if (!path)
            put_path(group, host, LEAT_SLICE("/"), tls);
        for (; path; path = path->next)
            put_path(group, host, sd_tree_text(path, "path"), tls);
    }
    return done(group);
}

leat_rc k8s_namespace_fill(struct leat_sd_group *group, const struct sd_tree *ns)
{
    const struct sd_tree *meta = sd_tree_get(ns, "metadata");
    put_map(group, &group->common, sd_tree_get(meta, "labels"), "namespace", "label");
    put_map(group, &group->common, sd_tree_get(meta, "annotations"), "namespace", "annotation");
    return done(group);
}
