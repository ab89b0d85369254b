/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "agent/base/alloc.h"
#include "agent/discovery/fetch_inner.h"

/* ---- checks, in Prometheus' words ---- */

static leat_rc bad(struct leat_err *reterr, const char *what)
{
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s", what);
}

static bool has(const char *text) { return text && text[0]; }

static leat_rc check_auth(const struct leat_fetch_conf *conf, struct leat_err *reterr)
{
    bool bearer = has(conf->bearer_token) || has(conf->bearer_token_file);
    if (has(conf->bearer_token) && has(conf->bearer_token_file))
        return bad(reterr, "at most one of bearer_token & bearer_token_file must be configured");
    if (conf->basic_auth.present && (bearer || conf->authorization.present))
        return bad(reterr, "at most one of basic_auth, authorization, bearer_token & bearer_token_file must be configured");
    if (has(conf->basic_auth.username) && has(conf->basic_auth.username_file))
        return bad(reterr, "at most one of basic_auth username & username_file must be configured");
    if (has(conf->basic_auth.password) && has(conf->basic_auth.password_file))
        return bad(reterr, "at most one of basic_auth password & password_file must be configured");
    if (!conf->authorization.present)
        return LEAT_OK;
    if (bearer)
        return bad(reterr, "authorization is not compatible with bearer_token & bearer_token_file");
    if (has(conf->authorization.credentials) && has(conf->authorization.credentials_file))
        return bad(reterr, "at most one of authorization credentials & credentials_file must be configured");
    if (conf->authorization.type && strcasecmp(conf->authorization.type, "basic") == 0)
        return bad(reterr, "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    return LEAT_OK;
}

static leat_rc check_proxy(const struct leat_fetch_conf *conf, struct leat_err *reterr)
{
    char to[LEAT_PROXY_MAX];
    if (conf->proxy_from_environment && has(conf->proxy_url))
        return bad(reterr, "if proxy_from_environment is configured, proxy_url must not be configured");
    if (conf->proxy_from_environment && has(conf->no_proxy))
        return bad(reterr, "if proxy_from_environment is configured, no_proxy must not be configured");
    if (has(conf->no_proxy) && !has(conf->proxy_url))
        return bad(reterr, "if no_proxy is configured, proxy_url must also be configured");
    return has(conf->proxy_url) ? leat_proxy_pick(conf->proxy_url, true, LEAT_SLICE("x"), 443, to, reterr) : LEAT_OK;
}

static leat_rc tls_version(const char *text, const char **ret_version, struct leat_err *reterr)
{
    static const char *const names[][2] = {{"TLS10", "1.0"}, {"TLS11", "1.1"}, {"TLS12", "1.2"}, {"TLS13", "1.3"}};
    if (!has(text))
        return LEAT_OK;
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(names[i][0], text) == 0) {
            *ret_version = names[i][1];
            return LEAT_OK;
        }
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "unknown TLS version: %.40s", text);
}

static leat_rc check_tls(const struct leat_fetch_conf *conf, struct leat_err *reterr)
{
    const char *version = NULL;
    bool cert = has(conf->tls.cert) || has(conf->tls.cert_file), key = has(conf->tls.key) || has(conf->tls.key_file);
    if (has(conf->tls.ca) && has(conf->tls.ca_file))
        return bad(reterr, "at most one of ca and ca_file must be configured");
    if (has(conf->tls.cert) && has(conf->tls.cert_file))
        return bad(reterr, "at most one of cert and cert_file must be configured");
    if (has(conf->tls.key) && has(conf->tls.key_file))
        return bad(reterr, "at most one of key and key_file must be configured");
    if (cert && !key)
        return bad(reterr, "exactly one of key or key_file must be configured when a client certificate is configured");
    if (key && !cert)
        return bad(reterr, "exactly one of cert or cert_file must be configured when a client key is configured");
    leat_rc rc = tls_version(conf->tls.min_version, &version, reterr);
    return rc == LEAT_OK ? tls_version(conf->tls.max_version, &version, reterr) : rc;
}

leat_rc leat_fetch_check(const struct leat_fetch_conf *conf, struct leat_err *reterr)
{
    uint32_t count;
    leat_rc rc = check_auth(conf, reterr);
    if (rc == LEAT_OK)
        rc = check_proxy(conf, reterr);
    if (rc == LEAT_OK)
        rc = check_tls(conf, reterr);
    return rc == LEAT_OK ? leat_fetch__added_headers(conf, NULL, &count, reterr) : rc;
}

/* ---- http_headers ---- */

static const char *const reserved[] = {
    "authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection",
    "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
    "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-prometheus-scrape-timeout-seconds",
    "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "transfer-encoding", "te", "trailer", "upgrade", NULL};

static leat_rc check_header_name(const char *name, struct leat_err *reterr)
{
    bool token = name[0] != 0;
    for (const char *at = name; *at; at++)
        token = token && (unsigned char)*at > 32 && (unsigned char)*at < 127 && !strchr("\"(),/:;<=>?@[\\]{}", *at);
    if (!token)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: \"%.60s\" is no header name", name);
    for (uint32_t i = 0; reserved[i]; i++)
        if (strcasecmp(reserved[i], name) == 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: setting header \"%.60s\" is not allowed", name);
    return LEAT_OK;
}

static leat_rc add_header(struct leat_fetch_header *to, uint32_t *count, const char *name, const char *text, bool file,
                          struct leat_err *reterr)
{
    if (*count == LEAT_FETCH_HEADERS_MAX - 16)
        return bad(reterr, "http_headers: too many headers");
    for (const char *at = text; *at && !file; at++)
        if ((unsigned char)*at < 32 && *at != '\t')
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: a control character in the value of \"%.60s\"", name);
    if (to)
        to[*count] = (struct leat_fetch_header){.name = name,
                                                .value = file ? NULL : text,
                                                .file = {.path = file ? text : NULL}};
    (*count)++;
    return LEAT_OK;
}

static leat_rc add_header_set(const char *name, const struct leat_value *set, struct leat_fetch_header *to,
                              uint32_t *count, struct leat_err *reterr)
{
    leat_rc rc = check_header_name(name, reterr);
    if (rc == LEAT_OK && set->kind != LEAT_VALUE_MAP)
        rc = LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: \"%.60s\" takes values, secrets and files", name);
    for (uint32_t i = 0; rc == LEAT_OK && i < set->count; i++) {
        const struct leat_value *list = &set->items[i];
        bool file = strcmp(set->keys[i], "files") == 0;
        if (!file && strcmp(set->keys[i], "values") != 0 && strcmp(set->keys[i], "secrets") != 0)
            rc = LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: \"%.60s\" has no key \"%.60s\"", name, set->keys[i]);
        else if (list->kind != LEAT_VALUE_LIST)
            rc = LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: \"%.60s\": %s takes a list", name, set->keys[i]);
        for (uint32_t k = 0; rc == LEAT_OK && k < list->count; k++)
            rc = list->items[k].text ? add_header(to, count, name, list->items[k].text, file, reterr)
                                     : LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http_headers: \"%.60s\" takes strings", name);
    }
    return rc;
}

leat_rc leat_fetch__added_headers(const struct leat_fetch_conf *conf, struct leat_fetch_header *to, uint32_t *ret_count,
                                  struct leat_err *reterr)
{
    const struct leat_value *map = &conf->http_headers;
    leat_rc rc = LEAT_OK;
    *ret_count = 0;
    if (map->kind != LEAT_VALUE_MAP && map->kind != LEAT_NULL)
        return bad(reterr, "http_headers takes a map of header names");
    for (uint32_t i = 0; rc == LEAT_OK && map->kind == LEAT_VALUE_MAP && i < map->count; i++)
        rc = add_header_set(map->keys[i], &map->items[i], to, ret_count, reterr);
    return rc;
}

/* ---- TLS contexts: one for each distinct setting in the process ---- */

struct shared_tls {
    struct shared_tls *next;
    struct leat_tls *tls; /* one reference of ours, until nobody else has one */
    uint32_t users;
    char key[]; /* all settings, NUL between */
};
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_tls *shared_list;

static void tls_key(const struct leat_fetch_conf *conf, struct leat_strbuf *key)
{
    const char *const parts[] = {conf->tls.ca,       conf->tls.cert,     conf->tls.key,
                                 conf->tls.ca_file,  conf->tls.cert_file, conf->tls.key_file,
                                 conf->tls.server_name, conf->tls.min_version, conf->tls.max_version};
    for (uint32_t i = 0; i < sizeof parts / sizeof *parts; i++)
        leat_strbuf_printf(key, "%zu:%s;", parts[i] ? strlen(parts[i]) : 0, parts[i] ? parts[i] : "");
    leat_strbuf_puts(key, conf->tls.insecure_skip_verify ? "skip" : "");
}

static leat_rc make_tls(const struct leat_fetch_conf *conf, struct leat_tls **ret_tls, struct leat_err *reterr)
{
    struct leat_tls_conf tls = {.present = true,
                                .insecure_skip_verify = conf->tls.insecure_skip_verify,
                                .ca_pem = conf->tls.ca,
                                .ca_file = conf->tls.ca_file,
                                .cert_pem = conf->tls.cert,
                                .cert_file = conf->tls.cert_file,
                                .key_pem = conf->tls.key,
                                .key_file = conf->tls.key_file,
                                .server_name_override = conf->tls.server_name,
                                .min_version = "1.2",
                                .reload_interval_ns = 5000000000};
    leat_rc rc = tls_version(conf->tls.min_version, &tls.min_version, reterr);
    if (rc == LEAT_OK)
        rc = tls_version(conf->tls.max_version, &tls.max_version, reterr);
    return rc == LEAT_OK ? leat_tls_open(LEAT_TLS_CLIENT, &tls, NULL, ret_tls, reterr) : rc;
}

static leat_rc share_new(const struct leat_fetch_conf *conf, const char *key, struct shared_tls **ret_entry,
                         struct leat_err *reterr)
{
    size_t len = strlen(key) + 1;
    struct shared_tls *entry = leat_alloc(sizeof *entry + len);
    if (!entry)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    *entry = (struct shared_tls){.next = shared_list};
    memcpy(entry->key, key, len);
    leat_rc rc = make_tls(conf, &entry->tls, reterr);
    if (rc != LEAT_OK) {
        leat_free(entry);
        return rc;
    }
    shared_list = entry;
    *ret_entry = entry;
    return LEAT_OK;
}

leat_rc leat_fetch__tls_open(const struct leat_fetch_conf *conf, struct leat_tls **ret_tls, struct leat_err *reterr)
{
    struct leat_strbuf key = {0};
    struct shared_tls *entry;
    leat_rc rc = LEAT_OK;
    tls_key(conf, &key);
    if (key.failed)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    (void)pthread_mutex_lock(&shared_lock);
    for (entry = shared_list; entry && strcmp(entry->key, key.at) != 0; entry = entry->next)
        ;
    if (!entry)
        rc = share_new(conf, key.at, &entry, reterr);
    if (rc == LEAT_OK) {
        entry->users++;
        *ret_tls = entry->tls;
    }
    (void)pthread_mutex_unlock(&shared_lock);
    explicit_bzero(key.at, key.len);
    leat_strbuf_done(&key);
    return rc;
}

void leat_fetch__tls_close(struct leat_tls *tls)
{
    (void)pthread_mutex_lock(&shared_lock);
    for (struct shared_tls **at = &shared_list; *at; at = &(*at)->next) {
        struct shared_tls *entry = *at;
        if (entry->tls != tls || --entry->users)
            continue;
        *at = entry->next;
        leat_tls_unref(entry->tls);
        explicit_bzero(entry->key, strlen(entry->key));
        leat_free(entry);
        break;
    }
    (void)pthread_mutex_unlock(&shared_lock);
}
