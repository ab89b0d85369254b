/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_server.h"

#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/net/h2/grpc_text.h"

#define SPARE_MAX 256u
#define MESSAGE_BYTES_DEFAULT (4u << 20)
#define FRAME_BYTES_MAX (256u << 10)
#define CONNECTION_WINDOW (16u << 20)
#define PARTIAL_BYTES_DEFAULT (64u << 20)
#define NVS_MAX 8

/* ---- what connections share ---- */

static uint32_t or_default(uint32_t value, uint32_t deflt)
{
    return value ? value : deflt;
}

void leat_h2__service_init(struct leat_h2_service *service, const struct leat_grpc_server_limits *limits,
                           const struct leat_grpc_handler *handler, void *ctx)
{
    *service = (struct leat_h2_service){.limits = *limits, .handler = handler, .ctx = ctx};
    leat_list_init(&service->spare);
    struct leat_grpc_server_limits *l = &service->limits;
    l->message_bytes_max = or_default(l->message_bytes_max, MESSAGE_BYTES_DEFAULT);
    l->streams_max = or_default(l->streams_max, 128);
    l->header_bytes_max = or_default(l->header_bytes_max, 64u << 10);
    l->unsent_bytes_max = or_default(l->unsent_bytes_max, 4u << 20);
    l->partial_bytes_max = or_default(l->partial_bytes_max, PARTIAL_BYTES_DEFAULT);
    if (l->partial_bytes_max < l->message_bytes_max)
        l->partial_bytes_max = l->message_bytes_max;
    l->preface_ns_max = l->preface_ns_max ? l->preface_ns_max : 10000000000ull;
    l->unsent_ns_max = l->unsent_ns_max ? l->unsent_ns_max : 30000000000ull;
    l->glitches_max = or_default(l->glitches_max, 10000);
    l->glitch_rate = or_default(l->glitch_rate, 330);
    l->resets_burst = or_default(l->resets_burst, 1000);
    l->resets_rate = or_default(l->resets_rate, 33);
    service->conf = (struct leat_h2_conf){.streams_max = l->streams_max,
                                          .header_bytes_max = l->header_bytes_max,
                                          .frame_bytes_max = FRAME_BYTES_MAX,
                                          .stream_window = 1u << 20,
                                          .connection_window = CONNECTION_WINDOW,
                                          .glitches_max = l->glitches_max,
                                          .glitch_rate = l->glitch_rate,
                                          .resets_burst = l->resets_burst,
                                          .resets_rate = l->resets_rate,
                                          .ping_after_ns = l->ping_after_ns,
                                          .ping_timeout_ns = l->ping_timeout_ns,
                                          .ping_without_stream = true};
}

void leat_h2__service_done(struct leat_h2_service *service)
{
    for (struct leat_list *link; (link = leat_list_pop(&service->spare));)
        leat_free(LEAT_CONTAINER(link, struct leat_grpc_call, ready));
    service->spare_count = 0;
}

/* ---- calls ---- */

static struct leat_h2_server *server_of(struct leat_h2_session *session)
{
    return (struct leat_h2_server *)session;
}
static struct leat_grpc_call *call_of(struct leat_h2_stream *stream)
{
    return (struct leat_grpc_call *)stream;
}

static struct leat_h2_stream *begin(struct leat_h2_session *session, int32_t id)
{
    struct leat_h2_server *server = server_of(session);
    struct leat_list *link = leat_list_pop(&server->service->spare);
    struct leat_grpc_call *call = link ? LEAT_CONTAINER(link, struct leat_grpc_call, ready) : leat_alloc(sizeof *call);
    if (!call)
        return NULL;
    server->service->spare_count -= link != NULL;
    memset(call, 0, sizeof *call);
    leat_list_init(&call->ready);
    call->server = server;
    leat_h2__stream_init(session, &call->h2, id);
    leat_count(LEAT_COUNT_H2_CALLS, 1);
    return &call->h2;
}

static void call_free(struct leat_grpc_call *call)
{
    struct leat_h2_server *server = call->server;
    leat_list_remove(&call->ready);
    server->partial_bytes -= call->h2.message.bytes.bytes;
    server->answer_bytes -= call->answer_bytes;
    leat_h2__stream_done(&call->h2);
    leat_chain_done(&call->answer);
    if (server->h2.stream_count == 0)
        server->idle_since_ns = server->h2.now_ns;
    if (server->service->spare_count == SPARE_MAX) {
        leat_free(call);
        return;
    }
    server->service->spare_count++;
    leat_list_push_front(&server->service->spare, &call->ready);
}

static void closed(struct leat_h2_stream *stream, uint32_t h2_error)
{
    (void)h2_error;
    struct leat_grpc_call *call = call_of(stream);
    const struct leat_h2_service *service = call->server->service;
    if (call->delivered && !call->replied)
        service->handler->gone(service->ctx, call);
    call_free(call);
}

void leat_grpc_call_set(struct leat_grpc_call *call, void *own)
{
    call->own = own;
}
void *leat_grpc_call_get(const struct leat_grpc_call *call)
{
    return call->own;
}

/* ---- replies ---- */

static void out_of_memory(struct leat_grpc_call *call)
{
    leat_h2__fail(&call->server->h2, NGHTTP2_INTERNAL_ERROR, LEAT_COUNT_H2_GLITCHES, LEAT_ENOMEM, "out of memory");
}

static void drop_message(struct leat_grpc_call *call)
{
    call->server->partial_bytes -= call->h2.message.bytes.bytes;
    leat_h2__message_drop(&call->h2.message);
    leat_list_remove(&call->ready);
}

void leat_grpc_reply(struct leat_grpc_call *call, struct leat_chain *message)
{
    nghttp2_nv head[] = {leat_h2__nv(LEAT_SLICE(":status"), LEAT_SLICE("200")),
                         leat_h2__nv(LEAT_SLICE("content-type"), LEAT_SLICE("application/grpc"))};
    call->replied = true;
    call->answer = *message;
    *message = (struct leat_chain){0};
    call->answer_bytes = call->answer.bytes + 5;
    call->server->answer_bytes += call->answer_bytes;
    if (call->server->h2.ended)
        return;
    leat_h2__body_set(&call->h2.body, &call->answer, false);
    nghttp2_data_provider provider = leat_h2__body_provider(&call->h2);
    if (nghttp2_submit_response(call->server->h2.ng, call->h2.id, head, 2, &provider) != 0)
        out_of_memory(call);
    leat_h2__wake(&call->server->h2);
}

static void body_done(struct leat_h2_stream *stream)
{
    nghttp2_nv trailer = leat_h2__nv(LEAT_SLICE("grpc-status"), LEAT_SLICE("0"));
    if (nghttp2_submit_trailer(stream->session->ng, stream->id, &trailer, 1) != 0)
        out_of_memory(call_of(stream));
}

struct refusal {
    int code;
    struct leat_slice http_status, text, details;
    bool tell_encodings;
};

/* Trailers-Only: one header block, and with it the end. */
static void refuse(struct leat_grpc_call *call, const struct refusal *refusal)
{
    char code[12], text[3 * LEAT_GRPC_TEXT_MAX], details[(LEAT_GRPC_DETAILS_MAX + 2) / 3 * 4];
    nghttp2_nv nvs[NVS_MAX];
    size_t n = 0;
    call->replied = true;
    drop_message(call);
    if (call->server->h2.ended)
        return;
    nvs[n++] = leat_h2__nv(LEAT_SLICE(":status"), refusal->http_status);
    nvs[n++] = leat_h2__nv(LEAT_SLICE("content-type"), LEAT_SLICE("application/grpc"));
    (void)snprintf(code, sizeof code, "%d", refusal->code);
    nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-status"), leat_slice_str(code));
    if (refusal->text.len)
        nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-message"),
                               leat_slice_of(text, leat_grpc__percent_encode(refusal->text, text)));
    if (refusal->details.len && refusal->details.len <= LEAT_GRPC_DETAILS_MAX)
        nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-status-details-bin"),
                               leat_slice_of(details, leat_grpc__base64_encode(refusal->details, details)));
    if (refusal->tell_encodings)
        nvs[n++] = leat_h2__nv(LEAT_SLICE("grpc-accept-encoding"), LEAT_SLICE("identity,gzip,zstd,deflate,snappy"));
    if (nghttp2_submit_response(call->server->h2.ng, call->h2.id, nvs, n, NULL) != 0)
        out_of_memory(call);
    leat_h2__wake(&call->server->h2);
}

void leat_grpc_reply_error(struct leat_grpc_call *call, int code, struct leat_slice text, struct leat_slice details)
{
    struct refusal refusal = {.code = code, .http_status = LEAT_SLICE("200"), .text = text, .details = details};
    refuse(call, &refusal);
}

static void refuse_malformed(struct leat_grpc_call *call, int code, const char *text)
{
    leat_count(LEAT_COUNT_H2_BAD_FRAME, 1);
    leat_grpc_reply_error(call, code, leat_slice_str(text), (struct leat_slice){0});
}

/* ---- requests ---- */

static bool head_is_grpc(struct leat_grpc_call *call)
{
    struct refusal refusal = {.code = LEAT_GRPC_INTERNAL};
    if (!leat_slice_is(leat_h2__fields_get(&call->h2.fields, ":method"), "POST")) {
        refusal.http_status = LEAT_SLICE("405");
        refusal.text = LEAT_SLICE("only POST is a gRPC call");
    } else if (!leat_grpc__is_grpc(leat_h2__fields_get(&call->h2.fields, "content-type"))) {
        refusal.http_status = LEAT_SLICE("415");
        refusal.text = LEAT_SLICE("content-type is not application/grpc");
    } else {
        return true;
    }
    leat_count(LEAT_COUNT_H2_BAD_FRAME, 1);
    refuse(call, &refusal);
    return false;
}

static bool head_is_understood(struct leat_grpc_call *call)
{
    struct leat_slice encoding = leat_h2__fields_get(&call->h2.fields, "grpc-encoding");
    if (!leat_grpc__coding_parse(encoding, &call->coding)) {
        char text[128];
        (void)snprintf(text, sizeof text, "grpc-encoding is not supported: %.*s",
                       encoding.len < 64 ? (int)encoding.len : 64, (const char *)encoding.at);
        struct refusal refusal = {.code = LEAT_GRPC_UNIMPLEMENTED,
                                  .http_status = LEAT_SLICE("200"),
                                  .text = leat_slice_str(text),
                                  .tell_encodings = true};
        leat_count(LEAT_COUNT_H2_BAD_FRAME, 1);
        refuse(call, &refusal);
        return false;
    }
    struct leat_slice timeout = leat_h2__fields_get(&call->h2.fields, "grpc-timeout");
    if (timeout.at && !leat_grpc__timeout_parse(timeout, &call->incoming.timeout_ns)) {
        refuse_malformed(call, LEAT_GRPC_INTERNAL, "malformed grpc-timeout");
        return false;
    }
    return true;
}

static void head(struct leat_h2_stream *stream)
{
    struct leat_grpc_call *call = call_of(stream);
    struct leat_h2_server *server = call->server;
    if (call->headed) /* trailers of a request mean nothing in gRPC */
        return;
    call->headed = true;
    call->incoming.path = leat_h2__fields_get(&stream->fields, ":path");
    call->incoming.headers = leat_h2__fields_list(&stream->fields);
    call->incoming.peer = server->peer;
    call->incoming.encrypted = server->encrypted;
    if (!head_is_grpc(call) || !head_is_understood(call))
        return;
    call->incoming.coding = call->coding;
    const char *text = NULL;
    int code = server->service->handler->head(server->service->ctx, &call->incoming, &text);
    if (code != LEAT_GRPC_OK)
        leat_grpc_reply_error(call, code, text ? leat_slice_str(text) : (struct leat_slice){0}, (struct leat_slice){0});
}

static void refuse_too_large(struct leat_grpc_call *call)
{
    char text[96];
    (void)snprintf(text, sizeof text, "grpc: received message larger than max (%llu vs. %u)",
                   (unsigned long long)call->h2.message.wanted, call->server->service->limits.message_bytes_max);
    leat_count(LEAT_COUNT_H2_TOO_LARGE, 1);
    leat_grpc_reply_error(call, LEAT_GRPC_RESOURCE_EXHAUSTED, leat_slice_str(text), (struct leat_slice){0});
}

static void judge(struct leat_grpc_call *call, enum leat_h2_message_state state)
{
    struct leat_h2_server *server = call->server;
    switch (state) {
    case LEAT_H2_TOO_LARGE:
        refuse_too_large(call);
        break;
    case LEAT_H2_BAD_FLAG:
        refuse_malformed(call, LEAT_GRPC_INTERNAL, "message has an unknown flag");
        break;
    case LEAT_H2_EXCESS:
        refuse_malformed(call, LEAT_GRPC_INTERNAL, "more than one message in a unary call");
        break;
    case LEAT_H2_NO_MEMORY:
        leat_grpc_reply_error(call, LEAT_GRPC_UNAVAILABLE, LEAT_SLICE("out of memory"), (struct leat_slice){0});
        break;
    default:
        if (call->h2.message.prefix_have == 5 && call->h2.message.prefix[0] && call->coding == LEAT_CODING_NONE)
            refuse_malformed(call, LEAT_GRPC_INTERNAL, "compressed flag set with identity or empty encoding");
        else if (server->partial_bytes > server->service->limits.partial_bytes_max)
            leat_grpc_reply_error(call, LEAT_GRPC_UNAVAILABLE, LEAT_SLICE("too many bytes of unfinished calls"),
                                  (struct leat_slice){0});
    }
}

static void data(struct leat_h2_stream *stream, struct leat_slice piece)
{
    struct leat_grpc_call *call = call_of(stream);
    if (call->replied)
        return;
    uint64_t before = stream->message.bytes.bytes;
    enum leat_h2_message_state state =
        leat_h2__message_feed(&stream->message, piece, call->server->service->limits.message_bytes_max);
    call->server->partial_bytes += stream->message.bytes.bytes - before;
    judge(call, state);
}

static void end(struct leat_h2_stream *stream)
{
    struct leat_grpc_call *call = call_of(stream);
    if (call->replied)
        return;
    if (!leat_h2__message_is_whole(&stream->message)) {
        refuse_malformed(call, LEAT_GRPC_INTERNAL, "the call ended before its message did");
        return;
    }
    call->incoming.coding = stream->message.prefix[0] ? call->coding : LEAT_CODING_NONE;
    leat_list_push(&call->server->ready, &call->ready);
}

static const struct leat_h2_role role = {.is_server = true,
                                         .begin = begin,
                                         .head = head,
                                         .data = data,
                                         .end = end,
                                         .body_done = body_done,
                                         .closed = closed,
                                         .ping = leat_h2__server_ping};

/* ---- life ---- */

leat_rc leat_h2__server_open(struct leat_h2_service *service, const char *peer, bool encrypted, uint64_t now_ns,
                             struct leat_h2_server **ret_server)
{
    struct leat_h2_server *server = leat_zalloc(1, sizeof *server);
    if (!server)
        return LEAT_ENOMEM;
    server->service = service;
    server->peer = peer;
    server->encrypted = encrypted;
    server->opened_ns = server->idle_since_ns = now_ns;
    server->age_ns = service->limits.age_ns_max;
    leat_list_init(&server->ready);
    leat_rc rc = leat_h2__open(&server->h2, &role, &service->conf, now_ns);
    if (rc != LEAT_OK) {
        leat_free(server);
        return rc;
    }
    leat_count(LEAT_COUNT_H2_CONNECTIONS, 1);
    *ret_server = server;
    return LEAT_OK;
}

void leat_h2__server_forget(struct leat_h2_server *server)
{
    if (!server)
        return;
    server->h2.wake = NULL;
    server->h2.ended = true; /* nothing is read or made any more: nghttp2 keeps pointers to the streams */
    while (!leat_list_empty(&server->h2.streams))
        closed(LEAT_CONTAINER(server->h2.streams.next, struct leat_h2_stream, link), NGHTTP2_CANCEL);
}

struct leat_h2_server *leat_h2__server_close(struct leat_h2_server *server)
{
    if (!server)
        return NULL;
    leat_h2__server_forget(server);
    leat_h2__close(&server->h2);
    leat_free(server);
    return NULL;
}

static void hand_over(struct leat_h2_server *server, struct leat_grpc_call *call)
{
    struct leat_chain message = call->h2.message.bytes;
    call->h2.message.bytes = (struct leat_chain){0};
    server->partial_bytes -= message.bytes;
    call->delivered = true;
    server->service->handler->call(server->service->ctx, call, &call->incoming, &message);
    leat_chain_done(&message);
}

void leat_h2__server_feed(struct leat_h2_server *server, struct leat_slice bytes, uint64_t now_ns)
{
    leat_h2__feed(&server->h2, bytes, now_ns);
    if (server->h2.ended)
        return;
    for (struct leat_list *link; (link = leat_list_pop(&server->ready));)
        hand_over(server, LEAT_CONTAINER(link, struct leat_grpc_call, ready));
}
