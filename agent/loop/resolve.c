/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/resolve.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "agent/base/alloc.h"
#include "agent/loop/address.h"

#define TEXT_MAX 80 /* an IPv6 address, brackets, port */

struct leat_resolve {
    uv_getaddrinfo_t lookup;
    struct leat_task at_once; /* unix addresses */
    void (*found)(void *ctx, const char *const *addresses, uint32_t count, const struct leat_err *err);
    void *ctx; /* with found == NULL: cancelled */
    struct leat_address address;
    char unix_text[128];
    char texts[LEAT_RESOLVED_MAX][TEXT_MAX];
};

static void tell(struct leat_resolve *resolve, const char *const *addresses, uint32_t count, const struct leat_err *err)
{
    if (resolve->found)
        resolve->found(resolve->ctx, addresses, count, err);
    leat_free(resolve);
}

static bool print(const struct sockaddr *at, char text[TEXT_MAX], const char *port)
{
    char host[INET6_ADDRSTRLEN];
    if (at->sa_family == AF_INET && uv_ip4_name((const struct sockaddr_in *)at, host, sizeof host) == 0)
        return snprintf(text, TEXT_MAX, "%s:%s", host, port) < TEXT_MAX;
    if (at->sa_family == AF_INET6 && uv_ip6_name((const struct sockaddr_in6 *)at, host, sizeof host) == 0)
        return snprintf(text, TEXT_MAX, "[%s]:%s", host, port) < TEXT_MAX;
    return false;
}

static bool is_new(const char *const *list, uint32_t count, const char *text)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i], text) == 0)
            return false;
    return true;
}

static void looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *info)
{
    struct leat_resolve *resolve = lookup->data;
    const char *list[LEAT_RESOLVED_MAX];
    uint32_t count = 0;
    struct leat_err err = {0};
    for (const struct addrinfo *at = status == 0 ? info : NULL; at && count < LEAT_RESOLVED_MAX; at = at->ai_next)
        if (print(at->ai_addr, resolve->texts[count], resolve->address.port) &&
            is_new(list, count, resolve->texts[count])) {
            list[count] = resolve->texts[count];
            count++;
        }
    if (info)
        uv_freeaddrinfo(info);
    if (count == 0)
        (void)LEAT_RAISE(&err, LEAT_ENET, status, "resolve %s: %s", resolve->address.host,
                         status ? uv_strerror(status) : "no address");
    tell(resolve, list, count, count ? NULL : &err);
}

static void give_unix(struct leat_task *task)
{
    struct leat_resolve *resolve = task->ctx;
    const char *list[1] = {resolve->unix_text};
    tell(resolve, list, 1, NULL);
}

static leat_rc start(struct leat_resolve *resolve, struct leat_loop *loop, struct leat_err *reterr)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct in6_addr literal;
    const char *host = resolve->address.host[0] ? resolve->address.host : "localhost";
    if (uv_inet_pton(AF_INET, host, &literal) == 0 || uv_inet_pton(AF_INET6, host, &literal) == 0)
        hints.ai_flags = AI_NUMERICHOST;
    int rc = uv_getaddrinfo(leat_loop__uv(loop), &resolve->lookup, looked_up, host, resolve->address.port, &hints);
    return rc == 0 ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENET, rc, "resolve %s: %s", host, uv_strerror(rc));
}

leat_rc leat_resolve_open(struct leat_loop *loop, const char *address,
                          void (*found)(void *ctx, const char *const *addresses, uint32_t count,
                                        const struct leat_err *err),
                          void *ctx, struct leat_resolve **ret_resolve, struct leat_err *reterr)
{
    struct leat_resolve *resolve = leat_zalloc(1, sizeof *resolve);
    if (!resolve)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "resolve: out of memory");
    resolve->found = found;
    resolve->ctx = ctx;
    resolve->lookup.data = resolve;
    leat_task_init(&resolve->at_once, give_unix, resolve);
    leat_rc rc = leat_loop__address_parse(address, &resolve->address, reterr);
    if (rc == LEAT_OK && resolve->address.is_unix) {
        (void)snprintf(resolve->unix_text, sizeof resolve->unix_text, "%s", address);
        leat_loop_defer(loop, &resolve->at_once);
    } else if (rc == LEAT_OK) {
        rc = start(resolve, loop, reterr);
    }
    if (rc != LEAT_OK) {
        leat_free(resolve);
        return rc;
    }
    *ret_resolve = resolve;
    return LEAT_OK;
}

void leat_resolve_cancel(struct leat_resolve *resolve)
{
    resolve->found = NULL;
    if (resolve->address.is_unix) {
        leat_task_cancel(&resolve->at_once);
        leat_free(resolve);
    } else {
        (void)uv_cancel((uv_req_t *)&resolve->lookup); /* its callback frees */
    }
}
