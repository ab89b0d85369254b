/* SPDX-License-Identifier: Apache-2.0 */
/* stream_inner -- what stream.c and stream_connect.c share; private to agent/loop. */
#pragma once
#include <uv.h>

#include "agent/loop/address.h"
#include "agent/loop/stream.h"

#define LEAT_WRITE_BUFS 4u /* libuv keeps so many in the request itself: no allocation */

struct leat_connect;

struct leat_stream {
    struct leat_loop *loop;
    struct leat_stream_events events;
    void *ctx;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    bool is_open;   /* the uv handle is initialised and not closed */
    bool connected; /* reading and writing may happen */
    bool writing;   /* write_req is in flight */
    bool broken;    /* writing failed; `why` says how */
    bool paused, borrowing, closing, closing_flushed;
    uint64_t asked; /* bytes write_req carries */
    struct leat_room room;   /* between alloc and read */
    struct leat_chain out;   /* written, not yet taken by the kernel */
    uv_write_t write_req;
    struct leat_task drained;  /* tells the owner later in this turn */
    struct leat_task finished; /* closing without a handle */
    struct leat_timer timer;   /* reading again after memory ran out; the deadline of a flushing close */
    struct leat_connect *connect; /* while connecting */
    struct leat_err why;
    char peer[64];
};

struct leat_stream *leat_stream__new(struct leat_loop *loop, const struct leat_stream_events *events, void *ctx);
void leat_stream__free(struct leat_stream *stream);
leat_rc leat_stream__start(struct leat_stream *stream); /* connected: begins to read */
void leat_stream__fail(struct leat_stream *stream, const struct leat_err *why);
void leat_stream__flush(struct leat_stream *stream); /* sends what was written before the connection stood */
void leat_stream__finish(struct leat_stream *stream); /* the handle is gone: tells the owner, frees */
void leat_stream__drop(struct leat_stream *stream); /* never handed out: goes without `closed` */
int leat_stream__handle(struct leat_stream *stream, bool is_unix);
void leat_connect__abandon(struct leat_connect *connect);
