/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_ROOM ((size_t)256 << 10)

static volatile sig_atomic_t stopped;
static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watch(struct bench_server *server, int fd, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(server->epoll, operation, fd, &event);
}

int bench_server_listen(struct bench_server *server, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        return -1;
    watch(server, fd, EPOLL_CTL_ADD, EPOLLIN);
    return ntohs(address.sin_port);
}

static void conns_fit(struct bench_server *server, int fd)
{
    if (fd < server->conns_room)
        return;
    int room = fd * 2 + 64;
    struct bench_conn **conns = bench_alloc((size_t)room * sizeof *conns);
    if (server->conns_room)
        memcpy(conns, server->conns, (size_t)server->conns_room * sizeof *conns);
    free(server->conns);
    server->conns = conns;
    server->conns_room = room;
}

static void conn_open(struct bench_server *server, int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conns_fit(server, fd);
    struct bench_conn *conn = bench_alloc(sizeof *conn);
    conn->server = server;
    conn->fd = fd;
    conn->serial = ++server->serial_last;
    server->conns[fd] = conn;
    server->judge.connections++;
    watch(server, fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void conn_close(struct bench_conn *conn)
{
    conn->server->conns[conn->fd] = NULL;
    close(conn->fd);
    bench_http2_done(conn);
    bench_bytes_done(&conn->in);
    bench_bytes_done(&conn->out);
    free(conn);
}

/* Writes all there is at once. False: the socket is broken, or done and to be closed. */
static bool conn_flush(struct bench_conn *conn)
{
    size_t sent = 0;
    while (sent < conn->out.len) {
        ssize_t got = send(conn->fd, conn->out.at + sent, conn->out.len - sent, MSG_NOSIGNAL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != EAGAIN)
            return false;
        if (got < 0)
            break;
        sent += (size_t)got;
    }
    bench_bytes_eat(&conn->out, sent);
    bool wanted = conn->out.len > 0;
    if (wanted != conn->writable_wanted)
        watch(conn->server, conn->fd, EPOLL_CTL_MOD, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
    conn->writable_wanted = wanted;
    return wanted || conn->waiting || !conn->closing;
}

static bool conn_input(struct bench_conn *conn)
{
    static const char preface[] = "PRI * HTTP/2.0";
    if (conn->protocol == BENCH_UNKNOWN) {
        size_t len = conn->in.len < sizeof preface - 1 ? conn->in.len : sizeof preface - 1;
        bool same = memcmp(conn->in.at, preface, len) == 0;
        if (same && len < sizeof preface - 1)
            return true;
        conn->protocol = same ? BENCH_HTTP2 : BENCH_HTTP1;
    }
    return conn->protocol == BENCH_HTTP2 ? bench_http2_input(conn) : bench_http1_input(conn);
}

static bool conn_read(struct bench_conn *conn)
{
    if (conn->in.len > BENCH_REQUEST_MAX)
        return false;
    bench_bytes_reserve(&conn->in, READ_ROOM);
    ssize_t got = recv(conn->fd, conn->in.at + conn->in.len, conn->in.room - conn->in.len, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    conn->in.len += (size_t)got;
    return conn_input(conn);
}

bool bench_server_take(struct bench_conn *conn, const struct bench_request *request, int32_t stream, int *ret_status)
{
    struct bench_server *server = conn->server;
    int status = bench_judge_take(&server->judge, request);
    uint64_t delay_ms = server->judge.options.delay_ms;
    *ret_status = status;
    if (delay_ms == 0)
        return true;
    struct bench_late late = {clock_ms() + delay_ms, conn->serial, conn->fd, status, stream, request->json};
    bench_bytes_add(&server->late, &late, sizeof late);
    return false;
}

static void late_send(struct bench_server *server, const struct bench_late *late)
{
    struct bench_conn *conn = late->fd < server->conns_room ? server->conns[late->fd] : NULL;
    if (!conn || conn->serial != late->serial)
        return;
    bool fine = late->stream ? bench_http2_late(conn, late) : bench_http1_late(conn, late);
    if (!fine || !conn_flush(conn))
        conn_close(conn);
}

static int late_run(struct bench_server *server) /* ms until the next, -1: none waits */
{
    struct bench_late late;
    while (server->late.len) {
        memcpy(&late, server->late.at, sizeof late);
        uint64_t now_ms = clock_ms();
        if (late.due_ms > now_ms)
            return (int)(late.due_ms - now_ms);
        bench_bytes_eat(&server->late, sizeof late);
        late_send(server, &late);
    }
    return -1;
}

static void event_take(struct bench_server *server, const struct epoll_event *event)
{
    int fd = event->data.fd;
    struct bench_conn *conn = fd < server->conns_room ? server->conns[fd] : NULL;
    if (!conn) { /* a listener */
        int made = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (made >= 0)
            conn_open(server, made);
        return;
    }
    bool fine = !(event->events & ~(uint32_t)EPOLLOUT) || conn_read(conn);
    if (!fine || !conn_flush(conn))
        conn_close(conn);
}

void bench_server_run(struct bench_server *server)
{
    struct epoll_event events[64];
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    while (!stopped) {
        int count = epoll_wait(server->epoll, events, 64, late_run(server));
        for (int i = 0; i < count; i++)
            event_take(server, &events[i]);
    }
}
