/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/loop/stream_inner.h"

#define READ_ROOM_MIN 8192u /* less left in the page: the next one is begun */
#define SCRATCH_BYTES 65536u
#define IOV_MAX_ONCE 64u
#define MEMORY_RETRY_NS 50000000ull
#define FLUSH_MAX_NS 5000000000ull
#define BROKEN_READ_NS 1000000000ull

static _Thread_local uint8_t scratch[SCRATCH_BYTES]; /* what borrowing streams read into */

static leat_rc code_of(int uv)
{
    switch (uv) {
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return LEAT_ENOMEM;
    case UV_ETIMEDOUT:
        return LEAT_ETIMEOUT;
    case UV_EOF:
        return LEAT_OK;
    default:
        return LEAT_ENET;
    }
}

static void fail_uv(struct leat_stream *stream, int uv, const char *doing)
{
    struct leat_err why = {0};
    if (uv == UV_EOF) /* no error, but a reason worth a sentence */
        (void)snprintf(why.text, sizeof why.text, "closed by peer");
    else
        (void)LEAT_RAISE(&why, code_of(uv), uv, "%s: %s", doing, uv_strerror(uv));
    leat_stream__fail(stream, &why);
}

/* ---- life ---- */

static void tell_drained(struct leat_task *task)
{
    struct leat_stream *stream = task->ctx;
    if (stream->closing || stream->out.bytes)
        return;
    if (stream->closing_flushed)
        leat_stream_close(stream);
    else if (stream->events.drained)
        stream->events.drained(stream->ctx);
}

static void finish_later(struct leat_task *task)
{
    leat_stream__finish(task->ctx);
}

static void rang(struct leat_timer *timer)
{
    struct leat_stream *stream = timer->ctx;
    if (stream->closing_flushed || stream->broken)
        leat_stream_close(stream);
    else if (!stream->paused)
        leat_stream_resume(stream);
}

struct leat_stream *leat_stream__new(struct leat_loop *loop, const struct leat_stream_events *events, void *ctx)
{
    struct leat_stream *stream = leat_zalloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->loop = loop;
    stream->events = *events;
    stream->ctx = ctx;
    leat_task_init(&stream->drained, tell_drained, stream);
    leat_task_init(&stream->finished, finish_later, stream);
    stream->timer = (struct leat_timer){.fire = rang, .ctx = stream};
    return stream;
}

void leat_stream__free(struct leat_stream *stream)
{
    leat_timer_stop(stream->loop, &stream->timer);
    leat_task_cancel(&stream->drained);
    leat_task_cancel(&stream->finished);
    leat_chain_done(&stream->out);
    leat_free(stream);
}

void leat_stream__finish(struct leat_stream *stream)
{
    stream->events.closed(stream->ctx, &stream->why);
    leat_stream__free(stream);
}

static void handle_closed(uv_handle_t *handle)
{
    leat_stream__finish(handle->data);
}

void leat_stream__fail(struct leat_stream *stream, const struct leat_err *why)
{
    if (stream->closing)
        return;
    if (!stream->broken) /* else what went wrong first is the reason */
        stream->why = *why;
    leat_stream_close(stream);
}

void leat_stream_close(struct leat_stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->connected = false;
    leat_timer_stop(stream->loop, &stream->timer);
    leat_task_cancel(&stream->drained);
    if (stream->connect)
        leat_connect__abandon(stream->connect);
    stream->connect = NULL;
    if (stream->is_open && !uv_is_closing(&stream->uv.handle))
        uv_close(&stream->uv.handle, handle_closed);
    else if (!stream->is_open)
        leat_loop_defer(stream->loop, &stream->finished);
    /* else: a failed attempt's handle is closing, and its callback sees `closing` */
}

void leat_stream_close_flushed(struct leat_stream *stream)
{
    if (stream->closing)
        return;
    if (!stream->connected || stream->out.bytes == 0) {
        leat_stream_close(stream);
        return;
    }
    stream->closing_flushed = true;
    leat_stream_pause(stream);
    leat_timer_start(stream->loop, &stream->timer, FLUSH_MAX_NS);
}

static void unseen(void *ctx, const struct leat_err *why)
{
    (void)ctx;
    (void)why;
}

void leat_stream__drop(struct leat_stream *stream)
{
    stream->events = (struct leat_stream_events){.closed = unseen};
    leat_stream_close(stream);
}

int leat_stream__handle(struct leat_stream *stream, bool is_unix)
{
    struct uv_loop_s *uv = leat_loop__uv(stream->loop);
    int rc = is_unix ? uv_pipe_init(uv, &stream->uv.pipe, 0) : uv_tcp_init(uv, &stream->uv.tcp);
    if (rc != 0)
        return rc;
    stream->uv.handle.data = stream;
    stream->is_open = true;
    return 0;
}

/* ---- reading ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct leat_stream *stream = handle->data;
    if (stream->borrowing)
        *buf = uv_buf_init((char *)scratch, sizeof scratch);
    else if (leat_pool_read_room(leat_pool_here(), READ_ROOM_MIN, &stream->room) == LEAT_OK)
        *buf = uv_buf_init((char *)stream->room.at, stream->room.len);
    else
        *buf = uv_buf_init(NULL, 0); /* libuv then reports UV_ENOBUFS */
}

static void out_of_room(struct leat_stream *stream) /* the kernel keeps the bytes; memory may be back in a moment */
{
    (void)uv_read_stop(&stream->uv.stream);
    leat_timer_start(stream->loop, &stream->timer, MEMORY_RETRY_NS);
}

static void got_bytes(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf)
{
    struct leat_stream *stream = uv->data;
    if (n == 0 || stream->closing)
        return;
    if (n == UV_ENOBUFS && !buf->base) {
        out_of_room(stream);
        return;
    }
    if (n < 0) {
        fail_uv(stream, (int)n, "read");
        return;
    }
    struct leat_slice slice = {.at = (const uint8_t *)buf->base, .len = (uint32_t)n};
    if (!stream->borrowing)
        slice.mem = leat_pool_read_take(leat_pool_here(), &stream->room, slice.len);
    stream->events.bytes(stream->ctx, slice);
}

leat_rc leat_stream__start(struct leat_stream *stream)
{
    stream->connected = true;
    if (stream->paused)
        return LEAT_OK;
    int rc = uv_read_start(&stream->uv.stream, give_room, got_bytes);
    return rc == 0 ? LEAT_OK : LEAT_EIO;
}

void leat_stream_pause(struct leat_stream *stream)
{
    stream->paused = true;
    if (stream->connected)
        (void)uv_read_stop(&stream->uv.stream);
}

void leat_stream_resume(struct leat_stream *stream)
{
    if (stream->closing_flushed)
        return;
    stream->paused = false;
    if (!stream->connected)
        return;
    if (!stream->broken)
        leat_timer_stop(stream->loop, &stream->timer);
    int rc = uv_read_start(&stream->uv.stream, give_room, got_bytes);
    if (rc != 0 && rc != UV_EALREADY)
        fail_uv(stream, rc, "read");
}

void leat_stream_borrow(struct leat_stream *stream)
{
    stream->borrowing = true;
}

/* ---- writing ---- */

/* The peer takes no more, but what it said before may still lie in the kernel (a 413, say): reading goes on until its
 * end, or for a moment. */
static void write_broke(struct leat_stream *stream, int uv)
{
    leat_chain_done(&stream->out);
    (void)LEAT_RAISE(&stream->why, code_of(uv), uv, "write: %s", uv_strerror(uv));
    stream->broken = true;
    leat_timer_start(stream->loop, &stream->timer, BROKEN_READ_NS);
    leat_stream_resume(stream);
}

static int try_write(struct leat_stream *stream, struct leat_chain *chain)
{
    while (chain->count) {
        uv_buf_t bufs[IOV_MAX_ONCE];
        uint32_t n = chain->count < IOV_MAX_ONCE ? chain->count : IOV_MAX_ONCE;
        for (uint32_t i = 0; i < n; i++)
            bufs[i] = uv_buf_init((char *)(uintptr_t)chain->vec[i].at, chain->vec[i].len);
        int sent = uv_try_write(&stream->uv.stream, bufs, n);
        if (sent == UV_EAGAIN)
            return 0;
        if (sent < 0)
            return sent;
        leat_chain_eat(chain, (uint64_t)sent);
    }
    return 0;
}

static void written(uv_write_t *req, int status);

static int write_front(struct leat_stream *stream) /* what the request can hold without allocating */
{
    uv_buf_t bufs[LEAT_WRITE_BUFS];
    uint32_t n = stream->out.count < LEAT_WRITE_BUFS ? stream->out.count : LEAT_WRITE_BUFS;
    stream->asked = 0;
    for (uint32_t i = 0; i < n; i++) {
        bufs[i] = uv_buf_init((char *)(uintptr_t)stream->out.vec[i].at, stream->out.vec[i].len);
        stream->asked += stream->out.vec[i].len;
    }
    stream->write_req.data = stream;
    int rc = uv_write(&stream->write_req, &stream->uv.stream, bufs, n, written);
    stream->writing = rc == 0;
    return rc;
}

static void push_out(struct leat_stream *stream)
{
    int rc = try_write(stream, &stream->out);
    if (rc == 0 && stream->out.count)
        rc = write_front(stream);
    if (rc != 0)
        write_broke(stream, rc);
    else if (stream->out.count == 0)
        leat_loop_defer(stream->loop, &stream->drained);
}

static void written(uv_write_t *req, int status)
{
    struct leat_stream *stream = req->data;
    stream->writing = false;
    if (stream->closing)
        return;
    if (status < 0) {
        write_broke(stream, status);
        return;
    }
    leat_chain_eat(&stream->out, stream->asked);
    push_out(stream);
}

leat_rc leat_stream_write(struct leat_stream *stream, struct leat_chain *chain)
{
    if (stream->closing || stream->broken) {
        leat_chain_done(chain);
        return LEAT_ENET;
    }
    leat_rc rc = leat_chain_append(&stream->out, chain);
    if (rc != LEAT_OK) { /* half a message is worse than none */
        struct leat_err why = {0};
        leat_chain_done(chain);
        (void)LEAT_RAISE(&why, rc, 0, "write: out of memory");
        leat_stream__fail(stream, &why);
        return rc;
    }
    if (stream->connected && !stream->writing)
        push_out(stream);
    return LEAT_OK;
}

void leat_stream__flush(struct leat_stream *stream)
{
    if (stream->out.count)
        push_out(stream);
}

uint64_t leat_stream_unsent(const struct leat_stream *stream)
{
    return stream->out.bytes;
}

/* ---- names ---- */

static void name_of(const struct sockaddr_storage *from, char *text, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
    if (from->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(text, room, "%s:%u", host, ntohs(v4->sin_port));
    } else if (from->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(text, room, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        (void)snprintf(text, room, "unix");
    }
}

const char *leat_stream_peer(const struct leat_stream *stream)
{
    struct leat_stream *cache = (struct leat_stream *)(uintptr_t)stream;
    if (cache->peer[0] || !stream->is_open)
        return stream->peer;
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    uv_os_fd_t fd;
    if (uv_fileno(&stream->uv.handle, &fd) == 0 && getpeername(fd, (struct sockaddr *)&from, &len) == 0)
        name_of(&from, cache->peer, sizeof cache->peer);
    return stream->peer;
}
