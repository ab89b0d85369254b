/* SPDX-License-Identifier: Apache-2.0 */
/* The client over loopback against this house's own server; and where its settings come from. */
#include "agent/k8s/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/k8s/kubeconfig.h"
#include "agent/k8s/watch.h"
#include "agent/loop/stream.h"
#include "agent/net/http1_server.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

#define SECOND 1000000000ull

/* ---- settings ---- */

static const char config[] =
    "apiVersion: v1\ncurrent-context: b\n"
    "clusters:\n- {name: one, cluster: {server: 'https://h:1/k', certificate-authority: pki/ca.crt, tls-server-name: n}}\n"
    "- {name: two, cluster: {server: 'https://h:2', certificate-authority-data: \"LS0t\\nCg==\", insecure-skip-tls-verify: true}}\n"
    "users:\n- {name: u, user: {token: t}}\n- {name: v, user: {username: a, password: b, tokenFile: /abs/token}}\n"
    "- {name: x, user: {exec: {command: y}}}\n"
    "contexts:\n- {name: a, context: {cluster: one, user: u, namespace: ns}}\n- {name: b, context: {cluster: two, user: v}}\n"
    "- {name: c, context: {cluster: two, user: x}}\n- {name: d, context: {cluster: none, user: u}}\n";

/* Scenario:   contexts of one file, by name and by default; users and clusters that are not there or cannot be used.
 * Guarantees: server, CA, credentials as written, paths relative to the file; what cannot be is refused with a sentence. */
LEAT_TEST(kubeconfig_is_read)
{
    struct leat_world *world = sim_world_new(1);
    struct leat_arena arena = {0};
    struct leat_k8s_client_conf conf = {0};
    const char *ns;
    struct leat_err err = {0};
    sim_world_append(world, "/etc/kube/config", config, sizeof config - 1);
    EXPECT_OK_ERR(k8s_kubeconfig_read(world, "/etc/kube/config", "a", &arena, &conf, &ns, &err), &err);
    EXPECT_STR(conf.server, "https://h:1/k");
    EXPECT_STR(conf.tls.ca_file, "/etc/kube/pki/ca.crt");
    EXPECT_STR(conf.tls.server_name_override, "n");
    EXPECT_STR(conf.token, "t");
    EXPECT_STR(ns, "ns");
    conf = (struct leat_k8s_client_conf){0};
    EXPECT_OK_ERR(k8s_kubeconfig_read(world, "/etc/kube/config", NULL, &arena, &conf, &ns, &err), &err);
    EXPECT_STR(conf.tls.ca_pem, "---\n");
    EXPECT(conf.tls.insecure_skip_verify);
    EXPECT_STR(conf.authorization, "Basic YTpi");
    EXPECT_STR(conf.token_file, "/abs/token");
    EXPECT_STR(ns, "");
    static const char *const bad[] = {"c", "d", "nowhere"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_RC(k8s_kubeconfig_read(world, "/etc/kube/config", bad[i], &arena, &conf, &ns, &err), LEAT_ECONFIG);
    EXPECT_RC(k8s_kubeconfig_read(world, "/none", NULL, &arena, &conf, &ns, &err), LEAT_ECONFIG);
    static const char *const broken[] = {"", "a: [", "[]", "current-context: x", "current-context: {}\ncontexts: 7\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/broken/%zu", i);
        sim_world_append(world, path, broken[i], strlen(broken[i]));
        EXPECT_RC(k8s_kubeconfig_read(world, path, NULL, &arena, &conf, &ns, &err), LEAT_ECONFIG);
    }
    leat_arena_done(&arena);
    sim_world_free(world);
}

/* ---- over loopback ---- */

struct bed {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct leat_http1_server *server;
    struct leat_k8s_client *client;
    char url[64], dir[64], path[96];
    char asked[256], authorization[128];
    int status;
    uint32_t requests;
};

static void on_request(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                       struct leat_chain *body)
{
    struct bed *bed = ctx;
    struct leat_slice authorization = leat_headers_get(request->headers, "Authorization");
    struct leat_chain answer = {0};
    struct leat_header after = {LEAT_SLICE("Retry-After"), LEAT_SLICE("7")};
    static const char list[] = "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}]}";
    leat_chain_done(body);
    bed->requests++;
    (void)snprintf(bed->asked, sizeof bed->asked, "%.*s", LEAT_SLICE_ARGS(request->target));
    (void)snprintf(bed->authorization, sizeof bed->authorization, "%.*s", LEAT_SLICE_ARGS(authorization));
    if (memmem(request->target.at, request->target.len, "watch=1", 7))
        return; /* left open */
    if (leat_chain_take(&answer, leat_slice_str(list)) != LEAT_OK)
        leat_chain_done(&answer);
    leat_http1_reply(exchange, bed->status, (struct leat_headers){&after, bed->status == 429}, &answer);
}

static void on_gone(void *ctx, struct leat_http1_exchange *exchange)
{
    (void)ctx;
    (void)exchange;
}

static void on_accepted(void *ctx, int fd)
{
    leat_http1_server_adopt(((struct bed *)ctx)->server, fd);
}

static void write_token(const struct bed *bed, const char *token)
{
    FILE *file = fopen(bed->path, "w");
    EXPECT(file && fputs(token, file) >= 0);
    (void)fclose(file);
}

static leat_rc bed_open(struct bed *bed, const char *suffix)
{
    static const struct leat_http1_handler handler = {.request = on_request, .gone = on_gone};
    static const struct leat_http1_limits limits = {.body_bytes_max = 65536, .head_bytes_max = 65536, .header_count_max = 100,
                                                    .connections_max = 10, .head_ns_max = 5 * SECOND, .idle_ns_max = 5 * SECOND,
                                                    .write_ns_max = 5 * SECOND, .keep_alive = true};
    *bed = (struct bed){.status = 200};
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/leat-k8s-XXXXXX");
    if (!mkdtemp(bed->dir))
        return LEAT_EIO;
    (void)snprintf(bed->path, sizeof bed->path, "%s/token", bed->dir);
    write_token(bed, "first\n");
    leat_rc rc = leat_loop_open(leat_world_real(), &bed->loop, NULL);
    if (rc == LEAT_OK)
        rc = leat_http1_server_open(bed->loop, &limits, NULL, &handler, bed, &bed->server, NULL);
    if (rc == LEAT_OK)
        rc = leat_listener_open(bed->loop, "127.0.0.1:0", on_accepted, bed, &bed->listener, NULL);
    if (rc != LEAT_OK)
        return rc;
    (void)snprintf(bed->url, sizeof bed->url, "http://127.0.0.1:%u%s", leat_listener_port(bed->listener), suffix);
    struct leat_k8s_client_conf conf = {.auth = LEAT_K8S_EXPLICIT, .server = bed->url, .token_file = bed->path};
    return leat_k8s_client_open(bed->loop, &conf, &bed->client, NULL);
}

static void bed_close(struct bed *bed)
{
    leat_k8s_client_close(bed->client);
    if (bed->listener)
        leat_listener_close(bed->listener);
    if (bed->server)
        leat_http1_server_close(bed->server);
    if (bed->loop)
        leat_loop_close(bed->loop);
    (void)unlink(bed->path);
    (void)rmdir(bed->dir);
}

struct shot {
    struct leat_k8s_call call;
    bool done;
    int head, status;
    leat_rc rc;
    uint64_t bytes, retry_ns;
};

static void on_head(struct leat_k8s_call *call, int status)
{
    ((struct shot *)call->ctx)->head = status;
}

static bool on_bytes(struct leat_k8s_call *call, struct leat_slice piece)
{
    ((struct shot *)call->ctx)->bytes += piece.len;
    return true;
}

static void on_done(struct leat_k8s_call *call, int status, uint64_t retry_after_ns, const struct leat_err *err)
{
    struct shot *shot = call->ctx;
    shot->done = true;
    shot->status = status;
    shot->retry_ns = retry_after_ns;
    shot->rc = err ? err->code : LEAT_OK;
}

static void shoot(struct bed *bed, struct shot *shot)
{
    *shot = (struct shot){.call = {.target = LEAT_SLICE("/api/v1/pods?limit=1"), .timeout_ns = 5 * SECOND, .head = on_head,
                                   .bytes = on_bytes, .done = on_done, .ctx = shot}};
    leat_k8s_send(bed->client, &shot->call);
    for (int i = 0; i < 10000 && !shot->done; i++)
        (void)leat_loop_run_once(bed->loop, true);
    EXPECT(shot->done);
}

/* Scenario:   calls before and after the token file changes; a server with a path before its API; 429 with Retry-After.
 * Guarantees: the new token goes out with the next call; the path stands before the target; status and wait are told. */
LEAT_TEST(client_asks_as_whom_it_should)
{
    struct bed bed;
    struct shot shot;
    EXPECT_OK(bed_open(&bed, "/cluster/7/"));
    shoot(&bed, &shot);
    EXPECT_EQ(shot.status, 200);
    EXPECT_EQ(shot.head, 200);
    EXPECT_EQ(shot.bytes, 82);
    EXPECT_STR(bed.asked, "/cluster/7/api/v1/pods?limit=1");
    EXPECT_STR(bed.authorization, "Bearer first");
    (void)usleep(1100000); /* a file is looked at once a second */
    write_token(&bed, "second, longer");
    shoot(&bed, &shot);
    EXPECT_STR(bed.authorization, "Bearer second, longer");
    bed.status = 429;
    shoot(&bed, &shot);
    EXPECT_EQ(shot.status, 429);
    EXPECT_EQ(shot.retry_ns, 7 * SECOND);
    bed_close(&bed);
}

static leat_rc note(void *ctx, const struct leat_k8s_object *object)
{
    *(bool *)ctx |= leat_slice_is(object->name, "a");
    return LEAT_OK;
}

/* Scenario:   a watch over a real connection is closed while it follows.
 * Guarantees: objects have come; nothing is left. */
LEAT_TEST(client_carries_a_watch)
{
    struct bed bed;
    bool seen = false;
    struct leat_k8s_watch *watch;
    static const struct leat_k8s_watch_events events = {.changed = note};
    EXPECT_OK(bed_open(&bed, ""));
    EXPECT_OK(leat_k8s_watch_open(bed.client, &(struct leat_k8s_watch_conf){.path = "/api/v1/pods"}, &events, &seen, &watch, NULL));
    for (int i = 0; i < 10000 && bed.requests < 2; i++)
        (void)leat_loop_run_once(bed.loop, true);
    EXPECT(seen && strstr(bed.asked, "watch=1"));
    watch = leat_k8s_watch_close(watch);
    bed_close(&bed);
}

LEAT_TEST_OOM(client_survives_any_failed_allocation)
{
    struct bed bed;
    struct shot shot = {0};
    leat_rc rc = bed_open(&bed, "/p");
    if (rc == LEAT_OK) {
        shoot(&bed, &shot);
        rc = shot.rc;
    }
    bed_close(&bed);
    return rc;
}
