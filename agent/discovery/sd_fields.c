/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/discovery.h"
#include "agent/discovery/sd_conf.h"

#define ROW(key, type, at, deflt, doc) {key, type, at, deflt, doc, 0, 0, 0, NULL, NULL, 0, 0}
#define INLINE(at, fields) {"", LEAT_INLINE, at, NULL, NULL, 0, 0, 0, NULL, fields, 0, 0}
#define ITEMS(key, at, doc, fields, type) {key, LEAT_LIST, at, NULL, doc, 0, 0, 0, NULL, fields, sizeof(type), 0}
#define EVERY(at, deflt, doc) \
    {"refresh_interval", LEAT_DURATION, at, deflt, doc, LEAT_PROM_UNITS, 1e6, 9e18, NULL, NULL, 0, 0}

static const struct leat_field static_fields[] = {
    ROW("targets", LEAT_STRINGS, LEAT_AT(struct leat_static_conf, targets), NULL, "host:port of each target"),
    ROW("labels", LEAT_MAP, LEAT_AT(struct leat_static_conf, labels), NULL, "labels of all of them"),
    {0}};

static const struct leat_field file_fields[] = {
    {"files", LEAT_STRINGS, LEAT_AT(struct leat_file_sd_conf, files), NULL,
     "files ending in .json, .yml or .yaml; the last part of a path may hold wildcards", LEAT_REQUIRED, 0, 0, NULL, NULL,
     0, 0},
    EVERY(LEAT_AT(struct leat_file_sd_conf, refresh_interval_ns), "5m",
          "how often files are read again, beside being watched"),
    {0}};

static const struct leat_field http_fields[] = {
    {"url", LEAT_STRING, LEAT_AT(struct leat_http_sd_conf, url), NULL, "where the list of targets is", LEAT_REQUIRED, 0,
     0, NULL, NULL, 0, 0},
    EVERY(LEAT_AT(struct leat_http_sd_conf, refresh_interval_ns), "1m", "how often it is asked for"),
    INLINE(LEAT_AT(struct leat_http_sd_conf, fetch), leat_fetch_fields),
    {0}};

#define K8S struct leat_k8s_sd_conf
#define WITHIN(section, member) (LEAT_AT(K8S, section.member) - LEAT_AT(K8S, section))
const char *const leat_k8s_role_names[] = {"node", "pod", "service", "endpoints", "endpointslice", "ingress", NULL};
#define ROLE(at, doc) {"role", LEAT_ENUM, at, NULL, doc, LEAT_REQUIRED, 0, 0, leat_k8s_role_names, NULL, 0, 0}

static const struct leat_field namespaces_fields[] = {
    ROW("own_namespace", LEAT_BOOL, WITHIN(namespaces, own_namespace), "false", "look in the namespace leat runs in"),
    ROW("names", LEAT_STRINGS, WITHIN(namespaces, names), NULL, "namespaces to look in; none: all"),
    {0}};
static const struct leat_field selector_fields[] = {
    ROLE(LEAT_AT(struct leat_k8s_selector, role), "which objects it chooses among"),
    ROW("label", LEAT_STRING, LEAT_AT(struct leat_k8s_selector, label), NULL, "label selector"),
    ROW("field", LEAT_STRING, LEAT_AT(struct leat_k8s_selector, field), NULL, "field selector"),
    {0}};
static const struct leat_field attach_fields[] = {
    ROW("node", LEAT_BOOL, WITHIN(attach, node), "false", "add the labels of a pod's node"),
    ROW("namespace", LEAT_BOOL, WITHIN(attach, namespace), "false", "add the labels of an object's namespace"),
    ROW("deployment", LEAT_BOOL, WITHIN(attach, deployment), "false", "add the name of a pod's deployment"),
    ROW("job", LEAT_BOOL, WITHIN(attach, job), "false", "add the name of a pod's job"),
    ROW("cronjob", LEAT_BOOL, WITHIN(attach, cronjob), "false", "add the name of a pod's cron job"),
    {0}};
#define SECTION(key, member, fields, doc) \
    {key, LEAT_SECTION, LEAT_AT(K8S, member), NULL, doc, 0, 0, 0, NULL, fields, 0, 0}
static const struct leat_field k8s_fields[] = {
    ROLE(LEAT_AT(K8S, role), "what becomes a target"),
    ROW("api_server", LEAT_STRING, LEAT_AT(K8S, api_server), NULL,
        "URL of the API server; unset: the cluster leat runs in"),
    ROW("kubeconfig_file", LEAT_STRING, LEAT_AT(K8S, kubeconfig_file), NULL, "where server and credentials are told"),
    SECTION("namespaces", namespaces, namespaces_fields, "where to look"),
    ITEMS("selectors", LEAT_AT(K8S, selectors), "which objects of a role to ask for", selector_fields,
          struct leat_k8s_selector),
    SECTION("attach_metadata", attach, attach_fields, "labels of what an object belongs to"),
    INLINE(LEAT_AT(K8S, fetch), leat_fetch_fields),
    {0}};

#define CONF struct leat_sd_conf
#define NOT(name) ROW(name "_sd_configs", LEAT_REFUSED, 0, NULL, "leat knows static, file, http and kubernetes discovery")
const struct leat_field leat_sd_fields[] = {
    ITEMS("static_configs", LEAT_AT(CONF, statics), "targets written out", static_fields, struct leat_static_conf),
    ITEMS("file_sd_configs", LEAT_AT(CONF, files), "targets in files", file_fields, struct leat_file_sd_conf),
    ITEMS("http_sd_configs", LEAT_AT(CONF, https), "targets told by a web server", http_fields,
          struct leat_http_sd_conf),
    ITEMS("kubernetes_sd_configs", LEAT_AT(CONF, kubernetes), "targets in Kubernetes", k8s_fields, K8S),
    NOT("azure"), NOT("aws"), NOT("consul"), NOT("digitalocean"), NOT("dns"), NOT("docker"), NOT("dockerswarm"), NOT("ec2"),
    NOT("eureka"), NOT("gce"), NOT("hetzner"), NOT("ionos"), NOT("kuma"), NOT("lightsail"), NOT("linode"),
    NOT("marathon"), NOT("nerve"), NOT("nomad"), NOT("openstack"), NOT("ovhcloud"), NOT("puppetdb"), NOT("scaleway"),
    NOT("serverset"), NOT("stackit"), NOT("triton"), NOT("uyuni"), NOT("vultr"),
    {0}};
