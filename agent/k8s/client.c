/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/base/secret_file.h"
#include "agent/base/strbuf.h"
#include "agent/deliver/http_date.h"
#include "agent/deliver/url.h"
#include "agent/k8s/kubeconfig.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define FILES_AGE_NS 60000000000ll
#define CONNECT_NS_MAX 30000000000ull
#define IDLE_NS_MAX 60000000000ull

const char *const leat_k8s_auth_names[] = {"serviceAccount", "kubeConfig", "explicit", "none", NULL};

/* The value of an Authorization header; requests under way keep the one they went out with. */
struct leat_k8s_credential {
    uint32_t refs, len;
    char text[];
};

struct leat_k8s_client {
    struct leat_loop *loop;
    struct leat_k8s_script script; /* send: NULL for a real server */
    struct leat_arena arena;
    struct leat_http1_client *http;
    struct leat_tls *tls;
    const char *server, *namespace, *user_agent;
    const char *prefix; /* of the server's address, without the last slash; "" mostly */
    struct leat_secret_file token_file;
    uint32_t token_version; /* of the file, as in `credential` */
    struct leat_k8s_credential *credential;
};

/* ---- credentials ---- */

static struct leat_k8s_credential *credential_new(const char *scheme, struct leat_slice secret)
{
    size_t scheme_len = strlen(scheme);
    struct leat_k8s_credential *credential = leat_alloc(sizeof *credential + scheme_len + secret.len);
    if (!credential)
        return NULL;
    credential->refs = 1;
    credential->len = (uint32_t)(scheme_len + secret.len);
    memcpy(credential->text, scheme, scheme_len);
    memcpy(credential->text + scheme_len, secret.at, secret.len);
    return credential;
}

static struct leat_k8s_credential *credential_unref(struct leat_k8s_credential *credential)
{
    if (credential && --credential->refs == 0) {
        explicit_bzero(credential->text, credential->len);
        leat_free(credential);
    }
    return NULL;
}

/* The file as it is now; what was read last when it cannot be read or is no token. */
static leat_rc credential_refresh(struct leat_k8s_client *client, struct leat_err *reterr)
{
    struct leat_slice token;
    if (!client->token_file.path)
        return LEAT_OK;
    leat_rc rc = leat_secret_file_get(&client->token_file, &token, reterr);
    if (rc != LEAT_OK || (client->credential && client->token_version == client->token_file.version))
        return rc;
    if (token.len == 0 || token.len > LEAT_K8S_TOKEN_BYTES_MAX)
        return client->credential ? LEAT_OK
                                  : LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s: no token of at most %u bytes",
                                               client->token_file.path, LEAT_K8S_TOKEN_BYTES_MAX);
    struct leat_k8s_credential *fresh = credential_new("Bearer ", token);
    if (!fresh)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    credential_unref(client->credential);
    client->credential = fresh;
    client->token_version = client->token_file.version;
    return LEAT_OK;
}

/* ---- calls ---- */

static void call_end(struct leat_k8s_call *call, int status, uint64_t retry_after_ns, const struct leat_err *err)
{
    leat_task_cancel(&call->task);
    call->credential = credential_unref(call->credential);
    leat_free(call->text);
    call->text = NULL;
    call->client = NULL;
    call->done(call, status, retry_after_ns, err);
}

static uint64_t retry_after(const struct leat_k8s_client *client, struct leat_headers headers)
{
    uint64_t ns;
    struct leat_world *world = leat_loop_world(client->loop);
    struct leat_slice text = leat_headers_get(headers, "Retry-After");
    return text.at && leat_deliver__retry_after(text, world->unix_ns(world), &ns) ? ns : 0;
}

static void on_done(struct leat_http1_call *http, const struct leat_http1_response *response, const struct leat_err *err)
{
    struct leat_k8s_call *call = http->ctx;
    struct leat_k8s_client *client = call->client;
    if (!response) {
        call_end(call, 0, 0, err);
        return;
    }
    call_end(call, response->status, retry_after(client, response->headers), NULL);
}

static bool on_body(struct leat_http1_call *http, const struct leat_http1_response *head, struct leat_slice piece)
{
    struct leat_k8s_call *call = http->ctx;
    if (piece.len == 0 && call->head)
        call->head(call, head->status);
    return piece.len == 0 || call->bytes(call, piece);
}

static void on_too_late(struct leat_task *task)
{
    struct leat_k8s_call *call = task->ctx;
    struct leat_err err = {0};
    (void)LEAT_RAISE(&err, call->too_late ? LEAT_ENOMEM : LEAT_ECANCELED, 0, "%s",
                     call->too_late ? "out of memory" : "given up by the caller");
    call_end(call, 0, 0, &err);
}

static leat_rc prepare(struct leat_k8s_client *client, struct leat_k8s_call *call)
{
    struct leat_err err = {0};
    uint32_t count = 0;
    if (credential_refresh(client, &err) == LEAT_ENOMEM)
        return LEAT_ENOMEM;
    call->http = (struct leat_http1_call){.method = "GET", .target = call->target, .timeout_ns = call->timeout_ns,
                                          .on_body = on_body, .done = on_done, .ctx = call};
    if (client->prefix[0]) {
        size_t len = strlen(client->prefix);
        call->text = leat_alloc(len + call->target.len);
        if (!call->text)
            return LEAT_ENOMEM;
        memcpy(call->text, client->prefix, len);
        memcpy(call->text + len, call->target.at, call->target.len);
        call->http.target = leat_slice_of(call->text, (uint32_t)len + call->target.len);
    }
    call->headers[count++] = (struct leat_header){
        LEAT_SLICE("Accept"), call->accept ? leat_slice_str(call->accept) : LEAT_SLICE("application/json")};
    call->headers[count++] = (struct leat_header){LEAT_SLICE("User-Agent"), leat_slice_str(client->user_agent)};
    if (client->credential) {
        call->credential = client->credential;
        call->credential->refs++;
        call->headers[count++] = (struct leat_header){
            LEAT_SLICE("Authorization"), leat_slice_of(call->credential->text, call->credential->len)};
    }
    call->http.headers = (struct leat_headers){call->headers, count};
    return LEAT_OK;
}

void leat_k8s_send(struct leat_k8s_client *client, struct leat_k8s_call *call)
{
    if (client->script.send) {
        client->script.send(client->script.ctx, call);
        return;
    }
    call->client = client;
    call->credential = NULL;
    call->text = NULL;
    call->too_late = false;
    leat_task_init(&call->task, on_too_late, call);
    if (prepare(client, call) == LEAT_OK) {
        leat_http1_client_send(client->http, &call->http);
        return;
    }
    call->too_late = true;
    leat_loop_defer(client->loop, &call->task);
}

void leat_k8s_cancel(struct leat_k8s_client *client, struct leat_k8s_call *call)
{
    if (client->script.send)
        client->script.cancel(client->script.ctx, call);
    else if (!call->too_late) /* else its end is on its way */
        leat_http1_client_cancel(client->http, &call->http);
}

/* ---- opening ---- */

static leat_rc no_memory(struct leat_err *reterr)
{
    return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
}

/* https://host:port out of the environment that every pod has. */
static leat_rc in_cluster(struct leat_k8s_client *client, struct leat_k8s_client_conf *conf, struct leat_err *reterr)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (!host || !*host || !port || !*port)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "auth_type %s needs KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which Kubernetes sets "
                          "inside of pods",
                          leat_k8s_auth_names[conf->auth]);
    bool v6 = strchr(host, ':') && host[0] != '[';
    conf->server = leat_arena_printf(&client->arena, v6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
    return conf->server ? LEAT_OK : no_memory(reterr);
}

static void read_namespace(struct leat_k8s_client *client, const char *dir)
{
    struct leat_slice text;
    const char *path = leat_arena_printf(&client->arena, "%s/namespace", dir);
    struct leat_secret_file file = {.world = leat_loop_world(client->loop), .path = path};
    if (path && leat_secret_file_get(&file, &text, NULL) == LEAT_OK) {
        const char *name = leat_arena_str(&client->arena, (const char *)text.at, text.len);
        client->namespace = name ? name : "";
    }
    leat_secret_file_done(&file);
}

static leat_rc service_account(struct leat_k8s_client *client, struct leat_k8s_client_conf *conf, struct leat_err *reterr)
{
    const char *dir = conf->service_account_dir ? conf->service_account_dir : SERVICE_ACCOUNT_DIR;
    leat_rc rc = in_cluster(client, conf, reterr);
    if (rc != LEAT_OK)
        return rc;
    conf->token_file = leat_arena_printf(&client->arena, "%s/token", dir);
    conf->tls = (struct leat_tls_conf){.ca_file = leat_arena_printf(&client->arena, "%s/ca.crt", dir)};
    read_namespace(client, dir);
    return conf->token_file && conf->tls.ca_file ? LEAT_OK : no_memory(reterr);
}

static leat_rc kubeconfig(struct leat_k8s_client *client, struct leat_k8s_client_conf *conf, struct leat_err *reterr)
{
    const char *path = conf->kubeconfig && *conf->kubeconfig ? conf->kubeconfig : k8s_kubeconfig_path(&client->arena);
    if (client->arena.failed)
        return no_memory(reterr);
    if (!path)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "auth_type kubeConfig needs KUBECONFIG or HOME in the environment");
    conf->token = conf->token_file = conf->authorization = NULL;
    conf->tls = (struct leat_tls_conf){0};
    return k8s_kubeconfig_read(leat_loop_world(client->loop), path, conf->context, &client->arena, conf,
                               &client->namespace, reterr);
}

/* The settings of the server, whichever way they come. */
static leat_rc resolve(struct leat_k8s_client *client, struct leat_k8s_client_conf *conf, struct leat_err *reterr)
{
    switch (conf->auth) {
    case LEAT_K8S_SERVICE_ACCOUNT:
        return service_account(client, conf, reterr);
    case LEAT_K8S_KUBECONFIG:
        return kubeconfig(client, conf, reterr);
    case LEAT_K8S_NONE:
        conf->tls = (struct leat_tls_conf){.insecure_skip_verify = true};
        conf->token = conf->token_file = conf->authorization = NULL;
        return in_cluster(client, conf, reterr);
    default:
        return conf->server && *conf->server ? LEAT_OK
                                             : LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "no Kubernetes API server is named");
    }
}

static leat_rc keep_texts(struct leat_k8s_client *client, const struct leat_k8s_client_conf *conf,
                          const struct leat_url *url, struct leat_err *reterr)
{
    uint32_t len = url->target.len;
    while (len && url->target.at[len - 1] == '/')
        len--;
    client->server = leat_arena_printf(&client->arena, "%s", conf->server);
    client->prefix = leat_arena_str(&client->arena, (const char *)url->target.at, len);
    client->user_agent =
        leat_arena_printf(&client->arena, "%s", conf->user_agent ? conf->user_agent : "leat/" LEAT_VERSION);
    if (conf->token_file && *conf->token_file)
        client->token_file = (struct leat_secret_file){
            .world = leat_loop_world(client->loop), .path = leat_arena_printf(&client->arena, "%s", conf->token_file)};
    return client->arena.failed ? no_memory(reterr) : LEAT_OK;
}

static leat_rc first_credential(struct leat_k8s_client *client, const struct leat_k8s_client_conf *conf,
                                struct leat_err *reterr)
{
    if (client->token_file.path)
        return credential_refresh(client, reterr);
    bool bearer = conf->token && *conf->token;
    const char *secret = bearer ? conf->token : conf->authorization;
    if (!secret || !*secret)
        return LEAT_OK;
    if (strlen(secret) > LEAT_K8S_TOKEN_BYTES_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "a token is longer than %u bytes", LEAT_K8S_TOKEN_BYTES_MAX);
    client->credential = credential_new(bearer ? "Bearer " : "", leat_slice_str(secret));
    return client->credential ? LEAT_OK : no_memory(reterr);
}

static leat_rc connect_to(struct leat_k8s_client *client, const struct leat_k8s_client_conf *conf,
                          const struct leat_url *url, struct leat_err *reterr)
{
    struct leat_tls_conf tls = conf->tls;
    if (!tls.reload_interval_ns)
        tls.reload_interval_ns = FILES_AGE_NS;
    leat_rc rc =
        url->encrypted ? leat_tls_open(LEAT_TLS_CLIENT, &tls, "http/1.1", &client->tls, reterr) : LEAT_OK;
    if (rc != LEAT_OK)
        return rc;
    struct leat_http1_client_opts opts = {.address = url->address, .host = url->host, .proxy = conf->proxy_url,
                                          .tls = client->tls, .idle_connections_max = 1, .idle_ns_max = IDLE_NS_MAX,
                                          .connect_ns_max = CONNECT_NS_MAX, .keep_alive = true};
    if (opts.proxy && !*opts.proxy)
        opts.proxy = NULL;
    return leat_http1_client_open(client->loop, &opts, &client->http, reterr);
}

leat_rc leat_k8s_client_open(struct leat_loop *loop, const struct leat_k8s_client_conf *conf,
                             struct leat_k8s_client **ret_client, struct leat_err *reterr)
{
    struct leat_k8s_client_conf resolved = *conf;
    struct leat_url url;
    struct leat_k8s_client *client = leat_zalloc(1, sizeof *client);
    if (!client)
        return no_memory(reterr);
    client->loop = loop;
    client->namespace = "";
    leat_rc rc = resolve(client, &resolved, reterr);
    if (rc == LEAT_OK)
        rc = leat_url_parse(resolved.server, &url, reterr);
    if (rc == LEAT_OK)
        rc = keep_texts(client, &resolved, &url, reterr);
    if (rc == LEAT_OK)
        rc = first_credential(client, &resolved, reterr);
    if (rc == LEAT_OK)
        rc = connect_to(client, &resolved, &url, reterr);
    if (rc != LEAT_OK) {
        leat_k8s_client_close(client);
        return rc == LEAT_ENOMEM ? rc : leat_err_wrap(reterr, "Kubernetes API server");
    }
    *ret_client = client;
    return LEAT_OK;
}

leat_rc leat_k8s_client_scripted(struct leat_loop *loop, const struct leat_k8s_script *script,
                                 struct leat_k8s_client **ret_client)
{
    struct leat_k8s_client *client = leat_zalloc(1, sizeof *client);
    if (!client)
        return LEAT_ENOMEM;
    *client = (struct leat_k8s_client){.loop = loop, .script = *script, .server = "scripted", .namespace = ""};
    *ret_client = client;
    return LEAT_OK;
}

struct leat_k8s_client *leat_k8s_client_close(struct leat_k8s_client *client)
{
    if (!client)
        return NULL;
    leat_http1_client_close(client->http);
    leat_tls_unref(client->tls);
    credential_unref(client->credential);
    leat_secret_file_done(&client->token_file);
    leat_arena_done(&client->arena);
    leat_free(client);
    return NULL;
}

const char *leat_k8s_client_server(const struct leat_k8s_client *client)
{
    return client->server;
}

struct leat_loop *leat_k8s_client_loop(struct leat_k8s_client *client)
{
    return client->loop;
}

const char *leat_k8s_client_namespace(const struct leat_k8s_client *client)
{
    return client->namespace;
}
