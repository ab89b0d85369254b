/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/deliver/url.h"
#include "exporters/loki/loki.h"

#define AT(member) LEAT_AT(struct loki_conf, member)

const struct leat_field loki_fields[] = {
    {.key = "labels",
     .type = LEAT_MAP,
     .offset = AT(labels),
     .doc = "label name: resource attribute; without it service, namespace, container and workload names"},
    {.key = "tenant_id", .type = LEAT_STRING, .offset = AT(tenant_id), .doc = "X-Scope-OrgID of every request"},
    {.key = "tenant_attribute",
     .type = LEAT_STRING,
     .offset = AT(tenant_attribute),
     .doc = "resource attribute that names the tenant, where present"},
    {.key = "tenant_metadata",
     .type = LEAT_STRING,
     .offset = AT(tenant_metadata),
     .doc = "client header that names the tenant, where present (needs include_metadata at the receiver)"},
    {.key = "max_request_size",
     .type = LEAT_SIZE,
     .offset = AT(request_bytes_max),
     .deflt = "1MiB",
     .min = 4096,
     .max = 104857600,
     .doc = "a request ends after so many bytes before compression"},
    {0}};

/* Names as Loki's own OTLP endpoint gives them, few values each: pods and instances are metadata. */
static const struct leat_pair default_labels[] = {
    {"service_name", "service.name"},
    {"service_namespace", "service.namespace"},
    {"deployment_environment_name", "deployment.environment.name"},
    {"k8s_cluster_name", "k8s.cluster.name"},
    {"k8s_namespace_name", "k8s.namespace.name"},
    {"k8s_container_name", "k8s.container.name"},
    {"k8s_deployment_name", "k8s.deployment.name"},
    {"k8s_statefulset_name", "k8s.statefulset.name"},
    {"k8s_daemonset_name", "k8s.daemonset.name"},
    {"k8s_cronjob_name", "k8s.cronjob.name"},
};

static bool label_name_is_valid(const char *name)
{
    if (isdigit((unsigned char)*name) || strncmp(name, "__", 2) == 0)
        return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_')
            return false;
    return *name != 0;
}

leat_rc loki_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct loki_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    struct leat_url url;
    if (!http->endpoint || !*http->endpoint)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint is required: http://loki:3100/loki/api/v1/push");
    if (leat_url_parse(http->endpoint, &url, reterr) != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "endpoint") : LEAT_ECONFIG;
    if (own->labels.count > LOKI_LABELS_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "labels: more than %u", LOKI_LABELS_MAX);
    for (uint32_t i = 0; i < own->labels.count; i++)
        if (!label_name_is_valid(own->labels.at[i].key))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "labels: \"%.64s\" is no label name ([a-zA-Z_][a-zA-Z0-9_]*)",
                              own->labels.at[i].key);
    return LEAT_OK;
}

/* An address without a path gets Loki's. */
static char *push_url(const char *endpoint)
{
    struct leat_url url;
    bool bare = leat_url_parse(endpoint, &url, NULL) == LEAT_OK && leat_slice_is(url.target, "/");
    size_t len = strlen(endpoint), room = len + sizeof "/loki/api/v1/push";
    char *text = leat_alloc(room);
    if (text)
        (void)snprintf(text, room, "%.*s%s", (int)(bare && endpoint[len - 1] == '/' ? len - 1 : len), endpoint,
                       bare ? "/loki/api/v1/push" : "");
    return text;
}

leat_rc loki_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                  struct leat_err *reterr)
{
    (void)signal;
    struct loki_state *loki = state;
    const struct loki_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    const struct leat_pair *pairs = own->labels.count ? own->labels.at : default_labels;
    loki->conf = own;
    loki->world = world;
    loki->label_count =
        own->labels.count ? own->labels.count : (uint32_t)(sizeof default_labels / sizeof *default_labels);
    for (uint32_t i = 0; i < loki->label_count; i++)
        loki->labels[i] = (struct loki_label){.name = pairs[i].key, .attribute = leat_slice_str(pairs[i].value)};
    loki->url = push_url(http->endpoint);
    return loki->url ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for an address");
}

void loki_close(void *state)
{
    struct loki_state *loki = state;
    leat_free(loki->url);
    leat_free(loki->repeats);
    struct leat_strbuf *texts[] = {&loki->label_text, &loki->opened_text, &loki->tenant,         &loki->next_tenant,
                                   &loki->name,       &loki->text,        &loki->last.attributes};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        leat_strbuf_done(texts[i]);
    loki_push_done(&loki->push);
    loki_push_done(&loki->resource_metadata);
    loki_push_done(&loki->scope_metadata);
    loki->url = NULL;
    loki->repeats = NULL;
}
