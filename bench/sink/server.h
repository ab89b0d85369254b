/* SPDX-License-Identifier: Apache-2.0 */
/* server -- the sink's sockets: one epoll, connections that are HTTP/1.1 or HTTP/2 by their first bytes, and the list
 * of answers that wait for their time.
 *
 * Why      a sink that writes an answer in pieces, or without TCP_NODELAY, stalls the sender it measures: everything an
 *          event brings is answered with one write.
 * Threads  one.
 * Owns     connections; a late answer names its connection by serial number, as it may be gone by then.
 * Limits   64 MiB of one request (bench_server_request_max); larger closes the connection.
 * Fails    a socket that errs is closed; the others go on. */
#pragma once
#include "bench/sink/judge.h"

struct nghttp2_session;
struct bench_stream;

#define BENCH_REQUEST_MAX ((size_t)64 << 20)

enum bench_protocol { BENCH_UNKNOWN, BENCH_HTTP1, BENCH_HTTP2 };

struct bench_conn {
    struct bench_server *server;
    int fd;
    uint64_t serial;
    enum bench_protocol protocol;
    bool waiting; /* HTTP/1.1: an answer is due later, the next request must wait */
    bool closing; /* close when everything is answered and written */
    bool writable_wanted;
    struct bench_bytes in, out;
    struct nghttp2_session *session;
    struct bench_stream *streams_free, *streams_all; /* kept for reuse, with their buffers */
};

struct bench_late {
    uint64_t due_ms, serial;
    int fd, status;
    int32_t stream; /* 0: HTTP/1.1 */
    bool json;
};

struct bench_server {
    int epoll;
    struct bench_judge judge;
    struct bench_conn **conns; /* by descriptor */
    int conns_room;
    uint64_t serial_last;
    struct bench_bytes late; /* of struct bench_late, in order of time, since all wait equally long */
};

int bench_server_listen(struct bench_server *server, uint16_t port); /* answers the port, -1 with errno */
void bench_server_run(struct bench_server *server);                  /* until SIGTERM or SIGINT */

/* Says what to answer to `request`, or that it waits (false): bench_http1_late or bench_http2_late will be called. */
bool bench_server_take(struct bench_conn *conn, const struct bench_request *request, int32_t stream, int *ret_status);

/* Both protocols: eat what is in conn->in, add answers to conn->out; false closes. */
bool bench_http1_input(struct bench_conn *conn);
bool bench_http1_late(struct bench_conn *conn, const struct bench_late *late);
bool bench_http2_input(struct bench_conn *conn);
bool bench_http2_late(struct bench_conn *conn, const struct bench_late *late);
void bench_http2_done(struct bench_conn *conn);
