/* SPDX-License-Identifier: Apache-2.0 */
/* sd_conf -- what stands in static_configs, file_sd_configs, http_sd_configs, kubernetes_sd_configs. */
#pragma once
#include "agent/discovery/fetch.h"

struct leat_static_conf {
    struct leat_strings targets;
    struct leat_map labels;
};
struct leat_file_sd_conf {
    struct leat_strings files;
    int64_t refresh_interval_ns;
};
struct leat_http_sd_conf {
    const char *url;
    int64_t refresh_interval_ns;
    struct leat_fetch_conf fetch;
};

enum leat_k8s_role { LEAT_K8S_NODE, LEAT_K8S_POD, LEAT_K8S_SERVICE, LEAT_K8S_ENDPOINTS, LEAT_K8S_ENDPOINTSLICE,
                     LEAT_K8S_INGRESS };
extern const char *const leat_k8s_role_names[]; /* NULL-ended */
struct leat_k8s_selector {
    int role; /* enum leat_k8s_role */
    const char *label, *field;
};
struct leat_k8s_sd_conf {
    int role; /* enum leat_k8s_role */
    const char *api_server, *kubeconfig_file;
    struct {
        bool own_namespace;
        struct leat_strings names;
    } namespaces;
    struct leat_items selectors;
    struct {
        bool node, namespace, deployment, job, cronjob;
    } attach;
    struct leat_fetch_conf fetch;
};
