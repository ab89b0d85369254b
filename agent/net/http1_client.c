/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/http1_client.h"

#include "agent/base/alloc.h"
#include "agent/net/http1_client_inner.h"

/* ---- calls ---- */

void leat_http1__call_end(struct leat_http1_call *call, struct leat_loop *loop,
                          const struct leat_http1_response *response, const struct leat_err *err)
{
    leat_list_remove(&call->link);
    leat_timer_stop(loop, &call->timer);
    call->conn = NULL;
    call->done(call, response, err);
}

static void call_fail(struct leat_http1_client *client, struct leat_http1_call *call, leat_rc rc, const char *text)
{
    struct leat_err err = {0};
    (void)LEAT_RAISE(&err, rc, 0, "%s", text);
    leat_http1__call_end(call, client->loop, NULL, &err);
}

static void call_timed_out(struct leat_timer *timer)
{
    struct leat_http1_call *call = LEAT_CONTAINER(timer, struct leat_http1_call, timer);
    struct leat_http1_client *client = timer->ctx;
    if (call->conn)
        leat_http1__client_conn_drop(call->conn);
    call_fail(client, call, LEAT_ETIMEOUT, call->sent ? "no answer in time" : "no connection in time");
}

/* ---- dealing calls to connections ---- */

static struct leat_http1_client_conn *idle_conn(struct leat_http1_client *client)
{
    struct leat_list *link = client->idle.prev; /* the one used last: the others may time out */
    return link == &client->idle ? NULL : LEAT_CONTAINER(link, struct leat_http1_client_conn, link);
}

static bool deal(struct leat_http1_client *client, struct leat_http1_call *call) /* false: it has to wait */
{
    struct leat_http1_client_conn *conn = call->retried ? NULL : idle_conn(client);
    if (!conn && client->conn_count >= client->opts.connections_max) {
        conn = idle_conn(client);
        if (!conn)
            return false;
    }
    leat_list_remove(&call->link);
    if (conn) {
        leat_http1__client_conn_use(conn, call);
        return true;
    }
    struct leat_err err = {0};
    if (leat_http1__client_conn_open(client, call, &err) != LEAT_OK)
        leat_http1__call_end(call, client->loop, NULL, &err);
    return true;
}

static void pump(struct leat_task *task)
{
    struct leat_http1_client *client = task->ctx;
    for (struct leat_list *link; (link = leat_list_pop(&client->cancelled));)
        call_fail(client, LEAT_CONTAINER(link, struct leat_http1_call, link), LEAT_ECANCELED, "given up by the caller");
    while (!client->closing && !leat_list_empty(&client->waiting))
        if (!deal(client, LEAT_CONTAINER(client->waiting.next, struct leat_http1_call, link)))
            break;
    if (client->closing && client->conn_count == 0 && leat_list_empty(&client->cancelled)) {
        leat_task_cancel(&client->pump);
        leat_tls_unref(client->opts.tls);
        leat_free(client->text);
        leat_free(client);
    }
}

void leat_http1__client_pump(struct leat_http1_client *client)
{
    leat_loop_defer(client->loop, &client->pump);
}

/* ---- public ---- */

/* All strings of the options in one block. */
static leat_rc keep_text(struct leat_http1_client *client, const struct leat_http1_client_opts *opts)
{
    size_t address = strlen(opts->address) + 1, host = strlen(opts->host) + 1;
    size_t proxy = opts->proxy ? strlen(opts->proxy) + 1 : 0;
    client->text = leat_alloc(address + host + proxy);
    if (!client->text)
        return LEAT_ENOMEM;
    memcpy(client->text, opts->address, address);
    memcpy(client->text + address, opts->host, host);
    if (proxy)
        memcpy(client->text + address + host, opts->proxy, proxy);
    client->opts.address = client->text;
    client->opts.host = client->text + address;
    client->opts.proxy = proxy ? client->text + address + host : NULL;
    return LEAT_OK;
}

leat_rc leat_http1_client_open(struct leat_loop *loop, const struct leat_http1_client_opts *opts,
                               struct leat_http1_client **ret_client, struct leat_err *reterr)
{
    struct leat_http1_client *client = leat_zalloc(1, sizeof *client);
    if (!client)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "HTTP client: out of memory");
    client->loop = loop;
    client->opts = *opts;
    if (client->opts.connections_max == 0)
        client->opts.connections_max = UINT32_MAX;
    if (client->opts.response_bytes_max == 0)
        client->opts.response_bytes_max = LEAT_RESPONSE_BYTES_DEFAULT;
    if (keep_text(client, opts) != LEAT_OK) {
        leat_free(client);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "HTTP client: out of memory");
    }
    if (opts->tls)
        (void)leat_tls_ref(opts->tls);
    leat_list_init(&client->idle);
    leat_list_init(&client->busy);
    leat_list_init(&client->waiting);
    leat_list_init(&client->cancelled);
    leat_task_init(&client->pump, pump, client);
    *ret_client = client;
    return LEAT_OK;
}

void leat_http1_client_send(struct leat_http1_client *client, struct leat_http1_call *call)
{
    call->sent = call->retried = false;
    call->conn = NULL;
    call->timer = (struct leat_timer){.fire = call_timed_out, .ctx = client};
    leat_list_init(&call->link);
    if (call->timeout_ns)
        leat_timer_start(client->loop, &call->timer, call->timeout_ns);
    leat_list_push(client->closing ? &client->cancelled : &client->waiting, &call->link);
    leat_http1__client_pump(client);
}

void leat_http1_client_cancel(struct leat_http1_client *client, struct leat_http1_call *call)
{
    if (call->conn)
        leat_http1__client_conn_drop(call->conn);
    call->conn = NULL;
    leat_list_remove(&call->link);
    leat_list_push(&client->cancelled, &call->link);
    leat_http1__client_pump(client);
}

static void cancel_all(struct leat_http1_client *client, struct leat_list *conns)
{
    for (struct leat_list *link; (link = leat_list_pop(conns));) {
        struct leat_http1_client_conn *conn = LEAT_CONTAINER(link, struct leat_http1_client_conn, link);
        struct leat_http1_call *call = conn->call;
        leat_http1__client_conn_drop(conn);
        if (call)
            call_fail(client, call, LEAT_ECANCELED, "the client closes");
    }
}

void leat_http1_client_close(struct leat_http1_client *client)
{
    if (!client || client->closing)
        return;
    client->closing = true;
    cancel_all(client, &client->busy);
    cancel_all(client, &client->idle);
    for (struct leat_list *link; (link = leat_list_pop(&client->waiting));)
        call_fail(client, LEAT_CONTAINER(link, struct leat_http1_call, link), LEAT_ECANCELED, "the client closes");
    for (struct leat_list *link; (link = leat_list_pop(&client->cancelled));)
        call_fail(client, LEAT_CONTAINER(link, struct leat_http1_call, link), LEAT_ECANCELED, "given up by the caller");
    leat_http1__client_pump(client);
}
