/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the client: a request out, an answer in, again. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/net/http1_client_inner.h"

#define HEAD_BYTES_MAX 65536u
#define HEAD_LINES_MAX 256u
#define REQUEST_FIXED 96u
#define STALE_NS 100000000ull /* a kept connection that ends so soon was dead before the request came */

/* ---- ends ---- */

static void forget_answer(struct leat_http1_client_conn *conn)
{
    leat_chain_done(&conn->body);
    conn->head_mem = leat_mem_unref(conn->head_mem);
    conn->list_mem = leat_mem_unref(conn->list_mem);
    conn->head_len = 0;
    conn->has_head = conn->answered = false;
    conn->scan = (struct leat_http1_scan){0};
}

static void leave_idle(struct leat_http1_client_conn *conn)
{
    if (conn->is_idle)
        conn->client->idle_count--;
    conn->is_idle = false;
    leat_timer_stop(conn->client->loop, &conn->timer);
    leat_list_remove(&conn->link);
}

void leat_http1__client_conn_drop(struct leat_http1_client_conn *conn)
{
    if (conn->dropped)
        return;
    leave_idle(conn);
    conn->dropped = true;
    conn->call = NULL;
    leat_conn_close(conn->conn);
}

static void fail(struct leat_http1_client_conn *conn, const struct leat_err *err)
{
    struct leat_http1_call *call = conn->call;
    leat_http1__client_conn_drop(conn);
    if (call)
        leat_http1__call_end(call, conn->client->loop, NULL, err);
    leat_http1__client_pump(conn->client);
}

static void fail_text(struct leat_http1_client_conn *conn, leat_rc rc, const char *text)
{
    struct leat_err err = {0};
    (void)LEAT_RAISE(&err, rc, 0, "%s", text);
    fail(conn, &err);
}

/* ---- the request ---- */

static bool has_body(const struct leat_http1_call *call)
{
    return (call->body && call->body->bytes) || call->method[0] == 'P'; /* POST, PUT, PATCH say 0 */
}

static uint64_t head_bytes(const struct leat_http1_client *client, const struct leat_http1_call *call)
{
    uint64_t bytes = REQUEST_FIXED + strlen(call->method) + call->target.len + strlen(client->opts.host);
    for (uint32_t i = 0; i < call->headers.count; i++)
        bytes += (uint64_t)call->headers.at[i].name.len + call->headers.at[i].value.len + 4;
    return bytes;
}

static uint8_t *put(uint8_t *to, const void *at, size_t len)
{
    memcpy(to, at, len);
    return to + len;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
    return put(to, text, strlen(text));
}

static uint32_t write_head(const struct leat_http1_client *client, const struct leat_http1_call *call, uint8_t *to)
{
    uint8_t *end = put_text(to, call->method);
    end = put_text(end, " ");
    end = put(end, call->target.at, call->target.len);
    end = put_text(end, " HTTP/1.1\r\nHost: ");
    end = put_text(end, client->opts.host);
    end = put_text(end, "\r\n");
    if (has_body(call))
        end += snprintf((char *)end, 44, "Content-Length: %llu\r\n",
                        (unsigned long long)(call->body ? call->body->bytes : 0));
    if (!client->opts.keep_alive)
        end = put_text(end, "Connection: close\r\n");
    for (uint32_t i = 0; i < call->headers.count; i++) {
        end = put(end, call->headers.at[i].name.at, call->headers.at[i].name.len);
        end = put_text(end, ": ");
        end = put(end, call->headers.at[i].value.at, call->headers.at[i].value.len);
        end = put_text(end, "\r\n");
    }
    return (uint32_t)(put_text(end, "\r\n") - to);
}

static bool is_clean(const struct leat_http1_call *call) /* nothing in it can end a line early */
{
    for (uint32_t i = 0; i < call->headers.count; i++)
        if (!leat_http1__is_token(call->headers.at[i].name) || !leat_http1__is_value(call->headers.at[i].value))
            return false;
    for (uint32_t i = 0; i < call->target.len; i++)
        if (call->target.at[i] <= ' ' || call->target.at[i] >= 0x7f)
            return false;
    return call->target.len > 0;
}

static leat_rc put_request(struct leat_http1_client_conn *conn, struct leat_chain *out)
{
    const struct leat_http1_call *call = conn->call;
    uint64_t room = head_bytes(conn->client, call);
    if (room > LEAT_SMALL_BYTES_MAX || !is_clean(call))
        return LEAT_EINVAL;
    uint8_t *to;
    struct leat_mem *mem = leat_pool_small(leat_pool_here(), (uint32_t)room, &to);
    if (!mem)
        return LEAT_ENOMEM;
    leat_rc rc = leat_chain_take(out, (struct leat_slice){to, write_head(conn->client, call, to), mem});
    if (rc != LEAT_OK) {
        leat_mem_unref(mem);
        return rc;
    }
    return call->body ? leat_chain_share_all(out, call->body) : LEAT_OK;
}

static void send_request(struct leat_http1_client_conn *conn)
{
    struct leat_chain out = {0};
    leat_rc rc = put_request(conn, &out);
    if (rc != LEAT_OK) {
        leat_chain_done(&out);
        fail_text(conn, rc, rc == LEAT_EINVAL ? "request head has bad characters or is too long" : "out of memory");
        return;
    }
    conn->sent_ns = leat_loop_now_ns(conn->client->loop);
    conn->call->sent = true;
    if (leat_conn_write(conn->conn, &out) != LEAT_OK && !conn->dropped && conn->call)
        leat_conn_close(conn->conn); /* `closed` tells the call */
}

void leat_http1__client_conn_use(struct leat_http1_client_conn *conn, struct leat_http1_call *call)
{
    leave_idle(conn);
    leat_list_push(&conn->client->busy, &conn->link);
    conn->call = call;
    conn->reused = true;
    call->conn = conn;
    send_request(conn);
}

/* ---- the answer ---- */

static bool stays_open(const struct leat_http1_client_conn *conn)
{
    const struct leat_http1_client *client = conn->client;
    const struct leat_http1_head *head = &conn->head;
    bool agreed = head->minor > 0 ? !head->close : head->keep_alive && !head->close;
    return agreed && client->opts.keep_alive && !client->closing && conn->framing.mode != LEAT_BODY_TO_END &&
           client->idle_count < client->opts.idle_connections_max && leat_conn_unsent(conn->conn) == 0;
}

static void rest_idle(struct leat_http1_client_conn *conn)
{
    struct leat_http1_client *client = conn->client;
    conn->is_idle = true;
    client->idle_count++;
    leat_list_push(&client->idle, &conn->link);
    if (client->opts.idle_ns_max)
        leat_timer_start(client->loop, &conn->timer, client->opts.idle_ns_max);
}

static void complete(struct leat_http1_client_conn *conn, bool whole)
{
    struct leat_http1_client *client = conn->client;
    struct leat_http1_call *call = conn->call;
    struct leat_slice flat;
    if (leat_chain_flat(&conn->body, &flat) != LEAT_OK) {
        fail_text(conn, LEAT_ENOMEM, "answer: out of memory");
        return;
    }
    struct leat_http1_response response = {.status = conn->head.status, .headers = conn->head.headers, .body = flat};
    struct leat_mem *head_mem = leat_mem_ref(conn->head_mem), *list_mem = leat_mem_ref(conn->list_mem);
    bool stays = whole && stays_open(conn);
    conn->call = NULL;
    leat_list_remove(&conn->link);
    forget_answer(conn);
    if (stays)
        rest_idle(conn);
    else
        leat_http1__client_conn_drop(conn);
    leat_http1__call_end(call, client->loop, &response, NULL);
    leat_mem_unref(flat.mem);
    leat_mem_unref(head_mem);
    leat_mem_unref(list_mem);
    leat_http1__client_pump(client);
}

/* A call that takes its body as it comes. It may be cancelled inside, and then the connection has no call any more. */
static void hand_on(struct leat_http1_client_conn *conn, struct leat_slice piece)
{
    struct leat_http1_call *call = conn->call;
    struct leat_http1_response head = {.status = conn->head.status, .headers = conn->head.headers};
    if (!call->on_body(call, &head, piece) && conn->call)
        leat_http1_client_cancel(conn->client, call);
}

static void begin_body(struct leat_http1_client_conn *conn)
{
    const struct leat_http1_head *head = &conn->head;
    bool none = head->status == 204 || head->status == 304 || strcmp(conn->call->method, "HEAD") == 0;
    enum leat_http1_mode mode = none               ? LEAT_BODY_NONE
                                : head->chunked    ? LEAT_BODY_CHUNKED
                                : head->has_length ? LEAT_BODY_LENGTH
                                                   : LEAT_BODY_TO_END;
    leat_http1__body_begin(&conn->framing, mode, head->content_length);
    conn->has_head = true;
    if (conn->call->on_body)
        hand_on(conn, (struct leat_slice){0});
}

static leat_rc take_head(struct leat_http1_client_conn *conn)
{
    uint8_t *room;
    uint32_t bytes = conn->scan.lines * (uint32_t)sizeof(struct leat_header) + 16;
    conn->list_mem = leat_pool_small(leat_pool_here(), bytes, &room);
    if (!conn->list_mem)
        return LEAT_ENOMEM;
    struct leat_header *list = (struct leat_header *)(((uintptr_t)room + 15) & ~(uintptr_t)15);
    if (!leat_http1__parse_response(conn->head_mem->at, conn->scan.at, list, &conn->head) || conn->head.status == 101)
        return LEAT_EPARSE;
    if (conn->head.status >= 200)
        begin_body(conn);
    else
        forget_answer(conn); /* 1xx: the answer is still to come */
    return LEAT_OK;
}

static leat_rc feed_head(struct leat_http1_client_conn *conn, struct leat_slice *io_in)
{
    uint32_t before = conn->head_len, max = HEAD_BYTES_MAX - before;
    uint32_t take = io_in->len < max ? io_in->len : max;
    leat_rc rc = leat_http1__gather(&conn->head_mem, &conn->head_len, leat_slice_sub(*io_in, 0, take));
    if (rc != LEAT_OK)
        return rc;
    enum leat_http1_found found = leat_http1__scan(conn->head_mem->at, conn->head_len, &conn->scan);
    if (found == LEAT_HEAD_BAD)
        return LEAT_EPARSE;
    if (conn->scan.lines > HEAD_LINES_MAX || (found == LEAT_HEAD_MORE && conn->head_len == HEAD_BYTES_MAX))
        return LEAT_ELIMIT;
    uint32_t used = found == LEAT_HEAD_WHOLE ? conn->scan.at - before : take;
    *io_in = leat_slice_sub(*io_in, used, io_in->len - used);
    return found == LEAT_HEAD_WHOLE ? take_head(conn) : LEAT_OK;
}

static leat_rc keep_piece(struct leat_http1_client_conn *conn, struct leat_slice piece)
{
    uint64_t room = conn->client->opts.response_bytes_max - conn->body.bytes;
    bool over = piece.len > room;
    leat_rc rc = leat_chain_share(&conn->body, leat_slice_sub(piece, 0, over ? (uint32_t)room : piece.len));
    if (rc == LEAT_OK && over)
        complete(conn, false);
    return rc;
}

static leat_rc feed_body(struct leat_http1_client_conn *conn, struct leat_slice *io_in)
{
    while (conn->call) {
        struct leat_slice piece = {0};
        leat_rc rc = LEAT_OK;
        switch (leat_http1__body_next(&conn->framing, io_in, &piece)) {
        case LEAT_BODY_PIECE:
            if (conn->call->on_body)
                hand_on(conn, piece);
            else
                rc = keep_piece(conn, piece);
            if (rc != LEAT_OK)
                return rc;
            break;
        case LEAT_BODY_MORE:
            return LEAT_OK;
        case LEAT_BODY_END:
            complete(conn, io_in->len == 0);
            return LEAT_OK;
        default:
            return LEAT_EPARSE;
        }
    }
    return LEAT_OK;
}

static leat_rc feed(struct leat_http1_client_conn *conn, struct leat_slice *io_in)
{
    while (io_in->len && conn->call) {
        leat_rc rc = conn->has_head ? LEAT_OK : feed_head(conn, io_in);
        if (rc != LEAT_OK)
            return rc;
        if (conn->has_head && (rc = feed_body(conn, io_in)) != LEAT_OK)
            return rc;
        if (!conn->call)
            return LEAT_OK;
    }
    return LEAT_OK;
}

static void bytes(void *ctx, struct leat_slice slice)
{
    struct leat_http1_client_conn *conn = ctx;
    struct leat_slice left = slice;
    if (!conn->call) { /* nobody asked */
        leat_http1__client_conn_drop(conn);
    } else {
        conn->answered = true;
        leat_rc rc = feed(conn, &left);
        if (rc != LEAT_OK)
            fail_text(conn, rc,
                      rc == LEAT_EPARSE   ? "malformed answer"
                      : rc == LEAT_ELIMIT ? "answer head too large"
                                          : "answer: out of memory");
    }
    leat_mem_unref(slice.mem);
}

/* ---- the connection's other events ---- */

static void opened(void *ctx)
{
    struct leat_http1_client_conn *conn = ctx;
    leat_timer_stop(conn->client->loop, &conn->timer);
    conn->open = true;
    if (conn->call)
        send_request(conn);
}

static bool is_stale(const struct leat_http1_client_conn *conn)
{
    uint64_t now = leat_loop_now_ns(conn->client->loop);
    return conn->reused && !conn->answered && !conn->call->retried && !conn->client->closing &&
           now - conn->sent_ns < STALE_NS;
}

static void call_lost(struct leat_http1_client_conn *conn, const struct leat_err *why)
{
    struct leat_http1_call *call = conn->call;
    struct leat_http1_client *client = conn->client;
    if (conn->has_head && conn->framing.mode == LEAT_BODY_TO_END && why->code == LEAT_OK) {
        complete(conn, false);
        return;
    }
    conn->call = NULL;
    call->conn = NULL;
    struct leat_err err = *why;
    if (err.code == LEAT_OK)
        (void)LEAT_RAISE(&err, LEAT_ENET, 0, "closed by peer before the answer");
    if (!conn->open)
        client->skip++; /* another address next time */
    leat_http1__call_end(call, client->loop, NULL, &err);
}

static void closed(void *ctx, const struct leat_err *why)
{
    struct leat_http1_client_conn *conn = ctx;
    struct leat_http1_client *client = conn->client;
    if (conn->call && is_stale(conn)) {
        conn->call->retried = true;
        conn->call->conn = NULL;
        leat_list_push_front(&client->waiting, &conn->call->link);
        conn->call = NULL;
    } else if (conn->call) {
        conn->dropped = true; /* closed already */
        call_lost(conn, why);
    }
    leave_idle(conn);
    forget_answer(conn);
    leat_free(conn);
    client->conn_count--;
    leat_http1__client_pump(client);
}

static void time_up(struct leat_timer *timer)
{
    struct leat_http1_client_conn *conn = timer->ctx;
    if (conn->is_idle) {
        leat_http1__client_conn_drop(conn);
        return;
    }
    conn->client->skip++;
    fail_text(conn, LEAT_ETIMEOUT, "connect: no answer in time");
}

static const struct leat_stream_events events = {.opened = opened, .bytes = bytes, .closed = closed};

leat_rc leat_http1__client_conn_open(struct leat_http1_client *client, struct leat_http1_call *call,
                                     struct leat_err *reterr)
{
    struct leat_http1_client_conn *conn = leat_zalloc(1, sizeof *conn);
    if (!conn)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "connect: out of memory");
    conn->client = client;
    conn->timer = (struct leat_timer){.fire = time_up, .ctx = conn};
    const struct leat_http1_client_opts *opts = &client->opts;
    leat_rc rc = opts->proxy ? leat_conn_connect_through(client->loop, opts->proxy, opts->address, opts->tls,
                                                         opts->host, &events, conn, &conn->conn, reterr)
                             : leat_conn_connect(client->loop, opts->address, client->skip, opts->tls, opts->host,
                                                 &events, conn, &conn->conn, reterr);
    if (rc != LEAT_OK) {
        leat_free(conn);
        return rc;
    }
    client->conn_count++;
    leat_list_push(&client->busy, &conn->link);
    conn->call = call;
    call->conn = conn;
    if (client->opts.connect_ns_max)
        leat_timer_start(client->loop, &conn->timer, client->opts.connect_ns_max);
    return LEAT_OK;
}
