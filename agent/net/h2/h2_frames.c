/* SPDX-License-Identifier: Apache-2.0 */
/* What nghttp2 calls while it reads and writes frames. Bookworm's nghttp2 counts no glitches: it is done here. */
#include "agent/net/h2/h2_frames.h"

#include "agent/base/alloc.h"
#include "agent/base/check.h"

#define CREDIT_PER_FRAME 4u /* window updates, pings: what a peer may well send for one frame of ours */
#define CREDIT_MAX 1024u
#define COPY_BYTES_MAX 64u /* such small pieces cost less copied beside the frame head than as a slice */

static int verdict(const struct leat_h2_session *session)
{
    return session->ended || session->heap.failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static struct leat_h2_stream *stream_of(struct leat_h2_session *session, int32_t id)
{
    return id ? nghttp2_session_get_stream_user_data(session->ng, id) : NULL;
}

/* ---- counting waste ---- */

static void control_came(struct leat_h2_session *session)
{
    if (session->credit)
        session->credit--;
    else
        leat_h2__glitch(session);
}

static void reset_happened(struct leat_h2_session *session)
{
    const struct leat_h2_conf *conf = session->conf;
    if (conf->resets_burst &&
        !leat_h2__bucket_take(&session->resets, conf->resets_burst, conf->resets_rate, session->now_ns))
        leat_h2__fail(session, NGHTTP2_ENHANCE_YOUR_CALM, LEAT_COUNT_H2_RESET_CLOSED, LEAT_ELIMIT,
                      "too many stream resets");
}

static int frame_begins(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *ctx)
{
    (void)ng;
    struct leat_h2_session *session = ctx;
    session->known_bytes += 9 + hd->length;
    switch (hd->type) {
    case NGHTTP2_DATA:
        if (hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM))
            leat_h2__glitch(session);
        break;
    case NGHTTP2_HEADERS:
        break;
    case NGHTTP2_CONTINUATION:
        leat_h2__glitch(session);
        break;
    default:
        control_came(session);
    }
    return verdict(session);
}

static int frame_is_invalid(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *ctx)
{
    (void)ng, (void)frame, (void)error;
    leat_h2__glitch(ctx);
    return verdict(ctx);
}

/* ---- header blocks ---- */

static int headers_begin(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct leat_h2_session *session = ctx;
    struct leat_h2_stream *stream = stream_of(session, frame->hd.stream_id);
    session->block_since_ns = session->now_ns;
    if (stream) {
        stream->trailers = true;
        if (!session->role->is_server) /* the handler holds the request's fields until the reply */
            leat_h2__fields_clear(&stream->fields);
        return verdict(session);
    }
    if (!session->role->is_server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return verdict(session);
    stream = session->role->begin(session, frame->hd.stream_id);
    if (stream)
        LEAT_CHECK(nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, stream) == 0); /* it has just begun */
    if (!stream && nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM) != 0)
        leat_h2__fail(session, NGHTTP2_INTERNAL_ERROR, LEAT_COUNT_H2_GLITCHES, LEAT_ENOMEM, "out of memory");
    return verdict(session);
}

static leat_rc fields_grow(struct leat_h2_fields *fields)
{
    uint32_t room = fields->room * 2;
    struct leat_header *at = leat_alloc(room * sizeof *at);
    nghttp2_rcbuf **bufs = leat_alloc(2 * room * sizeof *bufs);
    if (!at || !bufs) {
        leat_free(at);
        leat_free(bufs);
        return LEAT_ENOMEM;
    }
    memcpy(at, fields->at, fields->count * sizeof *at);
    memcpy(bufs, fields->bufs, 2 * fields->count * sizeof *bufs);
    if (fields->at != fields->fixed) {
        leat_free(fields->at);
        leat_free(fields->bufs);
    }
    fields->at = at;
    fields->bufs = bufs;
    fields->room = room;
    return LEAT_OK;
}

static struct leat_slice slice_of(nghttp2_rcbuf *buf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(buf);
    return leat_slice_of(vec.base, (uint32_t)vec.len);
}

static leat_rc field_put(struct leat_h2_fields *fields, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    if (fields->count == fields->room && fields_grow(fields) != LEAT_OK)
        return LEAT_ENOMEM;
    struct leat_header header = {slice_of(name), slice_of(value)};
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    fields->bufs[2 * fields->count] = name;
    fields->bufs[2 * fields->count + 1] = value;
    fields->at[fields->count++] = header;
    if (header.name.len && header.name.at[0] == ':')
        fields->pseudo = fields->count;
    return LEAT_OK;
}

/* The cap holds on the decoded size. The block must be decoded to its end all the same (the HPACK state is the
 * connection's); one that grows far beyond the cap ends the connection. */
static int header_came(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                       uint8_t flags, void *ctx)
{
    (void)ng, (void)flags;
    struct leat_h2_session *session = ctx;
    struct leat_h2_stream *stream = stream_of(session, frame->hd.stream_id);
    if (!stream)
        return verdict(session);
    struct leat_h2_fields *fields = &stream->fields;
    fields->bytes += (uint32_t)(nghttp2_rcbuf_get_buf(name).len + nghttp2_rcbuf_get_buf(value).len + 32);
    if (fields->bytes > 8 * (uint64_t)session->conf->header_bytes_max)
        leat_h2__fail(session, NGHTTP2_ENHANCE_YOUR_CALM, LEAT_COUNT_H2_GLITCH_CLOSED, LEAT_ELIMIT,
                      "header list far too large");
    if (stream->reset || session->ended || (stream->trailers && session->role->is_server))
        return verdict(session);
    if (fields->bytes > session->conf->header_bytes_max) {
        leat_count(LEAT_COUNT_H2_TOO_LARGE, 1);
        leat_h2__stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (field_put(fields, name, value) != LEAT_OK) {
        leat_h2__stream_reset(stream, NGHTTP2_REFUSED_STREAM);
    }
    return verdict(session);
}

/* A header that breaks the rules (RFC 9113, section 8.2) and would be left out in silence: the stream ends. */
static int header_is_invalid(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len, uint8_t flags, void *ctx)
{
    (void)ng, (void)name, (void)name_len, (void)value, (void)value_len, (void)flags;
    struct leat_h2_stream *stream = stream_of(ctx, frame->hd.stream_id);
    leat_h2__glitch(ctx);
    if (stream && !stream->reset) {
        leat_count(LEAT_COUNT_H2_BAD_FRAME, 1);
        leat_h2__stream_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    }
    return verdict(ctx);
}

/* ---- frames ---- */

static void stream_frame_came(struct leat_h2_session *session, const nghttp2_frame *frame)
{
    struct leat_h2_stream *stream = stream_of(session, frame->hd.stream_id);
    if (!stream || stream->reset)
        return;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_DATA && !ends && frame->hd.length && frame->hd.length <= frame->data.padlen)
        leat_h2__glitch(session);
    stream->ended = ends;
    if (frame->hd.type == NGHTTP2_HEADERS)
        session->role->head(stream);
    if (ends && !session->ended && (stream = stream_of(session, frame->hd.stream_id)) && !stream->reset)
        session->role->end(stream);
}

static int frame_came(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    (void)ng;
    struct leat_h2_session *session = ctx;
    bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    session->block_since_ns = 0;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        stream_frame_came(session, frame);
        break;
    case NGHTTP2_SETTINGS:
        session->settled |= !ack;
        break;
    case NGHTTP2_PING:
        if (session->role->ping)
            session->role->ping(session, ack, frame->ping.opaque_data);
        break;
    case NGHTTP2_RST_STREAM:
        reset_happened(session);
        break;
    case NGHTTP2_GOAWAY:
        if (session->role->goaway)
            session->role->goaway(session, frame->goaway.error_code,
                                  leat_slice_of(frame->goaway.opaque_data, (uint32_t)frame->goaway.opaque_data_len));
        break;
    default:
        break;
    }
    return verdict(session);
}

static struct leat_slice sub_slice(const struct leat_h2_session *session, const uint8_t *at, size_t len)
{
    const struct leat_slice *in = &session->reading;
    LEAT_CHECK(at >= in->at && at + len <= in->at + in->len); /* nghttp2 hands DATA through in place */
    return leat_slice_sub(*in, (uint32_t)(at - in->at), (uint32_t)len);
}

static int data_came(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *at, size_t len, void *ctx)
{
    (void)ng, (void)flags;
    struct leat_h2_session *session = ctx;
    struct leat_h2_stream *stream = stream_of(session, id);
    if (stream && !stream->reset)
        session->role->data(stream, sub_slice(session, at, len));
    return verdict(session);
}

static int stream_closed(nghttp2_session *ng, int32_t id, uint32_t error, void *ctx)
{
    struct leat_h2_session *session = ctx;
    struct leat_h2_stream *stream = stream_of(session, id);
    if (!stream)
        return 0;
    (void)nghttp2_session_set_stream_user_data(ng, id, NULL);
    session->role->closed(stream, error);
    return 0;
}

/* ---- sending ---- */

/* The answer is complete and the request is not: the peer need not send the rest. */
static void ask_for_no_more(struct leat_h2_session *session, const nghttp2_frame *frame)
{
    struct leat_h2_stream *stream = stream_of(session, frame->hd.stream_id);
    if (session->role->is_server && stream && !stream->ended && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        leat_h2__stream_reset(stream, NGHTTP2_NO_ERROR);
}

static int frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    (void)ng;
    struct leat_h2_session *session = ctx;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
        session->credit += CREDIT_PER_FRAME;
        session->credit = session->credit < CREDIT_MAX ? session->credit : CREDIT_MAX;
        session->counts_sent = true;
        ask_for_no_more(session, frame);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM && session->role->is_server &&
               frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
        reset_happened(session); /* a peer that makes us reset is charged as if it had done so itself */
    }
    return 0;
}

static struct leat_h2_stream *stream_by_id(struct leat_h2_session *session, int32_t id)
{
    LEAT_LIST_EACH (link, &session->streams) {
        struct leat_h2_stream *stream = LEAT_CONTAINER(link, struct leat_h2_stream, link);
        if (stream->id == id)
            return stream;
    }
    return NULL;
}

/* A request that never left: nghttp2 may not know its stream yet. */
static int frame_not_sent(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *ctx)
{
    (void)error;
    struct leat_h2_session *session = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST || session->role->is_server)
        return 0;
    struct leat_h2_stream *stream = stream_by_id(session, frame->hd.stream_id);
    if (!stream)
        return 0;
    (void)nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, NULL);
    session->role->closed(stream, NGHTTP2_REFUSED_STREAM);
    return 0;
}

static ssize_t frame_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t session_window,
                            int32_t stream_window, uint32_t frame_bytes_max, void *ctx)
{
    (void)ng, (void)type, (void)id, (void)session_window, (void)stream_window;
    const struct leat_h2_session *session = ctx;
    uint32_t own = session->conf->frame_bytes_max;
    return frame_bytes_max < own ? frame_bytes_max : own;
}

static ssize_t body_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *ctx)
{
    (void)ng, (void)id, (void)buf;
    struct leat_h2_session *session = ctx;
    struct leat_h2_stream *stream = source->ptr;
    if (!stream->body.message || stream->reset)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    uint64_t have = stream->body.prefix_left + stream->body.left;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (have > room)
        return (ssize_t)room;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->body_ends) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        session->role->body_done(stream);
    }
    return (ssize_t)have;
}

nghttp2_data_provider leat_h2__body_provider(struct leat_h2_stream *stream)
{
    return (nghttp2_data_provider){.source = {.ptr = stream}, .read_callback = body_read};
}

static leat_rc put_head(struct leat_h2_session *session, struct leat_h2_body *body, const uint8_t *head, size_t *len)
{
    uint8_t bytes[14];
    uint32_t prefix = body->prefix_left < *len ? body->prefix_left : (uint32_t)*len;
    memcpy(bytes, head, 9);
    memcpy(bytes + 9, body->prefix + 5 - body->prefix_left, prefix);
    body->prefix_left -= prefix;
    *len -= prefix;
    return leat_chain_copy(&session->out, bytes, 9 + prefix);
}

static leat_rc put_piece(struct leat_chain *out, struct leat_slice piece)
{
    if (piece.len > COPY_BYTES_MAX)
        return leat_chain_share(out, piece);
    leat_copied(piece.len);
    return leat_chain_copy(out, piece.at, piece.len);
}

static leat_rc put_message(struct leat_h2_session *session, struct leat_h2_body *body, size_t len)
{
    while (len) {
        struct leat_slice slice = body->message->vec[body->slice];
        uint32_t rest = slice.len - body->slice_offset, n = rest < len ? rest : (uint32_t)len;
        leat_rc rc = put_piece(&session->out, leat_slice_sub(slice, body->slice_offset, n));
        if (rc != LEAT_OK)
            return rc;
        body->slice_offset += n;
        if (body->slice_offset == slice.len)
            body->slice++, body->slice_offset = 0;
        body->left -= n;
        len -= n;
    }
    return LEAT_OK;
}

static int body_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                     nghttp2_data_source *source, void *ctx)
{
    (void)ng, (void)frame; /* no padding: no select_padding callback is set */
    struct leat_h2_session *session = ctx;
    struct leat_h2_stream *stream = source->ptr;
    if (!stream->body.message) /* given up while this frame waited: nghttp2 resets the stream */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (session->out.bytes + session->unsent > LEAT_H2_OUT_MAX)
        return NGHTTP2_ERR_WOULDBLOCK;
    if (put_head(session, &stream->body, head, &len) != LEAT_OK || put_message(session, &stream->body, len) != LEAT_OK)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

void leat_h2__callbacks(nghttp2_session_callbacks *to)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(to, frame_begins);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(to, frame_is_invalid);
    nghttp2_session_callbacks_set_on_begin_headers_callback(to, headers_begin);
    nghttp2_session_callbacks_set_on_header_callback2(to, header_came);
    nghttp2_session_callbacks_set_on_invalid_header_callback(to, header_is_invalid);
    nghttp2_session_callbacks_set_on_frame_recv_callback(to, frame_came);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, data_came);
    nghttp2_session_callbacks_set_on_stream_close_callback(to, stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(to, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(to, frame_not_sent);
    nghttp2_session_callbacks_set_data_source_read_length_callback(to, frame_length);
    nghttp2_session_callbacks_set_send_data_callback(to, body_send);
}
