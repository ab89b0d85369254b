/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/grpc_target.h"

#include <stdio.h>
#include <stdlib.h>

static bool strip(const char **text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncasecmp(*text, prefix, len) != 0)
        return false;
    *text += len;
    return true;
}

static leat_rc parse_unix(const char *path, bool insecure, struct leat_grpc_target *target, struct leat_err *reterr)
{
    while (path[0] == '/' && path[1] == '/') /* unix:///path and unix:/path alike */
        path++;
    target->is_unix = true;
    target->encrypted = !insecure;
    int len = snprintf(target->address, sizeof target->address, "unix:%s", path);
    if (!*path || len > 107 + 5) /* sun_path */
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint: \"%.100s\" is no path for a socket", path);
    (void)snprintf(target->authority, sizeof target->authority, "localhost");
    return LEAT_OK;
}

static bool has_port(const char *at)
{
    const char *bracket = strrchr(at, ']'), *colon = strrchr(bracket ? bracket : at, ':');
    return colon && colon[1];
}

leat_rc leat_grpc_target_parse(const char *endpoint, bool insecure, struct leat_grpc_target *ret_target,
                               struct leat_err *reterr)
{
    struct leat_grpc_target target = {.encrypted = !insecure};
    const char *at = endpoint ? endpoint : "";
    leat_rc rc = LEAT_OK;
    if (!*at)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "requires a non-empty endpoint");
    if (strip(&at, "unix:")) {
        rc = parse_unix(at, insecure, &target, reterr);
        if (rc == LEAT_OK)
            *ret_target = target;
        return rc;
    }
    if (strip(&at, "https://"))
        target.encrypted = true;
    else if (strip(&at, "http://"))
        target.encrypted = false;
    else if (!strip(&at, "dns:///") && !strip(&at, "passthrough:///"))
        (void)strip(&at, "dns:");
    size_t len = strcspn(at, "/");
    char text[LEAT_URL_ADDRESS_MAX + 16];
    struct leat_url url;
    if (len == 0 || len >= LEAT_URL_ADDRESS_MAX || (at[len] && at[len + 1]))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint: \"%.100s\" is not host:port", endpoint);
    (void)snprintf(text, sizeof text, "http://%.*s", (int)len, at);
    if (!has_port(text + 7))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint: \"%.100s\" names no port", endpoint);
    rc = leat_url_parse(text, &url, reterr);
    if (rc != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "endpoint") : rc;
    memcpy(target.address, url.address, sizeof target.address);
    memcpy(target.authority, url.host, sizeof target.authority);
    target.name = leat_slice_of(at + (url.name.at - (const uint8_t *)text - 7), url.name.len);
    target.port = url.port;
    *ret_target = target;
    return LEAT_OK;
}
