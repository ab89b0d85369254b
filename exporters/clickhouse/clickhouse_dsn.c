/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as the Collector's driver takes them: scheme://[user[:password]@]host[:port][/database][?name=value&...].
 *
 * The driver speaks the native protocol on tcp:// and clickhouse://, leat speaks HTTP on all of them. Ports that are the
 * native protocol's by convention (9000, 9440) are therefore read as the HTTP ports beside them (8123, 8443). */
#include <ctype.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/deliver/url.h"
#include "exporters/clickhouse/clickhouse.h"

#define NAME_BYTES_MAX 128u
#define VALUE_BYTES_MAX 1024u

struct parse {
    const struct clickhouse_conf *conf;
    struct clickhouse_target *target;
    struct leat_err *reterr;
    bool native, secure;
    const char *host, *host_end; /* without user and port */
    uint32_t port;               /* 0: none written */
    struct leat_strbuf path;     /* http_path */
    struct {
        char name[NAME_BYTES_MAX], value[VALUE_BYTES_MAX];
    } *params;
    uint32_t param_count;
};

/* ---- percent coding ---- */

void clickhouse__url_encode(struct leat_strbuf *out, const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-_.~(),", *text))
            leat_strbuf_putc(out, *text);
        else
            leat_strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* False: too long for `to`, or a zero byte. */
static bool url_decode(const char *at, const char *end, bool form, char *to, size_t room)
{
    size_t len = 0;
    for (; at < end; at++) {
        char c = *at;
        if (c == '%' && end - at > 2 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            c = (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
            at += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (!c || len + 1 >= room)
            return false;
        to[len++] = c;
    }
    to[len] = 0;
    return true;
}

static char *copy(const char *text)
{
    size_t len = strlen(text) + 1;
    char *to = leat_alloc(len);
    if (to)
        memcpy(to, text, len);
    return to;
}

static leat_rc no_memory(struct leat_err *reterr) { return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for an address"); }

static leat_rc set(char **to, const char *text, struct leat_err *reterr)
{
    leat_free(*to);
    *to = copy(text);
    return *to ? LEAT_OK : no_memory(reterr);
}

/* ---- name=value ---- */

static leat_rc param_add(struct parse *p, const char *name, const char *value)
{
    uint32_t i = 0;
    while (i < p->param_count && strcmp(p->params[i].name, name) != 0)
        i++;
    if (i == CLICKHOUSE_SETTINGS_MAX)
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: more than %u parameters", CLICKHOUSE_SETTINGS_MAX);
    if (strlen(name) >= NAME_BYTES_MAX || strlen(value) >= VALUE_BYTES_MAX)
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "connection_params: %.40s is too long", name);
    memcpy(p->params[i].name, name, strlen(name) + 1);
    memcpy(p->params[i].value, value, strlen(value) + 1);
    p->param_count += i == p->param_count;
    return LEAT_OK;
}

static leat_rc read_query(struct parse *p, const char *at)
{
    char name[NAME_BYTES_MAX], value[VALUE_BYTES_MAX];
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && *at) {
        const char *end = at + strcspn(at, "&"), *equals = memchr(at, '=', (size_t)(end - at));
        if (!url_decode(at, equals ? equals : end, true, name, sizeof name) ||
            !url_decode(equals ? equals + 1 : end, end, true, value, sizeof value))
            return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: the parameter at \"%.20s\" is too long", at);
        if (*name)
            rc = param_add(p, name, value);
        at = *end ? end + 1 : end;
    }
    for (uint32_t i = 0; rc == LEAT_OK && i < p->conf->connection_params.count; i++)
        rc = param_add(p, p->conf->connection_params.at[i].key, p->conf->connection_params.at[i].value);
    return rc;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

static bool is_true(const char *value) { return strcmp(value, "true") == 0 || strcmp(value, "1") == 0; }

/* ---- compression ---- */

static bool coding_of(const char *name, enum leat_coding *ret_coding)
{
    static const struct {
        const char *name;
        enum leat_coding coding;
    } codings[] = {{"none", LEAT_CODING_NONE}, {"false", LEAT_CODING_NONE}, {"lz4", LEAT_CODING_LZ4},
                   {"true", LEAT_CODING_LZ4},  {"zstd", LEAT_CODING_ZSTD},  {"gzip", LEAT_CODING_GZIP}};
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (strcmp(name, codings[i].name) == 0) {
            *ret_coding = codings[i].coding;
            return true;
        }
    return false;
}

/* ---- what a parameter means ---- */

/* Those of the driver's that have nothing to set here: connections are the HTTP client's. */
static const char *const without_effect[] = {"dial_timeout",   "read_timeout",       "max_open_conns",
                                             "max_idle_conns", "conn_max_lifetime",  "connection_open_strategy",
                                             "debug",          "block_buffer_size",  "max_compression_buffer",
                                             "max_compression_level", "client_info_product", NULL};

static const struct {
    const char *name, *instead;
} refused[] = {{"skip_verify", "write tls: {insecure_skip_verify: true}"},
               {"http_proxy", "write proxy_url"},
               {"compress_level", "write compression_params: {level: N}"},
               {"insert_deduplication_token", "leat makes one for each INSERT"},
               {"query", "leat makes the statements"}};

static leat_rc put_setting(struct parse *p, const char *name, const char *value)
{
    struct leat_strbuf *out = &p->target->settings;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_')
            return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: \"%.64s\" is no name of a setting", name);
    leat_strbuf_printf(out, "&%s=", name);
    clickhouse__url_encode(out, value);
    return out->failed ? no_memory(p->reterr) : LEAT_OK;
}

static leat_rc read_param(struct parse *p, const char *name, const char *value)
{
    struct clickhouse_target *target = p->target;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(name, refused[i].name) == 0)
            return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: %s cannot be set there: %s", name, refused[i].instead);
    if (is_one_of(name, without_effect))
        return LEAT_OK;
    if (strcmp(name, "username") == 0)
        return set(&target->user, value, p->reterr);
    if (strcmp(name, "password") == 0)
        return set(&target->password, value, p->reterr);
    if (strcmp(name, "database") == 0)
        return set(&target->database, value, p->reterr);
    if (strcmp(name, "secure") == 0) {
        p->secure |= is_true(value);
    } else if (strcmp(name, "async_insert") == 0) {
        target->async_insert = is_true(value);
    } else if (strcmp(name, "wait_for_async_insert") == 0 || strcmp(name, "async_insert_deduplicate") == 0) {
        if (!is_true(value))
            return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: %s=%.8s would lose or repeat rows unseen", name, value);
    } else if (strcmp(name, "http_path") == 0) {
        leat_strbuf_clear(&p->path);
        leat_strbuf_puts(&p->path, value);
    } else if (strcmp(name, "compress") == 0) {
        if (!coding_of(value, &target->coding))
            return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: compress=%.16s is none of none, lz4, zstd, gzip", value);
    } else {
        return put_setting(p, name, value);
    }
    return LEAT_OK;
}

/* ---- scheme, user, host, database ---- */

static leat_rc read_scheme(struct parse *p, const char **io_at)
{
    static const struct {
        const char *text;
        bool native, secure;
    } schemes[] = {{"tcp://", true, false}, {"clickhouse://", true, false}, {"http://", false, false}, {"https://", false, true}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i].text);
        if (strncmp(*io_at, schemes[i].text, len) == 0) {
            p->native = schemes[i].native;
            p->secure = schemes[i].secure;
            *io_at += len;
            return LEAT_OK;
        }
    }
    return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0,
                      "endpoint \"%.64s\" begins with none of clickhouse://, tcp://, http://, https://", *io_at);
}

static leat_rc read_user(struct parse *p, const char *at, const char *end)
{
    char text[VALUE_BYTES_MAX];
    const char *colon = memchr(at, ':', (size_t)(end - at));
    if (!url_decode(at, colon ? colon : end, false, text, sizeof text))
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: the user's name is too long");
    leat_rc rc = set(&p->target->user, text, p->reterr);
    if (rc != LEAT_OK || !colon)
        return rc;
    if (!url_decode(colon + 1, end, false, text, sizeof text))
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: the password is too long");
    return set(&p->target->password, text, p->reterr);
}

static leat_rc read_host(struct parse *p, const char *at, const char *end)
{
    const char *sign = memrchr(at, '@', (size_t)(end - at)), *colon;
    leat_rc rc = sign ? read_user(p, at, sign) : LEAT_OK;
    if (rc != LEAT_OK)
        return rc;
    at = sign ? sign + 1 : at;
    if (memchr(at, ',', (size_t)(end - at)))
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0,
                          "endpoint: one address only; put a load balancer before several servers");
    const char *bracket = memrchr(at, ']', (size_t)(end - at));
    colon = memrchr(bracket ? bracket : at, ':', (size_t)(end - (bracket ? bracket : at)));
    p->host = at;
    p->host_end = colon ? colon : end;
    if (p->host == p->host_end)
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: there is no host in it");
    if (!colon)
        return LEAT_OK;
    char *stop;
    unsigned long port = strtoul(colon + 1, &stop, 10);
    if (stop != end || port == 0 || port > 65535)
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: \"%.*s\" is no port", (int)(end - colon - 1), colon + 1);
    p->port = (uint32_t)port;
    return LEAT_OK;
}

/* The key wins over the address when it says something else than "default". */
static leat_rc read_database(struct parse *p, const char *at, const char *end)
{
    char text[VALUE_BYTES_MAX];
    if (!url_decode(at, end, false, text, sizeof text) || strchr(text, '/'))
        return LEAT_RAISE(p->reterr, LEAT_ECONFIG, 0, "endpoint: the path is the database's name and nothing else");
    return *text ? set(&p->target->database, text, p->reterr) : LEAT_OK;
}

static leat_rc read_keys(struct parse *p)
{
    const struct clickhouse_conf *conf = p->conf;
    leat_rc rc = LEAT_OK;
    if (!p->target->database || (conf->database && *conf->database && strcmp(conf->database, "default") != 0))
        rc = set(&p->target->database, conf->database && *conf->database ? conf->database : "default", p->reterr);
    if (rc == LEAT_OK && conf->username && *conf->username) {
        rc = set(&p->target->user, conf->username, p->reterr);
        if (rc == LEAT_OK)
            rc = set(&p->target->password, conf->password ? conf->password : "", p->reterr);
    }
    return rc;
}

static void choose_port(struct parse *p)
{
    if (p->native && (p->port == 9000 || p->port == 9440)) {
        p->target->native_port = true;
        p->port = p->port == 9440 || p->secure ? 8443 : 8123;
        p->secure |= p->port == 8443;
    }
    if (p->port == 0)
        p->port = p->secure ? 8443 : 8123;
}

static leat_rc put_url(struct parse *p)
{
    struct leat_strbuf *url = &p->target->url;
    const char *path = p->path.len ? p->path.at : "";
    struct leat_url parsed;
    leat_strbuf_printf(url, "%s://%.*s:%u/%s?", p->secure ? "https" : "http", (int)(p->host_end - p->host), p->host,
                       p->port, path[0] == '/' ? path + 1 : path);
    if (url->failed || p->path.failed)
        return no_memory(p->reterr);
    return leat_url_parse(url->at, &parsed, p->reterr);
}

static leat_rc parse_all(struct parse *p, const char *at)
{
    const char *end, *query;
    leat_rc rc = read_scheme(p, &at);
    if (rc != LEAT_OK)
        return rc;
    end = at + strcspn(at, "/?#");
    if ((rc = read_host(p, at, end)) != LEAT_OK)
        return rc;
    query = end + strcspn(end, "?#");
    if (*end == '/' && (rc = read_database(p, end + 1, query)) != LEAT_OK)
        return rc;
    rc = read_query(p, *query == '?' ? query + 1 : "");
    for (uint32_t i = 0; rc == LEAT_OK && i < p->param_count; i++)
        rc = read_param(p, p->params[i].name, p->params[i].value);
    if (rc == LEAT_OK)
        rc = read_keys(p);
    choose_port(p);
    return rc == LEAT_OK ? put_url(p) : rc;
}

leat_rc clickhouse__target_open(const struct clickhouse_conf *conf, const struct leat_http_client_conf *http,
                                struct clickhouse_target *ret_target, struct leat_err *reterr)
{
    struct clickhouse_target target = {.async_insert = conf->async_insert};
    struct parse p = {.conf = conf, .target = &target, .reterr = reterr};
    static const enum leat_coding codings[] = {LEAT_CODING_NONE, LEAT_CODING_NONE, LEAT_CODING_LZ4, LEAT_CODING_ZSTD,
                                               LEAT_CODING_GZIP, LEAT_CODING_LZ4};
    target.coding = conf->compress ? codings[conf->compress] : (enum leat_coding)http->compression;
    p.params = leat_zalloc(CLICKHOUSE_SETTINGS_MAX, sizeof *p.params);
    leat_rc rc = p.params ? parse_all(&p, http->endpoint) : no_memory(reterr);
    leat_free(p.params);
    leat_strbuf_done(&p.path);
    if (rc == LEAT_OK)
        *ret_target = target;
    else
        clickhouse__target_done(&target);
    return rc;
}

void clickhouse__target_done(struct clickhouse_target *target)
{
    leat_strbuf_done(&target->url);
    leat_strbuf_done(&target->settings);
    leat_free(target->user);
    leat_free(target->password);
    leat_free(target->database);
    *target = (struct clickhouse_target){0};
}
