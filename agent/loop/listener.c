/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/loop/address.h"
#include "agent/loop/stream.h"

#define ACCEPTS_PER_TURN 64 /* then the connections there are get their turn */
#define ACCEPT_PAUSE_NS 1000000000ull
#define BACKLOG 1024

struct leat_listener {
    struct leat_loop *loop;
    void (*accepted)(void *ctx, int fd);
    void *ctx;
    uv_poll_t poll;
    struct leat_timer again; /* accepting resumes */
    int fd;
    bool closing;
    uint16_t port;
    struct leat_address address;
};

/* ---- accepting ---- */

static void readable(uv_poll_t *poll, int status, int events);

static void accept_again(struct leat_timer *timer)
{
    struct leat_listener *listener = timer->ctx;
    (void)uv_poll_start(&listener->poll, UV_READABLE, readable);
}

/* Connections wait in the backlog meanwhile; polling on would spin. */
static void pause_accepting(struct leat_listener *listener)
{
    leat_count(LEAT_COUNT_ACCEPT_PAUSED, 1);
    (void)uv_poll_stop(&listener->poll);
    leat_timer_start(listener->loop, &listener->again, ACCEPT_PAUSE_NS);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void readable(uv_poll_t *poll, int status, int events)
{
    struct leat_listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->closing; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && is_shortage(errno)) {
            pause_accepting(listener);
            return;
        }
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return;
        int on = 1;
        if (!listener->address.is_unix)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        listener->accepted(listener->ctx, fd);
    }
}

/* ---- binding ---- */

static int listen_on(int domain, const struct sockaddr *at, socklen_t len)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -errno;
    if (domain != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    (void)close(fd);
    return -error;
}

/* A socket file that nobody answers on is a leftover of a process that died. */
static bool is_leftover(const struct sockaddr_un *path)
{
    struct stat st;
    if (lstat(path->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* a full backlog must not hold us up */
    if (fd < 0)
        return false;
    bool dead = connect(fd, (const struct sockaddr *)path, sizeof *path) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return dead;
}

static int bind_unix(const struct sockaddr_un *path)
{
    int fd = listen_on(AF_UNIX, (const struct sockaddr *)path, sizeof *path);
    if (fd == -EADDRINUSE && is_leftover(path) && unlink(path->sun_path) == 0)
        fd = listen_on(AF_UNIX, (const struct sockaddr *)path, sizeof *path);
    return fd;
}

static leat_rc bind_tcp(const struct leat_address *address, int *ret_fd, struct leat_err *reterr)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int rc = getaddrinfo(address->host[0] ? address->host : NULL, address->port, &hints, &found);
    if (rc != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, rc, "resolve %s: %s", address->host, gai_strerror(rc));
    int want = address->host[0] ? AF_INET : AF_INET6; /* "localhost" is 127.0.0.1 first; "" is [::], v4 included */
    int fd = -EADDRNOTAVAIL;
    for (int pass = 0; pass < 2 && fd < 0; pass++)
        for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
            if ((at->ai_family == want) == (pass == 0))
                fd = listen_on(at->ai_family, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    *ret_fd = fd;
    return LEAT_OK;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return 0;
    if (at.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&at)->sin_port);
    return at.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)(const void *)&at)->sin6_port) : 0;
}

static leat_rc bind_any(struct leat_listener *listener, const char *text, struct leat_err *reterr)
{
    leat_rc rc = leat_loop__address_parse(text, &listener->address, reterr);
    if (rc == LEAT_OK && listener->address.is_unix)
        listener->fd = bind_unix(&listener->address.path);
    else if (rc == LEAT_OK)
        rc = bind_tcp(&listener->address, &listener->fd, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (listener->fd < 0)
        return LEAT_RAISE(reterr, LEAT_EIO, -listener->fd, "listen on %s: %s", text, strerror(-listener->fd));
    listener->port = port_of(listener->fd);
    return LEAT_OK;
}

leat_rc leat_listener_open(struct leat_loop *loop, const char *address, void (*accepted)(void *ctx, int fd), void *ctx,
                           struct leat_listener **ret_listener, struct leat_err *reterr)
{
    struct leat_listener *listener = leat_zalloc(1, sizeof *listener);
    if (!listener)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "listen: out of memory");
    *listener = (struct leat_listener){.loop = loop, .accepted = accepted, .ctx = ctx, .fd = -1};
    listener->again = (struct leat_timer){.fire = accept_again, .ctx = listener};
    leat_rc rc = bind_any(listener, address, reterr);
    int uv = rc == LEAT_OK ? uv_poll_init(leat_loop__uv(loop), &listener->poll, listener->fd) : 0;
    if (uv != 0) {
        (void)close(listener->fd);
        rc = LEAT_RAISE(reterr, LEAT_EIO, uv, "listen on %s: %s", address, uv_strerror(uv));
    }
    if (rc != LEAT_OK) {
        leat_free(listener);
        return rc;
    }
    listener->poll.data = listener;
    (void)uv_poll_start(&listener->poll, UV_READABLE, readable);
    *ret_listener = listener;
    return LEAT_OK;
}

uint16_t leat_listener_port(const struct leat_listener *listener)
{
    return listener->port;
}

static void gone(uv_handle_t *handle)
{
    leat_free(handle->data);
}

void leat_listener_close(struct leat_listener *listener)
{
    if (!listener)
        return;
    listener->closing = true;
    leat_timer_stop(listener->loop, &listener->again);
    uv_close((uv_handle_t *)&listener->poll, gone);
    (void)close(listener->fd);
    if (listener->address.is_unix)
        (void)unlink(listener->address.path.sun_path);
}
