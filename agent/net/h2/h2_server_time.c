/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's clocks and its slow reader: preface, idleness, age, drain, pings that come too often. */
#include "agent/net/h2/h2_server.h"

#define STRIKES_MAX 2u
#define PING_WITHOUT_STREAM_NS (2 * 3600 * 1000000000ull)
#define DRAIN_NOTICE_NS 5000000000ull

static const uint8_t drain_ping[8] = "leatend";

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void timed_out(struct leat_h2_server *server, const char *text)
{
    leat_h2__fail(&server->h2, NGHTTP2_NO_ERROR, LEAT_COUNT_H2_TIMEOUT_CLOSED, LEAT_ETIMEOUT, text);
}

/* ---- drain: a GOAWAY that promises, then one that names the last call (RFC 9113, section 6.8) ---- */

static void end_if_drained(struct leat_h2_server *server)
{
    if (server->told_last && server->h2.stream_count == 0)
        server->h2.ended = true;
}

static void tell_last(struct leat_h2_server *server)
{
    if (server->told_last)
        return;
    server->told_last = true;
    int32_t last = nghttp2_session_get_last_proc_stream_id(server->h2.ng);
    if (nghttp2_submit_goaway(server->h2.ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) != 0)
        server->h2.ended = true;
    leat_h2__wake(&server->h2);
}

void leat_h2__server_drain(struct leat_h2_server *server, uint64_t now_ns)
{
    if (server->draining_ns || server->h2.ended)
        return;
    server->draining_ns = now_ns ? now_ns : 1;
    if (!server->h2.settled) {
        tell_last(server);
        return;
    }
    if (nghttp2_submit_shutdown_notice(server->h2.ng) != 0 ||
        nghttp2_submit_ping(server->h2.ng, NGHTTP2_FLAG_NONE, drain_ping) != 0)
        tell_last(server);
    leat_h2__wake(&server->h2);
}

/* ---- pings of the peer ---- */

void leat_h2__server_ping(struct leat_h2_session *session, bool is_ack, const uint8_t opaque[8])
{
    struct leat_h2_server *server = (struct leat_h2_server *)session;
    const struct leat_grpc_server_limits *limits = &server->service->limits;
    if (is_ack) {
        if (server->draining_ns && memcmp(opaque, drain_ping, sizeof drain_ping) == 0)
            tell_last(server);
        return;
    }
    uint64_t last = server->last_ping_ns, now = session->now_ns;
    server->last_ping_ns = now;
    if (session->counts_sent) { /* answers went out since: the peer may measure the path */
        session->counts_sent = false;
        server->strikes = 0;
        return;
    }
    bool quiet = session->stream_count == 0 && !limits->ping_without_stream;
    uint64_t interval = quiet ? PING_WITHOUT_STREAM_NS : limits->ping_min_interval_ns;
    if (last && now < last + interval && ++server->strikes > STRIKES_MAX)
        leat_h2__fail(session, NGHTTP2_ENHANCE_YOUR_CALM, LEAT_COUNT_H2_GLITCH_CLOSED, LEAT_ELIMIT, "too_many_pings");
}

/* ---- answers that do not leave ---- */

static void watch_answers(struct leat_h2_server *server, uint64_t unsent, uint64_t now_ns)
{
    uint64_t left = server->taken_bytes - unsent, waiting = server->answer_bytes + server->h2.out.bytes + unsent;
    if (waiting == 0)
        server->stalled_since_ns = 0;
    else if (left != server->left_bytes || server->stalled_since_ns == 0)
        server->stalled_since_ns = now_ns;
    server->left_bytes = left;
    if (waiting > server->service->limits.unsent_bytes_max)
        leat_h2__fail(&server->h2, NGHTTP2_ENHANCE_YOUR_CALM, LEAT_COUNT_H2_BUFFER_CLOSED, LEAT_ELIMIT,
                      "answers are not read");
}

void leat_h2__server_pump(struct leat_h2_server *server, uint64_t unsent, uint64_t now_ns)
{
    server->h2.now_ns = now_ns;
    server->h2.unsent = unsent;
    leat_h2__pump(&server->h2);
    watch_answers(server, unsent, now_ns);
    end_if_drained(server);
}

void leat_h2__server_taken(struct leat_h2_server *server, uint64_t bytes)
{
    server->taken_bytes += bytes;
}

/* ---- clocks ---- */

static uint64_t since(uint64_t from_ns, uint64_t limit_ns)
{
    return from_ns && limit_ns ? from_ns + limit_ns : UINT64_MAX;
}

static uint64_t preface_due(const struct leat_h2_server *server)
{
    uint64_t limit = server->service->limits.preface_ns_max;
    return server->h2.settled ? since(server->h2.block_since_ns, limit) : since(server->opened_ns, limit);
}

static uint64_t idle_due(const struct leat_h2_server *server)
{
    return server->h2.stream_count || server->draining_ns
               ? UINT64_MAX
               : since(server->idle_since_ns, server->service->limits.idle_ns_max);
}

static uint64_t notice_due(const struct leat_h2_server *server)
{
    return server->told_last ? UINT64_MAX : since(server->draining_ns, DRAIN_NOTICE_NS);
}

static uint64_t grace_due(const struct leat_h2_server *server)
{
    return since(server->draining_ns, server->service->limits.age_grace_ns);
}

static uint64_t age_due(const struct leat_h2_server *server)
{
    return server->draining_ns ? UINT64_MAX : since(server->opened_ns, server->age_ns);
}

static uint64_t stall_due(const struct leat_h2_server *server)
{
    return since(server->stalled_since_ns, server->service->limits.unsent_ns_max);
}

uint64_t leat_h2__server_due_ns(const struct leat_h2_server *server)
{
    uint64_t due = least(leat_h2__due_ns(&server->h2), preface_due(server));
    due = least(due, least(idle_due(server), age_due(server)));
    due = least(due, least(notice_due(server), grace_due(server)));
    return least(due, stall_due(server));
}

void leat_h2__server_tick(struct leat_h2_server *server, uint64_t now_ns)
{
    leat_h2__tick(&server->h2, now_ns);
    if (now_ns >= preface_due(server))
        timed_out(server, "the peer did not finish its preface or headers in time");
    if (now_ns >= stall_due(server))
        timed_out(server, "answers are not read");
    if (now_ns >= grace_due(server))
        timed_out(server, "connection age and grace are over");
    if (now_ns >= idle_due(server) || now_ns >= age_due(server))
        leat_h2__server_drain(server, now_ns);
    if (now_ns >= notice_due(server))
        tell_last(server);
}
