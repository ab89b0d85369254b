/* SPDX-License-Identifier: Apache-2.0 */
/* Connections through an HTTP proxy: CONNECT first (RFC 9110, section 9.3.6), then the plain or TLS bytes as always. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "agent/net/conn_inner.h"

#define REPLY_BYTES_MAX 8192u
#define LOGIN_BYTES_MAX 512u

struct tunnel {
    struct leat_conn conn; /* first: whoever frees the connection frees all */
    const struct leat_stream_events *inner;
    bool through;
    struct leat_err why;
    uint32_t have;
    char reply[REPLY_BYTES_MAX];
    char request[]; /* the CONNECT */
};

static void fail(struct tunnel *tunnel, const char *reason)
{
    if (tunnel->why.code == LEAT_OK)
        (void)LEAT_RAISE(&tunnel->why, LEAT_ENET, 0, "proxy: %s", reason);
    leat_stream_close(tunnel->conn.stream);
}

/* ---- the reply ---- */

/* Takes bytes of the reply up to its empty line; answers how many. */
static uint32_t take_reply(struct tunnel *tunnel, struct leat_slice bytes, bool *ret_whole)
{
    *ret_whole = false;
    for (uint32_t i = 0; i < bytes.len && tunnel->have < REPLY_BYTES_MAX; i++) {
        tunnel->reply[tunnel->have++] = (char)bytes.at[i];
        if (tunnel->have >= 4 && memcmp(tunnel->reply + tunnel->have - 4, "\r\n\r\n", 4) == 0) {
            *ret_whole = true;
            return i + 1;
        }
    }
    return bytes.len;
}

static bool reply_is_good(const struct tunnel *tunnel)
{
    return tunnel->have > 12 && memcmp(tunnel->reply, "HTTP/1.", 7) == 0 && tunnel->reply[8] == ' ' &&
           tunnel->reply[9] == '2';
}

static void read_reply(struct tunnel *tunnel, struct leat_slice bytes)
{
    bool whole;
    uint32_t used = take_reply(tunnel, bytes, &whole);
    if (!whole) {
        if (tunnel->have == REPLY_BYTES_MAX)
            fail(tunnel, "its reply to CONNECT has no end");
    } else if (!reply_is_good(tunnel)) {
        char line[64];
        (void)snprintf(line, sizeof line, "CONNECT refused: %.32s", tunnel->reply);
        line[strcspn(line, "\r\n")] = 0;
        fail(tunnel, line);
    } else {
        tunnel->through = true;
        tunnel->inner->opened(&tunnel->conn);
        if (used < bytes.len) {
            leat_mem_ref(bytes.mem);
            tunnel->inner->bytes(&tunnel->conn, leat_slice_sub(bytes, used, bytes.len - used));
        }
    }
    leat_mem_unref(bytes.mem);
}

/* ---- the stream's events ---- */

static void opened(void *ctx)
{
    struct tunnel *tunnel = ctx;
    struct leat_chain out = {0};
    if (leat_chain_copy(&out, tunnel->request, (uint32_t)strlen(tunnel->request)) != LEAT_OK ||
        leat_stream_write(tunnel->conn.stream, &out) != LEAT_OK)
        fail(tunnel, "CONNECT could not be sent");
}

static void bytes_came(void *ctx, struct leat_slice bytes)
{
    struct tunnel *tunnel = ctx;
    if (tunnel->through)
        tunnel->inner->bytes(&tunnel->conn, bytes);
    else if (tunnel->why.code == LEAT_OK)
        read_reply(tunnel, bytes);
    else
        leat_mem_unref(bytes.mem);
}

static void drained(void *ctx)
{
    struct tunnel *tunnel = ctx;
    if (tunnel->through)
        tunnel->inner->drained(&tunnel->conn);
}

static void closed(void *ctx, const struct leat_err *why)
{
    struct tunnel *tunnel = ctx;
    if (tunnel->through) {
        tunnel->inner->closed(&tunnel->conn, why);
        return;
    }
    struct leat_err reason = tunnel->why.code != LEAT_OK ? tunnel->why : *why;
    if (reason.code == LEAT_OK)
        (void)LEAT_RAISE(&reason, LEAT_ENET, 0, "proxy: closed before it answered CONNECT");
    tunnel->conn.events.closed(tunnel->conn.ctx, &reason);
    leat_conn__unsecure(&tunnel->conn);
    leat_free(tunnel);
}

static const struct leat_stream_events events = {
    .opened = opened, .bytes = bytes_came, .drained = drained, .closed = closed};

/* ---- the request ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int low = c | 0x20;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static size_t percent_decode(const char *from, size_t len, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int high = from[i] == '%' && i + 2 < len ? hex(from[i + 1]) : -1, low = high >= 0 ? hex(from[i + 2]) : -1;
        if (low >= 0) {
            to[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            to[n++] = from[i];
        }
    }
    return n;
}

struct proxy {
    char address[280];
    char login[LOGIN_BYTES_MAX / 3 * 4 + 8]; /* base64 of user:password; "": none */
};

/* http://[user:password@]host:port[/] */
static leat_rc proxy_parse(const char *url, struct proxy *proxy, struct leat_err *reterr)
{
    const char *at = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
    size_t len = strcspn(at, "/");
    const char *sign = memrchr(at, '@', len);
    char login[LOGIN_BYTES_MAX];
    if (strstr(url, "://") && at == url)
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "proxy: only http:// proxies are supported");
    proxy->login[0] = 0;
    if (sign) {
        size_t login_len = (size_t)(sign - at);
        if (login_len > sizeof login)
            return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "proxy: user and password are too long");
        (void)EVP_EncodeBlock((unsigned char *)proxy->login, (const unsigned char *)login,
                              (int)percent_decode(at, login_len, login));
        len -= login_len + 1;
        at = sign + 1;
    }
    if (len == 0 || len + 4 >= sizeof proxy->address)
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "proxy: host:port is missing or too long");
    bool has_port = memrchr(at, ':', len) && (at[0] != '[' || at[len - 1] != ']');
    (void)snprintf(proxy->address, sizeof proxy->address, "%.*s%s", (int)len, at, has_port ? "" : ":80");
    return LEAT_OK;
}

static struct tunnel *tunnel_new(struct leat_loop *loop, const struct proxy *proxy, const char *target)
{
    size_t room = 2 * strlen(target) + strlen(proxy->login) + 128;
    struct tunnel *tunnel = leat_zalloc(1, sizeof *tunnel + room);
    if (!tunnel)
        return NULL;
    tunnel->conn.loop = loop;
    (void)snprintf(tunnel->request, room, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", target, target,
                   proxy->login[0] ? "Proxy-Authorization: Basic " : "", proxy->login, proxy->login[0] ? "\r\n" : "");
    return tunnel;
}

leat_rc leat_conn_connect_through(struct leat_loop *loop, const char *proxy_url, const char *target,
                                  struct leat_tls *tls, const char *server_name, const struct leat_stream_events *own,
                                  void *ctx, struct leat_conn **ret_conn, struct leat_err *reterr)
{
    struct proxy proxy;
    leat_rc rc = proxy_parse(proxy_url, &proxy, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct tunnel *tunnel = tunnel_new(loop, &proxy, target);
    if (!tunnel)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "proxy: out of memory");
    tunnel->conn.events = *own;
    tunnel->conn.ctx = ctx;
    tunnel->inner = tls ? &leat_conn__tls_events : &leat_conn__plain_events;
    if (tls)
        leat_tls_refresh(tls, leat_loop_now_ns(loop));
    rc = tls ? leat_conn__secure(&tunnel->conn, tls, LEAT_TLS_CLIENT, server_name, reterr) : LEAT_OK;
    if (rc == LEAT_OK)
        rc = leat_stream_connect(loop, proxy.address, 0, &events, tunnel, &tunnel->conn.stream, reterr);
    if (rc != LEAT_OK) {
        leat_conn__unsecure(&tunnel->conn);
        leat_free(tunnel);
        return rc;
    }
    leat_conn__secured(&tunnel->conn);
    *ret_conn = &tunnel->conn;
    return LEAT_OK;
}
