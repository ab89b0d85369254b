/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a discovery document, JSON and YAML, and as an object of Kubernetes in every role. Must not crash, leak or loop. */
#include "agent/discovery/sd_k8s.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static leat_rc drop(void *ctx, struct leat_sd_group *group)
{
    (void)ctx;
    leat_sd__group_free(group);
    return LEAT_OK;
}

static void as_object(const uint8_t *at, size_t len)
{
    struct leat_arena arena = {0};
    struct k8s_stores stores = {0};
    const struct sd_tree *object = sd_tree_read(&arena, leat_slice_of(at, (uint32_t)len));
    struct leat_sd_group *pod = object ? leat_sd__group_new(LEAT_SLICE("shop/pod")) : NULL;
    struct leat_sd_group *group = object ? leat_sd__group_new(LEAT_SLICE("x")) : NULL;
    if (pod && k8s_pod_fill(pod, object) == LEAT_OK)
        (void)!leat_sd__groups_put(&stores.pods, pod);
    else
        leat_sd__group_free(pod);
    if (group) {
        (void)k8s_node_fill(group, object);
        (void)k8s_service_fill(group, object);
        (void)k8s_ingress_fill(group, object);
        (void)k8s_namespace_fill(group, object);
        (void)k8s_endpoints_fill(group, object, &stores, true);
        (void)k8s_endpointslice_fill(group, object, &stores, true);
    }
    leat_sd__group_free(group);
    leat_sd__groups_clear(&stores.pods);
    leat_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct leat_sd_read read = {LEAT_SLICE("file"), "__meta_filepath", drop, NULL};
    if (len > 1u << 16)
        return 0;
    (void)leat_sd__read_json(&read, at, len, NULL);
    (void)leat_sd__read_yaml(&read, at, len, NULL);
    as_object(at, len);
    return 0;
}
