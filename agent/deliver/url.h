/* SPDX-License-Identifier: Apache-2.0 */
/* url -- an absolute http(s) address taken apart, and the proxy that leads there.
 *
 * Why      exporters check their endpoints before anything runs; carriers connect to them.
 * Threads  pure functions over borrowed text; the environment is read, never written.
 * Limits   host names of at most 255 bytes, addresses (LEAT_URL_ADDRESS_MAX) and proxies (LEAT_PROXY_MAX).
 * Fails    LEAT_ECONFIG with a sentence that names the address. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

#define LEAT_URL_ADDRESS_MAX 272u
#define LEAT_PROXY_MAX 512u

struct leat_url {
    bool encrypted;
    char address[LEAT_URL_ADDRESS_MAX]; /* host:port or [v6]:port, to connect to */
    char host[LEAT_URL_ADDRESS_MAX];    /* as in the Host header: the port only when it was written */
    struct leat_slice name;             /* the host alone, without brackets; borrows from the text */
    uint16_t port;
    struct leat_slice target; /* "/path?query", borrows from the text; "/" when there is none */
};
leat_rc leat_url_parse(const char *text, struct leat_url *ret_url, struct leat_err *reterr) LEAT_MUST_CHECK;

/* The proxy for a peer: `configured` when there is one, else HTTPS_PROXY or HTTP_PROXY unless NO_PROXY or a loopback
 * name says otherwise, as Go's clients do it. `to` is "" when none is to be used. */
leat_rc leat_proxy_pick(const char *configured, bool encrypted, struct leat_slice host, uint16_t port,
                        char to[LEAT_PROXY_MAX], struct leat_err *reterr) LEAT_MUST_CHECK;
/* Does a NO_PROXY list name this peer? */
bool leat_proxy_excluded(const char *list, struct leat_slice host, uint16_t port);
