/* SPDX-License-Identifier: Apache-2.0 */
/* http2 -- gRPC without TLS: unary Export calls of OTLP. */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "bench/sink/server.h"

#define WINDOW (8 << 20)

struct bench_stream {
    struct bench_stream *next_free, *next_all;
    struct bench_bytes body;
    enum bench_coding coding;
    bool answered;
};

static struct bench_stream *stream_new(struct bench_conn *conn)
{
    struct bench_stream *stream = conn->streams_free;
    if (!stream) {
        stream = bench_alloc(sizeof *stream);
        stream->next_all = conn->streams_all;
        conn->streams_all = stream;
        return stream;
    }
    conn->streams_free = stream->next_free;
    stream->body.len = 0;
    stream->coding = BENCH_PLAIN;
    stream->answered = false;
    return stream;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream_new(user));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct bench_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags, (void)user;
    if (stream && name_len == 13 && memcmp(name, "grpc-encoding", 13) == 0)
        stream->coding = bench_coding_named((const char *)value, value_len);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at, size_t len, void *user)
{
    struct bench_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags, (void)user;
    if (!stream || stream->body.len + len > BENCH_REQUEST_MAX)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    bench_bytes_add(&stream->body, at, len);
    return 0;
}

#define HEADER(name, value)                                                                                            \
    {                                                                                                                  \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE \
    }

/* One empty message, then the trailers. */
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *at, size_t len, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    static const char zero[] = "0";
    nghttp2_nv trailers[] = {HEADER("grpc-status", zero)};
    (void)source, (void)user;
    if (len < 5)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memset(at, 0, 5);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, id, trailers, 1) ? NGHTTP2_ERR_CALLBACK_FAILURE : 5;
}

static const char *grpc_status(int status)
{
    static const char *const numbers[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                          "9", "10", "11", "12", "13", "14", "15", "16"};
    if (status <= 16)
        return numbers[status];
    return status == 400 ? "3" : status == 401 ? "16" : status == 429 ? "8" : "14";
}

static int reply(nghttp2_session *session, int32_t id, int status)
{
    bool fine = status == 200;
    const char *number = fine ? "0" : grpc_status(status);
    nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc"),
                            HEADER("grpc-status", number)};
    nghttp2_data_provider body = {.read_callback = read_answer};
    return nghttp2_submit_response(session, id, headers, fine ? 2 : 3, fine ? &body : NULL);
}

/* The one message of a call: a flag and a length of four bytes before it. */
static struct bench_request message(const struct bench_stream *stream)
{
    const uint8_t *at = stream->body.at;
    size_t len = stream->body.len;
    struct bench_request request = {.form = BENCH_OTLP, .coding = BENCH_CODING_UNKNOWN, .at = at, .len = len};
    if (len < 5 || len - 5 != ((size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4]))
        return request; /* refused as undecodable */
    request.coding = at[0] ? stream->coding : BENCH_PLAIN;
    request.at += 5;
    request.len -= 5;
    return request;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct bench_conn *conn = user;
    bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    int32_t id = frame->hd.stream_id;
    int status;
    if (!carries || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct bench_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (!stream || stream->answered)
        return 0;
    stream->answered = true;
    struct bench_request request = message(stream);
    return bench_server_take(conn, &request, id, &status) ? reply(session, id, status) : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct bench_conn *conn = user;
    struct bench_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    if (!stream)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    stream->next_free = conn->streams_free;
    conn->streams_free = stream;
    return 0;
}

static bool session_open(struct bench_conn *conn)
{
    nghttp2_session_callbacks *calls;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    if (nghttp2_session_callbacks_new(&calls))
        return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_stream_close);
    int rc = nghttp2_session_server_new(&conn->session, calls, conn);
    nghttp2_session_callbacks_del(calls);
    return rc == 0 && !nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, 2) &&
           !nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
}

static bool session_output(struct bench_conn *conn)
{
    const uint8_t *at;
    ssize_t len;
    while ((len = nghttp2_session_mem_send(conn->session, &at)) > 0)
        bench_bytes_add(&conn->out, at, (size_t)len);
    bool alive = nghttp2_session_want_read(conn->session) || nghttp2_session_want_write(conn->session);
    conn->closing = conn->closing || !alive;
    return len == 0;
}

bool bench_http2_input(struct bench_conn *conn)
{
    if (!conn->session && !session_open(conn))
        return false;
    ssize_t got = nghttp2_session_mem_recv(conn->session, conn->in.at, conn->in.len);
    if (got < 0)
        return false;
    bench_bytes_eat(&conn->in, (size_t)got);
    return session_output(conn);
}

bool bench_http2_late(struct bench_conn *conn, const struct bench_late *late)
{
    if (nghttp2_session_get_stream_user_data(conn->session, late->stream) &&
        reply(conn->session, late->stream, late->status))
        return false;
    return session_output(conn);
}

void bench_http2_done(struct bench_conn *conn)
{
    if (conn->session)
        nghttp2_session_del(conn->session);
    for (struct bench_stream *stream = conn->streams_all, *next; stream; stream = next) {
        next = stream->next_all;
        bench_bytes_done(&stream->body);
        free(stream);
    }
}
