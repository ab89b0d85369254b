/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/sd_k8s_share.h"

#include "agent/base/alloc.h"
#include "agent/discovery/fetch_inner.h"

static bool has(const char *text) { return text && text[0]; }

/* ---- servers ---- */

static leat_rc authorization(const struct leat_fetch_conf *fetch, struct leat_k8s_client_conf *conf,
                             struct leat_strbuf *text, struct leat_err *reterr)
{
    bool bearer = !fetch->authorization.type || strcasecmp(fetch->authorization.type, "bearer") == 0;
    if (fetch->authorization.present && bearer) {
        conf->token = fetch->authorization.credentials;
        conf->token_file = fetch->authorization.credentials_file;
    } else if (fetch->authorization.present) {
        if (has(fetch->authorization.credentials_file))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "credentials_file of an API server is for type Bearer");
        leat_strbuf_printf(text, "%s %s", fetch->authorization.type,
                           fetch->authorization.credentials ? fetch->authorization.credentials : "");
    } else if (fetch->basic_auth.present) {
        struct leat_strbuf pair = {0};
        leat_strbuf_printf(&pair, "%s:%s", fetch->basic_auth.username ? fetch->basic_auth.username : "",
                           fetch->basic_auth.password ? fetch->basic_auth.password : "");
        leat_strbuf_puts(text, "Basic ");
        if (!pair.failed)
            leat_strbuf_base64(text, pair.at, pair.len);
        text->failed = text->failed || pair.failed;
        leat_strbuf_done(&pair);
    } else {
        conf->token = fetch->bearer_token;
        conf->token_file = fetch->bearer_token_file;
    }
    if (text->failed)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    conf->authorization = text->len ? text->at : NULL;
    return LEAT_OK;
}

static leat_rc open_client(struct leat_loop *loop, const struct leat_k8s_sd_conf *conf, struct leat_k8s_client **ret_client,
                           struct leat_err *reterr)
{
    struct leat_strbuf text = {0};
    struct leat_k8s_client_conf client = {.auth = LEAT_K8S_SERVICE_ACCOUNT};
    leat_rc rc = LEAT_OK;
    if (has(conf->kubeconfig_file)) {
        client.auth = LEAT_K8S_KUBECONFIG;
        client.kubeconfig = conf->kubeconfig_file;
    } else if (has(conf->api_server)) {
        client.auth = LEAT_K8S_EXPLICIT;
        client.server = conf->api_server;
        client.proxy_url = has(conf->fetch.proxy_url) ? conf->fetch.proxy_url : NULL;
        client.tls = (struct leat_tls_conf){.present = true,
                                            .insecure_skip_verify = conf->fetch.tls.insecure_skip_verify,
                                            .ca_pem = conf->fetch.tls.ca,
                                            .ca_file = conf->fetch.tls.ca_file,
                                            .cert_pem = conf->fetch.tls.cert,
                                            .cert_file = conf->fetch.tls.cert_file,
                                            .key_pem = conf->fetch.tls.key,
                                            .key_file = conf->fetch.tls.key_file,
                                            .server_name_override = conf->fetch.tls.server_name,
                                            .min_version = "1.2"};
        rc = authorization(&conf->fetch, &client, &text, reterr);
    }
    if (rc == LEAT_OK)
        rc = leat_k8s_client_open(loop, &client, ret_client, reterr);
    if (text.at)
        explicit_bzero(text.at, text.len);
    leat_strbuf_done(&text);
    return rc;
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_tls(const struct leat_fetch_conf *a, const struct leat_fetch_conf *b)
{
    return a->tls.insecure_skip_verify == b->tls.insecure_skip_verify && same(a->tls.ca, b->tls.ca) &&
           same(a->tls.ca_file, b->tls.ca_file) && same(a->tls.cert, b->tls.cert) &&
           same(a->tls.cert_file, b->tls.cert_file) && same(a->tls.key, b->tls.key) &&
           same(a->tls.key_file, b->tls.key_file) && same(a->tls.server_name, b->tls.server_name);
}

static bool same_credentials(const struct leat_fetch_conf *a, const struct leat_fetch_conf *b)
{
    return a->authorization.present == b->authorization.present && same(a->authorization.type, b->authorization.type) &&
           same(a->authorization.credentials, b->authorization.credentials) &&
           same(a->authorization.credentials_file, b->authorization.credentials_file) &&
           a->basic_auth.present == b->basic_auth.present && same(a->basic_auth.username, b->basic_auth.username) &&
           same(a->basic_auth.password, b->basic_auth.password) && same(a->bearer_token, b->bearer_token) &&
           same(a->bearer_token_file, b->bearer_token_file);
}

static bool same_server(const struct leat_k8s_sd_conf *a, const struct leat_k8s_sd_conf *b)
{
    return same(a->api_server, b->api_server) && same(a->kubeconfig_file, b->kubeconfig_file) &&
           same(a->fetch.proxy_url, b->fetch.proxy_url) && same_tls(&a->fetch, &b->fetch) &&
           same_credentials(&a->fetch, &b->fetch);
}

leat_rc sd_k8s_server_use(struct leat_list *servers, struct leat_loop *loop, const struct leat_k8s_sd_conf *conf,
                          struct sd_k8s_server **ret_server, struct leat_err *reterr)
{
    LEAT_LIST_EACH(link, servers) {
        struct sd_k8s_server *server = LEAT_CONTAINER(link, struct sd_k8s_server, link);
        if (same_server(server->conf, conf)) {
            server->users++;
            *ret_server = server;
            return LEAT_OK;
        }
    }
    struct sd_k8s_server *server = leat_zalloc(1, sizeof *server);
    if (!server)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = open_client(loop, conf, &server->client, reterr);
    if (rc != LEAT_OK) {
        leat_free(server);
        return rc;
    }
    server->conf = conf;
    server->users = 1;
    leat_list_init(&server->watches);
    leat_list_push(servers, &server->link);
    *ret_server = server;
    return LEAT_OK;
}

void sd_k8s_server_leave(struct sd_k8s_server *server)
{
    if (!server || --server->users)
        return;
    leat_list_remove(&server->link);
    leat_k8s_client_close(server->client);
    leat_free(server);
}

/* ---- watches ---- */

static void tell_gone(struct sd_k8s_watch *watch, const struct leat_k8s_object *object)
{
    struct leat_k8s_object gone = *object;
    gone.event = LEAT_K8S_DELETED;
    gone.json = (struct leat_slice){0};
    LEAT_LIST_EACH(link, &watch->listeners) {
        struct sd_k8s_listener *listener = LEAT_CONTAINER(link, struct sd_k8s_listener, link);
        (void)listener->events->changed(listener->ctx, &gone);
    }
}

/* What is new to one and could not be taken by another is new to nobody: its end would not be told. */
static leat_rc on_changed(void *ctx, const struct leat_k8s_object *object)
{
    struct sd_k8s_watch *watch = ctx;
    leat_rc rc = LEAT_OK;
    LEAT_LIST_EACH(link, &watch->listeners) {
        struct sd_k8s_listener *listener = LEAT_CONTAINER(link, struct sd_k8s_listener, link);
        leat_rc taken = listener->events->changed(listener->ctx, object);
        rc = rc == LEAT_OK ? taken : rc;
    }
    if (rc != LEAT_OK && object->event == LEAT_K8S_ADDED)
        tell_gone(watch, object);
    return rc;
}

static void on_synced(void *ctx)
{
    struct sd_k8s_watch *watch = ctx;
    LEAT_LIST_EACH(link, &watch->listeners) {
        struct sd_k8s_listener *listener = LEAT_CONTAINER(link, struct sd_k8s_listener, link);
        listener->events->synced(listener->ctx);
    }
}

static struct sd_k8s_watch *find(struct sd_k8s_server *server, const struct leat_k8s_watch_conf *conf)
{
    LEAT_LIST_EACH(link, &server->watches) {
        struct sd_k8s_watch *watch = LEAT_CONTAINER(link, struct sd_k8s_watch, link);
        if (watch->metadata_only == conf->metadata_only && same(watch->path, conf->path) &&
            same(watch->field, conf->field_selector) && same(watch->label, conf->label_selector))
            return watch;
    }
    return NULL;
}

static leat_rc watch_new(struct sd_k8s_server *server, const struct leat_k8s_watch_conf *conf,
                         struct sd_k8s_watch **ret_watch, struct leat_err *reterr)
{
    static const struct leat_k8s_watch_events events = {on_changed, on_synced};
    struct sd_k8s_watch *watch = leat_zalloc(1, sizeof *watch);
    char *path = watch ? leat_strdup(conf->path) : NULL;
    leat_rc rc = path ? leat_k8s_watch_open(server->client, conf, &events, watch, &watch->watch, reterr)
                      : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (rc != LEAT_OK) {
        leat_free(path);
        leat_free(watch);
        return rc;
    }
    watch->path = path;
    watch->field = conf->field_selector ? conf->field_selector : "";
    watch->label = conf->label_selector ? conf->label_selector : "";
    watch->metadata_only = conf->metadata_only;
    leat_list_init(&watch->listeners);
    leat_list_push(&server->watches, &watch->link);
    *ret_watch = watch;
    return LEAT_OK;
}

leat_rc sd_k8s_watch_use(struct sd_k8s_server *server, const struct leat_k8s_watch_conf *conf,
                         struct sd_k8s_listener *listener, struct leat_err *reterr)
{
    struct sd_k8s_watch *watch = find(server, conf);
    leat_rc rc = watch ? LEAT_OK : watch_new(server, conf, &watch, reterr);
    if (rc != LEAT_OK)
        return rc;
    listener->of = watch;
    leat_list_push(&watch->listeners, &listener->link);
    return LEAT_OK;
}

void sd_k8s_watch_leave(struct sd_k8s_listener *listener)
{
    struct sd_k8s_watch *watch = listener->of;
    leat_list_remove(&listener->link);
    if (!leat_list_empty(&watch->listeners))
        return;
    leat_list_remove(&watch->link);
    leat_k8s_watch_close(watch->watch);
    leat_free(watch->path);
    leat_free(watch);
}
