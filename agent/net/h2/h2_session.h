/* SPDX-License-Identifier: Apache-2.0 */
/* h2_session -- one HTTP/2 connection without its socket: eats slices, makes a chain; private to agent/net/h2.
 *
 * Why      the protocol is tested and fuzzed on bytes alone; grpc_server.c and grpc_client.c add the connection.
 * Threads  one shard's. Time is given with each call (now_ns), never read.
 * Owns     the bytes it is fed until they are parsed; DATA reaches the role as sub-slices of the very pages that were
 *          read. `out` is what is to be written, taken by whoever drives the session.
 * Limits   struct leat_h2_conf; breaking one ends the session (`ended`), with a GOAWAY in `out` where the RFC wants
 * one. Fails    after `ended` nothing is read any more; `err` says why. Out of memory ends the session, too. */
#pragma once
#include <nghttp2/nghttp2.h>

#include "agent/base/counter.h"
#include "agent/base/err.h"
#include "agent/base/gather.h"
#include "agent/base/list.h"
#include "agent/net/h2/grpc.h"
#include "agent/net/h2/h2_heap.h"

#define LEAT_H2_FIELDS_FIXED 16u

struct leat_h2_session;
struct leat_h2_stream;

struct leat_h2_conf {
    uint32_t streams_max; /* that the peer may open */
    uint32_t header_bytes_max, frame_bytes_max, stream_window, connection_window;
    uint32_t glitches_max, glitch_rate, resets_burst, resets_rate; /* glitches_max 0: not counted */
    uint64_t ping_after_ns, ping_timeout_ns;                       /* 0: no pings of ours */
    bool ping_without_stream;
};

/* A decoded header block. Names and values are nghttp2's reference-counted buffers: nothing is copied. */
struct leat_h2_fields {
    struct leat_header *at;
    nghttp2_rcbuf **bufs; /* two a field */
    uint32_t count, room, pseudo;
    uint32_t bytes; /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
    struct leat_header fixed[LEAT_H2_FIELDS_FIXED];
    nghttp2_rcbuf *fixed_bufs[2 * LEAT_H2_FIELDS_FIXED];
};
void leat_h2__fields_clear(struct leat_h2_fields *fields);
struct leat_headers leat_h2__fields_list(const struct leat_h2_fields *fields); /* without pseudo-headers */
struct leat_slice leat_h2__fields_get(const struct leat_h2_fields *fields, const char *name); /* also ":path" */

/* One gRPC message leaving: the 5-byte prefix, then `message` by reference. */
struct leat_h2_body {
    const struct leat_chain *message;
    uint8_t prefix[5];
    uint32_t prefix_left;
    uint32_t slice, slice_offset; /* where the next byte is */
    uint64_t left;                /* of the message */
};

/* One gRPC message arriving. */
enum leat_h2_message_state {
    LEAT_H2_MORE,
    LEAT_H2_WHOLE,
    LEAT_H2_TOO_LARGE,
    LEAT_H2_BAD_FLAG,
    LEAT_H2_EXCESS,
    LEAT_H2_NO_MEMORY
};
struct leat_h2_message {
    struct leat_chain bytes;
    struct leat_gather gather; /* of frames too small for a slice each */
    uint8_t prefix[5];
    uint32_t prefix_have;
    uint64_t wanted; /* valid once the prefix is in */
};
void leat_h2__message_drop(struct leat_h2_message *message); /* its bytes; what was counted stays */
/* `piece` is borrowed (a reference is added). The state tells what came of it; LEAT_H2_WHOLE may have no bytes. */
enum leat_h2_message_state leat_h2__message_feed(struct leat_h2_message *message, struct leat_slice piece,
                                                 uint64_t bytes_max);
bool leat_h2__message_is_whole(const struct leat_h2_message *message);

struct leat_h2_bucket { /* a budget refilled by time */
    uint64_t used, at_ns;
};
bool leat_h2__bucket_take(struct leat_h2_bucket *bucket, uint32_t burst, uint32_t rate, uint64_t now_ns);

struct leat_h2_stream {
    struct leat_list link; /* session->streams */
    struct leat_h2_session *session;
    int32_t id;
    bool ended;     /* END_STREAM came */
    bool reset;     /* RST_STREAM of ours is on its way: what still comes is ignored */
    bool body_ends; /* END_STREAM goes with the last DATA frame (client) */
    bool trailers;  /* a server's: a second header block came; its fields are not kept */
    struct leat_h2_fields fields;
    struct leat_h2_message message;
    struct leat_h2_body body;
};

struct leat_h2_role {
    bool is_server;
    struct leat_h2_stream *(*begin)(struct leat_h2_session *session, int32_t id); /* NULL: refuse */
    void (*head)(struct leat_h2_stream *stream); /* a header block is in (also trailers; see stream->ended) */
    void (*data)(struct leat_h2_stream *stream, struct leat_slice piece); /* borrowed */
    void (*end)(struct leat_h2_stream *stream);
    void (*body_done)(struct leat_h2_stream *stream);                 /* all of body left: submit trailers */
    void (*closed)(struct leat_h2_stream *stream, uint32_t h2_error); /* frees it */
    void (*ping)(struct leat_h2_session *session, bool is_ack, const uint8_t opaque[8]);
    void (*goaway)(struct leat_h2_session *session, uint32_t h2_error, struct leat_slice text);
};

struct leat_h2_session {
    const struct leat_h2_role *role;
    const struct leat_h2_conf *conf;
    nghttp2_session *ng;
    struct leat_h2_heap heap;
    void (*wake)(void *owner); /* there is something to write, or the end to be seen */
    void *owner;
    struct leat_slice reading; /* what nghttp2 is looking at */
    struct leat_chain out;
    uint64_t unsent; /* bytes taken from `out` that have not left, told by the driver */
    struct leat_list streams;
    uint32_t stream_count;
    uint64_t now_ns, heard_ns, pinged_ns; /* pinged_ns 0: no ping of ours waits */
    uint64_t block_since_ns;              /* a header block began and is not in yet; 0: none */
    struct leat_h2_bucket glitches, resets;
    uint32_t credit;  /* control frames the peer may send for what we sent it */
    uint64_t fed_bytes, known_bytes; /* came in; belong to frames of types we know */
    bool settled;     /* the peer's SETTINGS came */
    bool ended;       /* write what is in `out`, then close */
    bool counts_sent; /* HEADERS or DATA went out since this was cleared */
    struct leat_err err;
};

leat_rc leat_h2__open(struct leat_h2_session *session, const struct leat_h2_role *role, const struct leat_h2_conf *conf,
                      uint64_t now_ns) LEAT_MUST_CHECK;
void leat_h2__close(struct leat_h2_session *session); /* the role frees its streams first */
void leat_h2__feed(struct leat_h2_session *session, struct leat_slice bytes, uint64_t now_ns); /* takes the reference */
void leat_h2__pump(struct leat_h2_session *session); /* frames that are due go to `out` */
void leat_h2__tick(struct leat_h2_session *session, uint64_t now_ns);
uint64_t leat_h2__due_ns(const struct leat_h2_session *session); /* of the next tick; UINT64_MAX: none */

void leat_h2__stream_init(struct leat_h2_session *session, struct leat_h2_stream *stream, int32_t id);
void leat_h2__stream_done(struct leat_h2_stream *stream);
void leat_h2__stream_reset(struct leat_h2_stream *stream, uint32_t h2_error);
void leat_h2__body_set(struct leat_h2_body *body, const struct leat_chain *message, bool compressed);
nghttp2_data_provider leat_h2__body_provider(struct leat_h2_stream *stream);
nghttp2_nv leat_h2__nv(struct leat_slice name, struct leat_slice value);

/* Ends the session: GOAWAY with the error and text, one count. */
void leat_h2__fail(struct leat_h2_session *session, uint32_t h2_error, enum leat_counter counter, leat_rc rc,
                   const char *text);
void leat_h2__glitch(struct leat_h2_session *session);
void leat_h2__wake(struct leat_h2_session *session);
