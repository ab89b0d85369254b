/* SPDX-License-Identifier: Apache-2.0 */
/* http1_client_inner -- the pool (http1_client.c) and its connections (http1_client_conn.c); private to agent/net. */
#pragma once
#include "agent/base/list.h"
#include "agent/net/conn.h"
#include "agent/net/http1_body.h"
#include "agent/net/http1_client.h"
#include "agent/net/http1_head.h"

#define LEAT_RESPONSE_BYTES_DEFAULT 65536u

struct leat_http1_client {
    struct leat_loop *loop;
    struct leat_http1_client_opts opts;
    char *text;                          /* what the options point into */
    struct leat_list idle, busy;         /* connections; idle: used longest ago first */
    struct leat_list waiting, cancelled; /* calls */
    uint32_t conn_count, idle_count;
    uint32_t skip; /* which of several addresses the next connection begins with */
    bool closing;
    struct leat_task pump;
};

struct leat_http1_client_conn {
    struct leat_http1_client *client;
    struct leat_list link;
    struct leat_conn *conn;
    struct leat_http1_call *call; /* NULL: idle or dropped */
    bool open, reused, answered, dropped, is_idle;
    uint64_t sent_ns;
    struct leat_timer timer; /* connecting, or idle */
    struct leat_mem *head_mem, *list_mem;
    uint32_t head_len;
    bool has_head;
    struct leat_http1_scan scan;
    struct leat_http1_head head;
    struct leat_http1_body framing;
    struct leat_chain body;
};

leat_rc leat_http1__client_conn_open(struct leat_http1_client *client, struct leat_http1_call *call,
                                     struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_http1__client_conn_use(struct leat_http1_client_conn *conn, struct leat_http1_call *call);
void leat_http1__client_conn_drop(struct leat_http1_client_conn *conn); /* forgets its call, closes */
void leat_http1__call_end(struct leat_http1_call *call, struct leat_loop *loop,
                          const struct leat_http1_response *response, const struct leat_err *err);
void leat_http1__client_pump(struct leat_http1_client *client);
