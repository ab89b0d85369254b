/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/address.h"

#include <string.h>

static leat_rc parse_unix(const char *path, struct leat_address *address, struct leat_err *reterr)
{
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address->path.sun_path)
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "unix socket path must have 1 to %zu characters",
                          sizeof address->path.sun_path - 1);
    address->is_unix = true;
    address->path.sun_family = AF_UNIX;
    memcpy(address->path.sun_path, path, len + 1);
    return LEAT_OK;
}

static bool is_port(const char *text)
{
    unsigned value = 0;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 5 || text[n])
        return false;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value <= 65535;
}

leat_rc leat_loop__address_parse(const char *text, struct leat_address *ret_address, struct leat_err *reterr)
{
    struct leat_address address = {0};
    if (strncmp(text, "unix:", 5) == 0) {
        const char *path = text + 5;
        leat_rc rc = parse_unix(strncmp(path, "///", 3) == 0 ? path + 2 : path, &address, reterr);
        if (rc == LEAT_OK)
            *ret_address = address;
        return rc;
    }
    const char *colon = strrchr(text, ':'), *host = text;
    if (!colon || !is_port(colon + 1))
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "\"%.100s\" is no host:port", text);
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        host++;
        len -= 2;
    }
    if (len >= sizeof address.host || (!bracketed && memchr(host, ':', len)))
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "\"%.100s\" is no host:port (write IPv6 as [::1]:4317)", text);
    memcpy(address.host, host, len);
    memcpy(address.port, colon + 1, strlen(colon + 1) + 1);
    *ret_address = address;
    return LEAT_OK;
}
