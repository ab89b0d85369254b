/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST_BYTES_MAX 255u

/* ---- an address ---- */

static bool strip_scheme(const char **text, bool *ret_encrypted)
{
    if (strncasecmp(*text, "http://", 7) == 0) {
        *ret_encrypted = false;
        *text += 7;
        return true;
    }
    if (strncasecmp(*text, "https://", 8) == 0) {
        *ret_encrypted = true;
        *text += 8;
        return true;
    }
    return false;
}

static bool parse_port(const char *at, size_t len, uint16_t *ret_port)
{
    unsigned long port = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)at[i]))
            return false;
        port = port * 10 + (unsigned long)(at[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static bool parse_authority(const char *at, size_t len, struct leat_url *url)
{
    const char *end = at + len, *name = at, *name_end, *rest;
    if (len && *at == '[') {
        name = at + 1;
        name_end = memchr(name, ']', (size_t)(end - name));
        if (!name_end)
            return false;
        rest = name_end + 1;
    } else {
        name_end = memchr(at, ':', len);
        name_end = name_end ? name_end : end;
        rest = name_end;
    }
    size_t name_len = (size_t)(name_end - name);
    if (name_len == 0 || name_len > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name_len; i++)
        if (name[i] <= ' ' || name[i] == 0x7f || strchr("\"<>\\^`{|}@", name[i]))
            return false;
    url->name = leat_slice_of(name, (uint32_t)name_len);
    url->port = url->encrypted ? 443 : 80;
    return rest == end || (*rest == ':' && parse_port(rest + 1, (size_t)(end - rest - 1), &url->port));
}

static bool target_is_clean(const char *at)
{
    for (; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    return true;
}

leat_rc leat_url_parse(const char *text, struct leat_url *ret_url, struct leat_err *reterr)
{
    struct leat_url url = {0};
    const char *at = text;
    if (!strip_scheme(&at, &url.encrypted))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" is not an http:// or https:// address", text);
    size_t len = strcspn(at, "/?#");
    if (memchr(at, '@', len))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "user and password do not belong into an address: use the basic_auth "
                          "extension");
    if (!parse_authority(at, len, &url))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" has no valid host and port", text);
    const char *target = at + len;
    if (!target_is_clean(target) || *target == '?')
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" has no valid path", text);
    url.target = *target == '/' ? leat_slice_of(target, (uint32_t)strcspn(target, "#")) : LEAT_SLICE("/");
    bool bracketed = *at == '[';
    (void)snprintf(url.address, sizeof url.address, bracketed ? "[%.*s]:%u" : "%.*s:%u", LEAT_SLICE_ARGS(url.name),
                   url.port);
    (void)snprintf(url.host, sizeof url.host, "%.*s", (int)len, at);
    *ret_url = url;
    return LEAT_OK;
}

/* ---- proxies ---- */

static bool host_is_loopback(struct leat_slice host)
{
    return leat_slice_ieq(host, LEAT_SLICE("localhost")) || leat_slice_is(host, "::1") ||
           (host.len > 4 && memcmp(host.at, "127.", 4) == 0);
}

static int parse_ip(struct leat_slice text, uint8_t to[16]) /* bits of the family, 0: not an address */
{
    char copy[64];
    if (text.len >= sizeof copy)
        return 0;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    return inet_pton(AF_INET, copy, to) == 1 ? 32 : inet_pton(AF_INET6, copy, to) == 1 ? 128 : 0;
}

static bool in_network(struct leat_slice host, struct leat_slice network, uint32_t bits)
{
    uint8_t a[16], b[16];
    int family = parse_ip(host, a);
    if (family == 0 || parse_ip(network, b) != family || bits > (uint32_t)family)
        return false;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

/* "foo.com" names itself and all below it; ".foo.com" and "*.foo.com" only what is below. */
static bool in_domain(struct leat_slice host, struct leat_slice domain)
{
    if (domain.len && domain.at[0] == '*')
        domain = leat_slice_sub(domain, 1, domain.len - 1);
    bool below_only = domain.len && domain.at[0] == '.';
    if (!below_only && leat_slice_ieq(host, domain))
        return true;
    if (host.len <= domain.len || domain.len == 0)
        return false;
    uint32_t offset = host.len - domain.len;
    return leat_slice_ieq(leat_slice_sub(host, offset, domain.len), domain) &&
           (below_only || host.at[offset - 1] == '.');
}

static bool rule_names(struct leat_slice rule, struct leat_slice host, uint16_t port)
{
    if (leat_slice_is(rule, "*"))
        return true;
    const uint8_t *slash = memchr(rule.at, '/', rule.len);
    if (slash)
        return in_network(host, leat_slice_sub(rule, 0, (uint32_t)(slash - rule.at)),
                          (uint32_t)strtoul((const char *)slash + 1, NULL, 10));
    uint8_t ip[16];
    const uint8_t *colon = memrchr(rule.at, ':', rule.len);
    if (colon && parse_ip(rule, ip) != 128) { /* a port of its own */
        uint16_t wanted;
        uint32_t len = (uint32_t)(colon - rule.at);
        if (!parse_port((const char *)colon + 1, rule.len - len - 1, &wanted) || wanted != port)
            return false;
        rule = leat_slice_sub(rule, 0, len);
        if (rule.len > 1 && rule.at[0] == '[')
            rule = leat_slice_sub(rule, 1, rule.len - 2);
    }
    int bits = parse_ip(rule, ip);
    return bits ? in_network(host, rule, (uint32_t)bits) : in_domain(host, rule);
}

bool leat_proxy_excluded(const char *list, struct leat_slice host, uint16_t port)
{
    while (list && *list) {
        size_t len = strcspn(list, ",");
        const char *at = list, *end = list + len;
        while (at < end && isspace((unsigned char)*at))
            at++;
        while (end > at && isspace((unsigned char)end[-1]))
            end--;
        if (end > at && rule_names(leat_slice_of(at, (uint32_t)(end - at)), host, port))
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

static const char *environment(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    return value && *value ? value : getenv(lower);
}

leat_rc leat_proxy_pick(const char *configured, bool encrypted, struct leat_slice host, uint16_t port,
                        char to[LEAT_PROXY_MAX], struct leat_err *reterr)
{
    to[0] = 0;
    const char *proxy = configured && *configured ? configured : NULL;
    if (!proxy) {
        if (host_is_loopback(host) || leat_proxy_excluded(environment("NO_PROXY", "no_proxy"), host, port))
            return LEAT_OK;
        proxy = encrypted ? environment("HTTPS_PROXY", "https_proxy") : environment("HTTP_PROXY", "http_proxy");
    }
    if (!proxy || !*proxy)
        return LEAT_OK;
    bool has_scheme = strstr(proxy, "://") != NULL;
    if (has_scheme && strncasecmp(proxy, "http://", 7) != 0)
        return LEAT_RAISE(reterr, LEAT_EUNSUPPORTED, 0, "only http:// proxies are supported");
    int len = snprintf(to, LEAT_PROXY_MAX, "%s%s", has_scheme ? "" : "http://", proxy);
    if (len >= (int)LEAT_PROXY_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "the proxy's address is longer than %u bytes", LEAT_PROXY_MAX);
    return LEAT_OK;
}
