/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_session.h"

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/net/h2/h2_frames.h"

#define ACKS_QUEUED_MAX 256u
#define SETTINGS_ENTRIES_MAX 32u
#define CONTINUATIONS_MAX 8u
#define UNKNOWN_BYTES_MAX 4096u
#define FIRST_CREDIT 32u /* control frames a peer may begin with */

/* ---- life ---- */

static int make(struct leat_h2_session *session, nghttp2_session_callbacks *callbacks, nghttp2_option *option)
{
    leat_h2__callbacks(callbacks);
    nghttp2_option_set_max_outbound_ack(option, ACKS_QUEUED_MAX);
    nghttp2_option_set_max_settings(option, SETTINGS_ENTRIES_MAX);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX); /* counted here, both sides' */
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_mem memory = leat_h2__heap_mem(&session->heap);
    if (session->role->is_server)
        return nghttp2_session_server_new3(&session->ng, callbacks, session, option, &memory);
    return nghttp2_session_client_new3(&session->ng, callbacks, session, option, &memory);
}

static int make_session(struct leat_h2_session *session)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int rc = nghttp2_session_callbacks_new(&callbacks);
    if (rc == 0)
        rc = nghttp2_option_new(&option);
    if (rc == 0)
        rc = make(session, callbacks, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rc;
}

static int introduce(struct leat_h2_session *session)
{
    const struct leat_h2_conf *conf = session->conf;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, conf->stream_window},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, conf->frame_bytes_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, conf->header_bytes_max},
        /* the last two say: no priorities to be kept for us (a server), no pushes (a client) */
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, conf->streams_max},
        {session->role->is_server ? NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES : NGHTTP2_SETTINGS_ENABLE_PUSH,
         session->role->is_server},
    };
    int rc = nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof *entries);
    if (rc == 0)
        rc = nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)conf->connection_window);
    return rc;
}

leat_rc leat_h2__open(struct leat_h2_session *session, const struct leat_h2_role *role, const struct leat_h2_conf *conf,
                      uint64_t now_ns)
{
    session->role = role;
    session->conf = conf;
    session->now_ns = session->heard_ns = now_ns;
    session->glitches.at_ns = session->resets.at_ns = now_ns;
    session->credit = FIRST_CREDIT;
    leat_list_init(&session->streams);
    leat_h2__heap_init(&session->heap);
    if (make_session(session) == 0 && introduce(session) == 0)
        return LEAT_OK;
    leat_h2__close(session);
    return LEAT_ENOMEM;
}

void leat_h2__close(struct leat_h2_session *session)
{
    if (!session->heap.failed)
        nghttp2_session_del(session->ng);
    leat_h2__heap_done(&session->heap);
    session->ng = NULL;
    leat_chain_done(&session->out);
}

void leat_h2__wake(struct leat_h2_session *session)
{
    if (session->wake)
        session->wake(session->owner);
}

/* ---- the end ---- */

void leat_h2__fail(struct leat_h2_session *session, uint32_t h2_error, enum leat_counter counter, leat_rc rc,
                   const char *text)
{
    if (session->ended)
        return;
    session->ended = true;
    leat_count(counter, 1);
    (void)LEAT_RAISE(&session->err, rc, (int)h2_error, "http2: %s", text);
    leat_h2__wake(session);
    if (session->heap.failed)
        return;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->ng);
    (void)nghttp2_submit_goaway(session->ng, NGHTTP2_FLAG_NONE, last, h2_error, (const uint8_t *)text, strlen(text));
}

void leat_h2__glitch(struct leat_h2_session *session)
{
    const struct leat_h2_conf *conf = session->conf;
    leat_count(LEAT_COUNT_H2_GLITCHES, 1);
    if (conf->glitches_max &&
        !leat_h2__bucket_take(&session->glitches, conf->glitches_max, conf->glitch_rate, session->now_ns))
        leat_h2__fail(session, NGHTTP2_ENHANCE_YOUR_CALM, LEAT_COUNT_H2_GLITCH_CLOSED, LEAT_ELIMIT,
                      "too many glitches");
}

static void library_failed(struct leat_h2_session *session, int error)
{
    if (error == NGHTTP2_ERR_FLOODED)
        leat_h2__fail(session, NGHTTP2_ENHANCE_YOUR_CALM, LEAT_COUNT_H2_GLITCH_CLOSED, LEAT_ELIMIT,
                      "too many frames to acknowledge");
    else if (error == NGHTTP2_ERR_NOMEM)
        leat_h2__fail(session, NGHTTP2_INTERNAL_ERROR, LEAT_COUNT_H2_GLITCHES, LEAT_ENOMEM, "out of memory");
    else
        leat_h2__fail(session, NGHTTP2_PROTOCOL_ERROR, LEAT_COUNT_H2_BAD_FRAME, LEAT_EPARSE, nghttp2_strerror(error));
}

/* ---- bytes in, frames out ---- */

/* nghttp2 passes over frames of unknown types without a word: they show as bytes that belong to no frame. */
static void count_unknown(struct leat_h2_session *session, uint32_t len)
{
    session->fed_bytes += len;
    if (session->fed_bytes <= session->known_bytes + UNKNOWN_BYTES_MAX)
        return;
    session->known_bytes = session->fed_bytes;
    leat_h2__glitch(session);
}

void leat_h2__feed(struct leat_h2_session *session, struct leat_slice bytes, uint64_t now_ns)
{
    session->now_ns = session->heard_ns = now_ns;
    session->pinged_ns = 0;
    if (!session->ended) {
        session->reading = bytes;
        ssize_t n = nghttp2_session_mem_recv(session->ng, bytes.at, bytes.len);
        session->reading = (struct leat_slice){0};
        count_unknown(session, bytes.len);
        if (n < 0 || session->heap.failed)
            library_failed(session, session->heap.failed ? NGHTTP2_ERR_NOMEM : (int)n);
    }
    leat_mem_unref(bytes.mem);
    leat_h2__wake(session);
}

static leat_rc pump_frames(struct leat_h2_session *session)
{
    for (;;) {
        const uint8_t *at;
        if (session->heap.failed)
            return LEAT_ENOMEM;
        ssize_t n = nghttp2_session_mem_send(session->ng, &at);
        if (n == 0)
            return LEAT_OK;
        if (n < 0 || leat_chain_copy(&session->out, at, (uint32_t)n) != LEAT_OK)
            return LEAT_ENOMEM;
    }
}

void leat_h2__pump(struct leat_h2_session *session)
{
    if (pump_frames(session) != LEAT_OK) {
        if (session->ended)
            return;
        session->ended = true; /* the frames of this connection have a hole from here on */
        (void)LEAT_RAISE(&session->err, LEAT_ENOMEM, 0, "http2: out of memory");
    }
    if (!session->ended && !nghttp2_session_want_read(session->ng) && !nghttp2_session_want_write(session->ng)) {
        session->ended = true;
        (void)LEAT_RAISE(&session->err, LEAT_EPARSE, 0, "http2: connection error");
    }
}

/* ---- keeping alive ---- */

static bool pings(const struct leat_h2_session *session)
{
    return session->conf->ping_after_ns && (session->stream_count || session->conf->ping_without_stream);
}

uint64_t leat_h2__due_ns(const struct leat_h2_session *session)
{
    if (session->pinged_ns)
        return session->pinged_ns + session->conf->ping_timeout_ns;
    return pings(session) ? session->heard_ns + session->conf->ping_after_ns : UINT64_MAX;
}

void leat_h2__tick(struct leat_h2_session *session, uint64_t now_ns)
{
    session->now_ns = now_ns;
    if (session->ended || now_ns < leat_h2__due_ns(session))
        return;
    if (session->pinged_ns) {
        leat_h2__fail(session, NGHTTP2_NO_ERROR, LEAT_COUNT_H2_TIMEOUT_CLOSED, LEAT_ETIMEOUT, "ping timeout");
        return;
    }
    session->pinged_ns = now_ns;
    if (nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, NULL) != 0)
        library_failed(session, NGHTTP2_ERR_NOMEM);
    leat_h2__wake(session);
}

/* ---- streams ---- */

void leat_h2__stream_init(struct leat_h2_session *session, struct leat_h2_stream *stream, int32_t id)
{
    stream->session = session;
    stream->id = id;
    leat_h2__fields_clear(&stream->fields); /* count is 0: sets the fixed room */
    leat_list_push(&session->streams, &stream->link);
    session->stream_count++;
}

void leat_h2__stream_done(struct leat_h2_stream *stream)
{
    leat_list_remove(&stream->link);
    stream->session->stream_count--;
    leat_h2__fields_clear(&stream->fields);
    leat_h2__message_drop(&stream->message);
}

void leat_h2__stream_reset(struct leat_h2_stream *stream, uint32_t h2_error)
{
    if (stream->reset)
        return;
    stream->reset = true;
    if (!stream->session->ended &&
        nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, h2_error) != 0)
        library_failed(stream->session, NGHTTP2_ERR_NOMEM);
    leat_h2__wake(stream->session);
}

nghttp2_nv leat_h2__nv(struct leat_slice name, struct leat_slice value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at,
                        .namelen = name.len,
                        .value = (uint8_t *)(uintptr_t)value.at,
                        .valuelen = value.len,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}
