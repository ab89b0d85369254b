/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints and endpoint slices: an address and a port each, with the labels of the service and of the pod behind it; and
 * the container ports of those pods that no endpoint names. */
#include "agent/discovery/sd_k8s.h"

#define CONTAINER K8S_META "pod_container_"

struct seen { /* a pod, and a port of it that has its target */
    const struct leat_sd_group *pod;
    struct leat_slice port;
};
struct fill {
    struct leat_sd_group *group;
    const struct k8s_stores *stores;
    struct leat_slice ns;
    bool with_node;
    struct seen *seen;
    uint32_t seen_count, seen_room;
};

static void put(struct fill *fill, struct leat_sd_item *item, const char *name, struct leat_slice value)
{
    leat_sd__label_str(fill->group, item, name, value);
}

static const char *const container_labels[] = {CONTAINER "name",        CONTAINER "image",         CONTAINER "port_name",
                                               CONTAINER "port_number", CONTAINER "port_protocol", CONTAINER "init", NULL};

static void put_container(struct fill *fill, struct leat_sd_item *item, const struct leat_sd_item *container)
{
    for (uint32_t i = 0; container_labels[i]; i++)
        put(fill, item, container_labels[i], leat_sd__item_get(container, container_labels[i]));
}

static void remember(struct fill *fill, const struct leat_sd_group *pod, struct leat_slice port)
{
    if (fill->seen_count == fill->seen_room) {
        uint32_t room = fill->seen_room ? fill->seen_room * 2 : 16;
        void *at = leat_arena_grow(&fill->group->arena, fill->seen, fill->seen_count, room, sizeof *fill->seen);
        if (!at)
            return;
        fill->seen = at;
        fill->seen_room = room;
    }
    fill->seen[fill->seen_count++] = (struct seen){pod, port};
}

/* The pod a reference names; its own namespace counts when it says one. */
static const struct leat_sd_group *pod_of(const struct fill *fill, const struct sd_tree *reference)
{
    struct leat_slice ns = sd_tree_text(reference, "namespace");
    if (!leat_slice_is(sd_tree_text(reference, "kind"), "Pod"))
        return NULL;
    return k8s_find(&fill->stores->pods, ns.len ? ns : fill->ns, sd_tree_text(reference, "name"));
}

static void put_pod(struct fill *fill, struct leat_sd_item *target, const struct sd_tree *reference,
                    struct leat_slice port)
{
    const struct leat_sd_group *pod = pod_of(fill, reference);
    if (!pod)
        return;
    k8s_put_item(fill->group, target, &pod->common);
    k8s_put_owner(fill->group, target, fill->stores, pod);
    for (uint32_t i = 0; i < pod->count && port.len; i++)
        if (leat_slice_eq(leat_sd__item_get(&pod->targets[i], CONTAINER "port_number"), port)) {
            put_container(fill, target, &pod->targets[i]);
            break;
        }
    remember(fill, pod, port);
}

static void put_node_of(struct fill *fill, struct leat_sd_item *target, const struct sd_tree *endpoint)
{
    const struct sd_tree *reference = sd_tree_get(endpoint, "targetRef");
    if (!fill->with_node)
        return;
    if (sd_tree_has(endpoint, "nodeName"))
        k8s_put_node(fill->group, target, fill->stores, sd_tree_text(endpoint, "nodeName"));
    else if (leat_slice_is(sd_tree_text(reference, "kind"), "Node"))
        k8s_put_node(fill->group, target, fill->stores, sd_tree_text(reference, "name"));
}

static bool is_seen(const struct fill *fill, const struct leat_sd_group *pod, struct leat_slice port)
{
    for (uint32_t i = 0; i < fill->seen_count; i++)
        if (fill->seen[i].pod == pod && leat_slice_eq(fill->seen[i].port, port))
            return true;
    return false;
}

static bool is_first(const struct fill *fill, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (fill->seen[i].pod == fill->seen[index].pod)
            return false;
    return true;
}

/* Container ports of the pods seen that no endpoint has named. */
static void put_other_ports(struct fill *fill)
{
    for (uint32_t i = 0; i < fill->seen_count; i++) {
        const struct leat_sd_group *pod = fill->seen[i].pod;
        for (uint32_t k = is_first(fill, i) ? 0 : pod->count; k < pod->count; k++) {
            const struct leat_sd_item *container = &pod->targets[k];
            struct leat_slice port = leat_sd__item_get(container, CONTAINER "port_number");
            if (port.len == 0 || is_seen(fill, pod, port))
                continue;
            struct leat_sd_item *target = leat_sd__target(fill->group);
            put(fill, target, "__address__", leat_sd__item_get(container, "__address__"));
            put_container(fill, target, container);
            k8s_put_item(fill->group, target, &pod->common);
            k8s_put_owner(fill->group, target, fill->stores, pod);
        }
    }
}

static void put_service(struct fill *fill, struct leat_slice name)
{
    const struct leat_sd_group *service = k8s_find(&fill->stores->services, fill->ns, name);
    if (service)
        k8s_put_item(fill->group, &fill->group->common, &service->common);
}

static struct fill begin(struct leat_sd_group *group, const struct sd_tree *object, const struct k8s_stores *stores,
                         bool with_node)
{
    return (struct fill){.group = group,
                         .stores = stores,
                         .ns = sd_tree_text(sd_tree_get(object, "metadata"), "namespace"),
                         .with_node = with_node};
}

static leat_rc end(struct fill *fill)
{
    put_other_ports(fill);
    return fill->group->arena.failed ? LEAT_ENOMEM : LEAT_OK;
}

/* ---- endpoints ---- */

static void put_addresses(struct fill *fill, const struct sd_tree *addresses, const struct sd_tree *port, bool ready)
{
    struct leat_slice number = sd_tree_text(port, "port");
    for (const struct sd_tree *at = addresses->first; at; at = at->next) {
        const struct sd_tree *reference = sd_tree_get(at, "targetRef");
        struct leat_sd_item *target = leat_sd__target(fill->group);
        k8s_put_address(fill->group, target, sd_tree_text(at, "ip"), number);
        put(fill, target, K8S_META "endpoint_port_name", sd_tree_text(port, "name"));
        put(fill, target, K8S_META "endpoint_port_protocol", sd_tree_text(port, "protocol"));
        put(fill, target, K8S_META "endpoint_ready", ready ? LEAT_SLICE("true") : LEAT_SLICE("false"));
        put(fill, target, K8S_META "endpoint_address_target_kind", sd_tree_text(reference, "kind"));
        put(fill, target, K8S_META "endpoint_address_target_name", sd_tree_text(reference, "name"));
        put(fill, target, K8S_META "endpoint_node_name", sd_tree_text(at, "nodeName"));
        put(fill, target, K8S_META "endpoint_hostname", sd_tree_text(at, "hostname"));
        put_node_of(fill, target, at);
        put_pod(fill, target, reference, number);
    }
}

leat_rc k8s_endpoints_fill(struct leat_sd_group *group, const struct sd_tree *endpoints, const struct k8s_stores *stores,
                           bool with_node)
{
    struct fill fill = begin(group, endpoints, stores, with_node);
    k8s_put_meta(group, &group->common, endpoints, "endpoints");
    put_service(&fill, sd_tree_text(sd_tree_get(endpoints, "metadata"), "name"));
    for (const struct sd_tree *set = sd_tree_get(endpoints, "subsets")->first; set; set = set->next)
        for (const struct sd_tree *port = sd_tree_get(set, "ports")->first; port; port = port->next) {
            put_addresses(&fill, sd_tree_get(set, "addresses"), port, true);
            put_addresses(&fill, sd_tree_get(set, "notReadyAddresses"), port, false);
        }
    return end(&fill);
}

/* ---- endpoint slices ---- */

#define SLICE K8S_META "endpointslice_"

static void put_condition(struct fill *fill, struct leat_sd_item *target, const struct sd_tree *endpoint,
                          const char *condition, const char *label)
{
    const struct sd_tree *conditions = sd_tree_get(endpoint, "conditions");
    if (sd_tree_has(conditions, condition))
        put(fill, target, label, sd_tree_true(conditions, condition) ? LEAT_SLICE("true") : LEAT_SLICE("false"));
}

static void put_endpoint(struct fill *fill, const struct sd_tree *endpoint, const struct sd_tree *port,
                         struct leat_slice address, struct leat_slice address_type)
{
    const struct sd_tree *reference = sd_tree_get(endpoint, "targetRef");
    struct leat_sd_item *target = leat_sd__target(fill->group);
    struct leat_slice number = sd_tree_text(port, "port");
    k8s_put_address(fill->group, target, address, number);
    put(fill, target, SLICE "address_type", address_type);
    put(fill, target, SLICE "port_name", sd_tree_text(port, "name"));
    put(fill, target, SLICE "port_protocol", sd_tree_text(port, "protocol"));
    put(fill, target, SLICE "port", number);
    put(fill, target, SLICE "port_app_protocol", sd_tree_text(port, "appProtocol"));
    put_condition(fill, target, endpoint, "ready", SLICE "endpoint_conditions_ready");
    put_condition(fill, target, endpoint, "serving", SLICE "endpoint_conditions_serving");
    put_condition(fill, target, endpoint, "terminating", SLICE "endpoint_conditions_terminating");
    put(fill, target, SLICE "address_target_kind", sd_tree_text(reference, "kind"));
    put(fill, target, SLICE "address_target_name", sd_tree_text(reference, "name"));
    put(fill, target, SLICE "endpoint_hostname", sd_tree_text(endpoint, "hostname"));
    put(fill, target, SLICE "endpoint_node_name", sd_tree_text(endpoint, "nodeName"));
    put(fill, target, SLICE "endpoint_zone", sd_tree_text(endpoint, "zone"));
    put_node_of(fill, target, endpoint);
    put_pod(fill, target, reference, number);
}

leat_rc k8s_endpointslice_fill(struct leat_sd_group *group, const struct sd_tree *slice,
                               const struct k8s_stores *stores, bool with_node)
{
    struct fill fill = begin(group, slice, stores, with_node);
    const struct sd_tree *labels = sd_tree_get(sd_tree_get(slice, "metadata"), "labels");
    struct leat_slice type = sd_tree_text(slice, "addressType");
    k8s_put_meta(group, &group->common, slice, "endpointslice");
    put(&fill, &group->common, SLICE "address_type", type);
    put_service(&fill, sd_tree_text(labels, "kubernetes.io/service-name"));
    for (const struct sd_tree *endpoint = sd_tree_get(slice, "endpoints")->first; endpoint; endpoint = endpoint->next)
        for (const struct sd_tree *port = sd_tree_get(slice, "ports")->first; port; port = port->next)
            for (const struct sd_tree *at = sd_tree_get(endpoint, "addresses")->first; at; at = at->next)
                put_endpoint(&fill, endpoint, port, at->text, type);
    return end(&fill);
}
