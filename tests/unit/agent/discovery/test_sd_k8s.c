/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of Kubernetes, written by hand, and the targets they become. */
#include "agent/discovery/sd_k8s.h"

#include <stdio.h>

#include "tests/kit/kit.h"

static struct k8s_stores stores;
static struct leat_arena arena;
static struct leat_sd_group *group;

static const struct sd_tree *read_object(const char *json)
{
    const struct sd_tree *object = sd_tree_read(&arena, leat_slice_str(json));
    EXPECT(object != NULL);
    return object;
}

static void begin(const char *key)
{
    leat_sd__group_free(group);
    group = leat_sd__group_new(leat_slice_str(key));
    EXPECT(group != NULL);
}

static void end(void)
{
    leat_sd__group_free(group);
    group = NULL;
    leat_sd__groups_clear(&stores.pods);
    leat_sd__groups_clear(&stores.services);
    leat_sd__groups_clear(&stores.nodes);
    leat_arena_done(&arena);
}

/* The label of a target, or of its group. */
static const char *get(int target, const char *name)
{
    static char text[256];
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s%s", name[0] == '_' || strcmp(name, "instance") == 0 ? "" : K8S_META, name);
    struct leat_slice value = target >= 0 ? leat_sd__item_get(&group->targets[target], whole) : leat_slice_of("", 0);
    if (value.len == 0)
        value = leat_sd__item_get(&group->common, whole);
    (void)snprintf(text, sizeof text, "%.*s", LEAT_SLICE_ARGS(value));
    return text;
}

static const char pod_json[] =
    "{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"u1\",\"labels\":{\"app.kubernetes.io/name\":\"web\",\"empty\":\"\"},"
    "\"annotations\":{\"prometheus.io/scrape\":\"true\",\"gr\xc3\xbc\xc3\x9f\":\"x\"},\"managedFields\":[{\"a\":{}}],"
    "\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"o\"},{\"kind\":\"ReplicaSet\",\"name\":\"web-rs\",\"controller\":true}]},"
    "\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"app\",\"image\":\"app:1\",\"ports\":[{\"name\":\"http\",\"containerPort\":8080,"
    "\"protocol\":\"TCP\"},{\"containerPort\":9090,\"protocol\":\"UDP\"}]},{\"name\":\"bare\",\"image\":\"bare:1\"}],"
    "\"initContainers\":[{\"name\":\"init\",\"image\":\"i:1\",\"ports\":[{\"containerPort\":7000}]}]},"
    "\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.0.1\",\"hostIP\":\"192.168.0.1\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
    "\"containerStatuses\":[{\"name\":\"app\",\"containerID\":\"cri://1\"}]}}";

/* Guarantees: a target a port, one with the bare IP for a container without; init containers too; every label of the role. */
LEAT_TEST(k8s_pods_become_targets)
{
    begin("shop/web-1");
    EXPECT_OK(k8s_pod_fill(group, read_object(pod_json)));
    EXPECT_EQ(group->count, 4);
    EXPECT_STR(get(0, "__address__"), "10.0.0.1:8080");
    EXPECT_STR(get(0, "pod_container_port_name"), "http");
    EXPECT_STR(get(0, "pod_container_port_number"), "8080");
    EXPECT_STR(get(1, "pod_container_port_protocol"), "UDP");
    EXPECT_STR(get(0, "pod_container_id"), "cri://1");
    EXPECT_STR(get(2, "__address__"), "10.0.0.1");
    EXPECT_STR(get(2, "pod_container_name"), "bare");
    EXPECT_STR(get(2, "pod_container_port_number"), "");
    EXPECT_STR(get(3, "pod_container_init"), "true");
    EXPECT_STR(get(0, "pod_container_init"), "false");
    EXPECT_STR(get(3, "pod_container_image"), "i:1");
    static const char *const common[][2] = {
        {"pod_name", "web-1"}, {"pod_ip", "10.0.0.1"}, {"pod_ready", "true"}, {"pod_phase", "Running"}, {"pod_node_name", "n1"},
        {"pod_host_ip", "192.168.0.1"}, {"pod_uid", "u1"}, {"pod_controller_kind", "ReplicaSet"}, {"pod_controller_name", "web-rs"},
        {"pod_label_app_kubernetes_io_name", "web"}, {"pod_labelpresent_app_kubernetes_io_name", "true"}, {"pod_label_empty", ""},
        {"pod_labelpresent_empty", "true"}, {"pod_annotation_prometheus_io_scrape", "true"},
        {"pod_annotationpresent_prometheus_io_scrape", "true"}, {"pod_annotation_gr__", "x"}};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        EXPECT_STR(get(-1, common[i][0]), common[i][1]);
    begin("shop/young");
    EXPECT_OK(k8s_pod_fill(group, read_object("{\"metadata\":{\"name\":\"y\"},\"spec\":{\"containers\":[{\"name\":\"a\"}]},\"status\":{}}")));
    EXPECT_EQ(group->count, 0);
    EXPECT_STR(get(-1, "pod_ready"), "unknown");
    end();
}

/* Guarantees: the internal address with the kubelet's port, the node's name as instance, IPv6 in brackets. */
LEAT_TEST(k8s_nodes_become_targets)
{
    begin("n1");
    EXPECT_OK(k8s_node_fill(group, read_object(
        "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"a/b\":\"c\"}},\"spec\":{\"providerID\":\"p://1\"},\"status\":{\"addresses\":["
        "{\"type\":\"Hostname\",\"address\":\"host1\"},{\"type\":\"InternalIP\",\"address\":\"fd00::1\"},{\"type\":\"InternalIP\","
        "\"address\":\"10.1.1.1\"}],\"conditions\":[{\"type\":\"MemoryPressure\",\"status\":\"False\"}],"
        "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}}}}")));
    EXPECT_EQ(group->count, 1);
    EXPECT_STR(get(0, "__address__"), "[fd00::1]:10250");
    EXPECT_STR(get(0, "instance"), "n1");
    EXPECT_STR(get(0, "node_address_InternalIP"), "fd00::1");
    EXPECT_STR(get(0, "node_address_Hostname"), "host1");
    EXPECT_STR(get(0, "node_label_a_b"), "c");
    EXPECT_STR(get(0, "node_provider_id"), "p://1");
    EXPECT_STR(get(0, "node_condition_memorypressure"), "false");
    begin("n2");
    EXPECT_OK(k8s_node_fill(group, read_object("{\"metadata\":{\"name\":\"n2\"},\"status\":{}}")));
    EXPECT_EQ(group->count, 0);
    end();
}

LEAT_TEST(k8s_services_and_ingresses_become_targets)
{
    begin("shop/web");
    EXPECT_OK(k8s_service_fill(group, read_object(
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"labels\":{\"l\":\"v\"}},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.9.9.9\","
        "\"ports\":[{\"port\":80,\"name\":\"http\",\"protocol\":\"TCP\"},{\"port\":443}]}}")));
    EXPECT_EQ(group->count, 2);
    EXPECT_STR(get(0, "__address__"), "web.shop.svc:80");
    EXPECT_STR(get(0, "service_cluster_ip"), "10.9.9.9");
    EXPECT_STR(get(1, "service_port_number"), "443");
    EXPECT_STR(get(1, "service_label_l"), "v");
    begin("shop/door");
    EXPECT_OK(k8s_ingress_fill(group, read_object(
        "{\"metadata\":{\"name\":\"door\"},\"spec\":{\"ingressClassName\":\"n\",\"tls\":[{\"hosts\":[\"*.a.b\"]}],\"rules\":[{\"host\":\"x.a.b\",\"http\":"
        "{\"paths\":[{\"path\":\"/p\"},{}]}},{\"host\":\"a.b\"}]}}")));
    EXPECT_EQ(group->count, 3);
    EXPECT_STR(get(0, "ingress_scheme"), "https");
    EXPECT_STR(get(0, "ingress_path"), "/p");
    EXPECT_STR(get(1, "ingress_path"), "/");
    EXPECT_STR(get(2, "ingress_scheme"), "http");
    EXPECT_STR(get(2, "__address__"), "a.b");
    EXPECT_STR(get(2, "ingress_class_name"), "n");
    end();
}

static void know_pod(void)
{
    struct leat_sd_group *pod = leat_sd__group_new(LEAT_SLICE("shop/web-1"));
    EXPECT(pod != NULL);
    EXPECT_OK(k8s_pod_fill(pod, read_object(pod_json)));
    EXPECT_OK(leat_sd__groups_put(&stores.pods, pod));
}

/* Guarantees: an endpoint has the labels of its service and pod, and of the container whose port it is; the pod's other
 * ports follow as targets of their own, once each; what is no pod goes without. */
LEAT_TEST(k8s_endpoints_join_services_and_pods)
{
    know_pod();
    struct leat_sd_group *service = leat_sd__group_new(LEAT_SLICE("shop/web"));
    EXPECT_OK(k8s_service_fill(service, read_object("{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"labels\":{\"l\":\"v\"}}}")));
    EXPECT_OK(leat_sd__groups_put(&stores.services, service));
    begin("shop/web");
    EXPECT_OK(k8s_endpoints_fill(group, read_object(
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\",\"nodeName\":\"n1\",\"targetRef\":"
        "{\"kind\":\"Pod\",\"name\":\"web-1\",\"namespace\":\"shop\"}}],\"notReadyAddresses\":[{\"ip\":\"10.0.0.2\"}],\"ports\":[{\"port\":8080,"
        "\"name\":\"http\",\"protocol\":\"TCP\"}]}]}"), &stores, false));
    EXPECT_EQ(group->count, 4); /* two addresses, 9090 and 7000 of the pod */
    EXPECT_STR(get(0, "__address__"), "10.0.0.1:8080");
    EXPECT_STR(get(0, "endpoint_ready"), "true");
    EXPECT_STR(get(0, "pod_name"), "web-1");
    EXPECT_STR(get(0, "pod_container_name"), "app");
    EXPECT_STR(get(0, "service_label_l"), "v");
    EXPECT_STR(get(1, "endpoint_ready"), "false");
    EXPECT_STR(get(1, "pod_name"), "");
    EXPECT_STR(get(2, "__address__"), "10.0.0.1:9090");
    EXPECT_STR(get(2, "endpoint_ready"), "");
    EXPECT_STR(get(3, "pod_container_init"), "true");
    begin("shop/web-x");
    EXPECT_OK(k8s_endpointslice_fill(group, read_object(
        "{\"metadata\":{\"name\":\"web-x\",\"namespace\":\"shop\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"addressType\":\"IPv4\","
        "\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true,\"terminating\":false},\"zone\":\"z\",\"targetRef\":{\"kind\":\"Pod\","
        "\"name\":\"web-1\"}}],\"ports\":[{\"port\":9090,\"name\":\"m\",\"protocol\":\"TCP\"}]}"), &stores, false));
    EXPECT_EQ(group->count, 3);
    EXPECT_STR(get(0, "endpointslice_endpoint_conditions_ready"), "true");
    EXPECT_STR(get(0, "endpointslice_endpoint_conditions_serving"), "");
    EXPECT_STR(get(0, "endpointslice_endpoint_conditions_terminating"), "false");
    EXPECT_STR(get(0, "endpointslice_endpoint_zone"), "z");
    EXPECT_STR(get(0, "endpointslice_address_type"), "IPv4");
    EXPECT_STR(get(0, "service_name"), "web");
    EXPECT_STR(get(0, "pod_container_port_number"), "9090");
    EXPECT_STR(get(1, "__address__"), "10.0.0.1:8080");
    end();
}

/* Guarantees: objects that lie about their shape become nothing, and break nothing. */
LEAT_TEST(k8s_objects_of_wrong_shape)
{
    static const char *const bad[] = {"{}", "[]", "1", "null", "{\"metadata\":[]}", "{\"metadata\":{\"labels\":[1,2]},\"spec\":1}",
                                      "{\"subsets\":{\"a\":1},\"endpoints\":[1],\"ports\":[2]}", "{\"spec\":{\"containers\":[1,[]]},\"status\":{\"podIP\":\"x\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct sd_tree *object = read_object(bad[i]);
        begin("x");
        EXPECT_OK(k8s_pod_fill(group, object));
        EXPECT_OK(k8s_node_fill(group, object));
        EXPECT_OK(k8s_service_fill(group, object));
        EXPECT_OK(k8s_ingress_fill(group, object));
        EXPECT_OK(k8s_endpoints_fill(group, object, &stores, true));
        EXPECT_OK(k8s_endpointslice_fill(group, object, &stores, true));
    }
    EXPECT(sd_tree_read(&arena, LEAT_SLICE("{\"a\":")) == NULL);
    end();
}

LEAT_TEST_OOM(k8s_survives_failed_allocations)
{
    struct leat_arena own = {0};
    struct leat_sd_group *made = leat_sd__group_new(LEAT_SLICE("shop/web-1"));
    const struct sd_tree *object = made ? sd_tree_read(&own, LEAT_SLICE(pod_json)) : NULL;
    leat_rc rc = object ? k8s_pod_fill(made, object) : LEAT_ENOMEM;
    struct leat_sd_groups groups = {0};
    if (rc == LEAT_OK)
        rc = leat_sd__groups_put(&groups, made);
    else
        leat_sd__group_free(made);
    leat_sd__groups_clear(&groups);
    leat_arena_done(&own);
    return rc;
}
