/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/k8s_attributes/k8s_attributes.h"

#define C(member) LEAT_AT(struct k8s_attributes_conf, member)
#define E(member) LEAT_AT(struct k8s_extract_conf, member)
#define RATE "requests are a list and a watch per kind of object, with backoff: there is no rate to limit"
#define NO_RESYNC "watches are followed without gaps: nothing is synchronised again"

static const char *const auth_types[] = {"serviceAccount", "kubeConfig", "none", NULL};
static const char *const froms[] = {"pod", "namespace", "node", "deployment", "statefulset", "daemonset", "job", NULL};
static const char *const ops[] = {"equals", "not-equals", "exists", "does-not-exist", NULL};
static const char *const association_froms[] = {"connection", "resource_attribute", NULL};

static const struct leat_field extract_fields[] = {
    {"tag_name", LEAT_STRING, E(tag_name), NULL,
     "the attribute's name; with key_regex it may name groups ($1); default k8s.pod.labels.KEY, of namespaces and nodes likewise, k8s.deployment.label.KEY of the others"},
    {"key", LEAT_STRING, E(key), NULL, "the label or annotation"},
    {"key_regex", LEAT_STRING, E(key_regex), NULL, "or all whose whole key matches"},
    {"from", LEAT_ENUM, E(from), "pod", "whose label or annotation", .choices = froms},
    {"regex", LEAT_REFUSED, 0, NULL, "no longer part of the Collector: use the transform processor on the value"},
    {0}};
static const struct leat_field metadata_fields[] = {
    {"metadata", LEAT_STRINGS, LEAT_AT(struct k8s_attributes_conf, extract.metadata) - C(extract),
     "[k8s.namespace.name, k8s.pod.name, k8s.pod.uid, k8s.pod.start_time, k8s.deployment.name, k8s.node.name, "
     "container.image.name, container.image.tag]",
     "which attributes"},
    {.key = "labels", .type = LEAT_LIST, .offset = C(extract.labels) - C(extract), .fields = extract_fields,
     .item_size = sizeof(struct k8s_extract_conf), .doc = "labels that become attributes"},
    {.key = "annotations", .type = LEAT_LIST, .offset = C(extract.annotations) - C(extract), .fields = extract_fields,
     .item_size = sizeof(struct k8s_extract_conf), .doc = "annotations that become attributes"},
    {"otel_annotations", LEAT_BOOL, C(extract.otel_annotations) - C(extract), "false",
     "pod annotations resource.opentelemetry.io/NAME become attributes NAME"},
    {"deployment_name_from_replicaset", LEAT_IGNORED, 0, NULL, "the name is always taken from the ReplicaSet's"},
    {0}};
static const struct leat_field label_filter_fields[] = {
    {"key", LEAT_STRING, LEAT_AT(struct k8s_label_filter_conf, key), NULL, "the label or field", LEAT_REQUIRED},
    {"value", LEAT_STRING, LEAT_AT(struct k8s_label_filter_conf, value), NULL, "its value; not for exists, does-not-exist"},
    {"op", LEAT_ENUM, LEAT_AT(struct k8s_label_filter_conf, op), "equals", "how it is compared", .choices = ops},
    {0}};
static const struct leat_field filter_fields[] = {
    {"node", LEAT_STRING, C(filter.node) - C(filter), NULL, "pods of this node only"},
    {"node_from_env_var", LEAT_STRING, C(filter.node_from_env_var) - C(filter), NULL,
     "pods of the node that this environment variable names; wins over node"},
    {"namespace", LEAT_STRING, C(filter.namespace) - C(filter), NULL, "pods of this namespace only"},
    {.key = "labels", .type = LEAT_LIST, .offset = C(filter.labels) - C(filter), .fields = label_filter_fields,
     .item_size = sizeof(struct k8s_label_filter_conf), .doc = "pods with these labels only"},
    {.key = "fields", .type = LEAT_LIST, .offset = C(filter.fields) - C(filter), .fields = label_filter_fields,
     .item_size = sizeof(struct k8s_label_filter_conf), .doc = "pods with these fields only: equals, not-equals"},
    {0}};
static const struct leat_field source_fields[] = {
    {"from", LEAT_ENUM, LEAT_AT(struct k8s_association_source_conf, from), "resource_attribute",
     "the address the data came from, or an attribute of the resource", .choices = association_froms},
    {"name", LEAT_STRING, LEAT_AT(struct k8s_association_source_conf, name), NULL, "the attribute"},
    {0}};
static const struct leat_field association_fields[] = {
    {.key = "sources", .type = LEAT_LIST, .offset = LEAT_AT(struct k8s_association_conf, sources),
     .fields = source_fields, .item_size = sizeof(struct k8s_association_source_conf),
     .doc = "all of these must be there and fit; at most four"},
    {0}};
static const struct leat_field exclude_pod_fields[] = {
    {"name", LEAT_STRING, LEAT_AT(struct k8s_exclude_conf, name), NULL, "a regular expression over the pod's name",
     LEAT_REQUIRED},
    {0}};
static const struct leat_field exclude_fields[] = {
    {.key = "pods", .type = LEAT_LIST, .offset = C(exclude.pods) - C(exclude), .fields = exclude_pod_fields,
     .item_size = sizeof(struct k8s_exclude_conf),
     .doc = "pods to leave alone; when none is named jaeger-agent and jaeger-collector"},
    {0}};

const struct leat_field k8s_attributes_fields[] = {
    {"auth_type", LEAT_ENUM, C(auth_type), "serviceAccount",
     "serviceAccount: as the pod leat runs in; kubeConfig: $KUBECONFIG or ~/.kube/config; none: no credentials, TLS unverified",
     .choices = auth_types},
    {"context", LEAT_STRING, C(context), NULL, "of the kubeconfig, instead of its current one"},
    {"kube_api_qps", LEAT_IGNORED, 0, NULL, RATE},
    {"kube_api_burst", LEAT_IGNORED, 0, NULL, RATE},
    {"passthrough", LEAT_BOOL, C(passthrough), "false", "only note the address data came from as k8s.pod.ip; no API is asked"},
    {.key = "extract", .type = LEAT_SECTION, .offset = C(extract), .fields = metadata_fields, .doc = "what is added"},
    {.key = "filter", .type = LEAT_SECTION, .offset = C(filter), .fields = filter_fields, .doc = "which pods are watched"},
    {.key = "pod_association", .type = LEAT_LIST, .offset = C(pod_association), .fields = association_fields,
     .item_size = sizeof(struct k8s_association_conf),
     .doc = "how a resource is known as a pod's: the first rule whose sources are all there decides"},
    {.key = "exclude", .type = LEAT_SECTION, .offset = C(exclude), .fields = exclude_fields, .doc = "pods to leave alone"},
    {"wait_for_metadata", LEAT_BOOL, C(wait_for_metadata), "false", "let nothing in at start before pods have been listed once"},
    {"wait_for_metadata_timeout", LEAT_DURATION, C(wait_for_metadata_timeout_ns), "10s", "at most so long", .max = 3.6e12},
    {"watch_sync_period", LEAT_IGNORED, 0, NULL, NO_RESYNC},
    {"pod_delete_grace_period", LEAT_DURATION, C(pod_delete_grace_period_ns), "120s",
     "how long a deleted pod stays known", .max = 8.64e13},
    {"pod_wait_timeout", LEAT_DURATION, C(pod_wait_timeout_ns), "2s",
     "how long data of a pod that the API has not shown yet waits for it; 0: not at all", .max = 6e10},
    {"pod_wait_items", LEAT_INT, C(pod_wait_items), "20000", "at most so many items wait, per pipeline and shard", .min = 1, .max = 1e9},
    {"pod_wait_bytes", LEAT_SIZE, C(pod_wait_bytes), "16MiB", "and so many bytes", .min = 1, .max = 1e12},
    {0}};

const struct leat_counter_def k8s_attributes_counters[] = {
    [K8S_FOUND] = {"processor_k8s_attributes_resources_total", "result=\"found\"", "resources looked at"},
    [K8S_UNKNOWN] = {"processor_k8s_attributes_resources_total", "result=\"unknown_pod\"", "resources looked at"},
    [K8S_NAMELESS] = {"processor_k8s_attributes_resources_total", "result=\"no_identity\"", "resources looked at"},
    [K8S_WAITED] = {"processor_k8s_attributes_waited_items_total", "", "items that waited for a pod to be shown"},
    [K8S_GIVEN_UP] = {"processor_k8s_attributes_given_up_total", "reason=\"timeout\"", "identities no longer waited for"},
    [K8S_OVERFLOW] = {"processor_k8s_attributes_given_up_total", "reason=\"overflow\"", "identities no longer waited for"},
    [K8S_CUT] = {"processor_k8s_attributes_attributes_left_out_total", "", "attributes over a limit"},
    {0}};

static leat_rc check_extracts(const struct leat_items *items, const char *what, struct leat_err *reterr)
{
    const struct k8s_extract_conf *conf = items->at;
    for (uint32_t i = 0; i < items->count; i++) {
        bool key = conf[i].key && *conf[i].key, regex = conf[i].key_regex && *conf[i].key_regex;
        if (key == regex)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extract: %s: one of 'key' and 'key_regex' is needed", what);
    }
    return LEAT_OK;
}

static leat_rc check_filters(const struct k8s_attributes_conf *conf, struct leat_err *reterr)
{
    const struct k8s_label_filter_conf *fields = conf->filter.fields.at, *labels = conf->filter.labels.at;
    for (uint32_t i = 0; i < conf->filter.fields.count; i++)
        if (fields[i].op > 1)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "filter: fields: only equals and not-equals are possible");
    for (uint32_t i = 0; i < conf->filter.labels.count; i++)
        if (labels[i].op > 1 && labels[i].value && *labels[i].value)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "filter: labels: exists and does-not-exist take no value");
    return LEAT_OK;
}

leat_rc k8s_attributes__check(const void *conf, struct leat_err *reterr)
{
    const struct k8s_attributes_conf *k8s = conf;
    struct k8s_rules rules = {0};
    leat_rc rc = check_extracts(&k8s->extract.labels, "labels", reterr);
    if (rc == LEAT_OK)
        rc = check_extracts(&k8s->extract.annotations, "annotations", reterr);
    if (rc == LEAT_OK)
        rc = check_filters(k8s, reterr);
    if (rc == LEAT_OK)
        rc = k8s_rules_open(&rules, k8s, reterr);
    k8s_rules_close(&rules);
    return rc;
}
