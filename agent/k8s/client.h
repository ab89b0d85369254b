/* SPDX-License-Identifier: Apache-2.0 */
/* client -- GET requests to one Kubernetes API server: where it is, who we are, answers that flow in piece by piece.
 *
 * Why      lists are megabytes and watches never end: nothing is laid out flat. Tests put a scripted server behind the same
 *          calls (leat_k8s_client_scripted).
 * Threads  one loop's.
 * Owns     a call is the caller's struct, in use from _send to its `done`, which comes exactly once and never from inside
 *          _send. Configured texts are copied.
 * Limits   kubeconfig files of LEAT_K8S_KUBECONFIG_BYTES_MAX; tokens of LEAT_K8S_TOKEN_BYTES_MAX. A token file is looked at
 *          before each request and read again when it has changed; CA and certificate files every minute.
 * Fails    open: LEAT_ECONFIG, LEAT_ENOMEM. done with err: as agent/net/http1_client.h. A status is no error here. */
#pragma once
#include "agent/loop/loop.h"
#include "agent/net/http1_client.h"

#define LEAT_K8S_KUBECONFIG_BYTES_MAX (1u << 20)
#define LEAT_K8S_TOKEN_BYTES_MAX 15000u

enum leat_k8s_auth {
    LEAT_K8S_SERVICE_ACCOUNT, /* KUBERNETES_SERVICE_HOST and _PORT, token and CA of the pod's service account */
    LEAT_K8S_KUBECONFIG,      /* a kubeconfig file: token, tokenFile, client certificate, basic; exec plug-ins are refused */
    LEAT_K8S_EXPLICIT,        /* `server` and what stands beside it */
    LEAT_K8S_NONE             /* KUBERNETES_SERVICE_HOST and _PORT over TLS that is not verified, no credentials */
};
extern const char *const leat_k8s_auth_names[]; /* "serviceAccount", "kubeConfig", "explicit", "none", NULL */

struct leat_k8s_client_conf {
    enum leat_k8s_auth auth;
    const char *service_account_dir; /* NULL: where Kubernetes mounts it */
    const char *kubeconfig;          /* NULL: the first path in $KUBECONFIG, else ~/.kube/config */
    const char *context;             /* of the kubeconfig; NULL: its current one */
    /* EXPLICIT. For TLS of the server: ca_*, cert_*, key_*, insecure_skip_verify, server_name_override. */
    const char *server; /* "https://host:port[/prefix]" */
    struct leat_tls_conf tls;
    const char *token_file, *token; /* "Authorization: Bearer" */
    const char *authorization;      /* or the whole value of the header ("Basic ...") */
    const char *proxy_url;          /* NULL: none; the environment's proxies are for what is outside the cluster */
    const char *user_agent;         /* NULL: "leat/VERSION" */
};

struct leat_k8s_client;
struct leat_k8s_credential;

/* Reads files (kubeconfig, token, CA): when a component opens. One client serves any number of watches. */
leat_rc leat_k8s_client_open(struct leat_loop *loop, const struct leat_k8s_client_conf *conf,
                             struct leat_k8s_client **ret_client, struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_k8s_client *leat_k8s_client_close(struct leat_k8s_client *client); /* always NULL; calls end inside, or later in this turn */
const char *leat_k8s_client_server(const struct leat_k8s_client *client);      /* for log lines */
struct leat_loop *leat_k8s_client_loop(struct leat_k8s_client *client);
/* The kubeconfig's or the service account's own namespace; "" when there is none. */
const char *leat_k8s_client_namespace(const struct leat_k8s_client *client);

struct leat_k8s_call {
    struct leat_slice target; /* "/api/v1/pods?limit=500", without the server's prefix; borrowed until done */
    const char *accept;       /* NULL: "application/json" */
    uint64_t timeout_ns;      /* from send to done; 0: none */
    /* The status, before its body; NULL: not asked for. */
    void (*head)(struct leat_k8s_call *call, int status);
    /* A piece of the body, borrowed; it may come in any cuts. False: enough, the call ends with LEAT_ECANCELED. */
    bool (*bytes)(struct leat_k8s_call *call, struct leat_slice piece);
    /* status 0 with err: no whole answer. retry_after_ns: 0 when the server named none. */
    void (*done)(struct leat_k8s_call *call, int status, uint64_t retry_after_ns, const struct leat_err *err);
    void *ctx;
    /* the client's from here */
    struct leat_k8s_client *client;
    struct leat_http1_call http;
    struct leat_header headers[3];
    struct leat_k8s_credential *credential;
    char *text; /* the target behind the server's prefix */
    struct leat_task task;
    bool too_late; /* there was no memory to send it */
};
void leat_k8s_send(struct leat_k8s_client *client, struct leat_k8s_call *call);
void leat_k8s_cancel(struct leat_k8s_client *client, struct leat_k8s_call *call); /* done follows, LEAT_ECANCELED */

/* A server of paper, for tests: `send` and `cancel` do what the ones above promise. */
struct leat_k8s_script {
    void (*send)(void *ctx, struct leat_k8s_call *call);
    void (*cancel)(void *ctx, struct leat_k8s_call *call);
    void *ctx;
};
leat_rc leat_k8s_client_scripted(struct leat_loop *loop, const struct leat_k8s_script *script,
                                 struct leat_k8s_client **ret_client) LEAT_MUST_CHECK;
