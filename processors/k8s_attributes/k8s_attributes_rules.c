/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration, compiled. */
#include "agent/base/alloc.h"
#include "processors/k8s_attributes/k8s_attributes.h"

const char *const k8s_metadata_names[] = {
    [K8S_NAMESPACE_NAME] = "k8s.namespace.name",
    [K8S_POD_NAME] = "k8s.pod.name",
    [K8S_POD_UID] = "k8s.pod.uid",
    [K8S_POD_HOSTNAME] = "k8s.pod.hostname",
    [K8S_POD_IP] = "k8s.pod.ip",
    [K8S_POD_START_TIME] = "k8s.pod.start_time",
    [K8S_NODE_NAME] = "k8s.node.name",
    [K8S_NODE_UID] = "k8s.node.uid",
    [K8S_DEPLOYMENT_NAME] = "k8s.deployment.name",
    [K8S_DEPLOYMENT_UID] = "k8s.deployment.uid",
    [K8S_REPLICASET_NAME] = "k8s.replicaset.name",
    [K8S_REPLICASET_UID] = "k8s.replicaset.uid",
    [K8S_STATEFULSET_NAME] = "k8s.statefulset.name",
    [K8S_STATEFULSET_UID] = "k8s.statefulset.uid",
    [K8S_DAEMONSET_NAME] = "k8s.daemonset.name",
    [K8S_DAEMONSET_UID] = "k8s.daemonset.uid",
    [K8S_JOB_NAME] = "k8s.job.name",
    [K8S_JOB_UID] = "k8s.job.uid",
    [K8S_CRONJOB_NAME] = "k8s.cronjob.name",
    [K8S_CRONJOB_UID] = "k8s.cronjob.uid",
    [K8S_CLUSTER_UID] = "k8s.cluster.uid",
    [K8S_CONTAINER_NAME] = "k8s.container.name",
    [K8S_CONTAINER_ID] = "container.id",
    [K8S_IMAGE_NAME] = "container.image.name",
    [K8S_IMAGE_TAG] = "container.image.tag",
};

static leat_rc no_memory(struct leat_err *reterr)
{
    return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
}

static leat_rc open_metadata(struct k8s_rules *rules, const struct leat_strings *names, struct leat_err *reterr)
{
    for (uint32_t i = 0; i < names->count; i++) {
        int what = 0;
        while (what < K8S_METADATA_COUNT && strcmp(k8s_metadata_names[what], names->at[i]) != 0)
            what++;
        if (what == K8S_METADATA_COUNT)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extract: metadata: \"%s\" is not supported", names->at[i]);
        rules->metadata |= 1ull << what;
    }
    static const struct {
        enum k8s_metadata what;
        enum leat_k8s_kind kind;
    } needs[] = {{K8S_NODE_UID, LEAT_K8S_NODE}, {K8S_DEPLOYMENT_UID, LEAT_K8S_DEPLOYMENT},
                 {K8S_CRONJOB_UID, LEAT_K8S_JOB}, {K8S_CLUSTER_UID, LEAT_K8S_NAMESPACE}};
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (K8S_WANTS(rules, needs[i].what))
            rules->kinds |= LEAT_K8S_KIND_BIT(needs[i].kind);
    return LEAT_OK;
}

static leat_rc open_extract(struct k8s_rules *rules, const struct k8s_extract_conf *conf, bool annotation,
                            struct leat_err *reterr)
{
    static const char *const prefixes[][2] = {{"k8s.pod.labels.", "k8s.pod.annotations."}, /* the later ones are in the singular */
                                              {"k8s.namespace.labels.", "k8s.namespace.annotations."},
                                              {"k8s.node.labels.", "k8s.node.annotations."},
                                              {"k8s.deployment.label.", "k8s.deployment.annotation."},
                                              {"k8s.statefulset.label.", "k8s.statefulset.annotation."},
                                              {"k8s.daemonset.label.", "k8s.daemonset.annotation."},
                                              {"k8s.job.label.", "k8s.job.annotation."}};
    struct k8s_extract *extract = &rules->extracts[rules->extract_count++];
    *extract = (struct k8s_extract){.from = (enum k8s_from)conf->from, .annotation = annotation,
                                    .prefix = prefixes[conf->from][annotation],
                                    .plain = conf->tag_name && *conf->tag_name ? conf->tag_name : NULL};
    if (conf->from != K8S_FROM_POD)
        rules->kinds |= LEAT_K8S_KIND_BIT(conf->from);
    if (conf->key && *conf->key) {
        extract->key = conf->key;
        return LEAT_OK;
    }
    leat_rc rc = leat_regex_go_open(conf->key_regex, true, &extract->regex, reterr);
    if (rc == LEAT_OK && extract->plain && !leat_template_is_plain(extract->plain))
        rc = leat_template_open(extract->plain, extract->regex, &extract->tag, reterr);
    return rc;
}

static leat_rc open_extracts(struct k8s_rules *rules, const struct k8s_attributes_conf *conf, struct leat_err *reterr)
{
    const struct leat_items *labels = &conf->extract.labels, *annotations = &conf->extract.annotations;
    rules->extracts = leat_zalloc(labels->count + annotations->count + 1, sizeof *rules->extracts);
    if (!rules->extracts)
        return no_memory(reterr);
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < labels->count; i++)
        rc = open_extract(rules, (const struct k8s_extract_conf *)labels->at + i, false, reterr);
    for (uint32_t i = 0; rc == LEAT_OK && i < annotations->count; i++)
        rc = open_extract(rules, (const struct k8s_extract_conf *)annotations->at + i, true, reterr);
    return rc;
}

/* ---- associations ---- */

static leat_rc by_of(const char *name, enum leat_k8s_by *ret_by, struct leat_err *reterr)
{
    static const struct {
        const char *name;
        enum leat_k8s_by by;
    } known[] = {{"k8s.pod.uid", LEAT_K8S_BY_UID},       {"k8s.pod.ip", LEAT_K8S_BY_IP},
                 {"ip", LEAT_K8S_BY_IP},                 {"host.name", LEAT_K8S_BY_IP},
                 {"k8s.pod.name", LEAT_K8S_BY_NAME},     {"k8s.namespace.name", LEAT_K8S_BY_NAMESPACE},
                 {"container.id", LEAT_K8S_BY_CONTAINER}, {"k8s.node.name", LEAT_K8S_BY_NODE},
                 {"k8s.pod.hostname", LEAT_K8S_BY_HOSTNAME}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (name && strcmp(known[i].name, name) == 0) {
            *ret_by = known[i].by;
            return LEAT_OK;
        }
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "pod_association: a pod cannot be told by the attribute \"%s\"", name ? name : "");
}

static leat_rc open_association(struct k8s_association *association, const struct k8s_association_conf *conf,
                                struct leat_err *reterr)
{
    const struct k8s_association_source_conf *sources = conf->sources.at;
    bool leads = false;
    if (conf->sources.count == 0 || conf->sources.count > ASSOCIATION_SOURCES_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "pod_association: a rule has one to %u sources", ASSOCIATION_SOURCES_MAX);
    for (uint32_t i = 0; i < conf->sources.count; i++) {
        struct k8s_source_of *source = &association->sources[association->count++];
        source->by = LEAT_K8S_BY_CONNECTION;
        if (sources[i].from == 1) {
            leat_rc rc = by_of(sources[i].name, &source->by, reterr);
            if (rc != LEAT_OK)
                return rc;
            source->name = sources[i].name;
        }
        leads |= leat_k8s_by_leads(source->by);
    }
    return leads ? LEAT_OK
                 : LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                              "pod_association: namespace, node or hostname alone are no pod: name its uid, ip, name or container");
}

static const struct k8s_association defaults[] = {{1, {{LEAT_K8S_BY_CONNECTION, "k8s.pod.ip"}}},
                                                  {1, {{LEAT_K8S_BY_CONNECTION, "ip"}}},
                                                  {1, {{LEAT_K8S_BY_CONNECTION, NULL}}},
                                                  {1, {{LEAT_K8S_BY_CONNECTION, "host.name"}}}};

static leat_rc open_associations(struct k8s_rules *rules, const struct leat_items *items, struct leat_err *reterr)
{
    uint32_t count = items->count ? items->count : sizeof defaults / sizeof *defaults;
    rules->associations = leat_zalloc(count, sizeof *rules->associations);
    if (!rules->associations)
        return no_memory(reterr);
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < count; i++) {
        struct k8s_association *association = &rules->associations[rules->association_count++];
        if (items->count)
            rc = open_association(association, (const struct k8s_association_conf *)items->at + i, reterr);
        else
            *association = defaults[i];
    }
    return rc;
}

static leat_rc open_excludes(struct k8s_rules *rules, const struct leat_items *items, struct leat_err *reterr)
{
    static const struct k8s_exclude_conf jaeger[] = {{"jaeger-agent"}, {"jaeger-collector"}};
    const struct k8s_exclude_conf *excludes = items->count ? items->at : jaeger;
    uint32_t count = items->count ? items->count : 2;
    rules->excludes = leat_zalloc(count, sizeof *rules->excludes);
    if (!rules->excludes)
        return no_memory(reterr);
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < count; i++)
        rc = leat_regex_go_open(excludes[i].name, false, &rules->excludes[rules->exclude_count++], reterr);
    return rc;
}

leat_rc k8s_rules_open(struct k8s_rules *rules, const struct k8s_attributes_conf *conf, struct leat_err *reterr)
{
    rules->otel_annotations = conf->extract.otel_annotations;
    leat_rc rc = open_metadata(rules, &conf->extract.metadata, reterr);
    if (rc == LEAT_OK)
        rc = open_extracts(rules, conf, reterr);
    if (rc == LEAT_OK)
        rc = open_associations(rules, &conf->pod_association, reterr);
    if (rc == LEAT_OK)
        rc = open_excludes(rules, &conf->exclude.pods, reterr);
    return rc;
}

void k8s_rules_close(struct k8s_rules *rules)
{
    for (uint32_t i = 0; i < rules->extract_count; i++) {
        leat_template_close(rules->extracts[i].tag);
        leat_regex_close(rules->extracts[i].regex);
    }
    for (uint32_t i = 0; i < rules->exclude_count; i++)
        leat_regex_close(rules->excludes[i]);
    leat_free(rules->extracts);
    leat_free(rules->associations);
    leat_free(rules->excludes);
    *rules = (struct k8s_rules){0};
}

bool k8s_rules_exclude(struct k8s_rules *rules, struct leat_slice pod_name)
{
    for (uint32_t i = 0; i < rules->exclude_count; i++)
        if (leat_regex_find(rules->excludes[i], pod_name))
            return true;
    return false;
}
