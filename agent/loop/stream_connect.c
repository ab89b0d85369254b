/* SPDX-License-Identifier: Apache-2.0 */
/* Outgoing connections and accepted sockets: how a stream comes to stand. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/alloc.h"
#include "agent/loop/stream_inner.h"

#define ATTEMPT_NS 3000000000ull /* one address of several; the last one has what time the caller gives */

/* Lives apart from its stream: a look-up in a helper thread cannot be recalled, and ends after the stream was closed.
 */
struct leat_connect {
    struct leat_stream *stream; /* NULL: abandoned */
    uv_getaddrinfo_t lookup;
    bool looking;
    uv_connect_t req;
    struct leat_timer timer;
    struct leat_address address;
    struct addrinfo *found;
    uint32_t count, tried, first;
    struct leat_err why; /* of the last attempt */
};

static void no_delay(uv_handle_t *handle)
{
    uv_os_fd_t fd;
    int on = 1;
    if (uv_fileno(handle, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- trying addresses in turn ---- */

static void connect_free(struct leat_connect *connect)
{
    if (connect->found)
        uv_freeaddrinfo(connect->found);
    leat_free(connect);
}

void leat_connect__abandon(struct leat_connect *connect)
{
    leat_timer_stop(connect->stream->loop, &connect->timer);
    connect->stream = NULL;
    if (connect->looking)
        (void)uv_cancel((uv_req_t *)&connect->lookup); /* its callback frees */
    else if (connect->req.data == NULL)
        connect_free(connect);
    /* else: the handle is closed next, and `attempted` then frees */
}

static void give_up(struct leat_connect *connect)
{
    struct leat_stream *stream = connect->stream;
    struct leat_err why = connect->why;
    leat_stream__fail(stream, &why);
}

static void attempt(struct leat_connect *connect);

static void handle_gone(uv_handle_t *handle)
{
    struct leat_stream *stream = handle->data;
    stream->is_open = false;
    if (stream->closing)
        leat_stream__finish(stream);
    else
        attempt(stream->connect);
}

static void try_next(struct leat_connect *connect)
{
    struct leat_stream *stream = connect->stream;
    leat_timer_stop(stream->loop, &connect->timer);
    if (connect->tried >= connect->count)
        give_up(connect);
    else if (stream->is_open)
        uv_close(&stream->uv.handle, handle_gone); /* a failed handle cannot connect again */
    else
        attempt(connect);
}

static void attempt_failed(struct leat_connect *connect, int uv)
{
    (void)LEAT_RAISE(&connect->why, uv == UV_ETIMEDOUT ? LEAT_ETIMEOUT : LEAT_ENET, uv, "connect: %s", uv_strerror(uv));
    try_next(connect);
}

static void stands(struct leat_connect *connect)
{
    struct leat_stream *stream = connect->stream;
    leat_timer_stop(stream->loop, &connect->timer);
    stream->connect = NULL;
    connect_free(connect);
    if (stream->uv.handle.type == UV_TCP)
        no_delay(&stream->uv.handle);
    if (leat_stream__start(stream) != LEAT_OK) {
        struct leat_err why = {0};
        (void)LEAT_RAISE(&why, LEAT_EIO, 0, "connect: cannot read");
        leat_stream__fail(stream, &why);
        return;
    }
    leat_stream__flush(stream);
    if (stream->events.opened)
        stream->events.opened(stream->ctx);
}

static void attempted(uv_connect_t *req, int status)
{
    struct leat_connect *connect = req->data;
    req->data = NULL;
    if (!connect->stream)
        connect_free(connect);
    else if (uv_is_closing(&connect->stream->uv.handle))
        return; /* its time was up: handle_gone goes on */
    else if (status == 0)
        stands(connect);
    else
        attempt_failed(connect, status);
}

static void time_up(struct leat_timer *timer)
{
    struct leat_connect *connect = timer->ctx;
    attempt_failed(connect, UV_ETIMEDOUT);
}

static const struct addrinfo *address_at(const struct leat_connect *connect, uint32_t index)
{
    const struct addrinfo *at = connect->found;
    for (index = (index + connect->first) % connect->count; index; index--)
        at = at->ai_next;
    return at;
}

static void attempt(struct leat_connect *connect)
{
    struct leat_stream *stream = connect->stream;
    const struct addrinfo *to = address_at(connect, connect->tried++);
    int rc = leat_stream__handle(stream, false);
    connect->req.data = connect;
    if (rc == 0)
        rc = uv_tcp_connect(&connect->req, &stream->uv.tcp, to->ai_addr, attempted);
    if (rc != 0) {
        connect->req.data = NULL;
        attempt_failed(connect, rc);
    } else if (connect->tried < connect->count) {
        leat_timer_start(stream->loop, &connect->timer, ATTEMPT_NS);
    }
}

/* ---- names ---- */

static void looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct leat_connect *connect = LEAT_CONTAINER(lookup, struct leat_connect, lookup);
    connect->looking = false;
    connect->found = status == 0 ? found : NULL;
    if (!connect->stream) {
        connect_free(connect);
        return;
    }
    for (const struct addrinfo *at = connect->found; at; at = at->ai_next)
        connect->count++;
    if (connect->count == 0) {
        (void)LEAT_RAISE(&connect->why, LEAT_ENET, status, "resolve %s: %s", connect->address.host,
                         status ? uv_strerror(status) : "no address");
        give_up(connect);
        return;
    }
    connect->first %= connect->count;
    attempt(connect);
}

static leat_rc look_up(struct leat_connect *connect, struct leat_err *reterr)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct in6_addr literal;
    const char *host = connect->address.host[0] ? connect->address.host : "localhost";
    if (uv_inet_pton(AF_INET, host, &literal) == 0 || uv_inet_pton(AF_INET6, host, &literal) == 0)
        hints.ai_flags = AI_NUMERICHOST;
    int rc = uv_getaddrinfo(leat_loop__uv(connect->stream->loop), &connect->lookup, looked_up, host,
                            connect->address.port, &hints);
    connect->looking = rc == 0;
    return rc == 0 ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENET, rc, "resolve %s: %s", host, uv_strerror(rc));
}

static leat_rc start_unix(struct leat_connect *connect, struct leat_err *reterr)
{
    int rc = leat_stream__handle(connect->stream, true);
    if (rc != 0)
        return LEAT_RAISE(reterr, LEAT_EIO, rc, "connect: %s", uv_strerror(rc));
    connect->req.data = connect;
    connect->count = connect->tried = 1;
    uv_pipe_connect(&connect->req, &connect->stream->uv.pipe, connect->address.path.sun_path, attempted);
    return LEAT_OK;
}

leat_rc leat_stream_connect(struct leat_loop *loop, const char *address, uint32_t skip,
                            const struct leat_stream_events *events, void *ctx, struct leat_stream **ret_stream,
                            struct leat_err *reterr)
{
    struct leat_connect *connect = leat_zalloc(1, sizeof *connect);
    struct leat_stream *stream = connect ? leat_stream__new(loop, events, ctx) : NULL;
    leat_rc rc = stream ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "connect: out of memory");
    if (rc == LEAT_OK)
        rc = leat_loop__address_parse(address, &connect->address, reterr);
    if (rc == LEAT_OK) {
        connect->stream = stream;
        connect->first = skip;
        connect->timer = (struct leat_timer){.fire = time_up, .ctx = connect};
        rc = connect->address.is_unix ? start_unix(connect, reterr) : look_up(connect, reterr);
    }
    if (rc != LEAT_OK) {
        if (stream)
            leat_stream__free(stream);
        leat_free(connect);
        return rc;
    }
    stream->connect = connect;
    *ret_stream = stream;
    return LEAT_OK;
}

/* ---- accepted sockets ---- */

leat_rc leat_stream_adopt(struct leat_loop *loop, int fd, const struct leat_stream_events *events, void *ctx,
                          struct leat_stream **ret_stream, struct leat_err *reterr)
{
    int domain = 0;
    socklen_t len = sizeof domain;
    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    struct leat_stream *stream = leat_stream__new(loop, events, ctx);
    if (!stream) {
        (void)close(fd);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "accept: out of memory");
    }
    int rc = leat_stream__handle(stream, domain == AF_UNIX);
    if (rc == 0)
        rc = domain == AF_UNIX ? uv_pipe_open(&stream->uv.pipe, fd) : uv_tcp_open(&stream->uv.tcp, fd);
    if (rc != 0) {
        (void)close(fd);
        (void)LEAT_RAISE(reterr, LEAT_EIO, rc, "accept: %s", uv_strerror(rc));
        leat_stream__drop(stream);
        return LEAT_EIO;
    }
    if (leat_stream__start(stream) != LEAT_OK) {
        leat_stream__drop(stream);
        return LEAT_RAISE(reterr, LEAT_EIO, 0, "accept: cannot read");
    }
    *ret_stream = stream;
    return LEAT_OK;
}

void leat_socket_drop(int fd)
{
    (void)close(fd);
}
