/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of a server connection: opening, deadlines, replies, the end. */
#include "agent/net/http1_conn.h"

#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/counter.h"

#define LINGER_NS 2000000000ull
#define LINGER_BYTES_MAX 4194304u
#define RATE_WINDOW_NS 5000000000ull
#define RATE_WINDOW_S 5u

/* ---- deadlines: one timer, moved only when it rings or must ring earlier ---- */

void leat_http1__conn_deadline(struct leat_http1_exchange *exchange, uint64_t after_ns)
{
    struct leat_loop *loop = exchange->server->loop;
    exchange->deadline_ns = after_ns ? leat_loop_now_ns(loop) + after_ns : 0;
    if (after_ns && (!leat_timer_runs(&exchange->timer) || exchange->timer.due_ns > exchange->deadline_ns))
        leat_timer_start(loop, &exchange->timer, after_ns);
}

void leat_http1__conn_kill(struct leat_http1_exchange *exchange)
{
    exchange->phase = LEAT_HTTP1_DEAD;
    leat_http1__conn_deadline(exchange, 0);
    leat_conn_close(exchange->conn);
}

static bool too_slow(struct leat_http1_exchange *exchange, uint64_t now)
{
    if (exchange->body_deadline_ns && now >= exchange->body_deadline_ns)
        return true;
    uint64_t wanted = (uint64_t)exchange->server->limits.body_rate_min * RATE_WINDOW_S;
    bool slow = wanted && exchange->body.bytes - exchange->rate_bytes < wanted;
    exchange->rate_bytes = exchange->body.bytes;
    return slow;
}

static void body_window(struct leat_http1_exchange *exchange, uint64_t now)
{
    if (too_slow(exchange, now)) {
        leat_count(LEAT_COUNT_HTTP_TIMEOUT, 1);
        leat_http1__conn_refuse(exchange, 408);
        return;
    }
    uint64_t after = exchange->server->limits.body_rate_min ? RATE_WINDOW_NS : UINT64_MAX;
    uint64_t left = exchange->body_deadline_ns ? exchange->body_deadline_ns - now : UINT64_MAX;
    leat_http1__conn_deadline(exchange, after < left ? after : left);
}

static void rang(struct leat_timer *timer)
{
    struct leat_http1_exchange *exchange = timer->ctx;
    uint64_t now = leat_loop_now_ns(exchange->server->loop);
    if (exchange->deadline_ns == 0)
        return;
    if (now < exchange->deadline_ns) {
        leat_timer_start(exchange->server->loop, timer, exchange->deadline_ns - now);
        return;
    }
    switch (exchange->phase) {
    case LEAT_HTTP1_HEAD:
        leat_count(LEAT_COUNT_HTTP_TIMEOUT, 1);
        leat_http1__conn_refuse(exchange, 408);
        break;
    case LEAT_HTTP1_BODY:
        body_window(exchange, now);
        break;
    case LEAT_HTTP1_SENDING:
        leat_count(LEAT_COUNT_HTTP_TIMEOUT, 1);
        leat_http1__conn_kill(exchange);
        break;
    default: /* idle, or lingering: nothing is owed to anybody */
        leat_http1__conn_kill(exchange);
        break;
    }
}

/* ---- between requests ---- */

static void let_go(struct leat_http1_exchange *exchange) /* of all that belongs to one request */
{
    leat_gather_done(&exchange->gather);
    leat_chain_done(&exchange->body);
    exchange->head_mem = leat_mem_unref(exchange->head_mem);
    exchange->list_mem = leat_mem_unref(exchange->list_mem);
    exchange->head_len = 0;
    exchange->own = NULL;
}

static void resume(struct leat_http1_exchange *exchange)
{
    if (exchange->paused)
        leat_conn_resume(exchange->conn);
    exchange->paused = false;
}

/* The reply has left the process: next request, or the end. */
static void replied(struct leat_http1_exchange *exchange)
{
    let_go(exchange);
    if (exchange->last && exchange->body_whole) {
        exchange->phase = LEAT_HTTP1_DEAD;
        leat_http1__conn_deadline(exchange, 0);
        leat_conn_close_flushed(exchange->conn);
        return;
    }
    if (exchange->last) {
        exchange->phase = LEAT_HTTP1_LINGER;
        exchange->linger_bytes = LINGER_BYTES_MAX;
        leat_http1__conn_deadline(exchange, LINGER_NS);
    } else {
        exchange->phase = LEAT_HTTP1_IDLE;
        leat_http1__conn_deadline(exchange, exchange->server->limits.idle_ns_max);
    }
    if (exchange->rest.len == 0)
        resume(exchange);
    else if (!exchange->busy)
        leat_loop_defer(exchange->server->loop, &exchange->go_on);
}

/* ---- replies ---- */

#define REPLY_HEAD_FIXED 160u

static uint32_t head_room(struct leat_headers headers)
{
    uint64_t bytes = REPLY_HEAD_FIXED;
    for (uint32_t i = 0; i < headers.count; i++)
        bytes += (uint64_t)headers.at[i].name.len + headers.at[i].value.len + 4;
    return bytes <= LEAT_SMALL_BYTES_MAX ? (uint32_t)bytes : 0;
}

static uint8_t *put(uint8_t *to, const void *at, uint32_t len)
{
    memcpy(to, at, len);
    return to + len;
}

static uint32_t write_head(struct leat_http1_exchange *exchange, int status, struct leat_headers headers,
                           uint64_t body_bytes, uint8_t *to)
{
    const char *fate = exchange->last              ? "Connection: close\r\n"
                       : exchange->head.minor == 0 ? "Connection: keep-alive\r\n"
                                                   : "";
    int n = status == 204 ? snprintf((char *)to, REPLY_HEAD_FIXED, "HTTP/1.1 204 No Content\r\n%s", fate)
                          : snprintf((char *)to, REPLY_HEAD_FIXED, "HTTP/1.1 %d %s\r\nContent-Length: %llu\r\n%s",
                                     status, leat_http1__reason(status), (unsigned long long)body_bytes, fate);
    uint8_t *end = to + n;
    for (uint32_t i = 0; i < headers.count; i++) {
        const struct leat_header *h = &headers.at[i];
        if (!leat_http1__is_token(h->name) || !leat_http1__is_value(h->value))
            continue; /* no line break ever leaves */
        end = put(end, h->name.at, h->name.len);
        end = put(end, ": ", 2);
        end = put(end, h->value.at, h->value.len);
        end = put(end, "\r\n", 2);
    }
    return (uint32_t)(put(end, "\r\n", 2) - to);
}

static leat_rc send_reply(struct leat_http1_exchange *exchange, int status, struct leat_headers headers,
                          struct leat_chain *body)
{
    uint8_t *to;
    uint32_t room = head_room(headers);
    struct leat_mem *mem = room ? leat_pool_small(leat_pool_here(), room, &to) : NULL;
    if (!mem)
        return LEAT_ENOMEM;
    uint32_t len = write_head(exchange, status, headers, body->bytes, to);
    struct leat_chain out = {0};
    leat_rc rc = leat_chain_take(&out, (struct leat_slice){to, len, mem});
    if (rc != LEAT_OK) {
        leat_mem_unref(mem);
        return rc;
    }
    if (status != 204 && status != 304 && !leat_slice_is(exchange->head.method, "HEAD"))
        rc = leat_chain_append(&out, body);
    if (rc == LEAT_OK)
        return leat_conn_write(exchange->conn, &out);
    leat_chain_done(&out);
    return rc;
}

static bool stays_open(const struct leat_http1_exchange *exchange)
{
    const struct leat_http1_head *head = &exchange->head;
    bool asked = head->minor > 0 ? !head->close : head->keep_alive && !head->close;
    return asked && exchange->body_whole && exchange->server->limits.keep_alive && !exchange->server->draining;
}

static void answer(struct leat_http1_exchange *exchange, int status, struct leat_headers headers,
                   struct leat_chain *body)
{
    exchange->last = exchange->last || !stays_open(exchange);
    exchange->phase = LEAT_HTTP1_SENDING;
    leat_rc rc = send_reply(exchange, status, headers, body);
    leat_chain_done(body);
    if (rc != LEAT_OK) {
        leat_http1__conn_kill(exchange);
    } else if (leat_conn_unsent(exchange->conn) == 0) {
        replied(exchange);
    } else {
        leat_http1__conn_deadline(exchange, exchange->server->limits.write_ns_max);
    }
}

void leat_http1_reply(struct leat_http1_exchange *exchange, int status, struct leat_headers headers,
                      struct leat_chain *body)
{
    LEAT_CHECK(exchange->told);
    exchange->told = false;
    answer(exchange, status, headers, body);
}

static void tell_gone(struct leat_http1_exchange *exchange)
{
    struct leat_http1_server *server = exchange->server;
    if (exchange->told && server->handler.gone)
        server->handler.gone(server->ctx, exchange);
    exchange->told = false;
}

void leat_http1__conn_refuse(struct leat_http1_exchange *exchange, int status)
{
    tell_gone(exchange);
    exchange->last = true;
    exchange->body_whole = false;
    leat_chain_done(&exchange->body);
    answer(exchange, status, (struct leat_headers){0}, &(struct leat_chain){0});
}

void leat_http1__conn_say_continue(struct leat_http1_exchange *exchange)
{
    struct leat_chain out = {0};
    leat_rc rc = leat_chain_take(&out, LEAT_SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    if (rc == LEAT_OK)
        rc = leat_conn_write(exchange->conn, &out);
    if (rc != LEAT_OK)
        leat_http1__conn_kill(exchange);
}

void leat_http1_exchange_set(struct leat_http1_exchange *exchange, void *own)
{
    exchange->own = own;
}
const struct leat_http1_request *leat_http1_exchange_request(const struct leat_http1_exchange *exchange)
{
    return &exchange->request;
}

void *leat_http1_exchange_get(const struct leat_http1_exchange *exchange)
{
    return exchange->own;
}

/* ---- the connection's events ---- */

static void opened(void *ctx)
{
    struct leat_http1_exchange *exchange = ctx;
    if (exchange->phase == LEAT_HTTP1_IDLE)
        leat_http1__conn_deadline(exchange, exchange->server->limits.idle_ns_max);
}

/* What comes while a reply is pending waits; the kernel and the client are held back. */
static void bytes(void *ctx, struct leat_slice slice)
{
    struct leat_http1_exchange *exchange = ctx;
    if (exchange->phase == LEAT_HTTP1_DEAD) {
        leat_mem_unref(slice.mem);
        return;
    }
    LEAT_CHECK(exchange->rest.len == 0);
    exchange->rest = slice;
    leat_http1__conn_feed(exchange);
    if (exchange->rest.len && !exchange->paused && exchange->phase != LEAT_HTTP1_DEAD) {
        exchange->paused = true;
        leat_conn_pause(exchange->conn);
    }
}

static void drained(void *ctx)
{
    struct leat_http1_exchange *exchange = ctx;
    if (exchange->phase == LEAT_HTTP1_SENDING && leat_conn_unsent(exchange->conn) == 0)
        replied(exchange);
}

static void go_on(struct leat_task *task)
{
    struct leat_http1_exchange *exchange = task->ctx;
    leat_http1__conn_feed(exchange);
    if (exchange->rest.len == 0 && exchange->phase != LEAT_HTTP1_DEAD)
        resume(exchange);
}

static void closed(void *ctx, const struct leat_err *why)
{
    struct leat_http1_exchange *exchange = ctx;
    struct leat_http1_server *server = exchange->server;
    (void)why;
    tell_gone(exchange);
    leat_timer_stop(server->loop, &exchange->timer);
    leat_task_cancel(&exchange->go_on);
    let_go(exchange);
    leat_mem_unref(exchange->rest.mem);
    leat_list_remove(&exchange->link);
    leat_free(exchange);
    leat_http1__server_left(server);
}

static const struct leat_stream_events events = {
    .opened = opened, .bytes = bytes, .drained = drained, .closed = closed};

leat_rc leat_http1__conn_open(struct leat_http1_server *server, int fd)
{
    struct leat_http1_exchange *exchange = leat_zalloc(1, sizeof *exchange);
    if (!exchange) {
        leat_socket_drop(fd);
        return LEAT_ENOMEM;
    }
    exchange->server = server;
    exchange->timer = (struct leat_timer){.fire = rang, .ctx = exchange};
    leat_task_init(&exchange->go_on, go_on, exchange);
    leat_rc rc = leat_conn_adopt(server->loop, fd, server->tls, &events, exchange, &exchange->conn, NULL);
    if (rc != LEAT_OK) {
        leat_free(exchange);
        return rc;
    }
    leat_list_push(&server->conns, &exchange->link);
    if (!server->tls)
        leat_http1__conn_deadline(exchange, server->limits.idle_ns_max);
    return LEAT_OK;
}

void leat_http1__conn_drain(struct leat_http1_exchange *exchange)
{
    if (exchange->phase == LEAT_HTTP1_IDLE)
        leat_http1__conn_kill(exchange);
    exchange->last = true;
}

void leat_http1__conn_abort(struct leat_http1_exchange *exchange)
{
    tell_gone(exchange); /* now, since the handler's own state may end right after the server's close */
    leat_http1__conn_kill(exchange);
}
