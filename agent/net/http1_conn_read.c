/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to requests: the reading half of a server connection. */
#include "agent/base/check.h"
#include "agent/base/counter.h"
#include "agent/net/http1_conn.h"

#define RATE_WINDOW_NS 5000000000ull

/* ---- the head ---- */

static int too_large(struct leat_http1_exchange *exchange)
{
    return exchange->scan.lines == 0 ? 414 : 431;
}

static void drop_front(struct leat_http1_exchange *exchange, uint32_t bytes)
{
    exchange->rest.at += bytes;
    exchange->rest.len -= bytes;
    if (exchange->rest.len == 0) {
        leat_mem_unref(exchange->rest.mem);
        exchange->rest = (struct leat_slice){0};
    }
}

static void fill_request(struct leat_http1_exchange *exchange)
{
    struct leat_http1_request *request = &exchange->request;
    const struct leat_http1_head *head = &exchange->head;
    *request = (struct leat_http1_request){.method = head->method, .target = head->target, .headers = head->headers};
    struct leat_slice path = head->target;
    if (path.at[0] != '/' && path.at[0] != '*') { /* absolute form: the path begins after the authority */
        const uint8_t *authority = memmem(path.at, path.len, "://", 3);
        uint32_t skip = (uint32_t)(authority + 3 - path.at);
        const uint8_t *slash = memchr(path.at + skip, '/', path.len - skip);
        path = slash ? leat_slice_sub(path, (uint32_t)(slash - path.at), path.len - (uint32_t)(slash - path.at))
                     : LEAT_SLICE("/");
    }
    const uint8_t *mark = memchr(path.at, '?', path.len);
    uint32_t n = mark ? (uint32_t)(mark - path.at) : path.len;
    request->path = leat_slice_of(path.at, n);
    request->query = mark ? leat_slice_of(mark + 1, path.len - n - 1) : (struct leat_slice){0};
    request->content_length = head->chunked ? UINT64_MAX : head->has_length ? head->content_length : 0;
    request->peer = leat_conn_peer(exchange->conn);
    request->encrypted = leat_conn_encrypted(exchange->conn);
}

/* The handler says whether the body may come, and how large. */
static void ask_handler(struct leat_http1_exchange *exchange)
{
    struct leat_http1_server *server = exchange->server;
    fill_request(exchange);
    exchange->body_bytes_max = server->limits.body_bytes_max;
    exchange->body_whole = exchange->request.content_length == 0;
    if (exchange->request.content_length != UINT64_MAX && exchange->request.content_length > exchange->body_bytes_max) {
        leat_count(LEAT_COUNT_HTTP_TOO_LARGE, 1);
        leat_http1__conn_refuse(exchange, 413);
        return;
    }
    exchange->told = server->handler.head != NULL;
    if (exchange->told &&
        server->handler.head(server->ctx, exchange, &exchange->request, &exchange->body_bytes_max) != 0) {
        LEAT_DCHECK(!exchange->told);
        return;
    }
    if (exchange->phase == LEAT_HTTP1_DEAD)
        return;
    if (exchange->request.content_length != UINT64_MAX && exchange->request.content_length > exchange->body_bytes_max) {
        leat_count(LEAT_COUNT_HTTP_TOO_LARGE, 1);
        leat_http1__conn_refuse(exchange, 413);
        return;
    }
    if (exchange->head.expect_continue && exchange->rest.len == 0 && !exchange->body_whole)
        leat_http1__conn_say_continue(exchange);
}

static void begin_body(struct leat_http1_exchange *exchange)
{
    const struct leat_http1_limits *limits = &exchange->server->limits;
    leat_http1__body_begin(&exchange->framing, exchange->head.chunked ? LEAT_BODY_CHUNKED : LEAT_BODY_LENGTH,
                           exchange->head.content_length);
    exchange->phase = LEAT_HTTP1_BODY;
    exchange->rate_bytes = 0;
    exchange->body_deadline_ns =
        limits->body_ns_max ? leat_loop_now_ns(exchange->server->loop) + limits->body_ns_max : 0;
    leat_http1__conn_deadline(exchange, limits->body_rate_min ? RATE_WINDOW_NS : limits->body_ns_max);
    ask_handler(exchange);
}

static void parse(struct leat_http1_exchange *exchange, const uint8_t *text)
{
    uint8_t *room;
    uint32_t bytes = exchange->scan.lines * (uint32_t)sizeof(struct leat_header);
    exchange->list_mem = leat_pool_small(leat_pool_here(), bytes + 16, &room);
    if (!exchange->list_mem) {
        leat_http1__conn_kill(exchange);
        return;
    }
    leat_count(LEAT_COUNT_HTTP_REQUESTS, 1);
    struct leat_header *list = (struct leat_header *)(((uintptr_t)room + 15) & ~(uintptr_t)15);
    int status = leat_http1__parse_request(text, exchange->scan.at, list, &exchange->head);
    if (status) {
        leat_count(LEAT_COUNT_HTTP_BAD_REQUEST, 1);
        leat_http1__conn_refuse(exchange, status);
        return;
    }
    begin_body(exchange);
}

static void judge_scan(struct leat_http1_exchange *exchange, enum leat_http1_found found)
{
    const struct leat_http1_limits *limits = &exchange->server->limits;
    if (found == LEAT_HEAD_BAD) {
        leat_count(LEAT_COUNT_HTTP_BAD_REQUEST, 1);
        leat_http1__conn_refuse(exchange, 400);
    } else if (exchange->scan.at > limits->head_bytes_max || exchange->scan.lines > limits->header_count_max + 1) {
        leat_count(LEAT_COUNT_HTTP_TOO_LARGE, 1);
        leat_http1__conn_refuse(exchange, too_large(exchange));
    }
}

static uint32_t within_limit(const struct leat_http1_exchange *exchange, uint32_t len)
{
    uint32_t max = exchange->server->limits.head_bytes_max + 1;
    return len < max ? len : max;
}

/* The usual case: the whole head lies in what was just read, and is parsed where it lies. */
static void head_in_place(struct leat_http1_exchange *exchange)
{
    uint32_t len = within_limit(exchange, exchange->rest.len);
    const uint8_t *text = exchange->rest.at;
    enum leat_http1_found found = leat_http1__scan(text, len, &exchange->scan);
    judge_scan(exchange, found);
    if (exchange->phase != LEAT_HTTP1_HEAD)
        return;
    if (found == LEAT_HEAD_MORE) {
        if (leat_http1__gather(&exchange->head_mem, &exchange->head_len, exchange->rest) != LEAT_OK)
            leat_http1__conn_kill(exchange);
        else
            drop_front(exchange, exchange->rest.len);
        return;
    }
    exchange->head_mem = leat_mem_ref(exchange->rest.mem);
    drop_front(exchange, exchange->scan.at);
    parse(exchange, text);
}

static void head_gathered(struct leat_http1_exchange *exchange)
{
    uint32_t before = exchange->head_len, max = exchange->server->limits.head_bytes_max + 1;
    uint32_t take = exchange->rest.len < max - before ? exchange->rest.len : max - before;
    if (leat_http1__gather(&exchange->head_mem, &exchange->head_len, leat_slice_sub(exchange->rest, 0, take)) != LEAT_OK) {
        leat_http1__conn_kill(exchange);
        return;
    }
    enum leat_http1_found found = leat_http1__scan(exchange->head_mem->at, exchange->head_len, &exchange->scan);
    judge_scan(exchange, found);
    if (exchange->phase != LEAT_HTTP1_HEAD)
        return;
    drop_front(exchange, found == LEAT_HEAD_WHOLE ? exchange->scan.at - before : take);
    if (found == LEAT_HEAD_WHOLE)
        parse(exchange, exchange->head_mem->at);
}

static void skip_empty_line(struct leat_http1_exchange *exchange) /* RFC 9112, 2.2: some clients end a body with one */
{
    if (exchange->rest.len >= 2 && memcmp(exchange->rest.at, "\r\n", 2) == 0)
        drop_front(exchange, 2);
}

/* ---- the body ---- */

/* Small pieces of an unfinished body are copied, so that none pins a page or costs a slice of its own. */
static leat_rc keep_piece(struct leat_http1_exchange *exchange, struct leat_slice piece, uint64_t more)
{
    const struct leat_chain *body = &exchange->body;
    bool touches = body->count && body->vec[body->count - 1].mem == piece.mem && piece.mem &&
                   body->vec[body->count - 1].at + body->vec[body->count - 1].len == piece.at;
    if (piece.len >= LEAT_GATHER_PIECE_MAX || touches || !more)
        return leat_chain_share(&exchange->body, piece);
    return leat_gather_put(&exchange->gather, &exchange->body, piece, more);
}

static void take_piece(struct leat_http1_exchange *exchange, struct leat_slice piece)
{
    if (exchange->body.bytes + piece.len > exchange->body_bytes_max) {
        leat_count(LEAT_COUNT_HTTP_TOO_LARGE, 1);
        leat_http1__conn_refuse(exchange, 413);
        return;
    }
    uint64_t more = exchange->head.chunked ? UINT64_MAX : exchange->framing.left;
    if (keep_piece(exchange, piece, more) != LEAT_OK)
        leat_http1__conn_kill(exchange);
}

static void hand_over(struct leat_http1_exchange *exchange)
{
    struct leat_http1_server *server = exchange->server;
    exchange->body_whole = true;
    exchange->told = true;
    exchange->phase = LEAT_HTTP1_HANDLED;
    leat_gather_done(&exchange->gather);
    leat_http1__conn_deadline(exchange, 0);
    server->handler.request(server->ctx, exchange, &exchange->request, &exchange->body);
}

static void feed_body(struct leat_http1_exchange *exchange)
{
    struct leat_slice piece = {0}, left = exchange->rest;
    while (exchange->phase == LEAT_HTTP1_BODY) {
        enum leat_http1_step step = leat_http1__body_next(&exchange->framing, &left, &piece);
        if (step == LEAT_BODY_PIECE) {
            take_piece(exchange, piece);
        } else if (step == LEAT_BODY_BAD) {
            leat_count(LEAT_COUNT_HTTP_BAD_REQUEST, 1);
            leat_http1__conn_refuse(exchange, 400);
        } else {
            drop_front(exchange, exchange->rest.len - left.len);
            if (step == LEAT_BODY_END)
                hand_over(exchange);
            return;
        }
    }
    drop_front(exchange, exchange->rest.len - left.len);
}

/* ---- the turn of one connection ---- */

static void discard(struct leat_http1_exchange *exchange)
{
    uint32_t n = exchange->rest.len;
    drop_front(exchange, n);
    if (exchange->linger_bytes < n)
        leat_http1__conn_kill(exchange);
    else
        exchange->linger_bytes -= n;
}

static void begin_head(struct leat_http1_exchange *exchange)
{
    skip_empty_line(exchange);
    if (exchange->rest.len == 0)
        return;
    exchange->phase = LEAT_HTTP1_HEAD;
    exchange->scan = (struct leat_http1_scan){0};
    leat_http1__conn_deadline(exchange, exchange->server->limits.head_ns_max);
}

static bool step(struct leat_http1_exchange *exchange) /* false: bytes must wait, or there are none */
{
    bool has_bytes = exchange->rest.len > 0;
    switch (exchange->phase) {
    case LEAT_HTTP1_IDLE:
        if (has_bytes)
            begin_head(exchange);
        return exchange->rest.len > 0;
    case LEAT_HTTP1_HEAD:
        if (has_bytes && exchange->head_len)
            head_gathered(exchange);
        else if (has_bytes)
            head_in_place(exchange);
        return exchange->rest.len > 0 || exchange->phase == LEAT_HTTP1_BODY;
    case LEAT_HTTP1_BODY:
        feed_body(exchange);
        return exchange->rest.len > 0 && (exchange->phase == LEAT_HTTP1_IDLE || exchange->phase == LEAT_HTTP1_LINGER);
    case LEAT_HTTP1_LINGER:
        if (has_bytes)
            discard(exchange);
        return false;
    default:
        return false;
    }
}

void leat_http1__conn_feed(struct leat_http1_exchange *exchange)
{
    if (exchange->busy)
        return;
    exchange->busy = true;
    while (step(exchange))
        ;
    exchange->busy = false;
}
