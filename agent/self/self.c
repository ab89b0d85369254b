/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/self.h"

#include <string.h>

#include "agent/base/alloc.h"
#include "agent/loop/stream.h"
#include "agent/net/http1_server.h"

#define CONNECTIONS_MAX 100u
#define SECOND 1000000000ull

struct leat_self {
    struct leat_http1_server *server;
    struct leat_listener *listener;
    leat_self_render *render;
    leat_rc (*ask)(void *ctx); /* NULL: no dumps here */
    void *ctx;
    struct leat_http1_exchange *asker; /* waits for the dump */
};

/* ---- answers ---- */

static void text_free(struct leat_mem *mem)
{
    leat_free(mem->ctx);
    leat_mem_wrap_free(mem);
}

/* The text's own bytes: neither a copy nor of the budget, since what says that memory is short has to get out. */
static bool lend(struct leat_strbuf *text, struct leat_chain *body)
{
    uint32_t len = (uint32_t)text->len;
    char *at = leat_strbuf_steal(text);
    struct leat_mem *mem = at ? leat_mem_wrap(at, len, text_free, at) : NULL;
    if (!mem)
        leat_free(at);
    else if (leat_chain_take(body, (struct leat_slice){mem->at, len, mem}) == LEAT_OK)
        return true;
    leat_mem_unref(mem);
    return false;
}

static void answer(struct leat_http1_exchange *exchange, int status, const char *type, struct leat_chain *body)
{
    struct leat_header headers[] = {{LEAT_SLICE("Content-Type"), leat_slice_str(type)}};
    leat_http1_reply(exchange, status, (struct leat_headers){headers, 1}, body);
}

static void say(struct leat_http1_exchange *exchange, int status, const char *text)
{
    struct leat_chain body = {0};
    if (leat_chain_take(&body, leat_slice_str(text)) != LEAT_OK)
        body = (struct leat_chain){0}; /* the status alone */
    answer(exchange, status, "text/plain", &body);
}

static void page(struct leat_http1_exchange *exchange, const char *type, struct leat_strbuf *text)
{
    struct leat_chain body = {0};
    if (!text->failed && lend(text, &body))
        answer(exchange, 200, type, &body);
    else
        say(exchange, 503, "out of memory\n");
}

/* ---- requests ---- */

static int on_head(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                   uint64_t *body_bytes_max)
{
    (void)ctx;
    (void)exchange;
    (void)request;
    *body_bytes_max = 1024;
    return 0;
}

static void metrics(struct leat_self *self, struct leat_http1_exchange *exchange)
{
    struct leat_strbuf text = {0};
    self->render(self->ctx, &text);
    page(exchange, "text/plain; version=0.0.4; charset=utf-8", &text);
    leat_strbuf_done(&text);
}

static void dump(struct leat_self *self, struct leat_http1_exchange *exchange)
{
    if (self->asker) {
        say(exchange, 503, "another dump is under way\n");
        return;
    }
    self->asker = exchange;
    if (self->ask(self->ctx) == LEAT_OK)
        return;
    self->asker = NULL;
    say(exchange, 503, "another dump is under way\n");
}

void leat_self_dumped(struct leat_self *self, struct leat_strbuf *text)
{
    struct leat_http1_exchange *asker = self->asker;
    self->asker = NULL;
    if (asker)
        page(asker, "text/plain; charset=utf-8", text);
}

static void on_gone(void *ctx, struct leat_http1_exchange *exchange)
{
    struct leat_self *self = ctx;
    if (self->asker == exchange)
        self->asker = NULL;
}

static void on_request(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                       struct leat_chain *body)
{
    (void)body;
    struct leat_self *self = ctx;
    bool dumps = self->ask && leat_slice_is(request->path, "/debug/dump");
    if (!dumps && !leat_slice_is(request->path, "/metrics"))
        say(exchange, 404, self->ask ? "not found; try /metrics or /debug/dump\n" : "not found; try /metrics\n");
    else if (!leat_slice_is(request->method, "GET") && !leat_slice_is(request->method, "HEAD"))
        say(exchange, 405, "only GET and HEAD\n");
    else
        (dumps ? dump : metrics)(self, exchange);
}

static const struct leat_http1_handler handler = {.head = on_head, .request = on_request, .gone = on_gone};

void leat_self_dump_with(struct leat_self *self, leat_rc (*ask)(void *ctx))
{
    self->ask = ask;
}

static void on_accepted(void *ctx, int fd)
{
    struct leat_self *self = ctx;
    leat_http1_server_adopt(self->server, fd);
}

leat_rc leat_self_open(struct leat_loop *loop, const char *endpoint, leat_self_render *render, void *ctx,
                       struct leat_self **ret_self, struct leat_err *reterr)
{
    static const struct leat_http1_limits limits = {.body_bytes_max = 1024,
                                                    .head_bytes_max = 16384,
                                                    .header_count_max = 100,
                                                    .connections_max = CONNECTIONS_MAX,
                                                    .head_ns_max = 10 * SECOND,
                                                    .idle_ns_max = 120 * SECOND,
                                                    .write_ns_max = 30 * SECOND,
                                                    .keep_alive = true};
    struct leat_self *self = leat_zalloc(1, sizeof *self);
    if (!self)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    self->render = render;
    self->ctx = ctx;
    leat_rc rc = leat_http1_server_open(loop, &limits, NULL, &handler, self, &self->server, reterr);
    if (rc == LEAT_OK)
        rc = leat_listener_open(loop, endpoint, on_accepted, self, &self->listener, reterr);
    if (rc != LEAT_OK) {
        leat_self_close(self);
        return leat_err_wrap(reterr, "own metrics");
    }
    *ret_self = self;
    return LEAT_OK;
}

void leat_self_close(struct leat_self *self)
{
    if (!self)
        return;
    if (self->listener)
        leat_listener_close(self->listener);
    if (self->server)
        leat_http1_server_close(self->server);
    leat_free(self);
}
