/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_client.h"

#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/obj.h"
#include "agent/net/coding.h"
#include "agent/net/h2/grpc_text.h"

#define FRAME_BYTES_MAX (256u << 10)
#define RESPONSE_BYTES_DEFAULT (4u << 20)
#define HEADER_BYTES_MAX (64u << 10)
#define STREAMS_BEFORE_SETTINGS 100u
#define NVS_FIXED 10u
#define NVS_MAX 64u

static struct leat_h2_client *client_of(struct leat_h2_session *session)
{
    return (struct leat_h2_client *)session;
}
static struct leat_h2_call *call_of(struct leat_h2_stream *stream)
{
    return (struct leat_h2_call *)stream;
}

/* ---- what came of a call ---- */

static void call_free(struct leat_h2_call *call)
{
    if (call->out)
        call->out->stream = NULL;
    leat_h2__stream_done(&call->h2);
    leat_obj_free(call, sizeof *call);
}

static void read_status(const struct leat_h2_call *call, struct leat_grpc_status *status,
                        uint8_t text[LEAT_GRPC_TEXT_MAX])
{
    uint8_t details[LEAT_GRPC_DETAILS_MAX];
    uint32_t len;
    struct leat_slice message = leat_h2__fields_get(&call->h2.fields, "grpc-message");
    struct leat_slice encoded = leat_h2__fields_get(&call->h2.fields, "grpc-status-details-bin");
    if (message.len > LEAT_GRPC_TEXT_MAX)
        message.len = LEAT_GRPC_TEXT_MAX;
    status->message = leat_slice_of(text, leat_grpc__percent_decode(message, text));
    if (encoded.len && encoded.len <= LEAT_GRPC_DETAILS_MAX && leat_grpc__base64_decode(encoded, details, &len))
        status->has_retry_info = leat_grpc__retry_info(leat_slice_of(details, len), &status->retry_delay_ns);
}

static void say(struct leat_grpc_status *status, int code, const char *text)
{
    status->code = code;
    status->message = leat_slice_str(text);
}

/* No grpc-status came: an intermediary answered, or the stream was cut. */
static void guess_status(const struct leat_h2_call *call, uint32_t h2_error, struct leat_grpc_status *status,
                         char text[LEAT_GRPC_TEXT_MAX])
{
    if (call->http_status && call->http_status != 200) {
        (void)snprintf(text, LEAT_GRPC_TEXT_MAX, "HTTP status %d and no grpc-status", call->http_status);
        say(status, leat_grpc__code_of_http(call->http_status), text);
    } else if (h2_error != NGHTTP2_NO_ERROR) {
        (void)snprintf(text, LEAT_GRPC_TEXT_MAX, "stream reset by the peer: %s", nghttp2_http2_strerror(h2_error));
        say(status, leat_grpc__code_of_reset(h2_error), text);
    } else if (call->http_status && !call->is_grpc) {
        say(status, LEAT_GRPC_UNKNOWN, "the answer is not gRPC (content-type)");
    } else {
        say(status, LEAT_GRPC_INTERNAL, "the stream ended without grpc-status");
    }
}

/* grpc-go answers in the coding of the request, offered or not. */
static leat_rc undo_coding(struct leat_h2_call *call)
{
    struct leat_chain *bytes = &call->h2.message.bytes, plain = {0};
    if (!call->h2.message.prefix[0])
        return LEAT_OK;
    if (call->coding == LEAT_CODING_NONE)
        return LEAT_EUNSUPPORTED;
    leat_rc rc = leat_decode(call->coding, bytes, client_of(call->h2.session)->response_bytes_max, &plain, NULL);
    if (rc != LEAT_OK)
        return rc;
    leat_chain_done(bytes);
    *bytes = plain;
    return LEAT_OK;
}

/* The status has decided: a message that cannot be read costs the reason of a partial success, never the data. */
static void read_response(struct leat_h2_call *call, struct leat_h2_outcome *outcome)
{
    const char *wrong = call->unreadable;
    if (!wrong && !leat_h2__message_is_whole(&call->h2.message))
        wrong = "status OK, but its message is missing or cut short";
    else if (!wrong && undo_coding(call) != LEAT_OK)
        wrong = "status OK, but its message cannot be decompressed";
    else if (!wrong && leat_chain_flat(&call->h2.message.bytes, &outcome->response) != LEAT_OK)
        wrong = "status OK, but there is no memory for its message";
    if (wrong)
        outcome->status.message = leat_slice_str(wrong);
}

static void answer(struct leat_h2_call *call, uint32_t h2_error)
{
    uint8_t text[LEAT_GRPC_TEXT_MAX];
    struct leat_h2_outcome outcome = {.end = LEAT_H2_ANSWERED};
    struct leat_slice code = leat_h2__fields_get(&call->h2.fields, "grpc-status");
    struct leat_grpc_out *out = call->out;
    struct leat_h2_client *client = client_of(call->h2.session);
    if (leat_grpc__code_parse(code, &outcome.status.code))
        read_status(call, &outcome.status, text);
    else if (h2_error == NGHTTP2_REFUSED_STREAM)
        outcome.end = LEAT_H2_UNPROCESSED;
    else
        guess_status(call, h2_error, &outcome.status, (char *)text);
    if (outcome.end == LEAT_H2_ANSWERED && outcome.status.code == LEAT_GRPC_OK)
        read_response(call, &outcome);
    call->out = NULL;
    out->stream = NULL;
    client->finished(client->ctx, out, &outcome);
    leat_mem_unref(outcome.response.mem);
}

static void closed(struct leat_h2_stream *stream, uint32_t h2_error)
{
    struct leat_h2_call *call = call_of(stream);
    if (call->out)
        answer(call, h2_error);
    call_free(call);
}

/* ---- what comes ---- */

static void head(struct leat_h2_stream *stream)
{
    struct leat_h2_call *call = call_of(stream);
    struct leat_slice status = leat_h2__fields_get(&stream->fields, ":status");
    if (status.len != 3) /* trailers */
        return;
    call->http_status = (status.at[0] - '0') * 100 + (status.at[1] - '0') * 10 + (status.at[2] - '0');
    if (call->http_status < 200)
        call->http_status = 0;
    call->is_grpc = leat_grpc__is_grpc(leat_h2__fields_get(&stream->fields, "content-type"));
    if (!leat_grpc__coding_parse(leat_h2__fields_get(&stream->fields, "grpc-encoding"), &call->coding))
        call->coding = LEAT_CODING_NONE; /* nobody knows it: matters only if the message is compressed */
}

/* The rest of the message is read past: only the status tells what became of the data. */
static void give_up_message(struct leat_h2_call *call, const char *why)
{
    call->unreadable = why;
    leat_h2__message_drop(&call->h2.message);
}

static void data(struct leat_h2_stream *stream, struct leat_slice piece)
{
    struct leat_h2_call *call = call_of(stream);
    if (!call->is_grpc || call->unreadable) /* an error page of an intermediary is read past, too */
        return;
    switch (leat_h2__message_feed(&stream->message, piece, client_of(stream->session)->response_bytes_max)) {
    case LEAT_H2_TOO_LARGE:
        give_up_message(call, "status OK, but its message is over the limit");
        break;
    case LEAT_H2_BAD_FLAG:
    case LEAT_H2_EXCESS:
        give_up_message(call, "status OK, but its message is not one gRPC message");
        break;
    case LEAT_H2_NO_MEMORY:
        give_up_message(call, "status OK, but there is no memory for its message");
        break;
    default:
        break;
    }
}

/* The answer is complete; what is left of the request is not wanted any more. */
static void end(struct leat_h2_stream *stream)
{
    if (stream->body.left || stream->body.prefix_left)
        leat_h2__stream_reset(stream, NGHTTP2_NO_ERROR);
}

static void goaway(struct leat_h2_session *session, uint32_t h2_error, struct leat_slice text)
{
    struct leat_h2_client *client = client_of(session);
    client->goaway = true;
    client->too_many_pings = h2_error == NGHTTP2_ENHANCE_YOUR_CALM && leat_slice_is(text, "too_many_pings");
}

static const struct leat_h2_role role = {.head = head, .data = data, .end = end, .closed = closed, .goaway = goaway};

/* ---- life ---- */

leat_rc leat_h2__client_open(const struct leat_grpc_client_opts *opts, uint64_t now_ns,
                             struct leat_h2_client **ret_client)
{
    struct leat_h2_client *client = leat_zalloc(1, sizeof *client);
    if (!client)
        return LEAT_ENOMEM;
    client->response_bytes_max = opts->response_bytes_max ? opts->response_bytes_max : RESPONSE_BYTES_DEFAULT;
    client->scheme = opts->tls ? "https" : "http";
    client->authority = opts->authority ? opts->authority : opts->address;
    client->user_agent = opts->user_agent;
    client->conf = (struct leat_h2_conf){.header_bytes_max = HEADER_BYTES_MAX,
                                         .frame_bytes_max = FRAME_BYTES_MAX,
                                         .stream_window = 1u << 20,
                                         .connection_window = 16u << 20,
                                         .glitches_max = 10000,
                                         .glitch_rate = 330,
                                         .ping_after_ns = opts->keepalive_ns,
                                         .ping_timeout_ns = opts->keepalive_timeout_ns,
                                         .ping_without_stream = opts->keepalive_without_stream};
    leat_rc rc = leat_h2__open(&client->h2, &role, &client->conf, now_ns);
    if (rc != LEAT_OK) {
        leat_free(client);
        return rc;
    }
    *ret_client = client;
    return LEAT_OK;
}

static void give_back(struct leat_h2_client *client, struct leat_h2_call *call, const struct leat_err *why)
{
    struct leat_grpc_out *out = call->out;
    call->out = NULL;
    call_free(call);
    if (!out)
        return;
    out->stream = NULL;
    client->finished(client->ctx, out, &(struct leat_h2_outcome){.end = LEAT_H2_BROKEN, .err = why});
}

void leat_h2__client_break(struct leat_h2_client *client, const struct leat_err *why)
{
    client->h2.wake = NULL;
    client->h2.ended = true;
    while (!leat_list_empty(&client->h2.streams))
        give_back(client, (struct leat_h2_call *)LEAT_CONTAINER(client->h2.streams.next, struct leat_h2_stream, link),
                  why);
}

struct leat_h2_client *leat_h2__client_close(struct leat_h2_client *client, const struct leat_err *why)
{
    if (!client)
        return NULL;
    leat_h2__client_break(client, why);
    leat_h2__close(&client->h2);
    leat_free(client);
    return NULL;
}

/* ---- calls ---- */

bool leat_h2__client_has_room(const struct leat_h2_client *client)
{
    uint32_t max = client->h2.settled
                       ? nghttp2_session_get_remote_settings(client->h2.ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                       : STREAMS_BEFORE_SETTINGS;
    return !client->goaway && !client->h2.ended && client->h2.stream_count < max &&
           nghttp2_session_check_request_allowed(client->h2.ng);
}

static bool is_reserved(struct leat_slice name)
{
    static const char *const names[] = {
        "content-type",         "te",         "user-agent", "grpc-timeout", "grpc-encoding",
        "grpc-accept-encoding", "connection", "host"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (leat_slice_is(name, names[i]))
            return true;
    return name.len == 0 || name.at[0] == ':';
}

/* Pseudo-headers first; then what gRPC wants; then metadata. */
static size_t request_head(const struct leat_h2_client *client, const struct leat_grpc_out *out, char timeout[24],
                           nghttp2_nv nvs[NVS_FIXED + NVS_MAX])
{
    size_t n = 0;
    const char *coding = leat_grpc__coding_name(out->coding);
    nvs[n++] = leat_h2__nv(LEAT_SLICE(":method"), LEAT_SLICE("POST"));
    nvs[n++] = leat_h2__nv(LEAT_SLICE(":scheme"), leat_slice_str(client->scheme));
    nvs[n++] = leat_h2__nv(LEAT_SLICE(":path"), out->path);
    nvs[n++] = leat_h2__nv(LEAT_SLICE(":authority"), leat_slice_str(client->authority));
    nvs[n++] = leat_h2__nv(LEAT_SLICE("content-type"), LEAT_SLICE("application/grpc"));
    nvs[n++] = leat_h2__nv(LEAT_SLICE("te"), LEAT_SLICE("trailers"));
    if (client->user_agent)
        nvs[n++] = leat_h2__nv(LEAT_SLICE("user-agent"), leat_slice_str(client->user_agent));
    if (out->coding != LEAT_CODING_NONE && coding)
        nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-encoding"), leat_slice_str(coding));
    nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-accept-encoding"), LEAT_SLICE("identity,gzip,zstd,snappy"));
    if (out->timeout_ns)
        nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-timeout"),
                               leat_slice_of(timeout, leat_grpc__timeout_print(out->timeout_ns, timeout)));
    for (uint32_t i = 0; i < out->headers.count && n < NVS_FIXED + NVS_MAX; i++)
        if (!is_reserved(out->headers.at[i].name))
            nvs[n++] = leat_h2__nv(out->headers.at[i].name, out->headers.at[i].value);
    return n;
}

leat_rc leat_h2__client_start(struct leat_h2_client *client, struct leat_grpc_out *out)
{
    nghttp2_nv nvs[NVS_FIXED + NVS_MAX];
    char timeout[24];
    struct leat_h2_call *call = leat_obj_new(sizeof *call);
    if (!call)
        return LEAT_ENOMEM;
    leat_h2__body_set(&call->h2.body, out->message, out->coding != LEAT_CODING_NONE);
    call->h2.body_ends = true;
    nghttp2_data_provider provider = leat_h2__body_provider(&call->h2);
    int32_t id =
        nghttp2_submit_request(client->h2.ng, NULL, nvs, request_head(client, out, timeout, nvs), &provider, call);
    if (id < 0) {
        leat_obj_free(call, sizeof *call);
        return id == NGHTTP2_ERR_NOMEM ? LEAT_ENOMEM : LEAT_EFULL;
    }
    leat_h2__stream_init(&client->h2, &call->h2, id);
    call->out = out;
    out->stream = call;
    out->sent = true;
    leat_h2__wake(&client->h2);
    return LEAT_OK;
}

void leat_h2__client_drop(struct leat_grpc_out *out)
{
    struct leat_h2_call *call = out->stream;
    out->stream = NULL;
    call->out = NULL;
    call->h2.body.message = NULL; /* the caller's bytes are not looked at again */
    leat_h2__stream_reset(&call->h2, NGHTTP2_CANCEL);
}
