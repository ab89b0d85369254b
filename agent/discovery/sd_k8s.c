/* SPDX-License-Identifier: Apache-2.0 */
/* kubernetes_sd_configs: watches by role, what they say kept, groups made of it.
 *
 * Nodes alone, pods alone and the like go straight to groups. Endpoints, and whatever has node or namespace labels
 * attached, are kept as they came and made into groups when a list is due: any of their parts may have changed. */
#include "agent/discovery/sd_k8s.h"

#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/discovery/sd_k8s_share.h"

enum kind { KIND_NODE, KIND_POD, KIND_SERVICE, KIND_ENDPOINTS, KIND_ENDPOINTSLICE, KIND_INGRESS, KIND_NAMESPACE,
            KIND_REPLICASET, KIND_JOB };
#define WATCHES_MAX 512u /* namespaces times kinds */

static const struct {
    const char *group, *name;
    bool cluster_wide, metadata_only;
} resources[] = {{"/api/v1", "nodes", true, false},
                 {"/api/v1", "pods", false, false},
                 {"/api/v1", "services", false, false},
                 {"/api/v1", "endpoints", false, false},
                 {"/apis/discovery.k8s.io/v1", "endpointslices", false, false},
                 {"/apis/networking.k8s.io/v1", "ingresses", false, false},
                 {"/api/v1", "namespaces", true, true},
                 {"/apis/apps/v1", "replicasets", false, true},
                 {"/apis/batch/v1", "jobs", false, true}};

struct slot {
    struct k8s_source *source;
    enum kind kind;
    struct sd_k8s_listener listener;
};
struct k8s_source {
    struct leat_sd_source base;
    const struct leat_k8s_sd_conf *conf;
    struct sd_k8s_server *server;
    struct slot *slots;
    uint32_t slot_count;
    struct k8s_stores stores;
    bool composes, stale;
};

/* ---- the check ---- */

static bool allowed(int role, int selector)
{
    bool follows = role == LEAT_K8S_ENDPOINTS || role == LEAT_K8S_ENDPOINTSLICE;
    return selector == role || (follows && (selector == LEAT_K8S_POD || selector == LEAT_K8S_SERVICE));
}

static leat_rc check_selectors(const struct leat_k8s_sd_conf *conf, struct leat_err *reterr)
{
    const struct leat_k8s_selector *at = conf->selectors.at;
    for (uint32_t i = 0; i < conf->selectors.count; i++) {
        if (!allowed(conf->role, at[i].role))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s role supports no %s selectors",
                              leat_k8s_role_names[conf->role], leat_k8s_role_names[at[i].role]);
        for (uint32_t k = 0; k < i; k++)
            if (at[k].role == at[i].role)
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "duplicated selector role: %s",
                                  leat_k8s_role_names[at[i].role]);
    }
    return LEAT_OK;
}

static bool has(const char *text) { return text && text[0]; }

leat_rc leat_sd__k8s_check(const struct leat_k8s_sd_conf *conf, struct leat_err *reterr)
{
    const struct leat_fetch_conf *fetch = &conf->fetch;
    bool custom = fetch->basic_auth.present || fetch->authorization.present || has(fetch->bearer_token) ||
                  has(fetch->bearer_token_file) || fetch->tls.present || has(fetch->proxy_url);
    if (has(conf->api_server) && has(conf->kubeconfig_file))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    if ((has(conf->api_server) || has(conf->kubeconfig_file)) && conf->namespaces.own_namespace)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "cannot use '%s' and 'namespaces.own_namespace' simultaneously",
                          has(conf->api_server) ? "api_server" : "kubeconfig_file");
    if (!has(conf->api_server) && custom)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
    if (has(fetch->basic_auth.username_file) || has(fetch->basic_auth.password_file))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "basic_auth of an API server takes no files; use authorization");
    if (has(fetch->no_proxy) || fetch->proxy_from_environment || fetch->http_headers.kind != LEAT_NULL)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "no_proxy, proxy_from_environment and http_headers are not used for an API server");
    if (has(fetch->tls.min_version) || has(fetch->tls.max_version))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "tls_config of an API server takes no TLS versions");
    if (conf->role == LEAT_K8S_NODE && conf->attach.namespace)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "nodes have no namespace to attach");
    leat_rc rc = leat_fetch_check(fetch, reterr);
    return rc == LEAT_OK ? check_selectors(conf, reterr) : rc;
}

/* ---- objects ---- */

static struct leat_sd_groups *store_of(struct k8s_source *source, enum kind kind)
{
    switch (kind) {
    case KIND_NODE:
        return &source->stores.nodes;
    case KIND_POD:
        return &source->stores.pods;
    case KIND_SERVICE:
        return &source->stores.services;
    case KIND_NAMESPACE:
        return &source->stores.namespaces;
    case KIND_REPLICASET:
        return &source->stores.replicasets;
    case KIND_JOB:
        return &source->stores.jobs;
    default:
        return &source->stores.endpoints;
    }
}

static leat_rc fill(struct k8s_source *source, enum kind kind, struct leat_sd_group *group, const struct sd_tree *object)
{
    switch (kind) {
    case KIND_NODE:
        return k8s_node_fill(group, object);
    case KIND_POD:
        return k8s_pod_fill(group, object);
    case KIND_SERVICE:
        return k8s_service_fill(group, object);
    case KIND_INGRESS:
        return k8s_ingress_fill(group, object);
    case KIND_ENDPOINTS:
        return k8s_endpoints_fill(group, object, &source->stores, source->conf->attach.node);
    case KIND_ENDPOINTSLICE:
        return k8s_endpointslice_fill(group, object, &source->stores, source->conf->attach.node);
    case KIND_REPLICASET:
        return k8s_owner_fill(group, object, "Deployment");
    case KIND_JOB:
        return k8s_owner_fill(group, object, "CronJob");
    default:
        return k8s_namespace_fill(group, object);
    }
}

/* Its namespace, and what is known of that. */
static void put_namespace(const struct k8s_source *source, struct leat_sd_group *group, struct leat_slice ns)
{
    if (ns.len == 0)
        return;
    leat_sd__label_str(group, &group->common, K8S_META "namespace", ns);
    const struct leat_sd_group *known = k8s_find(&source->stores.namespaces, (struct leat_slice){0}, ns);
    if (source->conf->attach.namespace && known)
        k8s_put_item(group, &group->common, &known->common);
}

static struct leat_slice key_of(const struct leat_k8s_object *object, char *room, size_t size)
{
    int len = object->ns.len ? snprintf(room, size, "%.*s/%.*s", LEAT_SLICE_ARGS(object->ns),
                                        LEAT_SLICE_ARGS(object->name))
                             : snprintf(room, size, "%.*s", LEAT_SLICE_ARGS(object->name));
    return leat_slice_of(room, len > 0 && (size_t)len < size ? (uint32_t)len : 0);
}

/* From the object's JSON; out of memory: NULL, and *ret_rc says so. An object that is none: NULL and LEAT_OK. */
static struct leat_sd_group *make_group(struct k8s_source *source, enum kind kind, struct leat_slice key,
                                        struct leat_slice ns, struct leat_slice json, leat_rc *ret_rc)
{
    struct leat_arena arena = {.bytes_max = LEAT_SD_GROUP_BYTES_MAX};
    struct leat_sd_group *group = leat_sd__group_new(key);
    const struct sd_tree *object = group ? sd_tree_read(&arena, json) : NULL;
    *ret_rc = !group || arena.failed ? LEAT_ENOMEM : LEAT_OK;
    if (object) {
        bool direct = !source->composes || kind == KIND_ENDPOINTS || kind == KIND_ENDPOINTSLICE;
        if (direct)
            put_namespace(source, group, ns);
        *ret_rc = fill(source, kind, group, object);
    }
    if (!object || *ret_rc != LEAT_OK) {
        leat_sd__group_free(group);
        group = NULL;
    }
    leat_arena_done(&arena);
    return group;
}

/* Endpoints are kept as text: their labels depend on others. */
static struct leat_sd_group *keep_raw(struct leat_slice key, struct leat_slice json, leat_rc *ret_rc)
{
    struct leat_sd_group *group = leat_sd__group_new(key);
    if (group)
        group->raw = leat_sd__keep(group, json);
    *ret_rc = !group || group->arena.failed ? LEAT_ENOMEM : LEAT_OK;
    if (*ret_rc == LEAT_OK)
        return group;
    leat_sd__group_free(group);
    return NULL;
}

static leat_rc changed(void *ctx, const struct leat_k8s_object *object)
{
    struct slot *slot = ctx;
    struct k8s_source *source = slot->source;
    struct leat_sd_groups *store = source->composes ? store_of(source, slot->kind) : &source->base.groups;
    char room[1200];
    struct leat_slice key = key_of(object, room, sizeof room);
    bool raw = slot->kind == KIND_ENDPOINTS || slot->kind == KIND_ENDPOINTSLICE;
    leat_rc rc = LEAT_OK;
    if (key.len == 0)
        return LEAT_OK;
    if (object->event == LEAT_K8S_DELETED) {
        (void)leat_sd__groups_remove(store, key);
    } else {
        struct leat_sd_group *group = raw ? keep_raw(key, object->json, &rc)
                                          : make_group(source, slot->kind, key, object->ns, object->json, &rc);
        if (group && !raw && slot->kind != KIND_REPLICASET && slot->kind != KIND_JOB)
            group->raw = leat_sd__keep(group, object->ns);
        if (group)
            rc = leat_sd__groups_put(store, group);
        else if (rc == LEAT_OK)
            leat_sd__failed(&source->base, "%.*s cannot be read", LEAT_SLICE_ARGS(key));
    }
    source->stale = true;
    source->base.refreshes++;
    if (source->base.spoken)
        leat_sd__changed(&source->base);
    return rc;
}

static void synced(void *ctx)
{
    struct k8s_source *source = ((struct slot *)ctx)->source;
    for (uint32_t i = 0; i < source->slot_count; i++)
        if (!leat_k8s_watch_synced(source->slots[i].listener.of->watch))
            return;
    leat_sd__changed(&source->base);
}

/* ---- groups out of what is kept ---- */

static struct leat_sd_group *compose_plain(const struct k8s_source *source, const struct leat_sd_group *from)
{
    struct leat_sd_group *group = leat_sd__group_new(from->key);
    if (!group)
        return NULL;
    put_namespace(source, group, from->raw); /* of what is no endpoint, `raw` is its namespace */
    k8s_put_item(group, &group->common, &from->common);
    struct leat_slice node = leat_sd__item_get(&from->common, K8S_META "pod_node_name");
    if (source->conf->attach.node && source->conf->role == LEAT_K8S_POD)
        k8s_put_node(group, &group->common, &source->stores, node);
    if (source->conf->role == LEAT_K8S_POD)
        k8s_put_owner(group, &group->common, &source->stores, from);
    for (uint32_t i = 0; i < from->count; i++)
        k8s_put_item(group, leat_sd__target(group), &from->targets[i]);
    return group;
}

static struct leat_sd_group *compose_endpoints(struct k8s_source *source, const struct leat_sd_group *from, leat_rc *ret_rc)
{
    const uint8_t *slash = memchr(from->key.at, '/', from->key.len);
    struct leat_slice ns = leat_slice_of(from->key.at, slash ? (uint32_t)(slash - from->key.at) : 0);
    enum kind kind = source->conf->role == LEAT_K8S_ENDPOINTS ? KIND_ENDPOINTS : KIND_ENDPOINTSLICE;
    return make_group(source, kind, from->key, ns, from->raw, ret_rc);
}

static leat_rc compose(struct leat_sd_source *base)
{
    struct k8s_source *source = LEAT_CONTAINER(base, struct k8s_source, base);
    bool endpoints = source->conf->role == LEAT_K8S_ENDPOINTS || source->conf->role == LEAT_K8S_ENDPOINTSLICE;
    const struct leat_sd_groups *from = store_of(source, (enum kind)source->conf->role);
    struct leat_sd_groups made = {0};
    leat_rc rc = LEAT_OK;
    if (!source->stale)
        return LEAT_OK;
    for (uint32_t i = 0; i < from->bucket_count && rc == LEAT_OK; i++)
        for (const struct leat_sd_group *at = from->buckets[i]; at && rc == LEAT_OK; at = at->next) {
            struct leat_sd_group *group = endpoints ? compose_endpoints(source, at, &rc) : compose_plain(source, at);
            if (group)
                rc = leat_sd__groups_put(&made, group);
            else if (!endpoints)
                rc = LEAT_ENOMEM;
        }
    if (rc != LEAT_OK) {
        leat_sd__groups_clear(&made);
        return rc;
    }
    leat_sd__groups_clear(&base->groups);
    base->groups = made;
    source->stale = false;
    return LEAT_OK;
}

/* ---- opening ---- */

static leat_rc open_watch(struct k8s_source *source, enum kind kind, const char *ns, struct leat_err *reterr)
{
    static const struct leat_k8s_watch_events events = {.changed = changed, .synced = synced};
    struct slot *slot = &source->slots[source->slot_count];
    const struct leat_k8s_selector *selectors = source->conf->selectors.at;
    char path[512];
    struct leat_k8s_watch_conf conf = {
        .path = path, .who = leat_sd__who(&source->base), .metadata_only = resources[kind].metadata_only};
    int len = has(ns) ? snprintf(path, sizeof path, "%s/namespaces/%s/%s", resources[kind].group, ns, resources[kind].name)
                      : snprintf(path, sizeof path, "%s/%s", resources[kind].group, resources[kind].name);
    if (len < 0 || (size_t)len >= sizeof path || source->slot_count == WATCHES_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "too many or too long namespaces");
    for (uint32_t i = 0; i < source->conf->selectors.count; i++)
        if (selectors[i].role == (int)kind) {
            conf.field_selector = selectors[i].field;
            conf.label_selector = selectors[i].label;
        }
    *slot = (struct slot){.source = source, .kind = kind, .listener = {.events = &events, .ctx = slot}};
    leat_rc rc = sd_k8s_watch_use(source->server, &conf, &slot->listener, reterr);
    source->slot_count += rc == LEAT_OK;
    return rc;
}

static leat_rc open_kind(struct k8s_source *source, enum kind kind, struct leat_err *reterr)
{
    const struct leat_strings *names = &source->conf->namespaces.names;
    bool own = source->conf->namespaces.own_namespace;
    leat_rc rc = LEAT_OK;
    if (resources[kind].cluster_wide || (names->count == 0 && !own))
        return open_watch(source, kind, NULL, reterr);
    if (own)
        rc = open_watch(source, kind, leat_k8s_client_namespace(source->server->client), reterr);
    for (uint32_t i = 0; i < names->count && rc == LEAT_OK; i++)
        rc = open_watch(source, kind, names->at[i], reterr);
    return rc;
}

/* Which kinds of objects a role needs. */
static leat_rc open_watches(struct k8s_source *source, struct leat_err *reterr)
{
    int role = source->conf->role;
    bool endpoints = role == LEAT_K8S_ENDPOINTS || role == LEAT_K8S_ENDPOINTSLICE;
    bool nodes = source->conf->attach.node && (endpoints || role == LEAT_K8S_POD);
    bool namespaces = source->conf->attach.namespace, of_pods = endpoints || role == LEAT_K8S_POD;
    bool deployments = of_pods && source->conf->attach.deployment, crons = of_pods && source->conf->attach.cronjob;
    leat_rc rc = open_kind(source, (enum kind)role, reterr);
    source->stores.job_names = of_pods && source->conf->attach.job;
    source->composes = endpoints || nodes || namespaces || deployments || crons || source->stores.job_names;
    if (rc == LEAT_OK && endpoints)
        rc = open_kind(source, KIND_SERVICE, reterr);
    if (rc == LEAT_OK && endpoints)
        rc = open_kind(source, KIND_POD, reterr);
    if (rc == LEAT_OK && nodes)
        rc = open_kind(source, KIND_NODE, reterr);
    if (rc == LEAT_OK && namespaces)
        rc = open_kind(source, KIND_NAMESPACE, reterr);
    if (rc == LEAT_OK && deployments)
        rc = open_kind(source, KIND_REPLICASET, reterr);
    if (rc == LEAT_OK && crons)
        rc = open_kind(source, KIND_JOB, reterr);
    source->base.compose = source->composes ? compose : NULL;
    return rc;
}

static void dump_k8s(const struct leat_sd_source *base, struct leat_strbuf *out)
{
    const struct k8s_source *source = LEAT_CONTAINER(base, struct k8s_source, base);
    leat_strbuf_printf(out, " role=%s server=%s", leat_k8s_role_names[source->conf->role],
                       leat_k8s_client_server(source->server->client));
    for (uint32_t i = 0; i < source->slot_count; i++) {
        leat_strbuf_puts(out, "\n  ");
        leat_k8s_watch_dump(source->slots[i].listener.of->watch, out);
    }
}

static void close_k8s(struct leat_sd_source *base)
{
    struct k8s_source *source = LEAT_CONTAINER(base, struct k8s_source, base);
    for (uint32_t i = 0; i < source->slot_count; i++)
        sd_k8s_watch_leave(&source->slots[i].listener);
    sd_k8s_server_leave(source->server);
    leat_sd__groups_clear(&source->stores.pods);
    leat_sd__groups_clear(&source->stores.services);
    leat_sd__groups_clear(&source->stores.nodes);
    leat_sd__groups_clear(&source->stores.namespaces);
    leat_sd__groups_clear(&source->stores.replicasets);
    leat_sd__groups_clear(&source->stores.jobs);
    leat_sd__groups_clear(&source->stores.endpoints);
    leat_free(source->slots);
    leat_sd__done(base);
}

leat_rc leat_sd__k8s_open(struct leat_sd_job *job, const struct leat_k8s_sd_conf *conf, struct leat_sd_source **ret_source,
                          struct leat_err *reterr)
{
    struct k8s_source *source = leat_zalloc(1, sizeof *source);
    if (!source)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_sd__init(&source->base, job, "kubernetes_sd");
    source->base.close = close_k8s;
    source->base.dump = dump_k8s;
    source->conf = conf;
    source->slots = leat_zalloc(WATCHES_MAX, sizeof *source->slots);
    leat_rc rc = source->slots ? sd_k8s_server_use(leat_sd__k8s_servers(&source->base), leat_sd__loop(&source->base), conf,
                                                   &source->server, reterr)
                               : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (rc == LEAT_OK)
        rc = open_watches(source, reterr);
    if (rc != LEAT_OK) {
        close_k8s(&source->base);
        return rc;
    }
    *ret_source = &source->base;
    return LEAT_OK;
}
