/* SPDX-License-Identifier: Apache-2.0 */
/* http1 -- requests with a Content-Length or in chunks, kept alive; GET /stats and POST /reset answered here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/sink/server.h"

struct text {
    const char *at;
    size_t len;
};

struct head {
    struct text method, path;
    size_t head_len, content_len;
    bool chunked, close, json, expects;
    enum bench_coding coding;
    bool two; /* remote write 2.0 */
};

static bool is(struct text text, const char *what)
{
    return text.len == strlen(what) && strncasecmp(text.at, what, text.len) == 0;
}

static bool starts(struct text text, const char *what)
{
    size_t len = strlen(what);
    return text.len >= len && strncasecmp(text.at, what, len) == 0;
}

static struct text trimmed(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct text){at, (size_t)(end - at)};
}

static void take_type(struct head *head, struct text type)
{
    head->json = starts(type, "application/json");
    head->two = memmem(type.at, type.len, "io.prometheus.write.v2.", 23) != NULL;
}

static void header_take(struct head *head, struct text name, struct text value)
{
    if (is(name, "content-length"))
        head->content_len = strtoul(value.at, NULL, 10); /* ends at the \r */
    else if (is(name, "transfer-encoding"))
        head->chunked = is(value, "chunked");
    else if (is(name, "content-encoding"))
        head->coding = bench_coding_named(value.at, value.len);
    else if (is(name, "content-type"))
        take_type(head, value);
    else if (is(name, "connection"))
        head->close = is(value, "close");
    else if (is(name, "expect"))
        head->expects = is(value, "100-continue");
}

static bool request_line(struct head *head, const char *at, const char *end)
{
    const char *space = memchr(at, ' ', (size_t)(end - at));
    if (!space)
        return false;
    head->method = (struct text){at, (size_t)(space - at)};
    const char *path = space + 1, *path_end = memchr(path, ' ', (size_t)(end - path));
    if (!path_end)
        return false;
    head->path = (struct text){path, (size_t)(path_end - path)};
    return true;
}

/* False: not a request. head_len stays 0 while the head is not complete. */
static bool head_parse(struct head *head, const uint8_t *bytes, size_t len)
{
    const char *at = (const char *)bytes, *end = memmem(at, len, "\r\n\r\n", 4);
    *head = (struct head){0};
    if (!end)
        return len < 65536;
    end += 2;
    head->head_len = (size_t)(end - at) + 2;
    const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
    if (!request_line(head, at, line_end))
        return false;
    for (at = line_end + 2; at < end; at = line_end + 2) {
        line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        if (!colon)
            return false;
        header_take(head, (struct text){at, (size_t)(colon - at)}, trimmed(colon + 1, line_end));
    }
    return true;
}

/* Joins the chunks in place. Answers the wire length of the chunked body, 0 while it is not complete, -1 when wrong. */
static ssize_t chunks_measure(uint8_t *at, size_t len, bool join, size_t *ret_body)
{
    size_t from = 0, to = 0;
    for (;;) {
        uint8_t *line_end = memmem(at + from, len - from, "\r\n", 2);
        if (!line_end)
            return len - from > 4096 ? -1 : 0;
        size_t size = strtoul((const char *)at + from, NULL, 16);
        size_t content = (size_t)(line_end - at) + 2;
        if (size > BENCH_REQUEST_MAX)
            return -1;
        if (len - content < size + 2)
            return 0;
        if (join && size)
            memmove(at + to, at + content, size);
        to += size;
        from = content + size + 2;
        if (size == 0) {
            *ret_body = to;
            return (ssize_t)from; /* trailers are not expected */
        }
    }
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 404:
        return "Not Found";
    default:
        return "Status";
    }
}

static void answer(struct bench_conn *conn, int status, const char *type, const char *body, size_t len)
{
    bench_bytes_printf(&conn->out, "HTTP/1.1 %d %s\r\n", status, reason(status));
    if (status != 204)
        bench_bytes_printf(&conn->out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, len);
    bench_bytes_add(&conn->out, "\r\n", 2);
    bench_bytes_add(&conn->out, body, len);
}

static void answer_status(struct bench_conn *conn, int status, bool json)
{
    if (status == 200 && json)
        answer(conn, status, "application/json", "{}", 2);
    else if (status == 200)
        answer(conn, status, "application/x-protobuf", "", 0); /* an empty message: nothing was refused */
    else
        answer(conn, status <= 16 ? 503 : status, "text/plain", "", 0);
}

static void stats(struct bench_conn *conn)
{
    struct bench_bytes text = {0};
    bench_judge_stats(&conn->server->judge, &text);
    answer(conn, 200, "application/json", (const char *)text.at, text.len);
    bench_bytes_done(&text);
}

/* Remote write: the answer to 2.0 says how much was written. */
static void respond_write(struct bench_conn *conn, const struct head *head, const uint8_t *body, size_t len)
{
    struct bench_request request = {head->two ? BENCH_WRITE_2 : BENCH_WRITE_1, BENCH_SNAPPY, false, body, len};
    uint64_t before = conn->server->judge.items;
    int status;
    conn->waiting = !bench_server_take(conn, &request, 0, &status);
    if (conn->waiting)
        return;
    if (status / 100 != 2 || !head->two) {
        answer_status(conn, status, false);
        return;
    }
    bench_bytes_printf(&conn->out, "HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Samples-Written: %llu\r\n\r\n",
                       (unsigned long long)(conn->server->judge.items - before));
}

static void respond(struct bench_conn *conn, const struct head *head, const uint8_t *body, size_t len)
{
    bool loki = is(head->path, "/loki/api/v1/push");
    int status;
    if (is(head->path, "/api/v1/write")) {
        respond_write(conn, head, body, len);
        return;
    }
    if (is(head->path, "/stats")) {
        stats(conn);
    } else if (is(head->path, "/reset")) {
        bench_judge_reset(&conn->server->judge);
        answer(conn, 204, "", "", 0);
    } else if (!loki && !starts(head->path, "/v1/")) {
        answer(conn, 404, "text/plain", "", 0);
    } else {
        /* Loki's protobuf is snappy by its own rule, no header says so */
        enum bench_coding coding = loki && !head->json && head->coding == BENCH_PLAIN ? BENCH_SNAPPY : head->coding;
        struct bench_request request = {loki ? BENCH_LOKI : BENCH_OTLP, coding, head->json, body, len};
        conn->waiting = !bench_server_take(conn, &request, 0, &status);
        if (!conn->waiting)
            answer_status(conn, status, head->json);
    }
}

/* Where the body is: false when the request is not all here yet (or *ret_bad). */
static bool body_find(const struct head *head, uint8_t *at, size_t len, size_t *ret_body, size_t *ret_wire,
                      bool *ret_bad)
{
    size_t size;
    if (!head->chunked) {
        *ret_body = *ret_wire = head->content_len;
        *ret_bad = head->content_len > BENCH_REQUEST_MAX;
        return len >= head->content_len;
    }
    ssize_t wire = chunks_measure(at, len, false, &size);
    *ret_bad = wire < 0;
    if (wire <= 0)
        return false;
    chunks_measure(at, len, true, ret_body);
    *ret_wire = (size_t)wire;
    return true;
}

bool bench_http1_input(struct bench_conn *conn)
{
    struct head head;
    size_t done = 0, body = 0, wire = 0;
    bool bad = false;
    while (!conn->waiting && !conn->closing && done < conn->in.len) {
        uint8_t *at = conn->in.at + done;
        size_t len = conn->in.len - done;
        if (!head_parse(&head, at, len))
            return false;
        if (head.head_len == 0)
            break;
        if (!body_find(&head, at + head.head_len, len - head.head_len, &body, &wire, &bad)) {
            if (head.expects && len == head.head_len)
                bench_bytes_printf(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
            break;
        }
        respond(conn, &head, at + head.head_len, body);
        conn->closing = head.close;
        done += head.head_len + wire;
    }
    bench_bytes_eat(&conn->in, done);
    return !bad;
}

bool bench_http1_late(struct bench_conn *conn, const struct bench_late *late)
{
    conn->waiting = false;
    answer_status(conn, late->status, late->json);
    return bench_http1_input(conn);
}
