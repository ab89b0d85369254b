/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/slice.h"
#include "agent/base/strbuf.h"
#include "agent/yaml/yaml.h"

struct reading {
    struct leat_arena *arena;
    const char *path;
    struct leat_k8s_client_conf *conf;
    struct leat_err *reterr;
};

static leat_rc no_memory(struct reading *r)
{
    return LEAT_RAISE(r->reterr, LEAT_ENOMEM, 0, "out of memory");
}

/* ---- the file ---- */

const char *k8s_kubeconfig_path(struct leat_arena *arena)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (list && *list)
        return leat_arena_str(arena, list, strcspn(list, ":"));
    return home && *home ? leat_arena_printf(arena, "%s/.kube/config", home) : NULL;
}

static leat_rc read_all(struct leat_world *world, struct reading *r, struct leat_strbuf *out)
{
    int fd = world->disk->open(world, r->path, LEAT_O_READ, 0);
    if (fd < 0)
        return LEAT_RAISE(r->reterr, LEAT_ECONFIG, -fd, "kubeconfig %s: %s", r->path, strerror(-fd));
    char room[8192];
    ssize_t got = 0;
    while (!out->failed && out->len <= LEAT_K8S_KUBECONFIG_BYTES_MAX &&
           (got = world->disk->pread(world, fd, room, sizeof room, out->len)) > 0)
        leat_strbuf_put(out, room, (size_t)got);
    (void)world->disk->close(world, fd);
    if (got < 0)
        return LEAT_RAISE(r->reterr, LEAT_ECONFIG, (int)-got, "kubeconfig %s: %s", r->path, strerror((int)-got));
    if (out->failed)
        return no_memory(r);
    if (out->len > LEAT_K8S_KUBECONFIG_BYTES_MAX)
        return LEAT_RAISE(r->reterr, LEAT_ECONFIG, 0, "kubeconfig %s: longer than %u bytes", r->path,
                          LEAT_K8S_KUBECONFIG_BYTES_MAX);
    return LEAT_OK;
}

static leat_rc parse(struct reading *r, const struct leat_strbuf *text, struct leat_node **ret_root)
{
    struct leat_diag_list diags = {.arena = r->arena};
    struct leat_yaml yaml = {.arena = r->arena, .diags = &diags};
    leat_rc rc = leat_yaml_parse(&yaml, r->path, text->at ? text->at : "", text->len, NULL, false, ret_root);
    if (rc == LEAT_ENOMEM)
        return no_memory(r);
    if (rc != LEAT_OK)
        return LEAT_RAISE(r->reterr, LEAT_ECONFIG, 0, "kubeconfig %s:%u: %s", r->path,
                          diags.count ? diags.at[0].mark.line : 0, diags.count ? diags.at[0].text : "not YAML");
    return LEAT_OK;
}

/* ---- its parts ---- */

static const struct leat_node *child(const struct leat_node *map, const char *key)
{
    struct leat_node_pair *pair = map && map->kind == LEAT_NODE_MAP ? leat_node_find(map, key) : NULL;
    return pair ? pair->value : NULL;
}

static const char *text_of(const struct leat_node *map, const char *key) /* NULL: absent or empty */
{
    const struct leat_node *node = child(map, key);
    return node && node->kind == LEAT_NODE_SCALAR && !leat_node_is_null(node) && node->len ? node->text : NULL;
}

static bool is_true(const struct leat_node *map, const char *key)
{
    bool value = false;
    const struct leat_node *node = child(map, key);
    return node && node->kind == LEAT_NODE_SCALAR &&
           leat_node_scalar(node, &value, NULL, NULL) == LEAT_SCALAR_BOOL && value;
}

/* list: [{name: NAME, kind: {...}}, ...] */
static leat_rc named(struct reading *r, const struct leat_node *root, const char *list_name, const char *kind,
                     const char *name, const struct leat_node **ret_node)
{
    const struct leat_node *list = child(root, list_name);
    for (uint32_t i = 0; list && list->kind == LEAT_NODE_LIST && i < list->count; i++) {
        const char *its = text_of(list->items[i], "name");
        *ret_node = child(list->items[i], kind);
        if (its && strcmp(its, name) == 0 && *ret_node)
            return LEAT_OK;
    }
    return LEAT_RAISE(r->reterr, LEAT_ECONFIG, 0, "kubeconfig %s: there is no %s \"%s\"", r->path, kind, name);
}

/* Paths stand relative to the file. */
static const char *path_of(struct reading *r, const struct leat_node *map, const char *key)
{
    const char *text = text_of(map, key), *slash = strrchr(r->path, '/');
    if (!text || text[0] == '/' || !slash)
        return text;
    return leat_arena_printf(r->arena, "%.*s/%s", (int)(slash - r->path), r->path, text);
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Base64 with line ends and padding as they come. */
static leat_rc data_of(struct reading *r, const struct leat_node *map, const char *key, const char **ret_text)
{
    const char *text = text_of(map, key);
    *ret_text = NULL;
    if (!text)
        return LEAT_OK;
    char *to = leat_arena_get(r->arena, strlen(text) / 4 * 3 + 4);
    if (!to)
        return no_memory(r);
    *ret_text = to;
    uint32_t bits = 0, count = 0;
    for (; *text && *text != '='; text++) {
        int digit = digit_of(*text);
        if (digit < 0 && strchr(" \r\n\t", *text))
            continue;
        if (digit < 0)
            return LEAT_RAISE(r->reterr, LEAT_ECONFIG, 0, "kubeconfig %s: %s is not base64", r->path, key);
        bits = bits << 6 | (uint32_t)digit;
        if (++count % 4 != 1)
            *to++ = (char)(bits >> (6 - 2 * ((count - 1) % 4)));
    }
    return LEAT_OK;
}

static leat_rc read_cluster(struct reading *r, const struct leat_node *cluster)
{
    struct leat_tls_conf *tls = &r->conf->tls;
    r->conf->server = text_of(cluster, "server");
    r->conf->proxy_url = text_of(cluster, "proxy-url");
    tls->ca_file = path_of(r, cluster, "certificate-authority");
    tls->server_name_override = text_of(cluster, "tls-server-name");
    tls->insecure_skip_verify = is_true(cluster, "insecure-skip-tls-verify");
    if (!r->conf->server)
        return LEAT_RAISE(r->reterr, LEAT_ECONFIG, 0, "kubeconfig %s: its cluster has no server", r->path);
    leat_rc rc = data_of(r, cluster, "certificate-authority-data", &tls->ca_pem);
    if (tls->ca_pem)
        tls->ca_file = NULL; /* data wins over files, here and below */
    return rc;
}

static leat_rc basic(struct reading *r, const char *user, const char *password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *pair = leat_arena_printf(r->arena, "%s:%s", user, password ? password : "");
    size_t len = pair ? strlen(pair) : 0;
    char *value = leat_arena_get(r->arena, 6 + (len + 2) / 3 * 4 + 1), *to = value;
    if (!pair || !value)
        return no_memory(r);
    to = mempcpy(to, "Basic ", 6);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)(uint8_t)pair[i] << 16;
        bits |= i + 1 < len ? (uint32_t)(uint8_t)pair[i + 1] << 8 : 0;
        bits |= i + 2 < len ? (uint8_t)pair[i + 2] : 0;
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < len ? digits[bits & 63] : '=';
    }
    r->conf->authorization = value;
    return LEAT_OK;
}

static leat_rc read_user(struct reading *r, const struct leat_node *user)
{
    static const char *const refused[] = {"exec", "auth-provider", "as", "as-groups"};
    struct leat_tls_conf *tls = &r->conf->tls;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (child(user, refused[i]))
            return LEAT_RAISE(r->reterr, LEAT_ECONFIG, 0,
                              "kubeconfig %s: its user has \"%s\", which is not supported: use token, tokenFile, a client "
                              "certificate or username and password",
                              r->path, refused[i]);
    r->conf->token = text_of(user, "token");
    r->conf->token_file = path_of(r, user, "tokenFile");
    tls->cert_file = path_of(r, user, "client-certificate");
    tls->key_file = path_of(r, user, "client-key");
    leat_rc rc = data_of(r, user, "client-certificate-data", &tls->cert_pem);
    if (rc == LEAT_OK)
        rc = data_of(r, user, "client-key-data", &tls->key_pem);
    if (tls->cert_pem)
        tls->cert_file = NULL;
    if (tls->key_pem)
        tls->key_file = NULL;
    const char *name = text_of(user, "username");
    return rc == LEAT_OK && name ? basic(r, name, text_of(user, "password")) : rc;
}

leat_rc k8s_kubeconfig_read(struct leat_world *world, const char *path, const char *context, struct leat_arena *arena,
                            struct leat_k8s_client_conf *ret_conf, const char **ret_namespace, struct leat_err *reterr)
{
    struct reading r = {arena, path, ret_conf, reterr};
    struct leat_strbuf text = {0};
    struct leat_node *root = NULL;
    const struct leat_node *at = NULL, *cluster = NULL, *user = NULL;
    leat_rc rc = read_all(world, &r, &text);
    if (rc == LEAT_OK)
        rc = parse(&r, &text, &root);
    leat_strbuf_done(&text);
    if (rc != LEAT_OK)
        return rc;
    if (!context || !*context)
        context = text_of(root, "current-context");
    if (!context)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "kubeconfig %s: it has no current-context and none is configured", path);
    rc = named(&r, root, "contexts", "context", context, &at);
    const char *of_cluster = text_of(at, "cluster"), *of_user = text_of(at, "user"), *ns = text_of(at, "namespace");
    if (rc == LEAT_OK)
        rc = named(&r, root, "clusters", "cluster", of_cluster ? of_cluster : "", &cluster);
    if (rc == LEAT_OK)
        rc = read_cluster(&r, cluster);
    if (rc == LEAT_OK && of_user)
        rc = named(&r, root, "users", "user", of_user, &user);
    if (rc == LEAT_OK && user)
        rc = read_user(&r, user);
    if (rc == LEAT_OK && arena->failed)
        rc = no_memory(&r);
    *ret_namespace = ns ? ns : "";
    return rc;
}
